//! The report in each of its forms.

use crate::conform::conforms;
use crate::outputs::{at, large};
use crate::{NOW, exseal, json, run, stdout};

const SAMPLE: [&str; 5] = ["report", "--from", "examples/kiefer", "--now", NOW];

fn report(format: &'static str) -> String {
    stdout(&[&SAMPLE[..], &["--format", format]].concat())
}

/// Fails where an element is not closed in its order; returns the names of all elements.
fn elements(html: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["meta", "br", "!doctype"];
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    let text = format!("{head}{body}");
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for part in text.split('<').skip(1) {
        let (tag, _) = part
            .split_once('>')
            .unwrap_or_else(|| panic!("a tag that does not end: {part}"));
        let name = tag
            .split([' ', '\n'])
            .next()
            .unwrap()
            .trim_start_matches('/')
            .to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "{part}");
        } else if !VOID.contains(&name.as_str()) {
            open.push(name.clone());
            all.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn the_page_stands_by_itself() {
    let html = report("html");
    let names = elements(&html);
    for never in ["script", "img", "link", "iframe", "form", "object"] {
        assert!(!names.iter().any(|name| name == never), "{never}");
    }
    for never in ["http://", "https://", "src=", "url(", "onclick"] {
        assert!(!html.contains(never), "{never}");
    }
    assert!(html.contains("default-src 'none'"));
    for part in [
        "matrix",
        "findings",
        "forecast",
        "timeline",
        "certificates",
        "seen",
    ] {
        assert!(html.contains(&format!("<section id=\"{part}\">")), "{part}");
        assert!(html.contains(&format!("href=\"#{part}\"")), "{part}");
    }
    for told in [
        "ex3.kiefer.example",
        "Kiefer Möbel AG",
        "bound-certificate-not-in-store",
    ] {
        assert!(html.contains(told), "{told}");
    }
}

#[test]
fn every_reference_inside_the_page_leads_somewhere() {
    let html = report("html");
    for link in html.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap();
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
    }
    let ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "an id twice");
}

#[test]
fn two_hundred_servers_fit_in_three_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.json");
    std::fs::write(&file, large(200).to_string()).unwrap();
    let html = at(100, &["report", "--from", file.to_str().unwrap(), "--now", NOW]);
    elements(&html);
    assert!(html.len() <= 3_000_000, "{} bytes", html.len());
    assert!(html.contains("All 200 servers"));
    assert!(
        html.matches("<tr>").count() > 1000,
        "every certificate has its row"
    );
}

#[test]
fn a_name_from_a_file_is_text_in_every_form() {
    let mut inventory = json(&["discover", "--from", "examples/kiefer", "--json"]);
    let hostile = "=<script>alert(1)</script>|`x`";
    inventory["servers"][0]["name"] = serde_json::json!(hostile);
    inventory["servers"][0]["fqdn"]["value"] = serde_json::json!(hostile);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hostile.json");
    std::fs::write(&file, inventory.to_string()).unwrap();
    let made = |format: &str| {
        let path = file.to_str().unwrap();
        stdout(&["report", "--from", path, "--now", NOW, "--format", format])
    };
    let html = made("html");
    elements(&html);
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"));
    let markdown = made("md");
    assert!(markdown.contains("\\|\\`x\\`") && !markdown.contains("<script"));
    assert!(made("csv").contains("\n'=<script>"));
}

#[test]
fn markdown_and_table_are_as_reviewed() {
    insta::assert_snapshot!("report_md", report("md"));
    insta::assert_snapshot!("report_csv", report("csv").replace("\r\n", "\n"));
}

#[test]
fn the_json_is_what_the_schema_says_and_agrees_with_the_commands() {
    let report: serde_json::Value = serde_json::from_str(&report("json")).unwrap();
    conforms("report", &report);
    let sample = ["--from", "examples/kiefer", "--now", NOW, "--json"];
    for (key, command) in [
        ("diagnosis", &["diagnose"][..]),
        ("forecast", &["forecast"]),
        ("auth", &["auth", "status"]),
    ] {
        assert_eq!(report[key], json(&[command, &sample[..]].concat()), "{key}");
    }
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let path = file.to_str().unwrap();
    let output = run(&[&SAMPLE[..], &["-o", path]].concat());
    assert!(output.status.success() && output.stdout.is_empty());
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written, report("html"));
    let nowhere = folder.path().join("no/such/folder/report.html");
    let output = exseal(100).args(SAMPLE).arg("-o").arg(&nowhere).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half-written is left");
}
