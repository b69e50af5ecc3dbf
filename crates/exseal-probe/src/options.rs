//! How to look.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The roots trust is judged by. Public data.
#[derive(Clone, Debug)]
pub struct Roots {
    /// What is trusted.
    pub store: Arc<RootCertStore>,
    /// Where they are from, for people: `the system's 142 roots`.
    pub from: String,
}

impl Roots {
    /// The system's roots and further ones in DER. A root that cannot be read is left out and named in the second part.
    #[must_use]
    pub fn of_system_and(further: &[Vec<u8>]) -> (Self, Vec<String>) {
        let mut store = RootCertStore::empty();
        let loaded = rustls_native_certs::load_native_certs();
        let mut problems: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        let (system, _) = store.add_parsable_certificates(loaded.certs);
        let given = add(&mut store, further, &mut problems);
        let from = match given {
            0 => format!("the system's {system} roots"),
            _ => format!("the system's {system} roots and {given} given"),
        };
        (
            Self {
                store: Arc::new(store),
                from,
            },
            problems,
        )
    }

    /// Only the roots given, in DER.
    #[must_use]
    pub fn only(roots: &[Vec<u8>]) -> (Self, Vec<String>) {
        let mut store = RootCertStore::empty();
        let mut problems = Vec::new();
        let given = add(&mut store, roots, &mut problems);
        (
            Self {
                store: Arc::new(store),
                from: format!("{given} given roots"),
            },
            problems,
        )
    }
}

impl Roots {
    /// The certificates of a PEM file, in DER.
    ///
    /// # Errors
    ///
    /// What is wrong with it; a file without any certificate is wrong.
    pub fn from_pem(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let found: Result<Vec<Vec<u8>>, _> = CertificateDer::pem_slice_iter(pem)
            .map(|one| one.map(|der| der.to_vec()))
            .collect();
        let found = found.map_err(|error| error.to_string())?;
        if found.is_empty() {
            return Err("found none".to_owned());
        }
        Ok(found)
    }
}

fn add(store: &mut RootCertStore, roots: &[Vec<u8>], problems: &mut Vec<String>) -> usize {
    let mut added = 0;
    for (at, der) in roots.iter().enumerate() {
        match store.add(CertificateDer::from(der.as_slice())) {
            Ok(()) => added += 1,
            Err(error) => problems.push(format!("root {}: {error}", at + 1)),
        }
    }
    added
}

/// Which name is asked for in the handshake (SNI).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// The target's name; none where it is an address.
    #[default]
    Name,
    /// None: what a client without SNI sees.
    Nothing,
    /// One look each.
    Both,
}

/// How to look. [`Options::default`] is gentle.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Time to connect, for each address of a name.
    pub connect: Duration,
    /// Time for one look at a target in all: connecting, greeting, handshake, pages.
    pub deadline: Duration,
    /// How often a look is begun anew after a failure that may pass (timed out, reset); 0: never.
    pub retries: u32,
    /// Sockets open at one time, all targets together.
    pub sockets: usize,
    /// Connections to one host at one time.
    pub each: usize,
    /// Which name is asked for.
    pub asked: Asked,
    /// Whether every address of a name is looked at, rather than the first that answers.
    pub every_address: bool,
    /// Whether each of TLS 1.0 to 1.3 is asked for, one connection each. Watched by intrusion detection and Schannel's log.
    pub versions: bool,
    /// Whether the healthcheck pages of https targets are fetched, over the connection of the look.
    pub healthcheck: bool,
    /// What to say in EHLO.
    pub greeting: String,
    /// Where a name is, instead of asking the resolver; with a port, that port is used whatever the target says. Keys in
    /// lower case: `name` or `name:port`, the longer one first.
    pub overrides: BTreeMap<String, Override>,
    /// Roots to judge by; `None`: trust is not judged.
    pub roots: Option<Roots>,
}

/// Where a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// This address, the target's port.
    Address(IpAddr),
    /// This address and port.
    Socket(SocketAddr),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(4),
            deadline: Duration::from_secs(15),
            retries: 1,
            sockets: 256,
            each: 2,
            asked: Asked::Name,
            every_address: false,
            versions: false,
            healthcheck: false,
            greeting: "probe.exseal.invalid".to_owned(),
            overrides: BTreeMap::new(),
            roots: None,
        }
    }
}

impl Options {
    /// Where a target is by the overrides.
    #[must_use]
    pub fn place(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let host = host.to_ascii_lowercase();
        let found = self
            .overrides
            .get(&format!("{host}:{port}"))
            .or_else(|| self.overrides.get(&host))?;
        Some(match *found {
            Override::Address(address) => SocketAddr::new(address, port),
            Override::Socket(socket) => socket,
        })
    }
}
