//! Exchange's cmdlets, as a session sees them: through `World::run` and `World::answer`.

mod assumptions;
mod auth_config;
mod certificates;
mod edge;
mod invariants;
mod sequences;
mod transport;

use std::borrow::Cow;
use std::sync::OnceLock;

use exseal_lab::call::{Answer, Call, Command, End, Endpoint, Outcome, Prompt};
use exseal_lab::certificate::KeyPool;
use exseal_lab::organisation::Organisation;
use exseal_lab::world::{ServerName, World};
use exseal_psrp::clixml::Document;

const NOW: &str = "2026-11-27T12:00:00Z";
const REMOTE: Endpoint = Endpoint::Exchange { full: false };
const FULL: Endpoint = Endpoint::Exchange { full: true };

fn world_of(organisation: &Organisation) -> World {
    static KEYS: OnceLock<KeyPool> = OnceLock::new();
    let keys = KEYS.get_or_init(|| KeyPool::new(4)).clone();
    World::with_keys(organisation, NOW.parse().expect("a time"), 1, keys).expect("a world")
}

/// An organisation file of contoso.lab.
fn world(rest: &str) -> World {
    let text = format!("domain = \"contoso.lab\"\n{rest}");
    world_of(&Organisation::parse(&text).expect("an organisation"))
}

fn two_servers() -> World {
    world("[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EX2\"\n")
}

/// One server with a public certificate bound to 443, which is not the internal transport certificate.
fn with_public() -> World {
    world(
        "public = \"public\"\n[[certificate]]\nid = \"public\"\nnames = [\"mail.contoso.lab\", \"*.contoso.lab\"]\n\
         issuer = \"public-ca\"\nage_days = 10\n[[server]]\nname = \"EX1\"\n",
    )
}

fn ex1() -> ServerName {
    ServerName::new("EX1")
}

/// Runs at EX1 by remoting as an administrator.
fn run(world: &mut World, call: impl Into<Call>) -> Outcome {
    world.run(&ex1(), REMOTE, "admin", &call.into())
}

/// Runs, and fails the test unless it completed without an error.
fn done(world: &mut World, call: impl Into<Call>) -> Outcome {
    let outcome = run(world, call);
    assert_eq!(outcome.end, End::Completed, "{outcome:?}");
    assert_eq!(outcome.error(), None);
    outcome
}

fn prompt(outcome: &Outcome) -> &Prompt {
    match &outcome.end {
        End::Prompt(prompt) => prompt,
        other => unreachable!("a question was expected, found {other:?}"),
    }
}

fn reason(outcome: &Outcome) -> &str {
    outcome.error().map_or("", |error| error.category.reason.as_str())
}

fn message(outcome: &Outcome) -> &str {
    outcome.error().map_or("", |error| error.message.as_str())
}

fn property(document: &Document<'static>, name: &str) -> Option<String> {
    let object = document.object(document.values.first()?)?;
    document
        .text(document.property(object, name)?)
        .map(Cow::into_owned)
}

fn all(outcome: &Outcome, name: &str) -> Vec<String> {
    outcome
        .output()
        .map(|document| property(document, name).unwrap_or_default())
        .collect()
}

/// The certificates of a server, by the properties chosen at the server.
fn certificates(world: &mut World, server: &str, properties: &[&str]) -> Vec<Vec<String>> {
    let select = Command::new("Select-Object").with(
        "Property",
        exseal_psrp::data::Data::strings(properties.iter().copied()),
    );
    let get = Command::new("Get-ExchangeCertificate").with("Server", server);
    let outcome = done(world, Call::pipeline([get, select]));
    outcome
        .output()
        .map(|document| {
            properties
                .iter()
                .map(|name| property(document, name).unwrap_or_default())
                .collect()
        })
        .collect()
}

/// Thumbprint of the certificate with a friendly name at EX1.
fn named(world: &mut World, friendly_name: &str) -> String {
    certificates(world, "EX1", &["FriendlyName", "Thumbprint"])
        .into_iter()
        .find(|row| row[0] == friendly_name)
        .map(|row| row[1].clone())
        .expect("a certificate of that name")
}

