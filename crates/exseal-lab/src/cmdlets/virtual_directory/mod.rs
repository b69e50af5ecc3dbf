//! Virtual directories of the front end, and the Autodiscover service connection point (facts/exchange.md 2.11).
//!
//! OWA's and the web services' objects have the recorded shape; of the others no real server's object was recorded, and
//! they show what those two have in common.

mod access;
mod noun;

use exseal_psrp::message::ErrorCategory;

use super::ad::{self, AdObject};
use super::error::Problem;
use super::exchange_server::server_version;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop, find_server};
use super::shapes::SC;
use super::table::{Access, Cmdlet, Parameter, boolean, flags, one_of, switch, text};
use super::values;
use crate::world::Server;
use crate::world::directory::{Key, Object, VirtualDirectory};
use access::{get_access, set_access};
use noun::{Noun, noun};

const GET: &[Parameter] = &[
    text("Identity").at(0).piped().only(&["Identity"]),
    text("Server").only(&["Server"]),
    switch("ADPropertiesOnly"),
];
const TOKENS: Parameter = one_of(
    "ExtendedProtectionTokenChecking",
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.ExtendedProtectionTokenCheckingMode",
    &["None", "Allow", "Require"],
);
const SET: &[Parameter] = &[
    text("Identity").at(0).needed().piped(),
    text("InternalUrl"),
    text("ExternalUrl"),
    boolean("BasicAuthentication"),
    boolean("WindowsAuthentication"),
    TOKENS,
    switch("Force"),
];
/// ActiveSync has words of its own for the same.
const SET_ACTIVE_SYNC: &[Parameter] = &[
    text("Identity").at(0).needed().piped(),
    text("InternalUrl"),
    text("ExternalUrl"),
    boolean("BasicAuthEnabled"),
    boolean("WindowsAuthEnabled"),
    TOKENS,
    switch("Force"),
];
/// MAPI over HTTP and Outlook Anywhere name what IIS takes.
const METHODS: Parameter = flags(
    "IISAuthenticationMethods",
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.AuthenticationMethod",
    &["Basic", "Ntlm", "Negotiate", "OAuth"],
);
const SET_MAPI: &[Parameter] = &[
    text("Identity").at(0).needed().piped(),
    text("InternalUrl"),
    text("ExternalUrl"),
    METHODS,
    TOKENS,
    switch("Force"),
];
const SET_HOSTS: &[Parameter] = &[
    text("Identity").at(0).needed().piped(),
    text("InternalHostname"),
    text("ExternalHostname"),
    boolean("InternalClientsRequireSsl"),
    boolean("ExternalClientsRequireSsl"),
    METHODS,
    TOKENS,
];

const fn getter(name: &'static str, class: &'static str) -> Cmdlet {
    Cmdlet {
        name,
        class,
        parameters: GET,
        default_set: "Identity",
        access: Access::View,
        process: get,
    }
}

const fn setter(name: &'static str, class: &'static str, parameters: &'static [Parameter]) -> Cmdlet {
    Cmdlet {
        name,
        class,
        parameters,
        default_set: "",
        access: Access::Servers,
        process: set,
    }
}

macro_rules! class {
    ($name:literal) => {
        concat!("Microsoft.Exchange.Management.SystemConfigurationTasks.", $name)
    };
}

const ACCESS_SERVICE: &[Parameter] = &[
    text("Identity").at(0).piped(),
    switch("IncludeAlternateServiceAccountCredentialPassword"),
    switch("IncludeAlternateServiceAccountCredentialStatus"),
];

pub(super) const CMDLETS: &[Cmdlet] = &[
    getter("Get-OwaVirtualDirectory", class!("GetOwaVirtualDirectory")),
    getter("Get-EcpVirtualDirectory", class!("GetEcpVirtualDirectory")),
    getter(
        "Get-WebServicesVirtualDirectory",
        class!("GetWebServicesVirtualDirectory"),
    ),
    getter("Get-MapiVirtualDirectory", class!("GetMapiVirtualDirectory")),
    getter(
        "Get-ActiveSyncVirtualDirectory",
        class!("GetMobileSyncVirtualDirectory"),
    ),
    getter("Get-OabVirtualDirectory", class!("GetOabVirtualDirectory")),
    getter(
        "Get-PowerShellVirtualDirectory",
        class!("GetPowerShellVirtualDirectory"),
    ),
    getter(
        "Get-AutodiscoverVirtualDirectory",
        class!("GetAutodiscoverVirtualDirectory"),
    ),
    getter("Get-OutlookAnywhere", class!("GetRpcHttp")),
    setter("Set-OwaVirtualDirectory", class!("SetOwaVirtualDirectory"), SET),
    setter("Set-EcpVirtualDirectory", class!("SetEcpVirtualDirectory"), SET),
    setter(
        "Set-WebServicesVirtualDirectory",
        class!("SetWebServicesVirtualDirectory"),
        SET,
    ),
    setter(
        "Set-MapiVirtualDirectory",
        class!("SetMapiVirtualDirectory"),
        SET_MAPI,
    ),
    setter(
        "Set-ActiveSyncVirtualDirectory",
        class!("SetMobileSyncVirtualDirectory"),
        SET_ACTIVE_SYNC,
    ),
    setter("Set-OabVirtualDirectory", class!("SetOabVirtualDirectory"), SET),
    setter(
        "Set-PowerShellVirtualDirectory",
        class!("SetPowerShellVirtualDirectory"),
        SET,
    ),
    setter(
        "Set-AutodiscoverVirtualDirectory",
        class!("SetAutodiscoverVirtualDirectory"),
        SET,
    ),
    setter("Set-OutlookAnywhere", class!("SetRpcHttp"), SET_HOSTS),
    Cmdlet {
        name: "Get-ClientAccessService",
        class: class!("GetClientAccessService"),
        parameters: ACCESS_SERVICE,
        default_set: "",
        access: Access::View,
        process: get_access,
    },
    Cmdlet {
        name: "Get-ClientAccessServer",
        class: class!("GetClientAccessServer"),
        parameters: ACCESS_SERVICE,
        default_set: "",
        access: Access::View,
        process: get_access,
    },
    Cmdlet {
        name: "Set-ClientAccessService",
        class: class!("SetClientAccessService"),
        parameters: &[
            text("Identity").at(0).needed().piped(),
            text("AutoDiscoverServiceInternalUri"),
        ],
        default_set: "",
        access: Access::Servers,
        process: set_access,
    },
];

