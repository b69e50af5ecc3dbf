//! An Edge server's own certificate was issued by a CA.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "edge-default-ca-issued",
    about: "an Edge server's own certificate was issued by a CA",
    severities: &[Severity::Warning],
    scenarios: &[48, 49],
    pains: &[41, 42],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context.slots_of(at).filter(|one| one.slot == Slot::EdgeDefault) {
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
            else {
                continue;
            };
            if certificate.self_signed {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
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
