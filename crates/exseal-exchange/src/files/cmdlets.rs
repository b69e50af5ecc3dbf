//! Which cmdlet an object comes from, by its type and properties, and what of it belongs into the inventory.
//!
//! Types and properties of the recorded ones are in facts/object-shapes.json; the others are read from their documented
//! properties and marked *unrecorded*.

use std::borrow::Cow;

use exseal_model::inventory::{
    AcceptedDomain, ClientAccessProtocol, ComponentState, EdgeSubscription, FederationTrust,
    PartnerApplication, Queue, ReceiveConnector, Role, RoleHealth, SendConnector, ServerName,
    SettingOverride, SiteBinding, VirtualDirectory, WebSite, WindowsService,
};
use exseal_model::{Channel, Keyed, Listing, Look, Merge as _, Observed, SourceId};
use exseal_psrp::clixml::{Document, Value};

use super::objects::Seen;
use super::{Page, certificate};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ExchangeCertificate,
    X509Certificate,
    AuthConfig,
    ExchangeServer,
    MailboxServer,
    ReceiveConnector,
    SendConnector,
    HybridConfiguration,
    SettingOverride,
    AcceptedDomain,
    ServiceHealth,
    VirtualDirectory,
    OrganizationConfig,
    PartnerApplication,
    ComponentState,
    Service,
    WebBinding,
    WebSite,
    DiagnosticInfo,
    TransportService,
    PopSettings,
    ImapSettings,
    FederationTrust,
    EdgeSubscription,
    ClientAccessService,
    OutlookAnywhere,
    Queue,
}

impl Kind {
    const fn cmdlet(self) -> &'static str {
        match self {
            Self::ExchangeCertificate => "Get-ExchangeCertificate",
            Self::X509Certificate => "X509Certificate2",
            Self::AuthConfig => "Get-AuthConfig",
            Self::ExchangeServer => "Get-ExchangeServer",
            Self::MailboxServer => "Get-MailboxServer",
            Self::ReceiveConnector => "Get-ReceiveConnector",
            Self::SendConnector => "Get-SendConnector",
            Self::HybridConfiguration => "Get-HybridConfiguration",
            Self::SettingOverride => "Get-SettingOverride",
            Self::AcceptedDomain => "Get-AcceptedDomain",
            Self::ServiceHealth => "Test-ServiceHealth",
            Self::VirtualDirectory => "Get-*VirtualDirectory",
            Self::OrganizationConfig => "Get-OrganizationConfig",
            Self::PartnerApplication => "Get-PartnerApplication",
            Self::ComponentState => "Get-ServerComponentState",
            Self::Service => "Get-Service",
            Self::WebBinding => "Get-WebBinding",
            Self::WebSite => "Get-Website",
            Self::DiagnosticInfo => "Get-ExchangeDiagnosticInfo",
            Self::TransportService => "Get-TransportService",
            Self::PopSettings => "Get-PopSettings",
            Self::ImapSettings => "Get-ImapSettings",
            Self::FederationTrust => "Get-FederationTrust",
            Self::EdgeSubscription => "Get-EdgeSubscription",
            Self::ClientAccessService => "Get-ClientAccessService",
            Self::OutlookAnywhere => "Get-OutlookAnywhere",
            Self::Queue => "Get-Queue",
        }
    }

    const fn is_unrecorded(self) -> bool {
        matches!(
            self,
            Self::TransportService
                | Self::PopSettings
                | Self::ImapSettings
                | Self::FederationTrust
                | Self::EdgeSubscription
                | Self::ClientAccessService
                | Self::OutlookAnywhere
                | Self::Queue
        )
    }

    const fn channel(self) -> Channel {
        match self {
            Self::Service | Self::WebBinding | Self::WebSite | Self::X509Certificate => Channel::Server,
            _ => Channel::Exchange,
        }
    }
}

/// The class's own name, without namespace and what PowerShell puts in front.
fn class_name(document: &Document<'_>, value: &Value<'_>) -> Option<String> {
    let object = document.object(value)?;
    let name = document.types(object).first()?.to_text().into_owned();
    let name = name.split('`').next().unwrap_or_default().trim_end_matches("[]");
    let class = name.rsplit('.').next().unwrap_or(name);
    Some(class.split('#').next().unwrap_or(class).to_owned())
}

