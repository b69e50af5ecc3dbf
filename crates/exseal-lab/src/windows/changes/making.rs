//! Certificates with a key: made here, or taken in from a file.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::SignedDuration;
use serde_json::Value;

use super::{Done, Given, Refused, certificate, one, server, serving};
use crate::certificate::{KeyKind, Name, Pfx, Recipe};
use crate::organisation::{Provider, StoreName};
use crate::world::{Reader, ServerName, Stored, StoredKey, World};

/// The bytes of hexadecimal digits that were checked before.
fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

/// Makes a self-signed certificate, or finds the one of this serial number.
pub(super) fn new(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let clock = world.clock_of(at);
    let reverses = world.assumptions.certenroll_reverses_serial;
    let own = server(world, at)?;
    let (subject, digits) = (given.text("Subject"), given.text("Serial"));
    let serial = bytes(digits);
    let reversed: Vec<u8> = serial.iter().rev().copied().collect();
    let found: Vec<&Stored> = own
        .store(StoreName::My)
        .iter()
        .filter(|stored| {
            [&serial, &reversed]
                .iter()
                .any(|own| stored.certificate.serial() == own.as_slice())
        })
        .collect();
    match found.as_slice() {
        [] => {}
        [stored] => {
            let known = &stored.certificate;
            if known.subject().to_string() != subject || known.issuer().to_string() != subject {
                return Err(Refused::new(
                    "WrongCertificate",
                    format!("{subject} with serial number {digits}"),
                    known.subject().to_string(),
                ));
            }
            let stored = serving(own, StoreName::My, "My", known.thumbprint())?;
            return Ok(Done::unchanged(certificate(StoreName::My, &stored)));
        }
        several => {
            return Err(Refused::new(
                "Ambiguous",
                format!("at most one certificate with serial number {digits}"),
                several.len().to_string(),
            ));
        }
    }
    if own.free_bytes == 0 {
        return Err(Refused::disk_full());
    }
    let kind = if given.number("KeySize") == 4096 {
        KeyKind::Rsa4096
    } else {
        KeyKind::Rsa2048
    };
    let broken = |_| Refused::windows("0x80090020", "System.Runtime.InteropServices.COMException", true);
    let key = world.keys.next(kind).map_err(broken)?;
    let seconds = given.number("Days").saturating_mul(86_400);
    let recipe = Recipe {
        subject: Name::parse(subject).map_err(|_| {
            Refused::windows("0x80092023", "System.Runtime.InteropServices.COMException", false)
        })?,
        names: given.texts("DnsNames").to_vec(),
        not_before: clock,
        not_after: clock
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap_or(clock),
        serial: if reverses { reversed } else { serial },
        is_ca: false,
        subject_key: None,
    };
    let stored = Stored {
        certificate: recipe.issue(&key, None).map_err(broken)?,
        key: Some(StoredKey {
            key,
            provider: Provider::Capi,
            exportable: given.is("Exportable"),
            readers: BTreeSet::from([Reader::System, Reader::Administrators]),
            container_lost: false,
        }),
        friendly_name: given.text("FriendlyName").to_owned(),
        smtp: false,
        pop: false,
        imap: false,
        request: None,
    };
    let after = certificate(StoreName::My, &stored);
    server(world, at)?
        .stores
        .entry(StoreName::My)
        .or_default()
        .push(stored);
    Ok(Done::changed(Value::Null, after))
}

/// Takes a certificate with its key out of a file.
pub(super) fn import(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let own = server(world, at)?;
    let Some(wanted) = given.hash("Thumbprint") else {
        return Err(Refused::new("NotFound", "a thumbprint", "none"));
    };
    let there = one(own, StoreName::My, "My", wanted)?;
    let before = there
        .as_ref()
        .map_or(Value::Null, |stored| certificate(StoreName::My, stored));
    if there.as_ref().is_some_and(|stored| stored.usable_key().is_some()) {
        return Ok(Done::unchanged(before));
    }
    let file = BASE64
        .decode(given.secret("Pfx"))
        .map_err(|_| Refused::new("PfxUnreadable", "Base64", "something else"))?;
    // ERROR_INVALID_PASSWORD, as Windows says for either.
    let pfx = Pfx::read(&file, &given.secret("Password")).map_err(|_| Refused {
        hresult: Some("0x80070056"),
        ..Refused::new(
            "PfxUnreadable",
            "a PKCS#12 file that opens with the password",
            "0x80070056",
        )
    })?;
    let found = pfx.certificate.thumbprint();
    if found != wanted {
        return Err(Refused::new(
            "WrongCertificate",
            wanted.to_string(),
            found.to_string(),
        ));
    }
    if own.free_bytes == 0 {
        return Err(Refused::disk_full());
    }
    let key = StoredKey {
        provider: if pfx.cng || !pfx.certificate.is_rsa() {
            Provider::Ksp
        } else {
            Provider::Capi
        },
        key: pfx.key,
        exportable: given.is("Exportable"),
        readers: BTreeSet::from([Reader::System, Reader::Administrators]),
        container_lost: false,
    };
    let friendly_name = given.text("FriendlyName");
    let stored = match there {
        Some(stored) => Stored {
            key: Some(key),
            friendly_name: if friendly_name.is_empty() {
                stored.friendly_name
            } else {
                friendly_name.to_owned()
            },
            ..stored
        },
        None => Stored {
            certificate: pfx.certificate,
            key: Some(key),
            friendly_name: friendly_name.to_owned(),
            smtp: false,
            pop: false,
            imap: false,
            request: None,
        },
    };
    let after = certificate(StoreName::My, &stored);
    let store = own.stores.entry(StoreName::My).or_default();
    store.retain(|own| own.certificate.thumbprint() != wanted);
    store.push(stored);
    Ok(Done::changed(before, after))
}
