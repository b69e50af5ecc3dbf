//! `exseal probe`: what a client sees on the wire.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use exseal_engine::Policy;
use exseal_exchange::connect::Connect;
use exseal_model::inventory::Role;
use exseal_model::{Inventory, Severity};
use exseal_probe::names::{self, Wanted};
use exseal_probe::{Asked, Names, Options, Override, PortRole, Roots, Target};
use jiff::Timestamp;

use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, From, Passwords};
use crate::view::probe::{Probed, nagios, prtg, text};

/// The heading of what is looked at.
const NAMES: &str = "Names";
/// The heading of how it is looked at.
const HOW: &str = "How to look";

/// Look at what a client sees: certificates as presented, names as they resolve
///
/// A TARGET is HOST, HOST:PORT or HOST:PORT/PROTOCOL (https, tls, smtp, smtp-anonymous, pop, imap). A host alone means the
/// ports of its --role. Gentle: two connections to a host at a time, one handshake a port, no version is tried but those
/// a client offers. Changes nothing.
///
/// Exit codes: 0 looked, whatever was seen; 1 no target answered; 2 command line or policy; 3 with --exit-code, something is
/// a warning or worse. With --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
#[derive(Args, Debug)]
pub(crate) struct ProbeArgs {
    /// What to look at
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// Look at the servers and names of these exports or inventories, each at the ports of its role
    #[arg(long, value_name = "PATH", num_args = 1..)]
    from: Vec<From>,

    /// Look at the targets in this file, one a line, # begins a comment; - is standard input
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,

    /// The ports of a host without one: mailbox, edge, clients, mail or um
    #[arg(long, value_name = "ROLE", default_value = "mailbox", value_parser = role)]
    role: PortRole,

    /// Write what was seen as an inventory that --from takes everywhere; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What to call this place in what is written: "the DMZ"; without it the machine's name
    #[arg(long, value_name = "PLACE", requires = "output")]
    seen_from: Option<String>,

    /// Print JSON (docs/schema/probe.json)
    #[arg(long, group = "form")]
    json: bool,

    /// Print one line and exit as a Nagios plug-in does
    #[arg(long, group = "form")]
    nagios: bool,

    /// Print XML of a PRTG custom sensor
    #[arg(long, group = "form")]
    prtg: bool,

    /// Exit with 3 when something is a warning or worse
    #[arg(long)]
    exit_code: bool,

    /// A policy file, or default, baseline or hybrid-management-only: when an end is near
    #[arg(long, value_name = "FILE|NAME")]
    policy: Option<String>,

    /// Judge as of this time instead of now (RFC 3339)
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,

    #[command(flatten)]
    how: How,

    #[command(flatten)]
    asking: Asking,

    #[command(flatten)]
    passwords: Passwords,
}

/// How to look.
#[derive(Args, Debug)]
struct How {
    /// Ask for this name (SNI) and hold certificates against it, instead of each target's own
    #[arg(long, value_name = "NAME", help_heading = HOW)]
    name: Option<String>,

    /// Look a second time without asking for a name
    #[arg(long, help_heading = HOW)]
    without_sni: bool,

    /// Look at every address of a name, IPv4 and IPv6, instead of the first that answers
    #[arg(long, help_heading = HOW)]
    every_address: bool,

    /// Try TLS 1.0, 1.1, 1.2 and 1.3 one by one; intrusion detection and Schannel's log may notice
    #[arg(long, help_heading = HOW)]
    versions: bool,

    /// Fetch the healthcheck pages of https targets over the same connection
    #[arg(long, help_heading = HOW)]
    healthcheck: bool,

    /// Trust these roots (PEM) besides the system's
    #[arg(long, value_name = "FILE", help_heading = HOW)]
    roots: Option<PathBuf>,

    /// Where names and ports lead: a connect.toml
    #[arg(long, value_name = "FILE", help_heading = HOW)]
    connect: Option<PathBuf>,

