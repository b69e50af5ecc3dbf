//! What the server says.

use uuid::Uuid;

use super::{Client, ClientError, Event, HostPolicy, Running, refusal};
use crate::channel::Transmit;
use crate::fragment::Defragmenter;
use crate::message::{
    Body, Destination, ErrorRecord, HostCall, HostResponse, Message, MessageType, PipelineState, PoolState,
    Version,
};
use crate::secret::{Seal, SessionKey};

impl Client {
    /// Takes bytes of fragments that came for the pool (`None`) or for a pipeline, in any cut.
    ///
    /// # Errors
    ///
    /// A [`ClientError`] breaks the session: the events of messages before it are there, [`Event::Lost`] for every
    /// pipeline that had not ended behind them.
    pub fn receive(&mut self, pipeline: Option<Uuid>, bytes: &[u8]) -> Result<(), ClientError> {
        if matches!(self.state, PoolState::Closed | PoolState::Broken) {
            return Err(ClientError::AfterEnd {
                bytes: bytes.len(),
                state: self.state,
            });
        }
        let result = self.receive_all(pipeline, bytes);
        if result.is_err() {
            self.end(PoolState::Broken, None);
        }
        result
    }

    /// Says that the transport will bring nothing more, because it broke or was closed by the other side.
    pub fn end_of_stream(&mut self) {
        if !matches!(self.state, PoolState::Closed | PoolState::Broken) {
            self.end(PoolState::Broken, None);
        }
    }

    /// Says that the transport has closed the pool as [`Client::close`] asked: the answer to Delete, or `<CloseAck>`.
    pub fn closed(&mut self) {
        if !matches!(self.state, PoolState::Closed | PoolState::Broken) {
            self.end(PoolState::Closed, None);
        }
    }

    fn receive_all(&mut self, pipeline: Option<Uuid>, bytes: &[u8]) -> Result<(), ClientError> {
        let limits = self.settings.limits;
        if pipeline.is_some_and(|id| !self.pipelines.contains_key(&id)) {
            // A pipeline of nobody: read far enough to say what was dropped.
            let mut stray = Defragmenter::new(limits);
            let _ = stray.receive(bytes);
            while let Some(wire) = stray.next_message() {
                if let (Some(id), Ok((kind, ..))) = (pipeline, Message::split(&wire)) {
                    self.events.push_back(Event::Stray { pipeline: id, kind });
                }
            }
            return Ok(());
        }
        let channel = self
            .channels
            .entry(pipeline)
            .or_insert_with(|| Defragmenter::ordered(limits));
        let received = channel.receive(bytes);
        let mut whole = Vec::new();
        while let Some(wire) = channel.next_message() {
            whole.push(wire);
        }
        for wire in whole {
            let message =
                Message::decode(&wire).map_err(|source| ClientError::Message { pipeline, source })?;
            self.handle(pipeline, message)?;
        }
        received.map_err(|source| ClientError::Fragment { pipeline, source })
    }

    fn handle(&mut self, channel: Option<Uuid>, message: Message) -> Result<(), ClientError> {
        let kind = message.body.kind();
        if message.destination != Destination::Client || kind.destination() == Some(Destination::Server) {
            return Err(self.unexpected(kind, "messages for a client"));
        }
        if !message.pool.is_nil() && message.pool != self.settings.pool {
            return Err(ClientError::ForeignPool {
                kind,
                expected: self.settings.pool,
                found: message.pool,
            });
        }
        if let (Some(expected), Some(found)) = (channel, message.pipeline)
            && expected != found
        {
            return Err(ClientError::ForeignPipeline {
                kind,
                expected,
                found,
            });
        }
        match message.pipeline {
            Some(pipeline) => self.handle_pipeline(pipeline, message.body),
            None => self.handle_pool(message.body),
        }
    }

    const fn unexpected(&self, kind: MessageType, expected: &'static str) -> ClientError {
        ClientError::Unexpected {
            kind,
            state: self.state,
            expected,
        }
    }

    fn handle_pool(&mut self, body: Body) -> Result<(), ClientError> {
        let kind = body.kind();
        let opening = matches!(self.state, PoolState::Opening | PoolState::Connecting);
        match body {
            Body::SessionCapability(capability) => {
                if !opening || self.version.is_some() {
                    return Err(self.unexpected(kind, "it once, while opening"));
                }
                if !capability.protocol.is_understood() {
                    return Err(ClientError::Version {
                        found: capability.protocol,
                    });
                }
                let version = capability.protocol.min(self.settings.announce);
                if version >= Version::V2_4 {
                    self.seal = Seal::Clear;
                }
                self.version = Some(version);
            }
            _ if self.version.is_none() => return Err(self.unexpected(kind, "SESSION_CAPABILITY first")),
            Body::ApplicationPrivateData(data) => self.private_data = Some(data),
            Body::RunspacePoolInitData { .. } => {
                if self.state != PoolState::Connecting {
                    return Err(self.unexpected(kind, "it while connecting"));
                }
                self.opened();
            }
            Body::RunspacePoolState { state, error } => self.handle_pool_state(state, error)?,
            Body::EncryptedSessionKey(blob) => {
                let Some(pair) = self.awaited_key.take() else {
                    return Err(self.unexpected(kind, "it after PUBLIC_KEY"));
                };
                let key = SessionKey::open(&pair, &blob).map_err(|source| ClientError::Key { source })?;
                self.seal = Seal::Key(key);
                self.events.push_back(Event::KeysExchanged);
            }
            Body::PublicKeyRequest => self.events.push_back(Event::KeyRequested),
            Body::RunspaceAvailability { call_id, answer } => {
                let Some(at) = self.open_calls.iter().position(|own| *own == call_id) else {
                    return Err(self.unexpected(kind, "an answer to an open question"));
                };
                self.open_calls.remove(at);
                self.events.push_back(Event::Runspaces { call_id, answer });
            }
            Body::UserEvent(document) => self.events.push_back(Event::UserEvent { document }),
            Body::RunspacePoolHostCall(call) => self.host_call(None, call),
            _ => return Err(self.unexpected(kind, "a message of the pool")),
        }
        Ok(())
    }

