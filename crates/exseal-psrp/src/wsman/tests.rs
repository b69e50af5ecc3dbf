use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::oop::Stream;

const ID: Uuid = Uuid::from_u128(0x26eb_5d38_5d7e_4a44_a319_e83b_34f6_59b8);
const OTHER: Uuid = Uuid::from_u128(7);

fn request(operation: Operation) -> Request {
    Request {
        message_id: Uuid::from_u128(1),
        to: To {
            url: "http://ex1.example.org/PowerShell/?serializationLevel=Full&PSVersion=5.1".to_owned(),
            resource_uri: resource_uri(EXCHANGE),
            session_id: Some(Uuid::from_u128(2)),
            operation_timeout: Duration::from_secs(20),
            max_envelope: MAX_ENVELOPE,
            locale: "de-DE".to_owned(),
        },
        shell_id: Some("ABC<&\"".to_owned()),
        options: Vec::new(),
        operation,
    }
}

fn operations() -> Vec<Operation> {
    vec![
        Operation::Create {
            shell_id: ID,
            name: Some("exseal".to_owned()),
            idle_timeout: Some(Duration::from_secs(180)),
            creation: b"first".to_vec(),
        },
        Operation::Command {
            command_id: ID,
            arguments: b"fragment".to_vec(),
        },
        Operation::Send {
            command_id: Some(ID),
            stream: Stream::Default,
            data: b"more".to_vec(),
        },
        Operation::Send {
            command_id: None,
            stream: Stream::PromptResponse,
            data: vec![0, 255],
        },
        Operation::Receive { command_id: Some(ID) },
        Operation::Receive { command_id: None },
        Operation::Signal {
            command_id: ID,
            signal: Signal::Stop,
        },
        Operation::Signal {
            command_id: ID,
            signal: Signal::Terminate,
        },
        Operation::Signal {
            command_id: ID,
            signal: Signal::Other("x".to_owned()),
        },
        Operation::Delete,
        Operation::Disconnect {
            idle_timeout: Some(Duration::from_secs(60)),
            buffer_mode: Some(BufferMode::Block),
        },
        Operation::Disconnect {
            idle_timeout: None,
            buffer_mode: None,
        },
        Operation::Reconnect,
        Operation::Connect {
            connection: b"connect".to_vec(),
        },
        Operation::Get,
    ]
}

fn answers() -> Vec<Answer> {
    let shell = ShellDescription {
        shell_id: "ABC".to_owned(),
        resource_uri: resource_uri(EXCHANGE),
        owner: Some("LAB\\admin".to_owned()),
        state: None,
        idle_timeout: Some("PT7200.000S".to_owned()),
    };
    let received = Received {
        streams: vec![(Some(ID), b"bytes".to_vec()), (Some(ID), b"and more".to_vec())],
        state: Some(CommandState::Done),
    };
    vec![
        Answer::Created(shell.clone()),
        Answer::CommandAccepted { command_id: ID },
        Answer::Sent,
        Answer::Sent,
        Answer::Received(received),
        Answer::Received(Received {
            streams: vec![(None, b"pool".to_vec())],
            state: None,
        }),
        Answer::Signalled,
        Answer::Signalled,
        Answer::Signalled,
        Answer::Deleted,
        Answer::Disconnected,
        Answer::Disconnected,
        Answer::Reconnected,
        Answer::Connected {
            connection: b"connected".to_vec(),
        },
        Answer::Shell(shell),
    ]
}

fn reply(answer: Answer) -> String {
    Reply {
        message_id: OTHER,
        relates_to: Uuid::from_u128(1),
        answer,
    }
    .encode()
}

#[test]
fn every_request_is_read_back() {
    for operation in operations() {
        let mut request = request(operation);
        assert_eq!(Request::decode(&request.encode()), Ok(request.clone()));
        request.shell_id = None;
        request.to.session_id = None;
        assert_eq!(Request::decode(&request.encode()), Ok(request.clone()));
    }
}

#[test]
fn every_answer_is_read_back() {
    for (operation, answer) in operations().into_iter().zip(answers()) {
        let body = reply(answer.clone());
        assert_eq!(request(operation).answer(200, body.as_bytes()), Ok(answer));
    }
}

