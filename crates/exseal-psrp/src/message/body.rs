//! The bodies of messages, [MS-PSRP] 2.2.2.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::host::{HostCall, HostResponse};
use super::pipeline::CreatePipeline;
use super::records::{ErrorRecord, InformationRecord, InformationalRecord, ProgressRecord};
use super::shape::{Fields, enumeration, note, notes, text};
use super::{MessageError, MessageType};
use crate::clixml::{Document, Value};

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 2 in all that exist.
    pub major: u16,
    /// 1 to 4.
    pub minor: u16,
}

impl Version {
    /// What is announced here: what Windows PowerShell 5.1 speaks, with encrypted secure strings.
    pub const V2_3: Self = Self { major: 2, minor: 3 };
    /// PowerShell 7's: secure strings travel in clear.
    pub const V2_4: Self = Self { major: 2, minor: 4 };

    /// Whether this implementation can speak it: 2.1 to 2.4.
    pub const fn is_understood(self) -> bool {
        self.major == 2 && self.minor >= 1 && self.minor <= 4
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::parse);
        Some(Self {
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// SESSION_CAPABILITY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCapability {
    /// The protocol.
    pub protocol: Version,
    /// PowerShell's version, 2.0 in all that exist.
    pub power_shell: String,
    /// Of CLIXML: 1.1.0.1.
    pub serialization: String,
    /// A serialised .NET time zone, when the client sends one. Never looked into.
    pub time_zone: Option<Vec<u8>>,
}

impl SessionCapability {
    /// The announcement of a protocol version.
    pub fn of(protocol: Version) -> Self {
        Self {
            protocol,
            power_shell: "2.0".to_owned(),
            serialization: "1.1.0.1".to_owned(),
            time_zone: None,
        }
    }
}

/// What a client says about its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostInfo {
    /// There is nobody to ask: a prompt fails at once.
    None,
    /// Prompts are answered; there is no console.
    Prompts,
    /// The pool's (for a pipeline).
    OfPool,
    /// A console, or another mixture; the server's side may see it.
    Other,
}

impl HostInfo {
    pub(super) fn write(self, document: &mut Document<'static>) -> Value<'static> {
        let (ui_null, host_null, of_pool) = match self {
            Self::None => (true, true, false),
            Self::Prompts | Self::Other => (false, false, false),
            Self::OfPool => (true, true, true),
        };
        let properties = vec![
            note("_isHostUINull", Value::Bool(ui_null)),
            note("_isHostRawUINull", Value::Bool(true)),
            note("_isHostNull", Value::Bool(host_null)),
            note("_useRunspaceHost", Value::Bool(of_pool)),
        ];
        notes(document, properties)
    }

    pub(super) fn read(fields: Fields<'_>) -> Self {
        let flag = |name| fields.boolean(name);
        match (
            flag("_useRunspaceHost"),
            flag("_isHostNull"),
            flag("_isHostUINull"),
            flag("_isHostRawUINull"),
        ) {
            (Some(true), ..) => Self::OfPool,
            (_, Some(true) | None, ..) => Self::None,
            (_, Some(false), Some(false), Some(true)) => Self::Prompts,
            _ => Self::Other,
        }
    }
}

/// INIT_RUNSPACEPOOL.
#[derive(Clone, Debug, PartialEq)]
pub struct InitRunspacePool {
    /// At least so many runspaces.
    pub min_runspaces: i32,
    /// At most so many.
    pub max_runspaces: i32,
    /// The client's host.
    pub host: HostInfo,
    /// What the client tells about itself: one dictionary, or nothing.
    pub application_arguments: Document<'static>,
}

macro_rules! states {
    ($(#[$doc:meta])* $type:ident, $what:literal, $($(#[$variant_doc:meta])* $name:ident = $number:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$variant_doc])* $name,)* }

        impl $type {
            /// The number on the wire.
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $number,)* }
            }

            /// The state of a number.
            pub const fn of_number(number: i32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

states! {
    /// The state of a runspace pool, [MS-PSRP] 2.2.3.4.
    PoolState, "a pool state",
    /// Not begun.
    BeforeOpen = 0,
    /// Asked for.
    Opening = 1,
    /// Ready.
    Opened = 2,
    /// Ended.
    Closed = 3,
    /// Ending.
    Closing = 4,
    /// Failed.
    Broken = 5,
    /// The server's first word was sent.
    NegotiationSent = 6,
    /// Versions agreed on.
    NegotiationSucceeded = 7,
    /// A client is coming.
    Connecting = 8,
    /// Without a client.
    Disconnected = 9,
}

states! {
    /// The state of a pipeline, [MS-PSRP] 2.2.3.5.
    PipelineState, "a pipeline state",
    /// Not begun.
    NotStarted = 0,
    /// Running.
    Running = 1,
    /// Being stopped.
    Stopping = 2,
    /// Stopped by the client.
    Stopped = 3,
    /// Ended well.
    Completed = 4,
    /// Ended by an error.
    Failed = 5,
    /// Without a client.
    Disconnected = 6,
}

impl PipelineState {
    /// Whether nothing more comes from the pipeline.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Completed | Self::Failed)
    }
}

/// The answer to a question about runspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunspaceAnswer {
    /// Whether the change was made (SET_MAX, SET_MIN, RESET).
    Done(bool),
    /// How many are free (GET_AVAILABLE).
    Available(i64),
}

/// What a message says. A [`Document`] holds one value.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "the specification's names; each is explained at MessageType"
)]
pub enum Body {
    SessionCapability(SessionCapability),
    InitRunspacePool(InitRunspacePool),
    PublicKey(Vec<u8>),
    EncryptedSessionKey(Vec<u8>),
    PublicKeyRequest,
    ConnectRunspacePool {
        min_runspaces: Option<i32>,
        max_runspaces: Option<i32>,
    },
    SetMaxRunspaces {
        call_id: i64,
        count: i32,
    },
    SetMinRunspaces {
        call_id: i64,
        count: i32,
    },
    RunspaceAvailability {
        call_id: i64,
        answer: RunspaceAnswer,
    },
    RunspacePoolState {
        state: PoolState,
        error: Option<ErrorRecord>,
    },
    CreatePipeline(CreatePipeline),
    GetAvailableRunspaces {
        call_id: i64,
    },
    UserEvent(Document<'static>),
    ApplicationPrivateData(Document<'static>),
    GetCommandMetadata(Document<'static>),
    RunspacePoolInitData {
        min_runspaces: i32,
        max_runspaces: i32,
    },
    ResetRunspaceState {
        call_id: i64,
    },
    RunspacePoolHostCall(HostCall),
    RunspacePoolHostResponse(HostResponse),
    PipelineInput(Document<'static>),
    EndOfPipelineInput,
    PipelineOutput(Document<'static>),
    ErrorRecord(ErrorRecord),
    PipelineState {
        state: PipelineState,
        error: Option<ErrorRecord>,
    },
    DebugRecord(InformationalRecord),
    VerboseRecord(InformationalRecord),
    WarningRecord(InformationalRecord),
    ProgressRecord(ProgressRecord),
    InformationRecord(InformationRecord),
    PipelineHostCall(HostCall),
    PipelineHostResponse(HostResponse),
}

impl Body {
    /// The kind of message it is the body of.
    pub const fn kind(&self) -> MessageType {
        match self {
            Self::SessionCapability(_) => MessageType::SessionCapability,
            Self::InitRunspacePool(_) => MessageType::InitRunspacePool,
            Self::PublicKey(_) => MessageType::PublicKey,
            Self::EncryptedSessionKey(_) => MessageType::EncryptedSessionKey,
            Self::PublicKeyRequest => MessageType::PublicKeyRequest,
            Self::ConnectRunspacePool { .. } => MessageType::ConnectRunspacePool,
            Self::SetMaxRunspaces { .. } => MessageType::SetMaxRunspaces,
            Self::SetMinRunspaces { .. } => MessageType::SetMinRunspaces,
            Self::RunspaceAvailability { .. } => MessageType::RunspaceAvailability,
            Self::RunspacePoolState { .. } => MessageType::RunspacePoolState,
            Self::CreatePipeline(_) => MessageType::CreatePipeline,
            Self::GetAvailableRunspaces { .. } => MessageType::GetAvailableRunspaces,
            Self::UserEvent(_) => MessageType::UserEvent,
            Self::ApplicationPrivateData(_) => MessageType::ApplicationPrivateData,
            Self::GetCommandMetadata(_) => MessageType::GetCommandMetadata,
            Self::RunspacePoolInitData { .. } => MessageType::RunspacePoolInitData,
            Self::ResetRunspaceState { .. } => MessageType::ResetRunspaceState,
            Self::RunspacePoolHostCall(_) => MessageType::RunspacePoolHostCall,
            Self::RunspacePoolHostResponse(_) => MessageType::RunspacePoolHostResponse,
            Self::PipelineInput(_) => MessageType::PipelineInput,
            Self::EndOfPipelineInput => MessageType::EndOfPipelineInput,
            Self::PipelineOutput(_) => MessageType::PipelineOutput,
            Self::ErrorRecord(_) => MessageType::ErrorRecord,
            Self::PipelineState { .. } => MessageType::PipelineState,
            Self::DebugRecord(_) => MessageType::DebugRecord,
            Self::VerboseRecord(_) => MessageType::VerboseRecord,
            Self::WarningRecord(_) => MessageType::WarningRecord,
            Self::ProgressRecord(_) => MessageType::ProgressRecord,
            Self::InformationRecord(_) => MessageType::InformationRecord,
            Self::PipelineHostCall(_) => MessageType::PipelineHostCall,
            Self::PipelineHostResponse(_) => MessageType::PipelineHostResponse,
        }
    }

    /// Reads a body of a known kind.
    pub(super) fn read(kind: MessageType, mut document: Document<'static>) -> Result<Self, MessageError> {
        // Only an empty body is `$null`; everything but objects of the user has a shape.
        let empty = document.values.is_empty();
        if document.values.is_empty() {
            document.values.push(Value::Nil);
        }
        let name = kind.name();
        let fields = Fields::of(&document, document.values.first(), name);
        Ok(match kind {
            MessageType::SessionCapability => {
                let version = fields.need_text("protocolversion")?;
                let protocol = Version::parse(&version);
                let time_zone = fields
                    .value("TimeZone")
                    .and_then(|value| document.bytes(value))
                    .map(<[u8]>::to_vec);
                Self::SessionCapability(SessionCapability {
                    protocol: fields.need(protocol, "protocolversion", "a version")?,
                    power_shell: fields.text("PSVersion").unwrap_or_default(),
                    serialization: fields.text("SerializationVersion").unwrap_or_default(),
                    time_zone,
                })
            }
            MessageType::InitRunspacePool => {
                let (min_runspaces, max_runspaces) = (
                    fields.need_small("MinRunspaces")?,
                    fields.need_small("MaxRunspaces")?,
                );
                let host = HostInfo::read(fields.inner("HostInfo"));
                let arguments = fields
                    .value("ApplicationArguments")
                    .cloned()
                    .unwrap_or(Value::Nil);
                document.values = vec![arguments];
                Self::InitRunspacePool(InitRunspacePool {
                    min_runspaces,
                    max_runspaces,
                    host,
                    application_arguments: document,
                })
            }
            MessageType::PublicKey => Self::PublicKey(blob(fields, "PublicKey")?),
            MessageType::EncryptedSessionKey => {
                Self::EncryptedSessionKey(blob(fields, "EncryptedSessionKey")?)
            }
            MessageType::PublicKeyRequest => Self::PublicKeyRequest,
            MessageType::ConnectRunspacePool => Self::ConnectRunspacePool {
                min_runspaces: fields.small("MinRunspaces"),
                max_runspaces: fields.small("MaxRunspaces"),
            },
            MessageType::SetMaxRunspaces => Self::SetMaxRunspaces {
                call_id: fields.need_integer("ci")?,
                count: fields.need_small("MaxRunspaces")?,
            },
            MessageType::SetMinRunspaces => Self::SetMinRunspaces {
                call_id: fields.need_integer("ci")?,
                count: fields.need_small("MinRunspaces")?,
            },
            MessageType::RunspaceAvailability => {
                const NAME: &str = "SetMinMaxRunspacesResponse";
                let answer = fields
                    .boolean(NAME)
                    .map(RunspaceAnswer::Done)
                    .or_else(|| fields.integer(NAME).map(RunspaceAnswer::Available))
                    .or_else(|| {
                        fields
                            .integer("AvailableRunspaces")
                            .map(RunspaceAnswer::Available)
                    });
                Self::RunspaceAvailability {
                    call_id: fields.need_integer("ci")?,
                    answer: fields.need(answer, NAME, "a truth value or a number")?,
                }
            }
            MessageType::RunspacePoolState => Self::RunspacePoolState {
                state: fields.need(
                    fields.small("RunspaceState").and_then(PoolState::of_number),
                    "RunspaceState",
                    "0 to 9",
                )?,
                error: nested_error(fields)?,
            },
            MessageType::CreatePipeline => Self::CreatePipeline(CreatePipeline::read(document)?),
            MessageType::GetAvailableRunspaces => Self::GetAvailableRunspaces {
                call_id: fields.need_integer("ci")?,
            },
            MessageType::UserEvent => Self::UserEvent(document),
            MessageType::ApplicationPrivateData => {
                let data = fields
                    .value("ApplicationPrivateData")
                    .cloned()
                    .unwrap_or(Value::Nil);
                document.values = vec![data];
                Self::ApplicationPrivateData(document)
            }
            MessageType::GetCommandMetadata => Self::GetCommandMetadata(document),
            MessageType::RunspacePoolInitData => Self::RunspacePoolInitData {
                min_runspaces: fields.need_small("MinRunspaces")?,
                max_runspaces: fields.need_small("MaxRunspaces")?,
            },
            MessageType::ResetRunspaceState => Self::ResetRunspaceState {
                call_id: fields.need_integer("ci")?,
            },
            MessageType::RunspacePoolHostCall => Self::RunspacePoolHostCall(HostCall::read(document, name)?),
            MessageType::RunspacePoolHostResponse => {
                Self::RunspacePoolHostResponse(HostResponse::read(document, name)?)
            }
            MessageType::PipelineInput => Self::PipelineInput(document),
            MessageType::EndOfPipelineInput => Self::EndOfPipelineInput,
            MessageType::PipelineOutput => Self::PipelineOutput(document),
            MessageType::ErrorRecord => Self::ErrorRecord(ErrorRecord::read(
                &document,
                document.values.first().filter(|_| !empty),
            )?),
            MessageType::PipelineState => Self::PipelineState {
                state: fields.need(
                    fields.small("PipelineState").and_then(PipelineState::of_number),
                    "PipelineState",
                    "0 to 6",
                )?,
                error: nested_error(fields)?,
            },
            MessageType::DebugRecord => Self::DebugRecord(InformationalRecord::read(&document, name)?),
            MessageType::VerboseRecord => Self::VerboseRecord(InformationalRecord::read(&document, name)?),
            MessageType::WarningRecord => Self::WarningRecord(InformationalRecord::read(&document, name)?),
            MessageType::ProgressRecord => Self::ProgressRecord(ProgressRecord::read(&document)?),
            MessageType::InformationRecord => Self::InformationRecord(InformationRecord::read(&document)?),
            MessageType::PipelineHostCall => Self::PipelineHostCall(HostCall::read(document, name)?),
            MessageType::PipelineHostResponse => {
                Self::PipelineHostResponse(HostResponse::read(document, name)?)
            }
        })
    }

    /// The body as a document of one value; `None` for an empty body.
    pub(super) fn write(&self) -> Option<Document<'static>> {
        let mut document = Document::default();
        let value = match self {
            Self::EndOfPipelineInput => return None,
            Self::PipelineInput(data) | Self::PipelineOutput(data)
                if data.values.first() == Some(&Value::Nil) =>
            {
                return None;
            }
            Self::PipelineInput(data)
            | Self::PipelineOutput(data)
            | Self::UserEvent(data)
            | Self::GetCommandMetadata(data) => return Some(data.clone()),
            Self::CreatePipeline(pipeline) => return Some(pipeline.document.clone()),
            Self::RunspacePoolHostCall(call) | Self::PipelineHostCall(call) => return Some(call.write()),
            Self::RunspacePoolHostResponse(response) | Self::PipelineHostResponse(response) => {
                return Some(response.document.clone());
            }
            Self::SessionCapability(capability) => {
                let version = |text: &str| Value::Version(text.to_owned().into());
                let mut properties = vec![
                    note("protocolversion", version(&capability.protocol.to_string())),
                    note("PSVersion", version(&capability.power_shell)),
                    note("SerializationVersion", version(&capability.serialization)),
                ];
                if let Some(time_zone) = &capability.time_zone {
                    properties.push(note("TimeZone", Value::Bytes(time_zone.clone())));
                }
                notes(&mut document, properties)
            }
            Self::InitRunspacePool(init) => {
                let arguments = document.graft(init.application_arguments.clone());
                let threads = enumeration(
                    &mut document,
                    "System.Management.Automation.Runspaces.PSThreadOptions",
                    "Default",
                    0,
                );
                let apartment = enumeration(&mut document, "System.Threading.ApartmentState", "Unknown", 2);
                let host = init.host.write(&mut document);
                let properties = vec![
                    note("MinRunspaces", Value::I32(init.min_runspaces)),
                    note("MaxRunspaces", Value::I32(init.max_runspaces)),
                    note("PSThreadOptions", threads),
                    note("ApartmentState", apartment),
                    note(
                        "ApplicationArguments",
                        arguments.into_iter().next().unwrap_or(Value::Nil),
                    ),
                    note("HostInfo", host),
                ];
                notes(&mut document, properties)
            }
            Self::PublicKey(blob) => notes(&mut document, vec![note("PublicKey", text(BASE64.encode(blob)))]),
            Self::EncryptedSessionKey(blob) => notes(
                &mut document,
                vec![note("EncryptedSessionKey", text(BASE64.encode(blob)))],
            ),
            Self::PublicKeyRequest => text(""),
            Self::ConnectRunspacePool {
                min_runspaces,
                max_runspaces,
            } => match (min_runspaces, max_runspaces) {
                (None, None) => text(""),
                _ => {
                    let counts = [("MinRunspaces", min_runspaces), ("MaxRunspaces", max_runspaces)];
                    let properties = counts
                        .into_iter()
                        .filter_map(|(name, count)| count.map(|count| note(name, Value::I32(count))));
                    notes(&mut document, properties.collect())
                }
            },
            Self::SetMaxRunspaces { call_id, count } => notes(
                &mut document,
                vec![
                    note("MaxRunspaces", Value::I32(*count)),
                    note("ci", Value::I64(*call_id)),
                ],
            ),
            Self::SetMinRunspaces { call_id, count } => notes(
                &mut document,
                vec![
                    note("MinRunspaces", Value::I32(*count)),
                    note("ci", Value::I64(*call_id)),
                ],
            ),
            Self::RunspaceAvailability { call_id, answer } => {
                let answer = match answer {
                    RunspaceAnswer::Done(done) => Value::Bool(*done),
                    RunspaceAnswer::Available(count) => Value::I64(*count),
                };
                let properties = vec![
                    note("SetMinMaxRunspacesResponse", answer),
                    note("ci", Value::I64(*call_id)),
                ];
                notes(&mut document, properties)
            }
            Self::RunspacePoolState { state, error } => {
                write_state(&mut document, "RunspaceState", state.number(), error.as_ref())
            }
            Self::PipelineState { state, error } => {
                write_state(&mut document, "PipelineState", state.number(), error.as_ref())
            }
            Self::GetAvailableRunspaces { call_id } | Self::ResetRunspaceState { call_id } => {
                notes(&mut document, vec![note("ci", Value::I64(*call_id))])
            }
            Self::ApplicationPrivateData(data) => {
                let data = document
                    .graft(data.clone())
                    .into_iter()
                    .next()
                    .unwrap_or(Value::Nil);
                notes(&mut document, vec![note("ApplicationPrivateData", data)])
            }
            Self::RunspacePoolInitData {
                min_runspaces,
                max_runspaces,
            } => notes(
                &mut document,
                vec![
                    note("MinRunspaces", Value::I32(*min_runspaces)),
                    note("MaxRunspaces", Value::I32(*max_runspaces)),
                ],
            ),
            Self::ErrorRecord(record) => record.write(&mut document),
            Self::DebugRecord(record) => {
                record.write(&mut document, "System.Management.Automation.DebugRecord")
            }
            Self::VerboseRecord(record) => {
                record.write(&mut document, "System.Management.Automation.VerboseRecord")
            }
            Self::WarningRecord(record) => {
                record.write(&mut document, "System.Management.Automation.WarningRecord")
            }
            Self::ProgressRecord(record) => record.write(&mut document),
            Self::InformationRecord(record) => record.write(&mut document),
        };
        document.values = vec![value];
        Some(document)
    }
}

fn write_state(
    document: &mut Document<'static>,
    name: &'static str,
    number: i32,
    error: Option<&ErrorRecord>,
) -> Value<'static> {
    let mut properties = vec![note(name, Value::I32(number))];
    if let Some(error) = error {
        let error = error.write(document);
        properties.push(note("ExceptionAsErrorRecord", error));
    }
    notes(document, properties)
}

fn nested_error(fields: Fields<'_>) -> Result<Option<ErrorRecord>, MessageError> {
    match fields.value("ExceptionAsErrorRecord") {
        None | Some(Value::Nil) => Ok(None),
        value => ErrorRecord::read(fields.document(), value).map(Some),
    }
}

fn blob(fields: Fields<'_>, name: &'static str) -> Result<Vec<u8>, MessageError> {
    let text = fields.need_text(name)?;
    fields.need(BASE64.decode(text.trim()).ok(), name, "base64")
}
