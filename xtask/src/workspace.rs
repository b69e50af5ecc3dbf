//! Where things are, and running other programs there.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::{Failure, Result};

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The folder into which cargo builds, which may lie outside of the workspace.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The recorded exports: `EXSEAL_FIXTURES`, else `../shared/fixtures` beside the checkout.
///
/// Returns `None` where the folder does not exist.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let folder =
        env::var_os("EXSEAL_FIXTURES").map_or_else(|| root().join("../shared/fixtures"), PathBuf::from);
    fs::canonicalize(folder).ok()
}

/// Whether this is a CI run, where a check that cannot be made is a failure.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// The recorded exports, or the words that say why there are none.
///
/// # Errors
///
/// Always an error where the folder is missing; who may go on without it decides that before.
pub(crate) fn required_fixtures(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(folder) => fs::canonicalize(folder).map_err(|error| {
            Failure::new(format!(
                "expected a folder of recorded exports at {}: {error}",
                folder.display()
            ))
        }),
        None => fixtures().ok_or_else(missing_fixtures),
    }
}

/// The words for recorded exports that are not there.
pub(crate) fn missing_fixtures() -> Failure {
    Failure::new(
        "expected the recorded exports in ../shared/fixtures or in the folder that EXSEAL_FIXTURES names; \
         found neither",
    )
}

/// A command that runs in the workspace's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that started this program.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` with its output on the terminal.
///
/// # Errors
///
/// It could not be started, or ended with another status than success.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::new(format!("cannot start {}: {error}", words(command))))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("{} ended with {status}", words(command))))
    }
}

/// Runs `command` and keeps what it prints.
///
/// # Errors
///
/// It could not be started, or ended with another status than success; its stderr is in the error, or what else it printed.
pub(crate) fn capture(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("cannot start {}: {error}", words(command))))?;
    if output.status.success() {
        Ok(output)
    } else {
        // Judges print what is wrong where they print what is right.
        let said = [&output.stderr, &output.stdout].map(|said| String::from_utf8_lossy(said));
        let said = said.iter().map(|said| said.trim()).find(|said| !said.is_empty());
        Err(Failure::new(format!(
            "{} ended with {}\n{}",
            words(command),
            output.status,
            said.unwrap_or_default()
        )))
    }
}

/// Whether `program` answers to `arguments` with success.
pub(crate) fn answers(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    command(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The program and its arguments as a person would type them, for messages.
pub(crate) fn words(command: &Command) -> String {
    let mut words = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        words.push(' ');
        words.push_str(&argument.to_string_lossy());
    }
    words
}
