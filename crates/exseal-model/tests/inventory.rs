//! The inventory's JSON keeps what was seen, what was seen to be empty and what was not seen apart.

use exseal_model::inventory::{ServerName, StoreEntry};
use exseal_model::{Channel, Inventory, Listing, Merge as _, Observed, Source, SourceId, Thumbprint};
use serde_json::json;

fn source(what: &str, channel: Channel) -> Source {
    Source {
        channel,
        what: what.to_owned(),
        file: None,
        at: None,
        unrecorded: false,
    }
}

fn thumbprint(byte: u8) -> Thumbprint {
    Thumbprint::from_bytes([byte; 20])
}

#[test]
fn unknown_is_named_seen_and_empty_is_null_and_both_survive_the_file() {
    let mut inventory = Inventory::default();
    let who = inventory.add_source(source("Get-ExchangeCertificate", Channel::Exchange));
    let server = inventory.server_mut(&ServerName::new("EX1"));
    server.fqdn = Observed::seen("ex1.example.org".to_owned(), who);
    server.internal_transport = Observed::absent(who);
    server.site = Observed::unknown("Get-ExchangeServer was not among the files");
    let mut entry = StoreEntry::new(thumbprint(1));
    entry.services = Observed::seen(vec!["IIS".to_owned()], who);
    server.my = Listing::of([entry], who, true);

    let written = serde_json::to_value(&inventory).unwrap();
    let server = &written["servers"][0];
    assert_eq!(server["fqdn"], json!({ "value": "ex1.example.org", "source": 0 }));
    assert_eq!(
        server["internal_transport"],
        json!({ "value": null, "source": 0 })
    );
    assert!(server.get("site").is_none());
    assert_eq!(
        server["unknown"]["site"],
        json!(["Get-ExchangeServer was not among the files"])
    );
    assert_eq!(server["unknown"]["root"], json!([]));
    assert!(server["unknown"].get("my").is_none());

    let read: Inventory = serde_json::from_value(written).unwrap();
    assert_eq!(read, inventory);
}

#[test]
fn merging_keeps_both_answers_with_the_more_trusted_first() {
    let (store, cmdlet) = (SourceId(0), SourceId(1));
    let mut one = Observed::seen("SMTP".to_owned(), cmdlet);
    one.merge(Observed::seen("IIS".to_owned(), store));
    assert_eq!(one.value().map(String::as_str), Some("IIS"));
    assert!(one.disagrees());

    let mut other = Observed::seen("IIS".to_owned(), store);
    other.merge(Observed::seen("SMTP".to_owned(), cmdlet));
    assert_eq!(one, other, "the order of merging does not matter");

    let again = other.clone();
    other.merge(again.clone());
    assert_eq!(other, again, "merging twice is merging once");
}

#[test]
fn a_list_is_complete_only_if_somebody_saw_all_of_it() {
    let mut part = Listing::of([StoreEntry::new(thumbprint(2))], SourceId(1), false);
    assert!(!part.is_unknown() && !part.is_complete());
    part.merge(Listing::of(
        [StoreEntry::new(thumbprint(1)), StoreEntry::new(thumbprint(2))],
        SourceId(0),
        true,
    ));
    assert!(part.is_complete());
    let seen: Vec<_> = part
        .iter()
        .map(|entry| (entry.thumbprint, entry.by.clone()))
        .collect();
    assert_eq!(
        seen,
        [
            (thumbprint(1), vec![SourceId(0)]),
            (thumbprint(2), vec![SourceId(0), SourceId(1)])
        ],
        "items in the order of their keys, each with who listed it"
    );
}

#[test]
fn a_server_answers_to_both_of_its_names() {
    let mut inventory = Inventory::default();
    let who = inventory.add_source(source("Get-ExchangeServer", Channel::Exchange));
    let server = inventory.server_mut(&ServerName::new("E2k16-1"));
    server.fqdn = Observed::seen("E2k16-1.Contoso.lab".to_owned(), who);
    assert!(inventory.server("e2K16-1").is_some());
    assert!(inventory.server("e2k16-1.contoso.LAB").is_some());
    assert!(
        inventory.server("e2k16-1.fabrikam.lab").is_none(),
        "another domain is another server"
    );
    assert!(inventory.server("e2k16-2").is_none());
}

#[test]
fn a_damaged_certificate_in_an_inventory_is_refused() {
    let mut written = serde_json::to_value(Inventory::default()).unwrap();
    written["certificates"] = json!({
        "0101010101010101010101010101010101010101":
            { "thumbprint": "0101010101010101010101010101010101010101", "der": "MAA=" }
    });
    let error = serde_json::from_value::<Inventory>(written).unwrap_err();
    assert!(
        error.to_string().contains("expected an X.509 certificate in DER"),
        "{error}"
    );
}
