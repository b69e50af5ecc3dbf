//! One cmdlet as a person types it, run over a session: what `exseal session` stands on.
//!
//! Words are values, never script text: nothing a person types is parsed by a PowerShell.

mod object;
mod typed;

use exseal_psrp::message::{ErrorRecord, Pipeline};
use serde_json::Value;

pub use typed::{Given, Typed, TypedError};

use crate::live::{Shell, Unanswered, load};
use crate::session::{Allowed, Item, Session, SessionError};

/// Something a command wrote, in the order the server sent it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An object as JSON: its properties, a list, or one value. Bytes are Base64; an enumeration is its text.
    Object(Value),
    /// An error that did not end the command.
    Error(Box<RemoteError>),
    /// A warning.
    Warning(String),
    /// A verbose, debug or information message.
    Message(String),
    /// How far it is, in words.
    Progress(String),
    /// It asked this, and nobody answers here.
    Asked(String),
    /// An object of another server than the one that was asked; it follows as [`Told::Object`].
    Elsewhere {
        /// The server that was asked.
        asked: String,
        /// The one the object says it is of.
        found: String,
    },
}

/// An error of PowerShell, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    /// In the server's language.
    pub message: String,
    /// `FullyQualifiedErrorId`.
    pub id: String,
    /// The category's name, as `ObjectNotFound`.
    pub category: String,
    /// The exception's short name, as a rule.
    pub reason: String,
    /// What to do, in the server's words.
    pub recommended: Option<String>,
}

impl From<&ErrorRecord> for RemoteError {
    fn from(record: &ErrorRecord) -> Self {
        Self {
            message: record.message.clone(),
            id: record.fully_qualified_error_id.clone(),
            category: format!("{:?}", record.category.category),
            reason: record.category.reason.clone(),
            recommended: record.recommended_action.clone().filter(|text| !text.is_empty()),
        }
    }
}

/// Runs a cmdlet to its end and tells what it writes as it comes.
///
/// `asked` is the server that was asked about, where its objects say whose they are (facts/powershell-remoting.md 3.1: a
/// front end may proxy to any server).
///
/// # Errors
///
/// As [`crate::session::Call::next`]; [`SessionError::effect`] says what is known.
pub async fn run(
    session: &mut Session,
    given: &Given,
    asked: Option<&str>,
    allowed: &Allowed,
    mut told: impl FnMut(Told),
) -> Result<(), SessionError> {
    let mut call = session.call(Pipeline::from(given.command()), allowed).await?;
    while let Some(item) = call.next().await? {
        match item {
            Item::Output(document) => {
                let value = object::json(&document);
                if let Some((asked, found)) = asked.and_then(|asked| of_another(asked, &value)) {
                    told(Told::Elsewhere { asked, found });
                }
                told(Told::Object(value));
            }
            Item::Error(record) => told(Told::Error(Box::new(RemoteError::from(&*record)))),
            Item::Warning(text) => told(Told::Warning(text)),
            Item::Verbose(text) | Item::Debug(text) => told(Told::Message(text)),
            Item::Information(record) => told(Told::Message(record.message)),
            Item::Progress(record) if !record.completed => {
                let percent = match record.percent_complete {
                    0.. => format!(" {} %", record.percent_complete),
                    _ => String::new(),
                };
                told(Told::Progress(format!(
                    "{}: {}{percent}",
                    record.activity, record.status
                )));
            }
            Item::Refused(call) => {
                let question = call.choice_prompt().map_or_else(
                    || call.method.name().to_owned(),
                    |prompt| format!("{} {}", prompt.caption, prompt.message),
                );
                told(Told::Asked(question));
            }
            Item::Progress(_) => {}
        }
    }
    Ok(())
}

/// The server an object says it is of (`Identity` as `server\thumbprint`), where that is another than the one asked.
fn of_another(asked: &str, value: &Value) -> Option<(String, String)> {
    let identity = value.get("Identity")?.as_str()?;
    let (found, _) = identity.split_once('\\')?;
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    (first(found) != first(asked)).then(|| (asked.to_owned(), found.to_owned()))
}

/// Adds Exchange's snap-in to a local PowerShell; where there is none, cmdlets of Windows still run.
pub async fn add_snap_in(session: &mut Session) {
    use exseal_psrp::message::Command;
    let add =
        Command::new("Add-PSSnapin").parameter("Name", "Microsoft.Exchange.Management.PowerShell.SnapIn");
    if let Err(error) = session.run(Pipeline::from(add), &Allowed::default()).await {
        tracing::debug!(%error, "No snap-in of Exchange");
    }
}

/// The build of a server, as its own Exchange says: `15.2.1748.10` in whatever form the answer has it.
///
/// # Errors
///
/// In words: why it is not known.
pub async fn build_by_cmdlet(shell: &mut impl Shell, server: &str) -> Result<String, String> {
    use exseal_psrp::data::Data;
    use exseal_psrp::message::Command;
    let ask = Pipeline::new([
        Command::new("Get-ExchangeServer").parameter("Identity", server),
        Command::new("Select-Object").parameter("Property", Data::strings(["AdminDisplayVersion"])),
    ])
    .without_invocation_info();
    let answer = shell.run(&ask).await.map_err(words)?;
    if let Some(record) = answer.errors.first() {
        return Err(record.to_string());
    }
    answer
        .objects
        .first()
        .map(object::json)
        .and_then(|value| match value.get("AdminDisplayVersion") {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        })
        .ok_or_else(|| "expected AdminDisplayVersion, found none".to_owned())
}

/// The build of a server, as the helper reads it from Exchange's own program (ExSetup.exe).
///
/// # Errors
///
/// In words: the helper was refused, or the server has no Exchange.
pub async fn build_by_helper(shell: &mut impl Shell) -> Result<String, String> {
    use exseal_psrp::message::Command;
    load(shell)
        .await
        .map_err(|error| format!("the helper was refused: {}", words(error)))?;
    let ask = Pipeline::new([
        Command::new("Get-ExsealBuild"),
        Command::new("ConvertTo-Json")
            .parameter("Depth", 8)
            .switch("Compress"),
    ])
    .without_invocation_info();
    let answer = shell.run(&ask).await.map_err(words)?;
    if let Some(record) = answer.errors.first() {
        return Err(record.to_string());
    }
    let text = answer.objects.first().map(object::json);
    let told = text
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let first = told.as_ref().and_then(|told| match told {
        Value::Array(items) => items.first(),
        other => Some(other),
    });
    match first.map(|build| &build["exsetup"]) {
        Some(Value::String(build)) => Ok(build.clone()),
        Some(Value::Null) => Err("no Exchange is installed there".to_owned()),
        _ => Err("expected the answer of Get-ExsealBuild, found something else".to_owned()),
    }
}

fn words(unanswered: Unanswered) -> String {
    match unanswered {
        Unanswered::Failed(record) => record.to_string(),
        Unanswered::Gone(why) => why,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_of_another_server_is_seen() {
        let of = |identity: &str| of_another("EX1.example.org", &json!({ "Identity": identity }));
        assert_eq!(of(r"ex1.example.org\AB"), None);
        assert_eq!(of(r"EX1\AB"), None);
        assert_eq!(of("no server in it"), None);
        assert_eq!(
            of(r"ex2.example.org\AB"),
            Some(("EX1.example.org".to_owned(), "ex2.example.org".to_owned()))
        );
    }
}
