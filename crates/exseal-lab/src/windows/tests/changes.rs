//! The verbs: the contract's examples are what the simulation answers, their effects are what a client sees, and each
//! inverse undoes.

use std::collections::BTreeMap;

use base64::Engine as _;
use exseal_psrp::data::Data;
use exseal_psrp::secret::Secret;
use serde_json::{Value, json};

use super::*;
use crate::certificate::{KeyKind, KeyPool, Name, Pfx, Recipe};
use crate::organisation::StoreName;

/// The thumbprints the contract's examples speak of.
const OLD: &str = "EEA06B92B59DD8DBB2F82E5E698CA2715559D195";
const NEW: &str = "5B9F1C6D0E7A48329C51D6F3A2B4E8071D3C6F95";
const THIRD: &str = "0C4D7B1E93A65F2870D1B8E4C6F3A9527E10D48B";
const PASSWORD: &str = "geheim ü€";

fn contract() -> Value {
    serde_json::from_str(&of_repository(CONTRACT)).expect("the contract")
}

/// The helper as a session that changes something gets it.
pub(super) fn module() -> String {
    contract()["change"]["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| of_repository(&format!("../../helper/{}", file.as_str().expect("a name"))))
        .collect()
}

fn load(world: &mut World, server: &str) {
    let call = Call::from(Command::script(LOADER).with("Text", module().as_str()));
    assert_eq!(run(world, server, "admin", &call).error(), None);
}

fn data(value: &Value) -> Data {
    match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::from(*value),
        Value::Number(number) => Data::from(number.as_i64().expect("a whole number")),
        Value::String(text) => Data::from(text.as_str()),
        Value::Array(items) => Data::strings(items.iter().filter_map(Value::as_str)),
        Value::Object(_) => panic!("no object is a parameter"),
    }
}

fn calling(verb: &str, input: &Value, secrets: &[(&str, &str)]) -> Call {
    let mut command = Command::new(verb);
    for (name, value) in input.as_object().expect("an object") {
        command = command.with(name, data(value));
    }
    for (name, secret) in secrets {
        command = command.with(name, Secret::from(*secret));
    }
    let json = Command::new("ConvertTo-Json")
        .with("Depth", 8)
        .with("Compress", true);
    Call::pipeline([command, json])
}

/// What a verb gave, or the details of its error.
fn said(outcome: &Outcome) -> Result<Value, Value> {
    match outcome.error() {
        None => Ok(result(outcome).pop().expect("a result")),
        Some(error) => {
            let details = error
                .target
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok());
            Err(details.unwrap_or_else(|| error.to_string().into()))
        }
    }
}

fn on(world: &mut World, server: &str, verb: &str, input: &Value) -> Result<Value, Value> {
    let outcome = run(world, server, "admin", &calling(verb, input, &[]));
    said(&outcome)
}

fn act(world: &mut World, verb: &str, input: &Value) -> Result<Value, Value> {
    on(world, "EX1", verb, input)
}

/// Keys of all worlds here: making them is what takes time.
fn keys() -> KeyPool {
    static KEYS: std::sync::OnceLock<KeyPool> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| KeyPool::new(4)).clone()
}

fn of_kiefer(more: &str) -> World {
    let text = format!(
        "domain = \"kiefer.example\"\n{more}\n[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EDGE1\"\nrole = \"edge\"\n"
    );
    let organisation = Organisation::parse(&text).expect("an organisation");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    let mut world = World::with_keys(&organisation, now, 1, keys()).expect("a world");
    load(&mut world, "EX1");
    world
}

/// Makes a certificate and gives its thumbprint.
fn made(world: &mut World, serial: &str) -> String {
    let input = json!({
        "Subject": "CN=EX1", "DnsNames": ["EX1", "ex1.kiefer.example"], "FriendlyName": "Microsoft Exchange",
        "Days": 365, "Serial": serial,
    });
    let given = act(world, "New-ExsealCertificate", &input).expect("a certificate");
    given["after"]["thumbprint"].as_str().expect("text").to_owned()
}

