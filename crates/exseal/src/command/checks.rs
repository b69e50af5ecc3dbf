//! `exseal checks`: everything exseal looks at.

use clap::Args;
use exseal_engine::checks::ALL;
use serde::Serialize;

use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::view::paint::{BOLD, styled, wrapped};

/// List every check with its severities and the situations it shows
#[derive(Args, Debug)]
pub(crate) struct ChecksArgs {
    /// Print JSON (docs/schema/checks.json)
    #[arg(long)]
    json: bool,
}

/// A check, as printed.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct CheckLine {
    name: &'static str,
    about: &'static str,
    severities: Vec<exseal_model::Severity>,
    scenarios: Vec<u8>,
    pains: Vec<u8>,
}

pub(crate) fn lines() -> Vec<CheckLine> {
    ALL.iter()
        .map(|check| CheckLine {
            name: check.name,
            about: check.about,
            severities: check.severities.to_vec(),
            scenarios: check.scenarios.to_vec(),
            pains: check.pains.to_vec(),
        })
        .collect()
}

pub(crate) fn run(context: &Context, args: &ChecksArgs) -> Result<Outcome, CommandError> {
    if args.json {
        print_json(&lines())?;
        return Ok(Outcome::Done);
    }
    let mut out = String::new();
    for line in lines() {
        let severities: Vec<String> = line.severities.iter().map(ToString::to_string).collect();
        let mut told = severities.join(", ");
        for (word, numbers) in [("scenarios", &line.scenarios), ("pains", &line.pains)] {
            if !numbers.is_empty() {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                told.push_str(&format!("; {word} {}", numbers.join(", ")));
            }
        }
        out.push_str(&format!("{}\n", styled(BOLD, line.name)));
        for text in [line.about, &told] {
            out.push_str(&wrapped(text, "    ", "      ", context.width));
        }
    }
    print(context, &out)?;
    Ok(Outcome::Done)
}
