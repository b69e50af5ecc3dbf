//! Every sentence a person reads about a finding, in one place: `messages/en.toml`.
//!
//! A language is one more file of the same keys. Placeholders stand in braces; [`fill`] puts the values in, and a test
//! holds that no check leaves one open.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

/// The sentences of one finding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// What should be.
    pub wanted: String,
    /// What is.
    pub found: String,
    /// What comes of it.
    pub consequence: String,
    /// Why it is so.
    pub cause: String,
    /// What to do.
    pub fix: String,
}

/// The catalogue.
#[derive(Clone, Debug, Deserialize)]
pub struct Catalogue {
    /// Sentences by the finding's name, or `name.variant`.
    pub finding: BTreeMap<String, Texts>,
    /// What stops when the certificate of a slot ends, by [`Slot::kind`](exseal_model::Slot::kind).
    pub ends: BTreeMap<String, String>,
    /// Sentences of plans, by key.
    pub plan: BTreeMap<String, String>,
}

const ENGLISH: &str = include_str!("../messages/en.toml");

/// The English catalogue.
///
/// # Panics
///
/// When the file that is built in is no catalogue, which a test rules out.
#[must_use]
pub fn english() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| match toml::from_str(ENGLISH) {
        Ok(catalogue) => catalogue,
        #[expect(clippy::panic, reason = "the file is part of the program; a test reads it")]
        Err(error) => panic!("messages/en.toml: {error}"),
    })
}

/// Puts values into a sentence. A placeholder without a value stays, so that a test can see it.
#[must_use]
pub fn fill(sentence: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(sentence.len() + 64);
    let mut rest = sentence;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let named = behind.split_once('}').and_then(|(name, behind)| {
            let (_, value) = values.iter().find(|(own, _)| *own == name)?;
            Some((value, behind))
        });
        if let Some((value, behind)) = named {
            filled.push_str(value);
            rest = behind;
        } else {
            filled.push('{');
            rest = behind;
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_reads_and_no_sentence_is_empty() {
        for (name, texts) in &english().finding {
            for sentence in [
                &texts.wanted,
                &texts.found,
                &texts.consequence,
                &texts.cause,
                &texts.fix,
            ] {
                assert!(!sentence.trim().is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn values_are_put_in_where_they_belong() {
        assert_eq!(fill("{a} and {b}", &[("a", "1".into())]), "1 and {b}");
        // A value is not looked at again, and a brace alone is a brace.
        let values = [("a", "{b}".into()), ("b", "2".into())];
        assert_eq!(fill("{ {a} {b}{", &values), "{ {b} 2{");
    }
}
