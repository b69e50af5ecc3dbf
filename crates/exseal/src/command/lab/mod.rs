//! `exseal lab`: a simulated Exchange organisation to try things on.

mod act;
mod list;
mod run;

use clap::{Args, Subcommand};
use exseal_lab::control::ControlError;
use exseal_lab::net::StartError;

use super::Outcome;
use crate::command_error::CommandError;
use crate::context::Context;

/// Run a simulated Exchange organisation on this machine, to try things on
///
/// It listens on loopback addresses only, with real TLS, SMTP, POP, IMAP and web front ends. Nothing of it is Exchange.
/// docs/lab.md has the organisation file, the faults and what is assumed.
#[derive(Args, Debug)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Subcommand, Debug)]
enum LabCommand {
    Run(Box<run::RunArgs>),
    List(list::ListArgs),
    Do(act::DoArgs),
}

pub(crate) fn run(context: &Context, args: &LabArgs) -> Result<Outcome, CommandError> {
    match &args.command {
        LabCommand::Run(args) => run::run(context, args),
        LabCommand::List(args) => list::run(context, args),
        LabCommand::Do(args) => act::run(context, args),
    }
}

fn of_control(error: &ControlError) -> CommandError {
    let what = error.to_string();
    match error {
        ControlError::Refused(_) => CommandError::usage(what),
        ControlError::Silent { .. } | ControlError::Reply { .. } => {
            CommandError::fixable(what).hint("exseal lab list shows the labs that run")
        }
        ControlError::NoFolder | ControlError::Folder { .. } => {
            CommandError::fixable(what).hint("EXSEAL_LABS names another folder for the list of running labs")
        }
        ControlError::Socket(_) => CommandError::fixable(what),
    }
}

fn of_start(error: &StartError) -> CommandError {
    let what = error.to_string();
    match error {
        StartError::BeyondLoopback { .. } => CommandError::usage(what)
            .hint("the words go into --say; a lab has no secrets, but it takes mail and passwords"),
        StartError::ExchangeInstalled | StartError::TooFewAddresses { .. } => {
            CommandError::usage(what).hint("--ports mapped")
        }
        StartError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
            CommandError::fixable(what)
                .hint("another program listens there; --ports mapped takes ports that are free")
        }
        StartError::Listen { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            CommandError::fixable(what).hint("ports below 1024 need rights; --ports mapped takes others")
        }
        StartError::Listen { .. } => CommandError::fixable(what),
    }
}
