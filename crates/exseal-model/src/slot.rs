//! Slots: the places that use a certificate.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in which a certificate is right or wrong (product.md, "The idea: slots").
///
/// Written and read as a stable id: `front-end/*:443`, `receive-connector/Default Frontend EX1`. Organisation-wide
/// slots belong to no server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// An https binding of the Default Web Site: endpoint, and host name after a second slash if it has one.
    FrontEnd(Endpoint),
    /// An https binding of Exchange Back End.
    BackEnd(Endpoint),
    /// The certificate by which mailbox servers know each other.
    InternalTransport,
    /// A receive connector, by its name without the server.
    ReceiveConnector(String),
    /// A send connector, by its name; organisation-wide.
    SendConnector(String),
    /// The hybrid configuration's certificate; organisation-wide.
    Hybrid,
    /// POP3.
    Pop,
    /// IMAP4.
    Imap,
    /// AuthConfig's current certificate.
    AuthCurrent,
    /// AuthConfig's next certificate.
    AuthNext,
    /// AuthConfig's previous certificate.
    AuthPrevious,
    /// The federation trust's current certificate.
    FederationCurrent,
    /// The federation trust's next certificate.
    FederationNext,
    /// The federation trust's previous certificate.
    FederationPrevious,
    /// An Edge server's own certificate.
    EdgeDefault,
    /// What the subscription recorded of an Edge server, by that server's name.
    EdgeSubscription(String),
    /// A name in front of servers.
    Balancer(String),
    /// Beside Exchange: shown, never called wrong for what is normal. Named by what it serves (`winrm`, `wmsvc`) or by thumbprint.
    Bystander(String),
}

/// Where an https binding listens: `address:port`, `*` for every address, and the host name if the binding has one.
///
/// `:443:` and `*:443:` of IIS and `0.0.0.0:443` of http.sys are all `*:443`; `[::]:443` stays itself, because it is
/// another entry (facts/exchange.md 3). Compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// `*`, an IPv4 address, or an IPv6 address in brackets.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The host name of the binding, in lower case; empty: none.
    pub host: String,
}

/// A text that is no endpoint, or no slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct SlotError {
    expected: &'static str,
    found: String,
}

impl Endpoint {
    /// `*:port` without a host name.
    #[must_use]
    pub fn any(port: u16) -> Self {
        Self {
            address: "*".to_owned(),
            port,
            host: String::new(),
        }
    }

    /// From what IIS calls bindingInformation: `*:443:`, `:443:`, `127.0.0.1:443:`, `*:443:mail.example.org`, `[::1]:443:`.
    ///
    /// # Errors
    ///
    /// [`SlotError`] when there is no port.
    pub fn from_binding_information(text: &str) -> Result<Self, SlotError> {
        let wrong = || SlotError {
            expected: "address:port:host",
            found: text.to_owned(),
        };
        let (rest, host) = text.rsplit_once(':').ok_or_else(wrong)?;
        let (address, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        Self::new(address, port.parse().map_err(|_| wrong())?, host)
    }

    fn new(address: &str, port: u16, host: &str) -> Result<Self, SlotError> {
        let address = match address.trim() {
            "" | "*" | "0.0.0.0" => "*".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        Ok(Self {
            address,
            port,
            host: host.trim().to_ascii_lowercase(),
        })
    }

    /// Whether it listens on every address, or every IPv6 address.
    #[must_use]
    pub fn is_general(&self) -> bool {
        matches!(self.address.as_str(), "*" | "[::]")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)?;
        if self.host.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.host)
        }
    }
}

impl FromStr for Endpoint {
    type Err = SlotError;

    /// Reads `address:port`, with `/host` behind it where there is one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SlotError {
            expected: "address:port or address:port/host",
            found: text.to_owned(),
        };
        let (rest, host) = text.split_once('/').unwrap_or((text, ""));
        let (address, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        Self::new(address, port.parse().map_err(|_| wrong())?, host)
    }
}

impl Slot {
    /// Whether it belongs to the organisation and not to one server.
    #[must_use]
    pub const fn is_organisation_wide(&self) -> bool {
        matches!(
            self,
            Self::SendConnector(_)
                | Self::Hybrid
                | Self::AuthCurrent
                | Self::AuthNext
                | Self::AuthPrevious
                | Self::FederationCurrent
                | Self::FederationNext
                | Self::FederationPrevious
                | Self::EdgeSubscription(_)
                | Self::Balancer(_)
        )
    }

