//! `exseal completion` and `exseal man`, made from the command line's definition.

use std::io::Write as _;

use clap::Args;
use clap_complete::Shell;

use super::{Outcome, definition};
use crate::command_error::CommandError;

/// Print the completion script of a shell
#[derive(Args, Debug)]
pub(crate) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

/// Print the manual page
#[derive(Args, Debug)]
pub(crate) struct ManArgs {}

pub(crate) fn run(args: &CompletionArgs) -> Result<Outcome, CommandError> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "exseal", &mut out);
    std::io::stdout().lock().write_all(&out)?;
    Ok(Outcome::Done)
}

pub(crate) fn man(_: &ManArgs) -> Result<Outcome, CommandError> {
    let mut out = Vec::new();
    pages(definition(), &mut out)?;
    std::io::stdout().lock().write_all(&out)?;
    Ok(Outcome::Done)
}

/// The page of a command, and behind it those of the commands below it.
fn pages(command: clap::Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    let name = command.get_name().to_owned();
    let below: Vec<clap::Command> = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .map(|below| below.clone().name(format!("{name}-{}", below.get_name())))
        .collect();
    clap_mangen::Man::new(command).render(out)?;
    below.into_iter().try_for_each(|below| pages(below, out))
}
