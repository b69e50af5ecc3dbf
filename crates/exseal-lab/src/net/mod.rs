//! Real sockets: every server of a world listens, each on its own loopback address, and presents at every connection
//! what [`World`] says at that moment.
//!
//! [`Running::start`] opens, [`Running::addresses`] tells where, [`Running::stop`] (or dropping it) closes everything.
//! What changes in the world shows by itself: a certificate at the next connection, a service that stops or starts at
//! the next look of the keeper (a fraction of a second), or at once after [`Running::refresh`].

mod backend;
mod balancer;
mod dialogue;
mod entry;
mod io;
mod ldap;
mod mail;
mod options;
mod place;
mod smtp;
mod tls;
mod web;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

pub use exseal_gss::Keytab;
pub use io::{Arrival, Door, Io, Remoting};
pub use options::{Limits, Options, Ports, StartError, WORDS};
pub use place::{Address, Side};
pub use smtp::Message;

use crate::world::{Listener, ServerName, World};
use place::{Key, Kind};

/// A lab that listens. Dropping it closes every socket and connection.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

pub(crate) struct Shared {
    world: Arc<Mutex<World>>,
    limits: Limits,
    ports: Ports,
    places: BTreeMap<(ServerName, Side), std::net::IpAddr>,
    /// Where each port was bound first; a port that opens again opens there.
    known: Mutex<BTreeMap<Key, SocketAddr>>,
    open: Mutex<BTreeMap<Key, JoinHandle<()>>>,
    connections: Arc<Semaphore>,
    configs: tls::Configs,
    client: Arc<rustls::ClientConfig>,
    sessions: Mutex<std::collections::VecDeque<(String, String)>>,
    sink: Mutex<std::collections::VecDeque<(ServerName, Message)>>,
    remoting: Option<Arc<dyn Remoting>>,
    keytab: Option<Arc<exseal_gss::Keytab>>,
    /// Which server has the balancer's next connection.
    turn: std::sync::atomic::AtomicUsize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    /// Opens every port of every server; the world stays shared with whoever else holds it.
    ///
    /// Needs a tokio runtime with time and IO. Every open port is a file descriptor: a mailbox server takes about 15.
    ///
    /// # Errors
    ///
    /// [`StartError`]: an address beyond loopback without the words, standard ports beside an installed Exchange, more
    /// servers than addresses, or a port the system refuses.
    pub fn start(world: Arc<Mutex<World>>, options: Options) -> Result<Self, StartError> {
        let places = options.places(&lock(&world))?;
        let shared = Arc::new(Shared {
            world,
            limits: options.limits,
            ports: options.ports,
            places,
            known: Mutex::default(),
            open: Mutex::default(),
            connections: Arc::new(Semaphore::new(options.limits.connections)),
            configs: tls::Configs::default(),
            client: tls::client(),
            sessions: Mutex::default(),
            sink: Mutex::default(),
            remoting: options.remoting,
            keytab: options.keytab,
            turn: std::sync::atomic::AtomicUsize::new(0),
        });
        if let Err(error) = shared.reconcile() {
            shared.close();
            return Err(error);
        }
        let keeper = tokio::spawn(keep(Arc::downgrade(&shared)));
        Ok(Self { shared, keeper })
    }

