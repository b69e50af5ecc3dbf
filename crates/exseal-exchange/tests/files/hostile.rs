//! Damaged, truncated and hostile input: an error with its place, nothing else lost, no panic.

use exseal_exchange::files::FileReading;

use crate::input::{
    LEAF, LEAF_THUMBPRINT, ba, document, errors, flags, list, not_recognised, object, pem, read_bytes, s,
};

const CONNECTOR: &str = "Microsoft.Exchange.Data.Directory.SystemConfiguration.ReceiveConnector";

/// One small input a format.
fn samples() -> Vec<Vec<u8>> {
    let clixml = document(&[
        object(
            CONNECTOR,
            &[
                s("Name", "Default_x0020_EX1"),
                s("Identity", "EX1\\Default EX1"),
                list("Bindings", &["[::]:25"]),
                flags("AuthMechanism", "Tls", 1),
            ],
        ),
        object(
            "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate",
            &[ba("RawData", LEAF), flags("Services", "IIS", 8)],
        ),
    ]);
    let netsh = "    IP:port : 0.0.0.0:443\r\n    Certificate Hash : 273a20c605dc161be7c9d8bf0c3a0cd89cc912b5\r\n    \
                 Application ID : {4dc3e181-e14b-4a21-b022-59fc669b0914}\r\n    Certificate Store Name : MY\r\n";
    let configuration = "<configuration><system.applicationHost><sites><site name=\"A\" id=\"1\"><bindings><binding \
                         protocol=\"https\" bindingInformation=\"*:443:\" /></bindings></site></sites>\
                         </system.applicationHost></configuration>";
    let health = "<Objs><Obj><MS><Obj N=\"HealthCheckerExchangeServer\"><MS><S N=\"ServerName\">EX1</S>\
                  <DT N=\"GenerationTime\">2026-01-01T00:00:00Z</DT></MS></Obj></MS></Obj></Objs>";
    let inventory = serde_json::to_vec(&exseal_model::Inventory::default()).unwrap();
    vec![
        clixml,
        netsh.as_bytes().to_vec(),
        configuration.as_bytes().to_vec(),
        health.as_bytes().to_vec(),
        inventory,
        LEAF.to_vec(),
        pem("CERTIFICATE", LEAF).into_bytes(),
        include_bytes!("../data/chain.p7b").to_vec(),
        include_bytes!("../data/no-password.pfx").to_vec(),
    ]
}

/// Whether the file says anything at all: what it holds, that it holds nothing known, or what is wrong.
fn speaks(file: &FileReading) -> bool {
    file.holds.is_some() || !file.inventory.not_recognised.is_empty() || !file.inventory.errors.is_empty()
}

#[test]
fn every_beginning_of_every_format_is_read_without_panic_and_never_in_silence() {
    for sample in samples() {
        let step = (sample.len() / 120).max(1);
        for end in (0..sample.len()).step_by(step) {
            let file = read_bytes(&sample[..end]);
            assert!(
                speaks(&file),
                "{end} bytes of {:?}",
                String::from_utf8_lossy(&sample)
            );
        }
    }
}

