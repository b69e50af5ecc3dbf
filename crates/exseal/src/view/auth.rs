//! `exseal auth status` for people.

use exseal_engine::auth::{Action, AuthCertificate, AuthStatus, Blocked};

use super::paint::{BOLD, styled, wrapped};
use crate::context::Context;

pub(crate) fn text(status: &AuthStatus, context: &Context) -> String {
    let mut out = String::new();
    for (name, known) in [("current", &status.current), ("next", &status.next)] {
        let line = match known {
            None => "not seen".to_owned(),
            Some(None) => "none configured".to_owned(),
            Some(Some(certificate)) => certificate_line(certificate, context),
        };
        let line = format!("{}  {line}", styled(BOLD, &format!("{name:8}")));
        out.push_str(&wrapped(&line, "", "          ", context.width));
        let held_by = known
            .iter()
            .flatten()
            .flat_map(|certificate| &certificate.held_by);
        let held_by: Vec<&str> = held_by.map(String::as_str).collect();
        if !held_by.is_empty() {
            let line = format!("held by {}", held_by.join(", "));
            out.push_str(&wrapped(&line, "          ", "            ", context.width));
        }
    }
    for (title, servers) in [
        ("lack current", &status.missing_current),
        ("lack next", &status.missing_next),
        ("store not seen", &status.unreachable),
    ] {
        if !servers.is_empty() {
            out.push_str(&wrapped(
                &format!("{title}: {}", servers.join(", ")),
                "",
                "    ",
                context.width,
            ));
        }
    }
    let actions: Vec<&str> = status
        .actions
        .iter()
        .map(|action| action_words(*action))
        .collect();
    let what = if actions.is_empty() {
        "nothing".to_owned()
    } else {
        actions.join("; then ")
    };
    out.push_str(&wrapped(&format!("to do: {what}"), "", "    ", context.width));
    for blocked in &status.blocked_by {
        let why = match blocked {
            Blocked::Hybrid => "blocked: the hybrid configuration must learn the new certificate",
            Blocked::Unreachable => "blocked: not every server's store was seen",
        };
        out.push_str(&wrapped(why, "", "    ", context.width));
    }
    for reason in &status.reasons {
        out.push_str(&wrapped(reason, "  because ", "    ", context.width));
    }
    out
}

const fn action_words(action: Action) -> &'static str {
    match action {
        Action::Replace => "replace the current certificate",
        Action::StageNext => "stage a next certificate",
        Action::ImportCurrent => "import the current certificate where it is missing",
        Action::ImportNext => "import the next certificate where it is missing",
    }
}

fn certificate_line(certificate: &AuthCertificate, context: &Context) -> String {
    let mut line = certificate.thumbprint.to_string();
    match (certificate.not_after, certificate.days_left) {
        (Some(end), Some(days)) if days < 0 => {
            line.push_str(&format!("  ended {} ({} days ago)", context.time(end), -days));
        }
        (Some(end), Some(days)) => line.push_str(&format!("  ends {} (in {days} days)", context.time(end))),
        _ => line.push_str("  the certificate itself was not seen"),
    }
    if let Some(effective) = certificate.effective {
        line.push_str(&format!(", becomes current {}", context.time(effective)));
    }
    line
}
