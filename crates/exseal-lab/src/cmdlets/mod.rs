//! What commands do: cmdlets of Exchange, and what may stand behind them in a pipeline.
//!
//! # How a cmdlet is added
//!
//! One file a family; the family's table is `pub(super) const CMDLETS: &[Cmdlet]` and stands in [`FAMILIES`]. An entry
//! says name, .NET class, parameters ([`table`] has the words: `text("Server").only(&["Server"])`,
//! `text("Identity").at(0).piped()`, `switch("Force")`), the default parameter set, and who may call it. Common
//! parameters are everywhere, -WhatIf and -Confirm at everything that changes something (`Access` other than `View`).
//!
//! Its work is a function `fn(&mut Run) -> Result<(), Stop>`, called once for each object of the pipeline, or once when
//! nothing is piped in. In it:
//!
//! - arguments: `run.text("Server")`, `run.texts(…)`, `run.is("Force")`, `run.given(…)`; what was piped in has been bound
//!   to the parameter that takes it;
//! - the world: `run.world`, the session's server `run.at`, its site `run.site()`; -Server is `run.target()?`, and what
//!   Exchange does by RPC in MSExchangeServiceHost asks `run.calls(&target)?` first;
//! - output: `run.write(object)`, made with [`object::PsObject`], the properties in the order of the recorded shapes; what
//!   every object of the directory has comes from [`ad::AdObject`]; warnings: `run.warn(english, german)?`;
//! - errors: `run.fail(&Problem::…)?; return Ok(())` for those that do not end the pipeline (they obey -ErrorAction),
//!   `Err(Stop::Failed(record))` for those that do;
//! - questions: `if !run.should_process(high, …)? { return Ok(()) }`, `run.should_continue(kind, …)?`. A question that has
//!   no answer yet leaves the function by `?`; when the answer comes the function runs **again from its beginning**, and
//!   the same question then returns the answer. So ask before acting; what has to be done before is remembered with
//!   `run.remember` and found again with `run.done`.
//!
//! Faults of the world, roles, -ErrorAction, `Select-Object` and the way objects are written are the dispatcher's; a
//! cmdlet sees none of them. The words of -WhatIf go to the client's host, for which an
//! [`Outcome`] has no record: they are left out, and nothing is done.

mod accepted_domain;
mod ad;
mod argument;
mod auth_config;
mod bind;
mod certificate;
mod client_protocol;
mod edge;
mod error;
mod exchange_server;
pub(crate) mod fault;
mod federation;
mod format;
mod health;
mod hybrid;
mod mailbox;
mod oauth;
mod object;
mod organisation_config;
mod payload;
mod queue;
mod receive_connector;
mod recipient;
mod run;
mod select;
mod send_connector;
mod serialise;
mod session;
mod setting_override;
mod shapes;
mod signing;
mod table;
mod transport_service;
mod values;
mod virtual_directory;
mod writing;

pub(crate) use exchange_server::display_build;
pub(crate) use setting_override::raw as override_xml;

use std::time::Duration;

use exseal_psrp::message::ErrorRecord;

use crate::call::{Answer, Call, Command, End, Endpoint, Interruption, Item, Outcome, Prompt};
use crate::world::{FaultKind, Misanswer, Mistaken, Server, ServerName, World};
use bind::{Arguments, Place};
use object::{PsObject, PsValue};
use run::{Answers, Question, Run, Said, Stop};
use serialise::Door;
use table::{Access, Cmdlet};

/// Every family's table.
const FAMILIES: &[&[Cmdlet]] = &[
    accepted_domain::CMDLETS,
    auth_config::CMDLETS,
    certificate::CMDLETS,
    client_protocol::CMDLETS,
    edge::CMDLETS,
    exchange_server::CMDLETS,
    federation::CMDLETS,
    health::CMDLETS,
    hybrid::CMDLETS,
    mailbox::CMDLETS,
    oauth::CMDLETS,
    organisation_config::CMDLETS,
    queue::CMDLETS,
    receive_connector::CMDLETS,
    recipient::CMDLETS,
    send_connector::CMDLETS,
    session::CMDLETS,
    setting_override::CMDLETS,
    transport_service::CMDLETS,
    virtual_directory::CMDLETS,
];

/// Questions that wait at once; the oldest goes when there are more.
const WAITING: usize = 1_000;

/// The cmdlets a user may call behind a door, by family.
pub(crate) fn available<'w>(
    world: &'w World,
    endpoint: Endpoint,
    user: &'w str,
) -> impl Iterator<Item = &'static Cmdlet> + 'w {
    FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .filter(move |cmdlet| endpoint == Endpoint::Local || may(world, user, cmdlet.access))
}

