//! Mailbox servers, databases and availability groups. Of a database the simulation knows what a fresh installation has:
//! one on each server, mounted while the server's information store runs; in an availability group every other member has a
//! passive copy. Which of them is active moves when Set-MailboxServer says so, as documented (Learn, Set-MailboxServer,
//! DatabaseCopyActivationDisabledAndMoveNow): at once, to the first healthy copy by name; not back by itself.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::exchange_server::{ad_object, server_version};
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop, find_server};
use super::select::matches;
use super::shapes::{AVAILABILITY_GROUP, COPY_STATUS, DATABASE, MAILBOX_SERVER, SC};
use super::table::{Access, Cmdlet, boolean, one_of, switch, text};
use super::values;
use crate::organisation::{Role, Version};
use crate::world::{Server, ServerName, World};

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-MailboxServer",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetMailboxServer",
        parameters: &[text("Identity").at(0).piped(), switch("Status")],
        default_set: "",
        access: Access::View,
        process: get_server,
    },
    Cmdlet {
        name: "Set-MailboxServer",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetMailboxServer",
        parameters: &[
            text("Identity").at(0).needed().piped(),
            boolean("DatabaseCopyActivationDisabledAndMoveNow"),
            one_of(
                "DatabaseCopyAutoActivationPolicy",
                "Microsoft.Exchange.Data.Directory.SystemConfiguration.DatabaseCopyAutoActivationPolicyType",
                POLICIES,
            ),
        ],
        default_set: "",
        access: Access::Servers,
        process: set_server,
    },
    Cmdlet {
        name: "Get-MailboxDatabase",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetMailboxDatabase",
        parameters: &[
            text("Identity").at(0).piped().only(&["Identity"]),
            text("Server").only(&["Server"]),
            switch("Status"),
            switch("IncludePreExchange2013"),
        ],
        default_set: "Identity",
        access: Access::View,
        process: get_database,
    },
    Cmdlet {
        name: "Get-MailboxDatabaseCopyStatus",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetMailboxDatabaseCopyStatus",
        parameters: &[
            text("Identity").at(0).piped().only(&["Identity"]),
            text("Server").only(&["Server"]),
            switch("Active"),
        ],
        default_set: "Identity",
        access: Access::View,
        process: get_copies,
    },
    Cmdlet {
        name: "Get-DatabaseAvailabilityGroup",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetDatabaseAvailabilityGroup",
        parameters: &[text("Identity").at(0).piped(), switch("Status")],
        default_set: "",
        access: Access::View,
        process: get_groups,
    },
];

/// `DatabaseCopyAutoActivationPolicy`, in the order of the numbers.
const POLICIES: &[&str] = &["Unrestricted", "IntrasiteOnly", "Blocked"];

/// Mailbox servers, in the order of their names.
fn mailbox_servers(world: &World) -> impl Iterator<Item = &Server> {
    world
        .servers
        .values()
        .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
}

/// The container of Exchange's only administrative group.
fn group_container(world: &World) -> String {
    format!(
        "CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,{}",
        ad::organisation(world)
    )
}

fn availability_group(world: &World, name: &str) -> PsValue {
    let place = format!(
        "CN={name},CN=Database Availability Groups,{}",
        group_container(world)
    );
    ad::id(
        world,
        name,
        &place,
        "Database Availability Groups",
        world.guid(&place),
    )
}

/// The servers -Identity or -Server means, or all. Without a match the error was written.
fn wanted(run: &mut Run<'_>, parameter: &str) -> Result<Vec<ServerName>, Stop> {
    let all: Vec<ServerName> = mailbox_servers(run.world)
        .map(|server| server.name.clone())
        .collect();
    let Some(wanted) = run.text(parameter).map(str::to_owned) else {
        return Ok(all);
    };
    if wanted.contains('*') {
        return Ok(all
            .into_iter()
            .filter(|name| matches(&wanted, name.as_str()))
            .collect());
    }
    match find_server(run.world, &wanted).filter(|name| all.contains(name)) {
        Some(name) => Ok(vec![name]),
        None => {
            let problem = Problem::not_found(&wanted, &run.controller());
            run.fail(&problem)?;
            Ok(Vec::new())
        }
    }
}

