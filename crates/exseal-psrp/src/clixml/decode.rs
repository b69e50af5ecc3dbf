//! Reading CLIXML: one pass, no recursion, every limit checked.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::scan::{ScanError, Scanner, Token, attribute};
use super::text::{PsString, unescape};
use super::value::{Container, ContainerKind, Document, Object, ObjectId, Opaque, Property, Value};

/// How much a document may hold. What is beyond is an error, never cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Elements within elements.
    pub depth: usize,
    /// Objects.
    pub objects: usize,
    /// References to objects and type names.
    pub references: usize,
}

impl Default for Limits {
    /// 512 MiB of text, 1,000 levels, 8,000,000 objects and as many references: far above the largest file seen
    /// (13 MB, 120,000 objects), far below what a machine holds.
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            depth: 1000,
            objects: 8_000_000,
            references: 8_000_000,
        }
    }
}

/// A document that is no CLIXML, or more of it than the limits allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, byte {at}: expected {expected}, found {found}")]
pub struct DecodeError {
    /// The byte within the text, from 0.
    pub at: usize,
    /// The line, from 1.
    pub line: usize,
    /// What should have stood there.
    pub expected: Cow<'static, str>,
    /// What stood there.
    pub found: String,
}

impl<'a> Document<'a> {
    /// Decodes a document: `<Objs>` with any number of values, or bare values one after the other.
    ///
    /// Text that is not a value (white space between elements) is left out; a value, property, name or type that the
    /// specification does not know is an error, never skipped.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] with the place; nothing of the document is known then.
    pub fn decode(text: &'a str, limits: &Limits) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(text, limits);
        match decoder.run() {
            Ok(()) => Ok(decoder.document),
            Err(wrong) => Err(wrong.in_text(text)),
        }
    }
}

/// An error before its line is known.
struct Wrong {
    at: usize,
    expected: Cow<'static, str>,
    found: Option<String>,
}

impl Wrong {
    fn in_text(self, text: &str) -> DecodeError {
        let at = self.at.min(text.len());
        let line = memchr::memchr_iter(b'\n', text.as_bytes().get(..at).unwrap_or_default()).count() + 1;
        let found = self.found.unwrap_or_else(|| match text.get(at..) {
            Some("") | None => "the end".to_owned(),
            Some(rest) => format!("{:?}", rest.chars().take(40).collect::<String>()),
        });
        DecodeError {
            at,
            line,
            expected: self.expected,
            found,
        }
    }
}

impl From<ScanError> for Wrong {
    fn from(error: ScanError) -> Self {
        Self {
            at: error.at,
            expected: error.expected.into(),
            found: None,
        }
    }
}

fn wrong(at: usize, expected: impl Into<Cow<'static, str>>) -> Wrong {
    Wrong {
        at,
        expected: expected.into(),
        found: None,
    }
}

/// Where the next value belongs.
enum Frame<'a> {
    Objs,
    Object(usize),
    Members {
        object: usize,
        extended: bool,
    },
    Items {
        object: usize,
        items: Vec<Value<'a>>,
        kind: ContainerKind,
    },
    Entry {
        key: Option<Value<'a>>,
        value: Option<Value<'a>>,
    },
    Types {
        object: usize,
        names: Vec<PsString<'a>>,
        reference: Option<&'a str>,
    },
}

impl Frame<'_> {
    const fn element(&self) -> &'static str {
        match self {
            Self::Objs => "Objs",
            Self::Object(_) => "Obj",
            Self::Members { extended: true, .. } => "MS",
            Self::Members { extended: false, .. } => "Props",
            Self::Items { kind, .. } => kind.element(),
            Self::Entry { .. } => "En",
            Self::Types { .. } => "TN",
        }
    }
}

struct Decoder<'a, 'l> {
    scanner: Scanner<'a>,
    limits: &'l Limits,
    document: Document<'a>,
    stack: Vec<Frame<'a>>,
    /// RefId → object; also of objects that were only referred to so far.
    ids: HashMap<&'a str, usize>,
    /// Objects that were referred to before they were seen, with the place of the reference.
    promised: HashMap<usize, usize>,
    types: HashMap<&'a str, usize>,
    references: usize,
}

