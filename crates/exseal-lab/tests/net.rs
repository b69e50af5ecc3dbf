//! What clients see at the sockets of a lab.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exseal_lab::net::{Limits, Options, Running, Side, StartError, WORDS};
use exseal_lab::organisation::Organisation;
use exseal_lab::world::{Fault, Listener, ServerName, SmtpVerb, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn world() -> Arc<Mutex<World>> {
    let organisation = Organisation::parse(
        r#"
        domain = "contoso.lab"
        [[server]]
        name = "EX1"
        [server.pop]
        running = true
        "#,
    )
    .expect("an organisation");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    Arc::new(Mutex::new(World::new(&organisation, now, 1).expect("a world")))
}

fn start(world: &Arc<Mutex<World>>) -> Running {
    let options = Options {
        limits: Limits {
            handshake: Duration::from_secs(3),
            idle: Duration::from_secs(3),
            body: 20_000,
            ..Limits::default()
        },
        ..Options::default()
    };
    Running::start(Arc::clone(world), options).expect("a lab that listens")
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Any certificate is taken, and told.
#[derive(Debug)]
struct Curious(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

async fn tls(tcp: TcpStream) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Curious(provider)))
        .with_no_client_auth();
    let name = "ex1.contoso.lab".try_into().expect("a name");
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

async fn connect(lab: &Running, port: u16) -> TcpStream {
    let socket = lab.address("EX1", Side::Outside, port).expect("an open port");
    TcpStream::connect(socket).await.expect("a connection")
}

fn leaf(stream: &tokio_rustls::client::TlsStream<TcpStream>) -> Vec<u8> {
    let chain = stream.get_ref().1.peer_certificates().expect("certificates");
    chain.first().expect("a leaf").to_vec()
}

fn presented(world: &Mutex<World>, listener: &Listener) -> Vec<u8> {
    let presented = held(world).certificate_for(&ServerName::new("EX1"), listener);
    presented.expect("a certificate").chain.swap_remove(0)
}

async fn until(stream: &mut (impl tokio::io::AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut chunk = [0; 1_024];
        let count = stream.read(&mut chunk).await.expect("a text");
        assert!(count > 0, "expected {end:?}, found {text:?} and the end");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    text
}

async fn get(lab: &Running, request: &str) -> String {
    let mut stream = tls(connect(lab, 443).await).await.expect("TLS");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: ex1\r\nConnection: close\r\n{more}\r\n")
}

#[tokio::test]
async fn every_port_presents_what_the_world_says() {
    let world = world();
    let lab = start(&world);

    for port in [443_u16, 444] {
        let stream = tls(connect(&lab, port).await).await.expect("TLS");
        let listener = Listener::HttpsPort {
            ip: [192, 0, 2, 1].into(),
            port,
            sni: None,
        };
        assert_eq!(leaf(&stream), presented(&world, &listener), "{port}");
    }
    for (port, word, verb) in [
        (25_u16, "STARTTLS", SmtpVerb::StartTls),
        (465, "STARTTLS", SmtpVerb::StartTls),
        (2525, "X-ANONYMOUSTLS", SmtpVerb::XAnonymousTls),
        (475, "X-ANONYMOUSTLS", SmtpVerb::XAnonymousTls),
    ] {
        let mut tcp = connect(&lab, port).await;
        until(&mut tcp, "simulation)\r\n").await;
        tcp.write_all(b"EHLO me\r\n").await.expect("sent");
        let offer = until(&mut tcp, "250 8BITMIME\r\n").await;
        assert!(offer.contains(&format!("250-{word}\r\n")), "{port}: {offer}");
        tcp.write_all(format!("{word}\r\n").as_bytes())
            .await
            .expect("sent");
        until(&mut tcp, "220 2.0.0").await;
        let stream = tls(tcp).await.expect("TLS");
        assert_eq!(
            leaf(&stream),
            presented(&world, &Listener::Smtp { port, verb }),
            "{port}"
        );
    }
    let stream = tls(connect(&lab, 995).await).await.expect("TLS");
    assert_eq!(leaf(&stream), presented(&world, &Listener::Pop));
    lab.stop().await;
}

#[tokio::test]
async fn a_dead_hash_on_443_resets_the_connection() {
    let world = world();
    let lab = start(&world);
    held(&world)
        .server_mut(&ServerName::new("EX1"))
        .expect("a server")
        .http_sys
        .get_mut("0.0.0.0:443")
        .expect("an entry")
        .hash = None;

    let error = tls(connect(&lab, 443).await).await.expect_err("no certificate");

    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    assert!(!held(&world).event_log(&ServerName::new("EX1")).is_empty());
}

#[tokio::test]
async fn behind_the_login_form_is_the_back_end_or_a_blank_page() {
    let world = world();
    let user = held(&world).users()[0].clone();
    let lab = start(&world);
    let form = get(&lab, &head("/owa/auth/logon.aspx", "")).await;
    assert!(
        form.contains("logonForm") && form.contains("simulation"),
        "{form}"
    );
    let escaped: String = user.password.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let fields = format!("username=CONTOSO%5C{}&password={escaped}", user.name);
    let login = get(
        &lab,
        &format!(
            "POST /owa/auth.owa HTTP/1.1\r\nHost: ex1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{fields}",
            fields.len()
        ),
    )
    .await;
    let cookie = login.split("cadata=").nth(1).expect("a cookie").split(';').next();
    let cookie = format!("Cookie: cadata={}\r\n", cookie.expect("a value"));

    let works = get(&lab, &head("/owa/", &cookie)).await;
    held(&world)
        .server_mut(&ServerName::new("EX1"))
        .expect("a server")
        .http_sys
        .get_mut("0.0.0.0:444")
        .expect("an entry")
        .hash = None;
    let blank = get(&lab, &head("/owa/", &cookie)).await;
    let shell = get(&lab, &head("/PowerShell/", "")).await;

    assert!(works.contains("logged on to EX1"), "{works}");
    assert!(
        blank.starts_with("HTTP/1.1 200 ") && blank.ends_with("\r\n\r\n"),
        "{blank}"
    );
    assert!(shell.contains("[FailureCategory=Cafe-SendFailure]"), "{shell}");
}

#[tokio::test]
async fn front_ends_offer_their_schemes_and_tell_their_health() {
    let lab = start(&world());

    let health = get(&lab, &head("/ews/healthcheck.htm", "")).await;
    let services = get(&lab, &head("/EWS/Exchange.asmx", "")).await;
    let mobile = get(&lab, &head("/Microsoft-Server-ActiveSync", "")).await;

    assert!(health.ends_with("200 OK<br/>EX1.CONTOSO.LAB"), "{health}");
    assert!(
        services.starts_with("HTTP/1.1 401 ") && services.contains("NTLM"),
        "{services}"
    );
    assert!(
        mobile.starts_with("HTTP/1.1 401 ") && mobile.contains("Basic realm"),
        "{mobile}"
    );
}

#[tokio::test]
async fn a_stopped_service_closes_its_port_and_a_started_one_opens_it_again() {
    let world = world();
    let lab = start(&world);
    let before = lab.address("EX1", Side::Outside, 443).expect("an open port");
    let set = |running| {
        held(&world)
            .server_mut(&ServerName::new("EX1"))
            .expect("a server")
            .services
            .get_mut("W3SVC")
            .expect("a service")
            .running = running;
        lab.refresh().expect("ports");
    };

    set(false);
    assert_eq!(lab.address("EX1", Side::Outside, 443), None);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(before).await.is_err());
    set(true);

    assert_eq!(lab.address("EX1", Side::Outside, 443), Some(before));
    tls(connect(&lab, 443).await).await.expect("TLS");
}

#[tokio::test]
async fn mail_is_kept_and_too_much_of_it_refused() {
    let lab = start(&world());
    let mut tcp = connect(&lab, 25).await;
    until(&mut tcp, "simulation)\r\n").await;
    for (line, answer) in [
        ("EHLO me", "250 8BITMIME"),
        ("MAIL FROM:<a@contoso.lab>", "250 2.1.0"),
        ("RCPT TO:<b@contoso.lab>", "250 2.1.5"),
        ("DATA", "354"),
        ("Subject: hello\r\n\r\n..dot\r\n.", "250 2.6.0"),
        ("AUTH LOGIN", "504"),
        ("MAIL FROM:<a@contoso.lab>", "250 2.1.0"),
        ("RCPT TO:<b@contoso.lab>", "250 2.1.5"),
        ("DATA", "354"),
        (&format!("{}.", "x\r\n".repeat(9_000)), "552"),
    ] {
        tcp.write_all(format!("{line}\r\n").as_bytes())
            .await
            .expect("sent");
        until(&mut tcp, answer).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let kept = lab.messages("EX1");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].data, b"Subject: hello\r\n\r\n.dot\r\n");
}

