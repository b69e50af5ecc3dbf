//! What can go wrong when the directory is asked.

use ldap3::{LdapError, LdapResult};

use super::Target;

/// Why the directory could not be read. Nothing was changed, whatever it says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Nobody answers there, or the connection broke.
    #[error("cannot reach the directory {url}: {what}")]
    Unreachable {
        /// The address that was asked.
        url: String,
        /// The system's word for it.
        what: String,
    },
    /// Its certificate does not convince, or no TLS came about.
    #[error("no trusted TLS connection to the directory {url}: {what}")]
    Untrusted {
        /// The address that was asked.
        url: String,
        /// What TLS said.
        what: String,
    },
    /// It knows the user or the password not, or the account may not log on.
    #[error("the directory {url} does not let {user} in: {rejection}")]
    Credentials {
        /// The address that was asked.
        url: String,
        /// The name that was given.
        user: String,
        /// Which of the reasons.
        rejection: Rejection,
    },
    /// A password was to go over an unprotected connection; nothing was sent.
    #[error("a password for the directory {url} goes over LDAPS or StartTLS only")]
    Unprotected {
        /// The address that was to be asked.
        url: String,
    },
    /// An empty password would be an anonymous bind that looks like a successful one (RFC 4513 5.1.2); nothing was sent.
    #[error("the password for the directory {url} is empty")]
    EmptyPassword {
        /// The address that was to be asked.
        url: String,
    },
    /// It wants a signed connection, or TLS.
    #[error("the directory {url} refuses this way of logging on: {what}")]
    StrongerNeeded {
        /// The address that was asked.
        url: String,
        /// Its diagnostic.
        what: String,
    },
    /// No ticket was to be had, or the directory did not accept it.
    #[error("Kerberos with the directory {url}: {what}")]
    Kerberos {
        /// The address that was asked.
        url: String,
        /// The library's words.
        what: String,
    },
    /// This program was built without Kerberos.
    #[error("this exseal was built without Kerberos for the directory")]
    NoKerberos,
    /// The account may not read there.
    #[error("the directory {url} lets this account not read: {what}")]
    Denied {
        /// The address that was asked.
        url: String,
        /// Its diagnostic.
        what: String,
    },
    /// What was asked lies on other servers. Not followed: credentials are for the server that was named.
    #[error("the directory {url} refers to {}", .referrals.join(", "))]
    Referral {
        /// The address that was asked.
        url: String,
        /// Where it points.
        referrals: Vec<String>,
    },
    /// It names no configuration naming context.
    #[error("{url} is a directory without a configuration naming context, so no Active Directory")]
    NotActiveDirectory {
        /// The address that was asked.
        url: String,
    },
    /// There is no Exchange organisation in this forest, or this account sees none.
    #[error("no Exchange organisation is in the directory {url}, or this account does not see it")]
    NoExchange {
        /// The address that was asked.
        url: String,
    },
    /// It took too long.
    #[error("the directory {url} did not finish within {seconds} seconds")]
    Timeout {
        /// The address that was asked.
        url: String,
        /// How long it was given.
        seconds: u64,
    },
    /// Any other answer.
    #[error("the directory {url} answered {what}")]
    Answer {
        /// The address that was asked.
        url: String,
        /// The answer.
        what: String,
    },
}

/// Why credentials were refused, by the code that Active Directory puts into its diagnostic (`data 52e`), which is the
/// same in every language. Other directories say no more than that they are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No such user (525).
    #[error("no such user")]
    NoSuchUser,
    /// The password is wrong (52e).
    #[error("user or password is wrong")]
    WrongPassword,
    /// Not at this time, or not from this machine (530, 531).
    #[error("the account may not log on now or from here")]
    NotNowOrHere,
    /// The password has expired or has to be changed first (532, 773).
    #[error("the password has expired or has to be changed first")]
    PasswordExpired,
    /// The account is disabled (533).
    #[error("the account is disabled")]
    Disabled,
    /// The account has expired (701).
    #[error("the account has expired")]
    AccountExpired,
    /// The account is locked (775).
    #[error("the account is locked")]
    Locked,
    /// It did not say why.
    #[error("user or password is refused")]
    Unsaid,
}

impl Rejection {
    /// Reads the code behind `data ` in a diagnostic.
    fn read(diagnostic: &str) -> Self {
        let code = diagnostic.split_once("data ").map(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_hexdigit())
                .next()
                .unwrap_or_default()
        });
        match code {
            Some("525") => Self::NoSuchUser,
            Some("52e" | "52E") => Self::WrongPassword,
            Some("530" | "531") => Self::NotNowOrHere,
            Some("532" | "773") => Self::PasswordExpired,
            Some("533") => Self::Disabled,
            Some("701") => Self::AccountExpired,
            Some("775") => Self::Locked,
            _ => Self::Unsaid,
        }
    }
}

impl DirectoryError {
    /// What an error of the LDAP library means.
    pub(super) fn of_ldap(target: &Target, error: LdapError) -> Self {
        let url = target.url();
        match error {
            LdapError::LdapResult { result } => Self::of_result(url, &result),
            LdapError::Io { source } => match rustls_error(&source) {
                Some(what) => Self::Untrusted { url, what },
                None => Self::Unreachable {
                    url,
                    what: source.to_string(),
                },
            },
            LdapError::Rustls { source } => Self::Untrusted {
                url,
                what: source.to_string(),
            },
            LdapError::DNSName { source } => Self::Untrusted {
                url,
                what: source.to_string(),
            },
            // How the library says that the other side closed the connection.
            LdapError::ResultRecv { .. } | LdapError::OpSend { .. } | LdapError::EndOfStream => {
                Self::Unreachable {
                    url,
                    what: "the connection was closed".to_owned(),
                }
            }
            LdapError::Timeout { .. } => Self::Unreachable {
                url,
                what: "no answer in time".to_owned(),
            },
            other => Self::Answer {
                url,
                what: other.to_string(),
            },
        }
    }

    fn of_result(url: String, result: &LdapResult) -> Self {
        let what = if result.text.is_empty() {
            format!("result {}", result.rc)
        } else {
            // Diagnostics may end with a zero.
            format!("result {}: {}", result.rc, result.text.trim_end_matches('\0'))
        };
        match result.rc {
            8 | 13 => Self::StrongerNeeded { url, what },
            10 => Self::Referral {
                url,
                referrals: result.refs.clone(),
            },
            49 => Self::Credentials {
                url,
                user: "this account".to_owned(),
                rejection: Rejection::read(&result.text),
            },
            1 | 50 => Self::Denied { url, what },
            _ => Self::Answer { url, what },
        }
    }

    /// Names the user, where credentials were refused.
    pub(super) fn of_user(self, name: &str) -> Self {
        match self {
            Self::Credentials { url, rejection, .. } => Self::Credentials {
                url,
                user: name.to_owned(),
                rejection,
            },
            other => other,
        }
    }
}

/// TLS' own error inside one of the stream.
fn rustls_error(error: &std::io::Error) -> Option<String> {
    error
        .get_ref()?
        .downcast_ref::<rustls::Error>()
        .map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_rejection_is_read_from_its_code() {
        let diagnostic =
            "80090308: LdapErr: DSID-0C09041C, comment: AcceptSecurityContext error, data 52e, v4563";
        assert_eq!(Rejection::read(diagnostic), Rejection::WrongPassword);
        assert_eq!(Rejection::read("… data 775, v23f0\0"), Rejection::Locked);
        assert_eq!(
            Rejection::read("Simple Bind Failed: NT_STATUS_LOGON_FAILURE"),
            Rejection::Unsaid
        );
    }
}
