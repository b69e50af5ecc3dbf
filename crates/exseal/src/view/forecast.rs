//! `exseal forecast` for people and calendars.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use exseal_engine::{Day, Forecast, Happening, Kind, Place};
use exseal_model::{Severity, Slot};
use jiff::Timestamp;

use super::paint::{self, BOLD, DIM, styled, wrapped};
use crate::context::Context;

/// A line a day; the words of a line name what happens, where, and what stops.
pub(crate) fn text(forecast: &Forecast, context: &Context) -> String {
    const INDENT: &str = "            ";
    let mut out = String::new();
    for (date, of_day) in ended_days(forecast, context) {
        let worst = of_day.iter().map(|one| one.severity).max();
        let date = worst.map_or_else(|| date.clone(), |worst| styled(paint::severity(worst), &date));
        let said: Vec<String> = merged(of_day)
            .iter()
            .map(|one| {
                format!(
                    "{} ended and still presented: {}{}",
                    one.certificates(),
                    places(&one.places),
                    one.arrow()
                )
            })
            .collect();
        out.push_str(&wrapped_at(
            &format!("{date}  {}", said.join("; and ")),
            INDENT,
            context,
        ));
    }
    for day in &forecast.days {
        let worst = day.happenings.iter().map(|one| one.severity).max();
        let date = day.date.to_string();
        let date = worst.map_or_else(|| date.clone(), |worst| styled(paint::severity(worst), &date));
        let said: Vec<String> = merged(&day.happenings).iter().map(Told::words).collect();
        let line = format!(
            "{date}  {}: {}",
            away(day, forecast.now, context),
            said.join("; and ")
        );
        out.push_str(&wrapped_at(&line, INDENT, context));
    }
    if forecast.days.is_empty() {
        let until = forecast
            .until
            .map_or_else(String::new, |until| format!(" until {}", context.day(until)));
        let _ = writeln!(out, "nothing is to come{until}");
    }
    let mut reasons: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
    for one in &forecast.unknown {
        reasons.entry(&one.because).or_default().push(one.place.clone());
    }
    for (because, of) in reasons {
        let line = format!("cannot tell about {}, because {because}", places(&of));
        for line in wrapped(&line, "  ", "      ", context.width).lines() {
            let _ = writeln!(out, "{}", styled(DIM, line));
        }
    }
    let _ = writeln!(
        out,
        "{}",
        styled(DIM, &format!("as of {}", context.time(forecast.now)))
    );
    out
}

fn wrapped_at(line: &str, indent: &str, context: &Context) -> String {
    // A narrow terminal has no room for a column of dates.
    let indent = if context.width < 60 { "  " } else { indent };
    wrapped(line, "", indent, context.width)
}

/// `in 12 days`, counted from day to day in the person's zone.
pub(crate) fn away(day: &Day, now: Timestamp, context: &Context) -> String {
    let today = now.to_zoned(context.zone.clone()).date();
    match today.until(day.date).map(|span| span.get_days()) {
        Ok(0) => "today".to_owned(),
        Ok(1) => "tomorrow".to_owned(),
        Ok(days) => format!("in {days} days"),
        Err(_) => "far away".to_owned(),
    }
}

/// What has ended, by its day in the person's zone.
pub(crate) fn ended_days<'f>(forecast: &'f Forecast, context: &Context) -> Vec<(String, &'f [Happening])> {
    forecast
        .ended
        .chunk_by(|one, other| context.day(one.at) == context.day(other.at))
        .filter_map(|of_day| Some((context.day(of_day.first()?.at), of_day)))
        .collect()
}

/// What happens to several certificates on one day in the same kinds of slots: told as one.
#[derive(Debug)]
pub(crate) struct Told<'f> {
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    pub(crate) names: Vec<String>,
    pub(crate) places: Vec<Place>,
    pub(crate) stops: &'f [String],
}

