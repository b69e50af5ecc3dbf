//! Our client is asked for what the recorded client asked, and hears what the recorded server said.

use exseal_psrp::channel::Transmit;
use exseal_psrp::client::{self, Client, Event, HostPolicy, Settings};
use exseal_psrp::clixml::{Document, Value};
use exseal_psrp::data::Data;
use exseal_psrp::fragment::Defragmenter;
use exseal_psrp::message::{Body, HostInfo, Message, PipelineState, PoolState};
use exseal_psrp::oop::Packet;
use serde_json::Value as Json;
use uuid::Uuid;

use super::recording::{From, Line, Recording, chain};
use super::{Shown, same};
use crate::truth;

/// A client on its way through a recording.
#[derive(Clone)]
pub(super) struct Driven {
    pub(super) client: Client,
    pub(super) events: Vec<Event>,
    pub(super) sent: Vec<Transmit>,
}

/// Something our client could not do or take.
pub(super) type Refused = String;

impl Driven {
    /// Makes the client that says what the recorded one said first.
    pub(super) fn new(recording: &Recording) -> Result<Self, Refused> {
        let mut settings = Settings::new(Uuid::nil());
        let mut initialised = false;
        for recorded in recording
            .messages
            .iter()
            .filter(|recorded| recorded.from == From::Client)
        {
            match &recorded.message.body {
                Body::SessionCapability(capability) => {
                    settings.announce = capability.protocol;
                    settings.time_zone.clone_from(&capability.time_zone);
                }
                Body::InitRunspacePool(init) => {
                    initialised = true;
                    settings.pool = recorded.message.pool;
                    settings.min_runspaces = init.min_runspaces;
                    settings.max_runspaces = init.max_runspaces;
                    settings.application_arguments = Data::from(init.application_arguments.clone());
                    if init.host != HostInfo::None {
                        settings.host = HostPolicy::Ask;
                    }
                }
                Body::SetMaxRunspaces { call_id, .. }
                | Body::SetMinRunspaces { call_id, .. }
                | Body::GetAvailableRunspaces { call_id }
                | Body::ResetRunspaceState { call_id } => {
                    settings.first_call_id = *call_id;
                    break;
                }
                _ => {}
            }
        }
        if !initialised {
            return Err("the recording asks for no pool".to_owned());
        }
        // A pipeline may bring its own host.
        let asked = |body: &Body| {
            matches!(
                body,
                Body::PipelineHostResponse(_) | Body::RunspacePoolHostResponse(_)
            )
        };
        if recording
            .messages
            .iter()
            .any(|recorded| asked(&recorded.message.body))
        {
            settings.host = HostPolicy::Ask;
        }
        Ok(Self {
            client: Client::new(settings),
            events: Vec::new(),
            sent: Vec::new(),
        })
    }

    /// Does what one recorded line is about.
    pub(super) fn step(&mut self, recording: &Recording, line: &Line) -> Result<(), Refused> {
        match line.from {
            From::Client => self.ask(recording, line)?,
            From::Server => match &line.packet {
                Packet::Data { pipeline, bytes, .. } => {
                    self.client
                        .receive(*pipeline, bytes)
                        .map_err(|error| chain(&error))?;
                }
                Packet::CloseAck(None) => self.client.closed(),
                _ => {}
            },
        }
        self.drain();
        Ok(())
    }

    pub(super) fn drain(&mut self) {
        self.events
            .extend(std::iter::from_fn(|| self.client.next_event()));
        self.sent
            .extend(std::iter::from_fn(|| self.client.poll_transmit()));
    }

    fn ask(&mut self, recording: &Recording, line: &Line) -> Result<(), Refused> {
        match &line.packet {
            Packet::Signal(pipeline) => self.client.stop(*pipeline),
            Packet::Close(None) => self.client.close(),
            _ => {}
        }
        for at in &line.ends {
            let message = &recording.messages[*at].message;
            self.repeat(recording, message)
                .map_err(|error| format!("asked for {}: {error}", message.body.kind().name()))?;
        }
        Ok(())
    }

