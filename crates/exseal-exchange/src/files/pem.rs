//! Certificates by themselves: PEM, DER, P7B, PFX. Of unknown use until told.

use der::asn1::{Any, AnyRef, ObjectIdentifier};
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber};
use exseal_model::Channel;
use p12_keystore::Pkcs12Archive;

use super::{Options, Page};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Reads a file that begins as DER: a certificate, a P7B or a PFX.
pub(super) fn read_der(page: &mut Page, bytes: &[u8], options: &Options<'_>) {
    if let Ok(certificate) = exseal_model::Certificate::from_der(bytes) {
        let source = page.source(Channel::Person, "certificate file", false);
        let thumbprint = page.inventory.keep(certificate);
        return page.loose(thumbprint, false, None, source);
    }
    if bytes.starts_with(&[0x30, 0x80]) && !is_pfx(bytes) {
        page.error(
            "byte 1",
            "DER, with the length of each element",
            "BER of indefinite length",
        );
        return page.not_recognised("BER of indefinite length: openssl can rewrite it as DER");
    }
    if let Some(certificates) = signed_data(bytes) {
        let source = page.source(Channel::Person, "P7B", false);
        if certificates.is_empty() {
            page.error("the file", "certificates in the P7B", "none");
        }
        for (at, der) in certificates.iter().enumerate() {
            if let Some(thumbprint) = page.keep(der, &format!("certificate {}", at + 1)) {
                page.loose(thumbprint, false, None, source);
            }
        }
        return;
    }
    if is_pfx(bytes) {
        return read_pfx(page, bytes, options);
    }
    page.error(
        "byte 0",
        "a certificate, P7B or PFX in DER",
        match first_element(bytes) {
            Some(element) if element.len() == bytes.len() => "DER that is none of them",
            Some(_) => "DER with something behind it",
            None => "DER that ends too early",
        },
    );
    page.not_recognised("DER that is no certificate, P7B or PFX");
}

/// Reads every certificate of a PEM text; a key in it is noted and never kept.
///
/// Which certificate the key belongs to is not looked at: the first one is taken, as every tool writes it.
pub(super) fn read_pem(page: &mut Page, text: &str) {
    let source = page.source(Channel::Person, "PEM", false);
    let mut has_key = text.contains("PRIVATE KEY-----");
    let mut others: Vec<&str> = Vec::new();
    for (number, block) in text.split("-----BEGIN ").skip(1).enumerate() {
        let at = format!("block {}", number + 1);
        let Some((label, body)) = block.split_once("-----") else {
            page.error(at, "a label and -----", "none");
            continue;
        };
        let Some((body, _)) = body.split_once("-----END ") else {
            page.error(at, format!("-----END {label}-----"), "the end, or the next block");
            continue;
        };
        match label {
            "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => {
                let Some(mut der) = base64(page, body, &at) else {
                    continue;
                };
                if label == "TRUSTED CERTIFICATE" {
                    der = first_element(&der).map_or(der.clone(), <[u8]>::to_vec);
                }
                if let Some(thumbprint) = page.keep(&der, &at) {
                    page.loose(thumbprint, std::mem::take(&mut has_key), None, source);
                }
            }
            "PKCS7" | "CMS" => {
                let Some(der) = base64(page, body, &at) else {
                    continue;
                };
                match signed_data(&der) {
                    Some(certificates) => {
                        for der in &certificates {
                            if let Some(thumbprint) = page.keep(der, &at) {
                                page.loose(thumbprint, false, None, source);
                            }
                        }
                    }
                    None => page.error(at, "SignedData with certificates", "something else"),
                }
            }
            other if other.contains("PRIVATE KEY") => {}
            other => others.push(other),
        }
    }
    if page.inventory.of_unknown_use.is_empty() && page.inventory.errors.is_empty() || !others.is_empty() {
        page.not_recognised(if others.is_empty() {
            "PEM without a certificate".to_owned()
        } else {
            format!("PEM of {}", others.join(", "))
        });
    }
}

/// The first DER element of some bytes, with its header; OpenSSL puts trust settings behind the certificate.
fn first_element(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(bytes).ok()?;
    reader.tlv_bytes().ok()
}

fn base64(page: &mut Page, body: &str, at: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let plain: String = body.split_ascii_whitespace().collect();
    match base64::engine::general_purpose::STANDARD.decode(plain) {
        Ok(der) => Some(der),
        Err(error) => {
            page.error(at, "base64", error.to_string());
            None
        }
    }
}

