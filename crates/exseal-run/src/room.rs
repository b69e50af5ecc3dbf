//! Room for the journal: a run whose journal cannot grow would stop somewhere in its middle.

use crate::port::{Host, Organisation, Probe};
use crate::run::Runner;
use crate::state::State;
use crate::stop::Stop;

impl<O: Organisation, P: Probe, H: Host> Runner<'_, O, P, H> {
    /// Reads, before the journal's next line, whether the machine that writes it has room. A run that is taken back is never
    /// held up by this.
    pub(crate) async fn look_for_own_room(&mut self, state: &State) -> Result<(), Stop> {
        let expected = state.conduct.free_disk_mib;
        if expected == 0 {
            return Ok(());
        }
        let found = self.host.room().await.map_err(Stop::CannotReadOwnRoom)? >> 20;
        if found < u64::from(expected) {
            return Err(Stop::NoOwnRoom { expected, found });
        }
        Ok(())
    }
}
