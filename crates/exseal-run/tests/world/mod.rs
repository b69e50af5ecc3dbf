//! A small organisation behind the ports, and what may go wrong with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use exseal_engine::Maintenance;
use exseal_model::inventory::{Store, WindowsService};
use exseal_model::plan::{Answer, Argument, Call, Condition, Proof, StartType, Which};
use exseal_model::{Endpoint, Inventory, Listing, Observed, Slot, Thumbprint};
use exseal_run::{
    Effect, Entry, Fault, Holder, Host, Journal, JournalError, LockAnswer, LockFor, Organisation, Probe,
    Seen, Setting, Turn,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::support;

/// What goes wrong at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// Nothing was done, and an error says so.
    Error,
    /// The request was lost: nothing was done, and nobody knows.
    RequestLost,
    /// It was done, the reply was lost, and nobody knows.
    ReplyLost,
    /// The program dies before.
    DiesBefore,
    /// The program dies after.
    DiesAfter,
    /// The program dies in the middle of writing (of the journal; else as after).
    DiesWithin,
}

impl Disturbance {
    pub(crate) const ALL: [Self; 6] = [
        Self::Error,
        Self::RequestLost,
        Self::ReplyLost,
        Self::DiesBefore,
        Self::DiesAfter,
        Self::DiesWithin,
    ];
}

/// What all ports share: how often they were used, and what goes wrong when.
#[derive(Debug, Default)]
pub(crate) struct Points {
    used: usize,
    /// Bytes that are free where the journal is written, where that is not plenty.
    pub(crate) own_room: Option<u64>,
    /// Servers that are out of the balancer.
    pub(crate) drained: BTreeSet<String>,
    /// How long was waited in all.
    pub(crate) waited: Duration,
    /// Programs that end with an error.
    pub(crate) refused: BTreeSet<String>,
    /// Programs that were run, in their order.
    pub(crate) programs: Vec<String>,
    /// What maintenance set, by server: the settings that are out.
    pub(crate) out: BTreeSet<String>,
    /// Settings that somebody else set before.
    pub(crate) theirs: BTreeSet<String>,
    /// Databases that stay active on a server.
    pub(crate) active: Vec<String>,
    /// Exchange's shell opens nowhere.
    pub(crate) shell_is_dead: bool,
    disturbed: Option<(usize, Disturbance)>,
    dead: bool,
}

pub(crate) type Shared = Rc<RefCell<Points>>;

enum Now {
    Do,
    Fail(Effect),
    DoAndFail,
    DieBefore,
    DieAfter,
    DieWithin,
}

fn point(shared: &Shared) -> Now {
    let mut points = shared.borrow_mut();
    if points.dead {
        return Now::DieBefore;
    }
    let at = points.used;
    points.used += 1;
    let Some((_, disturbance)) = points.disturbed.filter(|(own, _)| *own == at) else {
        return Now::Do;
    };
    match disturbance {
        Disturbance::Error => Now::Fail(Effect::None),
        Disturbance::RequestLost => Now::Fail(Effect::Unknown),
        Disturbance::ReplyLost => Now::DoAndFail,
        Disturbance::DiesBefore => {
            points.dead = true;
            Now::DieBefore
        }
        Disturbance::DiesAfter => {
            points.dead = true;
            Now::DieAfter
        }
        Disturbance::DiesWithin => {
            points.dead = true;
            Now::DieWithin
        }
    }
}

fn fault(effect: Effect, what: &str) -> Fault {
    Fault {
        effect,
        what: what.to_owned(),
    }
}

fn through<T>(shared: &Shared, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    match point(shared) {
        Now::Do => work(),
        Now::Fail(effect) => Err(fault(effect, "disturbed")),
        Now::DoAndFail => {
            let _ = work();
            Err(fault(Effect::Unknown, "the reply was lost"))
        }
        Now::DieBefore => Err(fault(Effect::Unknown, "dead")),
        Now::DieAfter | Now::DieWithin => {
            let _ = work();
            Err(fault(Effect::Unknown, "dead"))
        }
    }
}

