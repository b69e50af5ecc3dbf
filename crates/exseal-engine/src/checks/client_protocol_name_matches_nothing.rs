//! POP or IMAP is to use a certificate name that no certificate covers.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::Presents;

pub(super) const CHECK: Check = Check {
    name: "client-protocol-name-matches-nothing",
    about: "POP or IMAP is to use a certificate name that no certificate covers",
    severities: &[Severity::Warning],
    scenarios: &[34],
    pains: &[14],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let (service, settings) = match one.slot {
                Slot::Pop => ("POP", &server.pop),
                Slot::Imap => ("IMAP", &server.imap),
                _ => continue,
            };
            if !matches!(one.presents, Presents::NoMatch(_)) {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&one.slot)
                .with("service", service)
                .with(
                    "name",
                    settings
                        .x509_certificate_name
                        .value()
                        .cloned()
                        .unwrap_or_default(),
                )
                .saw_value(
                    context.inventory,
                    "X509CertificateName",
                    &settings.x509_certificate_name,
                )
                .say();
        }
    }
}
