use serde_json::json;

use super::*;

fn document() -> Value {
    json!({
        "certificates": [
            {"thumbprint": "AB12", "services": ["SMTP", "IIS"], "not_after": "2028-01-05T10:00:00Z",
             "friendly_name": null, "dns_names": ["a.example", "b.example"], "key_bits": 2048,
             "unknown": ["status"]},
            {"thumbprint": "CD34", "services": null, "not_after": "2029-01-05T10:00:00Z"},
        ],
        "bindings": [{"endpoint": "*:443", "site": "Default Web Site"}, {"endpoint": "*:444", "site": "Back"}],
        "findings": [
            {"name": "certificate-expired", "server": "EX1", "found": {"thumbprint": "AB12", "days": 3},
             "evidence": [{"file": "a.xml", "value": "CN=mail"}]},
        ],
        "servers": [{"name": "EX1", "slots": 15}],
    })
}

fn kinds() -> Kinds {
    serde_json::from_value(json!({"hash-weak": ["signature-weak", "sha1"], "expired": "certificate-expired"}))
        .expect("kinds")
}

#[track_caller]
fn holds(fact: Value) {
    let expectation: Expectation = serde_json::from_value(fact).expect("a fact");
    expectation
        .check(&document(), &kinds())
        .unwrap_or_else(|found| panic!("{expectation:?}: {found}"));
}

#[track_caller]
fn fails(fact: Value, words: &str) {
    let expectation: Expectation = serde_json::from_value(fact).expect("a fact");
    let found = expectation
        .check(&document(), &kinds())
        .expect_err("the fact does not hold");
    assert!(found.contains(words), "{found}");
}

#[test]
fn a_place_is_a_key_an_index_or_the_first_element_with_a_value_in_any_case() {
    holds(json!({"at": "/certificates/1/thumbprint", "op": "equals", "value": "CD34"}));
    holds(
        json!({"at": "/certificates/thumbprint=cd34/not_after", "op": "equals", "value": "2029-01-05T10:00:00Z"}),
    );
    holds(json!({"at": "/bindings/endpoint=*:444/site", "op": "equals", "value": "Back"}));
    holds(json!({"at": "/servers/slots=15/name", "op": "equals", "value": "EX1"}));
}

#[test]
fn a_place_that_is_not_there_fails_whatever_the_operator() {
    for op in [
        "equals",
        "set-equals",
        "contains",
        "absent",
        "count",
        "less",
        "greater",
        "equals-ignoring-case",
    ] {
        fails(
            json!({"at": "/certificates/2/services", "op": op, "value": []}),
            "found nothing at /certificates/2",
        );
        fails(
            json!({"at": "/certificates/thumbprint=EE/services", "op": op, "value": []}),
            "thumbprint=EE",
        );
        fails(
            json!({"at": "/certificates/0/status", "op": op, "value": []}),
            "/status in an object with",
        );
    }
}

#[test]
fn equals_means_the_same_json_and_the_same_instant() {
    holds(json!({"at": "/certificates/0/not_after", "op": "equals", "value": "2028-01-05T11:00:00+01:00"}));
    holds(json!({"at": "/certificates/0/friendly_name", "op": "equals", "value": null}));
    holds(json!({"at": "/certificates/0/key_bits", "op": "equals", "value": 2048}));
    fails(
        json!({"at": "/certificates/0/not_after", "op": "equals", "value": "2028-01-05T10:00:01Z"}),
        "2028-01-05T10",
    );
    fails(
        json!({"at": "/certificates/0/thumbprint", "op": "equals", "value": "ab12"}),
        "AB12",
    );
    fails(
        json!({"at": "/certificates/0/dns_names", "op": "equals", "value": ["b.example", "a.example"]}),
        "a.example",
    );
    fails(
        json!({"at": "/certificates/0/key_bits", "op": "equals", "value": "2048"}),
        "2048",
    );
    fails(
        json!({"at": "/certificates/0/friendly_name", "op": "equals", "value": ""}),
        "null",
    );
}

#[test]
fn equals_ignoring_case_ignores_case_and_nothing_else() {
    holds(json!({"at": "/certificates/0/thumbprint", "op": "equals-ignoring-case", "value": "ab12"}));
    fails(
        json!({"at": "/certificates/0/thumbprint", "op": "equals-ignoring-case", "value": "ab1"}),
        "AB12",
    );
    fails(
        json!({"at": "/certificates/0/friendly_name", "op": "equals-ignoring-case", "value": "x"}),
        "null",
    );
}

