//! The cmdlets, by their types and by their properties alone; null, empty and not there.

use exseal_model::inventory::Role;

use crate::input::{
    LEAF, LEAF_THUMBPRINT, b, ba, document, errors, flags, list, nil, not_recognised, object, read_bytes, s,
    servers,
};

const DIRECTORY: &str = "Microsoft.Exchange.Data.Directory";

fn typed(class: &str, properties: &[String]) -> Vec<u8> {
    document(&[object(&format!("Deserialized.{DIRECTORY}.{class}"), properties)])
}

#[test]
fn auth_config_keeps_null_and_empty_apart_from_what_is_not_there() {
    let file = read_bytes(&typed(
        "SystemConfiguration.AuthConfig",
        &[
            s("CurrentCertificateThumbprint", &LEAF_THUMBPRINT.to_lowercase()),
            s("NextCertificateThumbprint", ""),
            nil("NextCertificateEffectiveDate"),
        ],
    ));
    assert_eq!(file.holds.as_deref(), Some("Get-AuthConfig"));
    assert!(
        file.inventory.servers.is_empty(),
        "it belongs to the organisation"
    );
    let config = &file.inventory.organisation.auth_config;
    assert_eq!(config.current.value().unwrap().to_string(), LEAF_THUMBPRINT);
    assert!(config.next.is_absent() && config.next_effective.is_absent());
    assert!(config.previous.is_unknown() && config.realm.is_unknown());
}

#[test]
fn a_date_is_an_instant_and_one_without_offset_is_an_error() {
    let with = |date: &str| {
        read_bytes(&typed(
            "SystemConfiguration.AuthConfig",
            &[
                s("CurrentCertificateThumbprint", ""),
                format!("<DT N=\"NextCertificateEffectiveDate\">{date}</DT>"),
            ],
        ))
    };
    let utc = with("2026-03-01T10:00:00.1234567Z");
    let offset = with("2026-03-01T12:00:00.1234567+02:00");
    let instant = |file: &exseal_exchange::files::FileReading| {
        file.inventory
            .organisation
            .auth_config
            .next_effective
            .value()
            .copied()
    };
    assert!(instant(&utc).is_some());
    assert_eq!(instant(&utc), instant(&offset));
    let local = with("2026-03-01T12:00:00");
    assert_eq!(instant(&local), None);
    assert_eq!(
        errors(&local),
        [
            "object 1, property NextCertificateEffectiveDate: expected a date with its offset from UTC, found \
             2026-03-01T12:00:00"
        ]
    );
}

#[test]
fn a_thumbprint_that_is_none_is_an_error_and_unknown() {
    let file = read_bytes(&typed(
        "SystemConfiguration.AuthConfig",
        &[
            s("CurrentCertificateThumbprint", "not a thumbprint"),
            s("Realm", "example.org"),
        ],
    ));
    let config = &file.inventory.organisation.auth_config;
    assert_eq!(
        config.current.reasons(),
        ["CurrentCertificateThumbprint is no thumbprint"]
    );
    assert_eq!(config.realm.value().map(String::as_str), Some("example.org"));
    assert_eq!(errors(&file).len(), 1);
}

#[test]
fn servers_are_listed_with_build_roles_and_the_site_by_its_name() {
    let server = |name: &str, role: &str| {
        object(
            "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
            &[
                s("Name", name),
                s("Fqdn", &format!("{name}.example.org")),
                s("AdminDisplayVersion", "Version 15.2 (Build 1748.10)"),
                flags("ServerRole", role, 0),
                s("Site", "example.org/Configuration/Sites/Default-First-Site-Name"),
                s("Edition", "Enterprise"),
            ],
        )
    };
    let file = read_bytes(&document(&[
        server("EX1", "Mailbox, ClientAccess"),
        server("EDGE1", "Edge, Astrology"),
    ]));
    assert_eq!(servers(&file), ["EX1", "EDGE1"]);
    let [one, edge] = file.inventory.servers.as_slice() else {
        panic!("two");
    };
    assert_eq!(one.build.value().unwrap().to_string(), "15.2.1748.10");
    assert_eq!(one.roles.value().unwrap(), &[Role::Mailbox, Role::ClientAccess]);
    assert_eq!(
        one.site.value().map(String::as_str),
        Some("Default-First-Site-Name")
    );
    assert_eq!(one.full_name(), Some("EX1.example.org"));
    assert_eq!(edge.is_edge(), Some(true));
    assert_eq!(
        errors(&file),
        ["object 2, property ServerRole: expected a role of Exchange, found \"Astrology\""]
    );
}

