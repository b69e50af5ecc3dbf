//! A cmdlet at work: its arguments, the world, what it says, and the questions it asks.

use exseal_psrp::message::ErrorRecord;
use exseal_psrp::secret::Secret;
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::argument::Bound;
use super::bind::Arguments;
use super::error::{Problem, language_of, say};
use super::object::{PsObject, PsValue};
use super::table::Cmdlet;
use crate::call::{Answer, Endpoint};
use crate::organisation::Language;
use crate::world::{Server, ServerName, World};

/// What a cmdlet gave, in order.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Object(PsValue),
    Error(Box<ErrorRecord>),
    Warning(String),
}

/// Why a cmdlet does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A terminating error.
    Failed(Box<ErrorRecord>),
    /// A question without an answer yet: the same object is worked on again when there is one.
    Asked(Question),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) caption: String,
    pub(crate) message: String,
    pub(crate) choices: Vec<(String, String)>,
    pub(crate) default: usize,
}

/// What was said about the questions of a command so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// Of the object at work, in the order of its questions.
    pub(crate) of_object: Vec<bool>,
    /// `Yes to All` or `No to All`, per kind of question.
    pub(crate) all: Vec<(&'static str, bool)>,
    /// The question that waits, by kind.
    pub(crate) waiting: Option<(&'static str, Question)>,
    /// What the object's work has done before its question, to be found again by the work that goes on.
    pub(crate) done: Vec<(&'static str, String)>,
}

impl Answers {
    /// Forgets what was about one object.
    pub(crate) fn next_object(&mut self) {
        self.of_object.clear();
        self.done.clear();
        self.waiting = None;
    }

    /// Takes an answer. `Err`: nobody could be asked; `Ok(false)`: it is to be asked again.
    pub(crate) fn take(&mut self, answer: Answer) -> Result<bool, Question> {
        let Some((kind, question)) = self.waiting.take() else {
            return Ok(true);
        };
        match answer {
            Answer::NoHost => return Err(question),
            Answer::Choice(0) => self.of_object.push(true),
            Answer::Choice(1) => {
                self.of_object.push(true);
                self.all.push((kind, true));
            }
            Answer::Choice(2) => self.of_object.push(false),
            Answer::Choice(3) => {
                self.of_object.push(false);
                self.all.push((kind, false));
            }
            // Suspend: a prompt within the prompt, and then the question again.
            Answer::Choice(_) => {
                self.waiting = Some((kind, question));
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A cmdlet at work on one object of the pipeline, or on none.
pub(crate) struct Run<'r> {
    pub(crate) world: &'r mut World,
    /// The server the session is on.
    pub(crate) at: ServerName,
    pub(crate) door: Endpoint,
    /// Who called.
    pub(crate) user: &'r str,
    pub(crate) cmdlet: &'static Cmdlet,
    pub(crate) arguments: &'r Arguments,
    pub(crate) answers: &'r mut Answers,
    pub(crate) asked: usize,
    pub(crate) said: Vec<Said>,
}

impl Run<'_> {
    /// Whether a parameter was given, `$null` included.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.arguments.given(name)
    }

    /// A text; `None` when it was not given or is `$null`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.arguments.get(name)? {
            Bound::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Texts; `None` when not given, none for `$null` and `@()`.
    pub(crate) fn texts(&self, name: &str) -> Option<&[String]> {
        match self.arguments.get(name)? {
            Bound::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// A switch or a truth value; false when not given.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.boolean(name).unwrap_or(false)
    }

    /// A truth value; `None` when not given or `$null`.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match self.arguments.get(name)? {
            Bound::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.arguments.get(name)? {
            Bound::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.arguments.get(name)? {
            Bound::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A SecureString.
    pub(crate) fn secret(&self, name: &str) -> Option<&Secret> {
        match self.arguments.get(name)? {
            Bound::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// A moment, and the server's wall clock then.
    pub(crate) fn time(&self, name: &str) -> Option<(Timestamp, DateTime)> {
        match self.arguments.get(name)? {
            Bound::Time(at, wall) => Some((*at, *wall)),
            _ => None,
        }
    }

    /// The language of the session's server.
    pub(crate) fn language(&self) -> Language {
        language_of(self.world, &self.at)
    }

    /// The session's server.
    pub(crate) fn here(&self) -> Option<&Server> {
        self.world.servers.get(&self.at)
    }

    /// The site whose view of the directory this session has.
    pub(crate) fn site(&self) -> usize {
        self.here().map_or(0, |server| server.site)
    }

    /// Minutes the session's server is ahead of UTC.
    pub(crate) fn offset_minutes(&self) -> i32 {
        self.here().map_or(0, |server| server.utc_offset_minutes)
    }

    /// The domain controller this session asks.
    pub(crate) fn controller(&self) -> String {
        self.world.controller_of(self.site())
    }

    /// Writes an object.
    pub(crate) fn write(&mut self, object: PsObject) {
        self.said.push(Said::Object(PsValue::Object(Box::new(object))));
    }

    /// Writes a plain value.
    pub(crate) fn write_value(&mut self, value: PsValue) {
        self.said.push(Said::Object(value));
    }

    /// Writes a warning, unless -WarningAction says no; `Stop` makes it terminating.
    pub(crate) fn warn(&mut self, english: &str, german: &str) -> Result<(), Stop> {
        let text = say(self.language(), english, german);
        match self.action("WarningAction").as_deref() {
            Some("silentlycontinue" | "ignore") => Ok(()),
            Some("stop") => {
                self.said.push(Said::Warning(text.clone()));
                let stopped = say(
                    self.language(),
                    format!(
                        "The running command stopped because the preference variable \"WarningPreference\" or common \
                         parameter is set to Stop: {text}"
                    ),
                    format!(
                        "Der ausgeführte Befehl wurde beendet, da die Einstellungsvariable \"WarningPreference\" oder \
                         ein allgemeiner Parameter auf \"Stop\" festgelegt ist: {text}"
                    ),
                );
                Err(Stop::Failed(Box::new(ErrorRecord::new(
                    &stopped,
                    &format!("ActionPreferenceStop,{}", self.cmdlet.class),
                    exseal_psrp::message::ErrorCategory::OperationStopped,
                    "ActionPreferenceStopException",
                ))))
            }
            _ => {
                self.said.push(Said::Warning(text));
                Ok(())
            }
        }
    }

    fn action(&self, name: &str) -> Option<String> {
        self.text(name).map(|text| {
            let text = text.to_lowercase();
            match text.as_str() {
                "0" => "silentlycontinue".to_owned(),
                "1" => "stop".to_owned(),
                "2" => "continue".to_owned(),
                "3" => "inquire".to_owned(),
                "4" => "ignore".to_owned(),
                _ => text,
            }
        })
    }

    /// Writes an error that does not end the command, unless -ErrorAction says otherwise. The object at work is done
    /// with: return after it.
    pub(crate) fn fail(&mut self, problem: &Problem) -> Result<(), Stop> {
        let record = problem.record(self.world, &self.at, self.cmdlet);
        match self.action("ErrorAction").as_deref() {
            Some("silentlycontinue" | "ignore") => Ok(()),
            Some("stop") => Err(Stop::Failed(Box::new(record))),
            _ => {
                self.said.push(Said::Error(Box::new(record)));
                Ok(())
            }
        }
    }

    /// ShouldProcess: whether to do it. `high`: a confirmation is asked without -Confirm, and only -Confirm:$false
    /// takes it away. With -WhatIf nothing is done.
    pub(crate) fn should_process(&mut self, high: bool, english: &str, german: &str) -> Result<bool, Stop> {
        if self.is("WhatIf") {
            return Ok(false);
        }
        let asks = self.boolean("Confirm").unwrap_or(high);
        if !asks {
            return Ok(true);
        }
        let language = self.language();
        let message = say(
            language,
            format!("Are you sure you want to perform this action?\r\n{english}"),
            format!("Möchten Sie diese Aktion wirklich ausführen?\r\n{german}"),
        );
        self.ask("ShouldProcess", message)
    }

    /// ShouldContinue: a question of the cmdlet's own, which only -Force answers beforehand.
    pub(crate) fn should_continue(
        &mut self,
        kind: &'static str,
        english: &str,
        german: &str,
    ) -> Result<bool, Stop> {
        if self.is("Force") {
            return Ok(true);
        }
        let message = say(self.language(), english, german);
        self.ask(kind, message)
    }

    fn ask(&mut self, kind: &'static str, message: String) -> Result<bool, Stop> {
        let place = self.asked;
        self.asked += 1;
        if let Some(answer) = self.answers.of_object.get(place) {
            return Ok(*answer);
        }
        if let Some((_, answer)) = self.answers.all.iter().find(|(own, _)| *own == kind) {
            let answer = *answer;
            self.answers.of_object.push(answer);
            return Ok(answer);
        }
        let language = self.language();
        let question = Question {
            caption: say(language, "Confirm", "Bestätigung"),
            message,
            choices: choices(language, self.door),
            default: 0,
        };
        self.answers.waiting = Some((kind, question.clone()));
        Err(Stop::Asked(question))
    }

    /// What this object's work has done under a name before it asked.
    pub(crate) fn done(&self, name: &str) -> Option<&str> {
        self.answers
            .done
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, what)| what.as_str())
    }

    /// Remembers what was done, for the work that goes on after a question.
    pub(crate) fn remember(&mut self, name: &'static str, what: String) {
        self.answers.done.push((name, what));
    }

    /// The server -Server names, else the session's own. `Ok(None)`: there is none, and the error was written.
    pub(crate) fn target(&mut self) -> Result<Option<ServerName>, Stop> {
        let Some(wanted) = self.text("Server").map(str::to_owned) else {
            return Ok(Some(self.at.clone()));
        };
        match find_server(self.world, &wanted) {
            Some(name) => Ok(Some(name)),
            None => {
                let problem = Problem::not_found(&wanted, &self.controller());
                self.fail(&problem)?;
                Ok(None)
            }
        }
    }

    /// Whether MSExchangeServiceHost of a server can be called; otherwise E8 was written.
    ///
    /// Exchange Trusted Subsystem acts for whoever comes by remoting or from another server; a person at the machine
    /// itself acts as himself.
    pub(crate) fn calls(&mut self, target: &ServerName) -> Result<bool, Stop> {
        let Some(server) = self.world.servers.get(target) else {
            return Ok(false);
        };
        let name = target.as_str().to_uppercase();
        let own = *target == self.at && self.door == Endpoint::Local;
        let refusal = if !server.reachable || !server.runs("MSExchangeServiceHost") {
            Some((
                "The RPC server is unavailable",
                "Der RPC-Server ist nicht verfügbar",
            ))
        } else if !server.trusted_subsystem && !own {
            Some(("Access is denied", "Zugriff verweigert"))
        } else if bad_connector_name(self.world, server) {
            Some(("Unknown error (0xe0434352)", "Unbekannter Fehler (0xe0434352)"))
        } else {
            None
        };
        match refusal {
            None => Ok(true),
            Some((english, german)) => {
                self.fail(&Problem::rpc(&name, english, german))?;
                Ok(false)
            }
        }
    }
}

/// Whether a receive connector's FQDN holds a character no host name has (E9).
fn bad_connector_name(world: &World, server: &Server) -> bool {
    world
        .directory
        .receive_connectors(server.site)
        .filter(|connector| connector.server == server.name)
        .filter_map(|connector| connector.fqdn.as_deref())
        .any(|fqdn| {
            fqdn.chars()
                .any(|character| !character.is_ascii_alphanumeric() && !matches!(character, '.' | '-' | '*'))
        })
}

/// A server by NetBIOS name, FQDN, distinguished name or legacy distinguished name.
pub(crate) fn find_server(world: &World, wanted: &str) -> Option<ServerName> {
    let lower = wanted.to_ascii_lowercase();
    let short = if lower.starts_with("cn=") {
        wanted.get(3..)?.split(',').next()?
    } else if lower.starts_with("/o=") {
        let place = lower.rfind("/cn=")?;
        wanted.get(place + 4..)?
    } else {
        wanted
    };
    world.server(short).map(|server| server.name.clone())
}

fn choices(language: Language, door: Endpoint) -> Vec<(String, String)> {
    let mut choices = vec![
        say(language, "&Yes", "&Ja"),
        say(language, "Yes to &All", "Ja, &alle"),
        say(language, "&No", "&Nein"),
        say(language, "No to A&ll", "Nein, &keine"),
    ];
    // A remote session has no prompt to suspend into.
    if door == Endpoint::Local {
        choices.push(say(language, "&Suspend", "&Anhalten"));
    }
    let helps = [
        say(
            language,
            "Continue with only the next step of the operation.",
            "Nur mit dem nächsten Schritt des Vorgangs fortfahren.",
        ),
        say(
            language,
            "Continue with all the steps of the operation.",
            "Mit allen Schritten des Vorgangs fortfahren.",
        ),
        say(
            language,
            "Skip this operation and proceed with the next operation.",
            "Diesen Vorgang überspringen und mit dem nächsten fortfahren.",
        ),
        say(
            language,
            "Skip this operation and all subsequent operations.",
            "Diesen und alle folgenden Vorgänge überspringen.",
        ),
        say(
            language,
            "Pause the current pipeline and return to the command prompt. Type \"exit\" to resume the pipeline.",
            "Die aktuelle Pipeline anhalten und zur Eingabeaufforderung zurückkehren. Mit \"exit\" wird die Pipeline \
             fortgesetzt.",
        ),
    ];
    choices.into_iter().zip(helps).collect()
}
