//! The outage: what is really wrong, the few steps that end it, and what remains afterwards.

use exseal_model::plan::{Change, Goal, WaitKind};
use exseal_model::{Consequence, Evidence, Finding, Inventory, Plan, Severity, Slot};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draft::sentence;
use super::fix::{Urgency, fix};
use super::goals::{broken_handshake, vital_down};
use super::{plan, predicted};
use crate::diagnosis::diagnose;
use crate::policy::Policy;

/// What ends an outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rescue {
    /// The version of this format: 1.
    pub format: u32,
    /// What keeps people out, the worst first; empty: nothing that was seen.
    pub causes: Vec<Cause>,
    /// The steps that end it, and nothing else. Its `waits` say of every other server why there are none.
    pub plan: Plan,
    /// What remains afterwards and a goal mends, the most urgent first.
    pub remains: Vec<Remaining>,
    /// What remains for a person, the worst first.
    pub for_a_person: Vec<Finding>,
}

/// Something that keeps people out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// In a plain sentence.
    pub what: String,
    /// What ends it.
    pub mended_by: MendedBy,
    /// The finding behind it, with its evidence.
    pub finding: Finding,
}

/// What ends a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MendedBy {
    /// The rescue's own plan.
    Plan,
    /// An ordinary goal, among what remains.
    Goal,
    /// A person: what was disabled on purpose, or what no goal mends.
    Person,
}

/// What remains and goals mend together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remaining {
    /// When.
    pub urgency: Urgency,
    /// The goals, in the order of doing.
    pub goals: Vec<Goal>,
    /// The words behind `exseal plan`, one for each goal: `back-end renew --on ex1.kiefer.example`.
    pub words: Vec<String>,
    /// What they mend, the worst first.
    pub mends: Vec<Finding>,
}

/// Finds what keeps people out of their mail, and the steps that end it on the servers named, or on all.
///
/// Linear in the number of servers, like [`plan`]. A certificate that merely ends soon is no outage.
#[must_use]
pub fn rescue(inventory: &Inventory, policy: &Policy, servers: &[String], now: Timestamp) -> Rescue {
    let goal = Goal::Rescue {
        servers: servers.to_vec(),
    };
    let plan = plan(inventory, policy, &[goal], &[], now);
    let found = causes(inventory, policy, now);
    let after = predicted(&plan, plan.steps.len());
    let left: Vec<Finding> = causes(&after, policy, now);
    let fix = fix(&after, policy, &[], now);

    // What only a client notices is no finding yet: a look that broke off has many reasons, and here one acts on it.
    let unusable = plan
        .steps
        .iter()
        .filter_map(|step| key_unusable(inventory, &found, &step.change));
    let unusable: Vec<Finding> = unusable.collect();
    let unusable = unusable
        .into_iter()
        .map(|finding| ("key-unusable".to_owned(), finding));
    let found = unusable.chain(
        found
            .iter()
            .map(|finding| (finding.name.clone(), finding.clone())),
    );

    let is_left = |finding: &Finding, all: &[Finding]| all.iter().any(|own| is_same(own, finding));
    let asked = |finding: &Finding| {
        servers.is_empty()
            || finding.server.as_deref().is_none_or(|server| {
                let called = |name: &String| inventory.server(name).is_some_and(|own| own.shown() == server);
                servers.iter().any(called)
            })
    };
    let causes = found
        .filter(|(_, finding)| asked(finding))
        .map(|(key, finding)| {
            let waits = plan
                .waits
                .iter()
                .any(|wait| wait.kind == WaitKind::Person && wait.server == finding.server);
            let mended_by = if waits {
                MendedBy::Person
            } else if !is_left(&finding, &left) {
                MendedBy::Plan
            } else if fix.groups.iter().any(|group| is_left(&finding, &group.mends)) {
                MendedBy::Goal
            } else {
                MendedBy::Person
            };
            let slot = slot_of(&finding).map(ToString::to_string).unwrap_or_default();
            Cause {
                what: sentence(&format!("rescue.{key}"), &[("slot", slot)]),
                mended_by,
                finding,
            }
        })
        .collect();
    let remains = fix
        .groups
        .into_iter()
        .map(|group| Remaining {
            urgency: group.urgency,
            words: group.plan.goals.iter().map(words).collect(),
            goals: group.plan.goals,
            mends: group.mends,
        })
        .collect();
    Rescue {
        format: 1,
        causes,
        plan,
        remains,
        for_a_person: fix.for_a_person,
    }
}