fn kind(document: &Document<'_>, value: &Value<'_>) -> Option<Kind> {
    let class = class_name(document, value).unwrap_or_default();
    let object = document.object(value)?;
    let has = |name: &str| document.property(object, name).is_some();
    Some(match class.as_str() {
        "ExchangeCertificate" => Kind::ExchangeCertificate,
        "X509Certificate2" if has("SerializationData") => Kind::ExchangeCertificate,
        "X509Certificate2" => Kind::X509Certificate,
        "AuthConfig" => Kind::AuthConfig,
        "ExchangeServer" => Kind::ExchangeServer,
        "MailboxServer" => Kind::MailboxServer,
        "ReceiveConnector" => Kind::ReceiveConnector,
        "SmtpSendConnectorConfig" => Kind::SendConnector,
        "HybridConfiguration" => Kind::HybridConfiguration,
        "SettingOverride" => Kind::SettingOverride,
        "AcceptedDomain" => Kind::AcceptedDomain,
        "ExchangeServicesStatus" => Kind::ServiceHealth,
        "OrganizationConfig" => Kind::OrganizationConfig,
        "PartnerApplication" => Kind::PartnerApplication,
        "ServerComponentStatePresentationObject" => Kind::ComponentState,
        "ServiceController" => Kind::Service,
        "ExchangeDiagnosticInfoResult" => Kind::DiagnosticInfo,
        "FederationTrust" => Kind::FederationTrust,
        "EdgeSubscription" => Kind::EdgeSubscription,
        "ExtensibleQueueInfo" | "QueueInfo" => Kind::Queue,
        "Pop3AdConfiguration" => Kind::PopSettings,
        "Imap4AdConfiguration" => Kind::ImapSettings,
        "ADRpcHttpVirtualDirectory" => Kind::OutlookAnywhere,
        _ if has("bindingInformation") && has("protocol") => Kind::WebBinding,
        _ if has("bindings") && has("serverAutoStart") => Kind::WebSite,
        // Select-Object keeps properties and loses the type: what follows goes by properties alone.
        _ if has("InternalTransportCertificateThumbprint") => Kind::TransportService,
        _ if has("AutoDiscoverServiceInternalUri") => Kind::ClientAccessService,
        _ if has("Thumbprint") && has("Services") => Kind::ExchangeCertificate,
        _ if has("RawData") && has("Thumbprint") => Kind::X509Certificate,
        _ if has("CurrentCertificateThumbprint") => Kind::AuthConfig,
        _ if has("X509CertificateName") && has("SSLBindings") => {
            let text = ["ProtocolName", "Name", "Identity"]
                .iter()
                .filter_map(|name| {
                    document
                        .property(object, name)
                        .and_then(|value| document.text(value))
                })
                .collect::<Vec<_>>()
                .join(" ");
            if text.to_ascii_uppercase().contains("IMAP") {
                Kind::ImapSettings
            } else {
                Kind::PopSettings
            }
        }
        _ if has("OrgPrivCertificate") || has("OrgNextPrivCertificate") => Kind::FederationTrust,
        _ if has("InternalHostname") && has("ExternalHostname") => Kind::OutlookAnywhere,
        _ if has("TlsCertificateName") && has("AddressSpaces") => Kind::SendConnector,
        _ if has("TlsCertificateName") && has("PermissionGroups") => Kind::ReceiveConnector,
        _ if has("MetabasePath") && (has("InternalUrl") || has("ExternalUrl")) => Kind::VirtualDirectory,
        _ if has("NextHopDomain") && has("DeliveryType") => Kind::Queue,
        _ if has("AdminDisplayVersion") && has("Fqdn") && has("IsMailboxServer") => Kind::ExchangeServer,
        _ => return None,
    })
}

/// Reads an object that stands at the top of a file.
///
/// # Errors
///
/// What the object looks like, when it is none that exseal knows.
pub(super) fn read(
    page: &mut Page,
    document: &Document<'_>,
    value: &Value<'_>,
    at: &str,
) -> Result<(), String> {
    if let Some(kind) = kind(document, value) {
        take(page, document, value, kind, at);
        return Ok(());
    }
    // A list as one object: Export-Clixml of an array that was not unrolled.
    if let Some(items) = document.items(value)
        && items.iter().any(|item| kind_of_item(document, item))
    {
        for (place, item) in items.iter().enumerate() {
            if let Some(kind) = kind(document, item) {
                take(page, document, item, kind, &format!("{at}, item {}", place + 1));
            }
        }
        return Ok(());
    }
    Err(class_name(document, value).map_or_else(
        || match value {
            Value::Object(_) => "an object without a type".to_owned(),
            Value::Nil => "null: a command that returned nothing".to_owned(),
            _ => "a plain value".to_owned(),
        },
        |_| {
            let object = document.object(value);
            let names = object.map(|object| document.types(object)).unwrap_or_default();
            names
                .first()
                .map(|name| name.to_text().into_owned())
                .unwrap_or_default()
        },
    ))
}

