//! An ended certificate that nothing uses is still in a store.

use exseal_model::Severity;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "certificate-left-over",
    about: "an ended certificate that nothing uses is still in a store",
    severities: &[Severity::Info],
    scenarios: &[52, 68],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let used: Vec<_> = context
            .in_use(at, server)
            .iter()
            .map(|used| used.certificate.thumbprint)
            .collect();
        let left: Vec<String> = context
            .certificates_of(server)
            .filter(|(entry, certificate)| {
                !entry.services.is_unknown() && certificate.not_after < context.now
            })
            .filter(|(_, certificate)| {
                !used.contains(&certificate.thumbprint) && !context.is_auth(certificate)
            })
            .filter(|(_, certificate)| !context.is_bystander(certificate))
            .map(|(_, certificate)| {
                format!(
                    "{} ({}, ended {})",
                    certificate.thumbprint,
                    certificate.subject,
                    day(certificate.not_after)
                )
            })
            .collect();
        if left.is_empty() {
            continue;
        }
        report
            .find(Severity::Info)
            .server(server)
            .with("count", left.len())
            .with("list", left.join(", "))
            .saw(
                context.inventory,
                server.my.looks.first().map(|look| look.source),
                left.join(", "),
            )
            .say();
    }
}
