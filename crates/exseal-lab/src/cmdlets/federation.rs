//! The federation trust and what belongs to it (facts/exchange.md 8).

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop};
use super::shapes::{FEDERATED_ORGANISATION, FEDERATION_CERTIFICATE, FEDERATION_TRUST};
use super::table::{Access, Cmdlet, switch, text};
use super::values;
use crate::certificate::{Certificate, Thumbprint};
use crate::organisation::{Role, Version};
use crate::world::directory::{Federation, Key, Object};
use crate::world::{Server, ServerName};

const NAME: &str = "Microsoft Federation Gateway";

macro_rules! class {
    ($name:literal) => {
        concat!("Microsoft.Exchange.Management.SystemConfigurationTasks.", $name)
    };
}

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-FederationTrust",
        class: class!("GetFederationTrust"),
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-FederationTrust",
        class: class!("SetFederationTrust"),
        parameters: &[
            text("Identity").at(0).needed().piped(),
            text("Thumbprint").only(&["Thumbprint"]),
            switch("PublishFederationCertificate").only(&["Publish"]),
            switch("RefreshMetadata"),
        ],
        default_set: "Thumbprint",
        access: Access::Organisation,
        process: set,
    },
    Cmdlet {
        name: "Test-FederationTrustCertificate",
        class: class!("TestFederationTrustCertificate"),
        parameters: &[],
        default_set: "",
        access: Access::View,
        process: test,
    },
    Cmdlet {
        name: "Get-FederatedOrganizationIdentifier",
        class: class!("GetFederatedOrganizationIdentifier"),
        parameters: &[
            text("Identity").at(0).piped(),
            switch("IncludeExtendedDomainInfo"),
        ],
        default_set: "",
        access: Access::View,
        process: get_organisation,
    },
];

fn ad_object(run: &Run<'_>) -> AdObject {
    let (created, changed) = ad::dates(run, &Key::Federation);
    AdObject {
        name: NAME.to_owned(),
        identity: NAME.to_owned(),
        parent: format!("CN=Federation Trusts,{}", ad::organisation(run.world)),
        parent_shown: "Federation Trusts".to_owned(),
        classes: &["top", "msExchFedTrust"],
        category: "ms-Exch-Fed-Trust",
        version: (10, "14.0.100.0"),
        created,
        changed,
    }
}

/// The trust, when -Identity means it. `Ok(None)`: there is none; the error was written when one was named.
fn trust(run: &mut Run<'_>) -> Result<Option<Federation>, Stop> {
    let own = run.world.directory.federation(run.site()).cloned();
    let wanted = run.text("Identity").map(str::to_owned);
    let found = own.filter(|_| {
        wanted
            .as_ref()
            .is_none_or(|wanted| ad_object(run).is(run.world, wanted))
    });
    match wanted {
        Some(wanted) if found.is_none() && !wanted.contains('*') => {
            let problem = Problem::not_found(&wanted, &run.controller());
            run.fail(&problem)?;
            Ok(None)
        }
        _ => Ok(found),
    }
}

/// A certificate as the trust shows it: found in any store of the organisation, or null.
fn certificate(run: &Run<'_>, thumbprint: Option<Thumbprint>) -> PsValue {
    let found = thumbprint.and_then(|thumbprint| {
        run.world
            .servers
            .values()
            .find_map(|server| server.my(thumbprint))
    });
    found.map_or(PsValue::Null, |stored| certificate_object(&stored.certificate))
}

fn certificate_object(own: &Certificate) -> PsValue {
    let (subject, issuer) = (own.subject().to_string(), own.issuer().to_string());
    let object = PsObject::new(
        &[
            "System.Security.Cryptography.X509Certificates.X509Certificate2",
            "System.Security.Cryptography.X509Certificates.X509Certificate",
            "System.Object",
        ],
        format!(
            "[Subject]\r\n  {subject}\r\n\r\n[Issuer]\r\n  {issuer}\r\n\r\n[Thumbprint]\r\n  {}\r\n",
            own.thumbprint()
        ),
    )
    .with("Subject", PsValue::text(subject))
    .with("Issuer", PsValue::text(issuer))
    .with("Thumbprint", PsValue::text(own.thumbprint().to_string()))
    .with("NotBefore", PsValue::Utc(own.not_before()))
    .with("NotAfter", PsValue::Utc(own.not_after()))
    .with("RawData", PsValue::Bytes(own.der().to_vec()));
    PsValue::Object(Box::new(object))
}

fn text_of(thumbprint: Option<Thumbprint>) -> PsValue {
    PsValue::text(thumbprint.map_or_else(String::new, |own| own.to_string()))
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(trust) = trust(run)? else {
        return Ok(());
    };
    let own = ad_object(run);
    let domain = run.world.domain.clone();
    let object = FEDERATION_TRUST.object(
        run,
        NAME,
        Some(&own),
        vec![
            (
                "ApplicationUri",
                PsValue::Uri(format!("http://FYDIBOHF25SPDLT.{domain}/")),
            ),
            ("OrgCertificate", certificate(run, trust.current)),
            ("OrgNextCertificate", certificate(run, trust.next)),
            ("OrgPrevCertificate", certificate(run, trust.previous)),
            ("OrgPrivCertificate", text_of(trust.current)),
            ("OrgNextPrivCertificate", text_of(trust.next)),
            ("OrgPrevPrivCertificate", text_of(trust.previous)),
        ],
    );
    run.write(object);
    Ok(())
}