pub(crate) type Key = (String, String);

/// The organisation.
#[derive(Debug, Default)]
pub(crate) struct World {
    shared: Shared,
    bound: BTreeMap<Key, Option<Thumbprint>>,
    my: BTreeMap<String, BTreeSet<Thumbprint>>,
    root: BTreeMap<String, BTreeSet<Thumbprint>>,
    serials: BTreeMap<String, Thumbprint>,
    transport: BTreeMap<String, Option<Thumbprint>>,
    smtp: BTreeSet<(String, Thumbprint)>,
    services: BTreeMap<Key, (bool, StartType)>,
    lock: BTreeMap<String, String>,
    files: BTreeMap<String, Thumbprint>,
    made: u8,
    calls: usize,
    unlocks_lost: usize,
    /// Bytes that are free, where it is not plenty.
    pub(crate) free: BTreeMap<String, u64>,
    /// A cmdlet that enables for SMTP moves this binding to the certificate, too.
    pub(crate) moves: Option<Key>,
    /// Nobody can tell whether a certificate is configured anywhere: the shell is dead.
    pub(crate) blind: bool,
}

impl World {
    pub(crate) fn of(inventory: &Inventory) -> Self {
        let mut world = Self::default();
        for server in &inventory.servers {
            let name = server.shown();
            for binding in server.sites.iter().flat_map(|site| &site.bindings) {
                let endpoint = binding.endpoint().unwrap().to_string();
                let key = (name.clone(), endpoint);
                world.bound.insert(key, binding.thumbprint.value().copied());
            }
            let my = server.my.iter().map(|entry| entry.thumbprint).collect();
            world.my.insert(name.clone(), my);
            let root = server.root.iter().map(|entry| entry.thumbprint).collect();
            world.root.insert(name.clone(), root);
            world
                .transport
                .insert(name.clone(), server.internal_transport.value().copied());
            for entry in server
                .my
                .iter()
                .filter(|entry| entry.has_service("SMTP") == Some(true))
            {
                world.smtp.insert((name.clone(), entry.thumbprint));
            }
            for service in &server.services {
                let runs = service.status.value().unwrap() == "Running";
                let start = StartType::from_word(service.start_type.value().unwrap()).unwrap();
                world
                    .services
                    .insert((name.clone(), service.name.clone()), (runs, start));
            }
        }
        world
    }

    pub(crate) fn shared(&self) -> Shared {
        Rc::clone(&self.shared)
    }

    pub(crate) fn disturb(&mut self, at: usize, disturbance: Disturbance) {
        self.shared.borrow_mut().disturbed = Some((at, disturbance));
    }

    pub(crate) fn calm(&mut self) {
        let mut points = self.shared.borrow_mut();
        points.disturbed = None;
        points.dead = false;
    }

