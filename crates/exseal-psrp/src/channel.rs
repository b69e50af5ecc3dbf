//! What a state machine wants carried, whatever carries it.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::fragment::Fragmenter;
use crate::message::Message;
use crate::oop::{Packet, Stream};

/// Something to carry. Bytes are whole fragments.
///
/// | | WSMan ([`crate::wsman`]) | stdio ([`crate::oop`]) |
/// |---|---|---|
/// | `Create` | Create with `creationXml` | `<Data>` of the pool |
/// | `Connect` | Connect with `connectXml` | – |
/// | `Command` | Command with the bytes as argument | `<Command>`, then `<Data>` |
/// | `Data` | Send on `stdin` or `pr` (from a server: what Receive brings) | `<Data>` |
/// | `Signal` | Signal `powershell/signal/crtl_c` | `<Signal>` |
/// | `Close` of a pipeline | Signal terminate | `<Close>` |
/// | `Close` of the pool | Delete | `<Close>` of the pool |
/// | `Disconnect`, `Reconnect` | the operations of these names | – |
#[derive(Clone, PartialEq, Eq)]
pub enum Transmit {
    /// The pool's first bytes.
    Create {
        /// Fragments.
        bytes: Vec<u8>,
    },
    /// The first bytes to a pool another client left.
    Connect {
        /// Fragments.
        bytes: Vec<u8>,
    },
    /// A pipeline's first bytes.
    Command {
        /// The pipeline.
        pipeline: Uuid,
        /// Fragments.
        bytes: Vec<u8>,
    },
    /// More bytes.
    Data {
        /// The pipeline, or `None` for the pool.
        pipeline: Option<Uuid>,
        /// The stream.
        stream: Stream,
        /// Fragments.
        bytes: Vec<u8>,
    },
    /// Stop the pipeline.
    Signal {
        /// The pipeline.
        pipeline: Uuid,
    },
    /// Forget the pipeline, which has ended, or end the pool.
    Close {
        /// The pipeline, or `None` for the pool.
        pipeline: Option<Uuid>,
    },
    /// Leave the pool without ending it.
    Disconnect,
    /// Come back to it.
    Reconnect,
}

impl std::fmt::Debug for Transmit {
    /// Names, ids and lengths: the bytes may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Create { bytes } => write!(f, "Create({} bytes)", bytes.len()),
            Self::Connect { bytes } => write!(f, "Connect({} bytes)", bytes.len()),
            Self::Command { pipeline, bytes } => write!(f, "Command({pipeline}, {} bytes)", bytes.len()),
            Self::Data {
                pipeline,
                stream,
                bytes,
            } => {
                write!(f, "Data({pipeline:?}, {stream:?}, {} bytes)", bytes.len())
            }
            Self::Signal { pipeline } => write!(f, "Signal({pipeline})"),
            Self::Close { pipeline } => write!(f, "Close({pipeline:?})"),
            Self::Disconnect => f.write_str("Disconnect"),
            Self::Reconnect => f.write_str("Reconnect"),
        }
    }
}

impl Transmit {
    /// The lines of a local PowerShell for it; none for what stdio does not have.
    pub fn into_packets(self) -> Vec<Packet> {
        let data = |pipeline, stream, bytes| Packet::Data {
            stream,
            pipeline,
            bytes,
        };
        match self {
            Self::Create { bytes } => vec![data(None, Stream::Default, bytes)],
            Self::Command { pipeline, bytes } => {
                vec![
                    Packet::Command(pipeline),
                    data(Some(pipeline), Stream::Default, bytes),
                ]
            }
            Self::Data {
                pipeline,
                stream,
                bytes,
            } => vec![data(pipeline, stream, bytes)],
            Self::Signal { pipeline } => vec![Packet::Signal(pipeline)],
            Self::Close { pipeline } => vec![Packet::Close(pipeline)],
            Self::Connect { .. } | Self::Disconnect | Self::Reconnect => Vec::new(),
        }
    }

    /// The bytes, where it carries some.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Create { bytes }
            | Self::Connect { bytes }
            | Self::Command { bytes, .. }
            | Self::Data { bytes, .. } => bytes,
            Self::Signal { .. } | Self::Close { .. } | Self::Disconnect | Self::Reconnect => &[],
        }
    }
}

/// Messages on their way out: cut into fragments, small ones of one destination put together.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    fragmenter: Fragmenter,
    max_bytes: usize,
    queue: VecDeque<Transmit>,
}

impl Outbox {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            fragmenter: Fragmenter::new(max_bytes),
            max_bytes,
            queue: VecDeque::new(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Transmit> {
        self.queue.pop_front()
    }

    /// Queues something without a message.
    pub(crate) fn push(&mut self, transmit: Transmit) {
        self.queue.push_back(transmit);
    }

    /// Queues a message, its first fragment in what `first` makes of it, where that is given.
    pub(crate) fn begin(&mut self, first: impl FnOnce(Vec<u8>) -> Transmit, message: &Message) {
        let mut fragments = self.fragmenter.fragment(&message.encode()).into_iter();
        self.queue.push_back(first(fragments.next().unwrap_or_default()));
        for bytes in fragments {
            self.data(message.pipeline, Stream::Default, bytes);
        }
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, stream: Stream, message: &Message) {
        for bytes in self.fragmenter.fragment(&message.encode()) {
            self.data(message.pipeline, stream, bytes);
        }
    }

    fn data(&mut self, to: Option<Uuid>, on: Stream, mut more: Vec<u8>) {
        let joined = match self.queue.back_mut() {
            Some(Transmit::Data {
                pipeline,
                stream,
                bytes,
            }) if *pipeline == to && *stream == on => Some(bytes),
            Some(Transmit::Create { bytes } | Transmit::Connect { bytes }) if to.is_none() => Some(bytes),
            _ => None,
        };
        match joined {
            Some(bytes) if bytes.len() + more.len() <= self.max_bytes => bytes.append(&mut more),
            _ => self.queue.push_back(Transmit::Data {
                pipeline: to,
                stream: on,
                bytes: more,
            }),
        }
    }
}
