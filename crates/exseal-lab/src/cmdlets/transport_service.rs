//! Get- and Set-TransportService (facts/exchange.md 2.7a). No real server's object was recorded: the properties are the
//! documented ones that have to do with certificates and TLS, and what every server object has.

use super::error::Problem;
use super::exchange_server::ad_object;
use super::object::{PsObject, PsValue};
use super::payload;
use super::run::{Run, Stop, find_server};
use super::table::{Access, Cmdlet, boolean, text};
use crate::certificate::Certificate;
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
        .map(Certificate::thumbprint);
    let object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.Directory.Management.TransportServer",
            "Microsoft.Exchange.Data.Directory.Management.ADPresentationObject",
            "Microsoft.Exchange.Data.Directory.ADObject",
            "Microsoft.Exchange.Data.Directory.ADRawEntry",
            "Microsoft.Exchange.Data.ConfigurableObject",
            "System.Object",
        ],
        &own.name,
    )
    .with("Name", PsValue::text(&own.name))
    .with("AntispamAgentsEnabled", PsValue::Bool(server.role == Role::Edge))
    .with("ConnectivityLogEnabled", PsValue::Bool(true))
    .with("ExternalDNSAdapterEnabled", PsValue::Bool(true))
    .with("InternalDNSAdapterEnabled", PsValue::Bool(true))
    .with(
        "InternalTransportCertificateThumbprint",
        PsValue::maybe(internal.map(|thumbprint| thumbprint.to_string())),
    )
    .with("MessageTrackingLogEnabled", PsValue::Bool(true))
    .with(
        "UseDowngradedExchangeServerAuth",
        PsValue::Bool(server.downgraded_auth),
    )
    .with(
        "IntraOrgConnectorProtocolLoggingLevel",
        PsValue::enumeration("Microsoft.Exchange.Data.ProtocolLoggingLevel", "Verbose", 1),
    )
    .with("IntraOrgConnectorSmtpMaxMessagesPerConnection", PsValue::Int(20));
    let mut object = own.add(
        run,
        object,
        &[
            "Identity",
            "IsValid",
            "ExchangeVersion",
            "DistinguishedName",
            "Guid",
            "ObjectCategory",
            "ObjectClass",
            "WhenChanged",
            "WhenCreated",
            "WhenChangedUTC",
            "WhenCreatedUTC",
            "OrganizationId",
            "Id",
            "OriginatingServer",
            "ObjectState",
        ],
    );
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data.Directory",
        "Microsoft.Exchange.Data.Directory.Management.TransportServer",
        &[("Identity", &own.name)],
    ));
    object
}
