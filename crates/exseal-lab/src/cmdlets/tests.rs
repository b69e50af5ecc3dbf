//! The dispatcher, by what a caller sees of it.

use exseal_psrp::clixml::Document;
use exseal_psrp::data::Data;
use jiff::Timestamp;

use super::*;
use crate::organisation::{Language, Organisation};
use crate::world::Fault;

const REMOTE: Endpoint = Endpoint::Exchange { full: false };

/// A world whose keys are shared with the other tests: making them takes longer than everything else.
fn made(organisation: &Organisation) -> World {
    static KEYS: std::sync::OnceLock<crate::certificate::KeyPool> = std::sync::OnceLock::new();
    let keys = KEYS.get_or_init(|| crate::certificate::KeyPool::new(4)).clone();
    World::with_keys(organisation, Timestamp::UNIX_EPOCH, 1, keys).expect("a world")
}

fn world() -> World {
    let organisation = Organisation::of_servers("contoso.lab", ["EX1", "EX2"]);
    made(&organisation)
}

fn call(world: &mut World, call: impl Into<Call>) -> Outcome {
    world.run(&ServerName::new("EX1"), REMOTE, "CONTOSO\\admin", &call.into())
}

fn id(outcome: &Outcome) -> String {
    outcome
        .error()
        .map(|error| error.fully_qualified_error_id.clone())
        .unwrap_or_default()
}

fn texts(outcome: &Outcome) -> Vec<String> {
    outcome
        .output()
        .filter_map(|document| {
            document
                .text(document.values.first()?)
                .map(std::borrow::Cow::into_owned)
        })
        .collect()
}

fn property(document: &Document<'static>, name: &str) -> Option<String> {
    let object = document.object(document.values.first()?)?;
    document
        .text(document.property(object, name)?)
        .map(std::borrow::Cow::into_owned)
}

#[test]
fn an_unknown_command_and_a_script_are_refused_by_the_ids_of_powershell() {
    let mut world = world();

    assert_eq!(
        id(&call(&mut world, Command::new("Get-Nothing"))),
        "CommandNotFoundException"
    );
    assert_eq!(
        id(&call(&mut world, Command::script("1 + 1"))),
        "ScriptsNotAllowed"
    );
    assert_eq!(
        id(&call(
            &mut world,
            Call::pipeline([Command::new("Get-ExchangeServer"), Command::new("Where-Object")])
        )),
        "CommandNotFoundException"
    );
    assert_eq!(id(&world.answer(7, Answer::NoHost)), "NoSuchPrompt");
}

#[test]
fn a_parameter_may_be_shortened_until_it_is_ambiguous() {
    let mut world = world();

    let short = call(
        &mut world,
        Command::new("get-exchangeserver").with("ident", "EX1"),
    );
    let unknown = call(
        &mut world,
        Command::new("Get-ExchangeServer").with("Colour", "red"),
    );
    let ambiguous = call(&mut world, Command::new("Get-ExchangeServer").with("D", "EX1"));
    let twice = call(
        &mut world,
        Command::new("Get-ExchangeServer")
            .with("Identity", "EX1")
            .with("Id", "EX2"),
    );
    let wrong_place = call(
        &mut world,
        Command::new("Get-ExchangeServer").argument("EX1").argument("EX2"),
    );
    let sets = call(
        &mut world,
        Command::new("Get-ExchangeServer")
            .with("Identity", "EX1")
            .with("Domain", "contoso.lab"),
    );
    let switch = call(
        &mut world,
        Command::new("Get-ExchangeServer").with("Status", "perhaps"),
    );

    assert_eq!(texts(&short), ["EX1"]);
    assert!(
        id(&unknown).starts_with("NamedParameterNotFound,"),
        "{}",
        id(&unknown)
    );
    assert!(
        id(&ambiguous).starts_with("AmbiguousParameter,"),
        "{}",
        id(&ambiguous)
    );
    assert!(id(&twice).starts_with("ParameterAlreadyBound,"), "{}", id(&twice));
    assert!(id(&wrong_place).starts_with("PositionalParameterNotFound,"));
    assert!(id(&sets).starts_with("AmbiguousParameterSet,"));
    assert!(id(&switch).starts_with("CannotConvertArgumentNoMessage,"));
}

#[test]
fn an_object_that_is_not_there_has_the_id_of_exchange_and_obeys_the_error_action() {
    let mut world = world();
    let asked = Command::new("Get-ExchangeServer").with("Identity", "EX9");

    let plain = call(&mut world, asked.clone());
    let stopped = call(&mut world, asked.clone().with("ErrorAction", "Stop"));
    let quiet = call(&mut world, asked.with("ea", "SilentlyContinue"));

    let error = plain.error().expect("an error");
    assert_eq!(plain.end, End::Completed);
    assert_eq!(error.category.reason, "ManagementObjectNotFoundException");
    assert!(
        error
            .fully_qualified_error_id
            .starts_with("[Server=EX1,RequestId=")
    );
    assert!(
        error
            .fully_qualified_error_id
            .contains("] [FailureCategory=Cmdlet-ManagementObjectNotFoundException] ")
    );
    assert!(matches!(stopped.end, End::Failed(_)));
    assert_eq!(quiet.error(), None);
}

