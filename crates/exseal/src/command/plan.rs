//! `exseal plan`: what would be done for a goal, step by step; nothing is changed.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use exseal_exchange::files::Given;
use exseal_model::{Goal, Inventory, Plan, Thumbprint};
use jiff::Timestamp;

use super::diagnose::Judging;
use super::{Outcome, json_text, print, print_json, write};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, LiveSources, Passwords};
use crate::view::plan::{fix_text, text};

/// Say what would be done for a goal, step by step; changes nothing
///
/// Goals: "back-end renew", "internal-transport renew", "front-end rebind THUMBPRINT", "services start", "cleanup"; or "fix" for
/// all that diagnose finds and a goal can mend, grouped by urgency. Several goals make one plan.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    command: Option<PlanCommand>,

    #[command(flatten)]
    make: Make,
}

#[derive(Subcommand, Debug)]
enum PlanCommand {
    Show(ShowArgs),
    Script(ScriptArgs),
}

/// Show a plan that was written
#[derive(Args, Debug)]
struct ShowArgs {
    /// The plan
    plan: PathBuf,

    /// Print it as it is, in JSON (docs/schema/plan.json)
    #[arg(long)]
    json: bool,
}

/// Write a plan as a Windows PowerShell 5.1 script, for those who have to run it by hand
#[derive(Args, Debug)]
struct ScriptArgs {
    /// The plan
    plan: PathBuf,

