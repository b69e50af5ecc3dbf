//! Changes: verb and noun with typed fields, and what takes each back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Which;
use crate::Endpoint;
use crate::inventory::Store;

/// One act on one thing. Servers stand as the plan names them: by FQDN where it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// Makes a self-signed certificate in the server's My store, key in a CAPI provider, signed with SHA-256, enabled for nothing.
    CreateCertificate {
        /// Where.
        server: String,
        /// Subject and issuer: `CN=EX1`.
        subject: String,
        /// DNS names, in this order.
        names: Vec<String>,
        /// Friendly name.
        friendly_name: String,
        /// Lifetime in days.
        days: u32,
        /// RSA key size.
        key_bits: u32,
    },
    /// Puts a certificate on an https binding that is there: the entry of http.sys and what IIS says of it. Other flags stay.
    BindCertificate {
        /// Where.
        server: String,
        /// The site of IIS.
        site: String,
        /// The binding.
        endpoint: Endpoint,
        /// What is to be bound.
        certificate: Which,
        /// What it carries now; null: nothing.
        instead_of: Option<Which>,
        /// Whether http.sys has no entry for it, so that one has to be made.
        new_entry: bool,
    },
    /// Enables a certificate for SMTP; NETWORK SERVICE may read its key from then on.
    EnableSmtp {
        /// Where.
        server: String,
        /// Which.
        certificate: Which,
        /// Whether it becomes the internal transport certificate.
        internal_transport: bool,
    },
    /// Puts the public part into another store.
    CopyCertificate {
        /// Where.
        server: String,
        /// To this store.
        store: Store,
        /// Which, of My.
        certificate: Which,
    },
    /// Takes a certificate out of a store; of My with its key.
    RemoveCertificate {
        /// Where.
        server: String,
        /// Out of this store.
        store: Store,
        /// Which.
        certificate: Which,
    },
    /// Writes a certificate of My with its key into a PKCS#12 file on the machine exseal runs on; its password is asked for when
    /// the step is done and stands nowhere.
    BackUpCertificate {
        /// Where it is.
        server: String,
        /// Which.
        certificate: Which,
        /// The file, as a path of the machine exseal runs on.
        file: String,
    },
    /// Takes a certificate with its key from such a file into My; what takes its removal back. Services and readers of the key are
    /// not put back: nothing used it.
    RestoreCertificate {
        /// Where it belongs.
        server: String,
        /// Which.
        certificate: Which,
        /// Friendly name; empty: it had none, or none was seen.
        friendly_name: String,
        /// The file, as a path of the machine exseal runs on.
        file: String,
    },
    /// Takes a certificate that this plan made out of My again, with its key; what makes a creation undone.
    DiscardCertificate {
        /// Where.
        server: String,
        /// Which.
        certificate: Which,
    },
    /// Sets how a service is started.
    SetServiceStart {
        /// Where.
        server: String,
        /// The service's short name.
        service: String,
        /// How from now on.
        start_type: StartType,
        /// How now.
        instead_of: StartType,
    },
    /// Starts a service that is stopped.
    StartService {
        /// Where.
        server: String,
        /// The service's short name.
        service: String,
    },
    /// Stops a service that runs.
    StopService {
        /// Where.
        server: String,
        /// The service's short name.
        service: String,
    },
    /// Restarts a service that runs.
    RestartService {
        /// Where.
        server: String,
        /// The service's short name.
        service: String,
    },
}

/// How Windows starts a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum StartType {
    /// With Windows.
    Automatic,
    /// When asked for.
    Manual,
    /// Never.
    Disabled,
}

impl StartType {
    /// Windows' own word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Automatic => "Automatic",
            Self::Manual => "Manual",
            Self::Disabled => "Disabled",
        }
    }

    /// From Windows' own word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Automatic, Self::Manual, Self::Disabled]
            .into_iter()
            .find(|own| own.word().eq_ignore_ascii_case(word))
    }
}

/// How a step is taken back; computed while planning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Inverse {
    /// By this change.
    Change(Box<Change>),
    /// There is nothing to be taken back, because …
    Nothing(String),
    /// It cannot be taken back, because …; it comes last in its plan and is confirmed on its own.
    Irreversible(String),
}

impl Change {
    /// The server it is done on.
    #[must_use]
    pub fn server(&self) -> &str {
        match self {
            Self::CreateCertificate { server, .. }
            | Self::BindCertificate { server, .. }
            | Self::EnableSmtp { server, .. }
            | Self::CopyCertificate { server, .. }
            | Self::RemoveCertificate { server, .. }
            | Self::BackUpCertificate { server, .. }
            | Self::RestoreCertificate { server, .. }
            | Self::DiscardCertificate { server, .. }
            | Self::SetServiceStart { server, .. }
            | Self::StartService { server, .. }
            | Self::StopService { server, .. }
            | Self::RestartService { server, .. } => server,
        }
    }

    /// The certificate it is about, if it is about one that is there.
    #[must_use]
    pub const fn certificate(&self) -> Option<Which> {
        match self {
            Self::BindCertificate { certificate, .. }
            | Self::EnableSmtp { certificate, .. }
            | Self::CopyCertificate { certificate, .. }
            | Self::RemoveCertificate { certificate, .. }
            | Self::BackUpCertificate { certificate, .. }
            | Self::RestoreCertificate { certificate, .. }
            | Self::DiscardCertificate { certificate, .. } => Some(*certificate),
            Self::CreateCertificate { .. }
            | Self::SetServiceStart { .. }
            | Self::StartService { .. }
            | Self::StopService { .. }
            | Self::RestartService { .. } => None,
        }
    }

    /// The file of a backup, if it is about one; its password is asked for.
    #[must_use]
    pub fn backup(&self) -> Option<&str> {
        match self {
            Self::BackUpCertificate { file, .. } | Self::RestoreCertificate { file, .. } => Some(file),
            _ => None,
        }
    }

    /// Whether a certificate comes of it that later steps may use.
    #[must_use]
    pub const fn makes_certificate(&self) -> bool {
        matches!(self, Self::CreateCertificate { .. })
    }
}