#[test]
fn messages_are_in_the_servers_language_and_ids_are_not() {
    let mut organisation = Organisation::of_servers("contoso.lab", ["EX1"]);
    organisation.language = Language::De;
    let mut german = made(&organisation);

    let outcome = call(&mut german, Command::new("Get-Nothing"));

    let error = outcome.error().expect("an error");
    assert!(error.message.contains("wurde nicht als Name"));
    assert_eq!(error.fully_qualified_error_id, "CommandNotFoundException");
}

#[test]
fn select_object_works_at_the_server() {
    let mut world = world();
    let select = Command::new("Select-Object")
        .with("Property", Data::strings(["Name", "Is*Server", "Missing"]))
        .with("First", 1);

    let outcome = call(
        &mut world,
        Call::pipeline([Command::new("Get-ExchangeServer"), select]),
    );

    let [document] = &outcome.output().cloned().collect::<Vec<_>>()[..] else {
        unreachable!("one object: {outcome:?}");
    };
    assert_eq!(property(document, "Name").as_deref(), Some("EX1"));
    assert_eq!(property(document, "IsMailboxServer").as_deref(), Some("True"));
    assert_eq!(property(document, "Fqdn"), None);
    let object = document.object(&document.values[0]).expect("an object");
    assert!(
        document.types(object)[0]
            .to_text()
            .starts_with("Selected.Microsoft.Exchange")
    );
    let expanded = call(
        &mut world,
        Call::pipeline([
            Command::new("Get-ExchangeServer"),
            Command::new("Select-Object").with("ExpandProperty", "Fqdn"),
        ]),
    );
    assert_eq!(texts(&expanded), ["EX1.contoso.lab", "EX2.contoso.lab"]);
}

#[test]
fn a_remote_object_names_its_session_and_carries_a_payload_at_level_full_only() {
    let mut world = world();
    let at = ServerName::new("EX1");
    let mut asked: Call = Command::new("Get-ExchangeServer").with("Identity", "EX2").into();
    let runspace = uuid::Uuid::from_u128(7);
    asked.runspace = Some(runspace);

    let plain = world.run(&at, REMOTE, "admin", &asked);
    let full = world.run(&at, Endpoint::Exchange { full: true }, "admin", &asked);
    let local = world.run(&at, Endpoint::Local, "admin", &asked);

    let has = |outcome: &Outcome, name: &str| {
        outcome.output().next().is_some_and(|document| {
            document
                .object(&document.values[0])
                .is_some_and(|object| document.property(object, name).is_some())
        })
    };
    assert_eq!(
        property(plain.output().next().expect("an object"), "RunspaceId"),
        Some(runspace.to_string())
    );
    assert!(!has(&plain, "SerializationData") && has(&full, "SerializationData"));
    assert!(!has(&local, "RunspaceId") && !has(&local, "SerializationData"));
}

#[test]
fn whoever_has_no_role_finds_no_cmdlet() {
    let mut organisation = Organisation::of_servers("contoso.lab", ["EX1"]);
    organisation.users = organisation.people();
    for user in &mut organisation.users {
        user.groups.clear();
    }
    let mut world = made(&organisation);
    let at = ServerName::new("EX1");
    let asked = Command::new("Get-ExchangeServer").into();

    let remote = world.run(&at, REMOTE, "admin@contoso.lab", &asked);
    let local = world.run(&at, Endpoint::Local, "admin", &asked);

    assert_eq!(id(&remote), "CommandNotFoundException");
    assert_eq!(local.end, End::Completed);
}

#[test]
fn a_fault_comes_at_its_place_and_as_often_as_it_says() {
    let mut world = world();
    world.fault(Fault::parse("throws server=EX2 command=Get-ExchangeServer after=1").expect("a fault"));
    let about = |name: &str| Command::new("Get-ExchangeServer").with("Identity", name);

    let outcomes: Vec<bool> = ["EX1", "EX2", "EX2", "EX2"]
        .into_iter()
        .map(|name| call(&mut world, about(name)).error().is_none())
        .collect();

    assert_eq!(outcomes, [true, true, false, true]);
}

#[test]
fn the_wire_breaks_as_the_fault_says() {
    let mut world = world();
    for (fault, expected) in [
        ("times-out", Interruption::Hang),
        ("drops", Interruption::DropBefore),
        ("loses-reply", Interruption::LoseReply),
        ("acts-and-hangs", Interruption::HangAfter),
        ("reboot", Interruption::Reboot),
    ] {
        world.fault(Fault::parse(fault).expect("a fault"));
        let outcome = call(&mut world, Command::new("Get-ExchangeServer"));
        assert_eq!(outcome.end, End::Interrupted(expected), "{fault}");
        assert_eq!(outcome.items, [], "{fault}");
    }
    world.fault(Fault::parse("slow=9").expect("a fault"));
    let slow = call(&mut world, Command::new("Get-ExchangeServer"));
    assert_eq!(slow.delay, Duration::from_secs(9));
}

