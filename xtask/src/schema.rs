//! `cargo xtask schema`: the JSON schemas in `docs/schema/`, generated from the types.
//!
//! The program itself writes them (`exseal schema --all`), so what is published is what it was built from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::Args;

use crate::{Failure, Result, setup, workspace};

/// Arguments of `cargo xtask schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Write nothing; fail where a committed schema differs
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &SchemaArgs) -> Result {
    if args.check {
        println!("{}", check()?);
        return Ok(());
    }

    let folder = workspace::root().join("docs/schema");
    fs::create_dir_all(&folder)?;
    let wanted = wanted()?;
    for name in committed()?.keys().filter(|name| !wanted.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    for (name, text) in &wanted {
        fs::write(folder.join(name), text)?;
        println!("docs/schema/{name}");
    }
    Ok(())
}

/// Compares the committed schemas with those of the types.
///
/// # Errors
///
/// Names each schema that is missing, differs, or belongs to no type any more.
pub(crate) fn check() -> Result<String> {
    let wanted = wanted()?;
    let committed = committed()?;
    let mut wrong = Vec::new();
    for (name, text) in &wanted {
        match committed.get(name) {
            Some(found) if found == text => {}
            Some(_) => wrong.push(format!("docs/schema/{name} differs from the types")),
            None => wrong.push(format!("docs/schema/{name} is missing")),
        }
    }
    for name in committed.keys().filter(|name| !wanted.contains_key(*name)) {
        wrong.push(format!("docs/schema/{name} belongs to no type"));
    }

    if wrong.is_empty() {
        Ok(format!("{} schemas as generated", wanted.len()))
    } else {
        wrong.push("run `cargo xtask schema` and commit what it writes".to_owned());
        Err(Failure::new(wrong.join("\n")))
    }
}

/// The schemas of the types by file name, as the program writes them.
fn wanted() -> Result<BTreeMap<String, String>> {
    let folder = workspace::target().join("schema");
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    workspace::capture(
        workspace::command(setup::exseal()?)
            .args(["schema", "--all"])
            .arg(&folder),
    )?;
    schemas(&folder)
}

/// The committed schemas by file name.
fn committed() -> Result<BTreeMap<String, String>> {
    schemas(&workspace::root().join("docs/schema"))
}

/// The JSON files of a folder by name; a folder that is missing holds none.
fn schemas(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.ends_with(".json") {
                found.insert(name, fs::read_to_string(path)?);
            }
        }
    }
    Ok(found)
}
