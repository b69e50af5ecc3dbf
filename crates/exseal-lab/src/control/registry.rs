//! The list of running labs: a file each, in a folder that only this user can read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ControlError;

/// A running lab. [`token`](Self::token) is what its control socket asks for; `Debug` does not print it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name on this machine: the story's or the file's, with a number when that is taken.
    pub name: String,
    /// What it runs, in words.
    pub what: String,
    /// Its process.
    pub process: u32,
    /// Its control socket.
    pub control: SocketAddr,
    /// The random word its control socket asks for.
    pub token: String,
    /// Its block of addresses: the second number of the first address, 83 to 250.
    pub block: u8,
    /// The connect.toml it wrote.
    pub connect_file: Option<PathBuf>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name)
            .field("process", &self.process)
            .field("control", &self.control)
            .field("token", &"secret")
            .finish_non_exhaustive()
    }
}

fn of(path: &Path) -> impl FnOnce(std::io::Error) -> ControlError {
    let path = path.display().to_string();
    move |source| ControlError::Folder { path, source }
}

/// The folder; `EXSEAL_LABS` says another.
pub(super) fn folder() -> Result<PathBuf, ControlError> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let place = variable("EXSEAL_LABS")
        .or_else(|| {
            if cfg!(windows) {
                variable("LOCALAPPDATA").map(|own| own.join("exseal").join("labs"))
            } else {
                variable("XDG_STATE_HOME")
                    .or_else(|| variable("HOME").map(|home| home.join(".local").join("state")))
                    .map(|own| own.join("exseal").join("labs"))
            }
        })
        .ok_or(ControlError::NoFolder)?;
    make(&place)?;
    Ok(place)
}

/// Makes the folder, for this user alone.
fn make(place: &Path) -> Result<(), ControlError> {
    std::fs::create_dir_all(place).map_err(of(place))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o700)).map_err(of(place))?;
    }
    Ok(())
}

impl Entry {
    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.name))
    }

    /// Puts the lab on the list. A name or block of addresses that a running lab has gives way to the next free one.
    pub(super) fn register(mut self, folder: &Path) -> Result<Self, ControlError> {
        let others = running_in(folder)?;
        self.block = (83..=250)
            .find(|block| !others.iter().any(|other| other.block == *block))
            .unwrap_or(83);
        let wished = self.name.clone();
        for number in 2.. {
            match self.write(&self.path(folder), std::fs::OpenOptions::new().create_new(true)) {
                Ok(()) => break,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1_000 => {
                    self.name = format!("{wished}-{number}");
                }
                Err(error) => return Err(of(&self.path(folder))(error)),
            }
        }
        Ok(self)
    }

    /// Writes the entry anew.
    pub(super) fn update(&self, folder: &Path) -> Result<(), ControlError> {
        let path = self.path(folder);
        let beside = path.with_extension("part");
        self.write(&beside, std::fs::OpenOptions::new().create(true).truncate(true))
            .map_err(of(&beside))?;
        std::fs::rename(&beside, &path).map_err(of(&path))
    }

    fn write(&self, path: &Path, options: &mut std::fs::OpenOptions) -> std::io::Result<()> {
        use std::io::Write as _;

        options.write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
        let content = serde_json::to_vec_pretty(self)?;
        options.open(path)?.write_all(&content)
    }

    /// Takes the lab off the list; one that is not there is left.
    pub(super) fn remove(&self, folder: &Path) {
        let path = self.path(folder);
        // Another lab may have taken the name after this one was thought dead.
        if read(&path).is_some_and(|own| own.token == self.token) {
            let _ = std::fs::remove_file(path);
        }
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect_timeout(&self.control, Duration::from_secs(2)).is_ok()
    }
}

fn read(path: &Path) -> Option<Entry> {
    let content = std::fs::read(path).ok()?;
    serde_json::from_slice(&content).ok()
}

/// The labs that run, by name. Entries of labs that ended without a word are removed; files that are no entries are left
/// alone.
///
/// # Errors
///
/// [`ControlError::Folder`] or [`ControlError::NoFolder`].
pub fn running() -> Result<Vec<Entry>, ControlError> {
    running_in(&folder()?)
}

pub(super) fn running_in(folder: &Path) -> Result<Vec<Entry>, ControlError> {
    make(folder)?;
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).map_err(of(folder))?.flatten() {
        let path = file.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let Some(entry) = read(&path) else { continue };
        if !entry.control.ip().is_loopback() {
            continue;
        }
        if entry.answers() {
            found.push(entry);
        } else {
            let _ = std::fs::remove_file(&path);
        }
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}
