//! Kerberos, with a throw-away MIT key distribution centre and MIT's acceptor behind pyspnego: our own initiator with a
//! password and with a keytab, and the system's library with a credential cache.

use std::process::Command as Program;
use std::time::Duration;

use exseal_exchange::session::{Effect, Endpoint, Kdc, LogOn, Session, SessionError, Trust};
use exseal_gss::{Credential, GssError, Keytab, Mechanism, Password, Refusal, Scheme, UserName};
use serde_json::{Value, json};

use crate::peer::{Peer, Script, decoded, endpoint, peer_with};
use crate::tls::{over_tls, root};
use crate::way_in::{big_results, errors, every_stream, odd_text, secrets};

const PASSWORD: &str = "Passw0rd,of-a-lab";

/// The centre and a server that trusts it.
struct Lab {
    kdc: Script,
    peer: Peer,
}

/// Starts both. The step that compiles this brings the centre: without it there is nothing to test.
fn lab(asked: &Value, endpoints: &Value) -> Lab {
    let mut whole = json!({"users": {"alice": PASSWORD}, "services": ["HTTP/localhost"]});
    for (key, value) in asked.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let kdc = Script::start("EXSEAL_KDC", &whole, &[])
        .unwrap_or_else(|| panic!("run this by: cargo xtask ci --only kerberos"));
    let environment = [
        ("KRB5_CONFIG", text(&kdc.said, "krb5_conf")),
        ("KRB5_KTNAME", text(&kdc.said, "service_keytab")),
    ];
    let peer = peer_with(endpoints, &environment).unwrap();
    Lab { kdc, peer }
}

fn text<'a>(said: &'a Value, name: &str) -> &'a str {
    said[name].as_str().unwrap()
}

impl Lab {
    fn endpoint(&self, name: &str, log_on: LogOn) -> Endpoint {
        self.endpoint_at(self.peer.port(name), log_on)
    }

    /// The endpoint at a port, with the tickets of this centre.
    fn endpoint_at(&self, port: u16, log_on: LogOn) -> Endpoint {
        let mut endpoint = endpoint(port, log_on);
        endpoint.kdc = Kdc::default();
        endpoint.kdc.host = Some(text(&self.kdc.said, "host").to_owned());
        endpoint.kdc.port = u16::try_from(self.kdc.said["port"].as_u64().unwrap()).unwrap();
        endpoint
    }

    fn keytab(&self) -> Credential {
        let bytes = std::fs::read(text(&self.kdc.said, "user_keytab")).unwrap();
        Credential::Keytab {
            user: alice(),
            keytab: Keytab::parse(&bytes).unwrap(),
        }
    }
}

fn alice() -> UserName {
    UserName::parse("alice@EXSEAL.LAB").unwrap()
}

fn by_password(password: &str) -> Credential {
    Credential::Password {
        user: alice(),
        password: Password::new(password.to_owned()),
    }
}

fn both() -> Value {
    json!([
        {"name": "winrm", "auth": "kerberos", "sealed": true},
        {"name": "exchange", "auth": "kerberos", "sealed": true, "exchange": true},
    ])
}

/// Opens a session, looks at how it is protected and at odd text in both directions.
async fn opens(endpoint: Endpoint, scheme: Scheme) -> Session {
    let is_tls = endpoint.tls.is_some();
    let mut session = Session::open(endpoint).await.unwrap();
    let way = session.way().unwrap();
    assert_eq!(way.scheme, scheme.name());
    assert_eq!(way.mechanism, Some(Mechanism::Kerberos));
    assert!(way.is_sealed != way.is_tls && way.is_tls == is_tls);
    odd_text(&mut session).await;
    session
}

