//! `cargo xtask helper`: the helper's changing half (helper/change) and its contract say the same: verbs, parameters, codes,
//! secrets, inverses, examples. That it does so on Windows nobody has seen here: there is no PowerShell.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use clap::Args;
use serde_json::Value;
use tree_sitter::Node;

use crate::collector::fits;
use crate::powershell::{parse, visit};
use crate::{Failure, Result, workspace};

/// Arguments of `cargo xtask helper`.
#[derive(Debug, Args)]
pub(crate) struct HelperArgs {}

/// Compares module and contract.
pub(crate) fn run(_: &HelperArgs) -> Result {
    println!("{}", check()?);
    Ok(())
}

fn contract() -> Result<Value> {
    let text = fs::read_to_string(workspace::root().join("helper/contract.json"))?;
    Ok(serde_json::from_str(&text)?)
}

/// The files of the changing half, from the root of the repository, in the order in which they are sent.
pub(crate) fn changing_files() -> Result<Vec<String>> {
    Ok(texts(&contract()?["change"]["files"])
        .filter(|file| file.starts_with("change/"))
        .map(|file| format!("helper/{file}"))
        .collect())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Compares module and contract.
pub(crate) fn check() -> Result<String> {
    let contract = contract()?;
    let reading = fs::read_to_string(workspace::root().join("helper/Exseal.psm1"))?;
    let mut changing = Vec::new();
    for file in changing_files()? {
        let text = fs::read_to_string(workspace::root().join(&file))
            .map_err(|error| Failure::new(format!("{file}: {error}")))?;
        changing.push(text.replace("\r\n", "\n"));
    }
    let kept = fs::read_dir(workspace::root().join("helper/change"))?.count();
    if kept != changing.len() {
        return Err(Failure::new(format!(
            "helper/change holds {kept} files, the contract lists {}",
            changing.len()
        )));
    }
    let faults = faults(&contract, &reading, &changing)?;
    if !faults.is_empty() {
        return Err(Failure::new(faults.join("\n")));
    }
    let verbs = verbs(&contract).count();
    let examples: usize = verbs_of(&contract, "examples");
    Ok(format!(
        "{verbs} verbs with {examples} examples in contract and module"
    ))
}

fn verbs(contract: &Value) -> impl Iterator<Item = &Value> {
    contract["functions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|function| !function["changes"].is_null())
}

fn verbs_of(contract: &Value, field: &str) -> usize {
    verbs(contract)
        .map(|verb| verb[field].as_array().map_or(0, Vec::len))
        .sum()
}

/// A function as its text says it.
#[derive(Debug, Default)]
struct Function {
    parameters: Vec<Parameter>,
    /// Commands it calls.
    calls: BTreeSet<String>,
    /// What stands between single quotation marks in it.
    words: BTreeSet<String>,
    /// What stands behind `-Code`.
    codes: BTreeSet<String>,
    has_help: bool,
    starts_programs: bool,
    /// Whether everything it ends with goes through ConvertTo-ExsealError.
    is_closed: bool,
}

/// A parameter as its text says it.
#[derive(Debug, Default)]
struct Parameter {
    name: String,
    kind: String,
    is_required: bool,
    pattern: Option<String>,
    values: Vec<String>,
    range: Vec<String>,
    default: Option<String>,
}

fn text_of<'a>(node: Node<'_>, text: &'a str) -> &'a str {
    node.utf8_text(text.as_bytes()).unwrap_or_default()
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('\'')
}

fn functions(text: &str) -> Result<BTreeMap<String, Function>> {
    let tree = parse(text)?;
    let mut found = BTreeMap::new();
    visit(tree.root_node(), &mut |node| {
        if node.kind() == "function_statement" {
            let (name, function) = function(node, text);
            found.insert(name, function);
        }
    });
    Ok(found)
}

fn function(node: Node<'_>, text: &str) -> (String, Function) {
    let mut name = String::new();
    let mut function = Function::default();
    let mut behind_code = false;
    visit(node, &mut |inner| {
        let own = text_of(inner, text);
        match inner.kind() {
            "function_name" => own.clone_into(&mut name),
            "script_parameter" => function.parameters.push(parameter(inner, text)),
            "command_invokation_operator" => function.starts_programs = true,
            "command_name" => {
                function.calls.insert(own.to_owned());
            }
            "comment" if own.contains(".SYNOPSIS") => function.has_help = true,
            "command_parameter" => behind_code = own == "-Code",
            "verbatim_string_characters" => {
                function.words.insert(unquoted(own).to_owned());
                if behind_code {
                    function.codes.insert(unquoted(own).to_owned());
                    behind_code = false;
                }
            }
            _ => {}
        }
    });
    function.is_closed = text_of(node, text)
        .contains("catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $");
    (name, function)
}

fn parameter(node: Node<'_>, text: &str) -> Parameter {
    let mut parameter = Parameter::default();
    visit(node, &mut |inner| {
        let own = text_of(inner, text);
        match inner.kind() {
            // One that stands in an attribute or in the default is another one.
            "variable" if inner.parent() == Some(node) => {
                own.trim_start_matches('$').clone_into(&mut parameter.name);
            }
            "type_literal" => own
                .get(1..own.len() - 1)
                .unwrap_or_default()
                .clone_into(&mut parameter.kind),
            "script_parameter_default" => {
                parameter.default = Some(unquoted(own.trim_start_matches('=')).to_owned());
            }
            "attribute" => {
                let Some((name, arguments)) = own.trim_matches(['[', ']']).split_once('(') else {
                    return;
                };
                let arguments = arguments.trim_end_matches(')');
                let several = || {
                    arguments
                        .split(", ")
                        .map(|one| unquoted(one).to_owned())
                        .collect::<Vec<_>>()
                };
                match name {
                    "Parameter" => parameter.is_required = arguments.contains("Mandatory = $true"),
                    "ValidateSet" => parameter.values = several(),
                    "ValidateRange" => parameter.range = several(),
                    _ => {}
                }
            }
            "attribute_argument" if text_of(node, text).contains(&format!("ValidatePattern({own})")) => {
                parameter.pattern = Some(unquoted(own).to_owned());
            }
            _ => {}
        }
    });
    parameter
}

/// How the contract's types are called in PowerShell.
fn kind_of(contract: &Value) -> &'static str {
    match contract["type"].as_str().unwrap_or_default() {
        "string" => "string",
        "integer" => "int",
        "boolean" => "bool",
        "array" => "string[]",
        "secret" => "Security.SecureString",
        _ => "nothing known",
    }
}

/// The contract's default as PowerShell writes it.
fn default_of(contract: &Value) -> Option<String> {
    match &contract["default"] {
        Value::Null => None,
        Value::Bool(value) => Some(format!("${value}")),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) => Some("@()".to_owned()),
        other => Some(other.to_string()),
    }
}

