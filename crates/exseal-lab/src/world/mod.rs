//! The world: every server, the directory between them, one clock. Values in, values out: no sockets, threads or real
//! time in here; keys come from a pool.

mod authorities;
mod build;
mod checkpoint;
mod controller;
pub mod directory;
mod dump;
mod edge;
mod events;
mod fault;
mod listener;
mod selection;
mod server;
mod services;
mod status;
mod time;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

pub(crate) use authorities::Authorities;
pub(crate) use build::{AUTH_MECHANISMS, PERMISSION_GROUPS};
pub use controller::Controller;
pub use edge::EdgeAccount;
pub(crate) use edge::{EdgeFailure, SubscriptionFile};
pub use events::{Event, Happening, Level};
pub(crate) use fault::split_words;
pub use fault::{Fault, FaultError, FaultKind, Misanswer, Mistaken};
pub(crate) use listener::chain_of;
pub use listener::{FrontEnd, Listener, PresentedCertificate, SessionRefusal, SmtpListener, SmtpVerb};
pub use selection::Selected;
pub(crate) use selection::{choose, matches_pair, name_pair, smtp_enabled};
pub use server::{
    Binding, HttpSysEntry, IIS_APP_ID, Reader, Server, ServerName, Service, Stored, StoredKey, WebSite,
};
pub(crate) use services::{installed_pools, installed_services};
pub(crate) use status::{AllowedServices, Judged};

use crate::call::{Answer, Call, Endpoint, Outcome};
use crate::certificate::{KeyError, KeyPool, NameError};
use crate::cmdlets::Pending;
use crate::organisation::{Assumptions, DirectoryRecipe, Organisation, OrganisationError, UserRecipe};
use crate::stand_in::StandIn;
use directory::Directory;

/// A site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name.
    pub name: String,
    /// Replication delay.
    pub delay: SignedDuration,
}

/// A simulated Exchange organisation.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) now: Timestamp,
    pub(crate) seed: u64,
    pub(crate) counter: u64,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) namespace: Option<String>,
    pub(crate) users: Vec<UserRecipe>,
    pub(crate) assumptions: Assumptions,
    pub(crate) keys: KeyPool,
    pub(crate) authorities: Authorities,
    pub(crate) sites: Vec<Site>,
    pub(crate) servers: BTreeMap<ServerName, Server>,
    pub(crate) directory: Directory,
    pub(crate) controllers: Vec<Controller>,
    pub(crate) directory_limits: DirectoryRecipe,
    pub(crate) faults: Vec<(Fault, u32)>,
    /// How many commands came that a fault can wait for.
    pub(crate) commands: u64,
    pub(crate) pending: BTreeMap<u64, Pending>,
    pub(crate) stand_ins: Vec<StandIn>,
    pub(crate) config: BTreeMap<String, bool>,
    pub(crate) modules: Vec<[u8; 32]>,
    pub(crate) windows: crate::windows::Sessions,
    /// Files by path in lower case, backslashes between the parts.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The account in the ADAM of each subscribed Edge.
    pub(crate) edge_accounts: BTreeMap<ServerName, EdgeAccount>,
    /// When EdgeSync tries again by itself.
    pub(crate) edge_sync_next: Option<Timestamp>,
    pub(crate) checkpoints: checkpoint::Checkpoints,
}

