//! Slots of an inventory, with the certificate each is expected to present and why.

use exseal_model::inventory::{Server, StoreEntry};
use exseal_model::{Certificate, Endpoint, Inventory, Listing, Slot, SourceId, Thumbprint};

/// What a slot presents, as far as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presents {
    /// This certificate; its source shows it directly or leads to it by a rule.
    Certificate(Thumbprint, SourceId),
    /// Nothing: the place was seen and is empty.
    Nothing(SourceId),
    /// A name was given and the store, seen whole, holds no certificate for it.
    NoMatch(SourceId),
    /// Nobody saw it.
    Unknown(String),
}

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotUse {
    /// The server's place in [`Inventory::servers`]; `None`: the organisation.
    pub server: Option<usize>,
    /// Which slot.
    pub slot: Slot,
    /// What it presents.
    pub presents: Presents,
}

impl SlotUse {
    /// The certificate it presents, if known.
    #[must_use]
    pub const fn thumbprint(&self) -> Option<Thumbprint> {
        match &self.presents {
            Presents::Certificate(thumbprint, _) => Some(*thumbprint),
            Presents::Nothing(_) | Presents::NoMatch(_) | Presents::Unknown(_) => None,
        }
    }

    /// The source that shows what it presents.
    #[must_use]
    pub const fn source(&self) -> Option<SourceId> {
        match &self.presents {
            Presents::Certificate(_, source) | Presents::Nothing(source) | Presents::NoMatch(source) => {
                Some(*source)
            }
            Presents::Unknown(_) => None,
        }
    }
}

/// The name setup gives the site that clients reach.
pub(crate) const FRONT_END_SITE: &str = "Default Web Site";
/// The name setup gives the site behind it.
pub(crate) const BACK_END_SITE: &str = "Exchange Back End";

/// Every slot of an inventory: server by server in their order, those of the organisation last.
#[must_use]
pub fn slots(inventory: &Inventory) -> Vec<SlotUse> {
    let mut uses = Vec::new();
    for (at, server) in inventory.servers.iter().enumerate() {
        of_server(inventory, server, at, &mut uses);
    }
    of_organisation(inventory, &mut uses);
    uses
}

/// The slots of one server, by its place in [`Inventory::servers`]; none for a place that does not exist.
pub(crate) fn slots_of_server(inventory: &Inventory, at: usize) -> Vec<SlotUse> {
    let mut uses = Vec::new();
    if let Some(server) = inventory.servers.get(at) {
        of_server(inventory, server, at, &mut uses);
    }
    uses
}

fn of_server(inventory: &Inventory, server: &Server, at: usize, uses: &mut Vec<SlotUse>) {
    let mut push = |slot, presents| {
        uses.push(SlotUse {
            server: Some(at),
            slot,
            presents,
        });
    };
    let edge = server.is_edge().unwrap_or(false);
    if edge {
        push(
            Slot::EdgeDefault,
            observed(&server.internal_transport, "Get-TransportService was not seen"),
        );
    } else {
        for (endpoint, presents) in bound(server, FRONT_END_SITE, 443) {
            push(Slot::FrontEnd(endpoint), presents);
        }
        for (endpoint, presents) in bound(server, BACK_END_SITE, 444) {
            push(Slot::BackEnd(endpoint), presents);
        }
        push(
            Slot::InternalTransport,
            observed(
                &server.internal_transport,
                "neither the directory nor Get-TransportService was seen",
            ),
        );
    }
    for connector in &server.receive_connectors {
        let presents = match connector.tls_certificate_name.known() {
            Some(Some(name)) => by_name_pair(inventory, server, name, connector.by.first().copied()),
            Some(None) => {
                let name = connector
                    .fqdn
                    .value()
                    .map(String::as_str)
                    .or_else(|| server.full_name());
                match name {
                    Some(name) => selected_by_host(inventory, server, name, connector.by.first().copied()),
                    None => {
                        Presents::Unknown("neither the connector nor the server names an FQDN".to_owned())
                    }
                }
            }
            None => Presents::Unknown("TlsCertificateName was not seen".to_owned()),
        };
        push(Slot::ReceiveConnector(connector.name.clone()), presents);
    }
    for (slot, settings) in [(Slot::Pop, &server.pop), (Slot::Imap, &server.imap)] {
        if let Some(Some(name)) = settings.x509_certificate_name.known() {
            let source = settings.by.first().copied();
            push(slot, by_host(inventory, &server.my, name, source, |_| true));
        }
    }
}

