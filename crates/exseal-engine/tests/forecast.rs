//! The forecast, over the healthy organisation and one change at a time.

mod support;

use exseal_engine::{Forecast, Happening, Kind, Policy, forecast, merge};
use exseal_model::{Inventory, Observed, Severity, Slot};
use jiff::tz::TimeZone;
use support::{HOST, Recipe, healthy, now};

fn of(inventory: Inventory) -> Forecast {
    forecast(
        &merge([inventory]),
        &Policy::default(),
        now(),
        None,
        &TimeZone::UTC,
    )
}

fn dates(forecast: &Forecast) -> Vec<String> {
    forecast.days.iter().map(|day| day.date.to_string()).collect()
}

fn all(forecast: &Forecast) -> impl Iterator<Item = &Happening> {
    forecast.days.iter().flat_map(|day| &day.happenings)
}

#[test]
fn each_certificate_is_due_and_then_ends_with_every_slot_it_is_in() {
    let organisation = healthy(2);
    let public = organisation.public;
    let forecast = of(organisation.inventory);
    assert!(forecast.ended.is_empty(), "{:?}", forecast.ended);
    let own: Vec<&Happening> = all(&forecast).filter(|one| one.thumbprint == public).collect();
    let [due, ends] = own.as_slice() else {
        panic!("expected due and end, found {own:?}");
    };
    assert_eq!((due.kind, due.severity), (Kind::RenewalDue, Severity::Notice));
    assert!(due.stops.is_empty(), "nothing stops by being due");
    assert_eq!((ends.kind, ends.severity), (Kind::Ends, Severity::Critical));
    assert_eq!(ends.at.to_string(), "2027-03-15T00:00:00Z");
    let of_first: Vec<String> = ends
        .places
        .iter()
        .filter(|place| place.server.as_deref() == Some("ex1.kiefer.example"))
        .map(|place| place.slot.to_string())
        .collect();
    assert_eq!(of_first[..2], ["front-end/*:443", "front-end/127.0.0.1:443"]);
    assert!(!ends.stops.is_empty());
}

#[test]
fn several_things_of_one_day_are_one_day_and_days_are_those_of_the_zone() {
    let organisation = healthy(3);
    let inventory = merge([organisation.inventory]);
    let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
    let utc = forecast(&inventory, &Policy::default(), now(), None, &TimeZone::UTC);
    let mut once = dates(&utc);
    once.dedup();
    assert_eq!(once, dates(&utc));
    let backs = |date: &str| {
        utc.days
            .iter()
            .find(|day| day.date.to_string() == date)
            .map_or(0, |day| day.happenings.len())
    };
    assert!(backs("2029-05-01") >= 3, "{:?}", dates(&utc));
    let west = TimeZone::get("America/New_York").expect("a zone");
    let shifted = forecast(&inventory, &Policy::default(), now(), None, &west);
    assert!(
        dates(&shifted).contains(&"2027-03-14".to_owned()),
        "midnight of UTC is the day before there"
    );
    let here = forecast(&inventory, &Policy::default(), now(), None, &berlin);
    assert!(dates(&here).contains(&"2027-03-15".to_owned()));
}

#[test]
fn what_has_ended_is_told_apart_from_what_is_to_come() {
    let mut organisation = healthy(1);
    let old = Recipe::issued(HOST, &[HOST])
        .begins("2025-01-01T00:00:00Z")
        .ends("2026-11-01T00:00:00Z")
        .serial(9);
    let old = organisation.inventory.keep(old.make());
    let iis = organisation.iis;
    let site = &mut organisation.inventory.servers[0].sites.items[0];
    for binding in &mut site.bindings.items {
        binding.thumbprint = Observed::seen(old, iis);
    }
    let forecast = of(organisation.inventory);
    let ended: Vec<_> = forecast
        .ended
        .iter()
        .map(|one| (one.thumbprint, one.kind))
        .collect();
    assert_eq!(ended, [(old, Kind::Ends)]);
    assert!(all(&forecast).all(|one| one.thumbprint != old));
}

#[test]
fn a_staged_auth_certificate_takes_the_place_of_current() {
    let mut organisation = healthy(1);
    let next = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[])
        .begins("2026-11-01T00:00:00Z")
        .ends("2031-11-01T00:00:00Z")
        .serial(7);
    let next = organisation.inventory.keep(next.make());
    let (current, cmdlet) = (organisation.auth, organisation.cmdlet);
    let config = &mut organisation.inventory.organisation.auth_config;
    config.next = Observed::seen(next, cmdlet);
    let effective = "2026-12-01T12:00:00Z".parse().expect("a time");
    config.next_effective = Observed::seen(effective, cmdlet);
    let forecast = of(organisation.inventory);
    let becomes: Vec<_> = all(&forecast)
        .filter(|one| one.kind == Kind::BecomesCurrent)
        .map(|one| (one.thumbprint, one.at))
        .collect();
    assert_eq!(becomes, [(next, effective)]);
    let auth_ends: Vec<_> = all(&forecast)
        .filter(|one| one.kind == Kind::Ends)
        .filter(|one| one.places.iter().any(|place| place.slot == Slot::AuthCurrent))
        .map(|one| one.thumbprint)
        .collect();
    assert_eq!(auth_ends, [next], "the old one stops nothing any more");
    assert!(
        all(&forecast)
            .filter(|one| one.thumbprint == current)
            .all(|one| one.places.iter().all(|place| place.slot != Slot::AuthCurrent))
    );
}

#[test]
fn a_date_that_passed_without_a_change_is_not_taken_for_one() {
    let mut organisation = healthy(1);
    let next = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]).serial(7);
    let next = organisation.inventory.keep(next.make());
    let (current, cmdlet) = (organisation.auth, organisation.cmdlet);
    let config = &mut organisation.inventory.organisation.auth_config;
    config.next = Observed::seen(next, cmdlet);
    config.next_effective = Observed::seen("2026-01-01T00:00:00Z".parse().expect("a time"), cmdlet);
    let forecast = of(organisation.inventory);
    assert!(all(&forecast).all(|one| one.kind != Kind::BecomesCurrent));
    let ends = all(&forecast).find(|one| one.kind == Kind::Ends && one.thumbprint == current);
    assert!(ends.is_some_and(|one| one.places.iter().any(|place| place.slot == Slot::AuthCurrent)));
}

#[test]
fn what_nobody_saw_is_said_and_not_foretold() {
    let mut organisation = healthy(1);
    organisation.inventory.servers[0].sites = exseal_model::Listing::default();
    let public = organisation.public;
    organisation.inventory.certificates.remove(&public);
    let forecast = of(organisation.inventory);
    assert!(all(&forecast).all(|one| one.thumbprint != public));
    let unknown: Vec<String> = forecast
        .unknown
        .iter()
        .map(|one| one.place.slot.to_string())
        .collect();
    assert!(unknown.contains(&"front-end/*:443".to_owned()), "{unknown:?}");
    assert!(unknown.contains(&"back-end/*:444".to_owned()), "{unknown:?}");
}

#[test]
fn the_last_instant_counts() {
    let organisation = healthy(1);
    let inventory = merge([organisation.inventory]);
    let told = |until: &str| {
        let until = until.parse().expect("a time");
        let forecast = forecast(&inventory, &Policy::default(), now(), Some(until), &TimeZone::UTC);
        all(&forecast).filter(|one| one.kind == Kind::Ends).count()
    };
    assert_eq!(told("2027-03-14T23:59:59Z"), 0);
    assert_eq!(told("2027-03-15T00:00:00Z"), 1);
}
