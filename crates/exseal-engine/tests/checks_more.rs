//! Further checks, as in `checks.rs`: one damage each, the exact finding, and nothing unrelated.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

mod support;

use exseal_engine::checks::ALL;
use exseal_model::inventory::{
    AppPool, CertificateEvent, ClientAccessProtocol, ComponentState, FederationTrust, HttpSysEntry, Queue,
    Role, ScheduledTask, SendConnector, SettingOverride, StoreEntry, WindowsService,
};
use exseal_model::{Build, Listing, Observed, Severity, Thumbprint};
use support::{HOST, Organisation, Recipe, gives, healthy};

macro_rules! damage {
    ($test:ident, $names:expr, $damage:expr) => {
        #[test]
        fn $test() {
            insta::with_settings!({ snapshot_suffix => stringify!($test) }, {
                insta::assert_json_snapshot!($names[0], gives(&$names, $damage));
            });
        }
    };
}

fn store_entry(o: &Organisation, thumbprint: Thumbprint) -> StoreEntry {
    let mut entry = StoreEntry::new(thumbprint);
    entry.by = vec![o.store];
    entry
}

fn connector_name(o: &mut Organisation, name: String) {
    let cmdlet = o.cmdlet;
    o.connector(0).tls_certificate_name = Observed::seen(name, cmdlet);
}

fn send(o: &mut Organisation) -> &mut SendConnector {
    &mut o.inventory.organisation.send_connectors.items[0]
}

