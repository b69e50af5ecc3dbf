//! The ports of `exseal-run` on a real organisation: the helper's verbs, Exchange's cmdlets, the wire.
//!
//! Each reading asks anew; a session that broke is opened again by the next reading. Nothing is decided here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exseal_engine::Maintenance;
use exseal_engine::plan::{Holds, carries, holds};
use exseal_exchange::Secret;
use exseal_exchange::change::{self, CallError, Hand};
use exseal_exchange::live::{self, Asked, Bounds, Door, Part, Read, Visit, doubtful_account, in_words};
use exseal_exchange::session::{Allowed, Item, LocalPowerShell, Session};
use exseal_model::inventory::{Server, first_label};
use exseal_model::plan::{Answer, Argument, Call, Condition, Proof, Way, Which};
use exseal_model::{Endpoint, Inventory, Slot, Thumbprint};
use exseal_probe::{Outcome, Protocol, Sighting, Target};
use exseal_psrp::message::{ChoicePrompt, Command, Pipeline};
use exseal_run::{Effect, Fault, Holder, LockAnswer, LockFor, Organisation, Probe, Seen, Setting, Turn};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::host::Host as Place;
use super::{Looking, backup};

/// How long one reading or one call of a cmdlet may take, where nobody says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// A real organisation that may be changed.
pub(crate) struct Changing {
    pub(super) looking: Arc<Looking>,
    hands: BTreeMap<String, Hand>,
    visits: BTreeMap<(String, bool), Visit>,
    /// The password of backups, where the plan has some.
    backups: Option<Secret>,
}

pub(super) fn harmless(what: impl Into<String>) -> Fault {
    Fault {
        effect: Effect::None,
        what: what.into(),
    }
}

fn no_password() -> Fault {
    harmless("the password of the backups was not given")
}

impl Changing {
    pub(super) fn new(looking: Arc<Looking>) -> Self {
        Self {
            looking,
            hands: BTreeMap::new(),
            visits: BTreeMap::new(),
            backups: None,
        }
    }

    /// The same with the password of backups.
    #[must_use]
    pub(crate) fn with_backups(mut self, password: Option<Secret>) -> Self {
        self.backups = password;
        self
    }

    fn backup_password(&self) -> Result<&Secret, Fault> {
        self.backups.as_ref().ok_or_else(no_password)
    }

    /// Ends every session.
    pub(crate) async fn close(&mut self) {
        for (_, hand) in std::mem::take(&mut self.hands) {
            hand.close().await;
        }
        for (_, visit) in std::mem::take(&mut self.visits) {
            visit.close().await;
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            until: Instant::now() + self.looking.command_time(PATIENCE),
            stop: self.looking.bounds.stop.clone(),
        }
    }

    fn is_here(&self, server: &str) -> bool {
        self.looking
            .here
            .as_deref()
            .is_some_and(|here| here.eq_ignore_ascii_case(server))
    }

    /// Reads over a door; a session that broke is opened again once.
    async fn read(&mut self, server: &str, door: Door, what: What) -> Result<Inventory, Fault> {
        for again in [false, true] {
            let key = (server.to_owned(), door == Door::Exchange);
            let mut visit = match self.visits.remove(&key) {
                Some(visit) => visit.within(self.bounds()),
                None => self.visit(server, door).await?,
            };
            let address = format!("{door:?} of {server}");
            let asked = Asked {
                address: &address,
                at: Timestamp::now(),
            };
            let read = match what {
                What::Helper(readings) => live::readings(&mut visit, asked, server, readings).await,
                What::Cmdlet(part) => live::part(&mut visit, asked, first_label(server), part).await,
            };
            let Read {
                inventory,
                broken,
                answered,
            } = read;
            match broken {
                None if answered > 0 => {
                    self.visits.insert(key, visit);
                    return Ok(inventory);
                }
                None => {
                    self.visits.insert(key, visit);
                    let error = inventory.errors.first();
                    let found = error.map_or("no answer", |error| error.found.as_str());
                    return Err(harmless(format!("{server}: {found}")));
                }
                Some(why) if again => return Err(harmless(format!("{server}: {why}"))),
                Some(_) => visit.close().await,
            }
        }
        Err(harmless(format!("{server}: no answer")))
    }

