//! What a server answers, and what else may come instead.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use uuid::Uuid;

use super::fault::{Fault, FaultKind};
use super::front_end::FrontEndError;
use super::request::{Operation, Request};
use super::xml::{Element, XmlError, beginning, escape};
use super::{ns, parse_uuid_uri, upper, uuid_uri};

/// A reply as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Names the reply.
    pub message_id: Uuid,
    /// The request it answers.
    pub relates_to: Uuid,
    /// What it says.
    pub answer: Answer,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The shell is there.
    Created(ShellDescription),
    /// The pipeline is begun; its output is had by Receive.
    CommandAccepted {
        /// The pipeline's id, as the client gave it.
        command_id: Uuid,
    },
    /// The fragments were taken.
    Sent,
    /// Fragments.
    Received(Received),
    /// Receive found nothing in time (`w:TimedOut`): ask again. On the wire this is a fault.
    NothingYet,
    /// The signal was taken. What became of the pipeline is said by Receive.
    Signalled,
    /// The shell is gone.
    Deleted,
    /// The shell goes on without a client.
    Disconnected,
    /// The shell has its client back.
    Reconnected,
    /// The shell has a new client.
    Connected {
        /// The fragments of the server's answer (`connectResponseXml`).
        connection: Vec<u8>,
    },
    /// The service's configuration.
    Configuration {
        /// `MaxEnvelopeSizekb`.
        max_envelope_kb: u32,
    },
    /// A shell as it is.
    Shell(ShellDescription),
    /// A refusal. [`Request::answer`] gives it as [`ReplyError::Fault`] instead.
    Fault(Box<Fault>),
}

/// A shell as the server describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShellDescription {
    /// The selector for all further requests, as the server wrote it.
    pub shell_id: String,
    /// The resource URI it was created with.
    pub resource_uri: String,
    /// Whom the server took the client for, as `LAB\admin`.
    pub owner: Option<String>,
    /// `Connected` or `Disconnected`, where the server says so.
    pub state: Option<String>,
    /// How long it lives without a client, as written.
    pub idle_timeout: Option<String>,
}

/// What Receive brought.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Fragments in order, the pipeline they are of (`None` for the pool) before each.
    pub streams: Vec<(Option<Uuid>, Vec<u8>)>,
    /// The state of the pipeline asked for, where it was one.
    ///
    /// `Done` says that no more bytes will come. **Whether the pipeline completed, failed or was stopped is said only
    /// by the PIPELINE_STATE message within the bytes.**
    pub state: Option<CommandState>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes: usize = self.streams.iter().map(|(_, bytes)| bytes.len()).sum();
        write!(
            f,
            "Received({} streams, {bytes} bytes, {:?})",
            self.streams.len(),
            self.state
        )
    }
}

/// WSMan's idea of how far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandState {
    /// Not begun.
    Pending,
    /// More bytes may come.
    Running,
    /// No more bytes will come.
    Done,
}

impl CommandState {
    const BASE: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/";

    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Done => "Done",
        }
    }

    fn of_uri(uri: &str) -> Option<Self> {
        match uri.rsplit('/').next()? {
            "Pending" => Some(Self::Pending),
            "Running" => Some(Self::Running),
            "Done" => Some(Self::Done),
            _ => None,
        }
    }
}

/// What is known of a request's effect after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The server refused before doing anything.
    None,
    /// The server may have done it.
    Unknown,
}

