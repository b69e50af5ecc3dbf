//! Crash sweep: at every call of a port and every line of the journal the request is lost, the reply is lost, an error comes, or
//! the program dies; then the run is resumed, or taken back, with the journal's bytes and the organisation alone.
//!
//! The organisation here is a small one of its own that knows nothing of the engine's predictions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

#[path = "../../exseal-engine/tests/support/mod.rs"]
mod support;
mod world;

use exseal_engine::{ApplyPolicy, Maintenance, Policy, merge};
use exseal_model::inventory::StoreEntry;
use exseal_model::plan::Inverse;
use exseal_model::{Endpoint, Goal, Listing, Observed, Plan, Slot};
use exseal_run::{
    Entry, FileJournal, Journal as _, Options, Phase, Runner, State, StepState, Stop, Told, read_journal,
};
use support::{Organisation, Recipe, healthy, now};
use world::{Clock, Disturbance, Eye, Lines, World};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn planned(goals: &[Goal], damage: fn(&mut Organisation)) -> Plan {
    let mut organisation = healthy(2);
    world::services(&mut organisation);
    damage(&mut organisation);
    let inventory = merge([organisation.inventory]);
    exseal_engine::plan::plan(&inventory, &Policy::default(), goals, &[], now())
}

/// The old certificate ends; it is bound, is the internal transport certificate, and has a copy in Root.
fn ends(o: &mut Organisation) {
    for at in 0..2 {
        let name = format!("EX{}", at + 1);
        let full = format!("ex{}.kiefer.example", at + 1);
        let recipe = Recipe::self_signed(&name, &[&name, &full]).serial(50);
        let old = o.put(at, &recipe.ends("2026-12-10T00:00:00Z"), &["IIS", "SMTP"]);
        let back = o.back[at];
        o.take(at, back);
        o.bind(at, "*:444:", Some(old));
        let (cmdlet, store) = (o.cmdlet, o.store);
        o.server(at).internal_transport = Observed::seen(old, cmdlet);
        o.server(at).root = Listing::of([StoreEntry::new(old)], store, true);
    }
}

fn stopped(o: &mut Organisation) {
    let iis = o.iis;
    for service in &mut o.server(0).services.items {
        service.status = Observed::seen("Stopped".to_owned(), iis);
        service.start_type = Observed::seen("Disabled".to_owned(), iis);
    }
}

fn loopback(o: &mut Organisation) {
    let own = o.back[0];
    o.bind(0, "127.0.0.1:443:", Some(own));
}

fn back_end() -> Vec<Goal> {
    vec![Goal::BackEndRenew { servers: Vec::new() }]
}

/// Ended certificates on both servers that nothing uses: the key of one may be exported.
fn cleaned() -> Plan {
    let mut organisation = healthy(2);
    world::services(&mut organisation);
    for at in 0..2 {
        let recipe = Recipe::self_signed("old", &["old.kiefer.example"]);
        let old = organisation.put(
            at,
            &recipe.serial(70 + at as u8).ends("2026-02-01T00:00:00Z"),
            &[],
        );
        let store = organisation.store;
        let server = organisation.server(at);
        server
            .my
            .items
            .retain(|entry| entry.thumbprint != old || entry.services.value().is_some());
        for entry in server.my.items.iter_mut().filter(|entry| entry.thumbprint == old) {
            entry.has_private_key = Observed::seen(true, store);
            entry.private_key_exportable = Observed::seen(at == 0, store);
        }
    }
    let inventory = merge([organisation.inventory]);
    let goals = [Goal::Cleanup {
        servers: Vec::new(),
        backup: Some("backups".to_owned()),
    }];
    let earlier = [("2026-10-01T00:00:00Z".parse().unwrap(), inventory.clone())];
    let plan = exseal_engine::plan::plan(&inventory, &Policy::default(), &goals, &earlier, now());
    assert_eq!(plan.steps.len(), 3, "a backup and two removals");
    assert!(matches!(plan.steps[1].inverse, Inverse::Change(_)));
    assert!(matches!(plan.steps[2].inverse, Inverse::Irreversible(_)));
    plan
}

/// The second server first, alone for a minute; both out of the balancer while they are worked on.
fn care() -> ApplyPolicy {
    ApplyPolicy {
        canary: Some("EX2".to_owned()),
        soak_minutes: 1,
        pause_seconds: 5,
        drain: vec!["drain".to_owned(), "{server}".to_owned()],
        undrain: vec!["undrain".to_owned(), "{server}".to_owned()],
        maintenance: Some(Maintenance {
            components: vec!["HubTransport".to_owned(), "ServerWideOffline".to_owned()],
            ..Maintenance::default()
        }),
        ..ApplyPolicy::default()
    }
}

