//! How a door writes an object.
//!
//! Exchange's remoting carries what the object's [`Remoting`] says, adds `PSComputerName`, `RunspaceId` and
//! `PSShowComputerName` as note properties, and with `serializationLevel=Full` `SerializationData`, unless payloads
//! cannot be signed. The local door writes every property openly.

use exseal_psrp::clixml::{Container, ContainerKind, Document, Object, Property, PsString, Value};
use jiff::Timestamp;
use jiff::tz::Offset;
use uuid::Uuid;

use super::object::{PsObject, PsValue, Remoting};
use super::signing::Signing;
use crate::call::Endpoint;

/// What a door adds.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) endpoint: Endpoint,
    pub(crate) runspace: Uuid,
    /// The server's FQDN in lower case.
    pub(crate) computer: String,
    /// How payloads fare.
    pub(crate) signing: Signing,
}

impl Door {
    /// SerializationData as this door sends it.
    fn payload(&self, object: &PsObject) -> Option<Property<'static>> {
        let payload = object
            .payload
            .as_ref()
            .filter(|_| self.endpoint == Endpoint::Exchange { full: true })?;
        let bytes = match self.signing {
            Signing::Off => payload.clone(),
            Signing::Signed => super::payload::wrapped(payload),
            Signing::Broken => return None,
        };
        Some(property("SerializationData", Value::Bytes(bytes)))
    }
}

/// Writes a value as a document of its own.
pub(crate) fn write(value: &PsValue, door: &Door) -> Document<'static> {
    let mut document = Document::default();
    let written = match value {
        PsValue::Object(object) => top(object, &mut document, door),
        other => self::value(other, &mut document, door, &[]),
    };
    document.values.push(written);
    document
}

