//! HTTP: the pages of front end and back end, and the doors of PowerShell remoting.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;

use super::entry::{Entry, Said, Ways, account_of};
use super::io::{Arrival, Door, Prefixed};
use super::place::Key;
use super::{Io, Shared, backend, lock};
use crate::call::Endpoint;
use crate::world::{FrontEnd, Server, ServerName, SessionRefusal};

type Page = Response<Full<Bytes>>;

const COOKIE_NAME: &str = "cadata=";

pub(crate) async fn serve(
    shared: &Arc<Shared>,
    key: &Key,
    io: Box<dyn Io>,
    leaf: Option<Vec<u8>>,
    back_end: bool,
) -> io::Result<()> {
    let (first, io) = first_line(shared, io).await?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_ascii_lowercase();
    let shell = path == "/powershell" || path.starts_with("/powershell/") || path.starts_with("/powershell?");
    if shell && !back_end {
        return exchange(shared, key, io, leaf).await;
    }
    let clear = leaf.is_none();
    let entry = tokio::sync::Mutex::new(Entry::new(shared, &key.server, leaf));
    answer(shared, io, |request| {
        pages(shared, &key.server, request, back_end, clear, &entry)
    })
    .await
}

async fn answer<F, R>(shared: &Shared, io: Box<dyn Io>, page: F) -> io::Result<()>
where
    F: Fn(Request<Incoming>) -> R,
    R: Future<Output = Page>,
{
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.handshake)
        .max_buf_size(64 * 1024)
        .serve_connection(
            TokioIo::new(io),
            hyper::service::service_fn(|request| {
                let page = page(request);
                async move {
                    let mut page = page.await;
                    let server = hyper::header::HeaderValue::from_static(
                        "Microsoft-IIS/10.0 (exseal lab, a simulation)",
                    );
                    page.headers_mut().insert(hyper::header::SERVER, server);
                    Ok::<_, Infallible>(page)
                }
            }),
        )
        .await
        .map_err(io::Error::other)
}

