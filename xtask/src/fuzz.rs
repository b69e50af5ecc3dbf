//! `cargo xtask fuzz`: each target of `fuzz/` for some seconds, on the stable toolchain.
//!
//! libFuzzer needs coverage counters and nothing else of nightly: they are asked of LLVM directly. The
//! counters go into what runs on the target only (`--target`), not into build scripts.

use std::fs;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Args;
use serde::Deserialize;

use crate::{Failure, Result, setup, workspace};

/// Arguments of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// Only these targets
    targets: Vec<String>,
    /// How long to run each
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Fuzz another workspace than fuzz/
    #[arg(long, value_name = "DIR", hide = true)]
    workspace: Option<PathBuf>,
}

const COVERAGE: &[&str] = &[
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Nothing of ours may need more than this for an input of [`INPUT_BYTES`].
const MEMORY_MIB: u32 = 1024;
const INPUT_BYTES: u32 = 65_536;
/// One input may take this long.
const TIMEOUT_SECONDS: u32 = 10;

pub(crate) fn run(args: &FuzzArgs) -> Result {
    let folder = args
        .workspace
        .clone()
        .unwrap_or_else(|| workspace::root().join("fuzz"));
    println!("{}", check(&folder, &args.targets, args.seconds)?);
    Ok(())
}

/// Builds and runs the targets of `folder` (all where none is named); returns what was run, in words.
///
/// # Errors
///
/// Names each target that crashed, with the input that did it and the last words it printed.
pub(crate) fn check(folder: &Path, wanted: &[String], seconds: u32) -> Result<String> {
    let targets = targets(folder)?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        return Err(Failure::new(format!(
            "expected one of {}, found {unknown}",
            targets.join(", ")
        )));
    }
    let programs = build(folder)?;

    let chosen: Vec<&String> = targets
        .iter()
        .filter(|name| wanted.is_empty() || wanted.contains(name))
        .collect();
    let mut total = 0;
    let mut crashed = Vec::new();
    for (name, outcome) in chosen.iter().zip(fuzz_all(folder, &programs, &chosen, seconds)) {
        let (executions, crash) = outcome?;
        total += executions;
        println!(
            "{name:<24} {executions:>10} executions{}",
            if crash.is_some() { ", CRASHED" } else { "" }
        );
        crashed.extend(crash);
    }
    let ran = chosen.len();
    if crashed.is_empty() {
        Ok(format!(
            "{ran} targets, {total} executions in {seconds} s each, no crash"
        ))
    } else {
        Err(Failure::new(crashed.join("\n")))
    }
}

/// The names of the targets, in the order of `fuzz/Cargo.toml`.
fn targets(folder: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }

    let mut command = workspace::cargo();
    command.args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--manifest-path",
    ]);
    command.arg(folder.join("Cargo.toml"));
    let metadata: Metadata = serde_json::from_slice(&workspace::capture(&mut command)?.stdout)?;
    let programs = metadata
        .packages
        .into_iter()
        .flat_map(|package| package.targets)
        .filter(|target| target.kind.iter().any(|kind| kind == "bin"));
    Ok(programs.map(|target| target.name).collect())
}

/// Builds all targets with coverage; returns the folder that holds them.
fn build(folder: &Path) -> Result<PathBuf> {
    setup::program("c++", &["--version"], "g++")?; // libFuzzer itself is C++
    let version = workspace::capture(workspace::command("rustc").arg("-vV"))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or_else(|| Failure::new("expected a line `host: …` from rustc -vV, found none"))?;

    let target = folder.join("target");
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--quiet",
        "--release",
        "--bins",
        "--target",
        host,
        "--manifest-path",
    ]);
    build
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    build.env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    // Fast code that still traps overflow and checks what it assumes.
    build.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2");
    build.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    build.env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    workspace::run(&mut build)?;
    Ok(target.join(host).join("release"))
}

/// What running one target gave: its executions, and the words about its crash.
type Ran = Result<(u64, Option<String>)>;

/// Runs the targets, as many at once as there are processors; what each gave, in their order.
fn fuzz_all(folder: &Path, programs: &Path, targets: &[&String], seconds: u32) -> Vec<Ran> {
    let lanes = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut ran = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(name) = targets.get(place) else {
                return ran;
            };
            ran.push((place, fuzz(folder, &programs.join(name), name, seconds)));
        }
    };
    let mut ran: Vec<(usize, Ran)> = thread::scope(|scope| {
        let running: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        running
            .into_iter()
            .flat_map(|lane| lane.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    ran.sort_by_key(|(place, _)| *place);
    ran.into_iter().map(|(_, ran)| ran).collect()
}

/// Runs one target.
fn fuzz(folder: &Path, program: &Path, name: &str, seconds: u32) -> Ran {
    let corpus = folder.join("corpus").join(name);
    let seeds = folder.join("seeds").join(name);
    let artifacts = folder.join("artifacts").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;

    let mut command = workspace::command(program);
    command.arg(&corpus); // the first folder is written to, the others are read
    command.args(seeds.is_dir().then_some(&seeds));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={INPUT_BYTES}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-malloc_limit_mb={MEMORY_MIB}"),
        format!("-timeout={TIMEOUT_SECONDS}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    command.env("RUST_BACKTRACE", "0"); // the panic says where; the input says the rest
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let executions = executions(&said);
    if output.status.success() {
        return match executions {
            0 => Err(Failure::new(format!(
                "{name} ran no input at all\n{}",
                last_lines(&said)
            ))),
            some => Ok((some, None)),
        };
    }
    Ok((
        executions,
        Some(format!(
            "{name} ended with {}\n{}",
            output.status,
            last_lines(&said)
        )),
    ))
}

/// The number of inputs that were run, as libFuzzer counts them at its end.
fn executions(said: &str) -> u64 {
    let count = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or_default()
}

/// The end of what was said, without the statistics.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("stat::")).collect();
    let from = lines.len().saturating_sub(25);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_statistics() {
        assert_eq!(
            executions("INFO: …\nstat::number_of_executed_units: 4711\nstat::peak_rss_mb: 40\n"),
            4711
        );
        assert_eq!(executions("killed"), 0);
    }
}
