//! The rescue: each cause of an outage by name, the few steps that end it, and what is left alone.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

mod support;

use std::collections::BTreeMap;

use exseal_engine::plan::{MendedBy, Rescue, predicted, rescue};
use exseal_engine::{Policy, diagnose, merge};
use exseal_model::inventory::{EdgeSubscription, Presentation, StoreEntry, WindowsService};
use exseal_model::plan::{Change, WaitKind};
use exseal_model::{Goal, Inventory, Listing, Observed, Severity, Slot};
use proptest::prelude::*;
use support::shapes::{DAMAGES, shapes};
use support::{Organisation, Recipe, healthy, now};

const SERVICES: [&str; 9] = [
    "IISADMIN",
    "MSExchangeADTopology",
    "MSExchangeFrontEndTransport",
    "MSExchangeIS",
    "MSExchangeServiceHost",
    "MSExchangeTransport",
    "W3SVC",
    "WAS",
    "WinRM",
];

/// The services of the first server: how the named ones stand; the others run by themselves.
fn services(organisation: &mut Organisation, which: &[&str], status: &str, start: &str) {
    let iis = organisation.iis;
    for (at, server) in organisation.inventory.servers.iter_mut().enumerate() {
        let all = SERVICES.map(|name| {
            let named = at == 0 && which.contains(&name);
            let mut service = WindowsService::new(name.to_owned());
            service.status = Observed::seen(if named { status } else { "Running" }.to_owned(), iis);
            service.start_type = Observed::seen(if named { start } else { "Automatic" }.to_owned(), iis);
            service
        });
        server.services = Listing::of(all, iis, true);
    }
}

fn of(damage: impl FnOnce(&mut Organisation)) -> (Inventory, Rescue) {
    let mut organisation = healthy(2);
    services(&mut organisation, &[], "", "");
    damage(&mut organisation);
    let inventory = merge([organisation.inventory]);
    let rescue = rescue(&inventory, &Policy::default(), &[], now());
    (inventory, rescue)
}

/// Causes with what ends them, and the changes.
fn told(rescue: &Rescue) -> (Vec<(&str, MendedBy)>, Vec<&'static str>) {
    for cause in &rescue.causes {
        assert!(!cause.what.starts_with("rescue."), "{}", cause.what);
        assert!(!cause.what.contains('{'), "{}", cause.what);
    }
    let causes = rescue.causes.iter();
    let steps = rescue.plan.steps.iter().map(|step| match &step.change {
        Change::CreateCertificate { .. } => "create",
        Change::BindCertificate { endpoint, .. } if endpoint.port == 444 => "bind 444",
        Change::SetServiceStart { .. } => "set",
        Change::StartService { .. } => "start",
        _ => "something else",
    });
    (
        causes
            .map(|cause| (cause.finding.name.as_str(), cause.mended_by))
            .collect(),
        steps.collect(),
    )
}

/// The first server alone is rescued, and what the plan leaves needs no rescue.
fn is_ended(inventory: &Inventory, rescue: &Rescue) {
    assert!(
        rescue
            .plan
            .steps
            .iter()
            .all(|step| step.change.server() == "ex1.kiefer.example")
    );
    let left = predicted(&rescue.plan, rescue.plan.steps.len());
    let again = exseal_engine::plan::rescue(&left, &Policy::default(), &[], now());
    assert!(
        again.plan.steps.is_empty() && again.causes.is_empty(),
        "{:?}",
        told(&again)
    );
    // No certificate is gone.
    for (before, after) in inventory.servers.iter().zip(&left.servers) {
        for entry in &before.my {
            assert!(after.in_my(entry.thumbprint).is_some());
        }
    }
}

use MendedBy::{Person, Plan};

type Damage = fn(&mut Organisation);

#[test]
fn nothing_wrong_is_nothing_to_do_also_where_it_ends_soon() {
    let (_, healthy) = of(|_| {});
    assert_eq!(told(&healthy), (vec![], vec![]));
    assert!(healthy.plan.waits.iter().all(|wait| wait.kind == WaitKind::Right));
    let (_, soon) = of(|o| {
        let recipe = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"]).serial(50);
        let own = o.put(0, &recipe.ends("2026-12-10T00:00:00Z"), &["IIS"]);
        o.bind(0, "*:444:", Some(own));
    });
    assert_eq!(told(&soon), (vec![], vec![]));
    let words: Vec<&String> = soon.remains.iter().flat_map(|one| &one.words).collect();
    assert_eq!(words, ["back-end renew --on ex1.kiefer.example"]);
}

