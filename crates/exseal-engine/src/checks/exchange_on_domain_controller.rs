//! Exchange runs on a domain controller.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "exchange-on-domain-controller",
    about: "Exchange runs on a domain controller",
    severities: &[Severity::Info, Severity::Warning],
    scenarios: &[54],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        if server.domain_controller.value() != Some(&true) {
            continue;
        }
        // Supported, not recommended; as a member of an availability group it is not supported (facts/scenarios.md 54).
        let group = server
            .availability_group
            .value()
            .filter(|group| !group.is_empty());
        let (severity, group) = match group {
            Some(group) => (
                Severity::Warning,
                format!(" and a member of {group}, which is not supported together"),
            ),
            None => (Severity::Info, String::new()),
        };
        report
            .find(severity)
            .server(server)
            .with("group", group)
            .saw_value(context.inventory, "domainController", &server.domain_controller)
            .say();
    }
}
