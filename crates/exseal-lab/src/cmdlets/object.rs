//! Objects as cmdlets make them, before a door writes them.

use std::borrow::Cow;

use exseal_psrp::clixml::{Document, Value};
use jiff::Timestamp;
use uuid::Uuid;

/// An object of .NET with its properties in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PsObject {
    /// Type names, most specific first, without `Deserialized.`: the client adds that.
    pub(crate) types: Vec<Cow<'static, str>>,
    /// What its `ToString` gives; `None`: the object is written without one.
    pub(crate) text: Option<String>,
    /// Its properties.
    pub(crate) properties: Vec<(Cow<'static, str>, PsValue)>,
    /// Which of them Exchange's remoting carries.
    pub(crate) remoting: Remoting,
    /// What the note property SerializationData says in a session of level Full; `None`: it has none.
    pub(crate) payload: Option<Vec<u8>>,
}

/// Which properties cross Exchange's remoting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remoting {
    /// All, as adapted properties.
    Adapted,
    /// All, as note properties: what Select-Object made.
    Notes,
    /// All, as adapted properties but these, which are note properties.
    Except(&'static [&'static str]),
    /// These only; the rest is in SerializationData.
    Only(&'static [&'static str]),
}

/// A value of a property.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PsValue {
    Null,
    Text(String),
    Bool(bool),
    Byte(u8),
    Int(i32),
    Unsigned(u32),
    Long(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Guid(Uuid),
    Uri(String),
    /// A time of the server's own zone, as minutes ahead of UTC.
    Time(Timestamp, i32),
    /// A time of UTC.
    Utc(Timestamp),
    /// An enumeration: type, name, number.
    Enum(Cow<'static, str>, Cow<'static, str>, i32),
    /// A list: type names and items.
    List(Vec<Cow<'static, str>>, Vec<Self>),
    /// A dictionary: keys and values.
    Map(Vec<(String, Self)>),
    /// An object within.
    Object(Box<PsObject>),
    /// The object that another property of this one holds: `Id` is `Identity`.
    Same(&'static str),
}

/// Type names of Exchange's MultiValuedProperty of a type; `assembly` as .NET writes it behind the type's name.
fn multi_valued_types(item: &str, assembly: &str) -> Vec<Cow<'static, str>> {
    vec![
        format!("Microsoft.Exchange.Data.MultiValuedProperty`1[[{item}, {assembly}]]").into(),
        "Microsoft.Exchange.Data.MultiValuedPropertyBase".into(),
        "System.Object".into(),
    ]
}

/// The assembly of System.Uri.
pub(crate) const SYSTEM: &str = "System, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089";
pub(crate) const MSCORLIB: &str =
    "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089";
/// The assembly of most of Exchange's data types.
pub(crate) const EXCHANGE_DATA: &str =
    "Microsoft.Exchange.Data, Version=15.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35";
/// The assembly of the directory's types.
pub(crate) const EXCHANGE_DIRECTORY: &str =
    "Microsoft.Exchange.Data.Directory, Version=15.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35";

impl PsValue {
    /// A text; `None` is `$null`.
    pub(crate) fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A MultiValuedProperty of strings.
    pub(crate) fn texts<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(
            multi_valued_types("System.String", MSCORLIB),
            items.into_iter().map(|item| Self::Text(item.into())).collect(),
        )
    }

    /// A MultiValuedProperty of another type, which `assembly` holds.
    pub(crate) fn multi(item: &str, assembly: &str, items: Vec<Self>) -> Self {
        Self::List(multi_valued_types(item, assembly), items)
    }

    /// An enumeration.
    pub(crate) fn enumeration(of: &'static str, name: impl Into<Cow<'static, str>>, number: i32) -> Self {
        Self::Enum(Cow::Borrowed(of), name.into(), number)
    }

    /// As PowerShell's `"$value"`.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Null | Self::Same(_) => String::new(),
            Self::Text(text) | Self::Uri(text) => text.clone(),
            Self::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
            Self::Byte(number) => number.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Unsigned(number) => number.to_string(),
            Self::Long(number) => number.to_string(),
            Self::Double(number) => number.to_string(),
            Self::Bytes(bytes) => bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
            Self::Guid(guid) => guid.to_string(),
            Self::Time(at, offset) => short(*at, *offset),
            Self::Utc(at) => short(*at, 0),
            Self::Enum(_, name, _) => name.to_string(),
            Self::List(_, items) => items.iter().map(Self::shown).collect::<Vec<_>>().join(" "),
            Self::Map(_) => "System.Collections.Hashtable".to_owned(),
            Self::Object(object) => object.shown(),
        }
    }
}

