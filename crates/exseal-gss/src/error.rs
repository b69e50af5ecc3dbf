//! What can go wrong: one error for all mechanisms.

use crate::{Mechanism, Refusal};

/// Why a context could not be built or used. No variant holds a secret or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GssError {
    /// A token is not what the state expects.
    #[error("a security token could not be read: expected {expected}, found {found}")]
    Token {
        /// What should have come.
        expected: &'static str,
        /// What came, without its content.
        found: String,
    },
    /// The proof was wrong, or there is no such user. Which of the two is not said.
    #[error("{mechanism:?} refused the log-on of {user:?}: wrong name or password")]
    LogonDenied {
        /// The mechanism that refused.
        mechanism: Mechanism,
        /// As the peer named itself; empty when it did not.
        user: String,
    },
    /// The token was made for another TLS connection.
    #[error("the channel binding does not match: the token was made for another TLS connection")]
    Binding,
    /// A message was altered, replayed or came out of order.
    #[error("a sealed message was refused: {0}")]
    Message(String),
    /// Messages before the handshake ended, or a handshake after it.
    #[error("expected a context that is {expected}, found one that is {found}")]
    State {
        /// `established`, `waiting for a token`…
        expected: &'static str,
        /// The same words.
        found: &'static str,
    },
    /// No ticket was to be had.
    #[error("no Kerberos ticket for {target}: {}", refusal.told(why))]
    Ticket {
        /// The service.
        target: String,
        /// What it is, where it is known.
        refusal: Refusal,
        /// The library's or the key distribution centre's words.
        why: String,
    },
    /// There is a ticket, and the server does not take it.
    #[error("{target} refused the Kerberos ticket: {}", refusal.told(why))]
    TicketRefused {
        /// The service.
        target: String,
        /// What it is, where it is known.
        refusal: Refusal,
        /// The library's or the server's words.
        why: String,
    },
    /// Nothing in common.
    #[error("no mechanism in common: the peer offers {offered}, this side has {have}")]
    NoMechanism {
        /// Names or object identifiers.
        offered: String,
        /// Names.
        have: String,
    },
    /// This build or this credential cannot do it.
    #[error("{what} is not possible: {why}")]
    Unsupported {
        /// What was asked.
        what: String,
        /// What it would need.
        why: &'static str,
    },
    /// The library under a mechanism failed in another way.
    #[error("{mechanism:?} failed while {doing}: {why}")]
    Library {
        /// The mechanism.
        mechanism: Mechanism,
        /// The step.
        doing: &'static str,
        /// The library's words.
        why: String,
    },
}

impl GssError {
    pub(crate) fn token(expected: &'static str, found: impl Into<String>) -> Self {
        Self::Token {
            expected,
            found: found.into(),
        }
    }

    pub(crate) fn library(mechanism: Mechanism, doing: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Library {
            mechanism,
            doing,
            why: why.to_string(),
        }
    }

    pub(crate) const NOT_ESTABLISHED: Self = Self::State {
        expected: "established",
        found: "not established",
    };
    pub(crate) const FINISHED: Self = Self::State {
        expected: "waiting for a token",
        found: "finished",
    };
}
