//! A certificate request waits for its answer for long.

use exseal_model::Severity;

use super::{Check, Context, Report};
use crate::auth::whole_days;

pub(super) const CHECK: Check = Check {
    name: "pending-request-left-over",
    about: "a certificate request waits for its answer for long",
    severities: &[Severity::Notice],
    scenarios: &[],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for entry in &server.request {
            let Some(certificate) = context.inventory.certificate(entry.thumbprint) else {
                continue;
            };
            // A pending request is kept as a certificate that begins when it was made.
            let age = whole_days(context.now, certificate.not_before);
            if age < 30 {
                continue;
            }
            report
                .find(Severity::Notice)
                .server(server)
                .with("thumbprint", entry.thumbprint)
                .with("subject", &certificate.subject)
                .with("days", age)
                .saw(
                    context.inventory,
                    entry.by.first().copied(),
                    format!("pending request {}", entry.thumbprint),
                )
                .say();
        }
    }
}