/// Makes a self-signed certificate for SMTP that is not to be the internal transport certificate, and returns its
/// thumbprint.
fn new_certificate(world: &mut World, subject: &str) -> String {
    let new = Command::new("New-ExchangeCertificate")
        .with("SubjectName", subject)
        .with("FriendlyName", subject)
        .with("PrivateKeyExportable", true)
        .with("Services", "SMTP");
    let asked = run(world, new);
    let outcome = world.answer(prompt(&asked).id, Answer::Choice(2));
    let made = outcome.output().next().expect("a certificate").clone();
    let der = property_bytes(&made, "RawData");
    exseal_lab::certificate::Thumbprint::of(&der).to_string()
}

fn property_bytes(document: &Document<'static>, name: &str) -> Vec<u8> {
    let object = document.object(&document.values[0]).expect("an object");
    let value = document.property(object, name).expect("the property");
    document.bytes(value).expect("bytes").to_vec()
}

fn internal_transport(world: &mut World) -> String {
    let outcome = done(
        world,
        Command::new("Get-TransportService").with("Identity", "EX1"),
    );
    all(&outcome, "InternalTransportCertificateThumbprint").remove(0)
}

/// The names of every cmdlet a session knows.
fn known(world: &mut World, endpoint: Endpoint) -> std::collections::BTreeSet<String> {
    let outcome = world.run(&ex1(), endpoint, "admin", &Command::new("Get-Command").into());
    assert_eq!(outcome.end, End::Completed, "{outcome:?}");
    all(&outcome, "Name").into_iter().collect()
}

#[test]
fn every_cmdlet_of_the_documentation_is_served_and_every_served_one_documented() {
    let documentation =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/lab/cmdlets.md")).unwrap();
    let (_, table) = documentation.split_once("## What there is").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let documented: std::collections::BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(" | ").next())
        .flat_map(|cell| cell.split('`').map(str::to_owned).collect::<Vec<_>>())
        .flat_map(|cell| names_in(&cell))
        .collect();
    let mut world = two_servers();
    let served = known(&mut world, Endpoint::Local);
    let missing: Vec<_> = documented.difference(&served).collect();
    assert!(missing.is_empty(), "documented and not served: {missing:?}");
    let silent: Vec<_> = served.difference(&documented).collect();
    assert!(silent.is_empty(), "served and not documented: {silent:?}");
    // By remoting an administrator of the organisation has them all.
    assert_eq!(known(&mut world, REMOTE), served);
}

