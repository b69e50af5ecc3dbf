//! `exseal lab do`: acts on a lab that runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use exseal_lab::control::{self, Break, Entry, Order};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde_json::Value;

use super::super::{Outcome, print, print_json};
use super::of_control;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::view::lab::replied;

/// Act on a lab that runs: let time pass, break something, look behind the scenes
///
/// Exit codes: 0 done, 1 no lab runs or it does not answer, 2 the lab refused, and nothing changed.
#[derive(Args, Debug)]
pub(crate) struct DoArgs {
    /// Which lab, where several run: its name in exseal lab list
    #[arg(long, value_name = "NAME", global = true)]
    lab: Option<String>,

    /// Print the lab's reply as JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Let time pass; what is due happens, and what was logged is told
    Advance {
        /// How long: 400d, 12h, 2w3d
        #[arg(value_name = "TIME", value_parser = duration, required_unless_present = "to", conflicts_with = "to")]
        by: Option<SignedDuration>,
        /// Until when (RFC 3339)
        #[arg(long, value_name = "TIME")]
        to: Option<Timestamp>,
    },
    /// Let something go wrong, at once or when a command comes; exseal lab do faults has the names
    Fault {
        /// NAME or NAME=DETAIL
        name: String,
        /// On this server only
        #[arg(long, value_name = "SERVER")]
        server: Option<String>,
        /// At this command only: a cmdlet's name
        #[arg(long, value_name = "COMMAND")]
        step: Option<String>,
        /// Let so many matching commands pass before
        #[arg(long, value_name = "NUMBER")]
        after: Option<u32>,
        /// How often: a number, or always
        #[arg(long, value_name = "NUMBER")]
        times: Option<String>,
    },
    /// Show the names of faults, and those that wait for a command
    Faults,
    /// Take all waiting faults away, and bring unreachable servers, clocks and full disks back
    Heal,
    /// Break a server by hand, as a person at it would
    Break {
        /// The server
        #[arg(long, value_name = "SERVER")]
        server: String,
        #[command(subcommand)]
        how: How,
    },
    /// Show the event logs, oldest first (--json: docs/schema/lab-events.json)
    Events {
        /// Of this server only
        #[arg(long, value_name = "SERVER")]
        server: Option<String>,
        /// With this id only
        #[arg(long, value_name = "ID")]
        id: Option<u32>,
    },
    /// Run a cmdlet in a server's own shell, as a person at it would
    Shell {
        /// The server
        #[arg(long, value_name = "SERVER")]
        server: String,
        /// The cmdlet with its parameters, in one word; nothing can be asked: -Force, -Confirm:$false
        #[arg(value_name = "LINE")]
        line: String,
    },
    /// Write a file that a cmdlet made in the lab
    File {
        /// Its path in the lab
        #[arg(value_name = "PATH")]
        path: String,
        /// Where to; - is standard output
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
    },
    /// Keep the whole organisation as it is, under a name
    Checkpoint {
        /// The name
        name: String,
    },
    /// Make everything as it was at a checkpoint, which stays; every session ends
    Revert {
        /// The checkpoint's name
        name: String,
    },
    /// Write the lab's whole state as JSON
    Dump {
        /// Where to; - is standard output
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
    },
    /// End the lab
    Stop,
}

#[derive(Subcommand, Clone, Debug)]
enum How {
    /// Delete a certificate from the personal store
    DeleteCertificate {
        /// Its thumbprint, or a part of its subject
        certificate: String,
    },
    /// Lose the key of a certificate; the store still claims one
    LoseKey {
        /// Its thumbprint, or a part of its subject
        certificate: String,
    },
    /// Delete an entry of http.sys
    Unbind {
        /// Such as 0.0.0.0:444
        endpoint: String,
    },
    /// Point an entry of http.sys to a certificate
    Bind {
        /// Such as 0.0.0.0:443
        endpoint: String,
        /// Its thumbprint, or a part of its subject
        certificate: String,
    },
    /// Stop a service
    StopService {
        /// Such as `MSExchangeTransport`
        service: String,
    },
    /// Start a service
    StartService {
        /// Such as `MSExchangeTransport`
        service: String,
    },
    /// Restart Windows
    Reboot,
}

impl How {
    fn order(&self) -> Break {
        match self.clone() {
            Self::DeleteCertificate { certificate } => Break::DeleteCertificate { certificate },
            Self::LoseKey { certificate } => Break::LoseKey { certificate },
            Self::Unbind { endpoint } => Break::Unbind { endpoint },
            Self::Bind {
                endpoint,
                certificate,
            } => Break::Bind {
                endpoint,
                certificate,
            },
            Self::StopService { service } => Break::StopService { service },
            Self::StartService { service } => Break::StartService { service },
            Self::Reboot => Break::Reboot,
        }
    }
}

