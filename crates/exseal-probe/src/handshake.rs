//! A handshake that records what it is shown and trusts nothing. The judgement is made afterwards, by [`crate::judge`].

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// What a handshake was shown, whether or not it came to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The chain in DER as sent, the leaf first; empty: no certificate came.
    pub chain: Vec<Vec<u8>>,
    /// Whether the server signed with the leaf's key; `None`: it did not come to that.
    pub key_proven: Option<bool>,
    /// What was wrong with the signature.
    pub unproven: Option<String>,
}

/// Records one handshake. Never lets a certificate or a signature end it.
#[derive(Debug)]
pub struct Recorder {
    shown: Mutex<Shown>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Recorder {
    /// What was shown so far.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn signed(&self, verified: Result<HandshakeSignatureValid, Error>) -> HandshakeSignatureValid {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match verified {
            Ok(_) => shown.key_proven = Some(true),
            // A certificate that cannot be read for its key says nothing about the signature.
            Err(Error::InvalidCertificate(rustls::CertificateError::BadSignature)) => {
                shown.key_proven = Some(false);
                shown.unproven = Some("the signature is not by the certificate's key".to_owned());
            }
            Err(error) => shown.unproven = Some(format!("the signature could not be checked: {error}")),
        }
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.chain = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|der| der.to_vec())
            .collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.signed(verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.algorithms,
        )))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.signed(verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.algorithms,
        )))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The one cryptographic provider, made once for many handshakes.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What one handshake needs: TLS 1.2 and 1.3, no resumption, and a recorder of its own.
///
/// # Errors
///
/// The provider lacks what these versions need; with [`provider`] it does not.
pub fn config(provider: Arc<CryptoProvider>, ask: bool) -> Result<(Arc<ClientConfig>, Arc<Recorder>), Error> {
    let recorder = Arc::new(Recorder {
        shown: Mutex::default(),
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.enable_sni = ask;
    config.resumption = Resumption::disabled();
    Ok((Arc::new(config), recorder))
}
