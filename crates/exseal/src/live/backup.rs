//! Backups of certificates with their keys: PKCS#12 files on this machine behind one password, which is nowhere kept.

use std::io::Write as _;
use std::path::Path;

use exseal_exchange::Secret;
use exseal_exchange::files::{self, Limits};
use exseal_exchange::session::Item;
use exseal_model::Thumbprint;
use exseal_run::Seen;

/// Whether a file opens with the password and holds a certificate with its key. `Err`: it could not be read, in words.
pub(super) fn held(file: &str, password: &Secret, certificate: Thumbprint) -> Result<Seen, String> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Seen {
                holds: false,
                found: "no such file".to_owned(),
            });
        }
        Err(error) => return Err(format!("{file}: {error}")),
    };
    let found = looked(file, bytes, password, certificate);
    Ok(Seen {
        holds: found.is_none(),
        found: found.unwrap_or_default(),
    })
}

/// What is wrong with the bytes of a backup; `None`: nothing.
fn looked(file: &str, bytes: Vec<u8>, password: &Secret, certificate: Thumbprint) -> Option<String> {
    let options = files::Options {
        password: &|_| Some(password.clone()),
        limits: Limits::default(),
    };
    let reading = files::read_bytes(file, bytes, &options);
    let inventory = exseal_engine::merge(reading.into_inventories());
    if let Some(error) = inventory.errors.first() {
        return Some(error.found.clone());
    }
    let own = inventory
        .of_unknown_use
        .iter()
        .find(|own| own.thumbprint == certificate);
    match own.map(|own| own.has_private_key) {
        Some(true) => None,
        Some(_) => Some("the certificate without its key".to_owned()),
        None => Some("another certificate".to_owned()),
    }
}

/// The bytes an export gave: `FileData` of what came.
pub(super) fn exported(items: &[Item]) -> Option<Vec<u8>> {
    items.iter().find_map(|item| {
        let Item::Output(document) = item else {
            return None;
        };
        document.values.iter().find_map(|value| {
            let object = document.object(value)?;
            let data = document.property(object, "FileData")?;
            document.bytes(data).map(<[u8]>::to_vec)
        })
    })
}

/// Writes a backup: beside its place first, looked at there, then moved. A file that is there stays.
pub(super) fn keep(
    file: &str,
    bytes: &[u8],
    password: &Secret,
    certificate: Thumbprint,
) -> Result<(), String> {
    let path = Path::new(file);
    let said = |error: std::io::Error| format!("{file}: {error}");
    if path.try_exists().map_err(said)? {
        return Err(format!(
            "expected no file {file} yet, found one that is no backup of {certificate}"
        ));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(said)?;
    }
    let part = format!("{file}.part");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut written = options.open(&part).map_err(said)?;
    written.write_all(bytes).map_err(said)?;
    written.sync_all().map_err(said)?;
    drop(written);
    let again = std::fs::read(&part).map_err(said)?;
    if let Some(found) = looked(file, again, password, certificate) {
        let _ = std::fs::remove_file(&part);
        return Err(format!(
            "expected a backup of {certificate} that opens with the password, found {found}"
        ));
    }
    std::fs::rename(&part, path).map_err(said)
}
