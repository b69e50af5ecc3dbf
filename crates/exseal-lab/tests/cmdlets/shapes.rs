//! Held against what real servers sent: type names, property names and kinds of values, property for property.
//!
//! The recorded exports belong to others and lie outside of the repository; `EXSEAL_FIXTURES` says where.

use std::path::PathBuf;

use exseal_lab::call::Command;
use exseal_psrp::clixml::{ContainerKind, Document, Limits, Object, Value};

use super::*;

/// A recorded export, or `None` (printed) where they are not at hand; under `CI=true` they must be.
fn recorded(file: &str) -> Option<Document<'static>> {
    let folder = std::env::var_os("EXSEAL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures")),
        PathBuf::from,
    );
    if !folder.is_dir() {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "EXSEAL_FIXTURES names no folder"
        );
        println!("not checked: no recorded exports at hand (EXSEAL_FIXTURES)");
        return None;
    }
    let bytes = std::fs::read(folder.join(file)).expect("the recorded export");
    let text = exseal_psrp::clixml::decode_bytes(&bytes).expect("text");
    Some(
        Document::decode(&text, &Limits::default())
            .expect("CLIXML")
            .into_owned(),
    )
}

/// The kind of a value: what element it is, and of which types.
fn kind(document: &Document<'_>, value: &Value<'_>) -> String {
    let name = match value {
        Value::Nil => "Nil",
        Value::String(_) => "S",
        Value::Bool(_) => "B",
        Value::U8(_) => "By",
        Value::I32(_) => "I32",
        Value::I64(_) => "I64",
        Value::F64(_) => "Db",
        Value::Guid(_) => "G",
        Value::DateTime(_) => "DT",
        Value::Bytes(_) => "BA",
        Value::Object(_) => "Obj",
        _ => "other",
    };
    let Some(object) = document.object(value) else {
        return name.to_owned();
    };
    let types: Vec<_> = document
        .types(object)
        .iter()
        .map(|name| name.to_text().into_owned())
        .collect();
    let list = object.container.as_ref().map(|container| {
        if container.kind == ContainerKind::List {
            " list"
        } else {
            " container"
        }
    });
    let base = object.base.as_ref().map(|base| kind(document, base));
    format!("{types:?}{}{}", list.unwrap_or(""), base.unwrap_or_default())
}

fn lines(document: &Document<'_>, object: &Object<'_>, indent: usize, out: &mut Vec<String>) {
    for (section, properties) in [("Props", &object.adapted), ("MS", &object.extended)] {
        for property in properties.iter().flatten() {
            let space = " ".repeat(indent);
            out.push(format!(
                "{space}{section} {}: {}",
                property.name.to_text(),
                kind(document, &property.value)
            ));
            if let Some(inner) = document.object(&property.value).filter(|_| indent < 4) {
                lines(document, inner, indent + 2, out);
            }
        }
    }
}

/// Shape of the first object.
fn shape(document: &Document<'_>) -> Vec<String> {
    let value = &document.values[0];
    let mut out = vec![kind(document, value)];
    if let Some(object) = document.object(value) {
        lines(document, object, 0, &mut out);
    }
    out
}

/// Whether a value is null on one side is its owner's matter: of such a line only the name is compared.
fn without_null(own: Vec<String>, other: &[String]) -> Vec<String> {
    own.into_iter()
        .map(|line| {
            let name = line.split(": ").next().unwrap_or_default().to_owned();
            let null = other
                .iter()
                .any(|other| other.split(": ").next() == Some(name.as_str()) && other.ends_with(": Nil"));
            if null || line.ends_with(": Nil") {
                name
            } else {
                line
            }
        })
        .collect()
}

fn compare(file: &str, command: Command) {
    let mut world = world("[[server]]\nname = \"EX1\"\nversion = \"2019\"\nbuild = \"15.2.986.5\"\n");
    let outcome = world.run(&ex1(), FULL, "admin", &command.into());
    assert_eq!(outcome.error(), None);
    let ours = shape(outcome.output().next().expect("an object"));
    let Some(recorded) = recorded(file) else { return };
    let theirs = shape(&recorded);

    let (left, right) = (without_null(ours.clone(), &theirs), without_null(theirs, &ours));

    assert_eq!(left, right);
}

#[test]
fn an_auth_config_has_the_recorded_shape() {
    compare(
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetAuthConfig.xml",
        Command::new("Get-AuthConfig"),
    );
}

#[test]
fn an_exchange_server_has_the_recorded_shape() {
    compare(
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetExchangeServer.xml",
        Command::new("Get-ExchangeServer")
            .with("Identity", "EX1")
            .with("Status", true),
    );
}

#[test]
fn an_exchange_certificate_has_the_recorded_shape() {
    compare(
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetExchangeCertificate.xml",
        Command::new("Get-ExchangeCertificate"),
    );
}
