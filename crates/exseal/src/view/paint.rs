//! Colour and width of text for people. Nothing depends on colour: every state has a word or sign of its own.

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

/// Pads to a width of columns.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let own = text.width();
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
        if !empty && line.width() + 1 + word.width() > width {
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
    fn what_is_cut_says_so() {
        assert_eq!(cut("Default Frontend", 8), "Default…");
        assert_eq!(cut("short", 8), "short");
        assert_eq!(padded("ä", 3), "ä  ");
    }
}
