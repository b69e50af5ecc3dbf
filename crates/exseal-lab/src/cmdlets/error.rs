//! Error records, PowerShell's own and Exchange's. Ids and types are the same in every language, the words are not.

use exseal_psrp::message::{ErrorCategory, ErrorRecord};
use sha1::{Digest as _, Sha1};

use super::argument::Unfit;
use super::object::short;
use super::table::Cmdlet;
use crate::organisation::Language;
use crate::world::{ServerName, World};

/// The words of a language.
pub(crate) fn say(language: Language, english: impl Into<String>, german: impl Into<String>) -> String {
    match language {
        Language::En => english.into(),
        Language::De => german.into(),
    }
}

/// What went wrong in a cmdlet of Exchange, in both languages.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The exception's short type name, which is also the Reason.
    pub(crate) reason: &'static str,
    pub(crate) category: ErrorCategory,
    pub(crate) english: String,
    pub(crate) german: String,
    /// What it was about.
    pub(crate) target: Option<String>,
}

impl Problem {
    /// `InvalidOperationException`: what Exchange's own rules refuse, and what is not found by thumbprint.
    pub(crate) fn refused(english: impl Into<String>, german: impl Into<String>) -> Self {
        Self::of(
            "InvalidOperationException",
            ErrorCategory::InvalidOperation,
            english,
            german,
        )
    }

    /// `ArgumentException`: a value that cannot be.
    pub(crate) fn argument(english: impl Into<String>, german: impl Into<String>) -> Self {
        Self::of(
            "ArgumentException",
            ErrorCategory::InvalidArgument,
            english,
            german,
        )
    }

    /// `ManagementObjectNotFoundException`: an object of the directory that is not there.
    pub(crate) fn not_found(name: &str, controller: &str) -> Self {
        let mut problem = Self::of(
            "ManagementObjectNotFoundException",
            ErrorCategory::NotSpecified,
            format!(
                "The operation couldn't be performed because object '{name}' couldn't be found on '{controller}'."
            ),
            format!(
                "Der Vorgang konnte nicht ausgeführt werden, weil das Objekt \"{name}\" auf \"{controller}\" nicht \
                 gefunden wurde."
            ),
        );
        problem.target = Some(name.to_owned());
        problem
    }

    /// A remote call that failed (E8): anything but not found.
    pub(crate) fn rpc(server: &str, english: &str, german: &str) -> Self {
        Self::of(
            "LocalizedException",
            ErrorCategory::NotSpecified,
            format!(
                "The Exchange Certificate operation has failed with an exception on server {server}. The error \
                 message is: {english}"
            ),
            format!(
                "Der Exchange-Zertifikatvorgang ist mit einer Ausnahme auf Server {server} fehlgeschlagen. \
                 Fehlermeldung: {german}"
            ),
        )
    }

    pub(crate) fn of(
        reason: &'static str,
        category: ErrorCategory,
        english: impl Into<String>,
        german: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            category,
            english: english.into(),
            german: german.into(),
            target: None,
        }
    }

    pub(crate) fn category(self, category: ErrorCategory) -> Self {
        Self { category, ..self }
    }

    /// Puts the words of a call by RPC in front (E0).
    pub(crate) fn over_rpc(mut self, server: &str) -> Self {
        self.english = format!("A special Rpc error occurs on server {server}: {}", self.english);
        self.german = format!("Besonderer RPC-Fehler auf Server {server}: {}", self.german);
        self
    }

    /// The record of Exchange's shape: `[Server=…,RequestId=…,TimeStamp=…] [FailureCategory=Cmdlet-…] HASH,Class`.
    ///
    /// The hash is one of the error, the same whenever it comes again; Exchange's own values are not known.
    pub(crate) fn record(&self, world: &mut World, at: &ServerName, cmdlet: &Cmdlet) -> ErrorRecord {
        let language = language_of(world, at);
        let number = world.next_number();
        let digest = Sha1::digest(format!("{}/{}/{:?}", cmdlet.class, self.reason, self.category));
        let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02X}")).collect();
        let id = format!(
            "[Server={},RequestId={},TimeStamp={}] [FailureCategory=Cmdlet-{}] {hash},{}",
            at.as_str().to_uppercase(),
            world.guid(&format!("request/{number}")),
            short(world.clock_of(at), 0),
            self.reason,
            cmdlet.class,
        );
        let mut record = ErrorRecord::new(
            &say(language, self.english.as_str(), self.german.as_str()),
            &id,
            self.category,
            self.reason,
        );
        record.category.activity = cmdlet.name.to_owned();
        record.exception_types = exception_types(self.reason);
        if let Some(target) = &self.target {
            record.category.target_name = target.clone();
            record.category.target_type = "String".to_owned();
            record.target = Some(target.clone());
        }
        record
    }
}

