//! POP3 and IMAP4: greeting, capabilities, TLS; nobody logs on.

use std::io;

use super::dialogue::Lines;
use super::place::Key;
use super::{Io, Shared, lock, tls};
use crate::world::Listener;

/// Commands of one connection.
const COMMANDS: usize = 500;

fn can_protect(shared: &Shared, key: &Key, listener: &Listener) -> bool {
    lock(&shared.world)
        .certificate_for(&key.server, listener)
        .is_some()
}

pub(crate) async fn pop(shared: &Shared, key: &Key, io: Box<dyn Io>, mut protected: bool) -> io::Result<()> {
    let mut lines = Lines::new(io, shared.limits.idle);
    lines
        .say("+OK The Microsoft Exchange POP3 service is ready. (exseal lab, a simulation)")
        .await?;
    for _ in 0..COMMANDS {
        let Some(line) = lines.line(shared.limits.line).await? else {
            return Ok(());
        };
        let line = String::from_utf8_lossy(&line).to_ascii_uppercase();
        match line.split(' ').next().unwrap_or_default() {
            "CAPA" => {
                let stls = if !protected && can_protect(shared, key, &Listener::Pop) {
                    "STLS\r\n"
                } else {
                    ""
                };
                lines.say(&format!("+OK\r\nTOP\r\nUIDL\r\n{stls}.")).await?;
            }
            "STLS" if !protected && can_protect(shared, key, &Listener::Pop) => {
                lines.say("+OK Begin TLS negotiation.").await?;
                let (io, _) = tls::accept(shared, key, lines.into_io()?, |_| Listener::Pop).await?;
                lines = Lines::new(io, shared.limits.idle);
                protected = true;
            }
            "USER" if protected => lines.say("+OK").await?,
            "USER" => {
                lines.say("-ERR Command is not valid in this state.").await?;
            }
            "PASS" => {
                lines
                    .say("-ERR Logon failure: the simulation has no mailboxes.")
                    .await?;
            }
            "NOOP" => lines.say("+OK").await?,
            "QUIT" => return lines.say("+OK Microsoft Exchange POP3 server signing off.").await,
            _ => lines.say("-ERR Protocol error. 14").await?,
        }
    }
    lines.say("-ERR Too many commands.").await
}

pub(crate) async fn imap(shared: &Shared, key: &Key, io: Box<dyn Io>, mut protected: bool) -> io::Result<()> {
    let mut lines = Lines::new(io, shared.limits.idle);
    lines
        .say("* OK The Microsoft Exchange IMAP4 service is ready. (exseal lab, a simulation)")
        .await?;
    for _ in 0..COMMANDS {
        let Some(line) = lines.line(shared.limits.line).await? else {
            return Ok(());
        };
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split(' ');
        let (tag, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match verb.to_ascii_uppercase().as_str() {
            "CAPABILITY" => {
                let more = if protected {
                    ""
                } else if can_protect(shared, key, &Listener::Imap) {
                    " STARTTLS LOGINDISABLED"
                } else {
                    " LOGINDISABLED"
                };
                lines
                    .say(&format!(
                        "* CAPABILITY IMAP4 IMAP4rev1{more} IDLE NAMESPACE\r\n{tag} OK CAPABILITY completed."
                    ))
                    .await?;
            }
            "STARTTLS" if !protected && can_protect(shared, key, &Listener::Imap) => {
                lines.say(&format!("{tag} OK Begin TLS negotiation now.")).await?;
                let (io, _) = tls::accept(shared, key, lines.into_io()?, |_| Listener::Imap).await?;
                lines = Lines::new(io, shared.limits.idle);
                protected = true;
            }
            "LOGIN" | "AUTHENTICATE" => {
                lines
                    .say(&format!(
                        "{tag} NO LOGIN failed: the simulation has no mailboxes."
                    ))
                    .await?;
            }
            "NOOP" => lines.say(&format!("{tag} OK NOOP completed.")).await?,
            "LOGOUT" => {
                return lines
                    .say(&format!(
                        "* BYE Microsoft Exchange Server IMAP4 server signing off.\r\n{tag} OK LOGOUT completed."
                    ))
                    .await;
            }
            _ => lines.say(&format!("{tag} BAD Command Error. 12")).await?,
        }
    }
    lines.say("* BYE Too many commands.").await
}
