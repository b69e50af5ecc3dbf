//! Get-ExchangeServer.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::payload;
use super::run::{Run, Stop, find_server};
use super::select::matches;
use super::table::{Access, Cmdlet, switch, text};
use crate::organisation::{Role, Version};
use crate::world::{Server, ServerName, World};

pub(super) const CMDLETS: &[Cmdlet] = &[Cmdlet {
    name: "Get-ExchangeServer",
    class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetExchangeServer",
    parameters: &[
        text("Identity").at(0).piped().only(&["Identity"]),
        text("Domain").only(&["Domain"]),
        switch("Status"),
    ],
    default_set: "Identity",
    access: Access::View,
    process: get,
}];

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let names = listed(run);
    if let Some(wanted) = run.text("Identity").map(str::to_owned) {
        let found: Vec<ServerName> = if wanted.contains('*') {
            names
                .into_iter()
                .filter(|name| matches(&wanted, name.as_str()))
                .collect()
        } else {
            find_server(run.world, &wanted)
                .filter(|name| names.contains(name))
                .into_iter()
                .collect()
        };
        if found.is_empty() && !wanted.contains('*') {
            let problem = Problem::not_found(&wanted, &run.controller());
            return run.fail(&problem);
        }
        return write(run, &found);
    }
    let domain = run.text("Domain").map(str::to_owned);
    let names: Vec<ServerName> = names
        .into_iter()
        .filter(|name| {
            domain.as_ref().is_none_or(|domain| {
                run.world
                    .servers
                    .get(name)
                    .is_some_and(|server| domain_of(server).eq_ignore_ascii_case(domain))
            })
        })
        .collect();
    write(run, &names)
}

/// The servers a session knows: an Edge itself only, a mailbox server all but Edges nobody subscribed.
fn listed(run: &Run<'_>) -> Vec<ServerName> {
    if run.here().is_some_and(|server| server.role == Role::Edge) {
        return vec![run.at.clone()];
    }
    let site = run.site();
    run.world
        .servers
        .values()
        .filter(|server| {
            server.role != Role::Edge
                || run
                    .world
                    .directory
                    .edge_subscription(site, &server.name)
                    .is_some()
        })
        .map(|server| server.name.clone())
        .collect()
}

#[expect(clippy::unnecessary_wraps, reason = "ends a cmdlet's work")]
fn write(run: &mut Run<'_>, names: &[ServerName]) -> Result<(), Stop> {
    for name in names {
        if let Some(object) = run.world.servers.get(name).map(|server| shown(run, server)) {
            run.write(object);
        }
    }
    Ok(())
}

fn domain_of(server: &Server) -> &str {
    server.fqdn.split_once('.').map_or("", |(_, domain)| domain)
}

/// The build a directory shows: that of the cumulative update. Security updates do not change it.
pub(crate) fn display_build(server: &Server) -> [u32; 4] {
    let [major, minor, cu, revision] = server.build;
    let released = match (minor, cu) {
        (1, 2375) => 7,
        (1, 2507) => 6,
        (2, 986) => 5,
        (2, 1118) => 7,
        (2, 1258) => 12,
        (2, 1544) => 4,
        (2, 1748) => 10,
        (2, 2562) => 17,
        _ => revision,
    };
    [major, minor, cu, released.min(revision)]
}

pub(crate) fn server_version(server: &Server) -> PsValue {
    let [major, minor, cu, revision] = display_build(server);
    let number = |part: u32| PsValue::Int(i32::try_from(part).unwrap_or(0));
    let mut object = PsObject::new(
        &["Microsoft.Exchange.Data.ServerVersion", "System.Object"],
        format!("Version {major}.{minor} (Build {cu}.{revision})"),
    )
    .with("Major", number(major))
    .with("Minor", number(minor))
    .with("Build", number(cu))
    .with("Revision", number(revision))
    .with("FilePatchLevelDescription", PsValue::Null);
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data",
        "Microsoft.Exchange.Data.ServerVersion",
        &[],
    ));
    PsValue::Object(Box::new(object))
}

fn data_path() -> PsValue {
    let path = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Mailbox";
    let mut object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.LocalLongFullPath",
            "Microsoft.Exchange.Data.LongPath",
            "System.Object",
        ],
        path,
    )
    .with("PathName", PsValue::text(path))
    .with("IsLocalFull", PsValue::Bool(true))
    .with("IsUnc", PsValue::Bool(false))
    .with("DriveName", PsValue::text("C:"));
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data",
        "Microsoft.Exchange.Data.LocalLongFullPath",
        &[],
    ));
    PsValue::Object(Box::new(object))
}

