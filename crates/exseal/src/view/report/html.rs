//! The report as one page: no network, no script, light and dark, for screens and paper.

use std::fmt::Write as _;

use exseal_model::Finding;
#[cfg(test)]
use exseal_model::Severity;
use jiff::{SignedDuration, Timestamp};

use super::{CertificateLine, Report};
use crate::context::Context;
use crate::view::diagnose::{causes_and_effects, counted, following, groups, place};
use crate::view::forecast::{Told, away, ended_days, merged, places};
use crate::view::matrix::{ALL_SHOWN, Sign, Table, folded};

const STYLE: &str = include_str!("report.css");

/// The page. Every value from a file is escaped; the page's own policy forbids it to load or run anything.
pub(crate) fn html(report: &Report, context: &Context) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = write!(
        out,
        "<title>Exchange certificates, {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        esc(&context.day(report.now))
    );
    header(report, context, &mut out);
    out.push_str("<main>\n");
    matrix(report, &mut out);
    findings(report, context, &mut out);
    forecast(report, context, &mut out);
    timeline(report, context, &mut out);
    certificates(report, context, &mut out);
    seen(report, context, &mut out);
    out.push_str("</main>\n");
    let _ = writeln!(
        out,
        "<footer><p class=\"soft\">Made by exseal {} from what was given to it; nothing was changed.</p></footer>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

fn header(report: &Report, context: &Context, out: &mut String) {
    let _ = write!(
        out,
        "<header>\n<h1>Certificates of the Exchange organisation</h1>\n<p>As of {}: {} servers, {} certificates. Policy: {}.</p>\n<p><strong>{}</strong></p>\n",
        esc(&context.time(report.now)),
        report.servers,
        report.certificates.len(),
        esc(&report.policy),
        esc(&counted(&report.diagnosis)),
    );
    out.push_str("<nav aria-label=\"Parts of the page\"><a href=\"#matrix\">Matrix</a><a href=\"#findings\">Findings</a><a href=\"#forecast\">What stops when</a><a href=\"#timeline\">Timeline</a><a href=\"#certificates\">Certificates</a><a href=\"#seen\">What was seen</a></nav>\n</header>\n");
}

/// Opens a part that scrolls sideways by itself and that a keyboard can reach.
fn scroll(label: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">",
        esc(label)
    );
}

