//! What a document holds.

use std::borrow::Cow;
use std::fmt;

use super::text::PsString;

/// A decoded document: values, and the table of the objects they refer to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document<'a> {
    /// The values at the top, in order.
    pub values: Vec<Value<'a>>,
    /// Every object, at the place its [`ObjectId`] names.
    pub objects: Vec<Object<'a>>,
    /// The lists of type names, at the place [`Object::types`] names.
    pub type_names: Vec<Vec<PsString<'a>>>,
    /// Whether the values stood in `<Objs>`.
    pub in_objs: bool,
}

/// The place of an object in [`Document::objects`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub usize);

/// A value ([MS-PSRP] 2.2.5.1 and 2.2.5.2).
///
/// Equal is what would be written equally: floats by their bits, so that NaN is itself and -0 is not 0.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `<Nil/>`.
    Nil,
    /// `<S>`.
    String(PsString<'a>),
    /// `<C>`: one UTF-16 code unit.
    Char(u16),
    /// `<B>`.
    Bool(bool),
    /// `<DT>`, as written: seven fractional digits, and `Z`, an offset or nothing behind them.
    DateTime(Cow<'a, str>),
    /// `<TS>`, as written (ISO 8601 duration).
    TimeSpan(Cow<'a, str>),
    /// `<By>`.
    U8(u8),
    /// `<SB>`.
    I8(i8),
    /// `<U16>`.
    U16(u16),
    /// `<I16>`.
    I16(i16),
    /// `<U32>`.
    U32(u32),
    /// `<I32>`.
    I32(i32),
    /// `<U64>`.
    U64(u64),
    /// `<I64>`.
    I64(i64),
    /// `<Sg>`; INF, -INF and NaN included.
    F32(f32),
    /// `<Db>`; INF, -INF and NaN included.
    F64(f64),
    /// `<D>`, as written: 96-bit decimals do not fit a float.
    Decimal(Cow<'a, str>),
    /// `<BA>`.
    Bytes(Vec<u8>),
    /// `<G>`, as written.
    Guid(Cow<'a, str>),
    /// `<URI>`.
    Uri(PsString<'a>),
    /// `<Version>`, as written.
    Version(Cow<'a, str>),
    /// `<XD>`: an XML document as text.
    Xml(PsString<'a>),
    /// `<SBK>`: a script block as text.
    ScriptBlock(PsString<'a>),
    /// `<SS>`: encrypted, kept as it is and never shown.
    SecureString(Opaque<'a>),
    /// `<Obj>` or a `<Ref>` to one.
    Object(ObjectId),
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::F32(one), Self::F32(other)) => one.to_bits() == other.to_bits(),
            (Self::F64(one), Self::F64(other)) => one.to_bits() == other.to_bits(),
            (Self::String(one), Self::String(other))
            | (Self::Uri(one), Self::Uri(other))
            | (Self::Xml(one), Self::Xml(other))
            | (Self::ScriptBlock(one), Self::ScriptBlock(other)) => one == other,
            (Self::DateTime(one), Self::DateTime(other))
            | (Self::TimeSpan(one), Self::TimeSpan(other))
            | (Self::Decimal(one), Self::Decimal(other))
            | (Self::Guid(one), Self::Guid(other))
            | (Self::Version(one), Self::Version(other)) => one == other,
            (Self::Char(one), Self::Char(other)) | (Self::U16(one), Self::U16(other)) => one == other,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::U8(one), Self::U8(other)) => one == other,
            (Self::I8(one), Self::I8(other)) => one == other,
            (Self::I16(one), Self::I16(other)) => one == other,
            (Self::U32(one), Self::U32(other)) => one == other,
            (Self::I32(one), Self::I32(other)) => one == other,
            (Self::U64(one), Self::U64(other)) => one == other,
            (Self::I64(one), Self::I64(other)) => one == other,
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::SecureString(one), Self::SecureString(other)) => one == other,
            (Self::Object(one), Self::Object(other)) => one == other,
            _ => false,
        }
    }
}

/// Something that is carried and not shown: its `Debug` prints a word.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque<'a>(pub Cow<'a, str>);

impl fmt::Debug for Opaque<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secure string>")
    }
}

/// An object ([MS-PSRP] 2.2.5.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a> {
    /// Place of its type names in [`Document::type_names`]; `None` when it has none.
    pub types: Option<usize>,
    /// `<ToString>`.
    pub to_string: Option<PsString<'a>>,
    /// The primitive it is made around: the number of an enum, the text of a string with notes.
    pub base: Option<Value<'a>>,
    /// The list or dictionary it is.
    pub container: Option<Container<'a>>,
    /// `<Props>`, in order; `None` when the element was not there.
    pub adapted: Option<Vec<Property<'a>>>,
    /// `<MS>`, in order; `None` when the element was not there.
    pub extended: Option<Vec<Property<'a>>>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct Property<'a> {
    /// Its name.
    pub name: PsString<'a>,
    /// Its value.
    pub value: Value<'a>,
}

/// A list or a dictionary.
#[derive(Clone, Debug, PartialEq)]
pub struct Container<'a> {
    /// Which kind.
    pub kind: ContainerKind,
    /// The items; of a dictionary key, value, key, value…
    pub items: Vec<Value<'a>>,
}

/// The kinds of containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// `<STK>`.
    Stack,
    /// `<QUE>`.
    Queue,
    /// `<LST>`.
    List,
    /// `<IE>`: something enumerable.
    Enumerable,
    /// `<DCT>`.
    Dictionary,
}

impl ContainerKind {
    /// The element's name.
    #[must_use]
    pub const fn element(self) -> &'static str {
        match self {
            Self::Stack => "STK",
            Self::Queue => "QUE",
            Self::List => "LST",
            Self::Enumerable => "IE",
            Self::Dictionary => "DCT",
        }
    }
}

