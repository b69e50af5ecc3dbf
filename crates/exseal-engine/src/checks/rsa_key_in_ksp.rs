//! An RSA key lies in a key storage provider (KSP), where Exchange needs a CryptoAPI one.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "rsa-key-in-ksp",
    about: "an RSA key lies in a key storage provider (KSP), where Exchange needs a CryptoAPI one",
    severities: &[Severity::Error],
    scenarios: &[2, 12, 32],
    pains: &[27, 28],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for (entry, certificate) in context.certificates_of(server) {
            if entry.key_provider_type.value() != Some(&0) || certificate.key_algorithm != "RSA" {
                continue;
            }
            let slots = context.presenting(at, entry.thumbprint);
            let config = &context.inventory.organisation.auth_config;
            let auth = [
                (Slot::AuthCurrent, &config.current),
                (Slot::AuthNext, &config.next),
            ];
            let auth = auth
                .into_iter()
                .find(|(_, own)| own.value() == Some(&entry.thumbprint))
                .map(|(slot, _)| slot);
            let slot = slots
                .filter(|slot| {
                    matches!(
                        slot,
                        Slot::FrontEnd(_) | Slot::InternalTransport | Slot::EdgeDefault
                    )
                })
                .min()
                .cloned()
                .or(auth);
            let Some(slot) = slot else { continue };
            let variant = match slot {
                Slot::FrontEnd(_) => "front-end",
                Slot::InternalTransport | Slot::EdgeDefault => "transport",
                _ => "auth",
            };
            report
                .find(Severity::Error)
                .variant(variant)
                .server(server)
                .slot(&slot)
                .with("thumbprint", entry.thumbprint)
                .with(
                    "provider",
                    entry.key_provider.value().cloned().unwrap_or_default(),
                )
                .saw_value(context.inventory, "key provider type", &entry.key_provider_type)
                .saw_value(context.inventory, "key provider", &entry.key_provider)
                .say();
        }
    }
}
