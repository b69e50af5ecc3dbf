//! How something that is broken shows: sentences that a world fulfils or does not.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::place::{Place, presented};
use crate::certificate::Certificate;
use crate::organisation::StoreName;
use crate::world::{FrontEnd, ServerName, World, split_words};

/// A sentence about what can be seen of an organisation.
///
/// ```text
/// EX1:443 presents WORD…           nothing, self-signed, public, internal, unknown-issuer, expired, ends-within=DAYS,
///                                  life-under=DAYS, for=NAME, not-for=NAME, sha1
/// EX1:443 differs-from EX2:443     same-as likewise
/// EX1 port 25 closed               or open
/// EX1 front-end no-back-end        works, down, auth-broken, login-loops, pool-stopped
/// EX1 session refused              or opens: Exchange's remoting
/// EX1 logs 12014 [TEXT]            an event with this id, and this text in it
/// EX1 auth missing                 present, no-key, expired, ends-within=DAYS: the current Auth certificate in its store
/// EX1 holds 2 SUBJECT [STORE]      so many certificates with this text in the subject
/// EDGE1 subscription outdated      or current: whether the organisation recorded the certificate the Edge has
/// EX1 state PATH is JSON           a part of the state dump; also: is-not JSON, has TEXT
/// directory PATH is JSON           the same of the directory, as the first site sees it
/// world PATH is JSON               the same of the whole dump
/// ```
///
/// A place is `SERVER:PORT`, `SERVER:IP:PORT` (how the server's own address is called), with `/anonymous` behind it for
/// X-ANONYMOUSTLS and `@NAME` for the name a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symptom {
    text: String,
    claim: Claim,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    Presents(Place, Vec<Trait>),
    Compared(Place, Place, bool),
    Port(ServerName, u16, bool),
    FrontEnd(ServerName, FrontEnd),
    Session(ServerName, bool),
    Logs(ServerName, u32, Option<String>),
    Auth(ServerName, Trait),
    Holds(ServerName, usize, String, StoreName),
    Subscription(ServerName, bool),
    State(Vec<String>, Test),
}

