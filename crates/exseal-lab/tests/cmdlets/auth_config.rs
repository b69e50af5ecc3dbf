//! Set-AuthConfig and the servicelets.

use exseal_lab::call::{Answer, Command, End};
use exseal_lab::organisation::Language;
use jiff::SignedDuration;

use super::*;

fn stage(thumbprint: &str, date: &str) -> Command {
    Command::new("Set-AuthConfig")
        .with("NewCertificateThumbprint", thumbprint)
        .with("NewCertificateEffectiveDate", date)
}

fn config(world: &mut World) -> [String; 3] {
    let outcome = done(world, Command::new("Get-AuthConfig"));
    [
        "CurrentCertificateThumbprint",
        "PreviousCertificateThumbprint",
        "NextCertificateThumbprint",
    ]
    .map(|name| all(&outcome, name).remove(0))
}

#[test]
fn a_rollover_is_published_by_auth_admin_when_its_date_has_come() {
    let mut world = two_servers();
    let [old, previous, none] = config(&mut world);
    assert_eq!((previous.as_str(), none.as_str()), ("", ""));
    let next = new_certificate(&mut world, "CN=Microsoft Exchange Server Auth Certificate");

    done(&mut world, stage(&next, "2026-11-29T13:00:00Z"));
    world.advance(SignedDuration::from_hours(48));
    assert_eq!(config(&mut world), [old.clone(), String::new(), next.clone()]);
    world.advance(SignedDuration::from_hours(14));

    assert_eq!(config(&mut world), [next, old.clone(), String::new()]);
    assert!(
        world
            .servers()
            .flat_map(|server| &server.events)
            .any(|event| event.id == 2014)
    );
    done(
        &mut world,
        Command::new("Set-AuthConfig").with("ClearPreviousCertificate", true),
    );
    assert_eq!(config(&mut world)[1], "");
}

#[test]
fn a_near_date_is_asked_about_and_a_past_one_refused() {
    let mut world = two_servers();
    let next = new_certificate(&mut world, "CN=Microsoft Exchange Server Auth Certificate");

    let asked = run(&mut world, stage(&next, "2026-11-27T13:00:00Z"));
    assert!(prompt(&asked).message.contains("48 hours"));
    let no = world.answer(prompt(&asked).id, Answer::Choice(2));
    assert_eq!(no.end, End::Completed);
    assert_eq!(config(&mut world)[2], "");
    let past = run(&mut world, stage(&next, NOW).with("Force", true));
    assert!(message(&past).starts_with("The new certificate effective date is invalid."));
    let nothing = run(
        &mut world,
        Command::new("Set-AuthConfig").with("PublishCertificate", true),
    );
    assert!(message(&nothing).contains("no new certificate"));

    done(
        &mut world,
        stage(&next, "2026-11-27T12:00:01Z").with("Force", true),
    );
    done(
        &mut world,
        Command::new("Set-AuthConfig").with("PublishCertificate", true),
    );
    assert_eq!(config(&mut world)[0], next);
}

#[test]
fn a_certificate_that_is_not_here_or_cannot_sign_is_refused() {
    let mut world = two_servers();
    let next = new_certificate(&mut world, "CN=Microsoft Exchange Server Auth Certificate");
    world.fault(exseal_lab::world::Fault::parse("ksp-key server=EX1").expect("a fault"));

    let absent = run(&mut world, stage(&"0".repeat(40), "2027-01-01T00:00:00Z"));
    let ksp = run(&mut world, stage(&next, "2027-01-01T00:00:00Z"));
    let undated = run(
        &mut world,
        Command::new("Set-AuthConfig").with("NewCertificateThumbprint", next.as_str()),
    );

    assert_eq!(reason(&absent), "InvalidOperationException");
    assert!(message(&ksp).contains("Cryptographic Service Provider"));
    assert!(
        undated
            .error()
            .expect("an error")
            .fully_qualified_error_id
            .starts_with("MissingMandatoryParameter,")
    );
    assert_eq!(config(&mut world)[2], "");
}

