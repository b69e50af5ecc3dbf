//! What can go wrong with a verb, and what is known of its effect.

use exseal_psrp::message::ErrorRecord;
use serde::Deserialize;

use super::Lock;
use crate::session;

/// What is known of what a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing was changed.
    None,
    /// What was asked was done, and something else is wrong.
    Done,
    /// Nobody knows: read again.
    Unknown,
}

impl From<session::Effect> for Effect {
    fn from(effect: session::Effect) -> Self {
        match effect {
            session::Effect::None => Self::None,
            session::Effect::Unknown => Self::Unknown,
        }
    }
}

/// Why a verb gave nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// What was to be sent is no call of the contract: nothing was sent.
    #[error("{verb}: expected a verb of the helper with its parameters, found {found}")]
    Input {
        /// The verb.
        verb: String,
        /// What is wrong with it.
        found: String,
    },
    /// The verb refused, or did not come to its end, in the contract's words.
    #[error("{verb}: {refusal}")]
    Refused {
        /// The verb.
        verb: String,
        /// How.
        refusal: Box<RefusedCall>,
    },
    /// PowerShell's own error: the helper is not there, a parameter was refused, or something nobody foresaw.
    #[error("{verb}: {record}")]
    PowerShell {
        /// The verb.
        verb: String,
        /// The error.
        record: Box<ErrorRecord>,
    },
    /// It ended, and what it said is not what the contract promises: it may have done what it was to do.
    #[error("{verb}: expected the result of a verb, found {found}")]
    Answer {
        /// The verb.
        verb: String,
        /// What came.
        found: String,
    },
    /// Its end was not heard.
    #[error("{verb}: {why}")]
    Unheard {
        /// The verb.
        verb: String,
        /// In words, with the whole chain of causes.
        why: String,
        /// What is known.
        effect: Effect,
    },
}

/// An error of the contract.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RefusedCall {
    /// One of the contract's codes.
    pub code: String,
    /// What is known of the effect.
    pub effect: Effect,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Windows' own number, where it was Windows that failed.
    pub hresult: Option<String>,
    /// Who holds the lock, where it is one.
    pub holder: Option<Lock>,
}

impl std::fmt::Display for RefusedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "expected {}, found {} ({})",
            self.expected, self.found, self.code
        )
    }
}

/// Exceptions of PowerShell that come before a command runs.
const BEFORE: [&str; 4] = [
    "ParameterBindingException",
    "ParameterBindingValidationException",
    "ParameterBindingArgumentTransformationException",
    "CommandNotFoundException",
];

impl CallError {
    /// What is known of the effect.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Input { .. } => Effect::None,
            Self::Refused { refusal, .. } => refusal.effect,
            Self::PowerShell { record, .. } if BEFORE.contains(&record.category.reason.as_str()) => {
                Effect::None
            }
            Self::PowerShell { .. } | Self::Answer { .. } => Effect::Unknown,
            Self::Unheard { effect, .. } => *effect,
        }
    }

    /// The contract's code, where the verb refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { refusal, .. } => Some(&refusal.code),
            _ => None,
        }
    }

    /// Who holds the lock that is in the way.
    #[must_use]
    pub fn holder(&self) -> Option<&Lock> {
        match self {
            Self::Refused { refusal, .. } => refusal.holder.as_ref(),
            _ => None,
        }
    }

    /// What an error record says: the contract's details, where its target holds them.
    pub(super) fn of_record(verb: &str, record: Box<ErrorRecord>) -> Self {
        let verb = verb.to_owned();
        let details = record.target.as_deref().map(serde_json::from_str::<RefusedCall>);
        match details {
            Some(Ok(refusal)) if record.fully_qualified_error_id.starts_with(&refusal.code) => {
                Self::Refused {
                    verb,
                    refusal: Box::new(refusal),
                }
            }
            _ => Self::PowerShell { verb, record },
        }
    }
}
