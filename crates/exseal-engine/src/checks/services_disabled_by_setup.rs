//! Many Exchange services are disabled at once, as a broken-off setup leaves them.

use exseal_model::Severity;
use exseal_model::inventory::Server;

use super::exchange_service_down::is_needed;
use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "services-disabled-by-setup",
    about: "many Exchange services are disabled at once, as a broken-off setup leaves them",
    severities: &[Severity::Critical],
    scenarios: &[11, 71],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let disabled = disabled(server);
        // Setup disables all of them and IIS; a person disables one or two.
        if disabled.len() < 5 {
            continue;
        }
        report
            .find(Severity::Critical)
            .server(server)
            .with("count", disabled.len())
            .with("list", disabled.join(", "))
            .saw(
                context.inventory,
                server.services.looks.first().map(|look| look.source),
                format!("disabled: {}", disabled.join(", ")),
            )
            .say();
    }
}

/// Disabled services that an Exchange server needs; POP and IMAP are off by default and do not count.
pub(crate) fn disabled(server: &Server) -> Vec<String> {
    server
        .services
        .iter()
        .filter(|service| is_needed(&service.name))
        .filter(|service| {
            let name = service.name.to_ascii_lowercase();
            !name.starts_with("msexchangepop3") && !name.starts_with("msexchangeimap4")
        })
        .filter(|service| {
            service
                .start_type
                .value()
                .is_some_and(|start| start == "Disabled")
        })
        .map(|service| service.name.clone())
        .collect()
}
