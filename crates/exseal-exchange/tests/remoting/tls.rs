//! Over https: trust, Basic, and log-ons that are bound to the TLS connection (Extended Protection).

use exseal_exchange::session::{Endpoint, LogOn, Session, SessionError, Trust};
use exseal_gss::Mechanism;
use exseal_psrp::message::Command;
use serde_json::json;

use crate::peer::{Peer, basic, endpoint, ntlm, password, peer, run, texts};

/// The same endpoint behind TLS, trusted as given.
pub(crate) fn over_tls(peer: &Peer, name: &str, mut endpoint: Endpoint, trust: &Trust) -> Endpoint {
    endpoint.tls = Some(trust.config().unwrap());
    endpoint.port = peer.port(name);
    endpoint
}

/// Nothing but the peer's own certificate.
pub(crate) fn root(peer: &Peer, name: &str) -> Trust {
    Trust {
        roots: vec![peer.certificate(name)],
        without_system: true,
        pinned: None,
    }
}

async fn echoes(endpoint: Endpoint) -> Result<Session, SessionError> {
    let mut session = Session::open(endpoint).await?;
    let command = Command::new("Get-Echo").parameter("A", "ö😀\r\n");
    assert_eq!(texts(&run(&mut session, command).await?), ["ö😀\r\n"]);
    Ok(session)
}

#[tokio::test]
async fn over_https_basic_is_allowed_and_only_a_trusted_certificate_gets_the_password() {
    let Some(peer) = peer(&json!([
        {"name": "basic", "auth": "basic", "tls": "sha256"},
        {"name": "other", "auth": "basic", "tls": "sha256"},
    ])) else {
        return;
    };
    let pinned = Trust {
        pinned: Some(<sha2::Sha256 as sha2::Digest>::digest(peer.certificate("basic")).into()),
        without_system: true,
        ..Trust::default()
    };
    for trust in [root(&peer, "basic"), pinned.clone()] {
        for log_on in [LogOn::Best(password()), basic()] {
            let session = echoes(over_tls(&peer, "basic", endpoint(1, log_on), &trust))
                .await
                .unwrap();
            let way = session.way().unwrap();
            assert!(way.is_tls && !way.is_sealed);
            assert_eq!(way.scheme, "Basic");
            session.close().await.unwrap();
        }
    }
    for trust in [root(&peer, "basic"), pinned] {
        let Err(error) = echoes(over_tls(&peer, "other", endpoint(1, basic()), &trust)).await else {
            panic!("another certificate")
        };
        assert!(matches!(error, SessionError::Tls { .. }), "{error}");
    }
    assert_eq!(peer.stats()["other"]["calls"], json!({}), "nothing was sent");
}

#[tokio::test]
async fn a_log_on_over_https_is_bound_to_its_certificate_whatever_that_was_signed_with() {
    let names = ["sha256", "sha384", "sha512"];
    let mut endpoints = Vec::new();
    for hash in names {
        for binding in ["own", "other"] {
            endpoints.push(json!({
                "name": format!("{hash}-{binding}"), "auth": "negotiate", "tls": hash, "binding": binding,
            }));
        }
    }
    let Some(peer) = peer(&json!(endpoints)) else {
        return;
    };
    for hash in names {
        let own = format!("{hash}-own");
        let trust = root(&peer, &own);
        let session = echoes(over_tls(&peer, &own, endpoint(1, ntlm()), &trust))
            .await
            .unwrap();
        let way = session.way().unwrap();
        assert!(way.is_tls && !way.is_sealed);
        assert_eq!(way.mechanism, Some(Mechanism::Ntlm));
        session.close().await.unwrap();

        // The same proof is worth nothing at a server with another certificate: a man in the middle gets no further.
        let other = format!("{hash}-other");
        let trust = root(&peer, &other);
        let Err(error) = echoes(over_tls(&peer, &other, endpoint(1, ntlm()), &trust)).await else {
            panic!("it is bound to another certificate")
        };
        assert!(matches!(error, SessionError::Unauthorized { .. }), "{error}");
    }
}
