//! One HTTP connection, logged on once: the connection *is* the security context. It is never used again after an
//! error, and a request that may have reached the server is never sent twice.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use exseal_gss::{
    ChannelBinding, Credential, GssError, Mechanism, Scheme, SecurityContext, Target, initiator,
};
use exseal_psrp::multipart::{self, Boundary, Protocol, Sealed};
use exseal_psrp::wsman::{Effect, ReplyError};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::cookies::Cookies;
use super::endpoint::{Endpoint, LogOn};
use super::error::{LOG_ON, SessionError};

/// Bytes of an answer that are read; envelopes are 500 KB by default.
const LONGEST_ANSWER: usize = 16 << 20;
/// Legs of a log-on; Negotiate needs three.
const MOST_LEGS: usize = 6;

/// What a connection turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// `Basic`, `Negotiate`, `Kerberos`.
    pub scheme: &'static str,
    /// What proved who we are; none: a password in the open or within TLS.
    pub mechanism: Option<Mechanism>,
    /// Whether bodies are sealed.
    pub is_sealed: bool,
    /// Whether TLS is around it.
    pub is_tls: bool,
}

pub(super) struct Connection {
    endpoint: Arc<Endpoint>,
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    context: Option<Box<dyn SecurityContext>>,
    basic: Option<HeaderValue>,
    protocol: Protocol,
    way: Way,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer, opened.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Whether it came as the connection demands; a clear one on a sealed connection is never a success.
    pub(super) is_authentic: bool,
}

/// What became of a request that got no answer.
pub(super) enum Failure {
    /// It never left this machine: the connection had been closed meanwhile.
    NotSent,
    /// Everything else.
    Session(SessionError),
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl Connection {
    /// Connects and logs on.
    pub(super) async fn open(endpoint: &Arc<Endpoint>, cookies: &mut Cookies) -> Result<Self, SessionError> {
        let scheme = match &endpoint.log_on {
            LogOn::Basic {
                even_in_clear_text, ..
            } => {
                if endpoint.tls.is_none() && !even_in_clear_text {
                    return Err(SessionError::ClearText { to: to(endpoint) });
                }
                None
            }
            LogOn::With(scheme, _) => Some(*scheme),
            LogOn::Best(credential) => best(endpoint, credential, cookies).await?,
        };
        let (mut connection, binding) = Self::connect(endpoint, scheme).await?;
        match scheme {
            None => connection.basic = Some(basic(endpoint)?),
            Some(scheme) => connection.log_on(scheme, binding, cookies).await?,
        }
        Ok(connection)
    }

    async fn connect(
        endpoint: &Arc<Endpoint>,
        scheme: Option<Scheme>,
    ) -> Result<(Self, Option<ChannelBinding>), SessionError> {
        let patience = endpoint.patience.connect;
        let to = to(endpoint);
        let late = || {
            std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {} s", patience.as_secs()),
            )
        };
        let failed = |source| SessionError::Connect {
            to: to.clone(),
            source,
        };
        let address = endpoint.address.as_deref().unwrap_or(&endpoint.host);
        let stream = timeout(patience, TcpStream::connect((address, endpoint.port)))
            .await
            .map_err(|_| failed(late()))?
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let mut binding = None;
        let (sender, driver) = if let Some(config) = &endpoint.tls {
            let untrusted = |why: String| SessionError::Tls { to: to.clone(), why };
            let name =
                ServerName::try_from(endpoint.host.clone()).map_err(|error| untrusted(error.to_string()))?;
            let tls = timeout(
                patience,
                TlsConnector::from(Arc::clone(config)).connect(name, stream),
            )
            .await
            .map_err(|_| untrusted(late().to_string()))?
            .map_err(|error| untrusted(error.to_string()))?;
            if let Some(leaf) = tls.get_ref().1.peer_certificates().and_then(<[_]>::first) {
                binding = ChannelBinding::tls_server_end_point(leaf).ok();
            }
            handshake(tls, &to).await?
        } else {
            handshake(stream, &to).await?
        };
        let connection = Self {
            endpoint: Arc::clone(endpoint),
            sender,
            driver,
            context: None,
            basic: None,
            protocol: if scheme == Some(Scheme::Kerberos) {
                Protocol::Kerberos
            } else {
                Protocol::Spnego
            },
            way: Way {
                scheme: scheme.map_or("Basic", Scheme::name),
                mechanism: None,
                is_sealed: scheme.is_some() && endpoint.tls.is_none(),
                is_tls: endpoint.tls.is_some(),
            },
        };
        Ok((connection, binding))
    }

