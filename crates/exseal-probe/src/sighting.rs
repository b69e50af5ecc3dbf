//! What one look showed, as data.

use std::fmt;

use exseal_model::{Certificate, Severity, Thumbprint};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Target;

/// What one look at one target showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sighting {
    /// What was looked at.
    pub target: Target,
    /// The name asked for in the handshake (SNI); null: none.
    pub asked: Option<String>,
    /// When, as the caller's clock had it.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// The address that answered; null: none did.
    pub address: Option<String>,
    /// The server's first line, where the protocol has one; at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    /// What the server offered after EHLO, CAPA or CAPABILITY, in its order; at most 64 words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<String>,
    /// What was presented; null: nothing.
    pub presented: Option<Presented>,
    /// Healthcheck pages, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<HealthPage>,
    /// Which versions of TLS the server speaks, oldest first, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionSeen>,
    /// What is to be said about it, worst first.
    pub remarks: Vec<Remark>,
    /// How often the look was begun.
    pub attempts: u32,
    /// Milliseconds from its beginning to its end, waiting for a free socket not counted.
    pub milliseconds: u64,
}

/// An address that was tried.
pub type Address = std::net::SocketAddr;

/// Which part of a look was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Asking for the address of the name.
    Resolving,
    /// Connecting.
    Connecting,
    /// The greeting and what leads to TLS.
    Greeting,
    /// The TLS handshake.
    Handshake,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "asking for its address",
            Self::Connecting => "connecting",
            Self::Greeting => "the greeting",
            Self::Handshake => "the handshake",
        })
    }
}

/// What came of a look. Only `presented` and `not-offered` say something about certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Outcome {
    /// A certificate was presented.
    Presented,
    /// The server speaks the protocol and does not offer TLS: the symptom of event 12014.
    NotOffered {
        /// The command that was looked for: `STARTTLS`.
        command: String,
    },
    /// It offered TLS and would not begin it.
    Refused {
        /// Its answer.
        answer: String,
    },
    /// The name has no address.
    Unresolved {
        /// What the resolver said.
        reason: String,
    },
    /// Nothing listens there.
    Closed,
    /// No way there, or cut off on the way.
    Unreachable {
        /// What was under way.
        during: Stage,
        /// What the system said.
        reason: String,
    },
    /// No answer, or no end of it, in time.
    TimedOut {
        /// What was under way.
        during: Stage,
    },
    /// The server ended the connection.
    HungUp {
        /// What was under way.
        during: Stage,
    },
    /// It speaks something else.
    Unexpected {
        /// What was under way.
        during: Stage,
        /// What should have come.
        expected: String,
        /// What came; at most 120 characters.
        found: String,
    },
    /// It ended the handshake with an alert.
    Alert {
        /// TLS' own word: `handshake_failure`.
        alert: String,
    },
}

impl Outcome {
    /// Its word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Presented => "presented",
            Self::NotOffered { .. } => "not-offered",
            Self::Refused { .. } => "refused",
            Self::Unresolved { .. } => "unresolved",
            Self::Closed => "closed",
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timed-out",
            Self::HungUp { .. } => "hung-up",
            Self::Unexpected { .. } => "unexpected",
            Self::Alert { .. } => "alert",
        }
    }

    /// Whether another try may end otherwise.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. } | Self::Unreachable { .. } | Self::HungUp { .. }
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Presented => f.write_str("a certificate was presented"),
            Self::NotOffered { command } => write!(f, "{command} is not offered"),
            Self::Refused { answer } => write!(f, "TLS was offered and not begun: {answer}"),
            Self::Unresolved { reason } => write!(f, "the name has no address: {reason}"),
            Self::Closed => f.write_str("nothing listens there"),
            Self::Unreachable { during, reason } => write!(f, "unreachable during {during}: {reason}"),
            Self::TimedOut { during } => write!(f, "timed out during {during}"),
            Self::HungUp { during } => write!(f, "the server ended the connection during {during}"),
            Self::Unexpected {
                during,
                expected,
                found,
            } => write!(f, "during {during} expected {expected}, found {found}"),
            Self::Alert { alert } => write!(f, "the server ended the handshake: {alert}"),
        }
    }
}

/// By what means the certificate was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LookedBy {
    /// A whole handshake.
    Handshake,
    /// The server's first answer was read and the connection dropped: nothing is verified, the server need not own the key.
    Hello,
}

/// What a server presented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Presented {
    /// By what means.
    pub by: LookedBy,
    /// `TLS 1.2`.
    pub version: String,
    /// The cipher suite by its IANA name, or its number in hex.
    pub cipher: String,
    /// The key exchange group by its IANA name; null: none, or not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether the handshake was signed with the certificate's key; null: not verified, with the reason in `unproven`.
    pub key_proven: Option<bool>,
    /// Why `key_proven` is null or false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<String>,
    /// The leaf's thumbprint; null: the leaf is no certificate we can read.
    pub thumbprint: Option<Thumbprint>,
    /// The leaf, told out: what of it a person asks about.
    pub leaf: Option<Leaf>,
    /// The chain as sent, the leaf first. A certificate that cannot be read has only its bytes' thumbprint.
    pub chain: Vec<Link>,
    /// Whether the leaf covers the name it is held against (RFC 6125; the common name does not count); null: there is none.
    pub covers: Option<bool>,
    /// Whether a client with the roots in `roots` trusts the chain as sent, at the time of the look; null: not judged.
    pub trusted: Option<bool>,
    /// Why it is not trusted, or not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distrust: Option<String>,
}

/// What of a leaf a person asks about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leaf {
    /// As Windows prints it.
    pub subject: String,
    /// As Windows prints it.
    pub issuer: String,
    /// First instant.
    pub not_before: Timestamp,
    /// Last instant.
    pub not_after: Timestamp,
    /// Whole days from the look to the end, cut towards zero; negative: over.
    pub days_left: i64,
    /// Names a client may ask for.
    pub names: Vec<String>,
    /// `RSA 2048`.
    pub key: String,
    /// `sha256RSA`.
    pub signature: String,
    /// Subject and issuer are one name.
    pub self_signed: bool,
}

impl Leaf {
    /// Of a certificate, at a time.
    #[must_use]
    pub fn of(certificate: &Certificate, now: Timestamp) -> Self {
        Self {
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            days_left: certificate.not_after.duration_since(now).as_hours() / 24,
            names: certificate.names().into_iter().map(str::to_owned).collect(),
            key: match certificate.key_bits {
                Some(bits) => format!("{} {bits}", certificate.key_algorithm),
                None => certificate.key_algorithm.clone(),
            },
            signature: certificate.signature_algorithm.clone(),
            self_signed: certificate.self_signed,
        }
    }
}

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// SHA-1 of its bytes.
    pub thumbprint: Thumbprint,
    /// The certificate; null: the bytes are none we can read.
    pub certificate: Option<Certificate>,
}

/// One healthcheck page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthPage {
    /// `/owa/healthcheck.htm`.
    pub path: String,
    /// The HTTP status; null: none came.
    pub status: Option<u16>,
    /// The first words of the page, or what went wrong; at most 120 characters.
    pub says: String,
}

/// Whether one version of TLS is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionSeen {
    /// `TLS 1.0`.
    pub version: String,
    /// Whether; null: cannot be told.
    pub spoken: Option<bool>,
    /// How we know: the cipher suite chosen, the alert, or what went wrong.
    pub because: String,
}

/// Something to be said about a sighting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remark {
    /// How much it matters.
    pub severity: Severity,
    /// A name one can search: `name-not-covered`.
    pub name: String,
    /// One sentence.
    pub text: String,
}
