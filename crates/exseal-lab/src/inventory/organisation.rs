//! The organisation as a whole: domain, sites, the name clients use, and what belongs to no server.

use std::collections::BTreeMap;

use super::schema::{Inventory, Server};
use super::{InventoryError, Taken, Taking, certificates, first_label, last_part};
use crate::organisation::{
    AcceptedDomainRecipe, AuthRecipe, EdgeRecipe, FederationRecipe, HybridRecipe, Organisation,
    OverrideRecipe, PlacedCertificate, Role, ServerRecipe, SiteRecipe, StoreName,
};

const WHOLE: &str = "organisation";

impl<'i> Taking<'i> {
    pub(super) fn new(read: &'i Inventory) -> Result<Self, InventoryError> {
        let certificates = certificates::read(read)?;
        Ok(Self {
            read,
            issuers: certificates::issuers(read, &certificates),
            certificates,
            never_seen: std::collections::BTreeSet::new(),
            assumed: Vec::new(),
            left_out: Vec::new(),
        })
    }

    pub(super) fn whole(mut self) -> Result<Taken, InventoryError> {
        let read = self.read;
        let names = self.names()?;
        let domain = self.domain();
        let mut organisation = Organisation::of_servers(&domain, []);
        organisation.certificates = self.recipes();
        for (server, named) in read.servers.iter().zip(&names) {
            let Some(named) = named else { continue };
            let mut recipe = self.server(server, named)?;
            match server.fqdn.value().and_then(|fqdn| fqdn.split_once('.')) {
                Some((_, suffix)) if suffix.eq_ignore_ascii_case(&domain) => {}
                Some((_, suffix)) => recipe.dns_suffix = Some(suffix.to_owned()),
                None => self.assume(&recipe.name, "DNS suffix", domain.clone()),
            }
            organisation.servers.push(recipe);
        }
        match read.organisation.name.value() {
            Some(name) => organisation.name.clone_from(name),
            None => self.assume(WHOLE, "name", organisation.name.clone()),
        }
        organisation.namespace = self.namespace();
        self.auth(&mut organisation)?;
        organisation.send_connectors = self.send_connectors();
        self.domains(&mut organisation);
        self.hybrid(&mut organisation);
        self.federation(&mut organisation)?;
        self.subscriptions(&mut organisation)?;
        self.overrides(&mut organisation);
        sites(&mut organisation);
        self.assume(
            WHOLE,
            "users",
            "admin, who may everything, and viewer, who may look",
        );
        self.assume(WHOLE, "replication between sites", "at once");
        let lost: Vec<String> = self.never_seen.iter().map(ToString::to_string).collect();
        if !lost.is_empty() {
            self.left_out.push(format!(
                "{WHOLE}: stand-ins of certificates of which only the thumbprint was seen: {}",
                lost.join(", ")
            ));
        }
        self.leave_out(
            WHOLE,
            read.organisation.partner_applications.items().len(),
            "partner applications",
        );
        self.leave_out(
            WHOLE,
            read.organisation.presented.items().len() + read.organisation.resolved.items().len(),
            "looks from outside: the lab answers anew",
        );
        let signing = &read.organisation.adfs_sign_certificate_thumbprints;
        let encrypting = &read.organisation.adfs_encrypt_certificate_thumbprint;
        let of_adfs = signing.value().map_or(0, Vec::len) + usize::from(encrypting.value().is_some());
        self.leave_out(WHOLE, of_adfs, "certificates of AD FS");
        organisation.check()?;
        self.assumed.sort();
        self.assumed.dedup();
        Ok(Taken {
            organisation,
            assumed: self.assumed,
            left_out: self.left_out,
        })
    }

    /// The domain of most servers; where no full name was seen, the default accepted domain.
    fn domain(&mut self) -> String {
        let suffixes = self
            .read
            .servers
            .iter()
            .filter_map(|server| server.fqdn.value())
            .filter_map(|fqdn| fqdn.split_once('.'))
            .map(|(_, suffix)| suffix.to_lowercase());
        if let Some(domain) = most(suffixes) {
            return domain;
        }
        let accepted = self.read.organisation.accepted_domains.items();
        let domain = accepted
            .iter()
            .find(|own| own.default.is(true))
            .or_else(|| accepted.first())
            .and_then(|own| own.domain_name.value())
            .filter(|name| name.contains('.') && !name.starts_with('*'))
            .cloned()
            .unwrap_or_else(|| "exseal.lab".to_owned());
        self.assume(WHOLE, "domain of the directory", domain.clone());
        domain
    }

