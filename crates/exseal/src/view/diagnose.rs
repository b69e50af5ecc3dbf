//! `exseal diagnose` for people: the matrix first, then findings by severity.

use std::collections::BTreeMap;

use exseal_engine::{Cell, CellState, Diagnosis, Row};
use exseal_model::{Finding, Inventory, Severity, Slot};
use unicode_width::UnicodeWidthStr as _;

use super::paint::{self, BOLD, DIM, cut, padded, styled, wrapped};
use crate::context::Context;

pub(crate) fn text(diagnosis: &Diagnosis, inventory: &Inventory, context: &Context) -> String {
    let mut out = matrix(diagnosis, context);
    out.push('\n');
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in &diagnosis.findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    for finding in &diagnosis.findings {
        out.push_str(&one(finding, context));
        out.push('\n');
    }
    let counted: Vec<String> = counts
        .iter()
        .rev()
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    let summary = if counted.is_empty() {
        "no findings".to_owned()
    } else {
        counted.join(", ")
    };
    out.push_str(&wrapped(
        &format!("as of {}: {summary}", context.time(diagnosis.now)),
        "",
        "    ",
        context.width,
    ));
    cannot_tell(diagnosis, context, &mut out);
    super::discover::problems(inventory, context, &mut out);
    out
}

/// Columns of the matrix: a kind of slot, under the heading people know it by.
const COLUMNS: [(&str, &str); 8] = [
    ("front-end", "443"),
    ("back-end", "444"),
    ("internal-transport", "transport"),
    ("edge-default", "edge"),
    ("receive-connector", "receive"),
    ("pop", "pop"),
    ("imap", "imap"),
    ("auth", "auth"),
];

const ORGANISATION: [(&str, &str); 5] = [
    ("send-connector", "send"),
    ("hybrid", "hybrid"),
    ("auth-current", "auth"),
    ("auth-next", "auth next"),
    ("federation-current", "federation"),
];

/// What a cell of the matrix says: the worst of the slots it stands for.
fn sign(cells: &[&Cell], extra: Option<Severity>) -> (String, Option<Severity>) {
    let worst = cells.iter().filter_map(|cell| cell.severity).chain(extra).max();
    let word = match worst {
        Some(Severity::Critical) => "CRIT",
        Some(Severity::Error) => "ERROR",
        Some(Severity::Warning) => "warn",
        Some(Severity::Notice | Severity::Info) | None => {
            if cells.is_empty() {
                ""
            } else if cells.iter().all(|cell| cell.state == CellState::Unknown) {
                "?"
            } else if cells.iter().all(|cell| cell.state == CellState::Empty) {
                "-"
            } else if cells.iter().any(|cell| cell.state == CellState::Unseen) {
                "unseen"
            } else {
                "ok"
            }
        }
    };
    (
        word.to_owned(),
        worst.filter(|severity| *severity >= Severity::Warning),
    )
}

fn of_kind<'r>(row: &'r Row, kind: &str) -> Vec<&'r Cell> {
    row.cells.iter().filter(|cell| cell.slot.kind() == kind).collect()
}

fn matrix(diagnosis: &Diagnosis, context: &Context) -> String {
    let mut auth: BTreeMap<&str, Severity> = BTreeMap::new();
    for finding in &diagnosis.findings {
        if let (Some(server), Some(Slot::AuthCurrent | Slot::AuthNext)) = (&finding.server, &finding.slot) {
            let worst = auth.entry(server).or_insert(finding.severity);
            *worst = (*worst).max(finding.severity);
        }
    }
    let servers: Vec<&Row> = diagnosis
        .matrix
        .rows
        .iter()
        .filter(|row| row.server.is_some())
        .collect();
    let used: Vec<(&str, &str)> = COLUMNS
        .into_iter()
        .filter(|(kind, _)| {
            if *kind == "auth" {
                !auth.is_empty()
            } else {
                servers.iter().any(|row| !of_kind(row, kind).is_empty())
            }
        })
        .collect();
    let mut out = String::new();
    if !servers.is_empty() {
        table(&servers, &used, &auth, context, &mut out);
    }
    for row in diagnosis.matrix.rows.iter().filter(|row| row.server.is_none()) {
        let parts: Vec<String> = ORGANISATION
            .iter()
            .filter_map(|(kind, heading)| {
                let cells = of_kind(row, kind);
                if cells.is_empty() {
                    return None;
                }
                let (word, worst) = sign(&cells, None);
                let word = worst.map_or_else(|| word.clone(), |worst| styled(paint::severity(worst), &word));
                Some(format!("{heading} {word}"))
            })
            .collect();
        if !parts.is_empty() {
            out.push_str(&wrapped(
                &format!("organisation: {}", parts.join(", ")),
                "",
                "    ",
                context.width,
            ));
        }
    }
    out.push_str(&styled(
        DIM,
        "ok; ? not seen; - empty; unseen: names a certificate nobody has seen",
    ));
    out.push('\n');
    out
}

fn table(
    servers: &[&Row],
    columns: &[(&str, &str)],
    auth: &BTreeMap<&str, Severity>,
    context: &Context,
    out: &mut String,
) {
    const CELL: usize = 10;
    let name = |row: &Row| row.server.clone().unwrap_or_default();
    let widest = servers.iter().map(|row| name(row).width()).max().unwrap_or(0);
    // Narrow terminals get the columns in several bands rather than cut words.
    let names = widest.clamp(8, (context.width / 2).max(12));
    let in_band = ((context.width.saturating_sub(names + 1)) / CELL).max(1);
    for band in columns.chunks(in_band) {
        let mut line = padded("", names + 1);
        for (_, heading) in band {
            line.push_str(&padded(heading, CELL));
        }
        out.push_str(&styled(BOLD, line.trim_end()));
        out.push('\n');
        for row in servers {
            let mut line = padded(&cut(&name(row), names), names + 1);
            for (kind, _) in band {
                let (word, worst) = if *kind == "auth" {
                    match auth.get(name(row).as_str()) {
                        Some(worst) => sign(&[], Some(*worst)),
                        None => ("ok".to_owned(), None),
                    }
                } else {
                    sign(&of_kind(row, kind), None)
                };
                let cell = padded(&word, CELL);
                line.push_str(
                    &worst.map_or_else(|| cell.clone(), |worst| styled(paint::severity(worst), &cell)),
                );
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
}

fn one(finding: &Finding, context: &Context) -> String {
    let severity = styled(paint::severity(finding.severity), &finding.severity.to_string());
    let place = match (&finding.server, &finding.slot) {
        (Some(server), Some(slot)) => format!("{server}, {slot}"),
        (Some(server), None) => server.clone(),
        (None, Some(slot)) => slot.to_string(),
        (None, None) => "organisation".to_owned(),
    };
    let mut out = format!("{severity}  {}  {place}\n", styled(BOLD, &finding.name));
    let width = context.width;
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
        out.push_str(&styled(DIM, wrapped(&line, "  ", "    ", width).trim_end()));
        out.push('\n');
    }
    for consequence in &finding.consequences {
        out.push_str(&wrapped(
            &format!("{}: {}", consequence.name, consequence.found),
            "  → ",
            "    ",
            width,
        ));
    }
    out
}

/// What no check could judge: by reason, with the slots it holds for.
fn cannot_tell(diagnosis: &Diagnosis, context: &Context, out: &mut String) {
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
        let shown: Vec<&str> = places.iter().take(4).map(String::as_str).collect();
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
