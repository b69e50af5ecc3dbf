//! `exseal apply`, `rollback`, `verify`, `journal`: a plan is carried out, taken back, and proven.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use exseal_model::Plan;
use exseal_model::plan::{Inverse, Proof, Which};
use exseal_run::{FileJournal, Options, Phase, Runner, State, Stop, Told, read_journal};
use tokio_util::sync::CancellationToken;

use super::{Outcome, print, print_json};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{From, Passwords};
use crate::live::{Machine, WayArgs, to_change};
use crate::view::run::{Looked, journal_text, line, looked_text};

/// Carry out a plan, or go on with a run that was broken off
///
/// Every step is written to a journal before it is begun. What has moved since the plan was made stops the run before the step
/// that depends on it. With the journal a run goes on (--resume) or is taken back (`exseal rollback`).
#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// The plan
    #[arg(required_unless_present = "resume")]
    plan: Option<PathBuf>,

    /// Go on with the run of this journal
    #[arg(long, value_name = "JOURNAL", conflicts_with = "plan")]
    resume: Option<PathBuf>,

    /// Write the journal into this folder instead of beside the plan
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    journal: Option<PathBuf>,

    /// Treat servers as this policy says: canary, window, pause, drain (docs/apply.md)
    #[arg(long, value_name = "FILE|NAME", conflicts_with = "resume")]
    policy: Option<String>,

    /// Do not ask before it begins
    #[arg(long)]
    yes: bool,

    /// Ask before every step
    #[arg(long)]
    step: bool,

    /// Do not ask again before a step that cannot be taken back
    #[arg(long, requires = "yes")]
    also_irreversible: bool,

    #[command(flatten)]
    way: WayArgs,

    #[command(flatten)]
    passwords: Passwords,
}

/// Take a run back, the last step first
#[derive(Args, Debug)]
pub(crate) struct RollbackArgs {
    /// The run's journal
    journal: PathBuf,

    /// Do not ask before it begins
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    way: WayArgs,

    #[command(flatten)]
    passwords: Passwords,
}

/// Look again at everything a plan or a run should have brought about, or at every slot of an inventory, from the client's side;
/// changes nothing
///
/// Exit codes: 0 everything is as it should be, 3 something is not or could not be looked at.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The plan, or the run's journal
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    what: Option<PathBuf>,

    /// Exports, folders, ZIPs or inventory files: whether clients are shown on every slot what these say
    #[arg(long = "from", value_name = "PATH", num_args = 1..)]
    from: Vec<From>,

    /// Print JSON (docs/schema/verify.json)
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    way: WayArgs,

    #[command(flatten)]
    passwords: Passwords,
}

/// Show what journals say
#[derive(Args, Debug)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(Subcommand, Debug)]
enum JournalCommand {
    Show(ShowArgs),
}

/// Show how a run stands, step by step
#[derive(Args, Debug)]
struct ShowArgs {
    /// The journal
    journal: PathBuf,

    /// Print its lines as they are, as a JSON array
    #[arg(long)]
    json: bool,
}

/// How a person is asked.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) each: bool,
    pub(super) irreversible: bool,
}

pub(crate) fn apply(context: &Context, args: &ApplyArgs) -> Result<Outcome, CommandError> {
    let asking = Asking {
        each: args.step,
        irreversible: !args.also_irreversible,
    };
    if let Some(path) = &args.resume {
        let (mut journal, state) = open(path)?;
        confirm(context, args.yes, &format!("go on with the run {}", state.run))?;
        let servers = servers(&state.plan);
        return carry_out(
            context,
            &args.way.to(servers),
            &args.passwords,
            asking,
            (path, &state.plan.clone()),
            async |runner| runner.resume(state, &mut journal).await,
        );
    }
    let Some(path) = &args.plan else {
        return Err(CommandError::usage("expected a plan, found none"));
    };
    let plan = super::plan::read(path)?;
    let conduct = crate::inputs::policy(args.policy.as_deref())?.apply;
    if plan.steps.is_empty() {
        context.say("nothing is to be done");
        return Ok(Outcome::Done);
    }
    let place = journal_place(path, args.journal.as_deref(), &plan)?;
    if place.exists() {
        return Err(CommandError::fixable(format!(
            "this plan was begun already: its journal is {}",
            place.display()
        ))
        .hint(format!(
            "`exseal apply --resume {0}` goes on, `exseal rollback {0}` takes it back; a plan is applied once",
            place.display()
        )));
    }
    print(context, &crate::view::plan::text(&plan, context))?;
    let many = plan.steps.len();
    confirm(
        context,
        args.yes,
        &format!("carry out {many} steps of plan {}", plan.id),
    )?;
    let mut journal = FileJournal::create(&place).map_err(|error| {
        CommandError::fixable(format!("{}: {error}", place.display()))
            .hint("nothing was begun; free some space, or name another folder with --journal")
    })?;
    let run = format!("{}-{}", plan.id, std::process::id());
    let owner = owner();
    let servers = servers(&plan);
    let ended = carry_out(
        context,
        &args.way.to(servers),
        &args.passwords,
        asking,
        (&place, &plan),
        async |runner| {
            runner
                .apply_with(&plan, &conduct, &run, &owner, &mut journal)
                .await
        },
    );
    drop(journal);
    forget_unbegun(&place)?;
    ended
}

