//! The three messages, both sides. Source: [MS-NLMP] 2.2.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::ntlm::SIGNATURE;
use crate::{GssError, ServerNames};

pub(super) const UNICODE: u32 = 0x0000_0001;
/// Names in the client's own code page; here ASCII alone.
pub(super) const OEM: u32 = 0x0000_0002;
pub(super) const REQUEST_TARGET: u32 = 0x0000_0004;
pub(super) const SIGN: u32 = 0x0000_0010;
pub(super) const SEAL: u32 = 0x0000_0020;
pub(super) const NTLM: u32 = 0x0000_0200;
pub(super) const ALWAYS_SIGN: u32 = 0x0000_8000;
pub(super) const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
pub(super) const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
pub(super) const TARGET_INFO: u32 = 0x0080_0000;
pub(super) const VERSION: u32 = 0x0200_0000;
pub(super) const BITS_128: u32 = 0x2000_0000;
pub(super) const KEY_EXCHANGE: u32 = 0x4000_0000;
pub(super) const BITS_56: u32 = 0x8000_0000;

/// The pairs of a target information that are looked at.
mod av {
    pub(super) const END: u16 = 0;
    pub(super) const NETBIOS_COMPUTER: u16 = 1;
    pub(super) const NETBIOS_DOMAIN: u16 = 2;
    pub(super) const DNS_COMPUTER: u16 = 3;
    pub(super) const DNS_DOMAIN: u16 = 4;
    pub(super) const FLAGS: u16 = 6;
    pub(super) const TIMESTAMP: u16 = 7;
    pub(super) const TARGET_NAME: u16 = 9;
    pub(super) const CHANNEL_BINDINGS: u16 = 10;
}

/// A token's longest length: a domain, a user and a workstation of 64 KiB would fit.
const LONGEST: usize = 256 * 1024;

/// The flags a client asks for.
pub(super) fn read_negotiate(token: &[u8]) -> Result<u32, GssError> {
    let message = Message::open(token, 1, "an NTLM NEGOTIATE_MESSAGE")?;
    message.u32(12)
}

/// A NEGOTIATE_MESSAGE that names neither domain nor workstation.
pub(super) fn write_negotiate(flags: u32) -> Vec<u8> {
    let mut whole = SIGNATURE.to_vec();
    whole.extend(1_u32.to_le_bytes());
    whole.extend(flags.to_le_bytes());
    whole.extend([0; 16]);
    whole.extend(WINDOWS_10);
    whole
}

/// 100 ns since 1601.
pub(super) fn filetime(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_1970.as_secs() + 11_644_473_600) * 10_000_000 + u64::from(since_1970.subsec_nanos() / 100)
}

/// What a CHALLENGE_MESSAGE says, borrowed from the token.
pub(super) struct Challenge<'a> {
    pub(super) flags: u32,
    pub(super) nonce: [u8; 8],
    information: &'a [u8],
}

pub(super) fn read_challenge(token: &[u8]) -> Result<Challenge<'_>, GssError> {
    let message = Message::open(token, 2, "an NTLM CHALLENGE_MESSAGE")?;
    let nonce = token.get(24..32).and_then(|nonce| nonce.try_into().ok());
    Ok(Challenge {
        flags: message.u32(20)?,
        nonce: nonce.ok_or_else(|| GssError::token("a challenge of eight bytes", "the token's end"))?,
        information: message.field(40)?,
    })
}

impl Challenge<'_> {
    /// The server's time, if it gave one.
    pub(super) fn time(&self) -> Option<u64> {
        Pairs(self.information)
            .find(av::TIMESTAMP)
            .and_then(|time| time.try_into().ok())
            .map(u64::from_le_bytes)
    }

    /// The client's challenge structure: time, nonce, and the server's pairs with our flags, binding and target added.
    pub(super) fn blob(&self, time: u64, nonce: [u8; 8], binding: [u8; 16], target: &str) -> Vec<u8> {
        let mut whole = vec![1, 1, 0, 0, 0, 0, 0, 0];
        whole.extend(time.to_le_bytes());
        whole.extend(nonce);
        whole.extend([0; 4]);
        let mut pair = |id: u16, value: &[u8]| {
            whole.extend(id.to_le_bytes());
            whole.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
            whole.extend(value);
        };
        for (id, value) in Pairs(self.information).all() {
            if ![av::FLAGS, av::CHANNEL_BINDINGS, av::TARGET_NAME].contains(&id) {
                pair(id, value);
            }
        }
        pair(av::FLAGS, &2_u32.to_le_bytes()); // an integrity code follows
        pair(av::CHANNEL_BINDINGS, &binding);
        pair(
            av::TARGET_NAME,
            &target
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
        );
        pair(av::END, &[]);
        whole.extend([0; 4]);
        whole
    }
}

