//! What somebody on the way may do: our tokens altered, our seal taken away. The judge is pyspnego's acceptor.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exseal_exchange::session::{Effect, Session, SessionError};
use exseal_gss::{Scheme, Target, initiator};
use serde_json::json;

use crate::peer::{endpoint, ntlm, password, peer};

#[tokio::test]
async fn where_clear_text_is_refused_nothing_of_ours_is_in_the_clear_nor_taken_from_it() {
    let Some(mut peer) = peer(&json!([
        {"name": "sealed", "auth": "negotiate", "sealed": true},
        {"name": "forged", "auth": "negotiate", "sealed": true, "in_clear": true},
    ])) else {
        return;
    };
    // What is answered in clear text may be anyone's, and is no success.
    let Err(error) = Session::open(endpoint(peer.port("forged"), ntlm())).await else {
        panic!("anybody can write in clear text")
    };
    assert!(matches!(error, SessionError::NotSealed { .. }), "{error}");
    assert_eq!(error.effect(), Effect::Unknown);

    // The peer does refuse what is not sealed, as WinRM with AllowUnencrypted=false: a connection that has logged on
    // and then sends clear text gets an empty 500. Ours has nothing but sealed bodies behind its log-on.
    let session = Session::open(endpoint(peer.port("sealed"), ntlm()))
        .await
        .unwrap();
    session.close().await.unwrap();
    let refused = log_on(peer.port("sealed"), |_, _| {});
    assert!(refused.starts_with("HTTP/1.1 500 "), "{refused}");
    assert!(refused.contains("Content-Length: 0\r\n"), "{refused}");
    peer.forgive("sealed", "a body in clear text");
}

#[test]
fn tokens_that_were_altered_on_the_way_let_nobody_in() {
    let Some(peer) = peer(&json!([{"name": "ntlm", "auth": "negotiate", "sealed": true}])) else {
        return;
    };
    let port = peer.port("ntlm");
    let flipped = |leg: usize, from_end: usize| {
        move |at: usize, token: &mut Vec<u8>| {
            if at == leg {
                let place = token.len() - from_end;
                token[place] ^= 1;
            }
        }
    };
    // The build number in the first message, which nothing but the integrity code of the third one covers.
    let refused = log_on(port, flipped(0, 5));
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    // The signature of the list of mechanisms, the last field of the last token.
    let refused = log_on(port, flipped(1, 3));
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert_eq!(peer.calls("ntlm", "refused"), 2, "each by the acceptor itself");
    assert_eq!(peer.calls("ntlm", "Create"), 0);
}

/// Logs on by hand, each of our tokens passed through `alter`; the last one has a body in clear text behind it. Gives the
/// head of the answer that ended it.
fn log_on(port: u16, alter: impl Fn(usize, &mut Vec<u8>)) -> String {
    let mut context = initiator(
        Scheme::Negotiate,
        password(),
        &Target::http("localhost"),
        None,
        None,
    )
    .unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut token = context.step(None).unwrap().token;
    for leg in 0.. {
        let is_last = context.is_established();
        let mut ours = token.take().unwrap();
        alter(leg, &mut ours);
        let body = if is_last { "<Envelope/>" } else { "" };
        let request = format!(
            "POST /wsman HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\nAuthorization: Negotiate {}\r\n\
             Content-Type: application/soap+xml\r\nContent-Length: {}\r\n\r\n{body}",
            STANDARD.encode(ours),
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        // The peer's answers without a body end with an empty line.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8(answer).unwrap();
        let said = answer
            .split_once("WWW-Authenticate: Negotiate ")
            .and_then(|(_, said)| said.lines().next());
        let (Some(said), false) = (said, is_last) else {
            return answer;
        };
        token = context.step(Some(&STANDARD.decode(said).unwrap())).unwrap().token;
    }
    unreachable!("the loop ends with an answer")
}
