//! `exseal lab run`: starts a lab and stays until it ends.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use exseal_lab::connect_file;
use exseal_lab::control::{self, Control};
use exseal_lab::inventory;
use exseal_lab::net::{Keytab, Options, Ports, Running, StartError};
use exseal_lab::organisation::Organisation;
use exseal_lab::presets;
use exseal_lab::remoting::{Doors, Guard, OfWorld, Service};
use exseal_lab::stand_in::file as stand_in_file;
use exseal_lab::world::World;
use jiff::{SignedDuration, Timestamp};

use super::super::{Outcome, print};
use super::{of_control, of_start};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs;
use crate::view::lab::{Started, started};

/// The heading of where it listens.
const WHERE: &str = "Where to listen";

/// Start a lab and stay until Ctrl-C, or exseal lab do stop
///
/// Prints addresses, users and what to try, and writes a connect.toml, which other commands take as --connect.
///
/// Exit codes: 0 it ran and ended, 1 you can fix this, 2 command line or organisation file.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The organisation file to run (docs/lab.md), or an inventory that exseal discover -o wrote
    #[arg(
        value_name = "FILE",
        required_unless_present = "story",
        conflicts_with = "story"
    )]
    file: Option<PathBuf>,

    /// An organisation that is built in: exseal lab list has them
    #[arg(long, value_name = "NAME")]
    story: Option<String>,

    /// Set the lab's clock to this time instead of now (RFC 3339); it stands still then
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,

    /// Let the lab's clock stand still until exseal lab do advance
    #[arg(long)]
    still: bool,

    /// What to call it; without this the story's or the file's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Where to write the connect.toml; a file that no lab wrote is never overwritten
    #[arg(long, value_name = "FILE", default_value = "connect.toml")]
    connect_file: PathBuf,

    /// Print one JSON document when it listens (docs/schema/lab-run.json)
    #[arg(long)]
    json: bool,

    /// End when standard input ends as well: for programs that start a lab
    #[arg(long)]
    until_stdin_closes: bool,

    /// Keys of the lab's principals: Kerberos logs on by them, at Exchange's shell, WinRM and the directory
    #[arg(long, value_name = "FILE")]
    keytab: Option<PathBuf>,

    /// Which ports: Exchange's own where that is possible, Exchange's own or nothing, or any free ones
    #[arg(long, value_enum, default_value_t, value_name = "auto|standard|mapped", hide_possible_values = true, help_heading = WHERE)]
    ports: PortChoice,

    /// The first address; each server takes the next, and another one for its own 127.0.0.1
    #[arg(long, value_name = "ADDRESS", help_heading = WHERE)]
    address: Option<IpAddr>,

    /// The words that allow an address beyond loopback; what they are is said without them
    #[arg(long, value_name = "WORDS", requires = "address", help_heading = WHERE)]
    say: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PortChoice {
    #[default]
    Auto,
    Standard,
    Mapped,
}

/// What is to run.
struct Chosen {
    organisation: Organisation,
    name: String,
    what: String,
    /// Of an inventory: what nobody saw, and what a lab cannot show.
    assumed: Vec<inventory::Assumed>,
    left_out: Vec<String>,
}

pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<Outcome, CommandError> {
    let chosen = args.chosen()?;
    let connect_file = std::path::absolute(&args.connect_file)?;
    ours(&connect_file)?;
    let now = inputs::now(args.now);
    let world = context
        .patiently("making keys and certificates …", || {
            World::new(&chosen.organisation, now, seed())
        })
        .map_err(|error| {
            CommandError::usage(error.to_string()).hint("docs/lab.md has every key with an example")
        })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().min(8)))
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(stay(context, args, &chosen, world, &connect_file));
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome
}

/// Serial numbers and identifiers differ from lab to lab.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

