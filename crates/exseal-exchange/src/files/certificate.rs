//! Get-ExchangeCertificate, X509Certificate2, and what hides in them.

use exseal_model::inventory::{ServerName, Store, StoreEntry};
use exseal_model::{Keyed as _, Observed, SourceId};
use exseal_psrp::clixml::Value;
use exseal_psrp::nrbf::ExchangeCertificatePayload;
use exseal_psrp::serialized_cert::SerializedCertificate;

use super::Page;
use super::objects::Seen;

/// AllowedServices (facts/exchange.md 1.3), in the order Exchange prints them.
const SERVICES: [(i128, &str); 7] = [
    (1, "IMAP"),
    (2, "POP"),
    (4, "UM"),
    (8, "IIS"),
    (16, "SMTP"),
    (32, "Federation"),
    (64, "UMCallRouter"),
];

pub(super) fn services(flags: i128) -> Vec<String> {
    let mut names: Vec<String> = SERVICES
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    let rest = flags & !127;
    if rest != 0 {
        names.push(format!("Services {rest}"));
    }
    names
}

/// Status by its number; only Valid is recorded (facts/exchange.md 1.3).
fn status(number: i128) -> String {
    if number == 1 {
        "Valid".to_owned()
    } else {
        format!("Status {number}")
    }
}

/// RootCAType by its number (facts/exchange.md 1.3: 0 and 3 recorded, the others by the documented order).
fn root_ca_type(number: i128) -> String {
    match number {
        0 => "None".to_owned(),
        1 => "ThirdParty".to_owned(),
        2 => "Enterprise".to_owned(),
        3 => "Registry".to_owned(),
        4 => "GroupPolicy".to_owned(),
        5 => "Unknown".to_owned(),
        other => format!("RootCAType {other}"),
    }
}

/// Reads an ExchangeCertificate object into the store of its server; a plain X509Certificate2 becomes a certificate of
/// unknown use.
pub(super) fn read(page: &mut Page, seen: Seen<'_, '_>, of_exchange: bool, at: &str) {
    let raw = seen
        .property("RawData")
        .and_then(|value| seen.document.bytes(value));
    let payload_bytes = seen
        .property("SerializationData")
        .and_then(|value| seen.document.bytes(value));
    if !of_exchange && payload_bytes.is_none() {
        let Some(raw) = raw else {
            return page.error(at, "RawData, the certificate", "an X509Certificate2 without it");
        };
        if let Some(thumbprint) = page.keep(raw, at) {
            let friendly = seen.plain("FriendlyName").map(std::borrow::Cow::into_owned);
            let key = seen
                .property("HasPrivateKey")
                .and_then(|value| seen.document.boolean(value));
            page.loose(thumbprint, key.unwrap_or(false), friendly, seen.source);
        }
        return;
    }

    let payload = payload_bytes.and_then(|bytes| match ExchangeCertificatePayload::read(bytes) {
        Ok(payload) => Some(payload),
        Err(error) => {
            page.error(
                format!("{at}, property SerializationData, byte {}", error.at),
                error.expected,
                error.found,
            );
            None
        }
    });
    let element = payload
        .as_ref()
        .and_then(|payload| payload.cert_data.as_deref())
        .and_then(|bytes| {
            SerializedCertificate::read(bytes)
                .map_err(|error| {
                    page.error(
                        format!("{at}, CertData, byte {}", error.at),
                        error.expected,
                        error.found,
                    );
                })
                .ok()
        });
    let der = raw.or_else(|| element.as_ref().map(|element| element.der.as_slice()));
    let thumbprint = match der {
        Some(der) => page.keep(der, at),
        // Select-Object took some properties and left the certificate itself: nobody has seen it, but it is named.
        None if seen.property("Thumbprint").is_some() => {
            seen.thumbprint(page, "Thumbprint", at).value().copied()
        }
        None => {
            page.error(
                at,
                "RawData or SerializationData, the certificate",
                "an ExchangeCertificate without both",
            );
            None
        }
    };
    let Some(thumbprint) = thumbprint else {
        return;
    };

    let mut entry = StoreEntry::new(thumbprint);
    fill_from_properties(&mut entry, seen);
    let whole = payload.is_some() || !entry.services.is_unknown();
    // Neither a selection of properties nor a payload that cannot be read says that the server sent none.
    let lost = !whole && payload_bytes.is_none() && !is_selection(seen);
    if whole || lost {
        entry.whole = Observed::seen(whole, seen.source);
    }
    if let Some(payload) = payload {
        fill_from_payload(&mut entry, payload, element, seen.source);
    }
    if !whole {
        let why = if lost {
            "the object came without SerializationData: only RawData survived"
        } else if payload_bytes.is_some() {
            "its SerializationData cannot be read"
        } else {
            "the export holds a selection of properties"
        };
        for field in [
            &mut entry.friendly_name,
            &mut entry.status,
            &mut entry.root_ca_type,
            &mut entry.key_provider,
        ] {
            if field.is_unknown() {
                *field = Observed::unknown(why);
            }
        }
        if entry.services.is_unknown() {
            entry.services = Observed::unknown(why);
        }
    }

    let server = entry
        .identity
        .value()
        .and_then(|identity| identity.split_once('\\'))
        .map(|(server, _)| server.to_owned())
        .filter(|server| !server.is_empty())
        .or_else(|| seen.computer());
    let name = server.map_or_else(|| page.nameless(), ServerName::Known);
    *entry.listed_by() = vec![seen.source];
    let pending = entry
        .status
        .value()
        .is_some_and(|status| status == "PendingRequest");
    let store = page
        .inventory
        .server_mut(&name)
        .store_mut(if pending { Store::Request } else { Store::My });
    let look = exseal_model::Look {
        source: seen.source,
        complete: false,
    };
    if store.looks.is_empty() {
        store.looks.push(look);
    }
    match store.items.iter_mut().find(|own| own.thumbprint == thumbprint) {
        Some(own) => exseal_model::Merge::merge(own, entry),
        None => store.items.push(entry),
    }
}

