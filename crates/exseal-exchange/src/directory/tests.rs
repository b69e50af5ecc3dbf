use exseal_model::inventory::Role;
use exseal_model::{Build, Channel};

use super::*;

const ORG: &str = "CN=Org,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=x";

fn at() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

fn organisation() -> Entry {
    Entry::new(
        ORG,
        &[("objectClass", b"msExchOrganizationContainer"), ("cn", b"Org")],
    )
}

fn server(name: &str, more: &[(&str, &[u8])]) -> Entry {
    let mut values: Vec<(&str, &[u8])> = vec![
        ("objectClass", b"server"),
        ("objectClass", b"msExchExchangeServer"),
    ];
    values.extend_from_slice(more);
    Entry::new(&format!("CN={name},CN=Servers,{ORG}"), &values)
}

fn read(entries: Vec<Entry>) -> Inventory {
    recognise(&Answer::new(entries, true), "ldaps://dc1", at()).unwrap()
}

#[test]
fn a_forest_without_exchange_is_a_clear_error() {
    let error = recognise(&Answer::default(), "ldaps://dc1", at()).unwrap_err();
    assert!(matches!(error, DirectoryError::NoExchange { .. }), "{error}");
}

#[test]
fn builds_are_30000_less_than_the_directory_says() {
    let inventory = read(vec![
        organisation(),
        server("EX1", &[("serialNumber", b"Version 15.2 (Build 31544.009)")]),
        server("OLD", &[("versionNumber", b"1937802592")]),
    ]);
    assert_eq!(
        inventory.server("EX1").unwrap().build.value(),
        Some(&Build(15, 2, 1544, 9))
    );
    assert_eq!(
        inventory.server("OLD").unwrap().build.value(),
        Some(&Build(14, 0, 1376, 0))
    );
}

#[test]
fn roles_are_those_the_cmdlet_names() {
    let roles = |bits: &[u8]| {
        let entry = server("EX1", &[("msExchCurrentServerRoles", bits)]);
        read(vec![organisation(), entry])
            .server("EX1")
            .unwrap()
            .roles
            .value()
            .cloned()
    };
    assert_eq!(roles(b"16423"), Some(vec![Role::Mailbox]));
    assert_eq!(roles(b"64"), Some(vec![Role::Edge]));
    assert_eq!(
        roles(b"54"),
        Some(vec![Role::Mailbox, Role::UnifiedMessaging, Role::HubTransport]),
    );
    assert_eq!(roles(b"many"), None);
}

#[test]
fn an_attribute_nobody_shows_is_unknown_and_one_others_have_is_absent() {
    let connector = |name: &str, more: &[(&str, &[u8])]| {
        let mut values: Vec<(&str, &[u8])> = vec![("objectClass", b"msExchSmtpReceiveConnector")];
        values.extend_from_slice(more);
        Entry::new(&format!("CN={name},CN=R,CN=EX1,CN=Servers,{ORG}"), &values)
    };
    let certificate: &[u8] = b"<I>CN=a<S>CN=b";
    let alone = read(vec![organisation(), server("EX1", &[]), connector("one", &[])]);
    let both = read(vec![
        organisation(),
        server("EX1", &[]),
        connector("one", &[]),
        connector("two", &[("msExchSmtpTLSCertificate", certificate)]),
    ]);
    let one = |inventory: &Inventory| {
        inventory.server("EX1").unwrap().receive_connectors.items[0]
            .tls_certificate_name
            .clone()
    };
    assert!(one(&alone).is_unknown());
    assert!(one(&both).is_absent());
}

#[test]
fn the_thumbprints_of_the_auth_configuration_are_told_apart_by_their_prefixes() {
    let thumbprint = |digit: &str| digit.repeat(40);
    let values = [format!("2:{}", thumbprint("B")), thumbprint("a")];
    let entry = Entry::new(
        &format!("CN=Auth Configuration,{ORG}"),
        &[
            ("objectClass", b"msExchAuthAuthConfig"),
            ("msExchAuthCertificateThumbprint", values[0].as_bytes()),
            ("msExchAuthCertificateThumbprint", values[1].as_bytes()),
            ("msExchAuthNextEffectiveDate", b"20261224120000.0Z"),
        ],
    );
    let inventory = read(vec![organisation(), entry]);
    let config = inventory.organisation.auth_config;
    assert_eq!(config.current.value().unwrap().to_string(), thumbprint("A"));
    assert_eq!(config.next.value().unwrap().to_string(), thumbprint("B"));
    assert!(config.previous.is_absent());
    assert_eq!(
        config.next_effective.value().unwrap().to_string(),
        "2026-12-24T12:00:00Z"
    );
    let source = inventory.sources.first().unwrap();
    assert_eq!(source.channel, Channel::Directory);
}

#[test]
fn an_override_is_read_with_its_servers_and_parameters() {
    let xml = r#"<S CN="Data" SN="EnableSerializationDataSigning" MB="a" R="why &amp; what"><Ss><S>ex1</S></Ss><Ps><P>Enabled=true</P></Ps></S>"#;
    let entry = Entry::new(
        &format!("CN=Signing,CN=Setting Overrides,{ORG}"),
        &[
            ("objectClass", b"msExchConfigSettings"),
            ("msExchConfigurationXML", xml.as_bytes()),
        ],
    );
    let inventory = read(vec![organisation(), entry]);
    let setting = &inventory.organisation.setting_overrides.items[0];
    assert_eq!(setting.component.value().unwrap(), "Data");
    assert_eq!(setting.reason.value().unwrap(), "why & what");
    assert_eq!(setting.server.value().unwrap(), "ex1");
    assert_eq!(setting.parameters.value().unwrap(), &["Enabled=true"]);
}

#[test]
fn an_answer_that_was_cut_off_makes_no_list_complete() {
    let answer = Answer::new(vec![organisation(), server("EX1", &[])], false);
    let inventory = recognise(&answer, "ldaps://dc1", at()).unwrap();
    assert!(!inventory.organisation.send_connectors.is_complete());
    assert!(!inventory.organisation.send_connectors.is_unknown());
    assert!(inventory.organisation.hybrid.present.is_unknown());
}
