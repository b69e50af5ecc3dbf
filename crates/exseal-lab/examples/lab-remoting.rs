//! Serves PowerShell remoting for a foreign client to judge (`interop/lab_remoting/judge.py`).
//!
//! One argument, JSON: `{"keytab": "PATH" or null, "ended": bool}`. Prints one line of JSON with ports, then answers each line
//! of its standard input with one: the shells that are open. Ends with its input.
//!
//! Two kinds of doors: those of a lab's own server, with the world behind them, and doors with a few commands played
//! here, for what no cmdlet of Exchange shows: every stream, waiting, cuts, large results.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a test, which shall see what went wrong"
)]

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exseal_gss::Keytab;
use exseal_lab::call::{Answer, Call, Command, End, Endpoint, Interruption, Item, Outcome, Prompt};
use exseal_lab::net::{Arrival, Door, Options, Remoting as _, Running, Side};
use exseal_lab::organisation::Organisation;
use exseal_lab::remoting::{Commands, Doors, Guard, OfWorld, Service};
use exseal_lab::world::{ServerName, World};
use exseal_psrp::clixml::{Document, Value};
use exseal_psrp::data::Data;
use exseal_psrp::message::{ErrorCategory, ErrorRecord};

/// Commands that show what a protocol can carry.
#[derive(Default)]
struct Played {
    /// What `Set-Variable` keeps.
    variable: Mutex<Option<Data>>,
}

