//! What belongs to the organisation as a whole.

use exseal_model::inventory::{AcceptedDomain, FederationTrust, PartnerApplication, SettingOverride};
use exseal_model::{Listing, Observed, SourceId, Thumbprint};
use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use quick_xml::events::Event;

use super::Sheet;
use super::attributes::is_backed;
use super::entry::{Entry, map};
use super::servers::{certificate, certificate_of};

pub(super) fn read(sheet: &mut Sheet<'_>) {
    let answer = sheet.answer;
    if let Some(entry) = answer.of_class("msExchOrganizationContainer").next() {
        let source = sheet.source("msExchOrganizationContainer", true);
        sheet.inventory.organisation.name = Observed::seen(entry.name(), source);
    }
    for entry in answer.of_class("msExchAuthAuthConfig") {
        auth_config(sheet, entry);
    }
    hybrid(sheet);
    list(
        sheet,
        "msExchAuthPartnerApplication",
        partner_application,
        |sheet| &mut sheet.inventory.organisation.partner_applications,
    );
    list(sheet, "msExchFedTrust", federation_trust, |sheet| {
        &mut sheet.inventory.organisation.federation_trusts
    });
    list(sheet, "msExchAcceptedDomain", accepted_domain, |sheet| {
        &mut sheet.inventory.organisation.accepted_domains
    });
    list(sheet, "msExchConfigSettings", setting_override, |sheet| {
        &mut sheet.inventory.organisation.setting_overrides
    });
}