async fn stay(
    context: &Context,
    args: &RunArgs,
    chosen: &Chosen,
    world: World,
    connect_file: &Path,
) -> Result<Outcome, CommandError> {
    let mut ends = Ends::new(args.until_stdin_closes)?;
    let name = args.name.as_deref().unwrap_or(&chosen.name);
    let mut control = Control::open(name, &chosen.what)
        .await
        .map_err(|error| of_control(&error))?;
    let world = Arc::new(Mutex::new(world));
    let (lab, why_mapped) = args.start(&world, control.entry().block)?;
    // Before the world is held: whoever asks for addresses waits for whoever opens ports, who looks at the world.
    let addresses = lab.addresses();
    let started = {
        let held = world.lock().unwrap_or_else(PoisonError::into_inner);
        let text = connect_file::text(&held, &addresses, &lab.places()).map_err(|error| {
            CommandError::fixable(format!("cannot write {}: {error}", connect_file.display()))
        })?;
        ours(connect_file)?;
        super::super::write(context, connect_file, text.as_bytes())?;
        let started = Started::new(
            control.entry().name.clone(),
            &chosen.organisation,
            &held,
            &addresses,
            connect_file,
        );
        if held.stand_ins().is_empty() {
            started
        } else {
            let beside = beside(connect_file);
            ours(&beside)?;
            super::super::write(context, &beside, stand_in_file::text(&held).as_bytes())?;
            started.with_inventory(&chosen.assumed, &chosen.left_out, &beside)
        }
    };
    let _files = Written([connect_file.to_path_buf(), beside(connect_file)]);
    control
        .wrote(connect_file.to_path_buf())
        .map_err(|error| of_control(&error))?;
    control.serve(Arc::clone(&world));
    if let Some(why) = why_mapped {
        context.say(&format!("not Exchange's own ports: {why}"));
    }
    if args.json {
        super::super::print_json(&started)?;
    } else {
        print(context, &started::text(&started, context))?;
    }
    let clock = tokio::spawn(tick(Arc::clone(&world), args.still || args.now.is_some()));
    tokio::select! {
        () = ends.asked() => {}
        () = control.stopped() => {}
    }
    clock.abort();
    lab.stop().await;
    context.say(&format!("the lab {} ended", control.entry().name));
    Ok(Outcome::Done)
}

/// The lab's clock goes as the machine's does.
async fn tick(world: Arc<Mutex<World>>, still: bool) {
    if still {
        return std::future::pending().await;
    }
    let mut last = std::time::Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let passed = last.elapsed();
        last += passed;
        let by = SignedDuration::try_from(passed).unwrap_or_default();
        world.lock().unwrap_or_else(PoisonError::into_inner).advance(by);
    }
}

/// Files that go when their lab goes.
struct Written([PathBuf; 2]);

