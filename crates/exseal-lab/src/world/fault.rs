//! Faults: what goes wrong on purpose, by name, on a server or at a step.

use std::fmt;

use super::{Reader, ServerName, World, services};
use crate::organisation::{Disabler, Provider, StoreName};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The command throws and does nothing.
    Throws,
    /// The command is never answered and does nothing.
    TimesOut,
    /// The command acts, and its reply is lost with the connection.
    LosesReply,
    /// The command acts and is never answered.
    ActsAndHangs,
    /// The connection drops before the command is read.
    Drops,
    /// The command takes longer by some seconds.
    Slow(u32),
    /// A service is down; it can be started.
    ServiceDown(String),
    /// A service was disabled by a person.
    DisabledByPerson(String),
    /// Exchange's services were disabled by a setup that broke off.
    DisabledBySetup,
    /// Nothing on the server answers.
    Unreachable,
    /// NETWORK SERVICE lost its right on the keys of all certificates enabled for SMTP.
    NoKeyAccess,
    /// The keys in My are in a CNG key storage provider.
    KspKey,
    /// Signed payloads cannot be opened again: objects of remote sessions lose all but RawData.
    BrokenPayloadSigning,
    /// MSExchangeServiceHost is stopped.
    ServiceHostStopped,
    /// The disk is full: what writes a store or a file fails.
    DiskFull,
    /// The server's clock is ahead by seconds (negative: behind).
    ClockSkew(i64),
    /// The server restarts in the middle of the command, which has acted.
    Reboot,
    /// Another operator changes something right before the command: a cmdlet line, or a new certificate by default.
    SecondOperator(Option<String>),
    /// The command's answer is another one than it should be.
    Misanswers(Misanswer),
    /// Certificates that the command puts into My have no private key.
    MakesNoKey,
}

/// What a command answers instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misanswer {
    /// What comes.
    pub how: Mistaken,
    /// Whether the command does nothing, too.
    pub undone: bool,
}

/// In which way an answer is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistaken {
    /// It is `$null`.
    Null,
    /// Its thumbprints are empty.
    Empty,
    /// It comes twice, the second time with the thumbprint of another certificate.
    Two,
}

impl FaultKind {
    /// Every name, with what may stand behind its `=`.
    pub const NAMES: [(&'static str, &'static str); 22] = [
        ("throws", ""),
        ("times-out", ""),
        ("loses-reply", ""),
        ("acts-and-hangs", ""),
        ("drops", ""),
        ("slow", "seconds"),
        ("service-down", "service"),
        ("disabled-by-person", "service"),
        ("disabled-by-setup", ""),
        ("unreachable", ""),
        ("no-key-access", ""),
        ("ksp-key", ""),
        ("broken-payload-signing", ""),
        ("service-host-stopped", ""),
        ("disk-full", ""),
        ("clock-skew", "seconds"),
        ("reboot", ""),
        ("second-operator", "cmdlet line, optional"),
        ("answers-null", "undone, optional"),
        ("answers-empty", "undone, optional"),
        ("answers-two", "undone, optional"),
        ("makes-no-key", ""),
    ];

    /// Whether it waits for a command; the others are a state of the server from now on.
    #[must_use]
    pub const fn waits_for_command(&self) -> bool {
        matches!(
            self,
            Self::Throws
                | Self::TimesOut
                | Self::LosesReply
                | Self::ActsAndHangs
                | Self::Drops
                | Self::Slow(_)
                | Self::Reboot
                | Self::SecondOperator(_)
                | Self::Misanswers(_)
                | Self::MakesNoKey
        )
    }
}

/// A fault with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where; `None`: on every server.
    pub server: Option<ServerName>,
    /// At which command; `None`: at any.
    pub command: Option<String>,
    /// How many matching commands pass before.
    pub after: u32,
    /// How often; `None`: always.
    pub times: Option<u32>,
}

