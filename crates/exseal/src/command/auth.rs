//! `exseal auth`: the OAuth certificate.

use clap::{Args, Subcommand};

use super::diagnose::Judging;
use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, Sources};
use crate::view::auth::text;

/// Look after the Auth certificate
#[derive(Args, Debug)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    command: AuthCommand,
}

#[derive(Subcommand, Debug)]
enum AuthCommand {
    Status(StatusArgs),
}

/// Say how the Auth certificate is and what is to be done
///
/// With --policy baseline the answer is the one of Microsoft's MonitorExchangeAuthCertificate.ps1; docs/auth-decisions.md
/// says where the default policy is safer.
#[derive(Args, Debug)]
struct StatusArgs {
    #[command(flatten)]
    sources: Sources,

    #[command(flatten)]
    judging: Judging,

    /// Print JSON (docs/schema/auth-status.json)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &AuthArgs) -> Result<Outcome, CommandError> {
    let AuthCommand::Status(args) = &args.command;
    let policy = inputs::policy(args.judging.policy.as_deref())?;
    let inventory = args.sources.inventory(context)?;
    let status = exseal_engine::auth::status(&inventory, &policy, inputs::now(args.judging.now));
    if args.json {
        print_json(&status)?;
    } else {
        print(context, &text(&status, context))?;
    }
    Ok(Outcome::Done)
}