#[test]
fn an_old_build_reads_the_date_as_utc() {
    let mut world = world(
        "utc_offset_minutes = 780\n[[server]]\nname = \"EX1\"\nversion = \"2019\"\nbuild = \"15.2.986.5\"\n",
    );
    let next = new_certificate(&mut world, "CN=Microsoft Exchange Server Auth Certificate");

    // One minute from now by the server's own clock: 13 hours late.
    done(
        &mut world,
        stage(&next, "2026-11-28T01:01:00").with("Force", true),
    );

    let outcome = done(&mut world, Command::new("Get-AuthConfig"));
    assert_eq!(
        all(&outcome, "NextCertificateEffectiveDate"),
        ["2026-11-28T14:01:00+13:00"]
    );
}

#[test]
fn a_german_server_speaks_german_with_the_same_ids() {
    let mut organisation = Organisation::of_servers("contoso.lab", ["EX1"]);
    organisation.language = Language::De;
    let mut german = world_of(&organisation);
    let mut english = two_servers();
    let asked = Command::new("New-ExchangeCertificate");

    let question = run(&mut german, asked);
    let absent = Command::new("Get-ExchangeCertificate").argument("0".repeat(40));
    let (there, here) = (run(&mut german, absent.clone()), run(&mut english, absent));

    assert!(
        prompt(&question)
            .message
            .starts_with("Möchten Sie das vorhandene SMTP-Standardzertifikat")
    );
    assert_eq!(prompt(&question).choices[0].0, "&Ja");
    assert_ne!(message(&there), message(&here));
    let id = |outcome: &Outcome| {
        let id = outcome
            .error()
            .expect("an error")
            .fully_qualified_error_id
            .clone();
        id.split("] [").nth(1).map(str::to_owned)
    };
    assert_eq!(id(&there), id(&here));
    assert_eq!(reason(&there), reason(&here));
}

#[test]
fn pop_settings_are_changed_with_a_warning_and_unchanged_with_another() {
    let mut world = two_servers();
    let set = || {
        Command::new("Set-ImapSettings")
            .with("Server", "EX2")
            .with("X509CertificateName", "mail.contoso.lab")
            .with("ExternalConnectionSettings", "mail.contoso.lab:993:SSL")
    };

    let changed = done(&mut world, set());
    let same = done(&mut world, set());
    let wrong = run(
        &mut world,
        Command::new("Set-ImapSettings").with("ExternalConnectionSettings", "mail.contoso.lab"),
    );

    assert!(
        changed
            .warnings()
            .any(|text| text.contains("restarted on server EX2"))
    );
    assert!(
        same.warnings()
            .any(|text| text.contains("no settings of 'EX2\\1' have been modified"))
    );
    assert_eq!(reason(&wrong), "ArgumentException");
    let shown = done(&mut world, Command::new("Get-ImapSettings").argument("EX2"));
    assert_eq!(all(&shown, "X509CertificateName"), ["mail.contoso.lab"]);
    assert_eq!(all(&shown, "LoginType"), ["SecureLogin"]);
}

#[test]
fn the_emergency_replacement_of_the_vendors_page_brings_the_pages_back() {
    use exseal_lab::world::{FrontEnd, ServerName};

    let mut world = world("[auth]\ndays_left = -2\n[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EX2\"\n");
    let (one, two) = (ex1(), ServerName::new("EX2"));
    assert_eq!(world.front_end(&one), FrontEnd::AuthBroken);
    let [expired, ..] = config(&mut world);
    let new = new_certificate(&mut world, "CN=Microsoft Exchange Server Auth Certificate");

    let asked = run(&mut world, stage(&new, "2026-11-27T12:00:30Z"));
    assert_eq!(
        world.answer(prompt(&asked).id, Answer::Choice(0)).end,
        End::Completed
    );
    done(
        &mut world,
        Command::new("Set-AuthConfig").with("PublishCertificate", true),
    );
    done(
        &mut world,
        Command::new("Set-AuthConfig").with("ClearPreviousCertificate", true),
    );

    assert_eq!(config(&mut world), [new, String::new(), String::new()]);
    assert_ne!(config(&mut world)[0], expired);
    // Nothing has read it yet; and the other server does not hold it before the servicelet has run.
    assert_eq!(world.front_end(&one), FrontEnd::AuthBroken);
    world.reboot(&one);
    world.reboot(&two);
    assert_eq!(world.front_end(&one), FrontEnd::Works);
    assert_eq!(world.front_end(&two), FrontEnd::AuthBroken);
    world.advance(SignedDuration::from_mins(10));
    world.reboot(&two);
    assert_eq!(world.front_end(&two), FrontEnd::Works);
}
