//! The collector's readings become values of the inventory: every example of the contract, and readings that break it.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

use exseal_exchange::files::{self, Given, Limits, Options, Reading};
use exseal_model::Inventory;
use serde_json::{Value, json};

fn contract() -> Value {
    serde_json::from_str(include_str!("../../../helper/contract.json")).unwrap()
}

fn read(files: &[(&str, String)]) -> Reading {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let given = [Given {
        server: None,
        path: folder.path().to_path_buf(),
    }];
    files::read(
        &given,
        &Options {
            password: &|_| None,
            limits: Limits::default(),
        },
    )
}

fn reading(function: &str, arguments: &Value, result: &Value) -> String {
    json!({
        "exseal": { "function": function, "arguments": arguments, "server": "ex1.kiefer.example", "at": "2026-11-24T09:00:00Z" },
        "result": result
    })
    .to_string()
}

/// Every example of the contract as one collector would write them.
fn examples() -> Vec<Inventory> {
    let contract = contract();
    let functions: Vec<&Value> = contract["functions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|function| !function["reads"].is_null())
        .collect();
    let files: Vec<(String, String)> = functions
        .iter()
        .map(|function| {
            let (name, example) = (function["name"].as_str().unwrap(), &function["example"]);
            (
                format!("{name}.json"),
                reading(name, &example["input"], &example["output"]),
            )
        })
        .collect();
    let files: Vec<(&str, String)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.clone()))
        .collect();
    let reading = read(&files);
    assert_eq!(reading.files.len(), functions.len());
    for file in &reading.files {
        assert!(file.holds.is_some(), "{}", file.path);
        assert_eq!(file.inventory.errors, [], "{}", file.path);
    }
    reading.into_inventories().collect()
}

#[test]
fn every_example_of_the_contract_is_read_without_error() {
    let all = examples();
    assert!(
        all.iter()
            .all(|one| one.servers.len() == 1 && one.servers[0].shown() == "ex1.kiefer.example")
    );
    let find =
        |test: &dyn Fn(&exseal_model::inventory::Server) -> bool| all.iter().any(|one| test(&one.servers[0]));

    let thumbprint = "EEA06B92B59DD8DBB2F82E5E698CA2715559D195".parse().unwrap();
    assert!(find(&|server| server.in_my(thumbprint).is_some_and(|entry| {
        server.my.is_complete()
            && entry.key_provider_type.value() == Some(&12)
            && entry.private_key_exportable.value() == Some(&false)
            && entry
                .key_readers
                .value()
                .is_some_and(|readers| readers.contains(&"S-1-5-20".to_owned()))
    })));
    assert!(find(&|server| server.http_sys.iter().any(|entry| {
        entry.endpoint.to_string() == "*:444" && entry.thumbprint.value() == Some(&thumbprint)
    })));
    assert!(find(&|server| server.http_sys.iter().any(|entry| {
        entry.endpoint.host == "mail.kiefer.example" && entry.thumbprint.is_absent()
    })));
    assert!(find(&|server| server.sites.iter().any(|site| {
        site.id.value() == Some(&2)
            && site
                .bindings
                .iter()
                .any(|binding| binding.thumbprint.value() == Some(&thumbprint))
    })));
    assert!(find(&|server| server.services.iter().any(|service| {
        service.name == "MSExchangeTransport"
            && service
                .start_type
                .value()
                .is_some_and(|start| start == "Automatic")
    })));
    assert!(find(&|server| server
        .events
        .iter()
        .any(|event| event.id == 12014 && event.count.value() == Some(&3))));
    assert!(find(&|server| server
        .setup_build
        .value()
        .is_some_and(|build| build.to_string() == "15.2.1748.10")));
    assert!(find(
        &|server| server.ecc_support_in_registry.value() == Some(&true)
    ));
    assert!(find(
        &|server| server.root_auto_update_disabled.value() == Some(&false)
    ));
    assert!(find(&|server| server
        .tasks
        .iter()
        .any(|task| task.enabled.value() == Some(&true))));
    assert!(find(&|server| !server.log_lines.items.is_empty()));
    assert!(find(&|server| server
        .disks
        .iter()
        .any(|disk| disk.free_bytes.value() == Some(&52_613_349_376))));
    assert!(find(&|server| server.utc_offset_minutes.value() == Some(&60)));
}

#[test]
fn an_item_that_breaks_the_contract_is_named_and_the_others_are_kept() {
    let example = &contract()["functions"][1]["example"]["output"][0];
    let broken = json!([{ "der": "no base64" }, 7, example]);
    let read = read(&[(
        "store.json",
        reading("Get-ExsealStore", &json!({ "Name": "My" }), &broken),
    )]);
    let inventory = &read.files[0].inventory;
    assert_eq!(inventory.servers[0].my.items.len(), 1);
    assert!(
        !inventory.servers[0].my.is_complete(),
        "what could not be read may be what is missed"
    );
    let places: Vec<&str> = inventory.errors.iter().map(|error| error.at.as_str()).collect();
    assert_eq!(places, ["result[0]", "result[1]"]);
}

#[test]
fn readings_of_unknown_functions_stores_and_shapes_are_errors_with_their_place() {
    for (text, place) in [
        (
            reading("Get-ExsealNothing", &json!({}), &json!([])),
            "exseal.function",
        ),
        (
            reading("Get-ExsealStore", &json!({ "Name": "Elsewhere" }), &json!([])),
            "exseal.arguments.Name",
        ),
        (
            reading("Get-ExsealStore", &json!({ "Name": "My" }), &json!("none")),
            "result",
        ),
    ] {
        let read = read(&[("one.json", text)]);
        assert_eq!(read.files[0].inventory.errors[0].at, place);
    }
}

#[test]
fn what_the_collector_could_not_read_is_told() {
    let manifest = json!({
        "exsealCollect": 1,
        "server": "ex1.kiefer.example",
        "cmdlets": "none",
        "readings": [{ "reading": "events", "count": 2 }, { "reading": "web-sites", "error": "0x80070002", "type": "x" }]
    });
    let read = read(&[("manifest.json", manifest.to_string())]);
    let errors = &read.files[0].inventory.errors;
    assert_eq!(errors.len(), 2);
    assert!(errors[0].found.contains("0x80070002") && errors[0].expected.contains("web-sites"));
    assert!(errors[1].expected.contains("snap-in"));
}
