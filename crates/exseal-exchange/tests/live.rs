//! What a live look reads is what the readers of exported files read, and nothing else is ever asked.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exseal_exchange::files::{self, Given, Limits, Options};
use exseal_exchange::live::{self, Answer, Asked, Shell, Unanswered};
use exseal_model::inventory::Server;
use exseal_model::{Channel, Inventory};
use exseal_psrp::clixml::{Document, Limits as XmlLimits, PsString, Value as Object};
use exseal_psrp::data::Data;
use exseal_psrp::message::{Command, ErrorCategory, ErrorRecord, Pipeline};
use serde_json::{Value, json};

const ADDRESS: &str = "http://ex1.kiefer.example/PowerShell/";

fn asked() -> Asked<'static> {
    Asked {
        address: ADDRESS,
        at: "2026-11-24T09:00:00Z".parse().unwrap(),
    }
}

fn text(value: &Data) -> String {
    match value {
        Data::Value(Object::String(text)) => text.to_text().into_owned(),
        other => format!("{other:?}"),
    }
}

fn argument<'p>(command: &'p Command, name: &str) -> Option<&'p Data> {
    command
        .arguments()
        .iter()
        .find(|(own, _)| own.as_deref() == Some(name))
        .map(|(_, value)| value)
}

/// A PowerShell that answers from what it was given, and remembers what it was asked.
#[derive(Default)]
struct Recorded {
    /// By cmdlet, with `-Name VALUE` behind it where it was given.
    answers: BTreeMap<String, Answer>,
    asked: Vec<String>,
    /// After so many pipelines the session breaks.
    breaks_after: Option<usize>,
}

impl Shell for Recorded {
    async fn run(&mut self, pipeline: &Pipeline) -> Result<Answer, Unanswered> {
        if self.breaks_after == Some(self.asked.len()) {
            return Err(Unanswered::Gone("the connection broke".to_owned()));
        }
        let [commands] = pipeline.statements() else {
            panic!("expected one statement");
        };
        let first = &commands[0];
        let mut words = vec![first.text().to_owned()];
        for (name, value) in first.arguments() {
            if name.as_deref() != Some("Text") {
                words.push(format!(
                    "-{} {}",
                    name.as_deref().unwrap_or_default(),
                    text(value)
                ));
            }
        }
        for further in &commands[1..] {
            words.push(format!("| {}", further.text()));
        }
        self.asked.push(words.join(" "));
        if first.is_script() {
            return Ok(Answer::default());
        }
        let key = match argument(first, "Name") {
            Some(name) => format!("{} {}", first.text(), text(name)),
            None => first.text().to_owned(),
        };
        self.answers.get(&key).cloned().ok_or_else(|| {
            Unanswered::Failed(Box::new(ErrorRecord::new(
                "not here",
                "CommandNotFoundException",
                ErrorCategory::ObjectNotFound,
                "CommandNotFoundException",
            )))
        })
    }
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/kiefer")
        .join(name)
}

fn read(path: &Path) -> Inventory {
    let given = [Given {
        server: None,
        path: path.to_path_buf(),
    }];
    let reading = files::read(
        &given,
        &Options {
            password: &|_| None,
            limits: Limits::default(),
        },
    );
    together(reading.into_inventories().collect())
}

/// Servers of several readings side by side: one, because the sample's folder is one server's.
fn together(inventories: Vec<Inventory>) -> Inventory {
    let mut merged = Inventory::default();
    for one in inventories {
        for server in one.servers {
            exseal_model::Merge::merge(merged.server_mut(&server.name.clone()), server);
        }
        merged.certificates.extend(one.certificates);
        exseal_model::Merge::merge(&mut merged.organisation, one.organisation);
    }
    merged
}

/// The objects of an exported file, one document each.
fn objects(path: &Path) -> Vec<Document<'static>> {
    let bytes = std::fs::read(path).unwrap();
    let text = exseal_psrp::clixml::decode_bytes(&bytes).unwrap().into_owned();
    let document = Document::decode(&text, &XmlLimits::default())
        .unwrap()
        .into_owned();
    document
        .values
        .clone()
        .into_iter()
        .map(|value| Document {
            values: vec![value],
            ..document.clone()
        })
        .collect()
}

/// The sample's exports of a folder, by cmdlet.
fn recorded(folder: &str) -> Recorded {
    let mut shell = Recorded::default();
    for file in std::fs::read_dir(sample(folder)).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "xml") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            for object in objects(&path) {
                // The sample has all virtual directories in one file.
                let cmdlet = directory_cmdlet(&object).unwrap_or(&name).to_owned();
                shell.answers.entry(cmdlet).or_default().objects.push(object);
            }
        }
    }
    shell
}

