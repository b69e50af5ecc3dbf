//! A setting outside the slots refers to a certificate that has ended.

use exseal_model::Severity;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "thumbprint-referred-to-elsewhere",
    about: "a setting outside the slots refers to a certificate that has ended",
    severities: &[Severity::Warning],
    scenarios: &[72],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let organisation = &context.inventory.organisation;
    let mut references = Vec::new();
    for thumbprint in organisation
        .adfs_sign_certificate_thumbprints
        .value()
        .into_iter()
        .flatten()
    {
        let source = organisation
            .adfs_sign_certificate_thumbprints
            .best()
            .map(|best| best.source);
        references.push(("AdfsSignCertificateThumbprints", *thumbprint, source));
    }
    for (name, observed) in [
        (
            "AdfsEncryptCertificateThumbprint",
            &organisation.adfs_encrypt_certificate_thumbprint,
        ),
        (
            "InstantMessagingCertificateThumbprint",
            &organisation.instant_messaging_certificate_thumbprint,
        ),
    ] {
        if let Some(thumbprint) = observed.value() {
            references.push((name, *thumbprint, observed.best().map(|best| best.source)));
        }
    }
    for (setting, thumbprint, source) in references {
        let Some(certificate) = context.inventory.certificate(thumbprint) else {
            report.cannot_tell(
                None,
                None,
                format!("{setting} refers to {thumbprint}, and that certificate was not seen"),
            );
            continue;
        };
        if certificate.not_after >= context.now {
            continue;
        }
        report
            .find(Severity::Warning)
            .with("setting", setting)
            .with("thumbprint", thumbprint)
            .with("end", day(certificate.not_after))
            .from(certificate.not_after)
            .saw(context.inventory, source, format!("{setting} = {thumbprint}"))
            .say();
    }
}
