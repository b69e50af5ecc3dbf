//! How a run treats servers around their steps: room first, the window, out of the balancer and back, a look and a pause
//! between two.

use std::collections::BTreeSet;
use std::time::Duration;

use exseal_engine::plan::words;
use exseal_model::inventory::first_label;
use jiff::Timestamp;

use crate::journal::{Entry, Journal};
use crate::port::{Host, Organisation, Probe};
use crate::run::{Runner, Told};
use crate::state::{State, StepState};
use crate::stop::Stop;

/// How often a person who waits is asked whether to go on waiting.
const SLICE: Duration = Duration::from_secs(2);

impl<O: Organisation, P: Probe, H: Host> Runner<'_, O, P, H> {
    /// Reads, before anything else, whether every server that has steps left has room.
    pub(crate) async fn look_for_room(&mut self, state: &State) -> Result<(), Stop> {
        let expected = state.conduct.free_disk_mib;
        if expected == 0 {
            return Ok(());
        }
        let left: BTreeSet<&str> = state
            .plan
            .steps
            .iter()
            .filter(|step| !matches!(state.step(step.number), StepState::Done(_) | StepState::LeftOut))
            .map(|step| step.change.server())
            .collect();
        for server in left {
            let free = self.organisation.room(server).await;
            let free = free.map_err(|fault| Stop::CannotReadRoom {
                server: server.to_owned(),
                fault,
            })?;
            let found = free >> 20;
            if found < u64::from(expected) {
                return Err(Stop::NoRoom {
                    server: server.to_owned(),
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Before the first step on a server: the window is open, and clients go elsewhere.
    pub(crate) async fn enter(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
    ) -> Result<(), Stop> {
        if let Some(window) = &state.conduct.window {
            let zone = self.host.zone(window.zone.as_deref()).map_err(Stop::Zone)?;
            if let Some(opens) = window.opens(self.host.now(), &zone) {
                return Err(Stop::Window {
                    server: server.to_owned(),
                    opens: if opens == Timestamp::MAX {
                        "never".to_owned()
                    } else {
                        opens.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string()
                    },
                });
            }
        }
        if state.conduct.drain.is_empty() {
            return Ok(());
        }
        let at = self.host.now();
        // From here on it may be drained, whatever becomes of the program.
        let drained = Entry::Drained {
            server: server.to_owned(),
            at,
        };
        self.write(state, journal, drained)?;
        let program = about(&state.conduct.drain, server);
        let Err(why) = self.host.program(&program).await else {
            return Ok(());
        };
        // What half a drain left is put back at once, where that works; where it does not, both reasons are told.
        match self.undrain(state, journal, server).await {
            Ok(()) => Err(Stop::Drain {
                server: server.to_owned(),
                why,
            }),
            Err(Stop::Undrain { server, why: also }) => Err(Stop::Undrain {
                server,
                why: format!("{also}; it had not drained: {why}"),
            }),
            Err(other) => Err(other),
        }
    }

    /// After the last step on a server and before the next server: clients come back, what they see is looked at again, and
    /// it is left alone for a while. `next` is the step that comes then.
    pub(crate) async fn leave(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
        next: u32,
    ) -> Result<(), Stop> {
        if state.drained.contains(server) {
            self.undrain(state, journal, server).await?;
        }
        self.look_again(state, server).await?;
        let mut left = Duration::from_secs(state.conduct.pause_seconds.into());
        let canary = state.conduct.canary.as_deref();
        if canary.is_some_and(|name| is_called(server, name)) {
            left = left.max(Duration::from_secs(60 * u64::from(state.conduct.soak_minutes)));
        }
        let waits = !left.is_zero();
        while !left.is_zero() {
            if !(self.told)(state, Told::Waits(server, left)) {
                return Err(Stop::Asked { step: next });
            }
            let slice = left.min(SLICE);
            self.host.wait(slice).await;
            left = left.saturating_sub(slice);
        }
        if waits {
            self.look_again(state, server).await?;
        }
        let at = self.host.now();
        let left = Entry::ServerLeft {
            server: server.to_owned(),
            at,
        };
        self.write(state, journal, left)
    }

    /// Puts back every server that is drained, or may be.
    pub(crate) async fn undrain_all(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
    ) -> Result<(), Stop> {
        for server in state.drained.clone() {
            self.undrain(state, journal, &server).await?;
        }
        Ok(())
    }

    async fn undrain(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
    ) -> Result<(), Stop> {
        let program = about(&state.conduct.undrain, server);
        let put = self.host.program(&program).await;
        put.map_err(|why| Stop::Undrain {
            server: server.to_owned(),
            why,
        })?;
        let at = self.host.now();
        let undrained = Entry::Undrained {
            server: server.to_owned(),
            at,
        };
        self.write(state, journal, undrained)
    }

    /// Looks again at what clients have to see of a server's steps that are done.
    async fn look_again(&mut self, state: &State, server: &str) -> Result<(), Stop> {
        for step in &state.plan.steps {
            if step.change.server() != server || !matches!(state.step(step.number), StepState::Done(_)) {
                continue;
            }
            if let Some((proof, found)) = self.unproven(state, step).await? {
                return Err(Stop::Unwell {
                    server: server.to_owned(),
                    expected: words::proof(&proof),
                    found,
                });
            }
        }
        Ok(())
    }
}

fn about(program: &[String], server: &str) -> Vec<String> {
    program
        .iter()
        .map(|word| word.replace("{server}", server))
        .collect()
}

fn is_called(shown: &str, name: &str) -> bool {
    shown.eq_ignore_ascii_case(name) || first_label(shown).eq_ignore_ascii_case(name)
}
