//! The certificates of an inventory: which there are, who signed them, which roots are trusted.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::schema::{Inventory, Seen, StoreEntry};
use super::{InventoryError, Taking, meaning};
use crate::certificate::{Certificate, Name, Thumbprint};
use crate::organisation::{CertificateRecipe, IssuerRef, KeyName, RootKind};

/// What is known of issuers, by name.
pub(super) type Issuers = BTreeMap<Name, Judged>;

/// What stores said of a certificate's root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    kind: RootKind,
    trusted: bool,
}

/// The certificates by thumbprint, each held against its own.
pub(super) fn read(inventory: &Inventory) -> Result<BTreeMap<Thumbprint, Certificate>, InventoryError> {
    let mut found = BTreeMap::new();
    for (key, own) in &inventory.certificates {
        let at = format!("certificates.{key}");
        let wanted = thumbprint(&own.thumbprint, &format!("{at}.thumbprint"))?;
        let digits: String = own.der.split_ascii_whitespace().collect();
        let bytes = BASE64
            .decode(digits)
            .map_err(|error| meaning(format!("{at}.der"), "a certificate in base64", error.to_string()))?;
        let certificate = Certificate::read(&bytes)
            .map_err(|error| meaning(format!("{at}.der"), "a certificate in DER", error.found))?;
        if certificate.thumbprint() != wanted {
            return Err(meaning(
                format!("{at}.der"),
                format!("the certificate of thumbprint {wanted}"),
                format!("the one of {}", certificate.thumbprint()),
            ));
        }
        found.insert(wanted, certificate);
    }
    Ok(found)
}

/// A thumbprint of the file.
pub(super) fn thumbprint(text: &str, at: &str) -> Result<Thumbprint, InventoryError> {
    Thumbprint::parse(text)
        .ok_or_else(|| meaning(at, "a thumbprint of 40 hexadecimal digits", format!("{text:?}")))
}

/// What stores say of the root of a certificate.
fn judged(entry: &StoreEntry) -> Option<Judged> {
    let trusted = |kind| Some(Judged { kind, trusted: true });
    match entry.root_ca_type.value().map(String::as_str)? {
        "ThirdParty" => trusted(RootKind::ThirdParty),
        "Enterprise" => trusted(RootKind::Enterprise),
        "Registry" => trusted(RootKind::Registry),
        "GroupPolicy" => trusted(RootKind::GroupPolicy),
        "Unknown" => Some(Judged {
            kind: RootKind::default(),
            trusted: false,
        }),
        _ => None,
    }
}

/// What is known of every issuer, from what stores say of the certificates under it; a server that trusts it outweighs
/// one that does not.
pub(super) fn issuers(inventory: &Inventory, certificates: &BTreeMap<Thumbprint, Certificate>) -> Issuers {
    let mut found = Issuers::new();
    let entries = inventory.servers.iter().flat_map(|server| {
        [&server.my, &server.web_hosting]
            .into_iter()
            .flat_map(super::schema::Listing::items)
    });
    for entry in entries {
        let certificate = Thumbprint::parse(&entry.thumbprint).and_then(|own| certificates.get(&own));
        let (Some(certificate), Some(judged)) = (certificate, judged(entry)) else {
            continue;
        };
        if certificate.is_self_signed() {
            continue;
        }
        let mut issuer = certificate.issuer().clone();
        // Up the chain as far as it is known; the bound is for circles.
        for _ in 0..8 {
            let known = found.entry(issuer.clone()).or_insert(judged);
            if judged.trusted && !known.trusted {
                *known = judged;
            }
            let above = certificates
                .values()
                .find(|own| *own.subject() == issuer && own.is_ca() && !own.is_self_signed());
            let Some(above) = above else { break };
            issuer = above.issuer().clone();
        }
    }
    found
}

impl Taking<'_> {
    /// Every certificate as a recipe for its stand-in: issuers before what they signed.
    pub(super) fn recipes(&self) -> Vec<CertificateRecipe> {
        let mut done: BTreeSet<Thumbprint> = BTreeSet::new();
        let mut recipes = Vec::new();
        let mut waiting: Vec<&Certificate> = self.certificates.values().collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            let (ready, later): (Vec<_>, Vec<_>) = waiting.iter().copied().partition(|own| {
                own.is_self_signed()
                    || !waiting.iter().any(|other| {
                        other.is_ca()
                            && other.subject() == own.issuer()
                            && !done.contains(&other.thumbprint())
                    })
            });
            // Two that signed each other: one has to come first.
            let ready = if ready.is_empty() { waiting.clone() } else { ready };
            for own in ready {
                done.insert(own.thumbprint());
                recipes.push(self.recipe(own));
            }
            waiting = later;
            if waiting.len() == before {
                break;
            }
        }
        recipes
    }

    fn recipe(&self, own: &Certificate) -> CertificateRecipe {
        let judged = self
            .issuers
            .get(if own.is_ca() { own.subject() } else { own.issuer() })
            .copied();
        CertificateRecipe {
            id: own.thumbprint().to_string(),
            der: Some(BASE64.encode(own.der())),
            subject: None,
            names: Vec::new(),
            issuer: IssuerRef::Itself,
            not_before: None,
            not_after: None,
            age_days: None,
            days_left: None,
            key: KeyName::default(),
            friendly_name: None,
            ca: own.is_ca(),
            root: judged.map_or_else(RootKind::default, |judged| judged.kind),
            trusted: judged.is_none_or(|judged| judged.trusted),
        }
    }

    /// How recipes refer to a thumbprint of the file, which need not be a certificate somebody saw.
    pub(super) fn reference(&mut self, text: &str, at: &str) -> Result<String, InventoryError> {
        let wanted = thumbprint(text, at)?;
        if !self.certificates.contains_key(&wanted) {
            self.never_seen.insert(wanted);
        }
        Ok(wanted.to_string())
    }

    /// The same for a value that may be unknown, or seen to be none.
    pub(super) fn seen_reference(
        &mut self,
        seen: &Seen<String>,
        at: &str,
    ) -> Result<Option<String>, InventoryError> {
        Ok(match seen.known() {
            None => None,
            Some(None) => Some("none".to_owned()),
            Some(Some(text)) => Some(self.reference(text, at)?),
        })
    }
}
