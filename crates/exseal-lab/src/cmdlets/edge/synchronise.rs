//! Start- and Test-EdgeSynchronization.

use jiff::SignedDuration;

use super::super::error::Problem;
use super::super::object::PsValue;
use super::super::run::{Run, Stop};
use super::super::shapes::{EDGE_SYNC, EDGE_SYNC_TEST};
use super::super::{ad, values};
use super::{at_edge, wanted};
use crate::world::directory::EdgeSubscription;
use crate::world::{EdgeFailure, ServerName};

/// What EdgeSync holds an Edge for, before another mailbox server may.
const LEASE: SignedDuration = SignedDuration::from_mins(30);
const SPACE: &str = "Microsoft.Exchange.EdgeSync.";

/// The subscriptions that are meant. None at all, or a session at an Edge, is an error that was written.
fn targets(run: &mut Run<'_>) -> Result<Vec<EdgeSubscription>, Stop> {
    if at_edge(run) {
        run.fail(&Problem::refused(
            "EdgeSync runs on Mailbox servers only.",
            "EdgeSync wird nur auf Postfachservern ausgeführt.",
        ))?;
        return Ok(Vec::new());
    }
    let found = wanted(run, "TargetServer")?;
    if found.is_empty() && !run.given("TargetServer") {
        run.fail(&Problem::refused(
            "There are no Edge Subscriptions in this organization.",
            "In dieser Organisation sind keine Edge-Abonnements vorhanden.",
        ))?;
    }
    Ok(found)
}

/// Whether MSExchangeEdgeSync of a server runs; otherwise it was said.
fn runs(run: &mut Run<'_>, hub: &ServerName) -> Result<bool, Stop> {
    let there = run
        .world
        .servers
        .get(hub)
        .is_some_and(|server| server.reachable && server.runs("MSExchangeEdgeSync"));
    if !there {
        let name = hub.as_str().to_uppercase();
        run.fail(&Problem::refused(
            format!("The Microsoft Exchange EdgeSync service (MSExchangeEdgeSync) on server {name} can't be reached."),
            format!(
                "Der Microsoft Exchange EdgeSync-Dienst (MSExchangeEdgeSync) auf Server {name} kann nicht erreicht werden."
            ),
        ))?;
    }
    Ok(there)
}

pub(super) fn start(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(hub) = run.target()? else { return Ok(()) };
    let subscriptions = targets(run)?;
    if subscriptions.is_empty() || !runs(run, &hub)? {
        return Ok(());
    }
    if !run.should_process(
        false,
        &format!("Starting EdgeSync on server \"{hub}\"."),
        &format!("EdgeSync wird auf Server \"{hub}\" gestartet."),
    )? {
        return Ok(());
    }
    for subscription in subscriptions {
        let result = run.world.synchronise(&hub, &subscription);
        let all = run.is("ForceFullSync") || matches!(result, Ok(true));
        for kind in ["Recipients", "Configuration"] {
            let object = record(run, &subscription, kind, result, all);
            run.write(object);
        }
    }
    Ok(())
}

fn record(
    run: &Run<'_>,
    subscription: &EdgeSubscription,
    kind: &'static str,
    result: Result<bool, EdgeFailure>,
    all: bool,
) -> super::super::object::PsObject {
    let world = &*run.world;
    let (name, number, details) = match result {
        Ok(_) => ("Success", 0, String::new()),
        Err(failure) => ("CouldNotConnect", 1, failure.details(&subscription.fqdn)),
    };
    let there = if kind == "Recipients" {
        world.users.len()
    } else {
        world.directory.send_connectors(run.site()).count()
            + world.directory.accepted_domains(run.site()).count()
    };
    let scanned = match result {
        Ok(_) if all => i32::try_from(there).unwrap_or(i32::MAX),
        _ => 0,
    };
    let added = if matches!(result, Ok(true)) { scanned } else { 0 };
    EDGE_SYNC.object(
        run,
        subscription.edge.as_str().to_uppercase(),
        None,
        vec![
            ("Result", values::enumeration(SPACE, "StatusResult", name, number)),
            (
                "Type",
                values::enumeration(
                    SPACE,
                    "SyncTreeType",
                    kind,
                    if kind == "Recipients" { 2 } else { 1 },
                ),
            ),
            ("Name", PsValue::text(subscription.edge.as_str().to_uppercase())),
            ("FailureDetails", PsValue::text(details)),
            ("StartUTC", PsValue::Utc(world.now)),
            ("EndUTC", PsValue::Utc(world.now)),
            ("Added", PsValue::Int(added)),
            ("Scanned", PsValue::Int(scanned)),
            ("TargetScanned", PsValue::Int(scanned - added)),
        ],
    )
}

