//! Entries of http.sys.

use serde_json::Value;

use super::{Done, Given, Refused, moved, server, serving};
use crate::organisation::StoreName;
use crate::windows::readings;
use crate::world::{HttpSysEntry, Server, ServerName, World};

/// The key of an entry in the table, as it is written there.
fn key(server: &Server, given: &Given) -> Option<String> {
    let endpoint = given.text("Endpoint");
    server
        .http_sys
        .keys()
        .find(|own| own.eq_ignore_ascii_case(endpoint) && readings::is_named(own) == given.is("Sni"))
        .cloned()
}

fn entry(server: &Server, key: Option<&String>) -> Value {
    key.and_then(|key| Some((key, server.http_sys.get(key)?)))
        .map_or(Value::Null, |(key, entry)| readings::http_sys_entry(key, entry))
}

/// Serves another certificate on an address and port; the entry's other values stay.
pub(super) fn set(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let server = server(world, at)?;
    let (expected, wanted) = (given.hash("Expected"), given.hash("Thumbprint"));
    let Some(thumbprint) = wanted else {
        return Err(Refused::new("NotFound", "a thumbprint", "none"));
    };
    let store = given.store("Store");
    serving(server, store, given.text("Store"), thumbprint)?;
    let key = key(server, given);
    let before = entry(server, key.as_ref());
    let endpoint = given.text("Endpoint");
    match key.as_ref().and_then(|key| server.http_sys.get_mut(key)) {
        None if !given.is("Add") => {
            return Err(Refused::new(
                "NotFound",
                format!("an entry of http.sys for {endpoint}"),
                "none",
            ));
        }
        None => {
            moved(expected, None)?;
            let added = HttpSysEntry {
                hash: wanted,
                store,
                app_id: given.text("AppId").to_owned(),
                negotiate_client_certificate: false,
            };
            server.http_sys.insert(endpoint.to_ascii_lowercase(), added);
        }
        Some(own) if own.hash == wanted && own.store == store => return Ok(Done::unchanged(before)),
        Some(own) => {
            moved(expected, own.hash)?;
            own.hash = wanted;
            own.store = store;
        }
    }
    let key = self::key(server, given);
    Ok(Done::changed(before, entry(server, key.as_ref())))
}

/// Takes an entry out.
pub(super) fn remove(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let server = server(world, at)?;
    let Some(key) = key(server, given) else {
        return Ok(Done::unchanged(Value::Null));
    };
    let before = entry(server, Some(&key));
    moved(
        given.hash("Expected"),
        server.http_sys.get(&key).and_then(|entry| entry.hash),
    )?;
    server.http_sys.remove(&key);
    Ok(Done::changed(before, Value::Null))
}

/// What IIS does with the entry of a binding. Whether the other values of one that was there survive is assumed.
pub(super) fn by_iis(
    server: &mut Server,
    endpoint: &str,
    hash: crate::certificate::Thumbprint,
    store: StoreName,
    keeps_flags: bool,
) {
    let own = server
        .http_sys
        .entry(endpoint.to_owned())
        .or_insert_with(|| HttpSysEntry {
            hash: None,
            store,
            app_id: crate::world::IIS_APP_ID.to_owned(),
            negotiate_client_certificate: false,
        });
    own.hash = Some(hash);
    own.store = store;
    if !keeps_flags {
        crate::world::IIS_APP_ID.clone_into(&mut own.app_id);
        own.negotiate_client_certificate = false;
    }
}
