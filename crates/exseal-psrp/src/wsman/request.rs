//! What a client asks of a shell.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use uuid::Uuid;

use super::reply::{MalformedRequest, malformed};
use super::xml::{Element, duration, escape, parse_duration};
use super::{ns, parse_uuid_uri, upper, uuid_uri};
use crate::oop::Stream;

/// The part of a request that is the same throughout a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct To {
    /// The URL as it is in the request (`a:To`).
    pub url: String,
    /// [`super::resource_uri`] of the configuration; every request of a shell has the one it was created with.
    pub resource_uri: String,
    /// The client's session: without one the server makes shells that cannot be disconnected.
    pub session_id: Option<Uuid>,
    /// How long the server may take; a Receive that finds nothing for so long is answered with "nothing yet".
    pub operation_timeout: Duration,
    /// Bytes of an envelope the client takes.
    pub max_envelope: usize,
    /// The language of error texts, as `en-US`.
    pub locale: String,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Names it; the reply relates to it. Never used twice.
    pub message_id: Uuid,
    /// Where it goes.
    pub to: To,
    /// The shell it is about; `None` where it is about none yet ([`Operation::Create`]) or the service itself.
    ///
    /// The text the server gave, because selectors are compared as text.
    pub shell_id: Option<String>,
    /// Options beyond those an operation brings itself.
    pub options: Vec<HeaderOption>,
    /// What to do.
    pub operation: Operation,
}

/// A header option (`w:Option`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderOption {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether a server that does not know it must refuse.
    pub must_comply: bool,
}

/// What to do. Byte strings are fragments ([`crate::fragment`]).
#[derive(Clone, PartialEq, Eq)]
pub enum Operation {
    /// Makes a shell for a runspace pool of the same id.
    Create {
        /// The pool's id.
        shell_id: Uuid,
        /// A name people see in a list of shells.
        name: Option<String>,
        /// How long the shell lives without a client.
        idle_timeout: Option<Duration>,
        /// The pool's first fragments (`creationXml`).
        creation: Vec<u8>,
    },
    /// Starts a pipeline.
    Command {
        /// The pipeline's id.
        command_id: Uuid,
        /// Its first fragment.
        arguments: Vec<u8>,
    },
    /// Sends more fragments.
    Send {
        /// The pipeline, or `None` for the pool.
        command_id: Option<Uuid>,
        /// The stream.
        stream: Stream,
        /// The fragments.
        data: Vec<u8>,
    },
    /// Waits for fragments.
    Receive {
        /// The pipeline, or `None` for the pool.
        command_id: Option<Uuid>,
    },
    /// Stops or forgets a pipeline.
    Signal {
        /// The pipeline.
        command_id: Uuid,
        /// Which.
        signal: Signal,
    },
    /// Ends the shell and all in it.
    Delete,
    /// Leaves the shell without ending it.
    Disconnect {
        /// How long it lives alone.
        idle_timeout: Option<Duration>,
        /// What happens with output meanwhile.
        buffer_mode: Option<BufferMode>,
    },
    /// Comes back to a shell one left, with the same session id.
    Reconnect,
    /// Comes to a shell another client left.
    Connect {
        /// The fragments of CONNECT_RUNSPACEPOOL (`connectXml`); none where a client comes back to a pipeline alone.
        connection: Vec<u8>,
    },
    /// Reads what the resource URI names: the service's configuration, or a shell.
    Get,
}

impl std::fmt::Debug for Operation {
    /// Names, ids and lengths: fragments may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Create {
                shell_id, creation, ..
            } => write!(f, "Create({shell_id}, {} bytes)", creation.len()),
            Self::Command {
                command_id,
                arguments,
            } => write!(f, "Command({command_id}, {} bytes)", arguments.len()),
            Self::Send {
                command_id,
                stream,
                data,
            } => {
                write!(f, "Send({command_id:?}, {stream:?}, {} bytes)", data.len())
            }
            Self::Receive { command_id } => write!(f, "Receive({command_id:?})"),
            Self::Signal { command_id, signal } => write!(f, "Signal({command_id}, {signal:?})"),
            Self::Delete => f.write_str("Delete"),
            Self::Disconnect { .. } => f.write_str("Disconnect"),
            Self::Reconnect => f.write_str("Reconnect"),
            Self::Connect { connection } => write!(f, "Connect({} bytes)", connection.len()),
            Self::Get => f.write_str("Get"),
        }
    }
}

