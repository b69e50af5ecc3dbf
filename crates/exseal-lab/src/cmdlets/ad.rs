//! What every object of the directory shows: identity, class, dates, version.

use jiff::Timestamp;
use uuid::Uuid;

use super::object::{PsObject, PsValue};
use super::payload;
use super::run::Run;
use super::select::matches;
use crate::world::World;
use crate::world::directory::Key;

/// An object of the configuration container.
#[derive(Clone, Debug)]
pub(crate) struct AdObject {
    /// Its name: the value of its relative distinguished name.
    pub(crate) name: String,
    /// What the identity prints as; the name, as a rule.
    pub(crate) identity: String,
    /// Where it lies: the distinguished name of its parent.
    pub(crate) parent: String,
    /// What the parent's identity prints as.
    pub(crate) parent_shown: String,
    /// Its object classes, `top` first.
    pub(crate) classes: &'static [&'static str],
    /// Name of its category in the schema.
    pub(crate) category: &'static str,
    /// ExchangeVersion: minor and build, as `(20, "15.0.0.0")`.
    pub(crate) version: (u8, &'static str),
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
}

/// The distinguished name of a DNS name.
pub(crate) fn of_dns(domain: &str) -> String {
    domain
        .split('.')
        .map(|label| format!("DC={label}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// The configuration container.
pub(crate) fn configuration(world: &World) -> String {
    format!("CN=Configuration,{}", of_dns(&world.domain))
}

/// The container of the Exchange organisation.
pub(crate) fn organisation(world: &World) -> String {
    format!(
        "CN={},CN=Microsoft Exchange,CN=Services,{}",
        world.name,
        configuration(world)
    )
}

/// The container of the servers.
pub(crate) fn servers(world: &World) -> String {
    format!(
        "CN=Servers,CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,{}",
        organisation(world)
    )
}

/// When an object was made and last written, as a run's site sees it.
pub(crate) fn dates(run: &Run<'_>, key: &Key) -> (Timestamp, Timestamp) {
    run.world
        .directory
        .entry(run.site(), key)
        .map_or((run.world.now, run.world.now), |entry| {
            (entry.created, entry.changed)
        })
}

impl AdObject {
    /// An object directly below the organisation.
    pub(crate) fn in_organisation(run: &Run<'_>, name: &str, key: &Key) -> Self {
        let (created, changed) = dates(run, key);
        Self {
            name: name.to_owned(),
            identity: name.to_owned(),
            parent: organisation(run.world),
            parent_shown: run.world.name.clone(),
            classes: &["top"],
            category: "ms-Exch-Container",
            version: (20, "15.0.0.0"),
            created,
            changed,
        }
    }

    /// Its distinguished name.
    pub(crate) fn distinguished_name(&self) -> String {
        format!("CN={},{}", self.name, self.parent)
    }

    /// Its GUID.
    pub(crate) fn guid(&self, world: &World) -> Uuid {
        world.guid(&self.distinguished_name())
    }

    /// Whether an -Identity means it: name, identity, distinguished name or GUID; `*` and `?` stand for other letters.
    pub(crate) fn is(&self, world: &World, wanted: &str) -> bool {
        let guid = wanted.trim_start_matches('{').trim_end_matches('}');
        matches(wanted, &self.identity)
            || matches(wanted, &self.name)
            || wanted.eq_ignore_ascii_case(&self.distinguished_name())
            || uuid::Uuid::try_parse(guid).is_ok_and(|guid| guid == self.guid(world))
    }

    /// What every object shows under a name; empty for what is empty as a rule.
    pub(crate) fn value(&self, run: &Run<'_>, name: &str) -> PsValue {
        let world = &*run.world;
        match name {
            "Name" => PsValue::text(&self.name),
            "DistinguishedName" => PsValue::text(self.distinguished_name()),
            "Identity" => id(
                world,
                &self.identity,
                &self.distinguished_name(),
                &self.parent_shown,
                self.guid(world),
            ),
            "Id" => PsValue::Same("Identity"),
            "Guid" => PsValue::Guid(self.guid(world)),
            "ObjectCategory" => category(world, self.category),
            "ObjectClass" => PsValue::texts(self.classes.iter().copied()),
            "WhenChanged" => PsValue::Time(self.changed, run.offset_minutes()),
            "WhenCreated" => PsValue::Time(self.created, run.offset_minutes()),
            "WhenChangedUTC" => PsValue::Utc(self.changed),
            "WhenCreatedUTC" => PsValue::Utc(self.created),
            "OrganizationId" => organisation_id(),
            "OriginatingServer" => PsValue::text(run.controller()),
            "IsValid" => PsValue::Bool(true),
            "ObjectState" => PsValue::enumeration("Microsoft.Exchange.Data.ObjectState", "Unchanged", 1),
            "ExchangeVersion" => exchange_version(self.version.0, self.version.1),
            // AdminDisplayName and whatever else is empty as a rule.
            _ => PsValue::text(""),
        }
    }
}

/// An ADObjectId.
pub(crate) fn id(
    world: &World,
    shown: &str,
    distinguished_name: &str,
    parent_shown: &str,
    guid: Uuid,
) -> PsValue {
    let rdn = distinguished_name.split(',').next().unwrap_or(distinguished_name);
    let name = rdn.split_once('=').map_or(rdn, |(_, name)| name);
    let depth = distinguished_name.split(',').count().saturating_sub(1);
    let mut object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.Directory.ADObjectId",
            "Microsoft.Exchange.Data.ObjectId",
            "System.Object",
        ],
        shown,
    )
    .with("OrgHierarchyToIgnore", PsValue::Null)
    .with("IsDeleted", PsValue::Bool(false))
    .with("Rdn", PsValue::text(rdn))
    .with("Parent", PsValue::text(parent_shown))
    .with("Depth", PsValue::Int(i32::try_from(depth).unwrap_or(0)))
    .with("DistinguishedName", PsValue::text(distinguished_name))
    .with("IsRelativeDn", PsValue::Bool(false))
    .with("DomainId", PsValue::text(&world.domain))
    .with("PartitionGuid", PsValue::Guid(world.guid("partition")))
    .with("PartitionFQDN", PsValue::text(&world.domain))
    .with("ObjectGuid", PsValue::Guid(guid))
    .with("Name", PsValue::text(name));
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data.Directory",
        "Microsoft.Exchange.Data.Directory.ADObjectId",
        &[("distinguishedName", distinguished_name)],
    ));
    PsValue::Object(Box::new(object))
}

