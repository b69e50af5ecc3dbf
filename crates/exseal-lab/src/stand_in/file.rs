//! The map of a lab's stand-ins, as a file beside its `connect.toml`.

use serde::Serialize;

use crate::world::World;

/// How every such file begins: nothing else is ever overwritten.
pub const BEGINNING: &str = "{\n  \"written_by\": \"exseal lab\",";

#[derive(Serialize)]
struct File<'w> {
    written_by: &'static str,
    organisation: &'w str,
    stand_ins: Vec<Pair>,
}

#[derive(Serialize)]
struct Pair {
    original: String,
    stand_in: String,
    subject: String,
}

/// The file's text: original and stand-in of each, with the subject both have.
#[must_use]
pub fn text(world: &World) -> String {
    let file = File {
        written_by: "exseal lab",
        organisation: world.organisation_name(),
        stand_ins: world
            .stand_ins()
            .iter()
            .map(|pair| Pair {
                original: pair.original.to_string(),
                stand_in: pair.stand_in.to_string(),
                subject: pair.subject.to_string(),
            })
            .collect(),
    };
    // Texts and lists alone: its writer has nothing to refuse.
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
    text.push('\n');
    text
}