fn careful() -> Plan {
    let mut organisation = healthy(2);
    world::services(&mut organisation);
    ends(&mut organisation);
    let inventory = merge([organisation.inventory]);
    let policy = Policy {
        apply: care(),
        ..Policy::default()
    };
    exseal_engine::plan::plan(&inventory, &policy, &back_end(), &[], now())
}

/// Every plan that is swept, by name.
fn plans() -> Vec<(&'static str, Plan, ApplyPolicy)> {
    let public = healthy(1).public;
    let all = vec![
        ("a back end that ends", planned(&back_end(), ends)),
        ("a back end that ends, with care", careful()),
        (
            "a back end whose certificate is gone",
            planned(&back_end(), |o| o.take(0, o.back[0])),
        ),
        (
            "a back end that is unbound",
            planned(&back_end(), |o| o.bind(0, "*:444:", None)),
        ),
        (
            "services of a broken setup",
            planned(&[Goal::ServicesStart { servers: Vec::new() }], stopped),
        ),
        (
            "a rescue",
            planned(&[Goal::Rescue { servers: Vec::new() }], |o| {
                stopped(o);
                o.bind(1, "*:444:", None);
            }),
        ),
        ("what is left over, with backups", cleaned()),
        (
            "a forgotten loopback binding",
            planned(
                &[Goal::FrontEndRebind {
                    certificate: public,
                    servers: Vec::new(),
                }],
                loopback,
            ),
        ),
    ];
    all.into_iter()
        .map(|(name, plan)| {
            let conduct = if name.ends_with("with care") {
                care()
            } else {
                ApplyPolicy::default()
            };
            (name, plan, conduct)
        })
        .collect()
}

const PATIENT: Options = Options {
    lock: std::time::Duration::from_secs(900),
    patience: std::time::Duration::from_secs(4),
    pause: std::time::Duration::from_secs(2),
};

fn apply(plan: &Plan, world: &mut World, lines: &mut Lines) -> Result<State, Stop> {
    apply_with(plan, &ApplyPolicy::default(), world, lines)
}

fn apply_with(
    plan: &Plan,
    conduct: &ApplyPolicy,
    world: &mut World,
    lines: &mut Lines,
) -> Result<State, Stop> {
    with(
        world,
        |runner, lines| run(runner.apply_with(plan, conduct, "run-1", "anna", lines)),
        lines,
    )
}

