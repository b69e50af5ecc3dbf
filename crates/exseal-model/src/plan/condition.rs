//! What is read before and after a step, and what a client has to see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, StartType, Which};
use crate::inventory::Store;
use crate::{Endpoint, Slot};

/// Something that can be read on a server or in the directory and holds or does not; what cannot be read is neither.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "condition", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// An https binding carries this certificate; null: its entry is empty or not there.
    Bound {
        /// Where.
        server: String,
        /// The binding.
        endpoint: Endpoint,
        /// What it carries.
        certificate: Option<Which>,
    },
    /// A certificate is in a store once, with its key where that is wanted.
    InStore {
        /// Where.
        server: String,
        /// In this store.
        store: Store,
        /// Which.
        certificate: Which,
        /// Whether a private key has to belong to it.
        with_key: bool,
    },
    /// A certificate is not in a store that was read whole.
    NotInStore {
        /// Where.
        server: String,
        /// In this store.
        store: Store,
        /// Which.
        certificate: Which,
    },
    /// The server's internal transport certificate; null: none is set.
    InternalTransport {
        /// Where.
        server: String,
        /// Which.
        certificate: Option<Which>,
    },
    /// Exchange shows SMTP among the certificate's services.
    EnabledForSmtp {
        /// Where.
        server: String,
        /// Which.
        certificate: Which,
    },
    /// A service runs, or does not.
    ServiceRuns {
        /// Where.
        server: String,
        /// The service's short name.
        service: String,
        /// Whether it runs.
        runs: bool,
    },
    /// A service is started this way.
    ServiceStart {
        /// Where.
        server: String,
        /// The service's short name.
        service: String,
        /// How.
        start_type: StartType,
    },
    /// No slot on any server and no other reference that was seen names the certificate.
    NotReferredTo {
        /// Which.
        certificate: Which,
    },
    /// No entry of the server's http.sys carries the certificate, and it is not its internal transport certificate.
    NotConfigured {
        /// Where.
        server: String,
        /// Which.
        certificate: Which,
    },
    /// A PKCS#12 file on the machine exseal runs on opens with the password that was given and holds the certificate with its key.
    BackedUp {
        /// Which.
        certificate: Which,
        /// The file.
        file: String,
    },
    /// No Edge subscription is there that recorded this server's certificate.
    NoEdgeSubscription,
    /// The server channel opens: the way in that does not hang on what the step changes.
    ServerChannelOpens {
        /// Where.
        server: String,
    },
}

/// A value that the step must leave as it is, and the change that puts it back where a cmdlet moved it all the same;
/// what that change is `instead_of` is what was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What holds before and after.
    pub condition: Condition,
    /// What puts it back.
    pub restore: Change,
}

/// What a client sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "proof", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// A slot presents this certificate on the wire.
    Presents {
        /// Where.
        server: String,
        /// The slot.
        slot: Slot,
        /// Which.
        certificate: Which,
    },
    /// A handshake with a slot succeeds, whatever it presents.
    Answers {
        /// Where.
        server: String,
        /// The slot.
        slot: Slot,
    },
    /// A session of Exchange's shell opens on the server.
    ShellOpens {
        /// Where.
        server: String,
    },
}

impl Condition {
    /// Whether the server itself shows it as soon as it holds. What the directory holds is replicated, and services need time.
    #[must_use]
    pub const fn shows_at_once(&self) -> bool {
        matches!(
            self,
            Self::Bound { .. } | Self::InStore { .. } | Self::NotInStore { .. } | Self::BackedUp { .. }
        )
    }

    /// The certificate it speaks of.
    #[must_use]
    pub const fn certificate(&self) -> Option<Which> {
        match self {
            Self::Bound { certificate, .. } | Self::InternalTransport { certificate, .. } => *certificate,
            Self::InStore { certificate, .. }
            | Self::NotInStore { certificate, .. }
            | Self::EnabledForSmtp { certificate, .. }
            | Self::NotConfigured { certificate, .. }
            | Self::BackedUp { certificate, .. }
            | Self::NotReferredTo { certificate } => Some(*certificate),
            Self::ServiceRuns { .. }
            | Self::ServiceStart { .. }
            | Self::NoEdgeSubscription
            | Self::ServerChannelOpens { .. } => None,
        }
    }

    /// The server it is read on; `None`: the organisation.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::Bound { server, .. }
            | Self::InStore { server, .. }
            | Self::NotInStore { server, .. }
            | Self::InternalTransport { server, .. }
            | Self::EnabledForSmtp { server, .. }
            | Self::NotConfigured { server, .. }
            | Self::ServiceRuns { server, .. }
            | Self::ServiceStart { server, .. }
            | Self::ServerChannelOpens { server } => Some(server),
            Self::NotReferredTo { .. } | Self::BackedUp { .. } | Self::NoEdgeSubscription => None,
        }
    }
}

impl Proof {
    /// The certificate it speaks of.
    #[must_use]
    pub const fn certificate(&self) -> Option<Which> {
        match self {
            Self::Presents { certificate, .. } => Some(*certificate),
            Self::Answers { .. } | Self::ShellOpens { .. } => None,
        }
    }
}
