//! `exseal discover` for people: how much was seen, and what was not.

use std::collections::BTreeMap;

use exseal_model::Inventory;

use super::paint::{BOLD, cut, styled, wrapped};
use crate::context::Context;
use crate::live::channel_name;

pub(crate) fn summary(inventory: &Inventory, context: &Context) -> String {
    let mut out = format!(
        "{} servers, {} certificates, {} sources\n",
        inventory.servers.len(),
        inventory.certificates.len(),
        inventory.sources.len()
    );
    for server in &inventory.servers {
        let build = server
            .best_build()
            .map_or_else(|| "build not seen".to_owned(), |build| build.to_string());
        let seen = [
            ("certificates", server.my.items.len(), server.my.is_unknown()),
            (
                "bindings",
                server.sites.iter().map(|site| site.bindings.items.len()).sum(),
                server.sites.is_unknown(),
            ),
            (
                "http.sys entries",
                server.http_sys.items.len(),
                server.http_sys.is_unknown(),
            ),
            (
                "connectors",
                server.receive_connectors.items.len(),
                server.receive_connectors.is_unknown(),
            ),
        ];
        let seen: Vec<String> = seen
            .iter()
            .map(|(what, count, unknown)| {
                if *unknown {
                    format!("{what} not seen")
                } else {
                    format!("{count} {what}")
                }
            })
            .collect();
        let line = format!("{} ({build}): {}", styled(BOLD, &server.shown()), seen.join(", "));
        out.push_str(&wrapped(&line, "  ", "      ", context.width));
    }
    let organisation = &inventory.organisation;
    if !organisation.send_connectors.is_unknown() || !organisation.auth_config.current.is_unknown() {
        let auth = organisation.auth_config.current.value().map_or_else(
            || "Auth certificate not seen".to_owned(),
            |current| format!("Auth certificate {current}"),
        );
        let connectors = organisation.send_connectors.items.len();
        out.push_str(&wrapped(
            &format!("organisation: {auth}, {connectors} send connectors"),
            "  ",
            "      ",
            context.width,
        ));
    }
    on_the_wire(inventory, context, &mut out);
    for loose in &inventory.of_unknown_use {
        let subject = inventory
            .certificate(loose.thumbprint)
            .map_or("", |certificate| certificate.subject.as_str());
        out.push_str(&wrapped(
            &format!("of unknown use: {} {subject}", loose.thumbprint),
            "  ",
            "      ",
            context.width,
        ));
    }
    problems(inventory, context, &mut out);
    out
}

/// How many looks there were on the wire, place by place.
fn on_the_wire(inventory: &Inventory, context: &Context, out: &mut String) {
    let mut places: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for look in &inventory.organisation.presented {
        let counts = places.entry(look.place()).or_default();
        let at = match look.leaf.known() {
            Some(Some(_)) => 0,
            Some(None) => 1,
            None => 2,
        };
        counts[at] += 1;
    }
    for (place, [presented, without, silent]) in places {
        let line = format!(
            "on the wire, seen from {place}: {presented} certificates presented, {without} times no TLS offered, {silent} times no answer"
        );
        out.push_str(&wrapped(&line, "  ", "      ", context.width));
    }
}

/// The ways in that were tried and led nowhere, and why.
fn shut(inventory: &Inventory) -> Vec<String> {
    let organisation = inventory.organisation.ways_in.iter();
    let organisation = organisation.map(|way| ("organisation".to_owned(), way));
    let servers = inventory.servers.iter();
    let servers = servers.flat_map(|server| server.ways_in.iter().map(|way| (server.shown(), way)));
    organisation
        .chain(servers)
        .filter(|(_, way)| way.open.value() == Some(&false))
        .map(|(place, way)| {
            let why = way.why.value().map_or("no answer", String::as_str);
            format!("not reached: {place}, {}: {why}", channel_name(way.channel))
        })
        .collect()
}

/// What could not be read and what was not recognised.
pub(crate) fn problems(inventory: &Inventory, context: &Context, out: &mut String) {
    const SHOWN: usize = 10;
    let shut = shut(inventory);
    for line in shut.iter().take(SHOWN) {
        out.push_str(&wrapped(line, "  ", "      ", context.width));
    }
    for error in inventory.errors.iter().take(SHOWN) {
        let line = format!(
            "not read: {}, {}: expected {}, found {}",
            error.file, error.at, error.expected, error.found
        );
        out.push_str(&wrapped(&line, "  ", "      ", context.width));
    }
    for one in inventory.not_recognised.iter().take(SHOWN) {
        out.push_str(&wrapped(
            &format!("not recognised: {}: {}", one.file, cut(&one.looks_like, 120)),
            "  ",
            "      ",
            context.width,
        ));
    }
    let more = shut.len().saturating_sub(SHOWN)
        + inventory.errors.len().saturating_sub(SHOWN)
        + inventory.not_recognised.len().saturating_sub(SHOWN);
    if more > 0 {
        out.push_str(&format!("  and {more} more: exseal inspect shows them all\n"));
    }
}
