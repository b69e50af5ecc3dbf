//! Plans: what will be changed, in which order, by which words, and how each change is taken back.
//!
//! A plan leaves no choice for later and holds no secret (architecture.md, "Changes, plans, journals"). It is made by
//! `exseal-engine` of one [`Inventory`], carried by others, and read by people: everything that will be typed on a server
//! stands in it.

mod call;
mod change;
mod condition;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use call::{Answer, Argument, Call, Way};
pub use change::{Change, Inverse, StartType};
pub use condition::{Condition, Guard, Proof};

use crate::{Inventory, Slot, Thumbprint};

/// The version of the plan's JSON that this program writes.
pub const PLAN_FORMAT: u32 = 1;

/// What will be done, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format: 1.
    pub format: u32,
    /// Names it: 16 hex digits that follow from goals and steps, so that equal plans have equal names.
    pub id: String,
    /// When it was made.
    pub made: Timestamp,
    /// What was asked for, in the order of doing.
    pub goals: Vec<Goal>,
    /// What will be done, in this order; `steps[n].number` is n + 1.
    pub steps: Vec<Step>,
    /// What was asked for and will not be done, and why; in the order of goals and servers.
    pub waits: Vec<Wait>,
    /// The inventory it was made of.
    pub inventory: Inventory,
}

/// What a person asks for.
///
/// An empty list of servers means every server the goal fits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "goal", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Goal {
    /// A new certificate for Exchange Back End, and what hangs on the old one.
    BackEndRenew {
        /// On these servers, by name.
        servers: Vec<String>,
    },
    /// A new internal transport certificate.
    InternalTransportRenew {
        /// On these servers, by name.
        servers: Vec<String>,
    },
    /// A certificate that is there, on the https bindings of the Default Web Site that are there.
    FrontEndRebind {
        /// Which.
        certificate: Thumbprint,
        /// On these servers, by name.
        servers: Vec<String>,
    },
    /// The services a failed setup disabled, and those that are stopped.
    ServicesStart {
        /// On these servers, by name.
        servers: Vec<String>,
    },
    /// Certificates away that nothing refers to any more.
    Cleanup {
        /// On these servers, by name.
        servers: Vec<String>,
        /// The folder, on the machine exseal runs on, into which certificates go with their keys before they are taken away;
        /// null: none does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup: Option<String>,
    },
    /// What ends an outage of the back end, and nothing else.
    Rescue {
        /// On these servers, by name.
        servers: Vec<String>,
    },
}

/// One change in its place in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its place, from 1.
    pub number: u32,
    /// What is changed.
    pub change: Change,
    /// Why, in a sentence.
    pub why: String,
    /// How it is done: read by who carries it out.
    pub call: Call,
    /// The same as one would type it in Windows PowerShell, `<step 1>` for a certificate that step 1 will make.
    pub command: String,
    /// What is read again right before; the step is not begun unless all hold.
    pub preconditions: Vec<Condition>,
    /// What holds afterwards. The step is done when all of them hold, whoever brought them about.
    pub effects: Vec<Condition>,
    /// What must not have moved afterwards, and the change that puts it back.
    pub keeps: Vec<Guard>,
    /// What a client has to see before the next step is begun.
    pub proofs: Vec<Proof>,
    /// It is left out unless one of these earlier steps was carried out: what was right already needs no restart. Empty: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_after: Vec<u32>,
    /// How it is taken back.
    pub inverse: Inverse,
    /// Which slots answer nobody for how long.
    pub interrupts: Vec<Interruption>,
    /// What is so when it fails, in a sentence.
    pub if_it_fails: String,
}

/// A slot that answers nobody for a while.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interruption {
    /// The server, as the plan names it.
    pub server: String,
    /// The slot.
    pub slot: Slot,
    /// How long, in seconds, at most as far as is expected.
    pub seconds: u32,
}

/// Something that was asked for and will not be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The goal, by [`Goal::name`].
    pub goal: String,
    /// The server; null: the organisation.
    pub server: Option<String>,
    /// Whether it is right as it is, waits for something, or is a person's to do.
    pub kind: WaitKind,
    /// Why, in a sentence.
    pub because: String,
    /// What to do about it, in a sentence; empty: nothing.
    pub then: String,
}

/// What kind of reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitKind {
    /// There is nothing to do.
    Right,
    /// Something that must be known was not seen.
    Unknown,
    /// Time has to pass first.
    Time,
    /// A person has to decide or do something first.
    Person,
}

/// A certificate a plan speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// This one.
    Known(Thumbprint),
    /// The one that a step of this number makes. The journal fixes it as exactly one thumbprint before any step uses it.
    MadeBy(u32),
}

impl Which {
    /// The thumbprint, when it is known while planning.
    #[must_use]
    pub const fn known(self) -> Option<Thumbprint> {
        match self {
            Self::Known(thumbprint) => Some(thumbprint),
            Self::MadeBy(_) => None,
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(thumbprint) => write!(f, "{thumbprint}"),
            Self::MadeBy(step) => write!(f, "<step {step}>"),
        }
    }
}

