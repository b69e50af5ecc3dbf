use super::*;
use crate::call::Endpoint;
use crate::organisation::Organisation;
use crate::world::{Fault, FaultKind};

mod changes;

const MODULE: &str = "../../helper/Exseal.psm1";
const CONTRACT: &str = "../../helper/contract.json";

fn of_repository(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

fn world(more: &str) -> World {
    let text = format!(
        r#"
        domain = "contoso.lab"
        {more}
        [[server]]
        name = "EX1"
        log_lines = {{ 'C:\ExchangeSetupLogs\ExchangeSetup.log' = ["fine", "[ERROR] The certificate is expired."] }}
        [[server.task]]
        path = '\win-acme renew'
        action = 'C:\Tools\wacs.exe'
        last_run = "2026-11-23T08:00:00Z"
        [[server.task]]
        path = '\defrag'
        action = 'defrag.exe'
        [[server]]
        name = "EDGE1"
        role = "edge"
        "#
    );
    let organisation = Organisation::parse(&text).expect("an organisation");
    World::new(&organisation, "2026-11-24T09:00:00Z".parse().expect("a time"), 1).expect("a world")
}

fn run(world: &mut World, server: &str, user: &str, call: &Call) -> Outcome {
    world.run(&ServerName::new(server), Endpoint::Windows, user, call)
}

fn load(world: &mut World, server: &str) {
    let module = of_repository(MODULE);
    let call = Call::from(Command::script(LOADER).with("Text", module.as_str()));
    let outcome = run(world, server, "admin", &call);

    assert_eq!(outcome.error(), None);
}

fn reading(function: &str, arguments: &[(&str, &str)]) -> Call {
    let mut command = Command::new(function);
    for (name, value) in arguments {
        command = command.with(name, *value);
    }
    let json = Command::new("ConvertTo-Json")
        .with("Depth", 8)
        .with("Compress", true);
    Call::pipeline([command, json])
}

/// What the function gave: a list, however ConvertTo-Json wrote it.
fn result(outcome: &Outcome) -> Vec<Value> {
    let Some(document) = outcome.output().next() else {
        return Vec::new();
    };
    let text = document.text(&document.values[0]).expect("text");
    match serde_json::from_str(&text).expect("JSON") {
        Value::Array(items) => items,
        one => vec![one],
    }
}

/// The first thing about a value that its schema does not allow.
fn breach(schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(choices) = schema["oneOf"].as_array() {
        let breaches: Vec<_> = choices.iter().map(|choice| breach(choice, value, at)).collect();
        return if breaches.contains(&None) {
            None
        } else {
            breaches.into_iter().flatten().last()
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => panic!("{at}: a schema without type"),
    };
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&own) {
        return Some(format!("{at}: expected {types:?}, found {value}"));
    }
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(place, item)| breach(&schema["items"], item, &format!("{at}[{place}]"))),
        Value::Object(fields) => {
            let known = schema["properties"].as_object().expect("properties");
            if let Some(name) = fields.keys().find(|name| !known.contains_key(*name)) {
                return Some(format!("{at}: unknown field {name}"));
            }
            known.iter().find_map(|(name, schema)| match fields.get(name) {
                None => Some(format!("{at}: {name} is missing")),
                Some(field) => breach(schema, field, &format!("{at}.{name}")),
            })
        }
        Value::String(text) => match schema["pattern"].as_str() {
            None => None,
            Some("^[0-9A-F]{40}$") => (text.len() != 40
                || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')))
            .then(|| format!("{at}: no thumbprint: {text}")),
            Some(pattern) if pattern.contains("T") => (text.len() != 20
                || text.parse::<jiff::Timestamp>().is_err())
            .then(|| format!("{at}: no time: {text}")),
            Some(other) => panic!("{at}: a pattern nobody checks: {other}"),
        },
        _ => None,
    }
}

#[test]
fn the_list_of_hashes_holds_the_helper_of_this_repository() {
    let reading = hex(&hash_of(&of_repository(MODULE)));
    let changing = hex(&hash_of(&changes::module()));

    for (hash, module, what) in [
        (reading, Module::Reading, "reading"),
        (changing, Module::Changing, "changing"),
    ] {
        assert!(
            known_modules().any(|known| known == (hash.as_str(), module)),
            "src/windows/modules.txt lacks the SHA-256 of the helper: {hash} {what}"
        );
    }
}

