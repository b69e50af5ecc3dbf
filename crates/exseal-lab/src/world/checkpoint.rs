//! Checkpoints: the whole organisation as it is, kept under a name, and as it was again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ServerName, World};

/// What was kept, and how often something of it was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checkpoints {
    kept: BTreeMap<String, Arc<World>>,
    lives: u64,
}

impl World {
    /// Keeps everything as it is under a name; one of that name before is gone.
    ///
    /// Waiting questions are not kept: whoever was asked is not there when it is taken back.
    pub fn checkpoint(&mut self, name: &str) {
        let mut kept = self.clone();
        kept.pending.clear();
        kept.checkpoints = Checkpoints::default();
        self.checkpoints.kept.insert(name.to_owned(), Arc::new(kept));
    }

    /// Makes everything as it was at a checkpoint, which stays. False: there is none of that name.
    ///
    /// As with a virtual machine, every session ends ([`life`](Self::life)), and services that were starting have started.
    pub fn revert(&mut self, name: &str) -> bool {
        let Some(kept) = self.checkpoints.kept.get(name).cloned() else {
            return false;
        };
        let mut checkpoints = std::mem::take(&mut self.checkpoints);
        checkpoints.lives += 1;
        *self = Self {
            checkpoints,
            ..Self::clone(&kept)
        };
        let names: Vec<ServerName> = self.servers.keys().cloned().collect();
        for name in names {
            self.finish_starting(&name);
        }
        true
    }

    /// The names of the checkpoints.
    pub fn checkpoints(&self) -> impl Iterator<Item = &str> {
        self.checkpoints.kept.keys().map(String::as_str)
    }

    /// Which life of the organisation this is: another one behind each [`revert`](Self::revert). What belongs to a former
    /// one is gone.
    #[must_use]
    pub const fn life(&self) -> u64 {
        self.checkpoints.lives
    }
}
