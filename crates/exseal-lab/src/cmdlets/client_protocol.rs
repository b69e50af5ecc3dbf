//! Get- and Set-PopSettings, Get- and Set-ImapSettings (facts/exchange.md 2.9). No real server's object was recorded:
//! the properties are the documented ones.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::exchange_server::time_span;
use super::object::{EXCHANGE_DATA, PsObject, PsValue};
use super::payload;
use super::run::{Run, Stop};
use super::table::{Access, Cmdlet, Parameter, boolean, one_of, text, texts};
use crate::world::ServerName;
use crate::world::directory::{ClientProtocol, Key, Object, ProtocolSettings};

const LOGIN_TYPES: &[&str] = &["PlainTextLogin", "PlainTextAuthentication", "SecureLogin"];
const LOGIN_TYPE: &str = "Microsoft.Exchange.Data.Directory.SystemConfiguration.LoginOptions";

const SET: &[Parameter] = &[
    text("Server"),
    text("X509CertificateName"),
    texts("ExternalConnectionSettings"),
    texts("InternalConnectionSettings"),
    one_of("LoginType", LOGIN_TYPE, LOGIN_TYPES),
    boolean("ProtocolLogEnabled"),
];

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-PopSettings",
        class: "Microsoft.Exchange.Management.Tasks.GetPop3Configuration",
        parameters: &[text("Server").at(0)],
        default_set: "",
        access: Access::View,
        process: get_pop,
    },
    Cmdlet {
        name: "Set-PopSettings",
        class: "Microsoft.Exchange.Management.Tasks.SetPop3Configuration",
        parameters: SET,
        default_set: "",
        access: Access::Servers,
        process: set_pop,
    },
    Cmdlet {
        name: "Get-ImapSettings",
        class: "Microsoft.Exchange.Management.Tasks.GetImap4Configuration",
        parameters: &[text("Server").at(0)],
        default_set: "",
        access: Access::View,
        process: get_imap,
    },
    Cmdlet {
        name: "Set-ImapSettings",
        class: "Microsoft.Exchange.Management.Tasks.SetImap4Configuration",
        parameters: SET,
        default_set: "",
        access: Access::Servers,
        process: set_imap,
    },
];

fn get_pop(run: &mut Run<'_>) -> Result<(), Stop> {
    get(run, ClientProtocol::Pop)
}

fn get_imap(run: &mut Run<'_>) -> Result<(), Stop> {
    get(run, ClientProtocol::Imap)
}

fn set_pop(run: &mut Run<'_>) -> Result<(), Stop> {
    set(run, ClientProtocol::Pop)
}

fn set_imap(run: &mut Run<'_>) -> Result<(), Stop> {
    set(run, ClientProtocol::Imap)
}

/// The server asked about and its settings. `Ok(None)`: there are none, and the error was written.
fn settings(
    run: &mut Run<'_>,
    protocol: ClientProtocol,
) -> Result<Option<(ServerName, ProtocolSettings)>, Stop> {
    let Some(target) = run.target()? else {
        return Ok(None);
    };
    let found = run
        .world
        .directory
        .protocol(run.site(), &target, protocol)
        .cloned();
    match found {
        Some(settings) => Ok(Some((target, settings))),
        None => {
            let problem = Problem::not_found(&format!("{target}\\1"), &run.controller());
            run.fail(&problem)?;
            Ok(None)
        }
    }
}

fn get(run: &mut Run<'_>, protocol: ClientProtocol) -> Result<(), Stop> {
    if let Some((target, settings)) = settings(run, protocol)? {
        let object = shown(run, &target, &settings, protocol);
        run.write(object);
    }
    Ok(())
}

