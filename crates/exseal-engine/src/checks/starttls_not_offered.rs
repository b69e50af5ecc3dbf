//! No certificate fits a receive connector that is to offer TLS.

use exseal_model::inventory::StoreEntry;
use exseal_model::{Observed, Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::Presents;

pub(super) const CHECK: Check = Check {
    name: "starttls-not-offered",
    about: "no certificate fits a receive connector that is to offer TLS",
    severities: &[Severity::Warning, Severity::Error],
    scenarios: &[13, 44, 62],
    pains: &[13],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let (Slot::ReceiveConnector(name), Presents::NoMatch(_)) = (&one.slot, &one.presents) else {
                continue;
            };
            let Some(connector) = server
                .receive_connectors
                .iter()
                .find(|connector| connector.name == *name)
            else {
                continue;
            };
            // A name pair that matches nothing is said by its own check.
            if connector.tls_certificate_name.value().is_some() || connector.enabled.value() == Some(&false) {
                continue;
            }
            match connector.auth_mechanism.value() {
                Some(mechanisms) if !mechanisms.iter().any(|one| one.eq_ignore_ascii_case("Tls")) => continue,
                Some(_) => {}
                None => {
                    report.cannot_tell(Some(server), Some(one.slot.clone()), "AuthMechanism was not seen");
                    continue;
                }
            }
            let host = connector
                .fqdn
                .value()
                .map(String::as_str)
                .or_else(|| server.full_name())
                .unwrap_or_default();
            // A name match without SMTP may be picked and then fail (facts/exchange.md 2.7): worse cannot be said of it.
            let by_name = context
                .certificates_of(server)
                .find(|(_, certificate)| certificate.covers(host));
            let draft = match by_name {
                Some((entry, _)) => report
                    .find(Severity::Warning)
                    .variant("not-enabled")
                    .with("thumbprint", entry.thumbprint)
                    .saw_value(context.inventory, "Services", &shown(entry)),
                None => report.find(Severity::Error),
            };
            draft
                .server(server)
                .slot(&one.slot)
                .with("connector", name)
                .with("host", host)
                .saw_value(context.inventory, "Fqdn", &connector.fqdn)
                .say();
        }
    }
}

/// The services Exchange shows, as text.
fn shown(entry: &StoreEntry) -> Observed<String> {
    match entry.services.best() {
        Some(best) => Observed::looked(
            best.value.as_ref().map(|services| services.join(", ")),
            best.source,
        ),
        None => Observed::default(),
    }
}
