//! The client-facing certificate does not cover every name clients are told.

use std::collections::{BTreeMap, BTreeSet};

use exseal_model::inventory::Server;
use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::policy::Policy;

pub(super) const CHECK: Check = Check {
    name: "front-end-lacks-names",
    about: "the client-facing certificate does not cover the host name of a URL that clients are given",
    severities: &[Severity::Error],
    scenarios: &[30],
    pains: &[24],
    run,
};

/// Host names clients of a server are told, with the place each comes from.
pub(crate) fn wanted_names(policy: &Policy, server: &Server) -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for directory in &server.virtual_directories {
        // The shell's own directory is reached over http with Kerberos; its name needs no certificate.
        if directory.kind.value().is_some_and(|kind| kind == "powershell") {
            continue;
        }
        let urls = [&directory.internal_url, &directory.external_url]
            .into_iter()
            .filter_map(|url| url.value());
        let hosts = [&directory.internal_host, &directory.external_host]
            .into_iter()
            .filter_map(|host| host.value());
        let hosts = urls
            .filter_map(|url| https_host(url))
            .chain(hosts.map(String::as_str));
        for host in hosts.filter(|host| !host.is_empty()) {
            names
                .entry(host.to_lowercase())
                .or_default()
                .insert(directory.identity.clone());
        }
    }
    for name in &policy.front_end.namespaces {
        names
            .entry(name.to_lowercase())
            .or_default()
            .insert("policy".to_owned());
    }
    names
}

/// The host of an https URL.
fn https_host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let host = rest.split(['/', '?', '#']).next()?;
    Some(host.split(':').next().unwrap_or(host))
}

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let wanted = wanted_names(context.policy, server);
        if wanted.is_empty() {
            continue;
        }
        for one in context.slots_of(at) {
            let Slot::FrontEnd(endpoint) = &one.slot else {
                continue;
            };
            // Clients come to the general binding; the one of 127.0.0.1 is for the server itself.
            if !endpoint.is_general() || !endpoint.host.is_empty() {
                continue;
            }
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
            else {
                continue;
            };
            let missing: Vec<&String> = wanted.keys().filter(|name| !certificate.covers(name)).collect();
            if missing.is_empty() {
                continue;
            }
            let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let places: BTreeSet<&String> = missing
                .iter()
                .filter_map(|name| wanted.get(*name))
                .flatten()
                .collect();
            let places: Vec<String> = places.into_iter().cloned().collect();
            report
                .find(Severity::Error)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
                .with("missing", list.join(", "))
                .with("names", certificate.names().join(", "))
                .with("places", places.join("; "))
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate {}", certificate.thumbprint),
                )
                .say();
        }
    }
}
