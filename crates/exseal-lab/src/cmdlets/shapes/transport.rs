//! Services of transport, POP and IMAP. Of none of them a real server's object was recorded: the properties are the
//! documented ones that have to do with certificates and TLS, and what every object of the directory has.

use super::Preset::{Ad, Bool, Enum, Int, Own, Path, Span};
use super::{DATA, MANAGEMENT, Preset, Root, SC, Shape};

/// The transport service of a server.
pub(crate) const TRANSPORT_SERVICE: Shape = Shape {
    classes: &[(MANAGEMENT, "TransportServer")],
    root: Root::Presentation,
    properties: &[
        ("Name", Ad),
        ("AntispamAgentsEnabled", Own),
        ("ConnectivityLogEnabled", Bool(true)),
        ("ExternalDNSAdapterEnabled", Bool(true)),
        ("InternalDNSAdapterEnabled", Bool(true)),
        ("InternalTransportCertificateThumbprint", Own),
        ("MessageTrackingLogEnabled", Bool(true)),
        ("UseDowngradedExchangeServerAuth", Own),
        (
            "IntraOrgConnectorProtocolLoggingLevel",
            Enum(DATA, "ProtocolLoggingLevel", "Verbose", 1),
        ),
        ("IntraOrgConnectorSmtpMaxMessagesPerConnection", Int(20)),
    ],
};

/// The front-end transport service of a server.
pub(crate) const FRONTEND_TRANSPORT_SERVICE: Shape = Shape {
    classes: &[(MANAGEMENT, "FrontendTransportServerPresentationObject")],
    root: Root::Presentation,
    properties: &[
        ("Name", Ad),
        ("AdminDisplayVersion", Own),
        ("AntispamAgentsEnabled", Bool(false)),
        ("ConnectivityLogEnabled", Bool(true)),
        ("ConnectivityLogMaxAge", Span(2_592_000)),
        (
            "ConnectivityLogPath",
            Path("TransportRoles\\Logs\\FrontEnd\\Connectivity"),
        ),
        ("ExternalDNSAdapterEnabled", Bool(true)),
        ("InternalDNSAdapterEnabled", Bool(true)),
        (
            "IntraOrgConnectorProtocolLoggingLevel",
            Enum(DATA, "ProtocolLoggingLevel", "Verbose", 1),
        ),
        ("MaxConnectionRatePerMinute", Int(72_000)),
        (
            "ReceiveProtocolLogPath",
            Path("TransportRoles\\Logs\\FrontEnd\\ProtocolLog\\SmtpReceive"),
        ),
        (
            "SendProtocolLogPath",
            Path("TransportRoles\\Logs\\FrontEnd\\ProtocolLog\\SmtpSend"),
        ),
        ("TransientFailureRetryCount", Int(6)),
        ("TransientFailureRetryInterval", Span(300)),
    ],
};

/// POP settings.
pub(crate) const POP_SETTINGS: Shape = Shape {
    classes: &[
        (SC, "Pop3AdConfiguration"),
        (SC, "PopImapAdConfiguration"),
        (SC, "ADEmailTransport"),
    ],
    root: Root::Configuration,
    properties: POP_AND_IMAP,
};

/// IMAP settings.
pub(crate) const IMAP_SETTINGS: Shape = Shape {
    classes: &[
        (SC, "Imap4AdConfiguration"),
        (SC, "PopImapAdConfiguration"),
        (SC, "ADEmailTransport"),
    ],
    root: Root::Configuration,
    properties: POP_AND_IMAP,
};

const POP_AND_IMAP: &[(&str, Preset)] = &[
    ("ProtocolName", Own),
    ("Name", Ad),
    ("UnencryptedOrTLSBindings", Own),
    ("SSLBindings", Own),
    ("InternalConnectionSettings", Own),
    ("ExternalConnectionSettings", Own),
    ("X509CertificateName", Own),
    ("Banner", Own),
    ("LoginType", Own),
    ("AuthenticatedConnectionTimeout", Span(1800)),
    ("PreAuthenticatedConnectionTimeout", Span(60)),
    ("MaxConnections", Int(2_147_483_647)),
    ("MaxConnectionFromSingleIP", Int(2_147_483_647)),
    ("MaxConnectionsPerUser", Int(16)),
    ("ProxyTargetPort", Own),
    ("ProtocolLogEnabled", Own),
    ("EnforceCertificateErrors", Bool(false)),
    (
        "ExtendedProtectionPolicy",
        Enum(SC, "ExtendedProtectionTokenCheckingMode", "None", 0),
    ),
    ("EnableGSSAPIAndNTLMAuth", Bool(true)),
    ("Server", Own),
];

/// One part of a synchronisation with an Edge.
pub(crate) const EDGE_SYNC: Shape = Shape {
    classes: &[("Microsoft.Exchange.EdgeSync.", "Status")],
    root: Root::Plain,
    properties: &[
        ("Result", Own),
        ("Type", Own),
        ("Name", Own),
        ("FailureDetails", Own),
        ("StartUTC", Own),
        ("EndUTC", Own),
        ("Added", Own),
        ("Deleted", Int(0)),
        ("Updated", Int(0)),
        ("Scanned", Own),
        ("TargetScanned", Own),
    ],
};

/// The state of EdgeSync with an Edge.
pub(crate) const EDGE_SYNC_TEST: Shape = Shape {
    classes: &[("Microsoft.Exchange.Management.EdgeSync.", "EdgeSyncRecord")],
    root: Root::Plain,
    properties: &[
        ("SyncStatus", Own),
        ("Name", Own),
        ("LeaseHolder", Own),
        ("LeaseType", Own),
        ("FailureDetail", Own),
        ("LeaseExpiryUtc", Own),
        ("LastSynchronizedUtc", Own),
        ("TransportServerStatus", Own),
        ("TransportConfigStatus", Own),
        ("AcceptedDomainStatus", Own),
        ("RemoteDomainStatus", Own),
        ("SendConnectorStatus", Own),
        ("MessageClassificationStatus", Own),
        ("RecipientStatus", Own),
        ("CredentialRecords", Own),
        ("CookieRecords", Own),
    ],
};
