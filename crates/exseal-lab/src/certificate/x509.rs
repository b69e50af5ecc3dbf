//! A certificate, read.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sha1::{Digest as _, Sha1};

use super::der::{self, Element};
use super::name::Name;

/// The SHA-1 of a certificate; printed in upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(pub [u8; 20]);

impl Thumbprint {
    /// Of a certificate in DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha1::digest(der).into())
    }

    /// Reads 40 hexadecimal digits; blanks and the invisible mark of the certificate dialog do not count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '\u{200e}')
            .collect();
        if digits.len() != 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 20];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A certificate. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(Arc<Parsed>);

#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    der: Vec<u8>,
    thumbprint: Thumbprint,
    serial: Vec<u8>,
    issuer: Name,
    subject: Name,
    not_before: Timestamp,
    not_after: Timestamp,
    names: Vec<String>,
    is_ca: bool,
    server_auth: bool,
    public: Vec<u8>,
    key_bits: i32,
    rsa: bool,
    signature: String,
    subject_key: Option<Vec<u8>>,
}

/// Bytes that are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a certificate in DER, found {found}")]
pub struct CertificateError {
    /// What was missing.
    pub found: &'static str,
}

impl Certificate {
    /// Reads a certificate; lenient about what Windows is lenient about.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] with the part that is missing.
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        let missing = |found: &'static str| CertificateError { found };
        let (whole, _) = der::split(bytes).ok_or_else(|| missing("no DER sequence"))?;
        let outer = der::children(whole.content);
        let [tbs, algorithm, _signature] = outer[..] else {
            return Err(missing("not three parts"));
        };
        let mut parts = der::children(tbs.content);
        if parts.first().is_some_and(|part| part.tag == 0xa0) {
            parts.remove(0);
        }
        let [serial, _, issuer, validity, subject, public, ..] = parts[..] else {
            return Err(missing("no serial number, names, validity and key"));
        };
        let dates = der::children(validity.content);
        let [from, to] = dates[..] else {
            return Err(missing("a validity without two dates"));
        };
        let signature = der::children(algorithm.content)
            .first()
            .map(|kind| der::dotted(kind.content))
            .unwrap_or_default();
        let (rsa, key_bits) = key_of(public);
        let mut read = Parsed {
            der: whole.whole.to_vec(),
            thumbprint: Thumbprint::of(whole.whole),
            serial: serial.content.to_vec(),
            issuer: Name::of_der(issuer.whole),
            subject: Name::of_der(subject.whole),
            not_before: der::instant(from).ok_or_else(|| missing("an unreadable first date"))?,
            not_after: der::instant(to).ok_or_else(|| missing("an unreadable last date"))?,
            names: Vec::new(),
            is_ca: false,
            server_auth: true,
            public: public.whole.to_vec(),
            key_bits,
            rsa,
            signature,
            subject_key: None,
        };
        for part in parts.iter().filter(|part| part.tag == 0xa3) {
            for list in der::children(part.content) {
                for extension in der::children(list.content) {
                    read_extension(extension, &mut read);
                }
            }
        }
        Ok(Self(Arc::new(read)))
    }

    /// The whole certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Its SHA-1.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.0.thumbprint
    }

    /// Issuer.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// Subject.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    /// Valid from.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// Valid until.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// The serial number's bytes as written.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The DNS names of the SAN; the subject's common name when there is none.
    #[must_use]
    pub fn domains(&self) -> Vec<String> {
        if self.0.names.is_empty() {
            self.0.subject.common_name().into_iter().collect()
        } else {
            self.0.names.clone()
        }
    }

    /// The DNS names of the SAN alone.
    #[must_use]
    pub fn san(&self) -> &[String] {
        &self.0.names
    }

    /// Whether SAN or common name cover a host, wildcards included.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.0
            .names
            .iter()
            .cloned()
            .chain(self.0.subject.common_name())
            .any(|name| name_matches(&name, host))
    }

    /// Whether it is its own issuer by name.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        self.0.issuer == self.0.subject
    }

    /// Whether basic constraints call it a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.0.is_ca
    }

    /// Whether it may serve TLS: no extended key usage, or one with serverAuth.
    #[must_use]
    pub fn server_auth(&self) -> bool {
        self.0.server_auth
    }

    /// SubjectPublicKeyInfo.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.0.public
    }

    /// Bits of the key.
    #[must_use]
    pub fn key_bits(&self) -> i32 {
        self.0.key_bits
    }

    /// Whether the key is RSA.
    #[must_use]
    pub fn is_rsa(&self) -> bool {
        self.0.rsa
    }

    /// Object identifier and friendly name of the signature's algorithm.
    #[must_use]
    pub fn signature_algorithm(&self) -> (&str, &'static str) {
        let name = match self.0.signature.as_str() {
            "1.2.840.113549.1.1.5" => "sha1RSA",
            "1.2.840.113549.1.1.11" => "sha256RSA",
            "1.2.840.113549.1.1.12" => "sha384RSA",
            "1.2.840.113549.1.1.13" => "sha512RSA",
            "1.2.840.10045.4.3.2" => "sha256ECDSA",
            "1.2.840.10045.4.3.3" => "sha384ECDSA",
            _ => "",
        };
        (&self.0.signature, name)
    }

    /// The subject key identifier, when the certificate has one.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.0.subject_key.as_deref()
    }

    /// The serial number as Windows prints it.
    #[must_use]
    pub fn serial_text(&self) -> String {
        let serial = self.0.serial.strip_prefix(&[0]).unwrap_or(&self.0.serial);
        serial.iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} {})", self.0.subject, self.0.thumbprint)
    }
}

