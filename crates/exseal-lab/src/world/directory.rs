//! The directory: what Active Directory holds of the organisation, and each site's view of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::ServerName;
use crate::certificate::{Certificate, Thumbprint};

/// AuthConfig (facts/exchange.md 2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthConfig {
    /// The signing certificate.
    pub current: Option<Thumbprint>,
    /// The one before.
    pub previous: Option<Thumbprint>,
    /// The one to come.
    pub next: Option<Thumbprint>,
    /// When it comes.
    pub next_effective: Option<Timestamp>,
    /// Realm.
    pub realm: String,
}

/// A receive connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveConnector {
    /// Its server.
    pub server: ServerName,
    /// Its name.
    pub name: String,
    /// `HubTransport` or `FrontendTransport`; `Edge` roles are `HubTransport` as well.
    pub frontend: bool,
    /// `address:port`.
    pub bindings: Vec<String>,
    /// Fqdn.
    pub fqdn: Option<String>,
    /// TlsCertificateName, as it is.
    pub tls_certificate_name: Option<String>,
    /// AuthMechanisms flags.
    pub auth: i32,
    /// PermissionGroups flags.
    pub permissions: i32,
    /// RequireTLS.
    pub require_tls: bool,
    /// DomainSecureEnabled.
    pub domain_secure: bool,
    /// SuppressXAnonymousTls.
    pub suppress_x_anonymous_tls: bool,
    /// Enabled.
    pub enabled: bool,
    /// TlsDomainCapabilities, `domain:Capability`.
    pub domain_capabilities: Vec<String>,
    /// RemoteIPRanges.
    pub remote_ranges: Vec<String>,
    /// ProtocolLoggingLevel is Verbose.
    pub verbose_logging: bool,
}

/// A send connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendConnector {
    /// Its name.
    pub name: String,
    /// AddressSpaces.
    pub address_spaces: Vec<String>,
    /// SmartHosts.
    pub smart_hosts: Vec<String>,
    /// SourceTransportServers.
    pub sources: Vec<ServerName>,
    /// Fqdn.
    pub fqdn: Option<String>,
    /// TlsCertificateName, as it is.
    pub tls_certificate_name: Option<String>,
    /// RequireTLS.
    pub require_tls: bool,
    /// TlsAuthLevel by name.
    pub tls_auth_level: Option<String>,
    /// TlsDomain.
    pub tls_domain: Option<String>,
    /// CloudServicesMailEnabled.
    pub cloud_services_mail: bool,
    /// IgnoreSTARTTLS.
    pub ignore_starttls: bool,
    /// DomainSecureEnabled.
    pub domain_secure: bool,
    /// FrontendProxyEnabled.
    pub frontend_proxy: bool,
    /// Enabled.
    pub enabled: bool,
}

/// POP or IMAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientProtocol {
    /// POP3.
    Pop,
    /// IMAP4.
    Imap,
}

/// POP or IMAP settings of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolSettings {
    /// X509CertificateName: a host name.
    pub x509_certificate_name: String,
    /// ExternalConnectionSettings.
    pub external: Vec<String>,
    /// InternalConnectionSettings.
    pub internal: Vec<String>,
    /// LoginType.
    pub login_type: String,
    /// ProtocolLogEnabled.
    pub log_enabled: bool,
}

/// A virtual directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualDirectory {
    /// Its server.
    pub server: ServerName,
    /// Its name: `owa`, `EWS`, …
    pub name: String,
    /// InternalUrl.
    pub internal: Option<String>,
    /// ExternalUrl.
    pub external: Option<String>,
    /// ExtendedProtectionTokenChecking.
    pub extended_protection: String,
    /// Whether a user name and a password in the clear of TLS let in.
    pub basic: bool,
    /// Whether Negotiate and NTLM do.
    pub windows: bool,
}

/// The Autodiscover service connection point of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePoint {
    /// AutoDiscoverServiceInternalUri; empty: none.
    pub uri: String,
}

/// An accepted domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedDomain {
    /// Name of the object.
    pub name: String,
    /// The domain.
    pub domain: String,
    /// `Authoritative`, `ExternalRelay`, `InternalRelay`.
    pub kind: String,
    /// Default.
    pub default: bool,
}

/// The hybrid configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hybrid {
    /// TlsCertificateName.
    pub tls_certificate_name: Option<String>,
    /// ReceivingTransportServers.
    pub receiving: Vec<ServerName>,
    /// SendingTransportServers.
    pub sending: Vec<ServerName>,
    /// EdgeTransportServers.
    pub edge: Vec<ServerName>,
    /// OnPremisesSmartHost.
    pub smart_host: Option<String>,
    /// Domains.
    pub domains: Vec<String>,
}

/// The federation trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Federation {
    /// OrgPrivCertificate.
    pub current: Option<Thumbprint>,
    /// OrgNextPrivCertificate.
    pub next: Option<Thumbprint>,
    /// OrgPrevPrivCertificate.
    pub previous: Option<Thumbprint>,
}