fn get_server(run: &mut Run<'_>) -> Result<(), Stop> {
    for name in wanted(run, "Identity")? {
        let Some(server) = run.world.servers.get(&name) else {
            continue;
        };
        let own = ad_object(run.world, server);
        let group = server
            .dag
            .as_deref()
            .map_or(PsValue::Null, |dag| availability_group(run.world, dag));
        let object = MAILBOX_SERVER.object(
            run,
            own.identity.clone(),
            Some(&own),
            vec![
                (
                    "SharingPolicySchedule",
                    PsValue::List(
                        vec![
                            "Microsoft.Exchange.Common.ScheduleInterval[]".into(),
                            "System.Array".into(),
                            "System.Object".into(),
                        ],
                        Vec::new(),
                    ),
                ),
                ("DatabaseAvailabilityGroup", group),
                (
                    "DatabaseCopyAutoActivationPolicy",
                    values::enumeration(
                        SC,
                        "DatabaseCopyAutoActivationPolicyType",
                        server.activation_policy.clone(),
                        policy_number(&server.activation_policy),
                    ),
                ),
                (
                    "DatabaseCopyActivationDisabledAndMoveNow",
                    PsValue::Bool(server.activation_disabled),
                ),
                ("AdminDisplayVersion", server_version(server)),
            ],
        );
        run.write(object);
    }
    Ok(())
}

fn policy_number(policy: &str) -> i32 {
    let at = POLICIES.iter().position(|own| *own == policy);
    at.and_then(|at| i32::try_from(at).ok()).unwrap_or_default()
}

fn set_server(run: &mut Run<'_>) -> Result<(), Stop> {
    for name in wanted(run, "Identity")? {
        let shown = name.as_str().to_uppercase();
        if !run.should_process(
            false,
            &format!("Setting Mailbox Server \"{shown}\"."),
            &format!("Der Postfachserver \"{shown}\" wird festgelegt."),
        )? {
            return Ok(());
        }
        let disabled = run.boolean("DatabaseCopyActivationDisabledAndMoveNow");
        let policy = run.text("DatabaseCopyAutoActivationPolicy").map(str::to_owned);
        let Some(server) = run.world.servers.get_mut(&name) else {
            continue;
        };
        if let Some(policy) = policy {
            server.activation_policy = policy;
        }
        if let Some(disabled) = disabled {
            server.activation_disabled = disabled;
            if disabled {
                move_databases(run.world, &name);
            }
        }
    }
    Ok(())
}

/// The servers that have a copy of a server's database: itself, and the other members of its group.
fn copies(world: &World, home: &Server) -> Vec<ServerName> {
    let member = |own: &&Server| {
        own.name == home.name
            || home.dag.as_deref().is_some_and(|dag| {
                own.dag
                    .as_deref()
                    .is_some_and(|other| other.eq_ignore_ascii_case(dag))
            })
    };
    mailbox_servers(world)
        .filter(member)
        .map(|own| own.name.clone())
        .collect()
}

/// The server on which a server's database is active.
fn active_on(home: &Server) -> &ServerName {
    home.database_at.as_ref().unwrap_or(&home.name)
}

/// Whether a passive copy on a server is healthy and may become the active one there.
fn takes_over(server: &Server) -> bool {
    mounted(server) && server.runs("MSExchangeRepl") && !server.activation_disabled
}

/// Moves every database that is active on a server to another copy; one that has none stays.
fn move_databases(world: &mut World, from: &ServerName) {
    let moves: Vec<(ServerName, ServerName)> = mailbox_servers(world)
        .filter(|home| active_on(home) == from)
        .filter_map(|home| {
            let to = copies(world, home)
                .into_iter()
                .find(|name| name != from && world.servers.get(name).is_some_and(takes_over))?;
            Some((home.name.clone(), to))
        })
        .collect();
    for (home, to) in moves {
        if let Some(server) = world.servers.get_mut(&home) {
            server.database_at = (to != home).then_some(to);
        }
    }
}

/// The database of a server, by the name setup gives: ten digits.
pub(super) fn database(world: &World, server: &Server) -> String {
    let number = world.guid(&format!("database/{}", server.name)).as_u128() % 10_000_000_000;
    format!("Mailbox Database {number:010}")
}

fn database_object(run: &Run<'_>, server: &Server) -> AdObject {
    let name = database(run.world, server);
    AdObject {
        identity: name.clone(),
        name,
        parent: format!("CN=Databases,{}", group_container(run.world)),
        parent_shown: "Databases".to_owned(),
        classes: &["top", "msExchMDB", "msExchPrivateMDB"],
        category: "ms-Exch-Private-MDB",
        version: (10, "14.0.100.0"),
        created: server.installed,
        changed: server.installed,
    }
}

