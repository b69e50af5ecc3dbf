//! One object of the directory, and the whole answer.

use std::collections::{BTreeMap, BTreeSet};

use exseal_model::{Observed, SourceId};
use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

use super::name;

/// An object. Names of attributes are kept in lower case, values in the directory's order.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) dn: String,
    values: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// Reads an object of a search's answer; `None` for what has not the form of RFC 4511 4.5.2.
    pub(super) fn read(found: ResultEntry) -> Option<Self> {
        let mut parts = constructed(found.0)?.into_iter();
        let dn = String::from_utf8(primitive(parts.next()?)?).ok()?;
        let mut values = BTreeMap::new();
        for attribute in constructed(parts.next()?)? {
            let mut parts = constructed(attribute)?.into_iter();
            let name = String::from_utf8(primitive(parts.next()?)?).ok()?;
            let own = constructed(parts.next()?)?
                .into_iter()
                .map(primitive)
                .collect::<Option<Vec<_>>>()?;
            values.insert(name.to_ascii_lowercase(), own);
        }
        Some(Self { dn, values })
    }

    #[cfg(test)]
    pub(super) fn new(dn: &str, values: &[(&str, &[u8])]) -> Self {
        let mut entry = Self {
            dn: dn.to_owned(),
            ..Self::default()
        };
        for (name, value) in values {
            entry
                .values
                .entry(name.to_ascii_lowercase())
                .or_default()
                .push(value.to_vec());
        }
        entry
    }

    fn own(&self, attribute: &str) -> &[Vec<u8>] {
        self.values
            .get(&attribute.to_ascii_lowercase())
            .map_or(&[], Vec::as_slice)
    }

    /// The first value as text.
    pub(super) fn text(&self, attribute: &str) -> Option<&str> {
        std::str::from_utf8(self.own(attribute).first()?).ok()
    }

    /// The first value as it is.
    pub(super) fn bytes(&self, attribute: &str) -> Option<&[u8]> {
        self.own(attribute).first().map(Vec::as_slice)
    }

    /// All values as they are.
    pub(super) fn all_bytes(&self, attribute: &str) -> impl Iterator<Item = &[u8]> {
        self.own(attribute).iter().map(Vec::as_slice)
    }

    /// All values that are text.
    pub(super) fn texts(&self, attribute: &str) -> impl Iterator<Item = &str> {
        self.own(attribute)
            .iter()
            .filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// Whether it is of a class, or of one below it.
    pub(super) fn is_a(&self, class: &str) -> bool {
        self.texts("objectClass")
            .any(|own| own.eq_ignore_ascii_case(class))
    }

    /// Its own name: `cn`, else the first part of its distinguished name.
    pub(super) fn name(&self) -> String {
        self.text("cn")
            .map_or_else(|| name::leaf(&self.dn), str::to_owned)
    }

    /// Whether the directory gave some of an attribute's values only (`member;range=0-1499`).
    fn is_cut(&self, attribute: &str) -> bool {
        let start = format!("{};range=", attribute.to_ascii_lowercase());
        self.values.keys().any(|own| own.starts_with(&start))
    }
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// All objects of the one search.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    entries: Vec<Entry>,
    /// Names of attributes that at least one object has, in lower case.
    shown: BTreeSet<String>,
    /// Servers by their distinguished names as they are compared, with their own names.
    servers: BTreeMap<String, String>,
    /// Whether nothing is missing at its end.
    pub(super) complete: bool,
}

impl Answer {
    pub(super) fn new(entries: Vec<Entry>, complete: bool) -> Self {
        let shown = entries
            .iter()
            .flat_map(|entry| entry.values.keys().cloned())
            .collect();
        let servers = entries
            .iter()
            .filter(|entry| entry.is_a("msExchExchangeServer"))
            .map(|entry| (name::compared(&entry.dn), entry.name()))
            .collect();
        Self {
            entries,
            shown,
            servers,
            complete,
        }
    }

