//! Binding arguments to parameters, by PowerShell's rules: any case, any unambiguous beginning of a name, positions,
//! parameter sets.

use std::collections::{BTreeMap, BTreeSet};

use exseal_psrp::data::Data;
use exseal_psrp::message::ErrorRecord;

use super::argument::{Bound, Plain, convert, thumbprint_of};
use super::error;
use super::object::PsValue;
use super::table::{Cmdlet, Kind, Parameter};
use crate::call::Command;
use crate::organisation::Language;

/// Arguments by the parameter's own name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    bound: BTreeMap<&'static str, Bound>,
}

impl Arguments {
    pub(crate) fn get(&self, name: &str) -> Option<&Bound> {
        self.bound.get(name)
    }

    /// Whether it was given, `$null` included.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.bound.contains_key(name)
    }
}

/// What is known of the server while arguments are bound.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) language: Language,
    pub(crate) offset_minutes: i32,
    /// Whether the build is one before the first half of 2022.
    pub(crate) old: bool,
}

/// The parameter a name means: its own name or alias, else the only one that begins so.
fn parameter(cmdlet: &Cmdlet, name: &str, place: Place) -> Result<Parameter, Box<ErrorRecord>> {
    let mut starting = Vec::new();
    let known = |parameter: &Parameter| place.old || !parameter.old;
    for (parameter, alias) in cmdlet.all_parameters().filter(|(own, _)| known(own)) {
        if parameter.name.eq_ignore_ascii_case(name)
            || (!alias.is_empty() && alias.eq_ignore_ascii_case(name))
        {
            return Ok(parameter);
        }
        let begins = parameter
            .name
            .get(..name.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(name));
        if begins && !name.is_empty() {
            starting.push(parameter);
        }
    }
    match starting.as_slice() {
        [] => Err(Box::new(error::no_such_parameter(place.language, cmdlet, name))),
        [only] => Ok(*only),
        several => {
            let names: Vec<&str> = several.iter().map(|parameter| parameter.name).collect();
            Err(Box::new(error::ambiguous_parameter(
                place.language,
                cmdlet,
                name,
                &names,
            )))
        }
    }
}

/// Binds the arguments of a command.
pub(crate) fn bind(cmdlet: &Cmdlet, command: &Command, place: Place) -> Result<Arguments, Box<ErrorRecord>> {
    let mut arguments = Arguments::default();
    let mut unnamed: Vec<&Data> = Vec::new();
    for (name, value) in &command.arguments {
        let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else {
            unnamed.push(value);
            continue;
        };
        let name = name.trim_start_matches('-').trim_end_matches(':');
        let parameter = parameter(cmdlet, name, place)?;
        if arguments.given(parameter.name) {
            return Err(Box::new(error::twice(place.language, cmdlet, parameter.name)));
        }
        put(&mut arguments, cmdlet, &parameter, value, place)?;
    }
    let sets = sets_left(cmdlet, &arguments);
    let mut positions: Vec<Parameter> = cmdlet
        .parameters
        .iter()
        .filter(|parameter| parameter.position.is_some() && !arguments.given(parameter.name))
        .filter(|parameter| parameter.sets.is_empty() || parameter.sets.iter().any(|set| sets.contains(set)))
        .copied()
        .collect();
    // Of two at one place, the default set's comes first.
    positions.sort_by_key(|parameter| (parameter.position, !parameter.sets.contains(&cmdlet.default_set)));
    positions.dedup_by_key(|parameter| parameter.position);
    let mut positions = positions.into_iter();
    for value in unnamed {
        let Some(parameter) = positions.next() else {
            let shown = Plain::of(value).text().unwrap_or_default();
            return Err(Box::new(error::no_position(place.language, cmdlet, &shown)));
        };
        put(&mut arguments, cmdlet, &parameter, value, place)?;
    }
    if sets_left(cmdlet, &arguments).is_empty() && has_sets(cmdlet) {
        return Err(Box::new(error::no_set(place.language, cmdlet)));
    }
    Ok(arguments)
}

fn put(
    arguments: &mut Arguments,
    cmdlet: &Cmdlet,
    parameter: &Parameter,
    value: &Data,
    place: Place,
) -> Result<(), Box<ErrorRecord>> {
    let bound = convert(parameter.kind, value, place.offset_minutes)
        .map_err(|unfit| Box::new(error::unfit(place.language, cmdlet, parameter.name, &unfit)))?;
    arguments.bound.insert(parameter.name, bound);
    Ok(())
}

fn has_sets(cmdlet: &Cmdlet) -> bool {
    cmdlet
        .parameters
        .iter()
        .any(|parameter| !parameter.sets.is_empty())
}

/// The parameter sets the given parameters leave.
fn sets_left(cmdlet: &Cmdlet, arguments: &Arguments) -> BTreeSet<&'static str> {
    let mut left: BTreeSet<&'static str> = cmdlet
        .parameters
        .iter()
        .flat_map(|parameter| parameter.sets.iter().copied())
        .collect();
    for parameter in cmdlet
        .parameters
        .iter()
        .filter(|parameter| !parameter.sets.is_empty() && arguments.given(parameter.name))
    {
        left.retain(|set| parameter.sets.contains(set));
    }
    left
}

/// Binds what comes down the pipeline, and says what is still missing. Called for each object, and once without.
pub(crate) fn complete(
    cmdlet: &Cmdlet,
    arguments: &Arguments,
    input: Option<&PsValue>,
    place: Place,
) -> Result<Arguments, Box<ErrorRecord>> {
    let mut arguments = arguments.clone();
    if let Some(input) = input {
        let mut took = false;
        for parameter in cmdlet.parameters.iter().filter(|parameter| parameter.piped) {
            if arguments.given(parameter.name) {
                continue;
            }
            let Some(text) = piped_text(parameter, input) else {
                continue;
            };
            let mut with = arguments.clone();
            with.bound.insert(parameter.name, Bound::Text(text));
            if has_sets(cmdlet) && sets_left(cmdlet, &with).is_empty() {
                continue;
            }
            arguments = with;
            took = true;
        }
        if !took {
            return Err(Box::new(error::not_bound(place.language, cmdlet, &input.shown())));
        }
    }
    let sets = sets_left(cmdlet, &arguments);
    let missing_in = |set: Option<&str>| -> Vec<&'static str> {
        cmdlet
            .parameters
            .iter()
            .filter(|parameter| parameter.mandatory && !arguments.given(parameter.name))
            .filter(|parameter| {
                parameter.sets.is_empty() || set.is_some_and(|set| parameter.sets.contains(&set))
            })
            .map(|parameter| parameter.name)
            .collect()
    };
    let default = sets.get(cmdlet.default_set).copied();
    let chosen = sets
        .iter()
        .copied()
        .find(|set| missing_in(Some(set)).is_empty())
        .or(default)
        .or_else(|| sets.first().copied());
    let missing = missing_in(chosen);
    if missing.is_empty() {
        Ok(arguments)
    } else {
        Err(Box::new(error::missing(place.language, cmdlet, &missing)))
    }
}

/// What a parameter takes from an object: the property of its name; for an identity the object's own; of a plain value
/// the value.
fn piped_text(parameter: &Parameter, input: &PsValue) -> Option<String> {
    match input {
        PsValue::Object(object) if parameter.kind == Kind::Certificate => thumbprint_of(object),
        _ if parameter.kind != Kind::Text => None,
        PsValue::Object(object) => {
            let own = object.property(parameter.name).map(PsValue::shown);
            own.or_else(|| (parameter.name == "Identity").then(|| object.shown()))
        }
        other => Some(other.shown()),
    }
}