fn kind_of_item(document: &Document<'_>, item: &Value<'_>) -> bool {
    kind(document, item).is_some()
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
pub(super) fn finish(page: &mut Page) {
    let certificates = page
        .inventory
        .sources
        .iter()
        .position(|source| source.what == "Get-ExchangeCertificate");
    if let Some(at) = certificates.and_then(|at| u32::try_from(at).ok()) {
        certificate::finish(page, SourceId(at));
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

fn take(page: &mut Page, document: &Document<'_>, value: &Value<'_>, kind: Kind, at: &str) {
    let cmdlet = match kind {
        Kind::VirtualDirectory => virtual_directory_cmdlet(document, value),
        _ => Cow::Borrowed(kind.cmdlet()),
    };
    let source = page.source(kind.channel(), &cmdlet, kind.is_unrecorded());
    let seen = Seen {
        document,
        value,
        source,
    };
    match kind {
        Kind::ExchangeCertificate => certificate::read(page, seen, true, at),
        Kind::X509Certificate => certificate::read(page, seen, false, at),
        Kind::AuthConfig => auth_config(page, seen, at),
        Kind::ExchangeServer => exchange_server(page, seen, at),
        Kind::MailboxServer => mailbox_server(page, seen, at),
        Kind::ReceiveConnector => receive_connector(page, seen),
        Kind::SendConnector => send_connector(page, seen),
        Kind::HybridConfiguration => hybrid(page, seen),
        Kind::SettingOverride => setting_override(page, seen),
        Kind::AcceptedDomain => accepted_domain(page, seen),
        Kind::ServiceHealth => service_health(page, seen),
        Kind::VirtualDirectory => virtual_directory(page, seen, &cmdlet),
        Kind::OutlookAnywhere => outlook_anywhere(page, seen),
        Kind::OrganizationConfig => organization_config(page, seen, at),
        Kind::PartnerApplication => partner_application(page, seen),
        Kind::ComponentState => component_state(page, seen),
        Kind::Service => service(page, seen),
        Kind::WebBinding => web_binding(page, seen, at),
        Kind::WebSite => web_site(page, seen, at),
        Kind::DiagnosticInfo => {}
        Kind::TransportService => transport_service(page, seen, at),
        Kind::PopSettings | Kind::ImapSettings => {
            client_access_protocol(page, seen, kind == Kind::ImapSettings);
        }
        Kind::FederationTrust => federation_trust(page, seen, at),
        Kind::EdgeSubscription => edge_subscription(page, seen),
        Kind::ClientAccessService => client_access_service(page, seen),
        Kind::Queue => queue(page, seen),
    }
}

fn server_name(page: &Page, name: Option<String>) -> ServerName {
    name.filter(|name| !name.is_empty())
        .map_or_else(|| page.nameless(), ServerName::Known)
}

fn auth_config(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let current = seen.thumbprint(page, "CurrentCertificateThumbprint", at);
    let previous = seen.thumbprint(page, "PreviousCertificateThumbprint", at);
    let next = seen.thumbprint(page, "NextCertificateThumbprint", at);
    let next_effective = seen.time(page, "NextCertificateEffectiveDate", at);
    let config = &mut page.inventory.organisation.auth_config;
    config.by = vec![seen.source];
    config.current = current;
    config.previous = previous;
    config.next = next;
    config.next_effective = next_effective;
    config.realm = seen.text("Realm");
    config.service_name = seen.text("ServiceName");
}

fn roles(seen: Seen<'_, '_>) -> Observed<Vec<Role>> {
    let Some(text) = seen.plain("ServerRole") else {
        return Observed::default();
    };
    let roles = text
        .split(',')
        .filter_map(|role| {
            Some(match role.trim() {
                "Mailbox" => Role::Mailbox,
                "ClientAccess" | "Cafe" => Role::ClientAccess,
                "HubTransport" => Role::HubTransport,
                "UnifiedMessaging" => Role::UnifiedMessaging,
                "Edge" => Role::Edge,
                "FrontendTransport" => Role::FrontendTransport,
                "None" => Role::None,
                _ => return None,
            })
        })
        .collect();
    Observed::seen(roles, seen.source)
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

fn exchange_server(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let build = seen.build(page, "AdminDisplayVersion", at);
    let name = server_name(
        page,
        seen.plain("Name").map(Cow::into_owned).or_else(|| seen.itself()),
    );
    let server = page.inventory.server_mut(&name);
    server.by = vec![seen.source];
    server.fqdn = seen.text("Fqdn");
    server.roles = roles(seen);
    server.site = last_part(seen.text("Site"));
    server.edition = seen.text("Edition");
    server.build = build;
}

fn mailbox_server(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let build = seen.build(page, "AdminDisplayVersion", at);
    let name = server_name(page, seen.plain("Name").map(Cow::into_owned));
    let group = last_part(seen.text("DatabaseAvailabilityGroup"));
    let scp = seen.text("AutoDiscoverServiceInternalUri");
    let server = page.inventory.server_mut(&name);
    server.build.merge(build);
    server.availability_group = group;
    if !scp.is_unknown() {
        add_scp(server, &name, scp, seen.source);
    }
}

fn add_scp(
    server: &mut exseal_model::inventory::Server,
    name: &ServerName,
    url: Observed<String>,
    source: SourceId,
) {
    let mut scp = VirtualDirectory::new(format!("{name}\\Autodiscover SCP"));
    scp.kind = Observed::seen("scp".to_owned(), source);
    scp.internal_url = url;
    add(&mut server.virtual_directories, scp, source);
    mark_partial(&mut server.virtual_directories, source);
}

/// A cmdlet of one kind of directory shows not all there are.
fn mark_partial<T>(listing: &mut Listing<T>, source: SourceId) {
    for look in &mut listing.looks {
        if look.source == source {
            look.complete = false;
        }
    }
}

fn receive_connector(page: &mut Page, seen: Seen<'_, '_>) {
    let Some(name) = seen.plain("Name").map(Cow::into_owned).or_else(|| {
        seen.plain("Identity")
            .map(|identity| identity.rsplit('\\').next().unwrap_or_default().to_owned())
    }) else {
        return page.error("a receive connector", "the property Name", "none");
    };
    let mut connector = ReceiveConnector::new(name);
    connector.identity = seen.text("Identity");
    connector.fqdn = seen.text("Fqdn");
    connector.tls_certificate_name = seen.text("TlsCertificateName");
    connector.enabled = seen.flag("Enabled");
    connector.bindings = seen.list("Bindings");
    connector.remote_ip_ranges = seen.list("RemoteIPRanges");
    connector.transport_role = seen.text("TransportRole");
    connector.auth_mechanism = seen.flags("AuthMechanism");
    connector.permission_groups = seen.flags("PermissionGroups");
    connector.require_tls = seen.flag("RequireTLS");
    connector.domain_secure_enabled = seen.flag("DomainSecureEnabled");
    connector.tls_domain_capabilities = seen.list("TlsDomainCapabilities");
    connector.suppress_x_anonymous_tls = seen.flag("SuppressXAnonymousTls");
    connector.protocol_logging_level = seen.text("ProtocolLoggingLevel");
    let server = seen
        .server_of_identity()
        .or_else(|| {
            seen.plain("Server")
                .map(|server| server.rsplit('/').next().unwrap_or_default().to_owned())
        })
        .or_else(|| seen.computer());
    let name = server_name(page, server);
    add(
        &mut page.inventory.server_mut(&name).receive_connectors,
        connector,
        seen.source,
    );
}

fn send_connector(page: &mut Page, seen: Seen<'_, '_>) {
    let Some(name) = seen
        .plain("Name")
        .or_else(|| seen.plain("Identity"))
        .map(Cow::into_owned)
    else {
        return page.error("a send connector", "the property Name", "none");
    };
    let mut connector = SendConnector::new(name);
    connector.identity = seen.text("Identity");
    connector.fqdn = seen.text("Fqdn");
    connector.tls_certificate_name = seen.text("TlsCertificateName");
    connector.enabled = seen.flag("Enabled");
    connector.address_spaces = seen.list("AddressSpaces");
    connector.smart_hosts = seen.list("SmartHosts");
    connector.source_transport_servers = seen.list("SourceTransportServers");
    connector.require_tls = seen.flag("RequireTLS");
    connector.tls_auth_level = seen.text("TlsAuthLevel");
    connector.tls_domain = seen.text("TlsDomain");
    connector.cloud_services_mail_enabled = seen.flag("CloudServicesMailEnabled");
    connector.ignore_starttls = seen.flag("IgnoreSTARTTLS");
    connector.force_helo = seen.flag("ForceHELO");
    connector.dns_routing_enabled = seen.flag("DNSRoutingEnabled");
    connector.frontend_proxy_enabled = seen.flag("FrontendProxyEnabled");
    connector.domain_secure_enabled = seen.flag("DomainSecureEnabled");
    connector.port = seen.number("Port");
    connector.protocol_logging_level = seen.text("ProtocolLoggingLevel");
    add(
        &mut page.inventory.organisation.send_connectors,
        connector,
        seen.source,
    );
}

fn hybrid(page: &mut Page, seen: Seen<'_, '_>) {
    let hybrid = &mut page.inventory.organisation.hybrid;
    hybrid.by = vec![seen.source];
    hybrid.present = Observed::seen(true, seen.source);
    hybrid.tls_certificate_name = seen.text("TlsCertificateName");
    hybrid.receiving_transport_servers = seen.list("ReceivingTransportServers");
    hybrid.sending_transport_servers = seen.list("SendingTransportServers");
    hybrid.edge_transport_servers = seen.list("EdgeTransportServers");
    hybrid.client_access_servers = seen.list("ClientAccessServers");
    hybrid.domains = seen.list("Domains");
    hybrid.features = seen.list("Features");
    hybrid.on_premises_smart_host = seen.text("OnPremisesSmartHost");
}

fn setting_override(page: &mut Page, seen: Seen<'_, '_>) {
    let name = seen
        .plain("Name")
        .map_or_else(|| seen.itself().unwrap_or_default(), Cow::into_owned);
    let mut setting = SettingOverride::new(name);
    setting.component = seen.text("ComponentName");
    setting.section = seen.text("SectionName");
    setting.parameters = seen.list("Parameters");
    setting.server = seen.text("Server");
    setting.reason = seen.text("Reason");
    add(
        &mut page.inventory.organisation.setting_overrides,
        setting,
        seen.source,
    );
}

fn accepted_domain(page: &mut Page, seen: Seen<'_, '_>) {
    let name = seen
        .plain("Name")
        .map_or_else(|| seen.itself().unwrap_or_default(), Cow::into_owned);
    let mut domain = AcceptedDomain::new(name);
    domain.domain_name = seen.text("DomainName");
    domain.domain_type = seen.text("DomainType");
    domain.default = seen.flag("Default");
    add(
        &mut page.inventory.organisation.accepted_domains,
        domain,
        seen.source,
    );
}

fn service_health(page: &mut Page, seen: Seen<'_, '_>) {
    let Some(role) = seen.plain("Role").map(Cow::into_owned) else {
        return;
    };
    let mut health = RoleHealth::new(role);
    health.required_services_running = seen.flag("RequiredServicesRunning");
    health.services_running = seen.list("ServicesRunning");
    health.services_not_running = seen.list("ServicesNotRunning");
    let name = server_name(page, seen.computer());
    add(&mut page.inventory.server_mut(&name).health, health, seen.source);
}

fn virtual_directory_cmdlet(document: &Document<'_>, value: &Value<'_>) -> Cow<'static, str> {
    let class = class_name(document, value).unwrap_or_default();
    let known = [
        ("ADOwaVirtualDirectory", "Get-OwaVirtualDirectory"),
        ("ADEcpVirtualDirectory", "Get-EcpVirtualDirectory"),
        ("ADWebServicesVirtualDirectory", "Get-WebServicesVirtualDirectory"),
        ("ADMapiVirtualDirectory", "Get-MapiVirtualDirectory"),
        ("ADOabVirtualDirectory", "Get-OabVirtualDirectory"),
        ("ADMobileVirtualDirectory", "Get-ActiveSyncVirtualDirectory"),
        ("ADPowerShellVirtualDirectory", "Get-PowerShellVirtualDirectory"),
        (
            "ADAutodiscoverVirtualDirectory",
            "Get-AutodiscoverVirtualDirectory",
        ),
    ];
    known.iter().find(|(own, _)| *own == class).map_or_else(
        || Cow::Owned(format!("virtual directory ({class})")),
        |(_, cmdlet)| Cow::Borrowed(*cmdlet),
    )
}

fn directory_kind(cmdlet: &str) -> &'static str {
    match cmdlet {
        "Get-OwaVirtualDirectory" => "owa",
        "Get-EcpVirtualDirectory" => "ecp",
        "Get-WebServicesVirtualDirectory" => "ews",
        "Get-MapiVirtualDirectory" => "mapi",
        "Get-OabVirtualDirectory" => "oab",
        "Get-ActiveSyncVirtualDirectory" => "activesync",
        "Get-PowerShellVirtualDirectory" => "powershell",
        "Get-AutodiscoverVirtualDirectory" => "autodiscover",
        _ => "other",
    }
}

fn server_of_directory(seen: Seen<'_, '_>) -> Option<String> {
    seen.plain("Server")
        .map(|server| server.rsplit('/').next().unwrap_or_default().to_owned())
        .or_else(|| seen.server_of_identity())
        .or_else(|| {
            let path = seen.plain("MetabasePath")?;
            path.strip_prefix("IIS://")?.split('/').next().map(str::to_owned)
        })
        .or_else(|| seen.computer())
}

fn virtual_directory(page: &mut Page, seen: Seen<'_, '_>, cmdlet: &str) {
    let name = server_name(page, server_of_directory(seen));
    let own = seen
        .plain("Name")
        .or_else(|| seen.plain("Identity"))
        .unwrap_or_default();
    let own = own.rsplit('\\').next().unwrap_or_default();
    let mut directory = VirtualDirectory::new(format!("{name}\\{own}"));
    directory.kind = Observed::seen(directory_kind(cmdlet).to_owned(), seen.source);
    directory.internal_url = seen.text("InternalUrl");
    directory.external_url = seen.text("ExternalUrl");
    directory.extended_protection = seen.text("ExtendedProtectionTokenChecking");
    if cmdlet != "Get-OwaVirtualDirectory" && cmdlet != "Get-WebServicesVirtualDirectory" {
        page.unrecorded = true;
    }
    if cmdlet == "Get-OwaVirtualDirectory" && !seen.text("InstantMessagingCertificateThumbprint").is_unknown()
    {
        let thumbprint = seen.thumbprint(
            page,
            "InstantMessagingCertificateThumbprint",
            "an OWA virtual directory",
        );
        page.inventory
            .organisation
            .instant_messaging_certificate_thumbprint
            .merge(thumbprint);
    }
    let server = page.inventory.server_mut(&name);
    add(&mut server.virtual_directories, directory, seen.source);
    mark_partial(&mut server.virtual_directories, seen.source);
}

fn outlook_anywhere(page: &mut Page, seen: Seen<'_, '_>) {
    let name = server_name(page, server_of_directory(seen));
    let mut directory = VirtualDirectory::new(format!("{name}\\Rpc (Default Web Site)"));
    directory.kind = Observed::seen("outlook-anywhere".to_owned(), seen.source);
    directory.internal_host = seen.text("InternalHostname");
    directory.external_host = seen.text("ExternalHostname");
    directory.extended_protection = seen.text("ExtendedProtectionTokenChecking");
    let server = page.inventory.server_mut(&name);
    add(&mut server.virtual_directories, directory, seen.source);
    mark_partial(&mut server.virtual_directories, seen.source);
}

fn client_access_service(page: &mut Page, seen: Seen<'_, '_>) {
    let name = server_name(
        page,
        seen.plain("Name")
            .map(Cow::into_owned)
            .or_else(|| seen.computer()),
    );
    let url = seen.text("AutoDiscoverServiceInternalUri");
    add_scp(page.inventory.server_mut(&name), &name, url, seen.source);
}

fn organization_config(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let encrypt = seen.thumbprint(page, "AdfsEncryptCertificateThumbprint", at);
    let mut sign = Observed::default();
    if let Observed::Seen(sightings) = seen.list("AdfsSignCertificateThumbprints") {
        let texts = sightings
            .into_iter()
            .filter_map(|sighting| sighting.value)
            .flatten();
        let mut thumbprints = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(thumbprint) => thumbprints.push(thumbprint),
                Err(error) => {
                    let error: exseal_model::ThumbprintError = error;
                    let place = format!("{at}, property AdfsSignCertificateThumbprints");
                    page.error(place, "thumbprints of 40 hex digits", error.to_string());
                }
            }
        }
        sign = Observed::seen(thumbprints, seen.source);
    }
    let organisation = &mut page.inventory.organisation;
    organisation.name = seen.text("Name");
    organisation.adfs_sign_certificate_thumbprints = sign;
    organisation.adfs_encrypt_certificate_thumbprint = encrypt;
}

