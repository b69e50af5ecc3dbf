//! The readings of the helper's contract, answered from the world.

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Argument, Failure, Kind, Parameter};
use crate::organisation::{Provider, Role, StartMode, StoreName, Version};
use crate::world::{HttpSysEntry, Reader, Server, Service, Stored, StoredKey, World};

/// How a function reads: the world, the server it runs on, its arguments in the order of its parameters.
type Read = fn(&World, &Server, &[Argument]) -> Result<Vec<Value>, Failure>;

/// A function of the contract.
pub(crate) struct Reading {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) read: Read,
}

const fn number(name: &'static str, default: i64) -> Parameter {
    Parameter {
        name,
        kind: Kind::Number(default),
    }
}

const READINGS: &[Reading] = &[
    Reading {
        name: "Get-ExsealClock",
        parameters: &[],
        read: clock,
    },
    Reading {
        name: "Get-ExsealStore",
        parameters: &[Parameter {
            name: "Name",
            kind: Kind::OneOf(&["My", "REQUEST", "Root", "CA", "WebHosting"]),
        }],
        read: store,
    },
    Reading {
        name: "Get-ExsealHttpSys",
        parameters: &[],
        read: http_sys,
    },
    Reading {
        name: "Get-ExsealWebSite",
        parameters: &[],
        read: web_site,
    },
    Reading {
        name: "Get-ExsealAppPool",
        parameters: &[],
        read: app_pool,
    },
    Reading {
        name: "Get-ExsealService",
        parameters: &[],
        read: service,
    },
    Reading {
        name: "Get-ExsealEvent",
        parameters: &[number("Days", 30)],
        read: event,
    },
    Reading {
        name: "Get-ExsealBuild",
        parameters: &[],
        read: build,
    },
    Reading {
        name: "Get-ExsealRegistry",
        parameters: &[],
        read: registry,
    },
    Reading {
        name: "Get-ExsealTask",
        parameters: &[],
        read: task,
    },
    Reading {
        name: "Get-ExsealLogLine",
        parameters: &[number("Tail", 2000), number("Limit", 200)],
        read: log_line,
    },
    Reading {
        name: "Get-ExsealDisk",
        parameters: &[],
        read: disk,
    },
];

/// The reading of a name, without regard to case.
pub(crate) fn find(name: &str) -> Option<&'static Reading> {
    READINGS
        .iter()
        .find(|reading| reading.name.eq_ignore_ascii_case(name))
}

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn clock(world: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    let zone = match server.utc_offset_minutes {
        0 => "UTC".to_owned(),
        60 | 120 => "W. Europe Standard Time".to_owned(),
        minutes => format!(
            "UTC{}{:02}",
            if minutes < 0 { '-' } else { '+' },
            minutes.unsigned_abs() / 60
        ),
    };
    Ok(vec![json!({
        "utc": time(world.clock_of(&server.name)),
        "timeZone": zone,
        "utcOffsetMinutes": server.utc_offset_minutes,
    })])
}

fn key(stored: &Stored) -> Value {
    let Some(key) = &stored.key else {
        return Value::Null;
    };
    if key.container_lost {
        // NTE_BAD_KEYSET: the store claims a key whose container is gone.
        return json!({
            "provider": null, "providerType": null, "keySpec": null, "exportable": null, "readers": null,
            "error": "0x80090016",
        });
    }
    let (provider, kind, spec) = provider(key.provider);
    json!({
        "provider": provider, "providerType": kind, "keySpec": spec, "exportable": key.exportable,
        "readers": readers(key), "error": null,
    })
}

/// A provider's name, its type, and the key's specification in it.
pub(super) const fn provider(provider: Provider) -> (&'static str, i32, i32) {
    match provider {
        Provider::Capi => ("Microsoft RSA SChannel Cryptographic Provider", 12, 1),
        Provider::Ksp => ("Microsoft Software Key Storage Provider", 0, 0),
    }
}

/// Who may read a key.
pub(super) fn readers(key: &StoredKey) -> Vec<&str> {
    let mut readers: Vec<&str> = key.readers.iter().map(Reader::sid).collect();
    readers.sort_unstable();
    readers
}

/// A certificate of a store.
pub(super) fn stored(stored: &Stored) -> Value {
    json!({
        "thumbprint": stored.certificate.thumbprint().to_string(),
        "der": base64::engine::general_purpose::STANDARD.encode(stored.certificate.der()),
        "friendlyName": stored.friendly_name,
        "hasPrivateKey": stored.key.is_some(),
        "key": key(stored),
    })
}

