//! The cmdlets of the sample: which objects they return, of which types, with which properties.

use super::export::{Export, Field};
use super::organisation::{Certificates, Server};
use super::payload::{self, Entry};
use super::x509::Made;
use sha2::{Digest, Sha256};

const STRINGS: &str = "Microsoft.Exchange.Data.MultiValuedProperty`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]";

/// The type names of a configuration object: its own, then those that all have.
macro_rules! configuration {
    ($($own:literal),+) => {
        &[
            $(concat!("Microsoft.Exchange.Data.Directory.SystemConfiguration.", $own),)+
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADConfigurationObject",
            "Microsoft.Exchange.Data.Directory.ADObject",
            "Microsoft.Exchange.Data.Directory.ADRawEntry",
            "Microsoft.Exchange.Data.ConfigurableObject",
            "System.Object",
        ]
    };
}

/// Get-ExchangeServer: all servers in one file.
pub(super) fn exchange_servers(servers: &[Server<'_>]) -> Vec<u8> {
    let mut export = Export::new("ex1.kiefer.example");
    let types = [
        "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
        "Microsoft.Exchange.Data.Directory.Management.ADPresentationObject",
        "Microsoft.Exchange.Data.Directory.ADObject",
        "Microsoft.Exchange.Data.Directory.ADRawEntry",
        "Microsoft.Exchange.Data.ConfigurableObject",
        "System.Object",
    ];
    for server in servers {
        let properties = vec![
            ("Name", Field::text(server.name)),
            ("Domain", Field::text("kiefer.example")),
            (
                "Edition",
                Field::Enum(
                    "Microsoft.Exchange.Data.ServerEditionType",
                    "Standard".to_owned(),
                    0,
                ),
            ),
            ("Fqdn", Field::text(&server.fqdn)),
            ("IsHubTransportServer", Field::Flag(true)),
            ("IsClientAccessServer", Field::Flag(true)),
            ("IsEdgeServer", Field::Flag(false)),
            ("IsMailboxServer", Field::Flag(true)),
            ("IsE15OrLater", Field::Flag(true)),
            ("IsFrontendTransportServer", Field::Flag(true)),
            (
                "AdminDisplayVersion",
                Field::Named("Microsoft.Exchange.Data.ServerVersion", server.build.to_owned()),
            ),
            (
                "Site",
                Field::id(format!("kiefer.example/Configuration/Sites/{}", server.site)),
            ),
            (
                "ServerRole",
                Field::Enum(
                    "Microsoft.Exchange.Data.Directory.SystemConfiguration.ServerRole",
                    "Mailbox".to_owned(),
                    2,
                ),
            ),
            ("Identity", Field::id(server.name)),
            ("IsValid", Field::Flag(true)),
        ];
        export.add(&types, server.name, properties, Vec::new());
    }
    export.encode()
}

/// Get-AuthConfig.
pub(super) fn auth_config(certificates: &Certificates) -> Vec<u8> {
    let mut export = Export::new("ex1.kiefer.example");
    let properties = vec![
        (
            "CurrentCertificateThumbprint",
            Field::text(certificates.auth_current.thumbprint()),
        ),
        ("PreviousCertificateThumbprint", Field::text("")),
        (
            "NextCertificateThumbprint",
            Field::text(certificates.auth_next.thumbprint()),
        ),
        (
            "NextCertificateEffectiveDate",
            Field::Date("2026-12-01T14:00:00+01:00".to_owned()),
        ),
        ("ServiceName", Field::text("00000002-0000-0ff1-ce00-000000000000")),
        ("Realm", Field::text("")),
        ("Name", Field::text("Auth Configuration")),
        ("Identity", Field::id("Auth Configuration")),
        ("IsValid", Field::Flag(true)),
    ];
    export.add(
        configuration!("AuthConfig"),
        "Auth Configuration",
        properties,
        Vec::new(),
    );
    export.encode()
}

/// Get-SendConnector: one to the Internet, one to a partner who insists on TLS.
pub(super) fn send_connectors(certificates: &Certificates) -> Vec<u8> {
    let mut export = Export::new("ex1.kiefer.example");
    let types = configuration!(
        "SmtpSendConnectorConfig",
        "MailGateway",
        "SendConnector",
        "ADLegacyVersionableObject"
    );
    let partner = certificates.mail_old.name_pair();
    for (name, space, host, certificate) in [
        ("To the Internet", "SMTP:*;1", None, None),
        (
            "To Lärche",
            "SMTP:laerche.example;1",
            Some("mx.laerche.example"),
            Some(partner),
        ),
    ] {
        let require_tls = certificate.is_some();
        let properties = vec![
            ("DNSRoutingEnabled", Field::Flag(host.is_none())),
            ("TlsDomain", Field::Null),
            (
                "TlsAuthLevel",
                if require_tls {
                    Field::Enum(
                        "Microsoft.Exchange.Data.Directory.SystemConfiguration.TlsAuthLevel",
                        "CertificateValidation".to_owned(),
                        2,
                    )
                } else {
                    Field::Null
                },
            ),
            (
                "SmartHosts",
                Field::List(STRINGS, host.into_iter().map(str::to_owned).collect()),
            ),
            ("Port", Field::Number(25)),
            ("ForceHELO", Field::Flag(false)),
            ("FrontendProxyEnabled", Field::Flag(false)),
            ("IgnoreSTARTTLS", Field::Flag(false)),
            ("CloudServicesMailEnabled", Field::Flag(false)),
            (
                "Fqdn",
                Field::Named("Microsoft.Exchange.Data.Fqdn", "mail.kiefer.example".to_owned()),
            ),
            ("TlsCertificateName", name_field(certificate)),
            ("RequireTLS", Field::Flag(require_tls)),
            ("Enabled", Field::Flag(true)),
            (
                "ProtocolLoggingLevel",
                Field::Enum(
                    "Microsoft.Exchange.Data.ProtocolLoggingLevel",
                    "Verbose".to_owned(),
                    1,
                ),
            ),
            ("DomainSecureEnabled", Field::Flag(false)),
            ("AddressSpaces", Field::List(STRINGS, vec![space.to_owned()])),
            (
                "SourceTransportServers",
                Field::List(STRINGS, vec!["EX1".to_owned(), "EX2".to_owned()]),
            ),
            ("Name", Field::text(name)),
            ("Identity", Field::id(name)),
            ("IsValid", Field::Flag(true)),
        ];
        export.add(types, name, properties, Vec::new());
    }
    export.encode()
}

fn name_field(name: Option<String>) -> Field {
    name.map_or(Field::Null, |name| {
        Field::Named("Microsoft.Exchange.Data.SmtpX509Identifier", name)
    })
}

/// Get-ExchangeCertificate of one server; the payloads are wrapped as since January 2023.
pub(super) fn certificates(server: &Server<'_>) -> Vec<u8> {
    let mut export = Export::new(&server.fqdn);
    let types = [
        "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate",
        "System.Security.Cryptography.X509Certificates.X509Certificate2",
        "System.Security.Cryptography.X509Certificates.X509Certificate",
        "System.Object",
    ];
    for &(certificate, friendly_name, services, sites) in &server.store {
        let stream = payload::stream(&Entry {
            certificate,
            server: &server.fqdn,
            friendly_name,
            services,
            status: 1,
            root_ca_type: root_ca_type(certificate),
            sites,
            exportable: !certificate.self_signed || friendly_name.contains("Auth"),
        });
        let length = i32::try_from(stream.len()).unwrap_or(i32::MAX).to_le_bytes();
        // The real 32 bytes are made with the Auth certificate; these only have their length.
        let signature: [u8; 32] = Sha256::digest(&stream).into();
        let wrapped = [b"#sig#".as_slice(), &length, &stream, &signature].concat();
        let shown = format!(
            "[Subject]\r\n  {}\r\n\r\n[Issuer]\r\n  {}\r\n\r\n[Serial Number]\r\n  {}\r\n\r\n[Not Before]\r\n  {}\r\n\r\n[Not After]\r\n  {}\r\n\r\n[Thumbprint]\r\n  {}\r\n",
            certificate.subject,
            certificate.issuer,
            certificate.serial,
            certificate.from.strftime("%m/%d/%Y %H:%M:%S"),
            certificate.to.strftime("%m/%d/%Y %H:%M:%S"),
            certificate.thumbprint()
        );
        export.add(
            &types,
            &shown,
            vec![("RawData", Field::Bytes(certificate.der.clone()))],
            vec![("SerializationData", Field::Bytes(wrapped))],
        );
    }
    export.encode()
}

/// As setups on record have it: Registry for what setup made, None for the Auth certificate.
fn root_ca_type(certificate: &Made) -> i32 {
    match certificate.issuer.as_str() {
        "CN=Microsoft Exchange Server Auth Certificate" => 0,
        _ if certificate.self_signed => 3,
        internal if internal.contains("DC=kiefer") => 2,
        _ => 1,
    }
}

/// Get-ReceiveConnector of one server: the five of setup, and a relay on EX1.
pub(super) fn receive_connectors(server: &Server<'_>) -> Vec<u8> {
    let mut export = Export::new(&server.fqdn);
    let own = server.name;
    let hub = ("HubTransport", 32);
    let front = ("FrontendTransport", 16384);
    let mut connectors = vec![
        (format!("Default {own}"), 2525, hub, &server.fqdn as &str),
        (format!("Client Proxy {own}"), 465, hub, &server.fqdn),
        (format!("Default Frontend {own}"), 25, front, &server.fqdn),
        (format!("Outbound Proxy Frontend {own}"), 717, front, &server.fqdn),
        (format!("Client Frontend {own}"), 587, front, &server.fqdn),
    ];
    if own == "EX1" {
        connectors.push(("Relay EX1".to_owned(), 26, front, "mail.kiefer.example"));
    }
    for (name, port, (role, number), fqdn) in connectors {
        let identity = format!("{own}\\{name}");
        let certificate = server.connector_names.iter().find(|(of, _)| *of == name);
        let properties = vec![
            (
                "AuthMechanism",
                Field::Enum(
                    "Microsoft.Exchange.Data.Directory.SystemConfiguration.AuthMechanisms",
                    "Tls, Integrated, BasicAuth, BasicAuthRequireTLS, ExchangeServer".to_owned(),
                    31,
                ),
            ),
            (
                "Bindings",
                Field::List(STRINGS, vec![format!("0.0.0.0:{port}"), format!("[::]:{port}")]),
            ),
            ("DomainSecureEnabled", Field::Flag(false)),
            ("SuppressXAnonymousTls", Field::Flag(false)),
            (
                "Fqdn",
                Field::Named("Microsoft.Exchange.Data.Fqdn", fqdn.to_owned()),
            ),
            (
                "TlsCertificateName",
                name_field(certificate.map(|(_, name)| name.clone())),
            ),
            ("Enabled", Field::Flag(true)),
            (
                "PermissionGroups",
                Field::Enum(
                    "Microsoft.Exchange.Data.PermissionGroups",
                    "ExchangeUsers, ExchangeServers, ExchangeLegacyServers".to_owned(),
                    14,
                ),
            ),
            (
                "ProtocolLoggingLevel",
                Field::Enum(
                    "Microsoft.Exchange.Data.ProtocolLoggingLevel",
                    "Verbose".to_owned(),
                    1,
                ),
            ),
            (
                "RemoteIPRanges",
                Field::List(STRINGS, vec!["0.0.0.0-255.255.255.255".to_owned()]),
            ),
            ("RequireTLS", Field::Flag(false)),
            ("TlsDomainCapabilities", Field::List(STRINGS, Vec::new())),
            ("Server", Field::id(own)),
            (
                "TransportRole",
                Field::Enum(
                    "Microsoft.Exchange.Data.Directory.SystemConfiguration.ServerRole",
                    role.to_owned(),
                    number,
                ),
            ),
            ("Name", Field::text(&name)),
            ("Identity", Field::id(&identity)),
            ("IsValid", Field::Flag(true)),
        ];
        export.add(
            configuration!("ReceiveConnector"),
            &identity,
            properties,
            Vec::new(),
        );
    }
    export.encode()
}

/// Get-TransportService.
pub(super) fn transport_service(server: &Server<'_>) -> Vec<u8> {
    let mut export = Export::new(&server.fqdn);
    let types = [
        "Microsoft.Exchange.Data.Directory.Management.TransportServer",
        "Microsoft.Exchange.Data.Directory.Management.ADPresentationObject",
        "Microsoft.Exchange.Data.Directory.ADObject",
        "Microsoft.Exchange.Data.Directory.ADRawEntry",
        "Microsoft.Exchange.Data.ConfigurableObject",
        "System.Object",
    ];
    let properties = vec![
        ("Name", Field::text(server.name)),
        (
            "InternalTransportCertificateThumbprint",
            Field::text(server.internal_transport.thumbprint()),
        ),
        ("Identity", Field::id(server.name)),
        ("IsValid", Field::Flag(true)),
    ];
    export.add(&types, server.name, properties, Vec::new());
    export.encode()
}

/// The virtual directories of one server that clients are told: OWA, ECP, EWS, ActiveSync, MAPI, OAB.
pub(super) fn virtual_directories(server: &Server<'_>) -> Vec<u8> {
    let mut export = Export::new(&server.fqdn);
    let at = |host: &str, path: &str| Field::Uri(format!("https://{host}{path}"));
    let directories: [(&[&'static str], &str, &str, &str); 6] = [
        (
            configuration!(
                "ADOwaVirtualDirectory",
                "ExchangeWebAppVirtualDirectory",
                "ExchangeVirtualDirectory",
                "ADVirtualDirectory"
            ),
            "owa",
            "/owa",
            server.owa_host,
        ),
        (
            configuration!(
                "ADEcpVirtualDirectory",
                "ExchangeWebAppVirtualDirectory",
                "ExchangeVirtualDirectory",
                "ADVirtualDirectory"
            ),
            "ecp",
            "/ecp",
            "mail.kiefer.example",
        ),
        (
            configuration!(
                "ADWebServicesVirtualDirectory",
                "ADExchangeServiceVirtualDirectory",
                "ExchangeVirtualDirectory",
                "ADVirtualDirectory"
            ),
            "EWS",
            "/EWS/Exchange.asmx",
            "mail.kiefer.example",
        ),
        (
            configuration!(
                "ADMobileVirtualDirectory",
                "ExchangeVirtualDirectory",
                "ADVirtualDirectory"
            ),
            "Microsoft-Server-ActiveSync",
            "/Microsoft-Server-ActiveSync",
            "mail.kiefer.example",
        ),
        (
            configuration!(
                "ADMapiVirtualDirectory",
                "ADExchangeServiceVirtualDirectory",
                "ExchangeVirtualDirectory",
                "ADVirtualDirectory"
            ),
            "mapi",
            "/mapi",
            "mail.kiefer.example",
        ),
        (
            configuration!(
                "ADOabVirtualDirectory",
                "ADExchangeServiceVirtualDirectory",
                "ExchangeVirtualDirectory",
                "ADVirtualDirectory"
            ),
            "OAB",
            "/OAB",
            "mail.kiefer.example",
        ),
    ];
    for (types, name, path, external) in directories {
        let shown = format!("{name} (Default Web Site)");
        let properties = vec![
            ("Name", Field::text(&shown)),
            (
                "MetabasePath",
                Field::text(format!("IIS://{}/W3SVC/1/ROOT/{name}", server.fqdn)),
            ),
            (
                "ExtendedProtectionTokenChecking",
                Field::Enum(
                    "Microsoft.Exchange.Data.Directory.SystemConfiguration.ExtendedProtectionTokenCheckingMode",
                    "Require".to_owned(),
                    2,
                ),
            ),
            ("Server", Field::id(server.name)),
            ("InternalUrl", at("mail.kiefer.example", path)),
            ("ExternalUrl", at(external, path)),
            ("Identity", Field::id(format!("{}\\{shown}", server.name))),
            ("IsValid", Field::Flag(true)),
        ];
        export.add(
            types,
            &format!("{}\\{shown}", server.name),
            properties,
            Vec::new(),
        );
    }
    export.encode()
}

/// Get-ClientAccessService: where Autodiscover's connection point leads.
pub(super) fn client_access_service(server: &Server<'_>) -> Vec<u8> {
    let mut export = Export::new(&server.fqdn);
    let properties = vec![
        ("Name", Field::text(server.name)),
        ("Fqdn", Field::text(&server.fqdn)),
        (
            "AutoDiscoverServiceInternalUri",
            Field::Uri("https://autodiscover.kiefer.example/Autodiscover/Autodiscover.xml".to_owned()),
        ),
        ("Identity", Field::id(server.name)),
        ("IsValid", Field::Flag(true)),
    ];
    let types = [
        "Microsoft.Exchange.Data.Directory.Management.ClientAccessServer",
        "Microsoft.Exchange.Data.Directory.Management.ADPresentationObject",
        "Microsoft.Exchange.Data.Directory.ADObject",
        "Microsoft.Exchange.Data.Directory.ADRawEntry",
        "Microsoft.Exchange.Data.ConfigurableObject",
        "System.Object",
    ];
    export.add(&types, server.name, properties, Vec::new());
    export.encode()
}

/// Get-PopSettings or Get-ImapSettings.
pub(super) fn client_protocol(server: &Server<'_>, imap: bool) -> Vec<u8> {
    let mut export = Export::new(&server.fqdn);
    let (types, protocol, ports): (&[&'static str], &str, [u16; 2]) = if imap {
        (
            configuration!(
                "Imap4AdConfiguration",
                "PopImapAdConfiguration",
                "ADEmailTransport"
            ),
            "IMAP4",
            [993, 143],
        )
    } else {
        (
            configuration!(
                "Pop3AdConfiguration",
                "PopImapAdConfiguration",
                "ADEmailTransport"
            ),
            "POP3",
            [995, 110],
        )
    };
    let both = |port: u16| vec![format!("[::]:{port}"), format!("0.0.0.0:{port}")];
    let [tls, plain] = ports;
    let identity = format!("{}\\1", server.name);
    let properties = vec![
        ("ProtocolName", Field::text(protocol)),
        ("Name", Field::text("1")),
        ("UnencryptedOrTLSBindings", Field::List(STRINGS, both(plain))),
        ("SSLBindings", Field::List(STRINGS, both(tls))),
        (
            "InternalConnectionSettings",
            Field::List(STRINGS, vec![format!("{}:{tls}:SSL", server.fqdn)]),
        ),
        (
            "ExternalConnectionSettings",
            Field::List(STRINGS, vec![format!("{}:{tls}:SSL", server.pop_host)]),
        ),
        ("X509CertificateName", Field::text(server.pop_host)),
        (
            "LoginType",
            Field::Enum(
                "Microsoft.Exchange.Data.Directory.SystemConfiguration.LoginOptions",
                "SecureLogin".to_owned(),
                3,
            ),
        ),
        ("Server", Field::id(server.name)),
        ("Identity", Field::id(&identity)),
        ("IsValid", Field::Flag(true)),
    ];
    export.add(types, &identity, properties, Vec::new());
    export.encode()
}

/// Get-WebBinding on the server itself.
pub(super) fn web_bindings(server: &Server<'_>) -> Vec<u8> {
    let mut export = Export::new(&server.fqdn);
    let types = [
        "Microsoft.IIs.PowerShell.Framework.ConfigurationElement#bindings#binding",
        "Microsoft.IIs.PowerShell.Framework.ConfigurationElement",
        "System.Object",
    ];
    for (site, id, port) in [("Default Web Site", 1, ":443"), ("Exchange Back End", 2, ":444")] {
        for (endpoint, certificate) in server
            .bindings
            .iter()
            .filter(|(endpoint, _)| endpoint.ends_with(port))
        {
            let information = format!("{}:", endpoint.replace("0.0.0.0", "*"));
            let notes = vec![
                ("protocol", Field::text("https")),
                ("bindingInformation", Field::text(&information)),
                ("sslFlags", Field::Number(0)),
                ("certificateHash", Field::text(certificate.thumbprint())),
                ("certificateStoreName", Field::text("My")),
                (
                    "ItemXPath",
                    Field::text(format!(
                        "/system.applicationHost/sites/site[@name='{site}' and @id='{id}']"
                    )),
                ),
                ("PSComputerName", Field::text(&server.fqdn)),
            ];
            export.add_local(&types, &format!("https {information}"), notes);
        }
    }
    export.encode()
}
