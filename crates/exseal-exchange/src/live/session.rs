//! Sessions as shells of a live look: bounded in time, stopped from elsewhere, errors in words.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use exseal_gss::{Credential, Keytab, Password, Scheme, UserName};
use exseal_psrp::message::Pipeline;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Answer, Shell, Unanswered};
use crate::Secret;
use crate::connect::{Connect, LogOnScheme};
use crate::session::{Allowed, Endpoint, Item, Kdc, LocalPowerShell, LogOn, Session, SessionError, Trust};

/// A way into a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Exchange's own PowerShell, `/PowerShell/`.
    Exchange,
    /// WinRM.
    Server,
}

/// Someone to log on as, with what proves it.
#[derive(Clone, Debug)]
pub struct Account {
    user: UserName,
    credential: Credential,
}

impl Account {
    /// By a password.
    ///
    /// # Errors
    ///
    /// In words: the name is none.
    pub fn with_password(user: &str, password: &Secret) -> Result<Self, String> {
        let user = UserName::parse(user).map_err(|error| in_words(&error))?;
        let credential = Credential::Password {
            user: user.clone(),
            password: Password::new(password.expose().to_owned()),
        };
        Ok(Self { user, credential })
    }

    /// By the keys of a keytab, as MIT's and Windows' tools write it: Kerberos alone. `user` is `name@REALM`.
    ///
    /// # Errors
    ///
    /// In words: the name is none or has no realm, or the bytes are no keytab.
    pub fn with_keytab(user: &str, keytab: &[u8]) -> Result<Self, String> {
        let user = UserName::parse(user).map_err(|error| in_words(&error))?;
        if !user.is_upn {
            return Err(format!(
                "expected a user as name@REALM for a keytab, found {user}"
            ));
        }
        let keytab = Keytab::parse(keytab).map_err(|error| in_words(&error))?;
        let credential = Credential::Keytab {
            user: user.clone(),
            keytab,
        };
        Ok(Self { user, credential })
    }

    /// How well the account's realm or domain fits a server's DNS name: the length of what fits, 0 for nothing.
    fn fits(&self, host: &str) -> usize {
        let Some(own) = self.user.domain.as_deref() else {
            return 0;
        };
        let (own, host) = (own.to_ascii_lowercase(), host.to_ascii_lowercase());
        let Some((_, domain)) = host.split_once('.') else {
            return 0;
        };
        let is_within = domain == own || domain.ends_with(&format!(".{own}"));
        // A NetBIOS domain is as a rule the first label of the DNS one.
        let is_short = !own.contains('.') && domain.split('.').next() == Some(&own);
        if is_within || is_short { own.len() } else { 0 }
    }
}

/// As whom, and how, all servers are asked.
#[derive(Clone, Debug)]
pub struct Visitor {
    accounts: Vec<Account>,
    kdc: Kdc,
    trust: Option<Arc<rustls::ClientConfig>>,
    connect: Connect,
}

impl Visitor {
    /// Whoever runs this program where there are no accounts; else, for each server, the account whose realm fits its
    /// domain best, and the first where none does. Where things are is as `connect` says.
    ///
    /// # Errors
    ///
    /// In words: TLS has no root to trust.
    pub fn new(connect: Connect, accounts: Vec<Account>) -> Result<Self, String> {
        let mut trust = None;
        let is_basic = connect.scheme == Some(LogOnScheme::Basic);
        if connect.https || connect.pin.is_some() || (is_basic && !connect.allow_basic_over_http) {
            let whom = Trust {
                roots: connect.roots.clone(),
                pinned: connect.pin,
                ..Trust::default()
            };
            trust = Some(whom.config().map_err(|error| in_words(&error))?);
        }
        let mut kdc = Kdc::default();
        if let Some(place) = &connect.kdc {
            kdc.host.clone_from(&place.address);
            kdc.port = place.port(kdc.port);
        }
        Ok(Self {
            accounts,
            kdc,
            trust,
            connect,
        })
    }

