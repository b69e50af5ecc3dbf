//! A connector to Exchange Online does not check whose certificate it is shown.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "cloud-connector-checks-no-certificate",
    about: "a connector to Exchange Online does not check whose certificate it is shown",
    severities: &[Severity::Warning],
    scenarios: &[],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for connector in &context.inventory.organisation.send_connectors {
        let named = connector.smart_hosts.value().into_iter().flatten();
        let to_cloud = connector.cloud_services_mail_enabled.value() == Some(&true)
            || named.into_iter().any(|host| {
                host.to_ascii_lowercase()
                    .ends_with(".mail.protection.outlook.com")
            });
        if !to_cloud || connector.enabled.value() == Some(&false) {
            continue;
        }
        let slot = Slot::SendConnector(connector.name.clone());
        let level = match connector.tls_auth_level.known() {
            None => {
                report.cannot_tell(None, Some(slot), "TlsAuthLevel was not seen");
                continue;
            }
            Some(Some(level)) if matches!(level.as_str(), "CertificateValidation" | "DomainValidation") => {
                continue;
            }
            // A number that no recorded export shows: facts say only that 2 is CertificateValidation.
            Some(Some(level)) if level.parse::<u32>().is_ok_and(|number| number >= 2) => continue,
            Some(level) => level.map_or("not set", String::as_str),
        };
        report
            .find(Severity::Warning)
            .slot(&slot)
            .with("connector", &connector.name)
            .with("level", level)
            .saw_value(context.inventory, "TlsAuthLevel", &connector.tls_auth_level)
            .saw_value(
                context.inventory,
                "CloudServicesMailEnabled",
                &connector.cloud_services_mail_enabled,
            )
            .say();
    }
}
