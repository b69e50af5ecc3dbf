//! The serialised form of a certificate in a CryptoAPI store: properties, then the certificate.
//!
//! Records of `{u32 property id, u32 encoding = 1, u32 length, bytes}`, little-endian; the certificate is property 32
//! (facts/active-directory.md 1.2). Exchange keeps certificates so in `CertData` and in the directory.

/// What a serialised element holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerializedCertificate {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// Friendly name (property 11); `None`: there is none.
    pub friendly_name: Option<String>,
    /// Where its private key is (property 2); `None`: it names none.
    pub key: Option<KeyProvider>,
    /// The ids of all properties, in order.
    pub properties: Vec<u32>,
}

/// CRYPT_KEY_PROV_INFO, as stored. Names only; a key is never part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProvider {
    /// Container name.
    pub container: String,
    /// Provider name; empty: the default of its type.
    pub provider: String,
    /// Provider type: 12 PROV_RSA_SCHANNEL; 0: a CNG key storage provider.
    pub provider_type: u32,
    /// Flags: 32 CRYPT_MACHINE_KEYSET.
    pub flags: u32,
    /// Key spec: 1 AT_KEYEXCHANGE, 2 AT_SIGNATURE.
    pub key_spec: u32,
}

/// Bytes that are no serialised certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: expected {expected}, found {found}")]
pub struct SerializedCertError {
    /// The byte, from 0.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
    /// What stood there.
    pub found: String,
}

const KEY_PROV_INFO: u32 = 2;
const FRIENDLY_NAME: u32 = 11;
const CERTIFICATE: u32 = 32;

impl SerializedCertificate {
    /// Reads an element; bytes that begin as a DER sequence of more than 127 bytes are the certificate itself.
    ///
    /// An element whose first property has the id 48 begins with 0x30 as well, but a zero stands behind it.
    ///
    /// # Errors
    ///
    /// [`SerializedCertError`] when a record is cut short or no certificate is among them.
    pub fn read(bytes: &[u8]) -> Result<Self, SerializedCertError> {
        if let [0x30, 0x80..=0xff, ..] = bytes {
            return Ok(Self {
                der: bytes.to_vec(),
                ..Self::default()
            });
        }
        let mut read = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let cut = |expected: &'static str| SerializedCertError {
                at,
                expected,
                found: format!("{} bytes", bytes.len() - at),
            };
            let (header, behind) = rest
                .split_first_chunk::<12>()
                .ok_or_else(|| cut("a record's 12 bytes of header"))?;
            let ([id, encoding, length], _) = header.as_chunks::<4>() else {
                return Err(cut("a record's header"));
            };
            let (id, encoding, length) = (
                u32::from_le_bytes(*id),
                u32::from_le_bytes(*encoding),
                u32::from_le_bytes(*length),
            );
            if id == 0 && length == 0 {
                break;
            }
            if encoding != 1 {
                return Err(SerializedCertError {
                    at: at + 4,
                    expected: "encoding 1",
                    found: encoding.to_string(),
                });
            }
            let value = usize::try_from(length)
                .ok()
                .and_then(|length| behind.split_at_checked(length));
            let (value, behind) = value.ok_or_else(|| cut("as many bytes as the record announces"))?;
            read.properties.push(id);
            match id {
                CERTIFICATE => read.der = value.to_vec(),
                FRIENDLY_NAME => read.friendly_name = Some(utf16(value)),
                KEY_PROV_INFO => read.key = key_provider(value),
                _ => {}
            }
            rest = behind;
        }
        if read.der.is_empty() {
            return Err(SerializedCertError {
                at: bytes.len(),
                expected: "a record 32, the certificate",
                found: format!("records {:?}", read.properties),
            });
        }
        Ok(read)
    }
}

/// Reads the stored form: offsets to both names (from its beginning), type, flags, parameter count and place, key spec.
fn key_provider(bytes: &[u8]) -> Option<KeyProvider> {
    let word = |at: usize| {
        bytes
            .get(at..at + 4)
            .and_then(|bytes| bytes.first_chunk::<4>())
            .map(|bytes| u32::from_le_bytes(*bytes))
    };
    let name = |at: u32| {
        if at == 0 {
            return Some(String::new()); // a null pointer, where Windows keeps the default
        }
        let from = bytes.get(usize::try_from(at).ok()?..)?;
        Some(utf16(from))
    };
    Some(KeyProvider {
        container: name(word(0)?)?,
        provider: name(word(4)?)?,
        provider_type: word(8)?,
        flags: word(12)?,
        key_spec: word(24)?,
    })
}

/// UTF-16LE up to the first zero.
fn utf16(bytes: &[u8]) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|&unit| unit != 0)
        .collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod provider_tests {
    use super::*;

    #[test]
    fn a_provider_at_offset_zero_is_the_default_of_its_type() {
        let mut bytes: Vec<u8> = [28_u32, 0, 12, 32, 0, 0, 1]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        bytes.extend("c\0".encode_utf16().flat_map(u16::to_le_bytes));

        let key = key_provider(&bytes).expect("a key");

        assert_eq!((key.container.as_str(), key.provider.as_str()), ("c", ""));
        assert_eq!((key.provider_type, key.key_spec), (12, 1));
    }
}
