//! A server on a stage: HTTP and WSMan in a few lines with our own server half behind them, which does what a test wants
//! to see done. It needs no peer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exseal_psrp::channel::Transmit;
use exseal_psrp::data::Data;
use exseal_psrp::message::CreatePipeline;
use exseal_psrp::server::{Event, Server, Settings};
use exseal_psrp::wsman::{
    Answer, CommandState, Operation, Received, Reply, Request, ShellDescription, Signal, resource_uri,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Whose turn it was: counts from 0 over all connections.
    pub(crate) turn: usize,
    /// The connection it came on.
    pub(crate) connection: usize,
    head: String,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Method, path and version.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The envelope; none: the body is empty or is none.
    pub(crate) fn request(&self) -> Option<Request> {
        Request::decode(&self.body).ok()
    }
}

/// A running server; ends with the test.
pub(crate) struct Stage {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Stage {
    /// All requests so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The names of the operations so far; `-` for what is no envelope.
    pub(crate) fn operations(&self) -> Vec<&'static str> {
        let name = |heard: &Heard| heard.request().map_or("-", |request| request.operation.name());
        self.heard().iter().map(name).collect()
    }
}

/// Listens and answers each request with what `answer` gives: a whole HTTP response.
pub(crate) async fn stage(answer: impl FnMut(&Heard) -> String + Send + 'static) -> Stage {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let answer = Arc::new(Mutex::new(answer));
    let listening = tokio::spawn(async move {
        let mut connections = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            let connection = connections;
            connections += 1;
            tokio::spawn(async move {
                let mut stream = stream;
                while let Some((head, body)) = request(&mut stream).await {
                    let answer = {
                        let mut kept = kept.lock().unwrap();
                        let heard = Heard {
                            turn: kept.len(),
                            connection,
                            head,
                            body,
                        };
                        kept.push(heard.clone());
                        (answer.lock().unwrap())(&heard)
                    };
                    if answer.contains("TimedOut") {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    Stage {
        port,
        heard,
        listening,
    }
}

async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("Content-Length")
                    .then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        let mut buffer = [0; 16 * 1024];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// An HTTP response; `headers` are whole lines with their ends.
pub(crate) fn http(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// The response to a request with an envelope.
pub(crate) fn reply(request: &Request, answer: Answer) -> String {
    let reply = Reply {
        message_id: Uuid::from_u128(1),
        relates_to: request.message_id,
        answer,
    };
    http(reply.status(), "", &reply.encode())
}

/// What a pipeline does when it comes.
type Run = Box<dyn FnMut(&mut Server, Uuid, &CreatePipeline) + Send>;

/// One shell.
pub(crate) struct Shell {
    server: Server,
    run: Run,
    waiting: Vec<(Option<Uuid>, Vec<u8>)>,
    /// The pipelines that were begun, in order.
    pub(crate) begun: Vec<Uuid>,
    /// Answers of the client's host.
    pub(crate) host_answers: usize,
}

impl Shell {
    pub(crate) fn new(run: impl FnMut(&mut Server, Uuid, &CreatePipeline) + Send + 'static) -> Self {
        Self {
            server: Server::new(Settings::default()),
            run: Box::new(run),
            waiting: Vec::new(),
            begun: Vec::new(),
            host_answers: 0,
        }
    }

    /// Does what a request asks and gives the answer.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let answer = match &request.operation {
            Operation::Create {
                shell_id, creation, ..
            } => {
                // One after the other.
                self.server = Server::new(Settings::default());
                self.waiting.clear();
                self.server.receive(None, creation).unwrap();
                Answer::Created(ShellDescription {
                    shell_id: shell_id.to_string().to_uppercase(),
                    resource_uri: resource_uri("Microsoft.Exchange"),
                    ..ShellDescription::default()
                })
            }
            Operation::Command {
                command_id,
                arguments,
            } => {
                self.server.receive(Some(*command_id), arguments).unwrap();
                Answer::CommandAccepted {
                    command_id: *command_id,
                }
            }
            Operation::Send { command_id, data, .. } => {
                self.server.receive(*command_id, data).unwrap();
                Answer::Sent
            }
            Operation::Signal { command_id, signal } => {
                match signal {
                    Signal::Stop => self.server.signal(*command_id),
                    _ => self.server.close(Some(*command_id)),
                }
                Answer::Signalled
            }
            Operation::Delete => Answer::Deleted,
            Operation::Receive { .. } => Answer::NothingYet,
            other => panic!("not on this stage: {other:?}"),
        };
        self.act();
        if let Operation::Receive { command_id } = &request.operation {
            return self.received(*command_id);
        }
        answer
    }

    fn act(&mut self) {
        while let Some(event) = self.server.next_event() {
            match event {
                Event::Open(_) => self.server.accept(&Data::Null).unwrap(),
                Event::Pipeline { pipeline, request } => {
                    self.begun.push(pipeline);
                    (self.run)(&mut self.server, pipeline, &request);
                }
                Event::Stop { pipeline } => self.server.stopped(pipeline, None).unwrap(),
                Event::HostAnswer { pipeline, .. } => {
                    self.host_answers += 1;
                    self.server.complete(pipeline.unwrap()).unwrap();
                }
                _ => {}
            }
        }
        while let Some(transmit) = self.server.poll_transmit() {
            if let Transmit::Data { pipeline, bytes, .. } = transmit {
                self.waiting.push((pipeline, bytes));
            }
        }
    }

    fn received(&mut self, of: Option<Uuid>) -> Answer {
        let (streams, others): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|(own, _)| *own == of);
        self.waiting = others;
        if streams.is_empty() {
            return Answer::NothingYet;
        }
        Answer::Received(Received {
            state: of.map(|_| CommandState::Running),
            streams,
        })
    }
}

/// A shell whose commands write one text, which is their own name, and end well.
pub(crate) fn echoing() -> Shell {
    Shell::new(|server, pipeline, request| {
        let name = request.statements[0][0].text.clone();
        server.write_output(pipeline, &Data::from(name.as_str())).unwrap();
        server.complete(pipeline).unwrap();
    })
}
