//! The directory channel against a Samba AD with an Exchange-like tree; `interop/active_directory/judge.py` does the judging.

use std::path::PathBuf;

use crate::{Result, setup, workspace};

/// What Debian calls the domain controller, its tools, and what Kerberos needs to be built.
const PACKAGES: &[&str] = &[
    "samba-ad-dc",
    "samba",
    "samba-dsdb-modules",
    "samba-vfs-modules",
    "samba-ad-provision",
    "winbind",
    "krb5-user",
    "ldb-tools",
    "python3-samba",
    "libkrb5-dev",
    "libclang-dev",
];

/// Provisions a domain, writes organisations of 3 and 200 servers into it, and reads them by every way to log on.
///
/// # Errors
///
/// What differs from the tree, or that the peer cannot be installed. It needs root, for a network of its own.
pub(crate) fn check() -> Result<String> {
    setup::program("unshare", &["--version"], "util-linux")?;
    setup::program("openssl", &["version"], "openssl")?;
    let there = workspace::answers("samba", &["--version"])
        && workspace::answers("samba-tool", &["--version"])
        && workspace::answers("ldbmodify", &["--version"])
        && workspace::answers("krb5-config", &["--version"])
        && std::path::Path::new("/usr/share/samba/setup").is_dir();
    if !there {
        setup::debian(PACKAGES)?;
    }
    // In this order: both builds leave the program under one name.
    let kerberos = with_kerberos()?;
    let plain = setup::exseal()?;
    let folder = workspace::target().join("active-directory");
    // Of an earlier run; a domain is provisioned into an empty folder.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let script = workspace::root().join("interop/active_directory/judge.py");
    let inside = "ip link set lo up && exec python3 \"$@\"";
    let arguments = ["--net", "--mount", "sh", "-c", inside, "sh"];
    let judged = |mut command: std::process::Command| {
        command
            .args(arguments)
            .arg(&script)
            .arg(&folder)
            .arg(&plain)
            .arg(&kerberos);
        workspace::capture(&mut command)
    };
    let root = workspace::answers("sh", &["-c", "test \"$(id -u)\" = 0"]);
    let output = if root {
        judged(workspace::command("unshare"))?
    } else {
        let mut sudo = workspace::command("sudo");
        sudo.args(["-n", "unshare"]);
        judged(sudo)?
    };
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The program with the system's Kerberos, kept under a name of its own.
fn with_kerberos() -> Result<PathBuf> {
    let mut build = workspace::cargo();
    build.args(["build", "--quiet", "--package", "exseal", "--features", "gssapi"]);
    workspace::run(&mut build)?;
    let folder = workspace::target().join("debug");
    let kept = folder.join("exseal-with-kerberos");
    std::fs::copy(folder.join("exseal"), &kept)?;
    Ok(kept)
}