    /// What the connection turned out to be.
    pub(super) fn way(&self) -> Way {
        self.way.clone()
    }

    async fn log_on(
        &mut self,
        scheme: Scheme,
        binding: Option<ChannelBinding>,
        cookies: &mut Cookies,
    ) -> Result<(), SessionError> {
        let endpoint = Arc::clone(&self.endpoint);
        let to = to(&endpoint);
        let failed = |source| SessionError::LogOn {
            to: to.clone(),
            source,
        };
        let credential = endpoint.log_on.credential();
        let wants_kdc = match credential {
            Credential::LogonSession => false,
            // NTLM comes next; a centre that is known to be silent need not be waited for again.
            Credential::Password { user, .. } if scheme == Scheme::Negotiate => user
                .domain
                .as_deref()
                .is_some_and(|realm| !endpoint.kdc.was_silent(realm)),
            _ => true,
        };
        let kdc = wants_kdc.then(|| Box::new(endpoint.kdc.clone()) as Box<dyn exseal_gss::KdcExchange>);
        let mut context = initiator(
            scheme,
            credential.clone(),
            &Target::http(&endpoint.host),
            binding,
            kdc,
        )
        .map_err(failed)?;
        let mut token = None;
        for _ in 0..MOST_LEGS {
            let step;
            (context, step) = advance(context, token.take()).await.map_err(failed)?;
            let Some(ours) = step.map_err(failed)?.token else {
                break;
            };
            let authorization = authorization(scheme.name(), &ours);
            let answer = timeout(
                endpoint.patience.connect,
                self.exchange(LOG_ON, Bytes::new(), None, Some(authorization), cookies),
            )
            .await
            .map_err(|_| SessionError::NoAnswer {
                action: LOG_ON,
                after: endpoint.patience.connect,
            })?;
            let (status, headers, body) = answer.map_err(|failure| not_sent(LOG_ON, failure))?;
            redirect(&endpoint, status, &headers)?;
            token = challenge(&headers, scheme.name());
            let goes_on = status == StatusCode::UNAUTHORIZED && token.is_some();
            if goes_on {
                continue;
            }
            // With a last token the server has looked at ours: what else it says comes with the first request.
            let proves_itself = token.is_some() || context.is_established();
            if matches!(status.as_u16(), 401 | 403) || (!proves_itself && status.as_u16() >= 400) {
                return Err(refused(&endpoint, status, &headers, &body));
            }
            // The server let us in; its last token, where there is one, proves it to us.
            if let Some(last) = token.take() {
                let step;
                (context, step) = advance(context, Some(last)).await.map_err(failed)?;
                step.map_err(failed)?;
            }
            break;
        }
        if !context.is_established() {
            return Err(failed(GssError::Token {
                expected: "a server that proves itself",
                found: "one that let us in without a token".to_owned(),
            }));
        }
        self.way.mechanism = Some(context.mechanism());
        self.context = Some(context);
        Ok(())
    }

    /// Sends one body and brings the answer.
    ///
    /// A future that is dropped half way leaves a connection that must not be used again.
    pub(super) async fn post(
        &mut self,
        action: &'static str,
        body: &[u8],
        cookies: &mut Cookies,
    ) -> Result<Answer, Failure> {
        let seal = |source| SessionError::LogOn {
            to: to(&self.endpoint),
            source,
        };
        let (content_type, bytes) = match &mut self.context {
            Some(context) if self.way.is_sealed => {
                let sealed = context.seal(body).map_err(seal)?;
                let part = Sealed {
                    header: &sealed.header,
                    data: &sealed.data,
                    original_len: body.len(),
                };
                let whole = multipart::encode(self.protocol, &[part], Boundary::Plain);
                (self.protocol.content_type(1), Bytes::from(whole))
            }
            _ => (multipart::SOAP.to_owned(), Bytes::copy_from_slice(body)),
        };
        let (status, headers, body) = self
            .exchange(action, bytes, Some(content_type), self.basic.clone(), cookies)
            .await?;
        if status.is_redirection() && self.way.is_sealed {
            // Nobody proved that these are the server's words: it may have done what was asked.
            return Err(SessionError::NotSealed { action }.into());
        }
        redirect(&self.endpoint, status, &headers)?;
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if multipart::is_sealed(kind) {
            let body = self
                .open_body(kind, &body)
                .map_err(|why| SessionError::Seal { action, why })?;
            return Ok(Answer {
                status: status.as_u16(),
                body,
                is_authentic: true,
            });
        }
        if status == StatusCode::UNAUTHORIZED && !self.way.is_sealed {
            return Err(refused(&self.endpoint, status, &headers, &body).into());
        }
        Ok(Answer {
            status: status.as_u16(),
            body: body.to_vec(),
            is_authentic: !self.way.is_sealed,
        })
    }

