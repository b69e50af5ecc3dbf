//! What is asked of one server, channel by channel.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use exseal_exchange::live::{self, Asked, Bounds, Door, Read, Shut, Visit};
use exseal_exchange::session::LocalPowerShell;
use exseal_model::inventory::ServerName;
use exseal_model::{Channel, Inventory, Observed, SourceId};

use super::host::Host;
use super::{Looking, way_in};
use crate::command_error::CommandError;

/// How often a password was refused. One that is wrong, sent to every server, would lock the account.
#[derive(Default)]
pub(super) struct Refusals {
    count: AtomicUsize,
    accepted: AtomicBool,
}

impl Refusals {
    /// So many refusals without one acceptance are enough.
    const ENOUGH: usize = 2;

    fn are_enough(&self) -> bool {
        !self.accepted.load(Ordering::Relaxed) && self.count.load(Ordering::Relaxed) >= Self::ENOUGH
    }

    fn note(&self, opened: &Result<Visit, Shut>) {
        match opened {
            Ok(_) => self.accepted.store(true, Ordering::Relaxed),
            Err(shut) if shut.refused => {
                self.count.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
    }
}

impl Looking {
    /// Asks the servers that were named, one after the other, which servers there are.
    pub(super) async fn ask_for_servers(&self) -> Result<Vec<Inventory>, CommandError> {
        let mut seen = Vec::new();
        for name in self.named() {
            let host = Host::named(&name, self.visitor.connect());
            let endpoint = self.visitor.endpoint(Door::Exchange, &host.full);
            let address = endpoint.url();
            self.tell(&format!("{address}: asking for servers …"));
            let opened = Visit::open(endpoint, self.bounds_of_visit()).await;
            self.refusals.note(&opened);
            match opened {
                Ok(mut visit) => {
                    let asked = Asked {
                        address: &address,
                        at: self.at,
                    };
                    let read = live::servers(&mut visit, asked).await;
                    visit.close().await;
                    let found = !read.inventory.servers.is_empty();
                    seen.push(read.inventory);
                    if found {
                        break;
                    }
                }
                // Asked again when it is visited, and its way in is told then.
                Err(shut) if self.refusals.are_enough() => {
                    return Err(CommandError::fixable(format!("{address}: {}", shut.why)).hint(
                        "no other server was asked: an account may be locked after several wrong passwords",
                    ));
                }
                Err(shut) => tracing::debug!(server = host.full, why = shut.why, "No list of servers"),
            }
        }
        Ok(seen)
    }

    /// Visits one server over every channel, side by side, and says of each whether it answered.
    pub(super) async fn visit(&self, host: &Host) -> Vec<Inventory> {
        if host.is_left_alone {
            return Vec::new();
        }
        let (exchange, server, wire) =
            tokio::join!(self.by_exchange(host), self.by_server(host), self.by_wire(host));
        [exchange, server, wire].concat()
    }

    async fn by_exchange(&self, host: &Host) -> Vec<Inventory> {
        if !self.args.uses(Channel::Exchange) || host.edge {
            return Vec::new();
        }
        let endpoint = self.visitor.endpoint(Door::Exchange, &host.full);
        let address = endpoint.url();
        let mut visit = match self.open(endpoint).await {
            Ok(visit) => visit,
            Err(why) => return vec![self.told(host, Channel::Exchange, &address, 0, Some(&why))],
        };
        let asked = Asked {
            address: &address,
            at: self.at,
        };
        let Read {
            inventory,
            broken,
            answered,
        } = live::server(&mut visit, asked, &host.name, host.edge).await;
        visit.close().await;
        vec![
            inventory,
            self.told(host, Channel::Exchange, &address, answered, broken.as_deref()),
        ]
    }

    /// Asks what belongs to the organisation as a whole of the first server, in their order, whose Exchange shell was
    /// open: always the same one, so that two looks give the same inventory.
    pub(super) async fn ask_organisation(&self, hosts: &[Host], seen: &[Inventory]) -> Option<Inventory> {
        let is_open = |host: &&Host| {
            seen.iter()
                .filter_map(|inventory| inventory.server(&host.name))
                .flat_map(|server| &server.ways_in)
                .any(|way| way.channel == Channel::Exchange && way.open.value() == Some(&true))
        };
        for host in hosts.iter().filter(is_open) {
            let endpoint = self.visitor.endpoint(Door::Exchange, &host.full);
            let address = endpoint.url();
            let Ok(mut visit) = self.open(endpoint).await else {
                continue;
            };
            let asked = Asked {
                address: &address,
                at: self.at,
            };
            let read = live::organisation(&mut visit, asked).await;
            visit.close().await;
            if read.answered > 0 {
                return Some(read.inventory);
            }
        }
        None
    }

    async fn by_server(&self, host: &Host) -> Vec<Inventory> {
        if !self.args.uses(Channel::Server) {
            return Vec::new();
        }
        let is_here = self
            .here
            .as_deref()
            .is_some_and(|here| here.eq_ignore_ascii_case(&host.full));
        let (opened, address) = if is_here {
            let local = LocalPowerShell::default();
            let address = local.program.clone();
            let bounds = self.bounds_of_visit();
            (
                Visit::local(&local, bounds).await.map_err(|shut| shut.why),
                address,
            )
        } else {
            let endpoint = self.visitor.endpoint(Door::Server, &host.full);
            let address = endpoint.url();
            (self.open(endpoint).await, address)
        };
        let mut visit = match opened {
            Ok(visit) => visit,
            Err(why) => return vec![self.told(host, Channel::Server, &address, 0, Some(&why))],
        };
        let asked = Asked {
            address: &address,
            at: self.at,
        };
        let Read {
            inventory,
            broken,
            answered,
        } = live::helper(&mut visit, asked, &host.full).await;
        visit.close().await;
        vec![
            inventory,
            self.told(host, Channel::Server, &address, answered, broken.as_deref()),
        ]
    }

    /// Opens a session, unless the password was refused often enough.
    async fn open(&self, endpoint: exseal_exchange::session::Endpoint) -> Result<Visit, String> {
        if self.refusals.are_enough() {
            return Err("not asked: the password was refused elsewhere".to_owned());
        }
        let bounds: Bounds = self.bounds_of_visit();
        let opened = Visit::open(endpoint, bounds).await;
        self.refusals.note(&opened);
        opened.map_err(|shut| shut.why)
    }

    /// How a channel ended: open with what it did not tell, dead if it told nothing.
    pub(super) fn told(
        &self,
        host: &Host,
        channel: Channel,
        address: &str,
        answered: usize,
        why: Option<&str>,
    ) -> Inventory {
        let name = ServerName::Known(host.name.clone());
        let mut told = way_in(Some(&name), channel, address, (answered > 0, why), self.at);
        // A server nobody listed is known by the name it was asked under.
        if host.full.contains('.') {
            let server = told.server_mut(&name);
            server.fqdn = Observed::seen(host.full.clone(), SourceId(0));
        }
        told
    }
}
