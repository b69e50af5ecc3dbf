//! The server's half: a runspace pool and its pipelines, without hands.
//!
//! Hand what the client sends to [`Server::receive`], [`Server::signal`] and [`Server::close`], act on
//! [`Server::next_event`], say what the commands do, and carry what [`Server::poll_transmit`] gives; from a server it
//! is always [`Transmit::Data`]. It runs nothing and decides nothing; the caller bounds how many events and bytes wait.

mod receive;

use std::collections::{HashMap, VecDeque};

use rsa::rand_core::CryptoRng;
use uuid::Uuid;

use crate::channel::{Outbox, Transmit};
use crate::client::{AskError, OrderError};
use crate::clixml::{Document, Opaque};
use crate::data::Data;
use crate::fragment::{Defragmenter, FragmentError, FragmentLimits, Fragmenter};
use crate::message::{
    Body, CreatePipeline, Destination, ErrorRecord, HostCall, HostMethod, HostResponse, InformationRecord,
    InformationalRecord, InitRunspacePool, Message, MessageError, MessageType, PipelineState, PoolState,
    ProgressRecord, RunspaceAnswer, Version,
};
use crate::oop::Stream;
use crate::secret::{Seal, Secret, SecretError, SessionKey};

/// How a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The highest protocol; a client's lower one is met.
    pub announce: Version,
    /// Bytes of fragments carried at once.
    pub max_transmit: usize,
    /// Bounds of what is received.
    pub limits: FragmentLimits,
    /// Pipelines that may exist at once.
    pub max_pipelines: usize,
}

impl Default for Settings {
    /// As Windows PowerShell 5.1 speaks.
    fn default() -> Self {
        Self {
            announce: Version::V2_3,
            max_transmit: Fragmenter::DEFAULT_MAX_FRAGMENT,
            limits: FragmentLimits::default(),
            max_pipelines: 256,
        }
    }
}

/// What the client wants.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A pool: answer with [`Server::accept`] or [`Server::refuse`].
    Open(Box<InitRunspacePool>),
    /// This pool, as its new client: answer with [`Server::accept`] or [`Server::refuse`].
    Connect,
    /// To exchange keys: answer with [`Server::give_key`].
    KeyOffered {
        /// Its public key.
        public_blob: Vec<u8>,
    },
    /// A pipeline to run.
    Pipeline {
        /// Its id.
        pipeline: Uuid,
        /// What to run.
        request: Box<CreatePipeline>,
    },
    /// The metadata of commands, as the output of a pipeline.
    Metadata {
        /// Its id.
        pipeline: Uuid,
        /// The whole body: Name, CommandType, Namespace, ArgumentList.
        document: Document<'static>,
    },
    /// An object for a pipeline.
    Input {
        /// Which.
        pipeline: Uuid,
        /// One value.
        document: Document<'static>,
    },
    /// No more objects.
    InputEnded {
        /// Which.
        pipeline: Uuid,
    },
    /// To stop a pipeline: answer with [`Server::stopped`], or let it end as it does.
    Stop {
        /// Which.
        pipeline: Uuid,
    },
    /// The client has forgotten a pipeline. One that had not ended is to be stopped.
    Forgotten {
        /// Which.
        pipeline: Uuid,
        /// Whether it had ended.
        ended: bool,
    },
    /// An answer of the client's host.
    HostAnswer {
        /// Whose question it was; `None` for the pool's.
        pipeline: Option<Uuid>,
        /// The answer.
        response: Box<HostResponse>,
    },
    /// Another number of runspaces: answer with [`Server::answer`].
    SetRunspaces {
        /// Names the question.
        call_id: i64,
        /// Whether it is the maximum, else the minimum.
        maximum: bool,
        /// The number.
        count: i32,
    },
    /// How many runspaces are free: answer with [`Server::answer`].
    CountRunspaces {
        /// Names the question.
        call_id: i64,
    },
    /// The runspace as new: answer with [`Server::answer`].
    Reset {
        /// Names the question.
        call_id: i64,
    },
    /// The pool is closed; it has been said to the client.
    Closed,
}