#[test]
fn every_reading_of_the_contract_is_answered_in_the_contracts_shape() {
    let contract: Value = serde_json::from_str(&of_repository(CONTRACT)).expect("the contract");
    let mut world = world("");
    let at = ServerName::new("EX1");
    world.log(
        &at,
        &crate::world::Happening::HttpSysCertificateMissing {
            endpoint: "0.0.0.0:444".to_owned(),
        },
    );
    load(&mut world, "EX1");
    let mut answered = 0;
    for function in contract["functions"].as_array().expect("functions") {
        if function["reads"].is_null() {
            continue;
        }
        let name = function["name"].as_str().expect("a name");
        let mut calls = vec![reading(name, &[])];
        for parameter in function["parameters"].as_array().expect("parameters") {
            for value in parameter["values"].as_array().into_iter().flatten() {
                calls.push(reading(
                    name,
                    &[(
                        parameter["name"].as_str().expect("a name"),
                        value.as_str().expect("a value"),
                    )],
                ));
            }
        }
        for call in calls {
            let outcome = run(&mut world, "EX1", "admin", &call);
            assert_eq!(outcome.error(), None, "{call:?}");
            let items = Value::Array(result(&outcome));
            assert_eq!(breach(&function["output"], &items, name), None);
        }
        let outcome = run(&mut world, "EX1", "admin", &reading(name, &[]));
        assert!(!result(&outcome).is_empty(), "{name} gave nothing");
        answered += 1;
    }
    assert_eq!(answered, READING_COUNT);
}

const READING_COUNT: usize = 12;

#[test]
fn a_reading_tells_what_the_world_is() {
    let mut world = world("");
    load(&mut world, "EX1");
    let stored = result(&run(
        &mut world,
        "EX1",
        "CONTOSO\\Admin",
        &reading("get-exsealstore", &[("n", "my")]),
    ));
    let tasks = result(&run(&mut world, "EX1", "admin", &reading("Get-ExsealTask", &[])));
    let lines = result(&run(
        &mut world,
        "EX1",
        "admin",
        &reading("Get-ExsealLogLine", &[]),
    ));

    let server = world.server("EX1").expect("a server");
    let own: Vec<String> = server
        .store(crate::organisation::StoreName::My)
        .iter()
        .map(|stored| stored.certificate.thumbprint().to_string())
        .collect();
    let told: Vec<&str> = stored
        .iter()
        .filter_map(|item| item["thumbprint"].as_str())
        .collect();
    assert_eq!(told, own);
    assert_eq!(stored[0]["key"]["providerType"], 12);
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!(tasks[0]["lastRun"], "2026-11-23T08:00:00Z");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["line"], 2);
}

#[test]
fn a_function_is_unknown_before_its_module_and_in_another_session() {
    let mut world = world("");
    let call = reading("Get-ExsealClock", &[]);
    let before = run(&mut world, "EX1", "admin", &call);
    load(&mut world, "EX1");
    let other = Call {
        runspace: Some(uuid::Uuid::from_u128(7)),
        ..call.clone()
    };
    let elsewhere = run(&mut world, "EX1", "admin", &other);
    let after = run(&mut world, "EX1", "admin", &call);

    for refused in [before, elsewhere] {
        assert_eq!(
            refused.error().expect("an error").fully_qualified_error_id,
            "CommandNotFoundException"
        );
    }
    assert_eq!(after.error(), None);
}

#[test]
fn a_script_that_nobody_knows_is_refused_in_each_language_with_one_id() {
    for (more, word) in [("", "expected"), ("language = \"de\"", "erwartet")] {
        let mut world = world(more);
        let script = Call::from(Command::script("Get-ChildItem C:\\"));
        let changed = of_repository(MODULE) + "\nRemove-Item C:\\";
        let smuggled = Call::from(Command::script(LOADER).with("Text", changed));
        for call in [script, smuggled] {
            let outcome = run(&mut world, "EX1", "admin", &call);
            let error = outcome.error().expect("an error");
            assert_eq!(error.fully_qualified_error_id, "ScriptsNotAllowed");
            assert!(error.message.contains(word), "{error}");
            assert!(outcome.output().next().is_none());
        }
    }
}

#[test]
fn a_module_that_is_allowed_by_its_hash_runs() {
    let mut world = world("");
    let text = "# another helper";
    let call = Call::from(Command::script(LOADER).with("Text", text));
    assert!(run(&mut world, "EX1", "admin", &call).error().is_some());
    world.allow_module(hash_of(text));

    assert_eq!(run(&mut world, "EX1", "admin", &call).error(), None);
}

#[test]
fn who_is_no_administrator_is_denied() {
    let mut world = world("");
    for user in ["viewer", "nobody"] {
        let outcome = run(&mut world, "EX1", user, &reading("Get-ExsealClock", &[]));
        let error = outcome.error().expect("an error");
        assert_eq!(
            error.category.category,
            ErrorCategory::PermissionDenied,
            "{user}: {error}"
        );
    }
}

#[test]
fn an_edge_server_has_no_sites_and_says_so() {
    let mut world = world("");
    load(&mut world, "EDGE1");
    for call in [
        reading("Get-ExsealWebSite", &[]),
        reading("Get-ExsealStore", &[("Name", "WebHosting")]),
    ] {
        let outcome = run(&mut world, "EDGE1", "admin", &call);
        assert!(outcome.error().expect("an error").message.contains("0x80070002"));
    }
}

