//! A live look: every server, every channel that works, side by side.
//!
//! This room brings the adapters together and decides nothing: each channel gives observations, `exseal_engine::merge`
//! makes one inventory of them. A channel that does not answer is a fact with its reason, and the others go on.

mod args;

use std::time::Duration;

use exseal_exchange::directory::{self, Credentials, Target};
use exseal_model::inventory::{ServerName, WayIn};
use exseal_model::{Channel, Inventory, Listing, Look, Observed, Source, SourceId};
use jiff::Timestamp;

pub(crate) use args::LiveArgs;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::Passwords;

/// Everything a look needs.
struct Looking<'a> {
    args: &'a LiveArgs,
    context: &'a Context,
    directory: Option<(Target, Credentials)>,
    at: Timestamp,
}

/// Looks at the organisation.
///
/// # Errors
///
/// Where nothing was named to begin with, a password is missing, or nobody answered at all.
pub(crate) fn look(
    args: &LiveArgs,
    passwords: &Passwords,
    context: &Context,
    at: Timestamp,
) -> Result<Vec<Inventory>, CommandError> {
    let looking = Looking {
        args,
        context,
        directory: args.directory(passwords)?,
        at,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(looking.all())
}

impl Looking<'_> {
    async fn all(self) -> Result<Vec<Inventory>, CommandError> {
        let mut seen = Vec::new();
        let Some((target, credentials)) = &self.directory else {
            return Err(CommandError::usage("expected something to begin with")
                .hint("name a domain controller with --directory ldaps://NAME"));
        };
        let mut limits = directory::Limits::default();
        limits.deadline = limits
            .deadline
            .min(Duration::from_secs(u64::from(self.args.deadline)));
        self.tell(&format!("{}: reading …", target.url()));
        match directory::look(target, credentials, &limits, self.at).await {
            Ok(looked) => {
                tracing::info!(
                    servers = looked.inventory.servers.len(),
                    count = looked.objects,
                    "Read directory"
                );
                for referral in &looked.referrals {
                    tracing::debug!(referral, "A referral is not followed");
                }
                let mut inventory = looked.inventory;
                inventory
                    .servers
                    .retain(|server| self.is_wanted(&server.name, server.full_name()));
                seen.push(inventory);
                seen.push(way_in(None, Channel::Directory, &target.url(), None, self.at));
            }
            Err(error) => return Err(CommandError::of_directory(&error)),
        }
        Ok(seen)
    }

    /// How far it is, where a person watches.
    fn tell(&self, line: &str) {
        if self.context.progress {
            self.context.say(line);
        }
    }

    /// Whether a server is to be looked at.
    fn is_wanted(&self, name: &ServerName, full: Option<&str>) -> bool {
        let called = |asked: &String| {
            [name.known(), full].into_iter().flatten().any(|own| {
                own.eq_ignore_ascii_case(asked)
                    || exseal_model::inventory::first_label(own).eq_ignore_ascii_case(asked)
            })
        };
        (self.args.only.is_empty() || self.args.only.iter().any(called))
            && !self.args.except.iter().any(called)
    }
}

/// The fact that a channel answered (`why` is `None`) or did not.
fn way_in(
    server: Option<&ServerName>,
    channel: Channel,
    address: &str,
    why: Option<&str>,
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
    *listing = tried(channel, why, source);
    inventory
}

fn tried(channel: Channel, why: Option<&str>, source: SourceId) -> Listing<WayIn> {
    let mut way = WayIn::new(channel);
    way.by = vec![source];
    way.open = Observed::seen(why.is_none(), source);
    way.why = Observed::looked(why.map(str::to_owned), source);
    Listing {
        looks: vec![Look {
            source,
            complete: false,
        }],
        items: vec![way],
        ..Listing::default()
    }
}
