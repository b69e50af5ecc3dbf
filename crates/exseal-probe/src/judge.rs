//! What is to be said about a sighting. No IO: everything was recorded before.

use exseal_engine::Policy;
use exseal_model::{Certificate, Severity};
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;

use crate::sighting::{LookedBy, Outcome, Presented, Remark, Sighting};
use crate::{Protocol, Target};

/// Whether the leaf covers `name`, as RFC 6125 has it and browsers do it: by subjectAltName alone.
///
/// # Errors
///
/// Why it cannot be told: the certificate is one the library refuses to read, or the name is none.
pub fn covers(leaf: &[u8], name: &str) -> Result<bool, String> {
    let der = CertificateDer::from(leaf);
    let parsed = ParsedCertificate::try_from(&der).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(name.trim_end_matches('.')).map_err(|error| error.to_string())?;
    Ok(verify_server_name(&parsed, &name).is_ok())
}

/// Whether a client with `roots` would trust the chain as sent, at `now`.
///
/// # Errors
///
/// Why not, in the library's words: an unknown issuer, a date, a purpose.
pub fn trusted(chain: &[Vec<u8>], roots: &RootCertStore, now: Timestamp) -> Result<(), String> {
    let Some((leaf, rest)) = chain.split_first() else {
        return Err("no certificate was sent".to_owned());
    };
    let der = CertificateDer::from(leaf.as_slice());
    let parsed = ParsedCertificate::try_from(&der).map_err(words)?;
    let intermediates: Vec<CertificateDer<'_>> = rest
        .iter()
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let verified =
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, &intermediates, at, algorithms.all);
    match verified {
        Ok(()) => Ok(()),
        Err(error) => match Certificate::from_der(leaf) {
            Ok(own) if own.self_signed && !is_root(&der, roots) => {
                Err("it is self-signed and not among the roots".to_owned())
            }
            // What stands among the roots itself is trusted, as Windows and browsers have it.
            Ok(own) if own.self_signed && own.not_before <= now && now <= own.not_after => Ok(()),
            _ => Err(words(error)),
        },
    }
}

/// Whether a certificate is itself one of the roots, by name and key.
fn is_root(der: &CertificateDer<'_>, roots: &RootCertStore) -> bool {
    let mut alone = RootCertStore::empty();
    if alone.add(der.clone().into_owned()).is_err() {
        return false;
    }
    alone.roots.iter().any(|own| {
        roots.roots.iter().any(|root| {
            root.subject == own.subject && root.subject_public_key_info == own.subject_public_key_info
        })
    })
}

