//! Becoming the internal transport certificate (facts/exchange.md 2.4, 2.7, 2.8 P1 and W3).

use std::collections::BTreeSet;

use super::super::error::Problem;
use super::super::run::{Run, Stop};
use super::show::expires;
use crate::certificate::{Certificate, Thumbprint};
use crate::organisation::{EdgeAfterReplacement, Provider};
use crate::world::directory::{Key, Object};
use crate::world::{Server, ServerName, Stored, smtp_enabled};

/// Asks whether a certificate is to replace the internal transport certificate (P1; the default answer is yes). Without
/// a question: yes when there is none to replace, no when it is the one already.
pub(super) fn asks(run: &mut Run<'_>, target: &ServerName, new: &Certificate) -> Result<bool, Stop> {
    let Some(server) = run.world.servers.get(target) else {
        return Ok(false);
    };
    let Some(current) = run
        .world
        .directory
        .internal_transport(server.site, target)
        .cloned()
    else {
        return Ok(true);
    };
    let same = current.thumbprint() == new.thumbprint();
    if same && !run.world.assumptions.prompt_when_same {
        return Ok(false);
    }
    let (old, until) = (current.thumbprint(), expires(run, current.not_after()));
    let (next, next_until) = (new.thumbprint(), expires(run, new.not_after()));
    run.should_continue(
        "DefaultSmtpCertificate",
        &format!(
            "Overwrite the existing default SMTP certificate?\r\n\r\nCurrent certificate: '{old}' (expires \
             {until})\r\nReplace it with certificate: '{next}' (expires {next_until})"
        ),
        &format!(
            "Möchten Sie das vorhandene SMTP-Standardzertifikat überschreiben?\r\n\r\nAktuelles Zertifikat: '{old}' \
             (läuft am {until} ab)\r\nErsetzen durch Zertifikat: '{next}' (läuft am {next_until} ab)"
        ),
    )
}

/// Writes a certificate to the directory as a server's internal transport certificate, with what hangs on it.
///
/// The credentials of EdgeSync: by the assumption they are encrypted anew, which needs the old key in the store and a
/// CAPI key of RSA in the new certificate; or the subscription ends for this server. `Ok(false)`: it failed, nothing
/// was written, and the error was.
pub(super) fn replace(run: &mut Run<'_>, target: &ServerName, new: &Stored) -> Result<bool, Stop> {
    let Some(server) = run.world.servers.get(target) else {
        return Ok(false);
    };
    let site = server.site;
    let thumbprint = new.certificate.thumbprint();
    let old = run
        .world
        .directory
        .internal_transport(site, target)
        .map(Certificate::thumbprint);
    let subscriptions: Vec<_> = run
        .world
        .directory
        .edge_subscriptions(site)
        .filter(|subscription| subscription.credentials.contains_key(target))
        .cloned()
        .collect();
    let reencrypted = run.world.assumptions.edge_after_replacement == EdgeAfterReplacement::Reencrypted;
    if !subscriptions.is_empty() && old != Some(thumbprint) && reencrypted {
        let opens = old
            .and_then(|old| server.my(old))
            .is_some_and(|stored| stored.usable_key().is_some());
        let capi =
            new.certificate.is_rsa() && new.usable_key().is_some_and(|key| key.provider == Provider::Capi);
        if !opens || !capi {
            let problem = edge_credentials(opens).over_rpc(&target.as_str().to_uppercase());
            run.fail(&problem)?;
            return Ok(false);
        }
    }
    let now = run.world.now;
    if old != Some(thumbprint) {
        for mut subscription in subscriptions {
            if reencrypted {
                subscription.credentials.insert(target.clone(), thumbprint);
            } else {
                subscription.credentials.remove(target);
            }
            let key = Key::EdgeSubscription(subscription.edge.clone());
            run.world
                .directory
                .write(site, key, Some(Object::EdgeSubscription(subscription)), now);
        }
    }
    run.world.directory.write(
        site,
        Key::InternalTransport(target.clone()),
        Some(Object::InternalTransport(new.certificate.clone())),
        now,
    );
    Ok(true)
}

