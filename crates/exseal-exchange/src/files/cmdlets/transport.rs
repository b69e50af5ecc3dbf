//! Connectors, queues, the transport service, POP and IMAP.

use std::borrow::Cow;

use exseal_model::inventory::{ClientAccessProtocol, Queue, ReceiveConnector, SendConnector};

use super::super::Page;
use super::super::objects::Seen;
use super::{add, server_name};

pub(super) fn receive_connector(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(name) = seen.plain("Name").map(Cow::into_owned).or_else(|| {
        seen.plain("Identity")
            .map(|identity| identity.rsplit('\\').next().unwrap_or_default().to_owned())
    }) else {
        return page.error(at, "a receive connector's Name", "none");
    };
    let mut connector = ReceiveConnector::new(name);
    connector.identity = seen.text("Identity");
    connector.fqdn = seen.text("Fqdn");
    connector.tls_certificate_name = seen.text("TlsCertificateName");
    connector.enabled = seen.flag("Enabled");
    connector.bindings = seen.list("Bindings");
    connector.remote_ip_ranges = seen.list("RemoteIPRanges");
    connector.transport_role = seen.text("TransportRole");
    connector.auth_mechanism = seen.flags("AuthMechanism");
    connector.permission_groups = seen.flags("PermissionGroups");
    connector.require_tls = seen.flag("RequireTLS");
    connector.domain_secure_enabled = seen.flag("DomainSecureEnabled");
    connector.tls_domain_capabilities = seen.list("TlsDomainCapabilities");
    connector.suppress_x_anonymous_tls = seen.flag("SuppressXAnonymousTls");
    connector.protocol_logging_level = seen.text("ProtocolLoggingLevel");
    let server = seen
        .server_of_identity()
        .or_else(|| {
            seen.plain("Server")
                .map(|server| server.rsplit('/').next().unwrap_or_default().to_owned())
        })
        .or_else(|| seen.computer());
    let name = server_name(page, server);
    add(
        &mut page.inventory.server_mut(&name).receive_connectors,
        connector,
        seen.source,
    );
}

pub(super) fn send_connector(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(name) = seen
        .plain("Name")
        .or_else(|| seen.plain("Identity"))
        .map(Cow::into_owned)
    else {
        return page.error(at, "a send connector's Name", "none");
    };
    let mut connector = SendConnector::new(name);
    connector.identity = seen.text("Identity");
    connector.fqdn = seen.text("Fqdn");
    connector.tls_certificate_name = seen.text("TlsCertificateName");
    connector.enabled = seen.flag("Enabled");
    connector.address_spaces = seen.list("AddressSpaces");
    connector.smart_hosts = seen.list("SmartHosts");
    connector.source_transport_servers = seen.list("SourceTransportServers");
    connector.require_tls = seen.flag("RequireTLS");
    connector.tls_auth_level = seen.text("TlsAuthLevel");
    connector.tls_domain = seen.text("TlsDomain");
    connector.cloud_services_mail_enabled = seen.flag("CloudServicesMailEnabled");
    connector.ignore_starttls = seen.flag("IgnoreSTARTTLS");
    connector.force_helo = seen.flag("ForceHELO");
    connector.dns_routing_enabled = seen.flag("DNSRoutingEnabled");
    connector.frontend_proxy_enabled = seen.flag("FrontendProxyEnabled");
    connector.domain_secure_enabled = seen.flag("DomainSecureEnabled");
    connector.port = seen.number("Port");
    connector.protocol_logging_level = seen.text("ProtocolLoggingLevel");
    add(
        &mut page.inventory.organisation.send_connectors,
        connector,
        seen.source,
    );
}

pub(super) fn queue(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(identity) = seen.plain("Identity").map(Cow::into_owned) else {
        return page.error(at, "a queue's Identity", "none");
    };
    let mut queue = Queue::new(identity);
    queue.status = seen.text("Status");
    queue.message_count = seen.number("MessageCount");
    queue.next_hop_domain = seen.text("NextHopDomain");
    queue.delivery_type = seen.text("DeliveryType");
    queue.last_error = seen.text("LastError");
    let name = server_name(page, seen.server_of_identity().or_else(|| seen.computer()));
    add(&mut page.inventory.server_mut(&name).queues, queue, seen.source);
}

pub(super) fn transport_service(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let thumbprint = seen.thumbprint(page, "InternalTransportCertificateThumbprint", at);
    let name = server_name(
        page,
        seen.plain("Name")
            .map(Cow::into_owned)
            .or_else(|| seen.computer()),
    );
    page.inventory.server_mut(&name).internal_transport = thumbprint;
}

pub(super) fn client_access_protocol(page: &mut Page, seen: Seen<'_, '_>, imap: bool) {
    let mut settings = ClientAccessProtocol::new();
    settings.by = vec![seen.source];
    settings.x509_certificate_name = seen.text("X509CertificateName");
    settings.ssl_bindings = seen.list("SSLBindings");
    settings.unencrypted_or_tls_bindings = seen.list("UnencryptedOrTLSBindings");
    settings.internal_connection_settings = seen.list("InternalConnectionSettings");
    settings.external_connection_settings = seen.list("ExternalConnectionSettings");
    settings.login_type = seen.text("LoginType");
    let server = seen
        .plain("Server")
        .map(|server| server.rsplit('/').next().unwrap_or_default().to_owned())
        .or_else(|| seen.server_of_identity())
        .or_else(|| seen.computer());
    let name = server_name(page, server);
    let server = page.inventory.server_mut(&name);
    if imap {
        server.imap = settings;
    } else {
        server.pop = settings;
    }
}
