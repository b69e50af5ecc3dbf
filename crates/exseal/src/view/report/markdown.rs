//! The report as Markdown: for tickets, wikis and mail.

use std::fmt::Write as _;

use super::Report;
use crate::context::Context;
use crate::view::diagnose::{causes_and_effects, counted, following, groups, place};
use crate::view::forecast::{away, merged, places};
use crate::view::matrix::{Table, folded};

/// Headings, tables and lists that every Markdown reader knows.
pub(crate) fn markdown(report: &Report, context: &Context) -> String {
    let mut out = format!(
        "# Certificates of the Exchange organisation\n\nAs of {}, {} servers, policy {}: **{}**.\n\n",
        context.time(report.now),
        report.servers,
        escaped(&report.policy),
        counted(&report.diagnosis)
    );
    matrix(report, &mut out);
    findings(report, context, &mut out);
    out.push_str("## What stops when\n\n");
    for day in &report.forecast.days {
        let said: Vec<String> = merged(&day.happenings)
            .iter()
            .map(|one| escaped(&anstream::adapter::strip_str(&one.words()).to_string()))
            .collect();
        let _ = writeln!(
            out,
            "- **{}** ({}): {}",
            day.date,
            away(day, report.now, context),
            said.join("; and ")
        );
    }
    out.push_str("\n## Certificates\n\n| ends | days | name | issuer | thumbprint | presented by | in |\n|---|--:|---|---|---|---|---|\n");
    for line in &report.certificates {
        let issuer = if line.self_signed {
            "itself".to_owned()
        } else {
            escaped(&line.issuer)
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {issuer} | {} | {} | {} |",
            context.day(line.not_after),
            line.days_left,
            escaped(line.name()),
            line.thumbprint,
            escaped(&places(&line.presented)),
            escaped(&line.held_words())
        );
    }
    out.push_str("\n## What was seen\n\n");
    for (at, source) in report.sources.iter().enumerate() {
        let file = source
            .file
            .as_deref()
            .map_or_else(String::new, |file| format!(", {}", escaped(file)));
        let _ = writeln!(out, "{at}. {}{file}", escaped(&source.what));
    }
    for error in &report.errors {
        let _ = writeln!(
            out,
            "- not read: {}",
            escaped(&format!(
                "{}, {}: expected {}, found {}",
                error.file, error.at, error.expected, error.found
            ))
        );
    }
    for one in &report.not_recognised {
        let _ = writeln!(
            out,
            "- not recognised: {}",
            escaped(&format!("{}: {}", one.file, one.looks_like))
        );
    }
    out
}

fn matrix(report: &Report, out: &mut String) {
    let table = Table::of(&report.diagnosis);
    if !table.rows.is_empty() {
        let _ = writeln!(out, "| server | {} |", table.headings.join(" | "));
        let _ = writeln!(out, "|---|{}", "---|".repeat(table.headings.len()));
        for (name, signs) in folded(&table.rows) {
            let words: Vec<String> = signs
                .iter()
                .map(|sign| match sign.severity {
                    Some(_) => format!("**{}**", sign.word),
                    None => sign.word.to_owned(),
                })
                .collect();
            let _ = writeln!(out, "| {} | {} |", escaped(&name), words.join(" | "));
        }
        out.push('\n');
    }
    if !table.organisation.is_empty() {
        let words: Vec<String> = table
            .organisation
            .iter()
            .map(|(heading, sign)| format!("{heading} {}", sign.word))
            .collect();
        let _ = writeln!(out, "Organisation: {}\n", words.join(", "));
    }
}

fn findings(report: &Report, context: &Context, out: &mut String) {
    out.push_str("## Findings\n\n");
    if report.diagnosis.findings.is_empty() {
        out.push_str("None.\n\n");
    }
    let (causes, effects) = causes_and_effects(&report.diagnosis.findings);
    for group in groups(&causes, 2) {
        let Some((first, others)) = group.split_first() else {
            continue;
        };
        let (follow, more) = following(&group, &effects);
        let _ = writeln!(
            out,
            "### {}: {} ({})\n",
            first.severity,
            first.name,
            escaped(&place(first))
        );
        let _ = writeln!(out, "{}\n", escaped(&first.found));
        let from = first
            .consequence
            .from
            .map_or_else(String::new, |from| format!(" (from {})", context.time(from)));
        for (label, text) in [
            ("breaks", format!("{}{from}", first.consequence.text)),
            ("cause", first.cause.clone()),
            ("fix", first.fix.clone()),
        ] {
            let _ = writeln!(out, "- {label}: {}", escaped(&text));
        }
        for evidence in &first.evidence {
            let file = evidence
                .file
                .as_ref()
                .map_or_else(String::new, |file| format!(" in {file}"));
            let _ = writeln!(
                out,
                "- seen: {}",
                escaped(&format!("{} ({}{file})", evidence.value, evidence.what))
            );
        }
        for effect in follow {
            let what = format!("{}, {}: {}", effect.name, place(effect), effect.found);
            let _ = writeln!(out, "- so too: {}", escaped(&what));
        }
        if more > 0 {
            let _ = writeln!(out, "- so too: {more} more that follow");
        }
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|other| place(other)).collect();
            let _ = writeln!(out, "- likewise: {}", escaped(&others.join("; ")));
        }
        out.push('\n');
    }
}

/// Takes their meaning from the characters that Markdown and HTML give one.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(character);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_text() {
        assert_eq!(escaped("<I>CN=*.a|b\n# c"), "&lt;I&gt;CN=\\*.a\\|b \\# c");
    }
}
