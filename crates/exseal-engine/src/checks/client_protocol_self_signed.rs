//! POP or IMAP runs and presents a self-signed certificate.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "client-protocol-self-signed",
    about: "POP or IMAP runs and presents a self-signed certificate",
    severities: &[Severity::Warning],
    scenarios: &[34],
    pains: &[14],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    if context.policy.front_end.self_signed {
        return;
    }
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let (protocol, service, settings) = match one.slot {
                Slot::Pop => ("POP", "MSExchangePop3", &server.pop),
                Slot::Imap => ("IMAP", "MSExchangeImap4", &server.imap),
                _ => continue,
            };
            // Both are off by design: only where somebody started the service does a client ever see it.
            let runs = server.services.iter().any(|own| {
                own.name.eq_ignore_ascii_case(service)
                    && own.status.value().is_some_and(|status| status == "Running")
            });
            let certificate = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint));
            let Some(certificate) = certificate.filter(|own| runs && own.self_signed) else {
                continue;
            };
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&one.slot)
                .with("protocol", protocol)
                .with("service", service)
                .with("thumbprint", certificate.thumbprint)
                .with("subject", &certificate.subject)
                .saw_value(
                    context.inventory,
                    "X509CertificateName",
                    &settings.x509_certificate_name,
                )
                .say();
        }
    }
}
