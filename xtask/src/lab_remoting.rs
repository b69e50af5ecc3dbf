//! The lab's PowerShell remoting judged by pypsrp, with pypsrp's own test of a live server, and an MIT key distribution
//! centre for Kerberos; `interop/lab_remoting/judge.py` does the judging.

use std::fs;
use std::path::Path;

use crate::{Failure, Result, kerberos, setup, workspace};

/// What pypsrp's own tests run with.
const PYTEST: setup::PythonPackage = setup::PythonPackage {
    name: "pytest",
    version: "8.3.4",
};

/// Starts doors of remoting and a lab, and has them judged.
///
/// # Errors
///
/// What differs, or that a peer cannot be installed.
pub(crate) fn check() -> Result<String> {
    kerberos::install()?;
    let programs = setup::python(&[setup::PSRPCORE, setup::PYPSRP, setup::GSSAPI, setup::KRB5, PYTEST])?;
    let mut build = workspace::cargo();
    build.args(["build", "--quiet", "--package", "exseal-lab"]);
    build.args(["--example", "lab-remoting"]);
    workspace::run(&mut build)?;
    let folder = workspace::target().join("lab-remoting");
    let _ = fs::remove_dir_all(&folder);
    own_tests(&programs, &folder)?;
    let program = workspace::target()
        .join("debug/examples")
        .join(format!("lab-remoting{}", std::env::consts::EXE_SUFFIX));
    let mut judge = workspace::command(programs.join("python"));
    judge
        .arg(workspace::root().join("interop/lab_remoting/judge.py"))
        .arg(&program)
        .arg(workspace::root().join("interop/kdc/kdc.py"))
        .arg(&folder)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut judge)?;
    let _ = fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Lays pypsrp's test of live servers, out of its source package, into `folder`.
fn own_tests(programs: &Path, folder: &Path) -> Result {
    fs::create_dir_all(folder)?;
    let package = format!("{}=={}", setup::PYPSRP.name, setup::PYPSRP.version);
    let mut download = workspace::command(programs.join("python"));
    download
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--no-deps", "--no-binary", setup::PYPSRP.name, &package, "--dest"])
        .arg(folder);
    workspace::capture(&mut download)?;
    let name = format!("{}-{}", setup::PYPSRP.name, setup::PYPSRP.version);
    let member = format!("{name}/tests/tests_pypsrp/test_integration.py");
    let mut unpack = workspace::command("tar");
    unpack
        .args(["--extract", "--strip-components=3", "--file"])
        .arg(folder.join(format!("{name}.tar.gz")))
        .arg("--directory")
        .arg(folder)
        .arg(&member);
    workspace::capture(&mut unpack)?;
    if folder.join("test_integration.py").is_file() {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "expected {member} in pypsrp's source package, found none"
        )))
    }
}
