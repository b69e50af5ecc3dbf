//! The lines of `powershell.exe -s` and `pwsh -s`: one XML element a line, bytes of fragments in base64.
//!
//! [MS-PSRP] does not describe them; they are taken from the recordings of PowerShell 7.6.5. Both roles write and
//! read the same lines. Which line answers which is kept by [`Acknowledgements`]; what the fragments say is
//! [`crate::client`]'s and [`crate::server`]'s business.

use std::collections::VecDeque;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use uuid::Uuid;

/// The stream a `<Data>` line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Everything but answers to host calls. WSMan calls it `stdin` and `stdout`.
    Default,
    /// Answers to host calls, which must not wait behind pipeline input. WSMan calls it `pr`.
    PromptResponse,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::PromptResponse => "PromptResponse",
        }
    }
}

/// One line. The id is a pipeline's, or `None` for the runspace pool (written as the nil GUID).
#[derive(Clone, PartialEq, Eq)]
pub enum Packet {
    /// Bytes of fragments; one line may hold several and, before the last byte is there, a part of one.
    Data {
        /// The stream.
        stream: Stream,
        /// The pipeline, or the pool.
        pipeline: Option<Uuid>,
        /// The bytes. May hold what must not be logged.
        bytes: Vec<u8>,
    },
    /// Answers [`Packet::Data`]; nothing more is sent on the same id before it.
    DataAck(Option<Uuid>),
    /// Client: a pipeline of this id is about to be created.
    Command(Uuid),
    /// Server: its bytes may come.
    CommandAck(Uuid),
    /// Client: stop the pipeline.
    Signal(Uuid),
    /// Server: it is stopped. Comes behind the state message.
    SignalAck(Uuid),
    /// Client: forget the pipeline, or close the pool.
    Close(Option<Uuid>),
    /// Server: it is done. For the pool this is the last line.
    CloseAck(Option<Uuid>),
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Data {
                stream,
                pipeline,
                bytes,
            } => {
                write!(f, "Data({stream:?}, {pipeline:?}, {} bytes)", bytes.len())
            }
            Self::DataAck(id) => write!(f, "DataAck({id:?})"),
            Self::Command(id) => write!(f, "Command({id})"),
            Self::CommandAck(id) => write!(f, "CommandAck({id})"),
            Self::Signal(id) => write!(f, "Signal({id})"),
            Self::SignalAck(id) => write!(f, "SignalAck({id})"),
            Self::Close(id) => write!(f, "Close({id:?})"),
            Self::CloseAck(id) => write!(f, "CloseAck({id:?})"),
        }
    }
}

/// A line that is none of [`Packet`]'s.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Not one element of a known name: a banner, a message on the wrong stream, a broken line.
    #[error("expected one of Data, Command, Signal, Close or their acknowledgements, found {found:?}")]
    NotAPacket {
        /// The beginning of the line.
        found: String,
    },
    /// The attribute is missing or has a value that cannot be.
    #[error("expected {attribute} of <{element}> to be {expected}, found {found:?}")]
    Attribute {
        /// The element.
        element: String,
        /// The attribute.
        attribute: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is; empty when it is missing.
        found: String,
    },
    /// The text of a `<Data>` is not base64.
    #[error("expected base64 within <Data>, found another character at byte {at}")]
    Base64 {
        /// Place within the text.
        at: usize,
    },
    /// The other side said through the pipe that it cannot go on (`__NamedPipeError__:`).
    #[error("the other side reports {text:?}")]
    Reported {
        /// What it said.
        text: String,
    },
    /// A line without an end that is longer than the limit.
    #[error("expected a line of at most {limit} bytes, found {found} and no end")]
    TooLong {
        /// [`Lines::new`]'s.
        limit: usize,
        /// Bytes so far.
        found: usize,
    },
}