fn document(value: Value<'static>) -> Document<'static> {
    Document {
        values: vec![value],
        ..Document::default()
    }
}

fn text(words: &str) -> Item {
    Item::Output(document(Value::String(words.to_owned().into())))
}

fn done(items: Vec<Item>) -> Outcome {
    Outcome {
        items,
        end: End::Completed,
        delay: Duration::ZERO,
    }
}

fn error(words: &str, id: &str) -> ErrorRecord {
    ErrorRecord::new(words, id, ErrorCategory::InvalidOperation, "RuntimeException")
}

fn first(command: &Command) -> Option<&Data> {
    command.arguments.first().map(|(_, value)| value)
}

fn number(command: &Command) -> u64 {
    match first(command) {
        Some(Data::Value(Value::I32(number))) => u64::try_from(*number).unwrap_or(0),
        Some(Data::Value(Value::String(digits))) => digits.to_text().parse().unwrap_or(0),
        _ => 0,
    }
}

fn large() -> Outcome {
    let words = "0123456789ü😀\r\n".repeat(900);
    done((0..200).map(|at| text(&format!("{at} {words}"))).collect())
}

fn every_stream() -> Outcome {
    done(vec![
        Item::Warning("a warning".to_owned()),
        Item::Verbose("a verbose message".to_owned()),
        Item::Debug("a debug message".to_owned()),
        Item::Information("information".to_owned()),
        Item::Progress {
            activity: "activity".to_owned(),
            status: "status".to_owned(),
            percent: 50,
        },
        Item::Error(Box::new(error("not terminating", "X,Y"))),
        text("out"),
    ])
}

impl Commands for Played {
    fn run(&self, _: &ServerName, endpoint: Endpoint, user: &str, call: &Call) -> Outcome {
        let Some(command) = call.commands.first() else {
            return done(Vec::new());
        };
        let mut outcome = match command.text.trim() {
            "Write-All" => every_stream(),
            "Get-Large" => large(),
            "Get-Echo" => done(
                command
                    .arguments
                    .iter()
                    .map(|(_, value)| match value {
                        Data::Document(whole) => Item::Output((**whole).clone()),
                        Data::Value(value) => Item::Output(document(value.clone())),
                        other => text(&format!("{other:?}")),
                    })
                    .collect(),
            ),
            "Get-Input" => done(call.input.iter().cloned().map(Item::Output).collect()),
            "Get-Door" => done(vec![text(&format!("{endpoint:?} {user}"))]),
            "Get-Reverse" => match first(command) {
                Some(Data::Secret(secret)) => {
                    done(vec![text(&secret.reveal().chars().rev().collect::<String>())])
                }
                _ => done(vec![Item::Error(Box::new(error(
                    "expected a SecureString",
                    "NotSecure",
                )))]),
            },
            "Get-Item" => done(vec![text("C:\\Windows")]),
            "Set-Variable" => {
                let kept = command
                    .arguments
                    .iter()
                    .find(|(name, _)| name.as_deref() == Some("Value"));
                *self.variable.lock().expect("not poisoned") = kept.map(|(_, value)| value.clone());
                done(Vec::new())
            }
            "ConvertTo-SecureString" => match first(command) {
                Some(Data::Value(Value::String(words))) => {
                    done(vec![Item::Secret(words.to_text().as_ref().into())])
                }
                _ => done(Vec::new()),
            },
            "Start-Sleep" => Outcome {
                delay: Duration::from_secs(number(command)),
                ..done(vec![text("slept")])
            },
            "Stop-Terminating" => Outcome {
                items: vec![text("before")],
                end: End::Failed(Box::new(error(
                    "it ended here: ü 😀",
                    "Terminating,Stop-Terminating",
                ))),
                delay: Duration::ZERO,
            },
            "Confirm-It" => Outcome {
                items: vec![text("asking")],
                end: End::Prompt(Prompt {
                    id: 1,
                    caption: "Confirm".to_owned(),
                    message: "Are you sure?\r\nReally?".to_owned(),
                    choices: vec![
                        ("&Yes".to_owned(), "go on".to_owned()),
                        ("&No".to_owned(), "do not".to_owned()),
                    ],
                    default: 0,
                }),
                delay: Duration::ZERO,
            },
            "Lose-Reply" => Outcome {
                items: Vec::new(),
                end: End::Interrupted(Interruption::LoseReply),
                delay: Duration::ZERO,
            },
            "Restart-Server" => Outcome {
                items: Vec::new(),
                end: End::Interrupted(Interruption::Reboot),
                delay: Duration::ZERO,
            },
            // What pypsrp's own test sends as scripts.
            script if command.is_script && script.contains("Write-Verbose") => {
                let words = script.split('\'').nth(3).unwrap_or_default();
                done(vec![Item::Verbose(words.to_owned())])
            }
            script if command.is_script && script.contains("SecureStringToBSTR") => {
                match &*self.variable.lock().expect("not poisoned") {
                    Some(Data::Secret(secret)) => done(vec![text(&secret.reveal())]),
                    other => done(vec![text(&format!("{other:?}"))]),
                }
            }
            other => Outcome {
                items: Vec::new(),
                end: End::Failed(Box::new(error(
                    &format!("The term '{other}' is not recognized."),
                    "CommandNotFoundException",
                ))),
                delay: Duration::ZERO,
            },
        };
        // A client that asks for "no more than so many" gets them.
        if let Some(next) = call.commands.get(1).filter(|next| next.text == "Select-Object") {
            let most = next
                .arguments
                .iter()
                .find(|(name, _)| name.as_deref() == Some("First"))
                .map(|(_, value)| value.clone());
            if let Some(Data::Value(Value::I32(most))) = most {
                outcome.items.truncate(usize::try_from(most).unwrap_or(0));
            }
        }
        outcome
    }

    fn answer(&self, _: u64, answer: Answer) -> Outcome {
        match answer {
            Answer::Choice(choice) => done(vec![text(&format!("choice {choice}"))]),
            Answer::NoHost => Outcome {
                items: Vec::new(),
                end: End::Failed(Box::new(error("there is no host to ask", "NoHost"))),
                delay: Duration::ZERO,
            },
        }
    }

    fn may_enter(&self, _: &ServerName, _: Door, user: &str) -> bool {
        user != "stranger"
    }

    fn account(&self, name: &str) -> Option<(String, String)> {
        let bare = name.rsplit('\\').next().unwrap_or(name);
        let bare = bare.split('@').next().unwrap_or(bare).to_lowercase();
        ["alice", "stranger"]
            .contains(&bare.as_str())
            .then(|| (bare, "Passw0rd".to_owned()))
    }

    fn domain(&self) -> (String, String) {
        ("LAB".to_owned(), "exseal.lab".to_owned())
    }
}

/// Opens a door on a port of the system's choice.
async fn door(service: &Arc<Service>, door: Door) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let doors = Doors(Arc::clone(service));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let arrival = Arrival {
                server: ServerName::new("EX1"),
                door,
                certificate: None,
            };
            tokio::spawn(doors.serve(Box::new(tcp), arrival));
        }
    });
    address
}