fn with<T>(
    world: &mut World,
    work: impl FnOnce(&mut Runner<'_, World, Eye, Clock>, &mut Lines) -> T,
    lines: &mut Lines,
) -> T {
    seeing(world, None, work, lines)
}

fn seeing<T>(
    world: &mut World,
    hidden: Option<Slot>,
    work: impl FnOnce(&mut Runner<'_, World, Eye, Clock>, &mut Lines) -> T,
    lines: &mut Lines,
) -> T {
    let mut eye = Eye(world.shared(), hidden);
    let mut clock = Clock(world.shared());
    let mut runner = Runner {
        organisation: world,
        probe: &mut eye,
        host: &mut clock,
        options: PATIENT,
        told: &mut |_, _| true,
    };
    work(&mut runner, lines)
}

/// What the journal's bytes say, as a program that starts anew reads them; `None`: the run never began.
fn reread(lines: &mut Lines) -> Option<State> {
    if !lines.bytes.contains(&b'\n') {
        lines.bytes.clear();
        return None;
    }
    let (entries, whole) = read_journal(&lines.bytes).unwrap();
    lines.bytes.truncate(whole);
    Some(State::of(&entries).unwrap())
}

#[test]
fn an_undisturbed_run_reaches_what_was_planned_and_comes_back() {
    for (name, plan, conduct) in plans() {
        assert!(!plan.steps.is_empty(), "{name}");
        let mut world = World::of(&plan.inventory);
        let before = world.dump();
        let mut lines = Lines::new(world.shared());
        let state = apply_with(&plan, &conduct, &mut world, &mut lines)
            .unwrap_or_else(|stop| panic!("{name}: {stop}"));
        let verified = with(&mut world, |runner, _| run(runner.verify(&state)), &mut lines);
        for one in &verified {
            assert!(one.seen.as_ref().is_ok_and(|seen| seen.holds), "{name}: {one:?}");
        }
        assert!(!verified.is_empty(), "{name}");
        assert_eq!(world.locks(), 0, "{name}");
        let after = world.dump();
        assert_ne!(before, after, "{name}");

        // Applying twice is applying once: everything holds already.
        let mut again = Lines::new(world.shared());
        let calls = world.calls();
        let twice = apply(&plan, &mut world, &mut again);
        if plan.steps.iter().any(|step| step.change.makes_certificate()) {
            // A plan that makes a certificate is over once the binding has moved: no second one is made.
            assert!(
                matches!(twice, Err(Stop::Moved { step: 1, .. })),
                "{name}: {twice:?}"
            );
        } else {
            twice.unwrap_or_else(|stop| panic!("{name}: {stop}"));
        }
        assert_eq!(world.calls(), calls, "{name}");
        assert_eq!(world.dump(), after, "{name}");

        let state = reread(&mut lines).unwrap();
        let state = with(
            &mut world,
            |runner, lines| run(runner.roll_back(state, lines)),
            &mut lines,
        )
        .unwrap_or_else(|stop| panic!("{name}: {stop}"));
        assert_eq!(state.phase, Phase::Ended(exseal_run::Outcome::TakenBack));
        if comes_back(&plan) {
            assert_eq!(world.dump(), before, "{name}");
        }
    }
}

/// Whether every step of a plan can be taken back: what never worked stays as the plan declares it.
fn comes_back(plan: &Plan) -> bool {
    plan.steps.iter().all(|step| match &step.inverse {
        Inverse::Change(_) => true,
        Inverse::Nothing(_) => matches!(step.change, exseal_model::plan::Change::RestartService { .. }),
        Inverse::Irreversible(_) => false,
    })
}

#[test]
fn wherever_it_breaks_resumed_is_planned_and_taken_back_is_before() {
    let mut points = 0;
    for (name, mut plan, conduct) in plans() {
        // Every journal begins with the plan: without what only planning needs, thousands of them are read in no time.
        let inventory = std::mem::take(&mut plan.inventory);
        let mut world = World::of(&inventory);
        let before = world.dump();
        let mut lines = Lines::new(world.shared());
        apply_with(&plan, &conduct, &mut world, &mut lines).unwrap();
        let planned = world.dump();
        let all = world.points();

        for at in 0..all {
            for disturbance in Disturbance::ALL {
                for back in [false, true] {
                    points += 1;
                    let place = format!("{name}, point {at} of {all}, {disturbance:?}, back: {back}");
                    let mut world = World::of(&inventory);
                    world.disturb(at, disturbance);
                    let mut lines = Lines::new(world.shared());
                    let _ = apply_with(&plan, &conduct, &mut world, &mut lines);
                    world.calm();
                    // A machine that comes back finds a journal, or none of a run that never began.
                    let Some(state) = reread(&mut lines) else {
                        assert_eq!(world.dump(), before, "{place}");
                        continue;
                    };
                    if back {
                        let result = with(
                            &mut world,
                            |runner, lines| run(runner.roll_back(state, lines)),
                            &mut lines,
                        );
                        let state = result.unwrap_or_else(|stop| panic!("{place}: {stop}"));
                        for step in &plan.steps {
                            let stands = state.step(step.number);
                            assert!(
                                !matches!(
                                    stands,
                                    StepState::Begun | StepState::BackBegun | StepState::Done(false)
                                ),
                                "{place}: step {} is {stands:?}",
                                step.number
                            );
                        }
                        if comes_back(&plan) {
                            assert_eq!(world.dump(), before, "{place}");
                        }
                    } else if !matches!(state.phase, Phase::Ended(_)) {
                        // What stopped by itself may have taken its last step back; going on does it again.
                        let result = with(
                            &mut world,
                            |runner, lines| run(runner.resume(state, lines)),
                            &mut lines,
                        );
                        let state = result.unwrap_or_else(|stop| panic!("{place}: {stop}"));
                        assert_eq!(state.phase, Phase::Ended(exseal_run::Outcome::Applied));
                        assert_eq!(world.dump(), planned, "{place}");
                    } else {
                        assert_eq!(world.dump(), planned, "{place}");
                    }
                    assert_eq!(world.locks(), 0, "{place}");
                    assert!(
                        world.shared().borrow().drained.is_empty(),
                        "{place}: left drained"
                    );
                    let out = world.shared().borrow().out.clone();
                    assert!(out.is_empty(), "{place}: left in maintenance: {out:?}");
                    assert_eq!(world.lost_certificates(), 0, "{place}");
                    // The journal stays one that loads, and no line says more than was read.
                    let (entries, _) = read_journal(&lines.bytes).unwrap();
                    assert!(matches!(entries.last(), Some(Entry::Ended { .. })), "{place}");
                }
            }
        }
    }
    println!("counted: {points} points of the crash sweep tried");
}

fn back_end_that_ends() -> (Plan, World) {
    let plan = planned(&back_end(), ends);
    let world = World::of(&plan.inventory);
    (plan, world)
}

const EX1: &str = "ex1.kiefer.example";
const EX2: &str = "ex2.kiefer.example";

#[test]
fn the_canary_goes_first_and_alone_and_each_server_leaves_the_balancer_meanwhile() {
    let plan = careful();
    assert_eq!(plan.steps[0].change.server(), EX2);
    let mut world = World::of(&plan.inventory);
    let mut lines = Lines::new(world.shared());
    let state = apply_with(&plan, &care(), &mut world, &mut lines).unwrap();
    let shared = world.shared();
    let programs = shared.borrow().programs.clone();
    let settings = [
        "DatabaseCopyAutoActivationPolicy (was IntrasiteOnly)",
        "DatabaseCopyActivationDisabledAndMoveNow",
        "HubTransport",
        "ServerWideOffline",
    ];
    let mut expected = Vec::new();
    for server in [EX2, EX1] {
        expected.push(format!("drain {server}"));
        expected.extend(settings.iter().map(|own| format!("Out {server}: {own}")));
        expected.extend(settings.iter().rev().map(|own| format!("Back {server}: {own}")));
        expected.push(format!("undrain {server}"));
    }
    assert_eq!(programs, expected);
    assert_eq!(shared.borrow().waited, std::time::Duration::from_secs(60));
    assert!(state.drained.is_empty());
}

#[test]
fn a_drain_that_fails_begins_nothing_and_where_it_cannot_be_put_back_both_reasons_are_told() {
    let plan = careful();
    for (refused, expected) in [
        (
            vec!["drain"],
            "ex2.kiefer.example was not begun: it could not be drained: drain is refused",
        ),
        (
            vec!["drain", "undrain"],
            "ex2.kiefer.example is still drained: it could not be put back: undrain is refused; it had not drained: drain is refused",
        ),
    ] {
        let mut world = World::of(&plan.inventory);
        let before = world.dump();
        world.shared().borrow_mut().refused = refused.iter().map(|own| (*own).to_owned()).collect();
        let mut lines = Lines::new(world.shared());
        let stop = apply_with(&plan, &care(), &mut world, &mut lines).unwrap_err();
        assert_eq!(stop.to_string(), expected);
        assert_eq!(world.dump(), before);
        // Whoever may be drained stands in the journal, and going on puts it back.
        let state = reread(&mut lines).unwrap();
        assert_eq!(state.drained.contains(EX2), refused.len() == 2);
        world.shared().borrow_mut().refused.clear();
        let state = with(
            &mut world,
            |runner, lines| run(runner.resume(state, lines)),
            &mut lines,
        )
        .unwrap();
        assert!(state.drained.is_empty() && world.shared().borrow().drained.is_empty());
    }
}

/// One server, in maintenance by these components while it is worked on.
fn in_maintenance(components: &[&str]) -> ApplyPolicy {
    ApplyPolicy {
        maintenance: Some(Maintenance {
            components: components.iter().map(|own| (*own).to_owned()).collect(),
            ..Maintenance::default()
        }),
        ..ApplyPolicy::default()
    }
}

#[test]
fn what_somebody_else_took_out_of_service_stays_out() {
    let (plan, mut world) = back_end_that_ends();
    let theirs = format!("{EX1}: ServerWideOffline");
    world.shared().borrow_mut().theirs.insert(theirs);
    let mut lines = Lines::new(world.shared());
    let conduct = in_maintenance(&["HubTransport", "ServerWideOffline"]);
    apply_with(&plan, &conduct, &mut world, &mut lines).unwrap();
    let programs = world.shared().borrow().programs.clone();
    let set = |component: &str| {
        let key = format!("{EX1}: {component}");
        programs.iter().filter(|own| own.ends_with(&key)).count()
    };
    assert_eq!((set("HubTransport"), set("ServerWideOffline")), (2, 0));
}

#[test]
fn maintenance_that_fails_begins_nothing_and_is_set_back_or_said_to_be_left() {
    let plan = planned(&back_end(), ends);
    let conduct = in_maintenance(&["HubTransport", "ServerWideOffline"]);
    let out = format!("Out {EX1}: ServerWideOffline");
    let back = format!("Back {EX1}: HubTransport");
    for (refused, expected) in [
        (
            vec![&out],
            "ex1.kiefer.example was not begun: it could not be put into maintenance: it is refused",
        ),
        (
            vec![&out, &back],
            "ex1.kiefer.example is still in maintenance: HubTransport could not be set back: it is refused; it had not been put into maintenance: it is refused",
        ),
    ] {
        let mut world = World::of(&plan.inventory);
        let before = world.dump();
        world.shared().borrow_mut().refused = refused.iter().map(|own| (*own).clone()).collect();
        let mut lines = Lines::new(world.shared());
        let stop = apply_with(&plan, &conduct, &mut world, &mut lines).unwrap_err();
        assert_eq!(stop.to_string(), expected);
        assert_eq!(
            (world.dump(), world.calls(), world.locks()),
            (before.clone(), 0, 0)
        );
        let state = reread(&mut lines).unwrap();
        assert_eq!(state.maintained.contains_key(EX1), refused.len() == 2);
        // Taken back, it is in service again though nothing else was begun.
        world.shared().borrow_mut().refused.clear();
        let state = with(
            &mut world,
            |runner, lines| run(runner.roll_back(state, lines)),
            &mut lines,
        )
        .unwrap();
        assert!(state.maintained.is_empty() && world.shared().borrow().out.is_empty());
        assert_eq!(world.dump(), before);
    }
}

#[test]
fn databases_that_stay_keep_a_server_from_being_begun() {
    let (plan, mut world) = back_end_that_ends();
    world.shared().borrow_mut().active = vec!["DB 1".to_owned(), "DB 2".to_owned()];
    let mut lines = Lines::new(world.shared());
    let stop = apply_with(&plan, &in_maintenance(&[]), &mut world, &mut lines).unwrap_err();
    assert_eq!(
        stop.to_string(),
        "ex1.kiefer.example was not begun: it could not be put into maintenance: expected no active database copy within 10 min, found DB 1, DB 2"
    );
    let shared = world.shared();
    assert_eq!(shared.borrow().waited, std::time::Duration::from_secs(600));
    assert!(shared.borrow().out.is_empty() && world.calls() == 0);
}

#[test]
fn a_dead_shell_keeps_nothing_from_being_repaired() {
    let (plan, mut world) = back_end_that_ends();
    world.shared().borrow_mut().shell_is_dead = true;
    let mut lines = Lines::new(world.shared());
    let conduct = in_maintenance(&["ServerWideOffline"]);
    apply_with(&plan, &conduct, &mut world, &mut lines).unwrap();
    let (entries, _) = read_journal(&lines.bytes).unwrap();
    let skipped =
        |own: &Entry| matches!(own, Entry::MaintenanceSkipped { why, .. } if why == "the shell is dead");
    assert!(entries.iter().any(skipped));
    assert!(world.shared().borrow().programs.is_empty());
}

#[test]
fn what_is_not_seen_for_maintenance_is_looked_at_again_without_it() {
    let (plan, mut world) = back_end_that_ends();
    let mut lines = Lines::new(world.shared());
    let conduct = in_maintenance(&["HubTransport", world::BLINDS]);
    let state = apply_with(&plan, &conduct, &mut world, &mut lines).unwrap();
    assert_eq!(state.phase, Phase::Ended(exseal_run::Outcome::Applied));
    let (entries, _) = read_journal(&lines.bytes).unwrap();
    let over = entries
        .iter()
        .position(|own| matches!(own, Entry::MaintenanceOver { .. }));
    let done = |own: &Entry| matches!(own, Entry::StepDone { .. });
    let (over, proven) = (over.unwrap(), entries.iter().rposition(done).unwrap());
    assert!(
        over < proven,
        "it ended before the last step, which goes on without it"
    );
    assert!(world.shared().borrow().out.is_empty());
    assert!(
        !entries.iter().any(|own| matches!(own, Entry::BackBegun { .. })),
        "nothing was taken back for it"
    );
}

#[test]
fn a_server_that_is_not_well_after_its_steps_stops_the_run_before_the_next() {
    let plan = careful();
    let mut world = World::of(&plan.inventory);
    let mut lines = Lines::new(world.shared());
    let back_end = Slot::BackEnd(Endpoint::from_binding_information("*:444:").unwrap());
    // While its steps are proven it shows what it should, and nothing a minute later.
    let hidden = std::cell::Cell::new(false);
    let mut eye = world::Fading(world.shared(), back_end, &hidden);
    let mut clock = Clock(world.shared());
    let mut told = |_: &State, told: Told<'_>| {
        if matches!(told, Told::Waits(..)) {
            hidden.set(true);
        }
        true
    };
    let mut runner = Runner {
        organisation: &mut world,
        probe: &mut eye,
        host: &mut clock,
        options: PATIENT,
        told: &mut told,
    };
    let stop = run(runner.apply_with(&plan, &care(), "run-1", "anna", &mut lines)).unwrap_err();
    let Stop::Unwell { server, .. } = &stop else {
        panic!("{stop}")
    };
    assert_eq!(server, EX2);
    let state = reread(&mut lines).unwrap();
    assert!(state.plan.steps.iter().all(|step| {
        let touched = state.step(step.number) != StepState::Open;
        touched == (step.change.server() == EX2)
    }));
}

#[test]
fn a_closed_window_a_full_disk_and_a_no_while_waiting_stop_before_the_next_server() {
    let plan = careful();
    let closed = ApplyPolicy {
        window: Some(
            serde_json::from_str(r#"{ "from": "01:00:00", "to": "02:00:00", "zone": "UTC" }"#).unwrap(),
        ),
        ..care()
    };
    let mut world = World::of(&plan.inventory);
    let before = world.dump();
    let mut lines = Lines::new(world.shared());
    let stop = apply_with(&plan, &closed, &mut world, &mut lines).unwrap_err();
    assert_eq!(
        stop.to_string(),
        "ex2.kiefer.example was not begun: expected an open maintenance window, found that it opens 2026-11-25 01:00 +00:00"
    );
    assert_eq!(world.dump(), before);
    assert!(world.shared().borrow().programs.is_empty());

    world.free.insert(EX1.to_owned(), 40 << 20);
    let mut lines = Lines::new(world.shared());
    let stop = apply_with(&plan, &care(), &mut world, &mut lines).unwrap_err();
    assert_eq!(
        stop.to_string(),
        "expected 100 MiB free on the system drive of ex1.kiefer.example, found 40"
    );
    assert_eq!(
        world.dump(),
        before,
        "the other server has room, and nothing was begun"
    );
    world.free.clear();

    let mut lines = Lines::new(world.shared());
    let mut eye = world::Eye(world.shared(), None);
    let mut clock = Clock(world.shared());
    let mut told = |_: &State, told: Told<'_>| !matches!(told, Told::Waits(..));
    let mut runner = Runner {
        organisation: &mut world,
        probe: &mut eye,
        host: &mut clock,
        options: PATIENT,
        told: &mut told,
    };
    let stop = run(runner.apply_with(&plan, &care(), "run-1", "anna", &mut lines)).unwrap_err();
    assert!(matches!(stop, Stop::Asked { .. }), "{stop}");
    let state = reread(&mut lines).unwrap();
    assert!(state.drained.is_empty() && state.at_work.as_deref() == Some(EX2));
    let state = with(
        &mut world,
        |runner, lines| run(runner.resume(state, lines)),
        &mut lines,
    )
    .unwrap();
    assert_eq!(state.phase, Phase::Ended(exseal_run::Outcome::Applied));
}

#[test]
fn without_room_for_the_journal_nothing_is_begun_and_nothing_written() {
    let (plan, mut world) = back_end_that_ends();
    let before = world.dump();
    let short = Some((100 << 20) - 1);
    world.shared().borrow_mut().own_room = short;
    let mut lines = Lines::new(world.shared());
    let stop = apply(&plan, &mut world, &mut lines).unwrap_err();
    assert_eq!(
        stop.to_string(),
        "expected 100 MiB free where the journal is written, found 99"
    );
    assert_eq!((world.dump(), world.calls(), world.locks()), (before, 0, 0));
    assert!(lines.bytes.is_empty(), "nothing was written");
    assert_eq!(world.points(), 1, "no server was asked anything");

    // A policy that does not ask goes on as far as the journal can be written.
    let careless = ApplyPolicy {
        free_disk_mib: 0,
        ..ApplyPolicy::default()
    };
    let state = apply_with(&plan, &careless, &mut world, &mut lines).unwrap();
    assert_eq!(state.phase, Phase::Ended(exseal_run::Outcome::Applied));

    // Going on asks by the policy it was begun with; taking back never does.
    let mut world = World::of(&plan.inventory);
    let mut lines = Lines::new(world.shared());
    world.disturb(30, Disturbance::DiesAfter);
    apply(&plan, &mut world, &mut lines).unwrap_err();
    world.calm();
    world.shared().borrow_mut().own_room = short;
    let state = reread(&mut lines).unwrap();
    let written = lines.bytes.len();
    let resume = |runner: &mut Runner<'_, World, Eye, Clock>, lines: &mut Lines| {
        run(runner.resume(state.clone(), lines))
    };
    let stop = with(&mut world, resume, &mut lines).unwrap_err();
    assert!(matches!(stop, Stop::NoOwnRoom { .. }), "{stop}");
    assert_eq!(lines.bytes.len(), written, "no line more");
    let back = |runner: &mut Runner<'_, World, Eye, Clock>, lines: &mut Lines| {
        run(runner.roll_back(state.clone(), lines))
    };
    let state = with(&mut world, back, &mut lines).unwrap();
    assert_eq!(state.phase, Phase::Ended(exseal_run::Outcome::TakenBack));
}

