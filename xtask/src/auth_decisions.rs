//! `cargo xtask auth-decisions`: the baseline policy gives Microsoft's own answers.
//!
//! A case is an organisation in plain values and what the peer's unmodified script decided about it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use exseal_engine::Policy;
use exseal_engine::auth::{Action, AuthServer, Blocked, Config, Situation, decide};
use exseal_model::Thumbprint;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{Failure, Result, workspace};

/// Arguments of `cargo xtask auth-decisions`.
#[derive(Debug, Args)]
pub(crate) struct AuthDecisionsArgs {
    /// The file of cases [default: auth-decisions/cases.json of the recorded exports]
    file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Case {
    now: Timestamp,
    auth_config: bool,
    current_thumbprint: String,
    #[serde(deserialize_with = "time_or_none")]
    current_not_after: Option<Timestamp>,
    next_thumbprint: String,
    #[serde(deserialize_with = "time_or_none")]
    next_not_after: Option<Timestamp>,
    hybrid: bool,
    servers: Vec<Server>,
    flags: Flags,
    expected: Answer,
}

#[derive(Debug, Deserialize)]
struct Server {
    fqdn: String,
    role: String,
    version: String,
    site: String,
    reachable: bool,
    has_current: bool,
    has_next: bool,
}

#[derive(Debug, Deserialize)]
struct Flags {
    ignore_unreachable: bool,
    ignore_hybrid: bool,
    enforce_new_next: bool,
}

/// What the peer returns, field by field.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Answer {
    replace_required: bool,
    current_import_required: bool,
    configure_next_required: bool,
    next_import_required: bool,
    stop_due_to_hybrid: bool,
    hybrid_detected: bool,
    multiple_sites: bool,
    current_days: i64,
    next_days: i64,
    unreachable: Vec<String>,
    missing_current: Vec<String>,
    missing_next: Vec<String>,
}

/// An empty text or null where there is no such certificate.
fn time_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}

pub(crate) fn run(args: &AuthDecisionsArgs) -> Result {
    let file = match &args.file {
        Some(file) => file.clone(),
        None => workspace::required_fixtures(None)?.join("auth-decisions/cases.json"),
    };
    println!("{}", check(&file)?);
    Ok(())
}

/// Compares every case of `file`; returns `equal/total` in words.
///
/// # Errors
///
/// Lists each case whose answer differs, by its place from 1, with both answers.
pub(crate) fn check(file: &Path) -> Result<String> {
    let words = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", file.display()));
    let bytes = fs::read(file).map_err(|error| words(&error))?;
    let cases: Vec<Case> = serde_json::from_slice(&bytes).map_err(|error| words(&error))?;
    if cases.is_empty() {
        return Err(words(&"expected cases, found none"));
    }

    let mut differ = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let ours = answer(case)?;
        if ours != case.expected {
            differ.push(format!(
                "case {}: expected {:?}\n   found {ours:?}",
                at + 1,
                case.expected
            ));
        }
    }
    let equal = format!("{}/{} decisions equal", cases.len() - differ.len(), cases.len());
    if differ.is_empty() {
        Ok(equal)
    } else {
        Err(Failure::new(format!("{equal}\n{}", differ.join("\n"))))
    }
}

/// What the baseline policy decides, in the peer's fields.
fn answer(case: &Case) -> Result<Answer> {
    let mut policy = Policy::built_in("baseline")
        .ok_or_else(|| Failure::new("expected a built-in policy `baseline`, found none"))?
        .auth;
    policy.ignore_unreachable = case.flags.ignore_unreachable;
    policy.ignore_hybrid = case.flags.ignore_hybrid;
    policy.enforce_new_next = case.flags.enforce_new_next;

    let decision = decide(&situation(case)?, &policy);
    let acts = |action| decision.actions.contains(&action);
    Ok(Answer {
        replace_required: acts(Action::Replace),
        current_import_required: acts(Action::ImportCurrent),
        configure_next_required: acts(Action::StageNext),
        next_import_required: acts(Action::ImportNext),
        stop_due_to_hybrid: decision.blocked_by.contains(&Blocked::Hybrid),
        hybrid_detected: decision.hybrid_detected,
        multiple_sites: decision.multiple_sites,
        current_days: decision.current_days,
        next_days: decision.next_days,
        unreachable: decision.unreachable,
        missing_current: decision.missing_current,
        missing_next: decision.missing_next,
    })
}

fn situation(case: &Case) -> Result<Situation> {
    let thumbprint = |text: &str| -> Result<Option<Thumbprint>> {
        if text.is_empty() {
            Ok(None)
        } else {
            Ok(Some(text.parse()?))
        }
    };
    let config = Config {
        current: thumbprint(&case.current_thumbprint)?,
        next: thumbprint(&case.next_thumbprint)?,
    };
    let servers = case.servers.iter().map(|server| AuthServer {
        name: server.fqdn.clone(),
        counts: server.role != "edge" && server.version.starts_with("15."),
        site: Some(server.site.clone()),
        reachable: server.reachable,
        has_current: server.has_current,
        has_next: server.has_next,
    });
    Ok(Situation {
        now: case.now,
        utc_offset: SignedDuration::ZERO, // the shell that answered ran in UTC
        config: case.auth_config.then_some(config),
        current_not_after: case.current_not_after,
        next_not_after: case.next_not_after,
        hybrid: case.hybrid,
        servers: servers.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One recorded case: current ends in 119 days, an Edge server cannot be asked and does not count.
    const CASE: &str = r#"{"now":"2029-02-03T00:00:00Z","auth_config":true,
        "current_thumbprint":"E1BDF9AE58C93C75E76C9DD882138FB8FF0FA786","current_not_after":"2029-06-02T01:00:00Z",
        "next_thumbprint":"","next_not_after":"2029-06-05T00:00:00Z","hybrid":false,
        "servers":[{"fqdn":"ex1.lab.example","role":"mailbox","version":"15.2","site":"Berlin","reachable":true,
        "has_current":true,"has_next":true},{"fqdn":"edge1.dmz.example","role":"edge","version":"15.2",
        "site":"Berlin","reachable":false,"has_current":false,"has_next":false}],
        "flags":{"ignore_unreachable":true,"ignore_hybrid":true,"enforce_new_next":false},
        "expected":{"replace_required":false,"current_import_required":false,"configure_next_required":false,
        "next_import_required":false,"stop_due_to_hybrid":false,"hybrid_detected":false,"multiple_sites":false,
        "current_days":119,"next_days":-1,"unreachable":[],"missing_current":[],"missing_next":[]}}"#;

    fn checked(cases: &str) -> Result<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("cases.json");
        fs::write(&file, cases).expect("cases");
        check(&file)
    }

    #[test]
    fn an_equal_answer_is_counted() {
        let words = checked(&format!("[{CASE}]")).expect("the answers are equal");
        assert_eq!(words, "1/1 decisions equal");
    }

    #[test]
    fn a_different_answer_is_listed_with_both_sides() {
        let other = CASE.replace("\"current_days\":119", "\"current_days\":118");
        let Failure(words) = checked(&format!("[{CASE},{other}]")).expect_err("one differs");
        assert!(
            words.starts_with("1/2 decisions equal\ncase 2: expected "),
            "{words}"
        );
        assert!(
            words.contains("current_days: 118") && words.contains("current_days: 119"),
            "{words}"
        );
    }

    #[test]
    fn a_file_without_cases_is_no_success() {
        assert!(checked("[]").is_err());
    }
}