pub(crate) fn language_of(world: &World, at: &ServerName) -> Language {
    world
        .servers
        .get(at)
        .map_or(Language::En, |server| server.language)
}

fn exception_types(reason: &str) -> Vec<String> {
    let own = match reason {
        "InvalidOperationException" => &["System.InvalidOperationException", "System.SystemException"][..],
        "ArgumentException" => &["System.ArgumentException", "System.SystemException"],
        "ManagementObjectNotFoundException" => &[
            "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
            "Microsoft.Exchange.Data.Common.LocalizedException",
        ],
        "ADTransientException" => &[
            "Microsoft.Exchange.Data.Directory.ADTransientException",
            "Microsoft.Exchange.Data.DataSourceTransientException",
            "Microsoft.Exchange.Data.Common.TransientException",
            "Microsoft.Exchange.Data.Common.LocalizedException",
        ],
        _ => &["Microsoft.Exchange.Data.Common.LocalizedException"],
    };
    own.iter()
        .chain(&["System.Exception", "System.Object"])
        .map(|name| (*name).to_owned())
        .collect()
}

/// An error of PowerShell's own, about a cmdlet.
fn own(cmdlet: &Cmdlet, id: &str, category: ErrorCategory, reason: &str, message: &str) -> ErrorRecord {
    let mut record = ErrorRecord::new(message, &format!("{id},{}", cmdlet.class), category, reason);
    record.category.activity = cmdlet.name.to_owned();
    record.exception_types = vec![
        format!("System.Management.Automation.{reason}"),
        "System.Management.Automation.RuntimeException".to_owned(),
        "System.SystemException".to_owned(),
        "System.Exception".to_owned(),
        "System.Object".to_owned(),
    ];
    record
}

