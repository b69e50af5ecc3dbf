//! The server's first answer up to its certificate, read without a handshake. Sans-IO; RFC 5246 §6.2, §7.4; RFC 8446 §4.1.3.
//!
//! Nothing is verified here, by design: this reader is for servers no library speaks with any more. Everything is bounded.

use exseal_model::Thumbprint;

use crate::hello::Version;

/// Bytes of a record (RFC 5246 §6.2.3 allows 2^14 + 2048).
const RECORD: usize = (1 << 14) + 2048;
/// Bytes of all handshake messages up to the certificate: a chain of sixteen large certificates stays below 64 KiB.
const MESSAGES: usize = 256 << 10;
/// Records, so that empty ones have an end as well.
const RECORDS: usize = 1024;
/// Certificates of a chain.
const CHAIN: usize = 64;

/// Why the answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}, at byte {at}")]
pub struct FlightError {
    /// What should have come.
    pub expected: String,
    /// What came.
    pub found: String,
    /// How many bytes of the answer were read before.
    pub at: usize,
}

/// An alert of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Whether it ends the connection.
    pub fatal: bool,
    /// Its number.
    pub number: u8,
}

impl Alert {
    /// TLS' own word for it (RFC 8446 §6, RFC 5246 §7.2, RFC 6066 §9).
    #[must_use]
    pub fn word(self) -> String {
        let known = match self.number {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            40 => "handshake_failure",
            42 => "bad_certificate",
            47 => "illegal_parameter",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            116 => "certificate_required",
            120 => "no_application_protocol",
            other => return format!("alert {other}"),
        };
        known.to_owned()
    }
}

/// What a ServerHello chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The version, of supported_versions where it is there; `None`: a number we do not know.
    pub version: Option<Version>,
    /// The cipher suite's number.
    pub cipher: u16,
}

/// The answer as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Flight {
    buffer: Vec<u8>,
    messages: Vec<u8>,
    seen: usize,
    records: usize,
    chosen: Option<Chosen>,
    chain: Option<Vec<Vec<u8>>>,
    alert: Option<Alert>,
    done: bool,
}

impl Flight {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the server chose, once it said so.
    #[must_use]
    pub const fn chosen(&self) -> Option<Chosen> {
        self.chosen
    }

    /// The certificates in DER as sent, the leaf first; `None`: not sent (yet). Empty: sent without any.
    #[must_use]
    pub fn chain(&self) -> Option<&[Vec<u8>]> {
        self.chain.as_deref()
    }

    /// The alert it ended with.
    #[must_use]
    pub const fn alert(&self) -> Option<Alert> {
        self.alert
    }

    /// Whether there is nothing more to be learnt: a certificate, a fatal alert, TLS 1.3 (encrypted from here on), or the
    /// end of the server's messages.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Takes bytes as they come; says whether it is done. What comes after is ignored.
    ///
    /// # Errors
    ///
    /// [`FlightError`] when it is no answer of TLS, or at a bound.
    pub fn read(&mut self, bytes: &[u8]) -> Result<bool, FlightError> {
        if self.done {
            return Ok(true);
        }
        self.buffer.extend_from_slice(bytes);
        while !self.done {
            let Some(record) = self.record()? else {
                break;
            };
            let (kind, body) = record;
            match kind {
                21 => self.take_alert(&body)?,
                22 => {
                    if self.messages.len() + body.len() > MESSAGES {
                        return Err(self.wrong(
                            format!("at most {MESSAGES} bytes up to the certificate"),
                            "more".to_owned(),
                        ));
                    }
                    self.messages.extend(body);
                    self.take_messages()?;
                }
                // change_cipher_spec of the 1.3 compatibility mode, or data: nothing readable follows.
                _ => self.done = true,
            }
        }
        Ok(self.done)
    }

    fn wrong(&self, expected: impl Into<String>, found: impl Into<String>) -> FlightError {
        FlightError {
            expected: expected.into(),
            found: found.into(),
            at: self.seen,
        }
    }

