//! `exseal session`: the administrator's own proof that a way in works.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use exseal_exchange::connect::{self, Connect};
use exseal_exchange::console::{self, Told, Typed};
use exseal_exchange::live::{Bounds, Door, Visit, Visitor, doubtful_account};
use exseal_exchange::session::{Allowed, Effect, LocalPowerShell, Session, SessionError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{Passwords, Users};
use crate::view::session::{Checked, Executed, Way, table};

/// Open a session with a server's PowerShell: run one cmdlet, or say which ways in work
#[derive(Args, Debug)]
pub(crate) struct SessionArgs {
    #[command(subcommand)]
    command: SessionCommand,
}

#[derive(Subcommand, Debug)]
enum SessionCommand {
    Exec(ExecArgs),
    Check(CheckArgs),
}

/// Run one cmdlet on a server and print its objects
///
/// Only Get- and Test- cmdlets, unless --allow-changes is given. Words behind -- are the cmdlet and its parameters; they are values,
/// never script text. Several words behind a parameter make a list. A parameter that takes a secret stands without a value and is
/// asked for.
///
/// Exit codes: 0 the cmdlet completed, 1 it failed, wrote an error or could not be run, 2 command line.
#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    way: WayArgs,

    /// The way in: exchange (its own shell), server (WinRM), local (a PowerShell on this machine)
    #[arg(long, value_enum, default_value = "exchange", hide_possible_values = true)]
    channel: By,

    /// Also run a cmdlet that may change something
    #[arg(long)]
    allow_changes: bool,

    /// Print everything as JSON (docs/schema/session-exec.json)
    #[arg(long)]
    json: bool,

    /// The cmdlet and its parameters
    #[arg(last = true, required = true, value_name = "CMDLET", num_args = 1.., allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Say of each way into a server whether it works, as whom, how it is protected, and what is missing
///
/// Exit codes: 0 at least one way in is open, 1 none is, 2 command line.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    way: WayArgs,

    /// Look at these ways in only: exchange, server, local
    #[arg(long, value_enum, num_args = 1.., hide_possible_values = true)]
    channel: Vec<By>,

    /// Print everything as JSON (docs/schema/session-check.json)
    #[arg(long)]
    json: bool,
}

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Exchange,
    Server,
    Local,
}

impl By {
    const fn word(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Server => "server",
            Self::Local => "local",
        }
    }
}

/// Where to go and as whom.
#[derive(Args, Debug)]
struct WayArgs {
    /// The server, by its full name
    #[arg(long, value_name = "HOST")]
    server: Option<String>,

    #[command(flatten)]
    users: Users,

    #[command(flatten)]
    passwords: Passwords,

    /// Where names and ports lead, whom to trust and as whom to log on: a connect.toml
    #[arg(long, value_name = "FILE")]
    connect: Option<PathBuf>,

    /// Go over TLS (443, 5986) instead of sealing every body over plain HTTP
    #[arg(long)]
    https: bool,

    /// Trust these roots (PEM) besides the system's
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,

    /// Trust the one certificate with this SHA-256, whatever its names and issuer
    #[arg(long, value_name = "SHA256", conflicts_with = "roots")]
    pin: Option<String>,

    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    deadline: u32,
}

/// A way in that is ready to be gone.
struct Ways {
    visitor: Visitor,
    /// The server's full name; none: this machine.
    host: Option<String>,
}

impl WayArgs {
    /// `is_remote`: whether some way leads over the network, where somebody has to log on.
    fn ways(&self, is_remote: bool) -> Result<Ways, CommandError> {
        let mut connect = match &self.connect {
            None => Connect::default(),
            Some(path) => Connect::read(path).map_err(|error| CommandError::of_connect(path, &error))?,
        };
        if let Some(path) = &self.roots {
            let roots = crate::live::roots(path)?;
            connect.roots.extend(roots.into_iter().map(|root| root.to_vec()));
        }
        if let Some(text) = &self.pin {
            let pin = connect::pin(text).map_err(|error| {
                CommandError::usage(format!("--pin: {error}"))
                    .hint("openssl x509 -noout -fingerprint -sha256 -in certificate.pem prints it")
            })?;
            connect.pin = Some(pin);
        }
        connect.https |= self.https;
        let host = self
            .server
            .as_deref()
            .map(|name| connect.server(name).unwrap_or(name).to_owned());
        let people = if is_remote {
            self.users.log_on(connect.user.as_deref(), &self.passwords)?
        } else {
            Vec::new()
        };
        let accounts = people.into_iter().map(|person| person.account).collect();
        let visitor = Visitor::new(connect, accounts).map_err(CommandError::usage)?;
        Ok(Ways { visitor, host })
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            until: Instant::now() + Duration::from_secs(u64::from(self.deadline)),
            stop: CancellationToken::new(),
        }
    }
}

