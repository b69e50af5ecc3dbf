//! What `ConvertTo-Json` of Windows PowerShell 5.1 writes, and objects as remoting flattens them.

use exseal_psrp::clixml::{Document, Object, Property, Value as Wire};
use serde_json::Value;

/// The text of all that came down the pipeline: nothing of nothing, an object of one, an array of several.
pub(crate) fn text(values: Vec<Value>, depth: usize, compress: bool) -> Option<String> {
    let mut values = values;
    let whole = if values.len() > 1 {
        Value::Array(values.into_iter().map(|value| cut(value, depth)).collect())
    } else {
        cut(values.pop()?, depth)
    };
    let text = if compress {
        whole.to_string()
    } else {
        // A value that was one before is one again.
        serde_json::to_string_pretty(&whole).unwrap_or_default()
    };
    Some(escaped(&text))
}

/// 5.1 escapes what HTML could trip over; outside of strings these characters do not occur.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\'' => out.push_str("\\u0027"),
            other => out.push(other),
        }
    }
    out
}

/// What lies deeper than `depth` becomes its text.
fn cut(value: Value, depth: usize) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) if depth == 0 => Value::String(shown(&value)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| cut(item, depth - 1)).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, field)| {
                    let field = if field.is_object() || field.is_array() {
                        cut(field, depth - 1)
                    } else {
                        field
                    };
                    (name, field)
                })
                .collect(),
        ),
        plain => plain,
    }
}

/// The same with other texts wherever a thumbprint stands.
pub(crate) fn with_thumbprints(value: Value, other: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => items
            .into_iter()
            .map(|item| with_thumbprints(item, other))
            .collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| {
                let field = match field {
                    Value::String(text) if name.eq_ignore_ascii_case("thumbprint") => {
                        Value::String(other(&text))
                    }
                    field => with_thumbprints(field, other),
                };
                (name, field)
            })
            .collect(),
        plain => plain,
    }
}

/// PowerShell's text of a value.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, field)| format!("{name}={}", shown(field)))
                .collect();
            format!("@{{{}}}", fields.join("; "))
        }
    }
}

/// A `PSCustomObject` as remoting writes it: one level, what lies deeper as text.
pub(crate) fn object(value: &Value) -> Document<'static> {
    let mut document = Document::default();
    let Value::Object(fields) = value else {
        document.values.push(plain(value));
        return document;
    };
    let types = document.add_types(&["System.Management.Automation.PSCustomObject", "System.Object"]);
    let extended = fields
        .iter()
        .map(|(name, field)| Property {
            name: name.clone().into(),
            value: plain(field),
        })
        .collect();
    let object = document.add(Object {
        types: Some(types),
        to_string: Some(shown(value).into()),
        extended: Some(extended),
        ..Object::default()
    });
    document.values.push(object);
    document
}

fn plain(value: &Value) -> Wire<'static> {
    match value {
        Value::Null => Wire::Nil,
        Value::Bool(value) => Wire::Bool(*value),
        Value::Number(number) => number.as_i64().map_or(Wire::Nil, |whole| {
            i32::try_from(whole).map_or(Wire::I64(whole), Wire::I32)
        }),
        other => Wire::String(shown(other).into()),
    }
}