/// Whether Select-Object chose the properties, so that a missing one was not asked for.
fn is_selection(seen: Seen<'_, '_>) -> bool {
    seen.property("RawData").is_none()
        || seen.document.object(seen.value).is_some_and(|object| {
            seen.document.types(object).first().is_some_and(|name| {
                let name = name.to_text();
                name.contains("Selected.") || name.ends_with("PSCustomObject")
            })
        })
}

/// Properties that stand openly: local sessions, `Select-Object`, JSON.
fn fill_from_properties(entry: &mut StoreEntry, seen: Seen<'_, '_>) {
    entry.services = match seen.property("Services") {
        Some(value) if seen.document.integer(value).is_some() => Observed::seen(
            services(seen.document.integer(value).unwrap_or_default()),
            seen.source,
        ),
        // The enumeration has a name for nothing: null is an object that arrived half-empty.
        Some(Value::Nil) => Observed::unknown("the object came without Services"),
        _ => seen.flags("Services"),
    };
    entry.friendly_name = seen.text("FriendlyName");
    entry.status = seen.text("Status");
    entry.root_ca_type = seen.text("RootCAType");
    entry.has_private_key = seen.flag("HasPrivateKey");
    entry.private_key_exportable = seen.flag("PrivateKeyExportable");
    entry.self_signed = seen.flag("IsSelfSigned");
    entry.identity = seen.text("Identity");
    entry.certificate_request = seen.text("CertificateRequest");
    entry.iis_sites = seen.list("IISServices");
}

fn fill_from_payload(
    entry: &mut StoreEntry,
    payload: ExchangeCertificatePayload,
    element: Option<SerializedCertificate>,
    source: SourceId,
) {
    fn set<T>(field: &mut Observed<T>, value: Option<T>, source: SourceId) {
        if let Some(value) = value.filter(|_| field.is_unknown()) {
            *field = Observed::seen(value, source);
        }
    }
    set(&mut entry.services, payload.services.map(services), source);
    set(&mut entry.status, payload.status.map(status), source);
    set(
        &mut entry.root_ca_type,
        payload.root_ca_type.map(root_ca_type),
        source,
    );
    set(&mut entry.self_signed, payload.self_signed, source);
    set(
        &mut entry.private_key_exportable,
        payload.private_key_exportable,
        source,
    );
    set(&mut entry.identity, payload.identity, source);
    set(&mut entry.iis_sites, payload.iis_services, source);
    if let Some(request) = payload.certificate_request.filter(|request| !request.is_empty()) {
        set(&mut entry.certificate_request, Some(request), source);
    }
    let Some(element) = element else { return };
    if entry.friendly_name.is_unknown() {
        let name = element.friendly_name.filter(|name| !name.is_empty());
        entry.friendly_name = Observed::looked(name, source);
    }
    // The element names a key only when there is one; Get-ExchangeCertificate lists no others (facts/exchange.md 1.2).
    if let Some(key) = element.key {
        set(&mut entry.key_provider_type, Some(key.provider_type), source);
        set(&mut entry.key_spec, Some(key.key_spec), source);
        if entry.key_provider.is_unknown() {
            entry.key_provider = Observed::looked(Some(key.provider).filter(|name| !name.is_empty()), source);
        }
        set(&mut entry.has_private_key, Some(true), source);
    }
}

/// Marks the stores that a Get-ExchangeCertificate of several certificates showed as complete.
///
/// The cmdlet lists all of My that has a key, or one certificate when asked for one: a file with a single object proves
/// nothing about what else there is.
pub(super) fn finish(page: &mut Page, source: SourceId) {
    for server in &mut page.inventory.servers {
        let several = server.my.items.len() > 1;
        for look in &mut server.my.looks {
            if look.source == source && several {
                look.complete = true;
            }
        }
    }
}
