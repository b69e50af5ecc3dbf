//! What the directory knows of attributes and classes: how values are compared, and what backs a name.

use std::collections::HashMap;
use std::sync::LazyLock;

use Syntax::{Bytes, Category, Class, Flag, Name, Number, Text, Time};

/// How values of an attribute are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Text, whatever its case.
    Text,
    /// An integer.
    Number,
    /// TRUE or FALSE.
    Flag,
    /// A time.
    Time,
    /// A distinguished name.
    Name,
    /// Bytes.
    Bytes,
    /// A class: by its own name or that of one above it.
    Class,
    /// The name of a class' category, or the class itself.
    Category,
}

/// An attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// lDAPDisplayName.
    pub(crate) name: &'static str,
    pub(crate) syntax: Syntax,
    /// Whether the vendor's documents or a recorded export back its name and meaning (facts/active-directory.md 1).
    pub(crate) backed: bool,
    /// Whether it is shown only where it is asked for by name, or by `+`.
    pub(crate) operational: bool,
}

const fn backed(name: &'static str, syntax: Syntax) -> Attribute {
    Attribute {
        name,
        syntax,
        backed: true,
        operational: false,
    }
}

const fn unverified(name: &'static str, syntax: Syntax) -> Attribute {
    Attribute {
        backed: false,
        ..backed(name, syntax)
    }
}

const fn operational(name: &'static str, syntax: Syntax) -> Attribute {
    Attribute {
        operational: true,
        ..backed(name, syntax)
    }
}

static ATTRIBUTES: &[Attribute] = &[
    // Every object.
    backed("objectClass", Class),
    backed("objectCategory", Category),
    backed("objectGUID", Bytes),
    backed("distinguishedName", Name),
    backed("cn", Text),
    backed("dc", Text),
    backed("ou", Text),
    backed("name", Text),
    backed("whenCreated", Time),
    backed("whenChanged", Time),
    backed("instanceType", Number),
    backed("showInAdvancedViewOnly", Flag),
    operational("canonicalName", Text),
    operational("createTimeStamp", Time),
    operational("modifyTimeStamp", Time),
    // The domain, its people and machines.
    backed("sAMAccountName", Text),
    backed("userPrincipalName", Text),
    backed("userAccountControl", Number),
    backed("member", Name),
    backed("memberOf", Name),
    backed("dNSHostName", Text),
    backed("servicePrincipalName", Text),
    backed("operatingSystem", Text),
    backed("serverReference", Name),
    backed("nCName", Name),
    backed("nETBIOSName", Text),
    backed("dnsRoot", Text),
    backed("description", Text),
    // Exchange's servers.
    backed("serialNumber", Text),
    backed("networkAddress", Text),
    backed("msExchCurrentServerRoles", Number),
    backed("msExchServerInternalTLSCert", Bytes),
    backed("legacyExchangeDN", Text),
    unverified("versionNumber", Number),
    unverified("msExchServerSite", Name),
    unverified("type", Text),
    unverified("msExchInstallPath", Text),
    unverified("msExchComponentStates", Text),
    unverified("msExchEdgeSyncCredential", Bytes),
    unverified("msExchEdgeSyncLease", Bytes),
    // Auth configuration and partner applications.
    unverified("msExchAuthCertificateThumbprint", Text),
    unverified("msExchAuthNextEffectiveDate", Time),
    unverified("msExchAuthApplicationIdentifier", Text),
    unverified("msExchAuthRealm", Text),
    unverified("msExchAuthCertificateData", Bytes),
    unverified("msExchAuthFlags", Number),
    unverified("msExchAuthLinkedAccount", Name),
    // Receive connectors.
    unverified("msExchSmtpTLSCertificate", Text),
    unverified("msExchSMTPReceiveConnectorFQDN", Text),
    unverified("msExchSmtpReceiveBindings", Text),
    unverified("msExchSmtpReceiveRemoteIPRanges", Text),
    unverified("msExchSMTPReceiveInboundSecurityFlag", Number),
    unverified("msExchSmtpReceiveProtocolOptions", Number),
    unverified("msExchSmtpReceiveProtocolRestrictions", Number),
    unverified("msExchSmtpReceiveTlsDomainCapabilities", Text),
    unverified("msExchSmtpReceiveRole", Number),
    backed("msExchSmtpReceiveProtocolLoggingLevel", Number),
    unverified("msExchSmtpReceiveEnabled", Flag),
    // Send connectors.
    unverified("msExchSMTPSendConnectorFQDN", Text),
    unverified("msExchSmtpSmartHost", Text),
    unverified("msExchSmtpSendPort", Number),
    unverified("routingList", Text),
    unverified("msExchSourceBridgeheadServersDN", Name),
    unverified("msExchSmtpOutboundSecurityFlag", Number),
    unverified("msExchSmtpSendFlags", Number),
    unverified("msExchSmtpSendTlsDomain", Text),
    unverified("msExchSmtpSendProtocolLoggingLevel", Number),
    unverified("msExchSmtpSendEnabled", Flag),
    // POP and IMAP.
    unverified("msExchPopImapX509CertificateName", Text),
    unverified("msExchServerBindings", Text),
    unverified("msExchSecureBindings", Text),
    unverified("msExchPopImapProtocolFlags", Number),
    unverified("msExchPOPIMAPInternalConnectionSettings", Text),
    unverified("msExchPOPIMAPExternalConnectionSettings", Text),
    // Virtual directories and service connection points.
    backed("msExchInternalHostName", Text),
    backed("msExchExternalHostName", Text),
    unverified("msExchMetabasePath", Text),
    backed("keywords", Text),
    backed("serviceBindingInformation", Text),
    backed("serviceClassName", Text),
    backed("serviceDNSName", Text),
    // Federation.
    backed("msExchFedOrgPrivCertificate", Text),
    unverified("msExchFedOrgNextPrivCertificate", Text),
    unverified("msExchFedOrgPrevPrivCertificate", Text),
    unverified("msExchFedOrgCertificate", Bytes),
    unverified("msExchFedOrgNextCertificate", Bytes),
    unverified("msExchFedOrgPrevCertificate", Bytes),
    unverified("msExchFedApplicationUri", Text),
    // Hybrid.
    backed("msExchCoexistenceSecureMailCertificateThumbprint", Text),
    backed("msExchCoexistenceOnPremisesSmartHost", Text),
    unverified("msExchCoexistenceTransportServers", Name),
    unverified("msExchCoexistenceFrontendTransportServers", Name),
    unverified("msExchCoexistenceEdgeTransportServers", Name),
    unverified("msExchCoexistenceDomains", Text),
    // Accepted domains and setting overrides.
    unverified("msExchAcceptedDomainName", Text),
    unverified("msExchAcceptedDomainFlags", Number),
    unverified("msExchConfigurationXML", Text),
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Attribute>> =
    LazyLock::new(|| ATTRIBUTES.iter().map(|own| (own.name, own)).collect());

/// An attribute by name, without regard to case; options behind a semicolon do not count.
pub(crate) fn attribute(name: &str) -> Option<&'static Attribute> {
    if let Some(known) = BY_NAME.get(name) {
        return Some(known);
    }
    let bare = name.split(';').next().unwrap_or(name);
    ATTRIBUTES.iter().find(|own| own.name.eq_ignore_ascii_case(bare))
}

