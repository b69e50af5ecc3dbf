//! The WinRM endpoint of Windows (`Endpoint::Windows`): one module, recognised by its hash, and the readings and verbs of
//! its contract (`helper/contract.json`), answered from the world. Every other script is refused, and a verb is unknown
//! where only the reading half was sent.
//!
//! How the module comes and how its functions are called: `docs/dev/helper-on-the-wire.md`.

mod changes;
mod json;
mod readings;

use std::collections::BTreeMap;
use std::time::Duration;

use exseal_psrp::clixml::Document;
use exseal_psrp::data::Data;
use exseal_psrp::message::{ErrorCategory, ErrorRecord};
use serde_json::Value;

use crate::call::{Call, Command, End, Interruption, Item, Outcome};
use crate::cmdlets::fault;
use crate::organisation::Language;
use crate::world::{FaultKind, Misanswer, Mistaken, Server, ServerName, World};

/// What makes a module of the text in `-Text`.
const LOADER: &str = "param([string]$Text) New-Module -Name Exseal -ScriptBlock ([ScriptBlock]::Create($Text)) | \
                      Import-Module -Global -DisableNameChecking";

/// Hashes of the modules, as text.
const MODULES: &str = include_str!("modules.txt");

/// Sessions whose module is remembered; the oldest goes first.
const SESSIONS: u64 = 10_000;

/// What a module holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Module {
    /// The readings.
    Reading,
    /// The verbs that change something, too.
    Changing,
}

/// The sessions that loaded a module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    loaded: BTreeMap<(ServerName, uuid::Uuid), (u64, Module)>,
    count: u64,
}

impl Sessions {
    fn load(&mut self, at: &ServerName, runspace: uuid::Uuid, module: Module) {
        self.count += 1;
        let key = (at.clone(), runspace);
        // A second module stands beside the first.
        let module = self.of(at, runspace).map_or(module, |before| before.max(module));
        self.loaded.insert(key, (self.count, module));
        let oldest = self.count.saturating_sub(SESSIONS);
        self.loaded.retain(|_, (loaded, _)| *loaded > oldest);
    }

    fn of(&self, at: &ServerName, runspace: uuid::Uuid) -> Option<Module> {
        self.loaded
            .get(&(at.clone(), runspace))
            .map(|(_, module)| *module)
    }
}

/// SHA-256.
fn hash_of(text: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut hash = [0; 32];
    for (byte, own) in hash.iter_mut().zip(digest.as_ref()) {
        *byte = *own;
    }
    hash
}

fn hex(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;

    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hashes of modules, and what each holds.
fn known_modules() -> impl Iterator<Item = (&'static str, Module)> {
    MODULES
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| match line.split_once(' ') {
            Some((hash, "changing")) => (hash, Module::Changing),
            Some((hash, _)) => (hash, Module::Reading),
            None => (line, Module::Reading),
        })
}

impl World {
    /// What a script of this hash holds; `None`: it may not run.
    fn module_of(&self, hash: &[u8; 32]) -> Option<Module> {
        let text = hex(hash);
        let known = known_modules().find(|(known, _)| *known == text);
        // One that was allowed by hand may be anything.
        let allowed = || self.modules.contains(hash).then_some(Module::Changing);
        known.map(|(_, module)| module).or_else(allowed)
    }

    fn is_administrator(&self, user: &str) -> bool {
        let name = user.rsplit('\\').next().unwrap_or(user);
        let name = name.split('@').next().unwrap_or(name);
        self.users
            .iter()
            .any(|own| own.administrator && own.name.eq_ignore_ascii_case(name))
    }
}

