//! Which cmdlet an object comes from, by its type and properties, and what of it belongs into the inventory.
//!
//! Types and properties of the recorded ones are in facts/object-shapes.json; the others are read from their documented
//! properties and marked *unrecorded*.

mod directories;
mod iis;
mod kind;
mod organisation;
mod server;
mod transport;

use std::borrow::Cow;

use exseal_model::inventory::ServerName;
use exseal_model::{Keyed, Listing, Look, Observed, SourceId};
use exseal_psrp::clixml::{Document, Value};

pub(super) use self::kind::Kind;
use self::kind::kind;
use super::objects::Seen;
use super::{Page, certificate};

pub(super) use self::iis::{add_binding, binding_of, site_of_path};

/// Reads an object that stands at the top of a file, or the items of a list that does (an array that was not unrolled).
///
/// Gives what the object, or each item, looks like that exseal does not know: empty when all of it was read.
pub(super) fn read(page: &mut Page, document: &Document<'_>, value: &Value<'_>, at: &str) -> Vec<String> {
    if let Some(kind) = kind(document, value) {
        take(page, document, value, kind, at);
        return Vec::new();
    }
    let items = document.items(value).unwrap_or_default();
    if !items.iter().any(|item| kind(document, item).is_some()) {
        return vec![looks_like(document, value)];
    }
    let mut unknown = Vec::new();
    for (place, item) in items.iter().enumerate() {
        match kind(document, item) {
            Some(kind) => take(page, document, item, kind, &format!("{at}, item {}", place + 1)),
            None => unknown.push(looks_like(document, item)),
        }
    }
    unknown
}

fn looks_like(document: &Document<'_>, value: &Value<'_>) -> String {
    match document.object(value) {
        Some(object) => document.types(object).first().map_or_else(
            || "an object without a type".to_owned(),
            |name| name.to_text().into_owned(),
        ),
        None if matches!(value, Value::Nil) => "null: a command that returned nothing".to_owned(),
        None => "a plain value".to_owned(),
    }
}

/// Reads every object of a list that HealthChecker keeps, or the one object it is; null is nothing.
pub(super) fn read_kept(page: &mut Page, document: &Document<'_>, value: Option<&Value<'_>>, at: &str) {
    let Some(value) = value.filter(|value| !matches!(value, Value::Nil)) else {
        return;
    };
    match document.items(value) {
        Some(items) => {
            for (place, item) in items.iter().enumerate() {
                if let Some(kind) = kind(document, item) {
                    take(page, document, item, kind, &format!("{at}[{place}]"));
                }
            }
        }
        None => {
            if let Some(kind) = kind(document, value) {
                take(page, document, value, kind, at);
            }
        }
    }
}

/// What can be said only when the whole file is read: which lists are complete.
///
/// One object may have been asked for by name, and then proves nothing about what else there is; several are a list.
pub(super) fn finish(page: &mut Page) {
    let certificates = page
        .inventory
        .sources
        .iter()
        .position(|source| source.what == "Get-ExchangeCertificate");
    if let Some(at) = certificates.and_then(|at| u32::try_from(at).ok()) {
        certificate::finish(page, SourceId(at));
    }
    for server in &mut page.inventory.servers {
        if server.receive_connectors.items.len() == 1 {
            mark_all_partial(&mut server.receive_connectors);
        }
        if server.sites.items.len() == 1 {
            mark_all_partial(&mut server.sites);
        }
        // RPC runs on every Windows: a list that has it is no selection of some services.
        if server
            .services
            .iter()
            .any(|service| service.name.eq_ignore_ascii_case("RpcSs"))
        {
            for look in &mut server.services.looks {
                look.complete = true;
            }
        }
    }
}

fn mark_all_partial<T>(listing: &mut Listing<T>) {
    for look in &mut listing.looks {
        look.complete = false;
    }
}

/// Adds an item to a list that `source` shows whole.
pub(super) fn add<T: Keyed>(listing: &mut Listing<T>, mut item: T, source: SourceId) {
    if !listing.looks.iter().any(|look| look.source == source) {
        listing.looks.push(Look {
            source,
            complete: true,
        });
    }
    *item.listed_by() = vec![source];
    let key = item.key();
    match listing.items.iter_mut().find(|own| own.key() == key) {
        Some(own) => own.merge(item),
        None => listing.items.push(item),
    }
}