fn store(_: &World, server: &Server, arguments: &[Argument]) -> Result<Vec<Value>, Failure> {
    let wanted = match arguments.first() {
        Some(Argument::Word(word)) => StoreName::parse(word).unwrap_or_default(),
        _ => StoreName::My,
    };
    // IIS brings WebHosting; an Edge server has none.
    if wanted == StoreName::WebHosting && server.role == Role::Edge && server.store(wanted).is_empty() {
        return Err(Failure::NotThere);
    }
    Ok(server.store(wanted).iter().map(stored).collect())
}

/// Whether an endpoint of http.sys is a name and not an address.
pub(super) fn is_named(endpoint: &str) -> bool {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err()
}

fn http_sys(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    // The addresses are one key of the registry, the names another one behind it.
    let (named, addresses): (Vec<_>, Vec<_>) = server
        .http_sys
        .iter()
        .partition(|(endpoint, _)| is_named(endpoint));
    Ok(addresses
        .into_iter()
        .chain(named)
        .map(|(endpoint, entry)| http_sys_entry(endpoint, entry))
        .collect())
}

/// An entry of http.sys.
pub(super) fn http_sys_entry(endpoint: &str, entry: &HttpSysEntry) -> Value {
    json!({
        "endpoint": endpoint,
        "sni": is_named(endpoint),
        "thumbprint": entry.hash.map(|hash| hash.to_string()),
        "store": entry.hash.map(|_| entry.store.as_str()),
        "appId": entry.app_id,
        "negotiateClientCertificate": entry.negotiate_client_certificate,
    })
}

fn web_site(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    if server.role == Role::Edge {
        return Err(Failure::NotThere);
    }
    Ok(server
        .web_sites
        .iter()
        .map(|site| {
            let bindings: Vec<Value> = site
                .bindings
                .iter()
                .map(|binding| {
                    let entry = binding
                        .endpoint()
                        .and_then(|endpoint| server.http_sys.get(&endpoint));
                    let hash = entry.and_then(|entry| entry.hash);
                    json!({
                        "protocol": binding.protocol,
                        "bindingInformation": binding.information,
                        "certificateHash": hash.map(|hash| hash.to_string()),
                        "certificateStoreName": entry.filter(|_| hash.is_some()).map(|entry| entry.store.as_str()),
                        "sslFlags": binding.ssl_flags,
                    })
                })
                .collect();
            json!({
                "id": site.id,
                "name": site.name,
                "state": if site.started && server.runs("W3SVC") { "Started" } else { "Stopped" },
                "bindings": bindings,
            })
        })
        .collect())
}

fn app_pool(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    if server.role == Role::Edge {
        return Err(Failure::NotThere);
    }
    Ok(server
        .app_pools
        .iter()
        .map(|(name, started)| json!({ "name": name, "state": if *started { "Started" } else { "Stopped" } }))
        .collect())
}

fn service(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    let wanted = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("msexchange")
            || name.starts_with("adam")
            || matches!(name.as_str(), "w3svc" | "was" | "iisadmin" | "winrm")
    };
    Ok(server
        .services
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, service)| one_service(name, service))
        .collect())
}

/// A service.
pub(super) fn one_service(name: &str, service: &Service) -> Value {
    json!({
        "name": name,
        "state": if service.running { "Running" } else { "Stopped" },
        "startMode": start_mode(service.start),
    })
}

/// How a service starts, in WMI's words.
pub(super) const fn start_mode(start: StartMode) -> &'static str {
    match start {
        StartMode::Automatic => "Auto",
        StartMode::Manual => "Manual",
        StartMode::Disabled => "Disabled",
    }
}

/// What the helper asks the logs for: source, source in the simulation, ids.
const EVENTS: &[(&str, &str, &[u32])] = &[
    (
        "MSExchangeTransport",
        "MSExchangeTransport",
        &[
            1036, 2004, 12012, 12013, 12014, 12015, 12016, 12017, 12018, 12019, 12023, 12024,
        ],
    ),
    (
        "MSExchangeFrontEndTransport",
        "MSExchangeFrontEndTransport",
        &[12012, 12013, 12014, 12015, 12016],
    ),
    ("MSExchange EdgeSync", "MSExchange EdgeSync", &[1035, 10104]),
    (
        "MSExchange OAuth",
        "MSExchange OAuth",
        &[2004, 2005, 2006, 2007, 2008],
    ),
    ("Microsoft-Windows-HttpEvent", "HttpEvent", &[15021, 15300, 15301]),
    ("Schannel", "Schannel", &[36870, 36871, 36888]),
];

