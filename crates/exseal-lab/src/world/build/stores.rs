//! What the stores of a server hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Builder, Made};
use crate::certificate::{Certificate, Request};
use crate::organisation::{PlacedCertificate, Provider, Role, ServerRecipe, StoreName, Version, meaning};
use crate::world::{Reader, Server, Stored, StoredKey, WorldError};

impl Builder<'_> {
    pub(super) fn fill_stores(
        &self,
        recipe: &ServerRecipe,
        local: &BTreeMap<&str, Made>,
        server: &mut Server,
    ) -> Result<(), WorldError> {
        let place = format!("server {:?}", recipe.name);
        let mut placed: Vec<PlacedCertificate> = Vec::new();
        let listed = |id: &str| {
            recipe
                .placed
                .iter()
                .any(|own| own.certificate == id && own.store == StoreName::My)
        };
        let gone = |id: &str| recipe.without.iter().any(|own| own == id);
        let whole = |store: StoreName| recipe.only_listed.contains(&store);
        let from_setup = recipe.setup_certificates && !whole(StoreName::My);
        if from_setup {
            for id in ["wmsvc", "exchange", "auth"] {
                let missing = id == "auth"
                    && self
                        .organisation
                        .auth
                        .missing_on
                        .iter()
                        .any(|name| name.eq_ignore_ascii_case(&recipe.name));
                if local.contains_key(id) && !listed(id) && !gone(id) && !missing {
                    placed.push(PlacedCertificate {
                        exportable: id != "exchange",
                        smtp: id != "wmsvc",
                        ..PlacedCertificate::in_my(id)
                    });
                }
            }
        }
        if let Some(public) = &self.organisation.public
            && recipe.role == Role::Mailbox
            && recipe.version >= Version::V2013
            && !listed(public)
            && !gone(public)
            && !whole(StoreName::My)
        {
            placed.push(PlacedCertificate {
                exportable: true,
                smtp: true,
                ..PlacedCertificate::in_my(public)
            });
        }
        placed.extend(recipe.placed.iter().cloned());
        for own in &placed {
            let made = self.made_of(local, &own.certificate).ok_or_else(|| {
                meaning(
                    format!("{place}, store"),
                    "exchange, auth, wmsvc or the id of a [[certificate]]",
                    format!("{:?}", own.certificate),
                )
            })?;
            let default = if made.certificate.is_rsa() {
                Provider::Capi
            } else {
                Provider::Ksp
            };
            let mut readers = BTreeSet::from([Reader::System, Reader::Administrators]);
            if own.network_service {
                readers.insert(Reader::NetworkService);
            }
            let request = own
                .request
                .then(|| Request::new(made.certificate.subject(), made.certificate.san(), &made.key))
                .transpose()?
                .map(|request| Arc::new(request.der));
            let stored = Stored {
                certificate: made.certificate.clone(),
                key: own.key.then(|| StoredKey {
                    key: Arc::clone(&made.key),
                    provider: own.provider.unwrap_or(default),
                    exportable: own.exportable,
                    readers,
                    container_lost: false,
                }),
                friendly_name: own
                    .friendly_name
                    .clone()
                    .unwrap_or_else(|| made.friendly_name.clone()),
                smtp: own.smtp,
                pop: own.pop,
                imap: own.imap,
                request,
            };
            server.stores.entry(own.store).or_default().push(stored);
        }
        let plain = |certificate: Certificate| Stored {
            certificate,
            key: None,
            friendly_name: String::new(),
            smtp: false,
            pop: false,
            imap: false,
            request: None,
        };
        let mut roots: Vec<Stored> = if whole(StoreName::Root) {
            self.authorities.invented().into_iter().map(plain).collect()
        } else {
            self.authorities.root_store().into_iter().map(plain).collect()
        };
        for id in ["exchange", "wmsvc"] {
            if let Some(made) = local.get(id).filter(|_| from_setup && !whole(StoreName::Root)) {
                roots.push(plain(made.certificate.clone()));
            }
        }
        let store = server.stores.entry(StoreName::Root).or_default();
        store.extend(roots);
        let mut kept = BTreeSet::new();
        store.retain(|root| kept.insert(root.certificate.thumbprint()));
        if !whole(StoreName::Ca) {
            let intermediates = self.authorities.intermediates().into_iter().map(plain);
            server
                .stores
                .entry(StoreName::Ca)
                .or_default()
                .extend(intermediates);
        }
        Ok(())
    }
}
