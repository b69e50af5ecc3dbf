//! Which certificate a service presents (facts/exchange.md 2.7 and 6).

use jiff::Timestamp;

use crate::certificate::Thumbprint;

use super::directory::ReceiveConnector;
use super::{Server, Stored};
use crate::organisation::{SmtpFlag, StoreName};

/// What the rule picked for STARTTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The certificate.
    pub thumbprint: Thumbprint,
    /// Whether transport can use its key; a certificate may be picked and then fail.
    pub usable: bool,
    /// Whether it has ended: still advertised, 12016.
    pub expired: bool,
}

/// Issuer and subject of a `<I>…<S>…`; `None`: malformed.
pub(crate) fn name_pair(text: &str) -> Option<(String, String)> {
    let rest = text.strip_prefix("<I>").or_else(|| text.strip_prefix("<i>"))?;
    let at = rest.find("<S>").or_else(|| rest.find("<s>"))?;
    let (issuer, subject) = rest.split_at_checked(at)?;
    Some((issuer.to_owned(), subject.get(3..)?.to_owned()))
}

/// Whether a certificate has the issuer and subject of a name pair, without regard to case.
pub(crate) fn matches_pair(stored: &Stored, pair: &(String, String)) -> bool {
    stored
        .certificate
        .issuer()
        .to_string()
        .eq_ignore_ascii_case(&pair.0)
        && stored
            .certificate
            .subject()
            .to_string()
            .eq_ignore_ascii_case(&pair.1)
}

/// Whether a certificate counts as enabled for SMTP.
pub(crate) fn smtp_enabled(stored: &Stored, flag: SmtpFlag) -> bool {
    match flag {
        SmtpFlag::Mark => stored.smtp,
        SmtpFlag::ReadableKey => stored.key_for_transport().is_some(),
    }
}

/// The certificate for a connector's STARTTLS: newest NotBefore first, the first valid one of a CA, else the first
/// self-signed one; a match that is not enabled for SMTP or whose key transport cannot read may be picked and then
/// fails.
pub(crate) fn for_connector(
    server: &Server,
    connector: &ReceiveConnector,
    flag: SmtpFlag,
    now: Timestamp,
) -> Option<Selected> {
    let fqdn = connector.fqdn.as_deref().unwrap_or(&server.fqdn);
    choose(server, connector.tls_certificate_name.as_deref(), fqdn, flag, now)
}

/// As [`for_connector`], for any name pair and FQDN: send connectors follow the same rule.
pub(crate) fn choose(
    server: &Server,
    pair: Option<&str>,
    fqdn: &str,
    flag: SmtpFlag,
    now: Timestamp,
) -> Option<Selected> {
    let mut candidates: Vec<&Stored> = match pair {
        Some(text) => {
            let pair = name_pair(text)?;
            server
                .store(StoreName::My)
                .iter()
                .filter(|stored| matches_pair(stored, &pair))
                .collect()
        }
        None => server
            .store(StoreName::My)
            .iter()
            .filter(|stored| stored.certificate.covers(fqdn))
            .collect(),
    };
    candidates.retain(|stored| stored.key.is_some() && stored.request.is_none());
    candidates.sort_by_key(|stored| std::cmp::Reverse(stored.certificate.not_before()));
    let enabled: Vec<&&Stored> = candidates
        .iter()
        .filter(|stored| smtp_enabled(stored, flag))
        .collect();
    let pool: Vec<&Stored> = if enabled.is_empty() {
        candidates.clone()
    } else {
        enabled.into_iter().copied().collect()
    };
    let ended = |stored: &Stored| stored.certificate.not_after() < now;
    let chosen = pool
        .iter()
        .find(|stored| !stored.certificate.is_self_signed() && !ended(stored))
        .or_else(|| {
            pool.iter()
                .find(|stored| stored.certificate.is_self_signed() && !ended(stored))
        })
        .or_else(|| pool.first())?;
    Some(Selected {
        thumbprint: chosen.certificate.thumbprint(),
        usable: smtp_enabled(chosen, flag) && chosen.key_for_transport().is_some(),
        expired: ended(chosen),
    })
}

/// The certificate POP and IMAP use for a host name: a name match with a key, the newest, one of a CA before a
/// self-signed one.
pub(crate) fn for_host<'s>(server: &'s Server, host: &str) -> Option<&'s Stored> {
    let mut found: Vec<&Stored> = server
        .store(StoreName::My)
        .iter()
        .filter(|stored| {
            stored.certificate.covers(host) && stored.usable_key().is_some() && stored.request.is_none()
        })
        .collect();
    found.sort_by_key(|stored| {
        (
            stored.certificate.is_self_signed(),
            std::cmp::Reverse(stored.certificate.not_before()),
        )
    });
    found.first().copied()
}
