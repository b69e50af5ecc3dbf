//! The next Auth certificate should have become current and has not.

use exseal_model::{Severity, Slot};
use jiff::SignedDuration;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "auth-next-overdue",
    about: "the next Auth certificate should have become current and has not",
    severities: &[Severity::Error],
    scenarios: &[20],
    pains: &[33],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let config = &context.inventory.organisation.auth_config;
    let (Some(next), Some(effective)) = (config.next.value(), config.next_effective.value()) else {
        return;
    };
    // AuthAdmin looks every 12 hours (facts/exchange.md 2.6); a day is patience enough.
    if context.now.duration_since(*effective) < SignedDuration::from_hours(24) {
        return;
    }
    report
        .find(Severity::Error)
        .slot(&Slot::AuthNext)
        .with("thumbprint", next)
        .with("effective", day(*effective))
        .from(*effective)
        .saw_value(context.inventory, "NextCertificateThumbprint", &config.next)
        .saw_value(
            context.inventory,
            "NextCertificateEffectiveDate",
            &config.next_effective,
        )
        .say();
}
