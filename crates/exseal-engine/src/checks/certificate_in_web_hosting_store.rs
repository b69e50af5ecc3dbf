//! A certificate with one of the client names lies in the store WebHosting, where Exchange does not see it.

use exseal_model::Severity;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "certificate-in-web-hosting-store",
    about: "a certificate with one of the client names lies in the store WebHosting, where Exchange does not see it",
    severities: &[Severity::Notice],
    scenarios: &[10],
    pains: &[31],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let names = super::front_end_lacks_names::wanted_names(context.policy, server);
        for entry in server
            .web_hosting
            .iter()
            .filter(|entry| server.in_my(entry.thumbprint).is_none())
        {
            let Some(certificate) = context.inventory.certificate(entry.thumbprint) else {
                continue;
            };
            if !names.keys().any(|name| certificate.covers(name)) {
                continue;
            }
            report
                .find(Severity::Notice)
                .server(server)
                .with("thumbprint", entry.thumbprint)
                .with("subject", &certificate.subject)
                .with("end", day(certificate.not_after))
                .saw(
                    context.inventory,
                    entry.by.first().copied(),
                    format!("WebHosting holds {}", entry.thumbprint),
                )
                .say();
        }
    }
}
