//! What another tool computed: kept apart, never mixed with what was seen.

use jiff::Timestamp;

use crate::{Thumbprint, keyed, record};

record! {
    /// What HealthChecker computed itself. Values of the store win over it.
    #[derive(Default)]
    pub struct HealthChecker {
        seen {
            /// When it ran.
            generated_at: Timestamp,
            /// Its version; empty in files made from its source.
            version: String,
            /// Its name for the build: `Exchange 2019 CU11`.
            friendly_build: String,
        }
        lists {
            /// Its judgement of certificates.
            certificates: JudgedCertificate,
            /// Its judgement of connectors.
            connectors: JudgedConnector,
        }
    }
}

record! {
    /// A certificate as HealthChecker judged it.
    pub struct JudgedCertificate {
        key {
            /// Which.
            thumbprint: Thumbprint,
        }
        seen {
            /// Its name for it.
            friendly_name: String,
            /// Whole days left, relative to its run.
            lifetime_in_days: i64,
            /// Its names: those of subjectAltName, or the common name.
            namespaces: Vec<String>,
            /// Whether it is the current Auth certificate; text where it could not tell (`InvalidAuthConfig`).
            current_auth: String,
            /// Bits of the key.
            public_key_size: u32,
            /// As it names it.
            signature_algorithm: String,
        }
    }
}
keyed!(JudgedCertificate, Thumbprint, |judged| judged.thumbprint);

record! {
    /// A connector as HealthChecker judged it.
    pub struct JudgedConnector {
        key {
            /// Its identity.
            identity: String,
        }
        seen {
            /// `TlsCertificateMatch`, `TlsCertificateNotFound`, `TlsCertificateNameEmpty`, `TlsCertificateNameSyntaxInvalid`.
            status: String,
            /// Its type: `Send`, `Receive`.
            connector_type: String,
        }
    }
}
keyed!(JudgedConnector, String, |judged| judged.identity.to_lowercase());
