//! What was seen, by whom, and what was not: [`Observed`], [`Listing`] and the [`record!`](crate::record) that is made of them.
//!
//! *Unknown* is an answer and never reads as *missing*: a field nobody looked at has no sighting, a
//! field somebody found empty has a sighting without a value. Nothing here reads a clock or a file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The way in by which something was seen.
///
/// INVARIANT: the order is the order of trust, most trusted first (architecture.md, "Channels").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// What a client saw on the wire.
    Wire,
    /// The server itself: certificate stores, http.sys, IIS, services.
    Server,
    /// What an Exchange cmdlet returned.
    Exchange,
    /// The directory.
    Directory,
    /// What another tool computed and wrote down (HealthChecker).
    Tool,
    /// What the person who started exseal said.
    Person,
}

/// One look at the organisation: a file, a cmdlet, a probe.
///
/// INVARIANT: the derived order puts the more trusted source first, then the younger one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The way in.
    pub channel: Channel,
    /// What was asked, in its own words: `Get-ExchangeCertificate`, `applicationHost.config`, `netsh http show sslcert`.
    pub what: String,
    /// Where the answer was kept: a path as given on the command line; inside a ZIP `archive.zip!member`; of a live look
    /// the address that was asked: `ldaps://dc1.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// When it was seen, if the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// True when no recorded export of a real server backs this reader: the shape is from documentation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrecorded: bool,
}

/// The place of a [`Source`] in [`Inventory::sources`](crate::Inventory::sources).
///
/// INVARIANT: after merging, the smaller id is the more trusted source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SourceId(pub u32);

/// One answer of one source: a value, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting<T> {
    /// The value; `None` when the source looked and found the place empty.
    pub value: Option<T>,
    /// Who says so.
    pub source: SourceId,
}

/// A value as the sources saw it.
///
/// Written as `{"value", "source"}`, with further sightings in `also`; a value that nobody saw is left out of its
/// object and named in the object's `unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed<T> {
    /// Nobody saw it; the reasons, if any were given, in no particular order and without repetition.
    Unknown(Vec<String>),
    /// What was seen. INVARIANT: not empty; in the order of [`SourceId`], so the first is the most trusted.
    Seen(Vec<Sighting<T>>),
}

impl<T> Default for Observed<T> {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl<T> Observed<T> {
    /// A value seen by `source`.
    pub fn seen(value: T, source: SourceId) -> Self {
        Self::Seen(vec![Sighting {
            value: Some(value),
            source,
        }])
    }

    /// Seen by `source` to be empty.
    #[must_use]
    pub fn absent(source: SourceId) -> Self {
        Self::Seen(vec![Sighting { value: None, source }])
    }

    /// Seen by `source`: a value, or empty.
    pub fn looked(value: Option<T>, source: SourceId) -> Self {
        Self::Seen(vec![Sighting { value, source }])
    }

    /// Not seen, because of `reason`.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown(vec![reason.into()])
    }

    /// The most trusted value that is there; `None` when unknown **or** seen to be empty.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.known().flatten()
    }

    /// The most trusted answer: `None` when unknown, `Some(None)` when seen to be empty.
    #[must_use]
    pub fn known(&self) -> Option<Option<&T>> {
        self.best().map(|sighting| sighting.value.as_ref())
    }

    /// The most trusted sighting.
    #[must_use]
    pub fn best(&self) -> Option<&Sighting<T>> {
        self.sightings().first()
    }

    /// All sightings, most trusted first; empty when unknown.
    #[must_use]
    pub fn sightings(&self) -> &[Sighting<T>] {
        match self {
            Self::Unknown(_) => &[],
            Self::Seen(sightings) => sightings,
        }
    }

    /// Whether nobody saw it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether somebody looked and the most trusted answer is that the place is empty.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.known(), Some(None))
    }

    /// Why it was not seen; empty when it was, or when nobody gave a reason.
    #[must_use]
    pub fn reasons(&self) -> &[String] {
        match self {
            Self::Unknown(reasons) => reasons,
            Self::Seen(_) => &[],
        }
    }
}

impl<T: PartialEq> Observed<T> {
    /// Whether two sources gave different answers.
    #[must_use]
    pub fn disagrees(&self) -> bool {
        let mut sightings = self.sightings().iter();
        let Some(first) = sightings.next() else {
            return false;
        };
        sightings.any(|other| other.value != first.value)
    }
}

