//! What stands behind a cmdlet in a pipeline without being one of Exchange: Select-Object, Measure-Object,
//! Out-Default, Out-Null. Nothing that takes a script block: sessions of Exchange have no language.

use std::borrow::Cow;

use exseal_psrp::message::{ErrorCategory, ErrorRecord};

use super::argument::Bound;
use super::bind::{Arguments, Place, bind, complete};
use super::error::say;
use super::object::{PsObject, PsValue, Remoting};
use super::run::{Run, Stop};
use super::table::{Access, Cmdlet, number, switch, text, texts};
use crate::call::Command;

/// Bound like cmdlets, but they work on the whole pipeline: `process` is never called.
pub(super) const TAILS: &[Cmdlet] = &[
    Cmdlet {
        name: "Select-Object",
        class: "Microsoft.PowerShell.Commands.SelectObjectCommand",
        parameters: &[
            texts("Property").at(0),
            texts("ExcludeProperty"),
            text("ExpandProperty"),
            switch("Unique"),
            number("First"),
            number("Last"),
            number("Skip"),
            switch("Wait"),
        ],
        default_set: "",
        access: Access::View,
        process: nothing,
    },
    Cmdlet {
        name: "Measure-Object",
        class: "Microsoft.PowerShell.Commands.MeasureObjectCommand",
        parameters: &[],
        default_set: "",
        access: Access::View,
        process: nothing,
    },
    Cmdlet {
        name: "Out-Default",
        class: "Microsoft.PowerShell.Commands.OutDefaultCommand",
        parameters: &[],
        default_set: "",
        access: Access::View,
        process: nothing,
    },
    Cmdlet {
        name: "Out-Null",
        class: "Microsoft.PowerShell.Commands.OutNullCommand",
        parameters: &[],
        default_set: "",
        access: Access::View,
        process: nothing,
    },
];

#[expect(clippy::unnecessary_wraps, reason = "the signature of every cmdlet's work")]
fn nothing(_: &mut Run<'_>) -> Result<(), Stop> {
    Ok(())
}

pub(super) fn find(name: &str) -> Option<&'static Cmdlet> {
    TAILS.iter().find(|own| own.name.eq_ignore_ascii_case(name))
}

/// What comes out of a tail: objects, and errors of single objects.
pub(super) type Selected = (Vec<PsValue>, Vec<ErrorRecord>);

/// Runs a tail over what came down the pipeline.
pub(super) fn run(
    tail: &'static Cmdlet,
    command: &Command,
    input: Vec<PsValue>,
    place: Place,
) -> Result<Selected, Box<ErrorRecord>> {
    let arguments = complete(tail, &bind(tail, command, place)?, None, place)?;
    Ok(match tail.name {
        "Select-Object" => select(tail, &arguments, input, place),
        "Measure-Object" => (vec![measure(input.len())], Vec::new()),
        "Out-Null" => (Vec::new(), Vec::new()),
        _ => (input, Vec::new()),
    })
}

