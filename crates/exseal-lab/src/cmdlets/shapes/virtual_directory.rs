//! Virtual directories.

use super::Preset::{Ad, AdEnums, Bool, Enum, Int, List, Null, Own, Text, Texts};
use super::{MANAGEMENT, Root, SC, Shape};
use crate::cmdlets::object::EXCHANGE_DIRECTORY;

/// OWA.
pub(crate) const OWA: Shape = Shape {
    classes: &[
        (SC, "ADOwaVirtualDirectory"),
        (SC, "ExchangeWebAppVirtualDirectory"),
        (SC, "ExchangeVirtualDirectory"),
        (SC, "ADVirtualDirectory"),
    ],
    root: Root::Configuration,
    properties: &[
        ("DirectFileAccessOnPublicComputersEnabled", Bool(true)),
        ("DirectFileAccessOnPrivateComputersEnabled", Bool(true)),
        ("WebReadyDocumentViewingOnPublicComputersEnabled", Bool(true)),
        ("WebReadyDocumentViewingOnPrivateComputersEnabled", Bool(true)),
        ("ForceWebReadyDocumentViewingFirstOnPublicComputers", Bool(false)),
        ("ForceWebReadyDocumentViewingFirstOnPrivateComputers", Bool(false)),
        ("WacViewingOnPublicComputersEnabled", Bool(true)),
        ("WacViewingOnPrivateComputersEnabled", Bool(true)),
        ("ForceWacViewingFirstOnPublicComputers", Bool(false)),
        ("ForceWacViewingFirstOnPrivateComputers", Bool(false)),
        (
            "RemoteDocumentsActionForUnknownServers",
            Enum(SC, "RemoteDocumentsActions", "Block", 1),
        ),
        (
            "ActionForUnknownFileAndMIMETypes",
            Enum(SC, "AttachmentBlockingActions", "Allow", 0),
        ),
        ("WebReadyFileTypes", Texts(&[])),
        ("WebReadyMimeTypes", Texts(&[])),
        ("WebReadyDocumentViewingForAllSupportedTypes", Bool(true)),
        ("WebReadyDocumentViewingSupportedMimeTypes", Texts(&[])),
        ("WebReadyDocumentViewingSupportedFileTypes", Texts(&[])),
        ("AllowedFileTypes", Texts(&[])),
        ("AllowedMimeTypes", Texts(&[])),
        ("ForceSaveFileTypes", Texts(&[])),
        ("ForceSaveMimeTypes", Texts(&[])),
        ("BlockedFileTypes", Texts(&[])),
        ("BlockedMimeTypes", Texts(&[])),
        ("RemoteDocumentsAllowedServers", Texts(&[])),
        ("RemoteDocumentsBlockedServers", Texts(&[])),
        ("RemoteDocumentsInternalDomainSuffixList", Texts(&[])),
        ("FolderPathname", Null),
        ("Url", Texts(&[])),
        ("LogonFormat", Enum(SC, "LogonFormats", "FullDomain", 0)),
        (
            "ClientAuthCleanupLevel",
            Enum(SC, "ClientAuthCleanupLevels", "High", 0),
        ),
        ("LogonPagePublicPrivateSelectionEnabled", Bool(false)),
        ("LogonPageLightSelectionEnabled", Bool(false)),
        ("FreCardsEnabled", Bool(true)),
        ("InternalSPMySiteHostURL", Null),
        ("ExternalSPMySiteHostURL", Null),
        ("WacEditingEnabled", Bool(true)),
        ("DropboxAttachmentsEnabled", Bool(true)),
        ("BoxAttachmentsEnabled", Bool(true)),
        ("OneDriveAttachmentsEnabled", Bool(true)),
        ("GoogleDriveAttachmentsEnabled", Bool(true)),
        ("ClassicAttachmentsEnabled", Bool(true)),
        ("ReferenceAttachmentsEnabled", Bool(true)),
        ("SaveAttachmentsToCloudEnabled", Bool(true)),
        ("ThirdPartyAttachmentsEnabled", Bool(true)),
        ("IsPublic", Bool(false)),
        ("ExternalDownloadHostName", Null),
        ("InternalDownloadHostName", Null),
        (
            "FilterWebBeaconsAndHtmlForms",
            Enum(SC, "WebBeaconFilterLevels", "UserFilterChoice", 0),
        ),
        ("NotificationInterval", Int(120)),
        ("DefaultTheme", Text("")),
        ("UserContextTimeout", Int(60)),
        ("ExchwebProxyDestination", Null),
        ("VirtualDirectoryType", Null),
        ("OwaVersion", Enum(SC, "OwaVersions", "Exchange2013", 4)),
        ("ServerName", Own),
        ("InstantMessagingCertificateThumbprint", Text("")),
        ("InstantMessagingServerName", Text("")),
        ("RedirectToOptimalOWAServer", Bool(true)),
        ("DefaultClientLanguage", Int(0)),
        ("LogonAndErrorLanguage", Int(0)),
        ("UseGB18030", Bool(false)),
        ("UseISO885915", Bool(false)),
        (
            "OutboundCharset",
            Enum(SC, "OutboundCharsetOptions", "AutoDetect", 1),
        ),
        ("GlobalAddressListEnabled", Bool(true)),
        ("OrganizationEnabled", Bool(true)),
        ("ExplicitLogonEnabled", Bool(true)),
        ("OWALightEnabled", Bool(true)),
        ("DelegateAccessEnabled", Bool(true)),
        ("IRMEnabled", Bool(true)),
        ("CalendarEnabled", Bool(true)),
        ("ContactsEnabled", Bool(true)),
        ("TasksEnabled", Bool(true)),
        ("JournalEnabled", Bool(true)),
        ("NotesEnabled", Bool(true)),
        ("RemindersAndNotificationsEnabled", Bool(true)),
        ("PremiumClientEnabled", Bool(true)),
        ("SpellCheckerEnabled", Bool(true)),
        ("SearchFoldersEnabled", Bool(true)),
        ("SignaturesEnabled", Bool(true)),
        ("ThemeSelectionEnabled", Bool(true)),
        ("JunkEmailEnabled", Bool(true)),
        ("UMIntegrationEnabled", Bool(true)),
        ("WSSAccessOnPublicComputersEnabled", Bool(true)),
        ("WSSAccessOnPrivateComputersEnabled", Bool(true)),
        ("ChangePasswordEnabled", Bool(true)),
        ("UNCAccessOnPublicComputersEnabled", Bool(true)),
        ("UNCAccessOnPrivateComputersEnabled", Bool(true)),
        ("ActiveSyncIntegrationEnabled", Bool(true)),
        ("AllAddressListsEnabled", Bool(true)),
        ("RulesEnabled", Bool(true)),
        ("PublicFoldersEnabled", Bool(true)),
        ("SMimeEnabled", Bool(true)),
        ("RecoverDeletedItemsEnabled", Bool(true)),
        ("InstantMessagingEnabled", Bool(true)),
        ("TextMessagingEnabled", Bool(true)),
        ("ForceSaveAttachmentFilteringEnabled", Bool(false)),
        ("SilverlightEnabled", Bool(true)),
        ("PlacesEnabled", Bool(false)),
        ("WeatherEnabled", Bool(true)),
        ("LocalEventsEnabled", Bool(false)),
        ("InterestingCalendarsEnabled", Bool(true)),
        ("AllowCopyContactsToDeviceAddressBook", Bool(true)),
        ("AnonymousFeaturesEnabled", Bool(true)),
        ("IntegratedFeaturesEnabled", Bool(true)),
        ("DisplayPhotosEnabled", Bool(true)),
        ("SetPhotoEnabled", Bool(true)),
        ("PredictedActionsEnabled", Bool(false)),
        ("UserDiagnosticEnabled", Bool(false)),
        ("ReportJunkEmailEnabled", Bool(true)),
        (
            "WebPartsFrameOptionsType",
            Enum(SC, "WebPartsFrameOptions", "SameOrigin", 3),
        ),
        (
            "AllowOfflineOn",
            Enum(SC, "AllowOfflineOnEnum", "AllComputers", 3),
        ),
        ("SetPhotoURL", Text("")),
        (
            "InstantMessagingType",
            Enum(SC, "InstantMessagingTypeOptions", "None", 0),
        ),
        ("Exchange2003Url", Null),
        ("FailbackUrl", Null),
        ("Name", Ad),
        (
            "InternalAuthenticationMethods",
            AdEnums(SC, "AuthenticationMethod", &[("Basic", 0), ("Fba", 3)]),
        ),
        ("MetabasePath", Own),
        ("BasicAuthentication", Bool(false)),
        ("WindowsAuthentication", Bool(false)),
        ("DigestAuthentication", Bool(false)),
        ("FormsAuthentication", Bool(false)),
        ("LiveIdAuthentication", Bool(false)),
        ("AdfsAuthentication", Bool(false)),
        ("OAuthAuthentication", Bool(false)),
        ("DefaultDomain", Text("")),
        ("GzipLevel", Enum(SC, "GzipLevel", "Off", 0)),
        ("WebSite", Text("")),
        ("DisplayName", Text("")),
        ("Path", Text("")),
        ("ExtendedProtectionTokenChecking", Own),
        (
            "ExtendedProtectionFlags",
            List(SC, "ExtendedProtectionFlag", EXCHANGE_DIRECTORY),
        ),
        ("ExtendedProtectionSPNList", Texts(&[])),
        ("AdminDisplayVersion", Own),
        ("Server", Own),
        ("InternalUrl", Own),
        ("ExternalUrl", Own),
        (
            "ExternalAuthenticationMethods",
            AdEnums(SC, "AuthenticationMethod", &[("Fba", 3)]),
        ),
    ],
};

