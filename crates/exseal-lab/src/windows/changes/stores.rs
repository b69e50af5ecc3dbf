//! Certificates of stores: public copies, and removal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::{Done, Given, Refused, certificate, one, present, server};
use crate::certificate::{Certificate, Thumbprint};
use crate::organisation::StoreName;
use crate::world::{Server, ServerName, Stored, World};

fn wanted(given: &Given) -> Result<Thumbprint, Refused> {
    given
        .hash("Thumbprint")
        .ok_or_else(|| Refused::new("NotFound", "a thumbprint", "none"))
}

/// Puts a certificate without key into a store.
fn place(
    server: &mut Server,
    store: StoreName,
    public: Certificate,
    friendly_name: &str,
) -> Result<Done, Refused> {
    if server.free_bytes == 0 {
        return Err(Refused::disk_full());
    }
    let stored = Stored {
        certificate: public,
        key: None,
        friendly_name: friendly_name.to_owned(),
        smtp: false,
        pop: false,
        imap: false,
        request: None,
    };
    let after = certificate(store, &stored);
    server.stores.entry(store).or_default().push(stored);
    Ok(Done::changed(Value::Null, after))
}

pub(super) fn copy(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let server = server(world, at)?;
    let (thumbprint, to) = (wanted(given)?, given.store("To"));
    if let Some(there) = one(server, to, given.text("To"), thumbprint)? {
        return Ok(Done::unchanged(certificate(to, &there)));
    }
    let stored = present(server, StoreName::My, "My", thumbprint)?;
    place(server, to, stored.certificate, &stored.friendly_name)
}

pub(super) fn add(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let server = server(world, at)?;
    let (thumbprint, store) = (wanted(given)?, given.store("Store"));
    if let Some(there) = one(server, store, given.text("Store"), thumbprint)? {
        return Ok(Done::unchanged(certificate(store, &there)));
    }
    // CRYPT_E_ASN1_BADTAG, and what .NET says of a text that is no Base64.
    let unreadable = |hresult| {
        Refused::windows(
            hresult,
            "System.Security.Cryptography.CryptographicException",
            false,
        )
    };
    let der = BASE64
        .decode(given.text("Der"))
        .map_err(|_| Refused::windows("0x80131537", "System.FormatException", false))?;
    let public = Certificate::read(&der).map_err(|_| unreadable("0x8009310B"))?;
    let found = public.thumbprint();
    if found != thumbprint {
        return Err(Refused::new(
            "WrongCertificate",
            thumbprint.to_string(),
            found.to_string(),
        ));
    }
    place(server, store, public, given.text("FriendlyName"))
}

/// What on the server itself names a certificate.
fn references(server: &Server, thumbprint: Thumbprint) -> Vec<String> {
    let entries = server
        .http_sys
        .iter()
        .filter(|(_, entry)| entry.hash == Some(thumbprint))
        .map(|(endpoint, _)| format!("http.sys {endpoint}"));
    let listener = (server.winrm_https == Some(thumbprint)).then(|| "WinRM *+HTTPS".to_owned());
    entries.chain(listener).collect()
}

pub(super) fn remove(world: &mut World, at: &ServerName, given: &Given) -> Result<Done, Refused> {
    let server = server(world, at)?;
    let (thumbprint, store) = (wanted(given)?, given.store("Store"));
    let Some(stored) = one(server, store, given.text("Store"), thumbprint)? else {
        return Ok(Done::unchanged(Value::Null));
    };
    if matches!(store, StoreName::My | StoreName::WebHosting) {
        let references = references(server, thumbprint);
        if !references.is_empty() {
            return Err(Refused::new(
                "InUse",
                format!("nothing that names {thumbprint}"),
                references.join(", "),
            ));
        }
    }
    if let Some(own) = server.stores.get_mut(&store) {
        own.retain(|stored| stored.certificate.thumbprint() != thumbprint);
    }
    Ok(Done::changed(certificate(store, &stored), Value::Null))
}
