//! Both halves talk to each other.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong fails the test")]

use exseal_psrp::channel::Transmit;
use exseal_psrp::client::{self, AskError, Client, ClientError, HostPolicy};
use exseal_psrp::clixml::{Document, Value};
use exseal_psrp::data::Data;
use exseal_psrp::fragment::{Fragment, FragmentError};
use exseal_psrp::message::{
    Command, ErrorCategory, ErrorRecord, HostMethod, MessageType, Pipeline, PipelineState, PoolState,
    ProgressRecord, RunspaceAnswer, Version,
};
use exseal_psrp::secret::{KeyPair, Secret, SecretError, SessionKey, rand_core};
use exseal_psrp::server::{self, Server};
use uuid::Uuid;

const POOL: Uuid = Uuid::from_u128(0x1111);
const FIRST: Uuid = Uuid::from_u128(0x2222);
const SECOND: Uuid = Uuid::from_u128(0x3333);

/// Numbers that differ; the tests need no secrecy.
struct Counting(u64);

impl rand_core::TryRng for Counting {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

struct Pair {
    client: Client,
    server: Server,
}

impl Pair {
    fn new(settings: client::Settings, server: server::Settings) -> Self {
        Self {
            client: Client::new(settings),
            server: Server::new(server),
        }
    }

    fn open() -> Self {
        Self::open_with(client::Settings::new(POOL), server::Settings::default())
    }

    fn open_with(settings: client::Settings, server: server::Settings) -> Self {
        let mut pair = Self::new(settings, server);
        pair.client.open().unwrap();
        pair.carry();
        assert!(matches!(pair.server.next_event(), Some(server::Event::Open(_))));
        pair.server.accept(&Data::Null).unwrap();
        pair.carry();
        assert!(matches!(
            pair.client.next_event(),
            Some(client::Event::Opened { .. })
        ));
        pair
    }

    /// Carries everything both have to say.
    fn carry(&mut self) {
        loop {
            let mut idle = true;
            while let Some(transmit) = self.client.poll_transmit() {
                idle = false;
                match transmit {
                    Transmit::Create { bytes } => self.server.receive(None, &bytes).unwrap(),
                    Transmit::Connect { bytes } => self.server.connect(&bytes).unwrap(),
                    Transmit::Command { pipeline, bytes } => {
                        self.server.receive(Some(pipeline), &bytes).unwrap();
                    }
                    Transmit::Data { pipeline, bytes, .. } => self.server.receive(pipeline, &bytes).unwrap(),
                    Transmit::Signal { pipeline } => self.server.signal(pipeline),
                    Transmit::Close { pipeline } => self.server.close(pipeline),
                    Transmit::Disconnect | Transmit::Reconnect => {}
                }
            }
            while let Some(transmit) = self.server.poll_transmit() {
                idle = false;
                let Transmit::Data { pipeline, bytes, .. } = transmit else {
                    panic!("{transmit:?}")
                };
                self.client.receive(pipeline, &bytes).unwrap();
            }
            if idle {
                return;
            }
        }
    }

    fn invoke(&mut self, id: Uuid, pipeline: &Pipeline) -> exseal_psrp::message::CreatePipeline {
        self.client.invoke(id, pipeline).unwrap();
        self.carry();
        match self.server.next_event() {
            Some(server::Event::Pipeline { pipeline, request }) if pipeline == id => *request,
            other => panic!("{other:?}"),
        }
    }

    fn events(&mut self) -> Vec<client::Event> {
        std::iter::from_fn(|| self.client.next_event()).collect()
    }

