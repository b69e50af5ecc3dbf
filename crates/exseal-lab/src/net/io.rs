//! A connection, whatever is below it, and the door to PowerShell remoting.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::world::ServerName;

/// A connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// From now on, dropping it resets the connection.
    fn reset(&self);
}

impl Io for TcpStream {
    fn reset(&self) {
        let _ = self.set_zero_linger();
    }
}

impl Io for Box<dyn Io> {
    fn reset(&self) {
        (**self).reset();
    }
}

impl Io for tokio_rustls::server::TlsStream<Box<dyn Io>> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

/// A connection some bytes of which were read already; they come again.
pub(crate) struct Prefixed {
    pub(crate) read: Vec<u8>,
    pub(crate) at: usize,
    pub(crate) io: Box<dyn Io>,
}

impl Io for Prefixed {
    fn reset(&self) {
        self.io.reset();
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let at = self.at;
        let rest = self.read.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..count).unwrap_or_default());
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Which door of PowerShell remoting a client stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// WinRM, 5985 and 5986.
    Windows,
    /// `/PowerShell/` of the front end; the back end was reached.
    Exchange,
}

/// A connection for PowerShell remoting.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The server.
    pub server: ServerName,
    /// The door.
    pub door: Door,
    /// The certificate presented (DER), for channel binding; `None`: no TLS.
    pub certificate: Option<Vec<u8>>,
}

/// Answers PowerShell remoting on a connection until it ends. The first byte read is the first of an HTTP request;
/// TLS is already off.
pub trait Remoting: Send + Sync + 'static {
    /// Serves one connection. The future is dropped when the lab stops or the server goes away.
    fn serve(&self, io: Box<dyn Io>, arrival: Arrival) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}
