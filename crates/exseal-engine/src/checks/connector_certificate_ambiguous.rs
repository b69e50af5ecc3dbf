//! A connector's name pair means more than one certificate.

use exseal_model::Severity;

use super::connector_certificate_not_found::choices;
use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "connector-certificate-ambiguous",
    about: "a connector's TlsCertificateName matches more than one certificate",
    severities: &[Severity::Notice, Severity::Warning],
    scenarios: &[39, 52],
    pains: &[2, 4],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for one in choices(context).0.iter().filter(|one| one.matches.len() > 1) {
        let ended = one
            .matches
            .iter()
            .any(|certificate| certificate.not_after < context.now);
        let list: Vec<String> = one
            .matches
            .iter()
            .map(|certificate| format!("{} (ends {})", certificate.thumbprint, day(certificate.not_after)))
            .collect();
        report
            .find(if ended {
                Severity::Warning
            } else {
                Severity::Notice
            })
            .server(one.server)
            .slot(&one.slot)
            .with("connector", one.connector)
            .with("count", one.matches.len())
            .with("list", list.join(", "))
            .saw_value(context.inventory, "TlsCertificateName", one.name)
            .say();
    }
}
