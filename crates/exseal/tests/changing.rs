//! The verbs that change a server, from our client over the wire to the lab: sealed, by NTLM, the module sent as text.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use exseal_exchange::Secret;
use exseal_exchange::change::{
    CallError, Effect, GetLock, GrantKeyAccess, Hand, ImportCertificate, NewCertificate, ReleaseLock,
    RestartService, SetHttpSysCertificate, TakeLock,
};
use exseal_exchange::connect::Connect;
use exseal_exchange::live::{Account, Door, Visitor};
use exseal_lab::call::{Command, Endpoint as Way};
use exseal_lab::connect_file;
use exseal_lab::net::{Options, Ports, Running, Side};
use exseal_lab::organisation::{Organisation, StoreName};
use exseal_lab::remoting::{Doors, Guard, OfWorld, Service};
use exseal_lab::world::{Fault, ServerName, World};
use serde_json::json;
use tokio_util::sync::CancellationToken;

const SERIAL: &str = "3F0A5C7719D24E8E90B2C4D6E8F0A153";

struct Lab {
    world: Arc<Mutex<World>>,
    running: Running,
    visitor: Visitor,
}

impl Lab {
    fn start() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        let organisation = Organisation::parse(&format!(
            "domain = \"kiefer.example\"\n{more}\n[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EX2\"\n"
        ))
        .unwrap();
        let now = "2026-11-24T09:00:00Z".parse().unwrap();
        let world = Arc::new(Mutex::new(World::new(&organisation, now, 1).unwrap()));
        let service = Service::new(Arc::new(OfWorld(Arc::clone(&world))), Guard::default());
        let options = Options {
            ports: Ports::Mapped,
            one_address: true,
            first: std::net::Ipv4Addr::LOCALHOST.into(),
            remoting: Some(Arc::new(Doors(service))),
            ..Options::default()
        };
        let running = Running::start(Arc::clone(&world), options).unwrap();
        let addresses = running.addresses();
        let text = connect_file::text(&world.lock().unwrap(), &addresses, &running.places()).unwrap();
        let (user, password) = {
            let world = world.lock().unwrap();
            let admin = &world.users()[0];
            (format!(r"KIEFER\{}", admin.name), admin.password.clone())
        };
        let account = Account::with_password(&user, &Secret::new(password)).unwrap();
        let visitor = Visitor::new(Connect::from_toml(&text).unwrap(), vec![account]).unwrap();
        Self {
            world,
            running,
            visitor,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    async fn hand(&self, server: &str) -> Hand {
        let endpoint = self
            .visitor
            .endpoint(Door::Server, &format!("{server}.kiefer.example"));
        Hand::open(endpoint, CancellationToken::new()).await.unwrap()
    }

    fn bound(&self, endpoint: &str) -> String {
        let world = self.world();
        world.server("EX1").unwrap().http_sys[endpoint]
            .hash
            .unwrap()
            .to_string()
    }

    fn held(&self, server: &str) -> usize {
        self.world().server(server).unwrap().store(StoreName::My).len()
    }

    fn fault(&self, fault: &str) {
        self.world().fault(Fault::parse(fault).unwrap());
    }
}

fn back_end() -> NewCertificate {
    NewCertificate {
        subject: "CN=EX1".to_owned(),
        dns_names: vec!["EX1".to_owned(), "ex1.kiefer.example".to_owned()],
        friendly_name: "Microsoft Exchange".to_owned(),
        days: 1826,
        key_size: None,
        exportable: false,
        serial: SERIAL.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_is_renewed_and_taken_back() {
    let lab = Lab::start();
    let old = lab.bound("0.0.0.0:444");
    let mut hand = lab.hand("ex1").await;
    let made = hand.perform(&back_end()).await.unwrap();
    let new = made.after.unwrap();
    assert!(made.changed && made.before.is_none());
    let key = new.key.unwrap();
    assert_eq!(key.provider_type, Some(12));
    assert_eq!(key.readers.unwrap(), ["S-1-5-18", "S-1-5-32-544"]);

    let bind = SetHttpSysCertificate {
        endpoint: "0.0.0.0:444".to_owned(),
        sni: false,
        expected: Some(old.clone()),
        thumbprint: new.thumbprint.clone(),
        store: None,
        add: false,
        app_id: None,
    };
    let done = hand.perform(&bind).await.unwrap();
    assert_eq!(done.before.unwrap().thumbprint.as_deref(), Some(old.as_str()));
    assert_eq!(lab.bound("0.0.0.0:444"), new.thumbprint);
    assert_eq!(lab.bound("0.0.0.0:443"), old, "443 was not named");
    assert!(!hand.perform(&bind).await.unwrap().changed, "twice is once");

    let grant = GrantKeyAccess {
        thumbprint: new.thumbprint.clone(),
        sid: "S-1-5-20".to_owned(),
    };
    let readers = hand.perform(&grant).await.unwrap().after.unwrap().readers;
    assert!(readers.iter().any(|sid| sid == "S-1-5-20"), "{readers:?}");
    let restart = RestartService {
        name: "WAS".to_owned(),
        dependents: vec!["W3SVC".to_owned()],
    };
    assert_eq!(hand.perform(&restart).await.unwrap().after.unwrap().len(), 2);

    // A stored step is the same as JSON, and its inverse, too.
    let back = json!({ "Endpoint": "0.0.0.0:444", "Expected": new.thumbprint, "Thumbprint": old });
    let given = hand.call("Set-ExsealHttpSysCertificate", &back).await.unwrap();
    assert_eq!(given["changed"], true);
    assert_eq!(lab.bound("0.0.0.0:444"), old);
    hand.close().await;
    lab.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_the_contracts_and_change_nothing() {
    let lab = Lab::start();
    let state = lab.world().state_dump();
    let mut hand = lab.hand("ex1").await;
    let other = "5B9F1C6D0E7A48329C51D6F3A2B4E8071D3C6F95";
    let absent = json!({ "Endpoint": "0.0.0.0:444", "Expected": other, "Thumbprint": other });
    let absent = hand
        .call("Set-ExsealHttpSysCertificate", &absent)
        .await
        .unwrap_err();
    assert_eq!((absent.code(), absent.effect()), (Some("NotFound"), Effect::None));

    let bound = lab.bound("0.0.0.0:444");
    let moved =
        json!({ "Endpoint": "127.0.0.1:443", "Expected": other, "Thumbprint": bound, "Store": "WebHosting" });
    let moved = hand
        .call("Set-ExsealHttpSysCertificate", &moved)
        .await
        .unwrap_err();
    assert_eq!(moved.code(), Some("NotFound"), "{moved}");

    let in_use = json!({ "Store": "My", "Thumbprint": bound, "DeleteKey": true });
    let in_use = hand.call("Remove-ExsealCertificate", &in_use).await.unwrap_err();
    assert_eq!(in_use.code(), Some("InUse"));
    assert!(in_use.to_string().contains("http.sys 0.0.0.0:444"), "{in_use}");

    let wrong = json!({ "Name": "W3SVC; calc" });
    let wrong = hand.call("Stop-ExsealService", &wrong).await.unwrap_err();
    assert!(matches!(wrong, CallError::PowerShell { .. }), "{wrong:?}");
    assert_eq!(wrong.effect(), Effect::None);

    let nothing = hand
        .call("Remove-Item", &json!({ "Path": "C:\\" }))
        .await
        .unwrap_err();
    assert!(matches!(nothing, CallError::Input { .. }));
    assert!(lab.world().state_dump() == state, "a refusal changed something");
    hand.close().await;
    lab.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_not_heard_leaves_the_effect_unknown_and_the_step_can_be_sent_again() {
    let lab = Lab::start();
    let before = lab.held("EX1");
    for (fault, held) in [
        ("drops", before),
        ("times-out", before),
        ("throws", before),
        ("loses-reply", before + 1),
        ("acts-and-hangs", before + 1),
        ("reboot", before + 1),
    ] {
        let mut hand = lab.hand("ex1").await.with_patience(Duration::from_secs(2));
        lab.fault(&format!("{fault} server=EX1 command=New-ExsealCertificate"));
        let error = hand.perform(&back_end()).await.unwrap_err();
        assert_eq!(error.effect(), Effect::Unknown, "{fault}: {error}");
        assert_eq!(lab.held("EX1"), held, "{fault}");
        if fault == "throws" {
            assert_eq!(error.code(), Some("Windows"));
        }
        hand.close().await;
    }
    let mut hand = lab.hand("ex1").await;
    let again = hand.perform(&back_end()).await.unwrap();
    assert!(!again.changed, "it is found by its serial number");
    assert_eq!(lab.held("EX1"), before + 1);
    hand.close().await;
    lab.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_closes_the_ports_until_it_is_answered() {
    let lab = Lab::with("[assumptions]\nservice_start_seconds = 2");
    let is_open = || lab.running.address("EX1", Side::Outside, 443).is_some();
    let mut hand = lab.hand("ex1").await;
    assert!(is_open());
    let restart = RestartService {
        name: "W3SVC".to_owned(),
        dependents: Vec::new(),
    };
    let mut was_closed = false;
    let watching = async {
        loop {
            was_closed |= !is_open();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let began = std::time::Instant::now();
    let done = tokio::select! {
        done = hand.perform(&restart) => done.unwrap(),
        () = watching => panic!("watching has no end"),
    };
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert!(was_closed, "nobody saw the interruption");
    assert_eq!(done.after.unwrap()[0].state.as_deref(), Some("Running"));
    assert!(lab.world().server("EX1").unwrap().runs("W3SVC"));
    lab.running.refresh().unwrap();
    assert!(is_open());
    hand.close().await;
    lab.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_stopped_says_that_nobody_knows() {
    let lab = Lab::start();
    let stop = CancellationToken::new();
    let endpoint = lab.visitor.endpoint(Door::Server, "ex1.kiefer.example");
    let mut hand = Hand::open(endpoint, stop.clone()).await.unwrap();
    lab.fault("slow=30 server=EX1");
    let restart = RestartService {
        name: "MSExchangeTransport".to_owned(),
        dependents: Vec::new(),
    };
    let (ended, ()) = tokio::join!(hand.perform(&restart), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    });
    assert_eq!(ended.unwrap_err().effect(), Effect::Unknown);
    hand.close().await;
    lab.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_operator_is_told_who_holds_the_lock() {
    let lab = Lab::start();
    let of = |owner: &str, run: &str| TakeLock {
        owner: owner.to_owned(),
        plan: "p-17".to_owned(),
        run: run.to_owned(),
        seconds: 900,
        take_expired: false,
    };
    let mut anna = lab.hand("ex1").await;
    let mut ben = lab.hand("ex1").await;
    let (first, second) = tokio::join!(async { anna.perform(&of("anna at adm1", "r-1")).await }, async {
        ben.perform(&of("ben at adm2", "r-2")).await
    },);
    let (held, refused) = match (first, second) {
        (Ok(held), Err(refused)) | (Err(refused), Ok(held)) => (held, refused),
        other => panic!("expected one lock and one refusal, found {other:?}"),
    };
    let holder = held.after.unwrap();
    assert_eq!(refused.code(), Some("Locked"));
    assert_eq!(refused.holder(), Some(&holder));
    assert_eq!(
        anna.perform(&GetLock {}).await.unwrap().after,
        Some(holder.clone())
    );
    let release = ReleaseLock {
        plan: "p-17".to_owned(),
        run: holder.run.unwrap(),
    };
    assert!(anna.perform(&release).await.unwrap().changed);
    assert!(
        ben.perform(&of("ben at adm2", "r-3"))
            .await
            .unwrap()
            .before
            .is_none()
    );
    anna.close().await;
    ben.close().await;
    lab.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_with_its_key_goes_over_as_secure_strings() {
    let lab = Lab::start();
    let password = "pässword";
    let (thumbprint, file) = {
        let mut world = lab.world();
        let server = world.server("EX1").unwrap();
        // The one of this server alone that may be exported: Web Management's.
        let thumbprint = server
            .store(StoreName::My)
            .iter()
            .find(|own| own.friendly_name.starts_with("WMSVC"))
            .unwrap()
            .certificate
            .thumbprint()
            .to_string();
        let export = Command::new("Export-ExchangeCertificate")
            .with("Thumbprint", thumbprint.as_str())
            .with("BinaryEncoded", true)
            .with("Password", exseal_psrp::secret::Secret::from(password));
        let outcome = world.run(&ServerName::new("EX1"), Way::Local, "admin", &export.into());
        let document = outcome.output().next().unwrap();
        let object = document.object(&document.values[0]).unwrap();
        let data = document.property(object, "FileData").unwrap();
        (thumbprint, document.bytes(data).unwrap().to_vec())
    };
    let before = lab.held("EX2");
    let import = |password: &str| ImportCertificate {
        thumbprint: thumbprint.clone(),
        friendly_name: "taken in".to_owned(),
        exportable: false,
        pfx: Secret::new(base64::engine::general_purpose::STANDARD.encode(&file)),
        password: Secret::new(password),
    };
    let mut hand = lab.hand("ex2").await;
    let wrong = hand.perform(&import("other")).await.unwrap_err();
    let taken = hand.perform(&import(password)).await.unwrap();
    let again = hand.perform(&import(password)).await.unwrap();

    assert_eq!(
        (wrong.code(), wrong.effect()),
        (Some("PfxUnreadable"), Effect::None)
    );
    assert_eq!(taken.after.as_ref().unwrap().thumbprint, thumbprint);
    assert!(taken.changed && !again.changed);
    assert_eq!(lab.held("EX2"), before + 1);
    hand.close().await;
    lab.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_no_administrator_does_not_get_in() {
    let lab = Lab::start();
    let account = Account::with_password(r"KIEFER\nobody", &Secret::new("x")).unwrap();
    let visitor = Visitor::new(lab.visitor.connect().clone(), vec![account]).unwrap();
    let endpoint = visitor.endpoint(Door::Server, "ex1.kiefer.example");
    let Err(error) = Hand::open(endpoint, CancellationToken::new()).await else {
        panic!("it opened");
    };
    assert_eq!(error.effect(), Effect::None, "{error}");
    lab.running.stop().await;
}