/// The signals of PowerShell's pipelines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop it (`powershell/signal/crtl_c`, spelled so).
    Stop,
    /// Forget it: it has ended and its output was received.
    Terminate,
    /// Another one, as written.
    Other(String),
}

impl Signal {
    const STOP: &str = "powershell/signal/crtl_c";
    const TERMINATE: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/terminate";

    fn code(&self) -> &str {
        match self {
            Self::Stop => Self::STOP,
            Self::Terminate => Self::TERMINATE,
            Self::Other(code) => code,
        }
    }

    fn of_code(code: &str) -> Self {
        if code.eq_ignore_ascii_case(Self::STOP) {
            Self::Stop
        } else if code.eq_ignore_ascii_case(Self::TERMINATE) {
            Self::Terminate
        } else {
            Self::Other(code.to_owned())
        }
    }
}

/// What a server does with the output of a shell nobody receives from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferMode {
    /// The pipeline waits when the buffer is full.
    Block,
    /// The oldest output is dropped.
    Drop,
}

const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/";
const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/";

impl Operation {
    /// The action's URI (`a:Action`).
    pub fn action(&self) -> String {
        let (base, name) = match self {
            Self::Create { .. } => (TRANSFER, "Create"),
            Self::Delete => (TRANSFER, "Delete"),
            Self::Get => (TRANSFER, "Get"),
            Self::Command { .. } => (SHELL, "Command"),
            Self::Send { .. } => (SHELL, "Send"),
            Self::Receive { .. } => (SHELL, "Receive"),
            Self::Signal { .. } => (SHELL, "Signal"),
            Self::Disconnect { .. } => (SHELL, "Disconnect"),
            Self::Reconnect => (SHELL, "Reconnect"),
            Self::Connect { .. } => (SHELL, "Connect"),
        };
        format!("{base}{name}")
    }

    /// Options that belong to the operation.
    fn own_options(&self) -> Vec<HeaderOption> {
        let (name, value, must_comply) = match self {
            Self::Create { .. } | Self::Connect { .. } => ("protocolversion", "2.3", true),
            Self::Receive { .. } => ("WSMAN_CMDSHELL_OPTION_KEEPALIVE", "TRUE", false),
            _ => return Vec::new(),
        };
        vec![HeaderOption {
            name: name.to_owned(),
            value: value.to_owned(),
            must_comply,
        }]
    }

