//! A connector's TlsCertificateName is none.

use exseal_model::{Observed, Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::split_name_pair;

pub(super) const CHECK: Check = Check {
    name: "connector-certificate-name-malformed",
    about: "a connector's TlsCertificateName is not <I>issuer<S>subject",
    severities: &[Severity::Error],
    scenarios: &[37],
    pains: &[11],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let malformed =
        |name: &Observed<String>| name.value().is_some_and(|name| split_name_pair(name).is_none());
    for (_, server) in context.servers() {
        for connector in server
            .receive_connectors
            .iter()
            .filter(|one| malformed(&one.tls_certificate_name))
        {
            report
                .find(Severity::Error)
                .server(server)
                .slot(&Slot::ReceiveConnector(connector.name.clone()))
                .with("connector", &connector.name)
                .with(
                    "name",
                    connector
                        .tls_certificate_name
                        .value()
                        .cloned()
                        .unwrap_or_default(),
                )
                .saw_value(
                    context.inventory,
                    "TlsCertificateName",
                    &connector.tls_certificate_name,
                )
                .say();
        }
    }
    let organisation = &context.inventory.organisation;
    for connector in organisation
        .send_connectors
        .iter()
        .filter(|one| malformed(&one.tls_certificate_name))
    {
        report
            .find(Severity::Error)
            .slot(&Slot::SendConnector(connector.name.clone()))
            .with("connector", &connector.name)
            .with(
                "name",
                connector
                    .tls_certificate_name
                    .value()
                    .cloned()
                    .unwrap_or_default(),
            )
            .saw_value(
                context.inventory,
                "TlsCertificateName",
                &connector.tls_certificate_name,
            )
            .say();
    }
    if malformed(&organisation.hybrid.tls_certificate_name) {
        report
            .find(Severity::Error)
            .slot(&Slot::Hybrid)
            .with("connector", "the hybrid configuration")
            .with(
                "name",
                organisation
                    .hybrid
                    .tls_certificate_name
                    .value()
                    .cloned()
                    .unwrap_or_default(),
            )
            .saw_value(
                context.inventory,
                "TlsCertificateName",
                &organisation.hybrid.tls_certificate_name,
            )
            .say();
    }
}
