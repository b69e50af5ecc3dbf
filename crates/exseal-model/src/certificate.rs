//! One X.509 certificate, parsed once, its DER kept.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use const_oid::db::DB;
use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName, SubjectKeyIdentifier};

use crate::Thumbprint;
use crate::name::{common_name, windows_name};

/// An X.509 certificate: what RFC 5280 says of it, in the words Windows prints.
///
/// Public data; may be logged. Equal when the DER is equal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Certificate {
    /// SHA-1 of the DER.
    pub thumbprint: Thumbprint,
    /// As Exchange shows it: `CN=a, O=b, S=c`, most specific part first.
    pub subject: String,
    /// As [`subject`](Self::subject).
    pub issuer: String,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// Upper-case hex of the number's bytes, without a leading sign byte, as Windows shows it.
    pub serial: String,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity, inclusive (RFC 5280 §4.1.2.5).
    pub not_after: Timestamp,
    /// The DNS names of subjectAltName, in order; empty when there is no such extension. The common name is not added.
    pub dns_names: Vec<String>,
    /// `RSA`, `ECC` or the algorithm's OID.
    pub key_algorithm: String,
    /// Size of the key in bits: RSA modulus, or curve; `None` when it is neither.
    pub key_bits: Option<u32>,
    /// As Windows names it: `sha1RSA`, `sha256RSA`, `sha256ECDSA`; else the OID.
    pub signature_algorithm: String,
    /// `sha1`, `sha256`…; `None` when the algorithm does not tell.
    pub signature_hash: Option<String>,
    /// Subject and issuer are the same name, byte by byte.
    pub self_signed: bool,
    /// X.509 version: 1, 2 or 3.
    pub version: u8,
    /// basicConstraints says it is a CA.
    pub is_ca: bool,
    /// OIDs of extendedKeyUsage; `None` when the extension is not there, which allows every use.
    pub extended_key_usage: Option<Vec<String>>,
    /// Upper-case hex of subjectKeyIdentifier.
    pub subject_key_identifier: Option<String>,
    /// The certificate as it is.
    pub der: Arc<[u8]>,
}