/// A date as .NET prints it in American English, in a zone that is minutes ahead of UTC.
pub(crate) fn short(at: Timestamp, offset_minutes: i32) -> String {
    let offset = jiff::tz::Offset::from_seconds(offset_minutes * 60).unwrap_or(jiff::tz::Offset::UTC);
    offset
        .to_datetime(at)
        .strftime("%-m/%-d/%Y %-I:%M:%S %p")
        .to_string()
}

/// `hh:mm:ss`, days in front when there are.
pub(crate) fn span(seconds: i64) -> String {
    let (sign, left) = if seconds < 0 {
        ("-", -seconds)
    } else {
        ("", seconds)
    };
    let (days, rest) = (left / 86_400, left % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    if days > 0 {
        format!("{sign}{days}.{clock}")
    } else {
        format!("{sign}{clock}")
    }
}

impl PsObject {
    /// An object of these types that prints as `text`.
    pub(crate) fn new(types: &[&'static str], text: impl Into<String>) -> Self {
        Self {
            types: types.iter().map(|name| Cow::Borrowed(*name)).collect(),
            text: Some(text.into()),
            properties: Vec::new(),
            remoting: Remoting::Adapted,
            payload: None,
        }
    }

    /// Adds a property behind the others.
    pub(crate) fn with(mut self, name: &'static str, value: PsValue) -> Self {
        self.properties.push((Cow::Borrowed(name), value));
        self
    }

    /// The value of a property by name, without regard to case; `Same` is followed.
    pub(crate) fn property(&self, name: &str) -> Option<&PsValue> {
        let found = self
            .properties
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)?;
        match found {
            PsValue::Same(other) => self
                .properties
                .iter()
                .find(|(own, _)| own == other)
                .map(|(_, value)| value),
            own => Some(own),
        }
    }

    /// As PowerShell's `"$object"`.
    pub(crate) fn shown(&self) -> String {
        self.text
            .clone()
            .unwrap_or_else(|| self.types.first().map(ToString::to_string).unwrap_or_default())
    }

    /// What an object a client sent says of itself: its properties as text.
    pub(crate) fn of_document(document: &Document<'_>) -> Option<PsValue> {
        let value = document.values.first()?;
        let Some(object) = document.object(value) else {
            return Some(plain(document, value));
        };
        let mut read = Self {
            types: document
                .types(object)
                .iter()
                .map(|name| {
                    let name = name.to_text();
                    Cow::Owned(name.strip_prefix("Deserialized.").unwrap_or(&name).to_owned())
                })
                .collect(),
            text: document.text(value).map(Cow::into_owned),
            properties: Vec::new(),
            remoting: Remoting::Adapted,
            payload: None,
        };
        for property in [&object.adapted, &object.extended]
            .into_iter()
            .flatten()
            .flatten()
        {
            read.properties.push((
                Cow::Owned(property.name.to_text().into_owned()),
                plain(document, &property.value),
            ));
        }
        Some(PsValue::Object(Box::new(read)))
    }
}

fn plain(document: &Document<'_>, value: &Value<'_>) -> PsValue {
    match value {
        Value::Nil => PsValue::Null,
        Value::Bool(value) => PsValue::Bool(*value),
        Value::I32(number) => PsValue::Int(*number),
        Value::Bytes(bytes) => PsValue::Bytes(bytes.clone()),
        other => PsValue::maybe(document.text(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_span_shows_its_days() {
        assert_eq!(span(90_061), "1.01:01:01");
        assert_eq!(span(-60), "-00:01:00");
    }
}
