//! `exseal session` for people and programs.

use std::fmt::Write as _;

use exseal_exchange::console::{RemoteError, Told};
use exseal_exchange::session::{Effect, Session, SessionError};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::paint::{BOLD, DIM, columns, cut, padded, styled, wrapped};
use crate::command_error::CommandError;
use crate::context::Context;

/// How a session is protected, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Way {
    /// The scheme of HTTP: Basic, Negotiate, NTLM, Kerberos; null on this machine.
    scheme: Option<String>,
    /// What proved who we are: ntlm or kerberos; null: a password, or this machine's own log-on.
    mechanism: Option<String>,
    /// Whether every body is encrypted and signed by that.
    sealed: bool,
    /// Whether TLS is around it.
    tls: bool,
    /// Whom the server takes us for, where it says so.
    as_whom: Option<String>,
}

impl Way {
    pub(crate) fn of(session: &Session) -> Self {
        let way = session.way();
        Self {
            scheme: way.as_ref().map(|way| way.scheme.to_owned()),
            mechanism: way
                .as_ref()
                .and_then(|way| way.mechanism)
                .map(|mechanism| format!("{mechanism:?}").to_lowercase()),
            sealed: way.as_ref().is_some_and(|way| way.is_sealed),
            tls: way.as_ref().is_some_and(|way| way.is_tls),
            as_whom: session.owner().map(str::to_owned),
        }
    }

    fn words(&self) -> String {
        let Some(scheme) = &self.scheme else {
            return "on this machine, as whoever runs exseal".to_owned();
        };
        let by = match &self.mechanism {
            Some(mechanism) if !mechanism.eq_ignore_ascii_case(scheme) => format!("{scheme} ({mechanism})"),
            _ => scheme.clone(),
        };
        let protection = match (self.sealed, self.tls) {
            (true, true) => "sealed, within TLS",
            (true, false) => "sealed",
            (false, true) => "within TLS",
            (false, false) => "in clear text",
        };
        let whom = self
            .as_whom
            .as_ref()
            .map_or_else(String::new, |whom| format!("as {whom}, "));
        format!("{whom}{by}, {protection}")
    }
}

/// An error of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ErrorLine {
    /// In the server's language.
    message: String,
    /// `FullyQualifiedErrorId`.
    id: String,
    /// The category, as `ObjectNotFound`.
    category: String,
    /// The exception's short name, as a rule.
    reason: String,
    /// What to do, in the server's words.
    recommended: Option<String>,
    /// Whether it ended the command.
    terminating: bool,
}

impl ErrorLine {
    fn of(error: RemoteError, terminating: bool) -> Self {
        Self {
            message: error.message,
            id: error.id,
            category: error.category,
            reason: error.reason,
            recommended: error.recommended,
            terminating,
        }
    }

    fn words(&self) -> String {
        let mut words = format!(
            "error: {} ({}: {}, {})",
            self.message.trim_end(),
            self.category,
            self.reason,
            self.id
        );
        if let Some(recommended) = &self.recommended {
            let _ = write!(words, "\n  {recommended}");
        }
        words
    }
}

/// What `exseal session exec --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Executed {
    /// The version of this format: 1.
    format: u32,
    /// exchange, server or local.
    channel: String,
    /// The endpoint, or the program.
    address: String,
    /// The cmdlet as it was typed; its parameters are not repeated.
    cmdlet: String,
    /// How the session is protected, and as whom.
    way: Way,
    /// What it wrote: objects with their properties, lists, or single values. Bytes are Base64.
    objects: Vec<Value>,
    /// Errors in the order they came.
    pub(crate) errors: Vec<ErrorLine>,
    /// Warnings.
    warnings: Vec<String>,
    /// Verbose, debug and information messages.
    messages: Vec<String>,
    /// Questions it asked; nobody answers here.
    asked: Vec<String>,
    /// completed, failed, stopped, or unknown: no word of its end came.
    ended: String,
}

impl Executed {
    pub(crate) fn new(channel: &str, address: &str, cmdlet: &str, way: Way) -> Self {
        Self {
            format: 1,
            channel: channel.to_owned(),
            address: address.to_owned(),
            cmdlet: cmdlet.to_owned(),
            way,
            objects: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            messages: Vec::new(),
            asked: Vec::new(),
            ended: "completed".to_owned(),
        }
    }

    /// Keeps what was told, and gives the words for a person, where they do not belong to the table.
    pub(crate) fn take(&mut self, told: Told) -> Option<String> {
        match told {
            Told::Object(value) => {
                self.objects.push(value);
                None
            }
            Told::Error(error) => {
                let line = ErrorLine::of(*error, false);
                let words = line.words();
                self.errors.push(line);
                Some(words)
            }
            Told::Warning(text) => {
                let words = format!("warning: {text}");
                self.warnings.push(text);
                Some(words)
            }
            Told::Message(text) => {
                self.messages.push(text.clone());
                Some(text)
            }
            Told::Elsewhere { asked, found } => {
                let text = format!("{asked} was asked, and an object of {found} came");
                let words = format!("warning: {text}");
                self.warnings.push(text);
                Some(words)
            }
            Told::Asked(question) => {
                let words = format!("it asked, and nobody answers here: {question}");
                self.asked.push(question);
                Some(words)
            }
            Told::Progress(_) => None,
        }
    }

