//! Protocols of lines: bounded reading, and TLS in the middle.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Io;

/// A connection that speaks in lines.
pub(crate) struct Lines {
    io: Box<dyn Io>,
    buffer: Vec<u8>,
    idle: Duration,
}

impl Lines {
    pub(crate) fn new(io: Box<dyn Io>, idle: Duration) -> Self {
        Self {
            io,
            buffer: Vec::new(),
            idle,
        }
    }

    /// The next line without its end; `None`: the client is gone.
    ///
    /// # Errors
    ///
    /// A line over `limit`, silence over the time allowed, a broken connection.
    pub(crate) async fn line(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            let fresh = self.buffer.get(looked..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=looked + end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            looked = self.buffer.len();
            if looked > limit {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "line too long"));
            }
            let mut chunk = [0; 2_048];
            let count = tokio::time::timeout(self.idle, self.io.read(&mut chunk))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            if count == 0 {
                return Ok(None);
            }
            self.buffer
                .extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }

    pub(crate) async fn say(&mut self, text: &str) -> io::Result<()> {
        // In one piece: there are clients that take what one read brings for whole lines.
        let text = format!("{text}\r\n");
        let whole = async {
            self.io.write_all(text.as_bytes()).await?;
            self.io.flush().await
        };
        tokio::time::timeout(self.idle, whole)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// The connection below, for TLS.
    ///
    /// # Errors
    ///
    /// What came in clear text behind the command that starts TLS would be taken for protected: refused.
    pub(crate) fn into_io(self) -> io::Result<Box<dyn Io>> {
        if self.buffer.is_empty() {
            Ok(self.io)
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "clear text behind the command that starts TLS",
            ))
        }
    }
}

/// Reads and forgets until the client goes, is silent, or sent 64 KiB.
pub(crate) async fn drain(mut io: Box<dyn Io>, idle: Duration) -> io::Result<()> {
    let mut chunk = [0; 1_024];
    for _ in 0..64 {
        match tokio::time::timeout(idle, io.read(&mut chunk)).await {
            Ok(Ok(0)) | Err(_) => break,
            Ok(read) => drop(read?),
        }
    }
    io.shutdown().await
}
