//! `exseal probe` for people, for Nagios and for PRTG.

use std::fmt::Write as _;

use exseal_model::Severity;
use exseal_probe::names::{Autodiscover, MailDomain};
use exseal_probe::{LookedBy, Names, Outcome, Remark, Sighting};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::paint::{self, BOLD, DIM, columns, cut, padded, styled, wrapped};
use crate::context::Context;

/// What `exseal probe --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Probed {
    /// The version of this format: 1.
    format: u32,
    /// The time everything is judged at.
    at: Timestamp,
    /// The looks, in the order of the targets.
    pub(crate) sightings: Vec<Sighting>,
    /// What was asked about names.
    pub(crate) names: Names,
}

impl Probed {
    pub(crate) const fn new(at: Timestamp, sightings: Vec<Sighting>, names: Names) -> Self {
        Self {
            format: 1,
            at,
            sightings,
            names,
        }
    }

    /// Every remark with the place it is about, the worst first.
    fn remarks(&self) -> Vec<(String, &Remark)> {
        let of_looks = self.sightings.iter().flat_map(|sighting| {
            sighting
                .remarks
                .iter()
                .map(move |remark| (place(sighting), remark))
        });
        let ways = self
            .names
            .autodiscover
            .iter()
            .flat_map(|way| way.remarks.iter().map(move |remark| (way.domain.clone(), remark)));
        let mail = self.names.mail.iter().flat_map(|mail| {
            mail.remarks
                .iter()
                .map(move |remark| (mail.domain.clone(), remark))
        });
        let mut all: Vec<_> = of_looks.chain(ways).chain(mail).collect();
        all.sort_by_key(|(_, remark)| std::cmp::Reverse(remark.severity));
        all
    }

    /// The worst that is to be said.
    pub(crate) fn worst(&self) -> Option<Severity> {
        self.remarks().first().map(|(_, remark)| remark.severity)
    }

    /// Whether anything answered at all.
    pub(crate) fn anyone_answered(&self) -> bool {
        let named = !self.names.autodiscover.is_empty() || !self.names.mail.is_empty();
        named || self.sightings.iter().any(|sighting| sighting.address.is_some())
    }
}

fn place(sighting: &Sighting) -> String {
    match (&sighting.asked, sighting.target.wanted_name()) {
        (None, Some(_)) => format!("{} without a name", sighting.target),
        (Some(name), _) if *name != sighting.target.host => format!("{} as {name}", sighting.target),
        _ => sighting.target.to_string(),
    }
}

/// For people: host by host, a line a port, what is to be said behind it.
pub(crate) fn text(probed: &Probed, context: &Context) -> String {
    let mut out = String::new();
    let mut host = "";
    let wide = probed
        .sightings
        .iter()
        .map(|sighting| sighting.target.protocol.word().len())
        .max()
        .unwrap_or(0);
    for sighting in &probed.sightings {
        if sighting.target.host != host {
            host = &sighting.target.host;
            let address = probed
                .sightings
                .iter()
                .filter(|other| other.target.host == host)
                .find_map(|other| other.address.as_deref())
                .and_then(|address| address.parse::<std::net::SocketAddr>().ok())
                .map_or_else(String::new, |address| {
                    format!("  {}", styled(DIM, &address.ip().to_string()))
                });
            let _ = writeln!(out, "{}{address}", styled(BOLD, host));
        }
        line(&mut out, sighting, wide, context);
    }
    of_names(&mut out, probed, context);
    let _ = writeln!(out, "{}", summary(probed));
    out
}