/// Puts together what is the same but for certificate and server, in the order of the first of each.
pub(crate) fn merged(happenings: &[Happening]) -> Vec<Told<'_>> {
    type Key<'f> = (Kind, BTreeSet<&'static str>, &'f [String]);
    let mut told: Vec<Told<'_>> = Vec::new();
    let mut at_key: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    for one in happenings {
        let kinds = one.places.iter().map(|place| place.slot.kind()).collect();
        let at = *at_key.entry((one.kind, kinds, &one.stops)).or_insert_with(|| {
            told.push(Told {
                kind: one.kind,
                severity: one.severity,
                names: Vec::new(),
                places: Vec::new(),
                stops: &one.stops,
            });
            told.len() - 1
        });
        if let Some(own) = told.get_mut(at) {
            own.severity = own.severity.max(one.severity);
            own.names.push(certificate(one));
            own.places.extend(one.places.iter().cloned());
        }
    }
    told
}

impl Told<'_> {
    /// The certificates, a long list cut with its number.
    pub(crate) fn certificates(&self) -> String {
        const NAMED: usize = 3;
        match self.names.split_at_checked(NAMED) {
            Some((named, more @ [_, ..])) => format!("{} and {} more", named.join(", "), more.len()),
            _ => self.names.join(", "),
        }
    }

    /// What happens to them, as a predicate.
    pub(crate) const fn predicate(&self) -> &'static str {
        match (self.kind, self.names.len()) {
            (Kind::Ends, 1) => "ends",
            (Kind::Ends, _) => "end",
            (Kind::RenewalDue, 1) => "is due for renewal",
            (Kind::RenewalDue, _) => "are due for renewal",
            (Kind::BecomesCurrent, _) => "becomes the current Auth certificate",
        }
    }

    /// What happens, in words.
    pub(crate) fn words(&self) -> String {
        let bold = styled(BOLD, self.predicate());
        match self.kind {
            Kind::BecomesCurrent => format!("{} {bold}", self.certificates()),
            Kind::Ends | Kind::RenewalDue => format!(
                "{} {bold}: {}{}",
                self.certificates(),
                places(&self.places),
                self.arrow()
            ),
        }
    }

    fn arrow(&self) -> String {
        if self.stops.is_empty() {
            String::new()
        } else {
            format!(" → {}", self.stops.join("; "))
        }
    }
}

/// The subject's common name, and so much of the thumbprint as people tell certificates apart by.
fn certificate(one: &Happening) -> String {
    let name = one
        .subject
        .split(", ")
        .find_map(|part| part.strip_prefix("CN="))
        .unwrap_or(&one.subject);
    let thumbprint = one.thumbprint.to_string();
    let short = thumbprint.get(..8).unwrap_or(&thumbprint);
    format!("{name} ({short}…)")
}

/// `front-end/*:443, pop on ex1, ex2; send-connector/x`, long lists cut with their number.
pub(crate) fn places(places: &[Place]) -> String {
    const NAMED: usize = 4;
    const GROUPS: usize = 8;
    let mut by_server: BTreeMap<(bool, Option<&str>), Vec<&Slot>> = BTreeMap::new();
    for place in places {
        by_server
            .entry((place.server.is_none(), place.server.as_deref()))
            .or_default()
            .push(&place.slot);
    }
    // Servers of which the same is true share a part; what belongs to the organisation is never cut.
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    let servers = by_server.keys().filter(|(_, server)| server.is_some()).count();
    for ((_, server), slots) in by_server {
        let slots = slot_words(&slots, servers > 1);
        let at = groups
            .iter()
            .position(|(own, servers)| *own == slots && servers.is_empty() == server.is_none());
        match (at.and_then(|at| groups.get_mut(at)), server) {
            (Some((_, servers)), Some(server)) => servers.push(server),
            _ => groups.push((slots, server.into_iter().collect())),
        }
    }
    groups.sort_by_key(|(_, servers)| (!servers.is_empty(), std::cmp::Reverse(servers.len())));
    let more: usize = groups.iter().skip(GROUPS).map(|(_, servers)| servers.len()).sum();
    let mut parts: Vec<String> = groups
        .iter()
        .take(GROUPS)
        .map(|(slots, servers)| match servers.split_at_checked(NAMED) {
            _ if servers.is_empty() => slots.clone(),
            Some((named, [_, ..])) => format!(
                "{slots} on {} and {} more",
                named.join(", "),
                servers.len() - NAMED
            ),
            _ => format!("{slots} on {}", servers.join(", ")),
        })
        .collect();
    if more > 0 {
        parts.push(format!("other slots on {more} more servers"));
    }
    parts.join("; ")
}