/// An Edge subscription, as the organisation knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSubscription {
    /// The Edge server.
    pub edge: ServerName,
    /// The Edge's FQDN.
    pub fqdn: String,
    /// The subscribed site.
    pub site: String,
    /// The Edge's certificate, as it was recorded.
    pub certificate: Option<Certificate>,
    /// Mailbox servers with credentials, and the certificate each credential is encrypted for.
    pub credentials: BTreeMap<ServerName, Thumbprint>,
    /// The account in the Edge's ADAM.
    pub account: String,
    /// End of the bootstrap account; `None`: replaced by the real accounts.
    pub bootstrap_until: Option<Timestamp>,
    /// Last successful synchronisation.
    pub synchronized: Option<Timestamp>,
}

/// A setting override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingOverride {
    /// Name.
    pub name: String,
    /// ComponentName.
    pub component: String,
    /// SectionName.
    pub section: String,
    /// Parameters.
    pub parameters: Vec<String>,
    /// Reason.
    pub reason: String,
    /// Server; empty: all.
    pub servers: Vec<String>,
    /// MinVersion.
    pub min_version: Option<String>,
    /// MaxVersion.
    pub max_version: Option<String>,
    /// ModifiedBy.
    pub modified_by: String,
}

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// AuthConfig.
    Auth,
    /// `msExchServerInternalTLSCert` of a server.
    InternalTransport(ServerName),
    /// A receive connector, name in lower case.
    Receive(ServerName, String),
    /// A send connector, name in lower case.
    Send(String),
    /// POP or IMAP settings.
    Protocol(ServerName, ClientProtocol),
    /// A virtual directory, name in lower case.
    VirtualDirectory(ServerName, String),
    /// The Autodiscover service connection point of a server.
    ServicePoint(ServerName),
    /// An accepted domain, in lower case.
    AcceptedDomain(String),
    /// The hybrid configuration.
    Hybrid,
    /// The federation trust.
    Federation,
    /// An Edge subscription.
    EdgeSubscription(ServerName),
    /// An override, name in lower case.
    Override(String),
    /// Certificates published for direct trust, per server.
    DirectTrust(ServerName),
}

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// AuthConfig.
    Auth(AuthConfig),
    /// The internal transport certificate.
    InternalTransport(Certificate),
    /// A receive connector.
    Receive(ReceiveConnector),
    /// A send connector.
    Send(SendConnector),
    /// POP or IMAP settings.
    Protocol(ProtocolSettings),
    /// A virtual directory.
    VirtualDirectory(VirtualDirectory),
    /// A service connection point.
    ServicePoint(ServicePoint),
    /// An accepted domain.
    AcceptedDomain(AcceptedDomain),
    /// The hybrid configuration.
    Hybrid(Hybrid),
    /// The federation trust.
    Federation(Federation),
    /// An Edge subscription.
    EdgeSubscription(EdgeSubscription),
    /// An override.
    Override(SettingOverride),
    /// Certificates published for direct trust.
    DirectTrust(BTreeSet<Thumbprint>),
}

/// An object as a site sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The object; `None`: deleted.
    pub object: Option<Arc<Object>>,
    /// When it was written.
    pub changed: Timestamp,
    /// When it was made.
    pub created: Timestamp,
}

type View = BTreeMap<Key, Entry>;

/// What waits to be seen in a site.
#[derive(Clone, Debug)]
struct Waiting {
    due: Timestamp,
    site: usize,
    key: Key,
    entry: Entry,
}

/// The directory. Each site has a view of its own; a write is seen in its site at once and elsewhere after the delays
/// of both sites. The later of two writes wins.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    views: Vec<View>,
    delays: Vec<SignedDuration>,
    waiting: Vec<Waiting>,
}

impl Directory {
    pub(crate) fn new(delays: Vec<SignedDuration>) -> Self {
        Self {
            views: vec![View::new(); delays.len().max(1)],
            delays,
            waiting: Vec::new(),
        }
    }

    /// Puts an object into every view: the state before anything happened.
    pub(crate) fn found(&mut self, key: Key, object: Object, at: Timestamp) {
        let entry = Entry {
            object: Some(Arc::new(object)),
            changed: at,
            created: at,
        };
        for view in &mut self.views {
            view.insert(key.clone(), entry.clone());
        }
    }