    /// Splits a whole record off the buffer.
    fn record(&mut self) -> Result<Option<(u8, Vec<u8>)>, FlightError> {
        let Some(&kind) = self.buffer.first() else {
            return Ok(None);
        };
        let major = self.buffer.get(1).copied().unwrap_or(3);
        if !(20..=23).contains(&kind) || major != 3 {
            let beginning = self.buffer.get(..self.buffer.len().min(40)).unwrap_or_default();
            return Err(self.wrong(
                "a record of TLS",
                format!("{:?}", String::from_utf8_lossy(beginning)),
            ));
        }
        let Some(&[_, _, _, high, low]) = self.buffer.first_chunk::<5>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > RECORD {
            return Err(self.wrong(format!("a record of at most {RECORD} bytes"), format!("{length}")));
        }
        if self.buffer.len() < 5 + length {
            return Ok(None);
        }
        self.records += 1;
        if self.records > RECORDS {
            return Err(self.wrong(format!("a certificate within {RECORDS} records"), "more"));
        }
        self.seen += 5 + length;
        let body = self.buffer.drain(..5 + length).skip(5).collect();
        Ok(Some((kind, body)))
    }

    fn take_alert(&mut self, body: &[u8]) -> Result<(), FlightError> {
        let &[level, number] = body else {
            return Err(self.wrong("an alert of two bytes", format!("{} bytes", body.len())));
        };
        // unrecognized_name comes as a warning, and the handshake goes on (RFC 6066 §3).
        let fatal = level == 2 || number == 0;
        self.alert = Some(Alert { fatal, number });
        self.done |= fatal;
        Ok(())
    }

    fn take_messages(&mut self) -> Result<(), FlightError> {
        while !self.done {
            let Some(&[kind, a, b, c]) = self.messages.first_chunk::<4>() else {
                return Ok(());
            };
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            if length > MESSAGES {
                return Err(self.wrong(
                    format!("a handshake message of at most {MESSAGES} bytes"),
                    format!("{length}"),
                ));
            }
            if self.messages.len() < 4 + length {
                return Ok(());
            }
            let body: Vec<u8> = self.messages.drain(..4 + length).skip(4).collect();
            match kind {
                2 => self.server_hello(&body)?,
                11 => {
                    self.chain = Some(self.certificates(&body)?);
                    self.done = true;
                }
                // ServerHelloDone without a certificate: an anonymous suite.
                14 => self.done = true,
                0 | 3..=10 | 12 | 13 | 15..=24 => {}
                other => return Err(self.wrong("a handshake message", format!("the number {other}"))),
            }
        }
        Ok(())
    }

    fn server_hello(&mut self, body: &[u8]) -> Result<(), FlightError> {
        let mut reader = Reader(body);
        let chosen = (|| {
            let legacy = reader.u16()?;
            reader.take(32)?;
            let session = usize::from(reader.u8()?);
            reader.take(session)?;
            let cipher = reader.u16()?;
            reader.u8()?;
            let mut version = legacy;
            // Absent before RFC 4366; what cannot be read here changes nothing.
            if let Some(mut extensions) = reader.block16() {
                while let Some(number) = extensions.u16() {
                    let Some(mut value) = extensions.block16() else {
                        break;
                    };
                    if number == 0x002b {
                        version = value.u16().unwrap_or(version);
                    }
                }
            }
            Some(Chosen {
                version: Version::of(version),
                cipher,
            })
        })();
        let Some(chosen) = chosen else {
            return Err(self.wrong("a whole ServerHello", format!("{} bytes", body.len())));
        };
        self.done = chosen.version == Some(Version::Tls13);
        self.chosen = Some(chosen);
        Ok(())
    }

    fn certificates(&self, body: &[u8]) -> Result<Vec<Vec<u8>>, FlightError> {
        let mut reader = Reader(body);
        let Some(mut list) = reader.block24() else {
            return Err(self.wrong("a whole list of certificates", format!("{} bytes", body.len())));
        };
        let mut chain = Vec::new();
        while !list.0.is_empty() {
            if chain.len() == CHAIN {
                return Err(self.wrong(format!("at most {CHAIN} certificates"), "more"));
            }
            match list.block24() {
                Some(certificate) => chain.push(certificate.0.to_vec()),
                None => {
                    return Err(self.wrong(
                        format!("certificate {} whole", chain.len() + 1),
                        format!("{} bytes", list.0.len()),
                    ));
                }
            }
        }
        Ok(chain)
    }
}

