//! The Auth certificate in use nears its end and nothing is staged that outlasts it.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report, day};
use crate::auth::whole_days;

pub(super) const CHECK: Check = Check {
    name: "auth-current-expires",
    about: "the current Auth certificate nears its end",
    severities: &[Severity::Info, Severity::Warning, Severity::Error],
    scenarios: &[20],
    pains: &[32],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let config = &context.inventory.organisation.auth_config;
    let Some(thumbprint) = config.current.value() else {
        return;
    };
    let Some(certificate) = context.inventory.certificate(*thumbprint) else {
        return;
    };
    let expiry = &context.policy.expiry;
    if certificate.not_after < context.now || !expiry.warning.reached(certificate, context.now) {
        return;
    }
    let next = config
        .next
        .value()
        .and_then(|next| context.inventory.certificate(*next));
    let staged = next.is_some_and(|next| next.not_after > certificate.not_after);
    let severity = if staged {
        Severity::Info
    } else if expiry.error.reached(certificate, context.now) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let draft = report
        .find(severity)
        .slot(&Slot::AuthCurrent)
        .with("thumbprint", thumbprint)
        .with("end", day(certificate.not_after))
        .with("days", whole_days(certificate.not_after, context.now))
        .from(certificate.not_after)
        .saw_value(context.inventory, "CurrentCertificateThumbprint", &config.current)
        .saw_value(context.inventory, "NextCertificateThumbprint", &config.next);
    if staged {
        draft.variant("staged").say();
    } else {
        draft.say();
    }
}
