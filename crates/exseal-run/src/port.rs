//! The ports: what a run needs of the world, in its own words.

use std::time::Duration;

use exseal_engine::Maintenance;
use exseal_model::plan::{Call, Condition, Proof};
use exseal_model::{Endpoint, Thumbprint};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// What is known about the effect of something that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing was changed.
    None,
    /// Nobody knows: read again.
    Unknown,
}

/// Something that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// What is known about its effect; of a reading always [`Effect::None`].
    pub effect: Effect,
    /// What was expected and found, for people. Never a secret.
    pub what: String,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is as asked.
    pub holds: bool,
    /// What was found, for people.
    pub found: String,
}

/// Who holds a server's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whom the lock names.
    pub owner: String,
    /// Its plan.
    pub plan: String,
    /// Until when, by the server's clock.
    pub expires: Option<Timestamp>,
}

/// What asking for a lock gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockAnswer {
    /// It is ours.
    Ours,
    /// Somebody else has it.
    Theirs(Holder),
}

/// The organisation: what is read on it and done to it.
///
/// Certificates in conditions and calls are known ones: what a step made is put in before ([`Call`] never holds
/// [`MadeBy`](exseal_model::plan::Which::MadeBy) here).
#[expect(
    async_fn_in_trait,
    reason = "runs are driven by one task; nothing is sent to another thread"
)]
pub trait Organisation {
    /// Reads whether a condition holds. Reading changes nothing and may be repeated.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it could not be read, which is neither yes nor no.
    async fn holds(&mut self, condition: &Condition) -> Result<Seen, Fault>;

    /// What an https binding of a server carries now; `None`: nothing.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it could not be read.
    async fn bound(&mut self, server: &str, endpoint: &Endpoint) -> Result<Option<Thumbprint>, Fault>;

    /// The certificate of a serial number in the server's My store; `None`: none has it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it could not be read, or more than one has it.
    async fn by_serial(&mut self, server: &str, serial: &str) -> Result<Option<Thumbprint>, Fault>;

    /// Does one call.
    ///
    /// # Errors
    ///
    /// [`Fault`], whose effect says whether something may have been changed.
    async fn call(&mut self, call: &Call) -> Result<(), Fault>;

    /// Takes or renews the lock of a server for a run.
    ///
    /// # Errors
    ///
    /// [`Fault`]: nobody can tell whether it is ours.
    async fn lock(&mut self, server: &str, lock: &LockFor<'_>) -> Result<LockAnswer, Fault>;

    /// The bytes that are free on a server's system drive.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it could not be read.
    async fn room(&mut self, server: &str) -> Result<u64, Fault>;

    /// What a maintenance would set on a server, in its order: what somebody else set already is not among it. Changes nothing.
    /// `Err` inside: nothing can be asked, because Exchange's shell opens nowhere, and why.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the shell was asked and said no.
    async fn settings(
        &mut self,
        server: &str,
        maintenance: &Maintenance,
    ) -> Result<Result<Vec<Setting>, String>, Fault>;

    /// Sets one thing out of service or back. May be repeated.
    ///
    /// # Errors
    ///
    /// [`Fault`], whose effect says whether something may have been changed.
    async fn set(&mut self, server: &str, setting: &Setting, turn: Turn) -> Result<(), Fault>;

    /// The databases whose active copy is on a server though a healthy copy is elsewhere, by name.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it could not be read.
    async fn active_databases(&mut self, server: &str) -> Result<Vec<String>, Fault>;

    /// Gives the lock of a server back; one that is not ours stays.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it may still be there until its time is over.
    async fn unlock(&mut self, server: &str, lock: &LockFor<'_>) -> Result<(), Fault>;
}

/// One thing that maintenance changes on a server, with what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Setting {
    /// A server component, which was Active.
    Component {
        /// Its name.
        component: String,
    },
    /// `DatabaseCopyAutoActivationPolicy`, which is Blocked meanwhile.
    ActivationPolicy {
        /// What it was.
        was: String,
    },
    /// `DatabaseCopyActivationDisabledAndMoveNow`, which was false.
    MoveDatabases,
}

impl std::fmt::Display for Setting {
    /// What it is while a server is in maintenance, in words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Component { component } => f.write_str(component),
            Self::ActivationPolicy { was } => {
                write!(f, "DatabaseCopyAutoActivationPolicy (was {was})")
            }
            Self::MoveDatabases => f.write_str("DatabaseCopyActivationDisabledAndMoveNow"),
        }
    }
}

/// Into maintenance, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Out of service.
    Out,
    /// As it was.
    Back,
}

/// For what a lock is taken.
#[derive(Clone, Copy, Debug)]
pub struct LockFor<'a> {
    /// Who works: shown to those who find the lock.
    pub owner: &'a str,
    /// The plan's id.
    pub plan: &'a str,
    /// The run's id: one that goes on has the same.
    pub run: &'a str,
    /// For how long, by the server's clock.
    pub time: Duration,
}

/// The look from the client's side.
#[expect(async_fn_in_trait, reason = "as of `Organisation`")]
pub trait Probe {
    /// Looks at what a proof asks for.
    ///
    /// # Errors
    ///
    /// [`Fault`]: nobody could look.
    async fn look(&mut self, proof: &Proof) -> Result<Seen, Fault>;
}

/// Time and chance.
#[expect(async_fn_in_trait, reason = "as of `Organisation`")]
pub trait Host {
    /// Now.
    fn now(&mut self) -> Timestamp;

    /// Lets time pass.
    async fn wait(&mut self, time: Duration);

    /// A time zone by its IANA name; `None`: this machine's.
    ///
    /// # Errors
    ///
    /// In words: there is none of that name.
    fn zone(&mut self, name: Option<&str>) -> Result<TimeZone, String>;

    /// Runs a program with its arguments on this machine, without a shell, and waits for its end.
    ///
    /// # Errors
    ///
    /// In words: it did not start, took too long, or ended with another code than 0.
    async fn program(&mut self, words: &[String]) -> Result<(), String>;

    /// The bytes that are free where the journal is written.
    ///
    /// # Errors
    ///
    /// In words: it could not be read.
    async fn room(&mut self) -> Result<u64, String>;

    /// A serial number at random: 32 hex digits, of which the first and the last byte begin with 1 to 7 (helper/contract.json).
    fn serial(&mut self) -> String;
}
