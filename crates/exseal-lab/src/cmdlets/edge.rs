//! Get-EdgeSubscription (facts/exchange.md 7). Subscribing and synchronising are not simulated yet.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::PsValue;
use super::run::{Run, Stop};
use super::shapes::EDGE_SUBSCRIPTION;
use super::table::{Access, Cmdlet, text};
use crate::world::directory::{EdgeSubscription, Key};

pub(super) const CMDLETS: &[Cmdlet] = &[Cmdlet {
    name: "Get-EdgeSubscription",
    class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetEdgeSubscription",
    parameters: &[text("Identity").at(0).piped()],
    default_set: "",
    access: Access::View,
    process: get,
}];

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let known: Vec<EdgeSubscription> = run
        .world
        .directory
        .edge_subscriptions(run.site())
        .cloned()
        .collect();
    let wanted = run.text("Identity").map(str::to_owned);
    let mut found = false;
    for subscription in known {
        let (created, changed) = ad::dates(run, &Key::EdgeSubscription(subscription.edge.clone()));
        let name = subscription.edge.as_str().to_uppercase();
        let own = AdObject {
            identity: name.clone(),
            name,
            parent: ad::servers(run.world),
            parent_shown: "Servers".to_owned(),
            classes: &["top", "server", "msExchExchangeServer"],
            category: "ms-Exch-Exchange-Server",
            version: (1, "8.0.535.0"),
            created,
            changed,
        };
        if wanted.as_ref().is_some_and(|wanted| {
            !own.is(run.world, wanted) && !wanted.eq_ignore_ascii_case(&subscription.fqdn)
        }) {
            continue;
        }
        found = true;
        let domain = subscription.fqdn.split_once('.').map_or("", |(_, domain)| domain);
        let site = format!("{}/Configuration/Sites/{}", run.world.domain, subscription.site);
        let object = EDGE_SUBSCRIPTION.object(
            run,
            own.identity.clone(),
            Some(&own),
            vec![("Site", PsValue::text(site)), ("Domain", PsValue::text(domain))],
        );
        run.write(object);
    }
    match wanted {
        Some(wanted) if !found && !wanted.contains('*') => {
            let problem = Problem::not_found(&wanted, &run.controller());
            run.fail(&problem)
        }
        _ => Ok(()),
    }
}
