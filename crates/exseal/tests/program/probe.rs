//! `exseal probe` without a network: what is typed wrong, and how silence is told.

use crate::exseal;

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = exseal(100).arg("probe").args(arguments).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A port on loopback where nothing listens.
fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("127.0.0.1:{}/tls", listener.local_addr().unwrap().port())
}

#[test]
fn what_is_no_target_is_refused_before_anything_is_done() {
    let (code, _, said) = run(&[]);
    assert_eq!(code, 2);
    assert!(said.contains("expected a target, found none"), "{said}");
    let (code, _, said) = run(&["ex1.example.org:70000"]);
    assert_eq!(code, 2);
    assert!(said.contains("expected a port from 1 to 65535"), "{said}");
    let (code, _, said) = run(&["ex1.example.org:25/ldap"]);
    assert_eq!(code, 2);
    assert!(said.contains("expected https, tls, smtp"), "{said}");
}

#[test]
fn a_list_says_the_line_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("targets.txt");
    std::fs::write(&list, "# ours\n127.0.0.1:1/tls\nnot a host\n").unwrap();
    let (code, _, said) = run(&["--list", list.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(said.contains("line 3"), "{said}");
}

#[test]
fn silence_is_no_success() {
    let closed = closed();
    let (code, out, said) = run(&[&closed]);
    assert_eq!(code, 1);
    assert!(out.contains("nothing listens there"), "{out}");
    assert!(said.contains("no target answered"), "{said}");
    let (code, out, _) = run(&[&closed, "--nagios"]);
    assert_eq!(code, 3);
    assert!(out.starts_with("EXSEAL UNKNOWN - 1 looks"), "{out}");
    let (code, out, _) = run(&[&closed, "--prtg"]);
    assert_eq!(code, 0);
    assert!(out.contains("<error>1</error>"), "{out}");
    let (_, out, _) = run(&[&closed, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["sightings"][0]["outcome"]["is"], "closed");
    crate::conform::conforms("probe", &json);
}

#[test]
fn an_inventory_gives_the_servers_and_names_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let connect = folder.path().join("connect.toml");
    // Nothing listens on port 1: the looks end at once, and no name is asked for.
    let ports: Vec<String> = [
        25, 110, 143, 443, 444, 465, 475, 587, 717, 993, 995, 1993, 1995, 2525, 50636,
    ]
    .iter()
    .map(|port| format!("{port} = 1"))
    .collect();
    let root = crate::root();
    let example = root.join("examples/kiefer");
    let read = exseal(100)
        .args(["discover", "--json", "--from"])
        .arg(&example)
        .output()
        .unwrap();
    let inventory: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap();
    let mut toml = String::new();
    let mut names: Vec<String> = ["mail.kiefer.example", "autodiscover.kiefer.example"]
        .map(str::to_owned)
        .to_vec();
    for server in inventory["servers"].as_array().unwrap() {
        names.extend(server["fqdn"]["value"].as_str().map(str::to_owned));
    }
    for name in &names {
        toml.push_str(&format!(
            "[names.\"{name}\"]\naddress = \"127.0.0.1\"\nports = {{ {} }}\n",
            ports.join(", ")
        ));
    }
    std::fs::write(&connect, toml).unwrap();
    let arguments = [
        "--from",
        example.to_str().unwrap(),
        "--connect",
        connect.to_str().unwrap(),
        "--json",
    ];
    let (code, out, said) = run(&[&arguments[..], &["--deadline", "3", "--retries", "0"]].concat());
    assert_eq!(code, 1, "{said}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let hosts: std::collections::BTreeSet<&str> = json["sightings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sighting| sighting["target"]["host"].as_str().unwrap())
        .collect();
    for server in inventory["servers"].as_array().unwrap() {
        if let Some(name) = server["fqdn"]["value"].as_str() {
            assert!(hosts.contains(name), "{name} of {hosts:?}");
        }
    }
}
