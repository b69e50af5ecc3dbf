//! Nothing is bound to the back end.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::Presents;

pub(super) const CHECK: Check = Check {
    name: "back-end-unbound",
    about: "the https binding of Exchange Back End has no certificate, or is not there",
    severities: &[Severity::Critical],
    scenarios: &[1, 5, 6],
    pains: &[15, 18],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context
        .servers()
        .filter(|(_, server)| !server.is_edge().unwrap_or(false))
    {
        for one in context
            .slots_of(at)
            .filter(|one| matches!(one.slot, Slot::BackEnd(_)))
        {
            match &one.presents {
                Presents::Nothing(source) => report
                    .find(Severity::Critical)
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
