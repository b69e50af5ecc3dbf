//! The Auth certificate in use has ended.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "auth-current-expired",
    about: "the current Auth certificate is past its end",
    severities: &[Severity::Critical],
    scenarios: &[21],
    pains: &[32, 36],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let current = &context.inventory.organisation.auth_config.current;
    let Some(thumbprint) = current.value() else { return };
    let Some(certificate) = context.inventory.certificate(*thumbprint) else {
        return report.cannot_tell(
            None,
            Some(Slot::AuthCurrent),
            format!("the certificate {thumbprint} itself was not seen"),
        );
    };
    if certificate.not_after >= context.now {
        return;
    }
    report
        .find(Severity::Critical)
        .slot(&Slot::AuthCurrent)
        .with("thumbprint", thumbprint)
        .with("end", day(certificate.not_after))
        .from(certificate.not_after)
        .saw_value(context.inventory, "CurrentCertificateThumbprint", current)
        .say();
}
