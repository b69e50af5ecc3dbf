//! JSON: an inventory of our own, `Get-Website` or `Get-WebBinding` through ConvertTo-Json, the collector's files.

use std::cell::Cell;

use exseal_model::inventory::{INVENTORY_FORMAT, ServerName, SiteBinding, WebSite};
use exseal_model::{Channel, Inventory, Look, Observed, SourceId};
use serde_json::Value;

use super::cmdlets::{add, add_binding, site_of_path};
use super::{Page, collector};

/// What a file holds that is an inventory.
pub(super) const INVENTORY: &str = "exseal inventory";

pub(super) fn read(page: &mut Page, text: &str) {
    // The inventory is read straight into its type: it may be large.
    let head: String = text.chars().take(200).collect();
    if head.contains("\"format\"") && text.contains("\"sources\"") && text.contains("\"servers\"") {
        return read_inventory(page, text);
    }
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) if error.line() > 1 && text.lines().next().is_some_and(is_json) => {
            return page.not_recognised("JSON, one value a line");
        }
        Err(error) => {
            page.error(
                format!("line {}, column {}", error.line(), error.column()),
                "JSON",
                error.to_string(),
            );
            page.not_recognised("text that begins like JSON and is none");
            return;
        }
    };
    // Other tools write keys in an order of their own.
    if value.get("format").is_some() && value.get("servers").is_some() {
        return read_inventory(page, text);
    }
    if collector::is_reading(&value) {
        return collector::read(page, &value);
    }
    let items = match &value {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut recognised = false;
    let mut others = 0_usize;
    for (at, item) in items.iter().enumerate() {
        let place = format!("element {}", at + 1);
        let has = |name: &str| property(item, name).is_some();
        if has("bindings") && has("name") {
            recognised = true;
            let source = page.source(Channel::Server, "Get-Website", false);
            web_site(page, item, source, &place);
        } else if has("bindingInformation") && has("protocol") {
            recognised = true;
            let source = page.source(Channel::Server, "Get-WebBinding", true);
            let site = property(item, "ItemXPath")
                .and_then(Value::as_str)
                .and_then(site_of_path);
            match (site, binding(page, item, source, &place)) {
                (Some((site, id)), Some(binding)) => {
                    let name = server_of(page, item);
                    add_binding(page, &name, site, id, binding, source);
                }
                (_, None) => {}
                _ => page.error(
                    place,
                    "a binding with ItemXPath, which names its site",
                    "one without",
                ),
            }
        } else {
            others += 1;
        }
    }
    if !recognised {
        let keys = items.first().and_then(Value::as_object);
        let keys: Vec<&str> = keys
            .into_iter()
            .flat_map(|keys| keys.keys())
            .take(5)
            .map(String::as_str)
            .collect();
        page.not_recognised(format!("JSON with the keys {keys:?}"));
    } else if others > 0 {
        page.not_recognised(format!("{others} further elements of the JSON"));
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// A property by name without regard to case: ConvertTo-Json writes names as the object has them.
fn property<'j>(item: &'j Value, name: &str) -> Option<&'j Value> {
    item.as_object()?
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Where the command ran, which remoting writes into every object.
fn server_of(page: &Page, item: &Value) -> ServerName {
    property(item, "PSComputerName")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty() && *name != "localhost" && *name != ".")
        .map_or_else(|| page.nameless(), ServerName::new)
}

