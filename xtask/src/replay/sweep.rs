//! The same sessions cut at random, ended behind every line, and with lines doubled, lost and damaged.

use exseal_psrp::client::{ClientError, Event};
use exseal_psrp::fragment::FragmentError;
use exseal_psrp::message::Body;
use exseal_psrp::oop::{Lines, Packet};
use uuid::Uuid;

use super::Shown;
use super::asked::{Driven, completed};
use super::recording::{From, Line, Recording};

pub(super) fn replay(recording: &Recording, shown: &mut Shown) {
    let Ok(whole) = play(recording, |driven, line| driven.step(recording, line)) else {
        return;
    };
    random_cuts(recording, &whole, shown);
    ends(recording, shown);
    lost_lines(recording, &whole, shown);
}

fn play(
    recording: &Recording,
    mut step: impl FnMut(&mut Driven, &Line) -> Result<(), String>,
) -> Result<Driven, String> {
    let mut driven = Driven::new(recording)?;
    for line in &recording.lines {
        step(&mut driven, line)?;
    }
    Ok(driven)
}

/// SplitMix64: the same cuts in every run.
struct Cuts(u64);

impl Cuts {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (below.max(1) as u64)).unwrap_or(0)
    }

    fn pieces<'b>(&mut self, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(1 + self.next(bytes.len().min(700))));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

/// The bytes of the server's lines in random cuts, of the pipe and of the fragments within, give the same events.
fn random_cuts(recording: &Recording, whole: &Driven, shown: &mut Shown) {
    let mut cuts = Cuts(recording.lines.len() as u64);
    let mut lines = Lines::default();
    let split = play(recording, |driven, line| {
        if line.from == From::Client {
            return driven.step(recording, line);
        }
        let wire = format!("{}\r\n", line.text);
        for piece in cuts.pieces(wire.as_bytes()) {
            lines.receive(piece);
            let Some(packet) = lines.next_packet() else {
                continue;
            };
            let packet = packet.map_err(|error| error.to_string())?;
            if packet != line.packet {
                return Err(format!(
                    "cut at random, the line {:?} is read as {packet:?}",
                    line.packet
                ));
            }
            if let Packet::Data { pipeline, bytes, .. } = &packet {
                for piece in cuts.pieces(bytes) {
                    driven
                        .client
                        .receive(*pipeline, piece)
                        .map_err(|error| error.to_string())?;
                }
            } else if packet == Packet::CloseAck(None) {
                driven.client.closed();
            }
            driven.drain();
        }
        Ok(())
    });
    match split {
        Ok(split) if split.events == whole.events && lines.unfinished() == 0 => shown.faults += 1,
        Ok(_) => shown.fail("cut at random, the events are others"),
        Err(why) => shown.fail(format!("cut at random: {why}")),
    }
}

/// Ended behind every line, and within it: no pipeline completes that had not, and each is accounted for.
fn ends(recording: &Recording, shown: &mut Shown) {
    let Ok(mut driven) = Driven::new(recording) else {
        return;
    };
    let mut begun: Vec<Uuid> = Vec::new();
    let mut said_completed: Vec<Uuid> = Vec::new();
    for (number, line) in recording.lines.iter().enumerate() {
        if line.from == From::Server
            && let Packet::Data { pipeline, bytes, .. } = &line.packet
        {
            doubled(&driven, *pipeline, bytes, number, shown);
            let mut half = driven.clone();
            let received = half
                .client
                .receive(*pipeline, bytes.get(..bytes.len() / 2).unwrap_or_default());
            if received.is_ok() {
                account(half, &begun, &said_completed, number, "within", shown);
            }
        }
        if driven.step(recording, line).is_err() {
            return;
        }
        for at in &line.ends {
            let message = &recording.messages[*at].message;
            match (&message.body, message.pipeline) {
                (Body::CreatePipeline(_) | Body::GetCommandMetadata(_), Some(id)) => begun.push(id),
                (Body::PipelineState { state, .. }, Some(id))
                    if *state == exseal_psrp::message::PipelineState::Completed =>
                {
                    said_completed.push(id);
                }
                _ => {}
            }
        }
        let events = std::mem::take(&mut driven.events);
        let cut = driven.clone();
        driven.events = events.clone();
        let mut cut = cut;
        cut.events = accounted(&events);
        account(cut, &begun, &said_completed, number, "behind", shown);
        driven.events = accounted(&events);
    }
}

