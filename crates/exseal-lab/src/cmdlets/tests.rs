//! The dispatcher, by what a caller sees of it.

use exseal_psrp::clixml::Document;
use exseal_psrp::data::Data;
use jiff::Timestamp;

use super::*;
use crate::organisation::{Language, Organisation};
use crate::world::Fault;

const REMOTE: Endpoint = Endpoint::Exchange { full: false };

fn world() -> World {
    let organisation = Organisation::of_servers("contoso.lab", ["EX1", "EX2"]);
    World::new(&organisation, Timestamp::UNIX_EPOCH, 1).expect("a world")
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
    let mut german = World::new(&organisation, Timestamp::UNIX_EPOCH, 1).expect("a world");

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
    let mut world = World::new(&organisation, Timestamp::UNIX_EPOCH, 1).expect("a world");
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
