//! TLSA records of a mail host against what it presents (RFC 6698, RFC 7672). No IO.

use der::{Decode as _, Encode as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// A TLSA record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tlsa {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE. Mail uses 2 and 3 alone (RFC 7672 §3.1).
    pub usage: u8,
    /// 0 the certificate, 1 its public key.
    pub selector: u8,
    /// 0 as it is, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// Lower-case hex.
    pub data: String,
    /// Whether the chain presented on port 25 fits it; null: nothing was presented, or the record is not for mail.
    pub fits: Option<bool>,
}

impl Tlsa {
    /// Whether a mail server may use it.
    #[must_use]
    pub const fn is_for_mail(&self) -> bool {
        matches!(self.usage, 2 | 3) && self.selector <= 1 && self.matching <= 2
    }

    /// Whether one of `chain`, the leaf first, is what the record means: the leaf by DANE-EE, any by DANE-TA.
    ///
    /// `None` for records that mail does not use, and for an empty chain. The chain's signatures are not followed here.
    #[must_use]
    pub fn matches(&self, chain: &[Vec<u8>]) -> Option<bool> {
        if !self.is_for_mail() || chain.is_empty() {
            return None;
        }
        let meant = if self.usage == 3 { chain.get(..1)? } else { chain };
        Some(meant.iter().any(|der| self.fits_one(der)))
    }

    fn fits_one(&self, der: &[u8]) -> bool {
        let selected = match self.selector {
            0 => Some(der.to_vec()),
            _ => public_key(der),
        };
        let Some(selected) = selected else { return false };
        let own = match self.matching {
            0 => hex(&selected),
            1 => hex(&Sha256::digest(&selected)),
            _ => hex(&Sha512::digest(&selected)),
        };
        own == self.data.to_ascii_lowercase()
    }
}

/// The SubjectPublicKeyInfo in DER.
fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate =
        x509_cert::certificate::CertificateInner::<x509_cert::certificate::Raw>::from_der(der).ok()?;
    certificate
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .ok()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(usage: u8, selector: u8, matching: u8, data: &str) -> Tlsa {
        Tlsa {
            usage,
            selector,
            matching,
            data: data.to_owned(),
            fits: None,
        }
    }

    #[test]
    fn dane_ee_means_the_leaf_and_dane_ta_any_of_the_chain() {
        let chain = [b"leaf".to_vec(), b"issuer".to_vec()];
        let of_leaf = hex(&Sha256::digest(b"leaf"));
        let of_issuer = hex(&Sha512::digest(b"issuer")).to_uppercase();
        assert_eq!(record(3, 0, 1, &of_leaf).matches(&chain), Some(true));
        assert_eq!(record(3, 0, 2, &of_issuer).matches(&chain), Some(false));
        assert_eq!(record(2, 0, 2, &of_issuer).matches(&chain), Some(true));
        assert_eq!(record(3, 0, 0, &hex(b"leaf")).matches(&chain), Some(true));
        assert_eq!(
            record(1, 0, 1, &of_leaf).matches(&chain),
            None,
            "PKIX-EE is not for mail"
        );
        assert_eq!(record(3, 0, 1, &of_leaf).matches(&[]), None);
        assert_eq!(
            record(3, 1, 1, &of_leaf).matches(&chain),
            Some(false),
            "no key can be read"
        );
    }
}
