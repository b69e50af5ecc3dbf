//! The hybrid configuration names a certificate that no server holds.

use exseal_model::inventory::Server;
use exseal_model::{Observed, Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::{named, split_name_pair};

pub(super) const CHECK: Check = Check {
    name: "hybrid-certificate-not-found",
    about: "the hybrid configuration names a certificate that no server holds",
    severities: &[Severity::Error],
    scenarios: &[22, 38],
    pains: &[10],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let observed = &context.inventory.organisation.hybrid.tls_certificate_name;
    let Some((issuer, subject)) = observed.value().and_then(|name| split_name_pair(name)) else {
        return;
    };
    let servers: Vec<&Server> = context.servers().map(|(_, server)| server).collect();
    if servers
        .iter()
        .any(|server| !named(context.inventory, &server.my, issuer, subject).is_empty())
    {
        return;
    }
    // The servers that send and receive hold it, others need not: where those are named, the stores of all of them decide.
    let hybrid = &context.inventory.organisation.hybrid;
    let mut wanted = [
        &hybrid.receiving_transport_servers,
        &hybrid.sending_transport_servers,
    ]
    .into_iter()
    .filter_map(Observed::value)
    .flatten()
    .peekable();
    let seen = |name: &String| {
        servers
            .iter()
            .any(|server| server.is_called(name) && server.my.is_complete())
    };
    let decided = if wanted.peek().is_some() {
        wanted.all(seen)
    } else {
        servers.iter().any(|server| server.my.is_complete())
    };
    if !decided {
        return report.cannot_tell(
            None,
            Some(Slot::Hybrid),
            "the store of a server that sends or receives was not seen whole",
        );
    }
    report
        .find(Severity::Error)
        .slot(&Slot::Hybrid)
        .with("name", observed.value().cloned().unwrap_or_default())
        .saw_value(context.inventory, "TlsCertificateName", observed)
        .say();
}
