//! The inventory's JSON as its published schema describes it (`docs/schema/inventory.json`), as far as a simulation can
//! make something of it. Types of the simulation's own: keys it does not know are passed over, as the schema allows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// A value that somebody saw, saw to be empty, or nobody saw.
#[derive(Clone, Debug, Default)]
pub(super) enum Seen<T> {
    /// Nobody saw it.
    #[default]
    Unknown,
    /// Somebody saw that there is none.
    Empty,
    /// The most trusted value.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Seen<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound(deserialize = "T: Deserialize<'de>"))]
        struct Written<T> {
            value: Option<T>,
        }
        Ok(Written::deserialize(deserializer)?
            .value
            .map_or(Self::Empty, Self::Value))
    }
}

impl<T> Seen<T> {
    pub(super) const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown | Self::Empty => None,
        }
    }

    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The value, where it was seen: `Some(None)` is seen to be empty.
    pub(super) const fn known(&self) -> Option<Option<&T>> {
        match self {
            Self::Unknown => None,
            Self::Empty => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

impl Seen<bool> {
    pub(super) const fn is(&self, wanted: bool) -> bool {
        matches!(self, Self::Value(value) if *value == wanted)
    }
}

/// A list somebody looked at, or nobody.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Listing<T> {
    looks: Vec<Look>,
    items: Vec<T>,
}

/// A look at a list: whether it showed all there is.
#[derive(Clone, Debug, Deserialize)]
struct Look {
    complete: bool,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            looks: Vec::new(),
            items: Vec::new(),
        }
    }
}

impl<T> Listing<T> {
    /// The items, where somebody looked.
    pub(super) fn seen(&self) -> Option<&[T]> {
        (!self.looks.is_empty() || !self.items.is_empty()).then_some(self.items.as_slice())
    }

    /// Whether somebody saw all there is.
    pub(super) fn is_whole(&self) -> bool {
        self.looks.iter().any(|look| look.complete)
    }

    pub(super) fn items(&self) -> &[T] {
        &self.items
    }
}

