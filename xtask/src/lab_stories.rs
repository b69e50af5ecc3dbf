//! Each organisation of the lab judged by clients that are not exseal's; `interop/lab_stories/judge.py` does the judging.

use crate::{Result, setup, workspace};

/// Starts each built-in organisation and holds what openssl, curl, smtplib and pypsrp see of it against what is broken there;
/// what is healthy must not show it.
///
/// # Errors
///
/// What is not so, a story nobody says anything about, or that a client cannot be installed.
pub(crate) fn check() -> Result<String> {
    setup::program("openssl", &["version"], "openssl")?;
    setup::program("curl", &["--version"], "curl")?;
    let python = setup::python(&[setup::PSRPCORE, setup::PYPSRP])?.join("python");
    let program = setup::exseal()?;
    let folder = workspace::target().join("lab-stories");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let mut judge = workspace::command(python);
    judge
        .arg(workspace::root().join("interop/lab_stories/judge.py"))
        .arg(program)
        .arg(&folder)
        .env("EXSEAL_LABS", folder.join("labs"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut judge)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
