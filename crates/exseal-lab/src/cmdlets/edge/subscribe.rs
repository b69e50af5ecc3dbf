//! New- and Remove-EdgeSubscription, on both sides.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::super::error::Problem;
use super::super::run::{Run, Stop, find_server};
use super::{at_edge, shown, wanted};
use crate::certificate::Thumbprint;
use crate::organisation::{Role, Version};
use crate::world::directory::{EdgeSubscription, Key, Object, SendConnector};
use crate::world::{EdgeAccount, ServerName, SubscriptionFile};

/// The bootstrap account lives for a day, unless somebody says otherwise.
const DAY: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn new(run: &mut Run<'_>) -> Result<(), Stop> {
    if at_edge(run) {
        at_the_edge(run)
    } else {
        in_the_organisation(run)
    }
}

/// `1.00:00:00`, `12:30:00`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (days, rest) = match text.split_once('.') {
        Some((days, rest)) => (days.parse::<i64>().ok()?, rest),
        None => (0, text),
    };
    let mut parts = rest.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    if parts.next().is_some() || [days, hours, minutes, seconds].iter().any(|part| *part < 0) {
        return None;
    }
    let seconds = days
        .checked_mul(86_400)?
        .checked_add(hours.checked_mul(3600)?)?
        .checked_add(minutes.checked_mul(60)?)?
        .checked_add(seconds)?;
    Some(SignedDuration::from_secs(seconds))
}

/// On the Edge: makes the bootstrap account and writes the file.
fn at_the_edge(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(path) = run
        .text("FileName")
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
    else {
        return run.fail(&Problem::argument(
            "The FileName parameter is required on an Edge Transport server.",
            "Der Parameter FileName ist auf einem Edge-Transport-Server erforderlich.",
        ));
    };
    if run.given("FileData") || run.given("Site") {
        return run.fail(&Problem::argument(
            "The FileData and Site parameters can't be used on an Edge Transport server.",
            "Die Parameter FileData und Site können auf einem Edge-Transport-Server nicht verwendet werden.",
        ));
    }
    let lives = match run.text("AccountExpiryDuration") {
        None => DAY,
        Some(text) => match duration(text).filter(|lives| *lives >= SignedDuration::from_mins(2)) {
            Some(lives) => lives,
            None => {
                let text = text.to_owned();
                return Err(run.unfit(
                    "AccountExpiryDuration",
                    &text,
                    "Microsoft.Exchange.Data.EnhancedTimeSpan",
                ));
            }
        },
    };
    let minutes = lives.as_mins();
    let sure = run.should_continue(
        "EdgeSubscription",
        &format!(
            "If you create an Edge Subscription, this Edge Transport server will be managed via EdgeSync replication. As a \
             result, any of the following objects that were created manually will be deleted: accepted domains; message \
             classifications; remote domains; and Send connectors. After creating the Edge Subscription, you must manage \
             these objects from inside the organization and allow EdgeSync to update the Edge Transport server. Also, the \
             InternalSMTPServers list of the TransportConfig object will be overwritten during the synchronization \
             process. EdgeSync requires that this Edge Transport server is able to resolve the FQDN of the Mailbox servers \
             in the Active Directory site to which the Edge Transport server is being subscribed, and those Mailbox servers \
             be able to resolve the FQDN of this Edge Transport server. You should complete the Edge Subscription inside the \
             organization in the next \"{minutes}\" minutes before the bootstrap account expires."
        ),
        &format!(
            "Wenn Sie ein Edge-Abonnement erstellen, wird dieser Edge-Transport-Server per EdgeSync-Replikation verwaltet. \
             Manuell erstellte akzeptierte Domänen, Nachrichtenklassifikationen, Remotedomänen und Sendeconnectors werden \
             gelöscht, und die Liste InternalSMTPServers wird überschrieben. Schließen Sie das Abonnement innerhalb der \
             nächsten \"{minutes}\" Minuten in der Organisation ab, bevor das Bootstrapkonto abläuft."
        ),
    )?;
    if !sure {
        return Ok(());
    }
    let (edge, clock) = (run.at.clone(), run.world.clock_of(&run.at));
    let Some(server) = run.here() else { return Ok(()) };
    let (site, fqdn) = (server.site, server.fqdn.clone());
    let version = server.build.map(|part| part.to_string()).join(".");
    if !server.runs("ADAM_MSExchange") {
        return run.fail(&Problem::refused(
            "Microsoft Exchange couldn't create or update the Edge Subscription account on the Edge Transport server for the \
             following reason: The LDAP server is unavailable..",
            "Microsoft Exchange konnte das Edge-Abonnementkonto auf dem Edge-Transport-Server aus folgendem Grund nicht \
             erstellen oder aktualisieren: The LDAP server is unavailable..",
        ));
    }
    // What the Edge presents to mailbox servers; one that is gone cannot be written down.
    let certificate = run
        .world
        .directory
        .internal_transport(site, &edge)
        .filter(|own| server.my(own.thumbprint()).is_some())
        .cloned();
    let Some(certificate) = certificate else {
        return run.fail(&Problem::refused(
            "The default SMTP certificate of this Edge Transport server couldn't be found in the personal store.",
            "Das SMTP-Standardzertifikat dieses Edge-Transport-Servers wurde im persönlichen Speicher nicht gefunden.",
        ));
    };
    let number = run.world.next_number();
    let name = edge.as_str().to_uppercase();
    let file = SubscriptionFile {
        name: name.clone(),
        fqdn,
        certificate,
        user: format!("bootstrap.{name}.{number}"),
        until: clock.checked_add(lives).unwrap_or(clock),
    };
    let password = run
        .world
        .guid(&format!("bootstrap/{number}"))
        .simple()
        .to_string();
    let text = file.text(clock, minutes, &password, &version);
    run.world.put_file(&path, text.into_bytes());
    run.world.edge_accounts.insert(
        edge,
        EdgeAccount {
            user: file.user,
            until: Some(file.until),
        },
    );
    Ok(())
}

