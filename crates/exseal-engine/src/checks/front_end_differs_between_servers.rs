//! Servers that clients reach by one name present different certificates.

use std::collections::BTreeMap;

use exseal_model::inventory::Server;
use exseal_model::{Severity, Slot, Thumbprint};

use super::front_end_lacks_names::wanted_names;
use super::{Check, Context, Report};
use crate::slots::SlotUse;

pub(super) const CHECK: Check = Check {
    name: "front-end-differs-between-servers",
    about: "servers that clients reach by one name present different certificates",
    severities: &[Severity::Warning],
    scenarios: &[57],
    pains: &[22, 43],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    // Host name -> servers that are told to clients by it, with what each presents on its general binding.
    let mut by_name: BTreeMap<String, Vec<(&Server, Thumbprint)>> = BTreeMap::new();
    for (at, server) in context.servers() {
        let general = context.slots_of(at).find(|one| match &one.slot {
            Slot::FrontEnd(endpoint) => endpoint.address == "*" && endpoint.host.is_empty(),
            _ => false,
        });
        let Some(thumbprint) = general.and_then(SlotUse::thumbprint) else {
            continue;
        };
        for name in wanted_names(context.policy, server).into_keys() {
            if !server.is_called(&name) {
                by_name.entry(name).or_default().push((server, thumbprint));
            }
        }
    }
    // One finding for one set of servers, with all the names they share.
    let mut differing: BTreeMap<Vec<String>, (Vec<String>, String)> = BTreeMap::new();
    for (name, servers) in by_name {
        let Some((_, first)) = servers.first() else {
            continue;
        };
        if servers.iter().all(|(_, thumbprint)| thumbprint == first) {
            continue;
        }
        let mut groups: BTreeMap<Thumbprint, Vec<String>> = BTreeMap::new();
        for (server, thumbprint) in &servers {
            groups.entry(*thumbprint).or_default().push(server.shown());
        }
        let shown: Vec<String> = groups
            .iter()
            .map(|(thumbprint, servers)| on(*thumbprint, servers))
            .collect();
        let key: Vec<String> = servers.iter().map(|(server, _)| server.shown()).collect();
        differing
            .entry(key)
            .or_insert_with(|| (Vec::new(), shown.join("; ")))
            .0
            .push(name);
    }
    for (names, shown) in differing.into_values() {
        report
            .find(Severity::Warning)
            .with("names", names.join(", "))
            .with("servers", &shown)
            .saw(context.inventory, None, shown)
            .say();
    }
}

/// A certificate with the servers that present it; a few of many.
fn on(thumbprint: Thumbprint, servers: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = servers.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let servers: Vec<&str> = servers.iter().take(SHOWN).map(String::as_str).collect();
    format!("{thumbprint} on {}{more}", servers.join(", "))
}
