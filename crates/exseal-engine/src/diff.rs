//! What changed between two inventories, by slot.

use std::collections::BTreeMap;

use exseal_model::inventory::{Presentation, Server, Store, first_label};
use exseal_model::{Inventory, Keyed as _, Listing, Observed, Sighting, Slot, Thumbprint};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::CellState;
use crate::slots::{Presents, SlotUse, slots};

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The version of this format: 1.
    pub format: u32,
    /// Servers only the second inventory has, by FQDN where it was seen.
    pub servers_added: Vec<String>,
    /// Servers only the first one has.
    pub servers_gone: Vec<String>,
    /// Slots, server by server, the organisation's last.
    pub slots: Vec<SlotChange>,
    /// Certificates in stores.
    pub stores: Vec<StoreChange>,
    /// Settings that lead to certificates.
    pub settings: Vec<SettingChange>,
}

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Both saw it, and it is another.
    Changed,
    /// It was not there before.
    Added,
    /// It is not there any more.
    Gone,
    /// Nobody had looked before: whether it changed cannot be told.
    SeenNow,
    /// Nobody looked this time: whether it changed cannot be told.
    NotSeenNow,
    /// Both saw it, by different channels, and each channel that looked both times saw the same: it may be no change at
    /// all but a disagreement that was there before.
    OtherChannel,
}

/// A slot that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlotChange {
    /// The server; null: the organisation.
    pub server: Option<String>,
    /// Which slot.
    pub slot: Slot,
    /// How.
    pub how: How,
    /// As the first inventory shows it; null: it has no such slot.
    pub before: Option<SlotLook>,
    /// As the second one shows it.
    pub after: Option<SlotLook>,
}

/// A slot at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlotLook {
    /// How it is.
    pub state: CellState,
    /// What it presents; null: nothing, or unknown.
    pub thumbprint: Option<Thumbprint>,
    /// Its subject, if the certificate was seen.
    pub subject: Option<String>,
    /// Its end, if the certificate was seen.
    pub not_after: Option<Timestamp>,
}

/// A certificate that came into a store or left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreChange {
    /// The server.
    pub server: String,
    /// The store.
    pub store: Store,
    /// Which certificate.
    pub thumbprint: Thumbprint,
    /// Its subject, if it was seen.
    pub subject: Option<String>,
    /// Added or gone; an inventory that did not see the store whole says nothing about what it lacks.
    pub how: How,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingChange {
    /// The server; null: the organisation.
    pub server: Option<String>,
    /// The slot it leads to; null: none.
    pub slot: Option<Slot>,
    /// Exchange's own name of it: `TlsCertificateName`.
    pub setting: String,
    /// How.
    pub how: How,
    /// The value before; null: empty or not seen, as `how` says.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
}

/// One of the two inventories, with what is worked out of it.
struct Side<'i> {
    inventory: &'i Inventory,
    slots: BTreeMap<(Option<usize>, Slot), SlotUse>,
}

/// The difference while it is told, with the inventories whose sources it looks up.
struct Telling<'i> {
    out: Difference,
    before: &'i Inventory,
    after: &'i Inventory,
}

impl Telling<'_> {
    /// Whether a value differs only because another channel looked: each channel that looked both times saw the same.
    fn is_another_look<T: PartialEq>(&self, before: &Observed<T>, after: &Observed<T>) -> bool {
        let by_channel = |inventory: &Inventory, sighting: &Sighting<T>| {
            inventory.source(sighting.source).map(|source| source.channel)
        };
        let mut common = false;
        for old in before.sightings() {
            for new in after.sightings() {
                let (was, is) = (by_channel(self.before, old), by_channel(self.after, new));
                if was.is_none() || was == is {
                    common = true;
                    if old.value != new.value {
                        return false;
                    }
                }
            }
        }
        common || before.best().is_some() && after.best().is_some()
    }

    /// The same of a slot, of which one source is known on each side.
    fn is_another_look_at(&self, before: &SlotUse, after: &SlotUse) -> bool {
        let channel = |inventory: &Inventory, one: &SlotUse| {
            one.source()
                .and_then(|source| inventory.source(source))
                .map(|source| source.channel)
        };
        match (channel(self.before, before), channel(self.after, after)) {
            (Some(was), Some(is)) => was != is,
            _ => false,
        }
    }
}

