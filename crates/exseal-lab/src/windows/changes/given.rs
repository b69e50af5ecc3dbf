//! What a verb is given: parameters, their values as they came over the wire, and PowerShell's refusals.

use exseal_psrp::clixml::Value as Wire;
use exseal_psrp::data::Data;
use exseal_psrp::message::{ErrorCategory, ErrorRecord};
use exseal_psrp::secret::Secret;

use super::super::{in_language, no_such_parameter, text_of};
use crate::call::Command;
use crate::certificate::Thumbprint;
use crate::organisation::{Language, StoreName};

/// A parameter of a verb.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    name: &'static str,
    kind: Kind,
    is_required: bool,
    default: Option<Default>,
}

#[derive(Clone, Copy)]
enum Kind {
    Text(fn(&str) -> bool),
    /// A hash, or the empty text for none.
    MaybeHash,
    OneOf(&'static [&'static str]),
    Number(i64, i64),
    OfNumbers(&'static [i64]),
    Flag,
    Texts(fn(&str) -> bool),
    Secret,
}

#[derive(Clone, Copy)]
enum Default {
    Text(&'static str),
    Number(i64),
}

const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        is_required: false,
        default: None,
    }
}

impl Parameter {
    pub(super) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub(super) const fn or(mut self, text: &'static str) -> Self {
        self.default = Some(Default::Text(text));
        self
    }

    pub(super) const fn or_number(mut self, number: i64) -> Self {
        self.default = Some(Default::Number(number));
        self
    }
}

pub(super) const fn text(name: &'static str, fits: fn(&str) -> bool) -> Parameter {
    parameter(name, Kind::Text(fits))
}

pub(super) const fn texts(name: &'static str, fits: fn(&str) -> bool) -> Parameter {
    parameter(name, Kind::Texts(fits))
}

pub(super) const fn hash(name: &'static str) -> Parameter {
    text(name, is_hash).required()
}

pub(super) const fn maybe_hash(name: &'static str) -> Parameter {
    parameter(name, Kind::MaybeHash).required()
}

pub(super) const fn one_of(name: &'static str, words: &'static [&'static str]) -> Parameter {
    parameter(name, Kind::OneOf(words))
}

pub(super) const fn number(name: &'static str, from: i64, to: i64) -> Parameter {
    parameter(name, Kind::Number(from, to))
}

pub(super) const fn of_numbers(name: &'static str, numbers: &'static [i64]) -> Parameter {
    parameter(name, Kind::OfNumbers(numbers))
}

/// True or false, false when it is not given.
pub(super) const fn flag(name: &'static str) -> Parameter {
    parameter(name, Kind::Flag)
}

/// True or false, and it has to be said.
pub(super) const fn chance(name: &'static str) -> Parameter {
    flag(name).required()
}

pub(super) const fn secret(name: &'static str) -> Parameter {
    parameter(name, Kind::Secret).required()
}

/// Whether each character is one of these, and there are some.
fn consists(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 40 && consists(text, |byte| byte.is_ascii_hexdigit())
}

pub(super) fn is_binding(text: &str) -> bool {
    consists(text, |byte| {
        byte.is_ascii_alphanumeric() || b".:[]_*-".contains(&byte)
    })
}

pub(super) fn is_endpoint(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        is_binding(host) && port.len() <= 5 && consists(port, |byte| byte.is_ascii_digit())
    })
}

pub(super) fn is_app_id(text: &str) -> bool {
    text.strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .is_some_and(|text| {
            text.len() == 36 && consists(text, |byte| byte.is_ascii_hexdigit() || byte == b'-')
        })
}

pub(super) fn is_pool(text: &str) -> bool {
    consists(text, |byte| {
        byte.is_ascii_alphanumeric() || b" ._-".contains(&byte)
    })
}

pub(super) fn is_service(text: &str) -> bool {
    consists(text, |byte| {
        byte.is_ascii_alphanumeric() || b"$_.-".contains(&byte)
    })
}

pub(super) fn is_subject(text: &str) -> bool {
    text.strip_prefix("CN=")
        .is_some_and(|name| name.len() <= 64 && is_pool(name))
}

pub(super) fn is_dns_name(text: &str) -> bool {
    text.len() <= 255
        && consists(text, |byte| {
            byte.is_ascii_alphanumeric() || b".*-".contains(&byte)
        })
}

pub(super) fn is_serial(text: &str) -> bool {
    let positive = |at: usize| {
        text.as_bytes()
            .get(at)
            .is_some_and(|byte| (b'1'..=b'7').contains(byte))
    };
    text.len() == 32
        && consists(text, |byte| {
            byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)
        })
        && positive(0)
        && positive(30)
}

