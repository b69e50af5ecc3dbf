//! From the organisation file to a world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};

use super::directory::{self, ClientProtocol, Directory, Key, Object, ProtocolSettings, ReceiveConnector};
use super::{
    Authorities, Binding, Controller, Fault, HttpSysEntry, IIS_APP_ID, Reader, Server, ServerName, Site,
    Stored, StoredKey, WebSite, World, WorldError, services,
};
use crate::certificate::{
    Certificate, Issuer, KeyKind, KeyPool, Name, PrivateKey, Recipe, Thumbprint, serial_from,
};
use crate::organisation::{
    CertificateRecipe, Disabler, HttpSysRecipe, IssuerRef, KeyName, Organisation, PlacedCertificate,
    Provider, ReceiveConnectorRecipe, Role, RootKind, ServerRecipe, StartMode, StoreName, Version, meaning,
};
use crate::stand_in;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A certificate with its key.
#[derive(Clone, Debug)]
struct Made {
    certificate: Certificate,
    key: Arc<PrivateKey>,
    friendly_name: String,
}

fn days_from(now: Timestamp, days: i32) -> Timestamp {
    now.checked_add(DAY * days).unwrap_or(now)
}

struct Builder<'o> {
    organisation: &'o Organisation,
    now: Timestamp,
    seed: u64,
    keys: KeyPool,
    authorities: Authorities,
    made: BTreeMap<String, Made>,
    auth: Made,
    stand_ins: Vec<stand_in::StandIn>,
    directory: Directory,
    installed: Timestamp,
}

pub(super) fn build(
    organisation: &Organisation,
    now: Timestamp,
    seed: u64,
    keys: KeyPool,
) -> Result<World, WorldError> {
    organisation.check()?;
    let now = organisation.now.unwrap_or(now);
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let sites: Vec<Site> = if organisation.sites.is_empty() {
        vec![Site {
            name: "Default-First-Site-Name".to_owned(),
            delay: SignedDuration::ZERO,
        }]
    } else {
        organisation
            .sites
            .iter()
            .map(|site| Site {
                name: site.name.clone(),
                delay: SignedDuration::from_mins(i64::from(site.replication_minutes)),
            })
            .collect()
    };
    let authorities = Authorities::new(&keys, now, seed)?;
    let oldest = organisation
        .servers
        .iter()
        .map(|server| server.installed_days_ago)
        .max()
        .unwrap_or(0);
    let installed = days_from(now, -oldest);
    let auth = auth_certificate(organisation, &keys, now, installed, seed)?;
    let mut builder = Builder {
        organisation,
        now,
        seed,
        keys,
        authorities,
        made: BTreeMap::new(),
        auth,
        stand_ins: Vec::new(),
        directory: Directory::new(sites.iter().map(|site| site.delay).collect()),
        installed,
    };
    builder.certificates()?;
    let mut servers = BTreeMap::new();
    for recipe in &organisation.servers {
        let server = builder.server(recipe, &sites)?;
        servers.insert(server.name.clone(), server);
    }
    builder.organisation_objects(&servers, &sites)?;
    let controllers = Controller::of_sites(
        sites.len(),
        &organisation.domain,
        |name| servers.contains_key(name),
        &builder.authorities.internal_ca,
        &builder.keys,
        seed,
    )?;
    let mut world = World {
        now,
        seed,
        counter: 0,
        name: organisation.name.clone(),
        domain: organisation.domain.clone(),
        namespace: organisation.namespace.clone(),
        users: organisation.people(),
        assumptions: organisation.assumptions.clone(),
        keys: builder.keys,
        authorities: builder.authorities,
        sites,
        servers,
        directory: builder.directory,
        controllers,
        directory_limits: organisation.directory.clone(),
        faults: Vec::new(),
        pending: BTreeMap::new(),
        stand_ins: builder.stand_ins,
        config: organisation.organisation_config.clone(),
        modules: Vec::new(),
        windows: crate::windows::Sessions::default(),
        files: BTreeMap::new(),
    };
    world.settle(organisation)?;
    Ok(world)
}

fn auth_certificate(
    organisation: &Organisation,
    keys: &KeyPool,
    now: Timestamp,
    installed: Timestamp,
    seed: u64,
) -> Result<Made, WorldError> {
    const NAME: &str = "Microsoft Exchange Server Auth Certificate";
    let key = keys.next(KeyKind::Rsa2048)?;
    let not_before = installed
        .checked_add(SignedDuration::from_secs(94))
        .unwrap_or(installed);
    let not_after = organisation
        .auth
        .days_left
        .map_or_else(|| days_from(not_before, 1800), |days| days_from(now, days));
    let recipe = Recipe {
        subject: Name::common(NAME),
        names: Vec::new(),
        not_before: not_before.min(days_from(not_after, -1800)),
        not_after,
        serial: serial_from(&format!("{seed}/auth")),
        is_ca: false,
        subject_key: None,
    };
    Ok(Made {
        certificate: recipe.issue(&key, None)?,
        key,
        friendly_name: NAME.to_owned(),
    })
}

