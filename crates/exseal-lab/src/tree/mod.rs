//! What a domain controller holds: the world as objects with distinguished names, made anew for every question.
//!
//! Values in, values out; what is spoken on the wire is [`crate::net`]'s. Objects, attributes and encodings are those of
//! facts/active-directory.md; what is not backed there can be left out or put otherwise by the organisation's assumptions.

pub(crate) mod dn;
mod domain;
mod filter;
mod organisation;
mod root;
pub(crate) mod schema;
mod search;
mod servers;
mod transport;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::world::directory::Key;
use crate::world::{Controller, World};
use dn::Place;
use schema::Attribute;

pub(crate) use filter::{matches, size as filter_size};
pub(crate) use root::{EXTENSIONS, root};
pub(crate) use search::{Asked, Base, Found, Scope};

/// An object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// Its distinguished name.
    pub(crate) dn: String,
    /// Which naming context it belongs to, by [`Tree::contexts`].
    context: usize,
    attributes: Vec<(&'static Attribute, Vec<Vec<u8>>)>,
}

impl Entry {
    /// The values of an attribute.
    pub(crate) fn values(&self, attribute: &'static Attribute) -> impl Iterator<Item = &[u8]> {
        self.attributes
            .iter()
            .filter(move |(own, _)| std::ptr::eq(*own, attribute))
            .flat_map(|(_, values)| values.iter().map(Vec::as_slice))
    }

    /// All attributes that are set.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static Attribute, &[Vec<u8>])> {
        self.attributes
            .iter()
            .map(|(attribute, values)| (*attribute, values.as_slice()))
    }

    /// Sets an attribute; no values, or a name the schema knows not: it is not set.
    fn put<V: Into<Vec<u8>>>(&mut self, name: &str, values: impl IntoIterator<Item = V>) {
        let values: Vec<Vec<u8>> = values.into_iter().map(Into::into).collect();
        let known = schema::attribute(name);
        debug_assert!(
            known.is_some_and(|own| own.name == name),
            "{name} is in no schema"
        );
        if let Some(attribute) = known.filter(|_| !values.is_empty()) {
            self.attributes.push((attribute, values));
        }
    }
}

/// All objects, as one domain controller has them.
pub(crate) struct Tree {
    /// The naming contexts: their names and places. Domain, configuration, schema.
    pub(crate) contexts: [(String, Place); 3],
    entries: BTreeMap<Place, Entry>,
    domain: String,
}

impl Tree {
    /// The world as a domain controller's site sees it.
    pub(crate) fn new(world: &World, controller: &Controller) -> Self {
        let mut maker = Maker::new(world, controller.site);
        domain::make(&mut maker);
        organisation::make(&mut maker);
        servers::make(&mut maker);
        transport::make(&mut maker);
        maker.tree
    }
}

/// Names of the places where others put their objects.
struct Names {
    domain: String,
    configuration: String,
    schema: String,
    organisation: String,
    servers: String,
    connections: String,
}

impl Names {
    fn of(world: &World) -> Self {
        let domain = dn::of_dns(&world.domain);
        let configuration = format!("CN=Configuration,{domain}");
        let organisation = format!(
            "CN={},CN=Microsoft Exchange,CN=Services,{configuration}",
            dn::escaped(&world.name)
        );
        let group = format!("CN={GROUP},CN=Administrative Groups,{organisation}");
        Self {
            schema: format!("CN=Schema,{configuration}"),
            servers: format!("CN=Servers,{group}"),
            connections: format!("CN=Connections,CN={ROUTING},CN=Routing Groups,{group}"),
            domain,
            configuration,
            organisation,
        }
    }
}

const GROUP: &str = "Exchange Administrative Group (FYDIBOHF23SPDLT)";
const ROUTING: &str = "Exchange Routing Group (DWBGZMFD01QNBJR)";

/// A tree in the making.
struct Maker<'w> {
    world: &'w World,
    site: usize,
    names: Names,
    tree: Tree,
    /// When setup first ran in this organisation.
    founded: Timestamp,
    /// Whether attributes that nothing backs are written.
    unverified: bool,
}

impl<'w> Maker<'w> {
    fn new(world: &'w World, site: usize) -> Self {
        let names = Names::of(world);
        let contexts = [&names.domain, &names.configuration, &names.schema]
            .map(|name| (name.clone(), dn::place(name).unwrap_or_default()));
        let founded = world
            .servers()
            .map(|server| server.installed)
            .min()
            .unwrap_or(world.now);
        Self {
            tree: Tree {
                contexts,
                entries: BTreeMap::new(),
                domain: world.domain.clone(),
            },
            unverified: world.assumptions.directory_unverified_attributes,
            world,
            site,
            names,
            founded,
        }
    }

    /// When an object of the world was made and last written, as this site sees it.
    fn dates(&self, key: &Key) -> (Timestamp, Timestamp) {
        self.world
            .directory
            .entry(self.site, key)
            .map_or((self.founded, self.founded), |entry| {
                (entry.created, entry.changed)
            })
    }

    /// Begins an object `CN=name` below `parent`, made with the organisation.
    fn object(&self, name: &str, parent: &str, class: &'static str) -> Draft {
        self.draft("CN", name, parent, class, (self.founded, self.founded))
    }

