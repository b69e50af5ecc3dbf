//! Everything diagnose found that has a safe goal, by urgency; and what is left for a person.

use std::collections::{BTreeMap, BTreeSet};

use exseal_model::plan::Goal;
use exseal_model::{Finding, Inventory, Plan, Severity, Slot, Thumbprint};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{plan, predicted};
use crate::diagnosis::diagnose;
use crate::policy::Policy;
use crate::slots::{FRONT_END_SITE, Presents, bound};

/// When something wants to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Now: people feel it, or will within days.
    Now,
    /// In the next maintenance window.
    NextWindow,
    /// When there is time.
    Someday,
}

/// What can be mended, and what a person has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// The version of this format: 1.
    pub format: u32,
    /// What can be mended by plans, the most urgent first; each plan is made of the same inventory and stands for itself.
    pub groups: Vec<Group>,
    /// Findings no goal mends, the worst first.
    pub for_a_person: Vec<Finding>,
}

/// What is mended together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// When.
    pub urgency: Urgency,
    /// What it mends, the worst first.
    pub mends: Vec<Finding>,
    /// How.
    pub plan: Plan,
}

impl Urgency {
    /// Its name, as files are called by it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::NextWindow => "next-window",
            Self::Someday => "someday",
        }
    }

    const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical | Severity::Error => Self::Now,
            Severity::Warning => Self::NextWindow,
            Severity::Notice | Severity::Info => Self::Someday,
        }
    }
}

/// Plans everything that has a safe goal.
///
/// A goal mends a finding when the plans leave an organisation in which it is not found any more; the others are left to a
/// person, and a goal that mends nothing is not pursued.
#[must_use]
pub fn fix(
    inventory: &Inventory,
    policy: &Policy,
    earlier: &[(Timestamp, Inventory)],
    now: Timestamp,
) -> Fix {
    let findings = diagnose(inventory, policy, now).findings;
    let wanted: Vec<Option<Goal>> = findings
        .iter()
        .map(|finding| goal_for(inventory, policy, finding, now))
        .collect();
    let mut asked: Vec<Goal> = Vec::new();
    for goal in wanted.iter().flatten() {
        if !asked.contains(goal) {
            asked.push(goal.clone());
        }
    }
    let whole = plan(inventory, policy, &of_a_kind(&asked), earlier, now);
    let left = predicted(&whole, whole.steps.len());
    let left: BTreeSet<_> = diagnose(&left, policy, now).findings.iter().map(place).collect();
    // What has steps; a goal that only waits on a server mends nothing there.
    let does: BTreeSet<(&str, String)> = of_a_kind(&asked)
        .iter()
        .flat_map(|goal| {
            let own = plan(inventory, policy, std::slice::from_ref(goal), earlier, now);
            own.steps
                .iter()
                .map(|step| (goal.name(), step.change.server().to_lowercase()))
                .collect::<Vec<_>>()
        })
        .collect();

    let mut groups: BTreeMap<Urgency, (Vec<Goal>, Vec<Finding>)> = BTreeMap::new();
    let mut for_a_person = Vec::new();
    let mut taken: Vec<(Urgency, Goal)> = Vec::new();
    for (finding, goal) in findings.into_iter().zip(wanted) {
        let able = goal.filter(|goal| {
            let server = finding.server.as_deref().unwrap_or_default().to_lowercase();
            !left.contains(&place(&finding)) && does.contains(&(goal.name(), server))
        });
        let Some(goal) = able else {
            for_a_person.push(finding);
            continue;
        };
        // Findings come worst first, so the first one says when; what its goal mends besides goes with it.
        let urgency = match taken.iter().find(|(_, own)| *own == goal) {
            Some((urgency, _)) => *urgency,
            None => {
                let urgency = Urgency::of(finding.severity);
                taken.push((urgency, goal.clone()));
                urgency
            }
        };
        let (goals, mends) = groups.entry(urgency).or_default();
        if !goals.contains(&goal) {
            goals.push(goal);
        }
        mends.push(finding);
    }
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|(urgency, (goals, mends))| Group {
            urgency,
            mends,
            plan: plan(inventory, policy, &of_a_kind(&goals), earlier, now),
        })
        .collect();
    // What a plan mends on the way, like the update that would fail, stands with the first plan that does.
    if for_a_person.iter().any(|finding| !left.contains(&place(finding))) {
        for group in &mut groups {
            let left = predicted(&group.plan, group.plan.steps.len());
            let left: BTreeSet<_> = diagnose(&left, policy, now).findings.iter().map(place).collect();
            let (still, also) = for_a_person
                .into_iter()
                .partition(|finding| left.contains(&place(finding)));
            for_a_person = still;
            group.mends.extend::<Vec<Finding>>(also);
            group
                .mends
                .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        }
    }
    Fix {
        format: 1,
        groups,
        for_a_person,
    }
}

