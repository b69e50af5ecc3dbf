//! What an object is, by its type and properties.

use exseal_model::Channel;
use exseal_psrp::clixml::{Document, Object, Value};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
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
    SetupFile,
}

impl Kind {
    /// The cmdlet, in its own words.
    pub(super) const fn cmdlet(self) -> &'static str {
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
            Self::SetupFile => "ExSetup.exe",
        }
    }

    /// Whether no recorded export of a real server backs it.
    pub(super) const fn is_unrecorded(self) -> bool {
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

    pub(super) const fn channel(self) -> Channel {
        match self {
            Self::Service | Self::WebBinding | Self::WebSite | Self::X509Certificate | Self::SetupFile => {
                Channel::Server
            }
            _ => Channel::Exchange,
        }
    }
}

/// The class's own name, without namespace and what PowerShell puts in front.
pub(super) fn class_name(document: &Document<'_>, value: &Value<'_>) -> Option<String> {
    let object = document.object(value)?;
    let name = document.types(object).first()?.to_text().into_owned();
    let name = name.split('`').next().unwrap_or_default().trim_end_matches("[]");
    let class = name.rsplit('.').next().unwrap_or(name);
    Some(class.split('#').next().unwrap_or(class).to_owned())
}

/// What an object is; `None`: nothing that exseal knows.
pub(super) fn kind(document: &Document<'_>, value: &Value<'_>) -> Option<Kind> {
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
        "FileVersionInfo" if is_setup(document, object) => Kind::SetupFile,
        _ if has("bindingInformation") && has("protocol") => Kind::WebBinding,
        _ if has("bindings") && has("serverAutoStart") => Kind::WebSite,
        // What HealthChecker keeps of a site.
        _ if has("VirtualDirectoryDefaults") && has("Id") && has("State") => Kind::WebSite,
        // Select-Object keeps properties and loses the type: what follows goes by properties alone.
        _ if has("InternalTransportCertificateThumbprint") => Kind::TransportService,
        _ if has("AutoDiscoverServiceInternalUri") => Kind::ClientAccessService,
        _ if has("Thumbprint") && (has("Services") || has("RootCAType")) => Kind::ExchangeCertificate,
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

/// Whether a file's version is that of Exchange's own setup program, which every update replaces.
fn is_setup(document: &Document<'_>, object: &Object<'_>) -> bool {
    ["OriginalFilename", "InternalName"].iter().any(|name| {
        document
            .property(object, name)
            .and_then(|value| document.text(value))
            .is_some_and(|name| name.eq_ignore_ascii_case("ExSetup.exe"))
    })
}
