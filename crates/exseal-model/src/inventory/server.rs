//! A server and what runs on it.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::iis::{AppPool, HttpSysEntry, VirtualDirectory, WebSite};
use super::store::{Store, StoreEntry};
use super::tool::HealthChecker;
use super::transport::{ClientAccessProtocol, Queue, ReceiveConnector};
use crate::build::Product;
use crate::{Build, Channel, Listing, Thumbprint, keyed, record};

/// The name of a server: NetBIOS or FQDN as it was seen, or that nobody knows whose values these are.
///
/// Compared without regard to case.
#[derive(Clone, Debug)]
pub enum ServerName {
    /// A name.
    Known(String),
    /// Values of a server nobody named, told apart by where they lay.
    Unknown(String),
}

/// What a server is for; Exchange's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Mailbox (2016 and later: with client access and transport).
    Mailbox,
    /// Client access, where it stands alone or Exchange names it apart.
    ClientAccess,
    /// Hub transport, where Exchange names it apart.
    HubTransport,
    /// Unified messaging.
    UnifiedMessaging,
    /// Edge transport.
    Edge,
    /// Front-end transport, where Exchange names it apart.
    FrontendTransport,
    /// Management tools only.
    None,
}

record! {
    /// A server.
    pub struct Server {
        key {
            /// Its name.
            name: ServerName,
        }
        seen {
            /// Fully qualified name.
            fqdn: String,
            /// AdminDisplayVersion: changes with a CU, not with an SU.
            build: Build,
            /// File version of ExSetup.exe: changes with every update.
            setup_build: Build,
            /// Its roles.
            roles: Vec<Role>,
            /// Active Directory site, by its name without path.
            site: String,
            /// `Standard`, `Enterprise`, …
            edition: String,
            /// Whether it answered when Exchange was asked about it; false: asked and unreachable.
            reachable: bool,
            /// Thumbprint of the internal transport certificate (directory attribute or Get-TransportService); seen and empty: none.
            internal_transport: Thumbprint,
            /// Whether it is a domain controller.
            domain_controller: bool,
            /// Registry value DisableRootAutoUpdate is 1.
            root_auto_update_disabled: bool,
            /// Registry value EnableEccCertificateSupport is 1.
            ecc_support_in_registry: bool,
            /// Its clock when it was asked.
            clock: Timestamp,
            /// Its time zone, by Windows' id.
            time_zone: String,
            /// Offset of its zone from UTC at that time, in minutes east.
            utc_offset_minutes: i32,
            /// Version of Windows: `10.0.20348`.
            windows: String,
            /// Whether Windows waits for a restart.
            restart_pending: bool,
            /// The database availability group it is in; seen and empty: none.
            availability_group: String,
        }
        lists {
            /// LocalMachine\My, with what Get-ExchangeCertificate shows of it.
            my: StoreEntry,
            /// Pending requests.
            request: StoreEntry,
            /// Trusted roots.
            root: StoreEntry,
            /// Intermediate authorities.
            ca: StoreEntry,
            /// WebHosting.
            web_hosting: StoreEntry,
            /// The http.sys table.
            http_sys: HttpSysEntry,
            /// Sites of IIS.
            sites: WebSite,
            /// Application pools.
            app_pools: AppPool,
            /// Virtual directories and other places that name URLs.
            virtual_directories: VirtualDirectory,
            /// Receive connectors.
            receive_connectors: ReceiveConnector,
            /// Windows services.
            services: WindowsService,
            /// Server component states.
            component_states: ComponentState,
            /// Test-ServiceHealth.
            health: RoleHealth,
            /// Queues.
            queues: Queue,
            /// Scheduled tasks that may renew certificates.
            tasks: ScheduledTask,
            /// Events about certificates.
            events: CertificateEvent,
            /// Lines of logs that name certificates.
            log_lines: LogLine,
            /// Volumes.
            disks: Disk,
            /// The ways in that were tried on it, by a live look.
            ways_in: WayIn,
        }
        parts {
            /// POP3.
            pop: ClientAccessProtocol,
            /// IMAP4.
            imap: ClientAccessProtocol,
            /// What HealthChecker computed itself.
            healthchecker: HealthChecker,
        }
    }
}
keyed!(Server, ServerName, |server| server.name.clone());

