//! `exseal rescue`: the outage is ended first, the rest is listed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use exseal_engine::plan::{MendedBy, Rescue};
use exseal_model::plan::Proof;
use exseal_model::{Endpoint, Slot};
use exseal_run::{FileJournal, Probe as _};
use tokio_util::sync::CancellationToken;

use super::apply::{Asking, carry_out, confirm, forget_unbegun, journal_place, owner, runtime, servers};
use super::diagnose::Judging;
use super::{Outcome, json_text, print, print_json, write};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, LiveSources};
use crate::live::{LiveArgs, serial, to_change};
use crate::view::rescue::{proven_text, remains_text, text};

/// End an outage: shell, OWA and ECP are dead
///
/// Finds out what is really wrong, asks for one typed yes, starts what a failed setup disabled, and gives port 444 a
/// certificate that works: one that is there at once, else a new one. Nothing else is touched; what remains is listed. Needs
/// no cmdlet of Exchange. With --from, --sheet or --json it changes nothing.
#[derive(Args, Debug)]
pub(crate) struct RescueArgs {
    /// On these servers only
    #[arg(long, value_name = "SERVER", num_args = 1..)]
    on: Vec<String>,

    #[command(flatten)]
    sources: LiveSources,

    #[command(flatten)]
    judging: Judging,

    /// Do not ask before it begins
    #[arg(long)]
    yes: bool,

    /// Write a sheet to be pasted into Windows PowerShell on the server instead of doing it; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["yes", "json"])]
    sheet: Option<PathBuf>,

    /// Write plan and journal into this folder instead of the current one
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,

    /// Print what was found and what would be done as JSON (docs/schema/rescue.json)
    #[arg(long, conflicts_with = "yes")]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &RescueArgs) -> Result<Outcome, CommandError> {
    let rescue = look(context, args)?;
    tracing::info!(
        causes = rescue.causes.len(),
        steps = rescue.plan.steps.len(),
        "Plan rescue"
    );
    if args.json {
        print_json(&rescue)?;
        return Ok(Outcome::Done);
    }
    let typed = args.sources.typed();
    if let Some(path) = &args.sheet {
        return sheet(context, args, path, &rescue, &typed);
    }
    print(context, &text(&rescue, context))?;
    let Some(live) = args.sources.live() else {
        print(context, &remains_text(&rescue, &typed, context))?;
        return Ok(Outcome::Done);
    };
    if rescue.plan.steps.is_empty() {
        print(context, &remains_text(&rescue, &typed, context))?;
        return Ok(ended(&rescue));
    }
    carried_out(context, args, live, &rescue)?;

    context.say("looking again …");
    let proven = prove(context, args, live, &rescue)?;
    print(context, &proven_text(&proven, context))?;
    let after = look(context, args)?;
    if !after.causes.is_empty() {
        print(context, &text(&after, context))?;
    }
    print(context, &remains_text(&after, &typed, context))?;
    let good = proven.iter().all(|one| one.seen.is_ok());
    Ok(if good { ended(&after) } else { Outcome::Findings })
}

/// An outage that goes on is a finding.
fn ended(rescue: &Rescue) -> Outcome {
    if rescue.causes.is_empty() {
        Outcome::Done
    } else {
        Outcome::Findings
    }
}

fn look(context: &Context, args: &RescueArgs) -> Result<Rescue, CommandError> {
    let policy = inputs::policy(args.judging.policy.as_deref())?;
    let now = inputs::now(args.judging.now);
    let inventory = args.sources.inventory(context, now)?;
    Ok(exseal_engine::plan::rescue(&inventory, &policy, &args.on, now))
}