/// A file with a certificate and its key, and the certificate's thumbprint.
fn pfx() -> (String, String) {
    let key = keys().next(KeyKind::Rsa2048).expect("a key");
    let recipe = Recipe {
        subject: Name::parse("CN=mail.kiefer.example").expect("a name"),
        names: vec!["mail.kiefer.example".to_owned()],
        not_before: "2026-11-01T00:00:00Z".parse().expect("a time"),
        not_after: "2027-11-01T00:00:00Z".parse().expect("a time"),
        serial: vec![7; 16],
        is_ca: false,
        subject_key: None,
    };
    let certificate = recipe.issue(&key, None).expect("a certificate");
    let file = Pfx::write(&certificate, &[], &key, "mail", PASSWORD).expect("a file");
    (
        base64::engine::general_purpose::STANDARD.encode(file),
        certificate.thumbprint().to_string(),
    )
}

fn thumbprint_at(world: &World, endpoint: &str) -> String {
    let server = world.server("EX1").expect("a server");
    server.http_sys[endpoint].hash.expect("a hash").to_string()
}

fn replaced(value: &Value, with: &BTreeMap<String, String>) -> Value {
    let mut text = value.to_string();
    for (from, to) in with {
        text = text.replace(from, to);
    }
    serde_json::from_str(&text).expect("JSON")
}

/// What two answers may differ in: the certificates' bytes, and how http.sys writes a store's name.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, field)| {
                    let field = match name.as_str() {
                        "der" => Value::from("bytes"),
                        "store" | "certificateStoreName" => field
                            .as_str()
                            .map_or(Value::Null, |store| store.to_uppercase().into()),
                        _ => comparable(field),
                    };
                    (name.clone(), field)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(comparable).collect()),
        plain => plain.clone(),
    }
}

/// A world of an example, and which of its thumbprints stands for which of the contract's.
fn stage(verb: &str, pfx: &str) -> (World, BTreeMap<String, String>) {
    let mut world = of_kiefer("");
    let old = thumbprint_at(&world, "0.0.0.0:444");
    let new = made(&mut world, "11000000000000000000000000000011");
    let third = made(&mut world, "12000000000000000000000000000012");
    let mut own = BTreeMap::from([(new, NEW.to_owned()), (third, THIRD.to_owned())]);
    match verb {
        "Import-ExsealCertificate" => own.insert(pfx.to_owned(), OLD.to_owned()),
        // The example carries its certificate.
        "Add-ExsealCertificate" => None,
        _ => own.insert(old, OLD.to_owned()),
    };
    (world, own)
}

fn verbs(contract: &Value) -> impl Iterator<Item = &Value> {
    contract["functions"]
        .as_array()
        .expect("functions")
        .iter()
        .filter(|function| !function["changes"].is_null())
}

#[test]
fn every_example_of_the_contract_is_what_the_simulation_answers() {
    let contract = contract();
    let (file, of_file) = pfx();
    let mut answered = 0;
    for verb in verbs(&contract) {
        let name = verb["name"].as_str().expect("a name");
        for (at, example) in verb["examples"].as_array().expect("examples").iter().enumerate() {
            let (mut world, own) = stage(name, &of_file);
            let back: BTreeMap<String, String> =
                own.iter().map(|(own, of)| (of.clone(), own.clone())).collect();
            for step in example["first"].as_array().into_iter().flatten() {
                let function = step["function"].as_str().expect("a name");
                act(&mut world, function, &replaced(&step["input"], &back)).expect(name);
            }
            let secrets: &[_] = if example["secrets"].is_null() {
                &[]
            } else {
                &[("Pfx", file.as_str()), ("Password", PASSWORD)]
            };
            let call = calling(name, &replaced(&example["input"], &back), secrets);
            let outcome = run(&mut world, "EX1", "admin", &call);
            let mut given = said(&outcome)
                .map(|value| replaced(&value, &own))
                .map_err(|value| replaced(&value, &own));
            // The certificate that was made just now is the old one of the example.
            if name == "New-ExsealCertificate"
                && let Ok(value) = &mut given
            {
                for side in ["before", "after"] {
                    if !value[side].is_null() {
                        value[side]["thumbprint"] = OLD.into();
                    }
                }
            }
            let expected = if example["error"].is_null() {
                Ok(comparable(&example["output"]))
            } else {
                Err(comparable(&example["error"]))
            };
            let given = match given {
                Ok(value) => Ok(comparable(&value)),
                Err(value) => Err(comparable(&value)),
            };
            assert_eq!(given, expected, "{name}, example {at}");
            if let Some(error) = outcome.error() {
                let code = example["error"]["code"].as_str().expect("a code");
                assert_eq!(error.fully_qualified_error_id, format!("{code},{name}"));
            }
            answered += 1;
        }
    }
    assert_eq!(answered, 55);
}