/// The certificates of a PKCS#7 SignedData (RFC 5652 §5.1); `None` when the bytes are none.
fn signed_data(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut outer = SliceReader::new(content(bytes, Tag::Sequence)?).ok()?;
    if ObjectIdentifier::decode(&mut outer).ok()? != SIGNED_DATA {
        return None;
    }
    let explicit = AnyRef::decode(&mut outer).ok()?;
    let mut data = SliceReader::new(content(explicit.value(), Tag::Sequence)?).ok()?;
    let mut found = Vec::new();
    while !data.is_finished() {
        let Ok(element) = AnyRef::decode(&mut data) else {
            break;
        };
        let certificates = Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(0),
        };
        if der::Tagged::tag(&element) == certificates {
            let mut inside = SliceReader::new(element.value()).ok()?;
            while !inside.is_finished() {
                found.push(Any::decode(&mut inside).ok()?.to_der().ok()?);
            }
        }
    }
    Some(found)
}

/// The content of an element of the given tag at the beginning of `bytes`.
fn content(bytes: &[u8], tag: Tag) -> Option<&[u8]> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let element = AnyRef::decode(&mut reader).ok()?;
    (der::Tagged::tag(&element) == tag).then(|| element.value())
}

/// Whether the bytes are a PFX: version 3, then its content (RFC 7292 §4). Indefinite lengths (BER) count too.
fn is_pfx(bytes: &[u8]) -> bool {
    let inner = match bytes {
        [0x30, 0x80, rest @ ..] => rest,
        _ => content(bytes, Tag::Sequence).unwrap_or_default(),
    };
    inner.starts_with(&[0x02, 0x01, 0x03, 0x30])
}

fn read_pfx(page: &mut Page, bytes: &[u8], options: &Options<'_>) {
    let source = page.source(Channel::Person, "PFX", false);
    let most = options.limits.key_rounds;
    if key_rounds(bytes) > most {
        return page.error(
            "the file",
            format!("a PFX whose keys take at most {most} rounds to derive"),
            "more: opening it would take too long",
        );
    }
    let file = page.file.clone();
    let opened = open_pfx(bytes, "").or_else(|_| match (options.password)(&file) {
        Some(password) => open_pfx(bytes, password.expose()),
        None => Err("no password was given".to_owned()),
    });
    let archive = match opened {
        Ok(archive) => archive,
        Err(found) => return page.error("the file", "a PFX and its password", found),
    };
    if archive.certs.is_empty() {
        page.error("the file", "a PFX with a certificate", "none");
    }
    let lone_key = archive.keys.len() == 1 && archive.certs.len() == 1;
    for (at, bag) in archive.certs.iter().enumerate() {
        let Some(thumbprint) = page.keep(bag.cert.as_der(), &format!("certificate {}", at + 1)) else {
            continue;
        };
        // The name of the key's own bag is a container's, often a GUID: not the certificate's.
        let has_key = bag.local_key_id.as_deref().is_some_and(|id| {
            archive
                .keys
                .iter()
                .any(|key| key.local_key_id.as_ref().is_some_and(|own| own.as_ref() == id))
        });
        page.loose(thumbprint, has_key || lone_key, bag.friendly_name.clone(), source);
    }
}

/// The rounds that a PFX asks for in all, as far as it says so in the open: a count stands behind its salt (PBMAC, PKCS#12
/// PBE and PBKDF2 parameters; RFC 7292 §4, RFC 8018 A.2), and what is packed in an OCTET STRING counts too.
fn key_rounds(bytes: &[u8]) -> u64 {
    let mut rounds = 0_u64;
    let mut inside: Vec<(&[u8], usize)> = vec![(bytes, 0)];
    while let Some((content, depth)) = inside.pop() {
        let Ok(mut reader) = SliceReader::new(content) else {
            continue;
        };
        let mut behind_salt = false;
        while let Ok(element) = AnyRef::decode(&mut reader) {
            let tag = der::Tagged::tag(&element);
            if tag == Tag::Integer && behind_salt {
                let count = element.value().iter().fold(0_u64, |sum, byte| {
                    sum.saturating_mul(256).saturating_add(u64::from(*byte))
                });
                rounds = rounds.saturating_add(count);
            }
            behind_salt = tag == Tag::OctetString;
            if depth < 32 && (tag.is_constructed() || behind_salt) {
                inside.push((element.value(), depth + 1));
            }
        }
    }
    rounds
}

fn open_pfx(bytes: &[u8], password: &str) -> Result<Pkcs12Archive, String> {
    Pkcs12Archive::from_pkcs12(bytes, password)
        .map_err(|_| "one that cannot be opened: the password is wrong, or the file is damaged".to_owned())
}
