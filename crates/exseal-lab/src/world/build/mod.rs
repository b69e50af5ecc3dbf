//! From the organisation file to a world: certificates first, then servers with what they hold, then what the directory
//! says of the organisation as a whole.

mod certificates;
mod connectors;
mod objects;
mod organisation;
mod server;
mod stores;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::directory::{ClientProtocol, Directory};
use super::{Authorities, Controller, EdgeAccount, Fault, ServerName, Site, World, WorldError};
use crate::certificate::{Certificate, KeyKind, KeyPool, Name, PrivateKey, Recipe, serial_from};
use crate::organisation::{Organisation, Role, Version, meaning};
use crate::stand_in;

pub(crate) use connectors::{AUTH_MECHANISMS, PERMISSION_GROUPS};

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
        commands: 0,
        pending: BTreeMap::new(),
        stand_ins: builder.stand_ins,
        config: organisation.organisation_config.clone(),
        modules: Vec::new(),
        windows: crate::windows::Sessions::default(),
        files: BTreeMap::new(),
        edge_accounts: BTreeMap::new(),
        edge_sync_next: None,
        checkpoints: super::checkpoint::Checkpoints::default(),
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

impl World {
    /// What is so from the start: processes have read their settings, AuthAdmin has its hour, faults of the file lie.
    fn settle(&mut self, organisation: &Organisation) -> Result<(), WorldError> {
        let subscribed: Vec<_> = self.directory.edge_subscriptions(0).cloned().collect();
        for own in subscribed {
            let account = EdgeAccount {
                user: own.account,
                until: own.bootstrap_until,
            };
            self.edge_accounts.insert(own.edge, account);
            if own.bootstrap_until.is_some() {
                self.schedule_edge_sync();
            }
        }
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
}
