//! What the directory says of a server.

use std::collections::BTreeMap;

use super::web::VIRTUAL_DIRECTORIES;
use super::{Builder, Made};
use crate::organisation::{Role, ServerRecipe, Version, meaning};
use crate::world::directory::{self, ClientProtocol, Key, Object, ProtocolSettings};
use crate::world::{Server, WorldError};

impl Builder<'_> {
    pub(super) fn server_objects(
        &mut self,
        recipe: &ServerRecipe,
        local: &BTreeMap<&str, Made>,
        server: &Server,
    ) -> Result<(), WorldError> {
        let name = server.name.clone();
        let place = format!("server {:?}, internal_transport", recipe.name);
        let wanted = recipe.internal_transport.as_deref().unwrap_or("exchange");
        if wanted != "none" && recipe.version >= Version::V2013 {
            let made = self.made_of(local, wanted).ok_or_else(|| {
                meaning(
                    place,
                    "none, exchange, auth or the id of a [[certificate]]",
                    format!("{wanted:?}"),
                )
            })?;
            let certificate = made.certificate.clone();
            self.directory.found(
                Key::InternalTransport(name.clone()),
                Object::InternalTransport(certificate),
                self.installed,
            );
        }
        let exchange = local.get("exchange").map(|made| made.certificate.thumbprint());
        self.directory.found(
            Key::DirectTrust(name.clone()),
            Object::DirectTrust(exchange.into_iter().collect()),
            server.installed,
        );
        for connector in self.receive_connectors(recipe, server)? {
            self.directory.found(
                Key::Receive(name.clone(), connector.name.to_lowercase()),
                Object::Receive(connector),
                server.installed,
            );
        }
        if recipe.role == Role::Edge {
            return Ok(());
        }
        for (protocol, own, implicit, plain) in [
            (ClientProtocol::Pop, &recipe.pop, 995, 110),
            (ClientProtocol::Imap, &recipe.imap, 993, 143),
        ] {
            let fqdn = &server.fqdn;
            let settings = ProtocolSettings {
                x509_certificate_name: own.x509_certificate_name.clone().unwrap_or_else(|| fqdn.clone()),
                external: own.external.clone(),
                internal: own
                    .internal
                    .clone()
                    .unwrap_or_else(|| vec![format!("{fqdn}:{implicit}:SSL"), format!("{fqdn}:{plain}:TLS")]),
                login_type: own.login_type.clone().unwrap_or_else(|| "SecureLogin".to_owned()),
                log_enabled: false,
            };
            self.directory.found(
                Key::Protocol(name.clone(), protocol),
                Object::Protocol(settings),
                server.installed,
            );
        }
        let internal = recipe
            .urls
            .internal
            .clone()
            .or_else(|| self.organisation.namespace.clone())
            .unwrap_or_else(|| server.fqdn.to_lowercase());
        let external = recipe
            .urls
            .external
            .clone()
            .or_else(|| self.organisation.namespace.clone());
        let point = directory::ServicePoint {
            uri: recipe
                .urls
                .service_point
                .clone()
                .unwrap_or_else(|| format!("https://{internal}/Autodiscover/Autodiscover.xml")),
        };
        self.directory.found(
            Key::ServicePoint(name.clone()),
            Object::ServicePoint(point),
            server.installed,
        );
        if let Some(own) = recipe.virtual_directories.iter().find(|own| {
            !VIRTUAL_DIRECTORIES
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(&own.name))
        }) {
            let names: Vec<&str> = VIRTUAL_DIRECTORIES.iter().map(|(name, _)| *name).collect();
            return Err(meaning(
                format!("server {:?}, virtual_directory", recipe.name),
                format!("one of {}", names.join(", ")),
                format!("{:?}", own.name),
            )
            .into());
        }
        for (directory, path) in VIRTUAL_DIRECTORIES {
            let url = |host: &str| {
                if *directory == "PowerShell" {
                    format!("http://{}/powershell", server.fqdn.to_lowercase())
                } else if *directory == "Rpc" {
                    host.to_owned()
                } else {
                    format!("https://{host}{path}")
                }
            };
            let differs = recipe
                .virtual_directories
                .iter()
                .find(|own| own.name.eq_ignore_ascii_case(directory));
            let whole = |text: Option<&String>, made: Option<String>| match text {
                Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
                None => made,
            };
            let virtual_directory = directory::VirtualDirectory {
                server: name.clone(),
                name: (*directory).to_owned(),
                internal: whole(
                    differs.and_then(|own| own.internal.as_ref()),
                    (*directory != "Autodiscover").then(|| url(&internal)),
                ),
                external: whole(
                    differs.and_then(|own| own.external.as_ref()),
                    external
                        .as_deref()
                        .filter(|_| !matches!(*directory, "PowerShell" | "Autodiscover"))
                        .map(url),
                ),
                extended_protection: differs
                    .and_then(|own| own.extended_protection.clone())
                    .or_else(|| {
                        recipe
                            .urls
                            .extended_protection
                            .clone()
                            .filter(|_| *directory != "PowerShell")
                    })
                    .unwrap_or_else(|| "None".to_owned()),
                basic: differs.and_then(|own| own.basic).unwrap_or(matches!(
                    *directory,
                    "Microsoft-Server-ActiveSync" | "Autodiscover" | "Rpc"
                )),
                windows: differs.and_then(|own| own.windows).unwrap_or(matches!(
                    *directory,
                    "EWS" | "mapi" | "OAB" | "Autodiscover" | "Rpc"
                )),
            };
            self.directory.found(
                Key::VirtualDirectory(name.clone(), directory.to_lowercase()),
                Object::VirtualDirectory(virtual_directory),
                server.installed,
            );
        }
        Ok(())
    }
}