    fn open_body(&mut self, content_type: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let (protocol, parts) = multipart::decode(content_type, body).map_err(|error| error.to_string())?;
        let context = self
            .context
            .as_mut()
            .ok_or_else(|| format!("{} without a context", protocol.media_type()))?;
        let mut plain = Vec::new();
        for part in parts {
            let opened = context
                .open(part.header, part.data)
                .map_err(|error| error.to_string())?;
            if opened.len() > part.original_len {
                return Err(format!(
                    "expected {} bytes, found {}",
                    part.original_len,
                    opened.len()
                ));
            }
            plain.extend(opened);
        }
        Ok(plain)
    }

    async fn exchange(
        &mut self,
        action: &'static str,
        body: Bytes,
        content_type: Option<String>,
        authorization: Option<HeaderValue>,
        cookies: &mut Cookies,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Failure> {
        let broken = |effect, why: String| SessionError::Broken { action, why, effect };
        let mut request = Request::post(&self.endpoint.path)
            .header(header::HOST, host(&self.endpoint))
            .header(header::USER_AGENT, concat!("exseal/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::CONNECTION, "Keep-Alive")
            .body(Full::new(body))
            .map_err(|error| broken(Effect::None, error.to_string()))?;
        let headers = request.headers_mut();
        if let Some(kind) = content_type {
            let kind =
                HeaderValue::from_str(&kind).map_err(|error| broken(Effect::None, error.to_string()))?;
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        if let Some(cookie) = cookies.header() {
            headers.insert(header::COOKIE, cookie);
        }
        if self.sender.ready().await.is_err() {
            return Err(Failure::NotSent);
        }
        let response = match self.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                // The library gives the request back where not one byte of it was written.
                if error.take_message().is_some() {
                    return Err(Failure::NotSent);
                }
                return Err(broken(Effect::Unknown, reason(&error.into_error())).into());
            }
        };
        let (head, body) = response.into_parts();
        cookies.take(&head.headers, Timestamp::now());
        if let Some(encoding) = head.headers.get(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            // What was asked may be done; what came cannot be read.
            let why = format!("expected an answer without compression, found {encoding:?}");
            return Err(broken(Effect::Unknown, why).into());
        }
        let too_long = || format!("expected an answer of at most {LONGEST_ANSWER} bytes, found more");
        if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > LONGEST_ANSWER) {
            return Err(broken(Effect::Unknown, too_long()).into());
        }
        let body = Limited::new(body, LONGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| {
                let why = match error.downcast_ref::<LengthLimitError>() {
                    Some(_) => too_long(),
                    None => reason(&*error),
                };
                broken(Effect::Unknown, why)
            })?;
        Ok((head.status, head.headers, body.to_bytes()))
    }
}

async fn handshake<S>(stream: S, to: &str) -> Result<(SendRequest<Full<Bytes>>, JoinHandle<()>), SessionError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| SessionError::Connect {
            to: to.to_owned(),
            source: std::io::Error::other(error),
        })?;
    let driver = tokio::spawn(async move {
        // Its errors come with the request they hit.
        let _ = connection.await;
    });
    Ok((sender, driver))
}

/// The best scheme the server offers to somebody unknown.
async fn best(
    endpoint: &Arc<Endpoint>,
    credential: &Credential,
    cookies: &mut Cookies,
) -> Result<Option<Scheme>, SessionError> {
    let (mut connection, _) = Connection::connect(endpoint, None).await?;
    let answer = timeout(
        endpoint.patience.connect,
        connection.exchange(LOG_ON, Bytes::new(), None, None, cookies),
    )
    .await
    .map_err(|_| SessionError::NoAnswer {
        action: LOG_ON,
        after: endpoint.patience.connect,
    })?;
    let (status, headers, body) = answer.map_err(|failure| not_sent(LOG_ON, failure))?;
    redirect(endpoint, status, &headers)?;
    let offered = offered(&headers);
    let has = |name: &str| offered.iter().any(|scheme| scheme.eq_ignore_ascii_case(name));
    let has_password = matches!(credential, Credential::Password { .. });
    // A password without a realm gets no ticket; Negotiate then goes on with NTLM.
    let has_realm = !matches!(credential, Credential::Password { user, .. } if user.domain.is_none());
    if has("Kerberos") && (has_realm || !has("Negotiate")) && !(has("Negotiate") && has_password) {
        Ok(Some(Scheme::Kerberos))
    } else if has("Negotiate") {
        Ok(Some(Scheme::Negotiate))
    } else if has("NTLM") && has_password {
        Ok(Some(Scheme::Ntlm))
    } else if has("Basic") && has_password {
        if endpoint.tls.is_some() {
            Ok(None)
        } else {
            Err(SessionError::ClearText { to: to(endpoint) })
        }
    } else {
        // No question who we are, or none that can be answered.
        Err(refused(endpoint, status, &headers, &body))
    }
}

