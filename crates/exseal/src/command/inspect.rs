//! `exseal inspect`: what exports hold.

use std::path::PathBuf;

use clap::Args;
use exseal_exchange::files::Given;

use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, Passwords};
use crate::view::inspect::{Inspected, text};

/// Show what exported files hold
///
/// Every certificate, connector, binding and server in the order of the files, and what could not be read or
/// recognised. Judges nothing.
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// Exports, folders or ZIPs
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Print JSON (docs/schema/inspect.json)
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    passwords: Passwords,
}

pub(crate) fn run(context: &Context, args: &InspectArgs) -> Result<Outcome, CommandError> {
    let given: Vec<Given> = args
        .files
        .iter()
        .map(|path| Given {
            server: None,
            path: path.clone(),
        })
        .collect();
    if let [one] = given.as_slice()
        && !one.path.exists()
    {
        return Err(inputs::missing(&one.path));
    }
    let reading = inputs::read(&given, &args.passwords, context);
    let inspected = Inspected::of(&reading);
    if args.json {
        print_json(&inspected)?;
    } else {
        print(context, &text(&inspected, context))?;
    }
    Ok(Outcome::Done)
}
