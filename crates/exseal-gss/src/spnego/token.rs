//! NegTokenInit and NegTokenResp. Source: RFC 4178 4.2, RFC 2743 3.1.

use crate::GssError;

const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
const INIT: &str = "a SPNEGO NegTokenInit";
const RESPONSE: &str = "a SPNEGO NegTokenResp";
/// Mechanisms in one list; Windows sends four or five.
const MOST_MECHANISMS: usize = 32;

/// The client's first token.
pub(super) struct Init {
    pub(super) mechanisms: Vec<Vec<u8>>,
    pub(super) token: Option<Vec<u8>>,
    pub(super) list_signature: Option<Vec<u8>>,
}

/// Every later token.
#[derive(Default)]
pub(super) struct Response {
    pub(super) state: Option<NegState>,
    pub(super) mechanism: Option<Vec<u8>>,
    pub(super) token: Option<Vec<u8>>,
    pub(super) list_signature: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NegState {
    AcceptCompleted,
    AcceptIncomplete,
    Reject,
    RequestMic,
}

/// The DER of a MechTypeList, which is what both sides sign.
pub(super) fn mechanism_list(mechanisms: &[Vec<u8>]) -> Vec<u8> {
    tlv(
        0x30,
        &mechanisms
            .iter()
            .flat_map(|oid| tlv(0x06, oid))
            .collect::<Vec<_>>(),
    )
}

/// The mechanism of an initial token that is not SPNEGO's (RFC 2743 3.1).
pub(super) fn bare_mechanism(token: &[u8]) -> Option<&[u8]> {
    let (value, _) = take(token, 0x60)?;
    let (oid, _) = take(value, 0x06)?;
    (oid != SPNEGO).then_some(oid)
}

impl Init {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = tlv(0xa0, &mechanism_list(&self.mechanisms));
        if let Some(token) = &self.token {
            fields.extend(tlv(0xa2, &tlv(0x04, token)));
        }
        if let Some(signature) = &self.list_signature {
            fields.extend(tlv(0xa3, &tlv(0x04, signature)));
        }
        let body = [tlv(0x06, SPNEGO), tlv(0xa0, &tlv(0x30, &fields))].concat();
        tlv(0x60, &body)
    }

    pub(super) fn decode(token: &[u8]) -> Result<Self, GssError> {
        let other = || GssError::token(INIT, format!("{} bytes of another kind", token.len()));
        let (value, _) = take(token, 0x60).ok_or_else(other)?;
        let (oid, rest) = take(value, 0x06).ok_or_else(other)?;
        if oid != SPNEGO {
            return Err(other());
        }
        let (body, _) = take(rest, 0xa0)
            .and_then(|(body, _)| take(body, 0x30))
            .ok_or_else(other)?;
        let mut init = Self {
            mechanisms: Vec::new(),
            token: None,
            list_signature: None,
        };
        for (tag, value) in fields(body, INIT)? {
            match tag {
                0xa0 => {
                    let (mut list, _) = take(value, 0x30).ok_or_else(other)?;
                    while !list.is_empty() {
                        let (oid, rest) = take(list, 0x06).ok_or_else(other)?;
                        if init.mechanisms.len() == MOST_MECHANISMS {
                            return Err(GssError::token("32 mechanisms at most", "more"));
                        }
                        init.mechanisms.push(oid.to_vec());
                        list = rest;
                    }
                }
                0xa2 => init.token = Some(take(value, 0x04).ok_or_else(other)?.0.to_vec()),
                // Windows 2000's NegTokenInit2 has negHints here; they are no signature.
                0xa3 => init.list_signature = take(value, 0x04).map(|(signature, _)| signature.to_vec()),
                _ => {}
            }
        }
        if init.mechanisms.is_empty() {
            Err(GssError::token("a list of mechanisms", "none"))
        } else {
            Ok(init)
        }
    }
}

impl Response {
    /// A token on its way, encoded.
    pub(super) fn carrying(token: Vec<u8>) -> Vec<u8> {
        Self {
            token: Some(token),
            ..Self::default()
        }
        .encode()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        if let Some(state) = self.state {
            fields.extend(tlv(0xa0, &tlv(0x0a, &[state as u8])));
        }
        if let Some(mechanism) = &self.mechanism {
            fields.extend(tlv(0xa1, &tlv(0x06, mechanism)));
        }
        if let Some(token) = &self.token {
            fields.extend(tlv(0xa2, &tlv(0x04, token)));
        }
        if let Some(signature) = &self.list_signature {
            fields.extend(tlv(0xa3, &tlv(0x04, signature)));
        }
        tlv(0xa1, &tlv(0x30, &fields))
    }

    pub(super) fn decode(token: &[u8]) -> Result<Self, GssError> {
        let other = || GssError::token(RESPONSE, format!("{} bytes of another kind", token.len()));
        let (body, _) = take(token, 0xa1)
            .and_then(|(body, _)| take(body, 0x30))
            .ok_or_else(other)?;
        let mut response = Self::default();
        for (tag, value) in fields(body, RESPONSE)? {
            let octets = || {
                take(value, 0x04)
                    .map(|(octets, _)| octets.to_vec())
                    .ok_or_else(other)
            };
            match tag {
                0xa0 => {
                    response.state = Some(match take(value, 0x0a).ok_or_else(other)?.0 {
                        [0] => NegState::AcceptCompleted,
                        [1] => NegState::AcceptIncomplete,
                        [2] => NegState::Reject,
                        [3] => NegState::RequestMic,
                        _ => return Err(GssError::token("a negState of 0 to 3", "another")),
                    });
                }
                0xa1 => response.mechanism = Some(take(value, 0x06).ok_or_else(other)?.0.to_vec()),
                0xa2 => response.token = Some(octets()?).filter(|token| !token.is_empty()),
                0xa3 => response.list_signature = Some(octets()?),
                _ => {}
            }
        }
        Ok(response)
    }
}

fn fields<'a>(mut body: &'a [u8], expected: &'static str) -> Result<Vec<(u8, &'a [u8])>, GssError> {
    let mut all = Vec::new();
    while let Some(tag) = body.first().copied() {
        let (value, rest) =
            take(body, tag).ok_or_else(|| GssError::token(expected, "a field that goes past its end"))?;
        all.push((tag, value));
        body = rest;
    }
    Ok(all)
}

/// The value of the element that begins here if it has this tag, and what follows it. Lengths up to four bytes.
pub(crate) fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    if *found != tag {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(*first & 0x7f);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        (
            bytes
                .iter()
                .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)),
            rest,
        )
    };
    rest.split_at_checked(length)
}

pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut whole = vec![tag];
    let length = value.len();
    if length < 0x80 {
        whole.push(u8::try_from(length).unwrap_or(0x7f));
    } else {
        let bytes = length.to_be_bytes();
        let used = bytes
            .iter()
            .position(|byte| *byte != 0)
            .map_or(&bytes[..], |first| &bytes[first..]);
        whole.push(0x80 | u8::try_from(used.len()).unwrap_or(4));
        whole.extend(used);
    }
    whole.extend(value);
    whole
}