impl Server {
    /// A store's listing.
    #[must_use]
    pub const fn store(&self, store: Store) -> &Listing<StoreEntry> {
        match store {
            Store::My => &self.my,
            Store::Request => &self.request,
            Store::Root => &self.root,
            Store::CA => &self.ca,
            Store::WebHosting => &self.web_hosting,
        }
    }

    /// A store's listing, to be written.
    pub const fn store_mut(&mut self, store: Store) -> &mut Listing<StoreEntry> {
        match store {
            Store::My => &mut self.my,
            Store::Request => &mut self.request,
            Store::Root => &mut self.root,
            Store::CA => &mut self.ca,
            Store::WebHosting => &mut self.web_hosting,
        }
    }

    /// The entry of a certificate in My.
    #[must_use]
    pub fn in_my(&self, thumbprint: Thumbprint) -> Option<&StoreEntry> {
        self.my.iter().find(|entry| entry.thumbprint == thumbprint)
    }

    /// Whether `name` means this server: its name, its FQDN, or the first label of one of them, without regard to case.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        if let (Some(own), true) = (self.full_name(), name.contains('.')) {
            return own.eq_ignore_ascii_case(name);
        }
        let own = [self.name.known(), self.full_name()];
        own.into_iter()
            .flatten()
            .any(|own| first_label(own).eq_ignore_ascii_case(first_label(name)))
    }

    /// The first label of its name: the NetBIOS name, as far as it was seen.
    #[must_use]
    pub fn short_name(&self) -> Option<&str> {
        self.name.known().map(first_label)
    }

    /// The FQDN, or the name when it is one.
    #[must_use]
    pub fn full_name(&self) -> Option<&str> {
        self.fqdn
            .value()
            .map(String::as_str)
            .or_else(|| self.name.known().filter(|name| name.contains('.')))
    }

    /// The name to show: FQDN where it was seen, else the name.
    #[must_use]
    pub fn shown(&self) -> String {
        self.full_name()
            .map_or_else(|| self.name.to_string(), str::to_owned)
    }

    /// Whether it is an Edge server; `None` when its roles were not seen.
    #[must_use]
    pub fn is_edge(&self) -> Option<bool> {
        self.roles.value().map(|roles| roles.contains(&Role::Edge))
    }

    /// The build to judge by: the file version where it was seen.
    #[must_use]
    pub fn best_build(&self) -> Option<Build> {
        self.setup_build.value().or_else(|| self.build.value()).copied()
    }

    /// The product, if a build was seen.
    #[must_use]
    pub fn product(&self) -> Option<Product> {
        self.best_build().map(Build::product)
    }
}

/// The part of a host name before the first dot.
#[must_use]
pub fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether a server that is called `shown` is meant by `name`, which may be its first label alone. Case does not matter.
#[must_use]
pub fn is_meant_by(shown: &str, name: &str) -> bool {
    shown.eq_ignore_ascii_case(name) || first_label(shown).eq_ignore_ascii_case(name)
}

impl ServerName {
    /// A name that is known.
    pub fn new(name: impl Into<String>) -> Self {
        Self::Known(name.into())
    }

    /// The name, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(name) => Some(name),
            Self::Unknown(_) => None,
        }
    }

    fn compared(&self) -> (u8, String) {
        match self {
            Self::Known(name) => (0, name.to_lowercase()),
            Self::Unknown(place) => (1, place.clone()),
        }
    }
}

impl PartialEq for ServerName {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
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
        self.compared().cmp(&other.compared())
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(name) => f.write_str(name),
            Self::Unknown(place) => write!(f, "server unknown ({place})"),
        }
    }
}

/// How a server's name is written.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum WrittenName {
    /// A name.
    Known(String),
    /// Values of a server nobody named.
    Unknown {
        /// Where they lay.
        unknown: String,
    },
}

