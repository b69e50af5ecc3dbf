//! Exchange shows a status other than valid for a certificate in use.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "certificate-status-not-valid",
    about: "Exchange shows a status other than valid for a certificate in use",
    severities: &[Severity::Warning],
    scenarios: &[],
    pains: &[45],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let Some((entry, status)) = used.entry.and_then(|entry| Some((entry, entry.status.value()?)))
            else {
                continue;
            };
            let told = matches!(
                status.as_str(),
                "RevocationCheckFailure" | "Revoked" | "Untrusted" | "Invalid"
            );
            if !told || used.certificate.self_signed {
                continue;
            }
            let draft = report.find(Severity::Warning);
            let draft = if status == "RevocationCheckFailure" {
                draft.variant("revocation")
            } else {
                draft
            };
            let draft = match used.worst_slot() {
                Some(slot) => draft.slot(slot),
                None => draft,
            };
            draft
                .server(server)
                .with("thumbprint", entry.thumbprint)
                .with("subject", &used.certificate.subject)
                .with("status", status)
                .with("uses", used.uses())
                .saw_value(context.inventory, "Status", &entry.status)
                .say();
        }
    }
}