    /// The name clients use: the host of most external URLs, else of most internal ones that is no server.
    fn namespace(&mut self) -> Option<String> {
        let hosts = |external: bool| {
            self.read
                .servers
                .iter()
                .flat_map(move |server| {
                    server.virtual_directories.items().iter().filter_map(move |own| {
                        let kind = own.kind.value()?;
                        if !matches!(
                            kind.as_str(),
                            "owa" | "ecp" | "ews" | "mapi" | "oab" | "activesync"
                        ) {
                            return None;
                        }
                        let url = if external {
                            &own.external_url
                        } else {
                            &own.internal_url
                        };
                        host_of(url.value()?)
                    })
                })
                .filter(|host| !self.read.servers.iter().any(|server| is_called(server, host)))
        };
        let found = most(hosts(true)).or_else(|| most(hosts(false)));
        if found.is_none() {
            self.assume(WHOLE, "name that clients use", "each server's own");
        }
        found
    }

    fn auth(&mut self, organisation: &mut Organisation) -> Result<(), InventoryError> {
        let own = &self.read.organisation.auth_config;
        let at = |key: &str| format!("organisation.auth_config.{key}");
        let mut auth = AuthRecipe {
            current: self.seen_reference(&own.current, &at("current"))?,
            next: self.seen_reference(&own.next, &at("next"))?,
            previous: self.seen_reference(&own.previous, &at("previous"))?,
            next_effective: own.next_effective.value().copied(),
            ..AuthRecipe::default()
        };
        if auth.current.is_none() {
            auth.current = self.auth_certificate();
            self.assume(
                WHOLE,
                "current Auth certificate",
                if auth.current.is_some() {
                    "the youngest that is in a store"
                } else {
                    "one like setup's own"
                },
            );
        }
        for (unknown, what) in [
            (own.next.is_unknown(), "next Auth certificate"),
            (own.previous.is_unknown(), "previous Auth certificate"),
        ] {
            if unknown {
                self.assume(WHOLE, what, "none");
            }
        }
        // Where nobody looked into My, the Auth certificates are there as on every healthy server.
        for (server, read) in organisation.servers.iter_mut().filter_map(|server| {
            let read = self
                .read
                .servers
                .iter()
                .find(|own| is_called(own, &server.name))?;
            Some((server, read))
        }) {
            if read.my.seen().is_some() || server.role == Role::Edge {
                continue;
            }
            for id in [&auth.current, &auth.next].into_iter().flatten() {
                if organisation.certificates.iter().any(|own| own.id == *id) {
                    server.without.push("auth".to_owned());
                    server.placed.push(PlacedCertificate {
                        exportable: true,
                        smtp: true,
                        friendly_name: Some("Microsoft Exchange Server Auth Certificate".to_owned()),
                        ..PlacedCertificate::in_my(id)
                    });
                }
            }
        }
        // One like setup's own is in every store, although the stores were seen and hold none: nobody knew of it.
        if auth.current.is_none() {
            for server in organisation
                .servers
                .iter_mut()
                .filter(|server| server.role == Role::Mailbox && server.only_listed.contains(&StoreName::My))
            {
                server.placed.push(PlacedCertificate {
                    exportable: true,
                    smtp: true,
                    ..PlacedCertificate::in_my("auth")
                });
            }
        }
        organisation.auth = auth;
        Ok(())
    }

    fn domains(&mut self, organisation: &mut Organisation) {
        let listing = &self.read.organisation.accepted_domains;
        organisation.accepted_domains = listing
            .items()
            .iter()
            .map(|own| AcceptedDomainRecipe {
                domain: own.domain_name.value().unwrap_or(&own.name).clone(),
                kind: super::server::value_or(&own.domain_type, "Authoritative".to_owned()),
                default: own.default.is(true),
            })
            .collect();
        if listing.seen().is_none() {
            self.assume(WHOLE, "accepted domains", "the domain itself");
        }
    }

    fn hybrid(&mut self, organisation: &mut Organisation) {
        let own = &self.read.organisation.hybrid;
        if own.present.is_unknown() && own.tls_certificate_name.is_unknown() {
            self.assume(WHOLE, "hybrid configuration", "none");
            return;
        }
        if own.present.is(false) {
            return;
        }
        let names = |seen: &super::schema::Seen<Vec<String>>| -> Vec<String> {
            seen.value()
                .into_iter()
                .flatten()
                .map(|name| first_label(last_part(name)).to_owned())
                .collect()
        };
        organisation.hybrid = Some(HybridRecipe {
            tls_certificate_name: own.tls_certificate_name.value().cloned(),
            receiving: names(&own.receiving_transport_servers),
            sending: names(&own.sending_transport_servers),
            edge: names(&own.edge_transport_servers),
            smart_host: own.on_premises_smart_host.value().cloned(),
            domains: own.domains.value().cloned().unwrap_or_default(),
        });
    }

