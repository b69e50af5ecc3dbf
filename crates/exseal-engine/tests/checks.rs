//! Each check: the healthy organisation silent, one damage, the exact finding, and nothing unrelated.
//!
//! The findings are kept whole in `tests/snapshots`; each was read before it was kept.

mod support;

use exseal_engine::Policy;
use exseal_engine::checks::ALL;
use exseal_model::inventory::ServerName;
use exseal_model::{Build, Listing, Observed, Severity};
use support::{HOST, Organisation, Recipe, SHA1, damage, healthy};

#[test]
fn the_healthy_organisation_has_no_findings_and_nothing_that_cannot_be_told() {
    for count in [1, 2, 5] {
        let diagnosis = healthy(count).diagnose();
        assert_eq!(diagnosis.findings, [], "{count} servers");
        let untold: Vec<_> = diagnosis.unknown.iter().map(|one| one.because.as_str()).collect();
        assert_eq!(untold, [] as [&str; 0], "{count} servers");
    }
}

damage!(
    an_ended_auth_certificate_is_critical,
    ["auth-current-expired", "next-update-would-fail"],
    |o| {
        let recipe = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[])
            .ends("2026-11-01T00:00:00Z");
        replace_auth(o, &recipe);
    }
);

damage!(
    an_auth_certificate_near_its_end_wants_a_next_one,
    ["auth-current-expires"],
    |o| {
        let recipe = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[])
            .ends("2026-12-20T00:00:00Z");
        replace_auth(o, &recipe);
    }
);

damage!(
    a_staged_next_certificate_makes_it_information,
    ["auth-current-expires"],
    |o| {
        let recipe = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[])
            .ends("2026-12-20T00:00:00Z");
        replace_auth(o, &recipe);
        let next = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]).serial(3);
        let next = [o.put(0, &next, &["SMTP"]), o.put(1, &next, &["SMTP"])][0];
        o.inventory.organisation.auth_config.next = Observed::seen(next, o.cmdlet);
    }
);

fn replace_auth(o: &mut Organisation, recipe: &Recipe) {
    let recipe = recipe.clone().serial(2);
    for at in 0..2 {
        o.take(at, o.auth);
        o.put(at, &recipe, &["SMTP"]);
    }
    o.inventory.organisation.auth_config.current = Observed::seen(recipe.make().thumbprint, o.cmdlet);
}

damage!(
    a_server_without_the_auth_certificate_is_named,
    ["auth-current-missing"],
    |o| o.take(0, o.auth)
);

damage!(
    an_auth_certificate_without_its_key_is_no_auth_certificate,
    ["auth-current-missing"],
    |o| {
        let (auth, store) = (o.auth, o.store);
        let entry = o
            .server(0)
            .my
            .items
            .iter_mut()
            .find(|entry| entry.thumbprint == auth)
            .unwrap();
        entry.has_private_key = Observed::seen(false, store);
    }
);

damage!(
    a_server_without_the_next_auth_certificate_is_named,
    ["auth-next-missing"],
    |o| {
        let next = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]).serial(3);
        let next = o.put(1, &next, &["SMTP"]);
        o.inventory.organisation.auth_config.next = Observed::seen(next, o.cmdlet);
    }
);

damage!(
    a_public_certificate_is_no_auth_certificate,
    ["auth-uses-public-certificate"],
    |o| {
        o.inventory.organisation.auth_config.current = Observed::seen(o.public, o.cmdlet);
        (0..2).for_each(|at| o.take(at, o.auth));
    }
);

damage!(
    a_back_end_without_the_servers_names_is_reported,
    ["back-end-lacks-server-names"],
    |o| {
        let other = o.put(
            0,
            &Recipe::self_signed("OLD1", &["OLD1", "old1.kiefer.example"]),
            &["IIS"],
        );
        o.bind(0, "*:444:", Some(other));
    }
);

damage!(an_empty_back_end_is_critical, ["back-end-unbound"], |o| o
    .bind(0, "*:444:", None));

damage!(
    the_public_certificate_does_not_belong_on_the_back_end,
    ["back-end-uses-public-certificate"],
    |o| {
        o.bind(0, "*:444:", Some(o.public));
    }
);

damage!(
    a_binding_to_a_deleted_certificate_is_critical,
    ["bound-certificate-not-in-store"],
    |o| {
        let gone = o.inventory.keep(
            Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"])
                .serial(9)
                .make(),
        );
        o.bind(0, "*:444:", Some(gone));
    }
);

