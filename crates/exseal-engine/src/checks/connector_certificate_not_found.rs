//! A connector names a certificate that no store holds.

use exseal_model::inventory::{SendConnector, Server};
use exseal_model::{Certificate, Inventory, Observed, Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::{named, split_name_pair};

pub(super) const CHECK: Check = Check {
    name: "connector-certificate-not-found",
    about: "a connector's TlsCertificateName matches no certificate of a store that was seen whole",
    severities: &[Severity::Error],
    scenarios: &[38, 50],
    pains: &[1, 3, 10],
    run,
};

/// A connector on a server whose store it chooses from.
pub(super) struct Choice<'i> {
    /// The server; a send connector is looked at once on each source server that was seen.
    pub(super) server: &'i Server,
    pub(super) slot: Slot,
    pub(super) connector: &'i str,
    pub(super) name: &'i Observed<String>,
    /// What matches, newest first.
    pub(super) matches: Vec<&'i Certificate>,
}

/// A connector that cannot be judged: the server whose store was looked for, the slot, why.
type Untold<'i> = (Option<&'i Server>, Slot, &'static str);

/// Every connector with a well-formed name, on every server that chooses by it. What was not seen is told to the report by
/// the first check only.
pub(super) fn choices<'i>(context: &Context<'i>) -> (Vec<Choice<'i>>, Vec<Untold<'i>>) {
    let inventory: &'i Inventory = context.inventory;
    let (mut found, mut untold) = (Vec::new(), Vec::new());
    let mut look = |server: &'i Server, slot: Slot, connector: &'i str, name: &'i Observed<String>| {
        let Some((issuer, subject)) = name.value().and_then(|name| split_name_pair(name)) else {
            return;
        };
        let matches: Vec<&Certificate> = named(inventory, &server.my, issuer, subject)
            .into_iter()
            .map(|(_, certificate)| certificate)
            .collect();
        if matches.is_empty() && !server.my.is_complete() {
            untold.push((Some(server), slot, "the server's store was not seen whole"));
            return;
        }
        found.push(Choice {
            server,
            slot,
            connector,
            name,
            matches,
        });
    };
    for (_, server) in context.servers() {
        for connector in &server.receive_connectors {
            let slot = Slot::ReceiveConnector(connector.name.clone());
            look(server, slot, &connector.name, &connector.tls_certificate_name);
        }
    }
    let mut nowhere: Vec<&'i SendConnector> = Vec::new();
    for connector in &inventory.organisation.send_connectors {
        let mut any = false;
        for (_, server) in context.servers().filter(|(_, server)| sends(server, connector)) {
            any = true;
            let slot = Slot::SendConnector(connector.name.clone());
            look(server, slot, &connector.name, &connector.tls_certificate_name);
        }
        if !any && connector.tls_certificate_name.value().is_some() {
            nowhere.push(connector);
        }
    }
    for connector in nowhere {
        untold.push((
            None,
            Slot::SendConnector(connector.name.clone()),
            "no store of a source server was seen",
        ));
    }
    (found, untold)
}

/// Whether a server with a store that was seen is one a send connector sends from.
///
/// Where its source servers were not seen, or none of them is among the servers, every server counts: exports of one folder
/// are taken together, and the finding names the server whose store was looked at.
fn sends(server: &Server, connector: &SendConnector) -> bool {
    if server.my.is_unknown() {
        return false;
    }
    match connector.source_transport_servers.value() {
        Some(sources) if !sources.is_empty() => sources.iter().any(|source| server.is_called(source)),
        _ => true,
    }
}

fn run(context: &Context<'_>, report: &mut Report) {
    let (choices, untold) = choices(context);
    for (server, slot, because) in untold {
        report.cannot_tell(server, Some(slot), because);
    }
    for one in choices.iter().filter(|one| one.matches.is_empty()) {
        let look = one
            .server
            .my
            .looks
            .iter()
            .find(|look| look.complete)
            .map(|look| look.source);
        report
            .find(Severity::Error)
            .server(one.server)
            .slot(&one.slot)
            .with("connector", one.connector)
            .with("name", one.name.value().cloned().unwrap_or_default())
            .saw_value(context.inventory, "TlsCertificateName", one.name)
            .saw(
                context.inventory,
                look,
                format!(
                    "{} certificates, none of that issuer and subject",
                    one.server.my.items.len()
                ),
            )
            .say();
    }
}
