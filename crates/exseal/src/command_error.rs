//! The only place that knows kinds of errors, hints and exit codes.

use std::fmt;
use std::io;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::context::Context;

/// Done.
pub(crate) const DONE: u8 = 0;
/// You can fix this.
pub(crate) const FIXABLE: u8 = 1;
/// Command line or policy.
pub(crate) const USAGE: u8 = 2;
/// Findings, where that was asked for.
pub(crate) const FINDINGS: u8 = 3;
/// Our bug.
pub(crate) const BUG: u8 = 70;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// Something outside is not as it has to be.
    Fixable { what: String, hint: Option<String> },
    /// The command line or the policy.
    Usage { what: String, hint: Option<String> },
    /// A policy that cannot be read, with the place.
    Policy {
        name: String,
        text: String,
        error: exseal_engine::PolicyError,
    },
    /// The reader of our output went away: that is no error.
    ClosedPipe,
}

impl CommandError {
    pub(crate) fn fixable(what: impl Into<String>) -> Self {
        Self::Fixable {
            what: what.into(),
            hint: None,
        }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::Usage {
            what: what.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Fixable { hint, .. } | Self::Usage { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// Of a connect.toml.
    pub(crate) fn of_connect(path: &std::path::Path, error: &exseal_exchange::connect::ConnectError) -> Self {
        let mut what = format!("{}: {error}", path.display());
        if let Some(source) = std::error::Error::source(error) {
            what = format!("{what}: {source}");
        }
        Self::usage(what).hint("docs/live.md has every key with an example")
    }

    /// Of the directory.
    pub(crate) fn of_directory(error: &exseal_exchange::directory::DirectoryError) -> Self {
        use exseal_exchange::directory::DirectoryError as E;
        let what = error.to_string();
        match error {
            E::Unreachable { .. } | E::Timeout { .. } => Self::fixable(what)
                .hint("check the name, and that ports 389 and 636 are open from here"),
            E::Untrusted { .. } => Self::fixable(what)
                .hint("give the root of the domain controller's certificate with --roots, and its FQDN as its name"),
            E::Credentials { .. } => Self::fixable(what)
                .hint("a name is user@domain or DOMAIN\\user; an account may be locked after several wrong passwords"),
            E::Unprotected { .. } => Self::usage(what),
            E::EmptyPassword { .. } => Self::usage(what).hint("an empty password would be an anonymous look"),
            E::Kerberos { .. } => Self::fixable(what)
                .hint("get a ticket with kinit, or name a user with --user; the name of the domain controller has to be its FQDN"),
            E::NoKerberos => Self::usage(what)
                .hint("name a user with --user, or build exseal with the feature gssapi"),
            E::StrongerNeeded { .. } => Self::fixable(what).hint("use ldaps://"),
            E::Denied { .. } | E::NoExchange { .. } => Self::fixable(what)
                .hint("any user of the domain can read the configuration where nobody took that right away; docs/live.md"),
            E::Referral { .. } | E::NotActiveDirectory { .. } => {
                Self::fixable(what).hint("name a domain controller of the forest Exchange is in")
            }
            _ => Self::fixable(what),
        }
    }

    /// Of a session with a PowerShell.
    pub(crate) fn of_session(address: &str, error: &exseal_exchange::session::SessionError) -> Self {
        use exseal_exchange::session::{Refusal, SessionError as E};
        let what = format!("{address}: {}", exseal_exchange::live::in_words(error));
        if error.is_no_endpoint() {
            return Self::fixable(what).hint(
                "the server answers and has no such endpoint: builds after Exchange's remote shell was removed have none",
            );
        }
        if let Some(front_end) = error.front_end() {
            let hint = if front_end.is_proxy_failure() {
                "the front end did not reach its back end on 444: look at its certificate and binding; exseal diagnose --live tells more"
            } else if front_end.is_authorization_failure() {
                "the front end took the log-on and found no right: the user needs a role of Exchange"
            } else {
                "this is the word of Exchange's front end, not of the log-on"
            };
            return Self::fixable(what).hint(hint);
        }
        if error.is_refusal() {
            return Self::fixable(what)
                .hint("a name is user@domain or DOMAIN\\user; an account may be locked after several wrong passwords");
        }
        match error.refusal() {
            Some(Refusal::UnknownUser) => {
                return Self::fixable(what).hint("a name is user@domain, with the domain the account is in");
            }
            Some(Refusal::UnknownService) => {
                return Self::fixable(what).hint(
                    "name the server as its certificate and account do: by its FQDN, not an alias or address",
                );
            }
            Some(Refusal::Unreachable) => {
                return Self::fixable(what)
                    .hint("port 88 of a domain controller has to be open from here; kdc in a connect.toml names one");
            }
            Some(Refusal::NoTicket) => {
                return Self::fixable(what).hint("get a ticket with kinit, or name a user with --user");
            }
            // Their words say what to do.
            Some(Refusal::ClockSkew | Refusal::PasswordExpired | Refusal::Revoked | Refusal::WrongKey) => {
                return Self::fixable(what);
            }
            _ => {}
        }
        match error {
            E::Connect { .. } => Self::fixable(what)
                .hint("check the name, and that 80 or 443 (exchange), 5985 or 5986 (server) are open from here"),
            E::Tls { .. } => Self::fixable(what)
                .hint("give the root of its certificate with --roots, or the certificate itself with --pin"),
            E::LogOn { .. } => Self::fixable(what)
                .hint("get a ticket with kinit or name a user with --user; the server by its FQDN, and a clock within five minutes of the domain's"),
            E::ClearText { .. } => Self::usage(what)
                .hint("use --https; allow_basic_over_http in a connect.toml sends the password readable by everyone"),
            E::Quota { .. } => Self::fixable(what)
                .hint("18 shells a user are Exchange's default: close other shells, or wait for their idle time-out"),
            E::Local { .. } => Self::fixable(what)
                .hint("the local way needs Windows PowerShell on this machine"),
            E::Prompt { .. } => Self::fixable(what).hint("add -Confirm:$false where you mean yes"),
            E::Broken { .. } | E::NoAnswer { .. } | E::Lost => {
                Self::fixable(what).hint("exseal session check says which ways in work")
            }
            _ => Self::fixable(what),
        }
    }

    /// Its words and its hint.
    pub(crate) fn words(&self) -> (String, Option<String>) {
        let shown = Shown::from(self);
        (shown.what, shown.hint)
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Fixable { .. } => FIXABLE,
            Self::Usage { .. } | Self::Policy { .. } => USAGE,
            Self::ClosedPipe => DONE,
        }
    }

    /// Prints it for a person.
    pub(crate) fn report(&self, context: &Context) {
        let shown = Shown::from(self);
        if matches!(self, Self::ClosedPipe) {
            return;
        }
        let theme = if context.colour_stderr {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(context.width_stderr);
        let mut out = String::new();
        if handler.render_report(&mut out, &shown).is_ok() {
            context.say(out.trim_end());
        }
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::fixable(format!("cannot write: {error}"))
    }
}

/// An error as miette shows it.
#[derive(Debug)]
struct Shown {
    what: String,
    hint: Option<String>,
    source: Option<(NamedSource<String>, LabeledSpan)>,
}

impl From<&CommandError> for Shown {
    fn from(error: &CommandError) -> Self {
        match error {
            CommandError::Fixable { what, hint } | CommandError::Usage { what, hint } => Self {
                what: what.clone(),
                hint: hint.clone(),
                source: None,
            },
            CommandError::Policy { name, text, error } => Self {
                what: error.message.clone(),
                hint: Some("docs/policy.md has every key with an example".to_owned()),
                source: error.span.clone().map(|span| {
                    (
                        NamedSource::new(name, text.clone()),
                        LabeledSpan::at(span, "here"),
                    )
                }),
            },
            CommandError::ClosedPipe => Self {
                what: String::new(),
                hint: None,
                source: None,
            },
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint
            .as_ref()
            .map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, label) = self.source.as_ref()?;
        Some(Box::new(std::iter::once(label.clone())))
    }
}

/// Tells of a bug in words a person can pass on.
#[expect(clippy::print_stderr, reason = "the last words of the program")]
pub(crate) fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
    eprintln!("exseal stopped because of a bug of its own: {info}");
    eprintln!("nothing was changed; please report this with the command that was typed");
}