    /// How it ended, when it did not complete.
    pub(crate) fn failed(&mut self, error: &SessionError) {
        self.ended = match error {
            SessionError::Failed { record } => {
                let line = ErrorLine::of(RemoteError::from(&**record), true);
                self.errors.push(line);
                "failed"
            }
            SessionError::Stopped | SessionError::Deadline { .. } => "stopped",
            other if other.effect() == Effect::None => "failed",
            _ => "unknown",
        }
        .to_owned();
    }
}

/// Properties that tell most, in this order, where an object has them; the others follow in their own order.
const TELLING: [&str; 16] = [
    "Name",
    "Identity",
    "Server",
    "Thumbprint",
    "Services",
    "Status",
    "NotAfter",
    "Subject",
    "State",
    "Enabled",
    "AdminDisplayVersion",
    "ServerRole",
    "Fqdn",
    "TlsCertificateName",
    "InternalUrl",
    "ExternalUrl",
];

/// Columns wider than this are cut, so that others have room.
const WIDEST: usize = 44;

/// The objects as a table; one alone as its properties, a line each.
pub(crate) fn table(executed: &Executed, context: &Context) -> String {
    let (shapes, values): (Vec<&Value>, Vec<&Value>) =
        executed.objects.iter().partition(|value| value.is_object());
    let mut out = String::new();
    for value in values {
        let _ = writeln!(out, "{}", cell(value));
    }
    match shapes.as_slice() {
        [] => {}
        [one] => properties(&mut out, one, context),
        many => rows(&mut out, many, context),
    }
    if executed.objects.is_empty() && executed.ended == "completed" && executed.errors.is_empty() {
        let _ = writeln!(out, "{}", styled(DIM, "no objects"));
    }
    out
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['\r', '\n'], " "),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(cell).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(name, value)| format!("{name}={}", cell(value)))
                .collect();
            format!("{{{}}}", entries.join("; "))
        }
        other => other.to_string(),
    }
}

fn properties(out: &mut String, shape: &Value, context: &Context) {
    let Some(entries) = shape.as_object() else {
        return;
    };
    let wide = entries.keys().map(|name| columns(name)).max().unwrap_or(0);
    for (name, value) in entries {
        let head = format!("{} : ", padded(name, wide));
        let hanging = " ".repeat(wide + 3);
        out.push_str(&wrapped(
            &cell(value),
            &styled(BOLD, &head),
            &hanging,
            context.width,
        ));
    }
}

fn rows(out: &mut String, shapes: &[&Value], context: &Context) {
    let mut names: Vec<&str> = Vec::new();
    let has = |name: &str| {
        shapes
            .iter()
            .any(|shape| shape.get(name).is_some_and(|value| !value.is_null()))
    };
    names.extend(TELLING.iter().copied().filter(|name| has(name)));
    for shape in shapes {
        for name in shape.as_object().into_iter().flat_map(|shape| shape.keys()) {
            if !names.contains(&name.as_str()) && has(name) {
                names.push(name);
            }
        }
    }
    let text = |shape: &Value, name: &str| shape.get(name).map_or_else(String::new, cell);
    let mut taken = 0;
    let mut chosen: Vec<(&str, usize)> = Vec::new();
    for name in &names {
        let widest = shapes
            .iter()
            .map(|shape| columns(&text(shape, name)))
            .max()
            .unwrap_or(0);
        let width = widest.max(columns(name)).min(WIDEST);
        if taken + width > context.width && !chosen.is_empty() {
            break;
        }
        taken += width + 2;
        chosen.push((name, width));
    }
    let line = |cells: Vec<String>| cells.join("  ").trim_end().to_owned();
    let head = chosen
        .iter()
        .map(|(name, width)| padded(&cut(name, *width), *width));
    let _ = writeln!(out, "{}", styled(BOLD, &line(head.collect())));
    for shape in shapes {
        let cells = chosen
            .iter()
            .map(|(name, width)| padded(&cut(&text(shape, name), *width), *width));
        let _ = writeln!(out, "{}", line(cells.collect()));
    }
    let left = names.len() - chosen.len();
    if left > 0 {
        let words = format!("properties not shown: {left}; --json shows them all");
        let _ = writeln!(out, "{}", styled(DIM, &words));
    }
}

