//! A certificate is signed with SHA-1 or weaker.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "signature-hash-weak",
    about: "a certificate is signed with SHA-1 or weaker",
    severities: &[Severity::Info, Severity::Error],
    scenarios: &[14],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let certificate = used.certificate;
            let Some(hash) = certificate
                .signature_hash
                .as_deref()
                .filter(|hash| matches!(*hash, "sha1" | "md5" | "md2"))
            else {
                continue;
            };
            let source = used.entry.and_then(|entry| entry.by.first().copied());
            // Nobody checks the signature a certificate made of itself; setup's own are SHA-1 on older builds.
            let mut draft = if certificate.self_signed {
                report.find(Severity::Info).variant("self-signed")
            } else {
                report.find(Severity::Error)
            };
            draft = draft
                .server(server)
                .with("thumbprint", certificate.thumbprint)
                .with("subject", &certificate.subject)
                .with("hash", hash)
                .with("uses", used.uses())
                .saw(
                    context.inventory,
                    source,
                    format!(
                        "{} is {}",
                        certificate.thumbprint, certificate.signature_algorithm
                    ),
                );
            if let Some(slot) = used.worst_slot() {
                draft = draft.slot(slot).also(&used.slots);
            }
            draft.say();
        }
    }
    auth(context, report);
}

/// The Auth certificates are nobody's on the wire, and still every scanner shows them.
fn auth(context: &Context<'_>, report: &mut Report) {
    for one in &context.slots {
        let certificate = one
            .thumbprint()
            .filter(|_| matches!(one.slot, Slot::AuthCurrent | Slot::AuthNext))
            .and_then(|thumbprint| context.inventory.certificate(thumbprint));
        let Some((certificate, hash)) = certificate
            .and_then(|certificate| Some((certificate, certificate.signature_hash.as_deref()?)))
            .filter(|(certificate, hash)| certificate.self_signed && matches!(*hash, "sha1" | "md5" | "md2"))
        else {
            continue;
        };
        let source = match &one.presents {
            crate::slots::Presents::Certificate(_, source) => Some(*source),
            _ => None,
        };
        report
            .find(Severity::Info)
            .variant("auth")
            .slot(&one.slot)
            .with("thumbprint", certificate.thumbprint)
            .with("hash", hash)
            .saw(
                context.inventory,
                source,
                format!(
                    "{} is {}",
                    certificate.thumbprint, certificate.signature_algorithm
                ),
            )
            .say();
    }
}
