//! What the checks say.

use exseal_model::inventory::Server;
use exseal_model::{
    CannotTell, Consequence, Evidence, Finding, Inventory, Observed, Severity, Slot, SourceId,
};
use jiff::Timestamp;

use crate::messages::{english, fill};

/// Findings and what could not be told, as the checks say them.
#[derive(Debug, Default)]
pub struct Report {
    /// The check that is speaking.
    check: &'static str,
    /// Findings in the order they were said.
    pub findings: Vec<Finding>,
    /// What could not be told.
    pub cannot_tell: Vec<CannotTell>,
}

/// A finding while it is put together.
#[must_use]
pub struct Draft<'r> {
    report: &'r mut Report,
    variant: Option<&'static str>,
    severity: Severity,
    server: Option<String>,
    slot: Option<Slot>,
    also: Vec<Slot>,
    from: Option<Timestamp>,
    values: Vec<(&'static str, String)>,
    evidence: Vec<Evidence>,
}

impl Report {
    /// Begins a check's part.
    pub fn begin(&mut self, check: &'static str) {
        self.check = check;
    }

    /// Begins a finding of the check's own name.
    pub fn find(&mut self, severity: Severity) -> Draft<'_> {
        Draft {
            report: self,
            variant: None,
            severity,
            server: None,
            slot: None,
            also: Vec::new(),
            from: None,
            values: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Says that a slot could not be judged.
    pub fn cannot_tell(&mut self, server: Option<&Server>, slot: Option<Slot>, because: impl Into<String>) {
        self.cannot_tell.push(CannotTell {
            check: self.check.to_owned(),
            server: server.map(Server::shown),
            slot,
            because: because.into(),
        });
    }
}

impl Draft<'_> {
    /// Takes the sentences of `name.variant`.
    pub fn variant(mut self, variant: &'static str) -> Self {
        self.variant = Some(variant);
        self
    }

    /// The server it is about; its name fills `{server}`.
    pub fn server(mut self, server: &Server) -> Self {
        let name = server.shown();
        self.values.push(("server", name.clone()));
        self.server = Some(name);
        self
    }

    /// The slot it is about; its id fills `{slot}`.
    pub fn slot(mut self, slot: &Slot) -> Self {
        self.values.push(("slot", slot.to_string()));
        self.slot = Some(slot.clone());
        self
    }

    /// All slots it holds for; the one said by [`slot`](Self::slot) is left out.
    pub fn also(mut self, slots: &[Slot]) -> Self {
        self.also = slots.to_vec();
        self
    }

    /// From when on the consequence is felt.
    pub fn from(mut self, from: Timestamp) -> Self {
        self.from = Some(from);
        self
    }

    /// A value for a placeholder.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// What was seen, by its source.
    pub fn saw(mut self, inventory: &Inventory, source: Option<SourceId>, value: impl Into<String>) -> Self {
        let known = source.and_then(|id| inventory.source(id));
        self.evidence.push(Evidence {
            file: known.and_then(|source| source.file.clone()),
            what: known.map_or_else(|| "the inventory".to_owned(), |source| source.what.clone()),
            value: value.into(),
            source: source.filter(|_| known.is_some()),
        });
        self
    }

    /// What was seen of a property.
    pub fn saw_value<T: ToString>(self, inventory: &Inventory, name: &str, observed: &Observed<T>) -> Self {
        let Some(best) = observed.best() else { return self };
        let value = best
            .value
            .as_ref()
            .map_or_else(|| "(empty)".to_owned(), ToString::to_string);
        self.saw(inventory, Some(best.source), format!("{name} = {value}"))
    }

    /// Puts the finding into the report.
    pub fn say(self) {
        let name = self.report.check;
        let key = self
            .variant
            .map_or_else(|| name.to_owned(), |variant| format!("{name}.{variant}"));
        let texts = english().finding.get(&key);
        let sentence = |text: Option<&String>| text.map_or_else(String::new, |text| fill(text, &self.values));
        let finding = Finding {
            name: name.to_owned(),
            severity: self.severity,
            server: self.server.clone(),
            also: self
                .also
                .into_iter()
                .filter(|slot| Some(slot) != self.slot.as_ref())
                .collect(),
            slot: self.slot,
            wanted: sentence(texts.map(|texts| &texts.wanted)),
            found: sentence(texts.map(|texts| &texts.found)),
            consequence: Consequence {
                text: sentence(texts.map(|texts| &texts.consequence)),
                from: self.from,
            },
            evidence: self.evidence,
            cause: sentence(texts.map(|texts| &texts.cause)),
            fix: sentence(texts.map(|texts| &texts.fix)),
            follows: None,
        };
        debug_assert!(!finding.wanted.is_empty(), "messages/en.toml has no {key}");
        // A check says what it has to say about a server in one go: only its last findings can be the same again.
        let findings = &mut self.report.findings;
        let again = findings
            .iter()
            .rev()
            .take_while(|said| said.name == finding.name && said.server == finding.server)
            .any(|said| *said == finding);
        if !again {
            findings.push(finding);
        }
    }
}
