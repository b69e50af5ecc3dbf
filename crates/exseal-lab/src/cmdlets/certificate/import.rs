//! Import-ExchangeCertificate: PFX with a key, the answer to a pending request, CA certificates, chains in PKCS#7.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use exseal_psrp::message::ErrorCategory;

use super::super::error::Problem;
use super::super::run::{Run, Stop};
use super::{has_room, show};
use crate::certificate::{Certificate, Pfx, der};
use crate::organisation::{Provider, StoreName};
use crate::world::{Reader, Server, ServerName, Stored, StoredKey};

/// What a file holds.
enum Content {
    /// A certificate with its key, and the rest of its chain.
    Pfx(Box<Pfx>),
    /// Certificates without keys, the leaf first where there is one.
    Certificates(Vec<Certificate>),
}

pub(super) fn import(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(target) = run.target()? else {
        return Ok(());
    };
    if !run.calls(&target)? {
        return Ok(());
    }
    let name = target.as_str().to_uppercase();
    let friendly_name = run.text("FriendlyName").map(str::to_owned);
    if friendly_name
        .as_ref()
        .is_some_and(|name| name.chars().count() >= 64)
    {
        return run.fail(&too_long());
    }
    let password = run
        .secret("Password")
        .map(exseal_psrp::secret::Secret::reveal)
        .unwrap_or_default();
    let file = match run.text("FileName").map(str::to_owned) {
        None => run.bytes("FileData"),
        Some(path) => match run.world.file(&path) {
            Some(bytes) => Some(bytes),
            None => return run.fail(&no_file(&path)),
        },
    };
    let Some(content) = file.and_then(|bytes| read(bytes, &password)) else {
        let problem = Problem::refused(
            "The source data cannot be imported or the wrong password was specified.",
            "Die Quelldaten können nicht importiert werden, oder es wurde ein falsches Kennwort angegeben.",
        )
        .category(ErrorCategory::ReadError)
        .over_rpc(&name);
        return run.fail(&problem);
    };
    let leaf = match &content {
        Content::Pfx(pfx) => pfx.certificate.clone(),
        Content::Certificates(certificates) => match certificates.first() {
            Some(leaf) => leaf.clone(),
            None => return Ok(()),
        },
    };
    let thumbprint = leaf.thumbprint();
    if !run.should_process(
        false,
        &format!("Import certificate with thumbprint {thumbprint}?"),
        &format!("Das Zertifikat mit dem Fingerabdruck {thumbprint} importieren?"),
    )? {
        return Ok(());
    }
    let there = run
        .world
        .servers
        .get(&target)
        .is_some_and(|server| server.my(thumbprint).is_some());
    if there {
        let problem = Problem::refused(
            format!("Cannot import certificate. A certificate with the thumbprint {thumbprint} already exists."),
            format!(
                "Das Zertifikat kann nicht importiert werden. Es ist bereits ein Zertifikat mit dem Fingerabdruck \
                 {thumbprint} vorhanden."
            ),
        )
        .over_rpc(&name);
        return run.fail(&problem);
    }
    if !has_room(run, &target)? {
        return Ok(());
    }
    let exportable = run.is("PrivateKeyExportable");
    let stored = place(run, &target, content, friendly_name, exportable);
    if let Some(object) = stored.and_then(|stored| show::shown(run, &target, &stored)) {
        run.write(object);
    }
    Ok(())
}

fn no_file(path: &str) -> Problem {
    Problem::argument(
        format!("The file '{path}' couldn't be found."),
        format!("Die Datei '{path}' wurde nicht gefunden."),
    )
    .category(ErrorCategory::ReadError)
}

pub(super) fn too_long() -> Problem {
    Problem::argument(
        "The friendly name is too long. It must be less than 64 characters.",
        "Der Anzeigename ist zu lang. Er muss weniger als 64 Zeichen umfassen.",
    )
}