    /// What the server has to say next, unsent.
    fn server_says(&mut self) -> (Option<Uuid>, Vec<u8>) {
        match self.server.poll_transmit() {
            Some(Transmit::Data { pipeline, bytes, .. }) => (pipeline, bytes),
            other => panic!("{other:?}"),
        }
    }
}

fn get() -> Pipeline {
    Command::new("Get-ExchangeCertificate")
        .parameter("Server", "ex1")
        .into()
}

fn text(document: &Document<'static>) -> String {
    document.text(client::value(document)).unwrap().into_owned()
}

fn error() -> ErrorRecord {
    ErrorRecord::new(
        "no such server",
        "Own,Get",
        ErrorCategory::ObjectNotFound,
        "NotFoundException",
    )
}

#[test]
fn command_with_its_arguments_reaches_the_server_and_every_stream_the_client() {
    let mut pair = Pair::open();
    let request = pair.invoke(FIRST, &get());
    assert_eq!(
        request.statements[0][0].parameter("Server"),
        Some(&Value::String("ex1".into()))
    );

    let server = &mut pair.server;
    server.write_output(FIRST, &"a_x0041_b\r\nö😀".into()).unwrap();
    server.write_output(FIRST, &Data::Null).unwrap();
    server.write_error(FIRST, error()).unwrap();
    server.write_warning(FIRST, "warning").unwrap();
    server.write_verbose(FIRST, "verbose").unwrap();
    server.write_debug(FIRST, "debug").unwrap();
    let progress = ProgressRecord {
        activity: "act".to_owned(),
        activity_id: 1,
        parent_activity_id: -1,
        status: "st".to_owned(),
        current_operation: None,
        percent_complete: 50,
        seconds_remaining: -1,
        completed: false,
    };
    server.write_progress(FIRST, progress.clone()).unwrap();
    server.complete(FIRST).unwrap();
    pair.carry();

    let events = pair.events();
    assert!(
        matches!(&events[0], client::Event::Output { document, .. } if text(document) == "a_x0041_b\r\nö😀")
    );
    assert!(matches!(&events[1], client::Event::Output { document, .. } if document.values == [Value::Nil]));
    assert!(matches!(&events[2], client::Event::Error { record, .. } if **record == error()));
    assert!(matches!(&events[3], client::Event::Warning { record, .. } if record.message == "warning"));
    assert!(matches!(&events[4], client::Event::Verbose { record, .. } if record.message == "verbose"));
    assert!(matches!(&events[5], client::Event::Debug { record, .. } if record.message == "debug"));
    assert!(matches!(&events[6], client::Event::Progress { record, .. } if **record == progress));
    let ended = client::Event::Ended {
        pipeline: FIRST,
        state: PipelineState::Completed,
        error: None,
    };
    assert_eq!(events[7..], [ended]);
    assert!(matches!(
        pair.server.next_event(),
        Some(server::Event::Forgotten {
            pipeline: FIRST,
            ended: true
        })
    ));
}

#[test]
fn failed_pipeline_tells_the_record_that_ended_it() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.server.fail(FIRST, error()).unwrap();
    pair.carry();
    let ended = client::Event::Ended {
        pipeline: FIRST,
        state: PipelineState::Failed,
        error: Some(Box::new(error())),
    };
    assert_eq!(pair.events(), [ended]);
}

#[test]
fn lower_version_is_met_and_a_foreign_one_refused() {
    for (minor, agreed) in [(1, 1), (2, 2), (3, 3), (4, 3)] {
        let settings = server::Settings {
            announce: Version { major: 2, minor },
            ..server::Settings::default()
        };
        let mut pair = Pair::new(client::Settings::new(POOL), settings);
        pair.client.open().unwrap();
        pair.carry();
        pair.server.accept(&Data::Null).unwrap();
        pair.carry();
        assert!(matches!(
            pair.client.next_event(),
            Some(client::Event::Opened { version, .. }) if version == Version { major: 2, minor: agreed }
        ));
    }
    let strange = client::Settings {
        announce: Version { major: 3, minor: 0 },
        ..client::Settings::new(POOL)
    };
    let mut pair = Pair::new(strange, server::Settings::default());
    pair.client.open().unwrap();
    let Some(Transmit::Create { bytes }) = pair.client.poll_transmit() else {
        panic!("the pool's first bytes")
    };
    assert!(matches!(
        pair.server.receive(None, &bytes),
        Err(server::ServerError::Version { .. })
    ));
}

#[test]
fn secrets_travel_after_the_key_exchange_and_not_before() {
    let mut pair = Pair::open();
    let import: Pipeline = Command::new("Import-ExchangeCertificate")
        .parameter("FileData", vec![1, 2, 3])
        .parameter("Password", Secret::from("Pä$$w0rd 😀"))
        .into();
    assert_eq!(
        pair.client.invoke(FIRST, &import),
        Err(AskError::Secret(SecretError::NoKey))
    );
    assert_eq!(
        pair.client.poll_transmit(),
        None,
        "nothing of the refused pipeline is sent"
    );

    let keys = KeyPair::generate(&mut Counting(1)).unwrap();
    pair.client.exchange_keys(&keys).unwrap();
    pair.carry();
    assert!(matches!(
        pair.server.next_event(),
        Some(server::Event::KeyOffered { .. })
    ));
    pair.server
        .give_key(SessionKey::new([5; 32]), &mut Counting(2))
        .unwrap();
    pair.carry();
    assert_eq!(pair.events(), [client::Event::KeysExchanged]);

    let request = pair.invoke(FIRST, &import);
    let Some(Value::SecureString(sealed)) = request.statements[0][0].parameter("password") else {
        panic!("a secure string")
    };
    assert_eq!(pair.server.reveal(sealed).unwrap().reveal(), "Pä$$w0rd 😀");
    pair.server
        .write_output(FIRST, &Secret::from("back").into())
        .unwrap();
    pair.carry();
    let Some(client::Event::Output { document, .. }) = pair.client.next_event() else {
        panic!("an output")
    };
    let Value::SecureString(sealed) = client::value(&document) else {
        panic!("a secure string")
    };
    assert_eq!(pair.client.reveal(sealed).unwrap().reveal(), "back");
}

