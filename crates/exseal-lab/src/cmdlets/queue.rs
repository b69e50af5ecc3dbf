//! Get-, Retry-, Suspend- and Resume-Queue (facts/exchange.md 2.13): queues with messages in them, and the two every
//! transport server has.

use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop, find_server};
use super::select::matches;
use super::shapes::{DATA, QUEUE};
use super::table::{Access, Cmdlet, text};
use super::values;
use crate::organisation::{QueueRecipe, Role, Version};
use crate::world::{Server, ServerName};
use exseal_psrp::message::ErrorCategory;

macro_rules! class {
    ($name:literal) => {
        concat!("Microsoft.Exchange.Management.QueueViewerTasks.", $name)
    };
}

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-Queue",
        class: class!("GetQueueInfo"),
        parameters: &[
            text("Identity").at(0).piped().only(&["Identity"]),
            text("Server").only(&["Filter"]),
            text("Filter").only(&["Filter"]),
            text("ResultSize"),
        ],
        default_set: "Filter",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Retry-Queue",
        class: class!("RetryQueue"),
        parameters: &[text("Identity").at(0).needed().piped()],
        default_set: "",
        access: Access::Servers,
        process: change,
    },
    Cmdlet {
        name: "Suspend-Queue",
        class: class!("SuspendQueue"),
        parameters: &[text("Identity").at(0).needed().piped()],
        default_set: "",
        access: Access::Servers,
        process: change,
    },
    Cmdlet {
        name: "Resume-Queue",
        class: class!("ResumeQueue"),
        parameters: &[text("Identity").at(0).needed().piped()],
        default_set: "",
        access: Access::Servers,
        process: change,
    },
];

/// Transport of a server that does not answer: its queues are not known.
fn unreachable(server: &Server) -> Problem {
    let fqdn = &server.fqdn;
    Problem::of(
        "LocalizedException",
        ErrorCategory::ResourceUnavailable,
        format!(
            "The Queue Viewer operation on computer \"{fqdn}\" has failed with an exception. The error message is: The \
             RPC server is unavailable."
        ),
        format!(
            "Der Warteschlangenanzeige-Vorgang auf Computer \"{fqdn}\" ist mit einer Ausnahme fehlgeschlagen. \
             Fehlermeldung: Der RPC-Server ist nicht verfügbar."
        ),
    )
}

/// The server and the queue an identity means: `server\queue`, or the session's own. `Ok(None)`: the server is not
/// there or its transport does not answer, and the error was written.
fn place(run: &mut Run<'_>, identity: Option<&str>) -> Result<Option<(ServerName, Option<String>)>, Stop> {
    let (name, queue) = match identity {
        None => match run.target()? {
            Some(name) => (name, None),
            None => return Ok(None),
        },
        Some(identity) => match identity.split_once('\\') {
            None => (run.at.clone(), Some(identity.to_owned())),
            Some((server, queue)) => match find_server(run.world, server) {
                Some(name) => (name, Some(queue.to_owned())),
                None => {
                    let problem = Problem::not_found(server, &run.controller());
                    run.fail(&problem)?;
                    return Ok(None);
                }
            },
        },
    };
    let Some(server) = run.world.servers.get(&name) else {
        return Ok(None);
    };
    if !server.reachable || !server.runs("MSExchangeTransport") {
        let problem = unreachable(server);
        run.fail(&problem)?;
        return Ok(None);
    }
    Ok(Some((name, queue)))
}

/// The queue of submission is always there.
fn submission() -> QueueRecipe {
    QueueRecipe {
        id: "Submission".to_owned(),
        delivery_type: "Undefined".to_owned(),
        next_hop: "Submission".to_owned(),
        status: "Ready".to_owned(),
        messages: 0,
        last_error: None,
        tls_domain: None,
        connector: None,
    }
}

fn queues(server: &Server) -> Vec<QueueRecipe> {
    let mut queues = server.queues.clone();
    let transport = server.role == Role::Edge || server.version >= Version::V2013;
    if transport && !queues.iter().any(|own| own.id.eq_ignore_ascii_case("Submission")) {
        queues.push(submission());
    }
    queues
}

