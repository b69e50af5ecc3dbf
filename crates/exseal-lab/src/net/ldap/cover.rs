//! Sealed buffers of a log-on's security layer.
//!
//! Whether signing or sealing was agreed: with NTLM, LDAP seals (so does Windows, and so do Samba and GSS-NTLMSSP).

use exseal_gss::{GssError, Mechanism, SecurityContext};

/// How long NTLM's signature is, and what a token of Kerberos has at least before its data.
fn head(layer: &dyn SecurityContext) -> usize {
    match layer.mechanism() {
        Mechanism::Ntlm => 16,
        Mechanism::Kerberos => 60,
    }
}

/// Decrypts a buffer and checks it.
pub(super) fn open(layer: &mut dyn SecurityContext, token: &[u8]) -> Result<Vec<u8>, GssError> {
    let short = || GssError::Message("expected a signature, found a shorter buffer".to_owned());
    let (header, data) = token.split_at_checked(head(layer)).ok_or_else(short)?;
    layer.open(header, data)
}

/// Signs and encrypts what is to be sent.
pub(super) fn cover(layer: &mut dyn SecurityContext, plain: &[u8]) -> Result<Vec<u8>, GssError> {
    let sealed = layer.seal(plain)?;
    Ok([sealed.header, sealed.data].concat())
}
