//! `exseal rehearse`: a plan is carried out in the lab, on an organisation made of the plan's own inventory.
//!
//! The lab has none of the organisation's keys: it issues a stand-in for every certificate. The plan's thumbprints are
//! translated to the stand-ins' before, and what is told is translated back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use exseal_model::Plan;
use exseal_model::plan::Goal;
use serde::{Deserialize, Serialize};

use super::{Outcome, json_text, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::view::paint::{BOLD, styled};

/// Carry out a plan in the lab first: an organisation made of the plan's inventory, with stand-ins for its certificates
///
/// Nothing leaves this machine, and nothing real is asked or changed.
#[derive(Args, Debug)]
pub(crate) struct RehearseArgs {
    /// The plan
    plan: PathBuf,

    /// Rehearse again for each of these faults at each step that changes something: all, loses-reply, throws, drops
    #[arg(long, value_name = "NAME", num_args = 1..)]
    with_faults: Vec<String>,

    /// Print JSON (docs/schema/rehearse.json)
    #[arg(long)]
    json: bool,
}

/// Faults that a run has to survive at any command.
const FAULTS: [&str; 3] = ["loses-reply", "throws", "drops"];

/// What a rehearsal showed.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Rehearsed {
    /// The plan's id.
    plan: String,
    /// What the lab took for granted, because the inventory does not show it.
    assumed: Vec<String>,
    /// What was seen and the lab does not show.
    left_out: Vec<String>,
    /// The runs: first the undisturbed one, then one a fault and step.
    runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Run {
    /// The fault; null: none.
    fault: Option<String>,
    /// The command it came at; null: none.
    at: Option<String>,
    /// Whether the plan was carried out to its end.
    applied: bool,
    /// How often a call failed.
    met: usize,
    /// How often it stopped and was resumed.
    resumed: u32,
    /// Whether everything held and was seen by a client afterwards.
    verified: bool,
    /// Handshakes of a client meanwhile, with the ports that answered before.
    handshakes: u64,
    /// Handshakes that failed, by server and port.
    failed: Vec<String>,
    /// What stopped it, in words; empty: nothing.
    said: String,
}

/// What `exseal lab run --json` tells.
#[derive(Deserialize)]
struct Told {
    servers: Vec<ToldServer>,
    users: Vec<ToldUser>,
    stand_ins: Vec<ToldPair>,
    assumed: Vec<ToldAssumed>,
    left_out: Vec<String>,
}

#[derive(Deserialize)]
struct ToldServer {
    fqdn: String,
    address: String,
    ports: Vec<ToldPort>,
}

#[derive(Deserialize)]
struct ToldPort {
    port: u16,
    at: u16,
}

#[derive(Deserialize)]
struct ToldUser {
    password: String,
}

#[derive(Deserialize)]
struct ToldPair {
    original: String,
    stand_in: String,
}

#[derive(Deserialize)]
struct ToldAssumed {
    of: String,
    what: String,
    taken: String,
}

pub(crate) fn run(context: &Context, args: &RehearseArgs) -> Result<Outcome, CommandError> {
    let plan = super::plan::read(&args.plan)?;
    if plan.steps.is_empty() {
        context.say("the plan has no steps: there is nothing to rehearse");
        return Ok(Outcome::Done);
    }
    let faults = faults(&args.with_faults)?;
    let mut rehearsed = Rehearsed {
        plan: plan.id.clone(),
        assumed: Vec::new(),
        left_out: Vec::new(),
        runs: Vec::new(),
    };
    let mut runs: Vec<(Option<&str>, Option<String>)> = vec![(None, None)];
    for fault in &faults {
        let mut names: Vec<&str> = plan.steps.iter().map(|step| step.call.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        runs.extend(
            names
                .into_iter()
                .map(|name| (Some(*fault), Some(name.to_owned()))),
        );
    }
    let many = runs.len();
    for (at, (fault, command)) in runs.into_iter().enumerate() {
        if context.progress && at > 0 {
            let (fault, command) = (fault.unwrap_or_default(), command.as_deref().unwrap_or_default());
            context.say(&format!("rehearsal {} of {many}: {fault} at {command} …", at + 1));
        }
        let one = once(&plan, fault, command.as_deref(), &mut rehearsed)?;
        rehearsed.runs.push(one);
    }
    if args.json {
        print_json(&rehearsed)?;
    } else {
        print(context, &text(&rehearsed))?;
    }
    let good = rehearsed.runs.iter().all(|run| run.applied && run.verified);
    Ok(if good { Outcome::Done } else { Outcome::Findings })
}

fn faults(given: &[String]) -> Result<Vec<&'static str>, CommandError> {
    if given.iter().any(|name| name == "all") {
        return Ok(FAULTS.to_vec());
    }
    given
        .iter()
        .map(|name| {
            FAULTS.into_iter().find(|own| own == name).ok_or_else(|| {
                CommandError::usage(format!("expected all, {}, found {name}", FAULTS.join(", ")))
            })
        })
        .collect()
}

/// Rehearses once, in a lab of its own.
fn once(
    plan: &Plan,
    fault: Option<&str>,
    command: Option<&str>,
    rehearsed: &mut Rehearsed,
) -> Result<Run, CommandError> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("inventory.json"), json_text(&plan.inventory)?)?;
    let mut lab = Lab::start(folder.path(), plan)?;
    rehearsed.assumed = lab
        .told
        .assumed
        .iter()
        .map(|one| format!("{}: {}: {}", one.of, one.what, one.taken))
        .collect();
    rehearsed.left_out.clone_from(&lab.told.left_out);
    let pairs: BTreeMap<String, String> = lab
        .told
        .stand_ins
        .iter()
        .map(|pair| (pair.original.clone(), pair.stand_in.clone()))
        .collect();
    std::fs::write(
        at("plan.json"),
        json_text(&translated(plan, &pairs, folder.path())?)?,
    )?;
    if let (Some(fault), Some(command)) = (fault, command) {
        lab.order(&["fault", fault, "--step", command])?;
    }

    let over = Arc::new(AtomicBool::new(false));
    let watching = watch(&lab, Arc::clone(&over));
    let mut said = String::new();
    let mut output = lab.exseal(&["apply", "plan.json", "--yes", "--also-irreversible"])?;
    let mut resumed = 0;
    while !output.status.success() && resumed < 3 {
        said = spoken(&output.stderr);
        let Some(journal) = journal(folder.path()) else {
            break;
        };
        resumed += 1;
        output = lab.exseal(&["apply", "--resume", &journal, "--yes", "--also-irreversible"])?;
    }
    over.store(true, Ordering::Relaxed);
    let (handshakes, failed) = watching
        .and_then(|watching| watching.join().ok())
        .unwrap_or_default();
    let applied = output.status.success();
    let met = journal(folder.path())
        .and_then(|journal| std::fs::read_to_string(at(&journal)).ok())
        .map_or(0, |lines| {
            lines
                .lines()
                .filter(|line| line.contains("\"step-failed\""))
                .count()
        });
    if !applied {
        said = spoken(&output.stderr);
    }
    let verified = match journal(folder.path()) {
        Some(journal) if applied => {
            let seen = lab.exseal(&["verify", &journal])?;
            if !seen.status.success() {
                said.push_str(&String::from_utf8_lossy(&seen.stdout));
            }
            seen.status.success()
        }
        _ => false,
    };
    lab.end();
    // What is told speaks of the real certificates.
    for (original, stand_in) in &pairs {
        said = said.replace(stand_in, original);
    }
    Ok(Run {
        fault: fault.map(str::to_owned),
        at: command.map(str::to_owned),
        applied,
        met,
        resumed,
        verified,
        handshakes,
        failed,
        said: said.trim().to_owned(),
    })
}