/// A run that could not even begin, for want of a password or of disk, leaves no journal in the way of the next.
pub(super) fn forget_unbegun(journal: &Path) -> std::io::Result<()> {
    if was_begun(journal) {
        return Ok(());
    }
    std::fs::remove_file(journal)
}

/// Whether a journal has anything to say.
fn was_begun(journal: &Path) -> bool {
    std::fs::metadata(journal).map_or(true, |file| file.len() > 0)
}

pub(crate) fn rollback(context: &Context, args: &RollbackArgs) -> Result<Outcome, CommandError> {
    let (mut journal, state) = open(&args.journal)?;
    confirm(context, args.yes, &format!("take the run {} back", state.run))?;
    let servers = servers(&state.plan);
    let asking = Asking {
        each: false,
        irreversible: false,
    };
    carry_out(
        context,
        &args.way.to(servers),
        &args.passwords,
        asking,
        (&args.journal, &state.plan.clone()),
        async |runner| runner.roll_back(state, &mut journal).await,
    )
}

pub(crate) fn verify(context: &Context, args: &VerifyArgs) -> Result<Outcome, CommandError> {
    let Some(path) = &args.what else {
        return verify_slots(context, args);
    };
    let bytes = read(path)?;
    let (mut state, planned) = match Plan::from_json(&bytes) {
        Ok(plan) => (State::as_applied(plan, []), true),
        // A journal is lines that each say what they are.
        Err(_) if is_journal(&bytes) => {
            let (entries, _) = read_journal(&bytes).map_err(|error| damaged(path, &error))?;
            (State::of(&entries).map_err(|error| damaged(path, &error))?, false)
        }
        Err(error) => {
            return Err(damaged(path, &error).hint("expected a plan, or the journal of a run"));
        }
    };
    let live = args.way.to(servers(&state.plan));
    let stop = CancellationToken::new();
    let (organisation, mut probe) = to_change(&live, &args.passwords, context, &stop)?;
    let mut organisation = organisation.with_backups(backups(&state.plan, &args.passwords)?);
    let all = runtime()?.block_on(async {
        if planned
            && state
                .plan
                .steps
                .iter()
                .any(|step| step.change.makes_certificate())
        {
            // No journal says what was made: it is looked for.
            match organisation.whole().await {
                Ok(inventory) => {
                    let made = exseal_engine::plan::made(&state.plan, &inventory);
                    state = State::as_applied(state.plan, made);
                }
                Err(fault) => return Err(fault),
            }
        }
        let mut runner = Runner {
            organisation: &mut organisation,
            probe: &mut probe,
            host: &mut Machine::of(path),
            options: Options::default(),
            told: &mut |_, _| true,
        };
        let all = runner.verify(&state).await;
        organisation.close().await;
        Ok(all)
    });
    let all = all.map_err(|fault| CommandError::fixable(fault.to_string()))?;
    let looks = all.into_iter().map(Looked::of_step).collect();
    looked(context, args.json, looks)
}

/// Tells what was looked at: done where everything was seen to be as it should be.
fn looked(context: &Context, json: bool, looks: Vec<Looked>) -> Result<Outcome, CommandError> {
    let outcome = if looks.iter().all(|one| one.holds == Some(true)) {
        Outcome::Done
    } else {
        Outcome::Findings
    };
    if json {
        print_json(&looks)?;
    } else {
        print(context, &looked_text(&looks, context))?;
    }
    Ok(outcome)
}

fn is_journal(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|value| value.get("entry").is_some())
}

