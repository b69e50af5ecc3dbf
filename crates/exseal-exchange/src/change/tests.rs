//! The types against the contract; over the wire they are tried against the lab (crates/exseal/tests/changing.rs).

use std::collections::BTreeSet;

use exseal_psrp::message::{ErrorCategory, ErrorRecord};
use serde::Serialize;
use serde_json::json;

use super::*;

fn contract() -> Value {
    serde_json::from_str(include_str!("../../../../helper/contract.json")).unwrap()
}

fn verbs(contract: &Value) -> Vec<&Value> {
    contract["functions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|function| !function["changes"].is_null())
        .collect()
}

#[test]
fn the_module_is_the_contracts_files_in_its_order() {
    let contract = contract();
    let files = contract["change"]["files"].as_array().unwrap();
    let text: String = files
        .iter()
        .map(|file| {
            let path = format!(
                "{}/../../helper/{}",
                env!("CARGO_MANIFEST_DIR"),
                file.as_str().unwrap()
            );
            std::fs::read_to_string(path).unwrap()
        })
        .collect();
    assert_eq!(MODULE, text);
}

#[test]
fn the_verbs_are_the_contracts() {
    let contract = contract();
    let promised: BTreeSet<&str> = verbs(&contract)
        .iter()
        .map(|verb| verb["name"].as_str().unwrap())
        .collect();
    assert_eq!(VERBS.iter().copied().collect::<BTreeSet<_>>(), promised);
}

/// Every example of a verb goes through its types and comes out as it was.
fn through<V: Verb + DeserializeOwned>(contract: &Value) -> usize
where
    V::State: Serialize,
{
    let verb = verbs(contract)
        .into_iter()
        .find(|verb| verb["name"] == V::NAME)
        .unwrap();
    let examples = verb["examples"].as_array().unwrap();
    for example in examples {
        let input: V = serde_json::from_value(example["input"].clone()).unwrap();
        assert_eq!(
            serde_json::to_value(&input).unwrap(),
            example["input"],
            "{}",
            V::NAME
        );
        assert!(command(V::NAME, &example["input"], &input.secrets()).is_ok());
        results::<V::State>(V::NAME, example);
    }
    examples.len()
}

fn results<S: DeserializeOwned + Serialize>(verb: &str, example: &Value) {
    if example["output"].is_null() {
        let refused: RefusedCall = serde_json::from_value(example["error"].clone()).unwrap();
        assert_eq!(refused.effect, Effect::None, "{verb}");
        return;
    }
    let done: Done<S> = typed(verb, example["output"].clone()).unwrap();
    let again = json!({
        "changed": done.changed, "before": done.before, "after": done.after,
    });
    assert_eq!(again, example["output"], "{verb}");
}

#[test]
fn every_example_of_the_contract_fits_the_types() {
    let contract = contract();
    let of_types = through::<SetHttpSysCertificate>(&contract)
        + through::<RemoveHttpSysEntry>(&contract)
        + through::<SetWebBinding>(&contract)
        + through::<StartAppPool>(&contract)
        + through::<StopAppPool>(&contract)
        + through::<RestartAppPool>(&contract)
        + through::<StartService>(&contract)
        + through::<StopService>(&contract)
        + through::<RestartService>(&contract)
        + through::<SetServiceStart>(&contract)
        + through::<NewCertificate>(&contract)
        + through::<GrantKeyAccess>(&contract)
        + through::<RevokeKeyAccess>(&contract)
        + through::<CopyCertificate>(&contract)
        + through::<AddCertificate>(&contract)
        + through::<RemoveCertificate>(&contract)
        + through::<GetLock>(&contract)
        + through::<TakeLock>(&contract)
        + through::<RenewLock>(&contract)
        + through::<ReleaseLock>(&contract);
    let import = verbs(&contract)
        .into_iter()
        .find(|verb| verb["name"] == ImportCertificate::NAME)
        .unwrap();
    let imports = import["examples"].as_array().unwrap();
    for example in imports {
        results::<Certificate>(ImportCertificate::NAME, example);
    }
    let all: usize = verbs(&contract)
        .iter()
        .map(|verb| verb["examples"].as_array().unwrap().len())
        .sum();
    assert_eq!(of_types + imports.len(), all);
}

#[test]
fn what_is_no_verb_with_plain_values_is_never_sent() {
    let none = BTreeMap::new();
    let secret = Secret::new("x");
    for (verb, input) in [
        ("Remove-Item", json!({ "Path": "C:\\" })),
        ("get-exseallock", json!({})),
        ("Get-ExsealLock; Remove-Item", json!({})),
        ("Start-ExsealService", json!(["W3SVC"])),
        ("Start-ExsealService", json!({ "Name": { "a": 1 } })),
        ("Start-ExsealService", json!({ "Name": [1] })),
        ("Start-ExsealService", json!({ "TimeoutSeconds": 1.5 })),
        ("Start-ExsealService", json!({ "Name -Force": "x" })),
    ] {
        let error = command(verb, &input, &none).unwrap_err();
        assert_eq!(error.effect(), Effect::None, "{error}");
    }
    let twice = BTreeMap::from([("Pfx", &secret)]);
    assert!(command(ImportCertificate::NAME, &json!({ "Pfx": "MII=" }), &twice).is_err());
}

#[test]
fn secrets_stand_in_no_input_and_no_debug() {
    let import = ImportCertificate {
        thumbprint: "5B9F1C6D0E7A48329C51D6F3A2B4E8071D3C6F95".to_owned(),
        friendly_name: String::new(),
        exportable: false,
        pfx: Secret::new("the file"),
        password: Secret::new("the password"),
    };
    let input = serde_json::to_string(&import).unwrap();
    let shown = format!("{import:?} {input}");
    assert!(
        !shown.contains("the file") && !shown.contains("the password"),
        "{shown}"
    );
    assert_eq!(import.secrets().len(), 2);
}

fn record(id: &str, reason: &str, target: Option<&str>) -> Box<ErrorRecord> {
    let mut record = ErrorRecord::new("words", id, ErrorCategory::InvalidOperation, reason);
    record.target = target.map(str::to_owned);
    Box::new(record)
}

#[test]
fn an_error_says_what_is_known_of_the_effect() {
    let details = r#"{"code":"Windows","effect":"unknown","expected":"a","found":"b","hresult":"0x80070070","holder":null}"#;
    for (record, effect, code) in [
        (
            record(
                "Windows,New-ExsealCertificate",
                "InvalidOperationException",
                Some(details),
            ),
            Effect::Unknown,
            Some("Windows"),
        ),
        // Somebody else's error whose target looks like ours.
        (
            record("Other,New-ExsealCertificate", "IOException", Some(details)),
            Effect::Unknown,
            None,
        ),
        (
            record(
                "ParameterArgumentValidationError,X",
                "ParameterBindingValidationException",
                None,
            ),
            Effect::None,
            None,
        ),
        (
            record("CommandNotFoundException", "CommandNotFoundException", None),
            Effect::None,
            None,
        ),
        (
            record("RuntimeException", "RuntimeException", Some("{}")),
            Effect::Unknown,
            None,
        ),
    ] {
        let error = CallError::of_record("New-ExsealCertificate", record);
        assert_eq!((error.effect(), error.code()), (effect, code), "{error}");
    }
}