/// Web services.
pub(crate) const EWS: Shape = Shape {
    classes: &[
        (SC, "ADWebServicesVirtualDirectory"),
        (SC, "ADExchangeServiceVirtualDirectory"),
        (SC, "ExchangeVirtualDirectory"),
        (SC, "ADVirtualDirectory"),
    ],
    root: Root::Configuration,
    properties: &[
        ("CertificateAuthentication", Null),
        ("InternalNLBBypassUrl", Null),
        ("GzipLevel", Enum(SC, "GzipLevel", "Low", 1)),
        ("MRSProxyEnabled", Bool(false)),
        ("Name", Ad),
        (
            "InternalAuthenticationMethods",
            AdEnums(
                SC,
                "AuthenticationMethod",
                &[
                    ("Ntlm", 2),
                    ("WindowsIntegrated", 4),
                    ("WSSecurity", 7),
                    ("OAuth", 10),
                ],
            ),
        ),
        (
            "ExternalAuthenticationMethods",
            AdEnums(
                SC,
                "AuthenticationMethod",
                &[
                    ("Ntlm", 2),
                    ("WindowsIntegrated", 4),
                    ("WSSecurity", 7),
                    ("OAuth", 10),
                ],
            ),
        ),
        ("LiveIdNegotiateAuthentication", Null),
        ("WSSecurityAuthentication", Bool(true)),
        ("LiveIdBasicAuthentication", Bool(false)),
        ("BasicAuthentication", Own),
        ("DigestAuthentication", Bool(false)),
        ("WindowsAuthentication", Bool(true)),
        ("OAuthAuthentication", Bool(true)),
        ("AdfsAuthentication", Bool(false)),
        ("MetabasePath", Own),
        ("Path", Own),
        ("ExtendedProtectionTokenChecking", Own),
        (
            "ExtendedProtectionFlags",
            List(SC, "ExtendedProtectionFlag", EXCHANGE_DIRECTORY),
        ),
        ("ExtendedProtectionSPNList", Texts(&[])),
        ("AdminDisplayVersion", Own),
        ("Server", Own),
        ("InternalUrl", Own),
        ("ExternalUrl", Own),
    ],
};

