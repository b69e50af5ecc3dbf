//! Why a run stopped before its end.

use crate::journal::JournalError;
use crate::port::{Fault, Holder};

/// Why a run stopped. What was begun is in the journal; nothing is half known that the journal does not say so of.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A value that a step depends on is another one now; the step was not begun.
    #[error("step {step} was not begun: expected that {expected}, found {found}")]
    Moved {
        /// The step.
        step: u32,
        /// What had to hold, in words.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Something could not be read, which is neither yes nor no.
    #[error("step {step}: whether {what} could not be read: {fault}")]
    CannotRead {
        /// The step.
        step: u32,
        /// What was asked, in words.
        what: String,
        /// Why.
        #[source]
        fault: Fault,
    },
    /// A call failed and changed nothing, or what it changed was read and is not what was wanted.
    #[error("step {step} failed: {fault}")]
    Failed {
        /// The step.
        step: u32,
        /// Why.
        #[source]
        fault: Fault,
    },
    /// A call gave no error, and what should hold does not.
    #[error("step {step}: the call gave no error, but expected that {expected}, found {found}")]
    NoEffect {
        /// The step.
        step: u32,
        /// What should hold, in words.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A client does not see what it has to see.
    #[error("step {step} is not proven: expected that {expected}, found {found}; {}", if *.taken_back { "the step was taken back" } else { "the step could not be taken back" })]
    NotProven {
        /// The step.
        step: u32,
        /// What a client has to see, in words.
        expected: String,
        /// What was seen.
        found: String,
        /// Whether the step was taken back.
        taken_back: bool,
    },
    /// Somebody else works on a server.
    #[error("{server} is locked: plan {} of {} works on it{}", .holder.plan, .holder.owner, .holder.expires.map_or_else(String::new, |time| format!(" until {time}")))]
    Locked {
        /// The server.
        server: String,
        /// Who.
        holder: Holder,
    },
    /// Whether a server is free could not be told.
    #[error("the lock of {server} could not be taken: {fault}")]
    CannotLock {
        /// The server.
        server: String,
        /// Why.
        #[source]
        fault: Fault,
    },
    /// The journal cannot be written: nothing further was begun.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal says the run is in another phase.
    #[error("expected a run {expected}, found one {found}")]
    Phase {
        /// `that was broken off`…
        expected: &'static str,
        /// `that has ended`…
        found: &'static str,
    },
    /// The person stopped it before this step.
    #[error("stopped before step {step}, as was asked")]
    Asked {
        /// The step that would be next.
        step: u32,
    },
    /// A server has too little free disk; nothing was begun.
    #[error("expected {expected} MiB free on the system drive of {server}, found {found}")]
    NoRoom {
        /// The server.
        server: String,
        /// MiB the policy asks for.
        expected: u32,
        /// MiB there are.
        found: u64,
    },
    /// How much disk a server has free could not be read; nothing was begun.
    #[error("how much is free on the system drive of {server} could not be read: {fault}")]
    CannotReadRoom {
        /// The server.
        server: String,
        /// Why.
        #[source]
        fault: Fault,
    },
    /// The machine that writes the journal has too little free disk; nothing was begun.
    #[error("expected {expected} MiB free where the journal is written, found {found}")]
    NoOwnRoom {
        /// MiB the policy asks for.
        expected: u32,
        /// MiB there are.
        found: u64,
    },
    /// How much disk is free where the journal is written could not be read; nothing was begun.
    #[error("how much is free where the journal is written could not be read: {0}")]
    CannotReadOwnRoom(String),
    /// The maintenance window is closed; the server was not begun.
    #[error("{server} was not begun: expected an open maintenance window, found that it opens {opens}")]
    Window {
        /// The server that would be next.
        server: String,
        /// When it opens; `never`.
        opens: String,
    },
    /// The zone of the maintenance window is none.
    #[error("the time zone of the maintenance window: {0}")]
    Zone(String),
    /// A server could not be taken out of the balancer; it was not begun.
    #[error("{server} was not begun: it could not be drained: {why}")]
    Drain {
        /// The server.
        server: String,
        /// Why.
        why: String,
    },
    /// A server could not be put back into the balancer: it is still drained.
    #[error("{server} is still drained: it could not be put back: {why}")]
    Undrain {
        /// The server.
        server: String,
        /// Why.
        why: String,
    },
    /// A server could not be put into maintenance; it was not begun.
    #[error("{server} was not begun: it could not be put into maintenance: {why}")]
    Maintenance {
        /// The server.
        server: String,
        /// Why.
        why: String,
    },
    /// What maintenance set on a server could not be set back: it is still set.
    #[error("{server} is still in maintenance: {setting} could not be set back: {why}")]
    StillMaintained {
        /// The server.
        server: String,
        /// What.
        setting: String,
        /// Why.
        why: String,
    },
    /// A server that was done does not show any more what it showed; the next one was not begun.
    #[error("{server} is not well after its steps: expected that {expected}, found {found}")]
    Unwell {
        /// The server.
        server: String,
        /// What a client has to see, in words.
        expected: String,
        /// What was seen.
        found: String,
    },
    /// A plan that is not whole.
    #[error("step {step} speaks of the certificate of step {maker}, which made none")]
    NotMade {
        /// The step.
        step: u32,
        /// The step that should have made it.
        maker: u32,
    },
}
