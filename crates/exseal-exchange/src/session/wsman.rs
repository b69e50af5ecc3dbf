//! A session over WSMan: each transmission one request, output by long polls.

use std::sync::Arc;

use exseal_psrp::channel::Transmit;
use exseal_psrp::oop::Stream;
use exseal_psrp::wsman::{
    Answer, CommandState, Effect, FaultKind, Operation, ReplyError, Request, Signal, To, resource_uri,
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::connection::{Connection, Failure, GRACE, Way};
use super::cookies::Cookies;
use super::endpoint::Endpoint;
use super::error::SessionError;
use super::new_id;
use super::transport::{Coming, Incoming, Transport};

pub(super) struct Wsman {
    endpoint: Arc<Endpoint>,
    to: To,
    pool: Uuid,
    /// The selector: the server's text, or, while Create has not been answered, ours.
    shell: Option<String>,
    owner: Option<String>,
    cookies: Cookies,
    /// The one connection, when no request is on it.
    idle: Option<Connection>,
    way: Option<Way>,
    /// The pipeline that was told to stop last.
    stopping: Option<Uuid>,
}

impl Wsman {
    pub(super) fn new(endpoint: Endpoint, pool: Uuid) -> Self {
        let to = To {
            url: endpoint.url(),
            resource_uri: resource_uri(&endpoint.configuration),
            session_id: Some(new_id()),
            operation_timeout: endpoint.patience.operation,
            max_envelope: exseal_psrp::wsman::MAX_ENVELOPE,
            locale: "en-US".to_owned(),
        };
        Self {
            endpoint: Arc::new(endpoint),
            to,
            pool,
            shell: None,
            owner: None,
            cookies: Cookies::default(),
            idle: None,
            way: None,
            stopping: None,
        }
    }

    async fn ask(&mut self, operation: Operation) -> Result<Answer, SessionError> {
        let shell_id = if matches!(operation, Operation::Create { .. }) {
            None
        } else {
            self.shell.clone()
        };
        let request = Request {
            message_id: new_id(),
            to: self.to.clone(),
            shell_id,
            options: Vec::new(),
            operation,
        };
        let action = request.operation.name();
        let envelope = request.encode();
        let patience = self.endpoint.patience.operation + GRACE;
        // A connection that was closed while idle is noticed before anything of the request leaves: only then, and
        // only once, the request goes over a new one.
        let mut fresh = self.idle.is_none();
        let answer = loop {
            let mut connection = match self.idle.take() {
                Some(connection) => connection,
                None => Connection::open(&self.endpoint, &mut self.cookies).await?,
            };
            self.way = Some(connection.way());
            match timeout(
                patience,
                connection.post(action, envelope.as_bytes(), &mut self.cookies),
            )
            .await
            {
                Err(_) => {
                    return Err(SessionError::NoAnswer {
                        action,
                        after: patience,
                    });
                }
                Ok(Err(Failure::NotSent)) if !fresh => fresh = true,
                Ok(Err(Failure::NotSent)) => {
                    return Err(SessionError::Broken {
                        action,
                        why: "the server closed the connection before the request was sent".to_owned(),
                        effect: Effect::None,
                    });
                }
                Ok(Err(Failure::Session(error))) => return Err(error),
                Ok(Ok(answer)) => {
                    if answer.is_authentic {
                        self.idle = Some(connection);
                    }
                    break answer;
                }
            }
        };
        let read = request.answer(answer.status, &answer.body);
        match read {
            // Anybody on the way can write in clear text: it is evidence of a failure, never of a success.
            Ok(_) if !answer.is_authentic => Err(SessionError::NotSealed { action }),
            Ok(read) => Ok(read),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the shell; a used-up quota is waited for, since the server has done nothing then.
    async fn create(&mut self, creation: Vec<u8>) -> Result<Vec<Incoming>, SessionError> {
        // Should the answer be lost, the shell can be deleted by the id we gave it.
        self.shell = Some(self.pool.hyphenated().to_string().to_uppercase());
        let until = Instant::now() + self.endpoint.patience.quota;
        let mut pause = std::time::Duration::from_millis(500);
        loop {
            let operation = Operation::Create {
                shell_id: self.pool,
                name: Some("exseal".to_owned()),
                idle_timeout: None,
                creation: creation.clone(),
            };
            match self.ask(operation).await {
                Ok(Answer::Created(shell)) => {
                    self.shell = Some(shell.shell_id);
                    self.owner = shell.owner;
                    return Ok(Vec::new());
                }
                Ok(other) => return Err(unexpected("Create", &other)),
                Err(SessionError::Reply(ReplyError::Fault { fault, .. }))
                    if fault.kind() == FaultKind::Quota =>
                {
                    if Instant::now() + pause > until {
                        return Err(SessionError::Quota {
                            after: self.endpoint.patience.quota,
                            text: fault.reason.clone(),
                        });
                    }
                    tracing::debug!(host = %self.endpoint.host, "the quota of shells is used up: waiting for one");
                    sleep(pause).await;
                    pause = (pause * 2).min(std::time::Duration::from_secs(5));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn carry_one(&mut self, transmit: Transmit) -> Result<Vec<Incoming>, SessionError> {
        let (operation, closes) = match transmit {
            Transmit::Create { bytes } => return self.create(bytes).await,
            Transmit::Connect { bytes } => (Operation::Connect { connection: bytes }, false),
            Transmit::Command { pipeline, bytes } => (
                Operation::Command {
                    command_id: pipeline,
                    arguments: bytes,
                },
                false,
            ),
            Transmit::Data {
                pipeline,
                stream,
                bytes,
            } => (send(pipeline, stream, bytes), false),
            Transmit::Signal { pipeline } => (
                Operation::Signal {
                    command_id: pipeline,
                    signal: Signal::Stop,
                },
                false,
            ),
            Transmit::Close {
                pipeline: Some(pipeline),
            } => (
                Operation::Signal {
                    command_id: pipeline,
                    signal: Signal::Terminate,
                },
                false,
            ),
            Transmit::Close { pipeline: None } => {
                if self.shell.is_none() {
                    return Ok(vec![Incoming::Closed]);
                }
                (Operation::Delete, true)
            }
            Transmit::Disconnect => (
                Operation::Disconnect {
                    idle_timeout: None,
                    buffer_mode: None,
                },
                false,
            ),
            Transmit::Reconnect => (Operation::Reconnect, false),
        };
        let forgets = matches!(
            &operation,
            Operation::Signal {
                signal: Signal::Terminate,
                ..
            }
        );
        let gone = |error: &SessionError| matches!(error, SessionError::Reply(reply) if reply.fault_kind() == Some(FaultKind::ShellGone));
        match self.ask(operation).await {
            Ok(Answer::Connected { connection }) => Ok(vec![Incoming::Bytes(None, connection)]),
            Ok(_) if closes => {
                self.shell = None;
                Ok(vec![Incoming::Closed])
            }
            Ok(_) => Ok(Vec::new()),
            // What was to go away is away.
            Err(error) if closes && gone(&error) => {
                self.shell = None;
                Ok(vec![Incoming::Closed])
            }
            Err(error) if forgets && gone(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn receive_some(&mut self, of: Option<Uuid>) -> Result<Vec<Incoming>, SessionError> {
        let answer = match self.ask(Operation::Receive { command_id: of }).await {
            // A server may forget a pipeline with the word to stop, and have no more to say of it.
            Err(SessionError::Reply(reply))
                if reply.fault_kind() == Some(FaultKind::ShellGone)
                    && of.is_some()
                    && of == self.stopping =>
            {
                return Ok(of.map(Incoming::Done).into_iter().collect());
            }
            other => other?,
        };
        match answer {
            Answer::NothingYet => Ok(Vec::new()),
            Answer::Received(received) => {
                let is_done = received.state == Some(CommandState::Done);
                let mut all: Vec<Incoming> = received
                    .streams
                    .into_iter()
                    .map(|(id, bytes)| Incoming::Bytes(id, bytes))
                    .collect();
                all.extend(of.filter(|_| is_done).map(Incoming::Done));
                Ok(all)
            }
            other => Err(unexpected("Receive", &other)),
        }
    }
}

fn send(pipeline: Option<Uuid>, stream: Stream, data: Vec<u8>) -> Operation {
    Operation::Send {
        command_id: pipeline,
        stream,
        data,
    }
}

fn unexpected(action: &'static str, found: &Answer) -> SessionError {
    SessionError::Reply(ReplyError::Unexpected {
        action,
        expected: format!("the answer to {action}"),
        found: format!("{found:?}"),
    })
}

impl Transport for Wsman {
    fn carry(&mut self, transmit: Transmit) -> Coming<'_, Vec<Incoming>> {
        if let Transmit::Signal { pipeline } = &transmit {
            self.stopping = Some(*pipeline);
        }
        Box::pin(self.carry_one(transmit))
    }

    fn receive(&mut self, of: Option<Uuid>) -> Coming<'_, Vec<Incoming>> {
        Box::pin(self.receive_some(of))
    }

    fn way(&self) -> Option<Way> {
        self.way.clone()
    }

    fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }
}
