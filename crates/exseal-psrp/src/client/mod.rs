//! The client's half: a runspace pool and its pipelines, without hands.
//!
//! *Do* ([`Client::open`], [`Client::invoke`], …), carry what [`Client::poll_transmit`] gives, hand what comes back to
//! [`Client::receive`], and act on [`Client::next_event`]. Call the last until it gives nothing: events wait for the
//! caller without a bound, one message's worth for each message received. Timeouts are the caller's, who ends a
//! pipeline with [`Client::stop`].
//!
//! A pipeline has ended when [`Event::Ended`] says so and never otherwise: not when the transport says that no more
//! bytes will come, not when the pool closes. Where no word of its end can come any more the event is [`Event::Lost`],
//! and whether the commands took effect is unknown.

mod receive;

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::channel::{Outbox, Transmit};
use crate::clixml::{Document, Opaque, Value};
use crate::data::Data;
use crate::fragment::{Defragmenter, FragmentError, FragmentLimits, Fragmenter};
use crate::message::{
    Body, CreatePipeline, Destination, ErrorCategory, ErrorRecord, HostCall, HostInfo, HostMethod,
    HostResponse, InformationRecord, InformationalRecord, InitRunspacePool, Message, MessageError,
    MessageType, Pipeline, PipelineState, PoolState, ProgressRecord, RunspaceAnswer, SessionCapability,
    Version,
};
use crate::oop::Stream;
use crate::secret::{KeyPair, Seal, Secret, SecretError};

/// Who answers when a command asks something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostPolicy {
    /// Nobody: no host is announced, so that prompts fail on the server; a call that comes all the same is refused at
    /// once.
    #[default]
    Refuse,
    /// The caller: each question is an [`Event::HostCall`] that waits for [`Client::answer`] or [`Client::refuse`].
    Ask,
}

/// How a pool is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The pool's id; WSMan's shell has the same.
    pub pool: Uuid,
    /// The protocol announced; the server answers with its own or a lower one.
    pub announce: Version,
    /// At least so many runspaces.
    pub min_runspaces: i32,
    /// At most so many: pipelines that run at once.
    pub max_runspaces: i32,
    /// Who answers prompts.
    pub host: HostPolicy,
    /// What the client tells about itself.
    pub application_arguments: Data,
    /// A serialised .NET time zone; Windows' clients send one, servers do without.
    pub time_zone: Option<Vec<u8>>,
    /// The number of the first question about runspaces; each further one has the next.
    pub first_call_id: i64,
    /// Bytes of fragments carried at once: [`crate::wsman::room`], or PowerShell's own 32 KiB.
    pub max_transmit: usize,
    /// Bounds of what is received.
    pub limits: FragmentLimits,
}

