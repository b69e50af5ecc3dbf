//! A lab that listens: where, for whom, and what to try.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use exseal_lab::connect_file::net_bios;
use exseal_lab::inventory::Assumed;
use exseal_lab::net::{Address, Side};
use exseal_lab::organisation::{Organisation, Role};
use exseal_lab::world::World;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::view::paint::{BOLD, DIM, styled, wrapped};

/// Stand-ins that are listed on the screen; the file has them all.
const SHOWN: usize = 20;

/// A lab that listens.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Started {
    /// Its name, for `exseal lab do --lab`.
    name: String,
    /// Its process.
    process: u32,
    /// Its clock.
    now: String,
    /// What is wrong in it, when it is a story.
    story: Option<String>,
    /// The published name that leads to the balancer in front of the mailbox servers, or to the only one.
    namespace: Option<String>,
    /// Its servers.
    servers: Vec<LabServer>,
    /// Its domain controllers: LDAP and LDAPS, each with the view of its site.
    controllers: Vec<LabController>,
    /// Who may log on. These passwords open nothing but this lab.
    users: Vec<LabUser>,
    /// Certificates of the organisation file that were issued again with keys of the lab.
    stand_ins: Vec<LabStandIn>,
    /// The file with that map, beside the connect.toml; it goes with it.
    stand_ins_file: Option<String>,
    /// Of an inventory: what nobody saw, and what it is in this lab.
    assumed: Vec<LabAssumed>,
    /// Of an inventory: what was seen and this lab does not show.
    left_out: Vec<String>,
    /// The connect.toml that was written; it goes when the lab ends.
    connect_file: String,
    /// What a person may try.
    r#try: Vec<String>,
}

/// A server.
#[derive(Debug, Serialize, JsonSchema)]
struct LabServer {
    /// NetBIOS name.
    name: String,
    /// Fully qualified name.
    fqdn: String,
    /// `mailbox` or `edge`.
    role: &'static str,
    /// Where it is seen from the network.
    address: Option<IpAddr>,
    /// Exchange's ports, and where they are here.
    ports: Vec<LabPort>,
    /// What stands for its own 127.0.0.1.
    own_loopback: Option<IpAddr>,
    /// The ports there.
    own_loopback_ports: Vec<LabPort>,
}

/// A domain controller.
#[derive(Debug, Serialize, JsonSchema)]
struct LabController {
    /// NetBIOS name.
    name: String,
    /// Fully qualified name.
    fqdn: String,
    /// The site whose view it has.
    site: String,
    /// Where it is.
    address: Option<IpAddr>,
    /// 389 and 636, and where they are here.
    ports: Vec<LabPort>,
}

/// A port.
#[derive(Debug, Serialize, JsonSchema)]
struct LabPort {
    /// The port Exchange has.
    port: u16,
    /// Where it is here.
    at: u16,
}

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
struct LabUser {
    /// `DOMAIN\name`.
    name: String,
    /// The password, which opens nothing else.
    password: String,
    /// Role groups.
    groups: Vec<String>,
}

/// An original and its stand-in.
#[derive(Debug, Serialize, JsonSchema)]
struct LabStandIn {
    /// Thumbprint of the original.
    original: String,
    /// Thumbprint of the stand-in.
    stand_in: String,
}

/// What nobody saw.
#[derive(Debug, Serialize, JsonSchema)]
struct LabAssumed {
    /// A server's name, or `organisation`.
    of: String,
    /// What of it.
    what: String,
    /// What it is in this lab.
    taken: String,
}

impl Started {
    /// The same, made of an inventory.
    pub(crate) fn with_inventory(self, assumed: &[Assumed], left_out: &[String], stand_ins: &Path) -> Self {
        Self {
            stand_ins_file: Some(stand_ins.display().to_string()),
            assumed: assumed
                .iter()
                .map(|own| LabAssumed {
                    of: own.of.clone(),
                    what: own.what.clone(),
                    taken: own.taken.clone(),
                })
                .collect(),
            left_out: left_out.to_vec(),
            ..self
        }
    }

    pub(crate) fn new(
        name: String,
        organisation: &Organisation,
        world: &World,
        addresses: &[Address],
        connect_file: &Path,
    ) -> Self {
        let servers = world
            .servers()
            .map(|server| {
                let side = |side| {
                    let own = || {
                        addresses
                            .iter()
                            .filter(move |own| own.server == server.name && own.side == side)
                    };
                    let ports = own()
                        .map(|own| LabPort {
                            port: own.port,
                            at: own.socket.port(),
                        })
                        .collect();
                    (own().next().map(|own| own.socket.ip()), ports)
                };
                let (address, ports) = side(Side::Outside);
                let (own_loopback, own_loopback_ports) = side(Side::OwnLoopback);
                LabServer {
                    name: server.name.to_string(),
                    fqdn: server.fqdn.clone(),
                    role: match server.role {
                        Role::Mailbox => "mailbox",
                        Role::Edge => "edge",
                    },
                    address,
                    ports,
                    own_loopback,
                    own_loopback_ports,
                }
            })
            .collect();
        let controllers = world
            .controllers()
            .iter()
            .map(|controller| {
                let own = || addresses.iter().filter(|own| own.server == controller.name);
                LabController {
                    name: controller.name.to_string(),
                    fqdn: controller.fqdn.clone(),
                    site: world
                        .sites()
                        .get(controller.site)
                        .map_or_else(String::new, |site| site.name.clone()),
                    address: own().next().map(|own| own.socket.ip()),
                    ports: own()
                        .map(|own| LabPort {
                            port: own.port,
                            at: own.socket.port(),
                        })
                        .collect(),
                }
            })
            .collect();
        let domain = net_bios(world.domain());
        Self {
            name,
            process: std::process::id(),
            now: world.now().to_string(),
            story: organisation.story.as_ref().map(|story| story.title.clone()),
            namespace: world.namespace().map(str::to_owned),
            servers,
            controllers,
            users: world
                .users()
                .iter()
                .map(|user| LabUser {
                    name: format!("{domain}\\{}", user.name),
                    password: user.password.clone(),
                    groups: user.groups.clone(),
                })
                .collect(),
            stand_ins: world
                .stand_ins()
                .iter()
                .map(|pair| LabStandIn {
                    original: pair.original.to_string(),
                    stand_in: pair.stand_in.to_string(),
                })
                .collect(),
            stand_ins_file: None,
            assumed: Vec::new(),
            left_out: Vec::new(),
            connect_file: connect_file.display().to_string(),
            r#try: organisation
                .story
                .as_ref()
                .map(|story| story.tries.clone())
                .unwrap_or_default(),
        }
    }
}