/// Looks at every slot of an inventory that shows a certificate on the wire.
fn verify_slots(context: &Context, args: &VerifyArgs) -> Result<Outcome, CommandError> {
    let given: Vec<_> = args.from.iter().map(|from| from.given().clone()).collect();
    let inventory = crate::inputs::inventory(&given, &args.passwords, context)?;
    let looks: Vec<(String, Proof)> = exseal_engine::slots(&inventory)
        .into_iter()
        .filter_map(|one| {
            let own = inventory.servers.get(one.server?)?;
            let server = own.shown();
            let certificate = Which::Known(one.thumbprint()?);
            let slot = one.slot;
            crate::live::is_shown(own, &slot).then(|| {
                let proof = Proof::Presents {
                    server: server.clone(),
                    slot,
                    certificate,
                };
                (server, proof)
            })
        })
        .collect();
    if looks.is_empty() {
        return Err(CommandError::fixable(
            "expected slots whose certificate is known and shown to clients, found none",
        ));
    }
    let mut names: Vec<String> = looks.iter().map(|(server, _)| server.clone()).collect();
    names.dedup();
    let stop = CancellationToken::new();
    let (mut organisation, mut probe) = to_change(&args.way.to(names), &args.passwords, context, &stop)?;
    let all = runtime()?.block_on(async {
        let mut all = Vec::new();
        for (server, proof) in &looks {
            let seen = exseal_run::Probe::look(&mut probe, proof).await;
            let what = exseal_engine::plan::words::proof(proof);
            all.push(Looked::of_server(server, what, seen));
        }
        organisation.close().await;
        all
    });
    looked(context, args.json, all)
}

pub(crate) fn journal(context: &Context, args: &JournalArgs) -> Result<Outcome, CommandError> {
    let JournalCommand::Show(args) = &args.command;
    let bytes = read(&args.journal)?;
    let (entries, whole) = read_journal(&bytes).map_err(|error| damaged(&args.journal, &error))?;
    if args.json {
        print_json(&entries)?;
        return Ok(Outcome::Done);
    }
    let state = State::of(&entries).map_err(|error| damaged(&args.journal, &error))?;
    let mut text = journal_text(&state, &entries, context);
    if whole < bytes.len() {
        text.push_str("its last line was being written when the run was broken off; it never took effect\n");
    }
    text.push_str(&next(&state, &args.journal));
    print(context, &text)?;
    Ok(Outcome::Done)
}

/// Drives a run over the real organisation and says how it ended and what to type next.
pub(super) fn carry_out(
    context: &Context,
    live: &crate::live::LiveArgs,
    passwords: &Passwords,
    asking: Asking,
    (place, plan): (&Path, &Plan),
    work: impl AsyncFnOnce(
        &mut Runner<'_, crate::live::Changing, crate::live::Eye, Machine>,
    ) -> Result<State, Stop>,
) -> Result<Outcome, CommandError> {
    let stop = CancellationToken::new();
    let (organisation, mut probe) = to_change(live, passwords, context, &stop)?;
    let mut organisation = organisation.with_backups(backups(plan, passwords)?);
    let ended = runtime()?.block_on(async {
        let (saying, stopping) = (context.clone(), stop.clone());
        let listening = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                saying.say("stopping: what is under way is broken off, the journal knows");
                stopping.cancel();
            }
        });
        let mut told = |_: &State, told: Told<'_>| match told {
            Told::Line(entry) => {
                if let Some(words) = line(entry, context) {
                    context.say(&words);
                }
                true
            }
            Told::Waits(server, left) => {
                if context.progress && left.as_secs() % 60 < 2 {
                    context.say(&format!("{server} is left alone for {} s yet", left.as_secs()));
                }
                !stop.is_cancelled()
            }
            Told::Next(step) => {
                if stop.is_cancelled() {
                    return false;
                }
                let irreversible = asking.irreversible && matches!(step.inverse, Inverse::Irreversible(_));
                let what = exseal_engine::plan::words::change(&step.change);
                context.say(&format!(
                    "step {} on {}: {what}",
                    step.number,
                    step.change.server()
                ));
                if asking.each || irreversible {
                    let question = if irreversible {
                        format!(
                            "{}\nthis cannot be taken back: do it?",
                            exseal_engine::plan::words::inverse(&step.inverse)
                        )
                    } else {
                        "do it?".to_owned()
                    };
                    return asked(&question);
                }
                true
            }
        };
        let mut runner = Runner {
            organisation: &mut organisation,
            probe: &mut probe,
            host: &mut Machine::of(place),
            options: Options::default(),
            told: &mut told,
        };
        let ended = work(&mut runner).await;
        organisation.close().await;
        listening.abort();
        ended
    });
    match ended {
        Ok(state) => {
            let text = crate::view::run::ended_text(&state, context);
            print(context, &format!("{text}{}", next(&state, place)))?;
            Ok(Outcome::Done)
        }
        Err(stop) => {
            let shown = place.display();
            let before = match &stop {
                Stop::Undrain { .. }
                | Stop::Unwell { .. }
                | Stop::Drain { .. }
                | Stop::StillMaintained { .. } => "look at that server first; ",
                Stop::Maintenance { .. } => {
                    "without `maintenance` in the policy's [apply] nobody asks for it; "
                }
                Stop::NoRoom { .. } | Stop::CannotReadRoom { .. } => {
                    "the policy's `free-disk-mib` says how much it has to be, 0 does not ask; "
                }
                Stop::NoOwnRoom { .. } | Stop::CannotReadOwnRoom(_) => {
                    "free some space there, or let the policy's `free-disk-mib` say how much it has to be, 0 does not ask; "
                }
                _ => "",
            };
            if !was_begun(place) {
                let hint = format!("{before}nothing was begun, and --journal names another folder");
                return Err(CommandError::fixable(stop.to_string()).hint(hint));
            }
            let out: String = left_out(place)
                .into_iter()
                .map(|words| format!("{words}; "))
                .collect();
            Err(CommandError::fixable(stop.to_string()).hint(format!(
                "{out}{before}the journal is {shown}: `exseal apply --resume {shown}` goes on, `exseal rollback {shown}` takes it back, `exseal journal show {shown}` tells how it stands"
            )))
        }
    }
}

