//! What is typed for a live look.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use exseal_exchange::directory::{self, Credentials, Protection, Root, Target};
use exseal_model::Channel;

use crate::command_error::CommandError;
use crate::inputs::Passwords;

/// The heading of options of a live look.
const HEADING: &str = "Looking at a live organisation";

/// How to look at a live organisation.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LiveArgs {
    /// Look at the organisation itself: every server, over every channel that works
    #[arg(long, help_heading = HEADING)]
    pub(crate) live: bool,

    /// The domain controller to ask: ldaps://NAME, or ldap://NAME (StartTLS with --user, else sealed by Kerberos)
    #[arg(long, value_name = "URL", requires = "live", help_heading = HEADING)]
    pub(crate) directory: Option<DirectoryUrl>,

    /// Log on by this name and a password instead of as whoever runs exseal
    #[arg(long, value_name = "NAME", requires = "live", help_heading = HEADING)]
    pub(crate) user: Option<String>,

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

    /// Stop after this many seconds with what was seen until then
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        requires = "live",
        help_heading = HEADING
    )]
    pub(crate) deadline: u32,
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
    /// Whether a channel is to be used.
    pub(crate) fn uses(&self, channel: Channel) -> bool {
        self.channel.is_empty() || self.channel.contains(&channel)
    }

    /// The directory that was named, with who asks it. Asks for the password where a user was named.
    pub(crate) fn directory(
        &self,
        passwords: &Passwords,
    ) -> Result<Option<(Target, Credentials)>, CommandError> {
        let Some(url) = self.directory.as_ref().filter(|_| self.uses(Channel::Directory)) else {
            return Ok(None);
        };
        let protection = match (url.tls, &self.user) {
            (true, _) => Protection::Ldaps,
            (false, Some(_)) => Protection::StartTls,
            (false, None) => Protection::Kerberos,
        };
        let credentials = match &self.user {
            None => Credentials::Kerberos,
            Some(user) => Credentials::Simple {
                user: user.clone(),
                password: passwords.of_user(user)?,
            },
        };
        let target = Target {
            host: url.host.clone(),
            port: url.port,
            protection,
            roots: self.roots.as_deref().map_or_else(|| Ok(Vec::new()), roots)?,
        };
        Ok(Some((target, credentials)))
    }
}

/// The certificates of a PEM file.
fn roots(path: &Path) -> Result<Vec<Root>, CommandError> {
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
