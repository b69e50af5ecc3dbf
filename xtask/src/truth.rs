//! Holds decoded values against what PowerShell wrote about them before it serialised them (`Truth`).

use std::path::Path;

use exseal_psrp::clixml::{ContainerKind, Document, Limits, PsString, Value, decode_bytes};
use serde_json::Value as Json;

/// How many truths were held, and which were not.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Values equal to their truth.
    pub(crate) held: usize,
    /// Texts that the file itself no longer holds, because it was written in ASCII.
    pub(crate) lost_by_the_writer: usize,
    /// One line for each that is not.
    pub(crate) failed: Vec<String>,
}

/// Checks every file of a folder.
pub(crate) fn check_folder(folder: &Path) -> Result<Held, String> {
    let mut held = Held::default();
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
    {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = decode_bytes(&bytes).map_err(|error| format!("{name}: {error}"))?;
        let document =
            Document::decode(&text, &Limits::default()).map_err(|error| format!("{name}: {error}"))?;
        for (at, value) in document.values.iter().enumerate() {
            let Some(truth) = document
                .path(value, &["Truth"])
                .and_then(|truth| document.text(truth))
            else {
                continue;
            };
            let truth: Json =
                serde_json::from_str(&truth).map_err(|error| format!("{name}, value {at}: {error}"))?;
            let found = document.path(value, &["Value"]).unwrap_or(&Value::Nil);
            match differs(&document, found, &truth) {
                None => held.held += 1,
                Some(_) if bytes.is_ascii() && lost_in_ascii(found, &truth) => held.lost_by_the_writer += 1,
                Some(why) => {
                    let label = document
                        .path(value, &["Name"])
                        .and_then(|label| document.text(label));
                    held.failed
                        .push(format!("{name}, {}: {why}", label.unwrap_or_default()));
                }
            }
        }
    }
    Ok(held)
}

/// Why a value is not what its truth says; `None` when it is.
pub(crate) fn differs(document: &Document<'_>, value: &Value<'_>, truth: &Json) -> Option<String> {
    let expect = |field: &str| truth[field].as_str().unwrap_or_default().to_owned();
    let equal = |found: String, expected: String| {
        (found != expected).then(|| format!("expected {expected}, found {found}"))
    };
    let inner = peel(document, value);
    match truth["k"].as_str().unwrap_or_default() {
        "null" => (!matches!(value, Value::Nil)).then(|| format!("expected null, found {value:?}")),
        "string" => equal(units_hex(document, value), expect("utf16le")),
        "uri" => equal(units_hex(document, value), expect("utf16le")),
        "int"
            if document
                .object(value)
                .is_some_and(|object| object.types.is_some()) =>
        {
            Some("an enum, not a number".to_owned())
        }
        "int" => equal(
            document
                .integer(value)
                .map_or_else(|| "no number".to_owned(), |n| n.to_string()),
            expect("v"),
        ),
        "bool" => equal(
            format!("{:?}", document.boolean(value)),
            format!("{:?}", truth["v"].as_bool()),
        ),
        "f64" => match inner {
            Value::F64(number) => equal_float(number.to_bits(), number.is_nan(), 16, &expect("bits")),
            other => Some(format!("expected a double, found {other:?}")),
        },
        "f32" => match inner {
            Value::F32(number) => {
                equal_float(u64::from(number.to_bits()), number.is_nan(), 8, &expect("bits"))
            }
            other => Some(format!("expected a single, found {other:?}")),
        },
        "decimal" | "version" | "guid" => {
            let field = if truth["v"].is_string() { "v" } else { "text" };
            equal(
                document.text(inner).unwrap_or_default().into_owned(),
                expect(field),
            )
        }
        "char" => match inner {
            Value::Char(unit) => equal(unit.to_string(), truth["code"].to_string()),
            other => Some(format!("expected a character, found {other:?}")),
        },
        "bytes" => {
            let Some(bytes) = document.bytes(value) else {
                return Some("no bytes".to_owned());
            };
            equal(
                bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                expect("hex"),
            )
        }
        "datetime" => match inner {
            Value::DateTime(text) => match date(text) {
                Some((ticks, kind)) => equal(
                    format!("{ticks} {kind}"),
                    format!("{} {}", expect("ticks"), expect("kind")),
                ),
                None => Some(format!("no date: {text}")),
            },
            other => Some(format!("expected a date, found {other:?}")),
        },
        "timespan" => match inner {
            Value::TimeSpan(text) => equal(
                span(text).map_or_else(|| format!("no span: {text}"), |t| t.to_string()),
                expect("ticks"),
            ),
            other => Some(format!("expected a time span, found {other:?}")),
        },
        "enum" => equal(
            format!(
                "{:?} {}",
                document.integer(value).map(|n| n.to_string()),
                tostring(document, value)
            ),
            format!("{:?} {}", Some(expect("int")), expect("name")),
        ),
        "list" => list(document, value, truth),
        "dictionary" => dictionary(document, value, truth),
        "object" => object(document, value, truth),
        "semver" => equal(tostring(document, value), expect("v")),
        "other" | "scriptblock" | "xml" => {
            let expected = ["tostring", "utf16le"]
                .iter()
                .find_map(|field| truth[*field].as_str())
                .unwrap_or_default();
            let found = [
                to_string_hex(document, value),
                units_hex(document, inner),
                units_hex(document, value),
            ];
            (!found.iter().any(|found| found == expected))
                .then(|| format!("expected {expected}, found {found:?}"))
        }
        other => Some(format!(
            "a truth of kind {other:?} that this program does not know"
        )),
    }
}

