//! Checks of what stands around certificates: pools, protocols, components, the cloud, trusts, queues, events, roles. As in `checks.rs`: one
//! damage each, the exact finding, and nothing unrelated.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

mod support;

use exseal_engine::checks::ALL;
use exseal_model::inventory::{
    AppPool, CertificateEvent, ClientAccessProtocol, ComponentState, FederationTrust, Queue, Role,
    ScheduledTask, SettingOverride,
};
use exseal_model::{Build, Listing, Observed, Severity};
use support::{HOST, Organisation, Recipe, damage, healthy, send, services};

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
