//! What stops working when.

use std::collections::{BTreeMap, BTreeSet};

use exseal_model::inventory::Server;
use exseal_model::{Certificate, Inventory, Product, Severity, Slot, Thumbprint};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::messages::english;
use crate::policy::Policy;
use crate::severity::broken;
use crate::slots::{Presents, slots};

/// What is to come, day by day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// The version of this format: 1.
    pub format: u32,
    /// The time it is made for; what happens before it is in `ended`.
    pub now: Timestamp,
    /// The last instant that is told of; null: everything.
    pub until: Option<Timestamp>,
    /// Days on which something happens, in their order.
    pub days: Vec<Day>,
    /// What has ended already and is still presented, the oldest first.
    pub ended: Vec<Happening>,
    /// Slots of which nothing can be foretold, and why.
    pub unknown: Vec<Unforeseen>,
}

/// A day with everything that happens on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Day {
    /// The day in the zone that was asked for (JSON: UTC).
    #[schemars(with = "String")]
    pub date: Date,
    /// What happens, by time.
    pub happenings: Vec<Happening>,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The policy's warning begins: its renewal is due.
    RenewalDue,
    /// AuthConfig's next certificate takes the place of current.
    BecomesCurrent,
    /// A certificate ends that slots present then.
    Ends,
}

/// One certificate's event, with every slot it matters to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: Kind,
    /// The certificate.
    pub thumbprint: Thumbprint,
    /// Its subject.
    pub subject: String,
    /// How much it matters: that of the worst slot; a renewal that is due is a notice.
    pub severity: Severity,
    /// The slots, server by server, the organisation's last.
    pub places: Vec<Place>,
    /// What stops, a sentence a kind of slot; empty when nothing does.
    pub stops: Vec<String>,
}

/// A slot of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The server, by FQDN where it was seen; null: the organisation.
    pub server: Option<String>,
    /// Which slot.
    pub slot: Slot,
}

/// A slot of which nothing can be foretold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unforeseen {
    /// The slot.
    #[serde(flatten)]
    pub place: Place,
    /// Cannot tell, because …
    pub because: String,
}

/// Foretells from a merged inventory what stops when, if nothing is done.
///
/// Days are those of `zone`. A next Auth certificate with a date takes the place of current on that date, so that the end
/// of the old one stops nothing then. Servers of 2010 and 2013 are left out, and slots that present nothing: what is
/// wrong now is [`diagnose`](crate::diagnose)'s to say. Linear in the number of slots but for sorting.
#[must_use]
pub fn forecast(
    inventory: &Inventory,
    policy: &Policy,
    now: Timestamp,
    until: Option<Timestamp>,
    zone: &TimeZone,
) -> Forecast {
    let mut unknown = BTreeSet::new();
    let mut presented: BTreeMap<Thumbprint, Vec<Place>> = BTreeMap::new();
    for one in slots(inventory) {
        let server = one.server.and_then(|at| inventory.servers.get(at));
        if server.is_some_and(is_old) {
            continue;
        }
        let place = Place {
            server: server.map(Server::shown),
            slot: one.slot,
        };
        match one.presents {
            Presents::Certificate(thumbprint, _) if inventory.certificate(thumbprint).is_some() => {
                presented.entry(thumbprint).or_default().push(place);
            }
            Presents::Certificate(thumbprint, _) => {
                let because = format!("nobody has seen the certificate {thumbprint} itself");
                unknown.insert(Unforeseen { place, because });
            }
            Presents::Unknown(because) => {
                unknown.insert(Unforeseen { place, because });
            }
            Presents::Nothing(_) | Presents::NoMatch(_) => {}
        }
    }

    let rollover = Rollover::of(inventory);
    let mut happenings = Vec::new();
    for (thumbprint, mut places) in presented {
        let Some(certificate) = inventory.certificate(thumbprint) else {
            continue;
        };
        if let Some(rollover) = &rollover {
            happenings.extend(rollover.move_places(certificate, &mut places, now));
        }
        places.retain(|place| !matches!(place.slot, Slot::AuthPrevious | Slot::FederationPrevious));
        places.sort_by(|one, other| {
            (one.server.is_none(), &one.server, &one.slot).cmp(&(
                other.server.is_none(),
                &other.server,
                &other.slot,
            ))
        });
        if places.is_empty() {
            continue;
        }
        let due = certificate
            .not_after
            .checked_sub(policy.expiry.warning.before_end(certificate))
            .unwrap_or(certificate.not_after);
        // The Auth certificate is rolled over by its own rule, with a wider margin than the policy's share.
        let is_auth = places.iter().any(|place| place.slot == Slot::AuthCurrent);
        let due = if is_auth {
            let margin = SignedDuration::from_secs(policy.auth.stage_days.saturating_mul(86_400));
            certificate.not_after.checked_sub(margin).unwrap_or(due)
        } else {
            due
        };
        if due >= now {
            happenings.push(Happening {
                stops: Vec::new(),
                severity: Severity::Notice,
                ..happening(due, Kind::RenewalDue, certificate, places.clone())
            });
        }
        happenings.push(happening(certificate.not_after, Kind::Ends, certificate, places));
    }
    happenings.retain(|one| until.is_none_or(|until| one.at <= until));
    happenings.sort_by(|one, other| {
        (one.at, one.kind, one.thumbprint).cmp(&(other.at, other.kind, other.thumbprint))
    });

    let (ended, coming): (Vec<Happening>, Vec<Happening>) =
        happenings.into_iter().partition(|one| one.at < now);
    let mut days: Vec<Day> = Vec::new();
    for one in coming {
        let date = one.at.to_zoned(zone.clone()).date();
        match days.last_mut().filter(|day| day.date == date) {
            Some(day) => day.happenings.push(one),
            None => days.push(Day {
                date,
                happenings: vec![one],
            }),
        }
    }
    Forecast {
        format: 1,
        now,
        until,
        days,
        ended,
        unknown: unknown.into_iter().collect(),
    }
}

