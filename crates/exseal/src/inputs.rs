//! What was typed becomes what was meant: paths, policies, times.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Args;
use exseal_engine::Policy;
use exseal_exchange::Secret;
use exseal_exchange::files::{self, Given, Options, Reading};
use exseal_exchange::live::Account;
use exseal_model::Inventory;
use jiff::Timestamp;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::live::LiveArgs;

/// `PATH` or `SERVER=PATH`.
#[derive(Clone, Debug)]
pub(crate) struct From(Given);

impl From {
    /// What was typed.
    pub(crate) const fn given(&self) -> &Given {
        &self.0
    }
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("expected a path, or SERVER=PATH".to_owned());
        }
        // A path may hold an equals sign, and a Windows path a colon: only a name in front that is no existing path is one.
        if let Some((server, path)) = text.split_once('=') {
            let is_name = !server.is_empty()
                && server
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
                && !Path::new(text).exists();
            if is_name && !path.is_empty() {
                return Ok(Self(Given {
                    server: Some(server.to_owned()),
                    path: PathBuf::from(path),
                }));
            }
        }
        Ok(Self(Given {
            server: None,
            path: PathBuf::from(text),
        }))
    }
}

/// Where the organisation is read from.
#[derive(Args, Clone, Debug)]
pub(crate) struct Sources {
    /// Exports, folders, ZIPs or inventory files; SERVER=PATH says which server's a file is
    #[arg(long = "from", value_name = "PATH", num_args = 1.., required = true)]
    from: Vec<From>,

    #[command(flatten)]
    passwords: Passwords,
}

/// How the password of a PFX is given. Never as an argument.
#[derive(Args, Clone, Debug)]
pub(crate) struct Passwords {
    /// Read the password (of a PFX, or of --user) from the first line of standard input instead of asking
    #[arg(long)]
    password_stdin: bool,

    /// Read that password from the first line of this file descriptor instead of asking (Unix)
    #[arg(long, value_name = "N", conflicts_with = "password_stdin")]
    password_fd: Option<u32>,

    /// Passwords of users that were asked for already: a command that looks, changes and looks again asks once.
    #[arg(skip)]
    known: Arc<Mutex<BTreeMap<String, Secret>>>,
}

impl Passwords {
    fn ask(&self, file: &str) -> Option<Secret> {
        if self.password_stdin {
            return first_line(&mut std::io::stdin().lock());
        }
        if let Some(descriptor) = self.password_fd {
            let Ok(file) = std::fs::File::open(format!("/dev/fd/{descriptor}")) else {
                tracing::warn!(
                    descriptor,
                    "The file descriptor cannot be read; no password is taken from it"
                );
                return None;
            };
            return first_line(&mut { file });
        }
        if !std::io::stdin().is_terminal() {
            return None;
        }
        rpassword::prompt_password(format!("Password of {file}: "))
            .ok()
            .map(Secret::new)
    }
}

