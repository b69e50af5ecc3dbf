//! The commands, one file each.

mod apply;
mod auth;
mod checks;
mod completion;
mod demo;
mod diagnose;
mod diff;
mod discover;
mod explain;
mod forecast;
mod inspect;
mod lab;
mod plan;
mod probe;
mod rehearse;
mod report;
pub(crate) mod rescue;
mod schema;
mod session;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::command_error::{CommandError, DONE, FINDINGS};
use crate::context::{Colour, Context};

/// The heading of options that every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Keep the certificates of an on-premises Exchange organisation right
///
/// exseal says which certificate is where, what is wrong, and what would be done about it. Only apply, rescue and
/// rollback change something, by a plan that was read before.
///
/// Exit codes: 0 done, 1 you can fix this, 2 command line or policy, 3 findings (with --exit-code), 70 a bug of exseal.
#[derive(Parser, Debug)]
#[command(
    name = "exseal",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Colour the output: auto (on a terminal, unless `NO_COLOR` is set), always or never
    #[arg(
        long,
        value_enum,
        default_value_t,
        global = true,
        value_name = "WHEN",
        hide_possible_values = true,
        help_heading = EVERYWHERE,
        display_order = 900
    )]
    color: Colour,

    /// Show times in UTC instead of your zone
    #[arg(long, global = true, help_heading = EVERYWHERE, display_order = 901)]
    utc: bool,

    /// Tell more about what exseal does (-v, -vv), on standard error
    #[arg(
        short,
        long,
        action = clap::ArgAction::Count,
        global = true,
        help_heading = EVERYWHERE,
        display_order = 902
    )]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Inspect(inspect::InspectArgs),
    Discover(discover::DiscoverArgs),
    Diagnose(diagnose::DiagnoseArgs),
    Plan(plan::PlanArgs),
    Rescue(rescue::RescueArgs),
    Rehearse(rehearse::RehearseArgs),
    Apply(apply::ApplyArgs),
    Rollback(apply::RollbackArgs),
    Verify(apply::VerifyArgs),
    Journal(apply::JournalArgs),
    Probe(probe::ProbeArgs),
    Session(session::SessionArgs),
    Auth(auth::AuthArgs),
    Forecast(forecast::ForecastArgs),
    Diff(diff::DiffArgs),
    Report(report::ReportArgs),
    Lab(lab::LabArgs),
    Demo(demo::DemoArgs),
    Explain(explain::ExplainArgs),
    Checks(checks::ChecksArgs),
    Completion(completion::CompletionArgs),
    Man(completion::ManArgs),
    Schema(schema::SchemaArgs),
}

impl Command {
    /// The span a command works in, named like it.
    fn verb(&self) -> tracing::Span {
        use tracing::info_span;
        match self {
            Self::Inspect(_) => info_span!("inspect"),
            Self::Discover(_) => info_span!("discover"),
            Self::Diagnose(_) => info_span!("diagnose"),
            Self::Plan(_) => info_span!("plan"),
            Self::Rescue(_) => info_span!("rescue"),
            Self::Rehearse(_) => info_span!("rehearse"),
            Self::Apply(_) => info_span!("apply"),
            Self::Rollback(_) => info_span!("rollback"),
            Self::Verify(_) => info_span!("verify"),
            Self::Journal(_) => info_span!("journal"),
            Self::Probe(_) => info_span!("probe"),
            Self::Session(_) => info_span!("session"),
            Self::Auth(_) => info_span!("auth_status"),
            Self::Forecast(_) => info_span!("forecast"),
            Self::Diff(_) => info_span!("diff"),
            Self::Report(_) => info_span!("report"),
            Self::Lab(_) => info_span!("lab"),
            Self::Demo(_) => info_span!("demo"),
            Self::Explain(_) => info_span!("explain"),
            Self::Checks(_) => info_span!("checks"),
            Self::Completion(_) => info_span!("completion"),
            Self::Man(_) => info_span!("man"),
            Self::Schema(_) => info_span!("schema"),
        }
    }
}

/// What a command that did its work says about the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing that was asked for.
    Done,
    /// Findings, where the exit code was asked to tell.
    Findings,
    /// What a monitoring plug-in ends with.
    Plugin(u8),
}