fn peel<'d, 'a>(document: &'d Document<'a>, value: &'d Value<'a>) -> &'d Value<'a> {
    match document.object(value).and_then(|object| object.base.as_ref()) {
        Some(base) if !matches!(base, Value::Object(_)) => base,
        _ => value,
    }
}

fn units_hex(document: &Document<'_>, value: &Value<'_>) -> String {
    let units = match peel(document, value) {
        Value::String(text) | Value::Uri(text) | Value::Xml(text) | Value::ScriptBlock(text) => text.units(),
        _ => return "no text".to_owned(),
    };
    hex_units(&units)
}

fn hex_units(units: &[u16]) -> String {
    units
        .iter()
        .flat_map(|unit| unit.to_le_bytes())
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn to_string_hex(document: &Document<'_>, value: &Value<'_>) -> String {
    let units = document
        .object(value)
        .and_then(|object| object.to_string.as_ref())
        .map(PsString::units);
    hex_units(&units.unwrap_or_default())
}

/// Whether a text lost only what ASCII lacks when it was written (`-Encoding ascii` writes `?`).
fn lost_in_ascii(found: &Value<'_>, truth: &Json) -> bool {
    let Value::String(found) = found else { return false };
    let expected = truth["utf16le"].as_str().unwrap_or_default();
    let found = found.units();
    let expected: Vec<u16> = (0..expected.len() / 4)
        .filter_map(|at| {
            u16::from_str_radix(expected.get(4 * at..4 * at + 4)?, 16)
                .ok()
                .map(u16::swap_bytes)
        })
        .collect();
    found.len() == expected.len()
        && found
            .iter()
            .zip(&expected)
            .all(|(&found, &expected)| found == expected || (found == 0x3f && expected > 0x7f))
}

fn tostring(document: &Document<'_>, value: &Value<'_>) -> String {
    document
        .object(value)
        .and_then(|object| object.to_string.as_ref())
        .map(|text| text.to_text().into_owned())
        .unwrap_or_default()
}

fn equal_float(bits: u64, nan: bool, width: usize, expected: &str) -> Option<String> {
    let known = u64::from_str_radix(expected, 16).ok()?;
    // NaN is written as a word: which NaN it was is lost by PowerShell itself.
    let expected_nan = if width == 16 {
        f64::from_bits(known).is_nan()
    } else {
        u32::try_from(known).is_ok_and(|b| f32::from_bits(b).is_nan())
    };
    (bits != known && !(nan && expected_nan)).then(|| format!("expected {expected}, found {bits:0width$x}"))
}

/// Ticks since the year 1 of the clock shown, and Utc, Local or Unspecified.
fn date(text: &str) -> Option<(i64, &'static str)> {
    let (clock, kind) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, "Utc")
    } else if let Some(at) = text.rfind(['+', '-']).filter(|&at| at > 10) {
        (text.get(..at)?, "Local")
    } else {
        (text, "Unspecified")
    };
    let clock: jiff::civil::DateTime = clock.parse().ok()?;
    let days = jiff::civil::date(1, 1, 1).until(clock.date()).ok()?.get_days();
    let time = clock.time();
    let seconds = i64::from(days) * 86_400
        + i64::from(time.hour()) * 3600
        + i64::from(time.minute()) * 60
        + i64::from(time.second());
    Some((
        seconds * 10_000_000 + i64::from(time.subsec_nanosecond()) / 100,
        kind,
    ))
}