/// The events that matter for the account, so that long sessions stay cheap to copy.
fn accounted(events: &[Event]) -> Vec<Event> {
    let matters = |event: &&Event| {
        matches!(
            event,
            Event::Ended { .. } | Event::Lost { .. } | Event::PoolEnded { .. }
        )
    };
    events.iter().filter(matters).cloned().collect()
}

fn account(mut cut: Driven, begun: &[Uuid], said: &[Uuid], number: usize, place: &str, shown: &mut Shown) {
    cut.client.end_of_stream();
    cut.drain();
    shown.faults += 1;
    let place = format!("ended {place} line {}", number + 1);
    let done = completed(&cut.events);
    let mut expected = said.to_vec();
    let mut found = done;
    expected.sort_unstable();
    found.sort_unstable();
    if place.contains("behind") && expected != found || found.iter().any(|id| !expected.contains(id)) {
        shown.fail(format!(
            "{place}: expected {expected:?} to have completed, found {found:?}"
        ));
    }
    for id in begun {
        let words = cut
            .events
            .iter()
            .filter(|event| {
                matches!(event, Event::Ended { pipeline, .. } | Event::Lost { pipeline } if pipeline == id)
            })
            .count();
        if words != 1 {
            shown.fail(format!(
                "{place}: expected one word of the end of pipeline {id}, found {words}"
            ));
        }
    }
    if !cut
        .events
        .iter()
        .any(|event| matches!(event, Event::PoolEnded { .. }))
    {
        shown.fail(format!("{place}: expected the pool to have ended"));
    }
}

/// A line of the server that comes twice is an error the second time, and nothing is heard twice.
fn doubled(driven: &Driven, pipeline: Option<Uuid>, bytes: &[u8], number: usize, shown: &mut Shown) {
    let mut driven = driven.clone();
    if driven.client.receive(pipeline, bytes).is_err() {
        return;
    }
    driven.drain();
    let heard = driven.events.len();
    let again = driven.client.receive(pipeline, bytes);
    driven.drain();
    shown.faults += 1;
    let ended = matches!(again, Err(ClientError::AfterEnd { .. }));
    let repeated = matches!(
        &again,
        Err(ClientError::Fragment {
            source: FragmentError::Repeated { .. }
                | FragmentError::OutOfOrder { .. }
                | FragmentError::NotBegun { .. },
            ..
        })
    );
    // A pipeline that has ended is not listened to any more.
    let new: Vec<&Event> = driven.events.iter().skip(heard).collect();
    let strays = !new.is_empty() && new.iter().all(|event| matches!(event, Event::Stray { .. }));
    let dropped = again.is_ok() && strays;
    if !(ended || repeated || dropped) {
        shown.fail(format!(
            "line {} came twice: expected an error, found {again:?} and {new:?}",
            number + 1
        ));
    }
}

/// Each line of the server left out in turn: nothing completes that should not, nothing hangs, and no fragment is missed
/// without an error.
fn lost_lines(recording: &Recording, whole: &Driven, shown: &mut Shown) {
    const LONGEST: usize = 200;
    if recording.lines.len() > LONGEST {
        return;
    }
    for (without, lost) in recording
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.from == From::Server)
    {
        let Packet::Data { .. } = lost.packet else {
            continue;
        };
        let Ok(mut driven) = Driven::new(recording) else {
            return;
        };
        for (number, line) in recording.lines.iter().enumerate() {
            if number != without && driven.step(recording, line).is_err() {
                break;
            }
        }
        driven.client.end_of_stream();
        driven.drain();
        shown.faults += 1;
        let (done, expected) = (completed(&driven.events), completed(&whole.events));
        let silenced: Vec<Option<Uuid>> = lost
            .ends
            .iter()
            .filter(|at| matches!(recording.messages[**at].message.body, Body::PipelineState { .. }))
            .map(|at| recording.messages[*at].message.pipeline)
            .collect();
        if done
            .iter()
            .any(|id| !expected.contains(id) || silenced.contains(&Some(*id)))
        {
            shown.fail(format!(
                "without line {}: {done:?} completed, which must not",
                without + 1
            ));
        }
        if lost.ends.is_empty() && done.len() == expected.len() && !expected.is_empty() {
            shown.fail(format!(
                "without line {}: a message lacks a part, and nobody noticed",
                without + 1
            ));
        }
    }
}