    async fn visit(&self, server: &str, door: Door) -> Result<Visit, Fault> {
        let bounds = self.bounds();
        let opened = if door == Door::Server && self.is_here(server) {
            Visit::local(&LocalPowerShell::default(), bounds).await
        } else {
            Visit::open(self.looking.visitor.endpoint(door, server), bounds).await
        };
        opened.map_err(|shut| harmless(format!("{server}: {}", shut.why)))
    }

    /// The helper's changing half on a server.
    async fn hand(&mut self, server: &str) -> Result<&mut Hand, Fault> {
        if !self.hands.contains_key(server) {
            let stop = self.looking.bounds.stop.clone();
            let opened = if self.is_here(server) {
                Hand::local(&LocalPowerShell::default(), stop).await
            } else {
                Hand::open(self.looking.visitor.endpoint(Door::Server, server), stop).await
            };
            let hand = opened.map_err(|error| harmless(format!("{server}: {error}")))?;
            let hand = hand.with_patience(self.looking.command_time(change::PATIENCE));
            self.hands.insert(server.to_owned(), hand);
        }
        self.hands
            .get_mut(server)
            .ok_or_else(|| harmless(format!("{server}: no session")))
    }

    /// Runs a verb. A session that broke is forgotten, so that the next call opens a new one.
    async fn verb(&mut self, server: &str, verb: &str, input: &Value) -> Result<Value, CallFault> {
        self.verb_with(server, verb, input, &BTreeMap::new()).await
    }

    /// The same with secrets, by the names of their parameters.
    async fn verb_with(
        &mut self,
        server: &str,
        verb: &str,
        input: &Value,
        secrets: &BTreeMap<&str, &Secret>,
    ) -> Result<Value, CallFault> {
        let hand = self.hand(server).await.map_err(CallFault::Port)?;
        let answer = hand.call_with(verb, input, secrets).await;
        if matches!(answer, Err(CallError::Unheard { .. } | CallError::Answer { .. }))
            && let Some(hand) = self.hands.remove(server)
        {
            hand.close().await;
        }
        answer.map_err(|error| CallFault::Verb(Box::new(error)))
    }