#[test]
fn a_value_outside_of_its_set_is_an_error_of_binding() {
    let mut world = world("");
    load(&mut world, "EX1");
    for (call, id) in [
        (
            reading("Get-ExsealStore", &[("Name", "Disallowed")]),
            "ParameterArgumentValidationError,Get-ExsealStore",
        ),
        (
            reading("Get-ExsealEvent", &[("Days", "many")]),
            "ParameterArgumentTransformationError,Get-ExsealEvent",
        ),
        (
            reading("Get-ExsealClock", &[("Zone", "UTC")]),
            "NamedParameterNotFound,Get-ExsealClock",
        ),
    ] {
        let outcome = run(&mut world, "EX1", "admin", &call);
        assert_eq!(outcome.error().expect("an error").fully_qualified_error_id, id);
    }
}

#[test]
fn a_server_that_is_gone_says_nothing() {
    let mut world = world("");
    load(&mut world, "EX1");
    world.fault(Fault::new(FaultKind::Unreachable).on("EX1"));
    let outcome = run(&mut world, "EX1", "admin", &reading("Get-ExsealClock", &[]));

    assert_eq!(outcome.end, End::Interrupted(Interruption::DropBefore));
}

#[test]
fn a_key_in_a_provider_of_cng_and_one_that_is_lost_are_told() {
    let mut world = world("");
    load(&mut world, "EX1");
    world.fault(Fault::new(FaultKind::KspKey).on("EX1"));
    let call = reading("Get-ExsealStore", &[("Name", "My")]);
    let ksp = result(&run(&mut world, "EX1", "admin", &call));
    let server = world.server_mut(&ServerName::new("EX1")).expect("a server");
    for stored in server
        .stores
        .get_mut(&crate::organisation::StoreName::My)
        .expect("My")
    {
        if let Some(key) = &mut stored.key {
            key.container_lost = true;
        }
    }
    let lost = result(&run(&mut world, "EX1", "admin", &call));

    assert_eq!(ksp[0]["key"]["providerType"], 0);
    assert_eq!(lost[0]["key"]["error"], "0x80090016");
    assert_eq!(lost[0]["key"]["readers"], Value::Null);
}

#[test]
fn objects_without_convert_to_json_are_one_level_deep() {
    let mut world = world("");
    load(&mut world, "EX1");
    let outcome = run(
        &mut world,
        "EX1",
        "admin",
        &Call::from(Command::new("Get-ExsealStore")),
    );
    let document = outcome.output().next().expect("an object");
    let object = document.object(&document.values[0]).expect("an object");
    let key = document.property(object, "key").expect("a property");

    assert!(document.text(key).expect("text").starts_with("@{"), "{key:?}");
}

#[test]
fn text_of_json_is_what_windows_powershell_writes() {
    let value = serde_json::json!({ "text": "<I>a&b'c", "deep": { "deeper": { "deepest": [1, 2] } } });
    let text = json::text(vec![value], 2, true).expect("text");

    assert_eq!(
        text,
        r#"{"deep":{"deeper":"@{deepest=1 2}"},"text":"\u003cI\u003ea\u0026b\u0027c"}"#
    );
}

#[test]
fn faults_come_at_a_reading_of_the_server_they_name() {
    let mut world = world("");
    load(&mut world, "EX1");
    for (fault, expected) in [
        ("times-out", Interruption::Hang),
        ("drops", Interruption::DropBefore),
        ("loses-reply", Interruption::LoseReply),
        ("acts-and-hangs", Interruption::HangAfter),
        ("reboot", Interruption::Reboot),
    ] {
        let fault = format!("{fault} server=EX1 command=Get-ExsealClock");
        world.fault(Fault::parse(&fault).expect("a fault"));
        let other = run(&mut world, "EX1", "admin", &reading("Get-ExsealDisk", &[]));
        let here = run(&mut world, "EX1", "admin", &reading("Get-ExsealClock", &[]));
        let after = run(&mut world, "EX1", "admin", &reading("Get-ExsealClock", &[]));

        assert_eq!(other.end, End::Completed, "{fault}");
        assert_eq!(here.end, End::Interrupted(expected), "{fault}");
        assert_eq!(here.items, [], "{fault}");
        assert_eq!(after.end, End::Completed, "{fault}");
    }
    world.fault(Fault::parse("throws").expect("a fault"));
    let thrown = run(&mut world, "EX1", "admin", &reading("Get-ExsealClock", &[]));
    assert_eq!(thrown.error().expect("an error").category.reason, "COMException");
    world.fault(Fault::parse("slow=3").expect("a fault"));
    let slow = run(&mut world, "EX1", "admin", &reading("Get-ExsealClock", &[]));
    assert_eq!((slow.delay.as_secs(), slow.end), (3, End::Completed));
}

#[test]
fn a_second_operator_acts_before_a_reading() {
    let mut world = world("");
    load(&mut world, "EX1");
    let held = |world: &mut World| {
        let outcome = run(world, "EX1", "admin", &reading("Get-ExsealStore", &[]));
        result(&outcome).len()
    };
    let before = held(&mut world);
    world.fault(Fault::parse("second-operator command=Get-ExsealStore").expect("a fault"));

    assert_eq!(held(&mut world), before + 1);
}
