//! A session with a PowerShell on this machine, over its standard streams (`powershell.exe -s`).

use std::process::Stdio;
use std::time::Duration;

use exseal_psrp::channel::Transmit;
use exseal_psrp::oop::{Acknowledgements, Lines, Packet};
use exseal_psrp::wsman::Effect;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use uuid::Uuid;

use super::connection::Way;
use super::error::SessionError;
use super::transport::{Coming, Incoming, Transport};

/// The program that is PowerShell in server mode, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPowerShell {
    /// `powershell.exe`, found by the path, or a full path.
    pub program: String,
    /// What makes it a server: `-s -NoLogo -NoProfile`.
    pub arguments: Vec<String>,
}

impl Default for LocalPowerShell {
    /// Windows PowerShell 5.1, without profile.
    fn default() -> Self {
        Self {
            program: "powershell.exe".to_owned(),
            arguments: ["-s", "-NoLogo", "-NoProfile"].map(str::to_owned).to_vec(),
        }
    }
}

/// How long the process may take to acknowledge a line, and to answer for the pool. A command takes as long as it does.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Local {
    program: String,
    child: Child,
    /// None once the session was closed: the process reads the end of its input and goes.
    input: Option<ChildStdin>,
    output: ChildStdout,
    lines: Lines,
    order: Acknowledgements,
    /// Came while something else was waited for.
    inbox: Vec<Incoming>,
    /// Whether a command was ever written.
    has_commanded: bool,
    has_ended: bool,
    patience: Duration,
}

impl Local {
    pub(super) fn start(local: &LocalPowerShell) -> Result<Self, SessionError> {
        let failed = |why: String| SessionError::Local {
            program: local.program.clone(),
            why,
            effect: Effect::None,
        };
        let mut child = Command::new(&local.program)
            .args(&local.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("expected its standard streams, found none".to_owned()));
        };
        Ok(Self {
            program: local.program.clone(),
            child,
            input: Some(input),
            output,
            lines: Lines::default(),
            order: Acknowledgements::default(),
            inbox: Vec::new(),
            has_commanded: false,
            has_ended: false,
            patience: PATIENCE,
        })
    }

    fn failed(&self, why: impl Into<String>) -> SessionError {
        let effect = if self.has_commanded {
            Effect::Unknown
        } else {
            Effect::None
        };
        SessionError::Local {
            program: self.program.clone(),
            why: why.into(),
            effect,
        }
    }

    async fn write_ready(&mut self) -> Result<(), SessionError> {
        while let Some(packet) = self.order.poll() {
            self.has_commanded |= matches!(packet, Packet::Command(_));
            let line = packet.encode();
            let written = match &mut self.input {
                Some(input) => match input.write_all(line.as_bytes()).await {
                    Ok(()) => input.flush().await,
                    Err(error) => Err(error),
                },
                None => Err(std::io::Error::other("the session was closed")),
            };
            written.map_err(|error| self.failed(format!("writing to it: {error}")))?;
        }
        Ok(())
    }

    /// Reads until at least one line has come, or the end.
    async fn read_some(&mut self) -> Result<(), SessionError> {
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            let mut came = false;
            while let Some(packet) = self.lines.next_packet() {
                let packet = packet.map_err(|error| self.failed(error.to_string()))?;
                self.order
                    .received(&packet)
                    .map_err(|error| self.failed(error.to_string()))?;
                came = true;
                match packet {
                    Packet::Data { pipeline, bytes, .. } => self.inbox.push(Incoming::Bytes(pipeline, bytes)),
                    Packet::CloseAck(None) => self.inbox.push(Incoming::Closed),
                    _ => {}
                }
            }
            if came {
                return Ok(());
            }
            if self.has_ended {
                return Err(self.failed("it ended in the middle of the session"));
            }
            let read = self.output.read(&mut buffer).await;
            match read.map_err(|error| self.failed(format!("reading from it: {error}")))? {
                0 => {
                    self.has_ended = true;
                    let status = timeout(Duration::from_secs(2), self.child.wait()).await;
                    let status = status
                        .ok()
                        .and_then(Result::ok)
                        .map_or(String::new(), |status| format!(" with {status}"));
                    return Err(self.failed(format!("it ended{status} in the middle of the session")));
                }
                count => self.lines.receive(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    async fn carry_one(&mut self, transmit: Transmit) -> Result<Vec<Incoming>, SessionError> {
        let closes = matches!(transmit, Transmit::Close { pipeline: None });
        for packet in transmit.into_packets() {
            self.order.send(packet);
        }
        loop {
            self.write_ready().await?;
            if self.order.is_idle() {
                break;
            }
            let patience = self.patience;
            timeout(patience, self.read_some())
                .await
                .map_err(|_| self.failed(format!("no acknowledgement within {} s", patience.as_secs())))??;
        }
        if closes {
            self.input = None;
            if timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
                let _ = self.child.start_kill();
            }
        }
        Ok(std::mem::take(&mut self.inbox))
    }

    async fn receive_some(&mut self, of: Option<Uuid>) -> Result<Vec<Incoming>, SessionError> {
        if self.inbox.is_empty() {
            if of.is_some() {
                self.read_some().await?;
            } else {
                let patience = self.patience;
                timeout(patience, self.read_some())
                    .await
                    .map_err(|_| self.failed(format!("no answer within {} s", patience.as_secs())))??;
            }
            self.write_ready().await?;
        }
        Ok(std::mem::take(&mut self.inbox))
    }
}

impl Transport for Local {
    fn carry(&mut self, transmit: Transmit) -> Coming<'_, Vec<Incoming>> {
        Box::pin(self.carry_one(transmit))
    }

    fn receive(&mut self, of: Option<Uuid>) -> Coming<'_, Vec<Incoming>> {
        Box::pin(self.receive_some(of))
    }

    fn way(&self) -> Option<Way> {
        None
    }

    fn owner(&self) -> Option<&str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs and says nothing.
    fn silent() -> LocalPowerShell {
        let words: &[&str] = if cfg!(windows) {
            &["powershell.exe", "-NoProfile", "-Command", "Start-Sleep 60"]
        } else {
            &["sleep", "60"]
        };
        LocalPowerShell {
            program: words[0].to_owned(),
            arguments: words[1..].iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[tokio::test]
    async fn a_pool_that_never_opens_is_not_waited_for_without_end_and_a_command_is() {
        let mut local = Local::start(&silent()).unwrap();
        local.patience = Duration::from_millis(50);
        let error = local.receive_some(None).await.unwrap_err();
        assert!(error.to_string().contains("no answer within"), "{error}");
        assert_eq!(error.effect(), Effect::None, "no command was sent");

        let command = local.receive_some(Some(Uuid::from_u128(1)));
        assert!(timeout(Duration::from_millis(300), command).await.is_err());
    }
}