#[test]
fn a_value_that_moved_stops_the_run_before_anything_is_done() {
    let (plan, mut world) = back_end_that_ends();
    let public = healthy(1).public;
    world.somebody_binds(EX1, "*:444", Some(public));
    let before = world.dump();
    let mut lines = Lines::new(world.shared());
    let stop = apply(&plan, &mut world, &mut lines).unwrap_err();
    assert!(matches!(stop, Stop::Moved { step: 1, .. }), "{stop}");
    assert_eq!((world.dump(), world.calls(), world.locks()), (before, 0, 0));
    // What no precondition reads may have moved.
    let (plan, mut world) = back_end_that_ends();
    world.somebody_binds(EX1, "127.0.0.1:8443", Some(public));
    let mut lines = Lines::new(world.shared());
    apply(&plan, &mut world, &mut lines).unwrap();
}

#[test]
fn a_second_operator_is_refused_and_keeps_the_lock() {
    let (plan, mut world) = back_end_that_ends();
    world.somebody_locks(EX1);
    let mut lines = Lines::new(world.shared());
    let stop = apply(&plan, &mut world, &mut lines).unwrap_err();
    assert!(stop.to_string().contains("another run"), "{stop}");
    assert_eq!((world.calls(), world.locks()), (0, 1));
}

