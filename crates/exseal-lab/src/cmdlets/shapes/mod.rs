//! What objects of Exchange look like: class, names and kinds of their properties, in the recorded order, and the values
//! of a fresh installation where the simulation has no state of its own.
//!
//! The recorded exports of real servers are what these tables are held against (`tests/shapes.rs`). No value of a
//! recorded organisation stands here.

mod connector;
mod federation;
mod organisation;
mod recipient;
mod server;
mod transport;
mod virtual_directory;

use std::borrow::Cow;

use super::ad::AdObject;
use super::object::{PsObject, PsValue};
use super::run::Run;
use super::{payload, values};

pub(crate) use connector::{QUEUE, RECEIVE, SEND};
pub(crate) use federation::{FEDERATED_ORGANISATION, FEDERATION_CERTIFICATE, FEDERATION_TRUST};
pub(crate) use organisation::{
    ACCEPTED_DOMAIN, AUTH_CONFIG, HYBRID, IRM, ORGANIZATION, OVERRIDE, PARTNER_APPLICATION,
};
pub(crate) use recipient::{MAILBOX, ROLE_ASSIGNMENT};
pub(crate) use server::{
    AVAILABILITY_GROUP, COMPONENT, COPY_STATUS, DATABASE, DIAGNOSTIC, EDGE_SUBSCRIPTION, EXCHANGE_SERVER,
    HEALTH, MAILBOX_SERVER,
};
pub(crate) use transport::{
    EDGE_SYNC, EDGE_SYNC_TEST, FRONTEND_TRANSPORT_SERVICE, IMAP_SETTINGS, POP_SETTINGS, TRANSPORT_SERVICE,
};
pub(crate) use virtual_directory::{
    ACTIVE_SYNC, AUTODISCOVER, CLIENT_ACCESS, ECP, EWS, MAPI, OAB, OUTLOOK_ANYWHERE, OWA, POWERSHELL,
};

pub(crate) const DATA: &str = "Microsoft.Exchange.Data.";
pub(crate) const DIRECTORY: &str = "Microsoft.Exchange.Data.Directory.";
pub(crate) const MANAGEMENT: &str = "Microsoft.Exchange.Data.Directory.Management.";
pub(crate) const SC: &str = "Microsoft.Exchange.Data.Directory.SystemConfiguration.";

/// A class of objects.
pub(crate) struct Shape {
    /// Namespace and name of the class and of those it is made from, as far as they are not the root's.
    pub(crate) classes: &'static [(&'static str, &'static str)],
    pub(crate) root: Root,
    /// Its own properties; the root's follow.
    pub(crate) properties: &'static [(&'static str, Preset)],
}

/// What a class is made from, and what every object of it shows behind its own properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// An object of the configuration container.
    Configuration,
    /// The view of one that a cmdlet shows.
    Presentation,
    /// As [`Presentation`](Self::Presentation), with all properties in the table.
    Organisation,
    /// No object of the directory.
    Plain,
}

/// The value of a property.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Preset {
    /// The cmdlet says it.
    Own,
    /// What every object of the directory has.
    Ad,
    Null,
    Text(&'static str),
    Bool(bool),
    Int(i32),
    Unsigned(u32),
    /// Namespace, type, name, number.
    Enum(&'static str, &'static str, &'static str, i32),
    /// Strings.
    Texts(&'static [&'static str]),
    /// An empty list of a type of an assembly.
    List(&'static str, &'static str, &'static str),
    /// The same, of the directory's kind.
    AdList(&'static str, &'static str, &'static str),
    /// A list of an enumeration of the directory's kind.
    AdEnums(&'static str, &'static str, &'static [(&'static str, i32)]),
    /// Seconds.
    Span(i64),
    /// Bytes.
    Size(u64),
    /// Bytes, or unlimited.
    MaybeSize(Option<u64>),
    /// A number, or unlimited.
    MaybeInt(Option<i32>),
    /// A path below the installation's folder.
    Path(&'static str),
}

impl Root {
    const fn classes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Configuration => &[
                (SC, "ADConfigurationObject"),
                (DIRECTORY, "ADObject"),
                (DIRECTORY, "ADRawEntry"),
                (DATA, "ConfigurableObject"),
                ("", "System.Object"),
            ],
            Self::Presentation | Self::Organisation => &[
                (MANAGEMENT, "ADPresentationObject"),
                (DIRECTORY, "ADObject"),
                (DIRECTORY, "ADRawEntry"),
                (DATA, "ConfigurableObject"),
                ("", "System.Object"),
            ],
            Self::Plain => &[(DATA, "ConfigurableObject"), ("", "System.Object")],
        }
    }

    const fn properties(self) -> &'static [&'static str] {
        match self {
            Self::Configuration => &[
                "AdminDisplayName",
                "ExchangeVersion",
                "Name",
                "DistinguishedName",
                "Identity",
                "Guid",
                "ObjectCategory",
                "ObjectClass",
                "WhenChanged",
                "WhenCreated",
                "WhenChangedUTC",
                "WhenCreatedUTC",
                "OrganizationId",
                "Id",
                "OriginatingServer",
                "IsValid",
                "ObjectState",
            ],
            Self::Presentation => &[
                "Identity",
                "IsValid",
                "ExchangeVersion",
                "DistinguishedName",
                "Guid",
                "ObjectCategory",
                "ObjectClass",
                "WhenChanged",
                "WhenCreated",
                "WhenChangedUTC",
                "WhenCreatedUTC",
                "OrganizationId",
                "Id",
                "OriginatingServer",
                "ObjectState",
            ],
            Self::Organisation | Self::Plain => &[],
        }
    }
}

