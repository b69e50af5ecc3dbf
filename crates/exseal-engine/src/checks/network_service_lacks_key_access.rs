//! NETWORK SERVICE may not read the key of a certificate that transport presents.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "network-service-lacks-key-access",
    about: "NETWORK SERVICE may not read the key of a certificate that transport presents",
    severities: &[Severity::Error],
    scenarios: &[42],
    pains: &[8, 19],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    const NETWORK_SERVICE: &str = "S-1-5-20";
    for (at, server) in context.servers() {
        for used in context.in_use(at, server) {
            let transport = |slot: &Slot| {
                matches!(
                    slot,
                    Slot::ReceiveConnector(_) | Slot::InternalTransport | Slot::EdgeDefault
                )
            };
            let Some(slot) = used.slots.iter().find(|slot| transport(slot)) else {
                continue;
            };
            let Some((entry, readers)) = used
                .entry
                .and_then(|entry| Some((entry, entry.key_readers.value()?)))
            else {
                continue;
            };
            if readers.iter().any(|sid| sid == NETWORK_SERVICE) {
                continue;
            }
            report
                .find(Severity::Error)
                .server(server)
                .slot(slot)
                .with("thumbprint", entry.thumbprint)
                .saw(
                    context.inventory,
                    entry.key_readers.best().map(|best| best.source),
                    format!("readers of the key: {}", readers.join(", ")),
                )
                .say();
        }
    }
}