#[test]
fn connectors_are_read_with_lists_flags_and_the_server_of_their_identity() {
    let receive = |name: &str| {
        object(
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ReceiveConnector",
            &[
                s("Name", name),
                s("Identity", &format!("EX1\\{name}")),
                s("Fqdn", "ex1.example.org"),
                s("TlsCertificateName", ""),
                list("Bindings", &["[::]:25", "0.0.0.0:25"]),
                flags("AuthMechanism", "Tls, Integrated", 3),
                flags("PermissionGroups", "None", 0),
                b("RequireTLS", false),
                nil("TlsDomainCapabilities"),
            ],
        )
    };
    let file = read_bytes(&document(&[receive("Default EX1"), receive("Client EX1")]));
    assert_eq!(servers(&file), ["EX1"]);
    let listing = &file.inventory.servers[0].receive_connectors;
    assert!(listing.is_complete());
    let connector = &listing.items[0];
    assert_eq!(connector.name, "Default EX1");
    assert!(connector.tls_certificate_name.is_absent());
    assert_eq!(connector.bindings.value().unwrap(), &["[::]:25", "0.0.0.0:25"]);
    assert_eq!(connector.auth_mechanism.value().unwrap(), &["Tls", "Integrated"]);
    assert!(connector.permission_groups.value().unwrap().is_empty());
    assert!(connector.tls_domain_capabilities.value().unwrap().is_empty());
    assert!(connector.domain_secure_enabled.is_unknown());

    let single = read_bytes(&document(&[receive("Default EX1")]));
    assert!(
        !single.inventory.servers[0].receive_connectors.is_complete(),
        "one may have been asked for by name"
    );
}

#[test]
fn send_connectors_belong_to_the_organisation() {
    let file = read_bytes(&typed(
        "SystemConfiguration.SmtpSendConnectorConfig",
        &[
            s("Name", "To the world"),
            s("TlsCertificateName", "<I>CN=CA<S>CN=mail.example.org"),
            list("AddressSpaces", &["SMTP:*;1"]),
            flags("TlsAuthLevel", "CertificateValidation", 2),
            nil("TlsDomain"),
            "<I32 N=\"Port\">25</I32>".to_owned(),
        ],
    ));
    assert!(file.inventory.servers.is_empty());
    let [connector] = file.inventory.organisation.send_connectors.items.as_slice() else {
        panic!("one");
    };
    assert_eq!(
        connector.tls_certificate_name.value().map(String::as_str),
        Some("<I>CN=CA<S>CN=mail.example.org")
    );
    assert_eq!(
        connector.tls_auth_level.value().map(String::as_str),
        Some("CertificateValidation")
    );
    assert!(connector.tls_domain.is_absent());
    assert_eq!(connector.port.value(), Some(&25));
}

#[test]
fn a_number_out_of_range_and_a_flag_that_is_none_are_unknown_not_empty() {
    let file = read_bytes(&typed(
        "SystemConfiguration.SmtpSendConnectorConfig",
        &[
            s("Name", "Odd"),
            "<I64 N=\"Port\">99999999999</I64>".to_owned(),
            s("RequireTLS", "maybe"),
            s("Enabled", "TRUE"),
            s("ForceHELO", ""),
        ],
    ));
    let connector = &file.inventory.organisation.send_connectors.items[0];
    assert_eq!(
        connector.port.reasons(),
        ["Port is there and is no number in its range"]
    );
    assert_eq!(
        connector.require_tls.reasons(),
        ["RequireTLS is there and is no truth value"]
    );
    assert_eq!(connector.enabled.value(), Some(&true));
    assert!(connector.force_helo.is_absent());
}