impl<'a, 'l> Decoder<'a, 'l> {
    fn new(text: &'a str, limits: &'l Limits) -> Self {
        Self {
            scanner: Scanner::new(text),
            limits,
            document: Document::default(),
            stack: Vec::new(),
            ids: HashMap::new(),
            promised: HashMap::new(),
            types: HashMap::new(),
            references: 0,
        }
    }

    fn run(&mut self) -> Result<(), Wrong> {
        let mut closed = false;
        loop {
            let at = self.scanner.at();
            if at > self.limits.bytes {
                return Err(wrong(
                    self.limits.bytes,
                    format!("at most {} bytes", self.limits.bytes),
                ));
            }
            match self.scanner.next()? {
                Token::Text(text) if text.bytes().all(|b| b.is_ascii_whitespace()) => {}
                Token::Text(_) | Token::CData(_) => return Err(wrong(at, "an element")),
                Token::Open { .. } if closed => return Err(wrong(at, "nothing behind </Objs>")),
                Token::Open {
                    name,
                    attributes,
                    empty,
                } => self.open(at, name, attributes, empty)?,
                Token::Close { name } => {
                    let Some(frame) = self.stack.pop() else {
                        return Err(wrong(at, "an element or the end"));
                    };
                    if frame.element() != name {
                        return Err(wrong(at, format!("</{}>", frame.element())));
                    }
                    closed = matches!(frame, Frame::Objs);
                    self.close(at, frame)?;
                }
                Token::End => {
                    if let Some(frame) = self.stack.last() {
                        return Err(wrong(at, format!("</{}>", frame.element())));
                    }
                    if let Some(&at) = self.promised.values().min() {
                        return Err(wrong(at, "a reference to an object of this document"));
                    }
                    if self.document.values.is_empty() && !self.document.in_objs {
                        return Err(wrong(at, "CLIXML: <Objs> or a value"));
                    }
                    return Ok(());
                }
            }
        }
    }

