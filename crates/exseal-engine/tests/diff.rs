//! The difference between two inventories: one change, told once.

mod support;

use exseal_engine::{CellState, How, diff, merge};
use exseal_model::inventory::{ServerName, Store};
use exseal_model::{Inventory, Listing, Observed};
use support::{HOST, Organisation, Recipe, healthy};

fn merged(inventory: &Inventory) -> Inventory {
    merge([inventory.clone()])
}

/// The difference that a change makes to two healthy servers.
fn after(change: impl FnOnce(&mut Organisation)) -> exseal_engine::Difference {
    let before = healthy(2);
    let mut changed = healthy(2);
    change(&mut changed);
    diff(&merged(&before.inventory), &merged(&changed.inventory))
}

#[test]
fn an_inventory_does_not_differ_from_itself() {
    let difference = after(|_| {});
    assert!(difference.is_empty(), "{difference:?}");
}

#[test]
fn a_renewed_front_end_is_one_change_a_slot() {
    let mut new = None;
    let difference = after(|organisation| {
        let renewed = Recipe::issued(HOST, &[HOST])
            .serial(9)
            .ends("2027-06-01T00:00:00Z");
        let renewed = organisation.inventory.keep(renewed.make());
        let iis = organisation.iis;
        for binding in &mut organisation.inventory.servers[0].sites.items[0].bindings.items {
            binding.thumbprint = Observed::seen(renewed, iis);
        }
        new = Some(renewed);
    });
    assert!(difference.stores.is_empty() && difference.settings.is_empty());
    let slots: Vec<String> = difference
        .slots
        .iter()
        .map(|one| {
            assert_eq!(one.server.as_deref(), Some("ex1.kiefer.example"));
            assert_eq!(one.how, How::Changed);
            assert_eq!(one.after.as_ref().and_then(|look| look.thumbprint), new);
            one.slot.to_string()
        })
        .collect();
    assert_eq!(slots, ["front-end/*:443", "front-end/127.0.0.1:443"]);
}

#[test]
fn a_certificate_that_left_a_store_is_gone_only_if_the_store_was_seen_whole() {
    let remove = |organisation: &mut Organisation| {
        let (public, server) = (organisation.public, &mut organisation.inventory.servers[1]);
        server.my.items.retain(|entry| entry.thumbprint != public);
    };
    let difference = after(remove);
    let stores: Vec<_> = difference
        .stores
        .iter()
        .map(|one| (one.server.as_str(), one.store, one.how))
        .collect();
    assert_eq!(stores, [("ex2.kiefer.example", Store::My, How::Gone)]);
    let difference = after(|organisation| {
        remove(organisation);
        organisation.inventory.servers[1].my.looks[0].complete = false;
    });
    assert!(difference.stores.is_empty(), "{:?}", difference.stores);
}

#[test]
fn what_was_not_seen_this_time_is_no_change() {
    let difference = after(|organisation| {
        organisation.inventory.servers[0].sites = Listing::default();
        organisation.inventory.servers[0].build = Observed::default();
    });
    let seen: Vec<_> = difference.slots.iter().map(|one| one.how).collect();
    assert!(!seen.is_empty());
    assert!(
        seen.iter()
            .all(|how| *how == How::NotSeenNow || *how == How::Gone)
    );
    assert!(
        difference
            .slots
            .iter()
            .filter(|one| one.how == How::NotSeenNow)
            .all(|one| one
                .after
                .as_ref()
                .is_some_and(|look| look.state == CellState::Unknown))
    );
    let settings: Vec<_> = difference
        .settings
        .iter()
        .map(|one| (one.setting.as_str(), one.how))
        .collect();
    assert_eq!(settings, [("AdminDisplayVersion", How::NotSeenNow)]);
}

#[test]
fn servers_come_and_go_and_keep_themselves_under_another_name() {
    let before = healthy(2);
    let more = diff(&merged(&before.inventory), &merged(&healthy(3).inventory));
    assert_eq!(more.servers_added, ["ex3.kiefer.example"]);
    assert!(more.servers_gone.is_empty());
    let less = diff(&merged(&healthy(3).inventory), &merged(&before.inventory));
    assert_eq!(less.servers_gone, ["ex3.kiefer.example"]);

    let difference = after(|organisation| {
        organisation.inventory.servers[0].name = ServerName::new("ex1.kiefer.example");
    });
    assert!(difference.is_empty(), "{difference:?}");
}

#[test]
fn a_setting_is_told_with_both_values() {
    let difference = after(|organisation| {
        let cmdlet = organisation.cmdlet;
        let connector = &mut organisation.inventory.organisation.send_connectors.items[0];
        connector.tls_certificate_name = Observed::seen("<I>CN=a<S>CN=b".to_owned(), cmdlet);
    });
    let settings: Vec<_> = difference
        .settings
        .iter()
        .map(|one| {
            (
                one.setting.as_str(),
                one.how,
                one.before.clone(),
                one.after.clone(),
            )
        })
        .collect();
    assert_eq!(
        settings,
        [(
            "TlsCertificateName",
            How::Added,
            None,
            Some("<I>CN=a<S>CN=b".to_owned())
        )]
    );
}

/// The first server's internal transport certificate as the directory shows it.
fn by_directory(
    organisation: &mut Organisation,
    thumbprint: exseal_model::Thumbprint,
) -> exseal_model::SourceId {
    let source = organisation.inventory.add_source(exseal_model::Source {
        channel: exseal_model::Channel::Directory,
        what: "msExchExchangeServer".to_owned(),
        file: None,
        at: None,
        unrecorded: false,
    });
    organisation.server(0).build = Observed::seen(exseal_model::Build(15, 2, 1, 1), source);
    organisation.server(0).internal_transport = Observed::seen(thumbprint, source);
    source
}

#[test]
fn another_channel_that_looked_is_told_apart_from_a_change() {
    let difference = after(|organisation| {
        let other = organisation.back[1];
        by_directory(organisation, other);
    });
    let slots: Vec<_> = difference
        .slots
        .iter()
        .map(|one| (one.slot.to_string(), one.how))
        .collect();
    assert_eq!(slots, [("internal-transport".to_owned(), How::OtherChannel)]);
    let settings: Vec<_> = difference
        .settings
        .iter()
        .map(|one| (one.setting.as_str(), one.how))
        .collect();
    assert_eq!(settings, [("AdminDisplayVersion", How::OtherChannel)]);
}

#[test]
fn a_channel_that_looked_both_times_and_saw_another_value_tells_of_a_change() {
    let mut before = healthy(1);
    let first = before.back[0];
    by_directory(&mut before, first);
    let mut later = healthy(1);
    let source = by_directory(&mut later, first);
    let cmdlet = later.cmdlet;
    // The directory says another build than before; the cmdlet looks too this time.
    let builds = [(cmdlet, 9), (source, 2)]
        .map(|(source, build)| Observed::seen(exseal_model::Build(15, 2, 1, build), source));
    let [mut build, other] = builds;
    exseal_model::Merge::merge(&mut build, other);
    later.server(0).build = build;
    let difference = diff(&merged(&before.inventory), &merged(&later.inventory));
    let settings: Vec<_> = difference
        .settings
        .iter()
        .map(|one| (one.setting.as_str(), one.how))
        .collect();
    assert_eq!(settings, [("AdminDisplayVersion", How::Changed)]);
}
