//! Objects as JSON, for people and programs that have no PowerShell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use exseal_psrp::clixml::{ContainerKind, Document, Object, Value as Clixml};
use serde_json::{Map, Number, Value};

/// Levels that are shown; what lies deeper is its text.
const DEEPEST: usize = 12;
/// Values that are shown of one object: references may repeat without end.
const MOST: usize = 200_000;

/// The first value of a document. Type names are not kept.
pub(super) fn json(document: &Document<'_>) -> Value {
    let mut left = MOST;
    document
        .values
        .first()
        .map_or(Value::Null, |value| shown(document, value, DEEPEST, &mut left))
}

fn shown(document: &Document<'_>, value: &Clixml<'_>, depth: usize, left: &mut usize) -> Value {
    *left = left.saturating_sub(1);
    match value {
        Clixml::Nil => Value::Null,
        Clixml::Bool(value) => Value::Bool(*value),
        Clixml::F32(value) => number(f64::from(*value)),
        Clixml::F64(value) => number(*value),
        Clixml::Bytes(bytes) => Value::String(BASE64.encode(bytes)),
        Clixml::SecureString(_) => Value::String("<secure string>".to_owned()),
        Clixml::Object(_) => match document.object(value) {
            Some(object) => of_object(document, value, object, depth, left),
            None => Value::Null,
        },
        Clixml::Char(_)
        | Clixml::String(_)
        | Clixml::DateTime(_)
        | Clixml::TimeSpan(_)
        | Clixml::Decimal(_)
        | Clixml::Guid(_)
        | Clixml::Uri(_)
        | Clixml::Version(_)
        | Clixml::Xml(_)
        | Clixml::ScriptBlock(_) => text(document, value),
        integer => document
            .integer(integer)
            .and_then(Number::from_i128)
            .map_or(Value::Null, Value::Number),
    }
}

/// Infinite and not-a-number have no JSON: they are their text.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}

fn text(document: &Document<'_>, value: &Clixml<'_>) -> Value {
    document
        .text(value)
        .map_or(Value::Null, |text| Value::String(text.into_owned()))
}

fn of_object(
    document: &Document<'_>,
    value: &Clixml<'_>,
    object: &Object<'_>,
    depth: usize,
    left: &mut usize,
) -> Value {
    if depth == 0 || *left == 0 || document.is_a(object, "System.Enum") {
        return text(document, value);
    }
    let inner = depth - 1;
    if let Some(container) = &object.container {
        if container.kind == ContainerKind::Dictionary {
            let mut entries = Map::new();
            for pair in container.items.chunks(2) {
                if let [key, item] = pair {
                    let name = document.text(key).unwrap_or_default().into_owned();
                    entries.insert(name, shown(document, item, inner, left));
                }
            }
            return Value::Object(entries);
        }
        let items = container.items.iter();
        return Value::Array(items.map(|item| shown(document, item, inner, left)).collect());
    }
    let properties: Vec<_> = [&object.adapted, &object.extended]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    match &object.base {
        Some(base) => shown(document, base, inner, left),
        None if properties.is_empty() => text(document, value),
        None => {
            let mut shape = Map::new();
            for property in properties {
                let name = property.name.to_text().into_owned();
                shape.insert(name, shown(document, &property.value, inner, left));
            }
            Value::Object(shape)
        }
    }
}

#[cfg(test)]
mod tests {
    use exseal_psrp::clixml::Limits;
    use serde_json::json;

    use super::*;

    fn read(inner: &str) -> Value {
        let xml = format!(
            r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{inner}</Objs>"#
        );
        json(&Document::decode(&xml, &Limits::default()).unwrap())
    }

    #[test]
    fn properties_lists_dictionaries_bytes_and_enumerations_have_their_json() {
        let found = read(
            r#"<Obj RefId="0"><Props><S N="Name">a</S><I32 N="Count">3</I32><BA N="Raw">AQI=</BA><Nil N="None"/>
            <Obj N="Services" RefId="1"><TN RefId="0"><T>Services</T><T>System.Enum</T></TN><ToString>IIS, SMTP</ToString><I32>5</I32></Obj>
            <Obj N="List" RefId="2"><LST><S>x</S><B>true</B></LST></Obj>
            <Obj N="Table" RefId="3"><DCT><En><S N="Key">k</S><I32 N="Value">1</I32></En></DCT></Obj>
            <SS N="Secret">0123</SS><Db N="Odd">NaN</Db></Props></Obj>"#,
        );
        assert_eq!(
            found,
            json!({
                "Name": "a", "Count": 3, "Raw": "AQI=", "None": null, "Services": "IIS, SMTP",
                "List": ["x", true], "Table": {"k": 1}, "Secret": "<secure string>", "Odd": "NaN"
            })
        );
    }

    #[test]
    fn what_goes_in_circles_ends() {
        let found = read(r#"<Obj RefId="0"><ToString>me</ToString><MS><Ref N="Self" RefId="0"/></MS></Obj>"#);
        let mut at = &found;
        for _ in 0..DEEPEST {
            at = &at["Self"];
        }
        assert_eq!(at, "me");
    }
}
