//! SOAP faults, [MS-WSMV] 2.2.4.43 and DSP0226 14.

use std::fmt;
use std::time::Duration;

use super::front_end::FrontEndError;
use super::ns;
use super::xml::{Element, escape};

/// A fault: the server's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The most specific code, without prefix: `TimedOut`, `InvalidSelectors`, `AccessDenied`…
    pub subcode: String,
    /// Whose fault it is: `Sender` or `Receiver`.
    pub code: String,
    /// Windows' number (`WSManFault/@Code`), 0 when there is none.
    pub number: u32,
    /// The server's words.
    pub reason: String,
    /// The machine that made it.
    pub machine: Option<String>,
    /// The words of the plug-in behind WSMan, when it was that.
    pub provider: Option<String>,
    /// What Exchange put in front of the words.
    pub front_end: Option<FrontEndError>,
}

/// What a fault means to a client of shells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Nothing to receive within the operation's time: ask again.
    NothingYet,
    /// The shell or command is not there (any more), or the request names another resource than the shell's.
    ShellGone,
    /// A quota is used up: too many shells, or too many requests. Nothing was done.
    Quota,
    /// The account may not.
    AccessDenied,
    /// No such session configuration on this server.
    NoSuchResource,
    /// The shell exists and is disconnected, or cannot be (0x8033810F).
    NotDisconnectable,
    /// The operation was aborted, as a Receive is when its pipeline is stopped (995).
    Aborted,
    /// Anything else.
    Other,
}

/// Requests of one user within a span of time.
const QUOTA_USER: u32 = 0x8033_81A7;

/// The numbers of used-up quotas in wsmerror.h: shells, operations, requests, users, commands.
const QUOTAS: [u32; 12] = [
    0x8033_81A5,
    0x8033_81A6,
    QUOTA_USER,
    0x8033_81A8,
    0x8033_81AB,
    0x8033_81E4,
    0x8033_81E5,
    0x8033_81E6,
    0x8033_81E7,
    0x8033_81E8,
    0x8033_81E9,
    0x8033_81EA,
];

impl Fault {
    /// The number of `w:TimedOut`.
    pub const TIMED_OUT: u32 = 0x8033_8029;
    /// The number of `w:InvalidSelectors` for a shell that is gone.
    pub const SHELL_NOT_FOUND: u32 = 0x8033_805B;

    /// The number of "the resource URI was not found in the WS-Management catalog": no such session configuration.
    pub const NO_SUCH_RESOURCE: u32 = 0x8033_803B;

    /// Makes the fault a server answers with.
    pub fn new(subcode: &str, number: u32, reason: &str) -> Self {
        Self {
            subcode: subcode.to_owned(),
            code: "Sender".to_owned(),
            number,
            reason: reason.to_owned(),
            machine: None,
            provider: None,
            front_end: None,
        }
    }

    /// The fault for a Receive that found nothing in time.
    pub fn timed_out() -> Self {
        Self::new(
            "TimedOut",
            Self::TIMED_OUT,
            "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
        )
    }

    /// The fault for a shell that does not exist, or is of another resource URI than the request's.
    pub fn shell_not_found(shell_id: &str) -> Self {
        Self::new(
            "InvalidSelectors",
            Self::SHELL_NOT_FOUND,
            &format!(
                "The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not \
                 found on the server."
            ),
        )
    }

    /// What it means, by subcode first, then by number.
    pub fn kind(&self) -> FaultKind {
        match (self.subcode.as_str(), self.number) {
            ("TimedOut", _) | (_, Self::TIMED_OUT) => FaultKind::NothingYet,
            ("InvalidSelectors", _) | (_, Self::SHELL_NOT_FOUND) => FaultKind::ShellGone,
            ("QuotaLimit", _) => FaultKind::Quota,
            (_, number) if QUOTAS.contains(&number) => FaultKind::Quota,
            ("AccessDenied", _) | (_, 5) => FaultKind::AccessDenied,
            ("InvalidResourceURI" | "DestinationUnreachable", _) | (_, Self::NO_SUCH_RESOURCE) => {
                FaultKind::NoSuchResource
            }
            (_, 0x8033_810F) => FaultKind::NotDisconnectable,
            (_, 995 | 0x8007_03E3) => FaultKind::Aborted,
            _ => FaultKind::Other,
        }
    }

