//! Held against what real servers sent: each recorded export of a cmdlet beside the simulation's answer to the same
//! cmdlet: types, names of properties, kinds of values, property for property.
//!
//! The recorded exports belong to others and lie outside of the repository; `EXSEAL_FIXTURES` says where.

#![expect(
    clippy::print_stdout,
    reason = "a test shows what it compared and says what it could not"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use exseal_lab::call::{Command, Endpoint};
use exseal_lab::certificate::KeyPool;
use exseal_lab::organisation::Organisation;
use exseal_lab::world::{ServerName, World};
use exseal_psrp::clixml::{ContainerKind, Document, Limits, Object, Value};

/// An organisation of a server like the recorded ones, in which every recorded object is there.
const ORGANISATION: &str = r#"
domain = "contoso.lab"
public = "public"

[[server]]
name = "EX1"
version = "2019"
build = "15.2.986.5"

[[server.receive_connector]]
name = "Default Frontend EX1"
tls_certificate_name = "public"

[[server]]
name = "EX2"
version = "2016"
build = "15.1.2507.18"

[[certificate]]
id = "public"
names = ["mail.contoso.lab"]
issuer = "public-ca"

[[send_connector]]
name = "To the cloud"
smart_hosts = ["contoso-lab.mail.example.org"]
tls_certificate_name = "public"
require_tls = true
tls_auth_level = "CertificateValidation"
cloud_services_mail = true
fqdn = "mail.contoso.lab"

[[accepted_domain]]
domain = "contoso.lab"
default = true

[[accepted_domain]]
domain = "*.contoso.example"

[[accepted_domain]]
domain = "*"
kind = "InternalRelay"

[[accepted_domain]]
domain = "other.example"
kind = "ExternalRelay"

[hybrid]
tls_certificate_name = "public"
smart_host = "mail.contoso.lab"
domains = ["contoso.lab"]

[[override]]
name = "EnableSigning"
component = "Data"
section = "EnableSerializationDataSigning"
parameters = ["Enabled=true"]
reason = "Signing"
"#;

/// A server that signs what it sends, without the Auth certificate that signing needs.
const UNSIGNED: &str = r#"
domain = "contoso.lab"
[auth]
missing_on = ["EX1"]
[[server]]
name = "EX1"
version = "2016"
build = "15.1.2507.18"
[[override]]
name = "EnableSigning"
component = "Data"
section = "EnableSerializationDataSigning"
parameters = ["Enabled=true"]
"#;

const MONITOR: &str = "Admin/MonitorExchangeAuthCertificate/DataCollection/Tests/Data";
const ACTION: &str = "Admin/MonitorExchangeAuthCertificate/ConfigurationAction/Tests/Data";
const INFORMATION: &str = "Diagnostics/HealthChecker/DataCollection/ExchangeInformation/Tests/DataCollection";
const E19: &str = "Diagnostics/HealthChecker/Tests/DataCollection/E19/Exchange";

struct Export {
    folder: &'static str,
    file: &'static str,
    cmdlet: &'static str,
    arguments: &'static [(&'static str, &'static str)],
}

const fn export(folder: &'static str, file: &'static str, cmdlet: &'static str) -> Export {
    Export {
        folder,
        file,
        cmdlet,
        arguments: &[],
    }
}