/// Runs a pipeline at a server's Windows endpoint.
pub(crate) fn run(world: &mut World, at: &ServerName, user: &str, call: &Call) -> Outcome {
    let Some(server) = world
        .servers
        .get(at)
        .filter(|server| server.reachable && server.runs("WinRM"))
    else {
        return interrupted(Interruption::DropBefore);
    };
    let language = server.language;
    if !world.is_administrator(user) {
        return Outcome::failed(Vec::new(), access_denied(language));
    }
    let runspace = call.runspace.unwrap_or_default();
    let Some((first, rest)) = call.commands.split_first() else {
        return Outcome::completed(Vec::new());
    };
    if first.is_script {
        return match script(world, first, rest) {
            Ok(module) => {
                world.windows.load(at, runspace, module);
                Outcome::completed(Vec::new())
            }
            Err(found) => Outcome::failed(Vec::new(), script_refused(language, &found)),
        };
    }
    let loaded = world.windows.of(at, runspace);
    if let Some(verb) = changes::find(&first.text).filter(|_| loaded == Some(Module::Changing)) {
        return change(world, at, verb, first, rest);
    }
    let Some(reading) = readings::find(&first.text).filter(|_| loaded.is_some()) else {
        return Outcome::failed(Vec::new(), not_recognised(language, &first.text));
    };
    let arguments = match bind(reading.name, reading.parameters, first, language) {
        Ok(arguments) => arguments,
        Err(error) => return Outcome::failed(Vec::new(), *error),
    };
    let due = match Due::of(world, at, reading.name) {
        Ok(due) => due,
        Err(Early::Throws) => return Outcome::failed(Vec::new(), thrown(language, reading.name)),
        Err(Early::Interrupted(how)) => return interrupted(how),
    };
    let outcome = read(world, at, reading, (&arguments, rest), &due);
    due.end(world, at, outcome)
}

/// A verb of the changing half, and what becomes of its answer.
fn change(
    world: &mut World,
    at: &ServerName,
    verb: &changes::Verb,
    command: &Command,
    rest: &[Command],
) -> Outcome {
    let language = world
        .servers
        .get(at)
        .map_or(Language::En, |server| server.language);
    let given = match changes::bind(verb.name, verb.parameters, command, language) {
        Ok(given) => given,
        Err(error) => return Outcome::failed(Vec::new(), *error),
    };
    let due = match Due::of(world, at, verb.name) {
        Ok(due) => due,
        Err(Early::Throws) => {
            return Outcome::failed(Vec::new(), changes::Refused::thrown().record(verb.name));
        }
        Err(Early::Interrupted(how)) => return interrupted(how),
    };
    let before = fault::held(world, at);
    let acted = if due.answers.is_some_and(|own| own.undone) {
        (verb.act)(&mut world.clone(), at, &given)
    } else {
        (verb.act)(world, at, &given)
    };
    if due.makes_no_key {
        fault::lose_new_keys(world, at, &before);
    }
    let outcome = match acted {
        Ok(done) => match write(due.answer(world, at, vec![done.value()]), rest, language) {
            Ok(output) => Outcome::completed(output.into_iter().map(Item::Output).collect()),
            Err(error) => Outcome::failed(Vec::new(), *error),
        },
        Err(refused) => Outcome::failed(Vec::new(), refused.record(verb.name)),
    };
    due.end(world, at, outcome)
}

/// What faults add to a command that goes on.
#[derive(Default)]
struct Due {
    after: Option<Interruption>,
    delay: Duration,
    answers: Option<Misanswer>,
    makes_no_key: bool,
}

/// A fault that comes before a command acts.
enum Early {
    Throws,
    Interrupted(Interruption),
}

impl Due {
    fn of(world: &mut World, at: &ServerName, command: &str) -> Result<Self, Early> {
        let mut due = Self::default();
        for kind in fault::due(world, [at, at], command) {
            match kind {
                FaultKind::Throws => return Err(Early::Throws),
                FaultKind::TimesOut => return Err(Early::Interrupted(Interruption::Hang)),
                FaultKind::Drops => return Err(Early::Interrupted(Interruption::DropBefore)),
                FaultKind::LosesReply => due.after = Some(Interruption::LoseReply),
                FaultKind::ActsAndHangs => due.after = Some(Interruption::HangAfter),
                FaultKind::Reboot => due.after = Some(Interruption::Reboot),
                FaultKind::Slow(seconds) => due.delay += Duration::from_secs(u64::from(seconds)),
                FaultKind::SecondOperator(line) => fault::second_operator(world, at, line.as_deref()),
                FaultKind::Misanswers(answer) => due.answers = Some(answer),
                FaultKind::MakesNoKey => due.makes_no_key = true,
                // States of a server: they need no command.
                _ => {}
            }
        }
        Ok(due)
    }

