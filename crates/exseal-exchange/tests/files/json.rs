//! JSON: inventories of our own, sites and bindings through ConvertTo-Json.

use exseal_model::inventory::ServerName;
use exseal_model::{Channel, Inventory, Observed, Source};
use serde_json::{Value, json};

use crate::input::{Folder, LEAF_THUMBPRINT, errors, not_recognised, read_bytes, servers};

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    let who = inventory.add_source(Source {
        channel: Channel::Exchange,
        what: "Get-TransportService".to_owned(),
        file: Some("transport.xml".to_owned()),
        at: None,
        unrecorded: true,
    });
    for name in [
        ServerName::new("EX1"),
        ServerName::Unknown("old/place".to_owned()),
    ] {
        inventory.server_mut(&name).internal_transport =
            Observed::seen(LEAF_THUMBPRINT.parse().unwrap(), who);
    }
    inventory
}

#[test]
fn an_inventory_comes_back_as_it_was_written_also_with_a_byte_order_mark() {
    let written = serde_json::to_vec_pretty(&inventory()).unwrap();
    let marked = [b"\xef\xbb\xbf".as_slice(), &written].concat();
    for bytes in [written, marked] {
        let file = read_bytes(&bytes);
        assert_eq!(file.holds.as_deref(), Some("exseal inventory"));
        assert_eq!(file.inventory, inventory());
    }
}

#[test]
fn a_server_that_was_unknown_when_the_inventory_was_made_stays_unknown() {
    let folder = Folder::of(&[("EX4/inventory.json", &serde_json::to_vec(&inventory()).unwrap())]);
    let reading = folder.read(&["EX4"]);
    assert_eq!(servers(&reading.files[0]), ["EX1", "unknown"]);
}

#[test]
fn an_inventory_of_a_later_format_is_refused_by_its_number() {
    let mut later = serde_json::to_value(inventory()).unwrap();
    later["format"] = json!(99);
    let file = read_bytes(&bytes(&later));
    assert_eq!(
        errors(&file),
        ["format: expected an inventory of format 1 or below, found 99"]
    );
    assert!(file.inventory.servers.is_empty());
}

#[test]
fn an_inventory_that_refers_to_sources_it_does_not_hold_is_refused() {
    let mut damaged = serde_json::to_value(inventory()).unwrap();
    damaged["servers"][0]["internal_transport"]["source"] = json!(4_000_000_000_u32);
    let file = read_bytes(&bytes(&damaged));
    assert_eq!(
        errors(&file),
        ["sources: expected sources 0 to 0, which are all there are, found source 4000000000"]
    );
    assert!(file.inventory.servers.is_empty());
}

#[test]
fn an_inventory_that_breaks_off_is_an_error_with_its_place() {
    let written = serde_json::to_vec_pretty(&inventory()).unwrap();
    let file = read_bytes(&written[..written.len() - 40]);
    let [error] = file.inventory.errors.as_slice() else {
        panic!("{:?}", errors(&file));
    };
    assert!(error.at.starts_with("line ") && error.expected == "an exseal inventory");
}

#[test]
fn sites_are_read_with_the_bindings_of_their_collection() {
    let file = read_bytes(&bytes(&json!([
        { "Name": "Default Web Site", "id": 1, "state": "Started", "bindings": { "Collection": [
            { "protocol": "http", "bindingInformation": "*:80:", "sslFlags": 0, "certificateHash": "", "certificateStoreName": "" },
            { "protocol": "https", "bindingInformation": "*:443:", "sslFlags": 0,
              "certificateHash": LEAF_THUMBPRINT, "certificateStoreName": "My" }
        ] }, "PSComputerName": "ex1.example.org" },
        { "name": "Exchange Back End", "id": 2, "state": "Started", "bindings": { "Collection":
            { "protocol": "https", "bindingInformation": "*:444:", "certificateHash": null } },
          "PSComputerName": "ex1.example.org" }
    ])));
    assert_eq!(file.holds.as_deref(), Some("Get-Website"));
    assert_eq!(errors(&file), [""; 0]);
    assert_eq!(servers(&file), ["ex1.example.org"]);
    let sites = &file.inventory.servers[0].sites.items;
    let front = &sites[0].bindings.items;
    assert!(front[0].thumbprint.is_absent());
    assert_eq!(front[1].thumbprint.value().unwrap().to_string(), LEAF_THUMBPRINT);
    let back = &sites[1].bindings.items[0];
    assert!(back.thumbprint.is_absent() && back.store.is_unknown() && back.ssl_flags.is_unknown());
}

#[test]
fn sites_that_were_not_written_deep_enough_say_so() {
    let file = read_bytes(&bytes(&json!({
        "name": "Default Web Site", "id": 1, "bindings": "Microsoft.IIs.PowerShell.Framework.ConfigurationElement"
    })));
    assert_eq!(
        errors(&file),
        [
            "element 1, bindings: expected the site's bindings (ConvertTo-Json -Depth 4), found none: the export was not \
             deep enough"
        ]
    );
    assert!(file.inventory.servers[0].sites.items[0].bindings.is_unknown());
}

#[test]
fn bindings_by_themselves_name_their_site_and_one_damaged_costs_no_other() {
    let path = "/system.applicationHost/sites/site[@name='Default Web Site' and @id='1']";
    let file = read_bytes(&bytes(&json!([
        { "protocol": "https", "bindingInformation": "*:443:", "certificateHash": "zz", "ItemXPath": path },
        { "protocol": "https", "bindingInformation": "*:8443:" },
        { "protocol": "https", "bindingInformation": "127.0.0.1:443:", "certificateHash": LEAF_THUMBPRINT, "ItemXPath": path },
        { "something": "else" }
    ])));
    assert!(file.unrecorded, "no recorded JSON of bindings backs it");
    assert_eq!(errors(&file).len(), 2, "{:?}", errors(&file));
    assert_eq!(not_recognised(&file), ["1 further elements of the JSON"]);
    let site = &file.inventory.servers[0].sites.items[0];
    assert_eq!(site.id.value(), Some(&1));
    assert_eq!(site.bindings.items.len(), 2);
    assert!(site.bindings.items[0].thumbprint.is_unknown());
}

#[test]
fn other_json_is_listed_by_its_keys_and_broken_json_is_an_error() {
    assert_eq!(
        not_recognised(&read_bytes(b"{\"a\":1,\"b\":[]}")),
        ["JSON with the keys [\"a\", \"b\"]"]
    );
    assert_eq!(
        not_recognised(&read_bytes(b"{\"a\":1}\n{\"a\":2}\n")),
        ["JSON, one value a line"]
    );
    let broken = read_bytes(b"[{\"name\": \"Default Web Site\", \"bindings\": ");
    assert_eq!(broken.inventory.errors[0].expected, "JSON");
    let deep = read_bytes("[".repeat(1_000_000).as_bytes());
    assert!(
        errors(&deep)[0].contains("recursion limit"),
        "{:?}",
        errors(&deep)
    );
}
