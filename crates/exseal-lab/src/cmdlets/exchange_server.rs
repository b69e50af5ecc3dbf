//! Get-ExchangeServer.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::payload;
use super::run::{Run, Stop, find_server};
use super::select::matches;
use super::shapes::{EXCHANGE_SERVER, SC};
use super::table::{Access, Cmdlet, switch, text};
use super::values;
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
    let mut object = EXCHANGE_SERVER.object(
        run,
        name.clone(),
        Some(&own),
        vec![
            ("Domain", PsValue::text(domain_of(server))),
            (
                "ExchangeLegacyDN",
                PsValue::text(format!(
                    "/o={}/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn={name}",
                    world.name
                )),
            ),
            ("Fqdn", PsValue::text(&server.fqdn)),
            ("IsHubTransportServer", PsValue::Bool(mailbox)),
            ("IsClientAccessServer", PsValue::Bool(mailbox)),
            ("IsEdgeServer", PsValue::Bool(edge)),
            ("IsMailboxServer", PsValue::Bool(mailbox)),
            ("IsE15OrLater", PsValue::Bool(modern)),
            (
                "IsUnifiedMessagingServer",
                PsValue::Bool(mailbox && server.version <= Version::V2016),
            ),
            ("IsFrontendTransportServer", PsValue::Bool(mailbox && modern)),
            ("NetworkAddress", network_address(server)),
            (
                "OrganizationalUnit",
                PsValue::text(format!("{}/{name}", domain_of(server))),
            ),
            ("AdminDisplayVersion", server_version(server)),
            ("Site", site_of(world, server)),
            ("ServerRole", values::enumeration(SC, "ServerRole", roles, number)),
            (
                "CurrentDomainControllers",
                PsValue::texts(controllers.iter().cloned()),
            ),
            (
                "CurrentGlobalCatalogs",
                PsValue::texts(controllers.iter().cloned()),
            ),
            (
                "CurrentConfigDomainController",
                PsValue::text(controllers.first().cloned().unwrap_or_default()),
            ),
        ],
    );
    // Recorded on 15.1.2507.18, not on 15.2.986.5: with the updates of 2022 it came.
    let has_mitigations = (server.build[1], server.build[2]) >= (2, 1118) || server.build[2] >= 2507;
    if !has_mitigations {
        object
            .properties
            .retain(|(name, _)| name != "MitigationsAppliedTime");
    }
    object
}
