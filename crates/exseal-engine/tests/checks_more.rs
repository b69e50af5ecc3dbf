//! Further checks, as in `checks.rs`: one damage each, the exact finding, and nothing unrelated.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

mod support;

use exseal_model::inventory::{ClientAccessProtocol, HttpSysEntry, SettingOverride, StoreEntry};
use exseal_model::{Build, Listing, Observed, Thumbprint};
use support::{HOST, Organisation, Recipe, damage, healthy, send};

fn store_entry(o: &Organisation, thumbprint: Thumbprint) -> StoreEntry {
    let mut entry = StoreEntry::new(thumbprint);
    entry.by = vec![o.store];
    entry
}

fn connector_name(o: &mut Organisation, name: String) {
    let cmdlet = o.cmdlet;
    o.connector(0).tls_certificate_name = Observed::seen(name, cmdlet);
}

fn http_sys(o: &mut Organisation, entries: &[(&str, Option<Thumbprint>)]) {
    let source = o.iis;
    let entries = entries.iter().map(|(endpoint, thumbprint)| {
        let mut entry = HttpSysEntry::new(endpoint.parse().unwrap());
        entry.thumbprint = Observed::looked(*thumbprint, source);
        entry
    });
    o.server(0).http_sys = Listing::of(entries, source, true);
}

damage!(an_empty_front_end_is_critical, ["front-end-unbound"], |o| o
    .bind(0, "*:443:", None));

damage!(
    a_bound_certificate_in_web_hosting_is_an_error,
    ["bound-certificate-in-wrong-store"],
    |o| {
        let recipe = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"]).serial(20);
        let stray = o.inventory.keep(recipe.make());
        let (entry, store) = (store_entry(o, stray), o.store);
        o.server(0).web_hosting = Listing::of([entry], store, true);
        o.bind(0, "*:444:", Some(stray));
    }
);

damage!(
    a_bound_certificate_without_its_key_is_critical,
    ["certificate-without-key"],
    |o| {
        let (back, store) = (o.back[0], o.store);
        let entry = o
            .server(0)
            .my
            .items
            .iter_mut()
            .find(|entry| entry.thumbprint == back)
            .unwrap();
        entry.has_private_key = Observed::seen(false, store);
    }
);

damage!(
    iis_managers_certificate_on_the_back_end_is_noticed,
    ["back-end-made-by-iis-manager"],
    |o| {
        let recipe =
            Recipe::self_signed("ex1.kiefer.example", &["ex1.kiefer.example"]).begins("2026-09-01T00:00:00Z");
        let made = o.put(0, &recipe.ends("2027-09-01T00:00:00Z"), &["IIS"]);
        o.bind(0, "*:444:", Some(made));
    }
);

damage!(
    an_internal_cas_certificate_on_the_back_end_is_information,
    ["back-end-of-internal-ca"],
    |o| {
        let issued = o.put(
            0,
            &Recipe::issued("ex1.kiefer.example", &["EX1", "ex1.kiefer.example"]),
            &["IIS"],
        );
        o.bind(0, "*:444:", Some(issued));
    }
);

damage!(
    servers_of_one_name_with_different_certificates_are_a_warning,
    ["front-end-differs-between-servers"],
    |o| {
        let recipe =
            Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example", "mx.kiefer.example"]).serial(21);
        let mut recipe = recipe;
        recipe.subject = support::common_name("mx.kiefer.example");
        let other = o.put(0, &recipe, &["IIS"]);
        o.bind(0, "*:443:", Some(other));
        o.bind(0, "127.0.0.1:443:", Some(other));
    }
);

damage!(
    a_specific_http_sys_entry_is_shown,
    ["specific-binding-wins"],
    |o| {
        let (public, back) = (o.public, o.back[0]);
        let entries = [
            ("0.0.0.0:443", Some(public)),
            ("127.0.0.1:443", Some(public)),
            ("[fe80::1]:443", Some(back)),
            ("0.0.0.0:444", Some(back)),
        ];
        http_sys(o, &entries);
    }
);

damage!(
    iis_and_http_sys_that_disagree_are_noticed,
    ["binding-sources-disagree"],
    |o| {
        let (public, back) = (o.public, o.back[0]);
        let twin = o.put(
            0,
            &Recipe::self_signed("old1", &["EX1", "ex1.kiefer.example"]).serial(22),
            &["IIS"],
        );
        http_sys(
            o,
            &[
                ("0.0.0.0:443", Some(public)),
                ("127.0.0.1:443", Some(public)),
                ("0.0.0.0:444", Some(twin)),
            ],
        );
        let _ = back;
    }
);

