//! What Exchange's front end says in text, before and within a session.

use exseal_exchange::session::{Allowed, Effect, Session, SessionError};
use exseal_psrp::message::{Command, Pipeline};
use serde_json::{Value, json};

use crate::peer::{basic, endpoint, ntlm, peer};

const FIELDS: &str = "[ClientAccessServer=EX1,BackEndServer=ex1.lab.test,RequestId=802d0eac-210b-4738-9549-704ef08548d2,\
                      TimeStamp=3/10/2021 4:24:51 PM]";

fn dead(name: &str, category: &str, words: &str, on: &[&str]) -> Value {
    let body = format!("{FIELDS} [FailureCategory={category}] {words}");
    let sealed = name.starts_with("sealed");
    let auth = if sealed { "negotiate" } else { "basic" };
    json!({"name": name, "auth": auth, "sealed": sealed, "front_end": {"body": body, "on": on}})
}

#[tokio::test]
async fn what_the_front_end_says_keeps_its_category() {
    let cases = [
        ("sealed-proxy", "Cafe-SendFailure", ""),
        ("proxy", "Cafe-SendFailure", ""),
        ("roles", "AuthZ-CmdletAccessDeniedException", "no roles"),
        (
            "sealed-roles",
            "AuthZ-CmdletAccessDeniedException",
            "The user \u{201e}LAB\\admin\u{201c} isn't assigned to any management roles. ü 😀",
        ),
    ];
    let endpoints: Vec<Value> = cases
        .iter()
        .map(|(name, category, words)| dead(name, category, words, &["Create"]))
        .collect();
    let Some(peer) = peer(&json!(endpoints)) else {
        return;
    };
    for (name, category, words) in cases {
        let log_on = if name.starts_with("sealed") {
            ntlm()
        } else {
            basic()
        };
        let Err(error) = Session::open(endpoint(peer.port(name), log_on)).await else {
            panic!("it is down")
        };
        let front_end = error.front_end().unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(front_end.category, category);
        assert_eq!(front_end.text, words);
        assert_eq!(front_end.field("BackEndServer"), Some("ex1.lab.test"));
        assert_eq!(front_end.is_proxy_failure(), category.starts_with("Cafe-"));
        assert_eq!(
            front_end.is_authorization_failure(),
            category.starts_with("AuthZ-")
        );
        assert!(
            !matches!(error, SessionError::Unauthorized { .. }),
            "it is no failed log-on"
        );
        assert!(!error.is_refusal());
        // What was not authorised was not done; what was on the way to a back end may have arrived there. On a sealed
        // connection anyone can have written these words, which are in clear text: they deny nothing.
        let expected = if front_end.is_authorization_failure() && !name.starts_with("sealed") {
            Effect::None
        } else {
            Effect::Unknown
        };
        assert_eq!(error.effect(), expected, "{error}");
    }
}

#[tokio::test]
async fn a_back_end_that_dies_under_a_command_is_the_front_ends_error_and_leaves_no_shell() {
    let Some(peer) = peer(&json!([
        dead(
            "sealed-receive",
            "Cafe-HttpProxyException",
            "The proxy failed.",
            &["Command"]
        ),
        dead(
            "receive",
            "Cafe-HttpProxyException",
            "The proxy failed.",
            &["Command"]
        ),
    ])) else {
        return;
    };
    for (name, log_on) in [("sealed-receive", ntlm()), ("receive", basic())] {
        let mut session = Session::open(endpoint(peer.port(name), log_on)).await.unwrap();
        let pipeline = Pipeline::new([Command::new("Get-Echo")]);
        let error = session.run(pipeline, &Allowed::default()).await.unwrap_err();
        let front_end = error.front_end().unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(front_end.category, "Cafe-HttpProxyException");
        assert_eq!(front_end.text, "The proxy failed.");
        assert_eq!(error.effect(), Effect::Unknown, "it may have begun");
        assert_eq!(peer.calls(name, "Command"), 0, "the peer got none of it");
        session.close().await.unwrap();
    }
}
