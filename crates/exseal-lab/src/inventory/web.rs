//! http.sys, IIS and virtual directories.

use super::schema::{HttpSysEntry, Server, VirtualDirectory, WebSite};
use super::{InventoryError, Taking, meaning};
use crate::organisation::{
    BindingRecipe, HttpSysRecipe, Role, ServerRecipe, StoreName, VirtualDirectoryRecipe, WebSiteRecipe,
};
use crate::world::installed_pools;

/// The kinds of the file, and what the directories are called here.
const KINDS: [(&str, &str); 9] = [
    ("owa", "owa"),
    ("ecp", "ecp"),
    ("ews", "EWS"),
    ("activesync", "Microsoft-Server-ActiveSync"),
    ("oab", "OAB"),
    ("mapi", "mapi"),
    ("autodiscover", "Autodiscover"),
    ("powershell", "PowerShell"),
    ("outlook-anywhere", "Rpc"),
];

impl Taking<'_> {
    pub(super) fn web(
        &mut self,
        server: &Server,
        recipe: &mut ServerRecipe,
        at: &str,
    ) -> Result<(), InventoryError> {
        if recipe.role == Role::Edge {
            return Ok(());
        }
        self.sites(server, recipe, at)?;
        self.http_sys(server, recipe, at)?;
        match server.app_pools.seen() {
            Some(pools) => {
                let known = installed_pools();
                for pool in pools {
                    let stopped = pool
                        .state
                        .value()
                        .is_some_and(|state| state.eq_ignore_ascii_case("Stopped"));
                    let own = known.iter().find(|own| own.eq_ignore_ascii_case(&pool.name));
                    if let Some(own) = own.filter(|_| stopped) {
                        recipe.stopped_pools.push((*own).to_owned());
                    }
                }
                if pools.iter().any(|pool| pool.state.is_unknown()) {
                    self.assume(&recipe.name, "whether application pools run", "they do");
                }
            }
            None => self.assume(&recipe.name, "application pools", "those of setup, started"),
        }
        self.virtual_directories(server, recipe);
        Ok(())
    }

    fn sites(&mut self, server: &Server, recipe: &mut ServerRecipe, at: &str) -> Result<(), InventoryError> {
        let Some(sites) = server.sites.seen() else {
            self.assume(&recipe.name, "sites of IIS", "the two of setup");
            return Ok(());
        };
        for (place, site) in sites.iter().enumerate() {
            let id = match site.id.value() {
                Some(id) => i32::try_from(*id).map_err(|_| {
                    meaning(
                        format!("{at}.sites.items[{place}].id"),
                        "the number of a site",
                        id.to_string(),
                    )
                })?,
                None => number_of(site, place),
            };
            recipe.web_sites.push(WebSiteRecipe {
                id,
                name: site.name.clone(),
                started: site
                    .state
                    .value()
                    .is_none_or(|state| !state.eq_ignore_ascii_case("Stopped")),
                bindings: site
                    .bindings
                    .items()
                    .iter()
                    .map(|binding| BindingRecipe {
                        protocol: binding.protocol.clone(),
                        information: binding.information.clone(),
                        ssl_flags: binding
                            .ssl_flags
                            .value()
                            .and_then(|flags| i32::try_from(*flags).ok())
                            .unwrap_or(0),
                    })
                    .collect(),
            });
        }
        if !server.sites.is_whole() {
            self.plain_bindings(recipe);
        }
        Ok(())
    }

    /// Whoever looked showed some bindings only: those without TLS are there as setup makes them.
    fn plain_bindings(&mut self, recipe: &mut ServerRecipe) {
        let mut added = Vec::new();
        for site in &mut recipe.web_sites {
            let port = match site.id {
                1 => 80,
                2 => 81,
                _ => continue,
            };
            if site
                .bindings
                .iter()
                .any(|own| own.protocol.eq_ignore_ascii_case("http"))
            {
                continue;
            }
            site.bindings.push(BindingRecipe {
                protocol: "http".to_owned(),
                information: format!("*:{port}:"),
                ssl_flags: 0,
            });
            added.push(port.to_string());
        }
        if !added.is_empty() {
            self.assume(
                &recipe.name,
                format!("bindings without TLS on {}", added.join(" and ")),
                "as setup makes them",
            );
        }
    }

    /// The table of http.sys; where nobody read it, what the bindings of IIS show of it, else what Exchange shows of the
    /// certificates, else what setup binds.
    fn http_sys(
        &mut self,
        server: &Server,
        recipe: &mut ServerRecipe,
        at: &str,
    ) -> Result<(), InventoryError> {
        if let Some(entries) = server.http_sys.seen() {
            let mut table = Vec::new();
            for (place, entry) in entries.iter().enumerate() {
                let at = format!("{at}.http_sys.items[{place}]");
                table.push(self.entry(entry, &at)?);
            }
            recipe.http_sys = Some(table);
            return Ok(());
        }
        let mut table: Vec<HttpSysRecipe> = Vec::new();
        for (place, site) in server.sites.items().iter().enumerate() {
            for (number, binding) in site.bindings.items().iter().enumerate() {
                let at = format!("{at}.sites.items[{place}].bindings.items[{number}]");
                let own = crate::world::Binding {
                    protocol: binding.protocol.clone(),
                    information: binding.information.clone(),
                    ssl_flags: binding
                        .ssl_flags
                        .value()
                        .and_then(|flags| i32::try_from(*flags).ok())
                        .unwrap_or(0),
                };
                let Some(endpoint) = own.endpoint() else { continue };
                let Some(certificate) =
                    self.seen_reference(&binding.thumbprint, &format!("{at}.thumbprint"))?
                else {
                    continue;
                };
                // A binding that shows no certificate has no entry.
                if certificate != "none" {
                    table.push(HttpSysRecipe {
                        endpoint,
                        certificate,
                        store: store(binding.store.value()),
                        app_id: None,
                        negotiate_client_certificate: false,
                    });
                }
            }
        }
        if !table.is_empty() {
            self.assume(
                &recipe.name,
                "http.sys",
                "an entry for each binding of IIS that shows a certificate",
            );
            recipe.http_sys = Some(table);
            return Ok(());
        }
        let setup = self.setup_certificate(server, &recipe.name);
        let shown = |site: &str| {
            server.my.items().iter().find(|entry| {
                entry
                    .iis_sites
                    .value()
                    .is_some_and(|sites| sites.iter().any(|own| own.ends_with(&format!("/W3SVC/{site}"))))
            })
        };
        for (site, slot, what) in [
            ("1", &mut recipe.front_end, "http.sys for 443"),
            ("2", &mut recipe.back_end, "http.sys for 444"),
        ] {
            let (certificate, taken) = match (shown(site), &setup) {
                (Some(entry), _) => (
                    Some(entry.thumbprint.clone()),
                    "the certificate Exchange shows for the site",
                ),
                (None, Some(setup)) => (Some(setup.clone()), "setup's own certificate"),
                (None, None) if server.my.seen().is_some() => {
                    (Some("none".to_owned()), "an entry without a certificate")
                }
                (None, None) => (None, "setup's own certificate"),
            };
            *slot = certificate;
            self.assumed.push(super::Assumed {
                of: recipe.name.clone(),
                what: what.to_owned(),
                taken: taken.to_owned(),
            });
        }
        Ok(())
    }

    fn entry(&mut self, entry: &HttpSysEntry, at: &str) -> Result<HttpSysRecipe, InventoryError> {
        Ok(HttpSysRecipe {
            endpoint: endpoint(&entry.endpoint).ok_or_else(|| {
                meaning(
                    format!("{at}.endpoint"),
                    "address:port, with /host behind it or not",
                    format!("{:?}", entry.endpoint),
                )
            })?,
            certificate: self
                .seen_reference(&entry.thumbprint, &format!("{at}.thumbprint"))?
                .unwrap_or_else(|| "none".to_owned()),
            store: store(entry.store.value()),
            app_id: entry.app_id.value().cloned(),
            negotiate_client_certificate: entry.negotiate_client_certificate.is(true),
        })
    }

    fn virtual_directories(&mut self, server: &Server, recipe: &mut ServerRecipe) {
        let Some(directories) = server.virtual_directories.seen() else {
            self.assume(
                &recipe.name,
                "virtual directories",
                "those of setup, with the name clients use",
            );
            return;
        };
        let mut foreign = 0;
        for own in directories {
            let kind = own.kind.value().map_or("", String::as_str);
            if kind == "scp" {
                recipe.urls.service_point = Some(own.internal_url.value().cloned().unwrap_or_default());
                continue;
            }
            let Some(name) = name_of(own, kind) else {
                foreign += 1;
                continue;
            };
            let (internal, external) = if name == "Rpc" {
                (&own.internal_host, &own.external_host)
            } else {
                (&own.internal_url, &own.external_url)
            };
            let text = |seen: &super::schema::Seen<String>| {
                seen.known().map(|value| value.cloned().unwrap_or_default())
            };
            recipe.virtual_directories.push(VirtualDirectoryRecipe {
                name: name.to_owned(),
                internal: text(internal),
                external: text(external),
                extended_protection: own.extended_protection.value().cloned(),
                basic: None,
                windows: None,
            });
        }
        let missing: Vec<&str> = KINDS
            .iter()
            .map(|(_, name)| *name)
            .filter(|name| !recipe.virtual_directories.iter().any(|own| own.name == *name))
            .collect();
        if !missing.is_empty() {
            self.assume(
                &recipe.name,
                format!("virtual directories {}", missing.join(", ")),
                "as setup makes them, with the name clients use",
            );
        }
        self.leave_out(
            &recipe.name,
            foreign,
            "virtual directories outside of the Default Web Site",
        );
    }
}

