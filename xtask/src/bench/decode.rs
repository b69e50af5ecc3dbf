//! `cargo xtask bench decode`: the recorded corpus decoded by exseal-psrp and by its peers, one after
//! the other on one core, in one run.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Deserialize;

use crate::{Failure, Result, facts, setup, workspace};

/// Arguments of `cargo xtask bench decode`.
#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// The folder of CLIXML files [default: ../shared/fixtures]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Leave psrp-rs out, which takes minutes to build
    #[arg(long)]
    without_psrp_rs: bool,
}

/// What each program prints about its own run.
#[derive(Debug, Deserialize)]
struct Run {
    files: usize,
    bytes: f64,
    passes: f64,
    seconds: f64,
}

impl Run {
    fn megabytes_per_second(&self) -> f64 {
        self.bytes * self.passes / 1e6 / self.seconds
    }
}

/// Goals: megabytes a second, and times psrpcore.
const GOAL: f64 = 200.0;
const GOAL_TIMES: f64 = 50.0;

pub(super) fn run(args: &DecodeArgs) -> Result {
    let fixtures = workspace::required_fixtures(args.fixtures.as_deref())?;
    let corpus = facts::clixml_files(&fixtures)?;

    let ours = ours(&fixtures)?;
    let programs = setup::python(&[setup::PSRPCORE, setup::PYPSRP])?;
    let python = |peer: &str| {
        let mut bench = workspace::command(programs.join("python"));
        measured(bench.arg("interop/decode_bench.py").arg(peer).args(&corpus))
    };
    let mut runs = vec![
        ("exseal-psrp", ours),
        ("psrpcore 0.3.1", python("psrpcore")?),
        ("pypsrp 0.9.1", python("pypsrp")?),
    ];
    if !args.without_psrp_rs {
        runs.push(("psrp-rs 1.0.0, lossy", psrp_rs(&corpus)?));
    }

    println!(
        "{:<22} {:>6} {:>8} {:>10} {:>12}",
        "", "files", "MB", "MB/s", "exseal is"
    );
    let own = runs.first().map_or(0.0, |(_, run)| run.megabytes_per_second());
    for (name, run) in &runs {
        let speed = run.megabytes_per_second();
        let (files, size) = (run.files, run.bytes / 1e6);
        println!(
            "{name:<22} {files:>6} {size:>8.1} {speed:>10.1} {:>10.1} ×",
            own / speed
        );
    }
    let times = runs
        .get(1)
        .map_or(0.0, |(_, peer)| own / peer.megabytes_per_second());
    let met = |reached: bool| if reached { "reached" } else { "MISSED" };
    println!(
        "goal {GOAL} MB/s: {}; goal {GOAL_TIMES} × psrpcore: {}",
        met(own >= GOAL),
        met(times >= GOAL_TIMES)
    );
    Ok(())
}

/// Our own decoder, which decodes the folder again and again for some seconds.
fn ours(fixtures: &Path) -> Result<Run> {
    let mut bench = workspace::cargo();
    bench.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "exseal-psrp",
        "--example",
        "decode-corpus",
        "--",
    ]);
    measured(bench.arg(fixtures))
}

fn psrp_rs(corpus: &[PathBuf]) -> Result<Run> {
    let mut bench = workspace::cargo();
    bench.args([
        "run",
        "--quiet",
        "--release",
        "--manifest-path",
        "benches/psrp-rs/Cargo.toml",
        "--",
    ]);
    measured(bench.args(corpus))
}

/// Runs a program and reads its last line.
fn measured(command: &mut Command) -> Result<Run> {
    let output = workspace::capture(command)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|error| {
        Failure::new(format!(
            "{} printed no measurement: {error}",
            command.get_program().to_string_lossy()
        ))
    })
}
