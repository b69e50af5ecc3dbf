//! What a change will leave, as far as the facts establish it.

use std::collections::HashMap;

use exseal_model::inventory::{HttpSysEntry, Server, Store, StoreEntry, WebSite, WindowsService};
use exseal_model::plan::{Change, Which};
use exseal_model::{Certificate, Inventory, Keyed as _, Listing, Observed, SourceId, Thumbprint};
use jiff::{SignedDuration, Timestamp};

/// Where the servers are, by the name that plans give them.
pub(super) struct Places(HashMap<String, usize>);

impl Places {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let servers = inventory.servers.iter().enumerate();
        Self(
            servers
                .map(|(at, server)| (server.shown().to_lowercase(), at))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<usize> {
        self.0.get(&name.to_lowercase()).copied()
    }
}

/// Everything of a server that [`apply`] may change, as it was: copying the whole server would cost as much as planning.
pub(super) struct Before {
    stores: [(Store, Listing<StoreEntry>); 5],
    http_sys: Listing<HttpSysEntry>,
    sites: Listing<WebSite>,
    services: Listing<WindowsService>,
    internal_transport: Observed<Thumbprint>,
}

impl Before {
    pub(super) fn of(server: &Server) -> Self {
        Self {
            stores: [
                (Store::My, server.my.clone()),
                (Store::Request, server.request.clone()),
                (Store::Root, server.root.clone()),
                (Store::CA, server.ca.clone()),
                (Store::WebHosting, server.web_hosting.clone()),
            ],
            http_sys: server.http_sys.clone(),
            sites: server.sites.clone(),
            services: server.services.clone(),
            internal_transport: server.internal_transport.clone(),
        }
    }