const EXPORTS: &[Export] = &[
    export(
        ACTION,
        "GetExchangeCertifiateWithNewAuthConfigCert.xml",
        "Get-ExchangeCertificate",
    ),
    export(
        ACTION,
        "InvalidExchangeDefaultTransportCertificate.xml",
        "Get-ExchangeCertificate",
    ),
    export(
        ACTION,
        "NewExchangeAuthCertificate.xml",
        "Get-ExchangeCertificate",
    ),
    export(
        ACTION,
        "NewExchangeCertificateDefaultTransport.xml",
        "Get-ExchangeCertificate",
    ),
    export(MONITOR, "GetExchangeCertificate.xml", "Get-ExchangeCertificate"),
    export(
        MONITOR,
        "GetExchangeCertificateBroken.xml",
        "Get-ExchangeCertificate",
    ),
    export(MONITOR, "GetAuthConfig.xml", "Get-AuthConfig"),
    export(MONITOR, "GetAuthConfigNoNextCert.xml", "Get-AuthConfig"),
    export(MONITOR, "GetExchangeServer.xml", "Get-ExchangeServer"),
    export(INFORMATION, "GetAuthConfig.xml", "Get-AuthConfig"),
    export(
        INFORMATION,
        "GetExchangeCertificate.xml",
        "Get-ExchangeCertificate",
    ),
    export(
        INFORMATION,
        "GetExchangeCertificateBroken.xml",
        "Get-ExchangeCertificate",
    ),
    export(
        INFORMATION,
        "GetExchangeCertificateIncomplete.xml",
        "Get-ExchangeCertificate",
    ),
    export(
        INFORMATION,
        "GetExchangeCertificateWithoutAuth.xml",
        "Get-ExchangeCertificate",
    ),
    export(INFORMATION, "GetReceiveConnector.xml", "Get-ReceiveConnector"),
    export(
        INFORMATION,
        "GetReceiveConnectorEmptyTlsCertificateName.xml",
        "Get-ReceiveConnector",
    ),
    export(INFORMATION, "GetSendConnector.xml", "Get-SendConnector"),
    export(
        INFORMATION,
        "GetSendConnectorConfiguredToRelayToM365.xml",
        "Get-SendConnector",
    ),
    export(E19, "GetAcceptedDomain.xml", "Get-AcceptedDomain"),
    export(E19, "GetAcceptedDomain_Bad.xml", "Get-AcceptedDomain"),
    export(E19, "GetAcceptedDomain_Problem.xml", "Get-AcceptedDomain"),
    export(E19, "GetAuthConfig.xml", "Get-AuthConfig"),
    export(E19, "GetExchangeCertificate.xml", "Get-ExchangeCertificate"),
    Export {
        arguments: &[
            ("Process", "Microsoft.Exchange.Directory.TopologyService"),
            ("Component", "VariantConfiguration"),
        ],
        ..export(
            E19,
            "GetExchangeDiagnosticInfo_ADTopVariantConfiguration.xml",
            "Get-ExchangeDiagnosticInfo",
        )
    },
    Export {
        arguments: &[
            ("Process", "Microsoft.Exchange.Directory.TopologyService"),
            ("Component", "VariantConfiguration"),
        ],
        ..export(
            E19,
            "GetExchangeDiagnosticInfo_ADTopVariantConfiguration1.xml",
            "Get-ExchangeDiagnosticInfo",
        )
    },
    export(E19, "GetExchangeServer.xml", "Get-ExchangeServer"),
    export(E19, "GetHybridConfiguration.xml", "Get-HybridConfiguration"),
    export(E19, "GetIrmConfiguration.xml", "Get-IRMConfiguration"),
    export(E19, "GetMailboxServer.xml", "Get-MailboxServer"),
    export(E19, "GetOrganizationConfig.xml", "Get-OrganizationConfig"),
    export(E19, "GetOrganizationConfig1.xml", "Get-OrganizationConfig"),
    export(E19, "GetOwaVirtualDirectory.xml", "Get-OwaVirtualDirectory"),
    export(E19, "GetOwaVirtualDirectory1.xml", "Get-OwaVirtualDirectory"),
    export(E19, "GetOwaVirtualDirectory2.xml", "Get-OwaVirtualDirectory"),
    export(E19, "GetPartnerApplication.xml", "Get-PartnerApplication"),
    export(E19, "GetReceiveConnector.xml", "Get-ReceiveConnector"),
    export(E19, "GetSendConnector.xml", "Get-SendConnector"),
    Export {
        arguments: &[("Identity", "EX1")],
        ..export(E19, "GetServerComponentState.xml", "Get-ServerComponentState")
    },
    export(E19, "GetSettingOverride.xml", "Get-SettingOverride"),
    export(E19, "GetSettingOverride1.xml", "Get-SettingOverride"),
    export(E19, "GetSettingOverride2.xml", "Get-SettingOverride"),
    export(
        E19,
        "GetWebServicesVirtualDirectory.xml",
        "Get-WebServicesVirtualDirectory",
    ),
    export(E19, "TestServiceHealth.xml", "Test-ServiceHealth"),
];

/// What of `object-shapes.json` is no cmdlet of Exchange, and what answers it instead.
const NOT_EXCHANGE: &[(&str, &str)] = &[
    (
        "Get-Service",
        "Windows' own: the helper's contract reads services",
    ),
    ("Get-WebBinding", "IIS' own: the helper's contract reads bindings"),
];

/// Differences that are allowed: file, beginning of the line, and why.
const ALLOWED: &[(&str, &str, &str)] = &[];

/// The folder of the recorded exports, or `None` (printed) where they are not at hand; under `CI=true` they must be.
fn fixtures() -> Option<PathBuf> {
    let folder = std::env::var_os("EXSEAL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures")),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "EXSEAL_FIXTURES names no folder"
    );
    println!("not checked: no recorded exports at hand (EXSEAL_FIXTURES)");
    None
}

