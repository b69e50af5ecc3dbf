//! What is carried and never shown, and the key exchange that lets it travel: [MS-PSRP] 2.2.5.1.24 and 3.1.1.1.3.
//!
//! Randomness is an argument. A key pair is made once for a program and may serve any number of sessions.

use std::fmt;

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use rsa::pkcs8::DecodePrivateKey as _;
pub use rsa::rand_core;
use rsa::rand_core::CryptoRng;
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Pkcs1v15Encrypt, RsaPrivateKey as PrivateKey, RsaPublicKey as PublicKey};
use zeroize::Zeroize as _;

/// Text that is not logged: its `Debug` prints a word, and it is overwritten when dropped.
///
/// UTF-16 code units, as a .NET SecureString has them; lone surrogates survive.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u16>);

impl Secret {
    /// Takes code units.
    pub const fn from_units(units: Vec<u16>) -> Self {
        Self(units)
    }

    /// The code units.
    pub fn units(&self) -> &[u16] {
        &self.0
    }

    /// The text in clear, lone surrogates replaced.
    pub fn reveal(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        rest.is_empty()
            .then(|| Self(pairs.iter().copied().map(u16::from_le_bytes).collect()))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Why a key or a secret cannot be used. Holds nothing of either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// A secure string came or is to go before the keys were exchanged.
    #[error("expected a session key, found none: the keys were not exchanged")]
    NoKey,
    /// A blob of the key exchange has another shape than CryptoAPI's.
    #[error("expected {expected}, found {found}")]
    Blob {
        /// The shape.
        expected: &'static str,
        /// What came, without its content.
        found: String,
    },
    /// The session key is not encrypted for our key.
    #[error("expected a session key encrypted for our public key, found one that does not decrypt")]
    ForeignKey,
    /// The text of a secure string does not decrypt with the session key.
    #[error("expected text encrypted with the session key, found {found}")]
    Ciphertext {
        /// What is wrong with it.
        found: &'static str,
    },
    /// The key could not be made, or the encryption refused it.
    #[error("expected a 2048-bit RSA key, found one that is refused: {found}")]
    Rsa {
        /// The library's words.
        found: String,
    },
}

/// The client's key pair of the exchange.
#[derive(Clone)]
pub struct KeyPair(PrivateKey);

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<key pair>")
    }
}

/// `BLOBHEADER` of an RSA public key for key exchange, `RSAPUBKEY` up to the exponent: 2048 bits.
const PUBLIC_HEADER: [u8; 16] = [6, 2, 0, 0, 0, 0xa4, 0, 0, b'R', b'S', b'A', b'1', 0, 8, 0, 0];
/// `BLOBHEADER` of an AES-256 key, and the algorithm it is encrypted with.
const SIMPLE_HEADER: [u8; 12] = [1, 2, 0, 0, 0x10, 0x66, 0, 0, 0, 0xa4, 0, 0];
/// Bytes of the modulus.
const MODULUS: usize = 256;

impl KeyPair {
    /// Makes a 2048-bit pair; takes a tenth of a second or more.
    ///
    /// # Errors
    ///
    /// [`SecretError::Rsa`] when the randomness gives no key.
    pub fn generate<R: CryptoRng + ?Sized>(random: &mut R) -> Result<Self, SecretError> {
        PrivateKey::new(random, MODULUS * 8)
            .map(Self)
            .map_err(|error| SecretError::Rsa {
                found: error.to_string(),
            })
    }

    /// Reads a pair from PKCS#8 in PEM.
    ///
    /// # Errors
    ///
    /// [`SecretError::Rsa`] when it is none, or not of 2048 bits.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, SecretError> {
        let key = PrivateKey::from_pkcs8_pem(pem).map_err(|error| SecretError::Rsa {
            found: error.to_string(),
        })?;
        if key.size() != MODULUS {
            return Err(SecretError::Rsa {
                found: format!("{} bits", key.size() * 8),
            });
        }
        Ok(Self(key))
    }

    /// The public half as PUBLIC_KEY carries it: a CryptoAPI blob of 276 bytes.
    pub fn public_blob(&self) -> Vec<u8> {
        let mut blob = PUBLIC_HEADER.to_vec();
        let exponent = self.0.e().to_be_bytes_trimmed_vartime();
        let mut exponent: Vec<u8> = exponent.iter().rev().copied().collect();
        exponent.resize(4, 0);
        blob.extend_from_slice(&exponent);
        let modulus = self.0.n().to_be_bytes_trimmed_vartime();
        let mut modulus: Vec<u8> = modulus.iter().rev().copied().collect();
        modulus.resize(MODULUS, 0);
        blob.extend_from_slice(&modulus);
        blob
    }
}

