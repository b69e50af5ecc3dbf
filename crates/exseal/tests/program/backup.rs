//! `cleanup` with backups, at the lab: nothing goes before its file opens, and the file is the way back.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::lab::{acted, lab, reply, start};

const PASSWORD: &str = "Pl4nted-b\u{e4}ckup-password";

/// Runs the program with the administrator's password and further lines on standard input.
pub(crate) fn typed(folder: &Path, arguments: &[&str], lines: &[&str]) -> Output {
    let mut process = lab(folder)
        .args(arguments)
        .args(["--connect", "connect.toml", "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = "Simulated-1\n".to_owned();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The same without line breaks and frames.
pub(crate) fn words(output: &Output) -> String {
    let said = said(output).replace('\u{2502}', " ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The entries of My, without what taking a certificate in again does not bring back: services and readers of the key.
fn store(folder: &Path) -> Vec<Value> {
    let dump = reply(folder, &["dump"]);
    let mut my = dump["servers"]["EX1"]["stores"]["My"].as_array().unwrap().clone();
    for entry in &mut my {
        entry["services"] = Value::Null;
        entry["key"]["readers"] = Value::Null;
    }
    my.sort_by_key(|entry| entry["thumbprint"].as_str().map(str::to_owned));
    my
}

fn journal(folder: &Path) -> Option<String> {
    let mut found = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
        .filter(|path| path.ends_with(".journal"));
    let first = found.next();
    assert!(found.next().is_none(), "several journals");
    first
}

#[test]
fn what_is_left_over_goes_into_a_file_first_and_comes_back_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("policy.toml"), "[change]\nunused-days = 0\n").unwrap();
    let _running = start(folder, &["--story", "healthy", "--now", "2026-11-24T09:00:00Z"]);
    // The second, younger one takes the transport over, so that nothing uses the first.
    let orders: [&[&str]; 3] = [
        &[
            "shell",
            "--server",
            "EX1",
            "New-ExchangeCertificate -SubjectName CN=old.contoso.lab -FriendlyName old -PrivateKeyExportable $true -Force",
        ],
        &["advance", "1d"],
        &[
            "shell",
            "--server",
            "EX1",
            "New-ExchangeCertificate -SubjectName CN=next.contoso.lab -Force",
        ],
    ];
    for order in orders {
        let output = acted(folder, order);
        assert!(output.status.success(), "{}", said(&output));
    }
    let before = store(folder);

    let plan = [
        "plan",
        "cleanup",
        "--live",
        "--policy",
        "policy.toml",
        "--now",
        "2034-01-01T00:00:00Z",
        "--backup",
        "backups",
        "-o",
        "plan.json",
    ];
    let planned = typed(folder, &plan, &[]);
    assert!(planned.status.success(), "{}", said(&planned));
    assert!(
        words(&planned).contains("behind a password that is asked for"),
        "{}",
        said(&planned)
    );

    // Without its password nothing is begun, and no journal stands in the way.
    let without = typed(folder, &["apply", "plan.json", "--yes"], &[]);
    assert_eq!(without.status.code(), Some(2), "{}", said(&without));
    assert!(words(&without).contains("the backups"), "{}", said(&without));
    assert_eq!(journal(folder), None);
    assert_eq!(store(folder), before);

    // A file of somebody else in its place stays, and so does the certificate.
    std::fs::create_dir(folder.join("backups")).unwrap();
    let thumbprint = before
        .iter()
        .find(|entry| entry["subject"] == "CN=old.contoso.lab")
        .and_then(|entry| entry["thumbprint"].as_str())
        .unwrap();
    let file = folder.join(format!("backups/ex1.contoso.lab-{thumbprint}.pfx"));
    std::fs::write(&file, "somebody's").unwrap();
    let refused = typed(folder, &["apply", "plan.json", "--yes"], &[PASSWORD]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        words(&refused).contains("found one that is no backup of"),
        "{}",
        said(&refused)
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"somebody's");
    assert_eq!(store(folder), before);
    std::fs::remove_file(&file).unwrap();

    let journal = journal(folder).unwrap();
    let applied = typed(folder, &["apply", "--resume", &journal, "--yes"], &[PASSWORD]);
    assert!(applied.status.success(), "{}", said(&applied));
    assert_eq!(store(folder).len(), before.len() - 1);
    let verified = typed(folder, &["verify", &journal], &[PASSWORD]);
    assert!(verified.status.success(), "{}", said(&verified));
    let other = typed(folder, &["verify", &journal], &["another password"]);
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));

    // The password stands nowhere, and without it the file opens for nobody.
    let texts = [
        folder.join("plan.json"),
        folder.join("connect.toml"),
        PathBuf::from(&journal),
    ];
    for path in texts {
        assert!(!std::fs::read_to_string(path).unwrap().contains(PASSWORD));
    }
    for output in [&planned, &applied, &verified, &refused] {
        assert!(!said(output).contains(PASSWORD));
    }
    let bytes = std::fs::read(&file).unwrap();
    p12_keystore::Pkcs12Archive::from_pkcs12(&bytes, PASSWORD).unwrap();
    assert!(p12_keystore::Pkcs12Archive::from_pkcs12(&bytes, "another password").is_err());

    let back = typed(folder, &["rollback", &journal, "--yes"], &[PASSWORD]);
    assert!(back.status.success(), "{}", said(&back));
    assert_eq!(store(folder), before);
}
