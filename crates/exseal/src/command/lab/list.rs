//! `exseal lab list`: the labs that run, and the organisations that are built in.

use clap::Args;
use exseal_lab::{control, presets};

use super::super::{Outcome, print, print_json};
use super::of_control;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::view::lab::{Listed, listed};

/// List the labs that run and the organisations that are built in
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Print JSON (docs/schema/lab-list.json)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &ListArgs) -> Result<Outcome, CommandError> {
    let running = control::running().map_err(|error| of_control(&error))?;
    let mut stories = Vec::new();
    for name in presets::names() {
        if let Some(found) = presets::get(name) {
            let organisation = found.map_err(|error| CommandError::usage(error.to_string()))?;
            stories.push((name, organisation));
        }
    }
    let shown = Listed::new(&running, &stories);
    if args.json {
        print_json(&shown)?;
    } else {
        print(context, &listed::text(&shown, context))?;
    }
    Ok(Outcome::Done)
}
