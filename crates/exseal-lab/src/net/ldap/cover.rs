//! Sealed buffers of a log-on's security layer.
//!
//! Whether signing or sealing was agreed: with NTLM, LDAP seals (so does Windows, and so do Samba and GSS-NTLMSSP).

use exseal_gss::{GssError, SecurityContext};

/// Decrypts a buffer and checks it.
pub(super) fn open(layer: &mut dyn SecurityContext, token: &[u8]) -> Result<Vec<u8>, GssError> {
    layer.open_token(token)
}

/// Signs and encrypts what is to be sent.
pub(super) fn cover(layer: &mut dyn SecurityContext, plain: &[u8]) -> Result<Vec<u8>, GssError> {
    let sealed = layer.seal(plain)?;
    Ok([sealed.header, sealed.data].concat())
}
