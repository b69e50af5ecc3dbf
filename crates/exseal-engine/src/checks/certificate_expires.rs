//! A certificate that a slot presents nears its end.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report, day};
use crate::auth::whole_days;

pub(super) const CHECK: Check = Check {
    name: "certificate-expires",
    about: "a certificate that a slot presents has only a small part of its lifetime left",
    severities: &[Severity::Notice, Severity::Warning, Severity::Error],
    scenarios: &[7, 59],
    pains: &[48],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let expiry = &context.policy.expiry;
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let certificate = used.certificate;
            if certificate.not_after < context.now || !expiry.warning.reached(certificate, context.now) {
                continue;
            }
            let slot = used.worst_slot();
            let severity = match slot {
                None => Severity::Notice,
                Some(Slot::InternalTransport) => Severity::Warning,
                Some(_) if expiry.error.reached(certificate, context.now) => Severity::Error,
                Some(_) => Severity::Warning,
            };
            let source = used.entry.and_then(|entry| entry.by.first().copied());
            let lifetime = whole_days(certificate.not_after, certificate.not_before);
            let mut draft = report
                .find(severity)
                .server(server)
                .with("thumbprint", certificate.thumbprint)
                .with("subject", &certificate.subject)
                .with("uses", used.uses())
                .with("end", day(certificate.not_after))
                .with("days", whole_days(certificate.not_after, context.now))
                .with("lifetime", lifetime)
                .from(certificate.not_after)
                .saw(
                    context.inventory,
                    source,
                    format!("{} ends {}", certificate.thumbprint, certificate.not_after),
                );
            if let Some(slot) = slot {
                draft = draft.slot(slot).also(&used.slots);
            }
            draft.say();
        }
    }
}
