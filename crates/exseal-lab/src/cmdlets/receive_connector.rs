//! Get-, Set-, New- and Remove-ReceiveConnector (facts/exchange.md 2.7).
//!
//! What the simulation does not keep cannot be set: limits, banner, time-outs stay as setup leaves them.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop};
use super::shapes::{DATA, RECEIVE, SC};
use super::table::{Access, Cmdlet, Parameter, boolean, flags, one_of, switch, text, texts};
use super::values;
use crate::organisation::Role;
use crate::world::directory::{Key, Object, ReceiveConnector};
use crate::world::{AUTH_MECHANISMS, PERMISSION_GROUPS, ServerName};

const AUTH: Parameter = flags(
    "AuthMechanism",
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.AuthMechanisms",
    &[
        "None",
        "Tls",
        "Integrated",
        "BasicAuth",
        "BasicAuthRequireTLS",
        "ExchangeServer",
        "ExternalAuthoritative",
    ],
);
const PERMISSIONS: Parameter = flags(
    "PermissionGroups",
    "Microsoft.Exchange.Data.PermissionGroups",
    &[
        "None",
        "AnonymousUsers",
        "ExchangeUsers",
        "ExchangeServers",
        "ExchangeLegacyServers",
        "Partners",
        "Custom",
    ],
);
const TRANSPORT_ROLE: Parameter = one_of(
    "TransportRole",
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.ServerRole",
    &["FrontendTransport", "HubTransport"],
);
const LOGGING: Parameter = one_of(
    "ProtocolLoggingLevel",
    "Microsoft.Exchange.Data.ProtocolLoggingLevel",
    &["None", "Verbose"],
);

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-ReceiveConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetReceiveConnector",
        parameters: &[
            text("Identity").at(0).piped().only(&["Identity"]),
            text("Server").only(&["Server"]),
        ],
        default_set: "Identity",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-ReceiveConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetReceiveConnector",
        parameters: &[
            text("Identity").at(0).needed().piped(),
            text("Fqdn"),
            text("TlsCertificateName"),
            boolean("RequireTLS"),
            boolean("DomainSecureEnabled"),
            boolean("SuppressXAnonymousTls"),
            boolean("Enabled"),
            texts("Bindings"),
            texts("RemoteIPRanges"),
            texts("TlsDomainCapabilities"),
            AUTH,
            PERMISSIONS,
            TRANSPORT_ROLE,
            LOGGING,
        ],
        default_set: "",
        access: Access::Servers,
        process: set,
    },
    Cmdlet {
        name: "New-ReceiveConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.NewReceiveConnector",
        parameters: &[
            text("Name").at(0).needed(),
            text("Server"),
            texts("Bindings"),
            texts("RemoteIPRanges"),
            text("Fqdn"),
            text("TlsCertificateName"),
            boolean("RequireTLS"),
            boolean("DomainSecureEnabled"),
            boolean("SuppressXAnonymousTls"),
            boolean("Enabled"),
            texts("TlsDomainCapabilities"),
            switch("Custom"),
            one_of(
                "Usage",
                "Microsoft.Exchange.Management.SystemConfigurationTasks.NewReceiveConnector+UsageType",
                &["Custom", "Internet", "Internal", "Client", "Partner"],
            ),
            AUTH,
            PERMISSIONS,
            TRANSPORT_ROLE,
            LOGGING,
        ],
        default_set: "",
        access: Access::Servers,
        process: new,
    },
    Cmdlet {
        name: "Remove-ReceiveConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.RemoveReceiveConnector",
        parameters: &[text("Identity").at(0).needed().piped()],
        default_set: "",
        access: Access::Servers,
        process: remove,
    },
];

fn key(connector: &ReceiveConnector) -> Key {
    Key::Receive(connector.server.clone(), connector.name.to_lowercase())
}

fn ad_object(run: &Run<'_>, connector: &ReceiveConnector) -> AdObject {
    let (created, changed) = ad::dates(run, &key(connector));
    let server = connector.server.as_str().to_uppercase();
    AdObject {
        name: connector.name.clone(),
        identity: format!("{server}\\{}", connector.name),
        parent: format!(
            "CN=SMTP Receive Connectors,CN=Protocols,CN={server},{}",
            ad::servers(run.world)
        ),
        parent_shown: "SMTP Receive Connectors".to_owned(),
        classes: &["top", "msExchSmtpReceiveConnector"],
        category: "ms-Exch-Smtp-Receive-Connector",
        version: (1, "8.0.535.0"),
        created,
        changed,
    }
}

