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
    on_the_wire(context, report);
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

/// Ports that were asked and did not offer it, where the connector is to.
fn on_the_wire(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let looks = context.inventory.organisation.presented.iter();
        for look in looks.filter(|look| look.protocol == "smtp" && server.is_called(&look.host)) {
            if look.outcome.value().map(String::as_str) != Some("not-offered") {
                continue;
            }
            let connector = server.receive_connectors.iter().find(|connector| {
                let listens = connector.bindings.value().is_some_and(|bindings| {
                    bindings.iter().any(|binding| {
                        binding
                            .rsplit_once(':')
                            .is_some_and(|(_, port)| port.parse() == Ok(look.port))
                    })
                });
                let wants = connector
                    .auth_mechanism
                    .value()
                    .is_some_and(|mechanisms| mechanisms.iter().any(|one| one.eq_ignore_ascii_case("Tls")));
                listens && wants && connector.enabled.value() != Some(&false)
            });
            let Some(connector) = connector else { continue };
            report
                .find(Severity::Error)
                .variant("seen")
                .server(server)
                .slot(&Slot::ReceiveConnector(connector.name.clone()))
                .with("connector", &connector.name)
                .with("port", look.port)
                .saw_value(
                    context.inventory,
                    &format!("STARTTLS on {}:{}", look.host, look.port),
                    &look.outcome,
                )
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
