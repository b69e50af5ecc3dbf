//! Apply, resume, roll back, verify.

use std::collections::BTreeSet;
use std::time::Duration;

use exseal_engine::ApplyPolicy;
use exseal_engine::plan::{call as call_of, expects, words};
use exseal_model::Plan;
use exseal_model::plan::{Argument, Change, Condition, Inverse, Proof, Step, Which};

use crate::journal::{Entry, JOURNAL_FORMAT, Journal, Outcome};
use crate::port::{Effect, Fault, Host, LockAnswer, LockFor, Organisation, Probe, Seen};
use crate::resolve::{self, NotMade};
use crate::state::{Made, Phase, State, StepState};
use crate::stop::Stop;

/// How many looks a proof has while its server is in maintenance.
const SHORTLY: u32 = 5;

/// How a run behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// For how long a lock is taken; it is renewed before every step.
    pub lock: Duration,
    /// How long effects and proofs are waited for, step by step of [`pause`](Self::pause).
    pub patience: Duration,
    /// Time between two looks.
    pub pause: Duration,
}

impl Default for Options {
    /// A quarter of an hour, two minutes, two seconds.
    fn default() -> Self {
        Self {
            lock: Duration::from_secs(900),
            patience: Duration::from_secs(120),
            pause: Duration::from_secs(2),
        }
    }
}

impl Options {
    /// How long something is waited for: what shows at once is looked at twice.
    fn patience_for(&self, condition: &Condition) -> Duration {
        if condition.shows_at_once() {
            self.patience.min(self.pause)
        } else {
            self.patience
        }
    }
}

/// One thing that was looked at by [`Runner::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The step it belongs to.
    pub step: u32,
    /// What should be, in words.
    pub what: String,
    /// What was found; `Err`: it could not be looked at.
    pub seen: Result<Seen, Fault>,
}

/// Carries out one plan over its ports.
pub struct Runner<'r, O, P, H> {
    /// The organisation.
    pub organisation: &'r mut O,
    /// The client's eye.
    pub probe: &'r mut P,
    /// Time and chance.
    pub host: &'r mut H,
    /// How.
    pub options: Options,
    /// Told of every line before the next thing is done: progress, and a person's no (`false` stops before the step that
    /// would be begun next).
    pub told: &'r mut dyn FnMut(&State, Told<'_>) -> bool,
}

