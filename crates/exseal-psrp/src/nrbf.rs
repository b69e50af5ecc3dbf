//! .NET's BinaryFormatter streams ([MS-NRBF]): read into plain values, never into types.
//!
//! Exchange puts one into the note property `SerializationData` of its objects, plain or (since the January 2023 update)
//! wrapped as `#sig#` + length + stream + 32 bytes (facts/exchange.md 1.5). How those bytes are computed is unknown, so
//! they are kept and not checked.

use std::collections::HashMap;
use std::sync::Arc;

mod payload;

pub use payload::ExchangeCertificatePayload;

/// A value of a stream. Objects are shared by their id.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null.
    Null,
    /// A truth value.
    Bool(bool),
    /// Any whole number up to 64 bits, a character, or the raw 64 bits of a date or time span.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
    /// A text; a decimal is one too.
    Text(String),
    /// An array of bytes.
    Bytes(Vec<u8>),
    /// Any other array, in order.
    Array(Vec<Self>),
    /// An object, by its id in [`Stream::objects`].
    Object(i32),
}

/// An object: its class and members in order.
///
/// Names are shared by all objects of a class: one object costs as much as its members and no more, however long the
/// names a stream gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// The class's full name.
    pub name: Arc<str>,
    /// Its members by name.
    pub members: Vec<(Arc<str>, Value)>,
}

/// A decoded stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// What the stream is about.
    pub root: Value,
    /// The objects, by id.
    pub objects: HashMap<i32, Class>,
    /// Strings and arrays that stand by themselves, by id.
    others: HashMap<i32, Value>,
    /// The 32 bytes behind a `#sig#`-wrapped stream.
    pub signature: Option<Vec<u8>>,
}

/// Bytes that are no such stream, or a stream beyond the limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: expected {expected}, found {found}")]
pub struct NrbfError {
    /// The byte, from 0, within the stream.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
    /// What stood there.
    pub found: String,
}

/// Objects, arrays and strings within each other.
const DEPTH: usize = 64;
/// Records of one stream; each takes at least a byte of input, this bounds what nulls may claim.
const RECORDS: usize = 1 << 20;

impl Stream {
    /// Reads a stream, plain or wrapped.
    ///
    /// # Errors
    ///
    /// [`NrbfError`] with the place; also for method calls and anything deeper than 64 levels or of more than a
    /// million values.
    pub fn read(bytes: &[u8]) -> Result<Self, NrbfError> {
        let (bytes, signature) = unwrap(bytes)?;
        let mut reader = Reader {
            bytes,
            at: 0,
            values: 0,
            classes: HashMap::new(),
            stream: Self::empty(),
        };
        reader.stream.signature = signature;
        reader.run()?;
        Ok(reader.stream)
    }

    fn empty() -> Self {
        Self {
            root: Value::Null,
            objects: HashMap::new(),
            others: HashMap::new(),
            signature: None,
        }
    }

    /// A value with references to strings and arrays followed; objects stay references.
    #[must_use]
    pub fn follow<'s>(&'s self, value: &'s Value) -> &'s Value {
        match value {
            Value::Object(id) => self.others.get(id).unwrap_or(value),
            other => other,
        }
    }

    /// The object a value refers to.
    #[must_use]
    pub fn class(&self, value: &Value) -> Option<&Class> {
        match value {
            Value::Object(id) => self.objects.get(id),
            _ => None,
        }
    }

    /// A member of an object, followed.
    #[must_use]
    pub fn member(&self, value: &Value, name: &str) -> Option<&Value> {
        let (_, value) = self
            .class(value)?
            .members
            .iter()
            .find(|(own, _)| &**own == name)?;
        Some(self.follow(value))
    }
}

