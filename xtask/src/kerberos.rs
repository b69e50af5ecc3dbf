//! Our client's Kerberos against others': MIT's key distribution centre (`interop/kdc/kdc.py`) and acceptor (pyspnego's,
//! `interop/psrpcore_server.py`). The tests are `remoting::kerberos` of exseal-exchange.

use std::process::Stdio;

use crate::{Failure, Result, setup, workspace};

/// What Debian calls the centre, its tools, and what the bindings need to be built.
const PACKAGES: &[&str] = &[
    "krb5-kdc",
    "krb5-admin-server",
    "krb5-user",
    "libkrb5-dev",
    "libclang-dev",
    "python3-dev",
    "gcc",
];

/// The variable that names the centre's script to tests: program and argument with U+001F between them.
const CENTRE: &str = "EXSEAL_KDC";

/// Makes sure that the centre and what Python's bindings are built with are there.
///
/// # Errors
///
/// They cannot be installed.
pub(crate) fn install() -> Result {
    // Some of them bring no program that could be asked.
    let asked: Vec<&str> = std::iter::once("-s").chain(PACKAGES.iter().copied()).collect();
    if workspace::answers("dpkg", &asked) {
        Ok(())
    } else {
        setup::debian(PACKAGES)
    }
}

/// Runs the tests with the system's Kerberos built in.
///
/// # Errors
///
/// A test failed, none ran, or the centre cannot be installed.
pub(crate) fn check() -> Result<String> {
    install()?;
    let peer = setup::psrp_peer(&[setup::GSSAPI, setup::KRB5])?;
    let mut tests = workspace::cargo();
    // The whole workspace's features, so that what is built is that of the other steps.
    tests.args(["test", "--quiet", "--workspace", "--locked"]);
    tests.args(["--features", "exseal-exchange/gssapi", "--test", "remoting"]);
    tests.args(["--", "kerberos::"]);
    tests
        .env(setup::PSRP_PEER, peer)
        .env(CENTRE, setup::script("python3".as_ref(), "interop/kdc/kdc.py"));
    let output = tests.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text
        .lines()
        .find_map(|line| line.strip_prefix("test result: ok. "))
        .and_then(|line| line.split_once(" passed"))
        .and_then(|(count, _)| count.parse::<usize>().ok())
        .unwrap_or_default();
    if output.status.success() && passed > 0 {
        return Ok(format!("{passed} tests"));
    }
    Err(Failure::new(format!(
        "{} ended with {} after {passed} tests that passed\n{text}\n{}",
        workspace::words(&tests),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}
