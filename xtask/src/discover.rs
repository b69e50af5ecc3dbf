//! `exseal discover --live` against servers that others' libraries make; `interop/discover/judge.py` does the judging.

use crate::{Result, setup, workspace};

/// Ten situations of three servers: healthy, shells dead, servers down or slow, a wrong password, half-empty objects.
///
/// # Errors
///
/// What is otherwise than it should be, or that the peers cannot be installed.
pub(crate) fn check() -> Result<String> {
    let programs = setup::python(&[setup::PSRPCORE, setup::PYPSRP])?;
    let mut judge = workspace::command(programs.join("python"));
    judge.arg("interop/discover/judge.py").arg(setup::exseal()?);
    let output = workspace::capture(&mut judge)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
