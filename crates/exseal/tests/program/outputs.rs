//! What each command prints over the sample, for people at several widths and for programs by its schema.

use exseal_model::Certificate;
use serde_json::{Value, json as value};

use crate::conform::conforms;
use crate::{NOW, exseal, json, stdout};

pub(crate) fn at(columns: usize, arguments: &[&str]) -> String {
    let output = exseal(columns).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_demo_at_three_widths() {
    for columns in [40, 80, 120] {
        insta::assert_snapshot!(format!("demo_{columns}"), at(columns, &["demo"]));
    }
}

#[test]
fn inspect_and_discover_for_people() {
    insta::assert_snapshot!(
        "inspect_80",
        at(
            80,
            &["inspect", "examples/kiefer/ex3", "examples/kiefer/organisation"]
        )
    );
    insta::assert_snapshot!("discover_80", at(80, &["discover", "--from", "examples/kiefer"]));
}

#[test]
fn auth_status_for_people() {
    let arguments = ["auth", "status", "--from", "examples/kiefer", "--now", NOW];
    insta::assert_snapshot!("auth_status_80", at(80, &arguments));
}

#[test]
fn a_page_is_broken_to_the_width_and_says_what_the_file_says() {
    for columns in [40, 80] {
        let shown = at(columns, &["explain", "back-end-unbound"]);
        assert!(
            shown
                .lines()
                .all(|line| line.chars().count() <= columns || line.split_whitespace().count() < 3),
            "{shown}"
        );
        let page = std::fs::read_to_string(crate::root().join("docs/findings/back-end-unbound.md")).unwrap();
        let words = |text: &str| -> Vec<String> {
            text.split_whitespace()
                .filter(|word| !word.starts_with('#') && !word.starts_with("```"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(words(&shown), words(&page));
    }
}

#[test]
fn the_forecast_for_people_and_calendars() {
    let arguments = ["forecast", "--from", "examples/kiefer", "--now", NOW];
    insta::assert_snapshot!("forecast_80", at(80, &arguments));
    insta::assert_snapshot!(
        "forecast_40",
        at(40, &[&arguments[..], &["--until", "2026-12-31"]].concat())
    );
    let calendar = at(
        80,
        &[&arguments[..], &["--ics", "--until", "2027-07-01"]].concat(),
    );
    assert!(
        calendar
            .split_terminator("\r\n")
            .all(|line| line.len() <= 75 && !line.contains('\n'))
    );
    insta::assert_snapshot!("forecast_ics", calendar.replace("\r\n", "\n"));
}

#[test]
fn a_day_is_told_to_its_end_and_once() {
    let forecast = json(&[
        "forecast",
        "--from",
        "examples/kiefer",
        "--now",
        NOW,
        "--json",
        "--until",
        "2026-12-06",
    ]);
    let days = forecast["days"].as_array().unwrap();
    let dates: Vec<&str> = days.iter().map(|day| day["date"].as_str().unwrap()).collect();
    assert_eq!(
        dates,
        ["2026-12-01", "2026-12-06"],
        "an end at 23:59:59 is on its day"
    );
}

/// The sample with one thing changed: EX2 answers POP with another certificate, and a certificate left EX1.
fn changed() -> Value {
    let mut inventory = json(&["discover", "--from", "examples/kiefer", "--json"]);
    let servers = inventory["servers"].as_array_mut().unwrap();
    servers[0]["my"]["items"].as_array_mut().unwrap().remove(0);
    servers[1]["pop"]["x509_certificate_name"]["value"] = value!("mail.kiefer.example");
    inventory
}

#[test]
fn a_difference_names_slots_stores_and_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("later.json");
    std::fs::write(&file, changed().to_string()).unwrap();
    let file = file.to_str().unwrap();
    insta::assert_snapshot!("diff_80", at(80, &["diff", "examples/kiefer", file]));
    conforms("diff", &json(&["diff", "examples/kiefer", file, "--json"]));
    let code = |arguments: &[&str]| crate::run(arguments).status.code();
    assert_eq!(code(&["diff", "examples/kiefer", file, "--exit-code"]), Some(3));
    assert_eq!(
        code(&["diff", "examples/kiefer", "examples/kiefer", "--exit-code"]),
        Some(0)
    );
    assert_eq!(stdout(&["diff", file, file]), "no difference\n");
}

/// An organisation of `count` servers: the sample's, each with certificates of its own.
pub(crate) fn large(count: usize) -> Value {
    let mut inventory = json(&["discover", "--from", "examples/kiefer", "--json"]);
    let servers = inventory["servers"].as_array().unwrap().clone();
    let known: Vec<Certificate> = inventory["certificates"]
        .as_object()
        .unwrap()
        .values()
        .map(|one| serde_json::from_value(one.clone()).unwrap())
        .collect();
    let many: Vec<Value> = (0..count)
        .map(|number| {
            let mut server = servers[number % servers.len()].clone();
            let name = format!("MBX{number:03}");
            server["fqdn"]["value"] = value!(format!("{}.kiefer.example", name.to_lowercase()));
            server["fqdn"].as_object_mut().unwrap().remove("also");
            server["name"] = value!(name);
            let mut text = server.to_string();
            for certificate in known.iter().filter(|one| one.self_signed) {
                // Another signature is another certificate.
                let mut der = certificate.der.to_vec();
                let end = der.len();
                der[end - 2..].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
                let own = Certificate::from_der(&der).unwrap();
                text = text.replace(&certificate.thumbprint.to_string(), &own.thumbprint.to_string());
                inventory["certificates"][own.thumbprint.to_string()] = serde_json::to_value(&own).unwrap();
            }
            serde_json::from_str(&text).unwrap()
        })
        .collect();
    inventory["servers"] = value!(many);
    inventory
}

#[test]
fn two_hundred_servers_are_still_one_look() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.json");
    std::fs::write(&file, large(200).to_string()).unwrap();
    let file = file.to_str().unwrap();
    let text = at(100, &["diagnose", "--from", file, "--now", NOW]);
    let matrix = text.lines().take_while(|line| !line.is_empty()).count();
    assert!(matrix <= 45, "{matrix} lines of matrix\n{text}");
    assert!(text.lines().count() < 400, "{} lines", text.lines().count());
    let every = at(100, &["diagnose", "--from", file, "--now", NOW, "--every"]);
    assert!(every.lines().count() > 4 * text.lines().count());
    let found = json(&["diagnose", "--from", file, "--now", NOW, "--json"]);
    assert_eq!(found["matrix"]["rows"].as_array().unwrap().len(), 201);
}

#[test]
fn what_is_printed_is_what_the_schemas_say() {
    let sample = ["--from", "examples/kiefer", "--now", NOW, "--json"];
    let with = |command: &[&'static str]| [command, &sample[..]].concat();
    conforms("inspect", &json(&["inspect", "examples/kiefer", "--json"]));
    conforms(
        "inventory",
        &json(&["discover", "--from", "examples/kiefer", "--json"]),
    );
    conforms("diagnose", &json(&with(&["diagnose"])));
    conforms("forecast", &json(&with(&["forecast"])));
    conforms("auth-status", &json(&with(&["auth", "status"])));
    conforms("checks", &json(&["checks", "--json"]));
}

#[test]
fn a_value_nobody_saw_is_left_out_and_named() {
    let inspected = json(&[
        "inspect",
        "examples/kiefer/ex3/Get-ReceiveConnector.xml",
        "--json",
    ]);
    for part in ["certificates", "connectors", "bindings", "servers"] {
        for object in inspected[part].as_array().unwrap() {
            let object = object.as_object().unwrap();
            let unknown = object.get("unknown").and_then(Value::as_array);
            for key in unknown.into_iter().flatten() {
                assert!(!object.contains_key(key.as_str().unwrap()), "{part}: {key}");
            }
        }
    }
    assert!(stdout(&["inspect", "examples/kiefer/ex3"]).contains("not seen"));
}
