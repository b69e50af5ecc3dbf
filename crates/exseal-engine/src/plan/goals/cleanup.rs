//! `cleanup`: certificates away that nothing refers to any more (facts/exchange.md 2.5, scenarios 5, 26, 39, 52, 68, 72).
//!
//! Only what has ended or has a successor, what no slot on any server and no other setting names, and what an earlier
//! inventory already showed unused. Old copies in Root go first, because they can be put back; certificates with their keys
//! go last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use exseal_model::inventory::{Server, Store, StoreEntry};
use exseal_model::plan::{Change, Step, WaitKind};
use exseal_model::{Certificate, Inventory, Product, Thumbprint};
use jiff::{SignedDuration, Timestamp};

use crate::checks::Context;
use crate::plan::draft::Draft;
use crate::slots::{Presents, SlotUse, is_named, slots, split_name_pair};

/// What refers to certificates now, and what did in earlier inventories.
pub(crate) struct Known {
    now: References,
    earlier: BTreeMap<Timestamp, Vec<References>>,
}

/// What refers to certificates, on all servers.
pub(crate) struct References {
    named: BTreeSet<Thumbprint>,
    /// Why nobody can say that a certificate is not referred to.
    unknown: Vec<String>,
}

impl References {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let uses = slots(inventory);
        let mut named: BTreeSet<Thumbprint> = uses.iter().filter_map(SlotUse::thumbprint).collect();
        let organisation = &inventory.organisation;
        named.extend(
            organisation
                .adfs_sign_certificate_thumbprints
                .value()
                .into_iter()
                .flatten(),
        );
        named.extend(organisation.adfs_encrypt_certificate_thumbprint.value());
        named.extend(organisation.instant_messaging_certificate_thumbprint.value());
        let applications = organisation.partner_applications.iter();
        named.extend(applications.filter_map(|one| one.certificates.value()).flatten());
        named.extend(
            organisation
                .edge_subscriptions
                .iter()
                .filter_map(|one| one.certificate.value()),
        );
        // Every entry of http.sys, of whatever program: WinRM, WMSVC, AD FS.
        for server in &inventory.servers {
            named.extend(
                server
                    .http_sys
                    .iter()
                    .filter_map(|entry| entry.thumbprint.value()),
            );
            named.extend(server.internal_transport.value());
        }
        let mut unknown: Vec<String> = uses
            .iter()
            .filter_map(|one| match &one.presents {
                Presents::Unknown(because) => {
                    let server = one.server.and_then(|at| inventory.servers.get(at));
                    let place = server.map_or_else(|| "the organisation".to_owned(), Server::shown);
                    Some(format!("{} of {place}: {because}", one.slot))
                }
                _ => None,
            })
            .collect();
        let mut lists = vec![("Get-SendConnector", organisation.send_connectors.is_unknown())];
        lists.push((
            "Get-EdgeSubscription",
            organisation.edge_subscriptions.is_unknown(),
        ));
        for (what, missing) in lists {
            if missing {
                unknown.push(format!("{what} was not seen"));
            }
        }
        for server in &inventory.servers {
            if server.is_edge() == Some(false) && server.http_sys.is_unknown() && server.sites.is_unknown() {
                unknown.push(format!("http.sys of {} was not seen", server.shown()));
            }
        }
        Self { named, unknown }
    }
}

/// Works the references out once a plan.
fn known(draft: &mut Draft<'_>) -> Rc<Known> {
    let known = draft.references.get_or_insert_with(|| {
        let mut earlier: BTreeMap<Timestamp, Vec<References>> = BTreeMap::new();
        for (at, inventory) in draft.earlier {
            earlier.entry(*at).or_default().push(References::of(inventory));
        }
        Rc::new(Known {
            now: References::of(&draft.inventory),
            earlier,
        })
    });
    Rc::clone(known)
}

