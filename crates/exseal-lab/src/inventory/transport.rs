//! Connectors, the internal transport certificate, POP and IMAP.

use super::schema::{ClientProtocol, ReceiveConnector, Seen, SendConnector, Server};
use super::{InventoryError, Taking, last_part};
use crate::organisation::{
    Protocol, ReceiveConnectorRecipe, Role, SendConnectorRecipe, ServerRecipe, meaning,
};
use crate::world::{AUTH_MECHANISMS, PERMISSION_GROUPS};

impl Taking<'_> {
    pub(super) fn server_transport(
        &mut self,
        server: &Server,
        recipe: &mut ServerRecipe,
        at: &str,
    ) -> Result<(), InventoryError> {
        self.internal_transport(server, recipe, at)?;
        match server.receive_connectors.seen() {
            Some(connectors) => {
                recipe.setup_connectors = !server.receive_connectors.is_whole();
                if recipe.setup_connectors {
                    self.assume(
                        &recipe.name,
                        "receive connectors that nobody saw",
                        "those of setup",
                    );
                }
                for (place, own) in connectors.iter().enumerate() {
                    let at = format!("{at}.receive_connectors.items[{place}]");
                    recipe.receive_connectors.push(receive(own, &at)?);
                }
            }
            None => self.assume(&recipe.name, "receive connectors", "those of setup"),
        }
        if recipe.role == Role::Edge {
            return Ok(());
        }
        recipe.pop = self.protocol(&server.pop, &recipe.name, "POP");
        recipe.imap = self.protocol(&server.imap, &recipe.name, "IMAP");
        Ok(())
    }

    fn internal_transport(
        &mut self,
        server: &Server,
        recipe: &mut ServerRecipe,
        at: &str,
    ) -> Result<(), InventoryError> {
        const WHAT: &str = "internal transport certificate";
        let seen = self.seen_reference(&server.internal_transport, &format!("{at}.internal_transport"))?;
        if let Some(reference) = seen {
            if reference == "none" || self.certificate(&reference).is_some() {
                recipe.internal_transport = Some(reference);
            } else {
                self.assume(
                    &recipe.name,
                    format!("{WHAT} {reference}, of which only the thumbprint was seen"),
                    "one like setup's own, in no store",
                );
            }
            return Ok(());
        }
        let setup = self.setup_certificate(server, &recipe.name);
        let taken = if setup.is_some() || server.my.seen().is_none() {
            "setup's own certificate"
        } else {
            "one like setup's own, in no store"
        };
        recipe.internal_transport = setup;
        self.assume(&recipe.name, WHAT, taken);
        Ok(())
    }

    fn protocol(&mut self, own: &ClientProtocol, server: &str, name: &str) -> Protocol {
        if own.x509_certificate_name.is_unknown() {
            self.assume(server, format!("{name} settings"), "those of setup");
        }
        Protocol {
            running: false,
            x509_certificate_name: own
                .x509_certificate_name
                .known()
                .map(|name| name.cloned().unwrap_or_default()),
            external: own
                .external_connection_settings
                .value()
                .cloned()
                .unwrap_or_default(),
            internal: own.internal_connection_settings.value().cloned(),
            login_type: own.login_type.value().cloned(),
        }
    }

    pub(super) fn send_connectors(&mut self) -> Vec<SendConnectorRecipe> {
        let Some(connectors) = self.read.organisation.send_connectors.seen() else {
            self.assume("organisation", "send connectors", "none");
            return Vec::new();
        };
        let mut recipes = Vec::new();
        for own in connectors {
            let known = self.sources(own);
            recipes.push(known);
        }
        recipes
    }

    fn sources(&mut self, own: &SendConnector) -> SendConnectorRecipe {
        let of = format!("send connector {}", own.name);
        if own.source_transport_servers.is_unknown() {
            self.assume(&of, "source servers", "all mailbox servers");
        }
        if own.force_helo.is(true) {
            self.left_out
                .push(format!("{of}: ForceHELO, which the lab's transport has not"));
        }
        if own.port.value().is_some_and(|port| *port != 25) {
            self.left_out
                .push(format!("{of}: a port other than 25; the lab sends nothing on"));
        }
        let text = |seen: &Seen<String>| seen.value().cloned();
        let list = |seen: &Seen<Vec<String>>| seen.value().cloned().unwrap_or_default();
        SendConnectorRecipe {
            name: own.name.clone(),
            address_spaces: list(&own.address_spaces),
            smart_hosts: list(&own.smart_hosts),
            sources: list(&own.source_transport_servers)
                .iter()
                .map(|name| last_part(name).to_owned())
                .collect(),
            fqdn: text(&own.fqdn),
            tls_certificate_name: text(&own.tls_certificate_name),
            require_tls: own.require_tls.is(true),
            tls_auth_level: text(&own.tls_auth_level),
            tls_domain: text(&own.tls_domain),
            cloud_services_mail: own.cloud_services_mail_enabled.is(true),
            ignore_starttls: own.ignore_starttls.is(true),
            domain_secure: own.domain_secure_enabled.is(true),
            frontend_proxy: own.frontend_proxy_enabled.is(true),
            enabled: !own.enabled.is(false),
        }
    }
}

fn receive(own: &ReceiveConnector, at: &str) -> Result<ReceiveConnectorRecipe, InventoryError> {
    let known = |seen: &Seen<Vec<String>>, names: &[(i32, &str)], key: &str| {
        let Some(list) = seen.value() else { return Ok(None) };
        for name in list {
            if !names.iter().any(|(_, own)| own.eq_ignore_ascii_case(name)) {
                let all: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
                return Err(meaning(
                    format!("{at}.{key}"),
                    format!("names of {}", all.join(", ")),
                    format!("{name:?}"),
                ));
            }
        }
        Ok(Some(list.clone()))
    };
    Ok(ReceiveConnectorRecipe {
        name: own.name.clone(),
        role: own.transport_role.value().cloned(),
        ports: None,
        bindings: own.bindings.value().cloned(),
        remote_ip_ranges: own.remote_ip_ranges.value().cloned(),
        fqdn: own.fqdn.value().cloned(),
        tls_certificate_name: own.tls_certificate_name.value().cloned(),
        auth_mechanism: known(&own.auth_mechanism, &AUTH_MECHANISMS, "auth_mechanism")?,
        permission_groups: known(&own.permission_groups, &PERMISSION_GROUPS, "permission_groups")?,
        require_tls: own.require_tls.value().copied(),
        domain_secure: own.domain_secure_enabled.value().copied(),
        tls_domain_capabilities: own.tls_domain_capabilities.value().cloned(),
        verbose_logging: own
            .protocol_logging_level
            .value()
            .map(|level| level.eq_ignore_ascii_case("Verbose")),
        suppress_x_anonymous_tls: own.suppress_x_anonymous_tls.value().copied(),
        enabled: own.enabled.value().copied(),
    })
}
