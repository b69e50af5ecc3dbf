//! Stories from the finding to the proof: `interop/scenarios/judge.py` does the judging, [`play`] shows one to a person.

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use crate::{Failure, Result, lab_live, setup, workspace};

/// Arguments of `cargo xtask play`.
#[derive(Debug, Args)]
pub(crate) struct PlayArgs {
    /// A story of `scenarios/`, by the name of its file
    story: String,
}

/// Breaks organisations of the lab, mends them by plans, kills the program before and after lines of its journal and its
/// requests, and holds what openssl sees.
///
/// # Errors
///
/// What differs, or that openssl or strace cannot be installed.
pub(crate) fn check() -> Result<String> {
    setup::program("openssl", &["version"], "openssl")?;
    setup::program("strace", &["-V"], "strace")?;
    lab_live::judged("scenarios", "scenarios")
}

/// Shows a story: each command as one would type it, and what it says.
///
/// # Errors
///
/// There is no such story, or a command ends otherwise than it should.
pub(crate) fn play(args: &PlayArgs) -> Result {
    let file = workspace::root().join(format!("scenarios/{}.toml", args.story));
    let text = std::fs::read_to_string(&file)
        .map_err(|error| Failure::new(format!("no story {}: {error}", file.display())))?;
    let story: toml::Table = text
        .parse()
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let program = setup::exseal()?;
    let folder = workspace::target().join("play");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let at = |name: &str| folder.join(name);
    for line in text.lines().take_while(|line| line.starts_with('#')) {
        println!("{line}");
    }
    let preset = story
        .get("story")
        .and_then(toml::Value::as_str)
        .unwrap_or_default();
    let mut lab = Command::new(&program)
        .args([
            "lab",
            "run",
            "--story",
            preset,
            "--now",
            NOW,
            "--until-stdin-closes",
        ])
        .arg("--connect-file")
        .arg(at("connect.toml"))
        .env("EXSEAL_LABS", at("labs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let told = lab.stdout.take().map(std::io::BufReader::new);
    for line in told.into_iter().flat_map(std::io::BufRead::lines) {
        let line = line?;
        println!("  {line}");
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    let shown = all(&program, &story, &folder);
    drop(lab.stdin.take());
    lab.wait()?;
    shown
}

const NOW: &str = "2026-11-24T09:00:00Z";

fn all(program: &Path, story: &toml::Table, folder: &Path) -> Result {
    let stage = Stage { program, folder };
    let words = |key: &str| -> Vec<&str> {
        let list = story.get(key).and_then(toml::Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(toml::Value::as_str)
            .collect()
    };
    let live = ["--live", "--now", NOW];
    stage.live(&[&["diagnose"], &live[..]].concat())?;
    let asked = words("asked");
    if !asked.is_empty() {
        stage.live(&[&["discover", "-o", "seen.json"], &live[..]].concat())?;
        for line in asked {
            let line = line
                .replace("SEEN", "seen.json")
                .replace("PLAN", "plan.json")
                .replace("NOW", NOW);
            stage.plain(&line.split(' ').collect::<Vec<_>>())?;
        }
        return Ok(());
    }
    if story.contains_key("rescue") {
        stage.live(&[&["rescue", "--yes"], &live[..]].concat())?;
        return stage.afterwards(&live);
    }
    let goals = words("goals");
    let plan = if goals.iter().any(|goal| goal.contains("PUBLIC")) {
        // Which certificate that is a person sees in the findings; `fix` names it.
        stage.live(&[&["plan", "fix", "-o", "plans"], &live[..]].concat())?;
        "plans/now.json"
    } else {
        stage.live(&[&["plan"], goals.as_slice(), &["-o", "plan.json"], &live[..]].concat())?;
        "plan.json"
    };
    if story.contains_key("ends-in-words") {
        return Ok(());
    }
    stage.plain(&["rehearse", plan])?;
    let mut treated = Vec::new();
    if let Some(policy) = story.get("policy").and_then(toml::Value::as_str) {
        std::fs::write(folder.join("policy.toml"), policy)?;
        treated = vec!["--policy", "policy.toml"];
    }
    let faults = story.get("faults").and_then(toml::Value::as_array);
    for fault in faults.into_iter().flatten().filter_map(toml::Value::as_array) {
        let fault = fault.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>();
        stage.plain(&[&["lab", "do", "fault"], fault.as_slice()].concat())?;
    }
    let applied = stage.live(&[&["apply", plan, "--yes"], treated.as_slice()].concat());
    if applied.is_err() && faults.is_some() {
        let journal = journal_of(folder)?.unwrap_or_default();
        stage.live(&["apply", "--resume", &journal, "--yes"])?;
    } else {
        applied?;
    }
    stage.afterwards(&live)
}

/// The journal beside the plan, wherever that lies, from the folder on.
fn journal_of(folder: &Path) -> Result<Option<String>> {
    for place in ["", "plans/"] {
        let entries = std::fs::read_dir(folder.join(place)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        if let Some(name) = names.into_iter().find(|name| name.ends_with(".journal")) {
            return Ok(Some(format!("{place}{name}")));
        }
    }
    Ok(None)
}

/// Where a story is played.
struct Stage<'s> {
    program: &'s Path,
    folder: &'s Path,
}

impl Stage<'_> {
    /// A command that goes to the lab.
    fn live(&self, arguments: &[&str]) -> Result {
        self.show(&[arguments, &["--connect", "connect.toml", "--password-stdin"]].concat())
    }

    /// A command that needs no way to servers.
    fn plain(&self, arguments: &[&str]) -> Result {
        self.show(arguments)
    }

    /// What the run shows behind it, and the way back.
    fn afterwards(&self, live: &[&str]) -> Result {
        let Some(journal) = journal_of(self.folder)? else {
            return Ok(());
        };
        self.live(&["verify", &journal])?;
        self.live(&[&["diagnose"], live].concat())?;
        self.live(&["rollback", &journal, "--yes"])
    }

    fn show(&self, arguments: &[&str]) -> Result {
        let shown = arguments.iter().filter(|word| **word != "--password-stdin");
        let shown: Vec<String> = shown
            .map(|word| {
                if word.contains(' ') {
                    format!("'{word}'")
                } else {
                    (*word).to_owned()
                }
            })
            .collect();
        println!("\n> exseal {}", shown.join(" "));
        let mut child = Command::new(self.program)
            .args(arguments)
            .current_dir(self.folder)
            .env("EXSEAL_LABS", self.folder.join("labs"))
            .stdin(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            use std::io::Write as _;
            // The lab's own password, which it prints. Who asks for none reads nothing.
            let _ = stdin.write_all(b"Simulated-1\n");
        }
        let status = child.wait()?;
        // Three: a plan that waits for a person, a finding.
        if matches!(status.code(), Some(0 | 3)) {
            Ok(())
        } else {
            Err(Failure::new(format!(
                "exseal {} ended with {status}",
                arguments.join(" ")
            )))
        }
    }
}