/// A class whose objects are in the tree.
#[derive(Debug)]
pub(crate) struct ObjectClass {
    /// Itself and those above it, `top` first.
    pub(crate) chain: &'static [&'static str],
    /// The name of its category in the schema.
    pub(crate) category: &'static str,
}

const fn class(chain: &'static [&'static str], category: &'static str) -> ObjectClass {
    ObjectClass { chain, category }
}

const CLASSES: &[ObjectClass] = &[
    class(&["top", "domain", "domainDNS"], "Domain-DNS"),
    class(&["top", "container"], "Container"),
    class(&["top", "organizationalUnit"], "Organizational-Unit"),
    class(&["top", "person", "organizationalPerson", "user"], "Person"),
    class(
        &["top", "person", "organizationalPerson", "user", "computer"],
        "Computer",
    ),
    class(&["top", "group"], "Group"),
    class(&["top", "configuration"], "Configuration"),
    class(&["top", "dMD"], "DMD"),
    class(&["top", "crossRefContainer"], "Cross-Ref-Container"),
    class(&["top", "crossRef"], "Cross-Ref"),
    class(&["top", "sitesContainer"], "Sites-Container"),
    class(&["top", "site"], "Site"),
    class(&["top", "serversContainer"], "Servers-Container"),
    class(&["top", "server"], "Server"),
    class(&["top", "applicationSettings", "nTDSDSA"], "NTDS-DSA"),
    class(
        &["top", "container", "msExchConfigurationContainer"],
        "ms-Exch-Configuration-Container",
    ),
    class(
        &["top", "container", "msExchOrganizationContainer"],
        "ms-Exch-Organization-Container",
    ),
    class(&["top", "container", "msExchContainer"], "ms-Exch-Container"),
    class(
        &["top", "msExchAdminGroupContainer"],
        "ms-Exch-Admin-Group-Container",
    ),
    class(&["top", "msExchAdminGroup"], "ms-Exch-Admin-Group"),
    class(&["top", "msExchServersContainer"], "ms-Exch-Servers-Container"),
    class(
        &["top", "server", "msExchExchangeServer"],
        "ms-Exch-Exchange-Server",
    ),
    class(
        &["top", "protocolCfgShared", "protocolCfgSharedServer"],
        "Protocol-Cfg-Shared-Server",
    ),
    class(
        &["top", "container", "msExchProtocolCfgHTTPContainer"],
        "ms-Exch-Protocol-Cfg-HTTP-Container",
    ),
    class(
        &["top", "container", "msExchProtocolCfgPOPContainer"],
        "ms-Exch-Protocol-Cfg-POP-Container",
    ),
    class(
        &["top", "container", "msExchProtocolCfgIMAPContainer"],
        "ms-Exch-Protocol-Cfg-IMAP-Container",
    ),
    class(
        &["top", "protocolCfg", "protocolCfgPOP", "protocolCfgPOPServer"],
        "Protocol-Cfg-POP-Server",
    ),
    class(
        &["top", "protocolCfg", "protocolCfgIMAP", "protocolCfgIMAPServer"],
        "Protocol-Cfg-IMAP-Server",
    ),
    class(
        &["top", "msExchSmtpReceiveConnector"],
        "ms-Exch-Smtp-Receive-Connector",
    ),
    class(
        &[
            "top",
            "msExchConnector",
            "mailGateway",
            "msExchRoutingSMTPConnector",
        ],
        "ms-Exch-Routing-SMTP-Connector",
    ),
    class(
        &["top", "container", "msExchContainer", "msExchAuthAuthConfig"],
        "ms-Exch-Auth-Auth-Config",
    ),
    class(
        &["top", "msExchAuthPartnerApplication"],
        "ms-Exch-Auth-Partner-Application",
    ),
    class(&["top", "msExchFedTrust"], "ms-Exch-Fed-Trust"),
    class(
        &["top", "msExchCoexistenceRelationship"],
        "ms-Exch-Coexistence-Relationship",
    ),
    class(&["top", "msExchAcceptedDomain"], "ms-Exch-Accepted-Domain"),
    class(&["top", "msExchConfigSettings"], "ms-Exch-Config-Settings"),
    class(
        &["top", "leaf", "connectionPoint", "serviceConnectionPoint"],
        "Service-Connection-Point",
    ),
    class(
        &["top", "msExchVirtualDirectory", "msExchOWAVirtualDirectory"],
        "ms-Exch-OWA-Virtual-Directory",
    ),
    class(
        &["top", "msExchVirtualDirectory", "msExchECPVirtualDirectory"],
        "ms-Exch-ECP-Virtual-Directory",
    ),
    class(
        &[
            "top",
            "msExchVirtualDirectory",
            "msExchWebServicesVirtualDirectory",
        ],
        "ms-Exch-Web-Services-Virtual-Directory",
    ),
    class(
        &["top", "msExchVirtualDirectory", "msExchMapiVirtualDirectory"],
        "ms-Exch-Mapi-Virtual-Directory",
    ),
    class(
        &["top", "msExchVirtualDirectory", "msExchMobileVirtualDirectory"],
        "ms-Exch-Mobile-Virtual-Directory",
    ),
    class(
        &["top", "msExchVirtualDirectory", "msExchOABVirtualDirectory"],
        "ms-Exch-OAB-Virtual-Directory",
    ),
    class(
        &[
            "top",
            "msExchVirtualDirectory",
            "msExchPowerShellVirtualDirectory",
        ],
        "ms-Exch-Power-Shell-Virtual-Directory",
    ),
    class(
        &[
            "top",
            "msExchVirtualDirectory",
            "msExchAutoDiscoverVirtualDirectory",
        ],
        "ms-Exch-Auto-Discover-Virtual-Directory",
    ),
    class(
        &["top", "msExchVirtualDirectory", "msExchRpcHttpVirtualDirectory"],
        "ms-Exch-Rpc-Http-Virtual-Directory",
    ),
];

/// A class by its name, without regard to case.
pub(crate) fn object_class(name: &str) -> Option<&'static ObjectClass> {
    CLASSES.iter().find(|own| {
        own.chain
            .last()
            .is_some_and(|leaf| leaf.eq_ignore_ascii_case(name))
    })
}
