use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::clixml::Value;
use crate::data::Data;
use crate::secret::Seal;

const POOL: Uuid = Uuid::from_u128(1);
const PIPELINE: Uuid = Uuid::from_u128(2);

fn document(data: &Data) -> Document<'static> {
    let mut document = Document::default();
    let value = data.write(&mut document, &Seal::Clear).unwrap();
    document.values = vec![value];
    document
}

fn wire(body: Body) -> Vec<u8> {
    let destination = body.kind().destination().unwrap_or(Destination::Server);
    Message {
        destination,
        pool: POOL,
        pipeline: Some(PIPELINE),
        body,
    }
    .encode()
}

fn text_of(body: Body) -> String {
    String::from_utf8(wire(body)[Message::HEADER_LEN..].to_vec()).unwrap()
}

fn bodies() -> Vec<Body> {
    let error = ErrorRecord {
        target: Some("target".to_owned()),
        recommended_action: Some("do this".to_owned()),
        script_stack_trace: Some("at line 1".to_owned()),
        ..ErrorRecord::new("no file", "MyId,Own", ErrorCategory::ObjectNotFound, "Why")
    };
    let record = || InformationalRecord {
        message: "words ü".to_owned(),
    };
    let host_call = HostCall {
        call_id: 1,
        method: HostMethod::ReadLine,
        parameters: Vec::new(),
        document: Document::default(),
    };
    let response = HostResponse::returned((1, HostMethod::ReadLine), &"typed".into(), &Seal::Clear).unwrap();
    let pipeline = Pipeline::new([
        Command::new("Get-ExchangeCertificate")
            .parameter("Server", "ex1")
            .argument(5)
            .switch("Force"),
        Command::new("Select-Object").parameter("Property", Data::strings(["Thumbprint", "Services"])),
    ])
    .then([Command::script("1+1")])
    .with_input();
    let pipeline = CreatePipeline::read(pipeline.write(&Seal::Clear).unwrap()).unwrap();
    vec![
        Body::SessionCapability(SessionCapability {
            time_zone: Some(vec![1]),
            ..SessionCapability::of(Version::V2_3)
        }),
        Body::InitRunspacePool(InitRunspacePool {
            min_runspaces: 1,
            max_runspaces: 2,
            host: HostInfo::Prompts,
            application_arguments: document(&Data::primitive_dictionary([("Org".into(), "lab".into())])),
        }),
        Body::PublicKey(vec![1, 2]),
        Body::EncryptedSessionKey(vec![3]),
        Body::PublicKeyRequest,
        Body::ConnectRunspacePool {
            min_runspaces: None,
            max_runspaces: None,
        },
        Body::ConnectRunspacePool {
            min_runspaces: Some(1),
            max_runspaces: Some(2),
        },
        Body::SetMaxRunspaces { call_id: 7, count: 3 },
        Body::SetMinRunspaces { call_id: 7, count: 3 },
        Body::RunspaceAvailability {
            call_id: 7,
            answer: RunspaceAnswer::Done(false),
        },
        Body::RunspaceAvailability {
            call_id: 7,
            answer: RunspaceAnswer::Available(3),
        },
        Body::RunspacePoolState {
            state: PoolState::Opened,
            error: None,
        },
        Body::RunspacePoolState {
            state: PoolState::Broken,
            error: Some(error.clone()),
        },
        Body::CreatePipeline(pipeline),
        Body::GetAvailableRunspaces { call_id: 1 },
        Body::UserEvent(document(&Data::object([("a", 1.into())]))),
        Body::ApplicationPrivateData(document(&Data::Null)),
        Body::GetCommandMetadata(document(&Data::object([("Name", Data::strings(["*"]))]))),
        Body::RunspacePoolInitData {
            min_runspaces: 1,
            max_runspaces: 1,
        },
        Body::ResetRunspaceState { call_id: 1 },
        Body::RunspacePoolHostCall(host_call.clone()),
        Body::RunspacePoolHostResponse(response.clone()),
        Body::PipelineInput(document(&"in".into())),
        Body::EndOfPipelineInput,
        Body::PipelineOutput(document(&Data::list([1.into(), Data::Null]))),
        Body::PipelineOutput(document(&Data::Null)),
        Body::ErrorRecord(error.clone()),
        Body::PipelineState {
            state: PipelineState::Completed,
            error: None,
        },
        Body::PipelineState {
            state: PipelineState::Failed,
            error: Some(error),
        },
        Body::DebugRecord(record()),
        Body::VerboseRecord(record()),
        Body::WarningRecord(record()),
        Body::ProgressRecord(ProgressRecord {
            activity: "act".to_owned(),
            activity_id: 5,
            parent_activity_id: 1,
            status: "st".to_owned(),
            current_operation: None,
            percent_complete: 33,
            seconds_remaining: 9,
            completed: true,
        }),
        Body::InformationRecord(InformationRecord {
            message: "info".to_owned(),
            source: "Write-Information".to_owned(),
            time_generated: "2026-11-22T09:41:38.4240964+01:00".to_owned(),
            tags: vec!["a".to_owned()],
            user: "u".to_owned(),
            computer: "c".to_owned(),
        }),
        Body::PipelineHostCall(host_call),
        Body::PipelineHostResponse(response),
    ]
}

