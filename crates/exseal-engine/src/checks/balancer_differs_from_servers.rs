//! A name in front of servers presents another certificate than they do, or one that does not cover it.

use std::collections::BTreeSet;

use exseal_model::inventory::Presentation;
use exseal_model::{Severity, Slot, Thumbprint};

use super::front_end_lacks_names::wanted_names;
use super::{Check, Context, Report};
use crate::slots::SlotUse;

pub(super) const CHECK: Check = Check {
    name: "balancer-differs-from-servers",
    about: "a name in front of servers presents a certificate that Extended Protection refuses, or that does not cover the name",
    severities: &[Severity::Info, Severity::Error],
    scenarios: &[],
    pains: &[23],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for look in &context.inventory.organisation.presented {
        let is_server = context
            .inventory
            .servers
            .iter()
            .any(|server| server.is_called(&look.host));
        if look.port != 443 || is_server {
            continue;
        }
        let Some(leaf) = look.leaf.value() else { continue };
        // Sent without a name it may be another site's; what clients see is what comes for the name.
        if look.asked.is_empty() {
            continue;
        }
        lacks_name(context, report, look, *leaf);
        differs(context, report, look, *leaf);
    }
}

fn lacks_name(context: &Context<'_>, report: &mut Report, look: &Presentation, leaf: Thumbprint) {
    let Some(certificate) = context.inventory.certificate(leaf) else {
        return;
    };
    if certificate.covers(&look.asked) {
        return;
    }
    report
        .find(Severity::Error)
        .variant("lacks-name")
        .slot(&Slot::Balancer(look.asked.clone()))
        .with("name", &look.asked)
        .with("presented", leaf)
        .with("names", certificate.names().join(", "))
        .saw_value(
            context.inventory,
            &format!("{}:{}", look.host, look.port),
            &look.leaf,
        )
        .say();
}

fn differs(context: &Context<'_>, report: &mut Report, look: &Presentation, leaf: Thumbprint) {
    let mut behind: BTreeSet<Thumbprint> = BTreeSet::new();
    let mut servers = Vec::new();
    let mut protection: Option<&str> = None;
    let mut unseen = false;
    for (at, server) in context.servers() {
        if !wanted_names(context.policy, server).contains_key(&look.asked) {
            continue;
        }
        let general = context.slots_of(at).find(|one| {
            matches!(&one.slot, Slot::FrontEnd(endpoint) if endpoint.address == "*" && endpoint.host.is_empty())
        });
        let Some(thumbprint) = general.and_then(SlotUse::thumbprint) else {
            unseen = true;
            continue;
        };
        behind.insert(thumbprint);
        servers.push(server.shown());
        for directory in &server.virtual_directories {
            match directory.extended_protection.value().map(String::as_str) {
                Some(word @ ("Require" | "Allow")) => protection = Some(word),
                Some(_) => protection = protection.or(Some("None")),
                None => {}
            }
        }
    }
    let slot = Slot::Balancer(look.asked.clone());
    if behind.is_empty() || behind.contains(&leaf) {
        return;
    }
    if unseen {
        return report.cannot_tell(None, Some(slot), "the binding of a server behind it was not seen");
    }
    let shown: Vec<String> = behind.iter().map(ToString::to_string).collect();
    let draft = match protection {
        Some("None") => report.find(Severity::Info).variant("without-protection"),
        Some(_) => report.find(Severity::Error),
        None => {
            let because = "Extended Protection of the virtual directories behind it was not seen";
            return report.cannot_tell(None, Some(slot), because);
        }
    };
    draft
        .slot(&slot)
        .with("name", &look.asked)
        .with("presented", leaf)
        .with("behind", shown.join(", "))
        .with("servers", servers.join(", "))
        .with("protection", protection.unwrap_or_default())
        .saw_value(
            context.inventory,
            &format!("{}:{}", look.host, look.port),
            &look.leaf,
        )
        .saw(
            context.inventory,
            None,
            format!("{} on {}", shown.join(", "), servers.join(", ")),
        )
        .say();
}