damage!(
    an_ended_back_end_certificate_is_critical,
    ["certificate-expired", "next-update-would-fail"],
    |o| {
        let ended = Recipe::self_signed("old1", &["EX1", "ex1.kiefer.example"])
            .serial(4)
            .begins("2021-11-01T00:00:00Z");
        let ended = o.put(0, &ended.ends("2026-11-20T00:00:00Z"), &["IIS"]);
        o.bind(0, "*:444:", Some(ended));
    }
);

damage!(
    an_ended_certificate_that_is_only_enabled_is_a_warning,
    ["certificate-expired"],
    |o| {
        let ended =
            Recipe::self_signed("old.kiefer.example", &["old.kiefer.example"]).begins("2021-11-01T00:00:00Z");
        o.put(0, &ended.ends("2026-11-20T00:00:00Z"), &["SMTP"]);
    }
);

damage!(
    a_public_certificate_near_its_end_is_said_in_time,
    [
        "certificate-expires",
        "front-end-differs-between-servers",
        "subjects-repeat"
    ],
    |o| {
        let near = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"])
            .serial(5)
            .ends("2026-12-30T00:00:00Z");
        let near = o.put(0, &near, &["IIS"]);
        o.bind(0, "*:443:", Some(near));
        o.bind(0, "127.0.0.1:443:", Some(near));
    }
);

damage!(
    two_certificates_of_one_name_pair_are_reported,
    ["connector-certificate-ambiguous", "subjects-repeat"],
    |o| {
        let name = o.inventory.certificates[&o.public].tls_certificate_name();
        let second = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"])
            .serial(6)
            .begins("2026-06-01T00:00:00Z");
        o.put(0, &second, &["SMTP"]);
        let cmdlet = o.cmdlet;
        o.connector(0).tls_certificate_name = Observed::seen(name, cmdlet);
    }
);

damage!(
    a_connector_with_an_ended_certificate_is_an_error,
    ["connector-certificate-expired", "certificate-expired"],
    |o| {
        let ended =
            Recipe::issued("smtp.kiefer.example", &["smtp.kiefer.example"]).begins("2025-11-01T00:00:00Z");
        let ended = ended.ends("2026-11-20T00:00:00Z");
        o.put(0, &ended, &["SMTP"]);
        let cmdlet = o.cmdlet;
        o.connector(0).tls_certificate_name = Observed::seen(ended.make().tls_certificate_name(), cmdlet);
    }
);

damage!(
    a_name_that_lost_its_tags_is_malformed,
    ["connector-certificate-name-malformed"],
    |o| {
        let cmdlet = o.cmdlet;
        o.connector(0).tls_certificate_name =
            Observed::seen("CN=Nordlicht CA 3CN=mail.kiefer.example".to_owned(), cmdlet);
    }
);

damage!(
    a_name_that_matches_nothing_is_an_error,
    ["connector-certificate-not-found"],
    |o| {
        let cmdlet = o.cmdlet;
        let name = "<I>CN=Nordlicht CA 2, O=Nordlicht, C=DE<S>CN=mail.kiefer.example".to_owned();
        o.connector(0).tls_certificate_name = Observed::seen(name, cmdlet);
    }
);

damage!(
    a_url_the_certificate_does_not_cover_is_an_error,
    ["front-end-lacks-names"],
    |o| {
        let cmdlet = o.cmdlet;
        o.server(0).virtual_directories.items[0].external_url =
            Observed::seen("https://owa.kiefer.example/owa".to_owned(), cmdlet);
    }
);

damage!(
    a_forgotten_loopback_binding_is_noticed,
    ["front-end-loopback-differs"],
    |o| {
        o.bind(0, "127.0.0.1:443:", Some(o.back[0]));
    }
);

damage!(
    a_self_signed_front_end_warns_and_lacks_the_names,
    [
        "front-end-self-signed",
        "front-end-lacks-names",
        "front-end-differs-between-servers"
    ],
    |o| {
        o.bind(0, "*:443:", Some(o.back[0]));
        o.bind(0, "127.0.0.1:443:", Some(o.back[0]));
    }
);

damage!(
    an_internal_transport_certificate_of_a_ca_is_a_warning,
    ["internal-transport-ca-issued", "internal-transport-lacks-fqdn"],
    |o| {
        let (public, cmdlet) = (o.public, o.cmdlet);
        o.server(0).internal_transport = Observed::seen(public, cmdlet);
    }
);

damage!(
    an_internal_transport_certificate_without_the_fqdn_is_a_warning,
    ["internal-transport-lacks-fqdn"],
    |o| {
        let short = o.put(0, &Recipe::self_signed("short1", &["EX1"]).serial(7), &[]);
        let cmdlet = o.cmdlet;
        o.server(0).internal_transport = Observed::seen(short, cmdlet);
    }
);