impl Ways {
    fn address(&self, by: By) -> String {
        let host = self.host.as_deref().unwrap_or_default();
        match by {
            By::Exchange => self.visitor.endpoint(Door::Exchange, host).url(),
            By::Server => self.visitor.endpoint(Door::Server, host).url(),
            By::Local => LocalPowerShell::default().program,
        }
    }

    /// What is said of a way that did not open.
    fn shut(&self, by: By, error: &SessionError) -> CommandError {
        let shown = CommandError::of_session(&self.address(by), error);
        let host = self.host.as_deref().unwrap_or_default();
        let doubt = (by == By::Exchange)
            .then(|| doubtful_account(&self.visitor.endpoint(Door::Exchange, host)))
            .flatten();
        match doubt {
            Some(doubt) if !error.is_refusal() => shown.hint(doubt),
            _ => shown,
        }
    }

    async fn open(&self, by: By) -> Result<Session, SessionError> {
        let host = self.host.as_deref().unwrap_or_default();
        match by {
            By::Exchange => Session::open(self.visitor.endpoint(Door::Exchange, host)).await,
            By::Server => Session::open(self.visitor.endpoint(Door::Server, host)).await,
            By::Local => Session::local(&LocalPowerShell::default()).await,
        }
    }
}

pub(crate) fn run(context: &Context, args: &SessionArgs) -> Result<Outcome, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match &args.command {
        SessionCommand::Exec(args) => runtime.block_on(exec(context, args)),
        SessionCommand::Check(args) => runtime.block_on(check(context, args)),
    }
}

/// Says what a deadline or a break cut short.
async fn within<T>(
    bounds: &Bounds,
    work: impl Future<Output = Result<T, SessionError>>,
    seconds: u32,
) -> Result<T, SessionError> {
    tokio::select! {
        done = work => done,
        () = tokio::time::sleep_until(bounds.until) => Err(SessionError::NoAnswer {
            action: "opening a session",
            after: Duration::from_secs(u64::from(seconds)),
        }),
        () = bounds.stop.cancelled() => Err(SessionError::Stopped),
    }
}

/// Ctrl-C stops what runs; it is told to the server.
fn stop_on_break(context: &Context, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let (context, stop) = (context.clone(), stop.clone());
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            context.say("stopping …");
            stop.cancel();
        }
    })
}

async fn exec(context: &Context, args: &ExecArgs) -> Result<Outcome, CommandError> {
    let mut typed = Typed::parse(&args.words).map_err(|error| {
        CommandError::usage(error.to_string())
            .hint("exseal session exec --server ex1.example.org -- Get-ExchangeCertificate -Thumbprint 0123…")
    })?;
    if !typed.is_looking() && !args.allow_changes {
        return Err(CommandError::usage(format!(
            "{} may change something: expected a Get- or Test- cmdlet",
            typed.name()
        ))
        .hint("--allow-changes runs it all the same; a plan of exseal can be taken back, this cannot"));
    }
    if args.channel != By::Local && args.way.server.is_none() {
        return Err(CommandError::usage("expected the server, found none")
            .hint("name it with --server, or use --channel local on the server itself"));
    }
    let ways = args.way.ways(args.channel != By::Local)?;
    let asked = ways
        .host
        .clone()
        .filter(|host| args.channel == By::Exchange && typed.of_server(host));
    let secrets = typed
        .secrets()
        .iter()
        .map(|what| args.way.passwords.further(what))
        .collect::<Result<Vec<_>, _>>()?;
    let name = typed.name().to_owned();
    let Some(given) = typed.with(secrets) else {
        return Err(CommandError::usage(
            "expected a secret for each parameter that takes one",
        ));
    };
    let bounds = args.way.bounds();
    let listening = stop_on_break(context, &bounds.stop);
    let address = ways.address(args.channel);
    if context.progress {
        context.say(&format!("{address}: {name} …"));
    }
    let opening = ways.open(args.channel);
    let mut session = within(&bounds, opening, args.way.deadline)
        .await
        .map_err(|error| ways.shut(args.channel, &error))?;
    if args.channel == By::Local {
        console::add_snap_in(&mut session).await;
    }
    let mut executed = Executed::new(args.channel.word(), &address, &name, Way::of(&session));
    let allowed = Allowed {
        time: Some(bounds.until.saturating_duration_since(Instant::now())),
        cancel: bounds.stop.clone(),
        ..Allowed::default()
    };
    let ended = console::run(&mut session, &given, asked.as_deref(), &allowed, |told| {
        if let Told::Progress(words) = &told
            && context.progress
        {
            context.say(words);
        }
        if let Some(words) = executed.take(told)
            && !args.json
        {
            context.say(&words);
        }
    })
    .await;
    // What ended is said before anything else can go wrong.
    let failed = ended.err().map(|error| {
        executed.failed(&error);
        let unknown = error.effect() == Effect::Unknown && args.allow_changes;
        (CommandError::of_session(&address, &error), unknown)
    });
    if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(10), session.close()).await {
        tracing::debug!(%error, "The server could not be told that the session ended");
    }
    listening.abort();
    if args.json {
        print_json(&executed)?;
    } else {
        print(context, &table(&executed, context))?;
    }
    match failed {
        Some((error, true)) => Err(error.hint(format!(
            "whether {name} had its effect is not known: look before you run it again"
        ))),
        Some((error, false)) => Err(error),
        None if executed.errors.is_empty() => Ok(Outcome::Done),
        None => Err(CommandError::fixable(format!(
            "{name} completed with {} error{}",
            executed.errors.len(),
            if executed.errors.len() == 1 { "" } else { "s" }
        ))),
    }
}