/// The same, and all else that comes back.
async fn works(endpoint: Endpoint, scheme: Scheme) {
    let mut session = opens(endpoint, scheme).await;
    every_stream(&mut session).await;
    big_results(&mut session).await;
    secrets(&mut session).await;
    errors(&mut session).await;
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_password_and_a_keytab_get_tickets_and_carry_a_sealed_session_under_both_schemes() {
    let lab = lab(&json!({}), &both());
    for (name, scheme) in [
        ("winrm", Scheme::Negotiate),
        ("winrm", Scheme::Kerberos),
        ("exchange", Scheme::Kerberos),
    ] {
        let keytab = lab.endpoint(name, LogOn::With(scheme, lab.keytab()));
        let password = lab.endpoint(name, LogOn::With(scheme, by_password(PASSWORD)));
        let (whole, short) = if name == "exchange" {
            (keytab, password)
        } else {
            (password, keytab)
        };
        opens(short, scheme).await.close().await.unwrap();
        if (name, scheme) == ("winrm", Scheme::Kerberos) {
            opens(whole, scheme).await.close().await.unwrap();
        } else {
            works(whole, scheme).await;
        }
    }
}

#[tokio::test]
async fn the_best_of_what_is_offered_is_kerberos_where_a_ticket_is_to_be_had_and_else_ntlm() {
    let lab = lab(&json!({}), &both());
    for (name, credential, scheme, mechanism) in [
        ("winrm", by_password(PASSWORD), "Negotiate", Mechanism::Kerberos),
        ("winrm", lab.keytab(), "Kerberos", Mechanism::Kerberos),
        ("exchange", by_password(PASSWORD), "Kerberos", Mechanism::Kerberos),
        ("exchange", lab.keytab(), "Kerberos", Mechanism::Kerberos),
        // The centre does not know this one, the server does.
        ("winrm", crate::peer::password(), "Negotiate", Mechanism::Ntlm),
    ] {
        let session = Session::open(lab.endpoint(name, LogOn::Best(credential)))
            .await
            .unwrap();
        let way = session.way().unwrap();
        assert_eq!((way.scheme, way.mechanism), (scheme, Some(mechanism)), "{name}");
        assert!(way.is_sealed);
        session.close().await.unwrap();
    }
}

/// Opens under the `Kerberos` scheme and gives the error.
async fn fails(endpoint: Endpoint) -> (GssError, String) {
    let Err(error) = Session::open(endpoint).await else {
        panic!("it must not open")
    };
    assert_eq!(error.effect(), Effect::None, "{error}");
    let told = error.refusal();
    let SessionError::LogOn { source, .. } = error else {
        panic!("{error:?}")
    };
    let words = source.to_string();
    assert!(!words.contains(PASSWORD) && !words.contains("not it"), "{words}");
    if !matches!(source, GssError::LogonDenied { .. }) {
        assert_eq!(told, Some(refusal(&source)));
    }
    (source, words)
}

fn refusal(error: &GssError) -> Refusal {
    match error {
        GssError::Ticket { refusal, .. } | GssError::TicketRefused { refusal, .. } => *refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wrong_password_an_unknown_user_or_service_and_a_dead_centre_are_told_apart() {
    let lab = lab(&json!({}), &both());
    let kerberos = |credential| lab.endpoint("exchange", LogOn::With(Scheme::Kerberos, credential));

    for scheme in [Scheme::Kerberos, Scheme::Negotiate] {
        let name = if scheme == Scheme::Kerberos {
            "exchange"
        } else {
            "winrm"
        };
        let wrong = lab.endpoint(name, LogOn::With(scheme, by_password("not it")));
        let (error, words) = fails(wrong).await;
        assert!(
            matches!(&error, GssError::LogonDenied { mechanism: Mechanism::Kerberos, user } if user == "alice@EXSEAL.LAB"),
            "{error:?}"
        );
        assert!(words.contains("wrong name or password"), "{words}");
    }

    let nobody = Credential::Password {
        user: UserName::parse("nobody@EXSEAL.LAB").unwrap(),
        password: Password::new(PASSWORD.to_owned()),
    };
    let (error, words) = fails(kerberos(nobody)).await;
    assert_eq!(refusal(&error), Refusal::UnknownUser, "{words}");

    for credential in [by_password(PASSWORD), lab.keytab()] {
        let mut elsewhere = kerberos(credential);
        "ex9.exseal.lab".clone_into(&mut elsewhere.host);
        let (error, words) = fails(elsewhere).await;
        assert_eq!(refusal(&error), Refusal::UnknownService, "{words}");
        assert!(
            words.starts_with("no Kerberos ticket for HTTP/ex9.exseal.lab: ") && words.contains("setspn -Q"),
            "{words}"
        );
    }

    let mut silent = kerberos(by_password(PASSWORD));
    silent.kdc.port = 1;
    let (error, words) = fails(silent).await;
    assert_eq!(refusal(&error), Refusal::Unreachable, "{words}");
    assert!(words.contains("127.0.0.1 port 1"), "{words}");

    assert_eq!(lab.peer.calls("exchange", "refused"), 0, "no token of these left");
    // Nobody but the right ones comes in, and the others have left nothing behind.
    let session = Session::open(kerberos(lab.keytab())).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn clocks_that_differ_are_said_to_differ() {
    // The centre is an hour ahead of the server: its tickets are not valid yet there.
    let lab = lab(&json!({"skew": 3600, "tickets": ["alice"]}), &both());
    for (name, scheme) in [
        ("winrm", Scheme::Negotiate),
        ("winrm", Scheme::Kerberos),
        ("exchange", Scheme::Kerberos),
    ] {
        for credential in [by_password(PASSWORD), lab.keytab()] {
            let (error, words) = fails(lab.endpoint(name, LogOn::With(scheme, credential))).await;
            assert!(matches!(error, GssError::TicketRefused { .. }), "{error:?}");
            assert_eq!(refusal(&error), Refusal::ClockSkew, "{words}");
            assert!(
                words.starts_with("HTTP/localhost refused the Kerberos ticket: "),
                "{words}"
            );
            assert!(words.contains("clocks differ"), "{words}");
        }
        let told = lab.as_logged_on("alice", "fails", name, scheme);
        assert!(told.starts_with("TicketRefused ClockSkew"), "{told}");
    }
}

#[tokio::test]
async fn a_server_with_another_key_than_the_tickets_says_so() {
    // Two centres of one realm: the server has the key of the one, the client a ticket of the other.
    let server = lab(&json!({}), &both());
    let client = lab(&json!({}), &json!([]));
    let log_on = LogOn::With(Scheme::Kerberos, by_password(PASSWORD));
    let (error, words) = fails(client.endpoint_at(server.peer.port("exchange"), log_on)).await;
    assert!(matches!(error, GssError::TicketRefused { .. }), "{error:?}");
    assert_eq!(refusal(&error), Refusal::WrongKey, "{words}");
}

#[tokio::test]
async fn a_ticket_over_https_is_bound_to_the_servers_certificate() {
    let endpoints = json!([
        {"name": "own", "auth": "kerberos", "tls": "sha256", "binding": "own"},
        {"name": "own-384", "auth": "kerberos", "tls": "sha384", "binding": "own"},
        {"name": "other", "auth": "kerberos", "tls": "sha256", "binding": "other"},
    ]);
    let lab = lab(&json!({"tickets": ["alice"]}), &endpoints);
    for scheme in [Scheme::Kerberos, Scheme::Negotiate] {
        for name in ["own", "own-384"] {
            assert_eq!(lab.as_logged_on("alice", "opens", name, scheme), "opens");
            for credential in [by_password(PASSWORD), lab.keytab()] {
                let plain = lab.endpoint(name, LogOn::With(scheme, credential));
                let bound = over_tls(&lab.peer, name, plain, &root(&lab.peer, name));
                opens(bound, scheme).await.close().await.unwrap();
            }
        }
        for credential in [by_password(PASSWORD), lab.keytab()] {
            let plain = lab.endpoint("other", LogOn::With(scheme, credential));
            let bound = over_tls(&lab.peer, "other", plain, &root(&lab.peer, "other"));
            let Err(error) = Session::open(bound).await else {
                panic!("it is bound to another certificate")
            };
            assert!(
                matches!(
                    error,
                    SessionError::LogOn {
                        source: GssError::TicketRefused { .. },
                        ..
                    } | SessionError::Unauthorized { .. }
                ),
                "{error:?}"
            );
        }
        // The same ticket is worth nothing at a server with another certificate.
        assert_eq!(
            lab.as_logged_on("alice", "is refused", "other", scheme),
            "refused"
        );
    }
}

#[test]
fn whoever_is_logged_on_opens_sealed_sessions_with_the_tickets_of_the_cache() {
    let lab = lab(&json!({"tickets": ["alice"]}), &both());
    for (name, scheme) in [
        ("winrm", Scheme::Negotiate),
        ("winrm", Scheme::Kerberos),
        ("exchange", Scheme::Kerberos),
    ] {
        let what = if name == "exchange" { "works" } else { "opens" };
        assert_eq!(lab.as_logged_on("alice", what, name, scheme), what);
    }
    assert_eq!(
        lab.as_logged_on("alice", "unknown service", "exchange", Scheme::Kerberos),
        "Ticket UnknownService"
    );
    assert_eq!(
        lab.as_logged_on("nobody", "fails", "exchange", Scheme::Kerberos),
        "Ticket NoTicket"
    );
    // The client's keytab serves where there is no cache (KRB5_CLIENT_KTNAME).
    assert_eq!(
        lab.as_logged_on("keytab", "opens", "winrm", Scheme::Negotiate),
        "opens"
    );
}

#[test]
fn a_ticket_that_has_expired_is_said_to_have() {
    let lab = lab(&json!({"tickets": ["alice"], "ticket_life": 1}), &both());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(
        lab.as_logged_on("alice", "fails", "exchange", Scheme::Kerberos),
        "Ticket NoTicket"
    );
}

/// What the process within says behind this.
const TOLD: &str = "told: ";

impl Lab {
    /// Runs [`within`] as a process of its own, since whose tickets are used is a matter of its environment.
    fn as_logged_on(&self, whom: &str, what: &str, name: &str, scheme: Scheme) -> String {
        let cache = match &self.kdc.said["ccaches"][whom] {
            Value::String(cache) => cache.clone(),
            _ => format!("MEMORY:{whom}"),
        };
        let keytab = text(&self.kdc.said, "user_keytab");
        let mut program = Program::new(std::env::current_exe().unwrap());
        program
            .args(["--exact", "kerberos::within", "--ignored", "--nocapture"])
            .env("KRB5_CONFIG", text(&self.kdc.said, "krb5_conf"))
            .env("KRB5CCNAME", cache)
            .env_remove("KRB5_KTNAME")
            .env(
                "KRB5_CLIENT_KTNAME",
                if whom == "keytab" { keytab } else { "FILE:/nothing" },
            )
            // Words of the library in another language change nothing.
            .env("LC_ALL", "de_DE.UTF-8")
            .env(
                "EXSEAL_WITHIN",
                format!("{what}/{}/{}", scheme.name(), self.peer.port(name)),
            );
        if let Some(certificate) = self.peer.encoded_certificate(name) {
            program.env("EXSEAL_CERTIFICATE", certificate);
        }
        let output = program.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let told = text.lines().find_map(|line| line.split_once(TOLD));
        let Some((_, told)) = told else {
            panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr))
        };
        told.to_owned()
    }
}

#[tokio::test]
#[ignore = "runs as a process of its own within other tests"]
async fn within() {
    let asked = std::env::var("EXSEAL_WITHIN").unwrap();
    let [what, scheme, port] = asked.split('/').collect::<Vec<_>>()[..] else {
        panic!("{asked}")
    };
    let scheme = if scheme == "Kerberos" {
        Scheme::Kerberos
    } else {
        Scheme::Negotiate
    };
    let mut endpoint = endpoint(
        port.parse().unwrap(),
        LogOn::With(scheme, Credential::LogonSession),
    );
    if let Ok(certificate) = std::env::var("EXSEAL_CERTIFICATE") {
        let trust = Trust {
            roots: vec![decoded(&certificate)],
            without_system: true,
            pinned: None,
        };
        endpoint.tls = Some(trust.config().unwrap());
    }
    match what {
        "is refused" => {
            let Err(error) = Session::open(endpoint).await else {
                panic!("it must not open")
            };
            assert!(
                matches!(
                    error,
                    SessionError::LogOn { .. } | SessionError::Unauthorized { .. }
                ),
                "{error:?}"
            );
            println!("{TOLD}refused");
            return;
        }
        "opens" => {
            opens(endpoint, scheme).await.close().await.unwrap();
            println!("{TOLD}opens");
            return;
        }
        "works" => {
            works(endpoint, scheme).await;
            println!("{TOLD}works");
            return;
        }
        "unknown service" => "ex9.exseal.lab".clone_into(&mut endpoint.host),
        _ => {}
    }
    let (error, words) = fails(endpoint).await;
    println!("{words}");
    let kind = if matches!(error, GssError::Ticket { .. }) {
        "Ticket"
    } else {
        "TicketRefused"
    };
    println!("{TOLD}{kind} {:?}", refusal(&error));
}