    /// Opens Exchange's shell of a server, for commands that may ask.
    pub(super) async fn shell(&self, server: &str) -> Result<Session, String> {
        let endpoint = self.looking.visitor.endpoint(Door::Exchange, server);
        let patience = self.looking.command_time(PATIENCE);
        let doubt = doubtful_account(&endpoint).map_or_else(String::new, |doubt| format!("; {doubt}"));
        match tokio::time::timeout(patience, Session::open_answering(endpoint)).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(format!("{server}: {}{doubt}", in_words(&error))),
            Err(_) => Err(format!("{server}: the shell did not open in time")),
        }
    }

    /// Runs one of Exchange's cmdlets that changes something, in a session of its own whose questions are answered as the
    /// plan says.
    async fn cmdlet(&mut self, call: &Call) -> Result<(), Fault> {
        let mut session = self.shell(&call.server).await.map_err(harmless)?;
        let answers = call.answers.clone();
        let allowed = Allowed {
            answers: Some(Arc::new(move |prompt: &ChoicePrompt| answer(&answers, prompt))),
            time: Some(self.looking.command_time(PATIENCE)),
            cancel: self.looking.bounds.stop.clone(),
        };
        let mut command = command(call)?;
        for name in passwords(call) {
            let password = self.backup_password()?;
            command = command.parameter(name, exseal_psrp::secret::Secret::from(password.expose()));
        }
        let pipeline = Pipeline::new([command]).without_invocation_info();
        let items = session.run(pipeline, &allowed).await;
        if let Err(error) = session.close().await {
            tracing::debug!(%error, "The server could not be told that the session ended");
        }
        let unknown = |what: String| Fault {
            effect: Effect::Unknown,
            what: format!("{}: {what}", call.name),
        };
        match items {
            Ok(items) => {
                if let Some(file) = &call.into_file {
                    self.keep(call, file, &items)?;
                }
                for item in items {
                    match item {
                        // Whether an error that did not end it left something behind is read.
                        Item::Error(record) => return Err(unknown(record.to_string())),
                        Item::Refused(_) => {
                            return Err(unknown("it asked something nobody foresaw".to_owned()));
                        }
                        Item::Warning(text) => tracing::warn!(cmdlet = call.name, text, "A cmdlet warns"),
                        _ => {}
                    }
                }
                Ok(())
            }
            Err(error) => Err(Fault {
                effect: match error.effect() {
                    exseal_exchange::session::Effect::None => Effect::None,
                    exseal_exchange::session::Effect::Unknown => Effect::Unknown,
                },
                what: format!("{}: {}", call.name, in_words(&error)),
            }),
        }
    }

    /// Puts what an export gave into its file.
    fn keep(&self, call: &Call, file: &str, items: &[Item]) -> Result<(), Fault> {
        let failed = items.iter().find_map(|item| match item {
            Item::Error(record) => Some(record.to_string()),
            _ => None,
        });
        if let Some(why) = failed {
            return Err(harmless(format!("{}: {why}", call.name)));
        }
        let known = call.arguments.values().find_map(|value| match value {
            Argument::Certificate(which) => which.known(),
            _ => None,
        });
        let (Some(bytes), Some(certificate)) = (backup::exported(items), known) else {
            return Err(harmless(format!("{}: expected FileData, found none", call.name)));
        };
        backup::keep(file, &bytes, self.backup_password()?, certificate).map_err(harmless)
    }

    /// Everything that is seen of the plan's servers and the organisation.
    pub(crate) async fn whole(&self) -> Result<Inventory, Fault> {
        let seen = Arc::clone(&self.looking).all().await;
        let seen = seen.map_err(|error| harmless(error.words().0))?;
        Ok(exseal_engine::merge(seen))
    }

    /// The inventory a condition is read of.
    async fn about(&mut self, condition: &Condition) -> Result<Inventory, Fault> {
        const HTTP_SYS: &[(&str, Option<&str>)] = &[("Get-ExsealHttpSys", None)];
        const SERVICES: &[(&str, Option<&str>)] = &[("Get-ExsealService", None)];
        const CLOCK: &[(&str, Option<&str>)] = &[("Get-ExsealClock", None)];
        const MY: &[(&str, Option<&str>)] = &[("Get-ExsealStore", Some("My"))];
        const ROOT: &[(&str, Option<&str>)] = &[("Get-ExsealStore", Some("Root"))];
        const CA: &[(&str, Option<&str>)] = &[("Get-ExsealStore", Some("CA"))];
        const WEB_HOSTING: &[(&str, Option<&str>)] = &[("Get-ExsealStore", Some("WebHosting"))];
        const REQUEST: &[(&str, Option<&str>)] = &[("Get-ExsealStore", Some("REQUEST"))];
        use exseal_model::inventory::Store;
        let server = condition.server().unwrap_or_default().to_owned();
        let (door, what) = match condition {
            Condition::Bound { .. } => (Door::Server, What::Helper(HTTP_SYS)),
            Condition::InStore { store, .. } | Condition::NotInStore { store, .. } => {
                let readings = match store {
                    Store::My => MY,
                    Store::Root => ROOT,
                    Store::CA => CA,
                    Store::WebHosting => WEB_HOSTING,
                    Store::Request => REQUEST,
                };
                (Door::Server, What::Helper(readings))
            }
            Condition::ServiceRuns { .. } | Condition::ServiceStart { .. } => {
                (Door::Server, What::Helper(SERVICES))
            }
            Condition::ServerChannelOpens { .. } => (Door::Server, What::Helper(CLOCK)),
            Condition::InternalTransport { .. } => (Door::Exchange, What::Cmdlet(Part::TransportService)),
            Condition::EnabledForSmtp { .. } => (Door::Exchange, What::Cmdlet(Part::Certificates)),
            Condition::NotConfigured { .. } => {
                let http_sys = self.read(&server, Door::Server, What::Helper(HTTP_SYS)).await?;
                let transport = What::Cmdlet(Part::TransportService);
                let transport = self.read(&server, Door::Exchange, transport).await?;
                return Ok(exseal_engine::merge([http_sys, transport]));
            }
            Condition::BackedUp { .. } => return Err(harmless("a file is not read on a server")),
            Condition::NoEdgeSubscription => {
                return self.of_the_organisation(Part::EdgeSubscriptions).await;
            }
            Condition::NotReferredTo { .. } => {
                return self.whole().await;
            }
        };
        let inventory = self.read(&server, door, what).await?;
        Ok(exseal_engine::merge([inventory]))
    }

    /// Asks what belongs to the organisation of the first server that answers.
    async fn of_the_organisation(&mut self, part: Part) -> Result<Inventory, Fault> {
        let mut why = harmless("no server is known");
        for server in self.looking.args.server.clone() {
            match self.read(&server, Door::Exchange, What::Cmdlet(part)).await {
                Ok(inventory) => return Ok(exseal_engine::merge([inventory])),
                Err(fault) => why = fault,
            }
        }
        Err(why)
    }
}