/// What [`Runner::told`] is told.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A step comes next; `false` stops before it.
    Next(&'a Step),
    /// A line was written.
    Line(&'a Entry),
    /// A server is left alone before the next is begun, for so long yet; `false` stops there.
    Waits(&'a str, Duration),
}

impl<O: Organisation, P: Probe, H: Host> Runner<'_, O, P, H> {
    /// Applies a plan from its beginning. `run` names the run, `owner` who works.
    ///
    /// # Errors
    ///
    /// [`Stop`]: what was begun is in the journal; [`resume`](Self::resume) goes on, [`roll_back`](Self::roll_back) takes it back.
    pub async fn apply(
        &mut self,
        plan: &Plan,
        run: &str,
        owner: &str,
        journal: &mut impl Journal,
    ) -> Result<State, Stop> {
        let conduct = ApplyPolicy::default();
        self.apply_with(plan, &conduct, run, owner, journal).await
    }

    /// The same, treating servers as a policy says; the journal keeps it for going on and taking back.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub async fn apply_with(
        &mut self,
        plan: &Plan,
        conduct: &ApplyPolicy,
        run: &str,
        owner: &str,
        journal: &mut impl Journal,
    ) -> Result<State, Stop> {
        let at = self.host.now();
        let mut state = State::new(plan.clone(), run.to_owned(), owner.to_owned(), at);
        state.conduct = conduct.clone();
        self.look_for_own_room(&state).await?;
        journal.write(&Entry::Begun {
            format: JOURNAL_FORMAT,
            at,
            run: run.to_owned(),
            owner: owner.to_owned(),
            plan: Box::new(plan.clone()),
            conduct: Box::new(conduct.clone()),
        })?;
        self.go_on(&mut state, journal).await?;
        Ok(state)
    }

    /// Goes on with a run that was broken off. What was begun is read first; nothing that holds is done twice.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply); [`Stop::Phase`] for a run that is being taken back or is over.
    pub async fn resume(&mut self, mut state: State, journal: &mut impl Journal) -> Result<State, Stop> {
        let found = match state.phase {
            Phase::Applying => None,
            Phase::TakingBack => Some("that is being taken back"),
            Phase::Ended(_) => Some("that is over"),
        };
        if let Some(found) = found {
            return Err(Stop::Phase {
                expected: "that was broken off",
                found,
            });
        }
        self.look_for_own_room(&state).await?;
        let at = self.host.now();
        self.write(&mut state, journal, Entry::Resumed { at })?;
        self.go_on(&mut state, journal).await?;
        Ok(state)
    }

    /// Takes a run back, the last step first: one that is over, or one that was broken off, also while it was taken back.
    ///
    /// Steps that cannot be taken back, or whose values somebody moved since, stay; [`State::step`] says why.
    ///
    /// # Errors
    ///
    /// [`Stop`]: calling it again goes on.
    pub async fn roll_back(&mut self, mut state: State, journal: &mut impl Journal) -> Result<State, Stop> {
        if state.phase == Phase::Ended(Outcome::TakenBack) {
            return Err(Stop::Phase {
                expected: "that can be taken back",
                found: "that was taken back",
            });
        }
        let at = self.host.now();
        self.write(&mut state, journal, Entry::Back { at })?;
        let mut locked = BTreeSet::new();
        let result = self.all_back(&mut state, journal, &mut locked).await;
        self.give_back_at_end(&state, &mut locked, result.is_ok()).await;
        result?;
        let at = self.host.now();
        let outcome = Outcome::TakenBack;
        self.write(&mut state, journal, Entry::Ended { at, outcome })?;
        Ok(state)
    }

    /// Looks again at everything the steps that are done should have brought about. Changes nothing.
    pub async fn verify(&mut self, state: &State) -> Vec<Verified> {
        let mut all = Vec::new();
        let done = |step: &&Step| matches!(state.step(step.number), StepState::Done(_));
        // What a later step moved on is that step's to show.
        let steps: Vec<&Step> = state.plan.steps.iter().filter(done).collect();
        for (at, step) in steps.iter().enumerate() {
            let later = steps.get(at + 1..).unwrap_or_default();
            for effect in &step.effects {
                let moved_on = |other: &&Step| other.effects.iter().any(|own| is_about_the_same(own, effect));
                if later.iter().any(moved_on) {
                    continue;
                }
                let seen = match resolve::condition(effect, &state.made) {
                    Ok(effect) => self.organisation.holds(&effect).await,
                    Err(error) => Ok(unmade(error)),
                };
                all.push(Verified {
                    step: step.number,
                    what: words::condition(&resolved(effect, &state.made)),
                    seen,
                });
            }
            for proof in &step.proofs {
                let (what, seen) = match resolve::proof(proof, &state.made) {
                    Ok(proof) => (words::proof(&proof), self.probe.look(&proof).await),
                    Err(error) => (words::proof(proof), Ok(unmade(error))),
                };
                all.push(Verified {
                    step: step.number,
                    what,
                    seen,
                });
            }
        }
        all
    }

    async fn go_on(&mut self, state: &mut State, journal: &mut impl Journal) -> Result<(), Stop> {
        let mut locked = BTreeSet::new();
        let result = self.all_steps(state, journal, &mut locked).await;
        self.give_back_at_end(state, &mut locked, result.is_ok()).await;
        result?;
        let at = self.host.now();
        let outcome = Outcome::Applied;
        self.write(state, journal, Entry::Ended { at, outcome })
    }

    async fn all_steps(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        locked: &mut BTreeSet<String>,
    ) -> Result<(), Stop> {
        self.look_for_room(state).await?;
        let mut entered: Option<String> = None;
        for step in state.plan.steps.clone() {
            match state.step(step.number) {
                StepState::Done(_) | StepState::LeftOut => continue,
                _ => {}
            }
            if !step.only_after.is_empty() && !step.only_after.iter().any(|own| state.carried_out(*own)) {
                let number = step.number;
                self.write(state, journal, Entry::StepLeftOut { step: number })?;
                continue;
            }
            // One server after the other: its clients come back and its lock is given back before the next is taken.
            let server = step.change.server().to_owned();
            let before = state.at_work.clone().filter(|before| *before != server);
            if let Some(before) = &before {
                self.come_back(state, journal, before).await?;
            }
            if !locked.contains(&server) {
                self.give_back(state, locked).await;
                locked.clear();
            }
            if let Some(before) = &before {
                self.leave(state, journal, before, step.number).await?;
            }
            if !(self.told)(state, Told::Next(&step)) {
                return Err(Stop::Asked { step: step.number });
            }
            self.lock(state, &server).await?;
            locked.insert(server.clone());
            if state.at_work.as_ref() != Some(&server) {
                self.enter(state, journal, &server).await?;
                // What took its time there is not taken from the step.
                self.lock(state, &server).await?;
            } else if entered.as_ref() != Some(&server) && state.maintained.contains_key(&server) {
                // Broken off and gone on with: what may have been set is set.
                self.maintain(state, journal, &server).await?;
            }
            entered = Some(server);
            self.one_step(state, journal, &step).await?;
        }
        self.all_come_back(state, journal).await
    }

    async fn one_step(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        step: &Step,
    ) -> Result<(), Stop> {
        let number = step.number;
        let was = state.step(number);
        if !step.change.makes_certificate() {
            // A restart leaves no mark: what was begun and not ended is done again.
            let marked = !matches!(step.change, Change::RestartService { .. });
            if marked && self.missing(state, step).await?.is_none() {
                // What never began, or failed without effect, somebody else brought about.
                let already = matches!(was, StepState::Open | StepState::Failed(Effect::None, _));
                return self.finish(state, journal, step, already).await;
            }
            self.preconditions(state, step).await?;
        } else if let Some(serial) = state.serial(number).map(str::to_owned) {
            // What a lost reply made is found by its serial number.
            if self.fix_made(state, journal, step, &serial).await? {
                return self.finish(state, journal, step, false).await;
            }
            self.preconditions(state, step).await?;
        } else {
            self.preconditions(state, step).await?;
        }

        let serial = match state.serial(number) {
            Some(serial) => Some(serial.to_owned()),
            None => step.change.makes_certificate().then(|| self.host.serial()),
        };
        let at = self.host.now();
        let begun = Entry::StepBegun {
            step: number,
            at,
            serial: serial.clone(),
        };
        self.write(state, journal, begun)?;
        self.call(state, journal, step, serial.as_deref()).await?;
        if let Some(serial) = &serial
            && !self.fix_made(state, journal, step, serial).await?
        {
            return Err(Stop::NoEffect {
                step: number,
                expected: made_in_words(step),
                found: "no certificate of that serial number".to_owned(),
            });
        }
        self.finish(state, journal, step, false).await
    }

    /// Calls once; where nobody knows whether it took effect, reads, and calls once more if it did not.
    async fn call(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        step: &Step,
        serial: Option<&str>,
    ) -> Result<(), Stop> {
        let number = step.number;
        let mut call = resolve::call(&step.call, &state.made).map_err(|error| not_made(number, error))?;
        if let Some(serial) = serial {
            let serial = Argument::Text(serial.to_owned());
            call.arguments.insert("Serial".to_owned(), serial);
        }
        for again in [false, true] {
            let Err(fault) = self.organisation.call(&call).await else {
                return Ok(());
            };
            let at = self.host.now();
            let failed = Entry::StepFailed {
                step: number,
                at,
                effect: fault.effect,
                what: fault.what.clone(),
            };
            self.write(state, journal, failed)?;
            if fault.effect == Effect::None {
                return Err(Stop::Failed { step: number, fault });
            }
            let took = match serial {
                Some(serial) => {
                    let server = step.change.server();
                    let made = self.organisation.by_serial(server, serial).await;
                    made.map_err(|fault| cannot_read(number, made_in_words(step), fault))?
                        .is_some()
                }
                None if matches!(step.change, Change::RestartService { .. }) => false,
                None => self.missing(state, step).await?.is_none(),
            };
            if took {
                return Ok(());
            }
            if again {
                return Err(Stop::Failed { step: number, fault });
            }
            // Nothing of it holds; only if everything is as it was before is it tried once more. A service that a restart
            // left stopped is started by the same call.
            if !matches!(step.change, Change::RestartService { .. }) {
                self.preconditions(state, step).await?;
            }
        }
        Ok(())
    }

    /// Effects, guards, proofs; then the step is done. One that is not proven is taken back.
    async fn finish(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        step: &Step,
        already: bool,
    ) -> Result<(), Stop> {
        let number = step.number;
        self.wait_for_effects(state, step).await?;
        self.put_back(state, journal, step).await?;
        let maintained = state.maintained.contains_key(step.change.server());
        let patience = if maintained {
            self.options.patience.min(self.options.pause * SHORTLY)
        } else {
            self.options.patience
        };
        let mut unproven = self.unproven_within(state, step, patience).await?;
        if unproven.is_some() && maintained {
            // What maintenance took out of service may be what is not seen, and no waiting shows it: it is over for this server.
            self.end_maintenance(state, journal, step.change.server()).await?;
            unproven = self.unproven(state, step).await?;
        }
        if let Some((proof, found)) = unproven {
            let taken_back = if already {
                false
            } else {
                let at = self.host.now();
                self.write(state, journal, Entry::BackBegun { step: number, at })?;
                self.one_back(state, journal, step).await?
            };
            return Err(Stop::NotProven {
                step: number,
                expected: words::proof(&proof),
                found,
                taken_back,
            });
        }
        let at = self.host.now();
        let done = Entry::StepDone {
            step: number,
            at,
            already,
        };
        self.write(state, journal, done)
    }

    async fn wait_for_effects(&mut self, state: &State, step: &Step) -> Result<(), Stop> {
        let mut waited = Duration::ZERO;
        loop {
            let Some((expected, found)) = self.missing(state, step).await? else {
                return Ok(());
            };
            if waited >= self.options.patience_for(&expected) {
                return Err(Stop::NoEffect {
                    step: step.number,
                    expected: words::condition(&expected),
                    found,
                });
            }
            self.host.wait(self.options.pause).await;
            waited += self.options.pause;
        }
    }

    /// Puts back what must not have moved; what it was moved to is read first.
    async fn put_back(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        step: &Step,
    ) -> Result<(), Stop> {
        let number = step.number;
        for (at, guard) in step.keeps.iter().enumerate() {
            let condition = resolve::condition(&guard.condition, &state.made);
            let condition = condition.map_err(|error| not_made(number, error))?;
            let seen = self.read(number, &condition).await?;
            if seen.holds {
                continue;
            }
            let Change::BindCertificate { server, endpoint, .. } = &guard.restore else {
                return Err(moved(number, &condition, seen));
            };
            let found = self.organisation.bound(server, endpoint).await;
            let found = found.map_err(|fault| cannot_read(number, words::condition(&condition), fault))?;
            let mut restore = guard.restore.clone();
            if let Change::BindCertificate { instead_of, .. } = &mut restore {
                *instead_of = found.map(Which::Known);
            }
            let call = resolve::call(&call_of(&restore), &state.made);
            let call = call.map_err(|error| not_made(number, error))?;
            // What fails here is seen in the reading behind it.
            let failed = self.organisation.call(&call).await.err();
            let seen = self.read(number, &condition).await?;
            if !seen.holds {
                let found = failed.map_or(seen.found, |fault| fault.what);
                return Err(Stop::NoEffect {
                    step: number,
                    expected: words::condition(&condition),
                    found,
                });
            }
            let put = Entry::PutBack {
                step: number,
                guard: at,
            };
            self.write(state, journal, put)?;
        }
        Ok(())
    }

    /// The first proof that a client does not see, after waiting for it.
    pub(crate) async fn unproven(
        &mut self,
        state: &State,
        step: &Step,
    ) -> Result<Option<(Proof, String)>, Stop> {
        let patience = self.options.patience;
        self.unproven_within(state, step, patience).await
    }

    async fn unproven_within(
        &mut self,
        state: &State,
        step: &Step,
        patience: Duration,
    ) -> Result<Option<(Proof, String)>, Stop> {
        let mut waited = Duration::ZERO;
        for proof in &step.proofs {
            let proof = resolve::proof(proof, &state.made).map_err(|error| not_made(step.number, error))?;
            loop {
                // A look that fails is no proof, and may be one a moment later: a service has only just begun to listen.
                let found = match self.probe.look(&proof).await {
                    Ok(seen) if seen.holds => break,
                    Ok(seen) => seen.found,
                    Err(fault) => fault.what,
                };
                if waited >= patience {
                    return Ok(Some((proof, found)));
                }
                self.host.wait(self.options.pause).await;
                waited += self.options.pause;
            }
        }
        Ok(None)
    }

    async fn all_back(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        locked: &mut BTreeSet<String>,
    ) -> Result<(), Stop> {
        for step in state.plan.steps.clone().iter().rev() {
            match state.step(step.number) {
                // Not ours, or dealt with already.
                StepState::Open
                | StepState::LeftOut
                | StepState::Done(true)
                | StepState::TakenBack
                | StepState::Left(_)
                | StepState::Failed(Effect::None, _) => continue,
                StepState::Begun
                | StepState::Failed(Effect::Unknown, _)
                | StepState::Done(false)
                | StepState::BackBegun => {}
            }
            let server = step.change.server().to_owned();
            if !locked.contains(&server) {
                self.give_back(state, locked).await;
                locked.clear();
            }
            self.lock(state, &server).await?;
            locked.insert(server);
            if let Some(serial) = state.serial(step.number).map(str::to_owned) {
                // What it made may be there though nobody wrote it down.
                self.fix_made(state, journal, step, &serial).await?;
            }
            let at = self.host.now();
            let begun = Entry::BackBegun {
                step: step.number,
                at,
            };
            self.write(state, journal, begun)?;
            self.one_back(state, journal, step).await?;
        }
        self.all_come_back(state, journal).await
    }

    /// Takes one step back; `false`: it stays, and the journal says why.
    async fn one_back(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        step: &Step,
    ) -> Result<bool, Stop> {
        let number = step.number;
        let inverse = match &step.inverse {
            Inverse::Change(change) => change,
            Inverse::Nothing(why) | Inverse::Irreversible(why) => {
                let left = Entry::BackLeft {
                    step: number,
                    why: why.clone(),
                };
                self.write(state, journal, left)?;
                return Ok(false);
            }
        };
        if step.change.makes_certificate() && state.made.get(number).is_none() {
            // It was begun, and nothing came of it.
            let at = self.host.now();
            self.write(state, journal, Entry::BackDone { step: number, at })?;
            return Ok(true);
        }
        let inverse = resolve::change(inverse, &state.made).map_err(|error| not_made(number, error))?;
        let (before, after) = expects(&inverse);
        let mut tried = false;
        loop {
            if self.first_missing(number, &after).await?.is_none() {
                let at = self.host.now();
                self.write(state, journal, Entry::BackDone { step: number, at })?;
                return Ok(true);
            }
            let missing = match self.first_missing(number, &before).await {
                Err(Stop::CannotRead { .. }) if matches!(inverse, Change::DiscardCertificate { .. }) => {
                    // Where Exchange's shell is dead nobody can tell for long whether what was made is in use: it stays then.
                    self.host.wait(self.options.pause).await;
                    match self.first_missing(number, &before).await {
                        Err(Stop::CannotRead { what, fault, .. }) => {
                            // A server that does not answer at all is another matter, and stops.
                            self.first_missing(number, &after).await?;
                            let why = format!("{what} could not be read: {fault}");
                            self.write(state, journal, Entry::BackLeft { step: number, why })?;
                            return Ok(false);
                        }
                        read => read?,
                    }
                }
                read => read?,
            };
            if let Some((expected, found)) = missing {
                let why = format!("expected that {}, found {found}", words::condition(&expected));
                self.write(state, journal, Entry::BackLeft { step: number, why })?;
                return Ok(false);
            }
            match self.organisation.call(&call_of(&inverse)).await {
                Ok(()) => {
                    let mut waited = Duration::ZERO;
                    while let Some((missing, _)) = self.first_missing(number, &after).await? {
                        if waited >= self.options.patience_for(&missing) {
                            let why = "the call gave no error and had no effect".to_owned();
                            self.write(state, journal, Entry::BackLeft { step: number, why })?;
                            return Ok(false);
                        }
                        self.host.wait(self.options.pause).await;
                        waited += self.options.pause;
                    }
                }
                Err(fault) if fault.effect == Effect::Unknown && !tried => tried = true,
                Err(fault) => return Err(Stop::Failed { step: number, fault }),
            }
        }
    }

    async fn preconditions(&mut self, state: &State, step: &Step) -> Result<(), Stop> {
        for condition in &step.preconditions {
            let condition = resolve::condition(condition, &state.made);
            let condition = condition.map_err(|error| not_made(step.number, error))?;
            let seen = self.read(step.number, &condition).await?;
            if !seen.holds {
                return Err(moved(step.number, &condition, seen));
            }
        }
        Ok(())
    }

    /// The first effect that does not hold.
    async fn missing(&mut self, state: &State, step: &Step) -> Result<Option<(Condition, String)>, Stop> {
        let effects: Result<Vec<Condition>, NotMade> = step
            .effects
            .iter()
            .map(|effect| resolve::condition(effect, &state.made))
            .collect();
        let effects = effects.map_err(|error| not_made(step.number, error))?;
        self.first_missing(step.number, &effects).await
    }

    async fn first_missing(
        &mut self,
        step: u32,
        conditions: &[Condition],
    ) -> Result<Option<(Condition, String)>, Stop> {
        for condition in conditions {
            let seen = self.read(step, condition).await?;
            if !seen.holds {
                return Ok(Some((condition.clone(), seen.found)));
            }
        }
        Ok(None)
    }

    async fn read(&mut self, step: u32, condition: &Condition) -> Result<Seen, Stop> {
        let seen = self.organisation.holds(condition).await;
        seen.map_err(|fault| cannot_read(step, words::condition(condition), fault))
    }

    /// Fixes what a step made in the journal; `false`: no certificate has its serial number.
    async fn fix_made(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        step: &Step,
        serial: &str,
    ) -> Result<bool, Stop> {
        let number = step.number;
        let made = self.organisation.by_serial(step.change.server(), serial).await;
        let made = made.map_err(|fault| cannot_read(number, made_in_words(step), fault))?;
        let Some(thumbprint) = made else {
            return Ok(false);
        };
        if state.made.get(number) != Some(thumbprint) {
            let made = Entry::Made {
                step: number,
                thumbprint,
            };
            self.write(state, journal, made)?;
        }
        Ok(true)
    }

    async fn lock(&mut self, state: &State, server: &str) -> Result<(), Stop> {
        let lock = self.lock_for(state);
        match self.organisation.lock(server, &lock).await {
            Ok(LockAnswer::Ours) => Ok(()),
            Ok(LockAnswer::Theirs(holder)) => Err(Stop::Locked {
                server: server.to_owned(),
                holder,
            }),
            Err(fault) => {
                // It may have been taken all the same.
                let _ = self.organisation.unlock(server, &lock).await;
                Err(Stop::CannotLock {
                    server: server.to_owned(),
                    fault,
                })
            }
        }
    }

    /// A run that is over has no lock left anywhere, also not one that an earlier part of it took and did not live to give back.
    async fn give_back_at_end(&mut self, state: &State, locked: &mut BTreeSet<String>, over: bool) {
        if over {
            locked.extend(
                state
                    .plan
                    .steps
                    .iter()
                    .map(|step| step.change.server().to_owned()),
            );
        }
        self.give_back(state, locked).await;
    }

    async fn give_back(&mut self, state: &State, locked: &BTreeSet<String>) {
        for server in locked {
            let lock = self.lock_for(state);
            let mut given = self.organisation.unlock(server, &lock).await;
            if given.is_err() {
                given = self.organisation.unlock(server, &lock).await;
            }
            // One that cannot be given back ends by its time.
            if let Err(fault) = given {
                tracing::warn!(server, %fault, "The lock could not be given back; it ends by its time");
            }
        }
    }

    fn lock_for<'s>(&self, state: &'s State) -> LockFor<'s> {
        LockFor {
            owner: &state.owner,
            plan: &state.plan.id,
            run: &state.run,
            time: self.options.lock,
        }
    }

    pub(crate) fn write(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        entry: Entry,
    ) -> Result<(), Stop> {
        journal.write(&entry)?;
        state.take(&entry)?;
        (self.told)(state, Told::Line(&entry));
        Ok(())
    }
}