/// Inside: takes the file, seals credentials for the mailbox servers of a site, makes the connectors.
fn in_the_organisation(run: &mut Run<'_>) -> Result<(), Stop> {
    if run.given("FileName") || !run.given("FileData") || !run.given("Site") {
        return run.fail(&Problem::argument(
            "The FileData and Site parameters are required on a Mailbox server, and FileName can't be used there.",
            "Die Parameter FileData und Site sind auf einem Postfachserver erforderlich, FileName kann dort nicht verwendet \
             werden.",
        ));
    }
    let wanted = run.text("Site").unwrap_or_default().to_owned();
    let short = wanted.rsplit('/').next().unwrap_or(&wanted).to_owned();
    let Some(site) = run
        .world
        .sites
        .iter()
        .find(|own| own.name.eq_ignore_ascii_case(&short))
        .map(|own| own.name.clone())
    else {
        let problem = Problem::not_found(&wanted, &run.controller());
        return run.fail(&problem);
    };
    let file = match SubscriptionFile::read(run.bytes("FileData").unwrap_or_default()) {
        Ok(file) => file,
        Err(element) => {
            return run.fail(&Problem::argument(
                format!("The Edge Subscription file isn't valid. The element {element} is missing or can't be read."),
                format!(
                    "Die Edge-Abonnementdatei ist ungültig. Das Element {element} fehlt oder kann nicht gelesen werden."
                ),
            ));
        }
    };
    if file.until < run.world.clock_of(&run.at) {
        return run.fail(&Problem::refused(
            format!("The bootstrap account of the Edge Subscription file of '{}' expired. Create a new file.", file.fqdn),
            format!(
                "Das Bootstrapkonto der Edge-Abonnementdatei von '{}' ist abgelaufen. Erstellen Sie eine neue Datei.",
                file.fqdn
            ),
        ));
    }
    let edge = find_server(run.world, &file.fqdn).unwrap_or_else(|| ServerName::new(&file.name));
    let known = run.world.directory.edge_subscription(run.site(), &edge).is_some();
    if known
        && !run.should_continue(
            "EdgeSubscriptionExists",
            &format!(
                "An Edge Subscription of '{}' exists. Do you want to replace it?",
                file.fqdn
            ),
            &format!(
                "Ein Edge-Abonnement von '{}' ist vorhanden. Möchten Sie es ersetzen?",
                file.fqdn
            ),
        )?
    {
        return Ok(());
    }
    if !run.creating(&file.name)? {
        return Ok(());
    }
    let subscription = EdgeSubscription {
        credentials: credentials(run, &site),
        edge: edge.clone(),
        fqdn: file.fqdn.clone(),
        certificate: Some(file.certificate),
        account: file.user,
        bootstrap_until: Some(file.until),
        synchronized: None,
        site: site.clone(),
    };
    run.put(
        Key::EdgeSubscription(edge.clone()),
        Object::EdgeSubscription(subscription.clone()),
    );
    connectors(run, &edge, &site);
    run.world.schedule_edge_sync();
    run.warn(
        &format!(
            "EdgeSync requires that the Mailbox servers in Active Directory site {site} be able to resolve the IP address for \
             {fqdn} and be able to connect to that host on port 50636.",
            fqdn = file.fqdn
        ),
        &format!(
            "EdgeSync erfordert, dass die Postfachserver am Active Directory-Standort {site} die IP-Adresse von {fqdn} \
             auflösen und eine Verbindung mit Port 50636 dieses Hosts herstellen können.",
            fqdn = file.fqdn
        ),
    )?;
    let object = shown(run, &subscription);
    run.write(object);
    Ok(())
}

