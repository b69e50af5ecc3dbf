//! What a journal says about a run.

use std::collections::{BTreeMap, BTreeSet};

use exseal_engine::ApplyPolicy;
use exseal_model::{Plan, Thumbprint};
use jiff::Timestamp;

use crate::journal::{Entry, JournalError, Outcome};
use crate::port::{Effect, Setting};

/// The certificates that steps made, by their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made(BTreeMap<u32, Thumbprint>);

impl Made {
    /// What a step made.
    #[must_use]
    pub fn get(&self, step: u32) -> Option<Thumbprint> {
        self.0.get(&step).copied()
    }
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not touched.
    Open,
    /// Begun, and nobody wrote how it ended.
    Begun,
    /// Its call failed, with what is known about the effect.
    Failed(Effect, String),
    /// Done; `true`: its effects held already and nothing was called.
    Done(bool),
    /// Left out.
    LeftOut,
    /// Being taken back, and nobody wrote how that ended.
    BackBegun,
    /// Taken back.
    TakenBack,
    /// Not taken back, and why.
    Left(String),
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is being applied, or was broken off while it was.
    Applying,
    /// It is being taken back, or was broken off while it was.
    TakingBack,
    /// Over.
    Ended(Outcome),
}

/// What a journal says about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The plan.
    pub plan: Plan,
    /// The run's name.
    pub run: String,
    /// Who began it.
    pub owner: String,
    /// When it began.
    pub begun: Timestamp,
    /// How it stands.
    pub phase: Phase,
    /// How servers are treated.
    pub conduct: ApplyPolicy,
    /// The certificates that were made.
    pub made: Made,
    /// Servers that are out of the balancer, or may be, in the order of their names.
    pub drained: BTreeSet<String>,
    /// What maintenance set on servers, or may have, by their names.
    pub maintained: BTreeMap<String, Vec<Setting>>,
    /// The server that is being worked on; `None`: none is, or the last one was left.
    pub at_work: Option<String>,
    serials: BTreeMap<u32, String>,
    steps: BTreeMap<u32, StepState>,
}

impl State {
    /// From the lines of a journal.
    ///
    /// # Errors
    ///
    /// [`JournalError::Order`]: the lines do not begin with a run, or speak of steps the plan does not have.
    pub fn of(entries: &[Entry]) -> Result<Self, JournalError> {
        let Some(Entry::Begun {
            at,
            run,
            owner,
            plan,
            conduct,
            ..
        }) = entries.first()
        else {
            return Err(JournalError::Order {
                expected: "the beginning of a run".to_owned(),
                found: "nothing of it".to_owned(),
            });
        };
        let mut state = Self::new(plan.as_ref().clone(), run.clone(), owner.clone(), *at);
        state.conduct.clone_from(conduct);
        for entry in entries.iter().skip(1) {
            state.take(entry)?;
        }
        Ok(state)
    }

    pub(crate) fn new(plan: Plan, run: String, owner: String, begun: Timestamp) -> Self {
        Self {
            plan,
            run,
            owner,
            begun,
            phase: Phase::Applying,
            conduct: ApplyPolicy::default(),
            made: Made::default(),
            drained: BTreeSet::new(),
            maintained: BTreeMap::new(),
            at_work: None,
            serials: BTreeMap::new(),
            steps: BTreeMap::new(),
        }
    }

    /// As if every step of a plan were done, with the certificates its steps made: what looking again needs where no journal is at
    /// hand.
    #[must_use]
    pub fn as_applied(plan: Plan, made: impl IntoIterator<Item = (u32, Thumbprint)>) -> Self {
        let begun = plan.made;
        let mut state = Self::new(plan, String::new(), String::new(), begun);
        state.made.0.extend(made);
        let numbers = state.plan.steps.iter().map(|step| step.number);
        state.steps = numbers.map(|number| (number, StepState::Done(false))).collect();
        state
    }

    /// How a step stands.
    #[must_use]
    pub fn step(&self, number: u32) -> StepState {
        self.steps.get(&number).cloned().unwrap_or(StepState::Open)
    }

    /// The serial number that was chosen for what a step makes.
    #[must_use]
    pub fn serial(&self, step: u32) -> Option<&str> {
        self.serials.get(&step).map(String::as_str)
    }

    /// Whether a step was carried out by this run, as far as the journal knows: done, and not found done.
    #[must_use]
    pub fn carried_out(&self, step: u32) -> bool {
        self.steps.get(&step) == Some(&StepState::Done(false))
    }

    pub(crate) fn take(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let (step, state) = match entry {
            Entry::Begun { .. }
            | Entry::Resumed { .. }
            | Entry::PutBack { .. }
            | Entry::MaintenanceSkipped { .. } => return Ok(()),
            Entry::Maintenance { server, settings, .. } => {
                self.maintained.insert(server.clone(), settings.clone());
                return Ok(());
            }
            Entry::MaintenanceOver { server, .. } => {
                self.maintained.remove(server);
                return Ok(());
            }
            Entry::Drained { server, .. } => {
                self.drained.insert(server.clone());
                return Ok(());
            }
            Entry::Undrained { server, .. } => {
                self.drained.remove(server);
                return Ok(());
            }
            Entry::ServerLeft { .. } => {
                self.at_work = None;
                return Ok(());
            }
            Entry::Back { .. } => {
                self.phase = Phase::TakingBack;
                return Ok(());
            }
            Entry::Ended { outcome, .. } => {
                self.phase = Phase::Ended(*outcome);
                return Ok(());
            }
            Entry::Made { step, thumbprint } => {
                // One step makes one certificate: a second, other one would be used by nobody knows which step.
                if let Some(first) = self.made.get(*step).filter(|first| first != thumbprint) {
                    return Err(JournalError::Order {
                        expected: format!("step {step} to have made {first} alone"),
                        found: thumbprint.to_string(),
                    });
                }
                self.made.0.insert(*step, *thumbprint);
                return Ok(());
            }
            Entry::StepBegun { step, serial, .. } => {
                if let Some(serial) = serial {
                    self.serials.insert(*step, serial.clone());
                }
                (step, StepState::Begun)
            }
            Entry::StepDone { step, already, .. } => (step, StepState::Done(*already)),
            Entry::StepLeftOut { step } => (step, StepState::LeftOut),
            Entry::StepFailed {
                step, effect, what, ..
            } => (step, StepState::Failed(*effect, what.clone())),
            Entry::BackBegun { step, .. } => (step, StepState::BackBegun),
            Entry::BackDone { step, .. } => (step, StepState::TakenBack),
            Entry::BackLeft { step, why } => (step, StepState::Left(why.clone())),
        };
        let Some(own) = self.plan.step(*step) else {
            return Err(JournalError::Order {
                expected: format!("one of the {} steps of the plan", self.plan.steps.len()),
                found: format!("step {step}"),
            });
        };
        if matches!(state, StepState::Begun) {
            self.at_work = Some(own.change.server().to_owned());
        }
        self.steps.insert(*step, state);
        Ok(())
    }
}
