//! How a server's certificate is trusted: the system's roots, added ones, or one pinned leaf.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

/// Whom to trust. There is no way to trust everyone.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Roots beside the system's, in DER.
    pub roots: Vec<Vec<u8>>,
    /// Whether the system's roots count.
    pub without_system: bool,
    /// SHA-256 of the one leaf that is trusted whoever signed it and whatever names it has; nothing else is then.
    pub pinned: Option<[u8; 32]>,
}

/// Why no trust could be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Nothing to trust: every connection would fail.
    #[error("expected at least one root certificate, found none{}", reasons(errors))]
    NoRoots {
        /// What reading the system's store said.
        errors: Vec<String>,
    },
    /// An added root is none.
    #[error("root certificate {index}: {why}")]
    Root {
        /// Counted from 1.
        index: usize,
        /// The library's words.
        why: String,
    },
    /// The library refused.
    #[error("{0}")]
    Library(String),
}

fn reasons(errors: &[String]) -> String {
    if errors.is_empty() {
        String::new()
    } else {
        format!(" ({})", errors.join("; "))
    }
}

impl Trust {
    /// Makes what connections share: made once, used by any number of them.
    ///
    /// # Errors
    /// Nothing to trust, or an added root that is no certificate.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Library(error.to_string()))?;
        let verifier: Arc<dyn ServerCertVerifier> = match self.pinned {
            Some(sha256) => Arc::new(Pinned { sha256, provider }),
            None => WebPkiServerVerifier::builder_with_provider(Arc::new(self.store()?), provider)
                .build()
                .map_err(|error| TrustError::Library(error.to_string()))?,
        };
        Ok(Arc::new(
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_no_client_auth(),
        ))
    }

    fn store(&self) -> Result<RootCertStore, TrustError> {
        let mut store = RootCertStore::empty();
        for (index, root) in self.roots.iter().enumerate() {
            store
                .add(CertificateDer::from(root.clone()))
                .map_err(|error| TrustError::Root {
                    index: index + 1,
                    why: error.to_string(),
                })?;
        }
        let mut errors = Vec::new();
        if !self.without_system {
            let native = rustls_native_certs::load_native_certs();
            errors.extend(native.errors.iter().map(ToString::to_string));
            // A store of a system may hold what this library cannot read; the others still count.
            store.add_parsable_certificates(native.certs);
        }
        if store.is_empty() {
            Err(TrustError::NoRoots { errors })
        } else {
            Ok(store)
        }
    }
}

#[derive(Debug)]
struct Pinned {
    sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found: [u8; 32] = Sha256::digest(leaf).into();
        if found == self.sha256 {
            Ok(ServerCertVerified::assertion())
        } else {
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            Err(rustls::Error::General(format!(
                "expected the pinned certificate with SHA-256 {}, found {}",
                hex(&self.sha256),
                hex(&found)
            )))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