/// Things that several sources may tell about, put together without loss.
pub trait Merge {
    /// Adds what `other` saw. Commutative and idempotent once source ids are common to both.
    fn merge(&mut self, other: Self);
    /// Renames every source id.
    fn map_sources(&mut self, rename: &dyn Fn(SourceId) -> SourceId);
}

impl<T: PartialEq> Merge for Observed<T> {
    fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Seen(mine), Self::Seen(theirs)) => {
                for sighting in theirs {
                    if !mine.contains(&sighting) {
                        mine.push(sighting);
                    }
                }
                // Equal sources cannot be told apart by trust; their first answer stays first.
                mine.sort_by_key(|sighting| sighting.source);
            }
            (Self::Seen(_), Self::Unknown(_)) => {}
            (Self::Unknown(_), seen @ Self::Seen(_)) => *self = seen,
            (Self::Unknown(mine), Self::Unknown(theirs)) => {
                mine.extend(theirs);
                mine.sort();
                mine.dedup();
            }
        }
    }

    fn map_sources(&mut self, rename: &dyn Fn(SourceId) -> SourceId) {
        if let Self::Seen(sightings) = self {
            for sighting in &mut *sightings {
                sighting.source = rename(sighting.source);
            }
            sightings.sort_by_key(|sighting| sighting.source);
        }
    }
}

/// One source's look at a whole list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// Who looked.
    pub source: SourceId,
    /// Whether the source shows all there is: only then is what it does not show missing.
    pub complete: bool,
}

/// Something with a name of its own inside a [`Listing`].
pub trait Keyed: Merge {
    /// What tells two items apart; compared as Exchange compares it (names without regard to case).
    type Key: Ord;
    /// The item's key.
    fn key(&self) -> Self::Key;
    /// The sources that showed it.
    fn listed_by(&mut self) -> &mut Vec<SourceId>;
}

/// A list as the sources saw it; unknown when nobody looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listing<T> {
    /// Who looked, in the order of trust; empty: nobody, and the list is unknown.
    pub looks: Vec<Look>,
    /// What was seen. One item a key; in the source's order until merged, then in the order of the keys.
    pub items: Vec<T>,
    /// Why nobody looked.
    #[serde(skip)]
    pub reasons: Vec<String>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            looks: Vec::new(),
            items: Vec::new(),
            reasons: Vec::new(),
        }
    }
}

impl<T> Listing<T> {
    /// Whether nobody looked.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.looks.is_empty()
    }

    /// Whether a source showed all there is, so that what is not here is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.looks.iter().any(|look| look.complete)
    }

    /// The items.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<'a, T> IntoIterator for &'a Listing<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Keyed> Listing<T> {
    /// What one source showed, marked as listed by it. Two items of one key are merged.
    pub fn of(items: impl IntoIterator<Item = T>, source: SourceId, complete: bool) -> Self {
        let mut listing = Self {
            looks: vec![Look { source, complete }],
            ..Self::default()
        };
        for mut item in items {
            *item.listed_by() = vec![source];
            listing.add(item);
        }
        listing
    }

    /// Adds one item, merging it with one of the same key.
    fn add(&mut self, item: T) {
        let key = item.key();
        match self.items.iter_mut().find(|mine| mine.key() == key) {
            Some(mine) => mine.merge(item),
            None => self.items.push(item),
        }
    }
}

impl<T: Keyed> Merge for Listing<T> {
    fn merge(&mut self, other: Self) {
        let mut looks: BTreeMap<SourceId, bool> = BTreeMap::new();
        for look in self.looks.iter().chain(&other.looks) {
            *looks.entry(look.source).or_default() |= look.complete;
        }
        self.looks = looks
            .into_iter()
            .map(|(source, complete)| Look { source, complete })
            .collect();

        let mut items: BTreeMap<T::Key, T> = BTreeMap::new();
        for item in std::mem::take(&mut self.items).into_iter().chain(other.items) {
            match items.entry(item.key()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(item);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => place.get_mut().merge(item),
            }
        }
        self.items = items.into_values().collect();

        self.reasons.extend(other.reasons);
        self.reasons.sort();
        self.reasons.dedup();
        if !self.looks.is_empty() {
            self.reasons.clear();
        }
    }

    fn map_sources(&mut self, rename: &dyn Fn(SourceId) -> SourceId) {
        for look in &mut self.looks {
            look.source = rename(look.source);
        }
        self.looks.sort();
        for item in &mut self.items {
            item.map_sources(rename);
        }
    }
}

