//! What a running lab can be told, and what it does then.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{Answer, End, Endpoint};
use crate::certificate::Thumbprint;
use crate::organisation::StoreName;
use crate::world::{Fault, FaultKind, HttpSysEntry, IIS_APP_ID, ServerName, World};

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Lets seconds pass. Reply: `from`, `now`, and the `events` that were logged meanwhile.
    Advance {
        /// How many; not negative.
        seconds: i64,
    },
    /// Lets time pass until a moment. Reply as for [`Advance`](Self::Advance).
    AdvanceTo {
        /// The moment; not before the lab's clock.
        time: Timestamp,
    },
    /// Sets a fault, as [`Fault::parse`] reads it. Reply: `fault`.
    Fault {
        /// Name and place.
        text: String,
    },
    /// Which faults there are (`known`), which wait for a command (`waiting`), and how many commands came until now
    /// (`commands`) that a fault could have met.
    Faults,
    /// Takes all waiting faults away, and brings unreachable servers, clocks and disks back.
    Heal,
    /// Breaks a server by hand, as a person at it would.
    Break {
        /// The server.
        server: String,
        /// What.
        how: Break,
    },
    /// The event logs: `events`, oldest first, each with its `server`.
    Events {
        /// Of this server only.
        server: Option<String>,
        /// With this id only.
        id: Option<u32>,
    },
    /// Runs a cmdlet in the shell of a server itself, as the first user. Reply: `objects`, each with the texts of its
    /// properties, `warnings`, and `error`.
    Shell {
        /// The server.
        server: String,
        /// The line: a cmdlet and its parameters.
        line: String,
    },
    /// A file that a cmdlet wrote: `text`.
    File {
        /// Its path.
        path: String,
    },
    /// Keeps the whole organisation as it is under a name.
    Checkpoint {
        /// The name.
        name: String,
    },
    /// Makes everything as it was at a checkpoint, which stays; every session ends.
    Revert {
        /// The checkpoint's name.
        name: String,
    },
    /// The whole state.
    Dump,
    /// Ends the lab.
    Stop,
}

/// What a person at a server breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Break {
    /// Deletes a certificate from My, by thumbprint or a part of its subject.
    DeleteCertificate {
        /// Which.
        certificate: String,
    },
    /// Loses the key file of a certificate of My; the store still claims a key.
    LoseKey {
        /// Which.
        certificate: String,
    },
    /// Deletes an entry of http.sys, such as `0.0.0.0:444`.
    Unbind {
        /// Which.
        endpoint: String,
    },
    /// Points an entry of http.sys to a certificate of My; makes it where there is none.
    Bind {
        /// Which.
        endpoint: String,
        /// To which.
        certificate: String,
    },
    /// Stops a service.
    StopService {
        /// Which.
        service: String,
    },
    /// Starts a service.
    StartService {
        /// Which.
        service: String,
    },
    /// Restarts Windows.
    Reboot,
}

