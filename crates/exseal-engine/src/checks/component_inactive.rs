//! A server component is not active.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "component-inactive",
    about: "a server component is not active",
    severities: &[Severity::Warning],
    scenarios: &[71, 79],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        // ForwardSyncDaemon, ProvisioningRps and RecoveryActionsEnabled are inactive on premises by design.
        let normal = |name: &str| {
            ["ForwardSyncDaemon", "ProvisioningRps"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        let inactive: Vec<String> = server
            .component_states
            .iter()
            .filter(|one| !normal(&one.name) && one.state.value().is_some_and(|state| state != "Active"))
            .map(|one| {
                let requesters = one.requesters.value().cloned().unwrap_or_default();
                let by = if requesters.is_empty() {
                    String::new()
                } else {
                    format!(" (asked for by {})", requesters.join(", "))
                };
                format!("{}{by}", one.name)
            })
            .collect();
        if inactive.is_empty() {
            continue;
        }
        report
            .find(Severity::Warning)
            .server(server)
            .with("list", inactive.join(", "))
            .saw(
                context.inventory,
                server.component_states.looks.first().map(|look| look.source),
                inactive.join(", "),
            )
            .say();
    }
}
