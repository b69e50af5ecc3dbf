//! Clients are shown a self-signed certificate.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "front-end-self-signed",
    about: "the client-facing binding presents a self-signed certificate",
    severities: &[Severity::Warning],
    scenarios: &[4, 15, 58],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    if context.policy.front_end.self_signed {
        return;
    }
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let Slot::FrontEnd(endpoint) = &one.slot else {
                continue;
            };
            if !endpoint.is_general() {
                continue;
            }
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
            else {
                continue;
            };
            if !certificate.self_signed {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
                .with("subject", &certificate.subject)
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate {}", certificate.thumbprint),
                )
                .say();
        }
    }
}