fn partner_application(page: &mut Page, seen: Seen<'_, '_>) {
    let name = seen
        .plain("Name")
        .map_or_else(|| seen.itself().unwrap_or_default(), Cow::into_owned);
    let mut application = PartnerApplication::new(name);
    application.application_identifier = seen.text("ApplicationIdentifier");
    application.enabled = seen.flag("Enabled");
    add(
        &mut page.inventory.organisation.partner_applications,
        application,
        seen.source,
    );
}

fn component_state(page: &mut Page, seen: Seen<'_, '_>) {
    let Some(component) = seen.plain("Component").map(Cow::into_owned) else {
        return;
    };
    let mut state = ComponentState::new(component);
    state.state = seen.text("State");
    let requesters = seen
        .property("LocalStates")
        .and_then(|value| seen.document.items(value))
        .unwrap_or_default();
    let requesters: Vec<String> = requesters
        .iter()
        .filter_map(|item| {
            seen.document
                .path(item, &["Requester"])
                .and_then(|value| seen.document.text(value))
        })
        .map(Cow::into_owned)
        .collect();
    if !requesters.is_empty() {
        state.requesters = Observed::seen(requesters, seen.source);
    }
    let name = server_name(
        page,
        seen.plain("ServerFqdn")
            .map(Cow::into_owned)
            .or_else(|| seen.computer()),
    );
    add(
        &mut page.inventory.server_mut(&name).component_states,
        state,
        seen.source,
    );
}

