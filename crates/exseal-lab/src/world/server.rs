//! A server's own state: stores, http.sys, IIS, services, log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::certificate::{Certificate, PrivateKey, Thumbprint};
use crate::organisation::{
    Disabler, Language, Provider, QueueRecipe, Role, StartMode, StoreName, TaskRecipe, Version,
};

use super::directory::{ClientProtocol, ProtocolSettings};
use super::events::Event;

/// A server's NetBIOS name; compared without regard to case.
#[derive(Clone)]
pub struct ServerName(Arc<str>);

impl ServerName {
    /// A name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ServerName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for ServerName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ServerName {}

impl PartialOrd for ServerName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ServerName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let lower = |name: &str| {
            name.bytes()
                .map(|byte| byte.to_ascii_lowercase())
                .collect::<Vec<_>>()
        };
        lower(&self.0).cmp(&lower(&other.0))
    }
}

impl std::hash::Hash for ServerName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

/// An account that may read a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// S-1-5-18.
    System,
    /// S-1-5-20.
    NetworkService,
    /// S-1-5-32-544.
    Administrators,
    /// Any other, by its SID.
    Other(Arc<str>),
}

impl Reader {
    /// Its SID.
    #[must_use]
    pub fn sid(&self) -> &str {
        match self {
            Self::System => "S-1-5-18",
            Self::NetworkService => "S-1-5-20",
            Self::Administrators => "S-1-5-32-544",
            Self::Other(sid) => sid,
        }
    }

    /// The account of a SID.
    #[must_use]
    pub fn of(sid: &str) -> Self {
        [Self::System, Self::NetworkService, Self::Administrators]
            .into_iter()
            .find(|known| known.sid() == sid)
            .unwrap_or_else(|| Self::Other(sid.into()))
    }
}

/// A private key in a machine's key store.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The key.
    pub key: Arc<PrivateKey>,
    /// Where it is kept.
    pub provider: Provider,
    /// Whether it may be exported.
    pub exportable: bool,
    /// Who may read it.
    pub readers: BTreeSet<Reader>,
    /// The container file is gone: the store still claims a key.
    pub container_lost: bool,
}

/// A certificate in a store.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The certificate. Of a pending request: the placeholder Windows keeps.
    pub certificate: Certificate,
    /// Its key.
    pub key: Option<StoredKey>,
    /// Friendly name.
    pub friendly_name: String,
    /// The mark of having been enabled for SMTP.
    pub smtp: bool,
    /// Enabled for POP and IMAP by hand.
    pub pop: bool,
    /// Enabled for IMAP by hand.
    pub imap: bool,
    /// PKCS#10 of a pending request.
    pub request: Option<Arc<Vec<u8>>>,
}

impl Stored {
    /// Whether a service running as SYSTEM can use the key.
    #[must_use]
    pub fn usable_key(&self) -> Option<&StoredKey> {
        self.key.as_ref().filter(|key| !key.container_lost)
    }

    /// Whether transport (NETWORK SERVICE) can use the key.
    #[must_use]
    pub fn key_for_transport(&self) -> Option<&StoredKey> {
        self.usable_key()
            .filter(|key| key.readers.contains(&Reader::NetworkService))
    }
}

/// An entry of http.sys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSysEntry {
    /// The hash; `None`: an entry without one.
    pub hash: Option<Thumbprint>,
    /// The store named.
    pub store: StoreName,
    /// Whose it is.
    pub app_id: String,
    /// Whether clients are asked for a certificate.
    pub negotiate_client_certificate: bool,
}

/// IIS' own application id.
pub const IIS_APP_ID: &str = "{4dc3e181-e14b-4a21-b022-59fc669b0914}";

/// A binding of IIS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// `https`, `http`, …
    pub protocol: String,
    /// `*:443:`.
    pub information: String,
    /// 1: SNI.
    pub ssl_flags: i32,
}

impl Binding {
    /// The http.sys endpoint of an https binding.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        if !self.protocol.eq_ignore_ascii_case("https") {
            return None;
        }
        let mut parts = self.information.rsplitn(3, ':');
        let host = parts.next().unwrap_or_default();
        let port = parts.next()?;
        let address = parts.next().unwrap_or_default();
        if self.ssl_flags & 1 == 1 && !host.is_empty() {
            return Some(format!("{}:{port}", host.to_ascii_lowercase()));
        }
        let address = if address.is_empty() || address == "*" {
            "0.0.0.0"
        } else {
            address
        };
        Some(format!("{address}:{port}"))
    }
}

/// A site of IIS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSite {
    /// Id: 1 Default Web Site, 2 Exchange Back End.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Whether it is started.
    pub started: bool,
    /// Bindings.
    pub bindings: Vec<Binding>,
    /// Whether SSL is required.
    pub require_ssl: bool,
}

