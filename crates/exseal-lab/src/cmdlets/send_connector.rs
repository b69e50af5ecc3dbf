//! Get-, Set-, New- and Remove-SendConnector (facts/exchange.md 2.7).
//!
//! A name pair is taken whether or not a certificate of these names is enabled for SMTP: what Exchange says there is not
//! known for sure.

use std::net::IpAddr;

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop, find_server};
use super::shapes::{SC, SEND};
use super::table::{Access, Cmdlet, Parameter, boolean, one_of, switch, text, texts};
use super::values;
use crate::organisation::{Role, Version};
use crate::world::ServerName;
use crate::world::directory::{Key, Object, SendConnector};

const LEVEL: Parameter = one_of(
    "TlsAuthLevel",
    "Microsoft.Exchange.Data.TlsAuthLevel",
    &["EncryptionOnly", "CertificateValidation", "DomainValidation"],
);
const GROUP: &str = "Exchange Routing Group (DWBGZMFD01QNBJR)";

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-SendConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetSendConnector",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-SendConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetSendConnector",
        parameters: &[
            text("Identity").at(0).needed().piped(),
            texts("AddressSpaces"),
            texts("SmartHosts"),
            texts("SourceTransportServers"),
            text("Fqdn"),
            text("TlsCertificateName"),
            boolean("RequireTLS"),
            LEVEL,
            text("TlsDomain"),
            boolean("CloudServicesMailEnabled"),
            boolean("IgnoreSTARTTLS"),
            boolean("DomainSecureEnabled"),
            boolean("FrontendProxyEnabled"),
            boolean("Enabled"),
            switch("Force"),
        ],
        default_set: "",
        access: Access::Organisation,
        process: set,
    },
    Cmdlet {
        name: "New-SendConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.NewSendConnector",
        parameters: &[
            text("Name").at(0).needed(),
            texts("AddressSpaces"),
            texts("SmartHosts"),
            texts("SourceTransportServers"),
            text("Fqdn"),
            text("TlsCertificateName"),
            boolean("RequireTLS"),
            LEVEL,
            text("TlsDomain"),
            boolean("CloudServicesMailEnabled"),
            boolean("IgnoreSTARTTLS"),
            boolean("DomainSecureEnabled"),
            boolean("FrontendProxyEnabled"),
            boolean("Enabled"),
            boolean("DNSRoutingEnabled"),
            switch("Custom"),
            switch("Internet"),
            switch("Internal"),
            switch("Partner"),
            switch("Force"),
        ],
        default_set: "",
        access: Access::Organisation,
        process: new,
    },
    Cmdlet {
        name: "Remove-SendConnector",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.RemoveSendConnector",
        parameters: &[text("Identity").at(0).needed().piped()],
        default_set: "",
        access: Access::Organisation,
        process: remove,
    },
];

/// The GUID of a connector by name.
pub(crate) fn guid(run: &Run<'_>, name: &str) -> Option<uuid::Uuid> {
    let connector = run.world.directory.send(run.site(), name)?;
    Some(ad_object(run, connector).guid(run.world))
}

fn key(connector: &SendConnector) -> Key {
    Key::Send(connector.name.to_lowercase())
}

fn ad_object(run: &Run<'_>, connector: &SendConnector) -> AdObject {
    let (created, changed) = ad::dates(run, &key(connector));
    AdObject {
        name: connector.name.clone(),
        identity: connector.name.clone(),
        parent: format!(
            "CN=Connections,CN={GROUP},CN=Routing Groups,CN=Exchange Administrative Group (FYDIBOHF23SPDLT),\
             CN=Administrative Groups,{}",
            ad::organisation(run.world)
        ),
        parent_shown: "Connections".to_owned(),
        classes: &[
            "top",
            "msExchConnector",
            "mailGateway",
            "msExchRoutingSMTPConnector",
        ],
        category: "ms-Exch-Routing-SMTP-Connector",
        version: (1, "8.0.535.0"),
        created,
        changed,
    }
}

/// The connectors -Identity means, or all. Without a match the error was written.
fn wanted(run: &mut Run<'_>) -> Result<Vec<SendConnector>, Stop> {
    let known: Vec<SendConnector> = run.world.directory.send_connectors(run.site()).cloned().collect();
    let Some(wanted) = run.text("Identity").map(str::to_owned) else {
        return Ok(known);
    };
    let found: Vec<SendConnector> = known
        .into_iter()
        .filter(|connector| ad_object(run, connector).is(run.world, &wanted))
        .collect();
    if found.is_empty() && !wanted.contains('*') {
        let problem = Problem::not_found(&wanted, &run.controller());
        run.fail(&problem)?;
    }
    Ok(found)
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    for connector in wanted(run)? {
        let object = shown(run, &connector);
        run.write(object);
    }
    Ok(())
}

