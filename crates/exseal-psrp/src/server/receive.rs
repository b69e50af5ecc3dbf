//! What the client says.

use uuid::Uuid;

use super::{Event, Server, ServerError, Serving};
use crate::fragment::Defragmenter;
use crate::message::{
    Body, Destination, HostResponse, Message, MessageType, PipelineState, PoolState, SessionCapability,
    Version,
};
use crate::oop::Stream;
use crate::secret::Seal;

impl Server {
    /// Takes bytes of fragments that came for the pool (`None`) or for a pipeline, in any cut.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] breaks the pool; the events of messages before it are there.
    pub fn receive(&mut self, pipeline: Option<Uuid>, bytes: &[u8]) -> Result<(), ServerError> {
        if matches!(self.state, PoolState::Closed | PoolState::Broken) {
            return Err(ServerError::AfterEnd {
                bytes: bytes.len(),
                state: self.state,
            });
        }
        let result = self.receive_all(pipeline, bytes);
        if result.is_err() {
            self.state = PoolState::Broken;
        }
        result
    }

    /// Takes the first bytes of a new client (WSMan's Connect): nothing that its predecessor began to send counts any
    /// more.
    ///
    /// # Errors
    ///
    /// As [`Self::receive`].
    pub fn connect(&mut self, bytes: &[u8]) -> Result<(), ServerError> {
        let limits = self.settings.limits;
        self.channel = Defragmenter::new(limits);
        for serving in self.pipelines.values_mut() {
            serving.channel = Defragmenter::new(limits);
        }
        self.receive(None, bytes)
    }

    /// The client asks to stop a pipeline. One that has ended, or is not there, is passed over.
    pub fn signal(&mut self, pipeline: Uuid) {
        if let Some(serving) = self.pipelines.get_mut(&pipeline)
            && serving.state == PipelineState::Running
        {
            serving.state = PipelineState::Stopping;
            self.events.push_back(Event::Stop { pipeline });
        }
    }

    /// The client forgets a pipeline, or (`None`) closes the pool: then Closing and Closed are said to it, as real
    /// servers do over stdio, and nothing more.
    pub fn close(&mut self, pipeline: Option<Uuid>) {
        let Some(pipeline) = pipeline else {
            if !matches!(self.state, PoolState::Closed | PoolState::Broken) {
                for state in [PoolState::Closing, PoolState::Closed] {
                    self.send(None, Body::RunspacePoolState { state, error: None });
                }
            }
            self.state = PoolState::Closed;
            self.pipelines.clear();
            self.events.push_back(Event::Closed);
            return;
        };
        if let Some(serving) = self.pipelines.remove(&pipeline) {
            self.host_calls.retain(|(own, ..)| *own != Some(pipeline));
            self.events.push_back(Event::Forgotten {
                pipeline,
                ended: serving.state.is_final(),
            });
        }
    }

    fn receive_all(&mut self, pipeline: Option<Uuid>, bytes: &[u8]) -> Result<(), ServerError> {
        let limits = self.settings.limits;
        let channel = match pipeline {
            None => &mut self.channel,
            Some(id) => {
                if !self.pipelines.contains_key(&id) && self.pipelines.len() >= self.settings.max_pipelines {
                    return Err(ServerError::TooManyPipelines {
                        limit: self.settings.max_pipelines,
                    });
                }
                let serving = self.pipelines.entry(id).or_insert_with(|| Serving {
                    state: PipelineState::NotStarted,
                    input_ended: false,
                    channel: Defragmenter::new(limits),
                });
                &mut serving.channel
            }
        };
        let received = channel.receive(bytes);
        let mut whole = Vec::new();
        while let Some(wire) = channel.next_message() {
            whole.push(wire);
        }
        for wire in whole {
            self.handle(pipeline, Message::decode(&wire)?)?;
        }
        Ok(received?)
    }

