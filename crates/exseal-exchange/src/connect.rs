//! `connect.toml`: where to connect instead of where names and ports lead, whom to trust there and as whom.
//!
//! Made for a laboratory, which has a whole organisation on one machine, and of
//! use wherever names do not resolve: a rescue, a port forwarding. The names themselves stay what they are: certificates
//! and Kerberos' principals are still checked against them.
//!
//! ```toml
//! ca = "-----BEGIN CERTIFICATE-----…"   # roots to trust beside the system's, PEM
//! user = "EXSEAL\\Administrator"          # its password is asked for, or read from a descriptor; never written here
//! scheme = "negotiate"                    # basic, negotiate, ntlm or kerberos; absent: the best the server offers
//! allow_basic_over_http = false           # true sends the password readable by everyone on the way
//! https = false                           # true: PowerShell over TLS, on 443 and 5986; Basic always is
//! pin = "5f…"                             # SHA-256 of the one certificate to trust for that, whatever its names
//!
//! [servers."ex1.contoso.lab"]
//! address = "127.0.10.1"                  # where to connect instead of resolving the name
//! own_loopback = "127.0.20.1"             # stands for that server's own 127.0.0.1
//! ports = { 80 = 20080, 443 = 20443 }     # a port that is absent is the port itself
//!
//! [names."mail.contoso.lab"]              # further names: a balancer, autodiscover
//! address = "127.0.10.250"
//!
//! [directory]
//! host = "dc1.contoso.lab"
//! address = "127.0.10.200"
//! ports = { 389 = 20389 }
//!
//! [kdc]                                   # whom Kerberos asks; absent: the realm's own name
//! address = "127.0.10.200"
//! ports = { 88 = 20088 }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

/// Where everything is; read from `connect.toml`. The default says nothing: names resolve, ports are what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// Roots to trust beside the system's, in DER.
    pub roots: Vec<Vec<u8>>,
    /// As whom to log on; none: as whoever runs the program.
    pub user: Option<String>,
    /// How to log on; none: the best the server offers.
    pub scheme: Option<LogOnScheme>,
    /// Whether HTTP Basic may send the password over plain HTTP.
    pub allow_basic_over_http: bool,
    /// Whether PowerShell is reached over TLS, also where bodies could be sealed.
    pub https: bool,
    /// SHA-256 of the one certificate that is trusted for it, whoever signed it.
    pub pin: Option<[u8; 32]>,
    /// The domain controller to ask, by its full name.
    pub directory: Option<String>,
    /// Whom Kerberos asks.
    pub kdc: Option<Place>,
    /// Places by name in lower case.
    places: BTreeMap<String, Place>,
    /// The names among them that are servers.
    servers: Vec<String>,
}

/// How to log on over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogOnScheme {
    /// User and password with every request.
    Basic,
    /// SPNEGO around Kerberos or NTLM.
    Negotiate,
    /// NTLM alone.
    Ntlm,
    /// Kerberos alone: what Exchange's front end takes.
    Kerberos,
}

/// Where a name is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Place {
    /// The address, or another name, to connect to; none: the name itself is resolved.
    pub address: Option<String>,
    /// What stands for that server's own 127.0.0.1; none: it cannot be reached.
    pub own_loopback: Option<IpAddr>,
    /// Ports that are elsewhere.
    #[serde(deserialize_with = "ports")]
    pub ports: BTreeMap<u16, u16>,
}

impl Place {
    /// Where this port is.
    #[must_use]
    pub fn port(&self, port: u16) -> u16 {
        self.ports.get(&port).copied().unwrap_or(port)
    }
}

/// Why `connect.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// It is not TOML, or has a key that nobody knows, or a value of another kind.
    #[error("{message}")]
    Toml {
        /// Expected and found, in the reader's words.
        message: String,
        /// Where, in bytes.
        span: Option<Range<usize>>,
    },
    /// `ca` is no PEM of certificates.
    #[error("ca: expected certificates as PEM, {why}")]
    Roots {
        /// What was found instead.
        why: String,
    },
    /// A pin is no SHA-256.
    #[error("expected the SHA-256 of a certificate as 64 hex digits, found {found:?}")]
    Pin {
        /// The text.
        found: String,
    },
}