/// A DER that is no certificate we can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an X.509 certificate in DER, found {found} ({len} bytes)")]
pub struct CertificateError {
    /// What the reader says of it.
    pub found: String,
    /// Length of the input in bytes.
    pub len: usize,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads a certificate from its DER.
    ///
    /// Tolerates what real certificates contain: names of illegal length, unknown algorithms and extensions, and
    /// an extension that cannot be read (then as if it were not there).
    ///
    /// # Errors
    ///
    /// [`CertificateError`] when the outer structure is no certificate, or bytes follow it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let wrong = |found: String| CertificateError {
            found,
            len: der.len(),
        };
        let parsed = x509_cert::certificate::CertificateInner::<x509_cert::certificate::Raw>::from_der(der)
            .map_err(|error| wrong(error.to_string()))?;
        let tbs = parsed.tbs_certificate();
        let time = |time: &x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs())
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .ok_or_else(|| wrong("a time outside the years 1970 to 9999".to_owned()))
        };
        let (signature_algorithm, signature_hash) = signature(&parsed.signature_algorithm().oid);
        let spki = tbs.subject_public_key_info();
        let (key_algorithm, key_bits) = key(spki);
        let serial = tbs.serial_number().as_bytes();
        let serial = match serial {
            [0, rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };

        Ok(Self {
            thumbprint: Thumbprint::of_der(der),
            subject: windows_name(tbs.subject()),
            issuer: windows_name(tbs.issuer()),
            common_name: common_name(tbs.subject()),
            serial: hex(serial),
            not_before: time(&tbs.validity().not_before)?,
            not_after: time(&tbs.validity().not_after)?,
            dns_names: extension::<SubjectAltName>(tbs)
                .map(|names| dns_names(&names))
                .unwrap_or_default(),
            key_algorithm,
            key_bits,
            signature_algorithm,
            signature_hash,
            self_signed: tbs.subject() == tbs.issuer(),
            version: match tbs.version() {
                x509_cert::certificate::Version::V1 => 1,
                x509_cert::certificate::Version::V2 => 2,
                x509_cert::certificate::Version::V3 => 3,
            },
            is_ca: extension::<BasicConstraints>(tbs).is_some_and(|constraints| constraints.ca),
            extended_key_usage: extension::<ExtendedKeyUsage>(tbs)
                .map(|usage| usage.0.iter().map(ToString::to_string).collect()),
            subject_key_identifier: extension::<SubjectKeyIdentifier>(tbs).map(|id| hex(id.0.as_bytes())),
            der: der.into(),
        })
    }

    /// A self-signed certificate that is not made yet, as planning foresees it: no DER, and a thumbprint that follows from
    /// `mark` and stands for the one it will have. Never written anywhere.
    #[must_use]
    pub fn foreseen(
        mark: &str,
        subject: &str,
        names: &[String],
        key_bits: u32,
        valid: (Timestamp, Timestamp),
    ) -> Self {
        Self {
            thumbprint: Thumbprint::of_der(mark.as_bytes()),
            subject: subject.to_owned(),
            issuer: subject.to_owned(),
            common_name: subject.strip_prefix("CN=").map(str::to_owned),
            serial: String::new(),
            not_before: valid.0,
            not_after: valid.1,
            dns_names: names.to_vec(),
            key_algorithm: "RSA".to_owned(),
            key_bits: Some(key_bits),
            signature_algorithm: "sha256RSA".to_owned(),
            signature_hash: Some("sha256".to_owned()),
            self_signed: true,
            version: 3,
            is_ca: false,
            extended_key_usage: Some(vec!["1.3.6.1.5.5.7.3.1".to_owned()]),
            subject_key_identifier: None,
            der: mark.as_bytes().into(),
        }
    }

    /// The names a client may ask for: subjectAltName, or the common name when there is none.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        if self.dns_names.is_empty() {
            self.common_name.as_deref().into_iter().collect()
        } else {
            self.dns_names.iter().map(String::as_str).collect()
        }
    }

    /// Whether one of its [`names`](Self::names) covers `host`, without regard to case.
    ///
    /// A wildcard stands for exactly one first label (RFC 6125 §6.4.3).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.names().iter().any(|name| name_covers(name, host))
    }

    /// Whether every name it has is a wildcard.
    #[must_use]
    pub fn only_wildcards(&self) -> bool {
        let names = self.names();
        !names.is_empty() && names.iter().all(|name| name.starts_with("*."))
    }

    /// `<I>issuer<S>subject`, the name pair by which connectors refer to it (facts/exchange.md 2.7).
    #[must_use]
    pub fn tls_certificate_name(&self) -> String {
        format!("<I>{}<S>{}", self.issuer, self.subject)
    }
}

/// Whether the certificate name `name` covers `host`, without regard to case; a wildcard stands for one first label.
#[must_use]
pub fn name_covers(name: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((label, rest))) => !label.is_empty() && parent.eq_ignore_ascii_case(rest),
        _ => false,
    }
}

fn extension<'a, T>(
    tbs: &'a x509_cert::certificate::TbsCertificateInner<x509_cert::certificate::Raw>,
) -> Option<T>
where
    T: der::Decode<'a> + const_oid::AssociatedOid,
{
    let extension = tbs
        .extensions()?
        .iter()
        .find(|extension| extension.extn_id == T::OID)?;
    T::from_der(extension.extn_value.as_bytes()).ok()
}

fn dns_names(names: &SubjectAltName) -> Vec<String> {
    names
        .0
        .iter()
        .filter_map(|name| match name {
            GeneralName::DnsName(dns) => Some(dns.as_str().to_owned()),
            _ => None,
        })
        .collect()
}

