//! Plans: each goal on one damage, kept whole in words; and what holds of every plan of every organisation.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use exseal_engine::plan::{Holds, fix, holds, plan, predicted};
use exseal_engine::{Policy, diagnose, merge};
use exseal_model::inventory::{EdgeSubscription, StoreEntry, WindowsService};
use exseal_model::plan::{Condition, Inverse, WaitKind, Which};
use exseal_model::{Goal, Inventory, Listing, Observed, Plan, Severity, Slot, SourceId, Thumbprint};
use proptest::prelude::*;
use support::shapes::{DAMAGES, shapes};
use support::{HOST, Organisation, Recipe, SHA1, healthy, now};

/// Services as they run on a mailbox server, and what else a live look sees.
fn seen_whole(organisation: &mut Organisation) {
    let (store, iis) = (organisation.store, organisation.iis);
    for server in &mut organisation.inventory.servers {
        let services = [
            ("MSExchangeADTopology", "Running", "Automatic"),
            ("MSExchangeFrontEndTransport", "Running", "Automatic"),
            ("MSExchangeIMAP4", "Stopped", "Manual"),
            ("MSExchangePOP3", "Stopped", "Manual"),
            ("MSExchangePOP3BE", "Stopped", "Manual"),
            ("MSExchangeServiceHost", "Running", "Automatic"),
            ("MSExchangeTransport", "Running", "Automatic"),
            ("W3SVC", "Running", "Automatic"),
            ("WinRM", "Running", "Automatic"),
        ];
        let services = services.map(|(name, status, start)| {
            let mut service = WindowsService::new(name.to_owned());
            service.status = Observed::seen(status.to_owned(), iis);
            service.start_type = Observed::seen(start.to_owned(), iis);
            service
        });
        server.services = Listing::of(services, iis, true);
        server.root = Listing::of([] as [StoreEntry; 0], store, true);
    }
}

fn back_end_renew() -> Goal {
    Goal::BackEndRenew { servers: Vec::new() }
}

fn planned(organisation: Organisation, goals: &[Goal]) -> Plan {
    plan(
        &merge([organisation.inventory]),
        &Policy::default(),
        goals,
        &[],
        now(),
    )
}

/// A plan as it is read: one paragraph a step.
fn words(plan: &Plan) -> String {
    let mut out = String::new();
    for step in &plan.steps {
        writeln!(out, "{}. {}", step.number, step.command).unwrap();
        writeln!(out, "   why: {}", step.why).unwrap();
        let inverse = match &step.inverse {
            Inverse::Change(change) => format!("{change:?}"),
            Inverse::Nothing(why) => format!("nothing: {why}"),
            Inverse::Irreversible(why) => format!("IRREVERSIBLE: {why}"),
        };
        writeln!(out, "   back: {inverse}").unwrap();
        for one in &step.preconditions {
            writeln!(out, "   before: {one:?}").unwrap();
        }
        for one in &step.effects {
            writeln!(out, "   after: {one:?}").unwrap();
        }
        for one in &step.keeps {
            writeln!(out, "   keeps: {:?}", one.condition).unwrap();
        }
        for one in &step.proofs {
            writeln!(out, "   proof: {one:?}").unwrap();
        }
        for one in &step.interrupts {
            writeln!(out, "   interrupts: {} {} s", one.slot, one.seconds).unwrap();
        }
        if !step.only_after.is_empty() {
            writeln!(out, "   only after: {:?}", step.only_after).unwrap();
        }
    }
    for wait in &plan.waits {
        writeln!(
            out,
            "- {} on {}: {:?}: {} / {}",
            wait.goal,
            wait.server.as_deref().unwrap_or("the organisation"),
            wait.kind,
            wait.because,
            wait.then
        )
        .unwrap();
    }
    out
}

/// Two servers, one damage to the first; the plan in words.
macro_rules! planned {
    ($test:ident, $goal:expr, $damage:expr) => {
        #[test]
        fn $test() {
            let mut organisation = healthy(2);
            seen_whole(&mut organisation);
            let damage: fn(&mut Organisation) = $damage;
            damage(&mut organisation);
            insta::assert_snapshot!(words(&planned(organisation, &[$goal])));
        }
    };
}

planned!(a_healthy_back_end_is_left_alone, back_end_renew(), |_| {});