pub(crate) fn text(lab: &Started, context: &Context) -> String {
    let mut out = String::new();
    let mut line =
        |text: &str, first: &str, then: &str| out.push_str(&wrapped(text, first, then, context.width));
    line(
        &format!(
            "{} is a simulation; nothing of it is Exchange. Its clock says {}.",
            styled(BOLD, &lab.name),
            lab.now
        ),
        "",
        "  ",
    );
    if let Some(story) = &lab.story {
        line(&format!("what is wrong: {story}"), "", "  ");
    }
    for server in &lab.servers {
        let address = server
            .address
            .map_or_else(|| "unreachable".to_owned(), |address| address.to_string());
        let own = server
            .own_loopback
            .map(|own| format!("; its own 127.0.0.1 is {own}"))
            .unwrap_or_default();
        line(
            &format!(
                "{} ({}) at {address}{own}",
                styled(BOLD, &server.fqdn),
                server.role
            ),
            "",
            "  ",
        );
        line(&styled(DIM, &ports(&server.ports)), "  ", "  ");
    }
    for controller in &lab.controllers {
        let address = controller
            .address
            .map_or_else(|| "unreachable".to_owned(), |address| address.to_string());
        line(
            &format!(
                "{} (domain controller of {}) at {address}",
                styled(BOLD, &controller.fqdn),
                controller.site
            ),
            "",
            "  ",
        );
        line(&styled(DIM, &ports(&controller.ports)), "  ", "  ");
    }
    for user in &lab.users {
        line(
            &format!(
                "user {}, password {} ({})",
                user.name,
                user.password,
                user.groups.join(", ")
            ),
            "",
            "  ",
        );
    }
    if !lab.stand_ins.is_empty() {
        line(
            &format!(
                "{} certificates have stand-ins with keys of the lab{}:",
                lab.stand_ins.len(),
                lab.stand_ins_file
                    .as_ref()
                    .map(|file| format!("; the map is in {file}"))
                    .unwrap_or_default()
            ),
            "",
            "  ",
        );
        for pair in lab.stand_ins.iter().take(SHOWN) {
            line(
                &format!("{} stands for {}", pair.stand_in, pair.original),
                "  ",
                "    ",
            );
        }
    }
    out.push_str(&of_inventory(lab, context));
    out.push_str("try:\n");
    for own in &lab.r#try {
        out.push_str(&wrapped(own, "  ", "    ", context.width));
    }
    if let Some(server) = lab.servers.iter().find(|server| server.role == "mailbox") {
        let _ = writeln!(
            out,
            "  exseal probe {} --connect {}",
            server.fqdn, lab.connect_file
        );
        if let (Some(address), Some(port)) = (server.address, server.ports.iter().find(|own| own.port == 443))
        {
            let _ = writeln!(
                out,
                "  openssl s_client -connect {address}:{} -servername {}",
                port.at, server.fqdn
            );
        }
    }
    out.push_str("  exseal lab do advance 400d\nCtrl-C ends it\n");
    out
}

/// What of an inventory was assumed and what was left out; what is the same of several servers stands once.
fn of_inventory(lab: &Started, context: &Context) -> String {
    let mut out = String::new();
    if !lab.assumed.is_empty() {
        out.push_str("assumed, because nobody saw it:\n");
        let mut told: Vec<((&str, &str), Vec<&str>)> = Vec::new();
        for own in &lab.assumed {
            let what = (own.what.as_str(), own.taken.as_str());
            match told.iter_mut().find(|(known, _)| *known == what) {
                Some((_, of)) => of.push(&own.of),
                None => told.push((what, vec![&own.of])),
            }
        }
        for ((what, taken), of) in told {
            let line = format!("{}: {what}: {taken}", of.join(", "));
            out.push_str(&wrapped(&line, "  ", "    ", context.width));
        }
    }
    if !lab.left_out.is_empty() {
        out.push_str("not in this lab:\n");
        for own in &lab.left_out {
            out.push_str(&wrapped(own, "  ", "    ", context.width));
        }
    }
    out
}

/// `25 443 444`, or `25→40001 443→40002` where they are elsewhere.
fn ports(ports: &[LabPort]) -> String {
    let words: Vec<String> = ports
        .iter()
        .map(|LabPort { port, at: to }| {
            if port == to {
                port.to_string()
            } else {
                format!("{port}→{to}")
            }
        })
        .collect();
    format!("ports {}", words.join(" "))
}
