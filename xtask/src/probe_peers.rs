//! `exseal probe` against nginx, postfix, dovecot, BIND, old and hostile servers; `interop/wire/judge.py` does the judging.

use crate::{Result, setup, workspace};

/// What Debian calls the servers and the tools that say what they present.
const PACKAGES: &[(&str, &[&str], &str)] = &[
    ("nginx", &["-v"], "nginx-light"),
    ("postconf", &["-h", "mail_version"], "postfix"),
    ("postmap", &["-q", "x", "static:x"], "postfix"),
    ("dovecot", &["--version"], "dovecot-imapd"),
    ("named", &["-v"], "bind9"),
    ("dnssec-signzone", &["-V"], "bind9-utils"),
    ("dig", &["-v"], "bind9-dnsutils"),
    ("gnutls-serv", &["--version"], "gnutls-bin"),
    ("openssl", &["version"], "openssl"),
    ("unshare", &["--version"], "util-linux"),
    ("ip", &["-V"], "iproute2"),
];

/// Starts the servers in a network of their own and compares every look with `openssl s_client`.
///
/// # Errors
///
/// What differs, or that a peer cannot be installed. It needs root, for a network of its own.
pub(crate) fn check() -> Result<String> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(program, arguments, _)| !workspace::answers(program, arguments))
        .map(|(_, _, package)| *package)
        .chain((!std::path::Path::new("/usr/lib/dovecot/pop3-login").exists()).then_some("dovecot-pop3d"))
        .collect();
    if !missing.is_empty() {
        setup::debian(&missing)?;
    }
    let program = setup::exseal()?;
    let folder = workspace::target().join("probe-peers");
    let script = workspace::root().join("interop/wire/judge.py");
    let inside = "ip link set lo up && exec python3 \"$@\"";
    let root = workspace::answers("sh", &["-c", "test \"$(id -u)\" = 0"]);
    let mut command = workspace::command(if root { "unshare" } else { "sudo" });
    if !root {
        command.args(["-n", "unshare"]);
    }
    command
        .args(["--net", "--mount", "sh", "-c", inside, "sh"])
        .arg(&script)
        .arg(&folder)
        .arg(&program)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = workspace::capture(&mut command)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
