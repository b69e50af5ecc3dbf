//! HealthChecker's own result files: `inspect`, `discover` and `diagnose` show what is known to be in
//! them.
//!
//! Known is what PowerShell itself reads from each file (`expected.json` beside them). Where
//! HealthChecker computed a value that a store knows better, its own is looked for in its own field.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Tally, document, read_json};
use crate::{Failure, Result, workspace};

/// One file, as far as it is known.
#[derive(Debug, Deserialize)]
struct Known {
    server: String,
    build: String,
    friendly_build: String,
    auth_current: String,
    certificates: Vec<Certificate>,
    connectors: Vec<Connector>,
    bindings: Vec<Binding>,
    owa_internal: String,
    owa_external: String,
    ews_internal: String,
    setting_overrides: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Certificate {
    thumbprint: String,
    friendly_name: String,
    subject: String,
    key_bits: u64,
    signature_algorithm: String,
    dns_names: Vec<String>,
    not_after: String,
    current_auth: bool,
}

#[derive(Debug, Deserialize)]
struct Connector {
    name: String,
    identity: String,
    r#type: String,
    tls_certificate_name: String,
    healthchecker_status: String,
}

#[derive(Debug, Deserialize)]
struct Binding {
    site: String,
    protocol: String,
    binding: String,
    certificate_hash: String,
}

/// Checks every file of `folder` that its `expected.json` knows.
///
/// # Errors
///
/// `expected.json` could not be read; a file that the program cannot read is a line of the tally.
pub(super) fn check(program: &Path, folder: &Path) -> Result<Tally> {
    let known: BTreeMap<String, Known> = read_json(&folder.join("expected.json"))?;
    let mut tally = Tally::default();
    for (name, known) in &known {
        if let Err(Failure(words)) = one(program, &folder.join(name), name, known, &mut tally) {
            tally.failed.push(format!("{name}: {words}"));
        }
    }
    Ok(tally)
}

fn one(program: &Path, file: &Path, name: &str, known: &Known, tally: &mut Tally) -> Result {
    let run =
        |arguments: &[&Path]| document(program, &arguments.iter().map(PathBuf::from).collect::<Vec<_>>());
    let inspected = run(&["inspect".as_ref(), file, "--json".as_ref()])?;

    let kept = workspace::target().join("xtask-inventory.json");
    let discover = [
        Path::new("discover"),
        Path::new("--from"),
        file,
        Path::new("-o"),
        &kept,
    ];
    workspace::capture(workspace::command(program).args(discover))?;
    let inventory: Value = read_json(&kept)?;

    let diagnose = |from: &Path| {
        let now = Path::new("2026-11-22T00:00:00Z");
        run(&[
            "diagnose".as_ref(),
            "--from".as_ref(),
            from,
            "--now".as_ref(),
            now,
            "--json".as_ref(),
        ])
    };
    let diagnosis = diagnose(file)?;
    let again = diagnose(&kept)?;

    let mut seen = Looks { file: name, tally };
    in_inspect(known, &inspected, &mut seen);
    in_inventory(known, &inventory, &mut seen);
    in_diagnosis(known, &diagnosis, &mut seen);
    seen.same(
        "diagnose of the inventory, findings",
        &again["findings"],
        &diagnosis["findings"],
    );
    Ok(())
}

fn in_inspect(known: &Known, inspected: &Value, seen: &mut Looks<'_>) {
    let server = member(&inspected["servers"], "name", &known.server);
    seen.text("server", &server["name"], &known.server);
    seen.text("build", &server["build"], &build(&known.build));
    seen.text(
        "auth_current",
        &inspected["auth_config"]["current"],
        &known.auth_current,
    );
    seen.number(
        "certificates",
        length(&inspected["certificates"]),
        known.certificates.len(),
    );
    for certificate in &known.certificates {
        let at = |field: &str| format!("certificate {}, {field}", certificate.thumbprint);
        let found = member(&inspected["certificates"], "thumbprint", &certificate.thumbprint);
        seen.text(&at("subject"), &found["subject"], &certificate.subject);
        seen.text(&at("not_after"), &found["not_after"], &certificate.not_after);
        seen.text(
            &at("signature_algorithm"),
            &found["signature_algorithm"],
            &certificate.signature_algorithm,
        );
        seen.same(
            &at("key_bits"),
            &found["key_bits"],
            &Value::from(certificate.key_bits),
        );
    }

    let computed = &inspected["healthchecker"][0]["computed"];
    seen.text(
        "friendly_build",
        &computed["friendly_build"]["value"],
        &known.friendly_build,
    );
    for certificate in &known.certificates {
        let at = |field: &str| format!("HealthChecker on {}, {field}", certificate.thumbprint);
        let found = member(
            &computed["certificates"]["items"],
            "thumbprint",
            &certificate.thumbprint,
        );
        seen.text(
            &at("friendly_name"),
            &found["friendly_name"]["value"],
            &certificate.friendly_name,
        );
        seen.same(
            &at("dns_names"),
            &found["namespaces"]["value"],
            &Value::from(certificate.dns_names.clone()),
        );
        let current = if certificate.current_auth { "True" } else { "False" };
        seen.text(&at("current_auth"), &found["current_auth"]["value"], current);
    }

    seen.number(
        "connectors",
        length(&inspected["connectors"]),
        known.connectors.len(),
    );
    for connector in &known.connectors {
        let at = |field: &str| format!("connector {}, {field}", connector.identity);
        let found = member(&inspected["connectors"], "identity", &connector.identity);
        seen.text(&at("name"), &found["name"], &connector.name);
        seen.text(&at("direction"), &found["direction"], &connector.r#type);
        seen.text(
            &at("tls_certificate_name"),
            &found["tls_certificate_name"],
            &connector.tls_certificate_name,
        );
        let judged = member(&computed["connectors"]["items"], "identity", &connector.identity);
        seen.text(
            &at("status"),
            &judged["status"]["value"],
            &connector.healthchecker_status,
        );
    }

    let https = || {
        known
            .bindings
            .iter()
            .filter(|binding| binding.protocol == "https")
    };
    seen.number("https bindings", length(&inspected["bindings"]), https().count());
    for binding in https() {
        let endpoint = endpoint(&binding.binding);
        let found = member(&inspected["bindings"], "endpoint", &endpoint);
        seen.text(
            &format!("binding {endpoint}, site"),
            &found["site"],
            &binding.site,
        );
        seen.text(
            &format!("binding {endpoint}, thumbprint"),
            &found["thumbprint"],
            &binding.certificate_hash,
        );
    }
}

/// What `inspect` has no place for is in the inventory.
fn in_inventory(known: &Known, inventory: &Value, seen: &mut Looks<'_>) {
    let server = member(&inventory["servers"], "name", &known.server);
    for binding in &known.bindings {
        let site = member(&server["sites"]["items"], "name", &binding.site);
        let found = elements(&site["bindings"]["items"]).find(|found| {
            found["protocol"].as_str() == Some(&binding.protocol)
                && found["information"].as_str() == Some(&binding.binding)
        });
        let thumbprint = found.map_or(&Value::Null, |found| &found["thumbprint"]["value"]);
        let at = format!(
            "inventory, {} binding {} of {}",
            binding.protocol, binding.binding, binding.site
        );
        seen.is(&at, found.is_some(), "no such binding");
        seen.text(&at, thumbprint, &binding.certificate_hash);
    }

    let url = |kind: &str, which: &str| {
        let directories = &server["virtual_directories"]["items"];
        let found = elements(directories).find(|found| found["kind"]["value"] == *kind);
        found.map_or(Value::Null, |found| found[which]["value"].clone())
    };
    seen.text(
        "OWA, internal URL",
        &url("owa", "internal_url"),
        &known.owa_internal,
    );
    seen.text(
        "OWA, external URL",
        &url("owa", "external_url"),
        &known.owa_external,
    );
    seen.text(
        "EWS, internal URL",
        &url("ews", "internal_url"),
        &known.ews_internal,
    );
    for name in &known.setting_overrides {
        let found = member(
            &inventory["organisation"]["setting_overrides"]["items"],
            "name",
            name,
        );
        seen.text("setting override", &found["name"], name);
    }
}

/// A binding whose certificate no store of the file holds is found, and so is the Auth certificate's end.
fn in_diagnosis(known: &Known, diagnosis: &Value, seen: &mut Looks<'_>) {
    let found = |name: &str, part: &str| {
        elements(&diagnosis["findings"]).any(|finding| {
            finding["name"] == *name && finding.to_string().to_lowercase().contains(&part.to_lowercase())
        })
    };
    for binding in known
        .bindings
        .iter()
        .filter(|binding| binding.protocol == "https")
    {
        let hash = &binding.certificate_hash;
        let held = known
            .certificates
            .iter()
            .any(|certificate| certificate.thumbprint == *hash);
        let said = found("bound-certificate-not-in-store", hash);
        seen.is(
            &format!("finding about the binding to {hash}"),
            said != held,
            "the opposite",
        );
    }
    for certificate in known
        .certificates
        .iter()
        .filter(|certificate| certificate.current_auth)
    {
        let ended = certificate.not_after.as_str() < "2026-11-22";
        let said = found("auth-current-expired", &certificate.thumbprint);
        seen.is(
            "finding about the current Auth certificate",
            said == ended,
            "the opposite",
        );
    }
}

/// Counts what was looked for in one file.
struct Looks<'t> {
    file: &'t str,
    tally: &'t mut Tally,
}

impl Looks<'_> {
    fn same(&mut self, what: &str, found: &Value, expected: &Value) {
        let outcome = if found == expected {
            Ok(())
        } else {
            Err(format!("expected {expected}, found {found}"))
        };
        self.tally.count(|| format!("{}, {what}", self.file), outcome);
    }