fn missing(thumbprint: &str) -> Problem {
    let mut problem = Problem::refused(
        format!("Federation certificate with the thumbprint \"{thumbprint}\" cannot be found."),
        format!("Das Verbundzertifikat mit dem Fingerabdruck \"{thumbprint}\" wurde nicht gefunden."),
    );
    problem.reason = "FederationCertificateInvalidException";
    problem.target = Some(thumbprint.to_owned());
    problem
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(mut trust) = trust(run)? else {
        return Ok(());
    };
    if let Some(text) = run.text("Thumbprint").map(str::to_owned) {
        let site = run.site();
        let held = Thumbprint::parse(&text).filter(|thumbprint| {
            run.here()
                .and_then(|server| server.my(*thumbprint))
                .is_some_and(|stored| stored.usable_key().is_some())
        });
        let Some(thumbprint) = held else {
            return run.fail(&missing(&text));
        };
        if !run.setting(NAME)? {
            return Ok(());
        }
        trust.next = Some(thumbprint);
        run.put(Key::Federation, Object::Federation(trust));
        run.world.schedule_deployment(site);
        return Ok(());
    }
    if run.is("PublishFederationCertificate") {
        let Some(next) = trust.next else {
            let problem = Problem::refused(
                "There is no next certificate to publish. Set one with Set-FederationTrust -Thumbprint first.",
                "Es ist kein nächstes Zertifikat zum Veröffentlichen vorhanden. Legen Sie zuerst mit \
                 Set-FederationTrust -Thumbprint eines fest.",
            );
            return run.fail(&problem);
        };
        if !run.setting(NAME)? {
            return Ok(());
        }
        trust.previous = trust.current;
        trust.current = Some(next);
        trust.next = None;
        run.put(Key::Federation, Object::Federation(trust));
        return Ok(());
    }
    // -RefreshMetadata alone asks the gateway, which changes nothing here.
    if run.setting(NAME)? && !run.is("RefreshMetadata") {
        return run.unchanged(NAME);
    }
    Ok(())
}

fn test(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(trust) = run.world.directory.federation(run.site()).cloned() else {
        let problem = Problem::not_found(NAME, &run.controller());
        return run.fail(&problem);
    };
    let names: Vec<ServerName> = run
        .world
        .servers
        .values()
        .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
        .map(|server| server.name.clone())
        .collect();
    let slots = [
        ("Previous", trust.previous),
        ("Current", trust.current),
        ("Next", trust.next),
    ];
    let mut objects = Vec::new();
    for (slot, thumbprint) in slots {
        let Some(thumbprint) = thumbprint else {
            continue;
        };
        for name in &names {
            let Some(server) = run.world.servers.get(name) else {
                continue;
            };
            let (state, number) = state(server, thumbprint);
            objects.push(FEDERATION_CERTIFICATE.object(
                run,
                thumbprint.to_string(),
                None,
                vec![
                    (
                        "Site",
                        run.world
                            .sites
                            .get(server.site)
                            .map_or(PsValue::Null, |site| PsValue::text(&site.name)),
                    ),
                    ("ServerName", values::server_id(run.world, name)),
                    ("Thumbprint", PsValue::text(thumbprint.to_string())),
                    ("Slot", PsValue::text(slot)),
                    (
                        "State",
                        values::enumeration(
                            "",
                            "Microsoft.Exchange.Management.SystemConfigurationTasks.CertificateState",
                            state,
                            number,
                        ),
                    ),
                ],
            ));
        }
    }
    for object in objects {
        run.write(object);
    }
    Ok(())
}

/// Whether a server has a certificate; numbers by the order of the names, which is assumed.
fn state(server: &Server, thumbprint: Thumbprint) -> (&'static str, i32) {
    if !server.reachable || !server.runs("MSExchangeServiceHost") {
        return ("ServerUnreachable", 2);
    }
    match server.my(thumbprint) {
        Some(stored) if stored.usable_key().is_some() => ("Installed", 0),
        _ => ("NotInstalled", 1),
    }
}

fn get_organisation(run: &mut Run<'_>) -> Result<(), Stop> {
    let federated = run.world.directory.federation(run.site()).is_some();
    let (created, changed) = ad::dates(run, &Key::Federation);
    let name = "Federation";
    let own = AdObject {
        name: name.to_owned(),
        identity: name.to_owned(),
        parent: ad::organisation(run.world),
        parent_shown: run.world.name.clone(),
        classes: &["top", "msExchFedOrgId"],
        category: "ms-Exch-Fed-Org-Id",
        version: (10, "14.0.100.0"),
        created,
        changed,
    };
    if let Some(wanted) = run.text("Identity").map(str::to_owned)
        && !own.is(run.world, &wanted)
        && !wanted.eq_ignore_ascii_case(&run.world.name)
    {
        let problem = Problem::not_found(&wanted, &run.controller());
        return run.fail(&problem);
    }
    let domain = run.world.domain.clone();
    let namespace = if federated {
        values::domain(&format!("FYDIBOHF25SPDLT.{domain}"))
    } else {
        PsValue::Null
    };
    let trusted = if federated {
        let own = ad_object(run);
        ad::id(
            run.world,
            NAME,
            &own.distinguished_name(),
            &own.parent_shown,
            own.guid(run.world),
        )
    } else {
        PsValue::Null
    };
    let domains = if federated {
        PsValue::texts([domain.clone(), format!("FYDIBOHF25SPDLT.{domain}")])
    } else {
        PsValue::texts(Vec::<String>::new())
    };
    let object = FEDERATED_ORGANISATION.object(
        run,
        name,
        Some(&own),
        vec![
            ("AccountNamespace", namespace.clone()),
            ("Domains", domains),
            (
                "DefaultDomain",
                if federated {
                    values::domain(&domain)
                } else {
                    PsValue::Null
                },
            ),
            ("Enabled", PsValue::Bool(federated)),
            ("DelegationTrustLink", trusted),
        ],
    );
    run.write(object);
    Ok(())
}
