//! Whether a condition holds in an inventory that was just read.

use exseal_model::inventory::{Server, Store};
use exseal_model::plan::{Condition, StartType};
use exseal_model::{Endpoint, Inventory, Thumbprint};

use crate::slots::{Presents, slots};

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not; what was found, in words.
    No(String),
    /// What was read does not tell; why.
    Unknown(String),
}

impl Holds {
    fn when(holds: bool, found: impl FnOnce() -> String) -> Self {
        if holds { Self::Yes } else { Self::No(found()) }
    }
}

/// Whether a condition holds. Certificates in it are known ones; one that a step makes is unknown.
#[must_use]
pub fn holds(inventory: &Inventory, condition: &Condition) -> Holds {
    let unknown = |why: &str| Holds::Unknown(why.to_owned());
    let made = || unknown("the certificate is not made yet");
    let server = condition.server().map(|name| inventory.server(name));
    let server = match server {
        Some(Some(server)) => Some(server),
        Some(None) => return unknown("the server was not seen"),
        None => None,
    };
    let wanted = match condition.certificate() {
        Some(which) => match which.known() {
            Some(thumbprint) => Some(thumbprint),
            None => return made(),
        },
        None => None,
    };
    match (condition, server) {
        (Condition::Bound { endpoint, .. }, Some(server)) => match carries(server, endpoint) {
            Ok(now) => Holds::when(now == wanted, || shown(now)),
            Err(why) => Holds::Unknown(why),
        },
        (Condition::InStore { store, with_key, .. }, Some(server)) => {
            in_store(server, *store, wanted, *with_key)
        }
        (Condition::NotInStore { store, .. }, Some(server)) => {
            let listing = server.store(*store);
            let there = listing.iter().any(|entry| Some(entry.thumbprint) == wanted);
            if !there && !listing.is_complete() {
                return unknown("the store was not read whole");
            }
            Holds::when(!there, || "it is there".to_owned())
        }
        (Condition::InternalTransport { .. }, Some(server)) => match server.internal_transport.known() {
            Some(now) => Holds::when(now.copied() == wanted, || shown(now.copied())),
            None => unknown("neither Get-TransportService nor the directory was read"),
        },
        (Condition::EnabledForSmtp { .. }, Some(server)) => {
            let entry = wanted.and_then(|wanted| server.in_my(wanted));
            match entry.map(|entry| entry.has_service("SMTP")) {
                Some(Some(enabled)) => Holds::when(enabled, || "it is not".to_owned()),
                Some(None) => unknown("Get-ExchangeCertificate does not show its services"),
                None if server.my.is_complete() => Holds::No("it is not in the store".to_owned()),
                None => unknown("the store was not read whole"),
            }
        }
        (Condition::ServiceRuns { service, runs, .. }, Some(server)) => {
            let now = service_of(server, service).and_then(|own| own.status.value());
            match now {
                Some(now) => Holds::when((now == "Running") == *runs, || now.clone()),
                None => unknown("the service was not read"),
            }
        }
        (
            Condition::ServiceStart {
                service, start_type, ..
            },
            Some(server),
        ) => {
            let now = service_of(server, service).and_then(|own| own.start_type.value());
            match now {
                Some(now) => Holds::when(StartType::from_word(now) == Some(*start_type), || now.clone()),
                None => unknown("the service was not read"),
            }
        }
        (Condition::NotConfigured { .. }, Some(server)) => not_configured(server, wanted),
        (Condition::NotReferredTo { .. }, _) => not_referred_to(inventory, wanted),
        (Condition::NoEdgeSubscription, _) => {
            let subscriptions = &inventory.organisation.edge_subscriptions;
            match subscriptions.iter().next() {
                Some(one) => Holds::No(format!("{} is subscribed", one.name)),
                None if subscriptions.is_complete() => Holds::Yes,
                None => unknown("Get-EdgeSubscription was not read"),
            }
        }
        // Whoever read anything over it knows.
        (Condition::ServerChannelOpens { .. }, _) => Holds::Yes,
        (Condition::BackedUp { .. }, _) => unknown("only the machine exseal runs on tells"),
        (_, None) => unknown("the condition names no server"),
    }
}

