//! Receive connectors, and the names of certificates in connectors.

use super::Builder;
use crate::certificate::Certificate;
use crate::organisation::{ReceiveConnectorRecipe, Role, ServerRecipe, meaning};
use crate::world::directory::ReceiveConnector;
use crate::world::{Server, WorldError};

impl Builder<'_> {
    /// `<I>…<S>…` of a certificate's id; any other text as it is.
    pub(super) fn name_pair(&self, text: &str) -> String {
        self.made
            .get(text)
            .map_or_else(|| text.to_owned(), |made| pair_of(&made.certificate))
    }

    pub(super) fn receive_connectors(
        &self,
        recipe: &ServerRecipe,
        server: &Server,
    ) -> Result<Vec<ReceiveConnector>, WorldError> {
        let short = &recipe.name;
        let plain = |name: String, frontend: bool, port: u16, auth: i32, permissions: i32| ReceiveConnector {
            server: server.name.clone(),
            name,
            frontend,
            bindings: vec![format!("[::]:{port}"), format!("0.0.0.0:{port}")],
            fqdn: Some(server.fqdn.clone()),
            tls_certificate_name: None,
            auth,
            permissions,
            require_tls: false,
            domain_secure: false,
            suppress_x_anonymous_tls: false,
            enabled: true,
            domain_capabilities: Vec::new(),
            remote_ranges: vec![
                "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".to_owned(),
                "0.0.0.0-255.255.255.255".to_owned(),
            ],
            verbose_logging: false,
        };
        let mut connectors = if !recipe.setup_connectors {
            Vec::new()
        } else if recipe.role == Role::Edge {
            vec![plain(
                format!("Default internal receive connector {short}"),
                false,
                25,
                31,
                13,
            )]
        } else {
            vec![
                plain(format!("Default {short}"), false, 2525, 31, 14),
                plain(format!("Client Proxy {short}"), false, 465, 31, 6),
                plain(format!("Default Frontend {short}"), true, 25, 31, 13),
                plain(format!("Outbound Proxy Frontend {short}"), true, 717, 31, 4),
                plain(format!("Client Frontend {short}"), true, 587, 15, 2),
            ]
        };
        // Setup writes this one's addresses the other way round (recorded).
        if let Some(hub) = connectors
            .iter_mut()
            .find(|own| own.name == format!("Default {short}"))
        {
            hub.bindings.reverse();
        }
        for own in &recipe.receive_connectors {
            let place = format!("server {short:?}, receive_connector {:?}", own.name);
            if own.name.is_empty() {
                return Err(meaning(place, "a name", "none").into());
            }
            let at = connectors
                .iter()
                .position(|connector| connector.name.eq_ignore_ascii_case(&own.name))
                .unwrap_or_else(|| {
                    connectors.push(plain(own.name.clone(), true, 25, 1, 1));
                    connectors.len() - 1
                });
            if let Some(connector) = connectors.get_mut(at) {
                self.change_connector(own, connector, &place)?;
            }
        }
        Ok(connectors)
    }

    fn change_connector(
        &self,
        own: &ReceiveConnectorRecipe,
        connector: &mut ReceiveConnector,
        place: &str,
    ) -> Result<(), WorldError> {
        match own.role.as_deref() {
            Some("FrontendTransport") => connector.frontend = true,
            Some("HubTransport") => connector.frontend = false,
            Some(other) => {
                return Err(meaning(
                    format!("{place}, role"),
                    "FrontendTransport or HubTransport",
                    format!("{other:?}"),
                )
                .into());
            }
            None => {}
        }
        if let Some(ports) = &own.ports {
            connector.bindings = ports
                .iter()
                .flat_map(|port| [format!("[::]:{port}"), format!("0.0.0.0:{port}")])
                .collect();
        }
        if let Some(bindings) = &own.bindings {
            connector.bindings.clone_from(bindings);
        }
        if let Some(ranges) = &own.remote_ip_ranges {
            connector.remote_ranges.clone_from(ranges);
        }
        if let Some(capabilities) = &own.tls_domain_capabilities {
            connector.domain_capabilities.clone_from(capabilities);
        }
        if let Some(fqdn) = &own.fqdn {
            connector.fqdn = Some(fqdn.clone());
        }
        if let Some(name) = &own.tls_certificate_name {
            connector.tls_certificate_name = Some(self.name_pair(name));
        }
        if let Some(names) = &own.auth_mechanism {
            connector.auth = flags(names, &AUTH_MECHANISMS, &format!("{place}, auth_mechanism"))?;
        }
        if let Some(names) = &own.permission_groups {
            connector.permissions = flags(names, &PERMISSION_GROUPS, &format!("{place}, permission_groups"))?;
        }
        connector.require_tls = own.require_tls.unwrap_or(connector.require_tls);
        connector.domain_secure = own.domain_secure.unwrap_or(connector.domain_secure);
        connector.suppress_x_anonymous_tls = own
            .suppress_x_anonymous_tls
            .unwrap_or(connector.suppress_x_anonymous_tls);
        connector.verbose_logging = own.verbose_logging.unwrap_or(connector.verbose_logging);
        connector.enabled = own.enabled.unwrap_or(connector.enabled);
        Ok(())
    }
}

pub(crate) const AUTH_MECHANISMS: [(i32, &str); 7] = [
    (1, "Tls"),
    (2, "Integrated"),
    (4, "BasicAuth"),
    (8, "BasicAuthRequireTLS"),
    (16, "ExchangeServer"),
    (32, "ExternalAuthoritative"),
    (0, "None"),
];

pub(crate) const PERMISSION_GROUPS: [(i32, &str); 7] = [
    (1, "AnonymousUsers"),
    (2, "ExchangeUsers"),
    (4, "ExchangeServers"),
    (8, "ExchangeLegacyServers"),
    (16, "Partners"),
    (32, "Custom"),
    (0, "None"),
];

/// `<I>issuer<S>subject` of a certificate.
fn pair_of(certificate: &Certificate) -> String {
    format!("<I>{}<S>{}", certificate.issuer(), certificate.subject())
}

fn flags(names: &[String], known: &[(i32, &str)], place: &str) -> Result<i32, WorldError> {
    let mut value = 0;
    for name in names {
        let (flag, _) = known
            .iter()
            .find(|(_, own)| own.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let all: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
                meaning(place, format!("one of {}", all.join(", ")), format!("{name:?}"))
            })?;
        value |= flag;
    }
    Ok(value)
}
