//! Get-AcceptedDomain (facts/exchange.md 2.11).

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::PsValue;
use super::run::{Run, Stop};
use super::shapes::{ACCEPTED_DOMAIN, SC};
use super::table::{Access, Cmdlet, text};
use super::values;
use crate::world::directory::{AcceptedDomain, Key};

pub(super) const CMDLETS: &[Cmdlet] = &[Cmdlet {
    name: "Get-AcceptedDomain",
    class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetAcceptedDomain",
    parameters: &[text("Identity").at(0).piped()],
    default_set: "",
    access: Access::View,
    process: get,
}];

fn ad_object(run: &Run<'_>, domain: &AcceptedDomain) -> AdObject {
    let (created, changed) = ad::dates(run, &Key::AcceptedDomain(domain.domain.to_lowercase()));
    AdObject {
        name: domain.name.clone(),
        identity: domain.name.clone(),
        parent: format!(
            "CN=Accepted Domains,CN=Transport Settings,{}",
            ad::organisation(run.world)
        ),
        parent_shown: "Accepted Domains".to_owned(),
        classes: &["top", "msExchAcceptedDomain"],
        category: "ms-Exch-Accepted-Domain",
        version: (20, "15.0.0.0"),
        created,
        changed,
    }
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let wanted = run.text("Identity").map(str::to_owned);
    let known: Vec<AcceptedDomain> = run
        .world
        .directory
        .accepted_domains(run.site())
        .cloned()
        .collect();
    let mut found = false;
    for domain in known {
        let own = ad_object(run, &domain);
        if wanted
            .as_ref()
            .is_some_and(|wanted| !own.is(run.world, wanted) && !wanted.eq_ignore_ascii_case(&domain.domain))
        {
            continue;
        }
        found = true;
        let number = match domain.kind.as_str() {
            "ExternalRelay" => 1,
            "InternalRelay" => 2,
            _ => 0,
        };
        let object = ACCEPTED_DOMAIN.object(
            run,
            own.identity.clone(),
            Some(&own),
            vec![
                ("DomainName", values::domain_with_subdomains(&domain.domain)),
                (
                    "DomainType",
                    values::enumeration(SC, "AcceptedDomainType", domain.kind.clone(), number),
                ),
                ("MatchSubDomains", PsValue::Bool(domain.domain.starts_with("*."))),
                ("Default", PsValue::Bool(domain.default)),
            ],
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
