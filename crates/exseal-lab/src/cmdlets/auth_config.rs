//! Get- and Set-AuthConfig (facts/exchange.md 2.6).

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::ad::AdObject;
use super::certificate::not_found;
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop};
use super::shapes::AUTH_CONFIG;
use super::table::{Access, Cmdlet, switch, text, time};
use crate::certificate::Thumbprint;
use crate::organisation::Provider;
use crate::world::Server;
use crate::world::directory::{AuthConfig, Key, Object};

const CURRENT: &[&str] = &["CurrentCertificate"];
const PUBLISH: &[&str] = &["PublishCertificate"];
const NEW: &[&str] = &["NewCertificate"];
const SETTINGS: &[&str] = &["AuthConfigSettings"];

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-AuthConfig",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetAuthConfig",
        parameters: &[],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-AuthConfig",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetAuthConfig",
        parameters: &[
            text("CertificateThumbprint").needed().only(CURRENT),
            switch("PublishCertificate").only(PUBLISH),
            switch("ClearPreviousCertificate").only(PUBLISH),
            text("NewCertificateThumbprint").needed().only(NEW),
            time("NewCertificateEffectiveDate").needed().only(NEW),
            switch("SkipImmediateCertificateDeployment").only(&["CurrentCertificate", "NewCertificate"]),
            text("Server").only(&["CurrentCertificate", "PublishCertificate", "NewCertificate"]),
            switch("Force").only(&["CurrentCertificate", "PublishCertificate", "NewCertificate"]),
            text("Realm").only(SETTINGS),
            text("ServiceName").only(SETTINGS),
        ],
        default_set: "AuthConfigSettings",
        access: Access::Organisation,
        process: set,
    },
];

const NAME: &str = "Auth Configuration";
const SERVICE: &str = "00000002-0000-0ff1-ce00-000000000000";

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(config) = run.world.directory.auth(run.site()).cloned() else {
        let problem = Problem::not_found(NAME, &run.controller());
        return run.fail(&problem);
    };
    let object = shown(run, &config);
    run.write(object);
    Ok(())
}

fn shown(run: &Run<'_>, config: &AuthConfig) -> PsObject {
    let mut own = AdObject::in_organisation(run, NAME, &Key::Auth);
    own.classes = &["top", "container", "msExchContainer", "msExchAuthAuthConfig"];
    own.category = "ms-Exch-Auth-Auth-Config";
    let thumbprint =
        |found: Option<Thumbprint>| PsValue::text(found.map(|found| found.to_string()).unwrap_or_default());
    let effective = config
        .next_effective
        .map_or(PsValue::Null, |at| PsValue::Time(at, run.offset_minutes()));
    AUTH_CONFIG.object(
        run,
        NAME,
        Some(&own),
        vec![
            ("CurrentCertificateThumbprint", thumbprint(config.current)),
            ("PreviousCertificateThumbprint", thumbprint(config.previous)),
            ("NextCertificateThumbprint", thumbprint(config.next)),
            ("NextCertificateEffectiveDate", effective),
            ("ServiceName", PsValue::text(SERVICE)),
            ("Realm", PsValue::text(&config.realm)),
        ],
    )
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    let site = run.site();
    let Some(mut config) = run.world.directory.auth(site).cloned() else {
        let problem = Problem::not_found(NAME, &run.controller());
        return run.fail(&problem);
    };
    let sure = run.should_process(
        false,
        &format!("Setting Auth Configuration \"{NAME}\"."),
        &format!("Die Authentifizierungskonfiguration \"{NAME}\" wird festgelegt."),
    )?;
    if !sure {
        return Ok(());
    }
    let mut deploys = false;
    if run.given("NewCertificateThumbprint") {
        let Some((thumbprint, effective)) = staged(run)? else {
            return Ok(());
        };
        config.next = Some(thumbprint);
        config.next_effective = Some(effective);
        deploys = !run.is("SkipImmediateCertificateDeployment");
    } else if run.given("CertificateThumbprint") {
        let wanted = run.text("CertificateThumbprint").unwrap_or_default().to_owned();
        let thumbprint = match signer(run, &wanted) {
            Ok(thumbprint) => thumbprint,
            Err(problem) => return run.fail(&problem),
        };
        if config.current != Some(thumbprint) {
            config.previous = config.current;
        }
        config.current = Some(thumbprint);
        deploys = !run.is("SkipImmediateCertificateDeployment");
    }
    if run.is("PublishCertificate") {
        let Some(next) = config.next.take() else {
            return run.fail(&Problem::refused(
                "There's no new certificate to publish. Use the NewCertificateThumbprint parameter to specify one \
                 first.",
                "Es ist kein neues Zertifikat zum Veröffentlichen vorhanden. Geben Sie zuerst mit dem Parameter \
                 NewCertificateThumbprint eines an.",
            ));
        };
        config.previous = config.current;
        config.current = Some(next);
        config.next_effective = None;
        deploys = true;
    }
    if run.is("ClearPreviousCertificate") {
        config.previous = None;
    }
    if run.given("Realm") {
        config.realm = run.text("Realm").unwrap_or_default().to_owned();
    }
    if run.text("ServiceName").is_some_and(|name| name != SERVICE) {
        return run.fail(&Problem::argument(
            "This simulation does not change the ServiceName; nobody should.",
            "Diese Simulation ändert den ServiceName nicht; niemand sollte das tun.",
        ));
    }
    let now = run.world.now;
    run.world
        .directory
        .write(site, Key::Auth, Some(Object::Auth(config)), now);
    if deploys {
        run.world.schedule_deployment(site);
    }
    Ok(())
}

