//! A live look: every server, every channel that works, side by side.
//!
//! This room brings the adapters together and decides nothing: each channel gives observations, `exseal_engine::merge`
//! makes one inventory of them. A channel that does not answer is a fact with its reason, and the others go on.

mod args;
mod backup;
mod changing;
mod host;
mod machine;
mod maintenance;
mod program;
mod visits;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exseal_exchange::directory::{self, Credentials, Target};
use exseal_exchange::live::{Bounds, Visitor};
use exseal_model::inventory::{Server, ServerName, WayIn};
use exseal_model::{Channel, Inventory, Listing, Look, Observed, Source};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use args::{LiveArgs, WayArgs, roots};
pub(crate) use changing::{Changing, Eye, is_shown};
use host::Host;
pub(crate) use host::is_this_machine;
pub(crate) use machine::{Machine, serial};

use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::Passwords;

/// So many inventories of visits are merged before more are kept.
const HEAP: usize = 64;

/// Everything a look needs.
struct Looking {
    args: LiveArgs,
    context: Context,
    visitor: Visitor,
    directory: Option<(Target, Credentials)>,
    /// This machine, where it is an Exchange server itself.
    here: Option<String>,
    bounds: Bounds,
    /// How long a visit of one server may take.
    visit_time: Duration,
    at: Timestamp,
    refusals: visits::Refusals,
    done: AtomicUsize,
}

/// Who asks, the directory, and this machine where it is an Exchange server.
type Prepared = (Visitor, Option<(Target, Credentials)>, Option<String>);

fn prepare(args: &LiveArgs, passwords: &Passwords) -> Result<Prepared, CommandError> {
    let connect = args.connect()?;
    let people = args.users.log_on(connect.user.as_deref(), passwords)?;
    // The directory is asked by the first: it is one forest's.
    let who = people
        .first()
        .and_then(|first| Some((first.user.as_str(), first.password.as_ref()?)));
    let here = host::this_exchange_server();
    let directory = args.directory(&connect, who, here.is_some())?;
    let accounts = people.iter().map(|person| person.account.clone()).collect();
    let visitor = Visitor::new(connect, accounts).map_err(CommandError::usage)?;
    Ok((visitor, directory, here))
}

/// A real organisation to be changed, and a client's look at it. Both stop at once when `stop` is given.
///
/// # Errors
///
/// A password is missing, or what was typed leads nowhere.
pub(crate) fn to_change(
    args: &LiveArgs,
    passwords: &Passwords,
    context: &Context,
    stop: &CancellationToken,
) -> Result<(Changing, Eye), CommandError> {
    let (visitor, directory, here) = prepare(args, passwords)?;
    let looking = Arc::new(Looking {
        bounds: Bounds {
            // A run has no end of its own: each reading and each call has.
            until: Instant::now() + Duration::from_secs(86_400 * 30),
            stop: stop.clone(),
        },
        visit_time: Duration::from_secs(u64::from(args.deadline)),
        args: args.clone(),
        context: context.clone(),
        visitor,
        directory,
        here,
        at: Timestamp::now(),
        refusals: visits::Refusals::default(),
        done: AtomicUsize::new(0),
    });
    Ok((Changing::new(Arc::clone(&looking)), Eye::new(looking)))
}

/// Looks at the organisation and gives one inventory a channel and server.
///
/// A break by the person (Ctrl-C) or the deadline ends it early: what was seen until then is given, and each channel that
/// was not finished says so.
///
/// # Errors
///
/// Where nothing was named to begin with, a password is missing or refused, or nobody answered at all.
pub(crate) fn look(
    args: &LiveArgs,
    passwords: &Passwords,
    context: &Context,
    at: Timestamp,
) -> Result<Vec<Inventory>, CommandError> {
    let (visitor, directory, here) = prepare(args, passwords)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let looking = Looking {
            bounds: Bounds {
                until: Instant::now() + Duration::from_secs(u64::from(args.deadline)),
                stop: stop.clone(),
            },
            visit_time: Duration::from_secs(u64::from(args.deadline)),
            args: args.clone(),
            context: context.clone(),
            visitor,
            directory,
            here,
            at,
            refusals: visits::Refusals::default(),
            done: AtomicUsize::new(0),
        };
        let saying = context.clone();
        let listening = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                saying.say("stopping: what was seen until now is kept");
                stop.cancel();
            }
        });
        let seen = Arc::new(looking).all().await;
        listening.abort();
        seen
    })
}

impl Looking {
    /// How long one command may take in a run: as long as was asked for, else `usual`.
    fn command_time(&self, usual: Duration) -> Duration {
        self.args
            .command_time
            .map_or(usual, |seconds| Duration::from_secs(u64::from(seconds)))
    }