fn services(o: &mut Organisation, states: &[(&str, &str, &str)]) {
    let cmdlet = o.cmdlet;
    let services = states.iter().map(|(name, status, start)| {
        let mut service = WindowsService::new((*name).to_owned());
        service.status = Observed::seen((*status).to_owned(), cmdlet);
        service.start_type = Observed::seen((*start).to_owned(), cmdlet);
        service
    });
    o.server(0).services = Listing::of(services, cmdlet, true);
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

fn pools(o: &mut Organisation, state: &str) {
    let iis = o.iis;
    let pools = [
        ("MSExchangeOWAAppPool", state),
        ("MSExchangeECPAppPool", "Started"),
        ("DefaultAppPool", "Stopped"),
    ]
    .map(|(name, state)| {
        let mut pool = AppPool::new(name.to_owned());
        pool.state = Observed::seen(state.to_owned(), iis);
        pool
    });
    o.server(0).app_pools = Listing::of(pools, iis, true);
}

damage!(
    a_stopped_pool_is_told_apart_from_a_certificate_fault,
    ["application-pool-stopped"],
    |o| pools(o, "Stopped")
);

#[test]
fn pools_that_run_are_no_finding_and_neither_are_those_without_a_web_server() {
    let mut o = healthy(2);
    pools(&mut o, "Started");
    assert_eq!(o.diagnose().findings.len(), 0);

    let mut o = healthy(2);
    pools(&mut o, "Stopped");
    services(&mut o, &[("W3SVC", "Stopped", "Automatic")]);
    let found: Vec<String> = o.diagnose().findings.into_iter().map(|one| one.name).collect();
    assert_eq!(found, ["exchange-service-down"]);
}

/// Settings of POP as setup leaves them: the server's own name.
fn pop_by_own_name(o: &mut Organisation) {
    let mut settings = ClientAccessProtocol::new();
    settings.x509_certificate_name = Observed::seen("ex1.kiefer.example".to_owned(), o.cmdlet);
    o.server(0).pop = settings;
}

damage!(
    pop_that_runs_with_a_self_signed_certificate_is_a_warning,
    ["client-protocol-self-signed"],
    |o| {
        pop_by_own_name(o);
        services(o, &[("MSExchangePop3", "Running", "Automatic")]);
    }
);

#[test]
fn pop_that_is_off_shows_its_certificate_to_nobody() {
    let mut o = healthy(2);
    pop_by_own_name(&mut o);
    services(&mut o, &[("MSExchangePop3", "Stopped", "Manual")]);
    assert_eq!(o.diagnose().findings.len(), 0);
}

damage!(
    a_front_end_of_the_internal_ca_is_noticed,
    ["front-end-of-private-ca"],
    |o| {
        let (public, store) = (o.public, o.store);
        let entry = o
            .server(0)
            .my
            .items
            .iter_mut()
            .find(|one| one.thumbprint == public);
        entry.unwrap().root_ca_type = Observed::seen("Enterprise".to_owned(), store);
    }
);

damage!(
    a_renewed_certificate_nobody_bound_is_said,
    [
        "renewed-certificate-not-bound",
        "certificate-expired",
        "front-end-differs-between-servers",
        "next-update-would-fail",
        "subjects-repeat"
    ],
    |o| not_bound(o, "2026-11-20T00:00:00Z")
);

#[test]
fn one_that_lasts_for_long_may_wait_and_so_may_one_for_other_names() {
    let mut o = healthy(2);
    not_bound(&mut o, "2027-03-01T00:00:00Z");
    let found = o.diagnose().findings;
    assert!(
        !found
            .iter()
            .any(|one| one.name == "renewed-certificate-not-bound")
    );

    let mut o = healthy(2);
    let wider = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example", "pop.kiefer.example"])
        .serial(41)
        .begins("2026-08-20T00:00:00Z")
        .ends("2026-11-20T00:00:00Z");
    let wider = o.put(0, &wider, &["IIS"]);
    o.bind(0, "*:443:", Some(wider));
    let found = o.diagnose().findings;
    assert!(
        !found
            .iter()
            .any(|one| one.name == "renewed-certificate-not-bound")
    );
}

/// The first server still shows clients a certificate that ends then; the organisation's public one, younger, lies in the store.
fn not_bound(o: &mut Organisation, end: &'static str) {
    let old = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"])
        .serial(40)
        .begins("2026-08-20T00:00:00Z")
        .ends(end);
    let old = o.put(0, &old, &["IIS"]);
    o.bind(0, "*:443:", Some(old));
    o.bind(0, "127.0.0.1:443:", Some(old));
}

damage!(
    a_reference_to_an_ended_certificate_is_a_warning,
    ["thumbprint-referred-to-elsewhere"],
    |o| {
        let signing = Recipe::self_signed("ADFS Signing", &[])
            .begins("2024-01-01T00:00:00Z")
            .ends("2026-01-01T00:00:00Z");
        let signing = o.inventory.keep(signing.make());
        o.inventory.organisation.adfs_sign_certificate_thumbprints = Observed::seen(vec![signing], o.cmdlet);
    }
);

damage!(
    a_stopped_service_is_told_apart_from_a_certificate_fault,
    ["exchange-service-down"],
    |o| {
        services(
            o,
            &[
                ("MSExchangeTransport", "Stopped", "Automatic"),
                ("MSExchangeIS", "Running", "Automatic"),
            ],
        );
    }
);

damage!(
    services_a_failed_setup_left_disabled_are_critical,
    ["services-disabled-by-setup"],
    |o| {
        let names = [
            "MSExchangeTransport",
            "MSExchangeIS",
            "MSExchangeServiceHost",
            "MSExchangeADTopology",
            "W3SVC",
        ];
        let states: Vec<(&str, &str, &str)> =
            names.iter().map(|name| (*name, "Stopped", "Disabled")).collect();
        services(o, &states);
    }
);

damage!(
    a_service_somebody_disabled_is_noticed,
    ["service-disabled-by-a-person"],
    |o| {
        services(
            o,
            &[
                ("MSExchangeEdgeSync", "Stopped", "Disabled"),
                ("MSExchangePop3", "Stopped", "Disabled"),
            ],
        );
    }
);

damage!(an_inactive_component_is_a_warning, ["component-inactive"], |o| {
    let cmdlet = o.cmdlet;
    let state = |name: &str, state: &str| {
        let mut one = ComponentState::new(name.to_owned());
        one.state = Observed::seen(state.to_owned(), cmdlet);
        one.requesters = Observed::seen(vec!["Maintenance".to_owned()], cmdlet);
        one
    };
    let states = [
        state("ServerWideOffline", "Inactive"),
        state("ForwardSyncDaemon", "Inactive"),
        state("HubTransport", "Active"),
    ];
    o.server(0).component_states = Listing::of(states, cmdlet, true);
});

damage!(
    an_ended_certificate_would_stop_the_next_update,
    ["certificate-expired", "next-update-would-fail"],
    |o| {
        let mut ended = Recipe::self_signed("EX1", &["EX1", "ex1.kiefer.example"])
            .serial(32)
            .begins("2021-11-01T00:00:00Z");
        ended.subject = support::common_name("ex1.kiefer.example");
        ended.issuer = ended.subject.clone();
        let ended = o.put(0, &ended.ends("2026-11-20T00:00:00Z"), &["IIS"]);
        o.bind(0, "*:444:", Some(ended));
    }
);

damage!(
    a_server_kept_from_new_roots_is_a_warning,
    ["root-for-exchange-online-missing"],
    |o| {
        let cmdlet = o.cmdlet;
        o.inventory.organisation.hybrid.present = Observed::seen(true, cmdlet);
        o.server(0).root_auto_update_disabled = Observed::seen(true, cmdlet);
    }
);

damage!(
    a_trusted_list_without_the_root_is_a_warning,
    ["root-for-exchange-online-missing"],
    |o| {
        let cmdlet = o.cmdlet;
        o.inventory.organisation.hybrid.present = Observed::seen(true, cmdlet);
        o.server(0).root = Listing::of([], cmdlet, true);
    }
);

fn to_cloud(o: &mut Organisation, level: Observed<String>) {
    let cmdlet = o.cmdlet;
    send(o).cloud_services_mail_enabled = Observed::seen(true, cmdlet);
    send(o).tls_auth_level = level;
}

damage!(
    a_connector_to_exchange_online_that_checks_nobody_is_a_warning,
    ["cloud-connector-checks-no-certificate"],
    |o| {
        let cmdlet = o.cmdlet;
        to_cloud(o, Observed::seen("EncryptionOnly".to_owned(), cmdlet));
    }
);

#[test]
fn a_connector_that_checks_or_was_not_seen_to_or_is_off_is_no_finding() {
    for level in ["CertificateValidation", "DomainValidation", "2", "4"] {
        let mut o = support::healthy(1);
        let cmdlet = o.cmdlet;
        to_cloud(&mut o, Observed::seen(level.to_owned(), cmdlet));
        assert_eq!(o.diagnose().findings, [], "{level}");
    }
    let mut unseen = support::healthy(1);
    to_cloud(&mut unseen, Observed::default());
    let diagnosis = unseen.diagnose();
    assert_eq!(diagnosis.findings, []);
    assert!(
        diagnosis
            .unknown
            .iter()
            .any(|one| one.check == "cloud-connector-checks-no-certificate")
    );
    let mut off = support::healthy(1);
    let cmdlet = off.cmdlet;
    to_cloud(&mut off, Observed::absent(cmdlet));
    send(&mut off).enabled = Observed::seen(false, cmdlet);
    assert_eq!(off.diagnose().findings, []);
}

fn trust(o: &mut Organisation, end: &'static str) {
    let recipe = Recipe::self_signed("Federation", &["Federation"])
        .begins("2022-01-01T00:00:00Z")
        .ends(end);
    let certificate = o.inventory.keep(recipe.make());
    let cmdlet = o.cmdlet;
    let mut trust = FederationTrust::new("Microsoft Federation Gateway".to_owned());
    trust.current = Observed::seen(certificate, cmdlet);
    trust.next = Observed::absent(cmdlet);
    trust.previous = Observed::absent(cmdlet);
    o.inventory.organisation.federation_trusts = Listing::of([trust], cmdlet, true);
}

damage!(
    a_federation_certificate_near_its_end_is_a_warning,
    ["federation-certificate-expires"],
    |o| {
        trust(o, "2026-12-24T00:00:00Z");
    }
);

damage!(
    an_ended_federation_certificate_is_an_error,
    ["federation-certificate-expires"],
    |o| {
        trust(o, "2026-10-24T00:00:00Z");
    }
);

damage!(another_renewer_is_information, ["another-renewer-at-work"], |o| {
    let cmdlet = o.cmdlet;
    let mut task = ScheduledTask::new("\\Zertifikate erneuern".to_owned());
    task.action = Observed::seen("C:\\Tools\\win-acme\\wacs.exe --renew".to_owned(), cmdlet);
    o.server(0).tasks = Listing::of([task], cmdlet, true);
});

damage!(
    an_exchange_2013_server_is_information,
    ["older-exchange-beside"],
    |o| {
        let cmdlet = o.cmdlet;
        o.server(0).build = Observed::seen(Build(15, 0, 1497, 48), cmdlet);
    }
);

damage!(
    a_server_that_is_a_domain_controller_is_information_and_in_a_group_more,
    ["exchange-on-domain-controller"],
    |o| {
        let cmdlet = o.cmdlet;
        for at in 0..2 {
            o.server(at).domain_controller = Observed::seen(at == 0, cmdlet);
            o.server(at).availability_group = Observed::seen("DAG1".to_owned(), cmdlet);
        }
    }
);

damage!(
    a_public_certificate_of_a_year_is_noticed,
    ["public-lifetime-too-long"],
    |o| {
        let mut long = Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"])
            .serial(33)
            .ends("2027-09-01T00:00:00Z");
        long.subject = support::common_name("long.kiefer.example");
        for at in 0..2 {
            let long = o.put(at, &long, &["IIS"]);
            let store = o.store;
            let kind = if at == 0 { "ThirdParty" } else { "Registry" };
            o.server(at).my.items.last_mut().unwrap().root_ca_type = Observed::seen(kind.to_owned(), store);
            o.bind(at, "*:443:", Some(long));
            o.bind(at, "127.0.0.1:443:", Some(long));
        }
    }
);

damage!(
    an_ended_certificate_nothing_uses_is_information,
    ["certificate-left-over"],
    |o| {
        let old =
            Recipe::issued("old.kiefer.example", &["old.kiefer.example"]).begins("2024-01-01T00:00:00Z");
        o.put(0, &old.ends("2025-01-01T00:00:00Z"), &[]);
    }
);

fn status(o: &mut Organisation, status: &str) {
    let (public, store) = (o.public, o.store);
    let entry = o
        .server(0)
        .my
        .items
        .iter_mut()
        .find(|entry| entry.thumbprint == public)
        .unwrap();
    entry.status = Observed::seen(status.to_owned(), store);
}

damage!(
    a_revoked_certificate_is_a_warning,
    ["certificate-status-not-valid"],
    |o| status(o, "Revoked")
);
damage!(
    a_revocation_list_out_of_reach_is_a_warning,
    ["certificate-status-not-valid"],
    |o| {
        status(o, "RevocationCheckFailure");
    }
);

damage!(
    payload_signing_switched_off_is_noticed,
    ["payload-signing-switched-off"],
    |o| {
        let cmdlet = o.cmdlet;
        let mut setting = SettingOverride::new("No signing".to_owned());
        setting.component = Observed::seen("Data".to_owned(), cmdlet);
        setting.section = Observed::seen("EnableSerializationDataSigning".to_owned(), cmdlet);
        setting.parameters = Observed::seen(vec!["Enabled=false".to_owned()], cmdlet);
        o.inventory.organisation.setting_overrides = Listing::of([setting], cmdlet, true);
    }
);

damage!(
    an_fqdn_with_an_underscore_is_a_warning,
    ["receive-connector-fqdn-illegal"],
    |o| {
        let cmdlet = o.cmdlet;
        o.connector(0).fqdn = Observed::seen("ex_1.kiefer.example".to_owned(), cmdlet);
        o.connector(0).auth_mechanism = Observed::seen(Vec::new(), cmdlet);
    }
);

damage!(
    a_hub_connector_on_port_25_is_an_error,
    ["hub-connector-on-port-25"],
    |o| {
        let cmdlet = o.cmdlet;
        o.connector(0).transport_role = Observed::seen("HubTransport".to_owned(), cmdlet);
        o.connector(0).bindings = Observed::seen(vec!["0.0.0.0:25".to_owned(), "[::]:25".to_owned()], cmdlet);
    }
);

damage!(
    a_queue_that_waits_for_tls_is_an_error,
    ["queue-waits-for-tls"],
    |o| {
        let cmdlet = o.cmdlet;
        let queue = |identity: &str, error: &str| {
            let mut queue = Queue::new(identity.to_owned());
            queue.message_count = Observed::seen(12, cmdlet);
            queue.next_hop_domain = Observed::seen("partner.example".to_owned(), cmdlet);
            queue.last_error = Observed::seen(error.to_owned(), cmdlet);
            queue
        };
        let queues = [
            queue(
                "EX1\\7",
                "454 4.7.5 The certificate specified in TlsCertificateName of the SendConnector could not be found.",
            ),
            queue(
                "EX1\\8",
                "451 4.4.0 Primary target IP address responded with: 421 4.4.1 Connection timed out.",
            ),
        ];
        o.server(0).queues = Listing::of(queues, cmdlet, true);
    }
);

damage!(
    an_edge_server_with_a_cas_certificate_is_a_warning,
    ["edge-default-ca-issued"],
    |o| {
        let edge = o.put(
            0,
            &Recipe::issued("ex1.kiefer.example", &["ex1.kiefer.example"]).serial(34),
            &[],
        );
        let cmdlet = o.cmdlet;
        o.server(0).roles = Observed::seen(vec![Role::Edge], cmdlet);
        o.server(0).internal_transport = Observed::seen(edge, cmdlet);
        o.server(0).sites = Listing::default();
    }
);

damage!(
    a_fresh_event_about_certificates_is_a_warning,
    ["transport-reports-certificate-fault"],
    |o| {
        let cmdlet = o.cmdlet;
        let event = |id: u32, last: &str| {
            let mut event = CertificateEvent::new("MSExchangeTransport".to_owned(), id);
            event.count = Observed::seen(3, cmdlet);
            event.last = Observed::seen(last.parse().unwrap(), cmdlet);
            event
        };
        let events = [
            event(12014, "2026-11-23T04:00:00Z"),
            event(12016, "2026-01-01T00:00:00Z"),
            event(4999, "2026-11-23T04:00:00Z"),
        ];
        o.server(0).events = Listing::of(events, cmdlet, true);
    }
);

#[test]
fn an_issuer_the_policy_does_not_expect_is_a_warning() {
    let mut policy = exseal_engine::Policy::default();
    policy.front_end.issuers = vec!["Südwind".to_owned()];
    let findings = healthy(1).diagnose_by(&policy).findings;
    assert!(!findings.is_empty());
    assert!(
        findings
            .iter()
            .all(|finding| finding.name == "front-end-unexpected-issuer"),
        "{findings:?}"
    );
    insta::assert_json_snapshot!("front-end-unexpected-issuer", findings);
    policy.front_end.issuers = vec!["nordlicht".to_owned()];
    assert_eq!(healthy(1).diagnose_by(&policy).findings, []);
}

#[test]
fn no_check_gives_a_severity_it_does_not_name() {
    for check in ALL {
        assert!(
            !check.severities.is_empty() && check.severities.is_sorted(),
            "{}",
            check.name
        );
        assert!(
            check
                .severities
                .iter()
                .all(|severity| *severity >= Severity::Info)
        );
        let mentioned = check.scenarios.iter().all(|number| (1..=79).contains(number));
        assert!(
            mentioned && check.pains.iter().all(|number| (1..=48).contains(number)),
            "{}",
            check.name
        );
    }
    assert!(ALL.len() >= 55, "{} checks", ALL.len());
}
