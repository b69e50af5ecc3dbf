//! Prints what a CLIXML file holds as one line of JSON, for peers in other languages to compare with what they read.
//!
//! `{"values": [V], "objects": [O]}`; a V is null, `[element, content]`, or `{"o": place in objects}`. Texts are strings,
//! or `{"u": [code units]}` where they are no valid Unicode. An O has what stood in the file: `types`, `to_string`, `base`,
//! `container: [element, [V]]`, `adapted: [[name, V]]`, `extended: [[name, V]]`; what did not stand there is left out.

use std::io::Write as _;
use std::process::ExitCode;

use exseal_psrp::clixml::{Document, Limits, Object, Property, PsString, Value, decode_bytes};
use serde_json::{Map, Value as Json, json};

#[expect(clippy::print_stderr, reason = "a program of its own")]
fn main() -> ExitCode {
    let mut failed = false;
    let mut out = std::io::stdout().lock();
    for path in std::env::args_os().skip(1) {
        let line = std::fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|bytes| dump(&bytes));
        match line {
            Ok(json) => failed |= writeln!(out, "{json}").is_err(),
            Err(words) => {
                eprintln!("{}: {words}", path.display());
                failed |= writeln!(out, "{}", json!({"error": words})).is_err();
            }
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn dump(bytes: &[u8]) -> Result<Json, String> {
    let text = decode_bytes(bytes).map_err(|error| error.to_string())?;
    let document = Document::decode(&text, &Limits::default()).map_err(|error| error.to_string())?;
    let objects: Vec<Json> = document
        .objects
        .iter()
        .map(|one| object(&document, one))
        .collect();
    Ok(json!({"values": values(&document.values), "objects": objects}))
}

fn object(document: &Document<'_>, object: &Object<'_>) -> Json {
    let mut out = Map::new();
    if let Some(types) = object.types.and_then(|place| document.type_names.get(place)) {
        out.insert("types".to_owned(), types.iter().map(text).collect());
    }
    if let Some(shown) = &object.to_string {
        out.insert("to_string".to_owned(), text(shown));
    }
    if let Some(base) = &object.base {
        out.insert("base".to_owned(), value(base));
    }
    if let Some(container) = &object.container {
        out.insert(
            "container".to_owned(),
            json!([container.kind.element(), values(&container.items)]),
        );
    }
    for (name, found) in [("adapted", &object.adapted), ("extended", &object.extended)] {
        if let Some(found) = found {
            out.insert(name.to_owned(), properties(found));
        }
    }
    Json::Object(out)
}

fn properties(properties: &[Property<'_>]) -> Json {
    properties
        .iter()
        .map(|property| json!([text(&property.name), value(&property.value)]))
        .collect()
}

fn values(values: &[Value<'_>]) -> Json {
    values.iter().map(value).collect()
}

fn value(value: &Value<'_>) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Object(id) => json!({"o": id.0}),
        Value::String(content) => json!(["S", text(content)]),
        Value::Uri(content) => json!(["URI", text(content)]),
        Value::Xml(content) => json!(["XD", text(content)]),
        Value::ScriptBlock(content) => json!(["SBK", text(content)]),
        Value::Char(unit) => json!(["C", unit]),
        Value::Bool(flag) => json!(["B", flag]),
        Value::DateTime(written) => json!(["DT", written]),
        Value::TimeSpan(written) => json!(["TS", written]),
        Value::U8(number) => json!(["By", number]),
        Value::I8(number) => json!(["SB", number]),
        Value::U16(number) => json!(["U16", number]),
        Value::I16(number) => json!(["I16", number]),
        Value::U32(number) => json!(["U32", number]),
        Value::I32(number) => json!(["I32", number]),
        Value::U64(number) => json!(["U64", number]),
        Value::I64(number) => json!(["I64", number]),
        // As bits: JSON has no infinities, and a decimal form might round.
        Value::F32(number) => json!(["Sg", number.to_bits()]),
        Value::F64(number) => json!(["Db", number.to_bits()]),
        Value::Decimal(written) => json!(["D", written]),
        Value::Bytes(bytes) => json!(["BA", hex(bytes)]),
        Value::Guid(written) => json!(["G", written]),
        Value::Version(written) => json!(["Version", written]),
        Value::SecureString(_) => json!(["SS", null]),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(text: &PsString<'_>) -> Json {
    text.as_str()
        .map_or_else(|| json!({"u": text.units()}), |text| json!(text))
}