fn of_organisation(inventory: &Inventory, uses: &mut Vec<SlotUse>) {
    let organisation = &inventory.organisation;
    let mut push = |slot, presents| {
        uses.push(SlotUse {
            server: None,
            slot,
            presents,
        });
    };
    for connector in &organisation.send_connectors {
        let source = connector.by.first().copied();
        let presents = match connector.tls_certificate_name.known() {
            Some(Some(name)) => on_servers(inventory, name, source),
            Some(None) => Presents::Nothing(source.unwrap_or(SourceId(0))),
            None => Presents::Unknown("TlsCertificateName was not seen".to_owned()),
        };
        push(Slot::SendConnector(connector.name.clone()), presents);
    }
    if let Some(Some(name)) = organisation.hybrid.tls_certificate_name.known() {
        push(
            Slot::Hybrid,
            on_servers(inventory, name, organisation.hybrid.by.first().copied()),
        );
    }
    let config = &organisation.auth_config;
    for (slot, thumbprint) in [
        (Slot::AuthCurrent, &config.current),
        (Slot::AuthNext, &config.next),
        (Slot::AuthPrevious, &config.previous),
    ] {
        push(slot, observed(thumbprint, "Get-AuthConfig was not seen"));
    }
    for trust in &organisation.federation_trusts {
        for (slot, thumbprint) in [
            (Slot::FederationCurrent, &trust.current),
            (Slot::FederationNext, &trust.next),
            (Slot::FederationPrevious, &trust.previous),
        ] {
            push(slot, observed(thumbprint, "Get-FederationTrust does not show it"));
        }
    }
}

fn observed(thumbprint: &exseal_model::Observed<Thumbprint>, unknown: &str) -> Presents {
    match thumbprint.best() {
        None => {
            let reasons = thumbprint.reasons();
            Presents::Unknown(if reasons.is_empty() {
                unknown.to_owned()
            } else {
                reasons.join("; ")
            })
        }
        Some(sighting) => match sighting.value {
            Some(thumbprint) => Presents::Certificate(thumbprint, sighting.source),
            None => Presents::Nothing(sighting.source),
        },
    }
}

