//! TLS with what the world presents at that moment; configurations are shared by all ports that present the same chain.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName as TlsName, UnixTime};
use rustls::server::Acceptor;
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::StartHandshake;

use super::place::Key;
use super::{Io, Shared, lock};
use crate::world::{Listener, PresentedCertificate};

/// Shared configurations, by chain.
#[derive(Default)]
pub(crate) struct Configs(Mutex<HashMap<Vec<Vec<u8>>, Arc<ServerConfig>>>);

impl Configs {
    fn of(&self, presented: &PresentedCertificate) -> Option<Arc<ServerConfig>> {
        let mut known = lock(&self.0);
        if let Some(config) = known.get(&presented.chain) {
            return Some(Arc::clone(config));
        }
        let certified = presented.certified_key()?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .ok()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        // A resumed session would show yesterday's certificate.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if known.len() >= 2_000 {
            known.clear();
        }
        let config = Arc::new(config);
        known.insert(presented.chain.clone(), Arc::clone(&config));
        Some(config)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Reads the ClientHello, asks the world, and goes on with what it presents; the leaf comes back for channel binding.
///
/// # Errors
///
/// No certificate or no key: the connection is reset, as http.sys does, and the server's log tells it. Or what the
/// client did.
pub(crate) async fn accept(
    shared: &Shared,
    key: &Key,
    io: Box<dyn Io>,
    listener: impl FnOnce(Option<String>) -> Listener,
) -> io::Result<(Box<dyn Io>, Vec<u8>)> {
    tokio::time::timeout(shared.limits.handshake, handshake(shared, key, io, listener))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no handshake in time"))?
}

async fn handshake(
    shared: &Shared,
    key: &Key,
    mut io: Box<dyn Io>,
    listener: impl FnOnce(Option<String>) -> Listener,
) -> io::Result<(Box<dyn Io>, Vec<u8>)> {
    let mut acceptor = Acceptor::default();
    let accepted = loop {
        let mut buffer = [0; 4_096];
        let count = io.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = buffer.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => break accepted,
            Ok(None) => {}
            Err((error, _)) => {
                io.reset();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    };
    let listener = listener(accepted.client_hello().server_name().map(str::to_owned));
    let presented = lock(&shared.world).certificate_for(&key.server, &listener);
    let config = presented
        .as_ref()
        .and_then(|presented| shared.configs.of(presented));
    let (Some(presented), Some(config)) = (presented, config) else {
        lock(&shared.world).handshake_failed(&key.server, &listener);
        io.reset();
        return Err(io::Error::new(
            io::ErrorKind::ConnectionReset,
            "no certificate to present",
        ));
    };
    let stream = StartHandshake::from_parts(accepted, io)
        .into_stream(config)
        .await?;
    Ok((
        Box::new(stream),
        presented.chain.into_iter().next().unwrap_or_default(),
    ))
}

/// How a front end looks at its back end: any certificate will do, if the handshake comes about.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &TlsName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The front end's own side of TLS.
pub(crate) fn client() -> Arc<ClientConfig> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = match builder.with_safe_default_protocol_versions() {
        Ok(builder) => builder,
        Err(_) => ClientConfig::builder(),
    };
    Arc::new(
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
    )
}