planned!(
    a_back_end_that_ends_is_renewed_and_takes_internal_transport_over,
    back_end_renew(),
    |o| {
        let recipe = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"]).serial(50);
        let old = o.put(0, &recipe.ends("2026-12-10T00:00:00Z"), &["IIS", "SMTP"]);
        o.take(0, o.back[0]);
        o.bind(0, "*:444:", Some(old));
        let cmdlet = o.cmdlet;
        o.server(0).internal_transport = Observed::seen(old, cmdlet);
        let store = o.store;
        o.server(0).root = Listing::of([StoreEntry::new(old)], store, true);
    }
);

planned!(
    a_back_end_that_ends_leaves_another_internal_transport_certificate_alone,
    back_end_renew(),
    |o| {
        let recipe = Recipe::self_signed("EX1", &["ex1.kiefer.example"]).serial(50);
        let old = o.put(0, &recipe.ends("2026-12-10T00:00:00Z"), &["IIS"]);
        o.bind(0, "*:444:", Some(old));
        // What is fit stays internal transport certificate and is not bound elsewhere; without its key it is no choice.
        let (back, store) = (o.back[0], o.store);
        let mine = &mut o.server(0).my.items;
        let entry = mine.iter_mut().find(|entry| entry.thumbprint == back).unwrap();
        entry.key_provider_type = Observed::seen(0, store);
    }
);

planned!(
    a_deleted_back_end_certificate_was_internal_transport_too,
    back_end_renew(),
    |o| o.take(0, o.back[0])
);

planned!(
    a_dead_binding_gets_the_good_one_that_is_there,
    back_end_renew(),
    |o| {
        o.bind(0, "*:444:", None);
    }
);

planned!(
    the_public_certificate_leaves_the_back_end,
    back_end_renew(),
    |o| {
        let public = o.public;
        o.bind(0, "*:444:", Some(public));
    }
);

planned!(an_sha1_back_end_is_renewed_when_asked, back_end_renew(), |o| {
    let mut recipe = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"]).serial(50);
    recipe.signature = SHA1;
    let old = o.put(0, &recipe, &["IIS", "SMTP"]);
    o.take(0, o.back[0]);
    o.bind(0, "*:444:", Some(old));
    let cmdlet = o.cmdlet;
    o.server(0).internal_transport = Observed::seen(old, cmdlet);
});

planned!(an_edge_subscription_stops_the_renewal, back_end_renew(), |o| {
    o.take(0, o.back[0]);
    let cmdlet = o.cmdlet;
    let mut edge = EdgeSubscription::new("EDGE1".to_owned());
    edge.site = Observed::seen("kiefer.example/Configuration/Sites/Jena".to_owned(), cmdlet);
    o.inventory.organisation.edge_subscriptions = Listing::of([edge], cmdlet, true);
});

planned!(
    what_was_not_seen_is_not_planned_on,
    Goal::BackEndRenew {
        servers: vec!["ex1".to_owned(), "nobody".to_owned()]
    },
    |o| {
        o.server(0)
            .my
            .looks
            .iter_mut()
            .for_each(|look| look.complete = false);
    }
);

planned!(
    an_internal_transport_certificate_of_a_ca_becomes_the_servers_own,
    Goal::InternalTransportRenew { servers: Vec::new() },
    |o| {
        let (public, cmdlet) = (o.public, o.cmdlet);
        o.server(0).internal_transport = Observed::seen(public, cmdlet);
    }
);

#[test]
fn a_front_end_is_rebound_on_the_bindings_that_are_there() {
    let mut organisation = healthy(2);
    seen_whole(&mut organisation);
    let own = organisation.back[0];
    organisation.bind(0, "127.0.0.1:443:", Some(own));
    let goal = |certificate| Goal::FrontEndRebind {
        certificate,
        servers: Vec::new(),
    };
    let goals = [goal(organisation.public), goal(own)];
    insta::assert_snapshot!(words(&planned(organisation, &goals)));
}