fn faults(contract: &Value, reading: &str, changing: &[String]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let read = functions(reading)?;
    let mut all: BTreeMap<String, Function> = BTreeMap::new();
    let mut exported: BTreeSet<String> = BTreeSet::new();
    for text in changing {
        let own = functions(text)?;
        let promised: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("Export-ModuleMember -Function "))
            .flat_map(|names| names.split(", "))
            .collect();
        for name in promised {
            if !own.contains_key(name) {
                faults.push(format!("{name} is exported by a file that does not define it"));
            }
            exported.insert(name.to_owned());
        }
        for (name, function) in own {
            if read.contains_key(&name) || all.insert(name.clone(), function).is_some() {
                faults.push(format!("{name} is defined twice"));
            }
        }
    }
    let named: BTreeSet<String> = verbs(contract)
        .filter_map(|verb| verb["name"].as_str().map(str::to_owned))
        .collect();
    if exported != named {
        faults.push(format!(
            "the module exports {exported:?}, the contract promises {named:?}"
        ));
    }
    let called: BTreeSet<&String> = all.values().flat_map(|function| &function.calls).collect();
    for name in all.keys() {
        if !named.contains(name) && !called.contains(name) {
            faults.push(format!("{name} is neither a verb nor used by one"));
        }
    }
    for name in called {
        if name.contains("-Exseal") && !all.contains_key(name) && !read.contains_key(name) {
            faults.push(format!("{name} is called and defined nowhere"));
        }
    }
    for (name, function) in &all {
        if function.starts_programs && name != "Invoke-ExsealNetsh" {
            faults.push(format!("{name} starts a program"));
        }
        for parameter in &function.parameters {
            let lower = parameter.name.to_lowercase();
            let is_secret = ["pass", "pfx", "secret", "credential"]
                .iter()
                .any(|sign| lower.contains(sign));
            if is_secret && parameter.kind != "Security.SecureString" {
                faults.push(format!(
                    "{name}: -{} is a secret: expected Security.SecureString, found {}",
                    parameter.name, parameter.kind
                ));
            }
        }
    }
    let codes: BTreeSet<&str> = contract["change"]["codes"]
        .as_object()
        .into_iter()
        .flat_map(|codes| codes.keys().map(String::as_str))
        .collect();
    let thrown: BTreeSet<&str> = all
        .values()
        .flat_map(|function| &function.codes)
        .map(String::as_str)
        .collect();
    for code in &thrown {
        if !codes.contains(code) {
            faults.push(format!("the code {code} is not in the contract"));
        }
    }
    for verb in verbs(contract) {
        let name = verb["name"].as_str().unwrap_or_default();
        let Some(function) = all.get(name) else { continue };
        compare(verb, name, function, &mut faults);
        let ends: BTreeSet<&str> = reach(name, &all)
            .iter()
            .flat_map(|name| &all[name].words)
            .map(String::as_str)
            .filter(|word| codes.contains(word))
            .collect();
        let promised: BTreeSet<&str> = verb["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|error| error["id"].as_str())
            .collect();
        if ends != promised {
            faults.push(format!(
                "{name} ends with {ends:?}, the contract promises {promised:?}"
            ));
        }
        examples(contract, verb, name, &mut faults);
        inverse(contract, verb, name, &mut faults);
    }
    Ok(faults)
}

