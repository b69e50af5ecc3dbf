//! `exseal lab`: started, looked at by other programs, acted on from outside, ended.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::exseal;

/// The program with a list of labs of its own.
pub(crate) fn lab(folder: &Path) -> Command {
    let mut command = exseal(100);
    command
        .current_dir(folder)
        .env("EXSEAL_LABS", folder.join("labs"));
    command
}

pub(crate) fn acted(folder: &Path, arguments: &[&str]) -> Output {
    lab(folder).args(["lab", "do"]).args(arguments).output().unwrap()
}

pub(crate) fn reply(folder: &Path, arguments: &[&str]) -> Value {
    let output = acted(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A lab that runs; it ends with this.
pub(crate) struct Running {
    process: Child,
    pub(crate) started: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Running {
    let mut process = lab(folder)
        .args([
            "lab",
            "run",
            "--json",
            "--ports",
            "mapped",
            "--until-stdin-closes",
        ])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut out = BufReader::new(process.stdout.take().unwrap());
    while !text.ends_with("\n}\n") {
        if out.read_line(&mut text).unwrap() == 0 {
            let mut said = String::new();
            process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            let _ = process.wait();
            panic!("the lab did not start: {said}");
        }
    }
    let started = serde_json::from_str(&text).unwrap();
    Running { process, started }
}

/// Where a port of the first server is.
fn port(lab: &Running, port: u64) -> u64 {
    let ports = lab.started["servers"][0]["ports"].as_array().unwrap();
    let found = ports.iter().find(|own| own["port"] == port).unwrap();
    found["at"].as_u64().unwrap()
}

/// What `openssl` gets presented on a port; empty: nothing.
fn presented(lab: &Running, wanted: u64) -> String {
    let server = &lab.started["servers"][0];
    let socket = format!("{}:{}", server["address"].as_str().unwrap(), port(lab, wanted));
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &socket, "-servername", "mail.contoso.com"])
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout)
            .lines()
            .find(|line| line.starts_with("subject="))
            .unwrap_or_default()
            .to_owned(),
        Err(error) => {
            println!("not checked: openssl is not here ({error})");
            String::new()
        }
    }
}

