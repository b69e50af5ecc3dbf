//! A session over WSMan: each transmission one request, output by long polls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use exseal_psrp::channel::Transmit;
use exseal_psrp::oop::Stream;
use exseal_psrp::wsman::{
    Answer, CommandState, Effect, FaultKind, Operation, ReplyError, Request, Signal, To, resource_uri,
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::connection::{Connection, Failure, Way};
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
    /// The pipelines begun last.
    commanded: VecDeque<Uuid>,
    /// Whether the server said that it made the shell.
    is_confirmed: bool,
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
            commanded: VecDeque::new(),
            is_confirmed: false,
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
        let patience = self.endpoint.patience.operation + self.endpoint.patience.answer;
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
            Err(source) if !answer.is_authentic => Err(SessionError::InClear { source }),
            Ok(read) => Ok(read),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the shell; a used-up quota is waited for, since the server has done nothing then.
    async fn create(&mut self, creation: Vec<u8>) -> Result<Vec<Incoming>, SessionError> {
        // Should the answer be lost, the shell can be deleted by the id we gave it.
        self.shell = Some(self.pool.hyphenated().to_string().to_uppercase());
        let until = Instant::now() + self.endpoint.patience.quota;
        let mut pause = Duration::from_millis(500);
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
                    self.is_confirmed = true;
                    self.owner = shell.owner;
                    return Ok(Vec::new());
                }
                Ok(other) => return Err(unexpected("Create", &other)),
                Err(SessionError::Reply(ReplyError::Fault { fault, .. }))
                    if fault.kind() == FaultKind::Quota =>
                {
                    if Instant::now() + pause > until {
                        self.shell = None;
                        return Err(SessionError::Quota {
                            after: self.endpoint.patience.quota,
                            text: fault.reason.clone(),
                        });
                    }
                    tracing::debug!(host = %self.endpoint.host, "the quota of shells is used up: waiting for one");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                Err(error) => {
                    if error.effect() == Effect::None {
                        self.shell = None;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Deletes the shell, over a new connection where the last one broke.
    ///
    /// The one request that is asked again after its answer was lost: what it does can be done twice. A shell whose
    /// making nobody confirmed may come to be after the first word that there is none, so that is asked more than once.
    async fn delete(&mut self) -> Result<Vec<Incoming>, SessionError> {
        let mut again = MOST_DELETIONS;
        let mut pause = FIRST_PAUSE;
        while self.shell.is_some() {
            again -= 1;
            match self.ask(Operation::Delete).await {
                Ok(_) => self.shell = None,
                Err(error) if is_gone(&error) => {
                    if self.is_confirmed || again == 0 {
                        self.shell = None;
                    } else {
                        sleep(pause).await;
                        pause *= 2;
                    }
                }
                Err(error) if again > 0 && is_lost(&error) => {
                    tracing::debug!(%error, "whether the shell is gone is asked again");
                    self.idle = None;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(vec![Incoming::Closed])
    }

    async fn carry_one(&mut self, transmit: Transmit) -> Result<Vec<Incoming>, SessionError> {
        let operation = match transmit {
            Transmit::Create { bytes } => return self.create(bytes).await,
            Transmit::Connect { bytes } => Operation::Connect { connection: bytes },
            Transmit::Command { pipeline, bytes } => {
                if self.commanded.len() == COMMANDED {
                    self.commanded.pop_front();
                }
                self.commanded.push_back(pipeline);
                Operation::Command {
                    command_id: pipeline,
                    arguments: bytes,
                }
            }
            Transmit::Data {
                pipeline,
                stream,
                bytes,
            } => send(pipeline, stream, bytes),
            Transmit::Signal { pipeline } => Operation::Signal {
                command_id: pipeline,
                signal: Signal::Stop,
            },
            Transmit::Close {
                pipeline: Some(pipeline),
            } => Operation::Signal {
                command_id: pipeline,
                signal: Signal::Terminate,
            },
            Transmit::Close { pipeline: None } => return self.delete().await,
            Transmit::Disconnect => Operation::Disconnect {
                idle_timeout: None,
                buffer_mode: None,
            },
            Transmit::Reconnect => Operation::Reconnect,
        };
        let forgets = matches!(
            &operation,
            Operation::Signal {
                signal: Signal::Terminate,
                ..
            }
        );
        match self.ask(operation).await {
            Ok(Answer::Connected { connection }) => Ok(vec![Incoming::Bytes(None, connection)]),
            Ok(_) => Ok(Vec::new()),
            // What was to go away is away.
            Err(error) if forgets && is_gone(&error) => Ok(Vec::new()),
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
                for id in received.streams.iter().filter_map(|(id, _)| *id) {
                    if !self.commanded.contains(&id) {
                        return Err(SessionError::Reply(ReplyError::Unexpected {
                            action: "Receive",
                            expected: "streams of pipelines of this session".to_owned(),
                            found: format!("one of {id}"),
                        }));
                    }
                }
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

/// Pipelines whose late output is dropped without a word; output of any other is no output of ours.
const COMMANDED: usize = 64;
/// How often the deletion of one shell is asked for.
const MOST_DELETIONS: u32 = 4;
/// Before the second time; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

fn is_gone(error: &SessionError) -> bool {
    matches!(error, SessionError::Reply(reply) if reply.fault_kind() == Some(FaultKind::ShellGone))
}

/// Whether the answer went astray, so that another one may come. A server that is silent stays silent.
fn is_lost(error: &SessionError) -> bool {
    match error {
        SessionError::Broken { .. }
        | SessionError::NotSealed { .. }
        | SessionError::InClear { .. }
        | SessionError::Seal { .. } => true,
        SessionError::Reply(reply) => reply.fault_kind().is_none(),
        _ => false,
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