/// A world that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The organisation contradicts itself or refers to nothing.
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
    /// A key or certificate could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A subject is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl World {
    /// Makes the world an organisation file describes. `now` is its clock unless the file says one; `seed` decides
    /// serial numbers and identifiers.
    ///
    /// Keys, and with them thumbprints, are new in every world; everything else depends on the arguments only.
    ///
    /// # Errors
    ///
    /// [`WorldError`]: a reference to a certificate nobody described, an unreadable certificate or subject, or the
    /// cryptographic library refusing to make a key.
    pub fn new(organisation: &Organisation, now: Timestamp, seed: u64) -> Result<Self, WorldError> {
        Self::with_keys(organisation, now, seed, KeyPool::default())
    }

    /// As [`new`](Self::new), with the caller's pool of keys: worlds of one pool start faster and share keys.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_keys(
        organisation: &Organisation,
        now: Timestamp,
        seed: u64,
        keys: KeyPool,
    ) -> Result<Self, WorldError> {
        build::build(organisation, now, seed, keys)
    }

    /// Runs a pipeline as `user` at a server, behind an endpoint.
    ///
    /// Roles, faults and side effects apply. A question ends the outcome with [`End::Prompt`](crate::call::End::Prompt);
    /// [`answer`](Self::answer) goes on.
    pub fn run(&mut self, at: &ServerName, endpoint: Endpoint, user: &str, call: &Call) -> Outcome {
        if endpoint == Endpoint::Windows {
            return crate::windows::run(self, at, user, call);
        }
        crate::cmdlets::run(self, at, endpoint, user, call)
    }

    /// Goes on after a question. An id that is not waiting gives a terminating error.
    pub fn answer(&mut self, prompt: u64, answer: Answer) -> Outcome {
        crate::cmdlets::answer(self, prompt, answer)
    }

    /// The simulation's clock.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// A server's own clock: the simulation's, and its skew.
    #[must_use]
    pub fn clock_of(&self, server: &ServerName) -> Timestamp {
        let skew = self.servers.get(server).map_or(0, |server| server.skew_seconds);
        self.now
            .checked_add(SignedDuration::from_secs(skew))
            .unwrap_or(self.now)
    }

    /// Name of the Exchange organisation.
    #[must_use]
    pub fn organisation_name(&self) -> &str {
        &self.name
    }

    /// DNS name of the domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The published name, when the file gives one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The people who may log on.
    #[must_use]
    pub fn users(&self) -> &[UserRecipe] {
        &self.users
    }

    /// The sites, in the order [`Server::site`] counts them.
    #[must_use]
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The servers by name.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.values()
    }

    /// A server by NetBIOS name or FQDN.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        let short = name.split('.').next().unwrap_or(name);
        self.servers
            .get(&ServerName::new(name))
            .or_else(|| {
                self.servers
                    .get(&ServerName::new(short))
                    .filter(|server| server.fqdn.eq_ignore_ascii_case(name))
            })
            .or_else(|| {
                self.servers
                    .values()
                    .find(|server| server.fqdn.eq_ignore_ascii_case(name))
            })
    }

    /// A server, to be changed from outside: a preset's last touch, a hand at the machine.
    pub fn server_mut(&mut self, name: &ServerName) -> Option<&mut Server> {
        self.servers.get_mut(name)
    }

    /// The directory.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What is assumed where the facts are unknown.
    #[must_use]
    pub const fn assumptions(&self) -> &Assumptions {
        &self.assumptions
    }

    /// Original and stand-in of every certificate the organisation file gave as DER.
    #[must_use]
    pub fn stand_ins(&self) -> &[StandIn] {
        &self.stand_ins
    }

    /// The roots of the simulation, for whoever is to trust it: public and internal CA, in DER.
    #[must_use]
    pub fn roots(&self) -> Vec<Vec<u8>> {
        self.authorities.trusted_roots()
    }

    /// The events of a server, oldest first.
    #[must_use]
    pub fn event_log(&self, server: &ServerName) -> &[Event] {
        self.servers
            .get(server)
            .map_or(&[], |server| server.events.as_slice())
    }

    /// Lets the scripts of these SHA-256 hashes run at the Windows endpoint, beside the helper's own module.
    pub fn allow_module(&mut self, hash: [u8; 32]) {
        if !self.modules.contains(&hash) {
            self.modules.push(hash);
        }
    }

    /// A file that a cmdlet of an old build wrote or is to read, by its path. The simulation has no other files.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(&path.to_lowercase()).map(Vec::as_slice)
    }

    /// Puts a file at a path, for -FileName of an old build.
    pub fn put_file(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.to_lowercase(), bytes);
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A GUID that depends on the seed and on what it is for.
    pub(crate) fn guid(&self, about: &str) -> uuid::Uuid {
        use sha1::{Digest as _, Sha1};

        let digest = Sha1::digest(format!("{}/{}/{about}", self.seed, self.name).as_bytes());
        let mut bytes = [0; 16];
        for (byte, own) in bytes.iter_mut().zip(digest.iter()) {
            *byte = *own;
        }
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    pub(crate) fn log(&mut self, server: &ServerName, happening: &Happening) {
        let time = self.clock_of(server);
        if let Some(server) = self.servers.get_mut(server) {
            let event = happening.event(time, server.language);
            server.events.push(event);
            if server.events.len() > 5_000 {
                server.events.drain(..1_000);
            }
        }
    }
}