    fn handle_pool_state(&mut self, state: PoolState, error: Option<ErrorRecord>) -> Result<(), ClientError> {
        const KIND: MessageType = MessageType::RunspacePoolState;
        match state {
            PoolState::Opened => match self.state {
                PoolState::Opening | PoolState::Connecting => self.opened(),
                PoolState::Opened | PoolState::Closing => {}
                _ => return Err(self.unexpected(KIND, "Opened while opening")),
            },
            PoolState::Closed | PoolState::Broken => self.end(state, error),
            PoolState::Closing => self.state = PoolState::Closing,
            // Steps on the way that change nothing here.
            PoolState::BeforeOpen
            | PoolState::Opening
            | PoolState::NegotiationSent
            | PoolState::NegotiationSucceeded
            | PoolState::Connecting
            | PoolState::Disconnected => {}
        }
        Ok(())
    }

    fn opened(&mut self) {
        self.state = PoolState::Opened;
        let version = self.version.unwrap_or(self.settings.announce);
        self.events.push_back(Event::Opened {
            version,
            private_data: self.private_data.take(),
        });
    }

    /// Ends the pool; every pipeline without a word of its own end is lost.
    pub(super) fn end(&mut self, state: PoolState, error: Option<ErrorRecord>) {
        self.state = state;
        let mut lost: Vec<Uuid> = self.pipelines.drain().map(|(pipeline, _)| pipeline).collect();
        lost.sort_unstable();
        self.events
            .extend(lost.into_iter().map(|pipeline| Event::Lost { pipeline }));
        self.host_calls.clear();
        self.open_calls.clear();
        self.events.push_back(Event::PoolEnded { state, error });
    }

    fn handle_pipeline(&mut self, pipeline: Uuid, body: Body) -> Result<(), ClientError> {
        let kind = body.kind();
        if !self.pipelines.contains_key(&pipeline) {
            self.events.push_back(Event::Stray { pipeline, kind });
            return Ok(());
        }
        let event = match body {
            Body::PipelineOutput(document) => Event::Output { pipeline, document },
            Body::ErrorRecord(record) => Event::Error {
                pipeline,
                record: Box::new(record),
            },
            Body::WarningRecord(record) => Event::Warning { pipeline, record },
            Body::VerboseRecord(record) => Event::Verbose { pipeline, record },
            Body::DebugRecord(record) => Event::Debug { pipeline, record },
            Body::ProgressRecord(record) => Event::Progress {
                pipeline,
                record: Box::new(record),
            },
            Body::InformationRecord(record) => Event::Information {
                pipeline,
                record: Box::new(record),
            },
            Body::PipelineHostCall(call) => {
                self.host_call(Some(pipeline), call);
                return Ok(());
            }
            Body::PipelineState { state, error } => {
                self.handle_pipeline_state(pipeline, state, error);
                return Ok(());
            }
            _ => return Err(self.unexpected(kind, "a message of a pipeline")),
        };
        self.events.push_back(event);
        Ok(())
    }

    fn handle_pipeline_state(&mut self, pipeline: Uuid, state: PipelineState, error: Option<ErrorRecord>) {
        if !state.is_final() {
            if let Some(Running { state: own, .. }) = self.pipelines.get_mut(&pipeline)
                && *own != PipelineState::Stopping
            {
                *own = if state == PipelineState::Stopping {
                    state
                } else {
                    PipelineState::Running
                };
            }
            return;
        }
        self.pipelines.remove(&pipeline);
        self.channels.remove(&Some(pipeline));
        self.host_calls.retain(|(own, ..)| *own != Some(pipeline));
        self.outbox.push(Transmit::Close {
            pipeline: Some(pipeline),
        });
        self.events.push_back(Event::Ended {
            pipeline,
            state,
            error: error.map(Box::new),
        });
    }

    fn host_call(&mut self, pipeline: Option<Uuid>, call: HostCall) {
        let named = (call.call_id, call.method);
        let call = Box::new(call);
        if !named.1.is_answered() {
            self.events.push_back(Event::HostCall { pipeline, call });
            return;
        }
        match self.settings.host {
            HostPolicy::Ask => {
                self.host_calls.push((pipeline, named.0, named.1));
                self.events.push_back(Event::HostCall { pipeline, call });
            }
            HostPolicy::Refuse => {
                self.respond(
                    pipeline,
                    HostResponse::failed(named, refusal("nobody is there to answer a prompt")),
                );
                self.events.push_back(Event::Refused { pipeline, call });
            }
        }
    }
}
