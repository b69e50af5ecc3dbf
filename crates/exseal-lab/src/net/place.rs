//! Which server's which port a socket stands for, and what is spoken there.

use std::net::SocketAddr;

use crate::world::{Server, ServerName};

/// From where a server is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// From the network.
    Outside,
    /// The server's own 127.0.0.1: the ports of IIS only.
    OwnLoopback,
}

/// A socket and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Server.
    pub server: ServerName,
    /// Side.
    pub side: Side,
    /// The port Exchange has.
    pub port: u16,
    /// Where it is here.
    pub socket: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) server: ServerName,
    pub(crate) side: Side,
    pub(crate) port: u16,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Web {
        back_end: bool,
        tls: bool,
    },
    Smtp,
    Pop {
        implicit: bool,
    },
    Imap {
        implicit: bool,
    },
    Adam {
        tls: bool,
    },
    WinRm {
        tls: bool,
    },
    /// The name in front of the servers.
    Balancer,
    /// A domain controller.
    Ldap {
        tls: bool,
    },
}

pub(crate) fn kind(server: &Server, port: u16) -> Kind {
    match port {
        110 => return Kind::Pop { implicit: false },
        995 | 1995 => return Kind::Pop { implicit: true },
        143 => return Kind::Imap { implicit: false },
        993 | 1993 => return Kind::Imap { implicit: true },
        50636 => return Kind::Adam { tls: true },
        50389 => return Kind::Adam { tls: false },
        5985 => return Kind::WinRm { tls: false },
        5986 => return Kind::WinRm { tls: true },
        _ => {}
    }
    for site in server.web_sites.iter().filter(|site| site.started) {
        for binding in &site.bindings {
            let own = binding
                .information
                .rsplit(':')
                .nth(1)
                .and_then(|text| text.parse::<u16>().ok());
            if own == Some(port) && binding.protocol.starts_with("http") {
                return Kind::Web {
                    back_end: site.id == 2,
                    tls: binding.protocol.eq_ignore_ascii_case("https"),
                };
            }
        }
    }
    Kind::Smtp
}