fn matrix(report: &Report, out: &mut String) {
    let table = Table::of(&report.diagnosis);
    out.push_str("<section id=\"matrix\">\n<h2>Servers and slots</h2>\n");
    if !table.rows.is_empty() {
        grid(
            "Matrix of servers and slots",
            &table.headings,
            &folded(&table.rows),
            out,
        );
    }
    if !table.organisation.is_empty() {
        let words: Vec<String> = table
            .organisation
            .iter()
            .map(|(heading, sign)| format!("{} {}", esc(heading), word(sign)))
            .collect();
        let _ = writeln!(out, "<p>Organisation: {}</p>", words.join(", "));
    }
    out.push_str("<p class=\"soft\">?: nobody looked. -: empty. unseen: names a certificate nobody has seen. +N: so many servers look the same.</p>\n");
    if table.rows.len() > ALL_SHOWN {
        let _ = writeln!(
            out,
            "<details><summary>All {} servers</summary>",
            table.rows.len()
        );
        let all: Vec<(String, &[Sign])> = table
            .rows
            .iter()
            .map(|(name, signs)| (name.clone(), signs.as_slice()))
            .collect();
        grid("Matrix of all servers", &table.headings, &all, out);
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}

fn grid(label: &str, headings: &[&str], rows: &[(String, &[Sign])], out: &mut String) {
    scroll(label, out);
    out.push_str("<table><thead><tr><th scope=\"col\">server</th>");
    for heading in headings {
        let _ = write!(out, "<th scope=\"col\">{}</th>", esc(heading));
    }
    out.push_str("</tr></thead><tbody>\n");
    for (name, signs) in rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", esc(name));
        for sign in *signs {
            let _ = write!(out, "<td>{}</td>", word(sign));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// A word of the matrix; the colour only repeats it.
fn word(sign: &Sign) -> String {
    match (sign.severity, sign.word) {
        (Some(severity), word) => format!("<span class=\"{severity}\">{}</span>", esc(word)),
        (None, "ok") => "<span class=\"fine\">ok</span>".to_owned(),
        (None, word) => esc(word),
    }
}

fn findings(report: &Report, context: &Context, out: &mut String) {
    out.push_str("<section id=\"findings\">\n<h2>Findings</h2>\n");
    if report.diagnosis.findings.is_empty() {
        out.push_str("<p>None.</p>\n");
    }
    let (causes, effects) = causes_and_effects(&report.diagnosis.findings);
    for group in groups(&causes, 2) {
        if let Some((first, others)) = group.split_first() {
            finding(first, others, following(&group, &effects), context, out);
        }
    }
    let unknown = &report.diagnosis.unknown;
    if !unknown.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>What cannot be told ({})</summary><ul>",
            unknown.len()
        );
        for one in unknown {
            let server = one.server.as_deref().unwrap_or("the organisation");
            let slot = one
                .slot
                .as_ref()
                .map_or_else(String::new, |slot| format!(", {slot}"));
            let _ = writeln!(
                out,
                "<li>{}: {}, because {}</li>",
                esc(&one.check),
                esc(&format!("{server}{slot}")),
                esc(&one.because)
            );
        }
        out.push_str("</ul></details>\n");
    }
    out.push_str("</section>\n");
}

fn finding(
    first: &Finding,
    others: &[&Finding],
    (effects, more): (Vec<&Finding>, usize),
    context: &Context,
    out: &mut String,
) {
    let severity = first.severity;
    let _ = write!(
        out,
        "<article class=\"{severity}-edge\">\n<h3><span class=\"{severity}\">{severity}</span> {} <span class=\"soft\">{}</span></h3>\n<p>{}</p>\n<dl>",
        esc(&first.name),
        esc(&place(first)),
        esc(&first.found)
    );
    let from = first
        .consequence
        .from
        .map_or_else(String::new, |from| format!(" (from {})", context.time(from)));
    for (label, text) in [
        ("wanted", first.wanted.clone()),
        ("breaks", format!("{}{from}", first.consequence.text)),
        ("cause", first.cause.clone()),
        ("fix", first.fix.clone()),
    ] {
        let _ = write!(out, "<dt>{label}</dt><dd>{}</dd>", esc(&text));
    }
    for evidence in &first.evidence {
        let file = evidence
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!(" in {file}"));
        let _ = write!(
            out,
            "<dt>seen</dt><dd>{} <span class=\"soft\">({})</span></dd>",
            esc(&evidence.value),
            esc(&format!("{}{file}", evidence.what))
        );
    }
    for effect in effects {
        let what = format!("{}, {}: {}", effect.name, place(effect), effect.found);
        let _ = write!(out, "<dt>so too</dt><dd>{}</dd>", esc(&what));
    }
    if more > 0 {
        let _ = write!(out, "<dt>so too</dt><dd>{more} more that follow</dd>");
    }
    out.push_str("</dl>\n");
    if !others.is_empty() {
        let _ = write!(
            out,
            "<details><summary>likewise in {} more places</summary><ul>",
            others.len()
        );
        for other in others {
            let _ = write!(out, "<li>{}: {}</li>", esc(&place(other)), esc(&other.found));
        }
        out.push_str("</ul></details>\n");
    }
    out.push_str("</article>\n");
}

fn forecast(report: &Report, context: &Context, out: &mut String) {
    out.push_str("<section id=\"forecast\">\n<h2>What stops when, if nothing is done</h2>\n");
    if report.forecast.days.is_empty() && report.forecast.ended.is_empty() {
        out.push_str("<p>Nothing is to come.</p>\n</section>\n");
        return;
    }
    scroll("What stops when", out);
    out.push_str("<table><thead><tr><th scope=\"col\">day</th><th scope=\"col\">when</th><th scope=\"col\">certificate</th><th scope=\"col\">slots</th><th scope=\"col\">stops</th></tr></thead><tbody>\n");
    let mut line = |date: &str, when: &str, one: &Told<'_>| {
        let _ = writeln!(
            out,
            "<tr><td class=\"d\">{}</td><td class=\"d\">{}</td><td>{} <span class=\"{}\">{}</span></td><td>{}</td><td>{}</td></tr>",
            esc(date),
            esc(when),
            esc(&one.certificates()),
            one.severity,
            if when == "ended" { "" } else { one.predicate() },
            esc(&places(&one.places)),
            esc(&one.stops.join("; "))
        );
    };
    for (date, of_day) in ended_days(&report.forecast, context) {
        for one in merged(of_day) {
            line(&date, "ended", &one);
        }
    }
    for day in &report.forecast.days {
        for one in merged(&day.happenings) {
            line(&day.date.to_string(), &away(day, report.now, context), &one);
        }
    }
    out.push_str("</tbody></table></div>\n</section>\n");
}