fn top(object: &PsObject, document: &mut Document<'static>, door: &Door) -> Value<'static> {
    let local = !matches!(door.endpoint, Endpoint::Exchange { .. });
    let mut adapted: Vec<Property<'static>> = Vec::new();
    let mut extended: Vec<Property<'static>> = Vec::new();
    for (name, own) in &object.properties {
        let into = match object.remoting {
            Remoting::Notes => &mut extended,
            Remoting::Except(names) if names.iter().any(|note| note == name) => &mut extended,
            Remoting::Only(names) if !local && !names.iter().any(|kept| kept == name) => continue,
            Remoting::Adapted | Remoting::Except(_) | Remoting::Only(_) => &mut adapted,
        };
        let known: Vec<Property<'static>> = into.clone();
        let value = value(own, document, door, &known);
        into.push(property(name, value));
    }
    if !local {
        extended.push(property("PSComputerName", text(&door.computer)));
        extended.push(property(
            "RunspaceId",
            Value::Guid(door.runspace.to_string().into()),
        ));
        extended.push(property("PSShowComputerName", Value::Bool(false)));
        extended.extend(door.payload(object));
    }
    let types = type_names(document, &object.types);
    document.add(Object {
        types,
        to_string: object.text.clone().map(PsString::from),
        adapted: (object.remoting != Remoting::Notes).then_some(adapted),
        extended: (!extended.is_empty()).then_some(extended),
        ..Object::default()
    })
}

fn inner(object: &PsObject, document: &mut Document<'static>, door: &Door) -> Value<'static> {
    let mut properties: Vec<Property<'static>> = Vec::new();
    let mut extended: Vec<Property<'static>> = Vec::new();
    for (name, own) in &object.properties {
        let value = value(own, document, door, &properties.clone());
        let note = match object.remoting {
            Remoting::Notes => true,
            Remoting::Except(names) => names.iter().any(|note| note == name),
            Remoting::Adapted | Remoting::Only(_) => false,
        };
        let into = if note { &mut extended } else { &mut properties };
        into.push(property(name, value));
    }
    extended.extend(door.payload(object));
    let types = type_names(document, &object.types);
    document.add(Object {
        types,
        to_string: object.text.clone().map(PsString::from),
        adapted: (!properties.is_empty()).then_some(properties),
        extended: (!extended.is_empty()).then_some(extended),
        ..Object::default()
    })
}

fn value(
    own: &PsValue,
    document: &mut Document<'static>,
    door: &Door,
    before: &[Property<'static>],
) -> Value<'static> {
    match own {
        PsValue::Null => Value::Nil,
        PsValue::Text(own) => text(own),
        PsValue::Bool(own) => Value::Bool(*own),
        PsValue::Byte(own) => Value::U8(*own),
        PsValue::Int(own) => Value::I32(*own),
        PsValue::Unsigned(own) => Value::U32(*own),
        PsValue::Long(own) => Value::I64(*own),
        PsValue::Double(own) => Value::F64(*own),
        PsValue::Bytes(own) => Value::Bytes(own.clone()),
        PsValue::Guid(own) => Value::Guid(own.to_string().into()),
        PsValue::Uri(own) => Value::Uri(PsString::from(own.clone())),
        PsValue::Time(at, offset) => Value::DateTime(local_time(*at, *offset).into()),
        PsValue::Utc(at) => Value::DateTime(at.to_string().into()),
        PsValue::Enum(of, name, number) => {
            let types = [of.as_ref(), "System.Enum", "System.ValueType", "System.Object"];
            let types = type_names(
                document,
                &types.map(|name| std::borrow::Cow::Owned(name.to_owned())),
            );
            document.add(Object {
                types,
                to_string: Some(PsString::from(name.to_string())),
                base: Some(Value::I32(*number)),
                ..Object::default()
            })
        }
        PsValue::List(types, items) => {
            let items = items
                .iter()
                .map(|item| value(item, document, door, &[]))
                .collect();
            let types = type_names(document, types);
            document.add(Object {
                types,
                container: Some(Container {
                    kind: ContainerKind::List,
                    items,
                }),
                ..Object::default()
            })
        }
        PsValue::Map(entries) => {
            let items = entries
                .iter()
                .flat_map(|(key, own)| [text(key), value(own, document, door, &[])])
                .collect();
            let types = ["System.Collections.Hashtable", "System.Object"];
            let types = type_names(document, &types.map(std::borrow::Cow::Borrowed));
            document.add(Object {
                types,
                container: Some(Container {
                    kind: ContainerKind::Dictionary,
                    items,
                }),
                ..Object::default()
            })
        }
        PsValue::Object(object) => inner(object, document, door),
        PsValue::Same(name) => before
            .iter()
            .find(|property| property.name.as_str() == Some(name))
            .map_or(Value::Nil, |property| property.value.clone()),
    }
}

fn text(own: &str) -> Value<'static> {
    Value::String(PsString::from(own.to_owned()))
}

fn property(name: &str, value: Value<'static>) -> Property<'static> {
    Property {
        name: PsString::from(name.to_owned()),
        value,
    }
}

fn type_names(document: &mut Document<'static>, names: &[std::borrow::Cow<'static, str>]) -> Option<usize> {
    if names.is_empty() {
        return None;
    }
    let names: Vec<PsString<'static>> = names
        .iter()
        .map(|name| PsString::from(name.to_string()))
        .collect();
    Some(
        document
            .type_names
            .iter()
            .position(|own| *own == names)
            .unwrap_or_else(|| {
                document.type_names.push(names);
                document.type_names.len() - 1
            }),
    )
}

/// With the offset of a zone that is minutes ahead of UTC.
pub(crate) fn local_time(at: Timestamp, offset_minutes: i32) -> String {
    let offset = Offset::from_seconds(offset_minutes * 60).unwrap_or(Offset::UTC);
    let wall = offset.to_datetime(at);
    let (sign, minutes) = if offset_minutes < 0 {
        ('-', -offset_minutes)
    } else {
        ('+', offset_minutes)
    };
    format!("{wall}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_carries_its_offset() {
        let at: Timestamp = "2026-11-27T12:00:00Z".parse().expect("a time");

        assert_eq!(local_time(at, -420), "2026-11-27T05:00:00-07:00");
    }
}
