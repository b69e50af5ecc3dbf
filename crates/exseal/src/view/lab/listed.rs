//! The labs that run and the organisations that are built in.

use exseal_lab::control::Entry;
use exseal_lab::organisation::Organisation;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::view::paint::{BOLD, styled, wrapped};

/// What there is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listed {
    /// The labs that run, by name.
    running: Vec<LabRunning>,
    /// The organisations that are built in: the healthy ones, then the broken ones by number.
    stories: Vec<LabStory>,
}

/// A lab that runs.
#[derive(Debug, Serialize, JsonSchema)]
struct LabRunning {
    /// Its name.
    name: String,
    /// What it runs.
    what: String,
    /// Its process.
    process: u32,
    /// The connect.toml it wrote.
    connect_file: Option<String>,
}

/// An organisation that is built in.
#[derive(Debug, Serialize, JsonSchema)]
struct LabStory {
    /// Its name, for `exseal lab run --story`.
    name: String,
    /// Its number among the scenarios (docs/lab/stories.md); none: a healthy one.
    number: Option<u8>,
    /// What is wrong in it; none: nothing.
    title: Option<String>,
    /// How many servers it has.
    servers: usize,
}

impl Listed {
    pub(crate) fn new(running: &[Entry], stories: &[(&str, Organisation)]) -> Self {
        Self {
            running: running
                .iter()
                .map(|lab| LabRunning {
                    name: lab.name.clone(),
                    what: lab.what.clone(),
                    process: lab.process,
                    connect_file: lab.connect_file.as_ref().map(|path| path.display().to_string()),
                })
                .collect(),
            stories: stories
                .iter()
                .map(|(name, organisation)| LabStory {
                    name: (*name).to_owned(),
                    number: organisation.story.as_ref().map(|story| story.number),
                    title: organisation.story.as_ref().map(|story| story.title.clone()),
                    servers: organisation.servers.len(),
                })
                .collect(),
        }
    }
}

pub(crate) fn text(listed: &Listed, context: &Context) -> String {
    let mut out = String::new();
    if listed.running.is_empty() {
        out.push_str("no lab runs\n");
    }
    for lab in &listed.running {
        let file = lab
            .connect_file
            .as_ref()
            .map(|file| format!(", --connect {file}"))
            .unwrap_or_default();
        let line = format!(
            "runs: {} (process {}{file}): {}",
            styled(BOLD, &lab.name),
            lab.process,
            lab.what
        );
        out.push_str(&wrapped(&line, "", "  ", context.width));
    }
    out.push_str("\nexseal lab run --story NAME:\n");
    for story in &listed.stories {
        let title = story.title.clone().unwrap_or_else(|| match story.servers {
            1 => "Healthy, one server.".to_owned(),
            servers => format!("Healthy, {servers} servers."),
        });
        let line = format!("{}: {title}", styled(BOLD, &story.name));
        out.push_str(&wrapped(&line, "  ", "      ", context.width));
    }
    out
}
