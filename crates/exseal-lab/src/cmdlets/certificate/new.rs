//! New-ExchangeCertificate: self-signed certificates, their renewal, and requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::error::Problem;
use super::super::run::{Run, Stop};
use super::{enable, has_room, import, not_found, show, write_file};
use crate::certificate::{KeyError, KeyKind, Name, Recipe, Request, Thumbprint, serial_from};
use crate::organisation::{Provider, StoreName};
use crate::world::{AllowedServices, Reader, ServerName, Stored, StoredKey};

/// What is to be made.
struct Wanted {
    subject: Name,
    names: Vec<String>,
    friendly_name: String,
    services: AllowedServices,
    key: KeyKind,
    subject_key: Option<Vec<u8>>,
}

pub(super) fn new(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(target) = run.target()? else {
        return Ok(());
    };
    if !run.calls(&target)? {
        return Ok(());
    }
    let wanted = match wanted(run, &target) {
        Ok(wanted) => wanted,
        Err(problem) => return run.fail(&problem),
    };
    let subject = wanted.subject.to_string();
    if !run.should_process(
        false,
        &format!("Create a new Exchange certificate with subject '{subject}'?"),
        &format!("Ein neues Exchange-Zertifikat mit dem Antragsteller '{subject}' erstellen?"),
    )? {
        return Ok(());
    }
    if run.is("GenerateRequest") {
        return request(run, &target, &wanted);
    }
    let Some(stored) = made(run, &target, &wanted)? else {
        return Ok(());
    };
    enable::apply(run, &target, &stored, wanted.services)?;
    // As it lies there now: enabling changed what is computed of it.
    let thumbprint = stored.certificate.thumbprint();
    let stored = run
        .world
        .servers
        .get(&target)
        .and_then(|server| server.my(thumbprint))
        .cloned();
    if let Some(object) = stored.and_then(|stored| show::shown(run, &target, &stored)) {
        run.write(object);
    }
    Ok(())
}

/// The certificate in the store: made now, or before the question this work goes on after.
fn made(run: &mut Run<'_>, target: &ServerName, wanted: &Wanted) -> Result<Option<Stored>, Stop> {
    if let Some(thumbprint) = run.done("made").and_then(Thumbprint::parse) {
        return Ok(run
            .world
            .servers
            .get(target)
            .and_then(|server| server.my(thumbprint))
            .cloned());
    }
    if !has_room(run, target)? {
        return Ok(None);
    }
    match issue(run, target, wanted, StoreName::My) {
        Ok((stored, _)) => {
            run.remember("made", stored.certificate.thumbprint().to_string());
            Ok(Some(stored))
        }
        Err(error) => {
            run.fail(&broken(&error))?;
            Ok(None)
        }
    }
}

fn broken(error: &KeyError) -> Problem {
    Problem::refused(
        format!("The certificate could not be made: {error}."),
        format!("Das Zertifikat konnte nicht erstellt werden: {error}."),
    )
}

/// Makes key and self-signed certificate and puts them into a store; with a request when it is the store of requests.
fn issue(
    run: &mut Run<'_>,
    target: &ServerName,
    wanted: &Wanted,
    store: StoreName,
) -> Result<(Stored, Option<Request>), KeyError> {
    let key = run.world.keys.next(wanted.key)?;
    let number = run.world.next_number();
    let not_before = run.world.clock_of(target);
    let not_after = not_before
        .to_zoned(jiff::tz::TimeZone::UTC)
        .checked_add(jiff::Span::new().years(5))
        .map_or(not_before, |until| until.timestamp());
    let recipe = Recipe {
        subject: wanted.subject.clone(),
        names: wanted.names.clone(),
        not_before,
        not_after,
        serial: serial_from(&format!("{}/new/{number}", run.world.seed)),
        is_ca: false,
        subject_key: wanted.subject_key.clone(),
    };
    let request = (store == StoreName::Request)
        .then(|| Request::new(&wanted.subject, &wanted.names, &key))
        .transpose()?;
    let stored = Stored {
        certificate: recipe.issue(&key, None)?,
        key: Some(StoredKey {
            key,
            provider: Provider::Capi,
            exportable: run.is("PrivateKeyExportable"),
            readers: BTreeSet::from([Reader::System, Reader::Administrators]),
            container_lost: false,
        }),
        friendly_name: wanted.friendly_name.clone(),
        smtp: false,
        pop: false,
        imap: false,
        request: request.as_ref().map(|request| Arc::new(request.der.clone())),
    };
    if let Some(server) = run.world.servers.get_mut(target) {
        server.stores.entry(store).or_default().push(stored.clone());
    }
    Ok((stored, request))
}

fn request(run: &mut Run<'_>, target: &ServerName, wanted: &Wanted) -> Result<(), Stop> {
    if !has_room(run, target)? {
        return Ok(());
    }
    match issue(run, target, wanted, StoreName::Request) {
        Ok((_, Some(request))) => {
            let text = request.text();
            write_file(run, "RequestFile", request.der, text);
            Ok(())
        }
        Ok((_, None)) => Ok(()),
        Err(error) => run.fail(&broken(&error)),
    }
}