/// Reads a SHA-256: 64 hex digits; colons and spaces between them do not matter.
///
/// # Errors
///
/// [`ConnectError::Pin`].
pub fn pin(text: &str) -> Result<[u8; 32], ConnectError> {
    let wrong = || ConnectError::Pin {
        found: text.to_owned(),
    };
    let digits: Vec<u8> = text
        .chars()
        .filter(|letter| !matches!(letter, ':' | ' '))
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    if !rest.is_empty() {
        return Err(wrong());
    }
    bytes.try_into().map_err(|_| wrong())
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    ca: Option<String>,
    user: Option<String>,
    scheme: Option<LogOnScheme>,
    allow_basic_over_http: bool,
    https: bool,
    pin: Option<String>,
    servers: BTreeMap<String, Place>,
    names: BTreeMap<String, Place>,
    directory: Option<DirectoryPlace>,
    kdc: Option<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryPlace {
    host: String,
    address: Option<String>,
    #[serde(default, deserialize_with = "ports")]
    ports: BTreeMap<u16, u16>,
}

/// Keys of TOML are text, and these are numbers.
fn ports<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u16, u16>, D::Error> {
    use serde::de::Error as _;
    let by_text = BTreeMap::<String, u16>::deserialize(deserializer)?;
    by_text
        .into_iter()
        .map(|(port, to)| {
            let port = port
                .parse()
                .map_err(|_| D::Error::custom(format!("expected a port as key, found {port:?}")))?;
            Ok((port, to))
        })
        .collect()
}

impl Connect {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConnectError`]; it names what was expected and found.
    pub fn read(path: &Path) -> Result<Self, ConnectError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConnectError::Read {
            path: path.display().to_string(),
            source,
        })?;
        Self::from_toml(&text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ConnectError::Toml`] or [`ConnectError::Roots`].
    pub fn from_toml(text: &str) -> Result<Self, ConnectError> {
        let file: File = toml::from_str(text).map_err(|error| ConnectError::Toml {
            message: error.message().to_owned(),
            span: error.span(),
        })?;
        let roots = match &file.ca {
            None => Vec::new(),
            Some(pem) => roots(pem).map_err(|why| ConnectError::Roots { why })?,
        };
        let servers = file.servers.keys().map(|name| key(name)).collect();
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        let directory = file.directory.map(|own| {
            let place = Place {
                address: own.address,
                own_loopback: None,
                ports: own.ports,
            };
            places.insert(key(&own.host), place);
            own.host
        });
        places.extend(file.names.into_iter().map(|(name, place)| (key(&name), place)));
        places.extend(file.servers.into_iter().map(|(name, place)| (key(&name), place)));
        Ok(Self {
            roots,
            user: file.user,
            scheme: file.scheme,
            allow_basic_over_http: file.allow_basic_over_http,
            https: file.https,
            pin: file.pin.as_deref().map(pin).transpose()?,
            directory,
            kdc: file.kdc,
            places,
            servers,
        })
    }

    /// Where a name is; none: nothing is said about it. Case and a final dot do not matter.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.places.get(&key(name))
    }

    /// Every name that is somewhere else, in lower case and in order.
    pub fn places(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.places.iter().map(|(name, place)| (name.as_str(), place))
    }

    /// What to connect to for a port of a name: an address or name, and a port.
    #[must_use]
    pub fn to(&self, name: &str, port: u16) -> (String, u16) {
        let place = self.place(name);
        let address = place.and_then(|place| place.address.clone());
        (
            address.unwrap_or_else(|| name.to_owned()),
            place.map_or(port, |place| place.port(port)),
        )
    }

    /// The servers that are named, in lower case and in order.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(String::as_str)
    }

    /// The one server whose name, or its first label, this is; none: no such, or more than one.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&str> {
        let wanted = key(name);
        if let Some(whole) = self.servers().find(|own| *own == wanted) {
            return Some(whole);
        }
        let mut short = self
            .servers()
            .filter(|own| own.split('.').next() == Some(wanted.as_str()));
        short.next().filter(|_| short.next().is_none())
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn roots(pem: &str) -> Result<Vec<Vec<u8>>, String> {
    let roots = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|one| one.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    if roots.is_empty() {
        return Err("found none".to_owned());
    }
    Ok(roots)
}

