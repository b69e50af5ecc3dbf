//! What earlier versions wrote, kept: it loads for ever.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

use exseal_model::Plan;
use exseal_run::{Entry, Outcome, Phase, State, StepState, read_journal};

/// A plan and a journal as the first version of each format was written: they load for ever.
#[test]
fn a_plan_and_a_journal_of_the_first_format_load() {
    let plan = Plan::from_json(include_bytes!("data/plan-1.json")).unwrap();
    assert_eq!((plan.format, plan.steps.len()), (1, 6));
    let (entries, whole) = read_journal(include_bytes!("data/journal-1.journal")).unwrap();
    assert_eq!(whole, include_bytes!("data/journal-1.journal").len());
    let state = State::of(&entries).unwrap();
    assert_eq!(state.plan, plan);
    assert_eq!(state.phase, Phase::Ended(Outcome::TakenBack));
    assert_eq!(state.step(2), StepState::TakenBack);
    assert!(matches!(state.step(6), StepState::Left(_)));
    assert!(state.made.get(1).is_some());
}

/// The same of a journal whose run drained its servers, had them in maintenance, met faults and was taken back.
#[test]
fn a_journal_of_servers_that_were_treated_loads() {
    let bytes = include_bytes!("data/journal-1-treated.journal");
    let (entries, whole) = read_journal(bytes).unwrap();
    assert_eq!((whole, entries.len()), (bytes.len(), 66));
    let count = |kind: fn(&Entry) -> bool| entries.iter().filter(|own| kind(own)).count();
    assert_eq!(count(|own| matches!(own, Entry::Drained { .. })), 2);
    assert_eq!(count(|own| matches!(own, Entry::Undrained { .. })), 2);
    assert_eq!(
        count(|own| matches!(own, Entry::Maintenance { settings, .. } if settings.len() == 3)),
        2
    );
    assert_eq!(count(|own| matches!(own, Entry::MaintenanceOver { .. })), 2);
    assert_eq!(count(|own| matches!(own, Entry::StepFailed { .. })), 3);
    let state = State::of(&entries).unwrap();
    assert_eq!(state.conduct.canary.as_deref(), Some("EX2"));
    assert_eq!(state.phase, Phase::Ended(Outcome::TakenBack));
    assert!(state.drained.is_empty() && state.maintained.is_empty());
}