/// Old copies in Root.
pub(super) fn roots(draft: &mut Draft<'_>, name: &str) {
    let Some((old, _)) = leftovers(draft, name) else {
        return;
    };
    for (store, thumbprint) in old {
        if store == Store::Root {
            remove(draft, name, store, thumbprint, "why.cleanup-root");
        }
    }
}

/// Certificates of My whose keys may be exported: into a file first, from which they can be put back.
pub(super) fn backed_up(draft: &mut Draft<'_>, name: &str, folder: &str) {
    let ours = draft.server(name).is_some_and(|server| {
        server.my.is_complete()
            && !matches!(
                server.product(),
                None | Some(Product::Exchange2010 | Product::Exchange2013)
            )
    });
    let Some((old, _)) = leftovers(draft, name).filter(|_| ours) else {
        return;
    };
    for (store, thumbprint) in old {
        let entry = draft.server(name).and_then(|server| server.in_my(thumbprint));
        let exportable = entry.is_some_and(|entry| {
            entry.has_private_key.value() == Some(&true)
                && entry.private_key_exportable.value() == Some(&true)
        });
        if store != Store::My || !exportable {
            continue;
        }
        let file = Path::new(folder).join(format!("{}-{thumbprint}.pfx", name.to_lowercase()));
        let change = Change::BackUpCertificate {
            server: name.to_owned(),
            certificate: draft.which(thumbprint),
            file: file.to_string_lossy().into_owned(),
        };
        draft.push(change, "why.cleanup-back-up", &[]);
        remove(draft, name, Store::My, thumbprint, "why.cleanup-my");
    }
}

/// Certificates of My, with their keys; and why others stay.
pub(super) fn on(draft: &mut Draft<'_>, goal: &str, name: &str) {
    let known = known(draft);
    let references = &known.now;
    if let Some(because) = references.unknown.first().cloned() {
        let more = references.unknown.len() - 1;
        let values = [("because", because), ("more", more.to_string())];
        return draft.wait(goal, Some(name), WaitKind::Unknown, "references-unknown", &values);
    }
    let Some(server) = draft.server(name) else { return };
    if !server.my.is_complete() {
        return draft.wait(goal, Some(name), WaitKind::Unknown, "store-unknown", &[]);
    }
    let Some((old, stays)) = leftovers(draft, name) else {
        return;
    };
    let mine: Vec<Thumbprint> = old
        .iter()
        .filter(|(store, _)| *store == Store::My)
        .map(|(_, thumbprint)| *thumbprint)
        .collect();
    let done =
        |step: &Step| step.change.server() == name && matches!(step.change, Change::RemoveCertificate { .. });
    let nothing = old.is_empty() && stays.is_empty() && !draft.steps.iter().any(done);
    for stay in stays {
        let values = [
            ("thumbprint", stay.thumbprint.to_string()),
            ("name", stay.name),
            ("days", draft.policy.change.unused_days.to_string()),
        ];
        draft.wait(goal, Some(name), stay.kind, stay.because, &values);
    }
    for thumbprint in mine {
        remove(draft, name, Store::My, thumbprint, "why.cleanup-my");
    }
    if nothing {
        draft.wait(goal, Some(name), WaitKind::Right, "nothing-left-over", &[]);
    }
}

/// A left-over certificate that stays for now.
struct Stay {
    thumbprint: Thumbprint,
    kind: WaitKind,
    because: &'static str,
    name: String,
}

fn remove(draft: &mut Draft<'_>, name: &str, store: Store, thumbprint: Thumbprint, why: &str) {
    let subject = draft.certificate(thumbprint).map(|own| own.subject.clone());
    let change = Change::RemoveCertificate {
        server: name.to_owned(),
        store,
        certificate: draft.which(thumbprint),
    };
    draft.push(change, why, &[("subject", subject.unwrap_or_default())]);
}

/// What may go, and what stays for now.
type Leftovers = (Vec<(Store, Thumbprint)>, Vec<Stay>);

