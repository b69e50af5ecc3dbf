//! Sites of IIS and their bindings.

use std::borrow::Cow;

use exseal_model::inventory::{ServerName, SiteBinding, WebSite};
use exseal_model::{Look, Observed, SourceId};
use exseal_psrp::clixml::Value;

use super::super::Page;
use super::super::objects::Seen;
use super::{add, add_some, server_name};

/// The site a binding belongs to, from `/system.applicationHost/sites/site[@name='NAME' and @id='1']`.
pub(in super::super) fn site_of_path(path: &str) -> Option<(String, Option<u32>)> {
    let (_, rest) = path.split_once("@name='")?;
    let (name, rest) = rest.split_once('\'')?;
    let id = rest
        .split_once("@id='")
        .and_then(|(_, rest)| rest.split_once('\''))
        .and_then(|(id, _)| id.parse().ok());
    Some((name.to_owned(), id))
}

/// A binding of Get-WebBinding, Get-Website or HealthChecker; notes what lacks protocol or bindingInformation.
pub(in super::super) fn binding_of(page: &mut Page, seen: Seen<'_, '_>, at: &str) -> Option<SiteBinding> {
    let (Some(protocol), Some(information)) = (seen.plain("protocol"), seen.plain("bindingInformation"))
    else {
        page.error(
            at,
            "a binding with protocol and bindingInformation",
            "one without",
        );
        return None;
    };
    let mut binding = SiteBinding::new(protocol.into_owned(), information.into_owned());
    binding.thumbprint = seen.thumbprint(page, "certificateHash", at);
    binding.store = seen.text("certificateStoreName");
    binding.ssl_flags = seen.number("sslFlags");
    Some(binding)
}

pub(super) fn web_binding(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(binding) = binding_of(page, seen, at) else {
        return;
    };
    let Some((site, id)) = seen.plain("ItemXPath").and_then(|path| site_of_path(&path)) else {
        return page.error(
            at,
            "ItemXPath, which names the binding's site",
            "a binding without it",
        );
    };
    let name = server_name(page, seen.computer());
    add_binding(page, &name, site, id, binding, seen.source);
}

/// Adds a binding to its site on its server.
pub(in super::super) fn add_binding(
    page: &mut Page,
    server: &ServerName,
    site: String,
    id: Option<u32>,
    binding: SiteBinding,
    source: SourceId,
) {
    let mut web_site = WebSite::new(site);
    if let Some(id) = id {
        web_site.id = Observed::seen(id, source);
    }
    add(&mut web_site.bindings, binding, source);
    // Sites without bindings are not shown.
    add_some(&mut page.inventory.server_mut(server).sites, web_site, source);
}

pub(super) fn web_site(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(name) = seen.plain("name").map(Cow::into_owned) else {
        return page.error(at, "a site's name", "none");
    };
    let mut site = WebSite::new(name);
    site.id = seen.number("id");
    site.state = seen.text("state");
    if let Some(bindings) = seen.property("bindings") {
        let items = seen
            .document
            .path(bindings, &["Collection"])
            .and_then(|value| seen.document.items(value))
            .or_else(|| seen.document.items(bindings));
        if let Some(items) = items {
            site.bindings.looks.push(Look {
                source: seen.source,
                complete: true,
            });
            for (place, item) in items.iter().enumerate() {
                let place = format!("{at}, binding {}", place + 1);
                if let Some(binding) = binding_or_text(page, Seen { value: item, ..seen }, &place) {
                    add(&mut site.bindings, binding, seen.source);
                }
            }
        } else {
            page.error(
                format!("{at}, property bindings"),
                "a list of bindings (Export-Clixml -Depth 4)",
                "none: the export was not deep enough",
            );
        }
    }
    let name = server_name(page, seen.computer());
    add(&mut page.inventory.server_mut(&name).sites, site, seen.source);
}

/// A binding, or what an export that was not deep enough left of it: `https *:443: sslFlags=0`.
fn binding_or_text(page: &mut Page, seen: Seen<'_, '_>, at: &str) -> Option<SiteBinding> {
    if !matches!(seen.value, Value::String(_)) {
        return binding_of(page, seen, at);
    }
    let text = seen.itself().unwrap_or_default();
    let mut words = text.split_whitespace();
    let (Some(protocol), Some(information)) = (words.next(), words.next()) else {
        page.error(
            at,
            "a binding: protocol and bindingInformation",
            format!("{text:?}"),
        );
        return None;
    };
    let mut binding = SiteBinding::new(protocol.to_owned(), information.to_owned());
    binding.thumbprint = Observed::unknown("the export was not deep enough to hold certificateHash");
    Some(binding)
}
