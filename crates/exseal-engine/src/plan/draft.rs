//! A plan while it is made.

use std::collections::BTreeMap;

use exseal_model::inventory::{Server, is_meant_by};
use exseal_model::plan::{Change, Step, Wait, WaitKind, Which};
use exseal_model::{Certificate, Inventory, Product, Thumbprint};
use jiff::Timestamp;

use super::{predict, step};
use crate::messages::{english, fill};
use crate::policy::Policy;

/// A plan while it is made: the steps so far, and the inventory as they will leave it.
pub(super) struct Draft<'i> {
    /// As the steps so far will leave it.
    pub(super) inventory: Inventory,
    pub(super) policy: &'i Policy,
    pub(super) earlier: &'i [(Timestamp, Inventory)],
    pub(super) now: Timestamp,
    pub(super) steps: Vec<Step>,
    pub(super) waits: Vec<Wait>,
    /// Certificates that steps make, by the thumbprint that stands for them here.
    made: BTreeMap<Thumbprint, u32>,
    /// What refers to certificates, worked out once a goal asks.
    pub(super) references: Option<std::rc::Rc<super::goals::Known>>,
    at: predict::Places,
    /// What servers were like before the first step on them, by their place.
    before: BTreeMap<usize, predict::Before>,
}

impl<'i> Draft<'i> {
    pub(super) fn new(
        inventory: &Inventory,
        policy: &'i Policy,
        earlier: &'i [(Timestamp, Inventory)],
        now: Timestamp,
    ) -> Self {
        Self {
            at: predict::Places::of(inventory),
            inventory: inventory.clone(),
            policy,
            earlier,
            now,
            steps: Vec::new(),
            waits: Vec::new(),
            made: BTreeMap::new(),
            references: None,
            before: BTreeMap::new(),
        }
    }

    /// The servers a goal is for, in the order of their names: those that were named, else all; names that are nobody's wait.
    pub(super) fn chosen(&mut self, goal: &str, named: &[String]) -> Vec<String> {
        let mut chosen: Vec<String> = Vec::new();
        for name in named {
            match self.inventory.server(name) {
                Some(server) => chosen.push(server.shown()),
                None => self.wait(goal, Some(name), WaitKind::Unknown, "no-such-server", &[]),
            }
        }
        if named.is_empty() {
            chosen = self
                .inventory
                .servers
                .iter()
                .filter(|server| server.name.known().is_some())
                .map(Server::shown)
                .collect();
        }
        let canary = self.policy.apply.canary.as_deref();
        let goes_first = |name: &String| canary.is_some_and(|own| is_meant_by(name, own));
        chosen.sort_by_key(|name| (!goes_first(name), name.to_lowercase()));
        chosen.dedup();
        chosen
    }

    /// The server of a name that [`chosen`](Self::chosen) gave.
    pub(super) fn server(&self, name: &str) -> Option<&Server> {
        self.at.get(name).and_then(|at| self.inventory.servers.get(at))
    }

    /// Whether plans may change a server: 2016 and later. What is older, or of no known build, waits.
    pub(super) fn is_ours(&mut self, goal: &str, name: &str) -> bool {
        let product = self.server(name).and_then(Server::product);
        match product {
            Some(Product::Exchange2010 | Product::Exchange2013) => {
                self.wait(goal, Some(name), WaitKind::Right, "older", &[]);
                false
            }
            Some(_) => true,
            None => {
                self.wait(goal, Some(name), WaitKind::Unknown, "build-unknown", &[]);
                false
            }
        }
    }

    /// The place of a server in the inventory.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.at.get(name)
    }

    /// Whether AuthConfig names a certificate.
    pub(super) fn is_auth(&self, thumbprint: Thumbprint) -> bool {
        let config = &self.inventory.organisation.auth_config;
        [&config.current, &config.next, &config.previous]
            .into_iter()
            .any(|one| one.value() == Some(&thumbprint))
    }

    pub(super) fn certificate(&self, thumbprint: Thumbprint) -> Option<&Certificate> {
        self.inventory.certificate(thumbprint)
    }

    /// How a step names a certificate.
    pub(super) fn which(&self, thumbprint: Thumbprint) -> Which {
        self.made
            .get(&thumbprint)
            .map_or(Which::Known(thumbprint), |&step| Which::MadeBy(step))
    }

    /// Adds a step, as the inventory stands after those before it; `why` is a key of the catalogue. Returns its number.
    pub(super) fn push(&mut self, change: Change, why: &str, values: &[(&str, String)]) -> u32 {
        let number = u32::try_from(self.steps.len() + 1).unwrap_or(u32::MAX);
        let step = step::of(self, number, change, sentence(why, values));
        if let Some(at) = self.at.get(step.change.server())
            && let Some(server) = self.inventory.servers.get(at)
        {
            self.before
                .entry(at)
                .or_insert_with(|| predict::Before::of(server));
        }
        if let Some(thumbprint) =
            predict::apply(&mut self.inventory, &self.at, &step.change, number, self.now)
        {
            self.made.insert(thumbprint, number);
        }
        self.steps.push(step);
        number
    }

    /// The steps, what waits, and the inventory as it was before any of it.
    pub(super) fn end(mut self) -> (Vec<Step>, Vec<Wait>, Inventory) {
        for (at, before) in self.before {
            if let Some(server) = self.inventory.servers.get_mut(at) {
                before.restore(server);
            }
        }
        for made in self.made.keys() {
            self.inventory.certificates.remove(made);
        }
        (self.steps, self.waits, self.inventory)
    }

    /// The file into which an earlier step writes a server's certificate with its key.
    pub(super) fn backup_of(&self, server: &str, certificate: Which) -> Option<String> {
        self.steps.iter().rev().find_map(|step| match &step.change {
            Change::BackUpCertificate {
                server: own,
                certificate: which,
                file,
            } if own == server && *which == certificate => Some(file.clone()),
            _ => None,
        })
    }

    /// The step that was pushed last.
    pub(super) fn last(&mut self) -> Option<&mut Step> {
        self.steps.last_mut()
    }

    /// A step that was pushed.
    pub(super) fn step_mut(&mut self, number: u32) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.number == number)
    }

    /// The thumbprint that stands for what a step makes.
    pub(super) fn made_by(&self, number: u32) -> Option<Thumbprint> {
        self.made
            .iter()
            .find(|(_, step)| **step == number)
            .map(|(thumbprint, _)| *thumbprint)
    }

    /// Says why something will not be done; `because` is a key of the catalogue.
    pub(super) fn wait(
        &mut self,
        goal: &str,
        server: Option<&str>,
        kind: WaitKind,
        because: &str,
        values: &[(&str, String)],
    ) {
        let then = format!("wait.{because}.then");
        let known = english().plan.contains_key(&then);
        self.waits.push(Wait {
            goal: goal.to_owned(),
            server: server.map(str::to_owned),
            kind,
            because: sentence(&format!("wait.{because}"), values),
            then: if known {
                sentence(&then, values)
            } else {
                String::new()
            },
        });
    }
}

/// A sentence about plans, filled.
pub(super) fn sentence(key: &str, values: &[(&str, String)]) -> String {
    // A key without a sentence shows itself, and a test holds that no plan shows one.
    let text = english().plan.get(key).map_or(key, String::as_str);
    fill(text, values)
}
