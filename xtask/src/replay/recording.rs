//! Recordings as they are on disk, decoded without either half.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use exseal_psrp::fragment::Defragmenter;
use exseal_psrp::message::Message;
use exseal_psrp::oop::Packet;
use exseal_psrp::secret::KeyPair;
use serde_json::Value as Json;
use uuid::Uuid;

use super::Shown;
use crate::{Failure, Result};

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum From {
    Client,
    Server,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) from: From,
    pub(super) text: String,
    pub(super) packet: Packet,
    /// The messages whose last byte is in it: places in [`Recording::messages`].
    pub(super) ends: Vec<usize>,
}

/// A message of the recording.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) from: From,
    pub(super) message: Message,
    /// Its bytes: header and body.
    pub(super) wire: Vec<u8>,
}

/// One session.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
    pub(super) messages: Vec<Recorded>,
    /// Messages begun and not ended.
    unfinished: usize,
    /// Its part of `summary.json`, if that has one.
    summary: Option<Json>,
    /// The client's key of the session, where it was kept.
    pub(super) key: Option<KeyPair>,
    /// What could not be read.
    pub(super) wrong: Vec<String>,
}

impl Recording {
    /// Whether PowerShell's own client wrote it: it begins each body with a byte order mark, psrpcore does not.
    pub(super) fn is_powershell_client(&self) -> bool {
        self.messages
            .iter()
            .filter(|recorded| recorded.from == From::Client)
            .all(|recorded| {
                matches!(
                    recorded.wire.get(Message::HEADER_LEN..),
                    Some([0xef, 0xbb, 0xbf, ..] | [])
                )
            })
    }
}

pub(super) fn read_folder(folder: &Path) -> Result<Vec<Recording>> {
    let named = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    let mut paths = fs::read_dir(folder)
        .map_err(named)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(named)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    let summary = match fs::read_to_string(folder.join("summary.json")) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Json::Null,
    };
    paths.iter().map(|path| read(path, &summary)).collect()
}

fn read(path: &Path, summary: &Json) -> Result<Recording> {
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let text = fs::read_to_string(path)?;
    let mut recording = Recording {
        summary: summary.get(&name).cloned(),
        key: read_key(&path.with_extension("key.json"))?,
        name,
        lines: Vec::new(),
        messages: Vec::new(),
        unfinished: 0,
        wrong: Vec::new(),
    };
    let mut channels: HashMap<(From, Option<Uuid>), Defragmenter> = HashMap::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let line: Json = serde_json::from_str(line)?;
        let from = match line["from"].as_str() {
            Some("client") => From::Client,
            Some("server") => From::Server,
            other => {
                return Err(Failure::new(format!(
                    "line {}: expected client or server, found {other:?}",
                    number + 1
                )));
            }
        };
        let text = line["line"].as_str().unwrap_or_default().to_owned();
        let packet = match Packet::decode(&text) {
            Ok(packet) => packet,
            Err(error) => {
                recording.wrong.push(format!("line {}: {error}", number + 1));
                continue;
            }
        };
        let mut ends = Vec::new();
        if let Packet::Data { pipeline, bytes, .. } = &packet {
            let channel = channels.entry((from, *pipeline)).or_default();
            if let Err(error) = channel.receive(bytes) {
                recording.wrong.push(format!("line {}: {error}", number + 1));
            }
            while let Some(wire) = channel.next_message() {
                match Message::decode(&wire) {
                    Ok(message) => {
                        ends.push(recording.messages.len());
                        recording.messages.push(Recorded { from, message, wire });
                    }
                    Err(error) => recording
                        .wrong
                        .push(format!("line {}: {}", number + 1, chain(&error))),
                }
            }
        }
        recording.lines.push(Line {
            from,
            text,
            packet,
            ends,
        });
    }
    recording.unfinished = channels
        .values()
        .filter(|channel| channel.finish().is_err())
        .count();
    Ok(recording)
}

fn read_key(path: &Path) -> Result<Option<KeyPair>> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(None);
    };
    let key: Json = serde_json::from_str(&text)?;
    let pem = key["client_private_key_pkcs8_pem"].as_str().unwrap_or_default();
    Ok(Some(KeyPair::from_pkcs8_pem(pem)?))
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

/// Compares counts and sequence with `summary.json`.
pub(super) fn hold_to_summary(recording: &Recording, shown: &mut Shown) {
    let Some(summary) = &recording.summary else { return };
    let counts = [
        ("lines", recording.lines.len()),
        ("messages", recording.messages.len()),
        ("unfinished_messages", recording.unfinished),
    ];
    for (name, found) in counts {
        if let Some(expected) = summary[name].as_u64()
            && usize::try_from(expected) != Ok(found)
        {
            shown.fail(format!("summary: expected {expected} {name}, found {found}"));
        }
    }
    let Some(expected) = summary["sequence"].as_array() else {
        return;
    };
    let expected: Vec<&str> = expected.iter().filter_map(Json::as_str).collect();
    let found = sequence(recording);
    if found != expected {
        shown.fail(format!(
            "summary: expected the sequence {expected:?}, found {found:?}"
        ));
    }
}

fn sequence(recording: &Recording) -> Vec<String> {
    let mut steps: Vec<(String, usize)> = Vec::new();
    let mut step = |words: String| match steps.last_mut() {
        Some((last, count)) if *last == words => *count += 1,
        _ => steps.push((words, 1)),
    };
    for line in &recording.lines {
        let from = match line.from {
            From::Client => "client",
            From::Server => "server",
        };
        match &line.packet {
            Packet::Data { .. } => {
                for at in &line.ends {
                    step(format!(
                        "{from}: {}",
                        recording.messages[*at].message.body.kind().name()
                    ));
                }
            }
            Packet::DataAck(_) => step(format!("{from}: DataAck")),
            Packet::Command(_) => step(format!("{from}: Command")),
            Packet::CommandAck(_) => step(format!("{from}: CommandAck")),
            Packet::Signal(_) => step(format!("{from}: Signal")),
            Packet::SignalAck(_) => step(format!("{from}: SignalAck")),
            Packet::Close(_) => step(format!("{from}: Close")),
            Packet::CloseAck(_) => step(format!("{from}: CloseAck")),
        }
    }
    steps
        .into_iter()
        .map(|(words, count)| {
            if count == 1 {
                words
            } else {
                format!("{words} x{count}")
            }
        })
        .collect()
}
