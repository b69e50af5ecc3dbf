//! Puts right what `sspi` says of channel bindings in a Kerberos request.
//!
//! A client that binds its request says so in an element of authorization data, AD-AUTH-DATA-AP-OPTIONS, of four bytes,
//! the lowest first ([MS-KILE] 2.2.5 and 3.2.5.8). `sspi` writes two, the highest first: MIT's acceptor refuses the whole
//! request with KRB_AP_ERR_MSG_TYPE. The element is sealed within the authenticator, so that is opened and sealed again
//! with the key of the ticket.

use picky_krb::constants::key_usages::AP_REQ_AUTHENTICATOR;
use picky_krb::constants::types::AD_AUTH_DATA_AP_OPTION_TYPE;
use picky_krb::crypto::CipherSuite;
use picky_krb::data_types::Authenticator;
use picky_krb::messages::ApReq;
use zeroize::Zeroizing;

use crate::spnego::{take, tlv};

/// KERB_AP_OPTIONS_CBT.
const BOUND: [u8; 4] = 0x4000_u32.to_le_bytes();
/// The two bytes that say what a token holds (RFC 4121 4.1).
const AP_REQ: [u8; 2] = [1, 0];

/// The token with the right element; `key` is the ticket's session key.
pub(crate) fn put_right(token: &[u8], key: &[u8]) -> Result<Vec<u8>, String> {
    let framed = || {
        let (framed, _) = take(token, 0x60)?;
        let (mechanism, inner) = take(framed, 0x06)?;
        Some((mechanism, inner.strip_prefix(&AP_REQ)?))
    };
    let (mechanism, request) = framed().ok_or("expected a token with an AP-REQ, found another one")?;
    let mut request: ApReq = picky_asn1_der::from_bytes(request).map_err(|error| error.to_string())?;
    let sealed = &mut request.0.authenticator.0;
    let cipher = CipherSuite::try_from(sealed.etype.0.0.as_slice())
        .map_err(|error| error.to_string())?
        .cipher();
    let opened = cipher
        .decrypt(key, AP_REQ_AUTHENTICATOR, &sealed.cipher.0.0)
        .map(Zeroizing::new)
        .map_err(|error| error.to_string())?;
    let mut authenticator: Authenticator =
        picky_asn1_der::from_bytes(&opened).map_err(|error| error.to_string())?;
    let elements = authenticator.0.authorization_data.0.iter_mut();
    for element in elements.flat_map(|data| data.0.0.iter_mut()) {
        if element.ad_type.0.0 == AD_AUTH_DATA_AP_OPTION_TYPE {
            element.ad_data.0.0 = BOUND.to_vec();
        }
    }
    let again = picky_asn1_der::to_vec(&authenticator)
        .map(Zeroizing::new)
        .map_err(|error| error.to_string())?;
    sealed.cipher.0.0 = cipher
        .encrypt(key, AP_REQ_AUTHENTICATOR, &again)
        .map_err(|error| error.to_string())?;
    let request = picky_asn1_der::to_vec(&request).map_err(|error| error.to_string())?;
    Ok(tlv(
        0x60,
        &[&tlv(0x06, mechanism)[..], &AP_REQ, &request].concat(),
    ))
}
