//! Our server hears what the recorded client said, and says what the recorded server said.

use exseal_psrp::channel::Transmit;
use exseal_psrp::data::Data;
use exseal_psrp::fragment::Defragmenter;
use exseal_psrp::message::{Body, Message, PipelineState, PoolState};
use exseal_psrp::oop::Packet;
use exseal_psrp::secret::SessionKey;
use exseal_psrp::server::{Event, Server, Settings};

use super::Shown;
use super::recording::{From, Recording, chain};

/// Plays the recording into our server.
pub(super) fn replay(recording: &Recording, shown: &mut Shown) {
    let mut settings = Settings::default();
    for recorded in recording
        .messages
        .iter()
        .filter(|recorded| recorded.from == From::Server)
    {
        if let Body::SessionCapability(capability) = &recorded.message.body {
            settings.announce = capability.protocol;
        }
    }
    let mut server = Server::new(settings);
    let mut events = Vec::new();
    let mut sent = Vec::new();
    for (number, line) in recording.lines.iter().enumerate() {
        let step = match line.from {
            From::Client => hear(&mut server, &line.packet),
            From::Server => line
                .ends
                .iter()
                .try_for_each(|at| say(&mut server, &recording.messages[*at].message)),
        };
        if let Err(why) = step {
            return shown.fail(format!("line {}: our server: {why}", number + 1));
        }
        events.extend(std::iter::from_fn(|| server.next_event()));
        sent.extend(std::iter::from_fn(|| server.poll_transmit()));
    }
    hold_events(recording, &events, shown);
    hold_sent(recording, &sent, shown);
}

