//! Session security with extended session security and 128 bits, both sides. Source: [MS-NLMP] 3.4.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{GssError, NtHash, Sealed};

/// HMAC-MD5 over the parts in order.
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// NTOWFv2: what a password, an account and a domain make.
pub(super) fn response_key(hash: &NtHash, account: &str, domain: &str) -> Zeroizing<[u8; 16]> {
    let name = format!("{}{domain}", account.to_uppercase());
    let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Zeroizing::new(hmac_md5(hash.0.as_slice(), &[&wide]))
}

/// RC4; [MS-NLMP] knows no other.
#[derive(Clone)]
pub(super) struct Rc4 {
    state: Zeroizing<[u8; 256]>,
    i: u8,
    j: u8,
}

impl Rc4 {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut state = Zeroizing::new([0_u8; 256]);
        for (value, place) in (0..=255).zip(state.iter_mut()) {
            *place = value;
        }
        let mut j = 0_u8;
        for i in 0..=255_u8 {
            let k = key.get(usize::from(i) % key.len().max(1)).copied().unwrap_or(0);
            j = j.wrapping_add(state[usize::from(i)]).wrapping_add(k);
            state.swap(usize::from(i), usize::from(j));
        }
        Self { state, i: 0, j: 0 }
    }

    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            self.j = self.j.wrapping_add(self.state[usize::from(self.i)]);
            self.state.swap(usize::from(self.i), usize::from(self.j));
            let at = self.state[usize::from(self.i)].wrapping_add(self.state[usize::from(self.j)]);
            *byte ^= self.state[usize::from(at)];
        }
    }
}

/// The two directions of a session.
pub(super) struct Session {
    send: Direction,
    receive: Direction,
    key_exchange: bool,
}

#[derive(Clone)]
struct Direction {
    signing: Zeroizing<[u8; 16]>,
    sealing: Rc4,
    sequence: u32,
}

impl Direction {
    fn new(key: &[u8; 16], signing: &[u8], sealing: &[u8]) -> Self {
        let of =
            |magic: &[u8]| -> [u8; 16] { Md5::new().chain_update(key).chain_update(magic).finalize().into() };
        Self {
            signing: Zeroizing::new(of(signing)),
            sealing: Rc4::new(&of(sealing)),
            sequence: 0,
        }
    }

    /// Version, checksum, sequence number; the sequence goes on by one.
    fn sign(&mut self, plain: &[u8], key_exchange: bool) -> [u8; 16] {
        let sequence = self.sequence.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        let mut checksum = [0_u8; 8];
        checksum.copy_from_slice(&hmac_md5(self.signing.as_slice(), &[&sequence, plain])[..8]);
        if key_exchange {
            self.sealing.apply(&mut checksum);
        }
        let mut signature = [0_u8; 16];
        signature[..4].copy_from_slice(&1_u32.to_le_bytes());
        signature[4..12].copy_from_slice(&checksum);
        signature[12..].copy_from_slice(&sequence);
        signature
    }
}

impl Session {
    pub(super) fn of_server(exported: &[u8; 16], key_exchange: bool) -> Self {
        let Self { send, receive, .. } = Self::of_client(exported, key_exchange);
        Self {
            send: receive,
            receive: send,
            key_exchange,
        }
    }

    pub(super) fn of_client(exported: &[u8; 16], key_exchange: bool) -> Self {
        Self {
            send: Direction::new(
                exported,
                b"session key to client-to-server signing key magic constant\0",
                b"session key to client-to-server sealing key magic constant\0",
            ),
            receive: Direction::new(
                exported,
                b"session key to server-to-client signing key magic constant\0",
                b"session key to server-to-client sealing key magic constant\0",
            ),
            key_exchange,
        }
    }

    pub(super) fn seal(&mut self, plain: &[u8]) -> Sealed {
        let mut data = plain.to_vec();
        self.send.sealing.apply(&mut data);
        let header = self.send.sign(plain, self.key_exchange).to_vec();
        Sealed { header, data }
    }

    pub(super) fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        let mut plain = data.to_vec();
        self.receive.sealing.apply(&mut plain);
        let sequence = self.receive.sequence;
        let expected = self.receive.sign(&plain, self.key_exchange);
        if header.len() != 16 {
            return Err(GssError::Message(format!(
                "expected a signature of 16 bytes, found {}",
                header.len()
            )));
        }
        if !bool::from(expected[12..].ct_eq(&header[12..])) {
            return Err(GssError::Message(format!(
                "expected the sequence number {sequence}, found another"
            )));
        }
        if !bool::from(expected.ct_eq(header)) {
            return Err(GssError::Message(
                "its signature is not of its content".to_owned(),
            ));
        }
        Ok(plain)
    }

    /// Signs the list of mechanisms for SPNEGO: it counts as a message, but the stream of the cipher stays where it
    /// was ([MS-SPNG] 3.3.5.1).
    pub(super) fn sign_apart(&mut self, message: &[u8]) -> Vec<u8> {
        let stream = self.send.sealing.clone();
        let signature = self.send.sign(message, self.key_exchange);
        self.send.sealing = stream;
        signature.to_vec()
    }

    /// Whether the peer signed this so; counts likewise.
    pub(super) fn is_signed_apart(&mut self, message: &[u8], signature: &[u8]) -> bool {
        let stream = self.receive.sealing.clone();
        let expected = self.receive.sign(message, self.key_exchange);
        self.receive.sealing = stream;
        expected.ct_eq(signature).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rc4_gives_the_published_stream() {
        // RFC 6229, 40-bit key 0102030405, offset 0.
        let mut stream = [0_u8; 16];
        Rc4::new(&[1, 2, 3, 4, 5]).apply(&mut stream);
        assert_eq!(stream[..8], [0xb2, 0x39, 0x63, 0x05, 0xf0, 0x3d, 0xc0, 0x27]);
    }
}
