//! From an inventory and what a person asks for to a plan: no choice left, every step with its words, its conditions, its
//! proofs and its way back.
//!
//! A goal (one file each under `goals`) looks at a draft and pushes changes onto it. The draft turns each change into a
//! step of the inventory **as the steps before it will leave it**, so that goals stand on each other, and the plan of what
//! a plan leaves is empty.

mod command;
mod draft;
mod fix;
mod goals;
mod holds;
mod made;
mod predict;
mod rescue;
mod script;
mod step;
pub mod words;

use exseal_model::Inventory;
use exseal_model::plan::{Goal, Plan, Step, Which};
use jiff::Timestamp;

use crate::policy::Policy;
use draft::Draft;

pub use command::call;
pub use fix::{Fix, Group, Urgency, fix};
pub use holds::{Holds, carries, holds};
pub use made::made;
pub use rescue::{Cause, MendedBy, Remaining, Rescue, rescue};
pub use script::{script, sheet};
pub use step::expects;

/// Makes the plan of some goals, in their order, `cleanup` last; of one goal server by server, in the order of their names, the policy's
/// canary first.
///
/// `earlier` are inventories of the same organisation seen before, in any order: what they show unused may be cleaned up
/// once the policy's time has passed. Linear in the number of servers; permuting servers or `earlier` changes nothing.
#[must_use]
pub fn plan(
    inventory: &Inventory,
    policy: &Policy,
    goals: &[Goal],
    earlier: &[(Timestamp, Inventory)],
    now: Timestamp,
) -> Plan {
    let mut draft = Draft::new(inventory, policy, earlier, now);
    let mut ordered: Vec<&Goal> = goals.iter().collect();
    // What cannot be taken back comes last.
    ordered.sort_by_key(|goal| matches!(goal, Goal::Cleanup { .. }));
    for goal in ordered {
        goals::pursue(goal, &mut draft);
    }
    let (mut steps, waits, inventory) = draft.end();
    guard_making(&mut steps);
    Plan::of(now, goals.to_vec(), steps, waits, inventory)
}

/// What the first step that uses a new certificate needs is needed for making it: a plan that was applied already, or whose
/// time is over, makes none.
fn guard_making(steps: &mut [Step]) {
    for at in 0..steps.len() {
        let (made, later) = steps.split_at_mut(at + 1);
        let Some(making) = made.last_mut().filter(|step| step.change.makes_certificate()) else {
            continue;
        };
        let own = Which::MadeBy(making.number);
        let user = later.iter().find(|step| step.change.certificate() == Some(own));
        for condition in user.into_iter().flat_map(|step| &step.preconditions) {
            if condition.certificate() != Some(own) && !making.preconditions.contains(condition) {
                making.preconditions.push(condition.clone());
            }
        }
    }
}

/// The inventory as a plan's steps will leave it, as far as planning foresees it; a certificate that a step makes stands
/// there by a thumbprint of its own that is no real one.
///
/// After `upto` steps only, if that is fewer than there are.
#[must_use]
pub fn predicted(plan: &Plan, upto: usize) -> Inventory {
    let mut inventory = plan.inventory.clone();
    let at = predict::Places::of(&inventory);
    for step in plan.steps.iter().take(upto) {
        predict::apply(&mut inventory, &at, &step.change, step.number, plan.made);
    }
    inventory
}
