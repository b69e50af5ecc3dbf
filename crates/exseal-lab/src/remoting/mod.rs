//! The server's half of PowerShell remoting behind the lab's doors: HTTP, log-on, sealing, shells, pipelines.
//!
//! What commands do is not decided here: a [`Commands`] runs them, as a rule the world ([`OfWorld`]). The service is the
//! one Windows and Exchange have in front of their PowerShell (facts/powershell-remoting.md 3): one security context a
//! connection, sealed bodies over plain HTTP, a quota of shells a user, long polls, prompts on the client's host.

mod http;
mod log_on;
mod pipeline;
mod shell;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exseal_gss::Keytab;
use tokio_util::sync::CancellationToken;

use crate::call::{Answer, Call, Endpoint, Outcome};
use crate::net::{Arrival, Door, Io, Remoting, lock};
use crate::world::ServerName;
use shell::Shells;

pub use world::OfWorld;

/// Who may come in and what commands do.
pub trait Commands: Send + Sync + 'static {
    /// Runs a pipeline; may take its time, it is called on a thread for that.
    fn run(&self, at: &ServerName, endpoint: Endpoint, user: &str, call: &Call) -> Outcome;

    /// Goes on after a question.
    fn answer(&self, prompt: u64, answer: Answer) -> Outcome;

    /// Whether `user` may open a shell at a door.
    fn may_enter(&self, at: &ServerName, door: Door, user: &str) -> bool;

    /// The user of a name, in whatever case it is written, and the password; `None`: nobody of that name.
    fn account(&self, name: &str) -> Option<(String, String)>;

    /// Whether the settings of a server's PowerShell directory let Basic in at Exchange's door.
    fn takes_basic(&self, _at: &ServerName) -> bool {
        true
    }

    /// Which life of the organisation this is: shells of a former one are gone.
    fn life(&self) -> u64 {
        0
    }

    /// NetBIOS and DNS name of the domain.
    fn domain(&self) -> (String, String);
}

/// How the doors are guarded.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Keys of the servers' principals: with them Kerberos is offered.
    pub keytab: Option<Arc<Keytab>>,
    /// Whether Negotiate (and with it NTLM) is offered at Exchange's door. Exchange itself offers Kerberos alone there;
    /// without a keytab this is how a lab is entered.
    pub negotiate_at_exchange: bool,
    /// Whether Basic is offered over TLS; at Exchange's door the directory's settings have to say so too.
    pub basic: bool,
    /// Whether Basic is offered over plain HTTP.
    pub basic_over_http: bool,
    /// Whether bodies in clear text are taken over plain HTTP (`AllowUnencrypted`).
    pub unencrypted: bool,
    /// Whether sealed bodies have Exchange's space in the boundary at its door.
    pub spaced_boundary: bool,
    /// Shells a user may have at a server at once.
    pub shells: usize,
    /// How long a shell lives without a request.
    pub idle: Duration,
    /// The longest a Receive that finds nothing waits.
    pub poll: Duration,
    /// Bytes of a request's body.
    pub body: usize,
    /// Bytes of output a shell may hold; above it the shell ends.
    pub held: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            keytab: None,
            negotiate_at_exchange: true,
            basic: true,
            basic_over_http: false,
            unencrypted: false,
            spaced_boundary: true,
            shells: 18,
            idle: Duration::from_secs(900),
            poll: Duration::from_secs(60),
            body: 2 << 20,
            held: 64 << 20,
        }
    }
}

/// An open shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenShell {
    /// The server.
    pub server: ServerName,
    /// The door it was opened at.
    pub door: Door,
    /// Whose it is.
    pub user: String,
}

/// The service, for every server of a lab.
pub struct Service {
    commands: Arc<dyn Commands>,
    guard: Guard,
    shells: Shells,
    /// Cancelled when a server restarts: its connections close.
    lives: Mutex<BTreeMap<ServerName, CancellationToken>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// Makes a service without shells.
    #[must_use]
    pub fn new(commands: Arc<dyn Commands>, guard: Guard) -> Arc<Self> {
        Arc::new(Self {
            commands,
            guard,
            shells: Shells::default(),
            lives: Mutex::default(),
        })
    }

    /// The shells that are open now.
    #[must_use]
    pub fn shells(&self) -> Vec<OpenShell> {
        self.shells.purge(self.guard.idle, self.commands.life());
        self.shells.list()
    }

    /// Closes every connection and shell of a server, as a restart does.
    pub fn restart(&self, server: &ServerName) {
        let before = lock(&self.lives).insert(server.clone(), CancellationToken::new());
        self.shells.remove_of(server);
        if let Some(before) = before {
            before.cancel();
        }
    }

    fn life(&self, server: &ServerName) -> CancellationToken {
        lock(&self.lives).entry(server.clone()).or_default().clone()
    }
}

/// A [`Service`] as a door's [`Remoting`].
#[derive(Clone, Debug)]
pub struct Doors(pub Arc<Service>);

impl Remoting for Doors {
    fn serve(&self, io: Box<dyn Io>, arrival: Arrival) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let service = Arc::clone(&self.0);
        Box::pin(async move {
            let life = service.life(&arrival.server);
            tokio::select! {
                () = http::serve(service, io, arrival) => {}
                () = life.cancelled() => {}
            }
        })
    }
}