/// Something came back that is no answer to the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The server refused, in WSMan's words.
    #[error("{action}: {fault}")]
    Fault {
        /// What was asked.
        action: &'static str,
        /// The refusal.
        fault: Box<Fault>,
    },
    /// Exchange's front end refused, or could not pass the request on.
    #[error("{action}: HTTP {status}: {error}")]
    FrontEnd {
        /// What was asked.
        action: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it said.
        error: Box<FrontEndError>,
    },
    /// An HTTP error with a body that is no envelope, or with none.
    ///
    /// WinRM answers a body that had to be sealed and was not with an empty HTTP 500.
    #[error("{action}: expected an envelope, found HTTP {status} with {found}")]
    NotAnEnvelope {
        /// What was asked.
        action: &'static str,
        /// The HTTP status.
        status: u16,
        /// `an empty body`, or its beginning.
        found: String,
    },
    /// The reply is to another request.
    #[error("{action}: expected a reply to {expected}, found one to {found:?}")]
    NotOurs {
        /// What was asked.
        action: &'static str,
        /// The request.
        expected: Uuid,
        /// What the reply relates to, as written.
        found: String,
    },
    /// The reply answers another action or lacks what the action's answer must have.
    #[error("{action}: expected {expected}, found {found}")]
    Unexpected {
        /// What was asked.
        action: &'static str,
        /// What the answer must have.
        expected: String,
        /// What it has.
        found: String,
    },
    /// The body is not well-formed.
    #[error("{action}")]
    Xml {
        /// What was asked.
        action: &'static str,
        /// What is wrong with it.
        source: XmlError,
    },
}

impl ReplyError {
    /// What a body that is no envelope says: the front end's error, or nothing a client could read.
    ///
    /// For answers outside of a session, too, as those to a log-on.
    pub fn of_text(action: &'static str, status: u16, body: &str) -> Self {
        let text = body.trim_start_matches('\u{feff}').trim();
        if let Some(error) = FrontEndError::parse(text) {
            return Self::FrontEnd {
                action,
                status,
                error: Box::new(error),
            };
        }
        Self::NotAnEnvelope {
            action,
            status,
            found: if text.is_empty() {
                "an empty body".to_owned()
            } else {
                format!("{:?}", beginning(text))
            },
        }
    }

    /// What is known of the request's effect.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Fault { fault, .. } => match fault.kind() {
                FaultKind::ShellGone
                | FaultKind::Quota
                | FaultKind::AccessDenied
                | FaultKind::NoSuchResource
                | FaultKind::NotDisconnectable => Effect::None,
                FaultKind::NothingYet | FaultKind::Aborted | FaultKind::Other => Effect::Unknown,
            },
            Self::FrontEnd { error, .. } if error.is_authorization_failure() => Effect::None,
            Self::NotAnEnvelope {
                status: 401 | 403 | 404 | 405 | 415,
                ..
            } => Effect::None,
            _ => Effect::Unknown,
        }
    }

    /// The front end's error, wherever it stood.
    pub fn front_end(&self) -> Option<&FrontEndError> {
        match self {
            Self::FrontEnd { error, .. } => Some(error),
            Self::Fault { fault, .. } => fault.front_end.as_ref(),
            _ => None,
        }
    }

    /// What the server's fault means; `None` when there was none.
    pub fn fault_kind(&self) -> Option<FaultKind> {
        match self {
            Self::Fault { fault, .. } => Some(fault.kind()),
            _ => None,
        }
    }
}

/// A request no server can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedRequest {
    /// Not XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// XML without what must be in it.
    #[error("expected {expected}, found {found:?}")]
    Missing {
        /// What must be there.
        expected: String,
        /// What is.
        found: String,
    },
    /// An action that shells do not have.
    #[error("expected an action of a shell, found {action:?}")]
    ActionNotSupported {
        /// The action's URI.
        action: String,
    },
}

impl MalformedRequest {
    /// The fault to answer with.
    pub fn fault(&self) -> Fault {
        let subcode = match self {
            Self::Xml(_) | Self::Missing { .. } => "SchemaValidationError",
            Self::ActionNotSupported { .. } => "ActionNotSupported",
        };
        Fault::new(subcode, 0x8033_8000, &self.to_string())
    }
}

pub(super) fn malformed(expected: &str, found: &str) -> MalformedRequest {
    MalformedRequest::Missing {
        expected: expected.to_owned(),
        found: beginning(found),
    }
}

impl Operation {
    /// The action in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "Create",
            Self::Command { .. } => "Command",
            Self::Send { .. } => "Send",
            Self::Receive { .. } => "Receive",
            Self::Signal { .. } => "Signal",
            Self::Delete => "Delete",
            Self::Disconnect { .. } => "Disconnect",
            Self::Reconnect => "Reconnect",
            Self::Connect { .. } => "Connect",
            Self::Get => "Get",
        }
    }
}

