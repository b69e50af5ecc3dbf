//! An application pool of Exchange is stopped.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "application-pool-stopped",
    about: "an application pool of Exchange is stopped",
    severities: &[Severity::Error],
    scenarios: &[64, 79],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        // Without the web server no pool runs, and that is another finding.
        let web_server_stopped = server.services.iter().any(|service| {
            service.name.eq_ignore_ascii_case("W3SVC")
                && service.status.value().is_some_and(|status| status == "Stopped")
        });
        if web_server_stopped {
            continue;
        }
        let stopped: Vec<&str> = server
            .app_pools
            .iter()
            .filter(|pool| pool.name.to_ascii_lowercase().starts_with("msexchange"))
            .filter(|pool| pool.state.value().is_some_and(|state| state == "Stopped"))
            .map(|pool| pool.name.as_str())
            .collect();
        if stopped.is_empty() {
            continue;
        }
        report
            .find(Severity::Error)
            .server(server)
            .with("list", stopped.join(", "))
            .saw(
                context.inventory,
                server.app_pools.looks.first().map(|look| look.source),
                format!("Stopped: {}", stopped.join(", ")),
            )
            .say();
    }
}
