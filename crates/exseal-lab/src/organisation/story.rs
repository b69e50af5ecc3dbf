//! What a broken organisation tells about itself.

use serde::{Deserialize, Serialize};

/// What is broken here, how it shows, and what to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoryRecipe {
    /// Its number in the catalogue of scenarios.
    pub number: u8,
    /// What is wrong, in one sentence.
    pub title: String,
    /// How it shows, in the language of [`Symptom`](crate::presets::Symptom).
    #[serde(default)]
    pub shows: Vec<String>,
    /// What a person may try.
    #[serde(default, rename = "try")]
    pub tries: Vec<String>,
}