fn sheet(
    context: &Context,
    args: &RescueArgs,
    path: &Path,
    rescue: &Rescue,
    typed: &str,
) -> Result<Outcome, CommandError> {
    let alone = path.as_os_str() == "-";
    if !alone {
        print(context, &text(rescue, context))?;
    }
    if rescue.plan.steps.is_empty() {
        context.say("nothing is to be done by hand either: no sheet was written");
    } else {
        let module = exseal_exchange::change::MODULE;
        let on = match args.on.as_slice() {
            [one] => Some(one.as_str()),
            _ => None,
        };
        let text = exseal_engine::plan::sheet(&rescue.plan, on, module, serial).map_err(|servers| {
            CommandError::usage(format!(
                "expected one server to write a sheet for, found {}",
                servers.join(", ")
            ))
            .hint("a sheet is for one server: name it with --on")
        })?;
        let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        write(context, path, text.as_bytes())?;
    }
    if !alone {
        print(context, &remains_text(rescue, typed, context))?;
    }
    Ok(Outcome::Done)
}

fn carried_out(
    context: &Context,
    args: &RescueArgs,
    live: &LiveArgs,
    rescue: &Rescue,
) -> Result<(), CommandError> {
    let plan = &rescue.plan;
    let many = plan.steps.len();
    confirm(
        context,
        args.yes,
        &format!("carry out {many} steps to end the outage"),
    )?;
    let name = format!("exseal-rescue-{}.json", plan.id);
    let folder = args.journal.as_deref();
    let at = folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name));
    let place = journal_place(&at, folder, plan)?;
    let mut journal = FileJournal::create(&place).map_err(|error| {
        CommandError::fixable(format!("{}: {error}", place.display()))
            .hint("nothing was begun; free some space, or name another folder with --journal")
    })?;
    write(context, &at, json_text(plan)?.as_bytes())?;
    let run = format!("{}-{}", plan.id, std::process::id());
    let owner = owner();
    let asking = Asking {
        each: false,
        irreversible: false,
    };
    let ended = carry_out(
        context,
        &live.to_servers(servers(plan)),
        args.sources.passwords(),
        asking,
        (&place, plan),
        async |runner| runner.apply(plan, &run, &owner, &mut journal).await,
    );
    drop(journal);
    forget_unbegun(&place)?;
    ended.map(|_| ())
}

/// What a client saw afterwards.
pub(crate) struct Proven {
    /// What it had to see.
    pub(crate) proof: Proof,
    /// What it saw instead.
    pub(crate) seen: Result<(), String>,
}

/// How long a client's look is tried again: services have only just begun to start.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(2);

/// A client's look at 444 and the shell of every server that something was done to; of each, what stands against it.
fn prove(
    context: &Context,
    args: &RescueArgs,
    live: &LiveArgs,
    rescue: &Rescue,
) -> Result<Vec<Proven>, CommandError> {
    let servers = servers(&rescue.plan);
    let stop = CancellationToken::new();
    let live = live.to_servers(servers.clone());
    let (mut organisation, mut probe) = to_change(&live, args.sources.passwords(), context, &stop)?;
    let proofs = servers.into_iter().flat_map(|server| {
        let slot = Slot::BackEnd(Endpoint::any(444));
        [
            Proof::Answers {
                server: server.clone(),
                slot,
            },
            Proof::ShellOpens { server },
        ]
    });
    let all = runtime()?.block_on(async {
        let mut all = Vec::new();
        for proof in proofs {
            let mut waited = Duration::ZERO;
            let seen = loop {
                let found = match probe.look(&proof).await {
                    Ok(seen) if seen.holds => break Ok(()),
                    Ok(seen) => seen.found,
                    Err(fault) => fault.what,
                };
                if waited >= PATIENCE {
                    break Err(found);
                }
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            };
            all.push(Proven { proof, seen });
        }
        organisation.close().await;
        all
    });
    Ok(all)
}

/// What ends a cause, in words.
pub(crate) const fn mended_by(by: MendedBy) -> &'static str {
    match by {
        MendedBy::Plan => "ended by the steps below",
        MendedBy::Goal => "mended by a goal, below",
        MendedBy::Person => "for a person",
    }
}