/// An argument of an inverse: a part of the answer, an argument of the verb, or a value.
fn of_inverse(source: &Value, verb: &Value, input: &Value, output: &Value) -> Value {
    let Some(source) = source.as_str() else {
        return source.clone();
    };
    if source.starts_with("before") || source.starts_with("after") {
        let pointer = source.replace("[0]", "/0").replace('.', "/");
        return output.pointer(&format!("/{pointer}")).cloned().expect(source);
    }
    let Some(source) = source.strip_prefix("input.") else {
        return source.into();
    };
    let default = || {
        verb["parameters"]
            .as_array()
            .and_then(|all| all.iter().find(|parameter| parameter["name"] == source))
            .map_or(Value::Null, |parameter| parameter["default"].clone())
    };
    input.get(source).cloned().unwrap_or_else(default)
}

#[test]
fn every_inverse_brings_back_what_was() {
    let contract = contract();
    let (file, of_file) = pfx();
    let mut undone = Vec::new();
    for verb in verbs(&contract) {
        let name = verb["name"].as_str().expect("a name");
        // What is gone cannot be made again; a list of services is undone one by one; a lock has another end.
        if matches!(name, "Stop-ExsealService" | "Unlock-ExsealServer") || verb["inverse"]["verb"].is_null() {
            continue;
        }
        for example in verb["examples"].as_array().expect("examples") {
            let takes_from_my = name == "Remove-ExsealCertificate" && example["input"]["Store"] == "My";
            let renews = name == "Lock-ExsealServer" && !example["output"]["before"].is_null();
            if example["output"]["changed"] != true || takes_from_my || renews {
                continue;
            }
            let (mut world, own) = stage(name, &of_file);
            let back: BTreeMap<String, String> =
                own.iter().map(|(own, of)| (of.clone(), own.clone())).collect();
            for step in example["first"].as_array().into_iter().flatten() {
                let function = step["function"].as_str().expect("a name");
                act(&mut world, function, &replaced(&step["input"], &back)).expect(name);
            }
            let state = world.state_dump();
            let input = replaced(&example["input"], &back);
            let secrets: &[_] = if example["secrets"].is_null() {
                &[]
            } else {
                &[("Pfx", file.as_str()), ("Password", PASSWORD)]
            };
            let output = said(&run(&mut world, "EX1", "admin", &calling(name, &input, secrets))).expect(name);
            assert!(world.state_dump() != state, "{name} changed nothing");
            let added = name == "Set-ExsealHttpSysCertificate" && output["before"].is_null();
            let (inverse, with) = if added {
                let with = json!({ "Endpoint": "input.Endpoint", "Expected": "input.Thumbprint" });
                ("Remove-ExsealHttpSysEntry", with)
            } else {
                let inverse = &verb["inverse"];
                (inverse["verb"].as_str().expect("a verb"), inverse["with"].clone())
            };
            let arguments: serde_json::Map<String, Value> = with
                .as_object()
                .expect("an object")
                .iter()
                .map(|(parameter, source)| (parameter.clone(), of_inverse(source, verb, &input, &output)))
                .filter(|(parameter, value)| !value.is_null() || parameter == "Expected")
                .collect();
            act(&mut world, inverse, &Value::Object(arguments)).expect(inverse);
            assert!(world.state_dump() == state, "{inverse} does not undo {name}");
            undone.push(name);
        }
    }
    undone.dedup();
    assert_eq!(undone.len(), 15, "{undone:?}");
}