    pub(crate) fn points(&self) -> usize {
        self.shared.borrow().used
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// Locks that are left, but for those whose giving back was disturbed: they end by their time.
    pub(crate) fn locks(&self) -> usize {
        self.lock.len().saturating_sub(self.unlocks_lost)
    }

    /// Certificates that were made beyond one a step and are still there.
    pub(crate) fn lost_certificates(&self) -> usize {
        let kept: usize = self
            .serials
            .values()
            .filter(|own| self.my.values().any(|my| my.contains(own)))
            .count();
        kept.saturating_sub(self.my.len())
    }

    /// Somebody else moves a binding.
    pub(crate) fn somebody_binds(&mut self, server: &str, endpoint: &str, to: Option<Thumbprint>) {
        self.bound.insert((server.to_owned(), endpoint.to_owned()), to);
    }

    /// Somebody else takes the lock of a server.
    pub(crate) fn somebody_locks(&mut self, server: &str) {
        self.lock.insert(server.to_owned(), "another run".to_owned());
    }

    /// Everything but locks and marks of certificates that are gone.
    pub(crate) fn dump(&self) -> String {
        let mut out = String::new();
        for (key, value) in &self.bound {
            writeln!(out, "bound {key:?} {value:?}").unwrap();
        }
        writeln!(
            out,
            "my {:?}\nroot {:?}\ntransport {:?}",
            self.my, self.root, self.transport
        )
        .unwrap();
        let smtp = self
            .smtp
            .iter()
            .filter(|(server, own)| self.my.get(server).is_some_and(|my| my.contains(own)));
        writeln!(out, "smtp {:?}", smtp.collect::<Vec<_>>()).unwrap();
        writeln!(out, "services {:?}", self.services).unwrap();
        out
    }

    fn seen(&self, condition: &Condition) -> Seen {
        let known = |which: &Which| which.known().unwrap();
        let (holds, found) = match condition {
            Condition::Bound {
                server,
                endpoint,
                certificate,
            } => {
                let now = self.bound.get(&(server.clone(), endpoint.to_string())).unwrap();
                (*now == certificate.as_ref().map(known), format!("{now:?}"))
            }
            Condition::InStore {
                server,
                store,
                certificate,
                ..
            } => {
                let there = self.store(server, *store).contains(&known(certificate));
                (there, format!("there: {there}"))
            }
            Condition::NotInStore {
                server,
                store,
                certificate,
            } => {
                let there = self.store(server, *store).contains(&known(certificate));
                (!there, format!("there: {there}"))
            }
            Condition::InternalTransport { server, certificate } => {
                let now = self.transport.get(server).unwrap();
                (*now == certificate.as_ref().map(known), format!("{now:?}"))
            }
            Condition::EnabledForSmtp { server, certificate } => {
                let is = self.smtp.contains(&(server.clone(), known(certificate)));
                (is, format!("enabled: {is}"))
            }
            Condition::ServiceRuns {
                server,
                service,
                runs,
            } => {
                let (now, _) = self.services.get(&(server.clone(), service.clone())).unwrap();
                (now == runs, format!("runs: {now}"))
            }
            Condition::ServiceStart {
                server,
                service,
                start_type,
            } => {
                let (_, now) = self.services.get(&(server.clone(), service.clone())).unwrap();
                (now == start_type, format!("{now:?}"))
            }
            Condition::NotConfigured { certificate, .. } | Condition::NotReferredTo { certificate } => {
                let own = Some(known(certificate));
                let bound = self.bound.values().any(|now| *now == own);
                let used = bound || self.transport.values().any(|now| *now == own);
                (!used, format!("used: {used}"))
            }
            Condition::BackedUp { certificate, file } => {
                let now = self.files.get(file);
                (now == Some(&known(certificate)), format!("{now:?}"))
            }
            Condition::NoEdgeSubscription | Condition::ServerChannelOpens { .. } => (true, String::new()),
        };
        Seen { holds, found }
    }

    fn store(&self, server: &str, store: Store) -> &BTreeSet<Thumbprint> {
        let stores = if store == Store::Root {
            &self.root
        } else {
            &self.my
        };
        stores.get(server).unwrap()
    }

    fn act(&mut self, call: &Call) -> Result<(), Fault> {
        let refused = |what: &str| Err(fault(Effect::None, what));
        self.calls += 1;
        let server = call.server.clone();
        let text = |name: &str| match call.arguments.get(name) {
            Some(Argument::Text(text)) => text.clone(),
            other => panic!("{name}: {other:?} in {call:?}"),
        };
        let thumbprint = |name: &str| match call.arguments.get(name) {
            Some(Argument::Certificate(Which::Known(own))) => Some(*own),
            Some(Argument::Nothing) => None,
            other => panic!("{name}: {other:?} in {call:?}"),
        };
        match call.name.as_str() {
            "New-ExsealCertificate" => {
                let serial = text("Serial");
                if !self.serials.contains_key(&serial) {
                    self.made += 1;
                    let own = Thumbprint::from_bytes([self.made; 20]);
                    self.serials.insert(serial, own);
                    self.my.get_mut(&server).unwrap().insert(own);
                }
            }
            "Set-ExsealHttpSysCertificate" => {
                let endpoint = text("Endpoint").replace("0.0.0.0:", "*:");
                let own = thumbprint("Thumbprint").unwrap();
                if !self.my.get(&server).unwrap().contains(&own) {
                    return refused("not in the store");
                }
                let now = self.bound.get_mut(&(server, endpoint)).unwrap();
                if *now != Some(own) {
                    if *now != thumbprint("Expected") {
                        return refused("moved");
                    }
                    *now = Some(own);
                }
            }
            "Enable-ExchangeCertificate" => {
                let own = thumbprint("Thumbprint").unwrap();
                self.smtp.insert((server.clone(), own));
                if let Some(binding) = self.moves.as_ref().filter(|(own, _)| *own == server) {
                    self.bound.insert(binding.clone(), Some(own));
                }
                if call.answers == [Answer::ReplaceInternalTransport(true)] {
                    self.transport.insert(server, Some(own));
                }
            }
            "Copy-ExsealCertificate" => {
                let own = thumbprint("Thumbprint").unwrap();
                self.root.get_mut(&server).unwrap().insert(own);
            }
            "Export-ExchangeCertificate" => {
                let own = thumbprint("Thumbprint").unwrap();
                assert_eq!(call.arguments["Password"], Argument::BackupPassword);
                if !self.my.get(&server).unwrap().contains(&own) {
                    return refused("not in the store");
                }
                self.files.insert(call.into_file.clone().unwrap(), own);
            }
            "Import-ExsealCertificate" => {
                let own = thumbprint("Thumbprint").unwrap();
                let Argument::FileContent(file) = &call.arguments["Pfx"] else {
                    panic!("{call:?}")
                };
                if self.files.get(file) != Some(&own) {
                    return refused("another certificate");
                }
                self.my.get_mut(&server).unwrap().insert(own);
            }
            "Remove-ExchangeCertificate" => {
                let own = thumbprint("Thumbprint").unwrap();
                if !self.my.get_mut(&server).unwrap().remove(&own) {
                    return refused("not there");
                }
            }
            "Remove-ExsealCertificate" => {
                let own = thumbprint("Thumbprint").unwrap();
                let stores = if text("Store") == "Root" {
                    &mut self.root
                } else {
                    &mut self.my
                };
                if !stores.get_mut(&server).unwrap().remove(&own) {
                    return refused("not there");
                }
            }
            "Set-ExsealServiceStart" => {
                let start = if text("StartMode") == "Auto" {
                    StartType::Automatic
                } else {
                    StartType::Disabled
                };
                self.services.get_mut(&(server, text("Name"))).unwrap().1 = start;
            }
            "Start-ExsealService" | "Restart-ExsealService" => {
                let own = self.services.get_mut(&(server, text("Name"))).unwrap();
                if own.1 == StartType::Disabled {
                    return refused("disabled");
                }
                own.0 = true;
            }
            "Stop-ExsealService" => self.services.get_mut(&(server, text("Name"))).unwrap().0 = false,
            other => panic!("{other}"),
        }
        Ok(())
    }
}

impl Organisation for World {
    async fn holds(&mut self, condition: &Condition) -> Result<Seen, Fault> {
        let shared = self.shared();
        if self.blind && matches!(condition, Condition::NotConfigured { .. }) {
            return Err(Fault {
                effect: Effect::None,
                what: "the shell is dead".to_owned(),
            });
        }
        through(&shared, || Ok(self.seen(condition)))
    }

