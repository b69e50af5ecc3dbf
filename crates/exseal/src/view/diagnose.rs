//! `exseal diagnose` for people: the matrix first, then findings by severity.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use exseal_engine::Diagnosis;
use exseal_model::{Finding, Follows, Inventory, Severity};

use super::matrix;
use super::paint::{self, BOLD, DIM, styled, wrapped};
use crate::context::Context;

/// From so many places on a finding of one kind is told once in a terminal, with the others named below it.
const TOLD_ONCE: usize = 4;

/// The whole view; with `every`, each finding by itself however many there are.
pub(crate) fn text(diagnosis: &Diagnosis, inventory: &Inventory, every: bool, context: &Context) -> String {
    let mut out = matrix::text(diagnosis, context);
    out.push('\n');
    out.push_str(&wrapped(
        &format!("as of {}: {}", context.time(diagnosis.now), counted(diagnosis)),
        "",
        "    ",
        context.width,
    ));
    out.push('\n');
    let (causes, effects) = if every {
        (diagnosis.findings.iter().collect(), Effects::default())
    } else {
        causes_and_effects(&diagnosis.findings)
    };
    let told_once = if every { usize::MAX } else { TOLD_ONCE };
    for group in groups(&causes, told_once) {
        let Some((first, others)) = group.split_first() else {
            continue;
        };
        one(first, context, &mut out);
        let (following, more) = following(&group, &effects);
        for effect in following {
            let text = format!("{}, {}: {}", effect.name, place(effect), effect.found);
            out.push_str(&wrapped(&text, "  so: ", "    ", context.width));
        }
        if more > 0 {
            out.push_str(&format!(
                "  so: {more} more that follow (--every tells each by itself)\n"
            ));
        }
        likewise(first, others, context, &mut out);
        out.push('\n');
    }
    cannot_tell(diagnosis, context, &mut out);
    super::discover::problems(inventory, context, &mut out);
    out
}

/// `2 critical, 6 error`.
pub(crate) fn counted(diagnosis: &Diagnosis) -> String {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in &diagnosis.findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    if counts.is_empty() {
        return "no findings".to_owned();
    }
    let counted: Vec<String> = counts
        .iter()
        .rev()
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    counted.join(", ")
}

/// Findings of one name, severity and kind of slot together where they are `told_once` or more; in the order of their
/// first.
pub(crate) fn groups<'f>(findings: &[&'f Finding], told_once: usize) -> Vec<Vec<&'f Finding>> {
    type Key<'f> = (Severity, &'f str, Option<&'static str>);
    let key = |finding: &'_ Finding| {
        (
            finding.severity,
            finding.slot.as_ref().map(exseal_model::Slot::kind),
        )
    };
    let mut places: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&'f Finding>> = Vec::new();
    for &finding in findings {
        let (severity, kind) = key(finding);
        let at = *places
            .entry((severity, finding.name.as_str(), kind))
            .or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
        if let Some(group) = groups.get_mut(at) {
            group.push(finding);
        }
    }
    if groups.iter().all(|group| group.len() < told_once) {
        return findings.iter().map(|finding| vec![*finding]).collect();
    }
    groups
        .into_iter()
        .flat_map(|group| {
            if group.len() >= told_once {
                vec![group]
            } else {
                group.into_iter().map(|finding| vec![finding]).collect()
            }
        })
        .collect()
}

/// Findings that follow from another one, by that one.
#[derive(Default)]
pub(crate) struct Effects<'f>(BTreeMap<Follows, Vec<&'f Finding>>);

/// Findings that stand for themselves, and those that follow from another one. Of a diagnosis, every one is in one of them.
pub(crate) fn causes_and_effects(findings: &[Finding]) -> (Vec<&Finding>, Effects<'_>) {
    let mut causes = Vec::new();
    let mut effects = Effects::default();
    for finding in findings {
        match &finding.follows {
            None => causes.push(finding),
            Some(cause) => effects.0.entry(cause.clone()).or_default().push(finding),
        }
    }
    (causes, effects)
}