fn event(world: &World, server: &Server, arguments: &[Argument]) -> Result<Vec<Value>, Failure> {
    let Some(Argument::Number(days)) = arguments.first() else {
        return Ok(Vec::new());
    };
    let since = days
        .checked_mul(24)
        .and_then(|hours| {
            world
                .clock_of(&server.name)
                .checked_sub(SignedDuration::from_hours(hours.clamp(-90_000_000, 90_000_000)))
                .ok()
        })
        .unwrap_or(Timestamp::MIN);
    let mut found = Vec::new();
    for (provider, own, ids) in EVENTS {
        for id in *ids {
            let events: Vec<_> = server
                .events
                .iter()
                .filter(|event| event.source == *own && event.id == *id && event.time >= since)
                .collect();
            let Some(youngest) = events.iter().max_by_key(|event| event.time) else {
                continue;
            };
            found.push(json!({
                "provider": provider,
                "id": id,
                "count": events.len(),
                "last": time(youngest.time),
                "values": youngest.values,
            }));
        }
    }
    Ok(found)
}

fn build(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    let [major, minor, patch, revision] = server.build;
    let windows = match server.version {
        Version::V2010 => "6.1.7601",
        Version::V2013 => "6.3.9600",
        Version::V2016 => "10.0.14393",
        Version::V2019 => "10.0.17763",
        Version::Se => "10.0.20348",
    };
    Ok(vec![json!({
        "exsetup": format!("{major:02}.{minor:02}.{patch:04}.{revision:03}"),
        "windows": windows,
        "domainController": server.domain_controller,
        "restartPending": server.restart_pending,
    })])
}

fn registry(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    let value = |name: &str| {
        server
            .registry
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    Ok(vec![json!({
        "disableRootAutoUpdate": value("DisableRootAutoUpdate"),
        "enableEccCertificateSupport": value("EnableEccCertificateSupport"),
    })])
}

/// By what the helper knows a task that renews certificates.
const TASKS: [&str; 7] = [
    "monitorexchangeauthcertificate",
    "wacs",
    "win-acme",
    "letsencrypt",
    "certify",
    "posh-acme",
    "acme",
];

fn task(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    Ok(server
        .tasks
        .iter()
        .filter(|task| {
            let action = task.action.to_lowercase();
            TASKS.iter().any(|sign| action.contains(sign))
        })
        .map(|task| {
            json!({
                "path": task.path,
                "action": task.action,
                "enabled": task.enabled,
                "lastRun": task.last_run.map(time),
                "nextRun": task.next_run.map(time),
            })
        })
        .collect())
}

/// Whether a line names a certificate or is an answer of TLS.
fn speaks_of_certificates(line: &str) -> bool {
    let mut digits = 0;
    let thumbprint = line.bytes().any(|byte| {
        digits = if byte.is_ascii_hexdigit() { digits + 1 } else { 0 };
        digits == 40
    });
    thumbprint
        || ["454 4.7.0", "454 4.7.5", "451 5.7.3", "[ERROR]"]
            .iter()
            .any(|sign| line.contains(sign))
}

fn log_line(_: &World, server: &Server, arguments: &[Argument]) -> Result<Vec<Value>, Failure> {
    let [Argument::Number(tail), Argument::Number(limit)] = arguments else {
        return Ok(Vec::new());
    };
    let size = |number: i64| usize::try_from(number).unwrap_or(0);
    let mut found = Vec::new();
    for (file, lines) in &server.log_lines {
        let lines = lines
            .get(lines.len().saturating_sub(size(*tail))..)
            .unwrap_or(&[]);
        let hits: Vec<(usize, &String)> = (1..)
            .zip(lines)
            .filter(|(_, line)| speaks_of_certificates(line))
            .collect();
        let hits = hits.get(hits.len().saturating_sub(size(*limit))..).unwrap_or(&[]);
        found.extend(
            hits.iter()
                .map(|(at, line)| json!({ "file": file, "line": at, "text": line })),
        );
    }
    Ok(found)
}

/// Size of the simulated volume.
const VOLUME: u64 = 127_465_947_136;

fn disk(_: &World, server: &Server, _: &[Argument]) -> Result<Vec<Value>, Failure> {
    Ok(vec![json!({
        "name": "C:\\",
        "freeBytes": server.free_bytes,
        "sizeBytes": VOLUME.max(server.free_bytes),
    })])
}
