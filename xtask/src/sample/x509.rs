//! Certificates of the sample: made with keys that live in memory while the sample is made, then are gone.
//!
//! DER is written by hand, because the sample needs certificates that no careful library makes: 1,024
//! bits, SHA-1, no names.

use jiff::civil::DateTime;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPrivateKey as PrivateKey, RsaPublicKey as PublicKey};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::{Failure, Result};

/// What a certificate of the sample looks like.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    /// As Exchange shows it: `CN=a, O=b`, the most specific part first.
    pub(super) subject: &'a str,
    /// The DNS names of subjectAltName, in order; empty: no such extension.
    pub(super) names: &'a [&'a str],
    /// UTC, `2026-11-24T09:00:00`.
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) bits: usize,
    pub(super) hash: Hash,
    /// The serial number; 16 bytes.
    pub(super) serial: [u8; 16],
}

/// The hash of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

/// Who signs: a name and its key.
pub(super) struct Authority {
    subject: String,
    key: PrivateKey,
}

/// A certificate that was made; its key is gone.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) der: Vec<u8>,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) serial: String,
    pub(super) from: DateTime,
    pub(super) to: DateTime,
    pub(super) self_signed: bool,
}

impl Made {
    /// SHA-1 of the certificate, 20 bytes.
    pub(super) fn hash(&self) -> [u8; 20] {
        Sha1::digest(&self.der).into()
    }

    /// The thumbprint as Exchange prints it.
    pub(super) fn thumbprint(&self) -> String {
        hex(&self.hash())
    }

    /// `<I>issuer<S>subject`, as connectors name a certificate.
    pub(super) fn name_pair(&self) -> String {
        format!("<I>{}<S>{}", self.issuer, self.subject)
    }
}

/// Upper-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

impl Authority {
    /// An issuing authority of a name that nobody trusts.
    pub(super) fn new(subject: &str) -> Result<Self> {
        Ok(Self {
            subject: subject.to_owned(),
            key: new_key(2048)?,
        })
    }
}

fn new_key(bits: usize) -> Result<PrivateKey> {
    Ok(PrivateKey::new(&mut rand::rng(), bits)?)
}

/// Makes a certificate; without an authority it signs itself.
///
/// # Errors
///
/// A subject or a date that cannot be written.
pub(super) fn make(wanted: &Wanted<'_>, authority: Option<&Authority>) -> Result<Made> {
    let own = new_key(wanted.bits)?;
    let (issuer, signer) = authority.map_or((wanted.subject, &own), |by| (by.subject.as_str(), &by.key));
    let (from, to): (DateTime, DateTime) = (wanted.from.parse()?, wanted.to.parse()?);

    // sha1WithRSAEncryption and sha256WithRSAEncryption, with NULL parameters.
    let algorithm = sequence(&[
        &match wanted.hash {
            Hash::Sha1 => oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]),
            Hash::Sha256 => oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]),
        },
        &tlv(0x05, &[]),
    ]);
    let body = sequence(&[
        &tlv(0xa0, &integer(&[2])), // version 3
        &integer(&wanted.serial),
        &algorithm,
        &name(issuer)?,
        &sequence(&[&time(from), &time(to)]),
        &name(wanted.subject)?,
        &public_key(&own.to_public_key()),
        &tlv(0xa3, &extensions(wanted.names)),
    ]);
    let signature = match wanted.hash {
        Hash::Sha1 => signer.sign(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(&body))?,
        Hash::Sha256 => signer.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(&body))?,
    };
    Ok(Made {
        der: sequence(&[&body, &algorithm, &bits(&signature)]),
        subject: wanted.subject.to_owned(),
        issuer: issuer.to_owned(),
        serial: hex(&wanted.serial),
        from,
        to,
        self_signed: authority.is_none(),
    })
}

/// keyUsage and extendedKeyUsage serverAuth as Exchange's own certificates have them, and the names.
fn extensions(names: &[&str]) -> Vec<u8> {
    let extension = |id: &[u8], critical: bool, value: &[u8]| {
        let critical = if critical { tlv(0x01, &[0xff]) } else { Vec::new() };
        sequence(&[&oid(id), &critical, &tlv(0x04, value)])
    };
    let names: Vec<u8> = names.iter().flat_map(|name| tlv(0x82, name.as_bytes())).collect();
    let alternative = if names.is_empty() {
        Vec::new()
    } else {
        extension(&[0x55, 0x1d, 0x11], false, &tlv(0x30, &names))
    };
    sequence(&[
        &extension(&[0x55, 0x1d, 0x0f], true, &[0x03, 0x02, 0x05, 0xa0]),
        &alternative,
        &extension(
            &[0x55, 0x1d, 0x25],
            false,
            &sequence(&[&oid(&[0x2b, 6, 1, 5, 5, 7, 3, 1])]),
        ),
        &extension(&[0x55, 0x1d, 0x13], true, &sequence(&[])),
    ])
}

