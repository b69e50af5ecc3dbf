//! The whole judgement of an inventory at one point in time.

use exseal_model::{CannotTell, Finding, Inventory, Severity, Slot, Thumbprint};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::{self, Context, Report};
use crate::policy::Policy;
use crate::severity::broken;
use crate::slots::Presents;

/// What is right, wrong and unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The version of this format: 1.
    pub format: u32,
    /// The time it is about.
    pub now: Timestamp,
    /// Findings, the worst first; of one severity by server, slot, name.
    pub findings: Vec<Finding>,
    /// Servers and their slots.
    pub matrix: Matrix,
    /// What no check could judge, and why.
    pub unknown: Vec<CannotTell>,
}

/// Servers and their slots at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matrix {
    /// One row a server in the order of their names, the organisation's last.
    pub rows: Vec<Row>,
}

/// A server, or the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The server, by FQDN where it was seen; null: the organisation.
    pub server: Option<String>,
    /// Its slots in the order of their ids.
    pub cells: Vec<Cell>,
}

/// A slot at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Which slot.
    pub slot: Slot,
    /// How it is.
    pub state: CellState,
    /// The worst finding in it; null: none.
    pub severity: Option<Severity>,
    /// What it presents; null: nothing, or unknown.
    pub thumbprint: Option<Thumbprint>,
    /// The end of what it presents, if the certificate was seen.
    pub not_after: Option<Timestamp>,
}

/// How a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CellState {
    /// It presents a certificate that was seen.
    Presents,
    /// It names a certificate that nobody has seen.
    Unseen,
    /// It is empty, or nothing matches.
    Empty,
    /// Nobody looked.
    Unknown,
}

/// Judges an inventory (a merged one) by a policy at `now`.
///
/// Linear in the number of servers. Unknown gives an entry of [`Diagnosis::unknown`], never a finding.
#[must_use]
pub fn diagnose(inventory: &Inventory, policy: &Policy, now: Timestamp) -> Diagnosis {
    let context = Context::new(inventory, policy, now);
    let mut report = Report::default();
    for check in checks::ALL {
        report.begin(check.name);
        (check.run)(&context, &mut report);
    }
    let Report {
        mut findings,
        mut cannot_tell,
        ..
    } = report;
    findings.sort_by(|one, other| {
        (other.severity, &one.server, &one.slot, &one.name, &one.found).cmp(&(
            one.severity,
            &other.server,
            &other.slot,
            &other.name,
            &other.found,
        ))
    });
    findings.dedup();
    crate::causes::link(&mut findings);
    cannot_tell.sort();
    cannot_tell.dedup();
    let matrix = matrix(&context, &findings);
    Diagnosis {
        format: 1,
        now,
        findings,
        matrix,
        unknown: cannot_tell,
    }
}

fn matrix(context: &Context<'_>, findings: &[Finding]) -> Matrix {
    let mut worst: std::collections::HashMap<(Option<&str>, &Slot), Severity> =
        std::collections::HashMap::new();
    for finding in findings {
        // What is critical on one slot need not be so on another that shares its certificate.
        let also = finding
            .also
            .iter()
            .map(|slot| (slot, finding.severity.min(broken(slot))));
        let own = finding.slot.iter().map(|slot| (slot, finding.severity));
        for (slot, said) in own.chain(also) {
            let severity = worst.entry((finding.server.as_deref(), slot)).or_insert(said);
            *severity = (*severity).max(said);
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut at = 0;
    let uses = &context.slots;
    while at < uses.len() {
        let server = uses[at].server;
        let end = uses[at..]
            .iter()
            .position(|one| one.server != server)
            .map_or(uses.len(), |step| at + step);
        let name = server
            .and_then(|server| context.inventory.servers.get(server))
            .map(exseal_model::inventory::Server::shown);
        let mut cells: Vec<Cell> = uses[at..end]
            .iter()
            .map(|one| {
                let thumbprint = one.thumbprint();
                let certificate = thumbprint.and_then(|thumbprint| context.inventory.certificate(thumbprint));
                Cell {
                    slot: one.slot.clone(),
                    state: match &one.presents {
                        Presents::Certificate(..) if certificate.is_some() => CellState::Presents,
                        Presents::Certificate(..) => CellState::Unseen,
                        Presents::Nothing(_) | Presents::NoMatch(_) => CellState::Empty,
                        Presents::Unknown(_) => CellState::Unknown,
                    },
                    severity: worst
                        .get(&(name.as_deref(), &one.slot))
                        .or_else(|| worst.get(&(None, &one.slot)).filter(|_| name.is_none()))
                        .copied(),
                    thumbprint,
                    not_after: certificate.map(|certificate| certificate.not_after),
                }
            })
            .collect();
        cells.sort_by(|one, other| one.slot.cmp(&other.slot));
        rows.push(Row { server: name, cells });
        at = end;
    }
    // A server that is only named in a list and shows nothing has unknown slots all the same; it stays in.
    rows.sort_by(|one, other| {
        (one.server.is_none(), &one.server).cmp(&(other.server.is_none(), &other.server))
    });
    Matrix { rows }
}
