//! Certificates of recorded exports read as OpenSSL and Exchange show them.

#![expect(clippy::print_stdout, reason = "a test says what it could not check")]

use std::path::PathBuf;

use exseal_model::Certificate;
use serde_json::Value;

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

#[test]
fn every_recorded_certificate_reads_as_recorded() {
    let Some(folder) = fixtures() else { return };
    let told: Value =
        serde_json::from_slice(&std::fs::read(folder.join("_der/certs.json")).unwrap()).unwrap();
    let told = told["certificates"]
        .as_object()
        .or_else(|| told.as_object())
        .expect("certificates by thumbprint");
    let mut read = 0;
    for entry in std::fs::read_dir(folder.join("_der")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "der") {
            continue;
        }
        let certificate = Certificate::from_der(&std::fs::read(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(certificate.thumbprint.to_string(), name);
        let told = &told[&name];
        assert_eq!(
            told["serial"].as_str().map(str::to_uppercase),
            Some(certificate.serial.clone()),
            "{name}"
        );
        assert_eq!(certificate.key_bits, Some(2048), "{name}");
        assert!(certificate.self_signed, "{name}");
        assert_eq!(certificate.subject, certificate.issuer, "{name}");
        read += 1;
    }
    assert!(read >= 20, "{read}");
}