impl Claim {
    fn server(&self) -> Option<&ServerName> {
        match self {
            Self::Presents(place, _) | Self::Compared(place, ..) => Some(&place.server),
            Self::Port(server, ..)
            | Self::FrontEnd(server, _)
            | Self::Session(server, _)
            | Self::Logs(server, ..)
            | Self::Auth(server, _)
            | Self::Holds(server, ..)
            | Self::Subscription(server, _) => Some(server),
            Self::State(..) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Trait {
    Nothing,
    NoKey,
    Present,
    SelfSigned,
    Sha1,
    IssuedBy(&'static str),
    Expired,
    EndsWithin(i64),
    LifeUnder(i64),
    For(String),
    NotFor(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Is(Value),
    IsNot(Value),
    Has(String),
}

/// A sentence that says nothing, or something that is not so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymptomError {
    /// It is no sentence of this language.
    #[error("{sentence:?}: expected {expected}, found {found:?}")]
    Sentence {
        /// The sentence.
        sentence: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The world does not fulfil it.
    #[error("{sentence:?} is not so: found {found}")]
    NotSo {
        /// The sentence.
        sentence: String,
        /// What is there.
        found: String,
    },
}

const FRONT_ENDS: [(&str, FrontEnd); 6] = [
    ("works", FrontEnd::Works),
    ("down", FrontEnd::Down),
    ("no-back-end", FrontEnd::NoBackEnd),
    ("auth-broken", FrontEnd::AuthBroken),
    ("login-loops", FrontEnd::LoginLoops),
    ("pool-stopped", FrontEnd::PoolStopped),
];

fn one_of(names: &[&str]) -> String {
    format!("one of {}", names.join(", "))
}

impl Trait {
    fn parse(word: &str) -> Option<Self> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        Some(match (name, value) {
            ("nothing" | "missing", "") => Self::Nothing,
            ("no-key", "") => Self::NoKey,
            ("present", "") => Self::Present,
            ("self-signed", "") => Self::SelfSigned,
            ("sha1", "") => Self::Sha1,
            ("public", "") => Self::IssuedBy("Simulated Public CA"),
            ("internal", "") => Self::IssuedBy("Simulated Enterprise CA"),
            ("unknown-issuer", "") => Self::IssuedBy("Simulated Unknown CA"),
            ("expired", "") => Self::Expired,
            ("ends-within", days) => Self::EndsWithin(days.parse().ok()?),
            ("life-under", days) => Self::LifeUnder(days.parse().ok()?),
            ("for", name) if !name.is_empty() => Self::For(name.to_owned()),
            ("not-for", name) if !name.is_empty() => Self::NotFor(name.to_owned()),
            _ => return None,
        })
    }

    fn holds(&self, certificate: Option<&Certificate>, has_key: bool, now: Timestamp) -> bool {
        let days = |count: i64| SignedDuration::from_hours(24 * count);
        let Some(certificate) = certificate else {
            return *self == Self::Nothing;
        };
        let left = certificate.not_after().duration_since(now);
        match self {
            Self::Nothing => false,
            Self::NoKey => !has_key,
            Self::Present => has_key && !left.is_negative(),
            Self::SelfSigned => certificate.is_self_signed(),
            Self::Sha1 => certificate.signature_algorithm().1 == "sha1RSA",
            Self::IssuedBy(name) => certificate.issuer().to_string().contains(name),
            Self::Expired => left.is_negative(),
            Self::EndsWithin(count) => !left.is_negative() && left < days(*count),
            Self::LifeUnder(count) => {
                certificate.not_after().duration_since(certificate.not_before()) < days(*count)
            }
            Self::For(name) => certificate.covers(name),
            Self::NotFor(name) => !certificate.covers(name),
        }
    }
}

impl Symptom {
    /// Reads a sentence.
    ///
    /// # Errors
    ///
    /// [`SymptomError::Sentence`] with what may stand there.
    pub fn parse(sentence: &str) -> Result<Self, SymptomError> {
        let words = split_words(sentence);
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let wrong = |expected: &str, found: &str| SymptomError::Sentence {
            sentence: sentence.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        let number = |at: usize, what: &str| -> Result<u32, SymptomError> {
            word(at).parse().map_err(|_| wrong(what, word(at)))
        };
        let place = |at: usize| Place::parse(word(at)).ok_or_else(|| wrong("SERVER:PORT", word(at)));
        let server = ServerName::new(word(0));
        let claim = match word(1) {
            "presents" => {
                let traits: Option<Vec<Trait>> =
                    words.iter().skip(2).map(|word| Trait::parse(word)).collect();
                let traits = traits
                    .filter(|traits| !traits.is_empty())
                    .ok_or_else(|| wrong("nothing, self-signed, public, expired, for=NAME, …", sentence))?;
                Claim::Presents(place(0)?, traits)
            }
            "differs-from" => Claim::Compared(place(0)?, place(2)?, false),
            "same-as" => Claim::Compared(place(0)?, place(2)?, true),
            "port" => {
                let port = number(2, "a port")?;
                let port = u16::try_from(port).map_err(|_| wrong("a port", word(2)))?;
                match word(3) {
                    "open" => Claim::Port(server, port, true),
                    "closed" => Claim::Port(server, port, false),
                    other => return Err(wrong("open or closed", other)),
                }
            }
            "front-end" => {
                let found = FRONT_ENDS.iter().find(|(name, _)| *name == word(2));
                let (_, state) =
                    found.ok_or_else(|| wrong(&one_of(&FRONT_ENDS.map(|(name, _)| name)), word(2)))?;
                Claim::FrontEnd(server, *state)
            }
            "session" => match word(2) {
                "opens" => Claim::Session(server, true),
                "refused" => Claim::Session(server, false),
                other => return Err(wrong("opens or refused", other)),
            },
            "logs" => Claim::Logs(server, number(2, "an event's id")?, words.get(3).cloned()),
            "auth" => match Trait::parse(word(2)) {
                Some(
                    found @ (Trait::Nothing
                    | Trait::NoKey
                    | Trait::Present
                    | Trait::Expired
                    | Trait::EndsWithin(_)),
                ) => Claim::Auth(server, found),
                _ => {
                    return Err(wrong(
                        "missing, no-key, present, expired, ends-within=DAYS",
                        word(2),
                    ));
                }
            },
            "subscription" => match word(2) {
                "current" => Claim::Subscription(server, true),
                "outdated" => Claim::Subscription(server, false),
                other => return Err(wrong("current or outdated", other)),
            },
            "holds" => {
                let store = match words.get(4) {
                    None => StoreName::My,
                    Some(name) => StoreName::parse(name).ok_or_else(|| wrong("a store", name))?,
                };
                let count = number(2, "how many")?;
                Claim::Holds(
                    server,
                    usize::try_from(count).unwrap_or(usize::MAX),
                    word(3).to_owned(),
                    store,
                )
            }
            _ => Self::state(&words).map_err(|(expected, found)| wrong(&expected, &found))?,
        };
        Ok(Self {
            text: sentence.to_owned(),
            claim,
        })
    }

    /// `SERVER state PATH TEST`, `directory PATH TEST`, `world PATH TEST`; a path is cut at `/` and may be quoted.
    fn state(words: &[String]) -> Result<Claim, (String, String)> {
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let (mut path, at) = match (word(0), word(1)) {
            ("directory", _) => (
                vec!["sites".to_owned(), "0".to_owned(), "directory".to_owned()],
                1,
            ),
            ("world", _) => (Vec::new(), 1),
            (server, "state") => (vec!["servers".to_owned(), server.to_owned()], 2),
            (_, other) => {
                let verbs = [
                    "presents",
                    "differs-from",
                    "same-as",
                    "port",
                    "front-end",
                    "session",
                    "logs",
                    "auth",
                    "subscription",
                    "holds",
                    "state",
                ];
                return Err((one_of(&verbs), other.to_owned()));
            }
        };
        // In the directory the first step is the object's key, which has `/` inside.
        let mut rest = word(at);
        if let Some((key, behind)) = rest.split_once("//") {
            path.push(key.to_owned());
            rest = behind;
        }
        path.extend(rest.split('/').filter(|step| !step.is_empty()).map(str::to_owned));
        let value = word(at + 2);
        let json = || serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        let test = match word(at + 1) {
            "is" => Test::Is(json()),
            "is-not" => Test::IsNot(json()),
            "has" => Test::Has(value.to_owned()),
            other => return Err(("is, is-not or has".to_owned(), other.to_owned())),
        };
        Ok(Claim::State(path, test))
    }

    /// The sentence.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it tells what is in an event log: that may need time to pass first.
    #[must_use]
    pub const fn is_of_the_log(&self) -> bool {
        matches!(self.claim, Claim::Logs(..))
    }

    /// Whether the world fulfils it now. Looking leaves what looking leaves on a real server: a handshake that finds no
    /// certificate, or a session that is refused, is an event there.
    ///
    /// # Errors
    ///
    /// [`SymptomError::NotSo`] with what is there instead.
    pub fn look(&self, world: &mut World) -> Result<(), SymptomError> {
        let found = match &self.claim {
            claim
                if claim
                    .server()
                    .is_some_and(|name| world.server(name.as_str()).is_none()) =>
            {
                Some("no such server".to_owned())
            }
            Claim::Presents(place, traits) => {
                let certificate = presented(world, place);
                let now = world.clock_of(&place.server);
                let all = traits
                    .iter()
                    .all(|own| own.holds(certificate.as_ref(), true, now));
                (!all).then(|| described(certificate.as_ref()))
            }
            Claim::Compared(one, other, same) => {
                let found = [one, other].map(|place| presented(world, place));
                let [left, right] = found
                    .each_ref()
                    .map(|own| own.as_ref().map(Certificate::thumbprint));
                let [one, other] = found.each_ref().map(|own| described(own.as_ref()));
                ((left == right) != *same).then(|| format!("{one} and {other}"))
            }
            Claim::Port(server, port, open) => {
                let ports = world.open_ports(server);
                (ports.contains(port) != *open).then(|| format!("open ports {ports:?}"))
            }
            Claim::FrontEnd(server, state) => {
                let found = world.front_end(server);
                (found != *state).then(|| format!("{found:?}"))
            }
            Claim::Session(server, opens) => {
                let found = world.open_session(server, crate::call::Endpoint::Exchange { full: false });
                (found.is_ok() != *opens).then(|| format!("{found:?}"))
            }
            Claim::Logs(server, id, text) => {
                let log = world.event_log(server);
                let hit = log.iter().any(|event| {
                    event.id == *id
                        && text
                            .as_ref()
                            .is_none_or(|text| event.message.contains(text.as_str()))
                });
                let ids: std::collections::BTreeSet<u32> = log.iter().map(|event| event.id).collect();
                (!hit).then(|| format!("events {ids:?}"))
            }
            Claim::Auth(server, wanted) => auth(world, server, wanted),
            Claim::Holds(server, count, subject, store) => {
                let found: Vec<String> = world
                    .server(server.as_str())
                    .map(|server| server.store(*store))
                    .unwrap_or_default()
                    .iter()
                    .map(|stored| stored.certificate.subject().to_string())
                    .collect();
                let hits = found.iter().filter(|own| own.contains(subject.as_str())).count();
                (hits != *count).then(|| format!("{hits} among {found:?}"))
            }
            Claim::Subscription(edge, current) => subscription(world, edge, *current),
            Claim::State(path, test) => state(world, path, test),
        };
        match found {
            None => Ok(()),
            Some(found) => Err(SymptomError::NotSo {
                sentence: self.text.clone(),
                found,
            }),
        }
    }
}

fn described(certificate: Option<&Certificate>) -> String {
    certificate.map_or_else(
        || "nothing".to_owned(),
        |own| format!("{} of {} until {}", own.subject(), own.issuer(), own.not_after()),
    )
}

fn auth(world: &World, server: &ServerName, wanted: &Trait) -> Option<String> {
    let own = world.server(server.as_str())?;
    let current = world.directory().auth(own.site).and_then(|config| config.current);
    let stored = current.and_then(|thumbprint| own.my(thumbprint));
    let has_key = stored.is_some_and(|stored| stored.usable_key().is_some());
    let certificate = stored.map(|stored| &stored.certificate);
    (!wanted.holds(certificate, has_key, world.clock_of(server))).then(|| described(certificate))
}

fn subscription(world: &World, edge: &ServerName, current: bool) -> Option<String> {
    let own = world.server(edge.as_str())?;
    let recorded = world
        .directory()
        .edge_subscription(own.site, edge)
        .and_then(|own| own.certificate.as_ref());
    let used = world.directory().internal_transport(own.site, edge);
    let same =
        recorded.is_some() && recorded.map(Certificate::thumbprint) == used.map(Certificate::thumbprint);
    (same != current).then(|| format!("recorded {}, used {}", described(recorded), described(used)))
}

fn state(world: &World, path: &[String], test: &Test) -> Option<String> {
    let dump = world.state_dump();
    let mut at = &dump;
    for step in path {
        let next = match at {
            Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            other => other
                .as_object()
                .and_then(|own| own.iter().find(|(key, _)| key.eq_ignore_ascii_case(step)))
                .map(|(_, value)| value),
        };
        let Some(next) = next else {
            return match test {
                Test::Is(Value::Null) => None,
                _ => Some(format!("nothing at {step:?} of {}", path.join("/"))),
            };
        };
        at = next;
    }
    // A text of digits is read as a number in a sentence.
    let same = |at: &Value, value: &Value| at == value || at.as_str() == Some(value.to_string().as_str());
    let fulfilled = match test {
        Test::Is(value) => same(at, value),
        Test::IsNot(value) => !same(at, value),
        Test::Has(text) => match at {
            Value::String(own) => own.contains(text),
            other => other.to_string().contains(text),
        },
    };
    (!fulfilled).then(|| at.to_string())
}

/// The address a client from the network connects to, where a sentence names none.
pub(super) const OUTSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_nobody_understands_says_what_may_stand_there() {
        let error = Symptom::parse("EX1 explodes loudly").expect_err("no such verb");
        assert!(error.to_string().contains("presents"), "{error}");
        let error = Symptom::parse("EX1:443 presents colours").expect_err("no such trait");
        assert!(error.to_string().contains("self-signed"), "{error}");
        assert!(Symptom::parse("EX1 port 99999 open").is_err());
    }
}
