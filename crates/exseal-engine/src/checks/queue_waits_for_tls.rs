//! Mail waits because TLS with the next hop fails.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "queue-waits-for-tls",
    about: "mail waits because TLS with the next hop fails",
    severities: &[Severity::Error],
    scenarios: &[44, 50],
    pains: &[1, 13],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for queue in &server.queues {
            let Some(error) = queue.last_error.value() else {
                continue;
            };
            let Some(code) = tls_code(error) else { continue };
            if queue.message_count.value() == Some(&0) {
                continue;
            }
            report
                .find(Severity::Error)
                .server(server)
                .with("queue", &queue.identity)
                .with("hop", queue.next_hop_domain.value().cloned().unwrap_or_default())
                .with("code", code)
                .saw_value(context.inventory, "LastError", &queue.last_error)
                .say();
        }
    }
}

/// The SMTP status that only TLS gives (facts/exchange.md 2.8 E10, E21); 4.4.x has many causes and is not one.
fn tls_code(error: &str) -> Option<&'static str> {
    ["454 4.7.5", "451 5.7.3", "454 4.7.0"]
        .into_iter()
        .find(|code| error.contains(code))
}
