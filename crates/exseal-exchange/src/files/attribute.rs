//! Which server the values of a file belong to that does not name one.
//!
//! The name inside the file wins; else what the person said; else the nearest scope (folder, its parents, the ZIP, the
//! files given one by one) in which the other files name exactly one server; else the folder's or ZIP's own name, unless
//! several servers are named in it; else the server is unknown.

use std::collections::BTreeMap;

use exseal_model::inventory::{ServerName, first_label};

use super::{FileReading, walk::Scope};

pub(super) fn attribute(files: &mut [FileReading]) {
    let mut named: BTreeMap<Scope, Vec<String>> = BTreeMap::new();
    for file in files.iter() {
        // A list of all servers (Get-ExchangeServer) says nothing about whose the other files are.
        let about: Vec<&str> = file
            .inventory
            .servers
            .iter()
            .filter_map(|server| server.name.known())
            .collect();
        let [name] = about.as_slice() else { continue };
        for scope in &file.scopes {
            let names = named.entry(scope.clone()).or_default();
            if !names.iter().any(|own| same(own, name)) {
                names.push((*name).to_owned());
            }
        }
    }
    for file in files.iter_mut() {
        let name = match &file.said {
            Some(said) => Some(said.clone()),
            None => from_scopes(&file.scopes, &named),
        };
        let Some(name) = name else { continue };
        for server in &mut file.inventory.servers {
            if server.name.known().is_none() {
                server.name = ServerName::Known(name.clone());
            }
        }
    }
}

fn from_scopes(scopes: &[Scope], named: &BTreeMap<Scope, Vec<String>>) -> Option<String> {
    for scope in scopes {
        match named.get(scope).map(Vec::as_slice) {
            Some([one]) => return Some(one.clone()),
            Some([_, _, ..]) => return None,
            Some([]) | None => {}
        }
    }
    scopes.first().and_then(|scope| scope.name.clone())
}

/// Whether two names mean one server: equal, or one the first label of the other.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (one.contains('.') != other.contains('.')
            && first_label(one).eq_ignore_ascii_case(first_label(other)))
}