/// What an https binding of a server carries: http.sys where it was read, else what IIS says.
///
/// # Errors
///
/// In words: it was not read, or read to be two.
pub fn carries(server: &Server, endpoint: &Endpoint) -> Result<Option<Thumbprint>, String> {
    if !server.http_sys.is_unknown() {
        return match server.http_sys.iter().find(|entry| entry.endpoint == *endpoint) {
            Some(entry) if entry.thumbprint.disagrees() => {
                Err("http.sys showed the entry twice, with two certificates".to_owned())
            }
            Some(entry) => match entry.thumbprint.known() {
                Some(now) => Ok(now.copied()),
                None => Err("the entry of http.sys could not be read".to_owned()),
            },
            None if server.http_sys.is_complete() => Ok(None),
            None => Err("http.sys was not read whole".to_owned()),
        };
    }
    let bindings = server.sites.iter().flat_map(|site| &site.bindings);
    let binding = bindings
        .filter(|binding| binding.endpoint().as_ref() == Some(endpoint))
        .find_map(|binding| binding.thumbprint.known());
    match binding {
        Some(now) => Ok(now.copied()),
        None => Err("neither http.sys nor the binding was read".to_owned()),
    }
}

fn shown(now: Option<Thumbprint>) -> String {
    now.map_or_else(|| "nothing".to_owned(), |now| now.to_string())
}

fn in_store(server: &Server, store: Store, wanted: Option<Thumbprint>, with_key: bool) -> Holds {
    let listing = server.store(store);
    let mut found = listing.iter().filter(|entry| Some(entry.thumbprint) == wanted);
    match (found.next(), found.next()) {
        (None, _) if listing.is_complete() => Holds::No("it is not there".to_owned()),
        (None, _) => Holds::Unknown("the store was not read whole".to_owned()),
        (Some(_), Some(_)) => Holds::No("it is there more than once".to_owned()),
        (Some(entry), None) if with_key => match entry.has_private_key.value() {
            Some(key) => Holds::when(*key, || "it is there without its key".to_owned()),
            None => Holds::Unknown("whether it has its key was not read".to_owned()),
        },
        (Some(_), None) => Holds::Yes,
    }
}

fn service_of<'s>(server: &'s Server, name: &str) -> Option<&'s exseal_model::inventory::WindowsService> {
    server
        .services
        .iter()
        .find(|service| service.name.eq_ignore_ascii_case(name))
}

/// No entry of http.sys carries it, and it is not the internal transport certificate.
fn not_configured(server: &Server, wanted: Option<Thumbprint>) -> Holds {
    if !server.http_sys.is_complete() {
        return Holds::Unknown("http.sys was not read whole".to_owned());
    }
    for entry in &server.http_sys {
        match entry.thumbprint.known() {
            Some(now) if now.copied() == wanted => {
                return Holds::No(format!("{} carries it", entry.endpoint));
            }
            Some(_) => {}
            None => return Holds::Unknown(format!("{} could not be read", entry.endpoint)),
        }
    }
    match server.internal_transport.known() {
        Some(now) if now.copied() == wanted => {
            Holds::No("it is the internal transport certificate".to_owned())
        }
        Some(_) => Holds::Yes,
        None => Holds::Unknown("neither Get-TransportService nor the directory was read".to_owned()),
    }
}

fn not_referred_to(inventory: &Inventory, wanted: Option<Thumbprint>) -> Holds {
    for one in slots(inventory) {
        match one.presents {
            Presents::Certificate(own, _) if Some(own) == wanted => {
                return Holds::No(format!("{} presents it", one.slot));
            }
            Presents::Unknown(why) => return Holds::Unknown(format!("{}: {why}", one.slot)),
            _ => {}
        }
    }
    Holds::Yes
}
