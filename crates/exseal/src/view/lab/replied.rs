//! What a lab answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::view::paint::{BOLD, styled, wrapped};

/// Event logs of a lab, oldest first.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(crate) struct Events {
    /// The events.
    events: Vec<LabEvent>,
}

/// An event.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct LabEvent {
    /// When, by the clock of its server.
    time: jiff::Timestamp,
    /// The server.
    server: String,
    /// `Application` or `System`.
    log: String,
    /// Source.
    source: String,
    /// Id, without qualifiers.
    id: u32,
    /// `Error`, `Warning` or `Information`.
    level: String,
    /// Insertion values, the same in every language.
    values: Vec<String>,
    /// The text, in the server's language.
    message: String,
}

fn read(reply: &Value) -> Result<Events, CommandError> {
    serde_json::from_value(reply.clone())
        .map_err(|error| CommandError::fixable(format!("expected the events of a lab, {error}")))
}

pub(crate) fn events(reply: &Value, context: &Context) -> Result<String, CommandError> {
    let Events { events } = read(reply)?;
    if events.is_empty() {
        return Ok("no events\n".to_owned());
    }
    let mut out = String::new();
    for event in events {
        let line = format!(
            "{} {} {} {} {}: {}",
            context.time(event.time),
            styled(BOLD, &event.server),
            event.level,
            event.source,
            event.id,
            event.message.replace(['\r', '\n'], " ")
        );
        out.push_str(&wrapped(&line, "", "    ", context.width));
    }
    Ok(out)
}

pub(crate) fn passed(reply: &Value, context: &Context) -> Result<String, CommandError> {
    let word = |key: &str| reply.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut out = format!("from {} to {}\n", word("from"), word("now"));
    out.push_str(&events(reply, context)?);
    Ok(out)
}

pub(crate) fn faults(reply: &Value, context: &Context) -> String {
    let list = |key: &str| {
        reply
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut out = String::new();
    for waiting in list("waiting") {
        let line = format!("waits: {}", waiting.as_str().unwrap_or_default());
        out.push_str(&wrapped(&line, "", "  ", context.width));
    }
    out.push_str("names:\n");
    for known in list("known") {
        let word = |key: &str| known.get(key).and_then(Value::as_str).unwrap_or_default();
        out.push_str(&match word("detail") {
            "" => format!("  {}\n", word("name")),
            detail => format!("  {}={}\n", word("name"), detail.to_uppercase()),
        });
    }
    out
}

/// What a cmdlet at a server gave: each object with the properties that say something.
///
/// # Errors
///
/// The cmdlet failed.
pub(crate) fn shell(reply: &Value, context: &Context) -> Result<String, CommandError> {
    let mut out = String::new();
    let list = |key: &str| {
        reply
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    for object in list("objects") {
        let Some(properties) = object.as_object() else {
            out.push_str(&wrapped(
                object.as_str().unwrap_or_default(),
                "",
                "  ",
                context.width,
            ));
            continue;
        };
        for (name, value) in properties {
            let text = value.as_str().unwrap_or_default().replace(['\r', '\n'], " ");
            if !text.is_empty() {
                out.push_str(&wrapped(&format!("{name}: {text}"), "", "  ", context.width));
            }
        }
        out.push('\n');
    }
    for warning in list("warnings") {
        let text = format!("warning: {}", warning.as_str().unwrap_or_default());
        out.push_str(&wrapped(&text, "", "  ", context.width));
    }
    match reply.get("error").and_then(Value::as_str) {
        None => Ok(out),
        Some(error) => Err(CommandError::fixable(format!("the cmdlet failed: {error}"))),
    }
}