/// The span of time the timeline shows: a little of the past, and at most seven years.
struct Scale {
    from: Timestamp,
    to: Timestamp,
}

impl Scale {
    fn of(report: &Report) -> Self {
        const DAY: i64 = 86_400;
        let after = |days: i64| {
            report
                .now
                .checked_add(SignedDuration::from_secs(days * DAY))
                .unwrap_or(report.now)
        };
        let last = report
            .certificates
            .iter()
            .map(|line| line.not_after)
            .max()
            .unwrap_or(report.now);
        Self {
            from: after(-400),
            to: last.clamp(after(90), after(7 * 365)),
        }
    }

    /// The place of a time, in percent, cut at the edges.
    fn percent(&self, time: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64();
        let part = time.duration_since(self.from).as_secs_f64();
        (part / whole * 100.0).clamp(0.0, 100.0)
    }
}

fn timeline(report: &Report, context: &Context, out: &mut String) {
    out.push_str("<section id=\"timeline\">\n<h2>Timeline</h2>\n");
    let scale = Scale::of(report);
    let (used, idle): (Vec<&CertificateLine>, Vec<&CertificateLine>) =
        report.certificates.iter().partition(|line| line.in_use());
    out.push_str("<p class=\"soft\">From beginning to end of each certificate that something uses; the upright line is the day of this report.</p>\n");
    // A large organisation sees what comes first, and the rest when it asks for it.
    let soon = used.partition_point(|line| line.days_left <= 400);
    let (first, later) = if used.len() > ALL_SHOWN {
        used.split_at(soon)
    } else {
        (used.as_slice(), &[][..])
    };
    bars(
        "Timeline of certificates in use",
        first,
        &scale,
        report,
        context,
        out,
    );
    if !later.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>{} more that end in more than 400 days</summary>",
            later.len()
        );
        bars("Timeline of later ends", later, &scale, report, context, out);
        out.push_str("</details>\n");
    }
    if !idle.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>{} certificates that nothing is seen to use</summary>",
            idle.len()
        );
        bars(
            "Timeline of other certificates",
            &idle,
            &scale,
            report,
            context,
            out,
        );
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}