    /// The bounds of a visit that begins now.
    fn bounds_of_visit(&self) -> Bounds {
        Bounds {
            until: self.bounds.until.min(Instant::now() + self.visit_time),
            stop: self.bounds.stop.clone(),
        }
    }

    async fn all(self: Arc<Self>) -> Result<Vec<Inventory>, CommandError> {
        let mut seen = self.ask_directory().await?;
        if !is_listed(&seen) && self.args.uses(Channel::Exchange) {
            seen.extend(self.ask_for_servers().await?);
        }
        let hosts = self.hosts(&seen);
        if hosts.is_empty() && !is_listed(&seen) {
            return Err(self.nobody(&seen));
        }
        self.keep_wanted(&mut seen);
        seen.extend(Arc::clone(&self).visit_all(hosts.clone()).await);
        seen.extend(self.ask_organisation(&hosts, &seen).await);
        // One channel that answered is enough: what the others lack is said with its reason.
        seen.extend(self.ask_names(&seen).await);
        if !seen.iter().any(has_answer) {
            return Err(self.nobody(&seen));
        }
        Ok(seen)
    }

    /// What the directory shows, and that it was asked. A password that it refuses ends everything: another forty servers
    /// asked with it would lock the account.
    async fn ask_directory(&self) -> Result<Vec<Inventory>, CommandError> {
        let Some((target, credentials)) = &self.directory else {
            return Ok(Vec::new());
        };
        self.tell(&format!("{}: reading …", target.url()));
        let mut limits = directory::Limits::default();
        limits.deadline = limits
            .deadline
            .min(self.bounds.until.saturating_duration_since(Instant::now()));
        let answer = tokio::select! {
            answer = directory::look(target, credentials, &limits, self.at) => answer,
            () = self.bounds.stop.cancelled() => return Ok(Vec::new()),
        };
        match answer {
            Ok(looked) => {
                let (servers, count) = (looked.inventory.servers.len(), looked.objects);
                tracing::info!(servers, count, "Read directory");
                for referral in &looked.referrals {
                    tracing::debug!(referral, "A referral is not followed");
                }
                let way = way_in(None, Channel::Directory, &target.url(), (true, None), self.at);
                Ok(vec![looked.inventory, way])
            }
            Err(error)
                if self.only_the_directory()
                    || matches!(error, directory::DirectoryError::Credentials { .. }) =>
            {
                Err(CommandError::of_directory(&error))
            }
            Err(error) => {
                self.tell(&error.to_string());
                let why = error.to_string();
                let told = (false, Some(why.as_str()));
                Ok(vec![way_in(
                    None,
                    Channel::Directory,
                    &target.url(),
                    told,
                    self.at,
                )])
            }
        }
    }

    fn only_the_directory(&self) -> bool {
        self.args.channel == [Channel::Directory]
    }

    /// The servers to visit: those that were found, else those that were named.
    fn hosts(&self, seen: &[Inventory]) -> Vec<Host> {
        let merged = exseal_engine::merge(seen.iter().cloned());
        let mut hosts: Vec<Host> = merged
            .servers
            .iter()
            .filter(|server| self.is_wanted(server))
            .filter_map(|server| Host::of(server, self.visitor.connect()))
            .collect();
        if hosts.is_empty() && !is_listed(seen) {
            let named = self.named();
            hosts = named
                .iter()
                .map(|name| Host::named(name, self.visitor.connect()))
                .collect();
            hosts.retain(|host| self.is_wanted(&Server::new(ServerName::Known(host.full.clone()))));
        }
        hosts
    }

    /// Servers that were named to begin with.
    fn named(&self) -> Vec<String> {
        let mut named = self.args.server.clone();
        if named.is_empty() {
            named.extend(self.visitor.connect().servers().map(str::to_owned));
        }
        if named.is_empty() {
            named.extend(self.here.clone());
        }
        if named.is_empty() {
            named.clone_from(&self.args.only);
        }
        named
    }