/// What is read over a door.
#[derive(Clone, Copy)]
enum What {
    Helper(&'static [(&'static str, Option<&'static str>)]),
    Cmdlet(Part),
}

/// Why a verb gave nothing.
enum CallFault {
    Port(Fault),
    Verb(Box<CallError>),
}

impl CallFault {
    fn into_fault(self) -> Fault {
        match self {
            Self::Port(fault) => fault,
            Self::Verb(error) => Fault {
                effect: match error.effect() {
                    change::Effect::None => Effect::None,
                    change::Effect::Done | change::Effect::Unknown => Effect::Unknown,
                },
                what: error.to_string(),
            },
        }
    }
}

/// The number of the choice: Exchange asks with Yes, Yes to All, No, No to All, in this order in every language
/// (facts/exchange.md 2.8, P1).
fn answer(answers: &[Answer], prompt: &ChoicePrompt) -> Option<i32> {
    let [Answer::ReplaceInternalTransport(replace)] = answers else {
        return None;
    };
    match prompt.choices.len() {
        // Some hosts add Suspend or Help behind the four.
        4..=6 => Some(if *replace { 0 } else { 2 }),
        _ => None,
    }
}

/// The parameters of a call that take the password of backups.
fn passwords(call: &Call) -> impl Iterator<Item = &str> {
    call.arguments
        .iter()
        .filter(|(_, value)| **value == Argument::BackupPassword)
        .map(|(name, _)| name.as_str())
}

fn command(call: &Call) -> Result<Command, Fault> {
    let mut command = Command::new(call.name.clone());
    for (name, value) in &call.arguments {
        command = match value {
            Argument::Text(text) => command.parameter(name.clone(), text.as_str()),
            Argument::Number(number) => command.parameter(name.clone(), *number),
            Argument::Switch(value) => command.parameter(name.clone(), *value),
            Argument::List(all) => {
                let all = exseal_psrp::data::Data::strings(all.iter().map(String::as_str));
                command.parameter(name.clone(), all)
            }
            Argument::Certificate(Which::Known(thumbprint)) => {
                command.parameter(name.clone(), thumbprint.to_string())
            }
            Argument::Certificate(Which::MadeBy(step)) => {
                return Err(harmless(format!("step {step} made no certificate")));
            }
            Argument::Nothing => command.parameter(name.clone(), exseal_psrp::data::Data::Null),
            // Secrets go in by themselves.
            Argument::BackupPassword | Argument::FileContent(_) => command,
        };
    }
    Ok(command)
}

fn input(call: &Call) -> Result<Value, Fault> {
    let mut input = serde_json::Map::new();
    for (name, value) in &call.arguments {
        let value = match value {
            Argument::Text(text) => json!(text),
            Argument::Number(number) => json!(number),
            Argument::Switch(value) => json!(value),
            Argument::List(all) => json!(all),
            Argument::Certificate(Which::Known(thumbprint)) => json!(thumbprint.to_string()),
            Argument::Certificate(Which::MadeBy(step)) => {
                return Err(harmless(format!("step {step} made no certificate")));
            }
            Argument::Nothing => Value::Null,
            // Secrets go in by themselves.
            Argument::BackupPassword | Argument::FileContent(_) => continue,
        };
        input.insert(name.clone(), value);
    }
    Ok(Value::Object(input))
}

impl Organisation for Changing {
    async fn holds(&mut self, condition: &Condition) -> Result<Seen, Fault> {
        if let Condition::BackedUp { certificate, file } = condition {
            let certificate = certificate
                .known()
                .ok_or_else(|| harmless("the certificate is not made yet"))?;
            return backup::held(file, self.backup_password()?, certificate).map_err(harmless);
        }
        let inventory = self.about(condition).await?;
        match holds(&inventory, condition) {
            Holds::Yes => Ok(Seen {
                holds: true,
                found: String::new(),
            }),
            Holds::No(found) => Ok(Seen { holds: false, found }),
            Holds::Unknown(why) => {
                let error = inventory
                    .errors
                    .first()
                    .map(|error| format!(" ({})", error.found));
                Err(harmless(format!("{why}{}", error.unwrap_or_default())))
            }
        }
    }