fn directory_cmdlet(document: &Document<'static>) -> Option<&'static str> {
    let class = document.object(&document.values[0])?;
    let name = document.types(class).first()?.to_text().into_owned();
    [
        ("ADOwaVirtualDirectory", "Get-OwaVirtualDirectory"),
        ("ADEcpVirtualDirectory", "Get-EcpVirtualDirectory"),
        ("ADWebServicesVirtualDirectory", "Get-WebServicesVirtualDirectory"),
        ("ADMapiVirtualDirectory", "Get-MapiVirtualDirectory"),
        ("ADOabVirtualDirectory", "Get-OabVirtualDirectory"),
        ("ADMobileVirtualDirectory", "Get-ActiveSyncVirtualDirectory"),
        ("ADPowerShellVirtualDirectory", "Get-PowerShellVirtualDirectory"),
        (
            "ADAutodiscoverVirtualDirectory",
            "Get-AutodiscoverVirtualDirectory",
        ),
        ("ADRpcHttpVirtualDirectory", "Get-OutlookAnywhere"),
    ]
    .into_iter()
    .find(|(class, _)| name.ends_with(class))
    .map(|(_, cmdlet)| cmdlet)
}

/// What counts of a server, without who saw it.
fn shown(server: &Server) -> Value {
    fn plain(value: &Value) -> Value {
        match value {
            Value::Object(fields) if fields.contains_key("source") => plain(&fields["value"]),
            Value::Object(fields) => fields
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "by" | "looks" | "unknown"))
                .map(|(key, value)| (key.clone(), plain(value)))
                .collect(),
            Value::Array(items) => items.iter().map(plain).collect(),
            other => other.clone(),
        }
    }
    plain(&serde_json::to_value(server).unwrap())
}

#[tokio::test]
async fn cmdlets_asked_live_give_what_their_exports_give() {
    let mut shell = recorded("ex1");
    let live = live::server(&mut shell, asked(), "EX1", false).await;

    assert_eq!(live.broken, None);
    let exported = read(&sample("ex1"));
    let (live_server, exported) = (
        live.inventory.server("EX1").unwrap(),
        exported.server("EX1").unwrap(),
    );
    for field in [
        "my",
        "receive_connectors",
        "pop",
        "imap",
        "virtual_directories",
        "internal_transport",
    ] {
        let (found, wanted) = (shown(live_server), shown(exported));
        // What the sample's folder has beside the cmdlets' exports (netsh, IIS) is not asked of Exchange.
        if !wanted[field].is_null() {
            assert_eq!(found[field], wanted[field], "{field}");
        }
    }
    assert!(live_server.my.is_complete());
    for source in &live.inventory.sources {
        assert_eq!(source.channel, Channel::Exchange);
        assert_eq!(source.file.as_deref(), Some(ADDRESS));
        assert!(source.at.is_some());
    }
}

#[tokio::test]
async fn every_cmdlet_reads_only_is_about_the_server_and_selects_there() {
    let mut shell = recorded("ex1");
    live::server(&mut shell, asked(), "EX1", false).await;
    live::organisation(&mut shell, asked()).await;
    live::servers(&mut shell, asked()).await;

    assert!(shell.asked.len() > 25, "{}", shell.asked.len());
    for asked in &shell.asked {
        assert!(
            asked.starts_with("Get-") || asked.starts_with("Test-ServiceHealth "),
            "{asked}"
        );
        assert!(asked.ends_with("| Select-Object"), "{asked}");
        let per_server = asked.contains("-Server EX1") || asked.contains("-Identity EX1");
        let organisation = [
            "AuthConfig",
            "SendConnector",
            "Hybrid",
            "AcceptedDomain",
            "Federation",
            "EdgeSubscription",
        ]
        .into_iter()
        .chain([
            "SettingOverride",
            "PartnerApplication",
            "OrganizationConfig",
            "ExchangeServer",
        ])
        .any(|name| asked.contains(name));
        assert!(per_server != organisation, "{asked}");
    }
}

#[tokio::test]
async fn an_answer_about_another_server_is_left_out_and_named() {
    let mut shell = recorded("ex2");
    let live = live::server(&mut shell, asked(), "EX1", false).await;

    let connectors = live
        .inventory
        .server("EX1")
        .map(|server| server.receive_connectors.items.len());
    assert_eq!(connectors, Some(0));
    assert!(live.inventory.server("EX2").is_none());
    let found: Vec<&str> = live
        .inventory
        .errors
        .iter()
        .filter(|error| error.at == "Get-ReceiveConnector")
        .map(|error| error.expected.as_str())
        .collect();
    assert_eq!(found, ["an answer about EX1"]);
    let listing = &live.inventory.server("EX1").unwrap().receive_connectors;
    assert!(
        !listing.is_complete(),
        "nothing is missing because another server answered"
    );
}

