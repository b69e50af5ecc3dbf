//! The back end's certificate does not hold the server's names.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "back-end-lacks-server-names",
    about: "the certificate of the back end does not cover the server's own name",
    severities: &[Severity::Warning],
    scenarios: &[9, 60],
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
            let Some(full) = server.full_name() else {
                report.cannot_tell(
                    Some(server),
                    Some(one.slot.clone()),
                    "the server's FQDN was not seen",
                );
                continue;
            };
            if certificate.covers(full)
                || super::back_end_uses_public_certificate::is_public(context, server, certificate)
            {
                continue;
            }
            report
                .find(Severity::Warning)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
                .with("names", certificate.names().join(", "))
                .with("fqdn", full)
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate {}", certificate.thumbprint),
                )
                .say();
        }
    }
}