fn line(out: &mut String, sighting: &Sighting, wide: usize, context: &Context) {
    let head = format!(
        "  {:>5}  {}  ",
        sighting.target.port,
        padded(sighting.target.protocol.word(), wide)
    );
    let (what, tail) = match &sighting.presented {
        Some(presented) => {
            let subject = presented.leaf.as_ref().map_or_else(
                || "unreadable certificate".to_owned(),
                |leaf| leaf.subject.clone(),
            );
            let end = presented.leaf.as_ref().map_or_else(String::new, |leaf| {
                format!("{} ({} days)  ", context.day(leaf.not_after), leaf.days_left)
            });
            let by = if presented.by == LookedBy::Hello {
                " (not verified)"
            } else {
                ""
            };
            (subject, format!("  {end}{}{by}", presented.version))
        }
        None => (sighting.outcome.to_string(), String::new()),
    };
    let at = sighting
        .target
        .at
        .map_or_else(String::new, |address| format!("  at {address}"));
    let tail = format!("{tail}{at}");
    let without = match (&sighting.asked, sighting.target.wanted_name()) {
        (None, Some(_)) => " (no name asked)",
        _ => "",
    };
    let room = context
        .width
        .saturating_sub(columns(&head) + tail.len() + without.len())
        .max(16);
    let quiet = sighting
        .remarks
        .iter()
        .all(|remark| remark.severity <= Severity::Info);
    let what = cut(&what, room);
    let body = if sighting.presented.is_none() && quiet {
        styled(DIM, &what)
    } else {
        what
    };
    let _ = writeln!(out, "{head}{body}{without}{tail}");
    if let Some(presented) = &sighting.presented
        && let Some(thumbprint) = presented.thumbprint
    {
        let trust = match presented.trusted {
            Some(true) => ", trusted",
            Some(false) => ", not trusted",
            None => "",
        };
        let cover = match presented.covers {
            Some(true) => ", covers the name",
            Some(false) => ", does not cover the name",
            None => "",
        };
        let text = format!("{thumbprint}, {} sent{trust}{cover}", presented.chain.len());
        let _ = writeln!(out, "         {}", styled(DIM, &text));
    }
    for remark in &sighting.remarks {
        // What nobody answered is in the line already.
        if remark.severity > Severity::Info && remark.name != "no-answer" {
            say(out, remark, context);
        }
    }
    if !sighting.versions.is_empty() {
        let spoken: Vec<&str> = sighting
            .versions
            .iter()
            .filter(|seen| seen.spoken == Some(true))
            .map(|seen| seen.version.as_str())
            .collect();
        let _ = writeln!(
            out,
            "         speaks {}",
            if spoken.is_empty() {
                "none we know".to_owned()
            } else {
                spoken.join(", ")
            }
        );
    }
    if !sighting.health.is_empty() {
        let fine = sighting
            .health
            .iter()
            .filter(|page| page.status == Some(200))
            .count();
        let _ = writeln!(
            out,
            "         {fine} of {} healthcheck pages answer 200",
            sighting.health.len()
        );
    }
}

fn say(out: &mut String, remark: &Remark, context: &Context) {
    let word = styled(paint::severity(remark.severity), &remark.severity.to_string());
    out.push_str(&wrapped(
        &format!("{word}: {}", remark.text),
        "         ",
        "           ",
        context.width,
    ));
}

fn of_names(out: &mut String, probed: &Probed, context: &Context) {
    if !probed.names.resolved.is_empty() {
        let _ = writeln!(out, "{}", styled(BOLD, "names"));
    }
    for one in &probed.names.resolved {
        let what = match &one.problem {
            Some(problem) => format!("not known: {problem}"),
            None if one.addresses.is_empty() => "no address".to_owned(),
            None => one.addresses.join(", "),
        };
        out.push_str(&wrapped(
            &format!("{} by {}: {what}", one.name, one.resolver),
            "  ",
            "      ",
            context.width,
        ));
    }
    for way in &probed.names.autodiscover {
        autodiscover(out, way, context);
    }
    for domain in &probed.names.mail {
        mail(out, domain, context);
    }
}

fn autodiscover(out: &mut String, way: &Autodiscover, context: &Context) {
    let _ = writeln!(
        out,
        "{} by {}",
        styled(BOLD, &format!("Autodiscover of {}", way.domain)),
        way.resolver
    );
    for (at, step) in way.steps.iter().enumerate() {
        let leads = step
            .leads_to
            .as_ref()
            .map_or_else(String::new, |to| format!(", leads to {to}"));
        let text = format!("{}. {}: {}{leads}", at + 1, step.url, step.says);
        out.push_str(&wrapped(&text, "  ", "     ", context.width));
    }
    for remark in &way.remarks {
        say(out, remark, context);
    }
}

fn mail(out: &mut String, domain: &MailDomain, context: &Context) {
    let _ = writeln!(
        out,
        "{} by {}, DNSSEC: {}",
        styled(BOLD, &format!("mail of {}", domain.domain)),
        domain.resolver,
        domain.dnssec.word()
    );
    if let Some(problem) = &domain.problem {
        out.push_str(&wrapped(problem, "  ", "    ", context.width));
    }
    for host in &domain.hosts {
        let tls = match host.sighting.as_ref() {
            None => "not looked at".to_owned(),
            Some(sighting) => match &sighting.presented {
                Some(presented) => presented.leaf.as_ref().map_or_else(
                    || "unreadable certificate".to_owned(),
                    |leaf| leaf.subject.clone(),
                ),
                None => sighting.outcome.to_string(),
            },
        };
        out.push_str(&wrapped(
            &format!("{} {}: {tls}", host.preference, host.name),
            "  ",
            "      ",
            context.width,
        ));
        for record in &host.tlsa {
            let fits = match record.fits {
                Some(true) => "fits",
                Some(false) => "does not fit",
                None => "not for mail, or nothing was presented",
            };
            let data = cut(&record.data, 20);
            let _ = writeln!(
                out,
                "      TLSA {} {} {} {data}: {fits} (DNSSEC: {})",
                record.usage,
                record.selector,
                record.matching,
                host.dnssec.word()
            );
        }
    }
    for remark in &domain.remarks {
        say(out, remark, context);
    }
}