#[test]
fn cmdlets_without_a_recorded_export_say_so() {
    let of = |class: &str, properties: &[String]| {
        let file = read_bytes(&typed(class, properties));
        assert!(file.unrecorded, "{class}");
        assert!(
            file.inventory.sources.iter().all(|source| source.unrecorded),
            "{class}"
        );
        assert_eq!(errors(&file), [""; 0], "{class}");
        file
    };
    let transport = of(
        "Management.TransportServer",
        &[
            s("Name", "EX1"),
            s("InternalTransportCertificateThumbprint", LEAF_THUMBPRINT),
        ],
    );
    assert_eq!(transport.holds.as_deref(), Some("Get-TransportService"));
    assert_eq!(
        transport.inventory.servers[0]
            .internal_transport
            .value()
            .unwrap()
            .to_string(),
        LEAF_THUMBPRINT
    );

    let pop = of(
        "SystemConfiguration.Pop3AdConfiguration",
        &[
            s("Server", "EX1"),
            s("X509CertificateName", "mail.example.org"),
            list("SSLBindings", &["[::]:995"]),
        ],
    );
    assert_eq!(pop.holds.as_deref(), Some("Get-PopSettings"));
    assert_eq!(
        pop.inventory.servers[0]
            .pop
            .x509_certificate_name
            .value()
            .map(String::as_str),
        Some("mail.example.org")
    );
    let imap = of(
        "SystemConfiguration.Imap4AdConfiguration",
        &[s("Identity", "EX1\\1"), nil("X509CertificateName")],
    );
    assert!(imap.inventory.servers[0].imap.x509_certificate_name.is_absent());
    assert!(imap.inventory.servers[0].pop.x509_certificate_name.is_unknown());

    let access = of(
        "Management.ClientAccessServer",
        &[
            s("Name", "EX1"),
            s(
                "AutoDiscoverServiceInternalUri",
                "https://autodiscover.example.org/Autodiscover/Autodiscover.xml",
            ),
        ],
    );
    assert_eq!(access.holds.as_deref(), Some("Get-ClientAccessService"));
    let [scp] = access.inventory.servers[0].virtual_directories.items.as_slice() else {
        panic!("one");
    };
    assert_eq!(scp.identity, "EX1\\Autodiscover SCP");
    assert_eq!(scp.kind.value().map(String::as_str), Some("scp"));

    let anywhere = of(
        "SystemConfiguration.ADRpcHttpVirtualDirectory",
        &[
            s("ServerName", "EX1"),
            s("Server", "EX1"),
            s("InternalHostname", "mail.example.org"),
            nil("ExternalHostname"),
        ],
    );
    let [rpc] = anywhere.inventory.servers[0].virtual_directories.items.as_slice() else {
        panic!("one");
    };
    assert_eq!(
        rpc.internal_host.value().map(String::as_str),
        Some("mail.example.org")
    );
    assert!(rpc.external_host.is_absent());

    let mapi = of(
        "SystemConfiguration.ADMapiVirtualDirectory",
        &[
            s("Name", "mapi (Default Web Site)"),
            s("MetabasePath", "IIS://ex1.example.org/W3SVC/1/ROOT/mapi"),
            s("InternalUrl", "https://mail.example.org/mapi"),
            nil("ExternalUrl"),
        ],
    );
    assert_eq!(mapi.holds.as_deref(), Some("Get-MapiVirtualDirectory"));
    assert_eq!(
        servers(&mapi),
        ["ex1.example.org"],
        "the metabase path names the server"
    );
    assert_eq!(
        mapi.inventory.servers[0].virtual_directories.items[0]
            .kind
            .value()
            .map(String::as_str),
        Some("mapi")
    );

    let edge = of(
        "SystemConfiguration.EdgeSubscription",
        &[
            s("Name", "EDGE1"),
            s("Site", "example.org/Configuration/Sites/HQ"),
            s("Domain", "dmz.example.org"),
        ],
    );
    let [subscription] = edge.inventory.organisation.edge_subscriptions.items.as_slice() else {
        panic!("one");
    };
    assert_eq!(subscription.site.value().map(String::as_str), Some("HQ"));

    let queue = of(
        "QueueViewer.ExtensibleQueueInfo",
        &[
            s("Identity", "EX1\\7"),
            s("Status", "Retry"),
            "<I32 N=\"MessageCount\">12</I32>".to_owned(),
            s("NextHopDomain", "hub version 15"),
        ],
    );
    assert_eq!(
        queue.inventory.servers[0].queues.items[0].message_count.value(),
        Some(&12)
    );
}