damage!(
    the_auth_certificate_is_no_internal_transport_certificate,
    [
        "internal-transport-is-auth-certificate",
        "internal-transport-lacks-fqdn"
    ],
    |o| {
        let (auth, cmdlet) = (o.auth, o.cmdlet);
        o.server(0).internal_transport = Observed::seen(auth, cmdlet);
    }
);

damage!(
    a_public_name_on_a_hub_connector_is_noticed,
    ["connector-name-on-internal-connector"],
    |o| {
        let name = o.inventory.certificates[&o.public].tls_certificate_name();
        connector_name(o, name);
        let cmdlet = o.cmdlet;
        o.connector(0).transport_role = Observed::seen("HubTransport".to_owned(), cmdlet);
    }
);

damage!(
    a_connector_that_names_the_predecessor_is_a_warning,
    ["connector-names-outdated-certificate", "subjects-repeat"],
    |o| {
        let mut old = Recipe::issued(HOST, &[HOST])
            .serial(23)
            .begins("2026-03-01T00:00:00Z")
            .ends("2027-02-20T00:00:00Z");
        old.issuer = support::common_name("Nordlicht CA 2");
        o.put(0, &old, &["SMTP"]);
        connector_name(o, old.make().tls_certificate_name());
    }
);

damage!(
    a_connector_without_a_fitting_certificate_offers_no_tls,
    ["starttls-not-offered"],
    |o| {
        let cmdlet = o.cmdlet;
        o.connector(0).fqdn = Observed::seen("relay.kiefer.example".to_owned(), cmdlet);
        o.connector(0).auth_mechanism = Observed::seen(vec!["Tls".to_owned()], cmdlet);
    }
);

damage!(
    a_name_match_without_smtp_may_fail,
    ["starttls-not-offered"],
    |o| {
        o.put(
            0,
            &Recipe::issued("relay.kiefer.example", &["relay.kiefer.example"]),
            &[],
        );
        let cmdlet = o.cmdlet;
        o.connector(0).fqdn = Observed::seen("relay.kiefer.example".to_owned(), cmdlet);
        o.connector(0).auth_mechanism = Observed::seen(vec!["Tls".to_owned()], cmdlet);
    }
);

damage!(
    an_auto_enrolled_certificate_that_wins_is_noticed,
    ["auto-enrolled-certificate-wins"],
    |o| {
        o.put(
            0,
            &Recipe::issued("ex1.kiefer.example", &["ex1.kiefer.example"]),
            &["SMTP"],
        );
    }
);

damage!(
    a_send_connector_that_says_helo_never_uses_tls,
    ["send-connector-never-uses-tls"],
    |o| {
        let cmdlet = o.cmdlet;
        send(o).force_helo = Observed::seen(true, cmdlet);
        send(o).require_tls = Observed::seen(true, cmdlet);
    }
);

damage!(
    a_hybrid_certificate_nobody_holds_is_an_error,
    ["hybrid-certificate-not-found"],
    |o| {
        let cmdlet = o.cmdlet;
        o.inventory.organisation.hybrid.present = Observed::seen(true, cmdlet);
        o.inventory.organisation.hybrid.tls_certificate_name =
            Observed::seen("<I>CN=Old CA<S>CN=mail".to_owned(), cmdlet);
    }
);

#[test]
fn a_hybrid_certificate_of_servers_that_were_not_seen_cannot_be_told() {
    let mut organisation = healthy(1);
    let cmdlet = organisation.cmdlet;
    let hybrid = &mut organisation.inventory.organisation.hybrid;
    hybrid.present = Observed::seen(true, cmdlet);
    hybrid.tls_certificate_name = Observed::seen("<I>CN=Old CA<S>CN=mail".to_owned(), cmdlet);
    hybrid.receiving_transport_servers = Observed::seen(vec!["EX1".to_owned(), "EX7".to_owned()], cmdlet);

    let diagnosis = organisation.diagnose();

    assert_eq!(diagnosis.findings, []);
    let unknown = diagnosis.unknown.iter();
    assert_eq!(
        unknown
            .filter(|one| one.check == "hybrid-certificate-not-found")
            .count(),
        1
    );
}

