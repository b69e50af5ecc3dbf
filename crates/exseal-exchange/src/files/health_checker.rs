//! The XML that Microsoft's HealthChecker.ps1 writes: one object a server, with the cmdlets' objects inside it.
//!
//! Map: fixtures/healthchecker/README.md. Paths that a version lacks are simply not there; what HealthChecker computed
//! itself goes to a field of its own.

use std::borrow::Cow;

use exseal_model::inventory::{
    JudgedCertificate, JudgedConnector, ServerName, SettingOverride, SiteBinding, WebSite, WindowsService,
};
use exseal_model::{Channel, Look, Observed};
use exseal_psrp::clixml::{Document, Value};

use super::objects::Seen;
use super::{Page, application_host, cmdlets};

/// Reads a value if it is a HealthChecker result; says whether it was one.
pub(super) fn read(page: &mut Page, document: &Document<'_>, value: &Value<'_>) -> bool {
    let Some(health) = document.path(value, &["HealthCheckerExchangeServer"]) else {
        return false;
    };
    let Some(name) = document
        .path(health, &["ServerName"])
        .and_then(|name| document.text(name))
    else {
        page.error("HealthCheckerExchangeServer", "ServerName", "none");
        return true;
    };
    let name = ServerName::Known(name.into_owned());
    let judged = page.source(Channel::Tool, "HealthChecker", false);
    let at = |path: &[&str]| {
        document
            .path(health, path)
            .filter(|value| !matches!(value, Value::Nil))
    };

    let header = Seen {
        document,
        value: health,
        source: judged,
    };
    let generated = header.time(page, "GenerationTime", "HealthCheckerExchangeServer");
    let own = &mut page.inventory.server_mut(&name).healthchecker;
    own.generated_at = generated;
    own.version = header.text("HealthCheckerVersion");
    let when = own.generated_at.value().copied();

    let before = page.inventory.servers.len();
    for (place, path) in [
        (
            "GetExchangeServer",
            &["ExchangeInformation", "GetExchangeServer"][..],
        ),
        ("GetAuthConfig", &["OrganizationInformation", "GetAuthConfig"]),
        (
            "GetOrganizationConfig",
            &["OrganizationInformation", "GetOrganizationConfig"],
        ),
        (
            "GetHybridConfiguration",
            &["OrganizationInformation", "GetHybridConfiguration"],
        ),
        (
            "GetSettingOverride",
            &["OrganizationInformation", "GetSettingOverride"],
        ),
        (
            "GetPartnerApplication",
            &["OrganizationInformation", "GetPartnerApplication"],
        ),
        (
            "GetTransportService",
            &["ExchangeInformation", "GetTransportService"],
        ),
        (
            "GetReceiveConnector",
            &["ExchangeInformation", "GetReceiveConnector"],
        ),
        (
            "GetSendConnector",
            &["OrganizationInformation", "GetSendConnector"],
        ),
        ("GetMailboxServer", &["ExchangeInformation", "GetMailboxServer"]),
        (
            "GetServerComponentState",
            &[
                "ExchangeInformation",
                "ServerMaintenance",
                "GetServerComponentState",
            ],
        ),
        (
            "Certificates",
            &[
                "ExchangeInformation",
                "ExchangeCertificateInformation",
                "Certificates",
            ],
        ),
    ] {
        cmdlets::read_kept(page, document, at(path), place);
    }
    accepted_overrides(
        page,
        document,
        at(&[
            "ExchangeInformation",
            "SettingOverrides",
            "SimpleSettingOverrides",
        ]),
    );
    adopt_certificates(page, &name);
    if let Some(directories) =
        at(&["ExchangeInformation", "VirtualDirectories"]).and_then(|value| document.object(value))
    {
        for property in directories.extended.iter().chain(&directories.adapted).flatten() {
            cmdlets::read_kept(page, document, Some(&property.value), "VirtualDirectories");
        }
    }
    build(
        page,
        document,
        &name,
        at(&["ExchangeInformation", "BuildInformation"]),
    );
    services(
        page,
        document,
        &name,
        at(&["ExchangeInformation", "DependentServices", "Services"]),
    );
    if let Some(values) = at(&["OSInformation", "RegistryValues"]) {
        let source = page.source(Channel::Server, "registry", false);
        let seen = Seen {
            document,
            value: values,
            source,
        };
        let server = page.inventory.server_mut(&name);
        server.root_auto_update_disabled = registry_flag(&seen, "DisableRootAutoUpdate");
        server.ecc_support_in_registry = registry_flag(&seen, "EnableEccCertificateSupport");
    }
    let sites = at(&["ExchangeInformation", "IISSettings", "IISWebSite"]);
    web_sites(page, document, &name, sites);
    if sites.is_none()
        && let Some(config) = at(&["ExchangeInformation", "IISSettings", "ApplicationHostConfig"])
            .and_then(|value| document.text(value))
    {
        application_host::read(page, &config);
        adopt_nameless(page, &name);
    }
    overrides(
        page,
        document,
        at(&[
            "ExchangeInformation",
            "SettingOverrides",
            "SimpleSettingOverrides",
        ]),
    );
    if let Some(thumbprint) = at(&["ExchangeInformation", "ExchangeCertificateInformation"]) {
        let seen = Seen {
            document,
            value: thumbprint,
            source: judged,
        };
        let found = seen.thumbprint(
            page,
            "InternalCertificateThumbprint",
            "ExchangeCertificateInformation",
        );
        let server = page.inventory.server_mut(&name);
        if server.internal_transport.is_unknown() && found.value().is_some() {
            server.internal_transport = found;
        }
    }
    judged_certificates(
        page,
        document,
        &name,
        at(&[
            "ExchangeInformation",
            "ExchangeCertificateInformation",
            "CustomCertificates",
        ]),
        judged,
    );
    judged_connectors(
        page,
        document,
        &name,
        at(&["ExchangeInformation", "ExchangeCustomConnector"]),
        judged,
    );
    debug_assert!(page.inventory.servers.len() >= before);

    for source in &mut page.inventory.sources {
        source.at = source.at.or(when);
    }
    cmdlets::finish(page);
    true
}

