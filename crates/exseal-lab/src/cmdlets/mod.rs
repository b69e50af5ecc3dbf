//! What commands do. None is simulated yet: each is refused as PowerShell refuses a name it does not know, so that
//! nobody takes silence for success.

use exseal_psrp::message::{ErrorCategory, ErrorRecord};

use crate::call::{Answer, Call, Endpoint, Outcome};
use crate::world::{ServerName, World};

/// A question that waits for its answer.
#[derive(Debug)]
pub(crate) struct Pending;

pub(crate) fn run(
    _world: &mut World,
    _at: &ServerName,
    _endpoint: Endpoint,
    _user: &str,
    call: &Call,
) -> Outcome {
    let name = call.commands.first().map_or("", |command| command.text.as_str());
    Outcome::failed(
        Vec::new(),
        ErrorRecord::new(
            &format!(
                "The term '{name}' is not recognized as the name of a cmdlet: this simulation has no cmdlets yet."
            ),
            "CommandNotFoundException",
            ErrorCategory::ObjectNotFound,
            "CommandNotFoundException",
        ),
    )
}

pub(crate) fn answer(world: &mut World, prompt: u64, _answer: Answer) -> Outcome {
    world.pending.remove(&prompt);
    Outcome::failed(
        Vec::new(),
        ErrorRecord::new(
            &format!("No question {prompt} waits for an answer."),
            "NoSuchPrompt",
            ErrorCategory::InvalidOperation,
            "InvalidOperationException",
        ),
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::call::Command;
    use crate::organisation::Organisation;

    #[test]
    fn a_command_that_is_not_simulated_fails_and_an_answer_to_nothing_too() {
        let organisation = Organisation::of_servers("contoso.lab", ["EX1"]);
        let mut world = World::new(&organisation, Timestamp::UNIX_EPOCH, 1).expect("a world");

        let asked = world.run(
            &ServerName::new("EX1"),
            Endpoint::Local,
            "admin",
            &Command::new("Get-ExchangeCertificate").into(),
        );
        let answered = world.answer(7, Answer::NoHost);

        assert_eq!(
            asked.error().expect("an error").fully_qualified_error_id,
            "CommandNotFoundException"
        );
        assert_eq!(
            answered.error().expect("an error").fully_qualified_error_id,
            "NoSuchPrompt"
        );
    }
}