/// A condition as far as it can be told which certificates it speaks of.
fn resolved(condition: &Condition, made: &Made) -> Condition {
    resolve::condition(condition, made).unwrap_or_else(|_| condition.clone())
}

/// What is seen of a certificate that nobody finds.
fn unmade(error: NotMade) -> Seen {
    Seen {
        holds: false,
        found: format!("no certificate that step {} would have made", error.0),
    }
}

fn cannot_read(step: u32, what: String, fault: Fault) -> Stop {
    Stop::CannotRead { step, what, fault }
}

/// What is there when the certificate of a step is.
fn made_in_words(step: &Step) -> String {
    let effect = step.effects.first().map(words::condition);
    effect.unwrap_or_else(|| words::change(&step.change))
}

const fn not_made(step: u32, error: NotMade) -> Stop {
    Stop::NotMade { step, maker: error.0 }
}

fn moved(step: u32, condition: &Condition, seen: Seen) -> Stop {
    Stop::Moved {
        step,
        expected: words::condition(condition),
        found: seen.found,
    }
}

/// Whether two conditions are about one value, whatever it is.
fn is_about_the_same(one: &Condition, other: &Condition) -> bool {
    match (one, other) {
        (
            Condition::Bound { server, endpoint, .. },
            Condition::Bound {
                server: s,
                endpoint: e,
                ..
            },
        ) => server == s && endpoint == e,
        (Condition::InternalTransport { server, .. }, Condition::InternalTransport { server: s, .. }) => {
            server == s
        }
        (
            Condition::ServiceRuns { server, service, .. },
            Condition::ServiceRuns {
                server: s,
                service: v,
                ..
            },
        )
        | (
            Condition::ServiceStart { server, service, .. },
            Condition::ServiceStart {
                server: s,
                service: v,
                ..
            },
        ) => server == s && service == v,
        (
            Condition::InStore {
                server,
                store,
                certificate,
                ..
            },
            Condition::NotInStore {
                server: s,
                store: t,
                certificate: c,
            },
        )
        | (
            Condition::NotInStore {
                server,
                store,
                certificate,
            },
            Condition::InStore {
                server: s,
                store: t,
                certificate: c,
                ..
            },
        ) => server == s && store == t && certificate == c,
        _ => false,
    }
}
