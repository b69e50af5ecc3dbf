//! `services start`: what a failed setup disabled, and what is stopped though it starts by itself (facts/scenarios.md 11, 71).

use exseal_model::plan::{Change, StartType, WaitKind};

use crate::checks::{disabled_services, is_needed_service};
use crate::plan::draft::Draft;

/// How many of the services of an Exchange server a setup leaves disabled, where a person disables one or two.
pub(super) const BY_SETUP: usize = 5;

pub(super) fn on(draft: &mut Draft<'_>, goal: &str, name: &str) {
    let Some(server) = draft.server(name) else { return };
    if server.services.is_unknown() {
        return draft.wait(goal, Some(name), WaitKind::Unknown, "services-unknown", &[]);
    }
    let disabled = disabled_services(server);
    let by_setup = disabled.len() >= BY_SETUP;
    let left = !by_setup && !disabled.is_empty();
    if left {
        let values = [("list", disabled.join(", "))];
        draft.wait(goal, Some(name), WaitKind::Person, "disabled-by-person", &values);
    }
    let set: Vec<String> = if by_setup { disabled } else { Vec::new() };
    let server = draft.server(name);
    let start: Vec<String> = server
        .into_iter()
        .flat_map(|server| &server.services)
        .filter(|service| is_needed_service(&service.name))
        .filter(|service| service.status.value().is_some_and(|status| status == "Stopped"))
        .filter(|service| {
            let own = service.start_type.value();
            own.is_some_and(|own| own.starts_with("Automatic")) || set.contains(&service.name)
        })
        .map(|service| service.name.clone())
        .collect();
    if set.is_empty() && start.is_empty() {
        if left {
            return;
        }
        return draft.wait(goal, Some(name), WaitKind::Right, "services-right", &[]);
    }
    push(draft, name, set, start);
}

/// Sets services to start by themselves and starts services, both in the order in which they need each other.
pub(super) fn push(draft: &mut Draft<'_>, name: &str, mut set: Vec<String>, mut start: Vec<String>) {
    set.sort_by_key(|service| order(service));
    start.sort_by_key(|service| order(service));
    for service in set {
        let change = Change::SetServiceStart {
            server: name.to_owned(),
            service: service.clone(),
            start_type: StartType::Automatic,
            instead_of: StartType::Disabled,
        };
        draft.push(change, "why.service-start-type", &[("service", service)]);
    }
    for service in start {
        let change = Change::StartService {
            server: name.to_owned(),
            service: service.clone(),
        };
        draft.push(change, "why.service-start", &[("service", service)]);
    }
}

/// What others need comes first: the directory's topology, IIS, then the rest by name.
fn order(service: &str) -> (u8, String) {
    let name = service.to_ascii_lowercase();
    let rank = match name.as_str() {
        "winrm" => 0,
        "msexchangeadtopology" => 1,
        "was" => 2,
        "iisadmin" => 3,
        "w3svc" => 4,
        "msexchangeservicehost" => 5,
        _ => 6,
    };
    (rank, name)
}
