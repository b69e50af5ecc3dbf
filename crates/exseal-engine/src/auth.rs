//! What is to be done about the Auth certificate.
//!
//! [`decide`] is a pure function over plain inputs; with [`AuthRule::Microsoft`] it gives the answer of Microsoft's
//! MonitorExchangeAuthCertificate.ps1 (facts/exchange.md 2.6, held against 1,000 of its answers by
//! `cargo xtask auth-decisions`). [`status`] makes the inputs from an inventory. Where our default rule is safer and why:
//! docs/auth-decisions.md.

use exseal_model::inventory::Server;
use exseal_model::{Inventory, Product, Thumbprint};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{AuthPolicy, AuthRule, Policy};

/// What is known of the organisation when the decision is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The time of the decision.
    pub now: Timestamp,
    /// Offset of the deciding shell from UTC: the peer's last day begins at its midnight.
    pub utc_offset: SignedDuration,
    /// AuthConfig; `None`: it gave nothing.
    pub config: Option<Config>,
    /// End of the certificate a server returns for the current thumbprint.
    pub current_not_after: Option<Timestamp>,
    /// End of the certificate a server returns for the next thumbprint.
    pub next_not_after: Option<Timestamp>,
    /// Whether there is a hybrid configuration.
    pub hybrid: bool,
    /// The servers of the organisation, also those that do not count.
    pub servers: Vec<AuthServer>,
}

/// The thumbprints of AuthConfig; `None`: none is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Current.
    pub current: Option<Thumbprint>,
    /// Next.
    pub next: Option<Thumbprint>,
}

/// A server, as far as the decision asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthServer {
    /// Its name as it is to be shown.
    pub name: String,
    /// Whether it is a mailbox server of version 15: Edge and Exchange 2010 have no Auth certificate.
    pub counts: bool,
    /// Its Active Directory site.
    pub site: Option<String>,
    /// Whether it could be asked.
    pub reachable: bool,
    /// Whether its store holds current; of no meaning when it could not be asked.
    pub has_current: bool,
    /// Whether its store holds next.
    pub has_next: bool,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Put another certificate in the place of current: publish next if it will do, else make one.
    Replace,
    /// Make a new certificate and configure it as next.
    StageNext,
    /// Bring current to the servers that lack it.
    ImportCurrent,
    /// Bring next to the servers that lack it.
    ImportNext,
}

/// What keeps a person from doing it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Blocked {
    /// There is a hybrid configuration, which must learn the new certificate by hand.
    Hybrid,
    /// A server could not be asked.
    Unreachable,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is to be done, in this order.
    pub actions: Vec<Action>,
    /// What blocks it.
    pub blocked_by: Vec<Blocked>,
    /// Whether there is a hybrid configuration, whatever follows from it.
    pub hybrid_detected: bool,
    /// Whether the servers that count are in more than one site.
    pub multiple_sites: bool,
    /// Days of current as the rule counts them; −1 where it could not know (Microsoft's rule).
    pub current_days: i64,
    /// Days of next, as `current_days`.
    pub next_days: i64,
    /// Servers that could not be asked, in the order given.
    pub unreachable: Vec<String>,
    /// Servers that were asked and lack current.
    pub missing_current: Vec<String>,
    /// Servers that were asked and lack next.
    pub missing_next: Vec<String>,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// Decides by the policy's rule.
