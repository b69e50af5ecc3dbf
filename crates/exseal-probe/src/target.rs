//! What to look at: a host, a port, and how TLS begins there.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How TLS begins on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// With the first byte, and HTTP inside.
    Https,
    /// With the first byte.
    Tls,
    /// After SMTP's STARTTLS (RFC 3207).
    Smtp,
    /// After SMTP's X-ANONYMOUSTLS, by which Exchange servers speak with each other: the one look that shows the internal
    /// transport certificate (facts/exchange.md 6).
    SmtpAnonymous,
    /// After POP3's STLS (RFC 2595).
    Pop,
    /// After IMAP4's STARTTLS (RFC 3501).
    Imap,
}

impl Protocol {
    /// Its word in targets and results.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Tls => "tls",
            Self::Smtp => "smtp",
            Self::SmtpAnonymous => "smtp-anonymous",
            Self::Pop => "pop",
            Self::Imap => "imap",
        }
    }

    /// What is usual on a port of Exchange (facts/exchange.md 6): 465 is STARTTLS there, not TLS from the first byte.
    #[must_use]
    pub const fn usual(port: u16) -> Self {
        match port {
            443 | 444 | 5986 | 8443 => Self::Https,
            25 | 465 | 587 | 717 | 2525 => Self::Smtp,
            475 => Self::SmtpAnonymous,
            110 => Self::Pop,
            143 => Self::Imap,
            _ => Self::Tls,
        }
    }

    /// The command that begins TLS, where there is one.
    #[must_use]
    pub const fn command(self) -> Option<&'static str> {
        match self {
            Self::Https | Self::Tls => None,
            Self::Smtp | Self::Imap => Some("STARTTLS"),
            Self::SmtpAnonymous => Some("X-ANONYMOUSTLS"),
            Self::Pop => Some("STLS"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Protocol {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Https,
            Self::Tls,
            Self::Smtp,
            Self::SmtpAnonymous,
            Self::Pop,
            Self::Imap,
        ]
        .into_iter()
        .find(|protocol| protocol.word().eq_ignore_ascii_case(text))
        .ok_or_else(|| TargetError::new("https, tls, smtp, smtp-anonymous, pop or imap", text))
    }
}

/// Which ports a host has by what it is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PortRole {
    /// A mailbox server: front end, back end, transport, POP and IMAP.
    #[default]
    Mailbox,
    /// An Edge server.
    Edge,
    /// A name clients use: a balancer, a namespace.
    Clients,
    /// A host that takes mail, such as an MX.
    Mail,
    /// Unified messaging of Exchange 2016: SIP over TLS.
    Um,
}

/// The ports of a role with how TLS begins there, in the order of the ports (facts/exchange.md 6).
#[must_use]
pub const fn ports(role: PortRole) -> &'static [(u16, Protocol)] {
    use Protocol::{Https, Imap, Pop, Smtp, SmtpAnonymous, Tls};
    match role {
        PortRole::Mailbox => &[
            (25, Smtp),
            (110, Pop),
            (143, Imap),
            (443, Https),
            (444, Https),
            (465, Smtp),
            (475, SmtpAnonymous),
            (587, Smtp),
            (717, Smtp),
            (993, Tls),
            (995, Tls),
            (1993, Tls),
            (1995, Tls),
            (2525, Smtp),
            (2525, SmtpAnonymous),
        ],
        PortRole::Edge => &[(25, Smtp), (50636, Tls)],
        PortRole::Clients => &[
            (25, Smtp),
            (110, Pop),
            (143, Imap),
            (443, Https),
            (587, Smtp),
            (993, Tls),
            (995, Tls),
        ],
        PortRole::Mail => &[(25, Smtp)],
        PortRole::Um => &[(5061, Tls), (5062, Tls)],
    }
}

/// One place to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The name or address that is connected to, without brackets; lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How TLS begins.
    pub protocol: Protocol,
    /// The name to ask for (SNI) and to hold the certificate against; left out: `host`, where it is a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The one address to connect to; left out: the first of the name that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<std::net::IpAddr>,
}

/// A text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct TargetError {
    expected: &'static str,
    found: String,
}

impl TargetError {
    fn new(expected: &'static str, found: &str) -> Self {
        Self {
            expected,
            found: found.to_owned(),
        }
    }
}