#[test]
fn a_federation_trust_names_its_certificates_by_thumbprint_or_holds_them() {
    let file = read_bytes(&typed(
        "SystemConfiguration.FederationTrust",
        &[
            s("Name", "Microsoft Federation Gateway"),
            s("OrgPrivCertificate", LEAF_THUMBPRINT),
            s("OrgNextPrivCertificate", ""),
            format!(
                "<Obj N=\"OrgPrevCertificate\"><ToString>[Subject]</ToString><Props>{}</Props></Obj>",
                ba("RawData", LEAF)
            ),
        ],
    ));
    assert_eq!(errors(&file), [""; 0]);
    let [trust] = file.inventory.organisation.federation_trusts.items.as_slice() else {
        panic!("one");
    };
    assert_eq!(trust.current.value().unwrap().to_string(), LEAF_THUMBPRINT);
    assert!(trust.next.is_absent());
    assert_eq!(trust.previous.value().unwrap().to_string(), LEAF_THUMBPRINT);
    assert_eq!(file.inventory.certificates.len(), 1);
}

#[test]
fn the_version_of_the_setup_program_is_the_build_that_every_update_changes() {
    let setup = object(
        "System.Diagnostics.FileVersionInfo",
        &[
            s("FileVersion", "15.02.1748.037"),
            s("OriginalFilename", "ExSetup.exe"),
        ],
    );
    let other = object(
        "System.Diagnostics.FileVersionInfo",
        &[s("FileVersion", "10.0.1.2"), s("OriginalFilename", "notepad.exe")],
    );
    let file = read_bytes(&document(&[setup, other]));
    assert_eq!(file.holds.as_deref(), Some("ExSetup.exe"));
    assert_eq!(
        file.inventory.servers[0].setup_build.value().unwrap().to_string(),
        "15.2.1748.37"
    );
    assert_eq!(
        not_recognised(&file),
        ["CLIXML of System.Diagnostics.FileVersionInfo"]
    );
}

#[test]
fn services_are_a_whole_list_only_with_those_every_windows_has() {
    let service = |name: &str| {
        object(
            "System.ServiceProcess.ServiceController",
            &[
                s("Name", name),
                flags("Status", "Running", 4),
                s("MachineName", "EX1"),
            ],
        )
    };
    let some = read_bytes(&document(&[service("MSExchangeTransport"), service("W3SVC")]));
    assert_eq!(servers(&some), ["EX1"]);
    assert!(!some.inventory.servers[0].services.is_complete());
    let all = read_bytes(&document(&[service("RpcSs"), service("W3SVC")]));
    assert!(all.inventory.servers[0].services.is_complete());
}

#[test]
fn every_object_that_is_not_known_is_listed_by_its_type() {
    let file = read_bytes(&document(&[
        object("Some.Unknown.Thing", &[s("Name", "a")]),
        object("Some.Unknown.Thing", &[s("Name", "b")]),
        object("Another.Thing", &[]),
        "<S>text</S>".to_owned(),
        "<Nil />".to_owned(),
        "<Obj><MS /></Obj>".to_owned(),
        typed_auth_config(),
    ]));
    assert_eq!(file.holds.as_deref(), Some("Get-AuthConfig"));
    assert_eq!(
        not_recognised(&file),
        [
            "CLIXML of Some.Unknown.Thing (2 objects)",
            "CLIXML of Another.Thing",
            "CLIXML of a plain value",
            "CLIXML of null: a command that returned nothing",
            "CLIXML of an object without a type"
        ]
    );
}

fn typed_auth_config() -> String {
    object(
        "Microsoft.Exchange.Data.Directory.SystemConfiguration.AuthConfig",
        &[s("CurrentCertificateThumbprint", LEAF_THUMBPRINT)],
    )
}

#[test]
fn a_list_that_was_not_unrolled_is_read_item_by_item() {
    let bytes = document(&[format!(
        "<Obj><TN><T>System.Object[]</T></TN><LST>{}{}</LST></Obj>",
        typed_auth_config(),
        object("Some.Thing", &[])
    )]);
    let file = read_bytes(&bytes);
    assert_eq!(file.holds.as_deref(), Some("Get-AuthConfig"));
    assert_eq!(not_recognised(&file), ["CLIXML of Some.Thing"]);
}

#[test]
fn a_command_that_returned_nothing_is_listed() {
    let file = read_bytes(&document(&[]));
    assert_eq!(
        not_recognised(&file),
        ["an empty CLIXML: a command that returned nothing; which one, the file does not say"]
    );
}