#[test]
fn a_good_certificate_that_is_there_is_bound_at_once() {
    fn good(o: &mut Organisation, at: usize) {
        let recipe = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"]).serial(60);
        o.put(at, &recipe, &["IIS"]);
    }
    let damages: [(&str, Damage); 6] = [
        ("back-end-unbound", |o| o.bind(0, "*:444:", None)),
        ("bound-certificate-not-in-store", |o| {
            good(o, 0);
            o.take(0, o.back[0]);
        }),
        ("certificate-without-key", |o| {
            good(o, 0);
            let (back, store) = (o.back[0], o.store);
            let mine = &mut o.server(0).my.items;
            let entry = mine.iter_mut().find(|entry| entry.thumbprint == back).unwrap();
            entry.has_private_key = Observed::seen(false, store);
        }),
        ("bound-certificate-in-wrong-store", |o| {
            let recipe = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"]).serial(61);
            let stray = o.put(0, &recipe, &[]);
            o.take(0, stray);
            let store = o.store;
            o.server(0).web_hosting = Listing::of([StoreEntry::new(stray)], store, true);
            o.bind(0, "*:444:", Some(stray));
        }),
        ("certificate-expired", |o| {
            let recipe = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"]).serial(62);
            let recipe = recipe.begins("2021-01-01T00:00:00Z").ends("2026-11-01T00:00:00Z");
            let old = o.put(0, &recipe, &[]);
            o.bind(0, "*:444:", Some(old));
        }),
        ("back-end-uses-public-certificate", |o| {
            let public = o.public;
            o.bind(0, "*:444:", Some(public));
        }),
    ];
    for (name, damage) in damages {
        let (inventory, rescue) = of(damage);
        assert_eq!(told(&rescue), (vec![(name, Plan)], vec!["bind 444"]), "{name}");
        is_ended(&inventory, &rescue);
    }
}

#[test]
fn without_one_it_is_made_and_an_edge_subscription_is_no_hindrance() {
    let (inventory, rescue) = of(|o| {
        o.take(0, o.back[0]);
        let cmdlet = o.cmdlet;
        let mut edge = EdgeSubscription::new("EDGE1".to_owned());
        edge.site = Observed::seen("kiefer.example/Configuration/Sites/Jena".to_owned(), cmdlet);
        o.inventory.organisation.edge_subscriptions = Listing::of([edge], cmdlet, true);
    });
    let wanted = (
        vec![("bound-certificate-not-in-store", Plan)],
        vec!["create", "bind 444"],
    );
    assert_eq!(told(&rescue), wanted);
    is_ended(&inventory, &rescue);
    assert_eq!(rescue.plan.goals, [Goal::Rescue { servers: Vec::new() }]);
}

#[test]
fn what_only_the_shell_would_tell_is_not_needed() {
    let (inventory, rescue) = of(|o| {
        o.take(0, o.back[0]);
        let server = o.server(0);
        server.build = Observed::default();
        server.roles = Observed::default();
        server.internal_transport = Observed::default();
        o.inventory.organisation.auth_config.current = Observed::default();
    });
    assert_eq!(told(&rescue).1, ["create", "bind 444"]);
    let left = predicted(&rescue.plan, 2);
    assert!(
        exseal_engine::plan::rescue(&left, &Policy::default(), &[], now())
            .plan
            .steps
            .is_empty()
    );
    assert_eq!(inventory.servers.len(), 2);
}

#[test]
fn a_handshake_that_breaks_off_tells_of_a_key_that_is_gone() {
    let look = |o: &mut Organisation, outcome: &str| {
        let iis = o.iis;
        let mut look = Presentation::new(
            "ex1.kiefer.example".to_owned(),
            444,
            "https".to_owned(),
            String::new(),
            String::new(),
        );
        look.outcome = Observed::seen(outcome.to_owned(), iis);
        o.inventory.organisation.presented = Listing::of([look], iis, false);
    };
    let (_, rescue) = of(|o| look(o, "hung-up"));
    let wanted = (
        vec![("certificate-without-key", Plan)],
        vec!["create", "bind 444"],
    );
    assert_eq!(told(&rescue), wanted);
    // What a firewall does is no sign.
    for outcome in ["timed-out", "closed", "unreachable"] {
        let (_, rescue) = of(|o| look(o, outcome));
        assert_eq!(told(&rescue), (vec![], vec![]), "{outcome}");
    }
    // Nor is it one while services are down.
    let (_, rescue) = of(|o| {
        services(o, &["W3SVC"], "Stopped", "Automatic");
        look(o, "hung-up");
    });
    assert_eq!(
        told(&rescue),
        (vec![("exchange-service-down", Plan)], vec!["start"])
    );
}

