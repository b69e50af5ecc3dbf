//! Changes, conditions and proofs in words.

use exseal_model::plan::{Change, Condition, Inverse, Proof, Which};

use super::draft::sentence;

fn of(which: Which) -> (&'static str, String) {
    (
        "certificate",
        match which {
            Which::Known(thumbprint) => thumbprint.to_string(),
            Which::MadeBy(step) => sentence("words.made-by", &[("step", step.to_string())]),
        },
    )
}

fn say(key: &str, values: &[(&str, String)]) -> String {
    sentence(&format!("words.{key}"), values)
}

/// What a change does, as an order: "bind … to *:444 of Exchange Back End".
#[must_use]
pub fn change(change: &Change) -> String {
    match change {
        Change::CreateCertificate { names, days, .. } => say(
            "create",
            &[("names", names.join(", ")), ("days", days.to_string())],
        ),
        Change::BindCertificate {
            site,
            endpoint,
            certificate,
            ..
        } => say(
            "bind",
            &[
                of(*certificate),
                ("site", site.clone()),
                ("endpoint", endpoint.to_string()),
            ],
        ),
        Change::EnableSmtp {
            certificate,
            internal_transport: true,
            ..
        } => say("enable-transport", &[of(*certificate)]),
        Change::EnableSmtp { certificate, .. } => say("enable-smtp", &[of(*certificate)]),
        Change::CopyCertificate {
            store, certificate, ..
        } => say("copy", &[of(*certificate), ("store", format!("{store:?}"))]),
        Change::RemoveCertificate {
            store, certificate, ..
        } => say("remove", &[of(*certificate), ("store", format!("{store:?}"))]),
        Change::BackUpCertificate {
            certificate, file, ..
        } => say("back-up", &[of(*certificate), ("file", file.clone())]),
        Change::RestoreCertificate {
            certificate, file, ..
        } => say("restore", &[of(*certificate), ("file", file.clone())]),
        Change::DiscardCertificate { certificate, .. } => say("discard", &[of(*certificate)]),
        Change::SetServiceStart {
            service, start_type, ..
        } => say(
            "set-start",
            &[
                ("service", service.clone()),
                ("start", start_type.word().to_owned()),
            ],
        ),
        Change::StartService { service, .. } => say("start", &[("service", service.clone())]),
        Change::StopService { service, .. } => say("stop", &[("service", service.clone())]),
        Change::RestartService { service, .. } => say("restart", &[("service", service.clone())]),
    }
}

/// How a step is taken back.
#[must_use]
pub fn inverse(inverse: &Inverse) -> String {
    match inverse {
        Inverse::Change(own) => change(own),
        Inverse::Nothing(why) => say("nothing", &[("why", why.clone())]),
        Inverse::Irreversible(why) => say("irreversible", &[("why", why.clone())]),
    }
}

/// What a condition says, as a statement.
#[must_use]
pub fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Bound {
            endpoint,
            certificate: Some(certificate),
            ..
        } => say(
            "is-bound",
            &[of(*certificate), ("endpoint", endpoint.to_string())],
        ),
        Condition::Bound { endpoint, .. } => say("is-empty", &[("endpoint", endpoint.to_string())]),
        Condition::InStore {
            store,
            certificate,
            with_key,
            ..
        } => {
            let key = if *with_key { "is-with-key" } else { "is-in-store" };
            say(key, &[of(*certificate), ("store", format!("{store:?}"))])
        }
        Condition::NotInStore {
            store, certificate, ..
        } => say(
            "is-not-in-store",
            &[of(*certificate), ("store", format!("{store:?}"))],
        ),
        Condition::InternalTransport {
            certificate: Some(certificate),
            ..
        } => say("is-transport", &[of(*certificate)]),
        Condition::InternalTransport { .. } => say("no-transport", &[]),
        Condition::EnabledForSmtp { certificate, .. } => say("is-enabled", &[of(*certificate)]),
        Condition::ServiceRuns { service, runs, .. } => {
            let key = if *runs { "runs" } else { "does-not-run" };
            say(key, &[("service", service.clone())])
        }
        Condition::ServiceStart {
            service, start_type, ..
        } => say(
            "is-started",
            &[
                ("service", service.clone()),
                ("start", start_type.word().to_owned()),
            ],
        ),
        Condition::BackedUp { certificate, file } => {
            say("is-backed-up", &[of(*certificate), ("file", file.clone())])
        }
        Condition::NotReferredTo { certificate } => say("not-referred-to", &[of(*certificate)]),
        Condition::NotConfigured { certificate, .. } => say("not-configured", &[of(*certificate)]),
        Condition::NoEdgeSubscription => say("no-edge", &[]),
        Condition::ServerChannelOpens { .. } => say("channel-opens", &[]),
    }
}

/// What a client has to see.
#[must_use]
pub fn proof(proof: &Proof) -> String {
    match proof {
        Proof::Presents {
            slot, certificate, ..
        } => say("presents", &[of(*certificate), ("slot", slot.to_string())]),
        Proof::Answers { slot, .. } => say("answers", &[("slot", slot.to_string())]),
        Proof::ShellOpens { .. } => say("shell-opens", &[]),
    }
}