#[test]
fn what_a_client_does_not_see_is_taken_back_at_once() {
    let (plan, mut world) = back_end_that_ends();
    let before = world.dump();
    let mut lines = Lines::new(world.shared());
    let hidden = Some(Slot::BackEnd(Endpoint::any(444)));
    let work = |runner: &mut Runner<'_, World, Eye, Clock>, lines: &mut Lines| {
        run(runner.apply(&plan, "run-1", "anna", lines))
    };
    let stop = seeing(&mut world, hidden, work, &mut lines).unwrap_err();
    assert!(
        matches!(
            stop,
            Stop::NotProven {
                step: 2,
                taken_back: true,
                ..
            }
        ),
        "{stop}"
    );
    let state = reread(&mut lines).unwrap();
    assert_eq!(state.step(2), StepState::TakenBack);
    with(
        &mut world,
        |runner, lines| run(runner.roll_back(state, lines)),
        &mut lines,
    )
    .unwrap();
    assert_eq!(world.dump(), before);
}

#[test]
fn what_nobody_can_tell_to_be_unused_stays_when_a_run_is_taken_back() {
    let (plan, mut world) = back_end_that_ends();
    let mut lines = Lines::new(world.shared());
    apply(&plan, &mut world, &mut lines).unwrap();
    world.blind = true;
    let state = reread(&mut lines).unwrap();
    with(
        &mut world,
        |runner, lines| run(runner.roll_back(state, lines)),
        &mut lines,
    )
    .unwrap();
    let state = reread(&mut lines).unwrap();
    assert_eq!(state.phase, Phase::Ended(exseal_run::Outcome::TakenBack));
    assert!(
        matches!(state.step(1), StepState::Left(why) if why.contains("the shell is dead")),
        "{:?}",
        state.step(1)
    );
    assert_eq!(state.step(2), StepState::TakenBack);
    assert_eq!(world.locks(), 0);
}

