//! Why Kerberos refuses. Source: RFC 4120 5.9.1 and 7.5.9; RFC 2743 3.1 and RFC 4121 4.1 for the token around it.

use crate::spnego::take;

/// What a person can do something about; everything else is [`Refusal::Other`] with the library's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The realm has no such user.
    #[error("the key distribution centre knows no such user")]
    UnknownUser,
    /// No account has this principal.
    #[error(
        "the key distribution centre knows no such service: use the server's full name; `setspn -Q` shows which account has it"
    )]
    UnknownService,
    /// More than five minutes between two clocks.
    #[error(
        "the clocks differ by more than five minutes: compare this machine's, the server's and the domain controller's"
    )]
    ClockSkew,
    /// Locked out, disabled or expired.
    #[error("the account is locked, disabled or expired")]
    Revoked,
    /// The password must be changed first.
    #[error("the password has expired: change it first")]
    PasswordExpired,
    /// The account has no AES keys, or its domain allows none.
    #[error("there is no encryption type in common: the account needs AES keys")]
    NoEncryption,
    /// The service's account does not have the key the ticket was made for.
    #[error(
        "the server cannot read the ticket: its principal is another account's, or that account's password was changed"
    )]
    WrongKey,
    /// No ticket-granting ticket, or one that has expired.
    #[error("there is no ticket, or it has expired: log on anew (kinit)")]
    NoTicket,
    /// No answer from any centre.
    #[error("no key distribution centre answers")]
    Unreachable,
    /// Something else.
    #[error("refused")]
    Other,
}

/// KDC_ERR_PREAUTH_FAILED: the password or key is wrong.
pub(crate) const WRONG_PASSWORD: u32 = 24;

impl Refusal {
    /// Of an error code of RFC 4120 7.5.9.
    pub(crate) fn of_code(code: u32) -> Self {
        match code {
            6 => Self::UnknownUser,
            7 => Self::UnknownService,
            14 => Self::NoEncryption,
            1 | 18 => Self::Revoked,
            23 => Self::PasswordExpired,
            32 => Self::NoTicket,
            33 | 37 => Self::ClockSkew,
            31 | 35 | 41 | 44 | 45 => Self::WrongKey,
            _ => Self::Other,
        }
    }

    /// With the words of whoever refused.
    pub(crate) fn told(self, why: &str) -> String {
        match self {
            Self::Other => why.to_owned(),
            known if why.is_empty() => known.to_string(),
            known => format!("{known} ({why})"),
        }
    }
}

/// The code of a KRB-ERROR, if this message is one.
pub(crate) fn code(message: &[u8]) -> Option<u32> {
    const KRB_ERROR: u8 = 0x7e;
    const ERROR_CODE: u8 = 0xa6;
    let (sequence, _) = take(message, KRB_ERROR)?;
    let (mut fields, _) = take(sequence, 0x30)?;
    while let Some(tag) = fields.first() {
        let (field, rest) = take(fields, *tag)?;
        if *tag == ERROR_CODE {
            let (number, _) = take(field, 0x02)?;
            // Codes are small; a negative one is of a private use.
            return match number {
                [] => None,
                [first, ..] if *first >= 0x80 || number.len() > 4 => Some(u32::MAX),
                bytes => Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))),
            };
        }
        fields = rest;
    }
    None
}

/// The code of a KRB-ERROR within the token by which an acceptor refuses.
pub(crate) fn code_in_token(token: &[u8]) -> Option<u32> {
    let (framed, _) = take(token, 0x60)?;
    let (_, inner) = take(framed, 0x06)?;
    code(inner.strip_prefix(&[3, 0])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A KRB-ERROR as MIT's centre wrote it for an unknown service, shortened to its numbers.
    const UNKNOWN_SERVICE: &[u8] = &[
        0x7e, 0x0f, 0x30, 0x0d, 0xa0, 0x03, 0x02, 0x01, 0x05, 0xa1, 0x01, 0x1e, 0xa6, 0x03, 0x02, 0x01, 0x07,
    ];

    #[test]
    fn a_refusal_is_read_bare_and_within_a_token_and_nothing_else_is_one() {
        assert_eq!(code(UNKNOWN_SERVICE), Some(7));
        let mut token = vec![0x60, 0x1e, 0x06, 0x09];
        token.extend([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 3, 0]);
        token.extend(UNKNOWN_SERVICE);
        assert_eq!(code_in_token(&token), Some(7));
        token[13] = 2;
        assert_eq!(code_in_token(&token), None, "an AP-REP");
        for end in 0..UNKNOWN_SERVICE.len() {
            assert_eq!(code(&UNKNOWN_SERVICE[..end]), None, "cut off at {end}");
        }
        assert_eq!(code(&[0x7e, 4, 0x30, 2, 0xa6, 0]), None);
    }

    #[test]
    fn what_a_person_can_mend_is_named_and_the_rest_keeps_its_words() {
        assert_eq!(Refusal::of_code(37), Refusal::ClockSkew);
        assert!(Refusal::ClockSkew.told("KRB 37").ends_with("(KRB 37)"));
        assert_eq!(Refusal::of_code(60).told("generic error"), "generic error");
    }
}