    /// Where the servers listen now, by server, side and port. Not to be asked while the world is held: whoever opens
    /// ports looks at it.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let open = lock(&self.shared.open);
        lock(&self.shared.known)
            .iter()
            .filter(|(key, _)| open.contains_key(key))
            .map(|(key, socket)| Address {
                server: key.server.clone(),
                side: key.side,
                port: key.port,
                socket: *socket,
            })
            .collect()
    }

    /// The address every server has for others, whether a port of it is open or none.
    #[must_use]
    pub fn places(&self) -> BTreeMap<ServerName, std::net::IpAddr> {
        self.shared
            .places
            .iter()
            .filter(|((_, side), _)| *side == Side::Outside)
            .map(|((name, _), address)| (name.clone(), *address))
            .collect()
    }

    /// Where a server's port is; `None` while nothing listens there.
    #[must_use]
    pub fn address(&self, server: &str, side: Side, port: u16) -> Option<SocketAddr> {
        let key = Key {
            server: ServerName::new(server),
            side,
            port,
        };
        let is_open = lock(&self.shared.open).contains_key(&key);
        lock(&self.shared.known).get(&key).copied().filter(|_| is_open)
    }

    /// The world behind the sockets.
    #[must_use]
    pub fn world(&self) -> Arc<Mutex<World>> {
        Arc::clone(&self.shared.world)
    }

    /// The mail a server took, oldest first; the oldest of all servers go when too much is kept.
    #[must_use]
    pub fn messages(&self, server: &str) -> Vec<Message> {
        let server = ServerName::new(server);
        lock(&self.shared.sink)
            .iter()
            .filter(|(at, _)| *at == server)
            .map(|(_, message)| message.clone())
            .collect()
    }

    /// Opens and closes ports as the world has them now, without waiting for the keeper.
    ///
    /// # Errors
    ///
    /// [`StartError::Listen`] when a port cannot be bound; the keeper goes on trying.
    pub fn refresh(&self) -> Result<(), StartError> {
        self.shared.reconcile()
    }

    /// Closes everything and waits until it is closed.
    pub async fn stop(self) {
        self.keeper.abort();
        let handles = self.shared.close();
        for handle in handles {
            let _ = handle.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shared.close();
    }
}

async fn keep(shared: std::sync::Weak<Shared>) {
    loop {
        let pause = {
            let Some(shared) = shared.upgrade() else { return };
            let began = Instant::now();
            if let Err(error) = shared.reconcile() {
                tracing::warn!(%error, "a port of the lab stays closed");
            }
            // Never more than a twentieth of a core, however many servers.
            (began.elapsed() * 20).max(Duration::from_millis(200))
        };
        tokio::time::sleep(pause).await;
    }
}

impl Shared {
    fn close(&self) -> Vec<JoinHandle<()>> {
        let handles: Vec<_> = std::mem::take(&mut *lock(&self.open)).into_values().collect();
        for handle in &handles {
            handle.abort();
        }
        handles
    }