#[test]
fn a_binding_that_a_cmdlet_moved_is_put_back() {
    let (plan, mut world) = back_end_that_ends();
    world.moves = Some((EX1.to_owned(), "*:443".to_owned()));
    let mut lines = Lines::new(world.shared());
    apply(&plan, &mut world, &mut lines).unwrap();
    let put_back = read_journal(&lines.bytes)
        .unwrap()
        .0
        .iter()
        .filter(|entry| matches!(entry, Entry::PutBack { .. }))
        .count();
    assert_eq!(put_back, 1);
    let public = format!("{:?}", healthy(1).public);
    let bound = format!("bound (\"{EX1}\", \"*:443\") Some({public})");
    assert!(world.dump().contains(&bound), "{bound}\n{}", world.dump());
}

#[test]
fn a_journal_that_cannot_be_written_begins_nothing() {
    let (plan, mut world) = back_end_that_ends();
    // The first point is this machine's own disk.
    world.disturb(1, Disturbance::Error);
    let mut lines = Lines::new(world.shared());
    let stop = apply(&plan, &mut world, &mut lines).unwrap_err();
    assert!(matches!(stop, Stop::Journal(_)), "{stop}");
    assert_eq!(world.points(), 2, "nobody was asked anything");
}

#[test]
fn a_person_may_stop_before_a_step_and_go_on_later() {
    let (plan, mut world) = back_end_that_ends();
    let mut lines = Lines::new(world.shared());
    let (mut eye, mut clock) = (Eye(world.shared(), None), Clock(world.shared()));
    let mut told = |_: &State, told: Told<'_>| !matches!(told, Told::Next(step) if step.number == 3);
    let mut runner = Runner {
        organisation: &mut world,
        probe: &mut eye,
        host: &mut clock,
        options: PATIENT,
        told: &mut told,
    };
    let stop = run(runner.apply(&plan, "run-1", "anna", &mut lines)).unwrap_err();
    assert!(matches!(stop, Stop::Asked { step: 3 }), "{stop}");
    let state = reread(&mut lines).unwrap();
    assert_eq!(
        (state.step(2), state.step(3)),
        (StepState::Done(false), StepState::Open)
    );
    with(
        &mut world,
        |runner, lines| run(runner.resume(state, lines)),
        &mut lines,
    )
    .unwrap();
    let mut other = World::of(&plan.inventory);
    let mut straight = Lines::new(other.shared());
    apply(&plan, &mut other, &mut straight).unwrap();
    assert_eq!(world.dump(), other.dump());
}

