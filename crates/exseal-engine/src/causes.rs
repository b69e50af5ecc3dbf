//! Which finding comes of which: one cause is shown as one, with what follows from it.

use std::collections::{BTreeSet, HashMap};

use exseal_model::{Finding, Follows, Thumbprint};

/// Cause and effect by name, causes of causes first. An effect on a server follows a cause on the same server or in the
/// organisation; where both name certificates, they have to share one.
const FOLLOWS: &[(&str, &str)] = &[
    ("services-disabled-by-setup", "exchange-service-down"),
    ("services-disabled-by-setup", "component-inactive"),
    ("services-disabled-by-setup", "application-pool-stopped"),
    ("renewed-certificate-not-bound", "certificate-expired"),
    ("renewed-certificate-not-bound", "certificate-expires"),
    ("bound-certificate-not-in-store", "bound-certificate-not-in-store"),
    ("bound-certificate-not-in-store", "internal-transport-missing"),
    (
        "bound-certificate-not-in-store",
        "transport-reports-certificate-fault",
    ),
    ("back-end-unbound", "transport-reports-certificate-fault"),
    ("edge-subscription-outdated", "internal-transport-missing"),
    ("edge-subscription-outdated", "certificate-expires"),
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
    let mut places: HashMap<&str, HashMap<Option<&str>, Vec<usize>>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        let by_server = places.entry(finding.name.as_str()).or_default();
        by_server.entry(finding.server.as_deref()).or_default().push(at);
    }
    let mut follows: Vec<Option<usize>> = vec![None; findings.len()];
    for (effect, own) in findings.iter().enumerate() {
        let causes = FOLLOWS
            .iter()
            .filter(|(_, name)| *name == own.name)
            .filter_map(|(cause, _)| places.get(cause));
        // On the same server, or of the organisation; an effect in the organisation may come of any server.
        let candidates = causes.flat_map(|by_server| {
            let own_server = by_server.get(&own.server.as_deref()).into_iter();
            let organisation = by_server.get(&None).filter(|_| own.server.is_some()).into_iter();
            let others = by_server.values().filter(|_| own.server.is_none());
            own_server.chain(organisation).chain(others).flatten().copied()
        });
        let shares = |cause: usize| {
            named[effect].is_empty() || named[cause].is_empty() || !named[effect].is_disjoint(&named[cause])
        };
        // Of several findings of one name the first stands for the cause.
        let ordered = |cause: usize| findings[cause].name != own.name || cause < effect;
        follows[effect] = candidates
            .filter(|&cause| cause != effect && ordered(cause) && shares(cause))
            .min();
    }
    let follows: Vec<Option<Follows>> = follows
        .into_iter()
        .map(|cause| cause.map(|cause| Follows::of(&findings[cause])))
        .collect();
    for (finding, follows) in findings.iter_mut().zip(follows) {
        finding.follows = follows;
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
