//! Every way in, and all that comes back.

use std::time::{Duration, Instant};

use exseal_exchange::session::{Allowed, Effect, Item, LogOn, Session, SessionError};
use exseal_gss::{Credential, Mechanism, Password, Scheme, UserName};
use exseal_psrp::data::Data;
use exseal_psrp::message::{Command, Pipeline};
use exseal_psrp::secret::Secret;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::peer::{Peer, basic, endpoint, ntlm, outputs, password, peer, run, server, texts};

#[tokio::test]
async fn basic_and_sealed_negotiate_carry_the_same_session() {
    let Some(peer) = peer(&json!([
        {"name": "basic", "auth": "basic"},
        {"name": "ntlm", "auth": "negotiate", "sealed": true},
    ])) else {
        return;
    };
    for (name, log_on) in [
        ("basic", basic()),
        ("ntlm", ntlm()),
        ("ntlm", LogOn::Best(password())),
    ] {
        let mut session = Session::open(endpoint(peer.port(name), log_on)).await.unwrap();
        let way = session.way().unwrap();
        assert_eq!(way.is_sealed, name == "ntlm");
        assert_eq!(way.mechanism, (name == "ntlm").then_some(Mechanism::Ntlm));
        assert_eq!(session.owner(), Some(r"LAB\user"));
        every_stream(&mut session).await;
        odd_text(&mut session).await;
        big_results(&mut session).await;
        secrets(&mut session).await;
        errors(&mut session).await;
        session.close().await.unwrap();
    }
}

