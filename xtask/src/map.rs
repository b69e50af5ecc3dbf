//! `cargo xtask map`: every crate is on the map of ARCHITECTURE.md, and the map names no other.

use std::collections::BTreeSet;
use std::fs;

use clap::Args;

use crate::{Failure, Result, edges, workspace};

/// Arguments of `cargo xtask map`.
#[derive(Debug, Args)]
pub(crate) struct MapArgs {}

pub(crate) fn run(_: &MapArgs) -> Result {
    let checked = check()?;
    println!("{checked}");
    Ok(())
}

/// Compares the crates of the workspace with the headings ``### `crate` `` of ARCHITECTURE.md.
///
/// # Errors
///
/// Names each crate that has no heading, and each heading that has no crate.
pub(crate) fn check() -> Result<String> {
    let text = fs::read_to_string(workspace::root().join("ARCHITECTURE.md"))?;
    let crates: BTreeSet<String> = edges::crates()?.into_iter().map(|found| found.name).collect();
    let wrong = differences(&crates, &text);
    if wrong.is_empty() {
        Ok(format!("{} crates on the map", crates.len()))
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

fn differences(crates: &BTreeSet<String>, text: &str) -> Vec<String> {
    let drawn: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();

    let missing = crates
        .difference(&drawn)
        .map(|name| format!("{name} is not on the map of ARCHITECTURE.md"));
    let gone = drawn
        .difference(crates)
        .map(|name| format!("the map names {name}, which is no crate"));
    missing.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_is_not_on_the_map_is_named_and_so_is_a_heading_without_a_crate() {
        let crates = BTreeSet::from(["exseal-model".to_owned(), "exseal-new".to_owned()]);

        let wrong = differences(
            &crates,
            "## Map\n### `exseal-model`: the nouns\n### `exseal-old`: gone\n",
        );

        assert_eq!(
            wrong,
            [
                "exseal-new is not on the map of ARCHITECTURE.md",
                "the map names exseal-old, which is no crate"
            ]
        );
    }

    #[test]
    fn every_crate_is_on_the_map() {
        check().unwrap_or_else(|Failure(words)| panic!("{words}"));
    }
}
