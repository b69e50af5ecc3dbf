//! Changing a server by the helper's verbs (helper/contract.json), over WinRM or a PowerShell on the server itself.
//!
//! A stored step is a verb's name and its input as JSON; [`Hand::call`] carries it as it stands, and nothing else: no
//! script, no other command. [`Hand::perform`] is the same with types. What failed says what is known of its effect;
//! whoever reads *unknown* reads the server again before anything else.

mod error;
mod verbs;

use std::collections::BTreeMap;
use std::time::Duration;

use exseal_psrp::clixml::{Document, Value as Wire};
use exseal_psrp::data::Data;
use exseal_psrp::message::{Command, Pipeline};
use exseal_psrp::secret::Secret as Sealed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Secret;
use crate::live::{in_words, unwrapped};
use crate::session::{Allowed, Endpoint, Item, LocalPowerShell, Session, SessionError};

pub use error::{CallError, Effect, RefusedCall};
pub use verbs::*;

/// The helper with its changing half, as it is sent: the files the contract lists, in its order.
pub const MODULE: &str = concat!(
    include_str!("../../../../helper/Exseal.psm1"),
    include_str!("../../../../helper/change/errors.psm1"),
    include_str!("../../../../helper/change/certificates.psm1"),
    include_str!("../../../../helper/change/http-sys.psm1"),
    include_str!("../../../../helper/change/iis.psm1"),
    include_str!("../../../../helper/change/services.psm1"),
    include_str!("../../../../helper/change/making.psm1"),
    include_str!("../../../../helper/change/keys.psm1"),
    include_str!("../../../../helper/change/stores.psm1"),
    include_str!("../../../../helper/change/lock.psm1"),
);

/// How long a call may take where its caller says nothing: a service may need minutes to stop.
pub const PATIENCE: Duration = Duration::from_secs(900);

/// What a verb gave.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Done<S> {
    /// Whether it changed anything; no: it was so already.
    pub changed: bool,
    /// What was before; `None`: nothing.
    pub before: Option<S>,
    /// What is after; `None`: nothing.
    pub after: Option<S>,
}

/// A session that may change its server.
pub struct Hand {
    session: Session,
    stop: CancellationToken,
    patience: Duration,
}

impl Hand {
    /// Opens a session and sends the helper. Nothing is changed by it. `stop` stops whatever runs, at once.
    ///
    /// # Errors
    ///
    /// [`CallError`] with the effect none: the door does not open, or the session runs no scripts.
    pub async fn open(endpoint: Endpoint, stop: CancellationToken) -> Result<Self, CallError> {
        Self::of(Session::open(endpoint).await, stop).await
    }