#[test]
fn prefixes_do_not_matter_and_namespaces_do() {
    let body = reply(Answer::Signalled);
    let renamed = body
        .replace("<s:", "<soap:")
        .replace("</s:", "</soap:")
        .replace("xmlns:s=", "xmlns:soap=");
    assert!(renamed.starts_with("<soap:Envelope"));
    let signal = request(Operation::Signal {
        command_id: ID,
        signal: Signal::Stop,
    });
    assert_eq!(
        signal.answer(200, renamed.as_bytes()),
        Ok(Answer::Signalled),
        "{renamed}"
    );
    let foreign = body.replace(
        "http://www.w3.org/2003/05/soap-envelope",
        "http://schemas.xmlsoap.org/soap/envelope/",
    );
    assert!(matches!(
        signal.answer(200, foreign.as_bytes()),
        Err(ReplyError::Unexpected { .. })
    ));
}

#[test]
fn reply_to_another_request_is_refused() {
    let body = Reply {
        message_id: OTHER,
        relates_to: OTHER,
        answer: Answer::Deleted,
    }
    .encode();
    let error = request(Operation::Delete)
        .answer(200, body.as_bytes())
        .unwrap_err();
    assert!(
        matches!(&error, ReplyError::NotOurs { found, .. } if found.ends_with("0007")),
        "{error}"
    );
    assert_eq!(error.effect(), Effect::Unknown);
}

#[test]
fn answer_to_another_action_is_refused() {
    let body = reply(Answer::Signalled);
    assert!(matches!(
        request(Operation::Delete).answer(200, body.as_bytes()),
        Err(ReplyError::Unexpected { .. })
    ));
    let body = reply(Answer::CommandAccepted { command_id: OTHER });
    let command = request(Operation::Command {
        command_id: ID,
        arguments: Vec::new(),
    });
    assert!(matches!(
        command.answer(200, body.as_bytes()),
        Err(ReplyError::Unexpected { .. })
    ));
}

#[test]
fn timed_out_means_nothing_yet_for_receive_only() {
    let body = reply(Answer::NothingYet);
    let receive = request(Operation::Receive { command_id: None });
    assert_eq!(receive.answer(500, body.as_bytes()), Ok(Answer::NothingYet));
    let error = request(Operation::Delete)
        .answer(500, body.as_bytes())
        .unwrap_err();
    assert_eq!(error.fault_kind(), Some(FaultKind::NothingYet));
}

#[test]
fn faults_say_whether_anything_was_done() {
    let cases = [
        (Fault::shell_not_found("ABC"), FaultKind::ShellGone, Effect::None),
        (
            Fault::new(
                "QuotaLimit",
                2_150_859_174,
                "maximum number of 18 concurrent shells",
            ),
            FaultKind::Quota,
            Effect::None,
        ),
        (
            Fault::new("AccessDenied", 5, "Access is denied."),
            FaultKind::AccessDenied,
            Effect::None,
        ),
        (
            Fault::new("DestinationUnreachable", 0, "not found"),
            FaultKind::NoSuchResource,
            Effect::None,
        ),
        (
            Fault::new("InternalError", 1, "?"),
            FaultKind::Other,
            Effect::Unknown,
        ),
    ];
    for (fault, kind, effect) in cases {
        let body = reply(Answer::Fault(Box::new(fault.clone())));
        let error = request(Operation::Delete)
            .answer(500, body.as_bytes())
            .unwrap_err();
        assert_eq!(
            error,
            ReplyError::Fault {
                action: "Delete",
                fault: Box::new(fault)
            }
        );
        assert_eq!((error.fault_kind(), error.effect()), (Some(kind), effect));
    }
}

#[test]
fn used_up_quotas_are_known_by_number_whatever_the_subcode_and_the_language() {
    for (number, words) in [
        // The texts of facts/powershell-remoting.md 3.5, and one in another language.
        (
            0x8033_81E4,
            "This user is allowed a maximum number of 18 concurrent shells, which has been exceeded.",
        ),
        (
            0x8033_81A6,
            "Die maximale Anzahl gleichzeitiger Vorg\u{e4}nge (15) wurde erreicht.",
        ),
    ] {
        let fault = Fault::new("InternalError", number, words);
        assert_eq!((fault.kind(), fault.pause()), (FaultKind::Quota, None));
    }
    let often = Fault::new(
        "QuotaLimit",
        0x8033_81A7,
        "The user load quota of 60 requests per 60 seconds has been exceeded. The next request from this user will not \
         be approved for at least 1500 milliseconds.",
    );
    assert_eq!(often.kind(), FaultKind::Quota);
    assert_eq!(often.pause(), Some(Duration::from_millis(1500)));
    assert_eq!(Fault::new("QuotaLimit", 0x8033_81A7, "later").pause(), None);
}