/// A registry value as a switch: 1 is on. HealthChecker writes a number or its text; a version that did not look at it
/// leaves it out.
fn registry_flag(seen: &Seen<'_, '_>, name: &str) -> Observed<bool> {
    match seen.plain(name).as_deref() {
        Some("") | None => Observed::default(),
        Some(text) => Observed::seen(text == "1", seen.source),
    }
}

/// The setting overrides that the server said it accepted: all it knows, in the short form that HealthChecker keeps.
fn accepted_overrides(page: &mut Page, document: &Document<'_>, kept: Option<&Value<'_>>) {
    let Some(kept) = kept else { return };
    let items = document.items(kept).unwrap_or(std::slice::from_ref(kept));
    for value in items {
        let source = page.source(Channel::Exchange, "Get-ExchangeDiagnosticInfo", false);
        let seen = Seen {
            document,
            value,
            source,
        };
        let Some(name) = seen.plain("Name") else { continue };
        let mut setting = SettingOverride::new(name.into_owned());
        setting.component = seen.text("ComponentName");
        setting.section = seen.text("SectionName");
        setting.parameters = seen.list("Parameters");
        setting.reason = seen.text("Reason");
        let listing = &mut page.inventory.organisation.setting_overrides;
        cmdlets::add(listing, setting, source);
        // What one server accepted is not all there is.
        for look in listing.looks.iter_mut().filter(|look| look.source == source) {
            look.complete = false;
        }
    }
}