/// What names a finding.
fn place(finding: &Finding) -> (String, Option<String>, Option<Slot>) {
    (finding.name.clone(), finding.server.clone(), finding.slot.clone())
}

/// Goals of one kind put together, in the order of doing: services first, for the rest may hang on them.
fn of_a_kind(goals: &[Goal]) -> Vec<Goal> {
    let mut services = Vec::new();
    let mut back_end = Vec::new();
    let mut transport = Vec::new();
    let mut cleanup = Vec::new();
    let mut front_end: Vec<(Thumbprint, Vec<String>)> = Vec::new();
    for goal in goals {
        match goal {
            Goal::ServicesStart { servers } => services.extend(servers.clone()),
            Goal::BackEndRenew { servers } => back_end.extend(servers.clone()),
            Goal::InternalTransportRenew { servers } => transport.extend(servers.clone()),
            Goal::Cleanup { servers, .. } => cleanup.extend(servers.clone()),
            // Nobody is advised to it: it is what the command of this name does.
            Goal::Rescue { .. } => {}
            Goal::FrontEndRebind { certificate, servers } => {
                match front_end.iter_mut().find(|(own, _)| own == certificate) {
                    Some((_, all)) => all.extend(servers.clone()),
                    None => front_end.push((*certificate, servers.clone())),
                }
            }
        }
    }
    for servers in [&mut services, &mut back_end, &mut transport, &mut cleanup] {
        servers.sort();
    }
    front_end.sort();
    let mut all = Vec::new();
    let mut add = |servers: Vec<String>, goal: fn(Vec<String>) -> Goal| {
        if !servers.is_empty() {
            all.push(goal(servers));
        }
    };
    add(services, |servers| Goal::ServicesStart { servers });
    add(back_end, |servers| Goal::BackEndRenew { servers });
    add(transport, |servers| Goal::InternalTransportRenew { servers });
    add(cleanup, |servers| Goal::Cleanup {
        servers,
        backup: None,
    });
    let rebind = front_end.into_iter().map(|(certificate, mut servers)| {
        servers.sort();
        Goal::FrontEndRebind { certificate, servers }
    });
    all.extend(rebind);
    all
}

/// The goal that may mend a finding, for its server.
fn goal_for(inventory: &Inventory, policy: &Policy, finding: &Finding, now: Timestamp) -> Option<Goal> {
    let name = finding.server.clone()?;
    let servers = vec![name.clone()];
    match finding.name.as_str() {
        "services-disabled-by-setup" | "exchange-service-down" => {
            return Some(Goal::ServicesStart { servers });
        }
        "certificate-left-over" | "root-holds-old-copies" | "auth-certificates-left-over" => {
            return Some(Goal::Cleanup {
                servers,
                backup: None,
            });
        }
        _ => {}
    }
    let slots = finding.slot.iter().chain(&finding.also);
    for slot in slots {
        match slot {
            Slot::BackEnd(_) => return Some(Goal::BackEndRenew { servers }),
            Slot::InternalTransport => return Some(Goal::InternalTransportRenew { servers }),
            Slot::FrontEnd(_) => {
                let certificate = front_end_of(inventory, policy, &name, now)?;
                return Some(Goal::FrontEndRebind { certificate, servers });
            }
            _ => {}
        }
    }
    None
}

/// The one certificate of a CA that another binding of the front end of this server carries; none where it is not one alone.
fn front_end_of(inventory: &Inventory, policy: &Policy, server: &str, now: Timestamp) -> Option<Thumbprint> {
    let server = inventory.server(server)?;
    let mut found: Vec<Thumbprint> = bound(server, FRONT_END_SITE, 443)
        .into_iter()
        .filter_map(|(_, presents)| match presents {
            Presents::Certificate(thumbprint, _) => Some(thumbprint),
            _ => None,
        })
        .filter(|thumbprint| {
            inventory
                .certificate(*thumbprint)
                .is_some_and(|own| (!own.self_signed || policy.front_end.self_signed) && own.not_after > now)
        })
        .collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}
