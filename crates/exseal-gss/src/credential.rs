//! Who one is and what proves it. Nothing here shows a secret in `Debug`, and what holds one wipes it when dropped.

use std::fmt;

use md4::{Digest, Md4};
use zeroize::Zeroizing;

use crate::{GssError, Keytab};

/// A password; wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text over: no copy stays outside.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that proves it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A user and where the account lives: a NetBIOS domain, a realm, or nowhere said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName {
    /// The account, without domain.
    pub account: String,
    /// `CONTOSO` of `CONTOSO\alice`, `contoso.com` of `alice@contoso.com`.
    pub domain: Option<String>,
    /// Whether it was written `account@domain`.
    pub is_upn: bool,
}

impl UserName {
    /// Reads `DOMAIN\account`, `account@realm` or `account`.
    ///
    /// # Errors
    /// The account or a domain that a separator promises is empty.
    pub fn parse(text: &str) -> Result<Self, GssError> {
        let (account, domain, is_upn) = match (text.split_once('\\'), text.rsplit_once('@')) {
            (Some((domain, account)), _) => (account, Some(domain), false),
            (None, Some((account, realm))) => (account, Some(realm), true),
            (None, None) => (text, None, false),
        };
        if account.is_empty() || domain.is_some_and(str::is_empty) {
            return Err(GssError::Token {
                expected: r"a user as DOMAIN\account, account@realm or account",
                found: format!("{text:?}"),
            });
        }
        Ok(Self {
            account: account.to_owned(),
            domain: domain.map(str::to_owned),
            is_upn,
        })
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(realm) if self.is_upn => write!(f, "{}@{realm}", self.account),
            Some(domain) => write!(f, r"{domain}\{}", self.account),
            None => f.write_str(&self.account),
        }
    }
}

/// What a client proves itself with.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A name and its password: NTLM, or Kerberos with a [`KdcExchange`](crate::KdcExchange).
    Password {
        /// Whose.
        user: UserName,
        /// Wiped when dropped.
        password: Password,
    },
    /// A principal and its key out of a keytab: Kerberos with a [`KdcExchange`](crate::KdcExchange).
    Keytab {
        /// Whose; its realm is needed.
        user: UserName,
        /// Where its key is.
        keytab: Keytab,
    },
    /// Who is logged on: on Windows the session's tickets, elsewhere the credential cache or client keytab that
    /// `KRB5CCNAME` and `KRB5_CLIENT_KTNAME` name, else the system's default.
    LogonSession,
}

impl Credential {
    /// A keytab's file, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Password { user, .. } => format!("the password of {user}"),
            Self::Keytab { user, .. } => format!("the keytab's key of {user}"),
            Self::LogonSession => "the log-on session".to_owned(),
        }
    }
}

/// The MD4 of a password in UTF-16LE, which is all an NTLM acceptor needs; as secret as the password.
#[derive(Clone)]
pub struct NtHash(pub(crate) Zeroizing<[u8; 16]>);

impl NtHash {
    /// Of this password.
    pub fn of(password: &Password) -> Self {
        let wide = Zeroizing::new(
            password
                .reveal()
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
        );
        Self(Zeroizing::new(Md4::digest(wide.as_slice()).into()))
    }
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(…)")
    }
}

/// Looks users up for an NTLM acceptor.
pub trait Accounts: Send + Sync {
    /// The hash of this user's password; none: no such user. Names are compared without regard to case; `domain` is
    /// as the client wrote it, empty if it wrote none.
    fn nt_hash(&self, domain: &str, account: &str) -> Option<NtHash>;
}

/// [`Accounts`] with one user in it, accepted with its domain, or with none.
pub struct OneAccount {
    user: UserName,
    hash: NtHash,
}

impl OneAccount {
    /// This user with this password.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the password is taken over, so that it is wiped here"
    )]
    pub fn new(user: UserName, password: Password) -> Self {
        Self {
            user,
            hash: NtHash::of(&password),
        }
    }
}

impl Accounts for OneAccount {
    fn nt_hash(&self, domain: &str, account: &str) -> Option<NtHash> {
        let upn = || account.eq_ignore_ascii_case(&self.user.to_string());
        let same = account.eq_ignore_ascii_case(&self.user.account)
            && (domain.is_empty()
                || self
                    .user
                    .domain
                    .as_deref()
                    .is_none_or(|d| d.eq_ignore_ascii_case(domain)));
        (same || upn()).then(|| self.hash.clone())
    }
}
