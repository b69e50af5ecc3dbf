//! Exit codes, errors, colour, widths, pipes, zones.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use unicode_width::UnicodeWidthStr as _;

use crate::{NOW, exseal, root, run, stdout};

fn code(arguments: &[&str]) -> Option<i32> {
    run(arguments).status.code()
}

fn stderr(arguments: &[&str]) -> String {
    String::from_utf8(run(arguments).stderr).unwrap()
}

#[test]
fn exit_codes_say_who_has_to_act() {
    let sample = ["diagnose", "--from", "examples/kiefer", "--now", NOW];
    let with = |more: &[&'static str]| [&sample[..], more].concat();
    assert_eq!(code(&sample), Some(0), "findings alone are no failure");
    assert_eq!(code(&with(&["--exit-code"])), Some(3));
    assert_eq!(code(&with(&["--fail-on", "critical"])), Some(3));
    assert_eq!(code(&with(&["--json", "--exit-code"])), Some(3));
    assert_eq!(code(&with(&["--fail-on", "fatal"])), Some(2));
    assert_eq!(code(&with(&["--policy", "no-such-policy"])), Some(2));
    assert_eq!(code(&["diagnose"]), Some(2));
    assert_eq!(code(&["no-such-command"]), Some(2));
    assert_eq!(code(&["explain", "no-such-finding"]), Some(2));
    assert_eq!(code(&["diagnose", "--from", "no/such/path"]), Some(1));
    assert_eq!(code(&["inspect", "no/such/path"]), Some(1));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
}

#[test]
fn a_certificate_alone_fails_on_nothing() {
    let arguments = [
        "diagnose",
        "--from",
        "examples/kiefer/organisation",
        "--now",
        NOW,
        "--fail-on",
        "critical",
    ];
    assert_eq!(code(&arguments), Some(0), "what nobody saw is no finding");
}

#[test]
fn errors_say_what_was_expected_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("notes.txt");
    std::fs::write(&junk, "nothing of Exchange").unwrap();
    let policy = folder.path().join("exseal.toml");
    std::fs::write(&policy, "[expiry.warning]\nshare = \"a third\"\n").unwrap();
    let place = folder.path().display().to_string();
    let shown = |arguments: &[&str]| stderr(arguments).replace(&place, "FOLDER").replace('\\', "/");

    let mut all = String::new();
    for arguments in [
        &["diagnose", "--from", "no/such/path"][..],
        &["diagnose", "--from", junk.to_str().unwrap()],
        &[
            "diagnose",
            "--from",
            "examples/kiefer",
            "--policy",
            policy.to_str().unwrap(),
        ],
        &["explain", "certificate-expird"],
    ] {
        all.push_str(&shown(arguments));
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn colour_is_asked_for_and_means_nothing_by_itself() {
    let sample = ["diagnose", "--from", "examples/kiefer", "--now", NOW];
    let plain = stdout(&sample);
    assert!(!plain.contains('\u{1b}'), "a pipe gets no colour");
    let coloured = stdout(&[&sample[..], &["--color", "always"]].concat());
    assert!(coloured.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, style)) = rest.split_once("\u{1b}[") {
        stripped.push_str(before);
        rest = style.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain, "the same words at the same places");
}

#[test]
fn every_line_keeps_within_the_terminal() {
    for columns in [40, 60, 80, 120] {
        let output = exseal(columns).args(["demo"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for line in text.lines() {
            let words = line.split_whitespace().count();
            assert!(
                line.width() <= columns || words <= 2,
                "{columns} columns: {line:?}"
            );
        }
    }
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let mut child = exseal(100)
        .args(["inspect", "examples/kiefer", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn times_are_shown_in_the_persons_zone_and_kept_in_utc() {
    let arguments = ["diagnose", "--from", "examples/kiefer", "--now", NOW];
    let berlin = exseal(100)
        .env("TZ", "Europe/Berlin")
        .args(arguments)
        .output()
        .unwrap();
    let berlin = String::from_utf8(berlin.stdout).unwrap();
    assert!(berlin.contains("as of 2026-11-24 10:00 +01:00"), "{berlin}");
    let utc = exseal(100)
        .env("TZ", "Europe/Berlin")
        .args(arguments)
        .arg("--utc")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(utc.stdout).unwrap(), stdout(&arguments));
    let json = exseal(100)
        .env("TZ", "Europe/Berlin")
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["now"], NOW);
}

#[test]
fn an_inventory_gives_the_same_judgement_as_the_exports_it_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("inventory.json");
    let file = inventory.to_str().unwrap();
    let output = run(&["discover", "--from", "examples/kiefer", "-o", file]);
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("next: exseal diagnose")
    );
    let once = stdout(&["diagnose", "--from", file, "--now", NOW, "--json"]);
    let direct = stdout(&["diagnose", "--from", "examples/kiefer", "--now", NOW, "--json"]);
    assert_eq!(once, direct);
    assert_eq!(
        stdout(&["discover", "--from", file, "-o", "-"]),
        stdout(&["discover", "--from", "examples/kiefer", "--json"])
    );
}

#[test]
fn the_demo_needs_no_file() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output = exseal(100)
        .current_dir(elsewhere.path())
        .arg("demo")
        .output()
        .unwrap();
    let there = String::from_utf8(output.stdout).unwrap();
    let diagnosis = stdout(&["diagnose", "--from", "examples/kiefer", "--now", NOW]);
    let (_, shown) = there.split_once("\n\n").unwrap();
    assert!(
        shown.starts_with(&diagnosis),
        "the demo is the diagnosis of examples/kiefer"
    );
    assert!(root().join("examples/kiefer").is_dir());
}

/// Runs the program with a password on its standard input, everything logged.
fn with_password(arguments: &[&str], password: &str) -> (Option<i32>, String, String) {
    let mut child = exseal(100)
        .env("EXSEAL_LOG", "trace")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The program need not read what it does not need.
    let _ = writeln!(stdin, "{password}");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_password_opens_a_pfx_and_reaches_no_output_at_any_level() {
    let pfx = "crates/exseal-exchange/tests/data/aes.pfx";
    let asked = ["inspect", pfx, "--password-stdin", "-vvv"];
    let (code, out, err) = with_password(&asked, "correct-horse");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("certificates") && !out.contains("not read"), "{out}");
    assert!(err.contains("Recognise export"), "{err}");
    let (_, wrong, log) = with_password(&asked, "battery-staple");
    assert!(wrong.contains("the password is wrong"), "{wrong}");
    for text in [out, err, wrong, log] {
        assert!(!text.contains("horse") && !text.contains("battery"), "{text}");
    }
    let (code, out, _) = with_password(&["inspect", pfx], "correct-horse");
    assert_eq!(code, Some(0));
    assert!(
        out.contains("no password was given"),
        "nobody is asked who is not there"
    );
}

#[test]
fn what_the_program_tells_of_itself_goes_to_standard_error() {
    let sample = ["diagnose", "--from", "examples/kiefer", "--now", NOW];
    let quiet = run(&sample);
    assert!(quiet.stderr.is_empty());
    let loud = run(&[&sample[..], &["-v"]].concat());
    assert_eq!(loud.stdout, quiet.stdout);
    let told = String::from_utf8(loud.stderr).unwrap();
    assert!(
        told.contains("diagnose") && told.contains("Merge inventories"),
        "{told}"
    );
}
