//! Get- and Set-PopSettings, Get- and Set-ImapSettings (facts/exchange.md 2.9). No real server's object was recorded:
//! the properties are the documented ones.

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{EXCHANGE_DATA, PsObject, PsValue};
use super::run::{Run, Stop};
use super::shapes::{IMAP_SETTINGS, POP_SETTINGS};
use super::table::{Access, Cmdlet, Parameter, boolean, one_of, text, texts};
use super::values;
use crate::world::ServerName;
use crate::world::directory::{ClientProtocol, Key, Object, ProtocolSettings};

const LOGIN_TYPES: &[&str] = &["PlainTextLogin", "PlainTextAuthentication", "SecureLogin"];
const LOGIN_TYPE: &str = "Microsoft.Exchange.Data.Directory.SystemConfiguration.LoginOptions";

const BINDING: &[&str] = &[
    "Microsoft.Exchange.Data.IPBinding",
    "System.Net.IPEndPoint",
    "System.Object",
];
const CONNECTION: &[&str] = &[
    "Microsoft.Exchange.Data.ProtocolConnectionSettings",
    "System.Object",
];

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
    let (shape, classes, category): (_, &[_], _) = match protocol {
        ClientProtocol::Pop => (
            POP_SETTINGS,
            &["top", "protocolCfg", "protocolCfgPOP", "protocolCfgPOPServer"],
            "Protocol-Cfg-POP-Server",
        ),
        ClientProtocol::Imap => (
            IMAP_SETTINGS,
            &["top", "protocolCfg", "protocolCfgIMAP", "protocolCfgIMAPServer"],
            "Protocol-Cfg-IMAP-Server",
        ),
    };
    let (plain, implicit, proxy) = match protocol {
        ClientProtocol::Pop => (110, 995, 1995),
        ClientProtocol::Imap => (143, 993, 1993),
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
        classes,
        category,
        version: (1, "8.0.535.0"),
        created,
        changed,
    };
    let printed = |of: &'static [&'static str], texts: &[String]| {
        let items = texts
            .iter()
            .map(|text| PsValue::Object(Box::new(PsObject::new(of, text))))
            .collect();
        PsValue::multi(of.first().copied().unwrap_or_default(), EXCHANGE_DATA, items)
    };
    let bindings = |port: i32| printed(BINDING, &[format!("[::]:{port}"), format!("0.0.0.0:{port}")]);
    let login = LOGIN_TYPES
        .iter()
        .position(|own| own.eq_ignore_ascii_case(&settings.login_type))
        .and_then(|at| i32::try_from(at + 1).ok())
        .unwrap_or(3);
    shape.object(
        run,
        own.identity.clone(),
        Some(&own),
        vec![
            ("ProtocolName", PsValue::text(word(protocol))),
            ("UnencryptedOrTLSBindings", bindings(plain)),
            ("SSLBindings", bindings(implicit)),
            (
                "InternalConnectionSettings",
                printed(CONNECTION, &settings.internal),
            ),
            (
                "ExternalConnectionSettings",
                printed(CONNECTION, &settings.external),
            ),
            (
                "X509CertificateName",
                PsValue::text(&settings.x509_certificate_name),
            ),
            (
                "Banner",
                PsValue::text(format!(
                    "The Microsoft Exchange {} service is ready.",
                    word(protocol)
                )),
            ),
            (
                "LoginType",
                PsValue::Enum(LOGIN_TYPE.into(), settings.login_type.clone().into(), login),
            ),
            ("ProxyTargetPort", PsValue::Int(proxy)),
            ("ProtocolLogEnabled", PsValue::Bool(settings.log_enabled)),
            ("Server", values::server_id(world, target)),
        ],
    )
}