    /// Equal without regard to case; null is an empty text.
    fn text(&mut self, what: &str, found: &Value, expected: &str) {
        let text = if found.is_null() { Some("") } else { found.as_str() };
        let equal = text.is_some_and(|text| text.eq_ignore_ascii_case(expected));
        let outcome = if equal {
            Ok(())
        } else {
            Err(format!("expected {expected:?}, found {found}"))
        };
        self.tally.count(|| format!("{}, {what}", self.file), outcome);
    }

    fn number(&mut self, what: &str, found: usize, expected: usize) {
        self.same(what, &Value::from(found), &Value::from(expected));
    }

    fn is(&mut self, what: &str, holds: bool, otherwise: &str) {
        let outcome = if holds {
            Ok(())
        } else {
            Err(format!("found {otherwise}"))
        };
        self.tally.count(|| format!("{}, {what}", self.file), outcome);
    }
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

/// The first element whose `key` is `wanted`, without regard to case; null where there is none.
fn member<'v>(list: &'v Value, key: &str, wanted: &str) -> &'v Value {
    let matches = |element: &&Value| {
        element[key]
            .as_str()
            .is_some_and(|own| own.eq_ignore_ascii_case(wanted))
    };
    elements(list).find(matches).unwrap_or(&Value::Null)
}