async fn check(context: &Context, args: &CheckArgs) -> Result<Outcome, CommandError> {
    let wanted = |by: By| args.channel.is_empty() || args.channel.contains(&by);
    let is_named = args.way.server.is_some();
    if !is_named && args.channel.iter().any(|by| *by != By::Local) {
        return Err(CommandError::usage("expected the server, found none").hint("name it with --server"));
    }
    let ways = args.way.ways(is_named)?;
    let bounds = args.way.bounds();
    let listening = stop_on_break(context, &bounds.stop);
    let place = ways.host.clone().unwrap_or_else(|| "this machine".to_owned());
    if context.progress {
        context.say(&format!("{place}: looking at the ways in …"));
    }
    let one = |by: By| {
        let (ways, bounds) = (&ways, bounds.clone());
        async move {
            // A PowerShell of this machine says nothing about another one, unless it was asked for.
            let is_meant = match by {
                By::Local => {
                    !is_named
                        || args.channel.contains(&By::Local)
                        || crate::live::is_this_machine(&place_of(ways))
                }
                By::Exchange | By::Server => is_named,
            };
            if !wanted(by) || !is_meant {
                return None;
            }
            Some(look(ways, by, bounds, args.way.deadline).await)
        }
    };
    // A wrong password is shown by one refusal: the second way would only help to lock the account.
    let (exchange, local) = tokio::join!(one(By::Exchange), one(By::Local));
    let server = match &exchange {
        Some(checked) if checked.was_refused() && wanted(By::Server) => {
            Some(Checked::not_tried("server", &ways.address(By::Server)))
        }
        _ => one(By::Server).await,
    };
    listening.abort();
    let all: Vec<Checked> = [exchange, server, local].into_iter().flatten().collect();
    if args.json {
        print_json(&crate::view::session::checked_json(&place, &all))?;
    } else {
        print(
            context,
            &crate::view::session::checked_text(&place, &all, context),
        )?;
    }
    if all.iter().any(Checked::is_open) {
        return Ok(Outcome::Done);
    }
    Err(CommandError::fixable(format!("no way into {place} is open"))
        .hint("docs/session.md says what each way needs"))
}

fn place_of(ways: &Ways) -> String {
    ways.host.clone().unwrap_or_default()
}

async fn look(ways: &Ways, by: By, bounds: Bounds, seconds: u32) -> Checked {
    let address = ways.address(by);
    let opened = within(&bounds, ways.open(by), seconds).await;
    let session = match opened {
        Ok(session) => session,
        Err(error) => {
            let shown = ways.shut(by, &error);
            return Checked::shut(by.word(), &address, &error, &shown);
        }
    };
    let way = Way::of(&session);
    let mut visit = Visit::of(session, bounds);
    let host = ways.host.as_deref().unwrap_or_default();
    let build = match by {
        By::Exchange => console::build_by_cmdlet(&mut visit, host).await,
        By::Server | By::Local => console::build_by_helper(&mut visit).await,
    };
    visit.close().await;
    Checked::open(by.word(), &address, way, build)
}