/// A text that names no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct FaultError {
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Fault {
    /// A fault everywhere, at any command, once for those that wait for a command.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        let times = kind.waits_for_command().then_some(1);
        Self {
            kind,
            server: None,
            command: None,
            after: 0,
            times,
        }
    }

    /// On a server.
    #[must_use]
    pub fn on(mut self, server: &str) -> Self {
        self.server = Some(ServerName::new(server));
        self
    }

    /// At a command.
    #[must_use]
    pub fn at(mut self, command: &str) -> Self {
        self.command = Some(command.to_owned());
        self
    }

    /// Reads `NAME[=DETAIL] [server=S] [command=C] [after=N] [times=N|always]`, the words in any order behind the name.
    ///
    /// # Errors
    ///
    /// [`FaultError`] with what may stand there.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let mut words = split_words(text).into_iter();
        let first = words.next().unwrap_or_default();
        let (name, detail) = match first.split_once('=') {
            Some((name, detail)) => (name.to_owned(), Some(detail.to_owned())),
            None => (first, None),
        };
        let wrong = |expected: &str, found: &str| FaultError {
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        let needed = |what: &str| {
            detail
                .clone()
                .ok_or_else(|| wrong(&format!("{name}={what}"), &name))
        };
        let number = |text: String| {
            text.parse::<i64>()
                .map_err(|_| wrong("a whole number of seconds", &text))
        };
        let answers = |how| match detail.as_deref() {
            None => Ok(FaultKind::Misanswers(Misanswer { how, undone: false })),
            Some("undone") => Ok(FaultKind::Misanswers(Misanswer { how, undone: true })),
            Some(other) => Err(wrong(&format!("{name} or {name}=undone"), other)),
        };
        let kind = match name.as_str() {
            "throws" => FaultKind::Throws,
            "times-out" => FaultKind::TimesOut,
            "loses-reply" => FaultKind::LosesReply,
            "acts-and-hangs" => FaultKind::ActsAndHangs,
            "drops" => FaultKind::Drops,
            "slow" => FaultKind::Slow(u32::try_from(number(needed("SECONDS")?)?).unwrap_or(0)),
            "service-down" => FaultKind::ServiceDown(needed("SERVICE")?),
            "disabled-by-person" => FaultKind::DisabledByPerson(needed("SERVICE")?),
            "disabled-by-setup" => FaultKind::DisabledBySetup,
            "unreachable" => FaultKind::Unreachable,
            "no-key-access" => FaultKind::NoKeyAccess,
            "ksp-key" => FaultKind::KspKey,
            "broken-payload-signing" => FaultKind::BrokenPayloadSigning,
            "service-host-stopped" => FaultKind::ServiceHostStopped,
            "disk-full" => FaultKind::DiskFull,
            "clock-skew" => FaultKind::ClockSkew(number(needed("SECONDS")?)?),
            "reboot" => FaultKind::Reboot,
            "second-operator" => FaultKind::SecondOperator(detail.clone()),
            "answers-null" => answers(Mistaken::Null)?,
            "answers-empty" => answers(Mistaken::Empty)?,
            "answers-two" => answers(Mistaken::Two)?,
            "makes-no-key" => FaultKind::MakesNoKey,
            other => {
                let names: Vec<&str> = FaultKind::NAMES.iter().map(|(name, _)| *name).collect();
                return Err(wrong(&format!("one of {}", names.join(", ")), other));
            }
        };
        let mut fault = Self::new(kind);
        for word in words {
            match word.split_once('=') {
                Some(("server", name)) => fault.server = Some(ServerName::new(name)),
                Some(("command", name)) => fault.command = Some(name.to_owned()),
                Some(("after", count)) => {
                    fault.after = count.parse().map_err(|_| wrong("after=NUMBER", &word))?;
                }
                Some(("times", "always")) => fault.times = None,
                Some(("times", count)) => {
                    fault.times = Some(
                        count
                            .parse()
                            .map_err(|_| wrong("times=NUMBER or times=always", &word))?,
                    );
                }
                _ => return Err(wrong("server=, command=, after= or times=", &word)),
            }
        }
        Ok(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)?;
        if let Some(server) = &self.server {
            write!(f, " on {server}")?;
        }
        if let Some(command) = &self.command {
            write!(f, " at {command}")?;
        }
        Ok(())
    }
}

