//! A hub transport connector listens on port 25 of a mailbox server.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "hub-connector-on-port-25",
    about: "a hub transport connector listens on port 25 of a mailbox server",
    severities: &[Severity::Error],
    scenarios: &[79],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context
        .servers()
        .filter(|(_, server)| !server.is_edge().unwrap_or(false))
    {
        for connector in &server.receive_connectors {
            let hub = connector
                .transport_role
                .value()
                .is_some_and(|role| role == "HubTransport");
            let port = connector
                .bindings
                .value()
                .is_some_and(|bindings| bindings.iter().any(|one| one.ends_with(":25")));
            if !hub || !port || connector.enabled.value() == Some(&false) {
                continue;
            }
            report
                .find(Severity::Error)
                .server(server)
                .slot(&Slot::ReceiveConnector(connector.name.clone()))
                .with("connector", &connector.name)
                .saw_value(context.inventory, "TransportRole", &connector.transport_role)
                .say();
        }
    }
}