impl Builder<'_> {
    /// Makes every certificate of the file; CAs of the file before what they sign.
    fn certificates(&mut self) -> Result<(), WorldError> {
        let recipes = &self.organisation.certificates;
        let mut waiting: Vec<&CertificateRecipe> = recipes.iter().collect();
        waiting.sort_by_key(|recipe| !recipe.ca);
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            for recipe in waiting {
                match &recipe.issuer {
                    IssuerRef::Id(id) if recipe.der.is_none() && !self.made.contains_key(id) => {
                        later.push(recipe);
                    }
                    _ => self.certificate(recipe)?,
                }
            }
            if later.len() == before {
                let recipe = later.first().map_or(String::new(), |recipe| recipe.id.clone());
                return Err(meaning(
                    format!("certificate {recipe:?}, field issuer"),
                    "self, public-ca, public-ca2, internal-ca, unknown-ca, or the id of a certificate with ca = true",
                    "an id nobody described",
                )
                .into());
            }
            waiting = later;
        }
        Ok(())
    }

    fn certificate(&mut self, recipe: &CertificateRecipe) -> Result<(), WorldError> {
        let place = format!("certificate {:?}", recipe.id);
        let made = if let Some(der) = &recipe.der {
            let digits: String = der.split_ascii_whitespace().collect();
            let bytes = BASE64.decode(digits).map_err(|error| {
                meaning(
                    format!("{place}, field der"),
                    "a certificate in base64",
                    error.to_string(),
                )
            })?;
            let original = Certificate::read(&bytes).map_err(|error| {
                meaning(format!("{place}, field der"), "a certificate", error.to_string())
            })?;
            self.stand_in(recipe, &original)?
        } else {
            let not_after = recipe
                .not_after
                .unwrap_or_else(|| days_from(self.now, recipe.days_left.unwrap_or(60)));
            let not_before = recipe.not_before.unwrap_or_else(|| {
                let age = recipe.age_days.unwrap_or(30);
                days_from(self.now, -age).min(days_from(not_after, -1))
            });
            let subject = match (&recipe.subject, recipe.names.first()) {
                (Some(subject), _) => Name::parse(subject)?,
                (None, Some(name)) => Name::common(name),
                (None, None) => {
                    return Err(meaning(place, "a subject or at least one of names", "neither").into());
                }
            };
            let kind = match recipe.key {
                KeyName::Rsa2048 => KeyKind::Rsa2048,
                KeyName::Rsa4096 => KeyKind::Rsa4096,
                KeyName::P256 => KeyKind::P256,
            };
            let key = self.keys.next(kind)?;
            let issued = Recipe {
                subject,
                names: recipe.names.clone(),
                not_before,
                not_after,
                serial: serial_from(&format!("{}/{}", self.seed, recipe.id)),
                is_ca: recipe.ca,
                subject_key: None,
            };
            let issuer = match &recipe.issuer {
                IssuerRef::Itself => None,
                IssuerRef::PublicCa => Some(self.authorities.public_ca.clone()),
                IssuerRef::PublicCa2 => Some(self.authorities.public_ca2.clone()),
                IssuerRef::InternalCa => Some(self.authorities.internal_ca.clone()),
                IssuerRef::UnknownCa => Some(self.authorities.unknown_ca.clone()),
                IssuerRef::Id(id) => self.made.get(id).map(|made| Issuer {
                    certificate: made.certificate.clone(),
                    key: Arc::clone(&made.key),
                }),
            };
            Made {
                certificate: issued.issue(&key, issuer.as_ref())?,
                key,
                friendly_name: recipe.friendly_name.clone().unwrap_or_default(),
            }
        };
        if made.certificate.is_ca() || recipe.ca {
            self.add_authority(&made.certificate, &made.key, recipe.root, recipe.trusted);
        }
        self.made.insert(recipe.id.clone(), made);
        Ok(())
    }

    fn add_authority(
        &mut self,
        certificate: &Certificate,
        key: &Arc<PrivateKey>,
        root: RootKind,
        trusted: bool,
    ) {
        if certificate.is_self_signed() && trusted {
            self.authorities.roots.insert(certificate.thumbprint(), root);
        }
        self.authorities.others.insert(
            certificate.subject().clone(),
            (
                Issuer {
                    certificate: certificate.clone(),
                    key: Arc::clone(key),
                },
                trusted,
            ),
        );
    }

    /// Makes the stand-in of a certificate, and a CA for an issuer nobody described.
    fn stand_in(&mut self, recipe: &CertificateRecipe, original: &Certificate) -> Result<Made, WorldError> {
        let key = self.keys.next(stand_in::kind_of(original))?;
        let issuer = if original.is_self_signed() {
            None
        } else {
            if self.authorities.by_subject(original.issuer()).is_none() {
                let authority = self.keys.next(KeyKind::Rsa2048)?;
                let root = Recipe {
                    subject: original.issuer().clone(),
                    names: Vec::new(),
                    not_before: days_from(original.not_before().min(self.now), -3650),
                    not_after: days_from(original.not_after().max(self.now), 3650),
                    serial: serial_from(&format!("{}/issuer/{}", self.seed, original.issuer())),
                    is_ca: true,
                    subject_key: None,
                };
                let certificate = root.issue(&authority, None)?;
                self.add_authority(&certificate, &authority, recipe.root, recipe.trusted);
            }
            self.authorities.by_subject(original.issuer()).cloned()
        };
        let (certificate, pair) = stand_in::stand_in(original, &key, issuer.as_ref())?;
        self.stand_ins.push(pair);
        Ok(Made {
            certificate,
            key,
            friendly_name: recipe.friendly_name.clone().unwrap_or_default(),
        })
    }

    fn setup_certificate(
        &self,
        server: &ServerRecipe,
        subject: &str,
        names: Vec<String>,
        not_before: Timestamp,
        not_after: Timestamp,
        friendly_name: &str,
    ) -> Result<Made, WorldError> {
        let key = self.keys.next(KeyKind::Rsa2048)?;
        let recipe = Recipe {
            subject: Name::common(subject),
            names,
            not_before,
            not_after,
            serial: serial_from(&format!("{}/{}/{subject}", self.seed, server.name)),
            is_ca: false,
            subject_key: None,
        };
        Ok(Made {
            certificate: recipe.issue(&key, None)?,
            key,
            friendly_name: friendly_name.to_owned(),
        })
    }

    fn server(&mut self, recipe: &ServerRecipe, sites: &[Site]) -> Result<Server, WorldError> {
        let place = format!("server {:?}", recipe.name);
        let name = ServerName::new(&recipe.name);
        let suffix = recipe.dns_suffix.as_deref().unwrap_or(&self.organisation.domain);
        let fqdn = format!("{}.{suffix}", recipe.name);
        let site = recipe
            .site
            .as_ref()
            .and_then(|wanted| {
                sites
                    .iter()
                    .position(|site| site.name.eq_ignore_ascii_case(wanted))
            })
            .unwrap_or(0);
        let installed = days_from(self.now, -recipe.installed_days_ago);
        let mut local = BTreeMap::new();
        let not_after = recipe
            .exchange_days_left
            .map_or_else(|| days_from(installed, 1827), |days| days_from(self.now, days));
        let exchange = self.setup_certificate(
            recipe,
            &recipe.name,
            vec![recipe.name.clone(), fqdn.clone()],
            installed.min(days_from(not_after, -1827)),
            not_after,
            "Microsoft Exchange",
        )?;
        local.insert("exchange", exchange);
        if recipe.role == Role::Mailbox {
            let before_setup = days_from(installed, -1);
            let service = self.setup_certificate(
                recipe,
                &format!("WMSvc-SHA2-{}", recipe.name),
                Vec::new(),
                before_setup,
                days_from(before_setup, 3650),
                "WMSVC-SHA2",
            )?;
            local.insert("wmsvc", service);
            local.insert("auth", self.auth.clone());
        }
        let build = parse_build(recipe)?;
        let mut server = Server {
            fqdn,
            role: recipe.role,
            version: recipe.version,
            build,
            site,
            language: recipe.language.unwrap_or(self.organisation.language),
            utc_offset_minutes: self.organisation.utc_offset_minutes,
            dag: recipe
                .dag
                .clone()
                .or_else(|| self.organisation.dag.clone())
                .filter(|_| recipe.role == Role::Mailbox),
            installed,
            stores: BTreeMap::new(),
            http_sys: BTreeMap::new(),
            web_sites: Vec::new(),
            app_pools: BTreeMap::new(),
            services: services::installed(recipe.role, recipe.version),
            components: recipe.components.clone(),
            component_requests: BTreeMap::new(),
            registry: self.registry(recipe, &local),
            tasks: recipe.tasks.clone(),
            queues: recipe.queues.clone(),
            log_lines: recipe.log_lines.clone(),
            events: Vec::new(),
            trusted_subsystem: recipe.trusted_subsystem_is_administrator,
            free_bytes: recipe.free_bytes.unwrap_or(52_613_349_376),
            skew_seconds: recipe.clock_skew_seconds,
            restart_pending: recipe.restart_pending,
            domain_controller: recipe.domain_controller,
            winrm_https: None,
            reachable: true,
            auth_admin_next: None,
            daily_next: self.now,
            protocol_loaded: BTreeMap::new(),
            auth_loaded: None,
            web_started: installed,
            deployment: Vec::new(),
            downgraded_auth: false,
            lock: None,
            name,
        };
        self.fill_stores(recipe, &local, &mut server)?;
        self.fill_iis(recipe, &local, &mut server)?;
        for (service, own) in &recipe.services {
            let Some(found) = server.service_mut(service) else {
                return Err(
                    meaning(format!("{place}, services"), "a service of this server", service).into(),
                );
            };
            if let Some(start) = own.start {
                found.start = start;
            }
            if let Some(by) = own.disabled_by {
                found.start = StartMode::Disabled;
                found.disabled_by = Some(by);
            }
            found.running = own
                .running
                .unwrap_or(found.running && found.start != StartMode::Disabled);
        }
        for (protocol, names) in [
            (&recipe.pop, ["MSExchangePop3", "MSExchangePOP3BE"]),
            (&recipe.imap, ["MSExchangeImap4", "MSExchangeIMAP4BE"]),
        ] {
            if protocol.running {
                for name in names {
                    if let Some(service) = server.service_mut(name) {
                        service.running = true;
                        service.start = StartMode::Automatic;
                    }
                }
            }
        }
        if let Some(reference) = &recipe.winrm_https {
            server.winrm_https = self.reference(&local, reference, &place)?;
        }
        self.server_objects(recipe, &local, &server)?;
        Ok(server)
    }

    fn fill_stores(
        &self,
        recipe: &ServerRecipe,
        local: &BTreeMap<&str, Made>,
        server: &mut Server,
    ) -> Result<(), WorldError> {
        let place = format!("server {:?}", recipe.name);
        let mut placed: Vec<PlacedCertificate> = Vec::new();
        let listed = |id: &str| {
            recipe
                .placed
                .iter()
                .any(|own| own.certificate == id && own.store == StoreName::My)
        };
        let gone = |id: &str| recipe.without.iter().any(|own| own == id);
        if recipe.setup_certificates {
            for id in ["wmsvc", "exchange", "auth"] {
                let missing = id == "auth"
                    && self
                        .organisation
                        .auth
                        .missing_on
                        .iter()
                        .any(|name| name.eq_ignore_ascii_case(&recipe.name));
                if local.contains_key(id) && !listed(id) && !gone(id) && !missing {
                    placed.push(PlacedCertificate {
                        certificate: id.to_owned(),
                        store: StoreName::My,
                        key: true,
                        provider: None,
                        exportable: id != "exchange",
                        network_service: true,
                        smtp: id != "wmsvc",
                        friendly_name: None,
                    });
                }
            }
        }
        if let Some(public) = &self.organisation.public
            && recipe.role == Role::Mailbox
            && recipe.version >= Version::V2013
            && !listed(public)
            && !gone(public)
        {
            placed.push(PlacedCertificate {
                certificate: public.clone(),
                store: StoreName::My,
                key: true,
                provider: None,
                exportable: true,
                network_service: true,
                smtp: true,
                friendly_name: None,
            });
        }
        placed.extend(recipe.placed.iter().cloned());
        for own in &placed {
            let made = self.made_of(local, &own.certificate).ok_or_else(|| {
                meaning(
                    format!("{place}, store"),
                    "exchange, auth, wmsvc or the id of a [[certificate]]",
                    format!("{:?}", own.certificate),
                )
            })?;
            let default = if made.certificate.is_rsa() {
                Provider::Capi
            } else {
                Provider::Ksp
            };
            let mut readers = BTreeSet::from([Reader::System, Reader::Administrators]);
            if own.network_service {
                readers.insert(Reader::NetworkService);
            }
            let stored = Stored {
                certificate: made.certificate.clone(),
                key: own.key.then(|| StoredKey {
                    key: Arc::clone(&made.key),
                    provider: own.provider.unwrap_or(default),
                    exportable: own.exportable,
                    readers,
                    container_lost: false,
                }),
                friendly_name: own
                    .friendly_name
                    .clone()
                    .unwrap_or_else(|| made.friendly_name.clone()),
                smtp: own.smtp,
                pop: false,
                imap: false,
                request: None,
            };
            server.stores.entry(own.store).or_default().push(stored);
        }
        let plain = |certificate: Certificate| Stored {
            certificate,
            key: None,
            friendly_name: String::new(),
            smtp: false,
            pop: false,
            imap: false,
            request: None,
        };
        let mut roots: Vec<Stored> = self.authorities.root_store().into_iter().map(plain).collect();
        for id in ["exchange", "wmsvc"] {
            if let Some(made) = local.get(id) {
                roots.push(plain(made.certificate.clone()));
            }
        }
        server.stores.entry(StoreName::Root).or_default().extend(roots);
        let intermediates = self.authorities.intermediates().into_iter().map(plain);
        server
            .stores
            .entry(StoreName::Ca)
            .or_default()
            .extend(intermediates);
        Ok(())
    }

    /// The registry's values; certificates that count as revoked may be given by id.
    fn registry(&self, recipe: &ServerRecipe, local: &BTreeMap<&str, Made>) -> BTreeMap<String, String> {
        let mut registry = recipe.registry.clone();
        if let Some(revoked) = registry.get_mut("lab:Revoked") {
            let thumbprints: Vec<String> = revoked
                .split([' ', ','])
                .filter(|word| !word.is_empty())
                .map(|word| {
                    self.made_of(local, word).map_or_else(
                        || word.to_owned(),
                        |made| made.certificate.thumbprint().to_string(),
                    )
                })
                .collect();
            *revoked = thumbprints.join(" ");
        }
        registry
    }

    fn made_of<'m>(&'m self, local: &'m BTreeMap<&str, Made>, id: &str) -> Option<&'m Made> {
        local.get(id).or_else(|| self.made.get(id))
    }

    /// A certificate by id, or 40 hex digits; `none` is nothing.
    fn reference(
        &self,
        local: &BTreeMap<&str, Made>,
        text: &str,
        place: &str,
    ) -> Result<Option<Thumbprint>, WorldError> {
        if text == "none" {
            return Ok(None);
        }
        if let Some(made) = self.made_of(local, text) {
            return Ok(Some(made.certificate.thumbprint()));
        }
        if text == "auth" {
            return Ok(Some(self.auth.certificate.thumbprint()));
        }
        if let Some(thumbprint) = Thumbprint::parse(text) {
            // What an inventory names and a stand-in replaced.
            let replaced = self.stand_ins.iter().find(|pair| pair.original == thumbprint);
            return Ok(Some(replaced.map_or(thumbprint, |pair| pair.stand_in)));
        }
        Err(meaning(
            place,
            "none, exchange, auth, wmsvc, the id of a [[certificate]], or 40 hex digits",
            format!("{text:?}"),
        )
        .into())
    }

    fn fill_iis(
        &self,
        recipe: &ServerRecipe,
        local: &BTreeMap<&str, Made>,
        server: &mut Server,
    ) -> Result<(), WorldError> {
        if recipe.role == Role::Edge {
            return Ok(());
        }
        let place = format!("server {:?}, http.sys", recipe.name);
        let entry = |endpoint: &str, certificate: &str| HttpSysRecipe {
            endpoint: endpoint.to_owned(),
            certificate: certificate.to_owned(),
            store: StoreName::My,
            app_id: None,
            negotiate_client_certificate: false,
        };
        let public = self
            .organisation
            .public
            .as_deref()
            .filter(|_| recipe.version >= Version::V2013);
        let front = recipe.front_end.as_deref().or(public).unwrap_or("exchange");
        let loopback = recipe.front_end_loopback.as_deref().unwrap_or(front);
        let mut entries = recipe.http_sys.clone().unwrap_or_else(|| {
            vec![
                entry("0.0.0.0:443", front),
                entry("127.0.0.1:443", loopback),
                entry("0.0.0.0:444", recipe.back_end.as_deref().unwrap_or("exchange")),
            ]
        });
        entries.extend(recipe.http_sys_entries.iter().cloned());
        for own in entries {
            let hash = self.reference(local, &own.certificate, &place)?;
            server.http_sys.insert(
                own.endpoint.to_ascii_lowercase(),
                HttpSysEntry {
                    hash,
                    store: own.store,
                    app_id: own.app_id.unwrap_or_else(|| IIS_APP_ID.to_owned()),
                    negotiate_client_certificate: own.negotiate_client_certificate,
                },
            );
        }
        let binding = |protocol: &str, information: &str| Binding {
            protocol: protocol.to_owned(),
            information: information.to_owned(),
            ssl_flags: 0,
        };
        server.web_sites = vec![
            WebSite {
                id: 1,
                name: "Default Web Site".to_owned(),
                started: true,
                bindings: vec![
                    binding("http", "*:80:"),
                    binding("https", ":443:"),
                    binding("http", "127.0.0.1:80:"),
                    binding("https", "127.0.0.1:443:"),
                    binding("net.tcp", "808:*"),
                    binding("net.msmq", "localhost"),
                    binding("msmq.formatname", "localhost"),
                    binding("net.pipe", "*"),
                ],
                require_ssl: true,
            },
            WebSite {
                id: 2,
                name: "Exchange Back End".to_owned(),
                started: true,
                bindings: vec![
                    binding("http", "*:81:"),
                    binding("https", "*:444:"),
                    binding("net.pipe", "*"),
                ],
                require_ssl: true,
            },
        ];
        server.app_pools = services::APP_POOLS
            .iter()
            .map(|name| ((*name).to_owned(), true))
            .collect();
        for pool in &recipe.stopped_pools {
            let started = server.app_pools.get_mut(pool).ok_or_else(|| {
                meaning(
                    format!("server {:?}, stopped_pools", recipe.name),
                    format!("one of {}", services::APP_POOLS.join(", ")),
                    format!("{pool:?}"),
                )
            })?;
            *started = false;
        }
        Ok(())
    }

    /// `<I>…<S>…` of a certificate's id; any other text as it is.
    fn name_pair(&self, text: &str) -> String {
        self.made
            .get(text)
            .map_or_else(|| text.to_owned(), |made| pair_of(&made.certificate))
    }

    fn server_objects(
        &mut self,
        recipe: &ServerRecipe,
        local: &BTreeMap<&str, Made>,
        server: &Server,
    ) -> Result<(), WorldError> {
        let name = server.name.clone();
        let place = format!("server {:?}, internal_transport", recipe.name);
        let wanted = recipe.internal_transport.as_deref().unwrap_or("exchange");
        if wanted != "none" && recipe.version >= Version::V2013 {
            let made = self.made_of(local, wanted).ok_or_else(|| {
                meaning(
                    place,
                    "none, exchange, auth or the id of a [[certificate]]",
                    format!("{wanted:?}"),
                )
            })?;
            let certificate = made.certificate.clone();
            self.directory.found(
                Key::InternalTransport(name.clone()),
                Object::InternalTransport(certificate),
                self.installed,
            );
        }
        let exchange = local.get("exchange").map(|made| made.certificate.thumbprint());
        self.directory.found(
            Key::DirectTrust(name.clone()),
            Object::DirectTrust(exchange.into_iter().collect()),
            server.installed,
        );
        for connector in self.receive_connectors(recipe, server)? {
            self.directory.found(
                Key::Receive(name.clone(), connector.name.to_lowercase()),
                Object::Receive(connector),
                server.installed,
            );
        }
        if recipe.role == Role::Edge {
            return Ok(());
        }
        for (protocol, own, implicit, plain) in [
            (ClientProtocol::Pop, &recipe.pop, 995, 110),
            (ClientProtocol::Imap, &recipe.imap, 993, 143),
        ] {
            let fqdn = &server.fqdn;
            let settings = ProtocolSettings {
                x509_certificate_name: own.x509_certificate_name.clone().unwrap_or_else(|| fqdn.clone()),
                external: own.external.clone(),
                internal: own
                    .internal
                    .clone()
                    .unwrap_or_else(|| vec![format!("{fqdn}:{implicit}:SSL"), format!("{fqdn}:{plain}:TLS")]),
                login_type: "SecureLogin".to_owned(),
                log_enabled: false,
            };
            self.directory.found(
                Key::Protocol(name.clone(), protocol),
                Object::Protocol(settings),
                server.installed,
            );
        }
        let internal = recipe
            .urls
            .internal
            .clone()
            .or_else(|| self.organisation.namespace.clone())
            .unwrap_or_else(|| server.fqdn.to_lowercase());
        let external = recipe
            .urls
            .external
            .clone()
            .or_else(|| self.organisation.namespace.clone());
        let point = directory::ServicePoint {
            uri: format!("https://{internal}/Autodiscover/Autodiscover.xml"),
        };
        self.directory.found(
            Key::ServicePoint(name.clone()),
            Object::ServicePoint(point),
            server.installed,
        );
        for (directory, path) in VIRTUAL_DIRECTORIES {
            let url = |host: &str| {
                if *directory == "PowerShell" {
                    format!("http://{}/powershell", server.fqdn.to_lowercase())
                } else if *directory == "Rpc" {
                    host.to_owned()
                } else {
                    format!("https://{host}{path}")
                }
            };
            let virtual_directory = directory::VirtualDirectory {
                server: name.clone(),
                name: (*directory).to_owned(),
                internal: (*directory != "Autodiscover").then(|| url(&internal)),
                external: external
                    .as_deref()
                    .filter(|_| !matches!(*directory, "PowerShell" | "Autodiscover"))
                    .map(url),
                extended_protection: recipe
                    .urls
                    .extended_protection
                    .clone()
                    .filter(|_| *directory != "PowerShell")
                    .unwrap_or_else(|| "None".to_owned()),
                basic: false,
            };
            self.directory.found(
                Key::VirtualDirectory(name.clone(), directory.to_lowercase()),
                Object::VirtualDirectory(virtual_directory),
                server.installed,
            );
        }
        Ok(())
    }

    fn receive_connectors(
        &self,
        recipe: &ServerRecipe,
        server: &Server,
    ) -> Result<Vec<ReceiveConnector>, WorldError> {
        let short = &recipe.name;
        let plain = |name: String, frontend: bool, port: u16, auth: i32, permissions: i32| ReceiveConnector {
            server: server.name.clone(),
            name,
            frontend,
            bindings: vec![format!("[::]:{port}"), format!("0.0.0.0:{port}")],
            fqdn: Some(server.fqdn.clone()),
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
        let mut connectors = if recipe.role == Role::Edge {
            vec![plain(
                format!("Default internal receive connector {short}"),
                false,
                25,
                31,
                13,
            )]
        } else {
            vec![
                plain(format!("Default {short}"), false, 2525, 31, 14),
                plain(format!("Client Proxy {short}"), false, 465, 31, 6),
                plain(format!("Default Frontend {short}"), true, 25, 31, 13),
                plain(format!("Outbound Proxy Frontend {short}"), true, 717, 31, 4),
                plain(format!("Client Frontend {short}"), true, 587, 15, 2),
            ]
        };
        // Setup writes this one's addresses the other way round (recorded).
        if let Some(hub) = connectors
            .iter_mut()
            .find(|own| own.name == format!("Default {short}"))
        {
            hub.bindings.reverse();
        }
        for own in &recipe.receive_connectors {
            let place = format!("server {short:?}, receive_connector {:?}", own.name);
            if own.name.is_empty() {
                return Err(meaning(place, "a name", "none").into());
            }
            let at = connectors
                .iter()
                .position(|connector| connector.name.eq_ignore_ascii_case(&own.name))
                .unwrap_or_else(|| {
                    connectors.push(plain(own.name.clone(), true, 25, 1, 1));
                    connectors.len() - 1
                });
            if let Some(connector) = connectors.get_mut(at) {
                self.change_connector(own, connector, &place)?;
            }
        }
        Ok(connectors)
    }

    fn change_connector(
        &self,
        own: &ReceiveConnectorRecipe,
        connector: &mut ReceiveConnector,
        place: &str,
    ) -> Result<(), WorldError> {
        match own.role.as_deref() {
            Some("FrontendTransport") => connector.frontend = true,
            Some("HubTransport") => connector.frontend = false,
            Some(other) => {
                return Err(meaning(
                    format!("{place}, role"),
                    "FrontendTransport or HubTransport",
                    format!("{other:?}"),
                )
                .into());
            }
            None => {}
        }
        if let Some(ports) = &own.ports {
            connector.bindings = ports
                .iter()
                .flat_map(|port| [format!("[::]:{port}"), format!("0.0.0.0:{port}")])
                .collect();
        }
        if let Some(fqdn) = &own.fqdn {
            connector.fqdn = Some(fqdn.clone());
        }
        if let Some(name) = &own.tls_certificate_name {
            connector.tls_certificate_name = Some(self.name_pair(name));
        }
        if let Some(names) = &own.auth_mechanism {
            connector.auth = flags(names, &AUTH_MECHANISMS, &format!("{place}, auth_mechanism"))?;
        }
        if let Some(names) = &own.permission_groups {
            connector.permissions = flags(names, &PERMISSION_GROUPS, &format!("{place}, permission_groups"))?;
        }
        connector.require_tls = own.require_tls.unwrap_or(connector.require_tls);
        connector.domain_secure = own.domain_secure.unwrap_or(connector.domain_secure);
        connector.suppress_x_anonymous_tls = own
            .suppress_x_anonymous_tls
            .unwrap_or(connector.suppress_x_anonymous_tls);
        connector.enabled = own.enabled.unwrap_or(connector.enabled);
        Ok(())
    }

    fn organisation_objects(
        &mut self,
        servers: &BTreeMap<ServerName, Server>,
        sites: &[Site],
    ) -> Result<(), WorldError> {
        let none = BTreeMap::new();
        let mailbox: Vec<ServerName> = servers
            .values()
            .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
            .map(|server| server.name.clone())
            .collect();
        let listed = |names: &[String]| -> Vec<ServerName> {
            if names.is_empty() {
                mailbox.clone()
            } else {
                names.iter().map(|name| ServerName::new(name)).collect()
            }
        };
        let auth = &self.organisation.auth;
        let reference = |text: &Option<String>, default: &str, place: &str| {
            self.reference(&none, text.as_deref().unwrap_or(default), place)
        };
        let config = directory::AuthConfig {
            current: reference(&auth.current, "auth", "auth.current")?,
            next: reference(&auth.next, "none", "auth.next")?,
            previous: reference(&auth.previous, "none", "auth.previous")?,
            next_effective: auth
                .next_effective
                .or_else(|| auth.next_effective_in_days.map(|days| days_from(self.now, days))),
            realm: String::new(),
        };
        let mut found = vec![(Key::Auth, Object::Auth(config))];
        if let Some(federation) = &self.organisation.federation {
            let trust = directory::Federation {
                current: reference(&federation.current, "none", "federation.current")?,
                next: reference(&federation.next, "none", "federation.next")?,
                previous: reference(&federation.previous, "none", "federation.previous")?,
            };
            found.push((Key::Federation, Object::Federation(trust)));
        }
        for own in &self.organisation.send_connectors {
            let connector = directory::SendConnector {
                name: own.name.clone(),
                address_spaces: if own.address_spaces.is_empty() {
                    vec!["SMTP:*;1".to_owned()]
                } else {
                    own.address_spaces.clone()
                },
                smart_hosts: own.smart_hosts.clone(),
                sources: listed(&own.sources),
                fqdn: own.fqdn.clone(),
                tls_certificate_name: own
                    .tls_certificate_name
                    .as_deref()
                    .map(|name| self.name_pair(name)),
                require_tls: own.require_tls,
                tls_auth_level: own.tls_auth_level.clone(),
                tls_domain: own.tls_domain.clone(),
                cloud_services_mail: own.cloud_services_mail,
                ignore_starttls: own.ignore_starttls,
                domain_secure: own.domain_secure,
                frontend_proxy: own.frontend_proxy,
                enabled: own.enabled,
            };
            found.push((Key::Send(own.name.to_lowercase()), Object::Send(connector)));
        }
        let mut domains = self.organisation.accepted_domains.clone();
        if domains.is_empty() {
            domains.push(crate::organisation::AcceptedDomainRecipe {
                domain: self.organisation.domain.clone(),
                kind: "Authoritative".to_owned(),
                default: true,
            });
        }
        for own in domains {
            found.push((
                Key::AcceptedDomain(own.domain.to_lowercase()),
                Object::AcceptedDomain(directory::AcceptedDomain {
                    name: own.domain.clone(),
                    domain: own.domain,
                    kind: own.kind,
                    default: own.default,
                }),
            ));
        }
        if let Some(own) = &self.organisation.hybrid {
            let hybrid = directory::Hybrid {
                tls_certificate_name: own
                    .tls_certificate_name
                    .as_deref()
                    .map(|name| self.name_pair(name)),
                receiving: listed(&own.receiving),
                sending: listed(&own.sending),
                edge: own.edge.iter().map(|name| ServerName::new(name)).collect(),
                smart_host: own.smart_host.clone(),
                domains: own.domains.clone(),
            };
            found.push((Key::Hybrid, Object::Hybrid(hybrid)));
        }
        for own in &self.organisation.overrides {
            let setting = directory::SettingOverride {
                name: own.name.clone(),
                component: own.component.clone(),
                section: own.section.clone(),
                parameters: own.parameters.clone(),
                reason: own.reason.clone(),
                servers: own.servers.clone(),
                min_version: own.min_version.clone(),
                max_version: own.max_version.clone(),
                modified_by: "admin".to_owned(),
            };
            found.push((Key::Override(own.name.to_lowercase()), Object::Override(setting)));
        }
        for own in &self.organisation.edge_subscriptions {
            found.push(self.subscription(own, servers, sites)?);
        }
        for (key, object) in found {
            self.directory.found(key, object, self.installed);
        }
        Ok(())
    }

    fn subscription(
        &self,
        own: &crate::organisation::EdgeRecipe,
        servers: &BTreeMap<ServerName, Server>,
        sites: &[Site],
    ) -> Result<(Key, Object), WorldError> {
        let place = format!("edge_subscription {:?}", own.edge);
        let edge = ServerName::new(&own.edge);
        let server = servers
            .get(&edge)
            .filter(|server| server.role == Role::Edge)
            .ok_or_else(|| meaning(&place, "a server with role = \"edge\"", format!("{:?}", own.edge)))?;
        let site = match &own.site {
            None => sites.first().map(|site| site.name.clone()).unwrap_or_default(),
            Some(wanted) => sites
                .iter()
                .find(|site| site.name.eq_ignore_ascii_case(wanted))
                .map(|site| site.name.clone())
                .ok_or_else(|| meaning(format!("{place}, site"), "a [[site]]", format!("{wanted:?}")))?,
        };
        let recorded = match &own.certificate {
            Some(id) => Some(
                self.made
                    .get(id)
                    .map(|made| made.certificate.clone())
                    .ok_or_else(|| {
                        meaning(
                            format!("{place}, certificate"),
                            "the id of a [[certificate]]",
                            format!("{id:?}"),
                        )
                    })?,
            ),
            None => self.directory.internal_transport(server.site, &edge).cloned(),
        };
        let credentials = servers
            .values()
            .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
            .filter(|server| sites.get(server.site).is_some_and(|own| own.name == site))
            .filter_map(|server| {
                let own = self.directory.internal_transport(server.site, &server.name)?;
                Some((server.name.clone(), own.thumbprint()))
            })
            .collect();
        Ok((
            Key::EdgeSubscription(edge.clone()),
            Object::EdgeSubscription(directory::EdgeSubscription {
                edge,
                fqdn: server.fqdn.clone(),
                site,
                certificate: recorded,
                credentials,
                bootstrap_until: own.bootstrap_minutes_left.map(|minutes| {
                    self.now
                        .checked_add(SignedDuration::from_mins(i64::from(minutes)))
                        .unwrap_or(self.now)
                }),
                synchronized: Some(self.now),
            }),
        ))
    }
}

