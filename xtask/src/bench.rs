//! `cargo xtask bench NAME`: one file per benchmark, each beside its peers in one run.
//!
//! A benchmark says nothing in a debug build, so this starts itself again in release.

mod decode;
mod discover;
mod judge;
mod lab;
mod probe;
mod wire;

use clap::{Args, Subcommand};

use crate::{Result, workspace};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    name: Bench,
}

/// One variant per benchmark; each has its file in `bench/`.
#[derive(Debug, Subcommand)]
enum Bench {
    /// Decode the recorded CLIXML beside psrpcore, pypsrp and psrp-rs
    Decode(decode::DecodeArgs),
    /// Look at 200 servers of the lab beside pypsrp, which runs the same cmdlets
    Discover(discover::DiscoverArgs),
    /// Judge inventories of up to 1,000 servers and plan on them, part by part
    #[command(alias = "plan")]
    Judge(judge::JudgeArgs),
    /// Start a lab of 200 servers and shake hands ten thousand times
    Lab(lab::LabArgs),
    /// Look at 1,000 endpoints beside sslyze, blackbox_exporter and openssl
    Probe(probe::ProbeArgs),
    /// Open sessions with 20 servers beside pypsrp, sealed, and take large answers
    Wire(wire::WireArgs),
}

pub(crate) fn run(args: &BenchArgs) -> Result {
    if cfg!(debug_assertions) {
        return in_release();
    }

    match &args.name {
        Bench::Decode(args) => decode::run(args),
        Bench::Discover(args) => discover::run(args),
        Bench::Judge(args) => judge::run(args),
        Bench::Lab(args) => lab::run(args),
        Bench::Probe(args) => probe::run(args),
        Bench::Wire(args) => wire::run(args),
    }
}

/// Runs this same command line in a release build.
fn in_release() -> Result {
    let mut again = workspace::cargo();
    again.args(["run", "--quiet", "--release", "--package", "xtask", "--"]);
    again.args(std::env::args_os().skip(1));
    workspace::run(&mut again)
}
