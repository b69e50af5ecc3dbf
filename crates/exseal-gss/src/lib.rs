//! Security contexts: Negotiate (SPNEGO), NTLM and Kerberos, as initiator and acceptor, behind one trait:
//! [`SecurityContext::step`], [`seal`](SecurityContext::seal), [`open`](SecurityContext::open).
//!
//! No sockets and no HTTP: tokens in, tokens out. What asks a key distribution centre is the caller's
//! ([`KdcExchange`]); only tickets of the log-on session are fetched by the system's own library.
//!
//! | | initiator | acceptor |
//! |---|---|---|
//! | NTLM | here: `sspi`'s cannot sign SPNEGO's list | here ([`Accounts`]): `sspi`'s checks no proof but the MIC |
//! | Kerberos, password or keytab | `sspi` | `sspi` with a [`Keytab`] |
//! | Kerberos, log-on session or credential cache | `cross-krb5` (feature `gssapi`; always on Windows) | – |
//! | SPNEGO around either | here | here |
//!
//! # A handshake
//!
//! ```
//! use std::sync::Arc;
//! use exseal_gss::{acceptor, initiator, Acceptance, Credential, OneAccount, Password, Scheme, Target, UserName};
//!
//! let password = || Password::new("P@ssw0rd".to_owned());
//! let user = UserName::parse(r"CONTOSO\alice")?;
//! let mut client = initiator(
//!     Scheme::Negotiate,
//!     Credential::Password { user: user.clone(), password: password() },
//!     &Target::http("ex1.contoso.com"),
//!     None,
//!     None,
//! )?;
//! let mut server = acceptor(
//!     Scheme::Negotiate,
//!     Acceptance { accounts: Some(Arc::new(OneAccount::new(user, password()))), ..Acceptance::default() },
//! )?;
//!
//! let mut token = client.step(None)?.token;
//! while let Some(to_server) = token.take() {
//!     token = match server.step(Some(&to_server))?.token {
//!         Some(to_client) => client.step(Some(&to_client))?.token,
//!         None => None,
//!     };
//! }
//! assert_eq!(server.peer(), Some(r"CONTOSO\alice"));
//!
//! let sealed = client.seal(b"a secret")?;
//! assert_eq!(server.open(&sealed.header, &sealed.data)?, b"a secret");
//! # Ok::<(), exseal_gss::GssError>(())
//! ```

mod binding;
mod bound;
mod credential;
mod error;
mod kerberos;
mod keytab;
mod ntlm;
mod refusal;
mod spnego;
#[cfg(any(feature = "gssapi", windows))]
mod system;

use std::sync::Arc;

pub use binding::ChannelBinding;
pub use credential::{Accounts, Credential, NtHash, OneAccount, Password, UserName};
pub use error::GssError;
pub use kerberos::{KdcExchange, KdcUnreachable};
pub use keytab::{Keytab, KeytabError};
pub use refusal::Refusal;

/// What a security context does, whichever mechanism and role it has.
///
/// A context that gave an error in `step` is finished: it answers every further call with an error.
pub trait SecurityContext: Send {
    /// Takes the peer's token and says what to send it.
    ///
    /// An initiator is asked first, with `None`. Tokens are as the scheme wants them: SPNEGO under
    /// [`Scheme::Negotiate`], the mechanism's own under the others.
    ///
    /// # Errors
    /// The peer's token is not what the state expects, or it proves nothing (wrong password, other channel, other
    /// target). Nothing is established then. A Kerberos initiator also fails where no ticket was to be had.
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError>;

    /// Encrypts and signs one message; messages must be opened in the order they were sealed.
    ///
    /// # Errors
    /// The context is not established.
    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError>;

    /// Opens one message of the peer: `header` and `data` as [`Sealed`] has them.
    ///
    /// # Errors
    /// Altered, replayed or reordered messages, and contexts that are not established. Later messages cannot be
    /// trusted either: the context is finished.
    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError>;

    /// Opens one message as `GSS_Wrap` has it, in one piece: NTLM's signature and data; a token of RFC 4121 4.2.4, rotated in
    /// whatever way, sealed or, with a Kerberos acceptor, signed only.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn open_token(&mut self, token: &[u8]) -> Result<Vec<u8>, GssError> {
        let (header, data) = token
            .split_at_checked(16)
            .ok_or_else(|| GssError::Message("expected a signature of 16 bytes, found less".to_owned()))?;
        self.open(header, data)
    }

    /// What both sides agreed to do with messages; only an NTLM acceptor knows anything but [`Protection::Sealed`]. WinRM
    /// seals whatever was agreed.
    fn protection(&self) -> Protection {
        Protection::Sealed
    }

    /// Whether both sides have proven themselves, so that messages can be sealed.
    fn is_established(&self) -> bool;

    /// Who the peer is: for an acceptor the user (`DOMAIN\user` or `user@REALM`), for an initiator the target where
    /// the mechanism proved it (Kerberos), else none. Known once established.
    fn peer(&self) -> Option<&str>;

    /// The mechanism in use; of a negotiation that is still open, the one tried first.
    fn mechanism(&self) -> Mechanism;
}