#[test]
fn bytes_changed_anywhere_never_panic_and_never_pass_in_silence() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for sample in samples() {
        for _ in 0..150 {
            let mut bytes = sample.clone();
            for _ in 0..=next() % 4 {
                let at = usize::try_from(next()).unwrap() % bytes.len();
                bytes[at] = next().to_le_bytes()[0];
            }
            assert!(
                speaks(&read_bytes(&bytes)),
                "{:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

#[test]
fn deep_nesting_is_refused_at_the_bound() {
    let deep = "<Obj><LST>".repeat(200_000);
    let file = read_bytes(format!("<Objs>{deep}").as_bytes());
    assert!(
        errors(&file)[0].contains("expected at most 1000 elements within each other"),
        "{:?}",
        errors(&file)
    );
    assert_eq!(not_recognised(&file), ["CLIXML that cannot be read"]);
}

#[test]
fn an_object_that_holds_itself_is_read_once() {
    let bytes = format!(
        "<Objs><Obj RefId=\"1\"><TN><T>{CONNECTOR}</T></TN><Props>{}<Ref N=\"Bindings\" RefId=\"1\" /><Ref \
         N=\"Server\" RefId=\"1\" /></Props></Obj><Obj RefId=\"2\"><LST><Ref RefId=\"2\" /></LST></Obj></Objs>",
        s("Name", "Default EX1")
    );
    let file = read_bytes(bytes.as_bytes());
    assert_eq!(file.holds.as_deref(), Some("Get-ReceiveConnector"));
    assert_eq!(
        file.inventory.servers[0].receive_connectors.items[0].name,
        "Default EX1"
    );
}

#[test]
fn numbers_beyond_every_bound_are_errors_or_unknown() {
    let digits = "9".repeat(5000);
    let file = read_bytes(&document(&[object(
        "Microsoft.Exchange.Data.Directory.SystemConfiguration.SmtpSendConnectorConfig",
        &[s("Name", "To the world"), s("Port", &digits)],
    )]));
    assert!(
        file.inventory.organisation.send_connectors.items[0]
            .port
            .is_unknown()
    );
    let file = read_bytes(format!("<Objs><I32>{digits}</I32></Objs>").as_bytes());
    assert_eq!(errors(&file).len(), 1);
    let configuration = format!(
        "<configuration><system.applicationHost><sites><site name=\"A\" id=\"{digits}\"><bindings><binding \
         protocol=\"https\" bindingInformation=\"*:{digits}:\" sslFlags=\"{digits}\" /></bindings></site></sites>\
         </system.applicationHost></configuration>"
    );
    let file = read_bytes(configuration.as_bytes());
    let site = &file.inventory.servers[0].sites.items[0];
    assert!(site.id.is_unknown() && site.bindings.items[0].ssl_flags.is_unknown());
    assert_eq!(site.bindings.items[0].endpoint(), None);
}

#[test]
fn bytes_that_are_not_the_text_they_promise_are_an_error_with_their_place() {
    let mut bytes = document(&[object(CONNECTOR, &[s("Name", "Default")])]);
    let at = bytes.windows(7).position(|window| window == b"Default").unwrap();
    bytes[at] = 0xff;
    let file = read_bytes(&bytes);
    assert_eq!(
        errors(&file),
        [format!(
            "byte {at}: expected text in UTF-8, found bytes that are none"
        )]
    );
    let odd = [0xff, 0xfe, b'<', 0, b'O'];
    assert!(speaks(&read_bytes(&odd)));
    let binary: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    assert_eq!(not_recognised(&read_bytes(&binary)).len(), 1);
}

#[test]
fn a_health_checker_result_without_its_server_says_so() {
    let file =
        read_bytes(b"<Objs><Obj><MS><Obj N=\"HealthCheckerExchangeServer\"><MS /></Obj></MS></Obj></Objs>");
    assert_eq!(
        errors(&file),
        ["HealthCheckerExchangeServer: expected ServerName, found none"]
    );
}

#[test]
fn a_damaged_thumbprint_in_a_health_checker_result_costs_nothing_else() {
    let text = format!(
        "<Objs><Obj><MS><Obj N=\"HealthCheckerExchangeServer\"><MS><S N=\"ServerName\">EX1</S>\
         <Obj N=\"OrganizationInformation\"><MS><Obj N=\"GetAuthConfig\"><TN><T>X.AuthConfig</T></TN><MS>\
         <S N=\"CurrentCertificateThumbprint\">{LEAF_THUMBPRINT}</S>\
         <S N=\"NextCertificateThumbprint\">what</S></MS></Obj></MS></Obj></MS></Obj></MS></Obj></Objs>"
    );
    let file = read_bytes(text.as_bytes());
    assert_eq!(file.holds.as_deref(), Some("HealthChecker, Get-AuthConfig"));
    let config = &file.inventory.organisation.auth_config;
    assert!(config.current.value().is_some() && config.next.is_unknown());
    assert_eq!(errors(&file).len(), 1);
}

#[test]
fn registry_values_that_health_checker_kept_are_seen_and_others_are_unknown() {
    let of = |values: &str| {
        let text = format!(
            "<Objs><Obj><MS><Obj N=\"HealthCheckerExchangeServer\"><MS><S N=\"ServerName\">EX1</S>\
             <Obj N=\"OSInformation\"><MS><Obj N=\"RegistryValues\"><MS>{values}</MS></Obj></MS></Obj>\
             </MS></Obj></MS></Obj></Objs>"
        );
        let file = read_bytes(text.as_bytes());
        assert_eq!(errors(&file), [""; 0]);
        let server = &file.inventory.servers[0];
        (
            server.root_auto_update_disabled.value().copied(),
            server.ecc_support_in_registry.value().copied(),
        )
    };
    assert_eq!(of("<I32 N=\"DisableRootAutoUpdate\">1</I32>"), (Some(true), None));
    assert_eq!(
        of("<I32 N=\"DisableRootAutoUpdate\">0</I32><S N=\"EnableEccCertificateSupport\">1</S>"),
        (Some(false), Some(true))
    );
    assert_eq!(of("<Nil N=\"DisableRootAutoUpdate\" />"), (None, None));
}
