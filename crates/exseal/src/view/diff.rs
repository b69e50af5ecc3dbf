//! `exseal diff` for people.

use exseal_engine::{CellState, Difference, How, SettingChange, SlotChange, SlotLook};

use super::paint::{BOLD, DIM, styled, wrapped};
use crate::context::Context;

/// What changed first, what could not be compared last.
pub(crate) fn text(difference: &Difference, context: &Context) -> String {
    let mut out = String::new();
    if difference.is_empty() {
        return "no difference\n".to_owned();
    }
    for (sign, servers) in [
        ("+ server", &difference.servers_added),
        ("- server", &difference.servers_gone),
    ] {
        for server in servers {
            line(&mut out, &format!("{sign} {server}"), context);
        }
    }
    let told = |how: How| matches!(how, How::Changed | How::Added | How::Gone);
    for one in difference.slots.iter().filter(|one| told(one.how)) {
        line(&mut out, &slot(one, context), context);
    }
    for one in &difference.stores {
        let subject = one.subject.as_deref().unwrap_or("(not seen)");
        let text = format!(
            "{} {}, store {:?}: {} {subject}",
            sign(one.how),
            styled(BOLD, &one.server),
            one.store,
            one.thumbprint
        );
        line(&mut out, &text, context);
    }
    for one in difference.settings.iter().filter(|one| told(one.how)) {
        line(&mut out, &setting(one), context);
    }
    let untold: Vec<String> = difference
        .slots
        .iter()
        .filter(|one| !told(one.how))
        .map(|one| (one.how, place(one.server.as_deref(), &one.slot.to_string())))
        .chain(
            difference
                .settings
                .iter()
                .filter(|one| !told(one.how))
                .map(|one| (one.how, place(one.server.as_deref(), &setting_name(one)))),
        )
        .map(|(how, place)| match how {
            How::SeenNow => format!("{place} (not seen before)"),
            How::NotSeenNow | How::Changed | How::Added | How::Gone | How::OtherChannel => {
                format!("{place} (not seen now)")
            }
        })
        .collect();
    if !untold.is_empty() {
        const NAMED: usize = 12;
        let more = untold.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let named: Vec<&str> = untold.iter().take(NAMED).map(String::as_str).collect();
        let said = format!("cannot be compared: {}{more}", named.join("; "));
        for line in wrapped(&said, "  ", "      ", context.width).lines() {
            out.push_str(&styled(DIM, line));
            out.push('\n');
        }
    }
    out
}

fn line(out: &mut String, text: &str, context: &Context) {
    out.push_str(&wrapped(text, "", "      ", context.width));
}

const fn sign(how: How) -> char {
    match how {
        How::Added => '+',
        How::Gone => '-',
        How::Changed => '~',
        How::SeenNow | How::NotSeenNow | How::OtherChannel => '?',
    }
}

fn place(server: Option<&str>, slot: &str) -> String {
    server.map_or_else(|| slot.to_owned(), |server| format!("{server} {slot}"))
}

fn slot(one: &SlotChange, context: &Context) -> String {
    let server = one.server.as_deref().unwrap_or("organisation");
    let look =
        |look: Option<&SlotLook>| look.map_or_else(|| "no such slot".to_owned(), |look| shown(look, context));
    let name = format!("{} {}, {}", sign(one.how), styled(BOLD, server), one.slot);
    match one.how {
        How::Added => format!("{name}: {}", look(one.after.as_ref())),
        How::Gone => format!("{name}: was {}", look(one.before.as_ref())),
        _ => format!(
            "{name}: {} → {}{}",
            look(one.before.as_ref()),
            look(one.after.as_ref()),
            by_whom(one.how)
        ),
    }
}

fn shown(look: &SlotLook, context: &Context) -> String {
    let thumbprint = look.thumbprint.map(|thumbprint| thumbprint.to_string());
    match (look.state, thumbprint) {
        (CellState::Empty, _) => "nothing".to_owned(),
        (CellState::Unknown, _) | (_, None) => "not seen".to_owned(),
        (CellState::Unseen, Some(thumbprint)) => format!("{thumbprint} (the certificate was not seen)"),
        (CellState::Presents, Some(thumbprint)) => {
            let end = look
                .not_after
                .map_or_else(String::new, |end| format!(", ends {}", context.day(end)));
            let subject = look.subject.as_deref().unwrap_or_default();
            format!("{thumbprint} ({subject}{end})")
        }
    }
}

fn setting_name(one: &SettingChange) -> String {
    one.slot
        .as_ref()
        .map_or_else(|| one.setting.clone(), |slot| format!("{slot} {}", one.setting))
}

fn setting(one: &SettingChange) -> String {
    let server = one.server.as_deref().unwrap_or("organisation");
    let value = |value: &Option<String>| match value.as_deref() {
        None | Some("") => "(empty)".to_owned(),
        Some(value) => value.to_owned(),
    };
    format!(
        "{} {}, {}: {} → {}{}",
        sign(one.how),
        styled(BOLD, server),
        setting_name(one),
        value(&one.before),
        value(&one.after),
        by_whom(one.how)
    )
}

/// That another channel looked, so that it may be no change.
const fn by_whom(how: How) -> &'static str {
    match how {
        How::OtherChannel => " (another channel looked: it may be no change)",
        How::Added | How::Gone | How::Changed | How::SeenNow | How::NotSeenNow => "",
    }
}
