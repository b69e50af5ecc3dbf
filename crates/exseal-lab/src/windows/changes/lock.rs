//! The lock of a server: a file there, here a value.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Done, Given, Refused, server};
use crate::windows::readings;
use crate::world::{ServerName, World};

/// The lock as verbs show it: with whether its time is over by the server's clock.
fn shown(lock: Option<&Value>, now: Timestamp) -> Value {
    let Some(lock) = lock else {
        return Value::Null;
    };
    let end: Option<Timestamp> = lock["expires"].as_str().and_then(|end| end.parse().ok());
    let field = |name: &str| end.map_or(Value::Null, |_| lock[name].clone());
    json!({
        "owner": field("owner"), "plan": field("plan"), "run": field("run"), "taken": field("taken"),
        "expires": field("expires"), "expired": end.is_none_or(|end| now >= end),
    })
}

fn is_own(lock: &Value, given: &Given) -> bool {
    lock["plan"] == given.text("Plan") && lock["run"] == given.text("Run")
}

fn of_another(lock: &Value) -> Refused {
    let part = |name: &str| lock[name].as_str().unwrap_or_default().to_owned();
    let code = if lock["expired"] == true {
        "LockExpired"
    } else {
        "Locked"
    };
    Refused {
        holder: lock.clone(),
        ..Refused::new(
            code,
            "nobody else who changes this server",
            format!(
                "plan {} of {} until {}",
                part("plan"),
                part("owner"),
                part("expires")
            ),
        )
    }
}

/// Writes the lock and shows it.
fn write(
    world: &mut World,
    at: &ServerName,
    given: &Given,
    owner: &Value,
    taken: Option<&Value>,
) -> Result<Value, Refused> {
    let now = world.clock_of(at);
    let until = now
        .checked_add(SignedDuration::from_secs(given.number("Seconds")))
        .unwrap_or(now);
    let own = server(world, at)?;
    // A file of some bytes: it needs room only where there is none yet.
    if own.lock.is_none() && own.free_bytes == 0 {
        return Err(Refused::disk_full());
    }
    let taken = taken.cloned().unwrap_or_else(|| readings::time(now).into());
    own.lock = Some(json!({
        "owner": owner, "plan": given.text("Plan"), "run": given.text("Run"), "taken": taken,
        "expires": readings::time(until),
    }));
    Ok(shown(own.lock.as_ref(), now))
}

fn current(world: &mut World, at: &ServerName) -> Result<Value, Refused> {
    let now = world.clock_of(at);
    Ok(shown(server(world, at)?.lock.as_ref(), now))
}

pub(super) fn get(world: &mut World, at: &ServerName, _: &Given) -> Result<Done, Refused> {
    Ok(Done::unchanged(current(world, at)?))
}

pub(super) fn take(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let before = current(world, at)?;
    let is_own = is_own(&before, given);
    let may_take = before["expired"] == true && given.is("TakeExpired");
    if !before.is_null() && !is_own && !may_take {
        return Err(of_another(&before));
    }
    let taken = is_own.then_some(&before["taken"]);
    let after = write(world, at, given, &given.text("Owner").into(), taken)?;
    Ok(Done::changed(before, after))
}

pub(super) fn renew(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let before = current(world, at)?;
    if before.is_null() {
        return Err(Refused::new(
            "NotHeld",
            format!("the lock of run {}", given.text("Run")),
            "none",
        ));
    }
    if !is_own(&before, given) {
        return Err(of_another(&before));
    }
    let after = write(world, at, given, &before["owner"], Some(&before["taken"]))?;
    Ok(Done::changed(before, after))
}

pub(super) fn release(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let before = current(world, at)?;
    if before.is_null() {
        return Ok(Done::unchanged(before));
    }
    if !is_own(&before, given) {
        return Err(of_another(&before));
    }
    server(world, at)?.lock = None;
    Ok(Done::changed(before, Value::Null))
}
