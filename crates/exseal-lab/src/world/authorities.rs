//! The CAs of the simulation.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::World;
use crate::certificate::{
    Asked, Certificate, Hash, Issuer, KeyError, KeyKind, KeyPool, Name, Recipe, Thumbprint, serial_from,
};
use crate::organisation::{IssuerRef, RootKind};

/// The CAs, and what kind each root is.
#[derive(Clone, Debug)]
pub(crate) struct Authorities {
    pub(crate) public_root: Issuer,
    pub(crate) public_ca: Issuer,
    pub(crate) public_ca2: Issuer,
    pub(crate) internal_ca: Issuer,
    pub(crate) unknown_ca: Issuer,
    /// CAs of the file and stand-ins of issuers, by subject.
    pub(crate) others: BTreeMap<Name, (Issuer, bool)>,
    /// Roots that were made up for issuers nobody described.
    pub(crate) invented: BTreeSet<Thumbprint>,
    /// Kind of each trusted root.
    pub(crate) roots: BTreeMap<Thumbprint, RootKind>,
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

impl Authorities {
    pub(crate) fn new(keys: &KeyPool, now: Timestamp, seed: u64) -> Result<Self, KeyError> {
        let make = |subject: &str, issuer: Option<&Issuer>| -> Result<Issuer, KeyError> {
            let key = keys.next(KeyKind::Rsa2048)?;
            let subject = Name::parse(subject).map_err(|error| KeyError(error.to_string()))?;
            let recipe = Recipe {
                serial: serial_from(&format!("{seed}/ca/{subject}")),
                subject,
                names: Vec::new(),
                not_before: now.checked_sub(days(3650)).unwrap_or(now),
                not_after: now.checked_add(days(3650)).unwrap_or(now),
                is_ca: true,
                subject_key: None,
            };
            let certificate = recipe.issue(&key, issuer)?;
            Ok(Issuer { certificate, key })
        };
        let public_root = make(
            "CN=exseal lab Simulated Public Root, O=exseal lab (simulation), C=ZZ",
            None,
        )?;
        let public_ca = make(
            "CN=exseal lab Simulated Public CA G1, O=exseal lab (simulation), C=ZZ",
            Some(&public_root),
        )?;
        let public_ca2 = make(
            "CN=exseal lab Simulated Public CA G2, O=exseal lab (simulation), C=ZZ",
            Some(&public_root),
        )?;
        let internal_ca = make(
            "CN=exseal lab Simulated Enterprise CA, O=exseal lab (simulation)",
            None,
        )?;
        let unknown_ca = make("CN=exseal lab Simulated Unknown CA", None)?;
        let roots = [
            (public_root.certificate.thumbprint(), RootKind::ThirdParty),
            (internal_ca.certificate.thumbprint(), RootKind::Enterprise),
        ]
        .into_iter()
        .collect();
        Ok(Self {
            public_root,
            public_ca,
            public_ca2,
            internal_ca,
            unknown_ca,
            others: BTreeMap::new(),
            invented: BTreeSet::new(),
            roots,
        })
    }

    pub(crate) fn trusted_roots(&self) -> Vec<Vec<u8>> {
        let mut found = vec![
            self.public_root.certificate.der().to_vec(),
            self.internal_ca.certificate.der().to_vec(),
        ];
        found.extend(
            self.others
                .values()
                .filter(|(issuer, trusted)| *trusted && issuer.certificate.is_self_signed())
                .map(|(issuer, _)| issuer.certificate.der().to_vec()),
        );
        found
    }

    /// What every server's Root store holds from the start.
    pub(crate) fn root_store(&self) -> Vec<Certificate> {
        let mut found = vec![
            self.public_root.certificate.clone(),
            self.internal_ca.certificate.clone(),
        ];
        found.extend(
            self.others
                .values()
                .filter(|(issuer, trusted)| *trusted && issuer.certificate.is_self_signed())
                .map(|(issuer, _)| issuer.certificate.clone()),
        );
        found
    }

    /// The trusted ones among the roots that were made up: they are in no list of what a store holds.
    pub(crate) fn invented(&self) -> Vec<Certificate> {
        self.others
            .values()
            .filter(|(issuer, trusted)| *trusted && self.invented.contains(&issuer.certificate.thumbprint()))
            .map(|(issuer, _)| issuer.certificate.clone())
            .collect()
    }

    /// What every server's CA store holds from the start.
    pub(crate) fn intermediates(&self) -> Vec<Certificate> {
        let mut found = vec![
            self.public_ca.certificate.clone(),
            self.public_ca2.certificate.clone(),
        ];
        found.extend(
            self.others
                .values()
                .filter(|(issuer, _)| !issuer.certificate.is_self_signed())
                .map(|(issuer, _)| issuer.certificate.clone()),
        );
        found
    }

    /// The CA of a subject.
    pub(crate) fn by_subject(&self, subject: &Name) -> Option<&Issuer> {
        [
            &self.public_root,
            &self.public_ca,
            &self.public_ca2,
            &self.internal_ca,
            &self.unknown_ca,
        ]
        .into_iter()
        .find(|issuer| issuer.certificate.subject() == subject)
        .or_else(|| self.others.get(subject).map(|(issuer, _)| issuer))
    }
}

impl World {
    /// What a CA answers to a request that `New-ExchangeCertificate -GenerateRequest` made: a certificate in DER with
    /// the request's subject, names and key, valid from now.
    ///
    /// # Errors
    ///
    /// [`RequestError`](crate::certificate::RequestError): no request, one that is not signed by its own key, or
    /// `authority` is none of the simulation's own CAs.
    pub fn answer_request(
        &mut self,
        request: &str,
        authority: &IssuerRef,
        valid_for: SignedDuration,
    ) -> Result<Vec<u8>, crate::certificate::RequestError> {
        let asked = Asked::read(request)?;
        let number = self.next_number();
        let issuer = match authority {
            IssuerRef::PublicCa => &self.authorities.public_ca,
            IssuerRef::PublicCa2 => &self.authorities.public_ca2,
            IssuerRef::InternalCa => &self.authorities.internal_ca,
            IssuerRef::UnknownCa => &self.authorities.unknown_ca,
            IssuerRef::Itself | IssuerRef::Id(_) => {
                return Err(crate::certificate::RequestError(
                    "a CA that is not the simulation's own to answer it".to_owned(),
                ));
            }
        };
        let recipe = Recipe {
            subject: asked.subject,
            names: asked.names,
            not_before: self.now,
            not_after: self.now.checked_add(valid_for).unwrap_or(self.now),
            serial: serial_from(&format!("{}/answer/{number}", self.seed)),
            is_ca: false,
            subject_key: None,
        };
        recipe
            .certify(&asked.public, (&issuer.key, Hash::Sha256), Some(issuer))
            .map(|certificate| certificate.der().to_vec())
            .map_err(|error| crate::certificate::RequestError(error.to_string()))
    }
}