/// An AUTHENTICATE_MESSAGE with room for its integrity code, which [`set_integrity`] fills.
pub(super) fn write_authenticate(
    flags: u32,
    domain: &str,
    account: &str,
    response: &[u8],
    key: &[u8],
) -> Vec<u8> {
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let (domain, account) = (wide(domain), wide(account));
    let lm = [0_u8; 24];
    let workstation: &[u8] = &[];
    let mut whole = SIGNATURE.to_vec();
    whole.extend(3_u32.to_le_bytes());
    let mut offset = INTEGRITY.end;
    let mut payload = Vec::new();
    for part in [&lm[..], response, &domain, &account, workstation, key] {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
        whole.extend([length, length].concat());
        whole.extend(u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
        offset += part.len();
        payload.extend_from_slice(part);
    }
    whole.extend(flags.to_le_bytes());
    whole.extend(WINDOWS_10);
    whole.extend([0; 16]);
    whole.extend(payload);
    whole
}

/// Fills the place of the integrity code.
pub(super) fn set_integrity(token: &mut [u8], code: [u8; 16]) {
    if let Some(place) = token.get_mut(INTEGRITY) {
        place.copy_from_slice(&code);
    }
}

/// The version in messages: a Windows 10, NTLM revision 15.
const WINDOWS_10: [u8; 8] = [10, 0, 0x63, 0x45, 0, 0, 0, 15];

/// A CHALLENGE_MESSAGE with its target information. `time` is a FILETIME.
pub(super) fn write_challenge(flags: u32, challenge: &[u8; 8], names: &ServerNames, time: u64) -> Vec<u8> {
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let mut information = Vec::new();
    let mut pair = |id: u16, value: &[u8]| {
        information.extend(id.to_le_bytes());
        information.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        information.extend(value);
    };
    pair(av::NETBIOS_DOMAIN, &wide(&names.netbios_domain));
    pair(av::NETBIOS_COMPUTER, &wide(&names.netbios_computer));
    pair(av::DNS_DOMAIN, &wide(&names.dns_domain));
    pair(av::DNS_COMPUTER, &wide(&names.dns_computer));
    pair(av::TIMESTAMP, &time.to_le_bytes());
    pair(av::END, &[]);

    // Target information is Unicode in any case.
    let target = if flags & UNICODE == 0 {
        names.netbios_domain.clone().into_bytes()
    } else {
        wide(&names.netbios_domain)
    };
    let field = |length: usize, offset: usize| {
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
        let offset = u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes();
        [&length[..], &length[..], &offset[..]].concat()
    };
    let mut whole = SIGNATURE.to_vec();
    whole.extend(2_u32.to_le_bytes());
    whole.extend(field(target.len(), 56));
    whole.extend(flags.to_le_bytes());
    whole.extend(challenge);
    whole.extend([0; 8]);
    whole.extend(field(information.len(), 56 + target.len()));
    whole.extend(WINDOWS_10);
    whole.extend(target);
    whole.extend(information);
    whole
}

/// What an AUTHENTICATE_MESSAGE says, borrowed from the token.
pub(super) struct Authenticate<'a> {
    pub(super) flags: u32,
    pub(super) domain: String,
    pub(super) account: String,
    pub(super) proof: [u8; 16],
    /// The client's challenge structure, over which the proof goes.
    pub(super) blob: &'a [u8],
    pub(super) session_key: &'a [u8],
    /// The token's integrity code; none where the proof says that there is none.
    pub(super) integrity: Option<[u8; 16]>,
    pub(super) binding: Option<[u8; 16]>,
}

/// Where the integrity code lies in the token.
const INTEGRITY: std::ops::Range<usize> = 72..88;

