//! What is known of Exchange's endpoint and WinRM (facts/powershell-remoting.md 3), shown on a stage.

use std::time::Duration;

use exseal_exchange::session::{Allowed, Effect, LogOn, Session, SessionError};
use exseal_gss::Scheme;
use exseal_psrp::data::Data;
use exseal_psrp::message::{Command, Pipeline};
use exseal_psrp::wsman::{Answer, Fault, Operation, Reply, ReplyError, Signal};
use uuid::Uuid;

use crate::peer::{basic, endpoint, ntlm, password, run, server, texts};
use crate::stage::{Heard, Shell, Stage, echoing, http, reply, stage};

const FRONT_END: &str = "[ClientAccessServer=EX1,BackEndServer=ex1.lab.test,RequestId=802d0eac-210b-4738-9549-704ef08548d2,\
                         TimeStamp=3/10/2021 4:24:51 PM] [FailureCategory=Cafe-HttpUnauthorized] no";

fn every_log_on() -> [LogOn; 4] {
    [
        ntlm(),
        LogOn::With(Scheme::Ntlm, password()),
        LogOn::Best(password()),
        basic(),
    ]
}

/// A stage on which a shell is played; an answer the other way where `instead` gives one.
async fn with_shell(
    mut shell: Shell,
    mut instead: impl FnMut(&Heard, &mut Shell) -> Option<String> + Send + 'static,
) -> Stage {
    stage(move |heard| {
        instead(heard, &mut shell).unwrap_or_else(|| {
            let request = heard.request().unwrap();
            let answer = shell.answer(&request);
            reply(&request, answer)
        })
    })
    .await
}