fn may(world: &World, user: &str, access: Access) -> bool {
    let name = user.rsplit('\\').next().unwrap_or(user);
    let name = name.split('@').next().unwrap_or(name);
    let groups = world
        .users
        .iter()
        .find(|own| own.name.eq_ignore_ascii_case(name))
        .map_or(&[][..], |own| own.groups.as_slice());
    let in_group = |wanted: &[&str]| {
        groups
            .iter()
            .any(|group| wanted.iter().any(|name| name.eq_ignore_ascii_case(group)))
    };
    match access {
        Access::Organisation => in_group(&["Organization Management"]),
        Access::Servers => in_group(&["Organization Management", "Server Management"]),
        Access::View => in_group(&[
            "Organization Management",
            "Server Management",
            "View-Only Organization Management",
            "Hygiene Management",
        ]),
    }
}

/// A place of a pipeline.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// A cmdlet of Exchange: object by object.
    Cmdlet(&'static Cmdlet),
    /// What takes the whole pipeline.
    Tail(&'static Cmdlet),
}

impl std::fmt::Debug for Cmdlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A pipeline at work; what waits for an answer is one.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    at: ServerName,
    endpoint: Endpoint,
    user: String,
    runspace: uuid::Uuid,
    stages: Vec<(Stage, Command)>,
    /// Which stage works.
    stage: usize,
    /// What comes into it; `None`: nothing is piped in.
    input: Option<Vec<PsValue>>,
    /// Which object of it.
    record: usize,
    /// The stage's arguments, once bound.
    arguments: Option<Arguments>,
    /// What the stage gave so far, when another one follows.
    output: Vec<PsValue>,
    answers: Answers,
    /// What the wire does in the end instead of answering.
    after: Option<Interruption>,
    /// The server that restarts in the end.
    reboot: Option<ServerName>,
    delay: Duration,
    /// What the stage answers instead.
    misanswer: Option<Misanswer>,
    /// The server on which what the stage makes has no key.
    keyless: Option<ServerName>,
}

pub(crate) fn run(
    world: &mut World,
    at: &ServerName,
    endpoint: Endpoint,
    user: &str,
    call: &Call,
) -> Outcome {
    let Some(server) = world.servers.get(at).filter(|server| server.reachable) else {
        return interrupted(Interruption::DropBefore);
    };
    let language = server.language;
    let mut stages = Vec::new();
    for command in &call.commands {
        if command.is_script {
            return Outcome::failed(Vec::new(), error::no_scripts(language));
        }
        let cmdlet =
            available(world, endpoint, user).find(|own| own.name.eq_ignore_ascii_case(&command.text));
        let stage = match (cmdlet, select::find(&command.text)) {
            (Some(cmdlet), _) => Stage::Cmdlet(cmdlet),
            (None, Some(tail)) => Stage::Tail(tail),
            (None, None) => {
                return Outcome::failed(Vec::new(), error::no_such_command(language, &command.text));
            }
        };
        stages.push((stage, command.clone()));
    }
    let input =
        (!call.input.is_empty()).then(|| call.input.iter().filter_map(PsObject::of_document).collect());
    let work = Pending {
        at: at.clone(),
        endpoint,
        user: user.to_owned(),
        runspace: call.runspace.unwrap_or_else(|| world.guid("runspace")),
        stages,
        stage: 0,
        input,
        record: 0,
        arguments: None,
        output: Vec::new(),
        answers: Answers::default(),
        after: None,
        reboot: None,
        delay: Duration::ZERO,
        misanswer: None,
        keyless: None,
    };
    go(world, work)
}

pub(crate) fn answer(world: &mut World, prompt: u64, answer: Answer) -> Outcome {
    let Some(mut work) = world.pending.remove(&prompt) else {
        return Outcome::failed(Vec::new(), error::no_such_prompt(prompt));
    };
    let waiting = work.answers.waiting.clone();
    match work.answers.take(answer) {
        Ok(true) => go(world, work),
        Ok(false) => match waiting {
            Some((_, question)) => ask(world, work, question, Vec::new()),
            None => go(world, work),
        },
        Err(question) => {
            let language = error::language_of(world, &work.at);
            let record = match work.stages.get(work.stage) {
                Some((Stage::Cmdlet(cmdlet) | Stage::Tail(cmdlet), _)) => {
                    error::no_host(language, cmdlet, &question.message)
                }
                None => error::no_such_prompt(prompt),
            };
            Outcome::failed(Vec::new(), record)
        }
    }
}

