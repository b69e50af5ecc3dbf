//! Servers and what lies below them but connectors (facts/active-directory.md 1.1, 1.2, 1.5).

use super::Maker;
use crate::organisation::{Role, Version};
use crate::world::Server;
use crate::world::directory::{ClientProtocol, EdgeSubscription, Key};

/// Keyword of service connection points that name Autodiscover's URL ([MS-OXDISCO] 3.1.5.4).
const AUTODISCOVER: &str = "77378F46-2C66-4aa9-A6A6-3E7A48B19596";

pub(super) fn make(maker: &mut Maker<'_>) {
    let world = maker.world;
    for server in world.servers() {
        let subscription = world.directory().edge_subscription(maker.site, &server.name);
        // Of an Edge server the directory knows what a subscription wrote.
        if server.role == Role::Edge && subscription.is_none() {
            continue;
        }
        own(maker, server, subscription);
        if server.role == Role::Edge {
            continue;
        }
        let protocols = format!("CN=Protocols,{}", maker.server(&server.name));
        client_protocols(maker, server, &protocols);
        directories(maker, server, &protocols);
        service_point(maker, server, &protocols);
    }
}

/// Bits of msExchCurrentServerRoles.
fn roles(maker: &Maker<'_>, server: &Server) -> i64 {
    let assumed = maker.world.assumptions();
    match (server.role, server.version) {
        (Role::Edge, _) => 64,
        (Role::Mailbox, Version::V2010) => 2 | 4 | 32,
        (Role::Mailbox, Version::V2013) => 16_439,
        (Role::Mailbox, Version::V2016) => assumed.directory_roles_2016,
        (Role::Mailbox, Version::V2019 | Version::Se) => assumed.directory_roles_2019,
    }
}

fn own(maker: &mut Maker<'_>, server: &Server, subscription: Option<&EdgeSubscription>) {
    let world = maker.world;
    let name = server.name.as_str().to_uppercase();
    let servers = maker.names.servers.clone();
    let [major, minor, build, revision] = crate::cmdlets::display_build(server);
    let packed = 0x7000_0000 | (major & 63) << 22 | (minor & 63) << 16 | 0x8000 | build & 0x7FFF;
    let certificate = match subscription {
        Some(subscription) => subscription.certificate.clone(),
        None => world
            .directory()
            .internal_transport(maker.site, &server.name)
            .cloned(),
    };
    let friendly_name = certificate.as_ref().and_then(|own| {
        let stored = server.my(own.thumbprint())?;
        Some(stored.friendly_name.clone())
    });
    let site = match subscription {
        Some(subscription) => Some(subscription.site.as_str()),
        None => world.sites().get(server.site).map(|site| site.name.as_str()),
    };
    let site = site.map(|site| {
        format!(
            "CN={},CN=Sites,{}",
            super::dn::escaped(site),
            maker.names.configuration
        )
    });
    let (created, changed) = maker.dates(&Key::InternalTransport(server.name.clone()));
    let addresses = [
        ("ncacn_vns_spp", name.as_str()),
        ("netbios", &name),
        ("ncacn_np", &name),
        ("ncacn_spx", &name),
        ("ncacn_ip_tcp", &server.fqdn),
        ("ncalrpc", &name),
    ]
    .map(|(protocol, address)| format!("{protocol}:{address}"));
    let object = maker
        .draft(
            "CN",
            &name,
            &servers,
            "msExchExchangeServer",
            (created.max(server.installed), changed.max(server.installed)),
        )
        .text(
            "legacyExchangeDN",
            format!(
                "/o={}/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn={name}",
                world.organisation_name()
            ),
        )
        .text(
            "serialNumber",
            format!("Version {major}.{minor} (Build {}.{revision:03})", build + 30_000),
        )
        .number("versionNumber", i64::from(packed))
        .number("msExchCurrentServerRoles", roles(maker, server))
        .put("networkAddress", addresses)
        .put("msExchServerSite", site)
        .put(
            "msExchServerInternalTLSCert",
            certificate.map(|own| maker.certificate(&own, friendly_name.as_deref())),
        )
        .text(
            "msExchInstallPath",
            "C:\\Program Files\\Microsoft\\Exchange Server\\V15",
        )
        .put("msExchEdgeSyncCredential", credentials(maker, server));
    maker.add(object);
    maker.container(
        "Protocols",
        &maker.server(&server.name),
        "protocolCfgSharedServer",
    );
}

/// What EdgeSync keeps on a mailbox server: a document for each Edge. The passwords in it are bytes like those of a
/// cipher's, and open nothing.
fn credentials(maker: &Maker<'_>, server: &Server) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    let world = maker.world;
    let cipher = |about: &str| {
        let bytes: Vec<u8> = (0..16_u8)
            .flat_map(|part| world.guid(&format!("{about}/{part}")).into_bytes())
            .collect();
        BASE64.encode(bytes)
    };
    world
        .directory()
        .edge_subscriptions(maker.site)
        .filter_map(|subscription| {
            let thumbprint = subscription.credentials.get(&server.name)?;
            let about = format!("{}/{}/{thumbprint}", subscription.edge, server.name);
            let since = subscription.synchronized.unwrap_or(world.now());
            // Ticks of .NET: 100 ns since the year 1.
            let ticks = since.as_second().saturating_add(62_135_596_800).saturating_mul(10_000_000);
            let (name, first) = match subscription.bootstrap_until {
                Some(_) => ("bootstrap", "true"),
                None => ("ESRA", "false"),
            };
            Some(format!(
                "<EdgeSyncCredential><EdgeServerFQDN>{fqdn}</EdgeServerFQDN><ESRAUsername>cn={name}.{edge}.{server},\
                 CN=Services,CN=Configuration,CN={{{guid}}}</ESRAUsername><EncryptedESRAPassword>{own}\
                 </EncryptedESRAPassword><EdgeEncryptedESRAPassword>{other}</EdgeEncryptedESRAPassword><EffectiveDate>\
                 {ticks}</EffectiveDate><Duration>0</Duration><IsBootStrapAccount>{first}</IsBootStrapAccount>\
                 </EdgeSyncCredential>",
                fqdn = subscription.fqdn,
                edge = subscription.edge,
                server = server.name,
                guid = world.guid(&about).to_string().to_uppercase(),
                own = cipher(&about),
                other = cipher(&format!("{about}/edge")),
            ))
        })
        .collect()
}

