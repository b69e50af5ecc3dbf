//! `cargo xtask replay`: recordings of real PowerShell are played into both halves of `exseal-psrp`.
//!
//! Each recording is one session line by line, with client and server both real. The server's lines go into our
//! client, which is asked for what the recorded client asked; the client's lines go into our server, which says what
//! the recorded server said. Compared are: the sequence of messages with `summary.json`, values with the `Truth`
//! PowerShell wrote beside them, what our client writes with what PowerShell's wrote, field by field, and all of it
//! again in random cuts, ended behind every line, and with every line doubled or left out.

mod asked;
mod recording;
mod same;
mod served;
mod sweep;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{Failure, Result, workspace};
use recording::Recording;

/// Arguments of `cargo xtask replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recordings [default: powershell/recordings of the fixtures]
    folder: Option<PathBuf>,
    /// Print the differences between the clients that are expected, with their counts
    #[arg(long)]
    differences: bool,
}

/// What one recording showed.
#[derive(Debug, Default)]
struct Shown {
    lines: usize,
    messages: usize,
    /// Values equal to their truth.
    truths: usize,
    /// Secure strings decrypted with the recorded key.
    secrets: usize,
    /// Secure strings for which nobody ever got a key.
    sealed: usize,
    /// Client messages written the same.
    written: usize,
    /// Ends and faults tried.
    faults: usize,
    /// What differs where it must not.
    failed: Vec<String>,
}

impl Shown {
    fn fail(&mut self, words: impl Into<String>) {
        let words = words.into();
        if !self.failed.contains(&words) {
            self.failed.push(words);
        }
    }
}

pub(crate) fn run(args: &ReplayArgs) -> Result {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => workspace::required_fixtures(None)?.join("powershell/recordings"),
    };
    let differences = check(&folder, true)?;
    if args.differences {
        println!("\nExpected differences between PowerShell's client and ours:");
        for (words, count) in &differences.counts {
            println!("{count:>6}  {words}");
        }
    }
    Ok(())
}

/// Replays every recording of a folder; returns the expected differences found.
///
/// # Errors
///
/// Every difference that is not expected, one a line.
pub(crate) fn check(folder: &Path, print: bool) -> Result<same::Differences> {
    let recordings = recording::read_folder(folder)?;
    if recordings.is_empty() {
        return Err(Failure::new(format!(
            "expected recordings (*.jsonl) in {}, found none",
            folder.display()
        )));
    }
    let mut differences = same::Differences::default();
    let mut total = Shown::default();
    if print {
        println!("recording                        lines messages truths secrets written  faults");
    }
    for recording in &recordings {
        let shown = replay(recording, &mut differences);
        if print {
            println!(
                "{:<32} {:>5} {:>8} {:>6} {:>7} {:>7} {:>7}  {}",
                recording.name,
                shown.lines,
                shown.messages,
                shown.truths,
                shown.secrets,
                shown.written,
                shown.faults,
                if shown.failed.is_empty() { "ok" } else { "DIFFERS" },
            );
            if shown.sealed > 0 {
                println!("    {} secure strings for which nobody got a key", shown.sealed);
            }
        }
        total.lines += shown.lines;
        total.messages += shown.messages;
        total.truths += shown.truths;
        total.secrets += shown.secrets;
        total.written += shown.written;
        total.faults += shown.faults;
        total.failed.extend(
            shown
                .failed
                .into_iter()
                .map(|words| format!("{}: {words}", recording.name)),
        );
    }
    if print {
        println!(
            "\n{} recordings: {} lines, {} messages decoded, {} values equal to their truth, {} secure strings \
             decrypted, {} client messages as PowerShell's client wrote them, {} ends and faults",
            recordings.len(),
            total.lines,
            total.messages,
            total.truths,
            total.secrets,
            total.written,
            total.faults,
        );
    }
    if total.failed.is_empty() {
        return Ok(differences);
    }
    Err(Failure::new(format!(
        "{} differences:\n{}",
        total.failed.len(),
        total.failed.join("\n")
    )))
}

fn replay(recording: &Recording, differences: &mut same::Differences) -> Shown {
    let mut shown = Shown {
        lines: recording.lines.len(),
        messages: recording.messages.len(),
        ..Shown::default()
    };
    for words in &recording.wrong {
        shown.fail(words.clone());
    }
    recording::hold_to_summary(recording, &mut shown);
    if !shown.failed.is_empty() {
        return shown;
    }
    asked::replay(recording, differences, &mut shown);
    served::replay(recording, &mut shown);
    sweep::replay(recording, &mut shown);
    shown
}