fn bars(
    label: &str,
    lines: &[&CertificateLine],
    scale: &Scale,
    report: &Report,
    context: &Context,
    out: &mut String,
) {
    scroll(label, out);
    out.push_str("<table class=\"line\"><thead><tr><th scope=\"col\">certificate</th><th scope=\"col\"><div class=\"axis\">");
    let first = scale.from.to_zoned(context.zone.clone()).year() + 1;
    let last = scale.to.to_zoned(context.zone.clone()).year();
    for year in first..=last {
        let begins = jiff::civil::date(year, 1, 1).to_zoned(context.zone.clone());
        if let Ok(begins) = begins {
            let _ = write!(
                out,
                "<span style=\"left:{:.1}%\">{year}</span>",
                scale.percent(begins.timestamp())
            );
        }
    }
    out.push_str("</div></th><th scope=\"col\" class=\"end\">ends</th></tr></thead><tbody>\n");
    let now = scale.percent(report.now);
    for line in lines {
        let (from, to) = (scale.percent(line.not_before), scale.percent(line.not_after));
        let class = match line.days_left {
            _ if line.not_after < report.now => "error-bar",
            days if days < 60 => "warning-bar",
            _ => "fine-bar",
        };
        let short = line.thumbprint.to_string();
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{} <span class=\"t soft\">{}</span></th><td><div class=\"track\"><span class=\"{class}\" style=\"left:{from:.1}%;width:{:.1}%\"></span><i style=\"left:{now:.1}%\"></i></div></td><td class=\"end\">{}</td></tr>",
            esc(line.name()),
            short.get(..8).unwrap_or(&short),
            to - from,
            esc(&context.day(line.not_after))
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn certificates(report: &Report, context: &Context, out: &mut String) {
    out.push_str("<section id=\"certificates\">\n<h2>Certificates</h2>\n");
    let open = if report.certificates.len() > 100 {
        ""
    } else {
        " open"
    };
    let _ = writeln!(
        out,
        "<details{open}><summary>{} certificates, the first to end first</summary>",
        report.certificates.len()
    );
    scroll("Certificates", out);
    out.push_str("<table><thead><tr><th scope=\"col\">ends</th><th scope=\"col\">days</th><th scope=\"col\">subject and thumbprint</th><th scope=\"col\">issuer</th><th scope=\"col\">names</th><th scope=\"col\">key, signature</th><th scope=\"col\">presented by</th><th scope=\"col\">in</th><th scope=\"col\">seen by</th></tr></thead><tbody>\n");
    for line in &report.certificates {
        let issuer = if line.self_signed { "itself" } else { &line.issuer };
        let mut seen: Vec<u32> = line
            .held
            .iter()
            .flat_map(|held| &held.seen_by)
            .map(|id| id.0)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        let more = seen.len().saturating_sub(6);
        let seen: Vec<String> = seen
            .iter()
            .take(6)
            .map(|id| format!("<a href=\"#s{id}\">{id}</a>"))
            .collect();
        let more = if more > 0 {
            format!(" +{more}")
        } else {
            String::new()
        };
        let names: Vec<&str> = line.dns_names.iter().take(6).map(String::as_str).collect();
        let more_names = line.dns_names.len().saturating_sub(names.len());
        let more_names = if more_names > 0 {
            format!(" and {more_names} more")
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "<tr><td class=\"d\">{}</td><td class=\"n\">{}</td><td>{}<br><span class=\"t\">{}</span></td><td>{}</td><td>{}{more_names}</td><td>{}, {}</td><td>{}</td><td>{}</td><td>{}{more}</td></tr>",
            esc(&context.day(line.not_after)),
            line.days_left,
            esc(&line.subject),
            line.thumbprint,
            esc(issuer),
            esc(&names.join(", ")),
            esc(&line.key),
            esc(&line.signature),
            esc(&places(&line.presented)),
            esc(&line.held_words()),
            seen.join(" ")
        );
    }
    out.push_str("</tbody></table></div></details>\n</section>\n");
}

fn seen(report: &Report, context: &Context, out: &mut String) {
    out.push_str("<section id=\"seen\">\n<h2>What was seen</h2>\n<p class=\"soft\">Sources in the order of trust; what a server's store shows wins over what a cmdlet says of it.</p>\n");
    let open = if report.sources.len() > 100 { "" } else { " open" };
    let _ = writeln!(
        out,
        "<details{open}><summary>{} sources</summary>",
        report.sources.len()
    );
    scroll("Sources", out);
    out.push_str("<table><thead><tr><th scope=\"col\">number</th><th scope=\"col\">what was asked</th><th scope=\"col\">kept in</th><th scope=\"col\">when</th></tr></thead><tbody>\n");
    for (at, source) in report.sources.iter().enumerate() {
        let unrecorded = if source.unrecorded {
            " <span class=\"soft\">(its shape known from documentation only)</span>"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "<tr id=\"s{at}\"><td class=\"n\">{at}</td><td>{}{unrecorded}</td><td class=\"t\">{}</td><td class=\"d\">{}</td></tr>",
            esc(&source.what),
            esc(source.file.as_deref().unwrap_or_default()),
            source
                .at
                .map_or_else(|| "not said".to_owned(), |time| esc(&context.time(time)))
        );
    }
    out.push_str("</tbody></table></div></details>\n");
    if !report.errors.is_empty() || !report.not_recognised.is_empty() {
        out.push_str("<h3>What could not be read</h3>\n<ul>\n");
        for error in &report.errors {
            let _ = writeln!(
                out,
                "<li>{}</li>",
                esc(&format!(
                    "{}, {}: expected {}, found {}",
                    error.file, error.at, error.expected, error.found
                ))
            );
        }
        for one in &report.not_recognised {
            let _ = writeln!(
                out,
                "<li>{} holds nothing exseal knows: {}</li>",
                esc(&one.file),
                esc(&one.looks_like)
            );
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
}

/// Text as text, in elements and in attributes between double quotes.
fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other if other.is_control() && other != '\n' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// Kept so that a new severity is given its colour.
#[cfg(test)]
const SEVERITIES: [Severity; 5] = [
    Severity::Info,
    Severity::Notice,
    Severity::Warning,
    Severity::Error,
    Severity::Critical,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_text() {
        assert_eq!(
            esc("<script>alert(\"1\")</script>&'\u{7}"),
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\u{fffd}"
        );
    }

    #[test]
    fn every_severity_has_its_colour_and_edge() {
        for severity in SEVERITIES {
            assert!(STYLE.contains(&format!(".{severity}")), "{severity}");
            assert!(STYLE.contains(&format!("article.{severity}-edge")), "{severity}");
        }
    }

    #[test]
    fn the_page_asks_nothing_of_a_network() {
        for word in ["url(", "@import", "http"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
