//! CLIXML without loss: what was read, against what PowerShell wrote about it before serialising, and
//! against what psrpcore reads, value by value.

use std::fs;
use std::path::{Path, PathBuf};

use exseal_psrp::clixml::decode_bytes;
use serde::Deserialize;

use super::{Held, Tally};
use crate::{Failure, Result, setup, truth, workspace};

/// Holds every value that carries a `Truth`, and every CLIXML file below `fixtures` against psrpcore.
///
/// # Errors
///
/// A folder could not be read at all, or, in CI, psrpcore could not be installed.
pub(super) fn check(fixtures: &Path, held: &mut Held) -> Result {
    let recorded = fixtures.join("powershell/clixml");
    if recorded.is_dir() {
        let truths = truth::check_folder(&recorded).map_err(Failure::new)?;
        if truths.lost_by_the_writer > 0 {
            println!(
                "truths that an ASCII file no longer holds: {}",
                truths.lost_by_the_writer
            );
        }
        held.parts.push((
            "truths",
            Tally {
                held: truths.held,
                failed: truths.failed,
            },
        ));
    }

    match setup::python(&[setup::PSRPCORE]) {
        Ok(programs) => held
            .parts
            .push(("files as psrpcore reads them", equal(fixtures, &programs)?)),
        Err(failure) if workspace::is_ci() => return Err(failure),
        Err(Failure(words)) => held
            .not_checked
            .push(format!("psrpcore: it could not be installed: {words}")),
    }
    Ok(())
}

/// What the comparison prints.
#[derive(Debug, Deserialize)]
struct Report {
    equal: usize,
    values: usize,
    unread_by_psrpcore: Vec<String>,
}

/// Compares every CLIXML file below `fixtures`; one is held when all of its values are equal.
fn equal(fixtures: &Path, programs: &Path) -> Result<Tally> {
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--quiet",
        "--package",
        "exseal-psrp",
        "--example",
        "clixml-dump",
    ]);
    workspace::run(&mut build)?;

    let mut compare = workspace::command(programs.join("python"));
    compare
        .arg("interop/psrpcore_equal.py")
        .arg(workspace::target().join("debug/examples/clixml-dump"));
    compare.args(files(fixtures)?);
    let output = compare.output()?;
    let report: Report = serde_json::from_slice(&output.stdout).map_err(|error| {
        Failure::new(format!(
            "psrpcore_equal.py: {error}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    })?;

    println!("psrpcore: {} values compared", report.values);
    for unread in &report.unread_by_psrpcore {
        println!("psrpcore cannot read {unread}");
    }
    let different = String::from_utf8_lossy(&output.stderr)
        .lines()
        .map(ToOwned::to_owned)
        .collect();
    Ok(Tally {
        held: report.equal,
        failed: different,
    })
}

/// Every file below `folder` that holds `<Objs`, in whatever encoding, in the order of their paths.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "xml") {
                let bytes = fs::read(&path)?;
                if decode_bytes(&bytes).is_ok_and(|text| text.contains("<Objs")) {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    Ok(found)
}
