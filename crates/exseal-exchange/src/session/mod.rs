//! Sessions with PowerShell: Exchange's endpoint, a server's WinRM, or a PowerShell on this machine. What a caller
//! sees is the same on all three.
//!
//! ```no_run
//! # async fn example(password: exseal_gss::Password) -> Result<(), exseal_exchange::session::SessionError> {
//! use exseal_exchange::session::{Allowed, Endpoint, Item, LogOn, Session};
//! use exseal_gss::{Credential, Scheme, UserName};
//! use exseal_psrp::message::{Command, Pipeline};
//!
//! let user = UserName::parse("svc-certs@CONTOSO.COM").expect("a user");
//! let log_on = LogOn::With(Scheme::Kerberos, Credential::Password { user, password });
//! let mut session = Session::open(Endpoint::exchange("ex1.contoso.com", log_on)).await?;
//! let command = Command::new("Get-ExchangeCertificate").parameter("Server", "ex1.contoso.com");
//! let mut call = session.call(Pipeline::new([command]), &Allowed::default()).await?;
//! while let Some(item) = call.next().await? {
//!     if let Item::Output(certificate) = item {
//!         println!("{:?}", certificate.values);
//!     }
//! }
//! session.close().await
//! # }
//! ```
//!
//! Every rule of facts/powershell-remoting.md 3 that a transport can keep is kept here: bodies are sealed over plain
//! HTTP and nothing falls back to clear text; one connection is one security context; nothing that may have reached
//! the server is sent twice, but the deletion of the session's own shell; a redirect takes no credentials along; a Receive that found nothing is asked again; a
//! used-up quota of shells is waited for; only the server's own word ends a command.

mod connection;
mod cookies;
mod endpoint;
mod error;
mod kdc;
mod local;
mod transport;
mod trust;
mod wsman;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use exseal_psrp::channel::Transmit;
use exseal_psrp::client::{Client, Event, HostPolicy, Settings};
use exseal_psrp::clixml::{Document, Value};
use exseal_psrp::data::Data;
use exseal_psrp::message::{
    ChoicePrompt, ErrorRecord, HostCall, InformationRecord, Pipeline, PipelineState, PoolState,
    ProgressRecord,
};
use exseal_psrp::secret::KeyPair;
use exseal_psrp::wsman::FaultKind;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use connection::Way;
pub use endpoint::{Endpoint, LogOn, Patience};
pub use error::{Effect, Refusal, SessionError};
pub use kdc::Kdc;
pub use local::LocalPowerShell;
pub use trust::{Trust, TrustError};

use local::Local;
use transport::{Incoming, Transport};
use wsman::Wsman;

/// What a command wrote, in the order the server sent it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Item {
    /// An object; one value.
    Output(Document<'static>),
    /// An error that did not end the command.
    Error(Box<ErrorRecord>),
    /// A warning.
    Warning(String),
    /// A verbose message.
    Verbose(String),
    /// A debug message.
    Debug(String),
    /// A message of the information stream.
    Information(Box<InformationRecord>),
    /// How far it is.
    Progress(Box<ProgressRecord>),
    /// It asked something and was refused: no prompt is ever answered blindly.
    Refused(Box<HostCall>),
}

/// Answers a command's question with labelled answers: the number of the choice, or `None`, and it is refused. Labels are
/// in the server's language; number and order of the choices are not.
pub type Answering = Arc<dyn Fn(&ChoicePrompt) -> Option<i32> + Send + Sync>;

/// What a caller allows a command.
#[derive(Clone, Default)]
pub struct Allowed {
    /// Answers its questions, in a session that was [opened for answers](Session::open_answering); none: every question
    /// is refused.
    pub answers: Option<Answering>,
    /// How long it may take; none: as long as it does.
    pub time: Option<Duration>,
    /// Stops it from elsewhere.
    pub cancel: CancellationToken,
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allowed")
            .field("answers", &self.answers.is_some())
            .field("time", &self.time)
            .field("cancel", &self.cancel)
            .finish()
    }
}

