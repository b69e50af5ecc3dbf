//! Stands between client and server, knows where an HTTP message begins and ends, and does one thing wrong.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::edits::Edit;

/// What goes wrong with one request, or with its reply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The connection is closed after the reply before: the client finds it closed.
    ClosedWhileIdle,
    /// So, and the next connection is closed as soon as it is there.
    NoWayBack,
    /// Nothing of the request goes on to the server.
    BeforeSend,
    /// Half of the request's head goes on.
    MidHead,
    /// The head and half of the body go on.
    MidBody,
    /// All but the last byte goes on.
    LastByte,
    /// All goes on, and the connection is gone before the server has answered.
    AfterSend,
    /// The server has answered, and nothing of it comes back.
    ReplyLost,
    /// Half of the reply's head comes back.
    MidReplyHead,
    /// The head and half of the body come back.
    MidReply,
    /// All but the last byte comes back.
    ReplyLastByte,
    /// The server has answered, nothing comes back, and the connection stays.
    Silent,
    /// The reply comes byte by byte, too slowly.
    Dribble,
    /// The reply comes late, but not too late.
    Late,
    /// The reply is changed; none: this one has nothing to change.
    Edit(&'static str, Edit),
}

/// What an edit sees.
pub(crate) struct Exchange<'a> {
    /// The whole reply.
    pub(crate) reply: &'a Message,
    /// The reply before it.
    pub(crate) before: Option<&'a Message>,
}

/// One HTTP message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
            assert!(head.len() < 1 << 20, "a head without an end");
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        Some(Self { head, body })
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head.as_slice(), &self.body].concat()
    }

    /// The same head around another body.
    pub(crate) fn with_body(&self, body: &[u8]) -> Vec<u8> {
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let lines = head.trim_end().lines().map(|line| {
            if line.to_ascii_lowercase().starts_with("content-length:") {
                format!("Content-Length: {}\r\n", body.len())
            } else {
                format!("{line}\r\n")
            }
        });
        [lines.collect::<String>().as_bytes(), b"\r\n", body].concat()
    }
}

#[derive(Default)]
struct State {
    fault: Option<(usize, Fault)>,
    /// Requests with a body; a log-on has none.
    requests: usize,
    has_struck: bool,
    refuses_next: bool,
    /// Whether a request of this action had begun to arrive here, where it can be read.
    has_seen_command: bool,
    before: Option<Message>,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a run came to.
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) has_struck: bool,
    pub(crate) has_seen_command: bool,
}

impl Proxy {
    pub(crate) async fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                if std::mem::take(&mut lock(&state).refuses_next) {
                    continue;
                }
                tokio::spawn(async move { serve(client, upstream, &state).await });
            }
        });
        Self {
            port,
            state,
            accepting,
        }
    }

    /// From now on: this fault with the request of this number, counted from 1.
    pub(crate) fn arm(&self, at: usize, fault: Fault) {
        *lock(&self.state) = State {
            fault: Some((at, fault)),
            ..State::default()
        };
    }

    pub(crate) fn seen(&self) -> Seen {
        let state = lock(&self.state);
        Seen {
            requests: state.requests,
            has_struck: state.has_struck,
            has_seen_command: state.has_seen_command,
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

/// Passes on one request after the other; returns (and closes both sides) where the fault wants it or a side ends.
async fn serve(mut client: TcpStream, upstream: u16, state: &Mutex<State>) -> Option<()> {
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
    client.set_nodelay(true).unwrap();
    loop {
        let request = Message::read(&mut client).await?;
        let mut fault = None;
        let mut next_fault = None;
        if !request.body.is_empty() {
            let mut state = lock(state);
            state.requests += 1;
            let number = state.requests;
            let is_command = request.body.windows(14).any(|part| part == b"shell/Command<");
            state.has_seen_command |= is_command;
            if let Some((at, planned)) = state.fault {
                let idle = matches!(planned, Fault::ClosedWhileIdle | Fault::NoWayBack);
                fault = (at == number && !idle).then_some(planned);
                next_fault = (at == number + 1 && idle).then_some(planned);
                // An edit strikes only where there is something to edit.
                state.has_struck |=
                    next_fault.is_some() || fault.is_some_and(|fault| !matches!(fault, Fault::Edit(..)));
            }
        }
        let whole = request.bytes();
        let passed = match fault {
            Some(Fault::BeforeSend) => 0,
            Some(Fault::MidHead) => request.head.len() / 2,
            Some(Fault::MidBody) => request.head.len() + request.body.len() / 2,
            Some(Fault::LastByte) => whole.len() - 1,
            _ => whole.len(),
        };
        server.write_all(&whole[..passed]).await.ok()?;
        if passed < whole.len() || matches!(fault, Some(Fault::AfterSend)) {
            return None;
        }
        let reply = Message::read(&mut server).await?;
        let mut bytes = reply.bytes();
        let back = match fault {
            Some(Fault::ReplyLost) => 0,
            Some(Fault::MidReplyHead) => reply.head.len() / 2,
            Some(Fault::MidReply) => reply.head.len() + reply.body.len() / 2,
            Some(Fault::ReplyLastByte) => bytes.len() - 1,
            _ => bytes.len(),
        };
        match fault {
            Some(Fault::Silent) => {
                // Until the client gives up.
                let _ = client.read_u8().await;
                return None;
            }
            Some(Fault::Dribble) => {
                for byte in &bytes {
                    client.write_u8(*byte).await.ok()?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Some(Fault::Late) => tokio::time::sleep(Duration::from_millis(250)).await,
            Some(Fault::Edit(_, edit)) => {
                let mut state = lock(state);
                let edited = edit(&Exchange {
                    reply: &reply,
                    before: state.before.as_ref(),
                });
                if let Some(edited) = edited {
                    state.has_struck = true;
                    bytes = edited;
                }
            }
            _ => {}
        }
        if back < reply.bytes().len() {
            let _ = client.write_all(&bytes[..back]).await;
            return None;
        }
        client.write_all(&bytes).await.ok()?;
        if !request.body.is_empty() {
            lock(state).before = Some(reply);
        }
        if let Some(fault) = next_fault {
            lock(state).refuses_next = matches!(fault, Fault::NoWayBack);
            return None;
        }
    }
}
