//! Bindings and application pools of IIS.

use serde_json::{Value, json};

use super::{Done, Given, Refused, http_sys, moved, server, serving};
use crate::organisation::Role;
use crate::world::{Binding, Server, ServerName, World};

fn has_iis(server: &Server) -> Result<(), Refused> {
    if server.role == Role::Edge {
        Err(Refused::no_iis())
    } else {
        Ok(())
    }
}

fn shown(server: &Server, site: i64, binding: &Binding) -> Value {
    let entry = binding
        .endpoint()
        .and_then(|endpoint| server.http_sys.get(&endpoint))
        .filter(|entry| entry.hash.is_some());
    json!({
        "siteId": site,
        "protocol": binding.protocol,
        "bindingInformation": binding.information,
        "certificateHash": entry.and_then(|entry| entry.hash).map(|hash| hash.to_string()),
        "certificateStoreName": entry.map(|entry| entry.store.as_str()),
        "sslFlags": binding.ssl_flags,
    })
}

/// Lets IIS put a certificate on a binding: the entry of http.sys that belongs to it.
pub(super) fn bind(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let keeps_flags = world.assumptions.iis_keeps_http_sys_flags;
    let server = server(world, at)?;
    let store = given.store("Store");
    let Some(wanted) = given.hash("Thumbprint") else {
        return Err(Refused::new("NotFound", "a thumbprint", "none"));
    };
    serving(server, store, given.text("Store"), wanted)?;
    has_iis(server)?;
    let (site, information) = (given.number("SiteId"), given.text("BindingInformation"));
    let place = format!("one https binding {information} of site {site}");
    let found: Vec<Binding> = server
        .web_sites
        .iter()
        .filter(|own| i64::from(own.id) == site)
        .flat_map(|own| own.bindings.iter())
        .filter(|own| own.protocol == "https" && own.information.eq_ignore_ascii_case(information))
        .cloned()
        .collect();
    let binding = match found.as_slice() {
        [one] => one,
        [] => return Err(Refused::new("NotFound", place, "none")),
        several => return Err(Refused::new("Ambiguous", place, several.len().to_string())),
    };
    let before = shown(server, site, binding);
    let Some(endpoint) = binding.endpoint() else {
        return Err(Refused::new("NotFound", place, "none"));
    };
    let entry = server.http_sys.get(&endpoint);
    let current = entry.and_then(|entry| entry.hash);
    if current == Some(wanted) && entry.is_some_and(|entry| entry.store == store) {
        return Ok(Done::unchanged(before));
    }
    moved(given.hash("Expected"), current)?;
    http_sys::by_iis(server, &endpoint, wanted, store, keeps_flags);
    Ok(Done::changed(before, shown(server, site, binding)))
}

/// The name of a pool as IIS writes it, and whether it is started.
fn pool(server: &Server, name: &str) -> Result<(String, bool), Refused> {
    has_iis(server)?;
    server
        .app_pools
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(own, started)| (own.clone(), *started))
        .ok_or_else(|| Refused::new("NotFound", format!("application pool {name}"), "none"))
}

fn state(name: &str, is_started: bool) -> Value {
    json!({ "name": name, "state": if is_started { "Started" } else { "Stopped" } })
}

/// ERROR_SERVICE_NOT_ACTIVE: WAS runs no pools while it is stopped.
fn runs_pools(server: &Server) -> Result<(), Refused> {
    if server.runs("WAS") {
        Ok(())
    } else {
        Err(Refused::windows(
            "0x80070426",
            "System.Runtime.InteropServices.COMException",
            true,
        ))
    }
}

fn turn(world: &mut World, at: &ServerName, given: &Given, on: bool) -> Result<Done, Refused> {
    let own = server(world, at)?;
    let (name, is_started) = pool(own, given.text("Name"))?;
    let before = state(&name, is_started);
    if is_started == on {
        return Ok(Done::unchanged(before));
    }
    runs_pools(own)?;
    own.app_pools.insert(name.clone(), on);
    if on {
        world.pool_started(at, &name);
    }
    Ok(Done::changed(before, state(&name, on)))
}

pub(super) fn start(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    turn(world, at, given, true)
}

pub(super) fn stop(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    turn(world, at, given, false)
}

pub(super) fn recycle(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let own = server(world, at)?;
    let (name, is_started) = pool(own, given.text("Name"))?;
    if !is_started {
        return Err(Refused::new("NotRunning", format!("{name} Started"), "Stopped"));
    }
    runs_pools(own)?;
    world.pool_started(at, &name);
    let state = state(&name, true);
    Ok(Done::changed(state.clone(), state))
}
