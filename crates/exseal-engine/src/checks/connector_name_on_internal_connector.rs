//! A connector that only servers use names a public certificate.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::split_name_pair;

pub(super) const CHECK: Check = Check {
    name: "connector-name-on-internal-connector",
    about: "a connector that only servers use names a public certificate",
    severities: &[Severity::Notice],
    scenarios: &[37],
    pains: &[9],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for connector in &server.receive_connectors {
            let hub = connector
                .transport_role
                .value()
                .is_some_and(|role| role == "HubTransport");
            let proxy = connector
                .bindings
                .value()
                .is_some_and(|bindings| bindings.iter().any(|one| one.ends_with(":717")));
            let Some((issuer, subject)) = connector
                .tls_certificate_name
                .value()
                .and_then(|name| split_name_pair(name))
            else {
                continue;
            };
            if !(hub || proxy) || issuer.eq_ignore_ascii_case(subject) {
                continue;
            }
            report
                .find(Severity::Notice)
                .server(server)
                .slot(&Slot::ReceiveConnector(connector.name.clone()))
                .with("connector", &connector.name)
                .with("subject", subject)
                .saw_value(
                    context.inventory,
                    "TlsCertificateName",
                    &connector.tls_certificate_name,
                )
                .saw_value(context.inventory, "TransportRole", &connector.transport_role)
                .say();
        }
    }
}
