//! Test-ServiceHealth, and the states of a server's components (facts/exchange.md 2.14).

use super::error::Problem;
use super::object::PsValue;
use super::run::{Run, Stop, find_server};
use super::shapes::{COMPONENT, DATA, HEALTH, MANAGEMENT};
use super::table::{Access, Cmdlet, number, one_of, switch, text};
use super::values;
use crate::organisation::{Role, StartMode, Version};
use crate::world::{Server, ServerName};
use exseal_psrp::message::ErrorCategory;

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Test-ServiceHealth",
        class: "Microsoft.Exchange.Monitoring.TestServiceHealth",
        parameters: &[
            text("Server").at(0).piped(),
            number("ActiveDirectoryTimeout"),
            switch("MonitoringContext"),
        ],
        default_set: "",
        access: Access::View,
        process: test,
    },
    Cmdlet {
        name: "Get-ServerComponentState",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetServerComponentState",
        parameters: &[text("Identity").at(0).needed().piped(), text("Component")],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-ServerComponentState",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetServerComponentState",
        parameters: &[
            text("Identity").at(0).needed().piped(),
            text("Component").needed(),
            one_of(
                "State",
                "Microsoft.Exchange.Data.ServiceState",
                &["Inactive", "Active", "Draining"],
            )
            .needed(),
            one_of(
                "Requester",
                "Microsoft.Exchange.Data.Directory.ServerComponentRequest",
                &[
                    "HealthApi",
                    "Maintenance",
                    "Sidelined",
                    "Functional",
                    "Deployment",
                ],
            )
            .needed(),
            switch("LocalOnly"),
            switch("RemoteOnly"),
            number("TimeoutInSeconds"),
        ],
        default_set: "",
        access: Access::Servers,
        process: set,
    },
];

/// Services a role needs, as the cmdlet spells them.
const MAILBOX: &[&str] = &[
    "IISAdmin",
    "MSExchangeADTopology",
    "MSExchangeDelivery",
    "MSExchangeIS",
    "MSExchangeMailboxAssistants",
    "MSExchangeRepl",
    "MSExchangeRPC",
    "MSExchangeServiceHost",
    "MSExchangeSubmission",
    "MSExchangeThrottling",
    "MSExchangeTransportLogSearch",
    "W3Svc",
    "WinRM",
];
const CLIENT_ACCESS: &[&str] = &[
    "IISAdmin",
    "MSExchangeADTopology",
    "MSExchangeIMAP4",
    "MSExchangeMailboxReplication",
    "MSExchangePOP3",
    "MSExchangeRPC",
    "MSExchangeServiceHost",
    "W3Svc",
    "WinRM",
];
const UNIFIED_MESSAGING: &[&str] = &[
    "IISAdmin",
    "MSExchangeADTopology",
    "MSExchangeServiceHost",
    "MSExchangeUM",
    "W3Svc",
    "WinRM",
];
const HUB: &[&str] = &[
    "IISAdmin",
    "MSExchangeADTopology",
    "MSExchangeEdgeSync",
    "MSExchangeServiceHost",
    "MSExchangeTransport",
    "MSExchangeTransportLogSearch",
    "W3Svc",
    "WinRM",
];
const EDGE: &[&str] = &[
    "ADAM_MSExchange",
    "MSExchangeEdgeCredential",
    "MSExchangeServiceHost",
    "MSExchangeTransport",
    "MSExchangeTransportLogSearch",
];

