//! Merging is a pure function of what was seen: order, repetition and grouping change nothing.

mod support;

use exseal_engine::merge;
use exseal_model::inventory::{Server, ServerName};
use exseal_model::{Channel, Inventory, Observed, Source};
use proptest::prelude::*;
use support::healthy;

/// What each of several files would have shown of an organisation: one for the organisation, one a server and list.
fn pieces(count: usize) -> Vec<Inventory> {
    let whole = healthy(count).inventory;
    let mut pieces = Vec::new();
    let mut organisation = whole.clone();
    organisation.servers.clear();
    pieces.push(organisation);
    for server in &whole.servers {
        let base = |server: Server| Inventory {
            sources: whole.sources.clone(),
            certificates: whole.certificates.clone(),
            servers: vec![server],
            ..Inventory::default()
        };
        let mut store = Server::new(ServerName::new(server.full_name().unwrap_or_default()));
        store.my = server.my.clone();
        pieces.push(base(store));
        let mut rest = server.clone();
        rest.my = exseal_model::Listing::default();
        pieces.push(base(rest));
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_files_changes_nothing(count in 1_usize..5, order in any::<prop::sample::Index>(), swap in any::<u64>()) {
        let pieces = pieces(count);
        let expected = merge(pieces.clone());
        prop_assert_eq!(expected.servers.len(), count);

        let mut shuffled = pieces;
        let places = shuffled.len();
        shuffled.rotate_left(order.index(places));
        shuffled.swap(usize::try_from(swap % places as u64).unwrap(), 0);
        prop_assert_eq!(merge(shuffled), expected);
    }

    #[test]
    fn merging_in_heaps_changes_nothing(count in 1_usize..5, heap in 1_usize..7) {
        let pieces = pieces(count);
        let expected = merge(pieces.clone());
        let heaps: Vec<Inventory> = pieces.chunks(heap).map(|heap| merge(heap.to_vec())).collect();
        prop_assert_eq!(merge(heaps), expected);
    }

    #[test]
    fn merging_what_was_merged_changes_nothing(count in 1_usize..5) {
        let once = merge(pieces(count));
        prop_assert_eq!(&merge([once.clone()]), &once);
        prop_assert_eq!(merge([once.clone(), once.clone()]), once);
    }
}

#[test]
fn a_short_name_joins_the_one_full_name_that_begins_with_it() {
    let merged = merge(pieces(2));
    let names: Vec<&str> = merged
        .servers
        .iter()
        .filter_map(|server| server.name.known())
        .collect();
    assert_eq!(names, ["EX1", "EX2"]);
    assert!(
        merged
            .servers
            .iter()
            .all(|server| server.my.is_complete() && !server.sites.is_unknown())
    );
}

#[test]
fn a_short_name_that_two_full_names_begin_with_stays_by_itself() {
    let named = |name: &str| Inventory {
        servers: vec![Server::new(ServerName::new(name))],
        ..Inventory::default()
    };
    let merged = merge([named("ex1"), named("ex1.a.example"), named("ex1.b.example")]);
    assert_eq!(merged.servers.len(), 3);
}

#[test]
fn the_more_trusted_source_comes_first_whatever_was_given_first() {
    let seen = |channel, value: &str| {
        let mut inventory = Inventory::default();
        let source = inventory.add_source(Source {
            channel,
            what: format!("{channel:?}"),
            file: None,
            at: None,
            unrecorded: false,
        });
        let mut server = Server::new(ServerName::new("EX1"));
        server.site = Observed::seen(value.to_owned(), source);
        inventory.servers.push(server);
        inventory
    };
    let merged = merge([
        seen(Channel::Directory, "Jena"),
        seen(Channel::Exchange, "Weimar"),
    ]);
    let site = &merged.servers[0].site;
    assert_eq!(site.value().map(String::as_str), Some("Weimar"));
    assert!(site.disagrees(), "the other answer is kept");
    assert_eq!(
        merged.source(site.best().unwrap().source).unwrap().channel,
        Channel::Exchange
    );
}