/// Certificates of HealthChecker are the server's store, whatever computer the session ran on.
fn adopt_certificates(page: &mut Page, name: &ServerName) {
    adopt_nameless(page, name);
    let source = page
        .inventory
        .sources
        .iter()
        .position(|source| source.what == "X509Certificate2");
    let Some(source) = source
        .and_then(|at| u32::try_from(at).ok())
        .map(exseal_model::SourceId)
    else {
        return;
    };
    let loose = std::mem::take(&mut page.inventory.of_unknown_use);
    let server = page.inventory.server_mut(name);
    for one in loose {
        let mut entry = exseal_model::inventory::StoreEntry::new(one.thumbprint);
        entry.friendly_name = one
            .friendly_name
            .map_or_else(Observed::default, |name| Observed::seen(name, source));
        cmdlets::add(&mut server.my, entry, source);
    }
}

fn adopt_nameless(page: &mut Page, name: &ServerName) {
    let at = page
        .inventory
        .servers
        .iter()
        .position(|server| server.name.known().is_none());
    if let Some(at) = at {
        let mut nameless = page.inventory.servers.remove(at);
        nameless.name = name.clone();
        exseal_model::Merge::merge(page.inventory.server_mut(name), nameless);
    }
}

/// The overrides that the server itself has taken in, as its diagnostics tell them: not all that the organisation has.
fn overrides(page: &mut Page, document: &Document<'_>, value: Option<&Value<'_>>) {
    let Some(value) = value else { return };
    let source = page.source(Channel::Exchange, "Get-ExchangeDiagnosticInfo", false);
    let one = std::slice::from_ref(value);
    for item in document.items(value).unwrap_or(one) {
        let seen = Seen {
            document,
            value: item,
            source,
        };
        let Some(name) = seen.plain("Name") else { continue };
        let mut setting = SettingOverride::new(name.into_owned());
        setting.component = seen.text("ComponentName");
        setting.section = seen.text("SectionName");
        setting.parameters = seen.list("Parameters");
        setting.reason = seen.text("Reason");
        cmdlets::add_some(
            &mut page.inventory.organisation.setting_overrides,
            setting,
            source,
        );
    }
}

fn build(page: &mut Page, document: &Document<'_>, name: &ServerName, value: Option<&Value<'_>>) {
    let Some(value) = value else { return };
    let source = page.source(Channel::Server, "ExSetup.exe", false);
    if let Some(setup) = document
        .path(value, &["ExchangeSetup"])
        .filter(|value| !matches!(value, Value::Nil))
    {
        let seen = Seen {
            document,
            value: setup,
            source,
        };
        let mut build = seen.build(page, "FileVersion", "ExchangeSetup");
        if build.is_unknown() {
            // A FileVersionInfo cut to text: the version stands in its ToString.
            let text = document.text(setup).unwrap_or_default();
            let version = text
                .lines()
                .find_map(|line| line.split_once("FileVersion:").map(|(_, version)| version.trim()));
            build = version
                .and_then(|version| version.parse().ok())
                .map_or_else(Observed::default, |build| Observed::seen(build, source));
        }
        page.inventory.server_mut(name).setup_build = build;
    }
    let judged = page.source(Channel::Tool, "HealthChecker", false);
    let friendly = document
        .path(value, &["VersionInformation", "FriendlyName"])
        .and_then(|value| document.text(value))
        .map(Cow::into_owned);
    if let Some(friendly) = friendly {
        page.inventory.server_mut(name).healthchecker.friendly_build = Observed::seen(friendly, judged);
    }
}

fn services(page: &mut Page, document: &Document<'_>, name: &ServerName, value: Option<&Value<'_>>) {
    let Some(items) = value.and_then(|value| document.items(value)) else {
        return;
    };
    let source = page.source(Channel::Server, "Get-Service", false);
    for item in items {
        let seen = Seen {
            document,
            value: item,
            source,
        };
        let Some(own) = seen.plain("Name") else { continue };
        let mut service = WindowsService::new(own.into_owned());
        service.status = seen.text("Status");
        service.start_type = seen.text("StartType");
        service.by = vec![source];
        let listing = &mut page.inventory.server_mut(name).services;
        if listing.looks.is_empty() {
            listing.looks.push(Look {
                source,
                complete: false,
            });
        }
        listing.items.push(service);
    }
}

