//! One fault at every point of a session: each ends in time, in a typed error that says whether the command may have
//! run, never in a false success, and the server's shells are gone afterwards.

use std::time::Duration;

use exseal_exchange::session::{Allowed, Effect, Item, LogOn, Patience, Session, SessionError};
use exseal_psrp::clixml::Value;
use exseal_psrp::data::Data;
use exseal_psrp::message::{Command, Pipeline};
use exseal_psrp::secret::Secret;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::edits;
use crate::peer::{Peer, basic, endpoint, ntlm, outputs, peer};
use crate::proxy::{Fault, Proxy};

/// No session may take longer, whatever goes wrong.
const DEADLINE: Duration = Duration::from_secs(60);

/// A body that was cut does not unseal, and a cookie that was lost does not come back: that is the fault's doing.
const EXCUSED: &[&str] = &["unseal: ", "the cookie did not come back"];

/// What a session does between its opening and its end.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// A command with a secret: keys are exchanged first.
    WithSecret,
    /// A command whose answer takes several fragments.
    LongAnswer,
    /// A command that is told to stop.
    Stopped,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::WithSecret => "Get-SecretDigest",
            Self::LongAnswer => "Get-Echo",
            Self::Stopped => "Start-Sleep",
        }
    }

    fn pipeline(self) -> Pipeline {
        let command = Command::new(self.name());
        Pipeline::new([match self {
            Self::WithSecret => command.parameter("Password", Data::Secret(Secret::from("p"))),
            Self::LongAnswer => long_texts()
                .iter()
                .enumerate()
                .fold(command, |command, (at, text)| {
                    command.parameter(format!("P{at}"), text.as_str())
                }),
            Self::Stopped => command.parameter("Seconds", 20_i32),
        }])
    }

    /// Whether that is all the command writes, and in its order.
    fn is_whole(self, items: &[Item]) -> bool {
        let expected = match self {
            Self::WithSecret => {
                vec!["148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940".to_owned()]
            }
            Self::LongAnswer => long_texts(),
            Self::Stopped => return false,
        };
        let found: Vec<String> = outputs(items)
            .iter()
            .filter_map(|document| match document.values.first() {
                Some(Value::String(text)) => Some(text.to_text().into_owned()),
                _ => None,
            })
            .collect();
        found == expected
    }
}

fn long_texts() -> Vec<String> {
    vec![
        "a".repeat(90_000),
        "b".to_owned(),
        "c".repeat(40_000),
        "d".to_owned(),
    ]
}

/// What became of one session.
#[derive(Debug)]
struct Outcome {
    opened: bool,
    command: Result<bool, SessionError>,
    closed: Result<(), SessionError>,
}

async fn session(port: u16, log_on: LogOn, patience: Patience, work: Work) -> Outcome {
    let mut endpoint = endpoint(port, log_on);
    endpoint.patience = patience;
    let mut session = match Session::open(endpoint).await {
        Ok(session) => session,
        Err(error) => {
            return Outcome {
                opened: false,
                command: Err(error),
                closed: Ok(()),
            };
        }
    };
    let allowed = Allowed {
        time: matches!(work, Work::Stopped).then_some(Duration::from_millis(300)),
        ..Allowed::default()
    };
    let command = session.run(work.pipeline(), &allowed).await;
    if command.as_ref().is_err_and(is_broken) {
        let error = session.run(work.pipeline(), &allowed).await.unwrap_err();
        assert!(
            matches!(error, SessionError::Gone),
            "a broken session sends nothing more: {error:?}"
        );
        assert_eq!(error.effect(), Effect::None);
    }
    Outcome {
        opened: true,
        command: command.map(|items| work.is_whole(&items)),
        closed: session.close().await,
    }
}

/// Whether an answer was lost or made no sense. A refusal in WSMan's words is an answer.
fn is_broken(error: &SessionError) -> bool {
    match error {
        SessionError::Failed { .. }
        | SessionError::Stopped
        | SessionError::Deadline { .. }
        | SessionError::Lost => false,
        SessionError::Reply(reply) => reply.fault_kind().is_none(),
        SessionError::Unheard { source } | SessionError::Unsent { source } => is_broken(source),
        _ => true,
    }
}