/// Reads `400d`, `12h`, `1w 2d`; a day has 24 hours, as a lab's clock knows no zone.
fn duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "expected a time such as 400d, 12h or 2w3d".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    if duration.is_negative() {
        return Err(wrong());
    }
    Ok(duration)
}

impl What {
    fn order(&self) -> Order {
        match self {
            Self::Advance { to: Some(time), .. } => Order::AdvanceTo { time: *time },
            Self::Advance { by, .. } => Order::Advance {
                seconds: by.unwrap_or_default().as_secs(),
            },
            Self::Fault {
                name,
                server,
                step,
                after,
                times,
            } => {
                let mut text = quoted(name);
                for (key, value) in [
                    ("server", server.clone()),
                    ("command", step.clone()),
                    ("after", after.map(|after| after.to_string())),
                    ("times", times.clone()),
                ] {
                    if let Some(value) = value {
                        text.push(' ');
                        text.push_str(&quoted(&format!("{key}={value}")));
                    }
                }
                Order::Fault { text }
            }
            Self::Faults => Order::Faults,
            Self::Heal => Order::Heal,
            Self::Break { server, how } => Order::Break {
                server: server.clone(),
                how: how.order(),
            },
            Self::Events { server, id } => Order::Events {
                server: server.clone(),
                id: *id,
            },
            Self::Shell { server, line } => Order::Shell {
                server: server.clone(),
                line: line.clone(),
            },
            Self::File { path, .. } => Order::File { path: path.clone() },
            Self::Checkpoint { name } => Order::Checkpoint { name: name.clone() },
            Self::Revert { name } => Order::Revert { name: name.clone() },
            Self::Dump { .. } => Order::Dump,
            Self::Stop => Order::Stop,
        }
    }
}

/// One word for the lab, whatever blanks are in it.
fn quoted(word: &str) -> String {
    let mark = if word.contains('"') { '\'' } else { '"' };
    format!("{mark}{word}{mark}")
}

pub(crate) fn run(context: &Context, args: &DoArgs) -> Result<Outcome, CommandError> {
    let lab = chosen(args.lab.as_deref())?;
    let reply = context
        .patiently("waiting for the lab …", || {
            control::ask(&lab, &args.what.order())
        })
        .map_err(|error| of_control(&error))?;
    match &args.what {
        What::Dump { output } => {
            let text = super::super::json_text(&reply)?;
            super::super::write(context, output, text.as_bytes())?;
        }
        _ if args.json => print_json(&reply)?,
        What::File { output, .. } => {
            super::super::write(context, output, word(&reply, "text").as_bytes())?;
        }
        What::Shell { .. } => print(context, &replied::shell(&reply, context)?)?,
        What::Advance { .. } => print(context, &replied::passed(&reply, context)?)?,
        What::Events { .. } => print(context, &replied::events(&reply, context)?)?,
        What::Faults => print(context, &replied::faults(&reply, context))?,
        What::Fault { .. } => context.say(&format!("set: {}", word(&reply, "fault"))),
        What::Heal => context.say("no fault waits; every server is reachable"),
        What::Break { server, .. } => context.say(&format!("done on {server}")),
        What::Checkpoint { name } => context.say(&format!("kept as {name}")),
        What::Revert { name } => context.say(&format!("as it was at {name}")),
        What::Stop => context.say(&format!("the lab {} ends", lab.name)),
    }
    Ok(Outcome::Done)
}

fn word<'a>(reply: &'a Value, key: &str) -> &'a str {
    reply.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn chosen(name: Option<&str>) -> Result<Entry, CommandError> {
    let mut labs = control::running().map_err(|error| of_control(&error))?;
    let names: Vec<String> = labs.iter().map(|lab| lab.name.clone()).collect();
    if names.is_empty() {
        return Err(CommandError::fixable("no lab runs").hint("exseal lab run --story NAME starts one"));
    }
    let at = match name {
        Some(name) => labs.iter().position(|lab| lab.name == name),
        None if labs.len() == 1 => Some(0),
        None => {
            return Err(CommandError::usage("expected one lab that runs, found several")
                .hint(format!("--lab {}", names.join(" or --lab "))));
        }
    };
    at.map(|at| labs.swap_remove(at)).ok_or_else(|| {
        CommandError::usage(format!(
            "expected the name of a lab that runs, found {:?}",
            name.unwrap_or_default()
        ))
        .hint(format!("there are {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_24_hours_and_nothing_goes_backwards() {
        assert_eq!(duration("400d"), Ok(SignedDuration::from_hours(9_600)));
        assert_eq!(duration("2w3d"), Ok(SignedDuration::from_hours(17 * 24)));
        assert!(duration("-1d").is_err());
        assert!(duration("1 month").is_err());
        assert!(duration("soon").is_err());
    }
}
