//! What can go wrong with a session, and what is known of the effect after it.

use std::time::Duration;

use exseal_gss::GssError;
pub use exseal_gss::Refusal;
use exseal_psrp::client::{AskError, ClientError};
use exseal_psrp::message::ErrorRecord;
pub use exseal_psrp::wsman::Effect;
use exseal_psrp::wsman::{FrontEndError, ReplyError};

/// Why a session could not go on. [`effect`](Self::effect) says what is known of what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// No connection: nothing was sent.
    #[error("no connection to {to}")]
    Connect {
        /// Name, address and port.
        to: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// The server's certificate was not accepted, or it does not speak TLS: nothing was sent.
    #[error("{to} was not trusted: {why}")]
    Tls {
        /// Name and port.
        to: String,
        /// The library's words.
        why: String,
    },
    /// The server did not accept the log-on: nothing was done.
    #[error("{to} refused {as_whom}: HTTP {status}, it offers {}", list(offered))]
    Unauthorized {
        /// Name and port.
        to: String,
        /// The credential, without its secret.
        as_whom: String,
        /// 401 or 403.
        status: u16,
        /// The schemes it named.
        offered: Vec<String>,
    },
    /// This side could not or would not log on: nothing was sent, or nothing but tokens.
    #[error("logging on to {to}")]
    LogOn {
        /// Name and port.
        to: String,
        /// Why.
        source: GssError,
    },
    /// The only way would send a password readable by everyone.
    #[error("{to} would get the password in clear text: Basic over http is refused")]
    ClearText {
        /// Name and port.
        to: String,
    },
    /// The server sends the client elsewhere. Credentials never follow.
    #[error("{to} redirects to {location:?}: credentials do not follow")]
    Redirect {
        /// Name and port.
        to: String,
        /// Where.
        location: String,
    },
    /// An answer without the seal this connection has. It may be anyone's.
    #[error("{action}: expected a sealed answer, found one in clear text")]
    NotSealed {
        /// What was asked.
        action: &'static str,
    },
    /// A refusal without the seal this connection has. Anyone on the way can have written it, so it proves nothing: the
    /// server may have done what was asked.
    #[error("an answer in clear text on a sealed connection")]
    InClear {
        /// What it says.
        source: ReplyError,
    },
    /// A sealed answer that does not open.
    #[error("{action}: a sealed answer was refused: {why}")]
    Seal {
        /// What was asked.
        action: &'static str,
        /// Why.
        why: String,
    },
    /// The connection broke.
    #[error("the connection broke during {action}: {why}")]
    Broken {
        /// What was asked.
        action: &'static str,
        /// The library's words.
        why: String,
        /// Whether the request can have reached the server.
        effect: Effect,
    },
    /// No answer in time.
    #[error("no answer to {action} within {} s", after.as_secs())]
    NoAnswer {
        /// What was asked.
        action: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The answer is none.
    #[error("the server's answer")]
    Reply(#[from] ReplyError),
    /// The user has no shell left on the server.
    #[error(
        "the server's quota of shells for this user is used up, and none became free within {} s: {text}",
        after.as_secs()
    )]
    Quota {
        /// How long was waited.
        after: Duration,
        /// The server's words.
        text: String,
    },
    /// What came is not the protocol.
    #[error("the remoting protocol")]
    Protocol(#[from] ClientError),
    /// What was asked cannot be asked.
    #[error("the command could not be sent")]
    Ask(#[from] AskError),
    /// What had to come before the command failed: the command itself was not sent.
    #[error("the command was not sent")]
    Unsent {
        /// What failed.
        source: Box<Self>,
    },
    /// The command was sent, and what failed was the way to its end: it may have run.
    #[error("the command was sent, and its end could not be heard")]
    Unheard {
        /// What failed.
        source: Box<Self>,
    },
    /// The session broke before; nothing is sent on it any more but the deletion of its shell.
    #[error("the session broke before: open another one")]
    Gone,
    /// The local PowerShell could not be started, or wrote what is no line of the protocol.
    #[error("the local PowerShell {program}: {why}")]
    Local {
        /// The program.
        program: String,
        /// Why.
        why: String,
        /// Whether a command can have run.
        effect: Effect,
    },
    /// The server refused the pool.
    #[error("the session was refused: {}", words(error.as_deref()))]
    NotOpened {
        /// The server's error.
        error: Option<Box<ErrorRecord>>,
    },
    /// The command ended with an error.
    #[error("{}", record.message)]
    Failed {
        /// The error that ended it.
        record: Box<ErrorRecord>,
    },
    /// No word of the pipeline's end came.
    #[error("the server said that nothing more comes, but not how the command ended")]
    Lost,
    /// Stopped as the caller wished.
    #[error("the command was stopped")]
    Stopped,
    /// The caller's deadline passed; the command was told to stop.
    #[error("the command did not end within {} s and was told to stop", after.as_secs())]
    Deadline {
        /// What was allowed.
        after: Duration,
    },
    /// The command asked something and nobody may answer.
    #[error("the command asked {question:?}, and nobody answers here")]
    Prompt {
        /// The question's words.
        question: String,
    },
}

/// The action of errors before a request.
pub(super) const LOG_ON: &str = "log-on";

fn list(offered: &[String]) -> String {
    if offered.is_empty() {
        "no scheme".to_owned()
    } else {
        offered.join(", ")
    }
}

fn words(error: Option<&ErrorRecord>) -> &str {
    error.map_or("without a reason", |record| record.message.as_str())
}

impl SessionError {
    /// What is known of what was asked last.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::LogOn { .. }
            | Self::ClearText { .. }
            | Self::Redirect { .. }
            | Self::Quota { .. }
            | Self::Ask(_)
            | Self::Gone
            | Self::Unsent { .. }
            | Self::NotOpened { .. } => Effect::None,
            // A log-on carries tokens and nothing of what was asked.
            Self::Broken { action: LOG_ON, .. }
            | Self::NoAnswer { action: LOG_ON, .. }
            | Self::Reply(ReplyError::NotAnEnvelope { action: LOG_ON, .. }) => Effect::None,
            Self::Broken { effect, .. } | Self::Local { effect, .. } => *effect,
            Self::Reply(reply) => reply.effect(),
            _ => Effect::Unknown,
        }
    }

    /// Whether the name or the password is wrong, so that the same again would bring the account nearer to being
    /// locked.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. }
                | Self::LogOn {
                    source: GssError::LogonDenied { .. },
                    ..
                }
        )
    }

    /// Why Kerberos refused, if it did.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::LogOn {
                source: GssError::Ticket { refusal, .. } | GssError::TicketRefused { refusal, .. },
                ..
            } => Some(*refusal),
            _ => None,
        }
    }

    /// The same, where the command had been sent before: whatever the failed request did or not, the command may have run.
    pub(super) fn after_sending(self) -> Self {
        match self.effect() {
            Effect::None => Self::Unheard {
                source: Box::new(self),
            },
            Effect::Unknown => self,
        }
    }

    /// The same, where the command had not been sent yet.
    pub(super) fn before_sending(self) -> Self {
        match self.effect() {
            Effect::None => self,
            Effect::Unknown => Self::Unsent {
                source: Box::new(self),
            },
        }
    }

    /// Whether nothing more can be known of this session's commands: an answer was lost, forged or not understood.
    pub(super) fn breaks(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::LogOn { .. }
            | Self::ClearText { .. }
            | Self::Redirect { .. }
            | Self::NotSealed { .. }
            | Self::InClear { .. }
            | Self::Seal { .. }
            | Self::Broken { .. }
            | Self::NoAnswer { .. }
            | Self::Protocol(_)
            | Self::Local { .. }
            | Self::NotOpened { .. }
            | Self::Gone => true,
            // A refusal in WSMan's own words is an answer; all else is none.
            Self::Reply(reply) => reply.fault_kind().is_none(),
            Self::Unsent { source } | Self::Unheard { source } => source.breaks(),
            Self::Quota { .. }
            | Self::Ask(_)
            | Self::Failed { .. }
            | Self::Lost
            | Self::Stopped
            | Self::Deadline { .. }
            | Self::Prompt { .. } => false,
        }
    }

    /// What Exchange's front end said, if it was that.
    pub fn front_end(&self) -> Option<&FrontEndError> {
        match self {
            Self::Reply(reply) | Self::InClear { source: reply } => reply.front_end(),
            Self::Unsent { source } | Self::Unheard { source } => source.front_end(),
            _ => None,
        }
    }

    /// Whether the server has no such endpoint (404, or no such configuration): a fact about its build, no failure.
    pub fn is_no_endpoint(&self) -> bool {
        use exseal_psrp::wsman::FaultKind;
        match self {
            Self::Reply(ReplyError::NotAnEnvelope { status: 404, .. })
            | Self::InClear {
                source: ReplyError::NotAnEnvelope { status: 404, .. },
            } => true,
            Self::Reply(reply) => reply.fault_kind() == Some(FaultKind::NoSuchResource),
            _ => false,
        }
    }
}
