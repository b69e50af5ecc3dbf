//! Builds of Exchange.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A build number such as 15.2.986.5; ordered as numbers.
///
/// Read from every form Exchange uses: `15.2.986.5`, `15.02.0986.005` (a file version), `Version 15.2 (Build 986.5)`
/// (AdminDisplayVersion) and `Version 15.2 (Build 30986.5)` (the directory's, 30000 more; facts/active-directory.md 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Build(pub u16, pub u16, pub u16, pub u16);

/// A text that is no build number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a build such as 15.2.986.5 or \"Version 15.2 (Build 986.5)\", found {0:?}")]
pub struct BuildError(pub String);

/// The product a build belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Product {
    /// Exchange Server 2010 (14.x): shown, never changed.
    Exchange2010,
    /// Exchange Server 2013 (15.0): shown, never changed.
    Exchange2013,
    /// Exchange Server 2016 (15.1).
    Exchange2016,
    /// Exchange Server 2019 (15.2 below 2562).
    Exchange2019,
    /// Exchange Server Subscription Edition (15.2.2562 and up).
    ExchangeSE,
    /// Anything else.
    Other,
}

impl Build {
    /// The product, by the landmarks of facts/exchange.md 0.
    #[must_use]
    pub const fn product(self) -> Product {
        match self {
            Self(14, ..) => Product::Exchange2010,
            Self(15, 0, ..) => Product::Exchange2013,
            Self(15, 1, ..) => Product::Exchange2016,
            Self(15, 2, build, _) if build >= 2562 => Product::ExchangeSE,
            Self(15, 2, ..) => Product::Exchange2019,
            _ => Product::Other,
        }
    }
}

impl FromStr for Build {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || BuildError(text.to_owned());
        let mut numbers = [0_u16; 4];
        let mut parts = text
            .split(|c: char| !c.is_ascii_digit())
            .filter(|part| !part.is_empty());
        let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if !plain && !text.contains("(Build ") {
            return Err(wrong());
        }
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = match parts.next() {
                Some(part) => part.parse().map_err(|_| wrong())?,
                None if at == 3 => 0,
                None => return Err(wrong()),
            };
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        if !plain && numbers[2] > 30000 {
            numbers[2] -= 30000;
        }
        let [major, minor, build, revision] = numbers;
        Ok(Self(major, minor, build, revision))
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.0, self.1, self.2, self.3)
    }
}

impl Serialize for Build {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Build {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Build {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Build".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^\\d+\\.\\d+\\.\\d+\\.\\d+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_build_is_read() {
        let build = Build(15, 2, 986, 5);
        for text in [
            "15.2.986.5",
            "15.02.0986.005",
            "Version 15.2 (Build 986.5)",
            "Version 15.2 (Build 30986.005)",
        ] {
            assert_eq!(text.parse(), Ok(build), "{text}");
        }
        assert_eq!(
            "Version 15.2 (Build 986.5)".parse::<Build>().unwrap().product(),
            Product::Exchange2019
        );
        assert_eq!(Build(15, 2, 2562, 17).product(), Product::ExchangeSE);
        for text in ["", "15", "15.2", "fifteen", "1.2.3.4.5", "99999.1.1.1"] {
            assert!(text.parse::<Build>().is_err(), "{text}");
        }
    }
}