    /// Binds what the world opens, and closes what it closes.
    fn reconcile(self: &Arc<Self>) -> Result<(), StartError> {
        let mut open = lock(&self.open);
        let mut wanted = std::collections::BTreeSet::new();
        for (server, side) in self.places.keys() {
            for port in lock(&self.world).open_ports(server) {
                if *side == Side::Outside || matches!(port, 80 | 81 | 443 | 444) {
                    wanted.insert(Key {
                        server: server.clone(),
                        side: *side,
                        port,
                    });
                }
            }
        }
        open.retain(|key, handle| {
            let stays = wanted.contains(key) && !handle.is_finished();
            if !stays {
                handle.abort();
            }
            stays
        });
        let mut failed = None;
        for key in wanted {
            if open.contains_key(&key) {
                continue;
            }
            match self.bind(&key) {
                Ok(listener) => {
                    open.insert(key.clone(), tokio::spawn(listen(Arc::clone(self), key, listener)));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn bind(&self, key: &Key) -> Result<tokio::net::TcpListener, StartError> {
        let mut known = lock(&self.known);
        let socket = known.get(key).copied().unwrap_or_else(|| {
            let ip = self
                .places
                .get(&(key.server.clone(), key.side))
                .copied()
                .unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
            // One map of ports stands for both sides of a server, where each has an address of its own.
            let outside = known
                .get(&Key {
                    side: Side::Outside,
                    ..key.clone()
                })
                .filter(|outside| outside.ip() != ip)
                .map(SocketAddr::port);
            let port = match self.ports {
                Ports::Standard => key.port,
                Ports::Mapped => outside.unwrap_or(0),
            };
            SocketAddr::new(ip, port)
        });
        let refused = |source| StartError::Listen {
            server: key.server.to_string(),
            port: key.port,
            socket,
            source,
        };
        let listener = std::net::TcpListener::bind(socket)
            .or_else(|error| {
                // The outside's port may be somebody else's at the server's own 127.0.0.1; another one will do.
                let taken = error.kind() == std::io::ErrorKind::AddrInUse && self.ports == Ports::Mapped;
                if taken && !known.contains_key(key) {
                    std::net::TcpListener::bind(SocketAddr::new(socket.ip(), 0))
                } else {
                    Err(error)
                }
            })
            .map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        known.insert(key.clone(), listener.local_addr().map_err(refused)?);
        tokio::net::TcpListener::from_std(listener).map_err(refused)
    }

    fn kind(&self, key: &Key) -> Option<Kind> {
        let world = lock(&self.world);
        if let Some(controller) = world.controller(&key.server) {
            return controller
                .reachable
                .then_some(Kind::Ldap { tls: key.port == 636 });
        }
        if world.balancer().as_ref() == Some(&key.server) {
            return Some(Kind::Balancer);
        }
        let server = world.server(key.server.as_str())?;
        world
            .open_ports(&key.server)
            .contains(&key.port)
            .then(|| place::kind(server, key.port))
    }

    pub(crate) fn socket(&self, server: &ServerName, side: Side, port: u16) -> Option<SocketAddr> {
        lock(&self.known)
            .get(&Key {
                server: server.clone(),
                side,
                port,
            })
            .copied()
    }
}

async fn listen(shared: Arc<Shared>, key: Key, listener: tokio::net::TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    let permit = Arc::clone(&shared.connections).try_acquire_owned();
                    let (Some(kind), Ok(permit)) = (shared.kind(&key), permit) else {
                        let _ = tcp.set_zero_linger();
                        continue;
                    };
                    if connections.len() >= shared.limits.connections_per_port {
                        let _ = tcp.set_zero_linger();
                        continue;
                    }
                    let (shared, key) = (Arc::clone(&shared), key.clone());
                    connections.spawn(async move {
                        let whole = shared.limits.connection;
                        let served = tokio::time::timeout(whole, serve(&shared, &key, kind, tcp)).await;
                        if let Ok(Err(error)) = served {
                            tracing::debug!(server = %key.server, port = key.port, %error, "connection ended");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(server = %key.server, port = key.port, %error, "accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve(shared: &Arc<Shared>, key: &Key, kind: Kind, tcp: TcpStream) -> std::io::Result<()> {
    let _ = tcp.set_nodelay(true);
    let io: Box<dyn Io> = Box::new(tcp);
    let web = |sni| Listener::HttpsPort {
        ip: match key.side {
            Side::Outside => shared
                .places
                .get(&(key.server.clone(), Side::Outside))
                .copied()
                .unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()),
            Side::OwnLoopback => std::net::Ipv4Addr::LOCALHOST.into(),
        },
        port: key.port,
        sni,
    };
    match kind {
        Kind::Balancer => balancer::serve(shared, key, io).await,
        Kind::Web { back_end, tls: true } => {
            let (io, leaf) = tls::accept(shared, key, io, web).await?;
            web::serve(shared, key, io, Some(leaf), back_end).await
        }
        Kind::Web { back_end, tls: false } => web::serve(shared, key, io, None, back_end).await,
        Kind::Smtp => smtp::serve(shared, key, io).await,
        Kind::Pop { implicit: true } => {
            let (io, _) = tls::accept(shared, key, io, |_| Listener::Pop).await?;
            mail::pop(shared, key, io, true).await
        }
        Kind::Pop { implicit: false } => mail::pop(shared, key, io, false).await,
        Kind::Imap { implicit: true } => {
            let (io, _) = tls::accept(shared, key, io, |_| Listener::Imap).await?;
            mail::imap(shared, key, io, true).await
        }
        Kind::Imap { implicit: false } => mail::imap(shared, key, io, false).await,
        Kind::Adam { tls } => {
            let io = if tls {
                tls::accept(shared, key, io, |_| Listener::Adam).await?.0
            } else {
                io
            };
            dialogue::drain(io, shared.limits.idle).await
        }
        Kind::WinRm { tls } => {
            let (io, leaf) = if tls {
                let (io, leaf) = tls::accept(shared, key, io, |_| Listener::WinRm).await?;
                (io, Some(leaf))
            } else {
                (io, None)
            };
            web::windows(shared, key, io, leaf).await
        }
        Kind::Ldap { tls } => {
            let (io, leaf) = if tls {
                let (io, leaf) = tls::accept(shared, key, io, |_| Listener::Ldaps).await?;
                (io, Some(leaf))
            } else {
                (io, None)
            };
            ldap::serve(shared, key, io, leaf).await
        }
    }
}