    fn push(&mut self, at: usize, frame: Frame<'a>) -> Result<(), Wrong> {
        if self.stack.len() >= self.limits.depth {
            return Err(wrong(
                at,
                format!("at most {} elements within each other", self.limits.depth),
            ));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn open(&mut self, at: usize, name: &'a str, attributes: &'a str, empty: bool) -> Result<(), Wrong> {
        match (name, self.stack.last()) {
            ("Objs", None) if self.document.values.is_empty() => {
                self.document.in_objs = true;
                self.enter(at, Frame::Objs, empty)
            }
            ("Obj", _) => {
                let object = self.define(at, attributes)?;
                self.place(at, attributes, Value::Object(ObjectId(object)))?;
                self.enter(at, Frame::Object(object), empty)
            }
            ("Ref", _) => {
                let object = self.refer(at, attributes)?;
                self.finish_empty(name, empty)?;
                self.place(at, attributes, Value::Object(ObjectId(object)))
            }
            ("TN", Some(&Frame::Object(object))) => {
                let reference = attribute(attributes, "RefId");
                self.enter(
                    at,
                    Frame::Types {
                        object,
                        names: Vec::new(),
                        reference,
                    },
                    empty,
                )
            }
            ("T", Some(Frame::Types { .. })) => {
                let text = self.string(at, name, empty)?;
                if let Some(Frame::Types { names, .. }) = self.stack.last_mut() {
                    names.push(text);
                }
                Ok(())
            }
            ("TNRef", Some(&Frame::Object(object))) => {
                self.count_reference(at)?;
                let known = attribute(attributes, "RefId")
                    .and_then(|id| self.types.get(id))
                    .copied();
                let known =
                    known.ok_or_else(|| wrong(at, "a reference to type names that stand before it"))?;
                self.finish_empty(name, empty)?;
                self.object(object).types = Some(known);
                Ok(())
            }
            ("ToString", Some(&Frame::Object(object))) => {
                let text = self.string(at, name, empty)?;
                self.object(object).to_string = Some(text);
                Ok(())
            }
            ("Props", Some(&Frame::Object(object))) => {
                self.object(object).adapted.get_or_insert_default();
                self.enter(
                    at,
                    Frame::Members {
                        object,
                        extended: false,
                    },
                    empty,
                )
            }
            ("MS", Some(&Frame::Object(object))) => {
                self.object(object).extended.get_or_insert_default();
                self.enter(
                    at,
                    Frame::Members {
                        object,
                        extended: true,
                    },
                    empty,
                )
            }
            ("STK" | "QUE" | "LST" | "IE" | "DCT", Some(&Frame::Object(object))) => {
                if self
                    .document
                    .objects
                    .get(object)
                    .is_some_and(|object| object.container.is_some())
                {
                    return Err(wrong(at, "one container in an object"));
                }
                let kind = match name {
                    "STK" => ContainerKind::Stack,
                    "QUE" => ContainerKind::Queue,
                    "LST" => ContainerKind::List,
                    "IE" => ContainerKind::Enumerable,
                    _ => ContainerKind::Dictionary,
                };
                self.enter(
                    at,
                    Frame::Items {
                        object,
                        items: Vec::new(),
                        kind,
                    },
                    empty,
                )
            }
            (
                "En",
                Some(Frame::Items {
                    kind: ContainerKind::Dictionary,
                    ..
                }),
            ) => self.enter(
                at,
                Frame::Entry {
                    key: None,
                    value: None,
                },
                empty,
            ),
            _ => {
                let value = self.primitive(at, name, empty)?;
                self.place(at, attributes, value)
            }
        }
    }

    /// Goes into an element, and out again when it is empty.
    fn enter(&mut self, at: usize, frame: Frame<'a>, empty: bool) -> Result<(), Wrong> {
        if empty {
            self.close(at, frame)
        } else {
            self.push(at, frame)
        }
    }

    fn close(&mut self, at: usize, frame: Frame<'a>) -> Result<(), Wrong> {
        match frame {
            Frame::Objs | Frame::Object(_) | Frame::Members { .. } => {}
            Frame::Items { object, items, kind } => {
                self.object(object).container = Some(Container { kind, items });
            }
            Frame::Entry { key, value } => {
                let (Some(key), Some(value)) = (key, value) else {
                    return Err(wrong(at, "an entry with a Key and a Value"));
                };
                if let Some(Frame::Items { items, .. }) = self.stack.last_mut() {
                    items.extend([key, value]);
                }
            }
            Frame::Types {
                object,
                names,
                reference,
            } => {
                self.document.type_names.push(names);
                let place = self.document.type_names.len() - 1;
                if let Some(reference) = reference {
                    self.types.insert(reference, place);
                }
                self.object(object).types = Some(place);
            }
        }
        Ok(())
    }

    /// Puts a value where the element it stands in wants it.
    fn place(&mut self, at: usize, attributes: &'a str, value: Value<'a>) -> Result<(), Wrong> {
        match self.stack.last_mut() {
            None | Some(Frame::Objs) => self.document.values.push(value),
            Some(&mut Frame::Object(object)) => {
                let object = self.object(object);
                if object.base.is_some() {
                    return Err(wrong(at, "one value in an object"));
                }
                object.base = Some(value);
            }
            Some(&mut Frame::Members { object, extended }) => {
                let name = attribute(attributes, "N")
                    .ok_or_else(|| wrong(at, "the attribute N, a property's name"))?;
                let name = unescape(name, true).map_err(|error| Wrong {
                    at,
                    expected: "a name with references that end".into(),
                    found: Some(error.found),
                })?;
                let object = self.object(object);
                let members = if extended {
                    &mut object.extended
                } else {
                    &mut object.adapted
                };
                members.get_or_insert_default().push(Property { name, value });
            }
            Some(Frame::Items {
                kind: ContainerKind::Dictionary,
                ..
            }) => return Err(wrong(at, "<En>")),
            Some(Frame::Items { items, .. }) => items.push(value),
            Some(Frame::Entry { key, value: own }) => {
                let place = match attribute(attributes, "N") {
                    Some("Key") => key,
                    Some("Value") => own,
                    _ => return Err(wrong(at, "N=\"Key\" or N=\"Value\"")),
                };
                if place.is_some() {
                    return Err(wrong(at, "one Key and one Value"));
                }
                *place = Some(value);
            }
            Some(Frame::Types { .. }) => return Err(wrong(at, "<T>")),
        }
        Ok(())
    }

    /// The object that is being filled. INVARIANT: frames name objects that exist.
    fn object(&mut self, at: usize) -> &mut Object<'a> {
        &mut self.document.objects[at]
    }

    fn define(&mut self, at: usize, attributes: &'a str) -> Result<usize, Wrong> {
        let reference = attribute(attributes, "RefId");
        if let Some(promised) = reference.and_then(|id| self.ids.get(id)).copied()
            && self.promised.remove(&promised).is_some()
        {
            return Ok(promised);
        }
        let object = self.add_object(at)?;
        if let Some(reference) = reference {
            // A document put together from several may use an id again: from here on it means the new one.
            self.ids.insert(reference, object);
        }
        Ok(object)
    }

    fn refer(&mut self, at: usize, attributes: &'a str) -> Result<usize, Wrong> {
        self.count_reference(at)?;
        let id = attribute(attributes, "RefId").ok_or_else(|| wrong(at, "the attribute RefId"))?;
        if let Some(&object) = self.ids.get(id) {
            return Ok(object);
        }
        let object = self.add_object(at)?;
        self.ids.insert(id, object);
        self.promised.insert(object, at);
        Ok(object)
    }

    fn add_object(&mut self, at: usize) -> Result<usize, Wrong> {
        if self.document.objects.len() >= self.limits.objects {
            return Err(wrong(at, format!("at most {} objects", self.limits.objects)));
        }
        self.document.objects.push(Object::default());
        Ok(self.document.objects.len() - 1)
    }

    fn count_reference(&mut self, at: usize) -> Result<(), Wrong> {
        self.references += 1;
        if self.references > self.limits.references {
            return Err(wrong(
                at,
                format!("at most {} references", self.limits.references),
            ));
        }
        Ok(())
    }

    fn finish_empty(&mut self, name: &str, empty: bool) -> Result<(), Wrong> {
        if empty {
            return Ok(());
        }
        let at = self.scanner.at();
        match self.scanner.next()? {
            Token::Close { name: closed } if closed == name => Ok(()),
            _ => Err(wrong(at, format!("</{name}>"))),
        }
    }

    /// The raw text up to the closing tag; CDATA and comments inside are put together.
    fn raw(&mut self, name: &str, empty: bool) -> Result<Raw<'a>, Wrong> {
        if empty {
            return Ok(Raw {
                text: Cow::Borrowed(""),
                literal: false,
            });
        }
        let at = self.scanner.at();
        let mut raw = Raw {
            text: Cow::Borrowed(""),
            literal: false,
        };
        let mut first = true;
        loop {
            let here = self.scanner.at();
            match self.scanner.next()? {
                Token::Text(text) if first => raw.text = Cow::Borrowed(text),
                Token::Text(text) => raw.append(text, here)?,
                Token::CData(text) if first => {
                    raw = Raw {
                        text: Cow::Borrowed(text),
                        literal: true,
                    }
                }
                Token::CData(text) => {
                    let text: String = unescape_free(text);
                    raw.append(&text, here)?;
                }
                Token::Close { name: closed } if closed == name => return Ok(raw),
                Token::Close { .. } | Token::Open { .. } => return Err(wrong(here, format!("</{name}>"))),
                Token::End => return Err(wrong(at, format!("</{name}>"))),
            }
            first = false;
        }
    }

