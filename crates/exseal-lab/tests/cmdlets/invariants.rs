//! What holds whatever is done (facts/exchange.md 12).

use exseal_lab::call::{Answer, Command, End, Endpoint};
use exseal_lab::certificate::Thumbprint;
use exseal_lab::organisation::StoreName;
use exseal_lab::world::{Fault, ServerName, SessionRefusal, World};
use exseal_psrp::data::Data;
use jiff::SignedDuration;

use super::*;

fn dump_of(world: &World, path: &[&str]) -> serde_json::Value {
    path.iter()
        .fold(world.state_dump(), |value, name| value[*name].clone())
}

#[test]
fn one_internal_transport_certificate_per_server_always_in_the_directory_maybe_absent_from_the_store() {
    let mut world = two_servers();
    let before = internal_transport(&mut world);
    let refused = run(
        &mut world,
        Command::new("Remove-ExchangeCertificate")
            .with("Thumbprint", before.as_str())
            .with("Confirm", false),
    );

    // Whoever deletes with the tools of Windows passes every guard.
    let thumbprint = Thumbprint::parse(&before).expect("a thumbprint");
    let server = world.server_mut(&ex1()).expect("the server");
    if let Some(store) = server.stores.get_mut(&StoreName::My) {
        store.retain(|stored| stored.certificate.thumbprint() != thumbprint);
    }
    world.advance(SignedDuration::from_hours(25));

    assert_eq!(reason(&refused), "InvalidOperationException");
    assert!(message(&refused).contains("The internal transport certificate cannot be removed"));
    assert_eq!(internal_transport(&mut world), before);
    assert!(
        certificates(&mut world, "EX1", &["Thumbprint"])
            .iter()
            .all(|row| row[0] != before)
    );
    assert!(world.event_log(&ex1()).iter().any(|event| event.id == 12013));
}

#[test]
fn the_iis_flag_says_that_an_entry_of_site_1_or_2_has_the_thumbprint_and_nothing_else_does() {
    let mut world = with_public();
    let other = new_certificate(&mut world, "CN=other.contoso.lab");
    let check = |world: &mut World| {
        for row in certificates(world, "EX1", &["Thumbprint", "Services", "IISServices"]) {
            let bound = world
                .server("EX1")
                .expect("the server")
                .http_sys
                .values()
                .any(|entry| entry.hash.map(|hash| hash.to_string()).as_deref() == Some(row[0].as_str()));
            assert_eq!(row[1].contains("IIS"), bound, "{row:?}");
        }
    };
    check(&mut world);

    done(
        &mut world,
        Command::new("Enable-ExchangeCertificate")
            .argument(other.as_str())
            .with("Services", "IIS"),
    );

    check(&mut world);
    let services: Vec<String> = certificates(&mut world, "EX1", &["Thumbprint", "Services"])
        .into_iter()
        .filter(|row| row[1].contains("IIS"))
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(
        services.len(),
        2,
        "the new one on 443, setup's on 444: {services:?}"
    );
    assert!(services.contains(&other));
}

#[test]
fn enable_iis_changes_site_1_entries_only() {
    let mut world = with_public();
    let other = new_certificate(&mut world, "CN=other.contoso.lab");
    let hash = |world: &World, endpoint: &str| {
        world.server("EX1").expect("the server").http_sys[endpoint]
            .hash
            .map(|hash| hash.to_string())
    };
    let back_end = hash(&world, "0.0.0.0:444");

    done(
        &mut world,
        Command::new("Enable-ExchangeCertificate")
            .argument(other.as_str())
            .with("Services", "IIS"),
    );

    assert_eq!(hash(&world, "0.0.0.0:443").as_ref(), Some(&other));
    assert_eq!(hash(&world, "127.0.0.1:443").as_ref(), Some(&other));
    assert_eq!(hash(&world, "0.0.0.0:444"), back_end);
}

#[test]
fn removing_a_certificate_changes_nothing_that_refers_to_it() {
    let mut world = with_public();
    let auth = named(&mut world, "Microsoft Exchange Server Auth Certificate");
    let public = certificates(&mut world, "EX1", &["Issuer", "Thumbprint"])
        .into_iter()
        .find(|row| row[0].contains("Public CA"))
        .map(|row| row[1].clone())
        .expect("the public certificate");
    done(
        &mut world,
        Command::new("Set-PopSettings")
            .with("Server", "EX1")
            .with("X509CertificateName", "mail.contoso.lab"),
    );
    let state = |world: &World| {
        [
            dump_of(world, &["sites"]),
            dump_of(world, &["servers", "EX1", "httpSys"]),
            dump_of(world, &["servers", "EX1", "webSites"]),
        ]
    };
    let before = state(&world);

    for thumbprint in [&auth, &public] {
        done(
            &mut world,
            Command::new("Remove-ExchangeCertificate")
                .argument(thumbprint.as_str())
                .with("Confirm", false),
        );
    }

    let left = certificates(&mut world, "EX1", &["Thumbprint"]);
    assert!(left.iter().all(|row| row[0] != auth && row[0] != public));
    assert_eq!(state(&world), before);
    let config = done(&mut world, Command::new("Get-AuthConfig"));
    assert_eq!(all(&config, "CurrentCertificateThumbprint"), [auth]);
}

