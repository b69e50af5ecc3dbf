//! A certificate that something uses has ended.

use exseal_model::Severity;

use super::{Check, Context, Report, day};
use crate::severity;

pub(super) const CHECK: Check = Check {
    name: "certificate-expired",
    about: "a certificate that a slot presents, or that is enabled for a service, is past its end",
    severities: &[Severity::Warning, Severity::Error, Severity::Critical],
    scenarios: &[3, 7, 8, 13, 27, 48],
    pains: &[26, 48],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let certificate = used.certificate;
            if certificate.not_after >= context.now {
                continue;
            }
            // Enabled for a service and presented by no slot that was seen: old certificates keep SMTP for ever.
            let severity = used.worst_slot().map_or(Severity::Warning, severity::broken);
            let source = used.entry.and_then(|entry| entry.by.first().copied());
            let mut draft = report
                .find(severity)
                .server(server)
                .with("thumbprint", certificate.thumbprint)
                .with("subject", &certificate.subject)
                .with("uses", used.uses())
                .with("end", day(certificate.not_after))
                .from(certificate.not_after)
                .saw(
                    context.inventory,
                    source,
                    format!("{} ends {}", certificate.thumbprint, certificate.not_after),
                );
            draft = match used.worst_slot() {
                Some(slot) => draft.slot(slot).also(&used.slots),
                None => draft.variant("enabled-only"),
            };
            draft.say();
        }
    }
}
