//! Self-signed certificates that nothing uses any more are still trusted as roots.

use exseal_model::Severity;
use exseal_model::inventory::Server;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "root-holds-old-copies",
    about: "self-signed certificates that nothing uses any more are still trusted as roots",
    severities: &[Severity::Info],
    scenarios: &[68],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let old: Vec<String> = server
            .root
            .iter()
            .filter_map(|entry| context.inventory.certificate(entry.thumbprint))
            .filter(|certificate| {
                certificate.self_signed && !certificate.is_ca && certificate.not_after < context.now
            })
            .filter(|certificate| certificate.names().iter().any(|name| is_neighbour(server, name)))
            .filter(|certificate| context.presenting(at, certificate.thumbprint).next().is_none())
            .map(|certificate| {
                format!(
                    "{} ({}, ended {})",
                    certificate.thumbprint,
                    certificate.subject,
                    day(certificate.not_after)
                )
            })
            .collect();
        if old.is_empty() {
            continue;
        }
        report
            .find(Severity::Info)
            .server(server)
            .with("count", old.len())
            .with("list", old.join(", "))
            .saw(
                context.inventory,
                server.root.looks.first().map(|look| look.source),
                old.join(", "),
            )
            .say();
    }
}

/// Whether a name is the server's own or that of a host in its domain: Windows' own old roots have no such names.
fn is_neighbour(server: &Server, name: &str) -> bool {
    let domain = |name: &str| Some(name.split_once('.')?.1.to_ascii_lowercase());
    let own = server.full_name().and_then(domain);
    server.is_called(name) || own.is_some() && domain(name) == own
}
