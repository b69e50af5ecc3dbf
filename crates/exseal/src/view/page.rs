//! A page of documentation in a terminal: paragraphs and lists broken to its width, headings bold, the rest as it stands.

use super::paint::{BOLD, styled, wrapped};
use crate::context::Context;

/// Shows a page as our own pages are written: headings with `#`, paragraphs, lists with `-` or numbers, tables, code blocks.
pub(crate) fn text(page: &str, context: &Context) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut in_code = false;
    for line in page.lines() {
        if line.starts_with("```") {
            flush(&mut paragraph, context, &mut out);
            in_code = !in_code;
            continue;
        }
        let stands = in_code || line.starts_with('|');
        if stands {
            flush(&mut paragraph, context, &mut out);
            out.push_str(if in_code { "    " } else { "" });
            out.push_str(line);
            out.push('\n');
        } else if line.starts_with('#') {
            flush(&mut paragraph, context, &mut out);
            let title = line.trim_start_matches('#').trim_start();
            out.push_str(&styled(BOLD, title));
            out.push('\n');
        } else if line.trim().is_empty() {
            flush(&mut paragraph, context, &mut out);
            out.push('\n');
        } else {
            if marker(line).is_some() {
                flush(&mut paragraph, context, &mut out);
            }
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line.trim());
        }
    }
    flush(&mut paragraph, context, &mut out);
    out
}

/// Columns of the mark of a list item.
fn marker(line: &str) -> Option<usize> {
    let line = line.trim_start();
    if line.starts_with("- ") {
        return Some(2);
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line.get(digits..)?;
    (digits > 0 && rest.starts_with(". ")).then_some(digits + 2)
}

fn flush(paragraph: &mut String, context: &Context, out: &mut String) {
    if paragraph.is_empty() {
        return;
    }
    let hanging = " ".repeat(marker(paragraph).unwrap_or(0));
    out.push_str(&wrapped(paragraph, "", &hanging, context.width));
    paragraph.clear();
}
