//! How a run treats servers around their steps: room first, the window, out of the balancer and into maintenance, and back, a
//! look and a pause between two.

use std::collections::BTreeSet;
use std::time::Duration;

use exseal_engine::plan::words;
use exseal_model::inventory::is_meant_by;
use jiff::Timestamp;

use crate::journal::{Entry, Journal};
use crate::port::{Effect, Host, Organisation, Probe, Setting, Turn};
use crate::run::{Runner, Told};
use crate::state::{State, StepState};
use crate::stop::Stop;

/// How often a person who waits is asked whether to go on waiting.
const SLICE: Duration = Duration::from_secs(2);
/// How often databases on their way are looked at.
const LOOK: Duration = Duration::from_secs(5);

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
        self.drain(state, journal, server).await?;
        self.maintain(state, journal, server).await
    }

    async fn drain(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
    ) -> Result<(), Stop> {
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

    /// Puts a server into maintenance, or goes on with it where the journal says that it was begun: what the journal names is set
    /// once more, and what was found set by others is never among it.
    pub(crate) async fn maintain(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
    ) -> Result<(), Stop> {
        let Some(wished) = state.conduct.maintenance.clone() else {
            return Ok(());
        };
        let not_begun = |why: String| Stop::Maintenance {
            server: server.to_owned(),
            why,
        };
        let settings = if let Some(known) = state.maintained.get(server) {
            known.clone()
        } else {
            let read = self.organisation.settings(server, &wished).await;
            let read = read.map_err(|fault| not_begun(fault.what))?;
            let at = self.host.now();
            let server = server.to_owned();
            match read {
                Ok(settings) if settings.is_empty() => return Ok(()),
                Ok(settings) => {
                    let begun = Entry::Maintenance {
                        server,
                        at,
                        settings: settings.clone(),
                    };
                    self.write(state, journal, begun)?;
                    settings
                }
                // A dead shell serves nobody, and what ends an outage does not wait for it.
                Err(why) => {
                    return self.write(state, journal, Entry::MaintenanceSkipped { server, at, why });
                }
            }
        };
        let Err(why) = self.set_out(server, &settings, wished.minutes).await else {
            return Ok(());
        };
        // As with half a drain: what was set is set back at once, where that works.
        match self.end_maintenance(state, journal, server).await {
            Ok(()) => Err(not_begun(why)),
            Err(Stop::StillMaintained {
                server,
                setting,
                why: also,
            }) => Err(Stop::StillMaintained {
                server,
                setting,
                why: format!("{also}; it had not been put into maintenance: {why}"),
            }),
            Err(other) => Err(other),
        }
    }

    /// Sets everything; databases are waited for before the first component goes.
    async fn set_out(&mut self, server: &str, settings: &[Setting], minutes: u32) -> Result<(), String> {
        let is_component = |setting: &&Setting| matches!(setting, Setting::Component { .. });
        let moves = settings.iter().filter(|own| !is_component(own));
        for setting in moves.clone() {
            self.set_once(server, setting, Turn::Out).await?;
        }
        if moves.clone().any(|own| *own == Setting::MoveDatabases) {
            let mut left = Duration::from_secs(60 * u64::from(minutes));
            loop {
                let active = self.organisation.active_databases(server).await;
                let active = active.map_err(|fault| fault.what)?;
                if active.is_empty() {
                    break;
                }
                if left.is_zero() {
                    return Err(format!(
                        "expected no active database copy within {minutes} min, found {}",
                        active.join(", ")
                    ));
                }
                let slice = left.min(LOOK);
                self.host.wait(slice).await;
                left = left.saturating_sub(slice);
            }
        }
        for setting in settings.iter().filter(is_component) {
            self.set_once(server, setting, Turn::Out).await?;
        }
        Ok(())
    }

    /// Sets one thing, and once more where nobody knows whether it took effect.
    async fn set_once(&mut self, server: &str, setting: &Setting, turn: Turn) -> Result<(), String> {
        let mut set = self.organisation.set(server, setting, turn).await;
        if set.as_ref().is_err_and(|fault| fault.effect == Effect::Unknown) {
            set = self.organisation.set(server, setting, turn).await;
        }
        set.map_err(|fault| fault.what)
    }

    /// Sets back what maintenance set, the last first. A shell that only comes up again is waited for.
    pub(crate) async fn end_maintenance(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
    ) -> Result<(), Stop> {
        let Some(settings) = state.maintained.get(server).cloned() else {
            return Ok(());
        };
        let mut waited = Duration::ZERO;
        for setting in settings.iter().rev() {
            while let Err(why) = self.set_once(server, setting, Turn::Back).await {
                if waited >= self.options.patience {
                    return Err(Stop::StillMaintained {
                        server: server.to_owned(),
                        setting: setting.to_string(),
                        why,
                    });
                }
                self.host.wait(self.options.pause).await;
                waited += self.options.pause;
            }
        }
        let over = Entry::MaintenanceOver {
            server: server.to_owned(),
            at: self.host.now(),
        };
        self.write(state, journal, over)
    }

    /// Clients come back to a server: maintenance is over, then the balancer is told.
    pub(crate) async fn come_back(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
    ) -> Result<(), Stop> {
        self.end_maintenance(state, journal, server).await?;
        if state.drained.contains(server) {
            self.undrain(state, journal, server).await?;
        }
        Ok(())
    }

    /// After clients came back to a server and before the next one: what they see is looked at again, and
    /// it is left alone for a while. `next` is the step that comes then.
    pub(crate) async fn leave(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
        server: &str,
        next: u32,
    ) -> Result<(), Stop> {
        self.look_again(state, server).await?;
        let mut left = Duration::from_secs(state.conduct.pause_seconds.into());
        let canary = state.conduct.canary.as_deref();
        if canary.is_some_and(|name| is_meant_by(server, name)) {
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

    /// Puts back every server that is in maintenance or drained, or may be.
    pub(crate) async fn all_come_back(
        &mut self,
        state: &mut State,
        journal: &mut impl Journal,
    ) -> Result<(), Stop> {
        let maintained = state.maintained.keys();
        let all: BTreeSet<String> = maintained.chain(&state.drained).cloned().collect();
        for server in all {
            self.come_back(state, journal, &server).await?;
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