pub(crate) async fn every_stream(session: &mut Session) {
    let items = run(session, Command::new("Write-All")).await.unwrap();
    let mut seen = Vec::new();
    for item in &items {
        seen.push(match item {
            Item::Output(_) => "output".to_owned(),
            Item::Error(record) => {
                assert_eq!(record.fully_qualified_error_id, "X,Y");
                record.message.clone()
            }
            Item::Warning(text) | Item::Verbose(text) | Item::Debug(text) => text.clone(),
            Item::Information(record) => format!("{} of {}", record.message, record.source),
            Item::Progress(record) => format!("{} {}", record.activity, record.percent_complete),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(
        seen,
        [
            "a warning",
            "a verbose message",
            "a debug message",
            "activity 50",
            "information of source",
            "not terminating",
            "output"
        ]
    );
}

pub(crate) async fn odd_text(session: &mut Session) {
    let odd = [
        "a_x0041_b\r\nö😀",
        "\t tabs\u{1}\u{1f}",
        "",
        " _x000A_ ",
        "]]>&<\"'",
    ];
    let mut command = Command::new("Get-Echo");
    for (at, text) in odd.iter().enumerate() {
        command = command.parameter(format!("P{at}"), *text);
    }
    let items = run(session, command).await.unwrap();
    assert_eq!(texts(&items), odd);

    // Each direction by itself: one that is wrong both ways would be seen.
    let mut command = Command::new("Get-Digests");
    for (at, text) in odd.iter().enumerate() {
        command = command.parameter(format!("P{at}"), *text);
    }
    let wide = |text: &&str| -> String {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        sha256(&bytes)
    };
    assert_eq!(
        texts(&run(session, command).await.unwrap()),
        odd.iter().map(wide).collect::<Vec<_>>(),
        "as the server has it"
    );
    assert_eq!(
        texts(&run(session, Command::new("Get-OddText")).await.unwrap()),
        ["a_x0041_b\r\nö😀\n\r\u{2028}\t\u{1} \u{10437} _x000D_ \u{fffd}"],
        "as the server wrote it"
    );
}

pub(crate) async fn big_results(session: &mut Session) {
    let items = run(session, Command::new("Get-Objects").parameter("Count", 2500_i32))
        .await
        .unwrap();
    let outputs = outputs(&items);
    assert_eq!(outputs.len(), 2500);
    // In order, whole, none twice.
    let mut bytes = 0;
    for (number, document) in outputs.iter().enumerate() {
        let text = document.encode();
        let text = String::from_utf8_lossy(text.as_ref());
        assert!(
            text.contains(&format!("<I32 N=\"Number\">{number}</I32>")),
            "{text}"
        );
        assert!(
            text.contains(&format!("{number:06}").repeat(170)),
            "object {number}"
        );
        bytes += text.len();
    }
    assert!(bytes > 2_500_000, "{bytes} bytes");

    // One object in many fragments and answers.
    let command = Command::new("Get-One").parameter("Bytes", 2_500_000_i32);
    let items = run(session, command).await.unwrap();
    let [document] = crate::peer::outputs(&items)[..] else {
        panic!("one object")
    };
    let text = document.encode();
    assert!(
        String::from_utf8_lossy(text.as_ref()).contains(&format!(">{}<", "é".repeat(1_250_000))),
        "it is whole"
    );

    // And what goes there: more than one envelope takes, as a PFX with its chain or a long list is.
    let long = "ß😀\r\n".repeat(120_000);
    let bytes: Vec<u8> = (0..=255).cycle().take(700_000).collect();
    let command = Command::new("Get-Digests")
        .parameter("Text", long.as_str())
        .parameter("Bytes", bytes.clone());
    let wide: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        texts(&run(session, command).await.unwrap()),
        [sha256(&wide), sha256(&bytes)]
    );
}

fn sha256(bytes: &[u8]) -> String {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn secrets(session: &mut Session) {
    let secret = "p@ss ß 😀";
    let command = Command::new("Get-SecretDigest").parameter("Password", Data::Secret(Secret::from(secret)));
    let items = run(session, command).await.unwrap();
    assert_eq!(texts(&items), [sha256(secret.as_bytes())]);
}

pub(crate) async fn errors(session: &mut Session) {
    let mut call = session
        .call(
            Pipeline::new([Command::new("Stop-Terminating")]),
            &Allowed::default(),
        )
        .await
        .unwrap();
    assert!(
        matches!(call.next().await, Ok(Some(Item::Output(_)))),
        "what came before the error is there"
    );
    let Err(SessionError::Failed { record }) = call.next().await else {
        panic!("it must fail")
    };
    assert_eq!(record.message, "it ended here: ü 😀");
    assert_eq!(record.fully_qualified_error_id, "Terminating,Stop-Terminating");
    let Err(SessionError::Failed { record }) = run(session, Command::new("Get-Nothing")).await else {
        panic!("it must fail")
    };
    assert_eq!(record.fully_qualified_error_id, "CommandNotFoundException");
}

#[tokio::test]
async fn what_takes_long_is_polled_for_and_can_be_stopped() {
    // A poll that found nothing is a fault with some servers, an answer without bytes with others.
    let polls = |name: &str, empty: bool| json!({"name": name, "auth": "negotiate", "sealed": true, "max_poll": 0.3, "empty_poll": empty});
    let Some(peer) = peer(&json!([polls("fault", false), polls("empty", true)])) else {
        return;
    };
    for name in ["fault", "empty"] {
        stops_and_waits(&peer, name).await;
        assert!(peer.calls(name, "Receive") > 10, "it was polled for");
    }
}

async fn stops_and_waits(peer: &Peer, name: &str) {
    let mut session = Session::open(endpoint(peer.port(name), ntlm())).await.unwrap();
    let sleep = |seconds: i32| Pipeline::new([Command::new("Start-Sleep").parameter("Seconds", seconds)]);
    let items = session.run(sleep(1), &Allowed::default()).await.unwrap();
    assert_eq!(texts(&items), ["slept"], "empty polls end nothing");

    let begun = Instant::now();
    let short = Allowed {
        time: Some(Duration::from_millis(400)),
        ..Allowed::default()
    };
    let error = session.run(sleep(30), &short).await.unwrap_err();
    assert!(matches!(error, SessionError::Deadline { .. }), "{error}");
    assert_eq!(error.effect(), Effect::Unknown);

    let cancel = CancellationToken::new();
    let stopped = Allowed {
        cancel: cancel.clone(),
        ..Allowed::default()
    };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(session.run(sleep(30), &stopped), stop);
    assert!(matches!(result, Err(SessionError::Stopped)), "{result:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "both were stopped, not waited for"
    );

    // A call that nobody reads to its end is stopped before the next one.
    drop(session.call(sleep(30), &Allowed::default()).await.unwrap());
    let items = run(
        &mut session,
        Command::new("Get-Echo").parameter("A", "still here"),
    )
    .await
    .unwrap();
    assert_eq!(texts(&items), ["still here"]);
    drop(session.call(sleep(30), &Allowed::default()).await.unwrap());
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_question_is_refused_and_never_waited_for() {
    let Some(peer) = peer(&json!([{"name": "ntlm", "auth": "negotiate", "sealed": true}])) else {
        return;
    };
    let mut session = Session::open(endpoint(peer.port("ntlm"), ntlm())).await.unwrap();
    let items = run(&mut session, Command::new("Read-Host")).await.unwrap();
    assert!(matches!(items.first(), Some(Item::Refused(_))), "{items:?}");
    assert_eq!(texts(&items), ["refused: HostCallRefused"], "the server was told");
    session.close().await.unwrap();
}

#[tokio::test]
async fn scripts_are_kept_from_exchange_and_refused_in_its_words_by_others() {
    let Some(peer) = peer(&json!([{"name": "basic", "auth": "basic", "nolanguage": true}])) else {
        return;
    };
    let mut exchange = Session::open(endpoint(peer.port("basic"), basic()))
        .await
        .unwrap();
    let error = run(&mut exchange, Command::script("'x'")).await.unwrap_err();
    assert!(matches!(error, SessionError::Ask(_)), "{error}");
    assert_eq!(error.effect(), Effect::None);
    exchange.close().await.unwrap();

    let mut other = Session::open(server(peer.port("basic"), basic())).await.unwrap();
    let Err(SessionError::Failed { record }) = run(&mut other, Command::script("'x'")).await else {
        panic!("it must fail")
    };
    assert!(record.message.contains("no-language mode"), "{}", record.message);
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_used_up_quota_is_waited_for_and_then_said() {
    let Some(peer) = peer(&json!([{"name": "basic", "auth": "basic", "max_shells": 1}])) else {
        return;
    };
    let first = Session::open(endpoint(peer.port("basic"), basic()))
        .await
        .unwrap();
    let mut hasty = endpoint(peer.port("basic"), basic());
    hasty.patience.quota = Duration::from_millis(700);
    let Err(error) = Session::open(hasty).await else {
        panic!("there is no second shell")
    };
    assert!(matches!(error, SessionError::Quota { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("quota of shells for this user is used up"),
        "{error}"
    );
    assert_eq!(error.effect(), Effect::None);

    let patient = Session::open(endpoint(peer.port("basic"), basic()));
    let close = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        first.close().await.unwrap();
    };
    let (second, ()) = tokio::join!(patient, close);
    second.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn nobody_is_let_in_without_proof_and_no_password_leaves_in_clear_text() {
    let Some(peer) = peer(&json!([
        {"name": "ntlm", "auth": "negotiate", "sealed": true},
        {"name": "basic", "auth": "basic"},
        {"name": "moved", "auth": "basic", "redirect": "https://elsewhere.example/wsman"},
    ])) else {
        return;
    };
    let wrong = Credential::Password {
        user: UserName::parse(r"LAB\admin").unwrap(),
        password: Password::new("not it".to_owned()),
    };
    for log_on in [
        LogOn::With(Scheme::Negotiate, wrong.clone()),
        LogOn::Best(wrong.clone()),
    ] {
        let Err(error) = Session::open(endpoint(peer.port("ntlm"), log_on)).await else {
            panic!("wrong password")
        };
        assert!(
            matches!(error, SessionError::Unauthorized { status: 401, .. }),
            "{error}"
        );
        assert!(
            !format!("{error} {error:?}").contains("not it"),
            "a password is never shown"
        );
        assert_eq!(error.effect(), Effect::None);
    }
    for log_on in [
        LogOn::Basic {
            credential: password(),
            even_in_clear_text: false,
        },
        LogOn::Best(password()),
    ] {
        let Err(error) = Session::open(endpoint(peer.port("basic"), log_on)).await else {
            panic!("in clear text")
        };
        assert!(matches!(error, SessionError::ClearText { .. }), "{error}");
    }
    let Err(error) = Session::open(endpoint(peer.port("moved"), basic())).await else {
        panic!("moved")
    };
    assert!(
        matches!(&error, SessionError::Redirect { location, .. } if location.contains("elsewhere")),
        "{error}"
    );

    let mut lost = endpoint(peer.port("basic"), basic());
    lost.path = "/nothing".to_owned();
    let Err(error) = Session::open(lost).await else {
        panic!("no such path")
    };
    assert!(error.is_no_endpoint(), "{error:?}");

    let Err(error) = Session::open(endpoint(1, basic())).await else {
        panic!("nobody listens")
    };
    assert!(
        matches!(error, SessionError::Connect { .. }) && error.effect() == Effect::None,
        "{error}"
    );
}
