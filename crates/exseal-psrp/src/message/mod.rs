//! The messages of PSRP: [MS-PSRP] 2.2.1 (header) and 2.2.2 (bodies).
//!
//! [`Message::decode`] takes what [`crate::fragment::Defragmenter`] gives, [`Message::encode`] makes what
//! [`crate::fragment::Fragmenter`] takes. Which message may come when is [`crate::client`]'s and
//! [`crate::server`]'s to say. Every body begins with a UTF-8 byte order mark when written, and may when read; an
//! empty body is `$null` (observed on 7.6.5).

mod body;
mod host;
mod pipeline;
mod records;
mod shape;

use uuid::Uuid;

pub use body::{
    Body, HostInfo, InitRunspacePool, PipelineState, PoolState, RunspaceAnswer, SessionCapability, Version,
};
pub use host::{ChoicePrompt, HostCall, HostMethod, HostResponse};
pub use pipeline::{Command, CommandCall, CreatePipeline, Pipeline};
pub use records::{
    CategoryInfo, ErrorCategory, ErrorRecord, InformationRecord, InformationalRecord, ProgressRecord,
};

use crate::clixml::{DecodeError, Document, EncodingError, Limits, decode_bytes};

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The client; written by the server.
    Client,
    /// The server; written by the client.
    Server,
}

macro_rules! message_types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal $to:ident;)*) => {
        /// The kinds of messages ([MS-PSRP] 2.2.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum MessageType {
            $($(#[$doc])* $variant,)*
        }

        impl MessageType {
            /// All of them, by number within their group.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number in the header.
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The specification's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kind of a number.
            pub const fn of_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// Whom it is for; `None` when both roles send it.
            pub const fn destination(self) -> Option<Destination> {
                match self { $(Self::$variant => destination!($to),)* }
            }
        }
    };
}

macro_rules! destination {
    (client) => {
        Some(Destination::Client)
    };
    (server) => {
        Some(Destination::Server)
    };
    (both) => {
        None
    };
}

