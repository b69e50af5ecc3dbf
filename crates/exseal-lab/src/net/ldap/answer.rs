//! Answers as Active Directory words them. The words in front of the comma are the code of Windows, in hexadecimal, and
//! are what clients read; the rest says which module spoke, and here says that it is a simulation.

use ldap3_proto::proto::{LdapBindResponse, LdapExtendedResponse, LdapOp, LdapResult, LdapResultCode};

/// The end of every diagnostic; Windows puts a build number there.
const END: &str = "v4563";

pub(super) fn result(code: LdapResultCode, message: impl Into<String>) -> LdapResult {
    LdapResult {
        code,
        matcheddn: String::new(),
        message: message.into(),
        referral: Vec::new(),
    }
}

pub(super) fn success() -> LdapResult {
    result(LdapResultCode::Success, "")
}

/// `LdapErr` with a code of Windows.
fn ldap_error(result_code: LdapResultCode, windows: &str, comment: &str, data: &str) -> LdapResult {
    result(
        result_code,
        format!("{windows}: LdapErr: DSID-0C09AAAA, comment: {comment}, data {data}, {END}"),
    )
}

/// Nobody has logged on.
pub(super) fn not_bound() -> LdapResult {
    ldap_error(
        LdapResultCode::OperationsError,
        "000004DC",
        "In order to perform this operation a successful bind must be completed on the connection.",
        "0",
    )
}

/// The log-on failed; `data` says why: 525 nobody of that name, 52e wrong password.
pub(super) fn log_on_failed(data: &str) -> LdapResult {
    ldap_error(
        LdapResultCode::InvalidCredentials,
        "80090308",
        "AcceptSecurityContext error",
        data,
    )
}

/// A bind neither signed nor within TLS, where that is not allowed.
pub(super) fn signing_needed() -> LdapResult {
    ldap_error(
        LdapResultCode::StrongerAuthRequired,
        "00002028",
        "The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection",
        "0",
    )
}

/// A way to log on that is not known.
pub(super) fn no_such_method() -> LdapResult {
    ldap_error(
        LdapResultCode::AuthMethodNotSupported,
        "00002027",
        "Invalid Authentication method",
        "0",
    )
}

/// Signing or sealing within TLS.
pub(super) fn no_layer_within_tls() -> LdapResult {
    ldap_error(
        LdapResultCode::UnwillingToPerform,
        "00002029",
        "Cannot bind using sign/seal on a connection on which TLS or SSL is in effect",
        "0",
    )
}

pub(super) fn protocol_error(comment: &str) -> LdapResult {
    ldap_error(LdapResultCode::ProtocolError, "00000057", comment, "0")
}

/// A control that must be obeyed and is not understood, or whose value means nothing.
pub(super) fn control_error() -> LdapResult {
    ldap_error(
        LdapResultCode::UnavailableCriticalExtension,
        "00000057",
        "Error processing control",
        "0",
    )
}

/// A further log-on on a connection that is signed already: its first one would have to be unlearned in the middle.
pub(super) fn bound_already() -> LdapResult {
    ldap_error(
        LdapResultCode::UnwillingToPerform,
        "00002029",
        "A signed connection carries one log-on",
        "0",
    )
}

pub(super) fn unknown_extension() -> LdapResult {
    ldap_error(
        LdapResultCode::ProtocolError,
        "0000203D",
        "Unknown extended request OID",
        "0",
    )
}

pub(super) fn tls_not_now() -> LdapResult {
    ldap_error(
        LdapResultCode::OperationsError,
        "00000001",
        "TLS or SSL already in effect",
        "0",
    )
}

pub(super) fn too_complex() -> LdapResult {
    ldap_error(
        LdapResultCode::AdminLimitExceeded,
        "00002024",
        "The search filter has too many parts",
        "0",
    )
}

/// Nothing of that name; `above` is the nearest object that is there.
pub(super) fn no_such_object(above: String) -> LdapResult {
    LdapResult {
        message: format!(
            "0000208D: NameErr: DSID-0310AAAA, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{above}'\n"
        ),
        matcheddn: above,
        ..result(LdapResultCode::NoSuchObject, "")
    }
}

pub(super) fn bad_name(name: &str) -> LdapResult {
    result(
        LdapResultCode::InvalidDNSyntax,
        format!(
            "0000208F: NameErr: DSID-0310AAAA, problem 2006 (BAD_NAME), data 8350, best match of:\n\t'{name}'\n"
        ),
    )
}

pub(super) fn elsewhere(address: String) -> LdapResult {
    let host = address
        .split_once("//")
        .and_then(|(_, rest)| rest.split('/').next())
        .unwrap_or_default();
    LdapResult {
        message: format!("0000202B: RefErr: DSID-0310AAAA, data 0, 1 access points\n\tref 1: '{host}'\n"),
        referral: vec![address],
        ..result(LdapResultCode::Referral, "")
    }
}

/// A write: nothing is written here over LDAP.
pub(super) fn read_only() -> LdapResult {
    result(
        LdapResultCode::UnwillingToPerform,
        "00002035: LdapErr: DSID-0C09AAAA, comment: The directory of this simulation is changed by Exchange's cmdlets \
         alone, data 0, v4563",
    )
}

/// The response to a kind of request; `None`: it has none.
pub(super) fn response(operation: u64, result: LdapResult) -> Option<LdapOp> {
    Some(match operation {
        0 => LdapOp::BindResponse(LdapBindResponse {
            res: result,
            saslcreds: None,
        }),
        3 => LdapOp::SearchResultDone(result),
        6 => LdapOp::ModifyResponse(result),
        8 => LdapOp::AddResponse(result),
        10 => LdapOp::DelResponse(result),
        12 => LdapOp::ModifyDNResponse(result),
        14 => LdapOp::CompareResult(result),
        23 => LdapOp::ExtendedResponse(LdapExtendedResponse {
            res: result,
            name: None,
            value: None,
        }),
        _ => return None,
    })
}

/// What is said unasked before a connection is closed (RFC 4511 4.4.1).
pub(super) fn disconnection(why: &str) -> LdapOp {
    LdapOp::ExtendedResponse(LdapExtendedResponse {
        res: protocol_error(why),
        name: Some("1.3.6.1.4.1.1466.20036".to_owned()),
        value: None,
    })
}