    async fn bound(&mut self, server: &str, endpoint: &Endpoint) -> Result<Option<Thumbprint>, Fault> {
        let shared = self.shared();
        through(&shared, || {
            Ok(*self
                .bound
                .get(&(server.to_owned(), endpoint.to_string()))
                .unwrap())
        })
    }

    async fn by_serial(&mut self, server: &str, serial: &str) -> Result<Option<Thumbprint>, Fault> {
        let shared = self.shared();
        through(&shared, || {
            let found = self.serials.get(serial).copied();
            Ok(found.filter(|own| self.my.get(server).unwrap().contains(own)))
        })
    }

    async fn call(&mut self, call: &Call) -> Result<(), Fault> {
        let shared = self.shared();
        through(&shared, || self.act(call))
    }

    async fn lock(&mut self, server: &str, lock: &LockFor<'_>) -> Result<LockAnswer, Fault> {
        let shared = self.shared();
        through(&shared, || {
            let holder = self
                .lock
                .entry(server.to_owned())
                .or_insert_with(|| lock.run.to_owned());
            Ok(if holder == lock.run {
                LockAnswer::Ours
            } else {
                LockAnswer::Theirs(Holder {
                    owner: holder.clone(),
                    plan: String::new(),
                    expires: None,
                })
            })
        })
    }

