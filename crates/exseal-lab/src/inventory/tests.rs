use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::certificate::{KeyKind, KeyPool, Recipe, serial_from};
use crate::organisation::{Role, StoreName, Version};
use crate::world::World;

const NOW: &str = "2026-11-24T09:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A certificate of nobody: self-signed, or under an issuer of a name.
fn certificate(subject: &str, names: &[&str], issuer: Option<&str>, is_ca: bool) -> Certificate {
    use crate::certificate::{Issuer, Name};

    let keys = KeyPool::new(1);
    let key = keys.next(KeyKind::P256).unwrap();
    let recipe = |subject: &str, is_ca| Recipe {
        subject: Name::parse(subject).unwrap(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2027-01-01T00:00:00Z".parse().unwrap(),
        serial: serial_from(subject),
        is_ca,
        subject_key: None,
    };
    let issuer = issuer.map(|name| Issuer {
        certificate: recipe(name, true).issue(&key, None).unwrap(),
        key: std::sync::Arc::clone(&key),
    });
    recipe(subject, is_ca).issue(&key, issuer.as_ref()).unwrap()
}

fn written(certificates: &[&Certificate]) -> Value {
    use base64::Engine as _;

    certificates
        .iter()
        .map(|own| {
            let der = base64::engine::general_purpose::STANDARD.encode(own.der());
            let thumbprint = own.thumbprint().to_string();
            (thumbprint.clone(), json!({"thumbprint": thumbprint, "der": der}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn inventory(certificates: &[&Certificate], servers: Value) -> Value {
    json!({
        "format": 1,
        "sources": [{"channel": "server", "what": "a test"}],
        "certificates": written(certificates),
        "organisation": {},
        "servers": servers,
    })
}

fn looked(items: Value) -> Value {
    json!({"looks": [{"source": 0, "complete": true}], "items": items})
}

fn seen(value: impl Into<Value>) -> Value {
    json!({"value": value.into(), "source": 0})
}

fn taken(inventory: &Value) -> Taken {
    read(&inventory.to_string()).unwrap()
}

fn refused(inventory: &Value) -> String {
    read(&inventory.to_string()).unwrap_err().to_string()
}

#[test]
fn toml_and_inventories_are_told_apart_by_content() {
    assert!(is_inventory("\u{feff}\n {\"format\": 1}"));
    assert!(!is_inventory("domain = \"a.lab\"\n"));
    assert!(!is_inventory("[[server]]\nname = \"S1\"\n"));
}

#[test]
fn a_bad_file_is_told_with_its_place() {
    let error = read("{\"format\": 1,\n \"sources\": [}").unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    let error = refused(&json!({"format": 2, "certificates": {}, "organisation": {}, "servers": []}));
    assert_eq!(
        error,
        "format: expected 1, the version this program reads, found 2"
    );
    let error = refused(&inventory(&[], json!([])));
    assert!(error.contains("at least one [[server]]"), "{error}");
    let error = refused(&inventory(
        &[],
        json!([{"name": "S1", "my": looked(json!([{"thumbprint": 7}]))}]),
    ));
    assert!(
        error.starts_with("servers[0].my.items[0].thumbprint (line 1"),
        "{error}"
    );
    let error = refused(&inventory(
        &[],
        json!([{"name": "S1", "my": looked(json!([{"thumbprint": "AB"}]))}]),
    ));
    assert_eq!(
        error,
        "servers[0].my.items[0].thumbprint: expected a thumbprint of 40 hexadecimal digits, found \"AB\""
    );
    let error = refused(&inventory(
        &[],
        json!([{"name": "S1", "build": seen("16.0.1.2")}]),
    ));
    assert!(
        error.starts_with("servers[0].build: expected a build of Exchange"),
        "{error}"
    );
    let one = certificate("CN=S1", &[], None, false);
    let mut other = inventory(&[&one], json!([{"name": "S1"}]));
    other["certificates"][one.thumbprint().to_string()]["thumbprint"] = "00".repeat(20).into();
    let error = refused(&other);
    assert!(error.contains("found the one of"), "{error}");
}

#[test]
fn what_nobody_saw_is_as_setup_leaves_it_and_is_said() {
    let taken = taken(&inventory(
        &[],
        json!([{"name": "S1", "fqdn": seen("s1.tiny.example")}]),
    ));
    let server = &taken.organisation.servers[0];
    assert_eq!((server.name.as_str(), server.role), ("S1", Role::Mailbox));
    assert_eq!(taken.organisation.domain, "tiny.example");
    assert!(server.setup_certificates && server.setup_connectors && server.only_listed.is_empty());
    for what in [
        "role",
        "product and build",
        "services",
        "receive connectors",
        "certificates of My",
    ] {
        assert!(
            taken.assumed.iter().any(|own| own.of == "S1" && own.what == what),
            "{what}: {:?}",
            taken.assumed
        );
    }
    let world = World::new(&taken.organisation, now(), 1).unwrap();
    assert!(world.stand_ins().is_empty());
    assert_eq!(world.server("S1").unwrap().store(StoreName::My).len(), 3);
}

#[test]
fn a_chain_stands_in_for_its_original_by_names_and_not_by_keys() {
    let root = certificate("CN=Real Root", &[], None, true);
    let middle = certificate("CN=Real CA", &[], Some("CN=Real Root"), true);
    let leaf = certificate(
        "CN=mail.tiny.example",
        &["mail.tiny.example"],
        Some("CN=Real CA"),
        false,
    );
    let stranger = certificate("CN=pop.tiny.example", &[], Some("CN=Somebody Else"), false);
    let originals = [&leaf, &middle, &root, &stranger];
    let entry = |own: &Certificate, root: &str| {
        json!({"thumbprint": own.thumbprint().to_string(), "has_private_key": seen(true),
            "services": seen(json!(["IIS", "SMTP"])), "root_ca_type": seen(root), "friendly_name": seen("ours")})
    };
    let plain = |own: &Certificate| json!({"thumbprint": own.thumbprint().to_string()});
    let taken = taken(&inventory(
        &originals,
        json!([{
            "name": "S1", "fqdn": seen("s1.tiny.example"), "setup_build": seen("15.2.2562.37"),
            "my": looked(json!([entry(&leaf, "ThirdParty"), entry(&stranger, "Unknown")])),
            "root": looked(json!([plain(&root)])), "ca": looked(json!([plain(&middle)])),
            "http_sys": looked(json!([
                {"endpoint": "*:443", "thumbprint": seen(leaf.thumbprint().to_string())},
                {"endpoint": "*:443/pop.tiny.example", "thumbprint": seen("AB".repeat(20))},
                {"endpoint": "*:444", "thumbprint": seen(Value::Null)},
            ])),
        }]),
    ));
    let world = World::new(&taken.organisation, now(), 1).unwrap();
    let server = world.server("S1").unwrap();
    assert_eq!(server.version, Version::Se);

    // A bijection, and everything but keys and signatures is the original's.
    let pairs: BTreeMap<_, _> = world
        .stand_ins()
        .iter()
        .map(|pair| (pair.original, pair.stand_in))
        .collect();
    let images: BTreeSet<_> = pairs.values().collect();
    assert_eq!((pairs.len(), images.len()), (4, 4));
    assert!(originals.iter().all(|own| pairs.contains_key(&own.thumbprint())));
    let of = |own: &Certificate| pairs[&own.thumbprint()];
    let held = |store, own: &Certificate| server.find(store, of(own)).unwrap().certificate.clone();
    let own = held(StoreName::My, &leaf);
    assert_eq!(
        (
            own.subject(),
            own.issuer(),
            own.san(),
            own.not_before(),
            own.not_after(),
            own.serial()
        ),
        (
            leaf.subject(),
            leaf.issuer(),
            leaf.san(),
            leaf.not_before(),
            leaf.not_after(),
            leaf.serial()
        ),
    );
    assert_ne!(own.public(), leaf.public());
    assert_eq!(server.my(of(&leaf)).unwrap().friendly_name, "ours");

    // Trust is as it was seen: through the stand-in of the root, which is in Root; never through an issuer nobody trusts.
    assert_eq!(world.status_of(server, &own), ("Valid", "ThirdParty"));
    let own = held(StoreName::My, &stranger);
    assert_eq!(world.status_of(server, &own).1, "Unknown");
    assert!(held(StoreName::Root, &root).is_ca());
    assert_eq!(server.store(StoreName::Root).len(), 1);

    // http.sys, by the map; what nobody saw dangles as it did.
    let bound = |endpoint: &str| server.http_sys[endpoint].hash;
    assert_eq!(bound("0.0.0.0:443"), Some(of(&leaf)));
    assert_eq!(bound("pop.tiny.example:443"), Thumbprint::parse(&"AB".repeat(20)));
    assert_eq!(bound("0.0.0.0:444"), None);
    assert!(
        taken.left_out.iter().any(|own| own.contains(&"AB".repeat(20))),
        "{:?}",
        taken.left_out
    );
}

#[test]
fn originals_that_differ_by_their_keys_alone_have_two_stand_ins() {
    let one = certificate("CN=S1", &["s1.tiny.example"], None, false);
    let mut all = vec![one.clone()];
    // More than the pool has keys.
    for _ in 0..12 {
        all.push(certificate("CN=S1", &["s1.tiny.example"], None, false));
    }
    let taken = taken(&inventory(
        &all.iter().collect::<Vec<_>>(),
        json!([{"name": "S1"}]),
    ));
    let world = World::new(&taken.organisation, now(), 1).unwrap();
    let images: BTreeSet<_> = world.stand_ins().iter().map(|pair| pair.stand_in).collect();
    assert_eq!(images.len(), 13);
}

#[test]
fn an_edge_that_only_a_subscription_names_is_there() {
    let mut read = inventory(
        &[],
        json!([{"name": "S1", "fqdn": seen("s1.tiny.example"), "site": seen("a/b/North")}]),
    );
    read["organisation"] = json!({
        "edge_subscriptions": looked(json!([{"name": "EDGE1", "site": seen("x/North")}])),
        "hybrid": {"present": seen(true), "receiving_transport_servers": seen(json!(["x/S1"]))},
        "auth_config": {"current": seen(Value::Null)},
    });
    let taken = taken(&read);
    let edge = taken
        .organisation
        .servers
        .iter()
        .find(|own| own.name == "EDGE1")
        .unwrap();
    assert_eq!(edge.role, Role::Edge);
    assert!(taken.assumed.iter().any(|own| own.of == "EDGE1"));
    let world = World::new(&taken.organisation, now(), 1).unwrap();
    assert_eq!(world.sites()[0].name, "North");
    assert_eq!(world.directory().auth(0).unwrap().current, None);
    assert_eq!(world.directory().hybrid(0).unwrap().receiving.len(), 1);
}
