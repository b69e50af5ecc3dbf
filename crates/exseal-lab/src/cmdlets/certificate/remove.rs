//! Remove-ExchangeCertificate: what it guards, and what it leaves behind.

use super::super::error::Problem;
use super::super::run::{Run, Stop};
use super::located;
use crate::organisation::StoreName;
use crate::world::{ServerName, Stored, matches_pair, name_pair};

pub(super) fn remove(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some((target, stored)) = located(run)? else {
        return Ok(());
    };
    let thumbprint = stored.certificate.thumbprint();
    let sure = run.should_process(
        true,
        &format!("Remove certificate with thumbprint {thumbprint} from the computer's certificate store?"),
        &format!(
            "Möchten Sie das Zertifikat mit dem Fingerabdruck {thumbprint} aus dem Zertifikatspeicher des Computers \
             entfernen?"
        ),
    )?;
    if !sure {
        return Ok(());
    }
    if let Some(problem) = guard(run, &target, &stored) {
        return run.fail(&problem.over_rpc(&target.as_str().to_uppercase()));
    }
    if let Some(server) = run.world.servers.get_mut(&target) {
        for store in [StoreName::My, StoreName::Request] {
            if let Some(own) = server.stores.get_mut(&store) {
                own.retain(|stored| stored.certificate.thumbprint() != thumbprint);
            }
        }
    }
    Ok(())
}

/// E1 and E2; everything else that refers to the certificate is left dangling.
fn guard(run: &Run<'_>, target: &ServerName, stored: &Stored) -> Option<Problem> {
    let server = run.world.servers.get(target)?;
    let thumbprint = stored.certificate.thumbprint();
    let directory = &run.world.directory;
    let internal = directory
        .internal_transport(server.site, target)
        .map(crate::certificate::Certificate::thumbprint);
    if internal == Some(thumbprint) {
        return Some(Problem::refused(
            "The internal transport certificate cannot be removed because that would cause the Microsoft Exchange \
             Transport service to stop. To replace the internal transport certificate, create a new certificate. The \
             new certificate will automatically become the internal transport certificate. You can then remove the \
             existing certificate.",
            "Das interne Transportzertifikat kann nicht entfernt werden, da dies zum Beenden des Microsoft \
             Exchange-Transportdiensts führen würde. Erstellen Sie zum Ersetzen des internen Transportzertifikats ein \
             neues Zertifikat. Das neue Zertifikat wird automatisch zum internen Transportzertifikat. Anschließend \
             können Sie das vorhandene Zertifikat entfernen.",
        ));
    }
    if stored.request.is_some() {
        return None;
    }
    let tagged: Vec<String> = directory
        .send_connectors(server.site)
        .filter(|connector| {
            connector
                .tls_certificate_name
                .as_deref()
                .and_then(name_pair)
                .is_some_and(|pair| matches_pair(stored, &pair))
        })
        .map(|connector| connector.name.clone())
        .collect();
    if !tagged.is_empty() {
        let names = tagged.join(", ");
        return Some(Problem::refused(
            format!(
                "These certificates are tagged with following Send Connectors : {names}. Removing and replacing \
                 certificates from Send Connector would break the mail flow. If you still want to proceed then \
                 replace or remove these certificates from Send Connector and then try this command."
            ),
            format!(
                "Diese Zertifikate sind mit folgenden Sendeconnectors gekennzeichnet: {names}. Das Entfernen und \
                 Ersetzen von Zertifikaten aus dem Sendeconnector würde den Nachrichtenfluss unterbrechen. Wenn Sie \
                 trotzdem fortfahren möchten, ersetzen oder entfernen Sie diese Zertifikate aus dem Sendeconnector, \
                 und versuchen Sie dann diesen Befehl."
            ),
        ));
    }
    let auth = directory.auth(server.site).and_then(|config| config.current);
    if run.world.assumptions.remove_guards_auth_certificate && auth == Some(thumbprint) {
        return Some(Problem::refused(
            format!(
                "The certificate with thumbprint {thumbprint} is the current Auth certificate and cannot be removed."
            ),
            format!(
                "Das Zertifikat mit dem Fingerabdruck {thumbprint} ist das aktuelle Authentifizierungszertifikat und \
                 kann nicht entfernt werden."
            ),
        ));
    }
    None
}