/// The key that encrypts the secure strings of one session: AES-256 in CBC mode with a zero initialisation vector, as
/// the specification has it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey([u8; 32]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<session key>")
    }
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl SessionKey {
    /// Makes the key of 32 random bytes: the server does.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// Encrypts the key for the client whose PUBLIC_KEY blob this is: the body of ENCRYPTED_SESSION_KEY.
    ///
    /// # Errors
    ///
    /// [`SecretError::Blob`] when it is no public key of 2048 bits, [`SecretError::Rsa`] when the key is unfit.
    pub fn seal_for<R: CryptoRng + ?Sized>(
        &self,
        public_blob: &[u8],
        random: &mut R,
    ) -> Result<Vec<u8>, SecretError> {
        let shape = || SecretError::Blob {
            expected: "a CryptoAPI public key blob of 2048 bits",
            found: format!("{} bytes", public_blob.len()),
        };
        let rest = public_blob.strip_prefix(&PUBLIC_HEADER[..]).ok_or_else(shape)?;
        let (exponent, modulus) = rest.split_first_chunk::<4>().ok_or_else(shape)?;
        if modulus.len() != MODULUS {
            return Err(shape());
        }
        let big = |little: &[u8]| {
            let bytes: Vec<u8> = little.iter().rev().copied().collect();
            BoxedUint::from_be_slice_vartime(&bytes)
        };
        let refused = |error: rsa::Error| SecretError::Rsa {
            found: error.to_string(),
        };
        let key = PublicKey::new(big(modulus), big(exponent)).map_err(refused)?;
        let mut sealed = key.encrypt(random, Pkcs1v15Encrypt, &self.0).map_err(refused)?;
        sealed.reverse();
        let mut blob = SIMPLE_HEADER.to_vec();
        blob.append(&mut sealed);
        Ok(blob)
    }

    /// Decrypts the body of ENCRYPTED_SESSION_KEY: the client's side.
    ///
    /// RSA decryption in software may leak timing to whoever can have many ciphertexts decrypted by one key
    /// (RUSTSEC-2023-0071). Here one server has one decrypted for each session, and what it would learn is the key it
    /// chose itself.
    ///
    /// # Errors
    ///
    /// [`SecretError::Blob`] and [`SecretError::ForeignKey`].
    pub fn open(pair: &KeyPair, blob: &[u8]) -> Result<Self, SecretError> {
        let sealed = blob
            .strip_prefix(&SIMPLE_HEADER[..])
            .filter(|sealed| sealed.len() == MODULUS)
            .ok_or_else(|| SecretError::Blob {
                expected: "a CryptoAPI simple blob with an AES-256 key",
                found: format!("{} bytes", blob.len()),
            })?;
        let sealed: Vec<u8> = sealed.iter().rev().copied().collect();
        let mut key = pair
            .0
            .decrypt(Pkcs1v15Encrypt, &sealed)
            .map_err(|_| SecretError::ForeignKey)?;
        let session = <[u8; 32]>::try_from(key.as_slice())
            .map(Self)
            .map_err(|_| SecretError::Blob {
                expected: "a session key of 32 bytes",
                found: format!("{} bytes", key.len()),
            });
        key.zeroize();
        session
    }

    /// Encrypts a secret: the text of `<SS>`.
    pub fn encrypt(&self, secret: &Secret) -> String {
        let mut clear = secret.to_bytes();
        let sealed = cbc::Encryptor::<Aes256>::new(&self.0.into(), &[0; 16].into())
            .encrypt_padded_vec::<Pkcs7>(&clear);
        clear.zeroize();
        BASE64.encode(sealed)
    }

    /// Decrypts the text of `<SS>`.
    ///
    /// # Errors
    ///
    /// [`SecretError::Ciphertext`].
    pub fn decrypt(&self, text: &str) -> Result<Secret, SecretError> {
        let wrong = |found| SecretError::Ciphertext { found };
        let sealed = BASE64
            .decode(text.trim())
            .map_err(|_| wrong("text that is not base64"))?;
        let mut clear = cbc::Decryptor::<Aes256>::new(&self.0.into(), &[0; 16].into())
            .decrypt_padded_vec::<Pkcs7>(&sealed)
            .map_err(|_| wrong("another key's text"))?;
        let secret = Secret::from_bytes(&clear).ok_or_else(|| wrong("an odd number of bytes"));
        clear.zeroize();
        secret
    }
}

