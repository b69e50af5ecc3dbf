//! `cargo xtask coverage`: which check shows which situation and which pain, or why files cannot show it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use clap::Args;
use exseal_engine::checks::ALL;
use serde::Deserialize;

use crate::{Failure, Result, workspace};

/// Numbers of facts/scenarios.md and of facts/peers-and-pains.md §2.
const SCENARIOS: u8 = 79;
const PAINS: u8 = 48;

/// What is told where no check is named: another part of exseal, or the reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    scenario: BTreeMap<String, String>,
    pain: BTreeMap<String, String>,
}

/// Arguments of `cargo xtask coverage`.
#[derive(Debug, Args)]
pub(crate) struct CoverageArgs {
    /// Compare the committed page instead of writing it
    #[arg(long)]
    check: bool,
}

/// Writes docs/coverage.md, or compares it.
pub(crate) fn run(args: &CoverageArgs) -> Result {
    if args.check {
        println!("{}", check()?);
        return Ok(());
    }
    fs::write(workspace::root().join("docs/coverage.md"), page()?)?;
    println!("docs/coverage.md written");
    Ok(())
}

/// Compares the committed page with what the checks say.
pub(crate) fn check() -> Result<String> {
    let committed = fs::read_to_string(workspace::root().join("docs/coverage.md")).unwrap_or_default();
    if committed.replace("\r\n", "\n") != page()? {
        return Err(Failure::new(
            "docs/coverage.md is not what `cargo xtask coverage` writes; run it and commit the page",
        ));
    }
    Ok(format!(
        "{SCENARIOS} situations and {PAINS} pains, each with its checks or the reason"
    ))
}

fn page() -> Result<String> {
    let told: Told = toml::from_str(include_str!("../data/coverage.toml"))
        .map_err(|error| Failure::new(format!("xtask/data/coverage.toml: {error}")))?;
    let mut page = String::from(
        "# What the checks cover\n\nMade by `cargo xtask coverage`. Numbers are those of the lists of situations from the field and of other tools' users' \
         pains.\nA number has the checks that show it from files, or the reason why files cannot.\n",
    );
    section(&mut page, "Situations", SCENARIOS, &told.scenario, |check| {
        check.scenarios
    })?;
    section(&mut page, "Pains", PAINS, &told.pain, |check| check.pains)?;
    Ok(page)
}

fn section(
    page: &mut String,
    title: &str,
    last: u8,
    told: &BTreeMap<String, String>,
    of: impl Fn(&exseal_engine::checks::Check) -> &'static [u8],
) -> Result<()> {
    let _ = write!(
        page,
        "\n## {title}\n\n| number | shown by, or why not |\n|---|---|\n"
    );
    let mut missing = Vec::new();
    for number in 1..=last {
        let checks: Vec<String> = ALL
            .iter()
            .filter(|check| of(check).contains(&number))
            .map(|check| format!("[{0}](findings/{0}.md)", check.name))
            .collect();
        let reason = told.get(&number.to_string());
        let mut cells = checks;
        cells.extend(reason.cloned());
        if cells.is_empty() {
            missing.push(number.to_string());
        }
        let _ = writeln!(page, "| {number} | {} |", cells.join(", "));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{title} without a check and without a reason (xtask/data/coverage.toml): {}",
        missing.join(", ")
    )))
}