    async fn room(&mut self, server: &str) -> Result<u64, Fault> {
        let shared = self.shared();
        through(&shared, || Ok(self.free.get(server).copied().unwrap_or(u64::MAX)))
    }

    async fn settings(
        &mut self,
        server: &str,
        maintenance: &Maintenance,
    ) -> Result<Result<Vec<Setting>, String>, Fault> {
        let shared = self.shared();
        through(&shared, || {
            if shared.borrow().shell_is_dead {
                return Ok(Err("the shell is dead".to_owned()));
            }
            let mut all = Vec::new();
            if maintenance.dag {
                all.push(Setting::ActivationPolicy {
                    was: "IntrasiteOnly".to_owned(),
                });
                all.push(Setting::MoveDatabases);
            }
            let components = maintenance.components.iter().cloned();
            all.extend(components.map(|component| Setting::Component { component }));
            let points = shared.borrow();
            all.retain(|own| {
                let key = format!("{server}: {own}");
                !points.theirs.contains(&key) && !points.out.contains(&key)
            });
            Ok(Ok(all))
        })
    }

    async fn set(&mut self, server: &str, setting: &Setting, turn: Turn) -> Result<(), Fault> {
        let shared = self.shared();
        let key = format!("{server}: {setting}");
        let what = format!("{turn:?} {key}");
        if shared.borrow().refused.contains(&what) {
            return Err(fault(Effect::None, "it is refused"));
        }
        through(&shared, || {
            let mut points = shared.borrow_mut();
            assert!(!points.theirs.contains(&key), "{what}");
            points.programs.push(what.clone());
            match turn {
                Turn::Out => points.out.insert(key.clone()),
                Turn::Back => points.out.remove(&key),
            };
            Ok(())
        })
    }

    async fn active_databases(&mut self, _: &str) -> Result<Vec<String>, Fault> {
        let shared = self.shared();
        through(&shared, || Ok(shared.borrow().active.clone()))
    }

    async fn unlock(&mut self, server: &str, lock: &LockFor<'_>) -> Result<(), Fault> {
        let shared = self.shared();
        let given = through(&shared, || {
            if self.lock.get(server).is_some_and(|own| own == lock.run) {
                self.lock.remove(server);
            }
            Ok(())
        });
        self.unlocks_lost += usize::from(given.is_err());
        given
    }
}

/// What a client sees: everything, but for slots that are named, and for what is shown only out of maintenance.
pub(crate) struct Eye(pub(crate) Shared, pub(crate) Option<Slot>);

/// A component without which clients are shown nothing.
pub(crate) const BLINDS: &str = "FrontendTransport";

impl Probe for Eye {
    async fn look(&mut self, proof: &Proof) -> Result<Seen, Fault> {
        let blind = self.0.borrow().out.iter().any(|own| own.ends_with(BLINDS));
        let hidden = blind || matches!(proof, Proof::Presents { slot, .. } if Some(slot) == self.1.as_ref());
        through(&self.0, || {
            Ok(Seen {
                holds: !hidden,
                found: "another certificate".to_owned(),
            })
        })
    }
}

/// What a client sees of a slot that fades.
pub(crate) struct Fading<'h>(
    pub(crate) Shared,
    pub(crate) Slot,
    pub(crate) &'h std::cell::Cell<bool>,
);

