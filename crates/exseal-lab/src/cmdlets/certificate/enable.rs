//! Enable-ExchangeCertificate, and what New-ExchangeCertificate does with its services.

use super::super::error::Problem;
use super::super::run::{Run, Stop};
use super::{located, transport};
use crate::certificate::{Certificate, Thumbprint};
use crate::organisation::{Role, StoreName, Version};
use crate::world::directory::{ClientProtocol, Key, Object};
use crate::world::{AllowedServices, Binding, HttpSysEntry, IIS_APP_ID, Reader, Server, ServerName, Stored};

pub(super) fn enable(run: &mut Run<'_>) -> Result<(), Stop> {
    let services =
        AllowedServices::parse(&run.texts("Services").unwrap_or_default().join(",")).unwrap_or_default();
    let Some((target, stored)) = located(run)? else {
        return Ok(());
    };
    let thumbprint = stored.certificate.thumbprint();
    let sure = run.should_process(
        false,
        &format!(
            "Enable certificate with thumbprint {thumbprint} for services {}?",
            services.text()
        ),
        &format!(
            "Das Zertifikat mit dem Fingerabdruck {thumbprint} für die Dienste {} aktivieren?",
            services.text()
        ),
    )?;
    if !sure {
        return Ok(());
    }
    apply(run, &target, &stored, services)
}

/// Enables a certificate of My for services. Questions come before anything is done.
pub(super) fn apply(
    run: &mut Run<'_>,
    target: &ServerName,
    stored: &Stored,
    services: AllowedServices,
) -> Result<(), Stop> {
    let name = target.as_str().to_uppercase();
    if let Some(problem) = refusal(run, target, stored, services) {
        return run.fail(&problem.over_rpc(&name));
    }
    let thumbprint = stored.certificate.thumbprint();
    let smtp = services.has(AllowedServices::SMTP);
    let replaces = smtp && transport::asks(run, target, &stored.certificate)?;
    if replaces && !transport::replace(run, target, stored)? {
        return Ok(());
    }
    if smtp || run.is("NetworkServiceAllowed") {
        grant(run, target, thumbprint);
    }
    if smtp {
        transport::publish(run, target, &stored.certificate);
        transport::warn_of_precedence(run, target, stored)?;
        if let Some(own) = own(run, target, thumbprint) {
            own.smtp = true;
        }
    }
    if services.has(AllowedServices::IIS) {
        let require = !run.is("DoNotRequireSsl");
        if let Some(server) = run.world.servers.get_mut(target) {
            bind(server, thumbprint, require);
        }
    }
    for (flag, protocol) in [
        (AllowedServices::POP, ClientProtocol::Pop),
        (AllowedServices::IMAP, ClientProtocol::Imap),
    ] {
        if services.has(flag) {
            assign(run, target, &stored.certificate, protocol)?;
        }
    }
    Ok(())
}

fn own<'r>(run: &'r mut Run<'_>, target: &ServerName, thumbprint: Thumbprint) -> Option<&'r mut Stored> {
    run.world
        .servers
        .get_mut(target)?
        .find_mut(StoreName::My, thumbprint)
}

fn grant(run: &mut Run<'_>, target: &ServerName, thumbprint: Thumbprint) {
    if let Some(key) = own(run, target, thumbprint).and_then(|stored| stored.key.as_mut()) {
        key.readers.insert(Reader::NetworkService);
    }
}

/// Why a certificate cannot be enabled (E4, E18, unified messaging).
fn refusal(
    run: &Run<'_>,
    target: &ServerName,
    stored: &Stored,
    services: AllowedServices,
) -> Option<Problem> {
    let thumbprint = stored.certificate.thumbprint();
    let unfit = |reason: &str| {
        Problem::refused(
            format!(
                "The certificate with thumbprint {thumbprint} was found but is not valid for use with Exchange Server \
                 (reason: {reason})."
            ),
            format!(
                "Das Zertifikat mit dem Fingerabdruck {thumbprint} wurde gefunden, ist aber für die Verwendung mit \
                 Exchange Server nicht gültig (Ursache: {reason})."
            ),
        )
    };
    if stored.request.is_some() {
        return Some(unfit("PendingRequest"));
    }
    let Some(key) = &stored.key else {
        return Some(unfit("PrivateKeyMissing"));
    };
    if key.container_lost {
        return Some(Problem::of(
            "AddAccessRuleUnauthorizedAccessException",
            exseal_psrp::message::ErrorCategory::NotSpecified,
            format!(
                "Insufficient rights to grant Network Service access to the certificate with thumbprint {thumbprint}. \
                 Keyset does not exist"
            ),
            format!(
                "Unzureichende Rechte, um dem Netzwerkdienst Zugriff auf das Zertifikat mit dem Fingerabdruck \
                 {thumbprint} zu gewähren. Der Schlüsselsatz ist nicht vorhanden"
            ),
        ));
    }
    let edge = run
        .world
        .servers
        .get(target)
        .is_some_and(|server| server.role == Role::Edge);
    if edge && services.has(AllowedServices::IIS) {
        return Some(Problem::refused(
            "Internet Information Services isn't available on an Edge Transport server.",
            "Auf einem Edge-Transport-Server sind keine Internetinformationsdienste verfügbar.",
        ));
    }
    let messaging = AllowedServices::UM | AllowedServices::UM_CALL_ROUTER;
    if services.0 & messaging != 0 {
        let modern = run
            .world
            .servers
            .get(target)
            .is_none_or(|server| server.version > Version::V2016);
        return Some(if modern {
            Problem::argument(
                "The Unified Messaging role isn't installed on this server.",
                "Die Unified Messaging-Rolle ist auf diesem Server nicht installiert.",
            )
        } else {
            // UMStartupMode is TCP, as setup leaves it.
            Problem::refused(
                "The certificate can't be enabled for Unified Messaging because UMStartupMode is TCP. Set it to TLS \
                 or Dual first.",
                "Das Zertifikat kann nicht für Unified Messaging aktiviert werden, da UMStartupMode auf TCP festgelegt \
                 ist. Legen Sie den Wert zuerst auf TLS oder Dual fest.",
            )
        });
    }
    None
}