    fn handle(&mut self, channel: Option<Uuid>, message: Message) -> Result<(), ServerError> {
        let kind = message.body.kind();
        if message.destination != Destination::Server || kind.destination() == Some(Destination::Client) {
            return Err(self.unexpected(kind, "messages for a server"));
        }
        if self.pool.is_nil() {
            self.pool = message.pool;
        }
        if message.pool != self.pool {
            return Err(ServerError::ForeignPool {
                kind,
                expected: self.pool,
                found: message.pool,
            });
        }
        if let (Some(expected), Some(found)) = (channel, message.pipeline)
            && expected != found
        {
            return Err(ServerError::ForeignPipeline {
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

    const fn unexpected(&self, kind: MessageType, expected: &'static str) -> ServerError {
        ServerError::Unexpected {
            kind,
            state: self.state,
            expected,
        }
    }

    fn handle_pool(&mut self, body: Body) -> Result<(), ServerError> {
        let kind = body.kind();
        let open = self.state == PoolState::Opened;
        match body {
            // A client that connects says its versions again.
            Body::SessionCapability(capability) => self.handle_capability(kind, &capability)?,
            Body::InitRunspacePool(init) => {
                if self.state != PoolState::NegotiationSucceeded {
                    return Err(self.unexpected(kind, "it once, behind SESSION_CAPABILITY"));
                }
                self.runspaces = (init.min_runspaces, init.max_runspaces);
                self.state = PoolState::Opening;
                self.events.push_back(Event::Open(Box::new(init)));
            }
            Body::ConnectRunspacePool { .. } => {
                if self.state != PoolState::NegotiationSucceeded {
                    return Err(self.unexpected(kind, "it once, behind SESSION_CAPABILITY"));
                }
                self.state = PoolState::Connecting;
                self.events.push_back(Event::Connect);
            }
            _ if !open => return Err(self.unexpected(kind, "it in an open pool")),
            Body::PublicKey(public_blob) => {
                self.offered = Some(public_blob.clone());
                self.events.push_back(Event::KeyOffered { public_blob });
            }
            Body::SetMaxRunspaces { call_id, count } => {
                self.questions.push(call_id);
                self.events.push_back(Event::SetRunspaces {
                    call_id,
                    maximum: true,
                    count,
                });
            }
            Body::SetMinRunspaces { call_id, count } => {
                self.questions.push(call_id);
                self.events.push_back(Event::SetRunspaces {
                    call_id,
                    maximum: false,
                    count,
                });
            }
            Body::GetAvailableRunspaces { call_id } => {
                self.questions.push(call_id);
                self.events.push_back(Event::CountRunspaces { call_id });
            }
            Body::ResetRunspaceState { call_id } => {
                self.questions.push(call_id);
                self.events.push_back(Event::Reset { call_id });
            }
            Body::RunspacePoolHostResponse(response) => self.host_answer(kind, None, response)?,
            _ => return Err(self.unexpected(kind, "a message of the pool")),
        }
        Ok(())
    }

    fn handle_capability(
        &mut self,
        kind: MessageType,
        capability: &SessionCapability,
    ) -> Result<(), ServerError> {
        if !matches!(
            self.state,
            PoolState::BeforeOpen | PoolState::Opened | PoolState::Disconnected
        ) {
            return Err(self.unexpected(kind, "it first"));
        }
        if !capability.protocol.is_understood() {
            return Err(ServerError::Version {
                found: capability.protocol,
            });
        }
        let version = capability.protocol.min(self.settings.announce);
        self.version = Some(version);
        self.seal = if version >= Version::V2_4 {
            Seal::Clear
        } else {
            Seal::NotYet
        };
        self.state = PoolState::NegotiationSucceeded;
        let message = Message {
            destination: Destination::Client,
            // Real servers name no pool here (observed on 7.6.5).
            pool: Uuid::nil(),
            pipeline: None,
            body: Body::SessionCapability(SessionCapability::of(version)),
        };
        self.outbox.send(Stream::Default, &message);
        Ok(())
    }

    fn handle_pipeline(&mut self, pipeline: Uuid, body: Body) -> Result<(), ServerError> {
        let kind = body.kind();
        if self.state != PoolState::Opened {
            return Err(self.unexpected(kind, "it in an open pool"));
        }
        let known = self
            .pipelines
            .get(&pipeline)
            .map(|serving| (serving.state, serving.input_ended));
        let started = known.filter(|(state, _)| *state != PipelineState::NotStarted);
        match body {
            Body::CreatePipeline(_) | Body::GetCommandMetadata(_) => {
                if started.is_some() {
                    return Err(self.unexpected(kind, "it once for each pipeline"));
                }
                if known.is_none() && self.pipelines.len() >= self.settings.max_pipelines {
                    return Err(ServerError::TooManyPipelines {
                        limit: self.settings.max_pipelines,
                    });
                }
                let limits = self.settings.limits;
                let serving = self.pipelines.entry(pipeline).or_insert_with(|| Serving {
                    state: PipelineState::NotStarted,
                    input_ended: false,
                    channel: Defragmenter::new(limits),
                });
                serving.state = PipelineState::Running;
                let event = match body {
                    Body::CreatePipeline(request) => {
                        serving.input_ended = request.no_input;
                        Event::Pipeline {
                            pipeline,
                            request: Box::new(request),
                        }
                    }
                    Body::GetCommandMetadata(document) => {
                        serving.input_ended = true;
                        Event::Metadata { pipeline, document }
                    }
                    _ => return Ok(()),
                };
                self.events.push_back(event);
            }
            _ if started.is_none() => return Err(self.unexpected(kind, "CREATE_PIPELINE first")),
            // The client wrote it before it could know of the end.
            Body::PipelineInput(_) | Body::EndOfPipelineInput | Body::PipelineHostResponse(_)
                if started.is_some_and(|(state, _)| state.is_final()) => {}
            Body::PipelineInput(document) => {
                if started.is_some_and(|(_, ended)| ended) {
                    return Err(self.unexpected(kind, "no input behind its end"));
                }
                self.events.push_back(Event::Input { pipeline, document });
            }
            Body::EndOfPipelineInput => {
                if let Some(serving) = self.pipelines.get_mut(&pipeline) {
                    serving.input_ended = true;
                }
                self.events.push_back(Event::InputEnded { pipeline });
            }
            Body::PipelineHostResponse(response) => self.host_answer(kind, Some(pipeline), response)?,
            _ => return Err(self.unexpected(kind, "a message of a pipeline")),
        }
        Ok(())
    }

    fn host_answer(
        &mut self,
        kind: MessageType,
        pipeline: Option<Uuid>,
        response: HostResponse,
    ) -> Result<(), ServerError> {
        let found = self.host_calls.iter().position(|(own, id, method)| {
            *own == pipeline && *id == response.call_id && *method == response.method
        });
        let Some(at) = found else {
            return Err(self.unexpected(kind, "an answer to an open question of the host"));
        };
        self.host_calls.remove(at);
        self.events.push_back(Event::HostAnswer {
            pipeline,
            response: Box::new(response),
        });
        Ok(())
    }
}
