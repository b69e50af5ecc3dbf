//! Servers: name, product, place, services and what else Windows says.

use std::collections::BTreeMap;

use super::schema::{Name, Seen, Server};
use super::{InventoryError, Taking, first_label, last_part, meaning};
use crate::organisation::{QueueRecipe, Role, ServerRecipe, ServiceRecipe, StartMode, TaskRecipe, Version};
use crate::world::installed_services;

/// The name a server has in the lab, and how a place of the file is called.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) at: String,
}

impl Taking<'_> {
    /// The names of all servers, in the file's order; management tools alone are no server.
    pub(super) fn names(&mut self) -> Result<Vec<Option<Named>>, InventoryError> {
        let mut found = Vec::new();
        for (place, server) in self.read.servers.iter().enumerate() {
            let at = format!("servers[{place}]");
            let name = match &server.name {
                Some(Name::Known(name)) => first_label(name).to_owned(),
                Some(Name::Unknown { unknown }) => {
                    let made = format!("SERVER{}", place + 1);
                    self.assume(&made, format!("name of the server of {unknown}"), made.clone());
                    made
                }
                None => return Err(meaning(format!("{at}.name"), "the name of the server", "none")),
            };
            let tools_only = server
                .roles
                .value()
                .is_some_and(|roles| !roles.is_empty() && roles.iter().all(|role| role == "None"));
            if tools_only {
                self.left_out
                    .push(format!("{name}: management tools alone, no server"));
                found.push(None);
            } else {
                found.push(Some(Named { name, at }));
            }
        }
        Ok(found)
    }

    pub(super) fn server(&mut self, server: &Server, named: &Named) -> Result<ServerRecipe, InventoryError> {
        let Named { name, at } = named;
        let mut recipe = ServerRecipe::named(name);
        self.product(server, &mut recipe, at)?;
        recipe.site = server.site.value().map(|site| last_part(site).to_owned());
        if recipe.site.is_none() && recipe.role == Role::Mailbox {
            self.assume(name, "site", "the first one");
        }
        recipe.dag = server.availability_group.value().cloned();
        if server.availability_group.is_unknown() && recipe.role == Role::Mailbox {
            self.assume(name, "database availability group", "none");
        }
        recipe.utc_offset_minutes = server.utc_offset_minutes.value().copied();
        recipe.restart_pending = server.restart_pending.is(true);
        recipe.domain_controller = server.domain_controller.is(true);
        if server.root_auto_update_disabled.is(true) {
            recipe
                .registry
                .insert("DisableRootAutoUpdate".to_owned(), "1".to_owned());
        }
        if server.ecc_support_in_registry.is(true) {
            recipe
                .registry
                .insert("EnableEccCertificateSupport".to_owned(), "1".to_owned());
        }
        if server.reachable.is(false) {
            recipe.faults.push("unreachable".to_owned());
        }
        for (unknown, what, taken) in [
            (server.utc_offset_minutes.is_unknown(), "time zone", "UTC"),
            (
                server.restart_pending.is_unknown(),
                "pending restart of Windows",
                "none",
            ),
            (
                server.domain_controller.is_unknown(),
                "whether it is a domain controller",
                "no",
            ),
            (
                server.root_auto_update_disabled.is_unknown(),
                "registry value DisableRootAutoUpdate",
                "unset",
            ),
            (
                server.ecc_support_in_registry.is_unknown(),
                "registry value EnableEccCertificateSupport",
                "unset",
            ),
        ] {
            if unknown {
                self.assume(name, what, taken);
            }
        }
        self.stores(server, &mut recipe, at)?;
        self.web(server, &mut recipe, at)?;
        self.services(server, &mut recipe);
        self.server_transport(server, &mut recipe, at)?;
        self.state(server, &mut recipe);
        Ok(recipe)
    }

    fn product(
        &mut self,
        server: &Server,
        recipe: &mut ServerRecipe,
        at: &str,
    ) -> Result<(), InventoryError> {
        let name = recipe.name.clone();
        match server.roles.value() {
            Some(roles) if roles.iter().any(|role| role == "Edge") => recipe.role = Role::Edge,
            Some(_) => {}
            None => self.assume(&name, "role", "mailbox server"),
        }
        // ExSetup's version changes with every update; AdminDisplayVersion is the next best.
        let (text, key) = match (server.setup_build.value(), server.build.value()) {
            (Some(text), _) => (text, "setup_build"),
            (None, Some(text)) => (text, "build"),
            (None, None) => {
                self.assume(&name, "product and build", "Exchange 2019, a recent build");
                return Ok(());
            }
        };
        let parts: Vec<u32> = text.split('.').filter_map(|part| part.parse().ok()).collect();
        let [major, minor, build, _] = parts[..] else {
            return Err(meaning(
                format!("{at}.{key}"),
                "four numbers such as 15.2.1748.10",
                format!("{text:?}"),
            ));
        };
        recipe.version = match (major, minor, build) {
            (14, ..) => Version::V2010,
            (15, 0, _) => Version::V2013,
            (15, 1, _) => Version::V2016,
            (15, 2, build) if build < 2562 => Version::V2019,
            (15, 2, _) => Version::Se,
            _ => {
                return Err(meaning(
                    format!("{at}.{key}"),
                    "a build of Exchange 2010 or later (14 or 15 in front)",
                    format!("{text:?}"),
                ));
            }
        };
        recipe.build = Some(text.clone());
        Ok(())
    }

    fn services(&mut self, server: &Server, recipe: &mut ServerRecipe) {
        let has = installed_services(recipe.role, recipe.version);
        let mut foreign = 0;
        match server.services.seen() {
            Some(services) => {
                for service in services {
                    let Some(own) = has.iter().find(|own| own.eq_ignore_ascii_case(&service.name)) else {
                        foreign += 1;
                        continue;
                    };
                    let start = service.start_type.value().and_then(|text| start_mode(text));
                    let running = service
                        .status
                        .value()
                        .map(|status| status.eq_ignore_ascii_case("Running"));
                    recipe.services.insert(
                        own.clone(),
                        ServiceRecipe {
                            running,
                            start,
                            disabled_by: None,
                        },
                    );
                }
            }
            None => {
                for down in server
                    .health
                    .items()
                    .iter()
                    .filter_map(|role| role.services_not_running.value())
                    .flatten()
                {
                    if let Some(own) = has.iter().find(|own| own.eq_ignore_ascii_case(down)) {
                        recipe.services.insert(
                            own.clone(),
                            ServiceRecipe {
                                running: Some(false),
                                ..ServiceRecipe::default()
                            },
                        );
                    }
                }
                let but = if recipe.services.is_empty() {
                    ""
                } else {
                    ", but those Test-ServiceHealth missed"
                };
                self.assume(
                    &recipe.name,
                    "services",
                    format!("as setup starts them{but}; POP and IMAP stopped"),
                );
            }
        }
        self.leave_out(
            &recipe.name,
            foreign,
            "services that are not Exchange's or its base",
        );
    }

    /// Components, queues, tasks, logs, disks.
    fn state(&mut self, server: &Server, recipe: &mut ServerRecipe) {
        let name = recipe.name.clone();
        for component in server.component_states.items() {
            if let Some(state) = component.state.value().filter(|state| *state != "Active") {
                recipe.components.insert(component.name.clone(), state.clone());
            }
        }
        for queue in server.queues.items() {
            recipe.queues.push(QueueRecipe {
                id: last_part(&queue.identity).to_owned(),
                delivery_type: queue
                    .delivery_type
                    .value()
                    .cloned()
                    .unwrap_or_else(|| "Undefined".to_owned()),
                next_hop: queue.next_hop_domain.value().cloned().unwrap_or_default(),
                status: queue
                    .status
                    .value()
                    .cloned()
                    .unwrap_or_else(|| "Ready".to_owned()),
                messages: queue
                    .message_count
                    .value()
                    .and_then(|count| i32::try_from(*count).ok())
                    .unwrap_or(0),
                last_error: queue.last_error.value().cloned(),
                tls_domain: None,
                connector: None,
            });
        }
        for task in server.tasks.items() {
            recipe.tasks.push(TaskRecipe {
                path: task.path.clone(),
                action: task.action.value().cloned().unwrap_or_default(),
                enabled: !task.enabled.is(false),
                last_run: task.last_run.value().copied(),
                next_run: task.next_run.value().copied(),
            });
        }
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in server.log_lines.items() {
            if let Some(text) = line.text.value() {
                lines.entry(line.file.clone()).or_default().push(text.clone());
            }
        }
        recipe.log_lines = lines;
        recipe.free_bytes = server
            .disks
            .items()
            .iter()
            .find(|disk| disk.name.eq_ignore_ascii_case("C:"))
            .and_then(|disk| disk.free_bytes.value().copied());
        for (unknown, what, taken) in [
            (
                server.component_states.seen().is_none(),
                "server components",
                "all active",
            ),
            (server.queues.seen().is_none(), "queues", "empty"),
            (server.tasks.seen().is_none(), "scheduled tasks", "none"),
            (
                server.log_lines.seen().is_none(),
                "lines of logs that name a certificate",
                "none",
            ),
            (recipe.free_bytes.is_none(), "room on C:", "plenty"),
        ] {
            if unknown {
                self.assume(&name, what, taken);
            }
        }
        self.leave_out(
            &name,
            server.events.items().len(),
            "kinds of events: the lab's log begins with the lab",
        );
    }
}

/// How a service starts, by any of Windows' words for it.
fn start_mode(text: &str) -> Option<StartMode> {
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("auto") {
        Some(StartMode::Automatic)
    } else if lower == "manual" {
        Some(StartMode::Manual)
    } else if lower == "disabled" {
        Some(StartMode::Disabled)
    } else {
        None
    }
}

/// A value of `seen`, or the default of a lab with a word about it.
pub(super) fn value_or<T: Clone>(seen: &Seen<T>, default: T) -> T {
    seen.value().cloned().unwrap_or(default)
}