/// `fix` takes the one certificate that will do for a front end, and none where which one is a person's choice.
#[test]
fn a_front_end_that_presents_a_wrong_one_gets_the_one_that_will_do() {
    let chosen = |servers: usize, damage: &dyn Fn(&mut Organisation)| -> Vec<Thumbprint> {
        let mut organisation = healthy(servers);
        seen_whole(&mut organisation);
        let own = organisation.back[0];
        for information in ["*:443:", "127.0.0.1:443:"] {
            organisation.bind(0, information, Some(own));
        }
        damage(&mut organisation);
        let fixed = fix(&merge([organisation.inventory]), &Policy::default(), &[], now());
        let goals = fixed.groups.into_iter().flat_map(|group| group.plan.goals);
        goals
            .filter_map(|goal| match goal {
                Goal::FrontEndRebind { certificate, .. } => Some(certificate),
                _ => None,
            })
            .collect()
    };
    let public = healthy(1).public;
    let renewed = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"])
        .begins("2026-11-01T00:00:00Z")
        .ends("2027-11-01T00:00:00Z")
        .serial(71);
    let wildcard = Recipe::issued("*.kiefer.example", &["*.kiefer.example"]).serial(72);
    let other = Recipe::issued("intranet", &["intranet.kiefer.example"]).serial(73);
    // Of its own store, whatever else is there.
    assert_eq!(
        chosen(1, &|o| {
            o.put(0, &other, &[]);
        }),
        [public]
    );
    // The youngest of those with the same names; of those with others a person chooses.
    assert_eq!(
        chosen(1, &|o| {
            o.put(0, &renewed, &[]);
        }),
        [renewed.make().thumbprint]
    );
    assert_eq!(
        chosen(1, &|o| {
            o.put(0, &wildcard, &[]);
        }),
        []
    );
    // What the others present wins over what would do as well.
    assert_eq!(
        chosen(2, &|o| {
            o.put(0, &wildcard, &[]);
        }),
        [public]
    );
    // Without a key, or with nothing known of what clients are told: nothing.
    let keyless = |o: &mut Organisation| {
        let (public, store) = (o.public, o.store);
        let entries = &mut o.server(0).my.items;
        let own = entries.iter_mut().find(|own| own.thumbprint == public).unwrap();
        own.has_private_key = Observed::seen(false, store);
    };
    assert_eq!(chosen(2, &keyless), []);
    let told_nothing = |o: &mut Organisation| {
        let cmdlet = o.cmdlet;
        o.server(0).virtual_directories = Listing::of([], cmdlet, false);
    };
    assert_eq!(chosen(1, &told_nothing), []);
}

planned!(
    services_of_a_broken_setup_are_started_in_order,
    Goal::ServicesStart { servers: Vec::new() },
    |o| {
        let iis = o.iis;
        for service in &mut o.server(0).services.items {
            service.status = Observed::seen("Stopped".to_owned(), iis);
            service.start_type = Observed::seen("Disabled".to_owned(), iis);
        }
        let one = &mut o.server(1).services.items[0];
        one.start_type = Observed::seen("Disabled".to_owned(), iis);
        one.status = Observed::seen("Stopped".to_owned(), iis);
    }
);

#[test]
fn what_was_seen_unused_for_long_goes_and_what_a_connector_names_stays() {
    let mut organisation = healthy(1);
    seen_whole(&mut organisation);
    let (store, cmdlet, iis) = (organisation.store, organisation.cmdlet, organisation.iis);
    organisation.server(0).http_sys = Listing::of([], iis, true);
    let ended = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"])
        .begins("2021-05-01T00:00:00Z")
        .ends("2026-05-01T00:00:00Z");
    let ended_one = organisation.put(0, &ended.clone().serial(60), &["SMTP"]);
    let mut copy = StoreEntry::new(ended_one);
    copy.by = vec![store];
    organisation.server(0).root = Listing::of([copy], store, true);
    let named = Recipe::issued("smtp.kiefer.example", &["smtp.kiefer.example"])
        .begins("2025-05-01T00:00:00Z")
        .ends("2026-05-01T00:00:00Z")
        .serial(61);
    let pair = named.make().tls_certificate_name();
    organisation.put(0, &named, &["SMTP"]);
    organisation.put(0, &named.serial(62).ends("2026-05-02T00:00:00Z"), &["SMTP"]);
    organisation.inventory.organisation.send_connectors.items[0].tls_certificate_name =
        Observed::seen(pair, cmdlet);
    let inventory = merge([organisation.inventory]);
    let goal = [Goal::Cleanup {
        servers: Vec::new(),
        backup: None,
    }];
    let earlier = [("2026-11-01T00:00:00Z".parse().unwrap(), inventory.clone())];
    let policy = Policy::default();
    let unseen = plan(&inventory, &policy, &goal, &[], now());
    assert_eq!(unseen.steps.len(), 1, "only the copy in Root: {}", words(&unseen));
    let plan = plan(&inventory, &policy, &goal, &earlier, now());
    insta::assert_snapshot!(words(&plan));
    let back = predicted(&plan, plan.steps.len());
    assert!(back.servers[0].in_my(ended_one).is_none());
}