/// Carries an order out. An error changed nothing and says what was expected and found.
pub(super) fn perform(world: &mut World, order: &Order) -> Result<Value, String> {
    match order {
        Order::Advance { seconds } if *seconds < 0 => Err(format!(
            "expected a time that is not negative, found {seconds} seconds"
        )),
        Order::Advance { seconds } => Ok(passed(world, |world| {
            world.advance(SignedDuration::from_secs(*seconds));
        })),
        Order::AdvanceTo { time } if *time < world.now() => Err(format!(
            "expected a moment after the lab's clock, {}, found {time}",
            world.now()
        )),
        Order::AdvanceTo { time } => Ok(passed(world, |world| world.advance_to(*time))),
        Order::Fault { text } => {
            let fault = Fault::parse(text).map_err(|error| error.to_string())?;
            if let Some(server) = &fault.server
                && !(fault.kind == FaultKind::Unreachable && world.controller(server).is_some())
            {
                existing(world, server.as_str())?;
            }
            if let FaultKind::ServiceDown(service) | FaultKind::DisabledByPerson(service) = &fault.kind {
                let known = world
                    .servers()
                    .filter(|own| fault.server.as_ref().is_none_or(|wanted| *wanted == own.name))
                    .any(|own| own.service(service).is_some());
                if !known {
                    return Err(format!("expected a service of the server, found {service:?}"));
                }
            }
            let shown = fault.to_string();
            world.fault(fault);
            Ok(json!({"fault": shown}))
        }
        Order::Faults => {
            let known: Vec<Value> = FaultKind::NAMES
                .iter()
                .map(|(name, detail)| json!({"name": name, "detail": detail}))
                .collect();
            let waiting: Vec<String> = world.faults.iter().map(|(fault, _)| fault.to_string()).collect();
            Ok(json!({"known": known, "waiting": waiting, "commands": world.commands}))
        }
        Order::Heal => {
            world.heal();
            Ok(json!({}))
        }
        Order::Break { server, how } => {
            let server = existing(world, server)?;
            broken(world, &server, how)
        }
        Order::Events { server, id } => {
            let server = server
                .as_deref()
                .map(|server| existing(world, server))
                .transpose()?;
            let mut events = Vec::new();
            for own in world
                .servers()
                .filter(|own| server.as_ref().is_none_or(|wanted| *wanted == own.name))
            {
                let wanted = own
                    .events
                    .iter()
                    .filter(|event| id.is_none_or(|id| id == event.id));
                events.extend(wanted.map(|event| (event.time, with_server(&own.name, event))));
            }
            events.sort_by_key(|(time, _)| *time);
            let events: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
            Ok(json!({"events": events}))
        }
        Order::Shell { server, line } => {
            let server = existing(world, server)?;
            shell(world, &server, line)
        }
        Order::File { path } => {
            let known: Vec<&str> = world.files.keys().map(String::as_str).collect();
            let Some(bytes) = world.file(path) else {
                return Err(format!(
                    "expected a file that a cmdlet wrote ({}), found {path:?}",
                    if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    }
                ));
            };
            Ok(json!({"text": String::from_utf8_lossy(bytes)}))
        }
        Order::Checkpoint { name } => {
            world.checkpoint(name);
            Ok(json!({"checkpoint": name}))
        }
        Order::Revert { name } if world.revert(name) => Ok(json!({"reverted": name})),
        Order::Revert { name } => {
            let known: Vec<&str> = world.checkpoints().collect();
            Err(format!(
                "expected one of the checkpoints {}, found {name:?}",
                known.join(", ")
            ))
        }
        Order::Dump => Ok(world.state_dump()),
        // The socket's side does it.
        Order::Stop => Ok(json!({})),
    }
}

fn with_server(server: &ServerName, event: &crate::world::Event) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("server".to_owned(), server.as_str().into());
    }
    value
}

/// Does something that takes time, and tells what was logged meanwhile.
fn passed(world: &mut World, act: impl FnOnce(&mut World)) -> Value {
    let from = world.now();
    let before: std::collections::BTreeMap<ServerName, Option<Timestamp>> = world
        .servers()
        .map(|server| (server.name.clone(), server.events.last().map(|event| event.time)))
        .collect();
    act(world);
    let mut events = Vec::new();
    for server in world.servers() {
        let last = before.get(&server.name).copied().flatten();
        let new = server
            .events
            .iter()
            .filter(|event| last.is_none_or(|last| event.time > last));
        events.extend(new.map(|event| (event.time, with_server(&server.name, event))));
    }
    events.sort_by_key(|(time, _)| *time);
    let events: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
    json!({"from": from, "now": world.now(), "events": events})
}