/// Adds an item to a list of which `source` shows some.
pub(super) fn add_some<T: Keyed>(listing: &mut Listing<T>, item: T, source: SourceId) {
    add(listing, item, source);
    for look in &mut listing.looks {
        if look.source == source {
            look.complete = false;
        }
    }
}

fn take(page: &mut Page, document: &Document<'_>, value: &Value<'_>, kind: Kind, at: &str) {
    let cmdlet = match kind {
        Kind::VirtualDirectory => directories::virtual_directory_cmdlet(document, value),
        _ => Cow::Borrowed(kind.cmdlet()),
    };
    take_as(page, document, value, kind, &cmdlet, at);
}

/// The source of what a cmdlet gives.
pub(super) fn source(page: &mut Page, kind: Kind, cmdlet: &str) -> SourceId {
    let unrecorded =
        kind.is_unrecorded() || kind == Kind::VirtualDirectory && !directories::is_recorded(cmdlet);
    page.source(kind.channel(), cmdlet, unrecorded)
}

/// Reads an object of which is known what it is: the cmdlet was asked.
pub(super) fn take_as(
    page: &mut Page,
    document: &Document<'_>,
    value: &Value<'_>,
    kind: Kind,
    cmdlet: &str,
    at: &str,
) {
    let source = source(page, kind, cmdlet);
    let seen = Seen {
        document,
        value,
        source,
    };
    match kind {
        Kind::ExchangeCertificate => certificate::read(page, seen, true, at),
        Kind::X509Certificate => certificate::read(page, seen, false, at),
        Kind::AuthConfig => organisation::auth_config(page, seen, at),
        Kind::ExchangeServer => server::exchange_server(page, seen, at),
        Kind::MailboxServer => server::mailbox_server(page, seen, at),
        Kind::ReceiveConnector => transport::receive_connector(page, seen, at),
        Kind::SendConnector => transport::send_connector(page, seen, at),
        Kind::HybridConfiguration => organisation::hybrid(page, seen),
        Kind::SettingOverride => organisation::setting_override(page, seen),
        Kind::AcceptedDomain => organisation::accepted_domain(page, seen),
        Kind::ServiceHealth => server::service_health(page, seen, at),
        Kind::VirtualDirectory => directories::virtual_directory(page, seen, cmdlet),
        Kind::OutlookAnywhere => directories::outlook_anywhere(page, seen),
        Kind::OrganizationConfig => organisation::organization_config(page, seen, at),
        Kind::PartnerApplication => organisation::partner_application(page, seen),
        Kind::ComponentState => server::component_state(page, seen, at),
        Kind::Service => server::service(page, seen, at),
        Kind::WebBinding => iis::web_binding(page, seen, at),
        Kind::WebSite => iis::web_site(page, seen, at),
        Kind::DiagnosticInfo => {}
        Kind::SetupFile => server::setup_file(page, seen, at),
        Kind::TransportService => transport::transport_service(page, seen, at),
        Kind::PopSettings | Kind::ImapSettings => {
            transport::client_access_protocol(page, seen, kind == Kind::ImapSettings);
        }
        Kind::FederationTrust => organisation::federation_trust(page, seen, at),
        Kind::EdgeSubscription => organisation::edge_subscription(page, seen, at),
        Kind::ClientAccessService => directories::client_access_service(page, seen),
        Kind::Queue => transport::queue(page, seen, at),
    }
}

/// The name, or that nobody knows it.
fn server_name(page: &Page, name: Option<String>) -> ServerName {
    name.filter(|name| !name.is_empty())
        .map_or_else(|| page.nameless(), ServerName::Known)
}

/// The last part of `domain/Configuration/Sites/NAME`.
fn last_part(observed: Observed<String>) -> Observed<String> {
    match observed {
        Observed::Seen(mut sightings) => {
            for sighting in &mut sightings {
                if let Some(value) = &mut sighting.value {
                    *value = value.rsplit('/').next().unwrap_or_default().to_owned();
                }
            }
            Observed::Seen(sightings)
        }
        unknown @ Observed::Unknown(_) => unknown,
    }
}
