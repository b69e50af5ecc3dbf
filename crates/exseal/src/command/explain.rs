//! `exseal explain`: the page of a finding.

use clap::Args;

use super::{Outcome, print};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::pages;

/// Explain a finding: what it means, how exseal knows, what to do
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The finding's name, as diagnose prints it
    name: String,
}

pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Result<Outcome, CommandError> {
    let Some(page) = pages::finding(&args.name) else {
        let near = pages::nearest(&args.name);
        return Err(
            CommandError::usage(format!("expected the name of a finding, found {:?}", args.name)).hint(
                match near {
                    Some(near) => format!("did you mean {near}? `exseal checks` lists them all"),
                    None => "`exseal checks` lists them all".to_owned(),
                },
            ),
        );
    };
    print(context, &crate::view::page::text(page, context))?;
    Ok(Outcome::Done)
}