#[must_use]
pub fn decide(situation: &Situation, policy: &AuthPolicy) -> Decision {
    let counting: Vec<&AuthServer> = situation.servers.iter().filter(|server| server.counts).collect();
    let mut sites: Vec<&str> = counting
        .iter()
        .filter_map(|server| server.site.as_deref())
        .collect();
    sites.sort_unstable();
    sites.dedup();
    let mut decision = Decision {
        actions: Vec::new(),
        blocked_by: Vec::new(),
        hybrid_detected: situation.hybrid,
        multiple_sites: sites.len() > 1,
        current_days: -1,
        next_days: -1,
        unreachable: Vec::new(),
        missing_current: Vec::new(),
        missing_next: Vec::new(),
        reasons: Vec::new(),
    };

    let (mut holds_current, mut holds_next) = (false, false);
    if let Some(Config {
        current: Some(_),
        next,
    }) = situation.config
    {
        for server in counting {
            if !server.reachable {
                decision.unreachable.push(server.name.clone());
                continue;
            }
            if server.has_current {
                holds_current = true;
            } else {
                decision.missing_current.push(server.name.clone());
            }
            if next.is_some() {
                if server.has_next {
                    holds_next = true;
                } else {
                    decision.missing_next.push(server.name.clone());
                }
            }
        }
    }
    match policy.rule {
        AuthRule::Microsoft => microsoft(situation, policy, &mut decision, holds_current, holds_next),
        AuthRule::Careful => careful(situation, policy, &mut decision, holds_current, holds_next),
    }
    decision
}

/// The peer's rule, complete (facts/exchange.md 2.6, steps 3 to 6).
fn microsoft(situation: &Situation, policy: &AuthPolicy, decision: &mut Decision, current: bool, next: bool) {
    if situation.config.is_none() {
        decision
            .reasons
            .push("AuthConfig gave nothing: nothing is decided".to_owned());
        return;
    }
    if !decision.unreachable.is_empty() && !policy.ignore_unreachable {
        decision.blocked_by.push(Blocked::Unreachable);
        decision
            .reasons
            .push("a server could not be asked: nothing is decided".to_owned());
        return;
    }
    let days = |holds: bool, end: Option<Timestamp>| match end {
        Some(end) if holds => peer_days(end, situation.now, situation.utc_offset),
        _ => -1,
    };
    let c = days(current, situation.current_not_after);
    let n = days(next, situation.next_not_after);
    decision.current_days = c;
    decision.next_days = n;

    let complete = decision.missing_current.is_empty() && decision.missing_next.is_empty();
    if c < 0 && n < 0 {
        decision.actions.push(Action::Replace);
        decision.reasons.push(format!(
            "current ({c} days) and next ({n} days) both count as ended"
        ));
    } else if policy.enforce_new_next {
        decision.actions.push(Action::StageNext);
        decision
            .reasons
            .push("a new next certificate was asked for".to_owned());
    } else if (0..=policy.stage_days).contains(&c) && n <= policy.next_days && complete {
        decision.actions.push(Action::StageNext);
        decision.reasons.push(format!(
            "current has {c} days left and next ({n} days) does not outlast it long enough"
        ));
    } else if c <= 0 && n >= 0 {
        decision.actions.push(Action::Replace);
        decision
            .reasons
            .push(format!("current has ended ({c} days) and next has {n} days left"));
    } else {
        if !decision.missing_current.is_empty() {
            decision.actions.push(Action::ImportCurrent);
            decision.reasons.push("servers lack current".to_owned());
        }
        if !decision.missing_next.is_empty() {
            decision.actions.push(Action::ImportNext);
            decision.reasons.push("servers lack next".to_owned());
        }
    }
    block_by_hybrid(situation, policy, decision);
}

fn block_by_hybrid(situation: &Situation, policy: &AuthPolicy, decision: &mut Decision) {
    let decided = decision
        .actions
        .iter()
        .any(|action| matches!(action, Action::Replace | Action::StageNext));
    if decided && situation.hybrid && !policy.ignore_hybrid {
        decision.blocked_by.push(Blocked::Hybrid);
        decision
            .reasons
            .push("there is a hybrid configuration, which must learn the new certificate".to_owned());
    }
}

/// NotAfter − now in whole days cut towards zero; where that is 0 and the end day's midnight is past, −1.
fn peer_days(end: Timestamp, now: Timestamp, offset: SignedDuration) -> i64 {
    let days = whole_days(end, now);
    if days != 0 {
        return days;
    }
    let local = end.as_second().saturating_add(offset.as_secs());
    let midnight = local - local.rem_euclid(86_400) - offset.as_secs();
    let midnight = Timestamp::from_second(midnight).unwrap_or(end);
    if midnight < now { -1 } else { 0 }
}

