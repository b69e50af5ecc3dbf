//! Shells: WSMan's requests about them, and the runspace pool each holds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exseal_psrp::channel::Transmit;
use exseal_psrp::data::Data;
use exseal_psrp::message::{HostInfo, PipelineState, RunspaceAnswer};
use exseal_psrp::secret::SessionKey;
use exseal_psrp::server::{Event, Server, Settings};
use exseal_psrp::wsman::{
    self, Answer, CommandState, Fault, Operation, Received, Request as Envelope, ShellDescription, Signal,
};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{OpenShell, Service, pipeline};
use crate::net::{Door, lock};
use crate::world::ServerName;

/// Who asks, at which door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) server: &'a ServerName,
    pub(super) door: Door,
    pub(super) user: &'a str,
    /// Whether the URL asked for `serializationLevel=Full`.
    pub(super) full: bool,
}

/// What is said to a request.
pub(super) enum Said {
    Answer(Answer),
    /// Nothing: the connection closes.
    Cut,
}

/// The resource of WSMan's own configuration.
const CONFIG: &str = "http://schemas.microsoft.com/wbem/wsman/1/config";
/// Pipelines a shell may have at once.
const PIPELINES: usize = 64;

/// A shell.
pub(super) struct Shell {
    id: Uuid,
    resource_uri: String,
    pub(super) server: ServerName,
    pub(super) door: Door,
    pub(super) user: String,
    pub(super) full: bool,
    /// The life of the organisation it belongs to.
    pub(super) life: u64,
    pub(super) state: Mutex<State>,
    /// Something changed: output, an end, a cut.
    pub(super) changed: Notify,
}

pub(super) struct State {
    pub(super) pool: Server,
    /// The host of the pool's client.
    pub(super) host: HostInfo,
    output: HashMap<Option<Uuid>, VecDeque<Vec<u8>>>,
    held: usize,
    pub(super) pipelines: HashMap<Uuid, pipeline::Running>,
    last: Instant,
    is_gone: bool,
    has_client: bool,
}

impl State {
    /// Takes what the pool wants carried into the output that Receive fetches.
    pub(super) fn pump(&mut self) {
        while let Some(transmit) = self.pool.poll_transmit() {
            if let Transmit::Data { pipeline, bytes, .. } = transmit {
                self.held += bytes.len();
                self.output.entry(pipeline).or_default().push_back(bytes);
            }
        }
    }

    fn take(&mut self, of: Option<Uuid>, room: usize) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        let Some(queue) = self.output.get_mut(&of) else {
            return taken;
        };
        while let Some(next) = queue.front() {
            if !taken.is_empty() && bytes + next.len() > room {
                break;
            }
            bytes += next.len();
            taken.extend(queue.pop_front());
        }
        self.held -= bytes;
        taken
    }

    fn is_empty(&self, of: Option<Uuid>) -> bool {
        self.output.get(&of).is_none_or(VecDeque::is_empty)
    }
}

/// Every shell of a lab.
#[derive(Default)]
pub(super) struct Shells(Mutex<BTreeMap<Uuid, Arc<Shell>>>);

impl Shells {
    pub(super) fn list(&self) -> Vec<OpenShell> {
        let all = lock(&self.0);
        all.values()
            .map(|shell| OpenShell {
                server: shell.server.clone(),
                door: shell.door,
                user: shell.user.clone(),
            })
            .collect()
    }

    /// Ends the shells nobody asked about for so long, and those of former lives.
    pub(super) fn purge(&self, idle: Duration, life: u64) {
        let ended = {
            let mut all = lock(&self.0);
            let old: Vec<Uuid> = all
                .iter()
                .filter(|(_, shell)| shell.life != life || lock(&shell.state).last.elapsed() > idle)
                .map(|(id, _)| *id)
                .collect();
            old.iter().filter_map(|id| all.remove(id)).collect::<Vec<_>>()
        };
        ended.iter().for_each(|shell| shell.end());
    }

    pub(super) fn remove_of(&self, server: &ServerName) {
        let ended = {
            let mut all = lock(&self.0);
            let ids: Vec<Uuid> = all
                .iter()
                .filter(|(_, shell)| shell.server == *server)
                .map(|(id, _)| *id)
                .collect();
            ids.iter().filter_map(|id| all.remove(id)).collect::<Vec<_>>()
        };
        ended.iter().for_each(|shell| shell.end());
    }