    /// Visits the servers, some at a time.
    async fn visit_all(self: Arc<Self>, hosts: Vec<Host>) -> Vec<Inventory> {
        let places = Arc::new(Semaphore::new(self.args.parallel.get()));
        let count = hosts.len();
        let mut visits = JoinSet::new();
        for host in hosts {
            let (places, own) = (Arc::clone(&places), Arc::clone(&self));
            visits.spawn(async move {
                let Ok(_place) = places.acquire_owned().await else {
                    return Vec::new();
                };
                let seen = own.visit(&host).await;
                own.tell_of(&host, &seen, count);
                seen
            });
        }
        let mut seen = Vec::new();
        let mut heap = Vec::new();
        while let Some(visited) = visits.join_next().await {
            match visited {
                Ok(inventories) => heap.extend(inventories),
                Err(error) => tracing::warn!(%error, "A visit ended by itself"),
            }
            // What servers and channels have in common is kept once: two hundred servers fit into little memory.
            if heap.len() >= HEAP {
                seen.push(exseal_engine::merge(std::mem::take(&mut heap)));
            }
        }
        seen.append(&mut heap);
        seen
    }

    /// Whether a server is to be looked at.
    fn is_wanted(&self, server: &Server) -> bool {
        let called = |asked: &String| server.is_called(asked);
        (self.args.only.is_empty() || self.args.only.iter().any(called))
            && !self.args.except.iter().any(called)
    }

    /// Leaves out the servers nobody asked about, in what was found of all.
    fn keep_wanted(&self, seen: &mut [Inventory]) {
        for inventory in seen {
            inventory.servers.retain(|server| self.is_wanted(server));
        }
    }

    /// How far it is, where a person watches.
    fn tell(&self, line: &str) {
        if self.context.progress {
            self.context.say(line);
        }
    }

    fn tell_of(&self, host: &Host, seen: &[Inventory], count: usize) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let ways: Vec<String> = seen
            .iter()
            .flat_map(|inventory| &inventory.servers)
            .flat_map(|server| &server.ways_in)
            .map(|way| match way.why.value() {
                None => channel_name(way.channel).to_owned(),
                Some(why) => format!("{} ({why})", channel_name(way.channel)),
            })
            .collect();
        tracing::info!(server = host.full, ways = ways.join(", "), "Visit server");
        self.tell(&format!("{done}/{count} {}: {}", host.full, ways.join(", ")));
    }

    /// The error where nobody answered, with every reason there is.
    fn nobody(&self, seen: &[Inventory]) -> CommandError {
        let mut reasons: Vec<String> = Vec::new();
        for inventory in seen {
            for way in &inventory.organisation.ways_in {
                reasons.extend(way.why.value().cloned());
            }
            for server in &inventory.servers {
                for way in &server.ways_in {
                    let why = way.why.value().map_or("", String::as_str);
                    reasons.push(format!("{}: {}: {why}", server.name, channel_name(way.channel)));
                }
            }
        }
        if reasons.is_empty() {
            return CommandError::usage("expected something to begin with").hint(
                "name a domain controller with --directory ldaps://NAME, or a server with --server NAME",
            );
        }
        reasons.sort();
        reasons.dedup();
        reasons.truncate(12);
        CommandError::fixable(format!("nobody answered\n{}", reasons.join("\n")))
            .hint("docs/live.md says which ways in there are and what each needs")
    }
}

/// Whether some channel listed servers.
fn is_listed(seen: &[Inventory]) -> bool {
    seen.iter()
        .any(|inventory| inventory.servers.iter().any(|server| !server.by.is_empty()))
}

/// Whether a channel answered.
fn has_answer(inventory: &Inventory) -> bool {
    let open = |ways: &Listing<WayIn>| ways.iter().any(|way| way.open.value() == Some(&true));
    open(&inventory.organisation.ways_in) || inventory.servers.iter().any(|server| open(&server.ways_in))
}

/// A channel in the words of the glossary.
pub(crate) const fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Wire => "wire",
        Channel::Server => "server",
        Channel::Exchange => "exchange",
        Channel::Directory => "directory",
        Channel::Tool => "tool",
        Channel::Person => "person",
    }
}

/// The fact that a channel answered or did not, of a server or of the organisation. `why`: what it did not do.
fn way_in(
    server: Option<&ServerName>,
    channel: Channel,
    address: &str,
    (open, why): (bool, Option<&str>),
    at: Timestamp,
) -> Inventory {
    let mut inventory = Inventory::default();
    let source = inventory.add_source(Source {
        channel,
        what: "way in".to_owned(),
        file: Some(address.to_owned()),
        at: Some(at),
        unrecorded: false,
    });
    let listing = match server {
        Some(name) => &mut inventory.server_mut(name).ways_in,
        None => &mut inventory.organisation.ways_in,
    };
    let mut way = WayIn::new(channel);
    way.by = vec![source];
    way.open = Observed::seen(open, source);
    way.why = Observed::looked(why.map(str::to_owned), source);
    *listing = Listing {
        looks: vec![Look {
            source,
            complete: false,
        }],
        items: vec![way],
        ..Listing::default()
    };
    inventory
}