/// One condition, `Property -operator value`; several are joined by `-and`. `None`: not understood.
fn fulfils(object: &PsObject, filter: &str) -> Option<bool> {
    let lower = filter.to_lowercase();
    if let Some(at) = lower.find(" -and ") {
        let (left, right) = filter.split_at_checked(at)?;
        return Some(fulfils(object, left)? && fulfils(object, right.get(6..)?)?);
    }
    let filter = filter.trim().trim_start_matches('{').trim_end_matches('}').trim();
    let mut parts = filter.splitn(3, char::is_whitespace);
    let (name, operator, value) = (parts.next()?, parts.next()?, parts.next()?.trim());
    let value = value.trim_matches(['"', '\'']);
    let own = object.property(name)?.shown();
    let order = || Some(own.parse::<i64>().ok()?.cmp(&value.parse::<i64>().ok()?));
    match operator.to_lowercase().as_str() {
        "-eq" => Some(own.eq_ignore_ascii_case(value)),
        "-ne" => Some(!own.eq_ignore_ascii_case(value)),
        "-like" => Some(matches(value, &own)),
        "-gt" => Some(order()?.is_gt()),
        "-ge" => Some(order()?.is_ge()),
        "-lt" => Some(order()?.is_lt()),
        "-le" => Some(order()?.is_le()),
        _ => None,
    }
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let identity = run.text("Identity").map(str::to_owned);
    let Some((name, wanted)) = place(run, identity.as_deref())? else {
        return Ok(());
    };
    let Some(server) = run.world.servers.get(&name) else {
        return Ok(());
    };
    let filter = run.text("Filter").map(str::to_owned);
    // A number, or Unlimited.
    let limit = match run.text("ResultSize") {
        None => 1_000,
        Some(word) if word.eq_ignore_ascii_case("Unlimited") => usize::MAX,
        Some(digits) => match digits.parse() {
            Ok(limit) => limit,
            Err(_) => {
                return Err(run.unfit(
                    "ResultSize",
                    digits,
                    "Microsoft.Exchange.Data.Unlimited`1[System.UInt32]",
                ));
            }
        },
    };
    let mut objects = Vec::new();
    for queue in queues(server) {
        let object = shown(run, server, &queue);
        if wanted.as_ref().is_some_and(|wanted| !matches(wanted, &queue.id)) {
            continue;
        }
        if let Some(filter) = &filter {
            match fulfils(&object, filter) {
                Some(true) => {}
                Some(false) => continue,
                None => return Err(run.unfit("Filter", filter, "Microsoft.Exchange.Data.QueryFilter")),
            }
        }
        objects.push(object);
    }
    if objects.is_empty()
        && let Some(identity) = identity.filter(|identity| !identity.contains('*'))
    {
        return run.fail(&missing(&identity));
    }
    objects.truncate(limit);
    for object in objects {
        run.write(object);
    }
    Ok(())
}

fn missing(identity: &str) -> Problem {
    let mut problem = Problem::of(
        "ObjectNotFoundException",
        ErrorCategory::ObjectNotFound,
        format!("There is no queue with identity \"{identity}\"."),
        format!("Es ist keine Warteschlange mit der Identität \"{identity}\" vorhanden."),
    );
    problem.target = Some(identity.to_owned());
    problem
}

fn shown(run: &Run<'_>, server: &Server, queue: &QueueRecipe) -> PsObject {
    let identity = format!("{}\\{}", server.name.as_str().to_uppercase(), queue.id);
    let status = match queue.status.as_str() {
        "Active" => 1,
        "Ready" => 2,
        "Retry" => 3,
        "Suspended" => 4,
        "Connecting" => 5,
        _ => 0,
    };
    let connector = queue.connector.as_deref().map_or_else(uuid::Uuid::nil, |name| {
        super::send_connector::guid(run, name).unwrap_or_else(uuid::Uuid::nil)
    });
    let now = run.world.clock_of(&server.name);
    let retries = queue.status == "Retry";
    let time = |minutes: i64| {
        let at = now
            .checked_add(jiff::SignedDuration::from_mins(minutes))
            .unwrap_or(now);
        if retries {
            PsValue::Time(at, server.utc_offset_minutes)
        } else {
            PsValue::Null
        }
    };
    QUEUE.object(
        run,
        identity.clone(),
        None,
        vec![
            ("Identity", PsValue::text(identity)),
            ("DeliveryType", PsValue::text(&queue.delivery_type)),
            ("NextHopDomain", PsValue::text(&queue.next_hop)),
            ("TlsDomain", PsValue::maybe(queue.tls_domain.clone())),
            ("NextHopConnector", PsValue::Guid(connector)),
            (
                "Status",
                values::enumeration(DATA, "QueueViewer.QueueStatus", queue.status.clone(), status),
            ),
            ("MessageCount", PsValue::Int(queue.messages)),
            (
                "LastError",
                PsValue::text(queue.last_error.clone().unwrap_or_default()),
            ),
            ("LastRetryTime", time(-1)),
            ("NextRetryTime", time(9)),
        ],
    )
}

fn change(run: &mut Run<'_>) -> Result<(), Stop> {
    let identity = run.text("Identity").unwrap_or_default().to_owned();
    let Some((name, Some(wanted))) = place(run, Some(&identity))? else {
        return Ok(());
    };
    let known = run
        .world
        .servers
        .get(&name)
        .is_some_and(|server| server.queues.iter().any(|queue| matches(&wanted, &queue.id)));
    if !known {
        return run.fail(&missing(&identity));
    }
    if !run.setting(&identity)? {
        return Ok(());
    }
    let verb = run.cmdlet.name;
    if let Some(server) = run.world.servers.get_mut(&name) {
        for queue in server
            .queues
            .iter_mut()
            .filter(|queue| matches(&wanted, &queue.id))
        {
            let status = match (verb, queue.status.as_str()) {
                ("Suspend-Queue", _) => "Suspended",
                ("Resume-Queue", "Suspended") if queue.last_error.is_some() => "Retry",
                ("Resume-Queue", "Suspended") => "Ready",
                // What made it wait is still there: the attempt ends as the one before.
                (_, own) => own,
            };
            queue.status = status.to_owned();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_compares_numbers_and_texts() {
        let object = PsObject::new(&["System.Object"], "")
            .with("Status", PsValue::text("Retry"))
            .with("MessageCount", PsValue::Int(5));

        assert_eq!(
            fulfils(&object, "{Status -eq \"retry\" -and MessageCount -gt 4}"),
            Some(true)
        );
        assert_eq!(fulfils(&object, "MessageCount -lt 5"), Some(false));
        assert_eq!(fulfils(&object, "Status -near 'Retry'"), None);
    }
}