fn hear(server: &mut Server, packet: &Packet) -> Result<(), String> {
    match packet {
        Packet::Data { pipeline, bytes, .. } => {
            server.receive(*pipeline, bytes).map_err(|error| chain(&error))
        }
        Packet::Signal(pipeline) => {
            server.signal(*pipeline);
            Ok(())
        }
        Packet::Close(pipeline) => {
            server.close(*pipeline);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Has our server say what a recorded message said; what it says by itself is passed over.
fn say(server: &mut Server, message: &Message) -> Result<(), String> {
    let pipeline = message.pipeline.unwrap_or_default();
    let said = match &message.body {
        Body::SessionCapability(_) | Body::RunspacePoolInitData { .. } => Ok(()),
        Body::ApplicationPrivateData(data) => server.accept(&Data::from(data.clone())),
        Body::RunspacePoolState {
            state: PoolState::Broken,
            error,
        } if server.state() == PoolState::Opening => match error {
            Some(error) => server.refuse(error.clone()),
            None => Ok(()),
        },
        Body::RunspacePoolState { .. } => Ok(()),
        Body::EncryptedSessionKey(_) => server.give_key(SessionKey::new([7; 32]), &mut rand::rng()),
        Body::PublicKeyRequest => server.request_key(),
        Body::RunspaceAvailability { call_id, answer } => server.answer(*call_id, *answer),
        Body::PipelineOutput(document) => server.write_output(pipeline, &Data::from(document.clone())),
        Body::ErrorRecord(record) => server.write_error(pipeline, record.clone()),
        Body::WarningRecord(record) => server.write_warning(pipeline, &record.message),
        Body::VerboseRecord(record) => server.write_verbose(pipeline, &record.message),
        Body::DebugRecord(record) => server.write_debug(pipeline, &record.message),
        Body::ProgressRecord(record) => server.write_progress(pipeline, record.clone()),
        Body::InformationRecord(record) => server.write_information(pipeline, record.clone()),
        Body::PipelineHostCall(call) | Body::RunspacePoolHostCall(call) => {
            let parameters: Vec<Data> = call
                .parameters
                .iter()
                .map(|value| {
                    let alone = exseal_psrp::clixml::Document {
                        values: vec![value.clone()],
                        ..call.document.clone()
                    };
                    Data::from(alone)
                })
                .collect();
            return match server.call_host(message.pipeline, call.method, &parameters) {
                Ok(id) if id == call.call_id => Ok(()),
                Ok(id) => Err(format!("expected the call number {}, found {id}", call.call_id)),
                Err(error) => Err(chain(&error)),
            };
        }
        Body::PipelineState { state, error } => match (state, error) {
            (PipelineState::Completed, _) => server.complete(pipeline),
            (PipelineState::Stopped, error) => server.stopped(pipeline, error.clone()),
            (PipelineState::Failed, Some(error)) => server.fail(pipeline, error.clone()),
            _ => Ok(()),
        },
        other => {
            return Err(format!(
                "a server that sends {} is not known here",
                other.kind().name()
            ));
        }
    };
    said.map_err(|error| chain(&error))
}

/// Each message of the client is one event, in order.
fn hold_events(recording: &Recording, events: &[Event], shown: &mut Shown) {
    let mut events = events.iter().filter(|event| {
        !matches!(
            event,
            Event::Stop { .. } | Event::Forgotten { .. } | Event::Closed
        )
    });
    for recorded in recording
        .messages
        .iter()
        .filter(|recorded| recorded.from == From::Client)
    {
        let message = &recorded.message;
        if matches!(message.body, Body::SessionCapability(_)) {
            continue;
        }
        let found = events.next();
        let whose = message.pipeline;
        let fits = match (found, &message.body) {
            (Some(Event::Open(init)), Body::InitRunspacePool(own)) => **init == *own,
            (Some(Event::KeyOffered { public_blob }), Body::PublicKey(own)) => public_blob == own,
            (Some(Event::Pipeline { pipeline, request }), Body::CreatePipeline(own)) => {
                Some(*pipeline) == whose && **request == *own
            }
            (Some(Event::Metadata { pipeline, document }), Body::GetCommandMetadata(own))
            | (Some(Event::Input { pipeline, document }), Body::PipelineInput(own)) => {
                Some(*pipeline) == whose && document == own
            }
            (Some(Event::InputEnded { pipeline }), Body::EndOfPipelineInput) => Some(*pipeline) == whose,
            (
                Some(Event::HostAnswer { pipeline, response }),
                Body::PipelineHostResponse(own) | Body::RunspacePoolHostResponse(own),
            ) => *pipeline == whose && **response == *own,
            (
                Some(Event::SetRunspaces {
                    call_id,
                    maximum,
                    count,
                }),
                body,
            ) => match body {
                Body::SetMaxRunspaces {
                    call_id: own,
                    count: said,
                } => *maximum && call_id == own && count == said,
                Body::SetMinRunspaces {
                    call_id: own,
                    count: said,
                } => !*maximum && call_id == own && count == said,
                _ => false,
            },
            (Some(Event::CountRunspaces { call_id }), Body::GetAvailableRunspaces { call_id: own })
            | (Some(Event::Reset { call_id }), Body::ResetRunspaceState { call_id: own }) => call_id == own,
            _ => false,
        };
        if !fits {
            return shown.fail(format!(
                "our server: expected the event of {} of {whose:?}, found {found:?}",
                message.body.kind().name()
            ));
        }
    }
    if let Some(event) = events.next() {
        shown.fail(format!("our server: expected no further event, found {event:?}"));
    }
}

/// What our server sent has the kinds and the values of what the recorded server sent.
fn hold_sent(recording: &Recording, sent: &[Transmit], shown: &mut Shown) {
    let mut channels: std::collections::HashMap<_, Defragmenter> = std::collections::HashMap::new();
    let mut ours = Vec::new();
    for transmit in sent {
        let Transmit::Data { pipeline, bytes, .. } = transmit else {
            return shown.fail(format!("our server sends {transmit:?}"));
        };
        let channel = channels.entry(*pipeline).or_default();
        if let Err(error) = channel.receive(bytes) {
            return shown.fail(format!("our server writes fragments that do not fit: {error}"));
        }
        while let Some(wire) = channel.next_message() {
            match Message::decode(&wire) {
                Ok(message) => ours.push(message),
                Err(error) => {
                    return shown.fail(format!(
                        "our server writes what cannot be read: {}",
                        chain(&error)
                    ));
                }
            }
        }
    }
    let theirs: Vec<&Message> = recording
        .messages
        .iter()
        .filter(|recorded| recorded.from == From::Server)
        .map(|recorded| &recorded.message)
        .collect();
    let kinds = |messages: &mut dyn Iterator<Item = &Message>| {
        messages
            .map(|message| (message.body.kind().name(), message.pipeline))
            .collect::<Vec<_>>()
    };
    let (expected, found) = (kinds(&mut theirs.iter().copied()), kinds(&mut ours.iter()));
    if expected != found {
        let at = expected
            .iter()
            .zip(&found)
            .take_while(|(expected, found)| expected == found)
            .count();
        return shown.fail(format!(
            "our server: message {}: expected {:?}, found {:?}",
            at + 1,
            expected.get(at),
            found.get(at)
        ));
    }
    for (theirs, ours) in theirs.iter().zip(&ours) {
        if matches!(
            theirs.body,
            Body::PipelineOutput(_) | Body::ApplicationPrivateData(_)
        ) && let Err(why) = super::same::compare(theirs, ours, &mut super::same::Differences::default())
        {
            shown.fail(format!("our server's {}: {why}", theirs.body.kind().name()));
        }
    }
}