fn count(arguments: &Arguments, name: &str) -> Option<usize> {
    match arguments.get(name)? {
        Bound::Number(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

fn words<'a>(arguments: &'a Arguments, name: &str) -> &'a [String] {
    match arguments.get(name) {
        Some(Bound::Texts(words)) => words,
        _ => &[],
    }
}

fn select(tail: &Cmdlet, arguments: &Arguments, input: Vec<PsValue>, place: Place) -> Selected {
    let mut left: Vec<PsValue> = input;
    if let Some(skip) = count(arguments, "Skip") {
        left.drain(..skip.min(left.len()));
    }
    let (first, last) = (count(arguments, "First"), count(arguments, "Last"));
    if first.is_some() || last.is_some() {
        let all = left.len();
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        left = left
            .into_iter()
            .enumerate()
            .filter(|(at, _)| *at < first || at + last >= all)
            .map(|(_, value)| value)
            .collect();
    }
    let properties = words(arguments, "Property");
    let excluded = words(arguments, "ExcludeProperty");
    let expand = match arguments.get("ExpandProperty") {
        Some(Bound::Text(name)) => Some(name.as_str()),
        _ => None,
    };
    let mut errors = Vec::new();
    let mut out = Vec::new();
    for value in left {
        if let Some(name) = expand {
            match expanded(&value, name) {
                Some(values) => out.extend(values),
                None => errors.push(no_property(tail, name, place)),
            }
        } else if properties.is_empty() && excluded.is_empty() {
            out.push(value);
        } else {
            out.push(chosen(&value, properties, excluded));
        }
    }
    if matches!(arguments.get("Unique"), Some(Bound::Bool(true))) {
        let mut kept: Vec<PsValue> = Vec::new();
        for value in out {
            if !kept.contains(&value) {
                kept.push(value);
            }
        }
        out = kept;
    }
    (out, errors)
}

fn expanded(value: &PsValue, name: &str) -> Option<Vec<PsValue>> {
    let PsValue::Object(object) = value else {
        return None;
    };
    Some(match object.property(name)? {
        PsValue::Null => Vec::new(),
        PsValue::List(_, items) => items.clone(),
        own => vec![own.clone()],
    })
}

fn chosen(value: &PsValue, properties: &[String], excluded: &[String]) -> PsValue {
    let everything = ["*".to_owned()];
    let properties = if properties.is_empty() {
        &everything[..]
    } else {
        properties
    };
    let empty = PsObject::new(&["System.Object"], "");
    let object = match value {
        PsValue::Object(object) => object,
        _ => &empty,
    };
    let mut notes: Vec<(Cow<'static, str>, PsValue)> = Vec::new();
    let mut take = |name: Cow<'static, str>, value: PsValue| {
        let out = excluded.iter().any(|pattern| matches(pattern, &name));
        if !out && !notes.iter().any(|(own, _)| own.eq_ignore_ascii_case(&name)) {
            notes.push((name, value));
        }
    };
    for pattern in properties {
        if pattern.contains(['*', '?']) {
            for (name, _) in &object.properties {
                if matches(pattern, name) {
                    let value = object.property(name).cloned().unwrap_or(PsValue::Null);
                    take(name.clone(), value);
                }
            }
        } else {
            let own = object
                .properties
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(pattern))
                .map_or_else(|| Cow::Owned(pattern.clone()), |(name, _)| name.clone());
            let value = object.property(pattern).cloned().unwrap_or(PsValue::Null);
            take(own, value);
        }
    }
    let shown: Vec<String> = notes
        .iter()
        .map(|(name, value)| format!("{name}={}", value.shown()))
        .collect();
    let first = object.types.first().map(ToString::to_string).unwrap_or_default();
    PsValue::Object(Box::new(PsObject {
        types: vec![
            format!("Selected.{first}").into(),
            "System.Management.Automation.PSCustomObject".into(),
            "System.Object".into(),
        ],
        text: Some(format!("@{{{}}}", shown.join("; "))),
        properties: notes,
        remoting: Remoting::Notes,
        payload: None,
    }))
}

fn measure(count: usize) -> PsValue {
    let number = i32::try_from(count).unwrap_or(i32::MAX);
    let object = PsObject::new(
        &[
            "Microsoft.PowerShell.Commands.GenericMeasureInfo",
            "Microsoft.PowerShell.Commands.MeasureInfo",
            "System.Object",
        ],
        "Microsoft.PowerShell.Commands.GenericMeasureInfo",
    )
    .with("Count", PsValue::Int(number))
    .with("Average", PsValue::Null)
    .with("Sum", PsValue::Null)
    .with("Maximum", PsValue::Null)
    .with("Minimum", PsValue::Null)
    .with("Property", PsValue::Null);
    PsValue::Object(Box::new(object))
}

fn no_property(tail: &Cmdlet, name: &str, place: Place) -> ErrorRecord {
    let mut record = ErrorRecord::new(
        &say(
            place.language,
            format!("Property \"{name}\" cannot be found."),
            format!("Die Eigenschaft \"{name}\" wurde nicht gefunden."),
        ),
        &format!("ExpandPropertyNotFound,{}", tail.class),
        ErrorCategory::InvalidArgument,
        "PSArgumentException",
    );
    record.category.activity = tail.name.to_owned();
    record
}

/// PowerShell's wildcards: `*` and `?`, any case.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut of) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while of < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(own) if *own == '?' || Some(own) == text.get(of) => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    of = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .is_none_or(|rest| rest.iter().all(|own| *own == '*'))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_match_as_powershell_does() {
        assert!(matches("*", "anything") && matches("*", ""));
        assert!(matches("PS*name", "PSComputerName"));
        assert!(matches("Not?fter", "NotAfter"));
        assert!(!matches("Not?", "NotAfter"));
        assert!(matches("a*b*c", "a-b-b-c") && !matches("a*b*c", "a-b-b"));
    }
}