/// The functions a function calls, itself and indirect ones included.
fn reach(name: &str, all: &BTreeMap<String, Function>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(next) = open.pop() {
        let Some(function) = all.get(&next) else { continue };
        if reached.insert(next) {
            open.extend(function.calls.iter().cloned());
        }
    }
    reached
}

fn compare(verb: &Value, name: &str, function: &Function, faults: &mut Vec<String>) {
    let mut differs = |what: &str, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
        faults.push(format!("{name}: {what}: expected {expected:?}, found {found:?}"));
    };
    if !function.has_help {
        differs("help", &".SYNOPSIS", &"none");
    }
    if !function.is_closed {
        differs("errors", &"all through ConvertTo-ExsealError", &"others");
    }
    let promised = verb["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = promised
        .iter()
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let own: Vec<&str> = function
        .parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect();
    if names != own {
        differs("parameters", &names, &own);
        return;
    }
    for (promised, own) in promised.iter().zip(&function.parameters) {
        let of = |what: &str| format!("-{} {what}", own.name);
        if kind_of(promised) != own.kind {
            differs(&of("type"), &kind_of(promised), &own.kind);
        }
        if promised["required"] != own.is_required {
            differs(&of("required"), &promised["required"], &own.is_required);
        }
        let pattern = promised["pattern"].as_str().map(|pattern| {
            // What may be null is the empty text in PowerShell.
            match pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')) {
                Some(inner) if promised["nullable"] == true => format!("^({inner})?$"),
                _ => pattern.to_owned(),
            }
        });
        if pattern != own.pattern {
            differs(&of("pattern"), &pattern, &own.pattern);
        }
        let values: Vec<String> = promised["values"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        if values != own.values {
            differs(&of("values"), &values, &own.values);
        }
        let range: Vec<String> = [&promised["minimum"], &promised["maximum"]]
            .iter()
            .filter(|end| !end.is_null())
            .map(ToString::to_string)
            .collect();
        if range != own.range {
            differs(&of("range"), &range, &own.range);
        }
        if default_of(promised) != own.default {
            differs(&of("default"), &default_of(promised), &own.default);
        }
    }
}

fn examples(contract: &Value, verb: &Value, name: &str, faults: &mut Vec<String>) {
    let change = &contract["change"];
    let Some(shape) = verb["result"]["shape"].as_str() else {
        faults.push(format!("{name}: no shape"));
        return;
    };
    let may_be_null: Vec<&str> = texts(&verb["result"]["mayBeNull"]).collect();
    let given = verb["examples"].as_array().map_or(&[][..], Vec::as_slice);
    if !given.iter().any(|example| !example["output"].is_null()) {
        faults.push(format!("{name}: no example of a result"));
    }
    for (at, example) in given.iter().enumerate() {
        let place = format!("{name}, example {at}");
        let mut see = |found: Result<(), String>| faults.extend(found.err());
        see(takes(verb, &example["input"], &example["secrets"], &place));
        for step in example["first"].as_array().into_iter().flatten() {
            let first = verbs(contract).find(|verb| verb["name"] == step["function"]);
            see(first.map_or_else(
                || Err(format!("{place}: no verb {}", step["function"])),
                |first| takes(first, &step["input"], &Value::Null, &place),
            ));
        }
        if !example["error"].is_null() {
            see(fits(&example["error"], &change["error"], &place));
            let code = &example["error"]["code"];
            let known = verb["errors"]
                .as_array()
                .is_some_and(|errors| errors.iter().any(|error| error["id"] == *code));
            if !known {
                see(Err(format!("{place}: {code} is none of its errors")));
            }
            continue;
        }
        let output = &example["output"];
        for side in ["before", "after"] {
            if output[side].is_null() && may_be_null.contains(&side) {
                continue;
            }
            see(fits(
                &output[side],
                &change["shapes"][shape],
                &format!("{place}.{side}"),
            ));
        }
        if !output["changed"].is_boolean() || output.as_object().map(serde_json::Map::len) != Some(3) {
            see(Err(format!("{place}: expected changed, before, after")));
        }
    }
}

