//! `exseal report`: everything on one page, in the form that was asked for.

mod csv;
mod html;
mod markdown;

use std::collections::BTreeMap;

use exseal_engine::auth::AuthStatus;
use exseal_engine::{Diagnosis, Forecast, Place, Policy};
use exseal_model::inventory::{NotRecognised, Store};
use exseal_model::{Inventory, ReadError, Source, SourceId, Thumbprint};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use csv::csv;
pub(crate) use html::html;
pub(crate) use markdown::markdown;

/// Everything a report shows.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Report {
    /// The version of this format: 1.
    pub(crate) format: u32,
    /// The time it is about.
    pub(crate) now: Timestamp,
    /// The policy it judges by: a file or the name of a built-in one.
    pub(crate) policy: String,
    /// How many servers were seen.
    pub(crate) servers: usize,
    /// What is right, wrong and unknown.
    pub(crate) diagnosis: Diagnosis,
    /// What stops when.
    pub(crate) forecast: Forecast,
    /// The Auth certificate.
    pub(crate) auth: AuthStatus,
    /// Every certificate that was seen, the first to end first.
    pub(crate) certificates: Vec<CertificateLine>,
    /// Where the values come from, in the order of trust; `seen_by` counts from 0.
    pub(crate) sources: Vec<Source>,
    /// What could not be read while the rest was.
    pub(crate) errors: Vec<ReadError>,
    /// Files that hold nothing exseal knows.
    pub(crate) not_recognised: Vec<NotRecognised>,
}

/// A certificate with where it is and what presents it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CertificateLine {
    pub(crate) thumbprint: Thumbprint,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) self_signed: bool,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// Whole days, cut towards zero; negative: ended.
    pub(crate) days_left: i64,
    pub(crate) dns_names: Vec<String>,
    /// `RSA 2048`.
    pub(crate) key: String,
    /// `sha256RSA`.
    pub(crate) signature: String,
    /// The slots that present it.
    pub(crate) presented: Vec<Place>,
    /// The stores it is in.
    pub(crate) held: Vec<Held>,
}

/// A certificate in a store.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Held {
    /// The server, by FQDN where it was seen.
    pub(crate) server: String,
    pub(crate) store: Store,
    /// Exchange's names of the services; null: not seen.
    pub(crate) services: Option<Vec<String>>,
    /// Places in `sources`.
    pub(crate) seen_by: Vec<SourceId>,
}

impl Report {
    /// Puts everything together.
    pub(crate) fn of(
        inventory: Inventory,
        policy: &Policy,
        policy_name: &str,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let diagnosis = exseal_engine::diagnose(&inventory, policy, now);
        let forecast = exseal_engine::forecast(&inventory, policy, now, None, zone);
        let auth = exseal_engine::auth::status(&inventory, policy, now);
        Self {
            format: 1,
            now,
            policy: policy_name.to_owned(),
            servers: inventory.servers.len(),
            certificates: certificates(&inventory, &diagnosis, now),
            diagnosis,
            forecast,
            auth,
            sources: inventory.sources,
            errors: inventory.errors,
            not_recognised: inventory.not_recognised,
        }
    }
}

fn certificates(inventory: &Inventory, diagnosis: &Diagnosis, now: Timestamp) -> Vec<CertificateLine> {
    let mut presented: BTreeMap<Thumbprint, Vec<Place>> = BTreeMap::new();
    for row in &diagnosis.matrix.rows {
        for cell in &row.cells {
            if let Some(thumbprint) = cell.thumbprint {
                presented.entry(thumbprint).or_default().push(Place {
                    server: row.server.clone(),
                    slot: cell.slot.clone(),
                });
            }
        }
    }
    let mut held: BTreeMap<Thumbprint, Vec<Held>> = BTreeMap::new();
    for server in &inventory.servers {
        for store in [
            Store::My,
            Store::Request,
            Store::Root,
            Store::CA,
            Store::WebHosting,
        ] {
            for entry in server.store(store) {
                held.entry(entry.thumbprint).or_default().push(Held {
                    server: server.shown(),
                    store,
                    services: entry.services.value().cloned(),
                    seen_by: entry.by.clone(),
                });
            }
        }
    }
    let mut lines: Vec<CertificateLine> = inventory
        .certificates
        .values()
        .map(|certificate| CertificateLine {
            thumbprint: certificate.thumbprint,
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            self_signed: certificate.self_signed,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            days_left: exseal_engine::auth::whole_days(certificate.not_after, now),
            dns_names: certificate.dns_names.clone(),
            key: certificate.key_bits.map_or_else(
                || certificate.key_algorithm.clone(),
                |bits| format!("{} {bits}", certificate.key_algorithm),
            ),
            signature: certificate.signature_algorithm.clone(),
            presented: presented.remove(&certificate.thumbprint).unwrap_or_default(),
            held: held.remove(&certificate.thumbprint).unwrap_or_default(),
        })
        .collect();
    lines.sort_by_key(|line| (line.not_after, line.thumbprint));
    lines
}

impl CertificateLine {
    /// The subject's common name, or the whole subject.
    fn name(&self) -> &str {
        self.subject
            .split(", ")
            .find_map(|part| part.strip_prefix("CN="))
            .unwrap_or(&self.subject)
    }

    /// Whether a slot presents it or Exchange shows a service for it.
    fn in_use(&self) -> bool {
        !self.presented.is_empty()
            || self.held.iter().any(|held| {
                held.services
                    .as_ref()
                    .is_some_and(|services| !services.is_empty())
            })
    }

    /// Servers and stores in words, long lists cut with their number.
    fn held_words(&self) -> String {
        const NAMED: usize = 4;
        let mut by_store: BTreeMap<Store, Vec<&str>> = BTreeMap::new();
        for held in &self.held {
            by_store.entry(held.store).or_default().push(&held.server);
        }
        let parts: Vec<String> = by_store
            .iter()
            .map(|(store, servers)| match servers.split_at_checked(NAMED) {
                Some((named, [_, ..])) => {
                    let more = servers.len() - NAMED;
                    format!("{store:?} of {} and {more} more", named.join(", "))
                }
                _ => format!("{store:?} of {}", servers.join(", ")),
            })
            .collect();
        parts.join("; ")
    }
}