impl Drop for Written {
    fn drop(&mut self) {
        for path in &self.0 {
            if is_ours(path) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Where the map of stand-ins goes: `connect.stand-ins.json` for `connect.toml`.
fn beside(connect_file: &Path) -> PathBuf {
    connect_file.with_extension("stand-ins.json")
}

fn is_ours(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|content| {
        [connect_file::FIRST_LINE, stand_in_file::BEGINNING]
            .iter()
            .any(|own| content.starts_with(own.as_bytes()))
    })
}

/// Refuses a file that no lab wrote, and one of a lab that runs.
fn ours(path: &Path) -> Result<(), CommandError> {
    let another = "--connect-file names another place";
    if path.exists() && !is_ours(path) {
        return Err(CommandError::fixable(format!(
            "expected a file that a lab wrote, or none, found {} of somebody else",
            path.display()
        ))
        .hint(another));
    }
    let labs = control::running().map_err(|error| of_control(&error))?;
    match labs.iter().find(|lab| lab.connect_file.as_deref() == Some(path)) {
        None => Ok(()),
        Some(lab) => Err(CommandError::fixable(format!(
            "the lab {}, which runs, wrote {}",
            lab.name,
            path.display()
        ))
        .hint(another)),
    }
}

impl RunArgs {
    fn chosen(&self) -> Result<Chosen, CommandError> {
        if let Some(story) = &self.story {
            let Some(found) = presets::get(story) else {
                let near: Vec<&str> = presets::names()
                    .filter(|name| story.split('-').any(|word| word.len() > 2 && name.contains(word)))
                    .collect();
                let error = CommandError::usage(format!("expected the name of a story, found {story:?}"));
                return Err(error.hint(if near.is_empty() {
                    "exseal lab list has them all".to_owned()
                } else {
                    format!("exseal lab list has them all; perhaps {}", near.join(", "))
                }));
            };
            let organisation = found.map_err(|error| CommandError::usage(error.to_string()))?;
            let what = organisation.story.as_ref().map_or_else(
                || "a healthy organisation".to_owned(),
                |story| story.title.clone(),
            );
            return Ok(Chosen {
                organisation,
                name: story.clone(),
                what,
                assumed: Vec::new(),
                left_out: Vec::new(),
            });
        }
        let path = self.file.as_deref().unwrap_or(Path::new(""));
        let text = std::fs::read_to_string(path)
            .map_err(|error| CommandError::fixable(format!("cannot read {}: {error}", path.display())))?;
        let (organisation, assumed, left_out) = if inventory::is_inventory(&text) {
            let taken = inventory::read(&text).map_err(|error| {
                CommandError::usage(format!("{}: {error}", path.display())).hint(
                    "a file that begins with { is read as an inventory: exseal discover -o writes one; an organisation file is TOML",
                )
            })?;
            (taken.organisation, taken.assumed, taken.left_out)
        } else {
            let organisation = Organisation::parse(&text).map_err(|error| {
                CommandError::usage(format!("{}: {error}", path.display()))
                    .hint("docs/lab.md has every key with an example")
            })?;
            (organisation, Vec::new(), Vec::new())
        };
        Ok(Chosen {
            organisation,
            assumed,
            left_out,
            name: path
                .file_stem()
                .map_or_else(|| "lab".to_owned(), |stem| stem.to_string_lossy().into_owned()),
            what: path.display().to_string(),
        })
    }

    /// Starts it; says why Exchange's own ports were not taken, when they were wanted.
    fn start(&self, world: &Arc<Mutex<World>>, block: u8) -> Result<(Running, Option<String>), CommandError> {
        let keytab = self.keytab.as_deref().map(keytab).transpose()?.map(Arc::new);
        let start = |ports| {
            let guard = Guard {
                keytab: keytab.clone(),
                ..Guard::default()
            };
            let mut options = Options {
                keytab: keytab.clone(),
                ports,
                first: std::net::Ipv4Addr::new(127, block, 0, 1).into(),
                said: self.say.clone(),
                remoting: Some(Arc::new(Doors(Service::new(
                    Arc::new(OfWorld(Arc::clone(world))),
                    guard,
                )))),
                ..Options::default()
            };
            if options.one_address {
                options.first = std::net::Ipv4Addr::LOCALHOST.into();
            }
            options.first = self.address.unwrap_or(options.first);
            Running::start(Arc::clone(world), options)
        };
        match self.ports {
            PortChoice::Mapped => start(Ports::Mapped).map(|lab| (lab, None)),
            PortChoice::Standard => start(Ports::Standard).map(|lab| (lab, None)),
            PortChoice::Auto => match start(Ports::Standard) {
                Ok(lab) => Ok((lab, None)),
                Err(error @ StartError::BeyondLoopback { .. }) => Err(error),
                Err(error) => start(Ports::Mapped).map(|lab| (lab, Some(error.to_string()))),
            },
        }
        .map_err(|error| of_start(&error))
    }
}

fn keytab(path: &Path) -> Result<Keytab, CommandError> {
    let cannot =
        |why: String| CommandError::fixable(format!("cannot read the keytab {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    Keytab::parse(&bytes).map_err(|error| cannot(error.to_string()))
}

/// Everything from outside that ends a lab: Ctrl-C, a closed console, a signal, the end of standard input.
struct Ends {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
    #[cfg(windows)]
    console: (
        tokio::signal::windows::CtrlC,
        tokio::signal::windows::CtrlBreak,
        tokio::signal::windows::CtrlClose,
        tokio::signal::windows::CtrlShutdown,
    ),
    stdin: Option<tokio::sync::oneshot::Receiver<()>>,
}

impl Ends {
    fn new(until_stdin_closes: bool) -> Result<Self, CommandError> {
        let stdin = until_stdin_closes.then(|| {
            let (tell, told) = tokio::sync::oneshot::channel();
            // A thread of its own: a read of standard input cannot be broken off.
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                let _ = tell.send(());
            });
            told
        });
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ];
            Ok(Self { signals, stdin })
        }
        #[cfg(windows)]
        {
            use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
            let console = (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
            Ok(Self { console, stdin })
        }
    }

    async fn asked(&mut self) {
        let stdin = async {
            match &mut self.stdin {
                // The thread ends by telling, or not at all.
                Some(told) => drop(told.await),
                None => std::future::pending().await,
            }
        };
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
                () = stdin => {}
            }
        }
        #[cfg(windows)]
        {
            let (c, brk, close, shutdown) = &mut self.console;
            tokio::select! {
                _ = c.recv() => {}
                _ = brk.recv() => {}
                _ = close.recv() => {}
                _ = shutdown.recv() => {}
                () = stdin => {}
            }
        }
    }
}