    /// Makes a server what it was.
    pub(super) fn restore(self, server: &mut Server) {
        for (store, listing) in self.stores {
            *server.store_mut(store) = listing;
        }
        server.http_sys = self.http_sys;
        server.sites = self.sites;
        server.services = self.services;
        server.internal_transport = self.internal_transport;
    }
}

/// Applies a change; returns the thumbprint that stands for the certificate it makes, if it makes one.
pub(super) fn apply(
    inventory: &mut Inventory,
    at: &Places,
    change: &Change,
    number: u32,
    now: Timestamp,
) -> Option<Thumbprint> {
    let made = made(change, number, now);
    let thumbprint = made.map(|certificate| inventory.keep(certificate));
    let server = at
        .get(change.server())
        .and_then(|at| inventory.servers.get_mut(at))?;
    match change {
        Change::CreateCertificate { friendly_name, .. } => {
            create(server, thumbprint?, friendly_name);
        }
        Change::BindCertificate {
            endpoint,
            certificate,
            ..
        } => {
            let certificate = stands_for(*certificate, server, now);
            bind(server, endpoint, certificate);
        }
        Change::EnableSmtp {
            certificate,
            internal_transport,
            ..
        } => {
            let certificate = stands_for(*certificate, server, now);
            if let Some(entry) = entry_of(server, certificate) {
                add_service(entry, "SMTP");
            }
            if *internal_transport {
                set(&mut server.internal_transport, certificate);
            }
        }
        Change::CopyCertificate {
            store, certificate, ..
        } => {
            let certificate = stands_for(*certificate, server, now);
            let listing = server.store_mut(*store);
            if !listing.iter().any(|entry| entry.thumbprint == certificate) {
                let mut entry = StoreEntry::new(certificate);
                entry.by = listing
                    .looks
                    .first()
                    .map(|look| look.source)
                    .into_iter()
                    .collect();
                listing.items.push(entry);
                listing.items.sort_by_key(StoreEntry::key);
            }
        }
        Change::BackUpCertificate { .. } => {}
        Change::RestoreCertificate {
            certificate,
            friendly_name,
            ..
        } => {
            let certificate = stands_for(*certificate, server, now);
            if server.in_my(certificate).is_none() {
                create(server, certificate, friendly_name);
            }
        }
        Change::RemoveCertificate {
            store, certificate, ..
        } => {
            let certificate = stands_for(*certificate, server, now);
            server
                .store_mut(*store)
                .items
                .retain(|entry| entry.thumbprint != certificate);
        }
        Change::DiscardCertificate { certificate, .. } => {
            let certificate = stands_for(*certificate, server, now);
            server.my.items.retain(|entry| entry.thumbprint != certificate);
        }
        Change::SetServiceStart {
            service, start_type, ..
        } => {
            if let Some(own) = service_of(server, service) {
                set(&mut own.start_type, start_type.word().to_owned());
            }
        }
        Change::StartService { service, .. } | Change::RestartService { service, .. } => {
            if let Some(own) = service_of(server, service) {
                set(&mut own.status, "Running".to_owned());
            }
        }
        Change::StopService { service, .. } => {
            if let Some(own) = service_of(server, service) {
                set(&mut own.status, "Stopped".to_owned());
            }
        }
    }
    thumbprint
}

/// The certificate a step will make, as far as it is foreseen.
fn made(change: &Change, number: u32, now: Timestamp) -> Option<Certificate> {
    let Change::CreateCertificate {
        server,
        subject,
        names,
        days,
        key_bits,
        ..
    } = change
    else {
        return None;
    };
    let end = now.saturating_add(SignedDuration::from_hours(24 * i64::from(*days)));
    Some(Certificate::foreseen(
        &mark(server, number, now),
        subject,
        names,
        *key_bits,
        (now, end.unwrap_or(Timestamp::MAX)),
    ))
}

fn mark(server: &str, number: u32, now: Timestamp) -> String {
    format!("made by step {number} on {} at {now}", server.to_lowercase())
}

fn stands_for(which: Which, server: &Server, now: Timestamp) -> Thumbprint {
    match which {
        Which::Known(thumbprint) => thumbprint,
        Which::MadeBy(step) => Thumbprint::of_der(mark(&server.shown(), step, now).as_bytes()),
    }
}

fn create(server: &mut Server, thumbprint: Thumbprint, friendly_name: &str) {
    let source = server.my.looks.first().map_or(SourceId(0), |look| look.source);
    let mut entry = StoreEntry::new(thumbprint);
    entry.by = vec![source];
    entry.friendly_name = Observed::seen(friendly_name.to_owned(), source);
    entry.services = Observed::seen(Vec::new(), source);
    entry.status = Observed::seen("Valid".to_owned(), source);
    entry.root_ca_type = Observed::seen("None".to_owned(), source);
    entry.has_private_key = Observed::seen(true, source);
    entry.key_provider_type = Observed::seen(12, source);
    entry.whole = Observed::seen(true, source);
    server.my.items.push(entry);
    server.my.items.sort_by_key(StoreEntry::key);
}

/// http.sys and IIS both, as far as they were seen; Exchange shows IIS among the services of what is bound.
fn bind(server: &mut Server, endpoint: &exseal_model::Endpoint, certificate: Thumbprint) {
    let looked = server.http_sys.looks.first().map(|look| look.source);
    let entry = server
        .http_sys
        .items
        .iter_mut()
        .find(|entry| entry.endpoint == *endpoint);
    match (entry, looked) {
        (Some(entry), _) => {
            set(&mut entry.thumbprint, certificate);
            if let Some(source) = looked {
                entry.store = Observed::seen("MY".to_owned(), source);
            }
        }
        (None, Some(source)) => {
            let mut entry = HttpSysEntry::new(endpoint.clone());
            entry.by = vec![source];
            entry.thumbprint = Observed::seen(certificate, source);
            entry.store = Observed::seen("MY".to_owned(), source);
            server.http_sys.items.push(entry);
            server.http_sys.items.sort_by_key(HttpSysEntry::key);
        }
        (None, None) => {}
    }
    let bindings = server
        .sites
        .items
        .iter_mut()
        .flat_map(|site| &mut site.bindings.items);
    for binding in bindings.filter(|binding| binding.endpoint().as_ref() == Some(endpoint)) {
        set(&mut binding.thumbprint, certificate);
        if let Some(source) = binding.store.best().map(|best| best.source) {
            binding.store = Observed::seen("MY".to_owned(), source);
        }
    }
    if let Some(entry) = entry_of(server, certificate) {
        add_service(entry, "IIS");
    }
}

fn entry_of(server: &mut Server, certificate: Thumbprint) -> Option<&mut StoreEntry> {
    server
        .my
        .items
        .iter_mut()
        .find(|entry| entry.thumbprint == certificate)
}

fn service_of<'s>(
    server: &'s mut Server,
    name: &str,
) -> Option<&'s mut exseal_model::inventory::WindowsService> {
    server
        .services
        .items
        .iter_mut()
        .find(|service| service.name.eq_ignore_ascii_case(name))
}

fn add_service(entry: &mut StoreEntry, service: &str) {
    if entry.has_service(service) == Some(false) {
        let mut services = entry.services.value().cloned().unwrap_or_default();
        services.push(service.to_owned());
        services.sort();
        set(&mut entry.services, services);
    }
}

/// The new value as whoever is trusted most will see it; others are dropped, for they have not looked since.
fn set<T>(observed: &mut Observed<T>, value: T) {
    let source = observed.best().map_or(SourceId(0), |best| best.source);
    *observed = Observed::seen(value, source);
}