/// The virtual directories of a front end, with the path of their URLs.
pub(crate) const VIRTUAL_DIRECTORIES: &[(&str, &str)] = &[
    ("owa", "/owa"),
    ("ecp", "/ecp"),
    ("EWS", "/EWS/Exchange.asmx"),
    ("Microsoft-Server-ActiveSync", "/Microsoft-Server-ActiveSync"),
    ("OAB", "/OAB"),
    ("mapi", "/mapi"),
    ("Autodiscover", "/Autodiscover/Autodiscover.xml"),
    ("PowerShell", "/powershell"),
    ("Rpc", ""),
];

pub(crate) const AUTH_MECHANISMS: [(i32, &str); 7] = [
    (1, "Tls"),
    (2, "Integrated"),
    (4, "BasicAuth"),
    (8, "BasicAuthRequireTLS"),
    (16, "ExchangeServer"),
    (32, "ExternalAuthoritative"),
    (0, "None"),
];

pub(crate) const PERMISSION_GROUPS: [(i32, &str); 7] = [
    (1, "AnonymousUsers"),
    (2, "ExchangeUsers"),
    (4, "ExchangeServers"),
    (8, "ExchangeLegacyServers"),
    (16, "Partners"),
    (32, "Custom"),
    (0, "None"),
];

