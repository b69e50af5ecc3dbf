//! Organisations that are built in: healthy ones, and one for every scenario that has a state to break.
//!
//! Each is a file of `presets/`, as [`Organisation::parse`] reads it; a broken one carries its
//! [`story`](Organisation::story) with sentences of how it shows ([`Symptom`]), which tests hold against the world it
//! makes.

mod place;
mod symptom;
mod table;

use crate::organisation::{Organisation, OrganisationError};

pub use symptom::{Symptom, SymptomError};
pub use table::{WITHOUT_STATE, stories_page};

macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../presets/", $path, ".toml")))),*]
    };
}

/// Paths below `presets/` with their texts: the healthy ones, then the stories by number.
const PRESETS: &[(&str, &str)] = embedded![
    "healthy",
    "healthy-dag",
    "healthy-two-sites",
    "stories/back-end-deleted",
    "stories/back-end-unlisted",
    "stories/expired-still-named",
    "stories/self-signed-on-front-end",
    "stories/old-deleted-too-early",
    "stories/null-thumbprint-bound",
    "stories/back-end-expires",
    "stories/back-end-expired",
    "stories/web-hosting-deleted",
    "stories/services-down",
    "stories/white-page",
    "stories/smtp-lost-too",
    "stories/back-end-sha1",
    "stories/outlook-prompts",
    "stories/ca-certificate-precedes",
    "stories/setup-fails-expired",
    "stories/auth-expires",
    "stories/auth-expired",
    "stories/hybrid-auth-local",
    "stories/auth-certificate-in-transport",
    "stories/auth-missing-on-one",
    "stories/unreachable-server",
    "stories/previous-auth-left",
    "stories/only-auth-was-watched",
    "stories/federation-expires",
    "stories/names-missing",
    "stories/request-file-removed",
    "stories/key-in-ksp",
    "stories/wildcard-and-pop",
    "stories/um-not-enabled",
    "stories/connector-name-without-tags",
    "stories/connector-name-outdated",
    "stories/two-of-one-pair",
    "stories/public-as-internal-transport",
    "stories/loopback-differs",
    "stories/key-without-network-service",
    "stories/green-but-smtp-wrong",
    "stories/edge-credential-invalid",
    "stories/adam-down",
    "stories/adam-looks-invalid",
    "stories/edge-expired",
    "stories/edge-replaced",
    "stories/smart-host-drops",
    "stories/edge-unreachable",
    "stories/many-of-one-name",
    "stories/german-server",
    "stories/exchange-on-a-domain-controller",
    "stories/channel-lost",
    "stories/one-server-forgotten",
    "stories/private-ca-on-front-end",
    "stories/renewed-not-bound",
    "stories/back-end-by-iis-manager",
    "stories/another-renewer",
    "stories/connector-without-tls",
    "stories/edge-resubscribed",
    "stories/pool-stopped",
    "stories/old-servers",
    "stories/internal-ca-on-back-end",
    "stories/leftovers-in-root",
    "stories/new-server-prompts",
    "stories/server-gone",
    "stories/failed-update",
    "stories/named-elsewhere",
    "stories/specific-entry-wins",
    "stories/auto-enrolled-wins",
    "stories/revoked",
    "stories/snapshot-reverted",
    "stories/look-alikes",
];

fn name_of(path: &str) -> &str {
    path.strip_prefix("stories/").unwrap_or(path)
}

/// The names of all presets: the healthy ones, then the stories by number.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(path, _)| name_of(path))
}

/// The text of a preset.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    PRESETS
        .iter()
        .find(|(path, _)| name_of(path) == name)
        .map(|(_, text)| *text)
}

/// A preset; `None`: no preset has this name.
///
/// # Errors
///
/// [`OrganisationError`] when its own text is wrong, which tests exclude.
pub fn get(name: &str) -> Option<Result<Organisation, OrganisationError>> {
    text(name).map(Organisation::parse)
}