fn read_inventory(page: &mut Page, text: &str) {
    match serde_json::from_str::<Inventory>(text) {
        Ok(inventory) if inventory.format > INVENTORY_FORMAT => page.error(
            "format",
            format!("an inventory of format {INVENTORY_FORMAT} or below"),
            inventory.format.to_string(),
        ),
        Ok(mut inventory) => {
            let sources = inventory.sources.len();
            let beyond = Cell::new(None);
            inventory.map_sources(&|id| {
                if usize::try_from(id.0).map_or(true, |at| at >= sources) {
                    beyond.set(Some(id.0));
                }
                id
            });
            if let Some(id) = beyond.get() {
                page.not_recognised("an exseal inventory that refers to sources it does not hold");
                return page.error(
                    "sources",
                    format!(
                        "sources 0 to {}, which are all there are",
                        sources.saturating_sub(1)
                    ),
                    format!("source {id}"),
                );
            }
            page.holds.push(INVENTORY.to_owned());
            page.inventory = inventory;
        }
        Err(error) => {
            page.error(
                format!("line {}, column {}", error.line(), error.column()),
                "an exseal inventory",
                error.to_string(),
            );
            page.not_recognised("JSON with a format, but no exseal inventory");
        }
    }
}

fn web_site(page: &mut Page, item: &Value, source: SourceId, at: &str) {
    let Some(name) = property(item, "name").and_then(Value::as_str) else {
        return page.error(at, "a site's name", "none");
    };
    let mut site = WebSite::new(name.to_owned());
    site.id = number(item, "id", source);
    site.state = text(item, "state", source);
    let bindings = property(item, "bindings").map(|own| property(own, "Collection").unwrap_or(own));
    let bindings = match bindings {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        Some(Value::Null) => &[],
        Some(_) | None => {
            page.error(
                format!("{at}, bindings"),
                "the site's bindings (ConvertTo-Json -Depth 4)",
                "none: the export was not deep enough",
            );
            &[]
        }
    };
    if !bindings.is_empty() {
        site.bindings.looks.push(Look {
            source,
            complete: true,
        });
    }
    for (place, item) in bindings.iter().enumerate() {
        if let Some(binding) = binding(page, item, source, &format!("{at}, binding {}", place + 1)) {
            add(&mut site.bindings, binding, source);
        }
    }
    let server = server_of(page, item);
    add(&mut page.inventory.server_mut(&server).sites, site, source);
}

/// A text that is there; null and the empty text are seen and empty.
fn text(item: &Value, name: &str, source: SourceId) -> Observed<String> {
    match property(item, name) {
        None => Observed::default(),
        Some(Value::Null) => Observed::absent(source),
        Some(Value::String(text)) => {
            Observed::looked(Some(text.clone()).filter(|text| !text.is_empty()), source)
        }
        Some(_) => Observed::unknown(format!("{name} is there and is no text")),
    }
}

fn number(item: &Value, name: &str, source: SourceId) -> Observed<u32> {
    match property(item, name) {
        None => Observed::default(),
        Some(Value::Null) => Observed::absent(source),
        Some(value) => match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Observed::seen(number, source),
            None => Observed::unknown(format!("{name} is there and is no number in its range")),
        },
    }
}

fn binding(page: &mut Page, item: &Value, source: SourceId, at: &str) -> Option<SiteBinding> {
    let own = |name: &str| property(item, name).and_then(Value::as_str).map(str::to_owned);
    let (Some(protocol), Some(information)) = (own("protocol"), own("bindingInformation")) else {
        page.error(
            at,
            "a binding with protocol and bindingInformation",
            "one without",
        );
        return None;
    };
    let mut binding = SiteBinding::new(protocol, information);
    if let Some(hash) = property(item, "certificateHash") {
        binding.thumbprint = match hash.as_str().map(str::trim).filter(|hash| !hash.is_empty()) {
            None if hash.is_null() || hash.is_string() => Observed::absent(source),
            None => Observed::unknown("certificateHash is there and is no text"),
            Some(hash) => match hash.parse() {
                Ok(thumbprint) => Observed::seen(thumbprint, source),
                Err(error) => {
                    let error: exseal_model::ThumbprintError = error;
                    page.error(
                        format!("{at}, certificateHash"),
                        "a hash of 40 hex digits",
                        error.to_string(),
                    );
                    Observed::unknown("certificateHash is no thumbprint")
                }
            },
        };
    }
    binding.store = text(item, "certificateStoreName", source);
    binding.ssl_flags = number(item, "sslFlags", source);
    Some(binding)
}
