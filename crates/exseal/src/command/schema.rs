//! `exseal schema`: the published schemas, generated from the types.

use std::path::PathBuf;

use clap::Args;
use schemars::{Schema, SchemaGenerator};

use super::{Outcome, print_json};
use crate::command_error::CommandError;
use crate::context::Context;

/// Print the JSON schema of a command's output
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct SchemaArgs {
    /// auth-status, checks, diagnose, diff, fix, forecast, inspect, inventory, lab-events, lab-list, lab-run, plan, probe,
    /// rehearse, report, rescue, session-check, session-exec or verify
    #[arg(required_unless_present = "all")]
    name: Option<String>,

    /// Write every schema into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "name")]
    all: Option<PathBuf>,
}

/// Every schema by name.
pub(crate) fn schemas() -> Vec<(&'static str, Schema)> {
    fn of<T: schemars::JsonSchema>() -> Schema {
        SchemaGenerator::default().into_root_schema_for::<T>()
    }
    vec![
        ("auth-status", of::<exseal_engine::auth::AuthStatus>()),
        ("checks", of::<Vec<super::checks::CheckLine>>()),
        ("diagnose", of::<exseal_engine::Diagnosis>()),
        ("diff", of::<exseal_engine::Difference>()),
        ("fix", of::<exseal_engine::plan::Fix>()),
        ("forecast", of::<exseal_engine::Forecast>()),
        ("inspect", of::<crate::view::inspect::Inspected>()),
        ("lab-events", of::<crate::view::lab::Events>()),
        ("lab-list", of::<crate::view::lab::Listed>()),
        ("lab-run", of::<crate::view::lab::Started>()),
        ("plan", of::<exseal_model::Plan>()),
        ("probe", of::<crate::view::probe::Probed>()),
        ("rehearse", of::<super::rehearse::Rehearsed>()),
        ("rescue", of::<exseal_engine::plan::Rescue>()),
        ("report", of::<crate::view::report::Report>()),
        ("inventory", of::<exseal_model::Inventory>()),
        ("session-check", of::<crate::view::session::CheckedAll<'static>>()),
        ("session-exec", of::<crate::view::session::Executed>()),
        ("verify", of::<Vec<crate::view::run::Looked>>()),
    ]
}

pub(crate) fn run(_: &Context, args: &SchemaArgs) -> Result<Outcome, CommandError> {
    if let Some(folder) = &args.all {
        std::fs::create_dir_all(folder)?;
        for (name, schema) in schemas() {
            let mut text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::from)?;
            text.push('\n');
            std::fs::write(folder.join(format!("{name}.json")), text)?;
        }
        return Ok(Outcome::Done);
    }
    let wanted = args.name.as_deref().unwrap_or_default();
    let Some((_, schema)) = schemas().into_iter().find(|(name, _)| *name == wanted) else {
        let names: Vec<&str> = schemas().into_iter().map(|(name, _)| name).collect();
        return Err(CommandError::usage(format!(
            "expected one of {}, found {wanted:?}",
            names.join(", ")
        )));
    };
    print_json(&schema)?;
    Ok(Outcome::Done)
}
