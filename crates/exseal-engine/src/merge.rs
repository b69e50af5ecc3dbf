//! Many small inventories become one.

use std::collections::{BTreeMap, BTreeSet};

use exseal_model::inventory::{Server, ServerName, first_label};
use exseal_model::{Inventory, Keyed as _, Merge as _, Source, SourceId};

/// Merges what several channels or files saw into one inventory.
///
/// Pure and independent of order: permuting the input changes nothing, merging the result again changes nothing. Sources
/// are put in the order of trust, so that the first sighting of every value is the most trusted one; what disagrees is
/// kept. A server named by its NetBIOS name joins the one server whose FQDN begins with it; where two do, it stays by itself.
/// Linear in the size of the input but for sorting.
#[must_use]
pub fn merge(inventories: impl IntoIterator<Item = Inventory>) -> Inventory {
    let inventories: Vec<Inventory> = inventories.into_iter().collect();
    let sources: BTreeSet<Source> = inventories
        .iter()
        .flat_map(|one| one.sources.iter().cloned())
        .collect();
    let sources: Vec<Source> = sources.into_iter().collect();
    let places: BTreeMap<&Source, SourceId> = sources
        .iter()
        .zip(0_u32..)
        .map(|(source, at)| (source, SourceId(at)))
        .collect();

    let mut merged = Inventory::default();
    let mut servers: BTreeMap<ServerName, Server> = BTreeMap::new();
    for mut one in inventories {
        let renamed: Vec<SourceId> = one
            .sources
            .iter()
            .map(|source| places.get(source).copied().unwrap_or(SourceId(u32::MAX)))
            .collect();
        one.map_sources(&|id| {
            let at = usize::try_from(id.0).unwrap_or(usize::MAX);
            renamed.get(at).copied().unwrap_or(SourceId(u32::MAX))
        });
        merged.organisation.merge(one.organisation);
        merged.certificates.extend(one.certificates);
        merged.of_unknown_use.extend(one.of_unknown_use);
        merged.not_recognised.extend(one.not_recognised);
        merged.errors.extend(one.errors);
        for server in one.servers {
            join(&mut servers, server);
        }
    }
    merged.servers = by_full_name(servers).into_values().collect();
    for server in &mut merged.servers {
        settle(server);
    }
    // An empty merge puts lists of the organisation into the order of their keys as well.
    merged
        .organisation
        .merge(exseal_model::inventory::Organisation::new());
    sort_all(&mut merged);
    merged.sources = sources;
    merged
}

fn sort_all(merged: &mut Inventory) {
    fn settle<T: Ord>(items: &mut Vec<T>) {
        items.sort();
        items.dedup();
    }
    settle(&mut merged.of_unknown_use);
    settle(&mut merged.not_recognised);
    settle(&mut merged.errors);
}

fn join(servers: &mut BTreeMap<ServerName, Server>, server: Server) {
    match servers.get_mut(&server.name) {
        Some(own) => merge_server(own, server),
        None => {
            servers.insert(server.name.clone(), server);
        }
    }
}

/// Merges two looks at one server; the spelling that sorts first stays, so that order does not matter.
fn merge_server(own: &mut Server, other: Server) {
    if let (Some(mine), Some(theirs)) = (own.name.known(), other.name.known())
        && theirs < mine
    {
        own.name = other.name.clone();
    }
    own.merge(other);
}

/// Joins NetBIOS names to the one FQDN that begins with them.
fn by_full_name(servers: BTreeMap<ServerName, Server>) -> BTreeMap<ServerName, Server> {
    // Which full names there are for a first label, by what servers are called and by what they say of themselves.
    let mut full: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for server in servers.values() {
        let names = server
            .fqdn
            .sightings()
            .iter()
            .filter_map(|sighting| sighting.value.as_deref());
        for name in names.chain(server.name.known().filter(|name| name.contains('.'))) {
            full.entry(first_label(name).to_lowercase())
                .or_default()
                .insert(name.to_lowercase());
        }
    }
    let mut joined: BTreeMap<ServerName, Server> = BTreeMap::new();
    let mut names: BTreeMap<String, ServerName> = BTreeMap::new();
    for (name, server) in servers {
        let Some(known) = name.known() else {
            joined.insert(name, server);
            continue;
        };
        let label = first_label(known).to_lowercase();
        let one = full.get(&label).filter(|names| names.len() == 1);
        let identity = match (server.full_name(), one) {
            (Some(own), _) => own.to_lowercase(),
            (None, Some(names)) => names.iter().next().cloned().unwrap_or_default(),
            (None, None) => known.to_lowercase(),
        };
        match names.get(&identity).cloned() {
            None => {
                names.insert(identity, name.clone());
                joined.insert(name, server);
            }
            Some(first) => {
                let Some(mut own) = joined.remove(&first) else {
                    continue;
                };
                // The short name is the one people say; the full one stands in `fqdn`.
                let shorter = match (first.known(), name.known()) {
                    (Some(one), Some(other)) if other.len() < one.len() => name.clone(),
                    _ => first,
                };
                own.merge(server);
                own.name = shorter.clone();
                names.insert(identity, shorter.clone());
                joined.insert(shorter, own);
            }
        }
    }
    joined
}

/// Brings a server's lists into the order of their keys.
fn settle(server: &mut Server) {
    let name = server.name.clone();
    server.merge(Server::new(name));
    let _ = server.key();
}