fn public_key(key: &PublicKey) -> Vec<u8> {
    let algorithm = sequence(&[
        &oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]),
        &tlv(0x05, &[]),
    ]);
    let numbers = sequence(&[&integer(&key.n_bytes()), &integer(&key.e_bytes())]);
    sequence(&[&algorithm, &bits(&numbers)])
}

/// A distinguished name from its display form, which is in reverse order.
fn name(shown: &str) -> Result<Vec<u8>> {
    let mut parts = Vec::new();
    for part in shown.split(", ").collect::<Vec<_>>().into_iter().rev() {
        let (kind, value) = part
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("expected `CN=…` in a name, found {part:?}")))?;
        // UTF8String, but IA5String for a domain component and PrintableString for a country.
        let (id, tag): (&[u8], u8) = match kind {
            "CN" => (&[0x55, 4, 3], 0x0c),
            "O" => (&[0x55, 4, 10], 0x0c),
            "OU" => (&[0x55, 4, 11], 0x0c),
            "L" => (&[0x55, 4, 7], 0x0c),
            "C" => (&[0x55, 4, 6], 0x13),
            "DC" => (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], 0x16),
            other => {
                return Err(Failure::new(format!(
                    "expected a known attribute in a name, found {other}"
                )));
            }
        };
        parts.push(tlv(0x31, &sequence(&[&oid(id), &tlv(tag, value.as_bytes())])));
    }
    Ok(sequence(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// UTCTime; the sample lives before 2050.
fn time(at: DateTime) -> Vec<u8> {
    tlv(0x17, at.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
}

fn oid(content: &[u8]) -> Vec<u8> {
    tlv(0x06, content)
}

fn bits(content: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], content].concat())
}

/// A non-negative number from its big-endian bytes.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let significant = bytes
        .iter()
        .position(|&byte| byte != 0)
        .unwrap_or(bytes.len().saturating_sub(1));
    let bytes = bytes.get(significant..).unwrap_or_default();
    let sign: &[u8] = if bytes.first().is_some_and(|&first| first >= 0x80) {
        &[0]
    } else {
        &[]
    };
    tlv(0x02, &[sign, bytes].concat())
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes: Vec<u8> = length
                .to_be_bytes()
                .into_iter()
                .skip_while(|&byte| byte == 0)
                .collect();
            out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(u8::MAX));
            out.extend(bytes);
        }
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use exseal_model::Certificate;

    fn wanted() -> Wanted<'static> {
        Wanted {
            subject: "CN=mail.kiefer.example, O=Kiefer Möbel AG, C=DE",
            names: &["mail.kiefer.example", "autodiscover.kiefer.example"],
            from: "2026-01-02T03:04:05",
            to: "2027-01-02T03:04:05",
            bits: 1024,
            hash: Hash::Sha1,
            serial: [0x8f; 16],
        }
    }

    #[test]
    fn a_made_certificate_is_read_as_it_was_wanted() {
        let made = make(&wanted(), None).expect("a certificate");

        let read = Certificate::from_der(&made.der).expect("it is one");

        assert_eq!(read.subject, made.subject);
        assert_eq!(read.issuer, made.issuer);
        assert_eq!(
            read.dns_names,
            ["mail.kiefer.example", "autodiscover.kiefer.example"]
        );
        assert_eq!(read.thumbprint.to_string(), made.thumbprint());
        assert_eq!(read.not_after.to_string(), "2027-01-02T03:04:05Z");
        assert!(read.self_signed);
    }

    #[test]
    fn an_authority_is_the_issuer_and_the_name_pair_says_so() {
        let authority = Authority::new("CN=Nordlicht CA, O=Nordlicht").expect("a key");
        let made = make(&wanted(), Some(&authority)).expect("a certificate");

        let read = Certificate::from_der(&made.der).expect("it is one");

        assert!(!read.self_signed);
        assert_eq!(
            made.name_pair(),
            format!("<I>CN=Nordlicht CA, O=Nordlicht<S>{}", wanted().subject)
        );
    }

    #[test]
    fn an_integer_with_its_top_bit_set_gets_a_zero_in_front_and_leading_zeros_go() {
        assert_eq!(integer(&[0x80]), [0x02, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0, 1]), [0x02, 1, 1]);
        assert_eq!(integer(&[0]), [0x02, 1, 0]);
    }
}