#[test]
fn set_auth_config_never_touches_stores_and_the_servicelet_does_in_its_site_and_later() {
    let mut world = world(
        "[[site]]\nname = \"A\"\n[[site]]\nname = \"B\"\n[[server]]\nname = \"EX1\"\nsite = \"A\"\n\
         [[server]]\nname = \"EX2\"\nsite = \"A\"\n[[server]]\nname = \"EX3\"\nsite = \"B\"\n",
    );
    let next = new_certificate(&mut world, "CN=Microsoft Exchange Server Auth Certificate");
    let stores =
        |world: &World| ["EX1", "EX2", "EX3"].map(|name| dump_of(world, &["servers", name, "stores"]));
    let holds = |world: &World, name: &str| {
        let thumbprint = Thumbprint::parse(&next).expect("a thumbprint");
        world.server(name).expect("a server").my(thumbprint).is_some()
    };
    let before = stores(&world);

    done(
        &mut world,
        Command::new("Set-AuthConfig")
            .with("NewCertificateThumbprint", next.as_str())
            .with("NewCertificateEffectiveDate", "2026-11-30T12:00:00Z"),
    );

    assert_eq!(stores(&world), before);
    world.advance(SignedDuration::from_hours(1));
    assert!(holds(&world, "EX1") && holds(&world, "EX2"));
    assert!(!holds(&world, "EX3"));
}

#[test]
fn remote_calls_fail_with_e8_when_service_host_is_stopped_or_the_subsystem_is_no_administrator() {
    let mut world = two_servers();
    let get = || Command::new("Get-ExchangeCertificate").with("Server", "EX2");
    world.fault(Fault::parse("service-host-stopped server=EX2").expect("a fault"));
    let stopped = run(&mut world, get());
    let mut world = two_servers();
    world
        .server_mut(&ServerName::new("EX2"))
        .expect("the server")
        .trusted_subsystem = false;
    let denied = run(&mut world, get());
    let here = run(&mut world, Command::new("Get-ExchangeCertificate"));
    let absent = run(
        &mut world,
        Command::new("Get-ExchangeCertificate").argument("00".repeat(20)),
    );

    for outcome in [&stopped, &denied] {
        assert!(
            message(outcome).starts_with(
                "The Exchange Certificate operation has failed with an exception on server EX2. The error message is: "
            ),
            "{outcome:?}"
        );
        assert_ne!(reason(outcome), "InvalidOperationException");
    }
    assert!(message(&denied).ends_with("Access is denied"));
    assert_eq!(here.error(), None);
    // What is not there is told apart by its reason alone.
    assert_eq!(reason(&absent), "InvalidOperationException");
}

#[test]
fn new_and_enable_with_smtp_ask_whether_to_replace_with_yes_as_default_unless_forced() {
    let mut world = two_servers();
    let old = internal_transport(&mut world);

    let asked = run(&mut world, Command::new("New-ExchangeCertificate"));

    let question = prompt(&asked).clone();
    assert_eq!(question.default, 0);
    let labels: Vec<&str> = question.choices.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["&Yes", "Yes to &All", "&No", "No to A&ll"]);
    assert!(
        question
            .message
            .starts_with("Overwrite the existing default SMTP certificate?\r\n\r\nCurrent certificate: '")
    );
    assert!(question.message.contains(&old));

    // No: it is made and enabled for SMTP all the same, and the old one stays.
    let kept = world.answer(question.id, Answer::Choice(2));
    assert_eq!(kept.end, End::Completed);
    assert_eq!(internal_transport(&mut world), old);
    let newest = certificates(&mut world, "EX1", &["Thumbprint", "Services"]).remove(0);
    assert!(newest[1].contains("SMTP"), "{newest:?}");

    let enable = |thumbprint: &str| {
        Command::new("Enable-ExchangeCertificate")
            .argument(thumbprint)
            .with("Services", "SMTP")
    };
    let asked = run(&mut world, enable(&newest[0]));
    let replaced = world.answer(prompt(&asked).id, Answer::Choice(0));
    assert_eq!(replaced.end, End::Completed);
    assert_eq!(internal_transport(&mut world), newest[0]);

    // -Force answers yes, and the certificate that is it already is not asked about.
    done(&mut world, enable(&old).with("Force", true));
    assert_eq!(internal_transport(&mut world), old);
    done(&mut world, enable(&old));
    // -Confirm:$false is about another question.
    let asked = run(&mut world, enable(&newest[0]).with("Confirm", false));
    assert!(matches!(asked.end, End::Prompt(_)));
}