/// Slots by their ids; receive connectors as their number where they are several, or carry the names of several servers.
fn slot_words(slots: &[&Slot], many_servers: bool) -> String {
    let is_connector = |slot: &&&Slot| matches!(slot, Slot::ReceiveConnector(_));
    let connectors = slots.iter().filter(is_connector).count();
    let counted = connectors > 1 || (many_servers && connectors == 1);
    let mut words: Vec<String> = slots
        .iter()
        .filter(|slot| !counted || !is_connector(slot))
        .map(ToString::to_string)
        .collect();
    match connectors {
        1 if counted => words.push("1 receive connector".to_owned()),
        many if counted => words.push(format!("{many} receive connectors")),
        _ => {}
    }
    words.join(", ")
}

/// An iCalendar (RFC 5545) with a whole-day event a day, that a person's calendar can subscribe to or import.
///
/// The same forecast gives the same ids, so that importing again replaces what was imported.
pub(crate) fn calendar(forecast: &Forecast, context: &Context) -> String {
    let stamp = forecast.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut out = String::new();
    for line in [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//exseal//forecast//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
    ] {
        content_line(line, &mut out);
    }
    for day in &forecast.days {
        let told = merged(&day.happenings);
        let said: Vec<String> = told.iter().map(Told::words).collect();
        let said: Vec<String> = said
            .iter()
            .map(|text| anstream::adapter::strip_str(text).to_string())
            .collect();
        let Some(first) = told.iter().max_by_key(|one| one.severity) else {
            continue;
        };
        let more = match told.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let summary = format!("Exchange: {} {}{more}", first.certificates(), first.predicate());
        let next = day.date.tomorrow().unwrap_or(day.date);
        let ends = day.happenings.iter().any(|one| one.kind == Kind::Ends);
        for line in [
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}@exseal", day.date.strftime("%Y%m%d")),
            format!("DTSTAMP:{stamp}"),
            format!("DTSTART;VALUE=DATE:{}", day.date.strftime("%Y%m%d")),
            format!("DTEND;VALUE=DATE:{}", next.strftime("%Y%m%d")),
            format!("SUMMARY:{}", escaped(&summary)),
            format!(
                "DESCRIPTION:{}",
                escaped(&format!(
                    "{}\nas of {}",
                    said.join("\n"),
                    context.time(forecast.now)
                ))
            ),
            "TRANSP:TRANSPARENT".to_owned(),
        ] {
            content_line(&line, &mut out);
        }
        if ends {
            for line in [
                "BEGIN:VALARM".to_owned(),
                "ACTION:DISPLAY".to_owned(),
                format!("DESCRIPTION:{}", escaped(&summary)),
                "TRIGGER:-P14D".to_owned(),
                "END:VALARM".to_owned(),
            ] {
                content_line(&line, &mut out);
            }
        }
        content_line("END:VEVENT", &mut out);
    }
    content_line("END:VCALENDAR", &mut out);
    out
}

/// RFC 5545 §3.3.11.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push_str("\\n"),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

/// A line of at most 75 octets, folded behind it (RFC 5545 §3.1).
fn content_line(line: &str, out: &mut String) {
    let mut used = 0;
    for character in line.chars() {
        if used + character.len_utf8() > 75 {
            out.push_str("\r\n ");
            used = 1;
        }
        used += character.len_utf8();
        out.push(character);
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut out = String::new();
        content_line(&format!("SUMMARY:{}", "ä".repeat(60)), &mut out);
        let lines: Vec<&str> = out.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= 75));
        assert!(lines[1].starts_with(' '));
        assert_eq!(lines.concat().replace(' ', "").chars().count(), 68);
    }

    #[test]
    fn what_means_something_to_a_calendar_is_escaped() {
        assert_eq!(escaped("a,b;c\\d\ne\r"), "a\\,b\\;c\\\\d\\ne");
    }
}