/// Runs a line at a server. Nobody is there to answer a question: it is refused with its words.
fn shell(world: &mut World, server: &ServerName, line: &str) -> Result<Value, String> {
    let user = world
        .users()
        .first()
        .map_or_else(String::new, |user| user.name.clone());
    let call = crate::cmdlets::fault::command_of(line).into();
    let outcome = world.run(server, Endpoint::Local, &user, &call);
    if let End::Prompt(prompt) = &outcome.end {
        let message = prompt.message.replace("\r\n", " ");
        let _ = world.answer(prompt.id, Answer::NoHost);
        return Err(format!(
            "expected a line that asks nothing (-Force, -Confirm:$false), found the question: {message}"
        ));
    }
    let objects: Vec<Value> = outcome
        .output()
        .map(|document| {
            let value = document.values.first();
            let Some(object) = value.and_then(|value| document.object(value)) else {
                return value
                    .and_then(|value| document.text(value))
                    .map_or(Value::Null, |text| Value::from(text.into_owned()));
            };
            let properties: serde_json::Map<String, Value> = [&object.adapted, &object.extended]
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|own| {
                    let text = document.text(&own.value)?.into_owned();
                    Some((own.name.as_str()?.to_owned(), Value::from(text)))
                })
                .collect();
            Value::from(properties)
        })
        .collect();
    Ok(json!({
        "objects": objects,
        "warnings": outcome.warnings().collect::<Vec<_>>(),
        "error": outcome.error().map(|error| error.message.as_str()),
    }))
}

fn existing(world: &World, name: &str) -> Result<ServerName, String> {
    world
        .server(name)
        .map(|server| server.name.clone())
        .ok_or_else(|| {
            let names: Vec<&str> = world.servers().map(|server| server.name.as_str()).collect();
            format!("expected one of the servers {}, found {name:?}", names.join(", "))
        })
}

/// The one certificate of My that is meant.
fn certificate(world: &World, server: &ServerName, text: &str) -> Result<Thumbprint, String> {
    let own = world
        .server(server.as_str())
        .map(|server| server.store(StoreName::My));
    let store = own.unwrap_or_default();
    let thumbprint = Thumbprint::parse(text);
    let found: Vec<_> = store
        .iter()
        .filter(|stored| match thumbprint {
            Some(thumbprint) => stored.certificate.thumbprint() == thumbprint,
            None => stored
                .certificate
                .subject()
                .to_string()
                .to_lowercase()
                .contains(&text.to_lowercase()),
        })
        .collect();
    match found.as_slice() {
        [one] => Ok(one.certificate.thumbprint()),
        _ => {
            let listed: Vec<String> = store
                .iter()
                .map(|stored| {
                    format!(
                        "{} {}",
                        stored.certificate.thumbprint(),
                        stored.certificate.subject()
                    )
                })
                .collect();
            Err(format!(
                "expected the thumbprint or subject of one certificate on {server}, found {text:?}, which is {}; there are: {}",
                if found.is_empty() { "none" } else { "several" },
                listed.join("; ")
            ))
        }
    }
}

