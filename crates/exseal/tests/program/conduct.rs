//! How `apply` treats servers, at the lab: the window, the balancer's programs, the free disk.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::NOW;
use crate::backup::{said, typed, words};
use crate::lab::{Running, acted, reply, start};

const EXSEAL: &str = env!("CARGO_BIN_EXE_exseal");

fn journal(folder: &Path) -> String {
    let mut found = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
        .filter(|path| path.ends_with(".journal"));
    found.next().unwrap()
}

/// The lab's state without its clock.
fn state(folder: &Path) -> Value {
    let mut dump = reply(folder, &["dump"]);
    dump["now"] = Value::Null;
    dump["servers"]["EX1"]["clock"] = Value::Null;
    dump["servers"]["EX1"]["lock"] = Value::Null;
    dump
}

fn apply(folder: &Path, policy: &str) -> Output {
    std::fs::write(folder.join("policy.toml"), policy).unwrap();
    let output = typed(
        folder,
        &["apply", "plan.json", "--yes", "--policy", "policy.toml"],
        &[],
    );
    if !output.status.success() {
        std::fs::remove_file(journal(folder)).unwrap();
    }
    output
}

/// A lab whose back end ends soon, and its plan as `plan.json`.
fn planned(folder: &Path) -> Running {
    planned_in(folder, &["--story", "back-end-expires"])
}

/// A lab, and the plan of its back end as `plan.json`.
fn planned_in(folder: &Path, lab: &[&str]) -> Running {
    let running = start(folder, &[lab, &["--now", NOW]].concat());
    let plan = [
        "plan",
        "back-end",
        "renew",
        "--live",
        "--now",
        NOW,
        "-o",
        "plan.json",
    ];
    let planned = typed(folder, &plan, &[]);
    assert!(planned.status.success(), "{}", said(&planned));
    running
}

#[test]
fn a_server_is_begun_in_its_window_with_room_and_out_of_the_balancer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _running = planned(folder);
    let before = state(folder);

    let soon = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .datetime();
    let hours = |ahead: i64| {
        let at = soon.saturating_add(jiff::SignedDuration::from_hours(ahead));
        at.time().strftime("%H:00").to_string()
    };
    let closed = format!(
        "[apply]\nwindow = {{ from = \"{}\", to = \"{}\", zone = \"UTC\" }}\n",
        hours(3),
        hours(4)
    );
    let refused = apply(folder, &closed);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let text = words(&refused);
    assert!(
        text.contains("expected an open maintenance window, found that it opens"),
        "{text}"
    );
    assert!(text.contains(&format!("{} +00:00", hours(3))), "{text}");
    assert!(text.contains("exseal apply --resume"), "{text}");

    // Half a drain is refused with its place; one that fails leaves nothing begun.
    let half = apply_policy_only(folder, "[apply]\ndrain = [\"lb\", \"{server}\"]\n");
    assert_eq!(half.status.code(), Some(2), "{}", said(&half));
    assert!(
        words(&half).contains("expected drain and undrain together"),
        "{}",
        said(&half)
    );
    let program = |arguments: &str| format!("[{}, {arguments}]", serde_json::to_string(EXSEAL).unwrap());
    let fails = format!(
        "[apply]\ndrain = {}\nundrain = {}\n",
        program("\"no-such-command\", \"{server}\""),
        program("\"--version\"")
    );
    let refused = apply(folder, &fails);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let text = words(&refused);
    assert!(
        text.contains("EX1.contoso.lab was not begun: it could not be drained"),
        "{text}"
    );
    assert!(text.contains("no-such-command"), "what it said: {text}");

    // More than any disk has: this machine's own is read first, and no journal is left in the way.
    let refused = apply_policy_only(folder, "[apply]\nfree-disk-mib = 4294967295\n");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let text = words(&refused);
    assert!(
        text.contains("expected 4294967295 MiB free where the journal is written, found"),
        "{text}"
    );
    assert!(text.contains("--journal names another folder"), "{text}");
    assert!(!text.contains("--resume"), "{text}");

    let room = acted(folder, &["fault", "disk-full", "--server", "EX1"]);
    assert!(room.status.success(), "{}", said(&room));
    let refused = apply(folder, "");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let text = words(&refused);
    assert!(
        text.contains("expected 100 MiB free on the system drive of EX1.contoso.lab, found 0"),
        "{text}"
    );
    assert!(text.contains("free-disk-mib"), "{text}");
    let healed = acted(folder, &["heal"]);
    assert!(healed.status.success(), "{}", said(&healed));
    assert_eq!(state(folder), before, "nothing was begun five times");

    let well = format!(
        "[apply]\nsoak-minutes = 30\npause-seconds = 600\ndrain = {0}\nundrain = {0}\n",
        program("\"--version\"")
    );
    let applied = apply(folder, &well);
    assert!(applied.status.success(), "{}", said(&applied));
    let entries = entries(folder);
    let order: Vec<&str> = entries.iter().map(|own| own["entry"].as_str().unwrap()).collect();
    assert_eq!(order[..3], ["begun", "drained", "step-begun"]);
    assert_eq!(order[order.len() - 2..], ["undrained", "ended"]);
    let shown = typed(folder, &["verify", &journal(folder)], &[]);
    assert!(shown.status.success(), "{}", said(&shown));
}