fn interrupted(how: Interruption) -> Outcome {
    Outcome {
        items: Vec::new(),
        end: End::Interrupted(how),
        delay: Duration::ZERO,
    }
}

fn ask(world: &mut World, work: Pending, question: Question, items: Vec<Item>) -> Outcome {
    let id = world.next_number();
    let delay = work.delay;
    world.pending.insert(id, work);
    while world.pending.len() > WAITING {
        world.pending.pop_first();
    }
    Outcome {
        items,
        end: End::Prompt(Prompt {
            id,
            caption: question.caption,
            message: question.message,
            choices: question.choices,
            default: question.default,
        }),
        delay,
    }
}

/// Works until the end or a question.
fn go(world: &mut World, mut work: Pending) -> Outcome {
    let mut items = Vec::new();
    let end = loop {
        let Some((stage, _)) = work.stages.get(work.stage) else {
            break Ok(None);
        };
        let done = match *stage {
            Stage::Cmdlet(cmdlet) => work.cmdlet(world, cmdlet, &mut items),
            Stage::Tail(tail) => work.tail(world, tail, &mut items),
        };
        match done {
            Ok(()) => {
                work.input = Some(std::mem::take(&mut work.output));
                work.stage += 1;
                work.record = 0;
                work.arguments = None;
                work.answers = Answers::default();
                work.misanswer = None;
                work.keyless = None;
            }
            Err(Ended::Failed(record)) => break Err(record),
            Err(Ended::Wire(how)) => break Ok(Some(how)),
            Err(Ended::Asked(question)) => return ask(world, work, question, items),
        }
    };
    if let Some(server) = work.reboot.take() {
        world.reboot(&server);
    }
    let delay = work.delay;
    let end = match (end, work.after) {
        (Ok(Some(how)), _) | (_, Some(how)) => {
            items.clear();
            End::Interrupted(how)
        }
        (Ok(None), None) => End::Completed,
        (Err(record), None) => End::Failed(record),
    };
    Outcome { items, end, delay }
}

/// Why a stage ended before its end.
enum Ended {
    Failed(Box<ErrorRecord>),
    Asked(Question),
    Wire(Interruption),
}

impl Pending {
    fn is_last(&self) -> bool {
        self.stage + 1 >= self.stages.len()
    }

    fn place(&self, world: &World) -> Place {
        Place {
            language: error::language_of(world, &self.at),
            offset_minutes: world
                .servers
                .get(&self.at)
                .map_or(0, |server| server.utc_offset_minutes),
            old: world.servers.get(&self.at).is_some_and(Server::is_before_2022),
        }
    }

    /// Gives a value on: to the next stage, or out of the door.
    fn give(&mut self, world: &World, value: PsValue, items: &mut Vec<Item>) {
        if !self.is_last() {
            self.output.push(value);
            return;
        }
        let door = Door {
            endpoint: self.endpoint,
            runspace: self.runspace,
            computer: world
                .servers
                .get(&self.at)
                .map_or_else(String::new, |server| server.fqdn.to_lowercase()),
            signing: signing::state(world, &self.at),
        };
        items.push(Item::Output(serialise::write(&value, &door)));
    }

    fn tail(&mut self, world: &World, tail: &'static Cmdlet, items: &mut Vec<Item>) -> Result<(), Ended> {
        let place = self.place(world);
        let input = self.input.take().unwrap_or_default();
        let Some((_, command)) = self.stages.get(self.stage) else {
            return Ok(());
        };
        let (values, errors) = select::run(tail, command, input, place).map_err(Ended::Failed)?;
        items.extend(errors.into_iter().map(|error| Item::Error(Box::new(error))));
        for value in values {
            self.give(world, value, items);
        }
        Ok(())
    }