/// The servers whose databases are meant: by server, or by a database's name.
fn of_databases(run: &mut Run<'_>) -> Result<Vec<ServerName>, Stop> {
    if run.given("Server") {
        return wanted(run, "Server");
    }
    let Some(identity) = run.text("Identity").map(str::to_owned) else {
        return wanted(run, "Identity");
    };
    let (identity, server) = match identity.split_once('\\') {
        Some((database, server)) => (database.to_owned(), Some(server.to_owned())),
        None => (identity, None),
    };
    let found: Vec<ServerName> = mailbox_servers(run.world)
        .filter(|own| database_object(run, own).is(run.world, &identity))
        .filter(|own| {
            server
                .as_ref()
                .is_none_or(|server| matches(server, own.name.as_str()))
        })
        .map(|own| own.name.clone())
        .collect();
    if found.is_empty() && !identity.contains('*') {
        let problem = Problem::not_found(&identity, &run.controller());
        run.fail(&problem)?;
    }
    Ok(found)
}

fn mounted(server: &Server) -> bool {
    server.reachable && server.runs("MSExchangeIS")
}

fn get_database(run: &mut Run<'_>) -> Result<(), Stop> {
    for name in of_databases(run)? {
        let Some(server) = run.world.servers.get(&name) else {
            continue;
        };
        let own = database_object(run, server);
        let master = server.dag.as_deref().map_or_else(
            || values::server_id(run.world, &name),
            |dag| availability_group(run.world, dag),
        );
        let file = format!(
            "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Mailbox\\{0}\\{0}.edb",
            own.name
        );
        let state = |state: bool| {
            if run.is("Status") {
                PsValue::Bool(state)
            } else {
                PsValue::Null
            }
        };
        let object = DATABASE.object(
            run,
            own.identity.clone(),
            Some(&own),
            vec![
                ("AdminDisplayVersion", server_version(server)),
                ("EdbFilePath", PsValue::text(file)),
                ("MasterServerOrAvailabilityGroup", master),
                ("Server", values::server_id(run.world, active_on(server))),
                (
                    "ServerName",
                    PsValue::text(active_on(server).as_str().to_uppercase()),
                ),
                ("Servers", values::server_ids(run, &copies(run.world, server))),
                (
                    "Mounted",
                    state(run.world.servers.get(active_on(server)).is_some_and(mounted)),
                ),
                (
                    "ReplicationType",
                    values::enumeration(
                        SC,
                        "ReplicationType",
                        if server.dag.is_some() { "Remote" } else { "None" },
                        i32::from(server.dag.is_some()) * 2,
                    ),
                ),
            ],
        );
        run.write(object);
    }
    Ok(())
}

/// The copies that are meant: the database of a server, and the server with the copy.
fn of_copies(run: &mut Run<'_>) -> Result<Vec<(ServerName, ServerName)>, Stop> {
    let at = if run.given("Server") {
        Some(wanted(run, "Server")?)
    } else {
        run.text("Identity")
            .and_then(|identity| identity.split_once('\\'))
            .map(|(_, server)| server.to_owned())
            .map(|server| find_server(run.world, &server).into_iter().collect())
    };
    let homes: Vec<ServerName> = match run.text("Identity").map(str::to_owned) {
        Some(identity) => {
            let database = identity
                .split_once('\\')
                .map_or(identity.as_str(), |(database, _)| database);
            let found: Vec<ServerName> = mailbox_servers(run.world)
                .filter(|own| database_object(run, own).is(run.world, database))
                .map(|own| own.name.clone())
                .collect();
            if found.is_empty() && !identity.contains('*') {
                let problem = Problem::not_found(&identity, &run.controller());
                run.fail(&problem)?;
            }
            found
        }
        None => mailbox_servers(run.world).map(|own| own.name.clone()).collect(),
    };
    let mut all = Vec::new();
    for home in homes {
        let Some(server) = run.world.servers.get(&home) else {
            continue;
        };
        for copy in copies(run.world, server) {
            if at.as_ref().is_none_or(|at: &Vec<ServerName>| at.contains(&copy)) {
                all.push((home.clone(), copy));
            }
        }
    }
    Ok(all)
}

