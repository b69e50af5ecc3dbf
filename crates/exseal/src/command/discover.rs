//! `exseal discover`: what was seen becomes one inventory.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::{Outcome, print};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, LiveSources};
use crate::view::discover::summary;

/// Put everything that was seen into one inventory
///
/// The inventory is a JSON file that --from takes again everywhere; docs/schema/inventory.json describes it.
#[derive(Args, Debug)]
pub(crate) struct DiscoverArgs {
    #[command(flatten)]
    sources: LiveSources,

    /// Where to write the inventory; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print the inventory itself instead of a summary
    #[arg(long, conflicts_with = "output")]
    json: bool,

    /// The time to give to what is seen live, instead of now (RFC 3339)
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

pub(crate) fn run(context: &Context, args: &DiscoverArgs) -> Result<Outcome, CommandError> {
    let now = inputs::now(args.now);
    let inventory = args.sources.inventory(context, now)?;
    let to_stdout = args.json || args.output.as_deref().is_some_and(|path| path.as_os_str() == "-");
    if to_stdout {
        super::print_json(&inventory)?;
        return Ok(Outcome::Done);
    }
    if let Some(path) = &args.output {
        super::write_json(context, path, &inventory)?;
    }
    print(context, &summary(&inventory, context))?;
    if let Some(path) = &args.output {
        context.say(&format!("next: exseal diagnose --from {}", path.display()));
    }
    Ok(Outcome::Done)
}