    /// What is answered instead.
    fn answer(&self, world: &World, at: &ServerName, values: Vec<Value>) -> Vec<Value> {
        let Some(answer) = self.answers else {
            return values;
        };
        let other = |own: &str| fault::another(world, at, own).unwrap_or_default();
        match answer.how {
            Mistaken::Null => vec![Value::Null],
            Mistaken::Empty => values
                .into_iter()
                .map(|value| json::with_thumbprints(value, &|_| String::new()))
                .collect(),
            Mistaken::Two => values
                .into_iter()
                .flat_map(|value| [value.clone(), json::with_thumbprints(value, &other)])
                .collect(),
        }
    }

    /// What is seen of a command that acted.
    fn end(self, world: &mut World, at: &ServerName, outcome: Outcome) -> Outcome {
        if self.after == Some(Interruption::Reboot) {
            world.reboot(at);
        }
        let mut outcome = self.after.map_or(outcome, interrupted);
        outcome.delay = self.delay;
        outcome
    }
}

fn interrupted(how: Interruption) -> Outcome {
    Outcome {
        end: End::Interrupted(how),
        ..Outcome::completed(Vec::new())
    }
}

/// A reading, and how its values go out.
fn read(
    world: &World,
    at: &ServerName,
    reading: &readings::Reading,
    (arguments, rest): (&[Argument], &[Command]),
    due: &Due,
) -> Outcome {
    let Some(server) = world.servers.get(at) else {
        return Outcome::completed(Vec::new());
    };
    let language = server.language;
    let (values, error) = match (reading.read)(world, server, arguments) {
        Ok(values) => (values, None),
        Err(failure) => (Vec::new(), Some(failure.record(server, reading.name))),
    };
    let output = match write(due.answer(world, at, values), rest, language) {
        Ok(output) => output,
        Err(error) => return Outcome::failed(Vec::new(), *error),
    };
    let items = output.into_iter().map(Item::Output).collect();
    match error {
        None => Outcome::completed(items),
        Some(error) => Outcome::failed(items, error),
    }
}

/// What a script that may run holds; else what was found in its place.
fn script(world: &World, script: &Command, rest: &[Command]) -> Result<Module, String> {
    if !rest.is_empty() {
        return Err("a script in a pipeline".to_owned());
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let text = if words(&script.text) == words(LOADER) {
        match script.arguments.as_slice() {
            [(name, text)]
                if name
                    .as_deref()
                    .is_none_or(|name| name.eq_ignore_ascii_case("Text")) =>
            {
                text_of(text).ok_or_else(|| "a -Text that is no text".to_owned())?
            }
            _ => return Err("the loader without its one -Text".to_owned()),
        }
    } else {
        script.text.clone()
    };
    let hash = hash_of(&text);
    world
        .module_of(&hash)
        .ok_or_else(|| format!("a script of {} bytes with {}", text.len(), hex(&hash)))
}

/// A parameter of a reading.
pub(crate) struct Parameter {
    name: &'static str,
    /// The values it may have, and the one it has when it is not given.
    kind: Kind,
}

/// What a parameter takes.
pub(crate) enum Kind {
    /// One of these words; the first is the default.
    OneOf(&'static [&'static str]),
    /// A whole number, with its default.
    Number(i64),
}

