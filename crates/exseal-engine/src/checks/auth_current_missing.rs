//! A server's store lacks the current Auth certificate.

use exseal_model::{Observed, Severity, Slot, Thumbprint};

use super::{Check, Context, Report};
use crate::auth::counts;

pub(super) const CHECK: Check = Check {
    name: "auth-current-missing",
    about: "a server's store lacks the current Auth certificate",
    severities: &[Severity::Error],
    scenarios: &[12, 24, 69],
    pains: &[34],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let current = &context.inventory.organisation.auth_config.current;
    missing(
        context,
        report,
        &Slot::AuthCurrent,
        ("CurrentCertificateThumbprint", current),
        Severity::Error,
    );
}

/// Says of every server that takes part whether it holds a certificate of AuthConfig with its key; `setting` is where it is
/// named.
pub(super) fn missing(
    context: &Context<'_>,
    report: &mut Report,
    slot: &Slot,
    setting: (&str, &Observed<Thumbprint>),
    severity: Severity,
) {
    let Some(thumbprint) = setting.1.value() else {
        return;
    };
    for (_, server) in context.servers().filter(|(_, server)| counts(server)) {
        if let Some(entry) = server.in_my(*thumbprint) {
            if entry.has_private_key.value() == Some(&false) {
                report
                    .find(severity)
                    .variant("without-key")
                    .server(server)
                    .slot(slot)
                    .with("thumbprint", thumbprint)
                    .saw_value(context.inventory, "HasPrivateKey", &entry.has_private_key)
                    .say();
            }
            continue;
        }
        if !server.my.is_complete() {
            report.cannot_tell(
                Some(server),
                Some(slot.clone()),
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
        let count = server.my.items.len();
        report
            .find(severity)
            .server(server)
            .slot(slot)
            .with("thumbprint", thumbprint)
            .saw_value(context.inventory, setting.0, setting.1)
            .saw(
                context.inventory,
                look,
                format!("{count} certificates, none of them {thumbprint}"),
            )
            .say();
    }
}
