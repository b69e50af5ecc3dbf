//! One HTTP connection: log on, unseal, ask the shells, seal.

use std::sync::Arc;

use bytes::Bytes;
use exseal_psrp::multipart::{self, Boundary, Sealed};
use exseal_psrp::wsman::{Fault, Reply, Request as Envelope};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::Service;
use super::log_on::{Entry, LogOn};
use super::shell::{Caller, Said};
use crate::net::{Arrival, Door, Io};

/// Seconds for a request's head and body.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the simulation closes the connection")]
struct Cut;

/// Serves a connection until it ends.
pub(super) async fn serve(service: Arc<Service>, io: Box<dyn Io>, arrival: Arrival) {
    let log_on = LogOn::new(&service.commands, &service.guard, &arrival);
    let connection = Arc::new(Connection {
        service,
        arrival,
        log_on: Mutex::new(log_on),
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE * 4)
        .max_buf_size(128 * 1024)
        .serve_connection(
            TokioIo::new(io),
            hyper::service::service_fn(|request| {
                let connection = Arc::clone(&connection);
                async move { connection.answer(request).await }
            }),
        )
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "A connection of remoting ended");
    }
}

struct Connection {
    service: Arc<Service>,
    arrival: Arrival,
    log_on: Mutex<LogOn>,
}

type Page = Response<Full<Bytes>>;

fn page(status: StatusCode, kind: &str, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    if let Ok(kind) = HeaderValue::from_str(kind) {
        page.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    page.headers_mut().insert(
        header::SERVER,
        HeaderValue::from_static("Microsoft-HTTPAPI/2.0 (exseal lab, a simulation)"),
    );
    page
}

fn empty(status: StatusCode) -> Page {
    let mut page = page(status, multipart::SOAP, Bytes::new());
    page.headers_mut().remove(header::CONTENT_TYPE);
    page
}

fn add(page: &mut Page, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        page.headers_mut().append(name, value);
    }
}

