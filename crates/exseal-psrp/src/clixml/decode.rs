//! Reading CLIXML: one pass, no recursion, every limit checked.

use std::borrow::Cow;
use std::collections::HashMap;

use super::scan::{ScanError, Scanner, Token, attribute};
use super::text::{PsString, unescape};
use super::value::{Container, ContainerKind, Document, Object, ObjectId, Property, Value};

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
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) expected: Cow<'static, str>,
    pub(super) found: Option<String>,
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

pub(super) fn wrong(at: usize, expected: impl Into<Cow<'static, str>>) -> Wrong {
    Wrong {
        at,
        expected: expected.into(),
        found: None,
    }
}

/// Where the next value belongs.
pub(super) enum Frame<'a> {
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
    pub(super) const fn element(&self) -> &'static str {
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

pub(super) struct Decoder<'a, 'l> {
    pub(super) scanner: Scanner<'a>,
    limits: &'l Limits,
    document: Document<'a>,
    pub(super) stack: Vec<Frame<'a>>,
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
                } => {
                    self.open(at, name, attributes, empty)?;
                    closed = empty && name == "Objs";
                }
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
        match (name.as_bytes(), self.stack.last()) {
            (b"Objs", None) if self.document.values.is_empty() => {
                self.document.in_objs = true;
                self.enter(at, Frame::Objs, empty)
            }
            (b"Obj", _) => {
                let object = self.define(at, attributes)?;
                self.place(at, attributes, Value::Object(ObjectId(object)))?;
                self.enter(at, Frame::Object(object), empty)
            }
            (b"Ref", _) => {
                let object = self.refer(at, attributes)?;
                self.finish_empty(name, empty)?;
                self.place(at, attributes, Value::Object(ObjectId(object)))
            }
            (b"TN", Some(&Frame::Object(object))) => {
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
            (b"T", Some(Frame::Types { .. })) => {
                let text = self.string(at, name, empty)?;
                if let Some(Frame::Types { names, .. }) = self.stack.last_mut() {
                    names.push(text);
                }
                Ok(())
            }
            (b"TNRef", Some(&Frame::Object(object))) => {
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
            (b"ToString", Some(&Frame::Object(object))) => {
                let text = self.string(at, name, empty)?;
                self.object(object).to_string = Some(text);
                Ok(())
            }
            (b"Props", Some(&Frame::Object(object))) => {
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
            (b"MS", Some(&Frame::Object(object))) => {
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
            (b"STK" | b"QUE" | b"LST" | b"IE" | b"DCT", Some(&Frame::Object(object))) => {
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
                b"En",
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

    pub(super) fn finish_empty(&mut self, name: &str, empty: bool) -> Result<(), Wrong> {
        if empty {
            return Ok(());
        }
        let at = self.scanner.at();
        match self.scanner.next()? {
            Token::Close { name: closed } if closed == name => Ok(()),
            _ => Err(wrong(at, format!("</{name}>"))),
        }
    }
}
