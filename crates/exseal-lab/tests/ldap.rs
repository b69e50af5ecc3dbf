//! What LDAP clients see of a domain controller.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exseal_lab::call::{Command, Endpoint};
use exseal_lab::net::{Limits, Options, Running, Side};
use exseal_lab::organisation::Organisation;
use exseal_lab::world::{Fault, ServerName, World};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Scope, SearchEntry, StdStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ADMIN: &str = "admin@contoso.lab";
const PASSWORD: &str = "Simulated-1";
const CONFIGURATION: &str = "CN=Configuration,DC=contoso,DC=lab";

fn world(more: &str) -> Arc<Mutex<World>> {
    let text =
        format!("domain = \"contoso.lab\"\n[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EX2\"\n{more}");
    let organisation = Organisation::parse(&text).expect("an organisation");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    Arc::new(Mutex::new(World::new(&organisation, now, 1).expect("a world")))
}

fn start(world: &Arc<Mutex<World>>) -> Running {
    let options = Options {
        limits: Limits {
            idle: Duration::from_secs(2),
            connections_per_port: 30,
            message: 20_000,
            ..Limits::default()
        },
        ..Options::default()
    };
    Running::start(Arc::clone(world), options).expect("a lab that listens")
}

fn place(lab: &Running, port: u16) -> SocketAddr {
    lab.address("DC1", Side::Outside, port).expect("an open port")
}

