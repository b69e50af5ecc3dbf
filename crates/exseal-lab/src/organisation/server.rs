//! Servers as the file describes them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Language;
use super::transport::{QueueRecipe, ReceiveConnectorRecipe};
use super::yes;

/// What a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Mailbox server.
    #[default]
    Mailbox,
    /// Edge Transport server.
    Edge,
}

/// The product on a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// Exchange 2010: shown, never changed.
    #[serde(rename = "2010")]
    V2010,
    /// Exchange 2013: shown, never changed.
    #[serde(rename = "2013")]
    V2013,
    /// Exchange 2016.
    #[serde(rename = "2016")]
    V2016,
    /// Exchange 2019.
    #[default]
    #[serde(rename = "2019")]
    V2019,
    /// Subscription Edition.
    #[serde(rename = "SE")]
    Se,
}

/// A store of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StoreName {
    /// Personal.
    #[default]
    My,
    /// Pending requests.
    #[serde(rename = "REQUEST")]
    Request,
    /// Trusted roots.
    Root,
    /// Intermediates.
    #[serde(rename = "CA")]
    Ca,
    /// Where IIS tools and ACME clients may put certificates.
    WebHosting,
}

impl StoreName {
    /// Windows' name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::My => "My",
            Self::Request => "REQUEST",
            Self::Root => "Root",
            Self::Ca => "CA",
            Self::WebHosting => "WebHosting",
        }
    }

    /// The store of a name, without regard to case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::My, Self::Request, Self::Root, Self::Ca, Self::WebHosting]
            .into_iter()
            .find(|store| store.as_str().eq_ignore_ascii_case(text))
    }
}

/// Where a private key is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// CAPI: Microsoft RSA SChannel Cryptographic Provider.
    #[default]
    Capi,
    /// CNG: Microsoft Software Key Storage Provider.
    Ksp,
}

/// A certificate in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedCertificate {
    /// A recipe's id; or setup's: `exchange` (the server's own), `auth`, `wmsvc`.
    pub certificate: String,
    /// The store.
    #[serde(default)]
    pub store: StoreName,
    /// Whether the private key is there.
    #[serde(default = "yes")]
    pub key: bool,
    /// Where the key is kept; absent: CAPI for RSA, KSP for others.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Whether the key may be exported.
    #[serde(default)]
    pub exportable: bool,
    /// Whether NETWORK SERVICE may read the key.
    #[serde(default = "yes")]
    pub network_service: bool,
    /// Whether it was enabled for SMTP.
    #[serde(default)]
    pub smtp: bool,
    /// Whether it was enabled for POP, whatever name POP is set to.
    #[serde(default)]
    pub pop: bool,
    /// The same for IMAP.
    #[serde(default)]
    pub imap: bool,
    /// The name the store shows; absent: the recipe's.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// In REQUEST: a request that waits for its answer, for the certificate's subject, names and key.
    #[serde(default)]
    pub request: bool,
}

impl PlacedCertificate {
    /// A certificate in My as an import leaves it: with its key, which transport may read, enabled for nothing.
    #[must_use]
    pub fn in_my(certificate: &str) -> Self {
        Self {
            certificate: certificate.to_owned(),
            store: StoreName::My,
            key: true,
            provider: None,
            exportable: false,
            network_service: true,
            smtp: false,
            pop: false,
            imap: false,
            friendly_name: None,
            request: false,
        }
    }
}

/// An entry of http.sys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSysRecipe {
    /// `0.0.0.0:443`, `127.0.0.1:443`, `[::]:443`, `mail.example.org:443` (host and port: SNI).
    pub endpoint: String,
    /// A recipe's id, setup's, 40 hex digits that no store needs to hold, or `none` for an entry without a hash.
    pub certificate: String,
    /// The store the entry names.
    #[serde(default)]
    pub store: StoreName,
    /// Whose entry: absent: IIS.
    #[serde(default)]
    pub app_id: Option<String>,
    /// Whether clients are asked for a certificate.
    #[serde(default)]
    pub negotiate_client_certificate: bool,
}

/// How a service starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartMode {
    /// By itself.
    #[serde(alias = "Auto")]
    Automatic,
    /// When asked.
    Manual,
    /// Not at all.
    Disabled,
}

/// Who disabled a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disabler {
    /// A person, on purpose.
    Person,
    /// A setup that broke off.
    Setup,
}

/// A service that is not as setup leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceRecipe {
    /// Whether it runs; absent: as setup leaves it.
    pub running: Option<bool>,
    /// How it starts; absent: as setup leaves it.
    pub start: Option<StartMode>,
    /// Who disabled it.
    pub disabled_by: Option<Disabler>,
}

