//! Mailboxes and who may what, as far as scripts about certificates ask: the arbitration mailboxes of setup, a mailbox of
//! each person of the simulation, and the assignments of the roles that stand behind the cmdlets here. None was recorded:
//! the properties are the documented ones.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop};
use super::select::matches;
use super::shapes::{MAILBOX, ROLE_ASSIGNMENT, SC};
use super::table::{Access, Cmdlet, boolean, switch, text, texts};
use super::values;
use crate::organisation::{Role, Version};
use crate::world::ServerName;

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-Mailbox",
        class: "Microsoft.Exchange.Management.RecipientTasks.GetMailbox",
        parameters: &[
            text("Identity").at(0).piped().only(&["Identity"]),
            text("Database").only(&["DatabaseSet"]),
            text("Server").only(&["ServerSet"]),
            switch("Arbitration"),
            switch("PublicFolder"),
            texts("RecipientTypeDetails"),
            text("ResultSize"),
        ],
        default_set: "Identity",
        access: Access::View,
        process: mailboxes,
    },
    Cmdlet {
        name: "Get-ManagementRoleAssignment",
        class: "Microsoft.Exchange.Management.RbacTasks.GetManagementRoleAssignment",
        parameters: &[
            text("Identity").at(0).piped().only(&["Identity"]),
            text("Role").only(&["RoleAssignee"]),
            text("RoleAssignee").only(&["RoleAssignee"]),
            texts("RoleAssigneeType"),
            boolean("Delegating"),
            boolean("Enabled"),
            switch("GetEffectiveUsers"),
        ],
        default_set: "RoleAssignee",
        access: Access::View,
        process: assignments,
    },
];

/// The arbitration mailboxes of setup, by their documented names.
const ARBITRATION: [&str; 8] = [
    "SystemMailbox{1f05a927-3acc-4fa4-ae56-c31e1b5e7b2f}",
    "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}",
    "SystemMailbox{e0dc1c29-89c3-4034-b678-e6c29d823ed9}",
    "SystemMailbox{D0E409A0-AF9B-4720-92FE-AAC869B0D201}",
    "SystemMailbox{2CE34405-31BE-455D-89D7-A7C7DA7A0DAA}",
    "SystemMailbox{8cc370d3-822a-4ab8-a926-bb94bd0641a9}",
    "Migration.8f3e7716-2011-43e4-96b1-aba62d229136",
    "FederatedEmail.4c1f4d8b-8179-4148-93bf-00a95fa1e042",
];

fn mailboxes(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some((home, database)) = home(run) else {
        return Ok(());
    };
    let limit = run
        .text("ResultSize")
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(usize::MAX);
    // The simulation has no public folders.
    let arbitration = run.is("Arbitration");
    let names: Vec<String> = if run.is("PublicFolder") {
        Vec::new()
    } else if arbitration {
        ARBITRATION.iter().map(|name| (*name).to_owned()).collect()
    } else {
        run.world.users.iter().map(|user| user.name.clone()).collect()
    };
    let details = if arbitration {
        "ArbitrationMailbox"
    } else {
        "UserMailbox"
    };
    let of_type = run
        .texts("RecipientTypeDetails")
        .is_none_or(|wanted| wanted.iter().any(|own| own.eq_ignore_ascii_case(details)));
    let at_home = run
        .text("Server")
        .is_none_or(|wanted| super::run::find_server(run.world, wanted).is_some_and(|server| server == home))
        && run
            .text("Database")
            .is_none_or(|wanted| matches(wanted, &database));
    let wanted = run.text("Identity").map(str::to_owned);
    let mut written = 0;
    for name in names {
        let own = mailbox(run, &name);
        let principal = format!("{name}@{}", run.world.domain);
        let meant = wanted
            .as_ref()
            .is_none_or(|wanted| own.is(run.world, wanted) || wanted.eq_ignore_ascii_case(&principal));
        if !meant || !of_type || !at_home || written >= limit {
            continue;
        }
        written += 1;
        let object = shown(run, &own, &principal, &home, &database, arbitration);
        run.write(object);
    }
    match wanted {
        Some(wanted) if written == 0 && !wanted.contains('*') => {
            let problem = Problem::not_found(&wanted, &run.controller());
            run.fail(&problem)
        }
        _ => Ok(()),
    }
}

/// The first mailbox server, on which everything lies, and its database.
fn home(run: &Run<'_>) -> Option<(ServerName, String)> {
    let server = run
        .world
        .servers
        .values()
        .find(|server| server.role == Role::Mailbox && server.version >= Version::V2013)?;
    Some((server.name.clone(), super::mailbox::database(run.world, server)))
}

fn mailbox(run: &Run<'_>, name: &str) -> AdObject {
    let installed = run
        .world
        .servers
        .values()
        .map(|server| server.installed)
        .min()
        .unwrap_or(run.world.now);
    AdObject {
        name: name.to_owned(),
        identity: format!("{}/Users/{name}", run.world.domain),
        parent: format!("CN=Users,{}", ad::of_dns(&run.world.domain)),
        parent_shown: format!("{}/Users", run.world.domain),
        classes: &["top", "person", "organizationalPerson", "user"],
        category: "Person",
        version: (20, "15.0.0.0"),
        created: installed,
        changed: installed,
    }
}