/// The certificate to come and its date. `Ok(None)`: refused, and the error was written, or the person said no.
fn staged(run: &mut Run<'_>) -> Result<Option<(Thumbprint, Timestamp)>, Stop> {
    let wanted = run
        .text("NewCertificateThumbprint")
        .unwrap_or_default()
        .to_owned();
    let thumbprint = match signer(run, &wanted) {
        Ok(thumbprint) => thumbprint,
        Err(problem) => {
            run.fail(&problem)?;
            return Ok(None);
        }
    };
    let Some((at, wall)) = run.time("NewCertificateEffectiveDate") else {
        return Ok(None);
    };
    let clock = run.world.clock_of(&run.at);
    // Builds before the first half of 2022 read the date as UTC (KB5012779).
    let reads_utc = run.here().is_some_and(Server::is_before_2022);
    let effective = if reads_utc {
        wall.to_zoned(TimeZone::UTC).map_or(at, |zoned| zoned.timestamp())
    } else {
        at
    };
    let past_by_reading = effective <= clock && at > clock;
    let accepted = past_by_reading && !run.world.assumptions.past_after_utc_reading_refused;
    if effective <= clock && !accepted {
        run.fail(&Problem::argument(
            "The new certificate effective date is invalid. The effective date must be greater than the current time.",
            "Das Gültigkeitsdatum des neuen Zertifikats ist ungültig. Das Gültigkeitsdatum muss nach der aktuellen \
             Uhrzeit liegen.",
        ))?;
        return Ok(None);
    }
    if effective.duration_since(clock) < SignedDuration::from_hours(48)
        && !run.should_continue(
            "AuthEffectiveDate",
            "The new certificate effective date is not 48 hours in the future and may not be deployed on all necessary \
             servers. Do you wish to continue?",
            "Das Gültigkeitsdatum des neuen Zertifikats liegt nicht 48 Stunden in der Zukunft. Möglicherweise wird das \
             Zertifikat nicht auf allen erforderlichen Servern bereitgestellt. Möchten Sie den Vorgang fortsetzen?",
        )?
    {
        return Ok(None);
    }
    Ok(Some((thumbprint, effective)))
}

/// A certificate that can sign: on the server where the cmdlet runs, with its key, RSA in CAPI.
fn signer(run: &Run<'_>, text: &str) -> Result<Thumbprint, Problem> {
    let found = Thumbprint::parse(text)
        .and_then(|thumbprint| run.here()?.my(thumbprint))
        .ok_or_else(|| not_found(text))?;
    let thumbprint = found.certificate.thumbprint();
    let Some(key) = found.usable_key() else {
        return Err(Problem::refused(
            format!("The certificate with thumbprint {thumbprint} doesn't have a private key."),
            format!("Das Zertifikat mit dem Fingerabdruck {thumbprint} besitzt keinen privaten Schlüssel."),
        ));
    };
    if !found.certificate.is_rsa() || key.provider == Provider::Ksp {
        return Err(Problem::refused(
            format!(
                "The private key of the certificate with thumbprint {thumbprint} isn't an RSA key of a Cryptographic \
                 Service Provider."
            ),
            format!(
                "Der private Schlüssel des Zertifikats mit dem Fingerabdruck {thumbprint} ist kein RSA-Schlüssel eines \
                 Kryptografiedienstanbieters."
            ),
        ));
    }
    Ok(thumbprint)
}