fn get_copies(run: &mut Run<'_>) -> Result<(), Stop> {
    for (home, copy) in of_copies(run)? {
        let (Some(home), Some(server)) = (run.world.servers.get(&home), run.world.servers.get(&copy)) else {
            continue;
        };
        let database = database(run.world, home);
        let upper = server.name.as_str().to_uppercase();
        let active = *active_on(home) == server.name;
        let (status, number) = if !server.reachable {
            ("ServiceDown", 9)
        } else if !active {
            if mounted(server) && server.runs("MSExchangeRepl") {
                ("Healthy", 5)
            } else {
                ("ServiceDown", 9)
            }
        } else if server.runs("MSExchangeIS") {
            ("Mounted", 11)
        } else {
            ("Dismounted", 12)
        };
        let object = COPY_STATUS.object(
            run,
            format!("{database}\\{upper}"),
            None,
            vec![
                ("Identity", PsValue::text(format!("{database}\\{upper}"))),
                ("Name", PsValue::text(format!("{database}\\{upper}"))),
                ("DatabaseName", PsValue::text(&database)),
                (
                    "Status",
                    values::enumeration(
                        "",
                        "Microsoft.Exchange.Management.SystemConfigurationTasks.CopyStatus",
                        status,
                        number,
                    ),
                ),
                ("MailboxServer", PsValue::text(&upper)),
                (
                    "ActiveDatabaseCopy",
                    PsValue::text(active_on(home).as_str().to_uppercase()),
                ),
                ("ActiveCopy", PsValue::Bool(active && mounted(server))),
            ],
        );
        run.write(object);
    }
    Ok(())
}

fn get_groups(run: &mut Run<'_>) -> Result<(), Stop> {
    let mut groups: Vec<String> = mailbox_servers(run.world)
        .filter_map(|server| server.dag.clone())
        .collect();
    groups.sort_by_key(|name| name.to_lowercase());
    groups.dedup_by(|left, right| left.eq_ignore_ascii_case(right));
    let asked = run.text("Identity").map(str::to_owned);
    let mut found = false;
    for group in groups {
        let own = AdObject {
            parent: format!("CN=Database Availability Groups,{}", group_container(run.world)),
            parent_shown: "Database Availability Groups".to_owned(),
            classes: &["top", "msExchMDBAvailabilityGroup"],
            category: "ms-Exch-MDB-Availability-Group",
            version: (10, "14.0.100.0"),
            name: group.clone(),
            identity: group.clone(),
            created: run.world.now,
            changed: run.world.now,
        };
        if asked.as_ref().is_some_and(|asked| !own.is(run.world, asked)) {
            continue;
        }
        found = true;
        let object = group_shown(run, &group, own);
        run.write(object);
    }
    match asked {
        Some(asked) if !found && !asked.contains('*') => {
            let problem = Problem::not_found(&asked, &run.controller());
            run.fail(&problem)
        }
        _ => Ok(()),
    }
}

fn group_shown(run: &Run<'_>, group: &str, mut own: AdObject) -> PsObject {
    let members: Vec<&Server> = mailbox_servers(run.world)
        .filter(|server| {
            server
                .dag
                .as_deref()
                .is_some_and(|dag| dag.eq_ignore_ascii_case(group))
        })
        .collect();
    // As old as its first member.
    let made = members.iter().map(|server| server.installed).min();
    own.created = made.unwrap_or(own.created);
    own.changed = own.created;
    let names: Vec<ServerName> = members.iter().map(|server| server.name.clone()).collect();
    let operational: Vec<ServerName> = members
        .iter()
        .filter(|server| server.reachable && server.runs("MSExchangeRepl"))
        .map(|server| server.name.clone())
        .collect();
    let witness = format!("dc1.{}", run.world.domain);
    let when_asked = |value: PsValue| {
        if run.is("Status") { value } else { PsValue::Null }
    };
    AVAILABILITY_GROUP.object(
        run,
        own.identity.clone(),
        Some(&own),
        vec![
            ("Servers", values::server_ids(run, &names)),
            ("WitnessServer", PsValue::text(witness)),
            (
                "OperationalServers",
                when_asked(values::server_ids(run, &operational)),
            ),
            (
                "PrimaryActiveManager",
                when_asked(
                    operational
                        .first()
                        .map_or(PsValue::Null, |first| values::server_id(run.world, first)),
                ),
            ),
        ],
    )
}