impl Packet {
    /// The packet as PowerShell writes it, without the line end.
    pub fn encode(&self) -> String {
        let (element, id) = match self {
            Self::Data {
                stream,
                pipeline,
                bytes,
            } => {
                let id = pipeline.unwrap_or_default();
                let mut line = String::with_capacity(90 + bytes.len().div_ceil(3) * 4);
                let _ = write!(line, "<Data Stream='{}' PSGuid='{id}'>", stream.name());
                BASE64.encode_string(bytes, &mut line);
                line.push_str("</Data>");
                return line;
            }
            Self::DataAck(id) => ("DataAck", id.unwrap_or_default()),
            Self::Command(id) => ("Command", *id),
            Self::CommandAck(id) => ("CommandAck", *id),
            Self::Signal(id) => ("Signal", *id),
            Self::SignalAck(id) => ("SignalAck", *id),
            Self::Close(id) => ("Close", id.unwrap_or_default()),
            Self::CloseAck(id) => ("CloseAck", id.unwrap_or_default()),
        };
        format!("<{element} PSGuid='{id}' />")
    }

    /// Reads one line, without its end.
    ///
    /// # Errors
    ///
    /// A [`LineError`] that says what stood there instead; the session cannot go on after one.
    pub fn decode(line: &str) -> Result<Self, LineError> {
        let line = line.strip_prefix('\u{feff}').unwrap_or(line).trim();
        if let Some(text) = line.strip_prefix("__NamedPipeError__:") {
            return Err(LineError::Reported {
                text: text.to_owned(),
            });
        }
        let not_a_packet = || LineError::NotAPacket {
            found: line.chars().take(80).collect(),
        };

        let mut reader = Reader::from_str(line);
        let (start, empty) = match reader.read_event() {
            Ok(Event::Start(start)) => (start, false),
            Ok(Event::Empty(start)) => (start, true),
            _ => return Err(not_a_packet()),
        };
        let mut text = String::new();
        if !empty {
            match reader.read_event() {
                Ok(Event::Text(found)) => {
                    text = found.into_inner().into_owned();
                    let Ok(Event::End(_)) = reader.read_event() else {
                        return Err(not_a_packet());
                    };
                }
                Ok(Event::End(_)) => {}
                _ => return Err(not_a_packet()),
            }
        }
        let Ok(Event::Eof) = reader.read_event() else {
            return Err(not_a_packet());
        };

        let name = start.name();
        let name = name.0;
        let known = [
            "Data",
            "DataAck",
            "Command",
            "CommandAck",
            "Signal",
            "SignalAck",
            "Close",
            "CloseAck",
        ];
        if !known.contains(&name) {
            return Err(not_a_packet());
        }
        let id = id(&start, name)?;
        let pipeline = || {
            id.ok_or_else(|| LineError::Attribute {
                element: name.to_owned(),
                attribute: "PSGuid",
                expected: "a pipeline's GUID",
                found: Uuid::nil().to_string(),
            })
        };
        Ok(match name {
            "Data" => Self::Data {
                stream: stream(&start)?,
                pipeline: id,
                bytes: bytes(&text)?,
            },
            "DataAck" => Self::DataAck(id),
            "Command" => Self::Command(pipeline()?),
            "CommandAck" => Self::CommandAck(pipeline()?),
            "Signal" => Self::Signal(pipeline()?),
            "SignalAck" => Self::SignalAck(pipeline()?),
            "Close" => Self::Close(id),
            _ => Self::CloseAck(id),
        })
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    Some(attribute.value.into_owned())
}

fn id(start: &BytesStart<'_>, element: &str) -> Result<Option<Uuid>, LineError> {
    let found = attribute(start, "PSGuid").unwrap_or_default();
    let id = Uuid::try_parse(&found).map_err(|_| LineError::Attribute {
        element: element.to_owned(),
        attribute: "PSGuid",
        expected: "a GUID",
        found,
    })?;
    Ok((!id.is_nil()).then_some(id))
}

fn stream(start: &BytesStart<'_>) -> Result<Stream, LineError> {
    let found = attribute(start, "Stream").unwrap_or_default();
    match found.as_str() {
        "Default" => Ok(Stream::Default),
        "PromptResponse" => Ok(Stream::PromptResponse),
        _ => Err(LineError::Attribute {
            element: "Data".to_owned(),
            attribute: "Stream",
            expected: "Default or PromptResponse",
            found,
        }),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, LineError> {
    BASE64.decode(text.trim()).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol { offset: at, .. } => at,
            _ => text.len(),
        };
        LineError::Base64 { at }
    })
}