/// A connection of the library, protected by what the lab presents; its root is trusted.
async fn connect(lab: &Running, tls: bool, start_tls: bool) -> Ldap {
    let mut roots = rustls::RootCertStore::empty();
    for root in lab.world().lock().expect("the world").roots() {
        roots.add(root.into()).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = place(lab, if tls { 636 } else { 389 });
    let stream = std::net::TcpStream::connect(socket).expect("a connection");
    let settings = LdapConnSettings::new()
        .set_starttls(start_tls)
        .set_config(Arc::new(config))
        .set_std_stream(StdStream::Tcp(stream));
    let url = if tls {
        "ldaps://dc1.contoso.lab"
    } else {
        "ldap://dc1.contoso.lab"
    };
    let (connection, ldap) = LdapConnAsync::with_settings(settings, url).await.expect("LDAP");
    tokio::spawn(connection.drive());
    ldap
}

async fn bound(lab: &Running) -> Ldap {
    let mut ldap = connect(lab, true, false).await;
    let bind = ldap.simple_bind(ADMIN, PASSWORD).await.expect("an answer");
    assert_eq!(bind.rc, 0, "{bind}");
    ldap
}

async fn search(ldap: &mut Ldap, base: &str, scope: Scope, filter: &str) -> (Vec<SearchEntry>, LdapResult) {
    let found = ldap
        .search(base, scope, filter, vec!["*"])
        .await
        .expect("an answer");
    let entries = found
        .0
        .into_iter()
        .filter(|own| !own.is_ref())
        .map(SearchEntry::construct);
    (entries.collect(), found.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_on_by_every_name_and_nobody_else() {
    let lab = start(&world(""));
    for (tls, start_tls) in [(true, false), (false, true), (false, false)] {
        let mut ldap = connect(&lab, tls, start_tls).await;
        let (root, result) = search(&mut ldap, "", Scope::Base, "(objectClass=*)").await;
        assert_eq!(result.rc, 0);
        assert_eq!(root[0].attrs["configurationNamingContext"], [CONFIGURATION]);
        assert_eq!(root[0].attrs["dnsHostName"], ["dc1.contoso.lab"]);
        let (_, result) = search(&mut ldap, CONFIGURATION, Scope::Base, "(objectClass=*)").await;
        assert_eq!(result.rc, 1, "{result}");
        for (name, password, rc, words) in [
            (ADMIN, PASSWORD, 0, ""),
            ("CONTOSO\\viewer", PASSWORD, 0, ""),
            ("contoso.lab\\viewer", PASSWORD, 0, ""),
            ("CN=Admin,CN=users,DC=contoso,DC=lab", PASSWORD, 0, ""),
            (ADMIN, "wrong", 49, "data 52e"),
            ("nobody@contoso.lab", PASSWORD, 49, "data 525"),
            ("admin@elsewhere.lab", PASSWORD, 49, "data 525"),
            ("admin", PASSWORD, 49, "data 525"),
        ] {
            let result = ldap.simple_bind(name, password).await.expect("an answer");
            assert_eq!(result.rc, rc, "{name}: {result}");
            assert!(result.text.contains(words), "{name}: {result}");
            let (_, result) = search(&mut ldap, CONFIGURATION, Scope::Base, "(objectClass=*)").await;
            assert_eq!(result.rc, u32::from(rc != 0), "{name}");
        }
        // A name without a password is nobody.
        assert_eq!(ldap.simple_bind(ADMIN, "").await.expect("an answer").rc, 0);
        let (_, result) = search(&mut ldap, CONFIGURATION, Scope::Base, "(objectClass=*)").await;
        assert_eq!(result.rc, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_sign_is_refused_where_that_is_wanted() {
    let lab = start(&world("[directory]\nrequire_signing = true"));
    let mut ldap = connect(&lab, false, false).await;
    assert_eq!(ldap.simple_bind(ADMIN, PASSWORD).await.expect("an answer").rc, 8);
    let mut ldap = connect(&lab, false, true).await;
    assert_eq!(ldap.simple_bind(ADMIN, PASSWORD).await.expect("an answer").rc, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_have_limits_and_come_in_pages() {
    let lab = start(&world("[directory]\nmax_page_size = 20"));
    let mut ldap = bound(&lab).await;
    let filter = "(msExchCurrentServerRoles:1.2.840.113556.1.4.803:=16384)";
    let (servers, result) = search(&mut ldap, CONFIGURATION, Scope::Subtree, filter).await;
    assert_eq!(result.rc, 0);
    let names: Vec<&str> = servers.iter().map(|own| own.attrs["cn"][0].as_str()).collect();
    assert_eq!(names, ["EX1", "EX2"]);
    assert!(servers[0].bin_attrs.contains_key("msExchServerInternalTLSCert"));

    let (cut, result) = search(&mut ldap, CONFIGURATION, Scope::Subtree, "(objectClass=*)").await;
    assert_eq!((cut.len(), result.rc), (20, 4));

    let mut all = Vec::new();
    for size in [7, 20, 500] {
        let adapters: Vec<Box<dyn Adapter<'_, &str, Vec<&str>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(size))];
        let mut stream = ldap
            .streaming_search_with(
                adapters,
                CONFIGURATION,
                Scope::Subtree,
                "(objectClass=*)",
                vec!["1.1"],
            )
            .await
            .expect("a search");
        let mut own = Vec::new();
        while let Some(entry) = stream.next().await.expect("an entry") {
            let entry = SearchEntry::construct(entry);
            assert!(entry.attrs.is_empty());
            own.push(entry.dn);
        }
        let result = stream.finish().await;
        assert_eq!(result.rc, 0, "{result}");
        assert_eq!(
            result.refs,
            ["ldap://contoso.lab/CN=Schema,CN=Configuration,DC=contoso,DC=lab"]
        );
        assert!(own.len() > 60);
        if all.is_empty() {
            all = own;
        } else {
            assert_eq!(own, all, "pages of {size}");
        }
    }

    for (base, rc, words) in [
        ("DC=other,DC=example", 10, "ref 1: 'other.example'"),
        (
            "CN=Nobody,CN=Users,DC=contoso,DC=lab",
            32,
            "'CN=Users,DC=contoso,DC=lab'",
        ),
        ("nobody", 34, "BAD_NAME"),
    ] {
        let (_, result) = search(&mut ldap, base, Scope::Subtree, "(objectClass=*)").await;
        assert_eq!(result.rc, rc, "{base}: {result}");
        assert!(result.text.contains(words), "{base}: {result}");
    }
    let result = ldap.extended(ldap3::exop::WhoAmI).await.expect("an answer").0;
    assert_eq!(result.val.as_deref(), Some(&b"u:CONTOSO\\admin"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_question_is_not_given() {
    let lab = start(&world(""));
    let mut ldap = bound(&lab).await;
    // SEQUENCE { INTEGER 5, OCTET STRING of 16 bytes }
    let mut value = vec![0x30, 21, 0x02, 0x01, 0x05, 0x04, 16];
    value.extend([7; 16]);
    let control = RawControl {
        ctype: "1.2.840.113556.1.4.319".to_owned(),
        crit: true,
        val: Some(value),
    };
    let found = ldap
        .with_controls(control)
        .search(CONFIGURATION, Scope::Subtree, "(objectClass=*)", vec!["1.1"])
        .await
        .expect("an answer");
    assert_eq!((found.0.len(), found.1.rc), (0, 12), "{}", found.1);
    let control = RawControl {
        ctype: "1.2.3.4".to_owned(),
        crit: true,
        val: None,
    };
    let found = ldap
        .with_controls(control)
        .search(CONFIGURATION, Scope::Base, "(objectClass=*)", vec!["1.1"])
        .await
        .expect("an answer");
    assert_eq!(found.1.rc, 12, "{}", found.1);
    assert_eq!(
        ldap.delete("CN=Users,DC=contoso,DC=lab")
            .await
            .expect("an answer")
            .rc,
        53
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_clients_are_told_and_left() {
    let lab = start(&world(""));
    let socket = place(&lab, 389);
    let mut deep = vec![0xa2, 0x00];
    for _ in 0..400 {
        let mut outer = vec![0xa2, 0x82];
        outer.extend(u16::try_from(deep.len()).expect("a length").to_be_bytes());
        outer.extend(&deep);
        deep = outer;
    }
    let mut message = vec![0x30, 0x82];
    message.extend(u16::try_from(deep.len()).expect("a length").to_be_bytes());
    message.extend(&deep);
    for (what, bytes) in [
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("too long", vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]),
        ("no length", vec![0x30, 0x80, 0, 0]),
        ("deep", message),
        ("empty", vec![0x30, 0x00]),
        ("half a message", vec![0x30, 0x10, 0x02]),
    ] {
        let mut stream = TcpStream::connect(socket).await.expect("a connection");
        stream.write_all(&bytes).await.expect("sent");
        let mut said = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await;
        assert!(end.is_ok(), "{what}: the connection stays open");
        if what != "half a message" {
            let oid = b"1.3.6.1.4.1.1466.20036";
            assert!(
                said.windows(oid.len()).any(|part| part == oid),
                "{what}: {said:x?}"
            );
        }
    }
    // Half-open connections up to the bound; the next client is turned away, and later ones are served.
    let mut held = Vec::new();
    for _ in 0..40 {
        // One beyond the bound may be reset before it is seen to be open.
        held.extend(TcpStream::connect(socket).await);
    }
    drop(held);
    tokio::time::sleep(Duration::from_millis(300)).await;
    bound(&lab).await;
    let mut ldap = connect(&lab, false, false).await;
    assert_eq!(ldap.simple_bind(ADMIN, PASSWORD).await.expect("an answer").rc, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_gone_closes_its_ports() {
    let world = world("");
    let lab = start(&world);
    let socket = place(&lab, 636);
    {
        let mut world = world.lock().expect("the world");
        world.fault(Fault::parse("unreachable").expect("a fault").on("DC1"));
    }
    lab.refresh().expect("closed");
    assert_eq!(lab.address("DC1", Side::Outside, 636), None);
    assert!(TcpStream::connect(socket).await.is_err());
    assert!(lab.address("EX1", Side::Outside, 443).is_some());
    world.lock().expect("the world").heal();
    lab.refresh().expect("open");
    bound(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_sees_what_was_written_elsewhere_after_its_delay() {
    let text = "domain = \"contoso.lab\"\n[[site]]\nname = \"Berlin\"\n[[site]]\nname = \"Bonn\"\nreplication_minutes = 15\n\
                [[server]]\nname = \"EX1\"\n[[server]]\nname = \"EX2\"\nsite = \"Bonn\"";
    let organisation = Organisation::parse(text).expect("an organisation");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    let world = Arc::new(Mutex::new(World::new(&organisation, now, 1).expect("a world")));
    let set = Command::new("Set-ReceiveConnector")
        .with("Identity", "EX1\\Default Frontend EX1")
        .with("Fqdn", "new.contoso.lab");
    let outcome =
        world
            .lock()
            .expect("the world")
            .run(&ServerName::new("EX1"), Endpoint::Local, "admin", &set.into());
    assert_eq!(outcome.error(), None);
    let lab = start(&world);
    let seen = async |controller: &str| {
        let socket = lab.address(controller, Side::Outside, 389).expect("an open port");
        let stream = std::net::TcpStream::connect(socket).expect("a connection");
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Tcp(stream));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, "ldap://dc")
            .await
            .expect("LDAP");
        tokio::spawn(connection.drive());
        assert_eq!(ldap.simple_bind(ADMIN, PASSWORD).await.expect("an answer").rc, 0);
        let filter = "(cn=Default Frontend EX1)";
        let (found, _) = search(&mut ldap, CONFIGURATION, Scope::Subtree, filter).await;
        found[0].attrs["msExchSMTPReceiveConnectorFQDN"][0].clone()
    };
    assert_eq!(seen("DC1").await, "new.contoso.lab");
    assert_eq!(seen("DC2").await, "EX1.contoso.lab");
    world
        .lock()
        .expect("the world")
        .advance(jiff::SignedDuration::from_mins(15));
    assert_eq!(seen("DC2").await, "new.contoso.lab");
}