#[tokio::test]
async fn with_a_broken_auth_certificate_raw_data_alone_is_read() {
    let path = sample("ex1").join("Get-ExchangeCertificate.xml");
    let whole = objects(&path);
    // As Select-Object leaves it: an object without any of the properties.
    let empty = Document::decode(
        "<Obj RefId=\"0\"><TN RefId=\"0\"><T>Selected.X</T></TN><MS><Nil N=\"Thumbprint\"/><Nil N=\"Services\"/></MS></Obj>",
        &XmlLimits::default(),
    )
    .unwrap()
    .into_owned();
    struct Half {
        selected: Vec<Document<'static>>,
        plain: Vec<Document<'static>>,
    }
    impl Shell for Half {
        async fn run(&mut self, pipeline: &Pipeline) -> Result<Answer, Unanswered> {
            let commands = &pipeline.statements()[0];
            let objects = match (commands[0].text(), commands.len()) {
                ("Get-ExchangeCertificate", 1) => self.plain.clone(),
                ("Get-ExchangeCertificate", _) => self.selected.clone(),
                _ => Vec::new(),
            };
            let errors = Vec::new();
            Ok(Answer { objects, errors })
        }
    }
    let mut shell = Half {
        selected: vec![empty; whole.len()],
        plain: whole.clone(),
    };
    let live = live::server(&mut shell, asked(), "EX1", false).await;

    assert_eq!(live.inventory.server("EX1").unwrap().my.items.len(), whole.len());
}

#[tokio::test]
async fn a_session_that_breaks_keeps_what_it_told_before() {
    let mut shell = recorded("ex1");
    shell.breaks_after = Some(1);
    let live = live::server(&mut shell, asked(), "EX1", false).await;

    assert_eq!(live.broken.as_deref(), Some("the connection broke"));
    assert_eq!(live.answered, 1);
    assert!(!live.inventory.server("EX1").unwrap().my.items.is_empty());
}

/// The contract's examples as a session with the helper gives them.
fn helper() -> (Recorded, Vec<(String, Value, Value)>) {
    let contract: Value = serde_json::from_str(include_str!("../../../helper/contract.json")).unwrap();
    let mut shell = Recorded::default();
    let mut written = Vec::new();
    for function in contract["functions"].as_array().unwrap() {
        let name = function["name"].as_str().unwrap();
        // The changing half reads its lock, too.
        if function["reads"].is_null() {
            continue;
        }
        let (input, output) = (&function["example"]["input"], &function["example"]["output"]);
        let key = match input["Name"].as_str() {
            Some(store) => format!("{name} {store}"),
            None => name.to_owned(),
        };
        // ConvertTo-Json of one object is that object, of several an array, of none no text at all.
        let json = match output.as_array().unwrap().as_slice() {
            [] => None,
            [one] => Some(one.to_string()),
            several => Some(Value::from(several).to_string()),
        };
        let objects = json
            .map(|text| Document {
                values: vec![Object::String(PsString::from(text))],
                ..Document::default()
            })
            .into_iter()
            .collect();
        let errors = Vec::new();
        shell.answers.insert(key, Answer { objects, errors });
        written.push((name.to_owned(), input.clone(), output.clone()));
    }
    (shell, written)
}

#[tokio::test]
async fn the_helper_gives_what_the_collector_writes() {
    let (mut shell, written) = helper();
    let live = live::helper(&mut shell, asked(), "ex1.kiefer.example").await;

    let folder = tempfile::tempdir().unwrap();
    for (at, (function, arguments, result)) in written.iter().enumerate() {
        let reading = json!({
            "exseal": { "function": function, "arguments": arguments, "server": "ex1.kiefer.example", "at": "2026-11-24T09:00:00Z" },
            "result": result
        });
        std::fs::write(folder.path().join(format!("{at}.json")), reading.to_string()).unwrap();
    }
    let collected = read(folder.path());
    let (live_server, collected) = (
        live.inventory.server("ex1.kiefer.example").unwrap(),
        collected.server("ex1.kiefer.example").unwrap(),
    );
    assert_eq!(shown(live_server), shown(collected));
    assert!(!live_server.my.items.is_empty() && !live_server.http_sys.items.is_empty());
    // The helper went over once, and before everything else.
    let loads = shell
        .asked
        .iter()
        .filter(|asked| asked.contains("New-Module"))
        .count();
    assert_eq!(loads, 1);
    assert!(shell.asked[0].contains("New-Module"));
}

#[tokio::test]
async fn a_function_that_fails_is_named_and_the_others_are_read() {
    let (mut shell, _) = helper();
    shell.answers.remove("Get-ExsealHttpSys");
    let live = live::helper(&mut shell, asked(), "ex1.kiefer.example").await;

    let server = live.inventory.server("ex1.kiefer.example").unwrap();
    assert!(server.http_sys.is_unknown());
    assert!(!server.sites.is_unknown());
    assert!(
        live.inventory
            .errors
            .iter()
            .any(|error| error.at == "Get-ExsealHttpSys" && error.found.contains("CommandNotFoundException"))
    );
}

#[test]
fn the_helper_that_is_sent_changes_nothing() {
    for line in live::MODULE
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        for verb in [
            "Set-Item",
            "Remove-",
            "Stop-",
            "Restart-",
            "Enable-",
            "New-Item",
            "Import-PfxCertificate",
        ] {
            assert!(!line.contains(verb), "{line}");
        }
    }
}
