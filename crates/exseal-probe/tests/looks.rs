//! Looks at servers of this process: what is recorded, how it is judged, and that the probe is gentle.

#![expect(clippy::unwrap_used, reason = "these are tests, their shared functions too")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exseal_engine::{Policy, merge};
use exseal_model::{Channel, Severity};
use exseal_probe::{
    Asked, LookedBy, Names, Options, Outcome, Override, Protocol, Roots, Sighting, Target, probe,
};
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const NAME: &str = "mail.example.org";

fn now() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

/// A self-signed certificate of 2026 for names, and its key.
fn certificate(names: &[&str]) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params =
        CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 12, 31);
    (params.self_signed(&key).unwrap(), key)
}

fn acceptor(certificate: &rcgen::Certificate, key: &KeyPair) -> TlsAcceptor {
    let provider = exseal_probe::handshake::provider();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A server of TLS; counts how many connections were open at one time at most, and in all.
async fn serve(acceptor: TlsAcceptor) -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    serve_at(acceptor, "127.0.0.1:0").await
}

async fn serve_at(acceptor: TlsAcceptor, place: &str) -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(place).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (open, most, all) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (at_most, in_all) = (Arc::clone(&most), Arc::clone(&all));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, open, most) = (acceptor.clone(), Arc::clone(&open), Arc::clone(&most));
            all.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Counted while the client certainly waits for us.
                tokio::time::sleep(Duration::from_millis(30)).await;
                open.fetch_sub(1, Ordering::SeqCst);
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 64]).await;
                }
            });
        }
    });
    (address, at_most, in_all)
}

fn options(places: &[(&str, SocketAddr)], roots: &[Vec<u8>]) -> Options {
    let mut options = Options::default();
    let (roots, problems) = Roots::only(roots);
    assert_eq!(problems, Vec::<String>::new());
    options.roots = Some(roots);
    options.deadline = Duration::from_secs(5);
    options.overrides = places
        .iter()
        .map(|(name, place)| ((*name).to_owned(), Override::Socket(*place)))
        .collect::<BTreeMap<_, _>>();
    options
}