/// What came of one [`step`](SecurityContext::step).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// To be sent to the peer; none: nothing.
    pub token: Option<Vec<u8>>,
    /// Whether this side is done. The token, if any, must still be sent.
    pub established: bool,
}

/// A sealed message, split as [MS-WSMV] 2.2.9.1 wants it: the signature (with Kerberos the first 60 bytes or more of
/// the wrap token), then as many bytes as the plain text has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// 16 bytes with NTLM, 60 or 76 with Kerberos.
    pub header: Vec<u8>,
    /// Exactly as long as the plain text.
    pub data: Vec<u8>,
}

/// What is done with messages after the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    None,
    /// They are signed.
    Signed,
    /// They are signed and encrypted.
    Sealed,
}

/// What proves who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// [MS-NLMP], version 2 with extended session security and 128 bits; older is refused.
    Ntlm,
    /// RFC 4121.
    Kerberos,
}

/// The HTTP scheme, which decides how tokens are wrapped and which mechanisms are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// SPNEGO (RFC 4178) around Kerberos or NTLM. An acceptor also takes bare tokens of either, as Windows does.
    Negotiate,
    /// NTLM's tokens as they are.
    Ntlm,
    /// Kerberos' tokens as they are: what Exchange's front end speaks.
    Kerberos,
}

impl Scheme {
    /// The word in `WWW-Authenticate` and `Authorization`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Kerberos => "Kerberos",
        }
    }
}

/// The service a client wants: its principal is `service/host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `HTTP`, `ldap`…
    pub service: String,
    /// The server's full name, as its principal has it.
    pub host: String,
}

impl Target {
    /// The web server `host`.
    pub fn http(host: impl Into<String>) -> Self {
        Self {
            service: "HTTP".to_owned(),
            host: host.into(),
        }
    }

    /// `service/host`.
    pub fn principal(&self) -> String {
        format!("{}/{}", self.service, self.host)
    }
}

/// Begins a context as a client.
///
/// Under [`Scheme::Negotiate`] Kerberos is tried first where `kdc` or the log-on session makes it possible; where no
/// ticket is to be had, NTLM follows if there is a password. `kdc` carries Kerberos' questions when the credential is
/// a password or a keytab; the system's library asks on its own.
///
/// # Errors
/// The credential cannot serve the scheme (a keytab under NTLM, Kerberos by password without `kdc`), or this build
/// lacks what it needs. Nothing was sent.
pub fn initiator(
    scheme: Scheme,
    credential: Credential,
    target: &Target,
    binding: Option<ChannelBinding>,
    kdc: Option<Box<dyn KdcExchange>>,
) -> Result<Box<dyn SecurityContext>, GssError> {
    Ok(match scheme {
        Scheme::Ntlm => Box::new(ntlm::initiator(&credential, target, binding.as_ref())?),
        Scheme::Kerberos => kerberos::initiator(credential, target, binding, kdc)?,
        Scheme::Negotiate => Box::new(spnego::Initiator::new(credential, target, binding, kdc)?),
    })
}

/// What an acceptor knows and demands.
#[derive(Default, Clone)]
pub struct Acceptance {
    /// Whose NTLM responses are accepted; none: no NTLM.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// The keys tickets are made for; none: no Kerberos.
    pub keytab: Option<Arc<Keytab>>,
    /// The names NTLM's challenge carries: NetBIOS domain, NetBIOS computer, DNS domain, DNS computer.
    pub names: ServerNames,
    /// The binding of this connection. A client that sends one must send this one.
    pub binding: Option<ChannelBinding>,
    /// Whether a client must send a binding (`CbtHardeningLevel` Strict). NTLM only: `sspi`'s Kerberos acceptor does
    /// not show whether one was sent.
    pub binding_required: bool,
}

/// A server's names, in NTLM's challenge and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNames {
    /// `CONTOSO`
    pub netbios_domain: String,
    /// `EX1`
    pub netbios_computer: String,
    /// `contoso.com`
    pub dns_domain: String,
    /// `ex1.contoso.com`
    pub dns_computer: String,
}

impl Default for ServerNames {
    fn default() -> Self {
        Self {
            netbios_domain: "WORKGROUP".to_owned(),
            netbios_computer: "SERVER".to_owned(),
            dns_domain: "localdomain".to_owned(),
            dns_computer: "server.localdomain".to_owned(),
        }
    }
}

/// Begins a context as a server.
///
/// # Errors
/// The scheme needs accounts or a keytab and there is none.
pub fn acceptor(scheme: Scheme, with: Acceptance) -> Result<Box<dyn SecurityContext>, GssError> {
    Ok(match scheme {
        Scheme::Ntlm => Box::new(ntlm::Acceptor::new(with)?),
        Scheme::Kerberos => Box::new(kerberos::acceptor(with)?),
        Scheme::Negotiate => Box::new(spnego::Acceptor::new(with)?),
    })
}
