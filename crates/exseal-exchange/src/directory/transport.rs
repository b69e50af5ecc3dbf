//! Receive and send connectors.

use exseal_model::inventory::{ReceiveConnector, SendConnector, ServerName};
use exseal_model::{Look, Observed};

use super::Sheet;
use super::entry::{Entry, map, number};

/// Bits of msExchSMTPReceiveInboundSecurityFlag (facts/active-directory.md 1.4), in their order.
const MECHANISMS: [(u32, &str); 6] = [
    (1, "Tls"),
    (2, "Integrated"),
    (4, "BasicAuth"),
    (8, "BasicAuthRequireTLS"),
    (16, "ExchangeServer"),
    (32, "ExternalAuthoritative"),
];

pub(super) fn read(sheet: &mut Sheet<'_>) {
    let answer = sheet.answer;
    for entry in answer.of_class("msExchSmtpReceiveConnector") {
        receive_connector(sheet, entry);
    }
    // Servers whose connectors were all shown: none is an answer too.
    let source = sheet.source("msExchSmtpReceiveConnector", true);
    let complete = answer.is_whole("msExchSmtpReceiveConnector", true);
    for server in &mut sheet.inventory.servers {
        server.receive_connectors.looks = vec![Look { source, complete }];
    }
    let source = sheet.source("msExchRoutingSMTPConnector", true);
    let complete = answer.is_whole("msExchRoutingSMTPConnector", true);
    sheet.inventory.organisation.send_connectors.looks = vec![Look { source, complete }];
    for entry in answer.of_class("msExchRoutingSMTPConnector") {
        send_connector(sheet, entry);
    }
}

fn receive_connector(sheet: &mut Sheet<'_>, entry: &Entry) {
    let answer = sheet.answer;
    let Some(server) = answer.server_of(entry) else {
        return sheet.error(entry, "distinguishedName", "a place below a server", "another");
    };
    let backed = sheet.source("msExchSmtpReceiveConnector", true);
    let source = sheet.source("msExchSmtpReceiveConnector", false);
    let mut connector = ReceiveConnector::new(entry.name());
    connector.by = vec![backed];
    connector.identity = Observed::seen(format!("{server}\\{}", entry.name()), backed);
    connector.fqdn = answer.text(entry, "msExchSMTPReceiveConnectorFQDN", source);
    connector.tls_certificate_name = answer.text(entry, "msExchSmtpTLSCertificate", source);
    connector.enabled = answer.truth(entry, "msExchSmtpReceiveEnabled", true, source);
    connector.bindings = answer.list(entry, "msExchSmtpReceiveBindings", source);
    connector.remote_ip_ranges = answer.list(entry, "msExchSmtpReceiveRemoteIPRanges", source);
    connector.tls_domain_capabilities = answer.list(entry, "msExchSmtpReceiveTlsDomainCapabilities", source);
    connector.transport_role =
        answer.observed(entry, "msExchSmtpReceiveRole", source, |entry| {
            match number(entry, "msExchSmtpReceiveRole")? {
                32 => Ok("HubTransport".to_owned()),
                16384 => Ok("FrontendTransport".to_owned()),
                other => Err(format!("no name is known for the role {other}")),
            }
        });
    let security = answer.flags(entry, "msExchSMTPReceiveInboundSecurityFlag", source);
    connector.auth_mechanism = map(security, |bits| {
        MECHANISMS
            .iter()
            .filter(|(bit, _)| bits & bit != 0)
            .map(|(_, name)| (*name).to_owned())
            .collect()
    });
    let options = answer.flags(entry, "msExchSmtpReceiveProtocolOptions", source);
    connector.domain_secure_enabled = map(options.clone(), |bits| bits & 512 != 0);
    connector.suppress_x_anonymous_tls = map(options, |bits| bits & 4096 != 0);
    let restrictions = answer.flags(entry, "msExchSmtpReceiveProtocolRestrictions", source);
    connector.require_tls = map(restrictions, |bits| bits & 8 != 0);
    connector.protocol_logging_level = logging(sheet, entry, "msExchSmtpReceiveProtocolLoggingLevel", backed);
    let server = sheet.inventory.server_mut(&ServerName::Known(server.to_owned()));
    server.receive_connectors.items.push(connector);
}