fn client_protocols(maker: &mut Maker<'_>, server: &Server, protocols: &str) {
    let world = maker.world;
    for (container, class_of_container, protocol, class, implicit, plain) in [
        (
            "POP3",
            "msExchProtocolCfgPOPContainer",
            ClientProtocol::Pop,
            "protocolCfgPOPServer",
            995,
            110,
        ),
        (
            "IMAP4",
            "msExchProtocolCfgIMAPContainer",
            ClientProtocol::Imap,
            "protocolCfgIMAPServer",
            993,
            143,
        ),
    ] {
        let place = maker.container(container, protocols, class_of_container);
        let Some(settings) = world.directory().protocol(maker.site, &server.name, protocol) else {
            continue;
        };
        let bindings = |port: u16| [format!("[::]:{port}"), format!("0.0.0.0:{port}")];
        let own = maker
            .of_world(
                &world.assumptions().client_protocol_object,
                &place,
                class,
                &Key::Protocol(server.name.clone(), protocol),
            )
            .text(
                "msExchPopImapX509CertificateName",
                &settings.x509_certificate_name,
            )
            .put("msExchServerBindings", bindings(plain))
            .put("msExchSecureBindings", bindings(implicit))
            .number("msExchPopImapProtocolFlags", i64::from(settings.log_enabled))
            .put(
                "msExchPOPIMAPInternalConnectionSettings",
                settings.internal.clone(),
            )
            .put(
                "msExchPOPIMAPExternalConnectionSettings",
                settings.external.clone(),
            );
        maker.add(own);
    }
}

/// The class of a virtual directory's object, by the directory's name.
fn class(directory: &str) -> &'static str {
    match directory.to_lowercase().as_str() {
        "owa" => "msExchOWAVirtualDirectory",
        "ecp" => "msExchECPVirtualDirectory",
        "ews" => "msExchWebServicesVirtualDirectory",
        "mapi" => "msExchMapiVirtualDirectory",
        "microsoft-server-activesync" => "msExchMobileVirtualDirectory",
        "oab" => "msExchOABVirtualDirectory",
        "powershell" => "msExchPowerShellVirtualDirectory",
        "autodiscover" => "msExchAutoDiscoverVirtualDirectory",
        _ => "msExchRpcHttpVirtualDirectory",
    }
}

fn directories(maker: &mut Maker<'_>, server: &Server, protocols: &str) {
    let place = maker.container("HTTP", protocols, "msExchProtocolCfgHTTPContainer");
    let world = maker.world;
    let own = world
        .directory()
        .virtual_directories(maker.site)
        .filter(|directory| directory.server == server.name);
    for directory in own {
        let class = class(&directory.name);
        // Outlook Anywhere keeps host names in attributes of URLs.
        let url = |own: &Option<String>| {
            own.as_ref().map(|own| {
                if class == "msExchRpcHttpVirtualDirectory" {
                    format!("https://{own}/")
                } else {
                    own.clone()
                }
            })
        };
        let object = maker
            .of_world(
                &format!("{} (Default Web Site)", directory.name),
                &place,
                class,
                &Key::VirtualDirectory(server.name.clone(), directory.name.to_lowercase()),
            )
            .put("msExchInternalHostName", url(&directory.internal))
            .put("msExchExternalHostName", url(&directory.external))
            .text(
                "msExchMetabasePath",
                format!("IIS://{}/W3SVC/1/ROOT/{}", server.fqdn, directory.name),
            );
        maker.add(object);
    }
}

fn service_point(maker: &mut Maker<'_>, server: &Server, protocols: &str) {
    let place = maker.container("Autodiscover", protocols, "msExchContainer");
    let world = maker.world;
    let Some(point) = world.directory().service_point(maker.site, &server.name) else {
        return;
    };
    let site = world
        .sites()
        .get(server.site)
        .map(|site| format!("Site={}", site.name));
    let object = maker
        .of_world(
            &server.name.as_str().to_uppercase(),
            &place,
            "serviceConnectionPoint",
            &Key::ServicePoint(server.name.clone()),
        )
        .put("keywords", std::iter::once(AUTODISCOVER.to_owned()).chain(site))
        .put(
            "serviceBindingInformation",
            (!point.uri.is_empty()).then(|| point.uri.clone()),
        )
        .text("serviceClassName", "ms-Exchange-AutoDiscover-Service")
        .text("serviceDNSName", &server.fqdn);
    maker.add(object);
}