impl Passwords {
    /// The password of a user, which has to be there.
    ///
    /// # Errors
    ///
    /// When none is to be had, or it is empty.
    pub(crate) fn of_user(&self, user: &str) -> Result<Secret, CommandError> {
        if let Some(known) = self.known().get(user) {
            return Ok(known.clone());
        }
        let asked = self.ask(user).ok_or_else(|| {
            CommandError::usage(format!("expected the password of {user}, found none"))
                .hint("type it when asked, or give it with --password-stdin or --password-fd")
        })?;
        self.known().insert(user.to_owned(), asked.clone());
        Ok(asked)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passwords {
    /// A further secret, the next line where lines are read.
    ///
    /// # Errors
    ///
    /// When none is to be had, or it is empty.
    pub(crate) fn further(&self, what: &str) -> Result<Secret, CommandError> {
        self.ask(what).ok_or_else(|| {
            CommandError::usage(format!("expected the secret for {what}, found none")).hint(
                "type it when asked, or give it with --password-stdin or --password-fd, on the line behind the password of --user",
            )
        })
    }
}

impl Passwords {
    /// The password of backups that are to be written or read; typed twice where somebody types, for nobody sees a slip and
    /// the file would open for nobody.
    ///
    /// # Errors
    ///
    /// When none is to be had, it is empty, or the second is another.
    pub(crate) fn of_backups(&self) -> Result<Secret, CommandError> {
        let first = self.further("the backups")?;
        let typed = !self.password_stdin && self.password_fd.is_none();
        if typed && self.further("the backups, again")?.expose() != first.expose() {
            return Err(CommandError::usage("expected the same password twice, found two"));
        }
        Ok(first)
    }
}

/// Who logs on, and by what.
#[derive(Args, Clone, Debug)]
pub(crate) struct Users {
    /// Log on by this name and a password instead of as whoever runs exseal; of several, each server is asked by the one
    /// of its realm
    #[arg(long, value_name = "NAME", num_args = 1..)]
    user: Vec<String>,

    /// Prove it by the keys of this keytab instead of a password (Kerberos; --user as name@REALM)
    #[arg(long, value_name = "FILE", requires = "user")]
    keytab: Option<PathBuf>,
}

/// Someone to log on as.
pub(crate) struct LogOn {
    pub(crate) user: String,
    /// None: by a keytab.
    pub(crate) password: Option<Secret>,
    pub(crate) account: Account,
}

impl Users {
    /// Whether anybody was named.
    pub(crate) const fn is_given(&self) -> bool {
        !self.user.is_empty()
    }

    /// Those that were named, else the one `connect.toml` names; passwords are asked for in their order.
    ///
    /// # Errors
    ///
    /// A password is missing, the keytab cannot be read, or a name is none.
    pub(crate) fn log_on(
        &self,
        connect: Option<&str>,
        passwords: &Passwords,
    ) -> Result<Vec<LogOn>, CommandError> {
        let keytab = match &self.keytab {
            None => None,
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                CommandError::usage(format!("cannot read the keytab {}: {error}", path.display()))
            })?),
        };
        let named = self.user.iter().map(String::as_str);
        let named: Vec<&str> = named.chain(connect.filter(|_| self.user.is_empty())).collect();
        named
            .into_iter()
            .map(|user| {
                let (password, account) = match &keytab {
                    Some(keytab) => (None, Account::with_keytab(user, keytab)),
                    None => {
                        let password = passwords.of_user(user)?;
                        let account = Account::with_password(user, &password);
                        (Some(password), account)
                    }
                };
                Ok(LogOn {
                    user: user.to_owned(),
                    password,
                    account: account.map_err(CommandError::usage)?,
                })
            })
            .collect()
    }
}

fn first_line(reader: &mut dyn std::io::Read) -> Option<Secret> {
    let mut line = Vec::new();
    let mut byte = [0];
    // Byte by byte: what follows the line is the next secret's.
    while line.len() < LONGEST_SECRET && reader.read(&mut byte).ok()? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    let line = String::from_utf8(line).ok()?;
    let line = line.trim_end_matches('\r');
    (!line.is_empty()).then(|| Secret::new(line))
}

/// A password longer than this is a mistake.
const LONGEST_SECRET: usize = 64 << 10;

/// Reads what was given.
pub(crate) fn read(given: &[Given], passwords: &Passwords, context: &Context) -> Reading {
    // One password read from a descriptor serves every PFX: a descriptor has it once.
    let once: RefCell<Option<Secret>> = RefCell::new(None);
    let password = |file: &str| {
        if !passwords.password_stdin && passwords.password_fd.is_none() {
            return passwords.ask(file);
        }
        let mut kept = once.borrow_mut();
        if kept.is_none() {
            *kept = passwords.ask(file);
        }
        kept.clone()
    };
    let options = Options {
        password: &password,
        limits: files::Limits::default(),
    };
    let begun = std::time::Instant::now();
    let reading = context.patiently("reading …", || files::read(given, &options));
    let errors: usize = reading.files.iter().map(|file| file.inventory.errors.len()).sum();
    tracing::info!(count = reading.files.len(), errors, elapsed = ?begun.elapsed(), "Read files");
    for file in &reading.files {
        let kind = file.holds.as_deref().unwrap_or("not recognised");
        tracing::debug!(file = file.path, kind, "Recognise export");
    }
    reading
}

/// Where the organisation is read from, or that it is to be looked at itself.
#[derive(Args, Clone, Debug)]
pub(crate) struct LiveSources {
    /// Exports, folders, ZIPs or inventory files; SERVER=PATH says which server's a file is. With --live, what was seen from elsewhere
    #[arg(
        long = "from",
        value_name = "PATH",
        num_args = 1..,
        required_unless_present = "live"
    )]
    from: Vec<From>,

    #[command(flatten)]
    passwords: Passwords,

    #[command(flatten)]
    live: LiveArgs,
}

impl LiveSources {
    /// Reads or looks, and makes one inventory of it. `at` is the time of what is seen live.
    pub(crate) fn inventory(&self, context: &Context, at: Timestamp) -> Result<Inventory, CommandError> {
        let given: Vec<Given> = self.from.iter().map(|from| from.0.clone()).collect();
        if !self.live.live {
            if self.live.users.is_given() {
                return Err(
                    CommandError::usage("expected --live with --user or --keytab, found none")
                        .hint("files are read as whoever runs exseal"),
                );
            }
            return inventory(&given, &self.passwords, context);
        }
        let mut all = crate::live::look(&self.live, &self.passwords, context, at)?;
        if !given.is_empty() {
            all.push(inventory(&given, &self.passwords, context)?);
        }
        let begun = std::time::Instant::now();
        let merged = exseal_engine::merge(all);
        let (servers, certificates) = (merged.servers.len(), merged.certificates.len());
        tracing::info!(servers, certificates, elapsed = ?begun.elapsed(), "Merge inventories");
        Ok(merged)
    }
}