fn read(path: &Path) -> Document<'static> {
    let bytes = std::fs::read(path).expect("the recorded export");
    let text = exseal_psrp::clixml::decode_bytes(&bytes).expect("text");
    Document::decode(&text, &Limits::default())
        .expect("CLIXML")
        .into_owned()
}

fn world(text: &str, keys: &KeyPool) -> World {
    let organisation = Organisation::parse(text).expect("an organisation");
    let now = "2026-11-27T12:00:00Z".parse().expect("a time");
    World::with_keys(&organisation, now, 1, keys.clone()).expect("a world")
}

/// The kind of a value: what element it is, and of which types. A type a client has deserialised already is the type it
/// was.
fn kind(document: &Document<'_>, value: &Value<'_>) -> String {
    let Some(object) = document.object(value) else {
        return match value {
            Value::Nil => "Nil",
            Value::String(_) => "S",
            Value::Bool(_) => "B",
            Value::U8(_) => "By",
            Value::I32(_) => "I32",
            Value::U32(_) => "U32",
            Value::I64(_) => "I64",
            Value::F64(_) => "Db",
            Value::Guid(_) => "G",
            Value::DateTime(_) => "DT",
            Value::TimeSpan(_) => "TS",
            Value::Uri(_) => "URI",
            Value::Bytes(_) => "BA",
            _ => "another element",
        }
        .to_owned();
    };
    let types: Vec<String> = document
        .types(object)
        .iter()
        .map(|name| {
            let name = name.to_text();
            name.strip_prefix("Deserialized.").unwrap_or(&name).to_owned()
        })
        .collect();
    let container = object.container.as_ref().map_or("", |container| {
        if container.kind == ContainerKind::List {
            " list"
        } else {
            " container"
        }
    });
    let base = object
        .base
        .as_ref()
        .map_or(String::new(), |base| kind(document, base));
    let text = if object.to_string.is_some() { " text" } else { "" };
    format!("{types:?}{container}{text} {base}")
}

/// A line for each property, those of objects within and of the first item of lists too.
fn lines(
    document: &Document<'_>,
    object: &Object<'_>,
    place: &str,
    depth: usize,
    out: &mut Vec<(String, String)>,
) {
    for (section, properties) in [("Props", &object.adapted), ("MS", &object.extended)] {
        for property in properties.iter().flatten() {
            let name = format!("{place}{section}/{}", property.name.to_text());
            out.push((name.clone(), kind(document, &property.value)));
            if depth == 0 {
                continue;
            }
            if let Some(inner) = document.object(&property.value) {
                lines(document, inner, &format!("{name}/"), depth - 1, out);
                let first = inner.container.as_ref().and_then(|own| own.items.first());
                if let Some(item) = first.and_then(|item| document.object(item)) {
                    lines(document, item, &format!("{name}[]/"), depth - 1, out);
                }
            }
        }
    }
}

fn shape(document: &Document<'_>, value: &Value<'_>) -> Vec<(String, String)> {
    let mut out = vec![("object".to_owned(), kind(document, value))];
    if let Some(object) = document.object(value) {
        lines(document, object, "", 3, &mut out);
    }
    out
}

/// What differs, and how many lines were compared.
fn difference(ours: &[(String, String)], theirs: &[(String, String)]) -> (usize, Vec<String>) {
    let mut differences = Vec::new();
    let mut compared = 0;
    for (name, kind) in theirs {
        match ours.iter().find(|(own, _)| own == name) {
            Some((_, own)) if own == kind => compared += 1,
            Some((_, own)) if own == "Nil" || kind == "Nil" => compared += 1,
            Some((_, own)) => differences.push(format!("{name}: recorded {kind}, simulated {own}")),
            None if within_empty(ours, name) => {}
            None => differences.push(format!("{name}: recorded {kind}, not simulated")),
        }
    }
    for (name, kind) in ours {
        if !theirs.iter().any(|(own, _)| own == name) && !within_empty(theirs, name) {
            differences.push(format!("{name}: simulated {kind}, not recorded"));
        }
    }
    let order = |side: &[(String, String)], other: &[(String, String)]| -> Vec<String> {
        side.iter()
            .map(|(name, _)| name.clone())
            .filter(|name| other.iter().any(|(own, _)| own == name))
            .collect()
    };
    if differences.is_empty() && order(ours, theirs) != order(theirs, ours) {
        differences.push("the properties stand in another order".to_owned());
    }
    (compared, differences)
}

