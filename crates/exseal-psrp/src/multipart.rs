//! The framing of sealed bodies: `multipart/encrypted`, [MS-WSMV] 2.2.9.1.
//!
//! Here bytes are put into frames and taken out again; sealing itself is a security context's business.
//! A frame has the sealed header (a signature or a wrap token) and the sealed data apart, as WSMan wants them.
//!
//! Two habits of the field are kept to: HTTP.sys refuses a line end before the closing boundary, so none is
//! written and none accepted; Exchange's front end writes its boundary as `-- Encrypted Boundary`, which is read
//! everywhere and written on request (facts/powershell-remoting.md 3.1 and 3.6).

use std::fmt;

/// The security protocol a sealed body names in its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Behind the HTTP scheme `Negotiate`.
    Spnego,
    /// Behind the HTTP scheme `Kerberos`, as Exchange's front end has it.
    Kerberos,
    /// Behind the HTTP scheme `CredSSP`; the only one that sends a long body in several parts.
    CredSsp,
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Spnego, Self::Kerberos, Self::CredSsp];

    /// The media type of the protocol.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Spnego => "application/HTTP-SPNEGO-session-encrypted",
            Self::Kerberos => "application/HTTP-Kerberos-session-encrypted",
            Self::CredSsp => "application/HTTP-CredSSP-session-encrypted",
        }
    }

    /// The `Content-Type` of a request or reply whose body is sealed.
    pub fn content_type(self, parts: usize) -> String {
        let kind = if parts > 1 {
            "multipart/x-multi-encrypted"
        } else {
            "multipart/encrypted"
        };
        format!(
            "{kind};protocol=\"{}\";boundary=\"Encrypted Boundary\"",
            self.media_type()
        )
    }

    /// The protocol a `Content-Type` names, or `None` if it is not that of a sealed body.
    ///
    /// A sealed body of a protocol nobody here speaks is an error of [`decode`], not `None` there.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let lower = content_type.to_ascii_lowercase();
        if !is_sealed(content_type) {
            return None;
        }
        Self::ALL
            .into_iter()
            .find(|protocol| lower.contains(&protocol.media_type().to_ascii_lowercase()))
    }
}

/// Whether a `Content-Type` is that of a sealed body.
pub fn is_sealed(content_type: &str) -> bool {
    let lower = content_type.trim_start().to_ascii_lowercase();
    lower.starts_with("multipart/encrypted") || lower.starts_with("multipart/x-multi-encrypted")
}

/// One sealed part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// The security header: what the context puts before the data, apart from it.
    pub header: &'a [u8],
    /// The sealed data.
    pub data: &'a [u8],
    /// The length the frame names: that of the clear text, and of the padding the seal added.
    ///
    /// The caller compares it with what unsealing gave.
    pub original_len: usize,
}

impl fmt::Debug for Sealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("header", &self.header.len())
            .field("data", &self.data.len())
            .field("original_len", &self.original_len)
            .finish()
    }
}

/// How the boundary is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// `--Encrypted Boundary`, as Windows writes it.
    #[default]
    Plain,
    /// `-- Encrypted Boundary`, as Exchange's front end writes it.
    Spaced,
}

impl Boundary {
    const fn text(self) -> &'static str {
        match self {
            Self::Plain => "--Encrypted Boundary",
            Self::Spaced => "-- Encrypted Boundary",
        }
    }
}

/// The media type of what is sealed.
pub const SOAP: &str = "application/soap+xml;charset=UTF-8";