/// A session: one runspace, one command at a time.
///
/// Dropped without [`close`](Self::close) it leaves its shell to the server's idle time-out.
pub struct Session {
    client: Client,
    transport: Box<dyn Transport>,
    patience: Patience,
    items: VecDeque<Item>,
    /// A command whose end nobody waited for.
    unfinished: Option<Uuid>,
    ended: Option<Ended>,
    takes_scripts: bool,
    /// Who answers the questions of the command that runs.
    answers: Option<Answering>,
    /// An answer was lost or not understood: of this session only the end is left.
    is_broken: bool,
}

#[derive(Debug)]
struct Ended {
    state: PipelineState,
    error: Option<Box<ErrorRecord>>,
    is_lost: bool,
}

/// A message or object id; never used twice.
fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

impl Session {
    /// Opens a session over HTTP or HTTPS.
    ///
    /// # Errors
    /// [`SessionError`]; whatever was made on the server by then was deleted again where the server could be reached.
    pub async fn open(endpoint: Endpoint) -> Result<Self, SessionError> {
        Self::open_by(endpoint, HostPolicy::Refuse).await
    }

    /// Opens a session whose commands may ask: each question goes to [`Allowed::answers`], and what that does not answer is
    /// refused. No prompt waits for anybody.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_answering(endpoint: Endpoint) -> Result<Self, SessionError> {
        Self::open_by(endpoint, HostPolicy::Ask).await
    }

    async fn open_by(endpoint: Endpoint, host: HostPolicy) -> Result<Self, SessionError> {
        let patience = endpoint.patience;
        // Exchange's endpoint is in no-language mode: text of a script is refused there, so it is refused here.
        let takes_scripts = endpoint.configuration != exseal_psrp::wsman::EXCHANGE;
        let mut settings = Settings::new(new_id());
        settings.max_transmit = exseal_psrp::wsman::room(exseal_psrp::wsman::MAX_ENVELOPE);
        settings.host = host;
        let transport = Box::new(Wsman::new(endpoint, settings.pool));
        Self::begin(settings, transport, patience, takes_scripts).await
    }

    /// Opens a session with a PowerShell on this machine, as whoever runs this program.
    ///
    /// # Errors
    /// The program is not there, or is no PowerShell in server mode.
    pub async fn local(local: &LocalPowerShell) -> Result<Self, SessionError> {
        let transport = Box::new(Local::start(local)?);
        Self::begin(Settings::new(new_id()), transport, Patience::default(), true).await
    }

    async fn begin(
        settings: Settings,
        transport: Box<dyn Transport>,
        patience: Patience,
        takes_scripts: bool,
    ) -> Result<Self, SessionError> {
        let mut session = Self {
            client: Client::new(settings),
            transport,
            patience,
            items: VecDeque::new(),
            unfinished: None,
            ended: None,
            takes_scripts,
            answers: None,
            is_broken: false,
        };
        session.client.open()?;
        let opened = session.until_open().await;
        if let Err(error) = opened {
            if let Err(error) = session.delete().await {
                tracing::debug!(%error, "a shell may be left on the server");
            }
            return Err(error);
        }
        Ok(session)
    }

    async fn until_open(&mut self) -> Result<(), SessionError> {
        let until = Instant::now() + self.patience.operation * 3;
        self.carry().await?;
        while self.client.state() != PoolState::Opened {
            if Instant::now() > until {
                return Err(SessionError::NoAnswer {
                    action: "opening the pool",
                    after: self.patience.operation * 3,
                });
            }
            self.receive(None).await?;
            while let Some(event) = self.client.next_event() {
                match event {
                    Event::PoolEnded { error, .. } => {
                        return Err(SessionError::NotOpened {
                            error: error.map(Box::new),
                        });
                    }
                    other => self.note(other),
                }
            }
        }
        Ok(())
    }

    /// How the way in is protected; none on this machine.
    pub fn way(&self) -> Option<Way> {
        self.transport.way()
    }

    /// Whom the server takes us for, where it says so.
    pub fn owner(&self) -> Option<&str> {
        self.transport.owner()
    }

    /// Starts a command. Its output comes by [`Call::next`].
    ///
    /// A call that was dropped before its end is stopped first.
    ///
    /// # Errors
    /// It could not be sent; [`SessionError::effect`] says whether it can run all the same. After an answer that was
    /// lost or made no sense every further call is [`SessionError::Gone`].
    pub async fn call(&mut self, pipeline: Pipeline, allowed: &Allowed) -> Result<Call<'_>, SessionError> {
        if self.is_broken {
            return Err(SessionError::Gone);
        }
        if let Some(before) = self.unfinished {
            self.finish(before).await.map_err(SessionError::before_sending)?;
        }
        if pipeline.has_script() && !self.takes_scripts {
            return Err(SessionError::Ask(
                exseal_psrp::client::OrderError {
                    action: "send the text of a script",
                    subject: "the session",
                    state: "one of Exchange's endpoint, which takes commands only".to_owned(),
                    expected: "a server's own PowerShell",
                }
                .into(),
            ));
        }
        if pipeline.has_secret() && !self.client.can_send_secrets() {
            self.exchange_keys().await.map_err(SessionError::before_sending)?;
        }
        self.items.clear();
        self.ended = None;
        let id = new_id();
        self.answers.clone_from(&allowed.answers);
        self.client.invoke(id, &pipeline)?;
        self.unfinished = Some(id);
        if let Err(error) = self.carry().await {
            if error.effect() == Effect::None {
                self.unfinished = None;
            }
            return Err(error);
        }
        Ok(Call {
            session: self,
            id,
            until: allowed.time.map(|time| (Instant::now() + time, time)),
            cancel: allowed.cancel.clone(),
        })
    }

    /// Runs a command to its end and gives all it wrote.
    ///
    /// # Errors
    /// As [`Call::next`].
    pub async fn run(&mut self, pipeline: Pipeline, allowed: &Allowed) -> Result<Vec<Item>, SessionError> {
        let mut call = self.call(pipeline, allowed).await?;
        let mut all = Vec::new();
        while let Some(item) = call.next().await? {
            all.push(item);
        }
        Ok(all)
    }

    /// Ends the session: what runs is stopped, the shell deleted. Of a session that broke the shell is deleted all the
    /// same, over a new connection with a log-on of its own; nothing else is sent then.
    ///
    /// # Errors
    /// The server could not be told; it forgets the shell after its idle time-out.
    pub async fn close(mut self) -> Result<(), SessionError> {
        if let (Some(id), false) = (self.unfinished, self.is_broken)
            && let Err(error) = self.finish(id).await
        {
            // Its end is the shell's end.
            tracing::debug!(%error, "a command could not be stopped");
        }
        self.delete().await
    }

    /// Deletes the shell. What was still to be carried is not: it may be the rest of a command that failed.
    async fn delete(&mut self) -> Result<(), SessionError> {
        self.client.close();
        while self.client.poll_transmit().is_some() {}
        let came = self.transport.carry(Transmit::Close { pipeline: None }).await?;
        if self.is_broken {
            return Ok(());
        }
        self.take(came)
    }

    /// Keeps in mind that an answer was lost or not understood.
    fn minded<T>(&mut self, result: Result<T, SessionError>) -> Result<T, SessionError> {
        if let Err(error) = &result {
            self.is_broken |= error.breaks();
        }
        result
    }

    async fn exchange_keys(&mut self) -> Result<(), SessionError> {
        let pair = tokio::task::spawn_blocking(key_pair)
            .await
            .map_err(|error| SessionError::Local {
                program: "key generation".to_owned(),
                why: error.to_string(),
                effect: Effect::None,
            })??;
        self.client.exchange_keys(pair)?;
        self.carry().await?;
        let until = Instant::now() + self.patience.operation * 3;
        while !self.client.can_send_secrets() {
            if Instant::now() > until {
                return Err(SessionError::NoAnswer {
                    action: "the exchange of keys",
                    after: self.patience.operation * 3,
                });
            }
            self.receive(None).await?;
            self.drain();
        }
        Ok(())
    }

    /// Carries all the client half wants carried. Behind a failure the rest is dropped: the end of a command whose
    /// beginning may not have arrived.
    async fn carry(&mut self) -> Result<(), SessionError> {
        while let Some(transmit) = self.client.poll_transmit() {
            let came = self.transport.carry(transmit).await;
            let taken = came.and_then(|came| self.take(came));
            if taken.is_err() {
                while self.client.poll_transmit().is_some() {}
            }
            self.minded(taken)?;
        }
        Ok(())
    }

    /// Waits for bytes of the pool or a pipeline and takes them.
    async fn receive(&mut self, of: Option<Uuid>) -> Result<(), SessionError> {
        let came = self.transport.receive(of).await;
        let taken = came.and_then(|came| self.take(came));
        self.minded(taken)
    }

    fn take(&mut self, came: Vec<Incoming>) -> Result<(), SessionError> {
        for incoming in came {
            match incoming {
                Incoming::Bytes(of, bytes) => self.client.receive(of, &bytes)?,
                Incoming::Closed => self.client.closed(),
                Incoming::Done(id) => {
                    self.drain();
                    if self.unfinished == Some(id) && self.ended.is_none() {
                        self.ended = Some(Ended {
                            state: PipelineState::Failed,
                            error: None,
                            is_lost: true,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn drain(&mut self) {
        while let Some(event) = self.client.next_event() {
            self.note(event);
        }
    }

    fn note(&mut self, event: Event) {
        let current = self.unfinished;
        let is_ours = |pipeline: Uuid| current == Some(pipeline);
        match event {
            Event::Output { pipeline, document } if is_ours(pipeline) => {
                self.items.push_back(Item::Output(document));
            }
            Event::Error { pipeline, record } if is_ours(pipeline) => {
                self.items.push_back(Item::Error(record));
            }
            Event::Warning { pipeline, record } if is_ours(pipeline) => {
                self.items.push_back(Item::Warning(record.message));
            }
            Event::Verbose { pipeline, record } if is_ours(pipeline) => {
                self.items.push_back(Item::Verbose(record.message));
            }
            Event::Debug { pipeline, record } if is_ours(pipeline) => {
                self.items.push_back(Item::Debug(record.message));
            }
            Event::Progress { pipeline, record } if is_ours(pipeline) => {
                self.items.push_back(Item::Progress(record));
            }
            Event::Information { pipeline, record } if is_ours(pipeline) => {
                self.items.push_back(Item::Information(record));
            }
            Event::HostCall { pipeline, call } if call.method.is_answered() => {
                let choice = self
                    .answers
                    .as_ref()
                    .filter(|_| pipeline.is_some_and(is_ours))
                    .zip(call.choice_prompt())
                    .and_then(|(answer, prompt)| answer(&prompt));
                let told = match choice {
                    Some(choice) => {
                        let choice = Data::Value(Value::I32(choice));
                        self.client.answer(pipeline, call.call_id, &choice)
                    }
                    None => {
                        let told = self
                            .client
                            .refuse(pipeline, call.call_id, "nobody answers this question");
                        self.items.push_back(Item::Refused(call));
                        told
                    }
                };
                if let Err(error) = told {
                    tracing::debug!(%error, "A question could not be answered");
                }
            }
            Event::Refused { call, .. } => self.items.push_back(Item::Refused(call)),
            Event::Ended {
                pipeline,
                state,
                error,
            } if is_ours(pipeline) => {
                self.ended = Some(Ended {
                    state,
                    error,
                    is_lost: false,
                });
            }
            Event::Lost { pipeline } if is_ours(pipeline) => {
                self.ended = Some(Ended {
                    state: PipelineState::Failed,
                    error: None,
                    is_lost: true,
                });
            }
            Event::PoolEnded { error, .. } if current.is_some() && self.ended.is_none() => {
                self.ended = Some(Ended {
                    state: PipelineState::Failed,
                    error: error.map(Box::new),
                    is_lost: true,
                });
            }
            // Of commands before, or of no consequence.
            _ => {}
        }
    }

    /// Stops a command and waits for its word, as long as patience allows.
    async fn finish(&mut self, id: Uuid) -> Result<(), SessionError> {
        let patience = self.patience.stop;
        self.client.stop(id);
        let stopping = async {
            self.carry().await?;
            self.drain();
            while self.ended.is_none() {
                self.receive(Some(id)).await?;
                self.drain();
            }
            self.carry().await
        };
        match timeout(patience, stopping).await {
            Ok(result) => {
                self.unfinished = None;
                match result {
                    // The server knows no such command: it never got it, or has forgotten it.
                    Err(SessionError::Reply(reply)) if reply.fault_kind() == Some(FaultKind::ShellGone) => {
                        Ok(())
                    }
                    other => other,
                }
            }
            Err(_) => {
                self.unfinished = None;
                self.is_broken = true;
                Err(SessionError::NoAnswer {
                    action: "stopping a command",
                    after: patience,
                })
            }
        }
    }
}

/// The pair of the key exchange: one for the whole program, since making one takes a tenth of a second or more.
fn key_pair() -> Result<&'static KeyPair, SessionError> {
    static PAIR: OnceLock<KeyPair> = OnceLock::new();
    if let Some(pair) = PAIR.get() {
        return Ok(pair);
    }
    let made = KeyPair::generate(&mut rand::rng()).map_err(|error| SessionError::Ask(error.into()))?;
    Ok(PAIR.get_or_init(|| made))
}

/// A command that runs.
pub struct Call<'s> {
    session: &'s mut Session,
    id: Uuid,
    until: Option<(Instant, Duration)>,
    cancel: CancellationToken,
}

impl Call<'_> {
    /// The next thing it wrote; none: it completed.
    ///
    /// # Errors
    /// It failed ([`SessionError::Failed`]), was stopped or took too long, or the session broke. After any error
    /// nothing more comes; [`SessionError::effect`] says what is known.
    pub async fn next(&mut self) -> Result<Option<Item>, SessionError> {
        loop {
            self.session.drain();
            // What was answered goes out before more is waited for.
            self.session.carry().await.map_err(SessionError::after_sending)?;
            if let Some(item) = self.session.items.pop_front() {
                return Ok(Some(item));
            }
            if self.session.ended.is_some() {
                return self.end().await;
            }
            let deadline = async {
                match self.until {
                    Some((until, _)) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let came = tokio::select! {
                came = self.session.transport.receive(Some(self.id)) => came,
                () = self.cancel.cancelled() => return self.stop(SessionError::Stopped).await,
                () = deadline => {
                    let after = self.until.map(|(_, after)| after).unwrap_or_default();
                    return self.stop(SessionError::Deadline { after }).await;
                }
            };
            // A broken session has no end of this command to wait for.
            let taken = came.and_then(|came| self.session.take(came));
            if let Err(error) = self.session.minded(taken) {
                self.session.unfinished = None;
                return Err(error.after_sending());
            }
            self.session.carry().await.map_err(SessionError::after_sending)?;
        }
    }

    async fn stop(&mut self, why: SessionError) -> Result<Option<Item>, SessionError> {
        self.session
            .finish(self.id)
            .await
            .map_err(SessionError::after_sending)?;
        match self.session.ended.take() {
            // It completed before the word to stop arrived.
            Some(Ended {
                state: PipelineState::Completed,
                ..
            }) => {
                self.session.ended = Some(Ended {
                    state: PipelineState::Completed,
                    error: None,
                    is_lost: false,
                });
                match self.session.items.pop_front() {
                    Some(item) => Ok(Some(item)),
                    None => Ok(None),
                }
            }
            _ => Err(why),
        }
    }

    async fn end(&mut self) -> Result<Option<Item>, SessionError> {
        self.session.unfinished = None;
        // Tells the server that it may forget the command; its word is not needed any more.
        let told = self.session.carry().await;
        let Some(ended) = self.session.ended.take() else {
            return Ok(None);
        };
        if let Err(error) = told {
            tracing::debug!(%error, "the server could not be told that a command's output was read");
        }
        match (ended.state, ended.error) {
            (PipelineState::Completed, _) => {
                self.session.ended = Some(Ended {
                    state: PipelineState::Completed,
                    error: None,
                    is_lost: false,
                });
                Ok(None)
            }
            _ if ended.is_lost => Err(SessionError::Lost),
            (PipelineState::Stopped, _) => Err(SessionError::Stopped),
            (_, Some(record)) => Err(SessionError::Failed { record }),
            _ => Err(SessionError::Lost),
        }
    }
}