    /// Writes an object (`None`: deletes it) in a site, at a time.
    pub(crate) fn write(&mut self, site: usize, key: Key, object: Option<Object>, now: Timestamp) {
        let created = self
            .views
            .get(site)
            .and_then(|view| view.get(&key))
            .map_or(now, |entry| entry.created);
        let entry = Entry {
            object: object.map(Arc::new),
            changed: now,
            created,
        };
        let own = self.delays.get(site).copied().unwrap_or_default();
        for other in 0..self.views.len() {
            let delay = if other == site {
                SignedDuration::ZERO
            } else {
                own.max(self.delays.get(other).copied().unwrap_or_default())
            };
            if delay.is_zero() {
                if let Some(view) = self.views.get_mut(other) {
                    view.insert(key.clone(), entry.clone());
                }
            } else {
                self.waiting.push(Waiting {
                    due: now.checked_add(delay).unwrap_or(Timestamp::MAX),
                    site: other,
                    key: key.clone(),
                    entry: entry.clone(),
                });
            }
        }
    }

    /// Delivers what is due.
    pub(crate) fn replicate(&mut self, now: Timestamp) {
        let (mut due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.due <= now);
        self.waiting = later;
        due.sort_by_key(|waiting| waiting.due);
        for waiting in due {
            let Some(view) = self.views.get_mut(waiting.site) else {
                continue;
            };
            let newer = view
                .get(&waiting.key)
                .is_none_or(|own| own.changed <= waiting.entry.changed);
            if newer {
                view.insert(waiting.key, waiting.entry);
            }
        }
    }

    /// When the next waiting change is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.waiting.iter().map(|waiting| waiting.due).min()
    }

    /// The object as a site sees it.
    pub(crate) fn entry(&self, site: usize, key: &Key) -> Option<&Entry> {
        self.views
            .get(site)?
            .get(key)
            .filter(|entry| entry.object.is_some())
    }

    pub(crate) fn object(&self, site: usize, key: &Key) -> Option<&Object> {
        self.entry(site, key)?.object.as_deref()
    }

    /// Everything a site sees, in the order of the keys.
    pub(crate) fn view(&self, site: usize) -> impl Iterator<Item = (&Key, &Object)> {
        self.views
            .get(site)
            .into_iter()
            .flatten()
            .filter_map(|(key, entry)| Some((key, entry.object.as_deref()?)))
    }
}

macro_rules! typed {
    ($($(#[$meta:meta])* $name:ident($($argument:ident: $kind:ty),*) -> $type:ty, $key:expr, $variant:ident;)*) => {
        impl Directory {
            $($(#[$meta])* #[must_use] pub fn $name(&self, site: usize $(, $argument: $kind)*) -> Option<&$type> {
                match self.object(site, &$key)? {
                    Object::$variant(found) => Some(found),
                    _ => None,
                }
            })*
        }
    };
}

typed! {
    /// AuthConfig as a site sees it.
    auth() -> AuthConfig, Key::Auth, Auth;
    /// The internal transport certificate of a server.
    internal_transport(server: &ServerName) -> Certificate, Key::InternalTransport(server.clone()), InternalTransport;
    /// A receive connector.
    receive(server: &ServerName, name: &str) -> ReceiveConnector,
        Key::Receive(server.clone(), name.to_lowercase()), Receive;
    /// A send connector.
    send(name: &str) -> SendConnector, Key::Send(name.to_lowercase()), Send;
    /// POP or IMAP settings.
    protocol(server: &ServerName, protocol: ClientProtocol) -> ProtocolSettings,
        Key::Protocol(server.clone(), protocol), Protocol;
    /// A virtual directory.
    virtual_directory(server: &ServerName, name: &str) -> VirtualDirectory,
        Key::VirtualDirectory(server.clone(), name.to_lowercase()), VirtualDirectory;
    /// The Autodiscover service connection point of a server.
    service_point(server: &ServerName) -> ServicePoint, Key::ServicePoint(server.clone()), ServicePoint;
    /// The hybrid configuration.
    hybrid() -> Hybrid, Key::Hybrid, Hybrid;
    /// The federation trust.
    federation() -> Federation, Key::Federation, Federation;
    /// An Edge subscription.
    edge_subscription(edge: &ServerName) -> EdgeSubscription,
        Key::EdgeSubscription(edge.clone()), EdgeSubscription;
}

macro_rules! listed {
    ($($(#[$meta:meta])* $name:ident -> $type:ty, $variant:ident;)*) => {
        impl Directory {
            $($(#[$meta])* pub fn $name(&self, site: usize) -> impl Iterator<Item = &$type> {
                self.view(site).filter_map(|(_, object)| match object {
                    Object::$variant(found) => Some(found),
                    _ => None,
                })
            })*
        }
    };
}

listed! {
    /// All receive connectors, by server and name.
    receive_connectors -> ReceiveConnector, Receive;
    /// All send connectors, by name.
    send_connectors -> SendConnector, Send;
    /// All virtual directories, by server and name.
    virtual_directories -> VirtualDirectory, VirtualDirectory;
    /// All accepted domains.
    accepted_domains -> AcceptedDomain, AcceptedDomain;
    /// All Edge subscriptions.
    edge_subscriptions -> EdgeSubscription, EdgeSubscription;
    /// All overrides.
    overrides -> SettingOverride, Override;
}
