//! A live look at every organisation of the lab; `interop/lab_live/judge.py` does the judging.

use crate::{Result, setup, workspace};

/// Starts each built-in organisation, looks at it live, and holds what is found against what is broken there.
///
/// # Errors
///
/// What differs.
pub(crate) fn check() -> Result<String> {
    let program = setup::exseal()?;
    let folder = workspace::target().join("lab-live");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let mut judge = workspace::command("python3");
    judge
        .arg(workspace::root().join("interop/lab_live/judge.py"))
        .arg(program)
        .arg(workspace::root().join("docs/coverage.md"))
        .arg(&folder)
        .env("EXSEAL_LABS", folder.join("labs"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut judge)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
