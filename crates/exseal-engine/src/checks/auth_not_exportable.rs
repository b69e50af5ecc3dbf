//! The key of an Auth certificate cannot be exported.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "auth-not-exportable",
    about: "the key of an Auth certificate cannot be exported",
    severities: &[Severity::Warning],
    scenarios: &[24, 69],
    pains: &[34],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let config = &context.inventory.organisation.auth_config;
    for (slot, observed) in [
        (Slot::AuthCurrent, &config.current),
        (Slot::AuthNext, &config.next),
    ] {
        let Some(thumbprint) = observed.value() else {
            continue;
        };
        let entries = context
            .servers()
            .filter_map(|(_, server)| server.in_my(*thumbprint));
        let known: Vec<_> = entries
            .filter(|entry| !entry.private_key_exportable.is_unknown())
            .collect();
        if known.is_empty()
            || known
                .iter()
                .any(|entry| entry.private_key_exportable.value() == Some(&true))
        {
            continue;
        }
        let mut draft = report
            .find(Severity::Warning)
            .slot(&slot)
            .with("thumbprint", thumbprint);
        if let Some(entry) = known.first() {
            draft = draft.saw_value(
                context.inventory,
                "PrivateKeyExportable",
                &entry.private_key_exportable,
            );
        }
        draft.say();
    }
}