fn service(page: &mut Page, seen: Seen<'_, '_>) {
    let Some(name) = seen
        .plain("ServiceName")
        .or_else(|| seen.plain("Name"))
        .map(Cow::into_owned)
    else {
        return;
    };
    let mut service = WindowsService::new(name);
    service.status = seen.text("Status");
    service.start_type = seen.text("StartType");
    let machine = seen
        .plain("MachineName")
        .filter(|name| name != ".")
        .map(Cow::into_owned);
    let name = server_name(page, machine.or_else(|| seen.computer()));
    let listing = &mut page.inventory.server_mut(&name).services;
    if listing.looks.is_empty() {
        listing.looks.push(Look {
            source: seen.source,
            complete: true,
        });
    }
    service.by = vec![seen.source];
    // Hundreds of services: one look at each, no search for one of its name.
    listing.items.push(service);
}

/// The site a binding belongs to, from `/system.applicationHost/sites/site[@name='NAME' and @id='1']`.
fn site_of_path(path: &str) -> Option<(String, Option<u32>)> {
    let (_, rest) = path.split_once("@name='")?;
    let (name, rest) = rest.split_once('\'')?;
    let id = rest
        .split_once("@id='")
        .and_then(|(_, rest)| rest.split_once('\''))
        .and_then(|(id, _)| id.parse().ok());
    Some((name.to_owned(), id))
}

