//! Recorded exports of real servers, where they are at hand.

use crate::input::{errors, file, given, not_recognised, read, read_bytes, recorded, servers};

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

#[test]
fn every_recorded_cmdlet_is_recognised_by_its_content() {
    let Some(folder) = recorded() else { return };
    let shapes = folder.join("../facts/object-shapes.json");
    let Ok(shapes) = std::fs::read(&shapes) else {
        println!("not checked: {} is not at hand", shapes.display());
        return;
    };
    let shapes: serde_json::Value = serde_json::from_slice(&shapes).unwrap();
    for (cmdlet, shape) in shapes.as_object().unwrap() {
        let reading = read(&[given(folder.join(shape["file"].as_str().unwrap()))]);
        let [file] = reading.files.as_slice() else {
            panic!("{cmdlet}: one file");
        };
        let cmdlet = cmdlet.split(" (").next();
        assert_eq!(file.holds.as_deref(), cmdlet, "{}", file.path);
        assert!(!file.unrecorded, "{}", file.path);
        assert_eq!(errors(file), [""; 0], "{}", file.path);
    }
}

#[test]
fn every_recorded_file_is_read_or_listed_and_none_in_silence() {
    let Some(folder) = recorded() else { return };
    let reading = read(&[given(&folder)]);
    assert!(reading.files.len() > 100);
    for file in &reading.files {
        assert!(
            file.holds.is_some() || !not_recognised(file).is_empty(),
            "{} passed in silence",
            file.path
        );
    }
}

#[test]
fn recorded_files_cut_anywhere_say_so() {
    let Some(folder) = recorded() else { return };
    let exchange = folder.join("Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange");
    for name in [
        "GetExchangeCertificate.xml",
        "GetSendConnector.xml",
        "IIS/applicationHost.config",
        "GetIrmConfiguration.xml",
    ] {
        let bytes = std::fs::read(exchange.join(name)).unwrap();
        for part in 1..12 {
            let file = read_bytes(&bytes[..bytes.len() * part / 12]);
            assert!(
                !file.inventory.errors.is_empty(),
                "{name}, {part} twelfths: {:?}",
                not_recognised(&file)
            );
        }
    }
}

#[test]
fn sites_of_one_binding_each_are_those_of_the_server_whose_store_is_given() {
    let Some(folder) = recorded() else { return };
    let exchange = folder.join("Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange");
    let reading = read(&[
        given(exchange.join("IIS/GetWebBinding.xml")),
        given(exchange.join("GetExchangeCertificate.xml")),
        given(exchange.join("ExSetup.xml")),
    ]);
    for file in &reading.files {
        assert_eq!(servers(file), ["Solo-E19A.Solo.com"], "{}", file.path);
    }
    let setup = file(&reading, "ExSetup.xml");
    assert_eq!(
        setup.inventory.servers[0]
            .setup_build
            .value()
            .unwrap()
            .to_string(),
        "15.2.986.5"
    );
}