/// What both inventories have, as places in the first and the second.
struct Part {
    /// Places of one server in both.
    both: Vec<(usize, usize)>,
    /// Places only the first has.
    gone: Vec<usize>,
    /// Places only the second has.
    added: Vec<usize>,
}

/// Compares two merged inventories.
///
/// A server is the same under its NetBIOS name and its FQDN. What one side did not see is told apart from what changed.
/// The difference of an inventory to itself is empty. Linear in the number of slots but for sorting.
#[must_use]
pub fn diff(before: &Inventory, after: &Inventory) -> Difference {
    let (one, two) = (Side::of(before), Side::of(after));
    let part = pair(before, after);
    let name = |inventory: &Inventory, at: &usize| inventory.servers.get(*at).map(Server::shown);
    let mut difference = Telling {
        out: Difference {
            format: 1,
            servers_added: part.added.iter().filter_map(|at| name(after, at)).collect(),
            servers_gone: part.gone.iter().filter_map(|at| name(before, at)).collect(),
            ..Difference::default()
        },
        before,
        after,
    };
    for &(old, new) in &part.both {
        let (Some(was), Some(is)) = (before.servers.get(old), after.servers.get(new)) else {
            continue;
        };
        slot_changes(
            &one,
            &two,
            (Some(old), Some(new)),
            Some(is.shown()),
            &mut difference,
        );
        store_changes(before, after, was, is, &mut difference);
        server_settings(was, is, &mut difference);
    }
    organisation(&one, &two, &mut difference);
    difference.out
}

impl Difference {
    /// Whether nothing differs, also not in what was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers_added.is_empty()
            && self.servers_gone.is_empty()
            && self.slots.is_empty()
            && self.stores.is_empty()
            && self.settings.is_empty()
    }
}

impl<'i> Side<'i> {
    fn of(inventory: &'i Inventory) -> Self {
        Self {
            inventory,
            slots: slots(inventory)
                .into_iter()
                .map(|one| ((one.server, one.slot.clone()), one))
                .collect(),
        }
    }

    /// The slots of a server, in the order of their ids.
    fn of_server(&self, server: Option<usize>) -> BTreeMap<&Slot, &SlotUse> {
        // `None`, the organisation, sorts before every server; the lowest slot is a front end without address.
        self.slots
            .range((server, LOWEST)..)
            .take_while(|((own, _), _)| *own == server)
            .map(|((_, slot), one)| (slot, one))
            .collect()
    }

    fn look(&self, one: &SlotUse) -> SlotLook {
        let thumbprint = one.thumbprint();
        let certificate = thumbprint.and_then(|thumbprint| self.inventory.certificate(thumbprint));
        SlotLook {
            state: match &one.presents {
                Presents::Certificate(..) if certificate.is_some() => CellState::Presents,
                Presents::Certificate(..) => CellState::Unseen,
                Presents::Nothing(_) | Presents::NoMatch(_) => CellState::Empty,
                Presents::Unknown(_) => CellState::Unknown,
            },
            thumbprint,
            subject: certificate.map(|certificate| certificate.subject.clone()),
            not_after: certificate.map(|certificate| certificate.not_after),
        }
    }
}

/// The slot that sorts before every other.
const LOWEST: Slot = Slot::FrontEnd(exseal_model::Endpoint {
    address: String::new(),
    port: 0,
    host: String::new(),
});

/// Finds each server of the first inventory in the second.
fn pair(before: &Inventory, after: &Inventory) -> Part {
    let label = |server: &Server| first_label(&server.shown()).to_lowercase();
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, server) in after.servers.iter().enumerate() {
        places.entry(label(server)).or_default().push(at);
    }
    let mut part = Part {
        both: Vec::new(),
        gone: Vec::new(),
        added: Vec::new(),
    };
    for (old, server) in before.servers.iter().enumerate() {
        let own = label(server);
        let found = places.get_mut(&own).and_then(|places| {
            let same = places.iter().position(|&at| {
                after
                    .servers
                    .get(at)
                    .is_some_and(|other| other.name == server.name || other.is_called(&server.shown()))
            })?;
            Some(places.remove(same))
        });
        match found {
            Some(new) => part.both.push((old, new)),
            None => part.gone.push(old),
        }
    }
    part.added = places.into_values().flatten().collect();
    part.added.sort_unstable();
    part
}

