//! This machine, as a run needs it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use exseal_run::Host;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// This machine: its clock, its chance, its disk.
pub(crate) struct Machine {
    /// The folder a journal is written to.
    pub(crate) folder: PathBuf,
}

impl Machine {
    /// The machine that writes this journal.
    pub(crate) fn of(journal: &Path) -> Self {
        let folder = journal.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self {
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
        }
    }
}

impl Host for Machine {
    fn now(&mut self) -> Timestamp {
        Timestamp::now()
    }

    async fn wait(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn zone(&mut self, name: Option<&str>) -> Result<TimeZone, String> {
        name.map_or_else(
            || Ok(TimeZone::system()),
            |name| TimeZone::get(name).map_err(|error| error.to_string()),
        )
    }

    async fn program(&mut self, words: &[String]) -> Result<(), String> {
        super::program::run(words).await
    }

    async fn room(&mut self) -> Result<u64, String> {
        let free = fs4::available_space(&self.folder);
        free.map_err(|error| format!("{}: {error}", self.folder.display()))
    }

    fn serial(&mut self) -> String {
        serial()
    }
}

/// As [`Host::serial`].
pub(crate) fn serial() -> String {
    let mut bytes: [u8; 16] = rand::random();
    // Positive, whichever end Windows begins with, and never with a leading zero (helper/contract.json).
    for at in [0, 15] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = ((1 + (*byte >> 4) % 7) << 4) | (*byte & 0x0f);
        }
    }
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