impl Settings {
    /// One runspace, nobody to ask, protocol 2.3.
    pub fn new(pool: Uuid) -> Self {
        Self {
            pool,
            announce: Version::V2_3,
            min_runspaces: 1,
            max_runspaces: 1,
            host: HostPolicy::Refuse,
            application_arguments: Data::primitive_dictionary([]),
            time_zone: None,
            first_call_id: 1,
            max_transmit: Fragmenter::DEFAULT_MAX_FRAGMENT,
            limits: FragmentLimits::default(),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The pool is ready.
    Opened {
        /// The protocol agreed on.
        version: Version,
        /// What the server told about itself; one value.
        private_data: Option<Document<'static>>,
    },
    /// The pool ended: closed as asked, or broken.
    PoolEnded {
        /// [`PoolState::Closed`] or [`PoolState::Broken`].
        state: PoolState,
        /// Why, where the server said so.
        error: Option<ErrorRecord>,
    },
    /// Secure strings can travel now.
    KeysExchanged,
    /// The server wants to send a secure string: call [`Client::exchange_keys`].
    KeyRequested,
    /// The answer to a question about runspaces.
    Runspaces {
        /// What asking returned.
        call_id: i64,
        /// The answer.
        answer: RunspaceAnswer,
    },
    /// An object. `$null` is [`Value::Nil`].
    Output {
        /// Whose.
        pipeline: Uuid,
        /// One value.
        document: Document<'static>,
    },
    /// An error that did not end the pipeline.
    Error {
        /// Whose.
        pipeline: Uuid,
        /// The error.
        record: Box<ErrorRecord>,
    },
    /// A warning.
    Warning {
        /// Whose.
        pipeline: Uuid,
        /// The words.
        record: InformationalRecord,
    },
    /// A verbose message.
    Verbose {
        /// Whose.
        pipeline: Uuid,
        /// The words.
        record: InformationalRecord,
    },
    /// A debug message.
    Debug {
        /// Whose.
        pipeline: Uuid,
        /// The words.
        record: InformationalRecord,
    },
    /// How far it is.
    Progress {
        /// Whose.
        pipeline: Uuid,
        /// How far.
        record: Box<ProgressRecord>,
    },
    /// A message of the information stream.
    Information {
        /// Whose.
        pipeline: Uuid,
        /// The message.
        record: Box<InformationRecord>,
    },
    /// The host is called. Where [`HostMethod::is_answered`] says so the pipeline waits for [`Client::answer`] or
    /// [`Client::refuse`].
    HostCall {
        /// Whose; `None` for the pool's.
        pipeline: Option<Uuid>,
        /// The call.
        call: Box<HostCall>,
    },
    /// The host was asked and, by [`HostPolicy::Refuse`], the question was refused.
    Refused {
        /// Whose; `None` for the pool's.
        pipeline: Option<Uuid>,
        /// The question.
        call: Box<HostCall>,
    },
    /// The pipeline ended, and how.
    Ended {
        /// Which.
        pipeline: Uuid,
        /// [`PipelineState::Completed`], [`PipelineState::Failed`] or [`PipelineState::Stopped`].
        state: PipelineState,
        /// What ended it. It is not among the [`Event::Error`]s.
        error: Option<Box<ErrorRecord>>,
    },
    /// No word of the pipeline's end will come: **its effect is unknown**.
    Lost {
        /// Which.
        pipeline: Uuid,
    },
    /// An event the client registered for.
    UserEvent {
        /// The whole body.
        document: Document<'static>,
    },
    /// A message of a pipeline that is not (or no longer) ours. It was dropped.
    Stray {
        /// The pipeline it names.
        pipeline: Uuid,
        /// Its kind.
        kind: MessageType,
    },
}

/// An action that the state does not allow. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} while {subject} is {state}: expected {expected}")]
pub struct OrderError {
    /// What was to be done.
    pub action: &'static str,
    /// To what.
    pub subject: &'static str,
    /// The state it is in.
    pub state: String,
    /// The states that allow it.
    pub expected: &'static str,
}

/// Why something could not be asked. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Not in this state.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A secret is among the arguments and the keys were not exchanged.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The message made is none we could read.
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// Why what came cannot be gone on with. The session is broken; each pipeline that had not ended is [`Event::Lost`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The fragments do not fit together.
    #[error("receiving for {}", subject(*.pipeline))]
    Fragment {
        /// The stream they came on.
        pipeline: Option<Uuid>,
        /// Why.
        source: FragmentError,
    },
    /// A message cannot be read.
    #[error("receiving for {}", subject(*.pipeline))]
    Message {
        /// The stream it came on.
        pipeline: Option<Uuid>,
        /// Why.
        source: MessageError,
    },
    /// The server speaks another protocol.
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
    /// A message that cannot come in this state, or never to a client.
    #[error("received {kind} while the pool is {state:?}: expected {expected}", kind = .kind.name())]
    Unexpected {
        /// Its kind.
        kind: MessageType,
        /// The pool's state.
        state: PoolState,
        /// What could come.
        expected: &'static str,
    },
    /// The session key cannot be used.
    #[error("receiving the session key")]
    Key {
        /// Why.
        source: SecretError,
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

fn subject(pipeline: Option<Uuid>) -> String {
    pipeline.map_or_else(|| "the pool".to_owned(), |id| format!("pipeline {id}"))
}

#[derive(Clone, Debug)]
struct Running {
    state: PipelineState,
    takes_input: bool,
}

/// The client's half of a runspace pool.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Settings,
    state: PoolState,
    version: Option<Version>,
    private_data: Option<Document<'static>>,
    seal: Seal,
    awaited_key: Option<KeyPair>,
    pipelines: HashMap<Uuid, Running>,
    channels: HashMap<Option<Uuid>, Defragmenter>,
    next_call_id: i64,
    open_calls: Vec<i64>,
    host_calls: Vec<(Option<Uuid>, i64, HostMethod)>,
    outbox: Outbox,
    events: VecDeque<Event>,
}

impl Client {
    /// Makes a client that has said nothing yet.
    pub fn new(settings: Settings) -> Self {
        let outbox = Outbox::new(settings.max_transmit);
        Self {
            next_call_id: settings.first_call_id,
            settings,
            state: PoolState::BeforeOpen,
            version: None,
            private_data: None,
            seal: Seal::NotYet,
            awaited_key: None,
            pipelines: HashMap::new(),
            channels: HashMap::new(),
            open_calls: Vec::new(),
            host_calls: Vec::new(),
            outbox,
            events: VecDeque::new(),
        }
    }

    /// The pool's state.
    pub const fn state(&self) -> PoolState {
        self.state
    }

    /// The state of a pipeline that has not been forgotten; it is forgotten when it has ended.
    pub fn pipeline_state(&self, pipeline: Uuid) -> Option<PipelineState> {
        self.pipelines.get(&pipeline).map(|running| running.state)
    }

    /// Whether secure strings can travel.
    pub const fn can_send_secrets(&self) -> bool {
        !matches!(self.seal, Seal::NotYet)
    }

    /// Asks for the pool. [`Event::Opened`] says when it is there.
    ///
    /// # Errors
    ///
    /// [`AskError`] when it was asked before.
    pub fn open(&mut self) -> Result<(), AskError> {
        self.need("open the pool", &[PoolState::BeforeOpen], "BeforeOpen")?;
        let mut arguments = Document::default();
        let value = self
            .settings
            .application_arguments
            .write(&mut arguments, &self.seal)?;
        arguments.values = vec![value];
        let capability = self.capability();
        self.outbox.begin(|bytes| Transmit::Create { bytes }, &capability);
        let init = InitRunspacePool {
            min_runspaces: self.settings.min_runspaces,
            max_runspaces: self.settings.max_runspaces,
            host: match self.settings.host {
                HostPolicy::Refuse => HostInfo::None,
                HostPolicy::Ask => HostInfo::Prompts,
            },
            application_arguments: arguments,
        };
        self.send_pool(Body::InitRunspacePool(init));
        self.state = PoolState::Opening;
        Ok(())
    }

    /// Asks for a pool that another client left; `running` are the pipelines in it that are to go on here.
    ///
    /// # Errors
    ///
    /// [`AskError`] when something was asked before.
    pub fn connect(&mut self, running: impl IntoIterator<Item = Uuid>) -> Result<(), AskError> {
        self.need("connect to the pool", &[PoolState::BeforeOpen], "BeforeOpen")?;
        let capability = self.capability();
        self.outbox
            .begin(|bytes| Transmit::Connect { bytes }, &capability);
        self.send_pool(Body::ConnectRunspacePool {
            min_runspaces: None,
            max_runspaces: None,
        });
        for pipeline in running {
            self.pipelines.insert(
                pipeline,
                Running {
                    state: PipelineState::Running,
                    takes_input: false,
                },
            );
        }
        self.state = PoolState::Connecting;
        Ok(())
    }

    /// Sends our public key, so that secure strings can travel; [`Event::KeysExchanged`] says when.
    ///
    /// Where both sides speak 2.4 they travel already and nothing is sent.
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open.
    pub fn exchange_keys(&mut self, pair: &KeyPair) -> Result<(), AskError> {
        self.need_open("exchange keys")?;
        if matches!(self.seal, Seal::Clear) {
            self.events.push_back(Event::KeysExchanged);
            return Ok(());
        }
        self.awaited_key = Some(pair.clone());
        self.send_pool(Body::PublicKey(pair.public_blob()));
        Ok(())
    }

    /// Starts a pipeline under an id that was never used in this pool.
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open, the id was used, or a secret cannot travel yet.
    pub fn invoke(&mut self, id: Uuid, pipeline: &Pipeline) -> Result<(), AskError> {
        self.need_open("invoke a pipeline")?;
        self.need_unused("invoke a pipeline", id)?;
        let body = CreatePipeline::read(pipeline.write(&self.seal)?)?;
        let message = self.message(Some(id), Body::CreatePipeline(body));
        self.begin_pipeline(id, &message, pipeline.takes_input());
        Ok(())
    }

    /// Asks for the metadata of commands, which come as the output of a pipeline of its own: first their number, then
    /// each. `query` is the body of GET_COMMAND_METADATA: an object with Name, CommandType, Namespace, ArgumentList.
    ///
    /// # Errors
    ///
    /// As [`Self::invoke`].
    pub fn command_metadata(&mut self, id: Uuid, query: Document<'static>) -> Result<(), AskError> {
        self.need_open("ask for the metadata of commands")?;
        self.need_unused("ask for the metadata of commands", id)?;
        let message = self.message(Some(id), Body::GetCommandMetadata(query));
        self.begin_pipeline(id, &message, false);
        Ok(())
    }

    /// Sends an object to a pipeline made [`Pipeline::with_input`].
    ///
    /// # Errors
    ///
    /// [`AskError`] when it takes none (any more), or a secret cannot travel yet.
    pub fn send_input(&mut self, pipeline: Uuid, value: &Data) -> Result<(), AskError> {
        self.need_input("send input", pipeline)?;
        let mut document = Document::default();
        let value = value.write(&mut document, &self.seal)?;
        document.values = vec![value];
        let message = self.message(Some(pipeline), Body::PipelineInput(document));
        self.outbox.send(Stream::Default, &message);
        Ok(())
    }

    /// Says that no more input will come.
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pipeline takes none (any more).
    pub fn end_input(&mut self, pipeline: Uuid) -> Result<(), AskError> {
        self.need_input("end the input", pipeline)?;
        if let Some(running) = self.pipelines.get_mut(&pipeline) {
            running.takes_input = false;
        }
        let message = self.message(Some(pipeline), Body::EndOfPipelineInput);
        self.outbox.send(Stream::Default, &message);
        Ok(())
    }

    /// Asks the server to stop a pipeline. It has stopped when [`Event::Ended`] says so; it may also complete before.
    ///
    /// Doing so twice, or after its end, does nothing.
    pub fn stop(&mut self, pipeline: Uuid) {
        if let Some(running) = self.pipelines.get_mut(&pipeline)
            && running.state == PipelineState::Running
        {
            running.state = PipelineState::Stopping;
            self.outbox.push(Transmit::Signal { pipeline });
        }
    }

    /// Changes how many runspaces there may be; the answer is an [`Event::Runspaces`] with the number returned here.
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open.
    pub fn set_max_runspaces(&mut self, count: i32) -> Result<i64, AskError> {
        self.ask("change the runspaces", |call_id| Body::SetMaxRunspaces {
            call_id,
            count,
        })
    }

    /// Changes how many runspaces there must be; like [`Self::set_max_runspaces`].
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open.
    pub fn set_min_runspaces(&mut self, count: i32) -> Result<i64, AskError> {
        self.ask("change the runspaces", |call_id| Body::SetMinRunspaces {
            call_id,
            count,
        })
    }

    /// Asks how many runspaces are free; like [`Self::set_max_runspaces`].
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open.
    pub fn available_runspaces(&mut self) -> Result<i64, AskError> {
        self.ask("ask for runspaces", |call_id| Body::GetAvailableRunspaces {
            call_id,
        })
    }

    /// Makes the pool's runspace as new (from 2.3 on); like [`Self::set_max_runspaces`].
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open.
    pub fn reset_runspace(&mut self) -> Result<i64, AskError> {
        self.ask("reset the runspace", |call_id| Body::ResetRunspaceState {
            call_id,
        })
    }

    /// Answers a question of the host with what its method returns.
    ///
    /// # Errors
    ///
    /// [`AskError`] when no such question is open, or a secret cannot travel yet.
    pub fn answer(&mut self, pipeline: Option<Uuid>, call_id: i64, result: &Data) -> Result<(), AskError> {
        let at = self.open_host_call(pipeline, call_id)?;
        let (_, _, method) = self.host_calls[at];
        let response = HostResponse::returned((call_id, method), result, &self.seal)?;
        self.host_calls.remove(at);
        self.respond(pipeline, response);
        Ok(())
    }

    /// Answers a question of the host with an error, which ends the command that asked.
    ///
    /// # Errors
    ///
    /// [`AskError`] when no such question is open.
    pub fn refuse(&mut self, pipeline: Option<Uuid>, call_id: i64, why: &str) -> Result<(), AskError> {
        let at = self.open_host_call(pipeline, call_id)?;
        let (_, _, method) = self.host_calls.remove(at);
        self.respond(pipeline, HostResponse::failed((call_id, method), refusal(why)));
        Ok(())
    }

    /// Ends the pool. [`Event::PoolEnded`] says when it is gone; the transport's own word for it goes to
    /// [`Self::closed`].
    ///
    /// Doing so twice, or after the end, does nothing.
    pub fn close(&mut self) {
        match self.state {
            PoolState::Closing | PoolState::Closed | PoolState::Broken => {}
            PoolState::BeforeOpen => self.end(PoolState::Closed, None),
            _ => {
                self.state = PoolState::Closing;
                self.outbox.push(Transmit::Close { pipeline: None });
            }
        }
    }

    /// Leaves the pool; the server keeps it and its pipelines. No events come until [`Self::reconnect`].
    ///
    /// # Errors
    ///
    /// [`AskError`] when the pool is not open.
    pub fn disconnect(&mut self) -> Result<(), AskError> {
        self.need_open("disconnect")?;
        self.outbox.push(Transmit::Disconnect);
        self.state = PoolState::Disconnected;
        Ok(())
    }

    /// Comes back to the pool.
    ///
    /// # Errors
    ///
    /// [`AskError`] when it was not left.
    pub fn reconnect(&mut self) -> Result<(), AskError> {
        self.need("reconnect", &[PoolState::Disconnected], "Disconnected")?;
        self.outbox.push(Transmit::Reconnect);
        self.state = PoolState::Opened;
        Ok(())
    }

    /// Decrypts a secure string that came.
    ///
    /// # Errors
    ///
    /// [`SecretError::NoKey`] before the keys were exchanged, [`SecretError::Ciphertext`] when it is another key's.
    pub fn reveal(&self, text: &Opaque<'_>) -> Result<Secret, SecretError> {
        self.seal.decrypt(&text.0)
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing to carry, in order.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.poll()
    }

    fn ask(&mut self, action: &'static str, body: impl FnOnce(i64) -> Body) -> Result<i64, AskError> {
        self.need_open(action)?;
        let call_id = self.next_call_id;
        self.next_call_id += 1;
        self.open_calls.push(call_id);
        self.send_pool(body(call_id));
        Ok(call_id)
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
        Err(OrderError {
            action,
            subject: "the pool",
            state: format!("{:?}", self.state),
            expected,
        })
    }

    fn need_open(&self, action: &'static str) -> Result<(), OrderError> {
        self.need(action, &[PoolState::Opened], "Opened")
    }

    fn need_unused(&self, action: &'static str, id: Uuid) -> Result<(), OrderError> {
        if !self.pipelines.contains_key(&id) {
            return Ok(());
        }
        Err(OrderError {
            action,
            subject: "the pipeline of this id",
            state: "begun".to_owned(),
            expected: "an id that was never used",
        })
    }

    fn begin_pipeline(&mut self, id: Uuid, message: &Message, takes_input: bool) {
        self.outbox
            .begin(|bytes| Transmit::Command { pipeline: id, bytes }, message);
        self.pipelines.insert(
            id,
            Running {
                state: PipelineState::Running,
                takes_input,
            },
        );
    }

    fn need_input(&self, action: &'static str, pipeline: Uuid) -> Result<(), OrderError> {
        let running = self.pipelines.get(&pipeline);
        if running.is_some_and(|running| running.takes_input && running.state == PipelineState::Running) {
            return self.need_open(action);
        }
        Err(OrderError {
            action,
            subject: "the pipeline",
            state: running.map_or_else(
                || "not there".to_owned(),
                |running| format!("{:?}", running.state),
            ),
            expected: "Running and taking input",
        })
    }

    fn open_host_call(&self, pipeline: Option<Uuid>, call_id: i64) -> Result<usize, OrderError> {
        let found = self
            .host_calls
            .iter()
            .position(|(own, id, _)| *own == pipeline && *id == call_id);
        found.ok_or_else(|| OrderError {
            action: "answer the host's question",
            subject: "the question",
            state: "not there".to_owned(),
            expected: "one that came and was not answered",
        })
    }

    fn capability(&self) -> Message {
        let capability = SessionCapability {
            time_zone: self.settings.time_zone.clone(),
            ..SessionCapability::of(self.settings.announce)
        };
        self.message(None, Body::SessionCapability(capability))
    }

    const fn message(&self, pipeline: Option<Uuid>, body: Body) -> Message {
        Message {
            destination: Destination::Server,
            pool: self.settings.pool,
            pipeline,
            body,
        }
    }

    fn send_pool(&mut self, body: Body) {
        let message = self.message(None, body);
        self.outbox.send(Stream::Default, &message);
    }

    fn respond(&mut self, pipeline: Option<Uuid>, response: HostResponse) {
        let body = match pipeline {
            Some(_) => Body::PipelineHostResponse(response),
            None => Body::RunspacePoolHostResponse(response),
        };
        let message = self.message(pipeline, body);
        self.outbox.send(Stream::PromptResponse, &message);
    }
}

fn refusal(why: &str) -> ErrorRecord {
    ErrorRecord::new(
        why,
        "HostCallRefused",
        ErrorCategory::NotImplemented,
        "HostException",
    )
}

/// The value of an event's document.
pub fn value<'d>(document: &'d Document<'static>) -> &'d Value<'static> {
    document.values.first().unwrap_or(&Value::Nil)
}
