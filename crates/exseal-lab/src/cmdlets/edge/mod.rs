//! Edge subscriptions and EdgeSync (facts/exchange.md 7).

mod subscribe;
mod synchronise;

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop};
use super::shapes::EDGE_SUBSCRIPTION;
use super::table::{Access, Cmdlet, Parameter, boolean, bytes, switch, text};
use crate::organisation::Role;
use crate::world::directory::{EdgeSubscription, Key};

const IDENTITY: &[Parameter] = &[text("Identity").at(0).piped()];

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-EdgeSubscription",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetEdgeSubscription",
        parameters: IDENTITY,
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "New-EdgeSubscription",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.NewEdgeSubscription",
        parameters: &[
            text("FileName"),
            bytes("FileData"),
            text("Site"),
            boolean("CreateInboundSendConnector"),
            boolean("CreateInternetSendConnector"),
            text("AccountExpiryDuration"),
            switch("Force"),
        ],
        default_set: "",
        access: Access::Organisation,
        process: subscribe::new,
    },
    Cmdlet {
        name: "Remove-EdgeSubscription",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.RemoveEdgeSubscription",
        parameters: &[text("Identity").at(0).needed().piped(), switch("Force")],
        default_set: "",
        access: Access::Organisation,
        process: subscribe::remove,
    },
    Cmdlet {
        name: "Start-EdgeSynchronization",
        class: "Microsoft.Exchange.Management.EdgeSync.StartEdgeSynchronization",
        parameters: &[
            text("Server"),
            text("TargetServer"),
            switch("ForceFullSync"),
            switch("ForceUpdateCookie"),
        ],
        default_set: "",
        access: Access::Organisation,
        process: synchronise::start,
    },
    Cmdlet {
        name: "Test-EdgeSynchronization",
        class: "Microsoft.Exchange.Management.EdgeSync.TestEdgeSynchronization",
        parameters: &[
            text("TargetServer"),
            text("VerifyRecipient"),
            text("MaxReportSize"),
            switch("FullCompareMode"),
            boolean("MonitoringContext"),
            switch("ExcludeRecipientTest"),
        ],
        default_set: "",
        access: Access::View,
        process: synchronise::test,
    },
];

/// The subscriptions an -Identity means, or all. One that is not there was said to be so.
fn wanted(run: &mut Run<'_>, parameter: &str) -> Result<Vec<EdgeSubscription>, Stop> {
    let known: Vec<EdgeSubscription> = run
        .world
        .directory
        .edge_subscriptions(run.site())
        .cloned()
        .collect();
    let Some(wanted) = run.text(parameter).map(str::to_owned) else {
        return Ok(known);
    };
    let found: Vec<EdgeSubscription> = known
        .into_iter()
        .filter(|own| wanted.eq_ignore_ascii_case(&own.fqdn) || ad_object(run, own).is(run.world, &wanted))
        .collect();
    if found.is_empty() && !wanted.contains('*') {
        let problem = Problem::not_found(&wanted, &run.controller());
        run.fail(&problem)?;
    }
    Ok(found)
}

/// The Edge's object in the organisation.
fn ad_object(run: &Run<'_>, subscription: &EdgeSubscription) -> AdObject {
    let (created, changed) = ad::dates(run, &Key::EdgeSubscription(subscription.edge.clone()));
    let name = subscription.edge.as_str().to_uppercase();
    AdObject {
        identity: name.clone(),
        name,
        parent: ad::servers(run.world),
        parent_shown: "Servers".to_owned(),
        classes: &["top", "server", "msExchExchangeServer"],
        category: "ms-Exch-Exchange-Server",
        version: (1, "8.0.535.0"),
        created,
        changed,
    }
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    for subscription in wanted(run, "Identity")? {
        let object = shown(run, &subscription);
        run.write(object);
    }
    Ok(())
}

fn shown(run: &Run<'_>, subscription: &EdgeSubscription) -> PsObject {
    let own = ad_object(run, subscription);
    let domain = subscription.fqdn.split_once('.').map_or("", |(_, domain)| domain);
    let site = format!("{}/Configuration/Sites/{}", run.world.domain, subscription.site);
    EDGE_SUBSCRIPTION.object(
        run,
        own.identity.clone(),
        Some(&own),
        vec![("Site", PsValue::text(site)), ("Domain", PsValue::text(domain))],
    )
}

/// Whether the session is at an Edge.
fn at_edge(run: &Run<'_>) -> bool {
    run.here().is_some_and(|server| server.role == Role::Edge)
}
