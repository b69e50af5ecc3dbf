//! `back-end renew`: a new certificate for Exchange Back End, and what hangs on the old one (facts/scenarios.md 1-7, 13, 14).
//!
//! Order: make, bind 444, prove 444 and the shell, then SMTP through the shell that now works, then the fewest restarts. The
//! old certificate stays until `cleanup`.

use exseal_model::plan::{Change, Proof, WaitKind};
use exseal_model::{Slot, Thumbprint};

use super::back_end::{bind, bindings};
use super::certificate::{copy_to_root, create, good_one, presenting, restart, unfit};
use crate::plan::draft::Draft;

pub(super) fn on(draft: &mut Draft<'_>, goal: &str, name: &str) {
    let Some(server) = draft.server(name) else { return };
    match server.is_edge() {
        Some(true) => return draft.wait(goal, Some(name), WaitKind::Right, "edge-has-none", &[]),
        None => return draft.wait(goal, Some(name), WaitKind::Unknown, "roles-unknown", &[]),
        Some(false) => {}
    }
    let all = bindings(server, |old| {
        let entry = server.in_my(old);
        match draft.certificate(old) {
            None if entry.is_none() => Ok(Some("not-in-store")),
            None => Err(("certificate-unseen", vec![("thumbprint", old.to_string())])),
            Some(certificate) => Ok(unfit(draft, server, entry, certificate)),
        }
    });
    let all = match all {
        Ok(all) => all,
        Err((because, values)) => {
            return draft.wait(goal, Some(name), WaitKind::Unknown, because, &values);
        }
    };
    let Some(first) = all.iter().find(|own| own.reason.is_some()) else {
        let until = all
            .iter()
            .filter_map(|own| draft.certificate(own.old?))
            .map(|own| own.not_after)
            .min();
        let until = until
            .map(|end| end.strftime("%Y-%m-%d").to_string())
            .unwrap_or_default();
        return draft.wait(
            goal,
            Some(name),
            WaitKind::Right,
            "back-end-right",
            &[("until", until)],
        );
    };
    let old = first.old;

    // What else hangs on the old certificate. A deleted one usually was the internal transport certificate, too
    // (facts/scenarios.md 13).
    let Some(takes_over) = takes_over_transport(draft, goal, name, old) else {
        return;
    };
    let Some(at) = draft.place(name) else { return };
    let hanging = old.map_or_else(Vec::new, |old| presenting(&draft.inventory, at, old));

    let new = match draft.server(name).and_then(|server| good_one(draft, server)) {
        Some(good) => good,
        None => match create(draft, goal, name, "why.back-end-create") {
            Some(made) => made,
            None => return,
        },
    };
    bind(draft, name, new, &all);
    copy_to_root(draft, name, new, old);
    smtp(draft, name, new, old, takes_over, &hanging);
    for (slot, services) in [
        (Slot::Pop, ["MSExchangePOP3BE", "MSExchangePOP3"]),
        (Slot::Imap, ["MSExchangeIMAP4BE", "MSExchangeIMAP4"]),
    ] {
        if !hanging.contains(&slot) {
            continue;
        }
        let after: Vec<u32> = draft.steps.last().map(|step| step.number).into_iter().collect();
        for service in services {
            restart(draft, name, service, &after, "why.restart-client-protocol");
        }
    }
}

/// Whether the new certificate becomes the internal transport certificate; `None`: the goal stops here, and said why.
fn takes_over_transport(
    draft: &mut Draft<'_>,
    goal: &str,
    name: &str,
    old: Option<Thumbprint>,
) -> Option<bool> {
    let server = draft.server(name)?;
    let Some(transport) = server.internal_transport.known() else {
        draft.wait(goal, Some(name), WaitKind::Unknown, "transport-unknown", &[]);
        return None;
    };
    let dying = match transport.copied() {
        None => true,
        Some(own) if server.in_my(own).is_none() => true,
        Some(own) => Some(own) == old,
    };
    if !dying {
        return Some(false);
    }
    let subscriptions = &draft.inventory.organisation.edge_subscriptions;
    if !subscriptions.is_complete() {
        draft.wait(goal, Some(name), WaitKind::Unknown, "edge-unknown", &[]);
        return None;
    }
    let site = server.site.value().map(|site| site.to_lowercase());
    let edge = subscriptions.iter().find(|subscription| {
        // A subscription of an unknown site may be this one's.
        match (&site, subscription.site.value()) {
            (Some(own), Some(other)) => other.rsplit('/').next().unwrap_or(other).to_lowercase() == *own,
            _ => true,
        }
    });
    if let Some(edge) = edge {
        let values = [("edge", edge.name.clone())];
        draft.wait(goal, Some(name), WaitKind::Person, "edge-subscription", &values);
        return None;
    }
    Some(true)
}

/// SMTP: only where the old certificate served it, and the default only where the old one was it.
fn smtp(
    draft: &mut Draft<'_>,
    name: &str,
    new: Thumbprint,
    old: Option<Thumbprint>,
    takes_over: bool,
    hanging: &[Slot],
) {
    let Some(server) = draft.server(name) else { return };
    let enabled = |thumbprint| {
        server
            .in_my(thumbprint)
            .and_then(|entry| entry.has_service("SMTP"))
    };
    let served = hanging
        .iter()
        .any(|slot| matches!(slot, Slot::ReceiveConnector(_)))
        || old.is_some_and(|old| enabled(old) == Some(true));
    let has_it = enabled(new) == Some(true);
    let is_it = server.internal_transport.value() == Some(&new);
    if (!takes_over || is_it) && (!served || has_it) {
        return;
    }
    let change = Change::EnableSmtp {
        server: name.to_owned(),
        certificate: draft.which(new),
        internal_transport: takes_over,
    };
    let why = if takes_over {
        "why.smtp-take-over"
    } else {
        "why.smtp-keep"
    };
    let step = draft.push(change, why, &[]);
    let mut restarted = false;
    for service in ["MSExchangeFrontEndTransport", "MSExchangeTransport"] {
        restarted |= restart(draft, name, service, &[step], "why.restart-transport");
    }
    if !takes_over {
        return;
    }
    let proof = Proof::Presents {
        server: name.to_owned(),
        slot: Slot::InternalTransport,
        certificate: draft.which(new),
    };
    // What transport does not show before its restart is proven after it.
    let proven = if restarted {
        draft.last()
    } else {
        draft.step_mut(step)
    };
    if let Some(step) = proven {
        step.proofs.push(proof);
    }
}
