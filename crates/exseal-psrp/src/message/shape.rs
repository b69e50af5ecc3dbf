//! The shapes PSRP makes of objects: note properties, enums, and how they are read.

use crate::clixml::{Container, ContainerKind, Document, Object, Property, PsString, Value};

use super::MessageError;

pub(super) fn note(name: &'static str, value: Value<'static>) -> Property<'static> {
    Property {
        name: name.into(),
        value,
    }
}

pub(super) fn text(text: impl Into<String>) -> Value<'static> {
    Value::String(PsString::from(text.into()))
}

pub(super) fn optional_text(text: Option<&str>) -> Value<'static> {
    text.map_or(Value::Nil, |text| Value::String(PsString::from(text.to_owned())))
}

/// Adds an object of note properties alone.
pub(super) fn notes(document: &mut Document<'static>, properties: Vec<Property<'static>>) -> Value<'static> {
    document.add(Object {
        extended: Some(properties),
        ..Object::default()
    })
}

/// Adds an enum: type names, ToString and number.
pub(super) fn enumeration(
    document: &mut Document<'static>,
    type_name: &'static str,
    name: &str,
    number: i32,
) -> Value<'static> {
    let types = document.add_types(&[type_name, "System.Enum", "System.ValueType", "System.Object"]);
    document.add(Object {
        types: Some(types),
        to_string: Some(PsString::from(name.to_owned())),
        base: Some(Value::I32(number)),
        ..Object::default()
    })
}

/// Adds a list.
pub(super) fn list(
    document: &mut Document<'static>,
    types: &[&'static str],
    items: Vec<Value<'static>>,
) -> Value<'static> {
    let types = Some(document.add_types(types));
    let container = Some(Container {
        kind: ContainerKind::List,
        items,
    });
    document.add(Object {
        types,
        container,
        ..Object::default()
    })
}

/// Reads the properties of one object of a message, naming what is missing.
#[derive(Clone, Copy)]
pub(super) struct Fields<'d> {
    document: &'d Document<'static>,
    object: Option<&'d Object<'static>>,
    /// Where this is, for errors.
    place: &'static str,
}

impl<'d> Fields<'d> {
    pub(super) fn of(
        document: &'d Document<'static>,
        value: Option<&'d Value<'static>>,
        place: &'static str,
    ) -> Self {
        Self {
            document,
            object: value.and_then(|value| document.object(value)),
            place,
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<&'d Value<'static>> {
        self.document.property(self.object?, name)
    }

    /// The object of a property.
    pub(super) fn inner(&self, name: &'static str) -> Self {
        Self::of(self.document, self.value(name), name)
    }

    pub(super) fn is_there(&self) -> bool {
        self.object.is_some()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name)
            .and_then(|value| self.document.text(value))
            .map(std::borrow::Cow::into_owned)
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.value(name)
            .and_then(|value| self.document.integer(value))
            .and_then(|number| i64::try_from(number).ok())
    }

    pub(super) fn small(&self, name: &str) -> Option<i32> {
        self.integer(name).and_then(|number| i32::try_from(number).ok())
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        self.value(name).and_then(|value| self.document.boolean(value))
    }

    pub(super) fn items(&self, name: &str) -> Option<&'d [Value<'static>]> {
        self.value(name).and_then(|value| self.document.items(value))
    }

    pub(super) fn need<T>(
        &self,
        found: Option<T>,
        name: &'static str,
        kind: &'static str,
    ) -> Result<T, MessageError> {
        found.ok_or(MessageError::Field {
            message: self.place,
            field: name,
            expected: kind,
        })
    }

    pub(super) fn need_small(&self, name: &'static str) -> Result<i32, MessageError> {
        self.need(self.small(name), name, "a 32-bit integer")
    }

    pub(super) fn need_integer(&self, name: &'static str) -> Result<i64, MessageError> {
        self.need(self.integer(name), name, "an integer")
    }

    pub(super) fn need_text(&self, name: &'static str) -> Result<String, MessageError> {
        self.need(self.text(name), name, "text")
    }

    pub(super) fn document(&self) -> &'d Document<'static> {
        self.document
    }
}