    /// Seconds for one look at one target
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600), help_heading = HOW)]
    deadline: u64,

    /// Begin a look anew so often after a failure that may pass
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10), help_heading = HOW)]
    retries: u32,

    /// Open at most so many sockets at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = HOW)]
    sockets: u32,
}

/// What to ask about names.
#[derive(Args, Debug)]
struct Asking {
    /// Tell the addresses of every name that is looked at
    #[arg(long, help_heading = NAMES)]
    names: bool,

    /// Walk the way of a client to Autodiscover of this mail domain
    #[arg(long, value_name = "DOMAIN", num_args = 1.., help_heading = NAMES)]
    autodiscover: Vec<String>,

    /// Look at the MX hosts of this mail domain, with their TLSA records
    #[arg(long, value_name = "DOMAIN", num_args = 1.., help_heading = NAMES)]
    mx: Vec<String>,

    /// Ask this resolver too: what the world outside is told
    #[arg(long, value_name = "ADDRESS", num_args = 1.., value_parser = resolver, help_heading = NAMES)]
    resolver: Vec<SocketAddr>,

    /// Trust anchors for DNSSEC instead of the root's, as DNSKEY or DS records in a file
    #[arg(long, value_name = "FILE", help_heading = NAMES)]
    trust_anchor: Option<PathBuf>,
}

fn role(text: &str) -> Result<PortRole, String> {
    match text {
        "mailbox" => Ok(PortRole::Mailbox),
        "edge" => Ok(PortRole::Edge),
        "clients" => Ok(PortRole::Clients),
        "mail" => Ok(PortRole::Mail),
        "um" => Ok(PortRole::Um),
        _ => Err("expected mailbox, edge, clients, mail or um".to_owned()),
    }
}

fn resolver(text: &str) -> Result<SocketAddr, String> {
    text.parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)))
        .map_err(|_| "expected an address, or ADDRESS:PORT".to_owned())
}

pub(crate) fn run(context: &Context, args: &ProbeArgs) -> Result<Outcome, CommandError> {
    let now = inputs::now(args.now);
    let policy = inputs::policy(args.policy.as_deref())?;
    let mut targets = args.targets()?;
    if let Some(name) = &args.how.name {
        for target in &mut targets {
            target.name = Some(name.to_ascii_lowercase());
        }
    }
    let wanted = args.wanted(&targets);
    if targets.is_empty() && wanted.autodiscover.is_empty() && wanted.mail.is_empty() {
        return Err(CommandError::usage("expected a target, found none").hint(
            "exseal probe mail.example.org:443, --from an inventory, --list a file, or --autodiscover a domain",
        ));
    }
    let options = args.options(context)?;
    let count = targets.len();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().min(8)))
        .enable_all()
        .build()?;
    let begun = std::time::Instant::now();
    let (sightings, names) = context.patiently(&format!("looking at {count} targets …"), || {
        runtime.block_on(look(targets, options, &policy, &wanted, now))
    });
    let names = names.map_err(|reason| {
        CommandError::fixable(format!("names cannot be asked for: {reason}"))
            .hint("name a resolver with --resolver, and a readable file with --trust-anchor")
    })?;
    tracing::info!(count, elapsed = ?begun.elapsed(), "Probe targets");
    let probed = Probed::new(now, sightings, names);
    args.write(context, &probed)?;
    args.tell(context, &probed)
}

async fn look(
    targets: Vec<Target>,
    options: Options,
    policy: &Policy,
    wanted: &Wanted,
    now: Timestamp,
) -> (Vec<exseal_probe::Sighting>, Result<Names, String>) {
    let sightings = exseal_probe::probe(targets, options.clone(), policy.clone(), now).await;
    let nothing = wanted.names.is_empty() && wanted.autodiscover.is_empty() && wanted.mail.is_empty();
    let names = if nothing {
        Ok(Names::default())
    } else {
        names::look(wanted, &options, policy, now).await
    };
    (sightings, names)
}

