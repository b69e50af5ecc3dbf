//! Thumbprints as people and programs write them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

/// The SHA-1 thumbprint by which Exchange cmdlets name a certificate.
///
/// Parsed from 40 hex digits of either case. Blanks and the invisible marks U+200E, U+200F and U+FEFF are skipped,
/// because they arrive with text copied from the Windows certificate dialog. Printed in upper case without blanks,
/// as Exchange prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 20]);

/// A text that is not one thumbprint of 40 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThumbprintError {
    /// A character that no thumbprint has.
    #[error("expected 40 hex digits, found {found:?} at character {at}")]
    Character {
        /// What stood there.
        found: char,
        /// Its place, counted in characters from 1.
        at: usize,
    },
    /// Too few or too many digits.
    #[error("expected 40 hex digits, found {found}")]
    Length {
        /// How many digits there were.
        found: usize,
    },
}

impl Thumbprint {
    /// The thumbprint of a certificate in DER.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Self {
        Self(Sha1::digest(der).into())
    }

    /// From the 20 bytes of the hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0_u8; 20];
        let mut digits = 0_usize;
        for (at, found) in text.chars().enumerate() {
            if found.is_whitespace() || matches!(found, '\u{200e}' | '\u{200f}' | '\u{feff}') {
                continue;
            }
            let digit = found.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let Some(digit) = digit else {
                return Err(ThumbprintError::Character { found, at: at + 1 });
            };
            if let Some(byte) = bytes.get_mut(digits / 2) {
                *byte = (*byte << 4) | digit;
            }
            digits += 1;
        }
        if digits == 40 {
            Ok(Self(bytes))
        } else {
            Err(ThumbprintError::Length { found: digits })
        }
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Thumbprint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Thumbprint".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9A-F]{40}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2759456DC53C76E3DED093B567B6D8DAA42C0ADD";

    #[test]
    fn text_from_the_certificate_dialog_is_read() {
        let dialog = "\u{200e}27 59 45 6d c5 3c 76 e3 de d0 93 b5 67 b6 d8 da a4 2c 0a dd";
        let thumbprint: Thumbprint = dialog.parse().unwrap();
        assert_eq!(thumbprint.to_string(), TEXT);
    }

    #[test]
    fn anything_but_forty_digits_is_refused() {
        assert_eq!(
            "2759".parse::<Thumbprint>(),
            Err(ThumbprintError::Length { found: 4 })
        );
        assert_eq!(
            format!("{TEXT}00").parse::<Thumbprint>(),
            Err(ThumbprintError::Length { found: 42 })
        );
        assert_eq!(
            "27x9".parse::<Thumbprint>(),
            Err(ThumbprintError::Character { found: 'x', at: 3 })
        );
        assert_eq!(
            "".parse::<Thumbprint>(),
            Err(ThumbprintError::Length { found: 0 })
        );
    }
}