fn web_sites(page: &mut Page, document: &Document<'_>, name: &ServerName, value: Option<&Value<'_>>) {
    let Some(items) = value.and_then(|value| document.items(value)) else {
        return;
    };
    let source = page.source(Channel::Server, "Get-Website", false);
    for (at, item) in items.iter().enumerate() {
        let seen = Seen {
            document,
            value: item,
            source,
        };
        let Some(own) = seen.plain("Name") else { continue };
        let mut site = WebSite::new(own.into_owned());
        site.id = seen.number("Id");
        site.state = seen.text("State");
        let bindings = seen
            .property("Bindings")
            .and_then(|value| document.items(value))
            .unwrap_or_default();
        for (place, binding) in bindings.iter().enumerate() {
            let seen = Seen {
                document,
                value: binding,
                source,
            };
            let at = format!("IISWebSite[{at}], binding {place}");
            let binding: Option<SiteBinding> = cmdlets::binding_of(page, seen, &at);
            if let Some(binding) = binding {
                cmdlets::add(&mut site.bindings, binding, source);
            }
        }
        cmdlets::add(&mut page.inventory.server_mut(name).sites, site, source);
    }
}

fn judged_certificates(
    page: &mut Page,
    document: &Document<'_>,
    name: &ServerName,
    value: Option<&Value<'_>>,
    source: exseal_model::SourceId,
) {
    let Some(items) = value.and_then(|value| document.items(value)) else {
        return;
    };
    for (at, item) in items.iter().enumerate() {
        let seen = Seen {
            document,
            value: item,
            source,
        };
        let place = format!("CustomCertificates[{at}]");
        let Some(thumbprint) = seen.thumbprint(page, "Thumbprint", &place).value().copied() else {
            page.error(place, "a certificate's Thumbprint", "none");
            continue;
        };
        let mut judged = JudgedCertificate::new(thumbprint);
        judged.friendly_name = seen.text("FriendlyName");
        judged.lifetime_in_days = seen.number("LifetimeInDays");
        judged.current_auth = seen.text("IsCurrentAuthConfigCertificate");
        judged.public_key_size = seen.number("PublicKeySize");
        judged.signature_algorithm = seen.text("SignatureAlgorithm");
        let names = seen
            .property("Namespaces")
            .and_then(|value| document.items(value))
            .unwrap_or_default();
        let names: Vec<String> = names
            .iter()
            .filter_map(|item| {
                document
                    .path(item, &["Unicode"])
                    .or(Some(item))
                    .and_then(|value| document.text(value))
            })
            .map(Cow::into_owned)
            .collect();
        judged.namespaces = Observed::seen(names, source);
        cmdlets::add(
            &mut page.inventory.server_mut(name).healthchecker.certificates,
            judged,
            source,
        );

        // Where the raw list is not there, the judged one still carries each certificate.
        if page.inventory.certificate(thumbprint).is_none()
            && let Some(raw) = document
                .path(item, &["CertificateObject", "RawData"])
                .and_then(|value| document.bytes(value))
        {
            page.keep(raw, &place);
        }
    }
}

fn judged_connectors(
    page: &mut Page,
    document: &Document<'_>,
    name: &ServerName,
    value: Option<&Value<'_>>,
    source: exseal_model::SourceId,
) {
    let Some(items) = value.and_then(|value| document.items(value)) else {
        return;
    };
    for item in items {
        let seen = Seen {
            document,
            value: item,
            source,
        };
        let Some(identity) = seen.plain("Identity").or_else(|| seen.plain("Name")) else {
            continue;
        };
        let mut judged = JudgedConnector::new(identity.into_owned());
        judged.connector_type = seen.text("ConnectorType");
        if let Some(details) = seen.property("CertificateDetails") {
            judged.status = Seen {
                document,
                value: details,
                source,
            }
            .text("TlsCertificateNameStatus");
        }
        cmdlets::add(
            &mut page.inventory.server_mut(name).healthchecker.connectors,
            judged,
            source,
        );
    }
}
