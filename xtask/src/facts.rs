//! `cargo xtask facts`: holds the program to what is known about the recorded exports.
//!
//! Three parts: the facts of `expected.json` about the JSON of the commands; what HealthChecker's own
//! result files hold; and CLIXML without loss, against what PowerShell and psrpcore say.

mod clixml;
mod evaluate;
mod healthchecker;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Failure, Result, setup, workspace};
pub(crate) use clixml::files as clixml_files;
use evaluate::{Expectation, Kinds};

/// Arguments of `cargo xtask facts`.
#[derive(Debug, Args)]
pub(crate) struct FactsArgs {
    /// The folder of recorded exports [default: ../shared/fixtures]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// The file of facts [default: expected.json in that folder]
    #[arg(long, value_name = "FILE")]
    expected: Option<PathBuf>,
}

/// The file of facts, as far as it is read here.
#[derive(Debug, Deserialize)]
struct Expected {
    format: u32,
    facts: Vec<Fact>,
}

#[derive(Debug, Deserialize)]
struct Fact {
    id: String,
    #[serde(flatten)]
    look: Look,
    #[serde(flatten)]
    expectation: Expectation,
}

/// What to run; facts of one look share a run of the program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Look {
    command: Command,
    files: Vec<PathBuf>,
    /// RFC 3339; left out where time plays no part.
    now: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Command {
    Inspect,
    Diagnose,
    AuthStatus,
}

impl Look {
    /// The arguments of `exseal` for this look, files below `fixtures`.
    fn arguments(&self, fixtures: &Path) -> Vec<PathBuf> {
        let (words, from): (&[&str], bool) = match self.command {
            Command::Inspect => (&["inspect"], false),
            Command::Diagnose => (&["diagnose"], true),
            Command::AuthStatus => (&["auth", "status", "--policy", "baseline"], true),
        };
        let mut arguments: Vec<PathBuf> = words.iter().map(PathBuf::from).collect();
        arguments.extend(from.then(|| "--from".into()));
        arguments.extend(self.files.iter().map(|file| fixtures.join(file)));
        if let Some(now) = &self.now {
            arguments.extend(["--now".into(), now.into()]);
        }
        arguments.push("--json".into());
        arguments
    }
}

/// How much of a part was held.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) held: usize,
    /// One line for each that was not.
    pub(crate) failed: Vec<String>,
}

impl Tally {
    fn count(&mut self, id: impl FnOnce() -> String, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.held += 1,
            Err(words) => self.failed.push(format!("{}: {words}", id())),
        }
    }

    fn total(&self) -> usize {
        self.held + self.failed.len()
    }
}

pub(crate) fn run(args: &FactsArgs) -> Result {
    let fixtures = workspace::required_fixtures(args.fixtures.as_deref())?;
    let expected = args
        .expected
        .clone()
        .unwrap_or_else(|| fixtures.join("expected.json"));
    let held = check(&fixtures, &expected)?;
    for part in held.not_checked {
        println!("not checked: {part}");
    }
    Ok(())
}

/// The parts of the check, and what could not be checked here.
#[derive(Debug, Default)]
pub(crate) struct Held {
    parts: Vec<(&'static str, Tally)>,
    pub(crate) not_checked: Vec<String>,
}

impl Held {
    /// `held/total` of each part.
    pub(crate) fn words(&self) -> String {
        let words = |(name, tally): &(&str, Tally)| format!("{name} {}/{}", tally.held, tally.total());
        self.parts.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

/// Holds every part and prints `held/total` of each.
///
/// # Errors
///
/// Lists each fact that is not held.
pub(crate) fn check(fixtures: &Path, expected: &Path) -> Result<Held> {
    let program = setup::exseal()?;
    let mut held = Held::default();
    held.parts.push(("facts", facts(&program, fixtures, expected)?));
    let results = fixtures.join("healthchecker");
    if results.is_dir() {
        held.parts
            .push(("HealthChecker", healthchecker::check(&program, &results)?));
    }
    clixml::check(fixtures, &mut held)?;

    let mut failed = Vec::new();
    for (name, tally) in &held.parts {
        println!("{name}: {}/{}", tally.held, tally.total());
        failed.extend(&tally.failed);
    }
    if failed.is_empty() {
        return Ok(held);
    }
    let list: Vec<&str> = failed.iter().map(|line| line.as_str()).collect();
    Err(Failure::new(format!(
        "{} not held\n{}",
        list.len(),
        list.join("\n")
    )))
}

fn facts(program: &Path, fixtures: &Path, expected: &Path) -> Result<Tally> {
    let expected: Expected = read_json(expected)?;
    if expected.format != 1 {
        return Err(Failure::new(format!(
            "expected facts of format 1, found {}",
            expected.format
        )));
    }
    let kinds: Kinds = read_json(&workspace::root().join("interop/finding-kinds.json"))?;

    let mut looks: BTreeMap<Look, Vec<&Fact>> = BTreeMap::new();
    for fact in &expected.facts {
        looks.entry(fact.look.clone()).or_default().push(fact);
    }
    let arguments: Vec<Vec<PathBuf>> = looks.keys().map(|look| look.arguments(fixtures)).collect();
    let documents = documents(program, &arguments);

    let mut outcomes: BTreeMap<&str, Result<(), String>> = BTreeMap::new();
    for (document, facts) in documents.iter().zip(looks.values()) {
        for fact in facts {
            let outcome = match document {
                Ok(document) => fact.expectation.check(document, &kinds).map_err(|found| {
                    let Expectation { at, op, value } = &fact.expectation;
                    let value = value.as_ref().map(evaluate::shown).unwrap_or_default();
                    format!("expected {at} {op:?} {value}; {found}")
                }),
                Err(Failure(words)) => Err(words.clone()),
            };
            outcomes.insert(&fact.id, outcome);
        }
    }

    let mut tally = Tally::default();
    for fact in &expected.facts {
        let outcome = outcomes
            .remove(fact.id.as_str())
            .unwrap_or_else(|| Err("its id is there twice".to_owned()));
        tally.count(|| fact.id.clone(), outcome);
    }
    Ok(tally)
}

/// Runs the program once for each list of arguments, on all cores, and reads its JSON; in their order.
fn documents(program: &Path, arguments: &[Vec<PathBuf>]) -> Vec<Result<Value>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(arguments) = arguments.get(at) else {
                return done;
            };
            done.push((at, document(program, arguments)));
        }
    };
    let mut done = thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut done = Vec::new();
        for worker in started {
            done.extend(
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, document)| document).collect()
}

/// Runs the program and reads the JSON it prints.
fn document(program: &Path, arguments: &[PathBuf]) -> Result<Value> {
    let mut command = workspace::command(program);
    command.args(arguments);
    let output = workspace::capture(&mut command)?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::new(format!("{} printed no JSON: {error}", workspace::words(&command))))
}

/// Reads a JSON file; an error names it.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let words = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
    let bytes = fs::read(path).map_err(|error| words(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| words(&error))
}
