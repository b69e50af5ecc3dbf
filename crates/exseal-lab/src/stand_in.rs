//! Stand-ins: a certificate without its private key is issued again with a key of the simulation.
//!
//! Names, dates, serial number and extensions are the original's; key, signature and with them the thumbprint are the
//! stand-in's. Whoever compares plans with reality translates by the map.

pub mod file;

use std::sync::Arc;

use crate::certificate::{Certificate, Issuer, KeyError, KeyKind, Name, PrivateKey, Thumbprint};

/// An original and what stands in for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// The original's thumbprint.
    pub original: Thumbprint,
    /// The stand-in's.
    pub stand_in: Thumbprint,
    /// The subject of both.
    pub subject: Name,
}

/// The kind of key a stand-in needs to look like its original.
#[must_use]
pub fn kind_of(original: &Certificate) -> KeyKind {
    if !original.is_rsa() {
        KeyKind::P256
    } else if original.key_bits() > 3072 {
        KeyKind::Rsa4096
    } else {
        KeyKind::Rsa2048
    }
}

/// Issues the stand-in of `original` for `key`, signed by `issuer` (`None`: by itself, as its original).
///
/// A weak signature of the original (SHA-1) becomes SHA-256: the simulation makes no others.
///
/// # Errors
///
/// [`KeyError`] when the original cannot be read again or the key cannot sign.
pub fn stand_in(
    original: &Certificate,
    key: &Arc<PrivateKey>,
    issuer: Option<&Issuer>,
) -> Result<(Certificate, StandIn), KeyError> {
    let made = crate::certificate::reissue(original, key, issuer)?;
    let pair = StandIn {
        original: original.thumbprint(),
        stand_in: made.thumbprint(),
        subject: made.subject().clone(),
    };
    Ok((made, pair))
}