fn shown(
    run: &Run<'_>,
    own: &AdObject,
    principal: &str,
    home: &ServerName,
    database: &str,
    arbitration: bool,
) -> PsObject {
    let (details, number) = if arbitration {
        ("ArbitrationMailbox", 8_388_608)
    } else {
        ("UserMailbox", 1)
    };
    MAILBOX.object(
        run,
        own.identity.clone(),
        Some(own),
        vec![
            ("Database", PsValue::text(database)),
            ("ServerName", PsValue::text(home.as_str().to_lowercase())),
            (
                "ExchangeGuid",
                PsValue::Guid(run.world.guid(&format!("mailbox/{}", own.name))),
            ),
            ("HiddenFromAddressListsEnabled", PsValue::Bool(arbitration)),
            (
                "SamAccountName",
                PsValue::text(sam_account(run, own, arbitration)),
            ),
            ("UserPrincipalName", PsValue::text(principal)),
            ("Alias", PsValue::text(own.name.replace(['{', '}'], ""))),
            ("DisplayName", PsValue::text(&own.name)),
            ("PrimarySmtpAddress", PsValue::text(principal)),
            (
                "RecipientTypeDetails",
                values::enumeration(
                    "",
                    "Microsoft.Exchange.Data.Directory.Recipient.RecipientTypeDetails",
                    details,
                    number,
                ),
            ),
            (
                "WindowsEmailAddress",
                PsValue::text(if arbitration { "" } else { principal }),
            ),
        ],
    )
}

/// The short name of an account: of a system mailbox Exchange makes one up.
fn sam_account(run: &Run<'_>, own: &AdObject, arbitration: bool) -> String {
    if arbitration {
        let guid = run.world.guid(&format!("sam/{}", own.name)).simple().to_string();
        format!("SM_{}", guid.get(..17).unwrap_or(&guid))
    } else {
        own.name.clone()
    }
}

/// Role, role group, and whether the assignment is to hand it on.
const ASSIGNMENTS: [(&str, &str, bool); 8] = [
    ("Exchange Server Certificates", "Organization Management", false),
    ("Exchange Server Certificates", "Organization Management", true),
    ("Exchange Server Certificates", "Server Management", false),
    ("Organization Client Access", "Organization Management", false),
    (
        "Organization Transport Settings",
        "Organization Management",
        false,
    ),
    ("Receive Connectors", "Server Management", false),
    (
        "View-Only Configuration",
        "View-Only Organization Management",
        false,
    ),
    ("View-Only Configuration", "Hygiene Management", false),
];

fn assignments(run: &mut Run<'_>) -> Result<(), Stop> {
    let fits = |given: Option<&str>, own: &str| given.is_none_or(|wanted| matches(wanted, own));
    let identity = run.text("Identity").map(str::to_owned);
    let mut found = false;
    for (role, group, delegating) in ASSIGNMENTS {
        let name = format!("{role}-{group}{}", if delegating { "-Delegating" } else { "" });
        let (wanted_role, wanted_assignee) = (run.text("Role"), run.text("RoleAssignee"));
        let by_kind = run
            .texts("RoleAssigneeType")
            .is_none_or(|kinds| kinds.iter().any(|kind| kind.eq_ignore_ascii_case("RoleGroup")));
        if !fits(identity.as_deref(), &name)
            || !fits(wanted_role, role)
            || !(fits(wanted_assignee, group) || is_member(run, wanted_assignee, group))
            || !by_kind
            || run
                .boolean("Delegating")
                .is_some_and(|wanted| wanted != delegating)
            || run.boolean("Enabled") == Some(false)
        {
            continue;
        }
        found = true;
        let users: Vec<String> = if run.is("GetEffectiveUsers") {
            run.world
                .users
                .iter()
                .filter(|user| user.groups.iter().any(|own| own.eq_ignore_ascii_case(group)))
                .map(|user| user.name.clone())
                .collect()
        } else {
            vec!["All Group Members".to_owned()]
        };
        for user in users {
            let object = assignment(run, &name, role, group, delegating, &user);
            run.write(object);
        }
    }
    match identity {
        Some(identity) if !found && !identity.contains('*') => {
            let problem = Problem::not_found(&identity, &run.controller());
            run.fail(&problem)
        }
        _ => Ok(()),
    }
}

/// An assignee may be named by a member of the group.
fn is_member(run: &Run<'_>, wanted: Option<&str>, group: &str) -> bool {
    let Some(wanted) = wanted else { return false };
    let short = wanted.rsplit(['\\', '/']).next().unwrap_or(wanted);
    let short = short.split('@').next().unwrap_or(short);
    run.world.users.iter().any(|user| {
        user.name.eq_ignore_ascii_case(short) && user.groups.iter().any(|own| own.eq_ignore_ascii_case(group))
    })
}

fn assignment(run: &Run<'_>, name: &str, role: &str, group: &str, delegating: bool, user: &str) -> PsObject {
    let mut own = mailbox(run, name);
    own.identity = name.to_owned();
    own.parent = format!("CN=Role Assignments,CN=RBAC,{}", ad::organisation(run.world));
    own.parent_shown = "Role Assignments".to_owned();
    own.classes = &["top", "msExchRoleAssignment"];
    own.category = "ms-Exch-Role-Assignment";
    let (delegation, number) = if delegating {
        ("DelegatingOrgWide", 2)
    } else {
        ("Regular", 1)
    };
    ROLE_ASSIGNMENT.object(
        run,
        name,
        Some(&own),
        vec![
            ("Role", PsValue::text(role)),
            ("RoleAssigneeName", PsValue::text(group)),
            (
                "RoleAssignee",
                PsValue::text(format!(
                    "{}/Microsoft Exchange Security Groups/{group}",
                    run.world.domain
                )),
            ),
            (
                "RoleAssignmentDelegationType",
                values::enumeration(SC, "RoleAssignmentDelegationType", delegation, number),
            ),
            ("EffectiveUserName", PsValue::text(user)),
        ],
    )
}
