//! http.sys and IIS, and the virtual directories.

use std::collections::BTreeMap;

use super::{Builder, Made};
use crate::organisation::{HttpSysRecipe, Role, ServerRecipe, StoreName, Version, WebSiteRecipe, meaning};
use crate::world::{Binding, HttpSysEntry, IIS_APP_ID, Server, WebSite, WorldError, services};

impl Builder<'_> {
    pub(super) fn fill_iis(
        &self,
        recipe: &ServerRecipe,
        local: &BTreeMap<&str, Made>,
        server: &mut Server,
    ) -> Result<(), WorldError> {
        if recipe.role == Role::Edge {
            return Ok(());
        }
        let place = format!("server {:?}, http.sys", recipe.name);
        let entry = |endpoint: &str, certificate: &str| HttpSysRecipe {
            endpoint: endpoint.to_owned(),
            certificate: certificate.to_owned(),
            store: StoreName::My,
            app_id: None,
            negotiate_client_certificate: false,
        };
        let public = self
            .organisation
            .public
            .as_deref()
            .filter(|_| recipe.version >= Version::V2013);
        let front = recipe.front_end.as_deref().or(public).unwrap_or("exchange");
        let loopback = recipe.front_end_loopback.as_deref().unwrap_or(front);
        let mut entries = recipe.http_sys.clone().unwrap_or_else(|| {
            vec![
                entry("0.0.0.0:443", front),
                entry("127.0.0.1:443", loopback),
                entry("0.0.0.0:444", recipe.back_end.as_deref().unwrap_or("exchange")),
            ]
        });
        entries.extend(recipe.http_sys_entries.iter().cloned());
        for own in entries {
            let hash = self.reference(local, &own.certificate, &place)?;
            server.http_sys.insert(
                own.endpoint.to_ascii_lowercase(),
                HttpSysEntry {
                    hash,
                    store: own.store,
                    app_id: own.app_id.unwrap_or_else(|| IIS_APP_ID.to_owned()),
                    negotiate_client_certificate: own.negotiate_client_certificate,
                },
            );
        }
        let binding = |protocol: &str, information: &str| Binding {
            protocol: protocol.to_owned(),
            information: information.to_owned(),
            ssl_flags: 0,
        };
        let setup = vec![
            WebSite {
                id: 1,
                name: "Default Web Site".to_owned(),
                started: true,
                bindings: vec![
                    binding("http", "*:80:"),
                    binding("https", ":443:"),
                    binding("http", "127.0.0.1:80:"),
                    binding("https", "127.0.0.1:443:"),
                    binding("net.tcp", "808:*"),
                    binding("net.msmq", "localhost"),
                    binding("msmq.formatname", "localhost"),
                    binding("net.pipe", "*"),
                ],
                require_ssl: true,
            },
            WebSite {
                id: 2,
                name: "Exchange Back End".to_owned(),
                started: true,
                bindings: vec![
                    binding("http", "*:81:"),
                    binding("https", "*:444:"),
                    binding("net.pipe", "*"),
                ],
                require_ssl: true,
            },
        ];
        let own = |site: &WebSiteRecipe| WebSite {
            id: site.id,
            name: site.name.clone(),
            started: site.started,
            bindings: site
                .bindings
                .iter()
                .map(|own| Binding {
                    protocol: own.protocol.clone(),
                    information: own.information.clone(),
                    ssl_flags: own.ssl_flags,
                })
                .collect(),
            require_ssl: true,
        };
        server.web_sites = if recipe.web_sites.is_empty() {
            setup
        } else {
            recipe.web_sites.iter().map(own).collect()
        };
        server.app_pools = services::APP_POOLS
            .iter()
            .map(|name| ((*name).to_owned(), true))
            .collect();
        for pool in &recipe.stopped_pools {
            let started = server.app_pools.get_mut(pool).ok_or_else(|| {
                meaning(
                    format!("server {:?}, stopped_pools", recipe.name),
                    format!("one of {}", services::APP_POOLS.join(", ")),
                    format!("{pool:?}"),
                )
            })?;
            *started = false;
        }
        Ok(())
    }
}

/// The virtual directories of a front end, with the path of their URLs.
pub(crate) const VIRTUAL_DIRECTORIES: &[(&str, &str)] = &[
    ("owa", "/owa"),
    ("ecp", "/ecp"),
    ("EWS", "/EWS/Exchange.asmx"),
    ("Microsoft-Server-ActiveSync", "/Microsoft-Server-ActiveSync"),
    ("OAB", "/OAB"),
    ("mapi", "/mapi"),
    ("Autodiscover", "/Autodiscover/Autodiscover.xml"),
    ("PowerShell", "/powershell"),
    ("Rpc", ""),
];