/// HealthChecker's own results, each as its `expected.json` tells them.
#[test]
fn results_of_health_checker_give_what_powershell_reads_from_them() {
    let Some(folder) = recorded() else { return };
    let folder = folder.join("healthchecker");
    let told: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    for (name, told) in told.as_object().unwrap() {
        let reading = read(&[given(folder.join(name))]);
        let file = file(&reading, name);
        assert!(
            file.holds.as_deref().unwrap().starts_with("HealthChecker, "),
            "{name}"
        );
        let inventory = &file.inventory;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let server = inventory.server(&text(&told["server"])).unwrap();
        assert_eq!(
            server.setup_build.value(),
            Some(&text(&told["build"]).parse().unwrap()),
            "{name}"
        );
        assert_eq!(
            server.healthchecker.friendly_build.value(),
            Some(&text(&told["friendly_build"])),
            "{name}"
        );
        let current = inventory.organisation.auth_config.current.value();
        assert_eq!(
            current.unwrap().to_string(),
            text(&told["auth_current"]),
            "{name}"
        );

        let judged = &server.healthchecker.certificates.items;
        assert_eq!(
            judged.len(),
            told["certificates"].as_array().unwrap().len(),
            "{name}"
        );
        for (judged, told) in judged.iter().zip(told["certificates"].as_array().unwrap()) {
            let at = format!("{name}, {}", judged.thumbprint);
            assert_eq!(judged.thumbprint.to_string(), text(&told["thumbprint"]), "{at}");
            let certificate = inventory.certificate(judged.thumbprint).unwrap();
            assert_eq!(certificate.subject, text(&told["subject"]), "{at}");
            assert_eq!(
                certificate.signature_algorithm,
                text(&told["signature_algorithm"]),
                "{at}"
            );
            assert_eq!(
                certificate.not_after,
                text(&told["not_after"]).parse().unwrap(),
                "{at}"
            );
            assert_eq!(u64::from(certificate.key_bits.unwrap()), told["key_bits"], "{at}");
            assert_eq!(
                judged.friendly_name.value(),
                Some(&text(&told["friendly_name"])),
                "{at}"
            );
            assert_eq!(
                serde_json::to_value(judged.namespaces.value()).unwrap(),
                told["dns_names"],
                "{at}: the names HealthChecker shows"
            );
            assert_eq!(
                judged
                    .current_auth
                    .value()
                    .map(|told| told.eq_ignore_ascii_case("true")),
                told["current_auth"].as_bool(),
                "{at}"
            );
        }

        for told in told["connectors"].as_array().unwrap() {
            let identity = text(&told["identity"]);
            let judged = server
                .healthchecker
                .connectors
                .iter()
                .find(|judged| judged.identity == identity)
                .unwrap();
            assert_eq!(
                judged.status.value(),
                Some(&text(&told["healthchecker_status"])),
                "{identity}"
            );
            assert_eq!(
                judged.connector_type.value(),
                Some(&text(&told["type"])),
                "{identity}"
            );
            let wanted = Some(text(&told["tls_certificate_name"])).filter(|name| !name.is_empty());
            let found = match text(&told["type"]).as_str() {
                "Send" => inventory
                    .organisation
                    .send_connectors
                    .iter()
                    .find(|connector| connector.identity.value() == Some(&identity))
                    .map(|connector| &connector.tls_certificate_name),
                _ => inventory
                    .servers
                    .iter()
                    .flat_map(|server| &server.receive_connectors)
                    .find(|connector| connector.identity.value() == Some(&identity))
                    .map(|connector| &connector.tls_certificate_name),
            };
            assert_eq!(found.unwrap().known(), Some(wanted.as_ref()), "{identity}");
        }

        let url = |kind: &str, external: bool| {
            let directory = server
                .virtual_directories
                .iter()
                .find(|directory| directory.kind.value().is_some_and(|own| own == kind))
                .unwrap();
            let url = if external {
                &directory.external_url
            } else {
                &directory.internal_url
            };
            url.value().cloned().unwrap_or_default()
        };
        assert_eq!(url("owa", false), text(&told["owa_internal"]), "{name}");
        assert_eq!(url("owa", true), text(&told["owa_external"]), "{name}");
        assert_eq!(url("ews", false), text(&told["ews_internal"]), "{name}");
        let overrides = &inventory.organisation.setting_overrides;
        for wanted in told["setting_overrides"].as_array().unwrap() {
            assert!(
                overrides.iter().any(|own| own.name == text(wanted)),
                "{name}: {wanted}"
            );
        }
        assert!(!overrides.iter().any(|own| own.name.is_empty()), "{name}");

        for told in told["bindings"].as_array().unwrap() {
            let site = server
                .sites
                .iter()
                .find(|site| site.name == text(&told["site"]))
                .unwrap();
            let binding = site
                .bindings
                .iter()
                .find(|binding| {
                    binding.information == text(&told["binding"])
                        && binding.protocol == text(&told["protocol"])
                })
                .unwrap();
            let hash = text(&told["certificate_hash"]);
            assert_eq!(
                binding.thumbprint.value().map(ToString::to_string),
                Some(hash).filter(|hash| !hash.is_empty()),
                "{name}"
            );
        }
    }
}