pub(super) fn read_authenticate(token: &[u8]) -> Result<Authenticate<'_>, GssError> {
    let message = Message::open(token, 3, "an NTLM AUTHENTICATE_MESSAGE")?;
    let response = message.field(20)?;
    if response.is_empty() {
        return Err(GssError::token(
            "a response of NTLM version 2",
            "an anonymous log-on",
        ));
    }
    let (proof, blob) = response
        .split_first_chunk::<16>()
        .filter(|(_, blob)| blob.len() >= 28 && blob.starts_with(&[1, 1]))
        .ok_or_else(|| {
            GssError::token(
                "a response of NTLM version 2",
                format!("one of {} bytes, as version 1 has", response.len()),
            )
        })?;
    let pairs = Pairs(blob.get(28..).unwrap_or_default());
    let has_integrity = pairs
        .find(av::FLAGS)
        .and_then(|v| v.first().copied())
        .unwrap_or(0)
        & 2
        != 0;
    let integrity = if has_integrity {
        let code = token.get(INTEGRITY).and_then(|code| code.try_into().ok());
        Some(code.ok_or_else(|| GssError::token("an integrity code at byte 72", "the end of the token"))?)
    } else {
        None
    };
    let flags = message.u32(60)?;
    let is_wide = flags & UNICODE != 0;
    Ok(Authenticate {
        flags,
        domain: message.text(28, is_wide)?,
        account: message.text(36, is_wide)?,
        proof: *proof,
        blob,
        session_key: message.field(52)?,
        integrity,
        binding: pairs
            .find(av::CHANNEL_BINDINGS)
            .and_then(|v| v.try_into().ok())
            .filter(|hash| *hash != [0; 16]),
    })
}

/// The token with zeros where its integrity code is, as the code was computed.
pub(super) fn without_integrity(token: &[u8]) -> Vec<u8> {
    let mut copy = token.to_vec();
    if let Some(code) = copy.get_mut(INTEGRITY) {
        code.fill(0);
    }
    copy
}

struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    fn open(token: &'a [u8], kind: u32, expected: &'static str) -> Result<Self, GssError> {
        let message = Self(token);
        if token.len() > LONGEST {
            return Err(GssError::token(expected, format!("{} bytes", token.len())));
        }
        if !token.starts_with(SIGNATURE) {
            return Err(GssError::token(
                expected,
                format!("{} bytes without the signature NTLMSSP", token.len()),
            ));
        }
        match message.u32(8)? {
            found if found == kind => Ok(message),
            found => Err(GssError::token(
                expected,
                format!("an NTLM message of type {found}"),
            )),
        }
    }

    fn u32(&self, at: usize) -> Result<u32, GssError> {
        let bytes = self
            .0
            .get(at..at + 4)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_le_bytes);
        bytes.ok_or_else(|| GssError::token("four bytes more", format!("the token's end at byte {at}")))
    }

    fn field(&self, at: usize) -> Result<&'a [u8], GssError> {
        let length = usize::try_from(self.u32(at)? & 0xffff).unwrap_or(usize::MAX);
        let offset = usize::try_from(self.u32(at + 4)?).unwrap_or(usize::MAX);
        let end = offset.checked_add(length);
        end.and_then(|end| self.0.get(offset..end)).ok_or_else(|| {
            GssError::token(
                "a field within the token",
                format!("{length} bytes at {offset} of {}", self.0.len()),
            )
        })
    }

    fn text(&self, at: usize, is_wide: bool) -> Result<String, GssError> {
        if !is_wide {
            let bytes = self.field(at)?;
            return match std::str::from_utf8(bytes) {
                Ok(text) if text.is_ascii() => Ok(text.to_owned()),
                _ => Err(GssError::token(
                    "a name in ASCII of a client without Unicode",
                    "other bytes",
                )),
            };
        }
        let wide: Vec<u16> = self
            .field(at)?
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&wide).map_err(|_| GssError::token("a name in UTF-16", "lone surrogates"))
    }
}

struct Pairs<'a>(&'a [u8]);

impl<'a> Pairs<'a> {
    /// Up to the end mark, or to the first pair that goes past the end.
    fn all(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            let id = u16::from_le_bytes([head[0], head[1]]);
            let (value, behind) =
                tail.split_at_checked(usize::from(u16::from_le_bytes([head[2], head[3]])))?;
            rest = behind;
            (id != av::END).then_some((id, value))
        })
    }

    fn find(&self, wanted: u16) -> Option<&'a [u8]> {
        self.all().find(|(id, _)| *id == wanted).map(|(_, value)| value)
    }
}