    /// The steps of this server only
    #[arg(long, value_name = "NAME")]
    server: Option<String>,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Make {
    /// What is asked for
    #[arg(value_name = "GOAL", required = true, num_args = 1..)]
    goal: Vec<String>,

    /// On these servers only
    #[arg(long, value_name = "SERVER", num_args = 1..)]
    on: Vec<String>,

    #[command(flatten)]
    sources: LiveSources,

    #[command(flatten)]
    judging: Judging,

    /// Inventories seen earlier: `cleanup` takes away only what they show unused
    #[arg(long, value_name = "PATH", num_args = 1..)]
    earlier: Vec<PathBuf>,

    /// Before `cleanup` takes a certificate away whose key may be exported, write both into this folder, behind a password that
    /// `apply` asks for: the way back
    #[arg(long, value_name = "DIR")]
    backup: Option<PathBuf>,

    /// Write the plan to this file; of `fix`, one plan a group into this folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print JSON (docs/schema/plan.json, of `fix` docs/schema/fix.json)
    #[arg(long)]
    json: bool,
}

/// What the words of the command line ask for.
enum Asked {
    Goals(Vec<Goal>),
    Fix,
}

pub(crate) fn run(context: &Context, args: &PlanArgs) -> Result<Outcome, CommandError> {
    match &args.command {
        Some(PlanCommand::Show(args)) => {
            let plan = read(&args.plan)?;
            if args.json {
                print_json(&plan)?;
            } else {
                print(context, &text(&plan, context))?;
            }
            Ok(Outcome::Done)
        }
        Some(PlanCommand::Script(args)) => script(context, args),
        None => make(context, &args.make),
    }
}

fn make(context: &Context, args: &Make) -> Result<Outcome, CommandError> {
    let mut asked = asked(&args.goal, &args.on)?;
    back_up(&mut asked, args.backup.as_deref())?;
    let policy = inputs::policy(args.judging.policy.as_deref())?;
    let now = inputs::now(args.judging.now);
    let earlier = args
        .earlier
        .iter()
        .map(|path| seen_earlier(path, args.sources.passwords(), context))
        .collect::<Result<Vec<_>, _>>()?;
    let inventory = args.sources.inventory(context, now)?;
    match asked {
        Asked::Goals(goals) => {
            let plan = exseal_engine::plan::plan(&inventory, &policy, &goals, &earlier, now);
            tracing::info!(steps = plan.steps.len(), waits = plan.waits.len(), "Make plan");
            // First the file: a reader of the text may go away.
            if let Some(path) = &args.output {
                write(context, path, json_text(&plan)?.as_bytes())?;
            }
            if args.json {
                print_json(&plan)?;
            } else {
                print(context, &text(&plan, context))?;
            }
        }
        Asked::Fix => {
            let fix = exseal_engine::plan::fix(&inventory, &policy, &earlier, now);
            if args.json {
                print_json(&fix)?;
            } else {
                print(context, &fix_text(&fix, context))?;
            }
            if let Some(folder) = &args.output {
                std::fs::create_dir_all(folder).map_err(|error| {
                    CommandError::fixable(format!("cannot make the folder {}: {error}", folder.display()))
                })?;
                for group in &fix.groups {
                    let path = folder.join(format!("{}.json", group.urgency.name()));
                    write(context, &path, json_text(&group.plan)?.as_bytes())?;
                }
            }
        }
    }
    Ok(Outcome::Done)
}

/// Puts the folder of `--backup` into the goals that take certificates away.
fn back_up(asked: &mut Asked, folder: Option<&Path>) -> Result<(), CommandError> {
    let Some(folder) = folder else { return Ok(()) };
    // The plan may be carried out from elsewhere.
    let folder = std::path::absolute(folder)?;
    let folder = folder.to_str().ok_or_else(|| {
        CommandError::usage(format!(
            "--backup: expected a path in Unicode, found {}",
            folder.display()
        ))
    })?;
    let mut any = false;
    if let Asked::Goals(goals) = asked {
        for goal in goals {
            if let Goal::Cleanup { backup, .. } = goal {
                *backup = Some(folder.to_owned());
                any = true;
            }
        }
    }
    if any {
        return Ok(());
    }
    Err(
        CommandError::usage("--backup: expected the goal cleanup, found others")
            .hint("only `cleanup` takes certificates away"),
    )
}

fn script(context: &Context, args: &ScriptArgs) -> Result<Outcome, CommandError> {
    let plan = read(&args.plan)?;
    let module = exseal_exchange::change::MODULE;
    let text = exseal_engine::plan::script(&plan, args.server.as_deref(), module, crate::live::serial);
    let text = text.map_err(|servers| {
        let name = args.server.as_deref().unwrap_or("none");
        CommandError::usage(format!(
            "expected one server of the plan ({}), found {name}",
            servers.join(", ")
        ))
        .hint("a script is for one server: name it with --server")
    })?;
    // Windows PowerShell 5.1 takes a script without a mark for one of the local code page.
    let text = text.replace("\r\n", "\n");
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend(text.replace('\n', "\r\n").into_bytes());
    let path = args.output.as_deref().unwrap_or_else(|| Path::new("-"));
    write(context, path, &bytes)?;
    Ok(Outcome::Done)
}

/// Reads a plan.
pub(crate) fn read(path: &Path) -> Result<Plan, CommandError> {
    let text = std::fs::read(path).map_err(|error| {
        CommandError::fixable(format!("cannot read the plan {}: {error}", path.display()))
    })?;
    Plan::from_json(&text).map_err(|error| {
        CommandError::fixable(format!("{}: {error}", path.display()))
            .hint("make it anew with `exseal plan … -o plan.json`; a plan is not edited by hand")
    })
}

/// An inventory and when its youngest value was seen.
fn seen_earlier(
    path: &Path,
    passwords: &Passwords,
    context: &Context,
) -> Result<(Timestamp, Inventory), CommandError> {
    let given = [Given {
        server: None,
        path: path.to_path_buf(),
    }];
    let inventory = inputs::inventory(&given, passwords, context)?;
    let at = inventory.sources.iter().filter_map(|source| source.at).max();
    let at = at.ok_or_else(|| {
        CommandError::fixable(format!(
            "expected an inventory that says when it was seen, found none of its values dated in {}",
            path.display()
        ))
        .hint("`exseal discover --live -o FILE` and the collector write times")
    })?;
    Ok((at, inventory))
}

/// Goals by their words.
fn asked(words: &[String], on: &[String]) -> Result<Asked, CommandError> {
    let servers = || on.to_vec();
    // A goal may be given as one word in quotation marks, or as several.
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    let mut rest = words.as_slice();
    let mut goals = Vec::new();
    while let Some((first, others)) = rest.split_first() {
        let (goal, left) = match (*first, others) {
            ("back-end", ["renew", left @ ..]) => (Goal::BackEndRenew { servers: servers() }, left),
            ("internal-transport", ["renew", left @ ..]) => {
                (Goal::InternalTransportRenew { servers: servers() }, left)
            }
            ("front-end", ["rebind", thumbprint, left @ ..]) => {
                let certificate: Thumbprint = thumbprint.parse().map_err(|error| {
                    CommandError::usage(format!(
                        "front-end rebind: expected the thumbprint of a certificate, found {thumbprint}: {error}"
                    ))
                })?;
                let servers = servers();
                (Goal::FrontEndRebind { certificate, servers }, left)
            }
            ("services", ["start", left @ ..]) => (Goal::ServicesStart { servers: servers() }, left),
            ("cleanup", left) => {
                let goal = Goal::Cleanup {
                    servers: servers(),
                    backup: None,
                };
                (goal, left)
            }
            ("fix", []) if goals.is_empty() && on.is_empty() => return Ok(Asked::Fix),
            ("fix", _) => {
                return Err(CommandError::usage(
                    "expected `fix` alone, found it with other goals or --on",
                ));
            }
            (other, _) => {
                return Err(CommandError::usage(format!("expected a goal, found `{other}`")).hint(
                    "goals are: back-end renew, internal-transport renew, front-end rebind THUMBPRINT, services start, cleanup, fix",
                ));
            }
        };
        goals.push(goal);
        rest = left;
    }
    Ok(Asked::Goals(goals))
}
