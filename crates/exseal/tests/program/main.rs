//! The real binary, as a person or a script runs it, over the sample organisation.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "these are tests, their shared functions too; what is not checked is said"
)]

mod backup;
mod conduct;
mod conform;
mod lab;
mod manners;
mod outputs;
mod plan;
mod probe;
mod recorded;
mod reference;
mod report;
mod rescue;
mod session;

use std::path::PathBuf;
use std::process::{Command, Output};

/// The sample's day.
const NOW: &str = "2026-11-24T09:00:00Z";

/// The root of the workspace; commands run there, so that paths in their output are the same everywhere.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The program, with surroundings that do not differ from machine to machine.
fn exseal(columns: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exseal"));
    command
        .current_dir(root())
        .env_remove("NO_COLOR")
        .env_remove("EXSEAL_LOG")
        .env("TZ", "UTC")
        .env("COLUMNS", columns.to_string());
    command
}

/// Runs the program at 100 columns.
fn run(arguments: &[&str]) -> Output {
    exseal(100).args(arguments).output().expect("the program starts")
}

/// Standard output of a run that has to succeed.
fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// The JSON a command prints.
fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&stdout(arguments)).expect("JSON")
}
