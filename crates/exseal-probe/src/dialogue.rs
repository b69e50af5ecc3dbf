//! SMTP, POP3 and IMAP4 up to the byte where TLS begins. Sans-IO.
//!
//! [`Dialogue::read`] takes bytes as they come and says what to do next. Everything is bounded: the length of a line, the
//! number of lines, the bytes in all; at a bound there is an error that names it.

use crate::target::Protocol;

/// The longest line, in bytes: RFC 5321 §4.5.3.1.5 allows 512, Exchange's EHLO answers stay below.
const LINE: usize = 2048;
/// Lines of all answers together.
const LINES: usize = 200;
/// Words kept of what is offered.
const OFFERS: usize = 64;
/// Characters kept of a line that is shown.
const SHOWN: usize = 200;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read more.
    Wait,
    /// Write these bytes, then read more.
    Send(Vec<u8>),
    /// Begin TLS: the server waits for a ClientHello.
    Begin,
    /// The server does not offer TLS. Say goodbye with [`goodbye`].
    NotOffered,
    /// The server offered TLS and answered so to the command.
    Refused(String),
}

/// An answer that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct Unexpected {
    /// What should have come.
    pub expected: String,
    /// What came, in readable characters.
    pub found: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Offers,
    Command,
    Over,
}

/// A dialogue with one server.
#[derive(Clone, Debug)]
pub struct Dialogue {
    protocol: Protocol,
    state: State,
    buffer: Vec<u8>,
    lines: usize,
    name: String,
    greeting: Option<String>,
    offered: Vec<String>,
    capabilities_asked: bool,
}

impl Dialogue {
    /// Begins a dialogue; `None` where TLS begins with the first byte. `name` is said in EHLO.
    #[must_use]
    pub fn new(protocol: Protocol, name: &str) -> Option<Self> {
        protocol.command()?;
        Some(Self {
            protocol,
            state: State::Greeting,
            buffer: Vec::new(),
            lines: 0,
            name: name.chars().filter(char::is_ascii_graphic).collect(),
            greeting: None,
            offered: Vec::new(),
            capabilities_asked: false,
        })
    }

    /// The server's first line, once it came.
    #[must_use]
    pub fn greeting(&self) -> Option<&str> {
        self.greeting.as_deref()
    }

    /// What the server offered, in its order.
    #[must_use]
    pub fn offered(&self) -> &[String] {
        &self.offered
    }