#[test]
fn a_journal_in_a_file_goes_on_behind_a_torn_line_and_refuses_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let (plan, mut world) = back_end_that_ends();
    let mut file = FileJournal::create(&path).unwrap();
    let at = now();
    let begun = Entry::Begun {
        format: 1,
        at,
        run: "run-1".to_owned(),
        owner: "anna".to_owned(),
        plan: Box::new(plan.clone()),
        conduct: Box::default(),
    };
    file.write(&begun).unwrap();
    drop(file);
    let whole = std::fs::read(&path).unwrap();
    assert!(FileJournal::create(&path).is_err(), "one that is there stays");
    std::fs::write(&path, [&whole[..], b"{\"entry\":\"step-beg"].concat()).unwrap();
    let (mut file, entries) = FileJournal::open(&path).unwrap();
    assert_eq!(entries, [begun]);
    file.write(&Entry::Resumed { at }).unwrap();
    drop(file);
    assert_eq!(FileJournal::open(&path).unwrap().1.len(), 2);

    let told = |bytes: &[u8]| read_journal(bytes).map(|_| ()).unwrap_err().to_string();
    assert!(told(b"").contains("found nothing"));
    assert!(told(b"{}\n").contains("line 1"));
    assert!(told(b"{\"entry\":\"resumed\",\"at\":\"2026-11-24T09:00:00Z\"}\n").contains("first line"));
    let text = String::from_utf8(whole).unwrap();
    assert!(told(text.replacen("\"format\":1", "\"format\":7", 1).as_bytes()).contains("format 7"));
    assert!(told(text.replacen("*:444", "*:443", 1).as_bytes()).contains("changed since"));
    assert!(told([&text, text.as_str()].concat().as_bytes()).contains("second beginning"));
    world.calm();
}