/// How secure strings travel in a session.
#[derive(Clone, Debug, Default)]
pub(crate) enum Seal {
    /// Not yet: below 2.4 the keys must be exchanged first.
    #[default]
    NotYet,
    /// In clear, because both sides speak 2.4 and trust the transport (observed on 7.6.5).
    Clear,
    /// Encrypted.
    Key(SessionKey),
}

impl Seal {
    pub(crate) fn encrypt(&self, secret: &Secret) -> Result<String, SecretError> {
        match self {
            Self::NotYet => Err(SecretError::NoKey),
            Self::Clear => Ok(BASE64.encode(secret.to_bytes())),
            Self::Key(key) => Ok(key.encrypt(secret)),
        }
    }

    pub(crate) fn decrypt(&self, text: &str) -> Result<Secret, SecretError> {
        match self {
            Self::NotYet => Err(SecretError::NoKey),
            Self::Clear => {
                let bytes = BASE64.decode(text.trim()).map_err(|_| SecretError::Ciphertext {
                    found: "text that is not base64",
                })?;
                Secret::from_bytes(&bytes).ok_or(SecretError::Ciphertext {
                    found: "an odd number of bytes",
                })
            }
            Self::Key(key) => key.decrypt(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts instead of drawing: the tests need bytes that differ, not secrecy.
    struct Counting(u64);

    impl rand_core::TryRng for Counting {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.try_next_u64().map(|word| (word >> 32) as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            // SplitMix64.
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            Ok(z ^ (z >> 31))
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            for chunk in bytes.chunks_mut(8) {
                let word = self.try_next_u64()?.to_le_bytes();
                chunk.copy_from_slice(&word[..chunk.len()]);
            }
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Counting {}

    #[test]
    fn key_made_by_the_server_is_opened_by_the_client() {
        let pair = KeyPair::generate(&mut Counting(1)).unwrap();
        let blob = pair.public_blob();
        assert_eq!(blob.len(), 276);
        let key = SessionKey::new([7; 32]);
        let sealed = key.seal_for(&blob, &mut Counting(2)).unwrap();
        assert_eq!(sealed.len(), 268);
        assert_eq!(SessionKey::open(&pair, &sealed), Ok(key.clone()));

        let mut damaged = sealed;
        damaged[100] ^= 1;
        assert!(SessionKey::open(&pair, &damaged).is_err());
        assert!(matches!(
            SessionKey::open(&pair, b"short"),
            Err(SecretError::Blob { .. })
        ));
        assert!(matches!(
            key.seal_for(&blob[..275], &mut Counting(2)),
            Err(SecretError::Blob { .. })
        ));
    }

    #[test]
    fn secrets_survive_and_are_not_shown() {
        let key = SessionKey::new([9; 32]);
        for text in ["", "Pä$$w0rd 😀", "long ".repeat(50).as_str()] {
            let secret = Secret::from(text);
            assert_eq!(key.decrypt(&key.encrypt(&secret)).unwrap().reveal(), text);
            assert_eq!(format!("{secret:?}"), "<secret>");
        }
        let lone = Secret::from_units(vec![0xd834]);
        assert_eq!(key.decrypt(&key.encrypt(&lone)), Ok(lone));
        assert!(
            SessionKey::new([8; 32])
                .decrypt(&key.encrypt(&Secret::from("x")))
                .is_err()
        );
        assert_eq!(Seal::NotYet.encrypt(&Secret::from("x")), Err(SecretError::NoKey));
    }
}