    fn repeat(&mut self, recording: &Recording, message: &Message) -> Result<(), Refused> {
        let client = &mut self.client;
        let call = |asked: Result<i64, client::AskError>, recorded: i64| match asked {
            Ok(ours) if ours == recorded => Ok(()),
            Ok(ours) => Err(format!("expected the question number {recorded}, found {ours}")),
            Err(error) => Err(chain(&error)),
        };
        let pipeline = message.pipeline.unwrap_or_default();
        let done = match &message.body {
            // The client says the second by itself.
            Body::SessionCapability(_) => Ok(()),
            Body::InitRunspacePool(_) => client.open(),
            Body::PublicKey(_) => match &recording.key {
                Some(key) => client.exchange_keys(key),
                None => return Err("the client's key was not kept beside the recording".to_owned()),
            },
            Body::CreatePipeline(request) => client.invoke(pipeline, &request.to_pipeline()),
            Body::GetCommandMetadata(query) => client.command_metadata(pipeline, query.clone()),
            Body::PipelineInput(document) => client.send_input(pipeline, &Data::from(document.clone())),
            Body::EndOfPipelineInput => client.end_input(pipeline),
            Body::PipelineHostResponse(response) | Body::RunspacePoolHostResponse(response) => {
                match (&response.result, &response.error) {
                    (_, Some(error)) => client.refuse(message.pipeline, response.call_id, &error.message),
                    (result, None) => {
                        let result = Document {
                            values: vec![result.clone().unwrap_or(Value::Nil)],
                            ..response.document.clone()
                        };
                        client.answer(message.pipeline, response.call_id, &Data::from(result))
                    }
                }
            }
            Body::SetMaxRunspaces { call_id, count } => {
                return call(client.set_max_runspaces(*count), *call_id);
            }
            Body::SetMinRunspaces { call_id, count } => {
                return call(client.set_min_runspaces(*count), *call_id);
            }
            Body::GetAvailableRunspaces { call_id } => return call(client.available_runspaces(), *call_id),
            Body::ResetRunspaceState { call_id } => return call(client.reset_runspace(), *call_id),
            other => {
                return Err(format!(
                    "a client that sends {} is not known here",
                    other.kind().name()
                ));
            }
        };
        done.map_err(|error| chain(&error))
    }
}

/// Plays the whole recording and compares events, truths and what was written.
pub(super) fn replay(recording: &Recording, differences: &mut same::Differences, shown: &mut Shown) {
    let mut driven = match Driven::new(recording) {
        Ok(driven) => driven,
        Err(why) => return shown.fail(why),
    };
    for (number, line) in recording.lines.iter().enumerate() {
        if let Err(why) = driven.step(recording, line) {
            return shown.fail(format!("line {}: our client: {why}", number + 1));
        }
    }
    hold_events(recording, &driven, shown);
    hold_truths(&driven, shown);
    hold_secrets(recording, &driven, shown);
    hold_written(recording, &driven, differences, shown);
}

/// Each message of the server is one event, in order.
fn hold_events(recording: &Recording, driven: &Driven, shown: &mut Shown) {
    let mut events = driven
        .events
        .iter()
        .filter(|event| !matches!(event, Event::Lost { .. }));
    let mut ended = false;
    for recorded in recording
        .messages
        .iter()
        .filter(|recorded| recorded.from == From::Server)
    {
        let message = &recorded.message;
        match &message.body {
            Body::SessionCapability(_) | Body::ApplicationPrivateData(_) => continue,
            Body::RunspacePoolState { state, .. }
                if !matches!(state, PoolState::Opened | PoolState::Closed | PoolState::Broken) =>
            {
                continue;
            }
            Body::PipelineState { state, .. } if !state.is_final() => continue,
            _ => {}
        }
        let found = events.next();
        ended |= matches!(found, Some(Event::PoolEnded { .. }));
        if !found.is_some_and(|event| is_event_of(event, message)) {
            return shown.fail(format!(
                "expected the event of {} of {:?}, found {found:?}",
                message.body.kind().name(),
                message.pipeline
            ));
        }
    }
    if let Some(event) = events.next()
        && (ended || !matches!(event, Event::PoolEnded { .. }))
    {
        shown.fail(format!("expected no further event, found {event:?}"));
    }
}

