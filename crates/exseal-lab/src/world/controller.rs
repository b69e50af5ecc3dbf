//! Domain controllers: one a site, each with its own site's view of the directory.

use std::sync::Arc;

use super::{PresentedCertificate, ServerName, World};
use crate::certificate::{
    Certificate, Issuer, KeyError, KeyKind, KeyPool, Name, PrivateKey, Recipe, serial_from,
};

/// A domain controller.
#[derive(Clone, Debug)]
pub struct Controller {
    /// NetBIOS name: `DC1`.
    pub name: ServerName,
    /// Fully qualified name.
    pub fqdn: String,
    /// Index of its site.
    pub site: usize,
    /// Whether anything answers at all.
    pub reachable: bool,
    certificate: Certificate,
    key: Arc<PrivateKey>,
}

impl Controller {
    /// The controllers of an organisation: `DC1` for the first site, and so on; names of servers are left out.
    pub(super) fn of_sites(
        sites: usize,
        domain: &str,
        taken: impl Fn(&ServerName) -> bool,
        issuer: &Issuer,
        keys: &KeyPool,
        seed: u64,
    ) -> Result<Vec<Self>, KeyError> {
        let names = (1_u32..)
            .map(|number| ServerName::new(&format!("DC{number}")))
            .filter(|name| !taken(name));
        names
            .zip(0..sites)
            .map(|(name, site)| {
                let fqdn = format!("{}.{domain}", name.as_str().to_lowercase());
                let key = keys.next(KeyKind::Rsa2048)?;
                let recipe = Recipe {
                    subject: Name::common(&fqdn),
                    names: vec![fqdn.clone(), domain.to_owned()],
                    not_before: issuer.certificate.not_before(),
                    not_after: issuer.certificate.not_after(),
                    serial: serial_from(&format!("{seed}/{fqdn}")),
                    is_ca: false,
                    subject_key: None,
                };
                Ok(Self {
                    certificate: recipe.issue(&key, Some(issuer))?,
                    name,
                    fqdn,
                    site,
                    reachable: true,
                    key,
                })
            })
            .collect()
    }

    pub(super) fn present(&self) -> PresentedCertificate {
        PresentedCertificate {
            chain: vec![self.certificate.der().to_vec()],
            thumbprint: self.certificate.thumbprint(),
            key: Arc::clone(&self.key),
        }
    }
}

impl World {
    /// The domain controllers, by site.
    #[must_use]
    pub fn controllers(&self) -> &[Controller] {
        &self.controllers
    }

    /// A domain controller by NetBIOS name.
    #[must_use]
    pub fn controller(&self, name: &ServerName) -> Option<&Controller> {
        self.controllers.iter().find(|own| own.name == *name)
    }

    /// The FQDN of the domain controller that a site asks.
    pub(crate) fn controller_of(&self, site: usize) -> String {
        self.controllers
            .iter()
            .find(|own| own.site == site)
            .map_or_else(|| format!("dc1.{}", self.domain), |own| own.fqdn.clone())
    }
}