/// An argument that was bound.
pub(crate) enum Argument {
    /// A word of the parameter's list, as the list writes it.
    Word(&'static str),
    /// A number.
    Number(i64),
}

fn bind(
    function: &str,
    parameters: &[Parameter],
    command: &Command,
    language: Language,
) -> Result<Vec<Argument>, Box<ErrorRecord>> {
    let mut bound: Vec<Argument> = parameters
        .iter()
        .map(|parameter| match parameter.kind {
            Kind::OneOf(words) => Argument::Word(words.first().copied().unwrap_or_default()),
            Kind::Number(number) => Argument::Number(number),
        })
        .collect();
    let mut next = 0;
    for (name, value) in &command.arguments {
        let place = match name {
            Some(name) => parameters.iter().position(|own| {
                own.name
                    .get(..name.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(name))
            }),
            None => {
                next += 1;
                Some(next - 1).filter(|place| *place < parameters.len())
            }
        };
        let Some((parameter, slot)) =
            place.and_then(|place| Some((parameters.get(place)?, bound.get_mut(place)?)))
        else {
            return Err(Box::new(no_such_parameter(function, name.as_deref(), language)));
        };
        let text = text_of(value).unwrap_or_default();
        let taken = match parameter.kind {
            Kind::OneOf(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(&text))
                .map(|word| Argument::Word(word)),
            Kind::Number(_) => text.trim().parse().ok().map(Argument::Number),
        };
        match taken {
            Some(argument) => *slot = argument,
            None => return Err(Box::new(no_such_value(function, parameter, &text, language))),
        }
    }
    Ok(bound)
}

/// The text of an argument; `None` for `$null` and what has none.
fn text_of(data: &Data) -> Option<String> {
    match data {
        Data::Value(value) => Document::default().text(value).map(std::borrow::Cow::into_owned),
        Data::Document(document) => document
            .values
            .first()
            .and_then(|value| document.text(value))
            .map(std::borrow::Cow::into_owned),
        _ => None,
    }
}

/// What goes out: objects, or the text `ConvertTo-Json` makes of them.
fn write(
    values: Vec<Value>,
    rest: &[Command],
    language: Language,
) -> Result<Vec<Document<'static>>, Box<ErrorRecord>> {
    let (command, more) = match rest {
        [] => return Ok(values.iter().map(json::object).collect()),
        [command, more @ ..] => (command, more),
    };
    if command.is_script || !command.text.eq_ignore_ascii_case("ConvertTo-Json") {
        return Err(Box::new(not_recognised(language, &command.text)));
    }
    if let Some(command) = more.first() {
        return Err(Box::new(not_recognised(language, &command.text)));
    }
    let mut depth = 2;
    let mut compress = false;
    for (name, value) in &command.arguments {
        let text = text_of(value);
        match name.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("depth") => {
                depth = text
                    .and_then(|text| text.parse().ok())
                    .filter(|depth| (1..=100).contains(depth))
                    .unwrap_or(2);
            }
            Some("compress") => {
                compress = text
                    .as_deref()
                    .is_none_or(|text| text.eq_ignore_ascii_case("true"));
            }
            other => return Err(Box::new(no_such_parameter("ConvertTo-Json", other, language))),
        }
    }
    Ok(json::text(values, depth, compress)
        .map(|text| Document {
            values: vec![exseal_psrp::clixml::Value::String(text.into())],
            ..Document::default()
        })
        .into_iter()
        .collect())
}

fn in_language(language: Language, english: String, german: String) -> String {
    match language {
        Language::En => english,
        Language::De => german,
    }
}

fn access_denied(language: Language) -> ErrorRecord {
    ErrorRecord::new(
        &in_language(
            language,
            "Access is denied.".to_owned(),
            "Zugriff verweigert".to_owned(),
        ),
        "AccessDenied,PSSessionStateBroken",
        ErrorCategory::PermissionDenied,
        "UnauthorizedAccessException",
    )
}

/// What a reading that throws says.
fn thrown(language: Language, function: &str) -> ErrorRecord {
    let mut record = ErrorRecord::new(
        &in_language(
            language,
            "Insufficient system resources exist to complete the requested service. (Exception from HRESULT: 0x800705AA)"
                .to_owned(),
            "Es sind nicht genügend Systemressourcen vorhanden, um den angeforderten Dienst auszuführen. (Ausnahme von \
             HRESULT: 0x800705AA)"
                .to_owned(),
        ),
        &format!("System.Runtime.InteropServices.COMException,{function}"),
        ErrorCategory::NotSpecified,
        "COMException",
    );
    record.category.activity = function.to_owned();
    record
}

fn script_refused(language: Language, found: &str) -> ErrorRecord {
    let expected = known_modules()
        .map(|(hash, _)| hash)
        .collect::<Vec<_>>()
        .join(" or ");
    ErrorRecord::new(
        &in_language(
            language,
            format!(
                "This simulated server runs no scripts but exseal's helper: expected a module with the SHA-256 \
                 {expected}, found {found}."
            ),
            format!(
                "Dieser simulierte Server führt keine Skripts aus, nur den Helfer von exseal: erwartet wurde ein \
                 Modul mit dem SHA-256 {expected}, gefunden wurde {found}."
            ),
        ),
        "ScriptsNotAllowed",
        ErrorCategory::SecurityError,
        "PSNotSupportedException",
    )
}