/// Puts what was read into the stores, and returns the leaf as it lies there.
fn place(
    run: &mut Run<'_>,
    target: &ServerName,
    content: Content,
    friendly_name: Option<String>,
    exportable: bool,
) -> Option<Stored> {
    let server = run.world.servers.get_mut(target)?;
    match content {
        Content::Pfx(pfx) => {
            let provider = if pfx.cng || !pfx.certificate.is_rsa() {
                Provider::Ksp
            } else {
                Provider::Capi
            };
            let stored = Stored {
                certificate: pfx.certificate,
                key: Some(StoredKey {
                    key: pfx.key,
                    provider,
                    exportable,
                    readers: BTreeSet::from([Reader::System, Reader::Administrators]),
                    container_lost: false,
                }),
                friendly_name: friendly_name.unwrap_or_default(),
                smtp: false,
                pop: false,
                imap: false,
                request: None,
            };
            authorities(server, pfx.chain);
            server
                .stores
                .entry(StoreName::My)
                .or_default()
                .push(stored.clone());
            Some(stored)
        }
        Content::Certificates(certificates) => {
            let mut certificates = certificates.into_iter();
            let leaf = certificates.next()?;
            let rest: Vec<Certificate> = certificates.collect();
            authorities(server, rest);
            if leaf.is_ca() {
                authorities(server, vec![leaf.clone()]);
                return Some(plain(leaf, friendly_name));
            }
            let requests = server.stores.entry(StoreName::Request).or_default();
            let pending = requests
                .iter()
                .position(|own| own.certificate.public() == leaf.public())
                .map(|at| requests.remove(at));
            let stored = match pending {
                Some(pending) => Stored {
                    friendly_name: friendly_name.unwrap_or(pending.friendly_name),
                    certificate: leaf,
                    key: pending.key,
                    smtp: false,
                    pop: false,
                    imap: false,
                    request: None,
                },
                // Nothing waits for it: a certificate without a key.
                None => plain(leaf, friendly_name),
            };
            server
                .stores
                .entry(StoreName::My)
                .or_default()
                .push(stored.clone());
            Some(stored)
        }
    }
}

fn plain(certificate: Certificate, friendly_name: Option<String>) -> Stored {
    Stored {
        certificate,
        key: None,
        friendly_name: friendly_name.unwrap_or_default(),
        smtp: false,
        pop: false,
        imap: false,
        request: None,
    }
}

/// Puts CA certificates where Windows keeps them: roots of their own kind, all others among the intermediates.
fn authorities(server: &mut Server, certificates: Vec<Certificate>) {
    for certificate in certificates {
        let store = if certificate.is_self_signed() {
            StoreName::Root
        } else {
            StoreName::Ca
        };
        if server.find(store, certificate.thumbprint()).is_none() {
            server
                .stores
                .entry(store)
                .or_default()
                .push(plain(certificate, None));
        }
    }
}

fn read(bytes: &[u8], password: &str) -> Option<Content> {
    let decoded = from_text(bytes);
    let bytes = decoded.as_deref().unwrap_or(bytes);
    if let Ok(certificate) = Certificate::read(bytes) {
        return Some(Content::Certificates(vec![certificate]));
    }
    if let Some(chain) = chain(bytes).filter(|chain| !chain.is_empty()) {
        return Some(Content::Certificates(chain));
    }
    Pfx::read(bytes, password)
        .ok()
        .map(|pfx| Content::Pfx(Box::new(pfx)))
}

/// The bytes of a file in PEM or Base64; `None`: it is no text.
fn from_text(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    BASE64.decode(digits).ok().filter(|bytes| !bytes.is_empty())
}

/// The certificates of a PKCS#7, the one that no other was signed by first.
fn chain(bytes: &[u8]) -> Option<Vec<Certificate>> {
    let (whole, _) = der::split(bytes)?;
    let outer = der::children(whole.content);
    let [kind, content, ..] = outer[..] else {
        return None;
    };
    if der::dotted(kind.content) != "1.2.840.113549.1.7.2" {
        return None;
    }
    let (signed, _) = der::split(content.content)?;
    let mut found: Vec<Certificate> = der::children(signed.content)
        .into_iter()
        .filter(|part| part.tag == 0xa0)
        .flat_map(|part| der::children(part.content))
        .filter_map(|part| Certificate::read(part.whole).ok())
        .collect();
    let leaf = found.iter().position(|own| {
        !own.is_ca()
            || !found
                .iter()
                .any(|other| other != own && other.issuer() == own.subject())
    });
    if let Some(leaf) = leaf {
        found.swap(0, leaf);
    }
    Some(found)
}