#[test]
fn an_answer_is_wrong_as_the_fault_says() {
    let mut world = world();
    let read = |world: &mut World| {
        let get = Command::new("Get-ExchangeCertificate").with("Server", "EX1");
        let only = Command::new("Select-Object").with("ExpandProperty", "Thumbprint");
        texts(&call(world, Call::pipeline([get, only])))
    };
    let right = read(&mut world);
    let fault = |world: &mut World, text: &str| world.fault(Fault::parse(text).expect("a fault"));

    fault(&mut world, "answers-null command=Get-ExchangeCertificate");
    assert_eq!(
        call(&mut world, Command::new("Get-ExchangeCertificate"))
            .output()
            .count(),
        1
    );
    fault(&mut world, "answers-empty");
    assert_eq!(read(&mut world), vec![""; right.len()]);
    fault(&mut world, "answers-two");
    let two = read(&mut world);
    assert_eq!(two.len(), 2 * right.len());
    assert!(two.chunks(2).all(|pair| pair[0] != pair[1]), "{two:?}");

    assert_eq!(read(&mut world), right);
}

#[test]
fn select_object_cuts_and_measure_object_counts() {
    let organisation = Organisation::of_servers("contoso.lab", ["EX1", "EX2", "EX3", "EX4"]);
    let mut world = made(&organisation);
    let mut names = |select: Command| {
        let pipeline = Call::pipeline([
            Command::new("Get-ExchangeServer"),
            select,
            Command::new("Select-Object").with("ExpandProperty", "Name"),
        ]);
        texts(&call(&mut world, pipeline))
    };
    let select = || Command::new("Select-Object");

    assert_eq!(names(select().with("First", 1).with("Last", 1)), ["EX1", "EX4"]);
    assert_eq!(names(select().with("Skip", 3)), ["EX4"]);
    assert_eq!(names(select().with("Last", 9)).len(), 4);
    let outcome = call(
        &mut world,
        Call::pipeline([
            Command::new("Get-ExchangeServer"),
            select().with("Property", "IsMailboxServer").with("Unique", true),
            Command::new("Measure-Object"),
        ]),
    );
    assert_eq!(
        property(outcome.output().next().expect("a count"), "Count").as_deref(),
        Some("1")
    );
    let missing = call(
        &mut world,
        Call::pipeline([
            Command::new("Get-ExchangeServer").with("Identity", "EX1"),
            select().with("ExpandProperty", "Colour"),
        ]),
    );
    assert!(id(&missing).starts_with("ExpandPropertyNotFound,"));
    let without = call(
        &mut world,
        Call::pipeline([
            Command::new("Get-ExchangeServer").with("Identity", "EX1"),
            select().with("Property", "*").with("ExcludeProperty", "Is*"),
        ]),
    );
    let document = without.output().next().expect("an object");
    assert_eq!(property(document, "IsMailboxServer"), None);
    assert_eq!(property(document, "Name").as_deref(), Some("EX1"));
}

#[test]
fn what_a_client_pipes_in_is_bound_or_refused_object_by_object() {
    let mut world = world();
    let got = call(&mut world, Command::new("Get-ExchangeServer"));
    let mut asked: Call = Command::new("Get-TransportService").into();
    asked.input = got.output().cloned().collect();
    let shown = call(&mut world, asked);
    assert_eq!(texts(&shown), ["EX1", "EX2"]);

    let mut refused: Call = Command::new("Get-AuthConfig").into();
    refused.input = got.output().cloned().collect();
    let refused = call(&mut world, refused);
    assert_eq!(refused.items.len(), 2);
    assert!(id(&refused).starts_with("InputObjectNotBound,"));
}

#[test]
fn a_certificate_that_a_client_sends_back_is_renewed_by_its_bytes() {
    let mut world = world();
    let got = call(&mut world, Command::new("Get-ExchangeCertificate"));
    let setup = got
        .output()
        .find(|document| {
            document
                .text(&document.values[0])
                .is_some_and(|text| text.contains("CN=EX1\r\n"))
        })
        .expect("setup's certificate")
        .clone();
    let mut renew: Call = Command::new("New-ExchangeCertificate").with("Force", true).into();
    renew.input = vec![setup];

    let renewed = call(&mut world, renew);

    assert_eq!(renewed.error(), None);
    assert!(texts(&renewed).iter().any(|text| text.contains("CN=EX1\r\n")));
    assert_eq!(renewed.output().count(), 1);
}

#[test]
fn a_warning_is_silenced_or_stops_the_command() {
    let mut world = world();
    let set = |name: &str, action: &str| {
        Command::new("Set-PopSettings")
            .with("X509CertificateName", name)
            .with("WarningAction", action)
    };

    let silent = call(&mut world, set("a.contoso.lab", "SilentlyContinue"));
    let stopped = call(&mut world, set("b.contoso.lab", "Stop"));
    let shown = call(&mut world, set("c.contoso.lab", "Continue"));

    assert_eq!((silent.items.len(), silent.end), (0, End::Completed));
    assert!(matches!(stopped.end, End::Failed(_)));
    assert_eq!(shown.warnings().count(), 1);
}
