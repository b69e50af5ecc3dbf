//! Text: encodings of files, escapes of PowerShell, strings that need not be Unicode.

use std::borrow::Cow;
use std::fmt;

/// A .NET string: UTF-16 code units, which need not be well-formed.
///
/// Nearly always [`Utf8`](Self::Utf8); a lone surrogate is legal data in PowerShell and then the units are kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum PsString<'a> {
    /// Well-formed text.
    Utf8(Cow<'a, str>),
    /// Code units with at least one lone surrogate.
    Utf16(Vec<u16>),
}

impl<'a> PsString<'a> {
    /// From code units: well-formed ones become text.
    #[must_use]
    pub fn from_units(units: Vec<u16>) -> Self {
        match String::from_utf16(&units) {
            Ok(text) => Self::Utf8(Cow::Owned(text)),
            Err(_) => Self::Utf16(units),
        }
    }

    /// The text, or `None` when it has a lone surrogate.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Utf8(text) => Some(text),
            Self::Utf16(_) => None,
        }
    }

    /// The text, each lone surrogate replaced by U+FFFD.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Utf8(text) => Cow::Borrowed(text),
            Self::Utf16(units) => Cow::Owned(String::from_utf16_lossy(units)),
        }
    }

    /// The code units.
    #[must_use]
    pub fn units(&self) -> Vec<u16> {
        match self {
            Self::Utf8(text) => text.encode_utf16().collect(),
            Self::Utf16(units) => units.clone(),
        }
    }

    /// Whether it has no character.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Utf8(text) => text.is_empty(),
            Self::Utf16(units) => units.is_empty(),
        }
    }

    /// The same, owning its text.
    #[must_use]
    pub fn into_owned(self) -> PsString<'static> {
        match self {
            Self::Utf8(text) => PsString::Utf8(Cow::Owned(text.into_owned())),
            Self::Utf16(units) => PsString::Utf16(units),
        }
    }
}

impl fmt::Debug for PsString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8(text) => fmt::Debug::fmt(text, f),
            Self::Utf16(units) => write!(f, "utf16{units:04x?}"),
        }
    }
}

impl<'a> From<&'a str> for PsString<'a> {
    fn from(text: &'a str) -> Self {
        Self::Utf8(Cow::Borrowed(text))
    }
}

impl From<String> for PsString<'_> {
    fn from(text: String) -> Self {
        Self::Utf8(Cow::Owned(text))
    }
}

/// Bytes that are no text in an encoding PowerShell writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected text in {expected}, found bytes that are none at byte {at}")]
pub struct EncodingError {
    /// The encoding the beginning of the file promises.
    pub expected: &'static str,
    /// The first offending byte, from 0.
    pub at: usize,
}

/// Turns a file's bytes into text: UTF-8 with or without byte order mark, UTF-16 of both orders with the mark or when
/// the first character is an ASCII one.
///
/// UTF-8 is not copied. The mark is not part of the text. Where an XML declaration names another encoding, such as
/// windows-1252, only its ASCII is read: any other byte is an error, even where it would happen to be UTF-8.
///
/// # Errors
///
/// [`EncodingError`] names the encoding tried and the first byte that does not belong to it.
pub fn decode_bytes(bytes: &[u8]) -> Result<Cow<'_, str>, EncodingError> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, 3),
        [0xff, 0xfe, rest @ ..] => utf16(rest, 2, "UTF-16LE", u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, 2, "UTF-16BE", u16::from_be_bytes),
        [first, 0, ..] if first.is_ascii() && *first != 0 => utf16(bytes, 0, "UTF-16LE", u16::from_le_bytes),
        [0, second, ..] if second.is_ascii() && *second != 0 => {
            utf16(bytes, 0, "UTF-16BE", u16::from_be_bytes)
        }
        _ if declares_another(bytes) => match bytes.iter().position(|byte| !byte.is_ascii()) {
            Some(at) => Err(EncodingError {
                expected: "UTF-8 or UTF-16, which its XML declaration does not name",
                at,
            }),
            None => utf8(bytes, 0),
        },
        _ => utf8(bytes, 0),
    }
}

/// Whether an XML declaration names an encoding in which bytes beyond ASCII are not what they are in UTF-8.
fn declares_another(bytes: &[u8]) -> bool {
    let Some(declaration) = bytes.strip_prefix(b"<?xml") else {
        return false;
    };
    let end = memchr::memmem::find(declaration, b"?>").unwrap_or(declaration.len());
    let declaration = declaration.get(..end.min(256)).unwrap_or_default();
    let name = memchr::memmem::find(declaration, b"encoding").and_then(|at| {
        let mut quoted = declaration.get(at..)?.split(|byte| matches!(byte, b'"' | b'\''));
        quoted.nth(1)
    });
    name.is_some_and(|name| {
        !["utf-8", "utf8", "utf-16", "us-ascii", "ascii"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    })
}

fn utf8(bytes: &[u8], skipped: usize) -> Result<Cow<'_, str>, EncodingError> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|error| EncodingError {
            expected: "UTF-8",
            at: skipped + error.valid_up_to(),
        })
}

