//! `exseal rescue` at the lab: the outage of each cause is ended by one yes, and nothing else is touched.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::conform::conforms;
use crate::lab::{Running, lab, reply, start};

struct Broken {
    folder: tempfile::TempDir,
    running: Running,
    before: Value,
}

const SERVER: &str = "EX1";

impl Broken {
    /// A story, and what is broken on top of it.
    fn story(name: &str, breaks: &[&[&str]]) -> Self {
        Self::of(&["--story", name], breaks)
    }

    fn of(arguments: &[&str], breaks: &[&[&str]]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = start(folder.path(), arguments);
        for own in breaks {
            reply(
                folder.path(),
                &[&["break", "--server", SERVER, "--json"], *own].concat(),
            );
        }
        let mut broken = Self {
            folder,
            running,
            before: Value::Null,
        };
        broken.before = broken.state();
        broken
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    /// The first server as the lab sees it.
    fn state(&self) -> Value {
        let whole = reply(self.at(), &["dump", "--json"])["servers"][SERVER].clone();
        // What is logged, and who was there, is not what is changed.
        ["httpSys", "services", "stores", "webSites", "appPools"]
            .into_iter()
            .map(|key| {
                assert!(!whole[key].is_null(), "the lab shows no {key}");
                (key.to_owned(), whole[key].clone())
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn password(&self) -> &str {
        self.running.started["users"][0]["password"].as_str().unwrap()
    }

    fn typed(&self, arguments: &[&str]) -> Output {
        let mut child = lab(self.at())
            .args(arguments)
            .args(["--live", "--connect", "connect.toml", "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", self.password()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// The rescue, to its exit code and what it printed.
    fn rescue(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.typed(&[&["rescue"], arguments].concat());
        let text = format!(
            "{}{}",
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap()
        );
        (output.status.code(), text)
    }

    fn told(&self) -> Value {
        let output = self.typed(&["rescue", "--json"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let told = serde_json::from_slice(&output.stdout).unwrap();
        conforms("rescue", &told);
        told
    }

    /// The leaf a client is shown on a port; null: none.
    fn leaf(&self, port: u16) -> Value {
        let target = format!(
            "{}:{port}",
            self.running.started["servers"][0]["fqdn"].as_str().unwrap()
        );
        let output = lab(self.at())
            .args(["probe", &target, "--json", "--connect", "connect.toml"])
            .output()
            .unwrap();
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        seen["sightings"][0]["presented"]["thumbprint"].clone()
    }

    /// A cmdlet runs in the shell.
    fn shell_answers(&self) {
        let mut child = lab(self.at())
            .args(["session", "exec", "--connect", "connect.toml", "--password-stdin"])
            .args(["--server", SERVER, "--", "Get-ExchangeServer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", self.password()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(SERVER), "{said}");
    }

    /// What the yes has to leave: 444 and the shell answer, 443 is as it was, no certificate is gone, a second run has
    /// nothing to do.
    fn is_ended(&self, said: &str) {
        let after = self.state();
        let bound = &after["httpSys"]["0.0.0.0:444"]["thumbprint"];
        assert!(bound.is_string(), "{after}");
        assert_eq!(&self.leaf(444), bound, "{said}");
        for endpoint in ["0.0.0.0:443", "127.0.0.1:443"] {
            assert_eq!(
                after["httpSys"][endpoint], self.before["httpSys"][endpoint],
                "{said}"
            );
        }
        let stores = |state: &Value| -> Vec<String> {
            let stores = state["stores"].as_object().unwrap();
            stores
                .iter()
                .flat_map(|(store, all)| {
                    all.as_array()
                        .unwrap()
                        .iter()
                        .map(move |own| format!("{store} {}", own["thumbprint"]))
                })
                .collect()
        };
        let now = stores(&after);
        for own in stores(&self.before) {
            assert!(now.contains(&own), "{own} is gone: {said}");
        }
        self.shell_answers();
        let (code, again) = self.rescue(&["--yes"]);
        assert_eq!(code, Some(0), "{again}");
        assert!(again.contains("nothing is to be done"), "{again}");
        assert_eq!(self.state(), after, "{again}");
    }
}

fn names(told: &Value) -> Vec<(&str, &str)> {
    let causes = told["causes"].as_array().unwrap().iter();
    causes
        .map(|own| {
            (
                own["finding"]["name"].as_str().unwrap(),
                own["mended_by"].as_str().unwrap(),
            )
        })
        .collect()
}

/// The lab of one healthy server.
fn healthy(breaks: &[&[&str]]) -> Broken {
    Broken::story("healthy", breaks)
}

/// The thumbprint of the only certificate of My that the words of its subject name.
fn in_my(state: &Value, subject: &str) -> String {
    let all = state["stores"]["My"].as_array().unwrap();
    let mut found = all.iter().filter(|own| own["subject"] == subject);
    let one = found.next().unwrap()["thumbprint"].as_str().unwrap().to_owned();
    assert!(found.next().is_none(), "more than one {subject}");
    one
}

#[test]
fn a_deleted_certificate_is_replaced_by_a_new_one() {
    let lab = Broken::story("back-end-deleted", &[]);
    assert_eq!(names(&lab.told()), [("bound-certificate-not-in-store", "plan")]);
    let (code, said) = lab.rescue(&[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("expected a yes"), "{said}");
    assert_eq!(lab.state(), lab.before, "nothing without a yes");
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("exseal plan internal-transport renew --on"),
        "{said}"
    );
    lab.is_ended(&said);

    // Plan and journal are there, and take it back as any other.
    let files = || {
        let all = std::fs::read_dir(lab.at()).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap())
    };
    let journal = files().find(|name| name.ends_with(".journal")).unwrap();
    assert!(files().any(|name| name.starts_with("exseal-rescue-")));
    let shown = lab_output(&lab, &["journal", "show", &journal]);
    assert!(shown.contains("done and proven"), "{shown}");
}

fn lab_output(broken: &Broken, arguments: &[&str]) -> String {
    let output = lab(broken.at()).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_binding_without_certificate_gets_the_good_one_that_is_there() {
    for breaks in [
        // An empty thumbprint, and a certificate for clients.
        &["unbind", "0.0.0.0:444"][..],
        &["bind", "0.0.0.0:444", "CN=mail.contoso.com"],
    ] {
        let lab = healthy(&[breaks]);
        let told = lab.told();
        let found = names(&told);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            matches!(
                found[0],
                ("back-end-unbound" | "back-end-uses-public-certificate", "plan")
            ),
            "{found:?}"
        );
        let (code, said) = lab.rescue(&["--yes"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            !said.contains("New-ExsealCertificate"),
            "a good one is there: {said}"
        );
        assert_eq!(lab.leaf(444), in_my(&lab.before, "CN=EX1"), "{said}");
        lab.is_ended(&said);
    }
}

#[test]
fn a_certificate_of_another_store_and_one_that_ended() {
    for (story, cause) in [
        ("back-end-unlisted", "bound-certificate-in-wrong-store"),
        ("back-end-expired", "certificate-expired"),
        ("null-thumbprint-bound", "back-end-unbound"),
    ] {
        let lab = Broken::story(story, &[]);
        let told = lab.told();
        let found = names(&told);
        assert!(found.contains(&(cause, "plan")), "{story}: {found:?}");
        let (code, said) = lab.rescue(&["--yes"]);
        // What the Auth certificate does goes on, and is told.
        let left = found.iter().any(|(_, by)| *by != "plan");
        assert_eq!(code, Some(if left { 3 } else { 0 }), "{story}: {found:?}\n{said}");
        println!("{story}: {found:?}");
        lab.shell_answers();
        if !left {
            lab.is_ended(&said);
        }
    }
}

#[test]
fn a_healthy_server_is_left_alone() {
    let lab = healthy(&[]);
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("nothing that was seen") && said.contains("nothing is to be done"),
        "{said}"
    );
    assert_eq!(lab.state(), lab.before);
}

#[test]
fn services_that_a_setup_disabled_are_started_and_then_the_binding_is_mended() {
    let mut lab = Broken::story("back-end-expired", &[]);
    reply(
        lab.at(),
        &["fault", "disabled-by-setup", "--server", SERVER, "--json"],
    );
    lab.before = lab.state();
    let told = lab.told();
    let found = names(&told);
    assert!(
        found.contains(&("services-disabled-by-setup", "plan")),
        "{found:?}"
    );
    assert!(found.contains(&("certificate-expired", "plan")), "{found:?}");
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    lab.is_ended(&said);
}

#[test]
fn what_a_person_disabled_is_left_and_told() {
    let lab = healthy(&[]);
    reply(
        lab.at(),
        &["fault", "disabled-by-person=W3SVC", "--server", SERVER, "--json"],
    );
    let before = lab.state();
    let told = lab.told();
    assert_eq!(names(&told), [("service-disabled-by-a-person", "person")]);
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("a person disabled services") && said.contains("W3SVC"),
        "{said}"
    );
    assert_eq!(lab.state(), before, "{said}");
}

#[test]
fn a_certificate_without_key_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(
        &file,
        "domain = \"own.lab\"\n[[certificate]]\nid = \"old\"\nnames = [\"EX1\", \"ex1.own.lab\"]\nissuer = \"self\"\n\
         friendly_name = \"old\"\n[[server]]\nname = \"EX1\"\nback_end = \"old\"\n[[server.store]]\ncertificate = \"old\"\nkey = false\n",
    )
    .unwrap();
    let lab = Broken::of(&[file.to_str().unwrap()], &[]);
    let told = lab.told();
    assert_eq!(names(&told), [("certificate-without-key", "plan")]);
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    lab.is_ended(&said);
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_is_not_yes_is_a_no() {
    let lab = healthy(&[&["unbind", "0.0.0.0:444"]]);
    std::fs::write(lab.at().join("password"), lab.password()).unwrap();
    for (word, begins) in [
        ("no", false),
        ("y", false),
        ("", false),
        ("yes please", false),
        ("yes", true),
    ] {
        // A terminal of its own, as a person has one.
        let started = crate::lab::lab(lab.at())
            .args(["--version"])
            .get_program()
            .to_owned();
        let line = format!(
            "{} rescue --live --connect connect.toml --password-fd 3 3<password",
            started.to_str().unwrap()
        );
        let mut command = std::process::Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .current_dir(lab.at())
            .env("COLUMNS", "100")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            println!("not checked: no `script` here that makes a terminal");
            return;
        };
        writeln!(child.stdin.take().unwrap(), "{word}").unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("to end the outage? Type yes:"), "{said}");
        if begins {
            assert!(output.status.success(), "{said}");
            lab.is_ended(&said);
        } else {
            assert_eq!(output.status.code(), Some(1), "{word}: {said}");
            assert_eq!(lab.state(), lab.before, "{word}: {said}");
        }
    }
}

#[test]
fn a_key_that_the_store_only_claims_is_found_out() {
    let lab = healthy(&[&["lose-key", "CN=EX1"]]);
    let (code, said) = lab.rescue(&["--yes"]);
    println!("{said}");
    assert_eq!(code, Some(0), "{said}");
    lab.is_ended(&said);
}

#[test]
fn an_ended_auth_certificate_is_told_and_444_is_not_touched_for_it() {
    let lab = Broken::story("auth-expired", &[]);
    let told = lab.told();
    assert!(
        names(&told).contains(&("auth-current-expired", "person")),
        "{:?}",
        names(&told)
    );
    assert!(told["plan"]["steps"].as_array().unwrap().is_empty(), "{told}");
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("the Auth certificate has ended") && said.contains("to do:"),
        "{said}"
    );
    assert_eq!(lab.state(), lab.before, "{said}");
}

#[test]
fn files_alone_give_a_diagnosis_and_a_sheet() {
    let sample = ["--from", "examples/kiefer", "--now", crate::NOW];
    let shown = crate::outputs::at(100, &[&["rescue"][..], &sample].concat());
    insta::assert_snapshot!("rescue_100", shown);
    conforms(
        "rescue",
        &crate::json(&[&["rescue", "--json"][..], &sample].concat()),
    );
    let several = crate::run(&[&["rescue", "--sheet", "-"][..], &sample].concat());
    assert_eq!(several.status.code(), Some(2), "a sheet is for one server");

    let sheet = crate::stdout(&[&["rescue", "--sheet", "-", "--on", "ex2"][..], &sample].concat());
    assert!(sheet.is_ascii() && !sheet.replace("\r\n", "").contains(['\n', '\r', '\t']));
    let (body, end) = sheet.split_at(sheet.len() - 4);
    assert_eq!(end, "\r\n\r\n", "an empty line ends it");
    assert!(
        body.lines().all(|line| !line.trim().is_empty()),
        "an empty line would end the block"
    );
    assert!(
        !sheet.contains("Add-PSSnapin") && !sheet.contains("#Requires"),
        "no cmdlet of Exchange"
    );
    // Whoever binds is told beforehand that the certificate is there with its key.
    let lines: Vec<&str> = body.lines().collect();
    let binds: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].starts_with("$null = Set-ExsealHttpSysCertificate"))
        .collect();
    assert!(!binds.is_empty());
    for at in binds {
        let named = lines[at]
            .split("-Thumbprint ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        let checked = |line: &&str| {
            line.starts_with("Confirm-ExsealFact") && line.contains(named) && line.contains("hasPrivateKey")
        };
        assert!(lines[..at].iter().rev().take(4).any(checked), "{}", lines[at]);
    }
    let steps = sheet.rsplit("$did = @{}").next().unwrap().replace("\r\n", "\n");
    let serial = steps
        .split("-Serial '")
        .nth(1)
        .and_then(|rest| rest.get(..32))
        .unwrap_or("none")
        .to_owned();
    insta::assert_snapshot!("rescue_sheet", steps.replace(&serial, "SERIAL"));
}

#[test]
fn a_reply_that_is_lost_is_no_second_certificate_and_what_was_done_goes_back() {
    let lab = Broken::story("back-end-deleted", &[]);
    let own = |state: &Value| state["stores"]["My"].as_array().unwrap().len();
    for command in ["New-ExsealCertificate", "Set-ExsealHttpSysCertificate"] {
        let fault = [
            "fault",
            "loses-reply",
            "--server",
            SERVER,
            "--step",
            command,
            "--json",
        ];
        reply(lab.at(), &fault);
    }
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(own(&lab.state()), own(&lab.before) + 1, "{said}");
    let journal = std::fs::read_dir(lab.at())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.ends_with(".journal"))
        .unwrap();
    let mut child = crate::lab::lab(lab.at())
        .args([
            "verify",
            &journal,
            "--connect",
            "connect.toml",
            "--password-stdin",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", lab.password()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    lab.is_ended(&said);
}

#[test]
fn two_servers_are_rescued_one_after_the_other_or_the_one_that_was_named() {
    let lab = Broken::story("healthy-dag", &[&["unbind", "0.0.0.0:444"]]);
    reply(
        lab.at(),
        &["break", "--server", "EX2", "--json", "unbind", "0.0.0.0:444"],
    );
    let bound = |server: &str| {
        let whole = reply(lab.at(), &["dump", "--json"]);
        !whole["servers"][server]["httpSys"]["0.0.0.0:444"].is_null()
    };
    let (code, said) = lab.rescue(&["--yes", "--on", "EX2"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(bound("EX2") && !bound("EX1"), "{said}");
    let (code, said) = lab.rescue(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(bound("EX1") && bound("EX2"), "{said}");
    lab.is_ended(&said);
}