/// TlsAuthLevel with its number.
fn level(run: &Run<'_>, name: &str) -> PsValue {
    let number = match name {
        "EncryptionOnly" => 1,
        "CertificateValidation" => 2,
        _ => run.world.assumptions.domain_validation_number,
    };
    values::enumeration(super::shapes::DATA, "TlsAuthLevel", name.to_owned(), number)
}

fn shown(run: &Run<'_>, connector: &SendConnector) -> PsObject {
    let world = &*run.world;
    let own = ad_object(run, connector);
    let home = connector.sources.first();
    let group = [
        GROUP,
        "Routing Groups",
        "Exchange Administrative Group (FYDIBOHF23SPDLT)",
        "Administrative Groups",
    ];
    let mta = |server: &ServerName| {
        let name = server.as_str().to_uppercase();
        let place = format!("CN=Microsoft MTA,CN={name},{}", ad::servers(world));
        ad::id(world, "Microsoft MTA", &place, &name, world.guid(&place))
    };
    let flag = PsValue::Bool;
    SEND.object(
        run,
        own.identity.clone(),
        Some(&own),
        vec![
            ("DNSRoutingEnabled", flag(connector.smart_hosts.is_empty())),
            (
                "TlsDomain",
                connector
                    .tls_domain
                    .as_deref()
                    .map_or(PsValue::Null, values::domain_with_subdomains),
            ),
            (
                "TlsAuthLevel",
                connector
                    .tls_auth_level
                    .as_deref()
                    .map_or(PsValue::Null, |name| level(run, name)),
            ),
            ("SmartHosts", values::smart_hosts(&connector.smart_hosts)),
            ("FrontendProxyEnabled", flag(connector.frontend_proxy)),
            ("IgnoreSTARTTLS", flag(connector.ignore_starttls)),
            ("CloudServicesMailEnabled", flag(connector.cloud_services_mail)),
            (
                "Fqdn",
                connector.fqdn.as_deref().map_or(PsValue::Null, values::fqdn),
            ),
            (
                "TlsCertificateName",
                values::identifier(connector.tls_certificate_name.as_deref()),
            ),
            ("RequireTLS", flag(connector.require_tls)),
            ("Enabled", flag(connector.enabled)),
            ("DomainSecureEnabled", flag(connector.domain_secure)),
            ("SourceIPAddress", values::address(IpAddr::from([0, 0, 0, 0]))),
            ("SmartHostsString", PsValue::text(connector.smart_hosts.join(","))),
            ("AddressSpaces", values::address_spaces(&connector.address_spaces)),
            ("SourceRoutingGroup", values::place_id(world, &group)),
            (
                "SourceTransportServers",
                values::server_ids(run, &connector.sources),
            ),
            ("HomeMTA", home.map_or(PsValue::Null, mta)),
            (
                "HomeMtaServerId",
                home.map_or(PsValue::Null, |server| values::server_id(world, server)),
            ),
            (
                "SmartHostAuthMechanism",
                values::enumeration(SC, "SmtpSendConnectorConfig+AuthMechanisms", "None", 0),
            ),
        ],
    )
}

/// Takes the arguments over. `Ok(false)`: a server that is not there, and the error was written.
fn apply(run: &mut Run<'_>, connector: &mut SendConnector) -> Result<bool, Stop> {
    if run.given("Fqdn") {
        connector.fqdn = run.text("Fqdn").map(str::to_owned);
    }
    if run.given("TlsCertificateName") {
        connector.tls_certificate_name = run.name_pair("TlsCertificateName")?;
    }
    if run.given("TlsAuthLevel") {
        connector.tls_auth_level = run.text("TlsAuthLevel").map(str::to_owned);
    }
    if run.given("TlsDomain") {
        connector.tls_domain = run.text("TlsDomain").map(str::to_owned);
    }
    for (name, value) in [
        ("RequireTLS", &mut connector.require_tls),
        ("CloudServicesMailEnabled", &mut connector.cloud_services_mail),
        ("IgnoreSTARTTLS", &mut connector.ignore_starttls),
        ("DomainSecureEnabled", &mut connector.domain_secure),
        ("FrontendProxyEnabled", &mut connector.frontend_proxy),
        ("Enabled", &mut connector.enabled),
    ] {
        *value = run.boolean(name).unwrap_or(*value);
    }
    if let Some(texts) = run.texts("AddressSpaces") {
        connector.address_spaces = texts
            .iter()
            .map(|text| {
                let (kind, address, cost) = values::address_space(text);
                format!("{kind}:{address};{cost}")
            })
            .collect();
    }
    if let Some(texts) = run.texts("SmartHosts") {
        connector.smart_hosts = texts.to_vec();
    }
    if run.boolean("DNSRoutingEnabled") == Some(true) {
        connector.smart_hosts.clear();
    }
    if let Some(texts) = run.texts("SourceTransportServers").map(<[String]>::to_vec) {
        let mut sources = Vec::new();
        for text in texts {
            let Some(name) = find_server(run.world, &text) else {
                let problem = Problem::not_found(&text, &run.controller());
                run.fail(&problem)?;
                return Ok(false);
            };
            sources.push(name);
        }
        connector.sources = sources;
    }
    Ok(true)
}