pub(super) fn is_short(text: &str) -> bool {
    text.encode_utf16().count() <= 63
}

pub(super) fn is_friendly_name(text: &str) -> bool {
    !text.is_empty() && is_short(text)
}

pub(super) fn is_owner(text: &str) -> bool {
    (1..=200).contains(&text.encode_utf16().count())
}

pub(super) fn is_id(text: &str) -> bool {
    (1..=100).contains(&text.encode_utf16().count())
}

pub(super) fn is_sid(text: &str) -> bool {
    text.strip_prefix("S-1-").is_some_and(|rest| {
        rest.contains('-')
            && rest
                .split('-')
                .all(|part| consists(part, |byte| byte.is_ascii_digit()))
    })
}

pub(super) fn is_base64(text: &str) -> bool {
    consists(text.trim_end_matches('='), |byte| {
        byte.is_ascii_alphanumeric() || b"+/".contains(&byte)
    }) && text.len() - text.trim_end_matches('=').len() <= 2
}

#[derive(Clone, Debug)]
enum Bound {
    Text(String),
    Number(i64),
    Flag(bool),
    Texts(Vec<String>),
    Secret(Secret),
}

/// The values of a verb's parameters.
#[derive(Clone, Debug)]
pub(crate) struct Given(Vec<(&'static str, Bound)>);

impl Given {
    fn of(&self, name: &str) -> Option<&Bound> {
        self.0
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, bound)| bound)
    }

    pub(super) fn text(&self, name: &str) -> &str {
        match self.of(name) {
            Some(Bound::Text(text)) => text,
            _ => "",
        }
    }

    pub(super) fn hash(&self, name: &str) -> Option<Thumbprint> {
        Thumbprint::parse(self.text(name))
    }

    pub(super) fn store(&self, name: &str) -> StoreName {
        StoreName::parse(self.text(name)).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> i64 {
        match self.of(name) {
            Some(Bound::Number(number)) => *number,
            _ => 0,
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.of(name), Some(Bound::Flag(true)))
    }

    pub(super) fn texts(&self, name: &str) -> &[String] {
        match self.of(name) {
            Some(Bound::Texts(texts)) => texts,
            _ => &[],
        }
    }

    pub(super) fn secret(&self, name: &str) -> String {
        match self.of(name) {
            Some(Bound::Secret(secret)) => secret.reveal(),
            _ => String::new(),
        }
    }
}

/// Binds a command's arguments as PowerShell does.
pub(crate) fn bind(
    verb: &str,
    parameters: &[Parameter],
    command: &Command,
    language: Language,
) -> Result<Given, Box<ErrorRecord>> {
    let mut bound: Vec<(&'static str, Bound)> = Vec::new();
    let mut next = 0;
    for (name, value) in &command.arguments {
        let found = match name {
            Some(name) => named(parameters, name),
            None => {
                next += 1;
                parameters.get(next - 1)
            }
        };
        let Some(parameter) = found else {
            return Err(Box::new(no_such_parameter(verb, name.as_deref(), language)));
        };
        match taken(parameter.kind, value) {
            Ok(value) => bound.push((parameter.name, value)),
            Err(unfit) => return Err(Box::new(unfit.record(verb, parameter.name, language))),
        }
    }
    for parameter in parameters {
        if bound.iter().any(|(name, _)| *name == parameter.name) {
            continue;
        }
        if parameter.is_required {
            return Err(Box::new(missing(verb, parameter.name, language)));
        }
        match parameter.default {
            Some(Default::Text(text)) => bound.push((parameter.name, Bound::Text(text.to_owned()))),
            Some(Default::Number(number)) => bound.push((parameter.name, Bound::Number(number))),
            None => {}
        }
    }
    Ok(Given(bound))
}

/// The parameter of a name, or of the beginning of one.
fn named<'p>(parameters: &'p [Parameter], name: &str) -> Option<&'p Parameter> {
    let exact = parameters
        .iter()
        .find(|parameter| parameter.name.eq_ignore_ascii_case(name));
    exact.or_else(|| {
        let mut beginning = parameters.iter().filter(|parameter| {
            parameter
                .name
                .get(..name.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        });
        beginning.next().filter(|_| beginning.next().is_none())
    })
}

/// A value PowerShell refuses.
enum Unfit {
    /// It is of another type.
    Type(String),
    /// It is outside of what is allowed.
    Range(String),
}

fn taken(kind: Kind, value: &Data) -> Result<Bound, Unfit> {
    let text = || text_of(value).unwrap_or_default();
    let checked = |text: String, fits: bool| {
        if fits {
            Ok(Bound::Text(text))
        } else {
            Err(Unfit::Range(text))
        }
    };
    match kind {
        Kind::Text(fits) => {
            let text = text();
            let is_fit = fits(&text);
            checked(text, is_fit)
        }
        Kind::MaybeHash => {
            let text = text();
            let is_fit = text.is_empty() || is_hash(&text);
            checked(text, is_fit)
        }
        Kind::OneOf(words) => {
            let text = text();
            match words.iter().find(|word| word.eq_ignore_ascii_case(&text)) {
                Some(word) => Ok(Bound::Text((*word).to_owned())),
                None => Err(Unfit::Range(text)),
            }
        }
        Kind::Number(..) | Kind::OfNumbers(_) => {
            let text = text();
            let number: i64 = text.trim().parse().map_err(|_| Unfit::Type(text.clone()))?;
            let is_fit = match kind {
                Kind::Number(from, to) => (from..=to).contains(&number),
                Kind::OfNumbers(numbers) => numbers.contains(&number),
                _ => true,
            };
            if is_fit {
                Ok(Bound::Number(number))
            } else {
                Err(Unfit::Range(text))
            }
        }
        // Neither a text nor $null becomes a Boolean.
        Kind::Flag => match value {
            Data::Value(Wire::Bool(value)) => Ok(Bound::Flag(*value)),
            _ => Err(Unfit::Type(text())),
        },
        Kind::Texts(fits) => {
            let texts = texts_of(value);
            match texts.iter().find(|text| !fits(text)) {
                Some(text) => Err(Unfit::Range(text.clone())),
                None => Ok(Bound::Texts(texts)),
            }
        }
        Kind::Secret => match value {
            Data::Secret(secret) => Ok(Bound::Secret(secret.clone())),
            // Whatever it is, it may be one: it is not said again.
            _ => Err(Unfit::Type(String::new())),
        },
    }
}

/// A list of texts, or one text as a list of one.
fn texts_of(value: &Data) -> Vec<String> {
    let of_document = |document: &exseal_psrp::clixml::Document<'_>| {
        let items = document.values.first().and_then(|value| document.items(value))?;
        Some(
            items
                .iter()
                .filter_map(|item| document.text(item))
                .map(std::borrow::Cow::into_owned)
                .collect(),
        )
    };
    match value {
        Data::List { items, .. } => items.iter().filter_map(text_of).collect(),
        Data::Document(document) => {
            of_document(document).unwrap_or_else(|| text_of(value).into_iter().collect())
        }
        other => text_of(other).into_iter().collect(),
    }
}