impl<'a> Document<'a> {
    /// The object of a value, if it is one.
    #[must_use]
    pub fn object(&self, value: &Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(id) => self.objects.get(id.0),
            _ => None,
        }
    }

    /// The type names of an object, most specific first; empty when it has none.
    #[must_use]
    pub fn types(&self, object: &Object<'a>) -> &[PsString<'a>] {
        object
            .types
            .and_then(|at| self.type_names.get(at))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether `wanted` is one of an object's type names; `Deserialized.` and `Selected.` in front do not count.
    #[must_use]
    pub fn is_a(&self, object: &Object<'a>, wanted: &str) -> bool {
        self.types(object)
            .iter()
            .filter_map(PsString::as_str)
            .any(|name| plain_type(name) == wanted)
    }

    /// A property's value by name without regard to ASCII case, extended before adapted.
    #[must_use]
    pub fn property<'d>(&'d self, object: &'d Object<'a>, name: &str) -> Option<&'d Value<'a>> {
        [&object.extended, &object.adapted]
            .into_iter()
            .flatten()
            .flatten()
            .find_map(|property| {
                property
                    .name
                    .as_str()
                    .filter(|own| own.eq_ignore_ascii_case(name))
                    .map(|_| &property.value)
            })
    }

    /// The value a path of property names leads to.
    #[must_use]
    pub fn path<'d>(&'d self, value: &'d Value<'a>, path: &[&str]) -> Option<&'d Value<'a>> {
        path.iter()
            .try_fold(value, |value, name| self.property(self.object(value)?, name))
    }

    /// The text of a value: a string's own, an object's base string or ToString, a number's digits; `None` for `Nil`
    /// and objects that have no text.
    #[must_use]
    pub fn text<'d>(&'d self, value: &'d Value<'a>) -> Option<Cow<'d, str>> {
        Some(match value {
            Value::String(text) | Value::Uri(text) | Value::Xml(text) | Value::ScriptBlock(text) => {
                text.to_text()
            }
            Value::DateTime(text)
            | Value::TimeSpan(text)
            | Value::Decimal(text)
            | Value::Guid(text)
            | Value::Version(text) => Cow::Borrowed(text.as_ref()),
            Value::Bool(value) => Cow::Borrowed(if *value { "True" } else { "False" }),
            Value::Object(_) => {
                let object = self.object(value)?;
                match (&object.to_string, &object.base) {
                    (_, Some(base @ Value::String(_))) => self.text(base)?,
                    (Some(text), _) => text.to_text(),
                    (None, Some(base)) if !matches!(base, Value::Object(_)) => self.text(base)?,
                    _ => return None,
                }
            }
            Value::Char(unit) => Cow::Owned(String::from_utf16_lossy(&[*unit])),
            Value::F32(number) => Cow::Owned(number.to_string()),
            Value::F64(number) => Cow::Owned(number.to_string()),
            Value::Nil | Value::Bytes(_) | Value::SecureString(_) => return None,
            other => Cow::Owned(self.integer(other)?.to_string()),
        })
    }

    /// The whole number of a value or of the object made around it (an enum's).
    #[must_use]
    pub fn integer(&self, value: &Value<'a>) -> Option<i128> {
        Some(match value {
            Value::U8(number) => i128::from(*number),
            Value::I8(number) => i128::from(*number),
            Value::U16(number) => i128::from(*number),
            Value::I16(number) => i128::from(*number),
            Value::U32(number) => i128::from(*number),
            Value::I32(number) => i128::from(*number),
            Value::U64(number) => i128::from(*number),
            Value::I64(number) => i128::from(*number),
            Value::Object(_) => match self.object(value)?.base.as_ref()? {
                Value::Object(_) => return None,
                base => self.integer(base)?,
            },
            _ => return None,
        })
    }

    /// The truth value of a value or of the object made around it.
    #[must_use]
    pub fn boolean(&self, value: &Value<'a>) -> Option<bool> {
        match value {
            Value::Bool(value) => Some(*value),
            Value::Object(_) => match self.object(value)?.base.as_ref()? {
                Value::Bool(value) => Some(*value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The bytes of a value or of the object made around it.
    #[must_use]
    pub fn bytes<'d>(&'d self, value: &'d Value<'a>) -> Option<&'d [u8]> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Object(_) => match self.object(value)?.base.as_ref()? {
                Value::Bytes(bytes) => Some(bytes),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items of a list; `None` when the value is no container. A dictionary gives key, value, key, value…
    #[must_use]
    pub fn items<'d>(&'d self, value: &'d Value<'a>) -> Option<&'d [Value<'a>]> {
        self.object(value)?
            .container
            .as_ref()
            .map(|container| container.items.as_slice())
    }

    /// Adds an object and returns the value that refers to it.
    pub fn add(&mut self, object: Object<'a>) -> Value<'a> {
        self.objects.push(object);
        Value::Object(ObjectId(self.objects.len() - 1))
    }

    /// Adds a list of type names, or finds it, and returns its place.
    pub fn add_types(&mut self, names: &[&'a str]) -> usize {
        let names: Vec<PsString<'a>> = names.iter().map(|name| PsString::from(*name)).collect();
        self.type_names
            .iter()
            .position(|own| *own == names)
            .unwrap_or_else(|| {
                self.type_names.push(names);
                self.type_names.len() - 1
            })
    }
}

/// A type name without what PowerShell puts in front of it.
fn plain_type(name: &str) -> &str {
    let mut name = name;
    while let Some(rest) = name
        .strip_prefix("Deserialized.")
        .or_else(|| name.strip_prefix("Selected."))
    {
        name = rest;
    }
    name
}
