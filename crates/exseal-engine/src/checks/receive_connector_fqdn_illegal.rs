//! A receive connector's FQDN has a character that host names do not have.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "receive-connector-fqdn-illegal",
    about: "a receive connector's FQDN has a character that host names do not have",
    severities: &[Severity::Warning],
    scenarios: &[],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for connector in &server.receive_connectors {
            let Some(fqdn) = connector.fqdn.value() else {
                continue;
            };
            if fqdn.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.') {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&Slot::ReceiveConnector(connector.name.clone()))
                .with("connector", &connector.name)
                .with("fqdn", fqdn)
                .saw_value(context.inventory, "Fqdn", &connector.fqdn)
                .say();
        }
    }
}
