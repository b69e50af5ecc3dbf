//! A live look at every organisation of the lab; `interop/lab_live/judge.py` does the judging.

use crate::{Result, setup, workspace};

/// Starts each built-in organisation, looks at it live, and holds what is found against what is broken there.
///
/// # Errors
///
/// What differs.
pub(crate) fn check() -> Result<String> {
    judged("lab_live", "docs/coverage.md")
}

/// What `interop/NAME/judge.py` says of the program, some data of the project and an empty folder of its own.
///
/// # Errors
///
/// What it says is wrong.
pub(crate) fn judged(name: &str, data: &str) -> Result<String> {
    let program = setup::exseal()?;
    let folder = workspace::target().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let root = workspace::root();
    let mut judge = workspace::command("python3");
    judge
        .arg(root.join("interop").join(name).join("judge.py"))
        .arg(program)
        .arg(root.join(data))
        .arg(&folder)
        .env("EXSEAL_LABS", folder.join("labs"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut judge)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