/// What a [`record!`](crate::record) field must offer to be written, merged and named as unknown.
#[doc(hidden)]
pub trait Field: Merge + Default {
    /// Whether nobody saw it.
    fn hidden(&self) -> bool;
    /// Why.
    fn why(&self) -> Vec<String>;
    /// Puts reasons back after reading.
    fn explain(&mut self, reasons: Vec<String>);
}

impl<T: PartialEq> Field for Observed<T> {
    fn hidden(&self) -> bool {
        self.is_unknown()
    }
    fn why(&self) -> Vec<String> {
        self.reasons().to_vec()
    }
    fn explain(&mut self, reasons: Vec<String>) {
        if let Self::Unknown(mine) = self {
            *mine = reasons;
        }
    }
}

impl<T: Keyed> Field for Listing<T> {
    fn hidden(&self) -> bool {
        self.is_unknown()
    }
    fn why(&self) -> Vec<String> {
        self.reasons.clone()
    }
    fn explain(&mut self, reasons: Vec<String>) {
        self.reasons = reasons;
    }
}

impl<T: Serialize> Serialize for Observed<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One<'a, T> {
            value: Option<&'a T>,
            source: SourceId,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            also: Vec<Other<'a, T>>,
        }
        #[derive(Serialize)]
        struct Other<'a, T> {
            value: Option<&'a T>,
            source: SourceId,
        }
        let Some((first, rest)) = self.sightings().split_first() else {
            return Err(serde::ser::Error::custom(
                "an unknown value is left out of its object",
            ));
        };
        One {
            value: first.value.as_ref(),
            source: first.source,
            also: rest
                .iter()
                .map(|s| Other {
                    value: s.value.as_ref(),
                    source: s.source,
                })
                .collect(),
        }
        .serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Observed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let one = Written::<T>::deserialize(deserializer)?;
        let mut sightings = vec![Sighting {
            value: one.value,
            source: one.source,
        }];
        sightings.extend(one.also.into_iter().map(|o| Sighting {
            value: o.value,
            source: o.source,
        }));
        Ok(Self::Seen(sightings))
    }
}

/// How an [`Observed`] that was seen is written.
#[derive(Deserialize, JsonSchema)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Written<T> {
    /// The most trusted value; null: seen to be empty.
    value: Option<T>,
    /// The place of its source in `sources`.
    source: SourceId,
    /// What further sources saw, in the order of trust.
    #[serde(default)]
    also: Vec<WrittenToo<T>>,
}

/// A further sighting.
#[derive(Deserialize, JsonSchema)]
struct WrittenToo<T> {
    value: Option<T>,
    source: SourceId,
}

impl<T: JsonSchema> JsonSchema for Observed<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Observed_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::<T>::json_schema(generator)
    }
}

/// Adds the key `unknown` to the schema of a record: field name to reasons.
#[doc(hidden)]
pub fn add_unknown(schema: &mut schemars::Schema) {
    let unknown = schemars::json_schema!({
        "description": "Fields that nobody saw, each with the reasons that were given.",
        "type": "object",
        "additionalProperties": { "type": "array", "items": { "type": "string" } }
    });
    let properties = schema
        .ensure_object()
        .entry("properties")
        .or_insert_with(|| serde_json::json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("unknown".to_owned(), unknown.to_value());
    }
}

