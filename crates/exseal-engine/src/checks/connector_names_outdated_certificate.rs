//! A connector names an older certificate than the one that has taken its place.

use exseal_model::Severity;

use super::connector_certificate_not_found::choices;
use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "connector-names-outdated-certificate",
    about: "a connector names an older certificate than the one that has taken its place",
    severities: &[Severity::Warning],
    scenarios: &[38],
    pains: &[1, 3, 10],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for one in choices(context).0 {
        let Some(named) = one.matches.first() else {
            continue;
        };
        if named.self_signed {
            continue;
        }
        // The successor: a younger certificate of a CA that covers all names of the named one and has another name pair.
        let successor = context
            .certificates_of(one.server)
            .map(|(_, certificate)| certificate)
            .filter(|certificate| !certificate.self_signed && certificate.not_before > named.not_before)
            .filter(|certificate| {
                (&certificate.issuer, &certificate.subject) != (&named.issuer, &named.subject)
            })
            .filter(|certificate| certificate.not_after > named.not_after)
            .filter(|certificate| named.names().iter().all(|name| certificate.covers(name)))
            .max_by_key(|certificate| certificate.not_before);
        let Some(successor) = successor else { continue };
        report
            .find(Severity::Warning)
            .server(one.server)
            .slot(&one.slot)
            .with("connector", one.connector)
            .with("thumbprint", named.thumbprint)
            .with("end", day(named.not_after))
            .with("successor", successor.thumbprint)
            .with("name", successor.tls_certificate_name())
            .from(named.not_after)
            .saw_value(context.inventory, "TlsCertificateName", one.name)
            .say();
    }
}