/// What OWA's and the web services' objects have in common, in their order: the others were never recorded.
const SHARED: &[(&str, super::Preset)] = &[
    ("Name", Ad),
    ("InternalAuthenticationMethods", AUTHENTICATION),
    ("MetabasePath", Own),
    ("BasicAuthentication", Own),
    ("DigestAuthentication", Bool(false)),
    ("WindowsAuthentication", Bool(true)),
    ("OAuthAuthentication", Bool(true)),
    ("AdfsAuthentication", Bool(false)),
    ("Path", Own),
    ("ExtendedProtectionTokenChecking", Own),
    (
        "ExtendedProtectionFlags",
        List(SC, "ExtendedProtectionFlag", EXCHANGE_DIRECTORY),
    ),
    ("ExtendedProtectionSPNList", Texts(&[])),
    ("AdminDisplayVersion", Own),
    ("Server", Own),
    ("InternalUrl", Own),
    ("ExternalUrl", Own),
    ("ExternalAuthenticationMethods", AUTHENTICATION),
];
const AUTHENTICATION: super::Preset = AdEnums(
    SC,
    "AuthenticationMethod",
    &[("WindowsIntegrated", 4), ("OAuth", 10)],
);

const fn shared(classes: &'static [(&'static str, &'static str)]) -> Shape {
    Shape {
        classes,
        root: Root::Configuration,
        properties: SHARED,
    }
}