/// Reads up to the end of the request line and puts it back.
async fn first_line(shared: &Shared, mut io: Box<dyn Io>) -> io::Result<(String, Box<dyn Io>)> {
    let mut read = Vec::new();
    let whole = async {
        while !read.contains(&b'\n') && read.len() < shared.limits.line {
            let mut chunk = [0; 1_024];
            let count = io.read(&mut chunk).await?;
            if count == 0 {
                break;
            }
            read.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        Ok::<_, io::Error>(())
    };
    tokio::time::timeout(shared.limits.handshake, whole)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let line = read.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    Ok((line, Box::new(Prefixed { read, at: 0, io })))
}

/// The Exchange endpoint: the front end reaches its back end first, or the shell is refused.
async fn exchange(shared: &Arc<Shared>, key: &Key, io: Box<dyn Io>, leaf: Option<Vec<u8>>) -> io::Result<()> {
    let reached = backend::connect(shared, &key.server).await;
    let opened = lock(&shared.world).open_session(&key.server, Endpoint::Exchange { full: false });
    let refusal = match opened {
        Err(SessionRefusal::BackEnd { message }) => (StatusCode::INTERNAL_SERVER_ERROR, message),
        Err(SessionRefusal::PoolStopped) => {
            (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable".to_owned())
        }
        Err(other) => (StatusCode::SERVICE_UNAVAILABLE, format!("{other:?}")),
        Ok(()) => match (reached, &shared.remoting) {
            (Err(error), _) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                format!(
                    "[ClientAccessServer={0},BackEndServer={0}] [FailureCategory=Cafe-SendFailure] {error}",
                    key.server.as_str().to_uppercase()
                ),
            ),
            (Ok(_), Some(remoting)) => {
                let arrival = Arrival {
                    server: key.server.clone(),
                    door: Door::Exchange,
                    certificate: leaf,
                };
                remoting.serve(io, arrival).await;
                return Ok(());
            }
            (Ok(_), None) => no_remoting(),
        },
    };
    refuse(shared, io, refusal).await
}

/// The Windows endpoint.
pub(crate) async fn windows(
    shared: &Arc<Shared>,
    key: &Key,
    io: Box<dyn Io>,
    leaf: Option<Vec<u8>>,
) -> io::Result<()> {
    match &shared.remoting {
        Some(remoting) => {
            let arrival = Arrival {
                server: key.server.clone(),
                door: Door::Windows,
                certificate: leaf,
            };
            remoting.serve(io, arrival).await;
            Ok(())
        }
        None => refuse(shared, io, no_remoting()).await,
    }
}

fn no_remoting() -> (StatusCode, String) {
    (
        StatusCode::NOT_IMPLEMENTED,
        "this lab was started without PowerShell remoting".to_owned(),
    )
}

async fn refuse(shared: &Shared, io: Box<dyn Io>, (status, text): (StatusCode, String)) -> io::Result<()> {
    let category = text.contains("Cafe-SendFailure");
    answer(shared, io, |_| {
        let mut page = plain(status, &text);
        let headers = page.headers_mut();
        headers.insert("connection", hyper::header::HeaderValue::from_static("close"));
        if category {
            let value = hyper::header::HeaderValue::from_static("Cafe-SendFailure");
            headers.insert("x-failurecategory", value);
        }
        std::future::ready(page)
    })
    .await
}

fn plain(status: StatusCode, text: &str) -> Page {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f3f2f1;color:#201f1e}\
                     main{max-width:24rem;margin:10vh auto;padding:1.5rem;background:#fff;border-top:.3rem solid #0f5a9c;overflow-wrap:anywhere}\
                     label{display:block;margin:.8rem 0 .2rem}input{width:100%;box-sizing:border-box;font:inherit;padding:.3rem}\
                     button{margin-top:1rem;font:inherit;padding:.4rem 1.2rem}.wrong{color:#a4262c}\
                     .note{margin:1.5rem 0 0;padding-top:.8rem;border-top:1px solid #c8c6c4}";

fn html(status: StatusCode, body: &str) -> Page {
    let text = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Outlook (simulation)</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head><body><main>{body}\
         <p class=\"note\">This is a simulation: exseal lab.</p></main></body></html>"
    );
    typed(status, "text/html; charset=utf-8", text)
}

fn typed(status: StatusCode, kind: &'static str, text: String) -> Page {
    let mut page = Response::new(Full::new(Bytes::from(text)));
    *page.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    page.headers_mut().insert(CONTENT_TYPE, kind);
    page
}

fn moved(to: &'static str) -> Page {
    let mut page = html(StatusCode::FOUND, "<p>Object moved</p>");
    page.headers_mut()
        .insert(LOCATION, hyper::header::HeaderValue::from_static(to));
    page
}

/// The virtual directories: path, and the directory whose settings say who enters; none: the form.
const DIRECTORIES: [(&str, Option<&str>); 8] = [
    ("/owa", None),
    ("/ecp", None),
    ("/ews", Some("EWS")),
    ("/mapi", Some("mapi")),
    (
        "/microsoft-server-activesync",
        Some("Microsoft-Server-ActiveSync"),
    ),
    ("/autodiscover", Some("Autodiscover")),
    ("/rpc", Some("Rpc")),
    ("/oab", Some("OAB")),
];

async fn pages(
    shared: &Shared,
    server: &ServerName,
    request: Request<Incoming>,
    back_end: bool,
    clear: bool,
    entry: &tokio::sync::Mutex<Entry>,
) -> Page {
    let path = request.uri().path().to_ascii_lowercase();
    let Some((directory, settings)) = DIRECTORIES
        .iter()
        .find(|(directory, _)| {
            path.strip_prefix(directory)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .copied()
    else {
        return if path == "/" && !back_end {
            moved("/owa/")
        } else {
            html(
                StatusCode::NOT_FOUND,
                "<h1>404 - File or directory not found.</h1>",
            )
        };
    };
    if path == format!("{directory}/healthcheck.htm") {
        return health(shared, server);
    }
    if back_end {
        return match request
            .headers()
            .get(backend::TOKEN)
            .and_then(|user| user.to_str().ok())
        {
            Some(user) => html(
                StatusCode::OK,
                &format!(
                    "<h1>{}</h1><p>{} logged on to {server}.</p>",
                    escaped(directory),
                    escaped(user)
                ),
            ),
            None => unauthorized(["Negotiate", "NTLM"]),
        };
    }
    if clear {
        return html(
            StatusCode::FORBIDDEN,
            "<h1>403.4 - Forbidden: SSL is required to view this resource.</h1>",
        );
    }
    let Some(settings) = settings else {
        return form(shared, server, request, &path).await;
    };
    let Some(ways) = Ways::of(shared, server, settings) else {
        return html(
            StatusCode::NOT_FOUND,
            "<h1>404 - File or directory not found.</h1>",
        );
    };
    let authorization = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    // A security context goes with its connection; one request after the other.
    let said = entry.lock().await.enter(ways, authorization);
    let (user, token) = match said {
        Said::As { user, token } => (user, token),
        Said::Challenge(words) => return unauthorized(words),
    };
    let mut page = backend::pass_on(shared, server, request.uri().path(), &user)
        .await
        .unwrap_or_else(|error| html(StatusCode::SERVICE_UNAVAILABLE, &escaped(&error.to_string())));
    if let Some(token) = token.and_then(|token| token.parse().ok()) {
        page.headers_mut().append(WWW_AUTHENTICATE, token);
    }
    page
}

fn health(shared: &Shared, server: &ServerName) -> Page {
    let world = lock(&shared.world);
    let Some(server) = world.server(server.as_str()) else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "");
    };
    if is_healthy(server) {
        let text = format!("200 OK<br/>{}", server.fqdn.to_uppercase());
        typed(StatusCode::OK, "text/html", text)
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "")
    }
}

/// Whether a server's healthcheck pages say that it takes clients.
pub(super) fn is_healthy(server: &Server) -> bool {
    server
        .components
        .get("ServerWideOffline")
        .is_none_or(|state| state == "Active")
}

fn unauthorized<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Page {
    let mut page = html(
        StatusCode::UNAUTHORIZED,
        "<h1>401 - Unauthorized: Access is denied.</h1>",
    );
    for word in words {
        if let Ok(word) = word.as_ref().parse() {
            page.headers_mut().append(WWW_AUTHENTICATE, word);
        }
    }
    page
}

/// The user's name when name and password are right; `DOMAIN\name` and `name@domain` are names as well.
fn known(shared: &Shared, name: &str, password: &str) -> Option<String> {
    account_of(shared, name)
        .filter(|(_, own)| own == password)
        .map(|(user, _)| user)
}

/// Forms-based authentication: the login page is the front end's own; what lies behind comes from 444.
async fn form(shared: &Shared, server: &ServerName, request: Request<Incoming>, path: &str) -> Page {
    let fares = lock(&shared.world).front_end(server);
    if fares == FrontEnd::PoolStopped {
        return html(
            StatusCode::SERVICE_UNAVAILABLE,
            "<h1>Service Unavailable</h1><p>HTTP Error 503.</p>",
        );
    }
    if path == "/owa/auth.owa" && request.method() == Method::POST {
        let body = Limited::new(request.into_body(), shared.limits.body).collect();
        let Ok(Ok(body)) = tokio::time::timeout(shared.limits.idle, body).await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "");
        };
        let fields = body.to_bytes();
        let field = |name: &str| {
            fields.split(|byte| *byte == b'&').find_map(|pair| {
                let at = pair.iter().position(|byte| *byte == b'=')?;
                let (own, value) = pair.split_at_checked(at)?;
                (own == name.as_bytes()).then(|| decoded(value.get(1..).unwrap_or_default()))
            })
        };
        let user = known(
            shared,
            &field("username").unwrap_or_default(),
            &field("password").unwrap_or_default(),
        );
        return match user {
            Some(user) if fares != FrontEnd::LoginLoops => {
                let session = format!("{:032x}", rand::random::<u128>());
                let cookie = format!("{COOKIE_NAME}{session}; path=/; secure; HttpOnly");
                {
                    let mut sessions = lock(&shared.sessions);
                    sessions.push_back((session, user));
                    if sessions.len() > 1_000 {
                        sessions.pop_front();
                    }
                }
                let mut page = moved("/owa/");
                if let Ok(cookie) = cookie.parse() {
                    page.headers_mut().insert(SET_COOKIE, cookie);
                }
                page
            }
            Some(_) => moved("/owa/auth/logon.aspx"),
            None => moved("/owa/auth/logon.aspx?reason=2"),
        };
    }
    if path.starts_with("/owa/auth/") {
        let wrong = request
            .uri()
            .query()
            .is_some_and(|query| query.split('&').any(|part| part == "reason=2"));
        return html(StatusCode::OK, &logon_form(wrong));
    }
    let user = request
        .headers()
        .get(COOKIE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| {
            let session = text
                .split(';')
                .find_map(|part| part.trim().strip_prefix(COOKIE_NAME))?;
            lock(&shared.sessions)
                .iter()
                .find(|(own, _)| own == session)
                .map(|(_, user)| user.clone())
        });
    let Some(user) = user else {
        return moved("/owa/auth/logon.aspx");
    };
    match backend::pass_on(shared, server, request.uri().path(), &user).await {
        Ok(_) if fares == FrontEnd::AuthBroken => html(
            StatusCode::INTERNAL_SERVER_ERROR,
            "<h1>:-(</h1><p>ASSERT: HMACProvider.GetCertificates:protectionCertificates.Length&lt;1</p>",
        ),
        Ok(page) => page,
        // The blank page behind the login.
        Err(error) => {
            tracing::debug!(%server, %error, "no back end");
            typed(StatusCode::OK, "text/html", String::new())
        }
    }
}

fn logon_form(wrong: bool) -> String {
    let wrong = if wrong {
        "<p class=\"wrong\" role=\"alert\">The user name or password you entered isn't correct. Try entering it again.</p>"
    } else {
        ""
    };
    format!(
        "<h1>Outlook</h1>{wrong}<form action=\"/owa/auth.owa\" method=\"POST\" name=\"logonForm\">\
         <label for=\"username\">Domain\\user name:</label><input id=\"username\" name=\"username\" autocomplete=\"username\">\
         <label for=\"password\">Password:</label><input id=\"password\" name=\"password\" type=\"password\" \
         autocomplete=\"current-password\"><button>sign in</button></form>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Reads `a%20b+c`.
fn decoded(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let code = after
                    .get(..2)
                    .and_then(|digits| std::str::from_utf8(digits).ok())
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                if let Some(code) = code {
                    out.push(code);
                    rest = after.get(2..).unwrap_or_default();
                } else {
                    out.push(b'%');
                }
            }
            other => out.push(*other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