#[test]
fn every_verb_sent_twice_is_sent_once() {
    let contract = contract();
    let (file, of_file) = pfx();
    let mut sent = 0;
    for verb in verbs(&contract) {
        let name = verb["name"].as_str().expect("a name");
        for example in verb["examples"].as_array().expect("examples") {
            if example["output"]["changed"] != true {
                continue;
            }
            let (mut world, own) = stage(name, &of_file);
            let back: BTreeMap<String, String> =
                own.iter().map(|(own, of)| (of.clone(), own.clone())).collect();
            for step in example["first"].as_array().into_iter().flatten() {
                let function = step["function"].as_str().expect("a name");
                act(&mut world, function, &replaced(&step["input"], &back)).expect(name);
            }
            let secrets: &[_] = if example["secrets"].is_null() {
                &[]
            } else {
                &[("Pfx", file.as_str()), ("Password", PASSWORD)]
            };
            let call = calling(name, &replaced(&example["input"], &back), secrets);
            world.fault(Fault::parse(&format!("loses-reply command={name}")).expect("a fault"));
            let lost = run(&mut world, "EX1", "admin", &call);
            assert_eq!(lost.end, End::Interrupted(Interruption::LoseReply), "{name}");
            let state = world.state_dump();
            let again = said(&run(&mut world, "EX1", "admin", &call)).expect(name);
            assert!(world.state_dump() == state, "{name} did something twice");
            // What is restarted or renewed is so again; everything else finds that it is done.
            let renews = ["Restart-", "Lock-", "Update-"]
                .iter()
                .any(|verb| name.starts_with(verb));
            assert_eq!(again["changed"], renews, "{name}");
            sent += 1;
        }
    }
    assert_eq!(sent, 25);
}

#[test]
fn a_verb_is_unknown_where_only_the_reading_half_was_sent() {
    let mut world = world("");
    super::load(&mut world, "EX1");
    let before = run(
        &mut world,
        "EX1",
        "admin",
        &calling("Get-ExsealLock", &json!({}), &[]),
    );
    load(&mut world, "EX1");
    let after = run(
        &mut world,
        "EX1",
        "admin",
        &calling("Get-ExsealLock", &json!({}), &[]),
    );
    let reading = run(&mut world, "EX1", "admin", &reading("Get-ExsealClock", &[]));

    assert_eq!(
        before.error().expect("an error").fully_qualified_error_id,
        "CommandNotFoundException"
    );
    assert_eq!((after.error(), reading.error()), (None, None));
}

#[test]
fn only_administrators_change_something() {
    let mut world =
        of_kiefer("[[user]]\nname = \"viewer\"\nadministrator = false\n[[user]]\nname = \"admin\"");
    let state = world.state_dump();
    let call = calling(
        "Stop-ExsealAppPool",
        &json!({ "Name": "MSExchangeOWAAppPool" }),
        &[],
    );
    let outcome = run(&mut world, "EX1", "viewer", &call);

    assert_eq!(
        outcome.error().expect("an error").category.category,
        ErrorCategory::PermissionDenied
    );
    assert!(world.state_dump() == state, "it changed something");
}

