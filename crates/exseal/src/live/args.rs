//! What is typed for a live look.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use exseal_exchange::Secret;
use exseal_exchange::connect::Connect;
use exseal_exchange::directory::{self, Credentials, Protection, Root, Target};
use exseal_model::Channel;

use crate::command_error::CommandError;
use crate::inputs::Users;

/// The heading of options of a live look.
const HEADING: &str = "Looking at a live organisation";

/// How to look at a live organisation.
#[derive(Args, Clone, Debug)]
pub(crate) struct LiveArgs {
    /// Look at the organisation itself: every server, over every channel that works
    #[arg(long, help_heading = HEADING)]
    pub(crate) live: bool,

    /// The domain controller to ask: ldaps://NAME, or ldap://NAME (StartTLS with --user, else sealed by Kerberos)
    #[arg(long, value_name = "URL", requires = "live", help_heading = HEADING)]
    pub(crate) directory: Option<DirectoryUrl>,

    /// Where names and ports lead, whom to trust and as whom to log on: a connect.toml
    #[arg(long, value_name = "FILE", requires = "live", help_heading = HEADING)]
    pub(crate) connect: Option<PathBuf>,

    /// Servers to begin with: the first that answers is asked which others there are
    #[arg(long, value_name = "SERVER", num_args = 1.., requires = "live", help_heading = HEADING)]
    pub(crate) server: Vec<String>,

    #[command(flatten, next_help_heading = HEADING)]
    pub(crate) users: Users,

    /// Roots to trust instead of the system's, as PEM
    #[arg(long, value_name = "FILE", requires = "live", help_heading = HEADING)]
    pub(crate) roots: Option<PathBuf>,

    /// Look at these servers only
    #[arg(long, value_name = "SERVER", num_args = 1.., requires = "live", help_heading = HEADING)]
    pub(crate) only: Vec<String>,

    /// Leave these servers out
    #[arg(long, value_name = "SERVER", num_args = 1.., requires = "live", help_heading = HEADING)]
    pub(crate) except: Vec<String>,

    /// Use these channels only: exchange, server, directory, wire
    #[arg(
        long,
        value_name = "CHANNEL",
        num_args = 1..,
        value_parser = channel,
        requires = "live",
        help_heading = HEADING
    )]
    pub(crate) channel: Vec<Channel>,

    /// Visit so many servers at once
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "16",
        requires = "live",
        help_heading = HEADING
    )]
    pub(crate) parallel: NonZeroUsize,

    /// Stop after this many seconds with what was seen until then
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        requires = "live",
        help_heading = HEADING
    )]
    pub(crate) deadline: u32,

    /// How long one command may take that changes something, or is asked for while something is changed.
    #[arg(skip)]
    pub(crate) command_time: Option<u32>,
}

/// How servers are reached that are to be changed.
#[derive(Args, Clone, Debug)]
pub(crate) struct WayArgs {
    /// The domain controller to ask: ldaps://NAME, or ldap://NAME (StartTLS with --user, else sealed by Kerberos)
    #[arg(long, value_name = "URL")]
    directory: Option<DirectoryUrl>,

    /// Where names and ports lead, whom to trust and as whom to log on: a connect.toml
    #[arg(long, value_name = "FILE")]
    connect: Option<PathBuf>,

    #[command(flatten)]
    users: Users,

    /// Roots to trust instead of the system's, as PEM
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,

    /// Give one command on a server so long; without it a reading or a cmdlet has 180 seconds, a change at the server 900
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    command_time: Option<u32>,
}

impl WayArgs {
    /// As for a live look at some servers.
    pub(crate) fn to(&self, servers: Vec<String>) -> LiveArgs {
        LiveArgs {
            live: true,
            directory: self.directory.clone(),
            connect: self.connect.clone(),
            server: servers,
            users: self.users.clone(),
            roots: self.roots.clone(),
            only: Vec::new(),
            except: Vec::new(),
            channel: Vec::new(),
            parallel: NonZeroUsize::MIN.saturating_add(15),
            deadline: 300,
            command_time: self.command_time,
        }
    }
}

/// `ldap://` or `ldaps://`, a host, and a port if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryUrl {
    tls: bool,
    host: String,
    port: Option<u16>,
}

