//! Who may read a private key.

use serde_json::{Value, json};

use super::{Done, Given, Refused, server, serving};
use crate::organisation::StoreName;
use crate::windows::readings;
use crate::world::{Reader, ServerName, StoredKey, World};

fn shown(thumbprint: &str, key: &StoredKey) -> Value {
    json!({
        "thumbprint": thumbprint,
        "provider": readings::provider(key.provider).0,
        "readers": readings::readers(key),
    })
}

fn set(world: &mut World, at: &ServerName, given: &Given, granted: bool) -> Result<Done, Refused> {
    let server = server(world, at)?;
    let Some(thumbprint) = given.hash("Thumbprint") else {
        return Err(Refused::new("NotFound", "a thumbprint", "none"));
    };
    serving(server, StoreName::My, "My", thumbprint)?;
    let reader = Reader::of(given.text("Sid"));
    let Some(key) = server
        .find_mut(StoreName::My, thumbprint)
        .and_then(|stored| stored.key.as_mut())
    else {
        return Err(Refused::new("NotFound", "a key", "none"));
    };
    let text = thumbprint.to_string();
    let before = shown(&text, key);
    let is_changed = if granted {
        key.readers.insert(reader)
    } else {
        key.readers.remove(&reader)
    };
    if is_changed {
        Ok(Done::changed(before, shown(&text, key)))
    } else {
        Ok(Done::unchanged(before))
    }
}

pub(super) fn grant(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    set(world, at, given, true)
}

pub(super) fn revoke(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let sid = given.text("Sid");
    if matches!(Reader::of(sid), Reader::System | Reader::Administrators) {
        return Err(Refused::new(
            "Refused",
            "an account other than SYSTEM and Administrators",
            sid,
        ));
    }
    set(world, at, given, false)
}
