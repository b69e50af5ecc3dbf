//! Stores of a server.

use super::schema::{Listing, Seen, Server, StoreEntry};
use super::{InventoryError, Taking};
use crate::certificate::Certificate;
use crate::organisation::{PlacedCertificate, Provider, ServerRecipe, StoreName};

const NETWORK_SERVICE: &str = "S-1-5-20";
const AUTH: &str = "Microsoft Exchange Server Auth Certificate";

impl Taking<'_> {
    pub(super) fn stores(
        &mut self,
        server: &Server,
        recipe: &mut ServerRecipe,
        at: &str,
    ) -> Result<(), InventoryError> {
        let stores = [
            (StoreName::My, &server.my, "my"),
            (StoreName::Request, &server.request, "request"),
            (StoreName::Root, &server.root, "root"),
            (StoreName::Ca, &server.ca, "ca"),
            (StoreName::WebHosting, &server.web_hosting, "web_hosting"),
        ];
        for (name, listing, key) in stores {
            if listing.seen().is_some() {
                recipe.only_listed.push(name);
                if !listing.is_whole() {
                    let what = format!("certificates of {} that nobody saw", name.as_str());
                    self.assume(&recipe.name, what, "none");
                }
            }
            self.store(recipe, name, listing, &format!("{at}.{key}"))?;
        }
        if server.my.seen().is_none() {
            self.assume(
                &recipe.name,
                "certificates of My",
                "those setup made, valid for five years",
            );
        }
        if server.root.seen().is_none() {
            self.registry_roots(server, recipe);
        }
        for (seen, what) in [
            (server.root.seen(), "certificates of Root"),
            (server.ca.seen(), "certificates of CA"),
        ] {
            if seen.is_none() {
                self.assume(&recipe.name, what, "the issuers of what is in My");
            }
        }
        for (seen, what) in [
            (server.request.seen(), "pending requests"),
            (server.web_hosting.seen(), "certificates of WebHosting"),
        ] {
            if seen.is_none() {
                self.assume(&recipe.name, what, "none");
            }
        }
        Ok(())
    }

    fn store(
        &mut self,
        recipe: &mut ServerRecipe,
        name: StoreName,
        listing: &Listing<StoreEntry>,
        at: &str,
    ) -> Result<(), InventoryError> {
        let mut keys = 0;
        let mut readers = 0;
        let mut services = 0;
        for (place, entry) in listing.items().iter().enumerate() {
            let at = format!("{at}.items[{place}].thumbprint");
            let wanted = super::certificates::thumbprint(&entry.thumbprint, &at)?;
            if !self.certificates.contains_key(&wanted) {
                self.left_out.push(format!(
                    "{}: {wanted} in {}, a certificate nobody has seen",
                    recipe.name,
                    name.as_str()
                ));
                continue;
            }
            let personal = matches!(name, StoreName::My | StoreName::WebHosting | StoreName::Request);
            let has_key = match entry.has_private_key.value() {
                Some(has) => *has,
                None => {
                    keys += usize::from(personal);
                    personal
                }
            };
            match entry.status.value().map(String::as_str) {
                Some("Revoked") => {
                    let revoked = recipe.registry.entry("lab:Revoked".to_owned()).or_default();
                    revoked.push(' ');
                    revoked.push_str(&wanted.to_string());
                }
                Some("RevocationCheckFailure") => {
                    recipe
                        .registry
                        .insert("lab:RevocationUnreachable".to_owned(), "1".to_owned());
                }
                _ => {}
            }
            if has_key && name == StoreName::My {
                readers += usize::from(entry.key_readers.is_unknown());
                services += usize::from(entry.services.is_unknown());
            }
            let has = |service: &str| {
                entry
                    .services
                    .value()
                    .is_some_and(|names| names.iter().any(|own| own.eq_ignore_ascii_case(service)))
            };
            recipe.placed.push(PlacedCertificate {
                certificate: wanted.to_string(),
                store: name,
                key: has_key,
                provider: provider(entry),
                exportable: entry.private_key_exportable.is(true),
                network_service: entry
                    .key_readers
                    .value()
                    .is_none_or(|sids| sids.iter().any(|sid| sid == NETWORK_SERVICE)),
                smtp: has("SMTP") || (entry.services.is_unknown() && has_key && name == StoreName::My),
                pop: has("POP"),
                imap: has("IMAP"),
                friendly_name: Some(entry.friendly_name.value().cloned().unwrap_or_default()),
                request: name == StoreName::Request,
            });
        }
        for (count, what, taken) in [
            (keys, "private keys", "there"),
            (readers, "rights on private keys", "NETWORK SERVICE may read them"),
            (services, "services of certificates", "enabled for SMTP"),
        ] {
            if count > 0 {
                let what = format!("{what} of {count} certificates in {}", name.as_str());
                self.assume(&recipe.name, what, taken);
            }
        }
        Ok(())
    }

    /// Nobody looked into Root, and a self-signed certificate in My whose root is in the registry is in Root too.
    fn registry_roots(&self, server: &Server, recipe: &mut ServerRecipe) {
        for entry in server.my.items() {
            let Some(own) = self.certificate(&entry.thumbprint) else {
                continue;
            };
            let registry = entry.root_ca_type.value().is_some_and(|kind| kind == "Registry");
            if registry && own.is_self_signed() {
                recipe.placed.push(PlacedCertificate {
                    store: StoreName::Root,
                    key: false,
                    ..PlacedCertificate::in_my(&own.thumbprint().to_string())
                });
            }
        }
    }

    pub(super) fn certificate(&self, text: &str) -> Option<&Certificate> {
        self.certificates
            .get(&crate::certificate::Thumbprint::parse(text)?)
    }

    /// The certificate that setup made for a server, in its My: what everything is bound to that nobody changed.
    pub(super) fn setup_certificate(&self, server: &Server, name: &str) -> Option<String> {
        let mut found: Vec<&Certificate> = server
            .my
            .items()
            .iter()
            .filter(|entry| !entry.has_private_key.is(false))
            .filter_map(|entry| {
                let own = self.certificate(&entry.thumbprint)?;
                let named = own
                    .subject()
                    .common_name()
                    .is_some_and(|own| super::first_label(&own).eq_ignore_ascii_case(name));
                let by_setup = entry
                    .friendly_name
                    .value()
                    .is_some_and(|own| own == "Microsoft Exchange");
                (own.is_self_signed() && (named || by_setup)).then_some(own)
            })
            .collect();
        found.sort_by_key(|own| own.not_before());
        found.last().map(|own| own.thumbprint().to_string())
    }

    /// The youngest Auth certificate that any server holds.
    pub(super) fn auth_certificate(&self) -> Option<String> {
        let mut found: Vec<&Certificate> = self
            .read
            .servers
            .iter()
            .flat_map(|server| server.my.items())
            .filter_map(|entry| self.certificate(&entry.thumbprint))
            .filter(|own| own.subject().common_name().is_some_and(|name| name == AUTH))
            .collect();
        found.sort_by_key(|own| own.not_before());
        found.last().map(|own| own.thumbprint().to_string())
    }
}

/// Where a key is kept, as far as anybody saw; Windows' provider type of a KSP is 0.
fn provider(entry: &StoreEntry) -> Option<Provider> {
    match (&entry.key_provider_type, entry.key_provider.value()) {
        (Seen::Value(0), _) => Some(Provider::Ksp),
        (Seen::Value(_), _) => Some(Provider::Capi),
        (_, Some(name)) if name.contains("Key Storage Provider") => Some(Provider::Ksp),
        (_, Some(_)) => Some(Provider::Capi),
        _ => None,
    }
}