/// Tries `fault` with every request of a session; returns how many points that were.
async fn sweep(
    peer: &Peer,
    name: &str,
    log_on: &LogOn,
    work: Work,
    fault: Fault,
    patience: Patience,
) -> usize {
    let proxy = Proxy::before(peer.port(name)).await;
    let mut points = 0;
    for at in 1.. {
        let how = match fault {
            Fault::Edit(how, _) => how.to_owned(),
            drop => format!("{drop:?}"),
        };
        let what = format!("{how} at request {at} of {work:?} on {name}");
        let ran = || peer.stats()[name]["ran"][work.name()].as_u64().unwrap_or(0);
        let before = ran();
        proxy.arm(at, fault);
        let outcome = timeout(DEADLINE, session(proxy.port, log_on.clone(), patience, work))
            .await
            .unwrap_or_else(|_| panic!("{what}: no end"));
        let seen = proxy.seen();

        // What the server was still doing it has done once its shells are gone.
        let mut left = 200;
        while peer.stats()[name]["shells"] != 0 && left > 0 {
            sleep(Duration::from_millis(20)).await;
            left -= 1;
        }
        assert_eq!(
            peer.stats()[name]["shells"],
            0,
            "{what}: a shell is left: {outcome:?}"
        );
        let ran = ran() - before;
        assert!(ran <= 1, "{what}: the command ran {ran} times");
        match &outcome.command {
            Ok(is_whole) => {
                assert!(is_whole, "{what}: success with another answer");
                assert_eq!(ran, 1, "{what}: success without a run");
            }
            Err(error) if outcome.opened => {
                assert!(
                    ran == 0 || error.effect() == Effect::Unknown,
                    "{what}: it ran, and that is denied: {error:?}"
                );
                // Where requests can be read here, the other direction holds as well.
                let is_known = name == "basic" && !seen.has_seen_command;
                assert!(
                    !is_known || error.effect() == Effect::None,
                    "{what}: it was never sent, and that is not said: {error:?}"
                );
            }
            Err(error) => assert_eq!(ran, 0, "{what}: {error:?}"),
        }
        let is_closed = matches!(&outcome.closed, Ok(()) | Err(SessionError::NoAnswer { .. }));
        assert!(is_closed, "{what}: the session could not be closed: {outcome:?}");
        let gentle = matches!(fault, Fault::ClosedWhileIdle | Fault::Late);
        if gentle && !matches!(work, Work::Stopped) {
            assert!(
                matches!(outcome.command, Ok(true)),
                "{what}: nothing was lost: {outcome:?}"
            );
        }
        points += usize::from(seen.has_struck);
        if seen.requests < at {
            break;
        }
    }
    assert!(points > 0, "{fault:?} of {work:?} on {name} never struck");
    points
}

fn patient() -> Patience {
    Patience {
        operation: Duration::from_secs(10),
        ..Patience::default()
    }
}

/// For servers that never answer.
fn hasty() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        operation: Duration::from_millis(700),
        answer: Duration::from_millis(800),
        stop: Duration::from_secs(2),
        quota: Duration::from_secs(1),
    }
}

const DROPS: [Fault; 11] = [
    Fault::ClosedWhileIdle,
    Fault::NoWayBack,
    Fault::BeforeSend,
    Fault::MidHead,
    Fault::MidBody,
    Fault::LastByte,
    Fault::AfterSend,
    Fault::ReplyLost,
    Fault::MidReplyHead,
    Fault::MidReply,
    Fault::ReplyLastByte,
];

async fn drops(name: &str, auth: &serde_json::Value, log_on: LogOn) {
    let Some(mut peer) = peer(&json!([auth])) else {
        return;
    };
    peer.excuse(EXCUSED);
    let mut points = 0;
    for work in [Work::WithSecret, Work::LongAnswer, Work::Stopped] {
        for fault in DROPS {
            points += sweep(&peer, name, &log_on, work, fault, patient()).await;
        }
    }
    println!("{points} points of a session over {name} where its connection was dropped");
}

#[tokio::test]
async fn a_connection_dropped_anywhere_is_a_typed_error_and_leaves_no_shell() {
    drops(
        "basic",
        &json!({"name": "basic", "auth": "basic", "max_poll": 0.3}),
        basic(),
    )
    .await;
}

#[tokio::test]
async fn a_sealed_connection_dropped_anywhere_is_a_typed_error_and_leaves_no_shell() {
    let sealed = json!({"name": "ntlm", "auth": "negotiate", "sealed": true, "max_poll": 0.3});
    drops("ntlm", &sealed, ntlm()).await;
}

#[tokio::test]
async fn a_server_that_is_silent_or_slow_is_not_waited_for_without_end() {
    let Some(mut peer) = peer(&json!([
        {"name": "basic", "auth": "basic", "max_poll": 0.3},
        {"name": "ntlm", "auth": "negotiate", "sealed": true, "max_poll": 0.3},
    ])) else {
        return;
    };
    peer.excuse(EXCUSED);
    let mut points = 0;
    for (name, log_on) in [("basic", basic()), ("ntlm", ntlm())] {
        for fault in [Fault::Silent, Fault::Dribble] {
            points += sweep(&peer, name, &log_on, Work::LongAnswer, fault, hasty()).await;
        }
        points += sweep(&peer, name, &log_on, Work::LongAnswer, Fault::Late, patient()).await;
    }
    println!("{points} points of a session where the server was silent or slow");
}

#[tokio::test]
async fn an_answer_that_was_tampered_with_is_never_a_false_success() {
    let Some(mut peer) = peer(&json!([{"name": "basic", "auth": "basic", "max_poll": 0.3}])) else {
        return;
    };
    peer.excuse(EXCUSED);
    let mut points = 0;
    for (name, edit) in edits::ALL {
        points += sweep(
            &peer,
            "basic",
            &basic(),
            Work::LongAnswer,
            Fault::Edit(name, *edit),
            patient(),
        )
        .await;
    }
    println!("{points} points of a session where an answer in clear text was changed");
}

#[tokio::test]
async fn on_a_sealed_connection_no_forged_answer_says_that_nothing_was_done() {
    let sealed = json!([{"name": "ntlm", "auth": "negotiate", "sealed": true, "max_poll": 0.3}]);
    let Some(mut peer) = peer(&sealed) else {
        return;
    };
    peer.excuse(EXCUSED);
    let mut points = 0;
    for (name, edit) in edits::FORGED {
        points += sweep(
            &peer,
            "ntlm",
            &ntlm(),
            Work::LongAnswer,
            Fault::Edit(name, *edit),
            patient(),
        )
        .await;
    }
    println!("{points} points of a session where a sealed answer was changed or forged");
}
