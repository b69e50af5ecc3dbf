//! Faults that wait for a command: which come now, and what the second operator does.

use exseal_psrp::message::{ErrorCategory, ErrorRecord};

use super::error::Problem;
use super::table::Cmdlet;
use crate::call::{Command, Endpoint};
use crate::certificate::Thumbprint;
use crate::organisation::StoreName;
use crate::world::{FaultKind, ServerName, World, split_words};

/// The faults of a command, in the order in which they were made. Each that has come so often as it should is gone.
///
/// `servers`: the session's server and the one the command is about. A fault that waits lets `after` matching commands
/// pass.
pub(crate) fn due(world: &mut World, servers: [&ServerName; 2], command: &str) -> Vec<FaultKind> {
    world.commands += 1;
    let mut due = Vec::new();
    for (fault, seen) in &mut world.faults {
        let here = fault
            .server
            .as_ref()
            .is_none_or(|server| servers.contains(&server));
        let this = fault
            .command
            .as_ref()
            .is_none_or(|own| own.eq_ignore_ascii_case(command));
        if !here || !this || !fault.kind.waits_for_command() {
            continue;
        }
        *seen = seen.saturating_add(1);
        let place = *seen;
        let ended = fault
            .times
            .is_some_and(|times| place > fault.after.saturating_add(times));
        if place > fault.after && !ended {
            due.push(fault.kind.clone());
        }
    }
    world.faults.retain(|(fault, seen)| {
        !fault.kind.waits_for_command()
            || fault
                .times
                .is_none_or(|times| *seen < fault.after.saturating_add(times))
    });
    due
}

/// What a command that throws says: a domain controller failed it.
pub(super) fn thrown(world: &mut World, at: &ServerName, cmdlet: &Cmdlet) -> ErrorRecord {
    let controller = format!("dc1.{}", world.domain);
    Problem::of(
        "ADTransientException",
        ErrorCategory::NotSpecified,
        format!(
            "An Active Directory error 0x51 occurred when trying to check the suitability of server '{controller}'. \
             Error: 'Active directory response: The LDAP server is unavailable.'"
        ),
        format!(
            "Active Directory-Fehler 0x51 beim Überprüfen der Eignung von Server \"{controller}\". Fehler: \"Active \
             Directory-Antwort: Der LDAP-Server ist nicht verfügbar.\""
        ),
    )
    .record(world, at, cmdlet)
}

/// The thumbprint of another certificate of the server's My store.
pub(crate) fn another(world: &World, at: &ServerName, than: &str) -> Option<String> {
    let store = world.servers.get(at)?.store(StoreName::My);
    let thumbprints = store
        .iter()
        .map(|stored| stored.certificate.thumbprint().to_string());
    thumbprints
        .into_iter()
        .find(|own| !own.eq_ignore_ascii_case(than))
}

/// What is in a server's My store now: those that come later are told from them.
pub(crate) fn held(world: &World, at: &ServerName) -> Vec<Thumbprint> {
    let store = world.servers.get(at).map(|server| server.store(StoreName::My));
    store
        .unwrap_or_default()
        .iter()
        .map(|stored| stored.certificate.thumbprint())
        .collect()
}

/// Takes the keys of the certificates of a server's My store that came since.
pub(crate) fn lose_new_keys(world: &mut World, at: &ServerName, before: &[Thumbprint]) {
    let store = world
        .servers
        .get_mut(at)
        .and_then(|server| server.stores.get_mut(&StoreName::My));
    for stored in store.into_iter().flatten() {
        if !before.contains(&stored.certificate.thumbprint()) {
            stored.key = None;
        }
    }
}

/// Lets another operator act at the server itself. What goes wrong for him is his.
pub(crate) fn second_operator(world: &mut World, at: &ServerName, line: Option<&str>) {
    let command = command_of(line.unwrap_or("New-ExchangeCertificate -Force"));
    // Nobody sees what his console shows; the world has changed, or not.
    let _ = super::run(world, at, Endpoint::Local, "second-operator", &command.into());
}

/// `Name -Parameter value -Switch value`: a word with a dash begins a parameter.
/// `-Parameter:value` is one word, `$true` and `$false` are what they say.
pub(crate) fn command_of(line: &str) -> Command {
    let mut words = split_words(line).into_iter().peekable();
    let mut command = Command::new(words.next().unwrap_or_default());
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            None => command = command.argument(word),
            Some(name) => {
                let (name, value) = match name.split_once(':') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (name, words.next_if(|next| !next.starts_with('-'))),
                };
                command = match value.as_deref() {
                    None | Some("$true") => command.with(name, true),
                    Some("$false") => command.with(name, false),
                    Some(value) => command.with(name, value),
                };
            }
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_a_command() {
        let command = command_of("Enable-ExchangeCertificate -Thumbprint AB -Services 'IIS, SMTP' -Force");

        assert_eq!(command.text, "Enable-ExchangeCertificate");
        assert_eq!(
            command,
            Command::new("Enable-ExchangeCertificate")
                .with("Thumbprint", "AB")
                .with("Services", "IIS, SMTP")
                .with("Force", true)
        );
        assert_eq!(
            command_of("Remove-EdgeSubscription EDGE1 -Confirm:$false"),
            Command::new("Remove-EdgeSubscription")
                .argument("EDGE1")
                .with("Confirm", false)
        );
    }
}
