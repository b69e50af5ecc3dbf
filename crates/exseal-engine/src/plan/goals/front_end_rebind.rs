//! `front-end rebind`: a certificate that is in the store, on the https bindings of the Default Web Site that are there
//! (facts/scenarios.md 4, 5, 15).

use exseal_model::Thumbprint;
use exseal_model::plan::{Change, WaitKind};

use crate::checks::wanted_names;
use crate::plan::draft::Draft;
use crate::slots::{FRONT_END_SITE, Presents, bound};

pub(super) fn on(draft: &mut Draft<'_>, goal: &str, name: &str, certificate: Thumbprint) {
    let Some(server) = draft.server(name) else { return };
    match server.is_edge() {
        Some(true) => return draft.wait(goal, Some(name), WaitKind::Right, "edge-has-none", &[]),
        None => return draft.wait(goal, Some(name), WaitKind::Unknown, "roles-unknown", &[]),
        Some(false) => {}
    }
    let values = [("thumbprint", certificate.to_string())];
    let Some(entry) = server.in_my(certificate) else {
        let (kind, because) = if server.my.is_complete() {
            (WaitKind::Person, "wanted-not-in-store")
        } else {
            (WaitKind::Unknown, "store-unknown")
        };
        return draft.wait(goal, Some(name), kind, because, &values);
    };
    match entry.has_private_key.value() {
        Some(true) => {}
        Some(false) => return draft.wait(goal, Some(name), WaitKind::Person, "wanted-without-key", &values),
        None => return draft.wait(goal, Some(name), WaitKind::Unknown, "key-unknown", &values),
    }
    let Some(own) = draft.certificate(certificate) else {
        return draft.wait(goal, Some(name), WaitKind::Unknown, "certificate-unseen", &values);
    };
    if own.not_after < draft.now {
        return draft.wait(goal, Some(name), WaitKind::Person, "wanted-ended", &values);
    }
    if own.self_signed && !draft.policy.front_end.self_signed {
        return draft.wait(goal, Some(name), WaitKind::Person, "wanted-self-signed", &values);
    }
    // A name that what is bound now covers and the wanted one does not would be lost to clients.
    let bindings = bound(server, FRONT_END_SITE, 443);
    let lost: Vec<String> = wanted_names(draft.policy, server)
        .into_keys()
        .filter(|needed| !own.covers(needed))
        .collect();
    if !lost.is_empty() {
        let values = [values[0].clone(), ("names", lost.join(", "))];
        return draft.wait(goal, Some(name), WaitKind::Person, "wanted-lacks-names", &values);
    }
    let mut moving = Vec::new();
    for (endpoint, presents) in bindings {
        match presents {
            Presents::Certificate(now, _) if now == certificate => {}
            Presents::Unknown(because) => {
                let values = [("because", because)];
                return draft.wait(goal, Some(name), WaitKind::Unknown, "binding-unknown", &values);
            }
            // A binding with a host name of its own is somebody's decision.
            _ if !endpoint.host.is_empty() && !own.covers(&endpoint.host) => {}
            Presents::Certificate(now, _) => moving.push((endpoint, Some(now))),
            Presents::Nothing(_) | Presents::NoMatch(_) => moving.push((endpoint, None)),
        }
    }
    if moving.is_empty() {
        return draft.wait(goal, Some(name), WaitKind::Right, "front-end-right", &values);
    }
    for (endpoint, old) in moving {
        let no_entry = draft.server(name).is_some_and(|server| {
            !server.http_sys.is_unknown() && !server.http_sys.iter().any(|own| own.endpoint == endpoint)
        });
        let change = Change::BindCertificate {
            server: name.to_owned(),
            site: FRONT_END_SITE.to_owned(),
            endpoint,
            certificate: draft.which(certificate),
            instead_of: old.map(|old| draft.which(old)),
            new_entry: no_entry,
        };
        draft.push(change, "why.front-end-bind", &[]);
    }
}
