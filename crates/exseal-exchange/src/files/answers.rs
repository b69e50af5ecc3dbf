//! Answers of a live organisation, read as if somebody had exported them.
//!
//! What was asked is known here, so that no type is needed to tell what an object is: `Select-Object` leaves none. And
//! who was asked is known: what answers about another server is noted and left out (facts/powershell-remoting.md 3.1, a
//! front end may proxy to any server).

use exseal_model::inventory::{ReadError, ServerName, first_label};
use exseal_model::{Channel, Inventory, Listing, Look, Observed, SourceId};
use exseal_psrp::clixml::Document;
use jiff::Timestamp;

use super::cmdlets::{self, Kind};
use super::{Page, collector};

/// How a cmdlet is told which server it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByName {
    /// `-Server`.
    Server,
    /// `-Identity`.
    Identity,
    /// Not at all.
    Organisation,
}

/// A question: a cmdlet, and what of its objects is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) cmdlet: &'static str,
    kind: Kind,
    pub(crate) by: ByName,
    pub(crate) properties: &'static [&'static str],
    /// Whether each object says which server it is of: then one that does not is no answer.
    named: bool,
    /// Whether it has to be told not to stop after 1,000 objects.
    pub(crate) unlimited: bool,
}

const fn of_organisation(cmdlet: &'static str, kind: Kind, properties: &'static [&'static str]) -> Question {
    Question {
        cmdlet,
        kind,
        by: ByName::Organisation,
        properties,
        named: false,
        unlimited: false,
    }
}

const fn of_server(
    cmdlet: &'static str,
    kind: Kind,
    by: ByName,
    properties: &'static [&'static str],
    named: bool,
) -> Question {
    Question {
        cmdlet,
        kind,
        by,
        properties,
        named,
        unlimited: false,
    }
}

const fn directory(cmdlet: &'static str) -> Question {
    const PROPERTIES: &[&str] = &[
        "Identity",
        "Name",
        "Server",
        "InternalUrl",
        "ExternalUrl",
        "ExtendedProtectionTokenChecking",
        "MetabasePath",
    ];
    of_server(cmdlet, Kind::VirtualDirectory, ByName::Server, PROPERTIES, true)
}

/// Whether a cmdlet is one of the questions that is told by `-Server` which server it is about.
pub(crate) fn takes_server(cmdlet: &str) -> bool {
    const ASKED: [&Question; 15] = [
        &CERTIFICATES,
        &RECEIVE_CONNECTORS,
        &POP,
        &IMAP,
        &OWA,
        &ECP,
        &EWS,
        &MAPI,
        &OAB,
        &ACTIVE_SYNC,
        &POWERSHELL,
        &AUTODISCOVER,
        &OUTLOOK_ANYWHERE,
        &SERVICE_HEALTH,
        &QUEUES,
    ];
    ASKED
        .into_iter()
        .any(|question| question.by == ByName::Server && question.cmdlet.eq_ignore_ascii_case(cmdlet))
}