fn set(run: &mut Run<'_>, protocol: ClientProtocol) -> Result<(), Stop> {
    let Some((target, old)) = settings(run, protocol)? else {
        return Ok(());
    };
    let name = target.as_str().to_uppercase();
    let mut new = old.clone();
    if run.given("X509CertificateName") {
        let host = run.text("X509CertificateName").unwrap_or_default().to_owned();
        if host.is_empty()
            || !host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.*".contains(&byte))
        {
            return run.fail(&Problem::argument(
                format!("The X509CertificateName '{host}' isn't a valid host name."),
                format!("Der X509CertificateName '{host}' ist kein gültiger Hostname."),
            ));
        }
        new.x509_certificate_name = host;
    }
    for (parameter, field) in [
        ("ExternalConnectionSettings", &mut new.external),
        ("InternalConnectionSettings", &mut new.internal),
    ] {
        let Some(given) = run.texts(parameter).map(<[String]>::to_vec) else {
            continue;
        };
        if let Some(wrong) = given.iter().find(|own| !is_connection(own)) {
            return run.fail(&Problem::argument(
                format!("'{wrong}' isn't a connection setting. Expected: <hostname>:<port>[:<TLS | SSL>]."),
                format!(
                    "'{wrong}' ist keine Verbindungseinstellung. Erwartet: <Hostname>:<Port>[:<TLS | SSL>]."
                ),
            ));
        }
        *field = given;
    }
    if let Some(login) = run.text("LoginType") {
        login.clone_into(&mut new.login_type);
    }
    new.log_enabled = run.boolean("ProtocolLogEnabled").unwrap_or(new.log_enabled);
    if !run.should_process(
        false,
        &format!("Setting {} settings \"{name}\\1\".", word(protocol)),
        &format!(
            "Die {}-Einstellungen \"{name}\\1\" werden festgelegt.",
            word(protocol)
        ),
    )? {
        return Ok(());
    }
    if new == old {
        return run.warn(
            &format!("The command completed successfully but no settings of '{name}\\1' have been modified."),
            &format!(
                "Der Befehl wurde erfolgreich abgeschlossen, es wurden jedoch keine Einstellungen von '{name}\\1' \
                 geändert."
            ),
        );
    }
    let (site, now) = (run.site(), run.world.now);
    run.world.directory.write(
        site,
        Key::Protocol(target, protocol),
        Some(Object::Protocol(new)),
        now,
    );
    run.warn(
        &format!(
            "Changes to {} settings will only take effect after all Microsoft Exchange {} services are restarted on \
             server {name}.",
            word(protocol),
            word(protocol)
        ),
        &format!(
            "Änderungen an den {}-Einstellungen werden erst wirksam, nachdem alle Microsoft Exchange-{}-Dienste auf \
             Server {name} neu gestartet wurden.",
            word(protocol),
            word(protocol)
        ),
    )
}

/// `host:port`, `host:port:TLS`, `host:port:SSL`.
fn is_connection(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, port, mode) = match parts.as_slice() {
        [host, port] => (host, port, "TLS"),
        [host, port, mode] => (host, port, *mode),
        _ => return false,
    };
    !host.is_empty()
        && port.parse::<u16>().is_ok()
        && ["TLS", "SSL"].iter().any(|own| own.eq_ignore_ascii_case(mode))
}

const fn word(protocol: ClientProtocol) -> &'static str {
    match protocol {
        ClientProtocol::Pop => "POP3",
        ClientProtocol::Imap => "IMAP4",
    }
}