#[test]
fn http_sys_alone_keeps_an_entrys_values_and_iis_does_not_unless_it_is_assumed() {
    for (keeps, expected) in [(false, false), (true, true)] {
        let more = format!("[assumptions]\niis_keeps_http_sys_flags = {keeps}");
        let mut world = of_kiefer(&more);
        let (old, new) = (
            thumbprint_at(&world, "0.0.0.0:444"),
            made(&mut world, "11000000000000000000000000000011"),
        );
        let entry = |world: &World| world.server("EX1").expect("a server").http_sys["0.0.0.0:444"].clone();
        let server = world.server_mut(&ServerName::new("EX1")).expect("a server");
        server
            .http_sys
            .get_mut("0.0.0.0:444")
            .expect("an entry")
            .negotiate_client_certificate = true;
        let input = json!({ "Endpoint": "0.0.0.0:444", "Expected": old, "Thumbprint": new });
        act(&mut world, "Set-ExsealHttpSysCertificate", &input).expect("a result");
        assert!(entry(&world).negotiate_client_certificate);
        let input = json!({
            "SiteId": 2, "BindingInformation": "*:444:", "Expected": new, "Thumbprint": old,
        });
        let given = act(&mut world, "Set-ExsealWebBinding", &input).expect("a result");
        assert_eq!(given["before"]["certificateHash"], new.as_str());
        assert_eq!(entry(&world).negotiate_client_certificate, expected, "{keeps}");
        assert_eq!(thumbprint_at(&world, "0.0.0.0:444"), old);
        assert_eq!(thumbprint_at(&world, "0.0.0.0:443"), old, "443 was not named");
    }
}

#[test]
fn iis_makes_the_entry_that_is_gone() {
    let mut world = of_kiefer("");
    let (old, new) = (
        thumbprint_at(&world, "0.0.0.0:444"),
        made(&mut world, "11000000000000000000000000000011"),
    );
    act(
        &mut world,
        "Remove-ExsealHttpSysEntry",
        &json!({ "Endpoint": "0.0.0.0:444", "Expected": old }),
    )
    .expect("a result");
    let dead = world
        .server("EX1")
        .expect("a server")
        .http_sys
        .get("0.0.0.0:444")
        .cloned();
    let input = json!({ "SiteId": 2, "BindingInformation": "*:444:", "Expected": null, "Thumbprint": new });
    act(&mut world, "Set-ExsealWebBinding", &input).expect("a result");

    assert_eq!(dead, None);
    assert_eq!(thumbprint_at(&world, "0.0.0.0:444"), new);
}

#[test]
fn a_certificate_is_found_again_by_its_serial_number_in_either_order_of_its_bytes() {
    for reverses in [false, true] {
        let mut world = of_kiefer(&format!("[assumptions]\ncertenroll_reverses_serial = {reverses}"));
        let first = made(&mut world, "3F0A5C7719D24E8E90B2C4D6E8F0A153");
        let own = world
            .server("EX1")
            .expect("a server")
            .my(crate::certificate::Thumbprint::parse(&first).expect("a thumbprint"));
        let key = own.expect("a certificate").key.clone().expect("a key");
        assert_eq!(
            own.expect("a certificate").certificate.serial()[0] == 0x53,
            reverses
        );
        assert_eq!(key.provider, crate::organisation::Provider::Capi);
        assert!(!key.exportable);
        let again = made(&mut world, "3F0A5C7719D24E8E90B2C4D6E8F0A153");

        assert_eq!(again, first);
    }
}

fn made_by_itself() -> Value {
    json!({
        "Subject": "CN=EX1", "FriendlyName": "Microsoft Exchange", "Days": 365,
        "Serial": "3F0A5C7719D24E8E90B2C4D6E8F0A153",
    })
}

/// How many certificates are in My.
fn held(world: &World) -> usize {
    world.server("EX1").expect("a server").store(StoreName::My).len()
}

