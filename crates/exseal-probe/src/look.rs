//! One look at one target: connect, speak to where TLS begins, shake hands, and where that fails read the first answer.

use std::io::ErrorKind;
use std::sync::Arc;

use exseal_model::{Certificate, Thumbprint};
use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use crate::connect::connect;
use crate::dialogue::{Dialogue, Next, goodbye, shown};
use crate::flight::Flight;
use crate::handshake::{Shown, config};
use crate::hello::{Version, client_hello};
use crate::sighting::{HealthPage, Leaf, Link, LookedBy, Outcome, Presented, Stage, VersionSeen};
use crate::{Options, Protocol, Target, judge};

/// How long a server is given to hear our goodbye.
const PARTING: std::time::Duration = std::time::Duration::from_millis(500);

/// What was seen so far: it stays when the time runs out.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) stage: Stage,
    pub(crate) address: Option<crate::Address>,
    pub(crate) greeting: Option<String>,
    pub(crate) offered: Vec<String>,
    pub(crate) presented: Option<Presented>,
    pub(crate) health: Vec<HealthPage>,
    pub(crate) versions: Vec<VersionSeen>,
}

impl Progress {
    pub(crate) const fn new() -> Self {
        Self {
            stage: Stage::Resolving,
            address: None,
            greeting: None,
            offered: Vec::new(),
            presented: None,
            health: Vec::new(),
            versions: Vec::new(),
        }
    }
}

/// What every look of a run shares.
pub(crate) struct Look<'a> {
    pub(crate) target: &'a Target,
    /// The name asked for; `None`: none is.
    pub(crate) asked: Option<&'a str>,
    pub(crate) options: &'a Options,
    pub(crate) provider: &'a Arc<CryptoProvider>,
    pub(crate) now: Timestamp,
}