fn is_event_of(event: &Event, message: &Message) -> bool {
    let whose = message.pipeline;
    match (event, &message.body) {
        (Event::Opened { .. }, Body::RunspacePoolState { state, .. }) => *state == PoolState::Opened,
        (
            Event::PoolEnded { state, error },
            Body::RunspacePoolState {
                state: own,
                error: why,
            },
        ) => state == own && error == why,
        (Event::KeysExchanged, Body::EncryptedSessionKey(_))
        | (Event::KeyRequested, Body::PublicKeyRequest) => true,
        (
            Event::Runspaces { call_id, answer },
            Body::RunspaceAvailability {
                call_id: own,
                answer: said,
            },
        ) => call_id == own && answer == said,
        (Event::Output { pipeline, document }, Body::PipelineOutput(own)) => {
            Some(*pipeline) == whose && document == own
        }
        (Event::Error { pipeline, record }, Body::ErrorRecord(own)) => {
            Some(*pipeline) == whose && **record == *own
        }
        (Event::Warning { pipeline, record }, Body::WarningRecord(own))
        | (Event::Verbose { pipeline, record }, Body::VerboseRecord(own))
        | (Event::Debug { pipeline, record }, Body::DebugRecord(own)) => {
            Some(*pipeline) == whose && record == own
        }
        (Event::Progress { pipeline, record }, Body::ProgressRecord(own)) => {
            Some(*pipeline) == whose && **record == *own
        }
        (Event::Information { pipeline, record }, Body::InformationRecord(own)) => {
            Some(*pipeline) == whose && **record == *own
        }
        (
            Event::HostCall { pipeline, call } | Event::Refused { pipeline, call },
            Body::PipelineHostCall(own) | Body::RunspacePoolHostCall(own),
        ) => *pipeline == whose && **call == *own,
        (
            Event::Ended {
                pipeline,
                state,
                error,
            },
            Body::PipelineState {
                state: own,
                error: why,
            },
        ) => Some(*pipeline) == whose && state == own && error.as_deref() == why.as_ref(),
        (Event::UserEvent { document }, Body::UserEvent(own)) => document == own,
        _ => false,
    }
}

/// Every output that carries a `Truth` is what it says.
fn hold_truths(driven: &Driven, shown: &mut Shown) {
    for event in &driven.events {
        let Event::Output { document, .. } = event else {
            continue;
        };
        let value = client::value(document);
        let Some(truth) = document
            .path(value, &["Truth"])
            .and_then(|truth| document.text(truth))
        else {
            continue;
        };
        let Ok(truth) = serde_json::from_str::<Json>(&truth) else {
            shown.fail(format!("a truth that is no JSON: {truth}"));
            continue;
        };
        let found = document.path(value, &["Value"]).unwrap_or(&Value::Nil);
        let name = document
            .path(value, &["Name"])
            .and_then(|name| document.text(name))
            .unwrap_or_default();
        match differs(&driven.client, document, found, &truth) {
            None => shown.truths += 1,
            Some(why) => shown.fail(format!("the value {name:?}: {why}")),
        }
    }
}

fn differs(
    client: &Client,
    document: &Document<'static>,
    value: &Value<'static>,
    truth: &Json,
) -> Option<String> {
    let peeled = document
        .object(value)
        .and_then(|object| object.base.as_ref())
        .unwrap_or(value);
    let secret = |value: Option<&Value<'static>>, expected: &Json| match value {
        Some(Value::SecureString(sealed)) => match client.reveal(sealed) {
            Ok(secret) => {
                let hex: String = secret
                    .units()
                    .iter()
                    .flat_map(|unit| unit.to_le_bytes())
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                (Some(hex.as_str()) != expected.as_str())
                    .then(|| format!("expected {expected}, found another secret"))
            }
            Err(error) => Some(error.to_string()),
        },
        other => Some(format!("expected a secure string, found {other:?}")),
    };
    match truth["k"].as_str().unwrap_or_default() {
        "securestring" => secret(Some(peeled), &truth["utf16le"]),
        "credential" => {
            let user = serde_json::json!({"k": "string", "utf16le": truth["user"]});
            let name = document.path(value, &["UserName"]).unwrap_or(&Value::Nil);
            truth::differs(document, name, &user)
                .or_else(|| secret(document.path(value, &["Password"]), &truth["password"]))
        }
        "x509" => {
            let raw = serde_json::json!({"k": "bytes", "hex": truth["rawdata"]});
            let text = serde_json::json!({"k": "other", "tostring": truth["tostring"]});
            truth::differs(
                document,
                document.path(value, &["RawData"]).unwrap_or(&Value::Nil),
                &raw,
            )
            .or_else(|| truth::differs(document, value, &text))
        }
        _ => truth::differs(document, value, truth),
    }
}

