//! Prints, as JSON, the pipelines a live look runs in Exchange's shell: `servers` and `organisation` once, `server` at each
//! server, there called `SERVER`. `cargo xtask bench discover` has another client run the same.

use std::convert::Infallible;

use exseal_exchange::live::{self, Answer, Asked, Shell, Unanswered};
use exseal_psrp::clixml::Value as Clixml;
use exseal_psrp::data::Data;
use exseal_psrp::message::Pipeline;
use serde_json::{Map, Value, json};

/// A shell that writes down what it is asked and knows nothing.
#[derive(Default)]
struct Notes(Vec<Value>);

impl Shell for Notes {
    async fn run(&mut self, pipeline: &Pipeline) -> Result<Answer, Unanswered> {
        for statement in pipeline.statements() {
            let commands: Vec<Value> = statement
                .iter()
                .map(|command| {
                    let parameters: Map<String, Value> = command
                        .arguments()
                        .iter()
                        .map(|(name, value)| (name.clone().unwrap_or_default(), written(value)))
                        .collect();
                    json!({ "name": command.text(), "parameters": parameters })
                })
                .collect();
            self.0.push(Value::from(commands));
        }
        Ok(Answer::default())
    }
}

/// Texts and lists of texts: no question has anything else.
fn written(value: &Data) -> Value {
    match value {
        Data::Value(Clixml::String(text)) => text.to_text().into_owned().into(),
        Data::List { items, .. } => items.iter().map(written).collect(),
        _ => Value::Null,
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "a program of its own")]
async fn main() -> Result<(), Infallible> {
    let asked = Asked {
        address: "nowhere",
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    let mut notes = [Notes::default(), Notes::default(), Notes::default()];
    let [servers, organisation, server] = &mut notes;
    live::servers(servers, asked).await;
    live::organisation(organisation, asked).await;
    live::server(server, asked, "SERVER", false).await;
    let [servers, organisation, server] = notes.map(|notes| notes.0);
    println!(
        "{}",
        json!({ "servers": servers, "organisation": organisation, "server": server })
    );
    Ok(())
}
