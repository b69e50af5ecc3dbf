//! Small XML trees: enough for envelopes, bounded in depth and size.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

/// Text that is no envelope, or a larger one than is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the envelope: expected {expected}, found {found}")]
pub struct XmlError {
    /// Place.
    pub at: usize,
    /// What must stand there.
    pub expected: String,
    /// What does.
    pub found: String,
}

/// Elements within elements; envelopes have 8.
const MAX_DEPTH: usize = 64;
/// Elements of an envelope; an enumeration of a hundred shells has some 2,000.
const MAX_ELEMENTS: usize = 100_000;

/// An element with its text and children. Comments and processing instructions are passed over.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Namespace (empty for none), name, value.
    attributes: Vec<(String, String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    /// Reads a document of one element.
    pub(super) fn parse(text: &str) -> Result<Self, XmlError> {
        let mut reader = NsReader::from_str(text);
        let mut stack: Vec<Self> = Vec::new();
        let mut root = None;
        let mut count = 0_usize;
        loop {
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let wrong = |expected: &str, found: String| XmlError {
                at,
                expected: expected.to_owned(),
                found,
            };
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(wrong("XML", error.to_string())),
            };
            let closed = match event {
                Event::Start(start) | Event::Empty(start) if root.is_some() => {
                    return Err(wrong("the end", format!("<{}>", start.name().0)));
                }
                Event::Start(start) => {
                    count += 1;
                    if stack.len() >= MAX_DEPTH || count > MAX_ELEMENTS {
                        return Err(wrong(
                            "at most 64 levels and 100,000 elements",
                            format!("level {} and element {count}", stack.len() + 1),
                        ));
                    }
                    let element = Self::begin(&reader, &start).map_err(|found| wrong("attributes", found))?;
                    stack.push(element);
                    None
                }
                Event::Empty(start) => {
                    count += 1;
                    if count > MAX_ELEMENTS {
                        return Err(wrong("at most 100,000 elements", "more".to_owned()));
                    }
                    Some(Self::begin(&reader, &start).map_err(|found| wrong("attributes", found))?)
                }
                Event::End(_) => stack.pop(),
                Event::Text(text) => {
                    if let Some(open) = stack.last_mut() {
                        open.text.push_str(&text.xml10_content());
                    } else if !text.trim().is_empty() {
                        return Err(wrong("an element", format!("{:?}", beginning(&text))));
                    }
                    None
                }
                Event::CData(text) => {
                    if let Some(open) = stack.last_mut() {
                        open.text.push_str(&text);
                    }
                    None
                }
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(character)) => Some(character),
                        Ok(None) => named(&reference),
                        Err(_) => None,
                    };
                    let Some(character) = resolved else {
                        return Err(wrong("a known reference", format!("&{};", &*reference)));
                    };
                    if let Some(open) = stack.last_mut() {
                        open.text.push(character);
                    }
                    None
                }
                Event::DocType(_) => return Err(wrong("no document type", "one".to_owned())),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
                Event::Eof => {
                    return root.filter(|_| stack.is_empty()).ok_or_else(|| {
                        wrong(
                            "the end of every element",
                            format!("the end of the text within {} of them", stack.len()),
                        )
                    });
                }
            };
            if let Some(element) = closed {
                match stack.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => root = Some(element),
                }
            }
        }
    }

    fn begin(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Self, String> {
        let (namespace, local) = reader.resolver().resolve_element(start.name());
        let mut element = Self {
            namespace: bound(&namespace)?,
            name: local.as_ref().to_owned(),
            ..Self::default()
        };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::default())
                .map_err(|error| error.to_string())?;
            element
                .attributes
                .push((bound(&namespace)?, local.as_ref().to_owned(), value.into_owned()));
        }
        Ok(element)
    }

    pub(super) fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The first child of this name.
    pub(super) fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    /// The trimmed text of the first child of this name.
    pub(super) fn child_text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.child(namespace, name).map(|child| child.text.trim())
    }

    /// All children of this name.
    pub(super) fn all<'e>(&'e self, namespace: &'e str, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children
            .iter()
            .filter(move |child| child.is(namespace, name))
    }

    /// An attribute that is in no namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_in("", name)
    }

    pub(super) fn attribute_in(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(own, key, _)| own == namespace && key == name)
            .map(|(_, _, value)| value.as_str())
    }

    /// The text decoded from base64; white space within it does not count.
    pub(super) fn base64(&self) -> Option<Vec<u8>> {
        let text = self.text.trim();
        if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            let text: String = text.split_ascii_whitespace().collect();
            return BASE64.decode(text).ok();
        }
        BASE64.decode(text).ok()
    }

    /// The text of this element and of all within it.
    pub(super) fn deep_text(&self) -> String {
        let mut text = self.text.clone();
        for child in &self.children {
            text.push_str(&child.deep_text());
        }
        text
    }
}

fn bound(namespace: &ResolveResult<'_>) -> Result<String, String> {
    match namespace {
        ResolveResult::Bound(namespace) => Ok(namespace.0.to_owned()),
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Unknown(prefix) => Err(format!("the undeclared prefix {prefix:?}")),
    }
}

fn named(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// The first characters of a text, for an error.
pub(super) fn beginning(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Text with XML's own characters escaped; fit for element and attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    out
}

/// A duration as WSMan writes it: seconds with three digits behind the point.
pub(super) fn duration(duration: Duration) -> String {
    format!("PT{}.{:03}S", duration.as_secs(), duration.subsec_millis())
}

/// Reads the durations WSMan writes (`PT60.000S`, `P0DT1H0M2S`); years and months do not occur.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim().strip_prefix('P')?;
    let mut seconds = 0.0_f64;
    let mut in_time = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            in_time = true;
            rest = after;
            continue;
        }
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, unit) = rest.split_at_checked(end)?;
        let number: f64 = number.parse().ok()?;
        let mut units = unit.chars();
        let factor = match (units.next()?, in_time) {
            ('D', false) => 86_400.0,
            ('H', true) => 3_600.0,
            ('M', true) => 60.0,
            ('S', true) => 1.0,
            _ => return None,
        };
        rest = units.as_str();
        seconds += number * factor;
    }
    Duration::try_from_secs_f64(seconds).ok()
}
