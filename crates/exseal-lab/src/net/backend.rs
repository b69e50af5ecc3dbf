//! What a front end does with a request it lets through: TLS to 444 of the same server.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::place::Side;
use super::{Shared, lock};
use crate::world::{FrontEnd, ServerName};

/// The head a front end vouches for its caller with.
pub(crate) const TOKEN: &str = "x-commonaccesstoken";

/// Opens TLS to the back end.
///
/// # Errors
///
/// Nothing listens, the handshake fails, or the front end does not take what is presented there.
pub(crate) async fn connect(
    shared: &Shared,
    server: &ServerName,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let to = async {
        let socket = shared
            .socket(server, Side::Outside, 444)
            .ok_or(io::ErrorKind::NotConnected)?;
        let fqdn = lock(&shared.world)
            .server(server.as_str())
            .map(|server| server.fqdn.clone())
            .unwrap_or_default();
        let name = rustls::pki_types::ServerName::try_from(fqdn).map_err(io::Error::other)?;
        let tcp = TcpStream::connect(socket).await?;
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::clone(&shared.client));
        let tls = connector.connect(name, tcp).await?;
        // What is assumed about an ended certificate on 444 is the world's to say.
        if lock(&shared.world).front_end(server) == FrontEnd::NoBackEnd {
            return Err(io::Error::other("the front end refuses what 444 presents"));
        }
        Ok(tls)
    };
    tokio::time::timeout(shared.limits.handshake, to)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Passes a request on for a caller who logged on, and brings the answer.
///
/// # Errors
///
/// As [`connect`], or an answer that breaks off or is over the bound.
pub(crate) async fn pass_on(
    shared: &Shared,
    server: &ServerName,
    path: &str,
    user: &str,
) -> io::Result<Response<Full<Bytes>>> {
    let tls = connect(shared, server).await?;
    let asked = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(io::Error::other)?;
        let request = Request::get(path)
            .header("host", format!("{server}:444"))
            .header(TOKEN, user)
            .header("connection", "close")
            .body(Full::new(Bytes::new()))
            .map_err(io::Error::other)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, shared.limits.body)
                .collect()
                .await
                .map_err(io::Error::other)?;
            let mut answer = Response::new(Full::new(body.to_bytes()));
            *answer.status_mut() = head.status;
            if let Some(kind) = head.headers.get("content-type") {
                answer.headers_mut().insert("content-type", kind.clone());
            }
            Ok(answer)
        };
        tokio::select! {
            answer = answer => answer,
            ended = async { let _ = connection.await; std::future::pending::<()>().await } => {
                let () = ended;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    };
    tokio::time::timeout(shared.limits.idle, asked)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