/// Whole days from `now` to `end`, cut towards zero.
#[must_use]
pub fn whole_days(end: Timestamp, now: Timestamp) -> i64 {
    end.duration_since(now).as_secs() / 86_400
}

/// Our rule: unknown is not expired, the last day is not over, missing copies do not keep staging back, and a valid next
/// is published.
fn careful(situation: &Situation, policy: &AuthPolicy, decision: &mut Decision, current: bool, next: bool) {
    let Some(config) = situation.config else {
        decision
            .reasons
            .push("AuthConfig was not seen: nothing is decided".to_owned());
        return;
    };
    let left = |holds: bool, end: Option<Timestamp>| {
        end.filter(|_| holds).map(|end| end.duration_since(situation.now))
    };
    let c = left(current, situation.current_not_after);
    let n = left(next, situation.next_not_after);
    let days = |left: Option<SignedDuration>| left.map_or(-1, |left| left.as_secs() / 86_400);
    decision.current_days = days(c);
    decision.next_days = days(n);
    let ended = |left: SignedDuration| left < SignedDuration::ZERO;
    let unreachable = !decision.unreachable.is_empty() && !policy.ignore_unreachable;
    if unreachable {
        decision.blocked_by.push(Blocked::Unreachable);
    }

    match (config.current, c) {
        (None, _) => {
            decision.actions.push(Action::Replace);
            decision
                .reasons
                .push("no current certificate is configured".to_owned());
        }
        (Some(_), Some(left)) if ended(left) => {
            decision.actions.push(Action::Replace);
            decision.reasons.push(match n {
                Some(next) if !ended(next) => {
                    "current has ended; next is valid and can be published".to_owned()
                }
                _ => "current has ended".to_owned(),
            });
        }
        (Some(_), Some(left)) => {
            let near = left <= SignedDuration::from_secs(policy.stage_days * 86_400);
            let outlasts = n.is_some_and(|next| next > SignedDuration::from_secs(policy.next_days * 86_400));
            if policy.enforce_new_next || (near && !outlasts) {
                decision.actions.push(Action::StageNext);
                let left = left.as_secs() / 86_400;
                decision.reasons.push(format!(
                    "current has {left} whole days left and no next outlasts it long enough"
                ));
            }
        }
        (Some(_), None) if decision.unreachable.is_empty() && !decision.missing_current.is_empty() => {
            decision.actions.push(Action::Replace);
            decision
                .reasons
                .push("every server was asked and none holds current: its key is lost".to_owned());
        }
        (Some(_), None) => {
            decision.reasons.push(
                "no server that could be asked holds current, and not all could be asked: that is unknown, not expired"
                    .to_owned(),
            );
        }
    }
    let replaced = decision.actions.contains(&Action::Replace);
    if !replaced && current && !decision.missing_current.is_empty() {
        decision.actions.push(Action::ImportCurrent);
        decision.reasons.push("servers lack current".to_owned());
    }
    if next && !decision.missing_next.is_empty() && n.is_some_and(|next| !ended(next)) {
        decision.actions.push(Action::ImportNext);
        decision.reasons.push("servers lack next".to_owned());
    }
    block_by_hybrid(situation, policy, decision);
}

/// The Auth certificate of an organisation and what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthStatus {
    /// The version of this format: 1.
    pub format: u32,
    /// The time it is about.
    pub now: Timestamp,
    /// The current certificate; null: none is configured; left out: AuthConfig was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Option<AuthCertificate>>,
    /// The next certificate, as `current`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Option<AuthCertificate>>,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// What blocks it.
    pub blocked_by: Vec<Blocked>,
    /// Servers that lack current, by FQDN where it was seen.
    pub missing_current: Vec<String>,
    /// Servers that lack next.
    pub missing_next: Vec<String>,
    /// Servers whose store was not seen whole.
    pub unreachable: Vec<String>,
    /// Why.
    pub reasons: Vec<String>,
    /// Keys of this object that were not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// One of AuthConfig's certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthCertificate {
    /// Its thumbprint.
    pub thumbprint: Thumbprint,
    /// Whole days left, cut towards zero; left out: the certificate itself was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i64>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// When it becomes current (next only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Timestamp>,
    /// Servers that hold it.
    pub held_by: Vec<String>,
    /// Keys of this object that were not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Whether a server takes part in the Auth certificate: a mailbox server of version 15.