    /// Begins an object that stands for one of the world.
    fn of_world(&self, name: &str, parent: &str, class: &'static str, key: &Key) -> Draft {
        self.draft("CN", name, parent, class, self.dates(key))
    }

    fn draft(
        &self,
        kind: &'static str,
        name: &str,
        parent: &str,
        class: &'static str,
        (created, changed): (Timestamp, Timestamp),
    ) -> Draft {
        let dn = if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{kind}={},{parent}", dn::escaped(name))
        };
        let known = schema::object_class(class);
        let mut entry = Entry {
            dn: dn.clone(),
            ..Entry::default()
        };
        entry.put(
            "objectClass",
            known.map_or(&["top"][..], |own| own.chain).iter().copied(),
        );
        let own_name = if parent.is_empty() {
            name.split([',', '=']).nth(1).unwrap_or(name)
        } else {
            name
        };
        match kind {
            "DC" => entry.put("dc", [own_name]),
            "OU" => entry.put("ou", [own_name]),
            _ => entry.put("cn", [own_name]),
        }
        entry.put("name", [own_name]);
        entry.put("distinguishedName", [dn.as_str()]);
        entry.put("instanceType", [if parent.is_empty() { "5" } else { "4" }]);
        entry.put("whenCreated", [time(created)]);
        entry.put("whenChanged", [time(changed)]);
        entry.put("objectGUID", [self.world.guid(&dn).to_bytes_le().to_vec()]);
        entry.put(
            "objectCategory",
            known.map(|own| format!("CN={},{}", own.category, self.names.schema)),
        );
        entry.put("createTimeStamp", [time(created)]);
        entry.put("modifyTimeStamp", [time(changed)]);
        Draft {
            entry,
            unverified: self.unverified,
        }
    }

    /// Puts an object into the tree.
    fn add(&mut self, draft: Draft) {
        let mut entry = draft.entry;
        let Ok(place) = dn::place(&entry.dn) else { return };
        entry.context = self
            .tree
            .contexts
            .iter()
            .rposition(|(_, context)| place.starts_with(context))
            .unwrap_or_default();
        entry.put("canonicalName", [canonical(&entry.dn, &self.world.domain)]);
        self.tree.entries.insert(place, entry);
    }

    /// Puts a container without anything to say into the tree, and says its name.
    fn container(&mut self, name: &str, parent: &str, class: &'static str) -> String {
        let draft = self.object(name, parent, class);
        let dn = draft.entry.dn.clone();
        self.add(draft);
        dn
    }

    /// The distinguished name of a server.
    fn server(&self, name: &crate::world::ServerName) -> String {
        format!("CN={},{}", name.as_str().to_uppercase(), self.names.servers)
    }
}

/// An object in the making. What is not backed is dropped where the organisation says so.
struct Draft {
    entry: Entry,
    unverified: bool,
}

impl Draft {
    fn put<V: Into<Vec<u8>>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        if self.unverified || schema::attribute(name).is_some_and(|own| own.backed) {
            self.entry.put(name, values);
        }
        self
    }

    fn text(self, name: &str, value: impl Into<String>) -> Self {
        self.put(name, [value.into()])
    }

    fn number(self, name: &str, value: i64) -> Self {
        self.put(name, [value.to_string()])
    }

    fn flag(self, name: &str, value: bool) -> Self {
        self.put(name, [if value { "TRUE" } else { "FALSE" }])
    }

    fn time(self, name: &str, value: Option<Timestamp>) -> Self {
        self.put(name, value.map(time))
    }
}

/// A time as Active Directory writes it.
fn time(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S.0Z").to_string()
}

/// `contoso.lab/Configuration/Services` of a name.
fn canonical(name: &str, domain: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some((kind, behind)) = rest.split_once('=') {
        if kind.eq_ignore_ascii_case("DC") {
            break;
        }
        let mut end = behind.len();
        let mut escaped = false;
        for (at, letter) in behind.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                ',' => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (value, behind) = behind.split_at(end);
        parts.push(value.replace('\\', "").replace('/', "\\/"));
        rest = behind.strip_prefix(',').unwrap_or_default();
    }
    parts.push(domain.to_owned());
    parts.reverse();
    if parts.len() == 1 {
        return format!("{domain}/");
    }
    parts.join("/")
}

/// CryptoAPI's serialised form of a certificate: records of property, encoding and length; property 32 is the certificate
/// and comes last (facts/active-directory.md 1.2). SHA-1 stands in it, and a friendly name where there is one.
fn serialised(certificate: &crate::certificate::Certificate, friendly_name: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut record = |property: u32, value: &[u8]| {
        out.extend_from_slice(&property.to_le_bytes());
        out.extend_from_slice(&1_u32.to_le_bytes());
        out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(value);
    };
    if let Some(name) = friendly_name.filter(|name| !name.is_empty()) {
        let wide: Vec<u8> = name
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        record(11, &wide);
    }
    record(3, &certificate.thumbprint().0);
    record(32, certificate.der());
    out
}

impl Maker<'_> {
    /// A certificate as an attribute holds it.
    fn certificate(
        &self,
        certificate: &crate::certificate::Certificate,
        friendly_name: Option<&str>,
    ) -> Vec<u8> {
        use crate::organisation::DirectoryCertificates;

        match self.world.assumptions.directory_certificates {
            DirectoryCertificates::Serialised => serialised(certificate, friendly_name),
            DirectoryCertificates::Der => certificate.der().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests;