    /// Takes what came and says what to do. After [`Next::Begin`], [`Next::NotOffered`] and [`Next::Refused`] it is over.
    ///
    /// # Errors
    ///
    /// [`Unexpected`] when it is no such server, when something follows the answer that begins TLS (RFC 3207 §4: what an
    /// attacker put in between), or at a bound.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Next, Unexpected> {
        self.buffer.extend_from_slice(bytes);
        let mut send = Vec::new();
        while let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.lines += 1;
            self.bound(line.len())?;
            let line = text(&line);
            let next = match self.protocol {
                Protocol::Smtp | Protocol::SmtpAnonymous => self.smtp(&line)?,
                Protocol::Pop => self.pop(&line)?,
                Protocol::Imap => self.imap(&line)?,
                Protocol::Https | Protocol::Tls => Next::Begin,
            };
            match next {
                Next::Wait => {}
                Next::Send(more) => send.extend(more),
                Next::Begin if !self.buffer.is_empty() => {
                    self.state = State::Over;
                    return Err(Unexpected {
                        expected: "silence until the ClientHello".to_owned(),
                        found: format!("{} bytes more: {}", self.buffer.len(), shown(&text(&self.buffer))),
                    });
                }
                over @ (Next::Begin | Next::NotOffered | Next::Refused(_)) => {
                    self.state = State::Over;
                    return Ok(over);
                }
            }
        }
        self.bound(self.buffer.len())?;
        Ok(if send.is_empty() {
            Next::Wait
        } else {
            Next::Send(send)
        })
    }

    fn bound(&self, length: usize) -> Result<(), Unexpected> {
        if length > LINE {
            return Err(Unexpected {
                expected: format!("a line of at most {LINE} bytes"),
                found: format!("{length} bytes: {}", shown(&text(&self.buffer))),
            });
        }
        if self.lines > LINES {
            return Err(Unexpected {
                expected: format!("an end of the answer within {LINES} lines"),
                found: "more".to_owned(),
            });
        }
        Ok(())
    }

    fn wrong(&self, expected: &str, line: &str) -> Unexpected {
        Unexpected {
            expected: expected.to_owned(),
            found: if line.is_empty() {
                "an empty line".to_owned()
            } else {
                shown(line)
            },
        }
    }

    fn offer(&mut self, words: &str) {
        if self.offered.len() < OFFERS && !words.is_empty() {
            self.offered.push(shown(words));
        }
    }

    fn offers(&self, command: &str) -> bool {
        self.offered
            .iter()
            .any(|offer| offer.eq_ignore_ascii_case(command))
    }

    fn command(&self) -> &'static str {
        self.protocol.command().unwrap_or_default()
    }

    /// RFC 5321 §4.2: three digits, a hyphen while more lines follow.
    fn smtp(&mut self, line: &str) -> Result<Next, Unexpected> {
        let (code, rest) = line.split_at_checked(3).unwrap_or((line, ""));
        if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong("an answer of SMTP, three digits and text", line));
        }
        let last = !rest.starts_with('-');
        let words = rest.get(1..).unwrap_or_default().trim();
        match self.state {
            State::Greeting => {
                self.greeting.get_or_insert_with(|| shown(line));
                match (code, last) {
                    (_, false) => Ok(Next::Wait),
                    ("220", true) => {
                        self.state = State::Offers;
                        Ok(Next::Send(format!("EHLO {}\r\n", self.name).into_bytes()))
                    }
                    _ => Err(self.wrong("220 and a greeting", line)),
                }
            }
            State::Offers => {
                // The first line names the server; a server without extensions answers 5xx to EHLO.
                if code == "250" && self.capabilities_asked {
                    self.offer(words);
                }
                self.capabilities_asked = true;
                if !last {
                    return Ok(Next::Wait);
                }
                if code == "421" {
                    return Err(self.wrong("250 and what is offered", line));
                }
                if code == "250" && self.offers(self.command()) {
                    self.state = State::Command;
                    return Ok(Next::Send(format!("{}\r\n", self.command()).into_bytes()));
                }
                Ok(Next::NotOffered)
            }
            State::Command => match (code, last) {
                (_, false) => Ok(Next::Wait),
                ("220", true) => Ok(Next::Begin),
                _ => Ok(Next::Refused(shown(line))),
            },
            State::Over => Ok(Next::Wait),
        }
    }

    /// RFC 1939, RFC 2449 (CAPA), RFC 2595 (STLS). A server without CAPA is asked for STLS all the same.
    fn pop(&mut self, line: &str) -> Result<Next, Unexpected> {
        let fine = line.starts_with("+OK");
        if !fine && !line.starts_with("-ERR") && self.state != State::Offers {
            return Err(self.wrong("+OK", line));
        }
        match self.state {
            State::Greeting => {
                self.greeting.get_or_insert_with(|| shown(line));
                if !fine {
                    return Err(self.wrong("+OK and a greeting", line));
                }
                self.state = State::Offers;
                Ok(Next::Send(b"CAPA\r\n".to_vec()))
            }
            State::Offers if !self.capabilities_asked => {
                self.capabilities_asked = true;
                if fine {
                    return Ok(Next::Wait);
                }
                if line.starts_with("-ERR") {
                    self.state = State::Command;
                    return Ok(Next::Send(b"STLS\r\n".to_vec()));
                }
                Err(self.wrong("+OK and what is offered", line))
            }
            State::Offers => {
                if line != "." {
                    self.offer(line);
                    return Ok(Next::Wait);
                }
                if !self.offers(self.command()) {
                    return Ok(Next::NotOffered);
                }
                self.state = State::Command;
                Ok(Next::Send(b"STLS\r\n".to_vec()))
            }
            State::Command if fine => Ok(Next::Begin),
            // Never offered, and not known: that is no refusal.
            State::Command if self.offered.is_empty() => Ok(Next::NotOffered),
            State::Command => Ok(Next::Refused(shown(line))),
            State::Over => Ok(Next::Wait),
        }
    }

    /// RFC 3501 §6.1.1, §6.2.1.
    fn imap(&mut self, line: &str) -> Result<Next, Unexpected> {
        match self.state {
            State::Greeting => {
                self.greeting.get_or_insert_with(|| shown(line));
                if !line.starts_with("* OK") && !line.starts_with("* PREAUTH") {
                    return Err(self.wrong("* OK and a greeting", line));
                }
                self.state = State::Offers;
                Ok(Next::Send(b"a1 CAPABILITY\r\n".to_vec()))
            }
            State::Offers => {
                if let Some(words) = line.strip_prefix("* CAPABILITY ") {
                    for word in words.split_whitespace() {
                        self.offer(word);
                    }
                    return Ok(Next::Wait);
                }
                if line.starts_with("* ") {
                    return Ok(Next::Wait);
                }
                if !line.starts_with("a1 ") {
                    return Err(self.wrong("a1 OK", line));
                }
                if !self.offers(self.command()) {
                    return Ok(Next::NotOffered);
                }
                self.state = State::Command;
                Ok(Next::Send(b"a2 STARTTLS\r\n".to_vec()))
            }
            State::Command => {
                if line.starts_with("* ") {
                    return Ok(Next::Wait);
                }
                match line.strip_prefix("a2 ") {
                    Some(answer) if answer.starts_with("OK") => Ok(Next::Begin),
                    Some(answer) => Ok(Next::Refused(shown(answer))),
                    None => Err(self.wrong("a2 OK", line)),
                }
            }
            State::Over => Ok(Next::Wait),
        }
    }
}