impl Look<'_> {
    /// Looks once, within the deadline.
    pub(crate) async fn once(&self) -> (Outcome, Progress) {
        let mut progress = Progress::new();
        let end = Instant::now() + self.options.deadline;
        let outcome = match timeout_at(end, self.attempt(&mut progress)).await {
            Ok(outcome) => outcome,
            Err(_) if progress.presented.is_some() => Outcome::Presented,
            Err(_) => Outcome::TimedOut {
                during: progress.stage,
            },
        };
        if self.options.versions
            && progress.address.is_some()
            && !matches!(outcome, Outcome::NotOffered { .. })
        {
            for version in Version::SWEPT {
                let seen = self.sweep(version).await;
                progress.versions.push(seen);
            }
        }
        (outcome, progress)
    }

    async fn attempt(&self, progress: &mut Progress) -> Outcome {
        match self.shake(progress).await {
            Ok(()) => Outcome::Presented,
            Err(Failed::Final(outcome)) => outcome,
            Err(Failed::Handshake { outcome, because }) => self.fall_back(progress, outcome, because).await,
        }
    }

    /// The whole handshake.
    async fn shake(&self, progress: &mut Progress) -> Result<(), Failed> {
        let stream = self.begin(progress).await.map_err(Failed::Final)?;
        progress.stage = Stage::Handshake;
        let name = self
            .asked
            .and_then(|name| ServerName::try_from(name.trim_end_matches('.').to_owned()).ok());
        let ask = name.is_some();
        let name = name.unwrap_or_else(|| ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        let (config, recorder) =
            config(Arc::clone(self.provider), ask).map_err(|error| Failed::Handshake {
                outcome: unexpected(Stage::Handshake, "a handshake", &error.to_string()),
                because: error.to_string(),
            })?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(mut stream) => {
                let (_, connection) = stream.get_ref();
                let version = connection
                    .protocol_version()
                    .and_then(|version| Version::of(u16::from(version)))
                    .map_or_else(|| "unknown".to_owned(), |version| version.to_string());
                let cipher = connection.negotiated_cipher_suite().map_or_else(
                    || "unknown".to_owned(),
                    |suite| iana(&format!("{:?}", suite.suite())),
                );
                let group = connection
                    .negotiated_key_exchange_group()
                    .map(|group| format!("{:?}", group.name()));
                progress.presented = Some(self.presented(recorder.shown(), version, cipher, group));
                if self.options.healthcheck && self.target.protocol == Protocol::Https {
                    let host = self.asked.unwrap_or(&self.target.host);
                    progress.health = crate::health::pages(stream, host, self.options.connect).await;
                } else {
                    let parting = async {
                        let _ = stream.write_all(goodbye(self.target.protocol)).await;
                        let _ = stream.shutdown().await;
                    };
                    let _ = timeout(PARTING, parting).await;
                }
                Ok(())
            }
            Err(error) => {
                let shown = recorder.shown();
                let because = error.to_string();
                if !shown.chain.is_empty() {
                    // The certificate came and something after it went wrong: what was presented is known all the same.
                    let mut presented =
                        self.presented(shown, "unknown".to_owned(), "unknown".to_owned(), None);
                    if presented.key_proven != Some(true) && presented.unproven.is_none() {
                        presented.unproven = Some(format!("the handshake ended before: {because}"));
                    }
                    progress.presented = Some(presented);
                    return Ok(());
                }
                Err(Failed::Handshake {
                    outcome: of_handshake(&error),
                    because,
                })
            }
        }
    }

    /// Connects and speaks to where TLS begins.
    async fn begin(&self, progress: &mut Progress) -> Result<TcpStream, Outcome> {
        let mut stream = connect(self.target, self.options, progress).await?;
        let Some(mut dialogue) = Dialogue::new(self.target.protocol, &self.options.greeting) else {
            return Ok(stream);
        };
        progress.stage = Stage::Greeting;
        let mut buffer = [0_u8; 4096];
        loop {
            let count = match stream.read(&mut buffer).await {
                Ok(0) => {
                    return Err(Outcome::HungUp {
                        during: Stage::Greeting,
                    });
                }
                Ok(count) => count,
                Err(error) => return Err(of_io(&error, Stage::Greeting)),
            };
            let next = dialogue.read(buffer.get(..count).unwrap_or_default());
            progress.greeting = dialogue.greeting().map(str::to_owned);
            progress.offered = dialogue.offered().to_vec();
            match next {
                Ok(Next::Wait) => {}
                Ok(Next::Send(bytes)) => {
                    if let Err(error) = stream.write_all(&bytes).await {
                        return Err(of_io(&error, Stage::Greeting));
                    }
                }
                Ok(Next::Begin) => return Ok(stream),
                Ok(Next::NotOffered) => {
                    self.part(&mut stream).await;
                    return Err(Outcome::NotOffered {
                        command: self.target.protocol.command().unwrap_or_default().to_owned(),
                    });
                }
                Ok(Next::Refused(answer)) => {
                    self.part(&mut stream).await;
                    return Err(Outcome::Refused { answer });
                }
                Err(error) => return Err(unexpected(Stage::Greeting, &error.expected, &error.found)),
            }
        }
    }

    async fn part(&self, stream: &mut TcpStream) {
        let parting = async {
            let _ = stream.write_all(goodbye(self.target.protocol)).await;
            let _ = stream.shutdown().await;
        };
        let _ = timeout(PARTING, parting).await;
    }

    /// Reads the certificate out of the first answer, over a new connection.
    async fn fall_back(&self, progress: &mut Progress, outcome: Outcome, because: String) -> Outcome {
        let flight = match self.first_answer(Version::Tls12, progress).await {
            Ok(flight) => flight,
            // The second look says more where the first could only say that it was no TLS.
            Err(second @ Outcome::Unexpected { .. }) => return second,
            Err(_) => return outcome,
        };
        let Some(chain) = flight.chain() else {
            return match flight.alert() {
                Some(alert) => Outcome::Alert { alert: alert.word() },
                None => outcome,
            };
        };
        let shown = Shown {
            chain: chain.to_vec(),
            key_proven: None,
            unproven: Some(because),
        };
        let (version, cipher) = flight.chosen().map_or_else(
            || ("unknown".to_owned(), "unknown".to_owned()),
            |chosen| {
                let version = chosen
                    .version
                    .map_or_else(|| "unknown".to_owned(), |version| version.to_string());
                (version, suite_name(chosen.cipher))
            },
        );
        let mut presented = self.presented(shown, version, cipher, None);
        presented.by = LookedBy::Hello;
        progress.presented = Some(presented);
        Outcome::Presented
    }

    /// Sends a hello of one version and reads the answer.
    async fn first_answer(&self, version: Version, progress: &mut Progress) -> Result<Flight, Outcome> {
        let mut stream = self.begin(progress).await?;
        progress.stage = Stage::Handshake;
        let mut random = [0_u8; 64];
        if self.provider.secure_random.fill(&mut random).is_err() {
            return Err(unexpected(Stage::Handshake, "random bytes of the system", "none"));
        }
        let hello = client_hello(version, self.asked, &random);
        if let Err(error) = stream.write_all(&hello).await {
            return Err(of_io(&error, Stage::Handshake));
        }
        let mut flight = Flight::new();
        let mut buffer = [0_u8; 8192];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => {
                    return Err(Outcome::HungUp {
                        during: Stage::Handshake,
                    });
                }
                Ok(count) => match flight.read(buffer.get(..count).unwrap_or_default()) {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => return Err(unexpected(Stage::Handshake, &error.expected, &error.found)),
                },
                Err(error) => return Err(of_io(&error, Stage::Handshake)),
            }
        }
        // user_canceled and close_notify: the server's log shows a client that went away, not a failure.
        let farewell = [21, 3, 1, 0, 2, 1, 90, 21, 3, 1, 0, 2, 1, 0];
        let parting = async {
            let _ = stream.write_all(&farewell).await;
            let _ = stream.shutdown().await;
        };
        let _ = timeout(PARTING, parting).await;
        Ok(flight)
    }

    /// Whether one version is spoken.
    async fn sweep(&self, version: Version) -> VersionSeen {
        let mut progress = Progress::new();
        let answer = timeout(self.options.deadline, self.first_answer(version, &mut progress)).await;
        let (spoken, because) = match answer {
            Err(_) => (None, "timed out".to_owned()),
            Ok(Err(Outcome::HungUp {
                during: Stage::Handshake,
            })) => {
                // Schannel hangs up rather than say that it does not speak a version.
                (Some(false), "the server hung up".to_owned())
            }
            Ok(Err(outcome)) => (None, outcome.to_string()),
            Ok(Ok(flight)) => match (flight.chosen(), flight.alert()) {
                (Some(chosen), _) if chosen.version == Some(version) => {
                    (Some(true), suite_name(chosen.cipher))
                }
                (Some(chosen), _) => {
                    let other = chosen
                        .version
                        .map_or_else(|| "another".to_owned(), |other| other.to_string());
                    (Some(false), format!("the server chose {other}"))
                }
                (None, Some(alert)) => (Some(false), alert.word()),
                (None, None) => (None, "no ServerHello came".to_owned()),
            },
        };
        VersionSeen {
            version: version.to_string(),
            spoken,
            because,
        }
    }

    fn presented(&self, shown: Shown, version: String, cipher: String, group: Option<String>) -> Presented {
        let chain: Vec<Link> = shown
            .chain
            .iter()
            .map(|der| Link {
                thumbprint: Thumbprint::of_der(der),
                certificate: Certificate::from_der(der).ok(),
            })
            .collect();
        let leaf = chain.first().and_then(|link| link.certificate.as_ref());
        let covers = match (shown.chain.first(), self.target.wanted_name()) {
            (Some(der), Some(name)) => judge::covers(der, name)
                .ok()
                // A certificate the library refuses (version 1, illegal fields) is held against the name by our own reading.
                .or_else(|| {
                    leaf.map(|leaf| {
                        leaf.dns_names
                            .iter()
                            .any(|own| exseal_model::certificate::name_covers(own, name))
                    })
                }),
            _ => None,
        };
        let (trusted, distrust) = match &self.options.roots {
            None => (None, Some("no roots were given to judge by".to_owned())),
            Some(roots) => match judge::trusted(&shown.chain, &roots.store, self.now) {
                Ok(()) => (Some(true), None),
                Err(why) => (Some(false), Some(why)),
            },
        };
        Presented {
            by: LookedBy::Handshake,
            version,
            cipher,
            group,
            key_proven: shown.key_proven,
            unproven: shown.unproven,
            thumbprint: leaf.map(|leaf| leaf.thumbprint),
            leaf: leaf.map(|leaf| Leaf::of(leaf, self.now)),
            covers,
            trusted,
            distrust,
            chain,
        }
    }
}