    fn write(&self, out: &mut String) {
        let command_attribute =
            |id: &Option<Uuid>| id.map_or(String::new(), |id| format!(" CommandId=\"{}\"", upper(id)));
        let _ = match self {
            Self::Create {
                shell_id,
                name,
                idle_timeout,
                creation,
            } => {
                let name = name
                    .as_deref()
                    .map_or(String::new(), |name| format!(" Name=\"{}\"", escape(name)));
                let idle = idle_timeout.map_or(String::new(), |idle| {
                    format!("<rsp:IdleTimeOut>{}</rsp:IdleTimeOut>", duration(idle))
                });
                write!(
                    out,
                    "<rsp:Shell ShellId=\"{}\"{name}>{idle}<rsp:InputStreams>stdin pr</rsp:InputStreams>\
                     <rsp:OutputStreams>stdout</rsp:OutputStreams><creationXml xmlns=\"{}\">{}</creationXml></rsp:Shell>",
                    upper(*shell_id),
                    ns::POWERSHELL,
                    BASE64.encode(creation),
                )
            }
            Self::Command {
                command_id,
                arguments,
            } => write!(
                out,
                "<rsp:CommandLine CommandId=\"{}\"><rsp:Command></rsp:Command><rsp:Arguments>{}</rsp:Arguments>\
                 </rsp:CommandLine>",
                upper(*command_id),
                BASE64.encode(arguments),
            ),
            Self::Send {
                command_id,
                stream,
                data,
            } => write!(
                out,
                "<rsp:Send><rsp:Stream Name=\"{}\"{}>{}</rsp:Stream></rsp:Send>",
                stream_name(*stream),
                command_attribute(command_id),
                BASE64.encode(data),
            ),
            Self::Receive { command_id } => write!(
                out,
                "<rsp:Receive><rsp:DesiredStream{}>stdout</rsp:DesiredStream></rsp:Receive>",
                command_attribute(command_id),
            ),
            Self::Signal { command_id, signal } => write!(
                out,
                "<rsp:Signal CommandId=\"{}\"><rsp:Code>{}</rsp:Code></rsp:Signal>",
                upper(*command_id),
                escape(signal.code()),
            ),
            Self::Disconnect {
                idle_timeout,
                buffer_mode,
            } => {
                let idle = idle_timeout.map_or(String::new(), |idle| {
                    format!("<rsp:IdleTimeOut>{}</rsp:IdleTimeOut>", duration(idle))
                });
                let mode = match buffer_mode {
                    Some(BufferMode::Block) => "<rsp:BufferMode>Block</rsp:BufferMode>",
                    Some(BufferMode::Drop) => "<rsp:BufferMode>Drop</rsp:BufferMode>",
                    None => "",
                };
                write!(out, "<rsp:Disconnect>{idle}{mode}</rsp:Disconnect>")
            }
            Self::Reconnect => write!(out, "<rsp:Reconnect/>"),
            Self::Connect { connection } => write!(
                out,
                "<rsp:Connect><connectXml xmlns=\"{}\">{}</connectXml></rsp:Connect>",
                ns::POWERSHELL,
                BASE64.encode(connection),
            ),
            Self::Delete | Self::Get => Ok(()),
        };
    }

    fn read(action: &str, body: &Element) -> Result<Self, MalformedRequest> {
        let child = |name: &str| {
            body.child(ns::SHELL, name)
                .ok_or_else(|| malformed(&format!("rsp:{name} in the body"), ""))
        };
        if let Some(name) = action.strip_prefix(TRANSFER) {
            return match name {
                "Create" => Self::read_create(child("Shell")?),
                "Delete" => Ok(Self::Delete),
                "Get" => Ok(Self::Get),
                _ => Err(MalformedRequest::ActionNotSupported {
                    action: action.to_owned(),
                }),
            };
        }
        match action.strip_prefix(SHELL) {
            Some("Command") => {
                let line = child("CommandLine")?;
                let arguments: Option<Vec<Vec<u8>>> =
                    line.all(ns::SHELL, "Arguments").map(Element::base64).collect();
                Ok(Self::Command {
                    command_id: command_id(line)?
                        .ok_or_else(|| malformed("CommandId of rsp:CommandLine", "none"))?,
                    arguments: arguments
                        .ok_or_else(|| malformed("base64 in rsp:Arguments", "something else"))?
                        .concat(),
                })
            }
            Some("Send") => {
                let stream = child("Send")?
                    .child(ns::SHELL, "Stream")
                    .ok_or_else(|| malformed("rsp:Stream", "none"))?;
                let name = stream.attribute("Name").unwrap_or_default();
                Ok(Self::Send {
                    command_id: command_id(stream)?,
                    stream: match name {
                        "stdin" => Stream::Default,
                        "pr" => Stream::PromptResponse,
                        other => return Err(malformed("the stream stdin or pr", other)),
                    },
                    data: stream
                        .base64()
                        .ok_or_else(|| malformed("base64 in rsp:Stream", "something else"))?,
                })
            }
            Some("Receive") => {
                let stream = child("Receive")?
                    .child(ns::SHELL, "DesiredStream")
                    .ok_or_else(|| malformed("rsp:DesiredStream", "none"))?;
                Ok(Self::Receive {
                    command_id: command_id(stream)?,
                })
            }
            Some("Signal") => {
                let signal = child("Signal")?;
                Ok(Self::Signal {
                    command_id: command_id(signal)?
                        .ok_or_else(|| malformed("CommandId of rsp:Signal", "none"))?,
                    signal: Signal::of_code(signal.child_text(ns::SHELL, "Code").unwrap_or_default()),
                })
            }
            Some("Disconnect") => {
                let disconnect = body.child(ns::SHELL, "Disconnect");
                Ok(Self::Disconnect {
                    idle_timeout: disconnect
                        .and_then(|body| body.child_text(ns::SHELL, "IdleTimeOut"))
                        .and_then(parse_duration),
                    buffer_mode: match disconnect.and_then(|body| body.child_text(ns::SHELL, "BufferMode")) {
                        Some("Block") => Some(BufferMode::Block),
                        Some("Drop") => Some(BufferMode::Drop),
                        _ => None,
                    },
                })
            }
            Some("Reconnect") => Ok(Self::Reconnect),
            Some("Connect") => {
                let connection = powershell_child(child("Connect")?, "connectXml").map_or_else(
                    || Ok(Vec::new()),
                    |xml| {
                        xml.base64()
                            .ok_or_else(|| malformed("base64 in connectXml", "something else"))
                    },
                )?;
                Ok(Self::Connect { connection })
            }
            _ => Err(MalformedRequest::ActionNotSupported {
                action: action.to_owned(),
            }),
        }
    }