damage!(
    hybrid_places_that_name_different_certificates_are_a_warning,
    ["hybrid-connector-names-differ"],
    |o| {
        let public = o.inventory.certificates[&o.public].tls_certificate_name();
        let other = Recipe::issued("smtp.kiefer.example", &["smtp.kiefer.example"]).serial(24);
        o.put(0, &other, &["SMTP"]);
        o.put(1, &other, &["SMTP"]);
        let cmdlet = o.cmdlet;
        o.inventory.organisation.hybrid.present = Observed::seen(true, cmdlet);
        o.inventory.organisation.hybrid.tls_certificate_name = Observed::seen(public, cmdlet);
        send(o).cloud_services_mail_enabled = Observed::seen(true, cmdlet);
        send(o).tls_certificate_name = Observed::seen(other.make().tls_certificate_name(), cmdlet);
    }
);

damage!(
    a_wildcard_enabled_for_pop_is_a_warning,
    ["client-protocol-wildcard"],
    |o| {
        o.put(
            0,
            &Recipe::issued("*.kiefer.example", &["*.kiefer.example"]),
            &["POP"],
        );
    }
);

damage!(
    a_pop_name_without_certificate_is_a_warning,
    ["client-protocol-name-matches-nothing"],
    |o| {
        let cmdlet = o.cmdlet;
        let mut settings = ClientAccessProtocol::new();
        settings.x509_certificate_name = Observed::seen("pop.kiefer.example".to_owned(), cmdlet);
        o.server(0).pop = settings;
    }
);

damage!(
    an_auth_key_that_cannot_be_exported_is_a_warning,
    ["auth-not-exportable"],
    |o| {
        let (auth, store) = (o.auth, o.store);
        for at in 0..2 {
            let entry = o
                .server(at)
                .my
                .items
                .iter_mut()
                .find(|entry| entry.thumbprint == auth)
                .unwrap();
            entry.private_key_exportable = Observed::seen(false, store);
        }
    }
);

fn next_auth(o: &mut Organisation) -> Thumbprint {
    let next = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]).serial(25);
    o.put(1, &next, &["SMTP"]);
    let next = o.put(0, &next, &["SMTP"]);
    o.inventory.organisation.auth_config.next = Observed::seen(next, o.cmdlet);
    next
}

damage!(
    a_next_auth_certificate_whose_date_has_passed_is_an_error,
    ["auth-next-overdue"],
    |o| {
        next_auth(o);
        let date = "2026-11-20T00:00:00Z".parse().unwrap();
        o.inventory.organisation.auth_config.next_effective = Observed::seen(date, o.cmdlet);
    }
);

damage!(
    earlier_auth_certificates_are_information,
    ["auth-certificates-left-over"],
    |o| {
        o.put(
            0,
            &Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]).serial(26),
            &["SMTP"],
        );
    }
);

damage!(
    an_rsa_key_in_a_ksp_on_the_front_end_is_an_error,
    ["rsa-key-in-ksp"],
    |o| ksp(o, o.public)
);
damage!(
    an_rsa_key_in_a_ksp_for_internal_transport_is_an_error,
    ["rsa-key-in-ksp"],
    |o| ksp(o, o.back[0])
);
damage!(
    an_rsa_key_in_a_ksp_for_oauth_is_an_error,
    ["rsa-key-in-ksp"],
    |o| ksp(o, o.auth)
);

fn ksp(o: &mut Organisation, thumbprint: Thumbprint) {
    let store = o.store;
    let entry = o
        .server(0)
        .my
        .items
        .iter_mut()
        .find(|entry| entry.thumbprint == thumbprint)
        .unwrap();
    entry.key_provider_type = Observed::seen(0, store);
    entry.key_provider = Observed::seen("Microsoft Software Key Storage Provider".to_owned(), store);
}

damage!(
    an_elliptic_certificate_on_an_old_build_is_an_error,
    ["ecc-certificate-unsupported"],
    |o| {
        let mut recipe = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"]).serial(27);
        recipe.elliptic = true;
        recipe.subject = support::common_name("ecc.kiefer.example");
        for at in 0..2 {
            let ecc = o.put(at, &recipe, &["IIS"]);
            let cmdlet = o.cmdlet;
            let build = if at == 0 {
                Build(15, 2, 1118, 7)
            } else {
                Build(15, 2, 1748, 10)
            };
            o.server(at).build = Observed::seen(build, cmdlet);
            o.bind(at, "*:443:", Some(ecc));
            o.bind(at, "127.0.0.1:443:", Some(ecc));
        }
    }
);