#[test]
fn a_plan_is_read_as_it_was_written_and_a_changed_one_is_refused() {
    let mut organisation = healthy(1);
    seen_whole(&mut organisation);
    organisation.take(0, organisation.back[0]);
    let plan = planned(organisation, &[back_end_renew()]);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(Plan::from_json(text.as_bytes()).unwrap(), plan);
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let changed = Plan::from_json(text.replacen(from, to, 1).as_bytes());
        changed.map(|_| ()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            refused("\"format\":1", "\"format\":9"),
            refused("*:444", "*:443"),
            refused("\"keeps\"", "\"kept\""),
        ]
        .join("\n")
    );
    // What a program made wrong is refused, too.
    let remade = |change: fn(&mut Plan)| {
        let mut other = plan.clone();
        change(&mut other);
        let other = Plan::of(other.made, other.goals, other.steps, other.waits, other.inventory);
        let text = serde_json::to_vec(&other).unwrap();
        Plan::from_json(&text).map(|_| ()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        "remade",
        [
            remade(|plan| plan.steps[1].number = 7),
            remade(|plan| plan.steps.swap(0, 1)),
            remade(|plan| {
                plan.steps.remove(0);
                for (at, step) in plan.steps.iter_mut().enumerate() {
                    step.number = u32::try_from(at + 1).unwrap();
                }
            }),
        ]
        .join("\n")
    );
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

fn goals() -> Vec<Goal> {
    vec![
        Goal::ServicesStart { servers: Vec::new() },
        back_end_renew(),
        Goal::InternalTransportRenew { servers: Vec::new() },
        Goal::Cleanup {
            servers: Vec::new(),
            backup: None,
        },
    ]
}

/// Of what diagnose found nothing is lost: a plan mends it, or a person is told what it needs.
fn nothing_is_lost(inventory: &Inventory, policy: &Policy) -> Result<(), TestCaseError> {
    let mut found = diagnose(inventory, policy, now()).findings;
    let fixed = fix(inventory, policy, &[], now());
    let mut told: Vec<_> = fixed.for_a_person.clone();
    for group in &fixed.groups {
        prop_assert!(
            !group.plan.steps.is_empty(),
            "nothing is done for {:?}",
            group.mends
        );
        let left = diagnose(&predicted(&group.plan, group.plan.steps.len()), policy, now()).findings;
        for mended in &group.mends {
            let same = left.iter().find(|one| {
                (&one.name, &one.server, &one.slot) == (&mended.name, &mended.server, &mended.slot)
            });
            prop_assert!(
                same.is_none(),
                "{} is there behind its plan: {}",
                mended.name,
                words(&group.plan)
            );
        }
        told.extend(group.mends.iter().cloned());
    }
    let key = |one: &exseal_model::Finding| format!("{one:?}");
    found.sort_by_key(key);
    told.sort_by_key(key);
    prop_assert_eq!(&found, &told);
    for finding in &fixed.for_a_person {
        prop_assert!(
            !finding.fix.is_empty(),
            "{} does not say what it needs",
            finding.name
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_prefix_safe_idempotent_and_independent_of_order(
        shape in shapes(200),
        damages in prop::collection::vec((0..DAMAGES.len(), any::<prop::sample::Index>()), 0..8),
    ) {
        let (mut organisation, policy) = shape.make();
        seen_whole(&mut organisation);
        for (damage, at) in damages {
            let at = at.index(shape.servers);
            if !shape.is_edge(at) && !shape.management_only {
                (DAMAGES[damage].1)(&mut organisation, at);
            }
        }
        let inventory = merge([organisation.inventory]);
        let made = plan(&inventory, &policy, &goals(), &[], now());
        prop_assert_eq!(&made.inventory, &inventory);

        // After every prefix no slot is worse off than before it. Checked where a step may matter, and at the end.
        let mut before = slots(&inventory, &policy);
        let few = made.steps.len() <= 12;
        for upto in (1..=made.steps.len()).filter(|upto| few || upto % 7 == 0 || *upto == made.steps.len()) {
            let after = slots(&predicted(&made, upto), &policy);
            for (place, severity) in &after {
                let was = before.get(place);
                prop_assert!(
                    was.is_some_and(|was| was >= severity),
                    "{place:?} is {severity} after step {upto} and was {was:?}: {}", words(&made)
                );
            }
            before = after;
        }

        if shape.servers <= 40 {
            nothing_is_lost(&inventory, &policy)?;
        }

        // The plan of what it leaves is empty.
        let left = predicted(&made, made.steps.len());
        let again = plan(&left, &policy, &goals(), &[], now());
        prop_assert!(again.steps.is_empty(), "{}\nand then\n{}", words(&made), words(&again));

        // Permuting the input changes nothing.
        let mut turned = inventory;
        turned.servers.reverse();
        let turned = plan(&turned, &policy, &goals(), &[], now());
        prop_assert_eq!(&turned.id, &made.id);
        prop_assert_eq!(&turned.steps, &made.steps);
        prop_assert_eq!(&turned.waits, &made.waits);

        // Every sentence is there and filled.
        let sentences = made.steps.iter().flat_map(|step| [&step.why, &step.if_it_fails]);
        let waits = made.waits.iter().flat_map(|wait| [&wait.because, &wait.then]);
        for sentence in sentences.chain(waits) {
            let key = ["why.", "fails.", "wait.", "inverse.", "reason."].iter().any(|key| sentence.starts_with(key));
            prop_assert!(!key && !sentence.contains(['{', '}']), "{sentence}");
        }
        // What waits for a person says what to do.
        for wait in made.waits.iter().filter(|wait| wait.kind != WaitKind::Right) {
            prop_assert!(!wait.then.is_empty() || wait.because.contains("disabled"), "{wait:?}");
        }
    }
}

/// Two looks at one entry that show two certificates are no answer, whatever is wanted.
#[test]
fn an_entry_with_two_certificates_is_taken_for_neither() {
    let once = healthy(1).inventory;
    let mut twice = once.clone();
    for entry in &mut twice.servers[0].http_sys.items {
        entry.thumbprint = Observed::seen("00".repeat(20).parse().unwrap(), SourceId(0));
    }
    let both = merge([once.clone(), twice]);
    let server = &once.servers[0];
    for entry in &server.http_sys.items {
        let bound = |certificate| Condition::Bound {
            server: server.shown(),
            endpoint: entry.endpoint.clone(),
            certificate,
        };
        let own = entry.thumbprint.value().copied().map(Which::Known);
        assert_eq!(holds(&merge([once.clone()]), &bound(own)), Holds::Yes);
        for wanted in [own, None] {
            let found = holds(&both, &bound(wanted));
            assert!(
                matches!(&found, Holds::Unknown(why) if why.contains("two certificates")),
                "{found:?}"
            );
        }
    }
}

/// What plans read before and expect after holds in the inventories they are made of and leave.
#[test]
fn conditions_hold_before_and_after_as_the_plan_says() {
    let mut organisation = healthy(2);
    seen_whole(&mut organisation);
    let iis = organisation.iis;
    for (at, public) in [(0, organisation.public), (1, organisation.public)] {
        let entries = [
            ("*:443", Some(public)),
            ("127.0.0.1:443", Some(public)),
            ("*:444", None),
        ];
        let entries = entries.map(|(endpoint, thumbprint)| {
            let mut entry = exseal_model::inventory::HttpSysEntry::new(endpoint.parse().unwrap());
            entry.thumbprint = Observed::looked(thumbprint, iis);
            entry
        });
        organisation.server(at).http_sys = Listing::of(entries, iis, true);
    }
    let made = planned(organisation, &[back_end_renew()]);
    assert_eq!(made.steps.len(), 2, "{}", words(&made));
    for (at, step) in made.steps.iter().enumerate() {
        let (before, after) = (predicted(&made, at), predicted(&made, at + 1));
        for condition in &step.preconditions {
            assert_eq!(holds(&before, condition), Holds::Yes, "{condition:?}");
        }
        let (effects, kept) = (&step.effects, step.keeps.iter().map(|guard| &guard.condition));
        for effect in effects {
            assert!(matches!(holds(&before, effect), Holds::No(_)), "{effect:?}");
        }
        for condition in effects.iter().chain(kept) {
            assert_eq!(holds(&after, condition), Holds::Yes, "{condition:?}");
        }
    }
    // What was not read is neither yes nor no.
    let empty = Inventory::default();
    for condition in made.steps.iter().flat_map(|step| &step.effects) {
        assert!(
            matches!(holds(&empty, condition), Holds::Unknown(_)),
            "{condition:?}"
        );
    }
}
