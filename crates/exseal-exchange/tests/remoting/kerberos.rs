//! Kerberos, with a throw-away MIT key distribution centre and MIT's acceptor behind pyspnego: our own initiator with a
//! password and with a keytab, and the system's library with a credential cache.

use std::time::Duration;

use exseal_exchange::session::{Endpoint, Kdc, LogOn, Session};
use exseal_gss::{Credential, Keytab, Mechanism, Password, Scheme, UserName};
use serde_json::{Value, json};

use crate::peer::{Peer, Script, endpoint, peer_with};
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
        let mut endpoint = endpoint(self.peer.port(name), log_on);
        endpoint.kdc = Kdc {
            host: Some(text(&self.kdc.said, "host").to_owned()),
            port: u16::try_from(self.kdc.said["port"].as_u64().unwrap()).unwrap(),
            patience: Duration::from_secs(5),
        };
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

/// Opens a session, looks at all that comes back, closes it.
async fn works(endpoint: Endpoint, scheme: Scheme) {
    let mut session = Session::open(endpoint).await.unwrap();
    let way = session.way().unwrap();
    assert_eq!(way.scheme, scheme.name());
    assert_eq!(way.mechanism, Some(Mechanism::Kerberos));
    assert!(way.is_sealed && !way.is_tls);
    every_stream(&mut session).await;
    odd_text(&mut session).await;
    big_results(&mut session).await;
    secrets(&mut session).await;
    errors(&mut session).await;
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_password_and_a_keytab_get_tickets_and_carry_a_sealed_session_under_both_schemes() {
    let lab = lab(&json!({}), &both());
    for credential in [by_password(PASSWORD), lab.keytab()] {
        for (name, scheme) in [
            ("winrm", Scheme::Negotiate),
            ("winrm", Scheme::Kerberos),
            ("exchange", Scheme::Kerberos),
        ] {
            let log_on = LogOn::With(scheme, credential.clone());
            works(lab.endpoint(name, log_on), scheme).await;
            lab.peer.is_content(name);
        }
    }
}