/// What a directory is called here; the back end's have the same names and are none of them.
fn name_of(own: &VirtualDirectory, kind: &str) -> Option<&'static str> {
    if own.identity.contains("Exchange Back End") {
        return None;
    }
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map(|(_, name)| *name)
}

/// The number of a site whose number nobody saw: setup's, by the ports.
fn number_of(site: &WebSite, place: usize) -> i32 {
    let at = |port: &str| {
        site.bindings
            .items()
            .iter()
            .any(|binding| binding.information.split(':').nth(1) == Some(port))
    };
    if at("443") {
        1
    } else if at("444") {
        2
    } else {
        i32::try_from(place + 3).unwrap_or(i32::MAX)
    }
}

/// `*:443` and `*:443/mail.example.org` of the file, as http.sys names them.
fn endpoint(text: &str) -> Option<String> {
    let (rest, host) = text.split_once('/').unwrap_or((text, ""));
    let (address, port) = rest.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    Some(if !host.is_empty() {
        format!("{host}:{port}")
    } else if address == "*" {
        format!("0.0.0.0:{port}")
    } else {
        format!("{address}:{port}")
    })
}

/// The store an entry names; unset means My.
fn store(text: Option<&String>) -> StoreName {
    text.and_then(|text| StoreName::parse(text)).unwrap_or_default()
}