/// One sentence over everything.
fn summary(probed: &Probed) -> String {
    let count = |wanted: &dyn Fn(&Outcome) -> bool| {
        probed
            .sightings
            .iter()
            .filter(|sighting| wanted(&sighting.outcome))
            .count()
    };
    let presented = count(&|outcome| matches!(outcome, Outcome::Presented));
    let without = count(&|outcome| matches!(outcome, Outcome::NotOffered { .. }));
    let silent = probed.sightings.len() - presented - without;
    let mut parts = vec![format!(
        "{} looks: {presented} presented a certificate",
        probed.sightings.len()
    )];
    if without > 0 {
        parts.push(format!("{without} offer no TLS"));
    }
    if silent > 0 {
        parts.push(format!("{silent} did not answer"));
    }
    parts.join(", ")
}

/// The plug-in's line with its end of line, and its exit code.
pub(crate) fn nagios(probed: &Probed) -> (String, u8) {
    let remarks = probed.remarks();
    let (word, code) = match probed.worst() {
        _ if !probed.anyone_answered() => ("UNKNOWN", 3),
        Some(Severity::Critical | Severity::Error) => ("CRITICAL", 2),
        Some(Severity::Warning) => ("WARNING", 1),
        Some(Severity::Info | Severity::Notice) | None => ("OK", 0),
    };
    let serious = remarks
        .iter()
        .filter(|(_, remark)| remark.severity >= Severity::Warning)
        .count();
    let mut line = format!("EXSEAL {word} - {}", summary(probed));
    if let Some((place, remark)) = remarks.first().filter(|_| serious > 0) {
        let _ = write!(line, "; {place}: {}", remark.text);
        if serious > 1 {
            let _ = write!(line, " (and {} more)", serious - 1);
        }
    }
    // A bar begins the figures.
    let mut line = line.replace('|', "/").replace(['\n', '\r'], " ");
    let figures: Vec<String> = days(probed)
        .map(|(place, days)| format!("'{}'={days}", place.replace(['\'', '=', '|'], "_")))
        .collect();
    if !figures.is_empty() {
        let _ = write!(line, " | {}", figures.join(" "));
    }
    line.push('\n');
    (line, code)
}

/// Days that are left, look by look.
fn days(probed: &Probed) -> impl Iterator<Item = (String, i64)> {
    probed.sightings.iter().filter_map(|sighting| {
        let leaf = sighting.presented.as_ref()?.leaf.as_ref()?;
        Some((place(sighting), leaf.days_left))
    })
}

/// Channels a PRTG sensor may have.
const CHANNELS: usize = 50;

/// XML of a PRTG custom sensor (EXE/Script Advanced): days left, a channel a look, the nearest ends first.
pub(crate) fn prtg(probed: &Probed) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<prtg>\n");
    let remarks = probed.remarks();
    let mut said = summary(probed);
    if let Some((place, remark)) = remarks
        .iter()
        .find(|(_, remark)| remark.severity >= Severity::Warning)
    {
        let _ = write!(said, "; {place}: {}", remark.text);
    }
    if !probed.anyone_answered() {
        let _ = writeln!(out, "  <error>1</error>\n  <text>{}</text>\n</prtg>", xml(&said));
        return out;
    }
    let mut channels: Vec<(String, i64)> = days(probed).collect();
    channels.sort_by_key(|(_, days)| *days);
    let serious = remarks
        .iter()
        .filter(|(_, remark)| remark.severity >= Severity::Error)
        .count();
    let warnings = remarks
        .iter()
        .filter(|(_, remark)| remark.severity == Severity::Warning)
        .count();
    for (name, value, limit) in [
        ("errors", serious, "LimitMaxError"),
        ("warnings", warnings, "LimitMaxWarning"),
    ] {
        let _ = writeln!(
            out,
            "  <result><channel>{name}</channel><value>{value}</value><LimitMode>1</LimitMode><{limit}>0</{limit}></result>"
        );
    }
    for (place, days) in channels.iter().take(CHANNELS - 2) {
        let _ = writeln!(
            out,
            "  <result><channel>{}</channel><value>{days}</value><unit>Custom</unit><CustomUnit>days</CustomUnit></result>",
            xml(place)
        );
    }
    if channels.len() > CHANNELS - 2 {
        let _ = write!(
            said,
            "; {} looks have no channel of their own",
            channels.len() - (CHANNELS - 2)
        );
    }
    let _ = writeln!(out, "  <text>{}</text>\n</prtg>", xml(&said));
    out
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
