//! Get-ExchangeCertificate.

use super::super::run::{Run, Stop};
use super::{named, show};
use crate::certificate::Thumbprint;
use crate::organisation::StoreName;
use crate::world::{Server, ServerName, Stored, World, choose};

/// What a server lists, newest NotBefore first: My as far as there is a key, and pending requests.
pub(super) fn listed(server: &Server) -> Vec<Stored> {
    let my = server
        .store(StoreName::My)
        .iter()
        .filter(|stored| stored.key.is_some());
    let mut found: Vec<Stored> = my.chain(server.store(StoreName::Request)).cloned().collect();
    found.sort_by_key(|stored| std::cmp::Reverse(stored.certificate.not_before()));
    found
}

pub(super) fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    // A certificate given as an object is looked for by its thumbprint.
    let instance = run.text("Instance").map(str::to_owned);
    let asked = ["Thumbprint", "Identity"]
        .iter()
        .any(|name| run.text(name).is_some_and(|text| !text.trim().is_empty()))
        || instance.is_some();
    let Some(mut named) = named(run)? else {
        return Ok(());
    };
    if let Some(text) = instance {
        named.thumbprint = Thumbprint::parse(&text);
        named.text = text;
    }
    if !run.calls(&named.server)? {
        return Ok(());
    }
    let Some(server) = run.world.servers.get(&named.server) else {
        return Ok(());
    };
    let mut found = listed(server);
    if let Some(domains) = run.texts("DomainName").filter(|domains| !domains.is_empty()) {
        found = matching(run.world, server, found, domains);
    }
    // Nothing asked for is everything: $null and the empty text too.
    if asked {
        let one: Vec<Stored> = found
            .iter()
            .filter(|stored| Some(stored.certificate.thumbprint()) == named.thumbprint)
            .cloned()
            .collect();
        let by_identity = run.text("Identity").is_some();
        if one.is_empty() && !(by_identity && run.world.assumptions.absent_identity_returns_all) {
            return run.fail(&named.not_found());
        }
        if !one.is_empty() {
            found = one;
        }
    }
    write(run, &named.server, &found);
    Ok(())
}

fn write(run: &mut Run<'_>, target: &ServerName, found: &[Stored]) {
    for stored in found {
        if let Some(object) = show::shown(run, target, stored) {
            run.write(object);
        }
    }
}

/// Those that match a domain; the one that Exchange selects for a connector of that name comes first.
fn matching(world: &World, server: &Server, found: Vec<Stored>, domains: &[String]) -> Vec<Stored> {
    let mut kept: Vec<Stored> = found
        .into_iter()
        .filter(|stored| domains.iter().any(|domain| stored.certificate.covers(domain)))
        .collect();
    let first = domains.first().and_then(|domain| {
        choose(
            server,
            None,
            domain,
            world.assumptions.smtp_flag,
            world.clock_of(&server.name),
        )
    });
    if let Some(first) = first {
        kept.sort_by_key(|stored| stored.certificate.thumbprint() != first.thumbprint);
    }
    kept
}