impl Request {
    /// Reads what came back, unsealed, for this request.
    ///
    /// `status` is HTTP's. A fault that means "nothing yet" is [`Answer::NothingYet`]; [`Answer::Fault`] is never
    /// returned.
    ///
    /// # Errors
    ///
    /// A [`ReplyError`]; its [`effect`](ReplyError::effect) tells whether the server may have done what was asked.
    pub fn answer(&self, status: u16, body: &[u8]) -> Result<Answer, ReplyError> {
        let action = self.operation.name();
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.starts_with('<') {
            return Err(ReplyError::of_text(action, status, text));
        }
        let root = match Element::parse(text) {
            Ok(root) if root.is(ns::SOAP, "Envelope") => root,
            // An HTML page, well-formed or not, is an HTTP error and not a broken envelope.
            Ok(_) | Err(_) if status >= 400 && !text.contains(ns::SOAP) => {
                return Err(ReplyError::of_text(action, status, text));
            }
            Ok(root) => return Err(self.unexpected("a SOAP 1.2 envelope", &root.name)),
            Err(source) => return Err(ReplyError::Xml { action, source }),
        };

        let header = root.child(ns::SOAP, "Header");
        let relates_to = header.and_then(|header| header.child_text(ns::ADDRESSING, "RelatesTo"));
        let body = root
            .child(ns::SOAP, "Body")
            .ok_or_else(|| self.unexpected("s:Body", "none"))?;
        let fault = body.child(ns::SOAP, "Fault").map(Fault::read);
        // A server that could not read the request cannot name it either.
        let nameless_fault = fault.is_some() && relates_to.is_none_or(str::is_empty);
        if !nameless_fault && relates_to.and_then(parse_uuid_uri) != Some(self.message_id) {
            return Err(ReplyError::NotOurs {
                action,
                expected: self.message_id,
                found: relates_to.unwrap_or_default().to_owned(),
            });
        }
        if let Some(fault) = fault {
            if fault.kind() == FaultKind::NothingYet && matches!(self.operation, Operation::Receive { .. }) {
                return Ok(Answer::NothingYet);
            }
            return Err(ReplyError::Fault {
                action,
                fault: Box::new(fault),
            });
        }

        let expected = format!("{}Response", self.operation.action());
        let found = header
            .and_then(|header| header.child_text(ns::ADDRESSING, "Action"))
            .unwrap_or_default();
        if found != expected {
            return Err(self.unexpected(&format!("the action {expected}"), found));
        }
        self.read_answer(body)
    }

    fn unexpected(&self, expected: &str, found: &str) -> ReplyError {
        ReplyError::Unexpected {
            action: self.operation.name(),
            expected: expected.to_owned(),
            found: beginning(found),
        }
    }

    fn read_answer(&self, body: &Element) -> Result<Answer, ReplyError> {
        let shell_child = |name: &str| {
            body.child(ns::SHELL, name)
                .ok_or_else(|| self.unexpected(&format!("rsp:{name}"), "none"))
        };
        Ok(match &self.operation {
            Operation::Create { .. } => {
                let mut shell = body
                    .child(ns::SHELL, "Shell")
                    .map_or_else(ShellDescription::default, read_shell);
                let selector = body
                    .child(ns::TRANSFER, "ResourceCreated")
                    .and_then(|created| created.child(ns::ADDRESSING, "ReferenceParameters"))
                    .and_then(|parameters| parameters.child(ns::WSMAN, "SelectorSet"))
                    .and_then(|set| {
                        set.all(ns::WSMAN, "Selector")
                            .find(|selector| selector.attribute("Name") == Some("ShellId"))
                    });
                if let Some(selector) = selector {
                    selector.text.trim().clone_into(&mut shell.shell_id);
                }
                if shell.shell_id.is_empty() {
                    return Err(self.unexpected("the ShellId of the new shell", "none"));
                }
                Answer::Created(shell)
            }
            Operation::Command { command_id, .. } => {
                let id = shell_child("CommandResponse")?
                    .child_text(ns::SHELL, "CommandId")
                    .unwrap_or_default();
                if Uuid::try_parse(id).ok() != Some(*command_id) {
                    return Err(self.unexpected(&format!("the command id {command_id}"), id));
                }
                Answer::CommandAccepted {
                    command_id: *command_id,
                }
            }
            Operation::Send { .. } => Answer::Sent,
            Operation::Receive { command_id } => {
                Answer::Received(self.read_received(shell_child("ReceiveResponse")?, *command_id)?)
            }
            Operation::Signal { .. } => Answer::Signalled,
            Operation::Delete => Answer::Deleted,
            Operation::Disconnect { .. } => Answer::Disconnected,
            Operation::Reconnect => Answer::Reconnected,
            Operation::Connect { .. } => {
                let response = shell_child("ConnectResponse")?;
                let connection = response
                    .children
                    .iter()
                    .find(|child| child.name == "connectResponseXml")
                    .and_then(Element::base64)
                    .ok_or_else(|| self.unexpected("base64 in connectResponseXml", "none"))?;
                Answer::Connected { connection }
            }
            Operation::Get => {
                if let Some(config) = body.child(ns::CONFIG, "Config") {
                    let digits = config
                        .child_text(ns::CONFIG, "MaxEnvelopeSizekb")
                        .unwrap_or_default();
                    let max_envelope_kb = digits
                        .parse()
                        .map_err(|_| self.unexpected("a number as MaxEnvelopeSizekb", digits))?;
                    Answer::Configuration { max_envelope_kb }
                } else {
                    Answer::Shell(read_shell(shell_child("Shell")?))
                }
            }
        })
    }