    fn cmdlet(
        &mut self,
        world: &mut World,
        cmdlet: &'static Cmdlet,
        items: &mut Vec<Item>,
    ) -> Result<(), Ended> {
        let place = self.place(world);
        let Some((_, command)) = self.stages.get(self.stage) else {
            return Ok(());
        };
        let arguments = match self.arguments.take() {
            Some(arguments) => arguments,
            None => {
                let arguments = bind::bind(cmdlet, command, place).map_err(Ended::Failed)?;
                self.faults(world, cmdlet, &arguments)?;
                arguments
            }
        };
        let input = self.input.clone();
        let records = input.as_ref().map_or(1, Vec::len);
        while self.record < records {
            let piped = input.as_ref().and_then(|input| input.get(self.record));
            let completed = match bind::complete(cmdlet, &arguments, piped, place) {
                Ok(completed) => completed,
                // An object that cannot be bound is an error of its own; a missing argument ends the command.
                Err(record) if piped.is_some() => {
                    items.push(Item::Error(record));
                    self.record += 1;
                    continue;
                }
                Err(record) => return Err(Ended::Failed(record)),
            };
            let before = self.keyless.as_ref().map(|at| fault::held(world, at));
            // What does nothing does it to a copy.
            let mut copy = self
                .misanswer
                .filter(|answer| answer.undone)
                .map(|_| world.clone());
            let mut at_work = Run {
                at: self.at.clone(),
                door: self.endpoint,
                user: &self.user,
                cmdlet,
                arguments: &completed,
                answers: &mut self.answers,
                asked: 0,
                said: Vec::new(),
                world: copy.as_mut().unwrap_or(&mut *world),
            };
            let result = (cmdlet.process)(&mut at_work);
            let said = std::mem::take(&mut at_work.said);
            if let (Some(at), Some(before)) = (&self.keyless, before) {
                fault::lose_new_keys(world, at, &before);
            }
            for said in said {
                match said {
                    Said::Object(value) => {
                        for value in self.misanswered(world, value) {
                            self.give(world, value, items);
                        }
                    }
                    Said::Error(record) => items.push(Item::Error(record)),
                    Said::Warning(text) => items.push(Item::Warning(text)),
                }
            }
            match result {
                Ok(()) => {}
                Err(Stop::Failed(record)) => return Err(Ended::Failed(record)),
                Err(Stop::Asked(question)) => {
                    self.arguments = Some(arguments);
                    return Err(Ended::Asked(question));
                }
            }
            self.record += 1;
            self.answers.next_object();
        }
        if self.misanswer.is_some_and(|answer| answer.how == Mistaken::Null) {
            self.give(world, PsValue::Null, items);
        }
        Ok(())
    }

    /// What is answered instead of an object.
    fn misanswered(&self, world: &World, value: PsValue) -> Vec<PsValue> {
        let Some(answer) = self.misanswer else {
            return vec![value];
        };
        match answer.how {
            // One for all of them, in the end.
            Mistaken::Null => Vec::new(),
            Mistaken::Empty => vec![with_thumbprint(value, |_| String::new())],
            Mistaken::Two => {
                let other = |own: &str| fault::another(world, &self.at, own).unwrap_or_default();
                vec![value.clone(), with_thumbprint(value, other)]
            }
        }
    }

    /// Lets the faults that wait for this command come.
    fn faults(
        &mut self,
        world: &mut World,
        cmdlet: &'static Cmdlet,
        arguments: &Arguments,
    ) -> Result<(), Ended> {
        let named = ["Server", "Identity"]
            .iter()
            .find_map(|name| match arguments.get(name) {
                Some(argument::Bound::Text(text)) => {
                    run::find_server(world, text.split('\\').next().unwrap_or(text))
                }
                _ => None,
            });
        let target = named.unwrap_or_else(|| self.at.clone());
        for kind in fault::due(world, [&self.at.clone(), &target], cmdlet.name) {
            match kind {
                FaultKind::Throws => {
                    return Err(Ended::Failed(Box::new(fault::thrown(world, &self.at, cmdlet))));
                }
                FaultKind::TimesOut => return Err(Ended::Wire(Interruption::Hang)),
                FaultKind::Drops => return Err(Ended::Wire(Interruption::DropBefore)),
                FaultKind::LosesReply => self.after = Some(Interruption::LoseReply),
                FaultKind::ActsAndHangs => self.after = Some(Interruption::HangAfter),
                FaultKind::Reboot => {
                    self.after = Some(Interruption::Reboot);
                    self.reboot = Some(target.clone());
                }
                FaultKind::Slow(seconds) => {
                    self.delay += Duration::from_secs(u64::from(seconds));
                }
                FaultKind::SecondOperator(line) => {
                    fault::second_operator(world, &target, line.as_deref());
                }
                FaultKind::Misanswers(answer) => self.misanswer = Some(answer),
                FaultKind::MakesNoKey => self.keyless = Some(target.clone()),
                // States of a server: they need no command.
                _ => {}
            }
        }
        Ok(())
    }
}

/// An object with another text for its thumbprint, and without the payload that holds the right one.
fn with_thumbprint(value: PsValue, other: impl Fn(&str) -> String) -> PsValue {
    let PsValue::Object(mut object) = value else {
        return value;
    };
    object.payload = None;
    for (name, property) in &mut object.properties {
        if let PsValue::Text(text) = property
            && name.eq_ignore_ascii_case("thumbprint")
        {
            *text = other(text);
        }
    }
    PsValue::Object(object)
}

#[cfg(test)]
mod tests;
