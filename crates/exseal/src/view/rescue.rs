//! The rescue for people.

use std::fmt::Write as _;

use exseal_engine::plan::{Rescue, Urgency, words};
use exseal_model::plan::Proof;
use exseal_model::{Finding, Severity};

use super::paint::{self, BOLD, styled, wrapped};
use crate::command::rescue::{Proven, mended_by};
use crate::context::Context;

/// What is wrong and what would be done.
pub(crate) fn text(rescue: &Rescue, context: &Context) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", styled(BOLD, "WHAT KEEPS PEOPLE OUT"));
    for cause in &rescue.causes {
        let of = &cause.finding;
        let head = format!(
            "{} {}: {} [{}; {}]",
            styled(paint::severity(of.severity), &of.severity.to_string()),
            place(of),
            cause.what,
            of.name,
            mended_by(cause.mended_by),
        );
        out.push_str(&wrapped(&head, "  ", "      ", context.width));
        out.push_str(&wrapped(&of.found, "      ", "      ", context.width));
        if cause.mended_by == exseal_engine::plan::MendedBy::Person {
            out.push_str(&wrapped(
                &format!("to do: {}", of.fix),
                "      ",
                "      ",
                context.width,
            ));
        }
    }
    if rescue.causes.is_empty() {
        out.push_str("  nothing that was seen\n");
    }
    out.push('\n');
    out.push_str(&super::plan::text(&rescue.plan, context));
    out
}

/// What remains afterwards, with what to type; `typed` says where to look.
pub(crate) fn remains_text(rescue: &Rescue, typed: &str, context: &Context) -> String {
    let mut out = String::new();
    if rescue.remains.is_empty() && rescue.for_a_person.is_empty() {
        return "\nnothing remains\n".to_owned();
    }
    let _ = writeln!(out, "\n{}", styled(BOLD, "WHAT REMAINS"));
    for one in &rescue.remains {
        let when = match one.urgency {
            Urgency::Now => "now",
            Urgency::NextWindow => "in the next window",
            Urgency::Someday => "when there is time",
        };
        let _ = writeln!(out, "  {}", styled(BOLD, when));
        for finding in &one.mends {
            out.push_str(&line(finding, &finding.found, context));
        }
        for words in &one.words {
            // A command line is not broken: it is copied.
            let file: Vec<&str> = words
                .split(' ')
                .take_while(|word| *word != "--on")
                .take(2)
                .collect();
            let file = file.join("-");
            let _ = writeln!(out, "    exseal plan {words} {typed} -o {file}.json");
        }
    }
    if !rescue.for_a_person.is_empty() {
        let _ = writeln!(out, "  {}", styled(BOLD, "for a person"));
        for finding in &rescue.for_a_person {
            out.push_str(&line(finding, &finding.fix, context));
        }
    }
    out
}

/// What a client saw afterwards.
pub(crate) fn proven_text(proven: &[Proven], context: &Context) -> String {
    let mut out = String::new();
    for Proven { proof, seen } in proven {
        let server = match proof {
            Proof::Presents { server, .. } | Proof::Answers { server, .. } | Proof::ShellOpens { server } => {
                server
            }
        };
        let line = match seen {
            Ok(()) => format!("ok     {server}: {}", words::proof(proof)),
            Err(found) => format!(
                "{} {server}: expected that {}, found {found}",
                styled(paint::severity(Severity::Error), "WRONG "),
                words::proof(proof)
            ),
        };
        out.push_str(&wrapped(&line, "", "       ", context.width));
    }
    out
}

fn line(finding: &Finding, what: &str, context: &Context) -> String {
    let severity = styled(paint::severity(finding.severity), &finding.severity.to_string());
    wrapped(
        &format!("{severity} {} of {}: {what}", finding.name, place(finding)),
        "    ",
        "        ",
        context.width,
    )
}

fn place(finding: &Finding) -> &str {
    finding.server.as_deref().unwrap_or("the organisation")
}