/// The plan with the stand-ins' thumbprints, and its backups in the rehearsal's folder; its inventory stays what it is made of.
fn translated(plan: &Plan, pairs: &BTreeMap<String, String>, folder: &Path) -> Result<Plan, CommandError> {
    let wrong = |error: serde_json::Error| CommandError::from(std::io::Error::from(error));
    let mut text = serde_json::to_string(&(&plan.goals, &plan.steps, &plan.waits)).map_err(wrong)?;
    for (at, file) in plan
        .steps
        .iter()
        .filter_map(|step| step.change.backup())
        .enumerate()
    {
        let own = folder.join(format!("backup-{at}.pfx"));
        let quoted = |path: &str| serde_json::to_string(path).map_err(wrong);
        text = text.replace(&quoted(file)?, &quoted(&own.to_string_lossy())?);
    }
    // One after the other would translate what was translated: first to marks, then to stand-ins.
    for (at, original) in pairs.keys().enumerate() {
        text = text.replace(original, &format!("\u{1}{at}\u{1}"));
    }
    for (at, stand_in) in pairs.values().enumerate() {
        text = text.replace(&format!("\u{1}{at}\u{1}"), stand_in);
    }
    let (goals, steps, waits): (Vec<Goal>, _, _) = serde_json::from_str(&text).map_err(wrong)?;
    Ok(Plan::of(plan.made, goals, steps, waits, plan.inventory.clone()))
}

