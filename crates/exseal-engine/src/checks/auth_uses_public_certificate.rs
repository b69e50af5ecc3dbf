//! AuthConfig names a certificate that a CA issued.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "auth-uses-public-certificate",
    about: "a CA's certificate stands where the organisation's own self-signed Auth certificate belongs",
    severities: &[Severity::Warning],
    scenarios: &[20, 59],
    pains: &[39],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let config = &context.inventory.organisation.auth_config;
    for (slot, name, observed) in [
        (Slot::AuthCurrent, "CurrentCertificateThumbprint", &config.current),
        (Slot::AuthNext, "NextCertificateThumbprint", &config.next),
    ] {
        let Some(certificate) = observed
            .value()
            .and_then(|thumbprint| context.inventory.certificate(*thumbprint))
        else {
            continue;
        };
        if certificate.self_signed {
            continue;
        }
        report
            .find(Severity::Warning)
            .slot(&slot)
            .with("thumbprint", certificate.thumbprint)
            .with("issuer", &certificate.issuer)
            .saw_value(context.inventory, name, observed)
            .say();
    }
}
