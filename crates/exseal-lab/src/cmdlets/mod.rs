//! placeholder
use crate::call::{Answer, Call, Endpoint, Outcome};
use crate::world::{ServerName, World};

#[derive(Debug)]
pub(crate) struct Pending;

pub(crate) fn run(
    _world: &mut World,
    _at: &ServerName,
    _endpoint: Endpoint,
    _user: &str,
    _call: &Call,
) -> Outcome {
    Outcome::completed(Vec::new())
}
pub(crate) fn answer(_world: &mut World, _prompt: u64, _answer: Answer) -> Outcome {
    Outcome::completed(Vec::new())
}
