//! What clients were shown beside what the configuration leads to.

mod support;

use exseal_engine::Policy;
use exseal_model::inventory::Presentation;
use exseal_model::{Channel, Listing, Observed, Severity, Source, SourceId, Thumbprint};
use support::{HOST, Organisation, Recipe, gives, healthy};

const SERVER: &str = "ex1.kiefer.example";

fn wire(organisation: &mut Organisation) -> SourceId {
    organisation.inventory.add_source(Source {
        channel: Channel::Wire,
        what: "probe".to_owned(),
        file: Some(format!("{SERVER}:443")),
        at: None,
        unrecorded: false,
    })
}

fn look(host: &str, port: u16, protocol: &str, leaf: Option<Thumbprint>, source: SourceId) -> Presentation {
    let mut look = Presentation::new(
        host.to_owned(),
        port,
        protocol.to_owned(),
        host.to_owned(),
        String::new(),
    );
    let outcome = if leaf.is_some() {
        "presented"
    } else {
        "not-offered"
    };
    look.outcome = Observed::seen(outcome.to_owned(), source);
    look.leaf = Observed::looked(leaf, source);
    look
}

fn see(organisation: &mut Organisation, looks: Vec<Presentation>, source: SourceId) {
    let seen = &mut organisation.inventory.organisation.presented;
    exseal_model::Merge::merge(seen, Listing::of(looks, source, false));
}

/// The first server as a client sees it.
fn shows(organisation: &mut Organisation, looks: &[(u16, &str, Option<Thumbprint>)]) {
    let source = wire(organisation);
    let looks: Vec<Presentation> = looks
        .iter()
        .map(|(port, protocol, leaf)| look(SERVER, *port, protocol, *leaf, source))
        .collect();
    see(organisation, looks, source);
}

/// A name in front of the servers as a client sees it.
fn balancer(organisation: &mut Organisation, leaf: Thumbprint, protection: &str) {
    let source = wire(organisation);
    let looks = [look(HOST, 443, "https", Some(leaf), source)];
    see(organisation, looks.to_vec(), source);
    let cmdlet = organisation.cmdlet;
    for server in &mut organisation.inventory.servers {
        for directory in &mut server.virtual_directories.items {
            directory.extended_protection = Observed::seen(protection.to_owned(), cmdlet);
        }
    }
}

fn other(organisation: &mut Organisation) -> Thumbprint {
    let recipe = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"]).serial(77);
    organisation.inventory.keep(recipe.make())
}

/// The first server is an Edge of which the directory recorded a certificate; 50636 presents one, too.
fn edge(organisation: &mut Organisation, recorded: Thumbprint, presented: Thumbprint) {
    let directory = organisation.inventory.add_source(Source {
        channel: Channel::Directory,
        what: "servers".to_owned(),
        file: Some("ldaps://dc1".to_owned()),
        at: None,
        unrecorded: false,
    });
    let server = organisation.server(0);
    server.roles = Observed::seen(vec![exseal_model::inventory::Role::Edge], directory);
    server.internal_transport = Observed::seen(recorded, directory);
    shows(organisation, &[(50636, "tls", Some(presented))]);
}