fn journal(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.ends_with(".journal"))
}

fn spoken(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text
        .lines()
        .filter(|line| line.trim_start().starts_with(['×', '│']));
    lines
        .map(|line| line.trim_start_matches([' ', '×', '│']))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A lab that runs as a child of this program, and ends with it.
struct Lab {
    child: Child,
    folder: PathBuf,
    told: Told,
}

impl Lab {
    fn start(folder: &Path, plan: &Plan) -> Result<Self, CommandError> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "lab",
                "run",
                "inventory.json",
                "--json",
                "--until-stdin-closes",
                "--name",
                "rehearsal",
            ])
            .args(["--now", &plan.made.to_string()])
            .current_dir(folder)
            .env("EXSEAL_LABS", folder.join("labs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut text = String::new();
        if let Some(out) = child.stdout.take() {
            for line in std::io::BufReader::new(out).lines() {
                let line = line?;
                text.push_str(&line);
                text.push('\n');
                if line == "}" {
                    break;
                }
            }
        }
        match serde_json::from_str(&text) {
            Ok(told) => Ok(Self {
                child,
                folder: folder.to_owned(),
                told,
            }),
            Err(_) => {
                let _ = child.kill();
                let output = child.wait_with_output()?;
                let why = spoken(&output.stderr);
                Err(CommandError::fixable(format!("the lab did not start: {why}")))
            }
        }
    }

    fn command(&self) -> Result<Command, CommandError> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .current_dir(&self.folder)
            .env("EXSEAL_LABS", self.folder.join("labs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command)
    }

    /// Runs a command of this program against the lab.
    fn exseal(&self, arguments: &[&str]) -> Result<std::process::Output, CommandError> {
        let mut command = self.command()?;
        command
            .args(arguments)
            .args(["--connect", "connect.toml", "--password-stdin"]);
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            let password = self.told.users.first().map_or("", |user| user.password.as_str());
            writeln!(stdin, "{password}")?;
            // Backups of stand-ins, which end with the rehearsal.
            writeln!(stdin, "rehearsed")?;
        }
        Ok(child.wait_with_output()?)
    }

    fn order(&self, order: &[&str]) -> Result<(), CommandError> {
        let mut command = self.command()?;
        command.args(["lab", "do", "--lab", "rehearsal"]).args(order);
        let output = command.output()?;
        if output.status.success() {
            Ok(())
        } else {
            Err(CommandError::fixable(format!(
                "the lab refused: {}",
                spoken(&output.stderr)
            )))
        }
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end();
    }
}

