//! Servers, their components and their health.

use super::Preset::{Ad, AdList, Bool, Enum, Int, List, MaybeSize, Null, Own, Path, Size, Span, Text, Texts};
use super::{DATA, DIRECTORY, MANAGEMENT, Root, SC, Shape};
use crate::cmdlets::object::{EXCHANGE_DIRECTORY, MSCORLIB};

/// A server, as Get-ExchangeServer shows it.
pub(crate) const EXCHANGE_SERVER: Shape = Shape {
    classes: &[(MANAGEMENT, "ExchangeServer")],
    root: Root::Presentation,
    properties: &[
        ("Name", Ad),
        ("DataPath", Path("Mailbox")),
        ("Domain", Own),
        (
            "Edition",
            Enum(DATA, "ServerEditionType", "StandardEvaluation", 2),
        ),
        ("ExchangeLegacyDN", Own),
        ("ExchangeLegacyServerRole", Int(0)),
        ("Fqdn", Own),
        ("CustomerFeedbackEnabled", Bool(true)),
        ("InternetWebProxy", Null),
        ("InternetWebProxyBypassList", Null),
        ("IsHubTransportServer", Own),
        ("IsClientAccessServer", Own),
        ("IsExchange2007OrLater", Bool(true)),
        ("IsEdgeServer", Own),
        ("IsMailboxServer", Own),
        ("IsE14OrLater", Bool(true)),
        ("IsE15OrLater", Own),
        ("IsProvisionedServer", Bool(false)),
        ("IsUnifiedMessagingServer", Own),
        ("IsFrontendTransportServer", Own),
        ("NetworkAddress", Own),
        ("OrganizationalUnit", Own),
        ("AdminDisplayVersion", Own),
        ("Site", Own),
        ("ServerRole", Own),
        ("ErrorReportingEnabled", Bool(true)),
        ("MitigationsEnabled", Bool(true)),
        ("MitigationsAppliedTime", Null),
        ("StaticDomainControllers", Texts(&[])),
        ("StaticGlobalCatalogs", Texts(&[])),
        ("StaticConfigDomainController", Text("")),
        ("StaticExcludedDomainControllers", Texts(&[])),
        ("MonitoringGroup", Text("")),
        ("CurrentDomainControllers", Own),
        ("CurrentGlobalCatalogs", Own),
        ("CurrentConfigDomainController", Own),
        ("ProductID", Text("")),
        ("IsExchangeTrialEdition", Bool(true)),
        ("IsExpiredExchangeTrialEdition", Bool(true)),
        ("MailboxProvisioningAttributes", Null),
        ("RemainingTrialPeriod", Span(0)),
        ("MitigationsApplied", Null),
        ("MitigationsBlocked", Null),
        ("DataCollectionEnabled", Bool(false)),
    ],
};

/// A mailbox server.
pub(crate) const MAILBOX_SERVER: Shape = Shape {
    classes: &[(MANAGEMENT, "MailboxServer")],
    root: Root::Presentation,
    properties: &[
        ("Name", Ad),
        ("DataPath", Path("Mailbox")),
        ("SharingPolicySchedule", Own),
        ("CalendarRepairMissingItemFixDisabled", Bool(false)),
        ("CalendarRepairLogEnabled", Bool(true)),
        ("CalendarRepairLogSubjectLoggingEnabled", Bool(true)),
        (
            "CalendarRepairLogPath",
            Path("Logging\\Calendar Repair Assistant"),
        ),
        ("CalendarRepairIntervalEndWindow", Int(7)),
        ("CalendarRepairLogFileAgeLimit", Span(864_000)),
        (
            "CalendarRepairLogDirectorySizeLimit",
            MaybeSize(Some(524_288_000)),
        ),
        (
            "CalendarRepairMode",
            Enum(DATA, "CalendarRepairType", "RepairAndValidate", 1),
        ),
        ("ManagedFolderAssistantSchedule", Null),
        (
            "LogPathForManagedFolders",
            Path("Logging\\Managed Folder Assistant"),
        ),
        ("LogFileAgeLimitForManagedFolders", Span(0)),
        ("LogDirectorySizeLimitForManagedFolders", MaybeSize(None)),
        ("LogFileSizeLimitForManagedFolders", MaybeSize(Some(10_485_760))),
        (
            "MigrationLogLoggingLevel",
            Enum(DATA, "MigrationEventType", "Information", 3),
        ),
        ("MigrationLogFilePath", Null),
        ("MigrationLogMaxAge", Span(15_552_000)),
        ("MigrationLogMaxDirectorySize", Size(5_368_709_120)),
        ("MigrationLogMaxFileSize", Size(104_857_600)),
        ("MAPIEncryptionRequired", Bool(false)),
        ("RetentionLogForManagedFoldersEnabled", Bool(false)),
        ("JournalingLogForManagedFoldersEnabled", Bool(false)),
        ("FolderLogForManagedFoldersEnabled", Bool(false)),
        ("SubjectLogForManagedFoldersEnabled", Bool(false)),
        (
            "SubmissionServerOverrideList",
            AdList(DIRECTORY, "ADObjectId", EXCHANGE_DIRECTORY),
        ),
        (
            "AutoDatabaseMountDial",
            Enum(SC, "AutoDatabaseMountDial", "GoodAvailability", 6),
        ),
        ("ForceGroupMetricsGeneration", Bool(false)),
        ("IsPhoneticSupportEnabled", Bool(false)),
        ("Locale", List("", "System.Globalization.CultureInfo", MSCORLIB)),
        ("DatabaseAvailabilityGroup", Own),
        ("DatabaseCopyAutoActivationPolicy", Own),
        ("DatabaseCopyActivationDisabledAndMoveNow", Own),
        ("FaultZone", Text("FaultZone1")),
        ("AutoDagServerConfigured", Bool(false)),
        ("TransportSyncDispatchEnabled", Bool(false)),
        ("MaxTransportSyncDispatchers", Int(5)),
        ("TransportSyncLogEnabled", Bool(false)),
        (
            "TransportSyncLogLoggingLevel",
            Enum(DATA, "SyncLoggingLevel", "None", 0),
        ),
        ("TransportSyncLogFilePath", Null),
        ("TransportSyncLogMaxAge", Span(2_592_000)),
        ("TransportSyncLogMaxDirectorySize", Size(2_147_483_648)),
        ("TransportSyncLogMaxFileSize", Size(10_485_760)),
        ("TransportSyncMailboxHealthLogEnabled", Bool(false)),
        ("TransportSyncMailboxHealthLogFilePath", Null),
        ("TransportSyncMailboxHealthLogMaxAge", Span(2_592_000)),
        (
            "TransportSyncMailboxHealthLogMaxDirectorySize",
            Size(10_737_418_240),
        ),
        ("TransportSyncMailboxHealthLogMaxFileSize", Size(10_485_760)),
        ("IsExcludedFromProvisioning", Bool(false)),
        ("MaximumActiveDatabases", Null),
        ("MaximumPreferredActiveDatabases", Null),
        ("WacDiscoveryEndpoint", Null),
        ("AdminDisplayVersion", Own),
        ("ServerRole", Enum(SC, "ServerRole", "Mailbox", 2)),
        ("ExchangeLegacyServerRole", Int(0)),
    ],
};

