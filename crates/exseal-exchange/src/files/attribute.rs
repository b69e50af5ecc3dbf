//! Which server the values of a file belong to that does not name one.
//!
//! In this order: the one server the file itself names; what the person said; the nearest scope (folder, its parents, the
//! ZIP, the files given one by one) in which the files name exactly one server, or whose own name is that of a server
//! named anywhere; the folder's or ZIP's own name where no file names a server; else the server is unknown.
//!
//! In a layout of one folder a server (`EX1/…`, `EX2/…`) what lies in `EX2` says nothing about whose the files in `EX1` are.

use std::collections::{BTreeMap, BTreeSet};

use exseal_model::Merge as _;
use exseal_model::inventory::{Server, ServerName, first_label};

use super::json::INVENTORY;
use super::{FileReading, walk::Scope};

/// The servers that the files of a scope name.
#[derive(Default)]
struct Named {
    /// By any file in it, also in folders within it.
    anywhere: Vec<String>,
    /// The same without those that lie in a folder of that server's name.
    loosely: Vec<String>,
}

pub(super) fn attribute(files: &mut [FileReading]) {
    let mut scopes: BTreeMap<&Scope, Named> = BTreeMap::new();
    let mut servers: Vec<String> = Vec::new();
    for file in files.iter() {
        let named: Vec<&str> = known(file).collect();
        for name in &named {
            note(&mut servers, name);
        }
        // A list of all servers (Get-ExchangeServer) says nothing about whose the other files are.
        let [name] = named.as_slice() else { continue };
        let mut loose = true;
        for scope in &file.scopes {
            let entry = scopes.entry(scope).or_default();
            note(&mut entry.anywhere, name);
            if scope.name.as_deref().is_some_and(|own| same(own, name)) {
                loose = false;
            }
            if loose {
                note(&mut entry.loosely, name);
            }
        }
    }
    let decided: Vec<Decision> = files.iter().map(|file| decide(file, &scopes, &servers)).collect();
    let fallback = fallback(files, &decided);
    for (file, decision) in files.iter_mut().zip(decided) {
        let name = match decision {
            Decision::Server(name) => ServerName::Known(name),
            Decision::Leave => continue,
            Decision::Folder => match file.scopes.first().and_then(|scope| fallback.get(scope)) {
                Some(name) => name.clone(),
                None => continue,
            },
        };
        rename(&mut file.inventory.servers, &name);
    }
}

enum Decision {
    Server(String),
    /// Nothing to decide, or nothing to decide by.
    Leave,
    /// By the folder's own name, if it has one of its own.
    Folder,
}

fn known(file: &FileReading) -> impl Iterator<Item = &str> {
    file.inventory
        .servers
        .iter()
        .filter_map(|server| server.name.known())
}

fn decide(file: &FileReading, scopes: &BTreeMap<&Scope, Named>, servers: &[String]) -> Decision {
    let nameless = file
        .inventory
        .servers
        .iter()
        .any(|server| server.name.known().is_none());
    // In an inventory the question was asked before, and the answer was that nobody knows.
    if !nameless || file.holds.as_deref() == Some(INVENTORY) {
        return Decision::Leave;
    }
    if let Ok([name]) = <[&str; 1]>::try_from(known(file).collect::<Vec<_>>()) {
        return Decision::Server(name.to_owned());
    }
    if let Some(said) = &file.said {
        return Decision::Server(said.clone());
    }
    for (level, scope) in file.scopes.iter().enumerate() {
        let named = scopes.get(scope);
        let names = named.map_or(&[][..], |named| match level {
            0 => &named.anywhere,
            _ => &named.loosely,
        });
        if let [one] = names {
            return Decision::Server(one.clone());
        }
        let own = scope.name.as_deref();
        if let Some(own) = own.and_then(|own| servers.iter().find(|server| same(server, own))) {
            return Decision::Server(own.clone());
        }
        if !names.is_empty() {
            return Decision::Leave;
        }
    }
    Decision::Folder
}

/// The names of the folders that stand for servers. Two folders of one name (`a/iis`, `b/iis`) are two servers: they are
/// called by the folders around them, and are unknown where that does not tell them apart.
fn fallback(files: &[FileReading], decided: &[Decision]) -> BTreeMap<Scope, ServerName> {
    let chains: BTreeMap<&Scope, &[Scope]> = files
        .iter()
        .zip(decided)
        .filter(|(_, decision)| matches!(decision, Decision::Folder))
        .filter_map(|(file, _)| Some((file.scopes.first()?, file.scopes.as_slice())))
        .filter(|(scope, _)| scope.name.is_some())
        .collect();
    let mut levels: BTreeMap<&Scope, usize> = chains.keys().map(|scope| (*scope, 0)).collect();
    let name_at = |scope: &Scope, level: usize| {
        chains
            .get(scope)
            .and_then(|chain| chain.get(level))
            .and_then(|scope| scope.name.clone())
    };
    loop {
        let mut owners: BTreeMap<String, Vec<&Scope>> = BTreeMap::new();
        for (scope, level) in &levels {
            if let Some(name) = name_at(scope, *level) {
                owners.entry(name.to_lowercase()).or_default().push(scope);
            }
        }
        let shared: BTreeSet<&Scope> = owners
            .into_values()
            .filter(|scopes| scopes.len() > 1)
            .flatten()
            .collect();
        if shared.is_empty() {
            break;
        }
        for scope in shared {
            if let Some(level) = levels.get_mut(scope) {
                *level += 1;
            }
        }
    }
    levels
        .iter()
        .map(|(scope, level)| {
            let name = name_at(scope, *level)
                .map_or_else(|| ServerName::Unknown(scope.path.clone()), ServerName::Known);
            ((*scope).clone(), name)
        })
        .collect()
}

/// Gives the nameless server its name, and makes one of it and the server of that name.
fn rename(servers: &mut Vec<Server>, name: &ServerName) {
    let Some(at) = servers.iter().position(|server| server.name.known().is_none()) else {
        return;
    };
    let Some(mut nameless) = servers.get(at).cloned() else {
        return;
    };
    let before = format!("{}\\", nameless.name);
    for directory in &mut nameless.virtual_directories.items {
        if let Some(own) = directory.identity.strip_prefix(&before) {
            directory.identity = format!("{name}\\{own}");
        }
    }
    nameless.name = name.clone();
    match servers.iter().position(|server| server.name == *name) {
        Some(known) => {
            servers[known].merge(nameless);
            servers.remove(at);
        }
        None => servers[at] = nameless,
    }
}

fn note(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|own| same(own, name)) {
        names.push(name.to_owned());
    }
}

/// Whether two names mean one server: equal, or one the first label of the other.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (one.contains('.') != other.contains('.')
            && first_label(one).eq_ignore_ascii_case(first_label(other)))
}
