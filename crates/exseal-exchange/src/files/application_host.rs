//! IIS' applicationHost.config: sites, bindings, application pools. It holds no certificate hashes; http.sys does.

use exseal_model::inventory::{AppPool, SiteBinding, WebSite};
use exseal_model::{Channel, Observed};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Page;
use super::cmdlets::add;

/// Elements within each other, far above any real file.
const DEPTH: usize = 200;

pub(super) fn read(page: &mut Page, text: &str) {
    let source = page.source(Channel::Server, "applicationHost.config", false);
    let name = page.nameless();
    let mut reader = Reader::from_str(text);
    // A wrong end is noted here, once, and what stands behind it is read all the same.
    reader.config_mut().check_end_names = false;
    let mut damaged = false;
    let mut path: Vec<String> = Vec::new();
    let mut site: Option<WebSite> = None;
    let mut sites = 0_usize;
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                let at = place(text, reader.error_position());
                page.error(at, "well-formed XML", error.to_string());
                break;
            }
        };
        match event {
            Event::Start(element) => {
                start(page, &element, &path, &mut site, source, &name);
                path.push(element.name().as_ref().to_owned());
                if path.len() > DEPTH {
                    let at = place(text, reader.buffer_position());
                    page.error(at, format!("at most {DEPTH} elements within each other"), "more");
                    break;
                }
            }
            Event::Empty(element) => {
                start(page, &element, &path, &mut site, source, &name);
                if element.name().as_ref() == "site" {
                    sites += usize::from(keep(page, &name, site.take(), source));
                }
            }
            Event::End(element) => {
                let own = element.name().as_ref().to_owned();
                if path.last() != Some(&own) && !damaged {
                    damaged = true;
                    let at = place(text, reader.buffer_position());
                    let expected = path
                        .last()
                        .map_or_else(|| "an element".to_owned(), |open| format!("</{open}>"));
                    page.error(at, expected, format!("</{own}>"));
                }
                // Closes what it names and all that was left open in it; an end of nothing closes nothing.
                if let Some(open) = path.iter().rposition(|open| *open == own) {
                    path.truncate(open);
                }
                if element.name().as_ref() == "site" {
                    sites += usize::from(keep(page, &name, site.take(), source));
                }
            }
            Event::DocType(_) => {
                let at = place(text, reader.buffer_position());
                page.error(at, "a configuration without a document type", "<!DOCTYPE");
                break;
            }
            Event::Eof => {
                if !path.is_empty() && !damaged {
                    let at = place(text, reader.buffer_position());
                    page.error(at, format!("</{}>", path.join("></")), "the end");
                }
                break;
            }
            _ => {}
        }
    }
    if site.is_some() {
        sites += usize::from(keep(page, &name, site.take(), source));
    }
    if sites == 0 {
        page.error("the file", "<sites> with at least one <site>", "none");
    }
}

fn place(text: &str, position: u64) -> String {
    let at = usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    let line = text
        .as_bytes()
        .get(..at)
        .unwrap_or_default()
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
        + 1;
    format!("line {line}, byte {at}")
}

fn attribute(element: &BytesStart<'_>, wanted: &str) -> Option<String> {
    element
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.as_ref() == wanted)
        .and_then(|attribute| {
            quick_xml::escape::unescape(&attribute.value)
                .ok()
                .map(std::borrow::Cow::into_owned)
        })
}

fn start(
    page: &mut Page,
    element: &BytesStart<'_>,
    path: &[String],
    site: &mut Option<WebSite>,
    source: exseal_model::SourceId,
    name: &exseal_model::inventory::ServerName,
) {
    let parent = path.last().map_or("", String::as_str);
    match element.name().as_ref() {
        "site" if parent == "sites" => {
            let Some(own) = attribute(element, "name") else {
                return page.error("a <site>", "the attribute name", "none");
            };
            let mut new = WebSite::new(own);
            if let Some(id) = attribute(element, "id").and_then(|id| id.parse().ok()) {
                new.id = Observed::seen(id, source);
            }
            *site = Some(new);
        }
        "binding" if parent == "bindings" => {
            let (Some(site), Some(protocol)) = (site.as_mut(), attribute(element, "protocol")) else {
                return;
            };
            let information = attribute(element, "bindingInformation").unwrap_or_default();
            let mut binding = SiteBinding::new(protocol, information);
            binding.thumbprint = Observed::unknown("applicationHost.config does not hold certificate hashes");
            if let Some(flags) = attribute(element, "sslFlags").and_then(|flags| flags.parse().ok()) {
                binding.ssl_flags = Observed::seen(flags, source);
            }
            add(&mut site.bindings, binding, source);
        }
        "add" if parent == "applicationPools" => {
            if let Some(own) = attribute(element, "name") {
                add(
                    &mut page.inventory.server_mut(name).app_pools,
                    AppPool::new(own),
                    source,
                );
            }
        }
        _ => {}
    }
}

fn keep(
    page: &mut Page,
    name: &exseal_model::inventory::ServerName,
    site: Option<WebSite>,
    source: exseal_model::SourceId,
) -> bool {
    let Some(mut site) = site else { return false };
    if site.bindings.is_unknown() {
        site.bindings.looks.push(exseal_model::Look {
            source,
            complete: true,
        });
    }
    add(&mut page.inventory.server_mut(name).sites, site, source);
    true
}