    fn log_on(&self, host: &str) -> LogOn {
        // Of those that fit equally well the first: `max_by_key` would take the last.
        let best = self
            .accounts
            .iter()
            .rev()
            .max_by_key(|account| account.fits(host));
        let credential = best.map_or(Credential::LogonSession, |account| account.credential.clone());
        match self.connect.scheme {
            None => LogOn::Best(credential),
            Some(LogOnScheme::Negotiate) => LogOn::With(Scheme::Negotiate, credential),
            Some(LogOnScheme::Ntlm) => LogOn::With(Scheme::Ntlm, credential),
            Some(LogOnScheme::Kerberos) => LogOn::With(Scheme::Kerberos, credential),
            Some(LogOnScheme::Basic) => LogOn::Basic {
                credential,
                even_in_clear_text: self.connect.allow_basic_over_http,
            },
        }
    }

    /// Where things are.
    #[must_use]
    pub const fn connect(&self) -> &Connect {
        &self.connect
    }

    /// The endpoint of a door of a server, by its FQDN.
    #[must_use]
    pub fn endpoint(&self, door: Door, host: &str) -> Endpoint {
        let mut endpoint = match door {
            Door::Exchange => Endpoint::exchange(host, self.log_on(host)),
            Door::Server => Endpoint::server(host, self.log_on(host)),
        };
        if let Some(trust) = &self.trust {
            endpoint = endpoint.over_tls(Arc::clone(trust));
        }
        let (address, port) = self.connect.to(host, endpoint.port);
        if address != host {
            endpoint.address = Some(address);
        }
        endpoint.port = port;
        endpoint.kdc = self.kdc.clone();
        endpoint
    }
}

/// How long a look may take, and what stops it.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// When it has to be over.
    pub until: Instant,
    /// Stops it at once.
    pub stop: CancellationToken,
}

/// An open session within bounds.
pub struct Visit {
    session: Session,
    bounds: Bounds,
}

/// Why a door did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// In words, with the whole chain of causes.
    pub why: String,
    /// Whether the password or the account was refused: asking other servers with it may lock the account.
    pub refused: bool,
}

/// What may be behind a refusal of Exchange's shell that looks as if the back end were dead, and is the account's name
/// (facts/exchange.md E20).
pub fn doubtful_account(endpoint: &Endpoint) -> Option<String> {
    let user = match endpoint.log_on.credential() {
        Credential::Password { user, .. } | Credential::Keytab { user, .. } => user.to_string(),
        Credential::LogonSession => return None,
    };
    let bare = user.rsplit('\\').next().unwrap_or_default();
    let bare = bare.split('@').next().unwrap_or_default();
    let is_doubtful = endpoint.configuration == exseal_psrp::wsman::EXCHANGE && bare.ends_with('$');
    is_doubtful.then(|| {
        format!(
            "the name of the account {bare} ends in $, for which Exchange's shell gives the same error as for a dead back end: try another account"
        )
    })
}

impl Visit {
    /// Opens a door of a server.
    ///
    /// # Errors
    ///
    /// [`Shut`]; nothing is left open on the server where it could be reached.
    pub async fn open(endpoint: Endpoint, bounds: Bounds) -> Result<Self, Shut> {
        let doubt = doubtful_account(&endpoint);
        let opening = Session::open(endpoint);
        Self::begin(opening, bounds).await.map_err(|mut shut| {
            if let Some(doubt) = doubt {
                shut.why.push_str("; ");
                shut.why.push_str(&doubt);
            }
            shut
        })
    }

    /// A session that is open already, within bounds.
    #[must_use]
    pub const fn of(session: Session, bounds: Bounds) -> Self {
        Self { session, bounds }
    }

    /// The same session within other bounds.
    #[must_use]
    pub fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Opens a PowerShell on this machine, as whoever runs this program.
    ///
    /// # Errors
    ///
    /// [`Shut`].
    pub async fn local(local: &LocalPowerShell, bounds: Bounds) -> Result<Self, Shut> {
        Self::begin(Session::local(local), bounds).await
    }

    async fn begin(
        opening: impl Future<Output = Result<Session, SessionError>>,
        bounds: Bounds,
    ) -> Result<Self, Shut> {
        let shut = |why: &str| Shut {
            why: why.to_owned(),
            refused: false,
        };
        let opened = tokio::select! {
            opened = opening => opened,
            () = bounds.stop.cancelled() => return Err(shut(STOPPED)),
            () = tokio::time::sleep_until(bounds.until) => return Err(shut(TOO_LONG)),
        };
        match opened {
            Ok(session) => Ok(Self { session, bounds }),
            Err(error) => Err(Shut {
                refused: error.is_refusal(),
                why: in_words(&error),
            }),
        }
    }

