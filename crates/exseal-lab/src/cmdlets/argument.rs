//! Arguments as they came over the wire, made the values of a parameter's kind.

use exseal_psrp::clixml::{Document, Value};
use exseal_psrp::data::Data;
use exseal_psrp::secret::Secret;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::object::{PsObject, PsValue};
use super::table::Kind;
use crate::certificate::Thumbprint;

/// A value that was bound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    /// `$null`.
    Null,
    Text(String),
    Texts(Vec<String>),
    Bool(bool),
    Number(i64),
    Bytes(Vec<u8>),
    Secret(Secret),
    /// A moment, and what the server's clock on the wall shows then.
    Time(Timestamp, DateTime),
}

/// A value without its wire form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    Null,
    Text(String),
    Bool(bool),
    Number(i128),
    Bytes(Vec<u8>),
    Secret(Secret),
    List(Vec<Self>),
}

impl Plain {
    pub(crate) fn of(data: &Data) -> Self {
        match data {
            Data::Null => Self::Null,
            Data::Value(value) => Self::of_value(&Document::default(), value, 0),
            Data::List { items, .. } => Self::List(items.iter().map(Self::of).collect()),
            Data::Secret(secret) => Self::Secret(secret.clone()),
            Data::Credential { user, .. } => Self::Text(user.clone()),
            Data::Document(document) => document
                .values
                .first()
                .map_or(Self::Null, |value| Self::of_value(document, value, 0)),
            Data::Dictionary { entries, .. } => {
                Self::List(entries.iter().map(|(_, value)| Self::of(value)).collect())
            }
            Data::Object { properties, .. } => properties
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("Identity"))
                .map_or(Self::Null, |(_, value)| Self::of(value)),
        }
    }

    pub(crate) fn of_value(document: &Document<'_>, value: &Value<'_>, depth: usize) -> Self {
        match value {
            Value::Nil => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Value::Object(_) => {
                if let Some(items) = document.items(value).filter(|_| depth < 8) {
                    return Self::List(
                        items
                            .iter()
                            .map(|item| Self::of_value(document, item, depth + 1))
                            .collect(),
                    );
                }
                if let Some(bytes) = document.bytes(value) {
                    return Self::Bytes(bytes.to_vec());
                }
                if let Some(value) = document.boolean(value) {
                    return Self::Bool(value);
                }
                document
                    .text(value)
                    .map(std::borrow::Cow::into_owned)
                    .map_or(Self::Null, Self::Text)
            }
            other => match document.integer(other) {
                Some(number) => Self::Number(number),
                None => document
                    .text(other)
                    .map(std::borrow::Cow::into_owned)
                    .map_or(Self::Null, Self::Text),
            },
        }
    }

    /// Its text, as PowerShell would write it; `None` for `$null` and secrets.
    pub(crate) fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null | Self::Secret(_) => return None,
            Self::Text(text) => text.clone(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Bytes(bytes) => bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
            Self::List(items) => items.iter().filter_map(Self::text).collect::<Vec<_>>().join(" "),
        })
    }

    fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Number(number) => Some(*number != 0),
            Self::Text(text) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("$true") => {
                Some(true)
            }
            Self::Text(text) if text.eq_ignore_ascii_case("false") || text.eq_ignore_ascii_case("$false") => {
                Some(false)
            }
            Self::List(items) => match items.as_slice() {
                [only] => only.bool(),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Why a value is none of a kind: PowerShell's two ways to say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// A conversion .NET refuses: `CannotConvertArgumentNoMessage`.
    Convert {
        /// What was given, as text.
        found: String,
        /// The type wanted.
        wanted: &'static str,
    },
    /// A transformation of Exchange's own types: `ParameterArgumentTransformationError`.
    Transform {
        /// What was given.
        found: String,
        /// The type wanted.
        wanted: &'static str,
        /// Its words.
        words: &'static [&'static str],
    },
    /// `$null` where none may be.
    Null,
}

