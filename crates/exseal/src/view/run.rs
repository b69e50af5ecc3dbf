//! Runs and journals for people.

use std::fmt::Write as _;

use exseal_engine::plan::words;
use exseal_run::{Effect, Entry, Fault, Seen, State, StepState, Verified};
use schemars::JsonSchema;
use serde::Serialize;

use super::paint::{self, BOLD, DIM, styled, wrapped};
use crate::context::Context;

/// What a line of the journal says, where a person who watches wants to know.
pub(crate) fn line(entry: &Entry, context: &Context) -> Option<String> {
    let at = |time| styled(DIM, &context.time(time));
    Some(match entry {
        Entry::Begun { at: time, run, .. } => format!("{} run {run} begins", at(*time)),
        Entry::Resumed { at: time } => format!("{} the run goes on", at(*time)),
        Entry::StepDone {
            step,
            at: time,
            already,
        } => {
            let how = if *already {
                "held already"
            } else {
                "done and proven"
            };
            format!("{} step {step}: {how}", at(*time))
        }
        Entry::StepLeftOut { step } => format!("step {step}: left out, nothing it is for was done"),
        Entry::StepFailed {
            step, effect, what, ..
        } => {
            let effect = match effect {
                Effect::None => "nothing was changed",
                Effect::Unknown => "whether it took effect is read now",
            };
            format!("step {step}: {what}; {effect}")
        }
        Entry::Made { step, thumbprint } => format!("step {step}: made {thumbprint}"),
        Entry::PutBack { step, .. } => format!("step {step}: a binding it had moved was put back"),
        Entry::Drained { server, at: time } => {
            format!("{} {server}: out of the balancer", at(*time))
        }
        Entry::Undrained { server, at: time } => {
            format!("{} {server}: back in the balancer", at(*time))
        }
        Entry::Maintenance {
            server,
            at: time,
            settings,
        } => {
            let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
            format!(
                "{} {server}: into maintenance: {}",
                at(*time),
                settings.join(", ")
            )
        }
        Entry::MaintenanceSkipped {
            server,
            at: time,
            why,
        } => format!(
            "{} {server}: not put into maintenance, for nobody can: Exchange's shell opens nowhere ({why})",
            at(*time)
        ),
        Entry::MaintenanceOver { server, at: time } => {
            format!("{} {server}: out of maintenance", at(*time))
        }
        Entry::ServerLeft { server, at: time } => {
            format!(
                "{} {server}: done, and clients still see what they should",
                at(*time)
            )
        }
        Entry::Back { at: time } => format!("{} the run is taken back", at(*time)),
        Entry::BackDone { step, at: time } => format!("{} step {step}: taken back", at(*time)),
        Entry::BackLeft { step, why } => format!("step {step}: stays, {why}"),
        Entry::StepBegun { .. } | Entry::BackBegun { .. } | Entry::Ended { .. } => return None,
    })
}

/// How a step stands.
fn stands(state: &StepState) -> String {
    match state {
        StepState::Open => "open".to_owned(),
        StepState::Begun => "begun; its effect is unknown until it is read".to_owned(),
        StepState::Failed(Effect::None, what) => format!("failed, nothing was changed: {what}"),
        StepState::Failed(Effect::Unknown, what) => format!("failed, its effect is unknown: {what}"),
        StepState::Done(true) => "held already".to_owned(),
        StepState::Done(false) => "done and proven".to_owned(),
        StepState::LeftOut => "left out".to_owned(),
        StepState::BackBegun => "being taken back".to_owned(),
        StepState::TakenBack => "taken back".to_owned(),
        StepState::Left(why) => format!("stays: {why}"),
    }
}

/// How a run stands, step by step.
pub(crate) fn journal_text(state: &State, entries: &[Entry], context: &Context) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}",
        styled(BOLD, &format!("run {} of plan {}", state.run, state.plan.id))
    );
    let begun = context.time(state.begun);
    let _ = writeln!(
        out,
        "{}",
        styled(
            DIM,
            &format!("begun {begun} by {}, {} lines", state.owner, entries.len())
        )
    );
    out.push_str(&steps(state, context));
    for words in out_of_service(state) {
        let _ = writeln!(out, "{words}");
    }
    out
}

/// The servers that are out of service for the run's sake, or may be, each in words.
pub(crate) fn out_of_service(state: &State) -> Vec<String> {
    let maintained = state.maintained.iter().map(|(server, settings)| {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        format!("{server} is in maintenance, or may be: {}", settings.join(", "))
    });
    let drained = state.drained.iter();
    let drained = drained.map(|server| format!("{server} is out of the balancer, or may be"));
    maintained.chain(drained).collect()
}

fn steps(state: &State, context: &Context) -> String {
    let mut out = String::new();
    for step in &state.plan.steps {
        let what = words::change(&step.change);
        let how = stands(&state.step(step.number));
        out.push_str(&wrapped(
            &format!("{} {}: {what}: {how}", step.number, step.change.server()),
            "  ",
            "      ",
            context.width,
        ));
        if let Some(made) = state.made.get(step.number) {
            let _ = writeln!(out, "      made {made}");
        }
    }
    out
}

/// How a run ended.
pub(crate) fn ended_text(state: &State, context: &Context) -> String {
    format!(
        "{}\n{}",
        styled(BOLD, &format!("run {} is over", state.run)),
        steps(state, context)
    )
}

/// One thing that was looked at again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Looked {
    /// The step of the plan it belongs to; null: of none.
    step: Option<u32>,
    /// The server, where no step says it.
    server: Option<String>,
    /// What should be, in words.
    what: String,
    /// Whether it is; null: it could not be looked at.
    pub(crate) holds: Option<bool>,
    /// What was found, or why it could not be looked at.
    found: String,
}

impl Looked {
    pub(crate) fn of_step(one: Verified) -> Self {
        Self {
            step: Some(one.step),
            server: None,
            ..Self::of(one.what, one.seen)
        }
    }

    pub(crate) fn of_server(server: &str, what: String, seen: Result<Seen, Fault>) -> Self {
        Self {
            server: Some(server.to_owned()),
            ..Self::of(what, seen)
        }
    }

    fn of(what: String, seen: Result<Seen, Fault>) -> Self {
        let (holds, found) = match seen {
            Ok(seen) => (Some(seen.holds), seen.found),
            Err(fault) => (None, fault.what),
        };
        Self {
            step: None,
            server: None,
            what,
            holds,
            found,
        }
    }
}

/// What was looked at, a line each.
pub(crate) fn looked_text(all: &[Looked], context: &Context) -> String {
    let mut out = String::new();
    let wrong = paint::severity(exseal_model::Severity::Error);
    for one in all {
        let place = match (one.step, &one.server) {
            (Some(step), _) => format!("step {step}: "),
            (None, Some(server)) => format!("{server}: "),
            (None, None) => String::new(),
        };
        let what = &one.what;
        let line = match one.holds {
            Some(true) => format!("ok     {place}{what}"),
            Some(false) => format!(
                "{} {place}expected that {what}, found {}",
                styled(wrong, "WRONG "),
                one.found
            ),
            None => format!("{} {place}whether {what}: {}", styled(wrong, "UNSEEN"), one.found),
        };
        out.push_str(&wrapped(&line, "", "       ", context.width));
    }
    if all.is_empty() {
        out.push_str("no step of this run is done\n");
    }
    out
}