fn words(error: rustls::Error) -> String {
    use rustls::CertificateError as E;
    match error {
        rustls::Error::InvalidCertificate(E::UnknownIssuer) => {
            "no chain from it leads to a trusted root with what the server sent".to_owned()
        }
        rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
            "a certificate of the chain has ended".to_owned()
        }
        rustls::Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
            "a certificate of the chain is not valid yet".to_owned()
        }
        rustls::Error::InvalidCertificate(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// Whether clients, rather than Exchange's own servers, speak to it: there a certificate has to be trusted and to cover the name.
#[must_use]
pub const fn is_for_clients(target: &Target) -> bool {
    !matches!(
        (target.port, target.protocol),
        (444 | 475 | 717 | 1993 | 1995 | 2525 | 50636, _) | (_, Protocol::SmtpAnonymous)
    )
}

/// Whether setup leaves the service stopped, or it answers Exchange servers only, so that silence is no fault.
const fn may_be_silent(target: &Target) -> bool {
    matches!(
        target.port,
        110 | 143 | 475 | 993 | 995 | 1993 | 1995 | 5061 | 5062
    )
}

/// Says what is to be said, worst first; the order of equals is fixed. An end that comes near is judged by `policy`.
#[must_use]
pub fn remarks(sighting: &Sighting, policy: &Policy) -> Vec<Remark> {
    let mut said = Vec::new();
    let mut say = |severity, name: &str, text: String| {
        said.push(Remark {
            severity,
            name: name.to_owned(),
            text,
        });
    };
    match &sighting.outcome {
        Outcome::Presented => {}
        Outcome::NotOffered { command } if sighting.target.protocol == Protocol::SmtpAnonymous => say(
            Severity::Notice,
            "anonymous-tls-not-offered",
            format!(
                "{command} is not offered to us; Exchange offers it to Exchange servers where no proxy changes the session"
            ),
        ),
        Outcome::NotOffered { command } => say(
            Severity::Error,
            "starttls-not-offered",
            format!(
                "{command} is not offered: no certificate fits the connector or its key cannot be opened (event 12014), or TLS is switched off there"
            ),
        ),
        Outcome::Closed | Outcome::TimedOut { .. } | Outcome::HungUp { .. }
            if may_be_silent(&sighting.target) =>
        {
            say(
                Severity::Info,
                "no-answer",
                format!(
                    "{}; the service is stopped where nobody started it, or it answers Exchange servers only",
                    sighting.outcome
                ),
            );
        }
        other => say(Severity::Error, "no-answer", other.to_string()),
    }
    // A firewall that inspects mail overwrites what it does not want to be used.
    if sighting
        .offered
        .iter()
        .any(|offer| offer.len() >= 8 && offer.bytes().all(|byte| matches!(byte, b'X' | b'A')))
    {
        say(
            Severity::Warning,
            "offers-overwritten",
            "something between here and the server overwrites what it offers (XXXX…): a firewall that inspects mail".to_owned(),
        );
    }
    if let Some(presented) = &sighting.presented {
        of_presented(sighting, presented, policy, &mut say);
    }
    for page in &sighting.health {
        if page.status != Some(200) {
            let status = page
                .status
                .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            say(
                Severity::Warning,
                "healthcheck",
                format!("{} answers {status}: {}", page.path, page.says),
            );
        }
    }
    for seen in &sighting.versions {
        let old = matches!(seen.version.as_str(), "TLS 1.0" | "TLS 1.1");
        if old && seen.spoken == Some(true) {
            say(
                Severity::Notice,
                "old-version",
                format!("{} is still spoken", seen.version),
            );
        }
    }
    said.sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    said
}

/// Adds to the looks at several addresses of one name what differs between them: clients get the one or the other.
pub fn compare(sightings: &mut [Sighting]) {
    use std::collections::{BTreeMap, BTreeSet};

    type Place = (String, u16, Protocol, Option<String>);
    let place = |sighting: &Sighting| -> Place {
        let target = &sighting.target;
        (
            target.host.clone(),
            target.port,
            target.protocol,
            sighting.asked.clone(),
        )
    };
    let mut leaves: BTreeMap<Place, BTreeSet<(String, String)>> = BTreeMap::new();
    for sighting in sightings.iter().filter(|sighting| sighting.target.at.is_some()) {
        let shows = match sighting
            .presented
            .as_ref()
            .and_then(|presented| presented.chain.first())
        {
            Some(leaf) => leaf.thumbprint.to_string(),
            None => sighting.outcome.to_string(),
        };
        let address = sighting
            .target
            .at
            .map(|address| address.to_string())
            .unwrap_or_default();
        leaves
            .entry(place(sighting))
            .or_default()
            .insert((shows, address));
    }
    for sighting in sightings {
        let Some(all) = leaves
            .get(&place(sighting))
            .filter(|_| sighting.target.at.is_some())
        else {
            continue;
        };
        let different: BTreeSet<&str> = all.iter().map(|(shows, _)| shows.as_str()).collect();
        if different.len() < 2 {
            continue;
        }
        let told: Vec<String> = all
            .iter()
            .map(|(shows, address)| format!("{address}: {shows}"))
            .collect();
        sighting.remarks.push(Remark {
            severity: Severity::Warning,
            name: "addresses-differ".to_owned(),
            text: format!(
                "the addresses of {} differ: {}",
                sighting.target.host,
                told.join("; ")
            ),
        });
        sighting
            .remarks
            .sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    }
}

fn of_presented(
    sighting: &Sighting,
    presented: &Presented,
    policy: &Policy,
    say: &mut impl FnMut(Severity, &str, String),
) {
    let clients = is_for_clients(&sighting.target);
    let serious = if clients {
        Severity::Error
    } else {
        Severity::Notice
    };
    let Some(leaf) = presented.chain.first() else {
        say(
            Severity::Error,
            "no-certificate",
            "the server sent no certificate".to_owned(),
        );
        return;
    };
    let Some(certificate) = &leaf.certificate else {
        say(
            Severity::Error,
            "unreadable-certificate",
            format!(
                "what was presented ({}) is no certificate we can read",
                leaf.thumbprint
            ),
        );
        return;
    };
    of_dates(certificate, sighting.at, policy, say);
    if presented.covers == Some(false) {
        let wanted = sighting.target.wanted_name().unwrap_or_default();
        let names = certificate.names().join(", ");
        let why = if certificate.dns_names.is_empty() {
            format!("it has no subjectAltName, and clients do not look at the common name ({names})")
        } else {
            format!("it covers {names}")
        };
        say(
            serious,
            "name-not-covered",
            format!("{wanted} is not covered: {why}"),
        );
    }
    if presented.trusted == Some(false) && clients {
        let why = presented.distrust.as_deref().unwrap_or_default();
        // Mail between organisations is encrypted with whatever certificate there is.
        let severity = if sighting.target.port == 25 {
            Severity::Notice
        } else {
            serious
        };
        say(severity, "not-trusted", format!("not trusted: {why}"));
    }
    if presented.key_proven == Some(false) {
        let why = presented.unproven.as_deref().unwrap_or_default();
        say(Severity::Error, "key-not-proven", why.to_owned());
    }
    if presented.by == LookedBy::Hello {
        let why = presented.unproven.as_deref().unwrap_or_default();
        say(
            Severity::Notice,
            "not-verified",
            format!("seen in the server's first answer only, nothing is verified: {why}"),
        );
    }
    if certificate.key_algorithm == "RSA" && certificate.key_bits.is_some_and(|bits| bits < 2048) {
        let bits = certificate.key_bits.unwrap_or_default();
        say(
            Severity::Warning,
            "key-too-short",
            format!("an RSA key of {bits} bits"),
        );
    }
    let weak = matches!(
        certificate.signature_hash.as_deref(),
        Some("md2" | "md5" | "sha1")
    );
    if weak && !certificate.self_signed {
        say(
            Severity::Warning,
            "signature-weak",
            format!("signed with {}", certificate.signature_algorithm),
        );
    }
    if matches!(presented.version.as_str(), "SSL 3.0" | "TLS 1.0" | "TLS 1.1") {
        say(
            Severity::Warning,
            "old-version",
            format!("nothing newer than {} is spoken", presented.version),
        );
    }
}

fn of_dates(
    certificate: &Certificate,
    now: Timestamp,
    policy: &Policy,
    say: &mut impl FnMut(Severity, &str, String),
) {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let days = certificate.not_after.duration_since(now).as_hours() / 24;
    if certificate.not_after < now {
        say(
            Severity::Critical,
            "expired",
            format!("ended on {}, {} days ago", day(certificate.not_after), -days),
        );
    } else if now < certificate.not_before {
        say(
            Severity::Critical,
            "not-yet-valid",
            format!("begins on {}", day(certificate.not_before)),
        );
    } else {
        let severity = if policy.expiry.error.reached(certificate, now) {
            Severity::Error
        } else if policy.expiry.warning.reached(certificate, now) {
            Severity::Warning
        } else {
            return;
        };
        say(
            severity,
            "expires",
            format!("ends on {}, in {days} days", day(certificate.not_after)),
        );
    }
}