#[tokio::test]
async fn hostile_clients_are_shown_out_and_others_served() {
    let lab = start(&world());
    for port in [443_u16, 25, 995, 80] {
        let mut garbage = connect(&lab, port).await;
        let _ = garbage.write_all(&vec![0xff; 300_000]).await;
        let mut end = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), garbage.read_to_end(&mut end)).await;
        assert!(ended.is_ok(), "port {port} keeps a client of garbage");
    }
    let silent = connect(&lab, 443).await;
    let mut smuggler = connect(&lab, 25).await;
    until(&mut smuggler, "simulation)\r\n").await;
    smuggler
        .write_all(b"STARTTLS\r\nEHLO clear\r\n")
        .await
        .expect("sent");
    let mut rest = Vec::new();
    let _ = smuggler.read_to_end(&mut rest).await;

    assert!(!String::from_utf8_lossy(&rest).contains("250-"), "{rest:?}");
    tls(connect(&lab, 443).await).await.expect("TLS for others");
    drop(silent);
}

#[tokio::test]
async fn a_lab_refuses_to_listen_beyond_loopback_unless_told() {
    let beyond = Options {
        first: IpAddr::from([192, 0, 2, 1]),
        ..Options::default()
    };

    let refused = Running::start(world(), beyond.clone()).expect_err("not told");
    let told = Options {
        said: Some(WORDS.to_owned()),
        ..beyond
    };
    let error = Running::start(world(), told).expect_err("an address of nobody");

    assert!(matches!(refused, StartError::BeyondLoopback { .. }), "{refused}");
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
}

