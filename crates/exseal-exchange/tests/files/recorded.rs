//! Recorded exports of real servers, where they are at hand.

use crate::input::{errors, file, given, read, recorded, servers};

#[test]
fn a_malformed_configuration_is_an_error_at_its_line_and_everything_else_is_read() {
    let Some(folder) = recorded() else { return };
    let exchange = folder.join("Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange");
    let reading = read(&[
        given(exchange.join("IIS/BadApplicationHost.config")),
        given(exchange.join("GetAuthConfig.xml")),
        given(exchange.join("GetExchangeCertificate.xml")),
    ]);
    let bad = file(&reading, "BadApplicationHost.config");
    let errors = errors(bad);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("line 128, "), "{errors:?}");
    let sites: Vec<_> = bad.inventory.servers[0]
        .sites
        .iter()
        .map(|site| site.name.as_str())
        .collect();
    assert_eq!(
        sites,
        ["Default Web Site", "Exchange Back End"],
        "they stand behind the error"
    );
    assert_eq!(
        servers(bad),
        ["Solo-E19A.Solo.com"],
        "the store given with it names the server"
    );
    assert!(
        file(&reading, "GetAuthConfig.xml")
            .inventory
            .organisation
            .auth_config
            .current
            .value()
            .is_some()
    );
}
