//! Connectors (facts/active-directory.md 1.4).

use super::Maker;
use crate::organisation::Role;
use crate::world::directory::{Key, ReceiveConnector, SendConnector};

pub(super) fn make(maker: &mut Maker<'_>) {
    let world = maker.world;
    for server in world.servers().filter(|server| server.role == Role::Mailbox) {
        let protocols = format!("CN=Protocols,{}", maker.server(&server.name));
        maker.container("SMTP Receive Connectors", &protocols, "msExchContainer");
    }
    for connector in world.directory().receive_connectors(maker.site) {
        let of_mailbox = world
            .server(connector.server.as_str())
            .is_some_and(|server| server.role == Role::Mailbox);
        // An Edge keeps its own in its own directory.
        if of_mailbox {
            receive(maker, connector);
        }
    }
    for connector in world.directory().send_connectors(maker.site) {
        send(maker, connector);
    }
}

fn receive(maker: &mut Maker<'_>, connector: &ReceiveConnector) {
    let place = format!(
        "CN=SMTP Receive Connectors,CN=Protocols,{}",
        maker.server(&connector.server)
    );
    let options =
        i64::from(connector.domain_secure) * 512 + i64::from(connector.suppress_x_anonymous_tls) * 4096;
    let own = maker
        .of_world(
            &connector.name,
            &place,
            "msExchSmtpReceiveConnector",
            &Key::Receive(connector.server.clone(), connector.name.to_lowercase()),
        )
        .put("msExchSMTPReceiveConnectorFQDN", connector.fqdn.clone())
        .put("msExchSmtpTLSCertificate", connector.tls_certificate_name.clone())
        .put("msExchSmtpReceiveBindings", connector.bindings.clone())
        .put("msExchSmtpReceiveRemoteIPRanges", connector.remote_ranges.clone())
        .number("msExchSMTPReceiveInboundSecurityFlag", i64::from(connector.auth))
        .number("msExchSmtpReceiveProtocolOptions", options)
        .number(
            "msExchSmtpReceiveProtocolRestrictions",
            i64::from(connector.require_tls) * 8,
        )
        .put(
            "msExchSmtpReceiveTlsDomainCapabilities",
            connector.domain_capabilities.clone(),
        )
        .number(
            "msExchSmtpReceiveRole",
            if connector.frontend { 16_384 } else { 32 },
        )
        .number(
            "msExchSmtpReceiveProtocolLoggingLevel",
            i64::from(connector.verbose_logging),
        )
        .flag("msExchSmtpReceiveEnabled", connector.enabled);
    maker.add(own);
}

fn send(maker: &mut Maker<'_>, connector: &SendConnector) {
    let level = match connector.tls_auth_level.as_deref() {
        Some("EncryptionOnly") => 1,
        Some("CertificateValidation") => 2,
        Some(_) => maker.world.assumptions().directory_domain_validation_number,
        None => 0,
    };
    let flags = i64::from(connector.domain_secure) * 4
        + (level << 4)
        + i64::from(connector.frontend_proxy) * 8_192
        + i64::from(connector.cloud_services_mail) * 131_072;
    let security = i64::from(connector.require_tls) * 4 + i64::from(connector.ignore_starttls) * 0x80_0000;
    let place = maker.names.connections.clone();
    let own = maker
        .of_world(
            &connector.name,
            &place,
            "msExchRoutingSMTPConnector",
            &Key::Send(connector.name.to_lowercase()),
        )
        .put("msExchSMTPSendConnectorFQDN", connector.fqdn.clone())
        .put("msExchSmtpTLSCertificate", connector.tls_certificate_name.clone())
        .put("routingList", connector.address_spaces.clone())
        .put(
            "msExchSmtpSmartHost",
            (!connector.smart_hosts.is_empty()).then(|| connector.smart_hosts.join(",")),
        )
        .put(
            "msExchSourceBridgeheadServersDN",
            connector.sources.iter().map(|name| maker.server(name)),
        )
        .number("msExchSmtpSendPort", 25)
        .number("msExchSmtpSendFlags", flags)
        .number("msExchSmtpOutboundSecurityFlag", security)
        .put("msExchSmtpSendTlsDomain", connector.tls_domain.clone())
        .number("msExchSmtpSendProtocolLoggingLevel", 0)
        .flag("msExchSmtpSendEnabled", connector.enabled);
    maker.add(own);
}
