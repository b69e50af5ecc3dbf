//! `cargo xtask bench discover`: a look at two hundred servers of the lab by exseal, and by pypsrp running the same cmdlets;
//! `interop/lab_live/bench.py` does the measuring.

use clap::Args;
use serde::Deserialize;

use crate::{Failure, Result, setup, workspace};

/// Arguments of `cargo xtask bench discover`.
#[derive(Debug, Args)]
pub(crate) struct DiscoverArgs {
    /// How many servers
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=250))]
    servers: u32,
    /// How many of them pypsrp visits, which takes its time; the ratio is that of a server
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=250))]
    peers: u32,
}

/// Goals: times pypsrp, and MiB at most.
const GOAL_TIMES: f64 = 10.0;
const GOAL_PEAK: f64 = 64.0;

#[derive(Debug, Deserialize)]
struct Measured {
    times: f64,
    times_of_cpu: f64,
    peak: f64,
}

pub(super) fn run(args: &DiscoverArgs) -> Result {
    workspace::run(workspace::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "exseal-exchange",
        "--example",
        "live-questions",
    ]))?;
    let folder = workspace::target().join("bench-discover");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let python = setup::python(&[setup::PSRPCORE, setup::PYPSRP])?.join("python");
    let mut measure = workspace::command(python);
    measure
        .arg(workspace::root().join("interop/lab_live/bench.py"))
        .arg(setup::exseal()?)
        .arg(workspace::target().join("release/examples/live-questions"))
        .arg(&folder)
        .arg(args.servers.to_string())
        .arg(args.peers.min(args.servers).to_string())
        .env("EXSEAL_LABS", folder.join("labs"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut measure)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (table, last) = text.trim_end().rsplit_once('\n').unwrap_or_default();
    let measured: Measured = serde_json::from_str(last)
        .map_err(|error| Failure::new(format!("bench.py printed no measurement: {error}")))?;
    println!("{table}");
    let met = |reached: bool| if reached { "reached" } else { "MISSED" };
    println!(
        "{:.1} times pypsrp (goal {GOAL_TIMES}): {}; {:.1} times by CPU; {:.1} MiB at most (goal {GOAL_PEAK}): {}",
        measured.times,
        met(measured.times >= GOAL_TIMES),
        measured.times_of_cpu,
        measured.peak,
        met(measured.peak <= GOAL_PEAK)
    );
    Ok(())
}