type Watched = (u64, Vec<String>);

/// Shakes hands with the https ports all the time, as a client that checks nothing; ports that do not answer before are
/// not watched.
fn watch(lab: &Lab, over: Arc<AtomicBool>) -> Option<std::thread::JoinHandle<Watched>> {
    use exseal_probe::{Options, Outcome as Seen, Override, Target};
    let mut options = Options::default();
    let mut targets = Vec::new();
    for server in &lab.told.servers {
        for port in server.ports.iter().filter(|port| matches!(port.port, 443 | 444)) {
            let target = Target::new(server.fqdn.clone(), port.port);
            let place = format!("{}:{}", server.address, port.at).parse().ok()?;
            options.overrides.insert(
                format!("{}:{}", target.host, target.port),
                Override::Socket(place),
            );
            targets.push(target);
        }
    }
    let policy = exseal_engine::Policy::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    Some(std::thread::spawn(move || {
        let (mut count, mut failed, mut watched) = (0, Vec::new(), None);
        loop {
            let mut seen = Vec::new();
            let now = jiff::Timestamp::now();
            let all: &Vec<Target> = watched.as_ref().unwrap_or(&targets);
            let looking =
                exseal_probe::probe_each(all.clone(), options.clone(), policy.clone(), now, |_, one| {
                    seen.push(one);
                });
            runtime.block_on(looking);
            let answers = |outcome: &Seen| matches!(outcome, Seen::Presented);
            if watched.is_none() {
                let first = seen.iter().filter(|one| answers(&one.outcome));
                watched = Some(first.map(|one| one.target.clone()).collect());
            }
            for one in &seen {
                if answers(&one.outcome) {
                    count += 1;
                } else if watched.as_ref().is_some_and(|own| own.contains(&one.target)) {
                    failed.push(format!(
                        "{}:{}: {}",
                        one.target.host, one.target.port, one.outcome
                    ));
                }
            }
            if over.load(Ordering::Relaxed) {
                return (count, failed);
            }
        }
    }))
}

fn text(rehearsed: &Rehearsed) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}",
        styled(
            BOLD,
            &format!(
                "rehearsal of plan {}, in a simulated organisation",
                rehearsed.plan
            )
        )
    );
    for run in &rehearsed.runs {
        let what = match (&run.fault, &run.at) {
            (Some(fault), Some(at)) => format!("{fault} at {at}"),
            _ => "undisturbed".to_owned(),
        };
        let how = match (run.applied, run.verified) {
            (true, true) if run.resumed > 0 => {
                format!("resumed {} times, then carried out and proven", run.resumed)
            }
            (true, true) => "carried out and proven".to_owned(),
            (true, false) => "carried out, and NOT as it should be".to_owned(),
            (false, _) => "STOPPED".to_owned(),
        };
        let met = match run.met {
            0 => String::new(),
            1 => ", one call failed".to_owned(),
            more => format!(", {more} calls failed"),
        };
        let _ = writeln!(out, "  {what}: {how}{met}");
        let noticed = if run.failed.is_empty() {
            "none failed".to_owned()
        } else {
            format!("{} failed: {}", run.failed.len(), run.failed.join("; "))
        };
        let _ = writeln!(
            out,
            "    a client shook hands {} times meanwhile, {noticed}",
            run.handshakes
        );
        if !run.said.is_empty() {
            let _ = writeln!(out, "    {}", run.said);
        }
    }
    if !rehearsed.left_out.is_empty() {
        let _ = writeln!(out, "not shown in the lab:");
        for one in &rehearsed.left_out {
            let _ = writeln!(out, "  {one}");
        }
    }
    if !rehearsed.assumed.is_empty() {
        let _ = writeln!(
            out,
            "assumed, because the inventory does not show it: {} values (--json lists them)",
            rehearsed.assumed.len()
        );
    }
    out
}
