//! Servers, their POP and IMAP settings, virtual directories and service connection points.

use exseal_model::inventory::{EdgeSubscription, Role, ServerName, VirtualDirectory};
use exseal_model::{Build, Certificate, Listing, Look, Observed, SourceId, Thumbprint};
use exseal_psrp::serialized_cert::SerializedCertificate;

use super::attributes::AUTODISCOVER;
use super::entry::{Entry, map, number};
use super::{Sheet, name};

/// Bits of msExchCurrentServerRoles (facts/active-directory.md 1.1) in the order in which Get-ExchangeServer names roles.
const ROLES: [(u32, Role); 6] = [
    (1, Role::ClientAccess),
    (2, Role::Mailbox),
    (16, Role::UnifiedMessaging),
    (32, Role::HubTransport),
    (64, Role::Edge),
    (16384, Role::FrontendTransport),
];

pub(super) fn read(sheet: &mut Sheet<'_>) {
    let answer = sheet.answer;
    for entry in answer.of_class("msExchExchangeServer") {
        server(sheet, entry);
    }
    for (class, imap) in [("protocolCfgPOPServer", false), ("protocolCfgIMAPServer", true)] {
        for entry in answer.of_class(class) {
            client_protocol(sheet, entry, class, imap);
        }
    }
    directories(sheet);
    edge_subscriptions(sheet);
}

fn server(sheet: &mut Sheet<'_>, entry: &Entry) {
    let answer = sheet.answer;
    let source = sheet.source("msExchExchangeServer", true);
    let unverified = sheet.source("msExchExchangeServer", false);
    let internal_transport = certificate(sheet, entry, "msExchServerInternalTLSCert", source);
    let mut build = answer.observed(entry, "serialNumber", source, |entry| {
        entry
            .texts("serialNumber")
            .find_map(|text| text.parse::<Build>().ok())
            .ok_or_else(|| {
                format!(
                    "expected Version 15.2 (Build 31544.9), found {:?}",
                    entry.text("serialNumber")
                )
            })
    });
    if build.value().is_none() {
        build = answer.observed(entry, "versionNumber", unverified, |entry| {
            version(number(entry, "versionNumber")?)
        });
    }
    let fqdn = answer.observed(entry, "networkAddress", source, |entry| {
        entry
            .texts("networkAddress")
            .find_map(|address| {
                let (protocol, name) = address.split_once(':')?;
                protocol
                    .eq_ignore_ascii_case("ncacn_ip_tcp")
                    .then(|| name.to_owned())
            })
            .ok_or_else(|| "no address begins with ncacn_ip_tcp:".to_owned())
    });
    let roles = map(
        answer.observed(entry, "msExchCurrentServerRoles", source, |entry| {
            number(entry, "msExchCurrentServerRoles")
        }),
        roles,
    );
    let site = map(answer.text(entry, "msExchServerSite", unverified), |dn| {
        name::leaf(&dn)
    });
    let server = sheet.inventory.server_mut(&ServerName::Known(entry.name()));
    server.by = vec![source];
    server.fqdn = fqdn;
    server.build = build;
    server.roles = roles;
    server.site = site;
    server.internal_transport = internal_transport;
}

/// The roles as Get-ExchangeServer names them: a server of 2016 and later that has the mailbox bit is `Mailbox`, whatever
/// else it carries in itself.
fn roles(bits: u32) -> Vec<Role> {
    if bits & 2 != 0 && bits & 16384 != 0 {
        return vec![Role::Mailbox];
    }
    let named: Vec<Role> = ROLES
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, role)| *role)
        .collect();
    if named.is_empty() { vec![Role::None] } else { named }
}

/// Major, minor and build of versionNumber; it holds no revision.
fn version(number: u32) -> Result<Build, String> {
    let part = |shift: u32, mask: u32| u16::try_from((number >> shift) & mask).unwrap_or_default();
    let build = Build(part(22, 63), part(16, 63), part(0, 0x7FFF), 0);
    if build.0 == 0 {
        return Err(format!("expected a packed version, found {number}"));
    }
    Ok(build)
}

/// The thumbprint of a certificate that an attribute holds, in DER or in the serialised form; the certificate is kept.
pub(super) fn certificate(
    sheet: &mut Sheet<'_>,
    entry: &Entry,
    attribute: &str,
    source: SourceId,
) -> Observed<Thumbprint> {
    let answer = sheet.answer;
    let read = answer.observed(entry, attribute, source, |entry| {
        certificate_of(entry.bytes(attribute).unwrap_or_default())
    });
    if let (Observed::Unknown(reasons), Some(_)) = (&read, entry.bytes(attribute)) {
        let why = reasons.join(", ");
        sheet.error(entry, attribute, "a certificate in DER or serialised", why);
    }
    if let Some(certificate) = read.value() {
        sheet.inventory.keep(certificate.clone());
    }
    map(read, |certificate| certificate.thumbprint)
}

/// Reads one value that holds a certificate.
pub(super) fn certificate_of(bytes: &[u8]) -> Result<Certificate, String> {
    let serialised = SerializedCertificate::read(bytes).map_err(|error| error.to_string())?;
    Certificate::from_der(&serialised.der).map_err(|error| error.to_string())
}

