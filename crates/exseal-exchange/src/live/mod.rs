//! Looking at a live organisation over a PowerShell: Exchange's cmdlets, and the helper on the server itself. Reading only.
//!
//! What comes back goes through the readers of exported files, so that both give the same observations: cmdlets' objects
//! as if somebody had exported them, the helper's as the collector writes them. This room asks and reports; which
//! servers, how many at once and how long is the caller's business.

mod cmdlets;
mod helper;
mod session;

use std::future::Future;

use exseal_model::inventory::ReadError;
use exseal_model::{Channel, Inventory};
use exseal_psrp::clixml::Document;
use exseal_psrp::message::{ErrorRecord, Pipeline};
use jiff::Timestamp;

pub use cmdlets::{Part, organisation, part, server, servers};
pub(crate) use helper::{LOAD, unwrapped};
pub use helper::{MODULE, helper, load, readings};
pub use session::{Account, Bounds, Door, Shut, Visit, Visitor, doubtful_account, in_words};

/// A PowerShell that runs pipelines one after the other.
pub trait Shell: Send {
    /// Runs a pipeline to its end.
    ///
    /// # Errors
    ///
    /// [`Unanswered`]. Every pipeline of this room reads only, so an effect that is unknown is none.
    fn run(&mut self, pipeline: &Pipeline) -> impl Future<Output = Result<Answer, Unanswered>> + Send;
}

/// What a pipeline gave.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Objects, in order; one document an object.
    pub objects: Vec<Document<'static>>,
    /// Errors that did not end it.
    pub errors: Vec<ErrorRecord>,
}

/// Why a pipeline gave nothing.
#[derive(Clone, Debug)]
pub enum Unanswered {
    /// The command failed; the session lives.
    Failed(Box<ErrorRecord>),
    /// The session is gone, with the reason: nothing more can be asked over it.
    Gone(String),
}

/// Who is asked, and when.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The address, as it is shown: `http://ex1.example.org/PowerShell/`.
    pub address: &'a str,
    /// The time of the observations.
    pub at: Timestamp,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// What it shows, with an error entry for each command that failed or answered about somebody else.
    pub inventory: Inventory,
    /// Why it ended early: the session broke. What came before is kept.
    pub broken: Option<String>,
    /// How many commands gave an answer.
    pub answered: usize,
}

impl Read {
    fn new() -> Self {
        Self {
            inventory: Inventory::default(),
            broken: None,
            answered: 0,
        }
    }

    /// Notes a command that failed.
    fn failed(&mut self, asked: Asked<'_>, command: &str, record: &ErrorRecord) {
        // The id first: the message is in the server's language.
        let found = format!("{}: {}", record.fully_qualified_error_id, record.message);
        self.inventory.errors.push(ReadError {
            file: asked.address.to_owned(),
            at: command.to_owned(),
            expected: "an answer".to_owned(),
            found,
        });
    }

    /// Puts another inventory beside what is here, with its sources behind ours.
    fn take(&mut self, mut other: Inventory) {
        use exseal_model::{Merge as _, SourceId};
        let ours = u32::try_from(self.inventory.sources.len()).unwrap_or(u32::MAX);
        other.map_sources(&|id| SourceId(id.0.saturating_add(ours)));
        let own = &mut self.inventory;
        own.sources.append(&mut other.sources);
        own.certificates.append(&mut other.certificates);
        own.organisation.merge(other.organisation);
        for server in other.servers {
            own.server_mut(&server.name.clone()).merge(server);
        }
        own.of_unknown_use.append(&mut other.of_unknown_use);
        own.not_recognised.append(&mut other.not_recognised);
        own.errors.append(&mut other.errors);
    }
}

/// Which channel a reading came by, for its sources.
const fn channel_of(local: bool) -> Channel {
    if local { Channel::Server } else { Channel::Exchange }
}