impl LiveSources {
    /// How the organisation itself is reached; `None`: files alone were given.
    pub(crate) fn live(&self) -> Option<&LiveArgs> {
        self.live.live.then_some(&self.live)
    }

    /// What was typed to say where to look, to be typed again.
    pub(crate) fn typed(&self) -> String {
        let mut typed = Vec::new();
        let quoted = |text: &str| {
            if text.contains(' ') {
                format!("\"{text}\"")
            } else {
                text.to_owned()
            }
        };
        if self.live.live {
            typed.push("--live".to_owned());
            if let Some(path) = &self.live.connect {
                typed.push(format!("--connect {}", quoted(&path.display().to_string())));
            }
            if !self.live.server.is_empty() {
                typed.push(format!("--server {}", self.live.server.join(" ")));
            }
        }
        if !self.from.is_empty() {
            let paths = self.from.iter().map(|from| match &from.0.server {
                Some(server) => quoted(&format!("{server}={}", from.0.path.display())),
                None => quoted(&from.0.path.display().to_string()),
            });
            typed.push(format!("--from {}", paths.collect::<Vec<_>>().join(" ")));
        }
        typed.join(" ")
    }

    /// How passwords are given.
    pub(crate) const fn passwords(&self) -> &Passwords {
        &self.passwords
    }
}

impl Sources {
    /// Reads everything and makes one inventory of it.
    pub(crate) fn inventory(&self, context: &Context) -> Result<Inventory, CommandError> {
        let given: Vec<Given> = self.from.iter().map(|from| from.0.clone()).collect();
        inventory(&given, &self.passwords, context)
    }
}

/// Reads paths and makes one inventory of them.
pub(crate) fn inventory(
    given: &[Given],
    passwords: &Passwords,
    context: &Context,
) -> Result<Inventory, CommandError> {
    for given in given {
        if !given.path.exists() {
            return Err(missing(&given.path));
        }
    }
    let reading = read(given, passwords, context);
    if reading.is_empty() {
        let looks: Vec<String> = reading
            .files
            .iter()
            .flat_map(|file| &file.inventory.not_recognised)
            .take(3)
            .map(|one| format!("{}: {}", one.file, one.looks_like))
            .collect();
        let errors: Vec<String> = reading
            .files
            .iter()
            .flat_map(|file| &file.inventory.errors)
            .take(3)
            .map(|error| {
                format!(
                    "{}: expected {}, found {}",
                    error.file, error.expected, error.found
                )
            })
            .collect();
        let shown = [errors, looks].concat().join("\n");
        let what = if shown.is_empty() {
            "no file was found".to_owned()
        } else {
            shown
        };
        return Err(CommandError::fixable(format!(
            "nothing in what was given is an export exseal knows\n{what}"
        ))
        .hint(
            "`exseal inspect FILE` tells of each file what it holds; docs/exports.md lists what can be read",
        ));
    }
    let begun = std::time::Instant::now();
    let inventory = exseal_engine::merge(reading.into_inventories());
    let (servers, certificates) = (inventory.servers.len(), inventory.certificates.len());
    tracing::info!(servers, certificates, elapsed = ?begun.elapsed(), "Merge inventories");
    Ok(inventory)
}

pub(crate) fn missing(path: &Path) -> CommandError {
    CommandError::fixable(format!(
        "expected a file, folder or ZIP, found nothing at {}",
        path.display()
    ))
    .hint("check the path; a blank in it needs quotes")
}

/// The time a judgement is about.
pub(crate) fn now(given: Option<Timestamp>) -> Timestamp {
    given.unwrap_or_else(Timestamp::now)
}

/// Reads a policy by file or built-in name.
pub(crate) fn policy(given: Option<&str>) -> Result<Policy, CommandError> {
    let Some(name) = given else {
        return Ok(Policy::default());
    };
    if let Some(policy) = Policy::built_in(name) {
        return Ok(policy);
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        CommandError::usage(format!("cannot read the policy {name}: {error}")).hint(format!(
            "expected a file, or one of the built-in names {}",
            Policy::BUILT_IN.join(", ")
        ))
    })?;
    Policy::from_toml(&text).map_err(|error| CommandError::Policy {
        name: name.to_owned(),
        text,
        error,
    })
}
