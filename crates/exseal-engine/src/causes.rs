//! Which finding comes of which: one cause is shown as one, with what follows from it.

use std::collections::BTreeSet;

use exseal_model::{Finding, Follows, Thumbprint};

/// Cause and effect by name, causes of causes first. An effect on a server follows a cause on the same server or in the
/// organisation; where both name certificates, they have to share one.
const FOLLOWS: &[(&str, &str)] = &[
    ("services-disabled-by-setup", "exchange-service-down"),
    ("services-disabled-by-setup", "component-inactive"),
    ("bound-certificate-not-in-store", "bound-certificate-not-in-store"),
    ("bound-certificate-not-in-store", "internal-transport-missing"),
    (
        "bound-certificate-not-in-store",
        "transport-reports-certificate-fault",
    ),
    ("back-end-unbound", "transport-reports-certificate-fault"),
    ("auth-current-expired", "payload-signing-broken"),
    ("auth-current-missing", "payload-signing-broken"),
    ("auth-current-expired", "next-update-would-fail"),
    ("certificate-expired", "connector-certificate-expired"),
    ("certificate-expired", "next-update-would-fail"),
    ("front-end-self-signed", "front-end-lacks-names"),
    ("front-end-self-signed", "front-end-differs-between-servers"),
    (
        "internal-transport-is-auth-certificate",
        "internal-transport-lacks-fqdn",
    ),
    ("internal-transport-ca-issued", "internal-transport-lacks-fqdn"),
    ("connector-certificate-not-found", "hybrid-certificate-not-found"),
    ("connector-certificate-not-found", "queue-waits-for-tls"),
    ("connector-certificate-expired", "queue-waits-for-tls"),
    ("starttls-not-offered", "queue-waits-for-tls"),
    (
        "network-service-lacks-key-access",
        "transport-reports-certificate-fault",
    ),
    ("starttls-not-offered", "transport-reports-certificate-fault"),
    ("subjects-repeat", "certificate-left-over"),
];

/// Writes into each finding which other one it comes of, if one does. Findings keep their order and their number.
pub(crate) fn link(findings: &mut [Finding]) {
    let named: Vec<BTreeSet<Thumbprint>> = findings.iter().map(thumbprints).collect();
    for effect in 0..findings.len() {
        let cause = (0..findings.len()).find(|&cause| {
            let (own, other) = (&findings[effect], &findings[cause]);
            // Of several findings of one name the first stands for the cause.
            let ordered = own.name != other.name || cause < effect;
            cause != effect
                && ordered
                && FOLLOWS.contains(&(other.name.as_str(), own.name.as_str()))
                && other
                    .follows
                    .as_ref()
                    .is_none_or(|follows| follows.name != own.name)
                && (other.server.is_none() || own.server.is_none() || other.server == own.server)
                && (named[effect].is_empty()
                    || named[cause].is_empty()
                    || !named[effect].is_disjoint(&named[cause]))
        });
        if let Some(cause) = cause {
            findings[effect].follows = Some(Follows::of(&findings[cause]));
        }
    }
}

/// The certificates a finding's sentence names.
fn thumbprints(finding: &Finding) -> BTreeSet<Thumbprint> {
    let words = finding.found.split(|c: char| !c.is_ascii_hexdigit());
    words
        .filter(|word| word.len() == 40)
        .filter_map(|word| word.parse().ok())
        .collect()
}