impl ProbeArgs {
    /// What is looked at, each once, in the order given.
    fn targets(&self) -> Result<Vec<Target>, CommandError> {
        let mut targets = Vec::new();
        let parse = |text: &str, place: &str| {
            Target::parse(text, self.role).map_err(|error| {
                CommandError::usage(format!("{place}{error}"))
                    .hint("mail.example.org, mail.example.org:443, ex1.example.org:2525/smtp-anonymous or [2001:db8::1]:25")
            })
        };
        for text in &self.targets {
            targets.extend(parse(text, "")?);
        }
        if let Some(path) = &self.list {
            let listed = if path.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin())
            } else {
                std::fs::read_to_string(path)
            };
            let listed = listed
                .map_err(|error| CommandError::fixable(format!("cannot read {}: {error}", path.display())))?;
            for (at, line) in listed.lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default().trim();
                if !line.is_empty() {
                    targets.extend(parse(line, &format!("{}, line {}: ", path.display(), at + 1))?);
                }
            }
        }
        if !self.from.is_empty() {
            let given: Vec<_> = self.from.iter().map(|from| from.given().clone()).collect();
            let inventory = inputs::inventory(&given, &self.passwords, context_of_files())?;
            let found = of_inventory(&inventory);
            if found.is_empty() {
                return Err(CommandError::fixable("expected servers or URLs in what was given, found none")
                    .hint("exports of Get-ExchangeServer and of the virtual directories name them; docs/exports.md"));
            }
            targets.extend(found);
        }
        let mut seen = BTreeSet::new();
        targets.retain(|target| seen.insert(target.clone()));
        Ok(targets)
    }

    fn wanted(&self, targets: &[Target]) -> Wanted {
        let mut names = Vec::new();
        if self.asking.names {
            for target in targets {
                if target.host.parse::<IpAddr>().is_err() && !names.contains(&target.host) {
                    names.push(target.host.clone());
                }
            }
        }
        Wanted {
            names,
            autodiscover: self.asking.autodiscover.clone(),
            mail: self.asking.mx.clone(),
            resolvers: self.asking.resolver.clone(),
            trust_anchor: self.asking.trust_anchor.clone(),
            patience: Duration::from_secs(self.how.deadline.min(5)),
        }
    }

    fn options(&self, context: &Context) -> Result<Options, CommandError> {
        let connect = match &self.how.connect {
            None => Connect::default(),
            Some(path) => Connect::read(path).map_err(|error| {
                CommandError::fixable(format!("{}: {error}", path.display()))
                    .hint("docs/probe.md shows a connect.toml")
            })?,
        };
        let mut roots = connect.roots.clone();
        if let Some(path) = &self.how.roots {
            let pem = std::fs::read(path)
                .map_err(|error| CommandError::fixable(format!("cannot read {}: {error}", path.display())))?;
            roots.extend(Roots::from_pem(&pem).map_err(|why| {
                CommandError::fixable(format!("{}: expected certificates as PEM, {why}", path.display()))
            })?);
        }
        let (roots, problems) = Roots::of_system_and(&roots);
        for problem in problems {
            context.say(&format!("a root is left out: {problem}"));
        }
        let mut options = Options::default();
        options.deadline = Duration::from_secs(self.how.deadline);
        options.connect = options.connect.min(options.deadline);
        options.retries = self.how.retries;
        options.sockets = usize::try_from(self.how.sockets).unwrap_or(256);
        options.asked = if self.how.without_sni {
            Asked::Both
        } else {
            Asked::Name
        };
        options.every_address = self.how.every_address;
        options.versions = self.how.versions;
        options.healthcheck = self.how.healthcheck;
        options.roots = Some(roots);
        for (name, place) in connect.places() {
            let Some(address) = place
                .address
                .as_deref()
                .and_then(|address| address.parse::<IpAddr>().ok())
            else {
                continue;
            };
            options
                .overrides
                .insert(name.to_owned(), Override::Address(address));
            for (port, to) in &place.ports {
                let socket = SocketAddr::new(address, *to);
                options
                    .overrides
                    .insert(format!("{name}:{port}"), Override::Socket(socket));
            }
        }
        Ok(options)
    }

    fn write(&self, context: &Context, probed: &Probed) -> Result<(), CommandError> {
        let Some(path) = &self.output else {
            return Ok(());
        };
        let place = self.seen_from.clone().unwrap_or_else(|| {
            ["COMPUTERNAME", "HOSTNAME"]
                .into_iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
                .unwrap_or_else(|| "another place".to_owned())
        });
        let inventory = exseal_probe::inventory(&probed.sightings, &probed.names, &place);
        let mut content = serde_json::to_vec(&inventory).map_err(std::io::Error::from)?;
        content.push(b'\n');
        super::write(context, path, &content)
    }

    fn tell(&self, context: &Context, probed: &Probed) -> Result<Outcome, CommandError> {
        let to_stdout = self.output.as_deref().is_some_and(|path| path.as_os_str() == "-");
        if self.nagios {
            let (line, code) = nagios(probed);
            print(context, &line)?;
            return Ok(Outcome::Plugin(code));
        }
        if self.prtg {
            print(context, &prtg(probed))?;
        } else if self.json {
            print_json(probed)?;
        } else if !to_stdout {
            print(context, &text(probed, context))?;
        }
        if let Some(path) = self.output.as_deref().filter(|_| !to_stdout) {
            context.say(&format!(
                "next: exseal diagnose --from {} and the exports",
                path.display()
            ));
        }
        if !probed.anyone_answered() && !self.prtg {
            return Err(CommandError::fixable("no target answered")
                .hint("check the names, and that the ports are open from here; --deadline gives more time"));
        }
        if self.exit_code && probed.worst() >= Some(Severity::Warning) {
            return Ok(Outcome::Findings);
        }
        Ok(Outcome::Done)
    }
}