/// The connectors a session knows: an Edge its own only.
fn known(run: &Run<'_>) -> Vec<ReceiveConnector> {
    let edge = run.here().is_some_and(|server| server.role == Role::Edge);
    run.world
        .directory
        .receive_connectors(run.site())
        .filter(|connector| !edge || connector.server == run.at)
        .filter(|connector| {
            edge || run
                .world
                .servers
                .get(&connector.server)
                .is_some_and(|server| server.role != Role::Edge)
        })
        .cloned()
        .collect()
}

/// The connectors -Identity means: a name alone is looked for on the session's own server. Without a match the error was
/// written, unless wildcards asked.
fn wanted(run: &mut Run<'_>) -> Result<Vec<ReceiveConnector>, Stop> {
    let known = known(run);
    let Some(wanted) = run.text("Identity").map(str::to_owned) else {
        return Ok(known);
    };
    let here = run.at.clone();
    let of_server = wanted.contains('\\') || wanted.contains(',');
    let found: Vec<ReceiveConnector> = known
        .into_iter()
        .filter(|connector| {
            ad_object(run, connector).is(run.world, &wanted)
                && (of_server || wanted.contains('*') || connector.server == here || is_guid(&wanted))
        })
        .collect();
    if found.is_empty() && !wanted.contains('*') {
        let problem = Problem::not_found(&wanted, &run.controller());
        run.fail(&problem)?;
    }
    Ok(found)
}

fn is_guid(text: &str) -> bool {
    uuid::Uuid::try_parse(text.trim_start_matches('{').trim_end_matches('}')).is_ok()
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let server = match run.text("Server") {
        None => None,
        Some(_) => match run.target()? {
            Some(server) => Some(server),
            None => return Ok(()),
        },
    };
    for connector in wanted(run)? {
        if server.as_ref().is_none_or(|server| *server == connector.server) {
            let object = shown(run, &connector);
            run.write(object);
        }
    }
    Ok(())
}

fn shown(run: &Run<'_>, connector: &ReceiveConnector) -> PsObject {
    let own = ad_object(run, connector);
    let (role, number) = if connector.frontend {
        ("FrontendTransport", 16_384)
    } else {
        ("HubTransport", 32)
    };
    let level = if connector.verbose_logging {
        ("Verbose", 1)
    } else {
        ("None", 0)
    };
    let size = if connector.frontend {
        ("Enabled", 1)
    } else {
        ("EnabledWithoutValue", 2)
    };
    let short = connector.server.as_str();
    let is = |name: &str| connector.name.eq_ignore_ascii_case(&format!("{name} {short}"));
    let mut said = limits(
        is("Default"),
        is("Client Proxy") || is("Client Frontend"),
        is("Outbound Proxy Frontend"),
    );
    said.extend([
        (
            "AuthMechanism",
            values::flags(SC, "AuthMechanisms", &AUTH_MECHANISMS, connector.auth),
        ),
        ("Bindings", values::bindings(&connector.bindings)),
        ("DomainSecureEnabled", PsValue::Bool(connector.domain_secure)),
        (
            "SuppressXAnonymousTls",
            PsValue::Bool(connector.suppress_x_anonymous_tls),
        ),
        (
            "Fqdn",
            connector.fqdn.as_deref().map_or(PsValue::Null, values::fqdn),
        ),
        (
            "TlsCertificateName",
            values::identifier(connector.tls_certificate_name.as_deref()),
        ),
        ("Enabled", PsValue::Bool(connector.enabled)),
        (
            "PermissionGroups",
            values::flags(
                DATA,
                "PermissionGroups",
                &PERMISSION_GROUPS,
                connector.permissions,
            ),
        ),
        (
            "ProtocolLoggingLevel",
            values::enumeration(DATA, "ProtocolLoggingLevel", level.0, level.1),
        ),
        ("RemoteIPRanges", values::ranges(&connector.remote_ranges)),
        ("RequireTLS", PsValue::Bool(connector.require_tls)),
        (
            "TlsDomainCapabilities",
            values::domain_capabilities(&connector.domain_capabilities),
        ),
        ("Server", values::server_id(run.world, &connector.server)),
        (
            "TransportRole",
            values::enumeration(SC, "ServerRole", role, number),
        ),
        (
            "SizeEnabled",
            values::enumeration(DATA, "SizeMode", size.0, size.1),
        ),
    ]);
    RECEIVE.object(run, own.identity.clone(), Some(&own), said)
}

