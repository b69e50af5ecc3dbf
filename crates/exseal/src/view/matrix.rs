//! The server × slot matrix for people: what one takes in at a glance.

use std::collections::{BTreeMap, BTreeSet};

use exseal_engine::{Cell, CellState, Diagnosis, Row};
use exseal_model::{Severity, Slot};
use unicode_width::UnicodeWidthStr as _;

use super::paint::{self, BOLD, DIM, cut, padded, styled, wrapped};
use crate::context::Context;

/// Above so many servers those that look the same share a line.
pub(crate) const ALL_SHOWN: usize = 40;

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

/// Slots of the organisation, as [`COLUMNS`].
const ORGANISATION: [(&str, &str); 5] = [
    ("send-connector", "send"),
    ("hybrid", "hybrid"),
    ("auth-current", "auth"),
    ("auth-next", "auth next"),
    ("federation-current", "federation"),
];

/// What a cell says: a word that needs no colour, and the severity that colours it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sign {
    pub(crate) word: &'static str,
    pub(crate) severity: Option<Severity>,
}

/// The matrix in words.
#[derive(Debug)]
pub(crate) struct Table {
    /// Headings of the columns.
    pub(crate) headings: Vec<&'static str>,
    /// Servers by name with a sign a column.
    pub(crate) rows: Vec<(String, Vec<Sign>)>,
    /// Slots of the organisation by heading.
    pub(crate) organisation: Vec<(&'static str, Sign)>,
}

/// The worst of the slots a cell stands for.
fn sign(cells: &[&Cell]) -> Sign {
    let worst = cells.iter().filter_map(|cell| cell.severity).max();
    let word = match worst.and_then(alarm) {
        Some(word) => word,
        None if cells.is_empty() => "",
        None if cells.iter().all(|cell| cell.state == CellState::Unknown) => "?",
        None if cells.iter().all(|cell| cell.state == CellState::Empty) => "-",
        None if cells.iter().any(|cell| cell.state == CellState::Unseen) => "unseen",
        None => "ok",
    };
    Sign {
        word,
        severity: worst.filter(|severity| alarm(*severity).is_some()),
    }
}

const fn alarm(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Critical => Some("CRIT"),
        Severity::Error => Some("ERROR"),
        Severity::Warning => Some("warn"),
        Severity::Notice | Severity::Info => None,
    }
}

fn of_kind<'r>(row: &'r Row, kind: &str) -> Vec<&'r Cell> {
    row.cells.iter().filter(|cell| cell.slot.kind() == kind).collect()
}

/// The Auth certificate belongs to the organisation, but each server has to hold it: a column of its own.
fn auth_signs(diagnosis: &Diagnosis) -> BTreeMap<&str, Sign> {
    let is_auth = |slot: Option<&Slot>| matches!(slot, Some(Slot::AuthCurrent | Slot::AuthNext));
    let mut signs: BTreeMap<&str, Sign> = BTreeMap::new();
    for one in &diagnosis.unknown {
        if let (Some(server), true) = (&one.server, is_auth(one.slot.as_ref())) {
            let unknown = Sign {
                word: "?",
                severity: None,
            };
            signs.insert(server, unknown);
        }
    }
    for finding in &diagnosis.findings {
        let (Some(server), true) = (&finding.server, is_auth(finding.slot.as_ref())) else {
            continue;
        };
        let Some(word) = alarm(finding.severity) else {
            continue;
        };
        let said = Sign {
            word,
            severity: Some(finding.severity),
        };
        let own = signs.entry(server).or_insert_with(|| said.clone());
        if own.severity < said.severity {
            *own = said;
        }
    }
    signs
}

