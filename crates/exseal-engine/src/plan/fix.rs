//! Everything diagnose found that has a safe goal, by urgency; and what is left for a person.

use std::collections::{BTreeMap, BTreeSet};

use exseal_model::inventory::Server;
use exseal_model::plan::Goal;
use exseal_model::{Certificate, Endpoint, Finding, Inventory, Plan, Severity, Slot, Thumbprint};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{plan, predicted};
use crate::checks::wanted_names;
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
                let certificate = front_end_of(inventory, policy, finding, now)?;
                return Some(Goal::FrontEndRebind { certificate, servers });
            }
            _ => {}
        }
    }
    None
}

/// What is mended by another certificate than the one that a front end presents.
const REPLACED: &[&str] = &[
    "bound-certificate-not-in-store",
    "certificate-expired",
    "certificate-expires",
    "certificate-without-key",
    "front-end-lacks-names",
    "front-end-self-signed",
    "front-end-unbound",
    "renewed-certificate-not-bound",
];

/// The certificate a person would choose for the front end of a finding's server; none where it is not one alone.
///
/// Of a CA and not ended: what another binding there carries; else what other servers present and is here with its key; else what is
/// here with its key and covers every name that clients are told, the youngest of several with the same names.
fn front_end_of(
    inventory: &Inventory,
    policy: &Policy,
    finding: &Finding,
    now: Timestamp,
) -> Option<Thumbprint> {
    let server = inventory.server(finding.server.as_deref()?)?;
    let slots: Vec<&Slot> = finding.slot.iter().chain(&finding.also).collect();
    let is_replaced = REPLACED.contains(&finding.name.as_str());
    let (complained, others): (Vec<_>, Vec<_>) = carried(server)
        .partition(|(endpoint, _)| is_replaced && slots.contains(&&Slot::FrontEnd(endpoint.clone())));
    let complained: Vec<Thumbprint> = complained.into_iter().map(|(_, thumbprint)| thumbprint).collect();
    let latest = complained
        .iter()
        .filter_map(|thumbprint| inventory.certificate(*thumbprint))
        .map(|own| own.not_after)
        .max();
    let is_due = matches!(
        finding.name.as_str(),
        "certificate-expires" | "renewed-certificate-not-bound"
    );
    let fits = |thumbprint: &Thumbprint| {
        !complained.contains(thumbprint)
            && inventory.certificate(*thumbprint).is_some_and(|own| {
                let issuer = own.issuer.to_lowercase();
                let issuers = &policy.front_end.issuers;
                (!own.self_signed || policy.front_end.self_signed)
                    && own.not_before <= now
                    && own.not_after > now
                    && (!is_due || Some(own.not_after) > latest)
                    && (issuers.is_empty()
                        || issuers.iter().any(|part| issuer.contains(&part.to_lowercase())))
            })
    };
    let own: BTreeSet<Thumbprint> = others.into_iter().map(|(_, own)| own).filter(fits).collect();
    if !own.is_empty() || !is_replaced {
        return alone(&own);
    }
    let here = |thumbprint: &Thumbprint| {
        server
            .in_my(*thumbprint)
            .is_some_and(|entry| entry.has_private_key.value() == Some(&true))
    };
    let elsewhere: BTreeSet<Thumbprint> = inventory
        .servers
        .iter()
        .flat_map(carried)
        .filter(|(endpoint, _)| endpoint.is_general() && endpoint.host.is_empty())
        .map(|(_, thumbprint)| thumbprint)
        .filter(|thumbprint| fits(thumbprint) && here(thumbprint))
        .collect();
    if !elsewhere.is_empty() {
        return alone(&elsewhere);
    }
    let wanted = wanted_names(policy, server);
    let fitting: Vec<&Certificate> = server
        .my
        .iter()
        .map(|entry| entry.thumbprint)
        .filter(|thumbprint| !wanted.is_empty() && fits(thumbprint) && here(thumbprint))
        .filter_map(|thumbprint| inventory.certificate(thumbprint))
        .filter(|own| !own.self_signed && wanted.keys().all(|name| own.covers(name)))
        .collect();
    let names: BTreeSet<BTreeSet<String>> = fitting
        .iter()
        .map(|own| own.names().into_iter().map(str::to_lowercase).collect())
        .collect();
    if names.len() != 1 {
        return None;
    }
    let youngest = fitting
        .into_iter()
        .max_by_key(|own| (own.not_before, own.thumbprint));
    youngest.map(|own| own.thumbprint)
}

/// The certificates that the bindings of a server's front end carry.
fn carried(server: &Server) -> impl Iterator<Item = (Endpoint, Thumbprint)> {
    bound(server, FRONT_END_SITE, 443)
        .into_iter()
        .filter_map(|(endpoint, presents)| match presents {
            Presents::Certificate(thumbprint, _) => Some((endpoint, thumbprint)),
            _ => None,
        })
}

fn alone(found: &BTreeSet<Thumbprint>) -> Option<Thumbprint> {
    (found.len() == 1).then(|| found.first().copied()).flatten()
}