fn slot_changes(
    one: &Side<'_>,
    two: &Side<'_>,
    (old, new): (Option<usize>, Option<usize>),
    server: Option<String>,
    difference: &mut Telling<'_>,
) {
    let (was, is) = (one.of_server(old), two.of_server(new));
    let mut all: Vec<&Slot> = was.keys().chain(is.keys()).copied().collect();
    all.sort();
    all.dedup();
    for slot in all {
        let before = was.get(slot).map(|own| one.look(own));
        let after = is.get(slot).map(|own| two.look(own));
        let how = match (&before, &after) {
            (Some(before), Some(after)) => {
                if before.state == after.state && before.thumbprint == after.thumbprint {
                    continue;
                }
                match (before.state, after.state) {
                    (CellState::Unknown, _) => How::SeenNow,
                    (_, CellState::Unknown) => How::NotSeenNow,
                    // The same thumbprint, of which one side saw the certificate itself.
                    _ if before.thumbprint == after.thumbprint => continue,
                    _ => match (was.get(slot), is.get(slot)) {
                        (Some(old), Some(new)) if difference.is_another_look_at(old, new) => {
                            How::OtherChannel
                        }
                        _ => How::Changed,
                    },
                }
            }
            // A slot nobody could see the content of says nothing by coming or going.
            (None, Some(after)) if after.state == CellState::Unknown => continue,
            (Some(before), None) if before.state == CellState::Unknown => continue,
            (None, _) => How::Added,
            (_, None) => How::Gone,
        };
        difference.out.slots.push(SlotChange {
            server: server.clone(),
            slot: slot.clone(),
            how,
            before,
            after,
        });
    }
}

fn store_changes(
    before: &Inventory,
    after: &Inventory,
    was: &Server,
    is: &Server,
    difference: &mut Telling<'_>,
) {
    for store in [
        Store::My,
        Store::Request,
        Store::Root,
        Store::CA,
        Store::WebHosting,
    ] {
        let (old, new) = (was.store(store), is.store(store));
        let mut say = |inventory: &Inventory, thumbprint: Thumbprint, how| {
            difference.out.stores.push(StoreChange {
                server: is.shown(),
                store,
                thumbprint,
                subject: inventory
                    .certificate(thumbprint)
                    .map(|certificate| certificate.subject.clone()),
                how,
            });
        };
        if new.is_complete() {
            let there: std::collections::BTreeSet<Thumbprint> =
                new.iter().map(|entry| entry.thumbprint).collect();
            for entry in old.iter().filter(|entry| !there.contains(&entry.thumbprint)) {
                say(before, entry.thumbprint, How::Gone);
            }
        }
        if old.is_complete() {
            let there: std::collections::BTreeSet<Thumbprint> =
                old.iter().map(|entry| entry.thumbprint).collect();
            for entry in new.iter().filter(|entry| !there.contains(&entry.thumbprint)) {
                say(after, entry.thumbprint, How::Added);
            }
        }
        if store == Store::My {
            for entry in new {
                let Some(own) = was.in_my(entry.thumbprint) else {
                    continue;
                };
                let services = |names: &Vec<String>| names.join(", ");
                setting(
                    difference,
                    Some(is.shown()),
                    None,
                    &format!("Services of {}", entry.thumbprint),
                    (&own.services, &entry.services),
                    services,
                );
            }
        }
    }
}

