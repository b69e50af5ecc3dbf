//! Holds printed JSON against the published schemas.
//!
//! A small reader of the keywords our schemas use; one it does not know is a failure, so that nothing is taken as checked
//! that is not. A key the schema does not name is a failure too, unless it allows further ones.

use serde_json::Value;

use crate::root;

/// Fails where `value` is not as `docs/schema/<name>.json` says.
pub(crate) fn conforms(name: &str, value: &Value) {
    let path = root().join("docs/schema").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema: Value = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    check(&schema, &schema, value, "$", &mut wrong);
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let schema = match schema {
        Value::Bool(true) => return,
        Value::Object(schema) => schema,
        other => {
            wrong.push(format!("{at}: expected a schema, found {other}"));
            return;
        }
    };
    let further = schema.get("additionalProperties");
    for (keyword, rule) in schema {
        match keyword.as_str() {
            "$schema"
            | "$defs"
            | "title"
            | "description"
            | "default"
            | "format"
            | "maximum"
            | "additionalProperties" => {}
            "$ref" => match rule
                .as_str()
                .and_then(|path| root.pointer(path.trim_start_matches('#')))
            {
                Some(meant) => check(root, meant, value, at, wrong),
                None => wrong.push(format!("{at}: {rule} leads nowhere")),
            },
            "type" => {
                let types = rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice);
                if !types
                    .iter()
                    .any(|one| is(one.as_str().unwrap_or_default(), value))
                {
                    wrong.push(format!("{at}: expected {rule}, found {value}"));
                }
            }
            "const" if value != rule => wrong.push(format!("{at}: expected {rule}, found {value}")),
            "const" => {}
            "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                wrong.push(format!("{at}: expected one of {rule}, found {value}"));
            }
            "enum" => {}
            "minimum" => {
                let (least, found) = (rule.as_f64(), value.as_f64());
                if found.is_some() && found < least {
                    wrong.push(format!("{at}: expected at least {rule}, found {value}"));
                }
            }
            "pattern" => {
                let fits = value
                    .as_str()
                    .is_some_and(|text| matches(rule.as_str().unwrap_or_default(), text));
                if value.is_string() && !fits {
                    wrong.push(format!("{at}: expected {rule}, found {value}"));
                }
            }
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{place}]"), wrong);
                }
            }
            "required" => {
                let object = value.as_object();
                for key in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if object.is_some_and(|object| !object.contains_key(key)) {
                        wrong.push(format!("{at}: expected the key {key}"));
                    }
                }
            }
            "properties" => {
                for (key, own) in value.as_object().into_iter().flatten() {
                    let place = format!("{at}.{key}");
                    match (rule.get(key), further) {
                        (Some(rule), _) => check(root, rule, own, &place, wrong),
                        (None, Some(Value::Bool(true))) => {}
                        (None, Some(rule)) => check(root, rule, own, &place, wrong),
                        (None, None) => wrong.push(format!("{place}: a key the schema does not name")),
                    }
                }
            }
            "patternProperties" => {
                for (pattern, rule) in rule.as_object().into_iter().flatten() {
                    for (key, own) in value.as_object().into_iter().flatten() {
                        if matches(pattern, key) {
                            check(root, rule, own, &format!("{at}.{key}"), wrong);
                        } else {
                            wrong.push(format!("{at}: expected a key as {pattern}, found {key}"));
                        }
                    }
                }
            }
            "anyOf" | "oneOf" => {
                let fits = rule.as_array().into_iter().flatten().any(|one| {
                    let mut inner = Vec::new();
                    check(root, one, value, at, &mut inner);
                    inner.is_empty()
                });
                if !fits {
                    wrong.push(format!("{at}: fits none of {keyword}: {value}"));
                }
            }
            other => wrong.push(format!("{at}: the keyword {other} is not checked")),
        }
    }
    if let (Some(rule @ Value::Object(_)), None, Some(object)) =
        (further, schema.get("properties"), value.as_object())
    {
        for (key, own) in object {
            check(root, rule, own, &format!("{at}.{key}"), wrong);
        }
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// The patterns our schemas use; of any other nothing is matched.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^[0-9A-F]{40}$" => {
            text.len() == 40
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
        }
        "^\\d+\\.\\d+\\.\\d+\\.\\d+$" => {
            text.split('.').count() == 4 && text.split('.').all(|part| part.parse::<u32>().is_ok())
        }
        _ => false,
    }
}
