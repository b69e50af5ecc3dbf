//! `cargo xtask page`: the report as people will see it, in headless Chromium, judged by axe-core.
//!
//! A peer nobody can carry along: Chromium comes from Debian, axe-core from npm. interop/report_in_chromium.py does the looking.

use std::path::PathBuf;

use clap::Args;

use crate::{Failure, Result, setup, workspace};

/// The release of axe-core that is asked.
const AXE: &str = "axe-core@4";

/// Arguments of `cargo xtask page`.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// axe.min.js of axe-core, where npm is not to fetch it
    #[arg(long, value_name = "FILE")]
    axe: Option<PathBuf>,

    /// Where pages, screenshots and prints go
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Makes reports of 1, 10 and 200 servers and looks at each light and dark, wide and narrow.
///
/// # Errors
///
/// When axe-core finds something serious, a page is above 3 MB or wider than its window, or Chromium, Python or npm is not there.
pub(crate) fn run(args: &PageArgs) -> Result {
    println!("{}", look(args.axe.clone(), args.out.clone())?);
    Ok(())
}

/// As [`run`]; says where the screenshots are.
pub(crate) fn look(axe: Option<PathBuf>, out: Option<PathBuf>) -> Result<String> {
    setup::program("chromium", &["--version"], "chromium")?;
    let axe = match axe {
        Some(axe) => axe,
        None => fetched()?,
    };
    let out = out.unwrap_or_else(|| workspace::target().join("page"));
    workspace::run(
        workspace::command("python3")
            .arg("interop/report_in_chromium.py")
            .arg(setup::exseal()?)
            .arg(axe)
            .arg(&out),
    )?;
    Ok(format!("screenshots and prints are in {}", out.display()))
}

/// axe-core from npm, kept in the target folder.
///
/// # Errors
///
/// npm is missing or brought none.
pub(crate) fn fetched() -> Result<PathBuf> {
    let folder = workspace::target().join("axe");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.is_file() {
        std::fs::create_dir_all(&folder)?;
        workspace::run(
            workspace::command("npm")
                .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
                .arg(&folder)
                .arg(AXE),
        )?;
    }
    if file.is_file() {
        Ok(file)
    } else {
        Err(Failure::new(format!(
            "npm brought no {}: give it with --axe",
            file.display()
        )))
    }
}