fn network_address(server: &Server) -> PsValue {
    let name = server.name.as_str().to_uppercase();
    let fqdn = server.fqdn.as_str();
    let items = [
        ("ncacn_vns_spp", name.as_str()),
        ("netbios", &name),
        ("ncacn_np", &name),
        ("ncacn_spx", &name),
        ("ncacn_ip_tcp", fqdn),
        ("ncalrpc", &name),
    ]
    .into_iter()
    .map(|(protocol, address)| {
        let object = PsObject::new(
            &[
                "Microsoft.Exchange.Data.CustomNetworkAddress",
                "Microsoft.Exchange.Data.NetworkAddress",
                "Microsoft.Exchange.Data.ProtocolAddress",
                "System.Object",
            ],
            format!("{protocol}:{address}"),
        )
        .with("ProtocolType", PsValue::text(protocol))
        .with("AddressString", PsValue::text(address));
        PsValue::Object(Box::new(object))
    })
    .collect();
    let of = "[[Microsoft.Exchange.Data.NetworkAddress, Microsoft.Exchange.Data, Version=15.0.0.0, \
              Culture=neutral, PublicKeyToken=31bf3856ad364e35]]";
    PsValue::List(
        vec![
            "Microsoft.Exchange.Data.NetworkAddressCollection".into(),
            format!("Microsoft.Exchange.Data.ProtocolAddressCollection`1{of}").into(),
            format!("Microsoft.Exchange.Data.MultiValuedProperty`1{of}").into(),
            "Microsoft.Exchange.Data.MultiValuedPropertyBase".into(),
            "System.Object".into(),
        ],
        items,
    )
}

/// An EnhancedTimeSpan.
pub(crate) fn time_span(seconds: i64) -> PsValue {
    let part = |number: i64| PsValue::Int(i32::try_from(number).unwrap_or(0));
    // Whole seconds below a year fit a float without loss.
    let total = f64::from(i32::try_from(seconds).unwrap_or(i32::MAX));
    let mut object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.EnhancedTimeSpan",
            "System.ValueType",
            "System.Object",
        ],
        super::object::span(seconds),
    )
    .with("Days", part(seconds / 86_400))
    .with("Hours", part(seconds / 3600 % 24))
    .with("Milliseconds", part(0))
    .with("Minutes", part(seconds / 60 % 60))
    .with("Seconds", part(seconds % 60))
    .with("Ticks", PsValue::Long(seconds.saturating_mul(10_000_000)))
    .with("TotalDays", PsValue::Double(total / 86_400.0))
    .with("TotalHours", PsValue::Double(total / 3600.0))
    .with("TotalMilliseconds", PsValue::Double(total * 1000.0))
    .with("TotalMinutes", PsValue::Double(total / 60.0))
    .with("TotalSeconds", PsValue::Double(total))
    .with("Sign", part(seconds.signum()));
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data",
        "Microsoft.Exchange.Data.EnhancedTimeSpan",
        &[],
    ));
    PsValue::Object(Box::new(object))
}

fn site_of(world: &World, server: &Server) -> PsValue {
    if server.role == Role::Edge {
        // An Edge shows the site it is subscribed to.
        let subscribed = world
            .directory
            .edge_subscriptions(0)
            .find(|own| own.edge == server.name)
            .map(|own| own.site.clone());
        return subscribed.map_or(PsValue::Null, |site| site_id(world, &site));
    }
    world
        .sites
        .get(server.site)
        .map_or(PsValue::Null, |site| site_id(world, &site.name))
}

fn site_id(world: &World, name: &str) -> PsValue {
    let place = format!("CN={name},CN=Sites,{}", ad::configuration(world));
    ad::id(
        world,
        &format!("{}/Configuration/Sites/{name}", world.domain),
        &place,
        &format!("{}/Configuration/Sites", world.domain),
        world.guid(&place),
    )
}

/// An Exchange server in the directory.
pub(crate) fn ad_object(world: &World, server: &Server) -> AdObject {
    AdObject {
        name: server.name.as_str().to_uppercase(),
        identity: server.name.as_str().to_uppercase(),
        parent: ad::servers(world),
        parent_shown: "Servers".to_owned(),
        classes: &["top", "server", "msExchExchangeServer"],
        category: "ms-Exch-Exchange-Server",
        version: (1, "8.0.535.0"),
        created: server.installed,
        changed: server.installed,
    }
}

