//! Colour and width of text for people. Nothing depends on colour: every state has a word or sign of its own.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use exseal_model::Severity;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Bold.
pub(crate) const BOLD: Style = Style::new().bold();
/// Less important.
pub(crate) const DIM: Style = Style::new().dimmed();

/// The style of a severity.
pub(crate) const fn severity(severity: Severity) -> Style {
    let colour = match severity {
        Severity::Critical => AnsiColor::BrightRed,
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Notice => AnsiColor::Cyan,
        Severity::Info => AnsiColor::Blue,
    };
    let style = Style::new().fg_color(Some(anstyle::Color::Ansi(colour)));
    if matches!(severity, Severity::Critical) {
        style.bold()
    } else {
        style
    }
}

/// Text in a style; the styles are taken out again where the output has no colour.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Columns a text takes on the screen; styles take none.
pub(crate) fn columns(text: &str) -> usize {
    if !text.contains('\u{1b}') {
        return text.width();
    }
    let mut columns = 0;
    let mut in_style = false;
    for character in text.chars() {
        match character {
            '\u{1b}' => in_style = true,
            'm' if in_style => in_style = false,
            _ if in_style => {}
            other => columns += other.width().unwrap_or(0),
        }
    }
    columns
}

/// Takes out of a text what is neither readable nor one of our styles: control characters and marks that turn the
/// direction of writing, which a hostile export may carry into a terminal. A `�` stands where something was.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let safe = |character: char| {
        character == '\n'
            || !(character.is_control()
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}'))
    };
    if text.chars().all(safe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(style) = leading_style(rest) {
            out.push_str(style);
            rest = rest.get(style.len()..).unwrap_or_default();
            continue;
        }
        out.push(if safe(character) { character } else { '\u{fffd}' });
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// `ESC [ digits m` at the beginning of a text.
fn leading_style(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let digits = inner.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    inner.get(digits..)?.strip_prefix('m')?;
    text.get(..2 + digits + 1)
}

/// Pads to a width of columns.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let own = columns(text);
    format!("{text}{}", " ".repeat(width.saturating_sub(own)))
}

/// Cuts to a width of columns, with `…` where something is cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        let own = character.width().unwrap_or(0);
        if used + own + 1 > width {
            break;
        }
        used += own;
        out.push(character);
    }
    out.push('…');
    out
}

/// Breaks a sentence into lines of at most `width` columns behind an indent; a longer word keeps its line.
pub(crate) fn wrapped(text: &str, indent: &str, hanging: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = indent.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && columns(&line) + 1 + columns(word) > width {
            out.push_str(line.trim_end());
            out.push('\n');
            line = hanging.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_within_their_width() {
        let text = wrapped(
            "a sentence of several words that has to be broken",
            "  - ",
            "    ",
            20,
        );
        assert_eq!(
            text,
            "  - a sentence of\n    several words\n    that has to be\n    broken\n"
        );
        assert!(wrapped("0123456789012345678901234567890123456789", "", "", 20).starts_with("0123456789"));
    }

    #[test]
    fn styles_take_no_room() {
        let bold = styled(BOLD, "word");
        assert_eq!(columns(&bold), 4);
        assert_eq!(wrapped(&format!("{bold} next"), "", "", 9).lines().count(), 1);
        assert_eq!(columns(&padded(&bold, 6)), 6);
    }

    #[test]
    fn a_hostile_name_cannot_steer_the_terminal() {
        let name = "CN=a\u{1b}]0;title\u{7}\u{1b}[2J\u{202e}b\r";
        assert_eq!(
            harmless(name),
            "CN=a\u{fffd}]0;title\u{fffd}\u{fffd}[2J\u{fffd}b\u{fffd}"
        );
        let ours = styled(severity(Severity::Critical), "CRIT");
        assert_eq!(harmless(&ours), ours, "our own styles stay");
        assert_eq!(harmless("ä\n…"), "ä\n…");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("Default Frontend", 8), "Default…");
        assert_eq!(cut("short", 8), "short");
        assert_eq!(padded("ä", 3), "ä  ");
    }
}
