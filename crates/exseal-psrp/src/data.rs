//! Values to send: arguments, input, output.

use crate::clixml::{Container, ContainerKind, Document, Object, Opaque, Property, PsString, Value};
use crate::secret::{Seal, Secret, SecretError};

/// A value a caller makes. What is received is a [`Document`].
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `$null`.
    Null,
    /// A primitive. [`Value::Object`] means nothing outside its document and is sent as `$null`; use
    /// [`Data::Document`].
    Value(Value<'static>),
    /// A list of the .NET type named first in `types`.
    List {
        /// Type names, most specific first.
        types: Vec<String>,
        /// The items.
        items: Vec<Self>,
    },
    /// A dictionary of the .NET type named first in `types`.
    Dictionary {
        /// Type names, most specific first.
        types: Vec<String>,
        /// Keys and values in order.
        entries: Vec<(Self, Self)>,
    },
    /// An object with note properties.
    Object {
        /// Type names, most specific first.
        types: Vec<String>,
        /// Names and values in order.
        properties: Vec<(String, Self)>,
    },
    /// A SecureString: encrypted with the session key when it is sent.
    Secret(Secret),
    /// A PSCredential.
    Credential {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// The first value of a document, `$null` when it has none.
    Document(Box<Document<'static>>),
}

impl Data {
    /// An `Object[]`, as PowerShell makes of a list of mixed values.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List {
            types: names(&["System.Object[]", "System.Array", "System.Object"]),
            items: items.into_iter().collect(),
        }
    }

    /// A `String[]`.
    pub fn strings<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List {
            types: names(&["System.String[]", "System.Array", "System.Object"]),
            items: items.into_iter().map(|item| Self::from(item.into())).collect(),
        }
    }

    /// A `Hashtable`.
    pub fn hashtable(entries: impl IntoIterator<Item = (Self, Self)>) -> Self {
        Self::Dictionary {
            types: names(&["System.Collections.Hashtable", "System.Object"]),
            entries: entries.into_iter().collect(),
        }
    }

    /// A `PSPrimitiveDictionary`, as application arguments are.
    pub fn primitive_dictionary(entries: impl IntoIterator<Item = (Self, Self)>) -> Self {
        Self::Dictionary {
            types: names(&[
                "System.Management.Automation.PSPrimitiveDictionary",
                "System.Collections.Hashtable",
                "System.Object",
            ]),
            entries: entries.into_iter().collect(),
        }
    }

    /// A `PSCustomObject`.
    pub fn object<T: Into<String>>(properties: impl IntoIterator<Item = (T, Self)>) -> Self {
        Self::Object {
            types: names(&["System.Management.Automation.PSCustomObject", "System.Object"]),
            properties: properties
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        }
    }

    /// Whether it holds a secret, which needs a session key.
    pub fn has_secret(&self) -> bool {
        match self {
            Self::Null | Self::Value(_) | Self::Document(_) => false,
            Self::Secret(_) | Self::Credential { .. } => true,
            Self::List { items, .. } => items.iter().any(Self::has_secret),
            Self::Dictionary { entries, .. } => entries
                .iter()
                .any(|(key, value)| key.has_secret() || value.has_secret()),
            Self::Object { properties, .. } => properties.iter().any(|(_, value)| value.has_secret()),
        }
    }

    /// Adds the value to a document and returns what refers to it.
    ///
    /// # Errors
    ///
    /// [`SecretError::NoKey`] for a secret without a session key.
    pub(crate) fn write(
        &self,
        document: &mut Document<'static>,
        seal: &Seal,
    ) -> Result<Value<'static>, SecretError> {
        let object = match self {
            Self::Null | Self::Value(Value::Object(_)) => return Ok(Value::Nil),
            Self::Value(value) => return Ok(value.clone()),
            Self::Secret(secret) => return secure(secret, seal),
            Self::Document(other) => {
                return Ok(document
                    .graft((**other).clone())
                    .into_iter()
                    .next()
                    .unwrap_or(Value::Nil));
            }
            Self::List { types, items } => Object {
                types: add_types(document, types),
                container: Some(Container {
                    kind: ContainerKind::List,
                    items: items
                        .iter()
                        .map(|item| item.write(document, seal))
                        .collect::<Result<_, _>>()?,
                }),
                ..Object::default()
            },
            Self::Dictionary { types, entries } => {
                let mut items = Vec::with_capacity(entries.len() * 2);
                let types = add_types(document, types);
                for (key, value) in entries {
                    items.push(key.write(document, seal)?);
                    items.push(value.write(document, seal)?);
                }
                Object {
                    types,
                    container: Some(Container {
                        kind: ContainerKind::Dictionary,
                        items,
                    }),
                    ..Object::default()
                }
            }
            Self::Object { types, properties } => {
                let types = add_types(document, types);
                let mut extended = Vec::with_capacity(properties.len());
                for (name, value) in properties {
                    extended.push(Property {
                        name: PsString::from(name.clone()),
                        value: value.write(document, seal)?,
                    });
                }
                Object {
                    types,
                    extended: Some(extended),
                    ..Object::default()
                }
            }
            Self::Credential { user, password } => {
                const NAME: &str = "System.Management.Automation.PSCredential";
                let password = secure(password, seal)?;
                Object {
                    types: Some(document.add_types(&[NAME, "System.Object"])),
                    to_string: Some(NAME.into()),
                    adapted: Some(vec![
                        Property {
                            name: "UserName".into(),
                            value: Value::String(user.clone().into()),
                        },
                        Property {
                            name: "Password".into(),
                            value: password,
                        },
                    ]),
                    ..Object::default()
                }
            }
        };
        Ok(document.add(object))
    }
}

fn secure(secret: &Secret, seal: &Seal) -> Result<Value<'static>, SecretError> {
    seal.encrypt(secret)
        .map(|text| Value::SecureString(Opaque(text.into())))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn add_types(document: &mut Document<'static>, types: &[String]) -> Option<usize> {
    if types.is_empty() {
        return None;
    }
    let names: Vec<PsString<'static>> = types.iter().map(|name| PsString::from(name.clone())).collect();
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

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Value(Value::String(text.to_owned().into()))
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Value(Value::String(text.into()))
    }
}

impl From<bool> for Data {
    fn from(value: bool) -> Self {
        Self::Value(Value::Bool(value))
    }
}

impl From<i32> for Data {
    fn from(number: i32) -> Self {
        Self::Value(Value::I32(number))
    }
}

impl From<i64> for Data {
    fn from(number: i64) -> Self {
        Self::Value(Value::I64(number))
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Value(Value::Bytes(bytes))
    }
}

impl From<Secret> for Data {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl From<Document<'static>> for Data {
    fn from(document: Document<'static>) -> Self {
        Self::Document(Box::new(document))
    }
}