/// Cuts a stream of bytes into lines and reads each.
#[derive(Clone, Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to hold no line end.
    searched: usize,
    limit: usize,
}

impl Lines {
    /// Makes an empty one that refuses lines beyond `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            searched: 0,
            limit,
        }
    }

    /// Takes bytes as the pipe cut them; whole lines are then had from [`Self::next_packet`].
    pub fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, read; `None` while its end has not come. Empty lines are passed over.
    ///
    /// # Errors
    ///
    /// A [`LineError`]; calling again goes on behind the line.
    pub fn next_packet(&mut self) -> Option<Result<Packet, LineError>> {
        loop {
            let Some(end) = memchr::memchr(b'\n', self.buffer.get(self.searched..).unwrap_or_default())
            else {
                self.searched = self.buffer.len();
                if self.buffer.len() > self.limit {
                    let found = self.buffer.len();
                    self.buffer.clear();
                    self.searched = 0;
                    return Some(Err(LineError::TooLong {
                        limit: self.limit,
                        found,
                    }));
                }
                return None;
            };
            let line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
            self.searched = 0;
            if line.len() > self.limit {
                return Some(Err(LineError::TooLong {
                    limit: self.limit,
                    found: line.len(),
                }));
            }
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                return Some(Packet::decode(&line));
            }
        }
    }

    /// Bytes of a line whose end has not come; not 0 at the end of the stream means it was cut.
    pub fn unfinished(&self) -> usize {
        self.buffer.len()
    }
}

impl Default for Lines {
    /// Lines of at most 1 MiB; PowerShell's own hold 32 KiB of fragments.
    fn default() -> Self {
        Self::new(1 << 20)
    }
}

/// Which lines wait for an acknowledgement: one side's half of stop-and-wait.
///
/// PowerShell sends on one id only when the line before it on that id was acknowledged; lines of different ids
/// overtake each other. Give every packet to send to [`Self::send`], every one received to [`Self::received`],
/// and put on the wire what [`Self::poll`] returns.
#[derive(Clone, Debug, Default)]
pub struct Acknowledgements {
    waiting: Vec<Packet>,
    queue: VecDeque<Packet>,
    ready: VecDeque<Packet>,
}

/// An acknowledgement nobody waits for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an acknowledgement of {expected:?}, found {found:?}")]
pub struct UnexpectedAck {
    /// What is waiting.
    pub expected: Vec<Packet>,
    /// What came.
    pub found: Packet,
}

impl Acknowledgements {
    /// Queues a packet. Acknowledgements are sent at once, everything else in order within its id.
    pub fn send(&mut self, packet: Packet) {
        self.queue.push_back(packet);
        self.advance();
    }

    /// The next packet that may be written now.
    pub fn poll(&mut self) -> Option<Packet> {
        self.ready.pop_front()
    }