impl fmt::Display for LogOnScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic => "Basic",
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Kerberos => "Kerberos",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAB: &str = r#"
        user = "EXSEAL\\Administrator"
        scheme = "negotiate"
        [servers."EX1.contoso.lab"]
        address = "127.0.10.1"
        own_loopback = "127.0.20.1"
        ports = { 80 = 20080, 443 = 20443 }
        [servers."ex2.contoso.lab"]
        [names]
        "mail.contoso.lab" = { address = "127.0.10.250" }
        [directory]
        host = "dc1.contoso.lab"
        address = "127.0.10.200"
        ports = { 389 = 20389, 636 = 20636 }
    "#;

    #[test]
    fn names_lead_where_the_file_says_and_others_to_themselves() {
        let connect = Connect::from_toml(LAB).unwrap();
        let to = |name: &str, port| {
            let (address, port) = connect.to(name, port);
            format!("{address}:{port}")
        };
        assert_eq!(to("ex1.CONTOSO.lab.", 80), "127.0.10.1:20080");
        assert_eq!(to("ex1.contoso.lab", 25), "127.0.10.1:25");
        assert_eq!(to("ex2.contoso.lab", 80), "ex2.contoso.lab:80");
        assert_eq!(to("mail.contoso.lab", 443), "127.0.10.250:443");
        assert_eq!(to("dc1.contoso.lab", 389), "127.0.10.200:20389");
        assert_eq!(to("elsewhere.example", 443), "elsewhere.example:443");
        assert_eq!(connect.directory.as_deref(), Some("dc1.contoso.lab"));
        assert_eq!(connect.scheme, Some(LogOnScheme::Negotiate));
        let loopback = connect.place("ex1.contoso.lab").unwrap().own_loopback;
        assert_eq!(loopback, Some("127.0.20.1".parse().unwrap()));
        assert_eq!(connect.server("EX1"), Some("ex1.contoso.lab"));
        assert_eq!(connect.server("ex3"), None);
        assert_eq!(connect.servers().count(), 2);
    }

    #[test]
    fn an_empty_file_says_nothing() {
        assert_eq!(Connect::from_toml("").unwrap(), Connect::default());
    }

    #[test]
    fn a_pin_is_64_hex_digits() {
        let digits = "ab".repeat(32);
        let connect = Connect::from_toml(&format!("https = true\npin = \"{digits}\"")).unwrap();
        assert_eq!(connect.pin, Some([0xab; 32]));
        assert!(connect.https);
        assert_eq!(pin(&["AB"; 32].join(":")).unwrap(), [0xab; 32]);
        for wrong in ["", "ab", "zz", &format!("{digits}a"), &format!("{digits}ab")] {
            assert!(pin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = |text: &str| Connect::from_toml(text).unwrap_err().to_string();
        assert!(wrong("server = 1").contains("unknown field `server`"));
        assert!(wrong("scheme = \"digest\"").contains("unknown variant `digest`"));
        assert!(wrong("[names]\na = { ports = { x = 1 } }").contains("expected a port as key, found \"x\""));
        assert_eq!(
            wrong("ca = \"none\""),
            "ca: expected certificates as PEM, found none"
        );
        let Err(ConnectError::Toml { span, .. }) = Connect::from_toml("user = 1") else {
            panic!()
        };
        assert_eq!(span, Some(7..8));
    }
}