/// The whole file.
#[derive(Debug, Deserialize)]
pub(super) struct Inventory {
    pub(super) format: u32,
    pub(super) certificates: BTreeMap<String, Certificate>,
    pub(super) organisation: Organisation,
    pub(super) servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Certificate {
    pub(super) thumbprint: String,
    pub(super) der: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Name {
    Known(String),
    Unknown { unknown: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Organisation {
    pub(super) name: Seen<String>,
    pub(super) send_connectors: Listing<SendConnector>,
    pub(super) accepted_domains: Listing<AcceptedDomain>,
    pub(super) federation_trusts: Listing<FederationTrust>,
    pub(super) edge_subscriptions: Listing<EdgeSubscription>,
    pub(super) setting_overrides: Listing<SettingOverride>,
    pub(super) partner_applications: Listing<serde::de::IgnoredAny>,
    pub(super) presented: Listing<serde::de::IgnoredAny>,
    pub(super) resolved: Listing<serde::de::IgnoredAny>,
    pub(super) adfs_sign_certificate_thumbprints: Seen<Vec<String>>,
    pub(super) adfs_encrypt_certificate_thumbprint: Seen<String>,
    pub(super) auth_config: AuthConfig,
    pub(super) hybrid: Hybrid,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthConfig {
    pub(super) current: Seen<String>,
    pub(super) previous: Seen<String>,
    pub(super) next: Seen<String>,
    pub(super) next_effective: Seen<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Hybrid {
    pub(super) present: Seen<bool>,
    pub(super) tls_certificate_name: Seen<String>,
    pub(super) receiving_transport_servers: Seen<Vec<String>>,
    pub(super) sending_transport_servers: Seen<Vec<String>>,
    pub(super) edge_transport_servers: Seen<Vec<String>>,
    pub(super) domains: Seen<Vec<String>>,
    pub(super) on_premises_smart_host: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AcceptedDomain {
    pub(super) name: String,
    #[serde(default)]
    pub(super) domain_name: Seen<String>,
    #[serde(default)]
    pub(super) domain_type: Seen<String>,
    #[serde(default)]
    pub(super) default: Seen<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FederationTrust {
    pub(super) name: String,
    #[serde(default)]
    pub(super) current: Seen<String>,
    #[serde(default)]
    pub(super) next: Seen<String>,
    #[serde(default)]
    pub(super) previous: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EdgeSubscription {
    pub(super) name: String,
    #[serde(default)]
    pub(super) site: Seen<String>,
    #[serde(default)]
    pub(super) certificate: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SettingOverride {
    pub(super) name: String,
    #[serde(default)]
    pub(super) component: Seen<String>,
    #[serde(default)]
    pub(super) section: Seen<String>,
    #[serde(default)]
    pub(super) parameters: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) server: Seen<String>,
    #[serde(default)]
    pub(super) reason: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SendConnector {
    pub(super) name: String,
    #[serde(default)]
    pub(super) fqdn: Seen<String>,
    #[serde(default)]
    pub(super) tls_certificate_name: Seen<String>,
    #[serde(default)]
    pub(super) enabled: Seen<bool>,
    #[serde(default)]
    pub(super) address_spaces: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) smart_hosts: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) source_transport_servers: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) require_tls: Seen<bool>,
    #[serde(default)]
    pub(super) tls_auth_level: Seen<String>,
    #[serde(default)]
    pub(super) tls_domain: Seen<String>,
    #[serde(default)]
    pub(super) cloud_services_mail_enabled: Seen<bool>,
    #[serde(default)]
    pub(super) ignore_starttls: Seen<bool>,
    #[serde(default)]
    pub(super) force_helo: Seen<bool>,
    #[serde(default)]
    pub(super) frontend_proxy_enabled: Seen<bool>,
    #[serde(default)]
    pub(super) domain_secure_enabled: Seen<bool>,
    #[serde(default)]
    pub(super) port: Seen<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Server {
    pub(super) name: Option<Name>,
    pub(super) fqdn: Seen<String>,
    pub(super) build: Seen<String>,
    pub(super) setup_build: Seen<String>,
    pub(super) roles: Seen<Vec<String>>,
    pub(super) site: Seen<String>,
    pub(super) reachable: Seen<bool>,
    pub(super) internal_transport: Seen<String>,
    pub(super) domain_controller: Seen<bool>,
    pub(super) root_auto_update_disabled: Seen<bool>,
    pub(super) ecc_support_in_registry: Seen<bool>,
    pub(super) utc_offset_minutes: Seen<i32>,
    pub(super) restart_pending: Seen<bool>,
    pub(super) availability_group: Seen<String>,
    pub(super) my: Listing<StoreEntry>,
    pub(super) request: Listing<StoreEntry>,
    pub(super) root: Listing<StoreEntry>,
    pub(super) ca: Listing<StoreEntry>,
    pub(super) web_hosting: Listing<StoreEntry>,
    pub(super) http_sys: Listing<HttpSysEntry>,
    pub(super) sites: Listing<WebSite>,
    pub(super) app_pools: Listing<AppPool>,
    pub(super) virtual_directories: Listing<VirtualDirectory>,
    pub(super) receive_connectors: Listing<ReceiveConnector>,
    pub(super) services: Listing<Service>,
    pub(super) component_states: Listing<ComponentState>,
    pub(super) health: Listing<RoleHealth>,
    pub(super) queues: Listing<Queue>,
    pub(super) tasks: Listing<Task>,
    pub(super) events: Listing<serde::de::IgnoredAny>,
    pub(super) log_lines: Listing<LogLine>,
    pub(super) disks: Listing<Disk>,
    pub(super) pop: ClientProtocol,
    pub(super) imap: ClientProtocol,
}

#[derive(Debug, Deserialize)]
pub(super) struct StoreEntry {
    pub(super) thumbprint: String,
    #[serde(default)]
    pub(super) friendly_name: Seen<String>,
    #[serde(default)]
    pub(super) services: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) status: Seen<String>,
    #[serde(default)]
    pub(super) root_ca_type: Seen<String>,
    #[serde(default)]
    pub(super) has_private_key: Seen<bool>,
    #[serde(default)]
    pub(super) private_key_exportable: Seen<bool>,
    #[serde(default)]
    pub(super) key_provider: Seen<String>,
    #[serde(default)]
    pub(super) key_provider_type: Seen<u32>,
    #[serde(default)]
    pub(super) key_readers: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) iis_sites: Seen<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HttpSysEntry {
    pub(super) endpoint: String,
    #[serde(default)]
    pub(super) thumbprint: Seen<String>,
    #[serde(default)]
    pub(super) store: Seen<String>,
    #[serde(default)]
    pub(super) app_id: Seen<String>,
    #[serde(default)]
    pub(super) negotiate_client_certificate: Seen<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WebSite {
    pub(super) name: String,
    #[serde(default)]
    pub(super) id: Seen<u32>,
    #[serde(default)]
    pub(super) state: Seen<String>,
    #[serde(default)]
    pub(super) bindings: Listing<Binding>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Binding {
    pub(super) protocol: String,
    pub(super) information: String,
    #[serde(default)]
    pub(super) thumbprint: Seen<String>,
    #[serde(default)]
    pub(super) store: Seen<String>,
    #[serde(default)]
    pub(super) ssl_flags: Seen<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AppPool {
    pub(super) name: String,
    #[serde(default)]
    pub(super) state: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VirtualDirectory {
    pub(super) identity: String,
    #[serde(default)]
    pub(super) kind: Seen<String>,
    #[serde(default)]
    pub(super) internal_url: Seen<String>,
    #[serde(default)]
    pub(super) external_url: Seen<String>,
    #[serde(default)]
    pub(super) internal_host: Seen<String>,
    #[serde(default)]
    pub(super) external_host: Seen<String>,
    #[serde(default)]
    pub(super) extended_protection: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReceiveConnector {
    pub(super) name: String,
    #[serde(default)]
    pub(super) fqdn: Seen<String>,
    #[serde(default)]
    pub(super) tls_certificate_name: Seen<String>,
    #[serde(default)]
    pub(super) enabled: Seen<bool>,
    #[serde(default)]
    pub(super) bindings: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) remote_ip_ranges: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) transport_role: Seen<String>,
    #[serde(default)]
    pub(super) auth_mechanism: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) permission_groups: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) require_tls: Seen<bool>,
    #[serde(default)]
    pub(super) domain_secure_enabled: Seen<bool>,
    #[serde(default)]
    pub(super) tls_domain_capabilities: Seen<Vec<String>>,
    #[serde(default)]
    pub(super) suppress_x_anonymous_tls: Seen<bool>,
    #[serde(default)]
    pub(super) protocol_logging_level: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) name: String,
    #[serde(default)]
    pub(super) status: Seen<String>,
    #[serde(default)]
    pub(super) start_type: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ComponentState {
    pub(super) name: String,
    #[serde(default)]
    pub(super) state: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RoleHealth {
    #[serde(default)]
    pub(super) services_not_running: Seen<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Queue {
    pub(super) identity: String,
    #[serde(default)]
    pub(super) status: Seen<String>,
    #[serde(default)]
    pub(super) message_count: Seen<u32>,
    #[serde(default)]
    pub(super) next_hop_domain: Seen<String>,
    #[serde(default)]
    pub(super) delivery_type: Seen<String>,
    #[serde(default)]
    pub(super) last_error: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Task {
    pub(super) path: String,
    #[serde(default)]
    pub(super) action: Seen<String>,
    #[serde(default)]
    pub(super) enabled: Seen<bool>,
    #[serde(default)]
    pub(super) last_run: Seen<Timestamp>,
    #[serde(default)]
    pub(super) next_run: Seen<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LogLine {
    pub(super) file: String,
    #[serde(default)]
    pub(super) text: Seen<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Disk {
    pub(super) name: String,
    #[serde(default)]
    pub(super) free_bytes: Seen<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ClientProtocol {
    pub(super) x509_certificate_name: Seen<String>,
    pub(super) internal_connection_settings: Seen<Vec<String>>,
    pub(super) external_connection_settings: Seen<Vec<String>>,
    pub(super) login_type: Seen<String>,
}