    async fn bound(&mut self, server: &str, endpoint: &Endpoint) -> Result<Option<Thumbprint>, Fault> {
        let condition = Condition::Bound {
            server: server.to_owned(),
            endpoint: endpoint.clone(),
            certificate: None,
        };
        let inventory = self.about(&condition).await?;
        let own = inventory
            .server(server)
            .ok_or_else(|| harmless(format!("{server} did not show itself")))?;
        carries(own, endpoint).map_err(harmless)
    }

    async fn by_serial(&mut self, server: &str, serial: &str) -> Result<Option<Thumbprint>, Fault> {
        const MY: &[(&str, Option<&str>)] = &[("Get-ExsealStore", Some("My"))];
        let inventory = self.read(server, Door::Server, What::Helper(MY)).await?;
        let inventory = exseal_engine::merge([inventory]);
        let own = inventory
            .server(server)
            .filter(|own| own.my.is_complete())
            .ok_or_else(|| harmless(format!("the store of {server} was not read whole")))?;
        // In which order Windows writes the bytes of a serial number is not relied on (helper/contract.json).
        let reversed: String = serial
            .as_bytes()
            .rchunks(2)
            .filter_map(|pair| std::str::from_utf8(pair).ok())
            .collect();
        let mut found = own.my.iter().map(|entry| entry.thumbprint).filter(|thumbprint| {
            inventory.certificate(*thumbprint).is_some_and(|certificate| {
                certificate.serial.eq_ignore_ascii_case(serial)
                    || certificate.serial.eq_ignore_ascii_case(&reversed)
            })
        });
        match (found.next(), found.next()) {
            (found, None) => Ok(found),
            (_, Some(_)) => Err(harmless(format!(
                "expected one certificate of serial number {serial} on {server}, found more"
            ))),
        }
    }

