//! Plans for people.

use std::fmt::Write as _;

use exseal_engine::plan::{Fix, Urgency, words};
use exseal_model::Plan;
use exseal_model::plan::{Inverse, Step, WaitKind};

use super::paint::{self, BOLD, DIM, styled, wrapped};
use crate::context::Context;

/// A paragraph a step, server by server; then what is interrupted, and what is not planned and why.
pub(crate) fn text(plan: &Plan, context: &Context) -> String {
    let mut out = String::new();
    let goals: Vec<&str> = plan.goals.iter().map(exseal_model::Goal::name).collect();
    let _ = writeln!(
        out,
        "{}",
        styled(BOLD, &format!("plan {}: {}", plan.id, goals.join(", ")))
    );
    let _ = writeln!(
        out,
        "{}",
        styled(DIM, &format!("made {}", context.time(plan.made)))
    );
    let mut server = "";
    for step in &plan.steps {
        if step.change.server() != server {
            server = step.change.server();
            let _ = writeln!(out, "\n{}", styled(BOLD, server));
        }
        of_step(step, &mut out, context);
    }
    if plan.steps.is_empty() {
        out.push_str("\nnothing is to be done\n");
    }
    interruptions(plan, &mut out);
    waits(plan, &mut out, context);
    out
}

fn of_step(step: &Step, out: &mut String, context: &Context) {
    const INDENT: &str = "       ";
    let head = format!("{:>3}  ", step.number);
    out.push_str(&wrapped(
        &styled(BOLD, &words::change(&step.change)),
        &head,
        INDENT,
        context.width,
    ));
    let mut say = |label: &str, text: &str| {
        out.push_str(&wrapped(
            &format!("{label}{text}"),
            "     ",
            INDENT,
            context.width,
        ));
    };
    say("", &step.command);
    say("why: ", &step.why);
    let before: Vec<String> = step.preconditions.iter().map(words::condition).collect();
    say("only if: ", &before.join("; "));
    let proofs: Vec<String> = step
        .effects
        .iter()
        .map(words::condition)
        .chain(step.proofs.iter().map(words::proof))
        .collect();
    say("done when: ", &proofs.join("; "));
    if !step.keeps.is_empty() {
        let keeps: Vec<String> = step
            .keeps
            .iter()
            .map(|guard| words::condition(&guard.condition))
            .collect();
        say("must stay: ", &keeps.join("; "));
    }
    let back = words::inverse(&step.inverse);
    if matches!(step.inverse, Inverse::Irreversible(_)) {
        say(
            "",
            &styled(paint::severity(exseal_model::Severity::Warning), &back),
        );
    } else {
        say("back: ", &back);
    }
    say("if it fails: ", &step.if_it_fails);
}

fn interruptions(plan: &Plan, out: &mut String) {
    let all = plan.interruptions();
    if plan.steps.is_empty() {
        return;
    }
    if all.is_empty() {
        out.push_str("\nno slot is expected to be interrupted\n");
        return;
    }
    let _ = writeln!(out, "\n{}", styled(BOLD, "expected interruptions, at most"));
    for one in all {
        let _ = writeln!(out, "  {:>4} s  {}, {}", one.seconds, one.server, one.slot);
    }
}

fn waits(plan: &Plan, out: &mut String, context: &Context) {
    if plan.waits.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", styled(BOLD, "not planned"));
    for wait in &plan.waits {
        let kind = match wait.kind {
            WaitKind::Right => "right",
            WaitKind::Unknown => "cannot tell",
            WaitKind::Time => "later",
            WaitKind::Person => "a person's",
        };
        let server = wait.server.as_deref().unwrap_or("the organisation");
        let mut line = format!("{kind}: {}, {server}: {}", wait.goal, wait.because);
        if !wait.then.is_empty() {
            let _ = write!(line, "; {}", wait.then);
        }
        out.push_str(&wrapped(&line, "  ", "      ", context.width));
    }
}

/// The groups of `fix`, and what is left for a person.
pub(crate) fn fix_text(fix: &Fix, context: &Context) -> String {
    let mut out = String::new();
    for group in &fix.groups {
        let title = match group.urgency {
            Urgency::Now => "now",
            Urgency::NextWindow => "in the next window",
            Urgency::Someday => "when there is time",
        };
        let _ = writeln!(out, "{}", styled(BOLD, &title.to_uppercase()));
        for finding in &group.mends {
            let place = finding.server.as_deref().unwrap_or("the organisation");
            let severity = styled(paint::severity(finding.severity), &finding.severity.to_string());
            out.push_str(&wrapped(
                &format!("mends {severity} {} of {place}: {}", finding.name, finding.found),
                "  ",
                "      ",
                context.width,
            ));
        }
        out.push_str(&text(&group.plan, context));
        out.push('\n');
    }
    if fix.groups.is_empty() {
        out.push_str("no goal mends anything that was found\n\n");
    }
    if !fix.for_a_person.is_empty() {
        let _ = writeln!(out, "{}", styled(BOLD, "FOR A PERSON"));
        for finding in &fix.for_a_person {
            let place = finding.server.as_deref().unwrap_or("the organisation");
            let severity = styled(paint::severity(finding.severity), &finding.severity.to_string());
            out.push_str(&wrapped(
                &format!("{severity} {} of {place}: {}", finding.name, finding.fix),
                "  ",
                "      ",
                context.width,
            ));
        }
    }
    out
}