fn signature(oid: &ObjectIdentifier) -> (String, Option<String>) {
    let (name, hash) = match oid.to_string().as_str() {
        "1.2.840.113549.1.1.2" => ("md2RSA", Some("md2")),
        "1.2.840.113549.1.1.4" => ("md5RSA", Some("md5")),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => ("sha1RSA", Some("sha1")),
        "1.2.840.113549.1.1.11" => ("sha256RSA", Some("sha256")),
        "1.2.840.113549.1.1.12" => ("sha384RSA", Some("sha384")),
        "1.2.840.113549.1.1.13" => ("sha512RSA", Some("sha512")),
        "1.2.840.113549.1.1.14" => ("sha224RSA", Some("sha224")),
        "1.2.840.113549.1.1.10" => ("RSASSA-PSS", None),
        "1.2.840.10045.4.1" => ("sha1ECDSA", Some("sha1")),
        "1.2.840.10045.4.3.2" => ("sha256ECDSA", Some("sha256")),
        "1.2.840.10045.4.3.3" => ("sha384ECDSA", Some("sha384")),
        "1.2.840.10045.4.3.4" => ("sha512ECDSA", Some("sha512")),
        "1.2.840.10040.4.3" => ("sha1DSA", Some("sha1")),
        _ => {
            return (
                DB.by_oid(oid).map_or_else(|| oid.to_string(), str::to_owned),
                None,
            );
        }
    };
    (name.to_owned(), hash.map(str::to_owned))
}

fn key(spki: &x509_cert::spki::SubjectPublicKeyInfoOwned) -> (String, Option<u32>) {
    match spki.algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => ("RSA".to_owned(), rsa_bits(spki.subject_public_key.raw_bytes())),
        "1.2.840.10045.2.1" => {
            let curve = spki
                .algorithm
                .parameters
                .as_ref()
                .and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            let bits = curve.and_then(|curve| match curve.to_string().as_str() {
                "1.2.840.10045.3.1.1" => Some(192),
                "1.2.840.10045.3.1.7" | "1.3.132.0.10" => Some(256),
                "1.3.132.0.33" => Some(224),
                "1.3.132.0.34" => Some(384),
                "1.3.132.0.35" => Some(521),
                _ => None,
            });
            ("ECC".to_owned(), bits)
        }
        other => (other.to_owned(), None),
    }
}

/// Bits of an RSAPublicKey's modulus (RFC 8017 A.1.1).
fn rsa_bits(key: &[u8]) -> Option<u32> {
    #[derive(der::Sequence)]
    struct RsaPublicKey<'a> {
        modulus: der::asn1::UintRef<'a>,
        exponent: der::asn1::UintRef<'a>,
    }
    let key = RsaPublicKey::from_der(key).ok()?;
    key.exponent.encoded_len().ok()?;
    let bytes = key.modulus.as_bytes();
    let first = bytes.first()?;
    u32::try_from(bytes.len() * 8)
        .ok()
        .map(|bits| bits - first.leading_zeros())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// How a certificate is written: the DER, and what a person wants to see beside it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Written {
    /// Upper-case hex SHA-1 of the DER.
    thumbprint: Thumbprint,
    /// For the reader's eye; the DER decides.
    #[serde(default)]
    subject: String,
    /// For the reader's eye; the DER decides.
    #[serde(default)]
    not_after: Option<Timestamp>,
    /// Base64 of the certificate.
    der: String,
}

impl Serialize for Certificate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written {
            thumbprint: self.thumbprint,
            subject: self.subject.clone(),
            not_after: Some(self.not_after),
            der: BASE64.encode(&self.der),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let written = Written::deserialize(deserializer)?;
        let der = BASE64.decode(written.der.as_bytes()).map_err(D::Error::custom)?;
        let certificate = Self::from_der(&der).map_err(D::Error::custom)?;
        if certificate.thumbprint != written.thumbprint {
            return Err(D::Error::custom(format!(
                "expected the certificate {}, found the DER of {}",
                written.thumbprint, certificate.thumbprint
            )));
        }
        Ok(certificate)
    }
}

impl JsonSchema for Certificate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Certificate".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_one_label_only() {
        assert!(name_covers("*.example.org", "mail.EXAMPLE.org"));
        assert!(!name_covers("*.example.org", "a.b.example.org"));
        assert!(!name_covers("*.example.org", "example.org"));
        assert!(!name_covers("*.example.org", ".example.org"));
        assert!(name_covers("mail.example.org", "mail.example.org."));
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_its_length() {
        let error = Certificate::from_der(b"\x30\x03abc").unwrap_err();
        assert_eq!(error.len, 5);
    }
}