fn key(directory: &VirtualDirectory) -> Key {
    Key::VirtualDirectory(directory.server.clone(), directory.name.to_lowercase())
}

fn ad_object(run: &Run<'_>, noun: &Noun, directory: &VirtualDirectory) -> AdObject {
    let (created, changed) = ad::dates(run, &key(directory));
    let server = directory.server.as_str().to_uppercase();
    let name = format!("{} (Default Web Site)", noun.directory);
    AdObject {
        identity: format!("{server}\\{name}"),
        name,
        parent: format!("CN=HTTP,CN=Protocols,CN={server},{}", ad::servers(run.world)),
        parent_shown: "HTTP".to_owned(),
        classes: noun.classes,
        category: noun.category,
        version: (10, "14.0.100.0"),
        created,
        changed,
    }
}

/// The directories -Identity or -Server means, or all. Without a match the error was written.
fn wanted(run: &mut Run<'_>, noun: &Noun) -> Result<Vec<VirtualDirectory>, Stop> {
    let server = match run.text("Server") {
        None => None,
        Some(_) => match run.target()? {
            Some(server) => Some(server),
            None => return Ok(Vec::new()),
        },
    };
    let known: Vec<VirtualDirectory> = run
        .world
        .directory
        .virtual_directories(run.site())
        .filter(|directory| directory.name.eq_ignore_ascii_case(noun.directory))
        .filter(|directory| server.as_ref().is_none_or(|server| *server == directory.server))
        .cloned()
        .collect();
    let Some(wanted) = run.text("Identity").map(str::to_owned) else {
        return Ok(known);
    };
    let here = run.at.clone();
    let found: Vec<VirtualDirectory> = known
        .into_iter()
        .filter(|directory| {
            let own = ad_object(run, noun, directory);
            // A server alone means its directory; a name without server means the session's.
            find_server(run.world, &wanted).as_ref() == Some(&directory.server)
                || (own.is(run.world, &wanted)
                    && (directory.server == here
                        || wanted.contains(['\\', ',', '*'])
                        || uuid::Uuid::try_parse(&wanted).is_ok()))
        })
        .collect();
    if found.is_empty() && !wanted.contains('*') {
        let problem = Problem::not_found(&wanted, &run.controller());
        run.fail(&problem)?;
    }
    Ok(found)
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let noun = noun(run.cmdlet.name);
    let only_directory = run.is("ADPropertiesOnly");
    for directory in wanted(run, &noun)? {
        let Some(server) = run.world.servers.get(&directory.server) else {
            continue;
        };
        // Without -ADPropertiesOnly the server's IIS is asked too.
        if !only_directory && (!server.reachable || !server.runs("IISADMIN")) {
            let problem = unreachable(server);
            run.fail(&problem)?;
            continue;
        }
        let object = shown(run, &noun, &directory, server);
        run.write(object);
    }
    Ok(())
}

fn unreachable(server: &Server) -> Problem {
    let name = server.name.as_str().to_uppercase();
    Problem::of(
        "IISNotReachableException",
        ErrorCategory::ReadError,
        format!(
            "The task wasn't able to connect to IIS on the server '{}'. Make sure that the server exists and can be \
             reached from this computer: The RPC server is unavailable.",
            server.fqdn
        ),
        format!(
            "Der Task konnte keine Verbindung mit IIS auf dem Server '{}' herstellen. Stellen Sie sicher, dass der \
             Server {name} vorhanden und von diesem Computer aus erreichbar ist: Der RPC-Server ist nicht verfügbar.",
            server.fqdn
        ),
    )
}

fn uri(url: Option<&str>) -> PsValue {
    url.map_or(PsValue::Null, |url| PsValue::Uri(url.to_owned()))
}