#[test]
fn end_of_the_transport_is_never_success() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.server.write_output(FIRST, &"half".into()).unwrap();
    pair.carry();
    pair.client.end_of_stream();
    let events = pair.events();
    assert_eq!(
        events[1..],
        [
            client::Event::Lost { pipeline: FIRST },
            client::Event::PoolEnded {
                state: PoolState::Broken,
                error: None
            }
        ]
    );
    assert_eq!(
        pair.client.receive(None, b"x").unwrap_err(),
        ClientError::AfterEnd {
            bytes: 1,
            state: PoolState::Broken
        }
    );
    assert!(matches!(
        pair.client.invoke(SECOND, &get()),
        Err(AskError::Order(_))
    ));
}

#[test]
fn pool_closed_under_a_running_pipeline_is_never_success() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.client.close();
    pair.carry();
    assert_eq!(
        pair.events(),
        [
            client::Event::Lost { pipeline: FIRST },
            client::Event::PoolEnded {
                state: PoolState::Closed,
                error: None
            }
        ]
    );
    pair.client.closed();
    pair.client.close();
    assert_eq!(pair.events(), []);
}

#[test]
fn stopped_pipeline_says_so_and_stopping_twice_is_stopping_once() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.client.stop(FIRST);
    pair.client.stop(FIRST);
    pair.carry();
    assert_eq!(
        pair.server.next_event(),
        Some(server::Event::Stop { pipeline: FIRST })
    );
    assert_eq!(pair.server.next_event(), None);
    pair.server.stopped(FIRST, None).unwrap();
    assert!(pair.server.complete(FIRST).is_err(), "a pipeline ends once");
    pair.carry();
    let ended = client::Event::Ended {
        pipeline: FIRST,
        state: PipelineState::Stopped,
        error: None,
    };
    assert_eq!(pair.events(), [ended]);
    pair.client.stop(FIRST);
    assert_eq!(pair.client.poll_transmit(), None);
}

#[test]
fn prompt_is_refused_at_once_when_nobody_is_there() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    let call = pair
        .server
        .call_host(Some(FIRST), HostMethod::ReadLine, &[])
        .unwrap();
    pair.carry();
    assert!(matches!(
        pair.client.next_event(),
        Some(client::Event::Refused {
            pipeline: Some(FIRST),
            ..
        })
    ));
    let Some(server::Event::HostAnswer { response, .. }) = pair.server.next_event() else {
        panic!("an answer")
    };
    assert_eq!((response.call_id, response.result), (call, None));
    assert!(response.error.is_some());
}

#[test]
fn confirmation_is_an_event_that_the_caller_decides() {
    let settings = client::Settings {
        host: HostPolicy::Ask,
        ..client::Settings::new(POOL)
    };
    let mut pair = Pair::open_with(settings, server::Settings::default());
    pair.invoke(FIRST, &get());
    let choices = Data::list([
        Data::object([("label", "&Yes".into()), ("helpMessage", "Continue.".into())]),
        Data::object([("label", "&No".into()), ("helpMessage", "Stop.".into())]),
    ]);
    let asked = ["Confirm".into(), "Are you sure?".into(), choices, Data::from(0)];
    let call_id = pair
        .server
        .call_host(Some(FIRST), HostMethod::PromptForChoice, &asked)
        .unwrap();
    pair.carry();
    let Some(client::Event::HostCall { pipeline, call }) = pair.client.next_event() else {
        panic!("a question")
    };
    let prompt = call.choice_prompt().unwrap();
    assert_eq!(prompt.choices[1], ("&No".to_owned(), "Stop.".to_owned()));
    assert_eq!((prompt.default, call.call_id), (0, call_id));
    assert_eq!(
        pair.server.next_event(),
        None,
        "nothing is answered before the caller does"
    );

    pair.client.answer(pipeline, call_id, &Data::from(1)).unwrap();
    assert!(
        pair.client.answer(pipeline, call_id, &Data::from(0)).is_err(),
        "a question is answered once"
    );
    pair.carry();
    let Some(server::Event::HostAnswer { response, .. }) = pair.server.next_event() else {
        panic!("an answer")
    };
    assert_eq!(response.result, Some(Value::I32(1)));
}

