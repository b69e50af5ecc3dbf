//! Auth certificates of earlier rollovers are still in a store.

use exseal_model::Severity;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "auth-certificates-left-over",
    about: "Auth certificates of earlier rollovers are still in a store",
    severities: &[Severity::Info],
    scenarios: &[26, 52],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let config = &context.inventory.organisation.auth_config;
    if config.current.is_unknown() {
        return;
    }
    let configured: Vec<_> = [&config.current, &config.next, &config.previous]
        .into_iter()
        .filter_map(|one| one.value())
        .collect();
    for (_, server) in context.servers() {
        let left: Vec<String> = context
            .certificates_of(server)
            .filter(|(_, certificate)| {
                context.is_auth(certificate) && !configured.contains(&&certificate.thumbprint)
            })
            .filter(|(entry, _)| server.internal_transport.value() != Some(&entry.thumbprint))
            .map(|(_, certificate)| {
                format!("{} (ends {})", certificate.thumbprint, day(certificate.not_after))
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
