//! A server's store lacks the current Auth certificate.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::auth::counts;

pub(super) const CHECK: Check = Check {
    name: "auth-current-missing",
    about: "a server's store lacks the current Auth certificate",
    severities: &[Severity::Error],
    scenarios: &[24, 69],
    pains: &[34],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let wanted = &context.inventory.organisation.auth_config.current;
    let Some(thumbprint) = wanted.value() else { return };
    for (_, server) in context.servers().filter(|(_, server)| counts(server)) {
        if let Some(entry) = server.in_my(*thumbprint) {
            if entry.has_private_key.value() == Some(&false) {
                report
                    .find(Severity::Error)
                    .variant("without-key")
                    .server(server)
                    .slot(&Slot::AuthCurrent)
                    .with("thumbprint", thumbprint)
                    .saw_value(context.inventory, "HasPrivateKey", &entry.has_private_key)
                    .say();
            }
            continue;
        }
        if !server.my.is_complete() {
            report.cannot_tell(
                Some(server),
                Some(Slot::AuthCurrent),
                "the server's store was not seen whole",
            );
            continue;
        }
        let look = server
            .my
            .looks
            .iter()
            .find(|look| look.complete)
            .map(|look| look.source);
        report
            .find(Severity::Error)
            .server(server)
            .slot(&Slot::AuthCurrent)
            .with("thumbprint", thumbprint)
            .saw_value(context.inventory, "CurrentCertificateThumbprint", wanted)
            .saw(
                context.inventory,
                look,
                format!(
                    "{} certificates, none of them {thumbprint}",
                    server.my.items.len()
                ),
            )
            .say();
    }
}