#[test]
fn a_shell_needs_a_certificate_on_444_pools_and_services_and_the_snap_in_does_not() {
    let mut world = with_public();
    let local = |world: &mut World| {
        world
            .run(
                &ex1(),
                Endpoint::Local,
                "admin",
                &Command::new("Get-ExchangeCertificate").into(),
            )
            .output()
            .count()
    };
    assert_eq!(world.open_session(&ex1(), REMOTE), Ok(()));
    let back_end = named(&mut world, "Microsoft Exchange");
    // Another one takes over from setup's, so that it may go.
    let new = Command::new("New-ExchangeCertificate")
        .with("Services", "SMTP")
        .with("Force", true);
    done(&mut world, new);
    done(
        &mut world,
        Command::new("Remove-ExchangeCertificate")
            .argument(back_end.as_str())
            .with("Confirm", false),
    );

    let refused = world.open_session(&ex1(), REMOTE);

    assert!(
        matches!(&refused, Err(SessionRefusal::BackEnd { message }) if message.contains("[FailureCategory=Cafe-SendFailure]")),
        "{refused:?}"
    );
    assert_eq!(world.open_session(&ex1(), Endpoint::Local), Ok(()));
    assert!(local(&mut world) > 0);

    let mut world = with_public();
    if let Some(server) = world.server_mut(&ex1()) {
        server
            .app_pools
            .insert("MSExchangePowerShellAppPool".to_owned(), false);
    }
    assert_eq!(
        world.open_session(&ex1(), REMOTE),
        Err(SessionRefusal::PoolStopped)
    );
    assert!(local(&mut world) > 0);
    let mut world = with_public();
    world.fault(Fault::parse("service-down=W3SVC").expect("a fault"));
    assert_eq!(world.open_session(&ex1(), REMOTE), Err(SessionRefusal::Down));
    assert!(local(&mut world) > 0);
}

#[test]
fn certificates_come_newest_first() {
    let mut world = with_public();
    new_certificate(&mut world, "CN=other.contoso.lab");

    let outcome = world.run(
        &ex1(),
        Endpoint::Local,
        "admin",
        &Command::new("Get-ExchangeCertificate").into(),
    );

    let begins = all(&outcome, "NotBefore");
    let mut sorted = begins.clone();
    sorted.sort();
    sorted.reverse();
    assert_eq!(begins.len(), 5);
    assert_eq!(begins, sorted);
}

#[test]
fn a_null_identity_is_everything() {
    let mut world = with_public();
    let everything = done(&mut world, Command::new("Get-ExchangeCertificate"))
        .output()
        .count();
    assert_eq!(everything, 4);

    for command in [
        Command::new("Get-ExchangeCertificate").with("Thumbprint", Data::Null),
        Command::new("Get-ExchangeCertificate").with("Identity", Data::Null),
        Command::new("Get-ExchangeCertificate").argument(Data::Null),
        Command::new("Get-ExchangeCertificate").with("Thumbprint", ""),
    ] {
        assert_eq!(
            done(&mut world, command.clone()).output().count(),
            everything,
            "{command:?}"
        );
    }
}

#[test]
fn with_broken_signing_or_auth_certificate_remote_objects_lose_all_but_raw_data() {
    let names = |world: &mut World| -> Vec<String> {
        let outcome = world.run(
            &ex1(),
            FULL,
            "admin",
            &Command::new("Get-ExchangeCertificate").into(),
        );
        let document = outcome.output().next().expect("a certificate");
        let object = document.object(&document.values[0]).expect("an object");
        [&object.adapted, &object.extended]
            .into_iter()
            .flatten()
            .flatten()
            .map(|property| property.name.to_text().into_owned())
            .filter(|name| !name.starts_with("PS") && name != "RunspaceId")
            .collect()
    };
    let mut healthy = two_servers();
    assert_eq!(names(&mut healthy), ["RawData", "SerializationData"]);

    let mut broken = two_servers();
    broken.fault(Fault::parse("broken-payload-signing").expect("a fault"));
    let mut expired = world("[auth]\ndays_left = -3\n[[server]]\nname = \"EX1\"\nversion = \"SE\"\n");
    let mut missing = world("[auth]\nmissing_on = [\"EX1\"]\n[[server]]\nname = \"EX1\"\nversion = \"SE\"\n");

    for world in [&mut broken, &mut expired, &mut missing] {
        assert_eq!(names(world), ["RawData"]);
        // What is chosen at the server is no payload.
        assert!(!certificates(world, "EX1", &["Services"]).is_empty());
    }
}