    fn read_create(shell: &Element) -> Result<Self, MalformedRequest> {
        let id = shell.attribute("ShellId").unwrap_or_default();
        Ok(Self::Create {
            shell_id: Uuid::try_parse(id).map_err(|_| malformed("a GUID as ShellId", id))?,
            name: shell
                .attribute("Name")
                .or_else(|| shell.child_text(ns::SHELL, "Name"))
                .map(str::to_owned),
            idle_timeout: shell
                .child_text(ns::SHELL, "IdleTimeOut")
                .or_else(|| shell.child_text(ns::SHELL, "IdleTimeout"))
                .and_then(parse_duration),
            creation: powershell_child(shell, "creationXml")
                .and_then(Element::base64)
                .ok_or_else(|| malformed("base64 in creationXml", "something else"))?,
        })
    }
}

/// `creationXml` and `connectXml` are PowerShell's; some clients leave their namespace out.
fn powershell_child<'e>(parent: &'e Element, name: &str) -> Option<&'e Element> {
    parent
        .child(ns::POWERSHELL, name)
        .or_else(|| parent.children.iter().find(|child| child.name == name))
}

pub(super) const fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Default => "stdin",
        Stream::PromptResponse => "pr",
    }
}

fn command_id(element: &Element) -> Result<Option<Uuid>, MalformedRequest> {
    element
        .attribute("CommandId")
        .map(|id| Uuid::try_parse(id).map_err(|_| malformed("a GUID as CommandId", id)))
        .transpose()
}

impl Request {
    /// The envelope.
    pub fn encode(&self) -> String {
        let to = &self.to;
        let mut out = String::with_capacity(2048);
        let _ = write!(
            out,
            "<s:Envelope {}><s:Header><a:To>{}</a:To><w:ResourceURI s:mustUnderstand=\"true\">{}</w:ResourceURI>\
             <a:ReplyTo><a:Address s:mustUnderstand=\"true\">{}</a:Address></a:ReplyTo>\
             <a:Action s:mustUnderstand=\"true\">{}</a:Action>\
             <w:MaxEnvelopeSize s:mustUnderstand=\"true\">{}</w:MaxEnvelopeSize><a:MessageID>{}</a:MessageID>\
             <w:Locale xml:lang=\"{locale}\" s:mustUnderstand=\"false\"/>\
             <p:DataLocale xml:lang=\"{locale}\" s:mustUnderstand=\"false\"/>",
            ns::DECLARATIONS,
            escape(&to.url),
            escape(&to.resource_uri),
            ns::ANONYMOUS,
            self.operation.action(),
            to.max_envelope,
            uuid_uri(self.message_id),
            locale = escape(&to.locale),
        );
        if let Some(session) = to.session_id {
            let _ = write!(
                out,
                "<p:SessionId s:mustUnderstand=\"false\">{}</p:SessionId>",
                uuid_uri(session)
            );
        }
        if let Some(shell) = &self.shell_id {
            let _ = write!(
                out,
                "<w:SelectorSet><w:Selector Name=\"ShellId\">{}</w:Selector></w:SelectorSet>",
                escape(shell)
            );
        }
        let mut options = self.operation.own_options();
        options.extend(self.options.iter().cloned());
        if !options.is_empty() {
            out.push_str("<w:OptionSet s:mustUnderstand=\"true\">");
            for option in &options {
                let must = if option.must_comply {
                    " MustComply=\"true\""
                } else {
                    ""
                };
                let _ = write!(
                    out,
                    "<w:Option Name=\"{}\"{must}>{}</w:Option>",
                    escape(&option.name),
                    escape(&option.value)
                );
            }
            out.push_str("</w:OptionSet>");
        }
        let _ = write!(
            out,
            "<w:OperationTimeout>{}</w:OperationTimeout></s:Header><s:Body>",
            duration(to.operation_timeout)
        );
        self.operation.write(&mut out);
        out.push_str("</s:Body></s:Envelope>");
        out
    }

