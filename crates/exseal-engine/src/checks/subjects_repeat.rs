//! Several certificates of one subject lie in a store.

use std::collections::BTreeMap;

use exseal_model::{Certificate, Severity};

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "subjects-repeat",
    about: "several certificates of one subject lie in a store",
    severities: &[Severity::Info],
    scenarios: &[52],
    pains: &[2],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let mut by_subject: BTreeMap<&str, Vec<&Certificate>> = BTreeMap::new();
        for (_, certificate) in context.certificates_of(server) {
            if !context.is_auth(certificate) && !context.is_bystander(certificate) {
                by_subject
                    .entry(&certificate.subject)
                    .or_default()
                    .push(certificate);
            }
        }
        for (subject, mut certificates) in by_subject {
            if certificates.len() < 2 {
                continue;
            }
            certificates.sort_by_key(|certificate| std::cmp::Reverse(certificate.not_before));
            let list: Vec<String> = certificates
                .iter()
                .map(|certificate| {
                    let used = context.presenting(at, certificate.thumbprint).next().is_some();
                    let used = if used { "in use" } else { "not in use" };
                    format!(
                        "{} (ends {}, {used})",
                        certificate.thumbprint,
                        day(certificate.not_after)
                    )
                })
                .collect();
            report
                .find(Severity::Info)
                .server(server)
                .with("subject", subject)
                .with("count", list.len())
                .with("list", list.join(", "))
                .saw(
                    context.inventory,
                    server.my.looks.first().map(|look| look.source),
                    list.join(", "),
                )
                .say();
        }
    }
}
