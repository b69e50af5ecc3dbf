//! `cargo xtask bench lab`: start, memory and handshakes of a lab of many servers; `interop/lab_wire/bench.py` does the
//! measuring.

use clap::Args;

use crate::{Result, workspace};

/// Arguments of `cargo xtask bench lab`.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// How many mailbox servers
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    servers: u32,
    /// How many handshakes
    #[arg(long, default_value_t = 10_000)]
    handshakes: u32,
}

pub(super) fn run(args: &LabArgs) -> Result {
    workspace::run(workspace::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "exseal-lab",
        "--example",
        "lab-wire",
    ]))?;
    let mut measure = workspace::command("python3");
    measure
        .arg(workspace::root().join("interop/lab_wire/bench.py"))
        .arg(workspace::target().join("bench-lab"))
        .arg(workspace::target().join("release/examples/lab-wire"))
        .arg(args.servers.to_string())
        .arg(args.handshakes.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    workspace::run(&mut measure)
}
