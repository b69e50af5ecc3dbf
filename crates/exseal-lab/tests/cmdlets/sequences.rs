//! The invariants after every command of any sequence of commands.

use exseal_lab::call::{Answer, Command, End, Endpoint, Outcome};
use exseal_lab::world::{ServerName, World};
use exseal_psrp::data::Data;
use exseal_psrp::secret::Secret;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const SERVERS: [&str; 3] = ["EX1", "EX2", "EX3"];
const SERVICES: [&str; 6] = [
    "None",
    "SMTP",
    "IIS",
    "POP, IMAP",
    "IIS, SMTP",
    "IMAP, POP, IIS, SMTP",
];

/// What somebody does. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Act {
    New {
        server: usize,
        services: usize,
        force: bool,
    },
    Enable {
        server: usize,
        certificate: usize,
        services: usize,
        force: bool,
    },
    Remove {
        server: usize,
        certificate: usize,
    },
    Copy {
        from: usize,
        certificate: usize,
        to: usize,
    },
    Stage {
        certificate: usize,
        hours: i64,
    },
    Publish {
        clear: bool,
    },
    Pop {
        server: usize,
        name: usize,
    },
    Wait {
        hours: i64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let (server, certificate, services) = (0..3_usize, 0..8_usize, 0..SERVICES.len());
    prop_oneof![
        (server.clone(), services.clone(), any::<bool>()).prop_map(|(server, services, force)| Act::New {
            server,
            services,
            force
        }),
        (server.clone(), certificate.clone(), services, any::<bool>()).prop_map(
            |(server, certificate, services, force)| Act::Enable {
                server,
                certificate,
                services,
                force
            }
        ),
        (server.clone(), certificate.clone())
            .prop_map(|(server, certificate)| Act::Remove { server, certificate }),
        (server.clone(), certificate.clone(), server.clone()).prop_map(|(from, certificate, to)| Act::Copy {
            from,
            certificate,
            to
        }),
        (certificate, 1..100_i64).prop_map(|(certificate, hours)| Act::Stage { certificate, hours }),
        any::<bool>().prop_map(|clear| Act::Publish { clear }),
        (server, 0..3_usize).prop_map(|(server, name)| Act::Pop { server, name }),
        (1..60_i64).prop_map(|hours| Act::Wait { hours }),
    ]
}

/// Answers every question: yes and no in turn.
fn finish(world: &mut World, mut outcome: Outcome, mut yes: bool) -> Outcome {
    while let End::Prompt(prompt) = &outcome.end {
        outcome = world.answer(prompt.id, Answer::Choice(if yes { 0 } else { 2 }));
        yes = !yes;
    }
    outcome
}

fn thumbprint_at(world: &mut World, server: &str, place: usize) -> String {
    let rows = certificates(world, server, &["Thumbprint"]);
    rows[place % rows.len()][0].clone()
}

fn perform(world: &mut World, act: &Act) {
    let outcome = match act {
        Act::New {
            server,
            services,
            force,
        } => run(
            world,
            Command::new("New-ExchangeCertificate")
                .with("Server", SERVERS[*server])
                .with("Services", SERVICES[*services])
                .with("PrivateKeyExportable", true)
                .with("Force", *force),
        ),
        Act::Enable {
            server,
            certificate,
            services,
            force,
        } => {
            let thumbprint = thumbprint_at(world, SERVERS[*server], *certificate);
            run(
                world,
                Command::new("Enable-ExchangeCertificate")
                    .argument(thumbprint)
                    .with("Server", SERVERS[*server])
                    .with("Services", SERVICES[*services])
                    .with("Force", *force),
            )
        }
        Act::Remove { server, certificate } => {
            let thumbprint = thumbprint_at(world, SERVERS[*server], *certificate);
            run(
                world,
                Command::new("Remove-ExchangeCertificate")
                    .argument(thumbprint)
                    .with("Server", SERVERS[*server])
                    .with("Confirm", false),
            )
        }
        Act::Copy {
            from,
            certificate,
            to,
        } => {
            let thumbprint = thumbprint_at(world, SERVERS[*from], *certificate);
            let exported = run(
                world,
                Command::new("Export-ExchangeCertificate")
                    .argument(thumbprint)
                    .with("Server", SERVERS[*from])
                    .with("BinaryEncoded", true)
                    .with("Password", Secret::from("p")),
            );
            let file = exported
                .output()
                .next()
                .map(|file| property_bytes(file, "FileData"));
            match file {
                None => exported,
                Some(file) => run(
                    world,
                    Command::new("Import-ExchangeCertificate")
                        .with("Server", SERVERS[*to])
                        .with("FileData", file)
                        .with("PrivateKeyExportable", true)
                        .with("Password", Secret::from("p")),
                ),
            }
        }
        Act::Stage { certificate, hours } => {
            let thumbprint = thumbprint_at(world, "EX1", *certificate);
            let date = world
                .now()
                .checked_add(SignedDuration::from_hours(*hours))
                .expect("a date");
            run(
                world,
                Command::new("Set-AuthConfig")
                    .with("NewCertificateThumbprint", thumbprint)
                    .with("NewCertificateEffectiveDate", date.to_string()),
            )
        }
        Act::Publish { clear } => run(
            world,
            Command::new("Set-AuthConfig")
                .with("PublishCertificate", true)
                .with("ClearPreviousCertificate", *clear),
        ),
        Act::Pop { server, name } => run(
            world,
            Command::new("Set-PopSettings")
                .with("Server", SERVERS[*server])
                .with(
                    "X509CertificateName",
                    ["mail.contoso.lab", "EX1.contoso.lab", "EX1"][*name],
                ),
        ),
        Act::Wait { hours } => {
            world.advance(SignedDuration::from_hours(*hours));
            return;
        }
    };
    finish(world, outcome, true);
}

