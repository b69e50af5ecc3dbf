//! An internal CA's certificate with the server's FQDN is the one STARTTLS presents.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "auto-enrolled-certificate-wins",
    about: "an internal CA's certificate with the server's FQDN is the one STARTTLS presents",
    severities: &[Severity::Notice],
    scenarios: &[16, 76],
    pains: &[4],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let Some(full) = server.full_name() else { continue };
        let mut connectors: Vec<&str> = Vec::new();
        let mut winner = None;
        for one in context.slots_of(at) {
            let Slot::ReceiveConnector(name) = &one.slot else {
                continue;
            };
            let Some(connector) = server
                .receive_connectors
                .iter()
                .find(|connector| connector.name == *name)
            else {
                continue;
            };
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
            else {
                continue;
            };
            // Chosen by the rule and not by a name pair; a CA's, for the server's own name only, as auto-enrolment makes them.
            let own = certificate.names().iter().all(|name| server.is_called(name));
            if connector.tls_certificate_name.value().is_none()
                && !certificate.self_signed
                && own
                && certificate.covers(full)
            {
                connectors.push(name);
                winner = Some((certificate, one.slot.clone()));
            }
        }
        let Some((certificate, slot)) = winner else {
            continue;
        };
        let first = Slot::ReceiveConnector(
            connectors
                .first()
                .map_or_else(|| slot.to_string(), ToString::to_string),
        );
        report
            .find(Severity::Notice)
            .server(server)
            .slot(&first)
            .with("thumbprint", certificate.thumbprint)
            .with("issuer", &certificate.issuer)
            .with("connectors", connectors.join(", "))
            .saw(
                context.inventory,
                None,
                format!("{} covers {full}, CA-issued", certificate.thumbprint),
            )
            .say();
    }
}