fn category(world: &World, name: &str) -> PsValue {
    let schema = format!("CN={name},CN=Schema,{}", configuration(world));
    id(
        world,
        &format!("{}/Configuration/Schema/{name}", world.domain),
        &schema,
        &format!("{}/Configuration/Schema", world.domain),
        world.guid(&schema),
    )
}

fn organisation_id() -> PsValue {
    let mut object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.Directory.OrganizationId",
            "System.Object",
        ],
        "",
    )
    .with("OrganizationalUnit", PsValue::Null)
    .with("ConfigurationUnit", PsValue::Null)
    .with("IsConsumerOrganization", PsValue::Bool(false))
    .with("IdForEventLog", PsValue::text(""));
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data.Directory",
        "Microsoft.Exchange.Data.Directory.OrganizationId",
        &[],
    ));
    PsValue::Object(Box::new(object))
}

/// An ExchangeObjectVersion: `0.20 (15.0.0.0)`.
pub(crate) fn exchange_version(minor: u8, build: &str) -> PsValue {
    let mut object = PsObject::new(
        &["Microsoft.Exchange.Data.ExchangeObjectVersion", "System.Object"],
        format!("0.{minor} ({build})"),
    )
    .with("NextMajorVersion", PsValue::text("1.0 (0.0.0.0)"))
    .with(
        "NextMinorVersion",
        PsValue::text(format!("0.{} (0.0.0.0)", minor.saturating_add(1))),
    )
    .with("Major", PsValue::Byte(0))
    .with("Minor", PsValue::Byte(minor))
    .with("ExchangeBuild", PsValue::text(build));
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data",
        "Microsoft.Exchange.Data.ExchangeObjectVersion",
        &[],
    ));
    PsValue::Object(Box::new(object))
}
