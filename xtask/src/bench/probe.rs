//! `cargo xtask bench probe`: 1,000 endpoints on loopback by `exseal probe`, sslyze, blackbox_exporter, and a sample by
//! `openssl s_client` in a loop; `interop/wire/bench.py` does the measuring. One nginx presents a chain of three to all.

use clap::Args;

use crate::{Result, setup, workspace};

/// Arguments of `cargo xtask bench probe`.
#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// How many endpoints
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    endpoints: u32,
}

/// The peer that administrators look at certificates with.
const SSLYZE: setup::PythonPackage = setup::PythonPackage {
    name: "sslyze",
    version: "6.3.1",
};

pub(super) fn run(args: &ProbeArgs) -> Result {
    workspace::run(workspace::cargo().args(["build", "--quiet", "--release", "--package", "exseal"]))?;
    setup::program("nginx", &["-v"], "nginx-light")?;
    setup::program(
        "prometheus-blackbox-exporter",
        &["--version"],
        "prometheus-blackbox-exporter",
    )?;
    setup::program("curl", &["--version"], "curl")?;
    let programs = setup::python(&[SSLYZE])?;
    let mut measure = workspace::command("unshare");
    measure
        .args([
            "--net",
            "sh",
            "-c",
            "ip link set lo up && exec python3 \"$@\"",
            "sh",
        ])
        .arg(workspace::root().join("interop/wire/bench.py"))
        .arg(workspace::target().join("bench-probe"))
        .arg(workspace::target().join("release/exseal"))
        .arg(programs.join("sslyze"))
        .arg(args.endpoints.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    workspace::run(&mut measure)
}
