//! What belongs to the organisation as a whole.

use jiff::Timestamp;

use super::server::WayIn;
use super::transport::SendConnector;
use super::wire::{Presentation, ResolvedName};
use crate::{Thumbprint, keyed, record};

record! {
    /// The organisation.
    #[derive(Default)]
    pub struct Organisation {
        seen {
            /// Its name.
            name: String,
            /// Get-OrganizationConfig's AdfsSignCertificateThumbprints.
            adfs_sign_certificate_thumbprints: Vec<Thumbprint>,
            /// Get-OrganizationConfig's AdfsEncryptCertificateThumbprint.
            adfs_encrypt_certificate_thumbprint: Thumbprint,
            /// Get-OwaVirtualDirectory's and Get-OwaMailboxPolicy's InstantMessagingCertificateThumbprint.
            instant_messaging_certificate_thumbprint: Thumbprint,
        }
        lists {
            /// Send connectors.
            send_connectors: SendConnector,
            /// Accepted domains.
            accepted_domains: AcceptedDomain,
            /// Federation trusts; a list that was seen and is empty: no federation.
            federation_trusts: FederationTrust,
            /// Edge subscriptions; a list that was seen and is empty: none.
            edge_subscriptions: EdgeSubscription,
            /// Setting overrides.
            setting_overrides: SettingOverride,
            /// Partner applications.
            partner_applications: PartnerApplication,
            /// The ways in that belong to no server and were tried by a live look: the directory.
            ways_in: WayIn,
            /// What hosts presented to a client.
            presented: Presentation,
            /// How names resolve.
            resolved: ResolvedName,
        }
        parts {
            /// The OAuth configuration.
            auth_config: AuthConfig,
            /// The hybrid configuration.
            hybrid: HybridConfiguration,
        }
    }
}

record! {
    /// Get-AuthConfig.
    #[derive(Default)]
    pub struct AuthConfig {
        seen {
            /// CurrentCertificateThumbprint; seen and empty: none is configured.
            current: Thumbprint,
            /// PreviousCertificateThumbprint.
            previous: Thumbprint,
            /// NextCertificateThumbprint.
            next: Thumbprint,
            /// NextCertificateEffectiveDate.
            next_effective: Timestamp,
            /// Realm.
            realm: String,
            /// ServiceName.
            service_name: String,
        }
    }
}

record! {
    /// Get-HybridConfiguration.
    #[derive(Default)]
    pub struct HybridConfiguration {
        seen {
            /// Whether there is one; false: seen that there is none.
            present: bool,
            /// `<I>issuer<S>subject`.
            tls_certificate_name: String,
            /// Servers that receive from the cloud.
            receiving_transport_servers: Vec<String>,
            /// Servers that send to the cloud.
            sending_transport_servers: Vec<String>,
            /// Edge servers in its path.
            edge_transport_servers: Vec<String>,
            /// Client access servers.
            client_access_servers: Vec<String>,
            /// Its domains.
            domains: Vec<String>,
            /// Its features.
            features: Vec<String>,
            /// OnPremisesSmartHost.
            on_premises_smart_host: String,
        }
    }
}

record! {
    /// An accepted domain.
    pub struct AcceptedDomain {
        key {
            /// Its name.
            name: String,
        }
        seen {
            /// The domain.
            domain_name: String,
            /// `Authoritative`, `ExternalRelay`, `InternalRelay`.
            domain_type: String,
            /// Whether it is the default.
            default: bool,
        }
    }
}
keyed!(AcceptedDomain, String, |domain| domain.name.to_lowercase());

record! {
    /// A federation trust.
    pub struct FederationTrust {
        key {
            /// Its name: `Microsoft Federation Gateway`.
            name: String,
        }
        seen {
            /// OrgPrivCertificate, else OrgCertificate.
            current: Thumbprint,
            /// OrgNextPrivCertificate, else OrgNextCertificate.
            next: Thumbprint,
            /// OrgPrevPrivCertificate, else OrgPrevCertificate.
            previous: Thumbprint,
            /// ApplicationUri.
            application_uri: String,
        }
    }
}
keyed!(FederationTrust, String, |trust| trust.name.to_lowercase());

record! {
    /// An Edge subscription.
    pub struct EdgeSubscription {
        key {
            /// The Edge server's name.
            name: String,
        }
        seen {
            /// The site it belongs to.
            site: String,
            /// Its domain.
            domain: String,
            /// The certificate it recorded, where a source shows it.
            certificate: Thumbprint,
        }
    }
}
keyed!(EdgeSubscription, String, |subscription| subscription
    .name
    .to_lowercase());

record! {
    /// A setting override.
    pub struct SettingOverride {
        key {
            /// Its name.
            name: String,
        }
        seen {
            /// ComponentName.
            component: String,
            /// SectionName.
            section: String,
            /// `Enabled=true`…
            parameters: Vec<String>,
            /// Servers it is for; seen and empty: all.
            server: String,
            /// Its reason, as the person gave it.
            reason: String,
        }
    }
}
keyed!(SettingOverride, String, |setting| setting.name.to_lowercase());

record! {
    /// A partner application.
    pub struct PartnerApplication {
        key {
            /// Its name.
            name: String,
        }
        seen {
            /// Its application identifier.
            application_identifier: String,
            /// Whether it is switched on.
            enabled: bool,
            /// Thumbprints of its certificates.
            certificates: Vec<Thumbprint>,
        }
    }
}
keyed!(PartnerApplication, String, |application| application
    .name
    .to_lowercase());