/// What a run that stopped left out of service, as its journal says; nothing where it cannot be read.
fn left_out(place: &Path) -> Vec<String> {
    let state = std::fs::read(place)
        .ok()
        .and_then(|bytes| read_journal(&bytes).ok())
        .and_then(|(entries, _)| State::of(&entries).ok());
    state.map_or_else(Vec::new, |state| crate::view::run::out_of_service(&state))
}

/// What to type next.
fn next(state: &State, place: &Path) -> String {
    let place = place.display();
    match state.phase {
        Phase::Applying => {
            format!("next: exseal apply --resume {place}   or   exseal rollback {place}\n")
        }
        Phase::TakingBack => format!("next: exseal rollback {place}\n"),
        Phase::Ended(exseal_run::Outcome::Applied) => {
            format!("next: exseal verify {place}; to take it back: exseal rollback {place}\n")
        }
        Phase::Ended(exseal_run::Outcome::TakenBack) => "next: look again, and make a new plan\n".to_owned(),
    }
}

/// The password of a plan's backups, where it has some.
fn backups(plan: &Plan, passwords: &Passwords) -> Result<Option<exseal_exchange::Secret>, CommandError> {
    plan.has_backups().then(|| passwords.of_backups()).transpose()
}

pub(super) fn servers(plan: &Plan) -> Vec<String> {
    let mut servers: Vec<String> = plan
        .steps
        .iter()
        .map(|step| step.change.server().to_owned())
        .collect();
    servers.sort();
    servers.dedup();
    servers
}

pub(super) fn journal_place(plan: &Path, folder: Option<&Path>, of: &Plan) -> Result<PathBuf, CommandError> {
    let name = format!("exseal-{}.journal", of.id);
    match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| {
                CommandError::fixable(format!("cannot make the folder {}: {error}", folder.display()))
            })?;
            Ok(folder.join(name))
        }
        None => Ok(plan.with_file_name(name)),
    }
}

fn open(path: &Path) -> Result<(FileJournal, State), CommandError> {
    let (journal, entries) = FileJournal::open(path).map_err(|error| damaged(path, &error))?;
    let state = State::of(&entries).map_err(|error| damaged(path, &error))?;
    Ok((journal, state))
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(path).map_err(|error| {
        CommandError::fixable(format!("cannot read the journal {}: {error}", path.display()))
    })
}

fn damaged(path: &Path, error: &dyn std::error::Error) -> CommandError {
    CommandError::fixable(format!("{}: {error}", path.display()))
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// Who works, for those who find the lock.
pub(super) fn owner() -> String {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| std::env::var(name).ok());
    let user = first(["USERNAME", "USER"]).unwrap_or_else(|| "somebody".to_owned());
    let host = first(["COMPUTERNAME", "HOSTNAME"]).unwrap_or_else(|| "an admin station".to_owned());
    format!("{user} at {host}")
}

pub(super) fn confirm(context: &Context, yes: bool, what: &str) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(
            CommandError::usage(format!("expected a yes to {what}, found nobody to ask"))
                .hint("--yes says it beforehand"),
        );
    }
    context.say("");
    if asked(&format!("{what}?")) {
        return Ok(());
    }
    Err(CommandError::fixable("nothing was begun, as was asked"))
}

/// A typed yes; everything else is a no.
fn asked(question: &str) -> bool {
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} Type yes: ");
    let _ = err.flush();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).is_ok() && line.trim().eq_ignore_ascii_case("yes")
}
