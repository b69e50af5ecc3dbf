//! The whole state as JSON: complete, in a fixed order, without a private key.

use serde_json::{Value, json};

use super::directory::{Key, Object};
use super::{Server, ServerName, Stored, World};
use crate::organisation::StartMode;

impl World {
    /// Everything there is: clock, servers with stores, http.sys, services and events, each site's view of the
    /// directory, waiting faults. Two dumps of one state are equal byte for byte.
    #[must_use]
    pub fn state_dump(&self) -> Value {
        let servers: serde_json::Map<String, Value> = self
            .servers
            .values()
            .map(|server| (server.name.to_string(), self.server_dump(server)))
            .collect();
        let sites: Vec<Value> = self
            .sites
            .iter()
            .enumerate()
            .map(|(at, site)| {
                let view: serde_json::Map<String, Value> = self
                    .directory
                    .view(at)
                    .map(|(key, object)| (key_text(key), object_dump(object)))
                    .collect();
                json!({"name": site.name, "delaySeconds": site.delay.as_secs(), "directory": view})
            })
            .collect();
        json!({
            "now": self.now.to_string(),
            "organisation": self.name,
            "domain": self.domain,
            "servers": servers,
            "sites": sites,
            "files": self.files.iter().map(|(path, bytes)| (path.clone(), json!(bytes.len())))
                .collect::<serde_json::Map<_, _>>(),
            "faults": self.faults.iter().map(|(fault, _)| fault.to_string()).collect::<Vec<_>>(),
            "standIns": self.stand_ins.iter()
                .map(|pair| json!({"original": pair.original.to_string(), "standIn": pair.stand_in.to_string()}))
                .collect::<Vec<_>>(),
        })
    }

    fn server_dump(&self, server: &Server) -> Value {
        let stores: serde_json::Map<String, Value> = server
            .stores
            .iter()
            .map(|(name, store)| {
                let own: Vec<Value> = store
                    .iter()
                    .map(|stored| self.stored_dump(server, stored))
                    .collect();
                (name.as_str().to_owned(), Value::from(own))
            })
            .collect();
        let http_sys: serde_json::Map<String, Value> = server
            .http_sys
            .iter()
            .map(|(endpoint, entry)| {
                let own = json!({
                    "thumbprint": entry.hash.map(|hash| hash.to_string()),
                    "store": entry.store.as_str(),
                    "appId": entry.app_id,
                    "negotiateClientCertificate": entry.negotiate_client_certificate,
                });
                (endpoint.clone(), own)
            })
            .collect();
        let services: serde_json::Map<String, Value> = server
            .services
            .iter()
            .map(|(name, service)| {
                let own = json!({
                    "running": service.running,
                    "start": format!("{:?}", service.start),
                    "disabledBy": service.disabled_by
                        .filter(|_| service.start == StartMode::Disabled)
                        .map(|by| format!("{by:?}").to_lowercase()),
                });
                (name.clone(), own)
            })
            .collect();
        let sites: Vec<Value> = server
            .web_sites
            .iter()
            .map(|site| {
                let bindings: Vec<Value> = site
                    .bindings
                    .iter()
                    .map(|binding| {
                        json!({
                            "protocol": binding.protocol,
                            "information": binding.information,
                            "sslFlags": binding.ssl_flags,
                        })
                    })
                    .collect();
                json!({
                    "id": site.id, "name": site.name, "started": site.started,
                    "requireSsl": site.require_ssl, "bindings": bindings,
                })
            })
            .collect();
        json!({
            "fqdn": server.fqdn,
            "role": format!("{:?}", server.role),
            "version": server.version,
            "language": server.language,
            "dag": server.dag,
            "activationPolicy": server.activation_policy,
            "activationDisabled": server.activation_disabled,
            "databaseAt": server.database_at.as_ref().map(ServerName::as_str),
            "domainController": server.domain_controller,
            "trustedSubsystemIsAdministrator": server.trusted_subsystem,
            "tasks": server.tasks,
            "winRmHttps": server.winrm_https.map(|hash| hash.to_string()),
            "build": server.build.map(|part| part.to_string()).join("."),
            "site": self.sites.get(server.site).map(|site| site.name.clone()),
            "reachable": server.reachable,
            "clock": self.clock_of(&server.name).to_string(),
            "stores": stores,
            "httpSys": http_sys,
            "webSites": sites,
            "appPools": server.app_pools,
            "services": services,
            "starting": server.starting.keys().collect::<Vec<_>>(),
            "components": server.components,
            "componentRequests": server.component_requests.iter()
                .map(|(component, requests)| {
                    let states: serde_json::Map<String, Value> = requests
                        .iter()
                        .map(|(requester, (state, _))| (requester.clone(), Value::from(state.as_str())))
                        .collect();
                    (component.clone(), Value::from(states))
                })
                .collect::<serde_json::Map<String, Value>>(),
            "registry": server.registry,
            "freeBytes": server.free_bytes,
            "restartPending": server.restart_pending,
            "authLoaded": server.auth_loaded.map(|thumbprint| thumbprint.to_string()),
            "protocolLoaded": server.protocol_loaded.iter()
                .map(|(protocol, settings)| (format!("{protocol:?}"), json!(settings.x509_certificate_name)))
                .collect::<serde_json::Map<_, _>>(),
            "deployment": server.deployment.iter()
                .map(|(due, thumbprint)| json!({"due": due.to_string(), "thumbprint": thumbprint.to_string()}))
                .collect::<Vec<_>>(),
            "useDowngradedExchangeServerAuth": server.downgraded_auth,
            "lock": server.lock,
            "queues": server.queues.iter().map(|queue| json!({
                "id": queue.id, "deliveryType": queue.delivery_type, "nextHop": queue.next_hop,
                "status": queue.status, "messages": queue.messages, "lastError": queue.last_error,
            })).collect::<Vec<_>>(),
            "events": server.events,
        })
    }

