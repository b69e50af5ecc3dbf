//! Servers, their services and their health.

use std::borrow::Cow;

use exseal_model::inventory::{ComponentState, Role, RoleHealth, WindowsService};
use exseal_model::{Look, Merge as _, Observed};

use super::super::Page;
use super::super::objects::Seen;
use super::directories::add_scp;
use super::{add, last_part, server_name};

fn roles(page: &mut Page, seen: Seen<'_, '_>, at: &str) -> Observed<Vec<Role>> {
    let Some(text) = seen.plain("ServerRole") else {
        return Observed::default();
    };
    let mut roles = Vec::new();
    for role in text.split(',').map(str::trim) {
        roles.push(match role {
            "Mailbox" => Role::Mailbox,
            "ClientAccess" | "Cafe" => Role::ClientAccess,
            "HubTransport" => Role::HubTransport,
            "UnifiedMessaging" => Role::UnifiedMessaging,
            "Edge" => Role::Edge,
            "FrontendTransport" => Role::FrontendTransport,
            "None" => Role::None,
            other => {
                page.error(
                    format!("{at}, property ServerRole"),
                    "a role of Exchange",
                    format!("{other:?}"),
                );
                continue;
            }
        });
    }
    Observed::seen(roles, seen.source)
}

pub(super) fn exchange_server(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let build = seen.build(page, "AdminDisplayVersion", at);
    let roles = roles(page, seen, at);
    let name = server_name(
        page,
        seen.plain("Name").map(Cow::into_owned).or_else(|| seen.itself()),
    );
    let server = page.inventory.server_mut(&name);
    server.by = vec![seen.source];
    server.fqdn = seen.text("Fqdn");
    server.roles = roles;
    server.site = last_part(seen.text("Site"));
    server.edition = seen.text("Edition");
    server.build = build;
}

pub(super) fn mailbox_server(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let build = seen.build(page, "AdminDisplayVersion", at);
    let name = server_name(page, seen.plain("Name").map(Cow::into_owned));
    let group = last_part(seen.text("DatabaseAvailabilityGroup"));
    let scp = seen.text("AutoDiscoverServiceInternalUri");
    let server = page.inventory.server_mut(&name);
    server.build.merge(build);
    server.availability_group = group;
    if !scp.is_unknown() {
        add_scp(server, &name, scp, seen.source);
    }
}

pub(super) fn service_health(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(role) = seen.plain("Role").map(Cow::into_owned) else {
        return page.error(at, "a role's health with its Role", "one without");
    };
    let mut health = RoleHealth::new(role);
    health.required_services_running = seen.flag("RequiredServicesRunning");
    health.services_running = seen.list("ServicesRunning");
    health.services_not_running = seen.list("ServicesNotRunning");
    let name = server_name(page, seen.computer());
    add(&mut page.inventory.server_mut(&name).health, health, seen.source);
}

pub(super) fn component_state(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(component) = seen.plain("Component").map(Cow::into_owned) else {
        return page.error(at, "a component state with its Component", "one without");
    };
    let mut state = ComponentState::new(component);
    state.state = seen.text("State");
    let requesters = seen
        .property("LocalStates")
        .and_then(|value| seen.document.items(value))
        .unwrap_or_default();
    let requesters: Vec<String> = requesters
        .iter()
        .filter_map(|item| {
            seen.document
                .path(item, &["Requester"])
                .and_then(|value| seen.document.text(value))
        })
        .map(Cow::into_owned)
        .collect();
    if !requesters.is_empty() {
        state.requesters = Observed::seen(requesters, seen.source);
    }
    let name = server_name(
        page,
        seen.plain("ServerFqdn")
            .map(Cow::into_owned)
            .or_else(|| seen.computer()),
    );
    add(
        &mut page.inventory.server_mut(&name).component_states,
        state,
        seen.source,
    );
}

pub(super) fn service(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(name) = seen
        .plain("ServiceName")
        .or_else(|| seen.plain("Name"))
        .map(Cow::into_owned)
    else {
        return page.error(at, "a service with its Name", "one without");
    };
    let mut service = WindowsService::new(name);
    service.status = seen.text("Status");
    service.start_type = seen.text("StartType");
    let machine = seen
        .plain("MachineName")
        .filter(|name| name != ".")
        .map(Cow::into_owned);
    let name = server_name(page, machine.or_else(|| seen.computer()));
    let listing = &mut page.inventory.server_mut(&name).services;
    if listing.looks.is_empty() {
        listing.looks.push(Look {
            source: seen.source,
            complete: false,
        });
    }
    service.by = vec![seen.source];
    // Hundreds of services: one look at each, no search for one of its name.
    listing.items.push(service);
}

/// The version of ExSetup.exe, which every update replaces (AdminDisplayVersion changes with a CU only).
pub(super) fn setup_file(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let build = seen.build(page, "FileVersion", at);
    let name = server_name(page, seen.computer());
    page.inventory.server_mut(&name).setup_build = build;
}