fn edge_credentials(opens: bool) -> Problem {
    let (english, german) = if opens {
        (
            "the new certificate's private key isn't a Cryptographic API key",
            "der private Schlüssel des neuen Zertifikats ist kein CryptoAPI-Schlüssel",
        )
    } else {
        (
            "the private key of the current certificate couldn't be opened",
            "der private Schlüssel des aktuellen Zertifikats konnte nicht geöffnet werden",
        )
    };
    Problem::refused(
        format!(
            "The EdgeSync credentials on this server couldn't be encrypted for the new certificate: {english}."
        ),
        format!(
            "Die EdgeSync-Anmeldeinformationen auf diesem Server konnten nicht für das neue Zertifikat verschlüsselt \
             werden: {german}."
        ),
    )
}

/// Publishes a certificate that holds the server's name for direct trust.
pub(super) fn publish(run: &mut Run<'_>, target: &ServerName, new: &Certificate) {
    let Some(server) = run.world.servers.get(target) else {
        return;
    };
    if !new.covers(&server.fqdn) && !new.covers(target.as_str()) {
        return;
    }
    let (site, key, now) = (server.site, Key::DirectTrust(target.clone()), run.world.now);
    let mut trusted: BTreeSet<Thumbprint> = match run.world.directory.object(site, &key) {
        Some(Object::DirectTrust(trusted)) => trusted.clone(),
        _ => BTreeSet::new(),
    };
    if trusted.insert(new.thumbprint()) {
        run.world
            .directory
            .write(site, key, Some(Object::DirectTrust(trusted)), now);
    }
}

/// W3: a self-signed certificate was enabled for SMTP while a CA-signed one serves the same names.
pub(super) fn warn_of_precedence(run: &mut Run<'_>, target: &ServerName, new: &Stored) -> Result<(), Stop> {
    if !new.certificate.is_self_signed() {
        return Ok(());
    }
    let Some(server) = run.world.servers.get(target) else {
        return Ok(());
    };
    let mut warnings: Vec<(String, Thumbprint, Vec<String>)> = Vec::new();
    for (fqdn, connector) in connectors(run, server) {
        let Some(better) = preferred(run, server, &fqdn).filter(|_| new.certificate.covers(&fqdn)) else {
            continue;
        };
        match warnings
            .iter_mut()
            .find(|(own, _, _)| own.eq_ignore_ascii_case(&fqdn))
        {
            Some((_, _, names)) => names.push(connector),
            None => warnings.push((fqdn, better, vec![connector])),
        }
    }
    for (fqdn, better, names) in warnings {
        let names = names.join(", ");
        run.warn(
            &format!(
                "This certificate will not be used for external TLS connections with an FQDN of '{fqdn}' because the \
                 CA-signed certificate with thumbprint '{better}' takes precedence. The following connectors match \
                 that FQDN: {names}."
            ),
            &format!(
                "Dieses Zertifikat wird nicht für externe TLS-Verbindungen mit einem FQDN von '{fqdn}' verwendet, weil \
                 das von einer CA signierte Zertifikat mit dem Fingerabdruck '{better}' den Vorrang übernimmt. Die \
                 folgenden Connectors stimmen mit dem betreffenden FQDN überein: {names}."
            ),
        )?;
    }
    Ok(())
}

/// FQDN and name of the connectors a server's certificates serve.
fn connectors(run: &Run<'_>, server: &Server) -> Vec<(String, String)> {
    let directory = &run.world.directory;
    let receive = directory
        .receive_connectors(server.site)
        .filter(|connector| connector.server == server.name && connector.auth & 1 == 1)
        .map(|connector| (connector.fqdn.as_ref(), &connector.name));
    let send = directory
        .send_connectors(server.site)
        .filter(|connector| connector.sources.contains(&server.name))
        .map(|connector| (connector.fqdn.as_ref(), &connector.name));
    receive
        .chain(send)
        .map(|(fqdn, name)| (fqdn.cloned().unwrap_or_else(|| server.fqdn.clone()), name.clone()))
        .collect()
}

/// The CA-signed certificate that serves a name.
fn preferred(run: &Run<'_>, server: &Server, fqdn: &str) -> Option<Thumbprint> {
    let now = run.world.clock_of(&server.name);
    server
        .store(crate::organisation::StoreName::My)
        .iter()
        .filter(|stored| {
            let certificate = &stored.certificate;
            !certificate.is_self_signed()
                && certificate.covers(fqdn)
                && certificate.not_after() >= now
                && stored.usable_key().is_some()
                && smtp_enabled(stored, run.world.assumptions.smtp_flag)
        })
        .max_by_key(|stored| stored.certificate.not_before())
        .map(|stored| stored.certificate.thumbprint())
}
