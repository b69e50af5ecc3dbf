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
            "2026-11-24T09:00:00Z",
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

fn all(program: &Path, story: &toml::Table, folder: &Path) -> Result {
    let live = ["--live", "--now", "2026-11-24T09:00:00Z"];
    show(program, folder, &[&["diagnose"], &live[..]].concat())?;
    let goals: Vec<&str> = story
        .get("goals")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
        .collect();
    if goals.iter().any(|goal| goal.contains("PUBLIC")) {
        // Which certificate that is a person sees in the findings; `fix` names it.
        show(
            program,
            folder,
            &[&["plan", "fix", "-o", "plans"], &live[..]].concat(),
        )?;
        return show(program, folder, &["apply", "plans/now.json", "--yes"]);
    }
    let plan = [&["plan"], goals.as_slice(), &["-o", "plan.json"], &live[..]].concat();
    show(program, folder, &plan)?;
    show(program, folder, &["apply", "plan.json", "--yes"])?;
    let journal = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.ends_with(".journal"));
    if let Some(journal) = journal {
        show(program, folder, &["verify", &journal])?;
        show(program, folder, &[&["diagnose"], &live[..]].concat())?;
        show(program, folder, &["rollback", &journal, "--yes"])?;
    }
    Ok(())
}

fn show(program: &Path, folder: &Path, arguments: &[&str]) -> Result {
    println!("\n> exseal {} --connect connect.toml", arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .args(["--connect", "connect.toml", "--password-stdin"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        use std::io::Write as _;
        // The lab's own password, which it prints.
        stdin.write_all(b"Simulated-1\n")?;
    }
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "exseal {} ended with {status}",
            arguments.join(" ")
        )))
    }
}