/// POP or IMAP settings that are not the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Protocol {
    /// Whether its services run; they start by hand otherwise.
    pub running: bool,
    /// X509CertificateName; absent: the server's FQDN.
    pub x509_certificate_name: Option<String>,
    /// ExternalConnectionSettings.
    pub external: Vec<String>,
    /// InternalConnectionSettings; absent: the defaults.
    pub internal: Option<Vec<String>>,
    /// LoginType; absent: `SecureLogin`.
    pub login_type: Option<String>,
}

/// URLs of the virtual directories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UrlRecipe {
    /// Host of the internal URLs; absent: the namespace, or the server's FQDN.
    pub internal: Option<String>,
    /// Host of the external URLs; absent: the namespace, or none.
    pub external: Option<String>,
    /// Extended Protection: `None`, `Allow` or `Require`.
    pub extended_protection: Option<String>,
    /// AutoDiscoverServiceInternalUri, whole; absent: of the internal host; an empty text: none.
    pub service_point: Option<String>,
}

/// A virtual directory that differs from what the hosts of `urls` make of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VirtualDirectoryRecipe {
    /// `owa`, `ecp`, `EWS`, `Microsoft-Server-ActiveSync`, `OAB`, `mapi`, `Autodiscover`, `PowerShell`, `Rpc`.
    pub name: String,
    /// InternalUrl, whole (of `Rpc`: InternalHostname); an empty text: none.
    pub internal: Option<String>,
    /// ExternalUrl, the same way.
    pub external: Option<String>,
    /// Extended Protection: `None`, `Allow` or `Require`.
    pub extended_protection: Option<String>,
    /// Whether Basic lets in; absent: as setup leaves it.
    pub basic: Option<bool>,
    /// Whether Negotiate and NTLM let in; absent: as setup leaves it.
    pub windows: Option<bool>,
}

/// A site of IIS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSiteRecipe {
    /// Id: 1 is the Default Web Site, 2 Exchange Back End.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Whether it is started.
    #[serde(default = "yes")]
    pub started: bool,
    /// Bindings.
    #[serde(default, rename = "binding")]
    pub bindings: Vec<BindingRecipe>,
}

/// A binding of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingRecipe {
    /// `https`, `http`, …
    pub protocol: String,
    /// `*:443:`.
    pub information: String,
    /// 1: SNI.
    #[serde(default)]
    pub ssl_flags: i32,
}