pub(crate) const SERVERS: Question = of_organisation(
    "Get-ExchangeServer",
    Kind::ExchangeServer,
    &[
        "Name",
        "Identity",
        "Fqdn",
        "AdminDisplayVersion",
        "ServerRole",
        "Site",
        "Edition",
    ],
);
pub(crate) const AUTH_CONFIG: Question = of_organisation(
    "Get-AuthConfig",
    Kind::AuthConfig,
    &[
        "CurrentCertificateThumbprint",
        "PreviousCertificateThumbprint",
        "NextCertificateThumbprint",
        "NextCertificateEffectiveDate",
        "Realm",
        "ServiceName",
    ],
);
pub(crate) const SEND_CONNECTORS: Question = of_organisation(
    "Get-SendConnector",
    Kind::SendConnector,
    &[
        "Name",
        "Identity",
        "Fqdn",
        "TlsCertificateName",
        "Enabled",
        "AddressSpaces",
        "SmartHosts",
        "SourceTransportServers",
        "RequireTLS",
        "TlsAuthLevel",
        "TlsDomain",
        "CloudServicesMailEnabled",
        "IgnoreSTARTTLS",
        "ForceHELO",
        "DNSRoutingEnabled",
        "FrontendProxyEnabled",
        "DomainSecureEnabled",
        "Port",
        "ProtocolLoggingLevel",
    ],
);
pub(crate) const HYBRID: Question = of_organisation(
    "Get-HybridConfiguration",
    Kind::HybridConfiguration,
    &[
        "TlsCertificateName",
        "ReceivingTransportServers",
        "SendingTransportServers",
        "EdgeTransportServers",
        "ClientAccessServers",
        "Domains",
        "Features",
        "OnPremisesSmartHost",
    ],
);
pub(crate) const ACCEPTED_DOMAINS: Question = of_organisation(
    "Get-AcceptedDomain",
    Kind::AcceptedDomain,
    &["Name", "DomainName", "DomainType", "Default"],
);
pub(crate) const FEDERATION_TRUSTS: Question = of_organisation(
    "Get-FederationTrust",
    Kind::FederationTrust,
    &[
        "Name",
        "ApplicationUri",
        "OrgPrivCertificate",
        "OrgNextPrivCertificate",
        "OrgPrevPrivCertificate",
        "OrgCertificate",
        "OrgNextCertificate",
        "OrgPrevCertificate",
    ],
);
pub(crate) const EDGE_SUBSCRIPTIONS: Question = of_organisation(
    "Get-EdgeSubscription",
    Kind::EdgeSubscription,
    &["Name", "Site", "Domain"],
);
pub(crate) const SETTING_OVERRIDES: Question = of_organisation(
    "Get-SettingOverride",
    Kind::SettingOverride,
    &[
        "Name",
        "ComponentName",
        "SectionName",
        "Parameters",
        "Server",
        "Reason",
    ],
);
pub(crate) const PARTNER_APPLICATIONS: Question = of_organisation(
    "Get-PartnerApplication",
    Kind::PartnerApplication,
    &["Name", "ApplicationIdentifier", "Enabled"],
);
pub(crate) const ORGANIZATION_CONFIG: Question = of_organisation(
    "Get-OrganizationConfig",
    Kind::OrganizationConfig,
    &[
        "Name",
        "AdfsSignCertificateThumbprints",
        "AdfsEncryptCertificateThumbprint",
    ],
);
pub(crate) const CERTIFICATES: Question = of_server(
    "Get-ExchangeCertificate",
    Kind::ExchangeCertificate,
    ByName::Server,
    &[
        "Thumbprint",
        "RawData",
        "Services",
        "FriendlyName",
        "Status",
        "RootCAType",
        "HasPrivateKey",
        "PrivateKeyExportable",
        "IsSelfSigned",
        "Identity",
        "CertificateRequest",
        "IISServices",
    ],
    // With an Auth certificate that is no good RawData comes alone.
    false,
);
pub(crate) const RECEIVE_CONNECTORS: Question = of_server(
    "Get-ReceiveConnector",
    Kind::ReceiveConnector,
    ByName::Server,
    &[
        "Name",
        "Identity",
        "Server",
        "Fqdn",
        "TlsCertificateName",
        "Enabled",
        "Bindings",
        "RemoteIPRanges",
        "TransportRole",
        "AuthMechanism",
        "PermissionGroups",
        "RequireTLS",
        "DomainSecureEnabled",
        "TlsDomainCapabilities",
        "SuppressXAnonymousTls",
        "ProtocolLoggingLevel",
    ],
    true,
);
pub(crate) const TRANSPORT_SERVICE: Question = of_server(
    "Get-TransportService",
    Kind::TransportService,
    ByName::Identity,
    &["Name", "Identity", "InternalTransportCertificateThumbprint"],
    true,
);
pub(crate) const POP: Question = client_protocol("Get-PopSettings", Kind::PopSettings);
pub(crate) const IMAP: Question = client_protocol("Get-ImapSettings", Kind::ImapSettings);
pub(crate) const OWA: Question = Question {
    properties: &[
        "Identity",
        "Name",
        "Server",
        "InternalUrl",
        "ExternalUrl",
        "ExtendedProtectionTokenChecking",
        "MetabasePath",
        "InstantMessagingCertificateThumbprint",
    ],
    ..directory("Get-OwaVirtualDirectory")
};
pub(crate) const ECP: Question = directory("Get-EcpVirtualDirectory");
pub(crate) const EWS: Question = directory("Get-WebServicesVirtualDirectory");
pub(crate) const MAPI: Question = directory("Get-MapiVirtualDirectory");
pub(crate) const OAB: Question = directory("Get-OabVirtualDirectory");
pub(crate) const ACTIVE_SYNC: Question = directory("Get-ActiveSyncVirtualDirectory");
pub(crate) const POWERSHELL: Question = directory("Get-PowerShellVirtualDirectory");
pub(crate) const AUTODISCOVER: Question = directory("Get-AutodiscoverVirtualDirectory");
pub(crate) const OUTLOOK_ANYWHERE: Question = of_server(
    "Get-OutlookAnywhere",
    Kind::OutlookAnywhere,
    ByName::Server,
    &[
        "Identity",
        "Server",
        "InternalHostname",
        "ExternalHostname",
        "ExtendedProtectionTokenChecking",
        "MetabasePath",
    ],
    true,
);
pub(crate) const CLIENT_ACCESS_SERVICE: Question = of_server(
    "Get-ClientAccessService",
    Kind::ClientAccessService,
    ByName::Identity,
    &["Name", "Identity", "AutoDiscoverServiceInternalUri"],
    true,
);
pub(crate) const MAILBOX_SERVER: Question = of_server(
    "Get-MailboxServer",
    Kind::MailboxServer,
    ByName::Identity,
    &["Name", "AdminDisplayVersion", "DatabaseAvailabilityGroup"],
    true,
);
pub(crate) const COMPONENT_STATES: Question = of_server(
    "Get-ServerComponentState",
    Kind::ComponentState,
    ByName::Identity,
    &["ServerFqdn", "Component", "State", "LocalStates"],
    true,
);
pub(crate) const SERVICE_HEALTH: Question = of_server(
    "Test-ServiceHealth",
    Kind::ServiceHealth,
    ByName::Server,
    &[
        "Role",
        "RequiredServicesRunning",
        "ServicesRunning",
        "ServicesNotRunning",
    ],
    false,
);
pub(crate) const QUEUES: Question = Question {
    unlimited: true,
    ..of_server(
        "Get-Queue",
        Kind::Queue,
        ByName::Server,
        &[
            "Identity",
            "Status",
            "MessageCount",
            "NextHopDomain",
            "DeliveryType",
            "LastError",
        ],
        true,
    )
};

