//! PKCS#12: what Import- and Export-ExchangeCertificate carry.

use std::sync::Arc;

use p12_keystore::{
    Certificate as P12Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm,
    Pkcs12ImportPolicy, PrivateKey as P12Key, PrivateKeyChain,
};

use super::key::PrivateKey;
use super::x509::Certificate;

/// What a PFX holds: the leaf with its key, and the rest of the chain.
#[derive(Clone, Debug)]
pub(crate) struct Pfx {
    pub(crate) certificate: Certificate,
    pub(crate) key: Arc<PrivateKey>,
    pub(crate) chain: Vec<Certificate>,
    /// Whether the file names a CNG key storage provider for the key (facts/exchange.md 2.2).
    pub(crate) cng: bool,
}

/// A PFX that cannot be opened: wrong password, or no PFX.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a PFX with one private key, found {0}")]
pub(crate) struct PfxError(pub(crate) String);

impl Pfx {
    pub(crate) fn read(bytes: &[u8], password: &str) -> Result<Self, PfxError> {
        let store = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict)
            .or_else(|_| KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed))
            .map_err(|error| PfxError(error.to_string()))?;
        let (_, chain) = store.private_key_chain().ok_or_else(|| PfxError("none".into()))?;
        let key =
            PrivateKey::from_pkcs8(chain.key().as_der()).map_err(|error| PfxError(error.to_string()))?;
        let mut certificates = chain
            .certs()
            .iter()
            .filter_map(|certificate| Certificate::read(certificate.as_der()).ok());
        let certificate = certificates
            .next()
            .ok_or_else(|| PfxError("no certificate beside the key".into()))?;
        // Microsoft CSP Name, with a provider in UTF-16: "Storage Provider" is only in the names of CNG's.
        let storage: Vec<u8> = "Key Storage Provider"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let cng = bytes.windows(storage.len()).any(|window| window == storage);
        Ok(Self {
            certificate,
            key: Arc::new(key),
            chain: certificates.collect(),
            cng,
        })
    }

    pub(crate) fn write(
        certificate: &Certificate,
        chain: &[Certificate],
        key: &PrivateKey,
        friendly_name: &str,
        password: &str,
    ) -> Result<Vec<u8>, PfxError> {
        let wrong = |error: p12_keystore::error::Error| PfxError(error.to_string());
        let own = P12Key::from_der(key.pkcs8()).map_err(wrong)?;
        let certificates = std::iter::once(certificate)
            .chain(chain)
            .map(|certificate| P12Certificate::from_der(certificate.der()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(wrong)?;
        let mut store = KeyStore::new();
        let chain = PrivateKeyChain::new(certificate.thumbprint().0.to_vec(), own, certificates);
        let alias = if friendly_name.is_empty() {
            "Microsoft Exchange"
        } else {
            friendly_name
        };
        store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(chain));
        store
            .writer(password)
            .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
            .encryption_iterations(2000)
            .mac_algorithm(MacAlgorithm::HmacSha1)
            .mac_iterations(2000)
            .write()
            .map_err(wrong)
    }
}
