//! A server: its services, clocks and settings.

use std::collections::BTreeMap;

use super::{Builder, Made, days_from};
use crate::certificate::{Hash, Thumbprint};
use crate::organisation::{Role, ServerRecipe, StartMode, Version, meaning};
use crate::world::{Server, ServerName, Site, WorldError, services};

impl Builder<'_> {
    pub(super) fn server(&mut self, recipe: &ServerRecipe, sites: &[Site]) -> Result<Server, WorldError> {
        let place = format!("server {:?}", recipe.name);
        let name = ServerName::new(&recipe.name);
        let suffix = recipe.dns_suffix.as_deref().unwrap_or(&self.organisation.domain);
        let fqdn = format!("{}.{suffix}", recipe.name);
        let site = recipe
            .site
            .as_ref()
            .and_then(|wanted| {
                sites
                    .iter()
                    .position(|site| site.name.eq_ignore_ascii_case(wanted))
            })
            .unwrap_or(0);
        let installed = days_from(self.now, -recipe.installed_days_ago);
        let mut local = BTreeMap::new();
        let not_after = recipe
            .exchange_days_left
            .map_or_else(|| days_from(installed, 1827), |days| days_from(self.now, days));
        let exchange = self.setup_certificate(
            recipe,
            &recipe.name,
            vec![recipe.name.clone(), fqdn.clone()],
            (installed.min(days_from(not_after, -1827)), not_after),
            "Microsoft Exchange",
            if recipe.exchange_sha1 {
                Hash::Sha1
            } else {
                Hash::Sha256
            },
        )?;
        local.insert("exchange", exchange);
        if recipe.role == Role::Mailbox {
            let before_setup = days_from(installed, -1);
            let service = self.setup_certificate(
                recipe,
                &format!("WMSvc-SHA2-{}", recipe.name),
                Vec::new(),
                (before_setup, days_from(before_setup, 3650)),
                "WMSVC-SHA2",
                Hash::Sha256,
            )?;
            local.insert("wmsvc", service);
            local.insert("auth", self.auth.clone());
        }
        let build = parse_build(recipe)?;
        let mut server = Server {
            fqdn,
            role: recipe.role,
            version: recipe.version,
            build,
            site,
            language: recipe.language.unwrap_or(self.organisation.language),
            utc_offset_minutes: recipe
                .utc_offset_minutes
                .unwrap_or(self.organisation.utc_offset_minutes),
            activation_policy: "Unrestricted".to_owned(),
            activation_disabled: false,
            database_at: None,
            dag: recipe
                .dag
                .clone()
                .or_else(|| self.organisation.dag.clone())
                .filter(|_| recipe.role == Role::Mailbox),
            installed,
            stores: BTreeMap::new(),
            http_sys: BTreeMap::new(),
            web_sites: Vec::new(),
            app_pools: BTreeMap::new(),
            services: services::installed(recipe.role, recipe.version),
            components: recipe.components.clone(),
            component_requests: BTreeMap::new(),
            registry: self.registry(recipe, &local),
            tasks: recipe.tasks.clone(),
            queues: recipe.queues.clone(),
            log_lines: recipe.log_lines.clone(),
            events: Vec::new(),
            trusted_subsystem: recipe.trusted_subsystem_is_administrator,
            free_bytes: recipe.free_bytes.unwrap_or(52_613_349_376),
            skew_seconds: recipe.clock_skew_seconds,
            restart_pending: recipe.restart_pending,
            domain_controller: recipe.domain_controller,
            winrm_https: None,
            reachable: true,
            auth_admin_next: None,
            daily_next: self.now,
            protocol_loaded: BTreeMap::new(),
            auth_loaded: None,
            web_started: installed,
            deployment: Vec::new(),
            downgraded_auth: false,
            starting: std::collections::BTreeMap::new(),
            lock: None,
            name,
        };
        self.fill_stores(recipe, &local, &mut server)?;
        self.fill_iis(recipe, &local, &mut server)?;
        for (service, own) in &recipe.services {
            let Some(found) = server.service_mut(service) else {
                return Err(
                    meaning(format!("{place}, services"), "a service of this server", service).into(),
                );
            };
            if let Some(start) = own.start {
                found.start = start;
            }
            if let Some(by) = own.disabled_by {
                found.start = StartMode::Disabled;
                found.disabled_by = Some(by);
            }
            found.running = own
                .running
                .unwrap_or(found.running && found.start != StartMode::Disabled);
        }
        for (protocol, names) in [
            (&recipe.pop, ["MSExchangePop3", "MSExchangePOP3BE"]),
            (&recipe.imap, ["MSExchangeImap4", "MSExchangeIMAP4BE"]),
        ] {
            if protocol.running {
                for name in names {
                    if let Some(service) = server.service_mut(name) {
                        service.running = true;
                        service.start = StartMode::Automatic;
                    }
                }
            }
        }
        if let Some(reference) = &recipe.winrm_https {
            server.winrm_https = self.reference(&local, reference, &place)?;
        }
        self.server_objects(recipe, &local, &server)?;
        Ok(server)
    }

    /// The registry's values; certificates that count as revoked may be given by id.
    fn registry(&self, recipe: &ServerRecipe, local: &BTreeMap<&str, Made>) -> BTreeMap<String, String> {
        let mut registry = recipe.registry.clone();
        if let Some(revoked) = registry.get_mut("lab:Revoked") {
            let thumbprints: Vec<String> = revoked
                .split([' ', ','])
                .filter(|word| !word.is_empty())
                .map(|word| {
                    self.made_of(local, word).map_or_else(
                        || word.to_owned(),
                        |made| made.certificate.thumbprint().to_string(),
                    )
                })
                .collect();
            *revoked = thumbprints.join(" ");
        }
        registry
    }

    pub(super) fn made_of<'m>(&'m self, local: &'m BTreeMap<&str, Made>, id: &str) -> Option<&'m Made> {
        local.get(id).or_else(|| self.made.get(id))
    }

    /// A certificate by id, or 40 hex digits; `none` is nothing.
    pub(super) fn reference(
        &self,
        local: &BTreeMap<&str, Made>,
        text: &str,
        place: &str,
    ) -> Result<Option<Thumbprint>, WorldError> {
        if text == "none" {
            return Ok(None);
        }
        if let Some(made) = self.made_of(local, text) {
            return Ok(Some(made.certificate.thumbprint()));
        }
        if text == "auth" {
            return Ok(Some(self.auth.certificate.thumbprint()));
        }
        if let Some(thumbprint) = Thumbprint::parse(text) {
            // What an inventory names and a stand-in replaced.
            let replaced = self.stand_ins.iter().find(|pair| pair.original == thumbprint);
            return Ok(Some(replaced.map_or(thumbprint, |pair| pair.stand_in)));
        }
        Err(meaning(
            place,
            "none, exchange, auth, wmsvc, the id of a [[certificate]], or 40 hex digits",
            format!("{text:?}"),
        )
        .into())
    }
}

fn parse_build(recipe: &ServerRecipe) -> Result<[u32; 4], WorldError> {
    let text = recipe.build.as_deref().unwrap_or(match recipe.version {
        Version::V2010 => "14.3.513.0",
        Version::V2013 => "15.0.1497.48",
        Version::V2016 => "15.1.2507.44",
        Version::V2019 => "15.2.1748.10",
        Version::Se => "15.2.2562.17",
    });
    let parts: Vec<u32> = text.split('.').filter_map(|part| part.parse().ok()).collect();
    <[u32; 4]>::try_from(parts).map_err(|_| {
        meaning(
            format!("server {:?}, build", recipe.name),
            "four numbers such as 15.2.1748.10",
            format!("{text:?}"),
        )
        .into()
    })
}