#[test]
fn a_reply_that_is_lost_is_sent_for_again_and_nothing_is_done_twice() {
    let mut world = of_kiefer("");
    let input = made_by_itself();
    let before = held(&world);
    let call = calling("New-ExsealCertificate", &input, &[]);
    for (fault, end, held_then) in [
        ("drops", Interruption::DropBefore, before),
        ("times-out", Interruption::Hang, before),
        ("loses-reply", Interruption::LoseReply, before + 1),
        ("acts-and-hangs", Interruption::HangAfter, before + 1),
        ("reboot", Interruption::Reboot, before + 1),
    ] {
        let fault = format!("{fault} server=EX1 command=New-ExsealCertificate");
        world.fault(Fault::parse(&fault).expect("a fault"));
        let outcome = run(&mut world, "EX1", "admin", &call);
        assert_eq!(outcome.end, End::Interrupted(end), "{fault}");
        assert_eq!(held(&world), held_then, "{fault}");
    }
    let again = said(&run(&mut world, "EX1", "admin", &call)).expect("a result");

    assert_eq!(again["changed"], false);
    assert_eq!(held(&world), before + 1);
}

#[test]
fn an_answer_is_wrong_and_the_verb_acts_or_not_as_the_fault_says() {
    let mut world = of_kiefer("");
    let input = made_by_itself();
    let before = held(&world);
    for undone in [
        "answers-null=undone",
        "answers-empty=undone",
        "answers-two=undone",
    ] {
        world.fault(Fault::parse(undone).expect("a fault"));
        run(
            &mut world,
            "EX1",
            "admin",
            &calling("New-ExsealCertificate", &input, &[]),
        );
        assert_eq!(held(&world), before, "{undone}");
    }
    world.fault(Fault::parse("answers-empty command=New-ExsealCertificate").expect("a fault"));
    let empty = said(&run(
        &mut world,
        "EX1",
        "admin",
        &calling("New-ExsealCertificate", &input, &[]),
    ));
    assert_eq!(empty.expect("a result")["after"]["thumbprint"], "");
    assert_eq!(held(&world), before + 1);

    world.fault(Fault::parse("makes-no-key command=New-ExsealCertificate").expect("a fault"));
    let keyless = made(&mut world, "11000000000000000000000000000011");
    let store = world.server("EX1").expect("a server").store(StoreName::My);
    let keys: Vec<bool> = store
        .iter()
        .map(|stored| (stored.certificate.thumbprint().to_string() == keyless) != stored.key.is_some())
        .collect();
    assert_eq!(keys, vec![true; before + 2]);
}

#[test]
fn a_verb_that_throws_and_a_full_disk_leave_the_effect_unknown_by_their_hresult() {
    let mut world = of_kiefer("");
    let (file, of_file) = pfx();
    let new = made(&mut world, "11000000000000000000000000000011");
    let state = world.state_dump();
    world.fault(Fault::parse("throws command=Copy-ExsealCertificate").expect("a fault"));
    let input = json!({ "Thumbprint": new, "To": "Root" });
    let thrown = act(&mut world, "Copy-ExsealCertificate", &input).expect_err("an error");
    assert_eq!(
        (&thrown["code"], &thrown["effect"], &thrown["hresult"]),
        (&"Windows".into(), &"unknown".into(), &"0x800705AA".into())
    );
    assert!(world.state_dump() == state, "it changed something");

    world.fault(Fault::new(FaultKind::DiskFull).on("EX1"));
    let lock = json!({ "Owner": "anna", "Plan": "p", "Run": "r", "Seconds": 60 });
    let making = json!({
        "Subject": "CN=EX1", "FriendlyName": "x", "Days": 1, "Serial": "12000000000000000000000000000012",
    });
    let import = calling(
        "Import-ExsealCertificate",
        &json!({ "Thumbprint": of_file }),
        &[("Pfx", &file), ("Password", PASSWORD)],
    );
    let full = [
        act(&mut world, "Copy-ExsealCertificate", &input),
        act(&mut world, "New-ExsealCertificate", &making),
        act(&mut world, "Lock-ExsealServer", &lock),
        said(&run(&mut world, "EX1", "admin", &import)),
    ];
    for error in full {
        let error = error.expect_err("a full disk");
        assert_eq!(error["hresult"], "0x80070070", "{error}");
    }
}

