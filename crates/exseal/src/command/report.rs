//! `exseal report`: everything on one page.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;

use super::diagnose::Judging;
use super::{Outcome, json_text, write};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, Sources};
use crate::view::report::{Report, csv, html, markdown};

/// Put everything on one page: matrix, findings, what stops when, every certificate and where it was seen
///
/// The HTML page stands by itself: it loads nothing, runs nothing, prints, and follows the reader's choice of light or dark.
/// The CSV has a row a slot.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    sources: Sources,

    #[command(flatten)]
    judging: Judging,

    /// html, md, csv, or json (docs/schema/report.json)
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    format: Format,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Html,
    Md,
    Csv,
    Json,
}

pub(crate) fn run(context: &Context, args: &ReportArgs) -> Result<Outcome, CommandError> {
    let policy = inputs::policy(args.judging.policy.as_deref())?;
    let inventory = args.sources.inventory(context)?;
    let zone = match args.format {
        Format::Json => TimeZone::UTC,
        Format::Html | Format::Md | Format::Csv => context.zone.clone(),
    };
    let name = args.judging.policy.as_deref().unwrap_or("default");
    let report = Report::of(inventory, &policy, name, inputs::now(args.judging.now), &zone);
    let content = match args.format {
        Format::Html => html(&report, context),
        Format::Md => markdown(&report, context),
        Format::Csv => csv(&report),
        Format::Json => json_text(&report)?,
    };
    let path = args.output.as_deref().unwrap_or_else(|| Path::new("-"));
    write(context, path, content.as_bytes())?;
    Ok(Outcome::Done)
}
