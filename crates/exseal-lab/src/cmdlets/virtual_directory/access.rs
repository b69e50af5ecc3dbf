//! The client access service of a server: its Autodiscover service connection point.

use super::super::error::Problem;
use super::super::object::PsValue;
use super::super::run::{Run, Stop, find_server};
use super::super::shapes::CLIENT_ACCESS;
use super::{uri, url};
use crate::organisation::{Role, Version};
use crate::world::ServerName;
use crate::world::directory::{Key, Object};

/// Servers with a client access service.
fn services(run: &mut Run<'_>) -> Result<Vec<ServerName>, Stop> {
    let all: Vec<ServerName> = run
        .world
        .servers
        .values()
        .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
        .map(|server| server.name.clone())
        .collect();
    let Some(wanted) = run.text("Identity").map(str::to_owned) else {
        return Ok(all);
    };
    match find_server(run.world, &wanted).filter(|name| all.contains(name)) {
        Some(name) => Ok(vec![name]),
        None => {
            let problem = Problem::not_found(&wanted, &run.controller());
            run.fail(&problem)?;
            Ok(Vec::new())
        }
    }
}

pub(super) fn get_access(run: &mut Run<'_>) -> Result<(), Stop> {
    for name in services(run)? {
        let Some(server) = run.world.servers.get(&name) else {
            continue;
        };
        let own = super::super::exchange_server::ad_object(run.world, server);
        let point = run
            .world
            .directory
            .service_point(run.site(), &name)
            .map(|point| point.uri.clone());
        let site = run
            .world
            .sites
            .get(server.site)
            .map(|site| site.name.clone())
            .unwrap_or_default();
        let object = CLIENT_ACCESS.object(
            run,
            own.identity.clone(),
            Some(&own),
            vec![
                ("Fqdn", PsValue::text(&server.fqdn)),
                ("AutoDiscoverServiceCN", PsValue::text(&own.name)),
                ("AutoDiscoverServiceInternalUri", uri(point.as_deref())),
                ("AutoDiscoverSiteScope", PsValue::texts([site])),
            ],
        );
        run.write(object);
    }
    Ok(())
}

pub(super) fn set_access(run: &mut Run<'_>) -> Result<(), Stop> {
    for name in services(run)? {
        let shown = name.as_str().to_uppercase();
        let before = run.world.directory.service_point(run.site(), &name).cloned();
        let mut after = before.clone().unwrap_or_default();
        if run.given("AutoDiscoverServiceInternalUri") {
            after.uri = url(run, "AutoDiscoverServiceInternalUri")?.unwrap_or_default();
        }
        if !run.setting(&shown)? {
            return Ok(());
        }
        if Some(&after) == before.as_ref() {
            run.unchanged(&shown)?;
        } else {
            run.put(Key::ServicePoint(name), Object::ServicePoint(after));
        }
    }
    Ok(())
}