damage!(
    a_key_network_service_may_not_read_is_an_error,
    ["network-service-lacks-key-access"],
    |o| {
        let (back, store) = (o.back[0], o.store);
        let entry = o
            .server(0)
            .my
            .items
            .iter_mut()
            .find(|entry| entry.thumbprint == back)
            .unwrap();
        entry.key_readers = Observed::seen(vec!["S-1-5-18".to_owned(), "S-1-5-32-544".to_owned()], store);
    }
);

damage!(
    a_request_that_waits_for_long_is_noticed,
    ["pending-request-left-over"],
    |o| {
        let request = Recipe::self_signed("mail.kiefer.example", &[HOST])
            .serial(28)
            .begins("2026-07-01T00:00:00Z");
        let request = o.inventory.keep(request.make());
        let (entry, store) = (store_entry(o, request), o.store);
        o.server(0).request = Listing::of([entry], store, true);
    }
);

damage!(
    a_certificate_that_went_to_web_hosting_is_noticed,
    ["certificate-in-web-hosting-store"],
    |o| {
        let renewed = o.inventory.keep(Recipe::issued(HOST, &[HOST]).serial(29).make());
        let (entry, store) = (store_entry(o, renewed), o.store);
        o.server(0).web_hosting = Listing::of([entry], store, true);
    }
);

damage!(
    certificates_of_one_subject_are_information,
    ["subjects-repeat"],
    |o| {
        o.put(
            0,
            &Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"])
                .serial(30)
                .begins("2023-05-01T00:00:00Z"),
            &[],
        );
    }
);

damage!(
    old_copies_among_the_roots_are_information,
    ["root-holds-old-copies"],
    |o| {
        let old = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"])
            .serial(31)
            .begins("2018-05-01T00:00:00Z");
        let old = o.inventory.keep(old.ends("2023-05-01T00:00:00Z").make());
        let (entry, store) = (store_entry(o, old), o.store);
        o.server(0).root = Listing::of([entry], store, true);
    }
);

damage!(
    copies_of_a_neighbour_that_left_are_information,
    ["root-holds-old-copies"],
    |o| {
        let gone = Recipe::self_signed("OLDEX", &["OLDEX", "oldex.kiefer.example"])
            .serial(33)
            .begins("2018-05-01T00:00:00Z");
        let gone = o.inventory.keep(gone.ends("2023-05-01T00:00:00Z").make());
        // Windows' own old roots have no names of hosts, and ended long ago as well.
        let windows = Recipe::self_signed("Simulated Root Authority", &[])
            .serial(34)
            .begins("1997-01-10T00:00:00Z");
        let windows = o.inventory.keep(windows.ends("2020-12-31T00:00:00Z").make());
        let (entries, store) = ([store_entry(o, gone), store_entry(o, windows)], o.store);
        o.server(0).root = Listing::of(entries, store, true);
    }
);

damage!(
    a_messaging_certificate_that_is_gone_is_a_warning,
    ["thumbprint-referred-to-elsewhere"],
    |o| {
        let mut setting = SettingOverride::new("IM".to_owned());
        setting.parameters = Observed::seen(
            vec![
                "IMServerName=im.kiefer.example".to_owned(),
                "IMCertificateThumbprint=00112233445566778899AABBCCDDEEFF00112233".to_owned(),
            ],
            o.cmdlet,
        );
        o.inventory.organisation.setting_overrides = Listing::of([setting], o.cmdlet, true);
    }
);

#[test]
fn a_messaging_certificate_is_not_called_gone_where_a_store_was_not_seen() {
    let mut o = healthy(2);
    let mut setting = SettingOverride::new("IM".to_owned());
    let parameter = "IMCertificateThumbprint=00112233445566778899AABBCCDDEEFF00112233".to_owned();
    setting.parameters = Observed::seen(vec![parameter], o.cmdlet);
    o.inventory.organisation.setting_overrides = Listing::of([setting], o.cmdlet, true);
    o.server(1).my = Listing::default();

    let diagnosis = o.diagnose();

    let named = |name: &str| name == "thumbprint-referred-to-elsewhere";
    assert!(!diagnosis.findings.iter().any(|finding| named(&finding.name)));
    assert!(diagnosis.unknown.iter().any(|one| named(&one.check)));
}