/// Runs a command to its exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let context = Context::of_process(cli.color, cli.utc);
    if cli.verbose > 0 || std::env::var_os("EXSEAL_LOG").is_some() {
        trace(cli.verbose, context.colour_stderr);
    }
    let _verb = cli.command.verb().entered();
    let outcome = match &cli.command {
        Command::Inspect(args) => inspect::run(&context, args),
        Command::Discover(args) => discover::run(&context, args),
        Command::Diagnose(args) => diagnose::run(&context, args),
        Command::Plan(args) => plan::run(&context, args),
        Command::Rescue(args) => rescue::run(&context, args),
        Command::Rehearse(args) => rehearse::run(&context, args),
        Command::Apply(args) => apply::apply(&context, args),
        Command::Rollback(args) => apply::rollback(&context, args),
        Command::Verify(args) => apply::verify(&context, args),
        Command::Journal(args) => apply::journal(&context, args),
        Command::Probe(args) => probe::run(&context, args),
        Command::Session(args) => session::run(&context, args),
        Command::Auth(args) => auth::run(&context, args),
        Command::Forecast(args) => forecast::run(&context, args),
        Command::Diff(args) => diff::run(&context, args),
        Command::Report(args) => report::run(&context, args),
        Command::Lab(args) => lab::run(&context, args),
        Command::Demo(args) => demo::run(&context, args),
        Command::Explain(args) => explain::run(&context, args),
        Command::Checks(args) => checks::run(&context, args),
        Command::Completion(args) => completion::run(args),
        Command::Man(args) => completion::man(args),
        Command::Schema(args) => schema::run(&context, args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::from(DONE),
        Ok(Outcome::Findings) => ExitCode::from(FINDINGS),
        Ok(Outcome::Plugin(code)) => ExitCode::from(code),
        Err(error) => {
            error.report(&context);
            ExitCode::from(error.code())
        }
    }
}

fn trace(verbose: u8, colour: bool) {
    let default = match verbose {
        0 | 1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("EXSEAL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .try_init();
}

/// The command line's definition, for completion, man page and reference.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Writes text to standard output.
pub(crate) fn print(context: &Context, text: &str) -> Result<(), CommandError> {
    let choice = if context.colour {
        anstream::ColorChoice::Always
    } else {
        anstream::ColorChoice::Never
    };
    let mut out = anstream::AutoStream::new(std::io::stdout().lock(), choice);
    out.write_all(crate::view::paint::harmless(text).as_bytes())?;
    out.flush()?;
    Ok(())
}

/// A value as JSON, as [`print_json`] prints it.
pub(crate) fn json_text(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let mut text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
    text.push('\n');
    Ok(text)
}

/// Writes a file, whole beside its place and moved there: a full disk leaves the old one as it was.
///
/// `-` is standard output. Windows PowerShell's `>` would make UTF-16 of it, so commands offer to write files themselves.
pub(crate) fn write(context: &Context, path: &Path, content: &[u8]) -> Result<(), CommandError> {
    write_by(context, path, |out| out.write_all(content))
}

/// As `write`, for a value as JSON in one line: its text is never in memory as a whole.
pub(crate) fn write_json(
    context: &Context,
    path: &Path,
    value: &impl serde::Serialize,
) -> Result<(), CommandError> {
    write_by(context, path, |out| {
        serde_json::to_writer(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

fn write_by(
    context: &Context,
    path: &Path,
    content: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<(), CommandError> {
    if path.as_os_str() == "-" {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        content(&mut out)?;
        out.flush()?;
        return Ok(());
    }
    let cannot =
        |error: std::io::Error| CommandError::fixable(format!("cannot write {}: {error}", path.display()));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let beside = path.with_file_name(name);
    let written = std::fs::File::create(&beside).and_then(|file| {
        let mut out = std::io::BufWriter::new(file);
        content(&mut out)?;
        out.flush()
    });
    written
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            cannot(error)
        })?;
    context.say(&format!("written to {}", path.display()));
    Ok(())
}

/// Writes a value as JSON to standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