/// Binds the https bindings of the Default Web Site that have no host name; the back end is left alone. Entries keep
/// their flags.
fn bind(server: &mut Server, thumbprint: Thumbprint, require_ssl: bool) {
    let mut endpoints = Vec::new();
    if let Some(site) = server.web_sites.iter_mut().find(|site| site.id == 1) {
        for binding in &mut site.bindings {
            let named = binding.ssl_flags & 1 == 1;
            if let Some(endpoint) = binding.endpoint().filter(|_| !named) {
                if binding.information.starts_with(':') {
                    binding.information = format!("*{}", binding.information);
                }
                endpoints.push(endpoint);
            }
        }
        if endpoints.is_empty() {
            let binding = Binding {
                protocol: "https".to_owned(),
                information: "*:443:".to_owned(),
                ssl_flags: 0,
            };
            endpoints.extend(binding.endpoint());
            site.bindings.push(binding);
        }
        if require_ssl {
            site.require_ssl = true;
        }
    }
    for endpoint in endpoints {
        let entry = server.http_sys.entry(endpoint).or_insert_with(|| HttpSysEntry {
            hash: None,
            store: StoreName::My,
            app_id: IIS_APP_ID.to_owned(),
            negotiate_client_certificate: false,
        });
        entry.hash = Some(thumbprint);
        entry.store = StoreName::My;
    }
}

/// Gives POP or IMAP the certificate by a name of it. One without a fully qualified name is not used, with a warning
/// (W1, W2).
fn assign(
    run: &mut Run<'_>,
    target: &ServerName,
    certificate: &Certificate,
    protocol: ClientProtocol,
) -> Result<(), Stop> {
    let thumbprint = certificate.thumbprint();
    let common = certificate.subject().common_name().unwrap_or_default();
    let qualified = |name: &String| name.contains('.') && !name.contains('*') && !name.contains(' ');
    let host = if common.contains('*') {
        None
    } else {
        std::iter::once(common.clone())
            .chain(certificate.san().iter().cloned())
            .find(qualified)
    };
    let Some(host) = host else {
        let (service, command) = match protocol {
            ClientProtocol::Pop => ("POP", "Set-POPSettings"),
            ClientProtocol::Imap => ("IMAP", "Set-IMAPSettings"),
        };
        return run.warn(
            &format!(
                "This certificate with thumbprint {thumbprint} and subject '{common}' cannot used for {service} \
                 SSL/TLS connections because the subject is not a Fully Qualified Domain Name (FQDN). Use command \
                 {command} to set X509CertificateName to the FQDN of the service."
            ),
            &format!(
                "Das Zertifikat mit dem Fingerabdruck {thumbprint} und dem Antragsteller '{common}' kann nicht für \
                 {service}-SSL/TLS-Verbindungen verwendet werden, weil der Antragsteller kein vollqualifizierter \
                 Domänenname (FQDN) ist. Legen Sie X509CertificateName mit dem Befehl {command} auf den FQDN des \
                 Diensts fest."
            ),
        );
    };
    let now = run.world.now;
    let Some(server) = run.world.servers.get_mut(target) else {
        return Ok(());
    };
    for stored in server.stores.entry(StoreName::My).or_default() {
        let own = stored.certificate.thumbprint() == thumbprint;
        match protocol {
            ClientProtocol::Pop => stored.pop = own,
            ClientProtocol::Imap => stored.imap = own,
        }
    }
    let site = server.site;
    if let Some(mut settings) = run.world.directory.protocol(site, target, protocol).cloned()
        && settings.x509_certificate_name != host
    {
        settings.x509_certificate_name = host;
        run.world.directory.write(
            site,
            Key::Protocol(target.clone(), protocol),
            Some(Object::Protocol(settings)),
            now,
        );
    }
    Ok(())
}