fn not_recognised(language: Language, name: &str) -> ErrorRecord {
    let mut record = ErrorRecord::new(
        &in_language(
            language,
            format!(
                "The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable \
                 program. Check the spelling of the name, or if a path was included, verify that the path is correct \
                 and try again."
            ),
            format!(
                "Die Benennung \"{name}\" wurde nicht als Name eines Cmdlet, einer Funktion, einer Skriptdatei oder \
                 eines ausführbaren Programms erkannt. Überprüfen Sie die Schreibweise des Namens, oder ob der Pfad \
                 korrekt ist (sofern enthalten), und wiederholen Sie den Vorgang."
            ),
        ),
        "CommandNotFoundException",
        ErrorCategory::ObjectNotFound,
        "CommandNotFoundException",
    );
    record.category.target_name = name.to_owned();
    record.category.target_type = "String".to_owned();
    record.target = Some(name.to_owned());
    record
}

fn no_such_parameter(function: &str, name: Option<&str>, language: Language) -> ErrorRecord {
    let mut record = match name {
        Some(name) => ErrorRecord::new(
            &in_language(
                language,
                format!("A parameter cannot be found that matches parameter name '{name}'."),
                format!("Es wurde kein Parameter gefunden, der dem Parameternamen \"{name}\" entspricht."),
            ),
            &format!("NamedParameterNotFound,{function}"),
            ErrorCategory::InvalidArgument,
            "ParameterBindingException",
        ),
        None => ErrorRecord::new(
            &in_language(
                language,
                "A positional parameter cannot be found that accepts argument.".to_owned(),
                "Es wurde kein Positionsparameter gefunden, der das Argument akzeptiert.".to_owned(),
            ),
            &format!("PositionalParameterNotFound,{function}"),
            ErrorCategory::InvalidArgument,
            "ParameterBindingException",
        ),
    };
    record.category.activity = function.to_owned();
    record
}

fn no_such_value(function: &str, parameter: &Parameter, found: &str, language: Language) -> ErrorRecord {
    let name = parameter.name;
    let (id, english, german) = match parameter.kind {
        Kind::OneOf(words) => {
            let words = words.join(",");
            (
                "ParameterArgumentValidationError",
                format!(
                    "Cannot validate argument on parameter '{name}'. The argument \"{found}\" does not belong to the \
                     set \"{words}\" specified by the ValidateSet attribute."
                ),
                format!(
                    "Das Argument für den Parameter \"{name}\" kann nicht überprüft werden. Das Argument \"{found}\" \
                     gehört nicht zu dem vom ValidateSet-Attribut angegebenen Satz \"{words}\"."
                ),
            )
        }
        Kind::Number(_) => (
            "ParameterArgumentTransformationError",
            format!(
                "Cannot process argument transformation on parameter '{name}'. Cannot convert value \"{found}\" to \
                 type \"System.Int32\"."
            ),
            format!(
                "Die Argumenttransformation für den Parameter \"{name}\" kann nicht verarbeitet werden. Der Wert \
                 \"{found}\" kann nicht in den Typ \"System.Int32\" konvertiert werden."
            ),
        ),
    };
    let mut record = ErrorRecord::new(
        &in_language(language, english, german),
        &format!("{id},{function}"),
        ErrorCategory::InvalidData,
        "ParameterBindingValidationException",
    );
    record.category.activity = function.to_owned();
    record
}

/// A reading that Windows refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// 0x80070002: what is asked is not there.
    NotThere,
}

impl Failure {
    fn record(self, server: &Server, function: &str) -> ErrorRecord {
        let Self::NotThere = self;
        let mut record = ErrorRecord::new(
            &in_language(
                server.language,
                "The system cannot find the file specified. (Exception from HRESULT: 0x80070002)".to_owned(),
                "Das System kann die angegebene Datei nicht finden. (Ausnahme von HRESULT: 0x80070002)"
                    .to_owned(),
            ),
            &format!("System.IO.FileNotFoundException,{function}"),
            ErrorCategory::ObjectNotFound,
            "FileNotFoundException",
        );
        record.category.activity = function.to_owned();
        record
    }
}

#[cfg(test)]
mod tests;
