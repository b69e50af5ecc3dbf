//! `cargo xtask bench wire`: sessions with twenty servers, and a large answer, by exseal and by pypsrp in one run;
//! `interop/wire_bench.py` does the measuring.

use clap::Args;
use serde::Deserialize;

use crate::{Failure, Result, setup, workspace};

/// Arguments of `cargo xtask bench wire`.
#[derive(Debug, Args)]
pub(crate) struct WireArgs {
    /// How often each client is measured; the least counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
}

/// Goals: milliseconds of CPU a server, and times less than pypsrp.
const GOAL: f64 = 2.0;
const GOAL_TIMES: f64 = 10.0;

#[derive(Debug, Deserialize)]
struct Measured {
    milliseconds: f64,
    times: f64,
}

pub(super) fn run(args: &WireArgs) -> Result {
    workspace::run(workspace::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "exseal-exchange",
        "--example",
        "wire-bench",
    ]))?;
    let python = setup::python(&[setup::PSRPCORE, setup::PYPSRP])?.join("python");
    let mut measure = workspace::command(&python);
    measure
        .arg(workspace::root().join("interop/wire_bench.py"))
        .arg(workspace::target().join("release/examples/wire-bench"))
        .arg(&python)
        .arg(args.rounds.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut measure)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (table, last) = text.trim_end().rsplit_once('\n').unwrap_or_default();
    let measured: Measured = serde_json::from_str(last)
        .map_err(|error| Failure::new(format!("wire_bench.py printed no measurement: {error}")))?;
    println!("{table}");
    let met = |reached: bool| if reached { "reached" } else { "MISSED" };
    println!(
        "goal {GOAL} ms a server: {}; goal a {GOAL_TIMES}th of pypsrp: {}",
        met(measured.milliseconds <= GOAL),
        met(measured.times >= GOAL_TIMES)
    );
    Ok(())
}
