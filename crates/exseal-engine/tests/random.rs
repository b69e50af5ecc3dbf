//! Healthy organisations of every size and shape are silent; one damage shows, and nothing unrelated does.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

mod support;

use std::collections::BTreeSet;

use exseal_engine::{Diagnosis, Policy};
use exseal_model::inventory::Role;
use exseal_model::{Build, Finding, Listing, Observed, Severity};
use proptest::prelude::*;
use support::{Organisation, Recipe, healthy};

/// The shape of an organisation.
#[derive(Clone, Debug)]
struct Shape {
    servers: usize,
    /// Build of each server, by its number.
    builds: Vec<usize>,
    /// Every so manieth server is an Edge server; 0: none.
    edge: usize,
    sites: usize,
    /// A one-server shop that only manages: self-signed on 443.
    management_only: bool,
    hybrid: bool,
    baseline: bool,
}

const BUILDS: [Build; 7] = [
    Build(15, 1, 2507, 6),
    Build(15, 1, 2507, 44),
    Build(15, 2, 986, 5),
    Build(15, 2, 1544, 4),
    Build(15, 2, 1748, 10),
    Build(15, 2, 2562, 17),
    Build(15, 0, 1497, 48),
];

fn shapes(most: usize) -> impl Strategy<Value = Shape> {
    let builds = prop::collection::vec(0..BUILDS.len(), 1..8);
    (1..=most, builds, 0_usize..6, 1_usize..5, any::<[bool; 3]>()).prop_map(
        |(servers, builds, edge, sites, flags)| {
            let management_only = flags[0] && servers == 1;
            Shape {
                servers,
                builds,
                edge,
                sites,
                management_only,
                hybrid: flags[1],
                baseline: flags[2],
            }
        },
    )
}

impl Shape {
    fn is_edge(&self, at: usize) -> bool {
        self.edge > 0 && at % self.edge == self.edge - 1 && !self.management_only
    }

    fn build(&self, at: usize) -> Build {
        BUILDS[self.builds[at % self.builds.len()]]
    }

    fn make(&self) -> (Organisation, Policy) {
        let mut organisation = healthy(self.servers);
        let cmdlet = organisation.cmdlet;
        for at in 0..self.servers {
            organisation.server(at).build = Observed::seen(self.build(at), cmdlet);
            organisation.server(at).site = Observed::seen(format!("Site {}", at % self.sites), cmdlet);
            if self.is_edge(at) {
                let auth = organisation.auth;
                organisation.take(at, auth);
                let server = organisation.server(at);
                server.roles = Observed::seen(vec![Role::Edge], cmdlet);
                server.sites = Listing::default();
                server.virtual_directories = Listing::default();
            }
        }
        organisation.inventory.organisation.hybrid.present = Observed::seen(self.hybrid, cmdlet);
        let mut policy = Policy::built_in(if self.baseline { "baseline" } else { "default" }).unwrap();
        if self.management_only {
            let back = organisation.back[0];
            organisation.bind(0, "*:443:", Some(back));
            organisation.bind(0, "127.0.0.1:443:", Some(back));
            organisation.server(0).virtual_directories = Listing::default();
            policy.front_end.self_signed = true;
        }
        (organisation, policy)
    }
}

/// One damage: the finding it shows, and what it does to a server.
type Damage = (&'static str, fn(&mut Organisation, usize));

const DAMAGES: [Damage; 10] = [
    ("back-end-unbound", |o, at| o.bind(at, "*:444:", None)),
    ("bound-certificate-not-in-store", |o, at| {
        let full = o.inventory.servers[at].full_name().unwrap().to_owned();
        let gone = o
            .inventory
            .keep(Recipe::self_signed("Gone", &[&full]).serial(40).make());
        o.bind(at, "*:444:", Some(gone));
    }),
    ("auth-current-missing", |o, at| {
        let auth = o.auth;
        o.take(at, auth);
    }),
    ("internal-transport-missing", |o, at| {
        let cmdlet = o.cmdlet;
        o.server(at).internal_transport = Observed::absent(cmdlet);
    }),
    ("internal-transport-ca-issued", |o, at| {
        let (public, cmdlet) = (o.public, o.cmdlet);
        o.server(at).internal_transport = Observed::seen(public, cmdlet);
    }),
    ("certificate-expired", |o, at| {
        let full = o.inventory.servers[at].full_name().unwrap().to_owned();
        let ended = Recipe::self_signed("Ended", &[&full])
            .serial(41)
            .begins("2021-11-01T00:00:00Z");
        let ended = o.put(at, &ended.ends("2026-11-20T00:00:00Z"), &["IIS"]);
        o.bind(at, "*:444:", Some(ended));
    }),
    ("connector-certificate-name-malformed", |o, at| {
        let cmdlet = o.cmdlet;
        o.connector(at).tls_certificate_name = Observed::seen("CN=a CN=b".to_owned(), cmdlet);
    }),
    ("connector-certificate-not-found", |o, at| {
        let cmdlet = o.cmdlet;
        o.connector(at).tls_certificate_name = Observed::seen("<I>CN=a<S>CN=b".to_owned(), cmdlet);
    }),
    ("front-end-self-signed", |o, at| {
        let back = o.back[at];
        o.bind(at, "*:443:", Some(back));
        o.bind(at, "127.0.0.1:443:", Some(back));
    }),
    ("front-end-lacks-names", |o, at| {
        let cmdlet = o.cmdlet;
        let url = "https://elsewhere.kiefer.example/owa".to_owned();
        o.server(at).virtual_directories.items[0].external_url = Observed::seen(url, cmdlet);
    }),
];

fn alarms(diagnosis: &Diagnosis) -> Vec<&Finding> {
    diagnosis
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Notice)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_healthy_organisation_of_any_shape_gives_nothing_above_notice(shape in shapes(200)) {
        let (organisation, policy) = shape.make();
        let diagnosis = organisation.diagnose_by(&policy);
        prop_assert!(alarms(&diagnosis).is_empty(), "{:?}", alarms(&diagnosis));
    }

    #[test]
    fn one_damage_shows_and_nothing_unrelated_does(
        shape in shapes(60),
        which in 0..DAMAGES.len(),
        where_ in any::<prop::sample::Index>(),
    ) {
        let (mut organisation, policy) = shape.make();
        let (name, damage) = DAMAGES[which];
        let at = where_.index(shape.servers);
        // Exchange 2013 never alarms, an Edge server has no sites, and a management shop shows its own certificate.
        prop_assume!(shape.build(at).1 != 0 && !shape.is_edge(at) && !shape.management_only);
        damage(&mut organisation, at);
        let damaged = organisation.inventory.servers[at].shown();
        let diagnosis = organisation.diagnose_by(&policy);
        let alarms = alarms(&diagnosis);
        prop_assert!(
            alarms.iter().any(|finding| finding.name == name && finding.server.as_deref() == Some(&damaged)),
            "{} at {}: {:?}", name, damaged, alarms
        );
        // Whatever else alarms is about that server, or comes of what was done to it.
        let related: BTreeSet<&str> = [name, "front-end-differs-between-servers"].into();
        for finding in alarms {
            let own = finding.server.as_deref() == Some(&damaged);
            prop_assert!(own || related.contains(finding.name.as_str()) || finding.follows.is_some(), "{finding:?}");
            prop_assert!(
                finding.name == name || finding.follows.is_some() || related.contains(finding.name.as_str()),
                "unrelated to {name}: {finding:?}"
            );
        }
    }
}