    /// How long the server wants to be left alone, where a [`FaultKind::Quota`] says so: "… will not be approved for at
    /// least 4000 milliseconds".
    ///
    /// The words may be in any language; the number that stands last is the one (facts/powershell-remoting.md 3.5). None:
    /// the fault is about how many there are at a time, and not about how often.
    pub fn pause(&self) -> Option<Duration> {
        if self.number != QUOTA_USER {
            return None;
        }
        let words = self.provider.as_deref().unwrap_or(&self.reason);
        let last = words
            .split(|of: char| !of.is_ascii_digit())
            .rfind(|digits| !digits.is_empty())?;
        last.parse().ok().map(Duration::from_millis)
    }

    pub(super) fn read(fault: &Element) -> Self {
        let text = |path: &[(&str, &str)]| {
            path.iter()
                .try_fold(fault, |at, (namespace, name)| at.child(namespace, name))
                .map(|found| found.text.trim())
        };
        let local = |qualified: &str| {
            qualified
                .rsplit_once(':')
                .map_or(qualified, |(_, local)| local)
                .to_owned()
        };
        let code = text(&[(ns::SOAP, "Code"), (ns::SOAP, "Value")])
            .map(local)
            .unwrap_or_default();
        let subcode = text(&[(ns::SOAP, "Code"), (ns::SOAP, "Subcode"), (ns::SOAP, "Value")])
            .map(local)
            .unwrap_or_default();
        let reason = text(&[(ns::SOAP, "Reason"), (ns::SOAP, "Text")]).unwrap_or_default();

        let detail = fault.child(ns::SOAP, "Detail");
        let wsman = detail.and_then(|detail| detail.child(ns::FAULT, "WSManFault"));
        let message = wsman.and_then(|wsman| wsman.child(ns::FAULT, "Message"));
        let provider = message
            .and_then(|message| message.child(ns::FAULT, "ProviderFault"))
            .map(|provider| provider.deep_text().trim().to_owned())
            .filter(|words| !words.is_empty());
        let words = message
            .map(|message| message.text.trim())
            .filter(|words| !words.is_empty());
        let reason = words.unwrap_or(reason).to_owned();
        let front_end = provider
            .as_deref()
            .and_then(FrontEndError::parse)
            .or_else(|| FrontEndError::parse(&reason));
        Self {
            subcode,
            code,
            number: wsman
                .and_then(|wsman| wsman.attribute("Code"))
                .and_then(|digits| digits.parse::<i64>().ok())
                .and_then(|number| u32::try_from(number & 0xFFFF_FFFF).ok())
                .unwrap_or(0),
            reason,
            machine: wsman
                .and_then(|wsman| wsman.attribute("Machine"))
                .map(str::to_owned),
            provider,
            front_end,
        }
    }

    pub(super) fn write(&self) -> String {
        let words = escape(&self.reason);
        // Of the subcodes, only the addressing ones are not WSMan's own.
        let prefix = match self.subcode.as_str() {
            "DestinationUnreachable" | "ActionNotSupported" | "EndpointUnavailable" => "a",
            _ => "w",
        };
        let machine = self
            .machine
            .as_deref()
            .map_or(String::new(), |name| format!(" Machine=\"{}\"", escape(name)));
        let provider = self.provider.as_deref().map_or(String::new(), |words| {
            format!("<f:ProviderFault>{}</f:ProviderFault>", escape(words))
        });
        format!(
            "<s:Fault><s:Code><s:Value>s:{}</s:Value><s:Subcode><s:Value>{prefix}:{}</s:Value></s:Subcode></s:Code>\
             <s:Reason><s:Text xml:lang=\"en-US\">{words}</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f=\"{}\" \
             Code=\"{}\"{machine}><f:Message>{words}{provider}</f:Message></f:WSManFault></s:Detail></s:Fault>",
            escape(&self.code),
            escape(&self.subcode),
            ns::FAULT,
            self.number,
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.provider.as_deref().unwrap_or(&self.reason);
        write!(
            f,
            "the server answers {} (0x{:08X}): {}",
            self.subcode,
            self.number,
            reason.trim()
        )
    }
}
