//! The goals, one file each: how what a person asks for becomes changes.

mod back_end;
mod back_end_renew;
mod certificate;
mod cleanup;
mod front_end_rebind;
mod internal_transport_renew;
mod rescue;
mod services_start;

pub(super) use cleanup::Known;
use exseal_model::plan::Goal;
pub(super) use rescue::{broken_handshake, vital_down};

use super::draft::Draft;

/// Pushes the changes of a goal onto a draft, or says why there are none.
pub(super) fn pursue(goal: &Goal, draft: &mut Draft<'_>) {
    let name = goal.name();
    let servers = draft.chosen(name, goal.servers());
    if let Goal::Cleanup { backup, .. } = goal {
        // What can be put back goes before what cannot, on all servers.
        for server in &servers {
            cleanup::roots(draft, server);
        }
        for server in servers.iter().filter(|_| backup.is_some()) {
            cleanup::backed_up(draft, server, backup.as_deref().unwrap_or_default());
        }
    }
    for server in servers {
        if matches!(goal, Goal::Rescue { .. }) {
            rescue::on(draft, name, &server);
            continue;
        }
        if !draft.is_ours(name, &server) {
            continue;
        }
        match goal {
            Goal::BackEndRenew { .. } => back_end_renew::on(draft, name, &server),
            Goal::InternalTransportRenew { .. } => internal_transport_renew::on(draft, name, &server),
            Goal::FrontEndRebind { certificate, .. } => {
                front_end_rebind::on(draft, name, &server, *certificate);
            }
            Goal::ServicesStart { .. } => services_start::on(draft, name, &server),
            Goal::Cleanup { .. } => cleanup::on(draft, name, &server),
            // It goes by what was seen alone: the build may be nobody's to tell while the shell is dead.
            Goal::Rescue { .. } => {}
        }
    }
}
