//! Issuing: self-signed as Exchange does it, by a simulated CA, and again with another key (a stand-in).

use std::sync::Arc;

use jiff::Timestamp;
use sha1::{Digest as _, Sha1};

use super::der;
use super::key::{Hash, KeyError, KeyKind, PrivateKey};
use super::name::Name;
use super::x509::Certificate;

/// What a new certificate says.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Subject.
    pub subject: Name,
    /// DNS names; empty: no SAN.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// Serial number, at most 20 bytes.
    pub serial: Vec<u8>,
    /// A CA, allowed to sign.
    pub is_ca: bool,
    /// A subject key identifier to write; CAs always get one.
    pub subject_key: Option<Vec<u8>>,
}

/// Who signs: a CA of the simulation with its key.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: Arc<PrivateKey>,
}

/// A serial number of 16 bytes from something unique.
pub(crate) fn serial_from(seed: &str) -> Vec<u8> {
    let digest = Sha1::digest(seed.as_bytes());
    let mut serial = digest.get(..16).unwrap_or_default().to_vec();
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x01;
    }
    serial
}

impl Recipe {
    /// Signs the certificate with its own key (`issuer: None`) or a CA's.
    ///
    /// Extensions are those of Exchange's own certificates (facts/exchange.md 1.1): key usage, serverAuth, basic
    /// constraints, SAN only if there are names.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the key cannot sign.
    pub fn issue(&self, key: &PrivateKey, issuer: Option<&Issuer>) -> Result<Certificate, KeyError> {
        let signer = issuer.map_or(key, |issuer| &issuer.key);
        self.certify(key.public(), (signer, Hash::Sha256), issuer)
    }

    /// Self-signed, over another hash.
    pub(crate) fn issue_over(&self, key: &PrivateKey, hash: Hash) -> Result<Certificate, KeyError> {
        self.certify(key.public(), (key, hash), None)
    }

    /// As [`issue`](Self::issue), for a key of which only the public half is known: the answer to a request.
    pub(crate) fn certify(
        &self,
        public: &[u8],
        signer: (&PrivateKey, Hash),
        issuer: Option<&Issuer>,
    ) -> Result<Certificate, KeyError> {
        let issuer_name = issuer.map_or(&self.subject, |issuer| issuer.certificate.subject());
        let mut extensions = Vec::new();
        let usage: &[u8] = if self.is_ca {
            &[3, 2, 1, 6]
        } else {
            &[3, 2, 5, 0xa0]
        };
        extensions.push(extension("2.5.29.15", true, usage));
        if !self.names.is_empty() {
            let names: Vec<Vec<u8>> = self
                .names
                .iter()
                .map(|name| der::element(0x82, name.as_bytes()))
                .collect();
            extensions.push(extension("2.5.29.17", false, &der::sequence(&names)));
        }
        if !self.is_ca {
            let usage = der::sequence(&[der::oid("1.3.6.1.5.5.7.3.1")]);
            extensions.push(extension("2.5.29.37", false, &usage));
        }
        let constraints = if self.is_ca {
            der::sequence(&[der::element(1, &[0xff])])
        } else {
            der::sequence(&[])
        };
        extensions.push(extension("2.5.29.19", true, &constraints));
        let subject_key = self
            .subject_key
            .clone()
            .or_else(|| (self.is_ca || issuer.is_some()).then(|| key_identifier(public)));
        if let Some(identifier) = subject_key {
            extensions.push(extension("2.5.29.14", false, &der::element(4, &identifier)));
        }
        if let Some(identifier) = issuer.and_then(|issuer| issuer.certificate.subject_key_identifier()) {
            let identifier = der::sequence(&[der::element(0x80, identifier)]);
            extensions.push(extension("2.5.29.35", false, &identifier));
        }
        let validity = der::sequence(&[der::time(self.not_before), der::time(self.not_after)]);
        finish(
            &der::unsigned(&self.serial),
            issuer_name.der(),
            &validity,
            self.subject.der(),
            public,
            &extensions,
            signer,
        )
    }
}

