//! What Get-ExchangeCertificate computes at query time: services, status, kind of root (facts/exchange.md 1.3, 1.4).

use crate::certificate::Certificate;
use crate::organisation::{RootKind, StoreName, UntrustedStatus};

use super::directory::ClientProtocol;
use super::selection::smtp_enabled;
use super::{Server, Stored, World};

/// AllowedServices, as flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowedServices(pub(crate) i32);

impl AllowedServices {
    pub(crate) const IMAP: i32 = 1;
    pub(crate) const POP: i32 = 2;
    pub(crate) const UM: i32 = 4;
    pub(crate) const IIS: i32 = 8;
    pub(crate) const SMTP: i32 = 16;
    pub(crate) const FEDERATION: i32 = 32;
    pub(crate) const UM_CALL_ROUTER: i32 = 64;

    const NAMES: [(i32, &'static str, char); 7] = [
        (Self::IMAP, "IMAP", 'I'),
        (Self::POP, "POP", 'P'),
        (Self::UM, "UM", 'U'),
        (Self::IIS, "IIS", 'W'),
        (Self::SMTP, "SMTP", 'S'),
        (Self::FEDERATION, "Federation", 'F'),
        (Self::UM_CALL_ROUTER, "UMCallRouter", 'C'),
    ];

    pub(crate) fn has(self, flag: i32) -> bool {
        self.0 & flag != 0
    }

    /// `IIS, SMTP`; `None` for nothing.
    pub(crate) fn text(self) -> String {
        let names: Vec<&str> = Self::NAMES
            .iter()
            .filter(|(flag, ..)| self.has(*flag))
            .map(|(_, name, _)| *name)
            .collect();
        if names.is_empty() {
            "None".to_owned()
        } else {
            names.join(", ")
        }
    }

    /// `IP.WS..`.
    pub(crate) fn letters(self) -> String {
        Self::NAMES
            .iter()
            .map(|(flag, _, letter)| if self.has(*flag) { *letter } else { '.' })
            .collect()
    }

    /// Reads `IIS, SMTP`; the first unknown word is the error.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut flags = 0;
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if word.eq_ignore_ascii_case("None") {
                continue;
            }
            flags |= Self::NAMES
                .iter()
                .find(|(_, name, _)| name.eq_ignore_ascii_case(word))
                .map(|(flag, ..)| *flag)
                .ok_or_else(|| word.to_owned())?;
        }
        Ok(Self(flags))
    }
}

/// What is computed of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) services: AllowedServices,
    /// Name of the status.
    pub(crate) status: &'static str,
    /// Its number.
    pub(crate) status_number: i32,
    /// Name of RootCAType.
    pub(crate) root: &'static str,
    /// Its number.
    pub(crate) root_number: i32,
    pub(crate) self_signed: bool,
    /// Ids of the sites whose bindings use it.
    pub(crate) iis_sites: Vec<i32>,
}

/// The documented order of the names of Status; only Valid = 1 is known.
const STATUS: [(&str, i32); 8] = [
    ("Unknown", 0),
    ("Valid", 1),
    ("Revoked", 2),
    ("DateInvalid", 3),
    ("Untrusted", 4),
    ("Invalid", 5),
    ("RevocationCheckFailure", 6),
    ("PendingRequest", 7),
];