/// Every secure string, in either direction, decrypts with the session's key.
fn hold_secrets(recording: &Recording, driven: &Driven, shown: &mut Shown) {
    let mut found = Vec::new();
    for recorded in &recording.messages {
        let document = match &recorded.message.body {
            Body::PipelineOutput(document) | Body::PipelineInput(document) => document,
            Body::CreatePipeline(pipeline) => &pipeline.document,
            _ => continue,
        };
        let inner = document.objects.iter().flat_map(|object| {
            let members = object
                .adapted
                .iter()
                .chain(&object.extended)
                .flatten()
                .map(|member| &member.value);
            let items = object.container.iter().flat_map(|container| &container.items);
            members.chain(items).chain(&object.base)
        });
        for value in document.values.iter().chain(inner) {
            let Value::SecureString(sealed) = value else {
                continue;
            };
            match driven.client.reveal(sealed) {
                Ok(secret) => found.push(secret.reveal()),
                Err(_) if !driven.client.can_send_secrets() => shown.sealed += 1,
                Err(error) => shown.fail(format!(
                    "a secure string of {}: {error}",
                    recorded.message.body.kind().name()
                )),
            }
        }
    }
    shown.secrets += found.len();
    // The texts of this one recording are written down beside it (README of the recordings).
    if recording.name == "psrpcore-session-key" {
        for expected in [
            "Pä$$w0rd 😀".to_owned(),
            "other".to_owned(),
            "made there ü".to_owned(),
            "long ".repeat(50),
        ] {
            if !found.contains(&expected) {
                shown.fail(format!("expected a secure string to be {expected:?}"));
            }
        }
    }
}

/// What our client wrote is what PowerShell's client wrote, id by id, field by field.
fn hold_written(
    recording: &Recording,
    driven: &Driven,
    differences: &mut same::Differences,
    shown: &mut Shown,
) {
    let ours = written(&driven.sent, shown);
    let mut ids: Vec<Option<Uuid>> = ours.iter().map(|(id, _)| *id).collect();
    ids.extend(
        recording
            .messages
            .iter()
            .map(|recorded| recorded.message.pipeline),
    );
    ids.sort_unstable();
    ids.dedup();
    let field_by_field = recording.is_powershell_client();
    for id in ids {
        let theirs: Vec<&Message> = recording
            .messages
            .iter()
            .filter(|recorded| recorded.from == From::Client && recorded.message.pipeline == id)
            .map(|recorded| &recorded.message)
            .collect();
        let ours: Vec<&Message> = ours
            .iter()
            .filter(|(own, _)| *own == id)
            .map(|(_, message)| message)
            .collect();
        let kinds = |messages: &[&Message]| messages.iter().map(|m| m.body.kind().name()).collect::<Vec<_>>();
        if kinds(&theirs) != kinds(&ours) {
            shown.fail(format!(
                "expected our client to write {:?}, found {:?}",
                kinds(&theirs),
                kinds(&ours)
            ));
            continue;
        }
        if !field_by_field {
            continue;
        }
        for (theirs, ours) in theirs.iter().zip(&ours) {
            match same::compare(theirs, ours, differences) {
                Ok(()) => shown.written += 1,
                Err(why) => shown.fail(format!("our {}: {why}", theirs.body.kind().name())),
            }
        }
    }

    let signals =
        |packet: &Packet| matches!(packet, Packet::Command(_) | Packet::Signal(_) | Packet::Close(_));
    let mut theirs: Vec<String> = recording
        .lines
        .iter()
        .filter(|line| line.from == From::Client && signals(&line.packet))
        .map(|line| line.text.clone())
        .collect();
    let mut ours: Vec<String> = driven
        .sent
        .iter()
        .cloned()
        .flat_map(Transmit::into_packets)
        .filter(signals)
        .map(|packet| packet.encode())
        .collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    let completed = driven.client.state() == PoolState::Closed;
    if completed && theirs != ours {
        shown.fail(format!(
            "expected our client to write the lines {theirs:?}, found {ours:?}"
        ));
    }
}

/// The messages of what was sent, in order within each id.
fn written(sent: &[Transmit], shown: &mut Shown) -> Vec<(Option<Uuid>, Message)> {
    let mut channels: std::collections::HashMap<Option<Uuid>, Defragmenter> =
        std::collections::HashMap::new();
    let mut found = Vec::new();
    for transmit in sent {
        let id = match transmit {
            Transmit::Command { pipeline, .. } => Some(*pipeline),
            Transmit::Data { pipeline, .. } => *pipeline,
            _ => None,
        };
        let channel = channels.entry(id).or_default();
        if let Err(error) = channel.receive(transmit.bytes()) {
            shown.fail(format!("our client writes fragments that do not fit: {error}"));
        }
        while let Some(wire) = channel.next_message() {
            match Message::decode(&wire) {
                Ok(message) => found.push((id, message)),
                Err(error) => shown.fail(format!(
                    "our client writes what cannot be read: {}",
                    chain(&error)
                )),
            }
        }
    }
    found
}

/// Whether a pipeline ended well, by the events.
pub(super) fn completed(events: &[Event]) -> Vec<Uuid> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Ended {
                pipeline,
                state: PipelineState::Completed,
                ..
            } => Some(*pipeline),
            _ => None,
        })
        .collect()
}
