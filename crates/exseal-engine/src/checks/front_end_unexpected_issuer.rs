//! The client-facing certificate comes from another issuer than the policy expects.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "front-end-unexpected-issuer",
    about: "the client-facing certificate comes from another issuer than the policy expects",
    severities: &[Severity::Warning],
    scenarios: &[58],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let issuers = &context.policy.front_end.issuers;
    if issuers.is_empty() {
        return;
    }
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let Slot::FrontEnd(endpoint) = &one.slot else {
                continue;
            };
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
            else {
                continue;
            };
            let issuer = certificate.issuer.to_lowercase();
            if !endpoint.is_general() || issuers.iter().any(|part| issuer.contains(&part.to_lowercase())) {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
                .with("issuer", &certificate.issuer)
                .with("issuers", issuers.join(", "))
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate {}", certificate.thumbprint),
                )
                .say();
        }
    }
}
