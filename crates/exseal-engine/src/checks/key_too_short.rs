//! A key is too short to be trusted.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "key-too-short",
    about: "an RSA key below 2048 bits, or an elliptic one below 256",
    severities: &[Severity::Warning],
    scenarios: &[14],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let certificate = used.certificate;
            let enough = if certificate.key_algorithm == "ECC" {
                256
            } else {
                2048
            };
            let Some(bits) = certificate.key_bits.filter(|&bits| bits < enough) else {
                continue;
            };
            let source = used.entry.and_then(|entry| entry.by.first().copied());
            let mut draft = report
                .find(Severity::Warning)
                .server(server)
                .with("thumbprint", certificate.thumbprint)
                .with("algorithm", &certificate.key_algorithm)
                .with("bits", bits)
                .with("enough", enough)
                .with("uses", used.uses())
                .saw(
                    context.inventory,
                    source,
                    format!("{} has {bits} bits", certificate.thumbprint),
                );
            if let Some(slot) = used.worst_slot() {
                draft = draft.slot(slot).also(&used.slots);
            }
            draft.say();
        }
    }
}