/// A scheduled task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskRecipe {
    /// Path of the task, such as `\win-acme renew`.
    pub path: String,
    /// What it starts.
    pub action: String,
    /// Whether it is enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it ran last.
    #[serde(default)]
    pub last_run: Option<Timestamp>,
    /// When it will run.
    #[serde(default)]
    pub next_run: Option<Timestamp>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerRecipe {
    /// NetBIOS name.
    pub name: String,
    /// Role.
    #[serde(default)]
    pub role: Role,
    /// Product.
    #[serde(default)]
    pub version: Version,
    /// ExSetup's file version, `15.2.1748.10`; absent: a recent one of the product.
    #[serde(default)]
    pub build: Option<String>,
    /// Site; absent: the first.
    #[serde(default)]
    pub site: Option<String>,
    /// DNS suffix; absent: the domain.
    #[serde(default)]
    pub dns_suffix: Option<String>,
    /// Language; absent: the organisation's.
    #[serde(default)]
    pub language: Option<Language>,
    /// Zone, as minutes ahead of UTC; absent: the organisation's.
    #[serde(default)]
    pub utc_offset_minutes: Option<i32>,
    /// Database availability group; absent: the organisation's.
    #[serde(default)]
    pub dag: Option<String>,
    /// Days since setup ran here: how old setup's certificates are.
    #[serde(default = "default_age")]
    pub installed_days_ago: i32,
    /// Whether setup's certificates (`exchange`, `auth`, `wmsvc`) are there without being listed.
    #[serde(default = "yes")]
    pub setup_certificates: bool,
    /// Setup's certificates that are gone: `exchange`, `auth`, `wmsvc`.
    #[serde(default)]
    pub without: Vec<String>,
    /// Days until setup's own certificate ends; absent: five years after setup.
    #[serde(default)]
    pub exchange_days_left: Option<i32>,
    /// Whether setup's own certificate is signed over SHA-1, as setup of old did it.
    #[serde(default)]
    pub exchange_sha1: bool,
    /// Stores that hold the certificates listed for them and nothing else: neither setup's, nor `public`, nor the roots
    /// of the simulation.
    #[serde(default)]
    pub only_listed: Vec<StoreName>,
    /// Certificates beyond setup's, or setup's placed otherwise.
    #[serde(default, rename = "store")]
    pub placed: Vec<PlacedCertificate>,
    /// Certificate of 443 (both entries); absent: the organisation's `public`, or `exchange`.
    #[serde(default)]
    pub front_end: Option<String>,
    /// Certificate of 127.0.0.1:443 alone, when it differs.
    #[serde(default)]
    pub front_end_loopback: Option<String>,
    /// Certificate of 444; absent: `exchange`; `none`: an entry without a hash.
    #[serde(default)]
    pub back_end: Option<String>,
    /// The whole table of http.sys, instead of the three entries above.
    #[serde(default)]
    pub http_sys: Option<Vec<HttpSysRecipe>>,
    /// Further entries of http.sys.
    #[serde(default, rename = "http_sys_entry")]
    pub http_sys_entries: Vec<HttpSysRecipe>,
    /// Sites of IIS, instead of setup's two.
    #[serde(default, rename = "web_site")]
    pub web_sites: Vec<WebSiteRecipe>,
    /// The certificate the directory names as internal transport certificate; absent: `exchange`; `none`: nothing.
    #[serde(default)]
    pub internal_transport: Option<String>,
    /// Whether setup's receive connectors are there without being listed.
    #[serde(default = "yes")]
    pub setup_connectors: bool,
    /// Receive connectors: a default one's name changes that one, another name adds one.
    #[serde(default, rename = "receive_connector")]
    pub receive_connectors: Vec<ReceiveConnectorRecipe>,
    /// POP.
    #[serde(default)]
    pub pop: Protocol,
    /// IMAP.
    #[serde(default)]
    pub imap: Protocol,
    /// URLs.
    #[serde(default)]
    pub urls: UrlRecipe,
    /// Virtual directories that differ from it.
    #[serde(default, rename = "virtual_directory")]
    pub virtual_directories: Vec<VirtualDirectoryRecipe>,
    /// Services by name.
    #[serde(default)]
    pub services: BTreeMap<String, ServiceRecipe>,
    /// Application pools that are stopped.
    #[serde(default)]
    pub stopped_pools: Vec<String>,
    /// Server components that are not Active: name to state.
    #[serde(default)]
    pub components: BTreeMap<String, String>,
    /// Registry values the contract reads, by name (`EnableEccCertificateSupport`, `DisableRootAutoUpdate`).
    #[serde(default)]
    pub registry: BTreeMap<String, String>,
    /// Scheduled tasks.
    #[serde(default, rename = "task")]
    pub tasks: Vec<TaskRecipe>,
    /// Queues.
    #[serde(default, rename = "queue")]
    pub queues: Vec<QueueRecipe>,
    /// Lines of logs that name a certificate: file to lines.
    #[serde(default)]
    pub log_lines: BTreeMap<String, Vec<String>>,
    /// Faults from the start, by name.
    #[serde(default)]
    pub faults: Vec<String>,
    /// Whether Exchange Trusted Subsystem is a local administrator.
    #[serde(default = "yes")]
    pub trusted_subsystem_is_administrator: bool,
    /// Free bytes on C:; absent: plenty.
    #[serde(default)]
    pub free_bytes: Option<u64>,
    /// Seconds by which the server's clock is ahead.
    #[serde(default)]
    pub clock_skew_seconds: i64,
    /// Whether a restart of Windows is pending.
    #[serde(default)]
    pub restart_pending: bool,
    /// Whether it is a domain controller too.
    #[serde(default)]
    pub domain_controller: bool,
    /// Certificate of the WinRM https listener; absent: no listener.
    #[serde(default)]
    pub winrm_https: Option<String>,
}

impl ServerRecipe {
    /// A mailbox server as setup leaves it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: Role::Mailbox,
            version: Version::V2019,
            build: None,
            site: None,
            dns_suffix: None,
            language: None,
            utc_offset_minutes: None,
            dag: None,
            installed_days_ago: default_age(),
            setup_certificates: true,
            without: Vec::new(),
            exchange_days_left: None,
            exchange_sha1: false,
            only_listed: Vec::new(),
            placed: Vec::new(),
            front_end: None,
            front_end_loopback: None,
            back_end: None,
            http_sys: None,
            http_sys_entries: Vec::new(),
            web_sites: Vec::new(),
            internal_transport: None,
            setup_connectors: true,
            receive_connectors: Vec::new(),
            pop: Protocol::default(),
            imap: Protocol::default(),
            urls: UrlRecipe::default(),
            virtual_directories: Vec::new(),
            services: BTreeMap::new(),
            stopped_pools: Vec::new(),
            components: BTreeMap::new(),
            registry: BTreeMap::new(),
            tasks: Vec::new(),
            queues: Vec::new(),
            log_lines: BTreeMap::new(),
            faults: Vec::new(),
            trusted_subsystem_is_administrator: true,
            free_bytes: None,
            clock_skew_seconds: 0,
            restart_pending: false,
            domain_controller: false,
            winrm_https: None,
        }
    }
}

const fn default_age() -> i32 {
    300
}