/// Whether a certificate's name stands for a host: equal, or a wildcard for exactly one label (RFC 6125).
pub(crate) fn name_matches(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(domain), Some((label, rest))) = (name.strip_prefix("*."), host.split_once('.')) else {
        return false;
    };
    !label.is_empty() && rest.eq_ignore_ascii_case(domain)
}

fn key_of(public: Element<'_>) -> (bool, i32) {
    let parts = der::children(public.content);
    let [algorithm, bits, ..] = parts[..] else {
        return (false, 0);
    };
    let kinds = der::children(algorithm.content);
    let kind = kinds
        .first()
        .map(|kind| der::dotted(kind.content))
        .unwrap_or_default();
    if kind != "1.2.840.113549.1.1.1" {
        let curve = kinds
            .get(1)
            .map(|curve| der::dotted(curve.content))
            .unwrap_or_default();
        let bits = match curve.as_str() {
            "1.2.840.10045.3.1.7" => 256,
            "1.3.132.0.34" => 384,
            "1.3.132.0.35" => 521,
            _ => 0,
        };
        return (false, bits);
    }
    let modulus = bits
        .content
        .get(1..)
        .and_then(der::split)
        .and_then(|(key, _)| {
            der::children(key.content)
                .first()
                .map(|modulus| modulus.content.to_vec())
        })
        .unwrap_or_default();
    let length = modulus.iter().skip_while(|byte| **byte == 0).count();
    (true, i32::try_from(length * 8).unwrap_or(0))
}

fn read_extension(extension: Element<'_>, read: &mut Parsed) {
    let parts = der::children(extension.content);
    let (Some(kind), Some(value)) = (parts.first(), parts.last()) else {
        return;
    };
    let Some((inner, _)) = der::split(value.content) else {
        return;
    };
    match der::dotted(kind.content).as_str() {
        "2.5.29.17" => {
            read.names = der::children(inner.content)
                .iter()
                .filter(|name| name.tag == 0x82)
                .map(|name| String::from_utf8_lossy(name.content).into_owned())
                .collect();
        }
        "2.5.29.19" => {
            read.is_ca = der::children(inner.content)
                .first()
                .is_some_and(|flag| flag.tag == 1 && flag.content != [0]);
        }
        "2.5.29.37" => {
            read.server_auth = der::children(inner.content).iter().any(|usage| {
                matches!(
                    der::dotted(usage.content).as_str(),
                    "1.3.6.1.5.5.7.3.1" | "2.5.29.37.0"
                )
            });
        }
        "2.5.29.14" => read.subject_key = Some(inner.content.to_vec()),
        _ => {}
    }
}