#[test]
fn pipelines_of_one_pool_are_told_apart() {
    let settings = client::Settings {
        max_runspaces: 2,
        ..client::Settings::new(POOL)
    };
    let mut pair = Pair::open_with(settings, server::Settings::default());
    pair.invoke(FIRST, &get());
    pair.invoke(SECOND, &get());
    assert!(matches!(
        pair.client.invoke(FIRST, &get()),
        Err(AskError::Order(_))
    ));
    for (id, text) in [(FIRST, "1"), (SECOND, "2"), (FIRST, "3")] {
        pair.server.write_output(id, &text.into()).unwrap();
    }
    pair.server.complete(SECOND).unwrap();
    pair.carry();
    let events = pair.events();
    let of = |wanted: Uuid| {
        events
            .iter()
            .filter(|event| matches!(event, client::Event::Output { pipeline, .. } if *pipeline == wanted))
            .count()
    };
    assert_eq!((of(FIRST), of(SECOND)), (2, 1));
    assert_eq!(pair.client.pipeline_state(FIRST), Some(PipelineState::Running));
    assert_eq!(pair.client.pipeline_state(SECOND), None);
}

#[test]
fn words_of_a_foreign_pipeline_are_dropped_and_said() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.server.write_output(FIRST, &"mine".into()).unwrap();
    let (_, bytes) = pair.server_says();
    pair.client.receive(Some(SECOND), &bytes).unwrap();
    let stray = client::Event::Stray {
        pipeline: SECOND,
        kind: MessageType::PipelineOutput,
    };
    assert_eq!(pair.events(), [stray]);

    pair.client.invoke(SECOND, &get()).unwrap();
    let error = pair.client.receive(Some(SECOND), &bytes).unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::ForeignPipeline {
                expected: SECOND,
                found: FIRST,
                ..
            }
        ),
        "{error}"
    );
    assert!(pair.events().contains(&client::Event::Lost { pipeline: SECOND }));
}

#[test]
fn doubled_message_breaks_the_session_instead_of_doubling_the_output() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.server.write_output(FIRST, &"once".into()).unwrap();
    let (pipeline, bytes) = pair.server_says();
    pair.client.receive(pipeline, &bytes).unwrap();
    let error = pair.client.receive(pipeline, &bytes).unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Fragment {
                source: FragmentError::Repeated { .. },
                ..
            }
        ),
        "{error}"
    );
    let outputs = pair
        .events()
        .iter()
        .filter(|event| matches!(event, client::Event::Output { .. }))
        .count();
    assert_eq!(outputs, 1);
}

#[test]
fn every_cut_of_the_bytes_gives_the_same_events() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.server
        .write_output(FIRST, &"x".repeat(70_000).into())
        .unwrap();
    pair.server.complete(FIRST).unwrap();
    while let Some(Transmit::Data { pipeline, bytes, .. }) = pair.server.poll_transmit() {
        for piece in bytes.chunks(333) {
            pair.client.receive(pipeline, piece).unwrap();
        }
    }
    let events = pair.events();
    assert!(matches!(&events[0], client::Event::Output { document, .. } if text(document).len() == 70_000));
    assert!(matches!(
        &events[1],
        client::Event::Ended {
            state: PipelineState::Completed,
            ..
        }
    ));
}

#[test]
fn runspaces_are_asked_for_and_answered() {
    let mut pair = Pair::open();
    let max = pair.client.set_max_runspaces(0).unwrap();
    let count = pair.client.available_runspaces().unwrap();
    let reset = pair.client.reset_runspace().unwrap();
    pair.carry();
    assert_eq!(
        pair.server.next_event(),
        Some(server::Event::SetRunspaces {
            call_id: max,
            maximum: true,
            count: 0
        })
    );
    pair.server.answer(max, RunspaceAnswer::Done(false)).unwrap();
    pair.server.answer(count, RunspaceAnswer::Available(1)).unwrap();
    pair.server.answer(reset, RunspaceAnswer::Done(true)).unwrap();
    assert!(pair.server.answer(reset, RunspaceAnswer::Done(true)).is_err());
    pair.carry();
    assert_eq!(
        pair.events(),
        [
            client::Event::Runspaces {
                call_id: max,
                answer: RunspaceAnswer::Done(false)
            },
            client::Event::Runspaces {
                call_id: count,
                answer: RunspaceAnswer::Available(1)
            },
            client::Event::Runspaces {
                call_id: reset,
                answer: RunspaceAnswer::Done(true)
            },
        ]
    );
}

