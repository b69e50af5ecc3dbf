//! Just enough XML for CLIXML: tags, attributes, text, comments, CDATA; no document type, no entities of one's own.
//!
//! Own and not a crate's, because PowerShell writes references that are not well-formed XML 1.0, because every error
//! needs its place, and because it is half of the reading time.

use memchr::{memchr, memchr2, memmem};

/// A piece of the document, with the byte where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `<name attributes>` or `<name attributes/>`.
    Open {
        name: &'a str,
        attributes: &'a str,
        empty: bool,
    },
    /// `</name>`.
    Close { name: &'a str },
    /// Text as it stands, references unresolved.
    Text(&'a str),
    /// Text of a CDATA section, which has no references.
    CData(&'a str),
    /// The end of the input.
    End,
}

/// What the scanner did not find.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanError {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    input: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(input: &'a str) -> Self {
        Self { input, at: 0 }
    }

    /// Where the next token begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.input.get(self.at..).unwrap_or_default()
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, ScanError> {
        loop {
            let rest = self.rest();
            let bytes = rest.as_bytes();
            match bytes {
                [] => return Ok(Token::End),
                [b'<', b'/', ..] => {
                    let end = self.find(b'>', "> at the end of a closing tag")?;
                    self.at += end + 1;
                    return Ok(Token::Close {
                        name: rest.get(2..end).unwrap_or_default().trim_end(),
                    });
                }
                [b'<', b'!', b'-', b'-', ..] => self.skip(4, b"-->", "--> at the end of a comment")?,
                [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => {
                    let end = memmem::find(bytes, b"]]>").ok_or(ScanError {
                        at: self.at,
                        expected: "]]> at the end of a CDATA section",
                    })?;
                    self.at += end + 3;
                    return Ok(Token::CData(rest.get(9..end).unwrap_or_default()));
                }
                [b'<', b'!', ..] => {
                    return Err(ScanError {
                        at: self.at,
                        expected: "an element (a document type is not allowed)",
                    });
                }
                [b'<', b'?', ..] => self.skip(2, b"?>", "?> at the end of a processing instruction")?,
                [b'<', ..] => return self.open(),
                _ => {
                    let end = memchr(b'<', bytes).unwrap_or(bytes.len());
                    self.at += end;
                    return Ok(Token::Text(rest.get(..end).unwrap_or_default()));
                }
            }
        }
    }

    fn open(&mut self) -> Result<Token<'a>, ScanError> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        // A `>` inside a quoted value does not end the tag.
        let mut end = self.find(b'>', "> at the end of a tag")?;
        let mut quotes = 1;
        while let Some(step) = memchr2(b'"', b'\'', bytes.get(quotes..end).unwrap_or_default()) {
            let opening = quotes + step;
            let quote = bytes.get(opening).copied().unwrap_or(b'"');
            let closing = memchr(quote, bytes.get(opening + 1..).unwrap_or_default()).ok_or(ScanError {
                at: self.at + opening,
                expected: "a closing quote",
            })?;
            quotes = opening + 1 + closing + 1;
            if quotes > end {
                end = memchr(b'>', bytes.get(quotes..).unwrap_or_default())
                    .map(|step| quotes + step)
                    .ok_or(ScanError {
                        at: self.at,
                        expected: "> at the end of a tag",
                    })?;
            }
        }
        let inside = rest.get(1..end).unwrap_or_default();
        let (inside, empty) = inside
            .strip_suffix('/')
            .map_or((inside, false), |inside| (inside, true));
        let name_end = inside
            .bytes()
            .position(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
            .unwrap_or(inside.len());
        let name = inside.get(..name_end).unwrap_or_default();
        if name.is_empty() {
            return Err(ScanError {
                at: self.at,
                expected: "the name of an element",
            });
        }
        self.at += end + 1;
        Ok(Token::Open {
            name,
            attributes: inside.get(name_end..).unwrap_or_default(),
            empty,
        })
    }

    fn find(&self, byte: u8, expected: &'static str) -> Result<usize, ScanError> {
        memchr(byte, self.rest().as_bytes()).ok_or(ScanError {
            at: self.at,
            expected,
        })
    }

    fn skip(&mut self, from: usize, end: &[u8], expected: &'static str) -> Result<(), ScanError> {
        let bytes = self.rest().as_bytes();
        let found = memmem::find(bytes.get(from..).unwrap_or_default(), end);
        let found = found.ok_or(ScanError {
            at: self.at,
            expected,
        })?;
        self.at += from + found + end.len();
        Ok(())
    }
}

/// The raw value of an attribute; `None` when it is not there.
pub(super) fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = attributes.trim_ascii_start();
    while !rest.is_empty() {
        let (name, after) = split(rest, b'=')?;
        let after = after.trim_ascii_start();
        let quote = *after.as_bytes().first()?;
        if quote != b'"' && quote != b'\'' {
            return None;
        }
        let (value, next) = split(after.get(1..)?, quote)?;
        if name.trim_ascii_end() == wanted {
            return Some(value);
        }
        rest = next.trim_ascii_start();
    }
    None
}

/// What stands before and behind the first of an ASCII byte. Names and values are short: no search by vectors is worth it.
fn split(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|own| own == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