/// Why what came cannot be gone on with; the pool is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The fragments do not fit together.
    #[error("receiving fragments")]
    Fragment(#[from] FragmentError),
    /// A message cannot be read.
    #[error("receiving a message")]
    Message(#[from] MessageError),
    /// The client speaks another protocol.
    #[error("expected a protocol from 2.1 to 2.4, found {found}")]
    Version {
        /// What it speaks.
        found: Version,
    },
    /// A message of another pool.
    #[error("expected {kind} of pool {expected}, found one of {found}", kind = .kind.name())]
    ForeignPool {
        /// Its kind.
        kind: MessageType,
        /// Ours.
        expected: Uuid,
        /// The one it names.
        found: Uuid,
    },
    /// A message of one pipeline came on the stream of another.
    #[error("expected {kind} of pipeline {expected}, found one of {found}", kind = .kind.name())]
    ForeignPipeline {
        /// Its kind.
        kind: MessageType,
        /// The stream's.
        expected: Uuid,
        /// The one it names.
        found: Uuid,
    },
    /// A message that cannot come in this state, or never to a server.
    #[error("received {kind} while the pool is {state:?}: expected {expected}", kind = .kind.name())]
    Unexpected {
        /// Its kind.
        kind: MessageType,
        /// The pool's state.
        state: PoolState,
        /// What could come.
        expected: &'static str,
    },
    /// More pipelines than the limit.
    #[error("expected at most {limit} pipelines at once, found one more")]
    TooManyPipelines {
        /// [`Settings::max_pipelines`].
        limit: usize,
    },
    /// Bytes came after the end.
    #[error("received {bytes} bytes while the pool is {state:?}: expected none")]
    AfterEnd {
        /// How many.
        bytes: usize,
        /// The pool's state.
        state: PoolState,
    },
}

#[derive(Clone, Debug)]
struct Serving {
    state: PipelineState,
    input_ended: bool,
    channel: Defragmenter,
}

/// The server's half of a runspace pool.
#[derive(Clone, Debug)]
pub struct Server {
    settings: Settings,
    state: PoolState,
    pool: Uuid,
    version: Option<Version>,
    runspaces: (i32, i32),
    seal: Seal,
    offered: Option<Vec<u8>>,
    channel: Defragmenter,
    pipelines: HashMap<Uuid, Serving>,
    next_call_id: i64,
    host_calls: Vec<(Option<Uuid>, i64, HostMethod)>,
    questions: Vec<i64>,
    outbox: Outbox,
    events: VecDeque<Event>,
}

impl Server {
    /// Makes a server to which nothing was said yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: PoolState::BeforeOpen,
            pool: Uuid::nil(),
            version: None,
            runspaces: (1, 1),
            seal: Seal::NotYet,
            offered: None,
            channel: Defragmenter::new(settings.limits),
            pipelines: HashMap::new(),
            next_call_id: 1,
            host_calls: Vec::new(),
            questions: Vec::new(),
            outbox: Outbox::new(settings.max_transmit),
            events: VecDeque::new(),
        }
    }

    /// The pool's state.
    pub const fn state(&self) -> PoolState {
        self.state
    }

    /// The pool's id, as the client gave it; nil before it did.
    pub const fn pool(&self) -> Uuid {
        self.pool
    }

    /// The protocol agreed on.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// The state of a pipeline the client has not forgotten.
    pub fn pipeline_state(&self, pipeline: Uuid) -> Option<PipelineState> {
        self.pipelines.get(&pipeline).map(|serving| serving.state)
    }

    /// Opens the pool, or takes in its new client.
    ///
    /// # Errors
    ///
    /// [`AskError`] when nobody asked, or the data holds a secret.
    pub fn accept(&mut self, private_data: &Data) -> Result<(), AskError> {
        const STATES: [PoolState; 2] = [PoolState::Opening, PoolState::Connecting];
        self.need("open the pool", &STATES, "Opening or Connecting")?;
        let mut data = Document::default();
        let value = private_data.write(&mut data, &self.seal)?;
        data.values = vec![value];
        if self.state == PoolState::Connecting {
            let (min_runspaces, max_runspaces) = self.runspaces;
            self.send(
                None,
                Body::RunspacePoolInitData {
                    min_runspaces,
                    max_runspaces,
                },
            );
        }
        self.send(None, Body::ApplicationPrivateData(data));
        self.send(
            None,
            Body::RunspacePoolState {
                state: PoolState::Opened,
                error: None,
            },
        );
        self.state = PoolState::Opened;
        Ok(())
    }

    /// Refuses the pool.
    ///
    /// # Errors
    ///
    /// [`AskError`] when nobody asked.
    pub fn refuse(&mut self, error: ErrorRecord) -> Result<(), AskError> {
        const STATES: [PoolState; 2] = [PoolState::Opening, PoolState::Connecting];
        self.need("refuse the pool", &STATES, "Opening or Connecting")?;
        self.send(
            None,
            Body::RunspacePoolState {
                state: PoolState::Broken,
                error: Some(error),
            },
        );
        self.state = PoolState::Broken;
        Ok(())
    }

    /// Asks the client for its key, because a secure string is to be sent.
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open.
    pub fn request_key(&mut self) -> Result<(), AskError> {
        self.need("ask for a key", &[PoolState::Opened], "Opened")?;
        self.send(None, Body::PublicKeyRequest);
        Ok(())
    }

    /// Gives the client the session key, encrypted for the key it offered.
    ///
    /// # Errors
    ///
    /// [`AskError`] when it offered none, or none that can be used.
    pub fn give_key<R: CryptoRng + ?Sized>(
        &mut self,
        key: SessionKey,
        random: &mut R,
    ) -> Result<(), AskError> {
        let Some(blob) = &self.offered else {
            return Err(self
                .order("give the key", "the client's key", "not there", "offered")
                .into());
        };
        let sealed = key.seal_for(blob, random)?;
        self.offered = None;
        self.seal = Seal::Key(key);
        self.send(None, Body::EncryptedSessionKey(sealed));
        Ok(())
    }

    /// Answers a question about runspaces.
    ///
    /// # Errors
    ///
    /// [`AskError`] when it was not asked.
    pub fn answer(&mut self, call_id: i64, answer: RunspaceAnswer) -> Result<(), AskError> {
        let Some(at) = self.questions.iter().position(|own| *own == call_id) else {
            return Err(self
                .order("answer", "the question", "not there", "asked and not answered")
                .into());
        };
        self.questions.remove(at);
        self.send(None, Body::RunspaceAvailability { call_id, answer });
        Ok(())
    }

    /// Sends an object.
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pipeline has ended or is not there, or a secret cannot travel yet.
    pub fn write_output(&mut self, pipeline: Uuid, value: &Data) -> Result<(), AskError> {
        let mut document = Document::default();
        let value = value.write(&mut document, &self.seal)?;
        document.values = vec![value];
        self.send_running(pipeline, Body::PipelineOutput(document))
    }

    /// Sends an error that does not end the pipeline.
    ///
    /// # Errors
    ///
    /// As [`Self::write_output`].
    pub fn write_error(&mut self, pipeline: Uuid, record: ErrorRecord) -> Result<(), AskError> {
        self.send_running(pipeline, Body::ErrorRecord(record))
    }

    /// Sends a warning.
    ///
    /// # Errors
    ///
    /// As [`Self::write_output`].
    pub fn write_warning(&mut self, pipeline: Uuid, message: &str) -> Result<(), AskError> {
        self.send_running(pipeline, Body::WarningRecord(record(message)))
    }

    /// Sends a verbose message.
    ///
    /// # Errors
    ///
    /// As [`Self::write_output`].
    pub fn write_verbose(&mut self, pipeline: Uuid, message: &str) -> Result<(), AskError> {
        self.send_running(pipeline, Body::VerboseRecord(record(message)))
    }

    /// Sends a debug message.
    ///
    /// # Errors
    ///
    /// As [`Self::write_output`].
    pub fn write_debug(&mut self, pipeline: Uuid, message: &str) -> Result<(), AskError> {
        self.send_running(pipeline, Body::DebugRecord(record(message)))
    }

    /// Says how far the pipeline is.
    ///
    /// # Errors
    ///
    /// As [`Self::write_output`].
    pub fn write_progress(&mut self, pipeline: Uuid, record: ProgressRecord) -> Result<(), AskError> {
        self.send_running(pipeline, Body::ProgressRecord(record))
    }

    /// Sends a message of the information stream; clients below 2.3 do not know it and get nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::write_output`].
    pub fn write_information(&mut self, pipeline: Uuid, record: InformationRecord) -> Result<(), AskError> {
        if self.version.is_some_and(|version| version < Version::V2_3) {
            return Ok(());
        }
        self.send_running(pipeline, Body::InformationRecord(record))
    }

    /// Calls the client's host and returns the call's number; the answer is an [`Event::HostAnswer`], where the method
    /// has one.
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pipeline has ended or is not there.
    pub fn call_host(
        &mut self,
        pipeline: Option<Uuid>,
        method: HostMethod,
        parameters: &[Data],
    ) -> Result<i64, AskError> {
        let mut document = Document::default();
        let values = parameters
            .iter()
            .map(|value| value.write(&mut document, &self.seal))
            .collect::<Result<_, _>>()?;
        let call_id = self.next_call_id;
        let call = HostCall {
            call_id,
            method,
            parameters: values,
            document,
        };
        match pipeline {
            Some(id) => self.send_running(id, Body::PipelineHostCall(call))?,
            None => {
                self.need("call the host", &[PoolState::Opened], "Opened")?;
                self.send(None, Body::RunspacePoolHostCall(call));
            }
        }
        self.next_call_id += 1;
        if method.is_answered() {
            self.host_calls.push((pipeline, call_id, method));
        }
        Ok(call_id)
    }

    /// Says that a pipeline ended well.
    ///
    /// # Errors
    ///
    /// [`AskError`] when it had ended before or is not there.
    pub fn complete(&mut self, pipeline: Uuid) -> Result<(), AskError> {
        self.end_pipeline(pipeline, PipelineState::Completed, None)
    }

    /// Says that a pipeline was ended by an error.
    ///
    /// # Errors
    ///
    /// As [`Self::complete`].
    pub fn fail(&mut self, pipeline: Uuid, error: ErrorRecord) -> Result<(), AskError> {
        self.end_pipeline(pipeline, PipelineState::Failed, Some(error))
    }

    /// Says that a pipeline was stopped.
    ///
    /// # Errors
    ///
    /// As [`Self::complete`].
    pub fn stopped(&mut self, pipeline: Uuid, error: Option<ErrorRecord>) -> Result<(), AskError> {
        self.end_pipeline(pipeline, PipelineState::Stopped, error)
    }

    /// Decrypts a secure string that came.
    ///
    /// # Errors
    ///
    /// [`SecretError::NoKey`] before the keys were exchanged, [`SecretError::Ciphertext`] when it is another key's.
    pub fn reveal(&self, text: &Opaque<'_>) -> Result<Secret, SecretError> {
        self.seal.decrypt(&text.0)
    }

    /// The next thing the client wants.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next bytes to carry, in order.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.poll()
    }

    fn end_pipeline(
        &mut self,
        pipeline: Uuid,
        state: PipelineState,
        error: Option<ErrorRecord>,
    ) -> Result<(), AskError> {
        self.send_running(pipeline, Body::PipelineState { state, error })?;
        if let Some(serving) = self.pipelines.get_mut(&pipeline) {
            serving.state = state;
        }
        self.host_calls.retain(|(own, ..)| *own != Some(pipeline));
        Ok(())
    }

    fn send_running(&mut self, pipeline: Uuid, body: Body) -> Result<(), AskError> {
        match self.pipelines.get(&pipeline).map(|serving| serving.state) {
            Some(PipelineState::Running | PipelineState::Stopping) => {
                self.send(Some(pipeline), body);
                Ok(())
            }
            other => {
                let state = other.map_or_else(|| "not there".to_owned(), |state| format!("{state:?}"));
                Err(self
                    .order("write", "the pipeline", &state, "Running or Stopping")
                    .into())
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads like the other checks")]
    fn order(
        &self,
        action: &'static str,
        subject: &'static str,
        state: &str,
        expected: &'static str,
    ) -> OrderError {
        OrderError {
            action,
            subject,
            state: state.to_owned(),
            expected,
        }
    }

    fn need(
        &self,
        action: &'static str,
        states: &[PoolState],
        expected: &'static str,
    ) -> Result<(), OrderError> {
        if states.contains(&self.state) {
            return Ok(());
        }
        Err(self.order(action, "the pool", &format!("{:?}", self.state), expected))
    }

    fn send(&mut self, pipeline: Option<Uuid>, body: Body) {
        let message = Message {
            destination: Destination::Client,
            pool: self.pool,
            pipeline,
            body,
        };
        self.outbox.send(Stream::Default, &message);
    }
}

fn record(message: &str) -> InformationalRecord {
    InformationalRecord {
        message: message.to_owned(),
    }
}