impl FromStr for DirectoryUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("expected ldaps://HOST, ldap://HOST, or one with :PORT, found {text:?}");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ldaps" => true,
            "ldap" => false,
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (rest, None),
        };
        if host.is_empty() || host.contains(['/', '@', '?', ' ']) {
            return Err(wrong());
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
        })
    }
}

fn channel(text: &str) -> Result<Channel, String> {
    match text {
        "exchange" => Ok(Channel::Exchange),
        "server" => Ok(Channel::Server),
        "directory" => Ok(Channel::Directory),
        "wire" => Ok(Channel::Wire),
        _ => Err("expected exchange, server, directory or wire".to_owned()),
    }
}

impl LiveArgs {
    /// The same way to other servers, over every channel.
    pub(crate) fn to_servers(&self, servers: Vec<String>) -> Self {
        Self {
            live: true,
            server: servers,
            only: Vec::new(),
            except: Vec::new(),
            channel: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether a channel is to be used.
    pub(crate) fn uses(&self, channel: Channel) -> bool {
        self.channel.is_empty() || self.channel.contains(&channel)
    }

    /// What `--connect` says, with the roots of `--roots`; nothing where neither is given.
    pub(crate) fn connect(&self) -> Result<Connect, CommandError> {
        let mut connect = match &self.connect {
            None => Connect::default(),
            Some(path) => Connect::read(path).map_err(|error| CommandError::of_connect(path, &error))?,
        };
        if let Some(path) = &self.roots {
            connect.roots = roots(path)?.into_iter().map(|root| root.to_vec()).collect();
        }
        Ok(connect)
    }

    /// The directory to ask, and who asks: the one that was named, else that of `--connect`, else, on an Exchange server
    /// itself, the domain controller its user logged on with.
    pub(crate) fn directory(
        &self,
        connect: &Connect,
        who: Option<(&str, &Secret)>,
        is_here: bool,
    ) -> Result<Option<(Target, Credentials)>, CommandError> {
        if !self.uses(Channel::Directory) {
            return Ok(None);
        }
        let of_connect = || {
            connect.directory.as_ref().map(|host| DirectoryUrl {
                tls: who.is_some(),
                host: host.clone(),
                port: None,
            })
        };
        let of_machine = || {
            let host = super::host::log_on_server().filter(|_| is_here)?;
            let (tls, port) = (who.is_some(), None);
            Some(DirectoryUrl { tls, host, port })
        };
        let Some(url) = self.directory.clone().or_else(of_connect).or_else(of_machine) else {
            return Ok(None);
        };
        let protection = match (url.tls, who) {
            (true, _) => Protection::Ldaps,
            (false, Some(_)) => Protection::StartTls,
            (false, None) => Protection::Kerberos,
        };
        let credentials = match who {
            None => Credentials::Kerberos,
            Some((user, password)) => Credentials::Simple {
                user: user.to_owned(),
                password: password.clone(),
            },
        };
        let usual = if url.tls { 636 } else { 389 };
        let (address, port) = connect.to(&url.host, usual);
        let target = Target {
            address: (address != url.host).then_some(address),
            port: url.port.or((port != usual).then_some(port)),
            host: url.host,
            protection,
            roots: connect
                .roots
                .iter()
                .map(|root| Root::from(root.clone()))
                .collect(),
        };
        Ok(Some((target, credentials)))
    }
}

/// The certificates of a PEM file.
pub(crate) fn roots(path: &Path) -> Result<Vec<Root>, CommandError> {
    let cannot = |what: String| {
        CommandError::usage(format!("cannot read the roots in {}: {what}", path.display()))
            .hint("expected certificates as PEM: -----BEGIN CERTIFICATE-----")
    };
    let bytes = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    directory::roots(&bytes).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_directory_is_read_with_its_port() {
        let url = |text: &str| text.parse::<DirectoryUrl>();
        assert_eq!(
            url("ldaps://dc1.example.org:3269/").unwrap(),
            DirectoryUrl {
                tls: true,
                host: "dc1.example.org".to_owned(),
                port: Some(3269)
            }
        );
        assert_eq!(url("ldap://[::1]").unwrap().host, "[::1]");
        for wrong in ["dc1", "http://dc1", "ldap://", "ldap://a@b", "ldap://dc1:x"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