enum Failed {
    /// It did not come to a handshake.
    Final(Outcome),
    /// The handshake failed before a certificate came.
    Handshake { outcome: Outcome, because: String },
}

fn of_handshake(error: &std::io::Error) -> Outcome {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => Outcome::Alert {
            alert: crate::flight::Alert {
                fatal: true,
                number: u8::from(*alert),
            }
            .word(),
        },
        Some(other) => unexpected(Stage::Handshake, "TLS 1.2 or 1.3", &other.to_string()),
        None => of_io(error, Stage::Handshake),
    }
}

fn of_io(error: &std::io::Error, during: Stage) -> Outcome {
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionAborted => Outcome::HungUp { during },
        _ => Outcome::Unreachable {
            during,
            reason: error.to_string(),
        },
    }
}

fn unexpected(during: Stage, expected: &str, found: &str) -> Outcome {
    Outcome::Unexpected {
        during,
        expected: expected.to_owned(),
        found: shown(found).chars().take(120).collect(),
    }
}

/// `TLS13_AES_128_GCM_SHA256`, as the library calls it, by its IANA name.
fn iana(name: &str) -> String {
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name.to_owned(),
    }
}

fn suite_name(number: u16) -> String {
    match rustls::CipherSuite::from(number) {
        rustls::CipherSuite::Unknown(number) => format!("0x{number:04x}"),
        known => iana(&format!("{known:?}")),
    }
}