    fn federation(&mut self, organisation: &mut Organisation) -> Result<(), InventoryError> {
        let listing = &self.read.organisation.federation_trusts;
        if listing.seen().is_none() {
            self.assume(WHOLE, "federation trust", "none");
        }
        let Some((own, more)) = listing.items().split_first() else {
            return Ok(());
        };
        let at = |key: &str| format!("organisation.federation_trusts.items[0].{key}");
        organisation.federation = Some(FederationRecipe {
            current: self.seen_reference(&own.current, &at("current"))?,
            next: self.seen_reference(&own.next, &at("next"))?,
            previous: self.seen_reference(&own.previous, &at("previous"))?,
        });
        for other in more {
            self.left_out.push(format!(
                "{WHOLE}: the federation trust {}; the lab has one",
                other.name
            ));
        }
        Ok(())
    }

    fn subscriptions(&mut self, organisation: &mut Organisation) -> Result<(), InventoryError> {
        let listing = &self.read.organisation.edge_subscriptions;
        if listing.seen().is_none() {
            self.assume(WHOLE, "Edge subscriptions", "none");
        }
        for (place, own) in listing.items().iter().enumerate() {
            let at = format!("organisation.edge_subscriptions.items[{place}]");
            let name = first_label(&own.name).to_owned();
            match organisation
                .servers
                .iter_mut()
                .find(|server| server.name.eq_ignore_ascii_case(&name))
            {
                Some(server) => server.role = Role::Edge,
                None => {
                    let mut server = ServerRecipe::named(&name);
                    server.role = Role::Edge;
                    organisation.servers.push(server);
                    self.assume(
                        &name,
                        "the whole server, which only a subscription names",
                        "an Edge server as setup leaves it",
                    );
                }
            }
            let certificate = match own.certificate.value() {
                Some(text) => {
                    let reference = self.reference(text, &format!("{at}.certificate"))?;
                    Some(reference).filter(|reference| self.certificate(reference).is_some())
                }
                None => None,
            };
            if certificate.is_none() {
                self.assume(
                    &name,
                    "certificate that the subscription recorded",
                    "the Edge's own",
                );
            }
            organisation.edge_subscriptions.push(EdgeRecipe {
                edge: name,
                site: own.site.value().map(|site| last_part(site).to_owned()),
                certificate,
                bootstrap_minutes_left: None,
            });
        }
        Ok(())
    }

    fn overrides(&mut self, organisation: &mut Organisation) {
        let listing = &self.read.organisation.setting_overrides;
        if listing.seen().is_none() {
            self.assume(WHOLE, "setting overrides", "none");
        }
        for own in listing.items() {
            let (Some(component), Some(section)) = (own.component.value(), own.section.value()) else {
                self.left_out.push(format!(
                    "{WHOLE}: the setting override {}, of which component or section is unknown",
                    own.name
                ));
                continue;
            };
            organisation.overrides.push(OverrideRecipe {
                name: own.name.clone(),
                component: component.clone(),
                section: section.clone(),
                parameters: own.parameters.value().cloned().unwrap_or_default(),
                reason: own.reason.value().cloned().unwrap_or_default(),
                servers: own
                    .server
                    .value()
                    .map(|names| {
                        names
                            .split([',', ' '])
                            .filter(|name| !name.is_empty())
                            .map(str::to_owned)
                            .collect()
                    })
                    .unwrap_or_default(),
                min_version: None,
                max_version: None,
            });
        }
    }
}

/// Every site that is named, in the order of the servers; the first is that of who names none.
fn sites(organisation: &mut Organisation) {
    let named = organisation
        .servers
        .iter()
        .filter_map(|server| server.site.clone())
        .chain(
            organisation
                .edge_subscriptions
                .iter()
                .filter_map(|own| own.site.clone()),
        );
    let mut sites: Vec<SiteRecipe> = Vec::new();
    for name in named {
        if !sites.iter().any(|site| site.name.eq_ignore_ascii_case(&name)) {
            sites.push(SiteRecipe {
                name,
                replication_minutes: 0,
            });
        }
    }
    organisation.sites = sites;
}

fn is_called(server: &Server, name: &str) -> bool {
    let short = match &server.name {
        Some(super::schema::Name::Known(own)) => first_label(own).eq_ignore_ascii_case(name),
        _ => false,
    };
    short
        || server
            .fqdn
            .value()
            .is_some_and(|fqdn| fqdn.eq_ignore_ascii_case(name))
}

/// The host of a URL, in lower case.
fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    (!host.is_empty()).then(|| host.to_lowercase())
}

/// What comes most often; of equals the first by the alphabet.
fn most(texts: impl Iterator<Item = String>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let highest = counts.values().copied().max()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == highest)
        .map(|(text, _)| text)
}