/// A way in, looked at.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// exchange, server or local.
    channel: String,
    /// The endpoint, or the program.
    address: String,
    /// open; absent: the server answers and has no such endpoint, which is a fact about its build; shut; not-tried.
    state: String,
    /// How it is protected, and as whom; null unless open.
    way: Option<Way>,
    /// Exchange's build, as it was told over this way.
    build: Option<String>,
    /// What is missing, though it is open.
    missing: Vec<String>,
    /// Why it is not open.
    why: Option<String>,
    /// What may help.
    hint: Option<String>,
    #[serde(skip)]
    refused: bool,
}

/// What `exseal session check --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckedAll<'a> {
    /// The version of this format: 1.
    format: u32,
    /// The server.
    server: &'a str,
    /// The ways that were looked at.
    ways: &'a [Checked],
}

impl Checked {
    fn new(channel: &str, address: &str, state: &str) -> Self {
        Self {
            channel: channel.to_owned(),
            address: address.to_owned(),
            state: state.to_owned(),
            way: None,
            build: None,
            missing: Vec::new(),
            why: None,
            hint: None,
            refused: false,
        }
    }

    pub(crate) fn open(channel: &str, address: &str, way: Way, build: Result<String, String>) -> Self {
        let mut checked = Self::new(channel, address, "open");
        checked.way = Some(way);
        match build {
            Ok(build) => checked.build = Some(build),
            Err(why) => checked.missing.push(format!("the build: {why}")),
        }
        checked
    }

    pub(crate) fn shut(channel: &str, address: &str, error: &SessionError, shown: &CommandError) -> Self {
        let state = if error.is_no_endpoint() { "absent" } else { "shut" };
        let mut checked = Self::new(channel, address, state);
        checked.refused = error.is_refusal();
        let (why, hint) = shown.words();
        checked.why = Some(why);
        checked.hint = hint;
        checked
    }

    pub(crate) fn not_tried(channel: &str, address: &str) -> Self {
        let mut checked = Self::new(channel, address, "not-tried");
        checked.why = Some("the other way refused the log-on".to_owned());
        checked.hint =
            Some("a second wrong password may lock the account; --channel tries it alone".to_owned());
        checked
    }

    pub(crate) const fn was_refused(&self) -> bool {
        self.refused
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == "open"
    }
}

pub(crate) const fn checked_json<'a>(server: &'a str, ways: &'a [Checked]) -> CheckedAll<'a> {
    CheckedAll {
        format: 1,
        server,
        ways,
    }
}

pub(crate) fn checked_text(server: &str, ways: &[Checked], context: &Context) -> String {
    let mut out = format!("{}\n", styled(BOLD, server));
    for checked in ways {
        let sign = if checked.is_open() { "✓" } else { "✗" };
        let head = format!("  {sign} {}  ", padded(&checked.channel, 8));
        let _ = writeln!(out, "{head}{}  {}", checked.state, styled(DIM, &checked.address));
        let lines = checked
            .way
            .iter()
            .map(Way::words)
            .chain(checked.build.iter().map(|build| format!("build {build}")))
            .chain(checked.missing.iter().map(|what| format!("missing: {what}")))
            .chain(checked.why.clone())
            .chain(checked.hint.iter().map(|hint| format!("hint: {hint}")));
        for line in lines {
            let indent = " ".repeat(14);
            out.push_str(&wrapped(&line, &indent, &format!("{indent}  "), context.width));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> Context {
        Context {
            width: 60,
            width_stderr: 60,
            colour: false,
            colour_stderr: false,
            progress: false,
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    fn shown(objects: &[Value]) -> String {
        let mut executed = Executed::new("exchange", "x", "Get-X", Way::default());
        for object in objects {
            executed.take(Told::Object(object.clone()));
        }
        table(&executed, &context())
            .lines()
            .map(|line| anstream::adapter::strip_str(line).to_string() + "\n")
            .collect()
    }

    #[test]
    fn many_objects_are_a_table_of_what_tells_most() {
        let one = |thumbprint: &str| {
            json!({"RunspaceId": "8f3c", "CertificateDomains": ["mail.example.org", "autodiscover.example.org"],
                   "Services": "IIS", "Thumbprint": thumbprint, "Nothing": null})
        };
        assert_eq!(
            shown(&[one("AB01"), one("CD")]),
            "Thumbprint  Services\nAB01        IIS\nCD          IIS\nproperties not shown: 2; --json shows them all\n"
        );
    }

    #[test]
    fn one_object_is_its_properties() {
        assert_eq!(
            shown(&[json!({"Name": "EX1", "Roles": ["a", "b"], "On": true, "None": null})]),
            "Name  : EX1\nNone  : \nOn    : true\nRoles : {a, b}\n"
        );
    }

    #[test]
    fn values_stand_for_themselves_and_nothing_is_said_to_be_nothing() {
        assert_eq!(shown(&[json!("slept"), json!(3)]), "slept\n3\n");
        assert_eq!(shown(&[]), "no objects\n");
    }
}
