//! A port presents another certificate than the configuration of its server leads to.

use exseal_model::inventory::{Presentation, ReceiveConnector, Server};
use exseal_model::{Severity, Slot, Thumbprint};

use super::{Check, Context, Report};
use crate::slots::SlotUse;

pub(super) const CHECK: Check = Check {
    name: "presented-differs-from-configured",
    about: "a port presents another certificate than the configuration of its server leads to",
    severities: &[Severity::Error],
    scenarios: &[],
    pains: &[20, 22],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let slots: Vec<&SlotUse> = context.slots_of(at).collect();
        let looks = context.inventory.organisation.presented.iter();
        for look in looks.filter(|look| server.is_called(&look.host)) {
            let Some(leaf) = look.leaf.value() else { continue };
            let candidates = expected(server, &slots, look);
            // Several connectors may answer on a port, by who connects: one that fits is enough.
            let Some(first) = candidates.first() else { continue };
            if candidates.iter().any(|one| one.thumbprint() == Some(*leaf)) {
                continue;
            }
            if candidates.iter().any(|one| one.thumbprint().is_none()) {
                let because = "which certificate the configuration leads to was not seen";
                report.cannot_tell(Some(server), Some(first.slot.clone()), because);
                continue;
            }
            let configured: Vec<Thumbprint> = candidates.iter().filter_map(|one| one.thumbprint()).collect();
            let configured: Vec<String> = configured.iter().map(ToString::to_string).collect();
            report
                .find(Severity::Error)
                .server(server)
                .slot(&first.slot)
                .with("port", look.port)
                .with("host", &look.host)
                .with("configured", configured.join(" or "))
                .with("presented", leaf)
                .saw_value(
                    context.inventory,
                    &format!("{}:{}", look.host, look.port),
                    &look.leaf,
                )
                .saw(
                    context.inventory,
                    first.source(),
                    format!("{} = {}", first.slot, configured.join(" or ")),
                )
                .say();
        }
    }
}

/// The slots that may answer a look at a port, the likeliest first.
fn expected<'s>(server: &Server, slots: &[&'s SlotUse], look: &Presentation) -> Vec<&'s SlotUse> {
    let of = |wanted: &dyn Fn(&Slot) -> bool| -> Vec<&'s SlotUse> {
        slots.iter().copied().filter(|one| wanted(&one.slot)).collect()
    };
    let bound = |slot: &Slot, host: &str| match slot {
        Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint) => {
            endpoint.port == look.port && endpoint.address == "*" && endpoint.host.eq_ignore_ascii_case(host)
        }
        _ => false,
    };
    let mut web: Vec<&SlotUse> = Vec::new();
    if !look.asked.is_empty() {
        web = of(&|slot| bound(slot, &look.asked));
    }
    if web.is_empty() {
        web = of(&|slot| bound(slot, ""));
    }
    if !web.is_empty() {
        return web;
    }
    // By that command servers show each other what the directory says of them.
    if look.protocol == "smtp-anonymous" {
        return of(&|slot| *slot == Slot::InternalTransport);
    }
    match look.port {
        110 | 995 => return of(&|slot| *slot == Slot::Pop),
        143 | 993 => return of(&|slot| *slot == Slot::Imap),
        _ => {}
    }
    let names: Vec<&str> = server
        .receive_connectors
        .iter()
        .filter(|connector| answers(connector, look.port))
        .map(|connector| connector.name.as_str())
        .collect();
    of(&|slot| matches!(slot, Slot::ReceiveConnector(name) if names.contains(&name.as_str())))
}

/// Whether a connector listens on a port: `0.0.0.0:25`, `[::]:25`.
fn answers(connector: &ReceiveConnector, port: u16) -> bool {
    connector.enabled.value() != Some(&false)
        && connector.bindings.value().is_some_and(|bindings| {
            bindings.iter().any(|binding| {
                binding
                    .rsplit_once(':')
                    .is_some_and(|(_, own)| own.parse() == Ok(port))
            })
        })
}