damage!(
    a_server_without_internal_transport_certificate_is_an_error,
    ["internal-transport-missing"],
    |o| {
        let cmdlet = o.cmdlet;
        o.server(0).internal_transport = Observed::absent(cmdlet);
    }
);

damage!(
    an_internal_transport_certificate_not_in_the_store_is_an_error,
    ["internal-transport-missing"],
    |o| {
        let gone = o.inventory.keep(
            Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"])
                .serial(8)
                .make(),
        );
        let cmdlet = o.cmdlet;
        o.server(0).internal_transport = Observed::seen(gone, cmdlet);
    }
);

damage!(a_short_key_is_a_warning, ["key-too-short"], |o| {
    let mut recipe = Recipe::issued("pop.kiefer.example", &["pop.kiefer.example"]);
    recipe.bits = 1024;
    o.put(0, &recipe, &["POP"]);
});

damage!(
    objects_with_raw_data_only_are_told,
    ["payload-signing-broken"],
    |o| {
        let store = o.store;
        for entry in &mut o.server(0).my.items {
            entry.whole = Observed::seen(false, store);
            entry.services = Observed::unknown("only RawData survived");
        }
    }
);

damage!(a_cas_sha1_signature_is_an_error, ["signature-hash-weak"], |o| {
    let mut recipe = Recipe::issued("pop.kiefer.example", &["pop.kiefer.example"]);
    recipe.signature = SHA1;
    o.put(0, &recipe, &["POP"]);
});

damage!(
    a_self_signed_sha1_signature_is_information,
    ["signature-hash-weak"],
    |o| {
        let mut recipe = Recipe::self_signed("old1", &["EX1", "ex1.kiefer.example"]).serial(10);
        recipe.signature = SHA1;
        let old = o.put(0, &recipe, &["IIS"]);
        o.bind(0, "*:444:", Some(old));
    }
);

damage!(
    an_auth_certificate_signed_with_sha1_is_information,
    ["signature-hash-weak"],
    |o| {
        let mut recipe = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]).serial(11);
        recipe.signature = SHA1;
        let old = o.put(0, &recipe, &["SMTP"]);
        o.put(1, &recipe, &["SMTP"]);
        let (cmdlet, auth) = (o.cmdlet, o.auth);
        o.inventory.organisation.auth_config.current = Observed::seen(old, cmdlet);
        o.take(0, auth);
        o.take(1, auth);
    }
);

