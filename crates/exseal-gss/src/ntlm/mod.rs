//! NTLM version 2, both sides.

mod accept;
mod initiate;
mod message;
mod seal;

pub(crate) use accept::Acceptor;
pub(crate) use initiate::{Initiator, initiator};

/// `NTLMSSP\0`, with which every NTLM token begins.
pub(crate) const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