async fn fails(port: u16, log_on: LogOn) -> SessionError {
    match Session::open(endpoint(port, log_on)).await {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_the_front_end_answers_to_a_log_on_keeps_its_category() {
    // It answers 401 as 400 and 503 as 500, with its words as the body (3.5).
    for status in [400, 401, 403, 500, 503] {
        let stage = stage(move |_| http(status, "", FRONT_END)).await;
        for log_on in every_log_on() {
            let error = fails(stage.port, log_on).await;
            let front_end = error.front_end().unwrap_or_else(|| panic!("{status}: {error:?}"));
            assert_eq!(front_end.category, "Cafe-HttpUnauthorized");
            assert!(!error.is_refusal(), "nobody said that the password is wrong");
        }
    }
}

#[tokio::test]
async fn no_endpoint_and_one_that_is_down_are_no_failed_log_on() {
    for (status, is_none) in [(404, true), (503, false), (500, false)] {
        let stage = stage(move |_| http(status, "", "<html><body>sorry<br></body></html>")).await;
        for log_on in every_log_on() {
            let error = fails(stage.port, log_on).await;
            assert!(
                matches!(&error, SessionError::Reply(ReplyError::NotAnEnvelope { status: found, .. }) if *found == status),
                "{error:?}"
            );
            assert_eq!(error.is_no_endpoint(), is_none, "{error}");
            assert!(!error.is_refusal());
        }
    }
}

#[tokio::test]
async fn a_server_without_the_configuration_is_a_fact_and_no_failure() {
    for fault in [
        Fault::new("DestinationUnreachable", 0x8033_803B, "not found"),
        Fault::new("InternalError", Fault::NO_SUCH_RESOURCE, "nicht gefunden"),
    ] {
        let stage =
            stage(move |heard| reply(&heard.request().unwrap(), Answer::Fault(Box::new(fault.clone()))))
                .await;
        let error = fails(stage.port, basic()).await;
        assert!(error.is_no_endpoint(), "{error:?}");
        assert_eq!(error.effect(), Effect::None);
    }
}

#[tokio::test]
async fn no_credentials_follow_a_redirect_whatever_the_scheme() {
    for status in [301, 302, 307, 308] {
        let target = stage(|_| http(500, "", "")).await;
        let location = format!("Location: http://127.0.0.1:{}/PowerShell/\r\n", target.port);
        let first = stage(move |_| http(status, &location, "")).await;
        for log_on in every_log_on() {
            let error = fails(first.port, log_on).await;
            assert!(
                matches!(&error, SessionError::Redirect { location, .. } if location.contains(&target.port.to_string())),
                "{error:?}"
            );
        }
        assert!(target.heard().is_empty(), "nobody went there");
    }
}

#[tokio::test]
async fn every_request_wants_no_compression_and_brings_the_cookies_of_the_answers_before() {
    let stage = with_shell(echoing(), |heard, shell| {
        let request = heard.request().unwrap();
        let set = match request.operation {
            Operation::Create { .. } => {
                "Set-Cookie: X-BackEndCookie=one; path=/PowerShell; secure; HttpOnly\r\nSet-Cookie: ClientId=me\r\n"
            }
            Operation::Command { .. } => "Set-Cookie: X-BackEndCookie=two; path=/PowerShell\r\n",
            Operation::Signal { .. } => {
                "Set-Cookie: X-BackEndCookie=; expires=Sat, 27-Nov-1993 12:00:00 GMT; path=/PowerShell\r\n"
            }
            _ => return None,
        };
        let answer = shell.answer(&request);
        let answer = Reply {
            message_id: Uuid::from_u128(1),
            relates_to: request.message_id,
            answer,
        };
        Some(http(200, set, &answer.encode()))
    })
    .await;
    let mut session = Session::open(endpoint(stage.port, basic())).await.unwrap();
    assert_eq!(
        texts(&run(&mut session, Command::new("Get-Echo")).await.unwrap()),
        ["Get-Echo"]
    );
    session.close().await.unwrap();

    let mut expected = None;
    for heard in stage.heard() {
        assert_eq!(heard.header("Accept-Encoding"), Some("identity"));
        assert_eq!(heard.header("Cookie"), expected, "request {}", heard.turn);
        assert_eq!(heard.connection, 0, "one connection serves all");
        expected = match heard.request().unwrap().operation {
            Operation::Create { .. } => Some("X-BackEndCookie=one; ClientId=me"),
            Operation::Command { .. } => Some("ClientId=me; X-BackEndCookie=two"),
            Operation::Signal { .. } => Some("ClientId=me"),
            _ => expected,
        };
    }
    assert_eq!(
        stage.operations(),
        ["Create", "Receive", "Command", "Receive", "Signal", "Delete"]
    );
}

#[tokio::test]
async fn an_answer_that_is_compressed_all_the_same_is_said_to_be() {
    let stage = with_shell(echoing(), |heard, _| {
        let request = heard.request().unwrap();
        let is_command = matches!(request.operation, Operation::Command { .. });
        is_command.then(|| http(200, "Content-Encoding: gzip\r\n", "not to be read"))
    })
    .await;
    let mut session = Session::open(endpoint(stage.port, basic())).await.unwrap();
    let error = run(&mut session, Command::new("Get-Echo")).await.unwrap_err();
    assert!(
        error.to_string().contains("without compression, found \"gzip\""),
        "{error}"
    );
    assert_eq!(error.effect(), Effect::Unknown, "the command was taken");
    session.close().await.unwrap();
    assert_eq!(stage.operations().last(), Some(&"Delete"));
}

#[tokio::test]
async fn an_answer_to_another_request_is_never_taken() {
    let stage = with_shell(echoing(), |heard, shell| {
        let mut request = heard.request().unwrap();
        let is_command = matches!(request.operation, Operation::Command { .. });
        is_command.then(|| {
            let answer = shell.answer(&request);
            request.message_id = Uuid::from_u128(7);
            reply(&request, answer)
        })
    })
    .await;
    let mut session = Session::open(endpoint(stage.port, basic())).await.unwrap();
    let error = run(&mut session, Command::new("Get-Echo")).await.unwrap_err();
    assert!(
        matches!(
            &error,
            SessionError::Reply(ReplyError::NotOurs {
                action: "Command",
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(error.effect(), Effect::Unknown);
    assert_eq!(
        stage
            .operations()
            .iter()
            .filter(|name| **name == "Command")
            .count(),
        1,
        "it is not asked again"
    );
    session.close().await.unwrap();
}

#[tokio::test]
async fn exchange_is_asked_by_its_configuration_and_with_a_session_and_a_server_by_its_own() {
    let stage = with_shell(echoing(), |_, _| None).await;
    let mut ids = Vec::new();
    for (to, path, configuration) in [
        (
            endpoint(stage.port, basic()),
            "POST /PowerShell/?serializationLevel=Full HTTP/1.1",
            "http://schemas.microsoft.com/powershell/Microsoft.Exchange",
        ),
        (
            server(stage.port, basic()),
            "POST /wsman HTTP/1.1",
            "http://schemas.microsoft.com/powershell/Microsoft.PowerShell",
        ),
    ] {
        let before = stage.heard().len();
        let session = Session::open(to).await.unwrap();
        session.close().await.unwrap();
        for heard in &stage.heard()[before..] {
            let request = heard.request().unwrap();
            assert_eq!(heard.line(), path);
            assert_eq!(request.to.resource_uri, configuration, "every request names it");
            ids.push(request.to.session_id.unwrap());
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 2, "one session id a session");
}

#[tokio::test]
async fn script_text_never_leaves_for_exchange() {
    let stage = with_shell(echoing(), |_, _| None).await;
    let mut session = Session::open(endpoint(stage.port, basic())).await.unwrap();
    let mixed = Pipeline::new([Command::new("Get-Echo"), Command::script("Remove-Item x")]);
    let error = session.run(mixed, &Allowed::default()).await.unwrap_err();
    assert!(
        matches!(error, SessionError::Ask(_)) && error.effect() == Effect::None,
        "{error}"
    );
    session.close().await.unwrap();
    assert_eq!(stage.operations(), ["Create", "Receive", "Delete"]);
}

#[tokio::test]
async fn a_command_that_the_server_forgets_with_the_word_to_stop_is_stopped() {
    let shell = Shell::new(|server, pipeline, request| {
        if request.statements[0][0].text == "Get-Echo" {
            server.write_output(pipeline, &Data::from("still here")).unwrap();
            server.complete(pipeline).unwrap();
        }
    });
    let mut stopped = None;
    let stage = with_shell(shell, move |heard, _| {
        let request = heard.request().unwrap();
        match request.operation {
            Operation::Signal {
                command_id,
                signal: Signal::Stop,
            } => {
                stopped = Some(command_id);
                Some(reply(&request, Answer::Signalled))
            }
            Operation::Receive { command_id } if command_id.is_some() && command_id == stopped => {
                let fault = Fault::shell_not_found("the command");
                Some(reply(&request, Answer::Fault(Box::new(fault))))
            }
            _ => None,
        }
    })
    .await;
    let mut session = Session::open(endpoint(stage.port, basic())).await.unwrap();
    let short = Allowed {
        time: Some(Duration::from_millis(200)),
        ..Allowed::default()
    };
    let sleeping = Pipeline::new([Command::new("Start-Sleep")]);
    let error = session.run(sleeping, &short).await.unwrap_err();
    assert!(matches!(error, SessionError::Deadline { .. }), "{error:?}");
    assert_eq!(error.effect(), Effect::Unknown);
    assert_eq!(
        texts(&run(&mut session, Command::new("Get-Echo")).await.unwrap()),
        ["still here"]
    );
    session.close().await.unwrap();
    assert_eq!(stage.operations().last(), Some(&"Delete"));
}