/// Which server answers for a healthcheck page over plain HTTP; empty: none.
async fn answers_for(socket: std::net::SocketAddr) -> String {
    let Ok(mut stream) = TcpStream::connect(socket).await else {
        return String::new();
    };
    let request = "GET /owa/healthcheck.htm HTTP/1.1\r\nHost: mail.contoso.com\r\nConnection: close\r\n\r\n";
    if stream.write_all(request.as_bytes()).await.is_err() {
        return String::new();
    }
    let mut page = String::new();
    let _ = stream.read_to_string(&mut page).await;
    page.rsplit("<br/>").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_name_in_front_leads_to_every_server_that_takes_clients() {
    let organisation = exseal_lab::presets::get("healthy-dag")
        .expect("the preset")
        .expect("it reads");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    let world = Arc::new(Mutex::new(World::new(&organisation, now, 1).expect("a world")));
    let lab = start(&world);
    let in_front = lab
        .address("mail.contoso.com", Side::Outside, 80)
        .expect("the balancer");
    assert!(lab.address("mail.contoso.com", Side::Outside, 444).is_none());
    let round = || async {
        let mut found = std::collections::BTreeSet::new();
        for _ in 0..3 {
            found.insert(answers_for(in_front).await);
        }
        found.into_iter().collect::<Vec<_>>()
    };
    let all = ["EX1.CONTOSO.LAB", "EX2.CONTOSO.LAB", "EX3.CONTOSO.LAB"];

    assert_eq!(round().await, all);
    held(&world)
        .server_mut(&ServerName::new("EX1"))
        .expect("EX1")
        .components
        .insert("ServerWideOffline".to_owned(), "Inactive".to_owned());
    assert_eq!(round().await, all[1..]);
    held(&world).fault(Fault::parse("unreachable server=EX2").expect("a fault"));
    lab.refresh().expect("the ports");
    assert_eq!(round().await, all[2..]);

    // The file leads the names to the balancer, and has the server nobody reaches.
    let text = {
        let addresses = lab.addresses();
        exseal_lab::connect_file::text(&held(&world), &addresses, &lab.places()).expect("a file")
    };
    let file: toml::Table = toml::from_str(&text).expect("TOML");
    for name in ["mail.contoso.com", "autodiscover.contoso.com"] {
        let place = &file["names"][name];
        assert_eq!(
            place["address"].as_str(),
            Some(in_front.ip().to_string().as_str())
        );
        assert_eq!(place["ports"]["80"].as_integer(), Some(in_front.port().into()));
    }
    let shut = &file["servers"]["ex2.contoso.lab"];
    assert!(
        shut["address"].as_str().is_some() && shut.get("ports").is_none(),
        "{shut}"
    );
}
