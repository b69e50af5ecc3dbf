//! Organisations of every size and shape, and what may be done to them.

use exseal_engine::Policy;
use exseal_model::inventory::Role;
use exseal_model::{Build, Listing, Observed};
use proptest::prelude::*;

use super::{Organisation, Recipe, healthy};

/// The shape of an organisation.
#[derive(Clone, Debug)]
pub struct Shape {
    pub servers: usize,
    /// Build of each server, by its number.
    pub builds: Vec<usize>,
    /// Every so manieth server is an Edge server; 0: none.
    pub edge: usize,
    pub sites: usize,
    /// A one-server shop that only manages: self-signed on 443.
    pub management_only: bool,
    pub hybrid: bool,
    pub baseline: bool,
}

pub const BUILDS: [Build; 7] = [
    Build(15, 1, 2507, 6),
    Build(15, 1, 2507, 44),
    Build(15, 2, 986, 5),
    Build(15, 2, 1544, 4),
    Build(15, 2, 1748, 10),
    Build(15, 2, 2562, 17),
    Build(15, 0, 1497, 48),
];

pub fn shapes(most: usize) -> impl Strategy<Value = Shape> {
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
    pub fn is_edge(&self, at: usize) -> bool {
        self.edge > 0 && at % self.edge == self.edge - 1 && !self.management_only
    }

    pub fn build(&self, at: usize) -> Build {
        BUILDS[self.builds[at % self.builds.len()]]
    }

    pub fn make(&self) -> (Organisation, Policy) {
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
pub type Damage = (&'static str, fn(&mut Organisation, usize));

pub const DAMAGES: [Damage; 10] = [
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