/// Ticks of an ISO 8601 duration of days and smaller units.
fn span(text: &str) -> Option<i128> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let text = text.strip_prefix('P')?;
    let (days, time) = text.split_once('T').unwrap_or((text, ""));
    let mut ticks = days
        .strip_suffix('D')
        .map_or(Some(0), |days| days.parse::<i128>().ok())?
        * 864_000_000_000;
    let mut number = String::new();
    for character in time.chars() {
        let unit: i128 = match character {
            'H' => 36_000_000_000,
            'M' => 600_000_000,
            'S' => 10_000_000,
            digit => {
                number.push(digit);
                continue;
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        ticks += whole.parse::<i128>().ok()? * unit;
        if !fraction.is_empty() {
            ticks += format!("{fraction:0<7}").parse::<i128>().ok()?;
        }
        number.clear();
    }
    Some(if negative { -ticks } else { ticks })
}

fn list(document: &Document<'_>, value: &Value<'_>, truth: &Json) -> Option<String> {
    let expected = truth["items"].as_array()?;
    let Some(items) = document.items(value) else {
        return Some(format!("expected a list, found {value:?}"));
    };
    if items.len() != expected.len() {
        return Some(format!(
            "expected {} items, found {}",
            expected.len(),
            items.len()
        ));
    }
    items
        .iter()
        .zip(expected)
        .find_map(|(item, truth)| differs(document, item, truth))
}

fn dictionary(document: &Document<'_>, value: &Value<'_>, truth: &Json) -> Option<String> {
    let expected = truth["entries"].as_array()?;
    let container = document
        .object(value)
        .and_then(|object| object.container.as_ref());
    let Some(container) = container.filter(|container| container.kind == ContainerKind::Dictionary) else {
        return Some(format!("expected a dictionary, found {value:?}"));
    };
    let (pairs, _) = container.items.as_chunks::<2>();
    if pairs.len() != expected.len() {
        return Some(format!(
            "expected {} entries, found {}",
            expected.len(),
            pairs.len()
        ));
    }
    let part = |entry: &Json, name: &str, at: usize| {
        entry
            .get(name)
            .or_else(|| entry.get(at))
            .cloned()
            .unwrap_or_default()
    };
    expected.iter().find_map(|entry| {
        let (key, truth) = (part(entry, "key", 0), part(entry, "value", 1));
        let found = pairs
            .iter()
            .find(|[own, _]| differs(document, own, &key).is_none());
        match found {
            Some([_, value]) => differs(document, value, &truth),
            None => Some(format!("no entry with the key {key}")),
        }
    })
}

fn object(document: &Document<'_>, value: &Value<'_>, truth: &Json) -> Option<String> {
    let Some(object) = document.object(value) else {
        return Some(format!("expected an object, found {value:?}"));
    };
    let types: Vec<String> = document
        .types(object)
        .iter()
        .map(|name| name.to_text().into_owned())
        .collect();
    let expected: Vec<&str> = truth["types"]
        .as_array()?
        .iter()
        .filter_map(Json::as_str)
        .collect();
    if types != expected {
        return Some(format!("expected the types {expected:?}, found {types:?}"));
    }
    truth["properties"].as_array()?.iter().find_map(|property| {
        let (name, truth) = (
            property[0].as_str().unwrap_or_default(),
            property.get(1).unwrap_or(&Json::Null),
        );
        let mut members = [&object.extended, &object.adapted]
            .into_iter()
            .flatten()
            .flatten();
        match members
            .find(|member| hex_units(&member.name.units()) == name)
            .map(|member| &member.value)
        {
            Some(value) => differs(document, value, truth),
            None => Some(format!("no property {name}")),
        }
    })
}