/// A component of a server.
pub(crate) const COMPONENT: Shape = Shape {
    classes: &[(MANAGEMENT, "ServerComponentStatePresentationObject")],
    root: Root::Plain,
    properties: &[
        ("ServerFqdn", Own),
        ("Component", Own),
        ("State", Own),
        ("ServerWideOfflineIsOffline", Own),
        ("RemoteStates", Own),
        ("LocalStates", Own),
        ("Identity", Own),
        ("IsValid", Bool(true)),
        ("ObjectState", Enum(DATA, "ObjectState", "New", 0)),
    ],
};

/// Services of a role.
pub(crate) const HEALTH: Shape = Shape {
    classes: &[("", "Microsoft.Exchange.Monitoring.ExchangeServicesStatus")],
    root: Root::Plain,
    properties: &[
        ("Role", Own),
        ("RequiredServicesRunning", Own),
        ("ServicesNotRunning", Own),
        ("ServicesRunning", Own),
        ("Identity", Null),
        ("IsValid", Bool(true)),
        ("ObjectState", Enum(DATA, "ObjectState", "New", 0)),
    ],
};

/// What a process says of itself.
pub(crate) const DIAGNOSTIC: Shape = Shape {
    classes: &[(
        "",
        "Microsoft.Exchange.Management.Powershell.Support.ExchangeDiagnosticInfoResult",
    )],
    root: Root::Plain,
    properties: &[
        ("Result", Own),
        ("Identity", Null),
        ("IsValid", Bool(true)),
        ("ObjectState", Enum(DATA, "ObjectState", "New", 0)),
    ],
};

/// A mailbox database, as documented: it was never recorded.
pub(crate) const DATABASE: Shape = Shape {
    classes: &[
        (SC, "MailboxDatabase"),
        (SC, "Database"),
        (SC, "ADLegacyVersionableObject"),
    ],
    root: Root::Configuration,
    properties: &[
        ("AdminDisplayVersion", Own),
        ("EdbFilePath", Own),
        ("MasterServerOrAvailabilityGroup", Own),
        ("Server", Own),
        ("ServerName", Own),
        ("Servers", Own),
        ("Recovery", Bool(false)),
        ("CircularLoggingEnabled", Bool(false)),
        ("MountAtStartup", Bool(true)),
        ("Mounted", Own),
        ("ReplicationType", Own),
    ],
};

/// A copy of a database, as documented: it was never recorded.
pub(crate) const COPY_STATUS: Shape = Shape {
    classes: &[(
        "Microsoft.Exchange.Management.SystemConfigurationTasks.",
        "DatabaseCopyStatusEntry",
    )],
    root: Root::Plain,
    properties: &[
        ("Identity", Own),
        ("Name", Own),
        ("DatabaseName", Own),
        ("Status", Own),
        ("MailboxServer", Own),
        ("ActiveDatabaseCopy", Own),
        ("ActiveCopy", Own),
        ("ActivationSuspended", Bool(false)),
        ("ErrorMessage", Null),
        ("CopyQueueLength", Int(0)),
        ("ReplayQueueLength", Int(0)),
        (
            "ContentIndexState",
            Enum(
                "",
                "Microsoft.Exchange.Data.Mapi.ContentIndexStatusType",
                "Healthy",
                1,
            ),
        ),
        ("IsValid", Bool(true)),
        ("ObjectState", Enum(DATA, "ObjectState", "New", 0)),
    ],
};

/// A database availability group, as documented: it was never recorded.
pub(crate) const AVAILABILITY_GROUP: Shape = Shape {
    classes: &[(SC, "DatabaseAvailabilityGroup")],
    root: Root::Configuration,
    properties: &[
        ("Name", Ad),
        ("Servers", Own),
        ("WitnessServer", Own),
        ("OperationalServers", Own),
        ("PrimaryActiveManager", Own),
    ],
};

/// An Edge subscription, as documented: it was never recorded.
pub(crate) const EDGE_SUBSCRIPTION: Shape = Shape {
    classes: &[(MANAGEMENT, "EdgeSubscription")],
    root: Root::Presentation,
    properties: &[("Name", Ad), ("Site", Own), ("Domain", Own)],
};
