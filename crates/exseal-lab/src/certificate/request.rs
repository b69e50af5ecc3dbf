//! Certificate signing requests (PKCS#10), as `New-ExchangeCertificate -GenerateRequest` makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::der;
use super::key::{Hash, KeyError, PrivateKey};
use super::name::Name;

/// A request, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// In DER.
    pub(crate) der: Vec<u8>,
}

impl Request {
    pub(crate) fn new(subject: &Name, names: &[String], key: &PrivateKey) -> Result<Self, KeyError> {
        let text = |value: &str| {
            let units: Vec<u8> = value.encode_utf16().flat_map(u16::to_be_bytes).collect();
            der::element(30, &units)
        };
        let utf8 = |value: &str| der::element(12, value.as_bytes());
        let attribute = |dotted: &str, value: Vec<u8>| der::sequence(&[der::oid(dotted), der::set(&[value])]);
        let mut extensions = vec![der::sequence(&[
            der::oid("2.5.29.15"),
            der::element(1, &[0xff]),
            der::element(4, &[3, 2, 5, 0xa0]),
        ])];
        if !names.is_empty() {
            let names: Vec<Vec<u8>> = names
                .iter()
                .map(|name| der::element(0x82, name.as_bytes()))
                .collect();
            extensions.push(der::sequence(&[
                der::oid("2.5.29.17"),
                der::element(4, &der::sequence(&names)),
            ]));
        }
        let client = der::sequence(&[
            der::element(2, &[5]),
            utf8("simulated"),
            utf8("NT AUTHORITY\\SYSTEM"),
            utf8("Microsoft.Exchange.ServiceHost.exe"),
        ]);
        let provider = der::sequence(&[
            der::element(2, &[1]),
            text("Microsoft RSA SChannel Cryptographic Provider"),
            der::element(3, &[0]),
        ]);
        let attributes = [
            attribute("1.3.6.1.4.1.311.21.20", client),
            attribute("1.3.6.1.4.1.311.13.2.2", provider),
            attribute("1.2.840.113549.1.9.14", der::sequence(&extensions)),
        ];
        let info = der::sequence(&[
            der::element(2, &[0]),
            subject.der().to_vec(),
            key.public().to_vec(),
            der::element(0xa0, &attributes.concat()),
        ]);
        let signature = key.sign(&info, Hash::Sha256)?;
        Ok(Self {
            der: der::sequence(&[info, key.algorithm(Hash::Sha256), der::bit_string(&signature)]),
        })
    }

    /// As text, lines of 64 digits, with the header the vendor writes.
    pub(crate) fn text(&self) -> String {
        pem(&self.der, "NEW CERTIFICATE REQUEST")
    }
}

/// A request, read: what a CA needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) subject: Name,
    /// DNS names of the SAN it asks for.
    pub(crate) names: Vec<String>,
    /// SubjectPublicKeyInfo.
    pub(crate) public: Vec<u8>,
}

/// A text that is no request, or one that is not signed by its own key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a certificate request (PKCS#10) in PEM or Base64, found {0}")]
pub struct RequestError(pub String);

impl Asked {
    /// Reads a request and checks its signature.
    pub(crate) fn read(text: &str) -> Result<Self, RequestError> {
        let wrong = |found: &str| RequestError(found.to_owned());
        let digits: String = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let bytes = BASE64
            .decode(digits)
            .map_err(|error| RequestError(error.to_string()))?;
        let (whole, _) = der::split(&bytes).ok_or_else(|| wrong("no DER sequence"))?;
        let outer = der::children(whole.content);
        let [info, algorithm, signature] = outer[..] else {
            return Err(wrong("not three parts"));
        };
        let parts = der::children(info.content);
        let [_, subject, public, ..] = parts[..] else {
            return Err(wrong("no subject and key"));
        };
        let kind = der::children(algorithm.content)
            .first()
            .map(|kind| der::dotted(kind.content))
            .unwrap_or_default();
        verify(&kind, public.content, info.whole, signature.content)?;
        let names = parts
            .iter()
            .filter(|part| part.tag == 0xa0)
            .flat_map(|part| der::children(part.content))
            .flat_map(|attribute| wanted_names(attribute.content))
            .collect();
        Ok(Self {
            subject: Name::of_der(subject.whole),
            names,
            public: public.whole.to_vec(),
        })
    }
}

/// The DNS names of an attribute, when it is the one of the extensions.
fn wanted_names(attribute: &[u8]) -> Vec<String> {
    let parts = der::children(attribute);
    let [kind, values, ..] = parts[..] else {
        return Vec::new();
    };
    if der::dotted(kind.content) != "1.2.840.113549.1.9.14" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for list in der::children(values.content) {
        for extension in der::children(list.content) {
            let parts = der::children(extension.content);
            let (Some(kind), Some(value)) = (parts.first(), parts.last()) else {
                continue;
            };
            if der::dotted(kind.content) != "2.5.29.17" {
                continue;
            }
            let names = der::split(value.content).map_or(&[][..], |(inner, _)| inner.content);
            found.extend(
                der::children(names)
                    .iter()
                    .filter(|name| name.tag == 0x82)
                    .map(|name| String::from_utf8_lossy(name.content).into_owned()),
            );
        }
    }
    found
}

/// Proof of possession: the request is signed by the key it is about.
fn verify(kind: &str, public: &[u8], message: &[u8], signature: &[u8]) -> Result<(), RequestError> {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
    };

    let algorithm: &'static dyn VerificationAlgorithm = match kind {
        "1.2.840.113549.1.1.11" => &RSA_PKCS1_2048_8192_SHA256,
        "1.2.840.10045.4.3.2" => &ECDSA_P256_SHA256_ASN1,
        other => return Err(RequestError(format!("one signed by {other}, not with SHA-256"))),
    };
    let parts = der::children(public);
    let key = parts
        .get(1)
        .and_then(|bits| bits.content.get(1..))
        .unwrap_or_default();
    let signature = signature.get(1..).unwrap_or_default();
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .map_err(|_| RequestError("a signature that is not of the key in it".to_owned()))
}

/// PEM with Windows line ends.
pub(crate) fn pem(der: &[u8], label: &str) -> String {
    let digits = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\r\n");
    for line in digits.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push_str("\r\n");
    }
    text.push_str(&format!("-----END {label}-----\r\n"));
    text
}
