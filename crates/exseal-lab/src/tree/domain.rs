//! The domain itself: people, groups, machines; and the forest's sites and partitions.

use super::{Maker, dn};
use crate::connect_file::net_bios;
use crate::organisation::Role;

/// Groups of Exchange that are there from setup.
const GROUPS: [&str; 4] = [
    "Organization Management",
    "View-Only Organization Management",
    "Exchange Servers",
    "Exchange Trusted Subsystem",
];

pub(super) fn make(maker: &mut Maker<'_>) {
    let domain = maker.names.domain.clone();
    let founded = maker.founded;
    let root = maker.draft("DC", &domain, "", "domainDNS", (founded, founded));
    maker.add(root);
    let users = maker.container("Users", &domain, "container");
    maker.container("Computers", &domain, "container");
    let unit = |maker: &mut Maker<'_>, name: &str| {
        let draft = maker.draft("OU", name, &domain, "organizationalUnit", (founded, founded));
        maker.add(draft);
        format!("OU={name},{domain}")
    };
    let controllers = unit(maker, "Domain Controllers");
    let groups = unit(maker, "Microsoft Exchange Security Groups");
    people(maker, &users, &groups);
    machines(maker, &domain, &controllers, &groups);
    configuration(maker, &controllers);
}

fn people(maker: &mut Maker<'_>, users: &str, groups: &str) {
    let world = maker.world;
    let mut named: Vec<String> = GROUPS.iter().map(|name| (*name).to_owned()).collect();
    for user in world.users() {
        for group in &user.groups {
            if !named.iter().any(|own| own.eq_ignore_ascii_case(group)) {
                named.push(group.clone());
            }
        }
        let of = user
            .groups
            .iter()
            .map(|group| format!("CN={},{groups}", dn::escaped(group)));
        let draft = maker
            .object(&user.name, users, "user")
            .text("sAMAccountName", &user.name)
            .text("userPrincipalName", format!("{}@{}", user.name, world.domain()))
            .number("userAccountControl", 512)
            .put("memberOf", of);
        maker.add(draft);
    }
    // Whom the partner application of Exchange Online acts as.
    let account = maker
        .object("Exchange Online-ApplicationAccount", users, "user")
        .number("userAccountControl", 514);
    maker.add(account);
    let domain = maker.names.domain.clone();
    for group in named {
        let members: Vec<String> = if group.eq_ignore_ascii_case("Exchange Servers")
            || group.eq_ignore_ascii_case("Exchange Trusted Subsystem")
        {
            world
                .servers()
                .filter(|server| server.role == Role::Mailbox)
                .map(|server| format!("CN={},CN=Computers,{domain}", server.name.as_str().to_uppercase()))
                .collect()
        } else {
            world
                .users()
                .iter()
                .filter(|user| user.groups.iter().any(|own| own.eq_ignore_ascii_case(&group)))
                .map(|user| format!("CN={},{users}", dn::escaped(&user.name)))
                .collect()
        };
        let draft = maker
            .object(&group, groups, "group")
            .text("sAMAccountName", &group)
            .put("member", members);
        maker.add(draft);
    }
}

fn machines(maker: &mut Maker<'_>, domain: &str, controllers: &str, groups: &str) {
    let world = maker.world;
    // An Edge server is no member of the domain.
    for server in world.servers().filter(|server| server.role == Role::Mailbox) {
        let name = server.name.as_str().to_uppercase();
        let draft = maker
            .object(&name, &format!("CN=Computers,{domain}"), "computer")
            .text("sAMAccountName", format!("{name}$"))
            .text("dNSHostName", &server.fqdn)
            .number("userAccountControl", 4096)
            .put(
                "servicePrincipalName",
                ["HOST", "HTTP", "SmtpSvc", "exchangeMDB"]
                    .into_iter()
                    .flat_map(|service| [format!("{service}/{name}"), format!("{service}/{}", server.fqdn)]),
            )
            .put(
                "memberOf",
                ["Exchange Servers", "Exchange Trusted Subsystem"]
                    .map(|group| format!("CN={group},{groups}")),
            );
        maker.add(draft);
    }
    for controller in world.controllers() {
        let name = controller.name.as_str();
        let draft = maker
            .object(name, controllers, "computer")
            .text("sAMAccountName", format!("{name}$"))
            .text("dNSHostName", &controller.fqdn)
            .number("userAccountControl", 532_480)
            .put(
                "servicePrincipalName",
                [
                    format!("ldap/{name}"),
                    format!("ldap/{}", controller.fqdn),
                    format!("ldap/{}/{}", controller.fqdn, world.domain()),
                ],
            );
        maker.add(draft);
    }
}

fn configuration(maker: &mut Maker<'_>, controllers: &str) {
    let world = maker.world;
    let founded = maker.founded;
    let configuration = maker.names.configuration.clone();
    let head = maker.draft("CN", &configuration, "", "configuration", (founded, founded));
    maker.add(head);
    let schema = maker.names.schema.clone();
    let head = maker.draft("CN", &schema, "", "dMD", (founded, founded));
    maker.add(head);
    maker.container("Services", &configuration, "container");

    let sites = maker.container("Sites", &configuration, "sitesContainer");
    for (at, site) in world.sites().iter().enumerate() {
        let own = maker.container(&site.name, &sites, "site");
        let servers = maker.container("Servers", &own, "serversContainer");
        for controller in world.controllers().iter().filter(|own| own.site == at) {
            let name = controller.name.as_str();
            let draft = maker
                .object(name, &servers, "server")
                .text("dNSHostName", &controller.fqdn)
                .text("serverReference", format!("CN={name},{controllers}"));
            maker.add(draft);
            maker.container("NTDS Settings", &format!("CN={name},{servers}"), "nTDSDSA");
        }
    }

    let partitions = maker.container("Partitions", &configuration, "crossRefContainer");
    let domain = maker.names.domain.clone();
    for (name, context) in [
        (net_bios(world.domain()), &domain),
        ("Enterprise Configuration".to_owned(), &configuration),
        ("Enterprise Schema".to_owned(), &schema),
    ] {
        let is_domain = *context == domain;
        let draft = maker
            .object(&name, &partitions, "crossRef")
            .text("nCName", context)
            .text("dnsRoot", world.domain())
            .put("nETBIOSName", is_domain.then(|| net_bios(world.domain())));
        maker.add(draft);
    }
}