/// Limits as setup leaves them: the hub's default connector, those of clients, the proxy's way out, every other.
fn limits(hub: bool, clients: bool, out: bool) -> Vec<(&'static str, PsValue)> {
    let (per_source, percentage, recipients) = if hub {
        (None, 100, 5_000)
    } else {
        (Some(20), 2, 200)
    };
    let (rate, source) = if clients {
        (Some(5), ("User", 2))
    } else {
        (None, ("IPAddress", 1))
    };
    vec![
        ("MessageRateLimit", values::maybe_int(rate)),
        (
            "MessageRateSource",
            values::enumeration(SC, "MessageRateSourceFlags", source.0, source.1),
        ),
        ("MaxInboundConnectionPerSource", values::maybe_int(per_source)),
        (
            "MaxInboundConnectionPercentagePerSource",
            PsValue::Int(percentage),
        ),
        ("MaxRecipientsPerMessage", PsValue::Int(recipients)),
        ("EnableAuthGSSAPI", PsValue::Bool(clients)),
        ("TarpitInterval", values::time_span(if out { 0 } else { 5 })),
    ]
}

/// The bits of names.
fn bits(names: &[String], known: &[(i32, &str)]) -> i32 {
    known
        .iter()
        .filter(|(_, own)| names.iter().any(|name| name.eq_ignore_ascii_case(own)))
        .map(|(bit, _)| bit)
        .sum()
}

/// Takes the arguments over. `Err`: a value that is none of its kind, terminating.
fn apply(run: &Run<'_>, connector: &mut ReceiveConnector) -> Result<(), Stop> {
    if run.given("Fqdn") {
        connector.fqdn = run.text("Fqdn").map(str::to_owned);
    }
    if run.given("TlsCertificateName") {
        connector.tls_certificate_name = run.name_pair("TlsCertificateName")?;
    }
    for (name, value) in [
        ("RequireTLS", &mut connector.require_tls),
        ("DomainSecureEnabled", &mut connector.domain_secure),
        ("SuppressXAnonymousTls", &mut connector.suppress_x_anonymous_tls),
        ("Enabled", &mut connector.enabled),
    ] {
        *value = run.boolean(name).unwrap_or(*value);
    }
    if let Some(texts) = run.texts("Bindings") {
        for text in texts {
            if values::split_binding(text).is_none() {
                return Err(run.unfit("Bindings", text, "Microsoft.Exchange.Data.IPBinding"));
            }
        }
        connector.bindings = texts.to_vec();
    }
    if let Some(texts) = run.texts("RemoteIPRanges") {
        for text in texts {
            if values::split_range(text).is_none() {
                return Err(run.unfit("RemoteIPRanges", text, "Microsoft.Exchange.Data.IPRange"));
            }
        }
        connector.remote_ranges = texts.to_vec();
    }
    if let Some(texts) = run.texts("TlsDomainCapabilities") {
        connector.domain_capabilities = texts.to_vec();
    }
    if let Some(names) = run.texts("AuthMechanism") {
        connector.auth = bits(names, &AUTH_MECHANISMS);
    }
    if let Some(names) = run.texts("PermissionGroups") {
        connector.permissions = bits(names, &PERMISSION_GROUPS);
    }
    if let Some(role) = run.text("TransportRole") {
        connector.frontend = role == "FrontendTransport";
    }
    if let Some(level) = run.text("ProtocolLoggingLevel") {
        connector.verbose_logging = level == "Verbose";
    }
    Ok(())
}