/// One step of the context, where it may block (a ticket is fetched) on a thread that may.
type Advanced = (Box<dyn SecurityContext>, Result<exseal_gss::Step, GssError>);

async fn advance(
    mut context: Box<dyn SecurityContext>,
    token: Option<Vec<u8>>,
) -> Result<Advanced, GssError> {
    if context.mechanism() == Mechanism::Ntlm || token.is_some() {
        let step = context.step(token.as_deref());
        return Ok((context, step));
    }
    tokio::task::spawn_blocking(move || {
        let step = context.step(token.as_deref());
        (context, step)
    })
    .await
    .map_err(|error| GssError::Library {
        mechanism: Mechanism::Kerberos,
        doing: "asking for a ticket",
        why: error.to_string(),
    })
}

fn authorization(scheme: &str, token: &[u8]) -> HeaderValue {
    let text = Zeroizing::new(format!("{scheme} {}", BASE64.encode(token)));
    sensitive(&text)
}

fn basic(endpoint: &Endpoint) -> Result<HeaderValue, SessionError> {
    let credential = match &endpoint.log_on {
        LogOn::Best(credential) | LogOn::Basic { credential, .. } | LogOn::With(_, credential) => credential,
    };
    let Credential::Password { user, password } = credential else {
        return Err(SessionError::LogOn {
            to: to(endpoint),
            source: GssError::Unsupported {
                what: format!("Basic with {}", credential.describe()),
                why: "Basic sends a user and a password",
            },
        });
    };
    let pair = Zeroizing::new(format!("{user}:{}", password.reveal()));
    let text = Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())));
    Ok(sensitive(&text))
}

/// A header that is never shown. Base64 fits every header.
fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The token of this scheme among the server's challenges.
fn challenge(headers: &HeaderMap, scheme: &str) -> Option<Vec<u8>> {
    headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|value| {
            let (name, token) = value.trim().split_once(' ')?;
            name.eq_ignore_ascii_case(scheme)
                .then(|| BASE64.decode(token.trim()).ok())?
        })
}

fn offered(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|part| part.split_whitespace().next())
        .filter(|word| !word.contains('='))
        .map(str::to_owned)
        .collect()
}

/// An answer to a log-on that lets nobody in: the front end's words where they are there, a refusal of ours where the
/// status says that, and else no endpoint, or one that is down.
fn refused(endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> SessionError {
    match ReplyError::of_text(LOG_ON, status.as_u16(), &String::from_utf8_lossy(body)) {
        ReplyError::NotAnEnvelope {
            status: status @ (401 | 403),
            ..
        } => SessionError::Unauthorized {
            to: to(endpoint),
            as_whom: endpoint.log_on.credential().describe(),
            status,
            offered: offered(headers),
        },
        other => SessionError::Reply(other),
    }
}

fn redirect(endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap) -> Result<(), SessionError> {
    if !status.is_redirection() {
        return Ok(());
    }
    let location = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    Err(SessionError::Redirect {
        to: to(endpoint),
        location: location.to_owned(),
    })
}

fn not_sent(action: &'static str, failure: Failure) -> SessionError {
    match failure {
        Failure::Session(error) => error,
        Failure::NotSent => SessionError::Broken {
            action,
            why: "the server closed the connection before anything was sent".to_owned(),
            effect: Effect::None,
        },
    }
}

fn to(endpoint: &Endpoint) -> String {
    match &endpoint.address {
        Some(address) if *address != endpoint.host => {
            format!("{} ({address}) port {}", endpoint.host, endpoint.port)
        }
        _ => format!("{} port {}", endpoint.host, endpoint.port),
    }
}

fn host(endpoint: &Endpoint) -> String {
    let default = if endpoint.tls.is_some() { 443 } else { 80 };
    if endpoint.port == default {
        endpoint.host.clone()
    } else {
        format!("{}:{}", endpoint.host, endpoint.port)
    }
}

/// An error with what caused it.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut whole = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        whole.push_str(": ");
        whole.push_str(&next.to_string());
        cause = next.source();
    }
    whole
}