pub(super) fn binding_of(page: &mut Page, seen: Seen<'_, '_>, at: &str) -> Option<SiteBinding> {
    let protocol = seen.plain("protocol")?.into_owned();
    let information = seen.plain("bindingInformation")?.into_owned();
    let mut binding = SiteBinding::new(protocol, information);
    binding.thumbprint = seen.thumbprint(page, "certificateHash", at);
    binding.store = seen.text("certificateStoreName");
    binding.ssl_flags = seen.number("sslFlags");
    Some(binding)
}

fn web_binding(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(binding) = binding_of(page, seen, at) else {
        return page.error(
            at,
            "a binding with protocol and bindingInformation",
            "one without",
        );
    };
    let Some((site, id)) = seen.plain("ItemXPath").and_then(|path| site_of_path(&path)) else {
        return page.error(
            at,
            "ItemXPath, which names the binding's site",
            "a binding without it",
        );
    };
    let nameless = page.nameless();
    let name = seen.computer().map_or(nameless, ServerName::Known);
    add_binding(page, &name, site, id, binding, seen.source);
}

/// Adds a binding to its site on its server.
pub(super) fn add_binding(
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
    add(&mut page.inventory.server_mut(server).sites, web_site, source);
}

fn web_site(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(name) = seen.plain("name").map(Cow::into_owned) else {
        return;
    };
    let mut site = WebSite::new(name);
    site.id = seen.number("id");
    site.state = seen.text("state");
    let bindings = seen.property("bindings");
    let bindings = bindings.and_then(|value| {
        seen.document
            .path(value, &["Collection"])
            .and_then(|value| seen.document.items(value))
            .or_else(|| seen.document.items(value))
    });
    for (place, item) in bindings.unwrap_or_default().iter().enumerate() {
        let item = Seen { value: item, ..seen };
        if let Some(binding) = binding_of(page, item, &format!("{at}, binding {}", place + 1)) {
            add(&mut site.bindings, binding, seen.source);
        }
    }
    let name = server_name(page, seen.computer());
    add(&mut page.inventory.server_mut(&name).sites, site, seen.source);
}

