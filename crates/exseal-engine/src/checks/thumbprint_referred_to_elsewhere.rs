//! A setting outside the slots refers to a certificate that has ended or is gone.

use exseal_model::Severity;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "thumbprint-referred-to-elsewhere",
    about: "a setting outside the slots refers to a certificate that has ended or is gone",
    severities: &[Severity::Warning],
    scenarios: &[72],
    pains: &[],
    run,
};

/// The parameter of a setting override by which OWA finds its certificate for instant messaging.
const OF_OVERRIDE: &str = "IMCertificateThumbprint";

/// Whether the store My of every server that has mailboxes was seen whole.
fn every_store_was_seen(context: &Context<'_>) -> bool {
    let mut mailbox = context
        .servers()
        .filter(|(_, server)| server.is_edge() != Some(true))
        .peekable();
    mailbox.peek().is_some() && mailbox.all(|(_, server)| server.my.is_complete())
}

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
    for setting in &organisation.setting_overrides {
        let of_messaging = setting
            .parameters
            .value()
            .into_iter()
            .flatten()
            .filter_map(|parameter| parameter.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case(OF_OVERRIDE))
            .filter_map(|(_, value)| value.trim().parse().ok());
        let source = setting.parameters.best().map(|best| best.source);
        references.extend(of_messaging.map(|thumbprint| (OF_OVERRIDE, thumbprint, source)));
    }
    for (setting, thumbprint, source) in references {
        let Some(certificate) = context.inventory.certificate(thumbprint) else {
            // What OWA signs on to instant messaging with has to lie in the server's own store, with its key.
            if setting == OF_OVERRIDE && every_store_was_seen(context) {
                report
                    .find(Severity::Warning)
                    .variant("gone")
                    .with("setting", setting)
                    .with("thumbprint", thumbprint)
                    .saw(context.inventory, source, format!("{setting} = {thumbprint}"))
                    .say();
                continue;
            }
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
