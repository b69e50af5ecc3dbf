//! The peer's process and what the tests ask of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use exseal_exchange::session::{Allowed, Endpoint, Item, LogOn, Session, SessionError};
use exseal_gss::{Credential, Password, Scheme, UserName};
use exseal_psrp::clixml::{Document, Value};
use exseal_psrp::message::{Command as Cmdlet, Pipeline};

/// A running script of `interop`; ends with the test.
pub(crate) struct Script {
    child: Child,
    /// The line it printed when it was ready.
    pub(crate) said: serde_json::Value,
}

impl Drop for Script {
    fn drop(&mut self) {
        // The end of its input ends it, and what it started.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Script {
    /// Starts what `variable` names, program and arguments with U+001F between them; none: it names nothing.
    pub(crate) fn start(
        variable: &str,
        asked: &serde_json::Value,
        environment: &[(&str, &str)],
    ) -> Option<Self> {
        let command = std::env::var(variable).ok()?;
        let mut words = command.split('\u{1f}');
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .arg(asked.to_string())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("{command:?} did not start: {line:?}"));
        Some(Self { child, said })
    }
}

/// A running psrpcore server. When it goes it must have no shell left and nothing to say against its client.
pub(crate) struct Peer {
    script: Script,
    names: Vec<String>,
    /// What it will say against a client that was not ours.
    forgiven: Option<(String, &'static str)>,
    /// How words begin that are another one's fault: of who stood between it and its client.
    excused: &'static [&'static str],
}

impl Drop for Peer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let stats = self.stats();
        for name in &self.names {
            let stats = &stats[name];
            let forgiven = self.forgiven.as_ref().filter(|(of, _)| of == name);
            let is_excused = |said: &serde_json::Value| {
                let said = said.as_str().unwrap_or_default();
                self.excused.iter().any(|words| said.starts_with(words))
            };
            let mut said = stats["wrong"].as_array().cloned().unwrap_or_default();
            said.retain(|words| !is_excused(words));
            let wrong: Vec<&str> = forgiven.iter().map(|(_, words)| *words).collect();
            assert_eq!(stats["shells"], 0, "shells are left on {name}: {stats}");
            assert_eq!(said, wrong, "on {name}");
        }
    }
}

/// Starts the peer with these endpoints; none: it is not installed, and that was said.
pub(crate) fn peer(endpoints: &serde_json::Value) -> Option<Peer> {
    peer_with(endpoints, &[])
}

/// The same within an environment, as Kerberos needs one.
pub(crate) fn peer_with(endpoints: &serde_json::Value, environment: &[(&str, &str)]) -> Option<Peer> {
    let script = Script::start("EXSEAL_PSRP_PEER", endpoints, environment);
    if script.is_none() {
        assert!(std::env::var("CI").is_err(), "the peer must be there in CI");
        println!("not checked: our client against psrpcore's server (cargo xtask ci --only test)");
    }
    let named = |endpoint: &serde_json::Value| endpoint["name"].as_str().unwrap().to_owned();
    let names = endpoints.as_array().unwrap().iter().map(named).collect();
    script.map(|script| Peer {
        script,
        names,
        forgiven: None,
        excused: &[],
    })
}

impl Peer {
    pub(crate) fn port(&self, name: &str) -> u16 {
        u16::try_from(self.script.said[name].as_u64().unwrap()).unwrap()
    }

    /// The certificate of an endpoint with TLS, in DER.
    pub(crate) fn certificate(&self, name: &str) -> Vec<u8> {
        decoded(self.encoded_certificate(name).unwrap())
    }

    /// The same in base64; none: the endpoint is without TLS.
    pub(crate) fn encoded_certificate(&self, name: &str) -> Option<&str> {
        self.script.said["certificates"][name].as_str()
    }

    /// What the peer says of all endpoints' past, by their names.
    pub(crate) fn stats(&self) -> serde_json::Value {
        let answer = plain(
            self.port("stats"),
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        );
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// How often an action was asked of an endpoint.
    pub(crate) fn calls(&self, name: &str, action: &str) -> u64 {
        self.stats()[name]["calls"][action].as_u64().unwrap_or_default()
    }

    /// What the peer may say of what was done on the way to it.
    pub(crate) fn excuse(&mut self, words: &'static [&'static str]) {
        self.excused = words;
    }

    /// That the peer will say this once, of a client that is not ours.
    pub(crate) fn forgive(&mut self, name: &str, words: &'static str) {
        self.forgiven = Some((name.to_owned(), words));
    }
}

pub(crate) fn decoded(base64: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap()
}

/// Writes a text to a port and reads until the other side closes.
pub(crate) fn plain(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut whole = String::new();
    stream.read_to_string(&mut whole).unwrap();
    whole
}

pub(crate) fn password() -> Credential {
    Credential::Password {
        user: UserName::parse(r"LAB\admin").unwrap(),
        password: Password::new("pw".to_owned()),
    }
}

pub(crate) fn basic() -> LogOn {
    LogOn::Basic {
        credential: password(),
        even_in_clear_text: true,
    }
}

pub(crate) fn ntlm() -> LogOn {
    LogOn::With(Scheme::Negotiate, password())
}

/// The Exchange endpoint of the peer on this port.
pub(crate) fn endpoint(port: u16, log_on: LogOn) -> Endpoint {
    let mut endpoint = Endpoint::exchange("localhost", log_on);
    endpoint.address = Some("127.0.0.1".to_owned());
    endpoint.port = port;
    endpoint.patience.operation = Duration::from_secs(5);
    endpoint.patience.stop = Duration::from_secs(5);
    endpoint
}

/// The peer's WinRM endpoint, which takes scripts.
pub(crate) fn server(port: u16, log_on: LogOn) -> Endpoint {
    let mut server = Endpoint::server("localhost", log_on);
    server.address = Some("127.0.0.1".to_owned());
    server.port = port;
    server.patience.operation = Duration::from_secs(5);
    server
}

pub(crate) async fn run(session: &mut Session, command: Cmdlet) -> Result<Vec<Item>, SessionError> {
    session.run(Pipeline::new([command]), &Allowed::default()).await
}

pub(crate) fn outputs(items: &[Item]) -> Vec<&Document<'static>> {
    items
        .iter()
        .filter_map(|item| {
            if let Item::Output(document) = item {
                Some(document)
            } else {
                None
            }
        })
        .collect()
}

pub(crate) fn texts(items: &[Item]) -> Vec<String> {
    let text = |document: &Document<'static>| match document.values.first() {
        Some(Value::String(text)) => text.to_text().into_owned(),
        other => panic!("expected a string, found {other:?}"),
    };
    outputs(items).into_iter().map(text).collect()
}