/// Why a connector cannot be so.
fn fault(run: &Run<'_>, connector: &ReceiveConnector) -> Option<Problem> {
    let tls = connector.auth & 1 == 1;
    if connector.require_tls && !tls {
        return Some(Problem::invalid(
            "RequireTLS can be set to $true only when the AuthMechanism parameter contains the value Tls.",
            "RequireTLS kann nur dann auf $true gesetzt werden, wenn der Parameter AuthMechanism den Wert Tls enthält.",
        ));
    }
    if connector.domain_secure && (!tls || connector.auth & 32 == 32) {
        return Some(Problem::invalid(
            "DomainSecureEnabled can be set to $true only when the AuthMechanism parameter contains the value Tls and \
             not the value ExternalAuthoritative.",
            "DomainSecureEnabled kann nur dann auf $true gesetzt werden, wenn der Parameter AuthMechanism den Wert Tls \
             und nicht den Wert ExternalAuthoritative enthält.",
        ));
    }
    let server = run.world.servers.get(&connector.server)?;
    let short = connector.server.as_str();
    let default = connector.name.eq_ignore_ascii_case(&format!("Default {short}"));
    let fits = connector
        .fqdn
        .as_deref()
        .is_none_or(|fqdn| fqdn.eq_ignore_ascii_case(short) || fqdn.eq_ignore_ascii_case(&server.fqdn));
    if default && connector.auth & 16 == 16 && !fits {
        let fqdn = &server.fqdn;
        return Some(Problem::invalid(
            format!(
                "If the AuthMechanism attribute on a Receive connector contains the value ExchangeServer, you must set \
                 the FQDN parameter on the Receive connector to one of the following values: the FQDN of the transport \
                 server \"{fqdn}\", the NetBIOS name of the transport server \"{short}\", or $null."
            ),
            format!(
                "Wenn das AuthMechanism-Attribut eines Empfangsconnectors den Wert ExchangeServer enthält, muss der \
                 Parameter FQDN auf einen der folgenden Werte gesetzt werden: den FQDN des Transportservers \
                 \"{fqdn}\", den NetBIOS-Namen des Transportservers \"{short}\" oder $null."
            ),
        ));
    }
    None
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    for before in wanted(run)? {
        let own = ad_object(run, &before);
        let mut after = before.clone();
        apply(run, &mut after)?;
        if let Some(problem) = fault(run, &after) {
            return run.fail(&problem);
        }
        if !run.setting(&own.identity)? {
            return Ok(());
        }
        if after == before {
            run.unchanged(&own.identity)?;
        } else {
            run.put(key(&after), Object::Receive(after));
        }
    }
    Ok(())
}

/// What a new connector has when nothing is said: flags of authentication and permissions, by usage.
fn usage(run: &Run<'_>) -> (i32, i32) {
    match run.text("Usage") {
        Some("Client") => (15, 2),
        Some("Internal") => (17, 12),
        Some("Partner") => (1, 16),
        Some("Internet") => (1, 1),
        _ => (1, 0),
    }
}

fn new(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(server) = run.target()? else {
        return Ok(());
    };
    let Some(fqdn) = run.world.servers.get(&server).map(|server| server.fqdn.clone()) else {
        return Ok(());
    };
    let edge = run
        .world
        .servers
        .get(&server)
        .is_some_and(|server| server.role == Role::Edge);
    let (auth, permissions) = usage(run);
    let mut connector = ReceiveConnector {
        server: server.clone(),
        name: run.text("Name").unwrap_or_default().to_owned(),
        frontend: !edge,
        bindings: vec!["[::]:25".to_owned(), "0.0.0.0:25".to_owned()],
        fqdn: Some(fqdn),
        tls_certificate_name: None,
        auth,
        permissions,
        require_tls: false,
        domain_secure: false,
        suppress_x_anonymous_tls: false,
        enabled: true,
        domain_capabilities: Vec::new(),
        remote_ranges: vec![
            "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".to_owned(),
            "0.0.0.0-255.255.255.255".to_owned(),
        ],
        verbose_logging: false,
    };
    apply(run, &mut connector)?;
    let own = ad_object(run, &connector);
    if find(run, &server, &connector.name) {
        let problem = Problem::exists(&own.name);
        return run.fail(&problem);
    }
    if let Some(problem) = fault(run, &connector) {
        return run.fail(&problem);
    }
    if !run.creating(&own.identity)? {
        return Ok(());
    }
    run.put(key(&connector), Object::Receive(connector.clone()));
    let object = shown(run, &connector);
    run.write(object);
    Ok(())
}

fn find(run: &Run<'_>, server: &ServerName, name: &str) -> bool {
    run.world.directory.receive(run.site(), server, name).is_some()
}

fn remove(run: &mut Run<'_>) -> Result<(), Stop> {
    for connector in wanted(run)? {
        let own = ad_object(run, &connector);
        if run.removing(&own.identity)? {
            run.delete(key(&connector));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_bits_and_bits_make_names() {
        let names = ["Tls".to_owned(), "exchangeserver".to_owned()];

        assert_eq!(bits(&names, &AUTH_MECHANISMS), 17);
    }
}