impl Preset {
    /// The value; `None`: the cmdlet or the directory says it.
    fn value(self) -> Option<PsValue> {
        Some(match self {
            Self::Own | Self::Ad => return None,
            Self::Null => PsValue::Null,
            Self::Text(text) => PsValue::text(text),
            Self::Bool(value) => PsValue::Bool(value),
            Self::Int(number) => PsValue::Int(number),
            Self::Unsigned(number) => PsValue::Unsigned(number),
            Self::Enum(space, of, name, number) => values::enumeration(space, of, name, number),
            Self::Texts(texts) => PsValue::texts(texts.iter().copied()),
            Self::List(space, of, assembly) => PsValue::multi(&format!("{space}{of}"), assembly, Vec::new()),
            Self::AdList(space, of, assembly) => {
                values::ad_list(&format!("{space}{of}"), assembly, Vec::new())
            }
            Self::AdEnums(space, of, items) => values::ad_list(
                &format!("{space}{of}"),
                super::object::EXCHANGE_DIRECTORY,
                items
                    .iter()
                    .map(|(name, number)| values::enumeration(space, of, *name, *number))
                    .collect(),
            ),
            Self::Span(seconds) => values::time_span(seconds),
            Self::Size(bytes) => values::size(bytes),
            Self::MaybeSize(bytes) => values::maybe_size(bytes),
            Self::MaybeInt(number) => values::maybe_int(number),
            Self::Path(path) => values::path(path),
        })
    }
}

impl Shape {
    /// An object of the class, which prints as `text`. `own` are the properties the cmdlet says: at least those the
    /// table leaves to it; what it says goes before the table. A property no side says is null.
    pub(crate) fn object(
        &self,
        run: &Run<'_>,
        text: impl Into<String>,
        ad: Option<&AdObject>,
        mut own: Vec<(&'static str, PsValue)>,
    ) -> PsObject {
        let types: Vec<Cow<'static, str>> = self
            .classes
            .iter()
            .chain(self.root.classes())
            .map(|(space, name)| Cow::Owned(format!("{space}{name}")))
            .collect();
        let class = types.first().cloned().unwrap_or_default();
        let mut object = PsObject {
            types,
            ..PsObject::new(&[], text)
        };
        let rest = self
            .root
            .properties()
            .iter()
            .filter(|name| !self.properties.iter().any(|(known, _)| known == *name))
            .map(|name| (*name, Preset::Ad));
        for (name, preset) in self.properties.iter().copied().chain(rest) {
            let said = own.iter().position(|(given, _)| *given == name);
            let value = match (said, preset, ad) {
                (Some(at), ..) => own.swap_remove(at).1,
                (None, Preset::Ad, Some(ad)) => ad.value(run, name),
                _ => preset.value().unwrap_or(PsValue::Null),
            };
            debug_assert!(
                said.is_some() || !matches!(preset, Preset::Own),
                "{class} says nothing of {name}"
            );
            object = object.with(name, value);
        }
        debug_assert!(own.is_empty(), "{class} has no property {own:?}");
        let assembly = if class.starts_with(DIRECTORY) {
            "Microsoft.Exchange.Data.Directory"
        } else {
            "Microsoft.Exchange.Management"
        };
        let identity = ad.map_or("", |ad| ad.identity.as_str());
        object.payload = Some(payload::simple(assembly, &class, &[("Identity", identity)]));
        object
    }
}
