//! What the project does to itself: checks, benches, samples. One file per command.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose output is its purpose"
)]

mod auth_decisions;
mod bench;
mod ci;
mod collector;
mod coverage;
mod directory;
mod discover;
mod edges;
mod facts;
mod fuzz;
mod helper;
mod kerberos;
mod lab_directory;
mod lab_live;
mod lab_remoting;
mod lab_stories;
mod lab_wire;
mod map;
mod page;
mod powershell;
mod probe_peers;
mod readme;
mod replay;
mod sample;
mod scenarios;
mod schema;
mod setup;
mod sweep;
mod truth;
mod windows;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the project does to itself: checks, benches, samples.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// One variant per file of this folder; the arguments live in that file.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check there is, as CI does
    Ci(ci::CiArgs),
    /// Hold the program to the facts that are known about the recorded exports
    Facts(facts::FactsArgs),
    /// Compare the baseline policy with the recorded answers of Microsoft's script
    AuthDecisions(auth_decisions::AuthDecisionsArgs),
    /// Play recordings of real PowerShell into both halves of the protocol
    Replay(replay::ReplayArgs),
    /// Fuzz the readers on the stable toolchain
    Fuzz(fuzz::FuzzArgs),
    /// Write docs/coverage.md: which check shows which situation
    Coverage(coverage::CoverageArgs),
    /// Write collect/exseal-collect.ps1 from the helper module
    Collector(collector::CollectorArgs),
    /// Check that the helper's changing half and its contract say the same
    Helper(helper::HelperArgs),
    /// Check the PowerShell scripts by their syntax trees
    Powershell(powershell::PowershellArgs),
    /// Run a benchmark beside its peers
    Bench(bench::BenchArgs),
    /// Check that README.md shows what the program prints
    Readme(readme::ReadmeArgs),
    /// Write the sample organisation in examples/ anew
    Sample(sample::SampleArgs),
    /// Show a story of scenarios/ in the lab, command by command
    Play(scenarios::PlayArgs),
    /// Kill and break runs of the stories at every point there is (40 minutes on two cores)
    Sweep(sweep::SweepArgs),
    /// Look at the report in headless Chromium, judged by axe-core
    Page(page::PageArgs),
    /// Write the JSON schemas in docs/schema anew
    Schema(schema::SchemaArgs),
    /// Check that crates depend on each other only as drawn
    Edges(edges::EdgesArgs),
    /// Check that every crate is on the map of ARCHITECTURE.md
    Map(map::MapArgs),
    /// Type-check what is for Windows there
    Windows(windows::WindowsArgs),
}

/// What a command answers: `Err` is printed and ends with exit code 1.
type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why a command failed, in words for the person at the terminal.
#[derive(Debug)]
struct Failure(String);

impl Failure {
    fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            words.push_str(": ");
            words.push_str(&cause.to_string());
            source = cause.source();
        }
        Self(words)
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Ci(args) => ci::run(&args),
        Command::Facts(args) => facts::run(&args),
        Command::AuthDecisions(args) => auth_decisions::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Collector(args) => collector::run(&args),
        Command::Helper(args) => helper::run(&args),
        Command::Powershell(args) => powershell::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Readme(args) => readme::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Play(args) => scenarios::play(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Page(args) => page::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Edges(args) => edges::run(&args),
        Command::Map(args) => map::run(&args),
        Command::Windows(args) => windows::run(&args),
    };

    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(words)) => {
            eprintln!("error: {words}");
            ExitCode::FAILURE
        }
    }
}
