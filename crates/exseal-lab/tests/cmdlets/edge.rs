//! Edge subscriptions from both sides, and what ends them.

use exseal_lab::call::{Answer, Command, End, Endpoint, Outcome};
use exseal_lab::world::{ServerName, World};
use exseal_psrp::data::Data;
use jiff::SignedDuration;

use super::*;

const FILE: &str = "C:\\Temp\\edge.xml";
const SITE: &str = "Default-First-Site-Name";

fn edge() -> ServerName {
    ServerName::new("EDGE1")
}

/// A mailbox server and an Edge that nobody subscribed.
fn apart() -> World {
    world("[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EDGE1\"\nrole = \"edge\"\n")
}

fn at_edge(world: &mut World, command: Command) -> Outcome {
    world.run(&edge(), Endpoint::Local, "admin", &command.into())
}

/// Makes the file on the Edge and returns it.
fn file(world: &mut World) -> Vec<u8> {
    let made = at_edge(
        world,
        Command::new("New-EdgeSubscription")
            .with("FileName", FILE)
            .with("Force", true),
    );
    assert_eq!((&made.end, made.error()), (&End::Completed, None), "{made:?}");
    world.file(FILE).expect("the file").to_vec()
}

fn import(file: &[u8]) -> Command {
    Command::new("New-EdgeSubscription")
        .with("FileData", file.to_vec())
        .with("Site", SITE)
}

fn subscribed() -> World {
    let mut world = apart();
    let file = file(&mut world);
    done(&mut world, import(&file));
    world
}

fn start(world: &mut World) -> (Vec<String>, Vec<String>) {
    let outcome = done(world, Command::new("Start-EdgeSynchronization"));
    (all(&outcome, "Result"), all(&outcome, "FailureDetails"))
}

fn state(world: &mut World) -> String {
    let outcome = done(world, Command::new("Test-EdgeSynchronization"));
    all(&outcome, "SyncStatus").remove(0)
}

const INVALID: &str = "The supplied credential is invalid..";

