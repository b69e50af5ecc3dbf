//! The hybrid configuration and a hybrid connector name different certificates.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "hybrid-connector-names-differ",
    about: "the hybrid configuration and a hybrid connector name different certificates",
    severities: &[Severity::Warning],
    scenarios: &[22],
    pains: &[10],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let organisation = &context.inventory.organisation;
    let Some(wanted) = organisation.hybrid.tls_certificate_name.value() else {
        return;
    };
    for connector in &organisation.send_connectors {
        let hybrid = connector.cloud_services_mail_enabled.value() == Some(&true);
        let Some(own) = connector.tls_certificate_name.value().filter(|_| hybrid) else {
            continue;
        };
        if own.eq_ignore_ascii_case(wanted) {
            continue;
        }
        report
            .find(Severity::Warning)
            .slot(&Slot::SendConnector(connector.name.clone()))
            .with("connector", &connector.name)
            .with("own", own)
            .with("wanted", wanted)
            .saw_value(
                context.inventory,
                "TlsCertificateName",
                &connector.tls_certificate_name,
            )
            .saw_value(
                context.inventory,
                "hybrid TlsCertificateName",
                &organisation.hybrid.tls_certificate_name,
            )
            .say();
    }
}
