//! Messages of LDAP on a connection: bounded, whole, and never taken for something they are not.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use exseal_gss::SecurityContext;
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};
use ldap3_proto::LdapMsg;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::cover;
use crate::net::{Io, Limits};

/// What came.
#[derive(Debug)]
pub(super) enum Taken {
    /// A request.
    Message(LdapMsg),
    /// A step of the log-on that came before SASL.
    Sicily { id: i32, step: Sicily },
    /// A request of this number and kind that could not be read: it is answered with protocolError.
    Malformed { id: i32, operation: u64 },
    /// Nothing that could be answered: the connection ends.
    Garbage(&'static str),
    /// The client is gone.
    End,
}

/// What protects the messages behind a log-on.
pub(super) struct Layer {
    pub(super) context: Box<dyn SecurityContext>,
    /// So many bytes the client takes in one buffer.
    pub(super) most: usize,
}

/// A log-on by NTLM as it was before SASL ([MS-ADTS] 5.1.1.1.3); clients of many kinds still have no other NTLM.
#[derive(Debug)]
pub(super) enum Sicily {
    /// Which packages are there?
    Discovery,
    /// NTLM's first message.
    Negotiate(Vec<u8>),
    /// NTLM's last message.
    Response(Vec<u8>),
}

/// Requests by their tags (RFC 4511 4): bind, unbind, search, modify, add, delete, rename, compare, abandon, extended.
const REQUESTS: [u64; 10] = [0, 2, 3, 6, 8, 10, 12, 14, 16, 23];

/// So many bytes of answers go together.
const PACKED: usize = 32 << 10;
/// The same within a layer. There are clients that lose what stands behind a sealed buffer in their hands, and others that
/// wait for a next packet with it: as a rule an answer is one buffer.
const PACKED_SEALED: usize = 2 << 20;

/// A connection that speaks LDAP.
pub(super) struct Wire {
    io: Box<dyn Io>,
    /// Clear bytes that were not yet taken.
    clear: BytesMut,
    /// What came sealed or signed and is not whole yet.
    covered: BytesMut,
    layer: Option<Box<dyn SecurityContext>>,
    /// Answers that wait to be sent together.
    out: BytesMut,
    /// So many bytes of them at most in one sealed buffer.
    most: usize,
    limits: Limits,
}

impl Wire {
    pub(super) fn new(io: Box<dyn Io>, limits: Limits) -> Self {
        Self {
            io,
            clear: BytesMut::new(),
            covered: BytesMut::new(),
            layer: None,
            out: BytesMut::new(),
            most: PACKED_SEALED,
            limits,
        }
    }