/// Reads all objects of a class; what makes nothing of an object has noted why.
fn list<T: exseal_model::Keyed>(
    sheet: &mut Sheet<'_>,
    class: &str,
    take: fn(&mut Sheet<'_>, &Entry, SourceId, SourceId) -> Option<T>,
    listing: for<'s> fn(&'s mut Sheet<'_>) -> &'s mut Listing<T>,
) {
    let answer = sheet.answer;
    let backed = sheet.source(class, true);
    let source = sheet.source(class, false);
    let mut complete = answer.is_whole(class, true);
    let mut items = Vec::new();
    for entry in answer.of_class(class) {
        match take(sheet, entry, backed, source) {
            Some(item) => items.push(item),
            None => complete = false,
        }
    }
    *listing(sheet) = Listing::of(items, backed, complete);
}

/// The thumbprints are prefixed: `0:` current, `1:` previous, `2:` next, in no order; one without prefix is the current one.
fn auth_config(sheet: &mut Sheet<'_>, entry: &Entry) {
    const ATTRIBUTE: &str = "msExchAuthCertificateThumbprint";
    let answer = sheet.answer;
    let source = sheet.source("msExchAuthAuthConfig", false);
    let mut slots: [Observed<Thumbprint>; 3] =
        std::array::from_fn(|_| answer.observed(entry, ATTRIBUTE, source, |_| Err(String::new())));
    if entry.text(ATTRIBUTE).is_some() {
        // The attribute is there: what it does not name is not configured.
        slots = std::array::from_fn(|_| Observed::absent(source));
    }
    for text in entry.texts(ATTRIBUTE) {
        let (slot, thumbprint) = match text.split_once(':') {
            None => (0, text),
            Some(("0", rest)) => (0, rest),
            Some(("1", rest)) => (1, rest),
            Some(("2", rest)) => (2, rest),
            Some((other, _)) => {
                sheet.error(entry, ATTRIBUTE, "one of the prefixes 0:, 1:, 2:", other);
                continue;
            }
        };
        match thumbprint.parse::<Thumbprint>() {
            Ok(thumbprint) => slots[slot] = Observed::seen(thumbprint, source),
            Err(error) => {
                sheet.error(
                    entry,
                    ATTRIBUTE,
                    "40 hex digits behind the prefix",
                    error.to_string(),
                );
                slots[slot] = Observed::unknown(format!("{ATTRIBUTE} holds no thumbprint there"));
            }
        }
    }
    let next_effective = answer.observed(entry, "msExchAuthNextEffectiveDate", source, |entry| {
        generalized_time(entry.text("msExchAuthNextEffectiveDate").unwrap_or_default())
    });
    let realm = answer.text(entry, "msExchAuthRealm", source);
    let service_name = answer.text(entry, "msExchAuthApplicationIdentifier", source);
    let config = &mut sheet.inventory.organisation.auth_config;
    config.by = vec![source];
    [config.current, config.previous, config.next] = slots;
    config.next_effective = next_effective;
    config.realm = realm;
    config.service_name = service_name;
}

/// GeneralizedTime as Active Directory writes it: `20261224120000.0Z`.
fn generalized_time(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("expected a time such as 20261224120000.0Z, found {text:?}");
    let digits = text
        .strip_suffix('Z')
        .and_then(|text| text.split('.').next())
        .ok_or_else(wrong)?;
    BrokenDownTime::parse("%Y%m%d%H%M%S", digits)
        .and_then(|time| time.to_datetime())
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
        .map(|time| time.timestamp())
        .map_err(|_| wrong())
}

fn hybrid(sheet: &mut Sheet<'_>) {
    let answer = sheet.answer;
    let backed = sheet.source("msExchCoexistenceRelationship", true);
    let Some(entry) = answer.of_class("msExchCoexistenceRelationship").next() else {
        if answer.is_whole("msExchCoexistenceRelationship", true) {
            let hybrid = &mut sheet.inventory.organisation.hybrid;
            hybrid.by = vec![backed];
            hybrid.present = Observed::seen(false, backed);
        }
        return;
    };
    let source = sheet.source("msExchCoexistenceRelationship", false);
    let hybrid = &mut sheet.inventory.organisation.hybrid;
    hybrid.by = vec![backed];
    hybrid.present = Observed::seen(true, backed);
    hybrid.tls_certificate_name =
        answer.text(entry, "msExchCoexistenceSecureMailCertificateThumbprint", backed);
    hybrid.on_premises_smart_host = answer.text(entry, "msExchCoexistenceOnPremisesSmartHost", backed);
    // Which of the lists sends and which receives is hearsay: facts/active-directory.md 1.6 names no direction for them.
    hybrid.edge_transport_servers = answer.names(entry, "msExchCoexistenceEdgeTransportServers", source);
    hybrid.sending_transport_servers = answer.names(entry, "msExchCoexistenceTransportServers", source);
    hybrid.receiving_transport_servers =
        answer.names(entry, "msExchCoexistenceFrontendTransportServers", source);
    hybrid.client_access_servers = answer.names(entry, "msExchCoexistenceServers", source);
    hybrid.domains = answer.list(entry, "msExchCoexistenceDomains", source);
}

fn partner_application(
    sheet: &mut Sheet<'_>,
    entry: &Entry,
    _: SourceId,
    source: SourceId,
) -> Option<PartnerApplication> {
    let answer = sheet.answer;
    let mut application = PartnerApplication::new(entry.name());
    application.application_identifier = answer.text(entry, "msExchAuthApplicationIdentifier", source);
    application.enabled = map(answer.flags(entry, "msExchAuthFlags", source), |bits| {
        bits & 1 != 0
    });
    let mut thumbprints = Vec::new();
    let mut whole = true;
    for bytes in entry.all_bytes("msExchAuthCertificateData") {
        match certificate_of(bytes) {
            Ok(certificate) => thumbprints.push(sheet.inventory.keep(certificate)),
            Err(found) => {
                whole = false;
                sheet.error(entry, "msExchAuthCertificateData", "a certificate", found);
            }
        }
    }
    thumbprints.sort();
    if whole && !thumbprints.is_empty() {
        application.certificates = Observed::seen(thumbprints, source);
    }
    Some(application)
}

fn federation_trust(
    sheet: &mut Sheet<'_>,
    entry: &Entry,
    backed: SourceId,
    source: SourceId,
) -> Option<FederationTrust> {
    let mut trust = FederationTrust::new(entry.name());
    trust.current = federation_slot(
        sheet,
        entry,
        "msExchFedOrgPrivCertificate",
        "msExchFedOrgCertificate",
        backed,
        source,
    );
    trust.next = federation_slot(
        sheet,
        entry,
        "msExchFedOrgNextPrivCertificate",
        "msExchFedOrgNextCertificate",
        backed,
        source,
    );
    trust.previous = federation_slot(
        sheet,
        entry,
        "msExchFedOrgPrevPrivCertificate",
        "msExchFedOrgPrevCertificate",
        backed,
        source,
    );
    trust.application_uri = sheet.answer.text(entry, "msExchFedApplicationUri", source);
    Some(trust)
}

/// The thumbprint that `private` names, else that of the certificate in `public`, else a thumbprint in `public`: the
/// vendor's article has an administrator paste one there.
fn federation_slot(
    sheet: &mut Sheet<'_>,
    entry: &Entry,
    private: &str,
    public: &str,
    backed: SourceId,
    source: SourceId,
) -> Observed<Thumbprint> {
    let answer = sheet.answer;
    let by = if is_backed(private) { backed } else { source };
    // Kept also where the thumbprint is named: it shows what the thumbprint stands for.
    let held = match entry
        .text(public)
        .and_then(|text| text.parse::<Thumbprint>().ok())
    {
        Some(thumbprint) => Observed::seen(thumbprint, source),
        None => certificate(sheet, entry, public, source),
    };
    let named = answer.observed(entry, private, by, |entry| {
        entry
            .text(private)
            .unwrap_or_default()
            .parse::<Thumbprint>()
            .map_err(|error| error.to_string())
    });
    if named.is_unknown() && entry.bytes(private).is_some() {
        sheet.error(
            entry,
            private,
            "a thumbprint of 40 hex digits",
            named.reasons().join(", "),
        );
    }
    if named.value().is_some() || held.value().is_none() && !named.is_unknown() {
        named
    } else {
        held
    }
}

fn accepted_domain(
    sheet: &mut Sheet<'_>,
    entry: &Entry,
    _: SourceId,
    source: SourceId,
) -> Option<AcceptedDomain> {
    let answer = sheet.answer;
    let mut domain = AcceptedDomain::new(entry.name());
    domain.domain_name = answer.text(entry, "msExchAcceptedDomainName", source);
    let flags = answer.flags(entry, "msExchAcceptedDomainFlags", source);
    domain.domain_type = match flags.value().map(|bits| bits & 3) {
        Some(0) => Observed::seen("Authoritative".to_owned(), source),
        Some(other) => Observed::unknown(format!("no name is known for the type {other} of the directory")),
        None => map(flags.clone(), |_| String::new()),
    };
    domain.default = map(flags, |bits| bits & 4 != 0);
    Some(domain)
}

/// `<S CN="component" SN="section" R="reason"><Ss><S>server</S></Ss><Ps><P>Name=Value</P></Ps></S>`.
fn setting_override(
    sheet: &mut Sheet<'_>,
    entry: &Entry,
    _: SourceId,
    source: SourceId,
) -> Option<SettingOverride> {
    const ATTRIBUTE: &str = "msExchConfigurationXML";
    let mut setting = SettingOverride::new(entry.name());
    let Some(xml) = entry.text(ATTRIBUTE) else {
        setting.component = Observed::unknown(format!("no {ATTRIBUTE} in the directory"));
        return Some(setting);
    };
    match Override::read(xml) {
        Ok(read) => {
            setting.component = Observed::looked(read.component, source);
            setting.section = Observed::looked(read.section, source);
            setting.reason = Observed::looked(read.reason, source);
            setting.parameters = Observed::seen(read.parameters, source);
            setting.server =
                Observed::looked((!read.servers.is_empty()).then(|| read.servers.join(",")), source);
        }
        Err(found) => {
            sheet.error(entry, ATTRIBUTE, "an override as XML", found);
            setting.component = Observed::unknown(format!("{ATTRIBUTE} could not be read"));
        }
    }
    Some(setting)
}

/// A setting override's XML.
#[derive(Default)]
struct Override {
    component: Option<String>,
    section: Option<String>,
    reason: Option<String>,
    parameters: Vec<String>,
    servers: Vec<String>,
}

impl Override {
    fn read(xml: &str) -> Result<Self, String> {
        let mut reader = quick_xml::Reader::from_str(xml);
        let mut read = Self::default();
        let mut open: Vec<String> = Vec::new();
        let mut text = String::new();
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Eof if open.is_empty() => return Ok(read),
                Event::Eof => return Err("an element that is not closed".to_owned()),
                Event::Start(element) => {
                    if open.is_empty() {
                        for attribute in element.attributes() {
                            let attribute = attribute.map_err(|error| error.to_string())?;
                            let value = attribute
                                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                                .map_err(|error| error.to_string())?
                                .into_owned();
                            match attribute.key.as_ref() {
                                "CN" => read.component = Some(value),
                                "SN" => read.section = Some(value),
                                "R" => read.reason = Some(value),
                                _ => {}
                            }
                        }
                    }
                    open.push(element.name().as_ref().to_owned());
                    if open.len() > 8 {
                        return Err("elements more than 8 deep".to_owned());
                    }
                    text.clear();
                }
                Event::End(_) => {
                    let path: Vec<&str> = open.iter().map(String::as_str).collect();
                    match path.as_slice() {
                        ["S", "Ps", "P"] => read.parameters.push(std::mem::take(&mut text)),
                        ["S", "Ss", "S"] => read.servers.push(std::mem::take(&mut text)),
                        _ => {}
                    }
                    open.pop();
                }
                Event::Text(piece) => {
                    text.push_str(&piece);
                }
                Event::GeneralRef(piece) => {
                    let name: &str = &piece;
                    let entity = piece
                        .resolve_char_ref()
                        .ok()
                        .flatten()
                        .map(String::from)
                        .or_else(|| quick_xml::escape::resolve_predefined_entity(name).map(str::to_owned));
                    text.push_str(&entity.ok_or_else(|| format!("the entity {name:?}"))?);
                }
                _ => {}
            }
        }
    }
}
