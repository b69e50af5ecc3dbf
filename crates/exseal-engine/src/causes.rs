//! Which finding comes of which: one cause is shown as one, with what follows from it.

use std::collections::{BTreeSet, HashMap};

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
///
/// Linear in the number of findings: an effect looks at the causes of its own server and of the organisation only; effects
/// of the organisation, which are few, look at the causes of every server.
pub(crate) fn link(findings: &mut [Finding]) {
    let named: Vec<BTreeSet<Thumbprint>> = findings.iter().map(thumbprints).collect();
    let mut by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
    let mut by_place: HashMap<(&'static str, Option<String>), Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        let cause = FOLLOWS.iter().find(|(cause, _)| *cause == finding.name);
        if let Some(&(cause, _)) = cause {
            by_name.entry(cause).or_default().push(at);
            let place = (cause, finding.server.clone());
            by_place.entry(place).or_default().push(at);
        }
    }
    for effect in 0..findings.len() {
        let own = &findings[effect];
        let first_of = |causes: Option<&Vec<usize>>| {
            causes.into_iter().flatten().copied().find(|&cause| {
                let other = &findings[cause];
                // Of several findings of one name the first stands for the cause.
                let ordered = own.name != other.name || cause < effect;
                cause != effect
                    && ordered
                    && other
                        .follows
                        .as_ref()
                        .is_none_or(|follows| follows.name != own.name)
                    && (named[effect].is_empty()
                        || named[cause].is_empty()
                        || !named[effect].is_disjoint(&named[cause]))
            })
        };
        let cause = FOLLOWS
            .iter()
            .filter(|(_, follows)| *follows == own.name)
            .filter_map(|&(cause, _)| match &own.server {
                None => first_of(by_name.get(cause)),
                Some(server) => {
                    let here = first_of(by_place.get(&(cause, Some(server.clone()))));
                    let anywhere = first_of(by_place.get(&(cause, None)));
                    here.into_iter().chain(anywhere).min()
                }
            })
            .min();
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