/// Cuts at blanks outside of quotation marks, which are dropped.
pub(crate) fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in text.chars() {
        match (character, quote) {
            (mark, Some(open)) if mark == open => quote = None,
            ('"' | '\'', None) => quote = Some(character),
            (blank, None) if blank.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (other, _) => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

impl World {
    /// Lets something go wrong: at once when it is a state of a server, else when a command comes to its place.
    pub fn fault(&mut self, fault: Fault) {
        if fault.kind.waits_for_command() || fault.kind == FaultKind::BrokenPayloadSigning {
            self.faults.push((fault, 0));
            return;
        }
        if fault.kind == FaultKind::Unreachable {
            let own = self.controllers.iter_mut();
            // A domain controller is meant by name only.
            for controller in own.filter(|own| fault.server.as_ref() == Some(&own.name)) {
                controller.reachable = false;
            }
        }
        let names: Vec<ServerName> = self
            .servers
            .keys()
            .filter(|name| fault.server.as_ref().is_none_or(|wanted| wanted == *name))
            .cloned()
            .collect();
        for name in names {
            let Some(server) = self.servers.get_mut(&name) else {
                continue;
            };
            match &fault.kind {
                FaultKind::ServiceDown(service) => {
                    // A service that is not there cannot be down.
                    let _ = self.stop_service(&name, service);
                }
                FaultKind::ServiceHostStopped => {
                    let _ = self.stop_service(&name, "MSExchangeServiceHost");
                }
                FaultKind::DisabledByPerson(service) => server.disable(service, Disabler::Person),
                FaultKind::DisabledBySetup => {
                    let touched: Vec<String> = server
                        .services
                        .keys()
                        .filter(|service| services::touched_by_setup(service))
                        .cloned()
                        .collect();
                    for service in touched {
                        server.disable(&service, Disabler::Setup);
                    }
                    for component in ["ServerWideOffline", "HubTransport", "FrontendTransport"] {
                        server
                            .components
                            .insert(component.to_owned(), "Inactive".to_owned());
                    }
                }
                FaultKind::Unreachable => server.reachable = false,
                FaultKind::NoKeyAccess => {
                    for stored in server.stores.entry(StoreName::My).or_default() {
                        if let Some(key) = stored.key.as_mut().filter(|_| stored.smtp) {
                            key.readers.remove(&Reader::NetworkService);
                        }
                    }
                }
                FaultKind::KspKey => {
                    for stored in server.stores.entry(StoreName::My).or_default() {
                        if let Some(key) = stored.key.as_mut() {
                            key.provider = Provider::Ksp;
                        }
                    }
                }
                FaultKind::DiskFull => server.free_bytes = 0,
                FaultKind::ClockSkew(seconds) => server.skew_seconds = *seconds,
                _ => {}
            }
        }
    }

    /// Takes all waiting faults away, and the states of servers that faults made and time does not heal: reachability,
    /// clock skew, a full disk.
    pub fn heal(&mut self) {
        self.faults.clear();
        for controller in &mut self.controllers {
            controller.reachable = true;
        }
        for server in self.servers.values_mut() {
            server.reachable = true;
            server.skew_seconds = 0;
            if server.free_bytes == 0 {
                server.free_bytes = 52_613_349_376;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_with_its_place() {
        let fault = Fault::parse("loses-reply server=EX1 command=Enable-ExchangeCertificate after=1")
            .expect("a fault");

        assert_eq!(fault.kind, FaultKind::LosesReply);
        assert_eq!(fault.server, Some(ServerName::new("ex1")));
        assert_eq!((fault.after, fault.times), (1, Some(1)));
    }

    #[test]
    fn an_unknown_fault_says_which_there_are() {
        let error = Fault::parse("explodes").expect_err("no such fault");

        assert!(error.expected.contains("loses-reply"), "{error}");
    }
}
