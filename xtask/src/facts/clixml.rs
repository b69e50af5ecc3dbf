//! CLIXML without loss: what was read, against what PowerShell wrote about it before serialising.

use std::path::Path;

use super::Tally;
use crate::{Failure, Result, truth};

/// Holds every value that carries a `Truth`.
///
/// # Errors
///
/// The folder or a file of it could not be read at all.
pub(super) fn check(fixtures: &Path) -> Result<Vec<(&'static str, Tally)>> {
    let recorded = fixtures.join("powershell/clixml");
    if !recorded.is_dir() {
        return Ok(Vec::new());
    }

    let held = truth::check_folder(&recorded).map_err(Failure::new)?;
    if held.lost_by_the_writer > 0 {
        println!(
            "truths that an ASCII file no longer holds: {}",
            held.lost_by_the_writer
        );
    }
    Ok(vec![(
        "truths",
        Tally {
            held: held.held,
            failed: held.failed,
        },
    )])
}
