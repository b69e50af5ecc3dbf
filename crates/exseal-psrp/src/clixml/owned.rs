//! Documents that outlive the text they were read from.

use std::borrow::Cow;

use super::text::PsString;
use super::value::{Container, Document, Object, ObjectId, Opaque, Property, Value};

fn text(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

impl Value<'_> {
    /// The same, owning its text. An [`ObjectId`] keeps its meaning only within its document.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Nil => Value::Nil,
            Self::String(string) => Value::String(string.into_owned()),
            Self::Char(unit) => Value::Char(unit),
            Self::Bool(value) => Value::Bool(value),
            Self::DateTime(written) => Value::DateTime(text(written)),
            Self::TimeSpan(written) => Value::TimeSpan(text(written)),
            Self::U8(number) => Value::U8(number),
            Self::I8(number) => Value::I8(number),
            Self::U16(number) => Value::U16(number),
            Self::I16(number) => Value::I16(number),
            Self::U32(number) => Value::U32(number),
            Self::I32(number) => Value::I32(number),
            Self::U64(number) => Value::U64(number),
            Self::I64(number) => Value::I64(number),
            Self::F32(number) => Value::F32(number),
            Self::F64(number) => Value::F64(number),
            Self::Decimal(written) => Value::Decimal(text(written)),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Guid(written) => Value::Guid(text(written)),
            Self::Uri(string) => Value::Uri(string.into_owned()),
            Self::Version(written) => Value::Version(text(written)),
            Self::Xml(string) => Value::Xml(string.into_owned()),
            Self::ScriptBlock(string) => Value::ScriptBlock(string.into_owned()),
            Self::SecureString(opaque) => Value::SecureString(Opaque(text(opaque.0))),
            Self::Object(id) => Value::Object(id),
        }
    }
}

impl Document<'_> {
    /// The same, owning its text.
    #[must_use]
    pub fn into_owned(self) -> Document<'static> {
        let properties = |properties: Vec<Property<'_>>| {
            properties
                .into_iter()
                .map(|property| Property {
                    name: property.name.into_owned(),
                    value: property.value.into_owned(),
                })
                .collect()
        };
        let objects = self.objects.into_iter().map(|object| Object {
            types: object.types,
            to_string: object.to_string.map(PsString::into_owned),
            base: object.base.map(Value::into_owned),
            container: object.container.map(|container| Container {
                kind: container.kind,
                items: container.items.into_iter().map(Value::into_owned).collect(),
            }),
            adapted: object.adapted.map(properties),
            extended: object.extended.map(properties),
        });
        Document {
            values: self.values.into_iter().map(Value::into_owned).collect(),
            objects: objects.collect(),
            type_names: self
                .type_names
                .into_iter()
                .map(|names| names.into_iter().map(PsString::into_owned).collect())
                .collect(),
            in_objs: self.in_objs,
        }
    }

    /// Takes over the objects of `other` and returns its values as values of this document.
    ///
    /// What `other` shares within itself stays shared.
    pub fn graft(&mut self, other: Document<'static>) -> Vec<Value<'static>> {
        let (objects, types) = (self.objects.len(), self.type_names.len());
        let moved = |value: Value<'static>| match value {
            Value::Object(id) => Value::Object(ObjectId(id.0 + objects)),
            other => other,
        };
        let properties = |properties: Vec<Property<'static>>| {
            properties
                .into_iter()
                .map(|property| Property {
                    name: property.name,
                    value: moved(property.value),
                })
                .collect()
        };
        self.type_names.extend(other.type_names);
        self.objects
            .extend(other.objects.into_iter().map(|object| Object {
                types: object.types.map(|place| place + types),
                to_string: object.to_string,
                base: object.base.map(moved),
                container: object.container.map(|container| Container {
                    kind: container.kind,
                    items: container.items.into_iter().map(moved).collect(),
                }),
                adapted: object.adapted.map(properties),
                extended: object.extended.map(properties),
            }));
        other.values.into_iter().map(moved).collect()
    }
}
