//! The journal: what was begun, done, failed, taken back. One JSON object a line, flushed to the disk line by line.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use exseal_engine::ApplyPolicy;
use exseal_model::{Plan, PlanError, Thumbprint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::port::{Effect, Setting};

/// The version of the journal's lines that this program writes.
pub const JOURNAL_FORMAT: u32 = 1;

/// One line.
///
/// INVARIANT: the first line is [`Begun`](Self::Begun) and there is one of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// A run begins.
    Begun {
        /// The version of this format: 1.
        format: u32,
        /// When.
        at: Timestamp,
        /// Names the run; the locks on the servers carry it.
        run: String,
        /// Who works.
        owner: String,
        /// The whole plan.
        plan: Box<Plan>,
        /// How servers are treated.
        #[serde(default)]
        conduct: Box<ApplyPolicy>,
    },
    /// A run that was broken off goes on.
    Resumed {
        /// When.
        at: Timestamp,
    },
    /// A step is about to be begun: from here on its effect is unknown until another line says more.
    StepBegun {
        /// Its number.
        step: u32,
        /// When.
        at: Timestamp,
        /// The serial number of the certificate it will make.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<String>,
    },
    /// A step made this certificate.
    Made {
        /// Its number.
        step: u32,
        /// Exactly one thumbprint.
        thumbprint: Thumbprint,
    },
    /// A step is done: its effects were read and its proofs seen.
    StepDone {
        /// Its number.
        step: u32,
        /// When.
        at: Timestamp,
        /// Its effects held already; nothing was called.
        already: bool,
    },
    /// A step was left out, because none of the steps it is for did anything.
    StepLeftOut {
        /// Its number.
        step: u32,
    },
    /// A call of a step failed.
    StepFailed {
        /// Its number.
        step: u32,
        /// When.
        at: Timestamp,
        /// What is known about its effect.
        effect: Effect,
        /// What was expected and found.
        what: String,
    },
    /// A binding that a step had moved was put back.
    PutBack {
        /// The step's number.
        step: u32,
        /// The place of the guard in the step.
        guard: usize,
    },
    /// A server is about to be taken out of the balancer.
    Drained {
        /// The server, as the plan names it.
        server: String,
        /// When.
        at: Timestamp,
    },
    /// A server is back in the balancer.
    Undrained {
        /// The server.
        server: String,
        /// When.
        at: Timestamp,
    },
    /// A server is about to be put into maintenance: from here on any of these may be set.
    Maintenance {
        /// The server, as the plan names it.
        server: String,
        /// When.
        at: Timestamp,
        /// What is set, in this order, and what it was.
        settings: Vec<Setting>,
    },
    /// A server is not put into maintenance, because nobody can: Exchange's shell opens nowhere.
    MaintenanceSkipped {
        /// The server.
        server: String,
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
    /// What maintenance had set on a server is as it was.
    MaintenanceOver {
        /// The server.
        server: String,
        /// When.
        at: Timestamp,
    },
    /// A server is left for the next one: what clients see was looked at again, and its pause is over.
    ServerLeft {
        /// The server.
        server: String,
        /// When.
        at: Timestamp,
    },
    /// The run is being taken back from here on.
    Back {
        /// When.
        at: Timestamp,
    },
    /// A step is about to be taken back.
    BackBegun {
        /// Its number.
        step: u32,
        /// When.
        at: Timestamp,
    },
    /// A step was taken back.
    BackDone {
        /// Its number.
        step: u32,
        /// When.
        at: Timestamp,
    },
    /// A step stays as it is, and why.
    BackLeft {
        /// Its number.
        step: u32,
        /// Why.
        why: String,
    },
    /// The run is over.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step is done.
    Applied,
    /// Everything that can be taken back was.
    TakenBack,
}

/// Where lines go.
pub trait Journal {
    /// Writes a line so that it outlives the program and the machine.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: the line may not be there; nothing is begun after that.
    fn write(&mut self, entry: &Entry) -> Result<(), JournalError>;
}

/// A journal that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk.
    #[error("the journal cannot be {doing}: {error}")]
    Io {
        /// `written`, `read`, `made`.
        doing: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// A line that is none.
    #[error("line {line} of the journal: expected an entry, found something else: {error}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What the reader says.
        error: serde_json::Error,
    },
    /// Lines that do not fit together.
    #[error("the journal: expected {expected}, found {found}")]
    Order {
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// Its plan.
    #[error("the plan in the journal: {0}")]
    Plan(#[from] PlanError),
}

/// A journal in a file.
#[derive(Debug)]
pub struct FileJournal {
    file: File,
}

impl FileJournal {
    /// Makes a new one; a file that is there stays as it is.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`], also when there is one already.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(|error| JournalError::Io { doing: "made", error })?;
        // The name has to outlive the machine, too; Windows has no folders to flush.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
        Ok(Self { file })
    }

    /// Opens one that is there, to go on. A last line that was not written whole is taken off.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: it cannot be read, or holds something else.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let io = |doing| move |error| JournalError::Io { doing, error };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(io("read"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io("read"))?;
        let (entries, whole) = read_journal(&bytes)?;
        if whole < bytes.len() {
            let whole = u64::try_from(whole).unwrap_or(u64::MAX);
            file.set_len(whole).map_err(io("written"))?;
            file.sync_all().map_err(io("written"))?;
        }
        file.seek(SeekFrom::End(0)).map_err(io("written"))?;
        Ok((Self { file }, entries))
    }
}

impl Journal for FileJournal {
    fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let io = |error| JournalError::Io {
            doing: "written",
            error,
        };
        let mut line = serde_json::to_vec(entry).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(io)?;
        self.file.sync_data().map_err(io)
    }
}

/// Reads the lines of a journal, and how many bytes of it are whole lines: what follows them is a line that was being
/// written when the machine stopped, and never took effect.
///
/// # Errors
///
/// [`JournalError`]: a whole line is no entry, the first is not the beginning, or its format is another one.
pub fn read_journal(bytes: &[u8]) -> Result<(Vec<Entry>, usize), JournalError> {
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let mut entries = Vec::new();
    let lines = bytes
        .get(..whole)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n');
    for (at, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let entry: Entry =
            serde_json::from_slice(line).map_err(|error| JournalError::Line { line: at + 1, error })?;
        entries.push(entry);
    }
    let order = |expected: &str, found: String| JournalError::Order {
        expected: expected.to_owned(),
        found,
    };
    match entries.first() {
        Some(Entry::Begun { format, plan, .. }) => {
            if *format != JOURNAL_FORMAT {
                return Err(order(
                    &format!("format {JOURNAL_FORMAT}"),
                    format!("format {format}"),
                ));
            }
            plan.check()?;
        }
        Some(_) => {
            return Err(order(
                "the beginning of a run in its first line",
                "another entry".to_owned(),
            ));
        }
        None => return Err(order("the beginning of a run", "nothing".to_owned())),
    }
    if entries
        .iter()
        .skip(1)
        .any(|entry| matches!(entry, Entry::Begun { .. }))
    {
        return Err(order("one run", "a second beginning".to_owned()));
    }
    Ok((entries, whole))
}