/// A service of Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Whether it runs.
    pub running: bool,
    /// How it starts.
    pub start: StartMode,
    /// Who disabled it.
    pub disabled_by: Option<Disabler>,
    /// How setup leaves it.
    pub default: StartMode,
}

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    /// NetBIOS name.
    pub name: ServerName,
    /// Fully qualified name.
    pub fqdn: String,
    /// Role.
    pub role: Role,
    /// Product.
    pub version: Version,
    /// ExSetup's file version.
    pub build: [u32; 4],
    /// Index of its site.
    pub site: usize,
    /// Language.
    pub language: Language,
    /// Minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// Database availability group.
    pub dag: Option<String>,
    /// `DatabaseCopyAutoActivationPolicy`.
    pub activation_policy: String,
    /// `DatabaseCopyActivationDisabledAndMoveNow`.
    pub activation_disabled: bool,
    /// Where the database of this server is active, when it is not here.
    pub database_at: Option<ServerName>,
    /// When setup ran.
    pub installed: Timestamp,
    /// Stores.
    pub stores: BTreeMap<StoreName, Vec<Stored>>,
    /// The table of http.sys.
    pub http_sys: BTreeMap<String, HttpSysEntry>,
    /// IIS.
    pub web_sites: Vec<WebSite>,
    /// Application pools: whether each is started.
    pub app_pools: BTreeMap<String, bool>,
    /// Services.
    pub services: BTreeMap<String, Service>,
    /// Components that are not Active.
    pub components: BTreeMap<String, String>,
    /// What requesters asked of components: component, requester, state and when.
    pub component_requests: BTreeMap<String, BTreeMap<String, (String, Timestamp)>>,
    /// Registry values.
    pub registry: BTreeMap<String, String>,
    /// Scheduled tasks.
    pub tasks: Vec<TaskRecipe>,
    /// Queues.
    pub queues: Vec<QueueRecipe>,
    /// Log lines.
    pub log_lines: BTreeMap<String, Vec<String>>,
    /// Event log, oldest first.
    pub events: Vec<Event>,
    /// Whether Exchange Trusted Subsystem is a local administrator.
    pub trusted_subsystem: bool,
    /// Free bytes on C:.
    pub free_bytes: u64,
    /// Seconds the clock is ahead.
    pub skew_seconds: i64,
    /// Whether a restart is pending.
    pub restart_pending: bool,
    /// Whether it is a domain controller.
    pub domain_controller: bool,
    /// Hash of the WinRM https listener.
    pub winrm_https: Option<Thumbprint>,
    /// Whether anything answers at all.
    pub reachable: bool,
    /// When AuthAdmin runs next.
    pub auth_admin_next: Option<Timestamp>,
    /// When transport looks at its certificates next.
    pub daily_next: Timestamp,
    /// The settings POP and IMAP were started with.
    pub protocol_loaded: BTreeMap<ClientProtocol, ProtocolSettings>,
    /// The Auth certificate the OWA and ECP pools were started with; `None` inside: they had none.
    pub auth_loaded: Option<Thumbprint>,
    /// When the web applications were last started.
    pub web_started: Timestamp,
    /// Thumbprints the deployment servicelet is to fetch, and when.
    pub deployment: Vec<(Timestamp, Thumbprint)>,
    /// UseDowngradedExchangeServerAuth.
    pub downgraded_auth: bool,
    /// Services that are starting, and when they will run.
    pub starting: BTreeMap<String, Timestamp>,
    /// The lock of an exseal run, as the helper writes it.
    pub lock: Option<serde_json::Value>,
}

impl Server {
    /// The certificates of a store.
    #[must_use]
    pub fn store(&self, name: StoreName) -> &[Stored] {
        self.stores.get(&name).map_or(&[], Vec::as_slice)
    }

    /// A certificate of My.
    #[must_use]
    pub fn my(&self, thumbprint: Thumbprint) -> Option<&Stored> {
        self.find(StoreName::My, thumbprint)
    }

    /// A certificate of a store.
    #[must_use]
    pub fn find(&self, store: StoreName, thumbprint: Thumbprint) -> Option<&Stored> {
        self.store(store)
            .iter()
            .find(|stored| stored.certificate.thumbprint() == thumbprint)
    }

    pub(crate) fn find_mut(&mut self, store: StoreName, thumbprint: Thumbprint) -> Option<&mut Stored> {
        self.stores
            .get_mut(&store)?
            .iter_mut()
            .find(|stored| stored.certificate.thumbprint() == thumbprint)
    }

    /// Whether a service runs; a service that is not there does not.
    #[must_use]
    pub fn runs(&self, service: &str) -> bool {
        self.service(service).is_some_and(|service| service.running)
    }

    /// A service by name, without regard to case.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, service)| service)
    }

    pub(crate) fn service_mut(&mut self, name: &str) -> Option<&mut Service> {
        self.services
            .iter_mut()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, service)| service)
    }

    /// Whether its build is one before the cumulative updates of the first half of 2022 (15.1.2507.6, 15.2.1118.7), which
    /// took parameters away and read dates otherwise.
    #[must_use]
    pub fn is_before_2022(&self) -> bool {
        let [_, _, cu, revision] = self.build;
        match self.version {
            Version::V2010 | Version::V2013 => true,
            Version::V2016 => (cu, revision) < (2507, 6),
            Version::V2019 => (cu, revision) < (1118, 7),
            Version::Se => false,
        }
    }

    /// Whether its product is one exseal may change: 2016 and later.
    #[must_use]
    pub fn is_e15_or_later(&self) -> bool {
        self.version >= Version::V2013
    }
}