pub(super) fn test(run: &mut Run<'_>) -> Result<(), Stop> {
    let hub = run.at.clone();
    for subscription in targets(run)? {
        let state = run.world.edge_sync(&hub, &subscription);
        let now = run.world.now;
        let (status, number, detail) = match state {
            Ok(()) => ("Normal", 1, String::new()),
            // Another mailbox server may well do it; this one cannot know.
            Err(EdgeFailure::NoCredentials) => (
                "Inconclusive",
                3,
                format!(
                    "This server has no EdgeSync credentials for {}.",
                    subscription.fqdn
                ),
            ),
            Err(failure) => ("Failed", 2, failure.details(&subscription.fqdn)),
        };
        let last = if state.is_ok() {
            Some(now)
        } else {
            subscription.synchronized
        };
        let holder = format!("CN={},{}", hub.as_str().to_uppercase(), ad::servers(run.world));
        let each = |ok: &'static str, number: i32| {
            let (name, number) = if state.is_ok() {
                (ok, number)
            } else {
                ("NotStarted", 0)
            };
            values::enumeration(SPACE, "SyncStatus", name, number)
        };
        let skips = run.is("ExcludeRecipientTest");
        let object = EDGE_SYNC_TEST.object(
            run,
            subscription.edge.as_str().to_uppercase(),
            None,
            vec![
                (
                    "SyncStatus",
                    values::enumeration(SPACE, "ValidationStatus", status, number),
                ),
                ("Name", PsValue::text(subscription.edge.as_str().to_uppercase())),
                (
                    "LeaseHolder",
                    state.map_or(PsValue::Null, |()| PsValue::text(holder)),
                ),
                (
                    "LeaseType",
                    values::enumeration(
                        SPACE,
                        "LeaseTokenType",
                        if state.is_ok() { "Option" } else { "None" },
                        i32::from(state.is_ok()) * 2,
                    ),
                ),
                ("FailureDetail", PsValue::text(detail)),
                (
                    "LeaseExpiryUtc",
                    state.map_or(PsValue::Null, |()| {
                        PsValue::Utc(now.checked_add(LEASE).unwrap_or(now))
                    }),
                ),
                ("LastSynchronizedUtc", last.map_or(PsValue::Null, PsValue::Utc)),
                ("TransportServerStatus", each("Synchronized", 1)),
                ("TransportConfigStatus", each("Synchronized", 1)),
                ("AcceptedDomainStatus", each("Synchronized", 1)),
                ("RemoteDomainStatus", each("Synchronized", 1)),
                ("SendConnectorStatus", each("Synchronized", 1)),
                ("MessageClassificationStatus", each("Synchronized", 1)),
                (
                    "RecipientStatus",
                    if skips {
                        values::enumeration(SPACE, "SyncStatus", "Skipped", 3)
                    } else {
                        each("Synchronized", 1)
                    },
                ),
                (
                    "CredentialRecords",
                    PsValue::text(format!(
                        "Number of credentials {}",
                        subscription.credentials.len()
                    )),
                ),
                (
                    "CookieRecords",
                    PsValue::text(format!(
                        "Number of cookies {}",
                        if last.is_some() { 2 } else { 0 }
                    )),
                ),
            ],
        );
        run.write(object);
    }
    Ok(())
}
