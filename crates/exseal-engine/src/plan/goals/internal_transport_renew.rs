//! `internal-transport renew`: the certificate by which servers know each other (facts/exchange.md 2.7, scenarios 13 and 23).

use exseal_model::Slot;
use exseal_model::plan::{Change, Proof, WaitKind};

use super::certificate::{create, good_one, restart, unfit};
use crate::plan::draft::{Draft, sentence};

pub(super) fn on(draft: &mut Draft<'_>, goal: &str, name: &str) {
    let Some(server) = draft.server(name) else { return };
    match server.is_edge() {
        Some(true) => return draft.wait(goal, Some(name), WaitKind::Person, "edge-default", &[]),
        None => return draft.wait(goal, Some(name), WaitKind::Unknown, "roles-unknown", &[]),
        Some(false) => {}
    }
    if !server.my.is_complete() {
        return draft.wait(goal, Some(name), WaitKind::Unknown, "store-unknown", &[]);
    }
    let Some(transport) = server.internal_transport.known() else {
        return draft.wait(goal, Some(name), WaitKind::Unknown, "transport-unknown", &[]);
    };
    let reason = match transport.copied() {
        None => Some("unset"),
        Some(own) => match draft.certificate(own) {
            None if server.in_my(own).is_none() => Some("not-in-store"),
            None => {
                let values = [("thumbprint", own.to_string())];
                return draft.wait(goal, Some(name), WaitKind::Unknown, "certificate-unseen", &values);
            }
            Some(certificate) if draft.is_auth(own) || !certificate.self_signed => {
                unfit(draft, server, server.in_my(own), certificate).or(Some("not-its-own"))
            }
            Some(certificate) => unfit(draft, server, server.in_my(own), certificate),
        },
    };
    let Some(reason) = reason else {
        return draft.wait(goal, Some(name), WaitKind::Right, "transport-right", &[]);
    };
    let subscriptions = &draft.inventory.organisation.edge_subscriptions;
    if !subscriptions.is_complete() {
        return draft.wait(goal, Some(name), WaitKind::Unknown, "edge-unknown", &[]);
    }
    if let Some(edge) = subscriptions.iter().next() {
        let values = [("edge", edge.name.clone())];
        return draft.wait(goal, Some(name), WaitKind::Person, "edge-subscription", &values);
    }
    let new = match good_one(draft, server) {
        Some(good) => good,
        None => match create(draft, goal, name, "why.transport-create") {
            Some(made) => made,
            None => return,
        },
    };
    let reason = sentence(&format!("reason.{reason}"), &[]);
    let certificate = draft.which(new);
    let step = draft.push(
        Change::EnableSmtp {
            server: name.to_owned(),
            certificate,
            internal_transport: true,
        },
        "why.transport-enable",
        &[("reason", reason)],
    );
    let mut restarted = false;
    for service in ["MSExchangeFrontEndTransport", "MSExchangeTransport"] {
        restarted |= restart(draft, name, service, &[step], "why.restart-transport");
    }
    let proof = Proof::Presents {
        server: name.to_owned(),
        slot: Slot::InternalTransport,
        certificate,
    };
    let proven = if restarted {
        draft.last()
    } else {
        draft.step_mut(step)
    };
    if let Some(step) = proven {
        step.proofs.push(proof);
    }
}
