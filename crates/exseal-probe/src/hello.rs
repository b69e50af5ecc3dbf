//! A ClientHello of our own, for servers `rustls` cannot speak with. RFC 5246 §7.4.1.2, RFC 8446 §4.1.2.
//!
//! It offers what clients of the last twenty years offered, so that an old server answers with its certificate. It is never
//! followed by a handshake.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// SSL 3.0: never offered, but told when a server answers so.
    #[serde(rename = "SSL 3.0")]
    Ssl3,
    /// 1.0.
    #[serde(rename = "TLS 1.0")]
    Tls10,
    /// 1.1.
    #[serde(rename = "TLS 1.1")]
    Tls11,
    /// 1.2.
    #[serde(rename = "TLS 1.2")]
    Tls12,
    /// 1.3.
    #[serde(rename = "TLS 1.3")]
    Tls13,
}

impl Version {
    /// Those a sweep asks for, oldest first.
    pub const SWEPT: [Self; 4] = [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Ssl3 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    /// The version of a number; `None`: none we know.
    #[must_use]
    pub const fn of(number: u16) -> Option<Self> {
        Some(match number {
            0x0300 => Self::Ssl3,
            0x0301 => Self::Tls10,
            0x0302 => Self::Tls11,
            0x0303 => Self::Tls12,
            0x0304 => Self::Tls13,
            _ => return None,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// Suites with a certificate, the usual ones of 1.2 and before: ECDHE, DHE, RSA; GCM, CBC, 3DES, RC4 (IANA registry).
const SUITES: &[u16] = &[
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, 0xc023, 0xc027, 0xc024, 0xc028, 0xc009,
    0xc013, 0xc00a, 0xc014, 0x0067, 0x006b, 0x0033, 0x0039, 0x0032, 0x0038, 0x009c, 0x009d, 0x003c, 0x003d,
    0x002f, 0x0035, 0xc012, 0xc008, 0x0016, 0x0013, 0x000a, 0xc011, 0xc007, 0x0005, 0x0004, 0x00ff,
];
/// Suites of 1.3.
const SUITES_13: &[u16] = &[0x1301, 0x1302, 0x1303];
/// x25519, P-256, P-384, P-521.
const GROUPS: &[u16] = &[0x001d, 0x0017, 0x0018, 0x0019];
/// ECDSA, PSS and PKCS#1 with SHA-2, then SHA-1, DSA and MD5 of old servers.
const SCHEMES: &[u16] = &[
    0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806, 0x0601, 0x0203, 0x0201, 0x0202, 0x0402,
    0x0101,
];

/// Writes a ClientHello that offers exactly `version` (before 1.3: at most it), in one record.
///
/// `random` is 64 bytes nobody can guess: the first half the hello's, the second the key share of 1.3, which every 32 bytes
/// are on x25519. `name` is asked for (SNI) where it is given and a DNS name.
#[must_use]
pub fn client_hello(version: Version, name: Option<&str>, random: &[u8; 64]) -> Vec<u8> {
    let (hello_random, share) = random.split_at(32);
    let mut extensions = Vec::new();
    if let Some(name) = name.filter(|name| name.parse::<std::net::IpAddr>().is_err()) {
        let name = name.trim_end_matches('.').as_bytes();
        let mut entry = vec![0];
        block16(&mut entry, name);
        let mut list = Vec::new();
        block16(&mut list, &entry);
        extension(&mut extensions, 0x0000, &list);
    }
    extension(&mut extensions, 0x000a, &list16(GROUPS));
    extension(&mut extensions, 0x000b, &[1, 0]);
    if version >= Version::Tls12 {
        extension(&mut extensions, 0x000d, &list16(SCHEMES));
    }
    if version == Version::Tls13 {
        extension(&mut extensions, 0x002b, &[2, 0x03, 0x04]);
        let mut entry = vec![0x00, 0x1d];
        block16(&mut entry, share);
        let mut shares = Vec::new();
        block16(&mut shares, &entry);
        extension(&mut extensions, 0x0033, &shares);
    }

    let mut body = Vec::new();
    let legacy = version.number().min(Version::Tls12.number());
    body.extend(legacy.to_be_bytes());
    body.extend(hello_random);
    body.push(0);
    body.extend(list16(if version == Version::Tls13 {
        SUITES_13
    } else {
        SUITES
    }));
    body.extend([1, 0]);
    block16(&mut body, &extensions);

    let mut message = vec![1];
    let length = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
    message.extend(&length[1..]);
    message.extend(body);

    let mut record = vec![22, 0x03, 0x01];
    block16(&mut record, &message);
    record
}

/// Appends a block behind its length of 16 bits. Blocks here are some hundred bytes.
fn block16(out: &mut Vec<u8>, block: &[u8]) {
    out.extend(u16::try_from(block.len()).unwrap_or_default().to_be_bytes());
    out.extend(block);
}

fn extension(out: &mut Vec<u8>, number: u16, body: &[u8]) {
    out.extend(number.to_be_bytes());
    block16(out, body);
}

fn list16(numbers: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    let mut out = Vec::new();
    block16(&mut out, &bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_agree_and_the_name_is_in_it() {
        for version in Version::SWEPT {
            let hello = client_hello(version, Some("mail.example.org"), &[7; 64]);
            let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
            assert_eq!(record + 5, hello.len());
            let message = u32::from_be_bytes([0, hello[6], hello[7], hello[8]]);
            assert_eq!(usize::try_from(message).unwrap() + 9, hello.len());
            assert!(hello.windows(16).any(|window| window == b"mail.example.org"));
            let without = client_hello(version, Some("192.0.2.1"), &[7; 64]);
            assert!(without.len() < hello.len(), "an address is no name to ask for");
        }
    }

    /// `rustls` as a foreign judge: it takes the hello as a server and says which name it asks for.
    #[test]
    fn a_server_of_others_reads_it() {
        for version in [Version::Tls12, Version::Tls13] {
            let hello = client_hello(version, Some("mail.example.org"), &[9; 64]);
            let mut acceptor = rustls::server::Acceptor::default();
            acceptor.read_tls(&mut hello.as_slice()).unwrap();
            let accepted = acceptor
                .accept()
                .expect("it is well-formed")
                .expect("it is whole");
            assert_eq!(accepted.client_hello().server_name(), Some("mail.example.org"));
            assert!(!accepted.client_hello().cipher_suites().is_empty());
        }
    }
}
