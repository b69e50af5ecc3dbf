//! The switches of the organisation file for what is not known of Exchange: both positions.

use exseal_lab::call::{Answer, Command, End};
use exseal_lab::certificate::Thumbprint;
use exseal_lab::world::{Reader, ServerName};

use super::*;

fn with(assumption: &str) -> World {
    world(&format!(
        "[assumptions]\n{assumption}\n[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EDGE1\"\nrole = \"edge\"\n\
         [[edge_subscription]]\nedge = \"EDGE1\"\n"
    ))
}

fn enable_current(world: &mut World) -> Outcome {
    let current = internal_transport(world);
    run(
        world,
        Command::new("Enable-ExchangeCertificate")
            .argument(current)
            .with("Services", "SMTP"),
    )
}

#[test]
fn the_current_certificate_is_asked_about_or_not() {
    assert_eq!(
        enable_current(&mut with("prompt_when_same = false")).end,
        End::Completed
    );
    assert!(matches!(
        enable_current(&mut with("prompt_when_same = true")).end,
        End::Prompt(_)
    ));
}

#[test]
fn the_auth_certificate_is_guarded_or_not() {
    for (guards, reason_expected) in [(false, ""), (true, "InvalidOperationException")] {
        let mut world = with(&format!("remove_guards_auth_certificate = {guards}"));
        let auth = named(&mut world, "Microsoft Exchange Server Auth Certificate");

        let outcome = run(
            &mut world,
            Command::new("Remove-ExchangeCertificate")
                .argument(auth)
                .with("Confirm", false),
        );

        assert_eq!(reason(&outcome), reason_expected);
    }
}

#[test]
fn an_absent_identity_is_everything_or_an_error_and_an_absent_thumbprint_always_an_error() {
    for everything in [true, false] {
        let mut world = with(&format!("absent_identity_returns_all = {everything}"));
        let absent = "0".repeat(40);

        let by_identity = run(
            &mut world,
            Command::new("Get-ExchangeCertificate").with("Identity", format!("EX1\\{absent}")),
        );
        let by_thumbprint = run(
            &mut world,
            Command::new("Get-ExchangeCertificate").argument(absent),
        );

        assert_eq!(by_identity.output().count(), if everything { 3 } else { 0 });
        assert_eq!(by_identity.error().is_none(), everything);
        assert_eq!(reason(&by_thumbprint), "InvalidOperationException");
    }
}

#[test]
fn a_past_date_by_the_utc_reading_is_refused_or_taken() {
    for refused in [true, false] {
        let mut world = world(&format!(
            "utc_offset_minutes = -300\n[assumptions]\npast_after_utc_reading_refused = {refused}\n\
             [[server]]\nname = \"EX1\"\nversion = \"2019\"\nbuild = \"15.2.986.5\"\n"
        ));
        let next = new_certificate(&mut world, "CN=Microsoft Exchange Server Auth Certificate");

        // An hour from now by the wall: four hours ago as UTC.
        let outcome = run(
            &mut world,
            Command::new("Set-AuthConfig")
                .with("NewCertificateThumbprint", next)
                .with("NewCertificateEffectiveDate", "2026-11-27T08:00:00")
                .with("Force", true),
        );

        assert_eq!(outcome.error().is_some(), refused);
    }
}

#[test]
fn an_edge_subscription_is_moved_or_ends_with_the_internal_transport_certificate() {
    let edge = ServerName::new("EDGE1");
    for (position, kept) in [("reencrypted", true), ("ended", false)] {
        let mut world = with(&format!("edge_after_replacement = \"{position}\""));

        done(
            &mut world,
            Command::new("New-ExchangeCertificate").with("Force", true),
        );

        let current = Thumbprint::parse(&internal_transport(&mut world));
        let subscription = world
            .directory()
            .edge_subscription(0, &edge)
            .expect("the subscription");
        let credential = subscription.credentials.get(&ex1()).copied();
        assert_eq!(credential, current.filter(|_| kept), "{position}");
    }
}

#[test]
fn the_smtp_flag_is_a_mark_or_the_right_on_the_key() {
    for (position, shown) in [("mark", true), ("readable-key", false)] {
        let mut world = with(&format!("smtp_flag = \"{position}\""));
        let asked = run(
            &mut world,
            Command::new("New-ExchangeCertificate").with("Services", "SMTP"),
        );
        world.answer(prompt(&asked).id, Answer::Choice(2));
        let row = certificates(&mut world, "EX1", &["Services", "Thumbprint"]).remove(0);
        assert!(row[0].contains("SMTP"), "{position}");

        let thumbprint = Thumbprint::parse(&row[1]).expect("a thumbprint");
        let server = world.server_mut(&ex1()).expect("the server");
        for stored in server.stores.values_mut().flatten() {
            if stored.certificate.thumbprint() == thumbprint
                && let Some(key) = stored.key.as_mut()
            {
                key.readers.remove(&Reader::NetworkService);
            }
        }

        let row = certificates(&mut world, "EX1", &["Services"]).remove(0);
        assert_eq!(row[0].contains("SMTP"), shown, "{position}");
    }
}

#[test]
fn a_connector_name_with_an_underscore_breaks_the_calls() {
    let mut world = world(
        "[[server]]\nname = \"EX1\"\n[[server.receive_connector]]\nname = \"Scanner\"\nfqdn = \"mail_in.contoso.lab\"\n",
    );

    let outcome = run(&mut world, Command::new("Get-ExchangeCertificate"));

    assert!(
        message(&outcome).ends_with("Unknown error (0xe0434352)"),
        "{outcome:?}"
    );
}
