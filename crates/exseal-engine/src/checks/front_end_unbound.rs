//! The https binding of the Default Web Site has no certificate.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::Presents;

pub(super) const CHECK: Check = Check {
    name: "front-end-unbound",
    about: "the https binding of the Default Web Site has no certificate",
    severities: &[Severity::Warning, Severity::Critical],
    scenarios: &[5, 41],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context
        .servers()
        .filter(|(_, server)| !server.is_edge().unwrap_or(false))
    {
        for one in context
            .slots_of(at)
            .filter(|one| matches!(one.slot, Slot::FrontEnd(_)))
        {
            match &one.presents {
                Presents::Nothing(source) => report
                    .find(severity(&one.slot))
                    .server(server)
                    .slot(&one.slot)
                    .saw(context.inventory, Some(*source), "certificate hash = (empty)")
                    .say(),
                Presents::Unknown(because) => {
                    report.cannot_tell(Some(server), Some(one.slot.clone()), because.as_str());
                }
                Presents::Certificate(..) | Presents::NoMatch(_) => {}
            }
        }
    }
}

/// People come to the general binding; the loopback one serves the server itself.
fn severity(slot: &Slot) -> Severity {
    match slot {
        Slot::FrontEnd(endpoint) if endpoint.address == "127.0.0.1" => Severity::Warning,
        _ => Severity::Critical,
    }
}
