//! Connectors, POP and IMAP, queues.

use crate::{keyed, record};

record! {
    /// A receive connector of a server.
    pub struct ReceiveConnector {
        key {
            /// Its name without the server.
            name: String,
        }
        seen {
            /// `EX1\Default Frontend EX1`.
            identity: String,
            /// The name it greets with and looks for a certificate by; seen and empty: the server's own FQDN.
            fqdn: String,
            /// `<I>issuer<S>subject`; seen and empty: none is set.
            tls_certificate_name: String,
            /// Whether it is switched on.
            enabled: bool,
            /// Addresses and ports: `[::]:25`, `0.0.0.0:25`.
            bindings: Vec<String>,
            /// Networks it answers.
            remote_ip_ranges: Vec<String>,
            /// `FrontendTransport` or `HubTransport`.
            transport_role: String,
            /// Names of the flags: `Tls`, `Integrated`, `BasicAuth`, `BasicAuthRequireTLS`, `ExchangeServer`, `ExternalAuthoritative`.
            auth_mechanism: Vec<String>,
            /// Names of the groups.
            permission_groups: Vec<String>,
            /// Whether TLS is demanded.
            require_tls: bool,
            /// Mutual TLS of partner domains.
            domain_secure_enabled: bool,
            /// Domains with their capabilities: `mail.protection.outlook.com:AcceptCloudServicesMail`.
            tls_domain_capabilities: Vec<String>,
            /// Whether X-ANONYMOUSTLS is not offered.
            suppress_x_anonymous_tls: bool,
            /// `None` or `Verbose`.
            protocol_logging_level: String,
        }
    }
}
keyed!(ReceiveConnector, String, |connector| connector
    .name
    .to_lowercase());

record! {
    /// A send connector of the organisation.
    pub struct SendConnector {
        key {
            /// Its name.
            name: String,
        }
        seen {
            /// Exchange's identity.
            identity: String,
            /// The name it greets with; seen and empty: the source server's own.
            fqdn: String,
            /// `<I>issuer<S>subject`; seen and empty: none is set.
            tls_certificate_name: String,
            /// Whether it is switched on.
            enabled: bool,
            /// `SMTP:*;1`.
            address_spaces: Vec<String>,
            /// Hosts it sends to; empty: by DNS.
            smart_hosts: Vec<String>,
            /// Servers that send through it.
            source_transport_servers: Vec<String>,
            /// Whether TLS is demanded.
            require_tls: bool,
            /// `EncryptionOnly`, `CertificateValidation`, `DomainValidation`; seen and empty: none.
            tls_auth_level: String,
            /// Name the other side's certificate must have.
            tls_domain: String,
            /// Whether it carries mail to Exchange Online as part of one organisation.
            cloud_services_mail_enabled: bool,
            /// Whether STARTTLS is never used.
            ignore_starttls: bool,
            /// Whether HELO is said, so that STARTTLS cannot be offered.
            force_helo: bool,
            /// Whether it resolves by DNS.
            dns_routing_enabled: bool,
            /// Whether it goes through the front end.
            frontend_proxy_enabled: bool,
            /// Mutual TLS of partner domains.
            domain_secure_enabled: bool,
            /// Port it sends to.
            port: u16,
            /// `None` or `Verbose`.
            protocol_logging_level: String,
        }
    }
}
keyed!(SendConnector, String, |connector| connector.name.to_lowercase());

record! {
    /// POP or IMAP settings of a server.
    #[derive(Default)]
    pub struct ClientAccessProtocol {
        seen {
            /// The name a certificate is looked for by.
            x509_certificate_name: String,
            /// Addresses and ports with TLS from the start.
            ssl_bindings: Vec<String>,
            /// Addresses and ports without, or with STLS/STARTTLS.
            unencrypted_or_tls_bindings: Vec<String>,
            /// What clients inside are told: `ex1.example.org:995:SSL`.
            internal_connection_settings: Vec<String>,
            /// What clients outside are told.
            external_connection_settings: Vec<String>,
            /// `PlainTextLogin`, `PlainTextAuthentication`, `SecureLogin`.
            login_type: String,
        }
    }
}

record! {
    /// A queue.
    pub struct Queue {
        key {
            /// `EX1\Submission`, `EX1\12`.
            identity: String,
        }
        seen {
            /// `Active`, `Ready`, `Retry`, `Suspended`.
            status: String,
            /// Messages waiting.
            message_count: u32,
            /// Where it goes.
            next_hop_domain: String,
            /// `SmartHostConnectorDelivery`…
            delivery_type: String,
            /// The last answer of the other side.
            last_error: String,
        }
    }
}
keyed!(Queue, String, |queue| queue.identity.to_lowercase());
