//! `cargo xtask edges`: crates depend on each other only as ARCHITECTURE.md draws, and quiet rooms
//! stay quiet.
//!
//! The arrows are read from ARCHITECTURE.md itself, so that the drawing and the check cannot differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::{Failure, Result, workspace};

/// Arguments of `cargo xtask edges`.
#[derive(Debug, Args)]
pub(crate) struct EdgesArgs {}

/// The line that opens the block of arrows in ARCHITECTURE.md.
const ARROWS: &str = "```text arrows";

/// What a quiet room never touches, and what it takes as an argument instead.
const LOUD: &[(&str, &str)] = &[
    ("std::fs", "bytes as an argument"),
    ("std::net", "bytes as an argument"),
    ("std::env", "a value as an argument"),
    ("std::process", "nothing: it starts no programs"),
    ("std::thread", "nothing: whoever calls it decides about threads"),
    ("SystemTime::now", "`now` as an argument"),
    ("Instant::now", "`now` as an argument"),
    ("Timestamp::now", "`now` as an argument"),
    ("Zoned::now", "`now` as an argument"),
    ("rand::", "ids as arguments"),
    ("getrandom::", "ids as arguments"),
];

/// The drawn arrows: a crate, and the crates it may name directly.
type Arrows = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn run(_: &EdgesArgs) -> Result {
    let checked = check()?;
    println!("{checked}");
    Ok(())
}

/// Checks arrows and quiet rooms; returns what was checked, in words.
///
/// # Errors
///
/// Names every dependency that is not drawn, and every place where a quiet room is not quiet.
pub(crate) fn check() -> Result<String> {
    let text = fs::read_to_string(workspace::root().join("ARCHITECTURE.md"))?;
    let (arrows, quiet) = read_arrows(&text)?;
    let crates = crates()?;

    let mut wrong = Vec::new();
    let mut edges = 0;
    for found in &crates {
        let reachable = reachable(&arrows, &found.name);
        for dependency in found
            .dependencies
            .iter()
            .filter(|name| name.starts_with("exseal"))
        {
            edges += 1;
            if !reachable.contains(dependency) {
                wrong.push(format!(
                    "{} -> {dependency} is not drawn in ARCHITECTURE.md",
                    found.name
                ));
            }
        }
        if quiet.contains(&found.name) {
            loud_places(&found.folder, &mut wrong)?;
        }
    }

    if wrong.is_empty() {
        Ok(format!(
            "{edges} dependencies as drawn, {} quiet rooms quiet",
            quiet.len()
        ))
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

/// A crate of the workspace below `crates/`.
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Names of all kinds of dependencies: normal, build and dev.
    dependencies: Vec<String>,
}

/// The crates of `crates/`, by name.
pub(crate) fn crates() -> Result<Vec<Crate>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
        dependencies: Vec<Dependency>,
    }
    #[derive(Deserialize)]
    struct Dependency {
        name: String,
    }

    let output =
        workspace::capture(workspace::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let mut crates: Vec<Crate> = metadata
        .packages
        .into_iter()
        .filter(|package| package.name != "xtask")
        .map(|package| Crate {
            name: package.name,
            folder: package
                .manifest_path
                .parent()
                .map(Path::to_path_buf)
                .unwrap_or_default(),
            dependencies: package
                .dependencies
                .into_iter()
                .map(|dependency| dependency.name)
                .collect(),
        })
        .collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(crates)
}

/// Reads the block of arrows: `crate -> a b c`, where a star behind the crate means a quiet room.
fn read_arrows(text: &str) -> Result<(Arrows, BTreeSet<String>)> {
    let mut lines = text.lines().skip_while(|line| *line != ARROWS).skip(1).peekable();
    if lines.peek().is_none() {
        return Err(Failure::new(format!(
            "expected a block `{ARROWS}` in ARCHITECTURE.md, found none"
        )));
    }

    let mut arrows = Arrows::new();
    let mut quiet = BTreeSet::new();
    for line in lines.take_while(|line| *line != "```") {
        let (from, to) = line.split_once("->").unwrap_or((line, ""));
        let from = from.trim();
        let name = from.trim_end_matches('*');
        if name.is_empty() {
            continue;
        }
        if name != from {
            quiet.insert(name.to_owned());
        }
        arrows.insert(
            name.to_owned(),
            to.split_whitespace().map(ToOwned::to_owned).collect(),
        );
    }
    Ok((arrows, quiet))
}

/// Every crate that can be reached from `from` along the arrows; never `from` itself.
fn reachable(arrows: &Arrows, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        for next in arrows.get(&name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached.remove(from);
    reached
}

/// Adds a line to `wrong` for each place below `folder/src` that touches the outside world.
///
/// What follows the first `#[cfg(test)]` of a file is left out, and so are files named `tests.rs`.
fn loud_places(folder: &Path, wrong: &mut Vec<String>) -> Result {
    for file in rust_files(&folder.join("src"))? {
        if file.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        for (number, line) in text
            .lines()
            .enumerate()
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        {
            let code = line.split("//").next().unwrap_or_default();
            for (word, instead) in LOUD.iter().filter(|(word, _)| code.contains(word)) {
                let place = file.strip_prefix(workspace::root()).unwrap_or(&file).display();
                wrong.push(format!(
                    "{place}:{}: `{word}` in a quiet room; it takes {instead}",
                    number + 1
                ));
            }
        }
    }
    Ok(())
}

/// All `.rs` files below `folder`, sorted.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWN: &str = "# Map\n```text arrows\nprogram -> adapter\nadapter -> engine wire\nengine* -> model\nmodel*\nwire*\n```\nend\n";

    #[test]
    fn arrows_are_followed_all_the_way_down_and_never_up() {
        let (arrows, quiet) = read_arrows(DRAWN).expect("the block is there");

        let below: Vec<String> = reachable(&arrows, "adapter").into_iter().collect();
        assert_eq!(below, ["engine", "model", "wire"]);
        assert!(reachable(&arrows, "model").is_empty());
        assert!(!reachable(&arrows, "engine").contains("adapter"));
        assert_eq!(quiet.into_iter().collect::<Vec<_>>(), ["engine", "model", "wire"]);
    }

    #[test]
    fn a_map_without_arrows_is_an_error() {
        assert!(read_arrows("# Map\nnothing drawn\n").is_err());
    }

    #[test]
    fn a_clock_in_a_quiet_room_is_found_but_not_in_its_tests() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("src");
        fs::create_dir(&source).expect("src");
        let text = "fn now() { Timestamp::now() }\n// std::fs in a comment\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        fs::write(source.join("lib.rs"), text).expect("lib.rs");

        let mut wrong = Vec::new();
        loud_places(folder.path(), &mut wrong).expect("the folder is read");

        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("lib.rs:1: `Timestamp::now`"), "{wrong:?}");
    }

    #[test]
    fn the_workspace_is_as_drawn() {
        check().unwrap_or_else(|Failure(words)| panic!("{words}"));
    }
}
