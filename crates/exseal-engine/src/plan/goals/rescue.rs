//! `rescue`: what ends an outage of the back end at once, and nothing else (facts/scenarios.md 1-6, 10, 11, 18, 71).
//!
//! A certificate that is there already is preferred to a new one. SMTP, names of clients, the front end and everything that
//! merely ends soon are left to the ordinary goals.

use exseal_model::inventory::Server;
use exseal_model::plan::WaitKind;
use exseal_model::{Inventory, Product, Thumbprint};

use super::back_end::{Binding, Unseen, bind, bindings};
use super::certificate::{create, good_one};
use super::services_start;
use crate::checks::disabled_services;
use crate::plan::draft::Draft;
use crate::slots::BACK_END_SITE;

/// Services without which neither the shell nor OWA answers.
fn is_vital(service: &str) -> bool {
    ["WinRM", "MSExchangeADTopology", "WAS", "W3SVC"]
        .iter()
        .any(|vital| vital.eq_ignore_ascii_case(service))
}

/// The services the shell hangs on that start by themselves and do not run, and those a person disabled.
pub(in crate::plan) fn vital_down(server: &Server) -> (Vec<String>, Vec<String>) {
    let down = server
        .services
        .iter()
        .filter(|service| is_vital(&service.name))
        .filter(|service| service.status.value().is_some_and(|status| status == "Stopped"))
        .filter(|service| {
            let start = service.start_type.value();
            start.is_some_and(|start| start.starts_with("Automatic"))
        })
        .map(|service| service.name.clone())
        .collect();
    let mut disabled = disabled_services(server);
    if disabled.len() >= services_start::BY_SETUP {
        disabled.clear();
    }
    disabled.retain(|service| is_vital(service));
    (down, disabled)
}

pub(super) fn on(draft: &mut Draft<'_>, goal: &str, name: &str) {
    let Some(server) = draft.server(name) else { return };
    if matches!(
        server.product(),
        Some(Product::Exchange2010 | Product::Exchange2013)
    ) {
        return draft.wait(goal, Some(name), WaitKind::Right, "older", &[]);
    }
    match server.is_edge() {
        Some(true) => return draft.wait(goal, Some(name), WaitKind::Right, "edge-has-none", &[]),
        // Whoever has the site is a mailbox server, also when the shell that would say so is dead.
        None if !has_back_end(server) => {
            return draft.wait(goal, Some(name), WaitKind::Unknown, "roles-unknown", &[]);
        }
        None | Some(false) => {}
    }
    let (mut down, by_person) = vital_down(server);
    if !by_person.is_empty() {
        let values = [("list", by_person.join(", "))];
        return draft.wait(
            goal,
            Some(name),
            WaitKind::Person,
            "vital-disabled-by-person",
            &values,
        );
    }
    let mut disabled = disabled_services(server);
    if disabled.len() < services_start::BY_SETUP {
        disabled.clear();
    }
    down.extend(disabled.iter().cloned());
    let services_unseen = server.services.is_unknown();
    let certificates = moving(draft, server);
    let steps = draft.steps.len();
    services_start::push(draft, name, disabled, down);
    match certificates {
        Err((because, values)) => draft.wait(goal, Some(name), WaitKind::Unknown, because, &values),
        Ok(moving) => mend(draft, goal, name, &moving),
    }
    if draft.steps.len() > steps
        || draft
            .waits
            .iter()
            .any(|wait| wait.server.as_deref() == Some(name))
    {
        return;
    }
    if services_unseen {
        draft.wait(goal, Some(name), WaitKind::Unknown, "services-unknown", &[]);
    } else {
        draft.wait(goal, Some(name), WaitKind::Right, "rescue-right", &[]);
    }
}

/// What a client saw of port 444 where the handshake broke off though somebody listens there: a key that is gone looks like
/// that, also where the store claims one. `None`: it answered, nobody looked, or services are down, which looks alike.
pub(in crate::plan) fn broken_handshake<'i>(
    inventory: &'i Inventory,
    server: &Server,
) -> Option<&'i exseal_model::inventory::Presentation> {
    let (down, by_person) = vital_down(server);
    if !down.is_empty()
        || !by_person.is_empty()
        || disabled_services(server).len() >= services_start::BY_SETUP
    {
        return None;
    }
    let mut looks = inventory
        .organisation
        .presented
        .iter()
        .filter(|look| look.port == 444 && server.is_called(&look.host));
    let broken = looks.find(|look| {
        let outcome = look.outcome.value().map(String::as_str);
        matches!(outcome, Some("hung-up" | "alert"))
    })?;
    // One look that went well elsewhere is enough.
    let went_well = |look: &exseal_model::inventory::Presentation| look.leaf.value().is_some();
    let looks = inventory.organisation.presented.iter();
    let mut of_this = looks.filter(|look| look.port == 444 && server.is_called(&look.host));
    (!of_this.any(went_well)).then_some(broken)
}

fn has_back_end(server: &Server) -> bool {
    let site = |name: &str| name.eq_ignore_ascii_case(BACK_END_SITE);
    server.sites.iter().any(|own| site(&own.name))
        || server.http_sys.iter().any(|entry| entry.endpoint.port == 444)
}

/// The bindings of the back end, and why they do not work; or what was not seen.
fn moving(draft: &Draft<'_>, server: &Server) -> Result<Vec<Binding>, Unseen> {
    let mut all = bindings(server, |old| dead(draft, server, old))?;
    if broken_handshake(&draft.inventory, server).is_some() {
        for one in &mut all {
            let general = one.endpoint.is_general() && one.endpoint.host.is_empty();
            one.reason = one.reason.or_else(|| general.then_some("unusable"));
        }
    }
    all.retain(|one| one.reason.is_some());
    Ok(all)
}

/// Why a certificate keeps the back end from working; `None`: it works.
fn dead(draft: &Draft<'_>, server: &Server, bound: Thumbprint) -> Result<Option<&'static str>, Unseen> {
    let Some(entry) = server.in_my(bound) else {
        let elsewhere = server.web_hosting.iter().any(|entry| entry.thumbprint == bound);
        return Ok(Some(if elsewhere { "wrong-store" } else { "not-in-store" }));
    };
    if entry.has_private_key.value() == Some(&false) {
        return Ok(Some("no-key"));
    }
    let Some(certificate) = draft.certificate(bound) else {
        return Err(("certificate-unseen", vec![("thumbprint", bound.to_string())]));
    };
    if certificate.not_after < draft.now {
        return Ok(Some("ended"));
    }
    let lacks_name = server.full_name().is_some_and(|full| !certificate.covers(full));
    Ok((lacks_name && !certificate.self_signed).then_some("public"))
}

fn mend(draft: &mut Draft<'_>, goal: &str, name: &str, moving: &[Binding]) {
    if moving.is_empty() {
        return;
    }
    let good = draft
        .server(name)
        .and_then(|server| good_one(draft, server))
        .filter(|good| moving.iter().all(|one| one.old != Some(*good)));
    if let Some(new) = good.or_else(|| create(draft, goal, name, "why.back-end-create")) {
        bind(draft, name, new, moving);
    }
}
