//! Sightings as an inventory: what `-o seen.json` holds and `--from seen.json` takes again.

use exseal_model::inventory::{Presentation, ResolvedName};
use exseal_model::{Channel, Inventory, Listing, Look, Observed, Source};

use crate::names::Names;
use crate::sighting::{Outcome, Sighting};

/// What was seen as an inventory of its own, to be merged with others; the certificates are in it.
///
/// `seen_from` names the place in a person's words and stays with every value; empty: where the inventory is used.
/// Repeatable: the same sightings give the same inventory.
#[must_use]
pub fn inventory(sightings: &[Sighting], names: &Names, seen_from: &str) -> Inventory {
    let mut inventory = Inventory::default();
    let of_names = names
        .mail
        .iter()
        .flat_map(|domain| &domain.hosts)
        .filter_map(|host| host.sighting.as_ref());
    let of_steps = names
        .autodiscover
        .iter()
        .flat_map(|way| &way.steps)
        .filter_map(|step| step.sighting.as_ref());
    let mut presented = Listing::default();
    for sighting in sightings.iter().chain(of_names).chain(of_steps) {
        let source = inventory.add_source(Source {
            channel: Channel::Wire,
            what: match seen_from {
                "" => format!("probe of {}", sighting.target),
                place => format!("probe of {} from {place}", sighting.target),
            },
            file: None,
            at: Some(sighting.at),
            unrecorded: false,
        });
        let item = presentation(sighting, source, seen_from, &mut inventory);
        presented.looks.push(Look {
            source,
            complete: false,
        });
        // Looks at several addresses of one name: all are kept, and what disagrees is seen.
        let key = exseal_model::Keyed::key(&item);
        match presented
            .items
            .iter_mut()
            .find(|other: &&mut Presentation| exseal_model::Keyed::key(*other) == key)
        {
            Some(other) => exseal_model::Merge::merge(other, item),
            None => presented.items.push(item),
        }
    }
    inventory.organisation.presented = presented;

    let mut resolved = Listing::default();
    for one in &names.resolved {
        let source = inventory.add_source(Source {
            channel: Channel::Wire,
            what: match seen_from {
                "" => format!("addresses of {} by {}", one.name, one.resolver),
                place => format!("addresses of {} by {} from {place}", one.name, one.resolver),
            },
            file: None,
            at: None,
            unrecorded: false,
        });
        let mut item = ResolvedName::new(
            one.name.to_ascii_lowercase(),
            one.resolver.clone(),
            seen_from.to_owned(),
        );
        item.by = vec![source];
        item.addresses = match &one.problem {
            Some(problem) => Observed::unknown(problem),
            None if one.addresses.is_empty() => Observed::absent(source),
            None => Observed::seen(one.addresses.clone(), source),
        };
        resolved.looks.push(Look {
            source,
            complete: false,
        });
        resolved.items.push(item);
    }
    inventory.organisation.resolved = resolved;
    inventory
}

fn presentation(
    sighting: &Sighting,
    source: exseal_model::SourceId,
    seen_from: &str,
    inventory: &mut Inventory,
) -> Presentation {
    let target = &sighting.target;
    let mut item = Presentation::new(
        target.host.clone(),
        target.port,
        target.protocol.word().to_owned(),
        sighting.asked.clone().unwrap_or_default(),
        seen_from.to_owned(),
    );
    item.by = vec![source];
    item.outcome = Observed::seen(sighting.outcome.word().to_owned(), source);
    if let Some(address) = &sighting.address {
        item.address = Observed::seen(address.clone(), source);
    }
    match (&sighting.presented, &sighting.outcome) {
        (Some(presented), _) => {
            for link in &presented.chain {
                if let Some(certificate) = &link.certificate {
                    inventory.keep(certificate.clone());
                }
            }
            item.leaf = Observed::looked(presented.chain.first().map(|link| link.thumbprint), source);
            let chain = presented.chain.iter().map(|link| link.thumbprint).collect();
            item.chain = Observed::seen(chain, source);
            item.version = Observed::seen(presented.version.clone(), source);
            let told = |value: Option<bool>| {
                value.map_or_else(Observed::default, |value| Observed::seen(value, source))
            };
            item.covers = told(presented.covers);
            item.trusted = told(presented.trusted);
            item.key_proven = told(presented.key_proven);
        }
        (None, Outcome::NotOffered { .. }) => item.leaf = Observed::absent(source),
        (None, outcome) => item.leaf = Observed::unknown(outcome.to_string()),
    }
    item
}