/// The same certificate with another key: names, dates, serial number and extensions stay; only the identifiers of
/// keys are made to fit.
pub(crate) fn reissue(
    original: &Certificate,
    key: &PrivateKey,
    issuer: Option<&Issuer>,
) -> Result<Certificate, KeyError> {
    let unreadable = || KeyError("the certificate to stand in for could not be read".into());
    let (whole, _) = der::split(original.der()).ok_or_else(unreadable)?;
    let outer = der::children(whole.content);
    let mut parts = outer
        .first()
        .map(|tbs| der::children(tbs.content))
        .unwrap_or_default();
    if parts.first().is_some_and(|part| part.tag == 0xa0) {
        parts.remove(0);
    }
    let [serial, _, _, validity, ..] = parts[..] else {
        return Err(unreadable());
    };
    let mut extensions = Vec::new();
    for part in parts.iter().filter(|part| part.tag == 0xa3) {
        for list in der::children(part.content) {
            for own in der::children(list.content) {
                let kind = der::children(own.content)
                    .first()
                    .map(|kind| der::dotted(kind.content))
                    .unwrap_or_default();
                match kind.as_str() {
                    "2.5.29.14" => {
                        let identifier = key_identifier(key.public());
                        extensions.push(extension(&kind, false, &der::element(4, &identifier)));
                    }
                    "2.5.29.35" => {
                        if let Some(identifier) =
                            issuer.and_then(|issuer| issuer.certificate.subject_key_identifier())
                        {
                            let identifier = der::sequence(&[der::element(0x80, identifier)]);
                            extensions.push(extension(&kind, false, &identifier));
                        }
                    }
                    _ => extensions.push(own.whole.to_vec()),
                }
            }
        }
    }
    let hash = match original.signature_algorithm() {
        (_, "sha1RSA") if key.kind() != KeyKind::P256 => Hash::Sha1,
        _ => Hash::Sha256,
    };
    finish(
        serial.whole,
        original.issuer().der(),
        validity.whole,
        original.subject().der(),
        key.public(),
        &extensions,
        (issuer.map_or(key, |issuer| &issuer.key), hash),
    )
}

/// SHA-1 of the public key's bits (RFC 5280 4.2.1.2, method 1).
pub(crate) fn key_identifier(public: &[u8]) -> Vec<u8> {
    let bits = der::split(public)
        .and_then(|(whole, _)| {
            der::children(whole.content)
                .get(1)
                .map(|bits| bits.content.to_vec())
        })
        .unwrap_or_default();
    Sha1::digest(bits.get(1..).unwrap_or_default()).to_vec()
}

fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(dotted)];
    if critical {
        parts.push(der::element(1, &[0xff]));
    }
    parts.push(der::element(4, value));
    der::sequence(&parts)
}

fn finish(
    serial: &[u8],
    issuer: &[u8],
    validity: &[u8],
    subject: &[u8],
    public: &[u8],
    extensions: &[Vec<u8>],
    (signer, hash): (&PrivateKey, Hash),
) -> Result<Certificate, KeyError> {
    let algorithm = signer.algorithm(hash);
    let mut parts = vec![
        der::element(0xa0, &der::element(2, &[2])),
        serial.to_vec(),
        algorithm.clone(),
        issuer.to_vec(),
        validity.to_vec(),
        subject.to_vec(),
        public.to_vec(),
    ];
    if !extensions.is_empty() {
        parts.push(der::element(0xa3, &der::sequence(extensions)));
    }
    let tbs = der::sequence(&parts);
    let signature = signer.sign(&tbs, hash)?;
    let whole = der::sequence(&[tbs, algorithm, der::bit_string(&signature)]);
    Certificate::read(&whole).map_err(|error| KeyError(error.to_string()))
}
