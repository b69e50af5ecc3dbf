//! The client-facing certificate stands on the back end.

use exseal_model::inventory::Server;
use exseal_model::{Certificate, Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "back-end-uses-public-certificate",
    about: "the back end presents the client-facing certificate instead of the server's own",
    severities: &[Severity::Warning],
    scenarios: &[4, 9],
    pains: &[17, 18],
    run,
};

/// A certificate of a CA that does not hold the server's own name: an internal CA's with the name works (facts/exchange.md 3).
pub(super) fn is_public(_: &Context<'_>, server: &Server, certificate: &Certificate) -> bool {
    !certificate.self_signed && server.full_name().is_some_and(|full| !certificate.covers(full))
}

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context
            .slots_of(at)
            .filter(|one| matches!(one.slot, Slot::BackEnd(_)))
        {
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
            else {
                continue;
            };
            if !is_public(context, server, certificate) {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
                .with("subject", &certificate.subject)
                .with("issuer", &certificate.issuer)
                .with("end", super::day(certificate.not_after))
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate {}", certificate.thumbprint),
                )
                .say();
        }
    }
}