#[test]
fn a_file_that_does_not_open_changes_nothing_and_secrets_come_as_secure_strings_only() {
    let mut world = of_kiefer("");
    let (file, of_file) = pfx();
    let state = world.state_dump();
    let input = json!({ "Thumbprint": of_file });
    for (pfx, password, hresult) in [
        (file.as_str(), "wrong", Value::from("0x80070056")),
        ("AAAA", PASSWORD, "0x80070056".into()),
        ("ä", PASSWORD, Value::Null),
    ] {
        let call = calling(
            "Import-ExsealCertificate",
            &input,
            &[("Pfx", pfx), ("Password", password)],
        );
        let error = said(&run(&mut world, "EX1", "admin", &call)).expect_err("an error");
        assert_eq!(error["code"], "PfxUnreadable");
        assert_eq!((&error["effect"], &error["hresult"]), (&"none".into(), &hresult));
        assert!(!error.to_string().contains(password));
    }
    let mut call = calling("Import-ExsealCertificate", &input, &[("Pfx", &file)]);
    call.commands[0] = call.commands[0].clone().with("Password", PASSWORD);
    let outcome = run(&mut world, "EX1", "admin", &call);
    let error = outcome.error().expect("an error");

    assert_eq!(
        error.fully_qualified_error_id,
        "ParameterArgumentTransformationError,Import-ExsealCertificate"
    );
    assert!(!error.message.contains(PASSWORD), "{error}");
    assert!(world.state_dump() == state, "it changed something");
}

#[test]
fn a_lock_that_is_over_is_told_and_taken_only_when_told() {
    let mut world = of_kiefer("");
    let of = |run: &str| json!({ "Owner": "anna", "Plan": "p", "Run": run, "Seconds": 60 });
    act(&mut world, "Lock-ExsealServer", &of("r-1")).expect("the lock");
    world.advance(jiff::SignedDuration::from_secs(60));
    let seen = act(&mut world, "Get-ExsealLock", &json!({})).expect("a lock");
    let refused = act(&mut world, "Lock-ExsealServer", &of("r-2")).expect_err("an error");
    let mut told = of("r-2");
    told["TakeExpired"] = true.into();
    let taken = act(&mut world, "Lock-ExsealServer", &told).expect("the lock");
    let lost = act(
        &mut world,
        "Update-ExsealLock",
        &json!({ "Plan": "p", "Run": "r-1", "Seconds": 60 }),
    )
    .expect_err("an error");

    assert_eq!(seen["after"]["expired"], true);
    assert_eq!(refused["code"], "LockExpired");
    assert_eq!(refused["holder"]["run"], "r-1");
    assert_eq!(taken["after"]["run"], "r-2");
    assert_eq!(lost["code"], "Locked");
    assert_eq!(lost["holder"]["run"], "r-2");
}

#[test]
fn transport_finds_its_certificate_again_once_it_may_read_the_key() {
    let mut world = of_kiefer("");
    let at = ServerName::new("EX1");
    let offers = |world: &World| {
        let listener = world.smtp_listener(&at, 25).expect("a listener");
        format!("{listener:?}")
    };
    let healthy = offers(&world);
    world.fault(Fault::new(FaultKind::NoKeyAccess).on("EX1"));
    let broken = offers(&world);
    let own: Vec<String> = world
        .server("EX1")
        .expect("a server")
        .store(StoreName::My)
        .iter()
        .filter(|stored| stored.smtp)
        .map(|stored| stored.certificate.thumbprint().to_string())
        .collect();
    for thumbprint in own {
        let input = json!({ "Thumbprint": thumbprint, "Sid": "S-1-5-20" });
        act(&mut world, "Grant-ExsealKeyAccess", &input).expect("a result");
    }

    assert_ne!(broken, healthy);
    assert_eq!(offers(&world), healthy);
}