    /// Whether everything queued was written and acknowledged.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.ready.is_empty() && self.waiting.is_empty()
    }

    /// Notes what came and, for a `<Data>`, queues its acknowledgement where this side owes one.
    ///
    /// The server acknowledges the client's data; nobody acknowledges the server's.
    ///
    /// # Errors
    ///
    /// [`UnexpectedAck`] for an acknowledgement nobody waits for: lines were lost or doubled.
    pub fn received(&mut self, packet: &Packet) -> Result<(), UnexpectedAck> {
        let answers = |sent: &Packet| match (sent, packet) {
            (Packet::Data { pipeline, .. }, Packet::DataAck(id)) => pipeline == id,
            (Packet::Command(sent), Packet::CommandAck(id))
            | (Packet::Signal(sent), Packet::SignalAck(id)) => sent == id,
            (Packet::Close(sent), Packet::CloseAck(id)) => sent == id,
            _ => false,
        };
        match packet {
            Packet::DataAck(_) | Packet::CommandAck(_) | Packet::SignalAck(_) | Packet::CloseAck(_) => {
                let Some(at) = self.waiting.iter().position(answers) else {
                    return Err(UnexpectedAck {
                        expected: self.waiting.clone(),
                        found: packet.clone(),
                    });
                };
                self.waiting.remove(at);
                self.advance();
                Ok(())
            }
            Packet::Data { .. } | Packet::Command(_) | Packet::Signal(_) | Packet::Close(_) => Ok(()),
        }
    }

    fn advance(&mut self) {
        let mut at = 0;
        while let Some(packet) = self.queue.get(at) {
            let blocked = self
                .queue
                .iter()
                .take(at)
                .any(|earlier| line_of(earlier) == line_of(packet))
                || self.waiting.iter().any(|sent| blocks(sent, packet));
            if blocked {
                at += 1;
                continue;
            }
            let Some(packet) = self.queue.remove(at) else {
                return;
            };
            match &packet {
                Packet::Data { stream, pipeline, .. } => self.waiting.push(Packet::Data {
                    stream: *stream,
                    pipeline: *pipeline,
                    bytes: Vec::new(),
                }),
                Packet::Command(_) | Packet::Signal(_) | Packet::Close(_) => {
                    self.waiting.push(packet.clone());
                }
                Packet::DataAck(_) | Packet::CommandAck(_) | Packet::SignalAck(_) | Packet::CloseAck(_) => {}
            }
            self.ready.push_back(packet);
        }
    }
}

/// The id within which order is kept.
const fn line_of(packet: &Packet) -> Option<Uuid> {
    match packet {
        Packet::Data { pipeline: id, .. }
        | Packet::DataAck(id)
        | Packet::Close(id)
        | Packet::CloseAck(id) => *id,
        Packet::Command(id) | Packet::CommandAck(id) | Packet::Signal(id) | Packet::SignalAck(id) => {
            Some(*id)
        }
    }
}