fn is_old(server: &Server) -> bool {
    matches!(
        server.product(),
        Some(Product::Exchange2010 | Product::Exchange2013)
    )
}

fn happening(at: Timestamp, kind: Kind, certificate: &Certificate, places: Vec<Place>) -> Happening {
    let severity = places
        .iter()
        .map(|place| broken(&place.slot))
        .max()
        .unwrap_or(Severity::Info);
    let mut stops: Vec<String> = Vec::new();
    for place in &places {
        if let Some(sentence) = english().ends.get(key(&place.slot))
            && !stops.contains(sentence)
        {
            stops.push(sentence.clone());
        }
    }
    Happening {
        at,
        kind,
        thumbprint: certificate.thumbprint,
        subject: certificate.subject.clone(),
        severity,
        places,
        stops,
    }
}

/// The key of a slot's sentence: its kind, but that nobody outside reaches a loopback address.
fn key(slot: &Slot) -> &'static str {
    match slot {
        Slot::FrontEnd(endpoint) if endpoint.address == "127.0.0.1" || endpoint.address == "[::1]" => {
            "front-end-loopback"
        }
        other => other.kind(),
    }
}

/// The change of Auth certificates that AuthConfig has a date for.
struct Rollover {
    current_end: Option<Timestamp>,
    current: Option<Thumbprint>,
    next: Thumbprint,
    at: Timestamp,
}

impl Rollover {
    fn of(inventory: &Inventory) -> Option<Self> {
        let config = &inventory.organisation.auth_config;
        let current = config.current.value().copied();
        Some(Self {
            current,
            current_end: current
                .and_then(|current| inventory.certificate(current))
                .map(|current| current.not_after),
            next: *config.next.value()?,
            at: *config.next_effective.value()?,
        })
    }

    /// Puts the places of AuthConfig where they will be when the certificate ends, and tells of the change itself.
    fn move_places(
        &self,
        certificate: &Certificate,
        places: &mut Vec<Place>,
        now: Timestamp,
    ) -> Option<Happening> {
        // A date that is past did not bring the change: AuthConfig still names it as next.
        if self.at < now {
            return None;
        }
        if Some(certificate.thumbprint) == self.current && self.current_end.is_some_and(|end| self.at <= end)
        {
            places.retain(|place| place.slot != Slot::AuthCurrent);
            return None;
        }
        if certificate.thumbprint != self.next {
            return None;
        }
        for place in places.iter_mut().filter(|place| place.slot == Slot::AuthNext) {
            place.slot = Slot::AuthCurrent;
        }
        let own = places
            .iter()
            .filter(|place| place.slot == Slot::AuthCurrent)
            .cloned()
            .collect();
        Some(Happening {
            stops: Vec::new(),
            severity: Severity::Notice,
            ..happening(self.at, Kind::BecomesCurrent, certificate, own)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_slot_has_its_sentence() {
        for id in [
            "front-end/*:443",
            "front-end/127.0.0.1:443",
            "back-end/*:444",
            "internal-transport",
            "receive-connector/x",
            "send-connector/x",
            "hybrid",
            "pop",
            "imap",
            "auth-current",
            "auth-next",
            "auth-previous",
            "federation-current",
            "federation-next",
            "federation-previous",
            "edge-default",
            "edge-subscription/x",
            "balancer/x",
            "bystander/x",
        ] {
            let slot: Slot = id.parse().expect("an id");
            assert!(english().ends.contains_key(key(&slot)), "{id}");
        }
    }
}
