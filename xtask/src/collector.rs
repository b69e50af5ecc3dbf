//! `cargo xtask collector`: collect/exseal-collect.ps1 is the read half of the helper module as it stands, and what follows it.

use std::collections::BTreeSet;
use std::fs;

use clap::Args;
use serde_json::Value;

use crate::{Failure, Result, powershell, workspace};

/// Arguments of `cargo xtask collector`.
#[derive(Debug, Args)]
pub(crate) struct CollectorArgs {
    /// Compare the committed script instead of writing it
    #[arg(long)]
    check: bool,
}

/// Writes the collector, or compares it.
pub(crate) fn run(args: &CollectorArgs) -> Result {
    if args.check {
        println!("{}", check()?);
        return Ok(());
    }
    fs::write(workspace::root().join("collect/exseal-collect.ps1"), assembled()?)?;
    println!("collect/exseal-collect.ps1 written");
    Ok(())
}

fn text(path: &str) -> Result<String> {
    let text = fs::read_to_string(workspace::root().join(path))
        .map_err(|error| Failure::new(format!("{path}: {error}")))?;
    Ok(text.replace("\r\n", "\n"))
}

/// Head, the module's functions without its export line, main part.
fn assembled() -> Result<String> {
    let module = text("helper/Exseal.psm1")?;
    let functions: Vec<&str> = module
        .lines()
        .filter(|line| !line.starts_with("Export-ModuleMember"))
        .collect();
    Ok([
        text("collect/head.ps1.in")?,
        functions.join("\n"),
        text("collect/main.ps1.in")?,
    ]
    .join("\n"))
}

/// Compares the committed collector, and holds module, contract and examples against each other.
pub(crate) fn check() -> Result<String> {
    if text("collect/exseal-collect.ps1")? != assembled()? {
        return Err(Failure::new(
            "collect/exseal-collect.ps1 is not what `cargo xtask collector` writes; run it and commit the script",
        ));
    }
    let contract: Value = serde_json::from_str(&text("helper/contract.json")?)?;
    let all = contract["functions"]
        .as_array()
        .ok_or_else(|| Failure::new("contract.json has no functions"))?;
    let functions: Vec<&Value> = all
        .iter()
        .filter(|function| !function["reads"].is_null())
        .collect();
    let promised: BTreeSet<&str> = functions
        .iter()
        .filter_map(|function| function["name"].as_str())
        .collect();
    let module = text("helper/Exseal.psm1")?;
    let export = module
        .lines()
        .find_map(|line| line.strip_prefix("Export-ModuleMember -Function "));
    let exported: BTreeSet<&str> = export.unwrap_or_default().split(", ").map(str::trim).collect();
    if exported != promised {
        return Err(Failure::new(format!(
            "the module exports {exported:?}, the contract promises {promised:?}"
        )));
    }
    let defined = powershell::functions(&module)?;
    let collector = text("collect/exseal-collect.ps1")?;
    for function in functions {
        let name = function["name"].as_str().unwrap_or_default();
        if !defined.contains(name) || !collector.contains(&format!("-Function {name} ")) {
            return Err(Failure::new(format!(
                "{name} is not defined in the module, or not called by the collector"
            )));
        }
        let output = &function["example"]["output"];
        if let Err(place) = fits(output, &function["output"], name) {
            return Err(Failure::new(format!(
                "the example of the contract does not fit its schema: {place}"
            )));
        }
    }
    Ok(format!(
        "{} functions in contract, module and collector",
        promised.len()
    ))
}

/// Whether a value fits the part of JSON schema the contract uses; else the place where it does not.
pub(crate) fn fits(value: &Value, schema: &Value, place: &str) -> Result<(), String> {
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices
            .iter()
            .filter(|choice| fits(value, choice, place).is_ok())
            .count();
        return if fitting == 1 {
            Ok(())
        } else {
            Err(format!("{place}: fits {fitting} of the choices"))
        };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => true,
    };
    if !allowed {
        return Err(format!("{place}: a {kind}"));
    }
    if let Value::Array(items) = value {
        return items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| fits(item, &schema["items"], &format!("{place}[{at}]")));
    }
    let (Value::Object(object), Some(properties)) = (value, schema["properties"].as_object()) else {
        return Ok(());
    };
    for required in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !object.contains_key(required) {
            return Err(format!("{place}: lacks {required}"));
        }
    }
    object
        .iter()
        .try_for_each(|(key, value)| match properties.get(key) {
            Some(schema) => fits(value, schema, &format!("{place}.{key}")),
            None => Err(format!("{place}: {key} is not in the schema")),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_committed_collector_and_contract_hold() {
        check().unwrap();
    }

    #[test]
    fn an_example_that_does_not_fit_is_found() {
        let schema = json!({ "type": "array", "items": { "type": "object", "required": ["a"], "properties": { "a": { "type": ["string", "null"] } } } });
        assert!(fits(&json!([{ "a": null }]), &schema, "x").is_ok());
        for wrong in [
            json!([{ "a": 1 }]),
            json!([{}]),
            json!([{ "a": "", "b": 1 }]),
            json!({}),
            json!([[]]),
        ] {
            assert!(fits(&wrong, &schema, "x").is_err(), "{wrong}");
        }
    }
}
