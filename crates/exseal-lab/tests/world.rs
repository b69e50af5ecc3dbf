//! What a world is right after it was made.

use exseal_lab::organisation::Organisation;
use exseal_lab::world::{Listener, ServerName, SmtpVerb, World};
use jiff::Timestamp;

fn now() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().expect("a time")
}

#[test]
fn five_lines_are_a_healthy_server() {
    let organisation = Organisation::parse(
        r#"
        domain = "contoso.lab"
        [[server]]
        name = "EX1"
        "#,
    )
    .expect("an organisation");
    let world = World::new(&organisation, now(), 1).expect("a world");
    let server = ServerName::new("ex1");

    for listener in [
        Listener::HttpsPort {
            ip: [192, 0, 2, 1].into(),
            port: 443,
            sni: None,
        },
        Listener::HttpsPort {
            ip: [127, 0, 0, 1].into(),
            port: 444,
            sni: None,
        },
        Listener::Smtp {
            port: 25,
            verb: SmtpVerb::StartTls,
        },
        Listener::Smtp {
            port: 2525,
            verb: SmtpVerb::XAnonymousTls,
        },
    ] {
        let presented = world.certificate_for(&server, &listener).expect("a certificate");
        assert!(presented.certified_key().is_some(), "{listener:?}");
    }
    assert_eq!(
        world.open_ports(&server),
        [25, 80, 81, 443, 444, 465, 475, 587, 717, 2525, 5985]
    );
}

#[test]
fn an_unknown_field_is_named_with_its_line() {
    let error =
        Organisation::parse("domain = \"contoso.lab\"\ncolour = \"red\"\n").expect_err("no such field");

    assert!(error.to_string().contains("colour"), "{error}");
    assert!(error.to_string().contains("line 2"), "{error}");
}
