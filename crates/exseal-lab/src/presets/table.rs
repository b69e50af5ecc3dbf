//! The page of all scenarios: which preset is which, and which have none.

use std::fmt::Write as _;

/// Scenarios without a state that could be broken, with the reason.
pub const WITHOUT_STATE: &[(u8, &str)] = &[
    (
        9,
        "A question: the public certificate on 443 does not replace the one on 444. Nothing is broken; `healthy` has both.",
    ),
    (
        17,
        "A script that was not signed, copied wrongly or given the wrong thumbprint: the tool's state, not the organisation's.",
    ),
    (
        19,
        "A wish, to look before an update: `healthy` is what a green report needs, any other story what it must not pass.",
    ),
    (
        29,
        "A wish, to watch with few rights: the user `viewer` of every preset has them.",
    ),
    (
        33,
        "A command file with a parameter that does not exist and a password in clear text: nothing of it reaches a server.",
    ),
    (35, "POP and IMAP are off by design: `healthy` shows it."),
    (
        43,
        "A runbook that restarts too much: what it leaves behind is a healthy organisation.",
    ),
    (
        55,
        "One error code, two causes: port 444 without certificate is `back-end-deleted`; an account name ending in `$` is the caller's.",
    ),
    (
        67,
        "A name that resolves elsewhere: the simulation runs no name server; names lead where `connect.toml` says.",
    ),
    (
        73,
        "A TLSA record that pins the old key: the simulation has no DNS zone.",
    ),
    (
        74,
        "A web hoster that answers for the root domain: a host outside of the organisation, in DNS.",
    ),
];

/// The page `docs/lab/stories.md`.
#[must_use]
pub fn stories_page() -> String {
    let mut rows: std::collections::BTreeMap<u8, String> = WITHOUT_STATE
        .iter()
        .map(|(number, why)| (*number, format!("| {number} | none | {why} |")))
        .collect();
    for name in super::names() {
        if let Some(Ok(organisation)) = super::get(name)
            && let Some(story) = organisation.story
        {
            let shows: Vec<String> = story.shows.iter().map(|own| format!("`{own}`")).collect();
            rows.insert(
                story.number,
                format!(
                    "| {} | `{name}` | {} Shows: {}. |",
                    story.number,
                    story.title,
                    shows.join("; ")
                ),
            );
        }
    }
    let mut page = String::from(
        "# Broken organisations\n\n\
         One row for each scenario that exseal knows. `exseal_lab::presets::get(NAME)` is the organisation; a scenario without\n\
         one says why. The sentences of how a story shows are held against the simulation by a test, which also writes this\n\
         page (`EXSEAL_UPDATE=1 cargo nextest run -p exseal-lab --test stories`). The language of the sentences:\n\
         `crates/exseal-lab/src/presets/symptom.rs`.\n\n\
         | # | name | what is broken |\n|---|---|---|\n",
    );
    for row in rows.values() {
        let _ = writeln!(page, "{row}");
    }
    page
}
