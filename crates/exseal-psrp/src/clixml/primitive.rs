//! Reading the elements that hold text and nothing else.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::decode::{Decoder, Frame, Wrong, wrong};
use super::scan::Token;
use super::text::{PsString, unescape};
use super::value::{Opaque, Value};

impl<'a> Decoder<'a, '_> {
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

    pub(super) fn string(&mut self, at: usize, name: &str, empty: bool) -> Result<PsString<'a>, Wrong> {
        let start = self.scanner.at();
        let raw = self.raw(name, empty)?;
        let read = match raw.text {
            Cow::Borrowed(text) if raw.literal => {
                unescape(&unescape_free(text), true).map(PsString::into_owned)
            }
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

    /// A floating-point number. Digits beyond the type are an error: PowerShell writes an infinity as a word.
    fn float<T>(&mut self, at: usize, name: &str, empty: bool) -> Result<T, Wrong>
    where
        T: std::str::FromStr + Into<f64> + Copy,
    {
        let text = self.plain(at, name, empty)?;
        text.parse()
            .ok()
            .filter(|&number: &T| !(number.into().is_infinite() && text.bytes().any(|b| b.is_ascii_digit())))
            .ok_or_else(|| Wrong {
                at,
                expected: format!("a floating-point number that fits <{name}>").into(),
                found: Some(format!("{:?}", text.chars().take(40).collect::<String>())),
            })
    }

    pub(super) fn primitive(&mut self, at: usize, name: &'a str, empty: bool) -> Result<Value<'a>, Wrong> {
        Ok(match name.as_bytes() {
            b"S" => Value::String(self.string(at, name, empty)?),
            b"Nil" => {
                self.finish_empty(name, empty)?;
                Value::Nil
            }
            b"B" => match &*self.plain(at, name, empty)? {
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
            b"C" => Value::Char(self.number(at, name, empty, "a code unit from 0 to 65535")?),
            b"DT" => Value::DateTime(self.plain(at, name, empty)?),
            b"TS" => Value::TimeSpan(self.plain(at, name, empty)?),
            b"By" => Value::U8(self.number(at, name, empty, "a number from 0 to 255")?),
            b"SB" => Value::I8(self.number(at, name, empty, "a number from -128 to 127")?),
            b"U16" => Value::U16(self.number(at, name, empty, "an unsigned 16-bit number")?),
            b"I16" => Value::I16(self.number(at, name, empty, "a 16-bit number")?),
            b"U32" => Value::U32(self.number(at, name, empty, "an unsigned 32-bit number")?),
            b"I32" => Value::I32(self.number(at, name, empty, "a 32-bit number")?),
            b"U64" => Value::U64(self.number(at, name, empty, "an unsigned 64-bit number")?),
            b"I64" => Value::I64(self.number(at, name, empty, "a 64-bit number")?),
            b"Sg" => Value::F32(self.float(at, name, empty)?),
            b"Db" => Value::F64(self.float(at, name, empty)?),
            b"D" => Value::Decimal(self.plain(at, name, empty)?),
            b"BA" => {
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
            b"G" => Value::Guid(self.plain(at, name, empty)?),
            b"URI" => Value::Uri(self.string(at, name, empty)?),
            b"Version" => Value::Version(self.plain(at, name, empty)?),
            b"XD" => Value::Xml(self.string(at, name, empty)?),
            b"SBK" => Value::ScriptBlock(self.string(at, name, empty)?),
            b"SS" => Value::SecureString(Opaque(self.plain(at, name, empty)?)),
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