fn utf16(
    bytes: &[u8],
    skipped: usize,
    expected: &'static str,
    read: fn([u8; 2]) -> u16,
) -> Result<Cow<'static, str>, EncodingError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(EncodingError {
            expected,
            at: skipped + bytes.len() - 1,
        });
    }
    let mut text = String::with_capacity(pairs.len());
    let mut at = skipped;
    for unit in char::decode_utf16(pairs.iter().copied().map(read)) {
        let Ok(character) = unit else {
            return Err(EncodingError { expected, at });
        };
        at += 2 * character.len_utf16();
        text.push(character);
    }
    Ok(Cow::Owned(text))
}

/// What is wrong with escaped text, and where in it.
#[derive(Debug)]
pub(super) struct EscapeError {
    /// Byte within the raw text.
    pub(super) at: usize,
    /// What stood there.
    pub(super) found: String,
}

/// Resolves XML references and, where `powershell` says so, PowerShell's `_xHHHH_` in raw text; line ends become `\n`
/// as XML asks.
///
/// References to characters that XML 1.0 does not allow (`&#xFFFE;`, `&#x0;`) are accepted, because PowerShell writes them
/// over remoting (facts/powershell-remoting.md 2.1).
pub(super) fn unescape(raw: &str, powershell: bool) -> Result<PsString<'_>, EscapeError> {
    let bytes = raw.as_bytes();
    let Some(first) = memchr::memchr3(b'&', b'_', b'\r', bytes) else {
        return Ok(PsString::Utf8(Cow::Borrowed(raw)));
    };
    if memchr::memchr2(b'&', b'\r', bytes).is_none() && !(powershell && has_escape(bytes, first)) {
        return Ok(PsString::Utf8(Cow::Borrowed(raw)));
    }
    let text = resolve(raw)?;
    if !powershell || !has_escape(text.as_bytes(), 0) {
        return Ok(PsString::Utf8(Cow::Owned(text)));
    }

    Ok(unescape_units(&text))
}

/// Replaces each `_xHHHH_`; code units are made only of text that turns out to have a lone surrogate.
fn unescape_units(text: &str) -> PsString<'static> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, unit, behind)) = next_escape(rest) {
        out.push_str(before);
        rest = behind;
        if let Some(character) = char::from_u32(u32::from(unit)) {
            out.push(character);
            continue;
        }
        let low = next_escape(rest).filter(|(between, ..)| between.is_empty());
        match low.and_then(|(_, low, _)| char::decode_utf16([unit, low]).next()?.ok()) {
            Some(character) => {
                out.push(character);
                rest = low.map_or(rest, |(.., behind)| behind);
            }
            None => {
                let mut units: Vec<u16> = out.encode_utf16().collect();
                units.push(unit);
                while let Some((before, unit, behind)) = next_escape(rest) {
                    units.extend(before.encode_utf16());
                    units.push(unit);
                    rest = behind;
                }
                units.extend(rest.encode_utf16());
                return PsString::from_units(units);
            }
        }
    }
    out.push_str(rest);
    PsString::Utf8(Cow::Owned(out))
}

/// What stands before the next `_xHHHH_`, its code unit, and what stands behind it.
fn next_escape(text: &str) -> Option<(&str, u16, &str)> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'_', bytes).find_map(|at| {
        let unit = escape_unit(bytes.get(at..)?)?;
        Some((text.get(..at)?, unit, text.get(at + 7..)?))
    })
}

fn has_escape(bytes: &[u8], from: usize) -> bool {
    let bytes = bytes.get(from..).unwrap_or_default();
    memchr::memchr_iter(b'_', bytes).any(|at| bytes.get(at..).and_then(escape_unit).is_some())
}

/// The code unit of a `_xHHHH_` at the beginning of `bytes`.
fn escape_unit(bytes: &[u8]) -> Option<u16> {
    let (b'_', b'x', digits, b'_') = (*bytes.first()?, *bytes.get(1)?, bytes.get(2..6)?, *bytes.get(6)?)
    else {
        return None;
    };
    digits.iter().try_fold(0_u16, |unit, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some((unit << 4) | u16::try_from(digit).ok()?)
    })
}

/// Resolves `&name;` and `&#n;` and normalises line ends.
fn resolve(raw: &str) -> Result<String, EscapeError> {
    let mut text = String::with_capacity(raw.len());
    let mut at = 0;
    while let Some(step) = memchr::memchr2(b'&', b'\r', raw.as_bytes().get(at..).unwrap_or_default()) {
        text.push_str(raw.get(at..at + step).unwrap_or_default());
        at += step;
        let rest = raw.get(at..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('\r') {
            text.push('\n');
            at += 1 + usize::from(after.starts_with('\n'));
            continue;
        }
        let wrong = || EscapeError {
            at,
            found: rest.chars().take(12).collect(),
        };
        let end = memchr::memchr(b';', rest.as_bytes())
            .filter(|&end| end <= 12)
            .ok_or_else(wrong)?;
        let name = rest.get(1..end).unwrap_or_default();
        let character = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#').ok_or_else(wrong)?;
                let number = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                number.ok().and_then(char::from_u32).ok_or_else(wrong)?
            }
        };
        text.push(character);
        at += end + 1;
    }
    text.push_str(raw.get(at..).unwrap_or_default());
    Ok(text)
}
