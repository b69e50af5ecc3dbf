//! A send connector is to use TLS and is told not to.

use exseal_model::{Observed, Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "send-connector-never-uses-tls",
    about: "a send connector is to use TLS and is told not to",
    severities: &[Severity::Error],
    scenarios: &[62],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for connector in &context.inventory.organisation.send_connectors {
        let set = |flag: &Observed<bool>| flag.value() == Some(&true);
        let blocked = [
            ("ForceHELO", set(&connector.force_helo)),
            ("IgnoreSTARTTLS", set(&connector.ignore_starttls)),
        ];
        let blocked: Vec<&str> = blocked
            .into_iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| name)
            .collect();
        let mut wants = Vec::new();
        if set(&connector.require_tls) {
            wants.push("RequireTLS");
        }
        if set(&connector.domain_secure_enabled) {
            wants.push("DomainSecureEnabled");
        }
        if connector.tls_auth_level.value().is_some() {
            wants.push("TlsAuthLevel");
        }
        if connector.tls_certificate_name.value().is_some() {
            wants.push("TlsCertificateName");
        }
        if blocked.is_empty() || wants.is_empty() {
            continue;
        }
        report
            .find(Severity::Error)
            .slot(&Slot::SendConnector(connector.name.clone()))
            .with("connector", &connector.name)
            .with("blocked", blocked.join(" and "))
            .with("wants", wants.join(", "))
            .saw_value(context.inventory, "ForceHELO", &connector.force_helo)
            .saw_value(context.inventory, "IgnoreSTARTTLS", &connector.ignore_starttls)
            .say();
    }
}