    async fn call(&mut self, call: &Call) -> Result<(), Fault> {
        match call.way {
            Way::Server => {
                let input = input(call)?;
                let mut files = BTreeMap::new();
                for (name, value) in &call.arguments {
                    if let Argument::FileContent(file) = value {
                        let bytes =
                            std::fs::read(file).map_err(|error| harmless(format!("{file}: {error}")))?;
                        files.insert(name.as_str(), Secret::new(STANDARD.encode(bytes)));
                    }
                }
                let password = self.backups.clone();
                let mut secrets: BTreeMap<&str, &Secret> =
                    files.iter().map(|(name, own)| (*name, own)).collect();
                for name in passwords(call) {
                    let given = password.as_ref().ok_or_else(no_password)?;
                    secrets.insert(name, given);
                }
                let done = self.verb_with(&call.server, &call.name, &input, &secrets).await;
                done.map(|_| ()).map_err(CallFault::into_fault)
            }
            Way::Exchange => self.cmdlet(call).await,
        }
    }

    async fn lock(&mut self, server: &str, lock: &LockFor<'_>) -> Result<LockAnswer, Fault> {
        let input = json!({
            "Owner": lock.owner,
            "Plan": lock.plan,
            "Run": lock.run,
            "Seconds": lock.time.as_secs(),
            "TakeExpired": true,
        });
        match self.verb(server, "Lock-ExsealServer", &input).await {
            Ok(_) => Ok(LockAnswer::Ours),
            Err(CallFault::Verb(error)) => match *error {
                CallError::Refused { ref refusal, .. } if refusal.code == "Locked" => {
                    let holder = refusal.holder.as_ref();
                    let text = |text: Option<&String>| text.cloned().unwrap_or_else(|| "somebody".to_owned());
                    Ok(LockAnswer::Theirs(Holder {
                        owner: text(holder.and_then(|own| own.owner.as_ref())),
                        plan: text(holder.and_then(|own| own.plan.as_ref())),
                        expires: holder
                            .and_then(|own| own.expires.as_ref())
                            .and_then(|time| time.to_string().parse().ok()),
                    }))
                }
                error => Err(CallFault::Verb(Box::new(error)).into_fault()),
            },
            Err(fault) => Err(fault.into_fault()),
        }
    }

    async fn room(&mut self, server: &str) -> Result<u64, Fault> {
        const DISKS: &[(&str, Option<&str>)] = &[("Get-ExsealDisk", None)];
        let inventory = self.read(server, Door::Server, What::Helper(DISKS)).await?;
        let inventory = exseal_engine::merge([inventory]);
        let own = inventory.server(server);
        own.and_then(|own| {
            let system = |name: &str| name.trim_end_matches('\\').eq_ignore_ascii_case("C:");
            own.disks
                .iter()
                .find(|disk| system(&disk.name))?
                .free_bytes
                .value()
                .copied()
        })
        .ok_or_else(|| harmless(format!("{server}: expected a volume C:, found none")))
    }

    async fn settings(
        &mut self,
        server: &str,
        maintenance: &Maintenance,
    ) -> Result<Result<Vec<Setting>, String>, Fault> {
        self.maintenance_settings(server, maintenance).await
    }

    async fn set(&mut self, server: &str, setting: &Setting, turn: Turn) -> Result<(), Fault> {
        self.maintenance_set(server, setting, turn).await
    }

    async fn active_databases(&mut self, server: &str) -> Result<Vec<String>, Fault> {
        self.movable_databases(server).await
    }

    async fn unlock(&mut self, server: &str, lock: &LockFor<'_>) -> Result<(), Fault> {
        let input = json!({ "Plan": lock.plan, "Run": lock.run });
        match self.verb(server, "Unlock-ExsealServer", &input).await {
            Ok(_) => Ok(()),
            // It is not ours, or not there: nothing is to be given back.
            Err(CallFault::Verb(error)) if matches!(&*error, CallError::Refused { refusal, .. } if matches!(refusal.code.as_str(), "Locked" | "LockExpired" | "NotHeld")) => {
                Ok(())
            }
            Err(fault) => Err(fault.into_fault()),
        }
    }
}

/// What a client sees of a real organisation.
pub(crate) struct Eye {
    looking: Arc<Looking>,
}

impl Eye {
    pub(super) const fn new(looking: Arc<Looking>) -> Self {
        Self { looking }
    }