fn client_protocol(sheet: &mut Sheet<'_>, entry: &Entry, class: &str, imap: bool) {
    let answer = sheet.answer;
    let Some(server) = answer.server_of(entry) else {
        return sheet.error(entry, "distinguishedName", "a place below a server", "another");
    };
    let source = sheet.source(class, false);
    let server = sheet.inventory.server_mut(&ServerName::Known(server.to_owned()));
    let settings = if imap { &mut server.imap } else { &mut server.pop };
    settings.by = vec![source];
    settings.x509_certificate_name = answer.text(entry, "msExchPopImapX509CertificateName", source);
    settings.ssl_bindings = answer.list(entry, "msExchSecureBindings", source);
    settings.unencrypted_or_tls_bindings = answer.list(entry, "msExchServerBindings", source);
    settings.internal_connection_settings =
        answer.list(entry, "msExchPOPIMAPInternalConnectionSettings", source);
    settings.external_connection_settings =
        answer.list(entry, "msExchPOPIMAPExternalConnectionSettings", source);
}

/// Which class is which kind of directory, in the model's words.
const DIRECTORIES: [(&str, &str); 9] = [
    ("msExchOWAVirtualDirectory", "owa"),
    ("msExchECPVirtualDirectory", "ecp"),
    ("msExchWebServicesVirtualDirectory", "ews"),
    ("msExchMapiVirtualDirectory", "mapi"),
    ("msExchOABVirtualDirectory", "oab"),
    ("msExchMobileVirtualDirectory", "activesync"),
    ("msExchPowerShellVirtualDirectory", "powershell"),
    ("msExchAutodiscoverVirtualDirectory", "autodiscover"),
    ("msExchRpcHttpVirtualDirectory", "outlook-anywhere"),
];

fn directories(sheet: &mut Sheet<'_>) {
    let answer = sheet.answer;
    for entry in answer.of_class("msExchVirtualDirectory") {
        let Some(server) = answer.server_of(entry) else {
            sheet.error(entry, "distinguishedName", "a place below a server", "another");
            continue;
        };
        let source = sheet.source("msExchVirtualDirectory", true);
        let kind = DIRECTORIES
            .iter()
            .find(|(class, _)| entry.is_a(class))
            .map_or("other", |(_, kind)| kind);
        let mut directory = VirtualDirectory::new(format!("{server}\\{}", entry.name()));
        directory.kind = Observed::seen(kind.to_owned(), source);
        let internal = answer.text(entry, "msExchInternalHostName", source);
        let external = answer.text(entry, "msExchExternalHostName", source);
        if kind == "outlook-anywhere" {
            directory.internal_host = map(internal, |url| host(&url));
            directory.external_host = map(external, |url| host(&url));
        } else {
            directory.internal_url = internal;
            directory.external_url = external;
        }
        add_directory(sheet, server, directory, source);
    }
    for entry in answer.of_class("serviceConnectionPoint") {
        if !entry
            .texts("keywords")
            .any(|keyword| keyword.eq_ignore_ascii_case(AUTODISCOVER))
        {
            continue;
        }
        let source = sheet.source("serviceConnectionPoint", true);
        let server = answer
            .server_of(entry)
            .map_or_else(|| entry.name(), str::to_owned);
        let mut directory = VirtualDirectory::new(format!("{server}\\Autodiscover SCP"));
        directory.kind = Observed::seen("scp".to_owned(), source);
        directory.internal_url = answer.text(entry, "serviceBindingInformation", source);
        add_directory(sheet, &server, directory, source);
    }
}

fn add_directory(sheet: &mut Sheet<'_>, server: &str, mut directory: VirtualDirectory, source: SourceId) {
    directory.by = vec![source];
    let own = sheet.inventory.server_mut(&ServerName::Known(server.to_owned()));
    let listing = &mut own.virtual_directories;
    if !listing.looks.iter().any(|look| look.source == source) {
        listing.looks.push(Look {
            source,
            complete: false,
        });
    }
    listing.items.push(directory);
}

/// The host of a URL; what has no scheme is a host already.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', ':', '?']).unwrap_or(rest.len());
    rest.split_at(end).0.to_owned()
}

/// A subscription puts the Edge server's object into the directory, with the certificate of its own that it recorded.
fn edge_subscriptions(sheet: &mut Sheet<'_>) {
    let answer = sheet.answer;
    let servers = || answer.of_class("msExchExchangeServer");
    // Without the roles nobody can tell which servers are Edge servers.
    if servers().any(|entry| entry.text("msExchCurrentServerRoles").is_none()) {
        return;
    }
    let source = sheet.source("msExchExchangeServer", false);
    let mut subscriptions = Vec::new();
    for entry in
        servers().filter(|entry| number(entry, "msExchCurrentServerRoles").is_ok_and(|bits| bits & 64 != 0))
    {
        let mut subscription = EdgeSubscription::new(entry.name());
        subscription.site = map(answer.text(entry, "msExchServerSite", source), |dn| {
            name::leaf(&dn)
        });
        subscription.certificate = certificate(sheet, entry, "msExchServerInternalTLSCert", source);
        let fqdn = sheet
            .inventory
            .server(&entry.name())
            .and_then(|server| server.fqdn.value().cloned());
        if let Some((_, domain)) = fqdn.as_deref().and_then(|fqdn| fqdn.split_once('.')) {
            subscription.domain = Observed::seen(domain.to_owned(), source);
        }
        subscriptions.push(subscription);
    }
    let complete = answer.is_whole("msExchExchangeServer", true);
    sheet.inventory.organisation.edge_subscriptions = Listing::of(subscriptions, source, complete);
}