    fn read_received(&self, response: &Element, asked: Option<Uuid>) -> Result<Received, ReplyError> {
        let mut received = Received::default();
        for stream in response.all(ns::SHELL, "Stream") {
            let id = match stream.attribute("CommandId") {
                Some(id) => {
                    Some(Uuid::try_parse(id).map_err(|_| self.unexpected("a GUID as CommandId", id))?)
                }
                None => asked,
            };
            let bytes = stream.base64().ok_or_else(|| {
                self.unexpected(
                    "base64 in rsp:Stream",
                    &stream.text.chars().take(40).collect::<String>(),
                )
            })?;
            if !bytes.is_empty() {
                received.streams.push((id, bytes));
            }
        }
        if let Some(state) = response.child(ns::SHELL, "CommandState") {
            let uri = state.attribute("State").unwrap_or_default();
            received.state = Some(
                CommandState::of_uri(uri)
                    .ok_or_else(|| self.unexpected("Pending, Running or Done as CommandState", uri))?,
            );
        }
        Ok(received)
    }
}

fn read_shell(shell: &Element) -> ShellDescription {
    let text = |name| shell.child_text(ns::SHELL, name).map(str::to_owned);
    ShellDescription {
        shell_id: text("ShellId").unwrap_or_default(),
        resource_uri: text("ResourceUri").unwrap_or_default(),
        owner: text("Owner"),
        state: text("State"),
        idle_timeout: text("IdleTimeOut"),
    }
}