/// The control panel.
pub(crate) const ECP: Shape = shared(&[
    (SC, "ADEcpVirtualDirectory"),
    (SC, "ExchangeWebAppVirtualDirectory"),
    (SC, "ExchangeVirtualDirectory"),
    (SC, "ADVirtualDirectory"),
]);

/// MAPI over HTTP.
pub(crate) const MAPI: Shape = shared(&[
    (SC, "ADMapiVirtualDirectory"),
    (SC, "ADExchangeServiceVirtualDirectory"),
    (SC, "ExchangeVirtualDirectory"),
    (SC, "ADVirtualDirectory"),
]);

/// ActiveSync.
pub(crate) const ACTIVE_SYNC: Shape = shared(&[
    (SC, "ADMobileVirtualDirectory"),
    (SC, "ExchangeVirtualDirectory"),
    (SC, "ADVirtualDirectory"),
]);

/// Offline address book.
pub(crate) const OAB: Shape = shared(&[
    (SC, "ADOabVirtualDirectory"),
    (SC, "ExchangeVirtualDirectory"),
    (SC, "ADVirtualDirectory"),
]);

/// PowerShell.
pub(crate) const POWERSHELL: Shape = shared(&[
    (SC, "ADPowerShellVirtualDirectory"),
    (SC, "ADPowerShellCommonVirtualDirectory"),
    (SC, "ADExchangeServiceVirtualDirectory"),
    (SC, "ExchangeVirtualDirectory"),
    (SC, "ADVirtualDirectory"),
]);

/// Autodiscover.
pub(crate) const AUTODISCOVER: Shape = shared(&[
    (SC, "ADAutodiscoverVirtualDirectory"),
    (SC, "ADExchangeServiceVirtualDirectory"),
    (SC, "ExchangeVirtualDirectory"),
    (SC, "ADVirtualDirectory"),
]);

/// Outlook Anywhere, as documented: it was never recorded.
pub(crate) const OUTLOOK_ANYWHERE: Shape = Shape {
    classes: &[
        (SC, "ADRpcHttpVirtualDirectory"),
        (SC, "ExchangeVirtualDirectory"),
        (SC, "ADVirtualDirectory"),
    ],
    root: Root::Configuration,
    properties: &[
        ("ServerName", Own),
        ("SSLOffloading", Bool(true)),
        ("ExternalHostname", Own),
        ("InternalHostname", Own),
        (
            "ExternalClientAuthenticationMethod",
            Enum(SC, "AuthenticationMethod", "Negotiate", 13),
        ),
        (
            "InternalClientAuthenticationMethod",
            Enum(SC, "AuthenticationMethod", "Ntlm", 2),
        ),
        (
            "IISAuthenticationMethods",
            AdEnums(
                SC,
                "AuthenticationMethod",
                &[("Basic", 0), ("Ntlm", 2), ("Negotiate", 13)],
            ),
        ),
        ("ExternalClientsRequireSsl", Bool(true)),
        ("InternalClientsRequireSsl", Bool(false)),
        ("MetabasePath", Own),
        ("Path", Own),
        ("ExtendedProtectionTokenChecking", Own),
        (
            "ExtendedProtectionFlags",
            List(SC, "ExtendedProtectionFlag", EXCHANGE_DIRECTORY),
        ),
        ("ExtendedProtectionSPNList", Texts(&[])),
        ("AdminDisplayVersion", Own),
        ("Server", Own),
        ("Name", Ad),
    ],
};

/// The client access service of a server, as documented: it was never recorded.
pub(crate) const CLIENT_ACCESS: Shape = Shape {
    classes: &[(MANAGEMENT, "ClientAccessServer")],
    root: Root::Presentation,
    properties: &[
        ("Name", Ad),
        ("Fqdn", Own),
        ("OutlookAnywhereEnabled", Bool(true)),
        ("AutoDiscoverServiceCN", Own),
        (
            "AutoDiscoverServiceClassName",
            Text("ms-Exchange-AutoDiscover-Service"),
        ),
        ("AutoDiscoverServiceInternalUri", Own),
        (
            "AutoDiscoverServiceGuid",
            Text("77378f46-2c66-4aa9-a6a6-3e7a48b19596"),
        ),
        ("AutoDiscoverSiteScope", Own),
        ("AlternateServiceAccountConfiguration", Null),
        ("IsOutOfService", Bool(false)),
    ],
};
