//! The certificate of a federation trust has ended or nears its end.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "federation-certificate-expires",
    about: "the certificate of a federation trust has ended or nears its end",
    severities: &[Severity::Warning, Severity::Error],
    scenarios: &[28],
    pains: &[40],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for trust in &context.inventory.organisation.federation_trusts {
        let Some(certificate) = trust
            .current
            .value()
            .and_then(|thumbprint| context.inventory.certificate(*thumbprint))
        else {
            if let Some(thumbprint) = trust.current.value() {
                report.cannot_tell(
                    None,
                    Some(Slot::FederationCurrent),
                    format!("the certificate {thumbprint} itself was not seen"),
                );
            }
            continue;
        };
        let ended = certificate.not_after < context.now;
        if !ended && !context.policy.expiry.warning.reached(certificate, context.now) {
            continue;
        }
        let draft = report.find(if ended { Severity::Error } else { Severity::Warning });
        let draft = if ended { draft.variant("ended") } else { draft };
        draft
            .slot(&Slot::FederationCurrent)
            .with("trust", &trust.name)
            .with("thumbprint", certificate.thumbprint)
            .with("end", day(certificate.not_after))
            .from(certificate.not_after)
            .saw_value(context.inventory, "OrgPrivCertificate", &trust.current)
            .say();
    }
}