#[tokio::main]
async fn main() {
    let asked: serde_json::Value = std::env::args()
        .nth(1)
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let keytab = asked["keytab"].as_str().map(|path| {
        let bytes = std::fs::read(path).expect("the keytab can be read");
        Arc::new(Keytab::parse(&bytes).expect("a keytab"))
    });
    let guard = || Guard {
        keytab: keytab.clone(),
        poll: Duration::from_secs(2),
        ..Guard::default()
    };

    let mut services: BTreeMap<&str, Arc<Service>> = BTreeMap::new();
    let mut ports = serde_json::Map::new();
    let plays = [
        ("exchange", Door::Exchange, guard()),
        (
            "kerberos",
            Door::Exchange,
            Guard {
                negotiate_at_exchange: false,
                ..guard()
            },
        ),
        ("windows", Door::Windows, guard()),
        (
            "clear",
            Door::Windows,
            Guard {
                unencrypted: true,
                basic_over_http: true,
                ..guard()
            },
        ),
        ("quota", Door::Windows, Guard { shells: 2, ..guard() }),
        (
            "idle",
            Door::Windows,
            Guard {
                idle: Duration::from_secs(1),
                ..guard()
            },
        ),
    ];
    for (name, at, guard) in plays {
        let service = Service::new(Arc::new(Played::default()), guard);
        let address = door(&service, at).await;
        ports.insert(name.to_owned(), address.port().into());
        services.insert(name, service);
    }

    // A lab's own server, TLS and all.
    let organisation = exseal_lab::presets::get("healthy")
        .expect("the preset")
        .expect("it reads");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    let worlds: [(&'static str, Organisation); 4] = [
        ("lab", organisation.clone()),
        (
            "dead",
            exseal_lab::presets::get("back-end-deleted")
                .expect("the preset")
                .expect("it reads"),
        ),
        (
            "federated",
            exseal_lab::presets::get("federation-expires")
                .expect("the preset")
                .expect("it reads"),
        ),
        ("changing", organisation),
    ];
    let mut labs = Vec::new();
    for (at, (name, organisation)) in worlds.into_iter().enumerate() {
        let world = Arc::new(Mutex::new(World::new(&organisation, now, 1).expect("a world")));
        let service = Service::new(Arc::new(OfWorld(Arc::clone(&world))), guard());
        services.insert(name, Arc::clone(&service));
        let options = Options {
            remoting: Some(Arc::new(Doors(service))),
            first: std::net::Ipv4Addr::new(127, 84, u8::try_from(at).unwrap_or(0), 1).into(),
            ..Options::default()
        };
        let running = Running::start(Arc::clone(&world), options).expect("the lab starts");
        let server = {
            let world = world.lock().expect("not poisoned");
            world.servers().next().expect("a server").name.clone()
        };
        for port in [25, 80, 443, 444, 5985] {
            if let Some(socket) = running.address(server.as_str(), Side::Outside, port) {
                ports.insert(format!("{name}-{port}"), socket.to_string().into());
            }
        }
        labs.push(running);
    }
    println!("{}", serde_json::Value::Object(ports));

    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || tell.send(()).is_err() {
                break;
            }
        }
    });
    while told.recv().await.is_some() {
        let counts: serde_json::Map<_, _> = services
            .iter()
            .map(|(name, service)| ((*name).to_owned(), service.shells().len().into()))
            .collect();
        println!("{}", serde_json::Value::Object(counts));
    }
    for lab in labs {
        lab.stop().await;
    }
}
