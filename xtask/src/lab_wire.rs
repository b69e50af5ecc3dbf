//! The lab's sockets judged by openssl, curl (with a key distribution centre of MIT's) and Python's clients; `interop/lab_wire/judge.py` does the judging.

use crate::{Result, kerberos, setup, workspace};

/// Starts a lab and compares every port with the documented rule.
///
/// # Errors
///
/// What differs, or that a client cannot be installed.
pub(crate) fn check() -> Result<String> {
    let missing: Vec<&str> = [("openssl", "version"), ("curl", "--version")]
        .into_iter()
        .filter(|(program, argument)| !workspace::answers(program, &[argument]))
        .map(|(program, _)| program)
        .collect();
    if !missing.is_empty() {
        setup::debian(&missing)?;
    }
    kerberos::install()?;
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--quiet",
        "--package",
        "exseal-lab",
        "--example",
        "lab-wire",
    ]);
    workspace::run(&mut build)?;
    let folder = workspace::target().join("lab-wire");
    let program = workspace::target()
        .join("debug/examples")
        .join(format!("lab-wire{}", std::env::consts::EXE_SUFFIX));
    let mut command = workspace::command("python3");
    command
        .arg(workspace::root().join("interop/lab_wire/judge.py"))
        .arg(&folder)
        .arg(&program)
        .arg(workspace::root().join("interop/kdc/kdc.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut command)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
