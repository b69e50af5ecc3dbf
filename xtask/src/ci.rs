//! `cargo xtask ci`: every check there is, each with its name, its result and its seconds.
//!
//! A check that cannot be made here (no recorded exports beside the checkout, no database of
//! advisories) is printed as such at the end; under `CI=true` missing exports are a failure.

mod steps;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use clap::Args;

use crate::{Failure, Result};
use steps::STEPS;

/// Arguments of `cargo xtask ci`.
#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Run only this step; may be given several times
    #[arg(long, value_name = "STEP", value_parser = step_name)]
    only: Vec<String>,
    /// Leave this step out; may be given several times
    #[arg(long, value_name = "STEP", value_parser = step_name)]
    skip: Vec<String>,
    /// Print the names of all steps and what each checks
    #[arg(long)]
    list: bool,
}

/// One check of the list in [`steps`].
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn() -> Result<Passed>,
}

/// What a check that passed has to say.
#[derive(Debug, Default)]
struct Passed {
    /// Counts, for the summary.
    words: String,
    /// Parts of the check that could not be made here, and why.
    not_checked: Vec<String>,
}

impl From<String> for Passed {
    fn from(words: String) -> Self {
        Self {
            words,
            not_checked: Vec::new(),
        }
    }
}

/// A step that was run.
struct Done {
    name: &'static str,
    took: Duration,
    outcome: Result<Passed>,
}

pub(crate) fn run(args: &CiArgs) -> Result {
    if args.list {
        for step in STEPS {
            println!("{:<15} {}", step.name, step.what);
        }
        return Ok(());
    }

    let chosen = |step: &&Step| {
        let named = |names: &[String]| names.iter().any(|name| name == step.name);
        (args.only.is_empty() || named(&args.only)) && !named(&args.skip)
    };
    let mut done = Vec::new();
    for step in STEPS.iter().filter(chosen) {
        println!("==> {}: {}", step.name, step.what);
        io::stdout().flush()?;
        let begun = Instant::now();
        let outcome = (step.run)();
        let took = begun.elapsed();
        if let Err(Failure(words)) = &outcome {
            println!("{words}");
        }
        done.push(Done {
            name: step.name,
            took,
            outcome,
        });
    }

    println!("\n{}", summary(&done));
    let failed: Vec<&str> = done
        .iter()
        .filter(|step| step.outcome.is_err())
        .map(|step| step.name)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("failed: {}", failed.join(", "))))
    }
}

/// One line a step, then what was not checked, then the count.
fn summary(done: &[Done]) -> String {
    let mut text = String::new();
    let mut total = Duration::ZERO;
    let mut failed = 0;
    for step in done {
        total += step.took;
        let (result, words) = match &step.outcome {
            Ok(passed) => ("ok", passed.words.as_str()),
            Err(Failure(words)) => {
                failed += 1;
                ("FAILED", words.lines().next().unwrap_or_default())
            }
        };
        let seconds = step.took.as_secs_f64();
        let line = format!("{:<15} {result:<6} {seconds:>7.1} s  {words}", step.name);
        let _ = writeln!(text, "{}", line.trim_end());
    }

    for step in done {
        for part in step.outcome.iter().flat_map(|passed| &passed.not_checked) {
            let _ = writeln!(text, "not checked: {part} ({})", step.name);
        }
    }

    let _ = write!(
        text,
        "{} steps in {:.0} s\nsteps: {} passed, {failed} failed",
        done.len(),
        total.as_secs_f64(),
        done.len() - failed
    );
    text
}

fn step_name(name: &str) -> std::result::Result<String, String> {
    if STEPS.iter().any(|step| step.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    Err(format!("expected one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_each_step_its_failure_and_what_was_not_checked() {
        let passed = Passed {
            words: "7 facts".to_owned(),
            not_checked: vec!["advisories: no database at hand".to_owned()],
        };
        let done = [
            Done {
                name: "facts",
                took: Duration::from_millis(1500),
                outcome: Ok(passed),
            },
            Done {
                name: "lint",
                took: Duration::from_secs(2),
                outcome: Err(Failure::new("two lints\nsecond line")),
            },
        ];

        assert_eq!(
            summary(&done),
            "facts           ok         1.5 s  7 facts\n\
             lint            FAILED     2.0 s  two lints\n\
             not checked: advisories: no database at hand (facts)\n\
             2 steps in 4 s\n\
             steps: 1 passed, 1 failed"
        );
    }

    #[test]
    fn a_step_that_does_not_exist_is_refused_with_the_names_of_those_that_do() {
        let words = step_name("formatting").expect_err("there is no such step");
        assert!(words.contains("format, "), "{words}");
    }

    #[test]
    fn steps_have_names_of_their_own() {
        let mut names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