message_types! {
    /// Versions, the first word of both.
    SessionCapability = 0x0001_0002 "SESSION_CAPABILITY" both;
    /// Asks for a pool.
    InitRunspacePool = 0x0001_0004 "INIT_RUNSPACEPOOL" server;
    /// The client's RSA key.
    PublicKey = 0x0001_0005 "PUBLIC_KEY" server;
    /// The session key, encrypted for it.
    EncryptedSessionKey = 0x0001_0006 "ENCRYPTED_SESSION_KEY" client;
    /// The server wants a key.
    PublicKeyRequest = 0x0001_0007 "PUBLIC_KEY_REQUEST" client;
    /// Asks for a pool another client left.
    ConnectRunspacePool = 0x0001_0008 "CONNECT_RUNSPACEPOOL" server;
    /// Changes the number of runspaces.
    SetMaxRunspaces = 0x0002_1002 "SET_MAX_RUNSPACES" server;
    /// Changes the number of runspaces.
    SetMinRunspaces = 0x0002_1003 "SET_MIN_RUNSPACES" server;
    /// Answers the questions about runspaces.
    RunspaceAvailability = 0x0002_1004 "RUNSPACE_AVAILABILITY" client;
    /// The pool's state.
    RunspacePoolState = 0x0002_1005 "RUNSPACEPOOL_STATE" client;
    /// A pipeline to run.
    CreatePipeline = 0x0002_1006 "CREATE_PIPELINE" server;
    /// Asks how many runspaces are free.
    GetAvailableRunspaces = 0x0002_1007 "GET_AVAILABLE_RUNSPACES" server;
    /// An event somebody registered for.
    UserEvent = 0x0002_1008 "USER_EVENT" client;
    /// What the server tells about itself.
    ApplicationPrivateData = 0x0002_1009 "APPLICATION_PRIVATE_DATA" client;
    /// Asks for the metadata of commands; runs as a pipeline.
    GetCommandMetadata = 0x0002_100A "GET_COMMAND_METADATA" server;
    /// Answers CONNECT_RUNSPACEPOOL.
    RunspacePoolInitData = 0x0002_100B "RUNSPACEPOOL_INIT_DATA" client;
    /// Makes the pool's runspace as new.
    ResetRunspaceState = 0x0002_100C "RESET_RUNSPACE_STATE" server;
    /// The pool calls the client's host.
    RunspacePoolHostCall = 0x0002_1100 "RUNSPACEPOOL_HOST_CALL" client;
    /// Its answer.
    RunspacePoolHostResponse = 0x0002_1101 "RUNSPACEPOOL_HOST_RESPONSE" server;
    /// An object for the pipeline.
    PipelineInput = 0x0004_1002 "PIPELINE_INPUT" server;
    /// No more of them.
    EndOfPipelineInput = 0x0004_1003 "END_OF_PIPELINE_INPUT" server;
    /// An object from the pipeline.
    PipelineOutput = 0x0004_1004 "PIPELINE_OUTPUT" client;
    /// An error that did not end the pipeline.
    ErrorRecord = 0x0004_1005 "ERROR_RECORD" client;
    /// The pipeline's state; its only true end.
    PipelineState = 0x0004_1006 "PIPELINE_STATE" client;
    /// A debug message.
    DebugRecord = 0x0004_1007 "DEBUG_RECORD" client;
    /// A verbose message.
    VerboseRecord = 0x0004_1008 "VERBOSE_RECORD" client;
    /// A warning.
    WarningRecord = 0x0004_1009 "WARNING_RECORD" client;
    /// How far the pipeline is.
    ProgressRecord = 0x0004_1010 "PROGRESS_RECORD" client;
    /// A message of the information stream (from 2.3 on).
    InformationRecord = 0x0004_1011 "INFORMATION_RECORD" client;
    /// The pipeline calls the client's host.
    PipelineHostCall = 0x0004_1100 "PIPELINE_HOST_CALL" client;
    /// Its answer.
    PipelineHostResponse = 0x0004_1101 "PIPELINE_HOST_RESPONSE" server;
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Whom it is for.
    pub destination: Destination,
    /// The pool; nil in the few messages real servers send without (SESSION_CAPABILITY, ENCRYPTED_SESSION_KEY).
    pub pool: Uuid,
    /// The pipeline, `None` when it is about the pool.
    pub pipeline: Option<Uuid>,
    /// What it says.
    pub body: Body,
}

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Shorter than the header.
    #[error("expected a message of at least {} bytes, found {found}", Message::HEADER_LEN)]
    Short {
        /// Its length.
        found: usize,
    },
    /// Neither for the client nor for the server.
    #[error("expected destination 1 or 2, found {found}")]
    Destination {
        /// The number.
        found: u32,
    },
    /// A kind the specification does not have.
    #[error("expected a message type of [MS-PSRP] 2.2.1, found 0x{found:08X}")]
    Type {
        /// The number.
        found: u32,
    },
    /// The body is not text.
    #[error("the body of {message}")]
    Encoding {
        /// The message.
        message: &'static str,
        /// Why.
        source: EncodingError,
    },
    /// The body is no CLIXML.
    #[error("the body of {message}")]
    Clixml {
        /// The message.
        message: &'static str,
        /// Why.
        source: DecodeError,
    },
    /// The body lacks what it must have.
    #[error("expected {field} of {message} to be {expected}")]
    Field {
        /// The message, or the object within it.
        message: &'static str,
        /// The property.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl Message {
    /// Bytes before the body.
    pub const HEADER_LEN: usize = 4 // Destination
        + 4 // MessageType
        + 16 // RPID
        + 16; // PID

    /// Writes the message: header, byte order mark, body.
    pub fn encode(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(1024);
        let destination: u32 = match self.destination {
            Destination::Client => 1,
            Destination::Server => 2,
        };
        wire.extend_from_slice(&destination.to_le_bytes());
        wire.extend_from_slice(&self.body.kind().number().to_le_bytes());
        wire.extend_from_slice(&self.pool.to_bytes_le());
        wire.extend_from_slice(&self.pipeline.unwrap_or_default().to_bytes_le());
        if let Some(document) = self.body.write() {
            wire.extend_from_slice(b"\xef\xbb\xbf");
            wire.extend_from_slice(document.encode().as_bytes());
        }
        wire
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// A [`MessageError`] that names the message as soon as its kind is known.
    pub fn decode(wire: &[u8]) -> Result<Self, MessageError> {
        let (kind, destination, pool, pipeline, text) = Self::split(wire)?;
        let message = kind.name();
        let text = decode_bytes(text).map_err(|source| MessageError::Encoding { message, source })?;
        let document = if text.is_empty() {
            Document::default()
        } else {
            Document::decode(&text, &Limits::default())
                .map_err(|source| MessageError::Clixml { message, source })?
                .into_owned()
        };
        let body = Body::read(kind, document)?;
        Ok(Self {
            destination,
            pool,
            pipeline,
            body,
        })
    }

    /// Reads the header alone and returns kind, destination, pool, pipeline and the body's bytes.
    ///
    /// # Errors
    ///
    /// A [`MessageError`] about the header.
    #[expect(
        clippy::type_complexity,
        reason = "the header's fields in order, for one caller within this crate"
    )]
    pub fn split(wire: &[u8]) -> Result<(MessageType, Destination, Uuid, Option<Uuid>, &[u8]), MessageError> {
        let short = || MessageError::Short { found: wire.len() };
        let (destination, rest) = wire.split_first_chunk().ok_or_else(short)?;
        let (kind, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (pool, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (pipeline, text) = rest.split_first_chunk().ok_or_else(short)?;
        let destination = match u32::from_le_bytes(*destination) {
            1 => Destination::Client,
            2 => Destination::Server,
            found => return Err(MessageError::Destination { found }),
        };
        let number = u32::from_le_bytes(*kind);
        let kind = MessageType::of_number(number).ok_or(MessageError::Type { found: number })?;
        let pipeline = Uuid::from_bytes_le(*pipeline);
        Ok((
            kind,
            destination,
            Uuid::from_bytes_le(*pool),
            (!pipeline.is_nil()).then_some(pipeline),
            text,
        ))
    }
}

#[cfg(test)]
mod tests;