    async fn sight(&self, server: &str, port: u16, protocol: Protocol) -> Result<Sighting, Fault> {
        let target = Target::new(server.to_owned(), port).by(protocol);
        let (mut sightings, _) = self.looking.look_at(vec![target]).await;
        sightings.pop().ok_or_else(|| harmless("nobody could look"))
    }

    async fn at_slot(&self, server: &str, slot: &Slot) -> Result<Sighting, Fault> {
        match slot {
            Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint) => {
                self.sight(server, endpoint.port, Protocol::Https).await
            }
            Slot::InternalTransport => self.sight(server, 2525, Protocol::SmtpAnonymous).await,
            Slot::Pop => self.sight(server, 995, Protocol::Tls).await,
            Slot::Imap => self.sight(server, 993, Protocol::Tls).await,
            other => Err(harmless(format!("no client's look shows {other}"))),
        }
    }
}

impl Probe for Eye {
    async fn look(&mut self, proof: &Proof) -> Result<Seen, Fault> {
        let seen = |holds, found: String| Ok(Seen { holds, found });
        match proof {
            Proof::Presents {
                server,
                slot: Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint),
                certificate,
            } if is_out_of_sight(endpoint) => {
                // A client elsewhere is not shown it: the server's own word has to do.
                let mut organisation = Changing::new(Arc::clone(&self.looking));
                let condition = Condition::Bound {
                    server: server.clone(),
                    endpoint: endpoint.clone(),
                    certificate: Some(*certificate),
                };
                let read = organisation.holds(&condition).await;
                organisation.close().await;
                read
            }
            Proof::Presents {
                server,
                slot,
                certificate,
            } => {
                let sighting = self.at_slot(server, slot).await?;
                let leaf = sighting
                    .presented
                    .as_ref()
                    .and_then(|presented| presented.thumbprint);
                match leaf {
                    Some(leaf) => seen(Some(leaf) == certificate.known(), leaf.to_string()),
                    None => seen(false, sighting.outcome.to_string()),
                }
            }
            Proof::Answers { server, slot } => {
                if matches!(slot, Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint) if is_out_of_sight(endpoint))
                {
                    return seen(true, String::new());
                }
                let sighting = self.at_slot(server, slot).await?;
                let answers = matches!(sighting.outcome, Outcome::Presented);
                seen(answers, sighting.outcome.to_string())
            }
            Proof::ShellOpens { server } => {
                let place = Place::named(server, self.looking.visitor.connect());
                let endpoint = self.looking.visitor.endpoint(Door::Exchange, &place.full);
                let bounds = Bounds {
                    until: Instant::now() + self.looking.command_time(PATIENCE),
                    stop: self.looking.bounds.stop.clone(),
                };
                match Visit::open(endpoint, bounds).await {
                    Ok(visit) => {
                        visit.close().await;
                        seen(true, String::new())
                    }
                    Err(shut) => seen(false, shut.why),
                }
            }
        }
    }
}

/// Whether a client that connects by the server's name is shown another binding: loopback, or a host name of its own.
fn is_out_of_sight(endpoint: &Endpoint) -> bool {
    endpoint.address.starts_with("127.") || endpoint.address == "[::1]" || !endpoint.host.is_empty()
}

/// Whether a client elsewhere can be shown what a slot of a server presents: a look at it means something.
pub(crate) fn is_shown(server: &Server, slot: &Slot) -> bool {
    let runs = |service: &str| {
        server.services.iter().any(|own| {
            own.name.eq_ignore_ascii_case(service)
                && own.status.value().is_some_and(|status| status == "Running")
        })
    };
    match slot {
        Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint) => !is_out_of_sight(endpoint),
        Slot::InternalTransport => server.is_edge() == Some(false),
        Slot::Pop => runs("MSExchangePOP3"),
        Slot::Imap => runs("MSExchangeIMAP4"),
        _ => false,
    }
}
