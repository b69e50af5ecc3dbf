//! What several goals ask of a server's own certificate: whether it is right, whether one is there, and what hangs on it.

use exseal_model::inventory::{Server, StoreEntry, first_label};
use exseal_model::plan::{Change, WaitKind};
use exseal_model::{Certificate, Inventory, Slot, Thumbprint};

use crate::plan::draft::Draft;
use crate::policy::CopyToRoot;
use crate::slots::{Presents, slots_of_server};

/// Why a certificate will not do as a server's own; keys of the catalogue under `reason.`.
pub(super) fn unfit(
    draft: &Draft<'_>,
    server: &Server,
    entry: Option<&StoreEntry>,
    certificate: &Certificate,
) -> Option<&'static str> {
    let Some(entry) = entry else {
        return Some("not-in-store");
    };
    if entry.has_private_key.value() == Some(&false) {
        return Some("no-key");
    }
    if certificate.not_after < draft.now {
        return Some("ended");
    }
    if draft.policy.expiry.warning.reached(certificate, draft.now) {
        return Some("ends");
    }
    if !covers_server(server, certificate) {
        return Some("names");
    }
    if certificate.self_signed && certificate.signature_hash.as_deref() == Some("sha1") {
        return Some("sha1");
    }
    None
}

/// Whether it holds the server's FQDN; of a self-signed one the NetBIOS name is wanted, too (product.md, `back-end`).
fn covers_server(server: &Server, certificate: &Certificate) -> bool {
    let Some(full) = server.full_name() else {
        return true;
    };
    certificate.covers(full) && (!certificate.self_signed || certificate.covers(first_label(full)))
}

/// The newest certificate in My that will do as the server's own: self-signed, with key in a CAPI provider, both names, far
/// from its end, not one of AuthConfig's.
pub(super) fn good_one(draft: &Draft<'_>, server: &Server) -> Option<Thumbprint> {
    let config = &draft.inventory.organisation.auth_config;
    let auth = [&config.current, &config.next, &config.previous].map(|one| one.value().copied());
    let mut fit: Vec<&Certificate> = server
        .my
        .iter()
        .filter_map(|entry| Some((entry, draft.inventory.certificate(entry.thumbprint)?)))
        .filter(|(entry, certificate)| {
            certificate.self_signed
                && unfit(draft, server, Some(entry), certificate).is_none()
                // What may lack a key, or have it in a provider Exchange cannot use, is not relied on.
                && entry.has_private_key.value() == Some(&true)
                && entry.key_provider_type.value() != Some(&0)
                && certificate.key_algorithm == "RSA"
                && !auth.contains(&Some(certificate.thumbprint))
        })
        .map(|(_, certificate)| certificate)
        .collect();
    fit.sort_by_key(|certificate| (certificate.not_before, certificate.thumbprint));
    fit.last().map(|certificate| certificate.thumbprint)
}

/// Makes a certificate with the server's names; returns what stands for it. `why` is a key of the catalogue.
pub(super) fn create(draft: &mut Draft<'_>, goal: &str, name: &str, why: &str) -> Option<Thumbprint> {
    let server = draft.server(name)?;
    let Some(full) = server.full_name().map(str::to_ascii_lowercase) else {
        draft.wait(goal, Some(name), WaitKind::Unknown, "fqdn-unknown", &[]);
        return None;
    };
    let short = server.short_name().unwrap_or_else(|| first_label(&full));
    let short = short.to_ascii_uppercase();
    let wanted = &draft.policy.change;
    let change = Change::CreateCertificate {
        server: name.to_owned(),
        subject: format!("CN={short}"),
        names: vec![short, full],
        friendly_name: "Microsoft Exchange".to_owned(),
        days: wanted.lifetime_days,
        key_bits: wanted.key_bits,
    };
    let number = draft.push(change, why, &[("server", name.to_owned())]);
    draft.made_by(number)
}

/// The slots of a server that present a certificate.
pub(super) fn presenting(inventory: &Inventory, at: usize, thumbprint: Thumbprint) -> Vec<Slot> {
    slots_of_server(inventory, at)
        .into_iter()
        .filter(|one| matches!(one.presents, Presents::Certificate(own, _) if own == thumbprint))
        .map(|one| one.slot)
        .collect()
}

/// Copies the new certificate to Root where the policy wants it, or where its predecessor has a copy.
pub(super) fn copy_to_root(draft: &mut Draft<'_>, name: &str, new: Thumbprint, old: Option<Thumbprint>) {
    let Some(server) = draft.server(name) else { return };
    let in_root = |thumbprint| server.root.iter().any(|entry| entry.thumbprint == thumbprint);
    let wanted = match draft.policy.change.copy_to_root {
        CopyToRoot::Always => true,
        CopyToRoot::Never => false,
        CopyToRoot::AsBefore => old.is_some_and(in_root),
    };
    // A Root that nobody looked at is not written to.
    if !wanted || in_root(new) || server.root.is_unknown() {
        return;
    }
    let change = Change::CopyCertificate {
        server: name.to_owned(),
        store: exseal_model::inventory::Store::Root,
        certificate: draft.which(new),
    };
    draft.push(change, "why.copy-to-root", &[]);
}

/// Whether a service runs; unknown is no.
pub(super) fn runs(server: &Server, service: &str) -> bool {
    server
        .services
        .iter()
        .find(|own| own.name.eq_ignore_ascii_case(service))
        .is_some_and(|own| own.status.value().is_some_and(|status| status == "Running"))
}

/// Restarts a service that runs, but only if one of `after` was carried out.
pub(super) fn restart(draft: &mut Draft<'_>, name: &str, service: &str, after: &[u32], why: &str) -> bool {
    let Some(server) = draft.server(name) else {
        return false;
    };
    if !runs(server, service) {
        return false;
    }
    let change = Change::RestartService {
        server: name.to_owned(),
        service: service.to_owned(),
    };
    draft.push(change, why, &[("service", service.to_owned())]);
    if let Some(step) = draft.last() {
        step.only_after = after.to_vec();
    }
    true
}