#[test]
fn every_check_has_a_damage_that_shows_it_and_a_page() {
    let source = [
        include_str!("checks.rs"),
        include_str!("checks_around.rs"),
        include_str!("checks_more.rs"),
        include_str!("presented.rs"),
    ]
    .concat();
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/findings");
    for check in ALL {
        assert!(
            source.contains(&format!("\"{}\"", check.name)),
            "no damage for {}",
            check.name
        );
        let page = std::fs::read_to_string(format!("{pages}/{}.md", check.name)).expect(check.name);
        assert!(page.starts_with(&format!("# {}\n", check.name)), "{}", check.name);
    }
    for page in std::fs::read_dir(pages).unwrap() {
        let name = page
            .unwrap()
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        assert!(
            ALL.iter().any(|check| check.name == name),
            "the page {name} has no check"
        );
    }
    let names: Vec<&str> = ALL.iter().map(|check| check.name).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn a_self_signed_front_end_is_fine_where_only_hybrid_is_managed() {
    let mut organisation = healthy(1);
    organisation.bind(0, "*:443:", Some(organisation.back[0]));
    organisation.bind(0, "127.0.0.1:443:", Some(organisation.back[0]));
    organisation.server(0).virtual_directories = Listing::default();
    let policy = Policy::built_in("hybrid-management-only").unwrap();
    assert_eq!(organisation.diagnose_by(&policy).findings, []);
}

#[test]
fn azure_and_ad_lds_certificates_never_alarm() {
    let mut organisation = healthy(1);
    let azure = Recipe {
        subject: vec![(
            "0.9.2342.19200300.100.1.25",
            "Windows Azure CRP Certificate Generator".to_owned(),
        )],
        issuer: vec![(
            "0.9.2342.19200300.100.1.25",
            "Windows Azure CRP Certificate Generator".to_owned(),
        )],
        ..Recipe::self_signed("x", &[])
    };
    organisation.put(0, &azure.ends("2025-01-01T00:00:00Z"), &["SMTP"]);
    let guid = |last: char| support::common_name(&format!("7d3f8a64-1b2c-4d5e-8f90-a1b2c3d4e5f{last}"));
    let adam = Recipe {
        subject: guid('1'),
        issuer: guid('2'),
        signature: SHA1,
        bits: 1024,
        ..Recipe::self_signed("x", &[])
    };
    organisation.put(0, &adam.ends("2025-01-01T00:00:00Z"), &["SMTP"]);
    assert_eq!(organisation.diagnose().findings, []);
}

#[test]
fn exchange_2010_and_2013_are_shown_and_never_alarm() {
    for build in [Build(14, 3, 513, 0), Build(15, 0, 1497, 48)] {
        let mut organisation = healthy(2);
        organisation.bind(0, "*:444:", None);
        organisation.take(0, organisation.public);
        let cmdlet = organisation.cmdlet;
        organisation.server(0).build = Observed::seen(build, cmdlet);
        let diagnosis = organisation.diagnose();
        let told: Vec<_> = diagnosis
            .findings
            .iter()
            .map(|one| (one.name.as_str(), one.severity))
            .collect();
        assert_eq!(told, [("older-exchange-beside", Severity::Info)], "{build}");
        assert!(
            diagnosis
                .matrix
                .rows
                .iter()
                .any(|row| row.server.as_deref() == Some("ex1.kiefer.example"))
        );
    }
}

#[test]
fn a_store_that_was_not_seen_whole_proves_nothing_missing() {
    let mut organisation = healthy(1);
    organisation.take(0, organisation.auth);
    organisation.bind(0, "*:444:", Some(exseal_model::Thumbprint::from_bytes([7; 20])));
    for look in &mut organisation.server(0).my.looks {
        look.complete = false;
    }
    let diagnosis = organisation.diagnose();
    assert_eq!(diagnosis.findings, []);
    let checks: Vec<&str> = diagnosis.unknown.iter().map(|one| one.check.as_str()).collect();
    assert!(checks.contains(&"auth-current-missing"), "{checks:?}");
    assert!(checks.contains(&"bound-certificate-not-in-store"), "{checks:?}");
}

#[test]
fn a_server_of_which_nothing_was_seen_is_unknown_and_not_broken() {
    let mut organisation = healthy(1);
    organisation
        .inventory
        .servers
        .push(exseal_model::inventory::Server::new(ServerName::new("EX9")));
    let diagnosis = organisation.diagnose();
    assert_eq!(diagnosis.findings, []);
    assert!(
        diagnosis
            .unknown
            .iter()
            .any(|one| one.server.as_deref() == Some("EX9"))
    );
}

#[test]
fn findings_come_with_the_worst_first() {
    let mut organisation = healthy(2);
    organisation.bind(0, "*:444:", None);
    organisation.bind(1, "127.0.0.1:443:", Some(organisation.back[1]));
    let severities: Vec<Severity> = organisation
        .diagnose()
        .findings
        .iter()
        .map(|finding| finding.severity)
        .collect();
    assert_eq!(severities, [Severity::Critical, Severity::Notice]);
}

#[test]
fn findings_of_one_cause_name_it_and_none_is_lost() {
    let mut organisation = healthy(2);
    let gone = organisation.inventory.keep(
        Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"])
            .serial(9)
            .make(),
    );
    for information in ["*:443:", "127.0.0.1:443:", "*:444:"] {
        organisation.bind(0, information, Some(gone));
    }
    let cmdlet = organisation.cmdlet;
    organisation.server(0).internal_transport = Observed::seen(gone, cmdlet);
    let findings = organisation.diagnose().findings;
    let deleted = |finding: &&exseal_model::Finding| finding.found.contains(&gone.to_string());
    let (effects, causes): (Vec<_>, Vec<_>) = findings
        .iter()
        .filter(deleted)
        .partition(|one| one.follows.is_some());
    let causes: Vec<&str> = causes.iter().map(|finding| finding.name.as_str()).collect();
    assert!(causes.contains(&"bound-certificate-not-in-store"), "{causes:?}");
    assert_eq!(
        causes
            .iter()
            .filter(|name| **name == "bound-certificate-not-in-store")
            .count(),
        1
    );
    assert!(effects.iter().any(|one| one.name == "internal-transport-missing"));
    for effect in effects {
        let cause = effect.follows.as_ref().unwrap();
        assert!(
            findings
                .iter()
                .any(|one| exseal_model::Follows::of(one) == *cause),
            "{cause:?} is a finding"
        );
    }
}
