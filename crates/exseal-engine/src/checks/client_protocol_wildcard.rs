//! A wildcard certificate is enabled for POP or IMAP, which take it by name only.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "client-protocol-wildcard",
    about: "a wildcard certificate is enabled for POP or IMAP, which take it by name only",
    severities: &[Severity::Warning],
    scenarios: &[34],
    pains: &[14],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for (entry, certificate) in context.certificates_of(server) {
            let services: Vec<&str> = ["POP", "IMAP"]
                .into_iter()
                .filter(|service| entry.has_service(service) == Some(true))
                .collect();
            let wildcard = certificate
                .common_name
                .as_deref()
                .is_some_and(|name| name.starts_with("*."));
            if services.is_empty() || !wildcard {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(if services.contains(&"POP") {
                    &Slot::Pop
                } else {
                    &Slot::Imap
                })
                .with("thumbprint", certificate.thumbprint)
                .with("subject", &certificate.subject)
                .with("services", services.join(" and "))
                .saw(
                    context.inventory,
                    entry.by.first().copied(),
                    format!(
                        "Services = {}",
                        entry.services.value().cloned().unwrap_or_default().join(", ")
                    ),
                )
                .say();
        }
    }
}
