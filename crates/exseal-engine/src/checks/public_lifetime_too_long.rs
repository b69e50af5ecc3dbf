//! A public certificate lives longer than public ones may when it was issued.

use exseal_model::Severity;
use jiff::Timestamp;

use super::{Check, Context, Report, day};
use crate::auth::whole_days;

pub(super) const CHECK: Check = Check {
    name: "public-lifetime-too-long",
    about: "a public certificate lives longer than public ones may when it was issued",
    severities: &[Severity::Notice],
    scenarios: &[59],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let certificate = used.certificate;
            let public = used
                .entry
                .and_then(|entry| entry.root_ca_type.value())
                .is_some_and(|kind| kind == "ThirdParty");
            let Some(slot) = used.worst_slot().filter(|_| public && !certificate.self_signed) else {
                continue;
            };
            let Some(limit) = limit(certificate.not_before) else {
                continue;
            };
            let lifetime = whole_days(certificate.not_after, certificate.not_before);
            if lifetime <= limit {
                continue;
            }
            report
                .find(Severity::Notice)
                .server(server)
                .slot(slot)
                .with("thumbprint", certificate.thumbprint)
                .with("lifetime", lifetime)
                .with("limit", limit)
                .with("begin", day(certificate.not_before))
                .saw(
                    context.inventory,
                    used.entry.and_then(|entry| entry.by.first().copied()),
                    format!("{} lives {lifetime} days", certificate.thumbprint),
                )
                .say();
        }
    }
}

/// Days a public certificate may live when it was issued at `begin` (CA/Browser Forum ballot SC-081); `None`: before the first step.
fn limit(begin: Timestamp) -> Option<i64> {
    let steps = [
        ("2029-03-15T00:00:00Z", 47),
        ("2027-03-15T00:00:00Z", 100),
        ("2026-03-15T00:00:00Z", 200),
    ];
    steps
        .into_iter()
        .find(|(from, _)| from.parse::<Timestamp>().is_ok_and(|from| begin >= from))
        .map(|(_, days)| days)
}
