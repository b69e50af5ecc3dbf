//! The world as what commands do.

use std::sync::{Arc, Mutex};

use super::Commands;
use crate::call::{Answer, Call, End, Endpoint, Interruption, Outcome};
use crate::net::{Door, lock};
use crate::world::{ServerName, World};

/// The commands of a world, and its people.
#[derive(Clone, Debug)]
pub struct OfWorld(pub Arc<Mutex<World>>);

/// What is heard of a command whose server was taken back to a checkpoint: nothing.
fn gone() -> Outcome {
    Outcome {
        end: End::Interrupted(Interruption::DropBefore),
        ..Outcome::completed(Vec::new())
    }
}

impl Commands for OfWorld {
    fn run(&self, at: &ServerName, endpoint: Endpoint, user: &str, call: &Call) -> Outcome {
        let (outcome, starting) = {
            let mut world = lock(&self.0);
            if call.life.is_some_and(|life| life != world.life()) {
                return gone();
            }
            let outcome = world.run(at, endpoint, user, call);
            (outcome, world.starting(at))
        };
        // Whoever waits for an answer waits for the services; meanwhile their ports are closed to everybody.
        if let Some(time) = starting {
            std::thread::sleep(time);
            let mut world = lock(&self.0);
            if call.life.is_some_and(|life| life != world.life()) {
                return gone();
            }
            world.finish_starting(at);
        }
        outcome
    }

    fn answer(&self, prompt: u64, answer: Answer) -> Outcome {
        lock(&self.0).answer(prompt, answer)
    }

    fn may_enter(&self, _at: &ServerName, door: Door, user: &str) -> bool {
        let world = lock(&self.0);
        let Some(person) = world
            .users()
            .iter()
            .find(|person| person.name.eq_ignore_ascii_case(user))
        else {
            return false;
        };
        match door {
            // WinRM's own endpoint lets administrators in.
            Door::Windows => person.administrator,
            Door::Exchange => !person.groups.is_empty(),
        }
    }

    fn account(&self, name: &str) -> Option<(String, String)> {
        let bare = name.rsplit('\\').next().unwrap_or(name);
        let bare = bare.split('@').next().unwrap_or(bare);
        lock(&self.0)
            .users()
            .iter()
            .find(|person| person.name.eq_ignore_ascii_case(bare))
            .map(|person| (person.name.clone(), person.password.clone()))
    }

    fn takes_basic(&self, at: &ServerName) -> bool {
        let world = lock(&self.0);
        let site = world.server(at.as_str()).map_or(0, |server| server.site);
        world
            .directory()
            .virtual_directories(site)
            .any(|own| own.server == *at && own.name == "PowerShell" && own.basic)
    }

    fn life(&self) -> u64 {
        lock(&self.0).life()
    }

    fn domain(&self) -> (String, String) {
        let dns = lock(&self.0).domain().to_owned();
        let first = dns.split('.').next().unwrap_or(&dns);
        let netbios: String = first.chars().take(15).collect();
        (netbios.to_uppercase(), dns)
    }
}