/// Why a connector cannot be so (facts/exchange.md 2.7, E12).
fn fault(run: &Run<'_>, connector: &SendConnector) -> Option<Problem> {
    let validates = connector.tls_auth_level.as_deref() == Some("DomainValidation");
    let by_dns = connector.smart_hosts.is_empty();
    let given = |name: &str| run.text(name).is_some();
    if given("TlsCertificateName") && !connector.require_tls {
        return Some(Problem::invalid(
            "RequiredTls flag should be set to true if TlsCertificateName is specified",
            "Das Flag RequiredTls muss auf TRUE gesetzt werden, wenn TlsCertificateName angegeben ist",
        ));
    }
    if connector.tls_auth_level.is_some() && (!connector.require_tls || connector.ignore_starttls) {
        return Some(Problem::invalid(
            "TlsAuthLevel can be set only when RequireTLS is $true and IgnoreSTARTTLS is $false.",
            "TlsAuthLevel kann nur festgelegt werden, wenn RequireTLS $true und IgnoreSTARTTLS $false ist.",
        ));
    }
    if connector.tls_domain.is_some() && !validates {
        return Some(Problem::invalid(
            "TlsDomain can be set only when TlsAuthLevel is DomainValidation.",
            "TlsDomain kann nur festgelegt werden, wenn TlsAuthLevel DomainValidation ist.",
        ));
    }
    if validates && !by_dns && connector.tls_domain.is_none() {
        return Some(Problem::invalid(
            "TlsDomain is required when TlsAuthLevel is DomainValidation and the connector uses smart hosts.",
            "TlsDomain ist erforderlich, wenn TlsAuthLevel DomainValidation ist und der Connector Smarthosts verwendet.",
        ));
    }
    if connector.domain_secure && !by_dns {
        return Some(Problem::invalid(
            "DomainSecureEnabled can be set to $true only when DNSRoutingEnabled is $true.",
            "DomainSecureEnabled kann nur dann auf $true gesetzt werden, wenn DNSRoutingEnabled $true ist.",
        ));
    }
    None
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    for before in wanted(run)? {
        let mut after = before.clone();
        if !apply(run, &mut after)? {
            return Ok(());
        }
        if let Some(problem) = fault(run, &after) {
            return run.fail(&problem);
        }
        if !run.setting(&before.name)? {
            return Ok(());
        }
        if after == before {
            run.unchanged(&before.name)?;
        } else {
            run.put(key(&after), Object::Send(after));
        }
    }
    Ok(())
}

fn new(run: &mut Run<'_>) -> Result<(), Stop> {
    let mailbox = run
        .world
        .servers
        .values()
        .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
        .filter(|server| server.name == run.at)
        .map(|server| server.name.clone())
        .collect();
    let mut connector = SendConnector {
        name: run.text("Name").unwrap_or_default().to_owned(),
        address_spaces: Vec::new(),
        smart_hosts: Vec::new(),
        sources: mailbox,
        fqdn: None,
        tls_certificate_name: None,
        require_tls: false,
        tls_auth_level: None,
        tls_domain: None,
        cloud_services_mail: false,
        ignore_starttls: false,
        domain_secure: false,
        frontend_proxy: false,
        enabled: true,
    };
    if !apply(run, &mut connector)? {
        return Ok(());
    }
    if connector.address_spaces.is_empty() {
        let problem = Problem::invalid(
            "At least one address space is required for a Send connector.",
            "Für einen Sendeconnector ist mindestens ein Adressraum erforderlich.",
        );
        return run.fail(&problem);
    }
    let exists = run.world.directory.send(run.site(), &connector.name).is_some();
    if exists {
        return run.fail(&Problem::exists(&connector.name));
    }
    if let Some(problem) = fault(run, &connector) {
        return run.fail(&problem);
    }
    if run.creating(&connector.name)? {
        run.put(key(&connector), Object::Send(connector.clone()));
        let object = shown(run, &connector);
        run.write(object);
    }
    Ok(())
}

fn remove(run: &mut Run<'_>) -> Result<(), Stop> {
    for connector in wanted(run)? {
        if run.removing(&connector.name)? {
            run.delete(key(&connector));
        }
    }
    Ok(())
}