fn is_shut_out(world: &mut World) {
    let (results, details) = start(world);
    assert_eq!(results, ["CouldNotConnect", "CouldNotConnect"]);
    assert!(details.iter().all(|own| own.contains(INVALID)), "{details:?}");
    assert_eq!(state(world), "Failed");
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

#[test]
fn the_edge_asks_and_writes_a_file_that_says_how_long_it_lives() {
    let mut world = apart();
    let asked = at_edge(
        &mut world,
        Command::new("New-EdgeSubscription").with("FileName", FILE),
    );
    let question = prompt(&asked).clone();
    assert!(
        question.message.contains("in the next \"1440\" minutes"),
        "{}",
        question.message
    );
    world.answer(question.id, Answer::Choice(2));
    assert!(world.file(FILE).is_none());

    let text = String::from_utf8(file(&mut world)).unwrap();
    for part in [
        "<EdgeServerName>EDGE1</EdgeServerName>",
        "<EdgeServerFQDN>EDGE1.contoso.lab</EdgeServerFQDN>",
        "<EdgeCertificateBlob>MII",
        "<ESRAPassword>",
        "<Duration>1440</Duration>",
        "<AdamSslPort>50636</AdamSslPort>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Each side has parameters of its own.
    let refused = run(
        &mut world,
        Command::new("New-EdgeSubscription").with("FileName", FILE),
    );
    assert_eq!(reason(&refused), "ArgumentException");
    let refused = at_edge(&mut world, import(b"x"));
    assert_eq!(reason(&refused), "ArgumentException");
    let refused = run(&mut world, import(b"<EdgeSubscriptionData/>"));
    assert!(
        message(&refused).contains("EdgeCertificateBlob"),
        "{}",
        message(&refused)
    );
}

#[test]
fn a_subscription_brings_its_connectors_and_goes_with_them() {
    let mut world = subscribed();
    let connectors = |world: &mut World| all(&done(world, Command::new("Get-SendConnector")), "Name");
    assert_eq!(
        connectors(&mut world),
        [
            format!("EdgeSync - {SITE} to Internet"),
            format!("EdgeSync - Inbound to {SITE}")
        ]
    );
    let names = done(&mut world, Command::new("Get-EdgeSubscription"));
    assert_eq!(all(&names, "Name"), ["EDGE1"]);
    // Another connector of which the Edge is one source of two stays.
    done(
        &mut world,
        Command::new("New-SendConnector")
            .with("Name", "Both")
            .with("AddressSpaces", "fabrikam.lab")
            .with("SourceTransportServers", Data::strings(["EX1", "EDGE1"])),
    );
    let asked = run(
        &mut world,
        Command::new("Remove-EdgeSubscription").with("Identity", "EDGE1"),
    );
    world.answer(prompt(&asked).id, Answer::Choice(0));
    assert_eq!(connectors(&mut world), ["Both"]);
    assert!(all(&done(&mut world, Command::new("Get-EdgeSubscription")), "Name").is_empty());
    let none = run(&mut world, Command::new("Start-EdgeSynchronization"));
    assert!(
        message(&none).contains("no Edge Subscriptions"),
        "{}",
        message(&none)
    );

    // Made again without the connector to the Internet.
    let file = file(&mut world);
    done(
        &mut world,
        import(&file).with("CreateInternetSendConnector", false),
    );
    assert_eq!(
        connectors(&mut world),
        ["Both".to_owned(), format!("EdgeSync - Inbound to {SITE}")]
    );
}

#[test]
fn the_bootstrap_account_lives_for_a_day_unless_edge_sync_comes_before() {
    // Taken in within the day: EdgeSync comes by itself, and it lives on.
    let mut world = subscribed();
    world.advance(hours(48));
    let (results, _) = start(&mut world);
    assert_eq!(results, ["Success", "Success"]);
    assert_eq!(state(&mut world), "Normal");

    // EdgeSync is down for the first day: the account ends, and stays so when the service comes again.
    let mut world = apart();
    let text = file(&mut world);
    world
        .server_mut(&ex1())
        .unwrap()
        .services
        .get_mut("MSExchangeEdgeSync")
        .unwrap()
        .running = false;
    done(&mut world, import(&text));
    let stopped = run(&mut world, Command::new("Start-EdgeSynchronization"));
    assert!(
        message(&stopped).contains("MSExchangeEdgeSync"),
        "{}",
        message(&stopped)
    );
    world.advance(hours(25));
    world
        .server_mut(&ex1())
        .unwrap()
        .services
        .get_mut("MSExchangeEdgeSync")
        .unwrap()
        .running = true;
    is_shut_out(&mut world);
    assert!(world.event_log(&ex1()).iter().any(|own| own.id == 1004));

    // A file that is older than its account is refused; one of half a day was told so.
    let mut world = apart();
    let made = at_edge(
        &mut world,
        Command::new("New-EdgeSubscription")
            .with("FileName", FILE)
            .with("AccountExpiryDuration", "12:00:00")
            .with("Force", true),
    );
    assert_eq!(made.error(), None);
    let text = world.file(FILE).unwrap().to_vec();
    world.advance(hours(13));
    let late = run(&mut world, import(&text));
    assert!(message(&late).contains("expired"), "{}", message(&late));
}

#[test]
fn another_certificate_of_the_edge_ends_it_until_it_is_subscribed_again() {
    let mut world = subscribed();
    assert_eq!(start(&mut world).0, ["Success", "Success"]);
    let made = at_edge(
        &mut world,
        Command::new("New-ExchangeCertificate")
            .with("Services", "SMTP")
            .with("Force", true),
    );
    assert_eq!(made.error(), None, "{made:?}");
    is_shut_out(&mut world);
    assert!(world.event_log(&ex1()).iter().any(|own| own.id == 10104));

    let text = file(&mut world);
    done(&mut world, import(&text).with("Force", true));
    assert_eq!(start(&mut world).0, ["Success", "Success"]);
    assert_eq!(state(&mut world), "Normal");
}

#[test]
fn another_certificate_of_a_mailbox_server_goes_on_by_one_account_and_ends_it_by_the_other() {
    for (assumption, lives) in [("reencrypted", true), ("ended", false)] {
        let mut world = world(&format!(
            "[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EDGE1\"\nrole = \"edge\"\n[[edge_subscription]]\nedge = \
             \"EDGE1\"\n[assumptions]\nedge_after_replacement = \"{assumption}\"\n"
        ));
        assert_eq!(state(&mut world), "Normal");
        done(
            &mut world,
            Command::new("New-ExchangeCertificate")
                .with("Services", "SMTP")
                .with("Force", true),
        );
        if lives {
            assert_eq!(start(&mut world).0, ["Success", "Success"]);
        } else {
            assert_eq!(state(&mut world), "Inconclusive");
            assert_eq!(start(&mut world).0, ["CouldNotConnect", "CouldNotConnect"]);
        }
    }
    // The key that the credentials were sealed for is gone.
    let mut world = subscribed();
    world.server_mut(&ex1()).unwrap().stores.clear();
    is_shut_out(&mut world);
}

#[test]
fn a_server_that_came_later_and_an_edge_that_is_away_are_told_apart() {
    let mut world = subscribed();
    world
        .server_mut(&edge())
        .unwrap()
        .services
        .get_mut("ADAM_MSExchange")
        .unwrap()
        .running = false;
    let (results, details) = start(&mut world);
    assert_eq!(results, ["CouldNotConnect", "CouldNotConnect"]);
    assert!(
        details[0].contains("The LDAP server is unavailable.."),
        "{details:?}"
    );
    // Nor can the Edge make another account then.
    let refused = at_edge(
        &mut world,
        Command::new("New-EdgeSubscription")
            .with("FileName", FILE)
            .with("Force", true),
    );
    assert!(
        message(&refused).contains("couldn't create or update"),
        "{}",
        message(&refused)
    );

    // Removed on the Edge alone: the account is gone.
    let mut world = subscribed();
    let removed = at_edge(
        &mut world,
        Command::new("Remove-EdgeSubscription")
            .with("Identity", "EDGE1")
            .with("Force", true),
    );
    assert_eq!(removed.error(), None);
    is_shut_out(&mut world);
}