/// `<I>issuer<S>subject` of a certificate.
pub(crate) fn pair_of(certificate: &Certificate) -> String {
    format!("<I>{}<S>{}", certificate.issuer(), certificate.subject())
}

fn flags(names: &[String], known: &[(i32, &str)], place: &str) -> Result<i32, WorldError> {
    let mut value = 0;
    for name in names {
        let (flag, _) = known
            .iter()
            .find(|(_, own)| own.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let all: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
                meaning(place, format!("one of {}", all.join(", ")), format!("{name:?}"))
            })?;
        value |= flag;
    }
    Ok(value)
}

fn parse_build(recipe: &ServerRecipe) -> Result<[u32; 4], WorldError> {
    let text = recipe.build.as_deref().unwrap_or(match recipe.version {
        Version::V2010 => "14.3.513.0",
        Version::V2013 => "15.0.1497.48",
        Version::V2016 => "15.1.2507.44",
        Version::V2019 => "15.2.1748.10",
        Version::Se => "15.2.2562.17",
    });
    let parts: Vec<u32> = text.split('.').filter_map(|part| part.parse().ok()).collect();
    <[u32; 4]>::try_from(parts).map_err(|_| {
        meaning(
            format!("server {:?}, build", recipe.name),
            "four numbers such as 15.2.1748.10",
            format!("{text:?}"),
        )
        .into()
    })
}