#[test]
fn a_plan_is_verified_without_a_journal_and_an_inventory_without_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _running = planned(folder);
    let discover = ["discover", "--live", "--now", NOW, "-o", "before.json"];
    assert!(typed(folder, &discover, &[]).status.success());

    let open = typed(folder, &["verify", "plan.json"], &[]);
    assert_eq!(open.status.code(), Some(3), "{}", said(&open));
    assert!(
        words(&open).contains("no certificate that step 1 would have made"),
        "{}",
        said(&open)
    );
    let same = typed(folder, &["verify", "--from", "before.json"], &[]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    for slot in ["back-end/*:444", "front-end/*:443", "internal-transport"] {
        assert!(words(&same).contains(slot), "{slot}: {}", said(&same));
    }

    let applied = typed(folder, &["apply", "plan.json", "--yes"], &[]);
    assert!(applied.status.success(), "{}", said(&applied));
    let done = typed(folder, &["verify", "plan.json"], &[]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let moved = typed(folder, &["verify", "--from", "before.json"], &[]);
    assert_eq!(moved.status.code(), Some(3), "{}", said(&moved));
    assert!(
        words(&moved).contains("WRONG EX1.contoso.lab: expected that back-end/*:444"),
        "{}",
        said(&moved)
    );

    let json = typed(folder, &["verify", "--from", "before.json", "--json"], &[]);
    let looks: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    let wrong: Vec<&Value> = looks.iter().filter(|one| one["holds"] != true).collect();
    assert!(
        !wrong.is_empty() && wrong.iter().all(|one| one["holds"] == false),
        "{looks:?}"
    );
    assert_eq!(wrong[0]["server"], "EX1.contoso.lab");

    // What is neither is refused, and so is nothing.
    let neither = typed(folder, &["verify", "before.json"], &[]);
    assert_eq!(neither.status.code(), Some(1), "{}", said(&neither));
    assert!(
        words(&neither).contains("expected a plan, or the journal of a run"),
        "{}",
        said(&neither)
    );
    assert_eq!(typed(folder, &["verify"], &[]).status.code(), Some(2));
}

/// Where the policy alone is refused there is no journal to take away.
fn apply_policy_only(folder: &Path, policy: &str) -> Output {
    std::fs::write(folder.join("policy.toml"), policy).unwrap();
    typed(
        folder,
        &["apply", "plan.json", "--yes", "--policy", "policy.toml"],
        &[],
    )
}

/// Two members of an availability group; the back end of the first ends soon.
const GROUP: &str = "\
domain = \"contoso.lab\"
namespace = \"mail.contoso.com\"
public = \"public\"
dag = \"DAG1\"

[[certificate]]
id = \"public\"
names = [\"mail.contoso.com\"]

[[server]]
name = \"EX1\"
exchange_days_left = 20

[[server]]
name = \"EX2\"
";

/// What maintenance moves at the lab, of a server.
fn service(folder: &Path, server: &str) -> Value {
    let dump = reply(folder, &["dump"]);
    let own = &dump["servers"][server];
    serde_json::json!([
        own["components"],
        own["activationPolicy"],
        own["activationDisabled"]
    ])
}

fn entries(folder: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(journal(folder)).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn at(entries: &[Value], kind: &str) -> Option<usize> {
    entries.iter().position(|own| own["entry"] == kind)
}

#[test]
fn a_member_of_a_group_is_in_maintenance_meanwhile_and_what_others_set_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("group.toml"), GROUP).unwrap();
    let _running = planned_in(folder, &["group.toml"]);
    let before = service(folder, "EX1");
    assert_eq!(before, serde_json::json!([{}, "Unrestricted", false]));
    let policy =
        "[apply]\nmaintenance = { components = [\"HubTransport\", \"OwaProxy\", \"ServerWideOffline\"] }\n";

    // What fails half-way is set back, and nothing was begun.
    let broken = acted(
        folder,
        &[
            "fault",
            "throws",
            "--step",
            "Set-ServerComponentState",
            "--times",
            "2",
        ],
    );
    assert!(broken.status.success(), "{}", said(&broken));
    let refused = apply(folder, policy);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let text = words(&refused);
    assert!(
        text.contains("EX1.contoso.lab was not begun: it could not be put into maintenance"),
        "{text}"
    );
    assert!(text.contains("without `maintenance` in the policy"), "{text}");
    let healed = acted(folder, &["heal"]);
    assert!(healed.status.success(), "{}", said(&healed));
    assert_eq!(service(folder, "EX1"), before);

    let unknown = apply(
        folder,
        "[apply]\nmaintenance = { components = [\"ServerWide\"] }\n",
    );
    let text = words(&unknown);
    assert!(
        text.contains("expected the component ServerWide on EX1, found none of that name"),
        "{text}"
    );
    assert_eq!(service(folder, "EX1"), before);

    // Somebody takes a component out for a reason of their own, right before it is read.
    let other = "second-operator=Set-ServerComponentState -Identity EX1 -Component OwaProxy -State Inactive -Requester Functional";
    let somebody = acted(folder, &["fault", other, "--step", "Get-ServerComponentState"]);
    assert!(somebody.status.success(), "{}", said(&somebody));
    let applied = apply(folder, policy);
    assert!(applied.status.success(), "{}", said(&applied));
    let all = entries(folder);
    let set = &all[at(&all, "maintenance").unwrap()]["settings"];
    assert_eq!(
        *set,
        serde_json::json!([
            { "what": "activation-policy", "was": "Unrestricted" },
            { "what": "move-databases" },
            { "what": "component", "component": "HubTransport" },
            { "what": "component", "component": "ServerWideOffline" },
        ])
    );
    let order =
        ["begun", "maintenance", "step-begun", "maintenance-over", "ended"].map(|kind| at(&all, kind));
    assert!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{order:?}"
    );
    assert_eq!(
        service(folder, "EX1"),
        serde_json::json!([{ "OwaProxy": "Inactive" }, "Unrestricted", false])
    );
    let dump = reply(folder, &["dump"]);
    let moved = &dump["servers"]["EX1"];
    assert_eq!(moved["databaseAt"], "EX2", "its database is on the other member");
    assert_eq!(
        moved["componentRequests"]["HubTransport"]["Maintenance"],
        "Active"
    );
    let shown = typed(folder, &["verify", &journal(folder)], &[]);
    assert!(shown.status.success(), "{}", said(&shown));
}