impl Unfit {
    fn record(&self, verb: &str, parameter: &str, language: Language) -> ErrorRecord {
        let (id, english, german) = match self {
            Self::Type(found) => (
                "ParameterArgumentTransformationError",
                format!(
                    "Cannot process argument transformation on parameter '{parameter}'. Cannot convert value \"{found}\"."
                ),
                format!(
                    "Die Argumenttransformation für den Parameter \"{parameter}\" kann nicht verarbeitet werden. Der Wert \"{found}\" kann nicht konvertiert werden."
                ),
            ),
            Self::Range(found) => (
                "ParameterArgumentValidationError",
                format!(
                    "Cannot validate argument on parameter '{parameter}'. The argument \"{found}\" is not allowed."
                ),
                format!(
                    "Das Argument für den Parameter \"{parameter}\" kann nicht überprüft werden. Das Argument \"{found}\" ist nicht zulässig."
                ),
            ),
        };
        let mut record = ErrorRecord::new(
            &in_language(language, english, german),
            &format!("{id},{verb}"),
            ErrorCategory::InvalidData,
            "ParameterBindingValidationException",
        );
        verb.clone_into(&mut record.category.activity);
        record
    }
}

fn missing(verb: &str, parameter: &str, language: Language) -> ErrorRecord {
    let mut record = ErrorRecord::new(
        &in_language(
            language,
            format!(
                "Cannot process command because of one or more missing mandatory parameters: {parameter}."
            ),
            format!(
                "Der Befehl kann nicht verarbeitet werden, da mindestens ein obligatorischer Parameter fehlt: {parameter}."
            ),
        ),
        &format!("MissingMandatoryParameter,{verb}"),
        ErrorCategory::InvalidArgument,
        "ParameterBindingException",
    );
    verb.clone_into(&mut record.category.activity);
    record
}
