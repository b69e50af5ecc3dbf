//! A renewed certificate lies in the store, and clients are still shown the one before it.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "renewed-certificate-not-bound",
    about: "a renewed certificate lies in the store, and clients are still shown the one before it",
    severities: &[Severity::Warning, Severity::Critical],
    scenarios: &[59, 61],
    pains: &[48],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            if !matches!(one.slot, Slot::FrontEnd(_)) {
                continue;
            }
            let bound = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
                .filter(|bound| !bound.self_signed);
            let Some(bound) = bound else { continue };
            let ended = bound.not_after < context.now;
            if !ended && !context.policy.expiry.warning.reached(bound, context.now) {
                continue;
            }
            // Younger, of a CA, with a key, for every name of the one before it.
            let renewed = context
                .certificates_of(server)
                .filter(|(entry, _)| entry.has_private_key.value() != Some(&false))
                .map(|(_, certificate)| certificate)
                .filter(|own| !own.self_signed && own.not_before > bound.not_before)
                .filter(|own| own.not_after > bound.not_after && own.not_after > context.now)
                .filter(|own| bound.names().iter().all(|name| own.covers(name)))
                .max_by_key(|own| own.not_before);
            let Some(renewed) = renewed else { continue };
            report
                .find(if ended {
                    Severity::Critical
                } else {
                    Severity::Warning
                })
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", bound.thumbprint)
                .with("end", day(bound.not_after))
                .with("renewed", renewed.thumbprint)
                .with("until", day(renewed.not_after))
                .from(bound.not_after)
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate {}", bound.thumbprint),
                )
                .say();
        }
    }
}