fn part(dump: &Value, path: &[&str]) -> Value {
    path.iter().fold(dump.clone(), |value, name| value[*name].clone())
}

fn each<'a>(dump: &'a Value, name: &'a str) -> Vec<Value> {
    SERVERS
        .iter()
        .map(|server| part(dump, &["servers", server, name]))
        .collect()
}

/// What an act must leave alone.
fn left_alone(act: &Act, before: &Value, after: &Value) {
    let binds = matches!(act, Act::New { services, .. } | Act::Enable { services, .. } if SERVICES[*services].contains("IIS"));
    if !binds {
        assert_eq!(each(before, "httpSys"), each(after, "httpSys"), "{act:?}");
    }
    for server in SERVERS {
        let back_end = ["servers", server, "httpSys", "0.0.0.0:444"];
        assert_eq!(part(before, &back_end), part(after, &back_end), "{act:?}");
    }
    match act {
        Act::Remove { .. } | Act::Copy { .. } => assert_eq!(before["sites"], after["sites"], "{act:?}"),
        // What is computed of a certificate may change with it; the stores' contents do not.
        Act::Stage { .. } | Act::Publish { .. } => {
            assert_eq!(each(before, "stores"), each(after, "stores"), "{act:?}");
        }
        _ => {}
    }
}

/// What holds at all times.
fn holds(world: &mut World) {
    for server in SERVERS {
        let name = ServerName::new(server);
        let site = world.server(server).expect("a server").site;
        assert!(world.directory().internal_transport(site, &name).is_some());
        let rows = certificates(world, server, &["Thumbprint", "Services", "NotBefore"]);
        let mut sorted = rows.clone();
        sorted.sort_by(|one, other| other[2].cmp(&one[2]));
        let dates = |rows: &[Vec<String>]| rows.iter().map(|row| row[2].clone()).collect::<Vec<_>>();
        assert_eq!(dates(&rows), dates(&sorted));
        for row in &rows {
            let bound = world
                .server(server)
                .expect("a server")
                .http_sys
                .values()
                .any(|entry| entry.hash.is_some_and(|hash| hash.to_string() == row[0]));
            assert_eq!(row[1].contains("IIS"), bound, "{row:?} on {server}");
        }
        let everything = Command::new("Get-ExchangeCertificate")
            .with("Server", server)
            .with("Thumbprint", Data::Null);
        assert_eq!(done(world, everything).output().count(), rows.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_commands_breaks_an_invariant(acts in proptest::collection::vec(act(), 1..14)) {
        let mut world = world(
            "[[site]]\nname = \"A\"\n[[site]]\nname = \"B\"\nreplication_minutes = 30\n\
             [[server]]\nname = \"EX1\"\nsite = \"A\"\n[[server]]\nname = \"EX2\"\nsite = \"A\"\n\
             [[server]]\nname = \"EX3\"\nsite = \"B\"\n",
        );
        holds(&mut world);
        for act in &acts {
            let before = world.state_dump();
            perform(&mut world, act);
            left_alone(act, &before, &world.state_dump());
            holds(&mut world);
        }
    }
}

#[test]
fn a_command_that_asks_leaves_the_world_as_it_was_when_nobody_answers() {
    for command in [
        Command::new("Enable-ExchangeCertificate").with("Services", "IMAP, POP, IIS, SMTP"),
        Command::new("Remove-ExchangeCertificate"),
    ] {
        let mut world = two_servers();
        let made = new_certificate(&mut world, "CN=mail.contoso.lab");
        let before = world.state_dump();

        let asked = run(&mut world, command.argument(made));
        let ended = world.answer(prompt(&asked).id, Answer::NoHost);

        assert!(matches!(ended.end, End::Failed(_)));
        assert_eq!(world.state_dump(), before);
        // The question is gone.
        let again = world.answer(prompt(&asked).id, Answer::Choice(0));
        assert_eq!(
            again.error().expect("an error").fully_qualified_error_id,
            "NoSuchPrompt"
        );
    }
}

#[test]
fn at_the_machine_a_question_can_be_suspended_and_comes_again() {
    let mut world = two_servers();
    let made = new_certificate(&mut world, "CN=mail.contoso.lab");
    let remove = Command::new("Remove-ExchangeCertificate").argument(made.as_str());
    let asked = world.run(&ex1(), Endpoint::Local, "admin", &remove.into());
    let question = prompt(&asked).clone();
    assert_eq!(
        question.choices.last().map(|(label, _)| label.as_str()),
        Some("&Suspend")
    );

    let again = world.answer(question.id, Answer::Choice(4));

    assert_eq!(prompt(&again).message, question.message);
    let ended = world.answer(prompt(&again).id, Answer::Choice(0));
    assert_eq!(ended.end, End::Completed);
    assert!(
        certificates(&mut world, "EX1", &["Thumbprint"])
            .iter()
            .all(|row| row[0] != made)
    );
}
