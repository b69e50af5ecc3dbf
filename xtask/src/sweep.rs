//! The crash sweep over whole stories: every line, every request, every fault; `interop/scenarios/judge.py` does the judging.

use std::num::NonZeroUsize;

use clap::Args;

use crate::{Result, setup, workspace};

/// Arguments of `cargo xtask sweep`.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Stories of `scenarios/`, by the names of their files; none: all of them
    stories: Vec<String>,

    /// So many labs at once; a run waits more than it computes
    #[arg(long, default_value = "6")]
    jobs: NonZeroUsize,
}

/// Kills the program before and after each line of its journal and each request, and lets each command meet each fault; from
/// there the run goes on, and is taken back. What was tried is printed as it goes.
///
/// # Errors
///
/// What differs; or openssl or strace cannot be installed.
pub(crate) fn run(args: &SweepArgs) -> Result {
    setup::program("openssl", &["version"], "openssl")?;
    setup::program("strace", &["-V"], "strace")?;
    // Thousands of runs: what the build takes longer comes back many times.
    let program = setup::exseal_as(true)?;
    let folder = workspace::target().join("sweep");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let root = workspace::root();
    let mut judge = workspace::command("python3");
    judge
        .arg(root.join("interop/scenarios/judge.py"))
        .arg(program)
        .arg(root.join("scenarios"))
        .arg(&folder)
        .args(["--only-sweep", "--sweep", "all", "--jobs"])
        .arg(args.jobs.to_string())
        .args(&args.stories)
        .env("EXSEAL_LABS", folder.join("labs"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    workspace::run(&mut judge)
}