impl Table {
    /// The matrix of a diagnosis in words; columns that no server has are left out.
    pub(crate) fn of(diagnosis: &Diagnosis) -> Self {
        let auth = auth_signs(diagnosis);
        let servers: Vec<&Row> = diagnosis
            .matrix
            .rows
            .iter()
            .filter(|row| row.server.is_some())
            .collect();
        let columns: Vec<(&str, &'static str)> = COLUMNS
            .into_iter()
            .filter(|(kind, _)| {
                if *kind == "auth" {
                    !auth.is_empty()
                } else {
                    servers.iter().any(|row| !of_kind(row, kind).is_empty())
                }
            })
            .collect();
        let rows = servers.iter().map(|row| {
            let name = row.server.clone().unwrap_or_default();
            let signs = columns
                .iter()
                .map(|(kind, _)| {
                    if *kind == "auth" {
                        let fine = Sign {
                            word: "ok",
                            severity: None,
                        };
                        auth.get(name.as_str()).cloned().unwrap_or(fine)
                    } else {
                        sign(&of_kind(row, kind))
                    }
                })
                .collect();
            (name, signs)
        });
        let organisation = diagnosis
            .matrix
            .rows
            .iter()
            .filter(|row| row.server.is_none())
            .flat_map(|row| {
                ORGANISATION.into_iter().filter_map(|(kind, heading)| {
                    let cells = of_kind(row, kind);
                    (!cells.is_empty()).then(|| (heading, sign(&cells)))
                })
            })
            .collect();
        Self {
            rows: short_names(rows.collect()),
            headings: columns.into_iter().map(|(_, heading)| heading).collect(),
            organisation,
        }
    }
}

/// Names without their domain, where that leaves them apart.
fn short_names(rows: Vec<(String, Vec<Sign>)>) -> Vec<(String, Vec<Sign>)> {
    let short = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    let names: BTreeSet<String> = rows.iter().map(|(name, _)| short(name)).collect();
    if names.len() < rows.len() {
        return rows;
    }
    rows.into_iter()
        .map(|(name, signs)| (short(&name), signs))
        .collect()
}

/// For people.
pub(crate) fn text(diagnosis: &Diagnosis, context: &Context) -> String {
    let table = Table::of(diagnosis);
    let mut out = String::new();
    if !table.rows.is_empty() {
        grid(&folded(&table.rows), &table.headings, context, &mut out);
    }
    if !table.organisation.is_empty() {
        let parts: Vec<String> = table
            .organisation
            .iter()
            .map(|(heading, sign)| format!("{heading} {}", coloured(sign, sign.word)))
            .collect();
        out.push_str(&wrapped(
            &format!("organisation: {}", parts.join(", ")),
            "",
            "    ",
            context.width,
        ));
    }
    out.push_str(&legend(&table, context));
    out
}

fn coloured(sign: &Sign, text: &str) -> String {
    sign.severity.map_or_else(
        || text.to_owned(),
        |severity| styled(paint::severity(severity), text),
    )
}

/// In a large organisation servers that look the same share a line; each keeps its own where there is room.
pub(crate) fn folded(rows: &[(String, Vec<Sign>)]) -> Vec<(String, &[Sign])> {
    if rows.len() <= ALL_SHOWN {
        return rows
            .iter()
            .map(|(name, signs)| (name.clone(), signs.as_slice()))
            .collect();
    }
    let mut groups: Vec<(Vec<&str>, &[Sign])> = Vec::new();
    let mut places: BTreeMap<&[Sign], usize> = BTreeMap::new();
    for (name, signs) in rows {
        let at = *places.entry(signs.as_slice()).or_insert_with(|| {
            groups.push((Vec::new(), signs.as_slice()));
            groups.len() - 1
        });
        if let Some((names, _)) = groups.get_mut(at) {
            names.push(name);
        }
    }
    // The worst first: nobody reads to the end of two hundred lines.
    groups.sort_by_key(|(_, signs)| {
        let mut severities: Vec<Option<Severity>> = signs.iter().map(|sign| sign.severity).collect();
        severities.sort_by(|one, other| other.cmp(one));
        std::cmp::Reverse(severities)
    });
    groups
        .into_iter()
        .map(|(names, signs)| {
            let first = names.first().copied().unwrap_or_default();
            match names.len() {
                1 => (first.to_owned(), signs),
                many => (format!("{first} +{}", many - 1), signs),
            }
        })
        .collect()
}

/// Rows and columns; a narrow terminal gets the columns in several bands rather than cut words.
fn grid(rows: &[(String, &[Sign])], headings: &[&str], context: &Context, out: &mut String) {
    const GAP: usize = 2;
    let widest = rows.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let names = widest.min((context.width / 2).max(12));
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let words = rows
                .iter()
                .filter_map(|(_, signs)| signs.get(at))
                .map(|sign| sign.word.width());
            words.max().unwrap_or(0).max(heading.width())
        })
        .collect();
    let mut from = 0;
    while from < headings.len() {
        let mut to = from;
        let mut used = names;
        while to < headings.len() && (to == from || used + GAP + widths[to] <= context.width) {
            used += GAP + widths[to];
            to += 1;
        }
        let mut line = padded("", names);
        for at in from..to {
            line.push_str(&" ".repeat(GAP));
            line.push_str(&padded(headings[at], widths[at]));
        }
        out.push_str(&styled(BOLD, line.trim_end()));
        out.push('\n');
        for (name, signs) in rows {
            let mut line = padded(&cut(name, names), names);
            let mut pending = String::new();
            for (at, sign) in signs.iter().enumerate().take(to).skip(from) {
                pending.push_str(&" ".repeat(GAP));
                if !sign.word.is_empty() {
                    line.push_str(&pending);
                    pending.clear();
                    line.push_str(&coloured(sign, sign.word));
                }
                pending.push_str(&" ".repeat(widths[at].saturating_sub(sign.word.width())));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        from = to;
    }
}

/// Explains the words that appear; alarms explain themselves.
fn legend(table: &Table, context: &Context) -> String {
    let appears = |word: &str| {
        let of_servers = table.rows.iter().flat_map(|(_, signs)| signs);
        of_servers
            .chain(table.organisation.iter().map(|(_, sign)| sign))
            .any(|sign| sign.word == word)
    };
    let mut parts: Vec<&str> = [
        ("?", "? nobody looked"),
        ("-", "- empty"),
        ("unseen", "unseen: names a certificate nobody has seen"),
    ]
    .into_iter()
    .filter(|(word, _)| appears(word))
    .map(|(_, meaning)| meaning)
    .collect();
    if table.rows.len() > ALL_SHOWN {
        parts.push("+N: so many servers look the same");
    }
    if parts.is_empty() {
        return String::new();
    }
    let line = wrapped(&parts.join("; "), "", "", context.width);
    line.lines().fold(String::new(), |mut out, line| {
        out.push_str(&styled(DIM, line));
        out.push('\n');
        out
    })
}