impl World {
    /// What is so from the start: processes have read their settings, AuthAdmin has its hour, faults of the file lie.
    fn settle(&mut self, organisation: &Organisation) -> Result<(), WorldError> {
        let names: Vec<ServerName> = self.servers.keys().cloned().collect();
        for (at, name) in names.iter().enumerate() {
            let current = self.auth_on(name);
            let now = self.now;
            let spread = SignedDuration::from_mins(i64::try_from(at % 60).unwrap_or(0));
            if let Some(server) = self.servers.get_mut(name) {
                server.auth_loaded = current;
                server.auth_admin_next = (server.role == Role::Mailbox && server.version >= Version::V2013)
                    .then(|| {
                        now.checked_add(SignedDuration::from_hours(1) + spread)
                            .unwrap_or(now)
                    });
                server.daily_next = now
                    .checked_add(SignedDuration::from_hours(6) + spread)
                    .unwrap_or(now);
            }
            for protocol in [ClientProtocol::Pop, ClientProtocol::Imap] {
                if let Some(server) = self.servers.get(name) {
                    let settings = self.directory.protocol(server.site, name, protocol).cloned();
                    if let (Some(settings), Some(server)) = (settings, self.servers.get_mut(name)) {
                        server.protocol_loaded.insert(protocol, settings);
                    }
                }
            }
        }
        for recipe in &organisation.servers {
            for text in &recipe.faults {
                let fault = Fault::parse(text).map_err(|error| {
                    meaning(
                        format!("server {:?}, faults", recipe.name),
                        error.expected,
                        error.found,
                    )
                })?;
                self.fault(fault.on(&recipe.name));
            }
        }
        Ok(())
    }

