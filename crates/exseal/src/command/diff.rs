//! `exseal diff`: what changed between two inventories.

use std::path::PathBuf;

use clap::Args;
use exseal_exchange::files::Given;

use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, Passwords};
use crate::view::diff::text;

/// Say what changed between two inventories, by slot
///
/// Each may be an inventory of `exseal discover`, or exports. What one of them did not see is told apart from what changed.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The earlier inventory, folder or ZIP
    before: PathBuf,

    /// The later one
    after: PathBuf,

    /// Print JSON (docs/schema/diff.json)
    #[arg(long)]
    json: bool,

    /// Exit with 3 when something changed
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    passwords: Passwords,
}

pub(crate) fn run(context: &Context, args: &DiffArgs) -> Result<Outcome, CommandError> {
    let read = |path: &PathBuf| {
        let given = [Given {
            server: None,
            path: path.clone(),
        }];
        inputs::inventory(&given, &args.passwords, context)
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let difference = exseal_engine::diff(&before, &after);
    if args.json {
        print_json(&difference)?;
    } else {
        print(context, &text(&difference, context))?;
    }
    Ok(if args.exit_code && !difference.is_empty() {
        Outcome::Findings
    } else {
        Outcome::Done
    })
}
