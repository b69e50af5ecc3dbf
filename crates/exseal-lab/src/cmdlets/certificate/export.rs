//! Export-ExchangeCertificate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::error::Problem;
use super::super::run::{Run, Stop};
use super::{located, write_file};
use crate::certificate::{Pfx, Request};
use crate::world::chain_of;

pub(super) fn export(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some((target, stored)) = located(run)? else {
        return Ok(());
    };
    // Of a pending request: the request once more.
    if let Some(request) = &stored.request {
        let request = Request {
            der: request.to_vec(),
        };
        let text = request.text();
        write_file(run, "FileName", request.der, text);
        return Ok(());
    }
    let thumbprint = stored.certificate.thumbprint();
    if !run.should_process(
        false,
        &format!("Export certificate with thumbprint {thumbprint}?"),
        &format!("Das Zertifikat mit dem Fingerabdruck {thumbprint} exportieren?"),
    )? {
        return Ok(());
    }
    let password = run
        .secret("Password")
        .map(exseal_psrp::secret::Secret::reveal)
        .unwrap_or_default();
    let chain = run
        .world
        .servers
        .get(&target)
        .map(|server| chain_of(server, &stored.certificate))
        .unwrap_or_default();
    let written = stored.usable_key().filter(|key| key.exportable).and_then(|key| {
        Pfx::write(
            &stored.certificate,
            &chain,
            &key.key,
            &stored.friendly_name,
            &password,
        )
        .ok()
    });
    let Some(bytes) = written else {
        let problem = Problem::refused(
            "The private key couldn't be exported as PKCS-12. It either couldn't be accessed or isn't exportable.",
            "Der private Schlüssel konnte nicht als PKCS-12 exportiert werden. Entweder war der Zugriff darauf nicht \
             möglich, oder er ist nicht exportierbar.",
        )
        .over_rpc(&target.as_str().to_uppercase());
        return run.fail(&problem);
    };
    let text = BASE64.encode(&bytes);
    write_file(run, "FileName", bytes, text);
    Ok(())
}