    fn stored_dump(&self, server: &Server, stored: &Stored) -> Value {
        let certificate = &stored.certificate;
        let judged = self.judge(server, stored);
        json!({
            "thumbprint": certificate.thumbprint().to_string(),
            "subject": certificate.subject().to_string(),
            "issuer": certificate.issuer().to_string(),
            "names": certificate.san(),
            "notBefore": certificate.not_before().to_string(),
            "notAfter": certificate.not_after().to_string(),
            "serial": certificate.serial_text(),
            "friendlyName": stored.friendly_name,
            "services": judged.services.text(),
            "status": judged.status,
            "pending": stored.request.is_some(),
            "key": stored.key.as_ref().map(|key| json!({
                "provider": format!("{:?}", key.provider).to_lowercase(),
                "exportable": key.exportable,
                "readers": key.readers.iter().map(super::Reader::sid).collect::<Vec<_>>(),
                "containerLost": key.container_lost,
            })),
        })
    }
}

fn key_text(key: &Key) -> String {
    match key {
        Key::Auth => "auth".to_owned(),
        Key::InternalTransport(server) => format!("internal-transport/{server}"),
        Key::Receive(server, name) => format!("receive/{server}/{name}"),
        Key::Send(name) => format!("send/{name}"),
        Key::Protocol(server, protocol) => format!("{protocol:?}/{server}").to_lowercase(),
        Key::VirtualDirectory(server, name) => format!("virtual-directory/{server}/{name}"),
        Key::ServicePoint(server) => format!("service-point/{server}"),
        Key::AcceptedDomain(domain) => format!("accepted-domain/{domain}"),
        Key::Hybrid => "hybrid".to_owned(),
        Key::Federation => "federation".to_owned(),
        Key::EdgeSubscription(edge) => format!("edge-subscription/{edge}"),
        Key::Override(name) => format!("override/{name}"),
        Key::DirectTrust(server) => format!("direct-trust/{server}"),
    }
}

fn object_dump(object: &Object) -> Value {
    let thumbprint = |found: Option<crate::certificate::Thumbprint>| found.map(|found| found.to_string());
    match object {
        Object::Auth(config) => json!({
            "current": thumbprint(config.current),
            "previous": thumbprint(config.previous),
            "next": thumbprint(config.next),
            "nextEffective": config.next_effective.map(|at| at.to_string()),
            "realm": config.realm,
        }),
        Object::InternalTransport(certificate) => json!(certificate.thumbprint().to_string()),
        Object::DirectTrust(trusted) => {
            json!(trusted.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        Object::Federation(trust) => json!({
            "current": thumbprint(trust.current),
            "next": thumbprint(trust.next),
            "previous": thumbprint(trust.previous),
        }),
        Object::EdgeSubscription(own) => json!({
            "site": own.site,
            "certificate": own.certificate.as_ref().map(|own| own.thumbprint().to_string()),
            "account": own.account,
            "credentials": own.credentials.iter()
                .map(|(server, own)| (server.to_string(), json!(own.to_string())))
                .collect::<serde_json::Map<_, _>>(),
            "bootstrapUntil": own.bootstrap_until.map(|at| at.to_string()),
            "synchronized": own.synchronized.map(|at| at.to_string()),
        }),
        Object::Receive(own) => json!({
            "bindings": own.bindings, "fqdn": own.fqdn, "tlsCertificateName": own.tls_certificate_name,
            "auth": own.auth, "permissions": own.permissions, "requireTls": own.require_tls,
            "domainSecure": own.domain_secure, "suppressXAnonymousTls": own.suppress_x_anonymous_tls,
            "enabled": own.enabled, "frontend": own.frontend, "domainCapabilities": own.domain_capabilities,
            "remoteRanges": own.remote_ranges,
        }),
        Object::Send(own) => json!({
            "addressSpaces": own.address_spaces, "smartHosts": own.smart_hosts,
            "sources": own.sources.iter().map(ToString::to_string).collect::<Vec<_>>(), "fqdn": own.fqdn,
            "tlsCertificateName": own.tls_certificate_name, "requireTls": own.require_tls,
            "tlsAuthLevel": own.tls_auth_level, "tlsDomain": own.tls_domain,
            "cloudServicesMail": own.cloud_services_mail, "ignoreStartTls": own.ignore_starttls,
            "domainSecure": own.domain_secure, "enabled": own.enabled,
        }),
        Object::Protocol(own) => json!({
            "x509CertificateName": own.x509_certificate_name, "external": own.external, "internal": own.internal,
            "loginType": own.login_type,
        }),
        Object::VirtualDirectory(own) => json!({
            "internal": own.internal, "external": own.external, "extendedProtection": own.extended_protection,
            "basic": own.basic,
            "windows": own.windows,
        }),
        Object::ServicePoint(own) => json!({"uri": own.uri}),
        Object::AcceptedDomain(own) => {
            json!({"domain": own.domain, "kind": own.kind, "default": own.default})
        }
        Object::Hybrid(own) => json!({
            "tlsCertificateName": own.tls_certificate_name, "smartHost": own.smart_host, "domains": own.domains,
            "receiving": own.receiving.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "sending": own.sending.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Object::Override(own) => json!({
            "component": own.component, "section": own.section, "parameters": own.parameters,
            "servers": own.servers, "reason": own.reason, "minVersion": own.min_version,
            "maxVersion": own.max_version,
        }),
    }
}
