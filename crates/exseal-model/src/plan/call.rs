//! How a change is done: which cmdlet or helper verb, with which values.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Which;

/// The way in that carries a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A cmdlet of Exchange, over the channel `exchange`; on the server itself by the snap-in.
    Exchange,
    /// A verb of the helper, over the channel `server`.
    Server,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The way in.
    pub way: Way,
    /// The server it is sent to, as the plan names it.
    pub server: String,
    /// The cmdlet, or the helper's verb.
    pub name: String,
    /// Its parameters, by name.
    pub arguments: BTreeMap<String, Argument>,
    /// The file on the machine exseal runs on into which goes what it gives; null: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into_file: Option<String>,
    /// What is answered when it asks, by the kind of question; a question that is not here ends the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
}

/// A value of a parameter. Never a secret: those are asked for when a step is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Argument {
    /// A text.
    Text(String),
    /// Null.
    Nothing,
    /// A whole number.
    Number(i64),
    /// A switch, or a truth value.
    Switch(bool),
    /// Several texts, in this order.
    List(Vec<String>),
    /// A thumbprint: 40 hex digits.
    Certificate(Which),
    /// The password of backups, which is asked for when the step is done.
    BackupPassword,
    /// What is in this file on the machine exseal runs on, as Base64; it goes over as a secret.
    FileContent(String),
}

impl Argument {
    pub(super) const fn certificate(&self) -> Option<Which> {
        match self {
            Self::Certificate(which) => Some(*which),
            Self::Text(_)
            | Self::Nothing
            | Self::Number(_)
            | Self::Switch(_)
            | Self::List(_)
            | Self::BackupPassword
            | Self::FileContent(_) => None,
        }
    }
}

/// The answer to a question a cmdlet is known to ask, told apart by what it does and never by its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Whether the certificate replaces the default SMTP certificate, which is the internal transport certificate
    /// (facts/exchange.md 2.8, P1; the cmdlet's own default is yes).
    ReplaceInternalTransport(bool),
}
