//! Get- and Set-TransportService, Get-FrontendTransportService (facts/exchange.md 2.7a). No real server's object was recorded: the properties are the
//! documented ones that have to do with certificates and TLS, and what every server object has.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::exchange_server::ad_object;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop, find_server};
use super::shapes::{FRONTEND_TRANSPORT_SERVICE, TRANSPORT_SERVICE};
use super::table::{Access, Cmdlet, boolean, text};
use crate::organisation::{Role, Version};
use crate::world::{Server, ServerName};

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-TransportService",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetTransportService",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-TransportService",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetTransportService",
        parameters: &[
            text("Identity").at(0).needed().piped(),
            boolean("UseDowngradedExchangeServerAuth"),
        ],
        default_set: "",
        access: Access::Servers,
        process: set,
    },
    Cmdlet {
        name: "Get-FrontendTransportService",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetFrontendTransportService",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: get_front_end,
    },
];

/// Servers with a transport service: mailbox servers from 2013 on; an Edge shows itself only.
fn transports(run: &Run<'_>) -> Vec<ServerName> {
    if run.here().is_some_and(|server| server.role == Role::Edge) {
        return vec![run.at.clone()];
    }
    run.world
        .servers
        .values()
        .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
        .map(|server| server.name.clone())
        .collect()
}

/// The servers -Identity names, or all. `Ok(None)`: not there, and the error was written.
fn wanted(run: &mut Run<'_>) -> Result<Option<Vec<ServerName>>, Stop> {
    let all = transports(run);
    let Some(wanted) = run.text("Identity").map(str::to_owned) else {
        return Ok(Some(all));
    };
    match find_server(run.world, &wanted).filter(|name| all.contains(name)) {
        Some(name) => Ok(Some(vec![name])),
        None => {
            let problem = Problem::not_found(&wanted, &run.controller());
            run.fail(&problem)?;
            Ok(None)
        }
    }
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    for name in wanted(run)?.unwrap_or_default() {
        if let Some(object) = run.world.servers.get(&name).map(|server| shown(run, server)) {
            run.write(object);
        }
    }
    Ok(())
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    for name in wanted(run)?.unwrap_or_default() {
        let shown = name.as_str().to_uppercase();
        if !run.should_process(
            false,
            &format!("Setting Transport Service \"{shown}\"."),
            &format!("Der Transportdienst \"{shown}\" wird festgelegt."),
        )? {
            return Ok(());
        }
        let new = run.boolean("UseDowngradedExchangeServerAuth");
        let Some(server) = run.world.servers.get_mut(&name) else {
            continue;
        };
        if new.is_none_or(|new| new == server.downgraded_auth) {
            run.warn(
                &format!("The command completed successfully but no settings of '{shown}' have been modified."),
                &format!(
                    "Der Befehl wurde erfolgreich abgeschlossen, es wurden jedoch keine Einstellungen von '{shown}' \
                     geändert."
                ),
            )?;
        } else {
            server.downgraded_auth = new.unwrap_or(server.downgraded_auth);
        }
    }
    Ok(())
}

fn shown(run: &Run<'_>, server: &Server) -> PsObject {
    let own = ad_object(run.world, server);
    let internal = run
        .world
        .directory
        .internal_transport(run.site(), &server.name)
        .map(|certificate| certificate.thumbprint().to_string());
    TRANSPORT_SERVICE.object(
        run,
        own.identity.clone(),
        Some(&own),
        vec![
            ("AntispamAgentsEnabled", PsValue::Bool(server.role == Role::Edge)),
            ("InternalTransportCertificateThumbprint", PsValue::maybe(internal)),
            (
                "UseDowngradedExchangeServerAuth",
                PsValue::Bool(server.downgraded_auth),
            ),
        ],
    )
}

fn get_front_end(run: &mut Run<'_>) -> Result<(), Stop> {
    let here_is_edge = run.here().is_some_and(|server| server.role == Role::Edge);
    for name in wanted(run)?.unwrap_or_default() {
        let object = run
            .world
            .servers
            .get(&name)
            .filter(|_| !here_is_edge)
            .map(|server| {
                let own = AdObject {
                    name: "Frontend".to_owned(),
                    identity: format!("{}\\Frontend", server.name.as_str().to_uppercase()),
                    parent: format!(
                        "CN=Transport Configuration,CN={},{}",
                        server.name.as_str().to_uppercase(),
                        ad::servers(run.world)
                    ),
                    parent_shown: "Transport Configuration".to_owned(),
                    classes: &["top", "msExchExchangeTransportServer"],
                    category: "ms-Exch-Exchange-Transport-Server",
                    version: (1, "8.0.535.0"),
                    created: server.installed,
                    changed: server.installed,
                };
                FRONTEND_TRANSPORT_SERVICE.object(
                    run,
                    own.identity.clone(),
                    Some(&own),
                    vec![(
                        "AdminDisplayVersion",
                        super::exchange_server::server_version(server),
                    )],
                )
            });
        if let Some(object) = object {
            run.write(object);
        }
    }
    Ok(())
}
