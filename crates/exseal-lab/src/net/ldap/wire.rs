//! Messages of LDAP on a connection: bounded, whole, and never taken for something they are not.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use ldap3_lber::structure::{PL, StructureTag};
use ldap3_proto::LdapMsg;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::net::{Io, Limits};

/// What came.
#[derive(Debug)]
pub(super) enum Taken {
    /// A request.
    Message(LdapMsg),
    /// A request of this number and kind that could not be read: it is answered with protocolError.
    Malformed { id: i32, operation: u64 },
    /// Nothing that could be answered: the connection ends.
    Garbage(&'static str),
    /// The client is gone.
    End,
}

/// Requests by their tags (RFC 4511 4): bind, unbind, search, modify, add, delete, rename, compare, abandon, extended.
const REQUESTS: [u64; 10] = [0, 2, 3, 6, 8, 10, 12, 14, 16, 23];

/// A connection that speaks LDAP.
pub(super) struct Wire {
    io: Box<dyn Io>,
    /// Clear bytes that were not yet taken.
    clear: BytesMut,
    limits: Limits,
}

impl Wire {
    pub(super) fn new(io: Box<dyn Io>, limits: Limits) -> Self {
        Self {
            io,
            clear: BytesMut::new(),
            limits,
        }
    }

    /// The next request.
    ///
    /// # Errors
    ///
    /// Silence over the time allowed, a message that does not come to its end within it, a broken connection.
    pub(super) async fn next(&mut self) -> io::Result<Taken> {
        let mut deadline = Instant::now() + self.limits.idle;
        let mut begun = !self.clear.is_empty();
        loop {
            match length(&self.clear, self.limits.message) {
                Err(why) => return Ok(Taken::Garbage(why)),
                Ok(Some(length)) => {
                    let message = self.clear.split_to(length);
                    return Ok(read(&message, self.limits.depth));
                }
                Ok(None) => {}
            }
            if !begun && !self.clear.is_empty() {
                // From its first byte on, a message has so long to come.
                begun = true;
                deadline = Instant::now() + self.limits.idle;
            }
            let mut chunk = [0; 8_192];
            let count = tokio::time::timeout_at(deadline, self.io.read(&mut chunk))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            if count == 0 {
                return Ok(Taken::End);
            }
            self.clear
                .extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }

    /// Sends an answer.
    ///
    /// # Errors
    ///
    /// A broken connection, or a client that does not take it in time.
    pub(super) async fn send(&mut self, message: LdapMsg) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        ldap3_lber::write::encode_into(&mut bytes, StructureTag::from(message))?;
        self.put(&bytes).await
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let whole = async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        };
        tokio::time::timeout(self.limits.idle, whole)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// The connection below, for TLS.
    ///
    /// # Errors
    ///
    /// What came in clear text behind the request that starts TLS would be taken for protected: refused.
    pub(super) fn into_io(self) -> io::Result<Box<dyn Io>> {
        if self.clear.is_empty() {
            return Ok(self.io);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "clear text behind the request that starts TLS",
        ))
    }

    /// Ends the connection so that what was sent arrives.
    pub(super) async fn close(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.io.shutdown()).await;
    }
}

/// How long the first message is; `None`: its head is not there yet.
fn length(bytes: &[u8], limit: usize) -> Result<Option<usize>, &'static str> {
    let [tag, rest @ ..] = bytes else {
        return Ok(None);
    };
    if *tag != 0x30 {
        return Err("what came is no LDAP message");
    }
    let Some((first, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let (head, length) = if *first < 0x80 {
        (2, usize::from(*first))
    } else {
        let count = usize::from(*first & 0x7f);
        if count == 0 || count > 4 {
            return Err("the length of a message has no form that LDAP allows");
        }
        let Some(digits) = rest.get(..count) else {
            return Ok(None);
        };
        let length = digits
            .iter()
            .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
        (2 + count, length)
    };
    let whole = head + length;
    if whole > limit {
        return Err("a message is longer than is allowed");
    }
    Ok((bytes.len() >= whole).then_some(whole))
}

fn read(bytes: &[u8], depth: usize) -> Taken {
    let Ok((_, tag)) = ldap3_lber::Parser::new(depth).parse(bytes) else {
        return Taken::Garbage("a message could not be taken apart");
    };
    let Some((id, operation)) = head(&tag) else {
        return Taken::Garbage("a message has no number and operation");
    };
    if !REQUESTS.contains(&operation) {
        return Taken::Garbage("a message is no request");
    }
    match LdapMsg::try_from(tag) {
        Ok(message) => Taken::Message(message),
        Err(error) => {
            tracing::debug!(?error, "a request that could not be read");
            Taken::Malformed { id, operation }
        }
    }
}

/// Number and operation of a message.
fn head(tag: &StructureTag) -> Option<(i32, u64)> {
    let PL::C(parts) = &tag.payload else { return None };
    let [id, operation, ..] = parts.as_slice() else {
        return None;
    };
    let PL::P(digits) = &id.payload else { return None };
    if id.id != 2 || digits.is_empty() || digits.len() > 4 {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_u32, |number, digit| (number << 8) | u32::from(*digit));
    let is_operation = operation.class == ldap3_lber::common::TagClass::Application;
    is_operation.then_some((i32::try_from(number).ok()?, operation.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_for_its_last_byte_and_no_longer() {
        // An unbind of number 3, and the beginning of another.
        let wire = [0x30, 0x05, 0x02, 0x01, 0x03, 0x42, 0x00, 0x30];
        for cut in 0..7 {
            assert_eq!(length(&wire[..cut], 100), Ok(None), "cut at {cut}");
        }
        assert_eq!(length(&wire, 100), Ok(Some(7)));
        assert!(matches!(read(&wire[..7], 16), Taken::Message(_)));
        assert!(length(&wire, 6).is_err());
        assert!(length(&[0x30, 0x80], 100).is_err());
        assert!(length(&[0x30, 0x85, 0, 0, 0, 0, 1], 100).is_err());
        assert!(length(b"GET / HTTP/1.1", 100).is_err());
        // Windows writes all lengths with four digits.
        assert_eq!(length(&[0x30, 0x84, 0, 0, 0, 1, 0], 100), Ok(Some(7)));
    }

    #[test]
    fn what_is_no_request_is_garbage() {
        for bytes in [
            &[0x30, 0x00][..],
            &[0x30, 0x03, 0x02, 0x01, 0x01],
            &[0x30, 0x05, 0x04, 0x01, 0x01, 0x42, 0x00],
            // A response.
            &[0x30, 0x05, 0x02, 0x01, 0x01, 0x65, 0x00],
            // Tag 30, which no operation has.
            &[0x30, 0x05, 0x02, 0x01, 0x01, 0x7e, 0x00],
        ] {
            assert!(matches!(read(bytes, 16), Taken::Garbage(_)), "{bytes:x?}");
        }
        // A search without its parts.
        let malformed = read(&[0x30, 0x05, 0x02, 0x01, 0x07, 0x63, 0x00], 16);
        assert!(
            matches!(malformed, Taken::Malformed { id: 7, operation: 3 }),
            "{malformed:?}"
        );
    }
}
