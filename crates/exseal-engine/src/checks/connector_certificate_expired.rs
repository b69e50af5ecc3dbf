//! The certificate a connector names has ended.

use exseal_model::Severity;

use super::connector_certificate_not_found::choices;
use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "connector-certificate-expired",
    about: "the certificate that a connector's TlsCertificateName matches is past its end",
    severities: &[Severity::Error],
    scenarios: &[38, 48],
    pains: &[1],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for one in &choices(context).0 {
        // The newest is the one that is picked (facts/exchange.md 2.7); older ones of the same name are the ambiguous check's.
        let Some(certificate) = one
            .matches
            .first()
            .filter(|certificate| certificate.not_after < context.now)
        else {
            continue;
        };
        report
            .find(Severity::Error)
            .server(one.server)
            .slot(&one.slot)
            .with("connector", one.connector)
            .with("thumbprint", certificate.thumbprint)
            .with("end", day(certificate.not_after))
            .from(certificate.not_after)
            .saw_value(context.inventory, "TlsCertificateName", one.name)
            .say();
    }
}