/// Whether a verb takes an input.
fn takes(verb: &Value, input: &Value, secrets: &Value, place: &str) -> Result<(), String> {
    let parameters = verb["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let given: Vec<&str> = input
        .as_object()
        .into_iter()
        .flat_map(|input| input.keys().map(String::as_str))
        .chain(texts(secrets))
        .collect();
    for name in &given {
        if !parameters.iter().any(|parameter| parameter["name"] == *name) {
            return Err(format!("{place}: no parameter {name}"));
        }
    }
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap_or_default();
        let is_secret = parameter["type"] == "secret";
        if parameter["required"] == true && !given.contains(&name) {
            return Err(format!("{place}: {name} is missing"));
        }
        if is_secret && !input[name].is_null() {
            return Err(format!("{place}: a secret stands in the contract"));
        }
        if is_secret || input[name].is_null() {
            continue;
        }
        fits(&input[name], parameter, &format!("{place}.{name}"))?;
    }
    Ok(())
}

fn inverse(contract: &Value, verb: &Value, name: &str, faults: &mut Vec<String>) {
    let inverse = &verb["inverse"];
    if inverse["when"].as_str().is_none_or(str::is_empty) || verb["repeatable"].as_str().is_none() {
        faults.push(format!(
            "{name}: whether it can be repeated and taken back is not said"
        ));
    }
    if inverse["verb"].is_null() {
        return;
    }
    let Some(other) = verbs(contract).find(|verb| verb["name"] == inverse["verb"]) else {
        faults.push(format!("{name}: its inverse {} is no verb", inverse["verb"]));
        return;
    };
    let has = |verb: &Value, name: &str| {
        verb["parameters"]
            .as_array()
            .is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == *name))
    };
    for (key, source) in inverse["with"].as_object().into_iter().flatten() {
        let of_input = source.as_str().and_then(|source| source.strip_prefix("input."));
        if !has(other, key) || of_input.is_some_and(|own| !has(verb, own)) {
            faults.push(format!(
                "{name}: its inverse has no parameter {key}, or {source} is none of its own"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changing_half_and_its_contract_say_the_same() {
        check().unwrap();
    }

    fn of(contract: &Value, file: &str, from: &str, to: &str) -> Vec<String> {
        let read = |file: &str| fs::read_to_string(workspace::root().join(file)).unwrap();
        let changing: Vec<String> = changing_files()
            .unwrap()
            .iter()
            .map(|own| {
                let text = read(own);
                if own == file {
                    assert!(text.contains(from), "{from}");
                    text.replace(from, to)
                } else {
                    text
                }
            })
            .collect();
        faults(contract, &read("helper/Exseal.psm1"), &changing).unwrap()
    }

    #[test]
    fn what_differs_is_found() {
        let contract = contract().unwrap();
        for (file, from, to, said) in [
            (
                "making",
                "[Security.SecureString]$Password",
                "[string]$Password",
                "is a secret",
            ),
            ("http-sys", "-Code 'Moved'", "-Code 'Gone'", "Gone"),
            (
                "lock",
                "Unlock-ExsealServer",
                "Open-ExsealServer",
                "Open-ExsealServer",
            ),
            ("keys", "^S-1-", "^S-", "-Sid pattern"),
            (
                "services",
                "[bool]$FromDisabled = $false",
                "[bool]$FromDisabled = $true",
                "-FromDisabled default",
            ),
            (
                "iis",
                "Wait-ExsealPool -Name $Name -State 'Started'",
                "Wait-Exseal -Name $Name",
                "defined nowhere",
            ),
            ("stores", ".SYNOPSIS", "", "help"),
            (
                "stores",
                "$references.Count -gt 0",
                "$references.Count -gt 0 -and (& $run)",
                "starts a program",
            ),
        ] {
            let found = of(&contract, &format!("helper/change/{file}.psm1"), from, to);
            assert!(
                found.iter().any(|fault| fault.contains(said)),
                "{said}: {found:?}"
            );
        }
    }

    #[test]
    fn an_example_that_does_not_fit_and_an_inverse_that_is_none_are_found() {
        let mut contract = contract().unwrap();
        let functions = contract["functions"].as_array_mut().unwrap();
        let at = functions
            .iter()
            .position(|function| function["name"] == "Import-ExsealCertificate")
            .unwrap();
        functions[at]["examples"][0]["input"]["Pfx"] = "MII=".into();
        functions[at]["examples"][0]["output"]["after"]["key"] = Value::Bool(true);
        functions[at]["inverse"]["verb"] = "Remove-Item".into();
        let found = of(&contract, "helper/change/lock.psm1", "", "").join("\n");
        for said in ["a secret stands", "fits 0 of the choices", "is no verb"] {
            assert!(found.contains(said), "{said}: {found}");
        }
    }
}
