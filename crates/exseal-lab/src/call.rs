//! What comes in over a session and what goes out: commands, records, prompts, ends.

use std::time::Duration;

use exseal_psrp::clixml::Document;
use exseal_psrp::data::Data;
use exseal_psrp::message::ErrorRecord;
use exseal_psrp::secret::Secret;

/// Which door a command came through. The same cmdlet answers differently behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Exchange's own remoting, `/PowerShell/`: cmdlets only, roles apply, results are serialised.
    Exchange {
        /// Whether the session asked for `serializationLevel=Full`.
        full: bool,
    },
    /// The WinRM endpoint of Windows: the helper's contract and nothing else.
    Windows,
    /// A PowerShell on the server itself with Exchange's snap-in: the same cmdlets, no roles, no remoting.
    Local,
}

/// A pipeline: commands one behind the other, and what is sent into the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The commands; the first one acts, the following take its output.
    pub commands: Vec<Command>,
    /// Objects sent as input.
    pub input: Vec<Document<'static>>,
    /// The session's RunspaceId, which every object of a remote session carries; absent: a fixed one.
    pub runspace: Option<uuid::Uuid>,
    /// The life of the organisation in which the session began ([`World::life`](crate::world::World::life)); absent: now.
    pub life: Option<u64>,
}

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Name of the cmdlet or function, or the script.
    pub text: String,
    /// Whether it is script text.
    pub is_script: bool,
    /// Names without dash (`None` for those by position) and values. SecureStrings as [`Data::Secret`].
    pub arguments: Vec<(Option<String>, Data)>,
}

impl Command {
    /// A command by name.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_script: false,
            arguments: Vec::new(),
        }
    }

    /// Script text.
    #[must_use]
    pub fn script(text: impl Into<String>) -> Self {
        Self {
            is_script: true,
            ..Self::new(text)
        }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Data>) -> Self {
        self.arguments.push((Some(name.to_owned()), value.into()));
        self
    }

    /// Adds an argument by position.
    #[must_use]
    pub fn argument(mut self, value: impl Into<Data>) -> Self {
        self.arguments.push((None, value.into()));
        self
    }
}

impl From<Command> for Call {
    fn from(command: Command) -> Self {
        Self {
            commands: vec![command],
            ..Self::default()
        }
    }
}

impl Call {
    /// A pipeline of commands.
    #[must_use]
    pub fn pipeline(commands: impl IntoIterator<Item = Command>) -> Self {
        Self {
            commands: commands.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Records in the order of the streams.
    pub items: Vec<Item>,
    /// How it ended.
    pub end: End,
    /// A second of simulated work to wait before the answer is sent; zero as a rule.
    pub delay: Duration,
}

/// A record of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// An object, as it is written on the wire.
    Output(Document<'static>),
    /// A non-terminating error.
    Error(Box<ErrorRecord>),
    /// A warning.
    Warning(String),
    /// A verbose message.
    Verbose(String),
    /// A SecureString, encrypted for the client when it is sent.
    Secret(Secret),
    /// A debug message.
    Debug(String),
    /// A message of the information stream.
    Information(String),
    /// How far it is.
    Progress {
        /// What is being done.
        activity: String,
        /// Its status in words.
        status: String,
        /// 0 to 100; -1: not known.
        percent: i32,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Completed, errors among the items notwithstanding.
    Completed,
    /// A terminating error.
    Failed(Box<ErrorRecord>),
    /// A question: ask the client's host and say the answer with [`World::answer`](crate::world::World::answer). What
    /// was done before the question stays done.
    Prompt(Prompt),
    /// A fault: nothing more is to be sent.
    Interrupted(Interruption),
}

/// What the wire does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Close the connection before anything was done.
    DropBefore,
    /// It was done; close the connection before the reply.
    LoseReply,
    /// It was done or not, and the server restarts now: every connection to it closes.
    Reboot,
    /// Say nothing until the client gives up. Nothing was done.
    Hang,
    /// It was done; say nothing until the client gives up.
    HangAfter,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Which question it is: said again with the answer.
    pub id: u64,
    /// Caption.
    pub caption: String,
    /// Message, lines ended by CR LF.
    pub message: String,
    /// Choices with their `&` marks and help texts.
    pub choices: Vec<(String, String)>,
    /// Index of the default choice.
    pub default: usize,
}

/// An answer to a [`Prompt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The index of a choice.
    Choice(usize),
    /// The client has no host that could be asked: the command fails with PowerShell's words.
    NoHost,
}

impl Outcome {
    pub(crate) fn completed(items: Vec<Item>) -> Self {
        Self {
            items,
            end: End::Completed,
            delay: Duration::ZERO,
        }
    }

    pub(crate) fn failed(items: Vec<Item>, error: ErrorRecord) -> Self {
        Self {
            items,
            end: End::Failed(Box::new(error)),
            delay: Duration::ZERO,
        }
    }

    /// The objects.
    pub fn output(&self) -> impl Iterator<Item = &Document<'static>> {
        self.items.iter().filter_map(|item| match item {
            Item::Output(document) => Some(document),
            _ => None,
        })
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match item {
            Item::Warning(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The first error, terminating or not.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorRecord> {
        let among = self.items.iter().find_map(|item| match item {
            Item::Error(error) => Some(&**error),
            _ => None,
        });
        match &self.end {
            End::Failed(error) => Some(error),
            _ => among,
        }
    }
}
