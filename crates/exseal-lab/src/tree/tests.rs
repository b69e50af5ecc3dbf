use ldap3_proto::parse_ldap_filter_str;
use ldap3_proto::proto::LdapSearchResultEntry;
use std::time::{Duration, Instant};

use super::*;
use crate::organisation::Organisation;
use crate::presets;

fn world(name: &str) -> World {
    let organisation = presets::get(name).expect("a preset").expect("an organisation");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    World::new(&organisation, now, 1).expect("a world")
}

fn tree(world: &World) -> Tree {
    Tree::new(world, world.controllers().first().expect("a controller"))
}

fn search(
    tree: &Tree,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[&str],
) -> Vec<LdapSearchResultEntry> {
    let Base::Object(base) = tree.base(base) else {
        unreachable!("{base} is there");
    };
    let filter = parse_ldap_filter_str(filter).expect("a filter");
    let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let asked = Asked {
        base,
        scope,
        filter: &filter,
        attributes: &attributes,
        types_only: false,
        after: None,
        limit: 10_000,
        deadline: Instant::now() + Duration::from_secs(60),
    };
    tree.search(&asked).entries
}

fn value<'e>(entry: &'e LdapSearchResultEntry, name: &str) -> Option<&'e [u8]> {
    let attribute = entry.attributes.iter().find(|own| own.atype == name)?;
    attribute.vals.first().map(Vec::as_slice)
}

const CONFIGURATION: &str = "CN=Configuration,DC=contoso,DC=lab";

#[test]
fn every_object_lies_below_one_that_is_there() {
    let world = world("healthy-two-sites");
    let tree = tree(&world);
    assert!(tree.entries.len() > 100, "{} objects", tree.entries.len());
    for (place, entry) in &tree.entries {
        let is_head = tree.contexts.iter().any(|(_, context)| context == place);
        let above: Place = place[..place.len() - 1].to_vec();
        assert!(
            is_head || tree.entries.contains_key(&above),
            "{} hangs in the air",
            entry.dn
        );
        assert_eq!(dn::place(&entry.dn).as_ref(), Ok(place));
    }
}

#[test]
fn a_server_shows_what_the_facts_say() {
    let world = world("healthy-two-sites");
    let tree = tree(&world);
    let filter =
        "(&(objectCategory=msExchExchangeServer)(msExchCurrentServerRoles:1.2.840.113556.1.4.803:=2))";
    let mailbox = search(&tree, CONFIGURATION, Scope::Subtree, filter, &[]);
    assert!(!mailbox.is_empty());
    for entry in &mailbox {
        let text = |name: &str| String::from_utf8_lossy(value(entry, name).unwrap_or_default()).into_owned();
        let server = world.server(&text("cn")).expect("a server of the world");
        let [major, minor, build, _] = server.build;
        assert!(
            text("serialNumber").starts_with(&format!("Version {major}.{minor} (Build {}.", build + 30_000)),
            "{}",
            text("serialNumber")
        );
        let packed: u32 = text("versionNumber").parse().expect("a number");
        assert_eq!(
            [(packed >> 22) & 63, (packed >> 16) & 63, packed & 0x7FFF],
            [major, minor, build]
        );
        // The last record is the certificate.
        let held = value(entry, "msExchServerInternalTLSCert").expect("a certificate");
        let own = world
            .directory()
            .internal_transport(0, &server.name)
            .expect("an internal transport certificate");
        assert!(held.ends_with(own.der()) && held[0] != 0x30);
    }
    let edges = search(
        &tree,
        CONFIGURATION,
        Scope::Subtree,
        "(msExchCurrentServerRoles=64)",
        &["cn"],
    );
    assert_eq!(edges.len(), 1, "the subscribed Edge");
    assert_eq!(edges[0].attributes.len(), 1);
}

#[test]
fn scopes_and_naming_contexts_are_kept_apart() {
    let world = world("healthy");
    let tree = tree(&world);
    let domain = "DC=contoso,DC=lab";
    let everything = search(&tree, domain, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    assert!(
        everything
            .iter()
            .all(|entry| !entry.dn.ends_with(CONFIGURATION) && entry.attributes.is_empty())
    );
    let Base::Object(place) = tree.base(domain) else {
        unreachable!("the domain is there");
    };
    assert_eq!(
        tree.references(&place, Scope::Subtree),
        ["ldap://contoso.lab/CN=Configuration,DC=contoso,DC=lab"]
    );
    let below = search(
        &tree,
        CONFIGURATION,
        Scope::OneLevel,
        "(objectClass=*)",
        &["name"],
    );
    let names: Vec<&[u8]> = below.iter().filter_map(|entry| value(entry, "name")).collect();
    assert_eq!(names, [&b"Partitions"[..], b"Services", b"Sites"]);
    assert_eq!(
        tree.base("DC=other,DC=example"),
        Base::Elsewhere("ldap://other.example/DC=other,DC=example".to_owned())
    );
    assert_eq!(
        tree.base("CN=nobody,CN=Users,DC=contoso,DC=lab"),
        Base::Missing("CN=Users,DC=contoso,DC=lab".to_owned())
    );
    assert_eq!(tree.base("CN=nobody"), Base::Missing(String::new()));
    assert_eq!(tree.base("nobody"), Base::Malformed);
}

#[test]
fn what_is_not_backed_can_be_left_out() {
    let mut organisation = Organisation::of_servers("contoso.lab", ["EX1"]);
    organisation.assumptions.directory_unverified_attributes = false;
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    let world = World::new(&organisation, now, 1).expect("a world");
    let tree = tree(&world);
    for entry in tree.entries.values() {
        for (attribute, _) in entry.attributes() {
            assert!(attribute.backed, "{} of {}", attribute.name, entry.dn);
        }
    }
    let servers = search(
        &tree,
        CONFIGURATION,
        Scope::Subtree,
        "(objectClass=msExchExchangeServer)",
        &[],
    );
    assert!(
        servers
            .iter()
            .all(|own| value(own, "msExchServerInternalTLSCert").is_some())
    );
}

#[test]
fn names_are_written_as_paths() {
    assert_eq!(
        canonical(r"CN=Fax\, old,CN=Users,DC=contoso,DC=lab", "contoso.lab"),
        "contoso.lab/Users/Fax, old"
    );
    assert_eq!(canonical("DC=contoso,DC=lab", "contoso.lab"), "contoso.lab/");
}