    pub(super) fn of_class(&self, class: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.is_a(class))
    }

    /// Whether a list of a class' objects shows all there is. `known`: whether the class' name is more than hearsay; of one
    /// that is not, no object may mean a wrong name.
    pub(super) fn is_whole(&self, class: &str, known: bool) -> bool {
        self.complete && (known || self.of_class(class).any(|_| true))
    }

    /// The name of the server an object lies below.
    pub(super) fn server_of(&self, entry: &Entry) -> Option<&str> {
        let mut rest = name::parent(&entry.dn);
        while let Some(dn) = rest {
            if let Some(server) = self.servers.get(&name::compared(dn)) {
                return Some(server);
            }
            rest = name::parent(dn);
        }
        None
    }

    /// What `read` makes of an attribute. Not there: seen to be empty where another object shows the attribute, else unknown.
    pub(super) fn observed<T>(
        &self,
        entry: &Entry,
        attribute: &str,
        source: SourceId,
        read: impl FnOnce(&Entry) -> Result<T, String>,
    ) -> Observed<T> {
        if entry.is_cut(attribute) {
            return Observed::unknown(format!("the directory gave some values of {attribute} only"));
        }
        if !entry.own(attribute).is_empty() {
            return match read(entry) {
                Ok(value) => Observed::seen(value, source),
                Err(why) => Observed::unknown(format!("{attribute}: {why}")),
            };
        }
        if self.shown.contains(&attribute.to_ascii_lowercase()) {
            Observed::absent(source)
        } else {
            Observed::unknown(format!("no object in the directory shows {attribute}"))
        }
    }

    /// A text.
    pub(super) fn text(&self, entry: &Entry, attribute: &str, source: SourceId) -> Observed<String> {
        self.observed(entry, attribute, source, |entry| {
            entry
                .text(attribute)
                .map(str::to_owned)
                .ok_or_else(|| "no text".to_owned())
        })
    }

    /// A list of texts, put into order: the directory keeps none.
    pub(super) fn list(&self, entry: &Entry, attribute: &str, source: SourceId) -> Observed<Vec<String>> {
        let listed = self.observed(entry, attribute, source, |entry| {
            let mut texts: Vec<String> = entry.texts(attribute).map(str::to_owned).collect();
            texts.sort();
            Ok(texts)
        });
        match listed {
            seen @ Observed::Seen(_) if seen.is_absent() => Observed::seen(Vec::new(), source),
            other => other,
        }
    }

    /// The names of the objects that distinguished names point to.
    pub(super) fn names(&self, entry: &Entry, attribute: &str, source: SourceId) -> Observed<Vec<String>> {
        match self.list(entry, attribute, source) {
            Observed::Seen(mut sightings) => {
                for sighting in &mut sightings {
                    for value in sighting.value.iter_mut().flatten() {
                        *value = name::leaf(value);
                    }
                }
                Observed::Seen(sightings)
            }
            unknown @ Observed::Unknown(_) => unknown,
        }
    }

    /// Flags: an integer; absent counts as 0, as Exchange reads it.
    pub(super) fn flags(&self, entry: &Entry, attribute: &str, source: SourceId) -> Observed<u32> {
        let read = self.observed(entry, attribute, source, |entry| number(entry, attribute));
        if read.is_absent() {
            Observed::seen(0, source)
        } else {
            read
        }
    }

    /// A truth value; `default` where the attribute is not set.
    pub(super) fn truth(
        &self,
        entry: &Entry,
        attribute: &str,
        default: bool,
        source: SourceId,
    ) -> Observed<bool> {
        let read = self.observed(entry, attribute, source, |entry| match entry.text(attribute) {
            Some("TRUE") => Ok(true),
            Some("FALSE") => Ok(false),
            other => Err(format!("expected TRUE or FALSE, found {other:?}")),
        });
        if read.is_absent() {
            Observed::seen(default, source)
        } else {
            read
        }
    }
}

/// An integer of LDAP, which is signed: flags that use its highest bit are negative there.
pub(super) fn number(entry: &Entry, attribute: &str) -> Result<u32, String> {
    let text = entry.text(attribute).unwrap_or_default();
    text.parse::<i64>()
        .ok()
        .and_then(|number| {
            u32::try_from(number)
                .ok()
                .or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
        })
        .ok_or_else(|| format!("expected a number of 32 bits, found {text:?}"))
}

/// Turns what was observed into something else, keeping who saw it.
pub(super) fn map<T, U>(observed: Observed<T>, turn: impl Fn(T) -> U) -> Observed<U> {
    match observed {
        Observed::Unknown(reasons) => Observed::Unknown(reasons),
        Observed::Seen(sightings) => Observed::Seen(
            sightings
                .into_iter()
                .map(|sighting| exseal_model::Sighting {
                    value: sighting.value.map(&turn),
                    source: sighting.source,
                })
                .collect(),
        ),
    }
}
