//! A program of the person's own, like what tells a balancer: without a shell, bounded, its last words kept.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How much of what it said last is told.
const WORDS: usize = 400;

/// Runs a program with its arguments and waits for its end.
pub(super) async fn run(words: &[String]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("expected a program, found none".to_owned());
    };
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program} did not start: {error}"))?;
    let Ok(ended) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else {
        return Err(format!(
            "{program} did not end within {} s and was ended",
            PATIENCE.as_secs()
        ));
    };
    let output = ended.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [&output.stderr, &output.stdout]
        .map(|bytes| last(&String::from_utf8_lossy(bytes)))
        .into_iter()
        .find(|said| !said.is_empty());
    let said = said.map_or_else(String::new, |said| format!(", and said: {said}"));
    Err(format!("{program} ended with {}{said}", output.status))
}

/// The end of a text, in one line.
fn last(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let skip = line.chars().count().saturating_sub(WORDS);
    line.chars().skip(skip).collect()
}
