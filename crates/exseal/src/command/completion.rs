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
    clap_mangen::Man::new(definition()).render(&mut out)?;
    for command in definition()
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let name = format!("exseal-{}", command.get_name());
        clap_mangen::Man::new(command.clone().name(name)).render(&mut out)?;
    }
    std::io::stdout().lock().write_all(&out)?;
    Ok(Outcome::Done)
}
