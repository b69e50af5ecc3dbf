//! What is said about recorded exports of Microsoft's own test labs: every finding, each held against the data by hand.
//!
//! Folders there mix labs (their manifest says which), so a set names its files. What such a mixture makes untrue of any real
//! organisation is still true of the files together: a connector of one lab names a certificate that the store of another
//! does not have.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::json;

/// The recorded exports, or `None` (printed) where they are not at hand; under `CI=true` they must be.
fn fixtures() -> Option<PathBuf> {
    let path = std::env::var_os("EXSEAL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures")),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "EXSEAL_FIXTURES names no folder"
    );
    println!("not checked: no recorded exports at hand (EXSEAL_FIXTURES)");
    None
}

/// The findings about some files at a time, each with what was wanted and found. A file may have its server's name before it.
fn findings(now: &str, files: &[&str]) -> Option<String> {
    let folder = fixtures()?;
    let paths: Vec<String> = files
        .iter()
        .map(|file| {
            let (server, file) = file.split_once('=').unwrap_or(("", file));
            let path = folder.join(file).to_str().expect("a path in UTF-8").to_owned();
            if server.is_empty() {
                path
            } else {
                format!("{server}={path}")
            }
        })
        .collect();
    let mut arguments = vec!["diagnose", "--json", "--now", now, "--from"];
    arguments.extend(paths.iter().map(String::as_str));
    let told = json(&arguments);
    let mut out = String::new();
    for finding in told["findings"].as_array().expect("findings") {
        let text = |key: &str| match &finding[key] {
            serde_json::Value::Null => "-".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let _ = writeln!(
            out,
            "{}: {} · {} · {}\n    wanted {}\n    found  {}",
            text("severity"),
            text("name"),
            text("server"),
            text("slot"),
            text("wanted"),
            text("found"),
        );
    }
    Some(out)
}

/// One snapshot a set.
macro_rules! recorded {
    ($($name:ident: $now:literal, [$($file:expr),+ $(,)?];)+) => {$(
        #[test]
        fn $name() {
            if let Some(found) = findings($now, &[$($file),+]) {
                insta::assert_snapshot!(stringify!($name), found);
            }
        }
    )+};
}

recorded! {
    // One lab, E2k16-1.Contoso.lab, its Auth Certificate staged and a second server in the directory.
    auth_certificate_lab: "2023-01-10T12:00:00Z", [
        "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data/GetExchangeCertificate.xml",
        "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data/GetAuthConfig.xml",
        "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data/GetExchangeServer.xml",
        "Admin/MonitorExchangeAuthCertificate/ConfigurationAction/Tests/Data/GetWebSite.json",
        "Admin/MonitorExchangeAuthCertificate/ConfigurationAction/Tests/Data/GetInternalTransportCertificateFromServer.xml",
    ];
    // The same lab where payload signing is broken: only RawData came.
    auth_certificate_lab_without_payloads: "2023-01-10T12:00:00Z", [
        "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data/GetExchangeCertificateBroken.xml",
        "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data/GetAuthConfig.xml",
        "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data/GetExchangeServer.xml",
    ];
    // One lab, WIN-CTD3L0RGEN4.exlab.dom.
    connector_lab: "2022-01-01T00:00:00Z", [
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetExchangeCertificate.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetAuthConfig.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetReceiveConnector.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetSendConnector.xml",
    ];
    // The same lab without its Auth Certificate.
    connector_lab_without_auth: "2022-01-01T00:00:00Z", [
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetExchangeCertificateWithoutAuth.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetAuthConfig.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetReceiveConnector.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetSendConnector.xml",
    ];
    // The same lab without the certificate that its front end's connector names.
    connector_lab_without_connector_certificate: "2022-01-01T00:00:00Z", [
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetExchangeCertificateIncomplete.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetReceiveConnector.xml",
        "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection/GetSendConnector.xml",
    ];
    // The first lab after its Auth Certificate was made anew.
    auth_certificate_lab_afterwards: "2023-01-10T12:00:00Z", [
        "Admin/MonitorExchangeAuthCertificate/ConfigurationAction/Tests/Data/GetExchangeCertifiateWithNewAuthConfigCert.xml",
        "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data/GetAuthConfigNoNextCert.xml",
    ];
    // Certificates, server, services and sites of SOLO-E19A; connectors of exlab.dom, hybrid of 365labs.net, internal transport of contoso.lab.
    mixed_labs: "2022-01-01T00:00:00Z", [
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetExchangeCertificate.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetAuthConfig.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetExchangeServer.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetReceiveConnector.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetSendConnector.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetHybridConfiguration.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetInternalTransportCertificateFromServer.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetOwaVirtualDirectory.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetWebServicesVirtualDirectory.xml",
        "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/GetServerComponentState.xml",
        "Solo-E19A.Solo.com=Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange/IIS/GetWebBinding.xml",
        "Solo-E19A.Solo.com=Diagnostics/HealthChecker/Tests/DataCollection/E19/OS/GetService1.xml",
    ];
    health_checker_main: "2022-01-01T00:00:00Z", ["healthchecker/HealthChecker-E19-Main.xml"];
    health_checker_scenarios: "2022-01-01T00:00:00Z", ["healthchecker/HealthChecker-E19-Scenarios-1.xml"];
    health_checker_unmodified: "2022-01-01T00:00:00Z", ["healthchecker/HealthChecker-E19-UnmodifiedScriptRun.xml"];
}
