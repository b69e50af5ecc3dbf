//! SMTP: STARTTLS and X-ANONYMOUSTLS with the certificate the rule picks; mail goes to a sink.

use std::io;

use super::dialogue::Lines;
use super::place::Key;
use super::{Io, Shared, lock, tls};
use crate::world::{Listener, SmtpListener, SmtpVerb};

/// A mail a server took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The port it came to.
    pub port: u16,
    /// Which verb protected it; `None`: clear text.
    pub tls: Option<SmtpVerb>,
    /// Envelope sender, as written.
    pub from: String,
    /// Envelope recipients, as written.
    pub to: Vec<String>,
    /// Header and body, lines ended by CRLF.
    pub data: Vec<u8>,
}

/// Recipients of one mail.
const RECIPIENTS: usize = 100;

pub(crate) async fn serve(shared: &Shared, key: &Key, io: Box<dyn Io>) -> io::Result<()> {
    let limits = shared.limits;
    let mut lines = Lines::new(io, limits.idle);
    let mut protected = None;
    let Some(own) = lock(&shared.world).smtp_listener(&key.server, key.port) else {
        return Ok(());
    };
    if !own.active {
        return lines.say("421 4.3.2 Service not active").await;
    }
    let time = lock(&shared.world).clock_of(&key.server);
    lines
        .say(&format!(
            "220 {} Microsoft ESMTP MAIL Service ready at {} (exseal lab, a simulation)",
            own.fqdn,
            time.strftime("%a, %-d %b %Y %H:%M:%S +0000")
        ))
        .await?;
    let mut greeted = false;
    let mut from: Option<String> = None;
    let mut to: Vec<String> = Vec::new();
    let mut wrong = 0;
    loop {
        let line = match lines.line(limits.line).await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                let _ = lines.say(&format!("421 4.4.1 {} {error}", own.fqdn)).await;
                return Err(error);
            }
        };
        let line = String::from_utf8_lossy(&line).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let Some(offer) = lock(&shared.world).smtp_listener(&key.server, key.port) else {
            return lines.say("421 4.3.2 Service not available").await;
        };
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                greeted = true;
                lines
                    .say(&greeting(&offer, protected.is_some(), limits.body))
                    .await?;
            }
            "HELO" => {
                greeted = true;
                lines.say(&format!("250 {} Hello", offer.fqdn)).await?;
            }
            verb @ ("STARTTLS" | "X-ANONYMOUSTLS") => {
                let (which, offered) = if verb == "STARTTLS" {
                    (SmtpVerb::StartTls, offer.starttls)
                } else {
                    (SmtpVerb::XAnonymousTls, offer.x_anonymous_tls)
                };
                if protected.is_some() || !offered {
                    lines.say("500 5.3.3 Unrecognized command").await?;
                    continue;
                }
                let listener = Listener::Smtp {
                    port: key.port,
                    verb: which,
                };
                if lock(&shared.world)
                    .certificate_for(&key.server, &listener)
                    .is_none()
                {
                    lock(&shared.world).handshake_failed(&key.server, &listener);
                    lines
                        .say("454 4.7.0 TLS not available due to temporary reason")
                        .await?;
                    continue;
                }
                lines.say("220 2.0.0 SMTP server ready").await?;
                let (io, _) = tls::accept(shared, key, lines.into_io()?, |_| listener).await?;
                lines = Lines::new(io, limits.idle);
                (protected, greeted, from) = (Some(which), false, None);
                to.clear();
            }
            "AUTH" => {
                lines
                    .say(
                        "504 5.7.4 Unrecognized authentication type (the simulation takes no passwords here)",
                    )
                    .await?;
            }
            "MAIL" if greeted => {
                from = Some(rest.to_owned());
                to.clear();
                lines.say("250 2.1.0 Sender OK").await?;
            }
            "RCPT" if from.is_some() && to.len() < RECIPIENTS => {
                to.push(rest.to_owned());
                lines.say("250 2.1.5 Recipient OK").await?;
            }
            "RCPT" if from.is_some() => lines.say("452 4.5.3 Too many recipients").await?,
            "DATA" if from.is_some() && !to.is_empty() => {
                lines.say("354 Start mail input; end with <CRLF>.<CRLF>").await?;
                match data(&mut lines, limits.line.max(8_192), limits.body).await? {
                    Body::Gone => return Ok(()),
                    Body::TooLarge => lines.say("552 5.3.4 Message size exceeds fixed limit").await?,
                    Body::Whole(data) => {
                        let message = Message {
                            port: key.port,
                            tls: protected,
                            from: from.take().unwrap_or_default(),
                            to: std::mem::take(&mut to),
                            data,
                        };
                        keep(shared, key, message);
                        lines
                            .say("250 2.6.0 Queued mail for delivery (in the simulation)")
                            .await?;
                    }
                }
            }
            "RSET" => {
                from = None;
                to.clear();
                lines.say("250 2.0.0 Resetting").await?;
            }
            "NOOP" => lines.say("250 2.0.0 OK").await?,
            "QUIT" => {
                return lines.say("221 2.0.0 Service closing transmission channel").await;
            }
            "MAIL" | "RCPT" | "DATA" => lines.say("503 5.5.2 Bad sequence of commands").await?,
            _ => {
                wrong += 1;
                if wrong > 20 {
                    return lines.say("421 4.7.0 Too many errors").await;
                }
                lines.say("500 5.3.3 Unrecognized command").await?;
            }
        }
    }
}

fn greeting(offer: &SmtpListener, protected: bool, size: usize) -> String {
    let mut words = vec![format!("{} Hello, this is a simulation", offer.fqdn)];
    words.push(format!("SIZE {size}"));
    words.extend(["PIPELINING", "ENHANCEDSTATUSCODES"].map(str::to_owned));
    if offer.starttls && !protected {
        words.push("STARTTLS".to_owned());
    }
    if offer.x_anonymous_tls && !protected {
        words.push("X-ANONYMOUSTLS".to_owned());
    }
    words.push("8BITMIME".to_owned());
    let last = words.len() - 1;
    let lines: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(index, word)| format!("250{}{word}", if index == last { ' ' } else { '-' }))
        .collect();
    lines.join("\r\n")
}

enum Body {
    Whole(Vec<u8>),
    TooLarge,
    Gone,
}

async fn data(lines: &mut Lines, line_limit: usize, limit: usize) -> io::Result<Body> {
    let mut data = Vec::new();
    let mut seen = 0_usize;
    loop {
        let Some(line) = lines.line(line_limit).await? else {
            return Ok(Body::Gone);
        };
        if line == b"." {
            return Ok(if seen > limit {
                Body::TooLarge
            } else {
                Body::Whole(data)
            });
        }
        let line = line.strip_prefix(b".").unwrap_or(&line);
        seen = seen.saturating_add(line.len() + 2);
        if seen > limit.saturating_mul(4) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "mail without end"));
        }
        if seen <= limit {
            data.extend_from_slice(line);
            data.extend_from_slice(b"\r\n");
        }
    }
}

fn keep(shared: &Shared, key: &Key, message: Message) {
    let mut sink = lock(&shared.sink);
    sink.push_back((key.server.clone(), message));
    let mut kept: usize = sink.iter().map(|(_, message)| message.data.len() + 256).sum();
    while kept > shared.limits.kept {
        let Some((_, oldest)) = sink.pop_front() else {
            break;
        };
        kept -= oldest.data.len() + 256;
    }
}