    fn find(&self, caller: Caller<'_>, envelope: &Envelope) -> Result<Arc<Shell>, Box<Fault>> {
        let text = envelope.shell_id.as_deref().unwrap_or_default();
        let found = Uuid::try_parse(text)
            .ok()
            .and_then(|id| lock(&self.0).get(&id).cloned())
            .filter(|shell| {
                shell.server == *caller.server
                    && shell.door == caller.door
                    && shell.user == caller.user
                    && shell.resource_uri == envelope.to.resource_uri
            });
        let shell = found.ok_or_else(|| Box::new(Fault::shell_not_found(text)))?;
        lock(&shell.state).last = Instant::now();
        Ok(shell)
    }
}

impl Shell {
    /// The runspace's id: the shell's.
    pub(super) const fn runspace(&self) -> Uuid {
        self.id
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        state.is_gone = true;
        for running in state.pipelines.values_mut() {
            running.stop();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn describe(&self, state: &State) -> ShellDescription {
        let word = if state.has_client {
            "Connected"
        } else {
            "Disconnected"
        };
        ShellDescription {
            shell_id: self.id.hyphenated().to_string().to_uppercase(),
            resource_uri: self.resource_uri.clone(),
            owner: Some(self.user.clone()),
            state: Some(word.to_owned()),
            idle_timeout: Some("PT900.000S".to_owned()),
        }
    }
}

/// Answers a request about a shell.
pub(super) async fn answer(service: &Arc<Service>, caller: Caller<'_>, envelope: &Envelope) -> Said {
    match ask(service, caller, envelope).await {
        Ok(Some(answer)) => Said::Answer(answer),
        Ok(None) => Said::Cut,
        Err(fault) => Said::Answer(Answer::Fault(fault)),
    }
}

fn fault(subcode: &str, number: u32, words: &str) -> Box<Fault> {
    Box::new(Fault::new(subcode, number, words))
}

fn denied() -> Box<Fault> {
    fault("AccessDenied", 5, "Access is denied.")
}

/// None: the connection is cut.
async fn ask(
    service: &Arc<Service>,
    caller: Caller<'_>,
    envelope: &Envelope,
) -> Result<Option<Answer>, Box<Fault>> {
    if !service
        .commands
        .may_enter(caller.server, caller.door, caller.user)
    {
        return Err(denied());
    }
    let shells = &service.shells;
    shells.purge(service.guard.idle, service.commands.life());
    match &envelope.operation {
        Operation::Get if envelope.to.resource_uri.eq_ignore_ascii_case(CONFIG) => {
            Ok(Some(Answer::Configuration {
                max_envelope_kb: u32::try_from(wsman::MAX_ENVELOPE / 1_024).unwrap_or(500),
            }))
        }
        Operation::Create {
            shell_id, creation, ..
        } => create(service, caller, envelope, *shell_id, creation).map(Some),
        Operation::Get => {
            let shell = shells.find(caller, envelope)?;
            let described = shell.describe(&lock(&shell.state));
            Ok(Some(Answer::Shell(described)))
        }
        Operation::Command {
            command_id,
            arguments,
        } => {
            let shell = shells.find(caller, envelope)?;
            feed(service, &shell, Some(*command_id), arguments)?;
            Ok(Some(Answer::CommandAccepted {
                command_id: *command_id,
            }))
        }
        Operation::Send { command_id, data, .. } => {
            let shell = shells.find(caller, envelope)?;
            feed(service, &shell, *command_id, data)?;
            Ok(Some(Answer::Sent))
        }
        Operation::Receive { command_id } => {
            let shell = shells.find(caller, envelope)?;
            receive(service, &shell, *command_id, envelope).await
        }
        Operation::Signal { command_id, signal } => {
            let shell = shells.find(caller, envelope)?;
            {
                let mut state = lock(&shell.state);
                match signal {
                    Signal::Stop => state.pool.signal(*command_id),
                    Signal::Terminate | Signal::Other(_) => state.pool.close(Some(*command_id)),
                }
            }
            act(service, &shell)?;
            Ok(Some(Answer::Signalled))
        }
        Operation::Delete => {
            let shell = shells.find(caller, envelope)?;
            lock(&shells.0).remove(&shell.id);
            lock(&shell.state).pool.close(None);
            shell.end();
            Ok(Some(Answer::Deleted))
        }
        Operation::Disconnect { .. } => {
            let shell = shells.find(caller, envelope)?;
            lock(&shell.state).has_client = false;
            shell.changed.notify_waiters();
            Ok(Some(Answer::Disconnected))
        }
        Operation::Reconnect => {
            let shell = shells.find(caller, envelope)?;
            lock(&shell.state).has_client = true;
            Ok(Some(Answer::Reconnected))
        }
        Operation::Connect { connection } => {
            let shell = shells.find(caller, envelope)?;
            if connection.is_empty() {
                // Of a pipeline: its output is had by Receive.
                return Ok(Some(Answer::Connected {
                    connection: Vec::new(),
                }));
            }
            {
                let mut state = lock(&shell.state);
                state.output.remove(&None);
                state.pool.connect(connection).map_err(|error| broken(&error))?;
                state.has_client = true;
            }
            act(service, &shell)?;
            let connection = lock(&shell.state).take(None, usize::MAX).concat();
            Ok(Some(Answer::Connected { connection }))
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> Box<Fault> {
    fault("SchemaValidationError", 0x8033_8000, &error.to_string())
}

fn create(
    service: &Arc<Service>,
    caller: Caller<'_>,
    envelope: &Envelope,
    id: Uuid,
    creation: &[u8],
) -> Result<Answer, Box<Fault>> {
    let expected = match caller.door {
        Door::Exchange => wsman::EXCHANGE,
        Door::Windows => wsman::POWERSHELL,
    };
    let is_there = wsman::configuration(&envelope.to.resource_uri)
        .is_some_and(|name| name.eq_ignore_ascii_case(expected));
    if !is_there {
        let words = format!(
            "The WS-Management service cannot process the request. The resource URI ({}) was not found.",
            envelope.to.resource_uri
        );
        return Err(fault("DestinationUnreachable", 0x8033_8000, &words));
    }
    let mut settings = Settings::default();
    settings.max_transmit = settings.max_transmit.min(wsman::room(envelope.to.max_envelope));
    settings.max_pipelines = PIPELINES;
    let shell = Arc::new(Shell {
        id,
        resource_uri: envelope.to.resource_uri.clone(),
        server: caller.server.clone(),
        door: caller.door,
        user: caller.user.to_owned(),
        full: caller.full,
        life: service.commands.life(),
        state: Mutex::new(State {
            pool: Server::new(settings),
            host: HostInfo::None,
            output: HashMap::new(),
            held: 0,
            pipelines: HashMap::new(),
            last: Instant::now(),
            is_gone: false,
            has_client: true,
        }),
        changed: Notify::new(),
    });
    {
        let mut all = lock(&service.shells.0);
        let own = all
            .values()
            .filter(|other| {
                other.server == shell.server && other.door == shell.door && other.user == shell.user
            })
            .count();
        if own >= service.guard.shells {
            let words = format!(
                "The WS-Management service cannot process the request. This user is allowed a maximum number of {} \
                 concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.",
                service.guard.shells
            );
            return Err(fault("QuotaLimit", 0x8033_8126, &words));
        }
        if all.contains_key(&id) {
            return Err(fault("AlreadyExists", 0x8033_8000, "A shell of this id exists."));
        }
        all.insert(id, Arc::clone(&shell));
    }
    let fed = feed(service, &shell, None, creation);
    if fed.is_err() {
        lock(&service.shells.0).remove(&id);
    }
    fed?;
    let described = shell.describe(&lock(&shell.state));
    Ok(Answer::Created(described))
}

/// Hands bytes of the client to the pool and does what comes of it.
fn feed(
    service: &Arc<Service>,
    shell: &Arc<Shell>,
    of: Option<Uuid>,
    bytes: &[u8],
) -> Result<(), Box<Fault>> {
    lock(&shell.state)
        .pool
        .receive(of, bytes)
        .map_err(|error| broken(&error))?;
    act(service, shell)
}

/// Does what the pool's events ask for.
fn act(service: &Arc<Service>, shell: &Arc<Shell>) -> Result<(), Box<Fault>> {
    loop {
        let mut state = lock(&shell.state);
        let Some(event) = state.pool.next_event() else {
            state.pump();
            let is_full = state.held > service.guard.held;
            drop(state);
            shell.changed.notify_waiters();
            if is_full {
                lock(&service.shells.0).remove(&shell.id);
                shell.end();
            }
            return Ok(());
        };
        let asked = match event {
            Event::Open(init) => {
                state.host = init.host;
                state.pool.accept(&about())
            }
            Event::Connect => state.pool.accept(&about()),
            Event::KeyOffered { .. } => state
                .pool
                .give_key(SessionKey::new(rand::random()), &mut rand::rng()),
            Event::Pipeline { pipeline, request } => {
                let running = pipeline::Running::waiting(*request);
                let starts = running.has_all_input();
                state.pipelines.insert(pipeline, running);
                drop(state);
                if starts {
                    pipeline::start(service, shell, pipeline);
                }
                continue;
            }
            Event::Metadata { pipeline, document } => {
                state
                    .pipelines
                    .insert(pipeline, pipeline::Running::metadata(document));
                drop(state);
                pipeline::start(service, shell, pipeline);
                continue;
            }
            Event::Input { pipeline, document } => {
                if let Some(running) = state.pipelines.get_mut(&pipeline) {
                    running.input(document);
                }
                Ok(())
            }
            Event::InputEnded { pipeline } => {
                drop(state);
                pipeline::start(service, shell, pipeline);
                continue;
            }
            Event::Stop { pipeline } => {
                if let Some(running) = state.pipelines.get_mut(&pipeline) {
                    running.stop();
                }
                state.pool.stopped(pipeline, Some(pipeline::stopped()))
            }
            Event::Forgotten { pipeline, .. } => {
                if let Some(mut running) = state.pipelines.remove(&pipeline) {
                    running.stop();
                }
                state.output.remove(&Some(pipeline));
                state.held = state.output.values().flatten().map(Vec::len).sum();
                Ok(())
            }
            Event::HostAnswer { pipeline, response } => {
                if let Some(running) = pipeline.and_then(|id| state.pipelines.get_mut(&id)) {
                    running.answered(*response);
                }
                Ok(())
            }
            Event::SetRunspaces { call_id, .. } | Event::Reset { call_id } => {
                state.pool.answer(call_id, RunspaceAnswer::Done(true))
            }
            Event::CountRunspaces { call_id } => state.pool.answer(call_id, RunspaceAnswer::Available(1)),
            _ => Ok(()),
        };
        if let Err(error) = asked {
            return Err(broken(&error));
        }
    }
}

/// What the pool tells about itself: the version, and that it is none.
fn about() -> Data {
    let table = Data::primitive_dictionary([
        (Data::from("PSVersion"), Data::from("5.1.0.0")),
        (Data::from("PSEdition"), Data::from("Desktop")),
        (Data::from("Simulation"), Data::from("exseal lab")),
    ]);
    Data::primitive_dictionary([(Data::from("PSVersionTable"), table)])
}

/// The long poll. None: the connection is cut.
async fn receive(
    service: &Arc<Service>,
    shell: &Arc<Shell>,
    of: Option<Uuid>,
    envelope: &Envelope,
) -> Result<Option<Answer>, Box<Fault>> {
    let patience = envelope.to.operation_timeout.min(service.guard.poll);
    let until = tokio::time::Instant::now() + patience;
    let room = wsman::room(envelope.to.max_envelope.min(wsman::MAX_ENVELOPE));
    loop {
        let changed = shell.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        {
            let mut state = lock(&shell.state);
            state.last = Instant::now();
            if state.is_gone {
                return Err(Box::new(Fault::shell_not_found(&shell.id.to_string())));
            }
            if of.is_some_and(|id| state.pipelines.get(&id).is_some_and(pipeline::Running::is_cut)) {
                return Ok(None);
            }
            let ended = of.map(|id| state.pool.pipeline_state(id).is_none_or(PipelineState::is_final));
            let taken = state.take(of, room);
            let has_ended = ended == Some(true) && state.is_empty(of);
            if !taken.is_empty() || has_ended {
                let command = |_| {
                    if has_ended {
                        CommandState::Done
                    } else {
                        CommandState::Running
                    }
                };
                return Ok(Some(Answer::Received(Received {
                    streams: taken.into_iter().map(|bytes| (of, bytes)).collect(),
                    state: of.map(command),
                })));
            }
            if let Some(id) = of
                && !state.pipelines.contains_key(&id)
            {
                let words = "The Windows Remote Shell cannot process the request: no command of this id.";
                return Err(fault("InvalidSelectors", Fault::SHELL_NOT_FOUND, words));
            }
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(until) => return Ok(Some(Answer::NothingYet)),
        }
    }
}