fn shown(run: &Run<'_>, server: &Server) -> PsObject {
    let world = &*run.world;
    let own = ad_object(world, server);
    let name = own.name.clone();
    let edge = server.role == Role::Edge;
    let mailbox = !edge;
    let modern = server.version >= Version::V2013;
    let (roles, number) = match (server.role, server.version) {
        (Role::Edge, _) => ("Edge", 64),
        (Role::Mailbox, Version::V2010) => ("Mailbox, ClientAccess, HubTransport", 38),
        (Role::Mailbox, Version::V2013) => ("Mailbox, ClientAccess", 6),
        (Role::Mailbox, _) => ("Mailbox", 2),
    };
    let controllers: Vec<String> = if run.is("Status") && mailbox {
        vec![run.controller()]
    } else {
        Vec::new()
    };
    let none = || PsValue::texts(Vec::<String>::new());
    let object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
            "Microsoft.Exchange.Data.Directory.Management.ADPresentationObject",
            "Microsoft.Exchange.Data.Directory.ADObject",
            "Microsoft.Exchange.Data.Directory.ADRawEntry",
            "Microsoft.Exchange.Data.ConfigurableObject",
            "System.Object",
        ],
        &name,
    )
    .with("Name", PsValue::text(&name))
    .with("DataPath", data_path())
    .with("Domain", PsValue::text(domain_of(server)))
    .with(
        "Edition",
        PsValue::enumeration(
            "Microsoft.Exchange.Data.ServerEditionType",
            "StandardEvaluation",
            2,
        ),
    )
    .with(
        "ExchangeLegacyDN",
        PsValue::text(format!(
            "/o={}/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn={name}",
            world.name
        )),
    )
    .with("ExchangeLegacyServerRole", PsValue::Int(0))
    .with("Fqdn", PsValue::text(&server.fqdn))
    .with("CustomerFeedbackEnabled", PsValue::Bool(true))
    .with("InternetWebProxy", PsValue::Null)
    .with("InternetWebProxyBypassList", PsValue::Null)
    .with("IsHubTransportServer", PsValue::Bool(mailbox))
    .with("IsClientAccessServer", PsValue::Bool(mailbox))
    .with("IsExchange2007OrLater", PsValue::Bool(true))
    .with("IsEdgeServer", PsValue::Bool(edge))
    .with("IsMailboxServer", PsValue::Bool(mailbox))
    .with("IsE14OrLater", PsValue::Bool(true))
    .with("IsE15OrLater", PsValue::Bool(modern))
    .with("IsProvisionedServer", PsValue::Bool(false))
    .with(
        "IsUnifiedMessagingServer",
        PsValue::Bool(mailbox && server.version <= Version::V2016),
    )
    .with("IsFrontendTransportServer", PsValue::Bool(mailbox && modern))
    .with("NetworkAddress", network_address(server))
    .with(
        "OrganizationalUnit",
        PsValue::text(format!("{}/{name}", domain_of(server))),
    )
    .with("AdminDisplayVersion", server_version(server))
    .with("Site", site_of(world, server))
    .with(
        "ServerRole",
        PsValue::enumeration(
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ServerRole",
            roles,
            number,
        ),
    )
    .with("ErrorReportingEnabled", PsValue::Bool(true))
    .with("MitigationsEnabled", PsValue::Bool(true));
    // Recorded on 15.1.2507.18, not on 15.2.986.5: with the updates of 2022 it came.
    let object = if (server.build[1], server.build[2]) >= (2, 1118) || server.build[2] >= 2507 {
        object.with("MitigationsAppliedTime", PsValue::Null)
    } else {
        object
    };
    let object = object
        .with("StaticDomainControllers", none())
        .with("StaticGlobalCatalogs", none())
        .with("StaticConfigDomainController", PsValue::text(""))
        .with("StaticExcludedDomainControllers", none())
        .with("MonitoringGroup", PsValue::text(""))
        .with(
            "CurrentDomainControllers",
            PsValue::texts(controllers.iter().cloned()),
        )
        .with(
            "CurrentGlobalCatalogs",
            PsValue::texts(controllers.iter().cloned()),
        )
        .with(
            "CurrentConfigDomainController",
            PsValue::text(controllers.first().cloned().unwrap_or_default()),
        )
        .with("ProductID", PsValue::text(""))
        .with("IsExchangeTrialEdition", PsValue::Bool(true))
        .with("IsExpiredExchangeTrialEdition", PsValue::Bool(true))
        .with("MailboxProvisioningAttributes", PsValue::Null)
        .with("RemainingTrialPeriod", time_span(0))
        .with("MitigationsApplied", PsValue::Null)
        .with("MitigationsBlocked", PsValue::Null)
        .with("DataCollectionEnabled", PsValue::Bool(false));
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
        "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
        &[("Identity", &name)],
    ));
    object
}