impl Serialize for ServerName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(name) => serializer.serialize_str(name),
            Self::Unknown(place) => WrittenName::Unknown {
                unknown: place.clone(),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ServerName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match WrittenName::deserialize(deserializer)? {
            WrittenName::Known(name) => Self::Known(name),
            WrittenName::Unknown { unknown } => Self::Unknown(unknown),
        })
    }
}

impl JsonSchema for ServerName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ServerName".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        WrittenName::json_schema(generator)
    }
}

record! {
    /// A Windows service.
    pub struct WindowsService {
        key {
            /// Its short name: `MSExchangeTransport`.
            name: String,
        }
        seen {
            /// `Running`, `Stopped`, …
            status: String,
            /// `Automatic`, `Manual`, `Disabled`.
            start_type: String,
        }
    }
}
keyed!(WindowsService, String, |service| service.name.to_lowercase());

record! {
    /// A server component's state.
    pub struct ComponentState {
        key {
            /// `ServerWideOffline`, `HubTransport`, …
            name: String,
        }
        seen {
            /// `Active`, `Inactive`, `Draining`.
            state: String,
            /// Who asked for it: `Maintenance`, `Functional`, `Deployment`, …
            requesters: Vec<String>,
        }
    }
}
keyed!(ComponentState, String, |component| component.name.to_lowercase());

record! {
    /// Test-ServiceHealth of one role.
    pub struct RoleHealth {
        key {
            /// As Exchange names it: `Mailbox Server Role`.
            role: String,
        }
        seen {
            /// RequiredServicesRunning.
            required_services_running: bool,
            /// ServicesRunning.
            services_running: Vec<String>,
            /// ServicesNotRunning.
            services_not_running: Vec<String>,
        }
    }
}
keyed!(RoleHealth, String, |health| health.role.to_lowercase());

record! {
    /// A scheduled task.
    pub struct ScheduledTask {
        key {
            /// Folder and name: `\win-acme renew (acme-v02.api.letsencrypt.org)`.
            path: String,
        }
        seen {
            /// What it starts, without secrets: program and script.
            action: String,
            /// Whether it is switched on.
            enabled: bool,
            /// Last start.
            last_run: Timestamp,
            /// Next start.
            next_run: Timestamp,
        }
    }
}
keyed!(ScheduledTask, String, |task| task.path.to_lowercase());

record! {
    /// Events of one id and source.
    pub struct CertificateEvent {
        key {
            /// `MSExchangeTransport`.
            provider: String,
            /// 12014.
            id: u32,
        }
        seen {
            /// How many were seen.
            count: u32,
            /// The youngest.
            last: Timestamp,
            /// The insertion strings of the youngest, in order; language-independent.
            values: Vec<String>,
        }
    }
}
keyed!(CertificateEvent, (String, u32), |event| (
    event.provider.to_lowercase(),
    event.id
));

record! {
    /// A line of a log that names a certificate.
    pub struct LogLine {
        key {
            /// The log's file.
            file: String,
            /// The line's number, from 1, as far as it is known; else its place in what was collected.
            line: u32,
        }
        seen {
            /// The line.
            text: String,
        }
    }
}
keyed!(LogLine, (String, u32), |line| (line.file.clone(), line.line));

record! {
    /// A volume.
    pub struct Disk {
        key {
            /// `C:`, or its mount point.
            name: String,
        }
        seen {
            /// Free bytes.
            free_bytes: u64,
            /// All bytes.
            size_bytes: u64,
        }
    }
}
keyed!(Disk, String, |disk| disk.name.to_lowercase());

record! {
    /// A channel that was tried: that it is dead is a fact with a reason.
    pub struct WayIn {
        key {
            /// Which.
            channel: Channel,
        }
        seen {
            /// Whether it answered.
            open: bool,
            /// Why it did not, or what of it failed; seen and empty: nothing.
            why: String,
        }
    }
}
keyed!(WayIn, Channel, |way| way.channel);
