//! `exseal demo`: the whole main job on a sample of our own.

use clap::Args;
use exseal_exchange::files::{self, Given, Options};

use super::{Outcome, print};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::pages;
use crate::view;

/// The sample's day: its certificates are made around it.
const NOW: &str = "2026-11-24T09:00:00Z";

/// Show the whole main job on a small organisation with a dozen faults
///
/// The exports are built in (examples/kiefer in the source); nothing is read from this machine.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Print the diagnosis as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &DemoArgs) -> Result<Outcome, CommandError> {
    let now = NOW
        .parse()
        .map_err(|_| CommandError::fixable("the sample's day cannot be read"))?;
    // The readers take paths, as they do from everybody: the sample is put where they can reach it, and removed.
    let folder = tempfile::tempdir()?;
    for (name, content) in pages::SAMPLE {
        let path = folder.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
    }
    let given = [Given {
        server: None,
        path: folder.path().to_path_buf(),
    }];
    let mut reading = files::read(
        &given,
        &Options {
            password: &|_| None,
            limits: files::Limits::default(),
        },
    );
    let shown = folder.path().display().to_string();
    for file in &mut reading.files {
        for source in &mut file.inventory.sources {
            source.file = source
                .file
                .as_ref()
                .map(|path| path.replace(&shown, "examples/kiefer").replace('\\', "/"));
        }
    }
    let inventory = exseal_engine::merge(reading.into_inventories());
    let diagnosis = exseal_engine::diagnose(&inventory, &exseal_engine::Policy::default(), now);
    if args.json {
        super::print_json(&diagnosis)?;
        return Ok(Outcome::Done);
    }
    let typed = |command: &str| {
        let line = format!("exseal {command} --from examples/kiefer --now {NOW}");
        format!("{}\n", view::paint::wrapped(&line, "", "    ", context.width))
    };
    let mut out = typed("diagnose");
    out.push_str(&view::diagnose::text(&diagnosis, &inventory, false, context));
    let status = exseal_engine::auth::status(&inventory, &exseal_engine::Policy::default(), now);
    out.push('\n');
    out.push_str(&typed("auth status"));
    out.push_str(&view::auth::text(&status, context));
    print(context, &out)?;
    context.say("next: exseal explain NAME, or exseal diagnose --from YOUR-EXPORTS (docs/exports.md says how to make them)");
    Ok(Outcome::Done)
}