/// Credentials are sealed for the internal transport certificate of every mailbox server of the site that is there now.
fn credentials(run: &Run<'_>, site: &str) -> BTreeMap<ServerName, Thumbprint> {
    let world = &*run.world;
    world
        .servers
        .values()
        .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
        .filter(|server| world.sites.get(server.site).is_some_and(|own| own.name == site))
        .filter_map(|server| {
            let own = world.directory.internal_transport(server.site, &server.name)?;
            Some((server.name.clone(), own.thumbprint()))
        })
        .collect()
}

/// The two automatic connectors, unless somebody said not to.
fn connectors(run: &mut Run<'_>, edge: &ServerName, site: &str) {
    let plain = |name: String, space: &str, hosts: Vec<String>, domain_secure| SendConnector {
        name,
        address_spaces: vec![space.to_owned()],
        smart_hosts: hosts,
        sources: vec![edge.clone()],
        fqdn: None,
        tls_certificate_name: None,
        require_tls: false,
        tls_auth_level: None,
        tls_domain: None,
        cloud_services_mail: false,
        ignore_starttls: false,
        domain_secure,
        frontend_proxy: false,
        enabled: true,
    };
    let inbound = plain(
        format!("EdgeSync - Inbound to {site}"),
        "SMTP:--;100",
        vec!["--".to_owned()],
        false,
    );
    let internet = plain(
        format!("EdgeSync - {site} to Internet"),
        "SMTP:*;100",
        Vec::new(),
        true,
    );
    for (connector, parameter) in [
        (inbound, "CreateInboundSendConnector"),
        (internet, "CreateInternetSendConnector"),
    ] {
        if run.boolean(parameter).unwrap_or(true) {
            run.put(Key::Send(connector.name.to_lowercase()), Object::Send(connector));
        }
    }
}

pub(super) fn remove(run: &mut Run<'_>) -> Result<(), Stop> {
    if at_edge(run) {
        let identity = run.text("Identity").unwrap_or_default().to_owned();
        let own = run.at.clone();
        let means_itself = find_server(run.world, &identity).is_some_and(|name| name == own);
        if !means_itself || !run.world.edge_accounts.contains_key(&own) {
            let problem = Problem::not_found(&identity, &run.controller());
            return run.fail(&problem);
        }
        if run.is("Force") || run.removing(own.as_str())? {
            run.world.edge_accounts.remove(&own);
        }
        return Ok(());
    }
    for subscription in wanted(run, "Identity")? {
        let edge = subscription.edge;
        if !run.is("Force") && !run.removing(edge.as_str())? {
            continue;
        }
        run.delete(Key::EdgeSubscription(edge.clone()));
        let of_edge: Vec<SendConnector> = run
            .world
            .directory
            .send_connectors(run.site())
            .filter(|connector| connector.sources.contains(&edge))
            .cloned()
            .collect();
        for mut connector in of_edge {
            connector.sources.retain(|source| *source != edge);
            let key = Key::Send(connector.name.to_lowercase());
            if connector.sources.is_empty() {
                run.delete(key);
            } else {
                run.put(key, Object::Send(connector));
            }
        }
    }
    Ok(())
}
