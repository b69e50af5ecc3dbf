//! Which classes and attributes are asked for, and which of them something backs.

/// An attribute that is asked for.
pub(super) struct Attribute {
    /// lDAPDisplayName.
    pub(super) name: &'static str,
    /// Whether the vendor's documents or a recorded export back its name and meaning (facts/active-directory.md 1: MS, CSS).
    pub(super) backed: bool,
}

const fn backed(name: &'static str) -> Attribute {
    Attribute { name, backed: true }
}

const fn unverified(name: &'static str) -> Attribute {
    Attribute { name, backed: false }
}

/// Everything that is asked for, once. Not among them: what holds encrypted passwords.
pub(super) const ATTRIBUTES: &[Attribute] = &[
    backed("objectClass"),
    backed("cn"),
    // Servers.
    backed("serialNumber"),
    backed("networkAddress"),
    backed("msExchCurrentServerRoles"),
    backed("msExchServerInternalTLSCert"),
    unverified("versionNumber"),
    unverified("msExchServerSite"),
    // Auth configuration and partner applications.
    unverified("msExchAuthCertificateThumbprint"),
    unverified("msExchAuthNextEffectiveDate"),
    unverified("msExchAuthApplicationIdentifier"),
    unverified("msExchAuthRealm"),
    unverified("msExchAuthCertificateData"),
    unverified("msExchAuthFlags"),
    // Receive connectors.
    unverified("msExchSmtpTLSCertificate"),
    unverified("msExchSMTPReceiveConnectorFQDN"),
    unverified("msExchSmtpReceiveBindings"),
    unverified("msExchSmtpReceiveRemoteIPRanges"),
    unverified("msExchSMTPReceiveInboundSecurityFlag"),
    unverified("msExchSmtpReceiveProtocolOptions"),
    unverified("msExchSmtpReceiveProtocolRestrictions"),
    unverified("msExchSmtpReceiveTlsDomainCapabilities"),
    unverified("msExchSmtpReceiveRole"),
    backed("msExchSmtpReceiveProtocolLoggingLevel"),
    unverified("msExchSmtpReceiveEnabled"),
    // Send connectors.
    unverified("msExchSMTPSendConnectorFQDN"),
    unverified("msExchSmtpSmartHost"),
    unverified("msExchSmtpSendPort"),
    unverified("routingList"),
    unverified("msExchSourceBridgeheadServersDN"),
    unverified("msExchSmtpOutboundSecurityFlag"),
    unverified("msExchSmtpSendFlags"),
    unverified("msExchSmtpSendTlsDomain"),
    unverified("msExchSmtpSendProtocolLoggingLevel"),
    unverified("msExchSmtpSendEnabled"),
    // POP and IMAP.
    unverified("msExchPopImapX509CertificateName"),
    unverified("msExchServerBindings"),
    unverified("msExchSecureBindings"),
    unverified("msExchPOPIMAPInternalConnectionSettings"),
    unverified("msExchPOPIMAPExternalConnectionSettings"),
    // Virtual directories and the service connection point.
    backed("msExchInternalHostName"),
    backed("msExchExternalHostName"),
    backed("keywords"),
    backed("serviceBindingInformation"),
    // Federation.
    backed("msExchFedOrgPrivCertificate"),
    unverified("msExchFedOrgNextPrivCertificate"),
    unverified("msExchFedOrgPrevPrivCertificate"),
    unverified("msExchFedOrgCertificate"),
    unverified("msExchFedOrgNextCertificate"),
    unverified("msExchFedOrgPrevCertificate"),
    unverified("msExchFedApplicationUri"),
    // Hybrid.
    backed("msExchCoexistenceSecureMailCertificateThumbprint"),
    backed("msExchCoexistenceOnPremisesSmartHost"),
    unverified("msExchCoexistenceTransportServers"),
    unverified("msExchCoexistenceFrontendTransportServers"),
    unverified("msExchCoexistenceEdgeTransportServers"),
    unverified("msExchCoexistenceServers"),
    unverified("msExchCoexistenceDomains"),
    // Accepted domains and setting overrides.
    unverified("msExchAcceptedDomainName"),
    unverified("msExchAcceptedDomainFlags"),
    unverified("msExchConfigurationXML"),
];

/// Whether something backs an attribute's name and meaning.
pub(super) fn is_backed(name: &str) -> bool {
    ATTRIBUTES
        .iter()
        .any(|own| own.backed && own.name.eq_ignore_ascii_case(name))
}

/// Keyword of service connection points that name Autodiscover's URL ([MS-OXDISCO] 3.1.5.4).
pub(super) const AUTODISCOVER: &str = "77378F46-2C66-4aa9-A6A6-3E7A48B19596";

/// Leaf classes only: how containers are called was never seen on a real directory.
const CLASSES: &[&str] = &[
    "msExchOrganizationContainer",
    "msExchExchangeServer",
    "msExchAuthAuthConfig",
    "msExchAuthPartnerApplication",
    "msExchSmtpReceiveConnector",
    "msExchRoutingSMTPConnector",
    "protocolCfgPOPServer",
    "protocolCfgIMAPServer",
    "msExchVirtualDirectory",
    "msExchFedTrust",
    "msExchCoexistenceRelationship",
    "msExchAcceptedDomain",
    "msExchConfigSettings",
];

/// The one filter. A class that this forest's schema does not have matches nothing.
pub(super) fn filter() -> String {
    let mut filter = String::from("(|");
    for class in CLASSES {
        filter.push_str("(objectClass=");
        filter.push_str(class);
        filter.push(')');
    }
    filter.push_str("(&(objectClass=serviceConnectionPoint)(keywords=");
    filter.push_str(AUTODISCOVER);
    filter.push_str(")))");
    filter
}
