//! Looking for objects.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Instant;

use ldap3_proto::proto::{LdapFilter, LdapPartialAttribute, LdapSearchResultEntry};

use super::dn::{self, Place};
use super::schema::{self, Attribute};
use super::{Entry, Tree, filter};

/// How far below its base a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Base,
    OneLevel,
    Subtree,
}

/// Where a search begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// At an object of the tree.
    Object(Place),
    /// Nowhere: no such object; the nearest one above that is there, or nothing.
    Missing(String),
    /// In another directory.
    Elsewhere(String),
    /// At a text that is no name.
    Malformed,
}

/// What is asked.
pub(crate) struct Asked<'a> {
    pub(crate) base: Place,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a LdapFilter,
    pub(crate) attributes: &'a [String],
    pub(crate) types_only: bool,
    /// Where the page before ended.
    pub(crate) after: Option<Place>,
    /// How many objects at most.
    pub(crate) limit: usize,
    pub(crate) deadline: Instant,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<LdapSearchResultEntry>,
    /// The last object of these, where more would follow.
    pub(crate) more: Option<Place>,
    /// Whether time ran out.
    pub(crate) out_of_time: bool,
}

impl Tree {
    /// Where a search of this base begins.
    pub(crate) fn base(&self, text: &str) -> Base {
        let Ok(place) = dn::place(text) else {
            return Base::Malformed;
        };
        if self.entries.contains_key(&place) {
            return Base::Object(place);
        }
        let is_here = self
            .contexts
            .iter()
            .any(|(_, context)| place.starts_with(context));
        match dn::dns_of(&place) {
            // Another domain's name says where it would be.
            Some(dns) if !is_here => Base::Elsewhere(url(&dns, text)),
            _ => {
                let above = (1..place.len()).rev().find_map(|length| {
                    let above: Place = place.get(..length)?.to_vec();
                    self.entries.get(&above).map(|entry| entry.dn.clone())
                });
                Base::Missing(above.unwrap_or_default())
            }
        }
    }

    /// The naming contexts below the base that are asked for elsewhere, as addresses.
    pub(crate) fn references(&self, base: &Place, scope: Scope) -> Vec<String> {
        let Some(context) = self.entries.get(base).map(|entry| entry.context) else {
            return Vec::new();
        };
        let below = self.contexts.iter().enumerate().skip(context + 1);
        below
            .filter(|(at, (_, place))| {
                place.starts_with(base)
                    && *at == context + 1
                    && match scope {
                        Scope::Base => false,
                        Scope::OneLevel => place.len() == base.len() + 1,
                        Scope::Subtree => true,
                    }
            })
            .map(|(_, (name, _))| {
                let own = url(&self.domain, name);
                if scope == Scope::OneLevel {
                    format!("{own}??base")
                } else {
                    own
                }
            })
            .collect()
    }

    /// Looks for objects, in the order of their places.
    pub(crate) fn search(&self, asked: &Asked<'_>) -> Found {
        let mut found = Found::default();
        let context = self.entries.get(&asked.base).map(|entry| entry.context);
        let wanted = Selection::of(asked.attributes);
        let from = match &asked.after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(&asked.base),
        };
        let mut last: Option<&Place> = None;
        let range: std::collections::btree_map::Range<'_, Place, Entry> =
            BTreeMap::range::<Place, _>(&self.entries, (from, Bound::Unbounded));
        for (at, (place, entry)) in range.enumerate() {
            if !place.starts_with(&asked.base) {
                break;
            }
            if at % 64 == 0 && Instant::now() >= asked.deadline {
                found.out_of_time = true;
                break;
            }
            let in_scope = Some(entry.context) == context
                && match asked.scope {
                    Scope::Base => place.len() == asked.base.len(),
                    Scope::OneLevel => place.len() == asked.base.len() + 1,
                    Scope::Subtree => true,
                };
            if in_scope && filter::matches(asked.filter, entry) == Some(true) {
                if found.entries.len() >= asked.limit {
                    found.more = last.cloned();
                    break;
                }
                found.entries.push(wanted.of_entry(entry, asked.types_only));
                last = Some(place);
            }
            if asked.scope == Scope::Base {
                break;
            }
        }
        found
    }

    /// One object, for a comparison.
    pub(crate) fn entry(&self, place: &Place) -> Option<&Entry> {
        self.entries.get(place)
    }
}

/// `ldap://contoso.lab/CN=Configuration,DC=contoso,DC=lab` (RFC 4516).
fn url(host: &str, name: &str) -> String {
    let mut out = format!("ldap://{host}/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Which attributes are wanted (RFC 4511 4.5.1.8).
struct Selection {
    all: bool,
    operational: bool,
    named: Vec<&'static Attribute>,
}

impl Selection {
    fn of(attributes: &[String]) -> Self {
        Self {
            all: attributes.is_empty() || attributes.iter().any(|name| name == "*"),
            operational: attributes.iter().any(|name| name == "+"),
            named: attributes
                .iter()
                .filter_map(|name| schema::attribute(name))
                .collect(),
        }
    }

    fn of_entry(&self, entry: &Entry, types_only: bool) -> LdapSearchResultEntry {
        let attributes = entry
            .attributes()
            .filter_map(|(attribute, values)| {
                let by_class = if attribute.operational {
                    self.operational
                } else {
                    self.all
                };
                let wanted = by_class || self.named.iter().any(|own| std::ptr::eq(*own, attribute));
                wanted.then(|| LdapPartialAttribute {
                    atype: attribute.name.to_owned(),
                    vals: if types_only { Vec::new() } else { values.to_vec() },
                })
            })
            .collect();
        LdapSearchResultEntry {
            dn: entry.dn.clone(),
            attributes,
        }
    }
}
