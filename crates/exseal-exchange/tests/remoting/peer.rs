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

/// A running psrpcore server.
pub(crate) struct Peer(Script);

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
    script.map(Peer)
}

impl Peer {
    pub(crate) fn port(&self, name: &str) -> u16 {
        u16::try_from(self.0.said[name].as_u64().unwrap()).unwrap()
    }

    /// What the peer says of an endpoint's past.
    pub(crate) fn stats(&self, name: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port(name))).unwrap();
        stream
            .write_all(b"GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut whole = String::new();
        stream.read_to_string(&mut whole).unwrap();
        serde_json::from_str(whole.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// No shell is left and the client did nothing wrong.
    pub(crate) fn is_content(&self, name: &str) {
        let stats = self.stats(name);
        assert_eq!(stats["shells"], 0, "shells are left on {name}: {stats}");
        assert_eq!(stats["wrong"], serde_json::json!([]), "on {name}");
    }
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
