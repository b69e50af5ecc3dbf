//! Connectors and what the organisation as a whole is configured to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::yes;

/// A receive connector: a default one changed, or one more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiveConnectorRecipe {
    /// Name; `Default Frontend EX1` and the other four are setup's.
    pub name: String,
    /// `FrontendTransport` or `HubTransport`.
    pub role: Option<String>,
    /// Ports it listens on, on every address.
    pub ports: Option<Vec<u16>>,
    /// Bindings as they are, `10.1.0.5:25`, instead of ports.
    pub bindings: Option<Vec<String>>,
    /// RemoteIPRanges; absent: everyone.
    pub remote_ip_ranges: Option<Vec<String>>,
    /// Fqdn; absent: the server's.
    pub fqdn: Option<String>,
    /// TlsCertificateName: a certificate's id, or `<I>…<S>…` or any text as it is.
    pub tls_certificate_name: Option<String>,
    /// AuthMechanism names.
    pub auth_mechanism: Option<Vec<String>>,
    /// PermissionGroups names.
    pub permission_groups: Option<Vec<String>>,
    /// RequireTLS.
    pub require_tls: Option<bool>,
    /// DomainSecureEnabled.
    pub domain_secure: Option<bool>,
    /// TlsDomainCapabilities, `domain:Capability`.
    pub tls_domain_capabilities: Option<Vec<String>>,
    /// Whether ProtocolLoggingLevel is Verbose.
    pub verbose_logging: Option<bool>,
    /// SuppressXAnonymousTls.
    pub suppress_x_anonymous_tls: Option<bool>,
    /// Enabled.
    pub enabled: Option<bool>,
}

/// A send connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendConnectorRecipe {
    /// Name.
    pub name: String,
    /// AddressSpaces, `SMTP:*;1`.
    #[serde(default)]
    pub address_spaces: Vec<String>,
    /// SmartHosts; empty: routed by DNS.
    #[serde(default)]
    pub smart_hosts: Vec<String>,
    /// Source servers; empty: all mailbox servers.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Fqdn.
    #[serde(default)]
    pub fqdn: Option<String>,
    /// TlsCertificateName, as for receive connectors.
    #[serde(default)]
    pub tls_certificate_name: Option<String>,
    /// RequireTLS.
    #[serde(default)]
    pub require_tls: bool,
    /// `EncryptionOnly`, `CertificateValidation`, `DomainValidation`.
    #[serde(default)]
    pub tls_auth_level: Option<String>,
    /// TlsDomain.
    #[serde(default)]
    pub tls_domain: Option<String>,
    /// CloudServicesMailEnabled.
    #[serde(default)]
    pub cloud_services_mail: bool,
    /// IgnoreSTARTTLS.
    #[serde(default)]
    pub ignore_starttls: bool,
    /// DomainSecureEnabled.
    #[serde(default)]
    pub domain_secure: bool,
    /// FrontendProxyEnabled.
    #[serde(default)]
    pub frontend_proxy: bool,
    /// Enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// AuthConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthRecipe {
    /// A certificate's id, 40 hex digits that no store needs to hold, or `none`; absent: `auth`.
    pub current: Option<String>,
    /// Next, the same way.
    pub next: Option<String>,
    /// When next becomes current.
    pub next_effective: Option<Timestamp>,
    /// Days until then, instead.
    pub next_effective_in_days: Option<i32>,
    /// Previous, the same way.
    pub previous: Option<String>,
    /// Days until setup's Auth certificate ends; absent: 1800 days after setup.
    pub days_left: Option<i32>,
    /// Servers that lack the current certificate.
    pub missing_on: Vec<String>,
}

/// An accepted domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedDomainRecipe {
    /// The domain.
    pub domain: String,
    /// `Authoritative`, `ExternalRelay`, `InternalRelay`.
    #[serde(default = "authoritative")]
    pub kind: String,
    /// Whether it is the default.
    #[serde(default)]
    pub default: bool,
}

fn authoritative() -> String {
    "Authoritative".to_owned()
}

/// The hybrid configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HybridRecipe {
    /// TlsCertificateName, as for connectors.
    pub tls_certificate_name: Option<String>,
    /// Servers that receive; empty: all mailbox servers.
    pub receiving: Vec<String>,
    /// Servers that send; empty: all mailbox servers.
    pub sending: Vec<String>,
    /// Edge servers.
    pub edge: Vec<String>,
    /// OnPremisesSmartHost.
    pub smart_host: Option<String>,
    /// Domains.
    pub domains: Vec<String>,
}

/// The federation trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FederationRecipe {
    /// A certificate's id or 40 hex digits.
    pub current: Option<String>,
    /// Next.
    pub next: Option<String>,
    /// Previous.
    pub previous: Option<String>,
}

/// An Edge subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeRecipe {
    /// The Edge server.
    pub edge: String,
    /// The site it is subscribed to; absent: the first.
    #[serde(default)]
    pub site: Option<String>,
    /// The certificate the subscription recorded; absent: the Edge's own.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Minutes the bootstrap account still lives; absent: long since replaced by the real accounts.
    #[serde(default)]
    pub bootstrap_minutes_left: Option<i32>,
}

/// A setting override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideRecipe {
    /// Name.
    pub name: String,
    /// ComponentName.
    pub component: String,
    /// SectionName.
    pub section: String,
    /// Parameters, `Enabled=true`.
    pub parameters: Vec<String>,
    /// Reason.
    #[serde(default)]
    pub reason: String,
    /// Servers; empty: all.
    #[serde(default)]
    pub servers: Vec<String>,
    /// MinVersion.
    #[serde(default)]
    pub min_version: Option<String>,
    /// MaxVersion.
    #[serde(default)]
    pub max_version: Option<String>,
}

/// A queue with messages in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueRecipe {
    /// The part of the identity after the server: a number, `Submission`.
    pub id: String,
    /// DeliveryType.
    pub delivery_type: String,
    /// NextHopDomain.
    #[serde(default)]
    pub next_hop: String,
    /// Status.
    #[serde(default = "ready")]
    pub status: String,
    /// MessageCount.
    #[serde(default)]
    pub messages: i32,
    /// LastError.
    #[serde(default)]
    pub last_error: Option<String>,
    /// TlsDomain.
    #[serde(default)]
    pub tls_domain: Option<String>,
    /// The send connector, by name.
    #[serde(default)]
    pub connector: Option<String>,
}

fn ready() -> String {
    "Ready".to_owned()
}
