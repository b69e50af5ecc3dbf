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