#[test]
fn an_edge_that_presents_another_certificate_than_the_subscription_recorded_is_an_error() {
    let found = gives(&["edge-subscription-outdated"], |organisation| {
        let own = organisation.back[0];
        let new = Recipe::self_signed("EX1", &["EX1", SERVER]).serial(78);
        let new = organisation.inventory.keep(new.make());
        edge(organisation, own, new);
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Error);

    let mut organisation = healthy(2);
    let own = organisation.back[0];
    edge(&mut organisation, own, own);
    assert_eq!(organisation.diagnose().findings.len(), 0);
}

#[test]
fn what_is_presented_as_configured_is_no_finding() {
    let mut organisation = healthy(2);
    let (public, back) = (organisation.public, organisation.back[0]);
    organisation.connector(0).bindings = Observed::seen(vec!["0.0.0.0:25".to_owned()], SourceId(0));
    shows(
        &mut organisation,
        &[
            (443, "https", Some(public)),
            (444, "https", Some(back)),
            (25, "smtp", Some(back)),
            (2525, "smtp-anonymous", Some(back)),
            // Nobody configured it, so nothing predicts it.
            (3389, "tls", Some(back)),
        ],
    );
    balancer(&mut organisation, public, "Require");
    assert_eq!(organisation.diagnose().findings, []);
}

#[test]
fn another_certificate_on_the_port_is_an_error_with_both() {
    let findings = gives(&["presented-differs-from-configured"], |organisation| {
        let back = organisation.back[0];
        shows(organisation, &[(443, "https", Some(back))]);
    });
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    let organisation = healthy(2);
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(finding.slot.as_ref().unwrap().to_string(), "front-end/*:443");
    assert!(finding.found.contains(&organisation.back[0].to_string()));
    assert!(finding.wanted.contains(&organisation.public.to_string()));
}

#[test]
fn a_connector_that_presents_another_certificate_is_an_error_and_one_of_two_that_fits_is_enough() {
    let two_connectors = |organisation: &mut Organisation, shown: Thumbprint| {
        let (public, cmdlet) = (organisation.public, organisation.cmdlet);
        let _ = public;
        let mut relay = organisation.connector(0).clone();
        relay.name = "Relay".to_owned();
        relay.fqdn = Observed::seen(HOST.to_owned(), cmdlet);
        organisation.server(0).receive_connectors.items.push(relay);
        for connector in &mut organisation.server(0).receive_connectors.items {
            connector.bindings = Observed::seen(vec!["[::]:25".to_owned(), "0.0.0.0:25".to_owned()], cmdlet);
        }
        shows(organisation, &[(25, "smtp", Some(shown))]);
    };
    let mut fits = healthy(2);
    let public = fits.public;
    two_connectors(&mut fits, public);
    assert_eq!(fits.diagnose().findings, []);

    gives(&["presented-differs-from-configured"], |organisation| {
        let stranger = other(organisation);
        two_connectors(organisation, stranger);
    });
}

#[test]
fn what_servers_show_each_other_is_held_against_the_internal_transport_certificate() {
    let findings = gives(&["presented-differs-from-configured"], |organisation| {
        let public = organisation.public;
        shows(organisation, &[(2525, "smtp-anonymous", Some(public))]);
    });
    assert_eq!(
        findings[0].slot.as_ref().unwrap().to_string(),
        "internal-transport"
    );
}

#[test]
fn without_the_configuration_nothing_is_said_but_that_it_cannot_be() {
    let mut organisation = healthy(2);
    let back = organisation.back[0];
    organisation.server(0).sites = Listing::default();
    shows(&mut organisation, &[(443, "https", Some(back))]);
    let diagnosis = organisation.diagnose();
    let name = "presented-differs-from-configured";
    assert!(diagnosis.findings.iter().all(|finding| finding.name != name));
    assert!(diagnosis.unknown.iter().any(|one| one.check == name));
}

#[test]
fn a_balancer_with_a_certificate_of_its_own_is_refused_by_extended_protection() {
    for protection in ["Require", "Allow"] {
        let findings = gives(&["balancer-differs-from-servers"], |organisation| {
            let own = other(organisation);
            balancer(organisation, own, protection);
        });
        assert_eq!(findings[0].severity, Severity::Error, "{protection}");
        assert_eq!(
            findings[0].slot.as_ref().unwrap().to_string(),
            format!("balancer/{HOST}")
        );
    }
}

#[test]
fn without_extended_protection_it_is_for_information() {
    let findings = gives(&["balancer-differs-from-servers"], |organisation| {
        let own = other(organisation);
        balancer(organisation, own, "None");
    });
    assert_eq!(findings[0].severity, Severity::Info);
}

#[test]
fn where_extended_protection_was_not_seen_nothing_is_judged() {
    let mut organisation = healthy(2);
    let own = other(&mut organisation);
    let source = wire(&mut organisation);
    let looks = [look(HOST, 443, "https", Some(own), source)];
    organisation.inventory.organisation.presented = Listing::of(looks, source, false);
    let diagnosis = organisation.diagnose_by(&Policy::default());
    assert_eq!(diagnosis.findings, []);
    assert!(diagnosis.unknown.iter().any(
        |one| one.check == "balancer-differs-from-servers" && one.because.contains("Extended Protection")
    ));
}

#[test]
fn a_balancer_whose_certificate_lacks_the_name_is_an_error_whatever_else() {
    let findings = gives(&["balancer-differs-from-servers"], |organisation| {
        let recipe = Recipe::issued("www.kiefer.example", &["www.kiefer.example"]).serial(78);
        let own = organisation.inventory.keep(recipe.make());
        balancer(organisation, own, "None");
    });
    assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
}

#[test]
fn a_port_that_offers_no_starttls_where_it_is_to_is_an_error() {
    let findings = gives(&["starttls-not-offered"], |organisation| {
        let cmdlet = organisation.cmdlet;
        let connector = organisation.connector(0);
        connector.bindings = Observed::seen(vec!["0.0.0.0:25".to_owned()], cmdlet);
        connector.auth_mechanism = Observed::seen(vec!["Tls".to_owned()], cmdlet);
        shows(organisation, &[(25, "smtp", None)]);
    });
    assert_eq!(findings[0].severity, Severity::Error);
    assert!(findings[0].found.contains("port 25"));
}

const RELAY: &str = "relay.kiefer.example";

/// A relay on two ports with a certificate of its own that ends on a day.
fn relay(organisation: &mut Organisation, end: &'static str) {
    let source = wire(organisation);
    let leaf = Recipe::issued(RELAY, &[RELAY]).serial(78).ends(end).make();
    let leaf = organisation.inventory.keep(leaf);
    let looks = [
        look(RELAY, 443, "https", Some(leaf), source),
        look(RELAY, 25, "smtp", Some(leaf), source),
    ];
    organisation.inventory.organisation.presented = Listing::of(looks, source, false);
}

#[test]
fn a_certificate_nothing_seen_leads_to_is_judged_by_its_dates_once_a_name() {
    let findings = gives(&["presented-certificate-ends"], |organisation| {
        relay(organisation, "2026-11-27T09:00:00Z");
    });
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(
        finding.slot.as_ref().unwrap().to_string(),
        format!("balancer/{RELAY}")
    );
    assert!(
        finding.found.contains("on 25, 443, seen from here"),
        "{}",
        finding.found
    );

    let findings = gives(&["presented-certificate-ends"], |organisation| {
        relay(organisation, "2026-11-20T09:00:00Z");
    });
    assert_eq!(findings[0].severity, Severity::Critical);
    assert!(
        findings[0].found.contains("ended on 2026-11-20"),
        "{}",
        findings[0].found
    );

    let mut organisation = healthy(1);
    relay(&mut organisation, "2027-11-20T09:00:00Z");
    assert_eq!(organisation.diagnose().findings, [], "its end is far");
}
