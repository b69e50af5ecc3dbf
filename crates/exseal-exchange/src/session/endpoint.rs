//! Where a session goes and as whom.

use std::sync::Arc;
use std::time::Duration;

use exseal_gss::{Credential, Scheme};
use exseal_psrp::wsman;
use rustls::ClientConfig;

use super::kdc::Kdc;

/// A PowerShell endpoint behind HTTP or HTTPS.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The server's full name: what its certificate and its principal (`HTTP/host`) are checked against.
    pub host: String,
    /// Where to connect instead of resolving `host`: an address or another name.
    pub address: Option<String>,
    /// The port.
    pub port: u16,
    /// How to trust the server; none: plain HTTP, on which every body is sealed.
    pub tls: Option<Arc<ClientConfig>>,
    /// Path and query, as `/PowerShell/?serializationLevel=Full`.
    pub path: String,
    /// The session configuration, as `Microsoft.Exchange`.
    pub configuration: String,
    /// How to log on.
    pub log_on: LogOn,
    /// Whose questions Kerberos asks; unused with the log-on session.
    pub kdc: Kdc,
    /// How long things may take.
    pub patience: Patience,
}

/// How to log on.
#[derive(Clone, Debug)]
pub enum LogOn {
    /// What the server offers, the best first: Kerberos, Negotiate; Basic only over TLS.
    Best(Credential),
    /// This scheme and no other. Bodies are sealed over plain HTTP.
    With(Scheme, Credential),
    /// HTTP Basic.
    Basic {
        /// The user and password; other credentials are refused.
        credential: Credential,
        /// Whether the password may go over plain HTTP, readable by everyone on the way.
        even_in_clear_text: bool,
    },
}

impl LogOn {
    pub(crate) fn credential(&self) -> &Credential {
        match self {
            Self::Best(credential) | Self::With(_, credential) | Self::Basic { credential, .. } => credential,
        }
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, its TLS and each step of its log-on.
    pub connect: Duration,
    /// For the server to answer a request; a Receive that finds nothing comes back after this and is asked again.
    pub operation: Duration,
    /// Beyond `operation`, for the answer to arrive whole.
    pub answer: Duration,
    /// For a stopped pipeline to say so.
    pub stop: Duration,
    /// For a free shell when the server's quota is used up (18 a user on Exchange).
    pub quota: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            operation: Duration::from_secs(20),
            answer: Duration::from_secs(15),
            stop: Duration::from_secs(10),
            quota: Duration::from_secs(60),
        }
    }
}

impl Endpoint {
    /// The Exchange cmdlets of a server: `http://host/PowerShell/`, Kerberos, sealed.
    ///
    /// `serializationLevel=Full` brings `SerializationData` with certificates (facts/powershell-remoting.md 3.3).
    pub fn exchange(host: impl Into<String>, log_on: LogOn) -> Self {
        Self::new(
            host.into(),
            80,
            "/PowerShell/?serializationLevel=Full",
            wsman::EXCHANGE,
            log_on,
        )
    }

    /// A server's own PowerShell: WinRM on 5985.
    pub fn server(host: impl Into<String>, log_on: LogOn) -> Self {
        Self::new(host.into(), 5985, "/wsman", wsman::POWERSHELL, log_on)
    }

    fn new(host: String, port: u16, path: &str, configuration: &str, log_on: LogOn) -> Self {
        Self {
            host,
            address: None,
            port,
            tls: None,
            path: path.to_owned(),
            configuration: configuration.to_owned(),
            log_on,
            kdc: Kdc::default(),
            patience: Patience::default(),
        }
    }

    /// The same over TLS, on 443 or 5986.
    #[must_use]
    pub fn over_tls(mut self, trust: Arc<ClientConfig>) -> Self {
        self.port = if self.configuration == wsman::EXCHANGE {
            443
        } else {
            5986
        };
        self.tls = Some(trust);
        self
    }

    /// As a URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}
