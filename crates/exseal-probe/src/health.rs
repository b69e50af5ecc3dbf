//! The healthcheck pages of Exchange's front end, over a connection that is open already.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::dialogue::shown;
use crate::sighting::HealthPage;

/// The pages a balancer asks for; the module answers before the service behind it, so a page says that the front end is
/// alive and its component active.
const PAGES: &[&str] = &[
    "/owa/healthcheck.htm",
    "/ecp/healthcheck.htm",
    "/ews/healthcheck.htm",
    "/mapi/healthcheck.htm",
    "/oab/healthcheck.htm",
    "/rpc/healthcheck.htm",
    "/autodiscover/healthcheck.htm",
    "/Microsoft-Server-ActiveSync/healthcheck.htm",
    "/powershell/healthcheck.htm",
];
/// Bytes of a page that are read.
const BODY: usize = 4096;

/// Fetches the pages one after the other; ends early, with the reason at the page, when the connection does.
pub(crate) async fn pages<S>(stream: S, host: &str, patience: Duration) -> Vec<HealthPage>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut seen = Vec::new();
    let page = |path: &str, status, says: String| HealthPage {
        path: path.to_owned(),
        status,
        says: says.chars().take(120).collect(),
    };
    let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(made) => made,
        Err(error) => return vec![page(PAGES[0], None, error.to_string())],
    };
    let driver = tokio::spawn(connection);
    for path in PAGES {
        let request = hyper::Request::get(*path)
            .header("host", host)
            .header("user-agent", "exseal-probe")
            .body(Empty::<Bytes>::new());
        let Ok(request) = request else { break };
        let asked = timeout(patience, async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), BODY).collect().await;
            let says = match body {
                Ok(body) => first_words(&body.to_bytes()),
                Err(error) => error.to_string(),
            };
            Ok::<_, String>((status, says))
        })
        .await;
        match asked {
            Ok(Ok((status, says))) => seen.push(page(path, Some(status), says)),
            Ok(Err(reason)) => {
                seen.push(page(path, None, reason));
                break;
            }
            Err(_) => {
                seen.push(page(path, None, "timed out".to_owned()));
                break;
            }
        }
        if sender.ready().await.is_err() {
            break;
        }
    }
    drop(sender);
    driver.abort();
    seen
}

fn first_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