    /// The part of the id before the slash: the column of a table.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FrontEnd(_) => "front-end",
            Self::BackEnd(_) => "back-end",
            Self::InternalTransport => "internal-transport",
            Self::ReceiveConnector(_) => "receive-connector",
            Self::SendConnector(_) => "send-connector",
            Self::Hybrid => "hybrid",
            Self::Pop => "pop",
            Self::Imap => "imap",
            Self::AuthCurrent => "auth-current",
            Self::AuthNext => "auth-next",
            Self::AuthPrevious => "auth-previous",
            Self::FederationCurrent => "federation-current",
            Self::FederationNext => "federation-next",
            Self::FederationPrevious => "federation-previous",
            Self::EdgeDefault => "edge-default",
            Self::EdgeSubscription(_) => "edge-subscription",
            Self::Balancer(_) => "balancer",
            Self::Bystander(_) => "bystander",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrontEnd(endpoint) | Self::BackEnd(endpoint) => write!(f, "{}/{endpoint}", self.kind()),
            Self::ReceiveConnector(name)
            | Self::SendConnector(name)
            | Self::EdgeSubscription(name)
            | Self::Balancer(name)
            | Self::Bystander(name) => write!(f, "{}/{name}", self.kind()),
            Self::InternalTransport
            | Self::Hybrid
            | Self::Pop
            | Self::Imap
            | Self::AuthCurrent
            | Self::AuthNext
            | Self::AuthPrevious
            | Self::FederationCurrent
            | Self::FederationNext
            | Self::FederationPrevious
            | Self::EdgeDefault => f.write_str(self.kind()),
        }
    }
}

impl FromStr for Slot {
    type Err = SlotError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SlotError {
            expected: "the id of a slot",
            found: text.to_owned(),
        };
        let plain = [
            Self::InternalTransport,
            Self::Hybrid,
            Self::Pop,
            Self::Imap,
            Self::AuthCurrent,
            Self::AuthNext,
            Self::AuthPrevious,
            Self::FederationCurrent,
            Self::FederationNext,
            Self::FederationPrevious,
            Self::EdgeDefault,
        ];
        if let Some(slot) = plain.into_iter().find(|slot| slot.kind() == text) {
            return Ok(slot);
        }
        let (kind, name) = text.split_once('/').ok_or_else(wrong)?;
        Ok(match kind {
            "front-end" => Self::FrontEnd(name.parse()?),
            "back-end" => Self::BackEnd(name.parse()?),
            "receive-connector" => Self::ReceiveConnector(name.to_owned()),
            "send-connector" => Self::SendConnector(name.to_owned()),
            "edge-subscription" => Self::EdgeSubscription(name.to_owned()),
            "balancer" => Self::Balancer(name.to_owned()),
            "bystander" => Self::Bystander(name.to_owned()),
            _ => return Err(wrong()),
        })
    }
}

macro_rules! written_as_text {
    ($name:ident, $description:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $description })
            }
        }
    };
}

written_as_text!(
    Slot,
    "A place that uses a certificate: front-end/*:443, back-end/*:444, receive-connector/NAME, auth-current…"
);
written_as_text!(
    Endpoint,
    "address:port, * for every address; /host behind it where the binding has a host name"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_of_iis_and_http_sys_name_one_endpoint() {
        let star = Endpoint::any(443);
        assert_eq!(Endpoint::from_binding_information(":443:").unwrap(), star);
        assert_eq!(Endpoint::from_binding_information("*:443:").unwrap(), star);
        assert_eq!("0.0.0.0:443".parse::<Endpoint>().unwrap(), star);
        assert_ne!("[::]:443".parse::<Endpoint>().unwrap(), star);
        let host = Endpoint::from_binding_information("*:443:Mail.Example.org").unwrap();
        assert_eq!(host.to_string(), "*:443/mail.example.org");
        assert_eq!(
            Endpoint::from_binding_information("[::1]:443:").unwrap().address,
            "[::1]"
        );
        assert!(Endpoint::from_binding_information("443").is_err());
        assert!(Endpoint::from_binding_information("*:99999:").is_err());
    }

    #[test]
    fn slot_ids_are_read_as_they_are_written() {
        for id in [
            "front-end/*:443",
            "front-end/*:443/mail.example.org",
            "receive-connector/Default Frontend EX1",
            "auth-current",
            "hybrid",
        ] {
            assert_eq!(id.parse::<Slot>().unwrap().to_string(), id);
        }
        assert!("front-end".parse::<Slot>().is_err());
        assert!("nothing/x".parse::<Slot>().is_err());
    }
}
