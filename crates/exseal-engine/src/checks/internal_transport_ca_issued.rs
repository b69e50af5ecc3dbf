//! The internal transport certificate was issued by a CA.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "internal-transport-ca-issued",
    about: "the internal transport certificate was issued by a CA instead of being the server's own",
    severities: &[Severity::Warning, Severity::Error],
    scenarios: &[23, 40],
    pains: &[5, 6],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context
        .servers()
        .filter(|(_, server)| !server.is_edge().unwrap_or(false))
    {
        let observed = &server.internal_transport;
        let Some(certificate) = observed
            .value()
            .and_then(|thumbprint| context.inventory.certificate(*thumbprint))
        else {
            continue;
        };
        if certificate.self_signed {
            continue;
        }
        // With an Edge subscription direct trust and EdgeSync depend on it (facts/exchange.md 2.7).
        let edge = !context.inventory.organisation.edge_subscriptions.items.is_empty();
        report
            .find(if edge { Severity::Error } else { Severity::Warning })
            .server(server)
            .slot(&Slot::InternalTransport)
            .with("thumbprint", certificate.thumbprint)
            .with("issuer", &certificate.issuer)
            .with("end", super::day(certificate.not_after))
            .saw_value(context.inventory, "internal transport certificate", observed)
            .say();
    }
}
