//! The back end presents a CA-issued certificate that holds the server's name.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "back-end-of-internal-ca",
    about: "the back end presents a CA-issued certificate that holds the server's name",
    severities: &[Severity::Info],
    scenarios: &[66],
    pains: &[18],
    run,
};

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
            if certificate.self_signed || !server.full_name().is_some_and(|full| certificate.covers(full)) {
                continue;
            }
            report
                .find(Severity::Info)
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
