//! Each organisation of the lab judged by clients that are not exseal's; `interop/lab_stories/judge.py` does the judging.

use std::path::Path;
use std::process::Command;

use crate::{Result, page, setup, workspace};

/// Starts each built-in organisation and holds what openssl, curl, smtplib, ldapsearch and pypsrp see of it against what is broken there;
/// what is healthy must not show it.
///
/// # Errors
///
/// What is not so, a story nobody says anything about, or that a client cannot be installed.
pub(crate) fn check() -> Result<String> {
    setup::program("openssl", &["version"], "openssl")?;
    setup::program("curl", &["--version"], "curl")?;
    setup::program("ldapsearch", &["-VV"], "ldap-utils")?;
    let folder = emptied("lab-stories")?;
    let mut judge = judge("judge.py", &[], &folder)?;
    judge.arg(&folder);
    let output = workspace::capture(&mut judge)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Opens the pages of some of them in headless Chromium, as a person would; says where the pictures are.
///
/// # Errors
///
/// What is not so, or that Chromium, its driver or npm is not there.
pub(crate) fn pages() -> Result<String> {
    setup::program("chromedriver", &["--version"], "chromium-driver")?;
    setup::program("chromium", &["--version"], "chromium")?;
    // certutil ends with 1 whatever it is asked for.
    setup::program("sh", &["-c", "command -v certutil"], "libnss3-tools")?;
    let axe = page::fetched()?;
    let folder = emptied("lab-pages")?;
    let mut judge = judge("pages.py", &[setup::SELENIUM], &folder)?;
    judge.arg(axe).arg(&folder);
    let output = workspace::capture(&mut judge)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn emptied(name: &str) -> Result<std::path::PathBuf> {
    let folder = workspace::target().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A script of `interop/lab_stories`, with the program as its first argument.
fn judge(script: &str, packages: &[setup::PythonPackage], folder: &Path) -> Result<Command> {
    let python = setup::python(&[&[setup::PSRPCORE, setup::PYPSRP], packages].concat())?.join("python");
    let mut judge = workspace::command(python);
    judge
        .arg(workspace::root().join("interop/lab_stories").join(script))
        .arg(setup::exseal()?)
        .env("EXSEAL_LABS", folder.join("labs"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(judge)
}