/// Makes a value one of a kind. `offset_minutes` is the server's, for times without a zone.
pub(crate) fn convert(kind: Kind, data: &Data, offset_minutes: i32) -> Result<Bound, Unfit> {
    if kind == Kind::Certificate
        && let Data::Document(document) = data
        && let Some(PsValue::Object(object)) = PsObject::of_document(document)
    {
        return Ok(thumbprint_of(&object).map_or(Bound::Null, Bound::Text));
    }
    let plain = Plain::of(data);
    let unfit = |wanted: &'static str| Unfit::Convert {
        found: plain.text().unwrap_or_default(),
        wanted,
    };
    if plain == Plain::Null {
        return match kind {
            Kind::Switch => Ok(Bound::Bool(true)),
            Kind::Bool | Kind::Number | Kind::Flags(..) => Err(Unfit::Null),
            Kind::Texts => Ok(Bound::Texts(Vec::new())),
            _ => Ok(Bound::Null),
        };
    }
    match kind {
        Kind::Text | Kind::Certificate => match &plain {
            Plain::Secret(_) => Err(unfit("System.String")),
            Plain::List(items) if items.len() > 1 => Err(unfit("System.String")),
            _ => Ok(plain.text().map_or(Bound::Null, Bound::Text)),
        },
        Kind::Texts => Ok(Bound::Texts(match &plain {
            Plain::List(items) => items.iter().filter_map(Plain::text).collect(),
            Plain::Secret(_) => return Err(unfit("System.String[]")),
            other => other.text().into_iter().collect(),
        })),
        Kind::Switch => plain
            .bool()
            .map(Bound::Bool)
            .ok_or_else(|| unfit("System.Management.Automation.SwitchParameter")),
        Kind::Bool => plain
            .bool()
            .map(Bound::Bool)
            .ok_or_else(|| unfit("System.Boolean")),
        Kind::Number => match &plain {
            Plain::Number(number) => i64::try_from(*number).ok(),
            Plain::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
        .map(Bound::Number)
        .ok_or_else(|| unfit("System.Int32")),
        Kind::Bytes => bytes(&plain)
            .map(Bound::Bytes)
            .ok_or_else(|| unfit("System.Byte[]")),
        Kind::Secret => match plain {
            Plain::Secret(secret) => Ok(Bound::Secret(secret)),
            _ => Err(unfit("System.Security.SecureString")),
        },
        Kind::Time => plain
            .text()
            .and_then(|text| moment(&text, offset_minutes))
            .map(|(at, wall)| Bound::Time(at, wall))
            .ok_or_else(|| unfit("System.DateTime")),
        Kind::OneOf(wanted, words) => {
            let found = plain.text().unwrap_or_default();
            word(&found, words)
                .map(|word| Bound::Text(word.to_owned()))
                .ok_or(Unfit::Transform { found, wanted, words })
        }
        Kind::Flags(wanted, words) => {
            let texts: Vec<String> = match &plain {
                Plain::List(items) => items.iter().filter_map(Plain::text).collect(),
                other => other.text().into_iter().collect(),
            };
            let mut chosen = Vec::new();
            for part in texts.iter().flat_map(|text| text.split(',')).map(str::trim) {
                if part.is_empty() {
                    continue;
                }
                let own = words
                    .iter()
                    .find(|word| word.eq_ignore_ascii_case(part))
                    .ok_or_else(|| Unfit::Transform {
                        found: part.to_owned(),
                        wanted,
                        words,
                    })?;
                if !chosen.iter().any(|known| known == own) {
                    chosen.push((*own).to_owned());
                }
            }
            Ok(Bound::Texts(chosen))
        }
    }
}

/// The thumbprint of a certificate that came as an object: said, or computed of its bytes.
pub(crate) fn thumbprint_of(object: &PsObject) -> Option<String> {
    match (object.property("Thumbprint"), object.property("RawData")) {
        (Some(PsValue::Text(text)), _) => Some(text.clone()),
        (_, Some(PsValue::Bytes(der))) => Some(Thumbprint::of(der).to_string()),
        _ => None,
    }
}

fn word(found: &str, words: &'static [&'static str]) -> Option<&'static str> {
    let by_number = || {
        found
            .parse::<usize>()
            .ok()
            .and_then(|place| words.get(place).copied())
    };
    words
        .iter()
        .copied()
        .find(|word| word.eq_ignore_ascii_case(found))
        .or_else(by_number)
}

fn bytes(plain: &Plain) -> Option<Vec<u8>> {
    match plain {
        Plain::Bytes(bytes) => Some(bytes.clone()),
        Plain::List(items) => match items.as_slice() {
            [Plain::Bytes(bytes)] => Some(bytes.clone()),
            _ => items
                .iter()
                .map(|item| match item {
                    Plain::Number(number) => u8::try_from(*number).ok(),
                    _ => None,
                })
                .collect(),
        },
        _ => None,
    }
}

/// A moment, and the server's wall clock then: ISO 8601 as the wire has it, `M/d/yyyy` or `M/d/yyyy h:mm[:ss] AM`.
pub(crate) fn moment(text: &str, offset_minutes: i32) -> Option<(Timestamp, DateTime)> {
    let text = text.trim();
    let zone = TimeZone::fixed(Offset::from_seconds(offset_minutes * 60).ok()?);
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some((at, at.to_zoned(zone).datetime()));
    }
    let wall = text.parse::<DateTime>().ok().or_else(|| {
        [
            "%m/%d/%Y %I:%M:%S %p",
            "%m/%d/%Y %I:%M %p",
            "%m/%d/%Y %H:%M:%S",
            "%m/%d/%Y %H:%M",
        ]
        .into_iter()
        .find_map(|format| DateTime::strptime(format, text).ok())
        .or_else(|| {
            jiff::civil::Date::strptime("%m/%d/%Y", text)
                .ok()
                .map(|date| date.at(0, 0, 0, 0))
        })
    })?;
    let at = wall.to_zoned(zone).ok()?.timestamp();
    Some((at, wall))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_without_a_zone_is_the_servers_own() {
        let (at, wall) = moment("2026-11-27T12:00:00", 60).expect("a time");

        assert_eq!(at.to_string(), "2026-11-27T11:00:00Z");
        assert_eq!(wall.to_string(), "2026-11-27T12:00:00");
    }

    #[test]
    fn a_list_of_numbers_is_bytes_and_a_number_beyond_a_byte_is_not() {
        let list = |numbers: &[i32]| Data::list(numbers.iter().map(|number| Data::from(*number)));

        assert_eq!(
            convert(Kind::Bytes, &list(&[1, 255]), 0),
            Ok(Bound::Bytes(vec![1, 255]))
        );
        assert!(convert(Kind::Bytes, &list(&[256]), 0).is_err());
    }
}
