//! Get- and Set-HybridConfiguration (facts/exchange.md 2.12). Without a hybrid configuration Get- writes nothing.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::PsValue;
use super::run::{Run, Stop, find_server};
use super::shapes::HYBRID;
use super::table::{Access, Cmdlet, text, texts};
use super::values;
use crate::world::ServerName;
use crate::world::directory::{Hybrid, Key, Object};

const NAME: &str = "Hybrid Configuration";

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-HybridConfiguration",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetHybridConfiguration",
        parameters: &[],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-HybridConfiguration",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetHybridConfiguration",
        parameters: &[
            text("TlsCertificateName"),
            text("OnPremisesSmartHost"),
            texts("Domains"),
            texts("ReceivingTransportServers"),
            texts("SendingTransportServers"),
            texts("EdgeTransportServers"),
        ],
        default_set: "",
        access: Access::Organisation,
        process: set,
    },
];

fn ad_object(run: &Run<'_>) -> AdObject {
    let (created, changed) = ad::dates(run, &Key::Hybrid);
    AdObject {
        name: NAME.to_owned(),
        identity: NAME.to_owned(),
        parent: format!("CN={NAME},{}", ad::organisation(run.world)),
        parent_shown: NAME.to_owned(),
        classes: &["top", "msExchCoexistenceRelationship"],
        category: "ms-Exch-Coexistence-Relationship",
        version: (20, "15.0.0.0"),
        created,
        changed,
    }
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(hybrid) = run.world.directory.hybrid(run.site()).cloned() else {
        return Ok(());
    };
    let own = ad_object(run);
    let object = HYBRID.object(
        run,
        NAME,
        Some(&own),
        vec![
            ("EdgeTransportServers", values::server_ids(run, &hybrid.edge)),
            (
                "ReceivingTransportServers",
                values::server_ids(run, &hybrid.receiving),
            ),
            (
                "SendingTransportServers",
                values::server_ids(run, &hybrid.sending),
            ),
            (
                "OnPremisesSmartHost",
                hybrid.smart_host.as_deref().map_or(PsValue::Null, values::domain),
            ),
            (
                "Domains",
                values::hybrid_domains(hybrid.domains.iter().map(String::as_str)),
            ),
            (
                "TlsCertificateName",
                values::identifier(hybrid.tls_certificate_name.as_deref()),
            ),
        ],
    );
    run.write(object);
    Ok(())
}

/// Servers by name; `Ok(None)`: one is not there, and the error was written.
fn servers(run: &mut Run<'_>, parameter: &str) -> Result<Option<Vec<ServerName>>, Stop> {
    let mut names = Vec::new();
    for text in run.texts(parameter).map(<[String]>::to_vec).unwrap_or_default() {
        let Some(name) = find_server(run.world, &text) else {
            let problem = Problem::not_found(&text, &run.controller());
            run.fail(&problem)?;
            return Ok(None);
        };
        names.push(name);
    }
    Ok(Some(names))
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(before) = run.world.directory.hybrid(run.site()).cloned() else {
        let problem = Problem::not_found(NAME, &run.controller());
        return run.fail(&problem);
    };
    let mut after: Hybrid = before.clone();
    if run.given("TlsCertificateName") {
        after.tls_certificate_name = run.name_pair("TlsCertificateName")?;
    }
    if run.given("OnPremisesSmartHost") {
        after.smart_host = run.text("OnPremisesSmartHost").map(str::to_owned);
    }
    if let Some(domains) = run.texts("Domains") {
        after.domains = domains.to_vec();
    }
    for (parameter, into) in [
        ("ReceivingTransportServers", &mut after.receiving),
        ("SendingTransportServers", &mut after.sending),
        ("EdgeTransportServers", &mut after.edge),
    ] {
        if run.given(parameter) {
            let Some(names) = servers(run, parameter)? else {
                return Ok(());
            };
            *into = names;
        }
    }
    if !run.setting(NAME)? {
        return Ok(());
    }
    if after == before {
        return run.unchanged(NAME);
    }
    run.put(Key::Hybrid, Object::Hybrid(after));
    Ok(())
}