impl Goal {
    /// Its name, as it is typed: `back-end renew`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BackEndRenew { .. } => "back-end renew",
            Self::InternalTransportRenew { .. } => "internal-transport renew",
            Self::FrontEndRebind { .. } => "front-end rebind",
            Self::ServicesStart { .. } => "services start",
            Self::Cleanup { .. } => "cleanup",
            Self::Rescue { .. } => "rescue",
        }
    }

    /// The servers it was asked for; empty: all it fits.
    #[must_use]
    pub fn servers(&self) -> &[String] {
        match self {
            Self::BackEndRenew { servers }
            | Self::InternalTransportRenew { servers }
            | Self::FrontEndRebind { servers, .. }
            | Self::ServicesStart { servers }
            | Self::Cleanup { servers, .. }
            | Self::Rescue { servers } => servers,
        }
    }
}

impl Plan {
    /// A plan with the name that follows from its content.
    #[must_use]
    pub fn of(
        made: Timestamp,
        goals: Vec<Goal>,
        steps: Vec<Step>,
        waits: Vec<Wait>,
        inventory: Inventory,
    ) -> Self {
        Self {
            format: PLAN_FORMAT,
            id: name_of(&goals, &steps, &waits),
            made,
            goals,
            steps,
            waits,
            inventory,
        }
    }

    /// The step of a number.
    #[must_use]
    pub fn step(&self, number: u32) -> Option<&Step> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.steps.get(at)
    }

    /// Whether a step of it writes a backup, or taking one back reads one: then their password is asked for.
    #[must_use]
    pub fn has_backups(&self) -> bool {
        self.steps.iter().any(|step| step.change.backup().is_some())
    }

    /// The longest interruption of each slot over all steps, added up: slots and servers in their order.
    #[must_use]
    pub fn interruptions(&self) -> Vec<Interruption> {
        let mut sums: std::collections::BTreeMap<(&str, &Slot), u32> = std::collections::BTreeMap::new();
        for one in self.steps.iter().flat_map(|step| &step.interrupts) {
            let sum = sums.entry((&one.server, &one.slot)).or_default();
            *sum = sum.saturating_add(one.seconds);
        }
        sums.into_iter()
            .map(|((server, slot), seconds)| Interruption {
                server: server.to_owned(),
                slot: slot.clone(),
                seconds,
            })
            .collect()
    }
}

/// Follows from what is asked for and what will be done; not from time, order of the input or chance.
fn name_of(goals: &[Goal], steps: &[Step], waits: &[Wait]) -> String {
    // Values of these types cannot fail to be written.
    let text = serde_json::to_string(&(goals, steps, waits)).unwrap_or_default();
    let hash = Thumbprint::of_der(text.as_bytes()).to_string();
    hash.get(..16).unwrap_or(&hash).to_ascii_lowercase()
}

/// A text that is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No JSON of a plan.
    #[error("expected a plan of exseal, found something else: {0}")]
    Json(#[from] serde_json::Error),
    /// A plan of another time.
    #[error("expected a plan of format {PLAN_FORMAT}, found format {found}")]
    Format {
        /// The format it says.
        found: u32,
    },
    /// A plan that somebody changed.
    #[error("expected {expected}, found {found}")]
    Inconsistent {
        /// What a plan has.
        expected: String,
        /// What this one has.
        found: String,
    },
}

impl Plan {
    /// Reads a plan and holds that its steps are numbered and refer to earlier steps only.
    ///
    /// # Errors
    ///
    /// [`PlanError`]: no plan, another format, or steps that do not fit together.
    pub fn from_json(text: &[u8]) -> Result<Self, PlanError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(text)?;
        if head.format != PLAN_FORMAT {
            return Err(PlanError::Format { found: head.format });
        }
        let plan: Self = serde_json::from_slice(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// Holds that it was not changed since it was made, and that its steps are numbered and refer to earlier steps only.
    ///
    /// # Errors
    ///
    /// [`PlanError::Inconsistent`].
    pub fn check(&self) -> Result<(), PlanError> {
        let id = name_of(&self.goals, &self.steps, &self.waits);
        if id != self.id {
            return Err(PlanError::Inconsistent {
                expected: format!("the plan {} as it was made", self.id),
                found: format!("one that was changed since: its goals and steps are those of {id}"),
            });
        }
        let mut makers = std::collections::BTreeSet::new();
        for (at, step) in self.steps.iter().enumerate() {
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            if step.number != number {
                return Err(PlanError::Inconsistent {
                    expected: format!("step {number} in place {number}"),
                    found: format!("step {}", step.number),
                });
            }
            for which in step.certificates() {
                if let Which::MadeBy(maker) = which
                    && !makers.contains(&maker)
                    && maker != number
                {
                    return Err(PlanError::Inconsistent {
                        expected: format!("step {number} to use a certificate that an earlier step makes"),
                        found: format!("the certificate of step {maker}"),
                    });
                }
            }
            if step.change.makes_certificate() {
                makers.insert(number);
            }
        }
        Ok(())
    }
}

impl Step {
    /// Every certificate it speaks of, in no particular order, repeated where it is named twice.
    #[must_use]
    pub fn certificates(&self) -> Vec<Which> {
        let mut found: Vec<Which> = self.change.certificate().into_iter().collect();
        found.extend(self.call.arguments.values().filter_map(Argument::certificate));
        let conditions = self.preconditions.iter().chain(&self.effects);
        let guarded = self.keeps.iter().map(|guard| &guard.condition);
        found.extend(conditions.chain(guarded).filter_map(Condition::certificate));
        found.extend(self.keeps.iter().filter_map(|guard| guard.restore.certificate()));
        found.extend(self.proofs.iter().filter_map(Proof::certificate));
        if let Inverse::Change(change) = &self.inverse {
            found.extend(change.certificate());
        }
        found
    }
}
