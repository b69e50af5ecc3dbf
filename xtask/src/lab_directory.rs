//! The lab's domain controllers judged by clients that are not exseal's; `interop/lab_directory/judge.py` does the judging.

use crate::{Result, setup, workspace};

/// What Debian calls OpenLDAP's tools with the log-on by NTLM, and Samba's.
const PACKAGES: &[&str] = &[
    "ldap-utils",
    "libsasl2-modules-gssapi-mit",
    "gss-ntlmssp",
    "ldb-tools",
    "samba-dsdb-modules",
];

/// Starts labs and asks their domain controllers by ldapsearch, openssl, ldbsearch and ldap3.
///
/// # Errors
///
/// What differs, or that a client cannot be installed.
pub(crate) fn check() -> Result<String> {
    setup::program("openssl", &["version"], "openssl")?;
    if !PACKAGES
        .iter()
        .all(|package| workspace::answers("dpkg", &["-s", package]))
    {
        setup::debian(PACKAGES)?;
    }
    let python = setup::python(&[setup::LDAP3])?.join("python");
    let folder = workspace::target().join("lab-directory");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let mut judge = workspace::command(python);
    judge
        .arg(workspace::root().join("interop/lab_directory/judge.py"))
        .arg(&folder)
        .arg(setup::exseal()?)
        .env("EXSEAL_LABS", folder.join("labs"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut judge)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