/// What a step that binds is for, where nothing but a broken handshake is.
fn key_unusable(inventory: &Inventory, found: &[Finding], change: &Change) -> Option<Finding> {
    let Change::BindCertificate { server, endpoint, .. } = change else {
        return None;
    };
    let slot = Slot::BackEnd(endpoint.clone());
    let own = inventory.server(server)?;
    let look = broken_handshake(inventory, own)?;
    let is_said = found
        .iter()
        .any(|finding| finding.server.as_ref() == Some(server) && slot_of(finding) == Some(&slot));
    if is_said {
        return None;
    }
    let outcome = look.outcome.best()?;
    let source = inventory.source(outcome.source);
    let value = outcome.value.clone().unwrap_or_default();
    let place = format!("{}:{}", look.host, look.port);
    Some(Finding {
        name: "certificate-without-key".to_owned(),
        severity: Severity::Critical,
        server: Some(server.clone()),
        slot: Some(slot.clone()),
        also: Vec::new(),
        wanted: sentence("key-unusable.wanted", &[("slot", slot.to_string())]),
        found: sentence(
            "key-unusable.found",
            &[("slot", slot.to_string()), ("outcome", value.clone())],
        ),
        consequence: Consequence {
            text: sentence("key-unusable.consequence", &[]),
            from: None,
        },
        evidence: vec![Evidence {
            file: source.and_then(|source| source.file.clone()),
            what: place,
            value,
            source: Some(outcome.source),
        }],
        cause: sentence("key-unusable.cause", &[]),
        fix: sentence("key-unusable.fix", &[]),
        follows: None,
    })
}

/// The findings that keep people out, the worst first.
fn causes(inventory: &Inventory, policy: &Policy, now: Timestamp) -> Vec<Finding> {
    let mut all = diagnose(inventory, policy, now).findings;
    all.retain(|finding| is_cause(inventory, finding));
    // A deleted certificate whose copy lies in Root is deleted all the same.
    let deleted: Vec<_> = all
        .iter()
        .filter(|finding| finding.name == "bound-certificate-not-in-store")
        .map(|finding| (finding.server.clone(), finding.slot.clone()))
        .collect();
    all.retain(|finding| {
        finding.name != "bound-certificate-in-wrong-store"
            || !deleted.contains(&(finding.server.clone(), finding.slot.clone()))
    });
    all
}

fn is_cause(inventory: &Inventory, finding: &Finding) -> bool {
    let vital = || {
        let server = finding.server.as_deref().and_then(|name| inventory.server(name));
        server.map(vital_down).unwrap_or_default()
    };
    match finding.name.as_str() {
        "back-end-unbound"
        | "bound-certificate-not-in-store"
        | "bound-certificate-in-wrong-store"
        | "certificate-without-key"
        | "certificate-expired"
        | "back-end-uses-public-certificate" => slot_of(finding).is_some(),
        "front-end-unbound"
        | "services-disabled-by-setup"
        | "auth-current-expired"
        | "auth-current-missing"
        | "application-pool-stopped" => true,
        "exchange-service-down" => !vital().0.is_empty(),
        "service-disabled-by-a-person" => !vital().1.is_empty(),
        _ => false,
    }
}

/// The https binding a finding is about, the back end's before the front end's.
fn slot_of(finding: &Finding) -> Option<&Slot> {
    let slots = || finding.slot.iter().chain(&finding.also);
    slots()
        .find(|slot| matches!(slot, Slot::BackEnd(_)))
        .or_else(|| slots().find(|slot| matches!(slot, Slot::FrontEnd(_))))
}

fn is_same(one: &Finding, other: &Finding) -> bool {
    (&one.name, &one.server, slot_of(one)) == (&other.name, &other.server, slot_of(other))
}

/// A goal as it is typed behind `exseal plan`.
fn words(goal: &Goal) -> String {
    let mut words = goal.name().to_owned();
    if let Goal::FrontEndRebind { certificate, .. } = goal {
        words.push_str(&format!(" {certificate}"));
    }
    let servers = goal.servers();
    if !servers.is_empty() {
        words.push_str(&format!(" --on {}", servers.join(" ")));
    }
    words
}
