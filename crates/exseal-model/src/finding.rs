//! Findings: one slot or setting that is not as it should be.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Slot, SourceId};

/// How much a finding matters.
///
/// INVARIANT: ordered from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look when there is time.
    Notice,
    /// A date is near, or a habit is risky.
    Warning,
    /// Something is wrong now.
    Error,
    /// People feel it now, or within days.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// One slot, or setting, that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// A name one can say and search: `auth-current-expired`.
    pub name: String,
    /// How much it matters.
    pub severity: Severity,
    /// The server, by FQDN where it was seen; null: the organisation.
    pub server: Option<String>,
    /// The slot; null: no slot (a setting, a bystander in a store).
    pub slot: Option<Slot>,
    /// Further slots of the same server that it holds for, in their order; `slot` is the one that matters most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Slot>,
    /// What should be.
    pub wanted: String,
    /// What is.
    pub found: String,
    /// What comes of it.
    pub consequence: Consequence,
    /// What was seen, and where.
    pub evidence: Vec<Evidence>,
    /// Why it is so, as far as it can be told.
    pub cause: String,
    /// What to do.
    pub fix: String,
    /// The finding this one comes of, where the engine knows it: mend that one first. Left out: it stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
}

/// The finding that another one comes of, by what names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Follows {
    /// Its name.
    pub name: String,
    /// Its server.
    pub server: Option<String>,
    /// Its slot.
    pub slot: Option<Slot>,
}

impl Follows {
    /// Names a finding.
    #[must_use]
    pub fn of(cause: &Finding) -> Self {
        Self {
            name: cause.name.clone(),
            server: cause.server.clone(),
            slot: cause.slot.clone(),
        }
    }
}

/// What comes of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consequence {
    /// The sentence; says "may" where the facts do not establish it.
    pub text: String,
    /// From when on it is felt; left out when no date belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The file, as given; null: not from a file.
    pub file: Option<String>,
    /// What was asked: `Get-ExchangeCertificate`.
    pub what: String,
    /// The property and its value: `TlsCertificateName = <I>…<S>…`. Never a secret.
    pub value: String,
    /// The place in the inventory's sources.
    pub source: Option<SourceId>,
}

/// Why a check could not judge a slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct CannotTell {
    /// The check's name.
    pub check: String,
    /// The server; null: the organisation.
    pub server: Option<String>,
    /// The slot; null: none.
    pub slot: Option<Slot>,
    /// Cannot tell, because …
    pub because: String,
}
