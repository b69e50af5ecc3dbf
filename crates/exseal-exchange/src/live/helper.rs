//! The helper on the server itself: certificate stores, http.sys, IIS, services, events.
//!
//! The module goes over once a session, as text, into a session that runs scripts (WinRM's own endpoint, a local
//! PowerShell). Each reading is one function and `ConvertTo-Json`, whose text is the collector's `result`
//! (helper/contract.json; docs/dev/helper-on-the-wire.md): objects of PowerShell would lose what lies deeper than a level.

use exseal_psrp::clixml::Value as Object;
use exseal_psrp::message::{Command, Pipeline};
use serde_json::{Value, json};

use super::{Asked, Read, Shell, Unanswered};
use crate::files::answers;

/// The helper module, as it is sent.
pub const MODULE: &str = include_str!("../../../../helper/Exseal.psm1");

/// Makes a module of text that is handed over as an argument, so that nothing of it is parsed twice.
pub(crate) const LOAD: &str = "param([string]$Text) New-Module -Name Exseal -ScriptBlock ([ScriptBlock]::Create($Text)) | Import-Module -Global -DisableNameChecking";

/// The readings, as the collector makes them. The stores first: they are what everything else refers to.
const READINGS: &[(&str, Option<&str>)] = &[
    ("Get-ExsealClock", None),
    ("Get-ExsealStore", Some("My")),
    ("Get-ExsealHttpSys", None),
    ("Get-ExsealWebSite", None),
    ("Get-ExsealStore", Some("REQUEST")),
    ("Get-ExsealStore", Some("Root")),
    ("Get-ExsealStore", Some("CA")),
    ("Get-ExsealStore", Some("WebHosting")),
    ("Get-ExsealAppPool", None),
    ("Get-ExsealService", None),
    ("Get-ExsealEvent", None),
    ("Get-ExsealBuild", None),
    ("Get-ExsealRegistry", None),
    ("Get-ExsealTask", None),
    ("Get-ExsealLogLine", None),
    ("Get-ExsealDisk", None),
];

/// Sends the helper into a session. Doing so twice in one session is the same as doing it once.
///
/// # Errors
///
/// [`Unanswered`]: a session that runs no scripts refuses.
pub async fn load(shell: &mut impl Shell) -> Result<(), Unanswered> {
    let command = Command::script(LOAD).parameter("Text", MODULE);
    let answer = shell
        .run(&Pipeline::from(command).without_invocation_info())
        .await?;
    match answer.errors.into_iter().next() {
        None => Ok(()),
        Some(record) => Err(Unanswered::Failed(Box::new(record))),
    }
}

/// Reads everything the helper reads. `name` is the server's FQDN, by which the session was opened.
pub async fn helper(shell: &mut impl Shell, asked: Asked<'_>, name: &str) -> Read {
    readings(shell, asked, name, READINGS).await
}

/// Reads some of what the helper reads: functions of it, and of a store its name.
pub async fn readings(
    shell: &mut impl Shell,
    asked: Asked<'_>,
    name: &str,
    readings: &[(&str, Option<&str>)],
) -> Read {
    let mut read = Read::new();
    match load(shell).await {
        Ok(()) => {}
        Err(Unanswered::Failed(record)) => {
            read.broken = Some(format!("the helper was refused: {record}"));
            return read;
        }
        Err(Unanswered::Gone(why)) => {
            read.broken = Some(why);
            return read;
        }
    }
    for (function, store) in readings {
        let mut command = Command::new(*function);
        if let Some(store) = store {
            command = command.parameter("Name", *store);
        }
        let json = Command::new("ConvertTo-Json")
            .parameter("Depth", 8)
            .switch("Compress");
        let pipeline = Pipeline::new([command, json]).without_invocation_info();
        let label = store.map_or_else(
            || (*function).to_owned(),
            |store| format!("{function} -Name {store}"),
        );
        match shell.run(&pipeline).await {
            Ok(answer) => {
                for record in &answer.errors {
                    read.failed(asked, &label, record);
                }
                let texts: Vec<String> = answer
                    .objects
                    .iter()
                    .flat_map(|document| {
                        document.values.iter().filter_map(|value: &Object<'_>| {
                            document.text(value).map(std::borrow::Cow::into_owned)
                        })
                    })
                    .collect();
                let reading = reading(function, *store, name, asked, &texts);
                let mut inventory = answers::read_reading(asked.address, asked.at, &reading);
                if !answer.errors.is_empty() {
                    answers::not_whole(&mut inventory);
                }
                read.take(inventory);
                read.answered += 1;
            }
            Err(Unanswered::Failed(record)) => read.failed(asked, &label, &record),
            Err(Unanswered::Gone(why)) => {
                read.broken = Some(why);
                break;
            }
        }
    }
    read
}

/// What the collector would have written. A text that is no JSON becomes no list, which its reader notes.
fn reading(function: &str, store: Option<&str>, server: &str, asked: Asked<'_>, texts: &[String]) -> Value {
    let mut items = Vec::new();
    let mut whole = true;
    for text in texts {
        match serde_json::from_str(text).map(unwrapped) {
            Ok(Value::Array(more)) => items.extend(more),
            Ok(one) => items.push(one),
            Err(_) => whole = false,
        }
    }
    let arguments = store.map_or_else(|| json!({}), |store| json!({ "Name": store }));
    json!({
        "exseal": { "function": function, "arguments": arguments, "server": server, "at": asked.at.to_string() },
        "result": if whole { Value::Array(items) } else { Value::Null },
    })
}

/// Windows PowerShell 5.1 writes some arrays as `{"value": […], "Count": n}`.
pub(crate) fn unwrapped(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(unwrapped).collect()),
        Value::Object(mut fields) => {
            let wrapped = fields.len() == 2 && fields.get("Count").is_some_and(Value::is_u64);
            if wrapped && let Some(Value::Array(items)) = fields.remove("value") {
                return Value::Array(items.into_iter().map(unwrapped).collect());
            }
            Value::Object(
                fields
                    .into_iter()
                    .map(|(key, value)| (key, unwrapped(value)))
                    .collect(),
            )
        }
        plain => plain,
    }
}