/// A signal and an answer to a prompt must get through while input waits.
fn blocks(sent: &Packet, next: &Packet) -> bool {
    let urgent = matches!(
        next,
        Packet::Signal(_)
            | Packet::Data {
                stream: Stream::PromptResponse,
                ..
            }
    );
    line_of(sent) == line_of(next) && !(urgent && matches!(sent, Packet::Data { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "26eb5d38-5d7e-4a44-a319-e83b34f659b8";

    fn uuid() -> Uuid {
        Uuid::try_parse(ID).unwrap()
    }

    #[test]
    fn lines_are_written_as_powershell_writes_them() {
        let data = Packet::Data {
            stream: Stream::Default,
            pipeline: None,
            bytes: b"abc".to_vec(),
        };
        assert_eq!(
            data.encode(),
            "<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>YWJj</Data>"
        );
        assert_eq!(
            Packet::CommandAck(uuid()).encode(),
            format!("<CommandAck PSGuid='{ID}' />")
        );
    }

    #[test]
    fn every_packet_is_read_back() {
        let packets = [
            Packet::Data {
                stream: Stream::PromptResponse,
                pipeline: Some(uuid()),
                bytes: vec![0, 255],
            },
            Packet::Data {
                stream: Stream::Default,
                pipeline: None,
                bytes: vec![],
            },
            Packet::DataAck(None),
            Packet::Command(uuid()),
            Packet::CommandAck(uuid()),
            Packet::Signal(uuid()),
            Packet::SignalAck(uuid()),
            Packet::Close(None),
            Packet::CloseAck(Some(uuid())),
        ];
        for packet in packets {
            assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
        }
    }

    #[test]
    fn quotes_and_order_of_attributes_do_not_matter() {
        let line = format!("\u{feff}<Data PSGuid=\"{ID}\"  Stream=\"Default\">YQ==</Data>\r");
        assert_eq!(
            Packet::decode(&line),
            Ok(Packet::Data {
                stream: Stream::Default,
                pipeline: Some(uuid()),
                bytes: b"a".to_vec()
            })
        );
    }

    #[test]
    fn what_is_no_packet_is_said() {
        for line in [
            "Windows PowerShell",
            "<Nothing PSGuid='x' />",
            "<Data Stream='Default'",
            "<a/><b/>",
            "",
        ] {
            assert!(
                matches!(Packet::decode(line), Err(LineError::NotAPacket { .. })),
                "{line}"
            );
        }
        assert!(matches!(
            Packet::decode("<Command PSGuid='00000000-0000-0000-0000-000000000000' />"),
            Err(LineError::Attribute {
                attribute: "PSGuid",
                ..
            })
        ));
        assert!(matches!(
            Packet::decode(&format!("<Data Stream='Other' PSGuid='{ID}'></Data>")),
            Err(LineError::Attribute {
                attribute: "Stream",
                ..
            })
        ));
        assert_eq!(
            Packet::decode(&format!("<Data Stream='Default' PSGuid='{ID}'>YW!j</Data>")),
            Err(LineError::Base64 { at: 2 })
        );
        assert_eq!(
            Packet::decode("__NamedPipeError__:gone"),
            Err(LineError::Reported {
                text: "gone".to_owned()
            })
        );
    }

    #[test]
    fn lines_wait_for_their_end_and_are_bounded() {
        let mut lines = Lines::new(70);
        let wire = format!("\r\n{}\r\n", Packet::Command(uuid()).encode());
        for byte in wire.as_bytes() {
            assert_eq!(lines.next_packet(), None);
            lines.receive(&[*byte]);
        }
        assert_eq!(lines.next_packet(), Some(Ok(Packet::Command(uuid()))));
        lines.receive(&[b'x'; 71]);
        assert_eq!(
            lines.next_packet(),
            Some(Err(LineError::TooLong { limit: 70, found: 71 }))
        );
        assert_eq!(lines.unfinished(), 0);
    }

    #[test]
    fn nothing_overtakes_an_unacknowledged_line_of_its_own_id() {
        let mut acks = Acknowledgements::default();
        let data = |bytes: &[u8]| Packet::Data {
            stream: Stream::Default,
            pipeline: Some(uuid()),
            bytes: bytes.to_vec(),
        };
        acks.send(Packet::Command(uuid()));
        acks.send(data(b"1"));
        acks.send(data(b"2"));
        acks.send(Packet::Close(None));
        assert_eq!(acks.poll(), Some(Packet::Command(uuid())));
        assert_eq!(
            acks.poll(),
            Some(Packet::Close(None)),
            "another id is not held up"
        );
        assert_eq!(acks.poll(), None);
        acks.received(&Packet::CommandAck(uuid())).unwrap();
        assert_eq!(acks.poll(), Some(data(b"1")));
        assert_eq!(acks.poll(), None);
        acks.received(&Packet::DataAck(Some(uuid()))).unwrap();
        assert_eq!(acks.poll(), Some(data(b"2")));
        acks.received(&Packet::DataAck(Some(uuid()))).unwrap();
        let error = acks.received(&Packet::DataAck(Some(uuid()))).unwrap_err();
        assert_eq!(error.expected, [Packet::Close(None)]);
    }

    #[test]
    fn a_stop_is_not_held_up_by_input() {
        let mut acks = Acknowledgements::default();
        acks.send(Packet::Data {
            stream: Stream::Default,
            pipeline: Some(uuid()),
            bytes: vec![1],
        });
        acks.poll();
        acks.send(Packet::Signal(uuid()));
        assert_eq!(acks.poll(), Some(Packet::Signal(uuid())));
    }
}