#[test]
fn a_story_is_run_looked_at_acted_on_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut running = start(
        folder,
        &["--story", "back-end-deleted", "--now", "2026-11-24T09:00:00Z"],
    );
    crate::conform::conforms("lab-run", &running.started);
    assert_eq!(running.started["name"], "back-end-deleted");

    // The file is read by the reader of every other command.
    let connect = folder.join("connect.toml");
    let read = exseal_exchange::connect::Connect::read(&connect).unwrap();
    assert_eq!(read.server("ex1"), Some("ex1.contoso.lab"));
    assert!(read.roots.len() >= 2, "{}", read.roots.len());
    let place = read.place("mail.contoso.com").unwrap();
    assert_eq!(u64::from(place.port(443)), port(&running, 443));
    assert!(read.place("ex1.contoso.lab").unwrap().own_loopback.is_some() || cfg!(target_os = "macos"));

    let looked = lab(folder)
        .args(["probe", "ex1.contoso.lab:443", "ex1.contoso.lab:444", "--json"])
        .args(["--connect", "connect.toml", "--now", "2026-11-24T09:00:00Z"])
        .output()
        .unwrap();
    let looked: Value = serde_json::from_slice(&looked.stdout).unwrap();
    let outcomes: Vec<&str> = looked["sightings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sighting| sighting["outcome"]["is"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes.len(), 2);
    assert_ne!(outcomes[0], outcomes[1], "{looked}");
    let subject = presented(&running, 443);
    if !subject.is_empty() {
        assert!(subject.contains("mail.contoso.com"), "{subject}");
        assert_eq!(presented(&running, 444), "");
    }

    // Several at once; neither overwrites the other's file.
    let refused = lab(folder)
        .args(["lab", "run", "--story", "healthy", "--ports", "mapped"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let second = start(folder, &["--story", "healthy", "--connect-file", "second.toml"]);
    let listed = lab(folder).args(["lab", "list", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    crate::conform::conforms("lab-list", &listed);
    assert_eq!(listed["running"].as_array().unwrap().len(), 2, "{listed}");
    assert!(!listed.to_string().contains("token"));
    assert_ne!(
        second.started["servers"][0]["address"],
        running.started["servers"][0]["address"]
    );
    assert_eq!(acted(folder, &["faults"]).status.code(), Some(2));
    drop(second);

    // Its clock, its events, its faults, its state.
    let first = ["--lab", "back-end-deleted", "--json"];
    let with = |arguments: &[&str]| -> Vec<String> {
        arguments
            .iter()
            .chain(&first)
            .map(|own| (*own).to_owned())
            .collect()
    };
    let ask = |arguments: &[&str]| {
        let all = with(arguments);
        reply(folder, &all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let passed = ask(&["advance", "400d"]);
    assert_eq!(passed["from"], "2026-11-24T09:00:00Z");
    assert_eq!(passed["now"], "2027-12-29T09:00:00Z");
    let events = ask(&["events", "--server", "EX1"]);
    crate::conform::conforms("lab-events", &events);
    assert!(events["events"].as_array().unwrap().len() >= passed["events"].as_array().unwrap().len());
    assert!(!passed["events"].as_array().unwrap().is_empty());
    ask(&[
        "fault",
        "loses-reply",
        "--server",
        "EX1",
        "--step",
        "Enable-ExchangeCertificate",
    ]);
    assert_eq!(ask(&["faults"])["waiting"].as_array().unwrap().len(), 1);
    ask(&["heal"]);
    assert_eq!(ask(&["faults"])["waiting"].as_array().unwrap().len(), 0);
    ask(&["break", "--server", "EX1", "unbind", "0.0.0.0:443"]);
    assert_eq!(presented(&running, 443), "");
    let dump = ask(&["dump"]);
    assert_eq!(dump["now"], "2027-12-29T09:00:00Z");
    assert!(dump["servers"]["EX1"]["httpSys"].get("0.0.0.0:443").is_none());
    let refused = acted(folder, &["break", "--server", "EX9", "reboot"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("EX1"));

    assert!(acted(folder, &["stop"]).status.success());
    assert!(running.process.wait().unwrap().success());
    assert!(!connect.exists());
    assert_eq!(acted(folder, &["dump"]).status.code(), Some(1));
}

#[test]
fn a_lab_ends_with_its_standard_input_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(
        folder.join("own.toml"),
        "domain = \"tiny.lab\"\n[[server]]\nname = \"S1\"\n",
    )
    .unwrap();
    let mut running = start(folder, &["own.toml"]);
    assert_eq!(running.started["name"], "own");

    // The door of PowerShell asks who one is, and not for nothing.
    let socket = format!(
        "{}:{}",
        running.started["servers"][0]["address"].as_str().unwrap(),
        port(&running, 5985)
    );
    let mut stream = std::net::TcpStream::connect(socket).unwrap();
    std::io::Write::write_all(
        &mut stream,
        b"POST /wsman HTTP/1.1\r\nHost: s1.tiny.lab:5985\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");

    drop(running.process.stdin.take());

    assert!(running.process.wait().unwrap().success());
    assert!(!folder.join("connect.toml").exists());
    assert_eq!(std::fs::read_dir(folder.join("labs")).unwrap().count(), 0);
}

#[test]
fn what_a_lab_must_not_do_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let refused = |arguments: &[&str]| {
        let output = lab(folder)
            .args(["lab", "run", "--ports", "mapped"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };

    let (code, said) = refused(&["--story", "healthy", "--address", "192.0.2.1"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("expected a loopback address"), "{said}");
    let (code, said) = refused(&["--story", "back-end-gone"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("back-end-deleted"), "{said}");
    std::fs::write(folder.join("bad.toml"), "domain = \"a.lab\"\nservers = 3\n").unwrap();
    let (code, said) = refused(&["bad.toml"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("servers"), "{said}");

    std::fs::write(folder.join("connect.toml"), "user = \"mine\"\n").unwrap();
    let (code, said) = refused(&["--story", "healthy"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("somebody else"), "{said}");
    let kept = std::fs::read_to_string(folder.join("connect.toml")).unwrap();
    assert_eq!(kept, "user = \"mine\"\n");
}

/// The names of findings, with their servers.
fn found(output: &Output) -> std::collections::BTreeSet<(String, String)> {
    assert!(
        output.status.code().is_some_and(|code| code < 2) && !output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| (text(&own["name"]), text(&own["server"])))
        .collect()
}

/// A live look at the lab of a folder.
fn live(folder: &Path, now: &str) -> Output {
    use std::io::Write as _;

    let mut process = lab(folder)
        .args([
            "diagnose",
            "--live",
            "--connect",
            "connect.toml",
            "--password-stdin",
        ])
        .args(["--now", now, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(b"Simulated-1\n").unwrap();
    process.wait_with_output().unwrap()
}

#[test]
fn an_inventory_becomes_a_lab_that_shows_what_the_files_showed() {
    const NOW: &str = "2026-11-24T09:00:00Z";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sample = crate::root().join("examples/kiefer");
    let written = exseal(100)
        .args(["discover", "--now", NOW, "--from"])
        .arg(&sample)
        .arg("-o")
        .arg(folder.join("kiefer.json"))
        .output()
        .unwrap();
    assert!(written.status.success());
    let of_files = found(
        &exseal(100)
            .args(["diagnose", "--now", NOW, "--json", "--from"])
            .arg(folder.join("kiefer.json"))
            .output()
            .unwrap(),
    );

    let running = start(folder, &["kiefer.json", "--now", NOW]);
    crate::conform::conforms("lab-run", &running.started);
    let of_lab = found(&live(folder, NOW));

    // The lab's keys have 2,048 bits and sign with SHA-256, and EX2's back end has no certificate, so that its shell does
    // not answer: what only the shell shows of it is dark, as it would be at the original.
    let is_dark = |(name, server): &&(String, String)| {
        matches!(name.as_str(), "key-too-short" | "signature-hash-weak")
            || (server == "ex2.kiefer.example" && name.starts_with("connector-"))
    };
    let lower =
        |all: &std::collections::BTreeSet<(String, String)>| -> std::collections::BTreeSet<(String, String)> {
            all.iter()
                .map(|(name, server)| (name.clone(), server.to_lowercase()))
                .collect()
        };
    let of_lab = lower(&of_lab);
    let of_files = lower(&of_files);
    let missing: Vec<_> = of_files
        .iter()
        .filter(|own| !is_dark(own) && !of_lab.contains(*own))
        .collect();
    assert!(missing.is_empty(), "not shown: {missing:?}\nshown: {of_lab:?}");

    // The map is a bijection between the inventory's certificates and the lab's, in the file as in the reply.
    let inventory: Value =
        serde_json::from_slice(&std::fs::read(folder.join("kiefer.json")).unwrap()).unwrap();
    let beside = folder.join("connect.stand-ins.json");
    let map: Value = serde_json::from_slice(&std::fs::read(&beside).unwrap()).unwrap();
    let of = |value: &Value, key: &str| -> std::collections::BTreeSet<String> {
        value["stand_ins"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| pair[key].as_str().unwrap().to_owned())
            .collect()
    };
    let originals: std::collections::BTreeSet<String> = inventory["certificates"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(of(&map, "original"), originals);
    assert_eq!(of(&map, "stand_in").len(), originals.len());
    assert_eq!(of(&map, "stand_in"), of(&running.started, "stand_in"));
    assert!(of(&map, "stand_in").is_disjoint(&originals));
    let dump = reply(folder, &["dump", "--json"]);
    assert_eq!(dump["standIns"].as_array().unwrap().len(), originals.len());
    assert!(!running.started["assumed"].as_array().unwrap().is_empty());

    // With the stand-in of EX2's own certificate on the back end its shell is there again, and shows the rest.
    let own = map["stand_ins"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pair| pair["subject"] == "CN=EX2")
        .unwrap();
    reply(
        folder,
        &[
            "break",
            "--server",
            "EX2",
            "bind",
            "0.0.0.0:444",
            own["stand_in"].as_str().unwrap(),
            "--json",
        ],
    );
    let healed = lower(&found(&live(folder, NOW)));
    assert!(
        !healed
            .iter()
            .any(|(name, _)| name == "bound-certificate-not-in-store"),
        "{healed:?}"
    );
    assert!(
        healed
            .iter()
            .any(|(name, server)| name == "connector-certificate-not-found" && server.starts_with("ex2")),
        "{healed:?}"
    );

    drop(running);
}

#[test]
fn a_bad_inventory_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (content, wanted) in [
        ("{\"format\": 1", "line 1"),
        (
            "{\"format\": 1, \"certificates\": {}, \"organisation\": {}, \"servers\": [{\"name\": \"S1\", \"build\": 3}]}",
            "servers[0].build",
        ),
        (
            "{\"format\": 9, \"certificates\": {}, \"organisation\": {}, \"servers\": []}",
            "expected 1",
        ),
    ] {
        std::fs::write(folder.join("bad.json"), content).unwrap();
        let output = lab(folder)
            .args(["lab", "run", "bad.json", "--ports", "mapped"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(wanted) && said.contains("exseal discover"),
            "{said}"
        );
        assert!(!folder.join("connect.toml").exists());
    }
}

#[test]
fn an_edge_is_subscribed_from_its_own_shell() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(
        folder.join("own.toml"),
        "domain = \"tiny.lab\"\n[[server]]\nname = \"S1\"\n[[server]]\nname = \"EDGE1\"\nrole = \"edge\"\n",
    )
    .unwrap();
    let _running = start(folder, &["own.toml", "--now", "2026-11-24T09:00:00Z"]);
    let line = r"New-EdgeSubscription -FileName C:\edge.xml";
    let asked = acted(folder, &["shell", "--server", "EDGE1", line]);
    assert_eq!(asked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("-Force"));
    let made = reply(
        folder,
        &["shell", "--server", "EDGE1", &format!("{line} -Force"), "--json"],
    );
    assert!(made["error"].is_null(), "{made}");
    let written = acted(folder, &["file", r"C:\edge.xml", "-o", "edge.xml"]);
    assert!(written.status.success());
    let text = std::fs::read_to_string(folder.join("edge.xml")).unwrap();
    assert!(text.contains("<EdgeServerName>EDGE1</EdgeServerName>"), "{text}");
    let missing = acted(folder, &["file", "nothing"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("edge.xml"));
    let shown = acted(folder, &["shell", "--server", "S1", "Get-ExchangeServer S1"]);
    assert!(
        String::from_utf8_lossy(&shown.stdout).contains("Fqdn: S1.tiny.lab"),
        "{shown:?}"
    );
}