/// The SHA-1 of each certificate of a chain, as Windows names them.
#[must_use]
pub fn thumbprints(chain: &[Vec<u8>]) -> Vec<Thumbprint> {
    chain.iter().map(|der| Thumbprint::of_der(der)).collect()
}

/// Bytes that are taken from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).and_then(|bytes| bytes.first().copied())
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*bytes))
    }

    fn block16(&mut self) -> Option<Self> {
        let length = usize::from(self.u16()?);
        self.take(length).map(Self)
    }

    fn block24(&mut self) -> Option<Self> {
        let &[a, b, c] = self.take(3)?.first_chunk::<3>()?;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        self.take(length).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 3, 3];
        out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        out
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
        out.extend(body);
        out
    }

    fn server_hello(version: u16, extensions: &[u8]) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend([5; 32]);
        body.push(0);
        body.extend([0x00, 0x2f, 0]);
        if !extensions.is_empty() {
            body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
            body.extend(extensions);
        }
        message(2, &body)
    }

    fn certificates(ders: &[&[u8]]) -> Vec<u8> {
        let mut list: Vec<u8> = Vec::new();
        for der in ders {
            list.extend(&u32::try_from(der.len()).unwrap().to_be_bytes()[1..]);
            list.extend(*der);
        }
        let mut body = u32::try_from(list.len()).unwrap().to_be_bytes()[1..].to_vec();
        body.extend(list);
        message(11, &body)
    }

    #[test]
    fn the_chain_is_read_however_the_bytes_come() {
        let mut messages = server_hello(0x0301, &[]);
        messages.extend(certificates(&[b"leaf", b"issuer"]));
        // Messages over several records, as real servers cut them.
        let wire: Vec<u8> = messages.chunks(30).flat_map(|part| record(22, part)).collect();
        for step in [1, 7, wire.len()] {
            let mut flight = Flight::new();
            let mut done = false;
            for part in wire.chunks(step) {
                done = flight.read(part).unwrap();
            }
            assert!(done, "in steps of {step}");
            assert_eq!(flight.chosen().unwrap().version, Some(Version::Tls10));
            assert_eq!(flight.chain().unwrap(), [b"leaf".to_vec(), b"issuer".to_vec()]);
        }
        for cut in 0..wire.len() {
            let mut flight = Flight::new();
            assert_eq!(flight.read(&wire[..cut]), Ok(false), "cut at {cut}");
        }
    }

    #[test]
    fn tls_1_3_ends_the_reading() {
        let mut flight = Flight::new();
        let hello = server_hello(0x0303, &[0x00, 0x2b, 0x00, 0x02, 0x03, 0x04]);
        assert!(flight.read(&record(22, &hello)).unwrap());
        assert_eq!(flight.chosen().unwrap().version, Some(Version::Tls13));
        assert_eq!(flight.chain(), None);
    }

    #[test]
    fn a_warning_about_the_name_does_not_end_it() {
        let mut flight = Flight::new();
        assert!(!flight.read(&record(21, &[1, 112])).unwrap());
        assert!(flight.read(&record(21, &[2, 40])).unwrap());
        assert_eq!(flight.alert().unwrap().word(), "handshake_failure");
    }

    #[test]
    fn what_is_no_tls_or_too_much_is_said_so() {
        let mut flight = Flight::new();
        let error = flight.read(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        assert!(error.found.contains("HTTP/1.1 400"), "{error}");
        let mut flight = Flight::new();
        assert!(flight.read(&[22, 3, 3, 0xff, 0xff]).is_err());
        let mut flight = Flight::new();
        let mut huge = vec![11];
        huge.extend([0xff, 0xff, 0xff]);
        assert!(
            flight
                .read(&record(22, &huge))
                .unwrap_err()
                .expected
                .contains("at most")
        );
        let mut flight = Flight::new();
        let empty = record(22, &[]);
        let error = (0..5000).find_map(|_| flight.read(&empty).err()).unwrap();
        assert!(error.expected.contains("1024 records"), "{error}");
        let many: Vec<&[u8]> = vec![b"x"; 65];
        let mut flight = Flight::new();
        assert!(flight.read(&record(22, &certificates(&many))).is_err());
    }
}
