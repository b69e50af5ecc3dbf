//! What the directory says of the organisation as a whole.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Builder, days_from};
use crate::organisation::{Role, Version, meaning};
use crate::world::directory::{self, Key, Object};
use crate::world::{Server, ServerName, Site, WorldError};

impl Builder<'_> {
    pub(super) fn organisation_objects(
        &mut self,
        servers: &BTreeMap<ServerName, Server>,
        sites: &[Site],
    ) -> Result<(), WorldError> {
        let none = BTreeMap::new();
        let mailbox: Vec<ServerName> = servers
            .values()
            .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
            .map(|server| server.name.clone())
            .collect();
        let listed = |names: &[String]| -> Vec<ServerName> {
            if names.is_empty() {
                mailbox.clone()
            } else {
                names.iter().map(|name| ServerName::new(name)).collect()
            }
        };
        let auth = &self.organisation.auth;
        let reference = |text: &Option<String>, default: &str, place: &str| {
            self.reference(&none, text.as_deref().unwrap_or(default), place)
        };
        let config = directory::AuthConfig {
            current: reference(&auth.current, "auth", "auth.current")?,
            next: reference(&auth.next, "none", "auth.next")?,
            previous: reference(&auth.previous, "none", "auth.previous")?,
            next_effective: auth
                .next_effective
                .or_else(|| auth.next_effective_in_days.map(|days| days_from(self.now, days))),
            realm: String::new(),
        };
        let mut found = vec![(Key::Auth, Object::Auth(config))];
        if let Some(federation) = &self.organisation.federation {
            let trust = directory::Federation {
                current: reference(&federation.current, "none", "federation.current")?,
                next: reference(&federation.next, "none", "federation.next")?,
                previous: reference(&federation.previous, "none", "federation.previous")?,
            };
            found.push((Key::Federation, Object::Federation(trust)));
        }
        for own in &self.organisation.send_connectors {
            let connector = directory::SendConnector {
                name: own.name.clone(),
                address_spaces: if own.address_spaces.is_empty() {
                    vec!["SMTP:*;1".to_owned()]
                } else {
                    own.address_spaces.clone()
                },
                smart_hosts: own.smart_hosts.clone(),
                sources: listed(&own.sources),
                fqdn: own.fqdn.clone(),
                tls_certificate_name: own
                    .tls_certificate_name
                    .as_deref()
                    .map(|name| self.name_pair(name)),
                require_tls: own.require_tls,
                tls_auth_level: own.tls_auth_level.clone(),
                tls_domain: own.tls_domain.clone(),
                cloud_services_mail: own.cloud_services_mail,
                ignore_starttls: own.ignore_starttls,
                domain_secure: own.domain_secure,
                frontend_proxy: own.frontend_proxy,
                enabled: own.enabled,
            };
            found.push((Key::Send(own.name.to_lowercase()), Object::Send(connector)));
        }
        let mut domains = self.organisation.accepted_domains.clone();
        if domains.is_empty() {
            domains.push(crate::organisation::AcceptedDomainRecipe {
                domain: self.organisation.domain.clone(),
                kind: "Authoritative".to_owned(),
                default: true,
            });
        }
        for own in domains {
            found.push((
                Key::AcceptedDomain(own.domain.to_lowercase()),
                Object::AcceptedDomain(directory::AcceptedDomain {
                    name: own.domain.clone(),
                    domain: own.domain,
                    kind: own.kind,
                    default: own.default,
                }),
            ));
        }
        if let Some(own) = &self.organisation.hybrid {
            let hybrid = directory::Hybrid {
                tls_certificate_name: own
                    .tls_certificate_name
                    .as_deref()
                    .map(|name| self.name_pair(name)),
                receiving: listed(&own.receiving),
                sending: listed(&own.sending),
                edge: own.edge.iter().map(|name| ServerName::new(name)).collect(),
                smart_host: own.smart_host.clone(),
                domains: own.domains.clone(),
            };
            found.push((Key::Hybrid, Object::Hybrid(hybrid)));
        }
        for own in &self.organisation.overrides {
            let setting = directory::SettingOverride {
                name: own.name.clone(),
                component: own.component.clone(),
                section: own.section.clone(),
                parameters: own.parameters.clone(),
                reason: own.reason.clone(),
                servers: own.servers.clone(),
                min_version: own.min_version.clone(),
                max_version: own.max_version.clone(),
                modified_by: "admin".to_owned(),
            };
            found.push((Key::Override(own.name.to_lowercase()), Object::Override(setting)));
        }
        for own in &self.organisation.edge_subscriptions {
            found.push(self.subscription(own, servers, sites)?);
        }
        for (key, object) in found {
            self.directory.found(key, object, self.installed);
        }
        Ok(())
    }

    fn subscription(
        &self,
        own: &crate::organisation::EdgeRecipe,
        servers: &BTreeMap<ServerName, Server>,
        sites: &[Site],
    ) -> Result<(Key, Object), WorldError> {
        let place = format!("edge_subscription {:?}", own.edge);
        let edge = ServerName::new(&own.edge);
        let server = servers
            .get(&edge)
            .filter(|server| server.role == Role::Edge)
            .ok_or_else(|| meaning(&place, "a server with role = \"edge\"", format!("{:?}", own.edge)))?;
        let site = match &own.site {
            None => sites.first().map(|site| site.name.clone()).unwrap_or_default(),
            Some(wanted) => sites
                .iter()
                .find(|site| site.name.eq_ignore_ascii_case(wanted))
                .map(|site| site.name.clone())
                .ok_or_else(|| meaning(format!("{place}, site"), "a [[site]]", format!("{wanted:?}")))?,
        };
        let recorded = match &own.certificate {
            Some(id) => Some(
                self.made
                    .get(id)
                    .map(|made| made.certificate.clone())
                    .ok_or_else(|| {
                        meaning(
                            format!("{place}, certificate"),
                            "the id of a [[certificate]]",
                            format!("{id:?}"),
                        )
                    })?,
            ),
            None => self.directory.internal_transport(server.site, &edge).cloned(),
        };
        let credentials = servers
            .values()
            .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
            .filter(|server| sites.get(server.site).is_some_and(|own| own.name == site))
            .filter_map(|server| {
                let own = self.directory.internal_transport(server.site, &server.name)?;
                Some((server.name.clone(), own.thumbprint()))
            })
            .collect();
        Ok((
            Key::EdgeSubscription(edge.clone()),
            Object::EdgeSubscription(directory::EdgeSubscription {
                edge,
                fqdn: server.fqdn.clone(),
                site,
                certificate: recorded,
                credentials,
                account: format!("ESRA.{}", own.edge.to_uppercase()),
                bootstrap_until: own.bootstrap_minutes_left.map(|minutes| {
                    self.now
                        .checked_add(SignedDuration::from_mins(i64::from(minutes)))
                        .unwrap_or(self.now)
                }),
                synchronized: Some(self.now),
            }),
        ))
    }
}