/// Takes the wrapping off.
fn unwrap(bytes: &[u8]) -> Result<(&[u8], Option<Vec<u8>>), NrbfError> {
    let Some(rest) = bytes.strip_prefix(b"#sig#") else {
        return Ok((bytes, None));
    };
    let wrong = |found: String| NrbfError {
        at: 5,
        expected: "the length of the stream that follows",
        found,
    };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else {
        return Err(wrong("the end".to_owned()));
    };
    let length = i32::from_le_bytes(*length);
    let stream = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length));
    let (stream, signature) =
        stream.ok_or_else(|| wrong(format!("{length} with {} bytes behind it", rest.len())))?;
    Ok((stream, Some(signature.to_vec())))
}

/// What is known of a class before its members' values.
#[derive(Clone, Debug)]
struct Shape {
    name: Arc<str>,
    members: Vec<(Arc<str>, Kind)>,
}

/// What stands for a member ([MS-NRBF] 2.1.2.2).
#[derive(Clone, Copy, Debug)]
enum Kind {
    Primitive(u8),
    Record,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
    classes: HashMap<i32, Arc<Shape>>,
    stream: Stream,
}

impl Reader<'_> {
    fn wrong<T>(&self, expected: &'static str) -> Result<T, NrbfError> {
        let found = match self.bytes.get(self.at) {
            Some(byte) => format!("byte 0x{byte:02X}"),
            None => "the end".to_owned(),
        };
        Err(NrbfError {
            at: self.at,
            expected,
            found,
        })
    }

    fn run(&mut self) -> Result<(), NrbfError> {
        if self.u8()? != 0 {
            self.at = 0;
            return self.wrong("the header of a BinaryFormatter stream");
        }
        let root = self.i32()?;
        let _header = self.i32()?;
        if self.i32()? != 1 || self.i32()? != 0 {
            return self.wrong("version 1.0 of the format");
        }
        loop {
            if self.bytes.get(self.at) == Some(&11) {
                break;
            }
            self.record(0)?;
        }
        if !self.stream.objects.contains_key(&root) && !self.stream.others.contains_key(&root) {
            return self.wrong("the object that the header names as the root, before the end");
        }
        self.stream.root = Value::Object(root);
        Ok(())
    }

    /// Reads one record and returns the value it stands for; libraries are passed over.
    fn record(&mut self, depth: usize) -> Result<Value, NrbfError> {
        if depth > DEPTH {
            return self.wrong("at most 64 objects within each other");
        }
        self.count(1)?;
        let start = self.at;
        let kind = self.u8()?;
        match kind {
            1 => {
                let id = self.i32()?;
                let metadata = self.i32()?;
                let Some(shape) = self.classes.get(&metadata).cloned() else {
                    return self.wrong("the id of a class that stands before");
                };
                self.object(id, &shape, depth)
            }
            2 | 3 => {
                let (id, name) = (self.i32()?, self.text()?.into());
                let members = self.members()?;
                if kind == 3 {
                    self.i32()?;
                }
                let members = members.into_iter().map(|member| (member, Kind::Record)).collect();
                self.object(id, &Arc::new(Shape { name, members }), depth)
            }
            4 | 5 => {
                let (id, name) = (self.i32()?, self.text()?.into());
                let members = self.members()?;
                let kinds = self.kinds(members.len())?;
                if kind == 5 {
                    self.i32()?;
                }
                let members = members.into_iter().zip(kinds).collect();
                self.object(id, &Arc::new(Shape { name, members }), depth)
            }
            6 => {
                let id = self.i32()?;
                let text = Value::Text(self.text()?);
                self.stream.others.insert(id, text.clone());
                Ok(text)
            }
            7 => self.binary_array(depth),
            8 => {
                let primitive = self.u8()?;
                self.primitive(primitive)
            }
            9 => Ok(Value::Object(self.i32()?)),
            10 => Ok(Value::Null),
            12 => {
                self.i32()?;
                self.text()?;
                if depth == 0 {
                    Ok(Value::Null)
                } else {
                    self.record(depth + 1)
                }
            }
            15 => {
                let id = self.i32()?;
                let length = self.length()?;
                let primitive = self.u8()?;
                let array = self.primitives(primitive, length)?;
                self.stream.others.insert(id, array);
                Ok(Value::Object(id))
            }
            16 | 17 => {
                let id = self.i32()?;
                let length = self.length()?;
                let items = self.items(length, depth)?;
                self.stream.others.insert(id, Value::Array(items));
                Ok(Value::Object(id))
            }
            _ => {
                self.at = start;
                self.wrong("a record of a serialised object")
            }
        }
    }

    fn object(&mut self, id: i32, shape: &Arc<Shape>, depth: usize) -> Result<Value, NrbfError> {
        // A member may take no byte of the input at all, so the members are counted and not only the object.
        self.count(shape.members.len())?;
        self.classes.insert(id, Arc::clone(shape));
        let mut members = Vec::with_capacity(shape.members.len().min(64));
        let mut nulls = 0_usize;
        for (name, kind) in &shape.members {
            let value = match kind {
                Kind::Primitive(primitive) => self.primitive(*primitive)?,
                Kind::Record if nulls > 0 => {
                    nulls -= 1;
                    Value::Null
                }
                Kind::Record => match self.null_run()? {
                    Some(run) => {
                        nulls = run.saturating_sub(1);
                        Value::Null
                    }
                    None => self.record(depth + 1)?,
                },
            };
            members.push((Arc::clone(name), value));
        }
        self.stream.objects.insert(
            id,
            Class {
                name: Arc::clone(&shape.name),
                members,
            },
        );
        Ok(Value::Object(id))
    }

    /// The number of nulls that a record of several stands for; `None` when another record stands here.
    fn null_run(&mut self) -> Result<Option<usize>, NrbfError> {
        let run = match self.bytes.get(self.at) {
            Some(13) => {
                self.at += 1;
                usize::from(self.u8()?)
            }
            Some(14) => {
                self.at += 1;
                self.length()?
            }
            _ => return Ok(None),
        };
        self.count(run)?;
        Ok(Some(run))
    }

    fn items(&mut self, length: usize, depth: usize) -> Result<Vec<Value>, NrbfError> {
        let mut items = Vec::new();
        while items.len() < length {
            match self.null_run()? {
                Some(run) if run > 0 && run <= length - items.len() => {
                    items.extend(std::iter::repeat_n(Value::Null, run));
                }
                Some(_) => return self.wrong("as many nulls as the array has room for"),
                None => items.push(self.record(depth + 1)?),
            }
        }
        Ok(items)
    }

    fn binary_array(&mut self, depth: usize) -> Result<Value, NrbfError> {
        let id = self.i32()?;
        let shape = self.u8()?;
        let rank = self.length()?;
        if rank == 0 || rank > 32 {
            return self.wrong("an array of 1 to 32 dimensions");
        }
        let mut length = 1_usize;
        for _ in 0..rank {
            length = length.saturating_mul(self.length()?);
        }
        if matches!(shape, 3..=5) {
            for _ in 0..rank {
                self.i32()?;
            }
        }
        self.count(length)?;
        let kind = self.u8()?;
        let array = match self.kind(kind)? {
            Kind::Primitive(primitive) => self.primitives(primitive, length)?,
            Kind::Record => Value::Array(self.items(length, depth)?),
        };
        self.stream.others.insert(id, array);
        Ok(Value::Object(id))
    }

    /// The names of a class's members.
    fn members(&mut self) -> Result<Vec<Arc<str>>, NrbfError> {
        let count = self.length()?;
        (0..count).map(|_| self.text().map(Arc::from)).collect()
    }

    fn kinds(&mut self, count: usize) -> Result<Vec<Kind>, NrbfError> {
        let types: Vec<u8> = (0..count).map(|_| self.u8()).collect::<Result<_, _>>()?;
        types.into_iter().map(|kind| self.kind(kind)).collect()
    }

    /// Reads what belongs to a binary type ([MS-NRBF] 2.3.1.2).
    fn kind(&mut self, kind: u8) -> Result<Kind, NrbfError> {
        Ok(match kind {
            0 => Kind::Primitive(self.u8()?),
            1 | 2 | 5 | 6 => Kind::Record,
            3 => {
                self.text()?;
                Kind::Record
            }
            4 => {
                self.text()?;
                self.i32()?;
                Kind::Record
            }
            7 => {
                self.u8()?;
                Kind::Record
            }
            _ => return self.wrong("a binary type from 0 to 7"),
        })
    }

    fn primitives(&mut self, primitive: u8, length: usize) -> Result<Value, NrbfError> {
        if primitive == 2 {
            return Ok(Value::Bytes(self.take(length)?.to_vec()));
        }
        self.count(length)?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.primitive(primitive)?);
        }
        Ok(Value::Array(items))
    }

    fn primitive(&mut self, primitive: u8) -> Result<Value, NrbfError> {
        Ok(match primitive {
            1 => Value::Bool(self.u8()? != 0),
            2 => Value::Integer(i128::from(self.u8()?)),
            3 => {
                let first = self.u8()?;
                let more = match first {
                    0..=0x7f => 0,
                    0xc0..=0xdf => 1,
                    0xe0..=0xef => 2,
                    _ => return self.wrong("a character in UTF-8"),
                };
                let mut bytes = vec![first];
                bytes.extend_from_slice(self.take(more)?);
                match std::str::from_utf8(&bytes)
                    .ok()
                    .and_then(|text| text.chars().next())
                {
                    Some(character) => Value::Integer(i128::from(u32::from(character))),
                    None => return self.wrong("a character in UTF-8"),
                }
            }
            5 | 18 => Value::Text(self.text()?),
            6 => Value::Float(f64::from_le_bytes(self.array()?)),
            7 => Value::Integer(i128::from(i16::from_le_bytes(self.array()?))),
            8 => Value::Integer(i128::from(self.i32()?)),
            9 => Value::Integer(i128::from(i64::from_le_bytes(self.array()?))),
            10 => Value::Integer(i128::from(i8::from_le_bytes(self.array()?))),
            11 => Value::Float(f64::from(f32::from_le_bytes(self.array()?))),
            12 | 13 | 16 => Value::Integer(i128::from(u64::from_le_bytes(self.array()?))),
            14 => Value::Integer(i128::from(u16::from_le_bytes(self.array()?))),
            15 => Value::Integer(i128::from(u32::from_le_bytes(self.array()?))),
            17 => Value::Null,
            _ => return self.wrong("a primitive type from 1 to 18"),
        })
    }

    fn count(&mut self, more: usize) -> Result<(), NrbfError> {
        self.values = self.values.saturating_add(more);
        if self.values > RECORDS {
            self.wrong("at most 1048576 values")
        } else {
            Ok(())
        }
    }

    fn take(&mut self, length: usize) -> Result<&[u8], NrbfError> {
        let taken = self
            .at
            .checked_add(length)
            .and_then(|end| self.bytes.get(self.at..end));
        match taken {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(NrbfError {
                at: self.at,
                expected: "more bytes",
                found: format!(
                    "{} where {length} are announced",
                    self.bytes.len().saturating_sub(self.at)
                ),
            }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NrbfError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, NrbfError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn i32(&mut self) -> Result<i32, NrbfError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// A count that the rest of the input could hold at all.
    fn length(&mut self) -> Result<usize, NrbfError> {
        let length = self.i32()?;
        match usize::try_from(length) {
            Ok(length) if length <= RECORDS => Ok(length),
            _ => self.wrong("a count from 0 to 1048576"),
        }
    }

    /// A text: length in 7-bit groups, then UTF-8 ([MS-NRBF] 2.1.1.6).
    fn text(&mut self) -> Result<String, NrbfError> {
        let mut length = 0_usize;
        for group in 0..5 {
            let byte = self.u8()?;
            length |= usize::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                let at = self.at;
                let bytes = self.take(length)?;
                return String::from_utf8(bytes.to_vec()).map_err(|error| NrbfError {
                    at,
                    expected: "text in UTF-8",
                    found: error.to_string(),
                });
            }
        }
        self.wrong("a length of at most five bytes")
    }
}