/// What is said before hanging up, inside of TLS too; empty where nothing is.
#[must_use]
pub const fn goodbye(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Smtp | Protocol::SmtpAnonymous | Protocol::Pop => b"QUIT\r\n",
        Protocol::Imap => b"a3 LOGOUT\r\n",
        Protocol::Https | Protocol::Tls => b"",
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .trim_end_matches(['\r', '\n'])
        .to_owned()
}

/// A line as it may be shown: no control characters, not too long.
pub(crate) fn shown(line: &str) -> String {
    let mut out: String = line
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if line.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `server` against the dialogue, whole and byte by byte; gives what was sent, and the end.
    fn play(protocol: Protocol, server: &[&str]) -> (String, Result<Next, Unexpected>) {
        let run = |split: bool| {
            let mut dialogue = Dialogue::new(protocol, "me.example.org").unwrap();
            let mut sent = String::new();
            for piece in server {
                let parts: Vec<&[u8]> = if split {
                    piece.as_bytes().chunks(1).collect()
                } else {
                    vec![piece.as_bytes()]
                };
                for part in parts {
                    match dialogue.read(part) {
                        Ok(Next::Wait) => {}
                        Ok(Next::Send(bytes)) => sent.push_str(&String::from_utf8(bytes).unwrap()),
                        end => return (sent, end),
                    }
                }
            }
            (sent, Ok(Next::Wait))
        };
        let whole = run(false);
        assert_eq!(
            whole.0,
            run(true).0,
            "what is sent does not depend on how bytes come"
        );
        whole
    }

    #[test]
    fn smtp_begins_tls_where_it_is_offered() {
        let (sent, end) = play(
            Protocol::Smtp,
            &[
                "220 EX1.example.org Microsoft ESMTP MAIL Service ready\r\n",
                "250-EX1.example.org Hello [192.0.2.9]\r\n250-SIZE 37748736\r\n250-STARTTLS\r\n250 SMTPUTF8\r\n",
                "220 2.0.0 SMTP server ready\r\n",
            ],
        );
        assert_eq!(sent, "EHLO me.example.org\r\nSTARTTLS\r\n");
        assert_eq!(end, Ok(Next::Begin));
    }

    #[test]
    fn smtp_without_starttls_is_an_answer_of_its_own() {
        let (_, end) = play(
            Protocol::Smtp,
            &[
                "220 ex1\r\n",
                "250-ex1 Hello\r\n250-X-ANONYMOUSTLS\r\n250 CHUNKING\r\n",
            ],
        );
        assert_eq!(end, Ok(Next::NotOffered));
        let (_, end) = play(Protocol::Smtp, &["220 ex1\r\n", "502 what?\r\n"]);
        assert_eq!(end, Ok(Next::NotOffered), "a server without EHLO offers nothing");
    }

    #[test]
    fn the_name_of_the_server_is_no_offer() {
        let (_, end) = play(Protocol::Smtp, &["220 x\r\n", "250-STARTTLS\r\n250 SIZE\r\n"]);
        assert_eq!(end, Ok(Next::NotOffered));
    }

    #[test]
    fn exchange_servers_are_asked_in_their_own_way() {
        let (sent, end) = play(
            Protocol::SmtpAnonymous,
            &[
                "220 ex1\r\n",
                "250-ex1\r\n250-STARTTLS\r\n250 X-ANONYMOUSTLS\r\n",
                "220 2.0.0 SMTP server ready\r\n",
            ],
        );
        assert!(sent.ends_with("X-ANONYMOUSTLS\r\n"));
        assert_eq!(end, Ok(Next::Begin));
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let (_, end) = play(
            Protocol::Smtp,
            &[
                "220 x\r\n",
                "250-x\r\n250 STARTTLS\r\n",
                "454 4.7.0 TLS not available\r\n",
            ],
        );
        assert_eq!(end, Ok(Next::Refused("454 4.7.0 TLS not available".to_owned())));
    }

    #[test]
    fn what_follows_the_answer_that_begins_tls_is_no_part_of_it() {
        let (_, end) = play(
            Protocol::Smtp,
            &[
                "220 x\r\n",
                "250-x\r\n250 STARTTLS\r\n",
                "220 go\r\n250 injected\r\n",
            ],
        );
        // Byte by byte the end comes before the rest; whole it is seen.
        assert!(end.unwrap_err().found.contains("injected"));
    }

    #[test]
    fn pop_and_imap_begin_tls() {
        let (sent, end) = play(
            Protocol::Pop,
            &[
                "+OK The Microsoft Exchange POP3 service is ready.\r\n",
                "+OK\r\nTOP\r\nSTLS\r\n.\r\n",
                "+OK Begin\r\n",
            ],
        );
        assert_eq!((sent.as_str(), end), ("CAPA\r\nSTLS\r\n", Ok(Next::Begin)));
        let (sent, end) = play(
            Protocol::Imap,
            &[
                "* OK The Microsoft Exchange IMAP4 service is ready.\r\n",
                "* CAPABILITY IMAP4 IMAP4rev1 LOGINDISABLED STARTTLS\r\na1 OK CAPABILITY completed.\r\n",
                "a2 OK Begin TLS negotiation now.\r\n",
            ],
        );
        assert_eq!(sent, "a1 CAPABILITY\r\na2 STARTTLS\r\n");
        assert_eq!(end, Ok(Next::Begin));
        let (_, end) = play(
            Protocol::Pop,
            &["+OK\r\n", "-ERR unknown\r\n", "-ERR unknown\r\n"],
        );
        assert_eq!(
            end,
            Ok(Next::NotOffered),
            "an old POP server knows neither CAPA nor STLS"
        );
        let (_, end) = play(Protocol::Imap, &["* OK\r\n", "* CAPABILITY IMAP4\r\na1 OK\r\n"]);
        assert_eq!(end, Ok(Next::NotOffered));
    }

    #[test]
    fn an_endless_banner_and_an_endless_line_have_an_end() {
        let mut dialogue = Dialogue::new(Protocol::Smtp, "me").unwrap();
        let mut end = Ok(Next::Wait);
        for _ in 0..10_000 {
            end = dialogue.read(b"220-still talking\r\n");
            if end.is_err() {
                break;
            }
        }
        assert!(end.unwrap_err().expected.contains("200 lines"));
        let mut dialogue = Dialogue::new(Protocol::Imap, "me").unwrap();
        assert!(
            dialogue
                .read(&[b'x'; 4096])
                .unwrap_err()
                .expected
                .contains("2048 bytes")
        );
    }

    #[test]
    fn other_servers_are_told_by_their_first_line() {
        let (_, end) = play(Protocol::Smtp, &["HTTP/1.1 400 Bad Request\r\n"]);
        let error = end.unwrap_err();
        assert_eq!(error.found, "HTTP/1.1 400 Bad Request");
        let (_, end) = play(Protocol::Imap, &["+OK pop\r\n"]);
        assert!(end.is_err());
        let (_, end) = play(Protocol::Smtp, &["554 5.7.1 go away\r\n"]);
        assert!(end.unwrap_err().found.contains("go away"));
    }
}