/// Whether a line lies within an object that is null or a list that is empty on a side.
fn within_empty(side: &[(String, String)], name: &str) -> bool {
    if let Some((list, _)) = name.rsplit_once("[]/") {
        return side.iter().any(|(own, _)| own == list) || within_empty(side, list);
    }
    let Some((parent, _)) = name.rsplit_once("/Props/").or_else(|| name.rsplit_once("/MS/")) else {
        return false;
    };
    side.iter().any(|(own, kind)| own == parent && kind == "Nil") || within_empty(side, parent)
}

fn answer(world: &mut World, export: &Export) -> Vec<Document<'static>> {
    let mut command = Command::new(export.cmdlet);
    for (name, value) in export.arguments {
        command = command.with(name, *value);
    }
    let outcome = world.run(
        &ServerName::new("EX1"),
        Endpoint::Exchange { full: true },
        "admin",
        &command.into(),
    );
    assert_eq!(outcome.error(), None, "{}", export.cmdlet);
    outcome.output().cloned().collect()
}

#[test]
fn each_recorded_export_has_the_shape_of_the_simulated_answer() {
    let keys = KeyPool::new(4);
    let mut signed = world(ORGANISATION, &keys);
    let mut unsigned = world(UNSIGNED, &keys);
    let Some(folder) = fixtures() else { return };
    let mut table = Vec::new();
    let mut failures = Vec::new();
    let mut used = BTreeSet::new();

    for export in EXPORTS {
        let recorded = read(&folder.join(export.folder).join(export.file));
        let broken = export.file.contains("Broken");
        let ours = answer(if broken { &mut unsigned } else { &mut signed }, export);
        assert!(!ours.is_empty(), "{} gave nothing", export.cmdlet);
        let (mut compared, mut differing) = (0, 0);
        for (at, value) in recorded.values.iter().enumerate() {
            // The first object of the simulation whose shape fits best: lists are not in the same order.
            let theirs = shape(&recorded, value);
            let (lines, differences) = ours
                .iter()
                .map(|own| difference(&shape(own, &own.values[0]), &theirs))
                .min_by_key(|(_, differences)| differences.len())
                .expect("an answer");
            compared += lines;
            for difference in differences {
                let allowed = ALLOWED
                    .iter()
                    .position(|(file, line, _)| *file == export.file && difference.starts_with(line));
                match allowed {
                    Some(allowance) => {
                        used.insert(allowance);
                    }
                    None => {
                        differing += 1;
                        failures.push(format!("{} object {at}: {difference}", export.file));
                    }
                }
            }
        }
        table.push((export, recorded.values.len(), compared, differing));
    }

    for (export, objects, compared, differing) in &table {
        println!(
            "{:<58} {:<32} {objects:>3} objects {compared:>5} compared {differing:>3} differ",
            export.file, export.cmdlet
        );
    }
    let total: usize = table.iter().map(|(_, _, compared, _)| compared).sum();
    println!("{} exports, {total} properties and types compared", table.len());
    failures.truncate(60);
    assert_eq!(failures, [""; 0]);
    assert_eq!(used.len(), ALLOWED.len(), "an allowance nothing needs any more");
}

#[test]
fn each_cmdlet_of_the_listed_shapes_is_compared_or_is_not_of_exchange() {
    let Some(folder) = fixtures() else { return };
    let Ok(text) = std::fs::read_to_string(folder.join("../facts/object-shapes.json")) else {
        println!("not checked: no object-shapes.json beside the recorded exports");
        return;
    };
    let listed: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("JSON");

    let missing: Vec<&str> = listed
        .keys()
        .map(|name| name.split(' ').next().unwrap_or(name))
        .filter(|name| !EXPORTS.iter().any(|export| export.cmdlet == *name))
        .filter(|name| !NOT_EXCHANGE.iter().any(|(own, _)| own == name))
        .collect();

    assert_eq!(missing, [""; 0]);
}

#[test]
fn what_is_windows_own_is_refused_behind_exchanges_door() {
    let mut world = world(UNSIGNED, &KeyPool::new(2));

    for (cmdlet, why) in NOT_EXCHANGE {
        let outcome = world.run(
            &ServerName::new("EX1"),
            Endpoint::Exchange { full: true },
            "admin",
            &Command::new(*cmdlet).into(),
        );
        assert_eq!(
            outcome
                .error()
                .map(|error| error.fully_qualified_error_id.as_str()),
            Some("CommandNotFoundException"),
            "{cmdlet} ({why})"
        );
    }
}