/// Frames sealed parts. The `Content-Type` that goes with it is [`Protocol::content_type`].
pub fn encode(protocol: Protocol, parts: &[Sealed<'_>], boundary: Boundary) -> Vec<u8> {
    let boundary = boundary.text();
    let sealed: usize = parts
        .iter()
        .map(|part| part.header.len() + part.data.len() + 256)
        .sum();
    let mut body = Vec::with_capacity(sealed + 32);
    for part in parts {
        let head = format!(
            "{boundary}\r\n\tContent-Type: {}\r\n\tOriginalContent: type={SOAP};Length={}\r\n{boundary}\r\n\
             \tContent-Type: application/octet-stream\r\n",
            protocol.media_type(),
            part.original_len,
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&u32::try_from(part.header.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend_from_slice(part.header);
        body.extend_from_slice(part.data);
    }
    body.extend_from_slice(boundary.as_bytes());
    body.extend_from_slice(b"--\r\n");
    body
}

/// A sealed body that cannot be taken apart. Nothing of it was unsealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The `Content-Type` is not one of a sealed body in a known protocol.
    #[error("expected the content type of a sealed body, found {found:?}")]
    ContentType {
        /// What it is.
        found: String,
    },
    /// The frame has something else where a part of it must stand.
    #[error("byte {at} of the sealed body: expected {expected}, found {found:?}")]
    Frame {
        /// Place in the body.
        at: usize,
        /// What must stand there.
        expected: &'static str,
        /// The beginning of what does.
        found: String,
    },
    /// The body ends too early.
    #[error("the sealed body ends at byte {at}: expected {expected}")]
    Truncated {
        /// Its length.
        at: usize,
        /// What is missing.
        expected: &'static str,
    },
    /// A length or a count is beyond the limit.
    #[error("expected {what} of at most {limit}, found {found}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// What the frame says.
        found: usize,
    },
}

/// Bytes of a security header at most; Kerberos has 60, NTLM 16, CredSSP a TLS record's worth.
const MAX_HEADER: usize = 64 << 10;
/// Parts at most: 16 KiB each, so this is 64 MiB.
const MAX_PARTS: usize = 4096;

/// Takes a sealed body apart. The parts borrow from it; their clear texts, one after the other, are the message.
///
/// The caller bounds the body.
///
/// # Errors
///
/// A [`MultipartError`] with the place; a line end before the closing boundary is one.
pub fn decode<'a>(content_type: &str, body: &'a [u8]) -> Result<(Protocol, Vec<Sealed<'a>>), MultipartError> {
    let Some(protocol) = Protocol::of_content_type(content_type) else {
        return Err(MultipartError::ContentType {
            found: content_type.chars().take(200).collect(),
        });
    };
    let mut cursor = Cursor { body, at: 0 };
    let mut parts = Vec::new();
    cursor.boundary("the first boundary")?;
    loop {
        cursor.expect(b"\r\n", "the end of the boundary's line")?;
        let original_len = cursor.part_headers(protocol)?;
        cursor.expect(b"\r\n", "the end of the boundary's line")?;
        let line = cursor.header_line("Content-Type: application/octet-stream")?;
        if !line
            .trim()
            .eq_ignore_ascii_case("content-type: application/octet-stream")
        {
            return Err(cursor.wrong("Content-Type: application/octet-stream"));
        }

        let header_len = cursor.take(4, "the length of the security header")?;
        let header_len = header_len
            .first_chunk()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
        if header_len > MAX_HEADER {
            return Err(MultipartError::TooLarge {
                what: "a security header",
                limit: MAX_HEADER,
                found: header_len,
            });
        }
        let header = cursor.take(header_len, "the whole security header")?;
        let data = cursor.take(original_len, "as much sealed data as Length says")?;
        parts.push(Sealed {
            header,
            data,
            original_len,
        });
        if parts.len() > MAX_PARTS {
            return Err(MultipartError::TooLarge {
                what: "parts",
                limit: MAX_PARTS,
                found: parts.len(),
            });
        }

        cursor.boundary("a boundary right behind the sealed data")?;
        if cursor.rest().starts_with(b"--") {
            cursor.at += 2;
            let rest = cursor.rest();
            if !rest.is_empty() && rest != b"\r\n" {
                return Err(cursor.wrong("nothing behind the closing boundary"));
            }
            return Ok((protocol, parts));
        }
    }
}

struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, expected: &'static str) -> MultipartError {
        let rest = self.rest();
        if rest.is_empty() {
            return MultipartError::Truncated {
                at: self.body.len(),
                expected,
            };
        }
        let found = rest.get(..rest.len().min(24)).unwrap_or_default();
        MultipartError::Frame {
            at: self.at,
            expected,
            found: found.escape_ascii().to_string(),
        }
    }

    fn expect(&mut self, wanted: &[u8], expected: &'static str) -> Result<(), MultipartError> {
        if !self.rest().starts_with(wanted) {
            return Err(self.wrong(expected));
        }
        self.at += wanted.len();
        Ok(())
    }

    fn take(&mut self, len: usize, expected: &'static str) -> Result<&'a [u8], MultipartError> {
        let Some((taken, _)) = self.rest().split_at_checked(len) else {
            return Err(MultipartError::Truncated {
                at: self.body.len(),
                expected,
            });
        };
        self.at += len;
        Ok(taken)
    }

    fn boundary(&mut self, expected: &'static str) -> Result<(), MultipartError> {
        for boundary in [Boundary::Plain, Boundary::Spaced] {
            if self.rest().starts_with(boundary.text().as_bytes()) {
                self.at += boundary.text().len();
                return Ok(());
            }
        }
        Err(self.wrong(expected))
    }

    /// Reads one header line and its end.
    fn header_line(&mut self, expected: &'static str) -> Result<&'a str, MultipartError> {
        const LONGEST: usize = 1024;
        let rest = self.rest();
        let window = rest.get(..rest.len().min(LONGEST)).unwrap_or_default();
        let Some(end) = memchr::memmem::find(window, b"\r\n") else {
            return Err(self.wrong(expected));
        };
        let line =
            std::str::from_utf8(window.get(..end).unwrap_or_default()).map_err(|_| self.wrong(expected))?;
        self.at += end + 2;
        Ok(line)
    }

    /// Reads the clear headers of a part up to and with the boundary behind them; returns `Length`.
    fn part_headers(&mut self, protocol: Protocol) -> Result<usize, MultipartError> {
        let mut length = None;
        let mut named = false;
        while !self.rest().starts_with(b"--") {
            let start = self.at;
            let line = self
                .header_line("Content-Type, OriginalContent or a boundary")?
                .trim();
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("Content-Type") {
                named = value.trim().eq_ignore_ascii_case(protocol.media_type());
                if !named {
                    self.at = start;
                    return Err(self.wrong("the protocol of the body's content type"));
                }
            } else if name.eq_ignore_ascii_case("OriginalContent") {
                length = value
                    .split(';')
                    .filter_map(|field| field.trim().split_once('='))
                    .find(|(key, _)| key.eq_ignore_ascii_case("Length"))
                    .and_then(|(_, digits)| digits.trim().parse::<usize>().ok());
                if length.is_none() {
                    self.at = start;
                    return Err(self.wrong("OriginalContent with a Length"));
                }
            } else {
                self.at = start;
                return Err(self.wrong("Content-Type, OriginalContent or a boundary"));
            }
        }
        if !named {
            return Err(self.wrong("Content-Type before the boundary"));
        }
        let length = length.ok_or_else(|| self.wrong("OriginalContent before the boundary"))?;
        self.boundary("the boundary behind the clear headers")?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PART: Sealed<'static> = Sealed {
        header: b"0123456789abcdef",
        data: b"sealed",
        original_len: 6,
    };

    #[test]
    fn sealed_body_is_written_as_windows_writes_it() {
        let body = encode(Protocol::Spnego, &[PART], Boundary::Plain);
        let expected = b"--Encrypted Boundary\r\n\
            \tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\
            \tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=6\r\n\
            --Encrypted Boundary\r\n\
            \tContent-Type: application/octet-stream\r\n\
            \x10\0\0\x000123456789abcdefsealed--Encrypted Boundary--\r\n";
        assert_eq!(
            body.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        assert_eq!(
            Protocol::Spnego.content_type(1),
            "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\""
        );
    }

    #[test]
    fn exchange_puts_a_space_into_the_boundary() {
        let body = encode(Protocol::Kerberos, &[PART], Boundary::Spaced);
        assert!(body.starts_with(b"-- Encrypted Boundary\r\n"));
        assert_eq!(
            decode(&Protocol::Kerberos.content_type(1), &body),
            Ok((Protocol::Kerberos, vec![PART]))
        );
    }

    #[test]
    fn line_end_before_the_closing_boundary_is_refused() {
        let part = Sealed {
            data: b"sealed\r\n",
            ..PART
        };
        let body = encode(Protocol::Spnego, &[part], Boundary::Plain);
        let error = decode(&Protocol::Spnego.content_type(1), &body).unwrap_err();
        assert!(
            matches!(error, MultipartError::Frame { expected, .. } if expected.contains("right behind")),
            "{error}"
        );
    }

    #[test]
    fn other_content_types_are_no_sealed_bodies() {
        for content_type in [
            SOAP,
            "multipart/encrypted;protocol=\"application/HTTP-Other\";boundary=\"Encrypted Boundary\"",
            "",
        ] {
            assert!(matches!(
                decode(content_type, b""),
                Err(MultipartError::ContentType { .. })
            ));
        }
    }

    #[test]
    fn protocol_of_the_part_is_that_of_the_body() {
        let body = encode(Protocol::Spnego, &[PART], Boundary::Plain);
        assert!(matches!(
            decode(&Protocol::Kerberos.content_type(1), &body),
            Err(MultipartError::Frame {
                expected: "the protocol of the body's content type",
                ..
            })
        ));
    }

    #[test]
    fn every_cut_and_every_hostile_length_is_an_error() {
        let body = encode(Protocol::CredSsp, &[PART, PART], Boundary::Plain);
        let content_type = Protocol::CredSsp.content_type(2);
        assert_eq!(decode(&content_type, &body).unwrap().1, [PART, PART]);
        // The last line end may be missing, nothing else.
        for cut in 0..body.len() - 3 {
            assert!(decode(&content_type, &body[..cut]).is_err(), "cut at {cut}");
        }
        let hostile = String::from_utf8(body)
            .unwrap()
            .replace("Length=6", "Length=99999999999999999999");
        assert!(decode(&content_type, hostile.as_bytes()).is_err());
        let mut huge = encode(Protocol::Spnego, &[PART], Boundary::Plain);
        let at = memchr::memmem::find(&huge, b"\x10\0\0\0").unwrap();
        huge[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(
            decode(&Protocol::Spnego.content_type(1), &huge),
            Err(MultipartError::TooLarge {
                what: "a security header",
                ..
            })
        ));
    }

    proptest! {
        #[test]
        fn data_may_look_like_a_boundary(data in "(-|Encrypted| |Boundary|\r\n|a){0,40}") {
            let part = Sealed { header: b"h", data: data.as_bytes(), original_len: data.len() };
            let body = encode(Protocol::Spnego, &[part], Boundary::Plain);
            let (_, parts) = decode(&Protocol::Spnego.content_type(1), &body).unwrap();
            prop_assert_eq!(parts, vec![part]);
        }
    }
}
