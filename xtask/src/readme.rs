//! `cargo xtask readme`: what README.md shows is what the program prints.

use std::fs;

use clap::Args;

use crate::{Failure, Result, setup, workspace};

/// Arguments of `cargo xtask readme`.
#[derive(Debug, Args)]
pub(crate) struct ReadmeArgs {}

pub(crate) fn run(_: &ReadmeArgs) -> Result {
    println!("{}", check()?);
    Ok(())
}

/// Looks for each line of README.md's output in what `exseal demo` prints, in order.
///
/// # Errors
///
/// Names the first line that is not there.
pub(crate) fn check() -> Result<String> {
    let readme = fs::read_to_string(workspace::root().join("README.md"))?;
    let demo = workspace::capture(workspace::command(setup::exseal()?).arg("demo"))?;
    let shown = shown(&readme);
    if shown.is_empty() {
        return Err(Failure::new("expected a block ```text in README.md, found none"));
    }
    match first_missing(&shown, &String::from_utf8_lossy(&demo.stdout)) {
        None => Ok(format!("{} lines as printed", shown.len())),
        Some(line) => Err(Failure::new(format!(
            "README.md shows what `exseal demo` does not print there: {line}"
        ))),
    }
}

/// The lines of the block of output, without those that say something was left out.
fn shown(readme: &str) -> Vec<&str> {
    let block = readme.lines().skip_while(|line| *line != "```text").skip(1);
    block
        .take_while(|line| *line != "```")
        .filter(|line| *line != "…")
        .collect()
}

/// The first line that does not follow in `printed` behind the lines before it; blanks at the end do not count.
fn first_missing<'l>(shown: &[&'l str], printed: &str) -> Option<&'l str> {
    let mut rest = printed.lines().map(str::trim_end);
    shown
        .iter()
        .find(|line| !rest.any(|found| found == line.trim_end()))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_printed_or_not_in_order_is_found() {
        let readme = "# a\n```text\none\n…\nthree\n```\nend\n";
        let lines = shown(readme);
        assert_eq!(lines, ["one", "three"]);
        assert_eq!(first_missing(&lines, "zero\none  \ntwo\nthree\n"), None);
        assert_eq!(first_missing(&lines, "three\none\n"), Some("three"));
        assert_eq!(first_missing(&lines, "three\n"), Some("one"));
    }
}
