//! Certificate signing requests (PKCS#10), as `New-ExchangeCertificate -GenerateRequest` makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::der;
use super::key::{KeyError, PrivateKey};
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
        let signature = key.sign(&info)?;
        Ok(Self {
            der: der::sequence(&[info, key.algorithm(), der::bit_string(&signature)]),
        })
    }

    /// As text, lines of 64 digits, with the header the vendor writes.
    pub(crate) fn text(&self) -> String {
        pem(&self.der, "NEW CERTIFICATE REQUEST")
    }
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
