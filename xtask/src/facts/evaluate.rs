//! One look at a program's JSON: a place, an operator, a value. The format is stated by the `about`
//! of the file of facts itself.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// How what was found is compared with what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operator {
    /// The same JSON; points in time are compared as instants.
    Equals,
    EqualsIgnoringCase,
    /// The same elements in any order, without regard to case.
    SetEquals,
    /// An element, or a part of a string; without regard to case.
    Contains,
    /// Not [`Operator::Contains`]; without a value: the object is there, the key is not.
    Absent,
    /// The length of an array.
    Count,
    Less,
    Greater,
}

/// What is to be seen in a document.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Expectation {
    /// Segments separated by `/`: a key, an index, or `key=value`.
    pub(crate) at: String,
    pub(crate) op: Operator,
    /// Left out only with [`Operator::Absent`].
    #[serde(default, deserialize_with = "present")]
    pub(crate) value: Option<Value>,
}

/// Keeps an explicit null apart from a value that is left out.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Our names of findings for each kind; a kind that is not here has its own name.
pub(crate) type Kinds = BTreeMap<String, Names>;

/// One name or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

impl Expectation {
    /// Whether `document` is as expected.
    ///
    /// # Errors
    ///
    /// The words say what was found instead.
    pub(crate) fn check(&self, document: &Value, kinds: &Kinds) -> Result<(), String> {
        let Some(expected) = &self.value else {
            return match self.op {
                Operator::Absent => absent_key(document, &self.at),
                other => Err(format!("the fact has the operator {other:?} and no value")),
            };
        };

        let found = at(document, &self.at)?;
        let holds = match self.op {
            Operator::Equals => same(found, expected),
            Operator::EqualsIgnoringCase => same_ignoring_case(found, expected),
            Operator::SetEquals => same_set(array(found)?, array(expected)?),
            Operator::Contains => contains(found, expected, kinds)?,
            Operator::Absent => !contains(found, expected, kinds)?,
            Operator::Count => expected.as_u64() == u64::try_from(array(found)?.len()).ok(),
            Operator::Less => compare(found, expected)? == Ordering::Less,
            Operator::Greater => compare(found, expected)? == Ordering::Greater,
        };
        if holds {
            Ok(())
        } else {
            Err(format!("found {}", shown(found)))
        }
    }
}

/// The value at `place`.
fn at<'v>(document: &'v Value, place: &str) -> Result<&'v Value, String> {
    let mut value = document;
    let mut seen = String::new();
    for segment in place.split('/').filter(|segment| !segment.is_empty()) {
        value = step(value, segment)
            .ok_or_else(|| format!("found nothing at {seen}/{segment} in {}", outline(value)))?;
        seen = format!("{seen}/{segment}");
    }
    Ok(value)
}

fn step<'v>(value: &'v Value, segment: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(segment),
        Value::Array(elements) => match segment.split_once('=') {
            Some((key, wanted)) => elements.iter().find(|element| {
                element
                    .get(key)
                    .is_some_and(|found| plain(found).is_some_and(|found| folded(&found) == folded(wanted)))
            }),
            None => elements.get(segment.parse::<usize>().ok()?),
        },
        _ => None,
    }
}

/// Holds where the object before the last segment is there and the key is not.
fn absent_key(document: &Value, place: &str) -> Result<(), String> {
    let (parent, key) = place.rsplit_once('/').unwrap_or(("", place));
    match at(document, parent)? {
        Value::Object(members) => match members.get(key) {
            None => Ok(()),
            Some(found) => Err(format!("found {}", shown(found))),
        },
        other => Err(format!(
            "expected an object at {parent}, found {}",
            outline(other)
        )),
    }
}

/// The elements of an array; null counts as an empty one.
fn array(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::Array(elements) => Ok(elements),
        Value::Null => Ok(&[]),
        other => Err(format!("expected an array, found {}", shown(other))),
    }
}

/// The same JSON; numbers by value, points in time as instants.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::String(a), Value::String(b)) => a == b || instant(a).is_some_and(|a| Some(a) == instant(b)),
        (Value::Number(_), Value::Number(_)) => number_order(found, expected) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn same_ignoring_case(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::String(a), Value::String(b)) => folded(a) == folded(b) || same(found, expected),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_ignoring_case(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same_ignoring_case(a, b)))
        }
        (a, b) => same(a, b),
    }
}

/// Each element of one has its own partner in the other.
fn same_set(found: &[Value], expected: &[Value]) -> bool {
    let mut left: Vec<&Value> = found.iter().collect();
    for wanted in expected {
        match left.iter().position(|found| same_ignoring_case(found, wanted)) {
            Some(partner) => drop(left.swap_remove(partner)),
            None => return false,
        }
    }
    left.is_empty()
}

fn contains(found: &Value, expected: &Value, kinds: &Kinds) -> Result<bool, String> {
    if let Value::String(text) = found {
        let part = expected
            .as_str()
            .ok_or_else(|| format!("{} cannot be a part of a string", shown(expected)))?;
        return Ok(folded(text).contains(&folded(part)));
    }
    let elements = array(found)?;
    Ok(match expected.get("kind").and_then(Value::as_str) {
        Some(kind) => elements
            .iter()
            .any(|finding| is_finding(finding, kind, &expected["subject"], kinds)),
        None => elements
            .iter()
            .any(|element| same_ignoring_case(element, expected)),
    })
}

/// Whether `finding` has the kind's name, and each subject in one of its texts at any depth.
fn is_finding(finding: &Value, kind: &str, subject: &Value, kinds: &Kinds) -> bool {
    let name = finding["name"].as_str().unwrap_or_default();
    let named = folded(name) == folded(kind)
        || kinds
            .get(kind)
            .is_some_and(|names| names.iter().any(|ours| folded(ours) == folded(name)));
    let subjects = match subject {
        Value::Array(subjects) => subjects.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    named
        && subjects
            .into_iter()
            .all(|subject| plain(subject).is_some_and(|subject| has_text(finding, &folded(&subject))))
}

/// Whether `part`, folded, is in a text of `value` at any depth. Keys are no texts.
fn has_text(value: &Value, part: &str) -> bool {
    match value {
        Value::String(text) => folded(text).contains(part),
        Value::Array(elements) => elements.iter().any(|element| has_text(element, part)),
        Value::Object(members) => members.values().any(|member| has_text(member, part)),
        _ => false,
    }
}

/// Orders numbers, points in time, or the length of an array against a number.
fn compare(found: &Value, expected: &Value) -> Result<Ordering, String> {
    let order = match (found, expected) {
        (Value::Array(elements), Value::Number(_)) => number_order(&Value::from(elements.len()), expected),
        (Value::Null, Value::Number(_)) => number_order(&Value::from(0), expected),
        (Value::Number(_), Value::Number(_)) => number_order(found, expected),
        (Value::String(a), Value::String(b)) => instant(a)
            .zip(instant(b))
            .map(|(found, expected)| found.cmp(&expected)),
        _ => None,
    };
    order.ok_or_else(|| format!("cannot order {} and {}", shown(found), shown(expected)))
}

fn number_order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// A string, number or truth value as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn folded(text: &str) -> String {
    text.to_lowercase()
}

/// The value for a message, cut where it is long.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(300).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What kind of value this is, for a message about a place that is not there.
fn outline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let keys: Vec<&str> = members.keys().map(String::as_str).collect();
            format!("an object with {}", keys.join(", "))
        }
        Value::Array(elements) => format!("an array of {}", elements.len()),
        other => shown(other),
    }
}

#[cfg(test)]
mod tests;