/// `15.02.0986.005` as exseal writes it: `15.2.986.5`.
fn build(text: &str) -> String {
    let parts: Vec<&str> = text.split('.').map(|part| part.trim_start_matches('0')).collect();
    parts
        .into_iter()
        .map(|part| if part.is_empty() { "0" } else { part })
        .collect::<Vec<_>>()
        .join(".")
}

/// `:443:` and `*:443:` as exseal writes them: `*:443`.
fn endpoint(binding: &str) -> String {
    let binding = binding.trim_end_matches(':');
    if binding.starts_with(':') {
        format!("*{binding}")
    } else {
        binding.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn builds_and_endpoints_are_compared_as_exseal_writes_them() {
        assert_eq!(build("15.02.0986.005"), "15.2.986.5");
        assert_eq!(build("15.02.0000.0"), "15.2.0.0");
        assert_eq!(endpoint(":443:"), "*:443");
        assert_eq!(endpoint("*:444:"), "*:444");
        assert_eq!(endpoint("127.0.0.1:443:"), "127.0.0.1:443");
    }

    #[test]
    fn what_differs_is_a_line_with_both_sides() {
        let mut tally = Tally::default();
        let mut seen = Looks {
            file: "a.xml",
            tally: &mut tally,
        };

        seen.text("subject", &json!("cn=a"), "CN=A");
        seen.text("owa", &Value::Null, "");
        seen.text("owa", &Value::Null, "https://a.example");
        seen.number("certificates", 2, 3);

        assert_eq!(tally.held, 2);
        assert_eq!(
            tally.failed,
            [
                "a.xml, owa: expected \"https://a.example\", found null",
                "a.xml, certificates: expected 3, found 2"
            ]
        );
    }

    #[test]
    fn a_member_that_is_not_there_is_null() {
        let list = json!([{"name": "EX1", "build": "15.2"}]);
        assert_eq!(member(&list, "name", "ex1")["build"], "15.2");
        assert!(member(&list, "name", "EX2").is_null());
        assert!(member(&Value::Null, "name", "EX2").is_null());
    }
}