/// What may go from a server, and what is left over and stays; `None` when the references are not known.
fn leftovers(draft: &mut Draft<'_>, name: &str) -> Option<Leftovers> {
    let known = known(draft);
    if !known.now.unknown.is_empty() {
        return None;
    }
    let named = &known.now.named;
    let server = draft.server(name)?;
    let mut old = Vec::new();
    let mut stays = Vec::new();
    let my: Vec<&Certificate> = of_store(draft, &server.my.items);
    for certificate in &my {
        if !is_candidate(draft, &my, certificate, named) {
            continue;
        }
        let thumbprint = certificate.thumbprint;
        let mut stay = |kind, because, name: &str| {
            stays.push(Stay {
                thumbprint,
                kind,
                because,
                name: name.to_owned(),
            });
        };
        if let Some(connector) = clash(&draft.inventory, certificate) {
            stay(WaitKind::Person, "same-name-pair", &connector);
        } else if !long_unused(draft, &known, thumbprint) {
            stay(WaitKind::Time, "unused-not-long", "");
        } else {
            old.push((Store::My, thumbprint));
        }
    }
    for certificate in of_store(draft, &server.root.items) {
        let own = certificate.self_signed
            && !certificate.is_ca
            && certificate.not_after < draft.now
            && certificate.names().iter().any(|name| server.is_called(name));
        if own && !named.contains(&certificate.thumbprint) && server.root.is_complete() {
            old.push((Store::Root, certificate.thumbprint));
        }
    }
    Some((old, stays))
}

fn of_store<'d>(draft: &'d Draft<'_>, entries: &[StoreEntry]) -> Vec<&'d Certificate> {
    entries
        .iter()
        .filter_map(|entry| draft.inventory.certificate(entry.thumbprint))
        .collect()
}

/// Ended, or followed by a younger one of the same subject and names that something uses; and nobody else's.
fn is_candidate(
    draft: &Draft<'_>,
    my: &[&Certificate],
    certificate: &Certificate,
    named: &BTreeSet<Thumbprint>,
) -> bool {
    if named.contains(&certificate.thumbprint) || draft.is_auth(certificate.thumbprint) {
        return false;
    }
    // Judged without slots: only what stands beside Exchange and is left alone.
    if Context::bystander(draft.policy, certificate) {
        return false;
    }
    let followed = my.iter().any(|other| {
        other.not_before > certificate.not_before
            && other.subject == certificate.subject
            && certificate
                .names()
                .iter()
                .all(|name| other.names().contains(name))
            && named.contains(&other.thumbprint)
    });
    certificate.not_after < draft.now || followed
}

/// The send connector, or what else, whose `TlsCertificateName` means a certificate of these names: Exchange then refuses to
/// remove any of them (facts/exchange.md 2.8, E2).
fn clash(inventory: &Inventory, certificate: &Certificate) -> Option<String> {
    inventory
        .organisation
        .send_connectors
        .iter()
        .find(|connector| {
            connector
                .tls_certificate_name
                .value()
                .and_then(|name| split_name_pair(name))
                .is_some_and(|(issuer, subject)| is_named(certificate, issuer, subject))
        })
        .map(|connector| connector.name.clone())
}

/// Whether an inventory of at least the policy's time ago, and every younger one, shows that nothing referred to it.
fn long_unused(draft: &Draft<'_>, known: &Known, thumbprint: Thumbprint) -> bool {
    let days = i64::from(draft.policy.change.unused_days);
    let limit = draft
        .now
        .saturating_sub(SignedDuration::from_hours(24 * days))
        .unwrap_or(Timestamp::MIN);
    if days == 0 {
        return true;
    }
    // From the youngest back: unused all along, up to one that is old enough.
    for (at, all) in known.earlier.iter().rev() {
        let unused = |one: &References| one.unknown.is_empty() && !one.named.contains(&thumbprint);
        if !all.iter().all(unused) {
            return false;
        }
        if *at <= limit {
            return true;
        }
    }
    false
}
