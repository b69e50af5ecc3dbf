//! Certificates: of the file, of setup, and stand-ins.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;

use super::{Builder, Made, days_from};
use crate::certificate::{Certificate, Hash, Issuer, KeyKind, Name, PrivateKey, Recipe, serial_from};
use crate::organisation::{CertificateRecipe, IssuerRef, KeyName, RootKind, ServerRecipe, meaning};
use crate::stand_in;
use crate::world::WorldError;

impl Builder<'_> {
    /// Makes every certificate of the file; CAs of the file before what they sign.
    pub(super) fn certificates(&mut self) -> Result<(), WorldError> {
        let recipes = &self.organisation.certificates;
        let mut waiting: Vec<&CertificateRecipe> = recipes.iter().collect();
        waiting.sort_by_key(|recipe| !recipe.ca);
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            for recipe in waiting {
                match &recipe.issuer {
                    IssuerRef::Id(id) if recipe.der.is_none() && !self.made.contains_key(id) => {
                        later.push(recipe);
                    }
                    _ => self.certificate(recipe)?,
                }
            }
            if later.len() == before {
                let recipe = later.first().map_or(String::new(), |recipe| recipe.id.clone());
                return Err(meaning(
                    format!("certificate {recipe:?}, field issuer"),
                    "self, public-ca, public-ca2, internal-ca, unknown-ca, or the id of a certificate with ca = true",
                    "an id nobody described",
                )
                .into());
            }
            waiting = later;
        }
        Ok(())
    }

    fn certificate(&mut self, recipe: &CertificateRecipe) -> Result<(), WorldError> {
        let place = format!("certificate {:?}", recipe.id);
        let made = if let Some(der) = &recipe.der {
            let digits: String = der.split_ascii_whitespace().collect();
            let bytes = BASE64.decode(digits).map_err(|error| {
                meaning(
                    format!("{place}, field der"),
                    "a certificate in base64",
                    error.to_string(),
                )
            })?;
            let original = Certificate::read(&bytes).map_err(|error| {
                meaning(format!("{place}, field der"), "a certificate", error.to_string())
            })?;
            self.stand_in(recipe, &original)?
        } else {
            let not_after = recipe
                .not_after
                .unwrap_or_else(|| days_from(self.now, recipe.days_left.unwrap_or(60)));
            let not_before = recipe.not_before.unwrap_or_else(|| {
                let age = recipe.age_days.unwrap_or(30);
                days_from(self.now, -age).min(days_from(not_after, -1))
            });
            let subject = match (&recipe.subject, recipe.names.first()) {
                (Some(subject), _) => Name::parse(subject)?,
                (None, Some(name)) => Name::common(name),
                (None, None) => {
                    return Err(meaning(place, "a subject or at least one of names", "neither").into());
                }
            };
            let kind = match recipe.key {
                KeyName::Rsa2048 => KeyKind::Rsa2048,
                KeyName::Rsa4096 => KeyKind::Rsa4096,
                KeyName::P256 => KeyKind::P256,
            };
            let key = self.keys.next(kind)?;
            let issued = Recipe {
                subject,
                names: recipe.names.clone(),
                not_before,
                not_after,
                serial: serial_from(&format!("{}/{}", self.seed, recipe.id)),
                is_ca: recipe.ca,
                subject_key: None,
            };
            let issuer = match &recipe.issuer {
                IssuerRef::Itself => None,
                IssuerRef::PublicCa => Some(self.authorities.public_ca.clone()),
                IssuerRef::PublicCa2 => Some(self.authorities.public_ca2.clone()),
                IssuerRef::InternalCa => Some(self.authorities.internal_ca.clone()),
                IssuerRef::UnknownCa => Some(self.authorities.unknown_ca.clone()),
                IssuerRef::Id(id) => self.made.get(id).map(|made| Issuer {
                    certificate: made.certificate.clone(),
                    key: Arc::clone(&made.key),
                }),
            };
            Made {
                certificate: issued.issue(&key, issuer.as_ref())?,
                key,
                friendly_name: recipe.friendly_name.clone().unwrap_or_default(),
            }
        };
        if made.certificate.is_ca() || recipe.ca {
            self.add_authority(&made.certificate, &made.key, recipe.root, recipe.trusted);
        }
        self.made.insert(recipe.id.clone(), made);
        Ok(())
    }

    fn add_authority(
        &mut self,
        certificate: &Certificate,
        key: &Arc<PrivateKey>,
        root: RootKind,
        trusted: bool,
    ) {
        if certificate.is_self_signed() && trusted {
            self.authorities.roots.insert(certificate.thumbprint(), root);
        }
        self.authorities.others.insert(
            certificate.subject().clone(),
            (
                Issuer {
                    certificate: certificate.clone(),
                    key: Arc::clone(key),
                },
                trusted,
            ),
        );
    }

    /// Makes the stand-in of a certificate, and a CA for an issuer nobody described.
    fn stand_in(&mut self, recipe: &CertificateRecipe, original: &Certificate) -> Result<Made, WorldError> {
        let key = self.keys.next(stand_in::kind_of(original))?;
        let issuer = if original.is_self_signed() {
            None
        } else {
            if self.authorities.by_subject(original.issuer()).is_none() {
                let authority = self.keys.next(KeyKind::Rsa2048)?;
                let root = Recipe {
                    subject: original.issuer().clone(),
                    names: Vec::new(),
                    not_before: days_from(original.not_before().min(self.now), -3650),
                    not_after: days_from(original.not_after().max(self.now), 3650),
                    serial: serial_from(&format!("{}/issuer/{}", self.seed, original.issuer())),
                    is_ca: true,
                    subject_key: None,
                };
                let certificate = root.issue(&authority, None)?;
                self.authorities.invented.insert(certificate.thumbprint());
                self.add_authority(&certificate, &authority, recipe.root, recipe.trusted);
            }
            self.authorities.by_subject(original.issuer()).cloned()
        };
        let (mut certificate, mut pair) = stand_in::stand_in(original, &key, issuer.as_ref())?;
        let mut key = key;
        // Two originals that differ by their keys alone need two keys here as well: the pool hands keys out again.
        while self.stand_ins.iter().any(|other| other.stand_in == pair.stand_in) {
            key = Arc::new(PrivateKey::generate(key.kind())?);
            (certificate, pair) = stand_in::stand_in(original, &key, issuer.as_ref())?;
        }
        self.stand_ins.push(pair);
        Ok(Made {
            certificate,
            key,
            friendly_name: recipe.friendly_name.clone().unwrap_or_default(),
        })
    }

    pub(super) fn setup_certificate(
        &self,
        server: &ServerRecipe,
        subject: &str,
        names: Vec<String>,
        (not_before, not_after): (Timestamp, Timestamp),
        friendly_name: &str,
        hash: Hash,
    ) -> Result<Made, WorldError> {
        let key = self.keys.next(KeyKind::Rsa2048)?;
        let recipe = Recipe {
            subject: Name::common(subject),
            names,
            not_before,
            not_after,
            serial: serial_from(&format!("{}/{}/{subject}", self.seed, server.name)),
            is_ca: false,
            subject_key: None,
        };
        Ok(Made {
            certificate: recipe.issue_over(&key, hash)?,
            key,
            friendly_name: friendly_name.to_owned(),
        })
    }
}