fn shown(run: &Run<'_>, noun: &Noun, directory: &VirtualDirectory, server: &Server) -> PsObject {
    let own = ad_object(run, noun, directory);
    let number = match directory.extended_protection.as_str() {
        "Allow" => 1,
        "Require" => 2,
        _ => 0,
    };
    let mut said = vec![
        (
            "MetabasePath",
            PsValue::text(format!("IIS://{}/W3SVC/1/ROOT/{}", server.fqdn, noun.directory)),
        ),
        ("AdminDisplayVersion", server_version(server)),
        ("Server", values::server_id(run.world, &directory.server)),
        (
            "ExtendedProtectionTokenChecking",
            values::enumeration(
                SC,
                "ExtendedProtectionTokenCheckingMode",
                directory.extended_protection.clone(),
                number,
            ),
        ),
    ];
    let path = |folder: &str| {
        PsValue::text(format!(
            "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\FrontEnd\\HttpProxy\\{folder}"
        ))
    };
    let upper = || PsValue::text(directory.server.as_str().to_uppercase());
    if noun.directory == "Rpc" {
        let host = |name: &Option<String>| name.as_deref().map_or(PsValue::Null, PsValue::text);
        said.extend([
            ("ServerName", upper()),
            ("InternalHostname", host(&directory.internal)),
            ("ExternalHostname", host(&directory.external)),
            ("Path", path("rpc")),
            (
                "IISAuthenticationMethods",
                methods(&[
                    ("Basic", 0, directory.basic),
                    ("Ntlm", 2, directory.windows),
                    ("Negotiate", 13, directory.windows),
                ]),
            ),
        ]);
    } else {
        said.extend([
            ("InternalUrl", uri(directory.internal.as_deref())),
            ("ExternalUrl", uri(directory.external.as_deref())),
            ("BasicAuthentication", PsValue::Bool(directory.basic)),
        ]);
        if noun.directory == "owa" {
            said.push(("ServerName", upper()));
        } else {
            said.extend([
                ("Path", path(noun.directory)),
                ("WindowsAuthentication", PsValue::Bool(directory.windows)),
            ]);
        }
        // The web services' lists are recorded, and more than these.
        if !matches!(noun.directory, "owa" | "EWS") {
            let lets_in = [
                ("Basic", 0, directory.basic),
                ("WindowsIntegrated", 4, directory.windows),
                ("OAuth", 10, true),
            ];
            said.extend([
                ("InternalAuthenticationMethods", methods(&lets_in)),
                ("ExternalAuthenticationMethods", methods(&lets_in)),
            ]);
        }
    }
    noun.shape.object(run, own.identity.clone(), Some(&own), said)
}

/// The methods that let in: name, number, and whether it is one.
fn methods(all: &[(&'static str, i32, bool)]) -> PsValue {
    values::ad_list(
        &format!("{SC}AuthenticationMethod"),
        super::object::EXCHANGE_DIRECTORY,
        all.iter()
            .filter(|(_, _, lets_in)| *lets_in)
            .map(|(name, number, _)| values::enumeration(SC, "AuthenticationMethod", *name, *number))
            .collect(),
    )
}

/// An absolute URL; `None`: not given or `$null`.
fn url(run: &Run<'_>, name: &str) -> Result<Option<String>, Stop> {
    match run.text(name) {
        None => Ok(None),
        Some(text)
            if text
                .split_once("://")
                .is_some_and(|(scheme, rest)| !rest.is_empty() && scheme.starts_with("http")) =>
        {
            Ok(Some(text.to_owned()))
        }
        Some(text) => Err(run.unfit(name, text, "System.Uri")),
    }
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    let noun = noun(run.cmdlet.name);
    for before in wanted(run, &noun)? {
        let mut after = before.clone();
        for (name, value) in [
            ("InternalUrl", &mut after.internal),
            ("ExternalUrl", &mut after.external),
        ] {
            if run.given(name) {
                *value = url(run, name)?;
            }
        }
        for (name, value) in [
            ("InternalHostname", &mut after.internal),
            ("ExternalHostname", &mut after.external),
        ] {
            if run.given(name) {
                *value = run.text(name).map(str::to_owned);
            }
        }
        if let Some(mode) = run.text("ExtendedProtectionTokenChecking") {
            after.extended_protection = mode.to_owned();
        }
        for (names, value) in [
            (["BasicAuthentication", "BasicAuthEnabled"], &mut after.basic),
            (
                ["WindowsAuthentication", "WindowsAuthEnabled"],
                &mut after.windows,
            ),
        ] {
            for name in names {
                *value = run.boolean(name).unwrap_or(*value);
            }
        }
        if let Some(methods) = run.texts("IISAuthenticationMethods") {
            let has = |wanted: &str| methods.iter().any(|own| own.eq_ignore_ascii_case(wanted));
            after.basic = has("Basic");
            after.windows = has("Ntlm") || has("Negotiate");
        }
        let identity = ad_object(run, &noun, &before).identity;
        if !run.setting(&identity)? {
            return Ok(());
        }
        if after == before {
            run.unchanged(&identity)?;
        } else {
            run.put(key(&after), Object::VirtualDirectory(after));
        }
    }
    Ok(())
}
