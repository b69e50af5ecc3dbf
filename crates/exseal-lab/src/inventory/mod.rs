//! An organisation out of an inventory: what `exseal discover -o` writes, read by its published schema.
//!
//! An inventory holds no private keys, so every certificate of it is issued again with a key of the simulation (a
//! [stand-in](crate::stand_in)). What nobody saw has the value setup leaves, and is listed as [`Assumed`]; what was seen
//! and a simulation cannot show is listed as well.

mod certificates;
mod organisation;
mod schema;
mod server;
mod stores;
mod transport;
mod web;

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate::{Certificate, Thumbprint};
use crate::organisation::{Organisation, OrganisationError};

/// The version of the format that is read.
const FORMAT: u32 = 1;

/// Something nobody saw, and what it is here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assumed {
    /// Of what: a server's name, or `organisation`.
    pub of: String,
    /// What of it: `internal transport certificate`.
    pub what: String,
    /// What it is here.
    pub taken: String,
}

/// An organisation that was made of an inventory.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The organisation.
    pub organisation: Organisation,
    /// What nobody saw.
    pub assumed: Vec<Assumed>,
    /// What was seen and is not shown here, each in a sentence.
    pub left_out: Vec<String>,
}

/// An inventory that could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// No JSON, or not the schema's.
    #[error("{at}: expected what docs/schema/inventory.json describes, found {found}")]
    Json {
        /// The value's place: `servers[2].my.items[0].thumbprint`, with line and column behind it.
        at: String,
        /// What the reader says of it.
        found: String,
    },
    /// A value that means nothing.
    #[error("{at}: expected {expected}, found {found}")]
    Meaning {
        /// The value's place.
        at: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// What came of it is no organisation a lab can run.
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
}

fn meaning(at: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> InventoryError {
    InventoryError::Meaning {
        at: at.into(),
        expected: expected.into(),
        found: found.into(),
    }
}

/// Whether a text is an inventory rather than an organisation file: the one is a JSON object, which no TOML is.
#[must_use]
pub fn is_inventory(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
        .starts_with('{')
}

/// Makes an organisation of an inventory's text.
///
/// # Errors
///
/// [`InventoryError`] with the place, what was expected there and what was found: no JSON of the schema, another
/// version of it, a thumbprint that is none or not its certificate's, no server.
pub fn read(text: &str) -> Result<Taken, InventoryError> {
    let reader = &mut serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let read: schema::Inventory = serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let place = format!("line {}, column {}", inner.line(), inner.column());
        let said = inner.to_string();
        let found = said.split(" at line ").next().unwrap_or(&said).to_owned();
        InventoryError::Json {
            at: if path == "." {
                place
            } else {
                format!("{path} ({place})")
            },
            found,
        }
    })?;
    if read.format != FORMAT {
        return Err(meaning(
            "format",
            format!("{FORMAT}, the version this program reads"),
            read.format.to_string(),
        ));
    }
    Taking::new(&read)?.whole()
}

/// The work.
struct Taking<'i> {
    read: &'i schema::Inventory,
    certificates: BTreeMap<Thumbprint, Certificate>,
    /// What stores said of the issuers of certificates, by the issuer's name: kind of root, and whether it is trusted.
    issuers: certificates::Issuers,
    /// Thumbprints somebody refers to and no certificate was seen of.
    never_seen: BTreeSet<Thumbprint>,
    assumed: Vec<Assumed>,
    left_out: Vec<String>,
}

impl Taking<'_> {
    fn assume(&mut self, of: &str, what: impl Into<String>, taken: impl Into<String>) {
        self.assumed.push(Assumed {
            of: of.to_owned(),
            what: what.into(),
            taken: taken.into(),
        });
    }

    fn leave_out(&mut self, of: &str, count: usize, what: &str) {
        if count > 0 {
            self.left_out.push(format!("{of}: {count} {what}"));
        }
    }
}

/// The part of a name before the first dot.
fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The last part of a directory path or of `SERVER\name`.
fn last_part(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests;
