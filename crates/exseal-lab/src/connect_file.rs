//! `connect.toml`: where a lab's names and ports are, for every program that reads such a file.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use serde::Serialize;

use crate::net::{Address, Side};
use crate::world::{ServerName, World};

/// The first line of every file a lab writes: nothing else is ever overwritten.
pub const FIRST_LINE: &str = "# written by exseal lab: where a simulated organisation is";

#[derive(Serialize)]
struct File {
    ca: String,
    user: String,
    servers: BTreeMap<String, Place>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<String, Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<Directory>,
}

#[derive(Serialize)]
struct Directory {
    host: String,
    #[serde(flatten)]
    place: Place,
}

#[derive(Clone, Serialize)]
struct Place {
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_loopback: Option<IpAddr>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ports: BTreeMap<String, u16>,
}

/// The ports that are elsewhere than Exchange has them.
fn moved(addresses: &[&Address]) -> BTreeMap<String, u16> {
    addresses
        .iter()
        .filter(|own| own.port != own.socket.port())
        .map(|own| (own.port.to_string(), own.socket.port()))
        .collect()
}

/// A certificate as PEM.
fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while let Some((line, behind)) = rest.split_at_checked(64) {
        out.push_str(line);
        out.push('\n');
        rest = behind;
    }
    if !rest.is_empty() {
        out.push_str(rest);
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

/// The NetBIOS name of a domain: its first label.
#[must_use]
pub fn net_bios(domain: &str) -> String {
    domain.split('.').next().unwrap_or(domain).to_uppercase()
}

/// The file's text: the servers, the published names (they lead to the balancer, or to the first mailbox server where
/// there is no other), the domain controller of that server's site, the simulation's roots and its first user. Nothing
/// of it is a secret. `server_places` has every server's address: one without an open port has its place, too.
///
/// A server's own 127.0.0.1 is in it only where its ports are those of the server's outside address; one map of ports
/// stands for both.
///
/// # Errors
///
/// The text of TOML's writer, which has no reason to refuse.
pub fn text(
    world: &World,
    addresses: &[Address],
    server_places: &BTreeMap<ServerName, IpAddr>,
) -> Result<String, String> {
    let mut servers = BTreeMap::new();
    let mut first = None;
    let mut site = 0;
    for server in world.servers() {
        let mut outside = BTreeMap::new();
        let mut inside = BTreeMap::new();
        let mut places = (None, None);
        for address in addresses.iter().filter(|own| own.server == server.name) {
            let (place, ports) = match address.side {
                Side::Outside => (&mut places.0, &mut outside),
                Side::OwnLoopback => (&mut places.1, &mut inside),
            };
            *place = Some(address.socket.ip());
            ports.insert(address.port, address.socket.port());
        }
        let Some(ip) = places.0.or_else(|| server_places.get(&server.name).copied()) else {
            continue;
        };
        let agree = inside.iter().all(|(port, to)| outside.get(port) == Some(to));
        let place = Place {
            address: ip,
            own_loopback: places.1.filter(|own| agree && *own != ip),
            ports: outside
                .into_iter()
                .filter(|(port, to)| port != to)
                .map(|(port, to)| (port.to_string(), to))
                .collect(),
        };
        if server.role == crate::organisation::Role::Mailbox && first.is_none() {
            site = server.site;
            first = Some(Place {
                own_loopback: None,
                ..place.clone()
            });
        }
        servers.insert(server.fqdn.to_lowercase(), place);
    }
    let mut names = BTreeMap::new();
    let in_front = world.balancer().and_then(|name| {
        let own: Vec<&Address> = addresses.iter().filter(|own| own.server == name).collect();
        Some(Place {
            address: server_places.get(&name).copied()?,
            own_loopback: None,
            ports: moved(&own),
        })
    });
    if let (Some(namespace), Some(place)) = (world.namespace(), in_front.or(first)) {
        let domain = namespace.split_once('.').map_or(namespace, |(_, domain)| domain);
        for name in [
            namespace.to_lowercase(),
            format!("autodiscover.{}", domain.to_lowercase()),
        ] {
            if !servers.contains_key(&name) {
                names.insert(name, place.clone());
            }
        }
    }
    let mut directory = None;
    for controller in world.controllers() {
        let own: Vec<&Address> = addresses
            .iter()
            .filter(|own| own.server == controller.name)
            .collect();
        let Some(ip) = own.first().map(|own| own.socket.ip()) else {
            continue;
        };
        let place = Place {
            address: ip,
            own_loopback: None,
            ports: moved(&own),
        };
        if controller.site == site {
            let host = controller.fqdn.to_lowercase();
            directory = Some(Directory { host, place });
        } else {
            names.insert(controller.fqdn.to_lowercase(), place);
        }
    }
    let user = world.users().first().map_or("admin", |user| user.name.as_str());
    let file = File {
        ca: world.roots().iter().map(|root| pem(root)).collect(),
        user: format!("{}\\{user}", net_bios(world.domain())),
        servers,
        names,
        directory,
    };
    let body = toml::to_string(&file).map_err(|error| error.to_string())?;
    Ok(format!("{FIRST_LINE}\n\n{body}"))
}