impl Probe for Fading<'_> {
    async fn look(&mut self, proof: &Proof) -> Result<Seen, Fault> {
        let hidden = self.2.get().then(|| self.1.clone());
        Eye(Rc::clone(&self.0), hidden).look(proof).await
    }
}

/// A clock that stands, and serial numbers one after the other.
pub(crate) struct Clock(pub(crate) Shared);

impl Host for Clock {
    fn now(&mut self) -> Timestamp {
        support::now()
    }

    async fn wait(&mut self, time: Duration) {
        self.0.borrow_mut().waited += time;
    }

    fn zone(&mut self, name: Option<&str>) -> Result<TimeZone, String> {
        TimeZone::get(name.unwrap_or("UTC")).map_err(|error| error.to_string())
    }

    async fn program(&mut self, words: &[String]) -> Result<(), String> {
        let shared = Rc::clone(&self.0);
        let [what, server] = words else {
            panic!("{words:?}")
        };
        if shared.borrow().refused.contains(what) {
            return Err(format!("{what} is refused"));
        }
        let done = through(&shared, || {
            let mut points = self.0.borrow_mut();
            points.programs.push(format!("{what} {server}"));
            match what.as_str() {
                "drain" => points.drained.insert(server.clone()),
                "undrain" => points.drained.remove(server),
                other => panic!("{other}"),
            };
            Ok(())
        });
        done.map_err(|fault| fault.what)
    }

    async fn room(&mut self) -> Result<u64, String> {
        let shared = Rc::clone(&self.0);
        let read = through(&shared, || Ok(self.0.borrow().own_room.unwrap_or(u64::MAX)));
        read.map_err(|fault| fault.what)
    }

    fn serial(&mut self) -> String {
        format!("1{:031X}", self.0.borrow().used)
    }
}

/// A journal in memory that outlives the program.
pub(crate) struct Lines {
    shared: Shared,
    pub(crate) bytes: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared,
            bytes: Vec::new(),
        }
    }
}

impl Journal for Lines {
    fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(entry).unwrap();
        line.push(b'\n');
        let full = || {
            Err(JournalError::Io {
                doing: "written",
                error: std::io::ErrorKind::StorageFull.into(),
            })
        };
        match point(&self.shared) {
            Now::Do => self.bytes.extend(line),
            Now::Fail(_) | Now::DieBefore => return full(),
            Now::DoAndFail | Now::DieAfter => {
                self.bytes.extend(line);
                return full();
            }
            Now::DieWithin => {
                self.bytes.extend_from_slice(&line[..line.len() / 2]);
                return full();
            }
        }
        Ok(())
    }
}

/// Services as they run on a mailbox server.
pub(crate) fn services(organisation: &mut support::Organisation) {
    let iis = organisation.iis;
    let store = organisation.store;
    for server in &mut organisation.inventory.servers {
        let services = [
            "MSExchangeADTopology",
            "MSExchangeFrontEndTransport",
            "MSExchangeServiceHost",
            "MSExchangeTransport",
            "W3SVC",
            "WinRM",
        ];
        let services = services.map(|name| {
            let mut service = WindowsService::new(name.to_owned());
            service.status = Observed::seen("Running".to_owned(), iis);
            service.start_type = Observed::seen("Automatic".to_owned(), iis);
            service
        });
        server.services = Listing::of(services, iis, true);
        server.root = Listing::of([], store, true);
    }
}