///
/// One whose roles nobody saw counts: only what is seen to be Edge, or older, is left out.
#[must_use]
pub fn counts(server: &Server) -> bool {
    !server.is_edge().unwrap_or(false) && server.product() != Some(Product::Exchange2010)
}

/// What an inventory says about the Auth certificate, and what the policy decides.
#[must_use]
pub fn status(inventory: &Inventory, policy: &Policy, now: Timestamp) -> AuthStatus {
    let config = &inventory.organisation.auth_config;
    let end = |thumbprint: Option<&Thumbprint>| {
        thumbprint
            .and_then(|thumbprint| inventory.certificate(*thumbprint))
            .map(|certificate| certificate.not_after)
    };
    let holds = |server: &Server, thumbprint: Option<&Thumbprint>| {
        thumbprint.is_some_and(|thumbprint| server.in_my(*thumbprint).is_some())
    };
    let (current, next) = (config.current.value(), config.next.value());
    let servers: Vec<AuthServer> = inventory
        .servers
        .iter()
        .filter(|server| server.name.known().is_some() || !server.my.is_unknown())
        .map(|server| AuthServer {
            name: server.shown(),
            counts: counts(server),
            site: server.site.value().cloned(),
            // A store that shows both is enough, whole or not; one that was not seen whole cannot show what is missing.
            reachable: server.my.is_complete()
                || (holds(server, current) && (next.is_none() || holds(server, next))),
            has_current: holds(server, current),
            has_next: holds(server, next),
        })
        .collect();
    let situation = Situation {
        now,
        utc_offset: SignedDuration::ZERO,
        config: (!config.current.is_unknown()).then(|| Config {
            current: current.copied(),
            next: next.copied(),
        }),
        current_not_after: end(current),
        next_not_after: end(next),
        hybrid: inventory
            .organisation
            .hybrid
            .present
            .value()
            .copied()
            .unwrap_or(false),
        servers,
    };
    let decision = decide(&situation, &policy.auth);

    let certificate = |thumbprint: Thumbprint, effective: Option<Timestamp>| {
        let known = inventory.certificate(thumbprint);
        AuthCertificate {
            thumbprint,
            days_left: known.map(|certificate| whole_days(certificate.not_after, now)),
            not_after: known.map(|certificate| certificate.not_after),
            effective,
            held_by: inventory
                .servers
                .iter()
                .filter(|server| server.in_my(thumbprint).is_some())
                .map(Server::shown)
                .collect(),
            unknown: if known.is_none() {
                vec!["days_left".to_owned(), "not_after".to_owned()]
            } else {
                Vec::new()
            },
        }
    };
    let mut unknown = Vec::new();
    if config.current.is_unknown() {
        unknown.push("current".to_owned());
    }
    if config.next.is_unknown() {
        unknown.push("next".to_owned());
    }
    let mut reasons = decision.reasons;
    if inventory.organisation.hybrid.present.is_unknown() {
        reasons.push("whether there is a hybrid configuration was not seen; none is assumed".to_owned());
    }
    AuthStatus {
        format: 1,
        now,
        current: config
            .current
            .known()
            .map(|known| known.map(|thumbprint| certificate(*thumbprint, None))),
        next: config.next.known().map(|known| {
            known.map(|thumbprint| certificate(*thumbprint, config.next_effective.value().copied()))
        }),
        actions: decision.actions,
        blocked_by: decision.blocked_by,
        missing_current: decision.missing_current,
        missing_next: decision.missing_next,
        unreachable: decision.unreachable,
        reasons,
        unknown,
    }
}