#[test]
fn every_kind_of_message_is_written_and_read_back() {
    let mut seen = std::collections::HashSet::new();
    for body in bodies() {
        seen.insert(body.kind());
        let first = wire(body);
        let message = Message::decode(&first).unwrap();
        assert_eq!((message.pool, message.pipeline), (POOL, Some(PIPELINE)));
        assert_eq!(message.encode(), first, "{:?}", message.body.kind());
    }
    assert_eq!(seen.len(), MessageType::ALL.len());
}

#[test]
fn numbers_are_those_of_the_specification() {
    assert_eq!(MessageType::ConnectRunspacePool.number(), 0x0001_0008);
    assert_eq!(MessageType::RunspacePoolInitData.number(), 0x0002_100B);
    assert_eq!(MessageType::ResetRunspaceState.number(), 0x0002_100C);
    for kind in MessageType::ALL {
        assert_eq!(MessageType::of_number(kind.number()), Some(*kind));
    }
}

#[test]
fn bodies_begin_with_a_byte_order_mark_and_null_is_empty() {
    assert_eq!(text_of(Body::PipelineOutput(document(&Data::Null))), "");
    assert_eq!(text_of(Body::EndOfPipelineInput), "");
    assert_eq!(
        text_of(Body::PipelineOutput(document(&"two".into()))),
        "\u{feff}<S>two</S>"
    );
    let null = Message::decode(&wire(Body::PipelineOutput(document(&Data::Null)))).unwrap();
    assert!(matches!(null.body, Body::PipelineOutput(document) if document.values == [Value::Nil]));
}

#[test]
fn capability_is_written_as_powershell_writes_it() {
    // The recording open-close, but for the version.
    assert_eq!(
        text_of(Body::SessionCapability(SessionCapability::of(Version::V2_3))),
        "\u{feff}<Obj RefId=\"0\"><MS><Version N=\"protocolversion\">2.3</Version><Version N=\"PSVersion\">2.0</Version>\
         <Version N=\"SerializationVersion\">1.1.0.1</Version></MS></Obj>"
    );
}

#[test]
fn statements_and_arguments_are_read_as_they_were_said() {
    let Some(Body::CreatePipeline(pipeline)) = bodies()
        .into_iter()
        .find(|body| body.kind() == MessageType::CreatePipeline)
    else {
        panic!("a pipeline is among the bodies");
    };
    let [first, second] = pipeline.statements.as_slice() else {
        panic!("two statements")
    };
    assert_eq!(
        first
            .iter()
            .map(|command| command.text.as_str())
            .collect::<Vec<_>>(),
        ["Get-ExchangeCertificate", "Select-Object"]
    );
    let get = &first[0];
    assert_eq!(get.parameter("server"), Some(&Value::String("ex1".into())));
    assert_eq!(get.arguments[1], (None, Value::I32(5)));
    assert_eq!(get.parameter("Force"), Some(&Value::Bool(true)));
    assert!(second[0].is_script && !pipeline.no_input);
    assert_eq!(pipeline.host, HostInfo::OfPool);
}

#[test]
fn broken_messages_name_what_is_wrong() {
    assert_eq!(Message::decode(&[0; 39]), Err(MessageError::Short { found: 39 }));
    let mut message = wire(Body::PublicKeyRequest);
    message[0] = 3;
    assert_eq!(
        Message::decode(&message),
        Err(MessageError::Destination { found: 3 })
    );
    let mut message = wire(Body::PublicKeyRequest);
    message[4..8].copy_from_slice(&0x0002_100E_u32.to_le_bytes());
    assert_eq!(
        Message::decode(&message),
        Err(MessageError::Type { found: 0x0002_100E })
    );
    let state = wire(Body::PipelineState {
        state: PipelineState::Completed,
        error: None,
    });
    let unknown =
        String::from_utf8_lossy(&state).replace("<I32 N=\"PipelineState\">4<", "<I32 N=\"PipelineState\">9<");
    assert!(matches!(
        Message::decode(unknown.as_bytes()),
        Err(MessageError::Field {
            field: "PipelineState",
            ..
        })
    ));
    assert!(matches!(
        Message::decode(&state[..state.len() - 1]),
        Err(MessageError::Clixml { .. })
    ));
}

#[test]
fn null_is_no_error_record() {
    let mut message = wire(Body::ErrorRecord(ErrorRecord::new(
        "x",
        "y",
        ErrorCategory::NotSpecified,
        "z",
    )));
    message.truncate(Message::HEADER_LEN);
    assert!(matches!(
        Message::decode(&message),
        Err(MessageError::Field { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_make_no_panic(header in 0_u32..64, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let kind = MessageType::ALL[header as usize % MessageType::ALL.len()];
        let mut wire = vec![1, 0, 0, 0];
        wire.extend_from_slice(&kind.number().to_le_bytes());
        wire.extend_from_slice(&[0; 32]);
        wire.extend_from_slice(&bytes);
        let _ = Message::decode(&wire);
    }
}
