//! An Exchange service that starts by itself does not run.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "exchange-service-down",
    about: "an Exchange service that starts by itself does not run",
    severities: &[Severity::Error],
    scenarios: &[11, 79],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let down: Vec<String> = server
            .services
            .iter()
            .filter(|service| is_needed(&service.name))
            .filter(|service| {
                service
                    .start_type
                    .value()
                    .is_some_and(|start| start.starts_with("Automatic"))
            })
            .filter(|service| service.status.value().is_some_and(|status| status == "Stopped"))
            .map(|service| service.name.clone())
            .collect();
        if down.is_empty() {
            continue;
        }
        report
            .find(Severity::Error)
            .server(server)
            .with("list", down.join(", "))
            .saw(
                context.inventory,
                server.services.looks.first().map(|look| look.source),
                format!("stopped: {}", down.join(", ")),
            )
            .say();
    }
}

/// Services whose absence looks like a certificate fault.
pub(crate) fn is_needed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("msexchange") || matches!(name.as_str(), "w3svc" | "was" | "iisadmin" | "winrm")
}
