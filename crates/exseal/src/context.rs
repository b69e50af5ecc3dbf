//! What every command needs of its surroundings: the streams, the person's zone, the time.

use std::io::{IsTerminal as _, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// When the output is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The surroundings of a command.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Columns of the output.
    pub(crate) width: usize,
    /// Columns of the messages.
    pub(crate) width_stderr: usize,
    /// Whether the output is coloured.
    pub(crate) colour: bool,
    /// Whether messages are coloured.
    pub(crate) colour_stderr: bool,
    /// Whether to show how far a long work is.
    pub(crate) progress: bool,
    /// The zone times are shown in.
    pub(crate) zone: TimeZone,
}

impl Context {
    /// From the streams and options of this process.
    pub(crate) fn of_process(colour: Colour, utc: bool) -> Self {
        let wanted = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let columns = || {
            let asked = std::env::var("COLUMNS")
                .ok()
                .and_then(|columns| columns.parse().ok());
            asked.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        };
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self {
            width: columns().unwrap_or(100).clamp(40, 200),
            width_stderr: columns().unwrap_or(100).clamp(40, 200),
            colour: wanted(out),
            colour_stderr: wanted(err),
            progress: err,
            zone: if utc { TimeZone::UTC } else { TimeZone::system() },
        }
    }

    /// A time in the person's zone, with its offset.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone())
            .strftime("%Y-%m-%d %H:%M %:z")
            .to_string()
    }

    /// A day in the person's zone.
    pub(crate) fn day(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d").to_string()
    }

    /// A message of the program about itself, to stderr.
    pub(crate) fn say(&self, text: &str) {
        let _ = writeln!(
            anstream::AutoStream::new(std::io::stderr(), self.choice()),
            "{text}"
        );
    }

    /// Does a work; says what is being done when it takes more than a second and a person watches.
    pub(crate) fn patiently<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        if !self.progress {
            return work();
        }
        let (done, wait) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let patience = std::time::Duration::from_secs(1);
                if wait.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    self.say(what);
                }
            });
            let result = work();
            // Ends the wait at once.
            drop(done);
            result
        })
    }

    fn choice(&self) -> anstream::ColorChoice {
        if self.colour_stderr {
            anstream::ColorChoice::Always
        } else {
            anstream::ColorChoice::Never
        }
    }
}