/// `Get-`, `Set-PopSettings` is two names.
fn names_in(cell: &str) -> Vec<String> {
    let words: Vec<&str> = cell.split([',', ' ']).filter(|word| word.contains('-')).collect();
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What Microsoft's script about the Auth certificate calls of Exchange in its check and renew modes, with every
/// parameter its source gives.
const OF_SCRIPTS: &[(&str, &[&str])] = &[
    (
        "Enable-ExchangeCertificate",
        &["Force", "Server", "Services", "Thumbprint"],
    ),
    ("Get-AuthConfig", &["ErrorAction"]),
    ("Get-EventLogLevel", &["ErrorAction"]),
    (
        "Get-ExchangeCertificate",
        &["ErrorAction", "Server", "Thumbprint"],
    ),
    ("Get-ExchangeServer", &["ErrorAction", "Identity", "Status"]),
    ("Get-HybridConfiguration", &["ErrorAction"]),
    (
        "Import-ExchangeCertificate",
        &[
            "ErrorAction",
            "FileData",
            "Password",
            "PrivateKeyExportable",
            "Server",
        ],
    ),
    (
        "New-ExchangeCertificate",
        &[
            "DomainName",
            "ErrorAction",
            "Force",
            "FriendlyName",
            "IncludeServerFQDN",
            "KeySize",
            "PrivateKeyExportable",
            "Server",
            "Services",
            "SubjectName",
        ],
    ),
    ("Set-ADServerSettings", &["ViewEntireForest"]),
    (
        "Set-AuthConfig",
        &[
            "ClearPreviousCertificate",
            "ErrorAction",
            "Force",
            "NewCertificateEffectiveDate",
            "NewCertificateThumbprint",
            "PublishCertificate",
        ],
    ),
    ("Get-WebServicesVirtualDirectory", &["ADPropertiesOnly", "Server"]),
    (
        "Get-Mailbox",
        &["Arbitration", "DomainController", "ErrorAction", "Identity"],
    ),
    (
        "Get-ManagementRoleAssignment",
        &["Role", "RoleAssignee", "GetEffectiveUsers"],
    ),
    ("Get-FrontendTransportService", &["Identity"]),
    (
        "New-EdgeSubscription",
        &["FileData", "FileName", "Site", "CreateInternetSendConnector"],
    ),
    ("Remove-EdgeSubscription", &["Identity", "Force", "Confirm"]),
    (
        "Start-EdgeSynchronization",
        &["Server", "TargetServer", "ForceFullSync"],
    ),
    ("Test-EdgeSynchronization", &["TargetServer", "FullCompareMode"]),
];

#[test]
fn what_scripts_call_has_the_parameters_they_give() {
    let mut world = two_servers();
    for (name, parameters) in OF_SCRIPTS {
        let outcome = done(&mut world, Command::new("Get-Command").with("Name", *name));
        let found = outcome
            .output()
            .next()
            .unwrap_or_else(|| panic!("{name} is refused"));
        let object = found.object(&found.values[0]).unwrap();
        let map = found.property(object, "Parameters").unwrap();
        let keys: Vec<String> = found
            .items(map)
            .unwrap()
            .iter()
            .step_by(2)
            .filter_map(|key| found.text(key).map(Cow::into_owned))
            .collect();
        for parameter in *parameters {
            assert!(
                keys.iter().any(|own| own == parameter),
                "{name} -{parameter}: {keys:?}"
            );
        }
    }
}

#[test]
fn arbitration_mailboxes_and_role_assignments_answer_as_scripts_ask() {
    let mut world = two_servers();
    let arbitration = done(&mut world, Command::new("Get-Mailbox").with("Arbitration", true));
    let names = all(&arbitration, "UserPrincipalName");
    assert_eq!(names.len(), 8);
    assert!(
        names.iter().all(|name| name.ends_with("@contoso.lab")),
        "{names:?}"
    );
    assert!(
        all(&arbitration, "HiddenFromAddressListsEnabled")
            .iter()
            .all(|own| own.eq_ignore_ascii_case("true"))
    );
    let people = done(&mut world, Command::new("Get-Mailbox"));
    assert_eq!(all(&people, "Alias"), ["admin", "viewer"]);
    let none = run(&mut world, Command::new("Get-Mailbox").with("Identity", "nobody"));
    assert_eq!(reason(&none), "ManagementObjectNotFoundException");

    let who = |world: &mut World, command: Command| {
        let outcome = done(world, command.with("GetEffectiveUsers", true));
        all(&outcome, "EffectiveUserName")
    };
    let role = Command::new("Get-ManagementRoleAssignment").with("Role", "Exchange Server Certificates");
    assert_eq!(who(&mut world, role.clone().with("Delegating", false)), ["admin"]);
    assert_eq!(all(&done(&mut world, role), "RoleAssigneeName").len(), 3);
    let viewer = Command::new("Get-ManagementRoleAssignment").with("RoleAssignee", "CONTOSO\\viewer");
    assert_eq!(
        all(&done(&mut world, viewer), "Role"),
        ["View-Only Configuration"]
    );
}

#[test]
fn the_front_end_transport_service_is_one_a_mailbox_server() {
    let mut world = two_servers();
    let outcome = done(&mut world, Command::new("Get-FrontendTransportService"));
    assert_eq!(all(&outcome, "Name").len(), 2);
    let one = done(
        &mut world,
        Command::new("Get-FrontendTransportService").with("Identity", "EX2"),
    );
    assert_eq!(one.output().count(), 1);
}