    /// From now on, messages are sealed; what waits goes before that.
    ///
    /// # Errors
    ///
    /// What came in clear text behind the request that ends the log-on would be taken for signed: refused.
    pub(super) async fn protect(&mut self, layer: Layer) -> io::Result<()> {
        self.flush().await?;
        if !self.clear.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "clear text behind the last message of a log-on",
            ));
        }
        self.layer = Some(layer.context);
        // A signature and what Kerberos adds have to fit in, too; one answer alone may be longer.
        self.most = layer.most.saturating_sub(1_024).clamp(1, PACKED_SEALED);
        Ok(())
    }

    /// Whether messages are signed or sealed.
    pub(super) fn is_protected(&self) -> bool {
        self.layer.is_some()
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
            if let Err(why) = self.uncover() {
                return Ok(Taken::Garbage(why));
            }
            match length(&self.clear, self.limits.message) {
                Err(why) => return Ok(Taken::Garbage(why)),
                Ok(Some(length)) => {
                    let message = self.clear.split_to(length);
                    return Ok(read(&message, self.limits.depth));
                }
                Ok(None) => {}
            }
            let is_empty = self.clear.is_empty() && self.covered.is_empty();
            if !begun && !is_empty {
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
            let bytes = chunk.get(..count).unwrap_or_default();
            if self.layer.is_some() {
                self.covered.extend_from_slice(bytes);
            } else {
                self.clear.extend_from_slice(bytes);
            }
        }
    }

    /// Takes signatures and seals off, as far as whole buffers are there: four bytes of length before each (RFC 4422 3.7).
    fn uncover(&mut self) -> Result<(), &'static str> {
        let Some(layer) = &mut self.layer else {
            return Ok(());
        };
        // One message at a time: what a client sends behind it waits outside.
        while length(&self.clear, self.limits.message)?.is_none() {
            let Some((head, rest)) = self.covered.split_first_chunk::<4>() else {
                return Ok(());
            };
            let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
            if length > self.limits.message {
                return Err("a signed buffer is longer than is allowed");
            }
            let Some(token) = rest.get(..length) else {
                return Ok(());
            };
            let opened = cover::open(layer.as_mut(), token).map_err(|error| {
                tracing::debug!(%error, "a buffer that is not of the client");
                "a buffer has no signature of the client"
            })?;
            self.clear.extend_from_slice(&opened);
            let _ = self.covered.split_to(4 + length);
        }
        Ok(())
    }

    /// Sends an answer, at the latest at the next [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// A broken connection, or a client that does not take it in time.
    pub(super) async fn send(&mut self, message: LdapMsg) -> io::Result<()> {
        self.send_tag(StructureTag::from(message)).await
    }

    /// Sends an answer to a step of Sicily: its tokens stand where other answers have a name, and are none.
    pub(super) async fn send_sicily(
        &mut self,
        id: i32,
        code: u8,
        token: Vec<u8>,
        message: &str,
    ) -> io::Result<()> {
        let own = |id: u64, bytes: Vec<u8>| StructureTag {
            class: TagClass::Universal,
            id,
            payload: PL::P(bytes),
        };
        let response = StructureTag {
            class: TagClass::Application,
            id: 1,
            payload: PL::C(vec![
                own(10, vec![code]),
                own(4, token),
                own(4, message.as_bytes().to_vec()),
            ]),
        };
        let whole = StructureTag {
            class: TagClass::Universal,
            id: 16,
            payload: PL::C(vec![own(2, id.to_be_bytes().to_vec()), response]),
        };
        self.send_tag(whole).await
    }

    async fn send_tag(&mut self, tag: StructureTag) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        ldap3_lber::write::encode_into(&mut bytes, tag)?;
        let most = if self.layer.is_some() { self.most } else { PACKED };
        if self.out.len().saturating_add(bytes.len()) > most {
            self.flush().await?;
        }
        self.out.extend_from_slice(&bytes);
        Ok(())
    }

    /// Sends what is waiting: many answers in one sealed buffer, as Windows does; there are clients that take no more than
    /// one from a packet.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let bytes = self.out.split();
        let Some(layer) = &mut self.layer else {
            return self.put(&bytes).await;
        };
        let covered = cover::cover(layer.as_mut(), &bytes).map_err(io::Error::other)?;
        let mut whole = u32::try_from(covered.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes()
            .to_vec();
        whole.extend_from_slice(&covered);
        self.put(&whole).await
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
        let _ = self.flush().await;
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
    if let Some(step) = sicily(&tag) {
        return Taken::Sicily { id, step };
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
    let is_operation = operation.class == TagClass::Application;
    is_operation.then_some((i32::try_from(number).ok()?, operation.id))
}

/// A step of Sicily: a bind whose choice has the tag 9, 10 or 11.
fn sicily(tag: &StructureTag) -> Option<Sicily> {
    let PL::C(parts) = &tag.payload else { return None };
    let operation = parts.get(1).filter(|operation| operation.id == 0)?;
    let PL::C(parts) = &operation.payload else {
        return None;
    };
    let choice = parts.get(2).filter(|choice| choice.class == TagClass::Context)?;
    let PL::P(token) = &choice.payload else {
        return None;
    };
    match choice.id {
        9 => Some(Sicily::Discovery),
        10 => Some(Sicily::Negotiate(token.clone())),
        11 => Some(Sicily::Response(token.clone())),
        _ => None,
    }
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