impl Reply {
    /// The envelope: the server's side. `operation` is the request's; a fault needs none.
    ///
    /// The HTTP status that goes with it is 500 for [`Answer::Fault`] and [`Answer::NothingYet`], else 200.
    pub fn encode(&self) -> String {
        let mut body = String::new();
        let action = match &self.answer {
            Answer::Created(shell) => {
                let _ = write!(
                    body,
                    "<x:ResourceCreated xmlns:x=\"{}\"><a:Address>{}</a:Address><a:ReferenceParameters>\
                     <w:ResourceURI>{}</w:ResourceURI><w:SelectorSet><w:Selector Name=\"ShellId\">{}</w:Selector>\
                     </w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>",
                    ns::TRANSFER,
                    ns::ANONYMOUS,
                    escape(&shell.resource_uri),
                    escape(&shell.shell_id),
                );
                write_shell(&mut body, shell);
                "http://schemas.xmlsoap.org/ws/2004/09/transfer/CreateResponse"
            }
            Answer::CommandAccepted { command_id } => {
                let _ = write!(
                    body,
                    "<rsp:CommandResponse><rsp:CommandId>{}</rsp:CommandId></rsp:CommandResponse>",
                    upper(*command_id)
                );
                "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandResponse"
            }
            Answer::Sent => {
                body.push_str("<rsp:SendResponse/>");
                "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/SendResponse"
            }
            Answer::Received(received) => {
                write_received(&mut body, received);
                "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/ReceiveResponse"
            }
            Answer::Signalled => {
                body.push_str("<rsp:SignalResponse/>");
                "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/SignalResponse"
            }
            Answer::Deleted => "http://schemas.xmlsoap.org/ws/2004/09/transfer/DeleteResponse",
            Answer::Disconnected => {
                body.push_str("<rsp:DisconnectResponse/>");
                "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/DisconnectResponse"
            }
            Answer::Reconnected => {
                body.push_str("<rsp:ReconnectResponse/>");
                "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/ReconnectResponse"
            }
            Answer::Connected { connection } => {
                let _ = write!(
                    body,
                    "<rsp:ConnectResponse><connectResponseXml xmlns=\"{}\">{}</connectResponseXml>\
                     </rsp:ConnectResponse>",
                    ns::POWERSHELL,
                    BASE64.encode(connection),
                );
                "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/ConnectResponse"
            }
            Answer::Configuration { max_envelope_kb } => {
                let _ = write!(
                    body,
                    "<cfg:Config xmlns:cfg=\"{}\"><cfg:MaxEnvelopeSizekb>{max_envelope_kb}</cfg:MaxEnvelopeSizekb>\
                     </cfg:Config>",
                    ns::CONFIG,
                );
                "http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse"
            }
            Answer::Shell(shell) => {
                write_shell(&mut body, shell);
                "http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse"
            }
            Answer::NothingYet => {
                body = Fault::timed_out().write();
                "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
            }
            Answer::Fault(fault) => {
                body = fault.write();
                "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
            }
        };
        format!(
            "<s:Envelope xml:lang=\"en-US\" {}><s:Header><a:Action>{action}</a:Action><a:MessageID>{}</a:MessageID>\
             <a:To>{}</a:To><a:RelatesTo>{}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>",
            ns::DECLARATIONS,
            uuid_uri(self.message_id),
            ns::ANONYMOUS,
            uuid_uri(self.relates_to),
        )
    }

    /// The HTTP status that goes with the reply.
    pub const fn status(&self) -> u16 {
        match self.answer {
            Answer::Fault(_) | Answer::NothingYet => 500,
            _ => 200,
        }
    }
}

fn write_shell(body: &mut String, shell: &ShellDescription) {
    let _ = write!(
        body,
        "<rsp:Shell><rsp:ShellId>{}</rsp:ShellId><rsp:ResourceUri>{}</rsp:ResourceUri>",
        escape(&shell.shell_id),
        escape(&shell.resource_uri),
    );
    let optional = [
        ("Owner", &shell.owner),
        ("State", &shell.state),
        ("IdleTimeOut", &shell.idle_timeout),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            let _ = write!(body, "<rsp:{name}>{}</rsp:{name}>", escape(value));
        }
    }
    body.push_str(
        "<rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>",
    );
}

fn write_received(body: &mut String, received: &Received) {
    body.push_str("<rsp:ReceiveResponse>");
    let attribute = |id: Option<Uuid>| id.map_or(String::new(), |id| format!(" CommandId=\"{}\"", upper(id)));
    for (id, bytes) in &received.streams {
        let _ = write!(body, "<rsp:Stream Name=\"stdout\"{}>", attribute(*id));
        BASE64.encode_string(bytes, body);
        body.push_str("</rsp:Stream>");
    }
    let id = received.streams.iter().find_map(|(id, _)| *id);
    if let Some(state) = received.state {
        if state == CommandState::Done {
            let _ = write!(
                body,
                "<rsp:Stream Name=\"stdout\"{} End=\"true\"></rsp:Stream>",
                attribute(id)
            );
        }
        let exit = if state == CommandState::Done {
            "<rsp:ExitCode>0</rsp:ExitCode>"
        } else {
            ""
        };
        let _ = write!(
            body,
            "<rsp:CommandState{} State=\"{}{}\">{exit}</rsp:CommandState>",
            attribute(id),
            CommandState::BASE,
            state.name(),
        );
    }
    body.push_str("</rsp:ReceiveResponse>");
}