const fn client_protocol(cmdlet: &'static str, kind: Kind) -> Question {
    of_server(
        cmdlet,
        kind,
        ByName::Server,
        &[
            "Identity",
            "Server",
            "X509CertificateName",
            "SSLBindings",
            "UnencryptedOrTLSBindings",
            "InternalConnectionSettings",
            "ExternalConnectionSettings",
            "LoginType",
        ],
        true,
    )
}

/// Who was asked, about whom, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) address: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) server: Option<&'a str>,
    pub(crate) channel: Channel,
}

/// Reads the objects of an answer. `whole`: no error came among them, so what is not there is missing.
pub(crate) fn read(
    question: &Question,
    about: About<'_>,
    objects: &[Document<'static>],
    whole: bool,
) -> Inventory {
    let mut page = Page::new(about.address);
    let source = cmdlets::source(&mut page, question.kind, question.cmdlet);
    let mut place = 0;
    for document in objects {
        for value in &document.values {
            place += 1;
            let at = format!("{}, object {place}", question.cmdlet);
            cmdlets::take_as(&mut page, document, value, question.kind, question.cmdlet, &at);
        }
    }
    let inventory = &mut page.inventory;
    for source in &mut inventory.sources {
        source.at = Some(about.at);
        source.channel = about.channel;
    }
    if let Some(asked) = about.server {
        of_asked(question, inventory, asked, about.address);
    }
    looked(question.kind, inventory, about.server, source, whole, place);
    page.inventory
}

/// Leaves out what is about another server than the one that was asked, and names what is about none.
fn of_asked(question: &Question, inventory: &mut Inventory, asked: &str, address: &str) {
    let mut others = Vec::new();
    inventory.servers.retain(|server| match server.name.known() {
        Some(name) if is_same(name, asked) => true,
        Some(name) => {
            others.push(name.to_owned());
            false
        }
        None if question.named => {
            others.push("an object that names no server".to_owned());
            false
        }
        None => true,
    });
    for server in &mut inventory.servers {
        // One spelling for all answers: they are one server's.
        server.name = ServerName::Known(asked.to_owned());
    }
    let mut joined: Vec<exseal_model::inventory::Server> = Vec::new();
    for server in inventory.servers.drain(..) {
        match joined.first_mut() {
            Some(own) => exseal_model::Merge::merge(own, server),
            None => joined.push(server),
        }
    }
    inventory.servers = joined;
    for found in others {
        inventory.errors.push(ReadError {
            file: address.to_owned(),
            at: question.cmdlet.to_owned(),
            expected: format!("an answer about {asked}"),
            found,
        });
    }
}

fn is_same(name: &str, asked: &str) -> bool {
    name.eq_ignore_ascii_case(asked)
        || (name.contains('.') != asked.contains('.')
            && first_label(name).eq_ignore_ascii_case(first_label(asked)))
}

/// Notes that somebody looked, also where nothing was found: a list of none is an answer.
fn looked(
    kind: Kind,
    inventory: &mut Inventory,
    server: Option<&str>,
    source: SourceId,
    whole: bool,
    objects: usize,
) {
    let look = Look {
        source,
        complete: whole && inventory.errors.is_empty(),
    };
    let organisation = &mut inventory.organisation;
    match kind {
        Kind::SendConnector => mark(&mut organisation.send_connectors, look),
        Kind::AcceptedDomain => mark(&mut organisation.accepted_domains, look),
        Kind::FederationTrust => mark(&mut organisation.federation_trusts, look),
        Kind::EdgeSubscription => mark(&mut organisation.edge_subscriptions, look),
        Kind::SettingOverride => mark(&mut organisation.setting_overrides, look),
        Kind::PartnerApplication => mark(&mut organisation.partner_applications, look),
        Kind::HybridConfiguration if objects == 0 && look.complete => {
            organisation.hybrid.by = vec![source];
            organisation.hybrid.present = Observed::seen(false, source);
        }
        _ => {}
    }
    let Some(name) = server else { return };
    let server = inventory.server_mut(&ServerName::Known(name.to_owned()));
    match kind {
        // Without a key a certificate is not listed (facts/exchange.md 1.2): what has one is all there.
        Kind::ExchangeCertificate => mark(&mut server.my, look),
        Kind::ReceiveConnector => mark(&mut server.receive_connectors, look),
        Kind::ComponentState => mark(&mut server.component_states, look),
        Kind::ServiceHealth => mark(&mut server.health, look),
        Kind::Queue => mark(&mut server.queues, look),
        _ => {}
    }
}

fn mark<T>(listing: &mut Listing<T>, look: Look) {
    listing.looks = vec![look];
}

/// Whether certificates were asked for and none of the objects that came held one.
pub(crate) fn are_half_empty(question: &Question, inventory: &Inventory) -> bool {
    question.kind == Kind::ExchangeCertificate
        && inventory
            .servers
            .iter()
            .all(|server| server.my.items.is_empty() && server.request.items.is_empty())
}

/// Reads a reading of the helper, in the collector's form.
pub(crate) fn read_reading(address: &str, at: Timestamp, reading: &serde_json::Value) -> Inventory {
    let mut page = Page::new(address);
    collector::read(&mut page, reading);
    for source in &mut page.inventory.sources {
        source.at = Some(at);
    }
    page.inventory
}

/// Takes back that lists are complete: errors came among what they hold.
pub(crate) fn not_whole(inventory: &mut Inventory) {
    fn take_back<T>(listing: &mut Listing<T>) {
        for look in &mut listing.looks {
            look.complete = false;
        }
    }
    for server in &mut inventory.servers {
        for store in [
            &mut server.my,
            &mut server.request,
            &mut server.root,
            &mut server.ca,
            &mut server.web_hosting,
        ] {
            take_back(store);
        }
        take_back(&mut server.http_sys);
        take_back(&mut server.sites);
        take_back(&mut server.app_pools);
        take_back(&mut server.services);
        take_back(&mut server.events);
        take_back(&mut server.tasks);
        take_back(&mut server.log_lines);
        take_back(&mut server.disks);
    }
}
