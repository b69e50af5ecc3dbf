//! The control socket's side.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::order::{Order, perform};
use super::registry::Entry;
use super::{ControlError, Envelope, ORDER_LEN, Reply};
use crate::net::lock;
use crate::world::World;

/// Orders at a time; the next connection waits.
const AT_A_TIME: usize = 8;

/// The control socket of a lab. Dropping it takes the lab off the list.
#[derive(Debug)]
pub struct Control {
    folder: PathBuf,
    entry: Entry,
    task: Option<JoinHandle<()>>,
    listener: Option<TcpListener>,
    stop: watch::Sender<bool>,
}

impl Control {
    /// Opens the socket and puts the lab on the list; [`serve`](Self::serve) begins to answer.
    ///
    /// Needs a tokio runtime with time and IO. A name that a running lab has gets a number.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: the socket, or the user's folder.
    pub async fn open(name: &str, what: &str) -> Result<Self, ControlError> {
        Self::open_in(super::registry::folder()?, name, what).await
    }

    async fn open_in(folder: PathBuf, name: &str, what: &str) -> Result<Self, ControlError> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .map_err(ControlError::Socket)?;
        let mut token = [0; 32];
        aws_lc_rs::rand::fill(&mut token)
            .map_err(|_| ControlError::Socket(std::io::Error::other("no randomness")))?;
        let name: String = name
            .chars()
            .map(|own| if own.is_ascii_alphanumeric() { own } else { '-' })
            .take(60)
            .collect();
        let entry = Entry {
            name,
            what: what.to_owned(),
            process: std::process::id(),
            control: listener.local_addr().map_err(ControlError::Socket)?,
            token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
            block: 83,
            connect_file: None,
        };
        let (stop, _) = watch::channel(false);
        Ok(Self {
            entry: entry.register(&folder)?,
            folder,
            task: None,
            listener: Some(listener),
            stop,
        })
    }

    /// The lab as it is on the list.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Notes which connect.toml the lab wrote.
    ///
    /// # Errors
    ///
    /// [`ControlError::Folder`].
    pub fn wrote(&mut self, connect_file: PathBuf) -> Result<(), ControlError> {
        self.entry.connect_file = Some(connect_file);
        self.entry.update(&self.folder)
    }

    /// Answers orders for a world from now on.
    pub fn serve(&mut self, world: Arc<Mutex<World>>) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let (token, stop) = (self.entry.token.clone(), self.stop.clone());
        self.task = Some(tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(AT_A_TIME));
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let (world, token, stop) = (Arc::clone(&world), token.clone(), stop.clone());
                tokio::spawn(async move {
                    if let Err(error) = one(stream, &token, world, &stop).await {
                        tracing::debug!(%error, "an order broke off");
                    }
                    drop(place);
                });
            }
        }));
    }

    /// Waits until somebody orders the lab to stop.
    pub async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as this.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.entry.remove(&self.folder);
    }
}

async fn one(
    stream: TcpStream,
    token: &str,
    world: Arc<Mutex<World>>,
    stop: &watch::Sender<bool>,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut read = BufReader::new(read.take(ORDER_LEN));
    tokio::time::timeout(Duration::from_secs(10), read.read_until(b'\n', &mut line)).await??;
    let envelope = match serde_json::from_slice::<Envelope>(&line) {
        // Somebody who looks whether the lab lives says nothing.
        Err(_) if line.is_empty() => return Ok(()),
        Err(error) => Err(format!("expected an order as JSON, {error}")),
        Ok(envelope) => Ok(envelope),
    };
    let mut ends = false;
    let reply = match envelope {
        Err(why) => Reply::Refused(why),
        Ok(envelope) if !same(envelope.token.as_bytes(), token.as_bytes()) => {
            Reply::Refused("expected the token of this lab, found another".to_owned())
        }
        Ok(envelope) => {
            ends = envelope.order == Order::Stop;
            // Years of a large organisation take seconds.
            let done =
                tokio::task::spawn_blocking(move || perform(&mut lock(&world), &envelope.order)).await?;
            match done {
                Ok(value) => Reply::Done(value),
                Err(why) => Reply::Refused(why),
            }
        }
    };
    let mut answer = serde_json::to_vec(&reply)?;
    answer.push(b'\n');
    let sent = tokio::time::timeout(Duration::from_secs(60), async {
        write.write_all(&answer).await?;
        write.shutdown().await
    })
    .await;
    if ends {
        stop.send_replace(true);
    }
    sent?
}

/// Compares without telling where they differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left, right).is_ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::organisation::Organisation;

    fn lab(folder: &std::path::Path, name: &str) -> (tokio::runtime::Runtime, Control) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let organisation = Organisation::of_servers("contoso.lab", ["EX1"]);
        let now = "2026-11-24T09:00:00Z".parse().expect("a time");
        let world = World::new(&organisation, now, 1).expect("a world");
        let control = runtime.block_on(async {
            let mut control = Control::open_in(folder.to_owned(), name, "a test")
                .await
                .expect("a control socket");
            control.serve(Arc::new(Mutex::new(world)));
            control
        });
        (runtime, control)
    }

    fn listed(folder: &std::path::Path) -> Vec<Entry> {
        super::super::registry::running_in(folder).expect("a list")
    }

    #[test]
    fn an_order_without_the_token_is_refused_and_with_it_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_runtime, control) = lab(folder.path(), "token");
        let mut wrong = control.entry().clone();
        wrong.token = "0".repeat(64);

        let refused = super::super::ask(&wrong, &Order::Dump).expect_err("a refusal");
        let dump = super::super::ask(control.entry(), &Order::Dump).expect("a dump");

        assert!(matches!(refused, ControlError::Refused(_)), "{refused}");
        assert_eq!(dump["domain"], "contoso.lab");
        assert!(!format!("{control:?}").contains(&control.entry().token));
    }

    #[test]
    fn garbage_and_endless_lines_do_not_take_it_down() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_runtime, control) = lab(folder.path(), "garbage");
        for garbage in [b"\0\xff garbage\n".to_vec(), vec![b'{'; 200_000]] {
            let mut stream = std::net::TcpStream::connect(control.entry().control).expect("a connection");
            // It may be closed before all is written.
            let _ = stream.write_all(&garbage);
            let mut said = String::new();
            let _ = stream.read_to_string(&mut said);
            assert!(!said.contains("done"), "{said}");
        }
        super::super::ask(control.entry(), &Order::Faults).expect("a reply");
    }

    #[test]
    fn a_lab_that_was_told_to_stop_says_so_and_leaves_the_list() {
        let folder = tempfile::tempdir().expect("a folder");
        let (runtime, control) = lab(folder.path(), "stop");
        let entry = control.entry().clone();

        super::super::ask(&entry, &Order::Stop).expect("a reply");
        runtime.block_on(control.stopped());
        assert!(listed(folder.path()).contains(&entry));
        drop(control);

        assert!(!listed(folder.path()).contains(&entry));
    }

    #[test]
    fn two_labs_of_one_name_have_names_and_addresses_of_their_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_one, first) = lab(folder.path(), "twice");
        let (_two, second) = lab(folder.path(), "twice");

        assert_ne!(first.entry().name, second.entry().name);
        assert_ne!(first.entry().block, second.entry().block);
    }
}