/// Reads the arguments; a renewal takes subject, names, services and friendly name from the old certificate.
fn wanted(run: &Run<'_>, target: &ServerName) -> Result<Wanted, Problem> {
    let server = run
        .world
        .servers
        .get(target)
        .ok_or_else(|| Problem::not_found(target.as_str(), &run.controller()))?;
    let old = match run.text("Instance") {
        None => None,
        Some(text) => {
            let found = Thumbprint::parse(text).and_then(|thumbprint| server.my(thumbprint));
            Some(found.ok_or_else(|| not_found(text))?)
        }
    };
    let subject = match (run.text("SubjectName"), old) {
        (Some(text), _) => Name::parse(text).map_err(|error| {
            Problem::argument(
                format!("The subject name isn't a valid X.500 name: {error}."),
                format!("Der Antragstellername ist kein gültiger X.500-Name: {error}."),
            )
        })?,
        (None, Some(old)) => old.certificate.subject().clone(),
        (None, None) => Name::common(target.as_str()),
    };
    let friendly_name = run
        .text("FriendlyName")
        .map(str::to_owned)
        .or_else(|| old.map(|old| old.friendly_name.clone()));
    if friendly_name
        .as_ref()
        .is_some_and(|name| name.chars().count() >= 64)
    {
        return Err(import::too_long());
    }
    let key = match run.number("KeySize") {
        None | Some(2048) => KeyKind::Rsa2048,
        Some(4096) => KeyKind::Rsa4096,
        Some(1024) => {
            return Err(Problem::argument(
                "This simulation makes no keys of 1024 bits; use 2048 or 4096.",
                "Diese Simulation erzeugt keine Schlüssel mit 1024 Bit; verwenden Sie 2048 oder 4096.",
            ));
        }
        Some(other) => {
            return Err(Problem::argument(
                format!("The key size {other} isn't valid. Valid values are 1024, 2048 and 4096."),
                format!("Die Schlüsselgröße {other} ist ungültig. Gültige Werte sind 1024, 2048 und 4096."),
            ));
        }
    };
    let names = names(run, target, &subject, old)?;
    let services = match (run.texts("Services"), old) {
        (Some(words), _) => AllowedServices::parse(&words.join(",")).unwrap_or_default(),
        (None, Some(old)) => run.world.judge(server, old).services,
        (None, None) if run.is("IncludeAcceptedDomains") || run.is("IncludeAutoDiscover") => {
            AllowedServices(AllowedServices::SMTP)
        }
        (None, None) => AllowedServices(AllowedServices::IMAP | AllowedServices::POP | AllowedServices::SMTP),
    };
    Ok(Wanted {
        subject,
        names,
        friendly_name: friendly_name.unwrap_or_else(|| "Microsoft Exchange".to_owned()),
        services,
        key,
        subject_key: run.text("SubjectKeyIdentifier").map(identifier),
    })
}

/// Hexadecimal digits are bytes, any other text its own.
fn identifier(text: &str) -> Vec<u8> {
    let digits: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| {
            text.get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect();
    digits.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The names of the SAN, each once: -DomainName, what the Include switches add, and the subject's common name.
/// `-DomainName @()` is no name at all.
fn names(
    run: &Run<'_>,
    target: &ServerName,
    subject: &Name,
    old: Option<&Stored>,
) -> Result<Vec<String>, Problem> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    };
    let fqdn = run
        .world
        .servers
        .get(target)
        .map_or_else(String::new, |server| server.fqdn.clone());
    let given = run.texts("DomainName");
    if let Some(given) = given {
        for name in given {
            if !is_domain(name) {
                return Err(Problem::argument(
                    format!("The domain name '{name}' isn't valid."),
                    format!("Der Domänenname '{name}' ist ungültig."),
                ));
            }
            add(name);
        }
    }
    let includes = [
        "IncludeAcceptedDomains",
        "IncludeAutoDiscover",
        "IncludeServerFQDN",
        "IncludeServerNetBIOSName",
    ]
    .map(|name| run.is(name));
    let [accepted, autodiscover, own_fqdn, own_name] = includes;
    if own_name {
        add(target.as_str());
    }
    if own_fqdn {
        add(&fqdn);
    }
    if accepted || autodiscover {
        for domain in run.world.directory.accepted_domains(run.site()) {
            if domain.domain.contains('*') {
                continue;
            }
            if accepted {
                add(&domain.domain);
            }
            if autodiscover {
                add(&format!("autodiscover.{}", domain.domain));
            }
        }
    }
    if given.is_none() && !includes.contains(&true) {
        match old {
            Some(old) => old.certificate.san().iter().for_each(|name| add(name)),
            None => {
                add(target.as_str());
                add(&fqdn);
            }
        }
    }
    let nameless =
        given.is_some_and(<[String]>::is_empty) || old.is_some_and(|old| old.certificate.san().is_empty());
    if let Some(common) = subject.common_name().filter(|name| is_domain(name))
        && !(nameless && names.is_empty())
        && !names.iter().any(|own| own.eq_ignore_ascii_case(&common))
    {
        names.insert(0, common);
    }
    Ok(names)
}

fn is_domain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'*'))
}
