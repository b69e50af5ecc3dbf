//! JSON: an inventory of our own, `Get-Website` or `Get-WebBinding` through ConvertTo-Json, the collector's files.

use exseal_model::inventory::{INVENTORY_FORMAT, SiteBinding, WebSite};
use exseal_model::{Channel, Inventory, Observed, SourceId};
use serde_json::Value;

use super::Page;
use super::cmdlets::add;

pub(super) fn read(page: &mut Page, text: &str) {
    // The inventory is read straight into its type: it may be large.
    let head: String = text.chars().take(200).collect();
    if head.contains("\"format\"") {
        return read_inventory(page, text);
    }
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
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
    let items = match &value {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut recognised = false;
    for (at, item) in items.iter().enumerate() {
        let place = format!("element {}", at + 1);
        if item.get("bindings").is_some() && item.get("name").is_some() {
            recognised = true;
            let source = page.source(Channel::Server, "Get-Website", false);
            web_site(page, item, source, &place);
        } else if item.get("bindingInformation").is_some() && item.get("protocol").is_some() {
            recognised = true;
            let source = page.source(Channel::Server, "Get-WebBinding", true);
            let site = item.get("ItemXPath").and_then(Value::as_str).and_then(|path| {
                let (_, rest) = path.split_once("@name='")?;
                rest.split_once('\'').map(|(name, _)| name.to_owned())
            });
            match (site, binding(page, item, source, &place)) {
                (Some(site), Some(binding)) => {
                    let name = page.nameless();
                    super::cmdlets::add_binding(page, &name, site, None, binding, source);
                }
                _ => page.error(
                    place,
                    "a binding with ItemXPath, which names its site",
                    "one without",
                ),
            }
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
    }
}

fn read_inventory(page: &mut Page, text: &str) {
    match serde_json::from_str::<Inventory>(text) {
        Ok(inventory) if inventory.format > INVENTORY_FORMAT => page.error(
            "format",
            format!("an inventory of format {INVENTORY_FORMAT} or below"),
            inventory.format.to_string(),
        ),
        Ok(inventory) => {
            page.holds.push("exseal inventory".to_owned());
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
    let Some(name) = item.get("name").and_then(Value::as_str) else {
        return page.error(at, "a site's name", "none");
    };
    let mut site = WebSite::new(name.to_owned());
    if let Some(id) = item
        .get("id")
        .and_then(Value::as_u64)
        .and_then(|id| u32::try_from(id).ok())
    {
        site.id = Observed::seen(id, source);
    }
    if let Some(state) = item.get("state").and_then(Value::as_str) {
        site.state = Observed::seen(state.to_owned(), source);
    }
    let bindings = item
        .get("bindings")
        .map(|bindings| bindings.get("Collection").unwrap_or(bindings));
    let bindings = match bindings {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    };
    for (place, item) in bindings.iter().enumerate() {
        if let Some(binding) = binding(page, item, source, &format!("{at}, binding {}", place + 1)) {
            add(&mut site.bindings, binding, source);
        }
    }
    let server = page.nameless();
    add(&mut page.inventory.server_mut(&server).sites, site, source);
}

fn binding(page: &mut Page, item: &Value, source: SourceId, at: &str) -> Option<SiteBinding> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut binding = SiteBinding::new(text("protocol")?, text("bindingInformation")?);
    if let Some(hash) = item.get("certificateHash") {
        binding.thumbprint = match hash.as_str().map(str::trim).filter(|hash| !hash.is_empty()) {
            None => Observed::absent(source),
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
    if let Some(store) = item.get("certificateStoreName") {
        binding.store = Observed::looked(
            store
                .as_str()
                .filter(|store| !store.is_empty())
                .map(str::to_owned),
            source,
        );
    }
    if let Some(flags) = item
        .get("sslFlags")
        .and_then(Value::as_u64)
        .and_then(|flags| u32::try_from(flags).ok())
    {
        binding.ssl_flags = Observed::seen(flags, source);
    }
    Some(binding)
}