fn shown(
    run: &Run<'_>,
    target: &ServerName,
    settings: &ProtocolSettings,
    protocol: ClientProtocol,
) -> PsObject {
    let world = &*run.world;
    let key = Key::Protocol(target.clone(), protocol);
    let (created, changed) = ad::dates(run, &key);
    let server = target.as_str().to_uppercase();
    let (class, types, plain, implicit, proxy): (&[_], _, _, _, _) = match protocol {
        ClientProtocol::Pop => (
            &["top", "protocolCfg", "protocolCfgPOP", "protocolCfgPOPServer"],
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.Pop3AdConfiguration",
            110,
            995,
            1995,
        ),
        ClientProtocol::Imap => (
            &["top", "protocolCfg", "protocolCfgIMAP", "protocolCfgIMAPServer"],
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.Imap4AdConfiguration",
            143,
            993,
            1993,
        ),
    };
    let own = AdObject {
        name: "1".to_owned(),
        identity: format!("{server}\\1"),
        parent: format!(
            "CN={},CN=Protocols,CN={server},{}",
            word(protocol),
            ad::servers(world)
        ),
        parent_shown: format!("{server}\\{}", word(protocol)),
        classes: class,
        category: match protocol {
            ClientProtocol::Pop => "Protocol-Cfg-POP-Server",
            ClientProtocol::Imap => "Protocol-Cfg-IMAP-Server",
        },
        version: (1, "8.0.535.0"),
        created,
        changed,
    };
    let bindings = |port: i32| {
        let items = [format!("[::]:{port}"), format!("0.0.0.0:{port}")]
            .into_iter()
            .map(|text| {
                PsValue::Object(Box::new(PsObject::new(
                    &[
                        "Microsoft.Exchange.Data.IPBinding",
                        "System.Net.IPEndPoint",
                        "System.Object",
                    ],
                    text,
                )))
            })
            .collect();
        PsValue::multi("Microsoft.Exchange.Data.IPBinding", EXCHANGE_DATA, items)
    };
    let connections = |settings: &[String]| {
        let items = settings
            .iter()
            .map(|text| {
                PsValue::Object(Box::new(PsObject::new(
                    &[
                        "Microsoft.Exchange.Data.ProtocolConnectionSettings",
                        "System.Object",
                    ],
                    text,
                )))
            })
            .collect();
        PsValue::multi(
            "Microsoft.Exchange.Data.ProtocolConnectionSettings",
            EXCHANGE_DATA,
            items,
        )
    };
    let login = LOGIN_TYPES
        .iter()
        .position(|own| own.eq_ignore_ascii_case(&settings.login_type))
        .and_then(|at| i32::try_from(at + 1).ok())
        .unwrap_or(3);
    let object = PsObject::new(
        &[
            types,
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.PopImapAdConfiguration",
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADEmailTransport",
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADConfigurationObject",
            "Microsoft.Exchange.Data.Directory.ADObject",
            "Microsoft.Exchange.Data.Directory.ADRawEntry",
            "Microsoft.Exchange.Data.ConfigurableObject",
            "System.Object",
        ],
        format!("{server}\\1"),
    )
    .with("ProtocolName", PsValue::text(word(protocol)))
    .with("Name", PsValue::text("1"))
    .with("UnencryptedOrTLSBindings", bindings(plain))
    .with("SSLBindings", bindings(implicit))
    .with("InternalConnectionSettings", connections(&settings.internal))
    .with("ExternalConnectionSettings", connections(&settings.external))
    .with(
        "X509CertificateName",
        PsValue::text(&settings.x509_certificate_name),
    )
    .with(
        "Banner",
        PsValue::text(match protocol {
            ClientProtocol::Pop => "The Microsoft Exchange POP3 service is ready.",
            ClientProtocol::Imap => "The Microsoft Exchange IMAP4 service is ready.",
        }),
    )
    .with(
        "LoginType",
        PsValue::Enum(LOGIN_TYPE.into(), settings.login_type.clone().into(), login),
    )
    .with("AuthenticatedConnectionTimeout", time_span(1800))
    .with("PreAuthenticatedConnectionTimeout", time_span(60))
    .with("MaxConnections", PsValue::Int(2_147_483_647))
    .with("MaxConnectionFromSingleIP", PsValue::Int(2_147_483_647))
    .with("MaxConnectionsPerUser", PsValue::Int(16))
    .with("ProxyTargetPort", PsValue::Int(proxy))
    .with("ProtocolLogEnabled", PsValue::Bool(settings.log_enabled))
    .with("EnforceCertificateErrors", PsValue::Bool(false))
    .with(
        "ExtendedProtectionPolicy",
        PsValue::enumeration(
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ExtendedProtectionTokenCheckingMode",
            "None",
            0,
        ),
    )
    .with("EnableGSSAPIAndNTLMAuth", PsValue::Bool(true))
    .with(
        "Server",
        ad::id(
            world,
            &server,
            &format!("CN={server},{}", ad::servers(world)),
            "Servers",
            world.guid(&format!("CN={server},{}", ad::servers(world))),
        ),
    );
    let mut object = own.add(
        run,
        object,
        &[
            "AdminDisplayName",
            "ExchangeVersion",
            "DistinguishedName",
            "Identity",
            "Guid",
            "ObjectCategory",
            "ObjectClass",
            "WhenChanged",
            "WhenCreated",
            "WhenChangedUTC",
            "WhenCreatedUTC",
            "OrganizationId",
            "Id",
            "OriginatingServer",
            "IsValid",
            "ObjectState",
        ],
    );
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data.Directory",
        types,
        &[("Identity", &own.identity)],
    ));
    object
}