#[test]
fn what_a_setup_disabled_is_enabled_and_started_and_undone_to_the_letter() {
    let mut world = of_kiefer("");
    world.fault(Fault::new(FaultKind::DisabledBySetup).on("EX1"));
    let state = world.state_dump();
    let name = "MSExchangeServiceHost";
    let refused = act(&mut world, "Start-ExsealService", &json!({ "Name": name })).expect_err("an error");
    let enable = json!({ "Name": name, "Expected": "Disabled", "StartMode": "Auto", "FromDisabled": true });
    act(&mut world, "Set-ExsealServiceStart", &enable).expect("a result");
    act(&mut world, "Start-ExsealService", &json!({ "Name": name })).expect("a result");
    let runs = world.server("EX1").expect("a server").runs(name);
    act(&mut world, "Stop-ExsealService", &json!({ "Name": name })).expect("a result");
    let disable = json!({ "Name": name, "Expected": "Auto", "StartMode": "Disabled" });
    act(&mut world, "Set-ExsealServiceStart", &disable).expect("a result");

    assert_eq!(refused["code"], "ServiceDisabled");
    assert!(runs);
    assert_eq!(
        world.state_dump()["servers"]["EX1"]["services"],
        state["servers"]["EX1"]["services"]
    );
}

#[test]
fn a_recycled_pool_of_owa_reads_the_auth_certificate_anew() {
    let mut world = of_kiefer("");
    let at = ServerName::new("EX1");
    let current = world.server_mut(&at).expect("a server").auth_loaded.take();
    let input = json!({ "Name": "MSExchangeOWAAppPool" });
    act(&mut world, "Restart-ExsealAppPool", &input).expect("a result");

    assert!(current.is_some());
    assert_eq!(world.server("EX1").expect("a server").auth_loaded, current);
}

#[test]
fn an_edge_server_has_no_iis_to_change_and_a_wrong_argument_is_an_error_of_binding() {
    let mut world = of_kiefer("");
    load(&mut world, "EDGE1");
    let none = on(
        &mut world,
        "EDGE1",
        "Start-ExsealAppPool",
        &json!({ "Name": "MSExchangeOWAAppPool" }),
    )
    .expect_err("an error");
    assert_eq!(none["hresult"], "0x80070002");
    for (verb, input, id) in [
        (
            "Set-ExsealHttpSysCertificate",
            json!({ "Endpoint": "0.0.0.0:444", "Expected": null, "Thumbprint": "" }),
            "ParameterArgumentValidationError",
        ),
        (
            "Set-ExsealHttpSysCertificate",
            json!({ "Endpoint": "0.0.0.0:444; calc", "Expected": null, "Thumbprint": NEW }),
            "ParameterArgumentValidationError",
        ),
        (
            "Remove-ExsealCertificate",
            json!({ "Store": "My", "Thumbprint": NEW }),
            "MissingMandatoryParameter",
        ),
        (
            "Remove-ExsealCertificate",
            json!({ "Store": "My", "Thumbprint": NEW, "DeleteKey": "yes" }),
            "ParameterArgumentTransformationError",
        ),
        (
            "Start-ExsealService",
            json!({ "Name": "MSExchange*" }),
            "ParameterArgumentValidationError",
        ),
        (
            "Start-ExsealService",
            json!({ "Name": "W3SVC", "Force": true }),
            "NamedParameterNotFound",
        ),
    ] {
        let outcome = run(&mut world, "EX1", "admin", &calling(verb, &input, &[]));
        let error = outcome.error().expect("an error");
        assert_eq!(error.fully_qualified_error_id, format!("{id},{verb}"), "{input}");
    }
}

#[test]
fn a_service_that_needs_time_to_start_runs_once_it_is_over() {
    let mut world = of_kiefer("[assumptions]\nservice_start_seconds = 20");
    let input = json!({ "Name": "WAS", "Dependents": ["W3SVC"] });
    let given = act(&mut world, "Restart-ExsealService", &input).expect("a result");
    let runs = |world: &World| world.server("EX1").expect("a server").runs("W3SVC");
    let before = runs(&world);
    world.advance(jiff::SignedDuration::from_secs(20));

    assert_eq!(
        given["after"][0]["state"], "Running",
        "the answer goes out once it runs"
    );
    assert!(!before && runs(&world));
}