fn transport_service(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let thumbprint = seen.thumbprint(page, "InternalTransportCertificateThumbprint", at);
    let name = server_name(
        page,
        seen.plain("Name")
            .map(Cow::into_owned)
            .or_else(|| seen.computer()),
    );
    page.inventory.server_mut(&name).internal_transport = thumbprint;
}

fn client_access_protocol(page: &mut Page, seen: Seen<'_, '_>, imap: bool) {
    let mut settings = ClientAccessProtocol::new();
    settings.by = vec![seen.source];
    settings.x509_certificate_name = seen.text("X509CertificateName");
    settings.ssl_bindings = seen.list("SSLBindings");
    settings.unencrypted_or_tls_bindings = seen.list("UnencryptedOrTLSBindings");
    settings.internal_connection_settings = seen.list("InternalConnectionSettings");
    settings.external_connection_settings = seen.list("ExternalConnectionSettings");
    settings.login_type = seen.text("LoginType");
    let server = seen
        .plain("Server")
        .map(|server| server.rsplit('/').next().unwrap_or_default().to_owned())
        .or_else(|| seen.server_of_identity())
        .or_else(|| seen.computer());
    let name = server_name(page, server);
    let server = page.inventory.server_mut(&name);
    if imap {
        server.imap = settings;
    } else {
        server.pop = settings;
    }
}

