//! A place where something is presented, as a sentence names it.

use std::net::IpAddr;

use super::symptom::OUTSIDE;
use crate::certificate::Certificate;
use crate::world::{Listener, ServerName, SmtpVerb, World};

/// `SERVER:PORT`, `SERVER:IP:PORT`, with `/anonymous` or `@NAME` behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) server: ServerName,
    ip: IpAddr,
    port: u16,
    anonymous: bool,
    sni: Option<String>,
}

impl Place {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, sni) = match text.split_once('@') {
            Some((text, name)) => (text, Some(name.to_owned())),
            None => (text, None),
        };
        let (text, anonymous) = match text.strip_suffix("/anonymous") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (server, rest) = text.split_once(':')?;
        let (ip, port) = match rest.rsplit_once(':') {
            Some((ip, port)) => (ip.trim_matches(['[', ']']).parse().ok()?, port),
            None => (OUTSIDE, rest),
        };
        Some(Self {
            server: ServerName::new(server),
            ip,
            port: port.parse().ok()?,
            anonymous,
            sni,
        })
    }

    fn listener(&self) -> Listener {
        match self.port {
            443 | 444 => Listener::HttpsPort {
                ip: self.ip,
                port: self.port,
                sni: self.sni.clone(),
            },
            110 | 995 => Listener::Pop,
            143 | 993 => Listener::Imap,
            50636 => Listener::Adam,
            5986 => Listener::WinRm,
            port => Listener::Smtp {
                port,
                verb: if self.anonymous {
                    SmtpVerb::XAnonymousTls
                } else {
                    SmtpVerb::StartTls
                },
            },
        }
    }
}

/// What is presented there now; nothing leaves the event a real server logs.
pub(super) fn presented(world: &mut World, place: &Place) -> Option<Certificate> {
    let listener = place.listener();
    let found = world.certificate_for(&place.server, &listener);
    if found.is_none() && world.server(place.server.as_str()).is_some() {
        world.handshake_failed(&place.server, &listener);
    }
    Certificate::read(found?.chain.first()?).ok()
}