impl Connection {
    async fn answer(&self, request: Request<Incoming>) -> Result<Page, Cut> {
        if request.method() != Method::POST {
            return Ok(empty(StatusCode::METHOD_NOT_ALLOWED));
        }
        let (head, body) = request.into_parts();
        let body = Limited::new(body, self.service.guard.body).collect();
        let Ok(Ok(body)) = tokio::time::timeout(PATIENCE, body).await else {
            return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let body = body.to_bytes();
        // WSMan's own question who is there needs no log-on.
        if head.headers.contains_key("wsmanidentify") && is_identify(&body) {
            return Ok(page(StatusCode::OK, multipart::SOAP, identity()));
        }
        let mut log_on = self.log_on.lock().await;
        let authorization = head
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let (user, token) = match log_on.enter(authorization) {
            Entry::As { user, token } => (user, token),
            Entry::Challenge(words) => {
                let mut refused = empty(StatusCode::UNAUTHORIZED);
                for word in words {
                    add(&mut refused, header::WWW_AUTHENTICATE, &word);
                }
                return Ok(refused);
            }
        };
        let kind = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut answered = if body.is_empty() {
            // The last leg of a log-on often carries nothing.
            empty(StatusCode::OK)
        } else {
            let opened = self.open(&mut log_on, kind, &body);
            // The long wait of a Receive is not held against the log-on.
            drop(log_on);
            match opened {
                Err(refused) => *refused,
                Ok((text, is_sealed)) => {
                    let full = head
                        .uri
                        .query()
                        .is_some_and(|query| query.to_ascii_lowercase().contains("serializationlevel=full"));
                    self.ask(&user, full, &text, is_sealed).await?
                }
            }
        };
        if let Some(token) = token {
            add(&mut answered, header::WWW_AUTHENTICATE, &token);
        }
        Ok(answered)
    }

    /// The envelope of a body, and whether it was sealed.
    fn open(&self, log_on: &mut LogOn, kind: &str, body: &[u8]) -> Result<(String, bool), Box<Page>> {
        if !multipart::is_sealed(kind) {
            let is_clear = self.arrival.certificate.is_none();
            // An empty 500 is WinRM's answer where AllowUnencrypted is false.
            if is_clear && !self.service.guard.unencrypted {
                return Err(Box::new(empty(StatusCode::INTERNAL_SERVER_ERROR)));
            }
            let text = exseal_psrp::clixml::decode_bytes(body)
                .map_err(|_| Box::new(empty(StatusCode::BAD_REQUEST)))?;
            return Ok((text.into_owned(), false));
        }
        let Some((_, context)) = log_on.seal() else {
            return Err(Box::new(empty(StatusCode::BAD_REQUEST)));
        };
        let refused = |why: &dyn std::fmt::Display| {
            tracing::debug!(%why, "A sealed body is refused");
            Box::new(empty(StatusCode::BAD_REQUEST))
        };
        let (_, parts) = multipart::decode(kind, body).map_err(|error| refused(&error))?;
        let mut plain = Vec::new();
        for part in parts {
            let opened = context
                .open(part.header, part.data)
                .map_err(|error| refused(&error))?;
            plain.extend(opened);
        }
        let text = exseal_psrp::clixml::decode_bytes(&plain).map_err(|error| refused(&error))?;
        Ok((text.into_owned(), true))
    }

    async fn ask(&self, user: &str, full: bool, text: &str, is_sealed: bool) -> Result<Page, Cut> {
        if self.arrival.door == Door::Exchange && user.ends_with('$') {
            // The front end cannot hand such an account on to its back end (facts/exchange.md E20).
            let server = self.arrival.server.as_str().to_uppercase();
            let text =
                format!("[ClientAccessServer={server},BackEndServer={server}] Cannot serialize context");
            return Ok(page(
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/plain; charset=utf-8",
                text,
            ));
        }
        let (status, text, is_new) = if is_identify(text.as_bytes()) {
            (200, identity(), false)
        } else {
            match Envelope::decode(text) {
                Err(malformed) => {
                    let reply = fault(Uuid::nil(), malformed.fault());
                    (500, reply.encode(), false)
                }
                Ok(envelope) => {
                    let caller = Caller {
                        server: &self.arrival.server,
                        door: self.arrival.door,
                        user,
                        full,
                    };
                    match super::shell::answer(&self.service, caller, &envelope).await {
                        Said::Cut => return Err(Cut),
                        Said::Answer(answer) => {
                            let is_new = matches!(answer, exseal_psrp::wsman::Answer::Created(_));
                            let reply = Reply {
                                message_id: new_id(),
                                relates_to: envelope.message_id,
                                answer,
                            };
                            (reply.status(), reply.encode(), is_new)
                        }
                    }
                }
            }
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answered = self.seal(status, text, is_sealed).await;
        if self.arrival.door == Door::Exchange {
            let server = self.arrival.server.as_str();
            add(
                &mut answered,
                header::HeaderName::from_static("x-feserver"),
                server,
            );
            if is_new {
                let cookie = format!(
                    "X-BackEndCookie={}; path=/PowerShell; HttpOnly",
                    server.to_lowercase()
                );
                add(&mut answered, header::SET_COOKIE, &cookie);
            }
        }
        Ok(answered)
    }

    async fn seal(&self, status: StatusCode, text: String, is_sealed: bool) -> Page {
        if !is_sealed {
            return page(status, multipart::SOAP, text);
        }
        let mut log_on = self.log_on.lock().await;
        let Some((protocol, context)) = log_on.seal() else {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        match context.seal(text.as_bytes()) {
            Ok(sealed) => {
                let boundary = match self.arrival.door {
                    Door::Exchange if self.service.guard.spaced_boundary => Boundary::Spaced,
                    Door::Exchange | Door::Windows => Boundary::Plain,
                };
                let part = Sealed {
                    header: &sealed.header,
                    data: &sealed.data,
                    original_len: text.len(),
                };
                let body = multipart::encode(protocol, &[part], boundary);
                page(status, &protocol.content_type(1), body)
            }
            Err(error) => {
                tracing::debug!(%error, "An answer could not be sealed");
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

/// An id, never used twice.
pub(super) fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

fn fault(relates_to: Uuid, fault: Fault) -> Reply {
    Reply {
        message_id: new_id(),
        relates_to,
        answer: exseal_psrp::wsman::Answer::Fault(Box::new(fault)),
    }
}

const IDENTITY: &str = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd";

fn is_identify(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains(IDENTITY) && text.contains("Identify")
}

fn identity() -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header/><s:Body><i:IdentifyResponse \
         xmlns:i=\"{IDENTITY}\"><i:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</i:ProtocolVersion>\
         <i:ProductVendor>exseal lab, a simulation</i:ProductVendor><i:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0\
         </i:ProductVersion></i:IdentifyResponse></s:Body></s:Envelope>"
    )
}
