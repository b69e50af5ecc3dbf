//! What a plan's steps made, told from an inventory where no journal says it.

use std::collections::BTreeMap;

use exseal_model::inventory::Server;
use exseal_model::plan::{Change, Plan, Which};
use exseal_model::{Certificate, Inventory, Thumbprint};

/// For each step of a plan that makes a certificate the one that stands where the plan puts it: self-signed, with the names that
/// were asked for, not there when the plan was made, in My. A step whose certificate is not found has no entry; of several the
/// one that the plan's first binding carries, else the youngest.
#[must_use]
pub fn made(plan: &Plan, inventory: &Inventory) -> BTreeMap<u32, Thumbprint> {
    let mut found = BTreeMap::new();
    for step in &plan.steps {
        let Change::CreateCertificate { server, names, .. } = &step.change else {
            continue;
        };
        let Some(server) = inventory.server(server) else {
            continue;
        };
        let fits = |certificate: &&Certificate| {
            certificate.self_signed
                && names.iter().all(|name| certificate.covers(name))
                && plan.inventory.certificate(certificate.thumbprint).is_none()
                && server.in_my(certificate.thumbprint).is_some()
        };
        let bound = bound_for(plan, step.number, server).and_then(|own| inventory.certificate(own));
        let new = bound.filter(fits).or_else(|| {
            let own = server
                .my
                .iter()
                .filter_map(|entry| inventory.certificate(entry.thumbprint));
            own.filter(fits)
                .max_by_key(|certificate| (certificate.not_before, certificate.thumbprint))
        });
        if let Some(certificate) = new {
            found.insert(step.number, certificate.thumbprint);
        }
    }
    found
}

/// What the first binding carries that the plan gives to the certificate of a step.
fn bound_for(plan: &Plan, step: u32, server: &Server) -> Option<Thumbprint> {
    plan.steps.iter().find_map(|own| match &own.change {
        Change::BindCertificate {
            endpoint,
            certificate: Which::MadeBy(maker),
            ..
        } if *maker == step => super::carries(server, endpoint).ok().flatten(),
        _ => None,
    })
}