    /// Lets something go wrong: at once when it is a state of a server, else when a command comes to its place.
    pub fn fault(&mut self, fault: Fault) {
        use super::FaultKind;

        if fault.kind.waits_for_command() || fault.kind == FaultKind::BrokenPayloadSigning {
            self.faults.push((fault, 0));
            return;
        }
        if fault.kind == FaultKind::Unreachable {
            let own = self.controllers.iter_mut();
            // A domain controller is meant by name only.
            for controller in own.filter(|own| fault.server.as_ref() == Some(&own.name)) {
                controller.reachable = false;
            }
        }
        let names: Vec<ServerName> = self
            .servers
            .keys()
            .filter(|name| fault.server.as_ref().is_none_or(|wanted| wanted == *name))
            .cloned()
            .collect();
        for name in names {
            let Some(server) = self.servers.get_mut(&name) else {
                continue;
            };
            match &fault.kind {
                FaultKind::ServiceDown(service) => {
                    // A service that is not there cannot be down.
                    let _ = self.stop_service(&name, service);
                }
                FaultKind::ServiceHostStopped => {
                    let _ = self.stop_service(&name, "MSExchangeServiceHost");
                }
                FaultKind::DisabledByPerson(service) => server.disable(service, Disabler::Person),
                FaultKind::DisabledBySetup => {
                    let touched: Vec<String> = server
                        .services
                        .keys()
                        .filter(|service| services::touched_by_setup(service))
                        .cloned()
                        .collect();
                    for service in touched {
                        server.disable(&service, Disabler::Setup);
                    }
                    for component in ["ServerWideOffline", "HubTransport", "FrontendTransport"] {
                        server
                            .components
                            .insert(component.to_owned(), "Inactive".to_owned());
                    }
                }
                FaultKind::Unreachable => server.reachable = false,
                FaultKind::NoKeyAccess => {
                    for stored in server.stores.entry(StoreName::My).or_default() {
                        if let Some(key) = stored.key.as_mut().filter(|_| stored.smtp) {
                            key.readers.remove(&Reader::NetworkService);
                        }
                    }
                }
                FaultKind::KspKey => {
                    for stored in server.stores.entry(StoreName::My).or_default() {
                        if let Some(key) = stored.key.as_mut() {
                            key.provider = Provider::Ksp;
                        }
                    }
                }
                FaultKind::DiskFull => server.free_bytes = 0,
                FaultKind::ClockSkew(seconds) => server.skew_seconds = *seconds,
                _ => {}
            }
        }
    }

    /// Takes all waiting faults away, and the states of servers that faults made and time does not heal: reachability,
    /// clock skew, a full disk.
    pub fn heal(&mut self) {
        self.faults.clear();
        for controller in &mut self.controllers {
            controller.reachable = true;
        }
        for server in self.servers.values_mut() {
            server.reachable = true;
            server.skew_seconds = 0;
            if server.free_bytes == 0 {
                server.free_bytes = 52_613_349_376;
            }
        }
    }
}