    /// Reads a request: the server's side.
    ///
    /// [`Request::options`] has what the client added to the options its operation brings itself.
    ///
    /// # Errors
    ///
    /// A [`MalformedRequest`], which says what fault to answer with.
    pub fn decode(envelope: &str) -> Result<Self, MalformedRequest> {
        let root = Element::parse(envelope)?;
        if !root.is(ns::SOAP, "Envelope") {
            return Err(malformed("a SOAP 1.2 envelope", &root.name));
        }
        let header = root
            .child(ns::SOAP, "Header")
            .ok_or_else(|| malformed("s:Header", "none"))?;
        let empty = Element::default();
        let body = root.child(ns::SOAP, "Body").unwrap_or(&empty);
        let text = |namespace, name| header.child_text(namespace, name);

        let action = text(ns::ADDRESSING, "Action").ok_or_else(|| malformed("a:Action", "none"))?;
        let message_id = text(ns::ADDRESSING, "MessageID").unwrap_or_default();
        let operation = Operation::read(action, body)?;
        let own_options = operation.own_options();
        let options = header.child(ns::WSMAN, "OptionSet").map_or_else(Vec::new, |set| {
            set.all(ns::WSMAN, "Option")
                .map(|option| HeaderOption {
                    name: option.attribute("Name").unwrap_or_default().to_owned(),
                    value: option.text.trim().to_owned(),
                    must_comply: option
                        .attribute("MustComply")
                        .is_some_and(|must| must.eq_ignore_ascii_case("true")),
                })
                .filter(|option| !own_options.contains(option))
                .collect()
        });
        let shell_id = header.child(ns::WSMAN, "SelectorSet").and_then(|set| {
            set.all(ns::WSMAN, "Selector")
                .find(|selector| {
                    selector
                        .attribute("Name")
                        .is_some_and(|name| name.eq_ignore_ascii_case("ShellId"))
                })
                .map(|selector| selector.text.trim().to_owned())
        });
        Ok(Self {
            message_id: parse_uuid_uri(message_id)
                .ok_or_else(|| malformed("uuid:… as a:MessageID", message_id))?,
            to: To {
                url: text(ns::ADDRESSING, "To").unwrap_or_default().to_owned(),
                resource_uri: text(ns::WSMAN, "ResourceURI")
                    .ok_or_else(|| malformed("w:ResourceURI", "none"))?
                    .to_owned(),
                session_id: text(ns::WSMV, "SessionId").and_then(parse_uuid_uri),
                operation_timeout: text(ns::WSMAN, "OperationTimeout")
                    .and_then(parse_duration)
                    .unwrap_or(Duration::from_secs(60)),
                max_envelope: text(ns::WSMAN, "MaxEnvelopeSize")
                    .and_then(|digits| digits.parse().ok())
                    .unwrap_or(super::MAX_ENVELOPE),
                locale: header
                    .child(ns::WSMAN, "Locale")
                    .and_then(|locale| locale.attribute_in(ns::XML, "lang"))
                    .unwrap_or("en-US")
                    .to_owned(),
            },
            shell_id,
            options,
            operation,
        })
    }
}
