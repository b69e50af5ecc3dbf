//! One or a few Exchange services are disabled, as a person does it.

use exseal_model::Severity;

use super::services_disabled_by_setup::disabled;
use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "service-disabled-by-a-person",
    about: "one or a few Exchange services are disabled, as a person does it",
    severities: &[Severity::Notice],
    scenarios: &[11, 71],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let disabled = disabled(server);
        if disabled.is_empty() || disabled.len() >= 5 {
            continue;
        }
        report
            .find(Severity::Notice)
            .server(server)
            .with("list", disabled.join(", "))
            .saw(
                context.inventory,
                server.services.looks.first().map(|look| look.source),
                format!("disabled: {}", disabled.join(", ")),
            )
            .say();
    }
}