fn server_settings(was: &Server, is: &Server, difference: &mut Telling<'_>) {
    let server = || Some(is.shown());
    setting(
        difference,
        server(),
        None,
        "AdminDisplayVersion",
        (&was.build, &is.build),
        ToString::to_string,
    );
    setting(
        difference,
        server(),
        None,
        "ExSetup",
        (&was.setup_build, &is.setup_build),
        ToString::to_string,
    );
    for new in &is.receive_connectors {
        let same = |old: &&exseal_model::inventory::ReceiveConnector| {
            old.name.to_lowercase() == new.name.to_lowercase()
        };
        let Some(old) = was.receive_connectors.iter().find(same) else {
            continue;
        };
        let slot = Slot::ReceiveConnector(new.name.clone());
        for (name, values) in [
            (
                "TlsCertificateName",
                (&old.tls_certificate_name, &new.tls_certificate_name),
            ),
            ("Fqdn", (&old.fqdn, &new.fqdn)),
        ] {
            setting(
                difference,
                server(),
                Some(slot.clone()),
                name,
                values,
                Clone::clone,
            );
        }
    }
    for (slot, old, new) in [(Slot::Pop, &was.pop, &is.pop), (Slot::Imap, &was.imap, &is.imap)] {
        setting(
            difference,
            server(),
            Some(slot),
            "X509CertificateName",
            (&old.x509_certificate_name, &new.x509_certificate_name),
            Clone::clone,
        );
    }
}

/// What clients were shown, endpoint by endpoint that both looked at.
fn presented(was: &Listing<Presentation>, is: &Listing<Presentation>, difference: &mut Telling<'_>) {
    for new in is {
        let Some(old) = was.iter().find(|old| old.key() == new.key()) else {
            continue;
        };
        let place = if new.seen_from.is_empty() {
            String::new()
        } else {
            format!(" from {}", new.seen_from)
        };
        let name = format!("presented on {}:{} ({}){place}", new.host, new.port, new.protocol);
        setting(
            difference,
            None,
            None,
            &name,
            (&old.leaf, &new.leaf),
            ToString::to_string,
        );
    }
}

fn organisation(one: &Side<'_>, two: &Side<'_>, difference: &mut Telling<'_>) {
    slot_changes(one, two, (None, None), None, difference);
    let (was, is) = (&one.inventory.organisation, &two.inventory.organisation);
    presented(&was.presented, &is.presented, difference);
    for new in &is.send_connectors {
        let same = |old: &&exseal_model::inventory::SendConnector| {
            old.name.to_lowercase() == new.name.to_lowercase()
        };
        let Some(old) = was.send_connectors.iter().find(same) else {
            continue;
        };
        let slot = Slot::SendConnector(new.name.clone());
        for (name, values) in [
            (
                "TlsCertificateName",
                (&old.tls_certificate_name, &new.tls_certificate_name),
            ),
            ("Fqdn", (&old.fqdn, &new.fqdn)),
        ] {
            setting(difference, None, Some(slot.clone()), name, values, Clone::clone);
        }
    }
    setting(
        difference,
        None,
        Some(Slot::AuthNext),
        "NextCertificateEffectiveDate",
        (&was.auth_config.next_effective, &is.auth_config.next_effective),
        ToString::to_string,
    );
    setting(
        difference,
        None,
        Some(Slot::Hybrid),
        "TlsCertificateName",
        (&was.hybrid.tls_certificate_name, &is.hybrid.tls_certificate_name),
        Clone::clone,
    );
}

/// Says how a setting differs; two sides that both did not see it do not.
fn setting<T: PartialEq>(
    difference: &mut Telling<'_>,
    server: Option<String>,
    slot: Option<Slot>,
    name: &str,
    (before, after): (&Observed<T>, &Observed<T>),
    shown: impl Fn(&T) -> String,
) {
    let how = match (before.known(), after.known()) {
        (None, None) => return,
        (None, Some(_)) => How::SeenNow,
        (Some(_), None) => How::NotSeenNow,
        (Some(before), Some(after)) if before == after => return,
        (Some(_), Some(_)) if difference.is_another_look(before, after) => How::OtherChannel,
        (Some(None), Some(Some(_))) => How::Added,
        (Some(Some(_)), Some(None)) => How::Gone,
        (Some(_), Some(_)) => How::Changed,
    };
    difference.out.settings.push(SettingChange {
        server,
        slot,
        setting: name.to_owned(),
        how,
        before: before.value().map(&shown),
        after: after.value().map(&shown),
    });
}