/// Defines a noun of the inventory: keys that name it, fields that were seen or not, and parts of its own.
///
/// Gives `new(keys…)`, [`Merge`], serde and JSON schema. A field that nobody saw is left out of the JSON and
/// named, with its reasons, in the object's `unknown`.
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(key { $($(#[$kmeta:meta])* $key:ident : $kty:ty),* $(,)? })?
            seen { $($(#[$fmeta:meta])* $field:ident : $fty:ty),* $(,)? }
            $(lists { $($(#[$lmeta:meta])* $list:ident : $lty:ty),* $(,)? })?
            $(parts { $($(#[$pmeta:meta])* $part:ident : $pty:ty),* $(,)? })?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, schemars::JsonSchema)]
        #[schemars(transform = $crate::observed::add_unknown)]
        #[non_exhaustive]
        pub struct $name {
            $($($(#[$kmeta])* pub $key: $kty,)*)?
            /// The sources that showed it.
            #[serde(default)]
            pub by: Vec<$crate::SourceId>,
            $($(#[$fmeta])* #[serde(default)] pub $field: $crate::Observed<$fty>,)*
            $($($(#[$lmeta])* #[serde(default)] pub $list: $crate::Listing<$lty>,)*)?
            $($($(#[$pmeta])* #[serde(default)] pub $part: $pty,)*)?
        }

        impl $name {
            /// One of which nothing but its name is known yet.
            #[allow(clippy::new_without_default, clippy::allow_attributes, clippy::missing_const_for_fn, reason = "made for records with and without a key")]
            #[must_use]
            pub fn new($($($key: $kty),*)?) -> Self {
                Self {
                    $($($key,)*)?
                    by: Vec::new(),
                    $($field: $crate::Observed::default(),)*
                    $($($list: $crate::Listing::default(),)*)?
                    $($($part: <$pty>::default(),)*)?
                }
            }

            /// The names of the fields that nobody saw, in the order of their definition.
            #[must_use]
            pub fn unknown_fields(&self) -> Vec<&'static str> {
                #[allow(unused_imports, clippy::allow_attributes, reason = "records without fields")]
                use $crate::observed::Field as _;
                let mut names = Vec::new();
                $(if self.$field.hidden() { names.push(stringify!($field)); })*
                $($(if self.$list.hidden() { names.push(stringify!($list)); })*)?
                names
            }
        }

        impl $crate::Merge for $name {
            fn merge(&mut self, other: Self) {
                self.by.extend(other.by);
                self.by.sort();
                self.by.dedup();
                $($crate::Merge::merge(&mut self.$field, other.$field);)*
                $($($crate::Merge::merge(&mut self.$list, other.$list);)*)?
                $($($crate::Merge::merge(&mut self.$part, other.$part);)*)?
            }

            fn map_sources(&mut self, rename: &dyn Fn($crate::SourceId) -> $crate::SourceId) {
                for source in &mut self.by {
                    *source = rename(*source);
                }
                self.by.sort();
                $($crate::Merge::map_sources(&mut self.$field, rename);)*
                $($($crate::Merge::map_sources(&mut self.$list, rename);)*)?
                $($($crate::Merge::map_sources(&mut self.$part, rename);)*)?
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_imports, clippy::allow_attributes, reason = "records without fields")]
                use $crate::observed::Field as _;
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                let mut unknown: Vec<(&'static str, Vec<String>)> = Vec::new();
                $($(map.serialize_entry(stringify!($key), &self.$key)?;)*)?
                if !self.by.is_empty() {
                    map.serialize_entry("by", &self.by)?;
                }
                $(if self.$field.hidden() {
                    unknown.push((stringify!($field), self.$field.why()));
                } else {
                    map.serialize_entry(stringify!($field), &self.$field)?;
                })*
                $($(if self.$list.hidden() {
                    unknown.push((stringify!($list), self.$list.why()));
                } else {
                    map.serialize_entry(stringify!($list), &self.$list)?;
                })*)?
                $($(map.serialize_entry(stringify!($part), &self.$part)?;)*)?
                if !unknown.is_empty() {
                    let unknown: std::collections::BTreeMap<_, _> = unknown.into_iter().collect();
                    map.serialize_entry("unknown", &unknown)?;
                }
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                struct Read {
                    $($($key: $kty,)*)?
                    #[serde(default)]
                    by: Vec<$crate::SourceId>,
                    $(#[serde(default)] $field: $crate::Observed<$fty>,)*
                    $($(#[serde(default)] $list: $crate::Listing<$lty>,)*)?
                    $($(#[serde(default)] $part: $pty,)*)?
                    #[serde(default)]
                    unknown: std::collections::BTreeMap<String, Vec<String>>,
                }
                #[allow(unused_imports, clippy::allow_attributes, reason = "records without fields")]
                use $crate::observed::Field as _;
                #[allow(unused_mut, clippy::allow_attributes, reason = "records without fields")]
                let mut read = Read::deserialize(deserializer)?;
                $(if let Some(reasons) = read.unknown.remove(stringify!($field)) {
                    read.$field.explain(reasons);
                })*
                $($(if let Some(reasons) = read.unknown.remove(stringify!($list)) {
                    read.$list.explain(reasons);
                })*)?
                Ok(Self {
                    $($($key: read.$key,)*)?
                    by: read.by,
                    $($field: read.$field,)*
                    $($($list: read.$list,)*)?
                    $($($part: read.$part,)*)?
                })
            }
        }
    };
}

/// Makes a [`record!`](crate::record) an item of a [`Listing`], told apart by the given key.
#[macro_export]
macro_rules! keyed {
    ($name:ident, $key:ty, |$item:ident| $value:expr) => {
        impl $crate::Keyed for $name {
            type Key = $key;
            fn key(&self) -> Self::Key {
                let $item = self;
                $value
            }
            fn listed_by(&mut self) -> &mut Vec<$crate::SourceId> {
                &mut self.by
            }
        }
    };
}
