//! Partner applications, authorization servers and intra-organisation connectors: what OAuth with others rests on.
//!
//! A fresh installation has the partner application of Exchange Online and nothing else; the hybrid wizard's further
//! objects are no state of the simulation.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::PsValue;
use super::run::{Run, Stop};
use super::shapes::PARTNER_APPLICATION;
use super::table::{Access, Cmdlet, text};

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-PartnerApplication",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetPartnerApplication",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Get-AuthServer",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetAuthServer",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: none,
    },
    Cmdlet {
        name: "Get-IntraOrganizationConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetIntraOrganizationConnector",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: none,
    },
];

const NAME: &str = "Exchange Online";
/// Exchange's own application id, the same everywhere.
const APPLICATION: &str = "00000002-0000-0ff1-ce00-000000000000";

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let made = run
        .world
        .servers
        .values()
        .map(|server| server.installed)
        .min()
        .unwrap_or(run.world.now);
    let own = AdObject {
        name: NAME.to_owned(),
        identity: NAME.to_owned(),
        parent: format!(
            "CN=Partner Applications,CN=Auth Configuration,{}",
            ad::organisation(run.world)
        ),
        parent_shown: "Partner Applications".to_owned(),
        classes: &["top", "msExchAuthPartnerApplication"],
        category: "ms-Exch-Auth-Partner-Application",
        version: (20, "15.0.0.0"),
        created: made,
        changed: made,
    };
    let other = run
        .text("Identity")
        .filter(|wanted| !own.is(run.world, wanted))
        .map(str::to_owned);
    if let Some(wanted) = other {
        return missing(run, &wanted);
    }
    let account = "Exchange Online-ApplicationAccount";
    let domain = run.world.domain.clone();
    let place = format!("CN={account},CN=Users,{}", ad::of_dns(&domain));
    let linked = ad::id(
        run.world,
        &format!("{domain}/Users/{account}"),
        &place,
        &format!("{domain}/Users"),
        run.world.guid(&place),
    );
    let object = PARTNER_APPLICATION.object(
        run,
        NAME,
        Some(&own),
        vec![
            ("ApplicationIdentifier", PsValue::text(APPLICATION)),
            ("LinkedAccount", linked),
        ],
    );
    run.write(object);
    Ok(())
}

fn missing(run: &mut Run<'_>, wanted: &str) -> Result<(), Stop> {
    if wanted.contains('*') {
        return Ok(());
    }
    let problem = Problem::not_found(wanted, &run.controller());
    run.fail(&problem)
}

/// There are none.
fn none(run: &mut Run<'_>) -> Result<(), Stop> {
    match run.text("Identity").map(str::to_owned) {
        Some(wanted) => missing(run, &wanted),
        None => Ok(()),
    }
}