#[test]
fn services_of_a_setup_are_started_before_the_binding_is_mended() {
    let (inventory, rescue) = of(|o| {
        let others = [
            "IISADMIN",
            "MSExchangeADTopology",
            "MSExchangeIS",
            "MSExchangeTransport",
            "W3SVC",
            "WAS",
        ];
        services(o, &others, "Stopped", "Disabled");
        o.bind(0, "*:444:", None);
    });
    let (causes, steps) = told(&rescue);
    assert_eq!(
        causes,
        [("services-disabled-by-setup", Plan), ("back-end-unbound", Plan)]
    );
    assert_eq!(
        steps,
        [["set"; 6].as_slice(), &["start"; 6], &["bind 444"]].concat()
    );
    is_ended(&inventory, &rescue);
}

#[test]
fn what_a_person_disabled_stops_the_rescue_of_that_server() {
    let (_, rescue) = of(|o| {
        services(o, &["W3SVC"], "Stopped", "Disabled");
        o.bind(0, "*:444:", None);
    });
    let (causes, steps) = told(&rescue);
    assert_eq!(
        causes,
        [
            ("back-end-unbound", Person),
            ("service-disabled-by-a-person", Person)
        ]
    );
    assert!(steps.is_empty());
    assert!(rescue.plan.waits.iter().any(|wait| wait.kind == WaitKind::Person));
    // One that nothing hangs on is nobody's business.
    let (_, rescue) = of(|o| services(o, &["MSExchangeIS"], "Stopped", "Disabled"));
    assert_eq!(told(&rescue), (vec![], vec![]));
}

#[test]
fn an_auth_certificate_is_a_persons() {
    let (_, rescue) = of(|o| {
        let auth = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]).serial(70);
        let auth = auth.begins("2021-01-01T00:00:00Z").ends("2026-11-20T00:00:00Z");
        let ended = o.put(0, &auth, &["SMTP"]);
        o.put(1, &auth, &["SMTP"]);
        let cmdlet = o.cmdlet;
        o.inventory.organisation.auth_config.current = Observed::seen(ended, cmdlet);
    });
    assert_eq!(told(&rescue), (vec![("auth-current-expired", Person)], vec![]));
}

#[test]
fn only_the_servers_that_were_named() {
    let mut organisation = healthy(3);
    services(&mut organisation, &[], "", "");
    organisation.bind(0, "*:444:", None);
    organisation.bind(1, "*:444:", None);
    let inventory = merge([organisation.inventory]);
    let rescue = rescue(&inventory, &Policy::default(), &["ex2".to_owned()], now());
    assert_eq!(
        told(&rescue),
        (vec![("back-end-unbound", Plan)], vec!["bind 444"])
    );
    assert_eq!(rescue.plan.steps[0].change.server(), "ex2.kiefer.example");
}

/// The worst severity of each slot.
fn slots(inventory: &Inventory, policy: &Policy) -> BTreeMap<(Option<String>, Slot), Severity> {
    let mut worst = BTreeMap::new();
    for finding in diagnose(inventory, policy, now()).findings {
        for slot in finding.slot.iter().chain(&finding.also) {
            let severity = worst
                .entry((finding.server.clone(), slot.clone()))
                .or_insert(finding.severity);
            *severity = (*severity).max(finding.severity);
        }
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_rescue_is_prefix_safe_idempotent_and_touches_444_and_services_alone(
        shape in shapes(60),
        damages in prop::collection::vec((0..DAMAGES.len(), any::<prop::sample::Index>()), 0..8),
    ) {
        let (mut organisation, policy) = shape.make();
        services(&mut organisation, &[], "", "");
        for (damage, at) in damages {
            let at = at.index(shape.servers);
            if !shape.is_edge(at) && !shape.management_only {
                (DAMAGES[damage].1)(&mut organisation, at);
            }
        }
        let inventory = merge([organisation.inventory]);
        let made = rescue(&inventory, &policy, &[], now());
        prop_assert!(!told(&made).1.contains(&"something else"));
        let steps = made.plan.steps.len();
        let mut before = slots(&inventory, &policy);
        for upto in 1..=steps {
            let after = slots(&predicted(&made.plan, upto), &policy);
            for (place, severity) in &after {
                let was = before.get(place);
                prop_assert!(was.is_some_and(|was| was >= severity), "{place:?} after step {upto}");
            }
            before = after;
        }
        let left = predicted(&made.plan, steps);
        let again = rescue(&left, &policy, &[], now());
        prop_assert!(again.plan.steps.is_empty());
        prop_assert!(again.causes.iter().all(|cause| cause.mended_by != Plan));

        let mut turned = inventory;
        turned.servers.reverse();
        let turned = rescue(&turned, &policy, &[], now());
        prop_assert_eq!(&turned.plan.id, &made.plan.id);
        prop_assert_eq!(&turned.causes, &made.causes);
    }
}