#[test]
fn a_configuration_that_is_not_there_is_known_by_number() {
    let fault = Fault::new(
        "InternalError",
        0x8033_803B,
        "Die Ressourcen-URI wurde nicht gefunden.",
    );
    assert_eq!(fault.kind(), FaultKind::NoSuchResource);
}

#[test]
fn front_end_text_becomes_an_error_with_its_category() {
    // The shape of facts/powershell-remoting.md 3.5: plain text labelled application/soap+xml.
    let text = "[ClientAccessServer=EX1,BackEndServer=ex1.lab.test,RequestId=802d0eac-210b-4738-9549-704ef08548d2,\
                TimeStamp=3/10/2021 4:24:51 PM] [FailureCategory=Cafe-SendFailure] For more information, see the \
                about_Remote_Troubleshooting Help topic.";
    let error = request(Operation::Delete)
        .answer(500, text.as_bytes())
        .unwrap_err();
    let front_end = error.front_end().unwrap();
    assert_eq!(front_end.category, "Cafe-SendFailure");
    assert_eq!(front_end.field("BackEndServer"), Some("ex1.lab.test"));
    assert_eq!(front_end.field("TimeStamp"), Some("3/10/2021 4:24:51 PM"));
    assert!(front_end.text.starts_with("For more information"));
    assert!(front_end.is_proxy_failure());
    assert_eq!(error.effect(), Effect::Unknown);
}

#[test]
fn front_end_prefix_within_a_fault_is_found() {
    let mut fault = Fault::new("InternalError", 0x8033_8012, "refused");
    fault.provider = Some(
        "[Server=EX1,RequestId=1,TimeStamp=2] [FailureCategory=AuthZ-CmdletAccessDeniedException] no role"
            .to_owned(),
    );
    let body = reply(Answer::Fault(Box::new(fault)));
    let error = request(Operation::Delete)
        .answer(500, body.as_bytes())
        .unwrap_err();
    assert_eq!(
        error.front_end().map(|error| error.category.as_str()),
        Some("AuthZ-CmdletAccessDeniedException")
    );
}

#[test]
fn bodies_that_are_no_envelopes_are_said() {
    for (status, body) in [
        (500, ""),
        (404, "<html><body>404<br></body></html>"),
        (400, "Bad Request"),
        (502, "<html/>"),
    ] {
        let error = request(Operation::Delete)
            .answer(status, body.as_bytes())
            .unwrap_err();
        assert!(matches!(error, ReplyError::NotAnEnvelope { .. }), "{error}");
    }
    let error = request(Operation::Delete)
        .answer(200, b"<s:Envelope")
        .unwrap_err();
    assert!(matches!(error, ReplyError::Xml { .. }), "{error}");
}

#[test]
fn hostile_envelopes_are_errors() {
    let deep = "<a>".repeat(100_000);
    assert!(Request::decode(&deep).is_err());
    let entity = "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>";
    assert!(Request::decode(entity).is_err());
    assert!(matches!(
        Request::decode("<Envelope xmlns=\"http://www.w3.org/2003/05/soap-envelope\"/>"),
        Err(MalformedRequest::Missing { .. })
    ));
}

#[test]
fn action_nobody_knows_is_named_in_the_fault() {
    let envelope = request(Operation::Delete)
        .encode()
        .replace("transfer/Delete", "transfer/Put");
    let error = Request::decode(&envelope).unwrap_err();
    assert_eq!(error.fault().subcode, "ActionNotSupported");
}

#[test]
fn durations_are_read_in_every_shape_servers_write() {
    for (text, seconds) in [
        ("PT20S", 20),
        ("PT60.000S", 60),
        ("P0DT1H2M3S", 3723),
        ("PT7200.000S", 7200),
        ("P1D", 86_400),
    ] {
        assert_eq!(
            xml::parse_duration(text),
            Some(Duration::from_secs(seconds)),
            "{text}"
        );
    }
    for text in ["", "20", "PT", "P1Y", "PT1D", "PT9e9S"] {
        assert!(
            xml::parse_duration(text).is_none_or(|found| found.is_zero()),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC{0,200}") {
        let _ = Request::decode(&text);
        let _ = request(Operation::Receive { command_id: None }).answer(500, text.as_bytes());
        let _ = FrontEndError::parse(&text);
    }
}