fn roles(server: &Server) -> Vec<(&'static str, &'static [&'static str])> {
    if server.role == Role::Edge {
        return vec![("Edge Transport Server Role", EDGE)];
    }
    let mut roles = vec![
        ("Mailbox Server Role", MAILBOX),
        ("Client Access Server Role", CLIENT_ACCESS),
    ];
    if server.version <= Version::V2016 {
        roles.push(("Unified Messaging Server Role", UNIFIED_MESSAGING));
    }
    roles.push(("Hub Transport Server Role", HUB));
    roles
}

/// A server whose service control manager or registry does not answer.
fn unreachable(server: &Server) -> Problem {
    let fqdn = &server.fqdn;
    Problem::of(
        "ServerUnreachableException",
        ErrorCategory::ResourceUnavailable,
        format!("The server '{fqdn}' couldn't be contacted. The RPC server is unavailable."),
        format!("Der Server '{fqdn}' konnte nicht erreicht werden. Der RPC-Server ist nicht verfügbar."),
    )
}

fn test(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(target) = run.target()? else {
        return Ok(());
    };
    let Some(server) = run.world.servers.get(&target) else {
        return Ok(());
    };
    if !server.reachable {
        let problem = unreachable(server);
        return run.fail(&problem);
    }
    let mut objects = Vec::new();
    for (role, services) in roles(server) {
        // POP and IMAP count where they start by themselves.
        let (running, stopped): (Vec<&str>, Vec<&str>) = services
            .iter()
            .copied()
            .filter(|name| {
                !name.ends_with("POP3") && !name.ends_with("IMAP4")
                    || server
                        .service(name)
                        .is_some_and(|service| service.start == StartMode::Automatic)
            })
            .partition(|name| server.runs(name));
        objects.push(HEALTH.object(
            run,
            "Microsoft.Exchange.Monitoring.ExchangeServicesStatus",
            None,
            vec![
                ("Role", PsValue::text(role)),
                ("RequiredServicesRunning", PsValue::Bool(stopped.is_empty())),
                ("ServicesNotRunning", PsValue::texts(stopped)),
                ("ServicesRunning", PsValue::texts(running)),
            ],
        ));
    }
    for object in objects {
        run.write(object);
    }
    Ok(())
}

/// The components of a server, in the recorded order.
const COMPONENTS: &[&str] = &[
    "ServerWideOffline",
    "HubTransport",
    "FrontendTransport",
    "Monitoring",
    "RecoveryActionsEnabled",
    "AutoDiscoverProxy",
    "ActiveSyncProxy",
    "EcpProxy",
    "EwsProxy",
    "ImapProxy",
    "OabProxy",
    "OwaProxy",
    "PopProxy",
    "PushNotificationsProxy",
    "RpsProxy",
    "RwsProxy",
    "RpcProxy",
    "XropProxy",
    "HttpProxyAvailabilityGroup",
    "ForwardSyncDaemon",
    "ProvisioningRps",
    "MapiProxy",
    "EdgeTransport",
    "HighAvailability",
    "SharedCache",
    "MailboxDeliveryProxy",
    "RoutingUpdates",
    "RestProxy",
    "DefaultProxy",
    "Lsass",
    "RoutingService",
    "E4EProxy",
    "CafeLAMv2",
    "LogExportProvider",
];

/// The server -Identity names. `Ok(None)`: not there or not reachable, and the error was written.
fn named(run: &mut Run<'_>) -> Result<Option<ServerName>, Stop> {
    let wanted = run.text("Identity").unwrap_or_default().to_owned();
    let Some(name) = find_server(run.world, &wanted) else {
        let problem = Problem::not_found(&wanted, &run.controller());
        run.fail(&problem)?;
        return Ok(None);
    };
    match run.world.servers.get(&name) {
        Some(server) if !server.reachable => {
            let problem = unreachable(server);
            run.fail(&problem)?;
            Ok(None)
        }
        _ => Ok(Some(name)),
    }
}

/// A component by name. `Ok(None)`: there is none, and the error was written; nothing asked for is all.
fn components(run: &mut Run<'_>) -> Result<Option<Vec<&'static str>>, Stop> {
    let Some(wanted) = run.text("Component").map(str::to_owned) else {
        return Ok(Some(COMPONENTS.to_vec()));
    };
    if let Some(own) = COMPONENTS.iter().find(|own| own.eq_ignore_ascii_case(&wanted)) {
        return Ok(Some(vec![own]));
    }
    let problem = Problem::argument(
        format!("Component '{wanted}' isn't a valid server component."),
        format!("Die Komponente '{wanted}' ist keine gültige Serverkomponente."),
    );
    run.fail(&problem)?;
    Ok(None)
}

/// Components that go on while a server is offline as a whole.
fn goes_on(component: &str) -> bool {
    matches!(
        component,
        "ServerWideOffline" | "Monitoring" | "RecoveryActionsEnabled"
    )
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(name) = named(run)? else {
        return Ok(());
    };
    let Some(components) = components(run)? else {
        return Ok(());
    };
    let Some(server) = run.world.servers.get(&name) else {
        return Ok(());
    };
    let offline = server
        .components
        .get("ServerWideOffline")
        .is_some_and(|state| state != "Active");
    let of = format!(
        "System.Collections.Generic.List`1[[{MANAGEMENT}ServerComponentStatePresentationObject+RequesterDetails, {}]]",
        super::object::EXCHANGE_DIRECTORY
    );
    let mut objects = Vec::new();
    for component in components {
        let own = server.components.get(component).map_or("Active", String::as_str);
        let state = if offline && !goes_on(component) {
            "Inactive"
        } else {
            own
        };
        let number = match state {
            "Active" => 1,
            "Draining" => 2,
            _ => 0,
        };
        let requests: Vec<PsValue> = server
            .component_requests
            .get(component)
            .into_iter()
            .flatten()
            .map(|(requester, (state, at))| {
                let object = super::object::PsObject::new(
                    &[
                        "Microsoft.Exchange.Data.Directory.Management.ServerComponentStatePresentationObject\
                         +RequesterDetails",
                        "System.Object",
                    ],
                    format!(
                        "Requestor:{requester}; State:{state}; Timestamp:{}",
                        super::object::short(*at, 0)
                    ),
                )
                .with("Requester", PsValue::text(requester))
                .with("State", PsValue::text(state))
                .with("Timestamp", PsValue::Utc(*at))
                .with("Component", PsValue::text(component));
                PsValue::Object(Box::new(object))
            })
            .collect();
        let list = |items| PsValue::List(vec![of.clone().into(), "System.Object".into()], items);
        objects.push(COMPONENT.object(
            run,
            "Microsoft.Exchange.Data.Directory.Management.ServerComponentStatePresentationObject",
            None,
            vec![
                ("ServerFqdn", PsValue::text(&server.fqdn)),
                ("Component", PsValue::text(component)),
                (
                    "State",
                    values::enumeration(DATA, "ServiceState", state.to_owned(), number),
                ),
                ("ServerWideOfflineIsOffline", PsValue::Bool(offline)),
                ("RemoteStates", list(requests.clone())),
                ("LocalStates", list(requests)),
                ("Identity", values::server_id(run.world, &name)),
            ],
        ));
    }
    for object in objects {
        run.write(object);
    }
    Ok(())
}

/// Each requester has a say: a component is Active when none of them says otherwise.
fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(name) = named(run)? else {
        return Ok(());
    };
    let Some(components) = components(run)? else {
        return Ok(());
    };
    let (state, requester) = (
        run.text("State").unwrap_or_default().to_owned(),
        run.text("Requester").unwrap_or_default().to_owned(),
    );
    for component in components {
        let shown = format!("{}\\{component}", name.as_str().to_uppercase());
        if !run.setting(&shown)? {
            return Ok(());
        }
        let now = run.world.clock_of(&name);
        let Some(server) = run.world.servers.get_mut(&name) else {
            return Ok(());
        };
        let before = server.components.get(component).cloned();
        let requests = server
            .component_requests
            .entry(component.to_owned())
            .or_insert_with(|| {
                // What was so before anybody asked was asked for by setup.
                before
                    .map(|state| ("Functional".to_owned(), (state, now)))
                    .into_iter()
                    .collect()
            });
        requests.insert(requester.clone(), (state.clone(), now));
        let worst = ["Inactive", "Draining"]
            .into_iter()
            .find(|worst| requests.values().any(|(own, _)| own == worst));
        match worst {
            Some(worst) => {
                server.components.insert(component.to_owned(), worst.to_owned());
            }
            None => {
                server.components.remove(component);
            }
        }
    }
    Ok(())
}