    /// The same with a PowerShell on this machine, as whoever runs this program.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn local(local: &LocalPowerShell, stop: CancellationToken) -> Result<Self, CallError> {
        Self::of(Session::local(local).await, stop).await
    }

    async fn of(opened: Result<Session, SessionError>, stop: CancellationToken) -> Result<Self, CallError> {
        const OPENING: &str = "the session";
        let harmless = |why: String| CallError::Unheard {
            verb: OPENING.to_owned(),
            why,
            effect: Effect::None,
        };
        let session = opened.map_err(|error| harmless(in_words(&error)))?;
        let mut hand = Self {
            session,
            stop,
            patience: PATIENCE,
        };
        let load = Command::script(crate::live::LOAD).parameter("Text", MODULE);
        let pipeline = Pipeline::from(load).without_invocation_info();
        match hand.run(OPENING, pipeline).await {
            Ok(_) => Ok(hand),
            Err(error) => {
                hand.close().await;
                Err(harmless(error.to_string()))
            }
        }
    }

    /// Lets each call take as long as this.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs a verb with an input as the contract describes it.
    ///
    /// # Errors
    ///
    /// [`CallError`]; its [`effect`](CallError::effect) says what is known.
    pub async fn call(&mut self, verb: &str, input: &Value) -> Result<Value, CallError> {
        self.call_with(verb, input, &BTreeMap::new()).await
    }

    /// The same with secrets, by the names of their parameters. They go encrypted with the session's key.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_with(
        &mut self,
        verb: &str,
        input: &Value,
        secrets: &BTreeMap<&str, &Secret>,
    ) -> Result<Value, CallError> {
        let command = command(verb, input, secrets)?;
        let json = Command::new("ConvertTo-Json")
            .parameter("Depth", 8)
            .switch("Compress");
        let pipeline = Pipeline::new([command, json]).without_invocation_info();
        let texts = self.run(verb, pipeline).await?;
        let unreadable = |found: String| CallError::Answer {
            verb: verb.to_owned(),
            found,
        };
        let [text] = texts.as_slice() else {
            return Err(unreadable(format!("{} answers", texts.len())));
        };
        let value: Value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        let value = unwrapped(value);
        let is_result =
            value["changed"].is_boolean() && value.get("before").is_some() && value.get("after").is_some();
        if is_result {
            Ok(value)
        } else {
            Err(unreadable("another JSON".to_owned()))
        }
    }

    /// Runs a verb with types.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn perform<V: Verb>(&mut self, verb: &V) -> Result<Done<V::State>, CallError> {
        let input = serde_json::to_value(verb).map_err(|error| CallError::Input {
            verb: V::NAME.to_owned(),
            found: error.to_string(),
        })?;
        let value = self.call_with(V::NAME, &input, &verb.secrets()).await?;
        typed(V::NAME, value)
    }

    /// Ends the session. What the server does not hear it forgets after its idle time-out.
    pub async fn close(self) {
        let closing = tokio::time::timeout(Duration::from_secs(5), self.session.close());
        if let Ok(Err(error)) = closing.await {
            tracing::debug!(error = in_words(&error), "Close session");
        }
    }

    /// Runs a pipeline whose output is text.
    async fn run(&mut self, verb: &str, pipeline: Pipeline) -> Result<Vec<String>, CallError> {
        let allowed = Allowed {
            time: Some(self.patience),
            cancel: self.stop.clone(),
            ..Allowed::default()
        };
        let run = async {
            let mut call = self.session.call(pipeline, &allowed).await?;
            let mut texts = Vec::new();
            let mut failed = None;
            while let Some(item) = call.next().await? {
                match item {
                    Item::Output(document) => texts.extend(of_document(&document)),
                    Item::Error(record) => {
                        failed.get_or_insert(record);
                    }
                    // What a person would read.
                    _ => {}
                }
            }
            Ok::<_, SessionError>((texts, failed))
        };
        // The session keeps the time itself; where its own end hangs, too, nobody waits for it.
        let ended = tokio::time::timeout(self.patience + Duration::from_secs(10), run).await;
        match ended {
            Ok(Ok((texts, None))) => Ok(texts),
            Ok(Ok((_, Some(record))) | Err(SessionError::Failed { record })) => {
                Err(CallError::of_record(verb, record))
            }
            Ok(Err(error)) => Err(CallError::Unheard {
                verb: verb.to_owned(),
                effect: error.effect().into(),
                why: in_words(&error),
            }),
            Err(_) => Err(CallError::Unheard {
                verb: verb.to_owned(),
                effect: Effect::Unknown,
                why: "no end within the time it was given".to_owned(),
            }),
        }
    }
}

fn of_document(document: &Document<'static>) -> impl Iterator<Item = String> {
    document
        .values
        .iter()
        .filter_map(|value: &Wire<'_>| document.text(value).map(std::borrow::Cow::into_owned))
}

fn typed<S: DeserializeOwned>(verb: &str, value: Value) -> Result<Done<S>, CallError> {
    serde_json::from_value(value).map_err(|error| CallError::Answer {
        verb: verb.to_owned(),
        found: error.to_string(),
    })
}

/// A verb of the contract as a command: by its exact name, so that nothing a plan holds runs anything else.
fn command(verb: &str, input: &Value, secrets: &BTreeMap<&str, &Secret>) -> Result<Command, CallError> {
    let refused = |found: String| CallError::Input {
        verb: verb.to_owned(),
        found,
    };
    let Some(known) = VERBS.iter().find(|known| **known == verb) else {
        return Err(refused("a name that is no verb of the helper".to_owned()));
    };
    let Value::Object(fields) = input else {
        return Err(refused("an input that is no object".to_owned()));
    };
    let mut command = Command::new(*known);
    for (name, value) in fields {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_name || secrets.contains_key(name.as_str()) {
            return Err(refused(format!("the parameter {name:?}")));
        }
        let value = data(value).ok_or_else(|| refused(format!("no value {name} can have")))?;
        command = command.parameter(name, value);
    }
    for (name, secret) in secrets {
        command = command.parameter(*name, Sealed::from(secret.expose()));
    }
    Ok(command)
}

/// A JSON value as a parameter; `None`: no parameter has such a one.
fn data(value: &Value) -> Option<Data> {
    Some(match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::from(*value),
        // The helper's numbers are of 32 bits.
        Value::Number(number) => Data::from(i32::try_from(number.as_i64()?).ok()?),
        Value::String(text) => Data::from(text.as_str()),
        Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            Data::strings(texts?)
        }
        Value::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests;