fn logging(
    sheet: &Sheet<'_>,
    entry: &Entry,
    attribute: &str,
    source: exseal_model::SourceId,
) -> Observed<String> {
    sheet.answer.observed(entry, attribute, source, |entry| {
        match number(entry, attribute)? {
            0 => Ok("None".to_owned()),
            1 => Ok("Verbose".to_owned()),
            other => Err(format!("no name is known for the level {other}")),
        }
    })
}

fn send_connector(sheet: &mut Sheet<'_>, entry: &Entry) {
    let answer = sheet.answer;
    let backed = sheet.source("msExchRoutingSMTPConnector", true);
    let source = sheet.source("msExchRoutingSMTPConnector", false);
    let mut connector = SendConnector::new(entry.name());
    connector.by = vec![backed];
    connector.identity = Observed::seen(entry.name(), backed);
    connector.fqdn = answer.text(entry, "msExchSMTPSendConnectorFQDN", source);
    connector.tls_certificate_name = answer.text(entry, "msExchSmtpTLSCertificate", source);
    connector.enabled = answer.truth(entry, "msExchSmtpSendEnabled", true, source);
    connector.address_spaces = answer.list(entry, "routingList", source);
    connector.smart_hosts = map(answer.text(entry, "msExchSmtpSmartHost", source), |hosts| {
        hosts
            .split([',', ';'])
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect()
    });
    if connector.smart_hosts.is_absent() {
        connector.smart_hosts = Observed::seen(Vec::new(), source);
    }
    connector.source_transport_servers = answer.names(entry, "msExchSourceBridgeheadServersDN", source);
    connector.port = answer.observed(entry, "msExchSmtpSendPort", source, |entry| {
        let port = number(entry, "msExchSmtpSendPort")?;
        u16::try_from(port).map_err(|_| format!("expected a port, found {port}"))
    });
    connector.tls_domain = answer.text(entry, "msExchSmtpSendTlsDomain", source);
    let security = answer.flags(entry, "msExchSmtpOutboundSecurityFlag", source);
    connector.require_tls = map(security.clone(), |bits| bits & 4 != 0);
    connector.force_helo = map(security.clone(), |bits| bits & 0x40_0000 != 0);
    connector.ignore_starttls = map(security, |bits| bits & 0x80_0000 != 0);
    let flags = answer.flags(entry, "msExchSmtpSendFlags", source);
    connector.domain_secure_enabled = map(flags.clone(), |bits| bits & 4 != 0);
    connector.frontend_proxy_enabled = map(flags.clone(), |bits| bits & 8192 != 0);
    connector.cloud_services_mail_enabled = map(flags.clone(), |bits| bits & 131_072 != 0);
    connector.tls_auth_level = match flags.value().map(|bits| (bits >> 4) & 0xFF) {
        None => map(flags, |_| String::new()),
        Some(0) => Observed::absent(source),
        Some(1) => Observed::seen("EncryptionOnly".to_owned(), source),
        Some(2) => Observed::seen("CertificateValidation".to_owned(), source),
        // By the order of the names it is 3, by one table 4; only 2 was ever seen (facts/active-directory.md 1.4).
        Some(3 | 4) => Observed::seen("DomainValidation".to_owned(), source),
        Some(other) => Observed::unknown(format!("no name is known for the level {other}")),
    };
    connector.protocol_logging_level = logging(sheet, entry, "msExchSmtpSendProtocolLoggingLevel", source);
    sheet.inventory.organisation.send_connectors.items.push(connector);
}