    fn string(&mut self, at: usize, name: &str, empty: bool) -> Result<PsString<'a>, Wrong> {
        let start = self.scanner.at();
        let raw = self.raw(name, empty)?;
        let read = match raw.text {
            Cow::Borrowed(text) if raw.literal => Ok(PsString::Utf8(Cow::Borrowed(text))),
            Cow::Borrowed(text) => unescape(text, true),
            Cow::Owned(text) => unescape(&text, true).map(PsString::into_owned),
        };
        read.map_err(|error| Wrong {
            at: (start + error.at).max(at),
            expected: "a reference such as &lt; or &#xA;".into(),
            found: Some(format!("{:?}", error.found)),
        })
    }

    fn plain(&mut self, at: usize, name: &str, empty: bool) -> Result<Cow<'a, str>, Wrong> {
        match self.string(at, name, empty)? {
            PsString::Utf8(Cow::Borrowed(text)) => Ok(Cow::Borrowed(text.trim())),
            PsString::Utf8(Cow::Owned(text)) => Ok(Cow::Owned(text.trim().to_owned())),
            PsString::Utf16(_) => Err(wrong(at, format!("plain text in <{name}>"))),
        }
    }

    fn number<T: std::str::FromStr>(
        &mut self,
        at: usize,
        name: &str,
        empty: bool,
        is: &str,
    ) -> Result<T, Wrong> {
        let text = self.plain(at, name, empty)?;
        text.parse().map_err(|_| Wrong {
            at,
            expected: format!("{is} in <{name}>").into(),
            found: Some(format!("{:?}", text.chars().take(40).collect::<String>())),
        })
    }

    fn primitive(&mut self, at: usize, name: &'a str, empty: bool) -> Result<Value<'a>, Wrong> {
        Ok(match name {
            "S" => Value::String(self.string(at, name, empty)?),
            "Nil" => {
                self.finish_empty(name, empty)?;
                Value::Nil
            }
            "B" => match &*self.plain(at, name, empty)? {
                "true" | "1" => Value::Bool(true),
                "false" | "0" => Value::Bool(false),
                other => {
                    return Err(Wrong {
                        at,
                        expected: "true or false in <B>".into(),
                        found: Some(format!("{:?}", other.chars().take(40).collect::<String>())),
                    });
                }
            },
            "C" => Value::Char(self.number(at, name, empty, "a code unit from 0 to 65535")?),
            "DT" => Value::DateTime(self.plain(at, name, empty)?),
            "TS" => Value::TimeSpan(self.plain(at, name, empty)?),
            "By" => Value::U8(self.number(at, name, empty, "a number from 0 to 255")?),
            "SB" => Value::I8(self.number(at, name, empty, "a number from -128 to 127")?),
            "U16" => Value::U16(self.number(at, name, empty, "an unsigned 16-bit number")?),
            "I16" => Value::I16(self.number(at, name, empty, "a 16-bit number")?),
            "U32" => Value::U32(self.number(at, name, empty, "an unsigned 32-bit number")?),
            "I32" => Value::I32(self.number(at, name, empty, "a 32-bit number")?),
            "U64" => Value::U64(self.number(at, name, empty, "an unsigned 64-bit number")?),
            "I64" => Value::I64(self.number(at, name, empty, "a 64-bit number")?),
            "Sg" => Value::F32(self.number(at, name, empty, "a floating-point number")?),
            "Db" => Value::F64(self.number(at, name, empty, "a floating-point number")?),
            "D" => Value::Decimal(self.plain(at, name, empty)?),
            "BA" => {
                let text = self.plain(at, name, empty)?;
                let decoded = if text.bytes().any(|b| b.is_ascii_whitespace()) {
                    BASE64.decode(text.split_ascii_whitespace().collect::<String>())
                } else {
                    BASE64.decode(text.as_bytes())
                };
                Value::Bytes(decoded.map_err(|error| Wrong {
                    at,
                    expected: "base64 in <BA>".into(),
                    found: Some(error.to_string()),
                })?)
            }
            "G" => Value::Guid(self.plain(at, name, empty)?),
            "URI" => Value::Uri(self.string(at, name, empty)?),
            "Version" => Value::Version(self.plain(at, name, empty)?),
            "XD" => Value::Xml(self.string(at, name, empty)?),
            "SBK" => Value::ScriptBlock(self.string(at, name, empty)?),
            "SS" => Value::SecureString(Opaque(self.plain(at, name, empty)?)),
            _ => {
                let place = self.stack.last().map_or("the document", Frame::element);
                return Err(wrong(at, format!("an element of CLIXML in {place}")));
            }
        })
    }
}

/// Text of an element before its references are resolved.
struct Raw<'a> {
    text: Cow<'a, str>,
    /// Whether it has no references (CDATA).
    literal: bool,
}

impl Raw<'_> {
    fn append(&mut self, more: &str, at: usize) -> Result<(), Wrong> {
        if self.literal {
            self.text = Cow::Owned(unescape_free(&self.text));
            self.literal = false;
        }
        if self.text.len() + more.len() > i32::MAX as usize {
            return Err(wrong(at, "at most 2 GiB in one value"));
        }
        self.text.to_mut().push_str(more);
        Ok(())
    }
}

/// Literal text as text with references.
fn unescape_free(text: &str) -> String {
    text.replace('&', "&amp;")
}