pub(crate) fn no_such_command(language: Language, name: &str) -> ErrorRecord {
    let mut record = ErrorRecord::new(
        &say(
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

pub(crate) fn no_scripts(language: Language) -> ErrorRecord {
    ErrorRecord::new(
        &say(
            language,
            "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
            "Die Syntax wird von diesem Runspace nicht unterstützt. Dies kann auftreten, wenn sich der Runspace im \
             no-language-Modus befindet.",
        ),
        "ScriptsNotAllowed",
        ErrorCategory::ParserError,
        "ParseException",
    )
}

pub(crate) fn no_such_parameter(language: Language, cmdlet: &Cmdlet, name: &str) -> ErrorRecord {
    own(
        cmdlet,
        "NamedParameterNotFound",
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
        &say(
            language,
            format!("A parameter cannot be found that matches parameter name '{name}'."),
            format!("Es wurde kein Parameter gefunden, der dem Parameternamen \"{name}\" entspricht."),
        ),
    )
}

pub(crate) fn ambiguous_parameter(
    language: Language,
    cmdlet: &Cmdlet,
    name: &str,
    matches: &[&str],
) -> ErrorRecord {
    let matches: String = matches.iter().map(|own| format!(" -{own}")).collect();
    own(
        cmdlet,
        "AmbiguousParameter",
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
        &say(
            language,
            format!(
                "Parameter cannot be processed because the parameter name '{name}' is ambiguous. Possible matches \
                 include:{matches}."
            ),
            format!(
                "Der Parameter kann nicht verarbeitet werden, da der Parametername \"{name}\" nicht eindeutig ist. \
                 Mögliche Übereinstimmungen:{matches}."
            ),
        ),
    )
}

pub(crate) fn twice(language: Language, cmdlet: &Cmdlet, name: &str) -> ErrorRecord {
    own(
        cmdlet,
        "ParameterAlreadyBound",
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
        &say(
            language,
            format!(
                "Cannot bind parameter because parameter '{name}' is specified more than once. To provide multiple \
                 values to parameters that can accept multiple values, use the array syntax. For example, \
                 \"-parameter value1,value2,value3\"."
            ),
            format!(
                "Der Parameter kann nicht gebunden werden, weil der Parameter \"{name}\" mehrfach angegeben wurde. \
                 Verwenden Sie die Arraysyntax, um mehrere Werte anzugeben, z. B. \
                 \"-parameter value1,value2,value3\"."
            ),
        ),
    )
}

pub(crate) fn no_position(language: Language, cmdlet: &Cmdlet, value: &str) -> ErrorRecord {
    own(
        cmdlet,
        "PositionalParameterNotFound",
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
        &say(
            language,
            format!("A positional parameter cannot be found that accepts argument '{value}'."),
            format!("Es wurde kein Positionsparameter gefunden, der das Argument \"{value}\" akzeptiert."),
        ),
    )
}

pub(crate) fn no_set(language: Language, cmdlet: &Cmdlet) -> ErrorRecord {
    own(
        cmdlet,
        "AmbiguousParameterSet",
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
        &say(
            language,
            "Parameter set cannot be resolved using the specified named parameters.",
            "Der Parametersatz kann mit den angegebenen benannten Parametern nicht aufgelöst werden.",
        ),
    )
}

pub(crate) fn missing(language: Language, cmdlet: &Cmdlet, names: &[&str]) -> ErrorRecord {
    let names = names.join(" ");
    own(
        cmdlet,
        "MissingMandatoryParameter",
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
        &say(
            language,
            format!("Cannot process command because of one or more missing mandatory parameters: {names}."),
            format!(
                "Der Befehl kann nicht verarbeitet werden, da mindestens ein obligatorischer Parameter fehlt: {names}."
            ),
        ),
    )
}

pub(crate) fn unfit(language: Language, cmdlet: &Cmdlet, name: &str, unfit: &Unfit) -> ErrorRecord {
    match unfit {
        Unfit::Null => own(
            cmdlet,
            "ParameterArgumentValidationErrorNullNotAllowed",
            ErrorCategory::InvalidData,
            "ParameterBindingValidationException",
            &say(
                language,
                format!("Cannot bind argument to parameter '{name}' because it is null."),
                format!(
                    "Das Argument kann nicht an den Parameter \"{name}\" gebunden werden, da es NULL ist."
                ),
            ),
        ),
        Unfit::Convert { found, wanted } => own(
            cmdlet,
            "CannotConvertArgumentNoMessage",
            ErrorCategory::InvalidArgument,
            "ParameterBindingException",
            &say(
                language,
                format!(
                    "Cannot bind parameter '{name}'. Cannot convert value \"{found}\" to type \"{wanted}\"."
                ),
                format!(
                    "Der Parameter \"{name}\" kann nicht gebunden werden. Der Wert \"{found}\" kann nicht in den Typ \
                     \"{wanted}\" konvertiert werden."
                ),
            ),
        ),
        Unfit::Transform { found, wanted, words } => {
            let words = words.join(",");
            own(
                cmdlet,
                "ParameterArgumentTransformationError",
                ErrorCategory::InvalidData,
                "ParameterBindingArgumentTransformationException",
                &say(
                    language,
                    format!(
                        "Cannot process argument transformation on parameter '{name}'. Cannot convert value \
                         \"{found}\" to type \"{wanted}\". Error: \"The identifier name {found} cannot be processed \
                         due to the inability to differentiate between the following enumerator names: {words}\""
                    ),
                    format!(
                        "Die Argumenttransformation für den Parameter \"{name}\" kann nicht verarbeitet werden. Der \
                         Wert \"{found}\" kann nicht in den Typ \"{wanted}\" konvertiert werden. Mögliche Werte: \
                         {words}"
                    ),
                ),
            )
        }
    }
}

pub(crate) fn not_bound(language: Language, cmdlet: &Cmdlet, input: &str) -> ErrorRecord {
    let mut record = own(
        cmdlet,
        "InputObjectNotBound",
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
        &say(
            language,
            "The input object cannot be bound to any parameters for the command either because the command does not \
             take pipeline input or the input and its properties do not match any of the parameters that take \
             pipeline input.",
            "Das Eingabeobjekt kann an keine Parameter des Befehls gebunden werden, da der Befehl keine \
             Pipelineeingaben akzeptiert oder die Eingabe und deren Eigenschaften mit keinem der Parameter \
             übereinstimmen, die Pipelineeingaben akzeptieren.",
        ),
    );
    record.category.target_name = input.to_owned();
    record.category.target_type = "PSObject".to_owned();
    record.target = Some(input.to_owned());
    record
}

/// The client has no host that could ask.
pub(crate) fn no_host(language: Language, cmdlet: &Cmdlet, question: &str) -> ErrorRecord {
    own(
        cmdlet,
        "HostFunctionNotImplemented",
        ErrorCategory::NotImplemented,
        "HostException",
        &say(
            language,
            format!(
                "A command that prompts the user failed because the host program or the command type does not support \
                 user interaction. The host was attempting to request confirmation with the following message: \
                 {question}"
            ),
            format!(
                "Ein Befehl, der den Benutzer zu einer Eingabe auffordert, ist fehlgeschlagen, da das Hostprogramm \
                 oder der Befehlstyp keine Benutzerinteraktion unterstützt. Der Host hat versucht, mit der folgenden \
                 Meldung eine Bestätigung anzufordern: {question}"
            ),
        ),
    )
}

/// `Stop` as answer to a question, or an answer to a question nobody asked.
pub(crate) fn no_such_prompt(prompt: u64) -> ErrorRecord {
    ErrorRecord::new(
        &format!("No question {prompt} waits for an answer."),
        "NoSuchPrompt",
        ErrorCategory::InvalidOperation,
        "InvalidOperationException",
    )
}