impl Target {
    /// A target with the usual protocol of its port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into().to_ascii_lowercase(),
            port,
            protocol: Protocol::usual(port),
            name: None,
            at: None,
        }
    }

    /// The same place, spoken to by `protocol`.
    #[must_use]
    pub const fn by(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Reads `HOST`, `HOST:PORT` or `HOST:PORT/PROTOCOL`; an IPv6 address with a port stands in brackets.
    ///
    /// A host alone means every port of `role`.
    ///
    /// # Errors
    ///
    /// [`TargetError`] with what was expected in the place that is wrong.
    pub fn parse(text: &str, role: PortRole) -> Result<Vec<Self>, TargetError> {
        let text = text.trim();
        let (place, protocol) = match text.split_once('/') {
            Some((place, protocol)) => (place, Some(protocol.parse::<Protocol>()?)),
            None => (text, None),
        };
        let bare_v6 = place.parse::<std::net::Ipv6Addr>().is_ok();
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return Err(TargetError::new("[ADDRESS]:PORT", text)),
            },
            None if bare_v6 => (place, None),
            None => match place.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port {
            Some(port) => match port.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(TargetError::new("a port from 1 to 65535 after the colon", text)),
            },
            None => None,
        };
        if !is_host(host) {
            return Err(TargetError::new("HOST, HOST:PORT or HOST:PORT/PROTOCOL", text));
        }
        Ok(match (port, protocol) {
            (Some(port), protocol) => {
                vec![Self::new(host, port).by(protocol.unwrap_or_else(|| Protocol::usual(port)))]
            }
            (None, Some(protocol)) => {
                return Err(TargetError::new(
                    "HOST:PORT/PROTOCOL, a protocol needs its port",
                    if protocol.word().is_empty() { "" } else { text },
                ));
            }
            (None, None) => ports(role)
                .iter()
                .map(|&(port, protocol)| Self::new(host, port).by(protocol))
                .collect(),
        })
    }

    /// The name the certificate is held against: the one given, else the host where it is a name, else none.
    #[must_use]
    pub fn wanted_name(&self) -> Option<&str> {
        match &self.name {
            Some(name) => Some(name.as_str()),
            None if self.host.parse::<std::net::IpAddr>().is_ok() => None,
            None => Some(&self.host),
        }
    }
}

fn is_host(host: &str) -> bool {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(fits)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)?;
        } else {
            write!(f, "{}:{}", self.host, self.port)?;
        }
        if self.protocol != Protocol::usual(self.port) {
            write!(f, "/{}", self.protocol)?;
        }
        if let Some(address) = self.at {
            write!(f, " at {address}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Target {
        let targets = Target::parse(text, PortRole::Mailbox).unwrap();
        assert_eq!(targets.len(), 1, "{text}");
        targets.into_iter().next().unwrap()
    }

    #[test]
    fn a_port_says_how_tls_begins_unless_the_person_does() {
        assert_eq!(one("EX1.Example.org:443"), Target::new("ex1.example.org", 443));
        assert_eq!(
            one("ex1:465").protocol,
            Protocol::Smtp,
            "Client Proxy is STARTTLS"
        );
        assert_eq!(one("ex1:2525/smtp-anonymous").protocol, Protocol::SmtpAnonymous);
        assert_eq!(one("ex1:4433").protocol, Protocol::Tls);
        assert_eq!(one("[2001:db8::1]:25").host, "2001:db8::1");
        assert_eq!(one("[2001:db8::1]:25").to_string(), "[2001:db8::1]:25");
        assert_eq!(
            one("ex1:2525/smtp-anonymous").to_string(),
            "ex1:2525/smtp-anonymous"
        );
    }

    #[test]
    fn a_host_alone_means_the_ports_of_its_role() {
        let edge = Target::parse("edge1.example.org", PortRole::Edge).unwrap();
        let ports: Vec<u16> = edge.iter().map(|target| target.port).collect();
        assert_eq!(ports, [25, 50636]);
        let v6 = Target::parse("2001:db8::1", PortRole::Clients).unwrap();
        assert!(v6.iter().all(|target| target.host == "2001:db8::1"));
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_was_expected() {
        for wrong in [
            "",
            "ex1:",
            "ex1:0",
            "ex1:99999",
            "ex 1:25",
            "ex1:25/ldap",
            "ex1/smtp",
            "[::1]25",
            "-o/x",
        ] {
            assert!(Target::parse(wrong, PortRole::Mailbox).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_held_against_no_name_unless_one_is_given() {
        assert_eq!(Target::new("192.0.2.1", 443).wanted_name(), None);
        let mut named = Target::new("192.0.2.1", 443);
        named.name = Some("mail.example.org".to_owned());
        assert_eq!(named.wanted_name(), Some("mail.example.org"));
    }
}