/// Files are read without progress here: looking takes longer.
fn context_of_files() -> &'static Context {
    static QUIET: std::sync::OnceLock<Context> = std::sync::OnceLock::new();
    QUIET.get_or_init(|| Context::of_process(crate::context::Colour::Never, true))
}

/// The servers at the ports of their roles, and the names clients are told at theirs.
fn of_inventory(inventory: &Inventory) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |host: &str, role: PortRole| {
        for &(port, protocol) in exseal_probe::ports(role) {
            targets.push(Target::new(host, port).by(protocol));
        }
    };
    for server in &inventory.servers {
        let Some(name) = server.full_name().or_else(|| server.name.known()) else {
            continue;
        };
        let roles = server.roles.value().map_or(&[][..], Vec::as_slice);
        if roles == [Role::None] {
            continue;
        }
        add(
            name,
            if roles.contains(&Role::Edge) {
                PortRole::Edge
            } else {
                PortRole::Mailbox
            },
        );
        if roles.contains(&Role::UnifiedMessaging) {
            add(name, PortRole::Um);
        }
    }
    let mut names = BTreeSet::new();
    for server in &inventory.servers {
        for directory in &server.virtual_directories {
            let urls = [&directory.internal_url, &directory.external_url];
            names.extend(
                urls.into_iter()
                    .filter_map(|url| url.value().and_then(|url| host(url))),
            );
            let hosts = [&directory.internal_host, &directory.external_host];
            names.extend(
                hosts
                    .into_iter()
                    .filter_map(|host| host.value().map(|host| host.to_lowercase())),
            );
        }
    }
    for name in names {
        if inventory
            .server(&name)
            .is_none_or(|server| server.full_name() != Some(name.as_str()))
            && !name.is_empty()
        {
            targets.push(Target::new(name, 443));
        }
    }
    targets
}

/// The host of an https URL, in lower case.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    (scheme.eq_ignore_ascii_case("https") && !host.is_empty()).then(|| host.to_lowercase())
}
