//! `netsh http show sslcert` in any language: labels are localised, values and their order are not.
//!
//! A block begins with an endpoint (`0.0.0.0:443`, `[::]:443`, `host:port`), then come the hash (40 hex digits or
//! `(null)`), the application id in braces and the store. Source: facts/exchange.md 3.

use exseal_model::inventory::HttpSysEntry;
use exseal_model::{Channel, Endpoint, Observed, SourceId, Thumbprint};

use super::Page;
use super::cmdlets::add;

/// Whether a text has what every output of the command has: an endpoint's line followed by a GUID in braces.
pub(super) fn looks_like(text: &str) -> bool {
    let mut endpoint = false;
    for line in text.lines().take(400) {
        let Some((_, value)) = split(line) else { continue };
        endpoint |= value.parse::<Endpoint>().is_ok() && value.contains(':');
        if endpoint && is_guid(value) {
            return true;
        }
    }
    false
}

pub(super) fn read(page: &mut Page, text: &str) {
    let source = page.source(Channel::Server, "netsh http show sslcert", true);
    let name = page.nameless();
    let mut block: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        let Some((label, value)) = split(line) else {
            continue;
        };
        if let Some(endpoint) = endpoint_of(label, value) {
            keep(page, &name, block.take(), source);
            block = Some(Block {
                endpoint,
                line: number + 1,
                values: Vec::new(),
            });
        } else if let Some(block) = &mut block {
            block.values.push((number + 1, value.to_owned()));
        }
    }
    keep(page, &name, block, source);
    // One entry may have been asked for by its endpoint; several are the table.
    let table = &mut page.inventory.server_mut(&name).http_sys;
    if table.items.len() == 1 {
        for look in &mut table.looks {
            look.complete = false;
        }
    }
}

struct Block {
    endpoint: Endpoint,
    line: usize,
    values: Vec<(usize, String)>,
}

/// Label and value of a line: the separator is a colon with a blank on both sides, since labels (`IP:port`) and values hold
/// colons too.
fn split(line: &str) -> Option<(&str, &str)> {
    let (label, value) = line
        .split_once(" : ")
        .or_else(|| line.trim_end().rsplit_once(": "))?;
    Some((label.trim(), value.trim()))
}

fn is_guid(value: &str) -> bool {
    value.len() == 38
        && value.starts_with('{')
        && value.ends_with('}')
        && value.chars().filter(char::is_ascii_hexdigit).count() == 32
}

/// The endpoint of a block's first line. `hostnameport` entries are recognised by a host where an address would be.
fn endpoint_of(label: &str, value: &str) -> Option<Endpoint> {
    // The block's first label always names a port after a colon (`IP:port`, `Hostname:port`, `IP:Port`); no other does.
    if !label.contains(':') && !value.starts_with('[') && !value.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (address, port) = value.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let ip = address.starts_with('[') || address.parse::<std::net::Ipv4Addr>().is_ok();
    if ip {
        format!("{address}:{port}").parse().ok()
    } else if address.contains('.') || label.contains(':') {
        Some(Endpoint {
            address: "*".to_owned(),
            port,
            host: address.to_ascii_lowercase(),
        })
    } else {
        None
    }
}

fn keep(page: &mut Page, name: &exseal_model::inventory::ServerName, block: Option<Block>, source: SourceId) {
    let Some(block) = block else { return };
    let mut entry = HttpSysEntry::new(block.endpoint);
    let guid = block.values.iter().position(|(_, value)| is_guid(value));
    let hash = block.values.first().filter(|_| guid != Some(0));
    entry.thumbprint = match hash {
        None => Observed::absent(source),
        Some((_, value)) if value.starts_with('(') || value.chars().all(|c| c == '0') => {
            Observed::absent(source)
        }
        Some((line, value)) => match value.parse::<Thumbprint>() {
            Ok(thumbprint) => Observed::seen(thumbprint, source),
            Err(error) => {
                page.error(
                    format!("line {line}"),
                    "a certificate hash of 40 hex digits",
                    error.to_string(),
                );
                Observed::unknown("the hash could not be read")
            }
        },
    };
    match guid {
        Some(at) => {
            let id = block.values.get(at).map(|(_, value)| value.to_ascii_lowercase());
            entry.app_id = Observed::looked(id, source);
            let store = block.values.get(at + 1).map(|(_, value)| value.clone());
            entry.store = Observed::looked(store.filter(|store| !store.starts_with('(')), source);
        }
        None => page.error(
            format!("line {}", block.line),
            "an application id in braces",
            "none in this entry",
        ),
    }
    add(&mut page.inventory.server_mut(name).http_sys, entry, source);
}