    /// Ends the session. What the server does not hear it forgets after its idle time-out.
    pub async fn close(self) {
        let closing = tokio::time::timeout(Duration::from_secs(5), self.session.close());
        if let Ok(Err(error)) = closing.await {
            tracing::debug!(error = in_words(&error), "Close session");
        }
    }
}

const TOO_LONG: &str = "not finished within the time it was given";
const STOPPED: &str = "stopped";

impl Shell for Visit {
    async fn run(&mut self, pipeline: &Pipeline) -> Result<Answer, Unanswered> {
        let left = self.bounds.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Unanswered::Gone(TOO_LONG.to_owned()));
        }
        let allowed = Allowed {
            time: Some(left),
            cancel: self.bounds.stop.clone(),
            ..Allowed::default()
        };
        // The deadline holds for the sending, too.
        let run = async {
            let mut call = self.session.call(pipeline.clone(), &allowed).await?;
            let mut answer = Answer::default();
            while let Some(item) = call.next().await? {
                match item {
                    Item::Output(document) => answer.objects.push(document),
                    Item::Error(record) => answer.errors.push(*record),
                    // What a person would read.
                    _ => {}
                }
            }
            Ok(answer)
        };
        match tokio::time::timeout(left + Duration::from_secs(5), run).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(SessionError::Failed { record })) => Err(Unanswered::Failed(record)),
            Ok(Err(SessionError::Stopped)) => Err(Unanswered::Gone(STOPPED.to_owned())),
            Ok(Err(SessionError::Deadline { .. })) | Err(_) => Err(Unanswered::Gone(TOO_LONG.to_owned())),
            Ok(Err(error)) => Err(Unanswered::Gone(in_words(&error))),
        }
    }
}

/// An error with the whole chain of its causes.
pub fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(users: &[&str]) -> Visitor {
        let accounts = users
            .iter()
            .map(|user| Account::with_password(user, &Secret::new("pw")).unwrap())
            .collect();
        Visitor::new(Connect::default(), accounts).unwrap()
    }

    fn asked(visitor: &Visitor, host: &str) -> String {
        visitor
            .endpoint(Door::Exchange, host)
            .log_on
            .credential()
            .describe()
    }

    #[test]
    fn each_server_is_asked_by_the_account_of_its_realm_and_by_the_first_where_none_is() {
        let both = visitor(&["a@contoso.com", r"FABRIKAM\b", "c@emea.contoso.com"]);
        assert_eq!(asked(&both, "ex1.contoso.com"), "the password of a@contoso.com");
        assert_eq!(
            asked(&both, "EX2.EMEA.contoso.com"),
            "the password of c@emea.contoso.com"
        );
        assert_eq!(
            asked(&both, "ex1.apac.contoso.com"),
            "the password of a@contoso.com"
        );
        assert_eq!(asked(&both, "ex1.fabrikam.com"), r"the password of FABRIKAM\b");
        assert_eq!(
            asked(&both, "ex1.notcontoso.com"),
            "the password of a@contoso.com"
        );
        assert_eq!(asked(&both, "ex1"), "the password of a@contoso.com");
        assert_eq!(asked(&visitor(&[]), "ex1.contoso.com"), "the log-on session");
    }

    #[test]
    fn an_account_that_ends_in_a_dollar_is_doubted_at_exchange_alone() {
        let doubted = |user: &str, door: Door| {
            doubtful_account(&visitor(&[user]).endpoint(door, "ex1.contoso.com")).is_some()
        };
        for user in [r"CONTOSO\adm$", "adm$@contoso.com"] {
            assert!(doubted(user, Door::Exchange), "{user}");
            assert!(!doubted(user, Door::Server), "{user}");
        }
        for user in [r"CON$\admin", "a$m@contoso.com"] {
            assert!(!doubted(user, Door::Exchange), "{user}");
        }
    }

    #[test]
    fn a_keytab_wants_a_realm_and_is_read_before_anything_is_sent() {
        let wrong = |user: &str, bytes: &[u8]| Account::with_keytab(user, bytes).unwrap_err();
        assert!(wrong(r"LAB\alice", b"").contains("name@REALM"));
        assert!(!wrong("alice@LAB", b"none").is_empty());
    }
}