#[test]
fn set_equals_wants_the_same_elements_as_often_in_any_order() {
    holds(json!({"at": "/certificates/0/services", "op": "set-equals", "value": ["iis", "smtp"]}));
    holds(json!({"at": "/certificates/1/services", "op": "set-equals", "value": []}));
    fails(
        json!({"at": "/certificates/0/services", "op": "set-equals", "value": ["IIS"]}),
        "SMTP",
    );
    fails(
        json!({"at": "/certificates/0/services", "op": "set-equals", "value": ["IIS", "SMTP", "POP"]}),
        "SMTP",
    );
    fails(
        json!({"at": "/certificates/0/services", "op": "set-equals", "value": ["IIS", "IIS"]}),
        "SMTP",
    );
    fails(
        json!({"at": "/certificates/0/thumbprint", "op": "set-equals", "value": ["AB12"]}),
        "expected an array",
    );
}

#[test]
fn contains_and_absent_look_for_an_element_or_for_a_part_of_a_text() {
    holds(json!({"at": "/certificates/0/services", "op": "contains", "value": "iis"}));
    holds(json!({"at": "/bindings/0/site", "op": "contains", "value": "web"}));
    holds(json!({"at": "/certificates/0/services", "op": "absent", "value": "POP"}));
    holds(json!({"at": "/certificates/1/services", "op": "absent", "value": "POP"}));
    fails(
        json!({"at": "/certificates/0/services", "op": "contains", "value": "II"}),
        "SMTP",
    );
    fails(
        json!({"at": "/certificates/1/services", "op": "contains", "value": "IIS"}),
        "null",
    );
    fails(
        json!({"at": "/certificates/0/services", "op": "absent", "value": "iis"}),
        "SMTP",
    );
    fails(
        json!({"at": "/bindings/0/site", "op": "absent", "value": "Default"}),
        "Default Web Site",
    );
    fails(
        json!({"at": "/certificates/0/key_bits", "op": "contains", "value": 2}),
        "expected an array",
    );
}

#[test]
fn absent_without_a_value_wants_the_object_and_not_the_key() {
    holds(json!({"at": "/certificates/1/friendly_name", "op": "absent"}));
    fails(
        json!({"at": "/certificates/0/friendly_name", "op": "absent"}),
        "found null",
    );
    fails(
        json!({"at": "/certificates/7/friendly_name", "op": "absent"}),
        "found nothing at /certificates/7",
    );
    fails(
        json!({"at": "/certificates/0/services/x", "op": "absent"}),
        "expected an object",
    );
    fails(
        json!({"at": "/certificates/0/services", "op": "contains"}),
        "no value",
    );
}

#[test]
fn an_absent_null_is_not_an_absent_value() {
    let fact: Expectation =
        serde_json::from_value(json!({"at": "/x", "op": "equals", "value": null})).expect("a fact");
    assert_eq!(fact.value, Some(Value::Null));
}

#[test]
fn count_less_and_greater_measure_arrays_numbers_and_times() {
    holds(json!({"at": "/certificates", "op": "count", "value": 2}));
    holds(json!({"at": "/certificates/1/services", "op": "count", "value": 0}));
    holds(json!({"at": "/certificates/0/dns_names", "op": "less", "value": 3}));
    holds(json!({"at": "/certificates/0/key_bits", "op": "greater", "value": 2047.5}));
    holds(json!({"at": "/certificates/0/not_after", "op": "greater", "value": "2027-12-31T00:00:00Z"}));
    fails(json!({"at": "/certificates", "op": "count", "value": 3}), "found");
    fails(
        json!({"at": "/certificates/0/dns_names", "op": "less", "value": 2}),
        "a.example",
    );
    fails(
        json!({"at": "/certificates/0/not_after", "op": "less", "value": "2028-01-05T10:00:00Z"}),
        "2028",
    );
    fails(
        json!({"at": "/certificates/0/thumbprint", "op": "less", "value": 3}),
        "cannot order",
    );
}

#[test]
fn a_finding_is_its_kind_or_our_name_for_it_and_all_its_subjects_at_any_depth() {
    let at = "/findings";
    holds(json!({"at": at, "op": "contains", "value": {"kind": "certificate-expired", "subject": "ab12"}}));
    holds(
        json!({"at": at, "op": "contains", "value": {"kind": "expired", "subject": ["AB12", "cn=mail", "EX1"]}}),
    );
    holds(json!({"at": at, "op": "contains", "value": {"kind": "expired"}}));
    holds(json!({"at": at, "op": "absent", "value": {"kind": "expired", "subject": "CD34"}}));
    holds(json!({"at": at, "op": "absent", "value": {"kind": "hash-weak", "subject": "AB12"}}));
    fails(
        json!({"at": at, "op": "contains", "value": {"kind": "expired", "subject": ["AB12", "CD34"]}}),
        "found",
    );
    fails(
        json!({"at": at, "op": "absent", "value": {"kind": "expired", "subject": "AB12"}}),
        "found",
    );
    fails(
        json!({"at": at, "op": "contains", "value": {"kind": "expired", "subject": "thumbprint"}}),
        "found",
    );
}

#[test]
fn an_operator_that_is_not_known_is_refused() {
    assert!(serde_json::from_value::<Expectation>(json!({"at": "/x", "op": "like", "value": 1})).is_err());
}
