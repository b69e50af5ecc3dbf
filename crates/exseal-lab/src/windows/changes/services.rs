//! Services of Windows.

use serde_json::Value;

use super::{Done, Given, Refused, server};
use crate::organisation::{Disabler, StartMode};
use crate::windows::readings;
use crate::world::{Server, ServerName, Service, World};

/// Which services need another one, as far as the facts say: those in front stop before those behind.
const NEEDS: [(&str, &str); 1] = [("W3SVC", "WAS")];

fn find(server: &Server, name: &str) -> Result<(String, Service), Refused> {
    server
        .services
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(own, service)| (own.clone(), service.clone()))
        .ok_or_else(|| Refused::new("NotFound", format!("service {name}"), "0"))
}

fn shown(server: &Server, names: &[String]) -> Value {
    names
        .iter()
        .filter_map(|name| find(server, name).ok())
        .map(|(name, mut service)| {
            // The answer goes out once it runs.
            service.running |= server.starting.contains_key(&name);
            readings::one_service(&name, &service)
        })
        .collect()
}

fn keep_the_way_in<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<(), Refused> {
    if names.into_iter().any(|name| name.eq_ignore_ascii_case("WinRM")) {
        return Err(Refused::new(
            "Refused",
            "a service other than the way in to this server",
            "WinRM",
        ));
    }
    Ok(())
}

fn named(given: &Given) -> impl Iterator<Item = &str> {
    given
        .texts("Dependents")
        .iter()
        .map(String::as_str)
        .chain([given.text("Name")])
}

/// Those that need a service and run.
fn dependents(server: &Server, given: &Given) -> Result<Vec<String>, Refused> {
    let name = given.text("Name");
    let running: Vec<String> = NEEDS
        .iter()
        .filter(|(_, needed)| needed.eq_ignore_ascii_case(name))
        .filter(|(own, _)| server.runs(own))
        .map(|(own, _)| (*own).to_owned())
        .collect();
    let others: Vec<&str> = running
        .iter()
        .filter(|own| {
            !given
                .texts("Dependents")
                .iter()
                .any(|named| named.eq_ignore_ascii_case(own))
        })
        .map(String::as_str)
        .collect();
    if others.is_empty() {
        Ok(running)
    } else {
        Err(Refused::new(
            "DependentsRunning",
            format!("nothing else that needs {name}"),
            others.join(", "),
        ))
    }
}

/// Starts a service and what it needs.
fn begin(world: &mut World, at: &ServerName, name: &str) -> Result<(), Refused> {
    for (own, needed) in NEEDS {
        if own.eq_ignore_ascii_case(name) {
            begin(world, at, needed)?;
        }
    }
    world.begin_service(at, name).map_err(|_| Refused {
        effect: "unknown",
        ..Refused::new(
            "ServiceRefused",
            format!("StartService of {name}"),
            // 15: a service it needs is disabled.
            "return value 15",
        )
    })
}

pub(super) fn start(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let own = server(world, at)?;
    let (name, service) = find(own, given.text("Name"))?;
    let names = [name];
    let before = shown(own, &names);
    if service.running {
        return Ok(Done::unchanged(before));
    }
    let [name] = &names;
    not_disabled(&service, name)?;
    begin(world, at, name)?;
    Ok(Done::changed(before, shown(server(world, at)?, &names)))
}

fn not_disabled(service: &Service, name: &str) -> Result<(), Refused> {
    if service.start == StartMode::Disabled {
        return Err(Refused::new(
            "ServiceDisabled",
            format!("{name} not disabled"),
            "Disabled",
        ));
    }
    Ok(())
}

pub(super) fn stop(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    keep_the_way_in(named(given))?;
    let own = server(world, at)?;
    let mut names = dependents(own, given)?;
    let (name, service) = find(own, given.text("Name"))?;
    names.push(name);
    let before = shown(own, &names);
    if names.len() == 1 && !service.running {
        return Ok(Done::unchanged(before));
    }
    for name in &names {
        // Each was found a moment ago.
        let _ = world.stop_service(at, name);
    }
    Ok(Done::changed(before, shown(server(world, at)?, &names)))
}

pub(super) fn restart(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    keep_the_way_in(named(given))?;
    let own = server(world, at)?;
    let (name, service) = find(own, given.text("Name"))?;
    not_disabled(&service, &name)?;
    dependents(own, given)?;
    let mut names = Vec::new();
    for one in named(given) {
        names.push(find(own, one)?.0);
    }
    let before = shown(own, &names);
    for name in &names {
        let _ = world.stop_service(at, name);
    }
    for name in names.iter().rev() {
        let (_, service) = find(server(world, at)?, name)?;
        if service.start != StartMode::Disabled {
            begin(world, at, name)?;
        }
    }
    Ok(Done::changed(before, shown(server(world, at)?, &names)))
}

pub(super) fn set_start(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let own = server(world, at)?;
    let (name, service) = find(own, given.text("Name"))?;
    let names = [name];
    let [name] = &names;
    let before = shown(own, &names);
    let (expected, wanted) = (mode(given.text("Expected")), mode(given.text("StartMode")));
    if service.start == wanted {
        return Ok(Done::unchanged(before));
    }
    if service.start != expected {
        return Err(Refused::new(
            "Moved",
            given.text("Expected"),
            readings::start_mode(service.start),
        ));
    }
    if service.start == StartMode::Disabled && !given.is("FromDisabled") {
        return Err(Refused::new(
            "ServiceDisabled",
            format!("{name} not disabled, or -FromDisabled"),
            "Disabled",
        ));
    }
    if wanted == StartMode::Disabled {
        keep_the_way_in([name.as_str()])?;
    }
    if let Some(service) = own.service_mut(name) {
        service.start = wanted;
        // Who disabled it before is remembered: undoing is not another person's doing.
        if wanted == StartMode::Disabled {
            service.disabled_by.get_or_insert(Disabler::Person);
        }
    }
    Ok(Done::changed(before, shown(own, &names)))
}

fn mode(word: &str) -> StartMode {
    match word {
        "Auto" => StartMode::Automatic,
        "Manual" => StartMode::Manual,
        _ => StartMode::Disabled,
    }
}