fn federation_trust(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let name = seen
        .plain("Name")
        .map_or_else(|| "Microsoft Federation Gateway".to_owned(), Cow::into_owned);
    let mut trust = FederationTrust::new(name);
    let mut one = |private: &str, public: &str| {
        let own = seen.thumbprint(page, private, at);
        if own.value().is_some() {
            own
        } else {
            seen.thumbprint(page, public, at)
        }
    };
    trust.current = one("OrgPrivCertificate", "OrgCertificate");
    trust.next = one("OrgNextPrivCertificate", "OrgNextCertificate");
    trust.previous = one("OrgPrevPrivCertificate", "OrgPrevCertificate");
    trust.application_uri = seen.text("ApplicationUri");
    add(
        &mut page.inventory.organisation.federation_trusts,
        trust,
        seen.source,
    );
}

fn edge_subscription(page: &mut Page, seen: Seen<'_, '_>) {
    let Some(name) = seen.plain("Name").map(Cow::into_owned) else {
        return;
    };
    let mut subscription = EdgeSubscription::new(name);
    subscription.site = last_part(seen.text("Site"));
    subscription.domain = seen.text("Domain");
    add(
        &mut page.inventory.organisation.edge_subscriptions,
        subscription,
        seen.source,
    );
}

fn queue(page: &mut Page, seen: Seen<'_, '_>) {
    let Some(identity) = seen.plain("Identity").map(Cow::into_owned) else {
        return;
    };
    let mut queue = Queue::new(identity);
    queue.status = seen.text("Status");
    queue.message_count = seen.number("MessageCount");
    queue.next_hop_domain = seen.text("NextHopDomain");
    queue.delivery_type = seen.text("DeliveryType");
    queue.last_error = seen.text("LastError");
    let name = server_name(page, seen.server_of_identity().or_else(|| seen.computer()));
    add(&mut page.inventory.server_mut(&name).queues, queue, seen.source);
}
