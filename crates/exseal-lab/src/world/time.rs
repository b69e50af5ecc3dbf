//! Time: AuthAdmin, the deployment servicelet, transport's daily look, replication.

use jiff::{SignedDuration, Timestamp};

use super::directory::{Key, Object};
use super::{Happening, ServerName, World};
use crate::certificate::Thumbprint;
use crate::organisation::{Role, StoreName, TransportCertificateWhenGone};

const AUTH_ADMIN: SignedDuration = SignedDuration::from_hours(12);
const DAILY: SignedDuration = SignedDuration::from_hours(24);

impl World {
    /// Lets time pass. What is due happens in its order: replication, AuthAdmin (every 12 h), the deployment of Auth
    /// certificates, transport's daily look at its certificates.
    ///
    /// A negative duration does nothing.
    pub fn advance(&mut self, by: SignedDuration) {
        let until = self.now.checked_add(by).unwrap_or(Timestamp::MAX);
        self.advance_to(until);
    }

    /// Lets time pass until a moment; one that is past does nothing.
    pub fn advance_to(&mut self, until: Timestamp) {
        while let Some(next) = self.next_due().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.do_due();
        }
        self.now = self.now.max(until);
    }

    fn next_due(&self) -> Option<Timestamp> {
        let servers = self.servers.values().flat_map(|server| {
            let deployment = server.deployment.iter().map(|(due, _)| *due).min();
            let starting = server.starting.values().copied().min();
            [
                Some(server.daily_next),
                server.auth_admin_next,
                deployment,
                starting,
            ]
        });
        servers
            .chain([self.directory.next_due(), self.edge_sync_due()])
            .flatten()
            .min()
    }

    fn do_due(&mut self) {
        let now = self.now;
        self.directory.replicate(now);
        self.run_edge_sync();
        let names: Vec<ServerName> = self.servers.keys().cloned().collect();
        for name in &names {
            let Some(server) = self.servers.get(name) else {
                continue;
            };
            let (auth, daily) = (server.auth_admin_next, server.daily_next);
            let starts = server.starting.values().any(|due| *due <= now);
            if server.deployment.iter().any(|(due, _)| *due <= now) {
                self.deploy(name);
            }
            if starts {
                self.finish_starting(name);
            }
            if auth.is_some_and(|due| due <= now) {
                self.run_auth_admin(name);
            }
            if daily <= now {
                if let Some(server) = self.servers.get_mut(name) {
                    server.daily_next = now.checked_add(DAILY).unwrap_or(Timestamp::MAX);
                }
                self.daily(name);
            }
        }
    }

    /// AuthAdmin: runs in MSExchangeServiceHost at its start and every 12 h; publishes the next certificate when its
    /// date has come.
    pub(super) fn run_auth_admin(&mut self, at: &ServerName) {
        let now = self.now;
        let Some(server) = self
            .servers
            .get_mut(at)
            .filter(|server| server.auth_admin_next.is_some())
        else {
            return;
        };
        server.auth_admin_next = Some(now.checked_add(AUTH_ADMIN).unwrap_or(Timestamp::MAX));
        if !server.runs("MSExchangeServiceHost") {
            return;
        }
        let site = server.site;
        let clock = self.clock_of(at);
        let Some(config) = self.directory.auth(site).cloned() else {
            return;
        };
        if let (Some(next), Some(effective)) = (config.next, config.next_effective)
            && effective <= clock
        {
            self.publish_auth(site);
            self.log(
                at,
                &Happening::AuthPublished {
                    thumbprint: next.to_string(),
                },
            );
        }
        self.schedule_deployment(site);
    }

    /// Previous := current, current := next, next := nothing.
    pub(crate) fn publish_auth(&mut self, site: usize) {
        let now = self.now;
        let Some(mut config) = self.directory.auth(site).cloned() else {
            return;
        };
        config.previous = config.current;
        config.current = config.next.take();
        config.next_effective = None;
        self.directory
            .write(site, Key::Auth, Some(Object::Auth(config)), now);
    }

    /// Asks the deployment servicelets of a site to fetch what AuthConfig and the federation trust name and their servers
    /// lack.
    pub(crate) fn schedule_deployment(&mut self, site: usize) {
        let due = self
            .now
            .checked_add(SignedDuration::from_secs(i64::from(
                self.assumptions.deployment_seconds,
            )))
            .unwrap_or(Timestamp::MAX);
        let wanted: Vec<Thumbprint> = self
            .directory
            .auth(site)
            .into_iter()
            .flat_map(|config| [config.current, config.next])
            .chain(
                self.directory
                    .federation(site)
                    .into_iter()
                    .flat_map(|trust| [trust.current, trust.next]),
            )
            .flatten()
            .collect();
        for server in self.servers.values_mut() {
            if server.site != site || server.role == Role::Edge || !server.is_e15_or_later() {
                continue;
            }
            for thumbprint in &wanted {
                let known = server.deployment.iter().any(|(_, own)| own == thumbprint);
                if server.my(*thumbprint).is_none() && !known {
                    server.deployment.push((due, *thumbprint));
                }
            }
        }
    }

    /// The deployment servicelet: fetches a certificate with an exportable key from another server of the site.
    fn deploy(&mut self, at: &ServerName) {
        let now = self.now;
        let Some(server) = self.servers.get_mut(at) else {
            return;
        };
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut server.deployment)
            .into_iter()
            .partition(|(due, _)| *due <= now);
        server.deployment = later;
        if !server.runs("MSExchangeServiceHost") {
            return;
        }
        let site = server.site;
        for (_, thumbprint) in due {
            let source = self
                .servers
                .values()
                .filter(|other| {
                    other.site == site && other.role == Role::Mailbox && other.name != *at && other.reachable
                })
                .find_map(|other| {
                    other
                        .my(thumbprint)
                        .filter(|stored| stored.usable_key().is_some_and(|key| key.exportable))
                        .cloned()
                });
            let Some(mut stored) = source else {
                let missing = self
                    .servers
                    .get(at)
                    .is_some_and(|server| server.my(thumbprint).is_none());
                if missing {
                    self.log(
                        at,
                        &Happening::AuthCertificateNotFound {
                            thumbprint: thumbprint.to_string(),
                        },
                    );
                }
                continue;
            };
            stored.smtp = false;
            if let Some(server) = self.servers.get_mut(at)
                && server.my(thumbprint).is_none()
                && server.free_bytes > 0
            {
                server.stores.entry(StoreName::My).or_default().push(stored);
            }
        }
    }

    /// What happens once a day: transport and the servicelets say what ends.
    fn daily(&mut self, at: &ServerName) {
        let runs = |service: &str| self.servers.get(at).is_some_and(|server| server.runs(service));
        let (transport, host) = (runs("MSExchangeTransport"), runs("MSExchangeServiceHost"));
        let runs_edge_sync = runs("MSExchangeEdgeSync");
        if transport {
            self.check_transport(at);
        }
        if runs_edge_sync {
            self.check_edge_sync(at);
        }
        if !host {
            return;
        }
        let Some(server) = self.servers.get(at).filter(|server| server.role == Role::Mailbox) else {
            return;
        };
        let site = server.site;
        let clock = self.clock_of(at);
        let mut said = Vec::new();
        if let Some(config) = self.directory.auth(site)
            && let Some(current) = config.current
        {
            let usable = server
                .my(current)
                .is_some_and(|stored| stored.usable_key().is_some());
            if !usable {
                said.push(Happening::OAuthCertificateMissing {
                    thumbprint: current.to_string(),
                });
            }
        }
        if let Some(trust) = self.directory.federation(site) {
            for thumbprint in trust.current.into_iter().chain(trust.next) {
                let ends = server.my(thumbprint).map(|stored| stored.certificate.not_after());
                if ends.is_some_and(|ends| ends.duration_since(clock) < SignedDuration::from_hours(24 * 15)) {
                    said.push(Happening::FederationExpires {
                        thumbprint: thumbprint.to_string(),
                    });
                }
            }
        }
        if self.front_end(at) == super::FrontEnd::AuthBroken {
            said.push(Happening::OwaFailed);
        }
        for happening in said {
            self.log(at, &happening);
        }
    }

    /// Transport's look at its certificates, at its start and once a day: 12012 to 12018.
    pub(crate) fn check_transport(&mut self, at: &ServerName) {
        let Some(server) = self.servers.get(at) else {
            return;
        };
        let clock = self.clock_of(at);
        let warning = SignedDuration::from_hours(24 * i64::from(self.assumptions.expiry_warning_days));
        let mut said = Vec::new();
        match self.directory.internal_transport(server.site, at).cloned() {
            None => said.push(Happening::InternalTransportNotInDirectory),
            Some(certificate) => {
                let thumbprint = certificate.thumbprint().to_string();
                let left = certificate.not_after().duration_since(clock);
                match server.my(certificate.thumbprint()) {
                    None => match self.assumptions.transport_certificate_when_gone {
                        TransportCertificateWhenGone::NotOffered => {
                            said.push(Happening::InternalTransportNotInStore { thumbprint });
                        }
                        TransportCertificateWhenGone::Ephemeral => {
                            let ephemeral = Thumbprint::of(format!("{at}/ephemeral").as_bytes()).to_string();
                            said.push(Happening::InternalTransportEphemeral {
                                thumbprint,
                                ephemeral,
                            });
                        }
                    },
                    Some(_) if left.is_negative() => {
                        said.push(Happening::InternalTransportExpired { thumbprint });
                    }
                    Some(_) if left < warning => said.push(Happening::InternalTransportExpires {
                        thumbprint,
                        hours: left.as_hours().to_string(),
                    }),
                    Some(_) => {}
                }
            }
        }
        let connectors: Vec<_> = self
            .directory
            .receive_connectors(server.site)
            .filter(|connector| connector.server == *at && connector.enabled && connector.auth & 1 == 1)
            .collect();
        let mut warned = std::collections::BTreeSet::new();
        for connector in connectors {
            let fqdn = connector.fqdn.clone().unwrap_or_else(|| server.fqdn.clone());
            let Some(selected) = self
                .starttls(server, connector)
                .filter(|selected| selected.usable)
            else {
                said.push(Happening::NoCertificateForConnector {
                    wanted: connector
                        .tls_certificate_name
                        .clone()
                        .unwrap_or_else(|| fqdn.clone()),
                    connector: connector.name.clone(),
                    fqdn,
                    frontend: connector.frontend,
                });
                continue;
            };
            let Some(stored) = server.my(selected.thumbprint) else {
                continue;
            };
            let left = stored.certificate.not_after().duration_since(clock);
            if left.is_negative() {
                if warned.insert(fqdn.clone()) {
                    said.push(Happening::ConnectorCertificateExpired { fqdn });
                }
            } else if left < warning && warned.insert(selected.thumbprint.to_string()) {
                said.push(Happening::ConnectorCertificateExpires {
                    subject: stored.certificate.subject().to_string(),
                    thumbprint: selected.thumbprint.to_string(),
                    expires: stored
                        .certificate
                        .not_after()
                        .strftime("%-m/%-d/%Y %-I:%M:%S %p")
                        .to_string(),
                });
            }
        }
        for happening in said {
            self.log(at, &happening);
        }
    }
}
