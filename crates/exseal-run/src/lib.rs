//! Carries out a plan: apply, resume, roll back, verify.
//!
//! Owns the ports ([`Organisation`], [`Probe`], [`Host`], [`Journal`]) and knows neither PowerShell nor LDAP nor HTTP. The rules it keeps:
//!
//! - The journal is written and flushed before a step begins and after it ends; with it and the organisation alone a run goes
//!   on, or is taken back.
//! - A step is begun only when its preconditions, read again right before, hold. What cannot be read stops it.
//! - An error may mean *effect unknown*: then the effects are read, and nothing is assumed.
//! - A thumbprint that a step makes is in the journal before anything uses it.
//! - A step is done when its effects were read and a client saw its proofs; one that is not proven is taken back at once.
//!
//! Start with [`Runner::apply`].

mod conduct;
mod journal;
mod port;
mod resolve;
mod room;
mod run;
mod state;
mod stop;

pub use journal::{Entry, FileJournal, JOURNAL_FORMAT, Journal, JournalError, Outcome, read_journal};
pub use port::{Effect, Fault, Holder, Host, LockAnswer, LockFor, Organisation, Probe, Seen, Setting, Turn};
pub use run::{Options, Runner, Told, Verified};
pub use state::{Made, Phase, State, StepState};
pub use stop::Stop;