#[test]
fn input_goes_to_a_pipeline_that_takes_it_until_it_ends() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get().with_input());
    pair.client.send_input(FIRST, &1.into()).unwrap();
    pair.client.end_input(FIRST).unwrap();
    assert!(pair.client.send_input(FIRST, &2.into()).is_err());
    pair.carry();
    assert!(matches!(
        pair.server.next_event(),
        Some(server::Event::Input { document, .. }) if document.values == [Value::I32(1)]
    ));
    assert_eq!(
        pair.server.next_event(),
        Some(server::Event::InputEnded { pipeline: FIRST })
    );
}

#[test]
fn another_client_takes_over_a_pool_that_was_left() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    pair.client.disconnect().unwrap();
    assert!(pair.client.invoke(SECOND, &get()).is_err());

    pair.client = Client::new(client::Settings::new(POOL));
    pair.client.connect([FIRST]).unwrap();
    pair.carry();
    assert_eq!(pair.server.next_event(), Some(server::Event::Connect));
    pair.server.accept(&Data::Null).unwrap();
    pair.server.complete(FIRST).unwrap();
    pair.carry();
    let events = pair.events();
    assert!(matches!(events[0], client::Event::Opened { .. }), "{events:?}");
    assert!(matches!(
        events[1],
        client::Event::Ended {
            state: PipelineState::Completed,
            ..
        }
    ));
}

#[test]
fn words_out_of_order_break_either_half() {
    // A server that speaks of states before versions.
    let mut pair = Pair::new(client::Settings::new(POOL), server::Settings::default());
    pair.client.open().unwrap();
    let mut other = Pair::open();
    other.client.close();
    while let Some(Transmit::Close { pipeline }) = other.client.poll_transmit() {
        other.server.close(pipeline);
    }
    let (_, closing) = other.server_says();
    assert!(matches!(
        pair.client.receive(None, &closing),
        Err(ClientError::Unexpected { .. })
    ));

    // A client that sends a pipeline before the pool.
    let mut opened = Pair::open();
    opened.client.invoke(FIRST, &get()).unwrap();
    let Some(Transmit::Command { bytes, .. }) = opened.client.poll_transmit() else {
        panic!("a pipeline")
    };
    let mut server = Server::new(server::Settings::default());
    assert!(matches!(
        server.receive(Some(FIRST), &bytes),
        Err(server::ServerError::Unexpected { .. })
    ));
    assert_eq!(server.state(), PoolState::Broken);

    // A server's message sent to a server.
    let mut server = Server::new(server::Settings::default());
    assert!(server.receive(None, &closing).is_err());
}

#[test]
fn hostile_fragments_end_in_an_error_and_lost_pipelines() {
    let mut pair = Pair::open();
    pair.invoke(FIRST, &get());
    let mut wire = Vec::new();
    Fragment {
        object_id: 900,
        fragment_id: 0,
        start: true,
        end: true,
        blob: b"short",
    }
    .write_to(&mut wire);
    let error = pair.client.receive(Some(FIRST), &wire).unwrap_err();
    assert!(matches!(error, ClientError::Message { .. }), "{error}");
    assert_eq!(pair.events()[0], client::Event::Lost { pipeline: FIRST });
}

#[test]
fn pipelines_beyond_the_limit_are_refused() {
    let mut pair = Pair::open_with(
        client::Settings::new(POOL),
        server::Settings {
            max_pipelines: 1,
            ..server::Settings::default()
        },
    );
    pair.invoke(FIRST, &get());
    pair.client.invoke(SECOND, &get()).unwrap();
    let Some(Transmit::Command { pipeline, bytes }) = pair.client.poll_transmit() else {
        panic!("a pipeline")
    };
    assert_eq!(
        pair.server.receive(Some(pipeline), &bytes),
        Err(server::ServerError::TooManyPipelines { limit: 1 })
    );
}