fn broken(world: &mut World, at: &ServerName, how: &Break) -> Result<Value, String> {
    let gone = || format!("expected the server {at}, found none");
    match how {
        Break::DeleteCertificate { certificate: text } => {
            let thumbprint = certificate(world, at, text)?;
            let server = world.server_mut(at).ok_or_else(gone)?;
            if let Some(store) = server.stores.get_mut(&StoreName::My) {
                store.retain(|stored| stored.certificate.thumbprint() != thumbprint);
            }
            Ok(json!({"deleted": thumbprint.to_string()}))
        }
        Break::LoseKey { certificate: text } => {
            let thumbprint = certificate(world, at, text)?;
            let server = world.server_mut(at).ok_or_else(gone)?;
            let key = server
                .find_mut(StoreName::My, thumbprint)
                .and_then(|stored| stored.key.as_mut())
                .ok_or_else(|| {
                    format!("expected a certificate with a key, found {thumbprint} without one")
                })?;
            key.container_lost = true;
            Ok(json!({"lost": thumbprint.to_string()}))
        }
        Break::Unbind { endpoint } => {
            let server = world.server_mut(at).ok_or_else(gone)?;
            if server.http_sys.remove(endpoint).is_none() {
                let there: Vec<&str> = server.http_sys.keys().map(String::as_str).collect();
                return Err(format!(
                    "expected one of the entries {}, found {endpoint:?}",
                    there.join(", ")
                ));
            }
            Ok(json!({"unbound": endpoint}))
        }
        Break::Bind {
            endpoint,
            certificate: text,
        } => {
            let port = endpoint.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                return Err(format!("expected ADDRESS:PORT or NAME:PORT, found {endpoint:?}"));
            }
            let thumbprint = certificate(world, at, text)?;
            let server = world.server_mut(at).ok_or_else(gone)?;
            let entry = server
                .http_sys
                .entry(endpoint.clone())
                .or_insert_with(|| HttpSysEntry {
                    hash: None,
                    store: StoreName::My,
                    app_id: IIS_APP_ID.to_owned(),
                    negotiate_client_certificate: false,
                });
            entry.hash = Some(thumbprint);
            entry.store = StoreName::My;
            Ok(json!({"bound": endpoint, "certificate": thumbprint.to_string()}))
        }
        Break::StopService { service } => {
            world
                .stop_service(at, service)
                .map_err(|_| format!("expected a service of {at}, found {service:?}"))?;
            Ok(json!({"stopped": service}))
        }
        Break::StartService { service } => {
            world.start_service(at, service).map_err(|error| {
                format!("expected a service of {at} that can be started, found {service:?}: {error:?}")
            })?;
            Ok(json!({"started": service}))
        }
        Break::Reboot => {
            world.reboot(at);
            Ok(json!({"rebooted": at.as_str()}))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::Organisation;

    fn world() -> World {
        let organisation = Organisation::of_servers("contoso.lab", ["EX1"]);
        World::new(&organisation, "2026-11-24T09:00:00Z".parse().expect("a time"), 1).expect("a world")
    }

    fn said(world: &mut World, order: &Order) -> String {
        perform(world, order).expect_err("a refusal")
    }

    #[test]
    fn time_passes_and_tells_what_was_logged() {
        let mut world = world();
        let order = Order::Advance {
            seconds: 2_000 * 86_400,
        };

        let reply = perform(&mut world, &order).expect("a reply");

        assert_eq!(reply["from"], "2026-11-24T09:00:00Z");
        let ids: Vec<u64> = reply["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter_map(|event| event["id"].as_u64())
            .collect();
        assert!(ids.contains(&12016) || ids.contains(&12015), "{ids:?}");
    }

    #[test]
    fn what_cannot_be_done_says_what_could_be() {
        let mut world = world();
        let before = world.state_dump();

        let unknown = |server: &str, how| Order::Break {
            server: server.to_owned(),
            how,
        };
        assert!(said(&mut world, &unknown("EX9", Break::Reboot)).contains("EX1"));
        let how = Break::Unbind {
            endpoint: "0.0.0.0:999".to_owned(),
        };
        assert!(said(&mut world, &unknown("EX1", how)).contains("0.0.0.0:444"));
        let how = Break::DeleteCertificate {
            certificate: "CN=".to_owned(),
        };
        assert!(said(&mut world, &unknown("EX1", how)).contains("several"));
        let order = Order::Fault {
            text: "service-down=Nothing".to_owned(),
        };
        assert!(said(&mut world, &order).contains("Nothing"));
        assert!(said(&mut world, &Order::Advance { seconds: -1 }).contains("not negative"));

        assert_eq!(world.state_dump(), before);
    }

    #[test]
    fn a_checkpoint_brings_everything_back_and_stays() {
        let mut world = world();
        let before = world.state_dump();
        let name = || "before".to_owned();
        perform(&mut world, &Order::Checkpoint { name: name() }).expect("kept");
        let how = Break::Unbind {
            endpoint: "0.0.0.0:444".to_owned(),
        };
        let server = "EX1".to_owned();
        let order = Order::Break { server, how };
        for life in 1..3 {
            perform(&mut world, &order).expect("done");
            assert_ne!(world.state_dump(), before);
            perform(&mut world, &Order::Revert { name: name() }).expect("as it was");
            assert_eq!(world.state_dump(), before);
            assert_eq!(world.life(), life);
        }

        let unknown = Order::Revert {
            name: "after".to_owned(),
        };
        assert!(said(&mut world, &unknown).contains("before"));
    }

    #[test]
    fn a_deleted_certificate_is_gone_and_an_unbound_port_presents_nothing() {
        let mut world = world();
        let server = "EX1".to_owned();
        let how = Break::Unbind {
            endpoint: "0.0.0.0:444".to_owned(),
        };

        perform(&mut world, &Order::Break { server, how }).expect("done");

        let own = world.server("EX1").expect("a server");
        assert!(!own.http_sys.contains_key("0.0.0.0:444"));
    }
}
