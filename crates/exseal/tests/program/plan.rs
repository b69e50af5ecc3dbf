//! Plans over the sample: for people, for programs, written and shown again, and what bad words get.

use serde_json::Value;

use crate::conform::conforms;
use crate::outputs::at;
use crate::{NOW, json, run, stdout};

const SAMPLE: [&str; 4] = ["--from", "examples/kiefer", "--now", NOW];

fn with(arguments: &[&'static str]) -> Vec<&'static str> {
    [arguments, &SAMPLE].concat()
}

#[test]
fn the_back_ends_of_the_sample_at_two_widths() {
    for columns in [60, 100] {
        let shown = at(
            columns,
            &with(&["plan", "back-end", "renew", "internal-transport renew"]),
        );
        insta::assert_snapshot!(format!("plan_{columns}"), shown);
    }
}

#[test]
fn everything_that_can_be_mended_and_what_is_a_persons() {
    insta::assert_snapshot!("plan_fix_100", at(100, &with(&["plan", "fix"])));
    conforms("fix", &json(&with(&["plan", "fix", "--json"])));
}

#[test]
fn a_plan_is_written_shown_and_the_same_on_every_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let path = file.to_str().unwrap();
    let mut arguments = with(&["plan", "back-end", "renew"]);
    let shown = stdout(&arguments);
    arguments.extend(["-o", path, "--json"]);
    let printed = json(&arguments);
    conforms("plan", &printed);
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written, printed);
    assert_eq!(stdout(&["plan", "show", path]), shown);
    assert_eq!(json(&["plan", "show", path, "--json"]), printed);

    let groups = folder.path().join("groups");
    let mut arguments = with(&["plan", "fix"]);
    arguments.extend(["-o", groups.to_str().unwrap()]);
    stdout(&arguments);
    let mut names: Vec<String> = std::fs::read_dir(&groups)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["now.json", "someday.json"]);
    stdout(&["plan", "show", groups.join("now.json").to_str().unwrap()]);
}

#[test]
fn what_is_no_goal_and_no_plan_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("changed.json");
    let mut plan = json(&with(&["plan", "back-end", "renew", "--json"]));
    plan["steps"][0]["why"] = "because".into();
    std::fs::write(&changed, plan.to_string()).unwrap();
    let junk = folder.path().join("junk.json");
    std::fs::write(&junk, "{}").unwrap();
    let place = folder.path().display().to_string();
    let mut told = String::new();
    let cases: [(&[&str], i32); 8] = [
        (&["plan"], 2),
        (&["plan", "back-end", "--from", "examples/kiefer"], 2),
        (&["plan", "fix", "cleanup", "--from", "examples/kiefer"], 2),
        (
            &["plan", "front-end", "rebind", "12", "--from", "examples/kiefer"],
            2,
        ),
        (&["plan", "show", "no/such/plan.json"], 1),
        (&["plan", "show", changed.to_str().unwrap()], 1),
        (&["plan", "show", junk.to_str().unwrap()], 1),
        (
            &[
                "plan",
                "cleanup",
                "--from",
                "examples/kiefer",
                "--earlier",
                "examples/kiefer/ex1",
            ],
            1,
        ),
    ];
    for (arguments, code) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        told.push_str(&text.replace(&place, "FOLDER").replace('\\', "/"));
        told.push('\n');
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_plan_is_rehearsed_in_the_lab_on_stand_ins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let path = file.to_str().unwrap();
    let mut arguments = with(&["plan", "back-end", "renew"]);
    arguments.extend(["-o", path]);
    stdout(&arguments);
    let rehearsed = json(&["rehearse", path, "--json"]);
    conforms("rehearse", &rehearsed);
    let run = &rehearsed["runs"][0];
    assert_eq!(
        (&run["applied"], &run["verified"]),
        (&true.into(), &true.into()),
        "{run}"
    );
    assert_eq!(run["failed"], Value::Array(Vec::new()), "{run}");
    assert!(run["handshakes"].as_u64().unwrap() > 0, "{run}");
}

#[test]
fn a_plan_becomes_a_script_for_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let path = file.to_str().unwrap();
    let mut arguments = with(&["plan", "back-end", "renew"]);
    arguments.extend(["-o", path]);
    stdout(&arguments);
    let several = run(&["plan", "script", path]);
    assert_eq!(several.status.code(), Some(2), "a script is for one server");
    let script = stdout(&["plan", "script", path, "--server", "ex3"]);
    assert!(script.starts_with('\u{feff}') && script.lines().count() > 500);
    assert!(
        !script.replace("\r\n", "").contains(['\n', '\r']),
        "line ends of Windows"
    );
    let steps = script.rsplit("$did = @{}").next().unwrap().replace("\r\n", "\n");
    let at = steps.find("-Serial '").unwrap() + 9;
    let serial = steps.get(at..at + 32).unwrap().to_owned();
    assert!(serial.chars().all(|c| c.is_ascii_hexdigit()), "{serial}");
    insta::assert_snapshot!("plan_script", steps.replace(&serial, "SERIAL"));
}
