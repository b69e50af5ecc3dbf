//! A certificate that a slot presents has no private key.

use exseal_model::Severity;

use super::{Check, Context, Report};
use crate::severity::broken;

pub(super) const CHECK: Check = Check {
    name: "certificate-without-key",
    about: "a certificate that a slot presents has no private key",
    severities: &[Severity::Error, Severity::Critical],
    scenarios: &[1, 42],
    pains: &[30],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let Some(entry) = used
                .entry
                .filter(|entry| entry.has_private_key.value() == Some(&false))
            else {
                continue;
            };
            let Some(slot) = used.worst_slot() else { continue };
            report
                .find(broken(slot))
                .server(server)
                .slot(slot)
                .with("thumbprint", entry.thumbprint)
                .with("uses", used.uses())
                .saw_value(context.inventory, "HasPrivateKey", &entry.has_private_key)
                .say();
        }
    }
}
