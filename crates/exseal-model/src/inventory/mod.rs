//! What was seen of an organisation.

mod iis;
mod organisation;
mod server;
mod store;
mod tool;
mod transport;
mod wire;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use iis::{AppPool, HttpSysEntry, SiteBinding, VirtualDirectory, WebSite};
pub use organisation::{
    AcceptedDomain, AuthConfig, EdgeSubscription, FederationTrust, HybridConfiguration, Organisation,
    PartnerApplication, SettingOverride,
};
pub use server::{
    CertificateEvent, ComponentState, Disk, LogLine, Role, RoleHealth, ScheduledTask, Server, ServerName,
    WayIn, WindowsService, first_label, is_meant_by,
};
pub use store::{Store, StoreEntry};
pub use tool::{HealthChecker, JudgedCertificate, JudgedConnector};
pub use transport::{ClientAccessProtocol, Queue, ReceiveConnector, SendConnector};
pub use wire::{Presentation, ResolvedName};

use crate::{Certificate, Merge, Source, SourceId, Thumbprint};

/// The version of the inventory's JSON that this program writes.
pub const INVENTORY_FORMAT: u32 = 1;

/// What was seen of an organisation, each value with its source.
///
/// One file or probe gives a small one; `exseal_engine::merge` makes one of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// The version of this format: 1.
    pub format: u32,
    /// Who saw it; everything else refers here by place.
    pub sources: Vec<Source>,
    /// Every certificate once, by thumbprint. What refers to a thumbprint that is not here refers to a certificate nobody has seen.
    pub certificates: BTreeMap<Thumbprint, Certificate>,
    /// What belongs to the organisation as a whole.
    pub organisation: Organisation,
    /// The servers, one a name.
    pub servers: Vec<Server>,
    /// Certificates that were given without saying where they are or what they are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_unknown_use: Vec<LooseCertificate>,
    /// Files that were given and hold nothing exseal knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_recognised: Vec<NotRecognised>,
    /// What could not be read while the rest was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ReadError>,
}

/// A certificate of unknown use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LooseCertificate {
    /// Which.
    pub thumbprint: Thumbprint,
    /// Whether its private key lay beside it (a PFX); the key itself is never kept.
    pub has_private_key: bool,
    /// The PFX's friendly name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// Where it was.
    pub source: SourceId,
}

/// A file that holds nothing exseal knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NotRecognised {
    /// Its path as given; inside a ZIP `archive.zip!member`.
    pub file: String,
    /// What it looks like: a CLIXML of type X, text, binary…
    pub looks_like: String,
}

/// Something that could not be read while the rest was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ReadError {
    /// The file, as given.
    pub file: String,
    /// The place in it: `line 7, byte 312`, `object 3, property SerializationData`, …
    pub at: String,
    /// What should have stood there.
    pub expected: String,
    /// What stood there; never a secret.
    pub found: String,
}

impl Default for Inventory {
    fn default() -> Self {
        Self {
            format: INVENTORY_FORMAT,
            sources: Vec::new(),
            certificates: BTreeMap::new(),
            organisation: Organisation::new(),
            servers: Vec::new(),
            of_unknown_use: Vec::new(),
            not_recognised: Vec::new(),
            errors: Vec::new(),
        }
    }
}

impl Inventory {
    /// Adds a source and returns its place.
    pub fn add_source(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(source);
        id
    }

    /// The source at a place; `None` for a place that does not exist (a damaged inventory file).
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        usize::try_from(id.0).ok().and_then(|at| self.sources.get(at))
    }

    /// The certificate of a thumbprint, if anybody has seen it.
    #[must_use]
    pub fn certificate(&self, thumbprint: Thumbprint) -> Option<&Certificate> {
        self.certificates.get(&thumbprint)
    }

    /// Keeps a certificate and returns its thumbprint.
    pub fn keep(&mut self, certificate: Certificate) -> Thumbprint {
        let thumbprint = certificate.thumbprint;
        self.certificates.entry(thumbprint).or_insert(certificate);
        thumbprint
    }

    /// The server of a name (NetBIOS or FQDN, without regard to case).
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.is_called(name))
    }

    /// The server of a name, added when it is not there yet.
    pub fn server_mut(&mut self, name: &ServerName) -> &mut Server {
        let at = match self.servers.iter().position(|server| server.name == *name) {
            Some(at) => at,
            None => {
                self.servers.push(Server::new(name.clone()));
                self.servers.len() - 1
            }
        };
        &mut self.servers[at]
    }

    /// Renames every source id in it.
    pub fn map_sources(&mut self, rename: &dyn Fn(SourceId) -> SourceId) {
        self.organisation.map_sources(rename);
        for server in &mut self.servers {
            server.map_sources(rename);
        }
        for loose in &mut self.of_unknown_use {
            loose.source = rename(loose.source);
        }
    }
}
