//! `exseal diagnose`: what is wrong.

use clap::Args;
use exseal_model::Severity;
use jiff::Timestamp;

use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, LiveSources};
use crate::view::diagnose::text;

/// Say what is wrong, and what it will break
#[derive(Args, Debug)]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    sources: LiveSources,

    #[command(flatten)]
    judging: Judging,

    /// Print JSON (docs/schema/diagnose.json)
    #[arg(long)]
    json: bool,

    /// Tell every finding by itself, also where many servers have the same
    #[arg(long, conflicts_with = "json")]
    every: bool,

    /// Exit with 3 when there is a finding of warning or above
    #[arg(long)]
    exit_code: bool,

    /// Exit with 3 when there is a finding of this severity or above
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    fail_on: Option<Severity>,
}

/// By what and for when is judged.
#[derive(Args, Clone, Debug)]
pub(crate) struct Judging {
    /// A policy file, or default, baseline or hybrid-management-only
    #[arg(long, value_name = "FILE|NAME")]
    pub(crate) policy: Option<String>,

    /// Judge as of this time instead of now (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
}

fn severity(text: &str) -> Result<Severity, String> {
    [
        Severity::Info,
        Severity::Notice,
        Severity::Warning,
        Severity::Error,
        Severity::Critical,
    ]
    .into_iter()
    .find(|severity| severity.to_string() == text)
    .ok_or_else(|| "expected info, notice, warning, error or critical".to_owned())
}

pub(crate) fn run(context: &Context, args: &DiagnoseArgs) -> Result<Outcome, CommandError> {
    let policy = inputs::policy(args.judging.policy.as_deref())?;
    let now = inputs::now(args.judging.now);
    let inventory = args.sources.inventory(context, now)?;
    let begun = std::time::Instant::now();
    let diagnosis = exseal_engine::diagnose(&inventory, &policy, now);
    let (findings, unknown) = (diagnosis.findings.len(), diagnosis.unknown.len());
    tracing::info!(findings, unknown, elapsed = ?begun.elapsed(), "Judge inventory");
    if args.json {
        print_json(&diagnosis)?;
    } else {
        print(context, &text(&diagnosis, &inventory, args.every, context))?;
    }
    let limit = args
        .fail_on
        .or_else(|| args.exit_code.then_some(Severity::Warning));
    let failed =
        limit.is_some_and(|limit| diagnosis.findings.iter().any(|finding| finding.severity >= limit));
    Ok(if failed { Outcome::Findings } else { Outcome::Done })
}