/// What follows from the findings of a group, also by way of another, each once: those to show, and how many more.
pub(crate) fn following<'f>(group: &[&'f Finding], effects: &Effects<'f>) -> (Vec<&'f Finding>, usize) {
    const SHOWN: usize = 6;
    let mut found: Vec<&Finding> = Vec::new();
    let mut known: BTreeSet<Follows> = BTreeSet::new();
    let mut causes: VecDeque<Follows> = group.iter().map(|one| Follows::of(one)).collect();
    while let Some(cause) = causes.pop_front() {
        let own = effects.0.get(&cause).map_or(&[][..], Vec::as_slice);
        // Findings of one name and place have the same effects: asked for once.
        if known.insert(cause) {
            found.extend(own);
            causes.extend(own.iter().map(|effect| Follows::of(effect)));
        }
    }
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    (found, more)
}

pub(crate) fn place(finding: &Finding) -> String {
    match (&finding.server, &finding.slot) {
        (Some(server), Some(slot)) => format!("{server}, {slot}"),
        (Some(server), None) => server.clone(),
        (None, Some(slot)) => slot.to_string(),
        (None, None) => "organisation".to_owned(),
    }
}

fn one(finding: &Finding, context: &Context, out: &mut String) {
    let width = context.width;
    let severity = styled(paint::severity(finding.severity), &finding.severity.to_string());
    let title = format!("{severity}  {}  {}", styled(BOLD, &finding.name), place(finding));
    if paint::columns(&title) <= width {
        out.push_str(&title);
        out.push('\n');
    } else {
        out.push_str(&wrapped(&title, "", "    ", width));
    }
    out.push_str(&wrapped(&finding.found, "  ", "    ", width));
    let consequence = match finding.consequence.from {
        Some(from) => format!("{} (from {})", finding.consequence.text, context.time(from)),
        None => finding.consequence.text.clone(),
    };
    for (label, text) in [
        ("breaks: ", &consequence),
        ("cause: ", &finding.cause),
        ("fix: ", &finding.fix),
    ] {
        out.push_str(&wrapped(&format!("{label}{text}"), "  ", "    ", width));
    }
    for evidence in &finding.evidence {
        let file = evidence
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!(" in {file}"));
        let line = format!("seen: {} ({}{file})", evidence.value, evidence.what);
        for line in wrapped(&line, "  ", "    ", width).lines() {
            out.push_str(&styled(DIM, line));
            out.push('\n');
        }
    }
}

/// The other places of a finding that is told once.
fn likewise(first: &Finding, others: &[&Finding], context: &Context, out: &mut String) {
    const NAMED: usize = 12;
    if others.is_empty() {
        return;
    }
    let places: Vec<String> = others
        .iter()
        .take(NAMED)
        .map(|other| match &other.server {
            Some(server) if other.slot == first.slot => server.clone(),
            _ => place(other),
        })
        .collect();
    let more = others.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more (--every tells each by itself)")
    } else {
        String::new()
    };
    out.push_str(&wrapped(
        &format!("likewise: {}{more}", places.join("; ")),
        "  ",
        "    ",
        context.width,
    ));
}

/// What no check could judge: by reason, with the slots it holds for.
fn cannot_tell(diagnosis: &Diagnosis, context: &Context, out: &mut String) {
    const NAMED: usize = 4;
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in &diagnosis.unknown {
        let place = match (&one.server, &one.slot) {
            (Some(server), Some(slot)) => format!("{server} {slot}"),
            (Some(server), None) => server.clone(),
            (None, Some(slot)) => slot.to_string(),
            (None, None) => "the organisation".to_owned(),
        };
        let places = reasons.entry(&one.because).or_default();
        if !places.contains(&place) {
            places.push(place);
        }
    }
    for (because, places) in reasons {
        let shown: Vec<&str> = places.iter().take(NAMED).map(String::as_str).collect();
        let more = places.len().saturating_sub(shown.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        out.push_str(&wrapped(
            &format!("cannot tell about {}{more}, because {because}", shown.join("; ")),
            "  ",
            "      ",
            context.width,
        ));
    }
}
