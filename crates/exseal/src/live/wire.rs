//! What clients are shown: every server's ports, and the names in front of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use exseal_engine::Policy;
use exseal_model::inventory::{Server, VirtualDirectory};
use exseal_model::{Channel, Inventory};
use exseal_probe::{Names, Options, Outcome, Override, PortRole, Roots, Sighting, Target};
use tokio::time::Instant;

use super::Looking;
use super::host::Host;

impl Looking {
    /// Looks at the ports of a server.
    pub(super) async fn by_wire(&self, host: &Host) -> Vec<Inventory> {
        if !self.args.uses(Channel::Wire) {
            return Vec::new();
        }
        let role = if host.edge {
            PortRole::Edge
        } else {
            PortRole::Mailbox
        };
        let targets = exseal_probe::ports(role)
            .iter()
            .map(|&(port, protocol)| Target::new(host.full.clone(), port).by(protocol))
            .collect();
        let (sightings, finished) = self.look_at(targets).await;
        let answered = sightings
            .iter()
            .filter(|sighting| matches!(sighting.outcome, Outcome::Presented | Outcome::NotOffered { .. }))
            .count();
        let why = match (answered, finished) {
            (_, false) => Some("not finished within the time it was given".to_owned()),
            (0, true) => sightings
                .first()
                .map(|sighting| format!("no port answered: {}", sighting.outcome)),
            (_, true) => None,
        };
        let told = self.told(host, Channel::Wire, &host.full, answered, why.as_deref());
        vec![exseal_probe::inventory(&sightings, &Names::default(), ""), told]
    }

    /// Looks at the names clients are told that are no server's own.
    pub(super) async fn ask_names(&self, seen: &[Inventory]) -> Option<Inventory> {
        if !self.args.uses(Channel::Wire) {
            return None;
        }
        let servers: Vec<&Server> = seen.iter().flat_map(|inventory| &inventory.servers).collect();
        let directories = servers.iter().flat_map(|server| &server.virtual_directories);
        let names: BTreeSet<String> = directories
            .flat_map(hosts_of)
            .filter(|name| !servers.iter().any(|server| server.is_called(name)))
            .collect();
        if names.is_empty() {
            return None;
        }
        let targets = names.into_iter().map(|name| Target::new(name, 443)).collect();
        let (sightings, _) = self.look_at(targets).await;
        Some(exseal_probe::inventory(&sightings, &Names::default(), ""))
    }

    /// Looks at targets until the end of the time; false: some were not looked at.
    pub(super) async fn look_at(&self, targets: Vec<Target>) -> (Vec<Sighting>, bool) {
        let options = self.options(&targets);
        let count = targets.len();
        let mut found: Vec<(usize, Sighting)> = Vec::with_capacity(count);
        let looking =
            exseal_probe::probe_each(targets, options, Policy::default(), self.at, |at, sighting| {
                found.push((at, sighting));
            });
        tokio::select! {
            () = looking => {}
            () = tokio::time::sleep_until(self.bounds.until.max(Instant::now())) => {}
            () = self.bounds.stop.cancelled() => {}
        }
        found.sort_by_key(|(at, _)| *at);
        let finished = found.len() >= count;
        (
            found.into_iter().map(|(_, sighting)| sighting).collect(),
            finished,
        )
    }

    fn options(&self, targets: &[Target]) -> Options {
        let connect = self.visitor.connect();
        let mut options = Options::default();
        let (roots, problems) = Roots::of_system_and(&connect.roots);
        for problem in problems {
            tracing::debug!(problem, "A root cannot be read");
        }
        options.roots = Some(roots);
        for target in targets {
            let (address, port) = connect.to(&target.host, target.port);
            if let Ok(address) = address.parse::<IpAddr>() {
                let place = Override::Socket(SocketAddr::new(address, port));
                options
                    .overrides
                    .insert(format!("{}:{}", target.host, target.port), place);
            }
        }
        options
    }
}

/// The host names a directory tells clients, in lower case; the shell's own directory tells none.
fn hosts_of(directory: &VirtualDirectory) -> Vec<String> {
    if directory.kind.value().is_some_and(|kind| kind == "powershell") {
        return Vec::new();
    }
    let urls = [&directory.internal_url, &directory.external_url]
        .into_iter()
        .filter_map(|url| url.value())
        .filter_map(|url| url.split_once("://"))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
        .filter_map(|(_, rest)| rest.split(['/', ':', '?', '#']).next());
    let hosts = [&directory.internal_host, &directory.external_host]
        .into_iter()
        .filter_map(|host| host.value())
        .map(String::as_str);
    urls.chain(hosts)
        .filter(|host| !host.is_empty())
        .map(str::to_lowercase)
        .collect()
}