/// The https bindings of a site and what each presents: http.sys where it was seen, else what IIS says.
///
/// A site that was not seen gives its usual endpoint as unknown.
pub(crate) fn bound(server: &Server, site: &str, port: u16) -> Vec<(Endpoint, Presents)> {
    let mut found: Vec<(Endpoint, Presents)> = Vec::new();
    let web_site = server
        .sites
        .iter()
        .find(|own| own.name.eq_ignore_ascii_case(site));
    for binding in web_site.into_iter().flat_map(|own| &own.bindings) {
        let Some(endpoint) = binding.endpoint().filter(|_| binding.is_https()) else {
            continue;
        };
        let presents = observed(
            &binding.thumbprint,
            "no source shows the certificate of the binding",
        );
        found.push((endpoint, presents));
    }
    for entry in &server.http_sys {
        let belongs = if web_site.is_some() {
            found.iter().any(|(endpoint, _)| *endpoint == entry.endpoint) || entry.endpoint.port == port
        } else {
            entry.endpoint.port == port
        };
        if !belongs {
            continue;
        }
        let presents = observed(&entry.thumbprint, "the http.sys entry could not be read");
        match found.iter_mut().find(|(endpoint, _)| *endpoint == entry.endpoint) {
            Some((_, own)) => *own = presents,
            None => found.push((entry.endpoint.clone(), presents)),
        }
    }
    if found.is_empty() {
        let why = if server.sites.is_unknown() && server.http_sys.is_unknown() {
            "neither IIS nor http.sys was seen"
        } else if web_site.is_some() || server.sites.is_unknown() {
            "no https binding was seen"
        } else {
            "the site was not among those seen"
        };
        found.push((Endpoint::any(port), Presents::Unknown(why.to_owned())));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// Splits `<I>issuer<S>subject`, tags without regard to case; `None` when it is none.
#[must_use]
pub fn split_name_pair(name: &str) -> Option<(&str, &str)> {
    let lower = name.to_ascii_lowercase();
    let rest = lower.strip_prefix("<i>")?;
    let at = rest.find("<s>")?;
    let issuer = name.get(3..3 + at)?;
    let subject = name.get(3 + at + 3..)?;
    (!issuer.is_empty() && !subject.is_empty()).then_some((issuer, subject))
}

/// Whether a certificate is the one a name pair means; without regard to case, as the peer compares (facts/exchange.md 2.7).
#[must_use]
pub fn is_named(certificate: &Certificate, issuer: &str, subject: &str) -> bool {
    certificate.issuer.eq_ignore_ascii_case(issuer) && certificate.subject.eq_ignore_ascii_case(subject)
}

/// The certificates of a store that a name pair means, newest first.
pub(crate) fn named<'i>(
    inventory: &'i Inventory,
    store: &'i Listing<StoreEntry>,
    issuer: &str,
    subject: &str,
) -> Vec<(&'i StoreEntry, &'i Certificate)> {
    let mut found: Vec<_> = store
        .iter()
        .filter_map(|entry| Some((entry, inventory.certificate(entry.thumbprint)?)))
        .filter(|(_, certificate)| is_named(certificate, issuer, subject))
        .collect();
    found.sort_by_key(|(_, certificate)| std::cmp::Reverse(certificate.not_before));
    found
}

fn by_name_pair(inventory: &Inventory, server: &Server, name: &str, source: Option<SourceId>) -> Presents {
    let source = source.unwrap_or(SourceId(0));
    let Some((issuer, subject)) = split_name_pair(name) else {
        return Presents::NoMatch(source);
    };
    match named(inventory, &server.my, issuer, subject).first() {
        Some((entry, _)) => Presents::Certificate(entry.thumbprint, source),
        None if server.my.is_complete() => Presents::NoMatch(source),
        None => Presents::Unknown("the server's store was not seen whole".to_owned()),
    }
}

fn on_servers(inventory: &Inventory, name: &str, source: Option<SourceId>) -> Presents {
    let source = source.unwrap_or(SourceId(0));
    let Some((issuer, subject)) = split_name_pair(name) else {
        return Presents::NoMatch(source);
    };
    let mut complete = false;
    for server in &inventory.servers {
        if let Some((entry, _)) = named(inventory, &server.my, issuer, subject).first() {
            return Presents::Certificate(entry.thumbprint, source);
        }
        complete |= server.my.is_complete();
    }
    if complete {
        Presents::NoMatch(source)
    } else {
        Presents::Unknown("no store of a server was seen whole".to_owned())
    }
}

/// Inbound STARTTLS by host name (facts/exchange.md 2.7): names that cover it, SMTP-enabled, newest first; the first valid
/// CA-issued one wins, else the first self-signed.
fn selected_by_host(
    inventory: &Inventory,
    server: &Server,
    host: &str,
    source: Option<SourceId>,
) -> Presents {
    by_host(inventory, &server.my, host, source, |entry| {
        entry.has_service("SMTP").unwrap_or(false)
    })
}

fn by_host(
    inventory: &Inventory,
    store: &Listing<StoreEntry>,
    host: &str,
    source: Option<SourceId>,
    enabled: impl Fn(&StoreEntry) -> bool,
) -> Presents {
    let source = source.unwrap_or(SourceId(0));
    let mut candidates: Vec<(&StoreEntry, &Certificate)> = store
        .iter()
        .filter_map(|entry| Some((entry, inventory.certificate(entry.thumbprint)?)))
        .filter(|(entry, certificate)| enabled(entry) && certificate.covers(host))
        .collect();
    candidates.sort_by_key(|(_, certificate)| std::cmp::Reverse(certificate.not_before));
    let chosen = candidates
        .iter()
        .find(|(_, certificate)| !certificate.self_signed)
        .or_else(|| candidates.first());
    match chosen {
        Some((entry, _)) => Presents::Certificate(entry.thumbprint, source),
        None if !store.is_complete() => Presents::Unknown("the server's store was not seen whole".to_owned()),
        None if store.iter().any(|entry| entry.services.is_unknown()) => {
            Presents::Unknown("the services of the certificates were not seen".to_owned())
        }
        None => Presents::NoMatch(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_pair_needs_both_tags_in_any_case() {
        assert_eq!(split_name_pair("<I>CN=a<S>CN=b"), Some(("CN=a", "CN=b")));
        assert_eq!(split_name_pair("<i>CN=a<s>CN=b"), Some(("CN=a", "CN=b")));
        for wrong in [
            "",
            "CN=aCN=b",
            "<I>CN=a",
            "<S>CN=b",
            "<I><S>CN=b",
            "<I>CN=a<S>",
            "<S>CN=b<I>CN=a",
        ] {
            assert_eq!(split_name_pair(wrong), None, "{wrong}");
        }
    }
}
