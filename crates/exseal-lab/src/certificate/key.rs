//! Private keys, and the pool they come from.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use zeroize::Zeroizing;

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// RSA of 2048 bits.
    Rsa2048,
    /// RSA of 4096 bits.
    Rsa4096,
    /// The curve P-256.
    P256,
}

impl KeyKind {
    /// Bits, as `PublicKeySize` shows them.
    #[must_use]
    pub const fn bits(self) -> i32 {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa4096 => 4096,
            Self::P256 => 256,
        }
    }
}

/// What a signature is made over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1, as setup of old signed its certificates (RSA alone).
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
}

/// A private key of the simulation. Shared; never printed.
pub struct PrivateKey {
    kind: KeyKind,
    pkcs8: Zeroizing<Vec<u8>>,
    public: Vec<u8>,
    signing: OnceLock<Option<Arc<dyn rustls::sign::SigningKey>>>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?})", self.kind)
    }
}

/// A key that could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(pub String);

impl PrivateKey {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the cryptographic library refuses.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let refused = |_| KeyError(format!("a key of kind {kind:?} could not be made"));
        let (pkcs8, public) = match kind {
            KeyKind::Rsa2048 | KeyKind::Rsa4096 => {
                let size = if kind == KeyKind::Rsa2048 {
                    aws_lc_rs::rsa::KeySize::Rsa2048
                } else {
                    aws_lc_rs::rsa::KeySize::Rsa4096
                };
                let pair = RsaKeyPair::generate(size).map_err(refused)?;
                let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(refused)?;
                let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(refused)?;
                (pkcs8.as_ref().to_vec(), public.as_ref().to_vec())
            }
            KeyKind::P256 => {
                let pair =
                    EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).map_err(refused)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(refused)?;
                let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(refused)?;
                (pkcs8.as_ref().to_vec(), public.as_ref().to_vec())
            }
        };
        Ok(Self {
            kind,
            pkcs8: Zeroizing::new(pkcs8),
            public,
            signing: OnceLock::new(),
        })
    }

    /// Reads a key from PKCS#8, as a PFX holds it.
    ///
    /// # Errors
    ///
    /// [`KeyError`] for anything but RSA of 2048 to 4096 bits and P-256.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let (kind, public) = if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            let kind = if pair.public_modulus_len() > 256 {
                KeyKind::Rsa4096
            } else {
                KeyKind::Rsa2048
            };
            let public: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
            (kind, public.map(|public| public.as_ref().to_vec()))
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, der) {
            let public: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
            (KeyKind::P256, public.map(|public| public.as_ref().to_vec()))
        } else {
            return Err(KeyError(
                "expected an RSA key of 2048 to 4096 bits or one of P-256 in PKCS#8".into(),
            ));
        };
        Ok(Self {
            kind,
            pkcs8: Zeroizing::new(der.to_vec()),
            public: public.map_err(|_| KeyError("the public key could not be read".into()))?,
            signing: OnceLock::new(),
        })
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key (SubjectPublicKeyInfo, DER).
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The key itself in PKCS#8: a secret, for a TLS stack or a PFX only.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The key as rustls signs with it; `None` when rustls refuses it. Loaded once.
    #[must_use]
    pub fn signing_key(&self) -> Option<Arc<dyn rustls::sign::SigningKey>> {
        self.signing
            .get_or_init(|| {
                let der = rustls::pki_types::PrivatePkcs8KeyDer::from(self.pkcs8.to_vec());
                rustls::crypto::aws_lc_rs::sign::any_supported_type(&der.into()).ok()
            })
            .clone()
    }

    /// The identifier of the algorithm [`sign`](Self::sign) uses.
    pub(crate) fn algorithm(&self, hash: Hash) -> Vec<u8> {
        use super::der;

        if self.kind == KeyKind::P256 {
            der::sequence(&[der::oid("1.2.840.10045.4.3.2")])
        } else {
            let kind = match hash {
                Hash::Sha1 => "1.2.840.113549.1.1.5",
                Hash::Sha256 => "1.2.840.113549.1.1.11",
            };
            der::sequence(&[der::oid(kind), der::element(5, &[])])
        }
    }

    /// The signature over `message`.
    pub(crate) fn sign(&self, message: &[u8], hash: Hash) -> Result<Vec<u8>, KeyError> {
        let refused = || KeyError("a signature could not be made".into());
        if hash == Hash::Sha1 {
            return self.sign_sha1(message).ok_or_else(refused);
        }
        let random = SystemRandom::new();
        if self.kind == KeyKind::P256 {
            let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8)
                .map_err(|_| refused())?;
            let signed = pair.sign(&random, message).map_err(|_| refused())?;
            return Ok(signed.as_ref().to_vec());
        }
        let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).map_err(|_| refused())?;
        let mut signed = vec![0; pair.public_modulus_len()];
        pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signed)
            .map_err(|_| refused())?;
        Ok(signed)
    }
}

impl PrivateKey {
    /// The cryptographic provider makes no such signature any more.
    fn sign_sha1(&self, message: &[u8]) -> Option<Vec<u8>> {
        use rsa::pkcs8::DecodePrivateKey as _;
        use sha1::Digest as _;

        /// DigestInfo of SHA-1 without its value (RFC 8017 9.2, note 1).
        const PREFIX: [u8; 15] = [
            0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
        ];
        let key = rsa::RsaPrivateKey::from_pkcs8_der(&self.pkcs8).ok()?;
        let padding = rsa::Pkcs1v15Sign {
            hash_len: Some(20),
            prefix: PREFIX.into(),
        };
        key.sign(padding, &sha1::Sha1::digest(message)).ok()
    }
}

/// Keys that certificates share: making thousands would take minutes, and the simulation needs no secrecy between its
/// own servers.
///
/// Holds up to a given number of keys of each kind, made when they are first needed and handed out in turn. Clones are
/// the same pool.
#[derive(Clone, Debug)]
pub struct KeyPool {
    shared: Arc<Mutex<Keys>>,
}

#[derive(Debug, Default)]
struct Keys {
    limit: usize,
    made: Vec<Arc<PrivateKey>>,
    turn: [usize; 3],
}

impl KeyPool {
    /// A pool of up to `limit` keys of each kind, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Keys {
                limit: limit.max(1),
                ..Keys::default()
            })),
        }
    }

    /// The next key of a kind.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when a new one is needed and cannot be made.
    pub fn next(&self, kind: KeyKind) -> Result<Arc<PrivateKey>, KeyError> {
        let mut keys = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let own: Vec<Arc<PrivateKey>> = keys
            .made
            .iter()
            .filter(|key| key.kind() == kind)
            .cloned()
            .collect();
        let place = match kind {
            KeyKind::Rsa2048 => 0,
            KeyKind::Rsa4096 => 1,
            KeyKind::P256 => 2,
        };
        let limit = if kind == KeyKind::Rsa4096 { 1 } else { keys.limit };
        if own.len() < limit {
            let key = Arc::new(PrivateKey::generate(kind)?);
            keys.made.push(Arc::clone(&key));
            return Ok(key);
        }
        let turn = keys.turn.get_mut(place).map_or(0, |turn| {
            *turn += 1;
            *turn - 1
        });
        own.get(turn % own.len().max(1))
            .cloned()
            .ok_or_else(|| KeyError("the pool of keys is empty".into()))
    }
}

impl Default for KeyPool {
    fn default() -> Self {
        Self::new(8)
    }
}