async fn one(target: Target, options: Options, now: Timestamp) -> Sighting {
    let mut found = probe(vec![target], options, Policy::default(), now).await;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn said(sighting: &Sighting) -> Vec<(Severity, &str)> {
    sighting
        .remarks
        .iter()
        .map(|remark| (remark.severity, remark.name.as_str()))
        .collect()
}

#[tokio::test]
async fn a_root_that_is_presented_and_trusted_is_said_to_be_so() {
    let (certificate, key) = certificate(&[NAME]);
    let (address, _, _) = serve(acceptor(&certificate, &key)).await;
    let der = certificate.der().to_vec();
    let sighting = one(Target::new(NAME, 443), options(&[(NAME, address)], &[der]), now()).await;
    let presented = sighting.presented.as_ref().unwrap();
    assert_eq!(presented.by, LookedBy::Handshake);
    assert_eq!(presented.version, "TLS 1.3");
    assert_eq!(presented.key_proven, Some(true));
    assert_eq!((presented.covers, presented.trusted), (Some(true), Some(true)));
    assert_eq!(said(&sighting), []);
    assert_eq!(sighting.asked.as_deref(), Some(NAME));
}

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_is_hidden_by_it() {
    let (certificate, key) = certificate(&["other.example.org"]);
    let (address, _, _) = serve(acceptor(&certificate, &key)).await;
    let later = now().checked_add(SignedDuration::from_hours(24 * 1000)).unwrap();
    let sighting = one(Target::new(NAME, 443), options(&[(NAME, address)], &[]), later).await;
    assert_eq!(sighting.outcome, Outcome::Presented);
    assert_eq!(
        said(&sighting),
        [
            (Severity::Critical, "expired"),
            (Severity::Error, "name-not-covered"),
            (Severity::Error, "not-trusted"),
        ]
    );
    // Between servers a self-signed certificate is as it should be.
    let behind = one(Target::new(NAME, 444), options(&[(NAME, address)], &[]), now()).await;
    assert_eq!(said(&behind), [(Severity::Notice, "name-not-covered")]);
}

#[tokio::test]
async fn at_most_two_connections_to_a_host_and_one_a_look() {
    let (certificate, key) = certificate(&[NAME]);
    let (address, most, all) = serve(acceptor(&certificate, &key)).await;
    let targets: Vec<Target> = (1..=12)
        .map(|port| Target::new(NAME, port).by(Protocol::Tls))
        .collect();
    let count = targets.len();
    let found = probe(
        targets,
        options(&[(NAME, address)], &[]),
        Policy::default(),
        now(),
    )
    .await;
    let ports: Vec<u16> = found.iter().map(|sighting| sighting.target.port).collect();
    assert_eq!(
        ports,
        (1..=12).collect::<Vec<u16>>(),
        "in the order of the targets"
    );
    assert!(
        found
            .iter()
            .all(|sighting| sighting.outcome == Outcome::Presented)
    );
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert_eq!(all.load(Ordering::SeqCst), count);
}

#[tokio::test]
async fn a_look_without_a_name_stands_beside_the_one_with_it() {
    let (certificate, key) = certificate(&[NAME]);
    let (address, _, _) = serve(acceptor(&certificate, &key)).await;
    let mut options = options(&[(NAME, address)], &[]);
    options.asked = Asked::Both;
    let found = probe(vec![Target::new(NAME, 443)], options, Policy::default(), now()).await;
    let asked: Vec<Option<&str>> = found.iter().map(|sighting| sighting.asked.as_deref()).collect();
    assert_eq!(asked, [Some(NAME), None]);
}

/// A server that says its lines, one after each read.
async fn says(lines: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                for line in lines {
                    if stream.write_all(line.as_bytes()).await.is_err() {
                        return;
                    }
                    let _ = stream.read(&mut [0; 512]).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn no_starttls_is_an_answer_and_silence_is_none() {
    let smtp = says(&["220 ex1\r\n", "250-ex1 Hello\r\n250 SIZE\r\n"]).await;
    let places = [("ex1.example.org", smtp)];
    let sighting = one(Target::new("ex1.example.org", 25), options(&places, &[]), now()).await;
    assert_eq!(
        sighting.outcome,
        Outcome::NotOffered {
            command: "STARTTLS".to_owned()
        }
    );
    assert_eq!(said(&sighting), [(Severity::Error, "starttls-not-offered")]);
    assert_eq!(sighting.greeting.as_deref(), Some("220 ex1"));

    let inventory = exseal_probe::inventory(&[sighting], &Names::default(), "the branch office");
    let look = &inventory.organisation.presented.items[0];
    assert!(look.leaf.is_absent(), "looked, and no certificate is there");

    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let places = [("ex1.example.org", closed)];
    let sighting = one(Target::new("ex1.example.org", 25), options(&places, &[]), now()).await;
    assert_eq!(sighting.outcome, Outcome::Closed);
    let inventory = exseal_probe::inventory(&[sighting], &Names::default(), "");
    let look = &inventory.organisation.presented.items[0];
    assert!(look.leaf.is_unknown(), "silence says nothing about a certificate");
}

#[tokio::test]
async fn what_was_seen_keeps_its_place_when_it_is_merged() {
    let (certificate, key) = certificate(&[NAME]);
    let (address, _, _) = serve(acceptor(&certificate, &key)).await;
    let places = [(NAME, address)];
    let here = one(Target::new(NAME, 443), options(&places, &[]), now()).await;
    let outside = exseal_probe::inventory(std::slice::from_ref(&here), &Names::default(), "outside");
    let inside = exseal_probe::inventory(std::slice::from_ref(&here), &Names::default(), "");
    let written = serde_json::to_string(&outside).unwrap();
    let outside = serde_json::from_str(&written).unwrap();
    let merged = merge([inside, outside]);
    let from: Vec<&str> = merged
        .organisation
        .presented
        .iter()
        .map(|look| look.seen_from.as_str())
        .collect();
    assert_eq!(from, ["", "outside"]);
    assert_eq!(merged.certificates.len(), 1);
    assert!(
        merged
            .sources
            .iter()
            .all(|source| source.channel == Channel::Wire)
    );
    assert!(
        merged
            .sources
            .iter()
            .any(|source| source.what.ends_with("from outside"))
    );
}

#[tokio::test]
async fn a_silent_server_ends_with_the_deadline_and_says_where() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut options = options(&[(NAME, address)], &[]);
    options.deadline = Duration::from_millis(200);
    options.retries = 2;
    let sighting = one(Target::new(NAME, 443), options, now()).await;
    let during = exseal_probe::Stage::Handshake;
    assert_eq!(sighting.outcome, Outcome::TimedOut { during });
    assert_eq!(sighting.attempts, 3);
    drop(listener);
}

#[tokio::test]
async fn what_differs_between_the_addresses_of_a_name_is_said() {
    let (one, one_key) = certificate(&[NAME]);
    let (other, other_key) = certificate(&[NAME]);
    let (first, _, _) = serve(acceptor(&one, &one_key)).await;
    let port = first.port();
    serve_at(acceptor(&other, &other_key), &format!("127.0.0.2:{port}")).await;
    let targets: Vec<Target> = ["127.0.0.1", "127.0.0.2"]
        .into_iter()
        .map(|address| {
            let mut target = Target::new(NAME, port).by(Protocol::Tls);
            target.at = Some(address.parse().unwrap());
            target
        })
        .collect();
    let roots = [one.der().to_vec(), other.der().to_vec()];
    let found = probe(targets, options(&[], &roots), Policy::default(), now()).await;
    for sighting in &found {
        assert_eq!(said(sighting), [(Severity::Warning, "addresses-differ")]);
    }
    let inventory = exseal_probe::inventory(&found, &Names::default(), "");
    assert_eq!(inventory.organisation.presented.items.len(), 1);
    assert!(inventory.organisation.presented.items[0].leaf.disagrees());
}