impl World {
    pub(crate) fn judge(&self, server: &Server, stored: &Stored) -> Judged {
        let certificate = &stored.certificate;
        let iis_sites = self.iis_sites(server, certificate);
        let pending = stored.request.is_some();
        let services = if pending {
            AllowedServices(0)
        } else {
            self.services_of(server, stored, !iis_sites.is_empty())
        };
        let (status, root) = if pending {
            ("PendingRequest", "Unknown")
        } else {
            self.status_of(server, certificate)
        };
        let number = |names: &[(&'static str, i32)], name: &str| {
            names
                .iter()
                .find(|(own, _)| *own == name)
                .map_or(0, |(_, number)| *number)
        };
        Judged {
            services,
            status,
            status_number: number(&STATUS, status),
            root,
            root_number: number(
                &[
                    ("None", 0),
                    ("ThirdParty", 1),
                    ("Enterprise", 2),
                    ("Registry", 3),
                    ("GroupPolicy", 4),
                    ("Unknown", 5),
                ],
                root,
            ),
            self_signed: !pending && certificate.is_self_signed(),
            iis_sites,
        }
    }

    /// The sites that have an http.sys entry with the certificate: an entry belongs to the site whose binding has its
    /// endpoint.
    fn iis_sites(&self, server: &Server, certificate: &Certificate) -> Vec<i32> {
        let thumbprint = certificate.thumbprint();
        let mut found = Vec::new();
        for site in &server.web_sites {
            let bound = site
                .bindings
                .iter()
                .filter_map(super::Binding::endpoint)
                .any(|endpoint| {
                    server
                        .http_sys
                        .get(&endpoint)
                        .is_some_and(|entry| entry.hash == Some(thumbprint))
                });
            if bound {
                found.push(site.id);
            }
        }
        found
    }

    fn services_of(&self, server: &Server, stored: &Stored, iis: bool) -> AllowedServices {
        let mut flags = 0;
        if iis {
            flags |= AllowedServices::IIS;
        }
        if smtp_enabled(stored, self.assumptions.smtp_flag) {
            flags |= AllowedServices::SMTP;
        }
        for (protocol, flag, by_hand) in [
            (ClientProtocol::Imap, AllowedServices::IMAP, stored.imap),
            (ClientProtocol::Pop, AllowedServices::POP, stored.pop),
        ] {
            let named = self
                .directory
                .protocol(server.site, &server.name, protocol)
                .is_some_and(|settings| {
                    stored
                        .certificate
                        .domains()
                        .iter()
                        .any(|name| name.eq_ignore_ascii_case(&settings.x509_certificate_name))
                });
            if named || by_hand {
                flags |= flag;
            }
        }
        let thumbprint = Some(stored.certificate.thumbprint());
        if let Some(federation) = self.directory.federation(server.site)
            && [federation.current, federation.next, federation.previous].contains(&thumbprint)
        {
            flags |= AllowedServices::FEDERATION;
        }
        AllowedServices(flags)
    }

    /// Status and RootCAType.
    pub(crate) fn status_of(
        &self,
        server: &Server,
        certificate: &Certificate,
    ) -> (&'static str, &'static str) {
        let roots = server.store(StoreName::Root);
        let in_root = |wanted: &Certificate| {
            roots
                .iter()
                .any(|root| root.certificate.thumbprint() == wanted.thumbprint())
        };
        let mut chain = vec![certificate.clone()];
        while let Some(last) = chain.last()
            && !last.is_self_signed()
            && chain.len() < 8
        {
            let issuer = [StoreName::Ca, StoreName::Root, StoreName::My]
                .into_iter()
                .flat_map(|store| server.store(store))
                .map(|stored| &stored.certificate)
                .find(|issuer| issuer.subject() == last.issuer() && issuer.is_ca());
            let Some(issuer) = issuer else { break };
            chain.push(issuer.clone());
        }
        let now = self.clock_of(&server.name);
        let dated = chain
            .iter()
            .all(|part| part.not_before() <= now && now <= part.not_after());
        let root = chain.last().filter(|last| last.is_self_signed() && in_root(last));
        let kind = match root {
            None if certificate.is_self_signed() => "None",
            None => "Unknown",
            Some(root) => match self.authorities.roots.get(&root.thumbprint()) {
                Some(RootKind::ThirdParty) => "ThirdParty",
                Some(RootKind::Enterprise) => "Enterprise",
                Some(RootKind::GroupPolicy) => "GroupPolicy",
                Some(RootKind::Registry) | None => "Registry",
            },
        };
        let revocation = server.registry.contains_key("lab:RevocationUnreachable");
        let revoked = server
            .registry
            .get("lab:Revoked")
            .is_some_and(|list| list.contains(&certificate.thumbprint().to_string()));
        let status = if !dated {
            "DateInvalid"
        } else if revoked {
            "Revoked"
        } else if root.is_none() && !certificate.is_self_signed() {
            match self.assumptions.untrusted_status {
                UntrustedStatus::Invalid => "Invalid",
                UntrustedStatus::Untrusted => "Untrusted",
            }
        } else if revocation && chain.len() > 1 {
            "RevocationCheckFailure"
        } else {
            "Valid"
        };
        (status, kind)
    }
}
