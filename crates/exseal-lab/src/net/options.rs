//! What a lab is told before it listens, and what it refuses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{Remoting, Side};
use crate::world::{ServerName, World};

/// What [`Options::said`] must be for a lab to listen beyond loopback.
pub const WORDS: &str = "let everyone who reaches this machine talk to the simulation";

/// Which ports the sockets have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// Those Exchange has, each server on its own address.
    Standard,
    /// Any that are free; [`super::Running::addresses`] is the map.
    #[default]
    Mapped,
}

/// Bounds: nothing a client does takes more.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of the whole lab; the next one is reset.
    pub connections: usize,
    /// Connections of one port; the next one is reset.
    pub connections_per_port: usize,
    /// Time for a TLS handshake, and for the head of an HTTP request.
    pub handshake: Duration,
    /// Time between two lines of a client.
    pub idle: Duration,
    /// Life of a connection.
    pub connection: Duration,
    /// Bytes of a line.
    pub line: usize,
    /// Bytes of an HTTP body or a mail.
    pub body: usize,
    /// Bytes of mail kept in the whole lab.
    pub kept: usize,
    /// Bytes of an LDAP message.
    pub message: usize,
    /// How deep the parts of an LDAP message may lie in one another.
    pub depth: usize,
    /// Parts of a search filter.
    pub filter: usize,
    /// Searches by pages that a connection keeps open; the oldest ends.
    pub pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            connections_per_port: 200,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            connection: Duration::from_secs(1_800),
            line: 4_096,
            body: 1 << 20,
            kept: 32 << 20,
            message: 256 << 10,
            depth: 128,
            filter: 1_000,
            pages: 10,
        }
    }
}

/// How a lab listens.
#[derive(Clone)]
pub struct Options {
    /// Which ports.
    pub ports: Ports,
    /// The address of the first server; the next ones follow, and as many again for the servers' own 127.0.0.1. Where
    /// only 127.0.0.1 exists (macOS), every server takes it and [`Ports::Mapped`] tells them apart.
    pub first: IpAddr,
    /// Whether every server takes [`first`](Self::first) itself.
    pub one_address: bool,
    /// [`WORDS`], to listen beyond loopback.
    pub said: Option<String>,
    /// Bounds.
    pub limits: Limits,
    /// What answers PowerShell remoting; without it, its doors say 501.
    pub remoting: Option<Arc<dyn Remoting>>,
    /// Keys of the domain controllers' principals (`ldap/dc1.contoso.lab`): with them Kerberos logs on to the directory.
    pub keytab: Option<Arc<exseal_gss::Keytab>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("ports", &self.ports)
            .field("first", &self.first)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ports: Ports::Mapped,
            first: Ipv4Addr::new(127, 83, 0, 1).into(),
            one_address: !cfg!(any(target_os = "linux", windows)),
            said: None,
            limits: Limits::default(),
            remoting: None,
            keytab: None,
        }
    }
}

/// Why a lab does not listen.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can be reached from elsewhere.
    #[error("expected a loopback address, found {address}; to listen there all the same, say: {WORDS}")]
    BeyondLoopback {
        /// The address.
        address: IpAddr,
    },
    /// Exchange is installed on this machine.
    #[error("expected a machine without Exchange for standard ports, found one with it; use mapped ports")]
    ExchangeInstalled,
    /// One address cannot carry every server's standard ports.
    #[error(
        "expected an address for each of {servers} servers on standard ports, found {found}; use mapped ports"
    )]
    TooFewAddresses {
        /// How many servers.
        servers: usize,
        /// What there is.
        found: String,
    },
    /// A port could not be opened.
    #[error("cannot listen for {server} port {port} at {socket}: {source}")]
    Listen {
        /// The server.
        server: String,
        /// Exchange's port.
        port: u16,
        /// Where.
        socket: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Whether Exchange is installed here: its key in the registry, which setup makes first and removes last.
fn exchange_installed() -> bool {
    cfg!(windows)
        && std::process::Command::new("reg.exe")
            .args(["query", r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

impl Options {
    /// The address of every server and of its own loopback, after the refusals.
    pub(super) fn places(&self, world: &World) -> Result<BTreeMap<(ServerName, Side), IpAddr>, StartError> {
        let standard = self.ports == Ports::Standard;
        if standard && exchange_installed() {
            return Err(StartError::ExchangeInstalled);
        }
        let servers: Vec<&ServerName> = world.servers().map(|server| &server.name).collect();
        let controllers = world.controllers().iter();
        let too_few = |found: String| StartError::TooFewAddresses {
            servers: servers.len(),
            found,
        };
        if standard && self.one_address {
            return Err(too_few(format!("{} alone", self.first)));
        }
        let mut places = BTreeMap::new();
        let sides = [Side::Outside, Side::OwnLoopback];
        let all = sides
            .into_iter()
            .flat_map(|side| servers.iter().map(move |name| (side, (*name).clone())))
            // Behind all others, so that servers' addresses do not depend on how many sites there are.
            .chain(controllers.map(|own| (Side::Outside, own.name.clone())))
            .chain(world.balancer().map(|name| (Side::Outside, name)));
        for (count, (side, name)) in all.enumerate() {
            let address = match self.first {
                _ if self.one_address => self.first,
                IpAddr::V4(first) => u32::try_from(count)
                    .ok()
                    .and_then(|count| u32::from(first).checked_add(count))
                    .map(|number| IpAddr::V4(number.into()))
                    .ok_or_else(|| too_few(format!("addresses from {first} on")))?,
                IpAddr::V6(first) => IpAddr::V6((u128::from(first) + count as u128).into()),
            };
            let told = self.said.as_deref() == Some(WORDS);
            if !address.is_loopback() && !told {
                return Err(StartError::BeyondLoopback { address });
            }
            places.insert((name, side), address);
        }
        Ok(places)
    }
}
